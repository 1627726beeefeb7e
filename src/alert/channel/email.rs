//! E-mail: one message, one connection, one deadline.
//!
//! The library lettre (0.11.23) gives each read a time of its own, so that a server that drips bytes holds it for days,
//! lets nobody else have the socket, and after the handshake of STARTTLS takes what it read in the clear for the server's
//! answers. Hence the few commands that are needed stand in [`smtp`], over the connections and the TLS of the HTTP client.

mod letter;
mod smtp;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Tools;
use super::compose::{Markup, Room, Style, Unit, compose};
use super::http::{MAX_QUOTE, longest_first, unanswered};
use crate::alert::clean::quoted;
use crate::alert::{Message, Verdict};
use crate::clock;
use crate::config::plan::{ChannelPlan, EmailPlan};
use crate::event::Id;
use crate::fetch::FetchError;
use smtp::{Fault, Outcome, Reply, Stage};

/// Bytes of a body, far below what any server takes; more than 64 KiB of text nobody reads.
const MAX_BODY: usize = 64 * 1024;
/// Bytes of a subject.
const MAX_SUBJECT: usize = 512;
/// Messages of which some recipients have got theirs and others have not.
const MAX_PARTLY: usize = 64;
/// Refused recipients that were told of.
const MAX_TOLD: usize = 32;
/// From one attempt to the next with a message whose content was refused: whoever mends that does not do so sooner.
const CONTENT_PAUSE: Duration = Duration::from_secs(3600);
/// What a machine without a domain calls itself.
const NO_NAME: &str = "[127.0.0.1]";

/// How a mail wants its text.
const STYLE: Style = Style {
    markup: Markup::Plain,
    title: Room { unit: Unit::Bytes, max: MAX_SUBJECT },
    body: Room { unit: Unit::Bytes, max: MAX_BODY },
    joined: false,
    newline: "\n",
};

/// What a channel remembers from one attempt to the next.
#[derive(Clone, Default, Debug)]
pub(super) struct Memory {
    /// Messages on the way, with those who have got theirs. At most [`MAX_PARTLY`].
    partly: Vec<(Id, Vec<String>)>,
    /// Recipients that the log says are refused. At most [`MAX_TOLD`].
    told: Vec<String>,
}

/// Sends `message` to all who have not got it yet.
pub(super) fn attempt(
    plan: &ChannelPlan,
    email: &EmailPlan,
    message: &Message,
    tools: &Tools<'_>,
    memory: &mut Memory,
) -> Verdict {
    let known = memory.partly.iter().position(|(id, _)| *id == message.id);
    let mut have = known.map(|at| memory.partly.remove(at).1).unwrap_or_default();
    let mut to = email.to.clone();
    to.retain(|address| !have.contains(address));
    let secrets = secrets(email);
    let outcome = send(plan, email, message, tools, &to);
    let (outcome, verdict) = match outcome {
        Ok(outcome) => {
            let verdict = sorted(email, &outcome, !have.is_empty(), &secrets);
            (outcome, verdict)
        }
        Err(fault) => (Outcome::default(), failed(email, &fault, &secrets)),
    };
    have.extend(outcome.taken);
    memory.tell(plan, email, &have, &outcome.refused, &secrets);
    if !have.is_empty() && matches!(verdict, Verdict::Retry { .. } | Verdict::Broken(_)) {
        memory.partly.truncate(MAX_PARTLY - 1);
        memory.partly.insert(0, (message.id, have));
    }
    verdict
}

fn send(
    plan: &ChannelPlan,
    email: &EmailPlan,
    message: &Message,
    tools: &Tools<'_>,
    to: &[String],
) -> Result<Outcome, Fault> {
    let now = clock::now();
    let composed = compose(plan, &STYLE, message, &now, tools.zone);
    let letter = letter::letter(email, message, &composed, plan.body.is_some(), (now.wall, tools.zone));
    let hello = email.hello.clone().unwrap_or_else(own_name);
    let link = tools.fetch.link(&email.server, email.port)?;
    smtp::exchange(link, email, &hello, to, &letter)
}

/// The host name, if it has a domain: many servers mind one that has none.
fn own_name() -> String {
    let uname = rustix::system::uname();
    let name = uname.nodename().to_str().unwrap_or_default();
    let fits = name.contains('.') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
    if fits { name.to_owned() } else { NO_NAME.to_owned() }
}

/// What a server might repeat, and nobody may read.
fn secrets(email: &EmailPlan) -> Vec<String> {
    let Some((user, password)) = &email.login else { return Vec::new() };
    let password = password.reveal();
    longest_first(vec![password.to_owned(), STANDARD.encode(password), smtp::plain(user, password)])
}

impl Memory {
    /// Says once who is refused while others, who `have` it, are not.
    fn tell(
        &mut self,
        plan: &ChannelPlan,
        email: &EmailPlan,
        have: &[String],
        refused: &[(String, Reply)],
        secrets: &[String],
    ) {
        self.told.retain(|told| !have.contains(told));
        for (address, reply) in refused {
            let new = !self.told.contains(address) && self.told.len() < MAX_TOLD;
            if new && !have.is_empty() && !is_passing(Stage::Recipient, reply) {
                log::warn!("alert.{}: {address} gets nothing: {}", plan.name, said(email, reply, secrets));
                self.told.push(address.clone());
            }
        }
    }
}

/// The verdict of a message that was not refused as a whole; `some` have got it already.
fn sorted(email: &EmailPlan, outcome: &Outcome, some: bool, secrets: &[String]) -> Verdict {
    let passing = outcome.refused.iter().find(|(_, reply)| is_passing(Stage::Recipient, reply));
    let why = |address: &str, reply: &Reply| [&said(email, reply, secrets), " (", address, ")"].concat();
    let taken = some || !outcome.taken.is_empty();
    match (passing, outcome.refused.first()) {
        (Some((address, reply)), _) => Verdict::Retry {
            why: why(address, reply),
            after: None,
            // What keeps one of several from getting it need not keep the others from the next.
            channel: !taken,
            answered: true,
            sent: taken,
        },
        (None, Some((address, reply))) if !taken => Verdict::Broken(why(address, reply)),
        _ => Verdict::Delivered,
    }
}

/// The verdict of a message that did not go out.
fn failed(email: &EmailPlan, fault: &Fault, secrets: &[String]) -> Verdict {
    let (stage, reply) = match fault {
        Fault::Link(FetchError::Protocol, sent) => {
            let why = [&email.server, ": the answer is not SMTP or broke off"].concat();
            return Verdict::Retry { why, after: None, channel: true, answered: false, sent: *sent };
        }
        Fault::Link(error, sent) => return unanswered(*error, &email.server, *sent),
        Fault::NoStartTls => {
            let why = ": offers no STARTTLS, and nothing is sent in the clear; try security = \"tls\"";
            return Verdict::Broken([&email.server, why].concat());
        }
        Fault::NoLogin(offered) => {
            let offered = quoted(offered, MAX_QUOTE, secrets);
            let why = if offered.is_empty() {
                ": offers no login; check port and security, or leave out user and password"
            } else {
                ": offers neither of the logins PLAIN and LOGIN, only "
            };
            return Verdict::Broken([&email.server, why, &offered].concat());
        }
        Fault::Refused(stage, reply) => (*stage, reply),
    };
    let why = [&said(email, reply, secrets), hint(stage, reply.code)].concat();
    let retry = |channel, after| Verdict::Retry { why: why.clone(), after, channel, answered: true, sent: false };
    match (stage, reply.code) {
        // After the message only what the server says of itself is the channel's.
        (_, code) if is_passing(stage, reply) => retry(stage != Stage::Message || code == 421 || code >= 500, None),
        // Too large.
        (Stage::Message | Stage::Sender, 552) => Verdict::GiveUp(why),
        // The content of this message, which may be a mistake of the server's: the others pass meanwhile.
        (Stage::Message, _) => retry(false, Some(CONTENT_PAUSE)),
        _ => Verdict::Broken(why),
    }
}

/// Whether the same thing may be taken later.
fn is_passing(stage: Stage, reply: &Reply) -> bool {
    match reply.code {
        // Alibaba: the sender is not the account.
        440 => false,
        400..=499 => true,
        // A full mailbox, in servers that follow RFC 821 (RFC 5321, 4.5.3.1.10).
        552 if stage == Stage::Recipient => true,
        // Tencent and NetEase answer so when there is too much at a time.
        _ => {
            let said = reply.lines.concat().to_ascii_lowercase();
            said.contains("frequency") || said.contains("too many")
        }
    }
}

/// What a person could do about it.
fn hint(stage: Stage, code: u16) -> &'static str {
    match (stage, code) {
        (Stage::Login, 534 | 535 | 526 | 538 | 550) => {
            " (user or password is wrong; QQ, 163 and others want an authorisation code in place of the password)"
        }
        (Stage::Sender | Stage::Recipient, 530) => " (the server wants a login: set user and password)",
        (Stage::Sender, 440 | 501 | 550 | 553) => " (does from belong to the account?)",
        (Stage::Hello, _) => " (set hello to a name that the server takes)",
        _ => "",
    }
}

/// Server, code and words of a reply, in one line.
fn said(email: &EmailPlan, reply: &Reply, secrets: &[String]) -> String {
    let words = quoted(&reply.lines.join(" "), MAX_QUOTE, secrets);
    [&email.server, ": ", &reply.code.to_string(), " ", &words].concat().trim_end().to_owned()
}

#[cfg(test)]
mod tests;
