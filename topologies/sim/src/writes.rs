//! What clients have servents keep in a run: what each writes, where and when, and what else it asks for meanwhile.
//!
//! Writes come in bursts, so that some find others on their way to the disk. Each is drawn from a stream of its own, so what is
//! left out moves nothing else. Where contents are shared too, whoever shares is written to first, and many writes are about
//! its files. Who says them is performed by `world`, and what disks do meanwhile is drawn there.

use std::collections::BTreeSet;
use std::time::Duration;

use super::contents;
use super::faults::ticket;
use super::graph::number;
use super::plan::{Item, Plan};
use super::random::Random;

// What the streams are for; the first takes the number of a write on top.
const WRITES: u64 = 0x7772_6974_6501_0000;
const BURSTS: u64 = 0x7772_6974_6502_0000;
const CONTACTS: u64 = 0x7772_6974_6503_0000;
const KEEPERS: u64 = 0x7772_6974_6504_0000;
const PUBLISHED_ONLY: u64 = 0x7772_6974_6505_0000;

/// The most writes there may be.
pub const WRITES_MAX: usize = 10_000;
/// How many servents are written to, and how many clients write to each.
const CONTACTS_MAX: usize = 3;
const WRITERS: u64 = 3;
/// The latest a burst begins, how long it lasts at most, and how many writes it has on average.
const BEGINS_MAX: Duration = Duration::from_secs(20);
const BURST_LASTS: Duration = Duration::from_millis(400);
const BURST_WRITES: usize = 6;
/// Of a hundred writes, those of somebody who is not on its contact's host.
const ELSEWHERE_PERCENT: u64 = 6;
/// Of a hundred servents, those that keep nothing.
const KEEPS_NOTHING_PERCENT: u64 = 10;
/// Of a hundred servents that share and are written to, those that offer only what is published.
const PUBLISHED_ONLY_PERCENT: u64 = 60;
/// Of a hundred writes to one that shares, those that are about its files; and of these, those that publish one.
const OF_FILES_PERCENT: u64 = 60;
const PUBLISHES_PERCENT: u64 = 65;

/// Keys that are written. The first is in the data of everybody.
pub const KEYS: [&str; 5] = ["milk", "sugar", "rice", "a key of words", "\u{1f30a}"];
/// Names that are published. No servent of a run shares a file for that.
const NAMES: [&str; 2] = ["farol.mp4", "nobody.txt"];
/// What files are published as. Words of some are looked for, and one says nothing.
const TEXTS: [&str; 3] = ["", "FAROL of Barra at dusk", "tides of 2026, once more"];
/// How many bytes a text has that is of its write alone.
const OWN_TEXT_BYTES: usize = 20;
/// How long values are: any up to here mostly, and seldom up to the second.
const VALUE_BYTES_USUAL: u64 = 1_500;
const VALUE_BYTES_LONG: u64 = 40_000;

/// Something that a client has its contact keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnWrite {
    /// Its number among those drawn.
    pub number: u32,
    /// When it comes, after the overlay stands.
    pub at: Duration,
    /// The servent that is to keep it.
    pub contact: u32,
    /// Which of its contact's clients says it; nothing where it is one from elsewhere.
    pub writer: Option<u32>,
    /// What is to change.
    pub change: DrawnChange,
    /// Whether its client watches its key.
    pub watches: bool,
    /// Whether its client asks everybody for its key at once.
    pub asks: bool,
    /// Whether its client goes as soon as it has said it.
    pub is_hasty: bool,
}

/// What is to change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DrawnChange {
    /// A key gets so many bytes, which are those of this write.
    Put(&'static str, usize),
    /// It has no value any more.
    Delete(&'static str),
    /// A file is published, as this.
    Publish(Vec<u8>, Vec<u8>),
    /// It is not any more.
    Unpublish(Vec<u8>),
}

impl DrawnWrite {
    /// The key it is about, if it is about one.
    #[must_use]
    pub fn key(&self) -> Option<&'static str> {
        match self.change {
            DrawnChange::Put(key, _) | DrawnChange::Delete(key) => Some(key),
            DrawnChange::Publish(..) | DrawnChange::Unpublish(_) => None,
        }
    }

    /// The name of the file it is about, if it is about one.
    #[must_use]
    pub fn file(&self) -> Option<&[u8]> {
        match &self.change {
            DrawnChange::Publish(name, _) | DrawnChange::Unpublish(name) => Some(name),
            DrawnChange::Put(..) | DrawnChange::Delete(_) => None,
        }
    }

    /// What is put by it: of no two writes the same, where it is long enough.
    #[must_use]
    pub fn value(&self, bytes_count: usize) -> Vec<u8> {
        own_bytes(self.number, bytes_count)
    }
}

fn own_bytes(write: u32, bytes_count: usize) -> Vec<u8> {
    let text = format!("of write {write}, ");
    text.bytes().cycle().take(bytes_count).collect()
}

/// Servents that are written to, with the names of the files that each of them shares.
struct DrawnContacts(Vec<(u32, Vec<Vec<u8>>)>);

impl DrawnContacts {
    fn draw(plan: &Plan, servents: usize) -> DrawnContacts {
        let lots = Random::of(plan.seed, CONTACTS).number();
        let mut contacts: Vec<u32> = (0..number(servents)).collect();
        contacts.sort_unstable_by_key(|servent| ticket(lots, *servent));
        // Whatever is left out of the contents: that moves no write.
        let all = Plan { without: [].into(), ..plan.clone() };
        let (shared, _) = contents::draw(&all, servents);
        let mut shared: Vec<(u32, Vec<u8>)> = shared
            .into_iter()
            .flat_map(|content| content.holders)
            .map(|holder| (holder.servent, holder.name))
            .collect();
        shared.sort_unstable();
        contacts.sort_by_key(|contact| !shared.iter().any(|(servent, _)| servent == contact));
        contacts.truncate(CONTACTS_MAX);
        let names = |contact: &u32| {
            shared.iter().filter(|(servent, _)| servent == contact).map(|(_, name)| name.clone()).collect()
        };
        DrawnContacts(contacts.iter().map(|contact| (*contact, names(contact))).collect())
    }
}

/// The writes of a run with so many servents, in the order of their times, but for those that are left out.
#[must_use]
pub fn draw(plan: &Plan, servents: usize) -> Vec<DrawnWrite> {
    if plan.writes == 0 {
        return Vec::new();
    }
    let contacts = DrawnContacts::draw(plan, servents);
    let bursts = 1 + plan.writes as u64 / BURST_WRITES as u64;
    let numbers = 0..number(plan.writes.min(WRITES_MAX));
    let is_left = |write: &u32| !plan.without.contains(&Item::Write(*write));
    let writes = numbers.filter(is_left).filter_map(|write| draw_one(plan.seed, write, bursts, &contacts));
    let mut writes: Vec<DrawnWrite> = writes.collect();
    writes.sort_by_key(|write| (write.at, write.number));
    writes
}

fn draw_one(seed: u64, write: u32, bursts: u64, contacts: &DrawnContacts) -> Option<DrawnWrite> {
    let mut random = Random::of(seed, WRITES + u64::from(write));
    let burst = random.below(bursts);
    let at = Random::of(seed ^ BURSTS, burst).duration(BEGINS_MAX) + random.duration(BURST_LASTS);
    let (contact, files) = contacts.0.get(random.index(contacts.0.len()))?;
    let is_from_elsewhere = random.chance(ELSEWHERE_PERCENT);
    let writer = u32::try_from(random.below(WRITERS)).ok().filter(|_| !is_from_elsewhere);
    let key = KEYS[random.index(KEYS.len())];
    let name = NAMES[random.index(NAMES.len())].as_bytes().to_vec();
    let (kind, is_long) = (random.below(100), random.chance(5));
    let bytes_count = random.below(if is_long { VALUE_BYTES_LONG } else { VALUE_BYTES_USUAL } + 1);
    let bytes_count = if random.chance(10) { 0 } else { usize::try_from(bytes_count).unwrap_or_default() };
    let change = match kind {
        0..62 => DrawnChange::Put(key, bytes_count),
        62..94 => DrawnChange::Delete(key),
        94..97 => DrawnChange::Publish(name, own_bytes(write, OWN_TEXT_BYTES)),
        _ => DrawnChange::Unpublish(name),
    };
    let (watches, asks, is_hasty) = (random.chance(40), random.chance(25), random.chance(10));
    // All else is drawn as it is where nothing is shared.
    let change = draw_of_files(write, files, &mut random).unwrap_or(change);
    Some(DrawnWrite { number: write, at, contact: *contact, writer, change, watches, asks, is_hasty })
}

/// What is to change about one of these files, if anything is.
fn draw_of_files(write: u32, files: &[Vec<u8>], random: &mut Random) -> Option<DrawnChange> {
    if files.is_empty() || !random.chance(OF_FILES_PERCENT) {
        return None;
    }
    let name = files.get(random.index(files.len()))?.clone();
    if !random.chance(PUBLISHES_PERCENT) {
        return Some(DrawnChange::Unpublish(name));
    }
    let text = TEXTS.get(random.index(TEXTS.len() + 1)).map(|text| text.as_bytes().to_vec());
    Some(DrawnChange::Publish(name, text.unwrap_or_else(|| own_bytes(write, OWN_TEXT_BYTES))))
}

/// Whether a servent keeps anything, in a run with writes.
#[must_use]
pub fn is_keeper(plan: &Plan, servent: usize) -> bool {
    let lots = Random::of(plan.seed, KEEPERS).number();
    plan.writes > 0 && !Random::of(lots, servent as u64).chance(KEEPS_NOTHING_PERCENT)
}

/// The servents that offer only what is published, in a run in which contents are shared.
#[must_use]
pub fn published_only(plan: &Plan, servents: usize) -> BTreeSet<u32> {
    if plan.contents == 0 || plan.writes == 0 {
        return BTreeSet::new();
    }
    let lots = Random::of(plan.seed, PUBLISHED_ONLY).number();
    let is_drawn = |servent: &u32| Random::of(lots, u64::from(*servent)).chance(PUBLISHED_ONLY_PERCENT);
    let sharing = DrawnContacts::draw(plan, servents).0.into_iter().filter(|(_, files)| !files.is_empty());
    let keepers = sharing.map(|(servent, _)| servent).filter(|servent| is_keeper(plan, *servent as usize));
    keepers.filter(is_drawn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::tests::small;
    use crate::shapes::Shape;

    fn plan(seed: u64) -> Plan {
        Plan { writes: 60, ..small(Shape::Ring, 8, seed) }
    }

    #[test]
    fn what_is_left_out_moves_nothing_else() {
        for seed in 0..20 {
            let all = draw(&plan(seed), 8);
            let gone: BTreeSet<Item> = [0, 7, 59].map(Item::Write).into();
            let less = draw(&Plan { without: gone, ..plan(seed) }, 8);
            let kept = all.into_iter().filter(|write| ![0, 7, 59].contains(&write.number));
            assert!(less.into_iter().eq(kept));
        }
    }

    #[test]
    fn all_that_can_be_written_is_written_in_bursts() {
        let all: Vec<DrawnWrite> = (0..20).flat_map(|seed| draw(&plan(seed), 8)).collect();
        assert_eq!(all.len(), 1_200);
        let some = |is_so: &dyn Fn(&DrawnWrite) -> bool| all.iter().filter(|write| is_so(write)).count();
        assert!(some(&|write| write.writer.is_none()) > 30 && some(&|write| write.is_hasty) > 60);
        for key in KEYS {
            assert!(some(&|write| write.key() == Some(key)) > 100, "{key}");
        }
        assert!(some(&|write| write.key().is_none()) > 20);
        assert!(some(&|write| matches!(write.change, DrawnChange::Put(_, 0))) > 30);
        assert!(some(&|write| matches!(write.change, DrawnChange::Put(_, 4_096..))) > 10);
        for seed in 0..20 {
            let writes = draw(&plan(seed), 8);
            assert!(writes.is_sorted_by_key(|write| write.at));
            let contacts: BTreeSet<u32> = writes.iter().map(|write| write.contact).collect();
            assert_eq!(contacts.len(), 3);
            let close = writes.windows(2).filter(|pair| pair[1].at - pair[0].at < Duration::from_millis(100)).count();
            assert!(close > 30, "{close}");
        }
        assert!((0..200).filter(|seed| is_keeper(&plan(*seed), 3)).count() > 150);
    }

    fn plan_of_both(seed: u64) -> Plan {
        Plan { contents: 3, holders: 3, ..plan(seed) }
    }

    #[test]
    fn where_contents_are_shared_many_writes_are_about_them_and_the_others_are_as_they_were() {
        let (mut published, mut unpublished, mut kept, mut texts) = (0, 0, 0, BTreeSet::new());
        for seed in 0..20 {
            let (alone, both) = (draw(&plan(seed), 8), draw(&plan_of_both(seed), 8));
            let (contents, _) = contents::draw(&plan_of_both(seed), 8);
            for (alone, write) in alone.iter().zip(&both) {
                assert_eq!((alone.at, alone.number, alone.writer), (write.at, write.number, write.writer));
                let holders = || contents.iter().flat_map(|content| &content.holders);
                assert!(holders().any(|holder| holder.servent == write.contact), "whoever shares comes first");
                if alone.change == write.change {
                    kept += 1;
                    continue;
                }
                let is_there =
                    |name: &[u8]| holders().any(|holder| (holder.servent, &*holder.name) == (write.contact, name));
                assert!(write.file().is_some_and(is_there));
                match &write.change {
                    DrawnChange::Publish(_, text) => {
                        published += 1;
                        texts.insert(text.clone());
                    }
                    _ => unpublished += 1,
                }
            }
            // What is left out of the contents moves no write.
            let without = [Item::Content(0), Item::Content(2)].into();
            assert_eq!(draw(&Plan { without, ..plan_of_both(seed) }, 8), both);
        }
        assert!(published > 300 && unpublished > 150 && kept > 300, "{published} {unpublished} {kept}");
        assert!(texts.len() > 50 && texts.contains(&b""[..]));
    }

    #[test]
    fn some_of_those_that_share_and_are_written_to_offer_only_what_is_published_and_nobody_else() {
        let mut counts = [0; 2];
        for seed in 0..50 {
            let plan = plan_of_both(seed);
            let contacts: BTreeSet<u32> = draw(&plan, 8).iter().map(|write| write.contact).collect();
            let only = published_only(&plan, 8);
            assert!(only.is_subset(&contacts) && only.iter().all(|servent| is_keeper(&plan, *servent as usize)));
            counts[0] += only.len();
            counts[1] += contacts.len() - only.len();
            assert!(published_only(&Plan { contents: 0, ..plan.clone() }, 8).is_empty());
            assert!(published_only(&Plan { writes: 0, ..plan.clone() }, 8).is_empty());
        }
        assert!(counts.iter().all(|count| *count > 30), "{counts:?}");
    }

    #[test]
    fn no_two_writes_put_the_same() {
        let writes = draw(&plan(1), 8);
        let values: BTreeSet<Vec<u8>> = writes.iter().map(|write| write.value(20)).collect();
        assert_eq!((values.len(), writes[0].value(5_000).len()), (60, 5_000));
    }
}
