//! Jobs that are a URL: this server calls it.

use std::sync::Arc;
use std::time::Duration;

use crate::alert::channel::{self, ChannelState, Tools};
use crate::alert::{Form, Message, Verdict};
use crate::clock;
use crate::config::plan::{ChannelKind, ChannelPlan, Language};
use crate::event::{Event, Field, Kind, Moment};
use crate::jobs::{JobPlan, Task};
use crate::keepalive::work::{Done, End, Key};
use crate::resolve::Resolver;
use crate::run::threads::Stop;
use crate::zone::Zone;

/// How long a call may take unless the job says otherwise.
const USUAL: Duration = Duration::from_secs(30);

/// Makes the call once, in the time that the job gives it. Retries are a matter of the book.
pub fn run(key: Key, job: &JobPlan, resolver: &Arc<Resolver>, stop: &Stop) -> Done {
    let failed = |why: String| Done { key, end: End::Failed, code: None, took: 0, out: String::new(), why };
    let Task::Url(hook) = &job.what else { return failed("it is no URL".to_owned()) };
    let timeout = job.terms.timeout.unwrap_or(USUAL);
    let plan = ChannelPlan::new(&job.name, ChannelKind::Webhook(hook.clone()), Language::En, timeout);
    let now = clock::now();
    let event = Event::new(Kind::JobDone, key.id, &*job.name, Moment::at(now.tick, &now))
        .with_text(Field::Job, &*job.name)
        .with_text(Field::Run, key.id.to_string());
    let message = Message { id: event.id, form: Form::One, members: vec![Arc::new(event)] };
    let fetch = channel::fetch(&plan, Arc::clone(resolver));
    let tools = Tools { fetch: &fetch, zone: &Zone::utc(), stop };
    match channel::attempt(&plan, &message, &tools, &mut ChannelState::default()) {
        Verdict::Delivered => Done { end: End::Succeeded, ..failed(String::new()) },
        Verdict::Retry { why, .. } | Verdict::Broken(why) | Verdict::GiveUp(why) => failed(why),
    }
}
