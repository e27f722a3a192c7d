//! What was seen before, and what becomes of it.

use super::*;

#[test]
fn a_flood_that_differs_in_ip_port_or_sequence_is_another() {
    let servent = serve_tea(&["--tp3"]);
    let [mut one, mut other] = neighbors(&servent);
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
fn with_forward_once_a_copy_that_may_go_further_is_a_duplicate() {
    let servent = serve_tea(&["--tp3", "--forward-once"]);
    let [mut one, mut other, mut third] = neighbors(&servent);
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
    let servent = serve_tea(&["--tp3"]);
    let [mut one, mut other] = neighbors(&servent);
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
