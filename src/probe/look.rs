//! Looks once, on a thread that may block: each look ends within its deadline.

pub mod certificate;
pub mod dns;
pub mod file;
mod http;
pub mod icmp;
pub mod process;
mod run;
mod tcp;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::alert::clean::clean;
use crate::callback::exec::is_passing;
use crate::clock::{tick, wall};
use crate::probe::what::What;
use crate::resolve::Resolver;
use crate::run::threads::Stop;

/// Bytes of [`Outcome::detail`].
const MAX_DETAIL: usize = 200;

/// What it takes to look.
pub struct Tools {
    /// Names.
    pub resolver: Arc<Resolver>,
    /// The end of the daemon: a program that runs then is killed.
    pub stop: Stop,
}

/// What was seen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Whether all is as it should be; `None`: it could not be told, through no fault of what was looked at.
    pub good: Option<bool>,
    /// How long it took.
    pub took: Duration,
    /// Why not, or what was found: one line, without secrets, at most 200 bytes.
    pub detail: String,
}

/// What a look finds: as [`Outcome::good`] and [`Outcome::detail`], the text in any shape.
type Seen = (Option<bool>, String);

fn bad(why: impl Into<String>) -> Seen {
    (Some(false), why.into())
}

/// Looks at `what`; takes no longer than `timeout`, and some three seconds more to kill a program that would. A file on a
/// dead network disk holds it up for as long as the disk is dead.
pub fn look(what: &What, tools: &Tools, timeout: Duration) -> Outcome {
    let begun = tick();
    let (mut good, mut detail) = match what {
        What::Tcp { host, port } => tcp::look(host, *port, &tools.resolver, begun + timeout),
        What::Dns(plan) => dns::look(plan, begun + timeout),
        What::File { path, rules } => file::look(path, rules, wall()),
        What::Icmp { host } => icmp::look(host, &tools.resolver, begun + timeout),
        What::Process(which) => process::look(which, Path::new("/proc")),
        What::Run(plan) => run::look(plan, &tools.stop, begun + timeout),
        What::Http(plan) => http::look(plan, &tools.resolver, begun + timeout),
    };
    let took = tick().since(begun);
    if good == Some(false)
        && let Some(why) = want()
    {
        (good, detail) = (None, why);
    }
    Outcome { good, took, detail: clean(detail.trim(), MAX_DETAIL) }
}

/// What this machine has run out of, if it has. A library that could not open a socket does not say why.
fn want() -> Option<String> {
    File::open("/dev/null").err().filter(is_passing).map(|error| error.to_string())
}
