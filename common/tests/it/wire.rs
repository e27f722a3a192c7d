//! The native dialect, byte for byte: golden bytes of every message, and what holds for all messages and all bytes.
//!
//! It sees frames and links from outside, as a program does. What a link keeps, queues and refuses is `link.rs`; how
//! much memory bytes can cost is `tests/allocation`; docs/PROTOCOL.md explains the bytes, and its examples and its table
//! of limits are read from here, so that the page cannot drift away from the code.
//!
//! To check a golden line by hand: the first four bytes are the length of the rest. A stamp follows, a number that is 0
//! so far, but for the first frame of a side: a hello, or a goodbye instead. A *number* up to 250 is one byte;
//! 251 (`fb`) says that two bytes follow, 252 (`fc`) four and 253 (`fd`) eight, the highest first. `stopped`, the only
//! number that may be negative, is doubled first (-1 is 1, 1 is 2, -2 is 3). Which of several things follows is a
//! number too, counted from 0 in the order of the enum in `wire/native.rs`: message 05 is a query, address 00 is IPv4
//! and 01 IPv6. A run of bytes or addresses is preceded by its count. `ttl`, `hops`, servent ids and ips are bytes as
//! they are. So `00  04  fb 0100  00 03 666f78` is a request (04) numbered 256 (`fb 0100`) for a key (00) of 3 bytes, fox.
//!
//! A property that fails prints its smallest case; `PROPTEST_RNG_SEED=<u64>` repeats a run, `PROPTEST_CASES=<n>` is
//! how long it looks.

mod any;
mod blocks;
mod contents;
mod cutting;
mod golden;
mod malformed;
mod page;
mod writes;

use super::*;
use crate::support::frames::{framed, greeted, opening_hello};
use crate::support::mind::mark;
use common::content::ContentHash;
use common::content::search::{Entries, Entry, FileName, HashStart, List, ListPart, Words};
use common::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Have, Open, Opened, Refused};
use common::features::Features;
use common::limits::{BROUGHT_BYTES_MAX, KEY_BYTES_MAX, NEIGHBORS_MAX, PATH_ADDRESSES_MAX};
use common::member::{
    Greet, GreetOutcome, Greeted, Linkage, Member, Peers, PeersKind, PeersWanted, Seen, Word, WordAt,
};
use common::message::{Brought, Handed, Identity};
use common::query::{BroughtAnswer, BroughtBody, ContactName};
use common::servent_name::ServentName;

/// A preface and a hello, because before a hello no long frame may come; then the messages.
fn stream_of(messages: &[Message]) -> Vec<u8> {
    let mut stream = [PREFACE.to_vec(), frame_at(Position::First, &opening_hello())].concat();
    stream.extend(messages.iter().flat_map(frame));
    stream
}

/// A body that is not the first of its side.
fn stamped(hex: &str) -> Vec<u8> {
    [bytes("00"), bytes(hex)].concat()
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn named(text: &str) -> ServentName {
    ServentName::try_from(text).expect("a name")
}

fn client(text: &str) -> AnswerAddress {
    answer_address(address(text))
}

fn answer_address(socket: SocketAddr) -> AnswerAddress {
    AnswerAddress { socket, dialect: Dialect::Native }
}

fn key_of(text: &str) -> Key {
    Key::new(text.as_bytes()).expect("a key")
}

fn key(text: &str) -> Ask {
    ask_for(text.as_bytes())
}

fn ask_for(key: &[u8]) -> Ask {
    Ask::Key(Key::new(key).expect("a key"))
}

fn find(words: &[&str]) -> Ask {
    Ask::Find(Words::new(words.iter().map(|word| word.as_bytes())).expect("words"))
}

fn file_name(name: &[u8]) -> FileName {
    FileName::new(name).expect("a name")
}

fn entry_of(name: &[u8], size: u64, hash: ContentHash, description: &[u8], have: Have) -> Entry {
    Entry { name: file_name(name), size, hash, description: description.to_vec(), have }
}

/// Bytes as hex digits: a difference in them can be read.
fn shown(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x} ")).collect()
}

/// That as many are heard as there may be, and that one more is refused in these words; `body` is given how many.
#[track_caller]
fn assert_limit(count_max: usize, body: impl Fn(usize) -> Vec<u8>, words: &str) {
    let heard = |count| heard_by(&mut greeted(), &framed(&[bytes("00"), body(count)].concat()));
    assert!(heard(count_max).is_ok(), "{count_max}: {:?}", heard(count_max));
    assert_eq!(heard(count_max + 1), is_malformed(words));
}

/// A number of bytes, and then so many of them.
fn run_of(count: usize, byte: u8) -> Vec<u8> {
    [&[0xfc], u32::try_from(count).unwrap().to_be_bytes().as_slice(), &vec![byte; count]].concat()
}

fn is_malformed(words: &str) -> Result<Vec<Message>, WireError> {
    Err(WireError::Malformed(words.to_owned()))
}
