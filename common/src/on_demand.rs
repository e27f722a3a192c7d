//! Something that most servents have none of at most times, and that costs a pointer until they do.

/// A value that is made when it is first asked for.
#[derive(Clone, Debug)]
pub(crate) struct OnDemand<T>(Option<Box<T>>);

impl<T> Default for OnDemand<T> {
    fn default() -> OnDemand<T> {
        OnDemand(None)
    }
}

impl<T: Default> OnDemand<T> {
    /// The value, if there is one.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    /// The value to change, if there is one.
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// The value, made now if there is none.
    pub(crate) fn make(&mut self) -> &mut T {
        self.0.get_or_insert_with(OnDemand::made)
    }

    /// Kept out of all the ways that ask for the value: it happens once on one of them, and what it makes is large.
    #[cold]
    #[inline(never)]
    fn made() -> Box<T> {
        Box::default()
    }

    /// Gives the value up.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}
