//! What the links of a crowd hold that says more than a visit takes.

use super::*;
use common::content::transfer::BlockBytes;
use common::exchange::{Exchange, MESSAGES_PER_VISIT, READ_BYTES, Transport};
use common::features::Features;
use common::key::Key;
use common::limits::BLOCK_BYTES_MIN;
use common::wire::{Accepts, Frame, Position};

/// A crowd that says much at once: what is left over waits as the bytes it came in, and what is over is given back.
#[test]
fn links_that_have_more_to_say_than_a_visit_takes_hold_what_was_read_of_them_and_no_more() {
    const LINKS: usize = 200;
    // Of 10,000 clients, whose servent may have 64 MiB.
    const EACH_BYTES_MAX: usize = 64 * 1024 * 1024 / 10_000 - 1024;
    let links = || (0..).map(LinkId).take(LINKS);
    let request =
        frame(&Message::Request(Request { sequence: 1, ask: Ask::Key(Key::new(b"tea").expect("a key")), ttl: None }));
    let burst: Vec<u8> = request.iter().copied().cycle().take(READ_BYTES).collect();
    assert!(READ_BYTES / request.len() > 2 * MESSAGES_PER_VISIT as usize, "more than a visit takes");
    let hello = Message::Hello(Hello::new(Role::Client { answer_port: 9990 }));
    let hello =
        [&PREFACE, Frame::at(Position::First, Dialect::Native, 0, &hello).expect("a hello").as_bytes()].concat();
    let hear = |exchange: &mut Exchange| std::iter::from_fn(|| exchange.next_heard(Time::START, &mut Nowhere)).count();
    for rests in [false, true] {
        let (mut exchange, idle) = cost_of(|| {
            let mut exchange = Exchange::servent(Accepts::OWN);
            for link in links() {
                exchange.on_accepted(link, SocketAddr::from(([10, 0, 0, 1], 1)));
                exchange.receive(link, &hello);
            }
            assert_eq!(hear(&mut exchange), LINKS);
            exchange
        });
        let says = |exchange: &mut Exchange| {
            let mut heard = 0;
            for link in links() {
                exchange.receive(link, &burst);
                heard += hear(exchange);
                if rests {
                    exchange.perform(Time::START, 0, Output::Rest { link }, &mut Nowhere);
                }
            }
            heard
        };
        // The end of it is half a request.
        let before = held();
        let (heard, busy) = cost_of(|| says(&mut exchange));
        assert_eq!(heard, LINKS * MESSAGES_PER_VISIT as usize);
        let each = (idle.kept + busy.kept) / LINKS;
        assert!(each <= EACH_BYTES_MAX && busy.most <= busy.kept + 2 * EACH_BYTES_MAX, "{each}: {busy:?}");
        for link in links() {
            exchange.perform(Time::START, 0, Output::Resume { link }, &mut Nowhere);
        }
        while exchange.deadline() == Some(Time::START) {
            exchange.on_time(Time::START, &mut Nowhere);
            hear(&mut exchange);
        }
        let left = kept_since(before) / LINKS;
        assert!(left <= IDLE_LINK_BYTES_MAX, "{left} bytes of each are kept, rests: {rests}");
    }
}

/// Blocks are queued as they were read, and of what was given nothing stays.
#[test]
fn blocks_that_are_given_are_not_copied_and_leave_nothing_behind() {
    const BLOCKS: u32 = 4;
    let link = LinkId(7);
    let mut exchange = Exchange::servent(Accepts::OWN);
    exchange.on_accepted(link, SocketAddr::from(([10, 0, 0, 1], 1)));
    let hello = Hello { features: Features::OF_CLIENTS, ..Hello::new(Role::Client { answer_port: 9990 }) };
    let hello = Frame::at(Position::First, Dialect::Native, 0, &Message::Hello(hello)).expect("a hello");
    exchange.receive(link, &[&PREFACE, hello.as_bytes()].concat());
    assert!(exchange.next_heard(Time::START, &mut Nowhere).is_some());
    let own = Message::Hello(Hello::new(Role::Servent {
        id: ServentId(1),
        advertised: SocketAddr::from(([10, 0, 0, 2], 9000)),
    }));
    exchange.perform(Time::START, 0, Output::Send { link, message: own }, &mut Nowhere);
    exchange.flush(Time::START, &mut Nowhere);
    let read = || {
        let read = |block| {
            let read = BlockBytes::read_with(BLOCK_BYTES_MIN, |bytes| {
                bytes.resize(bytes.len() + BLOCK_BYTES_MIN, 7);
                Ok::<(), ()>(())
            });
            (block, read.expect("it is read"))
        };
        (0..BLOCKS).map(read).collect::<Vec<_>>()
    };
    let give = |exchange: &mut Exchange, blocks| {
        exchange.give(Time::START, 0, link, 3, blocks);
        // What is unsent goes on at each turn.
        while exchange.unsent_bytes_count(link) > 0 {
            exchange.on_writable(link);
            exchange.flush(Time::START, &mut Nowhere);
        }
        assert_eq!(exchange.take_given(), Some((link, 3)));
    };
    // Once, for what is kept for the next time.
    give(&mut exchange, read());
    let (blocks, reading) = cost_of(read);
    assert!(reading.most < BLOCKS as usize * (BLOCK_BYTES_MIN + 100), "read once: {reading:?}");
    let before = held();
    let ((), giving) = cost_of(|| give(&mut exchange, blocks));
    assert!(giving.most <= SLACK_BYTES, "they are copied: {giving:?}");
    assert_eq!(kept_since(before), 0, "and all of them are gone");
    assert!(before - held() >= isize::try_from(BLOCKS as usize * BLOCK_BYTES_MIN).expect("it is small"));
}

/// Connections that take everything.
struct Nowhere;

impl Transport for Nowhere {
    fn read(&mut self, _: LinkId, _: &mut [u8]) -> Result<Option<usize>, String> {
        Ok(None)
    }

    fn write(&mut self, _: LinkId, bytes: &[u8]) -> Result<usize, String> {
        Ok(bytes.len())
    }

    fn watch(&mut self, _: LinkId, _: bool, _: bool) -> Result<(), String> {
        Ok(())
    }

    fn shut(&mut self, _: LinkId) -> Result<(), String> {
        Ok(())
    }

    fn close(&mut self, _: LinkId) {}

    fn on_said(&mut self, _: LinkId, _: &Message, _: &Result<(), SendError>) {}
}
