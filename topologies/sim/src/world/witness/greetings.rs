//! What comes of it that a client has its contact greet a servent.
//!
//! - A servent tells a page of members on a visit, and asks for one there, no more often than it was asked to greet whom it
//!   visits.
//! - Nobody is met who was dead all the while, nobody is told that it may not greet, and where nothing goes wrong everybody is
//!   met whose client waits for it, or is busy.
//! - Whoever has no link to one that it greets, was told by that one's machine that nobody is there, and had said that it is
//!   online, says so no more; and nobody says that one is dead because it greeted it in vain, unless that was told it meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use common::dialect::Dialect;
use common::member::{GreetOutcome, Greeted, Word};
use common::session::{GreetEnd, GreetingEnded};

use super::Nanos;
use super::links::WatchedLinks;
use crate::dialects;
use crate::graph::number;
use crate::outcome::GreetingCounts;
use crate::plan::FaultKind;
use crate::scene::Scene;

/// Whom a servent was asked to greet: those two.
type Pair = (usize, usize);

/// How often one was asked to greet another, and what of it was not done yet.
#[derive(Clone, Copy, Debug, Default)]
struct GreetingDue {
    /// When it was asked first, of all that is not over.
    since: Nanos,
    open: usize,
    pages: usize,
    asks: usize,
    /// It was told since then that the other is not there.
    was_told: bool,
}

/// Who was to greet whom.
pub(super) struct WatchedGreetings<'s> {
    scene: &'s Scene,
    /// Nothing goes wrong but that servents are greeted.
    is_healthy: bool,
    asked: BTreeMap<Pair, GreetingDue>,
    counts: GreetingCounts,
    /// By servent: since when it is not there; none where it is.
    gone: Vec<Option<Nanos>>,
    /// At whose address somebody hostile said to be: a servent to which that one was linked may have seen for itself that nobody
    /// is there.
    impersonated: BTreeSet<usize>,
}

impl<'s> WatchedGreetings<'s> {
    pub(super) fn new(scene: &'s Scene) -> WatchedGreetings<'s> {
        let is_healthy = scene.faults.iter().all(|fault| fault.kind == FaultKind::Greet);
        let gone = vec![Some(0); scene.graph.servents()];
        let (asked, counts) = (BTreeMap::new(), GreetingCounts::default());
        WatchedGreetings { scene, is_healthy, asked, counts, gone, impersonated: BTreeSet::new() }
    }

    /// What came of all of them, where there were to be any.
    pub(super) fn counts(&self) -> Option<GreetingCounts> {
        self.scene.faults.iter().any(|fault| fault.kind == FaultKind::Greet).then_some(self.counts)
    }

    pub(super) fn on_born(&mut self, servent: usize) {
        if let Some(gone) = self.gone.get_mut(servent) {
            *gone = None;
        }
    }

    pub(super) fn on_died(&mut self, now: Nanos, servent: usize) {
        if let Some(gone) = self.gone.get_mut(servent) {
            *gone = Some(now);
        }
    }

    /// A client asks its contact to greet somebody.
    pub(super) fn on_greet(&mut self, now: Nanos, pair: Pair) {
        self.counts.asked += 1;
        let asked = self.asked.entry(pair).or_default();
        if asked.open == 0 {
            (asked.since, asked.was_told) = (now, false);
        }
        asked.open += 1;
        asked.pages += 1;
        asked.asks += 1;
    }

    pub(super) fn on_impersonated(&mut self, servent: usize) {
        self.impersonated.insert(servent);
    }

    /// A servent hears that this one is dead, or has left.
    pub(super) fn on_told_gone(&mut self, hearer: usize, of: usize) {
        if let Some(asked) = self.asked.get_mut(&(hearer, of)) {
            asked.was_told = true;
        }
    }

    /// A servent tells members to whom it visits. What is wrong about that.
    pub(super) fn on_page(&mut self, (servent, visited): Pair) -> Option<String> {
        let is_asked = take_one(self.asked.get_mut(&(servent, visited)).map(|asked| &mut asked.pages));
        (!is_asked).then(|| format!("s{servent} tells s{visited} of members, which it visits and nobody had it greet"))
    }

    /// A servent asks whom it visits for a page. What is wrong about that.
    pub(super) fn on_asked(&mut self, (servent, visited): Pair) -> Option<String> {
        let is_asked = take_one(self.asked.get_mut(&(servent, visited)).map(|asked| &mut asked.asks));
        (!is_asked).then(|| format!("s{servent} asks s{visited} for a page, which it visits and nobody had it greet"))
    }

    /// A client hears what came of it, or waits no longer. What is wrong about that.
    pub(super) fn on_over(
        &mut self,
        links: &WatchedLinks<'_>,
        (contact, whom): Pair,
        whom_at: SocketAddr,
        greeting: &GreetingEnded,
    ) -> Option<String> {
        let before = self.asked.get_mut(&(contact, whom)).map(|asked| {
            asked.open = asked.open.saturating_sub(1);
            *asked
        });
        if let GreetEnd::Told(told) = greeting.end {
            self.count(told.outcome);
        }
        let what = match greeting.end {
            GreetEnd::Told(told) => self.wrong_outcome(links, (contact, whom), before?, &told),
            GreetEnd::Silence | GreetEnd::ContactLost => None,
            GreetEnd::Itself | GreetEnd::Cancelled | GreetEnd::NotUnderstood => Some(greeting.end.word().to_owned()),
        };
        let what = if greeting.address == whom_at { what } else { Some("of somebody else".to_owned()) };
        what.map(|what| format!("s{contact} was to greet s{whom}, and what came of it is {what}"))
    }

    fn count(&mut self, outcome: GreetOutcome) {
        let counts = &mut self.counts;
        match outcome {
            GreetOutcome::Met => counts.met += 1,
            GreetOutcome::Refused => counts.refused += 1,
            GreetOutcome::Unreached => counts.unreached += 1,
            GreetOutcome::Busy => counts.busy += 1,
            // That is wrong, and told by itself.
            GreetOutcome::NotAllowed => {}
        }
    }

    fn wrong_outcome(
        &self,
        links: &WatchedLinks<'_>,
        (contact, whom): Pair,
        asked: GreetingDue,
        told: &Greeted,
    ) -> Option<String> {
        let gone = self.gone.get(whom).copied().flatten();
        let [was, now] = [told.was, told.now].map(|stands| stands.map(|stands| stands.word));
        let neighbors = self.scene.graph.neighbors(contact);
        // Over another dialect nothing is told of members.
        let is_told_by = |other: usize| dialects::of_link(&self.scene.plan, contact, other) == Dialect::OWN;
        let mut others = neighbors.iter().map(|other| *other as usize);
        let has_links = others.any(|other| is_told_by(other) && links.stands(contact, other));
        let was_linked = neighbors.contains(&number(whom)) || self.impersonated.contains(&whom);
        let is_known_by_others_alone = has_links && was == Some(Word::Online) && !was_linked;
        match told.outcome {
            GreetOutcome::NotAllowed => Some("not allowed".to_owned()),
            GreetOutcome::Met if gone.is_some_and(|gone| gone < asked.since) => {
                Some("that it was met, which was dead all the while".to_owned())
            }
            GreetOutcome::Refused | GreetOutcome::Unreached if self.is_healthy => {
                Some("that nobody is there".to_owned())
            }
            GreetOutcome::Refused if is_known_by_others_alone && now == Some(Word::Online) => {
                Some("that nobody is there, and it is online still".to_owned())
            }
            GreetOutcome::Refused | GreetOutcome::Unreached
                if is_known_by_others_alone && !asked.was_told && now.is_some_and(|now| !now.is_online()) =>
            {
                Some("that it is dead, which nobody has said".to_owned())
            }
            GreetOutcome::Met | GreetOutcome::Busy | GreetOutcome::Refused | GreetOutcome::Unreached => None,
        }
    }
}

/// Takes one of what is left, if anything is.
fn take_one(left: Option<&mut usize>) -> bool {
    let Some(left) = left.filter(|left| **left > 0) else { return false };
    *left -= 1;
    true
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::member::WordAt;

    use super::*;
    use crate::cast;
    use crate::scene::tests::chain;
    use crate::world::witness::SECOND;
    use crate::world::witness::tests::troubled;

    const PAIR: Pair = (0, 2);

    fn told(outcome: GreetOutcome, now: Word) -> GreetEnd {
        let [was, now] = [Word::Online, now].map(|word| Some(WordAt { word, clock: 7 }));
        let (address, took) = (cast::servent_address(2), Duration::ZERO);
        GreetEnd::Told(Greeted { address, outcome, was, now, new_count: 0, took })
    }

    /// Says what is wrong of what came of a greeting of the last of a chain of three by the first, after this happened to both.
    fn came_of_it(scene: &Scene, happens: impl FnOnce(&mut WatchedGreetings<'_>), end: GreetEnd) -> Option<String> {
        let mut links = WatchedLinks::new(scene);
        links.on_stands(1, 0, 1);
        let mut greetings = WatchedGreetings::new(scene);
        (0..3).for_each(|servent| greetings.on_born(servent));
        greetings.on_greet(10 * SECOND, PAIR);
        happens(&mut greetings);
        let at = cast::servent_address(2);
        greetings.on_over(&links, PAIR, at, &GreetingEnded { address: at, end, elapsed: Duration::ZERO })
    }

    #[test]
    fn who_is_greeted_is_met_where_it_lives_and_nothing_goes_wrong() {
        let died = |at: Nanos| move |greetings: &mut WatchedGreetings<'_>| greetings.on_died(at, 2);
        let met = || told(GreetOutcome::Met, Word::Online);
        let (well, ill) = (chain(), troubled());
        assert_eq!(came_of_it(&well, |_| {}, met()), None);
        assert_eq!(came_of_it(&ill, died(11 * SECOND), met()), None);
        assert!(came_of_it(&ill, died(9 * SECOND), met()).is_some_and(|wrong| wrong.contains("dead all the while")));
        let unreached = || told(GreetOutcome::Unreached, Word::Suspect);
        assert!(came_of_it(&well, |_| {}, unreached()).is_some_and(|wrong| wrong.contains("nobody is there")));
        assert_eq!(came_of_it(&ill, |_| {}, unreached()), None);
        for end in [told(GreetOutcome::NotAllowed, Word::Online), GreetEnd::Itself, GreetEnd::NotUnderstood] {
            assert!(came_of_it(&ill, |_| {}, end).is_some(), "{end:?}");
        }
        for end in [told(GreetOutcome::Busy, Word::Online), GreetEnd::Silence, GreetEnd::ContactLost] {
            assert_eq!(came_of_it(&well, |_| {}, end), None, "{end:?}");
        }
    }

    #[test]
    fn who_is_greeted_in_vain_is_suspect_and_dead_only_where_somebody_said_so() {
        let scene = troubled();
        let refused = |word| told(GreetOutcome::Refused, word);
        assert_eq!(came_of_it(&scene, |_| {}, refused(Word::Suspect)), None);
        assert!(came_of_it(&scene, |_| {}, refused(Word::Online)).is_some_and(|wrong| wrong.contains("online still")));
        assert!(
            came_of_it(&scene, |_| {}, refused(Word::Failed)).is_some_and(|wrong| wrong.contains("nobody has said"))
        );
        let is_told = |greetings: &mut WatchedGreetings<'_>| greetings.on_told_gone(0, 2);
        assert_eq!(came_of_it(&scene, is_told, refused(Word::Failed)), None);
        // What it was told before it was asked, it was not told meanwhile.
        let is_asked_anew = |greetings: &mut WatchedGreetings<'_>| {
            greetings.asked.clear();
            greetings.on_told_gone(0, 2);
            greetings.on_greet(12 * SECOND, PAIR);
        };
        assert!(came_of_it(&scene, is_asked_anew, refused(Word::Failed)).is_some());
    }

    #[test]
    fn what_came_of_greetings_is_counted_where_there_were_to_be_any() {
        let scene = chain();
        let mut greetings = WatchedGreetings::new(&scene);
        let at = cast::servent_address(2);
        let ends =
            [GreetOutcome::Met, GreetOutcome::Met, GreetOutcome::Refused, GreetOutcome::Unreached, GreetOutcome::Busy];
        let ends = ends.map(|outcome| told(outcome, Word::Online)).into_iter().chain([GreetEnd::Silence]);
        for end in ends {
            greetings.on_greet(SECOND, PAIR);
            let over = GreetingEnded { address: at, end, elapsed: Duration::ZERO };
            greetings.on_over(&WatchedLinks::new(&scene), PAIR, at, &over);
        }
        assert_eq!(greetings.counts, GreetingCounts { asked: 6, met: 2, refused: 1, unreached: 1, busy: 1 });
        assert_eq!(greetings.counts(), None, "nobody was to be greeted");
    }

    #[test]
    fn a_servent_trades_a_page_on_a_visit_once_for_each_time_it_was_asked_to_greet() {
        let scene = chain();
        let mut greetings = WatchedGreetings::new(&scene);
        for _ in 0..2 {
            greetings.on_greet(SECOND, PAIR);
            assert_eq!((greetings.on_page(PAIR), greetings.on_asked(PAIR)), (None, None));
        }
        assert!(greetings.on_page(PAIR).is_some() && greetings.on_asked(PAIR).is_some());
        assert!(greetings.on_page((2, 0)).is_some() && greetings.on_asked((0, 1)).is_some());
    }
}
