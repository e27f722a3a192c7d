//! What a servent's mind holds: idle, of queries it remembers, and of neighbors that come and go.

use std::sync::Arc;

use super::*;
use crate::support::mind::{answer_of, brought, client_hello, echo_of, mark, own_address, query, tea};
use common::address::{AnswerAddress, Neighbor};
use common::limits::{NEIGHBOR_BEAT, ROUTE_KEPT, SEEN_TP3_AGE_MAX};
use common::overlay::{Config, Dial, Input, Opening, Overlay};
use common::query::{ContactMark, Query, QueryId, Tally, Via};
use ipnet::IpNet;

/// Links a servent with another.
fn link(overlay: &mut Overlay, link: u64, opening: Opening, advertised: SocketAddr, out: &mut Vec<Output>) {
    let link = LinkId(link);
    overlay.handle(Time::START, Input::Opened { link, opening }, out);
    let role = Role::Servent { id: ServentId(100 + u128::from(link.0)), advertised };
    overlay.handle(Time::START, heard(link.0, Message::Hello(Hello::new(role))), out);
}

/// A servent that has dialled half of its neighbors and was dialled by the other half.
fn linked_servent(neighbors: u64) -> Overlay {
    let address = |number: u64| SocketAddr::from(([10, 0, 0, u8::try_from(number).expect("few")], 9000));
    let dialled = |number| {
        let address = address(number);
        Neighbor { name: address.to_string(), addresses: vec![address], dialect: Dialect::Native }
    };
    let config = Config {
        advertised: address(0),
        servent_id: ServentId(1),
        neighbors: (0..neighbors / 2).map(dialled).collect(),
        ..Config::default()
    };
    let mut overlay = Overlay::new(&config, Arc::new(Store::default()));
    let mut out = Vec::new();
    overlay.handle(Time::START, Input::Deadline, &mut out);
    for number in 0..neighbors {
        let opening = match usize::try_from(number) {
            Ok(target) if number < neighbors / 2 => Opening::Dialled(Dial::Neighbor(target)),
            _ => Opening::Accepted(address(number)),
        };
        link(&mut overlay, number, opening, address(number), &mut out);
    }
    overlay
}

#[test]
fn an_idle_servent_with_eight_neighbors_holds_512_bytes_at_most_and_knows_how_many() {
    let store_bytes = cost_of(|| Arc::new(Store::default())).1.kept;
    let (overlay, cost) = cost_of(|| linked_servent(8));
    assert_eq!(overlay.holding("neighbors"), Some(8));
    let held = overlay.memory_bytes();
    assert!(held <= 512, "{held}");
    // What is counted is what was allocated: all but the struct itself, which is here, and the store.
    assert_eq!(held - size_of::<Overlay>(), cost.kept - store_bytes);
}

/// A servent of its own address, with a neighbor it knows by name and another that dialled it, and what it heard.
fn busy_servent(advertised: SocketAddr, tp3_answers: &[IpNet], queries: u64, ttl: u8, dialect: Dialect) -> Overlay {
    let address = |port| SocketAddr::new(advertised.ip(), port);
    let named = Neighbor { name: "north.example".to_owned(), addresses: vec![address(1), address(2)], dialect };
    let config = Config {
        advertised,
        servent_id: ServentId(1),
        neighbors: vec![named],
        answer_networks: tp3_answers.to_vec(),
        ..Config::default()
    };
    let mut overlay = Overlay::new(&config, Arc::new(Store::default()));
    let mut out = Vec::new();
    overlay.handle(Time::START, Input::Deadline, &mut out);
    link(&mut overlay, 0, Opening::Dialled(Dial::Neighbor(0)), address(10), &mut out);
    link(&mut overlay, 1, Opening::Accepted(address(9)), address(10), &mut out);
    for sequence in 0..queries {
        let client = AnswerAddress { socket: address(7000), dialect };
        let contact = (dialect == Dialect::Native).then_some(mark(1, sequence, 0));
        let query = Query { client, contact, ttl, ..query(sequence, 1, tea()) };
        overlay.handle(Time::START, heard(1, Message::query(query)), &mut out);
    }
    overlay
}

fn heard(link: u64, message: Message) -> Input {
    Input::Received { link: LinkId(link), stamp: 0, message }
}

/// What the neighbor that dialled brings: a query of a contact that has it and others open.
fn copied(sequence: u64, contact: ContactMark, ttl: u8) -> Input {
    heard(1, Message::query(Query { contact: Some(contact), ttl, ..query(sequence, 1, tea()) }))
}

/// Of each query that is kept to be offered again what is around it is not counted: little, and the same for all.
fn uncounted_is_the_same_for_each(most: usize, uncounted: impl Fn(u64) -> usize) {
    let each = uncounted(1);
    assert!(each <= most, "{each}");
    for count in [2, 5, 100] {
        assert_eq!(uncounted(count) as u64, each as u64 * count, "{count} queries");
    }
}

/// A simulator asks at every event.
#[test]
fn what_a_servent_holds_is_told_without_memory() {
    let overlay = linked_servent(8);
    let (sum, cost) = cost_of(|| overlay.holdings().map(|holding| holding.value).sum::<u64>());
    assert_eq!((sum, cost.most), (16, 0), "eight neighbors, which are eight links");
}

/// Six of seven copies of a flood are such.
#[test]
fn a_copy_that_brings_nothing_new_takes_no_memory() {
    let mut overlay = busy_servent(own_address(), &[], 0, 0, Dialect::Native);
    let query = Arc::new(Query { contact: None, ..query(1, 1, tea()) });
    let mut out = Vec::with_capacity(4);
    for (is_new, said) in [(true, 1), (false, 2), (false, 3)] {
        let input = heard(1, Message::Query(Arc::clone(&query)));
        let ((), cost) = cost_of(|| overlay.handle(Time::START, input, &mut out));
        assert_eq!((cost.most > 0, out.len()), (is_new, said));
    }
    assert!(matches!(out[1], Output::Send { message: Message::Echo(_), .. }), "{out:?}");
}

#[test]
fn a_servent_that_remembers_queries_knows_how_much_it_holds() {
    let v4 = own_address();
    let v6 = SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 1], 9000));
    let network: IpNet = "10.0.0.0/8".parse().expect("a network");
    let store_bytes = cost_of(|| Arc::new(Store::default())).1.kept;
    for (advertised, networks) in [(v4, 0), (v6, 0), (v4, 1), (v6, 2)] {
        for dialect in [Dialect::Native, Dialect::Tp3] {
            let uncounted = |queries, ttl| {
                let networks = vec![network; networks];
                let (overlay, cost) = cost_of(|| busy_servent(advertised, &networks, queries, ttl, dialect));
                let seen = ["seen", "seen_by_age"].map(|name| overlay.holding(name).unwrap_or_default());
                assert_eq!(seen, if dialect == Dialect::Native { [queries, 0] } else { [0, queries] });
                let held = overlay.memory_bytes() - size_of::<Overlay>();
                (cost.kept - store_bytes).checked_sub(held).expect("no more than there is")
            };
            for queries in [0, 1, 3, 4, 5, 6, 100] {
                assert_eq!(uncounted(queries, 0), 0, "{queries} queries that end here");
            }
            // A query that is kept to be offered again counts for what it says; what is around it is the same for all.
            let each = uncounted(1, 3);
            assert!(each <= 64, "{each}");
            for queries in [3, 5, 100] {
                assert_eq!(uncounted(queries, 3) as u64, each as u64 * queries, "{queries} queries that go on");
            }
        }
    }
}

#[test]
fn what_is_remembered_of_queries_of_its_own_clients_is_counted_too() {
    uncounted_is_the_same_for_each(64, |count| {
        let mut overlay = busy_servent(own_address(), &[], 0, 3, Dialect::Native);
        let mut out = Vec::new();
        let opening = Opening::Accepted(own_address());
        overlay.handle(Time::START, Input::Opened { link: LinkId(7), opening }, &mut out);
        overlay.handle(Time::START, heard(7, client_hello(7000)), &mut out);
        // What is made with the first query is made, and is of no size that changes.
        let mut ask = |sequence| {
            let message = Message::Request(Request { sequence, ask: tea(), ttl: None });
            overlay.handle(Time::START, heard(7, message), &mut Vec::new());
            overlay.memory_bytes()
        };
        let before = ask(0);
        let (after, cost) = cost_of(|| (1..=count).map(&mut ask).last().unwrap_or(before));
        assert_eq!((overlay.holding("own_open"), overlay.holding("seen")), (Some(count + 1), Some(count + 1)));
        cost.kept.checked_sub(after - before).expect("no more than there is")
    });
}

#[test]
fn what_further_copies_of_a_query_take_is_counted_too() {
    uncounted_is_the_same_for_each(2 * 64, |count| {
        let mut overlay = busy_servent(own_address(), &[], 0, 3, Dialect::Native);
        let hear = |overlay: &mut Overlay, sequence, ttl| {
            overlay.handle(Time::START, copied(sequence, mark(7, sequence, 0), ttl), &mut Vec::new());
        };
        (0..count).for_each(|sequence| hear(&mut overlay, sequence, 1));
        let before = overlay.memory_bytes();
        let ((), cost) = cost_of(|| {
            for ttl in 2..=3 {
                (0..count).for_each(|sequence| hear(&mut overlay, sequence, ttl));
            }
        });
        assert_eq!(overlay.holding("pending"), Some(3 * count));
        cost.kept.checked_sub(overlay.memory_bytes() - before).expect("no more than there is")
    });
}

/// A copy as the neighbor that dialled brings it, and as it goes on from there.
fn passed_on(number: u64, via: Via) -> [Query; 2] {
    let came = Query { contact: Some(mark(7, number, 0)), via, ..query(number, 1, tea()) };
    [came.clone(), Query { ttl: came.ttl - 1, hops: came.hops + 1, ..came }]
}

#[test]
fn answers_that_are_kept_on_their_way_back_count_for_what_they_take() {
    for length in [0, 100, 6_000] {
        // Around each there is what counts who has it.
        uncounted_is_the_same_for_each(2 * size_of::<usize>(), |count| {
            let mut overlay = busy_servent(own_address(), &[], 0, 3, Dialect::Native);
            let [came, onward] = passed_on(0, Via::Back);
            let text = "x".repeat(length);
            let bring = |overlay: &mut Overlay| {
                let answer = answer_of(9, &text);
                overlay.handle(Time::START, heard(0, brought(&onward, &answer)), &mut Vec::new());
                overlay.memory_bytes()
            };
            overlay.handle(Time::START, heard(1, Message::query(came)), &mut Vec::new());
            let before = bring(&mut overlay);
            let (after, cost) = cost_of(|| (0..count).map(|_| bring(&mut overlay)).last().unwrap_or(before));
            assert_eq!(overlay.holding("brought"), Some(count + 1));
            cost.kept.checked_sub(after - before).expect("no more than there is")
        });
    }
}

#[test]
fn ways_back_that_are_kept_are_counted_and_let_go_of() {
    let mut overlay = busy_servent(own_address(), &[], 0, 3, Dialect::Native);
    let pass = |overlay: &mut Overlay, number| {
        let [came, onward] = passed_on(number, Via::Direct);
        let tally = Tally { reached: 1, answers: 1, ..Tally::default() };
        overlay.handle(Time::START, heard(1, Message::query(came)), &mut Vec::new());
        overlay.handle(Time::START, heard(0, echo_of(&onward, tally)), &mut Vec::new());
        onward
    };
    // The first that is asked for has them found.
    let first = pass(&mut overlay, 0);
    overlay.handle(Time::START, heard(0, brought(&first, &answer_of(9, "x"))), &mut Vec::new());
    let before = overlay.memory_bytes();
    let ((), cost) = cost_of(|| (1..1_000).for_each(|number| drop(pass(&mut overlay, number))));
    assert_eq!(overlay.holding("routes"), Some(1_000));
    assert_eq!(overlay.memory_bytes() - before, cost.kept);
    let held = overlay.memory_bytes();
    overlay.handle(Time::START + ROUTE_KEPT, Input::Deadline, &mut Vec::new());
    assert_eq!(overlay.holding("routes"), Some(0));
    let each = (held - overlay.memory_bytes()) / 1_000;
    assert!(each > size_of::<QueryId>(), "{each} bytes each");
}

/// Of any size, over a link that was asked nothing and over one that was.
#[test]
fn answers_that_nobody_asked_for_take_no_memory() {
    let mut overlay = busy_servent(own_address(), &[], 0, 3, Dialect::Native);
    let [came, onward] = passed_on(0, Via::Direct);
    overlay.handle(Time::START, heard(1, Message::query(came.clone())), &mut Vec::new());
    let answer = answer_of(9, &"x".repeat(6_000));
    let strays = [(1, onward.clone()), (0, came), (0, passed_on(1, Via::Direct)[1].clone())];
    let bring = |overlay: &mut Overlay| {
        for (link, stray) in &strays {
            overlay.handle(Time::START, heard(*link, brought(stray, &answer)), &mut Vec::new());
        }
    };
    bring(&mut overlay);
    let ((), cost) = cost_of(|| (0..1_000).for_each(|_| bring(&mut overlay)));
    assert_eq!((overlay.holding("unbrought"), cost.most), (Some(3_003), 0));
}

#[test]
fn forged_contacts_by_the_million_are_no_reason_to_grow() {
    let mut overlay = busy_servent(own_address(), &[], 0, 0, Dialect::Native);
    let mut now = Time::START;
    let mut forged = 0;
    let mut most = [0, 0];
    for round in 0..10 {
        for _ in 0..100_000 {
            forged += 1;
            // One in four is of a contact that may be known.
            let name = if forged % 4 == 0 { forged - forged % 1_000 } else { forged };
            overlay.handle(now, copied(forged, mark(name, forged, 0), 0), &mut Vec::new());
        }
        // Half a minute later, in which both neighbors are heard.
        for _ in 0..30 {
            for link in [0, 1] {
                overlay.handle(now, heard(link, Message::Pong), &mut Vec::new());
            }
            now = now + NEIGHBOR_BEAT;
            overlay.handle(now, Input::Deadline, &mut Vec::new());
        }
        let is_late = usize::from(round >= 5);
        most[is_late] = most[is_late].max(overlay.memory_bytes());
    }
    assert!(overlay.holding("over_share") > Some(500_000), "{:?}", overlay.holding("over_share"));
    assert!(most[0] < 32 * 1024 * 1024 && most[1] <= most[0] * 5 / 4, "{most:?}");
}

/// What a contact had open is over, and the contact itself is remembered for as long as it may be quiet: what it takes then is
/// not what it took before.
#[test]
fn contacts_that_had_much_open_hold_little_when_it_is_over() {
    const OPEN: u64 = 10_000;
    const CONTACTS: u64 = 30;
    let mut overlay = busy_servent(own_address(), &[], 0, 0, Dialect::Native);
    let mut sequence = 0;
    let mut most = 0;
    for name in 0..CONTACTS {
        for (number, open_from) in (0..OPEN).map(|number| (number, 0)).chain([(OPEN, OPEN)]) {
            sequence += 1;
            overlay.handle(Time::START, copied(sequence, mark(name, number, open_from), 0), &mut Vec::new());
        }
        if name == 0 {
            most = overlay.memory_bytes();
        }
    }
    assert_eq!(overlay.holding("contacts"), Some(CONTACTS));
    let now = overlay.memory_bytes();
    assert!(now <= most + 1024 * 1024, "{now} bytes, and {most} after the first");
}

/// Anybody may be linked and gone again as often as it likes, beside however much others ask.
#[test]
fn a_neighbor_that_comes_and_goes_costs_nothing_for_what_others_asked() {
    let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
    for ttl in [0, 3] {
        // With TTL 0 the echoes are kept, with more they are awaited.
        let mut overlay = busy_servent(address(9000), &[], 10_000, ttl, Dialect::Native);
        let kept = ["echoes_kept", "pending"].map(|name| overlay.holding(name));
        assert_eq!(kept, if ttl == 0 { [Some(10_000), Some(0)] } else { [Some(0), Some(10_000)] });
        let (link, mut out) = (LinkId(2), Vec::with_capacity(10));
        let opening = Opening::Accepted(address(20));
        overlay.handle(Time::START, Input::Opened { link, opening }, &mut out);
        let role = Role::Servent { id: ServentId(200), advertised: address(20) };
        let message = Message::Hello(Hello::new(role));
        let (_, cost) = cost_of(|| overlay.handle(Time::START, Input::Received { link, stamp: 0, message }, &mut out));
        assert!(cost.most <= SLACK_BYTES, "it comes, TTL {ttl}: {cost:?}");
        let closed = Input::Closed { link, reason: String::new() };
        let (_, cost) = cost_of(|| overlay.handle(Time::START, closed, &mut out));
        assert!(cost.most <= SLACK_BYTES, "it goes, TTL {ttl}: {cost:?}");
        assert_eq!(kept, ["echoes_kept", "pending"].map(|name| overlay.holding(name)));
    }
}

#[test]
fn a_servent_that_remembers_and_forgets_for_ever_does_not_grow() {
    for dialect in [Dialect::Native, Dialect::Tp3] {
        let mut overlay = busy_servent(own_address(), &[], 0, 0, dialect);
        let (mut now, mut sequence) = (Time::START, 0);
        let mut remember = |count: u64| {
            overlay.handle(now, heard(0, Message::Pong), &mut Vec::new());
            for _ in 0..count {
                sequence += 1;
                let client = AnswerAddress { dialect, ..query(0, 1, tea()).client };
                let query = Query { client, contact: None, ttl: 0, ..query(sequence, 1, tea()) };
                overlay.handle(now, heard(1, Message::query(query)), &mut Vec::new());
            }
            assert_eq!(overlay.holding("seen_by_age"), Some(count));
            now = now + SEEN_TP3_AGE_MAX;
            overlay.handle(now, Input::Deadline, &mut Vec::new());
            overlay.memory_bytes()
        };
        let first = (0..3).map(|_| remember(50)).max().unwrap_or(0);
        let last = (0..40).map(|_| remember(50)).max().unwrap_or(0);
        // A table may have to be made a little larger for what is taken out of it, once.
        assert!(last < first * 3 / 2, "{dialect:?}: {first}, then {last}");
    }
}
