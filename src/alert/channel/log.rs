//! The log as a channel: what a first run without any other shows.

use ::log::{Level, log};

use super::{Tools, rendered};
use crate::alert::json::Head;
use crate::alert::message::Text;
use crate::alert::{Message, Verdict};
use crate::clock;
use crate::config::plan::ChannelPlan;
use crate::event::Severity;

/// Target of the lines, for filters such as `log = "warn,alert=info"`.
const TARGET: &str = "alert";

/// Prints `message` in one line.
pub(super) fn attempt(plan: &ChannelPlan, message: &Message, tools: &Tools<'_>) -> Verdict {
    let level = match Head::of(message).severity {
        Severity::Info => Level::Info,
        Severity::Warning | Severity::Critical => Level::Warn,
    };
    log!(target: TARGET, level, "{}", line(&rendered(plan, message, &clock::now(), tools.zone)));
    Verdict::Delivered
}

/// Title and lines in one.
fn line(text: &Text) -> String {
    let mut line = text.title.clone();
    for next in &text.lines {
        line.push_str(" | ");
        line.push_str(&next.whole());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::message::Line;

    #[test]
    fn a_message_is_one_line() {
        let text = Text {
            title: "x is offline".to_owned(),
            lines: ["Time: now", "id 1"].map(|line| Line::plain(line.to_owned())).to_vec(),
        };
        assert_eq!(line(&text), "x is offline | Time: now | id 1");
    }
}
