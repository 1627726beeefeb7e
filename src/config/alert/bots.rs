//! Bots of chat services: Feishu and Lark, DingTalk, WeCom, Telegram.

use toml::de::DeValue;

use crate::alert::channel::template::percent;
use crate::alert::channel::wecom::is_mobile;
use crate::config::alert::address;
use crate::config::plan::{BotPlan, BotService, BotStyle, Button, ChannelKind, Mention};
use crate::config::table::{Item, Table, integer};
use crate::config::template::{NO_FIELD, unknown_field};
use crate::secret::Secret;

/// People who are mentioned.
const MAX_MENTIONS: usize = 20;
/// Bytes of what the service knows one of them by, of a name and of a button.
const MAX_WORD: usize = 64;
/// What Telegram's Bot API is reached at unless the file names a relay.
const TELEGRAM: &str = "https://api.telegram.org";

/// A service as the file knows it.
struct Row {
    name: &'static str,
    service: BotService,
    /// Where its bots live.
    host: &'static str,
    /// The key of the token, and how an address is made of it; empty if there is nothing but the whole address.
    token: [&'static str; 3],
    /// Styles, the usual one first.
    styles: &'static [&'static str],
}

const FEISHU_STYLES: [&str; 3] = ["post", "text", "card"];
const OTHER_STYLES: [&str; 2] = ["text", "markdown"];

static ROWS: [Row; 5] = [
    Row {
        name: "feishu",
        service: BotService::Feishu,
        host: "://open.feishu.cn/",
        token: [""; 3],
        styles: &FEISHU_STYLES,
    },
    Row {
        name: "lark",
        service: BotService::Feishu,
        host: "://open.larksuite.com/",
        token: [""; 3],
        styles: &FEISHU_STYLES,
    },
    Row {
        name: "dingtalk",
        service: BotService::Dingtalk,
        host: "://oapi.dingtalk.com/",
        token: ["token", "https://oapi.dingtalk.com/robot/send?", "access_token="],
        styles: &OTHER_STYLES,
    },
    Row {
        name: "wecom",
        service: BotService::Wecom,
        host: "://qyapi.weixin.qq.com/",
        token: ["key", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?", "key="],
        styles: &OTHER_STYLES,
    },
    Row {
        name: "telegram",
        service: BotService::Telegram,
        host: "://api.telegram.org/",
        token: [""; 3],
        styles: &OTHER_STYLES,
    },
];

/// `kind = "feishu"`.
pub fn feishu(table: &mut Table<'_>) -> Option<ChannelKind> {
    bot(table, &ROWS[0])
}

/// `kind = "lark"`.
pub fn lark(table: &mut Table<'_>) -> Option<ChannelKind> {
    bot(table, &ROWS[1])
}

/// `kind = "dingtalk"`.
pub fn dingtalk(table: &mut Table<'_>) -> Option<ChannelKind> {
    bot(table, &ROWS[2])
}

/// `kind = "wecom"`.
pub fn wecom(table: &mut Table<'_>) -> Option<ChannelKind> {
    bot(table, &ROWS[3])
}

/// `kind = "telegram"`.
pub fn telegram(table: &mut Table<'_>) -> Option<ChannelKind> {
    bot(table, &ROWS[4])
}

/// What is wrong is reported, which is the end of the file; whatever stands in its place is not used.
#[inline(never)]
fn bot(table: &mut Table<'_>, row: &'static Row) -> Option<ChannelKind> {
    let mut bot = BotPlan {
        name: row.name,
        service: row.service,
        url: Secret::default(),
        secret: Secret::default(),
        style: BotStyle::Text,
        at: Vec::new(),
        button: None,
        chat: String::new(),
        thread: None,
    };
    if row.service == BotService::Telegram {
        bot.url = relayed(table).unwrap_or_default();
        bot.chat = chat(table).unwrap_or_default();
        bot.thread = table.whole("thread", 1, u32::MAX);
        return Some(ChannelKind::Bot(bot));
    }
    bot.url = url(table, row).unwrap_or_default();
    let secret = match row.service {
        BotService::Feishu => table.need("secret", "; write secret = \"\" for a bot without signature"),
        BotService::Dingtalk => table.get("secret"),
        _ => None,
    };
    if let Some(item) = secret {
        bot.secret = item.secret().unwrap_or_default();
        let known = bot.secret.is_empty() || bot.secret.reveal().starts_with("SEC");
        if row.service == BotService::Dingtalk && !known {
            item.warn("does not begin with SEC; take the whole secret that the robot's settings show for signing");
        }
    }
    bot.style = match row.styles[table.choice("style", row.styles).unwrap_or(0)] {
        "text" => BotStyle::Text,
        "card" => BotStyle::Card,
        _ => BotStyle::Rich,
    };
    for entry in table.get("at").and_then(|item| item.list(MAX_MENTIONS)).unwrap_or_default() {
        bot.at.extend(mention(&entry, &bot));
    }
    if row.service == BotService::Feishu {
        bot.button = table.get("button").and_then(|item| button(&item, bot.style));
    }
    Some(ChannelKind::Bot(bot))
}

/// The address of a bot, whole or made of its token.
fn url(table: &mut Table<'_>, row: &Row) -> Option<Secret> {
    let [key, base, field] = row.token;
    let token = if key.is_empty() { None } else { table.get(key) };
    match (table.get("webhook"), token) {
        (Some(_), Some(item)) => item.bad("stands beside webhook; one of the two is enough"),
        (Some(item), None) => whole(&item, row),
        (None, Some(item)) => {
            let token = item.secret()?;
            if token.is_empty() || token.reveal().contains(['/', '=', '&', ' ']) {
                return item.bad("is not the token alone; a whole address goes into webhook");
            }
            let url = [base, field, &percent(token.reveal())].concat();
            address(&item, &Secret::new(url)).map(|url| Secret::new(url.text))
        }
        (None, None) if key.is_empty() => table.need("webhook", "").and(None),
        (None, None) => {
            table.missing(key, "; or write webhook = \"https://…\"");
            None
        }
    }
}

fn whole(item: &Item<'_>, row: &Row) -> Option<Secret> {
    let url = address(item, &item.secret()?)?.text;
    if let Some(owner) = ROWS.iter().find(|owner| url.contains(owner.host))
        // Lark is Feishu under another name.
        && owner.service != row.service
    {
        return item.bad(&["is the address of another service: kind = \"", owner.name, "\""].concat());
    }
    if url.contains("/bot/hook/") {
        return item
            .bad("is a hook of version 1, which takes no such messages; make a new custom bot, its address has /v2/");
    }
    let [_, _, field] = row.token;
    // The first of two fields comes after the question mark, a later one after an ampersand.
    if !["?", "&"].iter().any(|mark| url.contains(&[mark, field].concat())) && !field.is_empty() {
        return item.bad(&["has no ", field, "… in it; take the whole address that the robot shows"].concat());
    }
    if !field.is_empty() && url.contains("&sign=") {
        return item.bad("has a signature, which soon lapses; leave out timestamp and sign, and set secret");
    }
    Some(Secret::new(url))
}

/// The address of Telegram's method that sends.
fn relayed(table: &mut Table<'_>) -> Option<Secret> {
    let (token, server) = (table.need("token", ""), table.get("server"));
    let item = token?;
    let token = item.secret()?;
    let (number, rest) = token.reveal().split_once(':').unwrap_or_default();
    let digits = number.parse::<u64>().is_ok();
    if !digits || rest.is_empty() || !rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return item.bad("is no token of a bot; it looks like 123456:ABC-DEF, without the word bot before it");
    }
    let host = server.map_or(Some(TELEGRAM), |server| server.text())?.trim_end_matches('/');
    let item = server.unwrap_or(item);
    if host.contains(['?', '#']) {
        return item.bad("may have no ? and no #");
    }
    let url = address(&item, &Secret::new([host, "/bot", token.reveal(), "/sendMessage"].concat()))?;
    Some(Secret::new(url.text))
}

fn chat(table: &mut Table<'_>) -> Option<String> {
    let item = table.need("chat_id", "; write chat_id = -1001234567890, or \"@name\" of a channel")?;
    let chat = match item.value {
        DeValue::Integer(number) => integer(number)?.to_string(),
        _ => item.line(MAX_WORD)?.to_owned(),
    };
    if chat.starts_with('@') || chat.parse::<i64>().is_ok() {
        return Some(chat);
    }
    item.bad("must be the number of a chat, or \"@name\" of a channel")
}

/// `"all"`, or what the service knows somebody by; for Feishu also `{ id = "…", name = "…" }`.
fn mention(item: &Item<'_>, bot: &BotPlan) -> Option<Mention> {
    let feishu = bot.service == BotService::Feishu;
    let (id, name) = match item.value {
        DeValue::Table(_) if feishu => {
            let mut table = item.table()?;
            let (id, name) = (table.need("id", ""), table.get("name"));
            table.finish();
            (id?.line(MAX_WORD)?, name.map_or(Some(""), |name| name.line(MAX_WORD))?)
        }
        _ => (item.line(MAX_WORD)?, ""),
    };
    let (all, mail) = (id == "all", id.contains('@'));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.+@".contains(&b);
    if id.is_empty() || !id.bytes().all(plain) {
        return item.bad("holds a character that nobody's id has");
    }
    if feishu && mail && bot.style != BotStyle::Card {
        let why = "an e-mail address is mentioned in cards only: add style = \"card\", or write an open id (ou_…)";
        return item.bad(why);
    }
    if feishu && !all && !mail && !id.starts_with("ou_") {
        return item.bad("must be \"all\", an open id (ou_…) or, in a card, an e-mail address");
    }
    if bot.service == BotService::Dingtalk && !all && id.contains(|c: char| !matches!(c, '0'..='9' | '+' | '-')) {
        return item.bad("must be \"all\" or the number of a mobile phone");
    }
    if bot.service == BotService::Wecom && bot.style != BotStyle::Text && is_mobile(id) {
        return item.bad("numbers are mentioned in text only: leave out style, or write a user id");
    }
    Some(Mention { id: id.to_owned(), name: name.to_owned() })
}

fn button(item: &Item<'_>, style: BotStyle) -> Option<Button> {
    if style != BotStyle::Card {
        return item.bad("stands below cards only: add style = \"card\"");
    }
    let mut table = item.table()?;
    let (text, url) = (table.need("text", ""), table.need("url", ""));
    table.finish();
    let text = text.and_then(|text| text.line(MAX_WORD));
    let item = url?;
    let url = address(&item, &Secret::new(item.text()?))?.text;
    if unknown_field(&url).is_some() {
        return item.bad(NO_FIELD);
    }
    Some(Button { text: text?.to_owned(), url: Secret::new(url) })
}
