//! What a servent remembers of queries, at its mind's door: how each copy is judged by it, whose it is, when it goes, and what
//! there is room for.
//!
//! The rules are those of docs/PROTOCOL.md, "A copy" and "What is remembered". That minds which keep to them answer nothing
//! twice is the simulator's to show.

mod ages;
mod contact;
mod copies;
mod requests;
mod shares;

use super::*;
use common::query::ContactMark;

fn spoilt() -> Tally {
    Tally { lost: 1, spoilt: 1, ..Tally::default() }
}

fn heard_silently() -> Tally {
    Tally { duplicates: 1, silent: 1, ..Tally::default() }
}

/// A query with this mark.
fn marked(sequence: u64, mark: ContactMark) -> Query {
    Query { contact: Some(mark), ..query(sequence, 1, milk()) }
}

fn unmarked(sequence: u64) -> Query {
    Query { contact: None, ..query(sequence, 1, milk()) }
}

impl Mind {
    /// Has a client ask, and gives the query that goes to the neighbors.
    fn asked(&mut self, client: LinkId, sequence: u64) -> Query {
        passed_on_in(&self.hear(client, request(sequence))).1
    }

    /// The mark of what a client asks next.
    fn next_mark(&mut self, client: LinkId, sequence: u64) -> ContactMark {
        self.asked(client, sequence).contact.unwrap()
    }

    /// Lets beats go by in which only these neighbors are heard, and gives what is done in them.
    fn beats(&mut self, neighbors: &[LinkId], count: u32) -> Vec<Output> {
        let mut out = Vec::new();
        for _ in 0..count {
            neighbors.iter().for_each(|link| assert_eq!(self.hear(*link, Message::Pong), []));
            out.extend(self.pass_and_see(NEIGHBOR_BEAT));
        }
        out
    }
}
