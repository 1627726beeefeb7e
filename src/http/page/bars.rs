//! The last 90 days of a host or a probe, as a small picture.

use std::time::Duration;

use super::Page;
use super::html::Html;
use crate::json::decimal;

/// Width of a day in the picture, and what of it is left empty.
const STEP: usize = 4;
/// From this many seconds on a day counts as a bad one.
const BAD: u32 = 3600;
/// Seconds of a day.
const DAY: u64 = 86_400;

/// What the pictures share: a day on which all was well is short, one that was not is tall.
pub const PATTERNS: &str = "<svg class=defs aria-hidden=true><defs>\
    <pattern id=up width=4 height=20 patternUnits=userSpaceOnUse><rect class=u y=11 width=3 height=9 /></pattern>\
    <pattern id=no width=4 height=20 patternUnits=userSpaceOnUse><rect class=n y=17 width=3 height=3 /></pattern>\
    </defs></svg>";

impl Page<'_> {
    /// The picture, with a text that says the same. Only days on which something was down are drawn by themselves.
    pub fn bars(&self, out: &mut Html, days: &[Option<u32>]) {
        let known = days.iter().filter(|day| day.is_some()).count();
        if known == 0 {
            out.tag("small", self.say("not known yet", "尚无数据"));
            return;
        }
        let first = days.len() - known;
        out.raw("<svg class=days viewBox=\"0 0 359 20\" preserveAspectRatio=none role=img aria-label=\"");
        out.text(&self.summary(days)).raw("\">");
        let rect = |out: &mut Html, from: usize, count: usize, rest: &str| {
            out.raw("<rect x=").number(from * STEP).raw(" width=").number(count * STEP).raw(" height=20 ").raw(rest);
        };
        if first > 0 {
            rect(out, 0, first, "fill=url(#no) />");
        }
        // A run of good days is one piece.
        let mut run = first;
        for (at, seconds) in days.iter().enumerate().skip(first) {
            let Some(down) = seconds.filter(|down| *down > 0) else { continue };
            if at > run {
                rect(out, run, at - run, "fill=url(#up) />");
            }
            run = at + 1;
            let class = if down >= BAD { "class=d" } else { "class=o" };
            out.raw("<rect x=").number(at * STEP).raw(" width=3 height=20 ").raw(class).raw("><title>");
            out.text(&self.day(days.len() - 1 - at)).raw(": ").text(&self.lost(down.into())).raw("</title></rect>");
        }
        if days.len() > run {
            rect(out, run, days.len() - run, "fill=url(#up) />");
        }
        out.raw("</svg>");
        let (up, total, bad) = shares(days);
        let said = match (bad, known, self.chinese()) {
            (0, 1, false) => "never down today".to_owned(),
            (0, _, false) => ["never down in ", &known.to_string(), " days"].concat(),
            (0, _, true) => [&*known.to_string(), " 天内无中断"].concat(),
            _ => [&*percent(up, total), " · ", &self.lost(total - up)].concat(),
        };
        out.tag("small", &said);
    }

    fn lost(&self, secs: u64) -> String {
        let [before, after] = if self.chinese() { ["中断 ", ""] } else { ["", " down"] };
        [before, &self.words().span(Duration::from_secs(secs)), after].concat()
    }

    fn summary(&self, days: &[Option<u32>]) -> String {
        let (up, total, bad) = shares(days);
        let known = days.iter().filter(|day| day.is_some()).count().to_string();
        let (percent, lost, bad) =
            (percent(up, total), self.words().span(Duration::from_secs(total - up)), bad.to_string());
        if self.chinese() {
            return ["最近 ", &known, " 天可用 ", &percent, "，", &bad, " 天有中断，共 ", &lost].concat();
        }
        match (&*bad, &*known) {
            ("0", "1") => "never down today".to_owned(),
            ("0", _) => ["never down in ", &known, " days"].concat(),
            ("1", "1") => [&*percent, " up today, down for ", &lost].concat(),
            _ => [&*percent, " up in ", &known, " days, down on ", &bad, " of them for ", &lost].concat(),
        }
    }
}

/// Seconds up, seconds looked at, and how many days had an outage.
fn shares(days: &[Option<u32>]) -> (u64, u64, usize) {
    let (mut down, mut total, mut bad) = (0, 0, 0);
    for seconds in days.iter().flatten() {
        total += DAY;
        down += u64::from(*seconds).min(DAY);
        bad += usize::from(*seconds > 0);
    }
    (total - down, total, bad)
}

/// Rounded down: what was down is never 100 %.
fn percent(up: u64, total: u64) -> String {
    let hundredths = up.saturating_mul(10_000) / total.max(1);
    [&*decimal(i64::try_from(hundredths).unwrap_or(0), 2), " %"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_the_days() {
        for (days, want, text) in [
            (vec![None, Some(0), Some(0)], (172_800, 172_800, 0), "100.00 %"),
            (vec![Some(1)], (86_399, 86_400, 1), "99.99 %"),
            (vec![Some(43_200), Some(43_200)], (86_400, 172_800, 2), "50.00 %"),
            (vec![Some(90_000)], (0, 86_400, 1), "0.00 %"),
            (vec![], (0, 0, 0), "0.00 %"),
        ] {
            assert_eq!(shares(&days), want);
            assert_eq!(percent(want.0, want.1), text);
        }
    }
}
