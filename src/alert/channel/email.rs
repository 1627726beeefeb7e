//! E-mail.

use super::Tools;
use crate::alert::{Message, Verdict};
use crate::config::plan::{ChannelPlan, EmailPlan};

/// Sends `message`.
pub(super) fn attempt(_plan: &ChannelPlan, email: &EmailPlan, _message: &Message, _tools: &Tools<'_>) -> Verdict {
    Verdict::Broken([&email.server, ": not built"].concat())
}
