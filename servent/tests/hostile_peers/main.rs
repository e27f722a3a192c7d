//! Neighbors and clients that mean harm, against real servents: they flood, forge, and stop reading.
//!
//! While they do, honest clients ask and must hear every answer. What the mind itself makes of a flood is tested at its
//! doors, in `common`; what a file and the machine do to a servent is in `hostile/load.rs`, and those who lie about members
//! are in `liars.rs`.
//!
//! They are a program of their own, of which few are under way at a time: each takes whatever the machine has, and beside
//! more it is late.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod liars;
#[path = "../support/mod.rs"]
mod support;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::limits::{
    CALL_REST_MIN, CONTACTS_MAX, KEY_BYTES_MAX, NEIGHBOR_UNSENT_BYTES_MAX, OFFERS_KEPT_BYTES_MAX, PLACES_FREE,
    QUERIES_PENDING_MAX, SEEN_IDS_MAX, SPAN_MAX,
};
use common::message::{Brought, Echo, Message, Request, ServentId};
use common::query::{
    AnswerBody, Ask, BroughtAnswer, BroughtBody, ContactMark, ContactName, Path, Query, QueryId, Tally, Via,
};
use peers::{Attack, Honest, PATIENCE, Peer, ask};
use rustix::process::Signal;
use support::{DataFile, Process, tea};
use topologies::fleet::program;

/// How long an attack goes on.
const ATTACK: Duration = Duration::from_secs(5);

/// How long it may take at most until it has done what it can, beside others and on a machine with much else to do.
const LONG: Duration = PATIENCE.saturating_mul(4);

/// Forged queries between two honest ones.
const FORGED_AT_ONCE: usize = 100;

/// What a query remembered may cost, with its places in every table.
const SEEN_BYTES_MAX: usize = 512;

/// What a servent may take in memory while it is attacked: its seen set full, and what is read and written at a turn.
const MEMORY_BYTES_MAX: usize = SEEN_IDS_MAX * SEEN_BYTES_MAX + 32 * 1024 * 1024;

/// How much of it may come in each third of the second half of an attack: by then the attacker has its share of every
/// place. In one of them a queue may reach what it has not reached before; what is lost is lost in all.
const GROWTH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// After so many queries of an attack that are over a neighbor has its share of contacts, and more than it may of ids and of
/// what is pending. Those that are said and not over may still lie in a socket.
const HASTY: u64 = (PLACES_FREE + CONTACTS_MAX) as u64;

/// Until this is dropped, only so many others are under way.
fn turn() -> MutexGuard<'static, ()> {
    static TURNS: [Mutex<()>; 3] = [const { Mutex::new(()) }; 3];
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    TURNS[NEXT.fetch_add(1, Ordering::Relaxed) % TURNS.len()].lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(data: &str, neighbors: &[SocketAddr]) -> Process {
    let mut command = Command::new(program("servent").unwrap());
    // What its loop took is for those who look into it.
    command
        .env("RUST_LOG", "info,servent::server=debug")
        .args(["0", data])
        .args(neighbors.iter().map(SocketAddr::to_string));
    let mut servent = Process::start(&mut command);
    servent.wait_for_log("linked with neighbor", neighbors.len());
    servent
}

/// A number that looks like any other, made of this one.
fn scrambled(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb)
}

/// A query nobody asked, of a client that is nowhere and a contact that is nobody.
fn forged(number: u64, ask: Ask) -> Query {
    let name = ContactName(scrambled(!number));
    let contact = Some(ContactMark { name, number: 0, open_from: 0 });
    Query { contact, ..forged_without_contact(number, ask) }
}

/// The same as it would come over TP3.
fn forged_without_contact(number: u64, ask: Ask) -> Query {
    let random = scrambled(number + 1);
    let [a, b, c, port_high, port_low, ttl, ..] = random.to_be_bytes();
    let socket = SocketAddr::from((Ipv4Addr::new(127, a | 128, b, c), u16::from_be_bytes([port_high | 128, port_low])));
    let client = AnswerAddress { socket, dialect: Dialect::Native };
    Query {
        via: Via::Direct,
        sequence: random,
        client,
        contact: None,
        ttl: ttl % 8,
        hops: 1 + ttl % 7,
        ask,
        path: Path::default(),
    }
}

/// The same of one contact that has as many open as can be said.
fn forged_of_one_contact(number: u64, ask: Ask) -> Query {
    let open_from = number.saturating_sub(SPAN_MAX);
    let contact = Some(ContactMark { name: ContactName(7), number, open_from });
    Query { contact, ..forged_without_contact(number, ask) }
}

/// A chain of three: nothing, nothing, and the one that holds tea.
fn chain(data: &DataFile) -> [Process; 3] {
    let holder = start(data.path(), &[]);
    let middle = start("-", &[holder.address]);
    let first = start("-", &[middle.address]);
    [first, middle, holder]
}

/// Ends a servent that was attacked and must not have noticed, and says what its loop took.
fn end(mut servent: Process, what: &str) {
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0), "{:?}", servent.log);
    let pauses = servent
        .log
        .iter()
        .find_map(|line| Some(line.split_once("] ")?.1).filter(|said| said.contains("turns of the loop")));
    println!("{what}: {}", pauses.unwrap());
}

/// Attacks the middle of a chain while clients of both its first and its middle ask. Before the first half is over, so
/// many messages have been replied to at least.
fn attacked(what: &str, replies_min: u64, start: impl FnOnce(SocketAddr) -> Option<Attack>) {
    let _turn = turn();
    let data = tea();
    let servents = chain(&data);
    let [first, middle, _] = &servents;
    let mut clients = [Honest::new(first.address, 1), Honest::new(middle.address, 1)];
    let attack = start(middle.address);
    let replies = || attack.as_ref().map_or(0, Attack::heard);
    let mut ask_for = |time, replies_min| {
        let start = Instant::now();
        while start.elapsed() < time || replies() < replies_min {
            assert!(Instant::now() < start + LONG, "{} messages of the attack are replied to", replies());
            clients.iter_mut().for_each(Honest::ask);
        }
        servents.each_ref().map(|servent| servent.memory().now)
    };
    let half_way = ask_for(ATTACK / 2, replies_min);
    let thirds = [(); 3].map(|()| ask_for(ATTACK / 6, 0));
    let said = attack.map_or(0, Attack::end);
    let [far, near] = clients;
    far.report(&format!("{what}, {said} messages, a client one link away"));
    near.report(&format!("{what}, {said} messages, a client of the same servent"));
    for (number, half_way) in half_way.into_iter().enumerate() {
        let later = thirds.map(|third| third[number]);
        println!("{what}: {} KiB half way, then {:?}", half_way >> 10, later.map(|bytes| bytes >> 10));
        let before = std::iter::once(half_way).chain(later);
        let growth_min = std::iter::zip(before, later).map(|(before, then)| then.saturating_sub(before)).min();
        assert!(growth_min.is_some_and(|bytes| bytes < GROWTH_BYTES_MAX), "{half_way}, {later:?}");
        assert!(later.iter().all(|&bytes| bytes < MEMORY_BYTES_MAX), "{half_way}, {later:?}");
    }
    let [_, middle, _] = servents;
    end(middle, what);
}

#[test]
fn without_an_attack_this_is_what_it_takes() {
    attacked("idle", 0, |_| None);
}

#[test]
fn a_neighbor_that_forges_contacts_without_end_harms_nobody() {
    attacked("forged contacts", HASTY, |to| {
        Some(Attack::start(to, false, |number| Message::query(forged(number, ask("milk")))))
    });
}

#[test]
fn a_neighbor_that_forges_queries_of_one_contact_without_end_harms_nobody() {
    attacked("forged queries of one contact", HASTY, |to| {
        Some(Attack::start(to, false, |number| Message::query(forged_of_one_contact(number, ask("milk")))))
    });
}

#[test]
fn a_neighbor_that_forges_queries_without_a_contact_and_without_end_harms_nobody() {
    attacked("forged queries without a contact", HASTY, |to| {
        Some(Attack::start(to, false, |number| Message::query(forged_without_contact(number, ask("milk")))))
    });
}

#[test]
fn a_neighbor_that_says_anything_it_may_without_end_harms_nobody() {
    let anything = |number| match number % 4 {
        0 => Message::Ping,
        1 => Message::Pong,
        2 => Message::query(forged(number % 64, ask("milk"))),
        _ => {
            let random = scrambled(number);
            let id = QueryId { sequence: random, client: forged(number, ask("milk")).client.socket };
            Message::Echo(Echo { id, ttl: 2, tally: Tally { reached: random, answers: random, ..Tally::default() } })
        }
    };
    // Half of them are.
    attacked("pings, echoes, duplicates", HASTY / 2, |to| Some(Attack::start(to, false, anything)));
}

#[test]
fn a_neighbor_that_brings_without_end_what_nobody_asked_for_harms_nobody() {
    const PING_EVERY: u64 = 100;
    let answer = |number: u64| {
        let body = BroughtBody::Whole(AnswerBody::Value(b"forged".to_vec()));
        BroughtAnswer {
            id: ServentId(u128::from(scrambled(!number))),
            from: ([192, 0, 2, 7], 9).into(),
            name: None,
            hops: 1,
            body,
        }
    };
    let brings = move |number| match number % PING_EVERY {
        // Only these are replied to.
        0 => Message::Ping,
        _ => {
            let [ttl, ..] = scrambled(number).to_be_bytes();
            let contact = ContactName(scrambled(number + 1));
            let number = number % 64;
            Message::Brought(Brought { contact, number, ttl: ttl % 8, answer: answer(number).into() })
        }
    };
    attacked("answers nobody asked for", HASTY / PING_EVERY, |to| Some(Attack::start(to, false, brings)));
}

#[test]
fn a_client_that_asks_without_end_harms_nobody() {
    let request = |sequence| Message::Request(Request { sequence, ask: ask("milk"), ttl: None });
    attacked("a hasty client", HASTY, |to| Some(Attack::start(to, true, request)));
}

/// A debug build takes ten times as long for a dial, so it is spared some: what is measured is not how it is built.
const ONE_IN: u64 = if cfg!(debug_assertions) { 8 } else { 2 };

/// The first programs of this kind could be made to dial somebody a thousand times by one forged packet.
#[test]
fn forged_addresses_are_dialled_a_bounded_number_of_times() {
    let _turn = turn();
    let data = tea();
    let servents = [start(data.path(), &[]), start("-", &[])];
    let holder = start(data.path(), &[servents[0].address, servents[1].address]);
    let mut honest = Honest::new(servents[1].address, 2);
    let victim = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let victim_address = victim.local_addr().unwrap();
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    thread::spawn(move || {
        victim.incoming().for_each(|_| {
            count.fetch_add(1, Ordering::Relaxed);
        });
    });
    let start = Instant::now();
    let attack = Attack::start(servents[1].address, false, move |number| {
        // One in so many is answered to the victim, one to somebody who is not there.
        let mut query = forged(number, ask(if number % ONE_IN < 2 { "tea" } else { "milk" }));
        if number % ONE_IN == 0 {
            query.client.socket = victim_address;
        }
        Message::query(query)
    });
    while start.elapsed() < ATTACK || came.load(Ordering::Relaxed) == 0 {
        assert!(Instant::now() < start + LONG, "nobody dials the victim");
        honest.ask();
    }
    let said = attack.end();
    honest.report(&format!("forged addresses, {said} queries"));
    // Counted before the time is taken: what comes in between may be one more.
    let came = came.load(Ordering::Relaxed);
    // Each of the two that hold tea dials at once, and then after pauses that double.
    let mut dials = 0;
    let mut due = Duration::ZERO;
    while due <= start.elapsed() {
        due += CALL_REST_MIN * 2u32.pow(dials);
        dials += 1;
    }
    println!("forged addresses: {said} queries made 2 servents dial {came} times, {} is the most", 2 * dials);
    assert!((1..=2 * usize::try_from(dials).unwrap()).contains(&came), "{came} dials, and {dials} each are the most");
    assert!(holder.memory().now < MEMORY_BYTES_MAX);
    end(holder, "forged addresses");
}

#[test]
fn neighbors_that_are_stopped_cost_a_bounded_memory_and_come_back() {
    let _turn = turn();
    let (tea, mate) = (tea(), DataFile::new("mate bitter\n"));
    let holder = start(tea.path(), &[]);
    let stopped = [start(mate.path(), &[]), start(mate.path(), &[])];
    let mut contact = start("-", &[holder.address, stopped[0].address, stopped[1].address]);
    let mut honest = Honest::new(contact.address, 1);
    stopped.iter().for_each(|servent| servent.signal(Signal::STOP));
    // More than enough to fill what is kept for both, and less than what one neighbor may have pending.
    let count = 2 * NEIGHBOR_UNSENT_BYTES_MAX / KEY_BYTES_MAX;
    assert!(count + count / FORGED_AT_ONCE < QUERIES_PENDING_MAX / 3);
    let mut attacker = Peer::neighbor(contact.address);
    let most = NEIGHBOR_UNSENT_BYTES_MAX * stopped.len() + OFFERS_KEPT_BYTES_MAX + MEMORY_BYTES_MAX;
    let mut peak = 0;
    for number in 0..count as u64 {
        let query = forged(number, ask(format!("{number:0>KEY_BYTES_MAX$}")));
        attacker.say(&Message::query(Query { ttl: 3, ..query }));
        if number % FORGED_AT_ONCE as u64 == 0 {
            honest.ask();
            peak = peak.max(contact.memory().now);
        }
    }
    println!("stopped neighbors: {count} queries, {} MiB at most, {} MiB are allowed", peak >> 20, most >> 20);
    assert!(peak < most, "{peak}");
    honest.report("stopped neighbors");

    stopped.iter().for_each(|servent| servent.signal(Signal::CONT));
    let until = Instant::now() + PATIENCE;
    loop {
        // Whoever has much to do may take longer to be greeted than an answer waits for that: then it comes back.
        let mut client = Peer::client_back(contact.address);
        client.request(ask("mate"));
        let mut handed = 0;
        let tally = loop {
            match client.expect() {
                Message::Handed(_) => handed += 1,
                Message::Finished(finished) => break finished.tally,
                message => panic!("{message:?}"),
            }
        };
        if tally.answers == 2 {
            assert_eq!(handed, 2, "they come ahead of the end");
            break;
        }
        assert!(Instant::now() < until, "they do not come back: {:?}", contact.log_so_far());
    }
    end(contact, "stopped neighbors");
}
