//! Blocks that are given: how much of them is queued and written, what goes before them, and when their mind is told.
//!
//! Whose turn it is to be read for is `overlay/uploads.rs`.

use super::*;
use common::content::ContentHash;
use common::content::transfer::{Block, BlockBytes, BlocksWanted, HashPart, HashesWanted, Open};
use common::exchange::{BESIDE_KEPT, BULK_TURN_BYTES, BULK_TURN_BYTES_BESIDE, BULK_VISIT_BYTES_MIN, GIVING_TOLD_EVERY};
use common::features::Features;
use common::limits::{
    BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, BULK_UNSENT_BYTES_MAX, CLIENT_UNSENT_BYTES_MAX, FRAME_BYTES_MAX, HASHES_MAX,
    UPLOAD_IDLE_MAX, UPLOADS_MAX,
};

/// Blocks read at once.
const READ: u32 = 4;

fn bytes_of(block: u32, length: usize) -> Vec<u8> {
    vec![block.to_le_bytes()[0]; length]
}

fn read(blocks: std::ops::Range<u32>, length: usize) -> Vec<(u32, BlockBytes)> {
    let read = |block| {
        BlockBytes::read_with(length, |bytes| {
            bytes.extend(bytes_of(block, length));
            Ok::<(), ()>(())
        })
    };
    blocks.map(|block| (block, read(block).expect("it is read"))).collect()
}

fn block(fetch: u32, block: u32, length: usize) -> Message {
    Message::Block(Block { fetch, block, bytes: bytes_of(block, length) })
}

/// So long is what is said of a block of the least length.
fn frame_bytes(fetch: u32, number: u32) -> usize {
    frame(&block(fetch, number, BLOCK_BYTES_MIN)).len()
}

impl Desk {
    /// A client that has said hello and was greeted, and accepts frames of so many bytes.
    fn fetcher_of(&mut self, features: Features, frame_bytes_max: usize) -> LinkId {
        let link = self.new_link(Link::new(Dialect::Native, Purpose::Asking));
        self.exchange.on_accepted(link, SocketAddr::from(([192, 0, 2, 1], 1000)));
        let hello = Hello::new(Role::Client { answer_port: 7000 });
        let frame_bytes_max = u32::try_from(frame_bytes_max).expect("a short one");
        self.comes(link, &Message::Hello(Hello { features, frame_bytes_max, ..hello }));
        assert_eq!(self.heard().len(), 1);
        self.says(link, Message::Hello(Hello::new(servent())));
        self.flush();
        assert_eq!(self.told(link).len(), 1);
        link
    }

    fn fetcher(&mut self) -> LinkId {
        self.fetcher_of(Features::OF_CLIENTS, FRAME_BYTES_MAX)
    }

    /// Some that fetch, and nobody who asks beside them.
    fn fetchers<const COUNT: usize>() -> (Desk, [LinkId; COUNT]) {
        let mut desk = Desk::servent();
        let links = array::from_fn(|_| desk.fetcher());
        desk.now = desk.now + BESIDE_KEPT;
        (desk, links)
    }

    fn gives(&mut self, link: LinkId, fetch: u32, blocks: std::ops::Range<u32>, length: usize) {
        self.exchange.give(self.now, 0, link, fetch, read(blocks, length));
    }

    /// The fetches of which nothing waits any more.
    fn given(&mut self) -> Vec<(LinkId, u32)> {
        std::iter::from_fn(|| self.exchange.take_given()).collect()
    }

    /// The fetches for which something waits to be queued.
    fn giving(&mut self) -> Vec<(LinkId, u32)> {
        std::iter::from_fn(|| self.exchange.take_giving()).collect()
    }

    /// The fetches of which something was taken, and something is not written.
    fn drained(&mut self) -> Vec<(LinkId, u32)> {
        std::iter::from_fn(|| self.exchange.take_drained()).collect()
    }

    fn room(&mut self, link: LinkId, bytes_count: usize) {
        self.wires.at(link).room = bytes_count;
        self.exchange.on_writable(link);
    }

    /// Writes all there is, turn by turn.
    fn flush_all(&mut self, link: LinkId) {
        for _ in 0..100 {
            self.room(link, usize::MAX);
            self.flush();
        }
        assert!(self.exchange.is_flushed());
    }
}

#[test]
fn so_many_bytes_of_blocks_are_queued_and_the_mind_is_told_once_the_last_is() {
    let (mut desk, [link]) = Desk::fetchers();
    desk.room(link, 0);
    desk.gives(link, 0, 0..READ, BLOCK_BYTES_MIN);
    assert_eq!(desk.given(), [(link, 0)]);
    for fetch in [1, 2, 3] {
        desk.gives(link, fetch, 0..READ, BLOCK_BYTES_MIN);
    }
    let most = BULK_UNSENT_BYTES_MAX + frame_bytes(0, 0);
    let mut written = 0;
    let mut told = Vec::new();
    while !desk.exchange.is_flushed() {
        let queued = desk.exchange.unsent_bytes_count(link);
        assert!(queued <= most, "{queued} bytes are queued");
        // While something waits there is as much queued as there may be.
        assert!(told.len() == 3 || queued >= BULK_UNSENT_BYTES_MAX, "{queued} bytes are queued");
        desk.room(link, 10_000);
        desk.flush();
        written += 10_000;
        for (of, fetch) in desk.given() {
            assert_eq!((of, fetch), (link, u32::try_from(told.len()).unwrap() + 1));
            // All of it but what is queued was written.
            let before = (fetch as usize + 1) * READ as usize * frame_bytes(0, 0);
            assert!(before <= written + most, "{fetch} after {written} bytes");
            told.push(fetch);
        }
    }
    assert_eq!(told, [1, 2, 3]);
    let all: Vec<Message> =
        (0..4).flat_map(|fetch| (0..READ).map(move |number| block(fetch, number, BLOCK_BYTES_MIN))).collect();
    assert_eq!(desk.told(link), all);
    assert_eq!(desk.exchange.unsent_bytes_count(link), 0);
}

/// Or a slow disk would be taken for a slow client, or a slow client for a slow disk.
#[test]
fn the_mind_is_told_for_whom_something_waits_to_be_queued() {
    let (mut desk, [link, other]) = Desk::fetchers();
    for link in [link, other] {
        desk.room(link, 0);
        desk.gives(link, 0, 0..READ, BLOCK_BYTES_MIN);
    }
    assert_eq!(desk.giving(), [], "what is queued waits for nobody");
    desk.gives(link, 1, 0..READ, BLOCK_BYTES_MIN);
    desk.gives(link, 2, 0..READ, BLOCK_BYTES_MIN);
    desk.gives(other, 1, 0..READ, BLOCK_BYTES_MIN);
    assert_eq!(desk.deadline(), Some(Duration::ZERO));
    assert_eq!(desk.giving(), [(link, 1), (link, 2), (other, 1)]);
    assert_eq!(desk.giving(), []);
    // Nor is it told of links that are gone.
    desk.gives(link, 3, 0..1, BLOCK_BYTES_MIN);
    desk.gives(other, 3, 0..1, BLOCK_BYTES_MIN);
    desk.ends(link);
    assert_eq!(desk.giving(), [(other, 3)]);
}

/// A block of a megabyte, and three behind that, take longer than anybody waits for one that takes nothing.
#[test]
fn as_long_as_a_client_takes_something_the_mind_is_told_so_now_and_then() {
    let (mut desk, [link]) = Desk::fetchers();
    desk.room(link, 0);
    (0..4).for_each(|fetch| desk.gives(link, fetch, 0..1, BLOCK_BYTES_MAX));
    assert_eq!((desk.giving(), desk.given()), (vec![(link, 1), (link, 2), (link, 3)], vec![(link, 0)]));
    // What is queued is not taken yet: it can be as much as that takes, and its client wants nothing more before it has it.
    let all = [0, 1, 2, 3].map(|fetch| (link, fetch));
    let tick = Duration::from_nanos(1);
    // By bytes, and not by blocks; and no more often than it is worth.
    for (later, room, told) in [
        (GIVING_TOLD_EVERY - tick, 1, &[][..]),
        (tick, 0, &[]),
        (tick, 1, &all),
        (Duration::ZERO, 1, &[]),
        (GIVING_TOLD_EVERY - tick, 1, &[]),
        (tick, 1, &all),
        // What was taken while nobody was told is not told later: nothing is taken then.
        (UPLOAD_IDLE_MAX, 0, &[]),
        (tick, 1, &all),
        (UPLOAD_IDLE_MAX, BLOCK_BYTES_MAX, &all),
    ] {
        desk.now = desk.now + later;
        desk.room(link, room);
        desk.flush();
        assert_eq!(desk.drained(), told, "{later:?} later, {room} bytes");
    }
    assert_eq!(desk.giving(), [], "what waits is told once");
    // Of what is written it is told no more.
    desk.room(link, BLOCK_BYTES_MAX);
    desk.flush();
    assert_eq!(desk.given(), [(link, 1)]);
    desk.now = desk.now + GIVING_TOLD_EVERY;
    desk.room(link, BLOCK_BYTES_MAX);
    desk.flush();
    assert_eq!(desk.drained(), all[1..]);
    // Nor of links that are gone.
    desk.now = desk.now + GIVING_TOLD_EVERY;
    desk.room(link, 1);
    desk.flush();
    desk.ends(link);
    assert_eq!(desk.drained(), []);
}

/// Or whoever has the last of one content, and wants nothing more of it, would keep its place for as long as it fetches another.
#[test]
fn of_what_is_written_nothing_is_told_while_others_are_given_on_the_same_link() {
    let (mut desk, [link]) = Desk::fetchers();
    let length = frame_bytes(0, 0);
    desk.room(link, 0);
    desk.gives(link, 7, 0..1, BLOCK_BYTES_MIN);
    // In turn with another one, and in two parts.
    desk.gives(link, 8, 0..2, BLOCK_BYTES_MIN);
    desk.gives(link, 7, 1..2, BLOCK_BYTES_MIN);
    assert_eq!(desk.given(), [7, 8, 7].map(|fetch| (link, fetch)), "all of it is queued");
    for (bytes, told) in
        [(1, &[8, 7][..]), (length, &[8, 7]), (2 * length - 2, &[8, 7]), (1, &[7]), (length - 1, &[7]), (1, &[])]
    {
        desk.now = desk.now + GIVING_TOLD_EVERY;
        desk.room(link, bytes);
        desk.flush();
        let told: Vec<(LinkId, u32)> = told.iter().map(|fetch| (link, *fetch)).collect();
        assert_eq!(desk.drained(), told, "after {bytes} bytes");
    }
    // Whoever takes all of it at once is told nothing about: it costs nothing to be quick.
    for number in 0..20 {
        desk.now = desk.now + GIVING_TOLD_EVERY;
        desk.gives(link, 7, number..number + 1, BLOCK_BYTES_MIN);
        desk.room(link, usize::MAX);
        desk.flush();
        assert_eq!((desk.drained(), desk.giving()), (Vec::new(), Vec::new()));
        assert_eq!((desk.given(), desk.deadline()), (vec![(link, 7)], None));
    }
}

/// They are said like messages, and are no less than blocks are.
#[test]
fn of_hashes_no_more_is_queued_than_of_blocks() {
    let (mut desk, [link]) = Desk::fetchers();
    desk.room(link, 0);
    let mut said = Vec::new();
    for fetch in 0..4 {
        desk.gives(link, fetch, 0..READ, BLOCK_BYTES_MIN);
        said.extend((0..READ).map(|number| block(fetch, number, BLOCK_BYTES_MIN)));
    }
    assert_eq!(desk.given(), [(link, 0)]);
    // A fetch of which all is queued goes on with hashes, one part after the other.
    let part = |first| Message::HashPart(HashPart { fetch: 0, first, hashes: vec![[7; 32]; HASHES_MAX as usize] });
    let mut next = 0;
    let mut other = 1;
    desk.says(link, part(next));
    said.push(part(next));
    while next < 40 {
        assert!(desk.exchange.unsent_bytes_count(link) <= BULK_UNSENT_BYTES_MAX + frame_bytes(0, 0));
        desk.room(link, 20_000);
        desk.flush();
        for given in desk.given() {
            if given == (link, 0) {
                next += 1;
                desk.says(link, part(next));
                said.push(part(next));
            } else {
                assert_eq!(given, (link, other));
                other += 1;
            }
        }
    }
    assert_eq!(other, 4);
    desk.flush_all(link);
    assert_eq!(desk.told(link), said);
    assert_eq!(desk.given(), [(link, 0)]);
    // For a link that is gone they are dropped, and that is told.
    desk.closes(link);
    desk.says(link, part(0));
    assert_eq!(desk.given(), [(link, 0)]);
}

#[test]
fn one_long_block_is_queued_however_long_it_is_and_no_second() {
    let (mut desk, [link]) = Desk::fetchers();
    desk.room(link, 0);
    desk.gives(link, 0, 0..1, BLOCK_BYTES_MAX);
    desk.gives(link, 1, 0..1, BLOCK_BYTES_MAX);
    assert_eq!(desk.given(), [(link, 0)]);
    let long = frame(&block(0, 0, BLOCK_BYTES_MAX)).len();
    assert_eq!(desk.exchange.unsent_bytes_count(link), long);
    desk.room(link, BULK_TURN_BYTES);
    desk.flush();
    assert_eq!(desk.given(), []);
    desk.room(link, long - BULK_TURN_BYTES - BULK_UNSENT_BYTES_MAX + 1);
    desk.flush();
    assert_eq!(desk.given(), [(link, 1)], "there is room for one as soon as there is for a byte");
    desk.flush_all(link);
    assert_eq!(desk.told(link), [block(0, 0, BLOCK_BYTES_MAX), block(1, 0, BLOCK_BYTES_MAX)]);
}

#[test]
fn messages_go_before_blocks_and_never_into_one() {
    let (mut desk, [link]) = Desk::fetchers();
    desk.gives(link, 0, 0..READ, BLOCK_BYTES_MIN);
    desk.says(link, Message::Pong);
    // One that is begun is written to its end first, wherever that is cut.
    for (room, said) in [(frame(&Message::Pong).len() + 1, 7), (frame_bytes(0, 0) - 1, 300), (5, 5)] {
        desk.room(link, room);
        desk.flush();
        desk.says(link, answer(said));
    }
    desk.gives(link, 3, 9..10, 0);
    desk.flush_all(link);
    let number = |number| block(0, number, BLOCK_BYTES_MIN);
    let expected = [Message::Pong, number(0), answer(7), answer(300), answer(5)];
    let told = desk.told(link);
    assert_eq!(told[..5], expected);
    assert_eq!(told[5..], [number(1), number(2), number(3), block(3, 9, 0)]);
}

#[test]
fn a_turn_writes_so_much_of_blocks_and_goes_on_when_there_is_room() {
    let (mut desk, [link]) = Desk::fetchers();
    for fetch in 0..4 {
        desk.gives(link, fetch, 0..READ, BLOCK_BYTES_MIN);
    }
    desk.flush();
    assert_eq!((desk.wires.at(link).written.len(), desk.wires.at(link).waits_for_room), (BULK_TURN_BYTES, true));
    // Nothing is written again before there is said to be room.
    desk.flush();
    assert_eq!(desk.wires.at(link).written.len(), BULK_TURN_BYTES);
    // What is said goes on with it, and is no part of the turn.
    desk.says(link, answer(BLOCK_BYTES_MAX));
    desk.exchange.on_writable(link);
    desk.flush();
    let said = frame(&answer(BLOCK_BYTES_MAX)).len();
    assert_eq!(desk.wires.at(link).written.len(), 2 * BULK_TURN_BYTES + said);
    desk.flush_all(link);
    assert!(!desk.wires.at(link).waits_for_room);
    assert_eq!(desk.told(link).len(), 17);
}

#[test]
fn the_links_of_a_turn_share_it_and_each_has_some() {
    for (count, each) in [(2, BULK_TURN_BYTES / 2), (8, BULK_TURN_BYTES / 8), (16, BULK_VISIT_BYTES_MIN)] {
        let mut desk = Desk::servent();
        let links: Vec<LinkId> = (0..count).map(|_| desk.fetcher()).collect();
        desk.now = desk.now + BESIDE_KEPT;
        for link in &links {
            (0..2).for_each(|fetch| desk.gives(*link, fetch, 0..READ, BLOCK_BYTES_MIN));
        }
        for turn in 1..3 {
            desk.flush();
            let written: BTreeSet<usize> = links.iter().map(|link| desk.wires.at(*link).written.len()).collect();
            assert_eq!(written, BTreeSet::from([turn * each]), "{count}");
            links.iter().for_each(|link| desk.exchange.on_writable(*link));
        }
    }
}

/// However many there are: or whoever asks beside them would wait for all of them.
#[test]
fn a_turn_writes_no_more_of_blocks_for_many_links_and_each_has_some_in_turn() {
    const LINKS: usize = UPLOADS_MAX;
    for (is_beside, turn_bytes) in [(false, BULK_TURN_BYTES), (true, BULK_TURN_BYTES_BESIDE)] {
        let (mut desk, links) = Desk::fetchers::<LINKS>();
        let asker = desk.neighbor();
        desk.now = desk.now + BESIDE_KEPT;
        for link in &links {
            desk.gives(*link, 0, 0..READ, BLOCK_BYTES_MIN);
        }
        let written = |desk: &mut Desk| links.map(|link| desk.wires.at(link).written.len());
        let turns = LINKS * BULK_VISIT_BYTES_MIN / turn_bytes;
        for round in 1..4 {
            for turn in 0..turns {
                if is_beside {
                    desk.comes(asker, &Message::Ping);
                    assert_eq!(desk.heard().len(), 1);
                }
                // In whatever order they have room.
                let mut order = links;
                order.rotate_left(turn * 7 % LINKS);
                order.iter().for_each(|link| desk.exchange.on_writable(*link));
                let before: usize = written(&mut desk).iter().sum();
                // What is said waits for none of it, where no block was begun.
                desk.says(asker, Message::Pong);
                desk.flush();
                let bytes: usize = written(&mut desk).iter().sum::<usize>() - before;
                assert_eq!(bytes, turn_bytes, "in one turn of {LINKS} links");
                assert_eq!(desk.told(asker).last(), Some(&Message::Pong));
            }
            assert_eq!(written(&mut desk), [round * BULK_VISIT_BYTES_MIN; LINKS], "all have as much");
        }
    }
}

#[test]
fn while_others_ask_a_turn_writes_less_of_blocks() {
    let (mut desk, [link, fetcher]) = Desk::fetchers();
    let asker = desk.neighbor();
    desk.now = desk.now + BESIDE_KEPT;
    let tick = Duration::from_nanos(1);
    let turn = |desk: &mut Desk| {
        let before = desk.wires.at(link).written.len();
        desk.gives(link, 0, 0..READ, BLOCK_BYTES_MIN);
        desk.gives(link, 1, 0..READ, BLOCK_BYTES_MIN);
        desk.room(link, usize::MAX);
        desk.flush();
        let written = desk.wires.at(link).written.len() - before;
        desk.flush_all(link);
        desk.told(link);
        written
    };
    assert_eq!(turn(&mut desk), BULK_TURN_BYTES);
    desk.comes(asker, &Message::Ping);
    assert_eq!(desk.heard().len(), 1);
    for (later, bytes) in [
        (Duration::ZERO, BULK_TURN_BYTES_BESIDE),
        (BESIDE_KEPT - tick, BULK_TURN_BYTES_BESIDE),
        (tick, BULK_TURN_BYTES),
    ] {
        desk.now = desk.now + later;
        assert_eq!(turn(&mut desk), bytes);
    }
    // What is said to be given something is no reason, though nothing is given just then.
    for wanted in [
        Message::Open(Open { fetch: 1, hash: ContentHash([1; 32]) }),
        Message::HashesWanted(HashesWanted { fetch: 1, first: 0, count: 1 }),
        Message::BlocksWanted(BlocksWanted { fetch: 1, first: 0, count: 1 }),
    ] {
        desk.comes(fetcher, &wanted);
        assert_eq!(desk.heard().len(), 1);
        assert_eq!(turn(&mut desk), BULK_TURN_BYTES, "{wanted:?}");
    }
    // What those say to whom something is given is about that.
    desk.room(fetcher, 0);
    desk.gives(fetcher, 0, 0..1, BLOCK_BYTES_MIN);
    desk.comes(fetcher, &Message::Ping);
    assert_eq!(desk.heard().len(), 1);
    let before = desk.wires.at(link).written.len();
    desk.gives(link, 0, 0..READ, BLOCK_BYTES_MIN);
    desk.flush();
    assert!(desk.wires.at(link).written.len() - before > BULK_TURN_BYTES_BESIDE);
}

// ---- links that go ----

#[test]
fn a_link_that_is_closed_ends_the_block_it_has_begun_and_drops_all_others() {
    for begun in [0, 1, 1_000] {
        let (mut desk, [link]) = Desk::fetchers();
        desk.room(link, begun);
        for fetch in 0..3 {
            desk.gives(link, fetch, 0..READ, BLOCK_BYTES_MIN);
        }
        desk.flush();
        assert_eq!(desk.given(), [(link, 0)]);
        desk.says(link, Message::Goodbye(Goodbye::Quiet));
        desk.closes(link);
        // What was read is dropped, and that is told once.
        assert_eq!(desk.given(), [(link, 1), (link, 2)]);
        assert!(desk.exchange.unsent_bytes_count(link) < frame_bytes(0, 0) + 100);
        desk.room(link, usize::MAX);
        desk.flush();
        let block = (begun > 0).then(|| block(0, 0, BLOCK_BYTES_MIN));
        let expected: Vec<Message> = block.into_iter().chain([Message::Goodbye(Goodbye::Quiet)]).collect();
        assert_eq!(desk.told(link), expected);
        assert_eq!(desk.wires.at(link).shut_count, 1);
        // What is read later for it comes to nothing, and is told as well.
        desk.gives(link, 0, 4..8, BLOCK_BYTES_MIN);
        assert_eq!((desk.given(), desk.exchange.is_flushed()), (vec![(link, 0)], true));
        desk.goes_on(LINGER_MAX);
        assert_eq!((desk.given(), desk.exchange.connections_count()), (Vec::new(), 0));
    }
}

#[test]
fn what_waits_for_a_link_that_is_lost_is_dropped_and_its_mind_is_told() {
    let (mut desk, [link, other]) = Desk::fetchers();
    desk.room(link, 0);
    for fetch in 0..4 {
        desk.gives(link, fetch, 0..READ, BLOCK_BYTES_MIN);
    }
    desk.gives(other, 0, 0..READ, BLOCK_BYTES_MIN);
    assert_eq!(desk.given(), [(link, 0), (other, 0)]);
    desk.wires.at(link).is_broken = true;
    desk.room(link, usize::MAX);
    desk.flush();
    // Before its mind knows that the link is gone it would have more read.
    assert_eq!(desk.given(), []);
    assert_eq!(desk.heard(), [closed(link, "it broke")]);
    assert_eq!(desk.deadline(), Some(Duration::ZERO), "there is something to be told");
    assert_eq!(desk.given(), [(link, 1), (link, 2), (link, 3)]);
    assert_eq!(desk.deadline(), None);
    desk.gives(link, 1, 4..8, BLOCK_BYTES_MIN);
    desk.gives(LinkId(12_345), 0, 4..8, BLOCK_BYTES_MIN);
    assert_eq!(desk.given(), [(link, 1), (LinkId(12_345), 0)]);
    desk.flush_all(other);
    assert_eq!(desk.told(other).len(), READ as usize, "the other is none of it");
}

/// All of it was queued, and its mind does not know yet.
#[test]
fn nothing_more_is_read_for_a_link_that_is_gone() {
    let (mut desk, [link]) = Desk::fetchers();
    desk.gives(link, 0, 0..READ, BLOCK_BYTES_MIN);
    desk.ends(link);
    assert_eq!(desk.given(), []);
    assert_eq!(desk.heard(), [closed(link, "it is over")]);
    assert_eq!(desk.given(), [(link, 0)]);
    // One that its mind has closed is known to be.
    let (mut desk, [link]) = Desk::fetchers();
    desk.gives(link, 0, 0..READ, BLOCK_BYTES_MIN);
    desk.closes(link);
    assert_eq!((desk.given(), desk.given()), (vec![(link, 0)], Vec::new()));
}

// ---- what cannot be said ----

#[test]
fn a_block_that_the_other_end_would_not_take_is_dropped_and_told_as_given() {
    let mut desk = Desk::servent();
    let length = frame(&block(0, 0, BLOCK_BYTES_MIN)).len();
    let short = desk.fetcher_of(Features::OF_CLIENTS, length);
    let unknowing = desk.fetcher_of(Features::NONE, FRAME_BYTES_MAX);
    let tp3 = desk.accepts(Dialect::Tp3);
    desk.comes(tp3, &tp3_request());
    desk.heard();
    desk.gives(short, 0, 0..1, BLOCK_BYTES_MIN);
    desk.gives(short, 1, 1..2, BLOCK_BYTES_MIN + 100);
    desk.gives(short, 2, 2..3, 0);
    desk.gives(unknowing, 0, 0..READ, 3);
    desk.gives(tp3, 0, 0..READ, 3);
    let given = [(short, 0), (short, 1), (short, 2), (unknowing, 0), (tp3, 0)];
    assert_eq!(desk.given(), given);
    desk.flush_all(short);
    assert_eq!(desk.told(short), [block(0, 0, BLOCK_BYTES_MIN), block(2, 2, 0)]);
    assert!(desk.wires.at(unknowing).written.is_empty() && desk.wires.at(tp3).written.is_empty());
    assert!(desk.exchange.is_known(unknowing) && desk.exchange.is_flushed());
}

fn tp3_request() -> Message {
    let ask = Ask::Key(Key::new(b"tea").expect("a key"));
    Message::Request(Request { sequence: 0, ask, ttl: None })
}

/// Or whoever reads all it can would be taken for one that reads nothing.
#[test]
fn a_block_that_is_begun_is_no_reason_to_take_a_queue_for_full() {
    let (mut desk, [link]) = Desk::fetchers();
    desk.gives(link, 0, 0..2, BLOCK_BYTES_MAX);
    desk.room(link, 10);
    desk.flush();
    desk.wires.at(link).room = usize::MAX;
    // More at once than may be unsent.
    let count = CLIENT_UNSENT_BYTES_MAX / BLOCK_BYTES_MAX + 2;
    for _ in 0..count {
        desk.says(link, answer(BLOCK_BYTES_MAX));
    }
    assert!(desk.exchange.is_known(link));
    desk.flush_all(link);
    let told = desk.told(link);
    assert_eq!((told.len(), &told[0]), (count + 2, &block(0, 0, BLOCK_BYTES_MAX)));
    assert_eq!(told[1..=count], vec![answer(BLOCK_BYTES_MAX); count]);
    // One that reads nothing is still found out.
    desk.gives(link, 0, 0..1, BLOCK_BYTES_MAX);
    desk.room(link, 10);
    desk.flush();
    for _ in 0..count {
        desk.says(link, answer(BLOCK_BYTES_MAX));
    }
    assert!(!desk.exchange.is_known(link));
    let [(lost, Heard::Closed(reason))] = &desk.heard()[..] else { panic!("it is not lost") };
    assert!(*lost == link && reason.starts_with("it does not read"), "{reason}");
}

#[test]
fn blocks_are_said_under_the_stamp_at_which_they_were_given() {
    let (mut desk, [link]) = Desk::fetchers();
    desk.exchange.give(desk.now, 7, link, 0, read(0..1, 5));
    desk.exchange.give(desk.now, 1 << 40, link, 1, read(1..2, 5));
    desk.flush();
    let written = std::mem::take(&mut desk.wires.at(link).written);
    let other = desk.others.get_mut(&link).expect("another end");
    other.receive(&written);
    let heard: Vec<(u64, Message)> = std::iter::from_fn(|| other.next_stamped().expect("messages")).collect();
    assert_eq!(heard, [(7, block(0, 0, 5)), (1 << 40, block(1, 1, 5))]);
}

/// The mind would wait for ever.
#[test]
fn what_is_nothing_is_given_at_once() {
    let (mut desk, [link]) = Desk::fetchers();
    desk.gives(link, 5, 0..0, 1);
    assert_eq!(desk.given(), [(link, 5)]);
    desk.flush();
    assert_eq!((desk.told(link), desk.deadline()), (Vec::new(), None));
}
