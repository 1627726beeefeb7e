//! Which channel is told of what. It judges beginnings and single events; ends follow their beginnings.

use crate::config::plan::ChannelPlan;
use crate::event::{Event, Fact, Field, Kind};

/// Whether `plan` takes `event`. Troubles of a channel are not told through that channel. What was said to channels by
/// name goes to those, whatever else they take.
pub fn takes(plan: &ChannelPlan, event: &Event) -> bool {
    if matches!(event.kind, Kind::ChannelBroken | Kind::ChannelMended | Kind::Lost)
        && matches!(event.fact(Field::Channel), Some(Fact::Text(name)) if *name == plan.name)
    {
        return false;
    }
    if let (Kind::Message, Some(Fact::Text(names))) = (event.kind, event.fact(Field::Channel)) {
        return names.split(',').any(|name| name == plan.name);
    }
    event.severity >= plan.min_severity
        && (plan.only.is_empty() || plan.only.contains(&event.kind))
        && !plan.not.contains(&event.kind)
        && (plan.hosts.is_empty() || plan.hosts.iter().any(|glob| glob_matches(glob, &event.subject)))
}

/// Whether the whole of `text` matches `glob`, in which `*` stands for any characters and `?` for one.
pub fn glob_matches(glob: &str, text: &str) -> bool {
    let (mut glob, mut text) = (glob.chars(), text.chars());
    // Where to go on after a mismatch: behind the last star, with one more character given to it.
    let mut star = None;
    loop {
        let (before, mut ahead) = (text.clone(), glob.clone());
        let Some(c) = text.next() else { return glob.all(|c| c == '*') };
        let wanted = ahead.next();
        if wanted == Some('*') {
            (glob, text) = (ahead.clone(), before.clone());
            star = Some((ahead, before));
        } else if wanted.is_some_and(|wanted| wanted == '?' || wanted == c) {
            glob = ahead;
        } else if let Some((after, from)) = &mut star {
            from.next();
            (glob, text) = (after.clone(), from.clone());
        } else {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::testing::{event, plan};
    use crate::event::Severity;

    #[test]
    fn globs() {
        for (glob, text, fits) in [
            ("web*", "web1@lan", true),
            ("web*", "nas", false),
            ("*@lan", "web1@lan", true),
            ("*@lan", "web1@lane", false),
            ("w?b", "web", true),
            ("w?b", "wéb", true),
            ("w?b", "wb", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("**a", "bbba", true),
        ] {
            assert_eq!(glob_matches(glob, text), fits, "{glob} {text}");
        }
        assert!(!glob_matches(&"*a".repeat(60), &"a".repeat(59)));
    }

    #[test]
    fn a_channel_takes_what_its_keys_say() {
        let offline = event(Kind::Offline, 1, "nas@home");
        let mut only = plan("a");
        only.only = vec![Kind::Interrupt];
        let mut not = plan("a");
        not.not = vec![Kind::Offline];
        let mut hosts = plan("a");
        hosts.hosts = vec!["web*".into(), "nas*".into()];
        let mut severe = plan("a");
        severe.min_severity = Severity::Critical;
        assert!(takes(&plan("a"), &offline));
        assert!(!takes(&only, &offline));
        assert!(!takes(&not, &offline));
        assert!(takes(&hosts, &offline));
        assert!(!takes(&hosts, &event(Kind::Offline, 1, "db")));
        assert!(takes(&severe, &offline));
        assert!(!takes(&severe, &event(Kind::Stopped, 1, "nas@home")));
    }

    #[test]
    fn what_is_said_to_a_channel_by_name_goes_there() {
        let mut severe = plan("a");
        severe.min_severity = Severity::Critical;
        let said = event(Kind::Message, 1, "nas");
        assert!(!takes(&severe, &said) && takes(&plan("b"), &said));
        let said = said.with_text(Field::Channel, "a,c");
        assert_eq!(["a", "b", "c"].map(|name| takes(&plan(name), &said)), [true, false, true]);
        assert!(takes(&severe, &said));
        let other = event(Kind::Rebooted, 1, "nas").with_text(Field::Channel, "a");
        assert!(takes(&plan("b"), &other));
    }

    #[test]
    fn a_channel_does_not_hear_of_its_own_trouble() {
        let broken = event(Kind::ChannelBroken, 1, "a").with_text(Field::Channel, "a");
        assert!(!takes(&plan("a"), &broken));
        assert!(takes(&plan("b"), &broken));
    }
}
