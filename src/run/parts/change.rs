//! What differs between the configuration in force and the next one.

use std::mem::take;
use std::sync::Arc;

use crate::config::plan::ServerPlan;
use crate::keepalive::client::Client;
use crate::keepalive::uri::{DEFAULT_USER, Uri};
use crate::run::answers::goodbyes;
use crate::run::threads::{SMALL_STACK, spawn};

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
/// of the default one; everybody else's name is free only once it was left.
pub fn follows(next: &Uri, old: &Uri) -> bool {
    to_same(next, old) && (next.user == old.user || old.user == DEFAULT_USER)
}

/// Whether both lead to one server.
pub fn to_same(next: &Uri, old: &Uri) -> bool {
    (&next.host, next.port) == (&old.host, old.port)
}

/// Says goodbye without holding anybody up.
pub fn say_goodbye(gone: Vec<Arc<Client>>, reason: &'static str) {
    if gone.is_empty() {
        return;
    }
    for client in &gone {
        client.farewell(reason);
    }
    let wait = spawn("goodbye", SMALL_STACK, move || {
        for line in goodbyes(&gone, reason).1.lines() {
            log::info!("{line}");
        }
    });
    if let Err(error) = wait {
        log::debug!("nobody sees how the goodbye goes: {error}");
    }
}
