//! Who a servent is: what tells one from another, and what stands for one in a sum.

use std::num::NonZeroU64;

use crate::random::split_mix;

/// Who a servent is, whatever its addresses: random, new at every start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServentId(pub u128);

impl ServentId {
    /// What stands for a servent in a sum over many: the exclusive or of the two halves, mixed, so that ids that have
    /// much in common add up to nothing that others do.
    #[must_use]
    pub fn mark(self) -> u64 {
        split_mix(self.folded())
    }

    /// The two halves in one: as random as either.
    #[must_use]
    pub fn folded(self) -> u64 {
        let half = |shift| u64::try_from((self.0 >> shift) & u128::from(u64::MAX)).unwrap_or_default();
        half(64) ^ half(0)
    }
}

/// Half of a servent id: enough to tell one servent from another, though not to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(NonZeroU64);

impl Identity {
    /// Stands for whoever is at an address of which nobody has said who is there. A servent draws it no more likely than
    /// any other.
    pub(crate) const UNKNOWN: Identity = Identity(NonZeroU64::MAX);

    /// The one of these bits. There is none of 0: that is the greatest.
    #[must_use]
    pub fn of_bits(bits: u64) -> Identity {
        Identity(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MAX))
    }

    /// Whether nobody has said who it is.
    #[must_use]
    pub fn is_unknown(self) -> bool {
        self == Identity::UNKNOWN
    }

    /// Its bits.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0.get()
    }
}

impl From<ServentId> for Identity {
    fn from(id: ServentId) -> Identity {
        Identity::of_bits(id.folded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_of_a_servent_id_tell_it_apart() {
        let folded = |high: u64, low: u64| ServentId(u128::from(high) << 64 | u128::from(low)).folded();
        assert_eq!(folded(0b0110, 0b0101), 0b0011);
        assert_eq!(folded(1 << 63, 1), 1 << 63 | 1);
        assert_eq!(folded(7, 7), 0);
    }
}
