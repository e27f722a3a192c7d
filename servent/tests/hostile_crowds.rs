//! Crowds at a servent's door: many who do nothing, more than it takes, more than it has descriptors for, and many who
//! are as slow as can be. Whoever does nothing wrong is served all the while.
//!
//! Those at the other end of its own dials, and those who vanish, are in `hostile_silence.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use common::address::Dialect;
use common::config::{CONNECTIONS_MAX, KEY_BYTES_MAX};
use common::message::{Hello, Message, Role};
use common::wire::PREFACE;
use rustix::process::{Resource, getrlimit};
use servent::sockets::raise_descriptor_limit;

use support::{DataFile, Peer, Process, ask, frame, logged, serve};

/// A port nobody listens on, for clients whose answers all come over the link to their contact.
const ANSWER_PORT: u16 = 9;

/// A crowd takes most of the descriptors of this process and much of the machine's time: one after the other.
fn alone(descriptors: usize) -> MutexGuard<'static, ()> {
    static CROWD: Mutex<()> = Mutex::new(());
    let guard = CROWD.lock().unwrap_or_else(PoisonError::into_inner);
    raise_descriptor_limit();
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    assert!(most >= descriptors as u64 + 100, "this test needs {descriptors} descriptors and may have {most}");
    guard
}

fn client_role() -> Role {
    Role::Client { answer_port: ANSWER_PORT, dialect: Dialect::Native }
}

/// Attaches so many clients, many at a time.
fn attach(to: SocketAddr, count: usize) -> Vec<Peer> {
    const AT_ONCE: usize = 1_000;
    let mut crowd: Vec<Peer> = Vec::with_capacity(count);
    while crowd.len() < count {
        let first = crowd.len();
        crowd.extend((first..count.min(first + AT_ONCE)).map(|_| Peer::stranger(to)));
        let new = &mut crowd[first..];
        new.iter_mut().for_each(|peer| peer.say(&Message::Hello(Hello::new(client_role()))));
        for peer in new {
            peer.expect_hello();
        }
    }
    crowd
}

#[test]
fn ten_thousand_idle_clients_are_attached_in_two_seconds_and_held_in_64_mib() {
    const CLIENTS: usize = 10_000;
    const MEMORY_KIB_MAX: u64 = 64 * 1024;
    let _alone = alone(CLIENTS);
    let long = "x".repeat(KEY_BYTES_MAX);
    let file = DataFile::new(format!("tea green\n{long} {long}\n"));
    let servent = Process::serve(&[file.path()]);
    let (before, _) = servent.resident_kib();
    let ticks = servent.ticks();
    let started = Instant::now();
    let mut crowd = attach(servent.address, CLIENTS);
    let elapsed = started.elapsed();
    let (now, most) = servent.resident_kib();
    eprintln!(
        "{CLIENTS} clients attached in {elapsed:?}, {} ticks; {before} KiB before, {now} KiB now, {most} KiB at most, {} bytes each",
        servent.ticks() - ticks,
        (now - before) * 1024 / CLIENTS as u64,
    );
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    assert!(most <= MEMORY_KIB_MAX, "{most} KiB");

    // Nor do those cost more who have asked for much, and got it, and are idle again.
    for clients in crowd.chunks_mut(500) {
        for client in &mut *clients {
            client.request(ask(&long));
        }
        for client in clients {
            client.expect_answer();
            client.expect_finished();
        }
    }
    let (now, most) = servent.resident_kib();
    eprintln!("once each has asked: {now} KiB now, {most} KiB at most");
    assert!(most <= MEMORY_KIB_MAX, "{most} KiB");
    assert_eq!(crowd.last_mut().unwrap().values("tea"), [b"green"]);
}

#[test]
fn one_connection_more_than_it_takes_is_closed_and_all_others_are_served() {
    let _alone = alone(CONNECTIONS_MAX);
    let file = DataFile::new("tea green\n");
    let mut servent = serve(&[file.path()]);
    let mut crowd = attach(servent.address(), CONNECTIONS_MAX);
    let surplus = || TcpStream::connect(servent.address()).unwrap().read(&mut [0]).unwrap_or(0);
    assert_eq!(surplus(), 0, "not a byte, and the end");
    assert_eq!(surplus(), 0);
    logged(&mut servent, &format!("{CONNECTIONS_MAX} connections are the most"));
    assert_eq!(crowd.first_mut().unwrap().values("tea"), [b"green"]);
    assert_eq!(crowd.last_mut().unwrap().values("tea"), [b"green"]);

    // Its place is another's as soon as one has left; that it has left is seen by the servent in its own time.
    drop(crowd.pop());
    let hello = [&PREFACE[..], &frame(&Message::Hello(Hello::new(client_role())))].concat();
    let is_greeted = |_| {
        let mut stream = TcpStream::connect(servent.address()).unwrap();
        stream.write_all(&hello).is_ok() && stream.read(&mut [0]).is_ok_and(|count| count > 0)
    };
    assert!((0..1_000).any(is_greeted), "a place that is free is never given away");
}
