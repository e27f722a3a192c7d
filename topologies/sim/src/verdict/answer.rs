//! What clients are told: every answer comes from one who must give it, says what that servent must say, came a way that
//! is there, and comes once.
//!
//! An answer of nobody there is, which only a forger gives, is for whoever knows of forgers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use common::query::{AnswerBody, Via};

use super::demand::Demand;
use crate::cast::value_of;
use crate::dialects;
use crate::graph::{Graph, number};
use crate::outcome::RunOutcome;

/// The nodes an answer of a place names; nothing for an address nobody has.
#[derive(Debug)]
pub(crate) struct ToldPlace {
    /// The way to who answers, from the contact on.
    pub(crate) path: Vec<Option<usize>>,
    /// Whom it is linked with.
    pub(crate) neighbors: Vec<Option<usize>>,
}

impl ToldPlace {
    /// The place in an answer, if it tells one.
    pub(crate) fn of(body: &AnswerBody, node_at: impl Fn(SocketAddr) -> Option<usize>) -> Option<ToldPlace> {
        let AnswerBody::Place { path, neighbors } = body else { return None };
        let nodes = |addresses: &[SocketAddr]| addresses.iter().map(|address| node_at(*address)).collect();
        Some(ToldPlace { path: nodes(&path.addresses()), neighbors: nodes(neighbors) })
    }
}

/// An answer that a client reports.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToldAnswer<'a> {
    pub(crate) from: usize,
    /// The links the query had crossed, where that is said.
    pub(crate) hops: Option<u8>,
    /// Whether it went back the way the query came.
    pub(crate) via: Via,
    pub(crate) body: &'a AnswerBody,
    /// The same, where it tells of a place.
    pub(crate) place: Option<&'a ToldPlace>,
}

/// What must be put up with from an answer: where everybody is honest, nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Allowance {
    /// So many may come from the servent; one may in any case.
    pub(crate) answers_max: u32,
    /// Nobody can tell one that comes again from two who answer.
    pub(crate) may_come_again: bool,
    /// It may be of a forger, or to something else.
    pub(crate) may_be_false: bool,
    /// Somebody forged the query, and so may have said of its way whatever it likes.
    pub(crate) is_forged: bool,
    /// It does not say who gives it, so nothing of who is linked with that one.
    pub(crate) is_nameless: bool,
}

/// What a client was told by servents there are.
#[derive(Clone, Debug, Default)]
pub(crate) struct HeardAnswers {
    /// How many answers came from each servent.
    by_servent: BTreeMap<usize, u32>,
    /// From where each came, and how far, where that is said.
    ways: Vec<(usize, Option<u8>)>,
    of_nobody: u64,
    pub(crate) doubled: u64,
    /// How many of them went back the way the query came.
    pub(crate) brought: u64,
}

impl HeardAnswers {
    /// Counts one that came from nobody there is.
    pub(crate) fn take_of_nobody(&mut self) {
        self.of_nobody += 1;
    }

    /// Counts an answer, and says what of it is wrong.
    pub(crate) fn take(&mut self, demand: &Demand<'_>, answer: &ToldAnswer<'_>, allowed: Allowance) -> Vec<String> {
        let mut wrong = Vec::new();
        self.ways.push((answer.from, answer.hops));
        self.brought += u64::from(answer.via == Via::Back);
        let count = self.by_servent.entry(answer.from).or_default();
        *count += 1;
        if *count > allowed.answers_max.max(1) && !allowed.may_come_again {
            self.doubled += 1;
            wrong.push("came again".to_owned());
        }
        if let Some(hops) = answer.hops.filter(|hops| *hops > demand.ttl + 1 && !allowed.is_forged) {
            wrong.push(format!("came {hops} hops far"));
        }
        if !allowed.may_be_false && !is_true(demand, answer, allowed) {
            wrong.push(format!("is not true: {:?}", answer.body));
        }
        wrong
    }

    pub(crate) fn count(&self) -> u64 {
        self.ways.len() as u64 + self.of_nobody
    }

    /// From where each came that came from a servent, and how far, where that is said.
    pub(crate) fn ways(&self) -> &[(usize, Option<u8>)] {
        &self.ways
    }

    /// Whether one came from this servent.
    pub(crate) fn has(&self, servent: u32) -> bool {
        self.by_servent.contains_key(&(servent as usize))
    }

    /// Who of these gave none.
    pub(crate) fn missing(&self, demanded: &[u32]) -> Vec<u32> {
        demanded.iter().copied().filter(|servent| !self.has(*servent)).collect()
    }

    /// Adds them to the sums of a run.
    pub(crate) fn add_to(&self, outcome: &mut RunOutcome) {
        outcome.answers += self.count();
        outcome.doubled += self.doubled;
        outcome.brought += self.brought;
        for hops in self.ways.iter().filter_map(|(_, hops)| *hops) {
            outcome.hops_sum += u64::from(hops);
            outcome.hops_most = outcome.hops_most.max(hops);
        }
    }
}

/// Whether an answer is what that servent must say.
fn is_true(demand: &Demand<'_>, answer: &ToldAnswer<'_>, allowed: Allowance) -> bool {
    let (scene, is_topology, from) = (demand.scene, demand.asking.topology, answer.from);
    match (answer.body, answer.place) {
        (AnswerBody::Value(value), _) => {
            !is_topology && scene.holders.binary_search(&number(from)).is_ok() && *value == value_of(from).into_bytes()
        }
        (AnswerBody::Place { .. }, Some(ToldPlace { path, neighbors })) => {
            // A TP3 neighbor does not say where it is, and its place is no more than the way to it.
            let must_be_linked = scene.faults.is_empty()
                && !allowed.is_nameless
                && from < scene.graph.servents()
                && dialects::is_native_among(&scene.plan, &scene.graph, from);
            is_topology
                && (allowed.is_forged || is_way(&scene.graph, demand.contact(), from, answer.hops, path))
                && (!must_be_linked || are_neighbors(&scene.graph, from, neighbors))
        }
        // Nobody looks for contents here.
        (AnswerBody::Place { .. }, None) | (AnswerBody::Entries(_), _) => false,
    }
}

/// Whether these are the neighbors of a servent, each once.
fn are_neighbors(graph: &Graph, of: usize, neighbors: &[Option<usize>]) -> bool {
    let mut neighbors: Vec<Option<usize>> = neighbors.to_vec();
    neighbors.sort_unstable();
    neighbors.into_iter().eq(graph.neighbors(of).iter().map(|neighbor| Some(*neighbor as usize)))
}

/// Whether a path leads over real links from the contact to who answers, as many as it says.
fn is_way(graph: &Graph, contact: usize, from: usize, hops: Option<u8>, path: &[Option<usize>]) -> bool {
    let Some(path) = path.iter().copied().collect::<Option<Vec<usize>>>() else { return false };
    path.first() == Some(&contact)
        && path.last() == Some(&from)
        && hops.is_none_or(|hops| path.len() == usize::from(hops) + 1)
        && path.windows(2).all(|pair| matches!(*pair, [a, b] if graph.place_of(a, b).is_some()))
}

#[cfg(test)]
mod tests {
    use common::dialect::Dialect;
    use common::query::Path;

    use super::*;
    use crate::verdict::tests::chain;

    #[test]
    fn a_place_is_true_where_its_way_and_its_neighbors_are() {
        let scene = chain();
        let mut asking = scene.queries[0];
        let body = AnswerBody::Place { path: Path::default(), neighbors: Vec::new() };
        let mut judged = |is_topology, path: &[usize], neighbors: &[usize], allowed| {
            asking.topology = is_topology;
            let nodes = |nodes: &[usize]| nodes.iter().copied().map(Some).collect();
            let place = ToldPlace { path: nodes(path), neighbors: nodes(neighbors) };
            let answer = ToldAnswer { from: 1, hops: Some(1), via: Via::Direct, body: &body, place: Some(&place) };
            HeardAnswers::default().take(&Demand::new(&scene, asking, Dialect::OWN), &answer, allowed).is_empty()
        };
        let nothing = Allowance::default();
        assert!(judged(true, &[0, 1], &[2, 0], nothing));
        assert!(!judged(false, &[0, 1], &[2, 0], nothing));
        assert!(!judged(true, &[0, 2, 1], &[2, 0], nothing));
        assert!(!judged(true, &[0, 1], &[2], nothing));
        // A forger says of the way what it likes, and who is not named says nothing of its neighbors.
        assert!(judged(true, &[2, 1], &[2, 0], Allowance { is_forged: true, ..nothing }));
        assert!(judged(true, &[0, 1], &[], Allowance { is_nameless: true, ..nothing }));
        assert!(judged(false, &[], &[], Allowance { may_be_false: true, ..nothing }));
    }

    #[test]
    fn one_comes_from_each_or_as_many_as_may() {
        let scene = chain();
        let demand = Demand::new(&scene, scene.queries[0], Dialect::OWN);
        let body = AnswerBody::Value(b"of 2".to_vec());
        let answer = ToldAnswer { from: 2, hops: None, via: Via::Direct, body: &body, place: None };
        for (allowed, count) in [
            (Allowance::default(), 1),
            (Allowance { answers_max: 3, ..Allowance::default() }, 3),
            (Allowance { may_come_again: true, ..Allowance::default() }, 9),
        ] {
            let mut heard = HeardAnswers::default();
            for _ in 0..count {
                assert!(heard.take(&demand, &answer, allowed).is_empty());
            }
            let is_again = !allowed.may_come_again;
            assert_eq!(!heard.take(&demand, &answer, allowed).is_empty(), is_again);
            assert_eq!((heard.count(), heard.doubled), (count + 1, is_again.into()));
            assert_eq!(heard.missing(&[1, 2]), [1]);
        }
    }

    #[test]
    fn ways_that_do_not_exist_are_noticed() {
        let graph = Graph::from_links(3, &[(0, 1), (1, 2)]);
        assert!(is_way(&graph, 0, 2, Some(2), &[Some(0), Some(1), Some(2)]));
        assert!(is_way(&graph, 0, 0, None, &[Some(0)]));
        assert!(!is_way(&graph, 0, 2, Some(1), &[Some(0), Some(2)]));
        assert!(!is_way(&graph, 0, 2, Some(3), &[Some(0), Some(1), Some(2)]));
        assert!(!is_way(&graph, 1, 2, Some(2), &[Some(0), Some(1), Some(2)]));
        assert!(!is_way(&graph, 0, 1, Some(2), &[Some(0), Some(1), Some(2)]));
        assert!(!is_way(&graph, 0, 2, None, &[Some(0), None, Some(2)]));
        assert!(are_neighbors(&graph, 1, &[Some(2), Some(0)]));
        assert!(!are_neighbors(&graph, 1, &[Some(2)]) && !are_neighbors(&graph, 0, &[Some(1), Some(1)]));
    }
}
