//! What is to be run: the words of the command line, as numbers. What is drawn from them is in `scene`.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::shapes::{Shape, built_degree};

/// One run, whole: the same plan runs the same, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How the servents are linked.
    pub shape: Shape,
    /// How many servents there are.
    pub servents: usize,
    /// How many neighbors each has, where the shape leaves a choice.
    pub degree: usize,
    /// The TTL every servent starts its clients' queries with.
    pub ttl: u8,
    /// How many queries are asked.
    pub queries: usize,
    /// How many servents hold the key that is asked for.
    pub holders: usize,
    /// Where every random number of the run comes from.
    pub seed: u64,
    /// How long links take.
    pub delays: Delays,
    /// What goes wrong.
    pub faults: Faults,
    /// What links carry.
    pub wire: Wire,
    /// How answers come to clients.
    pub via: ClientVia,
    /// How many of a hundred servents pass every query on once only, where the shape leaves it open.
    pub forward_once: u8,
    /// Whether servents tell each other who is there.
    pub with_members: bool,
    /// How long it is watched whether they know that, after all that goes wrong. Then nothing is asked.
    pub watch: Option<Duration>,
    /// How many contents are shared, each by as many servents as hold the key, and fetched.
    pub contents: usize,
    /// How many of those who share a content lie about it.
    pub liars: usize,
    /// How much clients have servents keep.
    pub writes: usize,
    /// How the disks are of those who share, fetch and keep.
    pub disk: DiskKind,
    /// What was drawn and is left out: how a failing run is made small.
    pub without: BTreeSet<Item>,
}

/// How long what is sent takes to arrive. What one end sends never overtakes itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delays {
    /// 10 ms, always.
    Equal,
    /// 5 to 15 ms, drawn anew for everything sent.
    Mild,
    /// Half of it up to 1 ms, half of it up to 100 ms.
    Heavy,
}

/// What links carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Messages as they are, where what comes of them is known without bytes; bytes of the native dialect where it is not
    /// ([`crate::run`]).
    None,
    /// Bytes of the native dialect.
    Native,
    /// Bytes of the TP3 dialect, between servents and to clients.
    Tp3,
    /// Bytes of both: each link speaks one of them, and so does each client to its contact.
    Mixed,
}

/// How answers come to clients that speak our own dialect. Others are dialled in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientVia {
    /// Clients hear answers, and are dialled where they can be.
    Direct,
    /// Clients hear none: all answers go back the way the query came.
    Back,
    /// Some hear answers, and some do not.
    Mixed,
}

/// How disks are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DiskKind {
    /// They take no time, and nothing goes wrong.
    #[default]
    Quick,
    /// They take their time, and here and there something cannot be read.
    Mild,
    /// The same and more of it; besides, files change and are gone, jobs are refused, and disks are full or fail.
    Wild,
}

/// What goes wrong: how many faults of each kind befall a run, a number drawn from a range per kind; and who cannot be dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// The kinds that are on. None are a healthy run.
    pub counts: Vec<(FaultKind, RangeInclusive<u32>)>,
    /// How many of a hundred clients nobody can dial, as behind a router that translates addresses or a firewall.
    pub nat_percent: u8,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultKind {
    /// A link falls, and dials between its ends fail until it is up again.
    LinkDown,
    /// A link falls again and again, as soon as it stands.
    Flap,
    /// Nothing crosses a link in one direction for a while; nothing of it is lost.
    Clog,
    /// One servent reads a few bytes at a time.
    SlowReader,
    /// The servents part in two, at random or one from all others, both ways or one way, and heal.
    Partition,
    /// A servent is gone at once, and comes back later with an empty mind.
    Crash,
    /// A servent neither reads nor thinks for a while.
    Pause,
    /// Dials to a servent are refused for a while.
    DialRefused,
    /// Dials to a servent come to nothing for a while.
    DialSilent,
    /// A servent that forges client addresses, TTLs and ids, replays what it hears, and floods.
    Hostile,
    /// What a servent looks up comes late, and half of the time in vain.
    LookUp,
    /// A servent that answers each copy it sees with forged ones, of the same query and of those to come, and brings its client
    /// forged answers.
    Forger,
    /// So many of a hundred servents are killed at one moment, and their systems reset what they had open.
    Exodus,
    /// So many of a hundred are gone at one moment, and their machines with them: nobody hears anything more.
    Vanish,
    /// For so many seconds two halves of the servents hear nothing of each other.
    Split,
    /// So many of a hundred servents are stopped at one moment, each for 6 s, 20 s or 10 min.
    Stop,
    /// A neighbor that tells what is not so of members, and as much of it as it can.
    Poison,
    /// A client of a servent's host has it greet another, which is there or not.
    Greet,
}

/// What the number of a kind counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Faults.
    Faults,
    /// Of a hundred servents, those that one fault befalls.
    Percent,
    /// How long one fault lasts.
    Seconds,
}

impl Unit {
    /// What follows the number.
    #[must_use]
    pub fn sign(self) -> &'static str {
        match self {
            Unit::Faults => "",
            Unit::Percent => "%",
            Unit::Seconds => "s",
        }
    }
}

/// Something drawn that a run can be made without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A servent, with its links.
    Servent(u32),
    /// A query, in the order of asking.
    Query(u32),
    /// A fault, in the order of drawing.
    Fault(u32),
    /// A content, with all who fetch it.
    Content(u32),
    /// A fetch of a content.
    Fetch(u32),
    /// Something that a client has its contact keep.
    Write(u32),
}

impl Plan {
    /// The command line of this run and no other, every option spelled out that its shape leaves open.
    #[must_use]
    pub fn command_line(&self) -> String {
        let mut words = vec!["topology sim".to_owned(), quoted(&self.shape.to_string())];
        if !matches!(self.shape, Shape::Declared(_)) {
            words.push(format!("--servents {}", self.servents));
            if let Some(degree) = built_degree(&self.shape, self.servents, self.degree) {
                words.push(format!("--degree {degree}"));
            }
            words.push(format!("--ttl {}", self.ttl));
            if self.forward_once > 0 {
                words.push(format!("--forward-once {}", self.forward_once));
            }
        }
        match self.watch {
            Some(watch) => words.push(format!("--watch {}s --seed {}", watch.as_secs(), self.seed)),
            None => {
                words.push(format!("--queries {} --holders {} --seed {}", self.queries, self.holders, self.seed));
            }
        }
        words.push(format!("--delays {} --faults {} --wire {}", self.delays, self.faults, self.wire));
        if self.via != ClientVia::Direct {
            words.push(format!("--via {}", self.via));
        }
        if self.with_members {
            words.push("--with-members".to_owned());
        }
        if self.contents > 0 {
            words.push(format!("--contents {} --liars {}", self.contents, self.liars));
        }
        if self.writes > 0 {
            words.push(format!("--writes {}", self.writes));
        }
        if self.has_disks() {
            words.push(format!("--disk {}", self.disk));
        }
        if !self.without.is_empty() {
            words.push(format!("--without {}", in_runs(&self.without)));
        }
        words.join(" ")
    }
}

impl Plan {
    /// Whether anybody has something on a disk.
    #[must_use]
    pub fn has_disks(&self) -> bool {
        self.contents > 0 || self.writes > 0
    }
}

/// Items as the command line takes them, those that follow each other as one word: what is left of a large run would
/// not fit a line otherwise.
fn in_runs(items: &BTreeSet<Item>) -> String {
    let mut runs: Vec<(Item, Item)> = Vec::new();
    for item in items {
        match runs.last_mut() {
            Some((_, last)) if last.next() == Some(*item) => *last = *item,
            _ => runs.push((*item, *item)),
        }
    }
    let words = runs.into_iter().map(|(first, last)| match first.next() {
        _ if first == last => first.to_string(),
        Some(second) if second == last => format!("{first},{last}"),
        _ => format!("{first}..{}", last.number()),
    });
    words.collect::<Vec<_>>().join(",")
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

impl Delays {
    /// All of them, as they are written.
    pub const NAMED: [(&'static str, Delays); 3] =
        [("equal", Delays::Equal), ("mild", Delays::Mild), ("heavy", Delays::Heavy)];
}

impl Wire {
    /// All of them, as they are written.
    pub const NAMED: [(&'static str, Wire); 4] =
        [("none", Wire::None), ("native", Wire::Native), ("tp3", Wire::Tp3), ("mixed", Wire::Mixed)];
}

impl ClientVia {
    /// All of them, as they are written.
    pub const NAMED: [(&'static str, ClientVia); 3] =
        [("direct", ClientVia::Direct), ("back", ClientVia::Back), ("mixed", ClientVia::Mixed)];
}

impl DiskKind {
    /// All of them, as they are written.
    pub const NAMED: [(&'static str, DiskKind); 3] =
        [("quick", DiskKind::Quick), ("mild", DiskKind::Mild), ("wild", DiskKind::Wild)];
}

/// What says how many clients cannot be dialled, beside the names of kinds.
pub const NAT: &str = "nat";

impl FaultKind {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        FaultKind::ALL.into_iter().find(|(kind, ..)| *kind == self).map_or("", |(_, name, ..)| name)
    }

    /// Its place among all kinds.
    fn place(self) -> usize {
        FaultKind::ALL.iter().take_while(|(kind, ..)| *kind != self).count()
    }

    /// What is counted of it.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            FaultKind::Exodus | FaultKind::Vanish | FaultKind::Stop => Unit::Percent,
            FaultKind::Split => Unit::Seconds,
            _ => Unit::Faults,
        }
    }

    /// Whether it is for runs that watch who is known to be there: in others it would leave nothing to be asked.
    #[must_use]
    pub fn is_of_members(self) -> bool {
        matches!(
            self,
            FaultKind::Exodus
                | FaultKind::Vanish
                | FaultKind::Split
                | FaultKind::Stop
                | FaultKind::Poison
                | FaultKind::Greet
        )
    }

    /// Whether it befalls many servents, and does without some of them.
    #[must_use]
    pub fn befalls_many(self) -> bool {
        self == FaultKind::Partition || self.unit() != Unit::Faults
    }

    /// Every kind, as it is written, with how many of it a mild run has and how many a wild one.
    pub const ALL: [(FaultKind, &'static str, RangeInclusive<u32>, RangeInclusive<u32>); 18] = [
        (FaultKind::LinkDown, "link-down", 0..=2, 0..=5),
        (FaultKind::Flap, "flap", 0..=1, 0..=2),
        (FaultKind::Clog, "clog", 0..=1, 0..=3),
        (FaultKind::SlowReader, "slow-reader", 0..=0, 0..=2),
        (FaultKind::Partition, "partition", 0..=0, 0..=2),
        (FaultKind::Crash, "crash", 0..=0, 0..=3),
        (FaultKind::Pause, "pause", 0..=1, 0..=3),
        (FaultKind::DialRefused, "dial-refused", 0..=1, 0..=2),
        (FaultKind::DialSilent, "dial-silent", 0..=0, 0..=2),
        (FaultKind::Hostile, "hostile", 0..=0, 0..=2),
        (FaultKind::LookUp, "look-up", 0..=1, 0..=2),
        (FaultKind::Forger, "forger", 0..=0, 0..=2),
        (FaultKind::Exodus, "exodus", 0..=0, 0..=0),
        (FaultKind::Vanish, "vanish", 0..=0, 0..=0),
        (FaultKind::Split, "split", 0..=0, 0..=0),
        (FaultKind::Stop, "stop", 0..=0, 0..=0),
        (FaultKind::Poison, "poison", 0..=0, 0..=0),
        (FaultKind::Greet, "greet", 0..=0, 0..=0),
    ];
}

impl Faults {
    /// A few, of the kinds every network knows.
    #[must_use]
    pub fn mild() -> Faults {
        Faults { counts: FaultKind::ALL.map(|(kind, _, mild, _)| (kind, mild)).to_vec(), nat_percent: 0 }
    }

    /// All kinds at once.
    #[must_use]
    pub fn wild() -> Faults {
        Faults { counts: FaultKind::ALL.map(|(kind, _, _, wild)| (kind, wild)).to_vec(), nat_percent: 0 }
    }

    /// Sets how many of a kind there are, in the place of what was said of it before. The order in which kinds are said
    /// makes no difference.
    pub fn set(&mut self, kind: FaultKind, range: RangeInclusive<u32>) {
        self.counts.retain(|(other, _)| *other != kind);
        self.counts.push((kind, range));
        self.counts.sort_by_key(|(kind, _)| kind.place());
    }

    /// Whether anything of the kinds for which this holds may befall a run.
    #[must_use]
    pub fn has(&self, is_meant: impl Fn(FaultKind) -> bool) -> bool {
        self.counts.iter().any(|(kind, range)| *range.end() > 0 && is_meant(*kind))
    }

    /// Whether nothing at all goes wrong.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.nat_percent == 0 && !self.has(|_| true)
    }
}

impl Item {
    /// Its number among those of its sort.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Item::Servent(number)
            | Item::Query(number)
            | Item::Fault(number)
            | Item::Content(number)
            | Item::Fetch(number)
            | Item::Write(number) => number,
        }
    }

    /// The one that follows it.
    #[must_use]
    pub fn next(self) -> Option<Item> {
        let next = self.number().checked_add(1)?;
        Some(match self {
            Item::Servent(_) => Item::Servent(next),
            Item::Query(_) => Item::Query(next),
            Item::Fault(_) => Item::Fault(next),
            Item::Content(_) => Item::Content(next),
            Item::Fetch(_) => Item::Fetch(next),
            Item::Write(_) => Item::Write(next),
        })
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Servent(number) => write!(f, "s{number}"),
            Item::Query(number) => write!(f, "q{number}"),
            Item::Fault(number) => write!(f, "f{number}"),
            Item::Content(number) => write!(f, "c{number}"),
            Item::Fetch(number) => write!(f, "g{number}"),
            Item::Write(number) => write!(f, "w{number}"),
        }
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&Delays::NAMED, self))
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&Wire::NAMED, self))
    }
}

impl fmt::Display for DiskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&DiskKind::NAMED, self))
    }
}

impl fmt::Display for ClientVia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&ClientVia::NAMED, self))
    }
}

fn name_of<T: PartialEq>(named: &[(&'static str, T)], value: &T) -> &'static str {
    named.iter().find(|(_, one)| one == value).map_or("", |(name, _)| name)
}

/// As the command line takes it, in the fewest words.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [("none", Faults::default()), ("mild", Faults::mild()), ("wild", Faults::wild())];
        let word = named.into_iter().find(|(_, faults)| self.counts == faults.counts).map(|(name, _)| name.to_owned());
        let said = |(kind, range): &(FaultKind, RangeInclusive<u32>)| {
            let (name, sign) = (kind.name(), kind.unit().sign());
            match (range.start(), range.end()) {
                (low, high) if low == high => format!("{name}={low}{sign}"),
                (low, high) => format!("{name}={low}..{high}{sign}"),
            }
        };
        let mut words = word.map_or_else(|| self.counts.iter().map(said).collect(), |word| vec![word]);
        if self.nat_percent > 0 {
            words.retain(|word| word != "none");
            words.push(format!("{NAT}={}%", self.nat_percent));
        }
        f.write_str(&words.join(","))
    }
}
