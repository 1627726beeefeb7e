//! `spot`: asks the cloud once, without a daemon, and prints what it says and what would be told.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::message::{Line, render, span};
use crate::alert::{Form, Message};
use crate::cli::{EXIT_CONFIG, EXIT_FAILURE, fail, mutter, say};
use crate::clock;
use crate::config::plan::{Language, Plan, SpotPlan};
use crate::resolve::Resolver;
use crate::run::identity::identity;
use crate::spot::identity::{Identity, Learner};
use crate::spot::metadata::Metadata;
use crate::spot::service::{Reading, Service, Topic, Why, excerpt};
use crate::spot::tracker::{Remark, Tracker};
use crate::zone::Zone;

/// For learning which instance this is: seven items at most, most of which come at once.
const LEARN: Duration = Duration::from_secs(8);

/// Asks for every document of the cloud and prints a few lines for each. The exit code is 0 if all could be read and
/// nothing is announced, else 1.
pub fn run(plan: &Plan) -> ExitCode {
    let Some(spot) = &plan.spot else {
        return fail(EXIT_CONFIG, &["no cloud to ask: set provider = \"AliCloud\", another cloud, or \"Auto\""]);
    };
    let zone = match Zone::load(plan.timezone.as_deref()) {
        Ok(zone) => zone,
        Err(error) => return fail(EXIT_CONFIG, &["timezone ", &error.to_string()]),
    };
    let service = Service::of(spot.cloud);
    let metadata = Metadata::new(service, spot.endpoint.clone(), Arc::new(Resolver::default()));
    say(&[spot.cloud.name(), " at ", metadata.host(), "\n"].concat());
    let mut look =
        Look { spot, zone, metadata, learner: Learner::new(service), subject: identity(&plan.name), hint: "" };
    let mut well = look.learn();
    if let Some(first) = service.first.filter(|_| well) {
        mutter(&["the first answer may take ", &span(Language::En, first)]);
    }
    for (at, topic) in service.topics.iter().enumerate() {
        well &= look.at(at, topic);
    }
    if well { ExitCode::SUCCESS } else { EXIT_FAILURE.into() }
}

struct Look<'a> {
    spot: &'a SpotPlan,
    zone: Zone,
    metadata: Metadata,
    learner: Learner,
    subject: String,
    /// What a person was told to do last.
    hint: &'static str,
}

impl Look<'_> {
    /// Learns which instance this is, and says it. True if it is one of this cloud.
    fn learn(&mut self) -> bool {
        self.metadata.learn(&mut self.learner, clock::tick() + LEARN, &mut |_| false);
        if self.learner.is_verified() {
            line("instance", &self.learner.identity().text());
        } else {
            self.odd("instance", &self.learner.why());
        }
        self.learner.is_verified()
    }

    /// Looks at one document. True if it could be read and announces nothing.
    fn at(&mut self, at: usize, topic: &Topic) -> bool {
        let reading = self.metadata.poll(topic, &self.learner.identity().name, Duration::ZERO);
        match &reading {
            Reading::Notices(notices) if notices.is_empty() && !self.learner.is_verified() => {
                line(topic.name(), "nothing is announced, but by whom?");
                false
            }
            Reading::Notices(notices) if notices.is_empty() => {
                line(topic.name(), "nothing is announced");
                true
            }
            Reading::Notices(notices) => {
                for notice in notices {
                    let off = if self.spot.wants(notice.kind) { "" } else { " (switched off)" };
                    let gap = if notice.action.is_empty() { "" } else { " " };
                    let raw = excerpt(notice.raw.as_bytes());
                    line(topic.name(), &[notice.kind.name(), off, ": ", notice.action, gap, &raw].concat());
                }
                self.tell(at, &reading);
                false
            }
            Reading::Unknown(why) => {
                self.odd(topic.name(), why);
                false
            }
            Reading::NeedToken => false,
        }
    }

    /// Why `what` could not be read, and once what can be done about it.
    fn odd(&mut self, what: &str, why: &Why) {
        line(what, why.text.strip_prefix(what).map_or(&*why.text, str::trim_start));
        if !why.hint.is_empty() && why.hint != self.hint {
            line("  what to do", why.hint);
            self.hint = why.hint;
        }
    }

    /// What a daemon would tell of `reading` if it had told nothing so far.
    fn tell(&self, at: usize, reading: &Reading) {
        let now = clock::now();
        let mut tracker = Tracker::restore(self.spot.cloud, &self.subject, None, &now);
        if let Some(Remark::Stale(_)) = tracker.observe(at, reading, &now) {
            line("", "not told: its time is long past");
        }
        let me: &Identity = self.learner.identity();
        while let Some(due) = tracker.due(me, &now) {
            let event = tracker.commit(due);
            if self.spot.wants(event.kind) {
                let message = Message { id: event.id, form: Form::One, members: vec![Arc::new(event)] };
                let text = render(&message, Language::En, "", &now, &self.zone);
                line("  would tell", &text.title);
                for fact in text.lines.iter().map(Line::whole) {
                    line("", &fact);
                }
            }
        }
    }
}

fn line(what: &str, text: &str) {
    const WIDTH: usize = 24;
    let gap = " ".repeat(WIDTH.saturating_sub(what.len()).max(1));
    say(&["  ", what, &gap, text, "\n"].concat());
}
