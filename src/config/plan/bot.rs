//! Bots of chat services.

use crate::secret::Secret;

/// A chat service with a manner of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BotService {
    /// Feishu and Lark: custom bots.
    Feishu,
    /// DingTalk: custom robots.
    Dingtalk,
    /// WeCom: group robots.
    Wecom,
    /// Telegram: the Bot API.
    Telegram,
}

/// A bot of a chat service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BotPlan {
    /// Its name in `kind = "…"`.
    pub name: &'static str,
    /// Whose it is.
    pub service: BotService,
    /// Where to; a signature is added to it.
    pub url: Secret,
    /// Signing secret; empty for a bot without signature.
    pub secret: Secret,
    /// How a message looks.
    pub style: BotStyle,
    /// Whom to mention when it is urgent.
    pub at: Vec<Mention>,
    /// A button with a link below a card.
    pub button: Option<Button>,
    /// `chat_id` of Telegram.
    pub chat: String,
    /// `message_thread_id` of Telegram.
    pub thread: Option<u32>,
}

/// How a message of a bot looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BotStyle {
    /// Plain text.
    Text,
    /// Feishu's `post`, Markdown elsewhere.
    Rich,
    /// Feishu's interactive card.
    Card,
}

/// Somebody a bot mentions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mention {
    /// `all`, or as the service knows them.
    pub id: String,
    /// What is shown; may be empty.
    pub name: String,
}

/// A button with a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Button {
    /// What stands on it.
    pub text: String,
    /// Where it leads; fields in braces are percent-encoded into it.
    pub url: Secret,
}
