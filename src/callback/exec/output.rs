//! The output of a run, and the pauses between two looks at it.

use std::time::Duration;

use crate::run::threads::{Bell, Stop};

/// Shortest and longest pause between two looks.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// How long to wait for the next look: little while something moves, then more and more.
pub struct Pace<'a> {
    /// The end of this program.
    pub stop: &'a Stop,
    /// Rung by nobody: for the waits after the stop, which ends its own at once.
    quiet: Bell,
    pause: Duration,
}

impl<'a> Pace<'a> {
    /// A quick one.
    pub fn new(stop: &'a Stop) -> Pace<'a> {
        Pace { stop, quiet: Bell::default(), pause: PAUSES[0] }
    }

    /// Waits, at most `most`; `moved`: something did since the last time.
    pub fn wait(&mut self, moved: bool, most: Duration) {
        self.pause = if moved { PAUSES[0] } else { (self.pause * 2).min(PAUSES[1]) };
        let time = self.pause.min(most);
        if self.stop.is_stopped() {
            self.quiet.wait(time);
        } else {
            self.stop.wait(time);
        }
    }
}

/// The beginning and the end of what was said.
pub struct Output {
    keep: usize,
    /// The first bytes.
    pub head: Vec<u8>,
    /// The last of the others.
    pub tail: Vec<u8>,
    /// Bytes between the two.
    pub dropped: u64,
}

impl Output {
    /// One that keeps so many bytes of the beginning and of the end.
    pub fn new(keep: usize) -> Output {
        Output { keep, head: Vec::new(), tail: Vec::new(), dropped: 0 }
    }

    /// Takes in what was said next.
    pub fn add(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(self.keep - self.head.len()));
        self.head.extend_from_slice(first);
        self.tail.extend_from_slice(rest);
        // Let it grow to twice its size, so that not every read moves all of it.
        if self.tail.len() > 2 * self.keep {
            self.trim();
        }
    }

    /// Drops what is not to be kept.
    pub fn trim(&mut self) {
        let excess = self.tail.len().saturating_sub(self.keep);
        self.tail.drain(..excess);
        self.dropped += excess as u64;
    }
}
