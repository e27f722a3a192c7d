//! A content of `CONTENT_BYTES` given to as many as may fetch at once, of whom some read slowly and the others not at all:
//! small in `make test`, large in `make test-long`, and within the same memory.

use super::*;
use std::os::unix::fs::FileExt;

/// All that a servent may take meanwhile, its program and all it shares included.
const TAKEN_KIB_MAX: u64 = 48 * 1024;

/// What stands at the beginning of each of these blocks; everything else is zeros.
fn mark(block: u32) -> Option<[u8; 8]> {
    block.is_multiple_of(1_000).then(|| u64::from(block).wrapping_add(1).to_le_bytes())
}

/// A file in which there is hardly anything.
fn write_sparse(file: &File, blocks: Blocks) {
    file.set_len(blocks.size()).unwrap();
    for block in 0..blocks.count() {
        if let (Some(mark), Some((at, _))) = (mark(block), blocks.place(block)) {
            file.write_all_at(&mark, at).unwrap();
        }
    }
}

fn assert_is_block(block: u32, bytes: &[u8]) {
    let head = mark(block).unwrap_or_default();
    assert!(bytes.starts_with(&head) && bytes[head.len()..].iter().all(|byte| *byte == 0), "block {block}");
}

#[test]
fn so_many_who_fetch_it_at_once_and_hardly_read_take_no_more_memory_however_long_it_is() {
    let size = std::env::var("CONTENT_BYTES").map_or(20_000_000, |text| text.parse().unwrap());
    let blocks = Blocks::of(size).unwrap();
    let shared = Shared::new(&[]);
    let path = shared.at("film");
    write_sparse(&File::create(&path).unwrap(), blocks);
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(&path).unwrap()).unwrap();
    let hash = ContentHash(*hasher.finalize().as_bytes());
    let mut servent = shared.serve(&[]);
    shares(&mut servent, 1);
    let (before, hashed) = servent.resident_kib();

    let mut deaf: Vec<Peer> = (0..UPLOADS_MAX / 2).map(|_| greeted(Peer::deaf_stranger(servent.address))).collect();
    let slow = (0..UPLOADS_MAX / 2).map(|_| greeted(Peer::stranger_that_hardly_reads(servent.address)));
    let mut slow: Vec<Peer> = slow.collect();
    for peer in &mut deaf {
        assert_eq!(opened(peer, 0, hash), blocks);
        let count = HASHES_MAX.min(blocks.count());
        peer.say(&Message::HashesWanted(HashesWanted { fetch: 0, first: blocks.count() - count, count }));
        (0..4).for_each(|_| want_blocks(peer, 0, 0, BLOCKS_WANTED_MAX));
    }
    slow.iter_mut().for_each(|peer| assert_eq!(opened(peer, 0, hash), blocks));
    // Each somewhere else, all over it: a block for each in turn.
    let rounds = (blocks.count() / 4_096).max(2);
    let mut came = 0_u64;
    for round in 0..rounds {
        let first = |place: usize| {
            let step = round * 32 + u32::try_from(place).unwrap();
            let last = blocks.count() - BLOCKS_WANTED_MAX;
            u32::try_from(u64::from(last) * u64::from(step) / u64::from(rounds * 32)).unwrap()
        };
        for (place, peer) in slow.iter_mut().enumerate() {
            want_blocks(peer, 0, first(place), BLOCKS_WANTED_MAX);
        }
        for number in 0..BLOCKS_WANTED_MAX {
            for (place, peer) in slow.iter_mut().enumerate() {
                let Block { fetch: 0, block, bytes } = expect_block(peer) else { panic!("another fetch") };
                assert_eq!(block, first(place) + number);
                assert_is_block(block, &bytes);
                came += 1;
            }
        }
    }
    let (_, most) = servent.resident_kib();
    println!(
        "{} bytes: {hashed} KiB once hashed, {before} KiB then, {most} KiB at most; {} blocks were read by {} of {UPLOADS_MAX}",
        grouped(size),
        grouped(came),
        slow.len()
    );
    assert!(most <= TAKEN_KIB_MAX, "{before} KiB before, {most} KiB at most");
    let log = ended(servent);
    assert!(!log.contains("fault") && !log.contains("cannot be read"), "{log}");
}
