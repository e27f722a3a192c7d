//! What changes from one asking to the next: of the topology, and of the answers to a key.
//!
//! It compares and remembers; when it is asked and how a change is shown is known to others.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use common::query::AnswerBody;
use drawing::{DrawnLink, DrawnOverlay, Since};

use crate::Event;

/// So many askings a mark stays.
const MARKS_STAY: usize = 5;
/// Whoever was not heard so many times, each time that not all could be, is taken to be gone.
const UNHEARD_MAX: u32 = 5;
/// Answers that are remembered from one asking to the next.
pub(crate) const ANSWERS_KEPT_MAX: usize = 16_384;
/// And so many bytes of their values.
pub(crate) const ANSWERS_KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The topology as it is asked for again and again.
#[derive(Debug, Default)]
pub(crate) struct TopologyFollowed {
    /// What was found lately, the last time last: marks are beside the first.
    found: VecDeque<DrawnOverlay>,
    /// How often those were not heard who are taken to be there still.
    unheard: BTreeMap<SocketAddr, u32>,
}

/// What has changed of an overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OverlayChange {
    Servent(SocketAddr, Since),
    Linked(SocketAddr, SocketAddr, Since),
}

impl TopologyFollowed {
    /// What was found now. Where not all were heard, those who were not are taken to be where they were, for a while. Gives what
    /// has changed since the last time.
    pub(crate) fn note(&mut self, found: &DrawnOverlay, is_whole: bool) -> Vec<OverlayChange> {
        if is_whole {
            self.unheard.clear();
        }
        let (now, changes) = match self.found.back() {
            None => (found.clone(), found_first(found)),
            Some(before) => {
                let now = if is_whole { found.clone() } else { with_unheard(&mut self.unheard, found, before) };
                let changes = changes(&now.since(before));
                (now, changes)
            }
        };
        self.found.push_back(now);
        if self.found.len() > MARKS_STAY + 1 {
            self.found.pop_front();
        }
        changes
    }

    /// The overlay as it is, without marks.
    pub(crate) fn now(&self) -> Option<&DrawnOverlay> {
        self.found.back()
    }

    /// Whether anything of it is otherwise than the last time, be it a name.
    pub(crate) fn is_other(&self) -> bool {
        let before = self.found.len().checked_sub(2).and_then(|place| self.found.get(place));
        before != self.found.back()
    }

    /// The overlay, with what has changed lately marked, and that in words.
    pub(crate) fn marked(&self) -> Option<(DrawnOverlay, Vec<OverlayChange>)> {
        // The ways that led over what is gone stand as they did, and so does everything else.
        let marked = self.found.back()?.since(self.found.front()?).settled();
        let changes = changes(&marked);
        Some((marked, changes))
    }
}

fn with_unheard(unheard: &mut BTreeMap<SocketAddr, u32>, found: &DrawnOverlay, before: &DrawnOverlay) -> DrawnOverlay {
    let answered = |overlay: &DrawnOverlay| -> BTreeSet<SocketAddr> {
        overlay.servents().iter().filter(|servent| servent.has_answered).map(|servent| servent.address).collect()
    };
    let heard = answered(found);
    unheard.retain(|servent, _| !heard.contains(servent));
    for servent in answered(before).difference(&heard) {
        *unheard.entry(*servent).or_default() += 1;
    }
    let forgotten = unheard.iter().filter(|(_, times)| **times >= UNHEARD_MAX).map(|(servent, _)| *servent).collect();
    unheard.retain(|_, times| *times < UNHEARD_MAX);
    found.with_unheard(before, &forgotten)
}

fn changes(marked: &DrawnOverlay) -> Vec<OverlayChange> {
    let servents = marked.servents().iter().filter(|servent| servent.since != Since::Same);
    let servents = servents.map(|servent| OverlayChange::Servent(servent.address, servent.since));
    let links = marked.links().iter().filter(|link| link.since != Since::Same);
    servents.chain(links.filter_map(|link| of_link(marked, link, link.since))).collect()
}

/// All of it is new.
fn found_first(found: &DrawnOverlay) -> Vec<OverlayChange> {
    let servents = found.servents().iter().map(|servent| OverlayChange::Servent(servent.address, Since::New));
    servents.chain(found.links().iter().filter_map(|link| of_link(found, link, Since::New))).collect()
}

fn of_link(overlay: &DrawnOverlay, link: &DrawnLink, since: Since) -> Option<OverlayChange> {
    let address = |place: usize| overlay.servents().get(place).map(|servent| servent.address);
    Some(OverlayChange::Linked(address(link.one)?, address(link.other)?, since))
}

/// Answers to a key that is asked for again and again.
#[derive(Debug, Default)]
pub(crate) struct AnswersFollowed {
    /// What was answered before, and how often it was not heard since.
    before: BTreeMap<SocketAddr, (Vec<u8>, u32)>,
    /// What was answered now.
    heard: BTreeMap<SocketAddr, Event>,
    heard_bytes: usize,
    unkept: usize,
}

/// What has changed of the answers to a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AnswersChanged {
    /// By whom, and what the value was: there is none now, or another.
    pub(crate) gone: Vec<(SocketAddr, Vec<u8>)>,
    /// Answers that are new, or others than before.
    pub(crate) new: Vec<Event>,
    /// How many could not be kept, so that nothing is known of them.
    pub(crate) unkept: usize,
}

impl AnswersFollowed {
    /// An answer of now. Of two from one address the first holds.
    pub(crate) fn hear(&mut self, answer: Event) {
        let Event::Answer { from, body: AnswerBody::Value(value), .. } = &answer else { return };
        if self.heard.contains_key(from) {
            return;
        }
        let bytes = self.heard_bytes.saturating_add(value.len());
        if self.heard.len() >= ANSWERS_KEPT_MAX || bytes > ANSWERS_KEPT_BYTES_MAX {
            self.unkept += 1;
            return;
        }
        self.heard_bytes = bytes;
        self.heard.insert(*from, answer);
    }

    /// All has been heard that came. Where that was not all, those who were not heard are taken to answer as before, for a while.
    pub(crate) fn end(&mut self, is_whole: bool) -> AnswersChanged {
        let mut changed = AnswersChanged { unkept: std::mem::take(&mut self.unkept), ..AnswersChanged::default() };
        let mut bytes = std::mem::take(&mut self.heard_bytes);
        let mut before = std::mem::take(&mut self.before);
        for (from, answer) in std::mem::take(&mut self.heard) {
            let Event::Answer { body: AnswerBody::Value(value), .. } = &answer else { continue };
            let old = before.remove(&from).map(|(old, _)| old);
            self.before.insert(from, (value.clone(), 0));
            if old.as_ref() != Some(value) {
                changed.gone.extend(old.map(|old| (from, old)));
                changed.new.push(answer);
            }
        }
        for (from, (value, unheard)) in before {
            bytes = bytes.saturating_add(value.len());
            let has_room = self.before.len() < ANSWERS_KEPT_MAX && bytes <= ANSWERS_KEPT_BYTES_MAX;
            if is_whole || unheard + 1 >= UNHEARD_MAX || !has_room {
                changed.gone.push((from, value));
            } else {
                self.before.insert(from, (value, unheard + 1));
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::query::Via;

    use super::*;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn overlay(servents: &[u16], links: &[(u16, u16)]) -> DrawnOverlay {
        let servents: Vec<_> = servents.iter().map(|port| (at(*port), None)).collect();
        let links: Vec<_> = links.iter().map(|(one, other)| (at(*one), at(*other))).collect();
        DrawnOverlay::declared(at(1), &servents, &links)
    }

    #[test]
    fn what_has_changed_is_told_once_and_stays_marked_for_a_while() {
        let mut followed = TopologyFollowed::default();
        let pair = overlay(&[1, 2], &[(1, 2)]);
        let three = overlay(&[1, 3], &[(1, 3)]);
        let first = followed.note(&pair, true);
        assert_eq!(first.len(), 3);
        assert!(followed.is_other());
        assert_eq!(followed.marked().unwrap().1, []);
        assert_eq!(followed.note(&pair, true), []);
        assert!(!followed.is_other());
        let expected = [
            OverlayChange::Servent(at(2), Since::Gone),
            OverlayChange::Servent(at(3), Since::New),
            OverlayChange::Linked(at(1), at(2), Since::Gone),
            OverlayChange::Linked(at(1), at(3), Since::New),
        ];
        assert_eq!(followed.note(&three, true), expected);
        for _ in 1..MARKS_STAY {
            assert_eq!(followed.marked().unwrap().1, expected);
            assert_eq!(followed.note(&three, true), []);
        }
        // Whatever else comes and goes meanwhile.
        assert_eq!(followed.note(&overlay(&[1, 3, 4], &[(1, 3), (3, 4)]), true).len(), 2);
        assert_eq!(followed.marked().unwrap().1.len(), 2);
        let named = DrawnOverlay::declared(at(1), &[(at(1), Some("kitchen".to_owned()))], &[]);
        followed.note(&overlay(&[1], &[]), true);
        assert_eq!(followed.note(&named, true), []);
        assert!(followed.is_other(), "it has another name");
    }

    #[test]
    fn where_not_all_were_heard_nobody_is_gone_for_a_while() {
        let mut followed = TopologyFollowed::default();
        followed.note(&overlay(&[1, 2], &[(1, 2)]), true);
        for _ in 1..UNHEARD_MAX {
            assert_eq!(
                followed.note(&overlay(&[1, 3], &[(1, 3)]), false).len(),
                if followed.found.len() == 2 { 3 } else { 0 }
            );
            assert!(followed.now().unwrap().servents().iter().any(|servent| servent.address == at(2)));
        }
        assert_eq!(
            followed.note(&overlay(&[1, 3], &[(1, 3)]), false),
            [OverlayChange::Servent(at(2), Since::Gone)],
            "servent 1 has been heard, and names no link with it"
        );
        assert!(followed.unheard.is_empty());

        let mut followed = AnswersFollowed::default();
        let mut ask = |values: &[(u16, &str)], is_whole| {
            values.iter().for_each(|(port, value)| followed.hear(answer(*port, value.as_bytes())));
            followed.end(is_whole)
        };
        assert_eq!(ask(&[(1, "green")], true).new.len(), 1);
        assert_eq!(ask(&[], false), AnswersChanged::default());
        assert_eq!(ask(&[(1, "green"), (1, "of somebody else")], true), AnswersChanged::default());
        let black = ask(&[(1, "black")], true);
        assert_eq!((black.gone, black.new), (vec![(at(1), b"green".to_vec())], vec![answer(1, b"black")]));
        for _ in 1..UNHEARD_MAX {
            assert_eq!(ask(&[], false), AnswersChanged::default());
        }
        assert_eq!(ask(&[], false).gone, [(at(1), b"black".to_vec())]);
        ask(&[(1, "black")], true);
        assert_eq!(ask(&[], true).gone, [(at(1), b"black".to_vec())]);
    }

    #[test]
    fn so_many_answers_and_bytes_of_them_are_kept() {
        let mut followed = AnswersFollowed::default();
        let most = u16::try_from(ANSWERS_KEPT_MAX).unwrap();
        (0..most + 2).for_each(|port| followed.hear(answer(port, b"")));
        let changed = followed.end(true);
        assert_eq!((changed.new.len(), changed.unkept), (ANSWERS_KEPT_MAX, 2));
        // Nor are more remembered of those who were not heard.
        followed.hear(answer(most, b""));
        assert_eq!(followed.end(false).gone.len(), 1);
        let mut followed = AnswersFollowed::default();
        followed.hear(answer(1, &vec![0; ANSWERS_KEPT_BYTES_MAX]));
        followed.hear(answer(2, b"x"));
        assert_eq!(followed.end(true).unkept, 1);
        followed.hear(answer(2, b"x"));
        let changed = followed.end(false);
        assert_eq!((changed.new.len(), changed.gone.len()), (1, 1));
    }

    fn answer(port: u16, value: &[u8]) -> Event {
        let body = AnswerBody::Value(value.to_vec());
        Event::Answer { from: at(port), name: None, hops: None, via: Via::Direct, body, elapsed: Duration::ZERO }
    }
}
