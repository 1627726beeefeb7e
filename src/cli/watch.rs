//! `status --watch`: the state again and again.

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use rustix::termios::tcgetwinsize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

use crate::cli::{EXIT_FAILURE, EXIT_NO_DAEMON, fail, problems, remote};
use crate::config::units::show_span;
use crate::config::{Env, Source};
use crate::control;
use crate::run::table::{Rows, line, width};

/// Width of a bar.
const BAR: usize = 8;
/// Parts of a character of a bar, in eighths.
const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// From so many percent on, a bar is yellow, and red.
const LEVELS: (usize, usize) = (80, 90);
/// Columns with a share in use, in percent.
const SHARES: [&str; 2] = ["MEMORY", "DISK"];
/// States, by what there is to do about them.
const GOOD: [&str; 5] = ["up", "ok", "quiet", "ready", "normal"];
const BAD: [&str; 4] = ["offline", "down", "notice", "high"];
const ODD: [&str; 5] = ["retrying", "parked", "blind", "up, to be reclaimed", "rests"];

const PLAIN: &str = "";
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const RESET: &str = "\x1b[0m";

/// Shows the state every so often until Ctrl-C; exits with the code of what it showed last. A daemon that is gone may come
/// back: it goes on asking.
pub fn run(source: &Source, env: &Env, every: Duration) -> ExitCode {
    let socket = match remote::socket(source, env) {
        Ok(socket) => socket,
        Err(found) => return problems(&found),
    };
    let mut signals = match signals() {
        Ok(signals) => signals,
        Err(error) => return fail(EXIT_FAILURE, &["no signals: ", &error.to_string()]),
    };
    let terminal = io::stdout().is_terminal();
    // See no-color.org.
    let colours = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut first = true;
    loop {
        let (code, text) = match control::ask(&socket, "status") {
            Ok(answer) => answer,
            Err(error) => {
                let (code, why) = remote::why(&socket, &error, EXIT_NO_DAEMON);
                (code, [&*why, "; it is asked again\n"].concat())
            }
        };
        let text = if terminal {
            // Where nobody knows how large it is, the terminal does what it does with long lines.
            let size = tcgetwinsize(io::stdout()).ok().filter(|size| size.ws_row > 1 && size.ws_col > 1);
            let size = size.map_or((usize::MAX, usize::MAX), |size| (size.ws_row.into(), size.ws_col.into()));
            let head = ["every ", &show_span(every), "; Ctrl-C ends it\n"].concat();
            screen(&[head, text].concat(), size, colours)
        } else {
            [if first { "" } else { "\n" }, &text].concat()
        };
        first = false;
        // Nobody reads it any more (`| head`), or it was ended.
        if print(&text).is_err() || waited(&mut signals, every) {
            if terminal {
                let _ = print("\x1b[?25h");
            }
            return code.into();
        }
    }
}

/// A byte comes with every signal that ends it.
fn signals() -> io::Result<UnixStream> {
    let (wake, bell) = UnixStream::pair()?;
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        pipe::register(signal, bell.try_clone()?)?;
    }
    Ok(wake)
}

/// Waits so long; whether a signal came.
fn waited(signals: &mut UnixStream, every: Duration) -> bool {
    let read = signals.set_read_timeout(Some(every)).and_then(|()| signals.read(&mut [0; 16]));
    // It was stopped and goes on: what stands there is old.
    !matches!(read, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted))
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// What a terminal of so many rows and columns shows in place of what it shows now: with bars, with colours if they are
/// wanted, and without what does not fit.
pub fn screen(text: &str, (rows, columns): (usize, usize), colours: bool) -> String {
    let text = with_bars(text);
    let lines: Vec<&str> = text.lines().collect();
    let shown = if lines.len() < rows { lines.len() } else { rows.saturating_sub(2) };
    // The cursor is hidden and goes to the top; every line, and in the end the rest, is cleared behind it.
    let mut out = "\x1b[?25l\x1b[H".to_owned();
    let mut heads: Option<Vec<(usize, &str)>> = None;
    for text in lines.iter().take(shown) {
        let fresh = heads_of(text);
        let styles = match (&fresh, &heads) {
            (Some(_), _) => vec![(0, BOLD)],
            (None, Some(heads)) if !text.is_empty() => cell_styles(text, heads),
            _ => vec![(0, line_style(text))],
        };
        heads = if text.is_empty() { None } else { fresh.or(heads) };
        paint(&mut out, text, &styles, columns, colours);
        out.push_str("\x1b[K\n");
    }
    if shown < lines.len() {
        let more = ["… ", &(lines.len() - shown).to_string(), " more lines"].concat();
        paint(&mut out, &more, &[(0, DIM)], columns, colours);
        out.push_str("\x1b[K\n");
    }
    out.push_str("\x1b[J");
    out
}

/// The heads of a table and the columns where they stand; `None` if this is another line.
fn heads_of(text: &str) -> Option<Vec<(usize, &str)>> {
    let mut heads = Vec::new();
    let mut at = 0;
    for word in text.split("  ") {
        let name = word.trim_start();
        if !name.is_empty() {
            heads.push((at + word.len() - name.len(), name));
        }
        at += word.len() + 2;
    }
    let is_head = |(_, name): &(usize, &str)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' ');
    (heads.len() > 1 && heads.iter().all(is_head)).then_some(heads)
}

/// The cells of a line below those heads.
fn cells<'a>(text: &'a str, heads: &[(usize, &str)]) -> Vec<&'a str> {
    let mut ends = heads.iter().skip(1).map(|(start, _)| *start);
    let (mut cells, mut from, mut column, mut next) = (Vec::new(), 0, 0, ends.next());
    for (at, c) in text.char_indices() {
        if next.is_some_and(|next| column >= next) {
            cells.push(text[from..at].trim_end());
            (from, next) = (at, ends.next());
        }
        column += width(c.encode_utf8(&mut [0; 4]));
    }
    cells.push(text[from..].trim_end());
    cells
}

/// The tables with a bar behind every share.
fn with_bars(text: &str) -> String {
    let mut out = String::new();
    let mut table: Option<(Vec<(usize, &str)>, Rows)> = None;
    for text in text.lines() {
        if let Some((heads, rows)) = table.as_mut().filter(|_| !text.is_empty()) {
            let mut row: Vec<String> = Vec::new();
            for (cell, (_, head)) in cells(text, heads).into_iter().zip(heads.iter()) {
                let share = cell.strip_suffix(" %").and_then(|share| share.trim().parse::<usize>().ok());
                row.push(match share.filter(|_| SHARES.contains(head)) {
                    Some(share) => [&*format!("{share:>3}"), " % ", &bar(share)].concat(),
                    None => cell.to_owned(),
                });
            }
            rows.row(&row.iter().map(|cell| &**cell).collect::<Vec<_>>());
            continue;
        }
        if let Some((_, rows)) = table.take() {
            rows.columns(&mut out);
        }
        match heads_of(text) {
            Some(heads) => {
                let rows = Rows::new(&heads.iter().map(|(_, name)| *name).collect::<Vec<_>>());
                table = Some((heads, rows));
            }
            None => line(&mut out, &[text]),
        }
    }
    if let Some((_, rows)) = table {
        rows.columns(&mut out);
    }
    out
}

/// A share of a hundred as a picture.
fn bar(share: usize) -> String {
    let eighths = share.min(100) * BAR * 8 / 100;
    let mut bar = "█".repeat(eighths / 8);
    bar.push_str(PARTS[eighths % 8]);
    bar
}

/// Where in a row of a table another style begins.
fn cell_styles(text: &str, heads: &[(usize, &str)]) -> Vec<(usize, &'static str)> {
    let mut styles = vec![(0, PLAIN)];
    for (cell, (start, head)) in cells(text, heads).into_iter().zip(heads) {
        let style = match (*head, cell.split_once(" %")) {
            ("STATE", _) => state_style(cell),
            (head, Some((share, _))) if SHARES.contains(&head) => match share.trim().parse().unwrap_or(0) {
                share if share >= LEVELS.1 => RED,
                share if share >= LEVELS.0 => YELLOW,
                _ => PLAIN,
            },
            _ => PLAIN,
        };
        if style != PLAIN {
            styles.push((*start, style));
            styles.push((*start + width(cell), PLAIN));
        }
    }
    styles
}

fn state_style(state: &str) -> &'static str {
    for (states, style) in [(&GOOD[..], GREEN), (&BAD, RED), (&ODD, YELLOW)] {
        if states.contains(&state) {
            return style;
        }
    }
    PLAIN
}

fn line_style(text: &str) -> &'static str {
    if text.starts_with("  problem: ") || text.starts_with("no daemon ") || text.starts_with("the daemon at ") {
        RED
    } else if text.starts_with("held back: ") || text.starts_with("silenced: ") {
        YELLOW
    } else if text.starts_with("every ") {
        DIM
    } else {
        PLAIN
    }
}

/// Adds so many columns of a line; `styles` tells from which column on it looks how.
fn paint(out: &mut String, text: &str, styles: &[(usize, &str)], columns: usize, colours: bool) {
    let (mut column, mut styles, mut styled) = (0, styles.iter().peekable(), false);
    for c in text.chars() {
        while let Some((_, style)) = styles.next_if(|(start, _)| *start <= column).filter(|_| colours) {
            if styled {
                out.push_str(RESET);
            }
            styled = *style != PLAIN;
            out.push_str(style);
        }
        column += width(c.encode_utf8(&mut [0; 4]));
        if column > columns {
            break;
        }
        out.push(c);
    }
    if styled {
        out.push_str(RESET);
    }
}

#[cfg(test)]
mod tests;
