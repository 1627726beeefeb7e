//! Both sides at the socket, against each other and against hostile ones.

use std::io::Write as _;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::time::Duration;

use super::fake::*;
use interrupt_callback::clock::{self, Tick};
use interrupt_callback::config::plan::{Auth, ClientPlan};
use interrupt_callback::keepalive::answer::Outcome;
use interrupt_callback::keepalive::ask::Target;
use interrupt_callback::keepalive::beat::{Ev, Report};
use interrupt_callback::keepalive::heard::Refusal;
use interrupt_callback::keepalive::wire::{self, Hint, Keys};
use interrupt_callback::run::threads::{SMALL_STACK, spawn};

#[test]
fn protocol_1_messages_at_the_limit() {
    let fake = Fake::start(Auth::Permissive, GRANTED);
    let message = |len: usize| {
        let frame = r#"{"key":"hello","name":"cli@vm","msg":""}"#.len();
        format!(r#"{{"key":"hello","name":"cli@vm","msg":"{}"}}"#, "m".repeat(len - frame)).into_bytes()
    };
    for (input, counts) in [
        ([message(1023), b"\n".to_vec()].concat(), true),
        ([message(1024), b"\n".to_vec()].concat(), true),
        (message(1024), true),
        ([message(1025), b"\n".to_vec()].concat(), false),
        ([message(1024), b"\n".repeat(30_000)].concat(), true),
        (b"x".repeat(1 << 20), false),
    ] {
        let mut socket = fake.dial();
        // The server may have heard enough before all is written.
        if let Err(e) = socket.write_all(&input) {
            assert!(input.len() > 4096, "{e}");
        }
        let answer = read_all(&socket);
        drop(socket);
        if input.len() <= 4096 {
            assert_eq!(answer.starts_with(b"{\"name\":\"vps@tokyo\""), counts, "{}", input.len());
        }
        assert_eq!(fake.result().1.heard.len(), usize::from(counts), "{}", input.len());
    }
}

#[test]
fn protocol_1_is_refused_alike_with_and_without_the_key_unless_allowed() {
    let fake = Fake::start(Auth::Enforce, GRANTED);
    for (input, answer, old) in [
        (
            &b"{\"key\":\"hello\",\"name\":\"cli@vm\",\"msg\":\"\"}\n"[..],
            &b"unauthorized"[..],
            &["default cli@vm -"][..],
        ),
        (b"{\"key\":\"hell%6F\",\"name\":\"cli@vm\"}\n", b"unauthorized", &["default cli@vm -"]),
        (b"{\"key\":\"wrong\",\"name\":\"cli@vm\"}\n", b"unauthorized", &[]),
        (b"{\"key\":\"hello\",\"name\":\"a\\nb\"}\n", b"unauthorized", &[]),
        (b"GET / HTTP/1.1\r\n", Hint::Version.line(), &[]),
        (b"{\"v\":3}\n", Hint::Version.line(), &[]),
        (b"{\"v\":2}\n", Hint::Denied.line(), &[]),
    ] {
        let mut socket = fake.dial();
        socket.write_all(input).unwrap();
        assert_eq!(read_all(&socket), answer, "{}", String::from_utf8_lossy(input));
        let (_, ear) = fake.result();
        assert!(ear.heard.is_empty());
        assert_eq!(ear.refused, old);
    }
}

#[test]
fn both_sides_understand_each_other() {
    let fake = Fake::start(Auth::Permissive, GRANTED);
    for (user, key, name, protocol) in [
        ("default", "hello", "机@家", 2),
        ("nas", "new key of nas", "nas@home", 2),
        ("nas", "old key of nas", "nas@home", 2),
        ("web", "new key of web", "any name", 2),
        ("default", "hell%6F", "cli@vm", 1),
    ] {
        let answered = ask(&client_plan(user, key, protocol), fake.at, name).unwrap();
        assert_eq!(answered.server, "vps@tokyo");
        assert_eq!(answered.next, (protocol == 2).then(|| Duration::from_secs(30)));
        let (result, ear) = fake.result();
        assert!(matches!(result, Ok(Outcome::Counted(_))));
        let [(heard_user, heard_name, heard_protocol, report)] = &ear.heard[..] else { panic!("{:?}", ear.heard) };
        assert_eq!((&**heard_user, &**heard_name, *heard_protocol), (user, name, protocol));
        assert_eq!(report.seq, if protocol == 2 { 5 } else { 0 });
    }
}

#[test]
fn refusals_reach_the_client_for_what_they_are() {
    let fake = Fake::start(Auth::Enforce, Err(Refusal::Full));
    let pinned = ClientPlan { server_name: Some("vps@osaka".into()), ..client_plan("default", "hello", 2) };
    for (plan, name, text) in [
        (client_plan("default", "hallo", 2), "a", "denied: the server does not accept this user and key"),
        (client_plan("nobody", "hello", 2), "a", "denied: the server does not accept this user and key"),
        (client_plan("default", "hello", 1), "a", "denied: the server does not accept this user and key"),
        (client_plan("default", "hello", 2), "a", "refused: full"),
        (client_plan("default", "hello", 2), "a\u{202e}b", "refused: name-invalid"),
        (client_plan("default", "hello", 2), "", "refused: name-invalid"),
        (client_plan("nas", "new key of nas", 2), "nas@work", "refused: name-taken"),
        (pinned, "a", "the server calls itself vps@tokyo, which server_name does not allow"),
    ] {
        assert_eq!(ask(&plan, fake.at, name).unwrap_err().to_string(), text);
        let (_, ear) = fake.result();
        assert_eq!(ear.heard.len(), usize::from(text == "refused: full"), "{text}");
        let told: &[&str] = match (name, plan.protocol) {
            ("nas@work", _) => &["nas nas@work nas@home"],
            (_, 1) => &["default a -"],
            _ => &[],
        };
        assert_eq!(ear.refused, told, "{text}");
    }
}

/// A server that says `lines`, one for each line it hears, and closes.
fn scripted(lines: Vec<Vec<u8>>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    spawn("scripted", SMALL_STACK, move || {
        let (mut socket, _) = listener.accept().unwrap();
        let said = !lines.is_empty();
        for line in lines {
            let heard = read_line(&socket);
            socket.write_all(if line == b"ECHO\n" { &heard } else { &line }).unwrap();
            if line == b"ECHO\n" {
                socket.write_all(b"\n").unwrap();
            }
        }
        if said {
            // Closed with something unread, it would be a reset, which may overtake the end.
            let _ = socket.shutdown(std::net::Shutdown::Write);
            let _ = std::io::copy(&mut &socket, &mut std::io::sink());
        }
    })
    .unwrap();
    at
}

#[test]
fn a_false_server_is_not_believed() {
    let line2 = || wire::challenge("vps@tokyo", &[1; 16]);
    let wrong = b"{\"ok\":true,\"next\":30}\tAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n".to_vec();
    let key_text = "the answer of protocol 1 holds hello";
    for (protocol, lines, text) in [
        (2, vec![line2(), wrong.clone()], "server not genuine"),
        (2, vec![line2(), b"{\"ok\":true,\"next\":30}\n".to_vec()], "server not genuine"),
        (2, vec![line2(), b"ECHO\n".to_vec()], "server not genuine"),
        (2, vec![b"ECHO\n".to_vec()], "not that of a heartbeat server"),
        (2, vec![line2(), Hint::Denied.line().to_vec()], "denied"),
        (2, vec![Hint::Busy.line().to_vec()], "busy"),
        (2, vec![b"unauthorized".to_vec()], "protocol 1 only"),
        (2, vec![b"{\"key\":\"hello\",\"name\":\"s\"}".to_vec()], "protocol 1 only"),
        (2, vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()], "not that of a heartbeat server"),
        (2, vec![vec![b'x'; 1 << 20]], "not that of a heartbeat server"),
        (2, vec![line2(), vec![b'x'; 1 << 20]], "server not genuine"),
        (2, vec![line2()], "connection closed"),
        (2, vec![line2(), b"{\"ok\":true,\"ne".to_vec()], "connection closed"),
        (2, vec![], "no answer"),
        (1, vec![b"invalid message".to_vec()], "does not speak this protocol"),
        (1, vec![format!("{{\"name\":\"{}\"}}", "n".repeat(8192)).into_bytes()], "not that of a heartbeat server"),
        (1, vec![b"{\"key\":\"hello\"}".to_vec()], "not that of a heartbeat server"),
        (1, vec![Hint::Busy.line().to_vec()], "busy"),
    ] {
        let error = ask(&client_plan("default", "hello", protocol), scripted(lines), "a").unwrap_err().to_string();
        assert!(error.contains(text), "{error} / {text}");
        assert!(!error.contains("hello"), "{key_text}: {error}");
    }
}

#[test]
fn a_silent_server_costs_a_beat_no_more_than_its_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let start = clock::tick();
    for protocol in [1, 2] {
        let mut report = Report::bare(Ev::Beat, Duration::from_secs(30));
        let target = Target::new(&client_plan("default", "hello", protocol));
        let deadline = clock::tick() + Duration::from_millis(100);
        let error = target.ask(listener.local_addr().unwrap(), "a", &mut report, deadline).unwrap_err();
        assert!(error.to_string().ends_with("timed out"), "{error}");
    }
    assert!(clock::tick().since(start) >= Duration::from_millis(200));
}

#[test]
fn hostile_lines_prove_nothing() {
    let fake = Fake::start(Auth::Permissive, GRANTED);
    let keys = &Keys::new(b"hello");
    let hello = wire::hello("default", "nas@home", &[9; 16]);
    let line1 = hello.trim_ascii_end();
    let deep = format!("{{\"ev\":\"beat\",\"per\":30,\"x\":{}{}}}", "[".repeat(126), "]".repeat(126));
    let too_deep = format!("{{\"ev\":\"beat\",\"per\":30,\"x\":{}", "[{\"a\":".repeat(2000));
    let long = format!("{{\"ev\":\"beat\",\"per\":30,\"x\":\"{}\"}}", "y".repeat(wire::LINE_3));

    // Line 3 as a function of line 2, whether it counts, and how the answer begins.
    type Third<'a> = Box<dyn Fn(&[u8]) -> Vec<u8> + 'a>;
    let sealed = |body: &str| -> Third<'_> {
        let body = body.as_bytes().to_vec();
        Box::new(move |line2: &[u8]| keys.seal_report(line1, line2, body.clone()))
    };
    let beat = br#"{"ev":"beat","per":30}"#;
    let recorded = keys.seal_report(line1, b"another line 2", beat.to_vec());
    let denied = Hint::Denied.line();
    let malformed = &b"{\"ok\":false,\"err\":\"malformed\"}\t"[..];
    let counts = &b"{\"ok\":true,\"next\":30.000,\"lease\":120.000}\t"[..];
    let cases: Vec<(Third<'_>, &[u8])> = vec![
        (sealed(r#"{"ev":"beat","per":30}"#), counts),
        (sealed(&deep), counts),
        (sealed(&too_deep), malformed),
        (sealed(&long), denied),
        (sealed(r#"{"ev":"beat","per":1e999}"#), malformed),
        (sealed(r#"{"ev":"beat"}"#), malformed),
        (sealed("\u{0}"), malformed),
        (Box::new(move |_| recorded.clone()), denied),
        (Box::new(|line2| [line2, b"\n"].concat()), denied),
        (Box::new(|_| beat.iter().chain(b"\n").copied().collect()), denied),
        (Box::new(|_| b"\t\t\t\n".to_vec()), denied),
        (Box::new(|_| (0..=255).rev().collect::<Vec<u8>>()), denied),
    ];
    for (index, (third, start)) in cases.into_iter().enumerate() {
        let mut socket = fake.dial();
        socket.write_all(&hello).unwrap();
        let line2 = read_line(&socket);
        socket.write_all(&third(&line2)).unwrap();
        let answer = read_all(&socket);
        drop(socket);
        assert!(answer.starts_with(start), "case {index}: {}", String::from_utf8_lossy(&answer));
        let (result, ear) = fake.result();
        assert_eq!(ear.heard.len(), usize::from(start == counts), "case {index}: {result:?}");
    }
}

#[test]
fn half_lines_and_single_bytes() {
    let fake = Fake::start(Auth::Enforce, GRANTED);
    // Half a line, then gone.
    let mut socket = fake.dial();
    socket.write_all(b"{\"v\":2,\"us").unwrap();
    drop(socket);
    assert!(fake.result().1.heard.is_empty());
    // Line 1, then gone.
    let mut socket = fake.dial();
    socket.write_all(&wire::hello("default", "a", &[0; 16])).unwrap();
    read_line(&socket);
    socket.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_all(&socket), b"");
    assert_eq!(fake.result().0.unwrap(), Outcome::Gone);
    // Nothing at all.
    drop(fake.dial());
    assert_eq!(fake.result().0.unwrap(), Outcome::Gone);
    // Byte by byte it is slow, but right.
    let keys = Keys::new(b"hello");
    let mut socket = fake.dial();
    let hello = wire::hello("default", "a", &[0; 16]);
    hello.iter().for_each(|byte| socket.write_all(&[*byte]).unwrap());
    let line2 = read_line(&socket);
    let line3 = keys.seal_report(hello.trim_ascii_end(), &line2, br#"{"ev":"beat","per":1}"#.to_vec());
    line3.iter().for_each(|byte| socket.write_all(&[*byte]).unwrap());
    let line4 = read_line(&socket);
    let body = keys.open_reply(hello.trim_ascii_end(), &line2, line3.trim_ascii_end(), &line4).unwrap();
    // What the roster grants is never above the announced period.
    assert_eq!(wire::read_reply(body).unwrap().next, Some(1000));
    assert_eq!(fake.result().1.heard.len(), 1);
    assert!(clock::tick() > Tick(0));
}
