//! Those from whom nothing comes back: addresses that swallow packets, machines that vanish, neighbors that say nothing
//! any more. Nobody waits for them longer than they must, and nobody else waits for them at all. And those that were silent
//! only for a servent that was stopped itself, and heard nobody.
//!
//! Packets are swallowed by a filter on a socket of this process: the system drops whatever comes to it, so that the
//! other end hears neither acknowledgement nor refusal, as from a machine that has lost its power. Where that is for the
//! privileged only, these tests say so and are not run. What a firewall may answer in its stead (an ICMP message, a reset) is not tested.

use super::*;
use crate::support::{free_address, serve};
use common::limits::{CALL_DIALS_MAX, NEIGHBOR_BEAT, NEIGHBOR_QUIET_MAX, PING_AFTER};
use common::message::{Goodbye, ServentId};
use peers::may_swallow;

// ---- addresses that swallow packets ----

#[test]
fn an_address_is_as_dark_as_it_is_called() {
    if !may_swallow() {
        return;
    }
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

/// Clients that come while a holder dials those who are dark, one after the other.
struct Others {
    contact: SocketAddr,
    slowest: Duration,
    /// So many dials to those who are dark have failed when another one asks, and when it is answered. Whoever has to
    /// wait for one of them is not answered before it has failed.
    failed: Vec<(usize, usize)>,
}

impl Others {
    fn of(contact: SocketAddr) -> Others {
        Others { contact, slowest: Duration::ZERO, failed: Vec::new() }
    }

    /// Another one asks, and is answered. Returns how many dials have failed by then.
    fn ask(&mut self, holder: &mut Process) -> usize {
        let before = dark_dials_failed(holder);
        let port = AnswerPort::open();
        let mut client = Peer::client(self.contact, port.address().port());
        let asked = Instant::now();
        let sequence = client.request(ask("tea"));
        let (mut answers, _) = port.accept_and_greet();
        assert_eq!(answers.expect_answer().sequence, sequence);
        self.slowest = self.slowest.max(asked.elapsed());
        let after = dark_dials_failed(holder);
        self.failed.push((before, after));
        after
    }

    /// How many waited for no dial, while fewer than so many had failed.
    fn undelayed(&self, failed_max: usize) -> usize {
        self.failed.iter().filter(|(before, after)| before == after && *after < failed_max).count()
    }
}

fn dark_dials_failed(holder: &mut Process) -> usize {
    holder.log_by_now().iter().filter(|line| line.contains("no answer to client 127.20")).count()
}

#[test]
fn a_thousand_clients_behind_dark_addresses_delay_no_other_answer() {
    const CLIENTS: usize = 1_000;
    if !may_swallow() {
        return;
    }
    let _some = DESCRIPTORS.read().unwrap_or_else(PoisonError::into_inner);
    let file = tea();
    let mut holder = Process::serve_saying_all(&[file.path()]);
    let mut contact = Process::serve(&["-", &holder.address.to_string()]);
    contact.wait_for_log("linked with neighbor", 1);
    let first_ip = Ipv4Addr::new(127, 200, 0, 1).to_bits();
    let until = Instant::now() + 3 * PATIENCE;
    let mut asked = 0;
    // They ask, and are found to be dark. All the while others come whom nobody has dialled before.
    let mut others_beside = |dark: &mut Vec<Peer>| {
        for client in &mut *dark {
            client.request(ask("tea"));
        }
        // Each is told that its answer is on the way once the holder has taken it to be dialled.
        for client in &mut *dark {
            client.expect_finished();
        }
        asked += CLIENTS;
        let mut others = Others::of(contact.address);
        while others.ask(&mut holder) < asked {
            assert!(Instant::now() < until, "not all of them are found to be dark");
        }
        // With the last ones to be dialled nobody would have to wait any more.
        let undelayed = others.undelayed(asked - 100);
        eprintln!(
            "{CLIENTS} clients behind dark addresses: {undelayed} others wait for none, {:?} at most",
            others.slowest
        );
        assert!(undelayed > 0 || Instant::now() < until, "whoever asks waits until some dial has failed");
        undelayed > 0
    };
    // Where the machine has so much else to do that all of them have failed before another one asks, nothing is shown yet.
    loop {
        let ports = dark_ports((0..).map(|number| Ipv4Addr::from_bits(first_ip + number)).take(CLIENTS));
        let mut dark = ports.iter().map(|port| Peer::client_at(contact.address, port.address())).collect();
        if others_beside(&mut dark) {
            // Nor do those who ask again, and are known to be dark: what they are answered goes back.
            for client in &mut dark {
                client.request(ask("tea"));
                client.expect_finished();
            }
            let mut others = Others::of(contact.address);
            for _ in 0..20 {
                others.ask(&mut holder);
            }
            assert!(others.undelayed(usize::MAX) > 0, "{:?} at most", others.slowest);
            break;
        }
    }
}

/// A neighbor can name any address. These are more than one ip may have dialled at once.
#[test]
fn thousands_of_dark_ports_at_one_address_delay_no_other_answer() {
    if !may_swallow() {
        return;
    }
    let _some = DESCRIPTORS.read().unwrap_or_else(PoisonError::into_inner);
    let file = tea();
    let mut holder = Process::serve_saying_all(&[file.path()]);
    let mut contact = Process::serve(&["-", &holder.address.to_string()]);
    contact.wait_for_log("linked with neighbor", 1);
    let mut hostile = Peer::neighbor(holder.address);
    let ports = dark_ports(std::iter::repeat_n(Ipv4Addr::new(127, 201, 0, 1), CALL_DIALS_MAX));
    for port in &ports {
        hostile.pass_on(port.address(), ask("tea"), 0);
    }
    // It hears of each once the holder has taken it to be dialled. Most of them wait for long after this test.
    ports.iter().for_each(|_| assert!(matches!(hostile.expect(), Message::Echo(_))));
    let mut others = Others::of(contact.address);
    let until = Instant::now() + PATIENCE;
    while others.undelayed(CALL_DIALS_MAX / 2) < 10 {
        others.ask(&mut holder);
        assert!(Instant::now() < until, "whoever asks waits until some dial has failed: {:?}", others.failed);
    }
    eprintln!("{CALL_DIALS_MAX} dark ports at one address: others are answered within {:?}", others.slowest);
}

// ---- half-open connections ----

/// All of them side by side, because each takes its time: links that the servent accepted and links it dialled, with
/// words on their way and without. That it is within 12 seconds is the sum of limits that are tested one by one; what it
/// takes here is printed.
#[test]
fn whoever_vanishes_is_noticed() {
    if !may_swallow() {
        return;
    }
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
        assert_eq!(bystander.first_value("tea"), b"green");
    }
    drop((silent, silent_dialled));
}

// ---- a servent that was stopped ----

/// Stops a servent just before the beat at which a neighbor of it would have been quiet for too long. False where that was
/// missed, on a machine with much else to do.
fn stops_just_before_the_end(servent: &Process, neighbor: &mut Peer) -> bool {
    assert_eq!(neighbor.expect(), Message::Ping);
    // That was one beat later than its limit, and the end is too.
    let rest = NEIGHBOR_QUIET_MAX - PING_AFTER - NEIGHBOR_BEAT / 2;
    let stream = neighbor.stream();
    stream.set_read_timeout(Some(rest)).unwrap();
    let ended_early = stream.peek(&mut [0]).is_ok();
    servent.signal(Signal::STOP);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nonblocking(true).unwrap();
    let ended_late = stream.peek(&mut [0]).is_ok();
    stream.set_nonblocking(false).unwrap();
    !ended_early && !ended_late
}

/// Stops it for longer than a neighbor may be quiet, which the other servent is there to tell, and lets one that would have
/// been gone by then say something once it is awake. Nothing where this process was too slow to do that in time.
fn sleeps_beside(stopped: &Process, awake: &Process) -> Option<Peer> {
    let mut bystander = Peer::client(stopped.address, ANSWER_PORT);
    let mut neighbor = Peer::neighbor(stopped.address);
    neighbor.fall_silent();
    let was_stopped = stops_just_before_the_end(stopped, &mut neighbor);
    if was_stopped {
        let mut clock = Peer::neighbor(awake.address);
        clock.fall_silent();
        assert_eq!(clock.expect(), Message::Ping);
        clock.expect_goodbye(Goodbye::Quiet);
    }
    let woken = Instant::now();
    stopped.signal(Signal::CONT);
    // Once it answers it has seen how late it is.
    assert_eq!(bystander.first_value("tea"), b"green");
    let asked = neighbor.pass_on(free_address(), ask("milk"), 0);
    if !was_stopped || woken.elapsed() > NEIGHBOR_BEAT / 2 {
        return None;
    }
    // What the bystander asked is passed on as well, and it asks at once whether its neighbors are there.
    let mut pings_count = 0;
    loop {
        match neighbor.expect() {
            Message::Ping => pings_count += 1,
            Message::Query(_) => {}
            Message::Echo(echo) if echo.id == asked.id() => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pings_count, 1);
    Some(neighbor)
}

#[test]
fn a_servent_that_was_stopped_closes_nobody_for_the_time_it_slept() {
    let file = tea();
    let [stopped, awake] = [(); 2].map(|()| Process::serve(&[file.path()]));
    let until = Instant::now() + 3 * PATIENCE;
    let mut neighbor = loop {
        if let Some(neighbor) = sleeps_beside(&stopped, &awake) {
            break neighbor;
        }
        assert!(Instant::now() < until, "nothing is shown in time");
    };
    // From then on it is quiet anew.
    assert_eq!(neighbor.expect(), Message::Ping);
    neighbor.expect_goodbye(Goodbye::Quiet);
}
