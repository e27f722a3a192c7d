//! What the ends of a link can do beyond the first version of the protocol, one bit each.
//!
//! It knows what a set of bits is. What a message needs is said by the message (`message`, `query`); what somebody
//! offered is kept where the link is (`link`, and `overlay/links` for neighbors).

/// A set of features: those somebody offered in a hello, or those it takes to understand something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u16);

impl Features {
    /// None of them: what everybody can do.
    pub const NONE: Features = Features(0);

    /// What those are called that were given out, each at the place of its bit: in the order of building, and none is
    /// ever given out again.
    pub const NAMES: &'static [&'static str] = &["back", "ttl", "members", "content", "writes", "name"];

    /// Answers that come back the way their query came.
    pub const BACK: Features = Features(1 << 0);

    /// Requests that say how far their query is to go.
    pub const TTL: Features = Features(1 << 1);

    /// Who is there: members, told and asked for.
    pub const MEMBERS: Features = Features(1 << 2);

    /// Contents: asked for, listed and given.
    pub const CONTENT: Features = Features(1 << 3);

    /// Changes that clients have their contact keep, and keys that they watch.
    pub const WRITES: Features = Features(1 << 4);

    /// Names of servents, beside what is brought and handed.
    pub const NAME: Features = Features(1 << 5);

    /// Those that were not: what they mean is known to those who come later.
    pub const NOT_GIVEN_OUT: Features = Features(u16::MAX << Features::NAMES.len());

    /// What a servent of this implementation offers that tells nobody who is there.
    pub const OF_SERVENTS: Features =
        Features::BACK.with(Features::TTL).with(Features::CONTENT).with(Features::WRITES).with(Features::NAME);

    /// What one offers that does, as all real ones do.
    pub const OF_MEMBERS: Features = Features::OF_SERVENTS.with(Features::MEMBERS);

    /// What a client of this implementation offers.
    pub const OF_CLIENTS: Features =
        Features::BACK.with(Features::MEMBERS).with(Features::CONTENT).with(Features::WRITES).with(Features::NAME);

    /// The features of a hello. Of those beyond what is kept nobody here knows what they are.
    #[must_use]
    pub fn from_bits(bits: u64) -> Features {
        let [.., high, low] = bits.to_be_bytes();
        Features(u16::from_be_bytes([high, low]))
    }

    /// The same as a hello says it.
    #[must_use]
    pub fn bits(self) -> u64 {
        u64::from(self.0)
    }

    /// These and others.
    #[must_use]
    pub const fn with(self, others: Features) -> Features {
        Features(self.0 | others.0)
    }

    /// These but others.
    #[must_use]
    pub(crate) const fn without(self, others: Features) -> Features {
        Features(self.0 & !others.0)
    }

    /// Whether all that is needed is among them.
    #[must_use]
    pub fn include(self, needed: Features) -> bool {
        self.0 & needed.0 == needed.0
    }
}

/// Features for tests of what takes one. They are the last that will be given out, so that none of them is one for long.
#[cfg(test)]
pub(crate) const MADE_UP: [Features; 3] = [Features(1 << 15), Features(1 << 14), Features(1 << 13)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_must_be_offered_bit_for_bit() {
        let features = Features::from_bits;
        for (offered, needed, expected) in
            [(0, 0, true), (5, 0, true), (5, 4, true), (5, 5, true), (5, 2, false), (5, 6, false), (0, 1, false)]
        {
            assert_eq!(features(offered).include(features(needed)), expected, "{offered} offered, {needed} needed");
        }
    }

    #[test]
    fn what_is_offered_was_given_out_and_what_tests_make_up_was_not() {
        for offered in [Features::OF_SERVENTS, Features::OF_MEMBERS, Features::OF_CLIENTS] {
            assert_eq!(offered.bits() & Features::NOT_GIVEN_OUT.bits(), 0, "{offered:?}");
        }
        let all = MADE_UP.into_iter().fold(Features::NONE, Features::with);
        assert!(Features::NOT_GIVEN_OUT.include(all));
        assert_eq!(all.bits().count_ones() as usize, MADE_UP.len(), "each is another");
        assert_eq!(all.with(MADE_UP[0]), all, "twice is once");
    }

    #[test]
    fn bits_beyond_those_kept_are_as_if_they_had_not_been_said() {
        assert_eq!(Features::from_bits(u64::MAX).bits(), u64::from(u16::MAX));
        assert_eq!(Features::from_bits(1 << 16), Features::NONE);
    }
}
