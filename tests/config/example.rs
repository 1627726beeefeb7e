//! The example file, and what becomes of it when somebody's hand slips.

use std::collections::BTreeSet;

use base64::Engine as _;
use interrupt_callback::alert::channel::presets::PRESETS;
use interrupt_callback::config::plan::Quiet;
use interrupt_callback::config::{self, Env};
use interrupt_callback::event::Kind;
use interrupt_callback::run::threads;

use super::Folder;
use super::{env, lines};

const EXAMPLE: &str = include_str!("../../config.example.toml");

/// The example with every key switched on; without the sections that this binary does not know.
fn switched_on() -> String {
    let (mut on, mut known) = (Vec::new(), true);
    for line in EXAMPLE.lines() {
        let line = match line.strip_prefix('#') {
            Some(key) if !key.is_empty() && !key.starts_with(' ') => key,
            _ => line,
        };
        if line.starts_with('[') {
            known = is_known(line.trim_matches(['[', ']']));
        }
        on.extend(Some(line).filter(|_| known));
    }
    on.join("\n")
}

/// Whether this binary knows the section.
fn is_known(section: &str) -> bool {
    match section.split('.').next() {
        Some("agent" | "job") => cfg!(feature = "jobs"),
        Some("probe" | "resource") => cfg!(feature = "probes"),
        Some("http") => cfg!(feature = "status"),
        _ => true,
    }
}

#[test]
fn the_example_is_valid_as_it_is() {
    let plan = config::parse(EXAMPLE, "config.example.toml", &env()).unwrap();
    assert_eq!(plan.warnings, [""; 0]);
    assert_eq!(plan.idle(), None);
    assert!(plan.server.unwrap().listen[0].ip().is_loopback());
    assert_eq!(plan.clients[0].uri.label(), "ic://default@127.0.0.1:9080");
}

#[test]
fn the_example_is_valid_with_every_key() {
    if !cfg!(all(feature = "tls", feature = "email")) {
        // Some keys are errors then.
        return;
    }
    let credentials = Folder::new("example");
    credentials.write("nas.key", "a-key-for-the-nas-alone");
    let env = Env::new(
        true,
        &[
            ("CREDENTIALS_DIRECTORY", credentials.0.to_str().unwrap()),
            ("OLD_NAS_KEY", "the-key-that-it-had-before"),
            ("OLD_KEY", "the-key-of-all-the-others"),
            ("FEISHU_SECRET", "x"),
            ("DINGTALK_TOKEN", "x"),
            ("DINGTALK_SECRET", "SECx"),
            ("WECOM_KEY", "x"),
            ("TELEGRAM_TOKEN", "123456:ABC-DEF"),
            ("PUSH_TOKEN", "Bearer x"),
            ("SMTP_PASSWORD", "x"),
            ("QUEUE_TOKEN", "x"),
            ("HTTP_TOKEN", "a-token-for-prometheus"),
            ("HTTP_PASSWORD", "a-password-for-browsers"),
            ("WEB1_TOKEN", "a-token-of-an-agent"),
            ("PING_TOKEN", "a-token-of-the-backup"),
        ],
    );
    credentials.write("our-authority.pem", &authority());
    let file = ["ca_file = \"", credentials.0.to_str().unwrap(), "/our-authority.pem\""].concat();
    let text = match cfg!(feature = "tls") {
        true => switched_on().replace("ca_file = \"our-authority.pem\"", &file),
        false => switched_on().replace("https://", "http://10.0.0.1/").replace("ca_file = \"our-authority.pem\"", ""),
    };
    let plan = config::parse(&text, "all.toml", &env).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(plan.warnings, [""; 0]);
    assert_eq!((plan.clients.len(), plan.channels.len(), plan.callbacks.len()), (2, 22, 3));
    #[cfg(feature = "jobs")]
    assert_eq!((plan.agent.unwrap().allow.entries.len(), plan.jobs.len()), (4, 2));
    assert_eq!(plan.channels.iter().find(|c| c.name == "ops").unwrap().only, [Kind::Interrupt, Kind::Offline]);
    assert!(plan.channels.iter().any(|c| c.quiet == Some(Quiet { from: 22 * 60, to: 7 * 60 })));
}

/// The certificate of an authority as PEM.
fn authority() -> String {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(certificate.der());
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

/// The tables of the HTTP listener.
const HTTP: [&str; 6] = ["http", "http.token", "http.basic", "http.event", "http.ping", "http.agent"];

/// What the reader knows, as it says itself when it meets a key that it does not know.
#[test]
fn the_example_has_every_key_there_is() {
    let mut sections = vec![
        "",
        "spot",
        "keepalive",
        "keepalive.server",
        "keepalive.server.users.nas",
        "keepalive.client",
        "keepalive.upstream",
        "window",
        "probe",
        "alert.feishu",
        "alert.dingtalk",
        "alert.wecom",
        "alert.telegram",
        "alert.webhook",
        "alert.command",
        "alert.email",
        "alert.log",
        "callback",
        "resource",
        "agent",
        "agent.queue",
        "agent.shortcut",
        "agent.command",
        "agent.template",
        "job",
    ];
    sections.extend(HTTP);
    sections.retain(|section| is_known(section));
    let services = PRESETS.iter().map(|row| ["alert.", row.name].concat());
    let sections: Vec<String> = sections.into_iter().map(str::to_owned).chain(services).collect();
    let mut known = BTreeSet::new();
    for section in sections.iter().map(String::as_str) {
        let head = match section {
            "" => String::new(),
            "window" | "probe" | "callback" | "job" => format!("[[{section}]]\n"),
            "agent.shortcut" | "agent.command" | "agent.template" => format!("[[{section}]]\n"),
            "http.token" | "http.ping" | "http.agent" => format!("[[{section}]]\n"),
            _ => format!("[{section}]\n"),
        };
        let told = lines(&format!("{head}zzzzzzzzzzzzzzzz = 1"));
        let keys =
            told.iter().find_map(|line| line.split_once("keys here are ")).unwrap_or_else(|| panic!("{told:?}")).1;
        known.extend(keys.split(", ").map(|key| general(section, key)));
    }
    // Tables show as their own keys, not as keys of the table above.
    let below = ["server", "client", "upstream", "server.users"].map(|table| format!("keepalive.{table}"));
    let agent = ["queue", "shortcut", "command", "template"].map(|table| format!("agent.{table}"));
    let below: Vec<String> = below.into_iter().chain(agent.into_iter().filter(|_| is_known("agent"))).collect();
    for table in ["spot", "keepalive", "window", "probe", "alert", "callback", "agent", "job", "resource"]
        .into_iter()
        .chain(below.iter().map(String::as_str))
    {
        assert!(known.remove(table), "{table}");
    }
    for table in HTTP {
        assert_eq!(known.remove(table), table == "http" || cfg!(feature = "status"), "{table}");
    }
    // Asked for only to say that a shell line belongs to shortcuts.
    for key in ["agent.command.shell", "agent.template.shell"] {
        assert_eq!(known.remove(key), cfg!(feature = "jobs"), "{key}");
    }

    let mut shown = BTreeSet::new();
    let mut section = String::new();
    for line in switched_on().lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_matches(['[', ']']).to_owned();
        } else if let Some((key, _)) = line.split_once(" = ") {
            shown.insert(general(&section, key));
        }
    }
    assert_eq!(shown, known);
}

/// The path of a key, with all channels taken together.
fn general(section: &str, key: &str) -> String {
    match section {
        "" => key.to_owned(),
        _ if section.starts_with("alert.") => format!("alert.*.{key}"),
        _ => format!("{section}.{key}"),
    }
}

/// xorshift64*, so that every run sees the same cases.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % n
    }
}

#[test]
fn no_mutation_of_a_file_stops_the_reader() {
    mutations(1500);
}

#[test]
#[ignore = "long: more of them"]
fn no_mutation_of_many_stops_the_reader() {
    mutations(4000);
}

fn mutations(rounds: usize) {
    let pieces = [
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "\"\"\"",
        "#",
        "=",
        ".",
        ",",
        "\n",
        "\\",
        "\\u0000",
        "0",
        "-1",
        "1e999",
        "inf",
        "9223372036854775808",
        "true",
        "2026-05-01",
        "[[alert]]",
        "[alert]",
        "[keepalive.server]",
        "密",
        "\u{202e}",
        "\r",
        "{title}",
        "%ff",
        "ic://",
        "@",
        ":",
        "/",
        "[a.b.c]\n",
        "[[a.b]]\n",
        "a.b = 1\n",
        "a = { b = 1 }\n",
        "a = [1]\n",
    ];
    let all = switched_on();
    let env = env();
    let mut random = Random(0x1C);
    for round in 0..rounds {
        let mut text: Vec<char> = if round % 2 == 0 { EXAMPLE.chars().collect() } else { all.chars().collect() };
        for _ in 0..=random.below(6) {
            let at = random.below(text.len());
            let end = (at + random.below(40)).min(text.len());
            match random.below(4) {
                0 => drop(text.drain(at..end)),
                1 => drop(text.splice(at..at, pieces[random.below(pieces.len())].chars())),
                2 => drop(text.splice(at..end, pieces[random.below(pieces.len())].chars())),
                _ => {
                    let copy: Vec<char> = text[at..end].to_vec();
                    let to = random.below(text.len());
                    text.splice(to..to, copy);
                }
            }
            if text.is_empty() {
                text.push('x');
            }
        }
        let text: String = text.into_iter().collect();
        if let Err(problems) = config::parse(&text, "c.toml", &env) {
            assert!((1..=101).contains(&problems.len()), "{text}");
            for problem in problems {
                let line = problem.to_string();
                assert!(!line.contains('\n') && line.len() < 2000, "{line:?}\n{text}");
            }
        }
    }
}

#[test]
fn the_deepest_file_fits_its_stack() {
    let deep = |open: &str, close: &str| {
        format!("[alert.webhook]\nurl = \"http://h\"\nbody = {{ a = {}1{} }}", open.repeat(200), close.repeat(200))
    };
    let json =
        format!("[alert.webhook]\nurl = \"http://h\"\nbody = '{{\"a\": {}1{}}}'", "[".repeat(120), "]".repeat(120));
    let fits =
        |n: usize| format!("[alert.webhook]\nurl = \"http://h\"\nbody = {{ a = {}1{} }}", "[".repeat(n), "]".repeat(n));
    let dotted = format!("{}a = 1", "a.".repeat(70));
    let tables = format!("[{}a]", "a.".repeat(20_000));
    let body = move || {
        for text in [deep("[", "]"), deep("{ a = ", " }"), json, fits(70), dotted, tables] {
            if let Ok(plan) = config::parse(&text, "c.toml", &Env::default()) {
                assert_eq!(plan.channels.len(), 1);
            }
        }
    };
    threads::spawn("config", threads::CONFIG_STACK, body).unwrap().join().unwrap();
}
