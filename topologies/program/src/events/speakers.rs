//! Whether whoever was heard at an address is the one whose log is here: another may have gone by it before or after, and
//! have kept none.
//!
//! No line says which servent is at the other end of a link, so it is told by what that one heard in turn: where its log says
//! that it heard something that was said since the link began, it is the one. What was heard over a link before that waits,
//! and what nothing is known of in the end is not judged. Whether something was said is the judge's to see.

use std::collections::BTreeMap;

use super::files::LinePlace;
use super::judge::Saying;

/// Of links that are gone, so many of one servent with one address are kept for what was heard there and nobody said.
const GONE_LINKS_MAX: usize = 64;

/// A servent, by its number and its id, and the number of the address it hears somebody at.
pub(super) type HeardPair = (usize, u64, usize);

/// Something that was heard, and that no log that is here says was said.
#[derive(Clone, Debug)]
pub(super) struct UnsaidLine {
    pub(super) place: LinePlace,
    pub(super) clock: u64,
    pub(super) message: String,
    pub(super) stamp: u64,
    /// How far the log of whoever should have said it had come.
    pub(super) come_to: Option<LinePlace>,
}

/// The time from when somebody is linked with an address until it is linked anew.
#[derive(Debug, Default)]
struct LinkedTime {
    /// The clock of the one who hears, when it began.
    since: u64,
    until: Option<u64>,
    is_linked: bool,
    /// Whose log is that of the one who is heard, by id.
    speaker: Option<u64>,
    /// Whose it was the last time that this was known.
    speaker_before: Option<u64>,
    unsaid: Vec<UnsaidLine>,
    /// What was heard and taken for said by the one whose log is here.
    presumed: Vec<Saying>,
}

impl LinkedTime {
    fn contains(&self, clock: u64) -> bool {
        self.since <= clock && self.until.is_none_or(|until| clock < until)
    }
}

#[derive(Debug, Default)]
struct HeardAddress {
    /// How many links with it there are.
    links_count: usize,
    now: LinkedTime,
    gone: Vec<LinkedTime>,
}

/// Who is heard by whom.
#[derive(Debug, Default)]
pub(super) struct Speakers {
    heard: BTreeMap<HeardPair, HeardAddress>,
    /// What was presumed to be said by somebody, and when it was heard.
    presumed: BTreeMap<Saying, (HeardPair, u64)>,
    waiting_count: usize,
    /// What was heard and will not be known any more.
    unknown_count: u64,
}

impl Speakers {
    /// It is linked with that address.
    pub(super) fn on_linked(&mut self, hearing: HeardPair, clock: u64) {
        let heard = self.heard.entry(hearing).or_default();
        heard.links_count += 1;
        let unknown_count = heard.begin(clock, true);
        self.forget(unknown_count);
    }

    /// A link with it is gone.
    pub(super) fn on_unlinked(&mut self, hearing: HeardPair, clock: u64) {
        let heard = self.heard.entry(hearing).or_default();
        heard.links_count = heard.links_count.saturating_sub(1);
        if heard.links_count == 0 {
            let unknown_count = heard.begin(clock, false);
            self.forget(unknown_count);
        }
    }

    /// Lines of this servent are missing here, maybe of links as well.
    pub(super) fn on_gap(&mut self, servent: usize, id: u64, clock: u64) {
        let mut unknown_count = 0;
        for (_, heard) in self.heard.range_mut((servent, id, 0)..=(servent, id, usize::MAX)) {
            heard.links_count = 0;
            unknown_count += heard.begin(clock, true);
        }
        self.forget(unknown_count);
    }

    /// What it heard was said by the one whose log is here, or by another in the same words.
    pub(super) fn on_heard(&mut self, hearing: HeardPair, clock: u64, saying: Saying, presumed_max: usize) {
        let now = self.now(hearing, clock);
        let (since, is_known) = (now.since, now.speaker.is_some());
        let heard = (hearing, since);
        if !is_known && self.presumed.len() < presumed_max && self.presumed.insert(saying, heard) != Some(heard) {
            self.now(hearing, clock).presumed.push(saying);
        }
    }

    /// Whether something that was heard is what another was presumed to have said, and which is taken back.
    pub(super) fn takes_back(&mut self, hearing: HeardPair, clock: u64, saying: Saying) -> bool {
        let since = self.now(hearing, clock).since;
        let is_other = self.presumed.get(&saying).is_some_and(|presumed| *presumed != (hearing, since));
        is_other && self.presumed.remove(&saying).is_some()
    }

    /// What it heard is said in no log. It is given back where it is known whose log should say it, and waits elsewhere.
    pub(super) fn on_unsaid(&mut self, hearing: HeardPair, line: UnsaidLine, waiting_max: usize) -> Option<UnsaidLine> {
        let waiting_count = self.waiting_count;
        let now = self.now(hearing, line.clock);
        if now.speaker.is_some() {
            return Some(line);
        }
        if waiting_count < waiting_max {
            now.unsaid.push(line);
            self.waiting_count += 1;
        } else {
            self.unknown_count += 1;
        }
        None
    }

    /// The log of who is heard at that address, under this id, says that it heard what was said to it at this clock. What was
    /// heard from it, and no log says was said.
    pub(super) fn on_answered(&mut self, hearing: HeardPair, clock: u64, speaker: u64) -> Vec<UnsaidLine> {
        let Some(heard) = self.heard.get_mut(&hearing) else { return Vec::new() };
        let mut unsaid = Vec::new();
        for time in heard.gone.iter_mut().chain([&mut heard.now]) {
            if time.is_linked && time.contains(clock) {
                time.speaker = Some(speaker);
                unsaid.append(&mut time.unsaid);
                for saying in std::mem::take(&mut time.presumed) {
                    if self.presumed.get(&saying) == Some(&(hearing, time.since)) {
                        self.presumed.remove(&saying);
                    }
                }
            } else if time.speaker_before == Some(speaker) {
                // It was there before, and is there still: nobody else was meanwhile.
                unsaid.extend(time.unsaid.extract_if(.., |line| line.clock < clock));
            }
        }
        heard.gone.retain(|time| !time.unsaid.is_empty());
        self.waiting_count -= unsaid.len();
        unsaid
    }

    /// How many messages were heard of which it is not known whose log should say that they were said.
    pub(super) fn unknown_count(&self) -> u64 {
        self.unknown_count + self.waiting_count as u64
    }

    /// What is known of who is heard there now. Where no line tells of a link, it began before the log.
    fn now(&mut self, hearing: HeardPair, clock: u64) -> &mut LinkedTime {
        let heard = self.heard.entry(hearing);
        let begin = || HeardAddress {
            now: LinkedTime { since: clock, is_linked: true, ..LinkedTime::default() },
            ..HeardAddress::default()
        };
        &mut heard.or_insert_with(begin).now
    }

    fn forget(&mut self, count: usize) {
        self.waiting_count -= count;
        self.unknown_count += count as u64;
    }
}

impl HeardAddress {
    /// Another may be heard from now on. How many messages of an earlier one are forgotten for it.
    fn begin(&mut self, clock: u64, is_linked: bool) -> usize {
        let speaker_before = self.now.speaker.or(self.now.speaker_before);
        let next = LinkedTime { since: clock, is_linked, speaker_before, ..LinkedTime::default() };
        let mut before = std::mem::replace(&mut self.now, next);
        before.until = Some(clock);
        if before.unsaid.is_empty() {
            return 0;
        }
        self.gone.push(before);
        if self.gone.len() > GONE_LINKS_MAX { self.gone.remove(0).unsaid.len() } else { 0 }
    }
}
