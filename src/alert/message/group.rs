//! The words of what happened to many hosts at once.

use super::{Line, MAX_DIGEST_LINES, MAX_TITLE_NAME, Row, Voice, tells};
use crate::alert::clean::clean;
use crate::event::{Event, Fact, Field, Kind};

/// Hosts that the title of a group names.
const MAX_TITLE_NAMES: usize = 5;
/// What a group tells once, below its members.
const SHARED: [Field; 4] = [Field::Hint, Field::Reason, Field::Server, Field::Count];

impl Voice<'_> {
    /// The title of many hosts with one fate, or of what happened to one.
    pub(super) fn together(&self, rows: &[Row<'_>]) -> Option<String> {
        let (first, _) = rows[0];
        if rows.iter().all(|(event, _)| event.subject == first.subject) {
            return Some(self.title(first));
        }
        let (_, template) = self.words.together.iter().find(|(kind, _)| *kind == first.kind)?;
        let same = |(event, end): &Row<'_>| event.kind == first.kind && end.is_none_or(|end| end.kind == Kind::Online);
        if !rows.iter().all(same) {
            return None;
        }
        let back = rows.iter().filter(|(_, end)| end.is_some()).count();
        if back == 0 {
            return Some(self.words.fill(template, &self.names(rows, false), None, rows.len() as i64));
        }
        let all = back == rows.len();
        let rest = self.words.back_again[usize::from(!all)];
        let rest = self.words.fill(rest, &self.names(rows, all), None, back as i64);
        Some(self.words.fill(self.words.were_together, "", None, rows.len() as i64) + &rest)
    }

    /// Whom `rows` are about, if they are not `over`, or all that are.
    fn names(&self, rows: &[Row<'_>], over: bool) -> String {
        let (mut names, mut count) = (String::new(), 0);
        for (event, _) in rows.iter().filter(|(_, end)| end.is_some() == over) {
            if count < MAX_TITLE_NAMES {
                names.push_str(if count == 0 { "" } else { self.words.comma });
                names.push_str(&clean(&event.subject, MAX_TITLE_NAME));
            }
            count += 1;
        }
        if count > MAX_TITLE_NAMES {
            names.push_str(&self.words.fill(self.words.more_hosts, "", None, (count - MAX_TITLE_NAMES) as i64));
        }
        names
    }

    /// Adds what many members of a group say, each thing once.
    pub(super) fn shared(&self, members: &[&Event], lines: &mut Vec<Line>) {
        let mut facts: Vec<(Field, &Fact)> = Vec::new();
        for field in SHARED {
            for event in members.iter().filter(|event| !tells(event.kind, field)) {
                // The reason of a host that was never heard of stands in its line.
                let in_line = field == Field::Reason && event.fact(Field::LastBeat).is_none();
                if let Some(fact) = event.fact(field)
                    && !in_line
                    && !facts.contains(&(field, fact))
                {
                    facts.push((field, fact));
                }
            }
        }
        facts.truncate(MAX_DIGEST_LINES);
        self.facts(members[0].kind, &facts, lines);
    }
}
