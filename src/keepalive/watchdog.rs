//! The thread that scans the roster, and the file of last-beat times.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::clock::{self, Now, Tick};
use crate::json::{self, Writer};
use crate::keepalive::host::Frame;
use crate::keepalive::hosts::SHARDS;
use crate::keepalive::roster::Roster;
use crate::run::board::Board;
use crate::run::notify::notify;
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

/// Who is shown that the loop turns.
#[derive(Clone, Debug)]
pub struct Signs {
    /// Counts its turns.
    pub turns: Arc<AtomicU32>,
    /// From one `WATCHDOG=1` for the service manager to the next, if it wants any.
    pub every: Option<Duration>,
}

/// Scans until the end. `save` hands a file of last-beat times to the store and must not wait.
pub fn run(board: &Board, bell: &Bell, stop: &Stop, signs: &Signs, mut save: impl FnMut(Place, Vec<u8>)) {
    let mut runtime = clock::tick();
    let mut state = runtime;
    let most = signs.every.unwrap_or(Duration::MAX);
    let mut signed = None;
    while !stop.is_stopped() {
        let now = clock::now();
        let (next, changed, news) = {
            let state = &mut *board.lock();
            (state.roster.scan(&now, &mut state.pending), !state.pending.is_empty(), state.roster.take_news())
        };
        if changed {
            board.wake();
        }
        for line in news {
            log::info!("{}", line.text());
        }
        if now.tick.since(runtime) >= BEATS_RUNTIME_EVERY {
            runtime = now.tick;
            save(Place::Runtime, beats(board, &now));
        }
        if now.tick.since(state) >= BEATS_STATE_EVERY {
            state = now.tick;
            save(Place::State, beats(board, &now));
        }
        signs.turns.fetch_add(1, Ordering::Relaxed);
        if signs.every.is_some() && signed.is_none_or(|at| now.tick.since(at) >= most) {
            signed = Some(now.tick);
            sign();
        }
        bell.wait(next.since(clock::tick()).min(most).max(Duration::from_millis(1)));
    }
    let bytes = beats(board, &clock::now());
    save(Place::Runtime, bytes.clone());
    save(Place::State, bytes);
}

/// Shows the service manager that the program lives; always true. What it misses, it notices by itself.
pub fn sign() -> bool {
    notify("WATCHDOG=1");
    true
}

/// The last-beat times as text: the clocks, then a line `hash tick` for each host that is up.
fn beats(board: &Board, now: &Now) -> Vec<u8> {
    let mut clocks = Writer::default();
    Frame::of(now).write(&mut clocks);
    let mut text = clocks.into_string();
    for shard in 0..SHARDS {
        let part = board.lock().roster.hosts().beats(shard);
        for (hash, last) in part {
            for (before, number) in [("\n", hash.cast_signed()), (" ", last.0)] {
                text.push_str(before);
                text.push_str(&number.to_string());
            }
        }
    }
    text.push('\n');
    text.into_bytes()
}

/// Applies a file of last-beat times to the restored roster; `false` if it is damaged. `coarse`: it may be
/// minutes old, so the times are "about".
pub fn restore_beats(roster: &mut Roster, bytes: &[u8], coarse: bool, now: &Now) -> bool {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else { return false };
    let (head, lines) = bytes.split_at(end);
    let Some(frame) = json::read(head).as_ref().and_then(Frame::read) else { return false };
    let Ok(lines) = std::str::from_utf8(lines) else { return false };
    let (shift, guessed) = frame.shift(now);
    for line in lines.lines().skip(1) {
        let Some((hash, last)) = line.split_once(' ') else { return false };
        let (Ok(hash), Ok(last)) = (hash.parse::<i64>(), last.parse::<i64>()) else { return false };
        let last = Tick(last.saturating_add(shift)).min(now.tick);
        roster.restore_beat(hash.cast_unsigned(), last, coarse || guessed);
    }
    lines.ends_with('\n')
}
