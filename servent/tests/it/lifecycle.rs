//! From the start of a servent to its end: its address, its signals, and the neighbors it is told to keep.
//!
//! Shapes of overlays and what a flood over them must come to are `topologies`; here an overlay has three servents at
//! most.

use std::net::{Ipv6Addr, TcpListener};

use super::*;
use common::limits::SILENCE_DEFAULT;
use common::message::ServentId;
use common::session::EndReason;

// ---- start and end ----

#[test]
fn it_says_one_line_on_stdout_and_means_it() {
    let mut servent = Process::start(Command::new(program("servent").unwrap()).args(["0", "-", "-vv"]));
    assert_eq!(servent.address.ip().to_string(), "127.0.0.1");
    let mut client = Peer::client(servent.address, ANSWER_PORT);
    assert!(client.values("tea").is_empty());
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0), "{:?}", servent.log);
    assert_eq!(servent.out, [format!("listening on {}", servent.address)]);
}

#[test]
fn a_port_in_use_is_named() {
    let first = serve(&["-"]);
    let address = first.address().to_string();
    let second = run(&[&address, "-"]);
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(stdout(&second), "");
    assert!(stderr(&second).contains(&format!("servent: cannot listen on {address}: ")), "{}", stderr(&second));
    assert!(stderr(&second).contains("in use"), "{}", stderr(&second));
    assert!(Peer::client(first.address(), ANSWER_PORT).values("tea").is_empty());
}

fn leaves_well_on(signal: Signal) {
    let mut servent = serve_tea(&[]);
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    let mut neighbor = Peer::neighbor(servent.address());
    let port = AnswerPort::open();
    neighbor.pass_on(port.address(), ask("tea"), 0);
    let (mut answered, _) = port.accept_and_greet();
    answered.expect_answer();
    assert!(matches!(neighbor.expect(), Message::Echo(_)));

    servent.signal(signal);
    for peer in [&mut client, &mut neighbor, &mut answered] {
        peer.expect_goodbye(Goodbye::Leaving);
    }
    logged(&mut servent, "told to stop: saying goodbye");
    assert!(servent.wait().unwrap().success(), "{}", servent.log_text());
    assert!(TcpStream::connect(servent.address()).is_err());
}

#[test]
fn it_says_goodbye_to_everybody_on_sigterm() {
    leaves_well_on(Signal::TERM);
}

#[test]
fn it_says_goodbye_to_everybody_on_sigint() {
    hear_signals().unwrap();
    leaves_well_on(Signal::INT);
}

/// It leaves in its own time: a process that had to be killed would not end well.
#[test]
fn a_neighbor_that_does_not_read_keeps_nobody_from_leaving() {
    let mut servent = serve_many(&["-"]);
    let mut deaf = Peer::deaf_stranger(servent.address());
    deaf.greet(deaf.as_servent());
    let mut source = Peer::neighbor(servent.address());
    let nobody = free_address();
    // More than the system takes in for it, less than the servent does.
    for number in 0..2_500 {
        source.pass_on(nobody, ask(format!("{number:0>KEY_BYTES_MAX$}")), 3);
    }
    // What was passed on to the deaf one is given up, in its time or before anybody is told goodbye.
    let after_echoes = |source: &mut Peer| loop {
        match source.expect() {
            Message::Echo(echo) => assert_eq!(echo.tally.lost, 1),
            message => break message,
        }
    };
    source.say(&Message::Ping);
    assert_eq!(after_echoes(&mut source), Message::Pong);
    servent.signal(Signal::TERM);
    assert_eq!(after_echoes(&mut source), Message::Goodbye(Goodbye::Leaving));
    assert!(servent.wait().unwrap().success(), "{}", servent.log_text());
}

// ---- data read anew ----

#[test]
fn sighup_reads_the_data_anew_and_a_bad_file_changes_nothing() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    let serving = |count| format!("serving {} of {}", counted(count, "key"), file.path());
    logged(&mut servent, &serving(1));
    assert_eq!(client.values("tea"), [b"green"]);

    file.write("tea black\nmate bitter\n");
    assert_eq!(client.values("tea"), [b"green"], "before anybody asked for it");
    servent.signal(Signal::HUP);
    servent.wait_for_log(&serving(2)).unwrap();
    assert_eq!(client.values("tea"), [b"black"]);
    assert_eq!(client.values("mate"), [b"bitter"]);

    fs::remove_file(file.path()).unwrap();
    servent.signal(Signal::HUP);
    let line = servent.wait_for_log(&format!("cannot read data file {}: ", file.path())).unwrap();
    assert!(line.contains("ERROR") && line.contains("No such file"), "{line}");
    assert!(line.contains("the data read before stays"), "{line}");
    assert_eq!(client.values("tea"), [b"black"]);

    fs::create_dir(file.path()).unwrap();
    servent.signal(Signal::HUP);
    let line = servent.wait_for_log(&format!("cannot read data file {}: ", file.path())).unwrap();
    assert!(line.contains("it is a directory; the data read before stays"), "{line}");
    assert_eq!(client.values("tea"), [b"black"]);

    fs::remove_dir(file.path()).unwrap();
    file.write("tea white\n");
    servent.signal(Signal::HUP);
    servent.wait_for_log(&serving(1)).unwrap();
    assert_eq!(client.values("tea"), [b"white"]);
    assert!(client.values("mate").is_empty());
}

/// SIGHUP is the hang-up of a terminal too: one that has nothing to read anew must not die of it.
#[test]
fn sighup_without_data_changes_nothing() {
    let mut servent = serve(&["-"]);
    servent.signal(Signal::HUP);
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    assert!(client.values("tea").is_empty());
    servent.signal(Signal::TERM);
    assert!(servent.wait().unwrap().success(), "{}", servent.log_text());
}

// ---- the neighbors it is told to keep ----

/// Asks again until the overlay is as expected: the wait is for the asking, not for a time.
fn ask_until(contact: SocketAddr, what: &str, mut expected: impl FnMut(&Asked) -> bool) -> Asked {
    let until = Instant::now() + PATIENCE;
    loop {
        let asked = Asked::at(contact, asking::topology(Duration::from_millis(500))).unwrap();
        if expected(&asked) {
            return asked;
        }
        assert!(Instant::now() < until, "{what}: {asked:#?}");
    }
}

/// The servents of an overlay and the links each of them says it has.
fn links(asked: &Asked) -> BTreeSet<(SocketAddr, Vec<SocketAddr>)> {
    let sorted = |neighbors: &[SocketAddr]| {
        let mut neighbors = neighbors.to_vec();
        neighbors.sort_unstable();
        neighbors
    };
    asked.answers.iter().map(|answer| (answer.from, sorted(&answer.neighbors))).collect()
}

fn start(address: SocketAddr, neighbors: &[SocketAddr]) -> Servent {
    let neighbors: Vec<String> = neighbors.iter().map(ToString::to_string).collect();
    let words: Vec<&str> = ["-"].into_iter().chain(neighbors.iter().map(String::as_str)).collect();
    serve_on(&address.to_string(), &words)
}

/// Waits for something that takes a servent longer than several redials: a stranger's time to say hello.
fn wait_longer_than_redials(servent: &Servent) {
    Peer::stranger(servent.address()).expect_goodbye(Goodbye::Quiet);
}

#[test]
fn a_servent_listed_as_its_own_neighbor_is_noticed_once_and_left() {
    let address = free_address();
    let mut servent = start(address, &[address]);
    let line = logged(&mut servent, "is this servent itself");
    assert!(line.contains(&format!("WARN  common::overlay::links] neighbor {address} ")), "{line}");
    let asked = ask_until(address, "alone", |asked| !asked.answers.is_empty());
    assert_eq!(links(&asked), BTreeSet::from([(address, vec![])]));
    wait_longer_than_redials(&servent);
    let log = servent.log_text();
    assert_eq!(log.matches("itself").count(), 1, "{log}");
    assert_eq!(log.matches("both ends are the same servent").count(), 1, "{log}");
    assert!(!log.contains("linked with neighbor"), "{log}");
}

#[test]
fn two_servents_that_list_each_other_keep_one_link() {
    // Who dials first, and whose id is smaller, is chance: several pairs, both of each started at once, have more of it.
    let mut pairs: Vec<(Servent, Servent)> = (0..6)
        .map(|_| {
            let (left, right) = (free_address(), free_address());
            let other = thread::spawn(move || start(right, &[left]));
            (start(left, &[right]), other.join().unwrap())
        })
        .collect();
    for (left, right) in &pairs {
        let (left, right) = (left.address(), right.address());
        let expected = BTreeSet::from([(left, vec![right]), (right, vec![left])]);
        let one_link = |asked: &Asked| {
            // A second link would carry a second copy, and show in the list of neighbors.
            let Tally { copies, duplicates, lost, .. } = asked.ending.tally;
            asked.answers.len() == 2 && links(asked) == expected && (copies, duplicates, lost) == (1, 0, 0)
        };
        ask_until(left, "one link", one_link);
        ask_until(right, "one link", one_link);
    }
    // What stands now stays: neither side dials again for the link that went.
    wait_longer_than_redials(&pairs[0].0);
    for (left, right) in &mut pairs {
        for servent in [left, right] {
            let log = servent.log_text();
            let linked = log.matches("linked with neighbor").count();
            let gone = log.matches("link with neighbor ").count();
            assert!(linked <= 2 && gone + 1 == linked, "{log}");
        }
    }
}

#[test]
fn neighbors_link_in_any_order_of_start() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let addresses = [free_address(), free_address(), free_address()];
        let [left, middle, right] = addresses;
        let neighbors = [vec![middle], vec![right], vec![]];
        let mut servents: Vec<Servent> = Vec::new();
        for place in order {
            servents.push(start(addresses[place], &neighbors[place]));
            if (place, servents.len()) == (0, 1) {
                // Only a dial that has failed makes the later start a test.
                let line = logged(&mut servents[0], "cannot be reached yet");
                assert!(line.contains(&format!("neighbor {middle} cannot be reached yet: ")), "{line}");
                assert!(line.contains("refused"), "{line}");
            }
        }
        let expected =
            [(left, vec![middle]), (middle, vec![left, right]), (right, vec![middle])].map(|(from, mut to)| {
                to.sort_unstable();
                (from, to)
            });
        ask_until(left, "a chain of three", |asked| links(asked) == BTreeSet::from(expected.clone()));
    }
}

#[test]
fn a_neighbor_that_is_killed_is_noticed_and_comes_back() {
    let address = free_address();
    let mut neighbor = start(address, &[]);
    let mut servent = serve(&["-", &address.to_string()]);
    logged(&mut servent, &format!("linked with neighbor {address}"));
    for _ in 0..2 {
        neighbor.kill().unwrap();
        servent.wait_for_log(&format!("link with neighbor {address} is gone: ")).unwrap();
        let asked = ask_until(servent.address(), "alone", |asked| asked.ending.reason == EndReason::Complete);
        assert_eq!(links(&asked), BTreeSet::from([(servent.address(), vec![])]));
        neighbor = start(address, &[]);
        servent.wait_for_log(&format!("linked with neighbor {address}")).unwrap();
        let asked = ask_until(servent.address(), "linked", |asked| asked.answers.len() == 2);
        assert_eq!(asked.ending.reason, EndReason::Complete);
    }
}

#[test]
fn a_neighbor_that_leaves_is_noticed_and_comes_back() {
    let address = free_address();
    let mut neighbor = start(address, &[]);
    let mut servent = serve(&["-", &address.to_string()]);
    logged(&mut servent, &format!("linked with neighbor {address}"));
    neighbor.signal(Signal::TERM);
    assert!(neighbor.wait().unwrap().success());
    let line = servent.wait_for_log(&format!("link with neighbor {address} is gone: ")).unwrap();
    assert!(line.contains("it said goodbye, because it is leaving"), "{line}");
    let _neighbor = start(address, &[]);
    servent.wait_for_log(&format!("linked with neighbor {address}")).unwrap();
}

/// What stands at a neighbor's address need not be a servent, and may become one later.
#[test]
fn a_neighbor_that_is_no_servent_is_named_and_dialled_again() {
    let neighbor = AnswerPort::open();
    let mut servent = serve(&["-", &neighbor.address().to_string()]);

    let mut web = neighbor.accept();
    web.expect_hello();
    web.say_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    web.expect_end();
    let line = logged(&mut servent, &format!("neighbor {} cannot be reached yet", neighbor.address()));
    assert!(line.contains("it does not speak our protocol: its first bytes are 48 54 54 50"), "{line}");

    let mut later = neighbor.accept();
    later.expect_hello();
    later.say_bytes(&[0xA7, b'k', b'v', 2]);
    later.expect_goodbye(Goodbye::Version);

    let mut client = neighbor.accept();
    client.expect_hello();
    client.say(&Message::Hello(Hello::new(Role::Client { answer_port: ANSWER_PORT })));
    client.expect_goodbye(Goodbye::Role);

    let mut other = neighbor.accept();
    other.expect_hello();
    other.say(&Message::Hello(Hello::new(other.as_servent())));
    servent.wait_for_log("linked with neighbor").unwrap();
}

// ---- addresses ----

fn has_ipv6() -> bool {
    let has = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        println!("not run: this machine has no [::1]");
    }
    has
}

#[test]
fn it_listens_links_and_answers_over_ipv6() {
    if !has_ipv6() {
        return;
    }
    let (here, there) = (tea(), DataFile::new("tea black\n"));
    let far = serve_on("[::1]:0", &[there.path()]);
    let near = serve_on("[::1]:0", &[here.path(), &far.address().to_string()]);
    assert!(near.address().is_ipv6(), "{}", near.address());
    ask_until(near.address(), "linked", |asked| asked.answers.len() == 2);
    let asked = Asked::at(near.address(), asking::key("tea").unwrap()).unwrap();
    let answers: BTreeSet<(SocketAddr, Option<&str>)> =
        asked.answers.iter().map(|answer| (answer.from, answer.value.as_deref())).collect();
    assert_eq!(answers, BTreeSet::from([(near.address(), Some("green")), (far.address(), Some("black"))]));
    assert_eq!(asked.ending.reason, EndReason::Complete);
}

#[test]
fn a_servent_on_ipv6_answers_a_client_on_ipv4() {
    if !has_ipv6() {
        return;
    }
    let there = DataFile::new("tea black\n");
    let far = serve_on("[::1]:0", &[there.path()]);
    let near = serve(&["-", &far.address().to_string()]);
    ask_until(near.address(), "linked", |asked| asked.answers.len() == 2);
    let asked = Asked::at(near.address(), asking::key("tea").unwrap()).unwrap();
    assert_eq!(asked.answers.len(), 1, "{asked:?}");
    assert_eq!(asked.answers[0].from, far.address());
}

#[test]
fn listening_everywhere_it_goes_by_an_address_one_can_use() {
    if servent::interfaces::outward_ip().is_none() {
        println!("not run: this machine has no way out");
        return;
    }
    let file = tea();
    let mut servent = serve_on("0.0.0.0:0", &[file.path()]);
    let port = servent.address().port();
    let near = SocketAddr::from(([127, 0, 0, 1], port));
    let asked = Asked::at(near, asking::topology(SILENCE_DEFAULT)).unwrap();
    let advertised = asked.answers[0].from;
    assert!(!advertised.ip().is_unspecified(), "{advertised}");
    assert_eq!(advertised.port(), port);
    assert_eq!(asked.answers[0].path, [advertised]);
    logged(&mut servent, &format!("going by {advertised}; --advertise names another address"));
    assert_eq!(Peer::client(advertised, ANSWER_PORT).values("tea"), [b"green"]);
}

#[test]
fn the_address_it_is_told_to_go_by_is_what_everybody_sees() {
    let advertised: SocketAddr = "192.0.2.7:4321".parse().unwrap();
    let servent = serve_tea(&["--advertise", &advertised.to_string()]);
    // In the hello to a client, in the place it answers, in its neighbor's list, on an answer link.
    let mut client = Peer::stranger(servent.address());
    assert_eq!(client.greet(Role::Client { answer_port: ANSWER_PORT }), advertised);
    client.request(Ask::Topology);
    assert_eq!(client.expect_answer().body, AnswerBody::Place { path: vec![advertised].into(), neighbors: vec![] });
    let mut neighbor = serve(&["-", &servent.address().to_string()]);
    logged(&mut neighbor, &format!("linked with neighbor {advertised}"));
    let port = AnswerPort::open();
    let mut source = Peer::neighbor(servent.address());
    source.pass_on(port.address(), ask("tea"), 0);
    let (_, from) = port.accept_and_greet();
    assert_eq!(from, advertised);
}

/// Two links from the same servent, as an impatient redial would make them: the dialler decides which one it keeps.
#[test]
fn the_second_link_of_the_same_servent_waits_for_its_diallers_word() {
    let mut servent = serve(&["-"]);
    let mut first = Peer::stranger(servent.address());
    let role = Role::Servent { id: ServentId(7), advertised: first.address() };
    first.greet(role);
    let mut second = Peer::stranger(servent.address());
    second.greet(role);
    second.say(&Message::Goodbye(Goodbye::Duplicate));
    second.expect_end();
    first.say(&Message::Ping);
    assert_eq!(first.hear(), Heard::Message(Message::Pong));
    logged(&mut servent, "because the two servents have another link");
}
