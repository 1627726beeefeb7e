//! What agents and scripts say over HTTP, and their book: damaged on disk, and in any order of what may happen.

#![no_main]

mod edit;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use interrupt_callback::clock::{Boot, Now, Tick, Wall};
use interrupt_callback::config::plan::Reported;
use interrupt_callback::event::Id;
use interrupt_callback::http::agents::book::{Book, MAX_MESSAGE, MAX_OPEN, State};
use interrupt_callback::http::agents::fields::Fields;
use interrupt_callback::http::agents::{span, told};
use interrupt_callback::http::{Request, Scopes, WebAgent};
use interrupt_callback::json;
use interrupt_callback::secret::Secret;
use libfuzzer_sys::fuzz_target;

fn at(ms: i64) -> Now {
    Now { tick: Tick(1_000_000 + ms), wall: Wall(1_800_000_000_000 + ms), boot: Boot(7) }
}

fn plans() -> Vec<WebAgent> {
    let plan = |name: &str, notify| WebAgent {
        name: name.to_owned(),
        alias: name.to_uppercase(),
        token: Secret::new(name),
        notify,
    };
    vec![plan("a", Reported::Always), plan("b", Reported::Failure), plan("c", Reported::Never)]
}

/// Does what the bytes say, two at a time; nothing is told twice as long as all of it happens in one run.
fn live(book: &mut Book, bytes: &[u8], base: u64, mut ms: i64) -> i64 {
    let mut told = Vec::new();
    for (count, pair) in bytes.chunks_exact(2).enumerate().take(2000) {
        let [deed, detail] = [pair[0], pair[1]];
        let name = ["a", "b", "c", "nobody"][usize::from(deed >> 6)];
        let (id, fresh) = (Id(base + u64::from(detail >> 1)).to_string(), Id(base + count as u64));
        let now = at(ms);
        match deed & 7 {
            0 => book.hear(name, &now),
            1 => drop(book.pop(name, &now)),
            2 => drop(book.add(name, "x", fresh, &now)),
            3 => drop(book.delay(name, "y", i64::from(detail) << 16, detail & 1 == 0, fresh, &now)),
            4 => {
                let state = [State::Succeeded, State::Failed, State::Running][usize::from(deed >> 3) % 3];
                let _ = book.report(name, &id, state, "r", &now);
            }
            5 => _ = book.withdraw(Id(base + u64::from(detail))),
            6 => ms += i64::from(detail) << 10,
            _ => {
                assert!(book.step(&now) > now.tick);
                for news in book.news(9) {
                    if let Some(event) = told::event(&news, &now) {
                        told::said(&news);
                        assert!(!told.contains(&event.id), "{event:?}");
                        told.push(event.id);
                    }
                    book.told(&news);
                }
            }
        }
    }
    ms
}

/// A state with a bit of everything.
fn states() -> &'static [Vec<u8>] {
    static STATES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    STATES.get_or_init(|| {
        let mut book = Book::default();
        book.define(&plans(), &at(0));
        let deeds: Vec<u8> = (0..600_u32).flat_map(|n| [(n * 37 % 251) as u8, (n * 91 % 256) as u8]).collect();
        live(&mut book, &deeds, 0, 0);
        vec![book.write().into_bytes()]
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    match which % 4 {
        0 => {
            let (kind, body) = bytes.split_at(bytes.len().min(1));
            let form = kind == b"f";
            let kind: &[u8] = if form { b"application/x-www-form-urlencoded" } else { b"application/json" };
            let headers = [("content-type", kind)];
            let method = if which & 0x80 == 0 { "POST" } else { "GET" };
            let query = std::str::from_utf8(body).unwrap_or_default();
            let (peer, scopes) = (IpAddr::V4(Ipv4Addr::LOCALHOST), Scopes::default());
            let request = Request { method, path: "/", query, headers: &headers, body, peer, scopes, who: "" };
            if let Ok(mut fields) = Fields::read(&request, &["message", "days"]) {
                drop((fields.int(1), fields.text(0), fields.int(9)));
            }
        }
        1 => {
            if let Some(ms) = std::str::from_utf8(bytes).ok().and_then(span::parse) {
                let written = [&*ms.to_string(), "ms"].concat();
                assert_eq!(span::parse(&written), Some(ms));
            }
        }
        2 => {
            let mut book = Book::default();
            book.define(&plans(), &at(0));
            live(&mut book, bytes, 0, 0);
            // What was read is as it was written, but for times that only this run knows.
            let saved = book.write();
            let mut again = Book::restore(&json::read(saved.as_bytes()).expect("what it wrote itself"), &at(1 << 40));
            assert_eq!(again.agents().count(), 3);
            assert!(plans().iter().all(|plan| {
                State::ALL.iter().all(|state| again.count(&plan.name, *state) == book.count(&plan.name, *state))
            }));
            again.define(&plans(), &at(1 << 40));
            live(&mut again, bytes, 1 << 32, 1 << 40);
        }
        _ => {
            let document = edit::edited(states(), bytes);
            let Some(value) = json::read(&document) else { return };
            let mut book = Book::restore(&value, &at(0));
            book.define(&plans(), &at(0));
            let ms = live(&mut book, &bytes[bytes.len() / 2..], 1 << 32, 0);
            book.step(&at(ms + (1 << 40)));
            assert!(book.write().len() < (MAX_OPEN + 2000) * (MAX_MESSAGE + 1024) * 8);
        }
    }
});
