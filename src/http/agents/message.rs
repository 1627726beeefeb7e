//! What agents and scripts say to people: events, as those of `send`.

use std::time::Duration;

use crate::alert::clean::clean;
use crate::alert::message::said::{MAX_HEADLINE, headline};
use crate::alert::pending::After;
use crate::alert::route;
use crate::clock;
use crate::event::{Id, Severity};
use crate::http::agents::refusal::{EMPTY, Refusal};
use crate::run::answers::Answers;
use crate::run::send::Said;
use crate::run::threads::Stop;

/// How long an answer waits until the message is on disk; a disk that takes longer is not waited for.
const KEPT: Duration = Duration::from_secs(1);
/// From one look to the next.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes of a source.
const MAX_SOURCE: usize = 100;

const BUSY: Refusal = Refusal(503, "ServerError", "too many messages wait to be told; try again later");
const NOBODY: Refusal = Refusal(503, "ServerError", "no channel takes a message of this severity");

/// Has `text` told as said by `source`. The same `id` again is not told again.
///
/// # Errors
/// When there is nothing to tell, nobody to tell it, or too much waits.
pub fn tell(answers: &Answers, source: &str, severity: Severity, text: &str, id: Id) -> Result<(), Refusal> {
    let (title, body) = split(text);
    if headline(title).is_empty() {
        return Err(EMPTY);
    }
    let now = clock::now();
    let account = answers.inquire(id).ok_or(BUSY)?;
    if !account.known {
        let said = Said { id, severity, channels: Vec::new(), title: title.to_owned(), body: body.to_owned() };
        let event = said.event(&clean(source.trim(), MAX_SOURCE), &now);
        let taken = {
            let parts = answers.reloader.parts();
            parts.plan().is_some_and(|plan| plan.channels.iter().any(|channel| route::takes(channel, &event)))
        };
        if !taken {
            return Err(NOBODY);
        }
        if !account.room || !answers.board.post(Some(event), After::Nothing) {
            return Err(BUSY);
        }
    }
    let wait = Stop::default();
    while clock::tick() < now.tick + KEPT {
        match answers.inquire(id) {
            Some(account) if !account.kept => wait.wait(LOOK),
            // At its end the desk saves all that it has taken.
            _ => break,
        };
    }
    Ok(())
}

/// The first line, and the rest: all of it if the first line is too long for a title.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let (title, body) = text.split_once('\n').unwrap_or((text, ""));
    if title.len() > MAX_HEADLINE { (title, text) } else { (title, body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_long_line_is_lost() {
        assert_eq!(split(" a\nb\nc "), ("a", "b\nc"));
        assert_eq!(split("a"), ("a", ""));
        let long = "x".repeat(MAX_HEADLINE + 1);
        assert_eq!(split(&long), (&*long, &*long));
    }
}
