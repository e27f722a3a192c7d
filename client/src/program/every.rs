//! What changes from one asking to the next: of the topology, and of the answers to a key.
//!
//! It compares and remembers; when it is asked and how a change is shown is known to others.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use drawing::{DrawnLink, DrawnOverlay, Since};

/// So many askings without a change a mark stays.
const MARKS_STAY: u32 = 5;
/// Answers that are remembered from one asking to the next.
pub(crate) const ANSWERS_KEPT_MAX: usize = 16_384;
/// And so many bytes of their values.
pub(crate) const ANSWERS_KEPT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The topology as it is asked for again and again.
#[derive(Debug, Default)]
pub(crate) struct TopologyFollowed {
    /// What marks are beside.
    base: Option<DrawnOverlay>,
    now: Option<DrawnOverlay>,
    unchanged: u32,
}

/// What has changed of an overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum OverlayChange {
    Servent(SocketAddr, Since),
    Linked(SocketAddr, SocketAddr, Since),
}

impl TopologyFollowed {
    /// What was found now. Where not all were heard, those who were not are taken to be where they were. Gives what has changed
    /// since the last time.
    pub(crate) fn note(&mut self, found: &DrawnOverlay, is_whole: bool) -> Vec<OverlayChange> {
        let found = match &self.now {
            Some(before) if !is_whole => found.with_all_of(before),
            _ => found.clone(),
        };
        let changes = match &self.now {
            Some(before) => changes(&found.since(before)),
            None => found_first(&found),
        };
        self.unchanged = if changes.is_empty() { self.unchanged.saturating_add(1) } else { 0 };
        if self.base.is_none() || self.unchanged >= MARKS_STAY {
            self.base = Some(found.clone());
        }
        self.now = Some(found);
        changes
    }

    /// The overlay as it is, without marks.
    pub(crate) fn now(&self) -> Option<&DrawnOverlay> {
        self.now.as_ref()
    }

    /// The overlay, with what has changed lately marked, and that in words.
    pub(crate) fn marked(&self) -> Option<(DrawnOverlay, Vec<OverlayChange>)> {
        // The ways that led over what is gone stand as they did, and so does everything else.
        let marked = self.now.as_ref()?.since(self.base.as_ref()?).settled();
        let changes = changes(&marked);
        Some((marked, changes))
    }
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
    before: BTreeMap<SocketAddr, Vec<u8>>,
}

/// What has changed of the answers to a key.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AnswersChanged {
    /// By whom, and what the value was: there is none now, or another.
    pub(crate) gone: Vec<(SocketAddr, Vec<u8>)>,
    /// Whose value is new, or another.
    pub(crate) new: Vec<SocketAddr>,
    /// Of how many it is not remembered what they answered, so that they are told as new each time.
    pub(crate) forgotten: usize,
}

impl AnswersFollowed {
    /// What was answered now. Where not all were heard, those who were not are taken to answer as before.
    pub(crate) fn note(&mut self, answers: BTreeMap<SocketAddr, Vec<u8>>, is_whole: bool) -> AnswersChanged {
        let mut changed = AnswersChanged::default();
        let mut before = std::mem::take(&mut self.before);
        let mut bytes = 0;
        for (from, value) in answers {
            match before.remove(&from) {
                Some(old) if old == value => {}
                Some(old) => {
                    changed.gone.push((from, old));
                    changed.new.push(from);
                }
                None => changed.new.push(from),
            }
            bytes += value.len();
            if self.before.len() < ANSWERS_KEPT_MAX && bytes <= ANSWERS_KEPT_BYTES_MAX {
                self.before.insert(from, value);
            } else {
                changed.forgotten += 1;
            }
        }
        if is_whole {
            changed.gone.extend(before);
        } else {
            for (from, value) in before {
                if self.before.len() < ANSWERS_KEPT_MAX {
                    self.before.insert(from, value);
                }
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(followed.marked().unwrap().1, []);
        assert_eq!(followed.note(&pair, true), []);
        let expected = [
            OverlayChange::Servent(at(2), Since::Gone),
            OverlayChange::Servent(at(3), Since::New),
            OverlayChange::Linked(at(1), at(2), Since::Gone),
            OverlayChange::Linked(at(1), at(3), Since::New),
        ];
        assert_eq!(followed.note(&three, true), expected);
        for _ in 1..MARKS_STAY {
            assert_eq!(followed.note(&three, true), []);
            assert_eq!(followed.marked().unwrap().1, expected);
        }
        followed.note(&three, true);
        assert_eq!(followed.marked().unwrap(), (three.settled(), Vec::new()));
    }

    #[test]
    fn where_not_all_were_heard_nobody_is_gone() {
        let mut followed = TopologyFollowed::default();
        followed.note(&overlay(&[1, 2], &[(1, 2)]), true);
        assert_eq!(followed.note(&overlay(&[1], &[]), false), []);
        assert_eq!(followed.note(&overlay(&[1, 3], &[(1, 3)]), false).len(), 2);
        assert_eq!(followed.now().unwrap().servents().len(), 3);
        assert_eq!(followed.note(&overlay(&[1, 3], &[(1, 3)]), true).len(), 2);

        let mut followed = AnswersFollowed::default();
        let green = || BTreeMap::from([(at(1), b"green".to_vec())]);
        assert_eq!(followed.note(green(), true).new, [at(1)]);
        assert_eq!(followed.note(BTreeMap::new(), false), AnswersChanged::default());
        assert_eq!(followed.note(green(), true), AnswersChanged::default());
        let black = followed.note(BTreeMap::from([(at(1), b"black".to_vec())]), true);
        assert_eq!((black.gone, black.new), (vec![(at(1), b"green".to_vec())], vec![at(1)]));
        assert_eq!(followed.note(BTreeMap::new(), true).gone, [(at(1), b"black".to_vec())]);
    }

    #[test]
    fn what_is_not_remembered_is_counted() {
        let mut followed = AnswersFollowed::default();
        let most = u16::try_from(ANSWERS_KEPT_MAX).unwrap();
        let all: BTreeMap<_, _> = (0..most + 2).map(|port| (at(port), Vec::new())).collect();
        assert_eq!(followed.note(all.clone(), true).forgotten, 2);
        let again = followed.note(all, true);
        assert_eq!((again.new.len(), again.forgotten), (2, 2));
        let long = BTreeMap::from([(at(1), vec![0; ANSWERS_KEPT_BYTES_MAX]), (at(2), vec![0])]);
        assert_eq!(AnswersFollowed::default().note(long, true).forgotten, 1);
    }
}
