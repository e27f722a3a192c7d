//! A neighbor two links from the contact forges copies of every query it sees: nobody is told "complete" of a query whose
//! answers did not all come, the servents say that it forges, and once it stops all is as it was.
//!
//! Servents and client are real. What each forged copy is to a mind is told by the tests of `common`, and what forgers
//! bring about in overlays of any shape by the simulator.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use client::{AnswerBody, Client, EndReason, Event, Question};
use common::limits::{ECHO_WAIT_MAX, SILENCE_DEFAULT};
use rustix::process::Signal;
use servent::log_limit::COUNT_EVERY;
use topologies::fleet::Servent;

use crate::support::forger::{Forger, Forgery};
use crate::support::overlay::Chain;

/// Queries of each kind of forgery, and how many of them are in flight.
const QUERIES: usize = 320;
const IN_FLIGHT: usize = 32;
/// How long one waits that is not complete.
const SHORT: Duration = Duration::from_millis(300);

// The places of a chain: the client's contact, its neighbor, which is the forger's too, one between, and two that hold the
// key. The second of them is the last that a query comes to; behind it is one more.
const CONTACT: usize = 0;
const RELAY: usize = 1;
const NEAR: usize = 3;
const FAR: usize = 4;

const LINKED: &str = "linked with every neighbor";
/// What is said of who brings forged copies.
const LOGGED: &str = "brings copies of known queries that ask or say something else: they are refused";

/// An answer: who gave it, and what it says.
type Given = (SocketAddr, Vec<u8>);

/// The overlay, its client and the forger.
struct Scene {
    chain: Chain,
    /// It holds the key too, and no query of the client's is to come to it.
    beyond: Servent,
    client: Client,
    forger: Forger,
    /// The answers that a whole query has.
    all: Vec<Given>,
}

impl Scene {
    fn start() -> Scene {
        let chain = Chain::start(["", "", "", "tea green\n", "tea oolong\n"]);
        let data = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&data, "tea black\n").unwrap();
        let words = ["127.0.0.1:0".to_owned(), data.path().display().to_string(), chain.address(FAR).to_string()];
        let mut beyond = Servent::start(&words).unwrap();
        // It may have said so before it said that it listens.
        if !beyond.log_text().contains(LINKED) {
            beyond.wait_for_log(LINKED).unwrap();
        }
        let forger = Forger::link(&[RELAY, NEAR, FAR].map(|place| chain.address(place)));
        let client = Client::connect(&chain.contact()).unwrap();
        let mut all = vec![(chain.address(NEAR), b"green".to_vec()), (chain.address(FAR), b"oolong".to_vec())];
        all.sort();
        Scene { chain, beyond, client, forger, all }
    }

    /// Asks so many, some at once, and says how many were complete. None may be that has not all answers, or others.
    fn ask(&mut self, count: usize, silence_max: Duration) -> usize {
        let question = Question { silence_max, ..Question::key("tea").unwrap() };
        let (mut left, mut begun, mut complete_count) = (count, Vec::new(), 0);
        let mut given: BTreeMap<_, Vec<Given>> = BTreeMap::new();
        loop {
            let more = left.min(IN_FLIGHT - given.len());
            self.client.begin_each(std::iter::repeat_n(question.clone(), more), &mut begun).unwrap();
            left -= more;
            given.extend(begun.drain(..).map(|query| (query, Vec::new())));
            let Some((query, event)) = self.client.next_event().unwrap() else { return complete_count };
            let is_over = match (query.and_then(|query| given.get_mut(&query)), event) {
                (Some(given), Event::Answer { from, body: AnswerBody::Value(value), .. }) => {
                    given.push((from, value));
                    None
                }
                (Some(_), Event::Finished(ending)) => Some(ending),
                (None, Event::Unexpected { .. } | Event::MoreUnexpected { .. }) => None,
                (_, other) => panic!("{query:?}: {other:?}"),
            };
            if let Some(ending) = is_over {
                let mut given = query.and_then(|query| given.remove(&query)).unwrap();
                given.sort();
                if ending.reason == EndReason::Complete {
                    assert_eq!(given, self.all, "falsely complete: {query:?} {ending:?}");
                    complete_count += 1;
                }
            }
        }
    }

    /// Asks once, as anybody does.
    fn is_next_whole(&mut self) -> bool {
        self.ask(1, SILENCE_DEFAULT) == 1
    }
}

/// Copies of these kinds are forged, of every query. That is said by the servent at the first place, of its neighbor at the
/// second; the forger where there is none.
fn forged(kinds: &[Forgery], noticed_at: usize, of: Option<usize>) {
    let mut scene = Scene::start();
    assert!(scene.is_next_whole(), "nobody forges yet");

    let started = Instant::now();
    // First it tells the relay alone, so that nobody else can have brought there what it makes up.
    scene.forger.forge(kinds, 1);
    scene.ask(1, SHORT);
    scene.forger.forge(kinds, 3);
    let complete_count = scene.ask(QUERIES, SHORT);
    let copies_count = scene.forger.stop();
    println!("{kinds:?}: {copies_count} copies; of {QUERIES} queries {complete_count} are complete");
    assert!(complete_count < QUERIES, "none of it does any harm");

    // Whoever waits for its answers as long as is usual asks the next one when a contact has another name.
    const { assert!(SILENCE_DEFAULT.as_nanos() > ECHO_WAIT_MAX.as_nanos()) };
    let is_whole = [scene.is_next_whole(), scene.is_next_whole()];
    assert!(is_whole[1], "nobody forges any more: {is_whole:?}");

    let name = of.map_or(scene.forger.address(), |place| scene.chain.address(place));
    let Scene { mut chain, beyond, .. } = scene;
    let servent = &mut chain.servents[noticed_at];
    servent.signal(Signal::TERM);
    servent.wait().unwrap();
    let log = servent.log_text();
    let said: Vec<&str> = log.lines().filter(|line| line.contains(LOGGED) && !line.contains(" more like: ")).collect();
    assert!(said.first().is_some_and(|line| line.contains(&format!("neighbor {name} {LOGGED}"))), "{log}");
    // Once in each while; how many more there were is counted.
    let whiles = 1 + started.elapsed().as_nanos() / COUNT_EVERY.as_nanos();
    assert!(said.len() as u128 <= whiles, "{log}");
    drop(beyond);
}

#[test]
fn copies_that_ask_something_else_make_no_query_falsely_complete() {
    forged(&[Forgery::Ask], RELAY, None);
}

#[test]
fn copies_of_another_contact_make_no_query_falsely_complete() {
    forged(&[Forgery::Contact], RELAY, None);
}

#[test]
fn copies_with_another_number_make_no_query_falsely_complete() {
    forged(&[Forgery::Number], RELAY, None);
}

/// To the relay these are new, and to the contact, to which it passes them on, of its own name and unknown.
#[test]
fn copies_of_queries_to_come_make_no_query_falsely_complete() {
    forged(&[Forgery::ComingIds], CONTACT, Some(RELAY));
}

#[test]
fn copies_that_are_far_ahead_make_no_query_falsely_complete() {
    forged(&[Forgery::FarAhead], CONTACT, Some(RELAY));
}

#[test]
fn many_queries_under_one_number_make_no_query_falsely_complete() {
    forged(&[Forgery::ManyIds], RELAY, None);
}

#[test]
fn copies_of_every_kind_at_once_make_no_query_falsely_complete() {
    forged(&Forgery::ALL, RELAY, None);
}

/// Where one is far ahead, the relay passes on nothing of that contact's for a while, and the others come to nobody.
#[test]
fn copies_of_every_kind_but_far_ahead_make_no_query_falsely_complete() {
    let others: Vec<Forgery> = Forgery::ALL.into_iter().filter(|kind| *kind != Forgery::FarAhead).collect();
    forged(&others, RELAY, None);
}
