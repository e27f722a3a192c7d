//! The face of a scene: its servents and clients are started as it says, its faults decide what dials and look-ups come
//! to, and the witness is shown all that happens.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use common::address::Neighbor;
use common::dialect::Dialect;
use common::exchange::{Exchange, Heard};
use common::key::Key;
use common::link::{LinkId, SendError};
use common::message::{Message, ServentId};
use common::overlay::{Config, Overlay};
use common::query::{AnswerBody, Ask, QueryId};
use common::random::Secret;
use common::session::{Report, Session};
use common::store::Store;
use common::wire::Accepts;

use super::super::dialects;
use super::super::graph::number;
use super::super::plan::Wire;
use super::super::random::Random;
use super::super::scene::Scene;
use super::clock::Nanos;
use super::ends::EndAt;
use super::events::{Caller, Fate, Knock, SceneEvent};
use super::face::{Face, LookUp};
use super::faults::Troubles;
use super::hosts::HostKind;
use super::network::{Network, News};
use super::shell::{Mind, Shell};
use super::witness::{ToldPlace, Witness};

// What the streams of random numbers are for.
const DIALLERS: u64 = 0x776f_726c_6403_0000;
const SEQUENCES: u64 = 0x776f_726c_6404_0000;

/// A scene, what is wrong in it just now, and who judges it.
pub(super) struct SceneFace<'s> {
    pub(super) scene: &'s Scene,
    pub(super) troubles: Troubles,
    pub(super) witness: Witness<'s>,
    /// Echoes that servents heard.
    pub(super) echoes: u64,
    /// By node: which query a client asks.
    queries: Vec<Option<usize>>,
}

impl<'s> SceneFace<'s> {
    pub(super) fn new(scene: &'s Scene) -> SceneFace<'s> {
        let (troubles, witness) = (Troubles::new(scene), Witness::new(scene));
        SceneFace { scene, troubles, witness, echoes: 0, queries: Vec::new() }
    }

    fn query_of(&self, node: usize) -> Option<usize> {
        self.queries.get(node).copied().flatten()
    }

    /// What whoever lives at a node speaks to its contact, if it is a client.
    pub(super) fn dialect_of_client(&self, node: usize) -> Dialect {
        self.query_of(node).map_or(Dialect::OWN, |query| self.witness.dialect_of(query))
    }

    pub(super) fn is_absent(&self, servent: usize) -> bool {
        self.scene.absent.get(servent).copied().unwrap_or(false)
    }
}

impl Face for SceneFace<'_> {
    fn fate_of(&mut self, network: &Network, knock: &Knock) -> Option<Fate> {
        self.troubles.fate_of(network, knock.node, knock.to?)
    }

    fn blocks(&self, network: &Network, from: usize, to: usize) -> u32 {
        self.troubles.blocks(network, from, to)
    }

    fn look_up(&mut self, _: Nanos, servent: usize, name: &str) -> LookUp {
        let number = name.strip_prefix('s').and_then(|number| number.parse::<usize>().ok());
        let found = number.filter(|number| *number < self.scene.graph.servents());
        match self.troubles.look_up(servent) {
            Some((wait, is_in_vain)) => LookUp::Later(wait, found.filter(|_| !is_in_vain)),
            None => found.map_or(LookUp::Unknown, LookUp::Found),
        }
    }

    fn on_told(&mut self, network: &Network, client: usize, report: Report) -> Option<SceneEvent> {
        let query = self.query_of(client)?;
        let now = network.clock.now();
        match report {
            Report::Ready => return self.witness.on_ready(query).then_some(SceneEvent::Ask { query }),
            Report::Refused { .. } => self.witness.on_refused(query),
            Report::Answer { sequence, from, hops, body, .. } => {
                self.witness.on_told_of(now, query, sequence);
                let from = network.at_address(from).filter(|from| *from < self.scene.graph.servents());
                let nodes = |addresses: &[SocketAddr]| -> Vec<Option<usize>> {
                    addresses.iter().map(|address| network.at_address(*address)).collect()
                };
                let place = match &body {
                    AnswerBody::Place { path, neighbors } => {
                        Some(ToldPlace { path: nodes(&path.addresses()), neighbors: nodes(neighbors) })
                    }
                    AnswerBody::Value(_) => None,
                };
                self.witness.on_answer(now, query, from, hops, &body, place.as_ref());
            }
            Report::Ended { sequence, ending } => {
                self.witness.on_told_of(now, query, sequence);
                self.witness.on_ended(now, query, &ending);
            }
            Report::ContactLost { .. } => self.witness.on_contact_lost(query),
            Report::Unexpected { .. } | Report::MoreUnexpected { .. } => {}
        }
        None
    }

    fn on_broken(&mut self, now: Nanos, text: &str) {
        self.witness.broke(now, text);
    }

    fn on_news(&mut self, now: Nanos, news: &News) -> Option<(Nanos, SceneEvent)> {
        match news {
            News::Stands { connection, nodes: [a, b] } => {
                self.witness.on_link_stands(now, *a, *b);
                let pause = self.troubles.flaps_after(*a, *b)?;
                return Some((pause, SceneEvent::Flap { connection: *connection }));
            }
            News::Falls { nodes: [a, b], had_stood } => self.witness.on_link_falls(now, *a, *b, *had_stood),
            News::Broke(text) => self.witness.broke(now, text),
        }
        None
    }

    fn on_said(&mut self, network: &Network, link: LinkId, message: &Message, said: &Result<(), SendError>) {
        let at = EndAt::of(link);
        let node = network.end(at).node;
        if said.is_err() || network.hosts[node].kind == HostKind::Stranger {
            return;
        }
        let (now, dialect) = (network.clock.now(), network.connection(at.connection).dialect);
        match message {
            Message::Query(query) => {
                let client = network.at_address(query.id().client);
                self.witness.on_mark(node, client, query);
                self.witness.on_copy(now, node, link, dialect, client, query);
            }
            Message::Answer(answer) => {
                let client = network.end(at.other()).node;
                let id = QueryId { sequence: answer.sequence, client: network.address(client) };
                let life = network.hosts[node].life;
                self.witness.on_answer_said(now, (node, life), client, id, dialect == Dialect::OWN);
            }
            _ => {}
        }
    }

    fn on_heard(&mut self, network: &Network, link: LinkId, heard: &Heard) {
        let node = network.end(EndAt::of(link)).node;
        if let Heard::Message(Message::Echo(echo)) = heard
            && network.hosts[node].kind == HostKind::Servent
        {
            self.echoes += 1;
            self.witness.on_echo(network.at_address(echo.id.client), echo.id);
        }
    }

    fn on_no_answer(&mut self, _: &Network, node: usize, caller: Caller, _: &str) {
        if let (Caller::Contact, Some(query)) = (caller, self.query_of(node)) {
            self.witness.on_refused(query);
        }
    }

    fn on_handled(&mut self, now: Nanos, servent: usize, overlay: &Overlay) {
        self.witness.check_holdings(now, servent, overlay.holdings());
    }

    fn on_request(&mut self, client: usize, sequence: u64) {
        if let Some(query) = self.query_of(client) {
            self.witness.on_request(query, sequence);
        }
    }
}

/// Who there is from the beginning, at their addresses.
pub(super) fn add_servents(shell: &mut Shell<SceneFace<'_>>) {
    for servent in 0..shell.face.scene.graph.servents() {
        shell.add(address_of(10, servent, 9000), HostKind::Servent, servent);
    }
}

/// Somebody who comes to a servent in the midst of it.
pub(super) fn add_guest(shell: &mut Shell<SceneFace<'_>>, kind: HostKind, place: usize) -> usize {
    let guest = shell.nodes_count() - shell.face.scene.graph.servents();
    let address = match kind {
        HostKind::Client => address_of(11, guest, 7000),
        HostKind::Servent | HostKind::Stranger => address_of(12, guest, 5000),
    };
    shell.add(address, kind, place)
}

/// Starts a servent, for the first time or anew: with an empty mind, and as somebody else.
pub(super) fn start_servent(shell: &mut Shell<SceneFace<'_>>, servent: usize) {
    let scene = shell.face.scene;
    let plan = &scene.plan;
    let neighbors = scene.graph.neighbors(servent).iter().copied();
    let neighbors = neighbors.map(|other| (other, dialects::of_link(plan, servent, other as usize)));
    let listed = neighbors.filter(|(other, dialect)| lists(plan.seed, *dialect, number(servent), *other));
    let neighbor = |(other, dialect)| Neighbor { name: format!("s{other}"), addresses: Vec::new(), dialect };
    let neighbors = listed.map(neighbor).collect();
    let data = if scene.holders.binary_search(&number(servent)).is_ok() {
        format!("tea of {servent}\nmilk x\n")
    } else {
        "milk x\n".to_owned()
    };
    let store = Store::parse(data.into_bytes()).map(|(store, _)| store).unwrap_or_default();
    let config = Config {
        advertised: shell.network.address(servent),
        servent_id: id_of(servent, shell.network.hosts[servent].life + 1),
        ttl: scene.ttls.get(servent).copied().unwrap_or(plan.ttl),
        forward_once: scene.forward_once.get(servent).copied().unwrap_or(false),
        neighbors,
        // As `--tp3-answers` names the network the clients are in.
        answer_networks: "11.0.0.0/8".parse().into_iter().collect(),
        ..Config::default()
    };
    let accepts = match plan.wire {
        Wire::None | Wire::Native => Accepts::OWN,
        Wire::Tp3 | Wire::Mixed => Accepts::ANY,
    };
    let mind = Mind::Servent(Box::new(Overlay::new(&config, Arc::new(store))));
    shell.settle_down(servent, mind, Exchange::servent(accepts));
}

/// The client of a query comes, on its way to its contact.
pub(super) fn attach(shell: &mut Shell<SceneFace<'_>>, query: usize) {
    let Some(contact) = shell.face.witness.contact_of(query) else { return };
    let secret = Secret::of_seed(Random::of(shell.face.scene.plan.seed, SEQUENCES + query as u64).number());
    let dialect = shell.face.witness.dialect_of(query);
    let node = add_guest(shell, HostKind::Client, contact);
    shell.face.queries.resize(node, None);
    shell.face.queries.push(Some(query));
    let mind = Mind::Client(Box::new(Session::new(dialect, 7000, secret)));
    shell.settle_down(node, mind, Exchange::client(Accepts::answers_to(dialect)));
    let (now, address) = (shell.now(), shell.network.address(node));
    shell.face.witness.on_attaching(now, query, node, address);
    let contact = shell.network.address(contact);
    shell.dial(node, Caller::Contact, contact, dialect);
}

/// What is asked for, where it is not the topology.
pub(super) fn tea() -> Ask {
    Key::new(b"tea").map_or(Ask::Topology, Ask::Key)
}

/// Who a servent is in one of its lives.
pub(super) fn id_of(servent: usize, life: u32) -> ServentId {
    // Scattered, so that the smaller id is not always that of the smaller number.
    let [scattered, low] = [0, 1].map(|half| Random::of(servent as u64 + 1, u64::from(life) << 8 | half).number());
    ServentId(u128::from(scattered) << 64 | u128::from(low))
}

/// Whether a servent lists another as its neighbor. Of each link one end does, and sometimes both; never both in TP3,
/// where two links between the same servents cannot be told to be the same.
fn lists(seed: u64, dialect: Dialect, servent: u32, other: u32) -> bool {
    let (small, large) = (servent.min(other), servent.max(other));
    let mut random = Random::of(seed ^ DIALLERS, u64::from(small) << 32 | u64::from(large));
    let small_lists = random.chance(50);
    let both = random.chance(20) && dialect == Dialect::OWN;
    both || small_lists == (servent == small)
}

fn address_of(kind: u8, number: usize, port: u16) -> SocketAddr {
    let [.., high, middle, low] = (number as u64).to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(kind, high, middle, low), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_every_link_one_end_dials_at_least() {
        for seed in 0..200 {
            assert!(lists(seed, Dialect::Native, 0, 1) || lists(seed, Dialect::Native, 1, 0));
            assert!(lists(seed, Dialect::Tp3, 0, 1) != lists(seed, Dialect::Tp3, 1, 0));
        }
    }
}
