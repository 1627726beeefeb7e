//! What is told of a disk that takes everything but the book of jobs. Of one that takes nothing the alert desk tells.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use crate::alert::Parcel;
use crate::alert::notes::{own_incident, unwritable, writable};
use crate::alert::pending::After;
use crate::clock::{self, Tick, tick};
use crate::event::{Id, Kind, Moment};
use crate::run::board::Board;
use crate::run::store::{Job, hand};

/// From one look whether it takes anything else to the next.
const LOOK: Duration = Duration::from_secs(5);
/// How long such a look may take.
const WAIT: Duration = Duration::from_secs(1);
/// From one trouble that is told to the next: a disk that comes and goes is told once.
const TELL_EVERY: Duration = Duration::from_secs(3600);
/// What cannot be written, and a file beside it for that look.
const FOLDER: &str = "jobs/";
const PROBE: &str = "jobs.probe";
/// What that means.
const WHY: &str = "it cannot be written: no job is given out until it can";

/// The trouble with the folder of the book.
#[derive(Default)]
pub struct Trouble {
    /// What was told and has not ended.
    told: Option<(Id, Moment)>,
    looked: Option<Tick>,
    last: Option<Tick>,
}

impl Trouble {
    /// Tells that it began or ended. `fails`: the disk has said so, and is not just slow.
    pub fn tell(&mut self, fails: bool, written: bool, store: &SyncSender<Parcel>, board: &Board) {
        let now = clock::now();
        if let Some((incident, since)) = self.told {
            if written && board.post(Some(writable(incident, FOLDER, since, &now)), After::Nothing) {
                self.told = None;
            }
            return;
        }
        let recent = |then: Option<Tick>, span| then.is_some_and(|then| now.tick.since(then) < span);
        if !fails || recent(self.looked, LOOK) || recent(self.last, TELL_EVERY) {
            return;
        }
        self.looked = Some(now.tick);
        let incident = own_incident(Kind::StateUnwritable, FOLDER, &now);
        if takes_others(store) && board.post(Some(unwritable(incident, FOLDER, WHY, &now)), After::Nothing) {
            (self.told, self.last) = (Some((incident, Moment::at(now.tick, &now))), Some(tick()));
        }
    }
}

fn takes_others(store: &SyncSender<Parcel>) -> bool {
    let file = || PROBE.to_owned();
    // A full disk may still have room for a name.
    let bytes = vec![0; 4096];
    let jobs = vec![Job::Put { file: file(), bytes, keep_previous: false }, Job::Remove { file: file() }];
    hand(store, jobs).and_then(|written| written.wait(WAIT)) == Some(true)
}
