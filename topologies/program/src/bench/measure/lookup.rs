//! How long one query takes while nothing else is asked.

use super::super::Options;
use super::super::floors::relay::Answering;
use super::super::floors::wait::WaitKind;
use super::super::load::{Until, micros};
use super::super::real::{Edges, lengths};
use super::super::row::{BenchRow, Bound, Of};
use super::{CHAIN, Floors, of_rounds, plan, real, real_and_back, whole};

const ROUNDS: u32 = 5;
const QUERIES: u64 = 3_000;
const STAR: usize = 16;
/// Not worse than when first measured, on a quiet machine: 1.34, 2.26 and 1.47. On quiet days it has been 1.31 to 1.52, 1.80 to
/// 2.17 and 1.49 to 1.63 since: the rest is room to drift.
const LOOKUP_MAX: f64 = 1.55;
const WHOLE_MAX: f64 = 2.3;
const STAR_MAX: f64 = 1.7;
/// What was asked for before it was built.
const BACK_MAX: f64 = 1.4;

/// `lookup`, `lookup-fresh`, `lookup-polling` and `whole`: over four hops, beside three floors.
pub fn chain(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let lengths = lengths()?;
    let [mut kept, mut fresh, mut polling, mut wholes] = [const { Vec::new() }; 4];
    let mut lost = 0;
    for _ in 0..options.rounds(ROUNDS) {
        let ours = real(&Edges::chain(CHAIN), |place| place == CHAIN - 1, &plan(options, 1, QUERIES, Until::Told(1)))?;
        let plan = plan(options, 1, QUERIES, Until::Answers(1));
        let [answered, over] = [&ours.answered, &ours.over].map(|latencies| micros(latencies, 0.5));
        lost += ours.lost;
        for (pairs, wait, answers) in [
            (&mut kept, WaitKind::Epoll, Answering::Kept),
            (&mut fresh, WaitKind::Epoll, Answering::Fresh),
            (&mut polling, WaitKind::Polling, Answering::Kept),
        ] {
            let floors = Floors::chain(CHAIN, wait, answers, &lengths)?;
            let floor = floors.ask(&plan, lengths, [lengths.answer, lengths.finished])?;
            pairs.push((answered, micros(&floor.answered, 0.5)));
        }
        wholes.extend(kept.last().map(|(_, floor)| (over, *floor)));
    }
    // All four rows are about the same queries of ours.
    let row = |name, pairs: &[(f64, f64)]| whole(BenchRow::of_pairs(name, "us", pairs, lost));
    Ok(vec![
        row("lookup", &kept)?.with_target(Bound::AtMost(Of::Ratio, LOOKUP_MAX)),
        row("lookup-fresh", &fresh)?,
        row("lookup-polling", &polling)?,
        row("whole", &wholes)?.with_target(Bound::AtMost(Of::Ratio, WHOLE_MAX)),
    ])
}

/// `lookup-back`: over four hops, and the answer back over them, beside relays that carry one back.
pub fn back(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let lengths = lengths()?.that_go_back();
    of_rounds("lookup-back", "us", options.rounds(ROUNDS), &[Bound::AtMost(Of::Ratio, BACK_MAX)], || {
        let plan = |until| plan(options, 1, QUERIES, until);
        let ours = real_and_back(&Edges::chain(CHAIN), |place| place == CHAIN - 1, &plan(Until::Told(1)))?;
        let floors = Floors::chain_and_back(CHAIN, &lengths)?;
        let floor = floors.ask(&plan(Until::Answers(1)), lengths, [lengths.answer, lengths.finished])?;
        Ok(((micros(&ours.answered, 0.5), micros(&floor.answered, 0.5)), ours.lost))
    })
}

/// `star`: until all sixteen have answered.
pub fn star(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let lengths = lengths()?;
    of_rounds("star", "us", options.rounds(ROUNDS), &[Bound::AtMost(Of::Ratio, STAR_MAX)], || {
        let plan = |until| plan(options, 1, QUERIES, until);
        let ours = real(&Edges::star(STAR), |_| true, &plan(Until::Told(STAR as u64)))?;
        let answers = [Answering::Kept, Answering::Never, Answering::Back];
        let floors = Floors::relays(&[STAR - 1], WaitKind::Epoll, answers, &lengths, lengths.answer)?;
        let floor = floors.ask(&plan(Until::Answers(STAR as u64)), lengths, [lengths.answer, lengths.finished])?;
        Ok(((micros(&ours.answered, 0.5), micros(&floor.answered, 0.5)), ours.lost))
    })
}
