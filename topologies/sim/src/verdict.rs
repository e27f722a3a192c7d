//! Whether a query on a healthy overlay came to what the oracle says it must.
//!
//! `crowd` asks it. What is claimed where connections carry bytes and fail is `world`'s own witness's.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use common::query::AnswerBody;
use common::session::{EndReason, Ending};

use super::cast::{servent_at, value_of};
use super::oracle::Demanded;
use super::outcome::RunOutcome;
use super::plan::Delays;
use super::scene::{Asking, Scene};

/// An answer a client reported.
#[derive(Clone, Debug)]
pub struct Answered {
    /// The servent it came from.
    pub from: usize,
    /// The links the query had crossed.
    pub hops: u8,
    /// What it said.
    pub body: AnswerBody,
}

/// A query that is over, and what is known of it.
#[derive(Debug)]
pub struct Judged<'a> {
    /// The run.
    pub scene: &'a Scene,
    /// The query.
    pub asking: Asking,
    /// What must come of it.
    pub expected: &'a Demanded,
    /// What the client was told.
    pub answered: &'a [Answered],
    /// How it ended, if it did.
    pub ending: Option<&'a Ending>,
    /// Echoes that arrived.
    pub echoes_heard: u64,
}

/// Adds a query to the sums of its run, and whatever of it is not as it must be on a healthy overlay.
pub fn judge_healthy(asked: &Judged<'_>, outcome: &mut RunOutcome) {
    let Judged { scene, asking, expected, answered, .. } = asked;
    let mut wrong = Vec::new();
    let answering: BTreeSet<usize> = if asking.topology {
        (0..scene.graph.servents()).filter(|servent| expected.reaches(*servent)).collect()
    } else {
        scene.holders.iter().map(|holder| *holder as usize).filter(|holder| expected.reaches(*holder)).collect()
    };
    let mut heard = BTreeSet::new();
    for Answered { from, hops, body } in *answered {
        outcome.answers += 1;
        outcome.hops_sum += u64::from(*hops);
        outcome.hops_most = outcome.hops_most.max(*hops);
        if !heard.insert(*from) {
            outcome.doubled += 1;
        }
        if !is_true(scene, *asking, *from, body) {
            wrong.push(format!("servent {from} gave a false answer"));
        }
        let least = expected.distances.get(*from).copied().unwrap_or(u32::MAX);
        let is_shortest = scene.plan.delays != Delays::Equal || u32::from(*hops) == least;
        if u32::from(*hops) < least || !is_shortest {
            wrong.push(format!("servent {from} is {least} links away and was reached over {hops}"));
        }
    }
    outcome.expected += answering.len() as u64;
    outcome.missed += answering.difference(&heard).count() as u64;
    if heard != answering {
        let missed: Vec<&usize> = answering.difference(&heard).take(5).collect();
        let surplus: Vec<&usize> = heard.difference(&answering).take(5).collect();
        wrong.push(format!("answers missed {missed:?}, answers nobody asked for {surplus:?}"));
    }
    if heard.len() != answered.len() {
        wrong.push("a servent answered twice".to_owned());
    }
    match asked.ending {
        None => wrong.push("it did not end".to_owned()),
        Some(ending) => {
            add_tally(ending, outcome);
            judge_tally(asked, ending, &mut wrong);
        }
    }
    outcome.broken.extend(wrong.into_iter().map(|what| {
        let Asking { number, contact, .. } = asking;
        format!("query {number} at contact {contact}: {what}")
    }));
}

/// Adds what a contact told to the sums of the run.
fn add_tally(ending: &Ending, outcome: &mut RunOutcome) {
    outcome.reached += ending.tally.reached;
    outcome.copies += ending.tally.copies;
    outcome.duplicates += ending.tally.duplicates;
    outcome.lost += ending.tally.lost;
    outcome.stopped += ending.tally.stopped;
    outcome.silent += ending.tally.silent;
}

/// Whether an answer is what that servent must say.
fn is_true(scene: &Scene, asking: Asking, from: usize, body: &AnswerBody) -> bool {
    match body {
        AnswerBody::Value(value) => {
            let is_holder = u32::try_from(from).is_ok_and(|from| scene.holders.binary_search(&from).is_ok());
            !asking.topology && is_holder && *value == value_of(from).into_bytes()
        }
        AnswerBody::Place { path, neighbors } => {
            let path: Option<Vec<usize>> = path.addresses().into_iter().map(servent_at).collect();
            let Some(path) = path else { return false };
            let is_link = |a: usize, b: usize| {
                a < scene.graph.servents() && scene.graph.neighbors(a).iter().any(|end| *end as usize == b)
            };
            asking.topology
                && path.first() == Some(&(asking.contact as usize))
                && path.last() == Some(&from)
                && path.windows(2).all(|pair| is_link(pair[0], pair[1]))
                && are_neighbors(scene, from, neighbors)
        }
    }
}

/// Whether these are the neighbors of a servent, each once.
fn are_neighbors(scene: &Scene, of: usize, neighbors: &[SocketAddr]) -> bool {
    let neighbors: Option<Vec<usize>> = neighbors.iter().copied().map(servent_at).collect();
    let Some(mut neighbors) = neighbors else { return false };
    neighbors.sort_unstable();
    neighbors.into_iter().eq(scene.graph.neighbors(of).iter().map(|neighbor| *neighbor as usize))
}

fn judge_tally(asked: &Judged<'_>, ending: &Ending, wrong: &mut Vec<String>) {
    let Judged { scene, expected, answered, .. } = asked;
    let tally = ending.tally;
    let mut must = |is_so: bool, what: String| {
        if !is_so {
            wrong.push(what);
        }
    };
    must(ending.reason == EndReason::Complete, format!("it ended by {:?}", ending.reason));
    must(tally.reached == expected.reached, format!("reached {}, not {}", tally.reached, expected.reached));
    must(tally.answers == answered.len() as u64, format!("{} answers told of, {}", tally.answers, answered.len()));
    must(tally.lost == 0 && tally.silent == 0, format!("{} lost, {} silent", tally.lost, tally.silent));
    let stopped = u64::try_from(tally.stopped).unwrap_or(u64::MAX);
    must(stopped == expected.stopped, format!("stopped {}, not {}", tally.stopped, expected.stopped));
    let new = expected.reached.saturating_sub(1);
    if scene.plan.delays == Delays::Equal {
        must(tally.copies == expected.copies, format!("{} copies, not {}", tally.copies, expected.copies));
        must(tally.duplicates + new == tally.copies, format!("{} of them duplicates", tally.duplicates));
    } else {
        must(tally.copies >= expected.copies, format!("{} copies, fewer than {}", tally.copies, expected.copies));
        must(tally.duplicates + new <= tally.copies, format!("{} of them duplicates", tally.duplicates));
    }
    let echoes = asked.echoes_heard;
    must(echoes == tally.copies, format!("{echoes} echoes and {} copies told of", tally.copies));
}
