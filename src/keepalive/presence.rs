//! What a beat means: the same run, the daemon started anew, the host booted anew, or another host of that name.

use std::time::Duration;

use crate::clock::{Tick, millis};
use crate::keepalive::host::{Cause, Host, Standing};

/// Clocks and ways of the network may differ by so much.
const SLACK: Duration = Duration::from_secs(10);

/// What a beat says of the life behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// The run that is known, or one that cannot be told apart from it.
    Same,
    /// The host was booted since its last beat.
    Rebooted,
    /// The daemon was started since its last beat.
    Restarted,
    /// It was on its way when the run ended that sent it.
    Former,
    /// Another host speaks under the name of one that is alive.
    Duplicate,
}

/// Judges a beat with these hashes of boot id and run id. `up` and `age` are milliseconds since the boot and since the
/// start of the daemon.
pub fn judge(host: &Host, (boot, up): (u64, i64), (run, age): (u64, i64), now: Tick) -> Life {
    if run == 0 || host.run == 0 || run == host.run {
        return Life::Same;
    }
    let since = millis(now.since(host.last).saturating_add(SLACK));
    let (former, over) = host.former;
    if former == run && now.since(over) < SLACK {
        Life::Former
    } else if boot != host.boot && up < since {
        Life::Rebooted
    } else if boot == host.boot && age < since {
        Life::Restarted
    } else if host.standing == Standing::Up && !host.about {
        Life::Duplicate
    } else {
        // Whoever had the name is not there, or nobody knows since when: it goes to another machine.
        Life::Restarted
    }
}

/// Whether people expected that the host would go: then its new boot is no news.
pub fn was_expected_to_go(host: &Host) -> bool {
    host.standing == Standing::Stopped || host.cause == Cause::Overdue || host.goes_as_announced()
}
