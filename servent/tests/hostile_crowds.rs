//! As many connections as a servent takes, and one more.
//!
//! What happens when descriptors run out before that is in `network.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::address::Dialect;
use common::config::CONNECTIONS_MAX;
use common::message::{Hello, Message, Role};
use common::wire::PREFACE;
use servent::sockets::raise_descriptor_limit;

use support::{DataFile, Peer, frame, logged, serve};

#[test]
fn one_connection_more_than_it_takes_is_closed_and_all_others_are_served() {
    // This process needs as many descriptors as the servent does.
    raise_descriptor_limit();
    let file = DataFile::new("tea green\n");
    let mut servent = serve(&[file.path()]);
    let mut crowd: Vec<Peer> = (0..CONNECTIONS_MAX).map(|_| Peer::client(servent.address(), 1)).collect();
    let surplus = || TcpStream::connect(servent.address()).unwrap().read(&mut [0]).unwrap_or(0);
    assert_eq!(surplus(), 0, "not a byte, and the end");
    assert_eq!(surplus(), 0);
    logged(&mut servent, &format!("{CONNECTIONS_MAX} connections are the most"));
    assert_eq!(crowd.first_mut().unwrap().values("tea"), [b"green"]);
    assert_eq!(crowd.last_mut().unwrap().values("tea"), [b"green"]);

    // Its place is another's as soon as one has left; that it has left is seen by the servent in its own time.
    drop(crowd.pop());
    let hello =
        [&PREFACE[..], &frame(&Message::Hello(Hello::new(Role::Client { answer_port: 1, dialect: Dialect::Native })))]
            .concat();
    let is_greeted = |_| {
        let mut stream = TcpStream::connect(servent.address()).unwrap();
        stream.write_all(&hello).is_ok() && stream.read(&mut [0]).is_ok_and(|count| count > 0)
    };
    assert!((0..1_000).any(is_greeted), "a place that is free is never given away");
}
