//! The client's side of SMTP (RFC 5321), with STARTTLS (RFC 3207) and AUTH (RFC 4954): one message to one server.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::plan::{EmailPlan, Security};
use crate::fetch::FetchError;
use crate::fetch::link::Link;

/// Lines of one reply.
const MAX_LINES: usize = 64;
/// For the goodbye, which changes nothing any more.
const GOODBYE: Duration = Duration::from_secs(2);

/// First digit of a reply: it is done.
const DONE: u16 = 2;
/// First digit of a reply: say the rest.
const GO_ON: u16 = 3;

/// A reply of the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// What stands after the code, line by line.
    pub lines: Vec<String>,
}

impl Reply {
    /// The words after `name` among what the server offers.
    fn offers(&self, name: &str) -> Option<&str> {
        self.lines.iter().skip(1).find_map(|line| {
            let (keyword, rest) = line.split_at(line.find([' ', '=']).unwrap_or(line.len()));
            // `AUTH=PLAIN` is what very old servers say.
            keyword.eq_ignore_ascii_case(name).then(|| rest.trim_start_matches('='))
        })
    }
}

/// Where in the exchange.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// The server's first words.
    Greeting,
    /// `EHLO`.
    Hello,
    /// `STARTTLS`.
    StartTls,
    /// `AUTH`.
    Login,
    /// `MAIL`.
    Sender,
    /// `RCPT`.
    Recipient,
    /// `DATA`, before the message.
    Data,
    /// The message itself.
    Message,
}

/// Why a message did not go out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// The connection; true if the message may have been taken nevertheless.
    Link(FetchError, bool),
    /// What the server said to what.
    Refused(Stage, Reply),
    /// It offers no STARTTLS.
    NoStartTls,
    /// It offers no login that this program knows; what it offers.
    NoLogin(String),
}

impl From<FetchError> for Fault {
    fn from(error: FetchError) -> Fault {
        Fault::Link(error, false)
    }
}

/// What became of a message that was not refused as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Outcome {
    /// The server took it for these.
    pub taken: Vec<String>,
    /// It refused these, with this reply.
    pub refused: Vec<(String, Reply)>,
}

/// Sends `letter` to `to` over `link`, which is new. It goes to those whom the server takes; if there is nobody, it
/// goes nowhere.
pub(super) fn exchange(
    mut link: Link,
    email: &EmailPlan,
    hello: &str,
    to: &[String],
    letter: &str,
) -> Result<Outcome, Fault> {
    if email.security == Security::Tls {
        link = link.encrypt()?;
    }
    reply(&mut link, Stage::Greeting, DONE)?;
    let mut offer = ask(&mut link, Stage::Hello, DONE, &["EHLO ", hello])?;
    if email.security == Security::StartTls {
        if offer.offers("STARTTLS").is_none() {
            goodbye(&mut link);
            return Err(Fault::NoStartTls);
        }
        ask(&mut link, Stage::StartTls, DONE, &["STARTTLS"])?;
        // What somebody on the way put behind the reply would pass for the server's own words after the handshake.
        if link.has_more() {
            return Err(Fault::Link(FetchError::Protocol, false));
        }
        link = link.encrypt()?;
        offer = ask(&mut link, Stage::Hello, DONE, &["EHLO ", hello])?;
    }
    let outcome = login(&mut link, email, &offer).and_then(|()| tell(&mut link, email, to, letter));
    if !matches!(outcome, Err(Fault::Link(..))) {
        goodbye(&mut link);
    }
    outcome
}

/// `PLAIN`, or `LOGIN` where there is no `PLAIN` or the server does not take it after all.
fn login(link: &mut Link, email: &EmailPlan, offer: &Reply) -> Result<(), Fault> {
    let Some((user, password)) = &email.login else { return Ok(()) };
    let offered = offer.offers("AUTH").unwrap_or_default();
    let has = |name: &str| offered.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(name));
    if !has("PLAIN") && !has("LOGIN") {
        return Err(Fault::NoLogin(offered.to_owned()));
    }
    if has("PLAIN") {
        match ask(link, Stage::Login, DONE, &["AUTH PLAIN ", &plain(user, password.reveal())]) {
            // It is the mechanism that is refused, not the password: trying that twice could lock the user out.
            Err(Fault::Refused(_, Reply { code: 500..=504, .. })) if has("LOGIN") => {}
            done => return done.map(|_| ()),
        }
    }
    ask(link, Stage::Login, GO_ON, &["AUTH LOGIN"])?;
    ask(link, Stage::Login, GO_ON, &[&STANDARD.encode(user)])?;
    ask(link, Stage::Login, DONE, &[&STANDARD.encode(password.reveal())])?;
    Ok(())
}

/// What `AUTH PLAIN` sends (RFC 4616).
pub(super) fn plain(user: &str, password: &str) -> String {
    STANDARD.encode(["\0", user, "\0", password].concat())
}

fn tell(link: &mut Link, email: &EmailPlan, to: &[String], letter: &str) -> Result<Outcome, Fault> {
    ask(link, Stage::Sender, DONE, &["MAIL FROM:<", &email.from, ">"])?;
    let mut outcome = Outcome::default();
    for address in to {
        match ask(link, Stage::Recipient, DONE, &["RCPT TO:<", address, ">"]) {
            Ok(_) => outcome.taken.push(address.clone()),
            // The server is closing the connection.
            Err(Fault::Refused(_, reply)) if reply.code != 421 => outcome.refused.push((address.clone(), reply)),
            Err(fault) => return Err(fault),
        }
    }
    if outcome.taken.is_empty() {
        return Ok(outcome);
    }
    ask(link, Stage::Data, GO_ON, &["DATA"])?;
    link.send(letter.as_bytes())?;
    // From its last line on it may have been taken.
    let taken = |error| Fault::Link(error, true);
    link.send(b".\r\n").map_err(taken)?;
    match reply(link, Stage::Message, DONE) {
        Ok(_) => Ok(outcome),
        Err(Fault::Link(error, _)) => Err(taken(error)),
        Err(fault) => Err(fault),
    }
}

/// Nobody waits long for the answer, and nothing hangs on it.
fn goodbye(link: &mut Link) {
    link.hurry(GOODBYE);
    if link.send(b"QUIT\r\n").and_then(|()| link.line()).is_err() {
        log::debug!("a mail server does not say goodbye");
    }
}

/// Sends a command and reads the reply to it, which must begin with the digit `want`.
fn ask(link: &mut Link, stage: Stage, want: u16, command: &[&str]) -> Result<Reply, Fault> {
    link.send([&command.concat(), "\r\n"].concat().as_bytes())?;
    reply(link, stage, want)
}

/// Reads a reply. One from 400 on is a refusal; another than was asked for is no SMTP.
fn reply(link: &mut Link, stage: Stage, want: u16) -> Result<Reply, Fault> {
    let mut reply = Reply { code: 0, lines: Vec::new() };
    while reply.lines.len() < MAX_LINES {
        let line = link.line()?;
        let Some((code, last, text)) = split(&line) else { break };
        if !reply.lines.is_empty() && code != reply.code {
            break;
        }
        reply.code = code;
        reply.lines.push(text.to_owned());
        match code / 100 {
            _ if !last => {}
            4 | 5 => return Err(Fault::Refused(stage, reply)),
            class if class == want => return Ok(reply),
            _ => break,
        }
    }
    Err(Fault::Link(FetchError::Protocol, false))
}

/// Code, whether it is the last line of its reply, and the text.
fn split(line: &str) -> Option<(u16, bool, &str)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code: u16 = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()?;
    let last = !rest.starts_with('-');
    let text = rest.strip_prefix(['-', ' ']).or(rest.is_empty().then_some(""))?;
    (200..600).contains(&code).then_some((code, last, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_replies() {
        for (line, expected) in [
            ("250 ok", Some((250, true, "ok"))),
            ("250-AUTH PLAIN", Some((250, false, "AUTH PLAIN"))),
            ("250", Some((250, true, ""))),
            ("250 ", Some((250, true, ""))),
            ("354-", Some((354, false, ""))),
            ("", None),
            ("25", None),
            ("2500 ok", None),
            ("+50 ok", None),
            ("199 ok", None),
            ("600 ok", None),
            ("25\u{e9} ok", None),
            ("\u{1f511}", None),
            ("HTTP/1.1 400 Bad Request", None),
        ] {
            assert_eq!(split(line), expected, "{line}");
        }
    }

    #[test]
    fn offers() {
        let said = ["smtp.example.com AUTH", "SIZE 1000", "auth LOGIN PLAIN", "STARTTLS", "AUTHX y"];
        let reply = Reply { code: 250, lines: said.map(str::to_owned).to_vec() };
        assert_eq!(reply.offers("AUTH").map(str::trim), Some("LOGIN PLAIN"));
        assert_eq!(reply.offers("STARTTLS"), Some(""));
        assert_eq!(reply.offers("PIPELINING"), None);
        let old = Reply { code: 250, lines: vec![String::new(), "AUTH=LOGIN".to_owned()] };
        assert_eq!(old.offers("AUTH"), Some("LOGIN"));
    }

    #[test]
    fn passwords_are_sent_as_the_rfc_says() {
        assert_eq!(plain("user@example.com", "pass word"), "AHVzZXJAZXhhbXBsZS5jb20AcGFzcyB3b3Jk");
    }
}
