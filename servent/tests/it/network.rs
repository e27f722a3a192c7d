//! What strangers, clients and neighbors can do to a servent, and what it must do all the same.
//!
//! How a query travels and what is answered is tested in `common`; here it is sockets that are odd, slow, full or gone.
//! Every test ends with somebody else being served.

mod answers;
mod back;
mod bytes;
mod coming;
mod deaf;
mod flood;
mod roles;
mod slow;

use super::*;
use common::limits::FRAME_BYTES_MAX;
use common::query::Answer;

/// The first bytes of a connection.
const PREFACE: [u8; 4] = common::wire::PREFACE;

/// That a servent with [`tea`] serves a client that has done nothing wrong.
fn still_serves(address: SocketAddr) {
    let mut client = Peer::client(address, ANSWER_PORT);
    let sequence = client.request(ask("tea"));
    let answer = client.expect_answer();
    assert_eq!((answer.sequence, value(&answer), answer.hops), (sequence, &b"green"[..], 0));
}

fn value(answer: &Answer) -> &[u8] {
    match &answer.body {
        AnswerBody::Value(value) => value,
        AnswerBody::Place { .. } | AnswerBody::Entries(_) => panic!("{answer:?} and no value"),
    }
}

/// The announced length of a frame that does not follow.
fn length(bytes_count: usize) -> [u8; 4] {
    u32::try_from(bytes_count).unwrap().to_be_bytes()
}

/// Announces a frame of 100 bytes, and begins it.
fn half_a_frame() -> Vec<u8> {
    [&length(100)[..], &[4, 0, 0, 0]].concat()
}

fn hello(role: Role) -> Message {
    Message::Hello(Hello::new(role))
}
