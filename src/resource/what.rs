//! What can be short, or too much: a row of a table each.

use std::time::Duration;

use crate::json::decimal;
use crate::readings::Readings;

/// A resource. Its place in [`What::ALL`] is its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum What {
    /// Load average of a minute per core, in hundredths.
    Load,
    /// Time that the processors did not idle, in percent.
    Cpu,
    /// Memory that is not available, in percent.
    Memory,
    /// Swap in use, in percent.
    Swap,
    /// Use of a file system, in percent.
    Disk,
    /// Use of its inodes, in percent.
    Inodes,
    /// Open files of the whole system, in percent of what the kernel allows.
    Fds,
    /// The highest temperature, in tenths of a degree Celsius.
    Temperature,
    /// Time since the boot, in seconds.
    Uptime,
    /// Packets that were broken or dropped, in hundredths per second, all interfaces but `lo` together.
    Network,
}

/// How many there are.
pub const COUNT: usize = 10;

/// What is known of each resource, in the order of [`What::ALL`].
pub type Values = [Option<i64>; COUNT];

/// How a resource is called, measured and limited.
pub struct Row {
    /// Its key in `[resource]`.
    pub key: &'static str,
    /// Its name for people.
    pub label: &'static str,
    /// What stands behind a number.
    unit: &'static str,
    /// So many to one of what people write; 0 for a span of time in seconds.
    pub scale: u32,
    /// The limit unless another is written.
    pub usual: i64,
    /// Whether it is watched unless the file says otherwise.
    pub on: bool,
    /// The smallest and the largest limit.
    pub range: (i64, i64),
    /// How far below the limit it is normal again; 0 for a tenth of the limit.
    step: i64,
}

const PERCENT: (i64, i64) = (1, 100);
const DAY: i64 = 86_400;

impl What {
    /// All resources.
    pub const ALL: [What; COUNT] = [
        What::Load,
        What::Cpu,
        What::Memory,
        What::Swap,
        What::Disk,
        What::Inodes,
        What::Fds,
        What::Temperature,
        What::Uptime,
        What::Network,
    ];

    /// Its row.
    pub fn row(self) -> &'static Row {
        const fn percent(key: &'static str, label: &'static str, usual: i64, on: bool) -> Row {
            Row { key, label, unit: " %", scale: 1, usual, on, range: PERCENT, step: 5 }
        }
        static ROWS: [Row; COUNT] = [
            Row {
                key: "load",
                label: "load per core",
                unit: "",
                scale: 100,
                usual: 400,
                on: true,
                range: (1, 100_000),
                step: 0,
            },
            percent("cpu", "CPU", 95, false),
            percent("memory", "memory", 95, true),
            percent("swap", "swap", 80, false),
            percent("disk", "disk", 90, true),
            percent("inodes", "inodes", 90, true),
            percent("fds", "file descriptors", 90, true),
            Row {
                key: "temperature",
                label: "temperature",
                unit: " °C",
                scale: 10,
                usual: 850,
                on: true,
                range: (1, 2000),
                step: 50,
            },
            Row {
                key: "uptime",
                label: "uptime",
                unit: "",
                scale: 0,
                usual: 180 * DAY,
                on: false,
                range: (60, 3650 * DAY),
                step: 0,
            },
            Row {
                key: "network",
                label: "network errors",
                unit: "/s",
                scale: 100,
                usual: 1000,
                on: false,
                range: (1, 100_000_000),
                step: 0,
            },
        ];
        // As many rows as there are resources.
        &ROWS[self as usize]
    }

    /// The resource of that key.
    pub fn parse(key: &str) -> Option<What> {
        What::ALL.into_iter().find(|what| what.row().key == key)
    }

    /// Its name, with the folder of a file system if there is one.
    pub fn name(self, place: &str) -> String {
        [self.row().label, if place.is_empty() { "" } else { " " }, place].concat()
    }

    /// A value with its unit.
    pub fn show(self, value: i64) -> String {
        let row = self.row();
        let number = match row.scale {
            100 => decimal(value, 2),
            10 => decimal(value, 1),
            1 => value.to_string(),
            _ => return span(value),
        };
        [&*number, row.unit].concat()
    }

    /// Where it is normal again unless the file says otherwise.
    pub fn usual_clear(self, high: i64) -> i64 {
        let step = self.row().step;
        (high - if step == 0 { high / 10 } else { step }.max(1)).max(0)
    }
}

/// Whole days, or hours, or minutes, rounded down.
fn span(seconds: i64) -> String {
    let (unit, name) = match seconds {
        172_800.. => (DAY, " d"),
        7200.. => (3600, " h"),
        _ => (60, " min"),
    };
    [&*(seconds / unit).to_string(), name].concat()
}

/// What `readings` say of each resource; the disk is the fullest one. `uptime` is zero if it is not known.
pub fn values(readings: &Readings, uptime: Duration) -> Values {
    let load = readings.load.zip(readings.cores).map(|(load, cores)| load / cores.max(1));
    let whole = |number: Option<u32>| number.map(i64::from);
    let uptime = i64::try_from(uptime.as_secs()).ok().filter(|seconds| *seconds > 0);
    [
        whole(load),
        whole(readings.cpu),
        whole(readings.memory),
        whole(readings.swap),
        whole(readings.disk),
        whole(readings.inodes),
        whole(readings.fds),
        readings.temperature.map(i64::from),
        uptime,
        whole(readings.errors),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_in_their_order_and_fit() {
        for (number, what) in What::ALL.into_iter().enumerate() {
            let row = what.row();
            assert_eq!((what as usize, What::parse(row.key)), (number, Some(what)), "{}", row.key);
            let (least, most) = row.range;
            assert!((least..=most).contains(&row.usual));
            for high in [least, row.usual, most] {
                let clear = what.usual_clear(high);
                assert!(clear < high && clear >= 0, "{} {high} {clear}", row.key);
            }
        }
        assert_eq!(What::parse("disc"), None);
    }

    #[test]
    fn values_are_shown_with_their_unit() {
        for (what, value, shown) in [
            (What::Load, 231, "2.31"),
            (What::Memory, 96, "96 %"),
            (What::Temperature, 715, "71.5 °C"),
            (What::Temperature, -5, "-0.5 °C"),
            (What::Uptime, 181 * DAY + 5, "181 d"),
            (What::Uptime, 2 * DAY - 1, "47 h"),
            (What::Uptime, 7199, "119 min"),
            (What::Network, 1250, "12.50/s"),
        ] {
            assert_eq!(what.show(value), shown);
        }
        assert_eq!((What::Disk.name("/var"), What::Disk.name("")), ("disk /var".to_owned(), "disk".to_owned()));
    }

    #[test]
    fn what_is_not_said_is_not_known() {
        assert_eq!(values(&Readings::default(), Duration::ZERO), [None; COUNT]);
        let all = Readings {
            load: Some(850),
            cores: Some(4),
            cpu: Some(1),
            memory: Some(2),
            swap: Some(3),
            disk: Some(4),
            inodes: Some(5),
            fds: Some(6),
            temperature: Some(-7),
            errors: Some(8),
            ..Readings::default()
        };
        let want = [212, 1, 2, 3, 4, 5, 6, -7, 9, 8].map(Some);
        assert_eq!(values(&all, Duration::from_millis(9999)), want);
        assert_eq!(values(&Readings { load: Some(1), ..Readings::default() }, Duration::ZERO)[0], None, "no cores");
    }
}
