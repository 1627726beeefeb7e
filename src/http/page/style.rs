//! How the page looks.

/// Its style sheet.
pub const CSS: &str = include_str!("style.css");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::badge;

    /// Text and what is behind it: at least 4.5 to 1, as WCAG 2.2 asks of AA.
    const TEXT: [(&str, &str); 16] = [
        ("ink", "page"),
        ("ink", "card"),
        ("soft", "page"),
        ("soft", "card"),
        ("link", "page"),
        ("link", "card"),
        ("good", "good-bg"),
        ("good", "card"),
        ("warn", "warn-bg"),
        ("warn", "card"),
        ("bad", "bad-bg"),
        ("bad", "card"),
        ("rest", "rest-bg"),
        ("rest", "card"),
        ("ink", "good-bg"),
        ("ink", "bad-bg"),
    ];
    /// What a picture says by its colour: at least 3 to 1.
    const SHAPES: [(&str, &str); 3] = [("day-up", "card"), ("day-some", "card"), ("day-down", "card")];
    /// Says nothing: frames, and days of which nothing is known.
    const MUTE: [&str; 2] = ["line", "day-none"];

    /// The colours of a block, by name.
    fn palette(block: &str) -> Vec<(&str, [u8; 3])> {
        let pairs = block.split([';', '{', '}']).filter_map(|entry| entry.trim().strip_prefix("--")?.split_once(':'));
        let byte = |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        pairs.map(|(name, hex)| (name, [byte(hex, 1), byte(hex, 3), byte(hex, 5)])).collect()
    }

    fn luminance(colour: [u8; 3]) -> f64 {
        let linear = colour.map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn everything_can_be_read_by_day_and_by_night() {
        assert!((contrast([0; 3], [255; 3]) - 21.0).abs() < 0.01);
        assert!((contrast([0x76; 3], [255; 3]) - 4.54).abs() < 0.01);
        let mut lines = CSS.lines();
        let (light, dark) = (palette(lines.next().unwrap()), palette(lines.next().unwrap()));
        let names = |palette: &[(&str, [u8; 3])]| palette.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&light), names(&dark));
        let mut used: Vec<&str> = MUTE.to_vec();
        for (what, pairs, least) in [("text", &TEXT[..], 4.5), ("shape", &SHAPES, 3.0)] {
            for (fore, back) in pairs {
                used.extend([fore, back]);
                for (scheme, palette) in [("light", &light), ("dark", &dark)] {
                    let of = |name: &str| palette.iter().find(|(known, _)| *known == name).expect(name).1;
                    let contrast = contrast(of(fore), of(back));
                    println!("{scheme} {what} {fore} on {back}: {contrast:.2}");
                    assert!(contrast >= least, "{scheme} {what} {fore} on {back}: {contrast:.2}");
                }
            }
        }
        let byte = |hex: &str, at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        for hex in [badge::GOOD, badge::BAD, badge::WARN, badge::REST, badge::NAME] {
            let contrast = contrast([255; 3], [byte(hex, 1), byte(hex, 3), byte(hex, 5)]);
            println!("badge: white on {hex}: {contrast:.2}");
            assert!(contrast >= 4.5, "{hex}: {contrast:.2}");
        }
        for (name, _) in &light {
            assert!(used.contains(name), "nobody looked at --{name}");
        }
    }

    #[test]
    fn colours_come_from_the_palettes_and_nothing_from_elsewhere() {
        for rest in CSS.lines().skip(2) {
            assert!(!rest.contains('#') && !rest.contains("rgb"), "{rest}");
        }
        for word in ["url(", "@import", "http", "</", "expression"] {
            assert!(!CSS.contains(word), "{word}");
        }
        // What is said by a colour is said on a background of its own, which stands in the same rule.
        for class in ["good", "warn", "bad", "rest"] {
            assert!(CSS.contains(&format!(".{class}{{color:var(--{class});background:var(--{class}-bg)}}")), "{class}");
        }
    }
}
