//! Answers that nobody gave: what a forging servent brings to the clients whose queries it hears.
//!
//! Which, and under whose name, is drawn. What a client cannot tell from an honest one is shown to the witness.

use common::content::ContentHash;
use common::content::search::{Entries, Entry, FileName};
use common::content::transfer::Have;
use common::dialect::Dialect;
use common::key::Key;
use common::link::Purpose;
use common::message::{Hello, Message, Role, ServentId};
use common::query::{Answer, AnswerBody, Ask, AskHash, Path, Query, Tally};

use super::dials::Caller;
use super::ends::EndAt;
use super::machines::MachineKind;
use super::scenery::SceneFace;
use super::shell::Shell;
use super::witness::Pretence;
use crate::cast;
use crate::random::Random;

/// The most clients it calls, and the most answers it brings to one at once.
const CALLS_MAX: u64 = 12;
const ANSWERS_MAX: u64 = 3;

/// What a forger needs to answer.
pub(super) struct Liar {
    /// Which fault of the scene it is.
    fault: usize,
    dialect: Dialect,
    random: Random,
    calls_left: u64,
    id: ServentId,
    /// What it is about to answer.
    waiting: Vec<Query>,
}

impl Liar {
    pub(super) fn draw(mut random: Random, fault: usize, dialect: Dialect) -> Liar {
        let id = an_id(&mut random);
        Liar { fault, dialect, calls_left: random.within(0, CALLS_MAX), id, random, waiting: Vec::new() }
    }

    /// Whose dial to a client it is.
    pub(super) fn caller(&self) -> Caller {
        Caller::Stranger { number: self.fault, purpose: Purpose::Answers }
    }

    /// Answers a query that a forger at this node heard, or does not; and says what it tells of that in its echo.
    pub(super) fn lie_perhaps(&mut self, shell: &mut Shell<SceneFace<'_>>, node: usize, query: &Query) -> Tally {
        let honest = Tally { reached: 1, ..Tally::default() };
        let is_client = |node: &usize| shell.network.machines[*node].kind == MachineKind::Client;
        let Some(client) = shell.network.at_address(query.client.socket).filter(is_client) else { return honest };
        if self.calls_left == 0 || self.random.chance(40) {
            return honest;
        }
        self.calls_left -= 1;
        self.waiting.push(query.clone());
        // What it says of itself is its own affair: then that is an answer like any other.
        let answer_sum = Some(self.id.mark()).filter(|_| self.random.chance(25));
        let dialect = match shell.face.dialect_of_client(client) {
            Dialect::OWN => self.dialect,
            other => other,
        };
        let address = shell.network.address(client);
        shell.dial(node, self.caller(), address, dialect);
        let Some(answer_sum) = answer_sum else { return honest };
        shell.face.witness.on_claimed(client, query.id());
        Tally { answers: 1, answer_sum, ..honest }
    }

    /// A client hears what it has to say.
    pub(super) fn tell_lies(&mut self, shell: &mut Shell<SceneFace<'_>>, at: EndAt) {
        let network = &shell.network;
        let client = network.end(at.other()).node;
        let address = network.address(client);
        let says_who = network.connection(at.connection).dialect == Dialect::OWN;
        let own = network.address(network.end(at).node);
        let Some(place) = self.waiting.iter().position(|query| query.client.socket == address) else { return };
        let query = self.waiting.remove(place);
        let other = self.random.index(shell.face.scene.graph.servents());
        let (life, other_address) = (network.machines[other].life, network.address(other));
        let (id, advertised, stands_for) = match self.random.below(4) {
            0 | 1 => (self.id, own, None),
            2 => (an_id(&mut self.random), own, None),
            _ => (cast::servent_id(other, life), other_address, Some((other, life))),
        };
        let pretence = match stands_for {
            _ if !says_who => Pretence::Nobody,
            None => Pretence::Stranger(id),
            Some((servent, life)) => Pretence::Servent(servent, life),
        };
        if says_who {
            shell.say_as_stranger(at, &Message::Hello(Hello::new(Role::Servent { id, advertised })));
        }
        // In TP3 a connection brings one.
        let count = if says_who { self.random.within(1, ANSWERS_MAX) } else { 1 };
        for _ in 0..count {
            let (answer, can_be_told) = lie(&mut self.random, &query);
            // Where an answer says neither what it answers nor of what kind it is, it is one if it names the query.
            if can_be_told == Some(false) || (can_be_told == Some(true) && !says_who) {
                shell.face.witness.on_lie(client, query.id(), pretence);
            }
            shell.say_as_stranger(at, &Message::Answer(answer));
        }
    }
}

/// An answer that nobody gave, and whether the client can tell by what it says; nothing where it is to no query at all.
fn lie(random: &mut Random, query: &Query) -> (Answer, Option<bool>) {
    let value = || AnswerBody::Value(b"a lie".to_vec());
    let place = || AnswerBody::Place { path: Path::Addresses(vec![query.client.socket]), neighbors: Vec::new() };
    let (right, wrong) = match (&query.ask, false_entries(&query.ask)) {
        (_, Some(entries)) => (entries, value()),
        (Ask::Topology, None) => (place(), value()),
        (_, None) => (value(), place()),
    };
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

/// That somebody has what is asked for, if it is a content.
pub(super) fn false_entries(ask: &Ask) -> Option<AnswerBody> {
    let mut hash = [7; 32];
    match ask {
        Ask::Hashed(start) => hash.iter_mut().zip(start.as_bytes()).for_each(|(byte, first)| *byte = *first),
        Ask::Find(_) | Ask::Named(_) => {}
        Ask::Key(_) | Ask::Topology => return None,
    }
    let (name, hash, have) = (FileName::new(b"a lie").ok()?, ContentHash(hash), Have::all(1));
    let entry = Entry { name, size: 7, hash, description: Vec::new(), have };
    Some(AnswerBody::Entries(Entries::of(std::iter::once(entry), Some, 0)))
}

pub(super) fn an_id(random: &mut Random) -> ServentId {
    ServentId(u128::from(random.number()) << 64 | u128::from(random.number()))
}
