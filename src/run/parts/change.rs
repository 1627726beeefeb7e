//! What differs between the configuration in force and the next one.

use std::mem::take;

use crate::config::plan::ServerPlan;
use crate::keepalive::uri::{DEFAULT_USER, Uri};

/// Adds what is different to a list.
#[inline(never)]
pub fn say(said: &mut String, parts: &[&str]) {
    if !said.is_empty() {
        said.push_str("; ");
    }
    for part in parts {
        said.push_str(part);
    }
}

/// Whether a server changed, and how.
pub fn changes(mut old: ServerPlan, new: &mut ServerPlan, said: &mut String) -> bool {
    let before = said.len();
    // Set aside one after the other, so that what is left to compare is whatever else there is.
    let listen = (take(&mut old.listen), take(&mut new.listen));
    let keys = |plan: &mut ServerPlan| (take(&mut plan.key), take(&mut plan.old_key), take(&mut plan.users));
    let keys = (keys(&mut old), keys(new));
    for (differs, what) in
        [(listen.0 != listen.1, "listen addresses"), (keys.0 != keys.1, "server keys"), (old != *new, "server rules")]
    {
        if differs {
            say(said, &[what]);
        }
    }
    new.listen = listen.1;
    (new.key, new.old_key, new.users) = keys.1;
    said.len() > before
}

/// Whether a server takes beats of the one for a continuation of those of the other. A named user may take over a name
/// of the default one, but not the other way round.
pub fn follows(next: &Uri, old: &Uri) -> bool {
    (&next.host, next.port) == (&old.host, old.port) && (next.user == old.user || next.user != DEFAULT_USER)
}
