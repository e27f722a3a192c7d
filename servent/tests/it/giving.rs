//! Files that are given, byte for byte: real files, the real program, and clients made by hand that want as much as they like.
//!
//! What is given to whom in which order is tested in `common`; here is that it comes from a disk and goes over sockets.

mod large;
mod unreadable;

use super::*;
use crate::share::{Shared, look_again, shares};
use common::content::block_hashes::BlockHashes;
use common::content::search::List;
use common::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Open, Opened, Refusal, Refused};
use common::content::{Blocks, ContentHash};
use common::counted::grouped;
use common::features::Features;
use common::limits::{BLOCK_BYTES_MIN, BLOCKS_WANTED_MAX, HASHES_MAX, UPLOADS_MAX, UPLOADS_PER_LINK_MAX};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

/// A content of so many bytes, no two blocks of which are the same.
fn content(length: usize) -> Vec<u8> {
    let mut state = length as u64;
    let mut word = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32).to_le_bytes()
    };
    let words = std::iter::repeat_with(&mut word).take(length.div_ceil(8));
    let mut bytes: Vec<u8> = words.flatten().collect();
    bytes.truncate(length);
    bytes
}

fn hash_of(bytes: &[u8]) -> ContentHash {
    ContentHash(*blake3::hash(bytes).as_bytes())
}

/// Over a connection that is there.
fn greeted(mut peer: Peer) -> Peer {
    peer.greet_offering(Role::Client { answer_port: ANSWER_PORT }, Features::CONTENT);
    peer
}

fn fetcher(servent: SocketAddr) -> Peer {
    greeted(Peer::stranger(servent))
}

fn open(peer: &mut Peer, fetch: u32, hash: ContentHash) -> Message {
    peer.say(&Message::Open(Open { fetch, hash }));
    peer.expect()
}

/// Opens what is given, and says of how many bytes it is.
fn opened(peer: &mut Peer, fetch: u32, hash: ContentHash) -> Blocks {
    match open(peer, fetch, hash) {
        Message::Opened(Opened { fetch: of, size, .. }) if of == fetch => Blocks::of(size).unwrap(),
        message => panic!("{message:?}"),
    }
}

fn refused(fetch: u32, refusal: Refusal) -> Message {
    Message::Refused(Refused { fetch, refusal })
}

fn want_blocks(peer: &mut Peer, fetch: u32, first: u32, count: u32) {
    peer.say(&Message::BlocksWanted(BlocksWanted { fetch, first, count }));
}

fn expect_block(peer: &mut Peer) -> Block {
    match peer.expect() {
        Message::Block(block) => block,
        message => panic!("{}", message.name()),
    }
}

/// All hashes, which are proved.
fn hashes(peer: &mut Peer, fetch: u32, hash: ContentHash, blocks: Blocks) -> BlockHashes {
    let mut hashes = Vec::new();
    while let Ok(first) = u32::try_from(hashes.len())
        && first < blocks.count()
    {
        let count = (blocks.count() - first).min(HASHES_MAX);
        peer.say(&Message::HashesWanted(HashesWanted { fetch, first, count }));
        match peer.expect() {
            Message::HashPart(HashPart { fetch: of, first: from, hashes: part }) => {
                assert_eq!((of, from, part.len()), (fetch, first, count as usize));
                hashes.extend(part);
            }
            message => panic!("{message:?}"),
        }
    }
    BlockHashes::proved(hash, blocks, hashes).unwrap()
}

/// All of a content, each block of which is proved when it comes.
fn fetch(peer: &mut Peer, number: u32, hash: ContentHash) -> Vec<u8> {
    let blocks = opened(peer, number, hash);
    let hashes = hashes(peer, number, hash, blocks);
    let mut bytes = Vec::new();
    let mut next = 0;
    for first in (0..blocks.count()).step_by(BLOCKS_WANTED_MAX as usize) {
        want_blocks(peer, number, first, BLOCKS_WANTED_MAX.min(blocks.count() - first));
    }
    while next < blocks.count() {
        let Block { fetch: of, block, bytes: came } = expect_block(peer);
        assert_eq!((of, block), (number, next));
        assert!(hashes.is_block(block, &came), "block {block} is not what its hash says");
        bytes.extend(came);
        next += 1;
    }
    bytes
}

/// A servent that shares a film and another file, with two clients that have opened the film as number 7: one was given its first
/// block, the other has yet to want one.
fn half_given(film: &[u8], data: &str) -> (Shared, Process, [Peer; 2]) {
    let shared = Shared::new(&[("other", "other")]);
    shared.write("film", film);
    let mut servent = Process::serve(&[data, "--share", &shared.path()]);
    shares(&mut servent, 1);
    let mut peers = [fetcher(servent.address), fetcher(servent.address)];
    for peer in &mut peers {
        opened(peer, 7, hash_of(film));
    }
    want_blocks(&mut peers[0], 7, 0, 1);
    assert_eq!(expect_block(&mut peers[0]).block, 0);
    (shared, servent, peers)
}

fn names_listed(peer: &mut Peer) -> Vec<String> {
    peer.say(&Message::List(List { list: 1, from: Vec::new() }));
    match peer.expect() {
        Message::ListPart(part) => part.entries.entries.iter().map(|entry| entry.name.to_string()).collect(),
        message => panic!("{message:?}"),
    }
}

fn ended(mut servent: Process) -> String {
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0), "{:?}", servent.log);
    servent.log.join("\n")
}

/// There was no room to keep the hashes of these: whoever asks for them has nothing withdrawn.
#[test]
fn hashes_of_small_files_that_could_not_be_kept_are_given_as_well() {
    let names: Vec<String> = (0..30).map(|number| format!("{number:02}")).collect();
    let shared = Shared::new(&[]);
    names.iter().for_each(|name| shared.write(name, name));
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]).arg(program("servent").unwrap());
    let cache = shared.beside("cache");
    let mut servent = Process::start(shell.args(["127.0.0.1:0", "-", "--share", &shared.path(), "--cache", &cache]));
    assert_eq!(shares(&mut servent, 1), "sharing 30 files, 60 bytes (30 hashed anew)");
    for name in &names {
        let mut peer = fetcher(servent.address);
        assert!(fetch(&mut peer, 0, hash_of(name.as_bytes())) == name.as_bytes(), "{name}");
    }
    assert_eq!(names_listed(&mut fetcher(servent.address)), names);
    let said = ended(servent);
    assert!(said.contains("hashes cannot be kept") && !said.contains("cannot be read"), "{said}");
}

/// Hashing a file of so many bytes takes minutes: nobody waits for that.
#[test]
fn what_is_named_as_never_to_be_shared_while_something_is_hashed_is_gone_at_once() {
    let shared = Shared::new(&[("a", "tea")]);
    File::create(shared.at("large")).unwrap().set_len(1 << 37).unwrap();
    let never = shared.beside("never");
    fs::write(&never, "").unwrap();
    let servent = shared.serve(&["--never", &never]);
    let mut peer = fetcher(servent.address);
    wait_until("the small one is shared", || names_listed(&mut peer) == ["a"]);
    let hash = hash_of(b"tea");
    assert_eq!(fetch(&mut peer, 0, hash), b"tea");
    fs::write(&never, hash.to_string()).unwrap();
    servent.signal(Signal::HUP);
    assert_eq!(peer.expect(), refused(0, Refusal::Gone));
    assert_eq!(names_listed(&mut peer), [""; 0]);
    assert_eq!(open(&mut peer, 1, hash), refused(1, Refusal::Gone));
    let said = ended(servent);
    assert!(!said.contains("] sharing "), "it was looked through before: {said}");
}

#[test]
fn what_is_given_is_the_file_byte_for_byte() {
    const BLOCK: usize = BLOCK_BYTES_MIN;
    let lengths = [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 4 * BLOCK, 9 * BLOCK - 7, 130 * BLOCK + 3];
    let shared = Shared::new(&[]);
    lengths.iter().for_each(|length| shared.write(format!("deep/{length}"), content(*length)));
    let mut servent = shared.serve(&[]);
    shares(&mut servent, 1);
    let mut peer = fetcher(servent.address);
    for (number, length) in (0..).zip(lengths) {
        let file = content(length);
        assert!(fetch(&mut peer, number, hash_of(&file)) == file, "{length} bytes are others");
        // A link has so many fetches and no more.
        peer = fetcher(servent.address);
    }
    // Several at once over one link, each in its order.
    let most = u32::try_from(UPLOADS_PER_LINK_MAX).unwrap();
    let file = content(9 * BLOCK - 7);
    for number in 0..most {
        opened(&mut peer, number, hash_of(&file));
    }
    (0..most).for_each(|number| want_blocks(&mut peer, number, 0, 9));
    peer.say(&Message::Open(Open { fetch: most, hash: hash_of(&file) }));
    let mut came = vec![Vec::new(); UPLOADS_PER_LINK_MAX];
    let (mut left, mut was_refused) = (9 * UPLOADS_PER_LINK_MAX, false);
    while left > 0 || !was_refused {
        match peer.expect() {
            Message::Block(Block { fetch, block, bytes }) => {
                let at = block as usize * BLOCK;
                assert!(bytes[..] == file[at..file.len().min(at + BLOCK)], "block {block} of {fetch}");
                came[fetch as usize].push(block);
                left -= 1;
            }
            message => {
                assert_eq!(message, refused(most, Refusal::Busy));
                was_refused = true;
            }
        }
    }
    for blocks in came {
        assert_eq!(blocks, (0..9).collect::<Vec<u32>>());
    }
    ended(servent);
}

/// Whoever reads nothing keeps what was read for it, and nothing else; that is as much for all of them as a servent may hold.
#[test]
fn as_many_as_there_may_be_are_given_at_once_and_one_more_is_told_to_wait() {
    const BLOCKS: u32 = 40;
    const HELD_KIB_MAX: u64 = 40 * 1024;
    let shared = Shared::new(&[]);
    let file = content(BLOCKS as usize * BLOCK_BYTES_MIN);
    shared.write("film", &file);
    let mut servent = shared.serve(&[]);
    shares(&mut servent, 1);
    let hash = hash_of(&file);
    let (before, _) = servent.resident_kib();
    let mut peers: Vec<Peer> = (0..UPLOADS_MAX).map(|_| greeted(Peer::deaf_stranger(servent.address))).collect();
    for peer in &mut peers {
        opened(peer, 0, hash);
        want_blocks(peer, 0, 0, BLOCKS);
    }
    let mut late = fetcher(servent.address);
    assert_eq!(open(&mut late, 0, hash), refused(0, Refusal::Busy));
    assert_eq!(open(&mut late, 1, hash), refused(1, Refusal::Busy));
    for peer in &mut peers {
        for number in 0..BLOCKS {
            let Block { fetch: 0, block, bytes } = expect_block(peer) else { panic!("another fetch") };
            let at = block as usize * BLOCK_BYTES_MIN;
            assert!(block == number && bytes[..] == file[at..at + BLOCK_BYTES_MIN], "block {block}");
        }
    }
    let (_, most) = servent.resident_kib();
    println!("{} KiB before, {most} KiB at most", before);
    assert!(most - before <= HELD_KIB_MAX, "{before} KiB before, {most} KiB at most");
    // Whoever leaves makes room for whoever comes.
    peers.pop().unwrap().hang_up();
    let mut number = 2;
    wait_until("there is room again", || {
        number += 1;
        matches!(open(&mut late, number, hash), Message::Opened(_))
    });
    let log = ended(servent);
    assert!(!log.contains("fault") && !log.contains("cannot be read"), "{log}");
}

/// Hashes are as much as blocks are, and cost whoever asks for them as little.
#[test]
fn hashes_that_nobody_reads_are_held_for_as_many_as_there_may_be_like_blocks() {
    const PARTS: u32 = 64;
    const HELD_KIB_MAX: u64 = 48 * 1024;
    let shared = Shared::new(&[]);
    File::create(shared.at("film")).unwrap().set_len(u64::from(HASHES_MAX) * BLOCK_BYTES_MIN as u64).unwrap();
    let mut hasher = blake3::Hasher::new();
    (0..HASHES_MAX).for_each(|_| {
        hasher.update(&[0; BLOCK_BYTES_MIN]);
    });
    let hash = ContentHash(*hasher.finalize().as_bytes());
    let mut servent = shared.serve(&[]);
    shares(&mut servent, 1);
    let (before, _) = servent.resident_kib();
    let fetches = 0..u32::try_from(UPLOADS_PER_LINK_MAX).unwrap();
    // A last link would have only half of what is left.
    let links_count = UPLOADS_MAX / UPLOADS_PER_LINK_MAX - 1;
    let mut peers: Vec<Peer> = (0..links_count).map(|_| greeted(Peer::deaf_stranger(servent.address))).collect();
    for peer in &mut peers {
        fetches.clone().for_each(|fetch| assert_eq!(opened(peer, fetch, hash).count(), HASHES_MAX));
        for _ in 0..PARTS {
            for fetch in fetches.clone() {
                peer.say(&Message::HashesWanted(HashesWanted { fetch, first: 0, count: HASHES_MAX }));
            }
        }
    }
    for peer in &mut peers {
        for _ in 0..PARTS * fetches.end {
            match peer.expect() {
                Message::HashPart(part) => assert_eq!(part.hashes.len(), HASHES_MAX as usize),
                message => panic!("{message:?}"),
            }
        }
    }
    let (_, most) = servent.resident_kib();
    println!("{before} KiB before, {most} KiB at most");
    assert!(most - before <= HELD_KIB_MAX, "{before} KiB before, {most} KiB at most");
    ended(servent);
}

/// Counted by order: all of that is done before the slow one has read a byte.
#[test]
fn whoever_does_not_read_keeps_nobody_waiting() {
    let shared = Shared::new(&[]);
    let file = content(200 * BLOCK_BYTES_MIN);
    shared.write("film", &file);
    let data = tea();
    let mut servent = Process::serve(&[data.path(), "--share", &shared.path()]);
    shares(&mut servent, 1);
    let hash = hash_of(&file);
    let mut slow: Vec<Peer> = (0..8).map(|_| greeted(Peer::deaf_stranger(servent.address))).collect();
    for peer in &mut slow {
        opened(peer, 0, hash);
        for first in [0, 64, 128] {
            want_blocks(peer, 0, first, 64);
        }
    }
    let mut client = Peer::client(servent.address, ANSWER_PORT);
    for _ in 0..200 {
        assert_eq!(client.first_value("tea"), b"green");
    }
    let mut quick = fetcher(servent.address);
    assert!(fetch(&mut quick, 0, hash) == file);
    // Nor does one that takes all it can.
    for first in [0, 64, 128] {
        quick.say(&Message::BlocksWanted(BlocksWanted { fetch: 0, first, count: 64 }));
    }
    for _ in 0..200 {
        assert_eq!(client.first_value("tea"), b"green");
    }
    // What is said to the slow ones goes before what they have left unread, but not into a block.
    for peer in &mut slow {
        peer.say(&Message::Ping);
        let mut blocks = 0;
        let mut has_ponged = false;
        while blocks < 192 {
            match peer.expect() {
                Message::Pong => has_ponged = true,
                Message::Block(Block { block, bytes, .. }) => {
                    let at = block as usize * BLOCK_BYTES_MIN;
                    assert!(block == blocks && bytes[..] == file[at..at + BLOCK_BYTES_MIN], "block {block}");
                    blocks += 1;
                }
                message => panic!("{}", message.name()),
            }
        }
        assert!(has_ponged, "behind all that was asked for before");
    }
    ended(servent);
}

#[test]
fn only_whom_it_is_shared_with_is_told_and_given_anything() {
    let file = content(1_000);
    for (networks, is_given) in
        [(&["10.9.8.0/24"][..], false), (&["10.9.8.0/24", "127.0.0.1/32"], true), (&["::1/128"], false), (&[], true)]
    {
        let shared = Shared::new(&[]);
        shared.write("film", &file);
        let options: Vec<&str> = networks.iter().flat_map(|network| ["--share-to", network]).collect();
        let mut servent = shared.serve(&options);
        shares(&mut servent, 1);
        let mut peer = fetcher(servent.address);
        let out = open(&mut peer, 0, hash_of(&file));
        assert_eq!(matches!(out, Message::Opened(_)), is_given, "{networks:?}: {out:?}");
        assert!(is_given || out == refused(0, Refusal::Gone));
        assert_eq!(names_listed(&mut peer).len(), usize::from(is_given));
        assert_eq!(peer.values("film").len(), usize::from(is_given));
        ended(servent);
    }
}

#[test]
fn a_file_that_is_changed_while_it_is_given_is_given_no_more() {
    let file = content(100 * BLOCK_BYTES_MIN);
    let data = DataFile::new("film as the data says\n");
    let (shared, mut servent, mut peers) = half_given(&file, data.path());
    let [peer, idle] = &mut peers;
    // As long as before.
    let mut changed = file.clone();
    changed[99 * BLOCK_BYTES_MIN] ^= 1;
    shared.write("film", &changed);
    want_blocks(peer, 7, 0, 1);
    assert_eq!(peer.expect(), refused(7, Refusal::Changed));
    assert_eq!(idle.expect(), refused(7, Refusal::Changed));
    assert_eq!(open(peer, 8, hash_of(&file)), refused(8, Refusal::Gone));
    assert_eq!(names_listed(peer), ["other"]);
    assert_eq!(peer.values("film"), [b"as the data says"]);
    assert_eq!(look_again(&mut servent), "sharing 2 files, 6.6 MB (1 hashed anew)");
    assert!(fetch(peer, 9, hash_of(&changed)) == changed);
    // One that is not there any more is gone.
    fs::remove_file(shared.at("film")).unwrap();
    want_blocks(peer, 9, 0, 1);
    assert_eq!(peer.expect(), refused(9, Refusal::Gone));
    assert_eq!(names_listed(peer), ["other"]);
    let log = ended(servent);
    assert!(log.contains("film was changed: it is not shared until it was hashed again"), "{log}");
    assert!(log.contains("film is not there any more: it is not shared"), "{log}");
}

/// It is the servent that has none, and not the file that is away.
#[test]
fn without_a_descriptor_a_fetch_is_told_to_come_later_and_the_file_stays() {
    let shared = Shared::new(&[("film", "a film")]);
    let mut servent = shared.serve(&[]);
    shares(&mut servent, 1);
    let mut peer = fetcher(servent.address);
    let hash = hash_of(b"a film");
    opened(&mut peer, 0, hash);
    let before = getrlimit(Resource::Nofile);
    prlimit(Some(servent.pid()), Resource::Nofile, Rlimit { current: Some(3), ..before }).unwrap();
    want_blocks(&mut peer, 0, 0, 1);
    assert_eq!(peer.expect(), refused(0, Refusal::Busy));
    assert_eq!(names_listed(&mut peer), ["film"]);
    prlimit(Some(servent.pid()), Resource::Nofile, before).unwrap();
    assert_eq!(fetch(&mut peer, 1, hash), b"a film");
    ended(servent);
}

/// The rest of it would take days.
#[test]
fn no_more_is_given_than_the_rate_and_whatever_else_is_said_does_not_wait_for_it() {
    let shared = Shared::new(&[]);
    let file = content(20 * BLOCK_BYTES_MIN);
    shared.write("film", &file);
    let mut servent = shared.serve(&["--share-rate", "1"]);
    shares(&mut servent, 1);
    let mut peers = [fetcher(servent.address), fetcher(servent.address)];
    for peer in &mut peers {
        opened(peer, 0, hash_of(&file));
        want_blocks(peer, 0, 0, 20);
    }
    let [first, second] = &mut peers;
    for number in 0..4 {
        assert_eq!(expect_block(first).block, number);
    }
    for _ in 0..20 {
        for peer in [&mut *first, &mut *second] {
            peer.say(&Message::Ping);
            assert_eq!(peer.expect(), Message::Pong);
        }
    }
    ended(servent);
}

#[test]
fn whoever_leaves_ends_the_block_it_has_begun_and_says_goodbye() {
    let shared = Shared::new(&[]);
    let file = content(64 * BLOCK_BYTES_MIN);
    shared.write("film", &file);
    let mut servent = shared.serve(&[]);
    shares(&mut servent, 1);
    let mut peer = greeted(Peer::stranger_that_hardly_reads(servent.address));
    opened(&mut peer, 0, hash_of(&file));
    want_blocks(&mut peer, 0, 0, 64);
    assert_eq!(expect_block(&mut peer).block, 0);
    servent.signal(Signal::TERM);
    let mut next = 1;
    loop {
        match peer.hear() {
            Heard::Message(Message::Block(Block { block, bytes, .. })) => {
                let at = block as usize * BLOCK_BYTES_MIN;
                assert!(block == next && bytes[..] == file[at..at + BLOCK_BYTES_MIN], "block {block}");
                next += 1;
            }
            Heard::Message(Message::Goodbye(Goodbye::Leaving)) => break,
            other => panic!("{other:?}"),
        }
    }
    peer.expect_end();
    println!("{next} of 64 blocks came");
    assert_eq!(servent.wait().code(), Some(0), "{:?}", servent.log);
}
