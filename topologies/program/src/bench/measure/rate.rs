//! How many queries a second there are with 64 in flight.

use super::super::Options;
use super::super::floors::Floor;
use super::super::floors::flood;
use super::super::floors::relay::Answering;
use super::super::floors::wait::WaitKind;
use super::super::load::{Loaded, Until};
use super::super::real::{Edges, lengths};
use super::super::row::{BenchRow, Bound, Of};
use super::{ANYWHERE, CHAIN, Floors, of_rounds, plan, real, real_and_back};

const ROUNDS: u32 = 9;
/// As many as most clients have.
pub(super) const IN_FLIGHT: usize = 64;
const FLOOD: usize = 16;
/// Asked in each round: half a second of it, or more.
const CONTACT_QUERIES: u64 = 100_000;
const CHAIN_QUERIES: u64 = 40_000;
const FLOOD_QUERIES: u64 = 6_000;
/// Of a floor so many times as many are asked, so that it takes about as long.
const FLOOR_TIMES: u64 = 4;
/// Not worse than when first measured: 0.20 to 0.25, 0.10 to 0.16 and 0.11. On quiet days it has been 0.39, 0.19 and 0.21
/// since.
const CONTACT_MIN: f64 = 0.2;
const CHAIN_MIN: f64 = 0.1;
const FLOOD_MIN: f64 = 0.11;
/// What was asked for before it was built.
const BACK_MIN: f64 = 0.7;

/// `contact`: one servent that has what it is asked for, beside ping-pong.
pub fn contact(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let lengths = lengths()?;
    let own = lengths.answer + lengths.finished;
    alternate(options, "contact", Bound::AtLeast(Of::Ratio, CONTACT_MIN), || {
        let plan = |times, until| plan(options, IN_FLIGHT, times * CONTACT_QUERIES, until);
        let ours = real(&Edges::chain(1), |_| true, &plan(1, Until::Told(1)))?;
        let answers = [Answering::Never, Answering::Never, Answering::Back];
        let floors = Floors::relays(&[], WaitKind::Epoll, answers, &lengths, own)?;
        Ok((ours, floors.ask(&plan(FLOOR_TIMES, Until::Answers(1)), lengths, [own, lengths.finished])?))
    })
}

/// `chain`: the same over four hops.
pub fn chain(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let lengths = lengths()?;
    alternate(options, "chain", Bound::AtLeast(Of::Ratio, CHAIN_MIN), || {
        let plan = |times, until| plan(options, IN_FLIGHT, times * CHAIN_QUERIES, until);
        let ours = real(&Edges::chain(CHAIN), |place| place == CHAIN - 1, &plan(1, Until::Told(1)))?;
        let floors = Floors::chain(CHAIN, WaitKind::Epoll, Answering::Kept, &lengths)?;
        Ok((ours, floors.ask(&plan(FLOOR_TIMES, Until::Answers(1)), lengths, [lengths.answer, lengths.finished])?))
    })
}

/// `chain-back`: the same overlay, whose answers come back, beside one whose answers are dialled.
pub fn chain_back(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    alternate(options, "chain-back", Bound::AtLeast(Of::Ratio, BACK_MIN), || {
        let plan = plan(options, IN_FLIGHT, CHAIN_QUERIES, Until::Told(1));
        let (links, holds) = (Edges::chain(CHAIN), |place| place == CHAIN - 1);
        let (back, direct) = (real_and_back(&links, holds, &plan)?, real(&links, holds, &plan)?);
        Ok((Loaded { lost: back.lost + direct.lost, ..back }, direct))
    })
}

/// `flood`: sixteen servents with four neighbors each, of which one has it.
pub fn flood(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let lengths = lengths()?;
    let links = Edges::of_degree_four(FLOOD);
    let holder = FLOOD / 2;
    alternate(options, "flood", Bound::AtLeast(Of::Ratio, FLOOD_MIN), || {
        let plan = |times, until| plan(options, IN_FLIGHT, times * FLOOD_QUERIES, until);
        let ours = real(&links, |place| place == holder, &plan(1, Until::Told(1)))?;
        let mut floors = Floors(Vec::new());
        for (place, dials) in links.dials().iter().enumerate() {
            let dials: Vec<_> = dials.iter().map(|other| floors.0[*other].address).collect();
            let words = flood::Options::words(ANYWHERE, &dials, links.degree(place), place == holder, lengths);
            floors.0.push(Floor::start(&words)?);
        }
        for floor in &mut floors.0 {
            floor.wait_for("linked")?;
        }
        // The contact is told last.
        floors.0.rotate_left(1);
        Ok((
            ours,
            floors.ask(&plan(FLOOR_TIMES, Until::AnswersAndEcho(1)), lengths, [lengths.answer, lengths.finished])?,
        ))
    })
}

fn alternate(
    options: &Options,
    name: &'static str,
    target: Bound,
    mut round: impl FnMut() -> anyhow::Result<(Loaded, Loaded)>,
) -> anyhow::Result<Vec<BenchRow>> {
    of_rounds(name, "k/s", options.rounds(ROUNDS), &[target], || {
        let (ours, floor) = round()?;
        Ok(((ours.rate() / 1e3, floor.rate() / 1e3), ours.lost))
    })
}
