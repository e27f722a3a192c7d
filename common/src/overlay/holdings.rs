//! What a mind holds of each thing that has a limit, and what it counted: one list, for whoever watches, logs or draws.
//!
//! Part of the corridor. It is read and never written: each value is where it belongs, in its room.

use std::fmt::{self, Display, Formatter};

use super::calls::Calls;
use super::delivery::Delivery;
use super::flood::Flood;
use super::links::Links;
use super::members::Members;
use super::rooms::{Counters, RareRooms, Rooms};
use super::uploads::Uploads;
use super::visits::Visits;
use super::writes::Writes;
use crate::limits::{
    CALL_ADDRESSES_MAX, CALL_DIALS_MAX, CALL_LINKS_MAX, CALLS_QUEUED_BYTES_MAX, CONNECTIONS_MAX, CONTACTS_MAX,
    ECHOES_KEPT_MAX, FINDS_WAITING_MAX, GREETINGS_MAX, LOOKS_MAX, MEMBER_PLACES_MAX, NEIGHBORS_MAX,
    OFFERS_KEPT_BYTES_MAX, QUERIES_PENDING_MAX, ROUTES_KEPT_MAX, SEEN_IDS_MAX, SEEN_TP3_IDS_MAX, SPAN_MAX, UPLOADS_MAX,
    WATCHES_PER_CLIENT_MAX, WRITES_WAITING_BYTES_MAX, WRITTEN_BYTES_MAX, WRITTEN_KEYS_MAX,
};

/// Queries from the first one that is open to the last: so far apart their numbers may be.
#[allow(clippy::cast_possible_truncation, reason = "it is that of a number of two bytes")]
const OWN_OPEN_MAX: usize = SPAN_MAX as usize + 1;

/// How much there is of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holding {
    /// What it goes by.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// How much is held now, or how many were counted since the start.
    pub value: u64,
    /// The most there may be. What was only counted has none.
    pub limit: Option<u64>,
}

/// Without the help: `neighbors 8 of 256`, `queries 1204`.
impl Display for Holding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.value)?;
        self.limit.map_or(Ok(()), |limit| write!(f, " of {limit}"))
    }
}

/// One line of the list: where its value is read.
struct HoldingRow {
    name: &'static str,
    help: &'static str,
    value: Reading,
}

enum Reading {
    Held { limit: usize, read: fn(&Readable<'_>) -> usize },
    Counted(fn(&Readable<'_>) -> u64),
}

/// The rooms whose values are read. One that is new is named here, or said to have nothing that can grow; and what is
/// named here and read by no row is a warning of the compiler.
struct Readable<'a> {
    links: &'a Links,
    members: Option<&'a Members>,
    flood: Option<&'a Flood>,
    calls: Option<&'a Calls>,
    delivery: Option<&'a Delivery>,
    visits: Option<&'a Visits>,
    finds_count: usize,
    uploads: Option<&'a Uploads>,
    writes: Option<&'a Writes>,
    watches_count: usize,
    counters: Counters,
}

impl Readable<'_> {
    fn of(rooms: &Rooms) -> Readable<'_> {
        let Rooms { links, flood, rare, members } = rooms;
        let (members, flood, counters) = (members.as_deref(), flood.get(), Counters::default());
        let mut readable = Readable {
            links,
            members,
            flood,
            calls: None,
            delivery: None,
            visits: None,
            finds_count: 0,
            uploads: None,
            writes: None,
            watches_count: 0,
            counters,
        };
        if let Some(rare) = rare.get() {
            let RareRooms {
                calls,
                errands,
                content: _,
                finds,
                keeping: _,
                reload: _,
                uploads,
                watches,
                writes,
                counters,
            } = rare;
            readable.calls = Some(calls);
            readable.delivery = Some(&errands.delivery);
            readable.visits = Some(&errands.visits);
            readable.finds_count = finds.count();
            readable.uploads = Some(uploads);
            readable.writes = Some(writes);
            readable.watches_count = watches.count();
            readable.counters = *counters;
        }
        readable
    }

    /// What is read in a room that may not have been needed yet.
    fn of_flood<T: Default>(&self, read: impl FnOnce(&Flood) -> T) -> T {
        self.flood.map(read).unwrap_or_default()
    }

    fn of_members<T: Default>(&self, read: impl FnOnce(&Members) -> T) -> T {
        self.members.map(read).unwrap_or_default()
    }

    fn of_calls<T: Default>(&self, read: impl FnOnce(&Calls) -> T) -> T {
        self.calls.map(read).unwrap_or_default()
    }
}

const fn held(name: &'static str, help: &'static str, limit: usize, read: fn(&Readable<'_>) -> usize) -> HoldingRow {
    HoldingRow { name, help, value: Reading::Held { limit, read } }
}

const fn counted(name: &'static str, help: &'static str, read: fn(&Readable<'_>) -> u64) -> HoldingRow {
    HoldingRow { name, help, value: Reading::Counted(read) }
}

/// What is held, then what was counted.
const ROWS: [HoldingRow; 41] = [
    held("neighbors", "links to neighbors", NEIGHBORS_MAX, |rooms| rooms.links.neighbors_count()),
    held("clients", "clients attached", CONNECTIONS_MAX, |rooms| rooms.links.clients_count()),
    held("strangers", "links whose other end has yet to say who it is", CONNECTIONS_MAX, |rooms| {
        rooms.links.strangers_count()
    }),
    held("links", "links of all kinds", CONNECTIONS_MAX, |rooms| {
        rooms.links.count() + rooms.of_calls(Calls::links_count)
    }),
    held("seen", "queries remembered that their contact has open", SEEN_IDS_MAX, |rooms| {
        rooms.of_flood(Flood::held_count)
    }),
    held("seen_by_age", "queries remembered that came without a contact", SEEN_TP3_IDS_MAX, |rooms| {
        rooms.of_flood(Flood::by_age_count)
    }),
    held("contacts", "contacts whose queries are remembered", CONTACTS_MAX, |rooms| {
        rooms.of_flood(Flood::contacts_count)
    }),
    held("own_open", "queries of own clients that are open, or stand behind one that is", OWN_OPEN_MAX, |rooms| {
        rooms.of_flood(Flood::own_open_count)
    }),
    held("pending", "queries passed on whose echoes are awaited", QUERIES_PENDING_MAX, |rooms| {
        rooms.of_flood(Flood::pending_count)
    }),
    held("echoes_kept", "echoes kept to be said again", ECHOES_KEPT_MAX, |rooms| rooms.of_flood(Flood::kept_count)),
    held(
        "offers_kept_bytes",
        "bytes of queries kept to be offered again, and of answers to be brought again",
        OFFERS_KEPT_BYTES_MAX,
        |rooms| rooms.of_flood(Flood::offers_kept_bytes),
    ),
    held("routes", "copies whose late answers still have a way back", ROUTES_KEPT_MAX, |rooms| {
        rooms.of_flood(Flood::routes_count)
    }),
    held("looks", "moments at which these are looked at", LOOKS_MAX, |rooms| rooms.of_flood(Flood::looks_count)),
    held("sharing", "links to neighbors that have some of what is shared", NEIGHBORS_MAX, |rooms| {
        rooms.of_flood(Flood::sharing_count)
    }),
    held("call_addresses", "addresses known that are called", CALL_ADDRESSES_MAX, |rooms| {
        rooms.of_calls(Calls::addresses_count)
    }),
    // Those that have yet to say hello are dials too.
    held("call_links", "links of calls", CALL_LINKS_MAX + CALL_DIALS_MAX, |rooms| rooms.of_calls(Calls::links_count)),
    held("call_dials", "dials of calls under way", CALL_DIALS_MAX, |rooms| rooms.of_calls(Calls::dials_count)),
    held("calls_queued_bytes", "bytes that wait for a call", CALLS_QUEUED_BYTES_MAX, |rooms| {
        rooms.of_calls(Calls::queued_bytes)
    }),
    held("members", "servents heard of, this one among them", MEMBER_PLACES_MAX, |rooms| {
        rooms.of_members(Members::members_count)
    }),
    held("member_news", "members of whom something is to be told", MEMBER_PLACES_MAX, |rooms| {
        rooms.of_members(Members::news_count)
    }),
    held("members_watched", "members looked for because their link fell", NEIGHBORS_MAX, |rooms| {
        rooms.of_members(Members::watched_count)
    }),
    held("greetings", "servents greeted for clients", GREETINGS_MAX, |rooms| {
        rooms.visits.map_or(0, Visits::greetings_count)
    }),
    held("finds", "finds that wait for what is yet to be looked through", FINDS_WAITING_MAX, |rooms| rooms.finds_count),
    held("uploads", "contents being given out", UPLOADS_MAX, |rooms| rooms.uploads.map_or(0, Uploads::count)),
    held("writes_waiting_bytes", "bytes of writes that wait to be on the disk", WRITES_WAITING_BYTES_MAX, |rooms| {
        rooms.writes.map_or(0, Writes::waiting_bytes)
    }),
    held("written_keys", "keys and names that were written and are kept", WRITTEN_KEYS_MAX, |rooms| {
        rooms.writes.map_or(0, Writes::kept_count)
    }),
    held("written_bytes", "bytes of what was written and is kept", WRITTEN_BYTES_MAX, |rooms| {
        rooms.writes.map_or(0, Writes::kept_bytes)
    }),
    held("watches", "keys watched by clients", CONNECTIONS_MAX * WATCHES_PER_CLIENT_MAX, |rooms| rooms.watches_count),
    counted("given_bytes", "bytes of contents that were given out", |rooms| {
        rooms.uploads.map_or(0, |uploads| uploads.given_bytes)
    }),
    counted(
        "queries",
        "queries that came, each once; where there was no room to remember one, as often as it came",
        |rooms| rooms.of_flood(Flood::queries_count),
    ),
    counted("answered", "queries answered", |rooms| rooms.counters.answered),
    counted("too_far", "queries dropped because their TTL and hops were above every limit", |rooms| {
        rooms.counters.too_far
    }),
    counted("unseen", "queries refused because the seen set was full", |rooms| rooms.counters.unseen),
    counted("over_share", "queries refused because their neighbor, or their contact, had its share", |rooms| {
        rooms.counters.over_share
    }),
    counted("spoilt", "copies refused because their contact had them open no more", |rooms| rooms.counters.spoilt),
    counted("contradicted", "copies refused because they could not be true beside what was known", |rooms| {
        rooms.counters.contradicted
    }),
    counted(
        "unsaid",
        "copies left out because the neighbor could not be told, for its dialect, its features or their length",
        |rooms| rooms.of_flood(|flood| flood.unsaid_count),
    ),
    counted(
        "unanswered",
        "answers that a limit or a rule refused, or that their client would not have understood",
        |rooms| rooms.counters.unanswered,
    ),
    counted("brought", "answers sent back to whoever sent the query, own ones and those of others", |rooms| {
        rooms.counters.brought
    }),
    counted("unbrought", "answers that came back and went no further, for want of a way or of room", |rooms| {
        rooms.counters.unbrought
    }),
    counted(
        "undelivered",
        "answers dropped because their client could not be reached, or turned out not to understand them",
        |rooms| rooms.delivery.map_or(0, |delivery| delivery.undelivered_count),
    ),
];

/// All of it, in one order for ever.
pub(super) fn holdings(rooms: &Rooms) -> impl Iterator<Item = Holding> {
    let rooms = Readable::of(rooms);
    ROWS.iter().map(move |row| row.read(&rooms))
}

/// The one of this name, if there is one.
pub(super) fn holding(rooms: &Rooms, name: &str) -> Option<Holding> {
    ROWS.iter().find(|row| row.name == name).map(|row| row.read(&Readable::of(rooms)))
}

impl HoldingRow {
    fn read(&self, rooms: &Readable<'_>) -> Holding {
        let HoldingRow { name, help, .. } = *self;
        let (value, limit) = match self.value {
            Reading::Held { limit, read } => (read(rooms) as u64, Some(limit as u64)),
            Reading::Counted(read) => (read(rooms), None),
        };
        Holding { name, help, value, limit }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_and_says_what_it_is() {
        let names: BTreeSet<&str> = ROWS.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), ROWS.len());
        for row in &ROWS {
            let is_plain = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(row.name.chars().all(is_plain), "{} is no name a program can use", row.name);
            assert!(row.help.len() > row.name.len(), "{} says no more than its name", row.name);
        }
    }

    #[test]
    fn what_is_held_is_said_beside_its_limit() {
        let held = Holding { name: "neighbors", help: "links to neighbors", value: 8, limit: Some(256) };
        assert_eq!(held.to_string(), "neighbors 8 of 256");
        assert_eq!(Holding { name: "queries", limit: None, ..held }.to_string(), "queries 8");
    }
}
