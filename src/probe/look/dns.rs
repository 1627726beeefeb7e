//! Whether a name has the addresses that it should have.

pub mod message;

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};

use self::message::{Said, answer, question};
use super::{Seen, bad};
use crate::callback::exec::is_passing;
use crate::clock::{Tick, tick};
use crate::fetch::FetchError;
use crate::probe::what::{DnsLook, Record};
use crate::resolve::Resolver;

/// Bytes of an answer: more than servers send to those who did not offer to take more (512).
const MAX_ANSWER: usize = 1500;
/// Packets that are no answer; who sends more has something else in mind.
const MAX_STRAY: usize = 100;

/// Looks the name up, at a server or as this machine does.
pub fn look(plan: &DnsLook, end: Tick) -> Seen {
    // The system's answers are asked for apart from those of beats and channels: they are not to wait for a probe.
    static APART: OnceLock<Arc<Resolver>> = OnceLock::new();
    match plan.server {
        Some(server) => match ask(plan, server, end) {
            Ok(said) => judge_said(plan, said),
            Err(error) if is_passing(&error) => (None, error.to_string()),
            Err(error) if late(&error) => bad(FetchError::Timeout.text()),
            Err(error) => bad(error.to_string()),
        },
        None => system(plan, APART.get_or_init(Arc::default), end),
    }
}

fn system(plan: &DnsLook, resolver: &Arc<Resolver>, end: Tick) -> Seen {
    match resolver.lookup_anew(&plan.name, end.since(tick())) {
        Ok(mut found) => {
            found.retain(|address| plan.record.is_none_or(|record| address.is_ipv4() == (record == Record::A)));
            judge(plan, &found)
        }
        Err(error) if error.kind() == ErrorKind::TimedOut => bad(FetchError::Timeout.text()),
        Err(_) => bad(FetchError::Resolve.text()),
    }
}

fn judge_said(plan: &DnsLook, said: Said) -> Seen {
    match said {
        Said::Found(found) => judge(plan, &found),
        Said::Cut => (None, "the answer does not fit into a packet".to_owned()),
        Said::Code(3) => bad("the name does not exist"),
        Said::Code(code) => {
            let name = match code {
                1 => " (FORMERR)",
                2 => " (SERVFAIL)",
                4 => " (NOTIMP)",
                5 => " (REFUSED)",
                _ => "",
            };
            bad(["the name server gives code ", &code.to_string(), name].concat())
        }
        Said::Garbage => bad("the answer is damaged"),
    }
}

/// The answer must hold something, and nothing but what is expected.
fn judge(plan: &DnsLook, found: &[IpAddr]) -> Seen {
    if found.is_empty() {
        return bad("the name has no such address");
    }
    let mut list = String::new();
    for address in found {
        if !list.is_empty() {
            list.push_str(", ");
        }
        list.push_str(&address.to_string());
    }
    let good = plan.expect.is_empty() || found.iter().all(|address| plan.expect.contains(address));
    if good { (Some(true), list) } else { bad(["unexpected addresses ", &list].concat()) }
}

/// Asks a server, and asks again after half of the time.
fn ask(plan: &DnsLook, server: SocketAddr, end: Tick) -> io::Result<Said> {
    let record = plan.record.unwrap_or(Record::A);
    let mut id = [0; 2];
    getrandom::fill(&mut id).map_err(io::Error::other)?;
    let question = question(u16::from_be_bytes(id), &plan.name, record).ok_or(ErrorKind::InvalidInput)?;
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // Nobody else is heard.
    socket.connect(server)?;
    let half = tick() + end.since(tick()) / 2;
    for until in [half, end] {
        socket.send(&question)?;
        let mut packet = [0; MAX_ANSWER];
        for _ in 0..MAX_STRAY {
            let left = until.since(tick());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            match socket.recv(&mut packet) {
                Ok(len) => {
                    if let Some(said) = answer(&question, record, &packet[..len]) {
                        return Ok(said);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted || late(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Err(ErrorKind::TimedOut.into())
}

fn late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plan(name: &str, record: Option<Record>, expect: &[&str]) -> DnsLook {
        let expect = expect.iter().map(|address| address.parse().unwrap()).collect();
        DnsLook { name: name.to_owned(), server: None, record, expect }
    }

    #[test]
    fn the_system_is_asked() {
        fn answers(host: &str) -> io::Result<Vec<IpAddr>> {
            match host {
                "both" => Ok(vec![IpAddr::from([192, 0, 2, 1]), Ipv6Addr::LOCALHOST.into()]),
                _ => Err(ErrorKind::NotFound.into()),
            }
        }
        let resolver = Arc::new(Resolver::asking(answers));
        let look = |plan: &DnsLook| system(plan, &resolver, tick() + Duration::from_secs(60));
        for (plan, good, detail) in [
            (plan("both", None, &[]), true, "192.0.2.1, ::1"),
            (plan("both", Some(Record::A), &[]), true, "192.0.2.1"),
            (plan("both", Some(Record::Aaaa), &["::1"]), true, "::1"),
            (plan("both", Some(Record::Aaaa), &["::2", "::1"]), true, "::1"),
            (plan("both", None, &["192.0.2.1"]), false, "unexpected addresses 192.0.2.1, ::1"),
            (plan("none", None, &[]), false, "the name does not resolve"),
        ] {
            assert_eq!(look(&plan), (Some(good), detail.to_owned()), "{plan:?}");
        }
    }
}
