//! What the log says of one query: the lines that whoever looks for its id finds, in the order in which they were said.

// A test of its own uses only some of what there is.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::cell::RefCell;
use std::time::Duration;

use common::dialect::Dialect;
use common::key::Key;
use common::limits::{KEY_BYTES_MAX, TTL_FROM_OTHERS_MAX};
use common::link::LinkId;
use common::message::{Hello, Message, Role};
use common::query::{Ask, Query};

use sim::world::story_world::{ClientPlan, Hearing, NodeId, ServentPlan, StoryWorld};
use support::mind::{self, Mind, milk, tea};

const DELAY: Duration = Duration::from_millis(10);

thread_local! {
    static SAID: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Keeps what is said of queries, each thread its own: a world lives in one.
struct Keeper;

impl log::Log for Keeper {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == "query"
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            assert_eq!(record.level(), log::Level::Debug);
            SAID.with_borrow_mut(|said| said.push(record.args().to_string()));
        }
    }

    fn flush(&self) {}
}

fn keep_what_is_said() {
    // Whichever test comes first.
    let _ = log::set_logger(&Keeper);
    log::set_max_level(log::LevelFilter::Debug);
}

fn one_mind() -> Mind {
    keep_what_is_said();
    Mind::new()
}

fn neighbor_in_tp3(mind: &mut Mind) -> LinkId {
    let link = mind.stranger();
    mind.hear(link, Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless)));
    link
}

/// A world of servents with these names and data, linked like this.
fn world(servents: &[(&str, &str)], links: &[(&str, &str)]) -> StoryWorld {
    keep_what_is_said();
    let mut world = StoryWorld::new(DELAY);
    for (name, data) in servents {
        world.servent(ServentPlan::new(name, data));
    }
    for (from, to) in links {
        let from = world.find(from).unwrap();
        world.lists(from, to);
    }
    world.start_all();
    world.run();
    world
}

/// Asks for tea at a servent, lets everything come to its end, and returns what was said of the query without its id,
/// with names for addresses.
fn story(world: &mut StoryWorld, contact: &str) -> Vec<String> {
    let client = client(world, contact);
    let id = world.ask(client, tea()).unwrap().to_string();
    world.run();
    told(world, &id)
}

fn client(world: &mut StoryWorld, contact: &str) -> NodeId {
    let client = world.client(ClientPlan::new("client", world.find(contact).unwrap()));
    world.run();
    client
}

fn told(world: &StoryWorld, id: &str) -> Vec<String> {
    assert!(!id.contains(' '), "one word");
    let said = SAID.take();
    let of_it = said.iter().filter_map(|line| line.strip_prefix(id)?.strip_prefix(' '));
    let named = of_it.map(|line| {
        let name = |line: String, node| line.replace(&world.address(node).to_string(), world.name(node));
        world.everybody().fold(line.to_owned(), name)
    });
    named.collect()
}

#[test]
fn a_diamond() {
    let mut world = world(
        &[("top", ""), ("left", ""), ("right", ""), ("bottom", "tea green")],
        &[("top", "left"), ("top", "right"), ("left", "bottom"), ("right", "bottom")],
    );
    assert_eq!(
        story(&mut world, "top"),
        [
            "asked with TTL 4: ? tea",
            "passed on to 2 neighbors with TTL 3: left right",
            "heard from top with TTL 3: ? tea",
            "passed on to 1 neighbor with TTL 2: bottom",
            "heard from top with TTL 3: ? tea",
            "passed on to 1 neighbor with TTL 2: bottom",
            "heard from left with TTL 2: ? tea",
            "answered with 5 bytes",
            "passed on to 1 neighbor with TTL 1: right",
            "duplicate from right with TTL 2, heard first from left with TTL 2",
            "echoed to right: reached 0, duplicates 1",
            "duplicate from bottom with TTL 1, heard first from top with TTL 3",
            "echoed to bottom: reached 0, duplicates 1",
            "echoed to top: reached 1, copies 1, duplicates 1",
            "answer sent",
            "echoed to left: reached 1, answers 1, copies 1, duplicates 1",
            "echoed to top: reached 2, answers 1, copies 2, duplicates 1",
            "finished: reached 4, answers 1, copies 5, duplicates 2",
        ]
    );
}

#[test]
fn a_chain_longer_than_the_ttl() {
    let mut world = world(
        &[("a", ""), ("b", ""), ("c", ""), ("d", ""), ("e", ""), ("f", "tea green")],
        &[("a", "b"), ("b", "c"), ("c", "d"), ("d", "e"), ("e", "f")],
    );
    assert_eq!(
        story(&mut world, "a"),
        [
            "asked with TTL 4: ? tea",
            "passed on to 1 neighbor with TTL 3: b",
            "heard from a with TTL 3: ? tea",
            "passed on to 1 neighbor with TTL 2: c",
            "heard from b with TTL 2: ? tea",
            "passed on to 1 neighbor with TTL 1: d",
            "heard from c with TTL 1: ? tea",
            "passed on to 1 neighbor with TTL 0: e",
            "heard from d with TTL 0: ? tea",
            "ended by the TTL: 1 neighbor not asked",
            "echoed to d: reached 1, stopped 1",
            "echoed to c: reached 2, copies 1, stopped 1",
            "echoed to b: reached 3, copies 2, stopped 1",
            "echoed to a: reached 4, copies 3, stopped 1",
            "finished: reached 5, copies 4, stopped 1",
        ]
    );
}

/// The copy that took the short way arrives later, and with more TTL.
#[test]
fn a_fast_long_way() {
    let mut world = world(
        &[("a", ""), ("b", ""), ("c", ""), ("d", ""), ("e", "tea green")],
        &[("a", "b"), ("b", "c"), ("c", "d"), ("a", "d"), ("d", "e")],
    );
    let (a, d) = (world.find("a").unwrap(), world.find("d").unwrap());
    world.set_delay(a, d, Duration::from_millis(300));
    assert_eq!(
        story(&mut world, "a"),
        [
            "asked with TTL 4: ? tea",
            "passed on to 2 neighbors with TTL 3: b d",
            "heard from a with TTL 3: ? tea",
            "passed on to 1 neighbor with TTL 2: c",
            "heard from b with TTL 2: ? tea",
            "passed on to 1 neighbor with TTL 1: d",
            "heard from c with TTL 1: ? tea",
            "passed on to 2 neighbors with TTL 0: a e",
            "duplicate from d with TTL 0, asked first by its client",
            "echoed to d: reached 0, duplicates 1",
            "heard from d with TTL 0: ? tea",
            "answered with 5 bytes",
            "echoed to d: reached 1, answers 1",
            "answer sent",
            "heard again from a with TTL 3: it may go further",
            "passed on to 2 neighbors with TTL 2: c e",
            "duplicate from d with TTL 2, heard first from b with TTL 2",
            "echoed to d: reached 0, duplicates 1",
            "heard again from d with TTL 2: it may go further",
            "echoed to d: reached 0",
            "echoed to a: reached 0, copies 2, duplicates 1",
            "echoed to c: reached 2, answers 1, copies 2, duplicates 1",
            "echoed to b: reached 3, answers 1, copies 3, duplicates 1",
            "echoed to a: reached 4, answers 1, copies 4, duplicates 1",
            "finished: reached 5, answers 1, copies 8, duplicates 2",
        ]
    );
}

#[test]
fn a_link_that_falls_under_a_copy() {
    let mut world = world(&[("a", ""), ("b", "tea green")], &[("a", "b")]);
    let (a, b) = (world.find("a").unwrap(), world.find("b").unwrap());
    let client = client(&mut world, "a");
    let id = world.ask(client, tea()).unwrap().to_string();
    world.run_for(DELAY + DELAY / 2);
    world.cut(a, b);
    world.run();
    assert_eq!(
        told(&world, &id),
        [
            "asked with TTL 4: ? tea",
            "passed on to 1 neighbor with TTL 3: b",
            "offered again to b with TTL 3",
            "heard from a with TTL 3: ? tea",
            "answered with 5 bytes",
            "echoed to a: reached 1, answers 1",
            "finished: reached 2, answers 1, copies 2",
            "answer sent",
        ]
    );
}

#[test]
fn a_neighbor_that_is_lost_under_a_copy() {
    let mut world = world(&[("a", ""), ("b", "tea green")], &[("a", "b")]);
    let (a, b) = (world.find("a").unwrap(), world.find("b").unwrap());
    let client = client(&mut world, "a");
    let id = world.ask(client, tea()).unwrap().to_string();
    world.run_for(DELAY + DELAY / 2);
    world.cut(a, b);
    world.kill(b);
    world.run_for(Duration::from_secs(10));
    assert_eq!(
        told(&world, &id),
        [
            "asked with TTL 4: ? tea",
            "passed on to 1 neighbor with TTL 3: b",
            "lost 1 echo: waited for too long",
            "finished: reached 1, copies 1, lost 1",
        ]
    );
}

/// A world speaks the native dialect alone, so this is one mind by itself.
#[test]
fn a_neighbor_that_knows_no_echoes() {
    let mut mind = one_mind();
    let link = neighbor_in_tp3(&mut mind);
    mind.hear(link, Message::query(Query { contact: None, ttl: 2, ..mind::query(7, 3, milk()) }));
    // The wire of its dialect drops the echo.
    assert_eq!(
        SAID.take(),
        [
            "00000007@11.0.0.3:7000 heard from 10.2.0.0:40000 with TTL 2: ? milk",
            "00000007@11.0.0.3:7000 not echoed, 10.2.0.0:40000 knows no echoes: reached 1",
        ]
    );
}

/// Its neighbor's dialect has no words for so long a key.
#[test]
fn a_neighbor_that_cannot_be_told() {
    let mut mind = one_mind();
    let asker = mind.neighbor(2);
    neighbor_in_tp3(&mut mind);
    let long = Ask::Key(Key::new(&[b'x'; KEY_BYTES_MAX]).unwrap());
    for ttl in [1, 0] {
        mind.hear(asker, Message::query(Query { ttl, ..mind::query(7 + u64::from(ttl), 3, long.clone()) }));
    }
    let heard = |ttl| format!("heard from 10.1.0.0:2 with TTL {ttl}: ? {} and 3,996 more bytes", "x".repeat(100));
    let ids = ["00000008@11.0.0.3:7000", "00000007@11.0.0.3:7000"];
    assert_eq!(
        SAID.take(),
        [
            format!("{} {}", ids[0], heard(1)),
            format!(
                "{} not told 1 neighbor, whose dialect has no words for it or who did not offer to understand it",
                ids[0]
            ),
            format!("{} echoed to 10.1.0.0:2: reached 1, lost 1", ids[0]),
            format!("{} {}", ids[1], heard(0)),
            format!("{} ended by the TTL: 1 neighbor not asked", ids[1]),
            format!("{} echoed to 10.1.0.0:2: reached 1, stopped 1", ids[1]),
        ]
    );
}

/// One mind by itself, to which more is said than anybody says who keeps to the rules.
#[test]
fn a_ttl_that_is_cut_and_a_request_made_twice() {
    let mut mind = one_mind();
    let neighbor = mind.neighbor(2);
    mind.hear(neighbor, Message::query(Query { ttl: TTL_FROM_OTHERS_MAX + 2, ..mind::query(7, 4, milk()) }));
    let client = mind.client(3);
    for _ in 0..2 {
        mind.hear(client, mind::request(8));
    }
    let said = SAID.take();
    let of =
        |id: &str, verb: &str| said.iter().filter(|line| line.starts_with(&format!("{id} {verb}"))).collect::<Vec<_>>();
    assert_eq!(
        of("00000007@11.0.0.4:7000", "heard"),
        ["00000007@11.0.0.4:7000 heard from 10.1.0.0:2 with TTL 9, cut to 7: ? milk"]
    );
    assert_eq!(of("00000008@11.0.0.3:7000", "asked").len(), 2, "{said:?}");
    assert_eq!(
        of("00000008@11.0.0.3:7000", "duplicate"),
        ["00000008@11.0.0.3:7000 duplicate from its client with TTL 4, asked first by its client"]
    );
}

/// The same: what a mind says of copies that it does not believe, or has no room for.
#[test]
fn copies_that_are_refused() {
    let mut mind = one_mind();
    let [one, other] = [1, 2].map(|id| mind.neighbor(id));
    let query = |sequence, contact| Query { contact, ttl: 0, ..mind::query(sequence, 1, tea()) };
    let known = |number, open_from| Some(mind::mark(7, number, open_from));
    let mut said_of = |link, query: Query| {
        SAID.take();
        mind.hear(link, Message::query(query));
        // What it is told is its tally's words.
        SAID.take()
            .into_iter()
            .filter(|line| !line.contains(" ended by ") && !line.contains(" answer"))
            .collect::<Vec<_>>()
    };
    let from = |id: u64, link: u64| (format!("{id:08x}@11.0.0.1:7000"), format!("from 10.1.0.0:{link} with TTL 0"));
    let lines = |id: u64, link: u64, what: &str, tally: &str| {
        let (id, from) = from(id, link);
        [format!("{id} {}", what.replace("{from}", &from)), format!("{id} echoed to 10.1.0.0:{link}: {tally}")]
    };
    said_of(one, query(1, known(5, 0)));
    said_of(one, query(2, known(9, 6)));
    let spoilt = lines(3, 2, "refused {from}: its contact has it open no more", "reached 0, lost 1, spoilt 1");
    assert_eq!(said_of(other, query(3, known(5, 0))), spoilt);
    let taken =
        lines(3, 2, "refused {from}: it cannot be true beside what is known of it", "reached 0, lost 1, spoilt 1");
    assert_eq!(said_of(other, query(3, known(9, 0))), taken, "another has this number");
    let contradicts = lines(2, 2, "refused {from}: it cannot be true beside what is known of it", "reached 0, lost 1");
    assert_eq!(said_of(other, query(2, known(8, 6))), contradicts, "it has another number");
    said_of(one, query(4, None));
    let silently =
        lines(4, 2, "duplicate {from}, heard first from 10.1.0.0:1 with TTL 0", "reached 0, duplicates 1, silent 1");
    assert_eq!(said_of(other, query(4, known(10, 0))), silently);

    // One neighbor has its share, and then many have all there is.
    let mut sequence = 10;
    let mut refused = Vec::new();
    for id in 3..40 {
        SAID.take();
        let link = mind.neighbor(id);
        loop {
            sequence += 1;
            mind.hear(link, Message::query(query(sequence, None)));
            let of_this = SAID.take().into_iter().find(|line| line.contains(" refused "));
            if let Some(line) = of_this {
                assert!(
                    line.starts_with(&format!("{sequence:08x}@11.0.0.1:7000 refused from 10.1.0.0:{id} with TTL 0: "))
                );
                refused.push(line.split_once("TTL 0: ").unwrap().1.to_owned());
                break;
            }
        }
    }
    refused.dedup();
    assert_eq!(refused, ["it, or its contact, has its share", "there is no room to remember it"]);
}

#[test]
fn a_long_key_is_a_short_line() {
    let mut world = world(&[("a", "")], &[]);
    let client = client(&mut world, "a");
    for (length, rest) in [(KEY_BYTES_MAX, " and 3,996 more bytes"), (100, "")] {
        let id = world.ask(client, Ask::Key(Key::new(&vec![b'x'; length]).unwrap())).unwrap().to_string();
        world.run();
        let said = told(&world, &id);
        assert_eq!(said[0], format!("asked with TTL 4: ? {}{rest}", "x".repeat(100)));
    }
}

#[test]
fn a_client_that_no_dial_reaches() {
    // Its contact has found that out when it came, or only others do.
    for (hearing, knows) in [(Hearing::Deaf, true), (Hearing::Near, false)] {
        let mut world = world(&[("a", ""), ("b", "tea green")], &[("a", "b")]);
        let client = world.client(ClientPlan { hearing, ..ClientPlan::new("client", world.find("a").unwrap()) });
        world.run();
        let id = world.ask(client, tea()).unwrap().to_string();
        world.run();
        let begins = [
            "asked with TTL 4: ? tea",
            "passed on to 1 neighbor with TTL 3: b",
            "heard from a with TTL 3: ? tea",
            "answered with 5 bytes",
        ];
        let ends = if knows {
            &[
                "answer of b brought to neighbor a",
                "echoed to a: reached 1, answers 1",
                "answer of b handed to its client",
                "finished: reached 2, answers 1, copies 1",
            ][..]
        } else {
            &[
                "echoed to a: reached 1, answers 1",
                "finished: reached 2, answers 1, copies 1",
                "answer not dialled: its client cannot be reached, so it goes back",
                "answer of b brought to neighbor a",
                "answer of b handed to its client",
            ]
        };
        assert_eq!(told(&world, &id), [&begins[..], ends].concat(), "{hearing:?}");
    }
}
