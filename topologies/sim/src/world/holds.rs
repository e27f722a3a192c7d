//! How many do the same thing to something at the same time: it is over when the last of them ends it.

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holds(u32);

impl Holds {
    pub(super) fn is_held(self) -> bool {
        self.0 > 0
    }

    /// One more begins, or one ends. False where none had begun, which is a fault of whoever ends it.
    #[must_use]
    pub(super) fn change(&mut self, begins: bool) -> bool {
        let changed = if begins { self.0.checked_add(1) } else { self.0.checked_sub(1) };
        self.0 = changed.unwrap_or(self.0);
        changed.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_hold_is_over_when_both_have_ended_it_and_once_only() {
        let mut holds = Holds::default();
        let steps = [true, true, false, false, false].map(|begins| (holds.change(begins), holds.is_held()));
        assert_eq!(steps, [(true, true), (true, true), (true, true), (true, false), (false, false)]);
    }
}
