//! What probes see of real sockets and programs, also of those that misbehave.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "looks/tcp.rs"]
mod tcp;

use std::sync::Arc;
use std::time::Duration;

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
    println!("{what:?}: {outcome:?}");
    assert!(outcome.took < timeout + LONG, "{outcome:?}");
    assert!(outcome.detail.len() <= 200 && !outcome.detail.contains('\n'), "{outcome:?}");
    outcome
}
