//! `[agent]`: what may run here on demand of others.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::agent::allow::{AllowPlan, Entry, HELP, MAX_MESSAGE, Parameter, Shape, URL};
use crate::agent::{AgentPlan, MOST, QueuePlan};
use crate::config::alert::{address, hosts};
use crate::config::callback::{argv, dir, line};
use crate::config::plan::ClientPlan;
use crate::config::problem::quoted;
use crate::config::table::{Item, Table};
use crate::config::template::fields;
use crate::keepalive::heard::name_is_valid;
use crate::keepalive::work::{MAX_IDS, MAX_TAKES};
use crate::secret::Secret;

/// Shortcuts, commands and templates: so many of each.
const MAX_ENTRIES: usize = 64;
/// Entries of `urls`.
const MAX_URLS: usize = 32;
/// Entries of `parameters`.
const MAX_PARAMETERS: usize = 16;
/// Bytes of a command's prefix, and of the name of a template or of a parameter.
const MAX_NAME: usize = 64;
/// Bytes of a token.
const MAX_TOKEN: usize = 256;
/// How long a run may take unless its entry says otherwise, and the shortest and longest time that can be said.
const TIMEOUT: Duration = Duration::from_secs(3600);
const TIMEOUTS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30 * 86_400));
/// From one question to a queue to the next: usual, shortest and longest. After three minutes without one such a service
/// takes an agent for dead.
const EVERY: Duration = Duration::from_secs(10);
const EVERIES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(150));
/// Programs that read a text as a program, and those that start what their arguments name.
const SHELLS: [&str; 8] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish"];
const STARTERS: [&str; 11] =
    ["busybox", "doas", "env", "ionice", "nice", "nohup", "setsid", "stdbuf", "su", "sudo", "timeout"];

/// `[agent]`.
pub fn agent(root: &mut Table<'_>, clients: &[ClientPlan]) -> Option<AgentPlan> {
    let mut table = root.table("agent")?;
    let (named, asked) = (table.get("server"), table.table("queue"));
    let reached = named.is_some() || asked.is_some();
    let server = named.and_then(|item| server(&item, clients));
    let queue = asked.and_then(queue);
    let most = table.whole("most", 1, MAX_IDS as u32).map_or(MOST, |most| most as usize);
    let timeout = table.span("timeout", TIMEOUTS).unwrap_or(TIMEOUT);
    let urls = table.get("urls").map(|item| urls(&item)).unwrap_or_default();
    let mut entries = Vec::new();
    for (key, read) in [("shortcut", shortcut as Reader), ("command", command), ("template", template)] {
        let Some(item) = table.get(key) else { continue };
        for entry in item.list(MAX_ENTRIES).unwrap_or_default() {
            if let Some(table) = entry.table() {
                entries.extend(read(table, &entries));
            }
        }
    }
    let plan = AgentPlan { server, queue, allow: AllowPlan { entries, urls, timeout }, most };
    let place = table.item();
    if !reached {
        place.warn("names no server and has no queue: nothing will ask it to run anything");
    }
    unwise(&place, &plan.allow);
    table.finish();
    Some(plan)
}

/// Reads an entry; the others are those that stand before it.
type Reader = fn(Table<'_>, &[Entry]) -> Option<Entry>;

fn server(item: &Item<'_>, clients: &[ClientPlan]) -> Option<String> {
    let name = item.text()?;
    if !name_is_valid(name) {
        return item.bad("a server's name has 1 to 128 bytes and no control characters");
    }
    if !clients.iter().any(|client| client.protocol == 2 && client.uri.user != "default") {
        item.warn(
            "has no effect: jobs only travel over a user key of this host's own; give it a user in \
             [keepalive.server.users] of that server, with host, and write uri = \"ic://USER:KEY@HOST\"",
        );
    }
    Some(name.to_owned())
}

fn queue(mut table: Table<'_>) -> Option<QueuePlan> {
    let url = table.need("url", "").and_then(|item| {
        let url = address(&item, &item.secret()?)?;
        if url.text.contains(['?', '#']) {
            return item.bad("must not hold a query or a fragment");
        }
        Some(Secret::new(url.text.trim_end_matches('/').to_owned()))
    });
    let token = table.need("token", "").and_then(|item| {
        let token = item.secret()?;
        let good = (1..=MAX_TOKEN).contains(&token.reveal().len())
            && token.reveal().bytes().all(|byte| byte.is_ascii_graphic());
        if good { Some(token) } else { item.bad("must be 1 to 256 ASCII characters without blanks") }
    });
    let every = table.span("every", EVERIES).unwrap_or(EVERY);
    table.finish();
    Some(QueuePlan { url: url?, token: token?, every })
}

/// What URLs may begin with: as far as a slash, so that `https://example.com` does not allow `https://example.com.evil`.
fn urls(item: &Item<'_>) -> Vec<String> {
    let mut urls = Vec::new();
    for entry in item.list(MAX_URLS).unwrap_or_default() {
        let Some(text) = entry.line(MAX_MESSAGE) else { continue };
        let Some(url) = address(&entry, &Secret::new(text.to_owned())) else { continue };
        if url.text != text {
            entry.bad::<()>("holds characters that no request has; write them with percent signs");
        } else if !text[url.path_at..].starts_with('/') {
            entry.bad::<()>("needs a / behind the host: without it other hosts would begin the same");
        } else if urls.contains(&url.text) {
            entry.bad::<()>("is named twice");
        } else {
            urls.push(url.text);
        }
    }
    urls
}

fn shortcut(mut table: Table<'_>, before: &[Entry]) -> Option<Entry> {
    let message = table.need("message", "; write message = \"restart web\"").and_then(|item| {
        let message = item.line(MAX_MESSAGE)?;
        let taken = before.iter().any(|entry| entry.name == message);
        if message.trim() != message || message.is_empty() {
            item.bad("is empty, or begins or ends with a blank")
        } else if HELP.contains(&message) {
            item.bad(&[&quoted(message), " is answered with the list of what may run"].concat())
        } else if taken {
            item.bad(&["another shortcut has the message ", &quoted(message), " too"].concat())
        } else {
            Some(message.to_owned())
        }
    });
    let (run, shell) = (table.get("run"), table.get("shell"));
    let run = match (run, shell) {
        (Some(item), None) => argv(&item),
        (None, Some(item)) => line(&item),
        (None, None) => {
            table.missing("run", "; write run = [\"/path/to/program\", …] or shell = \"…\"");
            None
        }
        _ => table.item().bad("has both run and shell"),
    };
    finish(table, message, Some(Shape::Shortcut), run)
}

fn command(mut table: Table<'_>, before: &[Entry]) -> Option<Entry> {
    let prefix = table.need("prefix", "; write prefix = \"df\"");
    let name = prefix.and_then(|item| word(&item, before));
    let run = match table.get("run") {
        Some(item) => argv(&item),
        None => name.clone().map(|name| vec![name]),
    };
    let patterns = hosts(table.get("words"));
    let options = table.get("options").and_then(|item| item.flag()).unwrap_or(false);
    no_shell(&mut table);
    let script = run.as_ref().and_then(|run| Some((run.len(), script(run)?)));
    if script.is_some_and(|(len, script)| script >= len || options) {
        table.item().bad::<()>(
            "would make what comes over the network a program for a shell; name a script in run, \
             or write a whole line in an [[agent.shortcut]]",
        );
    }
    finish(table, name, Some(Shape::Command { patterns, options }), run)
}

fn template(mut table: Table<'_>, before: &[Entry]) -> Option<Entry> {
    let name = table.need("name", "; write name = \"backup\"").and_then(|item| word(&item, before));
    let hint = "; write parameters = [\"what\"], or make it an [[agent.shortcut]]";
    let listed = table.need("parameters", hint);
    let parameters = listed.and_then(|item| parameters(&item));
    let run = table.need("run", "; write run = [\"/path/to/program\", \"{what}\"]");
    let argv = run.and_then(|item| argv(&item));
    no_shell(&mut table);
    if let (Some(item), Some(argv), Some(parameters)) = (&run, &argv, &parameters) {
        places(item, argv, parameters);
    }
    finish(table, name, parameters.map(Shape::Template), argv)
}

/// What all entries have.
fn finish(
    mut table: Table<'_>,
    name: Option<String>,
    shape: Option<Shape>,
    argv: Option<Vec<String>>,
) -> Option<Entry> {
    let dir: Option<Option<PathBuf>> = table.get("dir").map_or(Some(None), |item| dir(&item).map(Some));
    let timeout = table.span("timeout", TIMEOUTS);
    table.finish();
    Some(Entry { name: name?, shape: shape?, argv: argv?, dir: dir?, timeout })
}

fn no_shell(table: &mut Table<'_>) {
    if let Some(item) = table.get("shell") {
        item.bad::<()>(
            "goes with an [[agent.shortcut]] alone: what comes over the network never gets into a shell line",
        );
    }
}

/// The first word of the messages that a command or template takes.
fn word(item: &Item<'_>, before: &[Entry]) -> Option<String> {
    let name = item.line(MAX_NAME)?;
    let taken = before.iter().any(|entry| entry.name == name && entry.shape != Shape::Shortcut);
    if name.is_empty() || name.contains(char::is_whitespace) {
        item.bad("must be one word")
    } else if HELP.contains(&name) || name == URL {
        item.bad(&[&quoted(name), " has a meaning of its own"].concat())
    } else if taken {
        item.bad(&["another command or template is called ", &quoted(name), " too"].concat())
    } else {
        Some(name.to_owned())
    }
}

fn parameters(item: &Item<'_>) -> Option<Vec<Parameter>> {
    let entries = item.list(MAX_PARAMETERS)?;
    if entries.is_empty() {
        return item.bad("is empty; make it an [[agent.shortcut]]");
    }
    let mut parameters: Vec<Parameter> = Vec::with_capacity(entries.len());
    for entry in &entries {
        let (name, patterns) = match entry.value {
            toml::de::DeValue::Table(_) => {
                let mut table = entry.table()?;
                let name = table.need("name", "");
                let patterns = hosts(table.get("words"));
                table.finish();
                (name?, patterns)
            }
            _ => (*entry, Vec::new()),
        };
        let text = name.line(MAX_NAME)?;
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            name.bad::<()>("a parameter's name has small letters and _");
        } else if parameters.iter().any(|parameter| parameter.name == text) {
            name.bad::<()>(&["another parameter is called ", &quoted(text), " too"].concat());
        } else {
            parameters.push(Parameter { name: text.to_owned(), patterns });
        }
    }
    (parameters.len() == entries.len()).then_some(parameters)
}

/// Where the parameters of a template stand: each somewhere, none in the place of the program or of a shell's text.
fn places(item: &Item<'_>, argv: &[String], parameters: &[Parameter]) {
    let names: Vec<&str> = parameters.iter().map(|parameter| &*parameter.name).collect();
    for part in argv {
        for field in fields(part).filter(|field| !names.contains(field)) {
            item.unknown(field, &names);
        }
    }
    for name in &names {
        let place = argv.iter().position(|part| fields(part).any(|field| field == *name));
        match place {
            None => item.bad::<()>(&["the parameter ", &quoted(name), " does not occur in it"].concat()),
            Some(0) => item.bad("a parameter cannot be the program"),
            Some(place) if script(argv).is_some_and(|script| place <= script) => {
                item.bad("a parameter cannot be a part of what a shell reads or what is started; hand it to a script, behind its name")
            }
            Some(_) => None,
        };
    }
}

/// If a shell is run: at which argument its program text, or the file that holds it, stands or would stand.
fn script(argv: &[String]) -> Option<usize> {
    let is = |word: &String, known: &[&str]| {
        let name = Path::new(word).file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| known.contains(&name))
    };
    let is_shell = |word: &String| is(word, &SHELLS);
    let shell = match argv.first()? {
        first if is_shell(first) => 0,
        first if is(first, &STARTERS) => argv.iter().position(is_shell).unwrap_or(argv.len()),
        _ => return None,
    };
    // A program that starts others, without one: the first word to come would be it.
    if shell == argv.len() {
        let named = argv[1..].iter().position(|word| !word.starts_with('-') && !word.contains('='));
        return Some(named.map_or(argv.len(), |at| at + 1));
    }
    let after = &argv[shell + 1..];
    // Wherever it stands: `bash -o pipefail -c` is common.
    let option = after.iter().position(|word| word.starts_with('-') && !word.starts_with("--") && word.contains('c'));
    let text = option.map(|at| at + 1).or_else(|| after.iter().position(|word| !word.starts_with(['-', '+'])));
    Some(shell + 1 + text.unwrap_or(after.len()))
}

/// What is allowed, but of no use.
fn unwise(place: &Item<'_>, allow: &AllowPlan) {
    if allow.entries.is_empty() && allow.urls.is_empty() {
        place.warn("lists nothing that may run: write [[agent.shortcut]], [[agent.command]] or [[agent.template]]");
    }
    let lines: Vec<String> = allow.help_lines().collect();
    let bytes: usize = lines.iter().map(String::len).sum();
    if lines.len() > MAX_TAKES.0 || bytes > MAX_TAKES.1 {
        place.warn(&format!(
            "lists more than a heartbeat can name ({} entries, {} bytes): a server does not know of the last ones",
            MAX_TAKES.0, MAX_TAKES.1
        ));
    }
}
