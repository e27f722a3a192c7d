//! Hashes of blocks: that they come to what `b3sum` prints at every size, and that nothing else is taken for them.

use blake3::hazmat::{HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root};

use super::*;
use common::content::block_hashes::{
    BlockHashes, BlockTree, ContentHasher, FalseHashes, HashedContent, OtherSize, block_hash,
};
use common::content::{Blocks, ContentHash};
use sim::random::Random;

const BLOCK: usize = BLOCK_BYTES_MIN;

/// Sizes at which something is different from the size before.
const SIZES: [usize; 24] = [
    0,
    1,
    1023,
    1024,
    1025,
    BLOCK - 1,
    BLOCK,
    BLOCK + 1,
    BLOCK + 1024,
    BLOCK + 1025,
    2 * BLOCK - 1,
    2 * BLOCK,
    2 * BLOCK + 1,
    3 * BLOCK - 1,
    3 * BLOCK,
    3 * BLOCK + 1,
    4 * BLOCK,
    4 * BLOCK + 1,
    5 * BLOCK + 7,
    7 * BLOCK,
    8 * BLOCK - 1,
    8 * BLOCK + 1,
    13 * BLOCK + 40_000,
    16 * BLOCK,
];

/// The bytes of the published test vectors of BLAKE3, of any length.
fn content(size: usize) -> Vec<u8> {
    (0..=250).cycle().take(size).collect()
}

fn blocks(size: usize) -> Blocks {
    Blocks::of(size as u64).unwrap()
}

fn hashed(content: &[u8]) -> HashedContent {
    let mut hasher = ContentHasher::new(blocks(content.len()));
    hasher.update(content).unwrap();
    hasher.finish().unwrap()
}

fn root(content: &[u8]) -> ContentHash {
    ContentHash(*blake3::hash(content).as_bytes())
}

/// The bytes of one block.
fn bytes_of(content: &[u8], blocks: Blocks, block: u32) -> &[u8] {
    let (at, bytes_count) = blocks.place(block).unwrap();
    &content[usize::try_from(at).unwrap()..][..bytes_count]
}

/// The value of the subtree of so many bytes at some place, by the rule of the paper, from the values of blocks.
fn value(blocks: Blocks, hashes: &[[u8; 32]], at: u64, bytes_count: u64) -> [u8; 32] {
    if bytes_count <= blocks.block_bytes() {
        return hashes[usize::try_from(at / blocks.block_bytes()).unwrap()];
    }
    let left = left_subtree_len(bytes_count);
    let (left, right) = (value(blocks, hashes, at, left), value(blocks, hashes, at + left, bytes_count - left));
    merge_subtrees_non_root(&left, &right, Mode::Hash)
}

/// The same of the whole.
fn root_by_the_rule(blocks: Blocks, hashes: &[[u8; 32]]) -> ContentHash {
    if blocks.count() == 1 {
        return ContentHash(hashes[0]);
    }
    let left = left_subtree_len(blocks.size());
    let (left, right) = (value(blocks, hashes, 0, left), value(blocks, hashes, left, blocks.size() - left));
    ContentHash(*merge_subtrees_root(&left, &right, Mode::Hash).as_bytes())
}

fn drawn_hashes(random: &mut Random, count: usize) -> Vec<[u8; 32]> {
    let drawn = |random: &mut Random| *blake3::hash(&random.number().to_le_bytes()).as_bytes();
    (0..count).map(|_| drawn(random)).collect()
}

#[test]
fn blocks_of_every_size_come_to_the_hash_of_the_whole() {
    for size in SIZES {
        let content = content(size);
        let (root, blocks) = (root(&content), blocks(size));
        let HashedContent { hash, hashes } = hashed(&content);
        assert_eq!(hash, root, "{size}");
        assert_eq!(hashes.as_slice().len(), blocks.count() as usize, "{size}");
        assert_eq!(BlockHashes::proved(root, blocks, hashes.as_slice().to_vec()).as_ref(), Ok(&hashes), "{size}");
        for block in 0..blocks.count() {
            let bytes = bytes_of(&content, blocks, block);
            assert_eq!(block_hash(blocks, block, bytes).as_ref(), hashes.get(block), "{size}, {block}");
            assert!(hashes.is_block(block, bytes), "{size}, {block}");
        }
        assert_eq!((hashes.get(blocks.count()), hashes.is_block(blocks.count(), b"")), (None, false), "{size}");
    }
}

/// The first 32 bytes of the test vectors that are published with BLAKE3.
#[test]
fn hashes_are_the_published_ones() {
    for (size, digits) in [
        (0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"),
        (1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213"),
        (1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11"),
        (1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7"),
        (1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444"),
        (102_400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085"),
    ] {
        assert_eq!(hashed(&content(size)).hash.to_string(), digits, "{size}");
    }
}

#[test]
fn pieces_of_any_length_come_to_the_same() {
    let content = content(13 * BLOCK + 40_000);
    let expected = hashed(&content);
    for piece in [997, 1024, 16 * 1024 + 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5, content.len()] {
        let mut hasher = ContentHasher::new(blocks(content.len()));
        let mut came = 0;
        for bytes in content.chunks(piece) {
            hasher.update(bytes).unwrap();
            hasher.update(b"").unwrap();
            came += bytes.len() as u64;
            assert_eq!(hasher.hashed_count(), came);
        }
        assert_eq!(hasher.finish().as_ref(), Ok(&expected), "{piece}");
    }
}

#[test]
fn a_content_that_is_longer_or_shorter_than_it_was_said_to_be_is_no_content() {
    for size in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK] {
        let content = content(size);
        let new = || ContentHasher::new(blocks(size));
        let more = OtherSize::More(size as u64);
        let mut hasher = new();
        hasher.update(&content).unwrap();
        assert_eq!((hasher.update(b"a"), hasher.update(b"")), (Err(more), Ok(())), "{size}");
        assert_eq!(hasher.finish().map(|content| content.hash), Ok(root(&content)), "what was too much is not hashed");
        assert_eq!(new().update(&[content.as_slice(), b"a"].concat()), Err(more), "{size}");
        if size > 0 {
            let mut hasher = new();
            hasher.update(&content[1..]).unwrap();
            assert_eq!(hasher.finish(), Err(OtherSize::Fewer(size as u64)));
            assert_eq!(new().finish(), Err(OtherSize::Fewer(size as u64)));
        }
    }
}

/// As the hash does not matter here, contents of any size have hashes of blocks, and nobody needs their bytes.
#[test]
fn the_tree_is_the_one_of_the_paper_at_sizes_of_which_nobody_has_the_bytes() {
    const GIB: u64 = 1 << 30;
    const KIB: u64 = 1024;
    let mut random = Random::new(17);
    let sizes = [16 * GIB, 16 * GIB + 1, 17 * GIB - 1, 32 * GIB, 32 * GIB + 1, 200 * GIB + 77, 256 * GIB];
    let small = (1..70).map(|count| count * 64 * KIB - 5);
    for size in sizes.into_iter().chain(small) {
        let blocks = Blocks::of(size).unwrap();
        let hashes = drawn_hashes(&mut random, blocks.count() as usize);
        let root = root_by_the_rule(blocks, &hashes);
        let proved = BlockHashes::proved(root, blocks, hashes).unwrap();
        assert_eq!(proved.blocks(), blocks, "{size}");
        let mut tree = BlockTree::default();
        proved.as_slice().iter().for_each(|hash| tree.push(hash));
        assert_eq!(tree.root(), Some(root), "{size}");
    }
    assert_eq!(BlockTree::default().root(), None);
}

#[test]
fn blocks_of_more_than_16_gib_are_hashed_where_they_are() {
    let blocks = Blocks::of((16 << 30) + 5).unwrap();
    let last = blocks.count() - 1;
    let (at, bytes_count) = blocks.place(last).unwrap();
    assert_eq!((at, bytes_count, blocks.block_bytes()), (16 << 30, 5, 128 * 1024));
    let expected = blake3::Hasher::new().set_input_offset(at).update(b"farol").finalize_non_root();
    assert_eq!(block_hash(blocks, last, b"farol"), Some(expected));
    let whole = content(128 * 1024);
    let expected = blake3::Hasher::new().set_input_offset(128 * 1024).update(&whole).finalize_non_root();
    assert_eq!(block_hash(blocks, 1, &whole), Some(expected));
    assert_ne!(block_hash(blocks, 2, &whole), Some(expected), "the same bytes elsewhere are another block");
    assert_eq!(block_hash(blocks, 1, &whole[1..]), None);
    assert_eq!(block_hash(blocks, last + 1, b"farol"), None);
}

#[test]
fn a_list_in_which_anything_is_false_is_refused() {
    let mut random = Random::new(18);
    for count in (2..40).chain([1000, 1024, 1025]) {
        let blocks = blocks(count * BLOCK - 3);
        let hashes = drawn_hashes(&mut random, count);
        let root = root_by_the_rule(blocks, &hashes);
        assert!(BlockHashes::proved(root, blocks, hashes.clone()).is_ok());
        let refused = |changed: Vec<[u8; 32]>| BlockHashes::proved(root, blocks, changed).unwrap_err();
        for place in [0, 1, count / 2, count - 2, count - 1] {
            let mut changed = hashes.clone();
            changed[place][random.index(32)] ^= 1 << random.index(8);
            assert_eq!(refused(changed), FalseHashes::Root, "{place} of {count}");
            let mut swapped = hashes.clone();
            swapped.swap(place, (place + 1) % count);
            assert_eq!(refused(swapped), FalseHashes::Root, "{place} of {count}");
            let mut fewer = hashes.clone();
            fewer.remove(place);
            assert_eq!(refused(fewer), FalseHashes::Count { blocks: blocks.count(), came: count - 1 });
            let mut more = hashes.clone();
            more.insert(place, hashes[place]);
            assert_eq!(refused(more), FalseHashes::Count { blocks: blocks.count(), came: count + 1 });
        }
        let mut turned = hashes.clone();
        turned.rotate_left(1);
        assert_eq!(refused(turned), FalseHashes::Root);
        // What is right for one content is not for another.
        assert!(BlockHashes::proved(ContentHash([7; 32]), blocks, hashes).is_err());
    }
}

#[test]
fn a_block_in_which_anything_is_false_is_none() {
    let content = content(5 * BLOCK + 7);
    let hashes = hashed(&content).hashes;
    let mut random = Random::new(19);
    for block in 0..6 {
        let bytes = bytes_of(&content, hashes.blocks(), block);
        let mut changed = bytes.to_vec();
        changed[random.index(bytes.len())] ^= 1 << random.index(8);
        for (false_bytes, how) in [
            (changed, "changed"),
            (bytes[1..].to_vec(), "shorter"),
            ([bytes, b"\0"].concat(), "longer"),
            (Vec::new(), "empty"),
            (bytes_of(&content, hashes.blocks(), (block + 1) % 6).to_vec(), "another"),
        ] {
            assert!(!hashes.is_block(block, &false_bytes), "{block}, {how}");
        }
    }
}

/// All lists that come to the root of a content: those of every claimed size made of the values its tree has.
#[test]
fn a_list_that_comes_to_the_root_does_not_prove_the_size_but_its_last_block_does() {
    let size = 5 * BLOCK + 7;
    let content = content(size);
    let (root, hashes) = (root(&content), hashed(&content).hashes);
    let true_blocks = hashes.blocks();
    let chunk_hashes: Vec<[u8; 32]> = (content.chunks(BLOCK / 2).enumerate())
        .map(|(place, bytes)| {
            let at = (place * BLOCK / 2) as u64;
            blake3::Hasher::new().set_input_offset(at).update(bytes).finalize_non_root()
        })
        .collect();
    let inner = |from: usize, count: usize| {
        let bytes = &content[from * BLOCK..size.min((from + count) * BLOCK)];
        blake3::Hasher::new().set_input_offset((from * BLOCK) as u64).update(bytes).finalize_non_root()
    };
    let of = |block: u32| *hashes.get(block).unwrap();
    let claims = [
        // The same number of blocks, another last one.
        (5 * BLOCK + 6, hashes.as_slice().to_vec()),
        (5 * BLOCK + 8, hashes.as_slice().to_vec()),
        (5 * BLOCK + 1, hashes.as_slice().to_vec()),
        (6 * BLOCK, hashes.as_slice().to_vec()),
        // What is above blocks for blocks.
        (2 * BLOCK, vec![inner(0, 4), inner(4, 2)]),
        (BLOCK + 7, vec![inner(0, 4), inner(4, 2)]),
        (3 * BLOCK, vec![inner(0, 2), inner(2, 2), inner(4, 2)]),
        (5 * BLOCK, vec![of(0), of(1), of(2), of(3), inner(4, 2)]),
        (4 * BLOCK + 7, vec![of(0), of(1), of(2), of(3), inner(4, 2)]),
        // What is below: the last half block is not there.
        (11 * BLOCK, chunk_hashes.clone()),
        (10 * BLOCK + 7, chunk_hashes),
    ];
    for (claimed, list) in claims {
        let blocks = blocks(claimed);
        let proved = BlockHashes::proved(root, blocks, list).expect("it comes to the root");
        let last = blocks.count() - 1;
        let (_, bytes_count) = blocks.place(last).unwrap();
        for piece in content.windows(bytes_count.min(size)).step_by(7) {
            // None of the pieces that could be given is the last block.
            assert!(piece.len() != bytes_count || !proved.is_block(last, piece), "{claimed}");
        }
        for block in 0..last {
            let (at, bytes_count) = blocks.place(block).unwrap();
            let Some(bytes) = content.get(usize::try_from(at).unwrap()..).and_then(|rest| rest.get(..bytes_count))
            else {
                continue;
            };
            // Whatever else fits is the truth.
            let is_true = true_blocks.place(block) == Some((at, bytes_count)) && proved.get(block) == hashes.get(block);
            assert_eq!(proved.is_block(block, bytes), is_true, "{block} of {claimed}");
        }
    }
}
