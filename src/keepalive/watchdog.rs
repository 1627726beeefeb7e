//! The thread that scans the roster, and the file of last-beat times.

use std::time::Duration;

use crate::clock::{self, Now, Tick};
use crate::keepalive::host::Frame;
use crate::keepalive::hosts::SHARDS;
use crate::keepalive::roster::Roster;
use crate::run::board::Board;
use crate::run::threads::{Bell, Stop};

/// From one saving of the last-beat times to the next: in the runtime directory, which is memory, …
pub const BEATS_RUNTIME_EVERY: Duration = Duration::from_secs(10);
/// … and in the state directory, which may be flash.
pub const BEATS_STATE_EVERY: Duration = Duration::from_secs(600);
/// Name of the file of last-beat times.
pub const BEATS_FILE: &str = "beats";

/// Where the last-beat times go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The runtime directory.
    Runtime,
    /// The state directory.
    State,
}

/// Scans until the end. `save` hands a file of last-beat times to the store and must not wait.
pub fn run(board: &Board, bell: &Bell, stop: &Stop, mut save: impl FnMut(Place, Vec<u8>)) {
    let mut runtime = clock::tick();
    let mut state = runtime;
    while !stop.is_stopped() {
        let now = clock::now();
        let (next, news) = {
            let state = &mut *board.lock();
            (state.roster.scan(&now, &mut state.pending), !state.pending.is_empty())
        };
        if news {
            board.wake();
        }
        if now.tick.since(runtime) >= BEATS_RUNTIME_EVERY {
            runtime = now.tick;
            save(Place::Runtime, beats(board, &now));
        }
        if now.tick.since(state) >= BEATS_STATE_EVERY {
            state = now.tick;
            save(Place::State, beats(board, &now));
        }
        bell.wait(next.since(clock::tick()).max(Duration::from_millis(1)));
    }
    let bytes = beats(board, &clock::now());
    save(Place::Runtime, bytes.clone());
    save(Place::State, bytes);
}

/// The last-beat times as text: the clocks, then a line `hash tick` for each host that is up.
fn beats(board: &Board, now: &Now) -> Vec<u8> {
    use std::fmt::Write as _;
    let mut text = serde_json::to_string(&Frame::of(now)).expect("three numbers");
    for shard in 0..SHARDS {
        let part: Vec<(u64, Tick)> = board.lock().roster.hosts().beats(shard).collect();
        for (hash, last) in part {
            write!(text, "\n{hash:x} {}", last.0).expect("a String takes everything");
        }
    }
    text.push('\n');
    text.into_bytes()
}

/// Applies a file of last-beat times to the restored roster; `false` if it is damaged. `coarse`: it may be
/// minutes old, so the times are "about".
pub fn restore_beats(roster: &mut Roster, bytes: &[u8], coarse: bool, now: &Now) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let Some((head, lines)) = text.split_once('\n') else { return false };
    let Ok(frame) = serde_json::from_str::<Frame>(head) else { return false };
    let (shift, guessed) = frame.shift(now);
    for line in lines.lines() {
        let parsed = line
            .split_once(' ')
            .and_then(|(hash, last)| Some((u64::from_str_radix(hash, 16).ok()?, last.parse::<i64>().ok()?)));
        let Some((hash, last)) = parsed else { return false };
        roster.restore_beat(hash, Tick(last.saturating_add(shift)).min(now.tick), coarse || guessed);
    }
    text.ends_with('\n')
}
