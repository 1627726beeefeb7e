//! `[[window]]`: when silences are not told.

use toml::de::DeValue;

use crate::config::alert::hosts;
use crate::config::keepalive::NO_SERVER;
use crate::config::plan::Window;
use crate::config::problem::quoted;
use crate::config::table::{Item, Table};

/// Windows in all.
const MAX_WINDOWS: usize = 64;
/// Names of `days`, from bit 0 of [`Window::days`] on.
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const ALL_DAYS: u8 = 0x7f;

/// `[[window]]`; `watches`: there is a server that heeds it.
pub fn windows(root: &mut Table<'_>, watches: bool) -> Vec<Window> {
    let Some(item) = root.get("window") else { return Vec::new() };
    if !watches {
        item.warn(NO_SERVER);
    }
    let mut windows = Vec::new();
    for entry in item.list(MAX_WINDOWS).unwrap_or_default() {
        if let Some(table) = entry.table() {
            windows.extend(window(table));
        }
    }
    windows
}

fn window(mut table: Table<'_>) -> Option<Window> {
    let days = table.get("days").map_or(Some(ALL_DAYS), |item| days(&item));
    let time = table.need("time", "; write time = \"02:00-04:30\"").and_then(|item| time(&item));
    let listed = table.get("hosts");
    let hosts = hosts(listed);
    if let Some(listed) = listed.filter(|item| matches!(item.value, DeValue::Array(list) if list.is_empty())) {
        return listed.bad("is empty; leave it out for all hosts");
    }
    let place = table.item();
    table.finish();
    let (days, (from, to)) = (days?, time?);
    if days == ALL_DAYS && from == to && listed.is_none() {
        place.warn("is always open for all hosts: no silence is ever told");
    }
    Some(Window { hosts, days, from, to })
}

fn days(item: &Item<'_>) -> Option<u8> {
    let mut days = 0;
    for entry in item.list(DAYS.len())? {
        days |= 1 << entry.choice(&DAYS)?;
    }
    if days == 0 { item.bad("is empty; leave it out for all days") } else { Some(days) }
}

/// A span of the day, as minutes from midnight: its beginning and its end.
pub fn time(item: &Item<'_>) -> Option<(u16, u16)> {
    let text = item.text()?;
    match parse_time(text) {
        Some(time) => Some(time),
        None => item.bad(&[&quoted(text), " is no span of time; write \"02:00-04:30\""].concat()),
    }
}

/// `02:00-04:30` as minutes of the day. The end may be `24:00`, which is the next day's 0:00.
fn parse_time(text: &str) -> Option<(u16, u16)> {
    const DAY: u16 = 24 * 60;
    let (from, to) = text.split_once('-')?;
    let (from, to) = (minutes(from.trim())?, minutes(to.trim())?);
    (from < DAY && to <= DAY).then_some((from, to % DAY))
}

fn minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str| digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u16>().ok())?;
    let good = matches!(hours.len(), 1 | 2) && minutes.len() == 2;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (good && minutes < 60).then(|| hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_the_day() {
        for (text, want) in [
            ("02:00-04:30", Some((120, 270))),
            ("2:00 - 04:30", Some((120, 270))),
            ("23:30-00:30", Some((1410, 30))),
            ("00:00-24:00", Some((0, 0))),
            ("08:00-08:00", Some((480, 480))),
            ("24:00-01:00", None),
            ("00:00-24:01", None),
            ("00:60-01:00", None),
            ("0:0-1:00", None),
            ("+1:00-2:00", None),
            ("02:00", None),
            ("02:00-", None),
            ("02:00–04:30", None),
            ("02:00-04:30-05:00", None),
            ("2000:00-1:00", None),
            ("99999:00-1:00", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text), want, "{text}");
        }
    }
}
