//! What clients have that write: where each lives, what it is to say yet, and what it watches.
//!
//! Who comes, says something and goes is performed by `writers`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::random::Random;
use crate::scene::Scene;

// What the stream of a writer is for.
const PAUSES: u64 = 0x776f_726c_640d_0000;
/// Who one is: its contact, and which of its clients; nothing where it is one from elsewhere.
pub(super) type WriterName = (u32, Option<u32>);

/// All of them.
#[derive(Default)]
pub(super) struct WritingClients {
    pub(super) all: Vec<Writer>,
    pub(super) by_node: BTreeMap<usize, usize>,
}

/// One of them.
pub(super) struct Writer {
    pub(super) name: WriterName,
    pub(super) random: Random,
    pub(super) node: Option<usize>,
    pub(super) is_ready: bool,
    /// The turns it has come, which are different sessions.
    pub(super) turns: u64,
    /// Writes that are to be said, by their places among all.
    pub(super) waiting: VecDeque<usize>,
    /// Its watches, by their numbers.
    pub(super) watched: BTreeMap<u64, &'static str>,
    /// What it asks for in the end.
    pub(super) last_asks: bool,
}

impl WritingClients {
    pub(super) fn new(scene: &Scene) -> WritingClients {
        let names: BTreeSet<WriterName> = scene.writes.iter().map(|write| (write.contact, write.writer)).collect();
        let writer = |name: WriterName| Writer {
            name,
            random: Random::of(scene.plan.seed ^ PAUSES, number_of(name)),
            node: None,
            is_ready: false,
            turns: 0,
            waiting: VecDeque::new(),
            watched: BTreeMap::new(),
            last_asks: false,
        };
        WritingClients { all: names.into_iter().map(writer).collect(), ..WritingClients::default() }
    }

    /// Who lives at a node, if it is one of them.
    pub(super) fn at(&self, node: usize) -> Option<usize> {
        let writer = self.by_node.get(&node).copied()?;
        self.all.get(writer)?.node.filter(|lives| *lives == node)?;
        Some(writer)
    }

    pub(super) fn of(&self, name: WriterName) -> Option<usize> {
        self.all.iter().position(|writer| writer.name == name)
    }
}

impl Writer {
    pub(super) fn on_ready(&mut self) {
        self.is_ready = true;
    }
}

/// A number that no other has.
pub(super) fn number_of((contact, writer): WriterName) -> u64 {
    u64::from(contact) << 8 | writer.map_or(0, |writer| u64::from(writer) + 1)
}
