//! A native overlay with TP3 in its middle: three minds, their links by hand, and copies that come home late over a dialect
//! that says neither whose they are nor that they have come to their end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;
use common::overlay::Overlay;
use common::store::Store;

const QUERIES: u64 = 10_000;
const IN_FLIGHT: u64 = 64;

/// The two that speak native to each other, and the one they speak TP3 to.
const A: usize = 0;
const B: usize = 1;
const P: usize = 2;

const CLIENT: LinkId = LinkId(1);
const A_TO_B: LinkId = LinkId(2);
const A_TO_P: LinkId = LinkId(3);
const B_TO_A: LinkId = LinkId(4);
const B_TO_P: LinkId = LinkId(5);
const P_TO_A: LinkId = LinkId(6);
const P_TO_B: LinkId = LinkId(7);

/// Where what is said on a link comes to, how long that takes, and what is spoken there.
fn way(link: LinkId) -> Option<(usize, LinkId, Duration, Dialect)> {
    let (quick, late, slow) = (Duration::from_millis(1), Duration::from_millis(500), Duration::from_secs(1));
    Some(match link {
        A_TO_B => (B, B_TO_A, quick, Dialect::Native),
        // Its echoes are late.
        B_TO_A => (A, A_TO_B, late, Dialect::Native),
        A_TO_P => (P, P_TO_A, slow, Dialect::Tp3),
        B_TO_P => (P, P_TO_B, slow, Dialect::Tp3),
        P_TO_A => (A, A_TO_P, quick, Dialect::Tp3),
        P_TO_B => (B, B_TO_P, quick, Dialect::Tp3),
        _ => return None,
    })
}

/// What is left of a message in TP3.
fn in_tp3(message: Message) -> Option<Message> {
    let Message::Query(query) = message else { return None };
    let mut query = Query { contact: None, hops: 1, ..Arc::unwrap_or_clone(query) };
    query.client.dialect = Dialect::Tp3;
    Some(Message::query(query))
}

fn place(host: u8, port: u16) -> SocketAddr {
    ([10, 0, 0, host], port).into()
}

struct Diamond {
    now: Time,
    minds: Vec<Overlay>,
    /// What is under way: when it comes, in which order it was said, to whom, over which link.
    coming: BinaryHeap<Reverse<(Time, u64, usize, LinkId)>>,
    messages: BTreeMap<u64, Message>,
    said_count: u64,
    links_count: u64,
    asked: u64,
    finished: u64,
    whole: u64,
}

impl Diamond {
    fn new() -> Diamond {
        let mind = |number: u8, data: &str| {
            let config = Config {
                advertised: place(number, 9000),
                servent_id: ServentId(number.into()),
                answer_networks: vec!["10.0.0.0/8".parse().unwrap()],
                ..Config::default()
            };
            Overlay::new(&config, Arc::new(Store::parse(data.as_bytes().to_vec()).unwrap().0))
        };
        let mut diamond = Diamond {
            now: Time::START,
            minds: vec![mind(1, ""), mind(2, "tea of b\n"), mind(3, "")],
            coming: BinaryHeap::new(),
            messages: BTreeMap::new(),
            said_count: 0,
            links_count: 100,
            asked: 0,
            finished: 0,
            whole: 0,
        };
        let servent = |number: u8| Role::Servent { id: ServentId(number.into()), advertised: place(number, 9000) };
        let nameless = || Hello::said_in(Dialect::Tp3, Role::Nameless);
        let client = Hello::new(Role::Client { answer_port: 7000 });
        for (at, link, hello) in [
            (A, A_TO_B, Hello::new(servent(2))),
            (B, B_TO_A, Hello::new(servent(1))),
            (A, A_TO_P, nameless()),
            (P, P_TO_A, nameless()),
            (B, B_TO_P, nameless()),
            (P, P_TO_B, nameless()),
            (A, CLIENT, client),
        ] {
            diamond.tell(at, Input::Opened { link, opening: Opening::Accepted(place(9, 40_000)) });
            diamond.tell(at, Input::Received { link, stamp: 0, message: Message::Hello(hello) });
        }
        diamond
    }

    fn tell(&mut self, at: usize, input: Input) {
        let mut out = Vec::new();
        self.minds[at].handle(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Send { link, message } => self.say(link, message),
                Output::Flood { links, query } => {
                    links.into_iter().for_each(|link| self.say(link, Message::Query(Arc::clone(&query))));
                }
                Output::Dial { dial, dialect, .. } => {
                    self.links_count += 1;
                    let link = LinkId(self.links_count);
                    let hello = Hello::said_in(dialect, Role::Client { answer_port: 7000 });
                    self.tell(at, Input::Opened { link, opening: Opening::Dialled(dial) });
                    self.tell(at, Input::Received { link, stamp: 0, message: Message::Hello(hello) });
                }
                Output::Close { link } => assert!(way(link).is_none() && link != CLIENT, "{link} is closed"),
                Output::Rest { .. } | Output::Resume { .. } | Output::Disk(_) | Output::Event(_) => {}
            }
        }
    }

    fn say(&mut self, link: LinkId, message: Message) {
        if let (CLIENT, Message::Finished(finished)) = (link, &message) {
            self.finished += 1;
            self.whole += u64::from(finished.tally.is_whole());
            return;
        }
        let Some((to, over, takes, dialect)) = way(link) else { return };
        let message = match (dialect, message) {
            (_, Message::Hello(_)) => None,
            (Dialect::Tp3, message) => in_tp3(message),
            (_, message) => Some(message),
        };
        if let Some(message) = message {
            self.said_count += 1;
            self.coming.push(Reverse((self.now + takes, self.said_count, to, over)));
            self.messages.insert(self.said_count, message);
        }
    }

    /// Has the client ask what it may, then lets the next thing happen.
    fn step(&mut self) {
        while self.asked < QUERIES && self.asked - self.finished < IN_FLIGHT {
            self.asked += 1;
            let ask = Ask::Key(Key::new(b"tea").unwrap());
            // As a client draws them: no two near each other are alike.
            let sequence = self.asked.wrapping_mul(0x9e37_79b1) & 0x7fff_ffff;
            self.tell(
                A,
                Input::Received {
                    link: CLIENT,
                    stamp: 0,
                    message: Message::Request(Request { sequence, ask, ttl: None }),
                },
            );
        }
        let due = (0..self.minds.len()).filter_map(|at| Some((self.minds[at].deadline()?, at))).min();
        let next = self.coming.peek().map(|Reverse((when, ..))| *when);
        match (next, due) {
            (Some(when), due) if due.is_none_or(|(due, _)| when <= due) => {
                let Some(Reverse((when, number, to, link))) = self.coming.pop() else { return };
                self.now = self.now.max(when);
                let message = self.messages.remove(&number).unwrap();
                self.tell(to, Input::Received { link, stamp: 0, message });
            }
            (_, Some((due, at))) => {
                self.now = self.now.max(due);
                self.tell(at, Input::Deadline);
            }
            _ => panic!("nothing is to come"),
        }
    }

    fn holding(&self, at: usize, name: &str) -> u64 {
        self.minds[at].holding(name).unwrap()
    }
}

/// Each query comes to B at once, and again over P a second later, when its contact has long had the echo of the first.
#[test]
fn what_comes_home_late_over_tp3_is_answered_once_and_forgotten_in_the_end() {
    let mut diamond = Diamond::new();
    while diamond.finished < QUERIES {
        diamond.step();
    }
    let over = diamond.now;
    while diamond.now.since(over) < 3 * SEEN_TP3_AGE_MAX {
        diamond.step();
    }
    assert_eq!((diamond.asked, diamond.finished, diamond.whole), (QUERIES, QUERIES, 0), "whoever is silent is told");
    assert_eq!([A, B, P].map(|at| diamond.holding(at, "answered")), [0, QUERIES, 0]);
    assert_eq!([A, B, P].map(|at| diamond.holding(at, "pending")), [0; 3]);
    assert_eq!(diamond.holding(A, "own_open"), 0, "what is over goes though nothing more is asked");
    assert_eq!(diamond.holding(P, "seen_by_age"), 0);
}

/// Beyond a TP3 neighbor nobody says when it is over, so each query stays open for as long as a copy may come home: as many
/// numbers as a copy can tell apart, and the clients wait for more.
#[test]
fn numbers_are_never_further_apart_than_a_copy_can_say() {
    let mut diamond = Diamond::new();
    // Only P is left, and all it is told goes nowhere.
    diamond.tell(A, Input::Closed { link: A_TO_B, reason: "it is gone".to_owned() });
    let ask = |diamond: &mut Diamond, sequence| {
        let ask = Ask::Key(Key::new(b"tea").unwrap());
        let input =
            Input::Received { link: CLIENT, stamp: 0, message: Message::Request(Request { sequence, ask, ttl: None }) };
        let mut out = Vec::new();
        diamond.minds[A].handle(diamond.now, input, &mut out);
        out
    };
    let rests = |out: &[Output]| out.iter().any(|output| matches!(output, Output::Rest { link: CLIENT }));
    let goes_on = |out: &[Output]| out.iter().any(|output| matches!(output, Output::Flood { .. }));
    for sequence in 0..=SPAN_MAX {
        let out = ask(&mut diamond, sequence);
        assert!(goes_on(&out), "{sequence}: {out:?}");
        // The one client that is there may have one under way that cannot be put off.
        assert_eq!(rests(&out), sequence == SPAN_MAX - 1, "{sequence}");
    }
    // Whoever asks all the same is refused, and told so.
    let out = ask(&mut diamond, SPAN_MAX + 1);
    assert!(!goes_on(&out), "{out:?}");
    assert_eq!(diamond.holding(A, "own_open"), SPAN_MAX + 1);
    diamond.now = diamond.now + SEEN_TP3_AGE_MAX;
    assert!(diamond.minds[A].deadline().is_some_and(|due| due <= diamond.now), "the client would rest for ever");
    let mut out = Vec::new();
    diamond.minds[A].handle(diamond.now, Input::Deadline, &mut out);
    assert!(out.contains(&Output::Resume { link: CLIENT }), "{out:?}");
    assert!(goes_on(&ask(&mut diamond, SPAN_MAX + 2)));
}
