//! Answers that go back: which way each goes, and what is kept of it.
//!
//! An answer goes the way of the echoes: a servent that is brought one for the copy it sent with TTL *t* gives it to whoever
//! sent it the copy it passed on with *t*. So what goes back at once is ahead of its echo on every link. How it is said, and
//! to whom, is the corridor's.

use std::sync::Arc;

use super::arrival::Asker;
use super::memory::Memory;
use super::outgoing::Astray;
use super::slots::QueryPlace;
use crate::link::LinkId;
use crate::message::Brought;
use crate::overlay::copy_name::CopyName;
use crate::query::{BroughtAnswer, QueryId, Tally};
use crate::time::Time;

/// Where an answer goes that goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::overlay) enum Onward {
    /// To whoever sent the copy that it answers, of this query.
    To { asker: Asker, id: QueryId },
    /// Nowhere for now: the link of whoever sent the copy fell. It is brought once that is offered again.
    Kept,
    /// Nowhere: as many have come as may, or it cannot be kept.
    Lost,
    /// Nowhere: it came over a link that the copy did not go out on, or nobody knows any more whose it is.
    NoWay,
}

/// What is said again of a copy that is offered again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::overlay) struct SaidAgain {
    /// The answers that went back for it.
    pub(in crate::overlay) brought: Vec<Arc<BroughtAnswer>>,
    /// Its echo, unless that is still to come.
    pub(in crate::overlay) tally: Option<Tally>,
}

impl Memory {
    /// Says where an answer goes: one that came back over a link for a copy that was passed on, or, without a link, one of our
    /// own that was not dialled to its client. It is kept for whoever sent the copy it is to.
    pub(super) fn send_on(
        &mut self,
        now: Time,
        over: Option<LinkId>,
        copy: CopyName,
        answer: &Arc<BroughtAnswer>,
    ) -> Onward {
        let place = self.find_numbered(copy.contact, copy.number);
        let entry = place.and_then(|place| self.seen.get_mut(place));
        let of_entry = entry.and_then(|entry| {
            let id = entry.id;
            Some((id, entry.passes.iter_mut().find(|pass| pass.ttl == copy.ttl)?))
        });
        let (asker, id) = match of_entry {
            Some((id, pass)) if !pass.is_finished => {
                if let Some(link) = over {
                    match pass.out.on_brought(link) {
                        Ok(()) => {}
                        Err(Astray::NotAsked) => return Onward::NoWay,
                        Err(Astray::TooMany) => {
                            pass.tally.add_lost(1);
                            return Onward::Lost;
                        }
                    }
                }
                (pass.asker, id)
            }
            of_entry => {
                let routes = self.routes.get_mut();
                let Some(route) = routes.and_then(|routes| routes.get_mut(now, copy)) else { return Onward::NoWay };
                if let Some(link) = over {
                    match route.out.on_brought(link) {
                        Ok(()) => {}
                        Err(Astray::NotAsked) => return Onward::NoWay,
                        Err(Astray::TooMany) => return Onward::Lost,
                    }
                }
                // Whoever sent it may have come over another link since its echo.
                (of_entry.map_or(route.asker, |(_, pass)| pass.asker), route.id)
            }
        };
        let is_kept = place.is_some_and(|place| self.keep_brought(place, copy.ttl, answer));
        match asker {
            Asker::Client { .. } | Asker::Neighbor { .. } => Onward::To { asker, id },
            Asker::Gone { .. } if is_kept => Onward::Kept,
            Asker::Gone { .. } => Onward::Lost,
        }
    }

    /// What is said of a copy that is offered again: what was brought for it, and its echo where that is known. What could not
    /// be kept is lost to whoever offers it.
    pub(super) fn say_again(&mut self, place: QueryPlace, ttl: u8) -> SaidAgain {
        let Some(pass) = self.seen.pass_mut(place, ttl) else { return SaidAgain::default() };
        let brought = pass.brought.get_mut().map(|kept| {
            let unkept_count = std::mem::take(&mut kept.unkept_count);
            (kept.answers.clone(), unkept_count)
        });
        let (brought, unkept_count) = brought.unwrap_or_default();
        pass.tally.add_lost(unkept_count);
        SaidAgain { brought, tally: pass.is_finished.then_some(pass.tally) }
    }

    /// A link to a neighbor had no room for an answer that was to go back over it: that is told with the echo of its copy, if
    /// it is still to come. True if so.
    pub(super) fn on_not_brought(&mut self, link: LinkId, brought: &Brought) -> bool {
        let place = self.find_numbered(brought.contact, brought.number);
        let is_copy =
            |asker| matches!(asker, Asker::Neighbor { link: at, ttl, .. } if at == link && ttl == brought.ttl);
        place.is_some_and(|place| self.count_lost(place, is_copy))
    }

    /// The same of the link to a client of ours.
    pub(super) fn on_not_handed(&mut self, link: LinkId, id: QueryId) -> bool {
        let place = self.seen.find(id);
        place.is_some_and(|place| self.count_lost(place, |asker| asker == Asker::Client { link }))
    }

    fn count_lost(&mut self, place: QueryPlace, is_copy: impl Fn(Asker) -> bool) -> bool {
        let Some(entry) = self.seen.get_mut(place) else { return false };
        let pass = entry.passes.iter_mut().find(|pass| !pass.is_finished && is_copy(pass.asker));
        pass.map(|pass| pass.tally.add_lost(1)).is_some()
    }
}
