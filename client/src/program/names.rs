//! What servents are called, as far as this program has heard it, for addresses that are shown to a person.
//!
//! A name is a claim and stands beside an address, never in its place. Programs are told names in JSON; lines for them have
//! addresses alone.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use common::servent_name::ServentName;

/// Names that are remembered. Of further servents one takes the place of another, which says so again when it answers.
const NAMES_HEARD_MAX: usize = 4096;

/// By the addresses they go by.
#[derive(Debug, Default)]
pub(crate) struct NamesHeard(BTreeMap<SocketAddr, ServentName>);

impl NamesHeard {
    /// A servent has said what it is called, or that it is not called anything.
    pub(crate) fn note(&mut self, servent: SocketAddr, name: Option<&ServentName>) {
        match name {
            None => {
                self.0.remove(&servent);
            }
            Some(name) => {
                if self.0.len() >= NAMES_HEARD_MAX && !self.0.contains_key(&servent) {
                    self.0.pop_first();
                }
                self.0.insert(servent, name.clone());
            }
        }
    }

    pub(crate) fn of(&self, servent: SocketAddr) -> Option<&ServentName> {
        self.0.get(&servent)
    }

    /// Its address, with its name where that is known: `127.0.0.1:9001 (kitchen)`.
    pub(crate) fn called(&self, servent: SocketAddr) -> String {
        self.of(servent).map_or_else(|| servent.to_string(), |name| format!("{servent} ({name})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_beside_addresses_and_so_many_are_remembered() {
        let at = |port: usize| SocketAddr::from(([127, 0, 0, 1], u16::try_from(port).unwrap()));
        let name = |name: &str| ServentName::try_from(name).unwrap();
        let mut names = NamesHeard::default();
        for port in 1..=NAMES_HEARD_MAX + 1 {
            names.note(at(port), Some(&name("kitchen")));
        }
        assert_eq!(names.0.len(), NAMES_HEARD_MAX);
        assert_eq!(names.called(at(1)), "127.0.0.1:1");
        assert_eq!(names.called(at(NAMES_HEARD_MAX + 1)), "127.0.0.1:4097 (kitchen)");
        names.note(at(2), Some(&name("\x1b[2J")));
        assert_eq!(names.called(at(2)), "127.0.0.1:2 (\\x1b[2J)");
        names.note(at(2), None);
        assert_eq!(names.called(at(2)), "127.0.0.1:2");
    }
}
