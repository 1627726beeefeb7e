//! Whether the daemon may run programs as the users that the file names.

use std::fs;

use rustix::process::{getegid, geteuid, getuid};

use crate::config::plan::{Act, Plan, RunPlan};

/// Bits of CAP_SETGID and CAP_SETUID (`linux/capability.h`).
const NEEDED: u64 = 1 << 6 | 1 << 7;

/// Looks at all of them, so that the first notice is not the first to find out.
///
/// # Errors
/// Which callback or probe wants a user that the daemon may not become.
pub fn check(plan: &Plan) -> Result<(), String> {
    for callback in &plan.callbacks {
        if let Act::Run(run) = &callback.act {
            permits("callback ", &callback.name, run)?;
        }
    }
    #[cfg(feature = "probes")]
    for probe in &plan.probes {
        if let crate::probe::what::What::Run(run) = &probe.what {
            permits("probe ", &probe.name, run)?;
        }
    }
    Ok(())
}

fn permits(what: &str, name: &str, run: &RunPlan) -> Result<(), String> {
    match &run.user {
        Some(user) if !permitted(user.uid, user.gid) => {
            let why = ": the daemon is not root, or may not change users: it cannot run anything as ";
            Err([what, name, why, &user.name].concat())
        }
        _ => Ok(()),
    }
}

fn permitted(uid: u32, gid: u32) -> bool {
    if geteuid().as_raw() == uid && getegid().as_raw() == gid && !geteuid().is_root() {
        return true;
    }
    // Without being root the daemon would hand on its own supplementary groups.
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    getuid().is_root() && geteuid().is_root() && capable(&status)
}

/// Whether `/proc/self/status` says so; it does not always stand there.
fn capable(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & NEEDED == NEEDED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities() {
        for (status, can) in [
            ("Name:\tx\nCapEff:\t000001ffffffffff\n", true),
            ("CapEff:\t00000000000000c0", true),
            ("CapEff:\t0000000000000040", false),
            ("CapEff:\t0000000000000000", false),
            ("", true),
        ] {
            assert_eq!(capable(status), can, "{status}");
        }
    }
}
