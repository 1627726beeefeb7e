//! The configuration as its users meet it: the example, the original's file, and everything that can be wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its files has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use interrupt_callback::config::plan::{BotStyle, ChannelKind, Cloud, Language, Template};
use interrupt_callback::config::{self, Env, Plan, Source};
use interrupt_callback::run::threads;

mod bots;
mod callback;
mod example;
#[cfg(feature = "status")]
mod http;
#[cfg(feature = "jobs")]
mod jobs;
mod leaks;
mod readme;
mod services;
mod wrong;

/// The example file of the original program's documentation.
const ORIGINAL: &str = r#"
name = "ikun101"
provider = "AliCloud"
interval = 10

[alert.feishu]
webhook = "https://open.feishu.cn/open-apis/bot/v2/hook/…"
secret = "…"

[keepalive]
period = 30

[keepalive.server]
key = "hello"
num = 2

[keepalive.client]
uri = "ic://default:hello@172.16.101.10:9080"
"#;

/// A folder that is gone at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("ic-config-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn env() -> Env {
    Env::new(false, &[("HOME", "/home/u"), ("KEY_IN_ENV", "a-key-of-enough-bytes"), ("EMPTY", "")])
}

fn good(text: &str) -> Plan {
    config::parse(text, "c.toml", &env()).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"))
}

fn lines(text: &str) -> Vec<String> {
    match config::parse(text, "c.toml", &env()) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn the_originals_example_means_the_same() {
    if !cfg!(feature = "tls") {
        let told = lines(ORIGINAL);
        assert!(
            matches!(&told[..], [line] if line.starts_with("c.toml:7: alert.feishu.webhook: https needs")),
            "{told:?}"
        );
        return;
    }
    let plan = good(ORIGINAL);
    assert_eq!(plan.name, "ikun101");
    let spot = plan.spot.unwrap();
    assert_eq!((spot.cloud, spot.interval, spot.endpoint), (Cloud::AliCloud, Duration::from_secs(10), None));
    let server = plan.server.unwrap();
    assert_eq!((server.key.reveal(), server.num, server.period), ("hello", 2, Duration::from_secs(30)));
    assert_eq!(server.listen, ["[::]:9080".parse().unwrap()]);
    assert_eq!(plan.clients[0].uri.label(), "ic://default@172.16.101.10:9080");
    assert_eq!(plan.clients[0].uri.key.reveal(), "hello");
    let [feishu] = &plan.channels[..] else { panic!("{:?}", plan.channels) };
    assert_eq!((feishu.language, feishu.per_minute, feishu.timeout), (Language::Zh, Some(90), Duration::from_secs(15)));
    let ChannelKind::Bot(bot) = &feishu.kind else { panic!("{feishu:?}") };
    assert_eq!(bot.url.reveal(), "https://open.feishu.cn/open-apis/bot/v2/hook/%E2%80%A6");
    assert_eq!((bot.secret.reveal(), bot.style), ("…", BotStyle::Rich));
    assert_eq!(plan.warnings, ["c.toml:14: keepalive.server.key: is shorter than 16 bytes and can be guessed"]);
}

#[test]
fn an_empty_file_has_nothing_to_do() {
    let plan = good("");
    assert!(plan.idle().unwrap().contains("[keepalive.server]"));
    assert!(!plan.tells());
    assert_eq!(plan.channels.len(), 1);
    assert_eq!((plan.channels[0].name.as_str(), &plan.channels[0].kind), ("log", &ChannelKind::Log));
    assert_eq!(plan.state_dir, Path::new("/home/u/.local/state/interrupt-callback"));
    assert_eq!(plan.control, Path::new("/home/u/.local/state/interrupt-callback/control.sock"));
    assert_eq!(plan.log, "info");
    assert!(good("provider = \"LocalHost\"\ninterval = 3\n[alert.log]\n").idle().is_some());
    for busy in ["provider = \"AliCloud\"", "[keepalive.server]", "[keepalive.client]\nuri = \"ic://vps\""] {
        assert_eq!(good(busy).idle(), None, "{busy}");
    }
}

#[test]
fn defaults_of_the_sections() {
    let plan = good("[keepalive.server]\n[keepalive.client]\nuri = \"ic://vps\"\n[alert.command]\nargv = [\"x\"]");
    let server = plan.server.unwrap();
    assert_eq!(
        (server.num, server.grace, server.forget),
        (4, Duration::from_secs(5), Duration::from_secs(30 * 86_400))
    );
    assert!(server.key.is_empty() && !server.tell_stopped && server.users.is_empty());
    assert_eq!((server.hold, server.remind), (Duration::from_secs(120), None));
    assert!(server.old_key.is_none() && server.expect.is_empty() && server.windows.is_empty());
    assert_eq!(plan.upstream, None);
    let client = &plan.clients[0];
    assert_eq!((client.period, client.protocol), (Duration::from_secs(30), 2));
    assert_eq!(client.back_in, Duration::from_secs(600));
    let channel = &plan.channels[0];
    assert_eq!((channel.timeout, channel.per_minute, channel.language), (Duration::from_secs(30), None, Language::En));
    assert_eq!(plan.warnings.len(), 1);
    assert!(plan.warnings[0].contains("keepalive.server.key: IS EMPTY: everyone"), "{:?}", plan.warnings);
}

#[test]
fn files_from_other_systems() {
    let plan = good(
        "\u{feff}name = \"x\"\r\n[keepalive]\r\nperiod = 7\r\n[keepalive.server]\r\nkey = '''\r\na-long-key-to-read'''\r\n",
    );
    assert_eq!((plan.name.as_str(), plan.server.unwrap().key.reveal()), ("x", "a-long-key-to-read"));
}

#[test]
fn languages() {
    let text = "language = \"en\"\n[alert.feishu]\nwebhook = \"http://127.0.0.1/x\"\nsecret = \"\"\n\
                [alert.log]\nlanguage = \"zh\"\n";
    let spoken: Vec<Language> = good(text).channels.iter().map(|channel| channel.language).collect();
    assert_eq!(spoken, [Language::En, Language::Zh]);
    assert_eq!(good("language = \"zh\"").channels[0].language, Language::Zh);
}

#[test]
fn durations_and_numbers() {
    let period = |text: &str| good(&format!("[keepalive]\nperiod = {text}\n[keepalive.server]")).server.unwrap().period;
    for (text, ms) in
        [("30", 30_000), ("0.3", 300), ("\"500ms\"", 500), ("\"5m\"", 300_000), ("1_0", 10_000), ("0x10", 16_000)]
    {
        assert_eq!(period(text), Duration::from_millis(ms), "{text}");
    }
}

#[test]
fn ports_and_addresses() {
    let listen = |text: &str, env: &Env| {
        let plan = config::parse(&format!("[keepalive.server]\n{text}"), "c.toml", env).unwrap();
        plan.server.unwrap().listen.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(listen("listen = \":7000\"", &env()), "[::]:7000");
    assert_eq!(listen("listen = [\"127.0.0.1\", \"[::1]:1\"]", &env()), "127.0.0.1:9080 [::1]:1");
    let port = Env::new(true, &[("SERVER_PORT", "81")]);
    assert_eq!(listen("", &port), "[::]:81");
    assert_eq!(listen("listen = [\"127.0.0.1:1\", \"127.0.0.1:2\"]", &port), "127.0.0.1:81");
    let bad = Env::new(true, &[("SERVER_PORT", "http")]);
    let problems = config::parse("", "c.toml", &bad).unwrap_err();
    assert_eq!(problems[0].to_string(), "SERVER_PORT: \"http\" is no port number from 0 to 65535");
}

#[test]
fn bodies() {
    let body = |body: &str| {
        let plan = good(&format!("[alert.webhook]\nurl = \"http://[::1]/{{kind}}\"\nbody = {body}\n"));
        let ChannelKind::Webhook(webhook) = plan.channels.into_iter().next().unwrap().kind else { panic!("{body}") };
        webhook.body.unwrap()
    };
    let json = |value: &str| Template::Json(serde_json::from_str(value).unwrap());
    assert_eq!(
        body("{ a = \"{title}\", b = [1, 2.5, true], c.d = 2026-05-01 }"),
        json(r#"{"a":"{title}","b":[1,2.5,true],"c":{"d":"2026-05-01"}}"#)
    );
    assert_eq!(body("'{\"a\": \"{text}\"}'"), json(r#"{"a":"{text}"}"#));
    assert_eq!(body("'title={title}&x={ y }'"), Template::Text("title={title}&x={ y }".to_owned()));
}

#[test]
fn files_that_cannot_be_read() {
    let folder = Folder::new("files");
    let load = |path: &str, env: &Env| match config::load(&Source::find(Some(Path::new(path)), env), env) {
        Ok(plan) => plan.warnings,
        Err(problems) => problems.iter().map(|problem| problem.to_string().replace(path, "FILE")).collect(),
    };
    let none = folder.0.join("none").to_str().unwrap().to_owned();
    assert_eq!(load(&none, &env()), ["FILE: cannot read the file: No such file or directory (os error 2)"]);
    let dir = folder.0.to_str().unwrap();
    assert_eq!(load(dir, &env()), ["FILE: cannot read the file: Is a directory (os error 21)"]);
    let large = folder.write("large", &"#".repeat(1024 * 1024 + 1));
    assert_eq!(load(&large, &env()), ["FILE: cannot read the file: it has more than 1048576 bytes"]);
    let path = folder.0.join("binary");
    fs::write(&path, b"name = \"x\"\n\xff\n").unwrap();
    assert_eq!(load(path.to_str().unwrap(), &env()), ["FILE:2: is not UTF-8 text"]);

    let named = Env::new(false, &[("CONFIG_PATH", &none)]);
    let problems = config::load(&Source::find(None, &named), &named).unwrap_err();
    assert!(problems[0].to_string().contains("none: cannot read the file"), "{problems:?}");
    let option = folder.write("option", "name = 3");
    let source = Source::find(Some(Path::new(&option)), &named);
    assert_eq!(source, Source { path: option.into(), named: true });
    assert_eq!(Source::find(None, &env()), Source { path: "/etc/ic/config.toml".into(), named: false });
    let unnamed = Source { path: none.into(), named: false };
    assert!(config::load(&unnamed, &env()).unwrap().idle().is_some());
}

#[test]
fn secrets_from_elsewhere() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("secrets");
    let credentials = Folder::new("credentials");
    let chmod = |path: &str, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let beside = folder.write("key", "beside-the-file-itself\n");
    chmod(&beside, 0o600);
    let file = folder.write("config.toml", "[keepalive.server]\nkey = { file = \"key\" }\n");
    chmod(&file, 0o644);
    let key = |env: &Env| {
        let plan = config::load(&Source::find(Some(Path::new(&file)), env), env).unwrap();
        (plan.server.unwrap().key.reveal().to_owned(), plan.warnings)
    };
    assert_eq!(key(&env()), ("beside-the-file-itself".to_owned(), vec![]));
    chmod(&beside, 0o604);
    let readable = format!("{file}:2: keepalive.server.key.file: {beside:?} is readable by everyone: chmod 600");
    assert_eq!(key(&env()).1, [readable]);
    credentials.write("key", "from-the-service-manager\r\n");
    let systemd = Env::new(false, &[("CREDENTIALS_DIRECTORY", credentials.0.to_str().unwrap())]);
    assert_eq!(key(&systemd), ("from-the-service-manager".to_owned(), vec![]));
    assert_eq!(good("[keepalive.server]\nkey = { env = \"KEY_IN_ENV\" }").server.unwrap().key.reveal().len(), 21);

    fs::write(&beside, "\n").unwrap();
    let problems = config::load(&Source::find(Some(Path::new(&file)), &env()), &env()).unwrap_err();
    assert!(problems[0].to_string().ends_with("key\" is empty"), "{problems:?}");

    fs::write(&file, "[keepalive.server]\nkey = \"a-key-in-the-file-itself\"\n").unwrap();
    assert_eq!(
        key(&env()).1,
        [format!("{file}: every user of this machine can read the secrets in it; run: chmod 600 {file}")]
    );
    chmod(&file, 0o640);
    assert_eq!(key(&env()).1, [""; 0]);
}

#[test]
fn what_is_unwise_is_told() {
    for (text, want) in [
        (
            "[keepalive.server]\nlisten = \"127.0.0.1\"",
            "c.toml:1: keepalive.server.key: is empty: every local user may beat",
        ),
        (
            "[keepalive.server]\nkey = \"a-long-enough-key\"\n[keepalive.server.users.n]\nkey = \"short\"",
            "c.toml:4: \
          keepalive.server.users.n.key: is shorter than 16 bytes and can be guessed",
        ),
        (
            "[alert.webhook]\nurl = \"http://push.example.com/\"",
            "c.toml:2: alert.webhook.url: plain http over a public network: \
          everyone on the way can read it; use https",
        ),
        (
            "[alert.gotify]\nserver = \"http://push.example.com\"\ntoken = \"x\"",
            "c.toml:2: alert.gotify.server: plain http over a public network: everyone on the way can read it; use https",
        ),
        (
            "[alert.log]\nnot = [\"online\"]",
            "c.toml:2: alert.log.not: \"online\" has no effect here: who was told of a beginning \
          is told of its end",
        ),
        (
            "[keepalive.server]\nkey = \"a-long-enough-key\"\nnum = 1",
            "c.toml:3: keepalive.server.num: one lost packet is an alarm; 2 or more tell a silence from a hiccup",
        ),
        (
            "[keepalive.server]\nkey = \"a-long-enough-key\"\nold_key = \"a-long-enough-key\"",
            "c.toml:3: keepalive.server.old_key: is the same as key",
        ),
        (
            "[keepalive.server]\nkey = \"a-long-enough-key\"\nexpect = [\"web*\"]",
            "c.toml:3: keepalive.server.expect: is taken as it stands: names that are expected cannot be patterns",
        ),
        (
            "[keepalive.server]\nkey = \"a-long-enough-key\"\n[keepalive.upstream]\nurl = \"http://hc.example.com/\"",
            "c.toml:4: keepalive.upstream.url: plain http over a public network: everyone on the way can read it; use https",
        ),
        ("[keepalive]\nremind = \"6h\"", "c.toml:2: keepalive.remind: has no effect without [keepalive.server]"),
        ("[[window]]\ntime = \"1:00-2:00\"", "c.toml:1: window: has no effect without [keepalive.server]"),
        (
            "[keepalive.server]\nkey = \"a-long-enough-key\"\n[[window]]\ntime = \"0:00-24:00\"",
            "c.toml:3: window: is always open for all hosts: no silence is ever told",
        ),
    ] {
        assert_eq!(good(text).warnings, [want], "{text}");
    }
}

#[test]
fn windows_and_what_else_a_server_heeds() {
    let text = "[keepalive]\nperiod = 0.2\nhold = 0\nremind = \"6h\"\n[keepalive.server]\nkey = \"a-long-enough-key\"\n\
                old_key = { env = \"KEY_IN_ENV\" }\nexpect = [\"nas@home\", \"vps\", \"nas@home\"]\n\
                [keepalive.upstream]\nurl = \"http://127.0.0.1/ping/x\"\n\
                [[window]]\ndays = [\"mon\", \"sun\"]\ntime = \"23:00-01:30\"\nhosts = [\"web*\"]\n\
                [[window]]\ntime = \"03:00-03:00\"\ndays = [\"sat\"]\n";
    let plan = good(text);
    assert_eq!(plan.warnings, [""; 0]);
    let upstream = plan.upstream.unwrap();
    assert_eq!((upstream.url.reveal(), upstream.period), ("http://127.0.0.1/ping/x", Duration::from_secs(1)));
    let server = plan.server.unwrap();
    assert_eq!((server.hold, server.remind), (Duration::ZERO, Some(Duration::from_secs(6 * 3600))));
    assert_eq!(server.old_key.unwrap().reveal(), "a-key-of-enough-bytes");
    assert_eq!(server.expect, ["nas@home", "vps"]);
    let window = |hosts: &[&str], days, from, to| {
        let hosts = hosts.iter().map(|glob| (*glob).to_owned()).collect();
        interrupt_callback::config::plan::Window { hosts, days, from, to }
    };
    assert_eq!(server.windows, [window(&["web*"], 0b100_0001, 1380, 90), window(&[], 0b10_0000, 180, 180)]);
}

#[test]
fn pipes_are_read_and_endless_files_are_not() {
    use std::io::Write;
    let folder = Folder::new("pipes");
    let pipe = folder.0.join("pipe");
    if !std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: there is no mkfifo here");
        return;
    }
    let load = || config::load(&Source { path: pipe.clone(), named: true }, &env());
    let writer = threads::spawn("writer", threads::SMALL_STACK, {
        let pipe = pipe.clone();
        move || {
            let mut end = fs::OpenOptions::new().write(true).open(pipe).unwrap();
            end.write_all(b"name = \"from").unwrap();
            end.write_all(b"-a-pipe\"").unwrap();
        }
    })
    .unwrap();
    assert_eq!(load().unwrap().name, "from-a-pipe");
    writer.join().unwrap();
    let endless = config::load(&Source { path: "/dev/zero".into(), named: true }, &env()).unwrap_err();
    assert!(endless[0].to_string().ends_with("it has more than 1048576 bytes"), "{endless:?}");
}

#[test]
#[ignore = "long: it waits 10 s for a writer"]
fn a_pipe_that_nobody_writes_into_does_not_hang() {
    let folder = Folder::new("silent-pipe");
    let pipe = folder.0.join("pipe");
    if !std::process::Command::new("mkfifo").arg(&pipe).status().is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: there is no mkfifo here");
        return;
    }
    let problems = config::load(&Source { path: pipe, named: true }, &env()).unwrap_err();
    assert!(problems[0].to_string().ends_with("pipe: cannot read the file: nobody writes into it"), "{problems:?}");
}
