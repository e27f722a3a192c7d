//! What takes a minute to be seen: whether a rate lasts, what the contact's memory comes to, and whether clients that ask
//! once and leave are served for as long as they come.

use std::net::SocketAddr;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;
use rustix::process::Pid;

use super::super::Options;
use super::super::load::{Amount, Asks, LoadEvent, LoadPlan, Loaded, Until, load};
use super::super::real::{ClientAsker, Edges, RealOverlay};
use super::super::row::{BenchRow, Bound, Of};
use super::beside::{FAST_IN_FLIGHT, beside_fast, joined};
use super::rate::IN_FLIGHT;
use super::{CHAIN, whole};
use topologies::processes::memory_of;

const ROUNDS: u32 = 3;
const TIME: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);
/// The first second is spent on warming up, and the memory is looked at when these are over.
const FIRST_SECONDS: std::ops::Range<usize> = 1..11;
const LAST_SECONDS: usize = 10;
const MEMORY_MIB_MAX: f64 = 16.0;
/// Flat is what grows by no more than this.
const GROWTH_MAX: f64 = 1.05;
const ONE_SHOT_ROUNDS: u32 = 1;
const ONE_SHOT_THREADS: usize = 4;

/// `lasting` and `lasting-memory`: a minute of queries over four hops.
pub fn chain(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    lasting(options, ["lasting", "lasting-memory"], &Edges::chain(CHAIN))
}

/// `contact-lasting` and `contact-memory`: a minute of queries at a contact that has what it is asked for.
pub fn contact(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    lasting(options, ["contact-lasting", "contact-memory"], &Edges::chain(1))
}

fn lasting(options: &Options, names: [&'static str; 2], links: &Edges) -> anyhow::Result<Vec<BenchRow>> {
    let plan = LoadPlan { in_flight: IN_FLIGHT, warm_up: 0, amount: options.amount(TIME), until: Until::Told(1) };
    let [mut rates, mut sizes] = [const { Vec::new() }; 2];
    let mut lost = 0;
    for _ in 0..options.rounds(ROUNDS) {
        let overlay = RealOverlay::start(links, |place| place + 1 == links.dials().len())?;
        let mut asker = overlay.asker(0)?;
        let (loaded, memory) = watched(overlay.servent(0).pid(), || load(&mut asker, &plan))?;
        overlay.end()?;
        rates.push(first_and_last(&loaded, plan.amount));
        let settled = memory.get(FIRST_SECONDS.end).or(memory.last()).copied().unwrap_or(f64::NAN);
        sizes.push((memory.iter().copied().fold(0.0, f64::max), settled));
        lost += loaded.lost;
    }
    Ok(vec![
        whole(BenchRow::of_pairs(names[0], "k/s", &rates, lost))?.with_target(Bound::AtLeast(Of::Ratio, 0.9)),
        whole(BenchRow::of_pairs(names[1], "MiB", &sizes, lost))?
            .with_target(Bound::AtMost(Of::Value, MEMORY_MIB_MAX))
            .with_target(Bound::AtMost(Of::Ratio, GROWTH_MAX)),
    ])
}

/// How many there were in one of the last seconds, and in one of the first; in thousands. So many queries instead of a time
/// have one rate.
fn first_and_last(loaded: &Loaded, amount: Amount) -> (f64, f64) {
    if let Amount::Queries(_) = amount {
        return (loaded.rate() / 1e3, loaded.rate() / 1e3);
    }
    let seconds = &loaded.per_second;
    let rate = |seconds: &[u64]| seconds.iter().sum::<u64>() as f64 / seconds.len() as f64 / 1e3;
    (rate(&seconds[seconds.len() - LAST_SECONDS..]), rate(&seconds[FIRST_SECONDS]))
}

/// Does something, and looks at the memory of a process meanwhile: at once, in every second, and at the end, in MiB.
fn watched<T>(pid: Pid, what: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Vec<f64>)> {
    let (over, is_over) = channel::<()>();
    thread::scope(|scope| {
        let watch = scope.spawn(move || -> anyhow::Result<Vec<f64>> {
            let mut sizes = vec![resident(pid)?];
            while let Err(RecvTimeoutError::Timeout) = is_over.recv_timeout(SECOND) {
                sizes.push(resident(pid)?);
            }
            sizes.push(resident(pid)?);
            Ok(sizes)
        });
        let done = what();
        drop(over);
        let sizes = joined(watch.join());
        Ok((done?, sizes?))
    })
}

/// How much of a process is in memory, in MiB.
fn resident(pid: Pid) -> anyhow::Result<f64> {
    Ok(memory_of(pid)?.now as f64 / 1_048_576.0)
}

/// `one-shot` and `one-shot-rate`: clients that attach, ask once and leave, as fast as that goes, at a contact with one
/// neighbor. Beside them another client has more under way than a contact takes at once, so they come while it is busy.
pub fn one_shot(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let amount = options.amount(TIME);
    let [mut refused, mut rates] = [const { Vec::new() }; 2];
    let mut lost = 0;
    for _ in 0..options.rounds(ONE_SHOT_ROUNDS) {
        let overlay = RealOverlay::start(&Edges::chain(2), |place| place == 0)?;
        let contact = overlay.address(0);
        let ((shots, time), fast) = beside_fast(overlay.asker(0)?, FAST_IN_FLIGHT, || {
            let started = Instant::now();
            let shots = thread::scope(|scope| {
                let threads: Vec<_> =
                    (0..ONE_SHOT_THREADS).map(|_| scope.spawn(|| Ok(shots(contact, amount)))).collect();
                threads.into_iter().map(|thread| joined(thread.join())).collect::<anyhow::Result<Vec<Shots>>>()
            })?;
            Ok((shots, started.elapsed()))
        })?;
        overlay.end()?;
        let sum = |count: fn(&Shots) -> u64| shots.iter().map(count).sum::<u64>();
        let (served, not_served) = (sum(|shots| shots.served), sum(|shots| shots.refused));
        fast.ensure_more_than(0)?;
        // Which of many it was does not matter; that nobody could say why would.
        if let Some(why) = shots.iter().find_map(|shots| shots.why.as_ref()) {
            eprintln!("one-shot: {not_served} were refused, of which one: {why:#}");
        }
        refused.push(not_served as f64);
        rates.push(served as f64 / time.as_secs_f64() / 1e3);
        lost += not_served + fast.lost;
    }
    let row = |name, unit, values: &[f64]| whole(BenchRow::of_values(name, unit, values, lost));
    Ok(vec![
        row("one-shot", "n", &refused)?.with_target(Bound::AtMost(Of::Value, 0.0)),
        row("one-shot-rate", "k/s", &rates)?,
    ])
}

/// What came to clients that ask once.
#[derive(Debug, Default)]
struct Shots {
    served: u64,
    refused: u64,
    /// What the first of those that were refused met with.
    why: Option<anyhow::Error>,
}

/// One client after the other.
fn shots(contact: SocketAddr, amount: Amount) -> Shots {
    let started = Instant::now();
    let mut shots = Shots::default();
    let is_enough = |count: u64| match amount {
        Amount::Queries(queries) => count >= queries,
        Amount::Time(time) => started.elapsed() >= time,
    };
    while !is_enough(shots.served + shots.refused) {
        match shot(contact) {
            Ok(()) => shots.served += 1,
            Err(why) => {
                shots.refused += 1;
                shots.why.get_or_insert(why);
            }
        }
    }
    shots
}

/// A client is served that has its answer, and is told that it is all.
fn shot(contact: SocketAddr) -> anyhow::Result<()> {
    let mut asker = ClientAsker::connect(contact)?;
    let mut heard = Vec::new();
    asker.begin(1, &mut Vec::new())?;
    while !heard.iter().any(|event| matches!(event, LoadEvent::Over(..))) {
        asker.hear(SECOND, &mut heard)?;
    }
    match heard[..] {
        [LoadEvent::Answer(answered), LoadEvent::Over(over, true)] if answered == over => Ok(()),
        _ => bail!("what came is not its answer and its end: {heard:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_seconds_stand_beside_the_first_that_are_no_warming_up() {
        let seconds = usize::try_from(TIME.as_secs()).unwrap();
        let mut loaded = Loaded { per_second: vec![5_000; seconds], time: TIME, ..Loaded::new().unwrap() };
        (loaded.per_second[0], loaded.per_second[11]) = (1, 1);
        loaded.per_second[1..11].fill(3_000);
        assert_eq!(first_and_last(&loaded, Amount::Time(TIME)), (5.0, 3.0));
        loaded.per_second[50..].fill(0);
        assert_eq!(first_and_last(&loaded, Amount::Time(TIME)), (0.0, 3.0), "it stalled");
        (loaded.count, loaded.per_second) = (600_000, vec![600_000]);
        assert_eq!(first_and_last(&loaded, Amount::Queries(600_000)), (10.0, 10.0));
    }
}
