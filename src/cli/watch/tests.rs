use super::*;

const TABLE: &str = "\
nas@home (0.1.0), running 3 d 2 h
listens on 0.0.0.0:9080
  problem: 0.0.0.0:9081: address in use

CHANNEL  STATE     QUEUED
feishu   ok        0
ops      retrying  4       connection refused

HOST       STATE                LAST BEAT  MEMORY  DISK   REMARKS
db@x       offline              5 min ago  -       -      told 4 min ago
密密@home  up, to be reclaimed  12 s ago   43 %    100 %  \"100 %  done\"
nas        up                   1 s ago    85 %    0 %
";

fn plain(screen: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for line in screen.split('\n') {
        let (mut out, mut rest) = (String::new(), line);
        while let Some((before, after)) = rest.split_once('\x1b') {
            out.push_str(before);
            rest = &after[after.find(|c: char| c.is_ascii_alphabetic()).unwrap() + 1..];
        }
        out.push_str(rest);
        lines.push(out);
    }
    lines
}

#[test]
fn shares_get_bars_and_columns_stay_columns() {
    let screen = screen(TABLE, (99, 200), false);
    let lines = plain(&screen);
    println!("{}", lines.join("\n"));
    assert_eq!(
        lines[8..12],
        [
            "HOST       STATE                LAST BEAT  MEMORY         DISK            REMARKS",
            "db@x       offline              5 min ago  -              -               told 4 min ago",
            "密密@home  up, to be reclaimed  12 s ago    43 % ███▍     100 % ████████  \"100 %  done\"",
            "nas        up                   1 s ago     85 % ██████▊    0 %",
        ]
    );
    assert_eq!(lines[6], "ops      retrying  4       connection refused");
    for (share, want) in
        [(0, ""), (1, ""), (2, "▏"), (50, "████"), (99, "███████▉"), (100, "████████"), (900, "████████")]
    {
        assert_eq!(bar(share), want, "{share}");
    }
}

#[test]
fn colours_mark_states_and_full_disks() {
    let coloured = screen(TABLE, (99, 200), true);
    for part in [
        "\x1b[31m  problem: 0.0.0.0:9081: address in use\x1b[0m\x1b[K\n",
        "\x1b[1mHOST ",
        "\x1b[31moffline\x1b[0m ",
        "\x1b[33mup, to be reclaimed\x1b[0m ",
        "\x1b[32mup\x1b[0m ",
        "\x1b[33mretrying\x1b[0m ",
        "\x1b[31m100 % ████████\x1b[0m ",
        "\x1b[33m 85 % ██████▊\x1b[0m ",
    ] {
        assert!(coloured.contains(part), "{part:?} in {coloured:?}");
    }
    let bare = screen(TABLE, (99, 200), false);
    assert_eq!(plain(&coloured), plain(&bare));
    assert!(!bare.contains("\x1b[3") && !bare.contains("\x1b[1m"), "{bare:?}");
    for screen in [&coloured, &bare] {
        assert!(screen.starts_with("\x1b[?25l\x1b[H") && screen.ends_with("\x1b[J"), "{screen:?}");
    }
}

#[test]
fn what_does_not_fit_is_left_out() {
    for rows in 2..20 {
        for columns in [2, 11, 12, 40] {
            let screen = screen(TABLE, (rows, columns), true);
            let lines = plain(&screen);
            // The cursor stands in the last row.
            assert!(lines.len() <= rows.max(2), "{} lines in {rows} rows", lines.len());
            assert!(lines.iter().all(|line| width(line) <= columns), "{columns}: {lines:?}");
            assert_eq!(screen.matches("\x1b[0m").count(), {
                let styles = [BOLD, DIM, RED, GREEN, YELLOW];
                styles.iter().map(|style| screen.matches(style).count()).sum::<usize>()
            });
        }
    }
    let cut = plain(&screen(TABLE, (5, 80), false));
    assert_eq!(cut[3..], ["… 9 more lines", ""]);
}

#[test]
fn a_line_is_a_head_only_if_it_is_one() {
    for (text, want) in [
        ("HOST  STATE", 2),
        ("CHANNEL  STATE  QUEUED", 3),
        ("LAST BEAT  WORST GAP", 2),
        ("HOST", 0),
        ("nas  up", 0),
        ("", 0),
    ] {
        assert_eq!(heads_of(text).map_or(0, |heads| heads.len()), want, "{text}");
    }
    assert_eq!(heads_of("HOST   STATE  X"), Some(vec![(0, "HOST"), (7, "STATE"), (14, "X")]));
}
