//! `[[callback]]`: what is done about events.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::alert::webhook::webhook;
use crate::config::alert::{hosts, language};
use crate::config::plan::{Act, CallbackPlan, ChannelKind, Language, Reported, RunPlan};
use crate::config::problem::quoted;
use crate::config::table::{Item, MAX_TEXT, Table};
use crate::event::{Kind, Severity};
use crate::secret::Secret;

/// Callbacks in all.
pub const MAX_CALLBACKS: usize = 32;
/// Bytes of a name.
const MAX_NAME: usize = 32;
/// Words of a command line.
const MAX_ARGV: usize = 64;
/// Entries of `env`, and of `pass`.
const MAX_VARIABLES: usize = 64;
/// Bytes of a variable's name.
const MAX_VARIABLE: usize = 128;
/// Shortest and longest `timeout`.
const TIMEOUT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(86_400));
/// Shortest and longest `cooldown`.
const COOLDOWN: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(30 * 86_400));
/// Most `retries`.
const MAX_RETRIES: u32 = 1000;
/// Variables that concern this program and its service manager alone.
const PRIVATE: [&str; 4] = ["NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "JOURNAL_STREAM"];
/// What only a program can have, and what only a request can.
const OF_PROGRAMS: [&str; 5] = ["dir", "user", "env", "pass", "on_stop"];
const OF_REQUESTS: [&str; 8] = ["method", "headers", "body", "retries", "ok", "retry", "give_up", "wait"];

/// A callback and where its `after` stands.
type Read<'a> = (CallbackPlan, Option<Item<'a>>);

/// `[[callback]]`, in the order of the file.
pub fn callbacks(root: &mut Table<'_>, spoken: Option<Language>) -> Vec<Arc<CallbackPlan>> {
    let Some(item) = root.get("callback") else { return Vec::new() };
    let mut names: Vec<String> = Vec::new();
    let mut read: Vec<Read<'_>> = Vec::new();
    for entry in item.list(MAX_CALLBACKS).unwrap_or_default() {
        let Some(mut table) = entry.table() else { continue };
        let name = name(&mut table, &names);
        names.push(name.clone());
        read.extend(callback(table, name, spoken));
    }
    order(&read, &names);
    read.into_iter().map(|(plan, _)| Arc::new(plan)).collect()
}

fn name(table: &mut Table<'_>, taken: &[String]) -> String {
    let mut number = taken.len() + 1;
    let usual = loop {
        let usual = ["callback-", &number.to_string()].concat();
        if !taken.contains(&usual) {
            break usual;
        }
        number += 1;
    };
    let Some(item) = table.get("name") else { return usual };
    let Some(name) = item.text() else { return usual };
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !(1..=MAX_NAME).contains(&name.len()) || !name.bytes().all(good) {
        item.bad::<()>("a callback's name has 1 to 32 letters, digits, - and _");
    } else if taken.iter().any(|other| other == name) {
        item.bad::<()>(&["another callback is called ", &quoted(name), " too"].concat());
    }
    name.to_owned()
}

fn callback<'a>(mut table: Table<'a>, name: String, spoken: Option<Language>) -> Option<Read<'a>> {
    let on = table.need("on", "; write on = [\"interrupt\"]").and_then(|item| kinds(&item));
    let hosts = hosts(table.get("hosts"));
    let min_severity = table
        .choice("min_severity", &Severity::ALL.map(Severity::name))
        .map_or(Severity::Info, |index| Severity::ALL[index]);
    let act = act(&mut table);
    let own_language = language(&mut table);
    let timeout = table.span("timeout", TIMEOUT);
    let report = match table.choice("report", &["always", "failure", "never"]) {
        None | Some(0) => Reported::Always,
        Some(1) => Reported::Failure,
        Some(_) => Reported::Never,
    };
    let cooldown = table.span("cooldown", COOLDOWN).unwrap_or_default();
    let after = table.get("after");
    let simulate = table.get("simulate").and_then(|item| item.flag()).unwrap_or(false);
    table.finish();
    let plan = CallbackPlan {
        name,
        on: on?,
        hosts,
        min_severity,
        act: act?,
        language: own_language.or(spoken).unwrap_or(Language::En),
        timeout,
        report,
        cooldown,
        after: after.and_then(|item| item.text()).map(str::to_owned),
        simulate,
    };
    Some((plan, after))
}

fn kinds(item: &Item<'_>) -> Option<Vec<Kind>> {
    let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    let entries = item.list(Kind::ALL.len())?;
    let mut kinds = Vec::with_capacity(entries.len());
    for entry in &entries {
        kinds.extend(entry.choice(&names).map(|index| Kind::ALL[index]));
    }
    if entries.is_empty() { item.bad("is empty: nothing would ever start it") } else { Some(kinds) }
}

/// What it does: exactly one of `run`, `shell` and `url`.
fn act(table: &mut Table<'_>) -> Option<Act> {
    let (run, shell, url) = (table.get("run"), table.get("shell"), table.get("url"));
    let request = run.is_none() && shell.is_none() && url.is_some();
    // Asked for, so that a key in the wrong place is no unknown one.
    for (keys, fits, goes_with) in
        [(&OF_PROGRAMS[..], !request, "goes with run or shell"), (&OF_REQUESTS, url.is_some(), "goes with url")]
    {
        for key in keys {
            if let Some(item) = table.get(key).filter(|_| !fits) {
                item.bad::<()>(goes_with);
            }
        }
    }
    match (run, shell, url) {
        (Some(item), None, None) => lasting(table, argv(&item)),
        (None, Some(item), None) => lasting(table, line(&item)),
        (None, None, Some(_)) => call(table),
        (None, None, None) => {
            table.missing("run", "; write run = [\"/path/to/program\", …], shell = \"…\" or url = \"…\"");
            None
        }
        _ => table.item().bad("has more than one of run, shell and url"),
    }
}

fn call(table: &mut Table<'_>) -> Option<Act> {
    let retries = table.whole("retries", 0, MAX_RETRIES);
    match webhook(table)? {
        ChannelKind::Webhook(hook) => Some(Act::Call { hook, retries }),
        _ => None,
    }
}

fn lasting(table: &mut Table<'_>, argv: Option<Vec<String>>) -> Option<Act> {
    let plan = program(table, argv);
    let outlives = table.choice("on_stop", &["leave", "kill"]) != Some(1);
    Some(Act::Run(RunPlan { outlives, ..plan? }))
}

/// A program that ends with the daemon, and what it is given.
pub fn program(table: &mut Table<'_>, argv: Option<Vec<String>>) -> Option<RunPlan> {
    let dir = table.get("dir").map_or_else(|| Some(PathBuf::from("/")), |item| dir(&item));
    let user = table.get("user").map_or(Some(None), |item| item.user().map(Some));
    let env = table.get("env").map_or(Some(Vec::new()), env);
    let pass = table.get("pass").map_or(Some(Vec::new()), |item| pass(&item));
    Some(RunPlan { argv: argv?, dir: dir?, user: user?, env: env?, pass: pass?, outlives: false })
}

/// A program and its arguments.
pub fn argv(item: &Item<'_>) -> Option<Vec<String>> {
    let entries = item.list(MAX_ARGV)?;
    let mut argv = Vec::with_capacity(entries.len());
    for entry in &entries {
        argv.push(without_zero(entry)?.to_owned());
    }
    let program = argv.first().map_or("", String::as_str);
    if program.is_empty() {
        return item.bad("names no program");
    }
    // Better said now than when it is needed.
    if Path::new(program).is_absolute() && !Path::new(program).exists() {
        item.warn(&["there is no ", &quoted(program), " on this machine"].concat());
    }
    Some(argv)
}

/// A line for the shell, as what it comes to.
pub fn line(item: &Item<'_>) -> Option<Vec<String>> {
    let line = without_zero(item)?;
    if line.trim().is_empty() {
        return item.bad("is empty");
    }
    Some(["/bin/sh", "-c", line].map(str::to_owned).to_vec())
}

fn without_zero<'a>(item: &Item<'a>) -> Option<&'a str> {
    let text = item.text()?;
    if text.contains('\0') { item.bad("holds a zero byte") } else { Some(text) }
}

/// Where a program runs.
pub fn dir(item: &Item<'_>) -> Option<PathBuf> {
    let text = item.line(MAX_TEXT)?;
    if Path::new(text).is_absolute() { Some(text.into()) } else { item.bad("must be an absolute path") }
}

fn env(item: Item<'_>) -> Option<Vec<(String, Secret)>> {
    let table = item.table()?;
    if table.len() > MAX_VARIABLES {
        return item.too_many(table.len(), "entries", MAX_VARIABLES);
    }
    let mut env = Vec::with_capacity(table.len());
    for (name, value) in table.named() {
        if !is_variable(name, &value) {
            continue;
        }
        match value.secret() {
            Some(secret) if secret.reveal().contains('\0') => value.bad("holds a zero byte").unwrap_or_default(),
            Some(secret) => env.push((name.to_owned(), secret)),
            None => {}
        }
    }
    (env.len() == table.len()).then_some(env)
}

/// Those that are not set are left out, as a shell does.
fn pass(item: &Item<'_>) -> Option<Vec<(String, Secret)>> {
    let entries = item.list(MAX_VARIABLES)?;
    let (mut pass, mut good) = (Vec::with_capacity(entries.len()), true);
    for entry in &entries {
        let Some(name) = entry.text().filter(|name| is_variable(name, entry)) else {
            good = false;
            continue;
        };
        match entry.report.env.get(name).map(std::ffi::OsString::into_string) {
            None => {}
            Some(Ok(value)) => pass.push((name.to_owned(), Secret::new(value))),
            Some(Err(_)) => {
                entry.bad::<()>(&["variable ", &quoted(name), " is not UTF-8"].concat());
                good = false;
            }
        }
    }
    good.then_some(pass)
}

fn is_variable(name: &str, item: &Item<'_>) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let first = name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    let why = if !first || name.len() > MAX_VARIABLE || !name.bytes().all(word) {
        "is no name of a variable"
    } else if name.starts_with("IC_") {
        "begins with IC_, as what the program sets itself"
    } else if PRIVATE.contains(&name) {
        "concerns the daemon alone"
    } else {
        return true;
    };
    // Not repeated: it may be the value, in the place of the name.
    item.bad::<()>(why);
    false
}

/// Every `after` must name another callback that is not, over any number of steps, after this one.
fn order(read: &[Read<'_>], names: &[String]) {
    for (plan, item) in read {
        let (Some(after), Some(item)) = (&plan.after, item) else { continue };
        let Some((other, _)) = read.iter().find(|(other, _)| other.name == *after) else {
            // One that is itself wrong is told there.
            if !names.contains(after) {
                unknown(item, after, names);
            }
            continue;
        };
        let (mut next, mut steps) = (Some(after), 0);
        while let Some(name) = next.filter(|name| **name != plan.name && steps <= read.len()) {
            next = read.iter().find(|(other, _)| other.name == *name).and_then(|(other, _)| other.after.as_ref());
            steps += 1;
        }
        if next.is_some_and(|name| *name == plan.name) {
            item.bad::<()>(&["waits for itself, by way of ", &quoted(after)].concat());
        } else if !plan.on.iter().any(|kind| other.on.contains(kind)) {
            item.warn(&[&quoted(after), " has no kind of event in common with it: it never waits"].concat());
        }
    }
}

fn unknown(item: &Item<'_>, after: &str, names: &[String]) {
    let known: Vec<&str> = names.iter().map(String::as_str).collect();
    item.unknown(after, &known);
}
