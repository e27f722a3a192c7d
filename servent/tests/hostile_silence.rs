//! Those from whom nothing comes back: addresses that swallow packets, machines that vanish, neighbors that say nothing
//! any more. Nobody waits for them longer than they must, and nobody else waits for them at all.
//!
//! Packets are swallowed by a filter on a socket of this process: the system drops whatever comes to it, so that the
//! other end hears neither acknowledgement nor refusal, as from a machine that has lost its power. That needs no
//! privileges. What a firewall may answer in its stead (an ICMP message, a reset) is not tested.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::config::{ANSWER_DIALS_MAX, DIAL_WAIT_MAX};
use common::message::{Role, ServentId};
use servent::sockets::raise_descriptor_limit;

use support::{AnswerPort, DataFile, PATIENCE, Peer, Process, ask, free_address, logged, serve};

/// A port nobody listens on, for clients whose answers all come over the link to their contact.
const ANSWER_PORT: u16 = 9;

/// Within so long it must be noticed that somebody has vanished.
const NOTICED_MAX: Duration = Duration::from_secs(15);

fn tea() -> DataFile {
    DataFile::new("tea green\n")
}

// ---- addresses that swallow packets ----

#[test]
fn an_address_is_as_dark_as_it_is_called() {
    let dark = AnswerPort::open();
    dark.swallow();
    let connected = TcpStream::connect_timeout(&dark.address(), Duration::from_millis(300));
    assert_eq!(connected.unwrap_err().kind(), ErrorKind::TimedOut);
}

/// Answer ports that swallow packets, at these ips.
fn dark_ports(ips: impl Iterator<Item = Ipv4Addr>) -> Vec<AnswerPort> {
    raise_descriptor_limit();
    let open = |ip| {
        let port = AnswerPort::open_at(SocketAddr::from((ip, 0)));
        port.swallow();
        port
    };
    ips.map(open).collect()
}

/// Somebody else asks. One whose answer has to wait for a dial that nobody answers waits for most of [`DIAL_WAIT_MAX`].
fn another_is_answered_at_once(contact: SocketAddr) -> Duration {
    let port = AnswerPort::open();
    let mut client = Peer::client(contact, port.address().port());
    let asked = Instant::now();
    let sequence = client.request(ask("tea"));
    let (mut answers, _) = port.accept_and_greet();
    assert_eq!(answers.expect_answer().sequence, sequence);
    let elapsed = asked.elapsed();
    assert!(elapsed < DIAL_WAIT_MAX / 2, "{elapsed:?}");
    elapsed
}

#[test]
fn a_thousand_clients_behind_dark_addresses_delay_no_other_answer() {
    const CLIENTS: u32 = 1_000;
    let file = tea();
    let mut holder = Process::serve(&[file.path()]);
    let mut contact = serve(&["-", &holder.address.to_string()]);
    logged(&mut contact, "linked with neighbor");
    let first_ip = Ipv4Addr::new(127, 200, 0, 1).to_bits();
    let ports = dark_ports((0..CLIENTS).map(|number| Ipv4Addr::from_bits(first_ip + number)));
    let mut dark: Vec<Peer> = ports.iter().map(|port| Peer::client_at(contact.address(), port.address())).collect();

    // They ask, are found to be dark, and ask again. All the while others come whom nobody has dialled before.
    let mut slowest = another_is_answered_at_once(contact.address());
    for round in 1..=2 {
        for clients in dark.chunks_mut(100) {
            for client in clients {
                client.request(ask("tea"));
            }
            slowest = slowest.max(another_is_answered_at_once(contact.address()));
        }
        let failed = |line: &&String| line.contains("no answer to client 127.200.");
        let until = Instant::now() + PATIENCE;
        while holder.log_so_far().iter().filter(failed).count() < round * CLIENTS as usize {
            assert!(Instant::now() < until, "not all of them are found to be dark");
            slowest = slowest.max(another_is_answered_at_once(contact.address()));
        }
    }
    eprintln!("{CLIENTS} clients behind dark addresses: others are answered within {slowest:?}");
}

/// A neighbor can name any address. These are more than one ip may have dialled at once.
#[test]
fn thousands_of_dark_ports_at_one_address_delay_no_other_answer() {
    let file = tea();
    let holder = serve(&[file.path()]);
    let mut contact = serve(&["-", &holder.address().to_string()]);
    logged(&mut contact, "linked with neighbor");
    let mut hostile = Peer::neighbor(holder.address());
    let ports = dark_ports(std::iter::repeat_n(Ipv4Addr::new(127, 201, 0, 1), ANSWER_DIALS_MAX));
    let mut slowest = another_is_answered_at_once(contact.address());
    for ports in ports.chunks(100) {
        for port in ports {
            hostile.pass_on(port.address(), ask("tea"), 0);
        }
        slowest = slowest.max(another_is_answered_at_once(contact.address()));
    }
    eprintln!("{ANSWER_DIALS_MAX} dark ports at one address: others are answered within {slowest:?}");
}

// ---- half-open connections ----

/// All of them side by side, because each takes its time: links that the servent accepted and links it dialled, with
/// words on their way and without.
#[test]
fn whoever_vanishes_is_noticed_within_fifteen_seconds() {
    let file = tea();
    let (silent_listed, vanished_listed) = (AnswerPort::open(), AnswerPort::open());
    let listed = [silent_listed.address().to_string(), vanished_listed.address().to_string()];
    let mut servent = serve(&[file.path(), &listed[0], &listed[1]]);
    let address = servent.address();
    let mut bystander = Peer::client(address, ANSWER_PORT);

    // Neighbors that are there and say nothing any more, and neighbors that are gone.
    let accept_neighbor = |port: &AnswerPort| {
        let mut peer = port.accept();
        let advertised = port.address();
        peer.greet(Role::Servent { id: ServentId(advertised.port().into()), advertised });
        peer
    };
    let (silent_dialled, vanished_dialled) = (accept_neighbor(&silent_listed), accept_neighbor(&vanished_listed));
    let (mut silent, vanished) = (Peer::neighbor(address), Peer::neighbor(address));
    // Clients that were idle, and one that is owed an answer.
    let client_ports = [free_address(), free_address()];
    let [idle, mut owed] = client_ports.map(|port| Peer::client_at(address, port));
    // Answer links, in the same two ways.
    let mut answer_link = || {
        let port = AnswerPort::open();
        silent.pass_on(port.address(), ask("tea"), 0);
        let (mut answers, _) = port.accept_and_greet();
        answers.expect_answer();
        (port, answers)
    };
    let ((idle_port, idle_answers), (owed_port, owed_answers)) = (answer_link(), answer_link());
    // These are only dialled anew, and nothing comes of it, when they are gone.
    silent_listed.swallow();
    vanished_listed.swallow();

    let started = Instant::now();
    for peer in [&vanished, &vanished_dialled, &idle, &owed, &idle_answers, &owed_answers] {
        peer.vanish();
    }
    owed.request(ask("tea"));
    silent.pass_on(owed_port.address(), ask("tea"), 0);
    for line in [
        format!("client {} left: ", client_ports[0]),
        format!("client {} left: ", client_ports[1]),
        format!("the answer link to client {} is gone: ", idle_port.address()),
        format!("the answer link to client {} is gone: ", owed_port.address()),
        format!("link with neighbor {} is gone: ", silent.address()),
        format!("link with neighbor {} is gone: ", vanished.address()),
        format!("link with neighbor {} is gone: ", silent_listed.address()),
        format!("link with neighbor {} is gone: ", vanished_listed.address()),
    ] {
        let line = logged(&mut servent, &line);
        eprintln!("{:?}: {line}", started.elapsed());
        assert!(started.elapsed() < NOTICED_MAX, "{line}");
        assert_eq!(bystander.first_value("tea"), b"green");
    }
    drop((silent, silent_dialled));
}
