//! The measurements: each alternates real servents with its floor, both started anew in every round.

pub mod beside;
pub mod content;
pub mod lasting;
pub mod lookup;
pub mod million;
pub mod peers;
pub mod rate;
pub mod scan;
pub mod slow_disk;
pub mod writes;

use std::time::Duration;

use anyhow::{Context, bail};

use super::Options;
use super::floors::Floor;
use super::floors::asking::FloorAsker;
use super::floors::relay::{self, Answering};
use super::floors::wait::WaitKind;
use super::floors::wire::Lengths;
use super::load::{Amount, LoadPlan, Loaded, load};
use super::real::{ClientAsker, Edges, RealOverlay};
use super::row::{BenchRow, Bound};

/// Servents in a row of four links.
const CHAIN: usize = 5;
/// Nobody knows how many hops a floor is from another: as many as ours may cross.
const FLOOR_TTL: u8 = 8;
/// Where one is started.
const ANYWHERE: std::net::SocketAddr = std::net::SocketAddr::new(super::floors::answers::CLIENT_IP, 0);

impl Options {
    /// How often something is measured.
    fn rounds(&self, usual: u32) -> u32 {
        self.rounds.unwrap_or(usual)
    }

    /// So many queries, unless fewer are wanted.
    fn queries(&self, usual: u64) -> u64 {
        self.queries.map_or(usual, |queries| queries.min(usual))
    }

    /// For so long, unless few queries are wanted.
    fn amount(&self, usual: Duration) -> Amount {
        self.queries.map_or(Amount::Time(usual), Amount::Queries)
    }
}

/// A plan for so many queries, and a tenth of that before it.
fn plan(options: &Options, in_flight: usize, queries: u64, until: super::load::Until) -> LoadPlan {
    let queries = options.queries(queries);
    LoadPlan { in_flight, warm_up: queries / 10, amount: Amount::Queries(queries), until }
}

/// Asks real servents, at the first.
fn real(links: &Edges, holds: impl Fn(usize) -> bool, plan: &LoadPlan) -> anyhow::Result<Loaded> {
    let overlay = RealOverlay::start(links, holds)?;
    let loaded = load(&mut overlay.asker(0)?, plan)?;
    overlay.end()?;
    Ok(loaded)
}

/// The same by a client that opens no port, so that all answers come back.
fn real_and_back(links: &Edges, holds: impl Fn(usize) -> bool, plan: &LoadPlan) -> anyhow::Result<Loaded> {
    let overlay = RealOverlay::start(links, holds)?;
    let loaded = load(&mut ClientAsker::connect_without_port(overlay.address(0))?, plan)?;
    overlay.end()?;
    Ok(loaded)
}

/// Floors that run, the contact last.
struct Floors(Vec<Floor>);

impl Floors {
    fn relays(
        behind: &[usize],
        wait: WaitKind,
        [answers, between, contact]: [Answering; 3],
        lengths: &Lengths,
        own: usize,
    ) -> anyhow::Result<Floors> {
        let mut floors = Floors(Vec::new());
        // From the last row to the contact, which is a row of its own.
        let mut next = Vec::new();
        for (depth, count) in behind.iter().enumerate() {
            let answers = if depth == 0 { answers } else { between };
            let lengths = [lengths.query, lengths.query, lengths.answer];
            let first = floors.0.len();
            for _ in 0..*count {
                floors.0.push(Floor::start(&relay::Options::words(ANYWHERE, &next, wait, answers, lengths))?);
            }
            next = floors.0[first..].iter().map(|floor| floor.address).collect();
        }
        let lengths = [lengths.request, lengths.query, own];
        floors.0.push(Floor::start(&relay::Options::words(ANYWHERE, &next, wait, contact, lengths))?);
        Ok(floors)
    }

    /// A row of so many, of which the last answers.
    fn chain(floors: usize, wait: WaitKind, answers: Answering, lengths: &Lengths) -> anyhow::Result<Floors> {
        let answers = [answers, Answering::Never, Answering::Never];
        Floors::relays(&vec![1; floors - 1], wait, answers, lengths, lengths.answer)
    }

    /// The same, of which the others carry the answer back.
    fn chain_and_back(floors: usize, lengths: &Lengths) -> anyhow::Result<Floors> {
        let (answers, lengths) = ([Answering::Back, Answering::Carry, Answering::Carry], lengths.that_go_back());
        Floors::relays(&vec![1; floors - 1], WaitKind::Epoll, answers, &lengths, lengths.answer)
    }

    /// Asks them, and makes sure that none ended before that was over and that nothing was lost: what is lost in a row is
    /// ours.
    fn ask(mut self, plan: &LoadPlan, lengths: Lengths, own: [usize; 2]) -> anyhow::Result<Loaded> {
        let contact = self.0.last().context("there is no floor")?.address;
        let loaded = load(&mut FloorAsker::connect(contact, FLOOR_TTL, lengths, own)?, plan)?;
        if !self.0.iter_mut().all(Floor::is_running) {
            bail!("a floor ended by itself");
        }
        if loaded.lost > 0 {
            bail!("a floor lost {} queries", loaded.lost);
        }
        Ok(loaded)
    }
}

/// A row of rounds, each what ours and the floor came to, and how many queries were lost.
fn of_rounds(
    name: &'static str,
    unit: &'static str,
    rounds: u32,
    targets: &[Bound],
    mut round: impl FnMut() -> anyhow::Result<((f64, f64), u64)>,
) -> anyhow::Result<Vec<BenchRow>> {
    let (pairs, lost): (Vec<_>, Vec<u64>) = (0..rounds).map(|_| round()).collect::<anyhow::Result<_>>()?;
    let row = whole(BenchRow::of_pairs(name, unit, &pairs, lost.iter().sum()))?;
    Ok(vec![BenchRow { targets: targets.to_vec(), ..row }])
}

/// A row, which has rounds.
fn whole(row: Option<BenchRow>) -> anyhow::Result<BenchRow> {
    row.context("nothing was measured")
}
