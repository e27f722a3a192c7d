//! Contents that are given out, at the doors of the servent's mind: who is given what, in which order, and when it is over.
//!
//! Bytes of files do not come by here. How they are queued is `exchange/giving.rs`; that they are those of the file is the
//! servent's to show.

use std::net::IpAddr;

use super::*;
use crate::content::{hash_of, shared};
use common::content::catalogue::{Catalogue, SharedFile};
use common::content::search::{List, ListPart};
use common::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Have, Open, Opened, Refusal, Refused};
use common::content::{Blocks, ContentHash};
use common::disk::{BlocksToRead, HashesToRead, LookedThrough, ReadFailure, SharedContent};
use common::features::Features;

const BLOCK: u64 = BLOCK_BYTES_MIN as u64;
const GIB: u64 = 1 << 30;
/// As many blocks as are read at once.
const READ: u32 = 4;

/// Where most of these tests look things up.
const FAROL: usize = 1;
const EMPTY: usize = 2;
const SMALL: usize = 3;
const WIDE: usize = 4;
const HUGE: usize = 5;

/// The first two are the same content under two names.
fn files() -> Vec<SharedFile> {
    vec![
        shared(b"another farol", hash_of(&[1]), 600 * BLOCK - 10),
        shared(b"farol", hash_of(&[1]), 600 * BLOCK - 10),
        shared(b"empty one", hash_of(&[2]), 0),
        shared(b"sm", hash_of(&[3]), 3),
        shared(b"wide", hash_of(&[4]), 20 * GIB),
        shared(b"hu.", hash_of(&[5]), 200 * GIB),
    ]
}

fn looked_at(files: Vec<SharedFile>, is_whole: bool) -> Input {
    let catalogue = Some(Arc::new(Catalogue::new(files, &store("farol lighthouse"))));
    Input::Disk(JobDone::LookedThrough(Ok(LookedThrough { catalogue, is_whole, hashed_count: 0 })))
}

fn looked_and_nothing_new(is_whole: bool) -> Input {
    Input::Disk(JobDone::LookedThrough(Ok(LookedThrough { catalogue: None, is_whole, hashed_count: 0 })))
}

fn content_at(place: usize) -> Arc<SharedContent> {
    let SharedFile { name, stamp, hashes_at, .. } = files().remove(place);
    Arc::new(SharedContent { name, stamp, hashes_at, blocks: Blocks::of(stamp.size).unwrap() })
}

fn hash_at(place: usize) -> ContentHash {
    files()[place].hash
}

// ---- what is said, and what is to be read ----

fn open(fetch: u32, place: usize) -> Message {
    Message::Open(Open { fetch, hash: hash_at(place) })
}

fn opened(link: LinkId, fetch: u32, place: usize) -> Output {
    let blocks = content_at(place).blocks;
    send(link, Message::Opened(Opened { fetch, size: blocks.size(), have: Have::Runs(vec![(0, blocks.count())]) }))
}

fn refused(link: LinkId, fetch: u32, refusal: Refusal) -> Output {
    send(link, Message::Refused(Refused { fetch, refusal }))
}

fn blocks(fetch: u32, first: u32, count: u32) -> Message {
    Message::BlocksWanted(BlocksWanted { fetch, first, count })
}

fn hashes(fetch: u32, first: u32, count: u32) -> Message {
    Message::HashesWanted(HashesWanted { fetch, first, count })
}

fn read_blocks(link: LinkId, fetch: u32, place: usize, first: u32, count: u32) -> Output {
    let content = content_at(place);
    Output::Disk(Job::ReadBlocks(BlocksToRead { link, fetch, content, first, count }))
}

fn read_hashes(link: LinkId, fetch: u32, place: usize, first: u32, count: u32) -> Output {
    let content = content_at(place);
    Output::Disk(Job::ReadHashes(HashesToRead { link, fetch, content, first, count }))
}

fn given(link: LinkId, fetch: u32) -> Input {
    Input::Given { link, fetch }
}

fn giving(link: LinkId, fetch: u32) -> Input {
    Input::Giving { link, fetch }
}

fn drained(link: LinkId, fetch: u32) -> Input {
    Input::Drained { link, fetch }
}

fn unread(link: LinkId, fetch: u32, failure: &ReadFailure) -> Input {
    Input::Disk(JobDone::BlocksRead { link, fetch, read: Err(failure.clone()) })
}

fn hashes_read(link: LinkId, fetch: u32, first: u32, read: Result<Vec<[u8; 32]>, ReadFailure>) -> Input {
    Input::Disk(JobDone::HashesRead { link, fetch, first, read })
}

impl Mind {
    fn giving() -> Mind {
        Mind::giving_as(Config::default())
    }

    /// One that has looked its directory through.
    fn giving_as(options: Config) -> Mind {
        let options = Config { shares: true, advertised: own_address(), servent_id: ServentId(OWN_ID), ..options };
        let mut mind = Mind::with(&options, store("farol lighthouse"));
        mind.pass(Duration::ZERO);
        assert_eq!(mind.tell(looked_at(files(), true)), []);
        mind
    }

    fn client_at(&mut self, ip: impl Into<IpAddr>) -> LinkId {
        self.client_that_accepts(ip, FRAME_BYTES_MAX)
    }

    /// One that accepts frames of so many bytes.
    fn client_that_accepts(&mut self, ip: impl Into<IpAddr>, frame_bytes_max: usize) -> LinkId {
        let frame_bytes_max = u32::try_from(frame_bytes_max).unwrap();
        let link = self.new_link();
        let from = SocketAddr::new(ip.into(), 40_000);
        self.tell(Input::Opened { link, opening: Opening::Accepted(from) });
        let role = Role::Client { answer_port: 7000 };
        self.hear(link, Message::Hello(Hello { features: Features::CONTENT, frame_bytes_max, ..Hello::new(role) }));
        link
    }

    /// Opens a content that is given.
    fn opens(&mut self, link: LinkId, fetch: u32, place: usize) {
        assert_eq!(self.hear(link, open(fetch, place)), [opened(link, fetch, place)]);
    }

    /// A client with one fetch, which is the first of its link.
    fn fetching(&mut self, number: usize, place: usize) -> LinkId {
        let link = self.client_of_contents(number);
        self.opens(link, 0, place);
        link
    }

    fn looks_again(&mut self, looked: Input) -> Vec<Output> {
        assert_eq!(self.tell(Input::Reload), [Output::Disk(Job::ReadData)]);
        let asked = self.tell(Input::Disk(JobDone::DataRead(Err("it is a test".to_owned()))));
        assert_eq!(asked, [Output::Disk(Job::LookThrough(store("farol lighthouse")))]);
        let mut out = self.tell(looked);
        out.retain(|output| !matches!(output, Output::Disk(Job::LookThrough(_))));
        out
    }

    /// Lets time pass, and gives what the mind does meanwhile for those that fetch.
    fn gives_in(&mut self, duration: Duration) -> Vec<(Duration, Output)> {
        let mut passed = self.pass_but_pings(duration);
        passed.retain(|(_, output)| !matches!(output, Output::Disk(Job::LookThrough(_))));
        passed
    }

    fn names_listed(&mut self) -> Vec<String> {
        let client = self.client_of_contents(99);
        let out = self.hear(client, Message::List(List { list: 1, from: Vec::new() }));
        let [Output::Send { message: Message::ListPart(ListPart { entries, .. }), .. }] = &out[..] else {
            panic!("{out:?}")
        };
        self.closed(client);
        entries.entries.iter().map(|entry| entry.name.to_string()).collect()
    }
}

fn breach(link: LinkId) -> [Output; 2] {
    goodbye(link, Goodbye::Protocol)
}

// ---- who is given what ----

#[test]
fn a_content_is_opened_with_its_size_and_all_its_blocks() {
    let mut mind = Mind::giving();
    for (place, count) in [(FAROL, 600), (EMPTY, 1), (SMALL, 1), (WIDE, 163_840), (HUGE, 204_800)] {
        let client = mind.client_of_contents(place);
        let out = mind.hear(client, open(7, place));
        let told = Opened { fetch: 7, size: files()[place].stamp.size, have: Have::Runs(vec![(0, count)]) };
        assert_eq!(out, [send(client, Message::Opened(told))]);
    }
    assert_eq!(mind.held("uploads"), 5);
}

#[test]
fn what_is_not_here_is_gone() {
    let mut mind = Mind::giving();
    let client = mind.client_of_contents(1);
    let unknown = Message::Open(Open { fetch: 3, hash: ContentHash(hash_of(&[9])) });
    assert_eq!(mind.hear(client, unknown.clone()), [refused(client, 3, Refusal::Gone)]);
    // The number is free again.
    mind.opens(client, 3, FAROL);
    // Whoever shares nothing, or has not looked yet, has nothing; and holds no more for being asked.
    for config in [config(), Config { shares: true, ..config() }] {
        let mut mind = Mind::with(&config, store(""));
        mind.pass(Duration::ZERO);
        let client = mind.client_of_contents(1);
        let before = mind.overlay.memory_bytes();
        assert_eq!(mind.hear(client, open(3, FAROL)), [refused(client, 3, Refusal::Gone)]);
        assert_eq!(mind.hear(client, blocks(3, 0, 1)), []);
        assert_eq!((mind.overlay.memory_bytes(), mind.held("uploads")), (before, 0));
    }
}

/// Or it would have the disk read and take no byte of that.
#[test]
fn whoever_accepts_no_frame_as_long_as_a_block_is_given_nothing_of_it() {
    // A stamp, the number of the message, those of the fetch and of the block, and a length.
    let head = 9 + 1 + 5 + 5;
    let hash = 32 + 1;
    for (place, longest) in [
        (FAROL, BLOCK_BYTES_MIN + 5),
        (WIDE, 2 * BLOCK_BYTES_MIN + 5),
        (HUGE, BLOCK_BYTES_MAX + 5),
        // They have a hash, which is said as well.
        (SMALL, hash),
        (EMPTY, hash),
    ] {
        let mut mind = Mind::giving();
        let short = mind.client_that_accepts([11, 0, 0, 1], head + longest - 1);
        assert_eq!(mind.hear(short, open(0, place)), [refused(short, 0, Refusal::Gone)], "{place}");
        let long = mind.client_that_accepts([11, 0, 0, 1], head + longest);
        mind.opens(long, 0, place);
        assert_eq!(mind.held("uploads"), 1);
    }
    // The longest frames there can be of what is opened are no longer than that.
    let block = Block { fetch: u32::MAX, block: u32::MAX, bytes: vec![0; BLOCK_BYTES_MIN] };
    let part = HashPart { fetch: u32::MAX, first: BLOCKS_MAX - 1, hashes: vec![[0; 32]] };
    for (message, longest) in [(Message::Block(block), BLOCK_BYTES_MIN + 5), (Message::HashPart(part), hash)] {
        let frame = Frame::at(Position::Later, Dialect::Native, u64::MAX, &message).unwrap();
        assert_eq!(frame.body_bytes_count(), head + longest, "{}", message.name());
    }
}

#[test]
fn only_whom_it_is_shared_with_is_given_anything() {
    let shared_with = ["11.0.0.1/32", "127.0.0.0/8"].map(|text| text.parse().unwrap()).to_vec();
    let mut mind = Mind::giving_as(Config { shared_with, ..Config::default() });
    let [near, far] = [1, 2].map(|number| mind.client_of_contents(number));
    mind.opens(near, 0, FAROL);
    assert_eq!(mind.hear(far, open(0, FAROL)), [refused(far, 0, Refusal::Gone)]);
    let here = mind.client_at([127, 0, 0, 1]);
    mind.opens(here, 0, FAROL);
    // The same ip in the other family is the same host.
    let mapped = mind.client_at(Ipv4Addr::new(11, 0, 0, 1).to_ipv6_mapped());
    mind.opens(mapped, 0, FAROL);
}

#[test]
fn whoever_did_not_offer_to_understand_contents_may_not_fetch() {
    for said in [open(0, FAROL), blocks(0, 0, 1), hashes(0, 0, 1)] {
        let mut mind = Mind::giving();
        let client = mind.client(1);
        assert_eq!(mind.hear(client, said.clone()), breach(client));
        let neighbor = mind.neighbor(4);
        assert_eq!(mind.hear(neighbor, said.clone()), breach(neighbor), "a neighbor");
        let stranger = mind.stranger();
        assert_eq!(mind.hear(stranger, said), breach(stranger), "nobody yet");
    }
}

/// Told that it is gone, its client would take that for an answer to the first.
#[test]
fn a_number_is_of_one_fetch_as_long_as_anything_of_it_goes_on() {
    for again in [open(5, FAROL), open(5, SMALL), Message::Open(Open { fetch: 5, hash: ContentHash([9; 32]) })] {
        let mut mind = Mind::giving();
        let client = mind.client_of_contents(1);
        mind.opens(client, 5, FAROL);
        assert_eq!(mind.hear(client, again), breach(client));
        assert_eq!(mind.held("uploads"), 0);
    }
    // One that is over while it is read: what comes of that would be taken for what the next wants.
    let mut mind = Mind::giving();
    let clients = [mind.fetching(1, FAROL), mind.fetching(2, FAROL)];
    for client in clients {
        assert_eq!(mind.hear(client, blocks(0, 0, 1)), [read_blocks(client, 0, FAROL - 1, 0, 1)]);
    }
    mind.tell(unread(clients[0], 0, &ReadFailure::Changed));
    mind.opens(clients[0], 0, FAROL);
    assert_eq!(mind.hear(clients[1], open(0, FAROL)), breach(clients[1]));
    // Once it was queued nothing of it is under way.
    let mut mind = Mind::giving();
    let clients = [mind.fetching(1, FAROL), mind.fetching(2, FAROL)];
    for client in clients {
        mind.hear(client, blocks(0, 0, 1));
    }
    mind.tell(unread(clients[0], 0, &ReadFailure::Changed));
    assert_eq!(mind.tell(given(clients[1], 0)), []);
    mind.opens(clients[1], 0, FAROL);
}

// ---- how many ----

#[test]
fn no_network_is_given_more_than_is_left_for_all_others() {
    let mut mind = Mind::giving();
    let (mut counts, mut others) = (Vec::new(), 0);
    while mind.held("uploads") < UPLOADS_MAX {
        others += 1;
        let mut count = 0;
        // Over as many links as it likes.
        let (last, fetch) = loop {
            let link = mind.client_at([11, 0, 0, others]);
            let opened = (0..).map(|fetch| (fetch, mind.hear(link, open(fetch, FAROL))));
            let (fetch, out) = opened.into_iter().find(|(fetch, out)| *out != [opened_of(link, *fetch)]).unwrap();
            assert_eq!(out, [refused(link, fetch, Refusal::Busy)]);
            count += fetch;
            if fetch < u32::try_from(UPLOADS_PER_LINK_MAX).unwrap() {
                break (link, fetch);
            }
        };
        assert_eq!(mind.hear(last, open(fetch, FAROL)), [refused(last, fetch, Refusal::Busy)]);
        counts.push(count);
    }
    assert_eq!(counts, [32, 16, 8, 4, 2, 1, 1]);
    // A further network has to wait until somebody is done.
    let late = mind.client_at([11, 0, 1, 1]);
    assert_eq!(mind.hear(late, open(0, FAROL)), [refused(late, 0, Refusal::Busy)]);
}

fn opened_of(link: LinkId, fetch: u32) -> Output {
    opened(link, fetch, FAROL)
}

#[test]
fn over_one_link_so_many_are_given_and_no_more_until_one_is_over() {
    let mut mind = Mind::giving();
    let client = mind.client_of_contents(1);
    let most = u32::try_from(UPLOADS_PER_LINK_MAX).unwrap();
    (0..most).for_each(|fetch| mind.opens(client, fetch, FAROL));
    assert_eq!(mind.hear(client, open(most, SMALL)), [refused(client, most, Refusal::Busy)]);
    mind.hear(client, blocks(2, 0, 1));
    let failure = ReadFailure::NotTried("it is a test".to_owned());
    assert_eq!(mind.tell(unread(client, 2, &failure)), [refused(client, 2, Refusal::Busy)]);
    mind.opens(client, most, SMALL);
}

/// On this host all have one address, whoever they are.
#[test]
fn on_this_host_each_link_has_a_share_of_its_own() {
    let mut mind = Mind::giving();
    let links: Vec<LinkId> = (0..UPLOADS_MAX).map(|_| mind.client_at(std::net::Ipv6Addr::LOCALHOST)).collect();
    for link in &links {
        mind.opens(*link, 0, FAROL);
    }
    let late = mind.client_at([127, 0, 0, 1]);
    assert_eq!(mind.hear(late, open(0, FAROL)), [refused(late, 0, Refusal::Busy)]);
    mind.closed(links[7]);
    mind.opens(late, 0, FAROL);
    assert_eq!(mind.held("uploads"), UPLOADS_MAX);
}

/// What is held for all of them is as much whatever they fetch.
#[test]
fn contents_with_long_blocks_take_as_many_places_as_are_read_at_once() {
    let mut mind = Mind::giving();
    // 128 KiB are no more than is read at once, 1 MiB are four times that.
    assert_eq!(BLOCK_BYTES_MAX / BLOCKS_READ_BYTES_MAX, 4);
    let mut of_huge = 0;
    let late = loop {
        let link = mind.client_at([127, 0, 0, 1]);
        match &mind.hear(link, open(0, HUGE))[..] {
            [Output::Send { message: Message::Opened(_), .. }] => of_huge += 1,
            out => break (link, out == [refused(link, 0, Refusal::Busy)]),
        }
    };
    assert_eq!((of_huge, late.1), (UPLOADS_MAX / 4, true));
    let link = mind.client_at([127, 0, 0, 1]);
    assert_eq!(mind.hear(link, open(0, SMALL)), [refused(link, 0, Refusal::Busy)], "there is no place at all");
    // A network has half of all places and no more.
    let mut mind = Mind::giving();
    let count = (0..64).filter(|_| {
        let link = mind.client_at([11, 0, 0, 1]);
        let out = mind.hear(link, open(0, HUGE));
        matches!(&out[..], [Output::Send { message: Message::Opened(_), .. }])
    });
    assert_eq!(count.count(), UPLOADS_MAX / 8);
    let links: Vec<LinkId> = (0..UPLOADS_MAX / 2).map(|_| mind.client_at([127, 0, 0, 1])).collect();
    links.iter().for_each(|link| mind.opens(*link, 0, WIDE));
}

// ---- what is wanted ----

#[test]
fn blocks_are_read_in_order_and_the_next_once_the_last_are_queued() {
    let mut mind = Mind::giving();
    let client = mind.fetching(1, FAROL);
    let place = FAROL - 1;
    assert_eq!(mind.hear(client, blocks(0, 10, 9)), [read_blocks(client, 0, place, 10, READ)]);
    for wanted in [hashes(0, 0, 600), blocks(0, 599, 1), blocks(0, 3, 2), blocks(0, 3, 2)] {
        assert_eq!(mind.hear(client, wanted), [], "one thing at a time");
    }
    assert_eq!(mind.tell(given(client, 0)), [read_blocks(client, 0, place, 14, READ)]);
    assert_eq!(mind.tell(given(client, 0)), [read_blocks(client, 0, place, 18, 1)]);
    assert_eq!(mind.tell(given(client, 0)), [read_hashes(client, 0, place, 0, 600)]);
    let part = HashPart { fetch: 0, first: 0, hashes: vec![[4; 32]; 600] };
    assert_eq!(
        mind.tell(hashes_read(client, 0, 0, Ok(part.hashes.clone()))),
        [send(client, Message::HashPart(part))],
        "they are said and not queued yet"
    );
    assert_eq!(mind.tell(given(client, 0)), [read_blocks(client, 0, place, 599, 1)]);
    for _ in 0..2 {
        assert_eq!(mind.tell(given(client, 0)), [read_blocks(client, 0, place, 3, 2)]);
    }
    // That is all; and it can go on at any time.
    assert_eq!(mind.tell(given(client, 0)), []);
    assert_eq!(mind.hear(client, blocks(0, 0, 1)), [read_blocks(client, 0, place, 0, 1)]);
    // Told by whoever has no bytes to queue it is the same.
    mind.hear(client, blocks(0, 1, 1));
    let read = Input::Disk(JobDone::BlocksRead { link: client, fetch: 0, read: Ok(Vec::new()) });
    assert_eq!(mind.tell(read), [read_blocks(client, 0, place, 1, 1)]);
    // The last block is shorter by 10 bytes.
    mind.tell(given(client, 0));
    assert_eq!(mind.held("given_bytes") as u64, (9 + 1 + 2 + 2 + 1 + 1) * BLOCK - 10);
}

#[test]
fn what_is_read_at_once_is_a_quarter_of_a_megabyte_or_one_block() {
    let mut mind = Mind::giving();
    for (place, at_once) in [(WIDE, 2), (HUGE, 1), (FAROL, READ)] {
        let client = mind.fetching(place, place);
        let out = mind.hear(client, blocks(0, 0, BLOCKS_WANTED_MAX));
        let [Output::Disk(Job::ReadBlocks(BlocksToRead { first: 0, count, .. }))] = &out[..] else { panic!("{out:?}") };
        assert_eq!(*count, at_once);
        let bytes = u64::from(at_once) * content_at(place).blocks.block_bytes();
        assert!(bytes == BLOCKS_READ_BYTES_MAX as u64 || at_once == 1, "{bytes}");
    }
    // Where there is nothing to be read a block of nothing is.
    let client = mind.fetching(9, EMPTY);
    assert_eq!(mind.hear(client, blocks(0, 0, 1)), [read_blocks(client, 0, EMPTY, 0, 1)]);
    mind.tell(given(client, 0));
    assert_eq!(mind.held("given_bytes"), 0);
}

#[test]
fn each_fetch_of_a_link_is_read_for_beside_the_others() {
    let mut mind = Mind::giving();
    let client = mind.fetching(1, FAROL);
    mind.opens(client, 1, WIDE);
    assert_eq!(mind.hear(client, blocks(0, 0, 8)), [read_blocks(client, 0, FAROL - 1, 0, READ)]);
    assert_eq!(mind.hear(client, blocks(1, 0, 4)), [read_blocks(client, 1, WIDE, 0, 2)]);
    assert_eq!(mind.tell(given(client, 1)), [read_blocks(client, 1, WIDE, 2, 2)]);
    assert_eq!(mind.tell(given(client, 0)), [read_blocks(client, 0, FAROL - 1, 4, READ)]);
}

/// Those of the only block are that of the content: all others are none of it.
#[test]
fn hashes_are_those_of_the_blocks_there_are() {
    let mut mind = Mind::giving();
    for place in [SMALL, EMPTY] {
        let client = mind.fetching(place, place);
        assert_eq!(mind.hear(client, hashes(0, 0, 1)), [read_hashes(client, 0, place, 0, 1)]);
        let part = HashPart { fetch: 0, first: 0, hashes: vec![hash_at(place).0] };
        let out = mind.tell(hashes_read(client, 0, 0, Ok(part.hashes.clone())));
        assert_eq!(out, [send(client, Message::HashPart(part))]);
        assert_eq!(mind.tell(given(client, 0)), []);
        assert_eq!(mind.hear(client, hashes(0, 0, 2)), breach(client));
    }
    let client = mind.fetching(9, WIDE);
    let run = (163_840 - HASHES_MAX, HASHES_MAX);
    assert_eq!(mind.hear(client, hashes(0, run.0, run.1)), [read_hashes(client, 0, WIDE, run.0, run.1)]);
}

#[test]
fn to_want_what_is_not_there_breaks_the_protocol() {
    let count = 600;
    for wanted in [blocks, hashes] {
        for (first, wanted_count, is_there) in [
            (0, 1, true),
            (count - 1, 1, true),
            (count - 64, 64, true),
            (count, 1, false),
            (count - 1, 2, false),
            (count - 63, 64, false),
            (u32::MAX, 1, false),
            (u32::MAX, u32::MAX, false),
            (1, u32::MAX, false),
            (3, 0, false),
        ] {
            let mut mind = Mind::giving();
            let client = mind.fetching(1, FAROL);
            let out = mind.hear(client, wanted(0, first, wanted_count));
            match is_there {
                true => assert!(matches!(&out[..], [Output::Disk(_)]), "{first}, {wanted_count}: {out:?}"),
                false => assert_eq!(out, breach(client), "{first}, {wanted_count}"),
            }
            assert_eq!(mind.held("uploads"), usize::from(is_there));
        }
    }
}

#[test]
fn so_much_may_wait_to_be_read_for_a_fetch_and_no_more() {
    let mut mind = Mind::giving();
    let client = mind.fetching(1, FAROL);
    mind.opens(client, 1, FAROL);
    // One is read, and the others wait.
    for request in 0..=u32::try_from(UPLOAD_WANTED_MAX).unwrap() {
        let out = mind.hear(client, if request % 2 == 0 { blocks(0, request, 1) } else { hashes(0, request, 1) });
        assert_eq!(out.len(), usize::from(request == 0), "{out:?}");
    }
    // Those of another are counted by themselves.
    assert_eq!(mind.hear(client, blocks(1, 0, 1)).len(), 1);
    assert_eq!(mind.tell(given(client, 0)).len(), 1);
    assert_eq!(mind.hear(client, blocks(0, 0, 1)), []);
    assert_eq!(mind.hear(client, blocks(0, 0, 1)), breach(client));
    assert_eq!(mind.held("uploads"), 0);
}

#[test]
fn what_is_wanted_of_a_fetch_that_is_over_is_nothing() {
    let mut mind = Mind::giving();
    let client = mind.fetching(1, SMALL);
    // Whoever was refused does not know yet, and whatever it was may not be there at all.
    for wanted in [blocks(1, 0, 1), hashes(1, 0, 1), blocks(1, 262_143, 1)] {
        assert_eq!(mind.hear(client, wanted), []);
    }
    assert_eq!(mind.hear(client, blocks(0, 0, 1)), [read_blocks(client, 0, SMALL, 0, 1)]);
    mind.tell(unread(client, 0, &ReadFailure::Gone));
    assert_eq!(mind.hear(client, blocks(0, 0, 1)), []);
    // What is told of one that nobody knows changes nothing.
    for input in [given(client, 0), unread(client, 0, &ReadFailure::Gone), hashes_read(client, 8, 0, Ok(vec![[0; 32]]))]
    {
        assert_eq!(mind.tell(input), []);
    }
}

// ---- links that go ----

/// Or whoever comes and goes would have as much read at once as it likes.
#[test]
fn a_place_is_free_once_nothing_is_read_for_it_any_more() {
    let mut mind = Mind::giving();
    let links: Vec<LinkId> = (0..UPLOADS_MAX).map(|_| mind.client_at([127, 0, 0, 1])).collect();
    let is_free = |mind: &mut Mind| {
        let link = mind.client_at([127, 0, 0, 1]);
        let is_free = mind.hear(link, open(0, FAROL)) == [opened(link, 0, FAROL)];
        mind.closed(link);
        is_free
    };
    for link in &links {
        mind.opens(*link, 0, FAROL);
    }
    type ReadDone = fn(LinkId) -> Input;
    let wanted: [(Message, ReadDone); 4] = [
        (blocks(0, 0, 8), |link| given(link, 0)),
        (blocks(0, 0, 8), |link| unread(link, 0, &ReadFailure::Changed)),
        (hashes(0, 0, 8), |link| hashes_read(link, 0, 0, Ok(vec![[0; 32]; 8]))),
        (hashes(0, 0, 8), |link| hashes_read(link, 0, 0, Err(ReadFailure::Gone))),
    ];
    for ((wanted, done), link) in wanted.into_iter().zip(&links) {
        assert_eq!(mind.hear(*link, wanted).len(), 1);
        assert_eq!(mind.closed(*link), []);
        assert_eq!(mind.held("uploads"), UPLOADS_MAX - 1);
        assert!(!is_free(&mut mind));
        assert_eq!(mind.tell(done(*link)), [], "nobody is told, and nothing is read");
        assert!(is_free(&mut mind));
        // What had a place has it back.
        let again = mind.client_at([127, 0, 0, 1]);
        mind.opens(again, 0, FAROL);
    }
    // Of one that left nothing is withdrawn: it is seen by the next.
    assert_eq!(mind.names_listed().len(), 6);
    // For one for which nothing is read it is free at once.
    assert!(!is_free(&mut mind));
    mind.closed(links[60]);
    assert!(is_free(&mut mind));
    assert_eq!(mind.held("given_bytes"), 0, "nothing of it was given");
}

#[test]
fn whoever_leaves_gives_nothing_more() {
    let mut mind = Mind::giving();
    let client = mind.fetching(1, FAROL);
    mind.hear(client, blocks(0, 0, 64));
    assert_eq!(mind.tell(Input::Leave), goodbye(client, Goodbye::Leaving));
    assert_eq!(mind.tell(given(client, 0)), []);
    assert_eq!(mind.held("uploads"), 0);
}

// ---- what cannot be read ----

#[test]
fn a_file_that_is_not_what_it_was_is_given_to_nobody_until_it_was_looked_at_again() {
    for (failure, refusal) in [
        (ReadFailure::Changed, Refusal::Changed),
        (ReadFailure::Gone, Refusal::Gone),
        (ReadFailure::Failed("input/output error".to_owned()), Refusal::Gone),
    ] {
        for is_read_beside in [false, true] {
            let mut mind = Mind::giving();
            let links = [1, 2, 3].map(|number| mind.fetching(number, FAROL));
            mind.opens(links[0], 1, FAROL);
            mind.opens(links[1], 1, SMALL);
            for link in &links[..if is_read_beside { 2 } else { 1 }] {
                mind.hear(*link, blocks(0, 0, 9));
            }
            let out = mind.tell(unread(links[0], 0, &failure));
            // All that fetch it are told, once each: to ask again, since another file has the same content.
            let told = [(links[0], 0), (links[0], 1), (links[1], 0), (links[2], 0)];
            assert_eq!(out, told.map(|(link, fetch)| refused(link, fetch, Refusal::Busy)));
            assert_eq!(mind.held("uploads"), 1);
            // It is not there: what has the same content is.
            assert_eq!(mind.names_listed(), ["empty one", "farol", "hu.", "sm", "wide"]);
            mind.opens(links[2], 4, FAROL);
            assert_eq!(mind.hear(links[2], blocks(4, 0, 1)), [read_blocks(links[2], 4, FAROL, 0, 1)]);
            assert_eq!(mind.tell(unread(links[2], 4, &failure)), [refused(links[2], 4, refusal)]);
            assert_eq!(mind.hear(links[2], open(5, FAROL)), [refused(links[2], 5, Refusal::Gone)]);
            // Of its name the data says what it says.
            let client = mind.client(7);
            let ask = Ask::Key(Key::new(b"farol").unwrap());
            let out = mind.hear(client, Message::Request(Request { sequence: 1, ask, ttl: None }));
            let [Output::Send { message: Message::Answer(Answer { body, .. }), .. }, _] = &out[..] else {
                panic!("{out:?}")
            };
            assert_eq!(*body, AnswerBody::Value(b"lighthouse".to_vec()));
            // A look that is not whole, or failed, may not have come to it; what is told of others says nothing of it.
            for looked in
                [looked_and_nothing_new(false), looked_at(files(), false), looked_at(files()[..3].to_vec(), false)]
            {
                mind.looks_again(looked);
                assert!(!mind.names_listed().iter().any(|name| name.contains("farol")));
                mind.tell(Input::Disk(JobDone::LookedThrough(Err("it is a test".to_owned()))));
                assert!(!mind.names_listed().iter().any(|name| name.contains("farol")));
            }
            mind.looks_again(looked_and_nothing_new(true));
            mind.opens(links[2], 6, FAROL);
        }
    }
}

/// Whoever fetches could have good files withdrawn otherwise.
#[test]
fn hashes_that_cannot_be_read_end_one_fetch_and_the_file_stays() {
    for failure in [
        ReadFailure::Changed,
        ReadFailure::Gone,
        ReadFailure::Failed("input/output error".to_owned()),
        ReadFailure::NotTried("they are elsewhere now".to_owned()),
    ] {
        let mut mind = Mind::giving();
        let links = [1, 2].map(|number| mind.fetching(number, FAROL));
        for link in links {
            assert_eq!(mind.hear(link, hashes(0, 0, 9)), [read_hashes(link, 0, 0, 0, 9)]);
        }
        let out = mind.tell(hashes_read(links[0], 0, 0, Err(failure.clone())));
        assert_eq!(out, [refused(links[0], 0, Refusal::Busy)]);
        assert_eq!((mind.held("uploads"), mind.names_listed().len()), (1, 6), "{failure:?}");
        mind.opens(links[0], 0, FAROL);
        // One that is over is not ended once more.
        mind.closed(links[1]);
        assert_eq!(mind.tell(hashes_read(links[1], 0, 0, Err(failure))), []);
    }
}

/// Nothing is known of the file then.
#[test]
fn a_fetch_for_which_nothing_could_be_tried_is_over_alone() {
    let failure = ReadFailure::NotTried("there is no thread for it".to_owned());
    for is_hashes in [false, true] {
        let mut mind = Mind::giving();
        let links = [1, 2].map(|number| mind.fetching(number, FAROL));
        for link in links {
            mind.hear(link, if is_hashes { hashes(0, 0, 9) } else { blocks(0, 0, 9) });
        }
        let out = mind.tell(match is_hashes {
            true => hashes_read(links[0], 0, 0, Err(failure.clone())),
            false => unread(links[0], 0, &failure),
        });
        assert_eq!(out, [refused(links[0], 0, Refusal::Busy)]);
        assert_eq!((mind.held("uploads"), mind.names_listed().len()), (1, 6));
        mind.opens(links[0], 0, FAROL);
    }
}

/// What nobody shares any more is given to nobody, and hashes are read where they are now.
#[test]
fn what_is_shared_anew_holds_for_whoever_fetches() {
    for is_whole in [false, true] {
        let mut mind = Mind::giving();
        let links = [FAROL, EMPTY, SMALL, WIDE].map(|place| mind.fetching(place, place));
        for link in &links {
            mind.hear(*link, blocks(0, 0, 1));
        }
        let mut now = files();
        now.remove(SMALL);
        now[EMPTY].stamp.changed += 1;
        now.iter_mut().for_each(|file| file.hashes_at = 5_000);
        let out = mind.looks_again(looked_at(now, is_whole));
        assert_eq!(out, [refused(links[1], 0, Refusal::Changed), refused(links[2], 0, Refusal::Gone)]);
        let moved =
            |place: usize| Arc::new(SharedContent { hashes_at: 5_000, ..SharedContent::clone(&content_at(place)) });
        for (link, place) in [(links[0], 0), (links[3], WIDE)] {
            assert_eq!(mind.tell(given(link, 0)), []);
            let job = HashesToRead { link, fetch: 0, content: moved(place), first: 2, count: 3 };
            assert_eq!(mind.hear(link, hashes(0, 2, 3)), [Output::Disk(Job::ReadHashes(job))]);
        }
    }
}

// ---- time ----

#[test]
fn whoever_wants_nothing_for_long_loses_its_place() {
    let mut mind = Mind::giving();
    let client = mind.fetching(1, FAROL);
    assert_eq!(mind.gives_in(UPLOAD_IDLE_MAX - TICK), []);
    // Each thing that it wants gives it time.
    mind.hear(client, hashes(0, 0, 1));
    mind.tell(hashes_read(client, 0, 0, Ok(vec![[0; 32]])));
    mind.tell(given(client, 0));
    assert_eq!(mind.gives_in(UPLOAD_IDLE_MAX - TICK), []);
    mind.hear(client, blocks(0, 0, 8));
    assert_eq!(mind.gives_in(UPLOAD_IDLE_MAX - TICK), []);
    mind.tell(given(client, 0));
    assert_eq!(mind.gives_in(UPLOAD_IDLE_MAX - TICK), []);
    mind.tell(given(client, 0));
    mind.opens(client, 1, SMALL);
    mind.pass(seconds(1));
    mind.opens(client, 2, SMALL);
    let told = [0, 1].map(|fetch| (UPLOAD_IDLE_MAX - seconds(1), refused(client, fetch, Refusal::Busy)));
    assert_eq!(mind.gives_in(UPLOAD_IDLE_MAX - TICK), told);
    assert_eq!(mind.held("uploads"), 1);
    // Its link stands, and what it wants next is nothing to break the protocol.
    assert_eq!(mind.hear(client, blocks(0, 0, 1)), []);
    mind.opens(client, 0, FAROL);
}

#[test]
fn whoever_takes_nothing_of_what_it_wanted_is_closed() {
    let mut mind = Mind::giving();
    let [client, other] = [1, 2].map(|number| mind.fetching(number, FAROL));
    mind.opens(client, 1, SMALL);
    mind.opens(client, 2, FAROL);
    mind.hear(client, blocks(0, 0, 8));
    mind.hear(client, blocks(2, 0, 8));
    for fetch in [0, 2] {
        assert_eq!(mind.tell(giving(client, fetch)), []);
    }
    mind.pass(seconds(20));
    mind.hear(other, blocks(0, 0, 8));
    mind.hear(client, blocks(1, 0, 1));
    mind.tell(giving(client, 1));
    let gone = goodbye(client, Goodbye::Quiet).map(|output| (UPLOAD_IDLE_MAX - seconds(20), output));
    assert_eq!(mind.gives_in(seconds(20)), gone);
    assert_eq!(mind.held("uploads"), 1, "the other is none of it");
    // Nothing of it is left once what waited was let go of.
    for fetch in [0, 1, 2] {
        assert_eq!(mind.tell(given(client, fetch)), []);
    }
    assert_eq!(mind.tell(given(other, 0)), [read_blocks(other, 0, FAROL - 1, READ, READ)]);
}

/// However long all of it takes.
#[test]
fn whoever_takes_some_of_what_it_wanted_keeps_its_place() {
    let mut mind = Mind::giving();
    let client = mind.fetching(1, FAROL);
    mind.hear(client, blocks(0, 0, 8));
    mind.tell(giving(client, 0));
    for _ in 0..5 {
        assert_eq!(mind.gives_in(UPLOAD_IDLE_MAX - TICK), []);
        mind.tell(drained(client, 0));
    }
    let gone = goodbye(client, Goodbye::Quiet).map(|output| (UPLOAD_IDLE_MAX, output));
    assert_eq!(mind.gives_in(UPLOAD_IDLE_MAX), gone);
}

/// It has to have that first to want more: the last of what it wanted may be minutes of a slow line.
#[test]
fn whoever_takes_some_of_what_is_queued_wants_something() {
    let mut mind = Mind::giving();
    let client = mind.fetching(1, FAROL);
    mind.hear(client, blocks(0, 0, READ));
    mind.tell(given(client, 0));
    for _ in 0..5 {
        assert_eq!(mind.gives_in(UPLOAD_IDLE_MAX - TICK), []);
        assert_eq!(mind.tell(drained(client, 0)), []);
    }
    // It is told so, and keeps its link, once it takes nothing more: as one that has all and wants nothing.
    let told = [(UPLOAD_IDLE_MAX, refused(client, 0, Refusal::Busy))];
    assert_eq!(mind.gives_in(UPLOAD_IDLE_MAX), told);
    assert_eq!(mind.tell(drained(client, 0)), []);
    mind.opens(client, 0, FAROL);
    // Whoever waits for a slow disk waits no longer because it takes what was read before, and is not the one to blame.
    mind.hear(client, blocks(0, 0, 2 * READ));
    mind.tell(given(client, 0));
    mind.pass(seconds(20));
    mind.tell(drained(client, 0));
    let told = [(seconds(10), refused(client, 0, Refusal::Busy))];
    assert_eq!(mind.gives_in(UPLOAD_IDLE_MAX), told);
}

/// It is the disk that is slow then, and no fault of whoever waits for it.
#[test]
fn whoever_waits_for_what_is_not_read_is_told_to_come_later() {
    for is_hashes in [false, true] {
        let mut mind = Mind::giving();
        let client = mind.fetching(1, FAROL);
        mind.hear(client, if is_hashes { hashes(0, 0, 8) } else { blocks(0, 0, 8) });
        // What is there for another fetch is nothing of this one; its time is from when it was there.
        mind.opens(client, 1, FAROL);
        mind.hear(client, blocks(1, 0, 8));
        mind.pass(seconds(20));
        mind.tell(giving(client, 1));
        let told = [(seconds(10), refused(client, 0, Refusal::Busy))];
        assert_eq!(mind.gives_in(UPLOAD_IDLE_MAX - TICK), told);
        // It keeps its place as long as it is read for, and what comes of that is sent nobody.
        assert_eq!(mind.hear(client, open(0, FAROL)), breach(client));
        let done = if is_hashes { hashes_read(client, 0, 0, Ok(vec![[0; 32]; 8])) } else { given(client, 0) };
        assert_eq!(mind.tell(done), []);
        assert_eq!(mind.held("uploads"), 0);
    }
    // Hashes that were said wait for the client like blocks that are there.
    let mut mind = Mind::giving();
    let client = mind.fetching(1, FAROL);
    mind.hear(client, hashes(0, 0, 8));
    mind.pass(seconds(20));
    assert_eq!(mind.tell(hashes_read(client, 0, 0, Ok(vec![[0; 32]; 8]))).len(), 1);
    let gone = goodbye(client, Goodbye::Quiet).map(|output| (UPLOAD_IDLE_MAX, output));
    assert_eq!(mind.gives_in(seconds(40)), gone);
    // Of one that is over it says nothing.
    assert_eq!(mind.tell(giving(client, 0)), []);
}

/// How much is read for each link in so long, where what was read is queued so long after.
fn read_in(mind: &mut Mind, duration: Duration, queued_after: impl Fn(LinkId) -> Duration) -> BTreeMap<LinkId, u64> {
    let mut read: BTreeMap<LinkId, u64> = BTreeMap::new();
    let mut under_way: BTreeMap<(Time, LinkId), ()> = BTreeMap::new();
    let end = mind.now + duration;
    let mut turns = 0;
    loop {
        let deadline = mind.overlay.deadline();
        let next = under_way.first_key_value().map(|(key, ())| *key);
        let due = deadline.into_iter().chain(next.map(|(time, _)| time)).min().filter(|due| *due <= end);
        let Some(due) = due else { break };
        turns += 1;
        assert!(turns < 100_000, "it spins at {due:?}");
        mind.now = mind.now.max(due);
        let out = match next.filter(|(time, _)| *time <= due) {
            Some(key) => {
                under_way.remove(&key);
                mind.tell(given(key.1, 0))
            }
            None => {
                let out = mind.tell(Input::Deadline);
                assert!(mind.overlay.deadline().is_none_or(|next| next > mind.now), "it is due again");
                out
            }
        };
        for output in out {
            match output {
                Output::Disk(Job::ReadBlocks(BlocksToRead { link, count, .. })) => {
                    *read.entry(link).or_default() += u64::from(count) * BLOCK;
                    under_way.insert((mind.now + queued_after(link), link), ());
                    // It always wants more.
                    assert_eq!(mind.hear(link, blocks(0, 0, count)), []);
                }
                Output::Send { message: Message::Ping, .. } | Output::Disk(Job::LookThrough(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    read
}

#[test]
fn all_together_are_given_no_more_than_the_rate_and_each_as_much_as_the_others() {
    let minute = seconds(60);
    for rate in [1_000_000, 100_000] {
        let mut mind = Mind::giving_as(Config { share_bytes_per_second: Some(rate), ..Config::default() });
        let links = [1, 2, 3].map(|number| mind.fetching(number, FAROL));
        let mut first = Vec::new();
        for link in links {
            first.extend(mind.hear(link, blocks(0, 0, 16)));
        }
        assert_eq!(first, [read_blocks(links[0], 0, FAROL - 1, 0, READ)], "the others wait for the rate");
        mind.tell(given(links[0], 0));
        // One of them is slow to take what it wanted, but not slower than the rate.
        let mut read = read_in(&mut mind, minute, |link| milliseconds(if link == links[1] { 50 } else { 1 }));
        let at_once = BLOCKS_READ_BYTES_MAX as u64;
        *read.entry(links[0]).or_default() += at_once;
        let sum = read.values().sum::<u64>();
        let (least, most) = (60 * rate - 2 * at_once, 60 * rate + at_once);
        assert!(sum >= least && sum <= most, "{sum} bytes in a minute, where {least} to {most} are");
        let each: Vec<u64> = links.iter().map(|link| read.get(link).copied().unwrap_or_default()).collect();
        let (least, most) = (each.iter().min().unwrap(), each.iter().max().unwrap());
        assert!(most - least <= at_once, "{each:?}");
    }
}

/// Or whoever opens more has more of the rate.
#[test]
fn the_rate_is_shared_by_networks_and_of_each_by_what_it_fetches() {
    let rate = Some(10 * BLOCKS_READ_BYTES_MAX as u64);
    let mut mind = Mind::giving_as(Config { share_bytes_per_second: rate, ..Config::default() });
    let greedy = [11, 0, 0, 1];
    let mut of_greedy = Vec::new();
    for _ in 0..4 {
        let link = mind.client_at(greedy);
        for fetch in 0..4 {
            mind.opens(link, fetch, FAROL);
            of_greedy.push((link, fetch));
        }
    }
    let [single, pair] = [[11, 0, 0, 2], [11, 0, 0, 3]].map(|ip| mind.client_at(ip));
    let all: Vec<(LinkId, u32)> = of_greedy.iter().copied().chain([(single, 0), (pair, 0), (pair, 1)]).collect();
    for (link, fetch) in &all[of_greedy.len()..] {
        mind.opens(*link, *fetch, FAROL);
    }
    let mut turns = Vec::new();
    let note = |out: Vec<Output>, turns: &mut Vec<(LinkId, u32)>| {
        for output in out {
            if let Output::Disk(Job::ReadBlocks(BlocksToRead { link, fetch, .. })) = output {
                turns.push((link, fetch));
            }
        }
    };
    for (link, fetch) in &all {
        let out = mind.hear(*link, blocks(*fetch, 0, 64));
        note(out, &mut turns);
        for first in [64, 128, 192] {
            assert_eq!(mind.hear(*link, blocks(*fetch, first, 64)), []);
        }
    }
    const ROUNDS: usize = 32;
    while turns.len() < 3 * ROUNDS {
        let (link, fetch) = turns[turns.len() - 1];
        let out = mind.tell(given(link, fetch));
        assert_eq!(out, [], "it waits for the rate");
        // Nobody has the next turn sooner by opening another.
        if turns.len().is_multiple_of(10) {
            let late = mind.client_at(greedy);
            mind.opens(late, 0, FAROL);
            mind.hear(late, blocks(0, 0, 4));
            mind.closed(late);
        }
        let out = mind.gives_in(milliseconds(100)).into_iter().map(|(_, output)| output);
        note(out.collect(), &mut turns);
    }
    let count = |is_one: &dyn Fn(&(LinkId, u32)) -> bool| turns.iter().filter(|turn| is_one(turn)).count();
    assert_eq!(count(&|turn| of_greedy.contains(turn)), ROUNDS);
    assert_eq!(count(&|turn| *turn == (single, 0)), ROUNDS);
    for fetch in [0, 1] {
        assert_eq!(count(&|turn| *turn == (pair, fetch)), ROUNDS / 2);
    }
    for one in &of_greedy {
        assert_eq!(count(&|turn| turn == one), ROUNDS / of_greedy.len());
    }
}

/// However long that takes: it is the servent that keeps it waiting.
#[test]
fn whoever_waits_for_the_rate_is_not_idle() {
    let mut mind = Mind::giving_as(Config { share_bytes_per_second: Some(1_000), ..Config::default() });
    let [one, other, third] = [(1, FAROL), (2, FAROL), (3, WIDE)].map(|(number, place)| mind.fetching(number, place));
    let [cost, costs] = [BLOCK, 2 * BLOCK].map(|bytes| Duration::from_nanos(bytes * 1_000_000));
    assert_eq!(mind.hear(one, blocks(0, 0, 1)), [read_blocks(one, 0, FAROL - 1, 0, 1)]);
    assert_eq!(mind.hear(other, blocks(0, 5, 1)), []);
    assert_eq!(mind.hear(third, hashes(0, 5, 1000)), []);
    mind.tell(given(one, 0));
    assert_eq!(
        mind.gives_in(costs),
        [
            (UPLOAD_IDLE_MAX, refused(one, 0, Refusal::Busy)),
            (cost, read_blocks(other, 0, FAROL - 1, 5, 1)),
            // It is not read, and its time counts from when that was begun.
            (cost + UPLOAD_IDLE_MAX, refused(other, 0, Refusal::Busy)),
            (costs, read_hashes(third, 0, WIDE, 5, 1000)),
        ]
    );
    // Hashes are bytes too.
    mind.tell(hashes_read(third, 0, 5, Ok(vec![[0; 32]; 1000])));
    mind.tell(given(third, 0));
    mind.hear(third, blocks(0, 0, 1));
    let cost = Duration::from_nanos(32_000 * 1_000_000);
    assert_eq!(mind.gives_in(cost), [(cost, read_blocks(third, 0, WIDE, 0, 1))]);
}

#[test]
fn the_slowest_rate_and_the_fastest_are_kept() {
    for (rate, waits) in [(0, true), (1, true), (u64::MAX, false)] {
        let mut mind = Mind::giving_as(Config { share_bytes_per_second: Some(rate), ..Config::default() });
        let client = mind.fetching(1, FAROL);
        assert_eq!(mind.hear(client, blocks(0, 0, 8)).len(), 1);
        assert_eq!(mind.tell(given(client, 0)).len(), usize::from(!waits), "{rate}");
        // It says when it goes on, and does not turn meanwhile.
        assert!(mind.overlay.deadline().is_some_and(|due| due > mind.now));
    }
}

#[test]
fn where_nothing_is_given_nothing_is_due() {
    let mut mind = Mind::giving();
    mind.tell(Input::Deadline);
    let before = mind.overlay.deadline();
    let client = mind.fetching(1, FAROL);
    assert_eq!(mind.overlay.deadline(), Some(mind.now + UPLOAD_IDLE_MAX));
    mind.hear(client, blocks(0, 0, 1));
    mind.closed(client);
    assert_eq!(mind.overlay.deadline(), before, "what is still read is waited for by nobody");
}

// ---- what an open can say ----

/// No path comes from anybody: whatever is read was found by a hash in what was looked through.
#[test]
fn what_is_opened_is_named_by_nothing_but_its_hash() {
    let Open { fetch: 7, hash: ContentHash([_, ..]) } = (Open { fetch: 7, hash: hash_at(FAROL) }) else {
        panic!("another number")
    };
    let frame = frame(&open(7, FAROL));
    // A length, a stamp, the number of the message and of the fetch, and 32 bytes.
    assert_eq!(frame.len(), 4 + 1 + 1 + 1 + 32);
    assert_eq!(frame[7..], hash_at(FAROL).0);
    let mut mind = Mind::giving();
    let client = mind.fetching(1, FAROL);
    let out = mind.hear(client, blocks(0, 0, 1));
    let [Output::Disk(Job::ReadBlocks(BlocksToRead { content, .. }))] = &out[..] else { panic!("{out:?}") };
    assert!(files().iter().any(|file| file.name == content.name && file.stamp == content.stamp));
}
