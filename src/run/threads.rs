//! The only file that starts threads, and the token that stops them.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// Unoptimised code uses several times the stack.
const DEBUG_FACTOR: usize = if cfg!(debug_assertions) { 4 } else { 1 };

/// Bytes of stack for connections, the watchdog, the store: no TLS, no deep recursion.
pub const SMALL_STACK: usize = 64 * 1024 * DEBUG_FACTOR;
/// Bytes of stack for what uses ureq.
pub const HTTP_STACK: usize = 128 * 1024 * DEBUG_FACTOR;
/// Bytes of stack for reading the configuration.
pub const CONFIG_STACK: usize = 256 * 1024 * DEBUG_FACTOR;

/// Starts a thread with a name (the kernel shows its first 15 bytes) and a stack of `stack` bytes.
///
/// # Errors
/// When the system has no room for another thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    stack: usize,
    body: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    start(name, stack, Box::new(body))
}

/// One instance for all bodies: what the standard library does to start a thread weighs two kilobytes.
#[inline(never)]
#[expect(clippy::disallowed_methods, reason = "the one place where threads start")]
fn start<T: Send + 'static>(
    name: &str,
    stack: usize,
    body: Box<dyn FnOnce() -> T + Send>,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).stack_size(stack).spawn(body)
}

/// Locks `mutex` even if a holder panicked: a panic ends the process, so the state is never half-changed.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells every thread that the program is ending. Clones share one state.
#[derive(Clone, Default)]
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// Ends all waits, now and from now on.
    pub fn stop(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    /// Whether [`Stop::stop`] was called.
    pub fn is_stopped(&self) -> bool {
        *lock(&self.0.0)
    }

    /// Waits for `time` or for the end of the program, whichever comes first; true at the end.
    pub fn wait(&self, time: Duration) -> bool {
        let guard = lock(&self.0.0);
        let (guard, _) =
            self.0.1.wait_timeout_while(guard, time, |stopped| !*stopped).unwrap_or_else(PoisonError::into_inner);
        *guard
    }
}

/// A door bell: one side rings, the other waits with a deadline. Rings while nobody waits are remembered as one.
#[derive(Clone, Default)]
pub struct Bell(Arc<(Mutex<bool>, Condvar)>);

impl Bell {
    /// Wakes the waiter, or its next wait.
    pub fn ring(&self) {
        *lock(&self.0.0) = true;
        self.0.1.notify_all();
    }

    /// Whether somebody else holds it, who may wait.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Waits for a ring, at most `time`; true if it rang.
    pub fn wait(&self, time: Duration) -> bool {
        let guard = lock(&self.0.0);
        let (mut guard, _) =
            self.0.1.wait_timeout_while(guard, time, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *guard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_ends_a_wait() {
        let stop = Stop::default();
        assert!(!stop.wait(Duration::from_millis(1)));
        let other = stop.clone();
        let waiter = spawn("waiter", SMALL_STACK, move || other.wait(Duration::from_secs(60))).unwrap();
        stop.stop();
        assert!(waiter.join().unwrap());
    }

    #[test]
    fn a_ring_before_the_wait_is_not_lost() {
        let bell = Bell::default();
        bell.ring();
        assert!(bell.wait(Duration::from_secs(60)));
        assert!(!bell.wait(Duration::from_millis(1)));
    }
}
