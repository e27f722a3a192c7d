//! What the links of a crowd hold that says more than a visit takes.

use super::*;
use common::exchange::{Exchange, MESSAGES_PER_VISIT, READ_BYTES, Transport};
use common::key::Key;
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
