//! The log on standard error, in the form its reader wants.

use std::io::{IsTerminal, Write};

use env_logger::{Builder, Env};
use log::Level;

use crate::clock;
use crate::zone::Zone;

/// How a line begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// `<6>`: the journal reads the priority and adds the time.
    Priority,
    /// `info: `: procd and the like add the time.
    Level,
    /// Local time and level.
    Time,
    /// The same, with colour.
    Colour,
}

/// Sets the log up. `filter` is the file's `log`; `RUST_LOG` wins over it.
pub fn start(filter: &str, zone: Zone) {
    let form = form();
    let mut builder = Builder::new();
    builder.parse_filters(filter).parse_env(Env::new().filter("RUST_LOG"));
    builder.format(move |out, record| {
        let level = record.level();
        // Below a warning these show addresses, which are secrets, and bytes on the wire.
        if level > Level::Warn && ["ureq", "rustls"].iter().any(|name| record.target().starts_with(name)) {
            return Ok(());
        }
        let time = || zone.human(clock::wall());
        let mut line = match form {
            Form::Priority => ["<", priority(level), ">"].concat(),
            Form::Level => [name(level), ": "].concat(),
            Form::Time => [&time(), " ", padded(level), " "].concat(),
            Form::Colour => [&time(), " \x1b[", colour(level), "m", padded(level), "\x1b[0m "].concat(),
        };
        // A line is a line, whatever a stranger said.
        line.extend(record.args().to_string().chars().map(|c| if c.is_control() { ' ' } else { c }));
        line.push('\n');
        out.write_all(line.as_bytes())
    });
    builder.init();
}

fn form() -> Form {
    let stderr = std::io::stderr();
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    // A terminal comes first: those that systemd starts pass JOURNAL_STREAM on to every shell in them.
    if stderr.is_terminal() {
        return if set("NO_COLOR") { Form::Time } else { Form::Colour };
    }
    if set("JOURNAL_STREAM") {
        return Form::Priority;
    }
    let file = rustix::fs::fstat(&stderr)
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode) == rustix::fs::FileType::RegularFile);
    if file { Form::Time } else { Form::Level }
}

/// Priorities of syslog(3).
fn priority(level: Level) -> &'static str {
    match level {
        Level::Error => "3",
        Level::Warn => "4",
        Level::Info => "6",
        Level::Debug | Level::Trace => "7",
    }
}

/// Colours of ECMA-48.
fn colour(level: Level) -> &'static str {
    match level {
        Level::Error => "31",
        Level::Warn => "33",
        Level::Info => "32",
        Level::Debug | Level::Trace => "36",
    }
}

/// Five characters.
fn padded(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn ",
        Level::Info => "info ",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

fn name(level: Level) -> &'static str {
    padded(level).trim_end()
}
