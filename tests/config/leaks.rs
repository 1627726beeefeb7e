//! What a slip of the pen may not bring to light.

use interrupt_callback::config::{Env, parse};

/// Every kind of secret, in every way to write it.
const FILE: &str = "\
name = \"vps\"
[keepalive.server]
key = \"SECRET-1-a1b2c3d4e5\"
old_key = \"SECRET-2-a1b2c3d4e5\"
users.nas = { key = \"SECRET-3-a1b2c3d4e5\", host = \"nas@home\" }
[keepalive.server.users.web]
key = 'SECRET-4-a1b2c3d4e5'
old_key = '''SECRET-5-a1b2c3d4e5'''
[keepalive.client]
uris = [\"ic://default:SECRET-6-a1b2c3d4e5@192.0.2.1:9080\", \"ic://nas:SECRET-7-a1b2c3d4e5@[2001:db8::1]\"]
[keepalive.upstream]
url = \"https://hc.example.org/ping/SECRET-9-a1b2c3d4e5?x=SECRET-10-a1b2c3d4e5\"
[alert.feishu]
webhook = \"https://open.feishu.cn/open-apis/bot/v2/hook/SECRET-11-a1b2c3d4e5\"
secret = \"SECRET-12-a1b2c3d4e5\"
[alert.dingtalk]
token = \"SECRET-16-a1b2c3d4e5\"
secret = \"SECRET-17-a1b2c3d4e5\"
[alert.wecom]
webhook = \"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=SECRET-18-a1b2c3d4e5\"
at = [\"all\"]
[alert.telegram]
token = \"123456:SECRET-19-a1b2c3d4e5\"
chat_id = -100
[alert.hook]
kind = \"webhook\"
url = \"https://hooks.example.org/SECRET-13-a1b2c3d4e5\"
headers = { Authorization = \"Bearer SECRET-14-a1b2c3d4e5\" }
body = { token = \"SECRET-15-a1b2c3d4e5\", text = \"{title}\" }
proxy = \"http://me:SECRET-16-a1b2c3d4e5@proxy.example.org:3128\"
[alert.matrix]
server = \"http://10.0.0.1\"
token = \"SECRET-17-a1b2c3d4e5\"
room = \"SECRET-18-a1b2c3d4e5\"
[[callback]]
on = [\"interrupt\"]
run = [\"save\"]
env = { TOKEN = \"SECRET-16-a1b2c3d4e5\" }
[[callback]]
on = [\"offline\"]
url = \"https://hooks.example.org/SECRET-17-a1b2c3d4e5\"
after = \"callback-1\"
";

/// The same of the other channels.
const SERVICES: &str = "\
keepalive.server.key = \"SECRET-40-a1b2c3d4e5\"
[alert.lark]
style = \"card\"
webhook = \"https://open.larksuite.com/open-apis/bot/v2/hook/SECRET-20-a1b2c3d4e5\"
secret = \"SECRET-21-a1b2c3d4e5\"
button = { text = \"Look\", url = \"https://x.example.org/SECRET-22-a1b2c3d4e5\" }
[alert.email]
server = \"smtp.example.org\"
user = \"me@example.org\"
password = \"SECRET-23-a1b2c3d4e5\"
to = [\"a@example.org\"]
[alert.slack]
url = \"https://hooks.slack.com/services/SECRET-24-a1b2c3d4e5\"
[alert.discord]
url = \"https://discord.com/api/webhooks/1/SECRET-25-a1b2c3d4e5\"
[alert.teams]
url = \"https://flow.example.org/x?sig=SECRET-26-a1b2c3d4e5\"
[alert.bark]
device_key = \"SECRET-27-a1b2c3d4e5\"
authorization = \"Basic SECRET-28-a1b2c3d4e5\"
[alert.ntfy]
topic = \"SECRET-29-a1b2c3d4e5\"
token = \"SECRET-30-a1b2c3d4e5\"
[alert.gotify]
server = \"http://10.0.0.1\"
token = \"SECRET-31-a1b2c3d4e5\"
[alert.pushover]
token = \"SECRET-32-a1b2c3d4e5\"
user = \"SECRET-33-a1b2c3d4e5\"
[alert.serverchan]
key = \"sctp1tSECRET-34-a1b2c3d4e5\"
[alert.pushplus]
token = \"SECRET-35-a1b2c3d4e5\"
topic = \"SECRET-36-a1b2c3d4e5\"
[alert.letserverrun]
token = \"SECRET-37-a1b2c3d4e5\"
[alert.pagerduty]
routing_key = \"SECRET-38-a1b2c3d4e5\"
[alert.healthchecks]
url = \"https://hc-ping.com/SECRET-39-a1b2c3d4e5\"
";
/// The same of agent and jobs.
#[cfg(feature = "jobs")]
const JOBS: &str = "\
[agent.queue]
url = \"https://queue.example.org/SECRET-18-a1b2c3d4e5\"
token = \"SECRET-19-a1b2c3d4e5\"
[[agent.shortcut]]
message = \"off\"
shell = \"login SECRET-20-a1b2c3d4e5\"
[[agent.template]]
name = \"say\"
parameters = [\"what\"]
run = [\"say\", \"SECRET-21-a1b2c3d4e5\", \"{what}\"]
[[job]]
name = \"ping\"
url = \"https://hooks.example.org/SECRET-22-a1b2c3d4e5\"
headers = { Authorization = \"Bearer SECRET-23-a1b2c3d4e5\" }
";
#[cfg(not(feature = "jobs"))]
const JOBS: &str = "";

/// A part of a secret is as bad as the whole.
fn shows_a_secret(text: &str) -> bool {
    text.contains("a1b2c") || text.contains("b2c3d4")
}

#[test]
fn no_slip_shows_a_secret() {
    slips(4);
}

#[test]
#[ignore = "long: every piece at every byte"]
fn no_slip_at_all_shows_a_secret() {
    slips(1);
}

/// Makes slips of all kinds; at every byte one of `share` of the pieces.
fn slips(share: usize) {
    let env = Env::default();
    let file = &*[FILE, JOBS].concat();
    assert!(parse(file, "c.toml", &env).is_ok());
    assert!(parse(SERVICES, "c.toml", &env).is_ok());
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |n: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % n as u64) as usize
    };
    const PIECES: [&str; 16] = ["", "\"", "'", "=", ".", "\n", "[", "]", "{", "}", ",", "#", ":", " ", "@", "\u{202e}"];
    let mut leaks: Vec<String> = Vec::new();
    let mut one = |text: &str| {
        let told = match parse(text, "c.toml", &env) {
            Ok(plan) => plan.warnings,
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        };
        leaks.extend(told.into_iter().filter(|line| shows_a_secret(line)));
    };
    // Every byte left out, doubled by a piece, or taken by one; then heavier hands.
    for at in 0..file.len() {
        for piece in PIECES.iter().skip(at % share).step_by(share) {
            one(&[&file[..at], piece, &file[at + 1..]].concat());
            one(&[&file[..at], piece, &file[at..]].concat());
        }
    }
    for at in 0..SERVICES.len() {
        let piece = PIECES[below(PIECES.len())];
        one(&[&SERVICES[..at], piece, &SERVICES[at + 1..]].concat());
        one(&[&SERVICES[..at], piece, &SERVICES[at..]].concat());
    }
    for (what, slip) in [
        ("kind = \"webhook\"", "kind = \"https://hooks.example.org/a1b2c3d4e5\""),
        ("secret = \"", "secret.env = \""),
        ("hc.example.org", "user:a1b2c3d4e5@hc.example.org"),
        ("users.nas = {", "users.nas = \"a1b2c3d4e5\" #"),
        ("ic://nas:", "ic:/nas:"),
        ("\"ic://nas:", "\"nas:"),
    ] {
        assert!(file.contains(what));
        one(&file.replace(what, slip));
    }
    for _ in 0..3000 {
        let mut text = file.to_owned();
        for _ in 0..1 + below(4) {
            let at = below(text.len());
            let end = (at + below(12)).min(text.len());
            if text.is_char_boundary(at) && text.is_char_boundary(end) {
                text.replace_range(at..end, PIECES[below(PIECES.len())]);
            }
        }
        one(&text);
    }
    leaks.sort();
    leaks.dedup();
    assert!(leaks.is_empty(), "{} leaks: {leaks:#?}", leaks.len());
}
