//! What one client has while others ask at the same time.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use super::super::Options;
use super::super::load::{Amount, Asks, LoadEvent, LoadPlan, Loaded, Until, load, micros};
use super::super::real::{ClientAsker, Edges, RealOverlay};
use super::super::row::{BenchRow, Bound, Of};
use super::rate::IN_FLIGHT;
use super::{CHAIN, of_rounds, whole};

const ROUNDS: u32 = 5;
const CLIENTS: usize = 8;
const TIME: Duration = Duration::from_secs(2);
/// Many more than a contact takes of all its clients at once.
pub(super) const FAST_IN_FLIGHT: usize = 4_096;
/// Until all of these have had their turn, on the slowest machine.
const FAST_SILENCE_MAX: Duration = Duration::from_secs(100);
const MILLIS: f64 = 1e3;

/// `fairness`: the slowest of eight clients beside the fastest of them, over four hops.
pub fn fairness(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let plan = plan(options, IN_FLIGHT);
    of_rounds("fairness", "k/s", options.rounds(ROUNDS), &[Bound::AtLeast(Of::Ratio, 0.8)], || {
        let overlay = chain()?;
        let askers = (0..CLIENTS).map(|_| overlay.asker(0)).collect::<anyhow::Result<Vec<_>>>()?;
        let together = Barrier::new(CLIENTS);
        let ask = |mut asker: ClientAsker| {
            together.wait();
            load(&mut asker, &plan)
        };
        let loaded = thread::scope(|scope| {
            let threads: Vec<_> = askers.into_iter().map(|asker| scope.spawn(|| ask(asker))).collect();
            threads.into_iter().map(|thread| joined(thread.join())).collect::<anyhow::Result<Vec<Loaded>>>()
        })?;
        overlay.end()?;
        let rates = || loaded.iter().map(|loaded| loaded.rate() / 1e3);
        let pair = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
        Ok((pair, loaded.iter().map(|loaded| loaded.lost).sum()))
    })
}

/// `beside-same` and `beside-other`: the slowest hundredth of one client's lookups over four hops while another client,
/// here and elsewhere, asks as fast as it can; beside the same while nobody does.
pub fn another(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let plan = plan(options, 1);
    let [mut same, mut other] = [const { (Vec::new(), 0) }; 2];
    for _ in 0..options.rounds(ROUNDS) {
        for (place, (pairs, lost)) in [(0, &mut same), (CHAIN / 2, &mut other)] {
            let overlay = chain()?;
            let mut asker = overlay.asker(0)?;
            let alone = load(&mut asker, &plan)?;
            let (beside, fast) =
                beside_fast(overlay.asker(place)?, fast_in_flight(options), || load(&mut asker, &plan))?;
            overlay.end()?;
            fast.ensure_more_than(beside.count)?;
            pairs.push((micros(&beside.over, 0.99) / MILLIS, micros(&alone.over, 0.99) / MILLIS));
            *lost += alone.lost + beside.lost + fast.lost;
        }
    }
    let row = |name, (pairs, lost): &(Vec<(f64, f64)>, u64)| -> anyhow::Result<BenchRow> {
        Ok(whole(BenchRow::of_pairs(name, "ms", pairs, *lost))?.with_target(Bound::AtMost(Of::Value, 20.0)))
    };
    Ok(vec![row("beside-same", &same)?, row("beside-other", &other)?])
}

fn chain() -> anyhow::Result<RealOverlay> {
    RealOverlay::start(&Edges::chain(CHAIN), |place| place == CHAIN - 1)
}

fn plan(options: &Options, in_flight: usize) -> LoadPlan {
    LoadPlan { in_flight, warm_up: 0, amount: options.amount(TIME), until: Until::Told(1) }
}

/// How many of somebody who asks as fast as it can are in flight. Where few are asked otherwise it is as few: on a machine
/// that is busy with other things servents would wait behind thousands for longer than they wait for an echo, and what
/// they give up is lost.
fn fast_in_flight(options: &Options) -> usize {
    match options.amount(TIME) {
        Amount::Queries(count) => usize::try_from(count).map_or(FAST_IN_FLIGHT, |count| count.min(FAST_IN_FLIGHT)),
        Amount::Time(_) => FAST_IN_FLIGHT,
    }
}

/// What came of all that a client asked beside others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct FastAsked {
    /// How many of its queries were over while others asked.
    ended: u64,
    /// How many of them were not whole, and what came of none.
    pub lost: u64,
}

impl FastAsked {
    /// Whoever asks less than those it is to be in the way of is in nobody's.
    pub(super) fn ensure_more_than(self, count: u64) -> anyhow::Result<()> {
        if self.ended <= count {
            bail!("the client beside those that are measured asked no more than they: {} and {count}", self.ended);
        }
        Ok(())
    }
}

/// Does something while a client asks as fast as it can, from when the first of its queries is over.
pub(super) fn beside_fast<T>(
    fast: ClientAsker,
    in_flight_max: usize,
    what: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<(T, FastAsked)> {
    let mut fast = fast.with_silence_max(FAST_SILENCE_MAX);
    let is_over = AtomicBool::new(false);
    let (busy, is_busy) = channel();
    thread::scope(|scope| {
        let thread = scope.spawn(|| ask_until(&mut fast, in_flight_max, busy, &is_over));
        // Nobody says it where the asking failed; why is what the thread came to.
        let done = is_busy.recv().map_err(|_| anyhow!("nothing was asked beside it")).and_then(|()| what());
        is_over.store(true, Ordering::Relaxed);
        let asked = joined(thread.join())?;
        Ok((done?, asked))
    })
}

/// Asks as fast as it can until nobody wants it any more. What is in flight then is not waited for, and is not lost.
fn ask_until(
    asker: &mut ClientAsker,
    in_flight_max: usize,
    busy: Sender<()>,
    is_over: &AtomicBool,
) -> anyhow::Result<FastAsked> {
    let (mut in_flight, mut begun, mut heard) = (0_usize, Vec::new(), Vec::new());
    let (mut asked, mut busy) = (FastAsked::default(), Some(busy));
    while !is_over.load(Ordering::Relaxed) {
        asker.begin(in_flight_max - in_flight, &mut begun)?;
        in_flight += begun.drain(..).len();
        asker.hear(TIME, &mut heard)?;
        for event in heard.drain(..) {
            match event {
                LoadEvent::Over(_, is_whole) => {
                    in_flight -= 1;
                    asked.ended += 1;
                    asked.lost += u64::from(!is_whole);
                }
                LoadEvent::Stray(count) => asked.lost += count,
                LoadEvent::Answer(_) | LoadEvent::Echoed(_) => {}
            }
        }
        if asked.ended > 0
            && let Some(busy) = busy.take()
        {
            // What ended before the others asked was in nobody's way.
            asked.ended = 0;
            let _ = busy.send(());
        }
    }
    Ok(asked)
}

/// What a thread came to.
pub(super) fn joined<T>(thread: thread::Result<anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.map_err(|_| anyhow!("it panicked")).and_then(|done| done).context("a client failed")
}
