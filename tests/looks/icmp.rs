//! Pings, in a network of its own in which they are allowed.

use std::process::Command;

use super::{LONG, SHORT, judged};

const NAME: &str = "looks::icmp::hosts_answer_or_not";

/// Runs itself again in a network namespace, where the group may ping.
#[test]
fn hosts_answer_or_not() {
    if std::env::var_os("PINGING").is_some() {
        for host in ["127.0.0.1", "127.1.2.3", "localhost", "::1"] {
            if host != "::1" || std::path::Path::new("/proc/sys/net/ipv6").exists() {
                assert_eq!(judged(&format!("icmp = \"{host}\"\n"), LONG), (Some(true), String::new()), "{host}");
            }
        }
        let (good, detail) = judged("icmp = \"192.0.2.1\"\n", SHORT);
        assert_eq!((good, detail.as_str()), (Some(false), "Network is unreachable (os error 101)"));
        return;
    }
    let line = "ip link set lo up && echo '0 0' >/proc/sys/net/ipv4/ping_group_range && exec \"$0\" --exact \"$1\" --nocapture";
    let mut inside = Command::new("unshare");
    inside.args(["-Urn", "sh", "-c", line]).arg(std::env::current_exe().unwrap()).arg(NAME).env("PINGING", "1");
    match inside.output() {
        Ok(done) => {
            let text = [done.stdout, done.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            if !text.contains("running 1 test") {
                println!("SKIPPED: no network namespace here: {text}");
                return;
            }
            assert!(done.status.success() && text.contains("1 passed"), "{text}");
        }
        Err(error) => println!("SKIPPED: no unshare here: {error}"),
    }
}

#[test]
fn where_it_is_not_allowed_it_is_said() {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ping_group_range").unwrap_or_default();
    if range.split_whitespace().collect::<Vec<_>>() != ["1", "0"] {
        println!("SKIPPED: pings are allowed here: {range}");
        return;
    }
    let (good, detail) = judged("icmp = \"127.0.0.1\"\n", LONG);
    assert!(good.is_none() && detail.contains("ping_group_range"), "{detail}");
    assert!(interrupt_callback::probe::look::icmp::nobody_may());
}
