//! The load generator: keeps many queries in flight and notes what came of each and when.
//!
//! Who asks is one that [`Asks`]: real servents through the client library, floors through a few lines of sockets. A
//! query is never dropped from the count: one of which not all came is lost, and so is what comes too late or twice.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;

/// Latencies to three digits.
const DIGITS: u8 = 3;
/// Whoever is asked and says nothing for so long says nothing any more. Longer than a client waits for an answer.
const SILENCE_MAX: Duration = Duration::from_secs(20);

/// Whoever can ask, with many queries in flight.
pub trait Asks {
    /// What a query goes by.
    type Number: Copy + Eq + Hash;

    /// Asks so many times, or as often as can be asked before something is heard, and adds what each goes by.
    fn begin(&mut self, count: usize, begun: &mut Vec<Self::Number>) -> anyhow::Result<()>;

    /// Waits until something came, or for so long, and adds what came.
    fn hear(&mut self, at_most: Duration, heard: &mut Vec<LoadEvent<Self::Number>>) -> anyhow::Result<()>;
}

/// Something that came of a query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadEvent<Number> {
    /// An answer.
    Answer(Number),
    /// Every part of the flood has finished; answers may still be under way.
    Echoed(Number),
    /// It is over, well or not.
    Over(Number, bool),
    /// So much that belongs to no query that is in flight.
    Stray(u64),
}

/// How much is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many queries.
    Queries(u64),
    /// As many as there are in this time.
    Time(Duration),
}

/// When a query is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When it has so many answers: nobody says more.
    Answers(u64),
    /// When it has so many answers and is echoed.
    AnswersAndEcho(u64),
    /// When that is said; so many answers belong to it.
    Told(u64),
}

impl Until {
    fn answers(self) -> u64 {
        match self {
            Until::Answers(answers) | Until::AnswersAndEcho(answers) | Until::Told(answers) => answers,
        }
    }
}

/// What is asked, and what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadPlan {
    /// How many queries are in flight at once.
    pub in_flight: usize,
    /// How many are asked before anything is noted but what was lost.
    pub warm_up: u64,
    /// How many are asked then.
    pub amount: Amount,
    /// When one is over.
    pub until: Until,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// How long each query took to its last answer, in nanoseconds.
    pub answered: Histogram<u64>,
    /// How long each took until it was over, in nanoseconds.
    pub over: Histogram<u64>,
    /// How many were over in each second, also where none was: of a time that was given, in all of its seconds.
    pub per_second: Vec<u64>,
    /// How many were over in the time that was given, or at all where none was.
    pub count: u64,
    /// How long that took.
    pub time: Duration,
    /// Queries of which not all came, and what came of none.
    pub lost: u64,
}

impl Loaded {
    /// Nothing has come yet.
    pub(super) fn new() -> anyhow::Result<Loaded> {
        let histogram = || Histogram::new(DIGITS).context("no latencies can be noted");
        let (answered, over) = (histogram()?, histogram()?);
        Ok(Loaded { answered, over, per_second: Vec::new(), count: 0, time: Duration::ZERO, lost: 0 })
    }

    /// Queries over in one second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.time.as_secs_f64().max(f64::MIN_POSITIVE)
    }
}

/// A quantile of latencies, in microseconds.
#[must_use]
pub fn micros(latencies: &Histogram<u64>, quantile: f64) -> f64 {
    latencies.value_at_quantile(quantile) as f64 / 1e3
}

/// Asks as planned, and waits for the end of everything that was asked.
pub fn load<A: Asks>(asker: &mut A, plan: &LoadPlan) -> anyhow::Result<Loaded> {
    let mut warm = Loading::new(plan.in_flight, plan.until, Amount::Queries(plan.warm_up))?;
    warm.run(asker)?;
    let mut loading = Loading::new(plan.in_flight, plan.until, plan.amount)?;
    loading.run(asker)?;
    loading.loaded.lost += warm.loaded.lost;
    Ok(loading.loaded)
}

#[derive(Clone, Copy)]
struct InFlight {
    begun: Instant,
    answers: u64,
    is_echoed: bool,
}

struct Loading<Number> {
    in_flight_max: usize,
    until: Until,
    amount: Amount,
    begun_count: u64,
    started: Instant,
    in_flight: HashMap<Number, InFlight>,
    loaded: Loaded,
}

impl<Number: Copy + Eq + Hash> Loading<Number> {
    fn new(in_flight_max: usize, until: Until, amount: Amount) -> anyhow::Result<Loading<Number>> {
        let (started, in_flight) = (Instant::now(), HashMap::with_capacity(in_flight_max));
        Ok(Loading { in_flight_max, until, amount, begun_count: 0, started, in_flight, loaded: Loaded::new()? })
    }

    fn run<A: Asks<Number = Number>>(&mut self, asker: &mut A) -> anyhow::Result<()> {
        let (mut begun, mut heard) = (Vec::new(), Vec::new());
        let mut now = Instant::now();
        (self.started, self.loaded.time) = (now, Duration::ZERO);
        loop {
            let count = self.wanted_count(now);
            if count > 0 {
                let at = Instant::now();
                asker.begin(count, &mut begun)?;
                self.begun_count += begun.len() as u64;
                let in_flight = InFlight { begun: at, answers: 0, is_echoed: false };
                self.in_flight.extend(begun.drain(..).map(|number| (number, in_flight)));
            }
            if self.in_flight.is_empty() {
                break;
            }
            asker.hear(SILENCE_MAX, &mut heard)?;
            if heard.is_empty() {
                break;
            }
            now = Instant::now();
            for event in heard.drain(..) {
                self.on_event(now, event)?;
            }
        }
        self.loaded.lost += self.in_flight.len() as u64;
        if let Amount::Time(time) = self.amount {
            // Seconds in which nothing ended are seconds, too.
            let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
            self.loaded.per_second.resize(usize::try_from(seconds)?, 0);
            self.loaded.time = time;
        }
        Ok(())
    }

    /// How many more are to be asked now.
    fn wanted_count(&self, now: Instant) -> usize {
        let room = self.in_flight_max.saturating_sub(self.in_flight.len());
        match self.amount {
            Amount::Queries(count) => room.min(usize::try_from(count - self.begun_count).unwrap_or(usize::MAX)),
            Amount::Time(time) if now.duration_since(self.started) < time => room,
            Amount::Time(_) => 0,
        }
    }

    fn on_event(&mut self, now: Instant, event: LoadEvent<Number>) -> anyhow::Result<()> {
        let (number, over) = match event {
            LoadEvent::Stray(count) => {
                self.loaded.lost += count;
                return Ok(());
            }
            LoadEvent::Answer(number) | LoadEvent::Echoed(number) => (number, None),
            LoadEvent::Over(number, is_whole) => (number, Some(is_whole)),
        };
        let Some(query) = self.in_flight.get_mut(&number) else {
            self.loaded.lost += 1;
            return Ok(());
        };
        let took = nanos(now.duration_since(query.begun));
        let answers = self.until.answers();
        if let LoadEvent::Answer(_) = event {
            query.answers += 1;
            if query.answers == answers {
                self.loaded.answered.record(took).context("a latency cannot be noted")?;
            }
        }
        query.is_echoed |= matches!(event, LoadEvent::Echoed(_));
        let is_over = match self.until {
            Until::Answers(_) => query.answers >= answers,
            Until::AnswersAndEcho(_) => query.answers >= answers && query.is_echoed,
            Until::Told(_) => over.is_some(),
        };
        if is_over {
            self.loaded.lost += u64::from(query.answers != answers || over == Some(false));
            self.in_flight.remove(&number);
            self.on_over(now, took)?;
        }
        Ok(())
    }

    fn on_over(&mut self, now: Instant, took: u64) -> anyhow::Result<()> {
        self.loaded.over.record(took).context("a latency cannot be noted")?;
        let since = now.duration_since(self.started);
        if !matches!(self.amount, Amount::Time(time) if since >= time) {
            let second = usize::try_from(since.as_secs()).unwrap_or(usize::MAX);
            if self.loaded.per_second.len() <= second {
                self.loaded.per_second.resize(second + 1, 0);
            }
            self.loaded.per_second[second] += 1;
            self.loaded.count += 1;
            self.loaded.time = since;
        }
        Ok(())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Tells what it was made with, some at a time, and then nothing.
    struct Told {
        begun: u64,
        told: VecDeque<Vec<LoadEvent<u64>>>,
    }

    impl Asks for Told {
        type Number = u64;

        fn begin(&mut self, count: usize, begun: &mut Vec<u64>) -> anyhow::Result<()> {
            begun.extend(self.begun + 1..=self.begun + count as u64);
            self.begun += count as u64;
            Ok(())
        }

        fn hear(&mut self, _: Duration, heard: &mut Vec<LoadEvent<u64>>) -> anyhow::Result<()> {
            heard.extend(self.told.pop_front().unwrap_or_default());
            Ok(())
        }
    }

    fn told(until: Until, queries: u64, told: &[&[LoadEvent<u64>]]) -> (Loaded, u64) {
        let mut asker = Told { begun: 0, told: told.iter().map(|events| events.to_vec()).collect() };
        let plan = LoadPlan { in_flight: 2, warm_up: 0, amount: Amount::Queries(queries), until };
        (load(&mut asker, &plan).unwrap(), asker.begun)
    }

    use LoadEvent::{Answer, Echoed, Over, Stray};

    #[test]
    fn as_many_are_in_flight_as_may_and_each_is_noted() {
        let (loaded, begun) = told(
            Until::Told(1),
            3,
            &[&[Answer(2), Over(2, true)], &[Answer(1), Answer(3), Over(1, true)], &[Over(3, true)]],
        );
        assert_eq!((begun, loaded.lost, loaded.count), (3, 0, 3));
        assert_eq!((loaded.answered.len(), loaded.over.len()), (3, 3));
        assert_eq!(loaded.per_second.iter().sum::<u64>(), 3);
    }

    #[test]
    fn whatever_is_missing_late_or_doubled_is_counted_as_lost() {
        for (lost, events) in [
            (1, &[Answer(1), Over(1, false)][..]),
            (1, &[Over(1, true)]),
            (1, &[Answer(1), Answer(1), Over(1, true)]),
            (2, &[Over(1, true), Answer(1)]),
            (1, &[Answer(1), Over(1, true), Stray(1)]),
            (3, &[Answer(1), Over(1, true), Stray(3)]),
            (1, &[Answer(1), Over(1, true), Over(1, true)]),
            (1, &[Answer(1)]),
            (2, &[Answer(7)]),
        ] {
            assert_eq!(told(Until::Told(1), 1, &[events]).0.lost, lost, "{events:?}");
        }
    }

    #[test]
    fn where_nobody_says_that_it_is_over_it_is_when_all_has_come() {
        assert_eq!(told(Until::Answers(2), 1, &[&[Answer(1), Answer(1)]]).0.count, 1);
        for events in [[Answer(1), Echoed(1)], [Echoed(1), Answer(1)]] {
            let (loaded, _) = told(Until::AnswersAndEcho(1), 1, &[&events[..1], &events[1..]]);
            assert_eq!((loaded.count, loaded.lost), (1, 0), "{events:?}");
        }
        let (loaded, _) = told(Until::AnswersAndEcho(1), 1, &[&[Answer(1)]]);
        assert_eq!((loaded.count, loaded.lost), (0, 1));
    }

    #[test]
    fn a_time_ends_what_is_begun_and_counted_but_everything_is_waited_for() {
        let mut asker =
            Told { begun: 0, told: VecDeque::from([vec![Answer(1), Over(1, true), Answer(2), Over(2, true)]]) };
        let plan = LoadPlan { in_flight: 2, warm_up: 2, amount: Amount::Time(Duration::ZERO), until: Until::Told(1) };
        let loaded = load(&mut asker, &plan).unwrap();
        assert_eq!((asker.begun, loaded.count, loaded.lost), (2, 0, 0));
        assert!(loaded.per_second.is_empty());
    }

    #[test]
    fn a_second_of_the_time_in_which_nothing_ends_is_one_too() {
        let mut asker = Told { begun: 0, told: VecDeque::from([vec![Answer(1), Over(1, true)]]) };
        let time = Duration::from_millis(2_500);
        let plan = LoadPlan { in_flight: 1, warm_up: 0, amount: Amount::Time(time), until: Until::Told(1) };
        let loaded = load(&mut asker, &plan).unwrap();
        assert_eq!((loaded.per_second.len(), loaded.per_second.iter().sum::<u64>()), (3, loaded.count));
        assert_eq!((loaded.count, loaded.lost, loaded.time), (1, 1, time));
    }
}
