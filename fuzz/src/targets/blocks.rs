//! Hashes of blocks, claimed to be those of a content: what is taken is what a second reading of BLAKE3's tree comes to.
//!
//! The bytes choose a content, how it is read, and what somebody makes of its list: hashes that are changed, swapped, left out,
//! said twice, or merged to what stands above them, under any size.

use blake3::hazmat::{Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};
use common::content::block_hashes::{BlockHashes, ContentHasher, OtherSize};
use common::content::{Blocks, ContentHash};
use common::limits::{BLOCK_BYTES_MIN, BLOCKS_MAX};

use crate::Outcome;
use crate::reader::Reader;

/// So many blocks of a content whose bytes are there; of what has hashes alone there are more.
const READ_BLOCKS_MAX: usize = 4;
const LISTED_BLOCKS_MAX: usize = 200;

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let mut reader = Reader::new(bytes);
    let content = reader.flag().then(|| content(&mut reader));
    let (size, mut list) = match &content {
        Some(content) => (content.len() as u64, hashes_of(&mut reader, content)),
        None => drawn(&mut reader),
    };
    let root = root_of(size, &list).expect("a content has a block");
    if let Some(content) = &content {
        assert_eq!(root.0, *blake3::hash(content).as_bytes());
    }
    let mut claimed = size;
    while !reader.is_over() && list.len() < 2 * LISTED_BLOCKS_MAX {
        change(&mut reader, &mut list, &mut claimed);
    }
    let Ok(blocks) = Blocks::of(claimed) else { return Outcome::Refused };
    // A list for each would be long: nobody waits for that here.
    let is_true = list.len() == blocks.count() as usize && root_of(claimed, &list) == Some(root);
    let taken = BlockHashes::proved(root, blocks, list.clone());
    assert_eq!(taken.is_ok(), is_true, "{} hashes under the size {claimed}, of {size}", list.len());
    let Ok(hashes) = taken else { return Outcome::Refused };
    assert_eq!((hashes.blocks(), hashes.as_slice()), (blocks, list.as_slice()));
    if let Some(content) = content {
        only_the_truth_is_a_block(&content, &hashes);
    }
    Outcome::Taken
}

/// Whatever size is claimed: what fits a hash is there, and if that is the last block, the size is the true one.
fn only_the_truth_is_a_block(content: &[u8], hashes: &BlockHashes) {
    let blocks = hashes.blocks();
    let is_true_size = blocks.size() == content.len() as u64;
    for block in 0..blocks.count() {
        let (at, bytes_count) = blocks.place(block).expect("it is one of them");
        let there = usize::try_from(at).ok().and_then(|at| content.get(at..)?.get(..bytes_count));
        let is_last = block + 1 == blocks.count();
        if let Some(bytes) = there {
            let fits = hashes.is_block(block, bytes);
            assert!(!is_true_size || fits, "block {block} of {}", content.len());
            assert!(!is_last || fits == is_true_size, "the last block of {} under {}", content.len(), blocks.size());
        }
        // Another place, or bytes that are not in it, never fit.
        let mut other = there.map_or_else(|| vec![0; bytes_count], <[u8]>::to_vec);
        let Some(byte) = other.last_mut() else { continue };
        *byte ^= 1;
        assert!(!hashes.is_block(block, &other));
    }
}

fn content(reader: &mut Reader<'_>) -> Vec<u8> {
    let whole = reader.below(READ_BLOCKS_MAX) * BLOCK_BYTES_MIN;
    let rest = reader.one_of(&[0, 1, 2, 1024, 1025, 40_000, BLOCK_BYTES_MIN - 1]) + reader.below(256);
    let seed = reader.byte();
    (0..=250).map(|byte: u8| byte ^ seed).cycle().take(whole + rest).collect()
}

/// What a hasher makes of it, piece by piece.
fn hashes_of(reader: &mut Reader<'_>, content: &[u8]) -> Vec<[u8; 32]> {
    let size = content.len() as u64;
    let piece = reader.one_of(&[BLOCK_BYTES_MIN, 1000, 1024, 16 * 1024, BLOCK_BYTES_MIN + 1, 4 * BLOCK_BYTES_MIN]);
    let of_size = |size| ContentHasher::new(Blocks::of(size).expect("it is a small one"));
    let read = |mut hasher: ContentHasher| {
        content.chunks(piece).try_for_each(|bytes| hasher.update(bytes)).and_then(|()| hasher.finish())
    };
    let said = size + u64::from(reader.byte());
    if said > size {
        assert_eq!(read(of_size(said)), Err(OtherSize::Fewer(said)));
        assert_eq!(of_size(size).update(&vec![0; content.len() + 1]), Err(OtherSize::More(size)));
    }
    let hashed = read(of_size(size)).expect("it is as long as it was said to be");
    assert_eq!(hashed.hash.0, *blake3::hash(content).as_bytes());
    hashed.hashes.as_slice().to_vec()
}

/// Hashes of blocks that nobody has, and a size they may be of.
fn drawn(reader: &mut Reader<'_>) -> (u64, Vec<[u8; 32]>) {
    let count = 1 + reader.below(LISTED_BLOCKS_MAX);
    let seed = reader.byte();
    let hashes = (0..count).map(|place| *blake3::hash(&[&[seed], &place.to_le_bytes()[..]].concat()).as_bytes());
    let size = (count * BLOCK_BYTES_MIN - reader.below(256)) as u64;
    (size, hashes.collect())
}

fn change(reader: &mut Reader<'_>, list: &mut Vec<[u8; 32]>, claimed: &mut u64) {
    let kind = reader.byte();
    let place = reader.below(list.len());
    match kind % 9 {
        0 => {
            if let Some(byte) = list.get_mut(place).and_then(|hash| hash.get_mut(usize::from(kind) % 32)) {
                *byte ^= 1 << (kind >> 5);
            }
        }
        1 if place + 1 < list.len() => list.swap(place, place + 1),
        2 if place < list.len() => drop(list.remove(place)),
        3 => list.insert(place, list.get(place).copied().unwrap_or_default()),
        // What stands above two.
        4 if place + 1 < list.len() => {
            let right = list.remove(place + 1);
            list[place] = merge_subtrees_non_root(&list[place], &right, Mode::Hash);
        }
        5 => *claimed = claimed.saturating_sub(1 << (kind >> 4)),
        6 => *claimed += 1 << (kind >> 4),
        // As large as a content of so many blocks may be, with the blocks as long as they may be.
        7 => *claimed = (list.len() as u64 * BLOCK_BYTES_MIN as u64) << (kind >> 4),
        8 => *claimed = u64::from(BLOCKS_MAX) * u64::from(kind) * 1024,
        _ => {}
    }
}

/// The root as the paper has it: of the bytes of a content the left subtree has as many as the largest power of two below.
fn root_of(size: u64, hashes: &[[u8; 32]]) -> Option<ContentHash> {
    let block_bytes = Blocks::of(size).ok()?.block_bytes();
    if size <= block_bytes {
        return hashes.first().map(|hash| ContentHash(*hash));
    }
    let left = left_subtree_len(size);
    let (before, behind) = hashes.split_at_checked(usize::try_from(left / block_bytes).ok()?)?;
    let (left, right) = (value_of(left, block_bytes, before)?, value_of(size - left, block_bytes, behind)?);
    Some(ContentHash(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()))
}

fn value_of(bytes_count: u64, block_bytes: u64, hashes: &[[u8; 32]]) -> Option<[u8; 32]> {
    if bytes_count <= block_bytes {
        return hashes.first().copied();
    }
    let left = left_subtree_len(bytes_count);
    let (before, behind) = hashes.split_at_checked(usize::try_from(left / block_bytes).ok()?)?;
    let (left, right) = (value_of(left, block_bytes, before)?, value_of(bytes_count - left, block_bytes, behind)?);
    Some(merge_subtrees_non_root(&left, &right, Mode::Hash))
}
