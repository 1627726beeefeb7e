use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::clock::{Boot, Tick, Wall};
use crate::config::plan::{ChannelKind, Language};
use crate::event::{Event, Fact, Field, Id, Kind, Moment};

const NOW: Now = Now { tick: Tick(36_000_000), wall: Wall(1_795_226_400_000), boot: Boot(7) };
const MARKUPS: [Markup; 8] = [
    Markup::Plain,
    Markup::Html,
    Markup::Slack,
    Markup::Discord,
    Markup::Angle,
    Markup::Wide,
    Markup::Markdown,
    Markup::Card,
];
const UNITS: [Unit; 4] = [Unit::Bytes, Unit::Json, Unit::Chars, Unit::Utf16];

/// Numbers that look random and are the same in every run (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn text(&mut self, most: usize) -> String {
        const PIECES: [&str; 40] = [
            "a",
            "b",
            "Z",
            "0",
            "7",
            " ",
            " ",
            "-",
            "#",
            "+",
            ".",
            ")",
            "(",
            "*",
            "_",
            "~",
            "`",
            "|",
            "\\",
            "[",
            "]",
            "<",
            ">",
            "&",
            "&amp;",
            "\"",
            "'",
            "@",
            "@all",
            "://",
            "www.",
            "{title}",
            "${x}",
            "{",
            "}",
            "失",
            "é",
            "e\u{301}",
            "👩\u{200D}💻",
            "\u{1F44D}\u{1F3FD}",
        ];
        let count = self.below(most + 1);
        (0..count).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }

    fn message(&mut self) -> Message {
        let count = 1 + self.below(3);
        let members = (0..count).map(|_| {
            let kind = Kind::ALL[self.below(Kind::ALL.len())];
            let mut event = Event::new(kind, Id(1), self.text(30), Moment::at(NOW.tick, &NOW));
            for _ in 0..self.below(20) {
                let field = Field::ALL[self.below(Field::ALL.len())];
                event = event.with_text(field, self.text(60));
            }
            Arc::new(event)
        });
        let members = members.collect();
        let form = [Form::One, Form::Over, Form::Digest, Form::Minimal][self.below(4)];
        Message { id: Id(0x3fa2_0000_0000_0001), form, members }
    }
}

/// What a reader of `markup` sees.
fn unescaped(markup: Markup, text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (markup, c) {
            (Markup::Discord | Markup::Markdown, '\\') => out.extend(chars.next()),
            (Markup::Angle, '＜') => out.push('<'),
            (Markup::Wide, '！'..='～') => out.extend(char::from_u32(u32::from(c) - 0xFEE0)),
            (Markup::Card, '\u{034F}') | (Markup::Html | Markup::Slack | Markup::Angle | Markup::Wide, '\u{2060}') => {}
            _ => out.push(c),
        }
    }
    if matches!(markup, Markup::Html | Markup::Slack) {
        for (entity, c) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")] {
            out = out.replace(entity, c);
        }
    }
    out
}

/// Whether `text` was cut inside an escape.
fn whole(markup: Markup, text: &str) -> bool {
    match markup {
        Markup::Html | Markup::Slack => text
            .split('&')
            .skip(1)
            .all(|rest| ["amp;", "lt;", "gt;", "quot;"].iter().any(|entity| rest.starts_with(entity))),
        Markup::Discord | Markup::Markdown => !text.ends_with('\\') || unescaped(markup, text).ends_with('\\'),
        _ => true,
    }
}

fn plan() -> ChannelPlan {
    ChannelPlan::new("ops", ChannelKind::Log, Language::En, Duration::from_secs(10))
}

fn style(markup: Markup, unit: Unit, title: usize, body: usize, joined: bool) -> Style {
    Style { markup, title: Room { unit, max: title }, body: Room { unit, max: body }, joined, newline: "\n" }
}

fn composed(plan: &ChannelPlan, style: &Style, message: &Message) -> Composed {
    compose(plan, style, message, &NOW, &Zone::utc())
}

fn notice(subject: &str) -> Event {
    Event::new(Kind::Interrupt, Id(1), subject, Moment::at(NOW.tick, &NOW))
        .with(Field::Deadline, Fact::Time(Moment::at_wall(Wall(NOW.wall.0 + 290_000), &NOW)))
        .with_text(Field::Instance, "i-1")
}

fn one(event: Event) -> Message {
    Message { id: Id(0x3fa2_0000_0000_0001), form: Form::One, members: vec![Arc::new(event)] }
}

#[test]
fn what_is_escaped_reads_as_it_was() {
    let mut random = Random(42);
    for _ in 0..4000 {
        let text = random.text(20);
        for markup in MARKUPS {
            let escaped = markup.escaped(&text);
            assert_eq!(unescaped(markup, &escaped), text, "{markup:?} {escaped}");
            assert!(whole(markup, &escaped), "{markup:?} {escaped}");
            if matches!(markup, Markup::Html | Markup::Slack | Markup::Angle | Markup::Wide | Markup::Card) {
                assert!(!escaped.contains("://"), "{markup:?} {escaped}");
            }
        }
    }
}

#[test]
fn nothing_that_others_wrote_is_live() {
    for (markup, text, escaped) in [
        (Markup::Html, "<b>\"a\" & b</b>", "&lt;b&gt;&quot;a&quot; &amp; b&lt;/b&gt;"),
        (Markup::Html, "nas@home @all", "nas@home @\u{2060}all"),
        (Markup::Slack, "<!channel> a & b", "&lt;!channel&gt; a &amp; b"),
        (Markup::Slack, "http://evil.example", "http:\u{2060}//evil.example"),
        (Markup::Discord, "**a** ||b|| [c](http://d)", "\\*\\*a\\*\\* \\|\\|b\\|\\| \\[c\\](http:\\//d)"),
        (Markup::Discord, "- a - b", "\\- a - b"),
        (Markup::Markdown, "1. web_1 &lt; 2.5", "1\\. web\\_1 \\&lt; 2.5"),
        (Markup::Markdown, "# a <b> ![c](d)", "\\# a \\<b\\> !\\[c\\](d)"),
        (Markup::Angle, "<at user_id=\"all\"></at>", "＜at user_id=\"all\">＜/at>"),
        (Markup::Wide, "<@all> [a](b) **c** web_1", "＜@all> ［a](b) ＊＊c＊＊ web_1"),
        (Markup::Wide, "# a", "＃ a"),
        (Markup::Wide, "1. a", "1.\u{2060} a"),
        (Markup::Wide, "192.0.2.1 is 1. b", "192.0.2.1 is 1. b"),
        (Markup::Card, "1) a 2) b", "1)\u{34F} a 2) b"),
        (Markup::Card, "*a* web_1 _b_", "\u{34F}*a\u{34F}* web_1 \u{34F}_b_"),
    ] {
        assert_eq!(markup.escaped(text), escaped, "{markup:?}");
    }
}

#[test]
fn what_does_not_fit_is_cut_between_characters() {
    for (text, unit, max, cut) in [
        ("abcdef", Unit::Bytes, 6, "abcdef"),
        ("abcdef", Unit::Bytes, 5, "ab…"),
        ("abcdef", Unit::Chars, 5, "abcd…"),
        ("失联失联", Unit::Bytes, 11, "失联…"),
        ("ab👍cd", Unit::Utf16, 5, "ab👍…"),
        ("ab👍cd", Unit::Utf16, 4, "ab…"),
        ("abe\u{301}d", Unit::Chars, 4, "ab…"),
        ("a👩\u{200D}💻bcd", Unit::Chars, 4, "a…"),
        ("a\"b\"c", Unit::Json, 6, "a\"…"),
        ("abc", Unit::Bytes, 2, "ab"),
        ("abc", Unit::Bytes, 0, ""),
    ] {
        assert_eq!(fit(Markup::Plain, "", text, Room { unit, max }), cut, "{text} {unit:?} {max}");
    }
    assert_eq!(fit(Markup::Html, "", "a<<<", Room { unit: Unit::Chars, max: 6 }), "a&lt;…");
    assert_eq!(fit(Markup::Discord, "[x] ", "a**b", Room { unit: Unit::Chars, max: 8 }), "[x] a\\*…");
    let marks = "\u{301}".repeat(1000);
    assert!(fit(Markup::Plain, "", &["abc", &marks].concat(), Room { unit: Unit::Bytes, max: 300 }).len() > 200);
}

#[test]
fn whatever_is_said_fits_and_is_valid() {
    let mut random = Random(7);
    let titles = ["{title}", "{host}: {kind} {time_left}", "{severity} {text}"];
    let bodies = ["{text}", "<b>{host}</b>\n{text}\n{reason}{hint}", "{reason}{hint}{note}", "{reason}"];
    for round in 0..2500 {
        let (markup, unit) = (MARKUPS[round % MARKUPS.len()], UNITS[random.below(UNITS.len())]);
        let most = [30, 200, 3000][random.below(3)];
        let mut style = style(markup, unit, random.below(most), random.below(most), random.below(2) == 0);
        style.newline = ["\n", "\n\n", "<br>"][random.below(3)];
        let mut plan = plan();
        plan.language = [Language::En, Language::Zh][random.below(2)];
        plan.prefix = ["", "[ic]", "告警 & <x>"][random.below(3)].to_owned();
        let own = random.below(2) == 0;
        if own {
            plan.title = Some(titles[random.below(titles.len())].to_owned());
            plan.body = Some(bodies[random.below(bodies.len())].to_owned());
        }
        let message = random.message();
        let said = composed(&plan, &style, &message);
        let seen = format!("{style:?} {message:?}\n{said:?}");
        assert!(style.title.holds(&said.title) && style.body.holds(&said.body), "{seen}");
        assert!(!said.title.contains('\n'), "{seen}");
        // What the owner wrote may hold a lone &, < and >; `whole` looks at what is left of it.
        let ours =
            |text: &str| text.replace("告警 & <x>", "").replace("<b>", "").replace("</b>", "").replace("<br>", "");
        assert!(whole(markup, &ours(&said.title)), "{seen}");
        assert!(whole(markup, &ours(&said.body)), "{seen}");
        if !own && message.form != Form::Minimal && style.body.max >= 40 && (!style.joined || style.body.max >= 60) {
            assert!(said.body.ends_with("id 3fa20000"), "{seen}");
            assert!(!style.joined || said.body.starts_with(&said.title), "{seen}");
        }
        if !own {
            let whole =
                composed(&plan, &Style { title: Room { unit, max: usize::MAX }, joined: false, ..style }, &message);
            let begin = said.title.trim_end_matches('…');
            assert!(
                whole.title.starts_with(begin) && (style.title.max < 99 || style.joined || begin.len() > 6),
                "{seen}"
            );
        }
        let lead = lead(&message, plan.language, &plan.prefix);
        if unit.size(&lead) + 20 < style.title.max && !markup.breaks() && !style.joined {
            assert!(said.title.starts_with(&lead) && said.text.title.starts_with(&lead), "{seen}");
        }
    }
}

#[test]
fn no_template_can_fail() {
    let mut random = Random(99);
    let known: Vec<String> = crate::config::TEMPLATE_FIELDS.iter().map(|name| ["{", name, "}"].concat()).collect();
    for _ in 0..1500 {
        let mut template = String::new();
        for _ in 0..random.below(6) {
            template.push_str(&random.text(4));
            template.push_str(&known[random.below(known.len())]);
            template.push_str(["", "\n", "{}", "{{", "}"][random.below(5)]);
        }
        let mut plan = plan();
        (plan.title, plan.body) = (Some(template.replace('\n', "")), Some(template));
        let markup = MARKUPS[random.below(MARKUPS.len())];
        let style = style(markup, UNITS[random.below(UNITS.len())], 80, 20 + random.below(800), random.below(2) == 0);
        let message = random.message();
        let said = composed(&plan, &style, &message);
        assert!(style.title.holds(&said.title) && style.body.holds(&said.body), "{plan:?} {message:?} {said:?}");
        assert!(!said.title.is_empty() && !said.body.is_empty(), "{plan:?} {message:?} {said:?}");
    }
}

#[test]
fn a_cut_says_what_is_gone_and_keeps_the_id() {
    let mut event = notice("web-1@vm");
    for n in 0..6 {
        event = event.with_text(Field::ALL[20 + n], "x".repeat(40));
    }
    let said = |max| composed(&plan(), &style(Markup::Plain, Unit::Bytes, 200, max, false), &one(event.clone())).body;
    let lines = |text: &str| text.split('\n').count();
    assert_eq!(lines(&said(2000)), 10);
    let some = said(250);
    assert!(some.starts_with("Time: 2026") && some.contains(" lines cut\nid 3fa20000"), "{some}");
    assert_eq!(said(80), "Time: 2026-11-21 02:00:00 +00:00\n… 8 lines cut\nid 3fa20000");
    assert_eq!(said(55), "Time: 2026-11-21 02:0…\n… 8 lines cut\nid 3fa20000");
    assert_eq!(said(20), "id 3fa20000");
    assert_eq!(said(5), "we…");
    let joined = style(Markup::Plain, Unit::Bytes, 999, 60, true);
    assert_eq!(composed(&plan(), &joined, &one(event)).body, "web-1@vm will be reclaimed in 4 min 50 s\nid 3fa20000");
}

#[test]
fn a_template_says_what_its_owner_wrote_and_escapes_what_others_did() {
    let mut plan = plan();
    plan.prefix = "[ic]".to_owned();
    plan.title = Some("*{name}* goes in {time_left}".to_owned());
    plan.body = Some("**{host}** {seconds_left} s\n{text}".to_owned());
    let style = style(Markup::Discord, Unit::Chars, 100, 500, false);
    let said = composed(&plan, &style, &one(notice("we*b@v_m")));
    assert_eq!(said.title, "[ic] *we\\*b* goes in 4 min 50 s");
    assert!(said.body.starts_with("**we\\*b@v\\_m** 290 s\nTime: 2026-11-21 02:00:00 +00:00\nDeadline: "), "{said:?}");
    assert_eq!(said.text.title, "[ic] *we*b* goes in 4 min 50 s");
    assert_eq!(said.text.lines[0].text, "**we*b@v_m** 290 s");
    // An exercise says so in any words.
    let exercise = Event { test: true, ..notice("web") };
    assert_eq!(composed(&plan, &style, &one(exercise)).title, "[ic] [TEST] *web* goes in 4 min 50 s");
    // Nothing to say is not said.
    plan.body = Some("{reason} ".to_owned());
    assert!(composed(&plan, &style, &one(notice("web"))).body.starts_with("Time: "));
}

#[test]
fn a_digest_is_told_in_a_template_that_shows_it() {
    let members = ["a", "b"].map(|name| Arc::new(notice(name))).to_vec();
    let digest = Message { id: Id(5), form: Form::Digest, members };
    let style = style(Markup::Plain, Unit::Chars, 100, 500, false);
    let mut plan = plan();
    (plan.title, plan.body) = (Some("{host} is going".to_owned()), Some("{host}: {deadline}".to_owned()));
    let said = composed(&plan, &style, &digest);
    assert_eq!(said.title, "2 alerts: 2 × reclaim notice");
    assert!(said.body.contains("a will be reclaimed"), "{said:?}");
    (plan.title, plan.body) = (Some("{count}! {title}".to_owned()), Some("<{text}>".to_owned()));
    let said = composed(&plan, &style, &digest);
    assert_eq!(said.title, "2! 2 alerts: 2 × reclaim notice");
    assert!(said.body.starts_with("<2026-") && said.body.ends_with("id 00000000>"), "{said:?}");
}

#[test]
fn a_prefix_stands_as_it_was_written_where_bots_look_for_it() {
    let mut plan = plan();
    plan.prefix = "<ic*>".to_owned();
    for (markup, begin) in [
        (Markup::Markdown, "<ic*> web"),
        (Markup::Angle, "<ic*> web"),
        (Markup::Html, "&lt;ic*&gt; web"),
        (Markup::Slack, "&lt;ic*&gt; web"),
    ] {
        let said = composed(&plan, &style(markup, Unit::Chars, 100, 500, false), &one(notice("web")));
        assert!(said.title.starts_with(begin), "{said:?}");
    }
}

#[test]
fn every_field_of_the_configuration_can_be_filled_in() {
    let message = one(notice("x"));
    let plan = plan();
    let usual = render(&message, plan.language, "", &NOW, &Zone::utc());
    let known = fields(&message, &usual, plan.language, &NOW, &Zone::utc());
    for name in crate::config::TEMPLATE_FIELDS.iter().copied().chain(Field::ALL.iter().map(|field| field.name())) {
        assert_eq!(known.iter().filter(|(field, _)| *field == name).count(), 1, "{name}");
    }
    assert_eq!(known.len(), crate::config::TEMPLATE_FIELDS.len() + Field::ALL.len());
}
