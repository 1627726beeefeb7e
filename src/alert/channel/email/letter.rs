//! What is sent: a message as text and as an HTML table, in lines of ASCII that no server has reason to change.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::alert::channel::compose::{Composed, Markup};
use crate::alert::clean::clean;
use crate::alert::json::Head;
use crate::alert::{Form, Message};
use crate::clock::Wall;
use crate::config::plan::EmailPlan;
use crate::event::{Phase, Severity};
use crate::zone::Zone;

/// Bytes of text in one encoded word: with the longest name of a header before it, its line has at most 76 characters
/// (RFC 2047, 2).
const WORD: usize = 39;
/// Characters of a header that may stand as they are, so that its line has at most 78 (RFC 5322, 2.1.1).
const PLAIN: usize = 66;
/// Characters of a line of base64 (RFC 2045, 6.8).
const LINE: usize = 76;
/// Bytes of a subject or a sender's name.
const MAX_WORDS: usize = 1024;
/// Between the parts. Base64 holds no such line.
const BOUNDARY: &str = "=_alternative";

/// The whole message, each line ended by CR LF and none beginning with a dot. It is the same at every attempt, but for
/// `composed` and the date, which is left to the server (RFC 6409, 8.2) if the clock was never set. `html` takes the
/// place of the table.
pub(super) fn letter(
    email: &EmailPlan,
    message: &Message,
    composed: &Composed,
    own_body: bool,
    (now, zone): (Wall, &Zone),
) -> String {
    let domain = email.from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let mut out = String::with_capacity(4096);
    header(&mut out, "From", &sender(email));
    header(&mut out, "To", &email.to.join(",\r\n "));
    header(&mut out, "Subject", &words(&composed.title));
    if now.is_set() {
        header(&mut out, "Date", &date(now, zone));
    }
    header(&mut out, "Message-ID", &["<", &message.id.to_string(), "@", domain, ">"].concat());
    // Nobody has a message of this id: all of an incident refer to it, so that they are shown as one conversation.
    let incident = ["<incident.", &Head::of(message).incident.to_string(), "@", domain, ">"].concat();
    header(&mut out, "In-Reply-To", &incident);
    header(&mut out, "References", &incident);
    // So that nobody's holiday note answers (RFC 3834, 5).
    header(&mut out, "Auto-Submitted", "auto-generated");
    header(&mut out, "MIME-Version", "1.0");
    header(&mut out, "Content-Type", &["multipart/alternative; boundary=\"", BOUNDARY, "\""].concat());
    let mut html = String::with_capacity(2048);
    page(&mut html, message, composed, own_body);
    // The last one is the best (RFC 2046, 5.1.4).
    part(&mut out, "text/plain", &[&composed.body, "\n"].concat());
    part(&mut out, "text/html", &html);
    out.push_str(&["\r\n--", BOUNDARY, "--\r\n"].concat());
    out
}

fn header(out: &mut String, name: &str, value: &str) {
    for text in [name, ": ", value, "\r\n"] {
        out.push_str(text);
    }
}

fn sender(email: &EmailPlan) -> String {
    if email.from_name.is_empty() {
        return email.from.clone();
    }
    // Among plain words, others than letters and digits would need quotes.
    let simple = email.from_name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ');
    let name = if simple { email.from_name.clone() } else { encoded(&email.from_name) };
    [&name, " <", &email.from, ">"].concat()
}

/// `text` as the value of a header.
fn words(text: &str) -> String {
    let plain = text.len() <= PLAIN
        && text.bytes().all(|b| (b' '..=b'~').contains(&b))
        && text.trim() == text
        && !text.contains("=?");
    if plain { text.to_owned() } else { encoded(text) }
}

/// `text` as encoded words (RFC 2047), divided between characters.
fn encoded(text: &str) -> String {
    let text = clean(text, MAX_WORDS);
    let mut out = String::new();
    let mut rest = &text[..];
    loop {
        let mut end = rest.len().min(WORD);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (word, after) = rest.split_at(end);
        out.push_str(&["=?UTF-8?B?", &STANDARD.encode(word), "?="].concat());
        if after.is_empty() {
            return out;
        }
        out.push_str("\r\n ");
        rest = after;
    }
}

/// `Sat, 21 Nov 2026 10:00:00 +0800` (RFC 5322, 3.3).
fn date(wall: Wall, zone: &Zone) -> String {
    const DAYS: &str = "MonTueWedThuFriSatSun";
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let name = |names: &'static str, index: usize| names.get(index * 3..index * 3 + 3).unwrap_or_default();
    // 2026-11-21 10:00:00 +08:00
    let text = zone.human(wall);
    let piece = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    // 1970 began on a Thursday.
    let day = (zone.local(wall).0 + 3).rem_euclid(7) as usize;
    let month = piece(5, 7).parse().map_or(0, |month: usize| month.saturating_sub(1));
    let [first, last] = [piece(20, 23), piece(24, 26)];
    [
        name(DAYS, day),
        ", ",
        piece(8, 10),
        " ",
        name(MONTHS, month),
        " ",
        piece(0, 4),
        " ",
        piece(11, 19),
        " ",
        first,
        last,
    ]
    .concat()
}

fn part(out: &mut String, kind: &str, text: &str) {
    for text in ["\r\n--", BOUNDARY, "\r\nContent-Type: ", kind, "; charset=utf-8\r\n"] {
        out.push_str(text);
    }
    out.push_str("Content-Transfer-Encoding: base64\r\n\r\n");
    // A part in base64 has the same ends of lines as one without (RFC 2045, 6.8).
    let encoded = STANDARD.encode(text.replace("\r\n", "\n").replace('\n', "\r\n"));
    let mut rest = &encoded[..];
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(LINE));
        out.push_str(line);
        out.push_str("\r\n");
        rest = after;
    }
}

/// The seed's page: the title in the colour of its severity over a table of facts. A body of the user's own takes the
/// place of the table.
fn page(out: &mut String, message: &Message, composed: &Composed, own_body: bool) {
    let mut add = Markup::Html.add();
    let add: &mut dyn FnMut(&mut String, &str) = &mut add;
    out.push_str(
        "<!DOCTYPE html>\n<html>\n<head>\n<meta charset=\"utf-8\">\n</head>\n\
         <body style=\"background-color: whitesmoke\">\n\
         <div style=\"background-color: white; color: black; font-size: 13px; margin: 25px; padding: 25px\">\n\
         <div style=\"text-align: center; font-size: 18px; font-weight: bolder; color: ",
    );
    out.push_str(colour(message));
    out.push_str("\">");
    add(out, &composed.title);
    out.push_str("</div>\n<br>\n");
    if own_body {
        out.push_str("<div style=\"white-space: pre-wrap\">");
        add(out, &composed.body);
        out.push_str("</div>\n");
    } else if !composed.text.lines.is_empty() {
        out.push_str(
            "<table border=\"1\" bordercolor=\"black\" cellspacing=\"0\" cellpadding=\"4\" \
             style=\"border-collapse: collapse; margin: 0 auto\">\n",
        );
        for line in &composed.text.lines {
            if line.label.is_empty() {
                out.push_str("<tr><td colspan=\"2\">");
            } else {
                out.push_str("<tr><td>");
                add(out, line.label);
                out.push_str("</td><td>");
            }
            add(out, &line.text);
            out.push_str("</td></tr>\n");
        }
        out.push_str("</table>\n");
    }
    out.push_str("</div>\n</body>\n</html>\n");
}

/// The seed's red, orange and green.
fn colour(message: &Message) -> &'static str {
    let over = message.form == Form::Over || message.members.iter().all(|event| event.kind.phase() == Phase::End);
    match Head::of(message).severity {
        Severity::Critical if !over => "#FF3333",
        Severity::Warning if !over => "#D9730D",
        _ => "#2E8B57",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::channel::compose::compose;
    use crate::alert::channel::email::STYLE;
    use crate::alert::channel::tests::plan;
    use crate::clock::{Boot, Now, Tick};
    use crate::config::plan::{ChannelKind, ChannelPlan, Language, Security};
    use crate::event::{Event, Fact, Field, Id, Kind, Moment};

    const NOW: Now = Now { tick: Tick(36_000_000), wall: Wall(1_795_226_400_000), boot: Boot(7) };

    fn email() -> EmailPlan {
        EmailPlan {
            server: "localhost".to_owned(),
            port: 25,
            security: Security::None,
            login: None,
            from_name: String::new(),
            from: "ic@example.com".to_owned(),
            to: vec!["a@example.com".to_owned(), "b@example.com".to_owned()],
            hello: None,
        }
    }

    fn written(email: &EmailPlan, members: Vec<Event>, form: Form, now: Now) -> String {
        let message = Message { id: Id(0x3fa2), form, members: members.into_iter().map(Arc::new).collect() };
        let plan = plan(ChannelKind::Email(email.clone()));
        let composed = compose(&plan, &STYLE, &message, &now, &Zone::utc());
        letter(email, &message, &composed, false, (now.wall, &Zone::utc()))
    }

    fn notice(subject: &str) -> Event {
        Event::new(Kind::Interrupt, Id(0xabcd), subject, Moment::at(NOW.tick, &NOW))
            .with(Field::Deadline, Fact::Time(Moment::at_wall(Wall(NOW.wall.0 + 290_000), &NOW)))
    }

    #[test]
    fn the_head_of_a_notice() {
        let letter = written(&email(), vec![notice("web-1@vm")], Form::One, NOW);
        let head = letter.split("\r\n\r\n").next().unwrap();
        assert_eq!(
            head,
            "From: ic@example.com\r\n\
             To: a@example.com,\r\n b@example.com\r\n\
             Subject: web-1@vm will be reclaimed in 4 min 50 s\r\n\
             Date: Sat, 21 Nov 2026 02:00:00 +0000\r\n\
             Message-ID: <0000000000003fa2@example.com>\r\n\
             In-Reply-To: <incident.000000000000abcd@example.com>\r\n\
             References: <incident.000000000000abcd@example.com>\r\n\
             Auto-Submitted: auto-generated\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: multipart/alternative; boundary=\"=_alternative\""
        );
    }

    /// The head of `letter`, and its parts as a reader gets them.
    fn opened(letter: &str) -> String {
        let mut shown = String::new();
        for part in letter.split("\r\n--=_alternative").filter(|part| *part != "--\r\n") {
            let (head, body) = part.split_once("\r\n\r\n").unwrap_or((part, ""));
            let body = STANDARD.decode(body.replace("\r\n", "")).unwrap();
            for text in [head.trim_start(), "\n\n", str::from_utf8(&body).unwrap(), "\n"] {
                shown.push_str(&text.replace("\r\n", "\n"));
            }
        }
        shown
    }

    #[test]
    fn a_mail_is_as_written_down() {
        let online = Event::new(Kind::Online, Id(0xabcd), "web-1@vm", Moment::at(NOW.tick, &NOW))
            .with(Field::Duration, Fact::Span(std::time::Duration::from_secs(300)));
        let named = EmailPlan { from_name: "值班 <1>".to_owned(), ..email() };
        for (name, event, language) in
            [("email", notice("web-1@vm"), Language::En), ("email-end", online, Language::Zh)]
        {
            let message = Message { id: Id(0x3fa2 << 48), form: Form::One, members: vec![Arc::new(event)] };
            let plan = ChannelPlan { prefix: "[ic]".to_owned(), language, ..plan(ChannelKind::Email(named.clone())) };
            let composed = compose(&plan, &STYLE, &message, &NOW, &Zone::utc());
            let shown = opened(&letter(&named, &message, &composed, false, (NOW.wall, &Zone::utc())));
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/channels/golden/");
            let path = [folder, name, ".txt"].concat();
            if std::env::var_os("GOLDEN").is_some_and(|word| word == "write") {
                std::fs::write(&path, &shown).unwrap();
            }
            assert_eq!(shown, std::fs::read_to_string(&path).unwrap(), "{name}");
            assert!(composed.title.starts_with("[ic] "), "keyword filters look for it in both");
        }
    }

    #[test]
    fn no_text_can_leave_its_place() {
        let evil = "x\r\nBcc: evil@example.com\r\n\r\n.\r\n</td><script>\"'\u{202e}=?UTF-8?Q?y?=";
        let named = EmailPlan { from_name: "失\"联>, <c@d>".to_owned(), ..email() };
        for hostile in [evil, &evil.repeat(1000), "\n.\n", "--=_alternative", "失".repeat(100_000).as_str()] {
            let letter = written(&named, vec![notice(hostile).with_text(Field::Reason, hostile)], Form::One, NOW);
            assert!(letter.len() < 100_000 && letter.is_ascii());
            assert!(!letter.contains("\r\nBcc") && letter.matches("\r\n--=_alternative").count() == 3);
            for line in letter.split_inclusive("\r\n") {
                let text = line.strip_suffix("\r\n").unwrap();
                assert!(text.len() <= 78 && !text.starts_with('.') && !text.contains(['\r', '\n']), "{text}");
            }
        }
    }

    #[test]
    fn subjects_are_divided_between_characters() {
        assert_eq!(words("服务器离线通知 web-1"), "=?UTF-8?B?5pyN5Yqh5Zmo56a757q/6YCa55+lIHdlYi0x?=");
        for text in ["a", "[ic] x is silent", "", "=?x", " a", &"x".repeat(67), &"失".repeat(50), "\u{1f511}é失"] {
            let words = words(text);
            let plain = !words.starts_with("=?");
            let mut bytes = Vec::new();
            for word in words.split("\r\n ").filter(|_| !plain) {
                let inner = word.strip_prefix("=?UTF-8?B?").unwrap().strip_suffix("?=").unwrap();
                let piece = STANDARD.decode(inner).unwrap();
                assert!(std::str::from_utf8(&piece).is_ok() && "Subject: ".len() + word.len() <= 76);
                bytes.extend(piece);
            }
            assert_eq!(if plain { words.as_bytes() } else { &bytes }, text.as_bytes());
        }
    }

    #[test]
    fn dates() {
        for (wall, expected) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (1_709_251_199_000, "Thu, 29 Feb 2024 23:59:59 +0000"),
            (1_795_226_400_000, "Sat, 21 Nov 2026 02:00:00 +0000"),
        ] {
            assert_eq!(date(Wall(wall), &Zone::utc()), expected);
        }
        let there = Zone::load(Some("-09:30")).unwrap();
        assert_eq!(date(Wall(1_795_226_400_000), &there), "Fri, 20 Nov 2026 16:30:00 -0930");
        let unset = Now { wall: Wall(5000), ..NOW };
        assert!(!written(&email(), vec![notice("x")], Form::One, unset).contains("Date:"));
    }

    #[test]
    fn the_title_has_the_colour_of_its_severity() {
        let online = Event::new(Kind::Online, Id(0xabcd), "x", Moment::at(NOW.tick, &NOW));
        let coloured = |form, members: Vec<Event>| {
            colour(&Message { id: Id(1), form, members: members.into_iter().map(Arc::new).collect() })
        };
        assert_eq!(coloured(Form::One, vec![notice("x")]), "#FF3333");
        assert_eq!(coloured(Form::One, vec![online.clone()]), "#2E8B57");
        assert_eq!(coloured(Form::Over, vec![notice("x"), online.clone()]), "#2E8B57");
        assert_eq!(coloured(Form::Digest, vec![notice("x"), online]), "#FF3333");
    }
}
