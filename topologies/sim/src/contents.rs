//! What is shared in a run, and by whom; who lies about it, and how; who fetches it, and what cuts that short.
//!
//! Everything is drawn from a stream of its own, and whoever has or fetches a content is chosen by lot, each with a ticket: so
//! what is left out moves nothing else. Bytes are drawn too, and never kept ([`ContentBytes`]). What a lie looks like in
//! messages, and what becomes of a file on a disk, is performed by `world`.

use std::time::Duration;

use common::limits::BLOCK_BYTES_MIN;

use super::faults::ticket;
use super::graph::number;
use super::plan::{DiskKind, Item, Plan};
use super::random::Random;

// What the streams are for; each takes the number of a content or of a fetch on top.
const CONTENTS: u64 = 0x636f_6e74_6501_0000;
const BYTES: u64 = 0x636f_6e74_6502_0000;
const HOLDERS: u64 = 0x636f_6e74_6503_0000;
const HELD: u64 = 0x636f_6e74_6504_0000;
const FETCHES: u64 = 0x636f_6e74_6505_0000;
const DETAILS: u64 = 0x636f_6e74_6506_0000;

/// The most contents there may be: the first byte of each is its number.
pub const CONTENTS_MAX: usize = 100;
/// How many numbers each content has for its fetches.
pub const PER_CONTENT: u32 = 10;
/// The most times one content is fetched by somebody.
const FETCHES_MAX: u64 = 3;
/// The latest a fetch begins.
const BEGINS_MAX: Duration = Duration::from_secs(10);
/// How long a fetch waits for holders: one of these.
const WAITS: [Duration; 3] = [Duration::from_secs(15), Duration::from_secs(20), Duration::from_secs(30)];
/// How often a fetch is cut short at most.
const CUTS_MAX: usize = 4;
/// Of how many blocks contents are that are no odd ones, and the largest.
const BLOCKS_FEW: u64 = 8;
const BLOCKS_SOME: u64 = 32;
const BLOCKS_MANY: u64 = 96;
/// Of a hundred holders, how many call a content what all do.
const USUAL_NAME_PERCENT: u64 = 70;

const BLOCK: u64 = BLOCK_BYTES_MIN as u64;

/// Names files go by. They are paths, and any bytes but NUL: what no honest client takes for the name of a file is among them.
const NAMES: [&[u8]; 12] = [
    b"farol.mp4",
    b"tide-tables.txt",
    b"maps/barra.png",
    b"Barra at DUSK.ogg",
    b"farol.mp4.part",
    b"../farol.mp4",
    b"/etc/passwd",
    b"-",
    b"a\nb\tc",
    b"\xff\xfe not text",
    "praia do Forte \u{1f30a}.txt".as_bytes(),
    b"tea.txt",
];

/// What files are described as. Words of some are in names of others.
const DESCRIPTIONS: [&str; 4] = ["the lighthouse of Barra at dusk", "tides of 2026", "FAROL and sea", ""];

/// Words that are looked for: in some names, some descriptions, or nowhere.
const WORDS: [&[&[u8]]; 6] = [&[], &[b"farol"], &[b"BARRA", b"dusk"], &[b".txt"], &[b"tides", b"2026"], &[b"nowhere"]];

/// Bytes that are drawn: what they are at a place depends on that place alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContentBytes {
    first: u8,
    seed: u64,
    /// How many there are.
    pub size: u64,
}

impl ContentBytes {
    /// Those that everybody has who has so many of them, where nothing is drawn.
    #[must_use]
    pub fn told(size: u64) -> ContentBytes {
        ContentBytes { first: 0, seed: size, size }
    }

    /// Others, of so many bytes.
    #[must_use]
    pub fn another(self, size: u64) -> ContentBytes {
        ContentBytes { first: !self.first, seed: Random::of(self.seed, BYTES).number(), size }
    }

    /// Fills this with the bytes from a place on. There are bytes behind the last one too, for whoever says it has more.
    pub fn fill(self, at: u64, into: &mut [u8]) {
        let mut word_at = u64::MAX;
        let mut word = [0; 8];
        for (place, byte) in (at..).zip(into) {
            if place / 8 != word_at {
                word_at = place / 8;
                word = Random::new(self.seed.wrapping_add(word_at.wrapping_mul(0xd134_2543_de82_ef95)))
                    .number()
                    .to_le_bytes();
            }
            let [drawn, ..] = (u64::from_le_bytes(word) >> (8 * (place % 8))).to_le_bytes();
            *byte = if place == 0 { self.first } else { drawn };
        }
    }

    /// So many of them from a place on.
    #[must_use]
    pub fn read(self, at: u64, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.fill(at, &mut bytes);
        bytes
    }
}

/// A content that is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnContent {
    /// Its number among those drawn.
    pub number: u32,
    /// Its bytes.
    pub bytes: ContentBytes,
    /// Who shares it, by number.
    pub holders: Vec<DrawnHolder>,
}

/// Somebody who shares a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnHolder {
    /// Which servent.
    pub servent: u32,
    /// What its file is called there. No other of its files is called so.
    pub name: Vec<u8>,
    /// What its data says of that name; nothing where no data can.
    pub description: Option<&'static str>,
    /// How it lies.
    pub lie: Option<HolderLie>,
    /// What becomes of its file.
    pub fate: FileFate,
}

/// How a holder lies about a content. What is drawn beside goes by a stream of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HolderLie {
    /// Some block, or all of them, has a bit that is another.
    FalseBytes,
    /// A hash is another.
    FalseHashes,
    /// It says that there are fewer blocks than there are, with hashes that come to the content all the same.
    MergedHashes,
    /// It says another size, to whoever looks for the content and to whoever fetches.
    FalseSize,
    /// The same only to whoever fetches.
    FalseOpened,
    /// It sends blocks that were not asked for.
    Unasked,
    /// It sends each block twice.
    Twice,
    /// It sends blocks with fewer bytes, or more.
    Short,
    /// It sends blocks in another order.
    Disordered,
    /// It says it has blocks that there are not, or in an order that cannot be.
    FalseHave,
    /// It says it has only some, and has no more.
    HasSome,
    /// It says it has all, and that the file was changed or is gone once it has given some.
    Lacks,
    /// It says nothing more after some blocks.
    Silent,
    /// What it says comes a few bytes at a time.
    Trickles,
    /// It says that the content is not there, or that it is busy, each time.
    Refuses,
    /// It says what has no place there.
    Babbles,
}

impl HolderLie {
    /// All of them.
    pub const ALL: [HolderLie; 16] = [
        HolderLie::FalseBytes,
        HolderLie::FalseHashes,
        HolderLie::MergedHashes,
        HolderLie::FalseSize,
        HolderLie::FalseOpened,
        HolderLie::Unasked,
        HolderLie::Twice,
        HolderLie::Short,
        HolderLie::Disordered,
        HolderLie::FalseHave,
        HolderLie::HasSome,
        HolderLie::Lacks,
        HolderLie::Silent,
        HolderLie::Trickles,
        HolderLie::Refuses,
        HolderLie::Babbles,
    ];

    /// Whether somebody may see that it lied. Of the others nobody can say that it is not as they say.
    #[must_use]
    pub fn can_be_seen(self) -> bool {
        !matches!(
            self,
            HolderLie::HasSome | HolderLie::Lacks | HolderLie::Silent | HolderLie::Trickles | HolderLie::Refuses
        )
    }
}

/// What becomes of a file that is shared, and when, since everybody was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFate {
    /// It stays as it is.
    Stays,
    /// It is gone, and comes back if that is said.
    Gone {
        /// When it is gone.
        at: Duration,
        /// When it is there again.
        back: Option<Duration>,
    },
    /// It gets other bytes: as many, or some more or fewer.
    Replaced {
        /// When.
        at: Duration,
        /// How many it has then.
        size: u64,
    },
    /// It shows another time, with the same bytes.
    Touched {
        /// When.
        at: Duration,
    },
}

/// By what a client looks for the content first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstAsk {
    /// A name that a holder has for it.
    Name,
    /// So many bytes of its hash.
    Hash(usize),
    /// Words.
    Words,
}

/// A content that somebody fetches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnFetch {
    /// Its number among those drawn.
    pub number: u32,
    /// The number of the content.
    pub content: u32,
    /// When it begins, after the overlay stands.
    pub at: Duration,
    /// The servent that its client asks.
    pub contact: u32,
    /// What it asks first.
    pub asks: FirstAsk,
    /// Whether its client hears answers, and is not handed all of them.
    pub hears_answers: bool,
    /// How long it waits for holders.
    pub wait: Duration,
    /// Whether its client looks for words before.
    pub finds: Option<&'static [&'static [u8]]>,
    /// Whether it has its contact list its files before.
    pub lists: bool,
    /// Whether it asks for the value of a name that the content has.
    pub asks_key: bool,
    /// What cuts it short, one after the other.
    pub cuts: Vec<DrawnCut>,
    /// After how many bytes the disk there is full, if it is.
    pub full_at: Option<u64>,
}

/// How a fetch is cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawnCut {
    /// When so many of a hundred bytes are written, at the latest.
    pub percent: u64,
    /// Or after so long.
    pub after: Duration,
    /// Whether the power was cut, and not only the process killed.
    pub is_power_cut: bool,
    /// How long nobody fetches then.
    pub pause: Duration,
}

/// The contents of a run with so many servents, and who fetches them, but for those that are left out.
#[must_use]
pub fn draw(plan: &Plan, servents: usize) -> (Vec<DrawnContent>, Vec<DrawnFetch>) {
    let mut contents: Vec<DrawnContent> = Vec::new();
    for place in 0..plan.contents.min(CONTENTS_MAX) {
        let content = draw_content(plan, servents, number(place), &contents);
        contents.push(content);
    }
    let is_left = |item: Item| !plan.without.contains(&item);
    contents.retain(|content| is_left(Item::Content(content.number)));
    let fetches = contents.iter().flat_map(|content| draw_fetches(plan, servents, content));
    let fetches = fetches.filter(|fetch| is_left(Item::Fetch(fetch.number))).collect();
    (contents, fetches)
}

/// The stream from which it is drawn what a lying holder says.
pub(super) fn details(seed: u64, content: u32, servent: u32) -> Random {
    Random::of(seed ^ DETAILS, u64::from(content) << 32 | u64::from(servent))
}

fn draw_content(plan: &Plan, servents: usize, place: u32, before: &[DrawnContent]) -> DrawnContent {
    let mut random = Random::of(plan.seed, CONTENTS + u64::from(place));
    let size = draw_size(&mut random);
    // There is one content of no bytes.
    let size = if before.iter().any(|content| content.bytes.size == size && size == 0) { 1 } else { size };
    let [first, ..] = place.to_le_bytes();
    let bytes = ContentBytes { first, seed: Random::of(plan.seed, BYTES + u64::from(place)).number(), size };
    let usual = NAMES[random.index(NAMES.len())];
    let lots = Random::of(plan.seed, HOLDERS + u64::from(place)).number();
    let mut all: Vec<u32> = (0..number(servents)).collect();
    all.sort_unstable_by_key(|servent| ticket(lots, *servent));
    all.truncate(plan.holders);
    let holder = |(turn, servent): (usize, u32)| {
        let mut random = Random::of(plan.seed ^ HELD, u64::from(place) << 32 | u64::from(servent));
        let other = NAMES[random.index(NAMES.len())];
        let mut name = if random.chance(USUAL_NAME_PERCENT) { usual } else { other }.to_vec();
        let is_taken = |name: &[u8]| {
            let others = before.iter().flat_map(|content| &content.holders);
            others.filter(|other| other.servent == servent).any(|other| other.name == name)
        };
        if is_taken(&name) {
            name.extend_from_slice(format!(".{place}").as_bytes());
        }
        // A name that is two words, or no text, is no key.
        let is_key = name.iter().all(u8::is_ascii_graphic) && !name.starts_with(b"#");
        let description = DESCRIPTIONS[random.index(DESCRIPTIONS.len())];
        let lie = HolderLie::ALL[random.index(HolderLie::ALL.len())];
        let fate = draw_fate(&mut random, size);
        DrawnHolder {
            servent,
            name,
            description: is_key.then_some(description),
            lie: (turn < plan.liars).then_some(lie),
            fate: if plan.disk == DiskKind::Wild { fate } else { FileFate::Stays },
        }
    };
    let mut holders: Vec<DrawnHolder> = all.into_iter().enumerate().map(holder).collect();
    holders.sort_unstable_by_key(|holder| holder.servent);
    DrawnContent { number: place, bytes, holders }
}

/// All kinds of sizes: those at which something changes more often than others.
fn draw_size(random: &mut Random) -> u64 {
    let blocks = random.within(1, BLOCKS_FEW) * BLOCK;
    match random.below(14) {
        0 => random.below(2),
        1 => random.within(2, 5_000),
        2 => BLOCK - 1,
        3 => BLOCK,
        4 => BLOCK + 1,
        5 => blocks,
        6 => blocks - 1,
        7 => blocks + 1,
        8..=10 => random.within(1, BLOCKS_FEW * BLOCK),
        11 | 12 => random.within(1, BLOCKS_SOME * BLOCK),
        _ if random.chance(60) => random.within(1, BLOCKS_SOME * BLOCK),
        _ => random.within(BLOCKS_SOME * BLOCK, BLOCKS_MANY * BLOCK),
    }
}

/// What becomes of a file where disks are wild.
fn draw_fate(random: &mut Random, size: u64) -> FileFate {
    let at = random.duration(Duration::from_secs(40));
    let back = random.duration(Duration::from_secs(20));
    let (comes_back, kind) = (random.chance(60), random.below(10));
    let other = match random.below(3) {
        0 => size,
        1 => size + random.within(1, BLOCK),
        _ => random.below(size + 1),
    };
    match kind {
        0 => FileFate::Gone { at, back: comes_back.then_some(at + back) },
        1 => FileFate::Replaced { at, size: other },
        2 => FileFate::Touched { at },
        _ => FileFate::Stays,
    }
}

fn draw_fetches(plan: &Plan, servents: usize, content: &DrawnContent) -> Vec<DrawnFetch> {
    let first = content.number * PER_CONTENT;
    let count = Random::of(plan.seed, FETCHES + u64::from(first)).within(1, FETCHES_MAX);
    let fetch = |turn: u64| {
        let number = first + u32::try_from(turn).unwrap_or_default();
        let mut random = Random::of(plan.seed, FETCHES + u64::from(PER_CONTENT / 2 + number) + (1 << 12));
        let at = random.duration(BEGINS_MAX);
        let contact = self::number(random.index(servents));
        let asks = match random.below(5) {
            0 | 1 => FirstAsk::Name,
            2 => FirstAsk::Words,
            _ => FirstAsk::Hash([4, 6, 32][random.index(3)]),
        };
        let hears_answers = random.chance(60);
        let wait = WAITS[random.index(WAITS.len())];
        let words = WORDS[random.index(WORDS.len())];
        let (finds, lists) = (random.chance(40).then_some(words), random.chance(40));
        let cuts_count = if random.chance(50) { 0 } else { 1 + random.index(CUTS_MAX) };
        let cut = |_| DrawnCut {
            percent: [1, 10, 50, 90, 99, 100][random.index(6)],
            after: random.duration(Duration::from_secs(20)),
            is_power_cut: random.chance(60),
            pause: random.duration(Duration::from_secs(3)),
        };
        let cuts = (0..cuts_count).map(cut).collect();
        let full_at = random.below(content.bytes.size + 1);
        let is_full = random.chance(8) && plan.disk == DiskKind::Wild;
        let full_at = is_full.then_some(full_at);
        let asks_key = random.chance(30);
        DrawnFetch {
            number,
            content: content.number,
            at,
            contact,
            asks,
            hears_answers,
            wait,
            finds,
            lists,
            asks_key,
            cuts,
            full_at,
        }
    };
    (0..count).map(fetch).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scene::Scene;
    use crate::scene::tests::{chain, small};
    use crate::shapes::Shape;

    /// So many bytes, of a content of number 3.
    pub(crate) fn some_bytes(size: u64) -> ContentBytes {
        ContentBytes { first: 3, seed: 7, size }
    }

    /// The chain of three, of which the last has a content of three blocks, and the second says so too and lies; the first is
    /// asked for it.
    pub(crate) fn shared(lie: HolderLie) -> Scene {
        let holder = |servent, lie| DrawnHolder {
            servent,
            name: b"farol.mp4".to_vec(),
            description: Some("the lighthouse"),
            lie,
            fate: FileFate::Stays,
        };
        let bytes = some_bytes(2 * BLOCK + 9);
        let holders = vec![holder(1, Some(lie)), holder(2, None)];
        let fetch = DrawnFetch {
            number: 30,
            content: 3,
            at: Duration::ZERO,
            contact: 0,
            asks: FirstAsk::Name,
            hears_answers: true,
            wait: Duration::from_secs(15),
            finds: None,
            lists: false,
            asks_key: false,
            cuts: Vec::new(),
            full_at: None,
        };
        let contents = vec![DrawnContent { number: 3, bytes, holders }];
        Scene { contents, fetches: vec![fetch], ..chain() }
    }

    fn plan(seed: u64) -> Plan {
        let disk = DiskKind::Wild;
        Plan { contents: 12, holders: 5, liars: 2, disk, ..small(Shape::Ring, 20, seed) }
    }

    #[test]
    fn bytes_depend_on_their_place_alone_and_no_two_contents_have_the_same() {
        let bytes = some_bytes(70_000);
        let whole = bytes.read(0, 70_000);
        assert_eq!(whole.first(), Some(&3));
        for (at, count) in [(0, 0), (1, 7), (8, 8), (13, 500), (65_535, 4_465), (65_536, 4_464)] {
            let from = usize::try_from(at).unwrap();
            assert_eq!(bytes.read(at, count), &whole[from..from + count], "{at}");
        }
        let other = bytes.another(70_000).read(0, 70_000);
        assert_eq!(whole.iter().zip(&other).filter(|(one, other)| one == other).count() / 100, 2, "one of 256");
        let first = |number: u32| draw(&plan(1), 20).0[number as usize].bytes;
        assert!((0..12).all(|number| first(number).size == 0 || u32::from(first(number).read(0, 1)[0]) == number));
    }

    #[test]
    fn what_the_plan_says_is_drawn_in_all_kinds() {
        let (mut lies, mut sizes, mut fates, mut cuts) = (BTreeSet::new(), BTreeSet::new(), 0, 0);
        let (mut is_one_name_of_two, mut has_one_two_names, mut is_asked) = (false, false, BTreeSet::new());
        for seed in 0..60 {
            let (contents, fetches) = draw(&plan(seed), 20);
            assert_eq!(contents.len(), 12);
            assert!(contents.iter().filter(|content| content.bytes.size == 0).count() <= 1, "there is one of no bytes");
            let mut files = BTreeSet::new();
            let mut names = BTreeSet::new();
            for content in &contents {
                let holders = &content.holders;
                assert!(holders.len() == 5 && holders.is_sorted_by(|one, next| one.servent < next.servent));
                assert_eq!(holders.iter().filter(|holder| holder.lie.is_some()).count(), 2);
                lies.extend(holders.iter().filter_map(|holder| holder.lie));
                sizes.insert(content.bytes.size.min(3 * BLOCK));
                assert!(content.bytes.size <= BLOCKS_MANY * BLOCK);
                fates += holders.iter().filter(|holder| holder.fate != FileFate::Stays).count();
                let own: BTreeSet<&[u8]> = holders.iter().map(|holder| holder.name.as_slice()).collect();
                has_one_two_names |= own.len() > 1;
                is_one_name_of_two |= own.iter().any(|name| !names.insert(name.to_vec()));
                assert!(holders.iter().all(|holder| files.insert((holder.servent, holder.name.clone()))));
            }
            for fetch in &fetches {
                assert!(fetch.contact < 20 && fetch.at <= BEGINS_MAX && fetch.cuts.len() <= CUTS_MAX);
                assert!(contents.iter().any(|content| content.number == fetch.content));
                cuts += fetch.cuts.len();
                is_asked.insert(format!("{:?}", fetch.asks));
            }
            let of = |content: u32| fetches.iter().filter(|fetch| fetch.content == content).count();
            assert!((0..12).all(|content| (1..=3).contains(&of(content))));
        }
        assert_eq!(lies.len(), HolderLie::ALL.len());
        assert!([0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK].iter().all(|size| sizes.contains(size)), "{sizes:?}");
        assert!(is_one_name_of_two && has_one_two_names && fates > 500 && cuts > 500 && is_asked.len() == 5);
        let quick = Plan { disk: DiskKind::Quick, ..plan(1) };
        let fates = draw(&quick, 20).0.into_iter().flat_map(|content| content.holders).map(|holder| holder.fate);
        assert!(fates.into_iter().all(|fate| fate == FileFate::Stays), "only a wild disk loses files");
    }

    #[test]
    fn what_is_left_out_moves_nothing_else_and_more_of_one_thing_moves_no_other() {
        for seed in 0..20 {
            let (contents, fetches) = draw(&plan(seed), 20);
            let without = [Item::Content(3), Item::Fetch(fetches[0].number)].into();
            let less = draw(&Plan { without, ..plan(seed) }, 20);
            assert!(less.0.iter().eq(contents.iter().filter(|content| content.number != 3)));
            assert!(less.1.iter().eq(fetches[1..].iter().filter(|fetch| fetch.content != 3)));
            let (more, of_more) = draw(&Plan { contents: 15, holders: 9, liars: 3, ..plan(seed) }, 20);
            for (one, other) in contents.iter().zip(&more) {
                assert_eq!(one.bytes, other.bytes);
                let stays = |holder: &DrawnHolder| {
                    other
                        .holders
                        .iter()
                        .any(|more| more.servent == holder.servent && (holder.lie.is_none() || more.lie == holder.lie))
                };
                assert!(one.holders.iter().all(stays), "the same and others");
            }
            assert_eq!(fetches, of_more[..fetches.len()]);
        }
    }

    #[test]
    fn whoever_is_absent_shares_and_fetches_nothing() {
        let whole = Scene::draw(&plan(3)).unwrap();
        let (holder, contact) = (whole.contents[0].holders[0].servent, whole.fetches[0].contact);
        let without = [Item::Servent(holder), Item::Servent(contact)].into();
        let less = Scene::draw(&Plan { without, ..plan(3) }).unwrap();
        let is_gone = |servent: u32| servent == holder || servent == contact;
        assert!(less.contents.iter().flat_map(|content| &content.holders).all(|other| !is_gone(other.servent)));
        assert!(less.fetches.iter().all(|fetch| !is_gone(fetch.contact)));
        assert_eq!((less.contents.len(), less.contents[0].holders.len() < 5), (12, true));
    }
}
