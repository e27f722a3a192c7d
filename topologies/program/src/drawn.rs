//! Overlays that stand in no file: a shape and its figures, such as `ring:8` or `random:30,4`, become a declaration.
//!
//! What can be written is refused or taken here. The links are the simulator's (`sim::shapes`), and what comes of them is a
//! text that is read as any `.topo` file is: nothing is started here.

use std::collections::hash_map::RandomState;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::bail;
use common::counted::{counted, grouped};
use common::limits::{NEIGHBORS_MAX, TTL_DEFAULT, TTL_MAX};
use sim::graph::Graph;
use sim::random::Random;
use sim::scene::purpose;
use sim::shapes::{self, Shape, built_degree};
use topologies::declared::{Topology, homes, is_path};

/// The most servents that are started for a shape: each is a process, which takes about 1 MiB beside what all share, and
/// two threads and two descriptors of ours.
pub const RUN_SERVENTS_MAX: usize = 512;
/// The most links: as many as there are where each servent has as many neighbors as it may. Of more than that a machine of
/// two cores says so little in time that neighbors hold each other for gone.
pub const RUN_LINKS_MAX: usize = (NEIGHBORS_MAX + 1) * NEIGHBORS_MAX / 2;
/// Where the first listens; each other has the port behind that of the one before it.
const FIRST_PORT: usize = 9001;
/// What servents serve, in turn: the data of the diamond, and that of the chain.
const DATA: [&str; 10] = ["north", "west", "east", "south", "alpha", "bravo", "charlie", "delta", "echo", "foxtrot"];
/// Seeds that nobody chose are short enough to be typed.
const SEEDS: u64 = 1_000_000;

/// Which overlay is meant: one that stands in a file, or one that is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OverlayName {
    /// By the name or the path of a `.topo` file.
    File(String),
    /// By a shape and its figures.
    Drawn(DrawnShape),
}

/// A shape and figures that it can have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnShape {
    /// As it was written.
    text: String,
    kind: DrawnKind,
    servents: usize,
    /// How many neighbors each has, or, of a tree, how many are below each.
    degree: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum DrawnKind {
    EvenTree,
    Pattern,
    Drawn(Shape),
}

/// How a shape is written, and what it is then.
struct DrawnForm {
    name: &'static str,
    figures: &'static str,
    what: &'static str,
    kind: DrawnKind,
}

const FORMS: [DrawnForm; 9] = [
    form("chain", "N", "N servents in a row", DrawnKind::Drawn(Shape::Chain)),
    form("ring", "N", "a row whose ends are linked", DrawnKind::Drawn(Shape::Ring)),
    form("star", "N", "the first linked with all others", DrawnKind::Drawn(Shape::Star)),
    form("grid", "N", "rows and columns, as near to a square as it gets", DrawnKind::Drawn(Shape::Grid)),
    form("tree", "B,D", "a root, B servents below each, D levels below the root", DrawnKind::EvenTree),
    form("mesh", "N,D", "on a circle, each linked with the D nearest", DrawnKind::Pattern),
    form("random", "N,D", "each linked with D others drawn at random", DrawnKind::Drawn(Shape::Random)),
    form("small-world", "N,D", "a mesh of which a tenth of the links went astray", DrawnKind::Drawn(Shape::SmallWorld)),
    form("scale-free", "N,D", "D neighbors on average: who has many gets more", DrawnKind::Drawn(Shape::ScaleFree)),
];

const fn form(name: &'static str, figures: &'static str, what: &'static str, kind: DrawnKind) -> DrawnForm {
    DrawnForm { name, figures, what, kind }
}

/// The help of subcommands that take a shape.
#[must_use]
pub fn more_help() -> String {
    let mut help = "Shapes that stand in no file:\n".to_owned();
    for DrawnForm { name, figures, what, .. } in FORMS {
        help += &format!("  {:<18}{what}\n", format!("{name}:{figures}"));
    }
    help + &format!(
        "At most {RUN_SERVENTS_MAX} servents, on ports from {FIRST_PORT} on, each with one of the files of data/ in turn; a query enters at \
         the first. The --ttl of each is the diameter, and no less than {TTL_DEFAULT} or more than {TTL_MAX}. Such as ring:8, tree:2,3 (15 servents), mesh:16,4 or random:30,4."
    )
}

impl FromStr for OverlayName {
    type Err = String;

    fn from_str(text: &str) -> Result<OverlayName, String> {
        match text.split_once(':') {
            Some((shape, figures)) if !is_path(text) => DrawnShape::read(text, shape, figures).map(OverlayName::Drawn),
            _ => Ok(OverlayName::File(text.to_owned())),
        }
    }
}

impl OverlayName {
    /// Why a seed cannot be said of it, where that is so.
    #[must_use]
    pub fn refusal_of_a_seed(&self) -> Option<String> {
        match self {
            OverlayName::Drawn(drawn) if drawn.is_random() => None,
            OverlayName::Drawn(drawn) => Some(format!("--seed: nothing of {drawn} is drawn at random")),
            OverlayName::File(name) => Some(format!("--seed: nothing of {name} is drawn at random")),
        }
    }

    /// The overlay itself. A seed that is not said is drawn, and told in the name.
    pub fn load(&self, seed: Option<u64>) -> anyhow::Result<Topology> {
        match self {
            OverlayName::File(name) => Topology::load(name),
            OverlayName::Drawn(drawn) => drawn.declare(seed.unwrap_or_else(some_seed)),
        }
    }
}

impl DrawnShape {
    fn read(text: &str, shape: &str, figures: &str) -> Result<DrawnShape, String> {
        let Some(form) = FORMS.into_iter().find(|form| form.name == shape) else {
            let forms = FORMS.map(|DrawnForm { name, figures, .. }| format!("{name}:{figures}")).join(", ");
            return Err(format!("no shape is called `{shape}`; there are {forms}"));
        };
        let DrawnForm { name, figures: wanted, what, kind } = form;
        let odd = |why: &str| format!("{why} ({name}:{wanted}: {what})");
        let numbers = figures.split(',').map(|figure| read_figure(figure).map_err(|why| odd(&why)));
        let numbers: Vec<usize> = numbers.collect::<Result<_, _>>()?;
        let [first, second] = match (&*numbers, wanted.contains(',')) {
            ([first], false) => [*first, 0],
            ([first, second], true) => [*first, *second],
            _ => {
                return Err(odd(&format!(
                    "that takes {}",
                    if wanted.contains(',') { "two numbers" } else { "one number" }
                )));
            }
        };
        let drawn = |servents, degree| DrawnShape { text: text.to_owned(), kind: kind.clone(), servents, degree };
        let drawn = if kind == DrawnKind::EvenTree {
            let servents = tree_servents(first, second).map_err(|why| odd(&why))?;
            drawn(servents, first)
        } else {
            drawn(first, second)
        };
        drawn.refuse_what_cannot_be().map_err(|error| odd(&error.to_string()))?;
        Ok(drawn)
    }

    fn refuse_what_cannot_be(&self) -> anyhow::Result<()> {
        let DrawnShape { kind, servents, degree, .. } = self;
        let (servents, degree) = (*servents, *degree);
        let least = if *kind == DrawnKind::Drawn(Shape::Ring) { 3 } else { 2 };
        // The first of a star has all others for neighbors.
        let most = if *kind == DrawnKind::Drawn(Shape::Star) { NEIGHBORS_MAX + 1 } else { RUN_SERVENTS_MAX };
        if servents < least || servents > most {
            bail!("{least} to {most} servents can be, and not {}", grouped(servents));
        }
        if *kind == DrawnKind::EvenTree {
            if degree >= NEIGHBORS_MAX {
                bail!("at most {} can be below each", NEIGHBORS_MAX - 1);
            }
            return Ok(());
        }
        let is_of_two = match kind {
            DrawnKind::Drawn(shape) => built_degree(shape, servents, degree).is_some(),
            DrawnKind::EvenTree | DrawnKind::Pattern => true,
        };
        if !is_of_two {
            return Ok(());
        }
        let most = (servents - 1).min(NEIGHBORS_MAX);
        if degree < 2 || degree > most {
            if most < 2 {
                bail!("with 2 neighbors each there are 3 servents at least");
            }
            bail!("each of {servents} can have 2 to {most} neighbors, and not {}", grouped(degree));
        }
        if servents * degree / 2 > RUN_LINKS_MAX {
            let [links, most] = [servents * degree / 2, RUN_LINKS_MAX].map(grouped);
            bail!("that would be {links} links, and at most {most} can be");
        }
        let is_odd = |number: usize| number % 2 == 1;
        match kind {
            DrawnKind::Drawn(Shape::SmallWorld) if is_odd(degree) => {
                bail!("as many are linked on either side: D is even")
            }
            // Of any degree on average.
            DrawnKind::Drawn(Shape::ScaleFree) => {}
            _ if is_odd(servents) && is_odd(degree) => {
                bail!("an odd number of servents cannot have an odd number of neighbors each")
            }
            _ => {}
        }
        Ok(())
    }

    fn is_random(&self) -> bool {
        matches!(&self.kind, DrawnKind::Drawn(Shape::Random | Shape::SmallWorld | Shape::ScaleFree))
    }

    /// The same links as `topology sim` draws of this seed.
    fn graph(&self, seed: u64) -> Graph {
        let DrawnShape { kind, servents, degree, .. } = self;
        match kind {
            DrawnKind::EvenTree => shapes::even_tree(*servents, *degree),
            DrawnKind::Pattern => shapes::regular_pattern(*servents, *degree),
            DrawnKind::Drawn(shape) => shapes::draw(shape, *servents, *degree, &mut Random::of(seed, purpose::LINKS)),
        }
    }

    fn declare(&self, seed: u64) -> anyhow::Result<Topology> {
        let graph = self.graph(seed);
        let name = if self.is_random() { format!("{self} --seed {seed}") } else { self.text.clone() };
        let has_data = |home: &&PathBuf| DATA.iter().all(|data| home.join(data_path(data)).is_file());
        let homes = homes();
        let home = homes.iter().find(has_data);
        let text = text(&graph, home.is_some())?;
        Topology::parse(&name, text, home.map_or(Path::new(""), |home| home))
    }
}

impl fmt::Display for DrawnShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What a `.topo` file of these links would say. Each servent dials those that were started before it, so that hardly any
/// waits until it dials again, and no link is dialled from both its ends.
fn text(graph: &Graph, with_data: bool) -> anyhow::Result<String> {
    // A query goes over one link more than its TTL says, so that of the diameter nobody is left with neighbors to ask.
    let ttl = oracle::diameter(graph).and_then(|diameter| u8::try_from(diameter).ok());
    let ttl = ttl.unwrap_or(TTL_MAX).clamp(TTL_DEFAULT, TTL_MAX);
    let mut text = String::new();
    for servent in 0..graph.servents() {
        let data = if with_data { data_path(DATA[servent % DATA.len()]) } else { "-".to_owned() };
        write!(text, "servent {} {data}", FIRST_PORT + servent)?;
        for neighbor in graph.neighbors(servent).iter().take_while(|neighbor| (**neighbor as usize) < servent) {
            write!(text, " {}", FIRST_PORT + *neighbor as usize)?;
        }
        writeln!(text, " --ttl {ttl}")?;
    }
    Ok(text)
}

fn data_path(name: &str) -> String {
    format!("../data/{name}.txt")
}

fn read_figure(text: &str) -> Result<usize, String> {
    if text.is_empty() {
        return Err("a number is missing".to_owned());
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("`{text}` is no number"));
    }
    // Whatever does not fit is too many of anything.
    Ok(text.parse().unwrap_or(usize::MAX))
}

/// How many servents a tree has.
fn tree_servents(below: usize, levels: usize) -> Result<usize, String> {
    if below == 0 || levels == 0 {
        return Err("B and D are 1 or more".to_owned());
    }
    let (mut servents, mut level) = (1_usize, 1_usize);
    for _ in 0..levels {
        level = level.saturating_mul(below);
        servents = servents.saturating_add(level);
        if servents > RUN_SERVENTS_MAX {
            return Err(format!("that is more than {}", counted(RUN_SERVENTS_MAX, "servent")));
        }
    }
    Ok(servents)
}

fn some_seed() -> u64 {
    RandomState::new().build_hasher().finish() % SEEDS
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn drawn(text: &str) -> DrawnShape {
        match text.parse() {
            Ok(OverlayName::Drawn(drawn)) => drawn,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn declared(text: &str, seed: u64) -> Topology {
        OverlayName::Drawn(drawn(text)).load(Some(seed)).unwrap()
    }

    fn degrees(topology: &Topology) -> BTreeSet<usize> {
        topology.servents.iter().map(|declared| declared.neighbors.len()).collect()
    }

    #[test]
    fn a_shape_is_what_it_is_called() {
        for (text, servents, links, degrees_of) in [
            ("chain:5", 5, 4, &[1, 2][..]),
            ("ring:8", 8, 8, &[2]),
            ("ring:3", 3, 3, &[2]),
            ("star:5", 5, 4, &[1, 4]),
            ("star:257", 257, 256, &[1, 256]),
            ("mesh:257,256", 257, 32_896, &[256]),
            ("grid:9", 9, 12, &[2, 3, 4]),
            ("tree:2,3", 15, 14, &[1, 2, 3]),
            ("tree:1,3", 4, 3, &[1, 2]),
            ("tree:3,1", 4, 3, &[1, 3]),
            ("mesh:16,4", 16, 32, &[4]),
            ("mesh:6,5", 6, 15, &[5]),
            ("random:30,4", 30, 60, &[4]),
            ("small-world:20,4", 20, 40, &[]),
            ("scale-free:20,4", 20, 37, &[]),
            ("tree:2,8", 511, 510, &[1, 2, 3]),
            ("chain:512", 512, 511, &[1, 2]),
        ] {
            let topology = declared(text, 7);
            assert_eq!((topology.servents.len(), topology.links().len()), (servents, links), "{text}");
            if !degrees_of.is_empty() {
                assert_eq!(degrees(&topology), degrees_of.iter().copied().collect(), "{text}");
            }
            assert_eq!(oracle::connected_count(&topology, 0), servents, "{text}");
        }
    }

    #[test]
    fn a_servent_dials_those_before_it_and_serves_what_is_its_own() {
        let topology = declared("ring:12", 0);
        let line = |place: usize| topology.servents[place].arguments().join(" ");
        let [first, second, last] = [line(0), line(1), line(11)];
        assert!(first.starts_with("127.0.0.1:9001 ") && first.ends_with("data/north.txt --ttl 6"), "{first}");
        assert!(second.ends_with("data/west.txt 127.0.0.1:9001 --ttl 6"), "{second}");
        assert!(last.starts_with("127.0.0.1:9012 "), "{last}");
        assert!(last.ends_with("data/west.txt 127.0.0.1:9001 127.0.0.1:9011 --ttl 6"), "{last}");
    }

    #[test]
    fn a_query_goes_as_far_as_it_may_and_no_shorter_than_usual() {
        for (text, ttl, horizon) in [
            ("chain:3", 3, None),
            ("tree:2,3", 6, None),
            ("ring:33", 15, None),
            ("ring:34", 15, Some("a query goes 16 links far, to 33 of 34 servents")),
            ("chain:17", 15, None),
            ("chain:512", 15, Some("a query goes 16 links far, to 17 of 512 servents")),
        ] {
            let topology = declared(text, 0);
            assert!(topology.servents.iter().all(|declared| declared.options.ttl == ttl), "{text}");
            assert_eq!(topologies::reach::horizon(&topology).as_deref(), horizon, "{text}");
        }
    }

    #[test]
    fn the_seed_decides_and_is_told() {
        let [one, again, other] = [7, 7, 8].map(|seed| declared("random:30,4", seed));
        assert_eq!(one.name, "random:30,4 --seed 7");
        assert_eq!(one.links(), again.links());
        assert_ne!(one.links(), other.links());
        assert_eq!(declared("mesh:16,4", 7).name, "mesh:16,4");
        let name = OverlayName::Drawn(drawn("random:30,4")).load(None).unwrap().name;
        let seed = name.strip_prefix("random:30,4 --seed ").unwrap().parse::<u64>().unwrap();
        assert_eq!(declared("random:30,4", seed).name, name);
    }

    /// Whatever is drawn of a seed is what the simulator draws of it.
    #[test]
    fn a_seed_draws_what_the_simulator_draws() {
        let line = "topology sim random --servents 30 --degree 4 --seed 7";
        let plan = crate::runs::options::tests::plan(line);
        let links = sim::scene::Scene::draw(&plan).unwrap().graph;
        assert_eq!(drawn("random:30,4").graph(7), links);
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        for (text, expected) in [
            ("nope:3", "no shape is called `nope`; there are chain:N, ring:N, star:N, grid:N, tree:B,D, mesh:N,D"),
            (":3", "no shape is called ``"),
            ("Ring:3", "no shape is called `Ring`"),
            ("ring:", "a number is missing (ring:N: a row whose ends are linked"),
            ("ring:x", "`x` is no number (ring:N: "),
            ("ring:-3", "`-3` is no number"),
            ("ring:+3", "`+3` is no number"),
            ("ring: 3", "` 3` is no number"),
            ("ring:3,", "a number is missing"),
            ("ring:3,2", "that takes one number (ring:N: "),
            ("ring:8:3", "`8:3` is no number"),
            ("random:30", "that takes two numbers (random:N,D: "),
            ("random:30,4,1", "that takes two numbers"),
            ("ring:1", "3 to 512 servents can be, and not 1"),
            ("ring:2", "3 to 512 servents can be, and not 2"),
            ("ring:513", "3 to 512 servents can be, and not 513"),
            ("chain:1", "2 to 512 servents can be, and not 1"),
            ("chain:99999999999999999999999", "2 to 512 servents can be, and not 18,446,744,073,709,551,615"),
            ("star:258", "2 to 257 servents can be, and not 258"),
            ("grid:0", "2 to 512 servents can be, and not 0"),
            ("tree:0,3", "B and D are 1 or more (tree:B,D: a root, B servents below each"),
            ("tree:2,0", "B and D are 1 or more"),
            ("tree:2,9", "that is more than 512 servents"),
            ("tree:1,512", "that is more than 512 servents"),
            ("tree:99999999999999999999,99999999999999999999", "that is more than 512 servents"),
            ("tree:300,1", "at most 255 can be below each"),
            ("random:30,40", "each of 30 can have 2 to 29 neighbors, and not 40"),
            ("random:30,1", "each of 30 can have 2 to 29 neighbors, and not 1"),
            ("random:15,3", "an odd number of servents cannot have an odd number of neighbors each"),
            ("mesh:5,5", "each of 5 can have 2 to 4 neighbors, and not 5"),
            ("mesh:512,257", "each of 512 can have 2 to 256 neighbors, and not 257"),
            ("mesh:512,129", "that would be 33,024 links, and at most 32,896 can be"),
            ("mesh:2,1", "with 2 neighbors each there are 3 servents at least"),
            ("small-world:20,3", "D is even"),
        ] {
            let error = text.parse::<OverlayName>().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_path_is_one_with_a_colon_in_it_too() {
        for text in ["diamond", "./a:b.topo", "a:b.topo", "ring:8/x", "/tmp/ring:8", "ring"] {
            assert_eq!(text.parse(), Ok(OverlayName::File(text.to_owned())));
            let refusal = OverlayName::File(text.to_owned()).refusal_of_a_seed();
            assert_eq!(refusal.unwrap(), format!("--seed: nothing of {text} is drawn at random"));
        }
        assert!(OverlayName::Drawn(drawn("ring:8")).refusal_of_a_seed().is_some());
        assert!(OverlayName::Drawn(drawn("random:8,2")).refusal_of_a_seed().is_none());
    }

    #[test]
    fn every_form_is_in_the_help_and_fits() {
        let help = more_help();
        for DrawnForm { name, figures, what, .. } in FORMS {
            assert!(help.contains(&format!("  {name}:{figures} ")) && help.contains(what), "{help}");
        }
        assert!(help.lines().take(FORMS.len() + 1).all(|line| line.len() <= 80), "{help}");
    }
}
