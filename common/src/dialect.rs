//! Which dialects there are, and the manners of each: what those who speak it do and leave undone.
//!
//! How a message looks in a dialect is `wire`. Above the wire nobody asks which dialect it is, but what its manners are:
//! so one more dialect is one row here and one codec there.

use std::time::Duration;

use crate::features::Features;
use crate::limits::{TP3_ANSWER_PAUSE, TP3_ANSWER_TRIES_MAX};

/// How bytes on a link are to be read, and how a client wants its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Our own, described in docs/PROTOCOL.md.
    Native,
    /// The course protocol the network descends from, described in docs/TP3.md.
    Tp3,
    /// One that only tests speak: what it takes to add it is what a dialect costs.
    #[cfg(test)]
    Toy,
}

/// What is customary in a dialect.
#[derive(Debug, PartialEq, Eq)]
pub struct Manners {
    /// What it is called.
    pub name: &'static str,
    /// What stands before the address of whoever speaks it; nothing before one of our own.
    pub scheme: &'static str,
    /// The option without which a servent does not speak it.
    pub option: &'static str,
    /// Its number in a native query, which says in which dialect the client hears answers. Never given to another.
    pub number: u32,
    /// What it takes to understand that number; whoever speaks the dialect does.
    pub needs: Features,
    /// The first bytes of whoever dials a servent; of none where it is told by being no other.
    pub opening_to_servent: &'static [u8],
    /// The first bytes of whoever dials a client, to bring an answer.
    pub opening_to_client: &'static [u8],
    /// Whether whoever is dialled says hello too. If not, it counts as said, by a servent that does not say who it is.
    pub answers_hello: bool,
    /// Whether a servent answers a ping, so that its silence means that it is gone.
    pub answers_ping: bool,
    /// Whether who asked is told what came of it: a servent by an echo, a client by its contact.
    pub echoes: bool,
    /// How an answer comes to its client.
    pub answers: Bringing,
    /// Whether answers go back from servent to servent, where that is wanted. If not, a query goes on over its links as one
    /// whose client is dialled.
    pub brings_back: bool,
    /// Whether an answer says what kind it is, and how far its servent is.
    pub answers_tell_kind: bool,
    /// Whether a client that comes anew numbers its requests from zero again.
    pub counts_from_zero: bool,
    /// Whether the path of a query is text.
    pub paths_are_text: bool,
}

/// How what is to be said is brought to somebody, such as an answer to its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bringing {
    /// Over a link that is kept for more of it. A client speaks first on one for its answers, and hears those of its contact
    /// over the link it asked on.
    Kept,
    /// Alone, over a connection of its own; answers from the contact too. Nothing is said there by whoever it is for:
    /// nothing shows that a client asked, and it knows a servent by the address alone that the answer comes from.
    Alone {
        /// How often one that refuses the connection is tried again.
        tries_max: u32,
        /// The pause between two tries.
        pause: Duration,
    },
}

static NATIVE: Manners = Manners {
    name: "the native protocol",
    scheme: "",
    option: "",
    number: 0,
    needs: Features::NONE,
    opening_to_servent: &[],
    opening_to_client: &[],
    answers_hello: true,
    answers_ping: true,
    echoes: true,
    answers: Bringing::Kept,
    brings_back: true,
    answers_tell_kind: true,
    counts_from_zero: false,
    paths_are_text: false,
};

static TP3: Manners = Manners {
    name: "TP3",
    scheme: "tp3://",
    option: "--tp3",
    number: 1,
    needs: Features::NONE,
    opening_to_servent: &[0, 4],
    opening_to_client: &[0, 9],
    answers_hello: false,
    answers_ping: false,
    echoes: false,
    answers: Bringing::Alone { tries_max: TP3_ANSWER_TRIES_MAX, pause: TP3_ANSWER_PAUSE },
    brings_back: false,
    answers_tell_kind: false,
    counts_from_zero: true,
    paths_are_text: true,
};

/// It has a little of both, and what neither has. Its number is the last that will be given out.
#[cfg(test)]
static TOY: Manners = Manners {
    name: "Toy",
    scheme: "toy://",
    option: "--toy",
    number: u32::MAX,
    needs: crate::features::MADE_UP[0],
    opening_to_servent: b"toy?",
    opening_to_client: b"toy!",
    answers_hello: true,
    answers_ping: false,
    echoes: true,
    answers: Bringing::Alone { tries_max: 1, pause: Duration::from_secs(1) },
    brings_back: false,
    answers_tell_kind: false,
    counts_from_zero: true,
    paths_are_text: false,
};

impl Dialect {
    /// Our own.
    pub const OWN: Dialect = Dialect::Native;

    /// All of them, our own first.
    pub const ALL: &'static [Dialect] = &[
        Dialect::Native,
        Dialect::Tp3,
        #[cfg(test)]
        Dialect::Toy,
    ];

    /// What is customary in it.
    #[must_use]
    pub fn manners(self) -> &'static Manners {
        match self {
            Dialect::Native => &NATIVE,
            Dialect::Tp3 => &TP3,
            #[cfg(test)]
            Dialect::Toy => &TOY,
        }
    }

    /// The dialect that an address says is spoken there, and the rest of it.
    #[must_use]
    pub fn told_by(address: &str) -> (Dialect, &str) {
        let others = Dialect::ALL.iter().copied().filter(|dialect| *dialect != Dialect::OWN);
        let told = others.map(|dialect| Some((dialect, address.strip_prefix(dialect.manners().scheme)?)));
        told.flatten().next().unwrap_or((Dialect::OWN, address))
    }

    /// The dialect of this number in a native query.
    #[must_use]
    pub fn of_number(number: u32) -> Option<Dialect> {
        Dialect::ALL.iter().copied().find(|dialect| dialect.manners().number == number)
    }
}

/// Some dialects, our own among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialects(u8);

impl Dialects {
    /// Our own and no other.
    pub const OWN: Dialects = Dialects(bit_of(Dialect::OWN));

    /// Every dialect there is.
    pub const ALL: Dialects = Dialects(u8::MAX);

    /// These and one more.
    #[must_use]
    pub const fn with(self, dialect: Dialect) -> Dialects {
        Dialects(self.0 | bit_of(dialect))
    }

    /// Each of them, our own first.
    pub fn each(self) -> impl Iterator<Item = Dialect> {
        Dialect::ALL.iter().copied().filter(move |dialect| self.include(*dialect))
    }

    /// Whether a dialect is among them.
    #[must_use]
    pub const fn include(self, dialect: Dialect) -> bool {
        self.0 & bit_of(dialect) != 0
    }
}

const _: () = assert!(Dialect::ALL.len() <= u8::BITS as usize, "each dialect has a bit");

const fn bit_of(dialect: Dialect) -> u8 {
    1 << dialect as u8
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_dialect_is_told_from_every_other() {
        let rows = || Dialect::ALL.iter().map(|dialect| dialect.manners());
        let count = Dialect::ALL.len();
        assert_eq!(rows().map(|row| row.name).collect::<BTreeSet<_>>().len(), count);
        assert_eq!(rows().map(|row| row.scheme).collect::<BTreeSet<_>>().len(), count);
        for (place, dialect) in Dialect::ALL.iter().enumerate() {
            assert_eq!(*dialect as usize, place, "what is kept by dialect is kept in this order");
            assert_eq!(Dialect::of_number(dialect.manners().number), Some(*dialect), "each has a number of its own");
        }
        // Whoever accepts a connection reads on until it is one opening or can be none.
        for openings in [
            rows().map(|row| row.opening_to_servent).collect::<Vec<_>>(),
            rows().map(|row| row.opening_to_client).collect(),
        ] {
            for (place, opening) in openings.iter().enumerate().skip(1) {
                assert!(!opening.is_empty());
                let others = openings.iter().enumerate().skip(1).filter(|(other, _)| *other != place);
                for (_, other) in others {
                    assert!(!other.starts_with(opening), "{opening:?} begins {other:?}");
                }
            }
        }
    }

    #[test]
    fn our_own_is_among_any_dialects_and_others_are_where_they_were_named() {
        for dialect in Dialect::ALL.iter().copied() {
            assert!(Dialects::ALL.include(dialect));
            let two = Dialects::OWN.with(dialect);
            for other in Dialect::ALL.iter().copied() {
                let is_named = other == dialect || other == Dialect::OWN;
                assert_eq!(two.include(other), is_named, "{other:?} where {dialect:?} was named");
            }
            let mut each = vec![Dialect::OWN, dialect];
            each.dedup();
            assert_eq!(two.each().collect::<Vec<_>>(), each);
        }
    }

    #[test]
    fn our_own_comes_first_and_is_told_by_being_no_other() {
        assert_eq!(Dialect::ALL.first(), Some(&Dialect::OWN));
        let own = Dialect::OWN.manners();
        assert_eq!((own.scheme, own.option, own.opening_to_servent, own.opening_to_client), ("", "", &[][..], &[][..]));
    }
}
