//! What became of one query, in the log: a line for each event, at debug, under the name `query`.
//!
//! A line begins with the query's id and a verb, and both are the same in every servent: whoever looks for one id in all
//! the logs of an overlay reads its story. The lines stand where the decisions are made; what takes more than one line
//! of code to say is said here. Where nobody listens, a line costs one comparison.

use std::fmt::{self, Display, Formatter};

use super::flood::{Admission, Arrival, Asker, CopyReport, First, Flood, QueryPlace};
use super::links::Links;
use super::log_names::QUERY_LOG;
use crate::counted::counted;
use crate::link::LinkId;
use crate::query::{Ask, QueryId};
use crate::text::Escaped;

/// Bytes of what is asked that are shown: a key may have four thousand, each of them shown as four.
const SHOWN_BYTES_MAX: usize = 100;

/// What is asked, in not too many words.
pub(super) struct Shortened<'a>(pub(super) &'a Ask);

impl Display for Shortened<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ask::Key(key) => write_shortened("?", key.as_bytes(), f),
            Ask::Find(words) => write_shortened("find", &words.each().collect::<Vec<_>>().join(&b' '), f),
            Ask::Named(name) => write_shortened("get", name.as_bytes(), f),
            ask => ask.fmt(f),
        }
    }
}

/// That a client lists the files whose names are these bytes or behind them, in the same way.
pub(super) fn listing(from: &[u8]) -> String {
    let mut words = String::new();
    // A string takes whatever is written.
    let _ = write_shortened("ls", from, &mut words);
    words
}

/// A key, or the name of a file, in the same way.
pub(super) fn subject(bytes: &[u8]) -> String {
    let mut words = String::new();
    let _ = write_shortened("", bytes, &mut words);
    words.trim_start().to_owned()
}

fn write_shortened(word: &str, bytes: &[u8], f: &mut impl fmt::Write) -> fmt::Result {
    f.write_str(word)?;
    let (shown, rest) = bytes.split_at_checked(SHOWN_BYTES_MAX).unwrap_or((bytes, &[]));
    if !shown.is_empty() {
        write!(f, " {}", Escaped::new(shown))?;
    }
    if rest.is_empty() { Ok(()) } else { write!(f, " and {}", counted(rest.len(), "more byte")) }
}

/// Says what whoever waits is told of its copy.
#[cold]
pub(super) fn log_report(links: &Links, report: CopyReport) {
    let CopyReport { asker, id, tally } = report;
    match asker {
        Asker::Client { .. } => log::debug!(target: QUERY_LOG, "{id} finished: {tally}"),
        Asker::Neighbor { link, .. } if links.hears_echoes(link) => {
            log::debug!(target: QUERY_LOG, "{id} echoed to {}: {tally}", links.neighbor_name(link));
        }
        Asker::Neighbor { link, .. } => {
            let name = links.neighbor_name(link);
            log::debug!(target: QUERY_LOG, "{id} not echoed, {name} knows no echoes: {tally}");
        }
        Asker::Gone { .. } => log::debug!(target: QUERY_LOG, "{id} not echoed, its asker is gone: {tally}"),
    }
}

/// Says to whom a query is passed on.
#[cold]
pub(super) fn log_passed_on(links: &Links, id: QueryId, ttl: u8, to: &[LinkId]) {
    let names: Vec<String> = to.iter().map(|link| links.neighbor_name(*link).to_string()).collect();
    let neighbors = counted(to.len(), "neighbor");
    log::debug!(target: QUERY_LOG, "{id} passed on to {neighbors} with TTL {ttl}: {}", names.join(" "));
}

/// Says from whom a copy came, and what it is to us.
#[cold]
pub(super) fn log_arrival(links: &Links, flood: &Flood, arrival: &Arrival, admission: Admission) {
    let Arrival { asker, ref query, ttl } = *arrival;
    let (id, came_ttl) = (query.id(), query.ttl);
    let from = match asker {
        // That it asked was said when it did.
        Asker::Client { .. } if matches!(admission, Admission::New(_)) => return,
        Asker::Client { .. } => "its client".to_owned(),
        Asker::Neighbor { link, .. } => links.neighbor_name(link).to_string(),
        Asker::Gone { .. } => return,
    };
    let cut = if came_ttl > ttl { format!(", cut to {ttl}") } else { String::new() };
    let from = format!("from {from} with TTL {came_ttl}{cut}");
    match admission {
        Admission::New(_) => log::debug!(target: QUERY_LOG, "{id} heard {from}: {}", Shortened(&query.ask)),
        Admission::MoreTtl(_) | Admission::MoreTtlThanSilent(_) => {
            log::debug!(target: QUERY_LOG, "{id} heard again {from}: it may go further");
        }
        Admission::Duplicate(place) | Admission::HeardSilently(place) | Admission::EchoForgotten(place) => {
            log::debug!(target: QUERY_LOG, "{id} duplicate {from}, {}", first_copy(links, flood, place));
        }
        Admission::OfferedAgain(_) => {
            log::debug!(target: QUERY_LOG, "{id} offered again {from}: it came before over a link that fell");
        }
        Admission::Refused => {
            log::debug!(target: QUERY_LOG, "{id} refused {from}: there is no room to remember it");
        }
        Admission::OverShare | Admission::OverContactShare => {
            log::debug!(target: QUERY_LOG, "{id} refused {from}: it, or its contact, has its share");
        }
        Admission::Spoilt => {
            log::debug!(target: QUERY_LOG, "{id} refused {from}: its contact has it open no more");
        }
        Admission::Contradicts | Admission::NumberTaken => {
            log::debug!(target: QUERY_LOG, "{id} refused {from}: it cannot be true beside what is known of it");
        }
    }
}

/// How a query that is known came before.
fn first_copy(links: &Links, flood: &Flood, place: QueryPlace) -> String {
    match flood.first_copy(place) {
        Some(First { asker: Some(Asker::Client { .. }), .. }) => "asked first by its client".to_owned(),
        Some(First { asker: Some(Asker::Neighbor { link, ttl, .. }), .. }) => {
            format!("heard first from {} with TTL {ttl}", links.neighbor_name(link))
        }
        Some(First { asker: Some(Asker::Gone { .. }), ttl }) => {
            format!("heard first from a neighbor that is gone, with TTL {ttl}")
        }
        Some(First { asker: None, ttl }) => format!("heard before with TTL {ttl}"),
        None => "heard before".to_owned(),
    }
}
