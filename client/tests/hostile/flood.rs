//! A client at which more comes than anybody can be told, and more than it could hold.
//!
//! How much memory it takes is the system's word (`VmHWM`): the most it ever had.

use std::io::{Read, Write};
use std::process::Stdio;
use std::thread;

use common::dialect::Dialect;
use common::limits::VALUE_BYTES_MAX;
use common::message::Message;
use common::query::{Answer, AnswerBody, Tally};
use common::session::UNEXPECTED_TOLD_MAX;
use common::wire::Frame;
use peers::PATIENCE;
use rustix::process::Pid;
use serde_json::json;
use topologies::processes::memory_of;

use crate::support::IN_TIME;
use crate::support::fake::{Fake, Peer, asked_hash, marks_sum, tally};
use crate::support::process::{Client, prepared};

const MIB: usize = 1024 * 1024;
/// Twenty were seen to take a client from 3 MiB to 499 in a second.
const FLOODERS: usize = 8;

/// A thousand answers to a query nobody asked, and a ping, by which it can be told that they were read.
fn strange_answers(sequence: u64) -> Vec<u8> {
    let answer = Answer { sequence, asked: asked_hash(sequence), hops: 1, body: AnswerBody::Value(b"v".to_vec()) };
    let [answer, ping] =
        [Message::Answer(answer), Message::Ping].map(|message| Frame::new(Dialect::Native, &message).unwrap());
    [&answer.as_bytes().repeat(1_000)[..], ping.as_bytes()].concat()
}

#[test]
fn answers_nobody_asked_for_are_a_few_lines_and_a_number_and_take_no_memory() {
    let (_fake, mut contact, mut client) = Fake::with_client(&["--timeout", "20s"]);
    client.write("? k\n");
    let sequence = contact.request().sequence;
    let bytes = strange_answers(sequence.wrapping_add(7));
    let peers = [(); FLOODERS].map(|()| Peer::dial(contact.answer_address.unwrap(), "192.0.2.7:9"));
    // They begin during one query and go on for ever.
    let flood = |peer: &Peer| {
        let (mut out, mut back, bytes) = (peer.stream(), peer.stream(), bytes.clone());
        thread::spawn(move || while out.write_all(&bytes).is_ok() {});
        let (sender, pongs) = std::sync::mpsc::channel();
        thread::spawn(move || while matches!(back.read(&mut [0; 5]), Ok(1..)) && sender.send(()).is_ok() {});
        pongs
    };
    let floods: Vec<_> = peers.iter().map(flood).collect();
    for pongs in &floods {
        for _ in 0..2 {
            pongs.recv_timeout(PATIENCE).expect("the client does not read");
        }
    }
    // A real answer amid all that.
    let mut servent = Peer::dial(contact.answer_address.unwrap(), "192.0.2.8:9");
    servent.answer(sequence, b"green");
    contact.finish(sequence, tally(2, 1));
    let unexpected = "Unexpected message from 192.0.2.7:9";
    let mut lines = 0;
    let mut next = |client: &mut Client| {
        loop {
            let line = client.next_line();
            if line != unexpected {
                return line;
            }
            lines += 1;
        }
    };
    assert_eq!(next(&mut client), "green 192.0.2.8:9");
    let said = client.next_log();
    let more = said.strip_prefix("client: ").and_then(|said| said.strip_suffix(" more unexpected messages not shown"));
    let more = more.unwrap_or_else(|| panic!("{said}")).replace(',', "");
    assert!(more.parse::<u64>().unwrap() > 1_000, "{said}");
    // What waits since then is told of before the next query, and that has its answer too.
    client.write("? k\n");
    let sequence = contact.request().sequence;
    servent.answer(sequence, b"black");
    contact.finish(sequence, tally(2, 1));
    assert_eq!(next(&mut client), "black 192.0.2.8:9");
    client.next_log();
    assert_eq!(lines, 2 * UNEXPECTED_TOLD_MAX);
    let peak = client.peak_bytes();
    assert!(peak < 24 * MIB, "{} MiB", peak / MIB);
    drop(peers);
}

#[test]
fn json_has_the_number_too() {
    let (_fake, mut contact, mut client) = Fake::with_client(&["--json", "-c", "? k"]);
    let sequence = contact.request().sequence;
    let messages_count = 1_000;
    for _ in 0..messages_count {
        contact.answer(sequence.wrapping_sub(1), b"v");
    }
    contact.finish(sequence, tally(1, 0));
    for _ in 0..UNEXPECTED_TOLD_MAX {
        assert_eq!(client.next_json()["type"], "unexpected");
    }
    assert_eq!(client.next_json(), json!({"type": "unexpected_more", "count": messages_count - UNEXPECTED_TOLD_MAX}));
    assert_eq!(client.next_json()["reason"], "complete");
    let run = client.finish();
    assert_eq!((run.log.as_str(), run.code), ("", 1), "stdout says it");
}

#[test]
fn megabytes_half_said_keep_nobody_else_from_answering() {
    let (_fake, mut contact, mut client) = Fake::with_client(&["--timeout", "20s", "-c", "? k"]);
    let (address, sequence) = (contact.answer_address.unwrap(), contact.request().sequence);
    let answer = |value: &[u8]| {
        let body = AnswerBody::Value(value.to_vec());
        Frame::new(Dialect::Native, &Message::Answer(Answer { sequence, asked: asked_hash(sequence), hops: 1, body }))
            .unwrap()
    };
    let whole = answer(&vec![b'v'; VALUE_BYTES_MAX]);
    // Each says a megabyte but for its last byte.
    let half_said = |_| {
        let peer = Peer::dial(address, "192.0.2.7:9");
        let (mut stream, bytes) = (peer.stream(), whole.as_bytes().to_vec());
        let writing = thread::spawn(move || drop(stream.write_all(&bytes[..bytes.len() - 1])));
        (peer, writing)
    };
    let crowd: Vec<_> = (0..200).map(half_said).collect();
    // Whoever comes from elsewhere does not wait for all of them.
    let mut servent = Peer::dial_from([127, 0, 0, 9], address, "192.0.2.8:9");
    let value = vec![b'w'; VALUE_BYTES_MAX];
    servent.answer(sequence, &value);
    let line = client.next_line();
    assert!(line.starts_with("www") && line.ends_with("w 192.0.2.8:9"), "{}", &line[line.len() - 20..]);
    let peak = client.peak_bytes();
    assert!(peak < 64 * MIB, "{} MiB", peak / MIB);
    contact.finish(sequence, tally(2, 1));
    assert_eq!(client.finish().code, 0);
    for (peer, writing) in crowd {
        drop(peer);
        writing.join().unwrap();
    }
}

#[test]
fn an_output_that_is_read_slowly_loses_nothing_and_takes_no_memory() {
    let fake = Fake::listen();
    let (_home, mut command) = prepared([&*fake.name(), "--timeout", "20s", "-c", "? k"]);
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let mut contact = fake.attach();
    let (address, sequence) = (contact.answer_address.unwrap(), contact.request().sequence);
    let answers_count = 32;
    // All are there before the first answer is printed: a client whose output is not read reads nothing either.
    let names: Vec<String> = (1..=answers_count).map(|number| format!("192.0.2.{number}:9")).collect();
    let peers: Vec<Peer> = names.iter().map(|name| Peer::dial(address, name)).collect();
    let answer_sum = marks_sum(&names.iter().map(|name| name.parse().unwrap()).collect::<Vec<_>>());
    let answer = |mut peer: Peer| {
        thread::spawn(move || {
            peer.answer(sequence, &vec![b'v'; VALUE_BYTES_MAX]);
            peer
        })
    };
    let answering: Vec<_> = peers.into_iter().map(answer).collect();
    contact.finish(sequence, Tally { answer_sum, ..tally(answers_count, answers_count) });
    let mut out = child.stdout.take().unwrap();
    // Nothing is read until the client has answers to print; and then a little at a time.
    let (mut bytes_count, mut lines_count, mut buffer) = (0, 0, vec![0; 16 * 1024]);
    let mut peak = 0;
    loop {
        let count = out.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        bytes_count += count;
        lines_count += buffer[..count].iter().filter(|byte| **byte == b'\n').count();
        // It may have ended.
        if let Ok(memory) = memory_of(Pid::from_child(&child)) {
            peak = memory.most;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(lines_count as u64, answers_count);
    assert!(bytes_count > VALUE_BYTES_MAX * lines_count);
    assert!(peak > 0 && peak < 33 * MIB, "{} MiB", peak / MIB);
    answering.into_iter().for_each(|answering| drop(answering.join().unwrap()));
}

#[test]
fn nobody_is_found_silent_while_the_client_is_not_listening() {
    let fake = Fake::listen();
    let (_home, mut command) = prepared([&*fake.name(), "--timeout", IN_TIME, "-c", "? k"]);
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let mut contact = fake.attach();
    let sequence = contact.request().sequence;
    let mut servent = Peer::dial(contact.answer_address.unwrap(), "192.0.2.7:9");
    contact.answer(sequence, &vec![b'v'; VALUE_BYTES_MAX]);
    let mut out = child.stdout.take().unwrap();
    // Once its first byte is there the client is printing, and stays so: the value is longer than any pipe.
    out.read_exact(&mut [0]).unwrap();
    let second = thread::spawn(move || {
        servent.answer(sequence, &vec![b'w'; VALUE_BYTES_MAX]);
        contact.finish(sequence, tally(2, 2));
        (contact, servent)
    });
    // More than that silence passes: it is how long another client waits for nothing.
    let (_silent, _mute, clock) = Fake::with_client(&["--timeout", "4s", "-c", "? k"]);
    assert_eq!(clock.finish().code, 5);
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("w 192.0.2.7:9\n"), "{}", &rest[rest.len() - 40..]);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    second.join().unwrap();
}
