//! E-mail: against a server that follows a script, and against a real one.

#![cfg(feature = "email")]
#![expect(clippy::disallowed_methods, reason = "the fake has threads, and a test may read a clock")]

pub mod fake;
#[cfg(feature = "tls")]
mod real;

use std::sync::Arc;
use std::time::{Duration, Instant};

use interrupt_callback::alert::channel::{self, ChannelState, Tools};
use interrupt_callback::alert::{Message, Verdict};
use interrupt_callback::config::plan::ChannelPlan;
use interrupt_callback::resolve::Resolver;
use interrupt_callback::run::threads::{HTTP_STACK, Stop, spawn};
use interrupt_callback::zone::Zone;

use super::sheet::{class, notice, plan, recovery};
use crate::common::daemon::command;
use crate::common::{SOON, TempDir};
use fake::{FakeSmtp, HANDSHAKE, Say, say};

/// A password that nothing may show, and what SMTP makes of it with the user `me@example.com`.
const PASSWORD: &str = "planted-mail-password";
const PASSWORD_FORMS: [&str; 3] =
    [PASSWORD, "cGxhbnRlZC1tYWlsLXBhc3N3b3Jk", "AG1lQGV4YW1wbGUuY29tAHBsYW50ZWQtbWFpbC1wYXNzd29yZA=="];

/// A channel to `port` of this machine, with `more` lines.
fn mail(port: u16, security: &str, more: &str) -> ChannelPlan {
    plan(&format!(
        "[alert.email]\nserver = \"localhost\"\nport = {port}\nsecurity = {security:?}\ntimeout = 20\n\
         from = \"Watch 失联 <ic@example.com>\"\n{more}"
    ))
}

/// A channel to `port` in the clear.
fn clear(port: u16, to: &str) -> ChannelPlan {
    mail(port, "none", &format!("to = [{to}]"))
}

/// One attempt, in a thread with the stack that senders have.
fn attempt(plan: &ChannelPlan, message: &Message, state: &mut ChannelState) -> Verdict {
    let (plan, message, mut inside) = (plan.clone(), message.clone(), state.clone());
    let thread = spawn("send", HTTP_STACK, move || {
        let fetch = channel::fetch(&plan, Arc::new(Resolver::default()));
        let tools = Tools { fetch: &fetch, zone: &Zone::utc(), stop: &Stop::default() };
        let verdict = channel::attempt(&plan, &message, &tools, &mut inside);
        (verdict, inside)
    });
    let (verdict, after) = thread.unwrap().join().unwrap();
    let text = format!("{verdict:?}");
    assert!(!PASSWORD_FORMS.iter().any(|form| text.contains(form)), "{text}");
    *state = after;
    verdict
}

fn once(plan: &ChannelPlan) -> Verdict {
    attempt(plan, &notice("web-1@vm"), &mut ChannelState::default())
}

fn why(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Delivered => "",
        Verdict::Retry { why, .. } | Verdict::Broken(why) | Verdict::GiveUp(why) => why,
    }
}

#[test]
fn the_words_of_an_exchange() {
    let server = FakeSmtp::start(|_| Say::Usual);
    let plan = mail(server.port(), "none", "to = [\"a@b\", \"c@d\"]\nhello = \"nas.example.com\"");
    let mut state = ChannelState::default();
    assert_eq!(attempt(&plan, &notice("web-1@vm"), &mut state), Verdict::Delivered);
    let heard = server.heard();
    let begin = ["EHLO nas.example.com", "MAIL FROM:<ic@example.com>", "RCPT TO:<a@b>", "RCPT TO:<c@d>", "DATA"];
    assert_eq!(heard[..5], begin);
    assert_eq!(heard[6..], ["QUIT"]);
    let begin = "From: =?UTF-8?B?V2F0Y2gg5aSx6IGU?= <ic@example.com>\r\nTo: a@b,\r\n c@d\r\nSubject: ";
    assert!(heard[5].starts_with(begin), "{}", heard[5]);
    // The same message keeps its id, and the recovery is in the same conversation.
    assert_eq!(attempt(&plan, &notice("web-1@vm"), &mut state), Verdict::Delivered);
    assert_eq!(attempt(&plan, &recovery("web-1@vm"), &mut state), Verdict::Delivered);
    let letters = server.letters();
    let header = |letter: &str, name: &str| {
        let mut found = letter.lines().filter(|line| line.starts_with(name)).map(str::to_owned);
        (found.next().unwrap(), found.next())
    };
    for name in ["Message-ID: ", "References: ", "In-Reply-To: "] {
        assert_eq!(header(&letters[0], name), header(&letters[1], name));
        assert_eq!(header(&letters[0], name).1, None);
    }
    assert_eq!(header(&letters[0], "References: "), header(&letters[2], "References: "));
    assert_eq!(header(&letters[0], "Message-ID: ").0, "Message-ID: <3fa2000000000001@example.com>");
}

/// What each answer at each place means.
#[test]
fn every_answer_has_its_verdict() {
    for (at, answer, expected) in [
        ("", "421 busy", "channel"),
        ("", "554 go away", "broken"),
        ("", "220", "delivered"),
        ("", "220-a\r\n220 b", "delivered"),
        ("", "HTTP/1.1 400 Bad Request", "unknown"),
        ("", "220-a\r\n250 b", "unknown"),
        ("", "\u{fffd}\0", "unknown"),
        ("", "", "unknown"),
        ("EHLO", "550 bad name", "broken"),
        ("EHLO", "354 what", "unknown"),
        ("MAIL", "451 later", "channel"),
        ("MAIL", "550 not you", "broken"),
        ("MAIL", "552 too large", "given up"),
        ("RCPT", "450 greylisted", "channel"),
        ("RCPT", "550 unknown", "broken"),
        ("RCPT", "421 closing", "channel"),
        ("DATA", "451 later", "channel"),
        ("DATA", "250 ok", "unknown"),
        ("DATA", "554 no", "broken"),
        (".", "250 2.0.0 queued", "delivered"),
        (".", "451 later", "message"),
        (".", "552 too large", "given up"),
        (".", "554 spam", "message"),
        (".", "421 closing", "channel"),
        (".", "354 more", "unknown"),
        ("QUIT", "500 what", "delivered"),
    ] {
        let server = FakeSmtp::start(move |command| {
            let here = if at.is_empty() || at == "." { command == at } else { command.starts_with(at) };
            if here { say(answer) } else { Say::Usual }
        });
        let verdict = once(&clear(server.port(), "\"a@b\""));
        assert_eq!(class(&verdict), expected, "{at} {answer}: {verdict:?}");
        let why = why(&verdict);
        assert!(why.is_empty() || why.starts_with("localhost: ") && !why.contains(char::is_control), "{why}");
    }
}

#[test]
fn an_answer_that_never_ends_has_an_end() {
    // Each takes its whole time: all at once.
    let mut attempts = Vec::new();
    for at in ["", "EHLO", ".", "QUIT"] {
        for answer in [Say::Drip, Say::Endless, Say::Hang, Say::Drop] {
            attempts.push(std::thread::spawn(move || never_ends(at, &answer, "none")));
        }
    }
    if cfg!(feature = "tls") {
        for (at, security) in [("", "tls"), (HANDSHAKE, "starttls")] {
            for answer in [Say::DripTls, Say::Hang, Say::Drop] {
                attempts.push(std::thread::spawn(move || never_ends(at, &answer, security)));
            }
        }
    }
    for attempt in attempts {
        attempt.join().unwrap();
    }
}

fn never_ends(at: &'static str, answer: &Say, security: &str) {
    let inside = answer.clone();
    let server = FakeSmtp::start(move |command| match command {
        _ if if at.len() < 2 { command == at } else { command.starts_with(at) } => inside.clone(),
        "STARTTLS" => say("220 go"),
        _ if command.starts_with("EHLO") => Say::Offer("STARTTLS"),
        _ => Say::Usual,
    });
    let begun = Instant::now();
    let mut plan = mail(server.port(), security, "to = [\"a@b\"]");
    plan.timeout = Duration::from_secs(5);
    let verdict = once(&plan);
    assert!(begun.elapsed() < SOON, "{at} {answer:?}");
    let expected = if at == "QUIT" { "delivered" } else { "unknown" };
    assert_eq!(class(&verdict), expected, "{at} {answer:?}: {verdict:?}");
    if let Verdict::Retry { sent, .. } = verdict {
        assert_eq!(sent, at == ".", "{at} {answer:?}: it may have been taken only after its end");
    }
}

/// A server that says anything at all brings nothing down, and every reason is one line.
#[test]
fn garbage_is_survived() {
    const PIECES: [&str; 16] = [
        "220",
        "250",
        "354 ",
        "421",
        "-",
        " ",
        "\r\n",
        "\n",
        "AUTH PLAIN",
        "STARTTLS",
        "=",
        "\0",
        "失联",
        "\u{202e}",
        "999",
        "5",
    ];
    for seed in 1..300_u64 {
        let mut state = seed;
        let server = FakeSmtp::start(move |command| {
            let mut text = String::new();
            for _ in 0..seed % 9 {
                // Knuth's MMIX generator.
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                text.push_str(PIECES[(state >> 60) as usize]);
            }
            match (state >> 40) % 3 {
                // The last line is whole, or the client would wait for it.
                0 => say(&[&text, "\r\n250 ok"].concat()),
                1 => Say::Usual,
                _ if command.is_empty() => say(&["220 ", &text, "\r\n220 x"].concat()),
                _ => say(&["250-", &text, "\r\n250 x"].concat()),
            }
        });
        let verdict = once(&clear(server.port(), "\"a@b\", \"c@d\""));
        let why = why(&verdict);
        assert!(why.is_empty() || why.starts_with("localhost: "), "{seed}: {why}");
        assert!(why.len() < 400 && !why.chars().any(|c| c.is_control() || c == '\u{202e}'), "{seed}: {why}");
    }
}

#[test]
fn who_has_got_it_does_not_get_it_again() {
    let mut greylisted = 0;
    let server = FakeSmtp::start(move |command| match command {
        "RCPT TO:<grey@b>" if greylisted < 2 => {
            greylisted += 1;
            say("451 4.7.1 come back later")
        }
        "RCPT TO:<nobody@b>" => say("550 5.1.1 no such user"),
        _ => Say::Usual,
    });
    let plan = clear(server.port(), "\"a@b\", \"grey@b\", \"nobody@b\"");
    let mut state = ChannelState::default();
    let first = notice("web-1@vm");
    for _ in 0..2 {
        let verdict = attempt(&plan, &first, &mut state);
        let Verdict::Retry { why, channel: false, answered: true, sent: true, .. } = &verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(why, "localhost: 451 4.7.1 come back later (grey@b)");
    }
    assert_eq!(attempt(&plan, &first, &mut state), Verdict::Delivered);
    let count = |command: &str| server.heard().iter().filter(|heard| *heard == command).count();
    assert_eq!((count("RCPT TO:<a@b>"), count("RCPT TO:<grey@b>"), server.letters().len()), (1, 3, 2));
    // Another message goes to all.
    let mut second = notice("web-2@vm");
    second.id.0 += 1;
    assert_eq!(attempt(&plan, &second, &mut state), Verdict::Delivered);
    assert_eq!(count("RCPT TO:<a@b>"), 2);
    let nobody = clear(server.port(), "\"nobody@b\"");
    let verdict = once(&nobody);
    assert_eq!(verdict, Verdict::Broken("localhost: 550 5.1.1 no such user (nobody@b)".to_owned()));
}

#[test]
fn logins() {
    let login = format!("to = [\"a@b\"]\nuser = \"me@example.com\"\npassword = \"{PASSWORD}\"");
    let offering = |offer: &'static str, refused: &'static str, code: &'static str| {
        FakeSmtp::start(move |command| match command {
            command if command.starts_with("EHLO") => Say::Offer(offer),
            command if !refused.is_empty() && command.starts_with(refused) => say(&[code, " ", command].concat()),
            "AUTH LOGIN" => say("334 VXNlcm5hbWU6"),
            "bWVAZXhhbXBsZS5jb20=" => say("334 UGFzc3dvcmQ6"),
            command if command == PASSWORD_FORMS[1] || command.starts_with("AUTH") => say("235 welcome"),
            _ => Say::Usual,
        })
    };
    let plain = ["AUTH PLAIN ", PASSWORD_FORMS[2]].concat();
    let long = ["AUTH LOGIN", "bWVAZXhhbXBsZS5jb20=", PASSWORD_FORMS[1]];
    for (offer, refused, code, expected, said) in [
        ("AUTH LOGIN PLAIN", "", "", "delivered", vec![&*plain]),
        ("AUTH=PLAIN", "", "", "delivered", vec![&plain]),
        ("auth login", "", "", "delivered", long.to_vec()),
        ("AUTH PLAIN LOGIN", "AUTH PLAIN", "504", "delivered", [&[&*plain], &long[..]].concat()),
        ("AUTH PLAIN", "AUTH PLAIN", "504", "broken", vec![&plain]),
        ("AUTH PLAIN LOGIN", "AUTH PLAIN", "535", "broken", vec![&plain]),
        ("AUTH LOGIN", PASSWORD_FORMS[1], "535", "broken", long.to_vec()),
        ("AUTH PLAIN", "AUTH PLAIN", "454", "channel", vec![&plain]),
        ("AUTH PLAIN", "AUTH PLAIN", "334", "unknown", vec![&plain]),
        ("AUTH GSSAPI XOAUTH2", "", "", "broken", vec![]),
        ("DSN", "", "", "broken", vec![]),
    ] {
        let server = offering(offer, refused, code);
        let verdict = once(&mail(server.port(), "none", &login));
        assert_eq!(class(&verdict), expected, "{offer} {refused} {code}: {verdict:?}");
        let heard = server.heard();
        let is_login = |word: &&str| *word != "QUIT" && !word.starts_with("MAIL");
        let words: Vec<&str> = heard[1..].iter().map(|heard| &**heard).take_while(is_login).collect();
        assert_eq!(words, said, "{offer} {refused} {code}");
        if code == "535" {
            assert!(why(&verdict).contains("authorisation code"), "{verdict:?}");
        }
    }
}

#[cfg(feature = "tls")]
#[test]
fn nothing_is_sent_in_the_clear() {
    let login = format!("to = [\"a@b\"]\nuser = \"me@example.com\"\npassword = \"{PASSWORD}\"");
    for (offer, answer, expected) in [
        ("AUTH PLAIN", "220 go", "broken"),
        ("STARTTLS", "454 not now", "channel"),
        ("STARTTLS", "502 what", "broken"),
        // Somebody on the way puts an answer behind that of the server.
        ("STARTTLS", "220 go\r\n250-fake\r\n250 AUTH PLAIN", "unknown"),
        // The handshake is answered with no TLS.
        ("STARTTLS", "220 go", "unknown"),
    ] {
        let server = FakeSmtp::start(move |command| match command {
            "STARTTLS" => say(answer),
            command if command.starts_with("EHLO") => Say::Offer(offer),
            _ => Say::Usual,
        });
        let verdict = once(&mail(server.port(), "starttls", &login));
        assert_eq!(class(&verdict), expected, "{offer} {answer}: {verdict:?}");
        let heard = server.heard();
        let more = heard.iter().any(|heard| ["AUTH", "MAIL", "RCPT"].iter().any(|word| heard.starts_with(word)));
        assert!(!more, "{heard:?}");
    }
}

#[test]
fn no_output_shows_the_password() {
    let server = FakeSmtp::start(|command| match command {
        command if command.starts_with("EHLO") => Say::Offer("AUTH LOGIN PLAIN"),
        command if command.starts_with("AUTH") => {
            let [plain, base64, both] = PASSWORD_FORMS;
            say(&format!("535 not {command} nor {plain} {base64} {both} {plain}"))
        }
        _ => Say::Usual,
    });
    let dir = TempDir::new();
    let file = dir.join("config.toml");
    let config = format!(
        "state_dir = {dir:?}\n[alert.email]\nserver = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n\
         user = \"me@example.com\"\npassword = \"{PASSWORD}\"\nto = [\"a@b\"]\n",
        server.port(),
        dir = dir.path()
    );
    std::fs::write(&file, config).unwrap();
    let output = command().env("RUST_LOG", "trace").arg("--config").arg(&file).arg("test").output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(text.contains("535 not AUTH PLAIN ***"), "{text}");
    assert!(!PASSWORD_FORMS.iter().any(|form| text.contains(form)), "{text}");
    assert!(server.heard().iter().any(|heard| heard.contains(PASSWORD_FORMS[2])), "it was sent");
}
