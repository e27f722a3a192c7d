//! All entries of a database, added up: whoever has read each of them knows by the sum that they are what was written.
//!
//! The sum of a hash of each, as `AdHash` has it (docs/PROTOCOL.md, Sources): whatever changes an entry changes the sum without a
//! look at the others. It tells damage, and nobody who means harm: whoever can write entries can write their sum.

use twox_hash::XxHash3_64;

/// What entries add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EntriesSum(u64);

/// What is kept of a key or a name.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SummedEntry<'a> {
    /// A key with its value, or with nothing.
    Value(&'a [u8], Option<&'a [u8]>),
    /// A file with its description.
    Description(&'a [u8], &'a [u8]),
}

impl EntriesSum {
    /// As it was written down.
    pub(crate) fn of(number: u64) -> EntriesSum {
        EntriesSum(number)
    }

    /// As it is written down.
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    pub(crate) fn add(&mut self, entry: SummedEntry<'_>) {
        self.0 = self.0.wrapping_add(entry.hash());
    }

    pub(crate) fn take_away(&mut self, entry: SummedEntry<'_>) {
        self.0 = self.0.wrapping_sub(entry.hash());
    }
}

impl SummedEntry<'_> {
    fn hash(self) -> u64 {
        let (kind, name, kept) = match self {
            SummedEntry::Value(key, Some(value)) => (0, key, value),
            SummedEntry::Value(key, None) => (1, key, &[][..]),
            SummedEntry::Description(name, text) => (2, name, text),
        };
        // Each by itself: what is moved from one to the other is another entry.
        XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot_with_seed(kind, kept), name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(entries: &[SummedEntry<'_>]) -> EntriesSum {
        let mut sum = EntriesSum::default();
        entries.iter().for_each(|entry| sum.add(*entry));
        sum
    }

    #[test]
    fn each_other_entry_adds_up_to_something_else() {
        let entries = [
            SummedEntry::Value(b"tea", Some(b"green")),
            SummedEntry::Value(b"tea", Some(b"grees")),
            SummedEntry::Value(b"teag", Some(b"reen")),
            SummedEntry::Value(b"tea", Some(b"")),
            SummedEntry::Value(b"tea", None),
            SummedEntry::Description(b"tea", b"green"),
            SummedEntry::Description(b"tea", b""),
        ];
        for (place, one) in entries.iter().enumerate() {
            assert_ne!(sum(&[*one]), EntriesSum::default(), "{one:?}");
            for other in &entries[place + 1..] {
                assert_ne!(sum(&[*one]), sum(&[*other]), "{one:?} {other:?}");
                assert_eq!(sum(&[*one, *other]), sum(&[*other, *one]), "in any order");
                let mut left = sum(&[*one, *other]);
                left.take_away(*one);
                assert_eq!(left, sum(&[*other]));
            }
            assert_ne!(sum(&[*one, *one]), sum(&[*one]), "twice is not once");
        }
    }
}
