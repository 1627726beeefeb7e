//! Bots of chat services: Feishu and Lark, DingTalk, WeCom, Telegram.

use toml::de::DeValue;

use crate::alert::channel::template::percent;
use crate::alert::channel::wecom::is_mobile;
use crate::config::alert::address;
use crate::config::plan::{BotPlan, BotService, BotStyle, Button, ChannelKind, Mention};
use crate::config::table::{Item, Table, integer};
use crate::config::template::unknown_field;
use crate::secret::Secret;

/// People who are mentioned.
const MAX_MENTIONS: usize = 20;
/// Bytes of what the service knows one of them by, of a name and of a button.
const MAX_WORD: usize = 64;
/// Where bots of other services live.
const HOSTS: [(&str, &str); 4] = [
    ("://open.feishu.cn/", "feishu"),
    ("://open.larksuite.com/", "lark"),
    ("://oapi.dingtalk.com/", "dingtalk"),
    ("://qyapi.weixin.qq.com/", "wecom"),
];

/// `kind = "feishu"`.
pub fn feishu(table: &mut Table<'_>) -> Option<ChannelKind> {
    hooked(table, "feishu")
}

/// `kind = "lark"`.
pub fn lark(table: &mut Table<'_>) -> Option<ChannelKind> {
    hooked(table, "lark")
}

fn hooked(table: &mut Table<'_>, name: &'static str) -> Option<ChannelKind> {
    let item = table.need("webhook", "");
    let secret = table.need("secret", "; write secret = \"\" for a bot without signature");
    let url = item.and_then(|item| {
        let url = webhook(&item, name)?;
        if url.reveal().contains("/bot/hook/") {
            return item.bad(
                "is a hook of version 1, which takes no such messages; make a new custom bot, its address has /v2/",
            );
        }
        Some(url)
    });
    let secret = secret.and_then(|secret| secret.secret());
    let style = style(table, &[("post", BotStyle::Rich), ("text", BotStyle::Text), ("card", BotStyle::Card)]);
    let at = at(table, BotService::Feishu, style);
    let button = table.get("button").map(|item| button(item, style));
    Some(ChannelKind::Bot(BotPlan {
        style,
        at: at?,
        button: button.map_or(Some(None), |button| button.map(Some))?,
        ..bot(name, BotService::Feishu, url?, secret?)
    }))
}

/// `kind = "dingtalk"`.
pub fn dingtalk(table: &mut Table<'_>) -> Option<ChannelKind> {
    let name = "dingtalk";
    let url = keyed(table, name, "token", "https://oapi.dingtalk.com/robot/send?", "access_token=");
    let item = table.get("secret");
    let secret = item.map_or(Some(Secret::default()), |item| item.secret());
    if let (Some(item), Some(secret)) = (&item, &secret)
        && !secret.is_empty()
        && !secret.reveal().starts_with("SEC")
    {
        item.warn("does not begin with SEC; take the whole secret that the robot's settings show for signing");
    }
    let style = style(table, &[("text", BotStyle::Text), ("markdown", BotStyle::Rich)]);
    let at = at(table, BotService::Dingtalk, style);
    Some(ChannelKind::Bot(BotPlan { style, at: at?, ..bot(name, BotService::Dingtalk, url?, secret?) }))
}

/// `kind = "wecom"`.
pub fn wecom(table: &mut Table<'_>) -> Option<ChannelKind> {
    let name = "wecom";
    let url = keyed(table, name, "key", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?", "key=");
    let style = style(table, &[("text", BotStyle::Text), ("markdown", BotStyle::Rich)]);
    let at = at(table, BotService::Wecom, style);
    Some(ChannelKind::Bot(BotPlan { style, at: at?, ..bot(name, BotService::Wecom, url?, Secret::default()) }))
}

/// `kind = "telegram"`.
pub fn telegram(table: &mut Table<'_>) -> Option<ChannelKind> {
    let token = table.need("token", "").and_then(|item| {
        let token = item.secret()?;
        let (number, rest) = token.reveal().split_once(':').unwrap_or_default();
        let of = |text: &str, also: &[u8]| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || also.contains(&b.to_ascii_lowercase()))
        };
        if !of(number, b"") || !of(rest, b"abcdefghijklmnopqrstuvwxyz_-") {
            return item.bad("is no token of a bot; it looks like 123456:ABC-DEF, without the word bot before it");
        }
        Some(token)
    });
    let chat = table.need("chat_id", "; write chat_id = -1001234567890, or \"@name\" of a channel").and_then(|item| {
        let chat = match item.value {
            DeValue::Integer(number) => integer(number).map(|number| number.to_string()),
            _ => Some(item.line(MAX_WORD)?.to_owned()),
        };
        let known = |chat: &String| chat.starts_with('@') || chat.parse::<i64>().is_ok();
        chat.filter(known).map_or_else(|| item.bad("must be the number of a chat, or \"@name\" of a channel"), Some)
    });
    let thread = table.whole("thread", 1, u32::MAX);
    let item = table.get("server");
    let server = item.map(|item| item.text());
    let server = server.map_or(Some("https://api.telegram.org"), |server| server)?.trim_end_matches('/');
    // If it is wrong, so is the server, which is optional.
    let url = token.and_then(|token| {
        let item = item.unwrap_or(table.item());
        if server.contains(['?', '#']) {
            return item.bad("may have no ? and no #");
        }
        address(&item, &Secret::new([server, "/bot", token.reveal(), "/sendMessage"].concat()))
    });
    let bot = bot("telegram", BotService::Telegram, Secret::new(url?.text), Secret::default());
    Some(ChannelKind::Bot(BotPlan { chat: chat?, thread, ..bot }))
}

fn bot(name: &'static str, service: BotService, url: Secret, secret: Secret) -> BotPlan {
    let (at, chat) = (Vec::new(), String::new());
    BotPlan { name, service, url, secret, style: BotStyle::Text, at, button: None, chat, thread: None }
}

fn webhook(item: &Item<'_>, name: &str) -> Option<Secret> {
    let url = address(item, &item.secret()?)?;
    // Lark is Feishu under another name.
    let whose = |name| if name == "lark" { "feishu" } else { name };
    if let Some((_, owner)) = HOSTS.iter().find(|(host, _)| url.text.contains(host))
        && whose(*owner) != whose(name)
    {
        return item.bad(&["is the address of another service: kind = \"", owner, "\""].concat());
    }
    Some(Secret::new(url.text))
}

/// The address of a robot, whole or made of what stands under `key`.
fn keyed(table: &mut Table<'_>, name: &str, key: &'static str, base: &str, field: &str) -> Option<Secret> {
    match (table.get("webhook"), table.get(key)) {
        (Some(_), Some(item)) => item.bad("stands beside webhook; one of the two is enough"),
        (Some(item), None) => {
            let url = webhook(&item, name)?;
            let query = url.reveal().split_once('?').map_or("", |(_, query)| query);
            if !query.split('&').any(|pair| pair.starts_with(field) && pair.len() > field.len()) {
                return item.bad(&["has no ", field, "… in it; take the whole address that the robot shows"].concat());
            }
            if query.contains("sign=") {
                return item.bad("has a signature, which soon lapses; leave out timestamp and sign, and set secret");
            }
            Some(url)
        }
        (None, Some(item)) => {
            let token = item.secret()?;
            if token.is_empty() || token.reveal().contains(['/', '=', '&', ' ']) {
                return item.bad("is not the token alone; a whole address goes into webhook");
            }
            let url = [base, field, &percent(token.reveal())].concat();
            address(&item, &Secret::new(url)).map(|url| Secret::new(url.text))
        }
        (None, None) => {
            table.missing(key, "; or write webhook = \"https://…\"");
            None
        }
    }
}

/// The first of `styles` unless the file names another.
fn style(table: &mut Table<'_>, styles: &[(&str, BotStyle)]) -> BotStyle {
    let names: Vec<&str> = styles.iter().map(|(name, _)| *name).collect();
    styles[table.choice("style", &names).unwrap_or(0)].1
}

fn at(table: &mut Table<'_>, service: BotService, style: BotStyle) -> Option<Vec<Mention>> {
    let Some(item) = table.get("at") else { return Some(Vec::new()) };
    let entries = item.list(MAX_MENTIONS)?;
    let mut at = Vec::with_capacity(entries.len());
    for entry in &entries {
        at.extend(mention(entry, service, style));
    }
    // All of them are looked at before the first bad one counts.
    (at.len() == entries.len()).then_some(at)
}

/// `"all"`, or what the service knows somebody by; for Feishu also `{ id = "…", name = "…" }`.
fn mention(item: &Item<'_>, service: BotService, style: BotStyle) -> Option<Mention> {
    let (id, name) = match (service, item.value) {
        (BotService::Feishu, DeValue::Table(_)) => {
            let mut table = item.table()?;
            let (id, name) = (table.need("id", ""), table.get("name"));
            table.finish();
            (id?.line(MAX_WORD)?, name.map_or(Some(""), |name| name.line(MAX_WORD))?)
        }
        _ => (item.line(MAX_WORD)?, ""),
    };
    let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.+@".contains(&b));
    let digits = id.bytes().all(|b| b.is_ascii_digit() || b"+-".contains(&b));
    let expected = match service {
        BotService::Feishu if id.contains('@') && style != BotStyle::Card => {
            "an e-mail address is mentioned in cards only: add style = \"card\", or write an open id (ou_…)"
        }
        BotService::Feishu if id != "all" && !id.starts_with("ou_") && !id.contains('@') => {
            "must be \"all\", an open id (ou_…) or, in a card, an e-mail address"
        }
        BotService::Dingtalk if id != "all" && !digits => "must be \"all\" or the number of a mobile phone",
        BotService::Wecom if style == BotStyle::Rich && is_mobile(id) => {
            "numbers are mentioned in text only: leave out style, or write a user id"
        }
        _ if plain => return Some(Mention { id: id.to_owned(), name: name.to_owned() }),
        _ => "holds a character that nobody's id has",
    };
    item.bad(expected)
}

fn button(item: Item<'_>, style: BotStyle) -> Option<Button> {
    if style != BotStyle::Card {
        return item.bad("stands below cards only: add style = \"card\"");
    }
    let mut table = item.table()?;
    let (text, url) = (table.need("text", ""), table.need("url", ""));
    table.finish();
    let text = text.and_then(|text| text.line(MAX_WORD));
    let url = url.and_then(|item| {
        let url = address(&item, &Secret::new(item.text()?))?;
        if unknown_field(&url.text).is_some() {
            return item.bad("names a field in braces that does not exist");
        }
        Some(Secret::new(url.text))
    });
    Some(Button { text: text?.to_owned(), url: url? })
}
