//! Bots of chat services: what can be wrong with them, and what is unwise.

use interrupt_callback::config::plan::{BotPlan, BotStyle, ChannelKind, Language};

use super::{good, lines};

const HOOK: &str = "webhook = \"http://[::1]/v2/x\"\nsecret = \"\"\n";
const ROBOT: &str = "webhook = \"http://[::1]/robot/send?access_token=x\"\n";
const GROUP: &str = "webhook = \"http://[::1]/send?key=x\"\n";
const CHAT: &str = "token = \"1:a\"\nchat_id = 1\nserver = \"http://[::1]\"\n";

/// Kind, what stands before the line that is wrong, that line, and what is said of it.
const WRONG: &[(&str, &str, &str, &str)] = &[
    ("feishu", HOOK, "style = \"cart\"", "style: \"cart\" is not known; did you mean \"card\"?"),
    ("feishu", HOOK, "at = \"all\"", "at: must be a list, not text"),
    ("feishu", HOOK, "at = [\"hunter\"]", "at: must be \"all\", an open id (ou_…) or, in a card, an e-mail address"),
    (
        "lark",
        HOOK,
        "at = [\"hunter@x\"]",
        "at: an e-mail address is mentioned in cards only: add style = \"card\", or write an open id (ou_…)",
    ),
    ("feishu", HOOK, "at = [\"ou_hunter>\"]", "at: holds a character that nobody's id has"),
    ("feishu", HOOK, "at = [{ id = \"ou_x\", nam = \"y\" }]", "at.nam: unknown key; did you mean \"name\"?"),
    ("feishu", HOOK, "at = [{ name = \"y\" }]", "at.id: missing"),
    (
        "feishu",
        HOOK,
        "button = { text = \"x\", url = \"http://h\" }",
        "button: stands below cards only: add style = \"card\"",
    ),
    (
        "feishu",
        "style = \"card\"\n",
        "webhook = \"http://[::1]/bot/hook/x\"\nsecret = \"\"",
        "webhook: is a hook of version 1, which takes no such messages; make a new custom bot, its address has /v2/",
    ),
    ("dingtalk", "", "style = \"text\"", "token: missing; or write webhook = \"https://…\""),
    ("dingtalk", ROBOT, "token = \"hunter\"", "token: stands beside webhook; one of the two is enough"),
    (
        "dingtalk",
        "",
        "token = \"https://hunter.example.com/x\"",
        "token: is not the token alone; a whole address goes into webhook",
    ),
    ("dingtalk", "", "token = \"\"", "token: is not the token alone; a whole address goes into webhook"),
    (
        "dingtalk",
        "",
        "webhook = \"http://[::1]/robot/send?hunter\"",
        "webhook: has no access_token=… in it; take the whole address that the robot shows",
    ),
    (
        "dingtalk",
        "",
        "webhook = \"http://[::1]/?access_token=x&timestamp=1&sign=hunter\"",
        "webhook: has a signature, which soon lapses; leave out timestamp and sign, and set secret",
    ),
    ("dingtalk", ROBOT, "at = [\"hunter\"]", "at: must be \"all\" or the number of a mobile phone"),
    ("dingtalk", ROBOT, "style = \"post\"", "style: \"post\" is not known; known are text, markdown"),
    ("wecom", "", "at = []", "key: missing; or write webhook = \"https://…\""),
    (
        "wecom",
        "",
        "webhook = \"http://[::1]/send\"",
        "webhook: has no key=… in it; take the whole address that the robot shows",
    ),
    ("wecom", GROUP, "at = [\"\"]", "at: holds a character that nobody's id has"),
    (
        "wecom",
        GROUP,
        "button = 3",
        "button: unknown key; keys here are kind, language, prefix, title, body, min_severity, only, not, hosts, per_minute, quiet, timeout, proxy, ca_file, key, webhook, style, at",
    ),
    (
        "telegram",
        "",
        "token = \"bot1:hunter\"\nchat_id = 1\nserver = \"http://[::1]\"",
        "token: is no token of a bot; it looks like 123456:ABC-DEF, without the word bot before it",
    ),
    (
        "telegram",
        "",
        "token = \"1:hunter/x\"\nchat_id = 1\nserver = \"http://[::1]\"",
        "token: is no token of a bot; it looks like 123456:ABC-DEF, without the word bot before it",
    ),
    (
        "telegram",
        "server = \"http://[::1]\"\ntoken = \"1:a\"\n",
        "chat_id = \"hunter\"",
        "chat_id: must be the number of a chat, or \"@name\" of a channel",
    ),
    (
        "telegram",
        "server = \"http://[::1]\"\ntoken = \"1:a\"\n",
        "chat_id = true",
        "chat_id: must be text in quotes, not true or false",
    ),
    ("telegram", CHAT, "thread = 0", "thread: 0 is out of range; it goes from 1 to 4294967295"),
    (
        "telegram",
        "token = \"1:a\"\nchat_id = 1\n",
        "server = \"tg.example.com\"",
        "server: must begin with http:// or https://",
    ),
    (
        "telegram",
        "token = \"1:a\"\nchat_id = 1\n",
        "server = \"http://[::1]/?hunter\"",
        "server: may have no ? and no #",
    ),
];

#[test]
fn what_can_be_wrong_with_bots() {
    for (kind, before, line, want) in WRONG {
        let text = format!("[alert.{kind}]\n{before}{line}");
        let told = lines(&text);
        assert_eq!(told.len(), 1, "{text}\n{told:#?}");
        assert!(told[0].ends_with(&format!(": alert.{kind}.{want}")), "{text}\n{told:#?}");
        assert!(!told[0].contains("hunter"), "{told:#?}");
    }
    let both = "[alert.telegram]\ntoken = \"x\"\nserver = \"http://[::1]\"\nthread = 0";
    assert_eq!(lines(both).len(), 3, "{:#?}", lines(both));
    let told =
        lines("[alert.feishu]\nwebhook = \"https://oapi.dingtalk.com/robot/send?access_token=x\"\nsecret = \"\"");
    let want = if cfg!(feature = "tls") { "another service: kind = \"dingtalk\"" } else { "needs the feature" };
    assert!(told.len() == 1 && told[0].contains(want), "{told:#?}");
}

fn bot(text: &str) -> (BotPlan, Language, Option<u32>) {
    let mut plan = good(text);
    let channel = plan.channels.remove(0);
    let ChannelKind::Bot(bot) = channel.kind else { panic!("{text}") };
    (bot, channel.language, channel.per_minute)
}

#[test]
fn what_bots_are_without_being_told() {
    for (kind, keys, language, per_minute, style) in [
        ("feishu", HOOK, Language::Zh, 90, BotStyle::Rich),
        ("lark", HOOK, Language::En, 90, BotStyle::Rich),
        ("dingtalk", ROBOT, Language::Zh, 20, BotStyle::Text),
        ("wecom", GROUP, Language::Zh, 20, BotStyle::Text),
        ("telegram", CHAT, Language::En, 20, BotStyle::Text),
    ] {
        let (bot, spoken, rate) = bot(&format!("[alert.x]\nkind = \"{kind}\"\n{keys}"));
        assert_eq!((bot.name, spoken, rate, bot.style), (kind, language, Some(per_minute), style));
    }
    if cfg!(feature = "tls") {
        for (text, url) in [
            ("[alert.dingtalk]\ntoken = \"a+b\"", "https://oapi.dingtalk.com/robot/send?access_token=a%2Bb"),
            ("[alert.wecom]\nkey = \"a-b\"", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=a-b"),
            ("[alert.telegram]\ntoken = \"1:a\"\nchat_id = \"@x\"", "https://api.telegram.org/bot1:a/sendMessage"),
        ] {
            assert_eq!(bot(text).0.url.reveal(), url);
        }
    }
}

#[test]
fn what_is_unwise_about_bots() {
    let told = good(&format!("[alert.dingtalk]\n{ROBOT}secret = \"hunter\"")).warnings;
    let want = "c.toml:3: alert.dingtalk.secret: does not begin with SEC; take the whole secret that the robot's \
                settings show for signing";
    assert_eq!(told, [want]);
    assert_eq!(good(&format!("[alert.dingtalk]\n{ROBOT}secret = \"\"")).warnings, [""; 0]);
    let told = good("[alert.telegram]\ntoken = \"1:hunter\"\nchat_id = 1\nserver = \"http://tg.example.com\"").warnings;
    assert!(told.len() == 1 && told[0].starts_with("c.toml:4: alert.telegram.server: plain http"), "{told:#?}");
}
