//! What a copy of a query is beside what is remembered: new, known, or what cannot be true.
//!
//! These are rules 4 to 10 of the table in docs/PROTOCOL.md (those before them need no memory and are `arrival`'s). What
//! is new is remembered here, and what its contact has open no more is forgotten first. Nothing is answered, passed on
//! or echoed: what becomes of a copy that was judged is for the corridor to say.

use super::arrival::{Arrival, Asker};
use super::memory::Memory;
use super::pass::Pass;
use super::places::{Bringer, NoRoom};
use super::seen::{KeptBy, NewQuery};
use super::slots::QueryPlace;
use crate::link::LinkId;
use crate::query::{ContactMark, Query, Via};
use crate::random::Secret;
use crate::time::Time;

/// What an arriving copy is to us, and where that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::overlay) enum Admission {
    /// Never seen: answer it and pass it on.
    New(QueryPlace),
    /// Seen, but this copy may go further than any before: pass it on, do not answer.
    MoreTtl(QueryPlace),
    /// The same, and whoever sent one before awaits no echo: it came over a dialect that has none.
    MoreTtlThanSilent(QueryPlace),
    /// Seen, and this copy brings nothing.
    Duplicate(QueryPlace),
    /// The same, and whoever sent one before awaits no echo.
    HeardSilently(QueryPlace),
    /// Seen, and what came of it was not kept: it may be a duplicate, or offered again.
    EchoForgotten(QueryPlace),
    /// The copy that came before over a link that fell. What came of it, if that is known yet, is to be said again.
    OfferedAgain(QueryPlace),
    /// Its contact has it open no more: whoever sent it has given it up, or lies.
    Spoilt,
    /// It says of a query, a number or a TTL what cannot be true beside what is known.
    Contradicts,
    /// Not seen, and its contact has another query under its number: one of them is forged, and the contact is to go by
    /// another name.
    NumberTaken,
    /// Not seen, and there is no room to remember it.
    Refused,
    /// Not seen, and its neighbor, or its contact, has its share of that room.
    OverShare,
    /// Not seen, and its contact alone has, of which it did not ask all: it is to go by another name.
    OverContactShare,
}

/// What this servent was told about how to judge copies.
#[derive(Clone, Copy, Debug)]
pub(in crate::overlay) struct Judging {
    /// Whether it passes each query on once only.
    pub(in crate::overlay) forward_once: bool,
    /// What nobody else knows: its names and hashes come of it.
    pub(in crate::overlay) secret: Secret,
}

/// Judges a copy of a query, and remembers it. It is looked up here, and never again.
pub(super) fn admit(memory: &mut Memory, now: Time, arrival: &Arrival, judging: Judging) -> Admission {
    // A shell that was held up for long may bring a query before the deadline it is late for.
    memory.forget_old(now);
    let ask = judging.secret.hash(&arrival.query.ask);
    match arrival.asker {
        Asker::Client { link } => admit_request(memory, now, link, &arrival.query, ask, judging.secret),
        Asker::Neighbor { link, .. } => admit_copy(memory, now, link, arrival, ask, judging.forward_once),
        Asker::Gone { .. } => Admission::Refused,
    }
}

fn admit_request(memory: &mut Memory, now: Time, link: LinkId, query: &Query, ask: u64, secret: Secret) -> Admission {
    let id = query.id();
    memory.close_own(now);
    if let Some(place) = memory.seen.find(id)
        && let Some(entry) = memory.seen.get(place)
    {
        let is_of_this_link = entry.first_link == Some(link) && matches!(entry.kept_by, KeptBy::Own { .. });
        if is_of_this_link && entry.ask == ask {
            return Admission::Duplicate(place);
        }
        // A client that has come anew may count from zero, as its former self did. Copies of what that asked may still be
        // under way.
        if is_of_this_link || !query.client.dialect.manners().counts_from_zero {
            return Admission::Contradicts;
        }
        memory.forget(place);
    }
    memory.queries_count += 1;
    let own = memory.own.make();
    if !own.has_number() {
        return Admission::Refused;
    }
    let mark = own.next_mark(now, secret);
    let is_back = query.via == Via::Back;
    let new = NewQuery { id, ask, since: now, link: Some(link), bringer: Bringer::Own, ttl: query.ttl, is_back };
    match memory.seen.remember_own(new, mark.number) {
        Ok(place) => {
            own.push(now, mark, place);
            Admission::New(place)
        }
        Err(_) => Admission::Refused,
    }
}

fn admit_copy(
    memory: &mut Memory,
    now: Time,
    link: LinkId,
    arrival: &Arrival,
    ask: u64,
    forward_once: bool,
) -> Admission {
    let Arrival { query, ttl, .. } = arrival;
    let id = query.id();
    let mut contact = None;
    if let Some(mark) = query.contact {
        if let Some(own) = memory.own.get().filter(|own| own.is_named(mark.name)) {
            // Nobody is believed about our own numbers.
            return match memory.seen.find(id) {
                Some(place) => judge_known(memory, place, arrival, ask, forward_once),
                None if mark.number < own.open_from() => Admission::Spoilt,
                None => Admission::Contradicts,
            };
        }
        contact = memory.seen.contact(mark.name);
        if let Some(contact) = contact {
            let open_from = memory.seen.on_heard(contact, mark.open_from);
            memory.close(contact);
            if mark.number < open_from {
                return Admission::Spoilt;
            }
        }
    }
    if let Some(place) = memory.seen.find(id) {
        return judge_known(memory, place, arrival, ask, forward_once);
    }
    if let (Some(contact), Some(mark)) = (contact, query.contact)
        && memory.seen.numbered(contact, mark.number).is_some()
    {
        return Admission::NumberTaken;
    }
    memory.queries_count += 1;
    let bringer = Bringer::Neighbor { link, hops: query.hops };
    let is_back = query.via == Via::Back;
    let new = NewQuery { id, ask, since: now, link: Some(link), bringer, ttl: *ttl, is_back };
    let remembered = match query.contact {
        Some(mark) => memory.seen.remember(new, mark),
        None => memory.seen.remember_by_age(new),
    };
    match remembered {
        Ok(place) => Admission::New(place),
        Err(NoRoom::Full) => Admission::Refused,
        Err(NoRoom::OverShare) => Admission::OverShare,
        Err(NoRoom::OverContactShare) => Admission::OverContactShare,
    }
}

/// What a neighbor's copy of a query is whose id is known.
fn judge_known(memory: &mut Memory, place: QueryPlace, arrival: &Arrival, ask: u64, forward_once: bool) -> Admission {
    let Arrival { asker, ref query, ttl } = *arrival;
    let Some(entry) = memory.seen.get(place) else { return Admission::Contradicts };
    let held = memory.mark_of(entry);
    let is_another = |held: ContactMark, mark: ContactMark| held.name != mark.name || held.number != mark.number;
    let contradicts = entry.ask != ask
        || held.zip(query.contact).is_some_and(|(held, mark)| is_another(held, mark))
        // Nobody has more TTL of what we gave than we gave.
        || ttl > entry.ttl && matches!(entry.kept_by, KeptBy::Own { .. });
    if contradicts {
        return Admission::Contradicts;
    }
    // That it came without a contact may be known to nobody who waits.
    let came_silently = held.is_none() && query.contact.is_some();
    let Some(entry) = memory.seen.get_mut(place) else { return Admission::Contradicts };
    entry.is_back |= query.via == Via::Back;
    if ttl > entry.ttl && !forward_once {
        entry.ttl = ttl;
        return if came_silently { Admission::MoreTtlThanSilent(place) } else { Admission::MoreTtl(place) };
    }
    let is_again = |pass: &&mut Pass| {
        // Over the same link it is no second offer but the same thing said twice.
        pass.ttl == ttl
            && asker.identity().is_some()
            && pass.asker.identity() == asker.identity()
            && pass.asker.link() != asker.link()
    };
    match entry.passes.iter_mut().find(is_again) {
        Some(pass) => {
            pass.asker = asker;
            Admission::OfferedAgain(place)
        }
        None if entry.is_echo_forgotten && asker.identity().is_some() => Admission::EchoForgotten(place),
        None if came_silently => Admission::HeardSilently(place),
        None => Admission::Duplicate(place),
    }
}
