//! What happens again and again is said, and then counted: `399 more like: no link with 192.0.2.7:40312: …`.
//!
//! Lines are of one kind if they come from one place in the code, so there are only so many kinds, and nobody can make a
//! log grow faster than so many lines a second. What a stranger can cause by connecting or asking ([`STRANGERS_LOG`]) is
//! said once in a while; anything else as often as it happens to a servent that is well. It has no clock and writes
//! nothing: both are `logging`'s.

use std::time::{Duration, Instant};

use common::counted::grouped;
use common::limits::NEIGHBORS_MAX;
use common::overlay::STRANGERS_LOG;
use common::rate::Rate;
use log::{Level, Record};

/// How often strangers may cause a line of one kind, and how often it is said how many more there were.
pub const COUNT_EVERY: Duration = Duration::from_secs(10);
/// Lines of any other kind that may come at once: every neighbor may link and be lost again.
const AT_ONCE_MAX: u32 = 512;
const _: () = assert!(AT_ONCE_MAX as usize >= 2 * NEIGHBORS_MAX);
/// How often one may come in the long run.
const EVERY: Duration = Duration::from_secs(1);

/// What was said and counted of each kind.
#[derive(Debug, Default)]
pub(crate) struct Limit {
    kinds: Vec<Kind>,
}

#[derive(Debug)]
struct Kind {
    place: LineOrigin,
    /// How fast lines of it are said.
    rate: Rate<Instant>,
    /// The last line that was said.
    said: String,
    /// How many more there were since.
    more: u64,
    /// When that is to be said.
    due: Instant,
}

/// Where in the code a line comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LineOrigin {
    target: String,
    level: Level,
    file: Option<String>,
    line: Option<u32>,
}

/// How many lines there were besides one that was said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct More {
    pub(crate) target: String,
    pub(crate) level: Level,
    pub(crate) text: String,
}

impl Limit {
    /// Lets a line be said now, or counts it: false then.
    pub(crate) fn let_through(&mut self, now: Instant, record: &Record<'_>) -> bool {
        let (at_once, every) = if record.target() == STRANGERS_LOG { (1, COUNT_EVERY) } else { (AT_ONCE_MAX, EVERY) };
        let Some(kind) = self.kinds.iter_mut().find(|kind| kind.place.is_of(record)) else {
            self.kinds.push(Kind::new(now, record));
            return self.let_through(now, record);
        };
        let is_allowed = !kind.rate.is_ahead(now, every * (at_once - 1));
        if is_allowed {
            kind.rate.count(now, every);
            kind.said = record.args().to_string();
        } else {
            if kind.more == 0 {
                kind.due = now + COUNT_EVERY;
            }
            kind.more += 1;
        }
        is_allowed
    }

    /// When there is next something to say of what was counted.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.kinds.iter().filter(|kind| kind.more > 0).map(|kind| kind.due).min()
    }

    /// What is to be said of what was counted: all of it, or what is due by then.
    pub(crate) fn take_due(&mut self, by: Option<Instant>) -> Vec<More> {
        let is_due = |kind: &&mut Kind| kind.more > 0 && by.is_none_or(|by| kind.due <= by);
        self.kinds.iter_mut().filter(is_due).map(Kind::take_more).collect()
    }
}

impl Kind {
    fn new(now: Instant, record: &Record<'_>) -> Kind {
        let place = LineOrigin {
            target: record.target().to_owned(),
            level: record.level(),
            file: record.file().map(str::to_owned),
            line: record.line(),
        };
        Kind { place, rate: Rate::starting_at(now), said: String::new(), more: 0, due: now }
    }

    fn take_more(&mut self) -> More {
        let LineOrigin { target, level, .. } = self.place.clone();
        let text = format!("{} more like: {}", grouped(std::mem::take(&mut self.more)), self.said);
        More { target, level, text }
    }
}

impl LineOrigin {
    fn is_of(&self, record: &Record<'_>) -> bool {
        // The file too: strangers' lines have one target wherever they come from.
        self.line == record.line()
            && self.level == record.level()
            && self.file.as_deref() == record.file()
            && self.target == record.target()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says it so many times at one moment, and returns how often that was allowed.
    fn say(limit: &mut Limit, now: Instant, target: &str, place: (&str, u32), count: u32) -> u32 {
        let is_allowed = |number: &u32| {
            let mut builder = Record::builder();
            builder.target(target).level(Level::Info).file(Some(place.0)).line(Some(place.1));
            limit.let_through(now, &builder.args(format_args!("line {number}")).build())
        };
        u32::try_from((0..count).filter(is_allowed).count()).unwrap()
    }

    fn more(limit: &mut Limit, by: Instant) -> Vec<String> {
        limit.take_due(Some(by)).into_iter().map(|more| more.text).collect()
    }

    #[test]
    fn what_strangers_cause_is_said_once_and_then_counted() {
        let (mut limit, start) = (Limit::default(), Instant::now());
        assert_eq!(say(&mut limit, start, STRANGERS_LOG, ("links.rs", 1), 400), 1);
        assert_eq!(say(&mut limit, start, STRANGERS_LOG, ("links.rs", 2), 1), 1, "another kind");
        assert_eq!(say(&mut limit, start, STRANGERS_LOG, ("calls.rs", 1), 1), 1, "and another");
        assert_eq!(limit.due(), Some(start + COUNT_EVERY));
        assert!(more(&mut limit, start + COUNT_EVERY / 2).is_empty());
        assert_eq!(more(&mut limit, start + COUNT_EVERY), ["399 more like: line 0"]);
        assert_eq!(limit.due(), None);

        // It never stops: a line and a number each time.
        let mut said = 0;
        for second in 10..70 {
            said += say(&mut limit, start + Duration::from_secs(second), STRANGERS_LOG, ("links.rs", 1), 1_000);
            said += u32::try_from(more(&mut limit, start + Duration::from_secs(second)).len()).unwrap();
        }
        assert!(said <= 12, "{said} lines in a minute");
        assert_eq!(limit.take_due(None).len(), 1);
    }

    #[test]
    fn every_neighbor_may_link_and_be_lost_but_not_for_ever() {
        let (mut limit, start) = (Limit::default(), Instant::now());
        assert_eq!(say(&mut limit, start, "neighbors", ("links.rs", 1), AT_ONCE_MAX), AT_ONCE_MAX);
        assert_eq!(say(&mut limit, start, "neighbors", ("links.rs", 1), 1_204), 0);
        assert_eq!(more(&mut limit, start + COUNT_EVERY), ["1,204 more like: line 511"]);
        assert_eq!(say(&mut limit, start + COUNT_EVERY, "neighbors", ("links.rs", 1), 100), 10, "one a second");
    }
}
