//! A client that writes and reads nothing of what came of it. Others write and are answered all the while.

use std::io::{ErrorKind, Write as _};

use super::*;
use common::limits::{CLIENT_UNSENT_BYTES_MAX, VALUE_BYTES_MAX, WRITES_WAITING_BYTES_MAX};

/// Writes in one turn, between which others are served.
const AT_ONCE: u64 = 10_000;
/// What came of these is more than may wait for it, and more than the system has room for beside that (seen: after 390,000).
const WRITES_MAX: u64 = 1_500_000;

/// Hardly reads, and says writes in bulk. What is told of one has as many bytes as it can.
struct Unread {
    peer: Peer,
    said_count: u64,
}

impl Unread {
    fn at(contact: SocketAddr) -> Unread {
        let mut peer = Peer::stranger_that_hardly_reads(contact);
        peer.greet_offering(Role::Client { answer_port: 0 }, Features::OF_CLIENTS);
        Unread { peer, said_count: 0 }
    }

    /// Says so many. False where the contact has ended the link.
    fn say(&mut self, change: &Change, count: u64) -> bool {
        let sequences = self.said_count..self.said_count + count;
        self.said_count += count;
        let write = |number| Message::Write(WriteSaid { sequence: u64::MAX - number, change: change.clone() });
        let bytes: Vec<u8> = sequences.flat_map(|number| frame(&write(number))).collect();
        match self.peer.stream().write_all(&bytes) {
            Ok(()) => true,
            Err(error) if [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()) => false,
            Err(error) => panic!("after {} writes: {error}", self.said_count),
        }
    }
}

/// That it writes until its link is ended for what it does not read, and that others write and are answered meanwhile.
fn loses_its_link(change: &Change) {
    let place = StorePlace::new();
    let mut servent = Process::serve_saying_all(&["-", "--store", &place.database()]);
    let mut other = Writer::at(servent.address);
    assert_eq!(other.put("tea", "0"), WriteOutcome::Stored);
    let mut unread = Unread::at(servent.address);
    let mut turn = 0;
    while unread.say(change, AT_ONCE) {
        assert!(unread.said_count < WRITES_MAX, "what came of all these is kept for one that does not read");
        // It hears a little, or it may be taken for a machine that is gone.
        unread.peer.take_in();
        turn += 1;
        assert_eq!(other.put("tea", turn.to_string()), WriteOutcome::Replaced);
        assert_eq!(values(servent.address, "tea"), [turn.to_string().as_bytes()]);
    }
    let why = format!("it does not read: {CLIENT_UNSENT_BYTES_MAX} bytes are the most that may wait for it");
    servent.wait_for_log(&format!("left: {why}"), 1);
    assert_eq!(other.put("tea", "green"), WriteOutcome::Replaced);
    ended(servent);
}

#[test]
fn whoever_reads_nothing_of_what_is_known_at_once_loses_its_link() {
    loses_its_link(&Change::Delete { key: Key::new(b"k").unwrap() });
}

#[test]
fn whoever_reads_nothing_of_what_is_stored_loses_its_link() {
    loses_its_link(&put("k", ""));
}

/// Each of these takes long to be on the disk, so it is not read until there is room again, and keeps its link.
#[test]
fn whoever_writes_faster_than_the_disk_and_reads_nothing_has_all_of_it_kept() {
    const WRITES: usize = 4 * WRITES_WAITING_BYTES_MAX / VALUE_BYTES_MAX;
    let place = StorePlace::new();
    let servent = place.serve("-");
    let mut other = Writer::at(servent.address);
    let mut unread = Unread::at(servent.address);
    let writing = thread::spawn(move || {
        let change = put("large", vec![b'x'; VALUE_BYTES_MAX]);
        assert!((0..WRITES).all(|_| unread.say(&change, 1)));
        unread.peer
    });
    while !writing.is_finished() {
        assert!(!matches!(other.put("tea", "green"), WriteOutcome::Refused(_)));
        assert_eq!(values(servent.address, "tea"), [b"green"]);
    }
    let mut peer = writing.join().unwrap();
    for number in 0..WRITES {
        let outcome = if number == 0 { WriteOutcome::Stored } else { WriteOutcome::Replaced };
        let sequence = u64::MAX - number as u64;
        assert_eq!(peer.expect(), Message::Written(Written { sequence, outcome }));
    }
    ended(servent);
}
