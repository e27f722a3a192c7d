//! Answers that go back: which way each goes, past whom, and what becomes of those that find none.
//!
//! The rules are those of docs/PROTOCOL.md, "Which way an answer goes" and "Answers that go back". That they bring every
//! answer through whole overlays is the simulator's to show.

mod attached;
mod dials;
mod limits;
mod lost_links;
mod way;

use super::*;
use common::features::Features;
use common::message::Handed;
use common::overlay::Errand;
use common::query::{BroughtAnswer, BroughtBody, ContactMark, ContactName};

/// The same query, answered back.
fn back(query: Query) -> Query {
    Query { via: Via::Back, ..query }
}

/// As it goes on from here, answered in the same way.
fn onward_of(came: &Query) -> Query {
    Query { ttl: came.ttl - 1, hops: came.hops + 1, ..came.clone() }
}

fn handed(sequence: u64, answer: &Arc<BroughtAnswer>) -> Message {
    Message::Handed(Handed { sequence, answer: Arc::clone(answer) })
}

/// A tally of one copy passed on that is answered back.
fn passed_back() -> Tally {
    Tally { is_dialled: false, ..passed_on() }
}

/// What the servents of these ids tell of together that have answered.
fn answers_of(ids: &[u128]) -> Tally {
    let count = ids.len() as u64;
    let answer_sum = ids.iter().fold(0, |sum: u64, id| sum.wrapping_add(ServentId(*id).mark()));
    Tally { reached: count, answers: count, answer_sum, ..Tally::default() }
}

fn sum(tallies: &[Tally]) -> Tally {
    tallies.iter().fold(Tally::default(), |mut sum, tally| {
        sum.add(tally);
        sum
    })
}

fn flood(links: &[LinkId], query: &Query) -> Output {
    Output::Flood { links: links.to_vec(), query: Arc::new(query.clone()) }
}

/// The copies that go out, and to whom.
fn copies_in(out: &[Output]) -> Vec<(Vec<LinkId>, Query)> {
    let copy = |output: &Output| match output {
        Output::Flood { links, query } => Some((links.clone(), Query::clone(query))),
        _ => None,
    };
    out.iter().filter_map(copy).collect()
}

/// What is dialled to see whether a client can be.
fn probe(to: SocketAddr) -> Dial {
    Dial::Call(Errand::Probe, to)
}

fn dial_probe(to: SocketAddr) -> Output {
    Output::Dial { dial: probe(to), address: to, dialect: Dialect::Native }
}

impl Mind {
    /// Somebody comes from this ip and says this hello, and this comes of it beside ours.
    fn joins(&mut self, ip: &str, hello: Hello) -> (LinkId, Vec<Output>) {
        let link = self.new_link();
        let from = SocketAddr::new(ip.parse().unwrap(), 40_000);
        assert_eq!(self.tell(Input::Opened { link, opening: Opening::Accepted(from) }), []);
        let mut out = self.hear(link, Message::Hello(hello));
        assert_eq!(out.remove(0), send(link, own_hello()));
        (link, out)
    }

    /// A neighbor at this ip, which offers to understand this.
    fn neighbor_at(&mut self, ip: &str, id: u128, features: Features) -> LinkId {
        let Message::Hello(hello) = servent_hello(id) else { panic!("no hello") };
        self.joins(ip, Hello { features, ..hello }).0
    }

    /// One that does not understand what goes back.
    fn old_neighbor(&mut self, id: u128) -> LinkId {
        self.neighbor_at("10.2.0.0", id, Features::NONE)
    }

    /// One that speaks TP3.
    fn tp3_neighbor(&mut self) -> LinkId {
        self.joins("10.2.0.9", Hello::said_in(Dialect::Tp3, Role::Nameless)).0
    }

    /// A client at this ip that understands what goes back, and hears answers at this port. What comes of that is dropped.
    fn attached(&mut self, ip: &str, answer_port: u16) -> LinkId {
        self.joins(ip, Hello::new(Role::Client { answer_port })).0
    }

    /// One that cannot be dialled: every answer goes back to it.
    fn deaf_client(&mut self, ip: &str) -> LinkId {
        let (link, out) = self.joins(ip, Hello::new(Role::Client { answer_port: 0 }));
        assert_eq!(out, [], "there is nothing to be dialled");
        link
    }

    /// The link of a neighbor is gone, and another stands.
    fn relinked(&mut self, link: LinkId, id: u128) -> (LinkId, Vec<Output>) {
        assert_eq!(self.closed(link), []);
        self.linked_again(id)
    }

    /// A neighbor that was lost is back, and this comes of it beside our hello.
    fn linked_again(&mut self, id: u128) -> (LinkId, Vec<Output>) {
        let link = self.stranger();
        let mut out = self.hear(link, servent_hello(id));
        assert_eq!(out.remove(0), send(link, own_hello()));
        (link, out)
    }

    /// How many answers went back, and how many found no way.
    fn went_back(&self) -> (usize, usize) {
        (self.held("brought"), self.held("unbrought"))
    }
}
