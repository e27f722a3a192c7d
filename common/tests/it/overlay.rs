//! The servent's mind at its doors: every limit reached, every role kept to, every deadline met.
//!
//! Inputs go in, outputs come out; there is no world here and no bytes. How minds work together is told by the stories
//! and judged by the simulator.

mod answers;
mod back;
mod called;
mod clock;
mod contents;
mod data;
mod deadlines;
mod events;
mod flood;
mod holdings;
mod links;
mod members;
mod names;
mod roles;
mod shares;
mod uploads;
mod writes;

use super::*;
use common::address::Neighbor;
use common::disk::{Job, JobDone};

impl Mind {
    /// What comes of a query that a neighbor brings for a client far away, and what the echo tells of it.
    fn asked_for(&mut self, neighbor: LinkId, sequence: u64, client: usize) -> (Vec<Output>, Tally) {
        self.asked_for_at(neighbor, sequence, client_address(client))
    }

    /// The same for a client at an address of one's choice.
    fn asked_for_at(&mut self, neighbor: LinkId, sequence: u64, client: SocketAddr) -> (Vec<Output>, Tally) {
        let client = AnswerAddress { socket: client, dialect: Dialect::Native };
        let query = Query { client, contact: None, ..query(sequence, 0, tea()) };
        let mut out = self.hear(neighbor, Message::query(query));
        match out.pop() {
            Some(Output::Send { link, message: Message::Echo(echo) }) if link == neighbor => (out, echo.tally),
            other => panic!("no echo: {other:?}"),
        }
    }

    /// When the next dial to a configured neighbor comes, and where it goes.
    fn next_dial(&mut self) -> (Duration, SocketAddr) {
        let start = self.now;
        let due = self.overlay.deadline().expect("a dial to come");
        self.now = due;
        let out = self.tell(Input::Deadline);
        let [Output::Dial { dial: Dial::Neighbor(0), address, dialect: Dialect::Native }] = out.as_slice() else {
            panic!("no dial: {out:?}")
        };
        (due.since(start), *address)
    }
}

fn answered() -> Tally {
    Tally { reached: 1, answers: 1, answer_sum: ServentId(OWN_ID).mark(), ..Tally::default() }
}

fn unanswered() -> Tally {
    Tally { reached: 1, lost: 1, ..Tally::default() }
}
