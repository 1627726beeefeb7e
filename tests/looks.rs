//! What probes see of real sockets and programs, also of those that misbehave.

#![cfg(feature = "probes")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

// Nearly all of its addresses begin with https.
#[cfg(feature = "tls")]
mod config;
mod dns;
mod http;
mod icmp;
mod leaks;
mod run;
mod tcp;
#[cfg(feature = "tls")]
mod tls;

use std::sync::Arc;
use std::time::Duration;

use interrupt_callback::config::{Env, parse};
use interrupt_callback::probe::look::{Outcome, Tools, look};
use interrupt_callback::probe::what::What;
use interrupt_callback::resolve::Resolver;
use interrupt_callback::run::threads::Stop;

/// For a look that is to succeed.
const LONG: Duration = Duration::from_secs(20);
/// For one that is to run out of time.
const SHORT: Duration = Duration::from_millis(400);

fn tools() -> Tools {
    Tools { resolver: Arc::new(Resolver::default()), stop: Stop::default() }
}

/// Looks, and sees to it that the look ends within its time, give or take what a busy machine needs.
fn seen(what: &What, timeout: Duration) -> Outcome {
    let outcome = look(what, &tools(), timeout);
    eprintln!("{what:?}: {outcome:?}");
    assert!(outcome.took < timeout + LONG, "{outcome:?}");
    assert!(outcome.detail.len() <= 200 && !outcome.detail.contains('\n'), "{outcome:?}");
    outcome
}

/// What a `[[probe]]` with these lines looks at, and the warnings; or what is wrong with them.
fn read(lines: &str) -> Result<(What, Vec<String>), Vec<String>> {
    let env = Env::new(false, &[("PLANTED", "planted-hook-token")]);
    // Where probes have names, each must have one.
    let named = parse("[[probe]]\nname = \"a look\"\ntcp = \"h:1\"\n", "c.toml", &env).is_ok();
    let begin = if named { "[[probe]]\nname = \"a look\"\n" } else { "[[probe]]\n" };
    let said = |problems: &[interrupt_callback::config::Problem]| problems.iter().map(ToString::to_string).collect();
    match parse(&[begin, lines].concat(), "c.toml", &env) {
        Ok(plan) => Ok((plan.probes[0].what.clone(), plan.warnings.iter().map(ToString::to_string).collect())),
        Err(problems) => Err(said(&problems)),
    }
}

fn what(lines: &str) -> What {
    read(lines).unwrap_or_else(|problems| panic!("{lines}: {problems:#?}")).0
}

/// What comes of a look of that configuration: good or not, and why.
fn judged(lines: &str, timeout: Duration) -> (Option<bool>, String) {
    let outcome = seen(&what(lines), timeout);
    (outcome.good, outcome.detail)
}
