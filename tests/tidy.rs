//! What the texts claim and where things live: checked, so that they stay in step.

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
fn tests_do_not_sleep() {
    for (name, source) in sources("tests") {
        assert!(name == "tests/tidy.rs" || !source.contains("thread::sleep"), "{name} sleeps");
    }
}
