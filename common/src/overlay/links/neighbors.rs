//! The standing links to neighbors: who is at each, and how long it has been quiet.
//!
//! It does not know what is said on a link, nor who is to be dialled (`targets`). Kept small: one process may simulate
//! a million servents.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use crate::address::join;
use crate::dialect::{Dialect, Manners};
use crate::features::Features;
use crate::limits::{NEIGHBOR_BEAT, NEIGHBOR_QUIET_MAX, PING_AFTER, SERVENT_FRAME_BYTES_MAX, SUSPECT_AFTER};
use crate::link::LinkId;
use crate::message::{Hello, Identity, Role};
use crate::query::{Query, Via};
use crate::servent_name::ServentName;
use crate::wire;

/// A link to a neighbor.
#[derive(Debug)]
pub(super) struct NeighborLink {
    pub(super) link: LinkId,
    /// Who it is, if it says so.
    pub(super) identity: Option<Identity>,
    uncommon: Option<Box<Uncommon>>,
    v4: SocketAddrV4,
    /// The beats since it was last heard.
    quiet: u8,
    flags: u8,
}

const DIALLED_HERE: u8 = 1 << 0;
/// Nearly all offer to hear of members, or none does: it is no reason to take more room.
const OFFERS_MEMBERS: u8 = 1 << 1;
/// Its link comes from the ip it goes by.
const IS_FROM_THERE: u8 = 1 << 2;
/// This servent slept, and has not heard it since.
const IS_UNHEARD: u8 = 1 << 3;

/// What few neighbors differ in: nearly all go by an IPv4 address, speak as we do, and can do what we can.
#[derive(Debug, PartialEq, Eq)]
struct Uncommon {
    v6: Option<SocketAddrV6>,
    /// What it is called, if it says so.
    name: Option<ServentName>,
    /// Whether it is on this host, as far as the link shows.
    is_same_host: bool,
    dialect: Dialect,
    features: Features,
    /// The longest frame it accepts; no query takes more than we accept.
    frame_bytes_max: usize,
}

static COMMON: Uncommon = Uncommon {
    v6: None,
    name: None,
    is_same_host: false,
    dialect: Dialect::OWN,
    features: Features::OF_SERVENTS,
    frame_bytes_max: SERVENT_FRAME_BYTES_MAX,
};

/// What a beat found to be done about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It has been quiet for [`PING_AFTER`]: ask whether it is there.
    Ping,
    /// It has been quiet for [`SUSPECT_AFTER`]: whoever has heard it may say so.
    Suspect,
    /// It has been quiet for [`NEIGHBOR_QUIET_MAX`]: it is not.
    Gone,
}

impl NeighborLink {
    /// A link on which this hello was said, by somebody who goes by this address.
    pub(super) fn new(
        link: LinkId,
        hello: &Hello,
        advertised: SocketAddr,
        is_same_host: bool,
        dialled_here: bool,
    ) -> NeighborLink {
        let identity = match hello.role {
            Role::Servent { id, .. } => Some(Identity::from(id)),
            Role::Client { .. } | Role::Nameless => None,
        };
        let (v4, v6) = match advertised {
            SocketAddr::V4(v4) => (v4, None),
            SocketAddr::V6(v6) => (SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), Some(v6)),
        };
        let Hello { dialect, features, frame_bytes_max, .. } = *hello;
        let name = hello.name.clone();
        let frame_bytes_max = usize::try_from(frame_bytes_max).unwrap_or(usize::MAX).min(SERVENT_FRAME_BYTES_MAX);
        let offers_members = features.include(Features::MEMBERS);
        let features = features.without(Features::MEMBERS);
        let about = Uncommon { v6, name, is_same_host, dialect, features, frame_bytes_max };
        let uncommon = (about != COMMON).then(|| Box::new(about));
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(dialled_here, DIALLED_HERE) | flag(offers_members, OFFERS_MEMBERS);
        NeighborLink { link, identity, uncommon, v4, quiet: 0, flags }
    }

    /// The same, of which it is known whether it comes from the ip it goes by.
    pub(super) fn coming_from_there(self, is_from_there: bool) -> NeighborLink {
        let flag = if is_from_there { IS_FROM_THERE } else { 0 };
        NeighborLink { flags: self.flags | flag, ..self }
    }

    fn about(&self) -> &Uncommon {
        self.uncommon.as_deref().unwrap_or(&COMMON)
    }

    pub(super) fn advertised(&self) -> SocketAddr {
        join(self.v4, self.about().v6.as_ref())
    }

    /// What it is called, if it says so.
    pub(super) fn name(&self) -> Option<&ServentName> {
        self.about().name.as_ref()
    }

    /// What is customary in its dialect.
    pub(super) fn manners(&self) -> &'static Manners {
        self.about().dialect.manners()
    }

    /// What it offered to understand.
    pub(super) fn features(&self) -> Features {
        let members = if self.flags & OFFERS_MEMBERS == 0 { Features::NONE } else { Features::MEMBERS };
        self.about().features.with(members)
    }

    pub(super) fn dialled_here(&self) -> bool {
        self.flags & DIALLED_HERE != 0
    }

    /// Whether its link comes from the ip it goes by.
    pub(super) fn is_from_there(&self) -> bool {
        self.flags & IS_FROM_THERE != 0
    }

    /// Whether it is on this host, as far as the link shows.
    pub(super) fn is_same_host(&self) -> bool {
        self.about().is_same_host
    }

    /// How the copy is answered that this neighbor is sent of a query. Nothing where it cannot be told: it would not
    /// understand, does not accept a frame as long, or would dial a client that cannot be dialled.
    pub(super) fn told_as(&self, query: &Query) -> Option<Via> {
        let Uncommon { is_same_host, dialect, features, frame_bytes_max, .. } = *self.about();
        let is_dialled_there = query.via == Via::Direct && query.client.means_the_same_there(is_same_host);
        // Without a contact nobody knows the way back.
        let goes_back = !is_dialled_there && dialect.manners().brings_back && query.can_go_back();
        let via = if goes_back { Via::Back } else { Via::Direct };
        let needs = query.needs_without_via().with(via.needs());
        let is_possible = via == Via::Back || query.client.socket.port() != 0;
        (is_possible && features.include(needs) && wire::can_say(dialect, query, frame_bytes_max)).then_some(via)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let name = self.name().map_or(0, |name| name.as_str().len());
        size_of_val(self) + self.uncommon.as_deref().map_or(0, size_of_val) + name
    }

    /// Something was heard from it: whether it was suspect.
    #[inline]
    pub(super) fn on_heard(&mut self) -> bool {
        // Most are heard often: what is not changed need not be written.
        (self.quiet | (self.flags & IS_UNHEARD)) > 0 && {
            self.flags &= !IS_UNHEARD;
            u64::from(std::mem::take(&mut self.quiet)) >= SUSPECT_BEATS
        }
    }

    /// Whether it was heard so lately that it was not pinged since.
    pub(super) fn is_lively(&self) -> bool {
        u64::from(self.quiet) < PING_BEATS && !self.is_unheard()
    }

    /// The same, or it is pinged at this very beat: what it answers is not here yet.
    pub(super) fn was_lively(&self) -> bool {
        u64::from(self.quiet) <= PING_BEATS && !self.is_unheard()
    }

    /// Whether this servent slept and has not heard it since: how long it has been quiet nobody knows.
    pub(super) fn is_unheard(&self) -> bool {
        self.flags & IS_UNHEARD != 0
    }

    /// This servent slept. It has been quiet for no longer because of that.
    pub(super) fn on_slept(&mut self) {
        self.flags |= IS_UNHEARD;
    }

    /// It is gone with the second beat from now, unless it is heard.
    pub(super) fn doubt(&mut self) {
        self.quiet = self.quiet.max(u8::try_from(GONE_BEATS - 2).unwrap_or(u8::MAX));
    }

    /// Counts a beat. One that cannot answer a ping may be quiet; the system's keepalive has to do.
    pub(super) fn on_beat(&mut self) -> Option<Silence> {
        if !self.manners().answers_ping {
            return None;
        }
        self.quiet = self.quiet.saturating_add(1);
        match u64::from(self.quiet) {
            PING_BEATS => Some(Silence::Ping),
            SUSPECT_BEATS => Some(Silence::Suspect),
            GONE_BEATS.. => Some(Silence::Gone),
            _ => None,
        }
    }
}

/// It may have been heard just before the first beat that counts, so as many have to pass and one more.
const PING_BEATS: u64 = beats(PING_AFTER) + 1;
const SUSPECT_BEATS: u64 = beats(SUSPECT_AFTER) + 1;
const GONE_BEATS: u64 = beats(NEIGHBOR_QUIET_MAX) + 1;

/// How many beats make up a duration that is some of them long.
pub(super) const fn beats(duration: Duration) -> u64 {
    duration.as_secs() / NEIGHBOR_BEAT.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::AnswerAddress;
    use crate::features::MADE_UP;
    use crate::key::Key;
    use crate::message::{Message, ServentId};
    use crate::query::{Ask, ContactMark, ContactName, Path};

    #[test]
    fn a_link_is_no_larger_than_it_has_to_be() {
        assert_eq!(size_of::<NeighborLink>(), 32);
    }

    #[test]
    fn every_servent_id_has_an_identity() {
        let identity = |id| Identity::from(ServentId(id));
        assert_eq!(identity(0), identity(u128::from(u64::MAX)), "folded to nothing");
        assert_ne!(identity(1), identity(2));
        assert_ne!(identity(1), identity(1 << 64 | 2));
    }

    #[test]
    fn an_address_of_either_family_comes_out_as_it_went_in() {
        for text in ["10.1.2.3:9000", "0.0.0.0:0", "[::1]:9000", "[2001:db8::7]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            let hello = Hello::new(Role::Nameless);
            assert_eq!(NeighborLink::new(LinkId(1), &hello, address, false, false).advertised(), address);
        }
    }

    #[test]
    fn only_what_is_uncommon_takes_more_room() {
        let plain = || Hello::new(Role::Nameless);
        let named = |name: &str| {
            let role = Role::Servent { id: ServentId(0), advertised: ([10, 1, 2, 3], 9000).into() };
            Hello { name: ServentName::try_from(name).ok(), ..Hello::new(role) }
        };
        let [v4, v6] = ["10.1.2.3:9000", "[::1]:9000"].map(|text| text.parse::<SocketAddr>().unwrap());
        let size = |hello: &Hello, address| NeighborLink::new(LinkId(1), hello, address, false, true).memory_bytes();
        assert_eq!(size(&plain(), v4), size_of::<NeighborLink>());
        assert_eq!(size(&Hello { frame_bytes_max: u32::MAX, ..plain() }, v4), size_of::<NeighborLink>());
        let larger = size_of::<NeighborLink>() + size_of::<Uncommon>();
        for (hello, address) in [
            (plain(), v6),
            (Hello { dialect: Dialect::Toy, ..plain() }, v4),
            (Hello { features: MADE_UP[0], ..plain() }, v4),
            (Hello { frame_bytes_max: 1000, ..plain() }, v4),
        ] {
            assert_eq!(size(&hello, address), larger, "{hello:?} at {address}");
        }
        assert_eq!(size(&named("kitchen"), v4), larger + "kitchen".len());
    }

    #[test]
    fn who_can_be_told_what_is_known_of_each() {
        let client = AnswerAddress { socket: ([192, 0, 2, 7], 9990).into(), dialect: Dialect::Native };
        let ask = |key: &[u8]| Ask::Key(Key::new(key).unwrap());
        let query = |ask| Query {
            via: Via::Direct,
            sequence: 7,
            client,
            contact: None,
            ttl: 3,
            hops: 1,
            ask,
            path: Path::default(),
        };
        let link = |dialect, features| {
            let hello = Hello { features, ..Hello::said_in(dialect, Role::Nameless) };
            NeighborLink::new(LinkId(1), &hello, ([10, 0, 0, 1], 9000).into(), false, true)
        };
        let (none, [toy, other, _]) = (Features::NONE, MADE_UP);
        for (dialect, hears, offered, key, expected) in [
            (Dialect::Native, Dialect::Native, none, "nine bytes", true),
            (Dialect::Native, Dialect::Toy, toy, "nine bytes", true),
            (Dialect::Native, Dialect::Toy, other, "nine bytes", false),
            (Dialect::Toy, Dialect::Native, none, "short", true),
            (Dialect::Toy, Dialect::Native, none, "nine bytes", false),
            (Dialect::Toy, Dialect::Toy, toy, "short", true),
            (Dialect::Toy, Dialect::Toy, none, "short", false),
        ] {
            let client = AnswerAddress { dialect: hears, ..client };
            let query = Query { client, ..query(ask(key.as_bytes())) };
            let told = link(dialect, offered).told_as(&query);
            let expected = expected.then_some(Via::Direct);
            assert_eq!(
                told, expected,
                "{dialect:?} that offers {offered:?} is asked `{key}` for one that hears {hears:?}"
            );
        }
    }

    /// The copies of one query, each as it is for whoever is sent it.
    #[test]
    fn who_would_dial_a_client_in_vain_sends_its_answer_back_or_is_not_told() {
        let mark = Some(ContactMark { name: ContactName(7), number: 0, open_from: 0 });
        let ask = Ask::Key(Key::new(b"short").unwrap());
        let (back, none) = (Features::BACK, Features::NONE);
        let (direct, goes_back) = (Some(Via::Direct), Some(Via::Back));
        let told = |dialect, offered, is_same_host, via, contact, socket: &str| {
            let client = AnswerAddress { socket: socket.parse().unwrap(), dialect: Dialect::Native };
            let (ask, path) = (ask.clone(), Path::default());
            let query = Query { via, sequence: 7, client, contact, ttl: 3, hops: 1, ask, path };
            let hello = Hello { features: offered, ..Hello::said_in(dialect, Role::Nameless) };
            NeighborLink::new(LinkId(1), &hello, ([10, 0, 0, 1], 9000).into(), is_same_host, true).told_as(&query)
        };
        let native =
            |offered, is_same_host, via, socket| told(Dialect::Native, offered, is_same_host, via, mark, socket);
        for (offered, is_same_host, via, client, expected) in [
            (back, false, Via::Direct, "192.0.2.7:9990", direct),
            (none, false, Via::Direct, "192.0.2.7:9990", direct),
            (back, true, Via::Direct, "127.0.0.1:9990", direct),
            (back, false, Via::Direct, "127.0.0.1:9990", goes_back),
            (back, false, Via::Direct, "[::1]:9990", goes_back),
            (none, false, Via::Direct, "127.0.0.1:9990", None),
            (back, true, Via::Direct, "[fe80::7]:9990", goes_back),
            (back, true, Via::Direct, "169.254.0.7:9990", goes_back),
            (back, false, Via::Direct, "[2001:db8::7]:9990", direct),
            (back, false, Via::Back, "192.0.2.7:9990", goes_back),
            (back, true, Via::Back, "192.0.2.7:0", goes_back),
            (none, false, Via::Back, "192.0.2.7:9990", None),
            // Nobody says so, and it can only be lost.
            (back, false, Via::Direct, "192.0.2.7:0", None),
        ] {
            assert_eq!(native(offered, is_same_host, via, client), expected, "{client} {via:?}, {offered:?} offered");
        }
        for (client, expected) in [("192.0.2.7:9990", direct), ("127.0.0.1:9990", direct), ("192.0.2.7:0", None)] {
            // Over a dialect without words for it, and without a contact, it goes on as it did before there were any.
            assert_eq!(told(Dialect::Toy, none, false, Via::Back, mark, client), expected, "{client}");
            assert_eq!(told(Dialect::Native, back, false, Via::Direct, None, client), expected, "{client}");
        }
    }

    #[test]
    fn whoever_accepts_only_shorter_frames_can_be_told_what_fits() {
        let client = AnswerAddress { socket: ([192, 0, 2, 7], 9990).into(), dialect: Dialect::Native };
        let ask = Ask::Key(Key::new(&[b'k'; 100]).unwrap());
        let key =
            Query { via: Via::Direct, sequence: 7, client, contact: None, ttl: 3, hops: 1, ask, path: Path::default() };
        // Of a path that is text there are as many addresses as hops, and our own is in it already.
        let path = Path::Text(b"10.0.0.1:9000 10.0.0.2:9000".to_vec());
        let topology = Query { ask: Ask::Topology, path, ..key.clone() };
        for query in [key, topology] {
            let passed_on = Query { ttl: query.ttl - 1, hops: query.hops + 1, ..query.clone() };
            // The clock may be far by the time it is said.
            let (later, passed_on) = (wire::Position::Later, Message::query(passed_on));
            let frame = wire::Frame::at(later, Dialect::Native, u64::MAX, &passed_on).unwrap();
            let length = u32::try_from(frame.body_bytes_count()).unwrap();
            for (frame_bytes_max, expected) in
                [(u32::MAX, true), (length + 1, true), (length, true), (length - 1, false), (0, false)]
            {
                let hello = Hello { frame_bytes_max, ..Hello::new(Role::Nameless) };
                let link = NeighborLink::new(LinkId(1), &hello, ([10, 0, 0, 1], 9000).into(), false, true);
                let told = link.told_as(&query).is_some();
                assert_eq!(told, expected, "{frame_bytes_max} bytes, and {query:?} has {length}");
            }
        }
    }
}
