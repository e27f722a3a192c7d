//! Answers that go back, as they cross links, and the ways that copies came.
//!
//! - An answer goes back over a link only where the copy it names came over that link, and, where that copy is answered back,
//!   not after its echo, unless that told of something lost.
//! - No life of a servent gives two answers that go back to one query, nor one twice over one link.
//! - Whoever passes one on was brought it for the copy that it sent for the one it names, over a link on which that went. So was the
//!   contact, which gives it to the client that asked.
//! - Where nothing goes wrong nothing goes back over one link twice.
//!
//! Nothing of this is claimed of a query that a hostile servent said something of, nor where somebody forges.

use std::collections::{BTreeMap, HashMap, HashSet};

use common::dialect::Dialect;
use common::limits::TTL_FROM_OTHERS_MAX;
use common::link::LinkId;
use common::message::{Brought, Echo, ServentId};
use common::query::{ContactMark, ContactName, Query, QueryId, Via};

use crate::cast;
use crate::graph::Graph;

/// A copy that a servent hears.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopyHeard<'a> {
    pub(crate) servent: usize,
    /// The link as it is called at that end.
    pub(crate) link: LinkId,
    /// Who is at the other.
    pub(crate) from: usize,
    pub(crate) dialect: Dialect,
    pub(crate) query: &'a Query,
}

/// An answer that goes back, as somebody says it.
#[derive(Clone, Copy, Debug)]
pub(super) struct BroughtSaid {
    pub(super) servent: usize,
    pub(super) life: u32,
    /// The query it is to, and the TTL of the copy it is for, cut down as that servent does.
    pub(super) query: usize,
    pub(super) ttl: u8,
    /// Who gives it.
    pub(super) by: ServentId,
}

/// How a copy came to a servent.
#[derive(Clone, Copy, Debug)]
struct CameFrom {
    from: usize,
    ttl: u8,
    dialect: Dialect,
}

/// The copies of one query that came to one servent.
#[derive(Debug, Default)]
struct CopiesAt {
    /// With which TTL the first came, cut down.
    first: Option<u8>,
    /// How the first with each TTL came, cut down.
    by_ttl: BTreeMap<u8, CameFrom>,
}

/// The TTLs of copies of one query that crossed one link, as one of its ends has it: what was sent, what came, and what was said
/// back.
#[derive(Clone, Copy, Debug, Default)]
struct TtlsOnLink {
    sent: u32,
    came: u32,
    /// Those of them that are answered back.
    came_back: u32,
    /// Those that were echoed with nothing lost.
    echoed_whole: u32,
}

/// All of them.
#[derive(Default)]
pub(super) struct WatchedBroughts {
    /// What queries are called by their contacts.
    marks: HashMap<(ContactName, u64), (usize, QueryId)>,
    copies: HashMap<(usize, usize), CopiesAt>,
    links: HashMap<(LinkId, QueryId), TtlsOnLink>,
    /// Which answers went back over a link.
    crossed: HashSet<(LinkId, usize, u8, u128)>,
    /// For which copy a life of a servent gave an answer that goes back.
    given: HashMap<(usize, u32, usize), u8>,
    /// Which answers a life of a servent was brought, and for which copies that it had sent.
    brought: HashMap<(usize, u32, usize, u128), u32>,
}

impl WatchedBroughts {
    // ---- what happens ----

    /// The contact of a query says a copy of it.
    pub(super) fn on_mark(&mut self, of: usize, id: QueryId, mark: ContactMark) {
        self.marks.entry((mark.name, mark.number)).or_insert((of, id));
    }

    /// A servent sends a copy.
    pub(super) fn on_copy_said(&mut self, link: LinkId, query: &Query) {
        self.links.entry((link, query.id())).or_default().sent |= bit(query.ttl);
    }

    /// A servent hears a copy; of which query, if its client asked it. `ttl_max` is the most that it takes from others.
    pub(super) fn on_copy_heard(&mut self, copy: &CopyHeard<'_>, of: Option<usize>, ttl_max: u8) {
        let CopyHeard { servent, link, from, dialect, query } = *copy;
        let ttls = self.links.entry((link, query.id())).or_default();
        ttls.came |= bit(query.ttl);
        if query.via == Via::Back {
            ttls.came_back |= bit(query.ttl);
        }
        if let Some(of) = of {
            let copies = self.copies.entry((of, servent)).or_default();
            let ttl = query.ttl.min(ttl_max);
            copies.first.get_or_insert(ttl);
            copies.by_ttl.entry(ttl).or_insert(CameFrom { from, ttl: query.ttl, dialect });
        }
    }

    /// A servent echoes a copy over a link.
    pub(super) fn on_echo_said(&mut self, link: LinkId, echo: &Echo) {
        if echo.tally.lost == 0 {
            self.links.entry((link, echo.id)).or_default().echoed_whole |= bit(echo.ttl);
        }
    }

    /// Which query an answer is to that goes back, if a client asked that.
    pub(super) fn of(&self, brought: &Brought) -> Option<(usize, QueryId)> {
        self.marks.get(&(brought.contact, brought.number)).copied()
    }

    /// A servent is brought an answer over a link. Where its copy did not go there it is none.
    pub(super) fn on_heard(&mut self, (servent, life): (usize, u32), link: LinkId, brought: &Brought) {
        let Some((query, id)) = self.of(brought) else { return };
        let sent = self.links.get(&(link, id)).map_or(0, |ttls| ttls.sent);
        let ServentId(by) = brought.answer.id;
        *self.brought.entry((servent, life, query, by)).or_default() |= sent & bit(brought.ttl);
    }

    /// A servent says an answer that goes back, for the copy of this TTL that came over this link. Whether it is the first
    /// that it gives itself, and what of that is wrong.
    pub(super) fn on_said(
        &mut self,
        said: &BroughtSaid,
        link: LinkId,
        id: QueryId,
        ttl: u8,
        is_healthy: bool,
    ) -> (bool, Vec<String>) {
        let BroughtSaid { servent, life, query, by: ServentId(by), .. } = *said;
        let (mut is_given, mut wrong) = (false, Vec::from_iter(self.brought_by_nobody(said, id)));
        let ttls = self.links.get(&(link, id)).copied().unwrap_or_default();
        if ttls.came & bit(ttl) == 0 {
            wrong.push(format!(
                "s{servent} brings an answer to {id} for a copy with TTL {ttl}, which did not come over {link}"
            ));
        }
        if ttls.came_back & ttls.echoed_whole & bit(ttl) != 0 {
            wrong.push(format!(
                "s{servent} brings an answer to {id} over {link}, and had echoed its copy with TTL {ttl}"
            ));
        }
        let is_new = self.crossed.insert((link, query, ttl, by));
        if is_own(said) && !self.is_brought(said) {
            let before = *self.given.entry((servent, life, query)).or_insert_with(|| {
                is_given = true;
                said.ttl
            });
            if before != said.ttl || !is_new {
                wrong.push(format!("s{servent} gives an answer to {id} that goes back twice"));
            }
        } else if is_healthy && !is_new {
            wrong.push(format!("s{servent} brings an answer to {id} over {link} twice"));
        }
        (is_given, wrong)
    }

    /// The contact gives its client an answer that came back. What of that is wrong.
    pub(super) fn on_handed(&self, said: &BroughtSaid, id: QueryId) -> Option<String> {
        self.brought_by_nobody(said, id)
    }

    fn brought_by_nobody(&self, said: &BroughtSaid, id: QueryId) -> Option<String> {
        let BroughtSaid { servent, ttl, .. } = *said;
        (!self.is_brought(said) && !is_own(said)).then(|| {
            format!("s{servent} passes on an answer to {id} that nobody brought for a copy of TTL {ttl}, less one")
        })
    }

    /// Whether it was brought to whoever says it, be it in its own name.
    fn is_brought(&self, said: &BroughtSaid) -> bool {
        let BroughtSaid { servent, life, query, ttl, by: ServentId(by) } = *said;
        let brought = self.brought.get(&(servent, life, query, by)).copied().unwrap_or_default();
        ttl.checked_sub(1).is_some_and(|ttl| brought & bit(ttl) != 0)
    }

    // ---- what is known of it ----

    /// Whether the first copy of a query that came to a servent came from its contact over these links alone, and over none on
    /// which no answer goes back. The contact sends it with this TTL.
    pub(super) fn came_over(&self, query: usize, servent: usize, contact: usize, ttl: u8, links: &Graph) -> bool {
        if servent == contact {
            return true;
        }
        let mut at = servent;
        let Some(mut came_with) = self.copies.get(&(query, at)).and_then(|copies| copies.first) else { return false };
        // Each copy has one TTL less than the one it was made of, so this ends.
        while at != contact {
            let copies = self.copies.get(&(query, at));
            let Some(came) = copies.and_then(|copies| copies.by_ttl.get(&came_with)) else { return false };
            let is_sound =
                came.dialect == Dialect::OWN && came.from < links.servents() && links.place_of(at, came.from).is_some();
            if !is_sound {
                return false;
            }
            (at, came_with) = (came.from, came.ttl.saturating_add(1));
        }
        came_with == ttl.saturating_add(1)
    }
}

/// The most TTL that a servent takes from others, whose own clients' queries start with this.
pub(super) fn ttl_max(own: u8) -> u8 {
    own.max(TTL_FROM_OTHERS_MAX)
}

fn is_own(said: &BroughtSaid) -> bool {
    said.by == cast::servent_id(said.servent, said.life)
}

fn bit(ttl: u8) -> u32 {
    1_u32.checked_shl(ttl.into()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use common::query::{AnswerBody, BroughtAnswer, BroughtBody, Tally};

    use super::*;
    use crate::scene::Scene;
    use crate::scene::tests::chain;
    use crate::world::witness::tests::{CLIENT, asked, assert_broke, copy, id};
    use crate::world::witness::{SECOND, Witness};

    const MARK: ContactMark = ContactMark { name: ContactName(7), number: 3, open_from: 3 };

    fn marked(ttl: u8, hops: u8) -> Query {
        Query { contact: Some(MARK), via: Via::Back, ..copy(ttl, hops) }
    }

    fn brought(by: usize, ttl: u8) -> Brought {
        let (id, body) = (cast::servent_id(by, 1), BroughtBody::Whole(AnswerBody::Value(Vec::new())));
        let answer = Arc::new(BroughtAnswer { id, from: cast::servent_address(by), name: None, hops: 2, body });
        Brought { contact: MARK.name, number: MARK.number, ttl, answer }
    }

    fn hear(witness: &mut Witness<'_>, (servent, link, from): (usize, u64, usize), query: &Query) {
        let copy = CopyHeard { servent, link: LinkId(link), from, dialect: Dialect::OWN, query };
        witness.on_copy_heard(copy, Some(CLIENT));
    }

    /// A witness who has seen the copies go down the chain.
    fn went_down(scene: &Scene) -> Witness<'_> {
        let mut witness = asked(scene);
        witness.on_mark(0, Some(CLIENT), &marked(3, 1));
        for (servent, link, from, copy) in [(1, 1, 0, marked(3, 1)), (2, 3, 1, marked(2, 2))] {
            witness.on_copy(SECOND, from, LinkId(link - 1), Dialect::OWN, Some(CLIENT), &copy);
            hear(&mut witness, (servent, link, from), &copy);
        }
        witness
    }

    #[test]
    fn an_answer_that_goes_the_way_of_the_copies_is_well() {
        let scene = chain();
        let mut witness = went_down(&scene);
        witness.on_brought_said(SECOND, (2, 1), LinkId(3), &brought(2, 2));
        witness.on_brought_heard((1, 1), LinkId(2), &brought(2, 2));
        witness.on_brought_said(SECOND, (1, 1), LinkId(1), &brought(2, 3));
        witness.on_brought_heard((0, 1), LinkId(0), &brought(2, 3));
        witness.on_handed(SECOND, (0, 1), CLIENT, id(), cast::servent_id(2, 1));
        assert_broke(&witness, &[]);
    }

    #[test]
    fn an_answer_that_goes_any_other_way_is_noticed() {
        let scene = chain();
        type Say = fn(&mut Witness<'_>);
        let cases: [(Say, &[&str]); 10] = [
            (|w| w.on_brought_said(SECOND, (2, 1), LinkId(9), &brought(2, 2)), &["did not come over"]),
            (
                |w| w.on_brought_said(SECOND, (2, 1), LinkId(3), &brought(2, 3)),
                &["with TTL 3, which did not come over"],
            ),
            (|w| w.on_brought_said(SECOND, (1, 1), LinkId(1), &brought(2, 3)), &["that nobody brought"]),
            (
                |w| {
                    w.on_brought_heard((1, 1), LinkId(2), &brought(2, 1));
                    w.on_brought_said(SECOND, (1, 1), LinkId(1), &brought(2, 3));
                },
                &["that nobody brought for a copy of TTL 3"],
            ),
            (
                |w| {
                    w.on_brought_heard((1, 1), LinkId(8), &brought(2, 2));
                    w.on_brought_said(SECOND, (1, 1), LinkId(1), &brought(2, 3));
                },
                &["that nobody brought"],
            ),
            (
                |w| {
                    w.on_brought_heard((1, 1), LinkId(2), &brought(2, 2));
                    w.on_brought_said(SECOND, (1, 1), LinkId(1), &brought(2, 3));
                    w.on_brought_said(SECOND, (1, 1), LinkId(1), &brought(2, 3));
                },
                &["over link 1 twice"],
            ),
            (
                |w| {
                    w.on_brought_said(SECOND, (2, 1), LinkId(3), &brought(2, 2));
                    w.on_brought_said(SECOND, (2, 1), LinkId(3), &brought(2, 2));
                },
                &["s2 gives an answer"],
            ),
            (
                |w| {
                    w.on_answer_said(SECOND, (2, 1), CLIENT, id(), true);
                    w.on_brought_said(SECOND, (2, 1), LinkId(3), &brought(2, 2));
                },
                &["s2 answers query"],
            ),
            (|w| w.on_handed(SECOND, (0, 1), CLIENT, id(), cast::servent_id(2, 1)), &["that nobody brought"]),
            (
                |w| {
                    let echo = Echo { id: id(), ttl: 2, tally: Tally::default() };
                    w.on_echo_said(LinkId(3), &echo);
                    w.on_brought_said(SECOND, (2, 1), LinkId(3), &brought(2, 2));
                },
                &["and had echoed its copy with TTL 2"],
            ),
        ];
        for (say, breaks) in cases {
            let mut witness = went_down(&scene);
            say(&mut witness);
            assert_broke(&witness, breaks);
        }
        // What is lost may be found later, and a copy that is not marked is answered back when its dial has failed.
        for (tally, via) in [(Tally { lost: 1, ..Tally::default() }, Via::Back), (Tally::default(), Via::Direct)] {
            let mut witness = went_down(&scene);
            hear(&mut witness, (2, 5, 1), &Query { via, ..marked(2, 2) });
            witness.on_echo_said(LinkId(5), &Echo { id: id(), ttl: 2, tally });
            witness.on_brought_said(SECOND, (2, 1), LinkId(5), &brought(2, 2));
            assert_broke(&witness, &[]);
        }
    }

    #[test]
    fn the_way_of_an_answer_is_that_of_the_first_copy_which_may_not_be_the_first_of_whoever_sent_it() {
        // S0–S1, S0–S2, S1–S2, S2–S3: S2 hears over S1 first, whose copy ends there, and then from S0.
        let mut broughts = WatchedBroughts::default();
        let heard = |broughts: &mut WatchedBroughts, servent, from, ttl, dialect| {
            let query = copy(ttl, 1);
            let copy = CopyHeard { servent, link: LinkId(1), from, dialect, query: &query };
            broughts.on_copy_heard(&copy, Some(0), 7);
        };
        heard(&mut broughts, 1, 0, 1, Dialect::OWN);
        heard(&mut broughts, 2, 1, 0, Dialect::OWN);
        heard(&mut broughts, 2, 0, 1, Dialect::OWN);
        heard(&mut broughts, 3, 2, 0, Dialect::OWN);
        let links = |links: &[(u32, u32)]| Graph::from_links(4, links);
        let came = |broughts: &WatchedBroughts, servent, over: &[(u32, u32)]| {
            broughts.came_over(0, servent, 0, 1, &links(over))
        };
        assert!(came(&broughts, 3, &[(0, 2), (2, 3)]) && !came(&broughts, 3, &[(0, 1), (1, 2), (2, 3)]));
        assert!(came(&broughts, 2, &[(0, 1), (1, 2)]) && !came(&broughts, 2, &[(0, 2)]));
        assert!(came(&broughts, 0, &[]) && !broughts.came_over(7, 3, 0, 1, &links(&[(0, 2), (2, 3)])));
        // A contact needs none, whatever comes back to it.
        heard(&mut broughts, 0, 2, 0, Dialect::OWN);
        assert!(came(&broughts, 0, &[]));
        // No answer comes back over TP3.
        heard(&mut broughts, 4, 2, 0, Dialect::Tp3);
        assert!(!came(&broughts, 4, &[(0, 2), (2, 4)]));
    }
}
