//! What is wrong with an order of lines, as sentences: the first of them, and how many there are.

/// So many are told one by one: where one line is wrong many that come after it may be.
pub const DIFFERENCES_TOLD_MAX: usize = 100;

/// What is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    first: Vec<String>,
    count: u64,
}

impl Differences {
    /// One more. It is put into words only if it is told.
    pub(super) fn add(&mut self, what: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < DIFFERENCES_TOLD_MAX {
            self.first.push(what());
        }
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// A sentence for each of the first, and one for those that come after them.
    pub fn told(&self) -> impl Iterator<Item = String> {
        let more = self.count - self.first.len() as u64;
        let more = (more > 0).then(|| format!("and {more} more of the kind"));
        self.first.iter().cloned().chain(more)
    }
}
