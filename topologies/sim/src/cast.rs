//! Who takes part in a run, and what each is started with: addresses, ids, whom a servent lists, data and secrets.
//!
//! Everything here follows from the scene, so both engines have the same cast. When somebody comes and goes, and what
//! becomes of it, is theirs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use common::address::Neighbor;
use common::dialect::Dialect;
use common::key::Key;
use common::message::ServentId;
use common::overlay::Config;
use common::query::Ask;
use common::random::Secret;
use common::servent_name::ServentName;
use common::store::Store;

use super::contents::{DrawnContent, DrawnHolder};
use super::dialects;
use super::graph::number;
use super::plan::{ClientVia, Plan};
use super::random::Random;
use super::scene::Scene;

// Everybody is in a network of its kind, whose lower three bytes are its number: there is room for sixteen million of
// each.
const SERVENTS: u8 = 10;
const CLIENTS: u8 = 11;
const STRANGERS: u8 = 12;
/// Those who are on the host of their contact.
const LOOPBACK: u8 = 127;
const SERVENT_PORT: u16 = 9000;
/// The port a client hears answers on.
const ANSWER_PORT: u16 = 7000;
const STRANGER_PORT: u16 = 5000;

// What the streams of random numbers are for.
const LISTERS: u64 = 0x776f_726c_6403_0000;
const SEQUENCES: u64 = 0x776f_726c_6404_0000;
const HEARING: u64 = 0x776f_726c_6406_0000;
const NATS: u64 = 0x776f_726c_6407_0000;
const GREETERS: u64 = 0x776f_726c_6408_0000;
const FETCHERS: u64 = 0x776f_726c_6409_0000;
const WRITERS: u64 = 0x6361_7374_0b57_0000;
const CALLED: u64 = 0x6361_7374_0ca1_0000;

/// Of a hundred links that may be listed by both ends, how many are.
const BOTH_LIST_PERCENT: u64 = 20;

/// Of a hundred clients, how many hear no answers where some do.
const DEAF_PERCENT: u64 = 50;
/// Of a hundred that nobody can dial, how many refuse: the others say nothing.
const REFUSING_PERCENT: u64 = 50;

/// The key that is asked for, and one that nobody asks for.
const ASKED: &str = "tea";
const UNASKED: &str = "milk";

/// Who can have an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// The servent of this number.
    Servent(usize),
    /// The client of this number.
    Client(usize),
    /// Whoever means no good, of this number.
    Stranger(usize),
}

// ---- addresses ----

/// Where a servent is.
pub(crate) fn servent_address(servent: usize) -> SocketAddr {
    address(SERVENTS, servent, SERVENT_PORT)
}

/// Where a client hears its answers.
pub(crate) fn client_address(client: usize) -> SocketAddr {
    address(CLIENTS, client, ANSWER_PORT)
}

/// Where somebody is who means no good.
pub(crate) fn stranger_address(stranger: usize) -> SocketAddr {
    address(STRANGERS, stranger, STRANGER_PORT)
}

/// Where somebody is for whoever is on the same host.
pub(crate) fn on_host(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => {
            let [_, rest @ ..] = v4.octets();
            let [high, middle, low] = rest;
            Ipv4Addr::new(LOOPBACK, high, middle, low).into()
        }
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    }
}

fn address(network: u8, number: usize, port: u16) -> SocketAddr {
    let [.., high, middle, low] = (number as u64).to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(network, high, middle, low), port))
}

/// Whose address this is, if it can be anybody's. Whether that one is there only the engine knows.
pub(crate) fn who_is_at(address: SocketAddr) -> Option<Who> {
    let SocketAddr::V4(v4) = address else { return None };
    let [network, rest @ ..] = v4.ip().octets();
    let number = rest.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    match (network, v4.port()) {
        (SERVENTS, SERVENT_PORT) => Some(Who::Servent(number)),
        (CLIENTS, ANSWER_PORT) => Some(Who::Client(number)),
        (STRANGERS, STRANGER_PORT) => Some(Who::Stranger(number)),
        _ => None,
    }
}

/// The servent whose address this is, if it is a servent's.
pub(crate) fn servent_at(address: SocketAddr) -> Option<usize> {
    match who_is_at(address) {
        Some(Who::Servent(servent)) => Some(servent),
        Some(Who::Client(_) | Who::Stranger(_)) | None => None,
    }
}

// ---- servents ----

/// Who a servent is in one of its lives, of which the first is 1.
#[must_use]
pub fn servent_id(servent: usize, life: u32) -> ServentId {
    let who = servent as u64 + 1;
    // A stream is the same for two numbers whichever comes first, so the number of a servent must be none of a life.
    let who = who | who >> 8 << 40;
    // Scattered, so that the smaller id is not always that of the smaller number.
    let [scattered, low] = [0, 1].map(|half| Random::of(who, u64::from(life) << 8 | half).number());
    ServentId(u128::from(scattered) << 64 | u128::from(low))
}

/// What a servent says it is called, in all its lives: some say nothing, some what others say too, and it may be as long as a
/// name can be, or what a terminal obeys.
pub(crate) fn called(seed: u64, servent: usize) -> Option<String> {
    let mut random = Random::of(seed ^ CALLED, servent as u64);
    match random.below(8) {
        0 | 1 => None,
        2 => Some("one of many".to_owned()),
        3 => Some("\u{e9}".repeat(32)),
        4 => Some(format!("{servent}\u{1b}[2J\n\u{202e}\0")),
        // That of another, perhaps.
        5 => Some(format!("servent {}", random.below(8))),
        _ => Some(format!("servent {servent}")),
    }
}

/// Which of two neighbors lists the other in any case.
fn lister(random: &mut Random, a: u32, b: u32) -> u32 {
    if random.chance(50) { a.min(b) } else { a.max(b) }
}

fn random_of_link(seed: u64, a: u32, b: u32) -> Random {
    Random::of(seed ^ LISTERS, u64::from(a.min(b)) << 32 | u64::from(a.max(b)))
}

/// Whether a servent lists another as its neighbor. Of each link one end does, and sometimes both; never both in TP3,
/// where two links between the same servents cannot be told to be the same.
pub(crate) fn lists(seed: u64, dialect: Dialect, servent: u32, other: u32) -> bool {
    let mut random = random_of_link(seed, servent, other);
    let is_lister = lister(&mut random, servent, other) == servent;
    is_lister || random.chance(BOTH_LIST_PERCENT) && dialect == Dialect::OWN
}

/// What a servent of a scene is started with in one of its lives. Its neighbors it is told by names, which it has to look
/// up.
pub(crate) fn config(scene: &Scene, servent: usize, life: u32) -> Config {
    let plan = &scene.plan;
    let neighbors = scene.graph.neighbors(servent).iter().copied();
    let neighbors = neighbors.map(|other| (other, dialects::of_link(plan, servent, other as usize)));
    let listed = neighbors.filter(|(other, dialect)| lists(plan.seed, *dialect, number(servent), *other));
    let neighbor = |(other, dialect)| Neighbor { name: format!("s{other}"), addresses: Vec::new(), dialect };
    Config {
        neighbors: listed.map(neighbor).collect(),
        // As `--tp3-answers` names the network the clients are in.
        answer_networks: format!("{CLIENTS}.0.0.0/8").parse().into_iter().collect(),
        name: called(plan.seed, servent).and_then(|name| ServentName::try_from(name.as_str()).ok()),
        ..config_alone(scene, servent, life)
    }
}

/// The least that a servent of a scene can be started with: of each link one end alone lists the other, by its address.
/// So nothing is looked up, nobody is linked twice, and a servent has no more to remember than it must.
#[must_use]
pub fn plain_config(scene: &Scene, servent: usize) -> Config {
    let own = number(servent);
    let is_listed = |other: &u32| lister(&mut random_of_link(scene.plan.seed, own, *other), own, *other) == own;
    let listed = scene.graph.neighbors(servent).iter().filter(|other| is_listed(other));
    let neighbors = listed.map(|other| plain_neighbor(*other as usize)).collect();
    Config { neighbors, ..config_alone(scene, servent, 1) }
}

/// A servent as a neighbor that is told by its address.
#[must_use]
pub fn plain_neighbor(servent: usize) -> Neighbor {
    let address = servent_address(servent);
    Neighbor { name: address.to_string(), addresses: vec![address], dialect: Dialect::OWN }
}

/// What a servent is started with that has no neighbors.
fn config_alone(scene: &Scene, servent: usize, life: u32) -> Config {
    Config {
        advertised: servent_address(servent),
        servent_id: servent_id(servent, life),
        ttl: scene.ttls.get(servent).copied().unwrap_or(scene.plan.ttl),
        forward_once: scene.forward_once.get(servent).copied().unwrap_or(false),
        members: scene.plan.with_members,
        shares: held_by(scene, servent).next().is_some(),
        published_only: scene.published_only.contains(&number(servent)),
        ..Config::default()
    }
}

// ---- data ----

/// What servents serve. Those that hold nothing that is asked for share it: there may be a million.
#[derive(Debug)]
pub(crate) struct Stores(Arc<Store>);

impl Stores {
    /// Those of a run.
    pub(crate) fn new() -> Stores {
        Stores(parsed(format!("{UNASKED} x\n")))
    }

    /// What a servent of a scene serves.
    pub(crate) fn of(&self, scene: &Scene, servent: usize) -> Arc<Store> {
        let holds = scene.holders.binary_search(&number(servent)).is_ok();
        let described = descriptions(scene, servent);
        match (holds, described) {
            (false, described) if described.is_empty() => Arc::clone(&self.0),
            (false, described) => parsed(format!("{UNASKED} x\n{described}")),
            (true, described) => parsed(format!("{ASKED} {}\n{UNASKED} x\n{described}", value_of(servent))),
        }
    }
}

/// What the data of a servent says of the files it shares.
fn descriptions(scene: &Scene, servent: usize) -> String {
    let line = |holder: &DrawnHolder| {
        let name = str::from_utf8(&holder.name).ok()?;
        Some(format!("{name} {}\n", holder.description?))
    };
    held_by(scene, servent).filter_map(|(_, holder)| line(holder)).collect()
}

/// The contents a servent shares.
pub(crate) fn held_by(scene: &Scene, servent: usize) -> impl Iterator<Item = (&DrawnContent, &DrawnHolder)> {
    let own = number(servent);
    scene.contents.iter().flat_map(move |content| {
        content.holders.iter().filter(move |holder| holder.servent == own).map(move |holder| (content, holder))
    })
}

fn parsed(text: String) -> Arc<Store> {
    Arc::new(Store::parse(text.into_bytes()).map(|(store, _)| store).unwrap_or_default())
}

/// What a holder answers.
pub(crate) fn value_of(servent: usize) -> String {
    format!("of {servent}")
}

// ---- clients ----

/// Whether the client of the query of this number hears answers, where it speaks this dialect to its contact. If not, all
/// of them go back.
pub(crate) fn hears_answers(plan: &Plan, query: u32, dialect: Dialect) -> bool {
    match plan.via {
        _ if dialect != Dialect::OWN => true,
        ClientVia::Direct => true,
        ClientVia::Back => false,
        ClientVia::Mixed => !Random::of(plan.seed, HEARING + u64::from(query)).chance(DEAF_PERCENT),
    }
}

/// The port at which a client hears answers: 0 where it hears none.
pub(crate) fn answer_port(hears_answers: bool) -> u16 {
    if hears_answers { ANSWER_PORT } else { 0 }
}

/// What comes of every dial to a client that nobody can dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nat {
    /// A firewall refuses it.
    Refuses,
    /// Nothing is heard of it.
    Swallows,
}

/// What keeps everybody from dialling the client of the query of this number, if anything does. More of them are the same
/// and others.
pub(crate) fn nat_of(plan: &Plan, query: u32) -> Option<Nat> {
    let mut random = Random::of(plan.seed, NATS + u64::from(query));
    let is_behind = random.chance(plan.faults.nat_percent.into());
    let refuses = random.chance(REFUSING_PERCENT);
    is_behind.then_some(if refuses { Nat::Refuses } else { Nat::Swallows })
}

/// What a client asks: the topology, or the key that some hold.
pub(crate) fn ask(topology: bool) -> Ask {
    let key = if topology { None } else { Key::new(ASKED.as_bytes()).ok() };
    key.map_or(Ask::Topology, Ask::Key)
}

/// What the client of a query draws its sequences under.
pub(crate) fn secret_of_client(seed: u64, query: usize) -> Secret {
    Secret::of_seed(Random::of(seed, SEQUENCES + query as u64).number())
}

/// The same of the client that has somebody greeted, of the fault of this number.
pub(crate) fn secret_of_greeter(seed: u64, fault: u32) -> Secret {
    Secret::of_seed(Random::of(seed, GREETERS + u64::from(fault)).number())
}

/// The same of the client that fetches something, of the fetch of this number, each time it comes.
pub(crate) fn secret_of_fetcher(seed: u64, fetch: u32, turn: u64) -> Secret {
    Secret::of_seed(Random::of(seed ^ FETCHERS, u64::from(fetch) << 32 | turn).number())
}

/// The same of a client that has its contact keep something, each time it comes.
pub(crate) fn secret_of_writer(seed: u64, writer: u64, turn: u64) -> Secret {
    Secret::of_seed(Random::of(seed ^ WRITERS, writer << 32 | turn).number())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::graph::Graph;
    use crate::plan::Faults;

    /// The chain of three, in which each starts queries and passes them on in its own way.
    fn chain() -> Scene {
        Scene { ttls: vec![3, 4, 5], forward_once: vec![false, true, false], ..crate::scene::tests::chain() }
    }

    #[test]
    fn an_address_leads_back_to_who_has_it_and_no_other_to_anybody() {
        for number in [0, 1, 255, 256, 65_536, 0x00ff_ffff] {
            assert_eq!(who_is_at(servent_address(number)), Some(Who::Servent(number)));
            assert_eq!(who_is_at(client_address(number)), Some(Who::Client(number)));
            assert_eq!(who_is_at(stranger_address(number)), Some(Who::Stranger(number)));
            assert_eq!(servent_at(servent_address(number)), Some(number));
        }
        let greeter = SocketAddr::new(on_host(client_address(257).ip()), 0);
        assert_eq!((greeter.ip().is_loopback(), who_is_at(greeter)), (true, None));
        assert_ne!(greeter.ip(), on_host(client_address(1).ip()));
        for nobody in ["10.0.0.2:7000", "11.0.0.2:9000", "13.0.0.0:9000", "[::1]:9000"] {
            assert_eq!(who_is_at(nobody.parse().unwrap()), None, "{nobody}");
        }
        assert_eq!((servent_at(client_address(1)), servent_at(stranger_address(1))), (None, None));
    }

    #[test]
    fn of_every_link_one_end_lists_the_other_and_here_and_there_both() {
        let mut both = 0;
        for seed in 0..200 {
            let native = [lists(seed, Dialect::Native, 0, 1), lists(seed, Dialect::Native, 1, 0)];
            let tp3 = [lists(seed, Dialect::Tp3, 0, 1), lists(seed, Dialect::Tp3, 1, 0)];
            assert!(native.contains(&true) && tp3[0] != tp3[1]);
            assert!((0..2).all(|end| native[end] || !tp3[end]), "whoever lists in any case does so in every dialect");
            both += usize::from(native == [true, true]);
        }
        assert!((20..60).contains(&both), "{both}");
    }

    #[test]
    fn a_servent_is_told_its_neighbors_by_names_or_each_link_once_by_addresses() {
        let mut scene = chain();
        for seed in 0..50 {
            scene.plan.seed = seed;
            let (named, plain) = ([0, 1, 2].map(|servent| config(&scene, servent, 1)), {
                [0, 1, 2].map(|servent| plain_config(&scene, servent))
            });
            let mut links = Vec::new();
            assert_eq!(
                named.each_ref().map(|config| (config.ttl, config.forward_once)),
                [(3, false), (4, true), (5, false)]
            );
            for servent in 0..3 {
                assert_eq!(plain[servent].servent_id, named[servent].servent_id);
                assert!(plain[servent].answer_networks.is_empty() && !named[servent].answer_networks.is_empty());
                let names: BTreeSet<&str> = named[servent].neighbors.iter().map(|listed| &*listed.name).collect();
                for listed in &plain[servent].neighbors {
                    let other = servent_at(listed.addresses[0]).unwrap();
                    assert!(names.contains(&*format!("s{other}")), "{names:?}");
                    links.push((number(servent), number(other)));
                }
            }
            assert_eq!(links.len(), 2);
            assert_eq!(Graph::from_links(3, &links), scene.graph);
        }
    }

    #[test]
    fn names_are_of_every_kind_and_each_can_be_said() {
        let names: Vec<Option<String>> = (0..400).map(|servent| called(7, servent)).collect();
        let count = |is_so: fn(&str) -> bool| names.iter().flatten().filter(|name| is_so(name)).count();
        assert!(names.iter().flatten().all(|name| ServentName::try_from(name.as_str()).is_ok()));
        assert!((50..150).contains(&names.iter().filter(|name| name.is_none()).count()));
        for kind in
            [count(|name| name.len() == 64), count(|name| name.contains('\u{1b}')), count(|name| name == "one of many")]
        {
            assert!((20..90).contains(&kind), "{kind}");
        }
        assert!((0..400).any(|servent| called(7, servent) != called(8, servent)));
    }

    #[test]
    fn every_life_is_somebody_else_also_where_an_id_is_folded() {
        // As the core does where half of an id is enough.
        let folded =
            |ServentId(id)| u64::try_from(id >> 64).unwrap() ^ u64::try_from(id & u128::from(u64::MAX)).unwrap();
        let lives = |servent| [1, 2, 3].map(|life| folded(servent_id(servent, life)));
        let ids: BTreeSet<u64> = (0..5_000).flat_map(lives).collect();
        assert_eq!(ids.len(), 15_000);
        let in_order = (0..100).filter(|servent| servent_id(*servent, 1) < servent_id(servent + 1, 1)).count();
        assert!((30..70).contains(&in_order), "{in_order}");
    }

    #[test]
    fn who_hears_answers_and_who_cannot_be_dialled_is_drawn_by_itself() {
        let plan = |via, nat_percent| {
            let plan = chain().plan;
            Plan { via, faults: Faults { nat_percent, ..Faults::default() }, ..plan }
        };
        let hear = |via, dialect| (0..200).filter(|query| hears_answers(&plan(via, 0), *query, dialect)).count();
        for (via, heard) in [(ClientVia::Direct, 200..201), (ClientVia::Back, 0..1), (ClientVia::Mixed, 60..140)] {
            assert!(heard.contains(&hear(via, Dialect::OWN)), "{via}");
            assert_eq!(hear(via, Dialect::Tp3), 200, "{via}");
        }
        assert_eq!([true, false].map(answer_port), [ANSWER_PORT, 0]);
        let behind = |percent| -> BTreeMap<u32, Nat> {
            (0..200).filter_map(|query| Some((query, nat_of(&plan(ClientVia::Direct, percent), query)?))).collect()
        };
        let [none, some, more, all] = [0, 30, 60, 100].map(behind);
        assert_eq!((none.len(), all.len()), (0, 200));
        assert!((30..90).contains(&some.len()) && some.len() < more.len());
        assert!(some.iter().all(|(query, nat)| more.get(query) == Some(nat)), "more are the same and others");
        assert!((60..140).contains(&all.values().filter(|nat| **nat == Nat::Refuses).count()));
    }

    #[test]
    fn holders_hold_what_is_asked_and_say_whose_it_is() {
        let (scene, stores) = (chain(), Stores::new());
        let Ask::Key(key) = ask(false) else { panic!("no key") };
        assert_eq!(ask(true), Ask::Topology);
        let found = [0, 1, 2].map(|servent| stores.of(&scene, servent).get(key.as_bytes()).map(<[u8]>::to_vec));
        assert_eq!(found, [None, None, Some(value_of(2).into_bytes())]);
        assert!(Arc::ptr_eq(&stores.of(&scene, 0), &stores.of(&scene, 1)), "what is the same is kept once");
        assert!(secret_of_client(1, 0).nth(0) != secret_of_client(1, 1).nth(0));
    }
}
