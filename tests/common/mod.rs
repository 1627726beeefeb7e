//! The real binary, fakes at the socket, and waiting with deadlines: what the tests of the whole program share.

#![allow(dead_code, reason = "each test file uses a part of this")]
#![allow(clippy::disallowed_methods, reason = "tests start threads, read clocks and dial")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

pub mod ask;
pub mod beat;
pub mod daemon;
pub mod http;
pub mod trace;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a test waits for what must come. Generous: it only decides when a broken test gives up.
pub const SOON: Duration = Duration::from_secs(30);

/// Keys and addresses that no output may show.
pub const SECRETS: [&str; 3] = ["planted-key-0123456789", "planted-sign-secret", "planted-hook-token"];

/// Takes as many descriptors as the system allows: fakes of all tests stay until the process ends.
pub fn many_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    static RAISED: Once = Once::new();
    RAISED.call_once(|| {
        let maximum = getrlimit(Resource::Nofile).maximum;
        let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    });
}

/// A folder of its own, removed at the end.
pub struct TempDir(PathBuf);

impl TempDir {
    pub fn new() -> TempDir {
        many_descriptors();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("ic-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        TempDir(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// Looks again and again until `look` gives something; panics with `what` after [`SOON`].
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_within(SOON, what, look)
}

/// Where nobody listens: no test takes a port below 1024. One that was just given up may be somebody else's by now, and a
/// daemon that is being started holds what was open until it runs.
pub fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1))
}

/// The same with a limit of its own, for what takes its time.
pub fn wait_within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "waited {limit:?} in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// Whether the test `name` has this process to itself. If not, it is run again in one: there it may count threads and
/// descriptors and set limits, and take as many as it likes from no other test.
pub fn alone(name: &str) -> bool {
    const ALONE: &str = "IC_TEST_ALONE";
    many_descriptors();
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", name, "--include-ignored", "--nocapture"]).env(ALONE, "1").stdin(Stdio::null());
    let done = again.output().unwrap();
    let text = [done.stdout, done.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert!(done.status.success() && text.contains("1 passed"), "{text}");
    eprintln!("{text}");
    false
}

/// Time from `then` to now.
pub fn since(then: Instant) -> Duration {
    then.elapsed()
}
