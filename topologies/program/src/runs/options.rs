//! The command line of `topology sim`, and the plans it means.
//!
//! It says what can be asked for and refuses what cannot be. Of what a plan draws, only what many seeds leave open is
//! drawn here; the rest is `scene`'s.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{ArgGroup, Args};
use common::counted::counted;
use common::limits::{NEIGHBORS_MAX, TTL_DEFAULT, TTL_MAX};

use sim::contents::{CONTENTS_MAX, PER_CONTENT};
use sim::graph::number;
use sim::plan::{ClientVia, Delays, DiskKind, FaultKind, Faults, Item, NAT, Plan, Unit, Wire};
use sim::random::Random;
use sim::scene::purpose;
use sim::shapes::built_degree;
use sim::shapes::{DeclaredGraph, Shape};
use sim::writes::WRITES_MAX;
use topologies::declared::Topology;

/// As many as the links of a graph can number with any degree.
const SERVENTS_MAX: i64 = 10_000_000;
const QUERIES_MAX: i64 = 100_000;
const FAULTS_MAX: u32 = 1000;
/// The longest that anything may be said to last, in seconds: a day.
const SECONDS_MAX: u32 = 24 * 3_600;
/// How long it is watched who is there where nothing is said of that.
const WATCH_DEFAULT: Duration = Duration::from_secs(60);

const SERVENTS_DEFAULT: usize = 100;
const DEGREE_DEFAULT: usize = 4;
const QUERIES_DEFAULT: usize = 1;
const HOLDERS_DEFAULT: usize = 10;
const SEED_DEFAULT: u64 = 1;

/// Of a hundred runs with the native wire that many have TP3 in their middle, where each seed draws it.
const MIXED_PERCENT: u64 = 40;
/// In that many of a hundred some servents pass every query on once only.
const ONCE_PERCENT: u64 = 15;

/// What stands for a shape drawn per seed.
const ANY: &str = "any";

/// What is to be run. What is not said is left open until the plan is known.
#[derive(Args, Clone, Debug)]
#[command(group(ArgGroup::new("disks").multiple(true)))]
pub struct Options {
    /// chain, ring, star, tree, grid, random, small-world, scale-free; any (one of these per seed); or a .topo file
    shape: String,

    /// How many servents there are [default: 100]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=SERVENTS_MAX))]
    servents: Option<u32>,

    /// How many neighbors each has, in shapes that leave a choice: tree, random, small-world (an even number), scale-free
    /// (on average) [default: 4]
    #[arg(long, value_name = "D", value_parser = clap::value_parser!(u16).range(0..=NEIGHBORS_MAX as i64))]
    degree: Option<u16>,

    /// How many times a query may be passed on after its first link (0 to 15) [default: 3]
    #[arg(long, value_name = "T", value_parser = clap::value_parser!(u8).range(0..=i64::from(TTL_MAX)))]
    ttl: Option<u8>,

    /// How many of a hundred servents pass every query on once only (0 to 100) [default: 0]
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    forward_once: Option<u8>,

    /// How many queries are asked: 10 s apart, or up to 2 s apart where things go wrong [default: 1]
    #[arg(long, value_name = "Q", value_parser = clap::value_parser!(u32).range(1..=QUERIES_MAX))]
    queries: Option<u32>,

    /// How many servents hold the key that is asked for, all of them at most [default: 10]
    #[arg(long, value_name = "H", value_parser = clap::value_parser!(u32).range(0..=SERVENTS_MAX))]
    holders: Option<u32>,

    /// Where every random number comes from [default: 1]
    #[arg(long, value_name = "S", conflicts_with = "seeds")]
    seed: Option<u64>,

    /// A run for each seed from A to B, without B
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    seeds: Option<Range<u64>>,

    /// How long links take: equal (10 ms), mild (5 to 15 ms), heavy (half up to 1 ms, half up to 100 ms) [default: equal]
    #[arg(long, value_name = "DELAYS", value_parser = |text: &str| named(&Delays::NAMED, text))]
    delays: Option<Delays>,

    /// What goes wrong: none, mild, wild, or how many of a kind, as N or as LO..HI with both ends included; nat=K% has nobody
    /// reach K of a hundred clients; exodus, vanish and stop are said in K%, split in seconds; a later word changes what an earlier one said, as in wild,hostile=0 [default: none]
    #[arg(long, value_name = "FAULTS", value_parser = parse_faults)]
    faults: Option<Faults>,

    /// What links carry: none (messages as they are, of a healthy overlay), native, tp3, mixed (some links and clients tp3, the
    /// others native) [default: none, with faults native]
    #[arg(long, value_name = "WIRE", value_parser = |text: &str| named(&Wire::NAMED, text))]
    wire: Option<Wire>,

    /// How answers come to clients but those of tp3: direct (they are dialled where they can be), back (they hear none, so all
    /// go back the way the query came), mixed [default: direct]
    #[arg(long, value_name = "VIA", value_parser = |text: &str| named(&ClientVia::NAMED, text))]
    via: Option<ClientVia>,

    /// Servents tell each other who is there
    #[arg(long)]
    with_members: bool,

    /// Ask nothing, and watch for so long after all that goes wrong whether servents know who is there [default: 60s where
    /// one of exodus, vanish, split, stop, poison and greet goes wrong]
    #[arg(long, value_name = "SECONDS", requires = "with_members", value_parser = parse_seconds,
        conflicts_with_all = ["queries", "holders"])]
    watch: Option<Duration>,

    /// Share as many contents, each by as many servents as hold the key, and fetch them while all else goes on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=CONTENTS_MAX as i64),
        conflicts_with = "watch", group = "disks")]
    contents: Option<u32>,

    /// How many of those who share a content lie about it, each in its own way [default: 0]
    #[arg(long, value_name = "L", value_parser = clap::value_parser!(u32).range(0..=SERVENTS_MAX), requires = "contents")]
    liars: Option<u32>,

    /// Have clients write as much to servents while all else goes on: put, delete, publish, watch and ask for it; with
    /// --contents also publish what is shared, to servents of which some offer nothing else
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=WRITES_MAX as i64),
        conflicts_with = "watch", group = "disks")]
    writes: Option<u32>,

    /// How disks are: quick, mild (they take their time, and now and then something cannot be read), wild (that and more of it,
    /// files change and are gone, disks are full, and a sync fails) [default: quick]
    #[arg(long, value_name = "DISK", requires = "disks", value_parser = |text: &str| named(&DiskKind::NAMED, text))]
    disk: Option<DiskKind>,

    /// One JSON object per run instead of a table
    #[arg(long)]
    pub json: bool,

    /// Time a bare queue and set that pass the same messages, too, and say how many times as long the run took
    #[arg(long)]
    pub bare: bool,

    /// Write what is left of a failing run, made small, to this directory as a story
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,

    /// What was drawn and is left out: servents, queries, faults, contents, fetches, writes, such as s3,q0,f2,c1,g10,w4 or s3..9 with both ends included
    #[arg(long, value_name = "ITEMS", conflicts_with = "seeds", value_parser = parse_items)]
    without: Option<Items>,
}

/// A type of its own, because clap takes a collection for an option that may repeat.
#[derive(Clone, Debug)]
struct Items(BTreeSet<Item>);

/// What the shape on the command line means.
enum Shaped {
    Drawn(Shape),
    Any,
    Declared(Arc<DeclaredGraph>),
}

impl Options {
    /// The help that comes after that of the options: the kinds of faults, and what is not obvious.
    #[must_use]
    pub fn more_help() -> String {
        let mut help = "Faults, with how many of each a mild run has and a wild one:\n".to_owned();
        for (_, name, mild, wild) in FaultKind::ALL {
            let [mild, wild] = [mild, wild].map(|range| match range.into_inner() {
                (low, high) if low == high => low.to_string(),
                (low, high) => format!("{low}..{high}"),
            });
            help += &format!("  {name:<14}{mild:>5}{wild:>7}\n");
        }
        help += "and, in neither, nat=K%: nobody can dial K of a hundred clients, all the while.\n\
Those in neither befall members, with --with-members: exodus=K% kills K of a hundred processes at one moment, vanish=K% as many \
machines, of which nobody hears anything more; split=600s keeps two halves apart for so long; stop=K% stops K of a hundred \
servents, each for 6 s, 20 s or 10 min; poison=K is K neighbors that lie about members for 30 s; greet=K is K times within 24 s \
that a client has a servent greet another, which is there or is not.\n";
        help += "\
\n\
With --seeds and --faults and without --servents each seed draws what is not said: 10 to 50 servents, degree 2 to 8, \
TTL 1 to 7, 1 to 4 queries, any number of holders, any delays, mostly the native wire; and now and then some servents \
pass on once.\n\n\
The same seed prints the same run, whatever the machine; only `seconds` of --json and the last line, on stderr, depend \
on it. Exit code: 1 when an invariant broke, with the command line that shows it and the smallest one that does, 2 for \
a wrong command line.\n\n\
Examples:\n  \
topology sim random --servents 1000000 --degree 8 --ttl 15\n  \
topology sim any --seeds 0..500 --faults wild\n  \
topology sim ring --servents 30 --faults wild,hostile=0,crash=1..3 --seed 7 --json\n  \
topology sim any --seeds 0..500 --faults wild,nat=50% --via mixed\n  \
topology sim random --servents 200 --degree 8 --with-members --faults vanish=20%\n  \
topology sim any --seeds 0..500 --contents 6 --holders 3 --liars 1 --disk wild --faults wild\n  \
topology sim any --seeds 0..500 --writes 40 --disk wild --faults wild\n  \
topology sim any --seeds 0..500 --writes 40 --contents 6 --holders 3 --disk wild --faults wild\n  \
topology sim topologies/mesh.topo --delays heavy";
        help
    }

    /// The plans these options mean, one per seed.
    pub fn plans(&self) -> anyhow::Result<impl Iterator<Item = Plan> + Send + use<>> {
        let shaped = self.shaped()?;
        self.refuse_what_cannot_be(&shaped)?;
        let seeds = self.seeds.clone();
        let options = self.clone();
        let one = self.seeds.is_none().then(|| self.seed.unwrap_or(SEED_DEFAULT));
        Ok(one.into_iter().chain(seeds.unwrap_or_default()).map(move |seed| options.plan(&shaped, seed)))
    }

    fn shaped(&self) -> anyhow::Result<Shaped> {
        if self.shape == ANY {
            return Ok(Shaped::Any);
        }
        if let Some((_, shape)) = Shape::NAMED.into_iter().find(|(name, _)| *name == self.shape) {
            return Ok(Shaped::Drawn(shape));
        }
        let topology = Topology::load(&self.shape).with_context(|| {
            let names = Shape::NAMED.map(|(name, _)| name).join(", ");
            format!("`{}` is none of {names}, {ANY}, and no topology either", self.shape)
        })?;
        for (name, given) in [
            ("servents", self.servents.is_some()),
            ("degree", self.degree.is_some()),
            ("ttl", self.ttl.is_some()),
            ("forward-once", self.forward_once.is_some()),
        ] {
            if given {
                bail!("--{name} is said by the topology itself");
            }
        }
        Ok(Shaped::Declared(Arc::new(declared_graph(self.shape.clone(), &topology))))
    }

    /// What is said is drawn as it is said, or not at all. Where a seed decides the shape or the size, it decides what
    /// becomes of a degree that does not fit, and the run's own command line says it.
    fn refuse_what_cannot_be(&self, shaped: &Shaped) -> anyhow::Result<()> {
        let plan = self.plan(shaped, self.seed.unwrap_or(SEED_DEFAULT));
        if let (Shaped::Drawn(shape), Some(degree)) = (shaped, self.degree.map(|degree| size(degree.into()))) {
            let is_drawn = self.is_open();
            // The more servents, the less a degree has to give way.
            let servents = if is_drawn { usize::MAX / 4 } else { plan.servents };
            match built_degree(shape, servents, degree) {
                None => bail!("--degree {degree}: a {shape} overlay leaves no choice"),
                Some(built) if built != degree => {
                    let count = if is_drawn { String::new() } else { format!(" of {servents} servents") };
                    bail!("--degree {degree}: a {shape} overlay{count} cannot have it, but {built}")
                }
                Some(_) => {}
            }
        }
        if plan.wire == Wire::None && !plan.faults.is_none() {
            bail!("--wire none: what goes wrong befalls bytes; say native, tp3 or mixed, or nothing");
        }
        if plan.faults.has(FaultKind::is_of_members) && !plan.with_members {
            bail!("--faults {}: some of that is for those who know members; say --with-members too", plan.faults);
        }
        if plan.watch.is_some() && (self.queries.is_some() || self.holders.is_some()) {
            bail!("--queries and --holders: nothing is asked where it is watched who is there");
        }
        if plan.watch.is_some() && plan.contents > 0 {
            bail!("--contents: nothing is fetched where it is watched who is there");
        }
        if plan.watch.is_some() && plan.writes > 0 {
            bail!("--writes: nothing is written where it is watched who is there");
        }
        if plan.wire == Wire::None && plan.writes > 0 {
            bail!("--wire none: what is written is bytes; say native, tp3 or mixed, or nothing");
        }
        if plan.wire == Wire::None && plan.contents > 0 {
            bail!("--wire none: contents are bytes; say native, tp3 or mixed, or nothing");
        }
        if plan.wire == Wire::None && plan.with_members {
            bail!("--wire none: who is there is told in bytes; say native, tp3 or mixed, or nothing");
        }
        let is_there = |item: &&Item| match item {
            Item::Servent(servent) => size(*servent) < plan.servents,
            Item::Query(query) => size(*query) < plan.queries,
            // How many faults there are is known only once they are drawn.
            Item::Fault(_) => true,
            Item::Content(content) => size(*content) < plan.contents,
            Item::Fetch(fetch) => size(*fetch) < plan.contents * PER_CONTENT as usize,
            Item::Write(write) => size(*write) < plan.writes,
        };
        if let Some(item) = plan.without.iter().find(|item| !is_there(item)) {
            bail!(
                "--without {item}: there are {} and {}, from 0 on",
                counted(plan.servents, "servent"),
                counted(plan.queries, "query")
            );
        }
        Ok(())
    }

    /// Whether each seed draws what is not said.
    fn is_open(&self) -> bool {
        self.seeds.is_some() && self.faults.as_ref().is_some_and(|faults| !faults.is_none()) && self.servents.is_none()
    }

    fn plan(&self, shaped: &Shaped, seed: u64) -> Plan {
        let faults = self.faults.clone().unwrap_or_default();
        let healthy = faults.is_none();
        // All is drawn in any case, so that what is said of one thing does not move another.
        let drawn = Draw::new(seed);
        let open = self.is_open();
        let or = |drawn: usize, otherwise: usize| if open { drawn } else { otherwise };
        let ttl = if open { drawn.ttl } else { TTL_DEFAULT };
        let forward_once = self.forward_once.unwrap_or(if open { drawn.forward_once } else { 0 });
        let (shape, servents, degree, ttl, forward_once) = match shaped {
            Shaped::Declared(declared) => {
                let ttl = declared.ttls.iter().copied().max().unwrap_or_default();
                (Shape::Declared(Arc::clone(declared)), declared.ttls.len(), 0, ttl, 0)
            }
            Shaped::Drawn(_) | Shaped::Any => {
                let shape = if let Shaped::Drawn(shape) = shaped { shape.clone() } else { drawn.shape };
                let servents = self.servents.map_or(or(drawn.servents, SERVENTS_DEFAULT), size);
                let degree = self.degree.map_or(or(drawn.degree, DEGREE_DEFAULT), |degree| size(degree.into()));
                let degree = built_degree(&shape, servents, degree).unwrap_or_default();
                (shape, servents, degree, self.ttl.unwrap_or(ttl), forward_once)
            }
        };
        let holders = || or(drawn.holders.clone().index(servents + 1), HOLDERS_DEFAULT);
        let wire = if open { drawn.wire } else { Wire::Native };
        let is_of_members = faults.has(FaultKind::is_of_members) && self.with_members;
        let watch = self.watch.or(is_of_members.then_some(WATCH_DEFAULT));
        let (contents, writes) = (self.contents.map_or(0, size), self.writes.map_or(0, size));
        let is_plain = healthy && !self.with_members && contents == 0 && writes == 0;
        let is_asked = |count: usize| if watch.is_none() { count } else { 0 };
        Plan {
            shape,
            servents,
            degree,
            ttl,
            queries: is_asked(self.queries.map_or(or(drawn.queries, QUERIES_DEFAULT), size)),
            holders: is_asked(self.holders.map_or_else(holders, size).min(servents)),
            seed,
            delays: self.delays.unwrap_or(if open { drawn.delays } else { Delays::Equal }),
            wire: self.wire.unwrap_or(if is_plain { Wire::None } else { wire }),
            via: self.via.unwrap_or(ClientVia::Direct),
            faults,
            forward_once,
            with_members: self.with_members,
            contents,
            liars: self.liars.map_or(0, size),
            writes,
            disk: self.disk.unwrap_or_default(),
            watch,
            without: self.without.clone().map(|items| items.0).unwrap_or_default(),
        }
    }
}

/// What a seed decides where many run and the command line leaves it open.
struct Draw {
    shape: Shape,
    servents: usize,
    degree: usize,
    ttl: u8,
    queries: usize,
    delays: Delays,
    wire: Wire,
    forward_once: u8,
    /// What the number of holders is drawn from, once that of the servents is known.
    holders: Random,
}

impl Draw {
    fn new(seed: u64) -> Draw {
        let mut random = Random::of(seed, purpose::OPTIONS);
        // What came later has a stream of its own: the rest is drawn as it was.
        let mut more = Random::of(seed, purpose::MORE_OPTIONS);
        let mut once = Random::of(more.number(), 0);
        let [(_, mut shape), shapes @ ..] = Shape::NAMED;
        let place = random.index(shapes.len() + 1);
        for (_, other) in shapes.into_iter().take(place) {
            shape = other;
        }
        Draw {
            shape,
            servents: 10 + random.index(41),
            degree: 2 + random.index(7),
            ttl: u8::try_from(random.within(1, 7)).unwrap_or(TTL_DEFAULT),
            queries: 1 + random.index(4),
            delays: match random.below(3) {
                0 => Delays::Equal,
                1 => Delays::Mild,
                _ => Delays::Heavy,
            },
            wire: match random.below(10) {
                1 | 2 => Wire::Tp3,
                _ if more.chance(MIXED_PERCENT) => Wire::Mixed,
                _ => Wire::Native,
            },
            forward_once: if once.chance(ONCE_PERCENT) { [10, 50, 100][once.index(3)] } else { 0 },
            holders: random,
        }
    }
}

/// What a run takes from a declared topology.
fn declared_graph(name: String, topology: &Topology) -> DeclaredGraph {
    let options = || topology.servents.iter().map(|servent| &servent.options);
    DeclaredGraph {
        name,
        links: topology.links().into_iter().map(|(a, b)| (number(a), number(b))).collect(),
        ttls: options().map(|options| options.ttl).collect(),
        forward_once: options().map(|options| options.forward_once).collect(),
    }
}

fn size(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn named<T: Clone>(names: &[(&str, T)], text: &str) -> Result<T, String> {
    names.iter().find(|(name, _)| *name == text).map(|(_, value)| value.clone()).ok_or_else(|| {
        let names: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        format!("not one of {}", names.join(", "))
    })
}

fn parse_seeds(text: &str) -> Result<Range<u64>, String> {
    let ends = text.split_once("..").and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    let (first, end) = ends.ok_or("not A..B, such as 0..500")?;
    if first < end {
        Ok(first..end)
    } else {
        Err("there is no seed in it: B itself does not belong to A..B".to_owned())
    }
}

fn parse_faults(text: &str) -> Result<Faults, String> {
    let mut faults = Faults::default();
    for word in text.split(',') {
        match word.split_once('=') {
            None if word == "none" => faults = Faults::default(),
            None if word == "mild" => faults = Faults::mild(),
            None if word == "wild" => faults = Faults::wild(),
            Some((NAT, percent)) => {
                faults.nat_percent = parse_percent(percent).map_err(|why| format!("`{word}`: {why}"))?;
            }
            said => {
                let kind = FaultKind::ALL.into_iter().find(|(_, name, ..)| Some(*name) == said.map(|(name, _)| name));
                let Some(((kind, ..), (_, count))) = kind.zip(said) else {
                    let names = FaultKind::ALL.map(|(_, name, ..)| name).join(", ");
                    return Err(format!(
                        "`{word}` is none of none, mild, wild, {NAT}=K%, or NAME=VALUE with a name of {names}"
                    ));
                };
                faults.set(kind, parse_amount(count, kind.unit()).map_err(|why| format!("`{word}`: {why}"))?);
            }
        }
    }
    Ok(faults)
}

/// How much of a kind, with the sign of what is counted of it.
fn parse_amount(text: &str, unit: Unit) -> Result<RangeInclusive<u32>, String> {
    let (most, example) = match unit {
        Unit::Faults => return parse_count(text, FAULTS_MAX),
        Unit::Percent => (100, "a number of percent, such as 20%"),
        Unit::Seconds => (SECONDS_MAX, "a number of seconds, such as 600s"),
    };
    let count = text.strip_suffix(unit.sign()).ok_or(format!("not {example}"))?;
    parse_count(count, most)
}

/// As the usage says it, or with the sign that it is told with.
fn parse_seconds(text: &str) -> Result<Duration, String> {
    let number = text.strip_suffix(Unit::Seconds.sign()).unwrap_or(text);
    let seconds: u32 = number.parse().map_err(|_| "not a number of seconds, such as 600 or 600s")?;
    if seconds > SECONDS_MAX {
        return Err(format!("{seconds} is more than {SECONDS_MAX}"));
    }
    Ok(Duration::from_secs(seconds.into()))
}

fn parse_count(text: &str, most: u32) -> Result<RangeInclusive<u32>, String> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let (low, high): (u32, u32) =
        low.parse().ok().zip(high.parse().ok()).ok_or("not a number, nor LO..HI with both ends included")?;
    if low > high {
        return Err(format!("{low} is more than {high}"));
    }
    if high > most {
        return Err(format!("{high} is more than {most}"));
    }
    Ok(low..=high)
}

fn parse_percent(text: &str) -> Result<u8, &'static str> {
    let percent = text.strip_suffix('%').and_then(|number| number.parse().ok()).filter(|percent| *percent <= 100);
    percent.ok_or("not a number of percent, such as 50%")
}

fn parse_items(text: &str) -> Result<Items, String> {
    let run = |word: &str| {
        let (first, last) = word.get(1..)?.split_once("..").map_or((word.get(1..)?, None), |(a, b)| (a, Some(b)));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.unwrap_or(first).parse().ok()?);
        let item = match word.get(..1)? {
            "s" => Item::Servent,
            "q" => Item::Query,
            "f" => Item::Fault,
            "c" => Item::Content,
            "g" => Item::Fetch,
            "w" => Item::Write,
            _ => return None,
        };
        (first <= last && i64::from(last) < SERVENTS_MAX).then(|| (first..=last).map(item))
    };
    let mut items = BTreeSet::new();
    for word in text.split(',') {
        items.extend(run(word).ok_or(format!("`{word}` is not an item such as s3, q0 or f2, nor several, as s3..9"))?);
    }
    Ok(Items(items))
}

#[cfg(test)]
pub(crate) mod tests {
    use clap::Parser;

    use sim::scene::Scene;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(subcommand)]
        what: What,
    }

    #[derive(Debug, clap::Subcommand)]
    enum What {
        Sim(Box<Options>),
    }

    fn options(line: &str) -> Result<Options, String> {
        match Program::try_parse_from(line.split(' ')) {
            Ok(Program { what: What::Sim(options) }) => Ok(*options),
            Err(error) => Err(error.to_string()),
        }
    }

    fn plans(line: &str) -> Result<Vec<Plan>, String> {
        let plans = options(line)?.plans().map_err(|error| format!("{error:#}"))?;
        Ok(plans.collect())
    }

    /// The one plan that a line means.
    pub(crate) fn plan(line: &str) -> Plan {
        let mut plans = plans(line).unwrap();
        assert_eq!(plans.len(), 1);
        plans.remove(0)
    }

    #[test]
    fn the_command_line_is_sound() {
        <Program as clap::CommandFactory>::command().debug_assert();
        let help = Options::more_help();
        let kinds = ["  link-down      0..2   0..5\n", "  crash             0   0..3\n"];
        assert!(kinds.iter().all(|kind| help.contains(kind)), "{help}");
    }

    #[test]
    fn what_is_not_said_is_as_the_help_says() {
        let expected = Plan {
            shape: Shape::Ring,
            servents: 100,
            degree: 0,
            ttl: 3,
            queries: 1,
            holders: 10,
            seed: 1,
            delays: Delays::Equal,
            faults: Faults::default(),
            wire: Wire::None,
            via: ClientVia::Direct,
            forward_once: 0,
            with_members: false,
            contents: 0,
            liars: 0,
            writes: 0,
            disk: DiskKind::Quick,
            watch: None,
            without: BTreeSet::new(),
        };
        assert_eq!(plan("topology sim ring"), expected);
        let faulty = Plan { faults: Faults::mild(), wire: Wire::Native, ..expected.clone() };
        assert_eq!(plan("topology sim ring --faults mild"), faulty);
        assert_eq!(plan("topology sim ring --servents 4").holders, 4);
        assert_eq!(plan("topology sim random").degree, 4);
        assert_eq!(plan("topology sim random --servents 4").degree, 3, "there are no more others");
        let many = plans("topology sim ring --seeds 5..8").unwrap();
        assert_eq!(many, [5, 6, 7].map(|seed| Plan { seed, ..expected.clone() }));
    }

    #[test]
    fn what_is_said_is_meant() {
        let line = "topology sim scale-free --servents 1000000 --degree 8 --ttl 15 --queries 3 --holders 0 --seed 9 \
            --delays heavy --faults none --wire tp3 --via mixed --without f1,s3,q0,s3";
        let plan = plan(line);
        assert_eq!((plan.servents, plan.degree, plan.ttl, plan.queries), (1_000_000, 8, 15, 3));
        assert_eq!((plan.holders, plan.seed, plan.delays, plan.wire), (0, 9, Delays::Heavy, Wire::Tp3));
        assert_eq!(plan.via, ClientVia::Mixed);
        assert!(plan.without.into_iter().eq([Item::Servent(3), Item::Query(0), Item::Fault(1)]));
    }

    #[test]
    fn contents_that_are_said_are_meant_and_say_that_bytes_are() {
        let plan = plan("topology sim ring --contents 6 --holders 3 --liars 1 --disk wild --without c5,g59");
        assert_eq!((plan.contents, plan.holders, plan.liars, plan.disk), (6, 3, 1, DiskKind::Wild));
        assert_eq!((plan.wire, plan.without.len()), (Wire::Native, 2));
        let few = self::plan("topology sim ring --contents 1");
        assert_eq!((few.liars, few.disk), (0, DiskKind::Quick));
    }

    #[test]
    fn writes_that_are_said_are_meant_and_say_that_bytes_are() {
        let plan = plan("topology sim ring --writes 6 --disk mild --without w5");
        assert_eq!((plan.writes, plan.contents, plan.disk, plan.wire), (6, 0, DiskKind::Mild, Wire::Native));
        assert!(plan.without.contains(&Item::Write(5)));
        let both = self::plan("topology sim ring --writes 6 --contents 2 --disk wild");
        assert_eq!((both.writes, both.contents, both.disk), (6, 2, DiskKind::Wild));
    }

    #[test]
    fn faults_are_said_word_by_word() {
        let said = |(kind, name, mild, _): &(FaultKind, &str, RangeInclusive<u32>, RangeInclusive<u32>)| {
            let (from, to) = if *kind == FaultKind::Hostile { (1, 1) } else { (*mild.start(), *mild.end()) };
            let sign = kind.unit().sign();
            if from == to { format!("{name}={to}{sign}") } else { format!("{name}={from}..{to}{sign}") }
        };
        let mild_and_hostile = FaultKind::ALL.iter().map(said).collect::<Vec<_>>().join(",");
        assert!(mild_and_hostile.starts_with("link-down=0..2,flap=0..1,"), "{mild_and_hostile}");
        for (text, expected) in [
            ("none", "none"),
            ("wild", "wild"),
            ("mild", "mild"),
            ("wild,mild", "mild"),
            ("wild,none", "none"),
            ("crash=2", "crash=2"),
            ("crash=1..3", "crash=1..3"),
            ("hostile=2..2,crash=1", "crash=1,hostile=2"),
            ("crash=1,crash=0..4", "crash=0..4"),
            ("wild,hostile=0..2", "wild"),
            ("mild,hostile=1", &mild_and_hostile),
            ("nat=50%", "nat=50%"),
            ("wild,nat=50%", "wild,nat=50%"),
            ("nat=7%,crash=1", "crash=1,nat=7%"),
            ("nat=7%,nat=100%", "nat=100%"),
            ("nat=7%,nat=0%", "none"),
            ("nat=7%,wild", "wild"),
        ] {
            let faults = parse_faults(text).unwrap();
            assert_eq!(faults.to_string(), expected);
            assert_eq!(parse_faults(expected).unwrap(), faults);
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_reason() {
        for (line, expected) in [
            ("", "required arguments were not provided"),
            ("rung", "`rung` is none of chain, ring, star, tree, grid, random, small-world, scale-free, any"),
            ("rung", "there are chain, diamond"),
            ("./rung.topo", "cannot read ./rung.topo"),
            ("diamond --servents 3", "--servents is said by the topology itself"),
            ("diamond --degree 3", "--degree is said by the topology itself"),
            ("diamond --ttl 3", "--ttl is said by the topology itself"),
            ("ring --servents 0", "0 is not in 1..=10000000"),
            ("ring --servents 10000001", "not in 1..=10000000"),
            ("ring --servents many", "invalid digit"),
            ("ring --degree 257", "257 is not in 0..=256"),
            ("ring --ttl 16", "16 is not in 0..=15"),
            ("ring --queries 0", "0 is not in 1..=100000"),
            ("ring --holders -1", "unexpected argument '-1'"),
            ("ring --seed x", "invalid digit"),
            ("ring --seed 1 --seeds 1..2", "cannot be used with"),
            ("ring --seeds 1..2 --without s1", "cannot be used with"),
            ("ring --seeds 5", "not A..B, such as 0..500"),
            ("ring --seeds 5..5", "there is no seed in it"),
            ("ring --seeds 5..=6", "not A..B"),
            ("ring --delays long", "not one of equal, mild, heavy"),
            ("ring --wire wood", "not one of none, native, tp3"),
            ("ring --wire none --faults mild", "--wire none: what goes wrong befalls bytes"),
            (
                "ring --faults evil",
                "`evil` is none of none, mild, wild, nat=K%, or NAME=VALUE with a name of link-down, flap",
            ),
            ("ring --faults evil=1", "dial-refused, dial-silent, hostile, look-up, forger"),
            ("ring --faults crash", "`crash` is none of none"),
            ("ring --faults wild=2", "`wild=2` is none of none, mild, wild, nat=K%, or NAME=VALUE"),
            ("ring --faults nat=50", "`nat=50`: not a number of percent, such as 50%"),
            ("ring --faults nat=101%", "`nat=101%`: not a number of percent"),
            ("ring --faults nat=%", "`nat=%`: not a number of percent"),
            ("ring --faults nat", "`nat` is none of none"),
            ("ring --wire none --faults nat=1%", "--wire none: what goes wrong befalls bytes"),
            ("ring --wire none --with-members", "--wire none: who is there is told in bytes"),
            ("ring --via wood", "not one of direct, back, mixed"),
            ("ring --faults crash=3..1", "`crash=3..1`: 3 is more than 1"),
            ("ring --faults crash=1001", "1001 is more than 1000"),
            ("ring --faults crash=x", "`crash=x`: not a number, nor LO..HI"),
            ("ring --faults crash=1..=3", "not a number, nor LO..HI with both ends included"),
            ("ring --faults wild,", "`` is none of none"),
            ("ring --faults exodus=20 --with-members", "`exodus=20`: not a number of percent, such as 20%"),
            ("ring --faults stop=101% --with-members", "`stop=101%`: 101 is more than 100"),
            ("ring --faults split=10 --with-members", "`split=10`: not a number of seconds, such as 600s"),
            ("ring --faults poison=1%", "`poison=1%`: not a number, nor LO..HI"),
            ("ring --faults poison=1", "--faults poison=1: some of that is for those who know members"),
            ("ring --faults greet=20", "--faults greet=20: some of that is for those who know members"),
            ("ring --faults greet=20% --with-members", "`greet=20%`: not a number, nor LO..HI"),
            ("ring --faults poison=1 --with-members --queries 1", "nothing is asked where it is watched who is there"),
            ("ring --watch 60s", "required arguments were not provided"),
            ("ring --with-members --watch 10m", "not a number of seconds, such as 600 or 600s"),
            ("ring --with-members --watch 60..90s", "not a number of seconds, such as 600 or 600s"),
            ("ring --with-members --watch s", "not a number of seconds, such as 600 or 600s"),
            ("ring --with-members --watch 86401", "86401 is more than 86400"),
            ("ring --with-members --watch 60s --holders 1", "cannot be used with"),
            ("ring --contents 0", "0 is not in 1..=100"),
            ("ring --contents 101", "101 is not in 1..=100"),
            ("ring --contents films", "invalid digit"),
            ("ring --liars 1", "required arguments were not provided"),
            ("ring --disk wild", "required arguments were not provided"),
            ("ring --writes 0", "0 is not in 1..=10000"),
            (
                "ring --writes 1 --wire none",
                "--wire none: what is written is bytes; say native, tp3 or mixed, or nothing",
            ),
            ("ring --writes 1 --with-members --watch 60s", "cannot be used with"),
            (
                "ring --writes 1 --with-members --faults stop=10%",
                "--writes: nothing is written where it is watched who is there",
            ),
            ("ring --writes 2 --without w2", "--without w2: there are"),
            ("ring --contents 1 --liars -1", "unexpected argument '-1'"),
            ("ring --contents 1 --liars x", "invalid digit"),
            ("ring --contents 1 --disk full", "not one of quick, mild, wild"),
            ("ring --contents 1 --wire none", "--wire none: contents are bytes; say native, tp3 or mixed, or nothing"),
            ("ring --contents 1 --with-members --watch 60s", "cannot be used with"),
            (
                "ring --contents 1 --with-members --faults stop=10%",
                "--contents: nothing is fetched where it is watched who is there",
            ),
            ("ring --contents 2 --without c2", "--without c2: there are"),
            ("ring --contents 2 --without g20", "--without g20: there are"),
            ("ring --without x3", "`x3` is not an item such as s3, q0 or f2"),
            ("ring --without s", "`s` is not an item"),
            ("ring --without é", "`é` is not an item"),
            ("ring --without s9..3", "`s9..3` is not an item"),
            ("ring --without s9..", "`s9..` is not an item"),
            ("ring --without s0..4294967295", "is not an item"),
            ("ring --without s100", "--without s100: there are 100 servents and 1 query, from 0 on"),
            ("ring --servents 9 --without q1", "--without q1: there are 9 servents and 1 query"),
            ("diamond --without s4", "--without s4: there are 4 servents"),
            ("small-world --degree 3", "--degree 3: a small-world overlay of 100 servents cannot have it, but 2"),
            ("small-world --degree 0", "--degree 0: a small-world overlay of 100 servents cannot have it, but 2"),
            ("small-world --degree 9 --seeds 0..9 --faults wild", "a small-world overlay cannot have it, but 8"),
            ("small-world --servents 5 --degree 8", "of 5 servents cannot have it, but 4"),
            ("tree --degree 1", "--degree 1: a tree overlay of 100 servents cannot have it, but 2"),
            ("scale-free --degree 1", "--degree 1: a scale-free overlay of 100 servents cannot have it, but 2"),
            ("random --servents 8 --degree 8", "a random overlay of 8 servents cannot have it, but 7"),
            ("ring --degree 2", "--degree 2: a ring overlay leaves no choice"),
            ("chain --degree 2", "--degree 2: a chain overlay leaves no choice"),
            ("star --degree 2", "--degree 2: a star overlay leaves no choice"),
            ("grid --degree 4 --seeds 0..9", "--degree 4: a grid overlay leaves no choice"),
        ] {
            let error = plans(format!("topology sim {line}").trim_end()).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn many_seeds_draw_what_is_left_open() {
        let plans = plans("topology sim any --seeds 0..500 --faults wild").unwrap();
        let all = |what: fn(&Plan) -> usize| plans.iter().map(what).collect::<BTreeSet<usize>>();
        assert!(all(|plan| plan.servents).into_iter().eq(10..=50));
        assert!(all(|plan| plan.degree).into_iter().eq([0].into_iter().chain(2..=8)), "no ring has any");
        let worlds = plans.iter().filter(|plan| plan.shape == Shape::SmallWorld);
        assert!(worlds.map(|plan| plan.degree).collect::<BTreeSet<usize>>().into_iter().eq([2, 4, 6, 8]));
        assert!(all(|plan| plan.ttl.into()).into_iter().eq(1..=7));
        assert!(all(|plan| plan.queries).into_iter().eq(1..=4));
        assert!(plans.iter().all(|plan| plan.holders <= plan.servents));
        assert!(plans.iter().any(|plan| plan.holders == 0) && plans.iter().any(|plan| plan.holders == plan.servents));
        for (_, shape) in Shape::NAMED {
            assert!((30..100).contains(&plans.iter().filter(|plan| plan.shape == shape).count()), "{shape}");
        }
        for (_, delays) in Delays::NAMED {
            assert!(plans.iter().filter(|plan| plan.delays == delays).count() > 120);
        }
        let wires = Wire::NAMED.map(|(_, wire)| plans.iter().filter(|plan| plan.wire == wire).count());
        let [none, native, tp3, mixed] = wires;
        assert!(none == 0 && native > 200 && (70..150).contains(&tp3) && mixed > 110, "{wires:?}");
        assert!(all(|plan| plan.forward_once.into()).into_iter().eq([0, 10, 50, 100]));
        assert!((50..110).contains(&plans.iter().filter(|plan| plan.forward_once > 0).count()));
    }

    #[test]
    fn what_is_said_moves_nothing_that_is_drawn() {
        let open = plans("topology sim any --seeds 0..50 --faults wild").unwrap();
        let line = "topology sim grid --seeds 0..50 --faults wild --queries 9 --delays mild --wire tp3 --via back";
        for (open, said) in open.into_iter().zip(plans(line).unwrap()) {
            let (shape, queries, delays, wire, via) = (Shape::Grid, 9, Delays::Mild, Wire::Tp3, ClientVia::Back);
            assert_eq!(said, Plan { shape, degree: 0, queries, delays, wire, via, ..open });
        }
        let sized = plans("topology sim any --seeds 0..50 --faults wild --servents 20").unwrap();
        assert!(sized.iter().all(|plan| (plan.servents, plan.ttl, plan.queries) == (20, 3, 1)));
        assert!(sized.iter().all(|plan| [0, 4].contains(&plan.degree)));
    }

    #[test]
    fn a_declared_topology_is_as_declared() {
        let topology = Topology::load("mixed").unwrap();
        let scene = Scene::draw(&plan("topology sim mixed")).unwrap();
        assert_eq!(scene.plan.servents, topology.servents.len());
        assert_eq!(scene.graph.links_count(), topology.links().len());
        for (place, declared) in topology.servents.iter().enumerate() {
            assert_eq!(scene.ttls[place], declared.options.ttl);
            assert_eq!(scene.forward_once[place], declared.options.forward_once);
            let neighbors: Vec<usize> = scene.graph.neighbors(place).iter().map(|other| *other as usize).collect();
            assert_eq!(neighbors, declared.neighbors.iter().copied().collect::<Vec<_>>());
        }
        assert!(plans("topology sim dimond").is_err());
    }

    #[test]
    fn a_plan_can_be_typed() {
        let lines = [
            "topology sim any --seeds 0..200 --faults wild",
            "topology sim any --seeds 0..200 --faults mild,hostile=1..2",
            "topology sim any --seeds 0..9 --faults wild,nat=30% --via mixed",
            "topology sim ring --faults nat=100% --via back",
            "topology sim random --seeds 7..20 --faults crash=3",
            "topology sim any --seeds 0..20",
            "topology sim diamond --seeds 0..9 --faults wild",
            "topology sim topologies/ring.topo --seed 4",
            "topology sim ring --servents 3 --without s0,s2,q0,f7 --seed 18446744073709551615",
            "topology sim ring --queries 2 --without s1..9,q0..1,f3",
            "topology sim ring --with-members",
            "topology sim any --seeds 0..9 --faults wild --with-members",
            "topology sim ring --with-members --watch 3600s",
            "topology sim ring --with-members --watch 60",
            "topology sim any --seeds 0..9 --with-members --faults exodus=20%,vanish=1..5%,split=600s,stop=10%,poison=1,greet=20",
        ];
        // Cargo runs tests in the directory of the crate.
        for line in lines.map(|line| line.replace("topologies/", "../")) {
            for drawn in plans(&line).unwrap() {
                assert_eq!(plan(&drawn.command_line()), drawn);
            }
        }
        let runs = plan("topology sim ring --without s7,s1..3,s2..5,s9,s10,q0").command_line();
        assert!(runs.ends_with(" --without s1..5,s7,s9,s10,q0"), "{runs}");
        let declared = plan("topology sim diamond");
        assert_eq!(declared.servents, 4);
        let line = "topology sim diamond --queries 1 --holders 4 --seed 1 --delays equal --faults none --wire none";
        assert_eq!(declared.command_line(), line);
        let Shape::Declared(graph) = &declared.shape else { panic!("drawn") };
        let graph = DeclaredGraph { name: "it's a ring.topo".to_owned(), ..DeclaredGraph::clone(graph) };
        let line = Plan { shape: Shape::Declared(graph.into()), ..declared }.command_line();
        assert!(line.starts_with(r"topology sim 'it'\''s a ring.topo' --queries"), "{line}");
    }
}
