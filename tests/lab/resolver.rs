//! A name server that falls silent.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test looks from outside, and fails by panicking"
)]

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::net::{Site, lab};
use super::story::{Pace, channel, host, print, wait_state};
use crate::common::daemon::{Daemon, wrap};
use crate::common::{TempDir, wait_for, wait_within};

const PACE: Pace = Pace { period: Duration::from_secs(1), num: 3, grace: Duration::from_secs(1) };
/// Names are kept for a minute.
const LONG: Duration = Duration::from_secs(150);

/// Knows every name, as one IPv4 address.
pub struct FakeDns {
    silent: Arc<AtomicBool>,
    asked: Arc<AtomicU32>,
}

impl FakeDns {
    pub fn start(at: IpAddr, address: IpAddr) -> FakeDns {
        let socket = UdpSocket::bind(SocketAddr::new(at, 53)).unwrap();
        let dns = FakeDns { silent: Arc::default(), asked: Arc::default() };
        let (silent, asked) = (dns.silent.clone(), dns.asked.clone());
        std::thread::spawn(move || {
            let mut packet = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut packet) {
                asked.fetch_add(1, Ordering::SeqCst);
                if !silent.load(Ordering::SeqCst) {
                    let _ = socket.send_to(&answer(&packet[..len], address), from);
                }
            }
        });
        dns
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }
}

/// RFC 1035, section 4: header, question, and for type A one answer.
fn answer(question: &[u8], address: IpAddr) -> Vec<u8> {
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let (is_a, IpAddr::V4(address)) = (question[end - 4..end - 2] == [0, 1], address) else { unreachable!() };
    let mut reply = question[..2].to_vec();
    reply.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    reply.extend(&question[12..end]);
    if is_a {
        reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        reply.extend(address.octets());
    }
    reply
}

/// A client in `site` whose /etc is a folder with the name server at `dns`.
pub fn client(site: &Site, dir: &Path, dns: IpAddr, config: &str) -> Daemon {
    let etc = dir.join("etc");
    fs::create_dir_all(&etc).unwrap();
    fs::write(etc.join("resolv.conf"), format!("nameserver {dns}\n")).unwrap();
    fs::write(etc.join("nsswitch.conf"), "hosts: files dns\n").unwrap();
    fs::write(etc.join("hosts"), "127.0.0.1 localhost\n").unwrap();
    let script = r#"mount --bind "$1" /etc && shift && exec "$@""#;
    let mut words: Vec<String> =
        ["unshare", "--mount", "--", "sh", "-c", script, "sh", etc.to_str().unwrap()].map(str::to_owned).to_vec();
    words.extend(site.enter());
    Daemon::start_with(dir, config, |command| wrap(command, &words))
}

#[test]
#[ignore = "long: names are kept for a minute"]
fn a_name_server_that_is_silent_for_ten_periods_is_no_outage() {
    lab(|| {
        let (site, hook, dirs) = (Site::new(1), channel(), [TempDir::new(), TempDir::new()]);
        let dns = FakeDns::start(site.hub(false), site.hub(false));
        let mut server = Daemon::start(dirs[0].path(), &PACE.server(&hook));
        let port = server.ready().port();
        let config = PACE.client_of("nas", "monitor.example", port);
        let mut client = client(&site, dirs[1].path(), site.hub(false), &config);
        client.wait_line("beating to");
        wait_state(&server, "nas", "up");
        let answered = dns.asked();
        dns.silent.store(true, Ordering::SeqCst);
        let start = Instant::now();
        assert!(answered > 0, "the name was looked up");
        wait_within(LONG, "a look-up in vain", || (dns.asked() > answered).then_some(()));
        let in_vain = Instant::now();
        wait_for("ten periods more", || (in_vain.elapsed() > PACE.period * 12).then_some(()));
        let nas = host(&server, "nas").unwrap();
        println!("silent for {:?}, asked {} times in vain: {nas}", start.elapsed(), dns.asked() - answered);
        print("a silent name server", start, &hook);
        assert_eq!((nas["state"].as_str(), hook.asked().len()), (Some("up"), 0));
        assert!(nas["silent"].as_f64().unwrap() < PACE.patience().as_secs_f64(), "{nas}");
    });
}
