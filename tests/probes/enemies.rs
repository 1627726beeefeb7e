//! What hangs, and what is wrong in the file.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::{Door, channel, hook, told, wait_state};
use crate::common::TempDir;
use crate::common::daemon::{Daemon, run};

/// A port that neither takes nor refuses a connection: its queue is full.
struct Hole {
    _listener: TcpListener,
    _queue: Vec<TcpStream>,
    address: std::net::SocketAddr,
}

fn hole() -> Hole {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(500)) {
        queue.push(stream);
        assert!(queue.len() < 10_000, "the queue has no end");
    }
    Hole { _listener: listener, _queue: queue, address }
}

#[test]
fn looks_that_hang_delay_nobody() {
    let (dir, hook, mut door) = (TempDir::new(), hook(), Door::open());
    let hole = hole();
    let mut config = channel(&hook);
    for n in 0..3 {
        let text = format!(
            "[[probe]]\nname = \"hole{n}\"\ntcp = \"{}\"\ninterval = 60\ntimeout = 60\nmax_fails = 9\n",
            hole.address
        );
        config.push_str(&text);
    }
    let mut daemon = Daemon::start(dir.path(), &[&*config, &door.probe("shop", "")].concat());
    daemon.wait_line("ready");
    wait_state(&daemon, "shop", "up");
    door.close();
    hook.posts(1);
    door.open_again();
    hook.posts(2);
    for (n, (kind, name)) in told(&hook).iter().enumerate() {
        assert_eq!((&**kind, &**name), (["probe.down", "probe.up"][n], "shop"));
    }
    let threads = daemon.proc_status("Threads");
    println!("{threads} threads");
    assert!(daemon.stop().success(), "nobody waits for looks at the end");
}

#[test]
fn what_check_says_of_a_good_file() {
    let dir = TempDir::new();
    let file = dir.join("config.toml");
    let text = "[[probe]]
name = \"a\"
tcp = \"a:1\"
depends_on = \"b\"
[[probe]]
name = \"b\"
tcp = \"b:1\"
interval = 2
max_fails = 1
passive = true
";
    std::fs::write(&file, text).unwrap();
    let output = run(&["check", "-c", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in [
        "probe    a: tcp a:1 every 1m; down after 3 failures within 3m; explained by b\n",
        "probe    b: tcp b:1 every 1s, passive; down after 1 failure within 2s\n",
    ] {
        assert!(output.status.success() && said.contains(line), "{said}");
    }
}

#[test]
fn what_check_says_of_a_wrong_file() {
    let dir = TempDir::new();
    let file = dir.join("config.toml");
    let text = "[http]
[[http.ping]]
name = \"backup\"
token = \"planted-key-0123456789\"
period = \"1d\"
[[http.ping]]
name = \"backup\"
token = \"has a blank in it\"
period = 0
[[probe]]
name = \"a\"
tcp = \"a:1\"
depends_on = \"b\"
[[probe]]
name = \"b\"
tcp = \"b:1\"
depends_on = \"a\"
[[probe]]
name = \"backup\"
tcp = \"c:1\"
interval = 5
timeout = 6
[[probe]]
name = \"c\"
tcp = \"c:1\"
interval = 20
fail_timeout = 29
[[probe]]
name = \"c\"
tcp = \"c:1\"
depends_on = \"c\"
max_fails = 0
[[probe]]
tcp = \"d:1\"
depends_on = \"bb\"
severity = \"info\"
[[probe]]
name = \"e\"
depends_on = \"nas@home\"
tcp = \"d:1\"
";
    std::fs::write(&file, text).unwrap();
    let output = run(&["check", "-c", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    println!("{said}");
    assert_eq!(output.status.code(), Some(78));
    for (line, part) in [
        (13, "leads back to this probe"),
        (17, "leads back to this probe"),
        (19, "[[http.ping]]"),
        (22, "longer than interval"),
        (27, "never holds 3 failures"),
        (29, "name of another probe"),
        (31, "this probe itself"),
        (32, "out of range"),
        (33, "missing"),
        (35, "did you mean \"b\""),
        (36, "severity"),
        (39, "without [keepalive.server]"),
    ] {
        let found = said.lines().any(|told| told.contains(&format!(":{line}:")) && told.contains(part));
        assert!(found, "line {line}, {part}: {said}");
    }
    if cfg!(feature = "status") {
        for (line, part) in [(8, "token"), (9, "period")] {
            let found = said.lines().any(|told| told.contains(&format!(":{line}:")) && told.contains(part));
            assert!(found, "line {line}, {part}: {said}");
        }
    }
}
