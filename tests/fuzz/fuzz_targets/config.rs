//! Configuration files: the whole file, and its small languages.

#![no_main]

mod edit;

use std::sync::OnceLock;

use interrupt_callback::config::env::Env;
use interrupt_callback::config::{self, units};
use interrupt_callback::keepalive::uri;
use libfuzzer_sys::fuzz_target;

/// What stands before the input: it gets at once to where values have a language of their own.
const FRAMES: [&str; 10] = [
    "",
    "[keepalive.client]\nuri = ",
    "[alert.a]\nkind = \"webhook\"\nurl = \"http://a.example/x\"\nbody = ",
    "[alert.a]\nkind = \"webhook\"\nurl = ",
    "[alert.a]\nkind = \"webhook\"\nurl = \"http://a.example/x\"\nheaders = ",
    "[keepalive]\nperiod = ",
    "timezone = ",
    "[keepalive.server]\nlisten = ",
    "[alert.a]\nkind = \"command\"\nargv = ",
    "[[window]]\n",
];

/// The example with its keys switched on, whole and by its sections.
fn example() -> &'static [Vec<u8>] {
    static EXAMPLE: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    EXAMPLE.get_or_init(|| {
        let text = include_str!("../../../config.example.toml");
        let on = |line: &str| {
            let key = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned();
            // Secrets may come from elsewhere; here none does.
            let key = if key.contains("file =") || key.contains("env =") { String::new() } else { key };
            key + "\n"
        };
        let whole: String = text.lines().filter(|line| !line.starts_with("# ")).map(on).collect();
        let mut all: Vec<Vec<u8>> = whole.split("\n[").map(|part| ["[", part].concat().into_bytes()).collect();
        all.push(whole.into_bytes());
        all
    })
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, bytes)) = bytes.split_first() else { return };
    let whole = which & 0x80 != 0;
    let document = if whole { edit::edited(example(), bytes) } else { bytes.to_vec() };
    let Ok(text) = std::str::from_utf8(&document) else { return };
    // Nobody's files and variables.
    if text.contains("file") || text.contains("env") {
        return;
    }
    let env = Env::new(true, &[("SERVER_PORT", "9080")]);
    let frame = if whole { "" } else { FRAMES[usize::from(*which) % FRAMES.len()] };
    match config::parse(&[frame, text].concat(), "config.toml", &env) {
        Ok(plan) => drop(format!("{plan:?}")),
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                let line = problem.to_string();
                assert!(!line.contains('\n'), "{line:?}");
            }
        }
    }
    if let Ok(span) = units::parse_span(text) {
        let shown = units::show_span(span);
        assert_eq!(units::parse_span(&shown), Ok(span), "{text:?} {shown:?}");
    }
    units::nearest(text, &["period", "grace"]);
    uri::encode_userinfo(text);
});
