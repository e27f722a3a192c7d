//! Whether an order of all that happened can be true: nothing is heard before it was said, and nothing that nobody said.
//!
//! It is told all lines in that order. What a servent said is kept until it was heard, so it holds what is on its way, what
//! was lost and what nobody here could hear, which has a limit. What the logs themselves lack is known to the survey, and
//! judged of that is nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;

use common::limits::STAMP_STEP_MAX;
use common::text::Escaped;

use super::differences::{DIFFERENCES_TOLD_MAX, Differences};
use super::files::{LinePlace, NamedLog};
use super::line::{EventLine, Happened};
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
}

/// Something that was heard, as it is told.
#[derive(Clone, Copy)]
struct HeardLine<'a> {
    from: usize,
    to: usize,
    peer: SocketAddr,
    message: &'a str,
    stamp: u64,
}

/// Something that was said: by whom, to whom, the hash of its name, and the clock it was said with.
type Saying = (usize, usize, u64, u64);

/// Whoever is said something at an address of which no log is here. It may be one of those whose logs are here all the same:
/// whoever greets, or has not said who it is, goes by the port it connected from.
const SOMEBODY: usize = usize::MAX;

/// The first words, said before anybody has a name.
const HELLO: &str = "hello";

pub(super) struct Judge<'a, Source> {
    logs: &'a [NamedLog<Source>],
    survey: &'a Survey,
    said_max: usize,
    /// What was said, how often, and where that stands.
    said: BTreeMap<Saying, (u32, LinePlace)>,
    /// All that was said up to this clock and not heard was forgotten.
    forgotten_to: Option<u64>,
    /// Who calls whom by the address that is in its log.
    named: BTreeSet<(usize, usize)>,
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
            named: BTreeSet::new(),
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
        match &event.happened {
            Happened::Sent { peer, message } => self.on_said(place, event, servent, *peer, message),
            Happened::Received { peer, message, stamp } => {
                self.name(servent, *peer, message);
                // 0 is of who has no clock, or of first words.
                if let Some(from) = self.survey.servent(*peer).filter(|_| *stamp > 0) {
                    let heard = HeardLine { from, to: servent, peer: *peer, message, stamp: *stamp };
                    self.on_heard(place, event.clock, &heard);
                }
            }
            Happened::Linked { peer } => self.name(servent, *peer, ""),
            _ => {}
        }
        if let Some(latest) = self.latest.get_mut(servent) {
            *latest = Some(place);
        }
    }

    /// A servent calls another by this address, and will as long as it is linked with it.
    fn name(&mut self, servent: usize, peer: SocketAddr, message: &str) {
        if message != HELLO
            && let Some(peer) = self.survey.servent(peer)
        {
            self.named.insert((servent, peer));
        }
    }

    fn on_said(&mut self, place: LinePlace, event: &EventLine, servent: usize, peer: SocketAddr, message: &str) {
        self.name(servent, peer, message);
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
        self.said.entry(saying).or_insert((0, place)).0 += 1;
    }

    fn on_heard(&mut self, place: LinePlace, clock: u64, heard: &HeardLine<'_>) {
        let HeardLine { from, to, peer, message, stamp } = *heard;
        let saying = (from, to, hash_of(message), stamp);
        let said = self.take_said(saying).or_else(|| self.take_said((from, SOMEBODY, saying.2, stamp)));
        // A stamp that no honest servent comes to moves the clocks of some further than those of others.
        let is_followed = stamp <= STAMP_STEP_MAX;
        if !is_followed || self.survey.lacks(from, stamp) || self.survey.lacks(to, clock) {
            self.unjudged += 1;
        } else if clock <= stamp {
            self.judged += 1;
            if said.is_some() || self.early_count == DIFFERENCES_TOLD_MAX {
                self.add_early(place, message, peer, stamp, said);
            } else {
                // It may be said later on in this order.
                self.early_count += 1;
                self.early.entry(saying).or_default().push((place, message.to_owned()));
            }
        } else if said.is_some() {
            self.judged += 1;
        } else if self.would_be_there(heard) {
            self.judged += 1;
            let log = self.latest.get(from).copied().flatten();
            self.differences.add(|| {
                let place = place.told(self.logs);
                let message = Escaped::new(message.as_bytes());
                let log = log.map_or_else(String::new, |log| format!(" (it has come to {})", log.told(self.logs)));
                format!("{place}: heard {message} from {peer} (stamp {stamp}), whose log does not say it was said{log}")
            });
        } else if message != HELLO {
            self.unjudged += 1;
        }
    }

    /// Whether, if this was said, its line is there and was not forgotten.
    fn would_be_there(&self, heard: &HeardLine<'_>) -> bool {
        let HeardLine { from, to, message, stamp, .. } = *heard;
        self.named.contains(&(from, to))
            && !self.survey.is_cut_at(from, stamp)
            && self.forgotten_to.is_none_or(|forgotten| stamp > forgotten)
            && message != HELLO
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
    fn take_said(&mut self, saying: Saying) -> Option<LinePlace> {
        let (count, place) = self.said.get_mut(&saying)?;
        let place = *place;
        *count -= 1;
        if *count == 0 {
            self.said.remove(&saying);
        }
        Some(place)
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
        let Judge { differences, judged, unjudged, .. } = self;
        Verdict { differences, lines: survey.lines, servents: servents.len(), judged, unjudged }
    }
}

/// A name stands for itself by its hash: there are few, and whoever makes up many fills nothing.
fn hash_of(message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}
