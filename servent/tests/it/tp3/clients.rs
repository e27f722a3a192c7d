//! Clients and their ports: open or not, dark, deaf, or where no client can be.

use std::time::Instant;

use super::*;
use crate::support::{Process, tea};
use peers::PATIENCE;
use peers::tp3::{Answer, ClosedPort, DarkPort, v4};

/// How often a servent has given up to bring answers to a client.
fn given_up(servent: &mut Servent, client: SocketAddrV4) -> usize {
    servent.log_text().matches(&format!("no answer to client {client}: ")).count()
}

/// The answer that comes to a port just opened. Nothing where a busy machine opened it too late: the servent tries for a
/// third of a second and says that it has given up, one time more than before.
fn next_unless_given_up(servent: &mut Servent, answers: &Answers, before: usize) -> Option<Answer> {
    let until = Instant::now() + PATIENCE;
    loop {
        let next = answers.next_within(Duration::from_millis(100));
        if next.is_some() || given_up(servent, answers.address()) > before {
            return next;
        }
        assert!(Instant::now() < until, "nobody brings an answer, and nobody has given up");
    }
}

#[test]
fn a_client_that_opens_its_port_only_after_asking_gets_its_answer() {
    let mut servent = serve_tea(&["--tp3"]);
    let mut neighbor = Wire::neighbor(servent.address());
    let until = Instant::now() + PATIENCE;
    let mut answered = 0;
    while answered < 10 {
        assert!(Instant::now() < until, "{answered} are answered");
        let closed = ClosedPort::reserve();
        let mut client = attach(servent.address(), closed.address());
        client.say(&keyreq(0, "tea"));
        // The servent has taken notice, and is refused.
        assert_eq!(neighbor.hear_flood().client, closed.address());
        let Some(answer) = next_unless_given_up(&mut servent, &closed.open(), 0) else { continue };
        assert_eq!(answer.value, b"green");
        answered += 1;
    }
    let mut other = Wire::neighbor(servent.address());
    let mut answered = 0;
    while answered < 10 {
        assert!(Instant::now() < until, "{answered} floods are answered");
        let closed = ClosedPort::reserve();
        let flood = Flood::key(closed.address(), "tea", 1);
        neighbor.pass_on(&flood);
        assert_eq!(other.hear_flood(), flood.with_ttl(0));
        let Some(answer) = next_unless_given_up(&mut servent, &closed.open(), 0) else { continue };
        assert_eq!(answer.sequence, flood.sequence);
        answered += 1;
    }
}

#[test]
fn a_client_may_close_its_port_and_open_it_again_for_every_query() {
    let mut servent = serve_tea(&["--tp3"]);
    let mut neighbor = Wire::neighbor(servent.address());
    // An ip of its own, on which nobody takes the port meanwhile.
    let address = free_address();
    let mut client = attach(servent.address(), v4(address));
    let until = Instant::now() + PATIENCE;
    let (mut answered, mut lost) = (0, 0);
    while answered < 10 {
        let sequence = answered + lost;
        assert!(Instant::now() < until, "{answered} of {sequence} are answered");
        client.say(&keyreq(sequence, "tea"));
        assert_eq!(neighbor.hear_flood().sequence, sequence);
        let answers = ClosedPort::reserve_at(address).open();
        let Some(answer) = next_unless_given_up(&mut servent, &answers, lost as usize) else {
            lost += 1;
            continue;
        };
        assert_eq!((answer.sequence, &answer.value[..]), (sequence, &b"green"[..]));
        answered += 1;
    }
}

#[test]
fn clients_that_cannot_be_reached_delay_no_other_answer() {
    let file = tea();
    let mut servent = Process::serve_saying_all(&["--tp3", file.path()]);
    let mut neighbor = Wire::neighbor(servent.address);
    let dark = [DarkPort::open(), DarkPort::open()];
    // More than are dialled at once.
    let closed: Vec<ClosedPort> = (0..100).map(|_| ClosedPort::reserve()).collect();
    let addresses: Vec<SocketAddrV4> =
        dark.iter().map(DarkPort::address).chain(closed.iter().map(ClosedPort::address)).collect();
    let mut client = Client::attach(servent.address);
    let mut given_up = || servent.log_by_now().iter().filter(|line| line.contains("no answer to client")).count();
    let until = Instant::now() + PATIENCE;
    let (mut asked, mut undelayed) = (0, 0);
    while asked < 20 || undelayed == 0 {
        assert!(Instant::now() < until, "whoever asks waits until one that cannot be reached is given up");
        let before = given_up();
        for address in &addresses {
            neighbor.pass_on(&Flood::key(*address, "tea", 0));
        }
        assert_eq!(client.value("tea"), b"green");
        asked += 1;
        undelayed += usize::from(given_up() == before);
    }
    assert_eq!(Client::attach(servent.address).value("tea"), b"green");
}

#[test]
fn a_client_that_accepts_and_never_reads_delays_no_other_answer() {
    let file = DataFile::new(format!("tea green\nlong {}\n", "v".repeat(1_000)));
    let servent = serve_tp3(&[file.path()]);
    let mut deaf = Client::attach(servent.address());
    let mut held = Vec::new();
    for _ in 0..50 {
        deaf.ask("long");
        held.push(deaf.answers.accept());
        assert_eq!(Client::attach(servent.address()).value("tea"), b"green");
    }
    // One that is never even accepted waits in the system's queue.
    let mut waiting = Client::attach(servent.address());
    waiting.ask("long");
    still_serves(&servent);
    let sequences: Vec<u32> = held.into_iter().map(|wire| Answers::read(wire).sequence).collect();
    assert_eq!(sequences, (0..50).collect::<Vec<_>>());
}

/// Where the system lets the port be used again although the other end has not taken notice of the end of the connection
/// before, the new connection resets the old one.
#[test]
fn an_answer_not_read_yet_outlives_those_that_follow() {
    let servent = serve_tea(&["--tp3"]);
    let mut client = Client::attach(servent.address());
    let first = client.ask("tea");
    let unread = client.answers.accept();
    let began = Instant::now();
    // Linux refuses to use such a port again for a second, and then does not.
    while began.elapsed() < Duration::from_secs(2) {
        assert_eq!(client.value("tea"), b"green");
    }
    let answer = Answers::read(unread);
    assert_eq!((answer.sequence, &answer.value[..]), (first, &b"green"[..]));
}

#[test]
fn idle_clients_cost_the_one_that_works_nothing() {
    let servent = serve_tea(&["--tp3"]);
    let mut idle: Vec<Client> = (0..200).map(|_| Client::attach(servent.address())).collect();
    let mut client = Client::attach(servent.address());
    for _ in 0..50 {
        assert_eq!(client.value("tea"), b"green");
    }
    // They are still attached, each with its own answers.
    for client in &mut idle {
        assert_eq!(client.value("tea"), b"green");
    }
    for client in idle {
        client.answers.expect_nobody();
        assert_eq!(client.contact.leave(), b"");
    }
}

#[test]
fn many_requests_at_once_are_all_answered_each_on_its_own_connection() {
    let servent = serve_tea(&["--tp3"]);
    let mut client = Client::attach(servent.address());
    let requests: Vec<u8> = (0..300).flat_map(|sequence| keyreq(sequence, "tea")).collect();
    client.contact.say(&requests);
    let answers = client.answers.take(300);
    assert_eq!(answers.iter().map(|answer| answer.sequence).collect::<Vec<_>>(), (0..300).collect::<Vec<_>>());
    client.answers.expect_nobody();
}

#[test]
fn an_address_where_no_client_can_be_is_not_dialled_and_harms_nobody() {
    let servent = serve_tea(&["--tp3"]);
    let [mut one, mut other] = neighbors(&servent);
    for client in ["127.0.0.1:0", "0.0.0.0:9990", "255.255.255.255:9990", "224.0.0.1:9990", "0.0.0.0:0"] {
        one.pass_on(&Flood::key(client.parse().unwrap(), "tea", 0));
        one.pass_on(&Flood::topology(client.parse().unwrap(), "192.0.2.1:9000", 0));
    }
    // A client that can be is the servent itself, which takes no answers.
    one.pass_on(&Flood::key(v4(servent.address()), "tea", 0));
    expect_nothing_more(&mut one, &mut other);
    still_serves(&servent);
}

#[test]
fn answers_are_dialled_to_own_networks_only_unless_told_otherwise() {
    let file = tea();
    let mut servent = serve_tp3(&[file.path()]);
    let [mut one, mut other] = neighbors(&servent);
    // TEST-NET-3, where nobody is.
    let forged: SocketAddrV4 = "203.0.113.9:9990".parse().unwrap();
    let flood = Flood::key(forged, "tea", 1);
    one.pass_on(&flood);
    let line = logged(&mut servent, &format!("no answer to client {forged}"));
    assert!(line.contains("--tp3-answers") || line.contains("allow"), "{line}");
    assert_eq!(other.hear_flood(), flood.with_ttl(0));
    still_serves(&servent);

    // What is asked for another network does not widen it to this one.
    let mut servent = serve_tea(&["--tp3", "--tp3-answers", "198.51.100.0/24", "--tp3-answers", "192.0.2.7/32"]);
    let mut neighbor = Wire::neighbor(servent.address());
    neighbor.pass_on(&Flood::key(forged, "tea", 0));
    let line = logged(&mut servent, &format!("no answer to client {forged}"));
    assert!(line.contains("--tp3-answers") || line.contains("allow"), "{line}");
    still_serves(&servent);
}

#[test]
fn a_network_that_is_none_is_a_usage_error() {
    for network in ["203.0.113.0/24", "10.0.0.0/8", "192.0.2.7/32", "0.0.0.0/0"] {
        let output =
            run(&["--tp3", "--tp3-answers", network, "--tp3-answers", "127.0.0.0/8", "127.0.0.1:0", "-", "--check"]);
        assert_eq!(output.status.code(), Some(0), "{network}: {}", stderr(&output));
    }
    for network in
        ["nonsense", "/8", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0/8", "300.0.0.0/8", "10.0.0.0/8/8"]
    {
        let output = run(&["--tp3", "--tp3-answers", network, "127.0.0.1:0", "-", "--check"]);
        assert_eq!(output.status.code(), Some(2), "{network}");
        let said = stderr(&output);
        assert!(said.contains(network) && said.contains("--tp3-answers"), "{said}");
    }
}
