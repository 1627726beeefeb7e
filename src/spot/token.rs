//! When a session token is asked for, shown and given up. Pure.

use std::time::Duration;

use crate::clock::Tick;
use crate::secret::Secret;

/// The wanted life of a token; Alibaba Cloud allows 1 s to 6 h.
pub const LIFE: Duration = Duration::from_secs(21_600);
/// A token is renewed at 80 % of its life.
const RENEW: Duration = Duration::from_secs(21_600 / 5 * 4);
/// A service that gives no tokens is asked again after this.
const NONE_GIVEN: Duration = Duration::from_secs(600);
/// A service that did not answer is asked again after this; so is one that refuses its own token.
const FAILED: Duration = Duration::from_secs(60);
/// Bytes of a token.
const MAX_TOKEN: usize = 4096;

/// The token of one metadata service, if it gives any.
#[derive(Default)]
pub struct Token {
    held: Option<(Secret, Tick)>,
    /// When to ask again; at once if there is none.
    next: Option<Tick>,
    /// When one was last refused and another was asked for.
    refused: Option<Tick>,
}

impl Token {
    /// Whether a token should be asked for before the next request.
    pub fn is_due(&self, now: Tick) -> bool {
        self.next.is_none_or(|next| now >= next)
    }

    /// A request was refused: whether another token should be asked for at once. Not if that was done lately, or a
    /// service that refuses everything would be asked three times as often as it should be.
    pub fn refused(&mut self, now: Tick) -> bool {
        let lately = self.refused.is_some_and(|last| now.since(last) < FAILED);
        if !lately {
            self.refused = Some(now);
        }
        !lately
    }

    /// What to show with a request.
    pub fn shown(&self, now: Tick) -> Option<&Secret> {
        self.held.as_ref().filter(|(_, end)| now < *end).map(|(token, _)| token)
    }

    /// The answer to a request for a token: its status and body, or `None` if there was none. True if there is a
    /// new token. One that is held already is kept until its end.
    pub fn answered(&mut self, answer: Option<(u16, &str)>, now: Tick) -> bool {
        let fit = |text: &str| (1..=MAX_TOKEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        match answer {
            Some((200, text)) if fit(text) => {
                self.held = Some((Secret::new(text), now + LIFE));
                self.next = Some(now + RENEW);
                return true;
            }
            Some((404 | 405, _)) => self.next = Some(now + NONE_GIVEN),
            _ => self.next = Some(now + FAILED),
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Tick {
        Tick(secs * 1000)
    }

    #[test]
    fn a_token_is_renewed_before_its_end_and_kept_if_that_fails() {
        let mut token = Token::default();
        assert!(token.is_due(at(0)) && token.shown(at(0)).is_none());
        assert!(token.answered(Some((200, "abc=")), at(0)));
        assert!(!token.is_due(at(17_279)) && token.is_due(at(17_280)));
        assert!(!token.answered(None, at(17_280)));
        assert!(!token.is_due(at(17_339)) && token.is_due(at(17_340)));
        assert_eq!(token.shown(at(21_599)).map(Secret::reveal), Some("abc="));
        assert!(token.shown(at(21_600)).is_none());
    }

    #[test]
    fn a_refused_token_is_replaced_at_most_once_a_minute() {
        let mut token = Token::default();
        token.answered(Some((200, "abc=")), at(0));
        let asked: Vec<i64> = (0..200).step_by(5).filter(|second| token.refused(at(*second))).collect();
        assert_eq!(asked, [0, 60, 120, 180]);
    }

    #[test]
    fn what_is_no_token_is_not_shown() {
        let long = "x".repeat(MAX_TOKEN + 1);
        for (answer, again) in [
            (None, 60),
            (Some((200, "")), 60),
            (Some((200, "<html> </html>")), 60),
            (Some((200, "a\r\nb")), 60),
            (Some((200, long.as_str())), 60),
            (Some((403, "abc")), 60),
            (Some((500, "abc")), 60),
            (Some((404, "abc")), 600),
            (Some((405, "abc")), 600),
        ] {
            let mut token = Token::default();
            assert!(!token.answered(answer, at(0)), "{answer:?}");
            assert!(token.shown(at(0)).is_none());
            assert!(!token.is_due(at(again - 1)) && token.is_due(at(again)), "{answer:?}");
        }
    }
}
