//! A servent among nodes and clients that speak TP3: what it says to them to the byte, what it takes from them, and what
//! it must stand.
//!
//! The other side is played byte by byte (`support/tp3.rs`) and knows nothing of how the servent is made. The same
//! dialect from the side of our client is in `client/tests/tp3.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "support/tp3.rs"]
mod tp3;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::thread;
use std::time::{Duration, Instant};

use common::message::{Echo, Message};
use common::query::{Query, Tally};
use common::session::{EndReason, Ending, Question};
use rustix::process::Signal;
use topologies::asking::{self, Asked};
use topologies::fleet::Servent;

use support::{DataFile, Heard, PATIENCE, Peer, Process, ask, free_address, logged, run, serve, serve_on, stderr};
use tp3::{
    Answer, Answers, Client, ClosedPort, DarkPort, Flood, Kind, Node, TEXT_BYTES_MAX, Wire, attach, id, keyreq, resp,
    shortened, toporeq, unique, v4,
};

/// What a client calls itself that is never answered, because nobody has what it asks for.
const NOBODY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9990);

/// A key no servent has.
const UNKNOWN: &str = "unicorn";

fn tea() -> DataFile {
    DataFile::new("tea green\n")
}

/// A servent that speaks TP3 too. `arguments` follow the port.
fn serve_tp3(arguments: &[&str]) -> Servent {
    serve(&[&["--tp3"], arguments].concat())
}

/// That a servent with [`tea`] serves clients of both dialects that have done nothing wrong.
fn still_serves(servent: &Servent) {
    assert_eq!(Client::attach(servent.address()).value("tea"), b"green");
    assert_eq!(Peer::client(servent.address(), 9).values("tea"), [b"green"]);
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

/// Gives a servent of ours the time to see bytes that are on their way: it serves somebody who comes after them.
fn let_it_read(bystander: &mut Client) {
    assert_eq!(bystander.value("tea"), b"green");
}

// ---- what is said, to the byte ----

#[test]
fn floods_run_both_ways_over_a_connection_that_began_with_id_0() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    let sequence = client.ask("coffee");
    assert_eq!(neighbor.hear_flood(), client.flood(Kind::Key, sequence, "coffee"));

    let answers = Answers::open();
    let flood = Flood::key(answers.address(), "tea", 3);
    neighbor.pass_on(&flood);
    let answer = answers.next();
    assert_eq!((answer.sequence, &answer.value[..]), (flood.sequence, &b"green"[..]));

    let sequence = client.ask("milk");
    assert_eq!(neighbor.hear_flood(), client.flood(Kind::Key, sequence, "milk"));
}

#[test]
fn a_request_is_flooded_in_the_bytes_of_the_example() {
    let servent = serve_tp3(&["-"]);
    let mut neighbor = Wire::neighbor(servent.address());
    let mut client = attach(servent.address(), "127.0.0.1:9990".parse().unwrap());
    client.say(&[0, 5, 0, 0, 0, 1, 0, 4, b'r', b't', b'm', b'p']);
    let expected = [0, 7, 0, 3, 0, 0, 0, 1, 0x7f, 0, 0, 1, 0x27, 6, 0, 4, 0x72, 0x74, 0x6d, 0x70];
    assert_eq!(neighbor.hear(20), expected);
}

#[test]
fn nobody_answers_an_id() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    assert_eq!(client.value("tea"), b"green");
    // The first and only bytes it hears are those of the flood, and the client hears none at all.
    assert_eq!(neighbor.hear_flood(), client.flood(Kind::Key, 0, "tea"));
    assert_eq!(client.contact.leave(), b"");
    assert_eq!(neighbor.leave(), b"");
}

#[test]
fn an_answer_is_one_message_on_a_fresh_connection_that_then_ends() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut client = Client::attach(servent.address());
    for sequence in 0..5 {
        assert_eq!(client.ask("tea"), sequence);
        let mut wire = client.answers.accept();
        assert_eq!(wire.peer().ip(), servent.address().ip());
        assert_eq!(wire.bytes_until_end(), resp(sequence, "green"));
    }
    client.answers.expect_nobody();
    assert_eq!(client.contact.leave(), b"");
}

#[test]
fn an_answer_leaves_from_the_port_listened_on() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    // Each from an address no answer went to yet: to others the system may not allow it again at once.
    let mut client = Client::attach(servent.address());
    client.ask("tea");
    assert_eq!(client.answers.next().from, servent.address());
    let answers = Answers::open();
    neighbor.pass_on(&Flood::key(answers.address(), "tea", 0));
    assert_eq!(answers.next().from, servent.address());
}

#[test]
fn a_second_servent_cannot_take_the_port_answers_leave_from() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    assert_eq!(Client::attach(servent.address()).value("tea"), b"green");
    let output = run(&["--tp3", &servent.address().to_string(), "-"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("cannot listen on {}", servent.address())), "{}", stderr(&output));
    still_serves(&servent);
}

#[test]
fn the_contact_begins_the_path_with_its_own_address() {
    let servent = serve_tp3(&["-"]);
    let mut neighbor = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    let sequence = client.ask_topology();
    let answer = client.answers.next();
    assert_eq!((answer.sequence, &answer.value), (sequence, &own_name(&servent)));
    assert_eq!(neighbor.hear_flood(), client.flood(Kind::Topology, sequence, own_name(&servent)));
}

#[test]
fn a_servent_appends_a_blank_and_its_own_address_to_the_path() {
    let servent = serve_tp3(&["-"]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    let answers = Answers::open();
    for path in ["192.0.2.1:9000", "192.0.2.1:9000 192.0.2.2:9001"] {
        let flood = Flood::topology(answers.address(), path, 3);
        one.pass_on(&flood);
        let path = format!("{path} {}", servent.address()).into_bytes();
        let answer = answers.next();
        assert_eq!((answer.sequence, &answer.value), (flood.sequence, &path));
        assert_eq!(other.hear_flood(), Flood { ttl: 2, info: path, ..flood });
    }
}

#[test]
fn the_client_is_known_by_the_ip_of_its_connection_and_the_port_of_its_id() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    for ip in [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 200, 0, 1)] {
        let mut client = Client::attach_at(servent.address(), Answers::open_at((ip, 0)));
        assert_eq!(client.value("tea"), b"green");
        let flood = neighbor.hear_flood();
        assert_eq!(*flood.client.ip(), ip);
        assert_eq!(flood, client.flood(Kind::Key, 0, "tea"));
    }
}

#[test]
fn a_sequence_may_be_any_number_in_any_order() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    for sequence in [1, 7, 3, u32::MAX, 0x8000_0000, 0] {
        client.contact.say(&keyreq(sequence, "tea"));
        let answer = client.answers.next();
        assert_eq!((answer.sequence, &answer.value[..]), (sequence, &b"green"[..]));
        assert_eq!(neighbor.hear_flood(), client.flood(Kind::Key, sequence, "tea"));
    }
}

// ---- how far a flood goes ----

#[test]
fn the_contact_starts_with_ttl_3_unless_told_otherwise() {
    for (options, ttl) in [(&[][..], 3), (&["--ttl", "0"], 0), (&["--ttl", "5"], 5)] {
        let servent = serve_tp3(&[options, &["-"]].concat());
        let mut neighbor = Wire::neighbor(servent.address());
        let mut client = Client::attach(servent.address());
        let sequence = client.ask(UNKNOWN);
        assert_eq!(neighbor.hear_flood(), client.flood(Kind::Key, sequence, UNKNOWN).with_ttl(ttl));
        let sequence = client.ask_topology();
        assert_eq!(
            neighbor.hear_flood(),
            client.flood(Kind::Topology, sequence, own_name(&servent)).with_ttl(ttl),
            "{options:?}"
        );
    }
}

#[test]
fn a_flood_that_comes_with_ttl_0_is_answered_and_not_passed_on() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    let answers = Answers::open();
    let key = Flood::key(answers.address(), "tea", 0);
    one.pass_on(&key);
    assert_eq!(answers.next().sequence, key.sequence);
    let topology = Flood::topology(answers.address(), "192.0.2.1:9000", 0);
    one.pass_on(&topology);
    assert_eq!(answers.next().sequence, topology.sequence);
    expect_nothing_more(&mut one, &mut other);
}

#[test]
fn a_flood_is_passed_on_with_one_ttl_less_to_everybody_but_the_sender_wherever_the_key_is() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let [mut sender, mut one, mut other] = [(); 3].map(|()| Wire::neighbor(servent.address()));
    let answers = Answers::open();
    for (key, ttl) in [("tea", 1), ("tea", 3), (UNKNOWN, 1), (UNKNOWN, 3), (UNKNOWN, 7)] {
        let flood = Flood::key(answers.address(), key, ttl);
        sender.pass_on(&flood);
        assert_eq!(one.hear_flood(), flood.with_ttl(ttl - 1));
        assert_eq!(other.hear_flood(), flood.with_ttl(ttl - 1));
    }
    answers.take(2);
    // What the sender hears first is somebody else's.
    expect_nothing_more(&mut one, &mut sender);
    expect_no_more_answers(&mut sender, &answers);
}

#[test]
fn a_chain_of_six_linked_by_tp3_reaches_five() {
    let mut servents = vec![serve_tp3(&["-"])];
    for _ in 1..6 {
        let previous = format!("tp3://{}", servents.last().unwrap().address());
        servents.push(serve_tp3(&["-", &previous]));
    }
    // Linked to the last link, too: asked at its end, the chain is as long.
    Client::attach(servents[5].address()).wait_until_answered_by(5);
    let mut client = Client::attach(servents[0].address());
    client.wait_until_answered_by(5);
    let sequences = [client.ask_topology(), client.ask_topology(), client.ask_topology()];
    let mut paths: Vec<_> = client.expect_answers(&sequences, 5).into_iter().map(|answer| answer.value).collect();
    paths.sort();
    paths.dedup();
    let names: Vec<_> = servents.iter().map(|servent| servent.address().to_string()).collect();
    let mut expected: Vec<_> = (1..=5).map(|count| names[..count].join(" ").into_bytes()).collect();
    expected.sort();
    assert_eq!(paths, expected);
}

#[test]
fn a_ttl_nobody_should_send_raises_nothing() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    let answers = Answers::open();
    for ttl in [8, 15, 16, 17, 255, 256, 257, 0x7fff, 0x8000, 0xff03, u16::MAX] {
        one.pass_on(&Flood::key(NOBODY, "milk", ttl));
        one.pass_on(&Flood::topology(answers.address(), "192.0.2.1:9000", ttl));
    }
    let last = Flood::key(NOBODY, UNKNOWN, 1);
    one.pass_on(&last);
    loop {
        let flood = other.hear_flood();
        if flood == last.with_ttl(0) {
            break;
        }
        assert!(flood.ttl <= 6, "{flood:?}");
    }
    still_serves(&servent);
}

// ---- what was seen before ----

#[test]
fn a_flood_seen_before_is_discarded() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let [mut one, mut other, mut third] = [(); 3].map(|()| Wire::neighbor(servent.address()));
    let answers = Answers::open();
    let flood = Flood::key(answers.address(), "tea", 3);
    one.pass_on(&flood);
    assert_eq!(answers.next().sequence, flood.sequence);
    assert_eq!(other.hear_flood(), flood.with_ttl(2));
    assert_eq!(third.hear_flood(), flood.with_ttl(2));

    let same_id = [
        flood.clone(),
        flood.with_ttl(2),
        flood.with_ttl(0),
        // Only client and sequence tell it from others; requests for keys and for the topology share one counter.
        Flood { info: b"another".to_vec(), ..flood.clone() },
        Flood { kind: Kind::Topology, info: b"192.0.2.1:9000".to_vec(), ..flood },
    ];
    for copy in &same_id {
        one.pass_on(copy);
        other.pass_on(copy);
        third.pass_on(copy);
    }
    expect_no_more_answers(&mut one, &answers);
    expect_no_more_answers(&mut other, &answers);
    expect_no_more_answers(&mut third, &answers);
    let mark = Flood::key(NOBODY, UNKNOWN, 1);
    third.pass_on(&mark);
    assert_eq!((one.hear_flood(), other.hear_flood()), (mark.with_ttl(0), mark.with_ttl(0)));
    expect_nothing_more(&mut one, &mut third);
}

#[test]
fn a_flood_that_differs_in_ip_port_or_sequence_is_another() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    let (answers, other_ip) = Answers::open_twins(Ipv4Addr::new(127, 0, 0, 2));
    let other_port = Answers::open();
    let flood = Flood::key(answers.address(), "tea", 3);
    let next_sequence = Flood { sequence: unique(), ..flood.clone() };
    for (flood, answers) in [
        (flood.clone(), &answers),
        (Flood { client: other_ip.address(), ..flood.clone() }, &other_ip),
        (Flood { client: other_port.address(), ..flood }, &other_port),
        (next_sequence, &answers),
    ] {
        one.pass_on(&flood);
        assert_eq!(answers.next().sequence, flood.sequence);
        assert_eq!(other.hear_flood(), flood.with_ttl(2));
    }
}

#[test]
fn requests_for_keys_and_for_the_topology_share_one_counter() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    let sequences = [client.ask("tea"), client.ask_topology(), client.ask("tea")];
    let answers = client.answers.take(3);
    assert_eq!(answers.iter().map(|answer| answer.sequence).collect::<Vec<_>>(), sequences);
    for (kind, sequence, info) in
        [(Kind::Key, 0, b"tea".to_vec()), (Kind::Topology, 1, own_name(&servent)), (Kind::Key, 2, b"tea".to_vec())]
    {
        assert_eq!(neighbor.hear_flood(), client.flood(kind, sequence, info));
    }
    // This has been asked; and who asks something else under a number that is taken is answered by the contact alone.
    client.contact.say(&[keyreq(2, "tea"), toporeq(2), keyreq(1, "tea")].concat());
    let sequence = client.ask("tea");
    let answers = client.answers.take(3);
    assert_eq!(answers.iter().map(|answer| answer.sequence).collect::<Vec<_>>(), [1, 2, sequence]);
    assert_eq!(neighbor.hear_flood(), client.flood(Kind::Key, sequence, "tea"));
    client.answers.expect_nobody();
}

#[test]
fn a_copy_that_may_go_further_is_passed_on_again_and_not_answered_again() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let [mut one, mut other, mut third] = [(); 3].map(|()| Wire::neighbor(servent.address()));
    let answers = Answers::open();
    let flood = Flood::key(answers.address(), "tea", 1);
    one.pass_on(&flood);
    assert_eq!(answers.next().sequence, flood.sequence);
    assert_eq!(third.hear_flood(), flood.with_ttl(0));
    assert_eq!(other.hear_flood(), flood.with_ttl(0));
    other.pass_on(&flood.with_ttl(3));
    assert_eq!(third.hear_flood(), flood.with_ttl(2));
    assert_eq!(one.hear_flood(), flood.with_ttl(2));
    one.pass_on(&flood.with_ttl(2));
    expect_nothing_more(&mut one, &mut third);
    expect_no_more_answers(&mut one, &answers);
    expect_no_more_answers(&mut other, &answers);
}

#[test]
fn with_forward_once_a_copy_that_may_go_further_is_a_duplicate() {
    let file = tea();
    let servent = serve_tp3(&["--forward-once", file.path()]);
    let [mut one, mut other, mut third] = [(); 3].map(|()| Wire::neighbor(servent.address()));
    let answers = Answers::open();
    let flood = Flood::key(answers.address(), "tea", 1);
    one.pass_on(&flood);
    assert_eq!(answers.next().sequence, flood.sequence);
    assert_eq!(third.hear_flood(), flood.with_ttl(0));
    other.pass_on(&flood.with_ttl(3));
    expect_no_more_answers(&mut other, &answers);
    expect_nothing_more(&mut other, &mut third);
}

#[test]
fn a_flood_sent_back_by_those_it_was_sent_to_changes_nothing_for_the_client() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    for kind in [Kind::Key, Kind::Topology] {
        let sequence = match kind {
            Kind::Key => client.ask("tea"),
            Kind::Topology => client.ask_topology(),
        };
        assert_eq!(client.answers.next().sequence, sequence);
        let flood = one.hear_flood();
        assert_eq!(flood.sequence, sequence);
        assert_eq!(other.hear_flood(), flood);
        // As it came, as those send it back who count down first, and both at once.
        one.pass_on(&flood);
        one.pass_on(&flood.with_ttl(2));
        other.pass_on(&flood);
        expect_nothing_more(&mut one, &mut other);
        expect_nothing_more(&mut other, &mut one);
    }
    // With more TTL than it was sent with, it may go further; it is not answered again.
    one.pass_on(&client.flood(Kind::Key, 0, "tea").with_ttl(7));
    one.settle();
    let sequence = client.ask("tea");
    assert_eq!(client.answers.next().sequence, sequence);
    client.answers.expect_nobody();
}

#[test]
fn neighbors_that_never_discard_a_duplicate_get_one_answer_and_one_copy() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let [mut one, mut other, mut third] = [(); 3].map(|()| Wire::neighbor(servent.address()));
    let answers = Answers::open();
    let flood = Flood::key(answers.address(), "tea", 3);
    let storm = flood.bytes().repeat(1_000);
    for _ in 0..20 {
        one.say(&storm);
        other.say(&storm);
    }
    expect_no_more_answers_but_one(&mut one, &answers, &flood);
    expect_no_more_answers(&mut other, &answers);
    assert_eq!(third.hear_flood(), flood.with_ttl(2));
    expect_nothing_more(&mut one, &mut third);
    expect_nothing_more(&mut other, &mut third);
}

/// That this flood was answered once, and nothing was after it.
fn expect_no_more_answers_but_one(neighbor: &mut Wire, answers: &Answers, flood: &Flood) {
    assert_eq!(answers.next().sequence, flood.sequence);
    expect_no_more_answers(neighbor, answers);
}

#[test]
fn a_restarted_client_counts_from_0_again_and_is_answered_again() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    let answers = Answers::open();
    let flood = Flood { kind: Kind::Key, ttl: 3, sequence: 0, client: answers.address(), info: b"tea".to_vec() };
    for _ in 0..4 {
        let mut client = attach(servent.address(), answers.address());
        client.say(&keyreq(0, "tea"));
        let answer = answers.next();
        assert_eq!((answer.sequence, &answer.value[..]), (0, &b"green"[..]));
        assert_eq!(neighbor.hear_flood(), flood);
    }
    // Not only when its former self has left.
    let mut former = attach(servent.address(), answers.address());
    former.say(&keyreq(0, "tea"));
    assert_eq!(answers.next().sequence, 0);
    let mut client = attach(servent.address(), answers.address());
    client.say(&keyreq(0, "tea"));
    assert_eq!(answers.next().sequence, 0);
    answers.expect_nobody();
}

// ---- bytes, however they come ----

#[test]
fn what_a_client_says_may_be_cut_anywhere() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut bystander = Client::attach(servent.address());
    let answers = Answers::open();
    let length = [id(1), keyreq(0, "tea"), toporeq(0)].concat().len();
    for cut in 1..length {
        let sequences = [unique(), unique()];
        let bytes = [id(answers.address().port()), keyreq(sequences[0], "tea"), toporeq(sequences[1])].concat();
        let mut wire = Wire::connect(servent.address());
        wire.say(&bytes[..cut]);
        let_it_read(&mut bystander);
        wire.say(&bytes[cut..]);
        let heard = answers.take(2);
        assert_eq!(heard.iter().map(|answer| answer.sequence).collect::<Vec<_>>(), sequences, "cut at {cut}");
        assert_eq!(
            heard.iter().map(|answer| &answer.value[..]).collect::<Vec<_>>(),
            [b"green", &own_name(&servent)[..]]
        );
    }
}

#[test]
fn what_a_neighbor_says_may_be_cut_anywhere() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut other = Wire::neighbor(servent.address());
    let mut bystander = Client::attach(servent.address());
    let answers = Answers::open();
    let path = "192.0.2.1:9000";
    let length =
        id(0).len() + Flood::key(NOBODY, "tea", 1).bytes().len() + Flood::topology(NOBODY, path, 1).bytes().len();
    for cut in 1..length {
        let (key, topology) = (Flood::key(answers.address(), "tea", 1), Flood::topology(answers.address(), path, 1));
        let bytes = [id(0), key.bytes(), topology.bytes()].concat();
        let mut wire = Wire::connect(servent.address());
        wire.say(&bytes[..cut]);
        let_it_read(&mut bystander);
        wire.say(&bytes[cut..]);
        let heard = answers.take(2);
        assert_eq!([heard[0].sequence, heard[1].sequence], [key.sequence, topology.sequence], "cut at {cut}");
        let longer = heard[1].value.clone();
        // The bystander's floods go to it as well.
        let mut passed_on = Vec::new();
        while passed_on.len() < 2 {
            let flood = other.hear_flood();
            if flood.client == answers.address() {
                passed_on.push(flood);
            }
        }
        assert_eq!(passed_on, [key.with_ttl(0), Flood { ttl: 0, info: longer, ..topology }], "cut at {cut}");
    }
}

#[test]
fn a_connection_that_ends_inside_a_message_harms_nobody() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    let flood = Flood::key(NOBODY, UNKNOWN, 1);
    let topology = Flood::topology(NOBODY, "192.0.2.1:9000", 1);
    for whole in [
        [id(9990), keyreq(0, "tea")].concat(),
        [id(9990), toporeq(0)].concat(),
        [id(0), flood.bytes()].concat(),
        [id(0), topology.bytes()].concat(),
    ] {
        for cut in 0..whole.len() {
            let mut wire = Wire::connect(servent.address());
            wire.say(&whole[..cut]);
            assert_eq!(wire.leave(), b"", "{:02x?}", &whole[..cut]);
        }
    }
    expect_nothing_more(&mut one, &mut other);
    expect_nothing_more(&mut other, &mut one);
    still_serves(&servent);
}

#[test]
fn several_messages_may_come_in_one_segment() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut other = Wire::neighbor(servent.address());
    let answers = Answers::open();

    let mut bytes = id(0);
    let floods: Vec<Flood> = (0..1_000).map(|_| Flood::key(NOBODY, UNKNOWN, 3)).collect();
    floods.iter().for_each(|flood| bytes.extend(flood.bytes()));
    let last = Flood::key(answers.address(), "tea", 3);
    bytes.extend(last.bytes());
    let mut neighbor = Wire::connect(servent.address());
    neighbor.say(&bytes);
    for flood in floods.iter().chain([&last]) {
        assert_eq!(other.hear_flood(), flood.with_ttl(2));
    }
    assert_eq!(answers.next().sequence, last.sequence);

    let mut client = Wire::connect(servent.address());
    let requests = [keyreq(0, "tea"), toporeq(1), keyreq(2, UNKNOWN), keyreq(3, "tea")];
    client.say(&[id(answers.address().port()), requests.concat()].concat());
    let sequences: Vec<u32> = answers.take(3).iter().map(|answer| answer.sequence).collect();
    assert_eq!(sequences, [0, 1, 3]);
}

#[test]
fn whole_conversations_may_come_one_byte_at_a_time() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut other = Wire::neighbor(servent.address());
    let answers = Answers::open();
    let mut neighbor = Wire::connect(servent.address());
    neighbor.say_byte_by_byte(&id(0));
    for flood in [Flood::key(answers.address(), "tea", 1), Flood::key(answers.address(), "tea", 1)] {
        neighbor.say_byte_by_byte(&flood.bytes());
        assert_eq!(answers.next().sequence, flood.sequence);
        assert_eq!(other.hear_flood(), flood.with_ttl(0));
    }
    let mut client = Wire::connect(servent.address());
    client.say_byte_by_byte(&id(answers.address().port()));
    client.say_byte_by_byte(&keyreq(0, "tea"));
    assert_eq!(answers.next().value, b"green");
    client.say_byte_by_byte(&toporeq(1));
    assert_eq!(answers.next().value, own_name(&servent));
}

#[test]
fn an_unknown_type_ends_that_link_only_and_without_a_word() {
    let file = tea();
    let mut servent = serve_tp3(&[file.path()]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    for kind in [[0, 0], [0, 1], [0, 3], [0, 10], [1, 7], [7, 0], [0x80, 7], [0xA7, b'k'], [0xff, 0xff]] {
        let garbage = [&kind[..], &[1, 2, 3, 4, 5]].concat();
        let mut neighbor = Wire::neighbor(servent.address());
        neighbor.say(&garbage);
        assert_eq!(neighbor.bytes_until_end(), b"", "{kind:02x?}");
        logged(&mut servent, &neighbor.address().to_string());
        let mut client = Client::attach(servent.address());
        client.contact.say(&garbage);
        assert_eq!(client.contact.bytes_until_end(), b"", "{kind:02x?}");
    }
    // What was said before it counts.
    let flood = Flood::key(NOBODY, UNKNOWN, 1);
    let mut neighbor = Wire::neighbor(servent.address());
    neighbor.say(&[flood.bytes(), vec![0xff; 7]].concat());
    assert_eq!(one.hear_flood(), flood.with_ttl(0));
    assert_eq!(other.hear_flood(), flood.with_ttl(0));
    expect_nothing_more(&mut one, &mut other);
    expect_nothing_more(&mut other, &mut one);
    still_serves(&servent);
}

#[test]
fn a_connection_that_begins_with_anything_but_an_id_is_closed_without_a_word() {
    let file = tea();
    let mut servent = serve_tp3(&[file.path()]);
    let flood = Flood::key(NOBODY, "tea", 3).bytes();
    let rows = [keyreq(0, "tea"), toporeq(0), flood, resp(0, "green"), vec![0; 7], vec![0, 0xff, 1, 2, 3, 4, 5]];
    for bytes in rows {
        let mut wire = Wire::connect(servent.address());
        wire.say(&bytes);
        assert_eq!(wire.bytes_until_end(), b"", "{bytes:02x?}");
        logged(&mut servent, &format!("no link with {}: ", wire.address()));
    }
    still_serves(&servent);
}

#[test]
fn what_is_not_for_a_servent_to_hear_there_harms_nobody() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    for bytes in [keyreq(0, UNKNOWN), toporeq(0), resp(0, "green"), resp(0, [b'v'; 400])] {
        let mut neighbor = Wire::neighbor(servent.address());
        neighbor.say(&bytes);
        // Whether it keeps the link is its own affair, but it says nothing.
        assert_eq!(neighbor.leave(), b"", "{bytes:02x?}");
    }
    for bytes in [Flood::key(NOBODY, UNKNOWN, 0).bytes(), resp(0, "green")] {
        let mut client = Client::attach(servent.address());
        client.contact.say(&bytes);
        assert_eq!(client.contact.leave(), b"", "{bytes:02x?}");
    }
    expect_nothing_more(&mut one, &mut other);
    still_serves(&servent);
}

// ---- texts ----

#[test]
fn a_text_of_400_bytes_is_taken_and_a_longer_one_ends_that_link_only() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    let longest = Flood::key(NOBODY, [b'k'; TEXT_BYTES_MAX], 1);
    one.pass_on(&longest);
    assert_eq!(other.hear_flood(), longest.with_ttl(0));

    let too_long = |header: &[u8], count: u16| [header, &count.to_be_bytes()].concat();
    let key = Flood::key(NOBODY, "", 1).header();
    let topology = Flood::topology(NOBODY, "", 1).header();
    for header in [&key, &topology] {
        // With all its bytes, and announced only.
        for bytes in
            [[too_long(header, 401), vec![b'k'; 401]].concat(), too_long(header, 401), too_long(header, u16::MAX)]
        {
            let mut neighbor = Wire::neighbor(servent.address());
            neighbor.say(&bytes);
            assert_eq!(neighbor.bytes_until_end(), b"", "{bytes:02x?}");
        }
    }
    for count in [401, u16::MAX] {
        let mut client = Client::attach(servent.address());
        client.contact.say(&too_long(&keyreq(0, "")[..6], count));
        assert_eq!(client.contact.bytes_until_end(), b"");
    }
    expect_nothing_more(&mut one, &mut other);
    expect_nothing_more(&mut other, &mut one);
    still_serves(&servent);
}

#[test]
fn a_value_over_400_bytes_is_answered_as_its_first_397_and_three_dots() {
    let value = |count: usize| (b'a'..=b'z').cycle().take(count).collect::<Vec<u8>>();
    let lines: Vec<String> = [399, 400, 401, 5_000, 1_000_000]
        .map(|count| format!("k{count} {}\n", String::from_utf8(value(count)).unwrap()))
        .to_vec();
    let file = DataFile::new(lines.concat());
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    let answers = Answers::open();
    for count in [399, 400, 401, 5_000, 1_000_000] {
        let key = format!("k{count}");
        let expected = shortened(&value(count));
        assert_eq!(expected.len(), count.min(TEXT_BYTES_MAX));
        assert_eq!(client.value(&key), expected, "{count}");
        neighbor.pass_on(&Flood::key(answers.address(), &key, 0));
        assert_eq!(answers.next().value, expected, "{count}");
    }
}

#[test]
fn a_path_over_400_bytes_is_cut_likewise_and_goes_on_so() {
    let servent = serve_tp3(&["-"]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    let answers = Answers::open();
    let long = "192.0.2.1:9000 ".repeat(40);
    let own = servent.address().to_string();
    let just_right = TEXT_BYTES_MAX - own.len() - 1;
    let dotted = [&long.as_bytes()[..397], b"..."].concat();
    for path in [
        &long.as_bytes()[..just_right],
        &long.as_bytes()[..just_right + 1],
        &long.as_bytes()[..395],
        &long.as_bytes()[..400],
        &dotted,
    ] {
        let flood = Flood::topology(answers.address(), path, 3);
        one.pass_on(&flood);
        let expected = shortened(&[path, b" ", own.as_bytes()].concat());
        let answer = answers.next();
        assert_eq!((answer.sequence, &answer.value), (flood.sequence, &expected), "{} bytes", path.len());
        assert_eq!(other.hear_flood(), Flood { ttl: 2, info: expected, ..flood });
    }
}

#[test]
fn a_path_need_not_be_made_of_addresses() {
    let servent = serve_tp3(&["-"]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    let answers = Answers::open();
    for path in [&b"node-one:9000"[..], b"192.0.2.1:99999", b"  a  b ", b"caf\xe9 \xff\x00", b"[2001:db8::1]:9000"] {
        let flood = Flood::topology(answers.address(), path, 1);
        one.pass_on(&flood);
        let expected = [path, b" ", &own_name(&servent)].concat();
        assert_eq!(answers.next().value, expected);
        assert_eq!(other.hear_flood(), Flood { ttl: 0, info: expected, ..flood });
    }
}

#[test]
fn keys_and_values_need_not_be_ascii() {
    let keys: [&[u8]; 3] = ["café".as_bytes(), b"caf\xe9", b"\xff\xfe\x01"];
    let file = DataFile::new(keys.map(|key| [key, b" value \x80 of ", key, b"\n"].concat()).concat());
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    let answers = Answers::open();
    for key in keys {
        let expected = [b"value \x80 of ", key].concat();
        assert_eq!(client.value(key), expected);
        let flood = neighbor.hear_flood();
        assert_eq!(flood.info, key);
        assert_eq!(other.hear_flood(), flood);
        let flood = Flood::key(answers.address(), key, 1);
        neighbor.pass_on(&flood);
        assert_eq!(answers.next().value, expected);
        assert_eq!(other.hear_flood(), flood.with_ttl(0));
    }
    // A key with a blank or a zero in it is in no file, but may be asked for.
    let flood = Flood::key(NOBODY, b"a b\0\n", 1);
    neighbor.pass_on(&flood);
    assert_eq!(other.hear_flood(), flood.with_ttl(0));
}

#[test]
fn an_empty_text_harms_nobody() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    // Whether such a link is kept is left open; nothing may be said on it that is no flood.
    let mut neighbor = Wire::neighbor(servent.address());
    let answers = Answers::open();
    neighbor.pass_on(&Flood::key(answers.address(), "", 0));
    neighbor.pass_on(&Flood::topology(answers.address(), "", 0));
    assert_eq!(neighbor.leave(), b"");
    let mut client = Client::attach(servent.address());
    client.ask("");
    assert_eq!(client.contact.leave(), b"");
    let last = Flood::key(NOBODY, UNKNOWN, 1);
    one.pass_on(&last);
    while other.hear_flood() != last.with_ttl(0) {}
    still_serves(&servent);
}

// ---- clients and their ports ----

#[test]
fn a_port_above_32767_is_a_port_like_any_other() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut neighbor = Wire::neighbor(servent.address());
    let answers = loop {
        let answers = Answers::open();
        if answers.address().port() > 0x7fff {
            break answers;
        }
    };
    let flood = Flood::key(answers.address(), "tea", 0);
    neighbor.pass_on(&flood);
    assert_eq!(answers.next().sequence, flood.sequence);
    let mut client = Client::attach_at(servent.address(), answers);
    assert_eq!(client.value("tea"), b"green");
    assert_eq!(neighbor.hear_flood(), client.flood(Kind::Key, 0, "tea"));

    let mut other = Wire::neighbor(servent.address());
    let flood = Flood::key(SocketAddrV4::new(Ipv4Addr::LOCALHOST, u16::MAX), UNKNOWN, 1);
    neighbor.pass_on(&flood);
    assert_eq!(other.hear_flood(), flood.with_ttl(0));
}

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
    let file = tea();
    let mut servent = serve_tp3(&[file.path()]);
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
    let file = tea();
    let mut servent = serve_tp3(&[file.path()]);
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
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
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
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
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
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut client = Client::attach(servent.address());
    let requests: Vec<u8> = (0..300).flat_map(|sequence| keyreq(sequence, "tea")).collect();
    client.contact.say(&requests);
    let answers = client.answers.take(300);
    assert_eq!(answers.iter().map(|answer| answer.sequence).collect::<Vec<_>>(), (0..300).collect::<Vec<_>>());
    client.answers.expect_nobody();
}

#[test]
fn an_address_where_no_client_can_be_is_not_dialled_and_harms_nobody() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
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
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    // TEST-NET-3, where nobody is.
    let forged: SocketAddrV4 = "203.0.113.9:9990".parse().unwrap();
    let flood = Flood::key(forged, "tea", 1);
    one.pass_on(&flood);
    let line = logged(&mut servent, &format!("no answer to client {forged}"));
    assert!(line.contains("--tp3-answers") || line.contains("allow"), "{line}");
    assert_eq!(other.hear_flood(), flood.with_ttl(0));
    still_serves(&servent);

    // What is asked for another network does not widen it to this one.
    let mut servent = serve_tp3(&["--tp3-answers", "198.51.100.0/24", "--tp3-answers", "192.0.2.7/32", file.path()]);
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

// ---- links that stand ----

#[test]
fn a_neighbor_written_tp3_is_told_id_0_and_then_floods_only() {
    let file = tea();
    let node = Node::open();
    let servent = serve_tp3(&[file.path(), &node.name()]);
    let mut wire = node.accept();
    assert_eq!(wire.hear(4), [0, 4, 0, 0]);
    wire.settle();
    let mut client = Client::attach(servent.address());
    let sequence = client.ask("coffee");
    assert_eq!(wire.hear_flood(), client.flood(Kind::Key, sequence, "coffee"));
    let sequence = client.ask_topology();
    assert_eq!(wire.hear_flood(), client.flood(Kind::Topology, sequence, own_name(&servent)));
    let answers = Answers::open();
    let flood = Flood::key(answers.address(), "tea", 3);
    wire.pass_on(&flood);
    assert_eq!(answers.next().sequence, flood.sequence);
    assert_eq!(wire.leave(), b"");
}

#[test]
fn a_tp3_neighbor_is_dialled_until_it_is_there_and_again_when_it_has_gone() {
    let file = tea();
    let address = free_address();
    let name = format!("tp3://{address}");
    let mut servent = serve_tp3(&[file.path(), &name]);
    // It has been dialled in vain.
    logged(&mut servent, &address.to_string());
    let node = Node::open_at(address);
    for _ in 0..3 {
        let mut wire = node.accept();
        assert_eq!(wire.hear(4), id(0));
        wire.settle();
    }
    drop(node);
    still_serves(&servent);
}

#[test]
fn two_servents_that_dial_each_other_by_tp3_answer_once_each() {
    let (first, second) = (free_address(), free_address());
    let (first_file, second_file) = (DataFile::new("tea one\n"), DataFile::new("tea two\n"));
    let start = |own: SocketAddr, file: &DataFile, other: SocketAddr| {
        serve_on(&own.to_string(), &["--tp3", file.path(), &format!("tp3://{other}")])
    };
    let _servents = [start(first, &first_file, second), start(second, &second_file, first)];
    for (own, other) in [(first, second), (second, first)] {
        let mut client = Client::attach(own);
        client.wait_until_answered_by(2);
        let sequences: Vec<u32> = (0..20).map(|_| client.ask("tea")).collect();
        let answers = client.expect_answers(&sequences, 2);
        let values: BTreeSet<(u32, &[u8])> =
            answers.iter().map(|answer| (answer.sequence, &answer.value[..])).collect();
        assert_eq!(values.len(), 40, "{answers:?}");
        let sequence = client.ask_topology();
        let paths: BTreeSet<Vec<u8>> =
            client.expect_answers(&[sequence], 2).into_iter().map(|answer| answer.value).collect();
        assert_eq!(paths, BTreeSet::from([own.to_string().into_bytes(), format!("{own} {other}").into_bytes()]));
    }
}

/// A native neighbor that falls silent is pinged after a while and closed after a longer one. Those of the other kind
/// cannot say that they are there, and are left alone.
#[test]
fn a_quiet_tp3_link_is_neither_pinged_nor_closed() {
    let file = tea();
    let node = Node::open();
    let servent = serve_tp3(&[file.path(), &node.name()]);
    let mut dialled = node.accept();
    assert_eq!(dialled.hear(4), id(0));
    let mut accepted = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    client.value("tea");
    assert_eq!(accepted.hear_flood(), dialled.hear_flood());

    let mut clock = Peer::neighbor(servent.address());
    clock.fall_silent();
    assert_eq!(clock.expect(), Message::Ping);
    while clock.hear() != Heard::End {}

    let sequence = client.ask("tea");
    let flood = client.flood(Kind::Key, sequence, "tea");
    assert_eq!((accepted.hear_flood(), dialled.hear_flood()), (flood.clone(), flood));
    assert_eq!(client.answers.next().sequence, sequence);
    assert_eq!((accepted.leave(), dialled.leave(), client.contact.leave()), (vec![], vec![], vec![]));
}

#[test]
fn an_id_that_never_ends_is_closed_without_a_word() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut halves: Vec<Wire> = (1..4)
        .map(|count| {
            let mut wire = Wire::connect(servent.address());
            wire.say(&id(0)[..count]);
            wire
        })
        .collect();
    for wire in &mut halves {
        assert_eq!(wire.bytes_until_end(), b"");
    }
    still_serves(&servent);
}

#[test]
fn a_servent_that_leaves_says_nothing_to_tp3() {
    let file = tea();
    let node = Node::open();
    let mut servent = serve_tp3(&[file.path(), &node.name()]);
    let mut dialled = node.accept();
    assert_eq!(dialled.hear(4), id(0));
    let mut accepted = Wire::neighbor(servent.address());
    let mut client = Client::attach(servent.address());
    client.value("tea");
    assert_eq!(accepted.hear_flood(), dialled.hear_flood());
    servent.signal(Signal::TERM);
    assert_eq!(accepted.bytes_until_end(), b"");
    assert_eq!(dialled.bytes_until_end(), b"");
    assert_eq!(client.contact.bytes_until_end(), b"");
    assert!(servent.wait().unwrap().success());
}

#[test]
fn without_the_option_an_id_is_refused_with_a_reason() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let mut native = Peer::neighbor(servent.address());
    for port in [0, 9990] {
        for more in [vec![], Flood::key(NOBODY, "tea", 3).bytes()] {
            let mut wire = Wire::connect(servent.address());
            wire.say(&[id(port), more].concat());
            assert_eq!(wire.bytes_until_end(), b"");
            let line = logged(&mut servent, &format!("no link with {}: ", wire.address()));
            assert!(line.to_lowercase().contains("tp3"), "{line}");
        }
    }
    native.say(&Message::Ping);
    assert_eq!(native.expect(), Message::Pong);
    drop(native);
    assert_eq!(Peer::client(servent.address(), 9).values("tea"), [b"green"]);
}

// ---- both dialects in one flood ----

/// What the echo to a native copy must say of one TP3 neighbor it was passed on to.
fn silent_one(tally: Tally) {
    assert_eq!((tally.reached, tally.silent, tally.lost), (1, 1, 0), "{tally:?}");
}

#[test]
fn a_native_query_crosses_a_tp3_link_which_is_counted_as_silent() {
    let servent = serve_tp3(&["-"]);
    let mut native = Peer::neighbor(servent.address());
    let mut tp3 = Wire::neighbor(servent.address());
    let query = native.pass_on(NOBODY.into(), ask("coffee"), 2);
    let flood = tp3.hear_flood();
    assert_eq!((flood.kind, flood.ttl, flood.client, &flood.info[..]), (Kind::Key, 1, NOBODY, &b"coffee"[..]));
    match native.expect() {
        Message::Echo(Echo { id, ttl: 2, tally }) if id == query.id() => silent_one(tally),
        message => panic!("{message:?} and no echo"),
    }
    // Sent back, with more TTL too, it is still the same query.
    tp3.pass_on(&flood);
    tp3.pass_on(&flood.with_ttl(0));
    let mark = Flood::key(NOBODY, UNKNOWN, 1);
    tp3.pass_on(&mark);
    let heard = native.expect_query();
    assert_eq!((heard.ttl, heard.ask, heard.client.socket), (0, ask(UNKNOWN), NOBODY.into()));
    assert_eq!(tp3.leave(), b"");
}

#[test]
fn a_tp3_flood_crosses_a_native_link_and_its_echo_goes_no_further() {
    let servent = serve_tp3(&["-"]);
    let mut native = Peer::neighbor(servent.address());
    let mut one = Wire::neighbor(servent.address());
    let mut other = Wire::neighbor(servent.address());
    for _ in 0..10 {
        let flood = Flood::key(NOBODY, "coffee", 3);
        one.pass_on(&flood);
        assert_eq!(other.hear_flood(), flood.with_ttl(2));
        let query = native.expect_query();
        assert_eq!((query.ttl, &query.ask, query.client.socket), (2, &ask("coffee"), NOBODY.into()));
        native.say(&Message::Echo(Echo {
            id: query.id(),
            ttl: query.ttl,
            tally: Tally { reached: 1, ..Tally::default() },
        }));
    }
    expect_nothing_more(&mut one, &mut other);
    expect_nothing_more(&mut other, &mut one);
    assert_eq!((one.leave(), other.leave()), (vec![], vec![]));
}

#[test]
fn a_query_that_comes_in_both_dialects_is_answered_once() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut native = Peer::neighbor(servent.address());
    let mut tp3 = Wire::neighbor(servent.address());
    let answers = Answers::open();
    // By TP3 first, then natively, as a native servent passes it on that got it another way.
    let flood = Flood::key(answers.address(), "tea", 3);
    tp3.pass_on(&flood);
    assert_eq!(answers.next().sequence, flood.sequence);
    let query = native.expect_query();
    native.say(&Message::query(query.clone()));
    match native.expect() {
        Message::Echo(Echo { id, tally, .. }) if id == query.id() => {
            assert_eq!((tally.duplicates, tally.answers), (1, 0));
        }
        message => panic!("{message:?} and no echo"),
    }
    expect_no_more_answers(&mut tp3, &answers);

    // Natively first, then by TP3: answered in the dialect of its client.
    let next = Query { sequence: query.sequence + 500_000, ..query };
    native.say(&Message::query(next));
    let answer = answers.next();
    assert_eq!((answer.sequence, &answer.value[..]), (flood.sequence + 500_000, &b"green"[..]));
    let passed_on = tp3.hear_flood();
    assert_eq!((passed_on.sequence, passed_on.ttl, passed_on.client), (answer.sequence, 1, answers.address()));
    tp3.pass_on(&passed_on);
    tp3.pass_on(&passed_on.with_ttl(0));
    expect_no_more_answers(&mut tp3, &answers);
}

#[test]
fn a_tp3_client_is_answered_in_its_dialect_by_servents_behind_native_links() {
    let files = ["tea one\n", "tea two\n", "tea three\n"].map(DataFile::new);
    let contact = serve_tp3(&[files[0].path()]);
    let next = serve_tp3(&[files[1].path(), &contact.address().to_string()]);
    let last = serve_tp3(&[files[2].path(), &next.address().to_string()]);
    let mut client = Client::attach(contact.address());
    client.wait_until_answered_by(3);
    for _ in 0..10 {
        let sequence = client.ask("tea");
        let mut values: Vec<Vec<u8>> =
            client.expect_answers(&[sequence], 3).into_iter().map(|answer| answer.value).collect();
        values.sort();
        assert_eq!(values, [&b"one"[..], b"three", b"two"]);
    }
    let sequence = client.ask_topology();
    let paths: BTreeSet<String> = client
        .expect_answers(&[sequence], 3)
        .into_iter()
        .map(|answer| String::from_utf8(answer.value).unwrap())
        .collect();
    let [one, two, three] = [&contact, &next, &last].map(Servent::address);
    assert_eq!(paths, BTreeSet::from([format!("{one}"), format!("{one} {two}"), format!("{one} {two} {three}")]));
    assert_eq!(client.contact.leave(), b"");
}

/// The contact at the top, linked natively with the left and by TP3 with the right, and the bottom with both likewise.
#[test]
fn a_diamond_of_both_dialects_answers_once_each() {
    let files = ["tea top\n", "tea left\n", "tea right\n", "tea bottom\n"].map(DataFile::new);
    let top = serve_tp3(&[files[0].path()]);
    let left = serve_tp3(&[files[1].path(), &top.address().to_string()]);
    let right = serve_tp3(&[files[2].path(), &format!("tp3://{}", top.address())]);
    let natively = left.address().to_string();
    let by_tp3 = format!("tp3://{}", right.address());
    let bottom = serve_tp3(&[files[3].path(), &natively, &by_tp3]);
    // Each of the four links has been seen.
    for (from, to) in [(&left, &top), (&left, &bottom), (&right, &top), (&right, &bottom)] {
        let path = format!("{} {}", from.address(), to.address());
        Client::attach(from.address()).wait_for_path(&path);
    }
    let mut client = Client::attach(top.address());
    client.wait_until_answered_by(4);
    let sequences: Vec<u32> = (0..20).map(|_| client.ask("tea")).collect();
    let values: BTreeSet<(u32, Vec<u8>)> =
        client.expect_answers(&sequences, 4).into_iter().map(|answer| (answer.sequence, answer.value)).collect();
    assert_eq!(values.len(), 80);
    let silence_max = Duration::from_secs(50);
    let question = Question { silence_max, answers_wanted: Some(4), ..asking::key("tea").unwrap() };
    let asked = Asked::at(top.address(), question).unwrap();
    let values: BTreeSet<&str> = asked.values().into_iter().collect();
    assert_eq!(values, BTreeSet::from(["top", "left", "right", "bottom"]), "{asked:?}");
    assert_eq!((asked.answers.len(), asked.surprises.len()), (4, 0), "{asked:?}");
}

/// Asks for a key, and waits for so many seconds.
fn waiting(key: &str, seconds: u64) -> Question {
    Question { silence_max: Duration::from_secs(seconds), ..asking::key(key).unwrap() }
}

#[test]
fn our_client_is_answered_by_nodes_behind_a_tp3_link_and_ends_by_silence() {
    let file = DataFile::new("coffee black\n");
    let servent = serve_tp3(&[file.path()]);
    let mut node = Wire::neighbor(servent.address());
    let contact = servent.address();
    let client = thread::spawn(move || Asked::at(contact, waiting("coffee", 3)).unwrap());
    let flood = node.hear_flood();
    assert_eq!((flood.kind, flood.ttl, &flood.info[..]), (Kind::Key, 3, &b"coffee"[..]));
    // It sends it back, as many do, and answers as all do.
    node.pass_on(&flood);
    node.pass_on(&flood.with_ttl(7));
    let mut answer = Wire::connect_from(Ipv4Addr::new(127, 0, 0, 7), flood.client.into());
    answer.say(&resp(flood.sequence, "white"));
    let from = answer.address();
    // It closes at once and does not care what the client may have to say.
    drop(answer);
    let asked = client.join().unwrap();
    let mut answers: Vec<(&str, SocketAddr)> =
        asked.answers.iter().map(|answer| (answer.value.as_deref().unwrap(), answer.from)).collect();
    answers.sort_unstable();
    assert_eq!(answers, [("black", contact), ("white", from)], "{asked:?}");
    let Ending { reason, tally, .. } = asked.ending;
    assert_eq!((reason, tally.silent, tally.lost), (EndReason::Silence, 1, 0), "{asked:?}");
    assert_eq!(asked.surprises, []);
}

#[test]
fn our_client_is_answered_by_our_servents_behind_a_tp3_link() {
    let files = ["tea one\n", "tea two\n", "tea three\n"].map(DataFile::new);
    let contact = serve_tp3(&[files[0].path()]);
    let next = serve_tp3(&[files[1].path(), &format!("tp3://{}", contact.address())]);
    let _last = serve_tp3(&[files[2].path(), &next.address().to_string()]);
    Client::attach(contact.address()).wait_until_answered_by(3);
    for (key, expected) in [("tea", &["one", "three", "two"][..]), ("coffee", &[])] {
        let asked = Asked::at(contact.address(), waiting(key, 2)).unwrap();
        let mut values = asked.values();
        values.sort_unstable();
        assert_eq!(values, expected, "{asked:?}");
        let Ending { reason, tally, .. } = asked.ending;
        assert_eq!((reason, tally.silent), (EndReason::Silence, 1), "{asked:?}");
    }
}

#[test]
fn what_tp3_cannot_say_is_left_out_and_closes_nothing() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut tp3 = Wire::neighbor(servent.address());
    let mut native = Peer::neighbor(servent.address());
    native.pass_on(NOBODY.into(), ask([b'k'; TEXT_BYTES_MAX + 1]), 3);
    native.pass_on(NOBODY.into(), ask([b'k'; 4_096]), 3);
    native.pass_on("[2001:db8::1]:9990".parse().unwrap(), ask("coffee"), 3);
    // Native words that have no counterpart.
    native.say(&Message::Ping);
    native.pass_on(NOBODY.into(), ask(UNKNOWN), 1);
    let flood = tp3.hear_flood();
    assert_eq!((flood.ttl, flood.client, &flood.info[..]), (0, NOBODY, UNKNOWN.as_bytes()));
    // All of them were echoed: nobody waits for what was never sent.
    let mut echoes = 0;
    while echoes < 4 {
        match native.hear() {
            Heard::Message(Message::Echo(echo)) => {
                // What was not said is no copy, and whoever asks is told that something is missing.
                let tally = if echoes < 3 {
                    Tally { reached: 1, lost: 1, ..Tally::default() }
                } else {
                    Tally { reached: 1, copies: 1, silent: 1, ..Tally::default() }
                };
                assert_eq!(echo.tally, tally);
                echoes += 1;
            }
            Heard::Message(Message::Pong) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tp3.leave(), b"");
    drop(native);
    still_serves(&servent);
}

#[test]
fn a_native_client_is_not_mistaken_for_one_of_tp3() {
    let file = tea();
    let servent = serve_tp3(&[file.path()]);
    let mut native = Peer::neighbor(servent.address());
    let port = support::AnswerPort::open();
    let query = native.pass_on(port.address(), ask("tea"), 0);
    let (mut answers, from) = port.accept_and_greet();
    assert_eq!((answers.expect_answer().sequence, from), (query.sequence, servent.address()));
}
