//! Whether an order of all that happened can be true: nothing is heard before it was said, and nothing that nobody said.
//!
//! It is told all lines in that order. What a servent said is kept until it was heard, so it holds what is on its way, what
//! was lost and what nobody here could hear, which has a limit. What the logs themselves lack is known to the survey, and
//! judged of that is nothing.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use common::limits::STAMP_STEP_MAX;
use common::text::Escaped;

use super::differences::{DIFFERENCES_TOLD_MAX, Differences};
use super::files::{LinePlace, NamedLog};
use super::line::{EventLine, Happened};
use super::speakers::{Speakers, UnsaidLine};
use super::survey::Survey;

/// So much that was said and not heard is kept. Where there is more it is forgotten, and what is heard of it later is not
/// judged.
pub const SAID_MAX: usize = 1 << 20;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What cannot be true.
    pub differences: Differences,
    /// Lines there are.
    pub lines: u64,
    /// Servents whose logs they are.
    pub servents: usize,
    /// Messages they heard from each other, with a stamp, that were held against what was said.
    pub judged: u64,
    /// Those of which that could not be done.
    pub unjudged: u64,
    /// Logs whose last line has no end: it is about to be written, or was when its servent was killed.
    pub broken_off: u64,
}

/// Something that was heard, as it is told.
#[derive(Clone, Copy)]
struct HeardLine<'a> {
    from: usize,
    to: usize,
    /// Which servent heard it, and its clock then.
    id: u64,
    clock: u64,
    peer: SocketAddr,
    message: &'a str,
    stamp: u64,
}

/// Something that was said: by whom, to whom, the hash of its name, and the clock it was said with.
pub(super) type Saying = (usize, usize, u64, u64);

/// What was said, as it is found by who hears it.
#[derive(Clone, Copy)]
struct SaidLine {
    place: LinePlace,
    /// Which servent said it; nothing where it may be one of several, one after the other.
    id: Option<u64>,
}

/// Whoever is said something at an address of which no log is here. It may be one of those whose logs are here all the same:
/// whoever greets, or has not said who it is, goes by the port it connected from.
const SOMEBODY: usize = usize::MAX;

/// The first words, said before anybody has a name.
const HELLO: &str = "hello";

pub(super) struct Judge<'a, Source> {
    logs: &'a [NamedLog<Source>],
    survey: &'a Survey,
    said_max: usize,
    /// What was said and by which of those that go by the address, how often, and where that stands.
    said: BTreeMap<(Saying, u64), (u32, LinePlace)>,
    /// All that was said up to this clock and not heard was forgotten.
    forgotten_to: Option<u64>,
    speakers: Speakers,
    /// What was heard too early, until it is said.
    early: BTreeMap<Saying, Vec<(LinePlace, String)>>,
    early_count: usize,
    /// How far the log of each servent has come.
    latest: Vec<Option<LinePlace>>,
    differences: Differences,
    judged: u64,
    unjudged: u64,
}

impl<'a, Source> Judge<'a, Source> {
    pub(super) fn new(logs: &'a [NamedLog<Source>], survey: &'a Survey, said_max: usize) -> Judge<'a, Source> {
        Judge {
            logs,
            survey,
            said_max,
            said: BTreeMap::new(),
            forgotten_to: None,
            speakers: Speakers::default(),
            early: BTreeMap::new(),
            early_count: 0,
            latest: vec![None; survey.addresses().len()],
            differences: survey.differences.clone(),
            judged: 0,
            unjudged: 0,
        }
    }

    /// The next line in the order.
    pub(super) fn on_line(&mut self, place: LinePlace, event: &EventLine) {
        let Some(servent) = self.survey.servent(event.servent) else { return };
        let (id, clock) = (event.id, event.clock);
        match &event.happened {
            Happened::Sent { peer, message } => self.on_said(place, event, servent, *peer, message),
            Happened::Received { peer, message, stamp } => {
                // 0 is of who has no clock, or of first words.
                if let Some(from) = self.survey.servent(*peer).filter(|_| *stamp > 0) {
                    self.on_heard(
                        place,
                        &HeardLine { from, to: servent, id, clock, peer: *peer, message, stamp: *stamp },
                    );
                }
            }
            Happened::Linked { peer } => {
                if let Some(peer) = self.survey.servent(*peer) {
                    self.speakers.on_linked((servent, id, peer), clock);
                }
            }
            Happened::Unlinked { peer, .. } => {
                if let Some(peer) = self.survey.servent(*peer) {
                    self.speakers.on_unlinked((servent, id, peer), clock);
                }
            }
            Happened::Dropped { .. } => self.speakers.on_gap(servent, id, clock),
            Happened::Started
            | Happened::Member { .. }
            | Happened::Asked { .. }
            | Happened::Operation { .. }
            | Happened::Stopped { .. } => {}
        }
        if let Some(latest) = self.latest.get_mut(servent) {
            *latest = Some(place);
        }
    }

    fn on_said(&mut self, place: LinePlace, event: &EventLine, servent: usize, peer: SocketAddr, message: &str) {
        if message == HELLO {
            return;
        }
        let to = self.survey.servent(peer).unwrap_or(SOMEBODY);
        let saying = (servent, to, hash_of(message), event.clock);
        if let Some((heard, _)) = self.early.get_mut(&saying).and_then(Vec::pop) {
            self.early_count -= 1;
            return self.add_early(heard, message, event.servent, event.clock, Some(place));
        }
        if self.said.len() >= self.said_max {
            self.said.clear();
            self.forgotten_to = Some(event.clock);
        }
        self.said.entry((saying, event.id)).or_insert((0, place)).0 += 1;
    }

    fn on_heard(&mut self, place: LinePlace, heard: &HeardLine<'_>) {
        let HeardLine { from, to, id, clock, peer, message, stamp } = *heard;
        let (saying, hearing) = ((from, to, hash_of(message), stamp), (to, id, from));
        let said_to_it = self.take_said(saying);
        let said = said_to_it.or_else(|| self.take_said((from, SOMEBODY, saying.2, stamp)));
        // A stamp that no honest servent comes to moves the clocks of some further than those of others.
        let is_followed = stamp <= STAMP_STEP_MAX;
        if !is_followed || self.survey.lacks(from, stamp) || self.survey.lacks(to, clock) {
            self.unjudged += 1;
        } else if clock <= stamp {
            self.judged += 1;
            if said.is_some() || self.early_count == DIFFERENCES_TOLD_MAX {
                self.add_early(place, message, peer, stamp, said.map(|said| said.place));
            } else {
                // It may be said later on in this order.
                self.early_count += 1;
                self.early.entry(saying).or_default().push((place, message.to_owned()));
            }
        } else if said.is_some() {
            self.judged += 1;
            self.speakers.on_heard(hearing, clock, saying, self.said_max);
        } else if message == HELLO {
            // Said before anybody is known.
        } else if self.speakers.takes_back(hearing, clock, saying) {
            // This one was said, and what was heard elsewhere in the same words was said by nobody knows whom.
            self.unjudged += 1;
        } else if self.would_be_there(from, stamp) {
            let come_to = self.latest.get(from).copied().flatten();
            let line = UnsaidLine { place, clock, message: message.to_owned(), stamp, come_to };
            if let Some(line) = self.speakers.on_unsaid(hearing, line, self.said_max) {
                self.add_unsaid(&line, peer);
            }
        } else {
            self.unjudged += 1;
        }
        if let Some(sayer) = said_to_it.and_then(|said| said.id) {
            // So it is this one whom that servent is linked with at its address.
            for line in self.speakers.on_answered((from, sayer, to), stamp, id) {
                if let Some(address) = self.survey.addresses().get(to) {
                    self.add_unsaid(&line, *address);
                }
            }
        }
    }

    /// Whether, if the servent whose log is here said something at this clock, its line is there and was not forgotten.
    fn would_be_there(&self, servent: usize, clock: u64) -> bool {
        !self.survey.is_cut_at(servent, clock) && self.forgotten_to.is_none_or(|forgotten| clock > forgotten)
    }

    fn add_unsaid(&mut self, line: &UnsaidLine, peer: SocketAddr) {
        self.judged += 1;
        self.differences.add(|| {
            let UnsaidLine { place, message, stamp, come_to, .. } = line;
            let (place, message) = (place.told(self.logs), Escaped::new(message.as_bytes()));
            let log = come_to.map_or_else(String::new, |log| format!(" (it has come to {})", log.told(self.logs)));
            format!("{place}: heard {message} from {peer} (stamp {stamp}), whose log does not say it was said{log}")
        });
    }

    fn add_early(&mut self, heard: LinePlace, message: &str, peer: SocketAddr, stamp: u64, said: Option<LinePlace>) {
        self.differences.add(|| {
            let heard = heard.told(self.logs);
            let message = Escaped::new(message.as_bytes());
            let said = said.map_or_else(String::new, |said| format!(" ({})", said.told(self.logs)));
            format!("{heard}: heard {message} from {peer} (stamp {stamp}) before it was said{said}")
        });
    }

    /// What was said is heard, once for each time.
    fn take_said(&mut self, saying: Saying) -> Option<SaidLine> {
        let mut all = self.said.range_mut((saying, 0)..=(saying, u64::MAX));
        let (key, (count, place)) = all.next()?;
        let (key, place, is_alone) = (*key, *place, all.next().is_none());
        *count -= 1;
        if *count == 0 {
            self.said.remove(&key);
        }
        Some(SaidLine { place, id: is_alone.then_some(key.1) })
    }

    /// There are no more lines.
    pub(super) fn finish(mut self) -> Verdict {
        let survey = self.survey;
        let servents = survey.addresses();
        // What was heard too early and is said in no log.
        for ((from, _, _, stamp), heard) in std::mem::take(&mut self.early) {
            let Some(peer) = servents.get(from) else { continue };
            for (place, message) in heard {
                self.add_early(place, &message, *peer, stamp, None);
            }
        }
        let unjudged = self.unjudged + self.speakers.unknown_count();
        let Judge { differences, judged, .. } = self;
        let (lines, broken_off) = (survey.lines, survey.broken_off);
        Verdict { differences, lines, servents: servents.len(), judged, unjudged, broken_off }
    }
}

/// A name stands for itself by its hash: there are few, and whoever makes up many fills nothing.
fn hash_of(message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}
