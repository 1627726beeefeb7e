//! What requests are answered from.

use std::sync::{Arc, Mutex, OnceLock};

use crate::http::HttpPlan;
use crate::run::answers::Answers;
use crate::run::threads::lock;

/// Shared by all connections. It is there before the daemon is: until then nothing is answered but that.
#[derive(Default)]
pub struct Site {
    answers: OnceLock<Answers>,
    plan: Mutex<Option<Arc<HttpPlan>>>,
}

impl Site {
    /// The daemon is up: from here on its state can be asked for.
    pub fn open(&self, answers: Answers) {
        // Called once.
        let _ = self.answers.set(answers);
    }

    /// What can be asked for; `None` while the daemon starts.
    pub fn answers(&self) -> Option<&Answers> {
        self.answers.get()
    }

    /// The configuration in force; `None` if there is no listener.
    pub fn plan(&self) -> Option<Arc<HttpPlan>> {
        lock(&self.plan).clone()
    }

    /// Goes on with another configuration.
    pub fn follow(&self, plan: Option<Arc<HttpPlan>>) {
        *lock(&self.plan) = plan;
    }
}
