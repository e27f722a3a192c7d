//! How queries end, whom they missed, and what all of them came to.
//!
//! - A session ends at the latest one silence after it asked or last heard an answer, and every one that asked ends.
//! - What an ending claims is so. That is for the verdict to say, given who is demanded: of whatever no fault had anything to
//!   do with, however it ended; and for one that is complete of the links that stood all the while from its asking to its
//!   end. Of one that a hostile servent forged or said again nothing of this is claimed, since what was told to the forger's
//!   copies is missing in its tally.
//! - One whose answers all go back ends as soon as its contact says that it is over: no copy of it had anybody dial its client.
//! - No answer comes late to one that was complete, nor where there are no faults.
//! - With no faults at all, everything is exactly as the oracle says.

use std::borrow::Cow;
use std::collections::BTreeMap;

use common::dialect::Dialect;
use common::limits::SILENCE_DEFAULT;
use common::session::{EndReason, Ending};
use oracle::Demanded;

use super::answers::WatchedAnswers;
use super::broughts::WatchedBroughts;
use super::flood::WatchedFlood;
use super::forgeries::Forgeries;
use super::lies::Lies;
use super::links::WatchedLinks;
use super::queries::{WatchedQueries, WatchedQuery};
use super::shared::WatchedShared;
use super::{Nanos, nanos};
use crate::outcome::RunOutcome;
use crate::plan::FaultKind;
use crate::scene::Scene;
use crate::verdict::demand::Demand;
use crate::verdict::ending::Mischief;
use crate::verdict::{Facts, WAITS};

/// What everybody else has seen.
pub(crate) struct Evidence<'s> {
    pub(crate) scene: &'s Scene,
    /// Whether pipes are so narrow that what goes back may take longer than its way is remembered.
    pub(crate) is_narrow: bool,
    /// Whether a fault is one that forges.
    pub(crate) is_forger_there: bool,
    pub(crate) links: WatchedLinks<'s>,
    pub(crate) queries: WatchedQueries,
    pub(super) forgeries: Forgeries,
    pub(super) flood: WatchedFlood,
    pub(super) lies: Lies,
    pub(super) answers: WatchedAnswers,
    pub(super) broughts: WatchedBroughts,
    pub(super) shared: WatchedShared<'s>,
}

impl Evidence<'_> {
    fn facts<'a>(&'a self, query: usize, ending: &'a Ending) -> Option<(&'a WatchedQuery, Facts<'a>)> {
        let asked = self.queries.get(query)?;
        let facts = Facts {
            demand: asked.demand(self.scene),
            heard: self.answers.heard(query)?,
            crossed: self.flood.crossed(query),
            ending,
        };
        Some((asked, facts))
    }

    /// What a query comes to over the links that stood from then on until now; without those in trouble as well, if so asked.
    fn reached(&self, demand: &Demand<'_>, ttl: u8, since: Nanos, without_troubled: bool) -> Demanded {
        if self.scene.faults.is_empty() {
            demand.reached(ttl)
        } else {
            demand.reached_over(&self.links.untouched(since, without_troubled), ttl)
        }
    }
}

/// How one query ended.
#[derive(Clone, Debug, Default)]
struct EndOfQuery {
    /// When its session last had a reason to go on waiting.
    heard: Nanos,
    /// When its contact said that it is over.
    told: Option<Nanos>,
    ended: Option<Ending>,
    expected: u64,
    missed: Vec<u32>,
    untold: u64,
    waits: bool,
    late: u64,
}

/// How all of them did.
pub(super) struct WatchedEndings {
    /// Whether a fault is one that may say of what came of a query whatever it likes.
    is_liar_there: bool,
    queries: BTreeMap<usize, EndOfQuery>,
}

impl WatchedEndings {
    pub(super) fn new(scene: &Scene) -> WatchedEndings {
        let is_liar_there = scene.faults.iter().any(|fault| fault.kind == FaultKind::Hostile);
        WatchedEndings { is_liar_there, queries: BTreeMap::new() }
    }

    // ---- what happens ----

    /// A session has a reason to go on waiting.
    pub(super) fn on_heard(&mut self, now: Nanos, query: usize) {
        self.queries.entry(query).or_default().heard = now;
    }

    /// The contact has said that a query is over.
    pub(super) fn on_finished(&mut self, now: Nanos, query: usize) {
        self.queries.entry(query).or_default().told.get_or_insert(now);
    }

    /// An answer comes to a query that is over. What of that is wrong.
    pub(super) fn on_late(&mut self, query: usize, is_healthy: bool) -> Option<&'static str> {
        let end = self.queries.entry(query).or_default();
        end.late += 1;
        let reason = end.ended.map(|ending| ending.reason);
        match reason {
            _ if is_healthy => Some("is answered late, and nothing went wrong"),
            Some(EndReason::Incomplete | EndReason::Silence) => None,
            _ => Some("is answered late, and nothing of it was told to be missing"),
        }
    }

    /// A session ends. What of that is wrong.
    pub(super) fn on_ended(&mut self, now: Nanos, query: usize, ending: &Ending, seen: &Evidence<'_>) -> Vec<String> {
        let Some((asked, facts)) = seen.facts(query, ending) else { return Vec::new() };
        let end = self.queries.entry(query).or_default();
        end.ended = Some(*ending);
        let mut wrong = Vec::new();
        let (since, silence) = (end.heard, now.saturating_sub(end.heard));
        if silence > nanos(SILENCE_DEFAULT) {
            wrong.push(format!("ends {silence} ns after its client last heard of it, at {since} ns"));
        }
        // Whoever lies of what came of a copy may say that somebody dials.
        end.waits = end.told.is_some_and(|told| told < now) && facts.crossed.dialled_copies == 0 && !self.is_liar_there;
        if end.waits {
            wrong.push(WAITS.to_owned());
        }
        let since = asked.asked.unwrap_or(now);
        let demanded = demanded(query, asked, since, &facts, seen);
        let missed = facts.heard.missing(&demanded);
        let mut lied_of = Vec::new();
        if ending.reason == EndReason::Complete && !seen.forgeries.is_said_again(query) {
            let demand = &facts.demand;
            let ttl = demand.ttl_of_complete(&ending.tally, self.is_liar_there);
            lied_of = facts.heard.missing(&demand.answers(&seen.reached(demand, ttl, since, false)));
            if !self.is_liar_there {
                // And whoever answered, whatever befell that.
                lied_of.extend(seen.answers.unheard(query));
                lied_of.sort_unstable();
                lied_of.dedup();
            }
        }
        let mischief = Mischief {
            is_forged: seen.forgeries.is_forged(query),
            is_lied_to: seen.lies.is_told_one(query, &facts.demand, facts.heard),
            may_doubt: seen.is_forger_there || self.is_liar_there,
        };
        wrong.extend(facts.what_the_ending_has_wrong(mischief, &missed, &lied_of));
        end.untold = lied_of.len() as u64;
        end.expected = demanded.len() as u64;
        end.missed = missed;
        let name = asked.name();
        wrong.into_iter().map(|what| format!("{name} {what}")).collect()
    }

    /// All is over. What can only be judged now, and what all came to.
    pub(super) fn on_end(&self, outcome: &mut RunOutcome, seen: &Evidence<'_>) -> Vec<String> {
        let mut wrong = Vec::new();
        for query in 0..seen.queries.count() {
            let Some(asked) = seen.queries.get(query) else { continue };
            let name = asked.name();
            if asked.asked.is_some() && !self.has_ended(query) {
                wrong.push(format!("{name} never ends"));
                continue;
            }
            if asked.is_probe {
                continue;
            }
            if seen.scene.faults.is_empty() {
                let odd = self.what_is_wrong(query, seen);
                if !odd.is_empty() {
                    wrong.push(format!("{name}, on a healthy overlay: {}", odd.join("; ")));
                }
            }
            let Some((end, ending)) = self.queries.get(&query).and_then(|end| Some((end, end.ended.as_ref()?))) else {
                continue;
            };
            let Some((_, facts)) = seen.facts(query, ending) else { continue };
            outcome.queries += 1;
            outcome.expected += end.expected;
            outcome.missed += end.missed.len() as u64;
            outcome.untold += end.untold;
            outcome.waits += u64::from(end.waits);
            outcome.late += end.late;
            facts.add_to(outcome);
        }
        wrong
    }

    // ---- what is known of it ----

    #[cfg(test)]
    fn expected(&self, query: usize) -> u64 {
        self.queries[&query].expected
    }

    #[cfg(test)]
    fn missed(&self, query: usize) -> &[u32] {
        &self.queries[&query].missed
    }

    pub(super) fn has_ended(&self, query: usize) -> bool {
        self.queries.get(&query).is_some_and(|end| end.ended.is_some())
    }

    /// What of a query is not as it must be where nothing goes wrong.
    pub(super) fn what_is_wrong(&self, query: usize, seen: &Evidence<'_>) -> Vec<String> {
        let Some(asked) = seen.queries.get(query) else { return Vec::new() };
        let ended = self.queries.get(&query).and_then(|end| end.ended).filter(|_| asked.asked.is_some());
        let Some(ending) = ended else { return vec!["its contact did not take it".to_owned()] };
        seen.facts(query, &ending).map_or_else(Vec::new, |(_, facts)| facts.what_is_not_exact())
    }
}

/// Of whom an answer is demanded however a query ends: of whatever no fault had anything to do with.
fn demanded(query: usize, asked: &WatchedQuery, since: Nanos, facts: &Facts<'_>, seen: &Evidence<'_>) -> Vec<u32> {
    let (demand, contact) = (&facts.demand, facts.demand.contact());
    let mut demanded = demand.answers(&seen.reached(demand, demand.certain_ttl(), since, true));
    let contact_is_well = seen.links.is_servent_untroubled_since(contact, asked.attached);
    // What is dialled needs no link; what goes back, the way the first copy came. Only a native client gets that, and an
    // answer of its contact.
    let is_dialled = !demand.is_deaf()
        && demand.nat().is_none()
        && seen.links.clients_are_untroubled_since(since)
        && facts.crossed.dialled_copies == facts.crossed.copies;
    let sound = if seen.scene.faults.is_empty() {
        Cow::Borrowed(&seen.scene.graph)
    } else {
        Cow::Owned(seen.links.untouched(since, true))
    };
    // What goes back at once is ahead of the echoes, however slow these are, as long as nobody gives them up, which is told.
    let is_ahead = facts.crossed.dialled_copies == 0 && facts.ending.tally_told && facts.ending.tally.lost == 0;
    let is_in_time = !seen.is_narrow || asked.is_probe || is_ahead;
    let comes_back = |servent: u32| {
        asked.dialect == Dialect::OWN
            && (is_in_time || servent as usize == contact)
            && seen.broughts.came_over(query, servent as usize, contact, demand.ttl, &sound)
    };
    // What a forger said of a contact spoils what is asked there next, which is told; whether it ends is judged by the
    // queries after healing.
    let is_spoilt = seen.is_forger_there && seen.forgeries.may_be_refused(query, asked.dialect, facts.ending);
    let is_well = contact_is_well && !seen.forgeries.is_forged(query) && !is_spoilt;
    demanded.retain(|servent| is_well && (is_dialled || comes_back(*servent)));
    demanded
}

#[cfg(test)]
mod tests {
    use common::link::LinkId;
    use common::query::{Query, Tally, Via};

    use super::*;
    use crate::plan::{ClientVia, Delays};
    use crate::scene::tests::chain;
    use crate::world::witness::tests::{CLIENT, asked, assert_broke, complete, copy, id, silence, troubled, value};
    use crate::world::witness::{Befallen, CopyHeard, SECOND, Witness};

    #[test]
    fn complete_without_a_holder_is_noticed() {
        let scene = troubled();
        let mut witness = asked(&scene);
        witness.on_ended(SECOND + 1, 0, &complete(0));
        let missed = "missed [2], which no fault had anything to do with";
        assert_broke(&witness, &["complete, and yet it missed [2]", missed]);
        assert_eq!((witness.endings.expected(0), witness.endings.missed(0).len()), (1, 1));
        // It is missed however the query ended.
        let mut witness = asked(&scene);
        witness.on_ended(SECOND + 1, 0, &Ending { reason: EndReason::Silence, ..complete(0) });
        assert_broke(&witness, &[missed]);
    }

    #[test]
    fn nobody_doubts_where_nobody_lies() {
        let scene = troubled();
        let mut witness = asked(&scene);
        witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
        witness.on_ended(SECOND + 1, 0, &silence(1, true));
        assert_broke(&witness, &["doubtful true"]);
    }

    #[test]
    fn complete_beside_a_neighbor_that_echoes_nothing_is_noticed() {
        let scene = chain();
        for (dialect, breaks) in
            [(Dialect::OWN, &[][..]), (Dialect::Tp3, &["1 of its copies went where nobody echoes"])]
        {
            let mut witness = asked(&scene);
            witness.on_copy(SECOND, 1, LinkId(2), dialect, Some(CLIENT), &copy(2, 2));
            witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
            witness.on_ended(SECOND + 1, 0, &complete(1));
            assert_broke(&witness, breaks);
        }
    }

    /// The chain, of which the one in the middle passes on once, and answers take their time.
    fn shadowed(ttl: u8, holders: &[u32]) -> Scene {
        let mut scene = Scene { forward_once: vec![false, true, false], holders: holders.to_vec(), ..troubled() };
        scene.plan.delays = Delays::Heavy;
        scene.ttls.fill(ttl);
        scene
    }

    #[test]
    fn where_one_way_may_shadow_another_neighbors_are_demanded_and_whoever_is_there_if_nothing_was_stopped() {
        let stopped = Ending { tally: Tally { stopped: 1, ..complete(0).tally }, ..complete(0) };
        for (holders, ending, breaks) in [
            (&[2][..], stopped, &[][..]),
            (&[2], complete(0), &["complete, and yet it missed [2]"]),
            (&[1], stopped, &["complete, and yet it missed [1]", "missed [1], which no fault"]),
        ] {
            let scene = shadowed(3, holders);
            let mut witness = asked(&scene);
            witness.on_ended(SECOND + 1, 0, &ending);
            assert_broke(&witness, breaks);
        }
        // Whoever may lie of what came of a copy may say that nothing was stopped.
        let mut scene = shadowed(3, &[2]);
        scene.faults[0].kind = FaultKind::Hostile;
        let mut witness = asked(&scene);
        witness.on_ended(SECOND + 1, 0, &complete(0));
        assert_broke(&witness, &[]);
        // Beyond any way there is the TTL ends nothing.
        let scene = Scene { faults: Vec::new(), ..shadowed(1, &[2]) };
        let mut witness = asked(&scene);
        witness.on_ended(SECOND + 1, 0, &stopped);
        assert_broke(&witness, &["complete, and yet it missed [2]", "missed [2], which no fault"]);
    }

    #[test]
    fn a_holder_behind_a_link_that_fell_may_be_missing() {
        let scene = troubled();
        for begins_anew in [false, true] {
            let mut witness = asked(&scene);
            witness.on_link_falls(SECOND + 1, 1, 2, true);
            if begins_anew {
                witness.on_link_stands(SECOND + 2, 1, 2);
            }
            witness.on_ended(SECOND + 3, 0, &complete(0));
            assert_broke(&witness, &[]);
            assert_eq!(witness.endings.expected(0), 0);
            assert!(witness.was_disturbed(0));
        }
    }

    #[test]
    fn a_fault_that_fells_nothing_excuses_no_lie_and_counts_as_no_miss() {
        let scene = troubled();
        let mut witness = asked(&scene);
        witness.trouble(SECOND + 1, Befallen::Servent(2), true);
        witness.on_ended(SECOND + 3, 0, &complete(0));
        assert_broke(&witness, &["complete, and yet it missed [2]"]);
        assert_eq!(witness.endings.expected(0), 0);
    }

    #[test]
    fn a_tally_that_is_not_whole_is_not_complete() {
        let scene = troubled();
        let mut witness = asked(&scene);
        witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
        let lossy = Ending { tally: Tally { lost: 1, ..complete(1).tally }, ..complete(1) };
        witness.on_ended(SECOND + 1, 0, &lossy);
        assert_broke(&witness, &["its tally does not say so"]);
    }

    #[test]
    fn sessions_that_end_late_or_never_are_noticed() {
        let scene = troubled();
        let silence = nanos(SILENCE_DEFAULT);
        let quiet = Ending { reason: EndReason::Silence, tally: Tally { lost: 1, ..Tally::default() }, ..complete(1) };
        let answered = || {
            let mut witness = asked(&scene);
            witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
            witness
        };
        let mut witness = answered();
        witness.on_ended(SECOND + silence, 0, &quiet);
        assert_broke(&witness, &[]);
        let mut witness = answered();
        witness.on_ended(SECOND + silence + 1, 0, &quiet);
        assert_broke(&witness, &["after its client last heard"]);
        let mut witness = asked(&scene);
        witness.on_end(60 * SECOND, &mut RunOutcome::default());
        assert_broke(&witness, &["query 0 never ends"]);
    }

    /// A witness of a query whose answers have to go back, and of its copies down the chain.
    fn to_go_back(scene: &Scene) -> Witness<'_> {
        let mut witness = asked(scene);
        for (servent, link, from, query) in [(1, 1, 0, copy(3, 1)), (2, 3, 1, copy(2, 2))] {
            let query = &Query { via: Via::Back, ..query };
            witness.on_copy(SECOND, from, LinkId(link - 1), Dialect::OWN, Some(CLIENT), query);
            let (link, dialect) = (LinkId(link), Dialect::OWN);
            witness.on_copy_heard(CopyHeard { servent, link, from, dialect, query }, Some(CLIENT));
        }
        witness
    }

    fn undialled(ending: Ending) -> Ending {
        Ending { tally: Tally { is_dialled: false, ..ending.tally }, ..ending }
    }

    #[test]
    fn whoever_has_a_way_back_that_nothing_befell_is_demanded_and_nobody_else() {
        let mut scene = troubled();
        scene.plan.via = ClientVia::Back;
        let short = || undialled(Ending { reason: EndReason::Incomplete, missing: 1, ..complete(1) });
        let missed = "missed [2], which no fault had anything to do with";
        let mut witness = to_go_back(&scene);
        // Nobody dials the client, so it is no matter whether anybody could.
        witness.trouble(SECOND + 1, Befallen::Clients, true);
        witness.on_ended(SECOND + 1, 0, &short());
        assert_broke(&witness, &[missed]);
        let mut witness = to_go_back(&scene);
        witness.trouble(SECOND + 1, Befallen::Servent(1), true);
        witness.on_ended(SECOND + 1, 0, &short());
        assert_broke(&witness, &[]);
        // No copy came there, so none may have come over these links.
        let mut witness = asked(&scene);
        witness.on_ended(SECOND + 1, 0, &short());
        assert_broke(&witness, &[]);
    }

    #[test]
    fn one_whose_answers_all_go_back_ends_when_its_contact_says_so() {
        let mut scene = chain();
        scene.plan.via = ClientVia::Back;
        for (told, breaks) in [(SECOND + 2, &[][..]), (SECOND + 1, &["went on after its contact had said"])] {
            let mut witness = to_go_back(&scene);
            witness.on_answer(SECOND + 1, 0, (Some(2), Some(2), Via::Back), &value(2), None);
            witness.on_finished(told, 0, id().sequence);
            witness.on_ended(SECOND + 2, 0, &undialled(complete(1)));
            assert_broke(&witness, breaks);
        }
        // Whose client may be dialled may wait for that.
        let mut witness = asked(&scene);
        witness.on_copy(SECOND, 0, LinkId(0), Dialect::OWN, Some(CLIENT), &copy(3, 1));
        witness.on_finished(SECOND + 1, 0, id().sequence);
        witness.on_ended(SECOND + 2, 0, &complete(1));
        assert!(!witness.broken.iter().any(|text| text.contains("went on after")), "{:?}", witness.broken);
    }

    #[test]
    fn an_answer_that_was_given_and_is_not_told_is_no_secret() {
        let scene = troubled();
        let mut witness = asked(&scene);
        witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
        witness.trouble(SECOND + 1, Befallen::Servent(1), true);
        witness.on_answer_said(SECOND + 1, (1, 1), CLIENT, id(), true);
        witness.on_ended(SECOND + 2, 0, &complete(1));
        assert_broke(&witness, &["ends as complete, and yet it missed [1]"]);
    }

    #[test]
    fn an_answer_comes_late_where_something_was_told_to_be_missing_and_nowhere_else() {
        let troubled = troubled();
        let healthy = chain();
        let incomplete = Ending { reason: EndReason::Incomplete, missing: 1, ..complete(1) };
        for (scene, ending, breaks) in [
            (&troubled, Some(incomplete), &[][..]),
            (&troubled, Some(complete(1)), &["nothing of it was told to be missing"]),
            (&troubled, None, &["nothing of it was told to be missing"]),
            (&healthy, Some(incomplete), &["is answered late, and nothing went wrong"]),
        ] {
            let mut witness = asked(scene);
            witness.trouble(SECOND, Befallen::Link(1, 2), true);
            if let Some(ending) = ending {
                witness.on_ended(SECOND + 1, 0, &ending);
            }
            witness.broken.clear();
            witness.on_late(SECOND + 2, 0);
            assert_broke(&witness, breaks);
        }
    }

    #[test]
    fn a_healthy_query_must_be_exact() {
        let scene = chain();
        let mut witness = asked(&scene);
        witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
        let tally = Tally { reached: 2, is_dialled: false, ..complete(1).tally };
        witness.on_ended(SECOND + 1, 0, &Ending { tally, ..complete(1) });
        let wrong = witness.what_is_wrong(0).join("; ");
        assert_eq!(wrong, "it reached 2, not 3; 2 copies told, 0 sent");
    }
}
