//! A servent among nodes and clients that speak TP3: what it says to them to the byte, what it takes from them, and what
//! it must stand.
//!
//! The other side is played byte by byte (`support/tp3.rs`) and knows nothing of how the servent is made. The same
//! dialect from the side of our client is in `client/tests/it/tp3.rs`.

mod both;
mod bytes;
mod clients;
mod links;
mod seen;
mod texts;
mod words;

use std::net::{Ipv4Addr, SocketAddrV4};

use super::*;
use peers::tp3::{Answers, Client, Flood, Kind, TEXT_BYTES_MAX, Wire, attach, id, keyreq, resp, toporeq, unique};

/// What a client calls itself that is never answered, because nobody has what it asks for.
const NOBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9990);

/// A key no servent has.
const UNKNOWN: &str = "unicorn";

/// A servent that speaks TP3 too. `arguments` follow the port.
fn serve_tp3(arguments: &[&str]) -> Servent {
    serve(&[&["--tp3"], arguments].concat())
}

/// So many neighbors of a servent.
fn neighbors<const COUNT: usize>(servent: &Servent) -> [Wire; COUNT] {
    [(); COUNT].map(|()| Wire::neighbor(servent.address()))
}

/// That a servent with [`tea`] serves clients of both dialects that have done nothing wrong.
fn still_serves(servent: &Servent) {
    assert_eq!(Client::attach(servent.address()).value("tea"), b"green");
    assert_eq!(Peer::client(servent.address(), ANSWER_PORT).values("tea"), [b"green"]);
}

/// That two neighbors of a servent are linked with it, and that nothing is on its way from it to the second but what
/// was heard.
fn expect_nothing_more(one: &mut Wire, other: &mut Wire) {
    let flood = Flood::key(NOBODY, UNKNOWN, 1);
    one.pass_on(&flood);
    assert_eq!(other.hear_flood(), flood.with_ttl(0));
}

/// That a servent with [`tea`] has no further answer for a client whose floods come over `neighbor`.
fn expect_no_more_answers(neighbor: &mut Wire, answers: &Answers) {
    let flood = Flood::key(answers.address(), "tea", 0);
    neighbor.pass_on(&flood);
    assert_eq!(answers.next().sequence, flood.sequence);
    answers.expect_nobody();
}

fn own_name(servent: &Servent) -> Vec<u8> {
    servent.address().to_string().into_bytes()
}
