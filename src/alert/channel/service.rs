//! Channels that are data: the request of a row, and what its answer means.

use super::http::{self, Ready};
use crate::alert::{Message, Verdict};
use crate::clock::{Now, Wall};
use crate::config::plan::{ChannelPlan, ServicePlan};
use crate::fetch::Answer;
use crate::zone::Zone;

/// The request that tells `message`.
pub(super) fn prepare(
    _plan: &ChannelPlan,
    _service: &ServicePlan,
    _message: &Message,
    _now: &Now,
    _zone: &Zone,
) -> Ready {
    Ready { method: "POST", url: String::new(), headers: Vec::new(), body: None, signed: None, secrets: Vec::new() }
}

/// What `answer` means.
pub(super) fn verdict(_service: &ServicePlan, answer: &Answer, now: Wall, ready: &Ready) -> Verdict {
    http::refusal(answer, now, http::host_of(&ready.url), &ready.secrets).unwrap_or(Verdict::Delivered)
}
