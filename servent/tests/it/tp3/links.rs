//! Links that stand: dialled, accepted, lost and quiet.

use super::*;
use crate::support::serve_on;
use peers::tp3::Node;
use rustix::process::Signal;

#[test]
fn a_neighbor_written_tp3_is_told_id_0_and_then_floods_only() {
    let node = Node::open();
    let servent = serve_tea(&["--tp3", &node.name()]);
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
    let address = free_address();
    let mut servent = serve_tea(&["--tp3", &format!("tp3://{address}")]);
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

#[test]
fn an_id_that_never_ends_is_closed_without_a_word() {
    let servent = serve_tea(&["--tp3"]);
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
    let node = Node::open();
    let mut servent = serve_tea(&["--tp3", &node.name()]);
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
    let mut servent = serve_tea(&[]);
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
