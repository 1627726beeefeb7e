//! The HTTP listener.

use std::io;
use std::thread::JoinHandle;

use super::Parts;
use crate::config::plan::Plan;

/// What runs.
#[derive(Default)]
pub struct Listening {}

impl Listening {
    /// Ends the listener at the end of the program, and gives the threads that are to be waited for.
    pub fn close(&mut self) -> Vec<JoinHandle<()>> {
        Vec::new()
    }
}

impl Parts {
    /// `old` is `None` at the start.
    pub(super) fn listen(&mut self, old: Option<&Plan>, new: &Plan, said: &mut String) -> io::Result<()> {
        let _ = (old, said);
        self.base.site.follow(new.http.clone());
        Ok(())
    }
}
