//! Numbers and times as people read them: `1 servent`, `1,204 servents`, `3 h 12 min`.
//!
//! It is for sentences. What programs read (JSON, tables, tallies) has bare digits.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// So many of something, which is named in the singular.
///
/// ```
/// # use common::counted::counted;
/// assert_eq!(counted(1_u32, "query").to_string(), "1 query");
/// assert_eq!(counted(1_204_u32, "query").to_string(), "1,204 queries");
/// ```
pub fn counted(number: impl TryInto<u64>, what: &'static str) -> Counted {
    Counted { number: grouped(number), what }
}

/// A number with a comma between each three digits.
pub fn grouped(number: impl TryInto<u64>) -> Grouped {
    Grouped(number.try_into().unwrap_or(u64::MAX))
}

/// Made by [`counted`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    number: Grouped,
    what: &'static str,
}

impl Display for Counted {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Counted { number, what } = *self;
        // The few rules that the nouns of this project need.
        let (stem, end) = match (number.0, what.strip_suffix('y')) {
            (1, _) => (what, ""),
            (_, Some(stem)) if !stem.ends_with(['a', 'e', 'o', 'u']) => (stem, "ies"),
            _ if what.ends_with(['s', 'x', 'o']) || what.ends_with("ch") || what.ends_with("sh") => (what, "es"),
            _ => (what, "s"),
        };
        write!(f, "{number} {stem}{end}")
    }
}

/// Made by [`grouped`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grouped(u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

/// A size in bytes, in the unit in which it has one to three digits before the point: `31.4 GB`. A thousand are the next.
#[must_use]
pub fn bytes(number: u64) -> impl Display {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if number < 1_000 {
        return counted(number, "byte").to_string();
    }
    // In tenths, rounded before the unit is chosen: 999,950 bytes are 1.0 MB.
    let (mut tenths, mut unit, mut of_unit) = (0, "", 1_u128);
    for next in UNITS {
        of_unit *= 1_000;
        (tenths, unit) = ((u128::from(number) * 10 + of_unit / 2) / of_unit, next);
        if tenths < 10_000 {
            break;
        }
    }
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// How long something went on, in the two largest units that say something: `3 h 12 min`.
#[must_use]
pub fn lasted(time: Duration) -> impl Display {
    let seconds = time.as_secs();
    let [days, hours, minutes] = [seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60];
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{} d {hours} h", grouped(days)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_two_units() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min 0 s"),
            (3_599, "59 min 59 s"),
            (3_600, "1 h 0 min"),
            (11_520, "3 h 12 min"),
            (86_399, "23 h 59 min"),
            (86_400, "1 d 0 h"),
            (1_204 * 86_400 + 7_200, "1,204 d 2 h"),
        ] {
            assert_eq!(lasted(Duration::from_secs(seconds)).to_string(), text);
        }
    }

    #[test]
    fn sizes_are_told_in_the_unit_they_have() {
        for (number, text) in [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (1_049, "1.0 kB"),
            (1_050, "1.1 kB"),
            (65_536, "65.5 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (1_049_999_999, "1.0 GB"),
            (31_400_000_000, "31.4 GB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(bytes(number).to_string(), text);
        }
    }

    #[test]
    fn nouns_agree_with_their_number() {
        for (what, one, two) in [
            ("servent", "1 servent", "2 servents"),
            ("query", "1 query", "2 queries"),
            ("copy", "1 copy", "2 copies"),
            ("key", "1 key", "2 keys"),
            ("echo", "1 echo", "2 echoes"),
            ("address", "1 address", "2 addresses"),
            ("hash", "1 hash", "2 hashes"),
            ("other line", "1 other line", "2 other lines"),
        ] {
            assert_eq!([counted(1_u8, what).to_string(), counted(2_u8, what).to_string()], [one, two]);
        }
        assert_eq!(counted(0_u8, "link").to_string(), "0 links");
    }

    #[test]
    fn long_numbers_are_grouped_by_three() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (31_343, "31,343"),
            (999_999, "999,999"),
            (1_000_000, "1,000,000"),
            (u64::MAX, "18,446,744,073,709,551,615"),
        ] {
            assert_eq!(grouped(number).to_string(), text);
        }
        assert_eq!(counted(u128::MAX, "key").to_string(), "18,446,744,073,709,551,615 keys");
    }
}
