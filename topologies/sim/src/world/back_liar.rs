//! Answers that a hostile servent has go back: forged ones, to what it heard or to nothing that anybody asked.
//!
//! Which, and under whose name, is drawn. What a client cannot tell from an honest one is shown to the witness.

use std::sync::Arc;

use common::dialect::Dialect;
use common::features::Features;
use common::message::{Brought, Hello, Message, Role, ServentId};
use common::query::{AnswerBody, Ask, BroughtAnswer, BroughtBody, ContactMark, ContactName, Path, Query};

use super::ends::EndAt;
use super::liar::{an_id, false_entries};
use super::scenery::SceneFace;
use super::shell::Shell;
use super::witness::Pretence;
use crate::cast;
use crate::random::Random;

/// Of a hundred of them that speak our own dialect, how many offer to bring answers back: others are told of no query whose
/// answers have to.
const OFFER_PERCENT: u64 = 75;
/// The most answers one has go back for one copy, and in all.
const AT_ONCE_MAX: u64 = 3;
const IN_ALL_MAX: u64 = 60;

/// What a hostile servent needs to have answers go back.
pub(super) struct BackLiar {
    random: Random,
    offers: bool,
    id: ServentId,
    left: u64,
}

impl BackLiar {
    pub(super) fn draw(mut random: Random) -> BackLiar {
        let offers = random.chance(OFFER_PERCENT);
        let (id, left) = (an_id(&mut random), random.within(0, IN_ALL_MAX));
        BackLiar { random, offers, id, left }
    }

    /// Its hello, with what it offers to understand.
    pub(super) fn hello(&self, dialect: Dialect, role: Role) -> Hello {
        let hello = Hello::said_in(dialect, role);
        if self.offers && dialect == Dialect::OWN {
            Hello { features: hello.features.with(Features::BACK), ..hello }
        } else {
            hello
        }
    }

    /// Has answers go back for a copy that it hears, or for something else, or does not.
    pub(super) fn bring_perhaps(&mut self, shell: &mut Shell<SceneFace<'_>>, at: EndAt, copy: &Query, heard: &[Query]) {
        if shell.network.connection(at.connection).dialect != Dialect::OWN || self.random.chance(50) {
            return;
        }
        for _ in 0..self.random.within(1, AT_ONCE_MAX).min(self.left) {
            self.left -= 1;
            let of = match self.random.below(4) {
                0 => heard.get(self.random.index(heard.len())).unwrap_or(copy),
                _ => copy,
            };
            self.bring(shell, at, of);
        }
    }

    fn bring(&mut self, shell: &mut Shell<SceneFace<'_>>, at: EndAt, of: &Query) {
        let (network, random) = (&shell.network, &mut self.random);
        let own = network.address(network.end(at).node);
        let other = random.index(shell.face.scene.graph.servents());
        let life = network.machines[other].life;
        let (id, from, pretence) = match random.below(4) {
            0 | 1 => (self.id, own, Pretence::Stranger(self.id)),
            2 => {
                let id = an_id(random);
                (id, own, Pretence::Stranger(id))
            }
            _ => (cast::servent_id(other, life), network.address(other), Pretence::Servent(other, life)),
        };
        let is_for_places = of.ask == Ask::Topology;
        let tells_place = is_for_places != random.chance(20);
        let body = match random.below(8) {
            0 if !tells_place => BroughtBody::Announced(random.within(1, 1 << 20)),
            _ if tells_place => {
                let path = Path::Addresses(vec![of.client.socket]);
                BroughtBody::Whole(AnswerBody::Place { path, neighbors: Vec::new() })
            }
            _ => BroughtBody::Whole(false_entries(&of.ask).unwrap_or_else(|| AnswerBody::Value(b"a lie".to_vec()))),
        };
        let (mut mark, mut ttl, mut hops) = (of.contact, of.ttl, of.hops);
        let mut client = network.at_address(of.client.socket).map(|client| (client, of.id()));
        match random.below(10) {
            0 => mark = Some(ContactMark { name: ContactName(random.number()), number: random.below(4), open_from: 0 }),
            1 => ttl = random.byte(),
            // Of a query that it need not have heard, and not of this link.
            2 | 3 => {
                let known = shell.face.witness.marks();
                if let Some((query, other)) = known.get(random.index(known.len())) {
                    (mark, client) = (Some(*other), shell.face.witness.id_of(*query));
                    (ttl, hops) = (random.byte() % 8, 1);
                }
            }
            _ => {}
        }
        let Some(ContactMark { name: contact, number, .. }) = mark else { return };
        if let Some((client, query)) = client {
            shell.face.witness.on_lie(client, query, pretence);
        }
        let answer = Arc::new(BroughtAnswer { id, from, name: None, hops, body });
        shell.say_as_stranger(at, &Message::Brought(Brought { contact, number, ttl, answer }));
    }
}
