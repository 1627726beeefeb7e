use std::path::{Path, PathBuf};

use super::*;
use crate::alert::channel::presets::PRESETS;
use crate::alert::channel::rule::case;
use crate::config::plan::Cloud;
use crate::spot::service::Service;

const BOTH: [Language; 2] = [Language::En, Language::Zh];

#[test]
fn spans() {
    for (secs, en, zh) in [
        (0, "0 s", "0 秒"),
        (45, "45 s", "45 秒"),
        (290, "4 min 50 s", "4 分 50 秒"),
        (300, "5 min", "5 分钟"),
        (720, "12 min", "12 分钟"),
        (4320, "1 h 12 min", "1 小时 12 分钟"),
        (3605, "1 h", "1 小时"),
        (93_600, "1 d 2 h", "1 天 2 小时"),
        (86_400 * 30, "30 d", "30 天"),
    ] {
        assert_eq!(en::WORDS.span(Duration::from_secs(secs)), en);
        assert_eq!(zh::WORDS.span(Duration::from_secs(secs)), zh);
    }
    assert_eq!(en::WORDS.span(Duration::MAX).split(' ').count(), 4);
}

#[test]
fn every_label_and_kind_has_its_own_words() {
    for language in BOTH {
        let words = words(language);
        for about in [Kind::Interrupt, Kind::InterruptWithdrawn, Kind::Offline] {
            for (n, field) in Field::ALL.iter().enumerate() {
                assert!(!words.label(about, *field).is_empty(), "{field:?}");
                for other in &Field::ALL[..n] {
                    assert_ne!(words.label(about, *field), words.label(about, *other), "{field:?} {other:?}");
                }
            }
        }
        for (n, kind) in Kind::ALL.iter().enumerate() {
            for text in &words.kind(*kind)[..2] {
                assert!(!text.is_empty(), "{kind:?}");
            }
            for other in &Kind::ALL[..n] {
                assert_ne!(words.kind(*kind)[0], words.kind(*other)[0], "{kind:?} {other:?}");
            }
        }
    }
}

#[test]
fn what_this_program_says_is_translated() {
    for (text, zh) in [
        ("release", "释放"),
        ("100.100.100.200: no answer in time", "100.100.100.200: 超时未应答"),
        ("h: code 1: no connection: x", "h: code 1: no connection: x"),
        ("no answer from 192.0.2.1:9080: timed out", "192.0.2.1:9080 没有应答：超时"),
        ("termination-time answers 500", "termination-time 应答 500"),
        ("this does not look like AliCloud: instance-id answers 404", "这里不像是阿里云：instance-id 应答 404"),
        ("its cloud had announced it; it was rebooted", "云厂商已提前通知；已重启"),
        ("it was rebooted; who knows", "已重启；who knows"),
        (
            "h: code 19024: Key Words (the bot wants a keyword: put it into prefix)",
            "h: code 19024: Key Words（机器人要求关键词：请写入 prefix）",
        ),
        ("h: HTTP 302: redirects; is the address right?", "h: HTTP 302: 被重定向；地址对吗？"),
        ("/x: exit code 3: no route", "/x: 退出码 3: no route"),
        ("the user bob may only beat for nas@home", "用户 bob 只能为 nas@home 发送心跳"),
        ("the server calls itself x, which server_name does not allow", "监控端自称 x，与 server_name 不符"),
        (
            "cannot connect to [::1]:9080: Connection refused (os error 111)",
            "无法连接 [::1]:9080：连接被拒绝（os error 111）",
        ),
        ("a; b (c)", "a; b (c)"),
        ("release:", "release:"),
        ("", ""),
    ] {
        assert_eq!((en::WORDS.phrase(text), zh::WORDS.phrase(text)), (text.to_owned(), zh.to_owned()));
    }
    assert_eq!(zh::WORDS.fact(Field::Note, "stop"), "stop");
    assert_eq!(zh::WORDS.fact(Field::Action, "stop"), "停机");
    let long = "it was rebooted: ".repeat(10_000);
    assert_eq!(zh::WORDS.phrase(&long), long);
}

#[cfg(feature = "jobs")]
#[test]
fn what_an_agent_refuses_is_translated() {
    use crate::agent::allow::{AllowPlan, Answer};
    let refused = |message: &str| match AllowPlan::default().answer(message) {
        Answer::Refuse(why) => why,
        other => panic!("{message}: {other:?}"),
    };
    for message in ["df", "a\nb", &"x".repeat(2000), &"x ".repeat(100)] {
        let why = ["prepare: ", &refused(message)].concat();
        assert_ne!(zh::WORDS.phrase(&why), why, "{message}");
    }
}

#[test]
fn every_title_names_the_subject_and_every_beginning_has_an_end() {
    for language in BOTH {
        for kind in Kind::ALL {
            let [_, title, over] = words(language).kind(*kind);
            assert!(title.contains("{who}"), "{kind:?}");
            let begins = kind.phase() == crate::event::Phase::Begin;
            assert_eq!(over.contains("{who}"), begins, "{kind:?}");
        }
    }
}

/// What [`Words::phrase`] leaves as it is: it is never a fact.
const NO_FACTS: &[&str] = &[
    "the proxy of the environment is not used: only HTTP proxies are",
    "the callback is gone",
    "its cause is over",
    "the desk has ended before a sender",
    "I am active",
    "it takes no more requests",
    "the server at {label} calls itself {server} now, not {old} any more",
    "the SOCKS proxy of the environment is not used: only HTTP proxies are",
    "the daemon is stopping",
    "the book is full: {MAX_OPEN} runs have not ended",
    "it is no URL",
    "it is noted, but the disk does not take it: after a restart it may run all the same",
    "the book of jobs cannot be written: no job is given out until it can",
    "it does not accept the token",
    "the queue of [agent.queue]: {why}",
    "the result of {} was not told: {error}",
];

/// The sentences of this program that can become facts of an alert: hints of clouds and channels, reasons, names of
/// faults. New ones are found by the way they are written.
fn sentences() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in sources(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let name = file.to_string_lossy().into_owned();
        // Mistakes in the configuration are told as `check` says them; what runs the parts only logs, but for `starts`.
        let other = ["/words/", "/tests/", "tests.rs", "/cli/", "/config/", "/run/"];
        if other.iter().any(|part| name.contains(part)) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let facts = ["Field::Reason, ", "Field::Hint, ", "Field::State, ", "losses.add(1, ", "losses.add(count, "];
        for begin in facts.into_iter().chain(["silence: ", "hint: ", "Verdict::Broken(", "Verdict::GiveUp("]) {
            for (at, _) in text.match_indices(begin) {
                found.extend(literal(&text[at + begin.len()..]).map(|said| (name.clone(), said)));
            }
        }
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//") && !line.contains("expect")) {
            let constant = line.contains("const ") && line.contains(": &str = ");
            for (at, _) in line.match_indices('"') {
                let Some(said) = literal(&line[at..]) else { continue };
                let reason = ["it ", "its ", "the ", "this server", "this host", "this machine"]
                    .iter()
                    .any(|it| said.starts_with(it));
                let channel = name.contains("/alert/channel/")
                    && (said.starts_with(" (") && said.ends_with(')') || said.starts_with(": "));
                let words = said.contains(' ') && said.starts_with(|c: char| c.is_ascii_lowercase());
                let fault = line.contains("FetchError::") && line.contains("=> \"");
                if reason || channel || fault || constant && words {
                    found.push((name.clone(), said));
                }
            }
        }
    }
    found
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
    found
}

/// The string that `text` begins with.
fn literal(text: &str) -> Option<String> {
    let rest = text.trim_start().strip_prefix('"')?;
    let (mut said, mut chars) = (String::new(), rest.chars());
    loop {
        match chars.next()? {
            '"' => return Some(said),
            '\\' => match chars.next()? {
                'n' => said.push('\n'),
                '\n' => chars = chars.as_str().trim_start().chars(),
                c => said.push(c),
            },
            c => said.push(c),
        }
    }
}

#[test]
fn every_sentence_of_the_program_is_translated() {
    let (mut count, mut missing) = (0, Vec::new());
    for (file, said) in sentences() {
        let remark = said.strip_prefix(" (").map(|rest| rest.trim_end_matches(')'));
        let bare = remark.unwrap_or_else(|| said.trim_start_matches(": "));
        // What is only a part of a sentence.
        let part = bare.len() < 3 || bare.ends_with(' ') || bare.ends_with(')') && !bare.contains('(');
        if part || !bare.contains(|c: char| c.is_ascii_lowercase()) || NO_FACTS.contains(&bare) {
            continue;
        }
        count += 1;
        if zh::WORDS.phrase(bare) == bare {
            missing.push([&file, ": ", bare].concat());
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
    println!("{count} sentences");
    assert!(count > 50, "{count} sentences found: does the search still find them?");
}

#[test]
fn what_services_want_mended_is_translated() {
    for row in PRESETS {
        for (_, _, hint) in row.cases.lines().map(case) {
            let why = ["h: HTTP 400: {\"error\":\"x: y; z\"} (", hint, ")"].concat();
            assert!(hint.is_empty() || !zh::WORDS.phrase(&why).contains(hint), "{}: {hint}", row.name);
        }
    }
}

#[test]
fn what_clouds_keep_silent_about_is_translated() {
    for cloud in Cloud::ALL {
        let silence = Service::of(cloud).silence;
        assert!(silence.is_empty() || zh::WORDS.phrase(silence) != silence, "{silence}");
    }
}

#[test]
fn both_languages_have_the_same_words() {
    let (en, zh) = (&en::WORDS, &zh::WORDS);
    assert_eq!((en.kinds.len(), en.labels.len()), (Kind::ALL.len(), Field::ALL.len()));
    assert_eq!((zh.kinds.len(), zh.labels.len()), (Kind::ALL.len(), Field::ALL.len()));
    let filled = |words: &Words| {
        let mut texts = [words.reclaim, words.lost, words.lasted, words.distance, words.back_again].concat();
        texts.extend([words.flapping, words.digest, words.were_together, words.more_hosts, words.times, words.more]);
        texts.extend([words.cut, words.cut_one, words.delayed_by]);
        texts.extend(words.together.iter().map(|(_, text)| *text));
        texts.extend(Kind::ALL.iter().flat_map(|kind| *words.kind(*kind)));
        texts.iter().map(|text| ["{who}", "{time}", "{n}"].map(|field| text.matches(field).count())).collect::<Vec<_>>()
    };
    assert_eq!(filled(en), filled(zh));
    let own = |words: &Words| words.own_labels.iter().map(|(kind, field, _)| (*kind, *field)).collect::<Vec<_>>();
    assert_eq!(own(en), own(zh));
    for (n, (known, said)) in zh.phrases.iter().enumerate() {
        assert_eq!(known.matches("{}").count(), said.matches("{}").count(), "{known}");
        assert!(zh.phrases[..n].iter().all(|(other, _)| other != known), "{known} stands twice");
        // A row above that takes everything would hide it.
        let hidden = zh.phrases[..n].iter().find(|(other, _)| holes(other, known).is_some());
        assert_eq!(hidden, None, "{known}");
    }
}
