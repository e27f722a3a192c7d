//! How far everybody knows who is there, looked at while a run goes on; and what it costs, where that is what a run is about.
//!
//! What must be known is for the witness to say. When to look is `world`'s.

use std::time::Duration;

use super::clock::{Nanos, SECOND, nanos};
use super::scenery::SceneFace;
use super::shell::Shell;
use crate::outcome::MembersOutcome;

/// How long it is seen what servents write, before anything goes wrong: three pages of each.
pub(super) const IDLE: Nanos = 30 * SECOND;

/// What is wrong of what somebody says of somebody is told of so many.
const TOLD_MAX: usize = 5;

const SECONDS_PER_HOUR: f64 = 3_600.0;

/// What a run has shown of it so far.
#[derive(Default)]
pub(super) struct MembersWatch {
    /// The pair of which the one was wrong about the other, by its place among all: it is the first to be looked at next.
    wrong_at: usize,
    /// When it began, and what each servent had written and all had dialled by then.
    begun: Nanos,
    written: Vec<u64>,
    dials: u64,
    /// What a servent writes in a second while nothing happens, once that is known.
    bytes_s: Option<f64>,
    healed: Option<Nanos>,
}

impl MembersWatch {
    /// What is wrong of what anybody says of anybody, if anything is.
    pub(super) fn wrong_word(&mut self, shell: &Shell<SceneFace<'_>>) -> Option<String> {
        let words = shell.face.witness.words()?;
        let count = shell.face.scene.graph.servents();
        let pairs_count = count * count;
        (0..pairs_count).find_map(|step| {
            let place = (self.wrong_at + step) % pairs_count;
            let (one, other) = (place / count, place % count);
            let said = shell.overlay(one)?.word_of(shell.network.address(other));
            let wrong = words.wrong((one, other), said)?;
            self.wrong_at = place;
            Some(wrong)
        })
    }

    /// Everybody knows everybody.
    pub(super) fn begin(&mut self, shell: &Shell<SceneFace<'_>>) {
        let machines = 0..shell.face.scene.graph.servents();
        self.begun = shell.now();
        self.written = machines.map(|servent| shell.network.machines[servent].written_bytes).collect();
        self.dials = shell.face.dials;
    }

    /// Nothing has happened yet.
    pub(super) fn look_at_idle(&mut self, shell: &Shell<SceneFace<'_>>) {
        let seconds = (shell.now() - self.begun) as f64 / SECOND as f64;
        let scene = shell.face.scene;
        let is_usual = |servent: usize| scene.graph.neighbors(servent).len() == scene.plan.degree;
        let usual: Vec<u64> = (0..)
            .zip(&self.written)
            .filter(|(servent, _)| is_usual(*servent))
            .map(|(servent, before)| shell.network.machines[servent].written_bytes - before)
            .collect();
        if seconds > 0.0 {
            self.bytes_s = Some(usual.iter().sum::<u64>() as f64 / usual.len().max(1) as f64 / seconds);
        }
    }

    /// Nothing goes wrong any more, for so long by now.
    pub(super) fn look_at_words(&mut self, shell: &Shell<SceneFace<'_>>, well_for: Nanos) {
        if self.healed.is_none() && self.wrong_word(shell).is_none() {
            self.healed = Some(well_for);
        }
    }

    /// What it came to, and some of what is wrong.
    pub(super) fn end(&mut self, shell: &Shell<SceneFace<'_>>) -> (MembersOutcome, Vec<String>) {
        let Some(words) = shell.face.witness.words() else { return Default::default() };
        // Where nothing went wrong all of it was idle, what is said only now and then too.
        if shell.face.scene.faults.is_empty() {
            self.look_at_idle(shell);
        }
        let count = shell.face.scene.graph.servents();
        let pairs = (0..count).flat_map(|one| (0..count).map(move |other| (one, other)));
        let mut wrong: Vec<String> = Vec::new();
        let mut wrong_count = 0;
        for (one, other) in pairs {
            let Some(overlay) = shell.overlay(one) else { continue };
            if let Some(text) = words.wrong((one, other), overlay.word_of(shell.network.address(other))) {
                wrong_count += 1;
                if wrong.len() < TOLD_MAX && words.is_demanded((one, other)) {
                    wrong.push(text);
                }
            }
        }
        let hours = Duration::from_nanos(shell.now() - self.begun).as_secs_f64() / SECONDS_PER_HOUR;
        let outcome = MembersOutcome {
            wrong_words: wrong_count,
            healed_s: self.healed.map(|healed| healed as f64 / SECOND as f64),
            bytes_s: self.bytes_s.unwrap_or_default(),
            dials_per_servent: (shell.face.dials - self.dials) as f64 / count.max(1) as f64,
            servent_hours: words.living_count() as f64 * hours,
            greetings: shell.face.witness.greeting_counts(),
            ..words.figures(shell.now())
        };
        (outcome, wrong)
    }
}

/// The longest a run may take that is watched for so long after all of this.
pub(super) fn run_max(usual: Nanos, faults_end: Nanos, watch: Option<Duration>) -> Nanos {
    watch.map_or(usual, |watch| usual + faults_end + nanos(watch))
}
