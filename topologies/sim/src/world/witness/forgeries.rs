//! What hostile servents say of queries that others asked: what of it makes an honest one say a thing again.
//!
//! Nothing is claimed here. This is what the claims of `flood`, `answers` and `endings` must leave out.

use std::collections::{BTreeMap, HashMap, HashSet};

use common::dialect::Dialect;
use common::query::{Ask, ContactMark, ContactName, Query, QueryId};
use common::session::Ending;

use super::queries::WatchedQuery;
use crate::plan::Wire;

/// What was forged of one query.
#[derive(Clone, Debug, Default)]
struct Forgery {
    is_forged: bool,
    /// Somebody said the very thing again, or what nobody can tell from it: it holds the query, and may have hurried ahead.
    is_said_again: bool,
    /// What its copies carry of its contact, and ask.
    said: Option<(ContactMark, Ask)>,
}

/// What was forged of all of them.
pub(super) struct Forgeries {
    wire: Wire,
    queries: BTreeMap<usize, Forgery>,
    /// What somebody forged under another contact or number, or under none: once that is over, the same id is new again.
    loose: HashSet<QueryId>,
    /// Beside TP3, whose copies say nothing of a contact: what native ones say of theirs, and below which number a forger has
    /// said of a contact that nothing is open. What is forgotten for that is new again too.
    marks: HashMap<QueryId, ContactMark>,
    spoilt: HashMap<ContactName, u64>,
}

impl Forgeries {
    pub(super) fn new(wire: Wire) -> Forgeries {
        Forgeries {
            wire,
            queries: BTreeMap::new(),
            loose: HashSet::new(),
            marks: HashMap::new(),
            spoilt: HashMap::new(),
        }
    }

    // ---- what happens ----

    /// A hostile servent says a copy of this; of which query, if its client asked it.
    pub(super) fn on_forged(&mut self, of: Option<usize>, query: &Query) {
        let is_other = if let Some(forgery) = of.map(|of| self.queries.entry(of).or_default()) {
            forgery.is_forged = true;
            let is_named_so =
                |said: ContactMark, mark: ContactMark| (said.name, said.number) == (mark.name, mark.number);
            let said = forgery.said.as_ref();
            let has_other_mark =
                query.contact.is_some_and(|mark| !said.is_some_and(|(said, _)| is_named_so(*said, mark)));
            let asks_other = said.is_some_and(|(_, ask)| *ask != query.ask);
            forgery.is_said_again |= !has_other_mark && !asks_other;
            query.contact.is_none() || has_other_mark
        } else {
            true
        };
        if is_other {
            self.loose.insert(query.id());
        }
        if let Some(ContactMark { name, open_from, .. }) = query.contact.filter(|_| self.wire == Wire::Mixed) {
            let spoilt = self.spoilt.entry(name).or_default();
            *spoilt = open_from.max(*spoilt);
        }
    }

    /// A copy is said, and by the contact of which query, if so: what its first ones carry is what it is.
    pub(super) fn on_copy_of_contact(&mut self, of: Option<usize>, query: &Query) {
        if let Some(forgery) = of.map(|of| self.queries.entry(of).or_default())
            && query.hops == 1
            && forgery.said.is_none()
        {
            forgery.said = query.contact.map(|mark| (mark, query.ask.clone()));
        }
    }

    /// An honest servent says a copy.
    pub(super) fn on_copy(&mut self, query: &Query) {
        if let Some(mark) = query.contact.filter(|_| self.wire == Wire::Mixed) {
            self.marks.insert(query.id(), mark);
        }
    }

    // ---- what is known of it ----

    /// What the copies of each query carry of its contact.
    pub(super) fn marks(&self) -> impl Iterator<Item = (usize, ContactMark)> {
        self.queries.iter().filter_map(|(query, forgery)| Some((*query, forgery.said.as_ref()?.0)))
    }

    pub(super) fn is_forged(&self, query: usize) -> bool {
        self.queries.get(&query).is_some_and(|forgery| forgery.is_forged)
    }

    pub(super) fn is_said_again(&self, query: usize) -> bool {
        self.queries.get(&query).is_some_and(|forgery| forgery.is_said_again)
    }

    /// Whether a forger may have had somebody forget this, who then takes it for new.
    pub(super) fn is_loose(&self, id: QueryId) -> bool {
        self.loose.contains(&id) || self.marks.get(&id).is_some_and(|mark| self.is_spoilt(mark))
    }

    /// Whether a servent may take this for new, which it has had before.
    pub(super) fn may_be_new(
        &self,
        id: QueryId,
        of: Option<usize>,
        servent: usize,
        of_client: Option<&WatchedQuery>,
    ) -> bool {
        // A TP3 client that says hello counts from zero again, so its contact forgets what it has asked; and if that was
        // said by a forger before the hello was read, it is answered again.
        let counts_from_zero = |asked: &WatchedQuery| asked.dialect != Dialect::OWN && asked.contact() == servent;
        let is_forged = of.is_none_or(|of| self.is_forged(of));
        self.is_loose(id) || is_forged && of_client.is_some_and(counts_from_zero)
    }

    /// Whether what a forger said of its contact may have had a query refused.
    pub(super) fn may_be_refused(&self, query: usize, dialect: Dialect, ending: &Ending) -> bool {
        // Behind a TP3 link what is refused is told to nobody, where its contact is known all the same.
        match self.wire {
            Wire::Tp3 => false,
            Wire::Mixed if dialect != Dialect::OWN => true,
            Wire::None | Wire::Native | Wire::Mixed => {
                let said = self.queries.get(&query).and_then(|forgery| forgery.said.as_ref());
                ending.tally.lost > 0 || said.is_some_and(|(mark, _)| self.is_spoilt(mark))
            }
        }
    }

    fn is_spoilt(&self, mark: &ContactMark) -> bool {
        self.spoilt.get(&mark.name).is_some_and(|spoilt| mark.number < *spoilt)
    }
}

#[cfg(test)]
mod tests {
    use common::key::Key;
    use common::link::LinkId;
    use common::query::Via;

    use super::*;
    use crate::scene::tests::chain;
    use crate::world::witness::SECOND;
    use crate::world::witness::tests::{
        CLIENT, asked, assert_broke, complete, copy, forged, id, scene_ask, troubled, value,
    };

    #[test]
    fn beside_tp3_what_a_contact_is_said_to_have_open_no_more_may_come_again() {
        let mark = ContactMark { name: ContactName(7), number: 3, open_from: 3 };
        let carried = |mark| Query { contact: Some(mark), ..copy(3, 1) };
        for (wire, open_from, breaks) in [
            (Wire::Native, 4, &["a second time", "twice"][..]),
            (Wire::Mixed, 3, &["a second time", "twice"]),
            (Wire::Mixed, 4, &[]),
        ] {
            let mut scene = chain();
            scene.plan.wire = wire;
            let mut witness = asked(&scene);
            for turn in 0..2 {
                witness.on_copy(SECOND, 1, LinkId(2), Dialect::OWN, Some(CLIENT), &carried(mark));
                witness.on_answer_said(SECOND, (2, 1), CLIENT, id(), true);
                if turn == 0 {
                    let ahead = ContactMark { number: 9, open_from, ..mark };
                    witness.on_forged(None, &Query { sequence: 6, ..carried(ahead) });
                }
            }
            assert_broke(&witness, breaks);
        }
    }

    #[test]
    fn only_an_answer_that_says_nothing_of_who_gives_it_may_come_again_beside_a_forger() {
        for (says_who, breaks) in [(true, &["came again"][..]), (false, &[])] {
            let scene = chain();
            let mut witness = asked(&scene);
            witness.on_forged(Some(CLIENT), &forged(None, scene_ask()));
            witness.on_answer_said(SECOND, (2, 1), CLIENT, id(), says_who);
            for _ in 0..2 {
                witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
            }
            assert_broke(&witness, breaks);
        }
    }

    /// Whatever is forged of a query, "complete" is claimed of it; only who says the very thing again may have hurried ahead.
    #[test]
    fn complete_is_no_lie_beside_a_forger_that_changes_something() {
        let scene = troubled();
        let mark = ContactMark { name: ContactName(7), number: 3, open_from: 3 };
        let key = |text: &[u8]| Ask::Key(Key::new(text).unwrap());
        let lie = "complete, and yet it missed [2]";
        for (contact, ask, breaks) in [
            (Some(mark), key(b"milk"), &[lie][..]),
            (Some(mark), Ask::Topology, &[lie]),
            (None, Ask::Topology, &[lie]),
            (Some(ContactMark { name: ContactName(8), ..mark }), key(b"tea"), &[lie]),
            (Some(ContactMark { number: 4, ..mark }), key(b"tea"), &[lie]),
            (Some(ContactMark { open_from: 2, ..mark }), key(b"tea"), &[]),
            (None, key(b"tea"), &[]),
        ] {
            let mut witness = asked(&scene);
            witness.on_mark(0, Some(CLIENT), &forged(Some(mark), key(b"tea")));
            witness.on_forged(Some(CLIENT), &forged(contact, ask));
            witness.on_ended(SECOND + 1, 0, &complete(0));
            assert_broke(&witness, breaks);
        }
    }
}
