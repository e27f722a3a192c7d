//! How far a flood goes.

use super::*;

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
    let servent = serve_tea(&["--tp3"]);
    let [mut one, mut other] = neighbors(&servent);
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
    let servent = serve_tea(&["--tp3"]);
    let [mut sender, mut one, mut other] = neighbors(&servent);
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
    let servent = serve_tea(&["--tp3"]);
    let [mut one, mut other] = neighbors(&servent);
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
