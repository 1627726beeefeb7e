//! The configuration: a TOML file, the environment and the defaults make a [`Plan`].
//!
//! The file is read by hand, key by key, so that every problem can be told with its line and key path, and so that a
//! key that nobody reads is a problem too. All problems are collected; none of their texts holds a secret.

pub mod plan;

pub mod env;
pub mod problem;
pub mod units;

mod table;

mod secrets;
pub mod template;
pub(crate) mod url;
mod user;

#[cfg(feature = "jobs")]
mod agent;
mod alert;
mod callback;
#[cfg(feature = "status")]
mod http;
#[cfg(feature = "jobs")]
mod job;
mod keepalive;
#[cfg(feature = "probes")]
mod probe;
#[cfg(feature = "probes")]
mod resource;
mod window;

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

pub use env::Env;
pub use plan::Plan;
pub use problem::Problem;
pub use secrets::read_capped;
pub use template::{TEMPLATE_FIELDS, is_template_field};

use crate::config::plan::{Cloud, Language, SpotPlan};
use crate::config::problem::{NOWHERE, Report};
use crate::config::table::{Item, Table};
use crate::keepalive::heard::name_is_valid;
use crate::spot::{aws, detect};
use crate::zone::Zone;

/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "/etc/ic/config.toml";
/// Bytes of a configuration file.
const MAX_FILE: usize = 1024 * 1024;
/// Up to this size all syntax errors are told, above it the first: each costs memory.
const MAX_RECOVERABLE: usize = 64 * 1024;
/// Syntax errors that are looked at: one slip can cause hundreds.
const MAX_ERRORS: usize = 1000;
/// Bytes of `name`: with `@` and a host name of 64 bytes it is a valid name on the wire.
const MAX_NAME: usize = 63;
/// Bytes of a Unix socket's path: `sun_path` has 108 with the zero at the end (unix(7)).
const MAX_SOCKET_PATH: usize = 107;
/// Name of the control socket in the runtime directory.
const SOCKET: &str = "control.sock";
/// Shortest and longest `interval`.
const INTERVAL: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(3600));

/// Sections that only a feature can read, the feature, and whether it is there.
const FEATURES: [(&str, &str, bool); 5] = [
    ("agent", "jobs", cfg!(feature = "jobs")),
    ("job", "jobs", cfg!(feature = "jobs")),
    ("probe", "probes", cfg!(feature = "probes")),
    ("resource", "probes", cfg!(feature = "probes")),
    ("http", "status", cfg!(feature = "status")),
];

/// Entries of `countdown`.
const MAX_COUNTDOWN: usize = 4;
/// Shortest and longest entry of `countdown`.
const COUNTDOWN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(3600));

/// Which file is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// Somebody named it: it must be there.
    pub named: bool,
}

impl Source {
    /// `option` (`--config`), else `CONFIG_PATH`, else [`DEFAULT_FILE`] if there is one.
    pub fn find(option: Option<&Path>, env: &Env) -> Source {
        match option.map(Path::to_owned).or_else(|| env.get("CONFIG_PATH").map(PathBuf::from)) {
            Some(path) => Source { path, named: true },
            None => Source { path: DEFAULT_FILE.into(), named: false },
        }
    }
}

/// Reads and checks the configuration. A file that is not there, and was not named, counts as empty.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub fn load(source: &Source, env: &Env) -> Result<Plan, Vec<Problem>> {
    let file = source.path.display().to_string();
    let alone = |line: usize, text: String| vec![Problem { file: file.clone(), line, key: String::new(), text }];
    let (bytes, open) = match secrets::read_capped(&source.path, MAX_FILE) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !source.named => (Vec::new(), false),
        Err(error) => return Err(alone(0, format!("cannot read the file: {error}"))),
    };
    match std::str::from_utf8(&bytes) {
        Ok(text) => read(text, &file, open, env),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            let line = 1 + before.iter().filter(|b| **b == b'\n').count();
            Err(alone(line, "is not UTF-8 text".to_owned()))
        }
    }
}

/// Where the daemon of a file listens for commands that may be wrong in every other respect; `None` if that cannot be
/// told, because just this is wrong.
pub fn socket(source: &Source, env: &Env) -> Option<PathBuf> {
    let bytes = match secrets::read_capped(&source.path, MAX_FILE) {
        Ok((bytes, _)) => bytes,
        // The daemon may have read it before it went.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(_) => return None,
    };
    let text = String::from_utf8_lossy(&bytes);
    // A table of another name may have such a key too, and what is no table any more may have lost its head.
    let mentions = |key: &str| text.lines().any(|line| line.trim_start().starts_with(key));
    let entries = match text.len() {
        0..=MAX_RECOVERABLE => Some(DeTable::parse_recoverable(&text).0),
        _ => DeTable::parse(&text).ok(),
    };
    let written = |key: &str| {
        let value = entries.as_ref().and_then(|entries| entries.get_ref().get(key)?.get_ref().as_str());
        match value {
            Some(path) => Path::new(path).is_absolute().then(|| Some(path.into())),
            None => (!mentions(key)).then_some(None),
        }
    };
    let (control, state_dir): (Option<PathBuf>, Option<PathBuf>) = (written("control")?, written("state_dir")?);
    Some(control.unwrap_or_else(|| {
        let state_dir = state_dir.unwrap_or_else(|| env.state_dir());
        env.runtime_dir(&state_dir).join(SOCKET)
    }))
}

/// Checks `text` as if it stood in `file`.
///
/// # Errors
/// As [`load`].
pub fn parse(text: &str, file: &str, env: &Env) -> Result<Plan, Vec<Problem>> {
    read(text, file, false, env)
}

fn read(text: &str, file: &str, open: bool, env: &Env) -> Result<Plan, Vec<Problem>> {
    let report = Report::new(file, text, env);
    let plan = syntax(text, &report).map(|entries| whole(Table::root(&report, &entries)));
    if open && report.holds_secret.get() {
        let text = ["every user of this machine can read the secrets in it; run: chmod 600 ", file].concat();
        report.warn(NOWHERE, "", &text);
    }
    let (problems, warnings) = report.finish();
    match plan {
        Some(mut plan) if problems.is_empty() => {
            plan.warnings = warnings.iter().map(Problem::to_string).collect();
            Ok(plan)
        }
        _ => Err(problems),
    }
}

/// The file's tables; problems if it is no TOML, one a line.
fn syntax<'a>(text: &'a str, report: &Report<'_>) -> Option<DeTable<'a>> {
    let (entries, errors) = if text.len() <= MAX_RECOVERABLE {
        let (entries, errors) = DeTable::parse_recoverable(text);
        (Some(entries), errors)
    } else {
        DeTable::parse(text).map_or_else(|error| (None, vec![error]), |entries| (Some(entries), Vec::new()))
    };
    let mut told = Vec::new();
    for error in errors.iter().take(MAX_ERRORS) {
        let at = error.span().map_or(NOWHERE, |span| span.start);
        let line = report.line(at);
        if !told.contains(&line) {
            told.push(line);
            report.problem(at, "", error.message());
        }
    }
    entries.filter(|_| errors.is_empty()).map(toml::Spanned::into_inner)
}

/// What stands in the file; it counts only if there was no problem.
fn whole(mut root: Table<'_>) -> Plan {
    let port = keepalive::env_port(&root);
    let name = root.get("name").and_then(|item| match item.text()? {
        name if name.is_empty() || (name.len() <= MAX_NAME && name_is_valid(name)) => Some(name.to_owned()),
        _ => item.bad(&format!("may have at most {MAX_NAME} bytes and no control characters")),
    });
    let spot = spot(&mut root);
    let timezone = root.get("timezone").and_then(|item| {
        let text = item.line(64)?;
        match Zone::load(Some(text)) {
            Ok(_) => Some(text.to_owned()),
            Err(error) => item.bad(&error.to_string()),
        }
    });
    let log = root.get("log").and_then(|item| log_filter(&item)).unwrap_or_else(|| "info".to_owned());
    let language = alert::language(&mut root);
    let env = root.report.env;
    let state_dir = root.get("state_dir").and_then(|item| absolute(&item)).unwrap_or_else(|| env.state_dir());
    let runtime_dir = env.runtime_dir(&state_dir);
    let control = control(&mut root, &runtime_dir);
    let mut beats = keepalive::keepalive(&mut root, port);
    let windows = window::windows(&mut root, beats.server.is_some());
    if let Some(server) = &mut beats.server {
        server.windows = windows;
    }
    let channels = alert::channels(&mut root, language);
    let callbacks = callback::callbacks(&mut root, language);
    #[cfg(feature = "jobs")]
    let agent = agent::agent(&mut root, &beats.clients);
    #[cfg(feature = "jobs")]
    let jobs = job::jobs(&mut root, beats.server.as_ref());
    #[cfg(feature = "probes")]
    let probes = probe::probes(&mut root, beats.server.is_some());
    #[cfg(feature = "probes")]
    let resource = resource::resource(&mut root);
    #[cfg(feature = "status")]
    let http = http::http(&mut root);
    for (key, feature, built) in FEATURES {
        if !built && let Some(item) = root.get(key) {
            item.bad::<()>(&["needs the feature \"", feature, "\", which this binary was built without"].concat());
        }
    }
    root.finish();
    Plan {
        name: name.unwrap_or_default(),
        timezone,
        log,
        language: language.unwrap_or(Language::En),
        spot,
        server: beats.server,
        clients: beats.clients,
        upstream: beats.upstream,
        channels,
        callbacks,
        #[cfg(feature = "jobs")]
        agent,
        #[cfg(feature = "jobs")]
        jobs,
        #[cfg(feature = "probes")]
        probes,
        #[cfg(feature = "probes")]
        resource,
        #[cfg(feature = "status")]
        http,
        state_dir,
        // Two daemons that are told apart by their sockets must not share the last-beat times beside them.
        runtime_dir: control.parent().map_or(runtime_dir, Path::to_path_buf),
        control,
        warnings: Vec::new(),
    }
}

/// `provider`, `interval` and `[spot]`.
fn spot(root: &mut Table<'_>) -> Option<SpotPlan> {
    let mut names = vec!["LocalHost", "Auto"];
    names.extend(Cloud::NAMES);
    let provider = root.get("provider");
    let index = provider.as_ref().map_or(Some(0), |item| item.choice(&names));
    let cloud = match index {
        Some(1) => detect::cloud(Path::new(detect::DMI)),
        index => index.and_then(|index| Cloud::ALL.get(index.checked_sub(2)?)).copied(),
    };
    if let (Some(1), None, Some(item)) = (index, cloud, &provider) {
        item.warn("/sys/class/dmi/id names no known cloud: no notices are heard; name the cloud if this is one");
    }
    let interval = root.span("interval", INTERVAL);
    // Without a cloud the section is checked all the same.
    let mut plan = SpotPlan::new(cloud.unwrap_or(Cloud::AliCloud));
    if let Some(interval) = interval {
        plan.interval = interval;
    }
    if let Some(mut table) = root.table("spot") {
        section(&mut table, &mut plan, index == Some(0));
        table.finish();
    }
    cloud.map(|_| plan)
}

/// `[spot]`.
fn section(table: &mut Table<'_>, plan: &mut SpotPlan, local: bool) {
    if let Some(item) = table.get("ipv6")
        && item.flag() == Some(true)
    {
        if plan.cloud == Cloud::Aws {
            plan.endpoint = Some(aws::IPV6.to_owned());
        } else {
            item.bad::<()>("needs provider = \"AWS\": no other cloud has such an address");
        }
    }
    if let Some(endpoint) = table.get("endpoint").and_then(|item| endpoint(&item, local)) {
        plan.endpoint = Some(endpoint);
    }
    for (key, place) in [
        ("rebalance", &mut plan.rebalance),
        ("maintenance", &mut plan.maintenance),
        ("acknowledge", &mut plan.acknowledge),
    ] {
        if let Some(flag) = table.get(key).and_then(|item| item.flag()) {
            *place = flag;
        }
    }
    for item in table.get("countdown").and_then(|item| item.list(MAX_COUNTDOWN)).unwrap_or_default() {
        plan.countdown.extend(item.span(COUNTDOWN));
    }
}

fn endpoint(item: &Item<'_>, local: bool) -> Option<String> {
    let text = item.text()?;
    if local {
        return item.bad("needs provider = \"AliCloud\" or another cloud");
    }
    match url::parse(text) {
        Err(why) => item.bad(why),
        Ok(url) if url.tls => item.bad("must begin with http://: metadata services speak no https"),
        Ok(_) if text.ends_with('/') => item.bad("must not end in a slash"),
        Ok(_) if text.contains(['?', '#']) => item.bad("must not hold a query or a fragment"),
        Ok(url) => Some(url.text),
    }
}

fn control(root: &mut Table<'_>, runtime_dir: &Path) -> PathBuf {
    let item = root.get("control");
    let fits = |path: &Path| path.as_os_str().len() <= MAX_SOCKET_PATH;
    if let Some(item) = item {
        let written = absolute(&item).unwrap_or_default();
        if !fits(&written) {
            item.bad::<()>(&format!("a socket's path has at most {MAX_SOCKET_PATH} bytes"));
        }
        return written;
    }
    let path = runtime_dir.join(SOCKET);
    if !fits(&path) {
        // Not an error: everything but the commands works.
        let text = format!("{} is too long for a socket: commands will not reach the daemon", path.display());
        root.report.warn(NOWHERE, "control", &text);
    }
    path
}

/// An absolute path: commands find the daemon through the same file, wherever they are called.
fn absolute(item: &Item<'_>) -> Option<PathBuf> {
    let text = item.line(table::MAX_TEXT)?;
    if Path::new(text).is_absolute() { Some(text.into()) } else { item.bad("must be an absolute path") }
}

/// `log`: an env_logger filter, which is levels and `target=level` with commas between.
fn log_filter(item: &Item<'_>) -> Option<String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let text = item.line(256)?;
    for part in text.split(',') {
        let level = part.rsplit_once('=').map_or(part, |(_, level)| level).trim();
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            item.unknown(level, &LEVELS);
            return None;
        }
        if log::STATIC_MAX_LEVEL < log::Level::Debug && ["debug", "trace"].contains(&&*level.to_ascii_lowercase()) {
            item.warn("this binary was built without lines below info");
        }
    }
    Some(text.to_owned())
}
