//! What is said of contents: few names, few hashes, and entries within their limits.

use common::content::ContentHash;
use common::content::search::{Entries, Entry, FileName, HashStart, List, ListPart, Words};
use common::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Have, Open, Opened, Refusal, Refused};
use common::limits::{BLOCKS_MAX, BLOCKS_WANTED_MAX, DESCRIPTION_BYTES_MAX, HASHES_MAX};
use common::message::Message;
use common::query::Ask;

use super::{KEYS, count};
use crate::reader::Reader;

/// The names of files: some are keys too, and some begin like others.
pub(in crate::targets) const NAMES: [&[u8]; 7] =
    [KEYS[0], KEYS[1], b"a", b"a/b", b"tea/Green", b"\xc3\x89t\xc3\xa9", b"\xff\xfe"];

const WORDS: [&[u8]; 6] = [b"T", b"ea", b"/", b"\xc3\xa9", b"\xff", b"nobody"];

pub(super) fn ask(reader: &mut Reader<'_>, which: u8) -> Ask {
    match which % 4 {
        0 => Ask::Named(name(reader)),
        1 => {
            let hash = hash(reader);
            let count = 4 + reader.below(29);
            Ask::Hashed(HashStart::new(&hash.0[..count]).expect("there are enough"))
        }
        _ => {
            let words: Vec<&[u8]> = (0..reader.below(9)).map(|_| reader.one_of(&WORDS)).collect();
            Ask::Find(Words::new(words).expect("they are few and short"))
        }
    }
}

pub(in crate::targets) fn name(reader: &mut Reader<'_>) -> FileName {
    FileName::new(reader.one_of(&NAMES)).expect("it is a name")
}

/// Some begin alike.
pub(in crate::targets) fn hash(reader: &mut Reader<'_>) -> ContentHash {
    let choice = reader.byte();
    ContentHash(std::array::from_fn(|place| if place < 5 { choice % 2 } else { choice % 8 }))
}

/// A few, or more than may be told at once, of which as many are left as may.
pub(super) fn entries(reader: &mut Reader<'_>) -> Entries {
    let is_long = reader.byte() % 8 == 7;
    let drawn = if is_long { 40 } else { reader.below(5) };
    let all: Vec<Entry> = (0..drawn).map(|_| entry(reader)).collect();
    let told = Entries::of(all.into_iter(), Some, u32::from(reader.byte()));
    Entries { more: told.more.max(count(reader)), ..told }
}

fn entry(reader: &mut Reader<'_>) -> Entry {
    let description = if reader.byte() % 8 == 7 { vec![b'd'; DESCRIPTION_BYTES_MAX] } else { Vec::new() };
    Entry { name: name(reader), size: count(reader), hash: hash(reader), description, have: have(reader) }
}

fn have(reader: &mut Reader<'_>) -> Have {
    match reader.byte() % 4 {
        0 => Have::Partly,
        1 => Have::Runs(Vec::new()),
        2 => Have::Runs((0..64).map(|place| (3 * place, 2)).collect()),
        _ => Have::all(1 + u32::from(reader.byte())),
    }
}

/// Blocks that some content may have.
fn run(reader: &mut Reader<'_>, count_max: u32) -> (u32, u32) {
    let count = if reader.flag() { count_max } else { 1 };
    (if reader.flag() { BLOCKS_MAX - count } else { u32::from(reader.byte()) }, count)
}

/// Those that a servent serves more often.
pub(super) fn message(reader: &mut Reader<'_>, which: u8) -> Message {
    let fetch = u32::from(which) % 2;
    match which {
        0..6 => {
            let mut from = if which % 2 == 1 { reader.one_of(&NAMES).to_vec() } else { Vec::new() };
            from.extend((which > 3).then_some(0));
            Message::List(List { list: u32::from(which), from })
        }
        6..13 => Message::ListPart(ListPart { list: u32::from(reader.byte() % 4), entries: entries(reader) }),
        13 => Message::Open(Open { fetch, hash: hash(reader) }),
        14 => Message::Opened(Opened { fetch, size: count(reader), have: have(reader) }),
        15 | 16 => Message::Refused(Refused { fetch, refusal: Refusal::ALL[reader.below(Refusal::ALL.len())] }),
        17 => {
            let (first, count) = run(reader, HASHES_MAX);
            Message::HashesWanted(HashesWanted { fetch, first, count })
        }
        18 => Message::HashPart(HashPart { fetch, first: u32::from(reader.byte()), hashes: vec![hash(reader).0; 3] }),
        19 | 20 => {
            let (first, count) = run(reader, BLOCKS_WANTED_MAX);
            Message::BlocksWanted(BlocksWanted { fetch, first, count })
        }
        _ => {
            let length = reader.below(64);
            Message::Block(Block { fetch, block: u32::from(reader.byte()), bytes: reader.take(length).to_vec() })
        }
    }
}
