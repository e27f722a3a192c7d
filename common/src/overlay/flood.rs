//! The mechanism of the flood: which queries were seen, to whom one is passed on, and when its subtree has finished.
//!
//! It does not know what is asked or who answers (`search`), nor who is at the other end of a link (`links`). After
//! "Termination detection for diffusing computations" (Dijkstra and Scholten 1980) every copy is echoed exactly once,
//! so the contact learns when nothing is on its way any more; the tree of echoes is that of "Echo algorithms: depth
//! parallel operations on general graphs" (Chang 1982).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::address::Dialect;
use crate::config::{ECHO_WAIT_MAX, QUERIES_PENDING_MAX, SEEN_AGE_MAX, SEEN_IDS_MAX, SEEN_TP3_AGE_MAX, TTL_MAX};
use crate::link::LinkId;
use crate::message::Echo;
use crate::query::{Query, QueryId, Tally};
use crate::time::Time;

/// Who waits to hear that a query has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asker {
    /// Our own client.
    Client { link: LinkId },
    /// The neighbor that sent us a copy, which came with this TTL.
    Neighbor { link: LinkId, ttl: u8 },
}

impl Asker {
    pub(super) fn link(self) -> LinkId {
        match self {
            Asker::Client { link } | Asker::Neighbor { link, .. } => link,
        }
    }
}

/// What an arriving copy is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Never seen: answer it and pass it on.
    New,
    /// Seen, but this copy may go further than any before: pass it on, do not answer.
    Further,
    /// Seen, and this copy brings nothing.
    Duplicate,
    /// Not seen, and there is no room to remember it.
    Refused,
}

/// What became of a query that was to be passed on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passing {
    /// These copies go out; the echoes are awaited, unless nobody will echo: then the asker is told at once.
    On { query: Query, links: Vec<LinkId>, done: Option<Done> },
    /// It ends here: this is what the asker is told.
    Over(Done),
}

/// A query of which nothing is awaited any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) asker: Asker,
    pub(super) id: QueryId,
    pub(super) tally: Tally,
}

#[derive(Debug, Default)]
pub(super) struct Flood {
    forward_once: bool,
    seen: SeenSet,
    pending: HashMap<CopyId, Pending>,
    deadlines: BTreeSet<(Time, CopyId)>,
}

/// One passing-on of a query: each has a TTL of its own, because only more TTL is ever passed on again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct CopyId {
    id: QueryId,
    ttl: u8,
}

#[derive(Debug)]
struct Pending {
    asker: Asker,
    awaited: Vec<LinkId>,
    tally: Tally,
    deadline: Time,
}

impl Pending {
    fn done(self, id: QueryId) -> Done {
        Done { asker: self.asker, id, tally: self.tally }
    }
}

impl Flood {
    pub(super) fn new(forward_once: bool) -> Flood {
        Flood { forward_once, ..Flood::default() }
    }

    /// Judges a copy of a query that came with this TTL, and remembers it.
    pub(super) fn admit(&mut self, now: Time, id: QueryId, dialect: Dialect, ttl: u8) -> Admission {
        self.seen.forget_old(now);
        match self.seen.by_id.get_mut(&id) {
            Some(seen) if ttl > seen.ttl && !self.forward_once => {
                seen.ttl = ttl;
                Admission::Further
            }
            Some(_) => Admission::Duplicate,
            None => {
                if self.seen.remember(now, id, dialect, ttl) {
                    Admission::New
                } else {
                    Admission::Refused
                }
            }
        }
    }

    /// Forgets what a TP3 client asked: it has come anew, and counts from zero.
    pub(super) fn forget_client(&mut self, client: SocketAddr) {
        for id in self.seen.forget_client(client) {
            // Asked again, they may be passed on again with the same TTL.
            for ttl in 0..=TTL_MAX {
                self.end(CopyId { id, ttl });
            }
        }
    }

    /// Passes a query on to `others`, of whom `echoing` will echo. `query` is as it came; `tally` is what this servent
    /// itself has to report.
    pub(super) fn pass_on(
        &mut self,
        now: Time,
        asker: Asker,
        mut query: Query,
        others: Vec<LinkId>,
        echoing: Vec<LinkId>,
        mut tally: Tally,
    ) -> Passing {
        let id = query.id();
        let over = |tally| Passing::Over(Done { asker, id, tally });
        if others.is_empty() {
            return over(tally);
        }
        if query.ttl == 0 {
            tally.stopped += 1;
            self.seen.set_stopped(id, true);
            return over(tally);
        }
        if self.pending.len() >= QUERIES_PENDING_MAX {
            tally.lost += 1;
            return over(tally);
        }
        if self.seen.set_stopped(id, false) {
            tally.stopped -= 1;
        }
        tally.copies += others.len() as u64;
        tally.silent += (others.len() - echoing.len()) as u64;
        let deadline = now + patience(&query);
        query.ttl -= 1;
        query.hops += 1;
        let copy = CopyId { id, ttl: query.ttl };
        let done = if echoing.is_empty() {
            Some(Done { asker, id, tally })
        } else {
            self.deadlines.insert((deadline, copy));
            self.pending.insert(copy, Pending { asker, awaited: echoing, tally, deadline });
            None
        };
        Passing::On { query, links: others, done }
    }

    /// Takes the echo of a copy that was sent over `link`. One that nobody awaits changes nothing.
    pub(super) fn on_echo(&mut self, link: LinkId, echo: &Echo) -> Option<Done> {
        let copy = CopyId { id: echo.id, ttl: echo.ttl };
        let pending = self.pending.get_mut(&copy)?;
        let place = pending.awaited.iter().position(|awaited| *awaited == link)?;
        pending.awaited.swap_remove(place);
        pending.tally.add(&echo.tally);
        if pending.awaited.is_empty() { self.end(copy) } else { None }
    }

    /// Gives up what was awaited from a neighbor that is gone, and what it awaited from us.
    pub(super) fn on_closed(&mut self, link: LinkId) -> Vec<Done> {
        let touched: Vec<CopyId> = self.deadlines.iter().map(|(_, copy)| *copy).collect();
        touched.into_iter().filter_map(|copy| self.give_up_link(copy, link)).collect()
    }

    /// Gives up what has been awaited for too long.
    pub(super) fn on_deadline(&mut self, now: Time) -> Vec<Done> {
        let mut done = Vec::new();
        while let Some((deadline, copy)) = self.deadlines.first().copied() {
            if deadline > now {
                break;
            }
            if let Some(pending) = self.pending.get_mut(&copy) {
                pending.tally.add_lost(pending.awaited.len());
            }
            self.deadlines.pop_first();
            done.extend(self.end(copy));
        }
        done
    }

    /// Gives up everything that is awaited.
    pub(super) fn give_up(&mut self) -> Vec<Done> {
        let last = self.deadlines.last().map(|(deadline, _)| *deadline);
        last.map(|last| self.on_deadline(last)).unwrap_or_default()
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    pub(super) fn pending_count(&self) -> usize {
        self.pending.len()
    }

    fn give_up_link(&mut self, copy: CopyId, link: LinkId) -> Option<Done> {
        let pending = self.pending.get_mut(&copy)?;
        if pending.asker.link() == link {
            self.end(copy);
            return None;
        }
        let place = pending.awaited.iter().position(|awaited| *awaited == link)?;
        pending.awaited.swap_remove(place);
        pending.tally.add_lost(1);
        if pending.awaited.is_empty() { self.end(copy) } else { None }
    }

    fn end(&mut self, copy: CopyId) -> Option<Done> {
        let pending = self.pending.remove(&copy)?;
        self.deadlines.remove(&(pending.deadline, copy));
        Some(pending.done(copy.id))
    }
}

/// How long to wait for the echoes of a query that came like this: a share of [`ECHO_WAIT_MAX`] that shrinks with every
/// hop and with every TTL less, so that each servent gives up before the one that waits for it does.
fn patience(query: &Query) -> Duration {
    let depth_left = u32::from(query.ttl) + 1;
    let depth = depth_left + u32::from(query.hops);
    ECHO_WAIT_MAX * depth_left / depth
}

/// The query ids of the last two minutes, or of the last half where the client speaks TP3.
#[derive(Debug, Default)]
struct SeenSet {
    by_id: HashMap<QueryId, Seen>,
    native_by_age: VecDeque<(Time, QueryId)>,
    tp3_by_age: VecDeque<(Time, QueryId)>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The highest TTL it came with.
    ttl: u8,
    /// Whether this servent was counted as one where the TTL ended it.
    stopped: bool,
}

impl SeenSet {
    fn remember(&mut self, now: Time, id: QueryId, dialect: Dialect, ttl: u8) -> bool {
        if self.by_id.len() >= SEEN_IDS_MAX {
            return false;
        }
        self.by_id.insert(id, Seen { ttl, stopped: false });
        match dialect {
            Dialect::Native => self.native_by_age.push_back((now, id)),
            Dialect::Tp3 => self.tp3_by_age.push_back((now, id)),
        }
        true
    }

    fn forget_old(&mut self, now: Time) {
        let ages = [(&mut self.native_by_age, SEEN_AGE_MAX), (&mut self.tp3_by_age, SEEN_TP3_AGE_MAX)];
        for (by_age, age_max) in ages {
            while let Some((since, id)) = by_age.front() {
                if now.since(*since) < age_max {
                    break;
                }
                self.by_id.remove(id);
                by_age.pop_front();
            }
        }
    }

    fn forget_client(&mut self, client: SocketAddr) -> Vec<QueryId> {
        let ids: Vec<QueryId> = self.tp3_by_age.iter().map(|(_, id)| *id).filter(|id| id.client == client).collect();
        if !ids.is_empty() {
            self.tp3_by_age.retain(|(_, id)| id.client != client);
        }
        for id in &ids {
            self.by_id.remove(id);
        }
        ids
    }

    /// Sets the mark and says what it was.
    fn set_stopped(&mut self, id: QueryId, stopped: bool) -> bool {
        self.by_id.get_mut(&id).is_some_and(|seen| std::mem::replace(&mut seen.stopped, stopped))
    }
}
