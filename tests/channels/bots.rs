//! Bots of chat services: Feishu, DingTalk, WeCom, Telegram.

mod answers;
pub mod daemon;
mod hostile;
mod long;

use interrupt_callback::alert::channel::http::Ready;
use interrupt_callback::clock::Wall;
use interrupt_callback::config::plan::ChannelPlan;
use interrupt_callback::event::{Event, Id, Kind, Moment};

use super::sheet::{NOW, golden, message, notice, plan, ready, recovery};

const FEISHU: &str =
    "[alert.feishu]\nwebhook = \"https://open.feishu.cn/open-apis/bot/v2/hook/tok\"\nsecret = \"demo\"\n";
const DINGTALK: &str = "[alert.dingtalk]\ntoken = \"tok-0123\"\nsecret = \"SECdemo\"\n";
const WECOM: &str = "[alert.wecom]\nkey = \"tok-0123\"\n";
const TELEGRAM: &str = "[alert.telegram]\ntoken = \"123456:AAH-tok-0123\"\nchat_id = -1001234567890\n";
const CARD: &str = "style = \"card\"\nat = [\"ou_ann\", \"bob@example.com\"]\n\
    button = { text = \"Look\", url = \"https://grafana.example.com/d/x?host={host}&t={title}\" }\n";
const NAMED: &str = "at = [\"all\", { id = \"ou_ann\", name = \"Ann <b>\" }]\n";

/// Every channel in every style, with and without what only it has.
const SHEETS: &[(&str, &str, &str)] = &[
    ("feishu-post", FEISHU, ""),
    ("feishu-post-at", FEISHU, NAMED),
    ("feishu-text", FEISHU, "style = \"text\"\nlanguage = \"en\"\nprefix = \"[ic]\"\n"),
    ("feishu-text-at", FEISHU, "style = \"text\"\nat = [\"all\", { id = \"ou_ann\", name = \"Ann <b>\" }]\n"),
    ("feishu-card", FEISHU, CARD),
    (
        "lark-card",
        "[alert.lark]\nwebhook = \"https://open.larksuite.com/open-apis/bot/v2/hook/tok\"\nsecret = \"\"\n",
        "style = \"card\"\nprefix = \"[ic]\"\n",
    ),
    ("dingtalk-text", DINGTALK, ""),
    ("dingtalk-text-at", DINGTALK, "at = [\"13800000000\", \"all\"]\n"),
    ("dingtalk-markdown", DINGTALK, "style = \"markdown\"\nat = [\"13800000000\", \"+1-555\"]\n"),
    ("wecom-text", WECOM, ""),
    ("wecom-text-at", WECOM, "at = [\"all\", \"zhang.san\", \"13800000000\"]\n"),
    ("wecom-markdown", WECOM, "style = \"markdown\"\nat = [\"zhang.san\", \"all\"]\n"),
    ("telegram", TELEGRAM, ""),
    ("telegram-thread", TELEGRAM, "thread = 7\nserver = \"https://tg.example.com/relay/\"\nlanguage = \"zh\"\n"),
];

fn body(ready: &Ready) -> serde_json::Value {
    serde_json::from_slice(ready.body.as_deref().unwrap()).unwrap()
}

fn of(sheet: &str) -> ChannelPlan {
    let (_, head, more) = SHEETS.iter().find(|(name, ..)| *name == sheet).unwrap();
    plan(&[*head, more].concat())
}

#[test]
fn requests_are_as_written_down() {
    for (name, head, more) in SHEETS {
        let plan = plan(&[*head, more].concat());
        golden(name, &ready(&plan, &notice("web-1@vm")));
        golden(&[name, "-over"].concat(), &ready(&plan, &recovery("web-1@vm")));
    }
}

#[test]
fn a_card_has_the_colour_of_its_message() {
    let plan = of("feishu-card");
    for (kind, colour) in [
        (Kind::Interrupt, "red"),
        (Kind::Offline, "red"),
        (Kind::Rebooted, "orange"),
        (Kind::Blind, "orange"),
        (Kind::Online, "green"),
        (Kind::Forgotten, "green"),
        (Kind::Stopped, "blue"),
        (Kind::Test, "blue"),
    ] {
        let told = message(Event::new(kind, Id(1), "x", Moment::at(NOW.tick, &NOW)));
        let body = body(&ready(&plan, &told));
        assert_eq!(body["card"]["header"]["template"], colour, "{kind:?}");
        // Nobody is called for what can wait; but a test shows whom it would call.
        let calls = body.to_string().contains("<at id=ou_ann>");
        assert_eq!(calls, matches!(colour, "red" | "orange") || kind == Kind::Test, "{kind:?}");
    }
}

#[test]
fn telegram_is_silent_for_what_can_wait() {
    let plan = of("telegram");
    for (kind, silent) in [
        (Kind::Offline, false),
        (Kind::Rebooted, false),
        (Kind::Online, true),
        (Kind::Stopped, true),
        (Kind::Test, false),
    ] {
        let told = message(Event::new(kind, Id(1), "失🔑x", Moment::at(NOW.tick, &NOW)));
        let body = body(&ready(&plan, &told));
        assert_eq!(body["disable_notification"], silent, "{kind:?}");
        let title = body["text"].as_str().unwrap().lines().next().unwrap();
        assert_eq!(body["entities"][0]["length"], title.encode_utf16().count(), "{title}");
    }
}

#[test]
fn signatures_stand_where_each_service_wants_them() {
    let dingtalk = ready(&of("dingtalk-text"), &notice("x"));
    let base = "https://oapi.dingtalk.com/robot/send?access_token=tok-0123&timestamp=1795226400000&sign=";
    let sign = dingtalk.url.strip_prefix(base).unwrap();
    assert!(!sign.contains(['+', '/', '=']) && sign.ends_with("%3D"), "{sign}");
    assert_eq!(dingtalk.signed, Some(NOW.wall));
    let feishu = ready(&of("feishu-post"), &notice("x"));
    assert_eq!((body(&feishu)["timestamp"].as_str(), feishu.signed), (Some("1795226400"), Some(NOW.wall)));
    let bare = plan("[alert.dingtalk]\nwebhook = \"https://oapi.dingtalk.com/robot/send?access_token=tok\"\n");
    let bare = ready(&bare, &notice("x"));
    assert_eq!((&*bare.url, bare.signed), ("https://oapi.dingtalk.com/robot/send?access_token=tok", None));
}

#[test]
fn a_signature_has_the_time_of_the_service_if_the_own_clock_is_off() {
    use interrupt_callback::alert::channel::{ChannelState, prepare};
    use interrupt_callback::zone::Zone;
    let late = Wall(NOW.wall.0 + 7_200_000);
    let mut state = ChannelState::default();
    state.hear(late, &NOW);
    for sheet in ["feishu-post", "dingtalk-text"] {
        let ready = prepare(&of(sheet), &notice("x"), &state, &NOW, &Zone::utc()).unwrap();
        assert_eq!(ready.signed, Some(late), "{sheet}");
        let sent = [&ready.url, str::from_utf8(ready.body.as_deref().unwrap()).unwrap()].concat();
        assert!(sent.contains("1795233600"), "{sent}");
    }
}

#[test]
fn a_link_that_grows_too_long_is_left_out() {
    let plan = plan(
        &[FEISHU, "style = \"card\"\nbutton = { text = \"x\", url = \"http://[::1]/", &"{text}".repeat(600), "\" }"]
            .concat(),
    );
    let ready = ready(&plan, &notice("x"));
    assert!(ready.body.as_ref().unwrap().len() < 2000);
    assert_eq!(body(&ready)["card"]["elements"].as_array().unwrap().len(), 1);
}
