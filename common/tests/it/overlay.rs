//! The servent's mind at its doors: every limit reached, every role kept to, every deadline met.
//!
//! Inputs go in, outputs come out; there is no world here and no bytes. How minds work together is told by the stories
//! and judged by the simulator.

mod answers;
mod data;
mod deadlines;
mod flood;
mod holdings;
mod links;
mod names;
mod roles;
mod shares;

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::mind::*;
use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::link::LinkId;
use common::message::{Message, ServentId};
use common::overlay::{Dial, Input, Output};
use common::query::{Query, Tally};

/// When the next dial to a configured neighbor comes, and where it goes.
fn next_dial(mind: &mut Mind) -> (Duration, SocketAddr) {
    let start = mind.now;
    let due = mind.overlay.deadline().expect("a dial to come");
    mind.now = due;
    let out = mind.tell(Input::Deadline);
    let [Output::Dial { dial: Dial::Neighbor(0), address, dialect: Dialect::Native }] = out.as_slice() else {
        panic!("no dial: {out:?}")
    };
    (due.since(start), *address)
}

/// A mind with a neighbor that asks for clients far away, and what it says to a query of client `number`.
fn asked_for(mind: &mut Mind, neighbor: LinkId, sequence: u64, number: usize) -> (Vec<Output>, Tally) {
    asked_for_at(mind, neighbor, sequence, client_address(number))
}

/// The same for a client at an address of one's choice.
fn asked_for_at(mind: &mut Mind, neighbor: LinkId, sequence: u64, client: SocketAddr) -> (Vec<Output>, Tally) {
    let client = AnswerAddress { socket: client, dialect: Dialect::Native };
    let query = Query { client, contact: None, ..query(sequence, 0, tea()) };
    let mut out = mind.hear(neighbor, Message::query(query));
    match out.pop() {
        Some(Output::Send { link, message: Message::Echo(echo) }) if link == neighbor => (out, echo.tally),
        other => panic!("no echo: {other:?}"),
    }
}

fn answered() -> Tally {
    Tally { reached: 1, answers: 1, answer_sum: ServentId(OWN_ID).mark(), ..Tally::default() }
}

fn unanswered() -> Tally {
    Tally { reached: 1, lost: 1, ..Tally::default() }
}
