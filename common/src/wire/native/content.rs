//! The parts of messages about contents: entries, which blocks somebody has, and the reasons for giving none.
//!
//! A chapter of `native`: it knows bytes and their limits, and not what is done about any of them.

use bincode::{BorrowDecode, Encode};

use crate::content::ContentHash;
use crate::content::search::{Entries, Entry, FileName};
use crate::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Have, Opened, Refusal, Refused};
use crate::limits::{
    BLOCK_BYTES_MAX, BLOCKS_MAX, BLOCKS_WANTED_MAX, DESCRIPTION_BYTES_MAX, ENTRIES_BYTES_MAX, ENTRIES_MAX, HASHES_MAX,
    HAVE_RUNS_MAX,
};

#[derive(Encode, BorrowDecode)]
pub(super) struct WireEntries<'a> {
    entries: Vec<WireEntry<'a>>,
    more: u64,
    uploads: u32,
}

#[derive(Encode, BorrowDecode)]
struct WireEntry<'a> {
    name: &'a [u8],
    size: u64,
    hash: [u8; 32],
    description: &'a [u8],
    have: WireHave,
}

#[derive(Encode, BorrowDecode)]
pub(super) enum WireHave {
    Runs(Vec<(u32, u32)>),
    Partly,
}

pub(super) fn entries_to_wire(told: &Entries) -> WireEntries<'_> {
    let Entries { entries, more, uploads } = told;
    WireEntries { entries: entries.iter().map(entry_to_wire).collect(), more: *more, uploads: *uploads }
}

fn entry_to_wire(entry: &Entry) -> WireEntry<'_> {
    let Entry { name, size, hash, description, have } = entry;
    WireEntry { name: name.as_bytes(), size: *size, hash: hash.0, description, have: have_to_wire(have) }
}

pub(super) fn entries_from_wire(told: WireEntries<'_>) -> Result<Entries, String> {
    let WireEntries { entries, more, uploads } = told;
    if entries.len() > ENTRIES_MAX {
        return Err(format!("{} entries, where {ENTRIES_MAX} is the most", entries.len()));
    }
    let entries = entries.into_iter().map(entry_from_wire).collect::<Result<Vec<_>, _>>()?;
    let bytes_count: usize = entries.iter().map(Entry::bytes_count).sum();
    if bytes_count > ENTRIES_BYTES_MAX {
        return Err(format!("entries that count for {bytes_count} bytes, where {ENTRIES_BYTES_MAX} is the most"));
    }
    Ok(Entries { entries, more, uploads })
}

fn entry_from_wire(entry: WireEntry<'_>) -> Result<Entry, String> {
    let WireEntry { name, size, hash, description, have } = entry;
    if description.len() > DESCRIPTION_BYTES_MAX {
        return Err(format!("a description of {} bytes, where {DESCRIPTION_BYTES_MAX} is the most", description.len()));
    }
    Ok(Entry {
        name: FileName::new(name).map_err(|error| error.to_string())?,
        size,
        hash: ContentHash(hash),
        description: description.to_vec(),
        have: have_from_wire(have)?,
    })
}

pub(super) fn have_to_wire(have: &Have) -> WireHave {
    match have {
        Have::Runs(runs) => WireHave::Runs(runs.clone()),
        Have::Partly => WireHave::Partly,
    }
}

fn have_from_wire(have: WireHave) -> Result<Have, String> {
    let WireHave::Runs(runs) = have else { return Ok(Have::Partly) };
    if runs.len() > HAVE_RUNS_MAX {
        return Err(format!("{} runs of blocks, where {HAVE_RUNS_MAX} is the most", runs.len()));
    }
    let mut end = None;
    for (first, count) in &runs {
        let behind = first.checked_add(*count).filter(|behind| *count > 0 && *behind <= BLOCKS_MAX);
        let behind = behind.ok_or_else(|| format!("a run of {count} blocks from {first} on"))?;
        if end.is_some_and(|end| *first <= end) {
            return Err("runs of blocks that are not in order and apart".to_owned());
        }
        end = Some(behind);
    }
    Ok(Have::Runs(runs))
}

pub(super) fn opened_from_wire(fetch: u32, size: u64, have: WireHave) -> Result<Opened, String> {
    Ok(Opened { fetch, size, have: have_from_wire(have)? })
}

pub(super) fn refused_from_wire(fetch: u32, reason: u8) -> Result<Refused, String> {
    let refusal = Refusal::ALL.get(usize::from(reason)).copied();
    Ok(Refused { fetch, refusal: refusal.ok_or_else(|| format!("a fetch that is refused for reason {reason}"))? })
}

pub(super) fn hashes_wanted_from_wire(fetch: u32, first: u32, count: u32) -> Result<HashesWanted, String> {
    check_run(first, count, HASHES_MAX)?;
    Ok(HashesWanted { fetch, first, count })
}

pub(super) fn blocks_wanted_from_wire(fetch: u32, first: u32, count: u32) -> Result<BlocksWanted, String> {
    check_run(first, count, BLOCKS_WANTED_MAX)?;
    Ok(BlocksWanted { fetch, first, count })
}

fn check_run(first: u32, count: u32, count_max: u32) -> Result<(), String> {
    if count == 0 || count > count_max {
        return Err(format!("{count} blocks asked for, where 1 to {count_max} are"));
    }
    if first.checked_add(count).is_none_or(|behind| behind > BLOCKS_MAX) {
        return Err(format!("{count} blocks from {first} on, where no content has more than {BLOCKS_MAX}"));
    }
    Ok(())
}

pub(super) fn hash_part_from_wire(fetch: u32, first: u32, bytes: &[u8]) -> Result<HashPart, String> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    if !rest.is_empty() || hashes.is_empty() || hashes.len() > HASHES_MAX as usize {
        return Err(format!("{} bytes of hashes, where 32 for each of 1 to {HASHES_MAX} are", bytes.len()));
    }
    Ok(HashPart { fetch, first, hashes: hashes.to_vec() })
}

pub(super) fn block_from_wire(fetch: u32, block: u32, bytes: &[u8]) -> Result<Block, String> {
    if bytes.len() > BLOCK_BYTES_MAX {
        return Err(format!("a block of {} bytes, where {BLOCK_BYTES_MAX} is the most", bytes.len()));
    }
    Ok(Block { fetch, block, bytes: bytes.to_vec() })
}
