//! One row of the benchmark: what was measured, its floor, their ratio, and what is demanded of it.
//!
//! It knows nothing of how something is measured, nor of how it is told.

use std::fmt;

/// What came of the same measurement in several rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The one in the middle; of an even number the mean of both.
    pub median: f64,
    /// The smallest.
    pub min: f64,
    /// The largest.
    pub max: f64,
}

impl Spread {
    /// Nothing where nothing was measured, or what was is no number.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut samples: Vec<f64> = samples.into_iter().collect();
        samples.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*samples.first()?, *samples.last()?);
        let median = f64::midpoint(samples[(samples.len() - 1) / 2], samples[samples.len() / 2]);
        samples.iter().all(|sample| sample.is_finite()).then_some(Spread { median, min, max })
    }
}

/// What a target is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// The measured value divided by its floor.
    Ratio,
    /// The measured value itself.
    Value,
}

/// A demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// No more than this.
    AtMost(Of, f64),
    /// No less than this.
    AtLeast(Of, f64),
}

/// As in the table: what is not said to be about the value is about the ratio.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (of, sign, bound) = match self {
            Bound::AtMost(of, bound) => (of, "<=", bound),
            Bound::AtLeast(of, bound) => (of, ">=", bound),
        };
        let of = if *of == Of::Value { "value " } else { "" };
        write!(f, "{of}{sign} {bound}")
    }
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BenchRow {
    /// By which it is asked for.
    pub name: &'static str,
    /// What the value and the floor are in.
    pub unit: &'static str,
    /// What ours comes to, unless it was not measured.
    pub value: Option<Spread>,
    /// What it takes to be measured and is not there.
    pub not_measured: Option<&'static str>,
    /// What the least possible work comes to, where there is such a thing.
    pub floor: Option<Spread>,
    /// Ours divided by the floor of the same round.
    pub ratio: Option<Spread>,
    /// All that is demanded.
    pub targets: Vec<Bound>,
    /// How often each was measured.
    pub rounds: usize,
    /// Queries of which something was lost, came too late or twice.
    pub lost: u64,
}

impl BenchRow {
    /// A row of rounds, each ours and the floor's. Nothing where nothing was measured.
    #[must_use]
    pub fn of_pairs(name: &'static str, unit: &'static str, pairs: &[(f64, f64)], lost: u64) -> Option<BenchRow> {
        let row = BenchRow::of_values(name, unit, &pairs.iter().map(|(value, _)| *value).collect::<Vec<f64>>(), lost)?;
        let floor = Some(Spread::of(pairs.iter().map(|(_, floor)| *floor))?);
        let ratio = Some(Spread::of(pairs.iter().map(|(value, floor)| value / floor))?);
        Some(BenchRow { floor, ratio, ..row })
    }

    /// A row of rounds beside no floor.
    #[must_use]
    pub fn of_values(name: &'static str, unit: &'static str, values: &[f64], lost: u64) -> Option<BenchRow> {
        let value = Spread::of(values.iter().copied())?;
        let rounds = values.len();
        Some(BenchRow { value: Some(value), rounds, lost, ..BenchRow::empty(name, unit) })
    }

    /// A row that needs what is not on this machine. That is no fault of what would be measured.
    #[must_use]
    pub fn not_measured(name: &'static str, unit: &'static str, why: &'static str) -> BenchRow {
        BenchRow { not_measured: Some(why), ..BenchRow::empty(name, unit) }
    }

    fn empty(name: &'static str, unit: &'static str) -> BenchRow {
        BenchRow { name, unit, ..BenchRow::default() }
    }

    /// The same with one demand more.
    #[must_use]
    pub fn with_target(mut self, target: Bound) -> BenchRow {
        self.targets.push(target);
        self
    }

    /// Whether everything that is demanded is so, and that nothing is lost is demanded of every row. Nothing where nothing
    /// else is demanded and nothing was lost, or nothing was measured.
    #[must_use]
    pub fn is_met(&self) -> Option<bool> {
        let is_met = |target: &Bound| {
            let figure = |of: &Of| match of {
                Of::Ratio => self.ratio.map(|ratio| ratio.median),
                Of::Value => self.value.map(|value| value.median),
            };
            match target {
                Bound::AtMost(of, bound) => figure(of).is_some_and(|figure| figure <= *bound),
                Bound::AtLeast(of, bound) => figure(of).is_some_and(|figure| figure >= *bound),
            }
        };
        let is_demanded = !self.targets.is_empty() || self.lost > 0;
        (is_demanded && self.not_measured.is_none()).then(|| self.lost == 0 && self.targets.iter().all(is_met))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_no_mean_of_all() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([1.0, f64::NAN]), None);
        assert_eq!(Spread::of([9.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 9.0 }));
        assert_eq!(Spread::of([4.0, 1.0, 9.0, 2.0]), Some(Spread { median: 3.0, min: 1.0, max: 9.0 }));
    }

    #[test]
    fn a_ratio_is_that_of_one_round() {
        let row = BenchRow::of_pairs("x", "us", &[(30.0, 10.0), (100.0, 50.0), (8.0, 8.0)], 0).unwrap();
        assert_eq!([row.value, row.floor, row.ratio].map(|spread| spread.unwrap().median), [30.0, 10.0, 2.0]);
        assert_eq!(row.rounds, 3);
    }

    #[test]
    fn a_target_is_met_where_all_of_it_is_so_and_nothing_was_lost() {
        let row = BenchRow::of_pairs("x", "us", &[(30.0, 20.0)], 0).unwrap();
        assert_eq!(row.is_met(), None);
        assert_eq!(BenchRow { lost: 1, ..row.clone() }.is_met(), Some(false), "nothing else is demanded");
        let met = |targets: &[Bound]| BenchRow { targets: targets.to_vec(), ..row.clone() }.is_met();
        assert_eq!(met(&[Bound::AtMost(Of::Ratio, 1.5)]), Some(true));
        assert_eq!(met(&[Bound::AtMost(Of::Ratio, 1.49)]), Some(false));
        assert_eq!(met(&[Bound::AtLeast(Of::Ratio, 1.5)]), Some(true));
        assert_eq!(met(&[Bound::AtLeast(Of::Value, 30.5)]), Some(false));
        assert_eq!(met(&[Bound::AtMost(Of::Value, 30.0), Bound::AtMost(Of::Ratio, 1.0)]), Some(false));
        let lossy = BenchRow { lost: 1, targets: vec![Bound::AtMost(Of::Ratio, 2.0)], ..row };
        assert_eq!(lossy.is_met(), Some(false));
        let alone = BenchRow::of_values("x", "us", &[1.0], 0).unwrap().with_target(Bound::AtMost(Of::Ratio, 2.0));
        assert_eq!(alone.is_met(), Some(false), "there is no floor to compare with");
        let absent = BenchRow::not_measured("x", "us", "no valgrind").with_target(Bound::AtMost(Of::Value, 2.0));
        assert_eq!(absent.is_met(), None, "nobody can say");
    }
}
