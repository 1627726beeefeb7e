//! What the texts claim and where things live: checked, so that they stay in step.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn text(file: &str) -> String {
    fs::read_to_string(root(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).expect("below the root").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("text")));
            }
        }
    }
    found
}

#[test]
fn every_key_of_the_example_stands_in_the_readme() {
    let readme = text("README.md");
    for line in text("config.example.toml").lines() {
        let line = line.strip_prefix('#').unwrap_or(line);
        let Some((key, _)) = line.split_once(" = ") else { continue };
        if line.starts_with(' ') || !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            continue;
        }
        let ends = [format!("{key}`"), format!(".{key}`")];
        assert!(ends.iter().any(|end| readme.contains(end)), "the README does not say what {key} is");
    }
}

#[test]
fn kinds_and_commands_stand_in_the_readme_and_in_help() {
    let readme = text("README.md");
    for kind in interrupt_callback::event::Kind::ALL {
        assert!(readme.contains(&format!("`{}`", kind.name())), "the README does not name the kind {}", kind.name());
    }
    for command in [
        "run",
        "check",
        "test",
        "send",
        "status",
        "history",
        "silence",
        "unsilence",
        "note",
        "reload",
        "simulate",
        "spot",
        "forget",
        "job",
        "leave",
        "keygen",
        "help",
        "version",
    ] {
        let named = [format!("`{command} "), format!("`{command}`")].iter().any(|name| readme.contains(name));
        assert!(named, "the README does not name {command}");
        assert!(interrupt_callback::cli::args::HELP.contains(command), "help does not name {command}");
    }
}

/// The words in code in the first cells of the tables above `end`: keys, kinds of channels, fields, clouds, commands.
fn first_cells(text: &str, end: &str) -> BTreeSet<String> {
    let user = text.split_once(end).unwrap_or_else(|| panic!("there is no {end:?}")).0;
    let rows = user.lines().filter_map(|line| line.strip_prefix("| "));
    let mut words = BTreeSet::new();
    for cell in rows.map(|row| row.replace("\\|", "/")) {
        let cell = cell.split('|').next().expect("a cell").to_owned();
        let code = cell.split('`').skip(1).step_by(2);
        // `a.b.c`, `.d` are a.b.c and a.b.d.
        let mut table = String::new();
        for word in code {
            match word.strip_prefix('.') {
                Some(key) => words.insert(format!("{table}.{key}")),
                None => {
                    table = word.rsplit_once('.').map_or(String::new(), |(table, _)| table.to_owned());
                    words.insert(word.to_owned())
                }
            };
        }
    }
    words
}

#[test]
fn the_chinese_readme_names_what_the_english_one_names() {
    let (english, chinese) = (text("README.md"), text("contrib/README.zh-CN.md"));
    let (left, right) = (first_cells(&english, "\n## Heartbeat protocol"), first_cells(&chinese, "\n## 安全"));
    assert!(left.len() > 100, "{left:?}");
    let only: Vec<_> = left.symmetric_difference(&right).collect();
    assert!(only.is_empty(), "only one of the two has {only:?}");
    for kind in interrupt_callback::event::Kind::ALL {
        assert!(chinese.contains(&format!("`{}`", kind.name())), "{} is not in Chinese", kind.name());
    }
    // Options stand in no first cell.
    for option in ["--kind", "--severity", "--channel", "--wait", "--for", "--until-healthy", "--json", "--watch"] {
        assert!(english.contains(option) && chinese.contains(option), "{option}");
    }
}

#[test]
fn links_within_the_readmes_lead_somewhere() {
    for (file, folder) in [("README.md", ""), ("contrib/README.zh-CN.md", "contrib/")] {
        let text = text(file);
        let anchor = |line: &str| {
            let words = line.trim_start_matches('#').trim().to_lowercase();
            words.replace(' ', "-")
        };
        let anchors: BTreeSet<String> = text.lines().filter(|line| line.starts_with("##")).map(anchor).collect();
        for target in text.split("](").skip(1).filter_map(|after| after.split(')').next()) {
            match target.strip_prefix('#') {
                Some(name) => assert!(anchors.contains(name), "{file}: no heading is {name}"),
                None if target.contains("://") => {}
                None => assert!(root(&format!("{folder}{target}")).exists(), "{file}: {target} does not exist"),
            }
        }
    }
}

#[test]
fn versions_agree() {
    let manifest = text("Cargo.toml");
    let msrv =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("an MSRV").trim_matches('"');
    assert!(text("README.md").contains(&format!("Rust {msrv}")), "README and Cargo.toml differ on the MSRV");
    assert!(text("CHANGELOG.md").contains("## "), "the changelog has a section");
    let stand_in = text("contrib/stand-in/Cargo.toml");
    for line in
        manifest.lines().skip_while(|line| *line != "[dependencies]").take_while(|line| *line != "[dev-dependencies]")
    {
        if line.contains(" = {") {
            assert!(stand_in.contains(line), "the stand-in differs from Cargo.toml: {line}");
        }
    }
}

#[test]
fn clocks_threads_and_sleeps_have_their_places() {
    let places = [
        ("clock_gettime(", "src/clock.rs"),
        ("Builder::new().name", "src/run/threads.rs"),
        ("thread::sleep", "nowhere"),
        ("Instant::now", "nowhere"),
        ("SystemTime::now", "nowhere"),
        ("AtomicU64", "nowhere"),
        ("process::exit", "nowhere"),
        ("todo!", "nowhere"),
        ("dbg!", "nowhere"),
    ];
    for (name, source) in sources("src") {
        for (word, place) in places {
            assert!(!source.contains(word) || name == place, "{name}: {word} belongs to {place}");
        }
    }
}

#[test]
fn files_stay_small() {
    for (name, source) in sources("src").into_iter().chain(sources("tests")) {
        let lines = source.lines().count();
        assert!(lines <= 450, "{name} has {lines} lines");
    }
}

#[test]
fn every_file_of_tests_is_run() {
    let suite = text("tests/suite.rs");
    for (name, _) in sources("tests") {
        let file = name.strip_prefix("tests/").expect("below tests").strip_suffix(".rs").expect("a source");
        assert!(
            file.contains('/') || file == "suite" || suite.contains(&format!("\nmod {file};\n")),
            "{name} is not run"
        );
    }
}

#[test]
fn tests_do_not_sleep() {
    for (name, source) in sources("tests") {
        assert!(name == "tests/tidy.rs" || !source.contains("thread::sleep"), "{name} sleeps");
    }
}
