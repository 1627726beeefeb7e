//! Many requests at once: figures, not assertions.

use std::process::Command;
use std::time::{Duration, Instant};

use super::{TOKEN, crowd};
use crate::common::TempDir;
use crate::common::ask::Asker;
use crate::common::beat::Beater;

/// How long each path is asked for.
const EACH: Duration = Duration::from_secs(3);
const THREADS: usize = 8;

#[test]
#[ignore = "long"]
fn what_it_bears() {
    let dir = TempDir::new();
    let (mut daemon, web) = crowd(&dir, 2000);
    let server = daemon.status()["server"]["addresses"][0].as_str().unwrap().parse().unwrap();
    let mut nas = Beater::new(server, TOKEN, "nas");
    let idle = daemon.proc_status("VmRSS");
    for path in ["/healthz", "/metrics", "/api/status", "/"] {
        let start = Instant::now();
        let (count, bytes) = std::thread::scope(|scope| {
            let ask = || {
                let (mut asker, mut count, mut bytes) = (Asker::new(web), 0_usize, 0);
                while start.elapsed() < EACH {
                    if count % 100 == 0 {
                        asker = Asker::new(web);
                    }
                    bytes += asker.ask("GET", path, &[], b"").body.len();
                    count += 1;
                }
                (count, bytes)
            };
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
            let mut worst = Duration::ZERO;
            while start.elapsed() < EACH {
                let begun = Instant::now();
                nas.beat().unwrap();
                worst = worst.max(begun.elapsed());
                std::thread::park_timeout(Duration::from_millis(20));
            }
            println!("{path}: the slowest heartbeat meanwhile took {worst:?}");
            threads.into_iter().map(|thread| thread.join().unwrap()).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
        });
        let memory = daemon.proc_status("VmRSS");
        let rate = count as f64 / start.elapsed().as_secs_f64();
        println!("{path}: {rate:.0} requests/s, {} bytes each; {idle} -> {memory} kB", bytes / count.max(1));
    }
    println!("at most {} kB", daemon.proc_status("VmHWM"));
    let wrk = Command::new("wrk").args(["-t2", "-c16", "-d3s", &format!("http://{web}/metrics")]).output();
    match wrk {
        Ok(output) => println!("{}", String::from_utf8_lossy(&output.stdout)),
        Err(why) => println!("without wrk: {why}"),
    }
    assert!(daemon.stop().success());
}
