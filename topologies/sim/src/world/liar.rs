//! Answers that nobody gave: what a forging servent brings to the clients whose queries it hears.
//!
//! Which, and under whose name, is drawn. What a client cannot tell from an honest one is shown to the witness.

use common::dialect::Dialect;
use common::key::Key;
use common::message::{Hello, Message, Role, ServentId};
use common::query::{Answer, AnswerBody, Ask, AskHash, Path, Query, Tally};

use super::super::random::Random;
use super::shell::Caller;
use super::witness::Pretence;
use super::{Mind, World, id_of};

/// The most clients it calls, and the most answers it brings to one at once.
const CALLS_MAX: u64 = 12;
const ANSWERS_MAX: u64 = 3;

/// What a forger needs to answer.
pub(super) struct Liar {
    random: Random,
    calls_left: u64,
    id: ServentId,
    /// What it is about to answer.
    waiting: Vec<Query>,
}

impl Liar {
    pub(super) fn draw(mut random: Random) -> Liar {
        let id = an_id(&mut random);
        Liar { calls_left: random.within(0, CALLS_MAX), id, random, waiting: Vec::new() }
    }
}

impl World<'_> {
    /// Has a forger answer a query that it heard, or not; and says what it tells of that in its echo.
    pub(super) fn lie_perhaps(&mut self, fault: usize, query: &Query) -> Tally {
        let honest = Tally { reached: 1, ..Tally::default() };
        let is_client = |node: &usize| matches!(self.nodes[*node].mind, Mind::Client(_));
        let Some(client) = self.at_address(query.client.socket).filter(is_client) else { return honest };
        let Some(node) = self.troubles[fault].hostile.node else { return honest };
        let liar = &mut self.troubles[fault].hostile.liar;
        if liar.calls_left == 0 || liar.random.chance(40) {
            return honest;
        }
        liar.calls_left -= 1;
        liar.waiting.push(query.clone());
        // What it says of itself is its own affair: then that is an answer like any other.
        let answer_sum = Some(liar.id.mark()).filter(|_| liar.random.chance(25));
        let dialect = match self.dialect_of_client(client) {
            Dialect::OWN => self.dialect_of_stranger(fault),
            other => other,
        };
        self.dial(node, Caller::Liar(fault), self.nodes[client].address, dialect);
        let Some(answer_sum) = answer_sum else { return honest };
        self.witness.on_claimed(client, query.id());
        Tally { answers: 1, answer_sum, ..honest }
    }

    /// A client hears what a forger has to say.
    pub(super) fn tell_lies(&mut self, fault: usize, connection: usize) {
        let client = self.connections[connection].ends[1].node;
        let address = self.nodes[client].address;
        let says_who = self.connections[connection].dialect == Dialect::OWN;
        let servents = self.scene.graph.servents();
        let own = self.nodes[self.connections[connection].ends[0].node].address;
        let Liar { random, waiting, id, .. } = &mut self.troubles[fault].hostile.liar;
        let Some(place) = waiting.iter().position(|query| query.client.socket == address) else { return };
        let query = waiting.remove(place);
        let other = random.index(servents);
        let life = self.nodes[other].life;
        let (id, advertised, stands_for) = match random.below(4) {
            0 | 1 => (*id, own, None),
            2 => (an_id(random), own, None),
            _ => (id_of(other, life), self.nodes[other].address, Some((other, life))),
        };
        let pretence = match stands_for {
            _ if !says_who => Pretence::Nobody,
            None => Pretence::Stranger(id),
            Some((servent, life)) => Pretence::Servent(servent, life),
        };
        if says_who {
            self.hostile_says(connection, 0, &Message::Hello(Hello::new(Role::Servent { id, advertised })));
        }
        // In TP3 a connection brings one.
        let random = &mut self.troubles[fault].hostile.liar.random;
        let count = if says_who { random.within(1, ANSWERS_MAX) } else { 1 };
        for _ in 0..count {
            let (answer, can_be_told) = lie(&mut self.troubles[fault].hostile.liar.random, &query);
            // Where an answer says neither what it answers nor of what kind it is, it is one if it names the query.
            if can_be_told == Some(false) || (can_be_told == Some(true) && !says_who) {
                self.witness.on_lie(client, query.id(), pretence);
            }
            self.hostile_says(connection, 0, &Message::Answer(answer));
        }
    }
}

/// An answer that nobody gave, and whether the client can tell by what it says; nothing where it is to no query at all.
fn lie(random: &mut Random, query: &Query) -> (Answer, Option<bool>) {
    let value = || AnswerBody::Value(b"a lie".to_vec());
    let place = || AnswerBody::Place { path: Path::Addresses(vec![query.client.socket]), neighbors: Vec::new() };
    let (right, wrong) = if query.ask == Ask::Topology { (place(), value()) } else { (value(), place()) };
    let asked = Some(AskHash::of(&query.ask));
    let answer = Answer { sequence: query.sequence, asked, hops: query.hops, body: right };
    match random.below(6) {
        0 => (Answer { body: wrong, ..answer }, Some(true)),
        1 => {
            let other = Key::new(b"milk").ok().map(|key| AskHash::of(&Ask::Key(key)));
            (Answer { asked: other, ..answer }, Some(true))
        }
        2 => (Answer { sequence: query.sequence ^ (1 + random.below(1 << 30)), ..answer }, None),
        _ => (answer, Some(false)),
    }
}

fn an_id(random: &mut Random) -> ServentId {
    ServentId(u128::from(random.number()) << 64 | u128::from(random.number()))
}
