//! What this daemon says of itself in every beat.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::{self, Now, Tick, millis};
use crate::keepalive::beat::{Data, Ev, Report};
use crate::keepalive::carry::Carry;
use crate::keepalive::monitors::Monitors;
use crate::keepalive::work::Agent;
use crate::readings::{Readings, note};
#[cfg(feature = "probes")]
use crate::resource::gauge::Gauge;
use crate::run::threads::lock;

/// What all client threads say alike.
pub struct Me {
    /// The name of this host.
    pub name: String,
    /// Where it tells of its servers.
    pub monitors: Arc<Monitors>,
    run: String,
    started: Tick,
    /// One count for all servers: two URIs may lead to one server.
    seq: Mutex<u64>,
    gauge: Option<Arc<Gauge>>,
    note: Mutex<String>,
    /// Clones of one `Me` under other names share it.
    agent: Arc<Mutex<Option<Arc<dyn Agent>>>>,
}

impl Me {
    /// A new run of the daemon on the host `name`, which says nothing of its machine and tells nobody of its servers.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn new(name: &str) -> io::Result<Me> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| io::ErrorKind::Other)?;
        let run = format!("{:016x}", u64::from_be_bytes(random));
        Ok(Me {
            name: name.to_owned(),
            monitors: Arc::default(),
            run,
            started: clock::tick(),
            seq: Mutex::new(0),
            gauge: None,
            note: Mutex::default(),
            agent: Arc::default(),
        })
    }

    /// The same, with readings of the machine, `folder` being one of its disks, and with somebody to tell.
    #[must_use]
    pub fn with(self, folder: &Path, monitors: Monitors) -> Me {
        Me { gauge: Some(Gauge::new(folder)), monitors: Arc::new(monitors), ..self }
    }

    /// What reads this machine, if anybody does.
    pub fn gauge(&self) -> Option<&Arc<Gauge>> {
        self.gauge.as_ref()
    }

    /// A new run under another name, which says and knows the same.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn renamed(&self, name: &str) -> io::Result<Me> {
        let note = Mutex::new(lock(&self.note).clone());
        let agent = Arc::clone(&self.agent);
        Ok(Me { gauge: self.gauge.clone(), monitors: Arc::clone(&self.monitors), note, agent, ..Me::new(name)? })
    }

    /// Has beats speak for `agent` from now on, or for none.
    pub fn set_agent(&self, agent: Option<Arc<dyn Agent>>) {
        *lock(&self.agent) = agent;
    }

    /// The agent of this host, if there is one.
    pub fn agent(&self) -> Option<Arc<dyn Agent>> {
        lock(&self.agent).clone()
    }

    /// What beats say of this host from now on, until another note or an empty one; gives what is kept of it.
    pub fn note(&self, text: &str) -> String {
        let kept = note(text);
        lock(&self.note).clone_from(&kept);
        kept
    }

    /// The next report.
    pub fn report(&self, ev: Ev, period: Duration, now: &Now, carry: &Carry) -> Report {
        let readings = match &self.gauge {
            Some(gauge) if ev == Ev::Beat => gauge.read(),
            _ => Readings::default(),
        };
        let readings = Readings { note: lock(&self.note).clone(), ..readings }.some();
        let mut seq = lock(&self.seq);
        *seq += 1;
        Report {
            boot: clock::boot_id().to_owned(),
            up: now.tick.0,
            run: self.run.clone(),
            age: millis(now.tick.since(self.started)),
            seq: *seq,
            data: Data { notices: carry.snapshot(now), readings, work: None },
            ..Report::bare(ev, period)
        }
    }
}

/// Where nothing reads the machine, beats say nothing of it.
#[cfg(not(feature = "probes"))]
pub struct Gauge;

#[cfg(not(feature = "probes"))]
impl Gauge {
    fn new(_: &Path) -> Arc<Gauge> {
        Arc::new(Gauge)
    }

    fn read(&self) -> Readings {
        Readings::default()
    }
}
