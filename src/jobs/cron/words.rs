//! How an expression is read, for people.

use super::{FIELDS, Schedule};

/// From so many numbers in equal steps on, they are shown as such.
const MANY: usize = 4;

impl Schedule {
    /// Each field's name and what stands in it: `every`, or its numbers.
    pub fn words(&self) -> [(&'static str, String); 6] {
        let sets = [self.second, self.minute, self.hour, self.day, self.month, self.weekday];
        let mut place = 0;
        sets.map(|set| {
            let field = &FIELDS[place];
            place += 1;
            (field.0, numbers(set, field.1, if field.2 == 7 { 6 } else { field.2 }))
        })
    }

    /// Whether one of the two days is enough.
    pub fn is_either_day(&self) -> bool {
        self.either_day
    }
}

fn numbers(set: u64, min: u8, max: u8) -> String {
    let all: Vec<u8> = (min..=max).filter(|number| set >> number & 1 == 1).collect();
    if all.len() == usize::from(max - min) + 1 {
        return "every".to_owned();
    }
    let name = |number: u8| match max {
        6 => super::WEEKDAYS[usize::from(number) * 3..][..3].to_owned(),
        12 => super::MONTHS[usize::from(number - 1) * 3..][..3].to_owned(),
        _ => number.to_string(),
    };
    let (first, last) = (all.first().copied().unwrap_or(min), all.last().copied().unwrap_or(min));
    let step = all.get(1).map_or(0, |second| second - first);
    if step > 1 && all.len() >= MANY && all.windows(2).all(|pair| pair[1] - pair[0] == step) {
        return ["every ", &step.to_string(), " from ", &name(first), " to ", &name(last)].concat();
    }
    let mut text = String::new();
    let mut at = 0;
    while let Some(from) = all.get(at) {
        let run = all[at..].iter().enumerate().take_while(|(n, number)| usize::from(**number - from) == *n).count();
        let until = from + (run - 1) as u8;
        // Two neighbours are no range.
        let (until, run) = if run == 2 { (*from, 1) } else { (until, run) };
        text.push_str(if text.is_empty() { "" } else { ", " });
        text.push_str(&name(*from));
        if run > 1 {
            text.push_str(" to ");
            text.push_str(&name(until));
        }
        at += run;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_named() {
        let words = |text: &str| {
            let schedule = Schedule::parse(text).unwrap();
            schedule.words().map(|(_, words)| words).join("; ")
        };
        for (text, want) in [
            ("* * * * *", "0; every; every; every; every; every"),
            ("*/15 2 1,15 * mon-fri", "0; every 15 from 0 to 45; 2; 1, 15; every; mon to fri"),
            ("30 0 2 * jan,feb,jun-aug 7", "30; 0; 2; every; jan, feb, jun to aug; sun"),
            ("0 8-18/2 * * fri-sun", "0; 0; every 2 from 8 to 18; every; every; sun, fri, sat"),
            ("@daily", "0; 0; 0; every; every; every"),
        ] {
            assert_eq!(words(text), want, "{text}");
        }
        let names = Schedule::parse("@daily").unwrap().words().map(|(name, _)| name).join(", ");
        assert_eq!(names, "second, minute, hour, day of the month, month, day of the week");
        assert!(Schedule::parse("0 0 1 * mon").unwrap().is_either_day());
    }
}
