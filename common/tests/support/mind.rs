//! A servent's mind under test, the time it lives in, and what is said to it at its doors. No test is here.

use std::array;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use common::address::{AnswerAddress, Neighbor};
use common::dialect::Dialect;
use common::features::Features;
use common::key::Key;
use common::link::LinkId;
use common::message::{Brought, Echo, Finished, Goodbye, Hello, Message, Request, Role, ServentId};
use common::overlay::{Config, Dial, Errand, Holding, Input, Opening, Output, Overlay};
use common::query::{
    Answer, AnswerBody, Ask, AskHash, BroughtAnswer, BroughtBody, ContactMark, ContactName, Path, Query, Tally, Via,
};
use common::store::Store;
use common::time::Time;

pub(crate) const OWN_ID: u128 = 1_000;
pub(crate) const TICK: Duration = Duration::from_nanos(1);

/// A mind under test, and the time it lives in.
pub(crate) struct Mind {
    pub(crate) overlay: Overlay,
    pub(crate) now: Time,
    pub(crate) next_link: u64,
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

pub(crate) fn own_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 9000))
}

/// The answer address of one client of many.
pub(crate) fn client_address(number: usize) -> SocketAddr {
    let [_, b, c, d] = u32::try_from(number).unwrap().to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(11, b, c, d), 7000))
}

/// Where one servent of many is.
pub(crate) fn servent_address(number: u128) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 1, 0, 0), u16::try_from(number % 60_000).unwrap()))
}

pub(crate) fn store(text: &str) -> Arc<Store> {
    Arc::new(Store::parse(text.as_bytes().to_vec()).unwrap().0)
}

pub(crate) fn config() -> Config {
    Config { advertised: own_address(), servent_id: ServentId(OWN_ID), ..Config::default() }
}

pub(crate) fn config_with_neighbor(addresses: &[SocketAddr]) -> Config {
    let neighbor = Neighbor { name: "there".to_owned(), addresses: addresses.to_vec(), dialect: Dialect::Native };
    Config { neighbors: vec![neighbor], ..config() }
}

impl Mind {
    pub(crate) fn new() -> Mind {
        Mind::with(&config(), store("tea green"))
    }

    /// One with neighbors of the ids 1, 2 and so on.
    pub(crate) fn linked<const COUNT: usize>() -> (Mind, [LinkId; COUNT]) {
        let mut mind = Mind::new();
        let links = array::from_fn(|place| mind.neighbor(place as u128 + 1));
        (mind, links)
    }

    pub(crate) fn with(config: &Config, store: Arc<Store>) -> Mind {
        Mind { overlay: Overlay::new(config, store), now: Time::START, next_link: 1 }
    }

    pub(crate) fn tell(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.overlay.handle(self.now, input, &mut out);
        out
    }

    /// How much the mind holds of what goes by this name, or how many of them it counted.
    pub(crate) fn held(&self, name: &str) -> usize {
        usize::try_from(self.overlay.holding(name).expect("there is no such name")).unwrap()
    }

    /// All that it counted that came to no good.
    pub(crate) fn counted(&self) -> Vec<Holding> {
        let is_trouble =
            |holding: &Holding| holding.limit.is_none() && !["queries", "answered", "brought"].contains(&holding.name);
        self.overlay.holdings().filter(is_trouble).collect()
    }

    pub(crate) fn hear(&mut self, link: LinkId, message: Message) -> Vec<Output> {
        self.tell(Input::Received { link, stamp: 0, message })
    }

    pub(crate) fn closed(&mut self, link: LinkId) -> Vec<Output> {
        self.tell(Input::Closed { link, reason: "it is a test".to_owned() })
    }

    pub(crate) fn new_link(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId(self.next_link)
    }

    pub(crate) fn stranger(&mut self) -> LinkId {
        let link = self.new_link();
        let from = SocketAddr::from((Ipv4Addr::new(10, 2, 0, 0), 40_000));
        assert_eq!(self.tell(Input::Opened { link, opening: Opening::Accepted(from) }), []);
        link
    }

    /// A link to a servent of this id, which dialled us.
    pub(crate) fn neighbor(&mut self, id: u128) -> LinkId {
        let link = self.stranger();
        assert_eq!(self.hear(link, servent_hello(id)), [send(link, own_hello())]);
        link
    }

    /// A link to a client at an ip of this number, which hears answers at port 7000.
    pub(crate) fn client(&mut self, number: usize) -> LinkId {
        let (link, out) = self.client_and_see(number);
        assert_eq!(out, []);
        link
    }

    /// One that understands what is said of contents, and else what that one does.
    pub(crate) fn client_of_contents(&mut self, number: usize) -> LinkId {
        let Message::Hello(plain) = client_hello(7000) else { panic!("no hello") };
        let (link, out) = self.client_that_says(number, Message::Hello(Hello { features: Features::CONTENT, ..plain }));
        assert_eq!(out, []);
        link
    }

    /// A client attaches, and this comes of it beside our hello.
    pub(crate) fn client_and_see(&mut self, number: usize) -> (LinkId, Vec<Output>) {
        self.client_that_says(number, client_hello(7000))
    }

    fn client_that_says(&mut self, number: usize, hello: Message) -> (LinkId, Vec<Output>) {
        let link = self.new_link();
        let from = SocketAddr::new(client_address(number).ip(), 40_000);
        assert_eq!(self.tell(Input::Opened { link, opening: Opening::Accepted(from) }), []);
        let mut out = self.hear(link, hello);
        assert_eq!(out.remove(0), send(link, own_hello()));
        (link, out)
    }

    pub(crate) fn dialled(&mut self, dial: Dial) -> (LinkId, Vec<Output>) {
        let link = self.new_link();
        let out = self.tell(Input::Opened { link, opening: Opening::Dialled(dial) });
        (link, out)
    }

    pub(crate) fn dial_failed(&mut self, dial: Dial) -> Vec<Output> {
        self.tell(Input::DialFailed { dial, refused: true, reason: "it is a test".to_owned() })
    }

    pub(crate) fn call_failed(&mut self, to: SocketAddr) -> Vec<Output> {
        self.dial_failed(call(to))
    }

    /// An answer link to this client, opened and greeted; gives what was sent once it was.
    pub(crate) fn answer_link(&mut self, number: usize) -> (LinkId, Vec<Output>) {
        let (link, out) = self.dialled(call(client_address(number)));
        assert_eq!(out, [], "the client speaks first");
        let out = self.hear(link, client_hello(7000));
        (link, out)
    }

    /// Brings a copy, and gives the tally of the one echo that is all that comes of it.
    pub(crate) fn echo(&mut self, link: LinkId, query: &Query) -> Tally {
        match self.hear(link, Message::query(query.clone())).as_slice() {
            [Output::Send { link: to, message: Message::Echo(echo) }] if *to == link => {
                assert_eq!((echo.id, echo.ttl), (query.id(), query.ttl));
                echo.tally
            }
            other => panic!("not one echo: {other:?}"),
        }
    }

    /// Brings a copy that is passed on, and gives it as it goes on.
    pub(crate) fn onward(&mut self, link: LinkId, query: &Query) -> (Vec<LinkId>, Query) {
        passed_on_in(&self.hear(link, Message::query(query.clone())))
    }

    /// Lets time pass, and gives what the mind does at its deadlines. No deadline may be late, and none may spin.
    pub(crate) fn pass(&mut self, duration: Duration) -> Vec<(Duration, Output)> {
        let start = self.now;
        let end = self.now + duration;
        let mut outputs = Vec::new();
        while let Some(due) = self.overlay.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let out = self.tell(Input::Deadline);
            let next = self.overlay.deadline();
            assert!(!out.is_empty() || next.is_none_or(|next| next > due), "told at {due:?}, it wants {next:?}");
            outputs.extend(out.into_iter().map(|output| (self.now.since(start), output)));
        }
        self.now = end;
        assert_eq!(self.tell(Input::Deadline), [], "something was due and no deadline said so");
        outputs
    }

    /// As [`Mind::pass`], without the pings to whoever is quiet meanwhile.
    pub(crate) fn pass_but_pings(&mut self, duration: Duration) -> Vec<(Duration, Output)> {
        let is_ping = |output: &Output| matches!(output, Output::Send { message: Message::Ping, .. });
        self.pass(duration).into_iter().filter(|(_, output)| !is_ping(output)).collect()
    }

    /// As [`Mind::pass`], where it does not matter when in that time something is done.
    pub(crate) fn pass_and_see(&mut self, duration: Duration) -> Vec<Output> {
        self.pass(duration).into_iter().map(|(_, output)| output).collect()
    }
}

pub(crate) fn servent_hello(id: u128) -> Message {
    Message::Hello(Hello::new(Role::Servent { id: ServentId(id), advertised: servent_address(id) }))
}

/// The hello of a client that understands no answer which comes back, so that nobody dials it to see whether it has to.
pub(crate) fn client_hello(answer_port: u16) -> Message {
    Message::Hello(Hello { features: Features::NONE, ..Hello::new(Role::Client { answer_port }) })
}

pub(crate) fn own_hello() -> Message {
    Message::Hello(Hello::new(Role::Servent { id: ServentId(OWN_ID), advertised: own_address() }))
}

pub(crate) fn send(link: LinkId, message: Message) -> Output {
    Output::Send { link, message }
}

pub(crate) fn goodbye(link: LinkId, farewell: Goodbye) -> [Output; 2] {
    [send(link, Message::Goodbye(farewell)), Output::Close { link }]
}

pub(crate) fn dial_neighbor(target: usize, address: SocketAddr) -> Output {
    Output::Dial { dial: Dial::Neighbor(target), address, dialect: Dialect::Native }
}

/// What is dialled to bring a client answers.
pub(crate) fn call(to: SocketAddr) -> Dial {
    Dial::Call(Errand::Answers, to)
}

pub(crate) fn dial_at(address: SocketAddr) -> Output {
    Output::Dial { dial: call(address), address, dialect: Dialect::Native }
}

pub(crate) fn dial_client(number: usize) -> Output {
    dial_at(client_address(number))
}

pub(crate) fn tea() -> Ask {
    Ask::Key(Key::new(b"tea").unwrap())
}

pub(crate) fn milk() -> Ask {
    Ask::Key(Key::new(b"milk").unwrap())
}

/// What a client of this number asks at a contact of that name, which has no other, and asked for it as often.
pub(crate) fn query(sequence: u64, client: usize, ask: Ask) -> Query {
    let contact = Some(mark(client as u64, sequence, 0));
    let client = AnswerAddress { socket: client_address(client), dialect: Dialect::Native };
    Query { via: Via::Direct, sequence, client, contact, ttl: 3, hops: 1, ask, path: Path::default() }
}

pub(crate) fn mark(name: u64, number: u64, open_from: u64) -> ContactMark {
    ContactMark { name: ContactName(name), number, open_from }
}

/// The one query that is passed on, and to whom.
pub(crate) fn passed_on_in(out: &[Output]) -> (Vec<LinkId>, Query) {
    let mut floods = out.iter().filter_map(|output| match output {
        Output::Flood { links, query } => Some((links.clone(), Query::clone(query))),
        _ => None,
    });
    let first = floods.next().unwrap_or_else(|| panic!("nothing is passed on: {out:?}"));
    assert_eq!(floods.next(), None, "one at a time");
    first
}

pub(crate) fn echo_of(query: &Query, tally: Tally) -> Message {
    Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally })
}

pub(crate) fn request(sequence: u64) -> Message {
    Message::Request(Request { sequence, ask: milk(), ttl: None })
}

pub(crate) fn finished(sequence: u64, tally: Tally) -> Message {
    Message::Finished(Finished { sequence, tally })
}

pub(crate) fn value(sequence: u64, text: &str) -> Message {
    Message::Answer(Answer {
        sequence,
        asked: Some(AskHash::of(&tea())),
        hops: 1,
        body: AnswerBody::Value(text.as_bytes().to_vec()),
    })
}

/// An answer of a servent of this id, as it goes back.
pub(crate) fn answer_of(id: u128, text: &str) -> Arc<BroughtAnswer> {
    let body = BroughtBody::Whole(AnswerBody::Value(text.as_bytes().to_vec()));
    Arc::new(BroughtAnswer { id: ServentId(id), from: servent_address(id), name: None, hops: 2, body })
}

/// What is said where an answer goes back to whoever sent this copy.
pub(crate) fn brought(copy: &Query, answer: &Arc<BroughtAnswer>) -> Message {
    let ContactMark { name: contact, number, .. } = copy.contact.expect("a copy that says whose it is");
    Message::Brought(Brought { contact, number, ttl: copy.ttl, answer: Arc::clone(answer) })
}

/// The same of an answer of the mind itself.
pub(crate) fn own_brought(copy: &Query) -> Message {
    let answer = answer_of(OWN_ID, "green");
    let own = BroughtAnswer { from: own_address(), hops: copy.hops, ..BroughtAnswer::clone(&answer) };
    brought(copy, &Arc::new(own))
}

pub(crate) fn reached(count: u64) -> Tally {
    Tally { reached: count, ..Tally::default() }
}

pub(crate) fn lost() -> Tally {
    Tally { lost: 1, ..Tally::default() }
}

pub(crate) fn duplicate() -> Tally {
    Tally { duplicates: 1, ..Tally::default() }
}

/// A tally of one copy passed on.
pub(crate) fn passed_on() -> Tally {
    Tally { reached: 1, copies: 1, is_dialled: true, ..Tally::default() }
}
