//! Bytes, however they come: cut anywhere, one at a time, many at once, and such as mean nothing.

use super::*;

#[test]
fn a_connection_that_ends_inside_a_message_harms_nobody() {
    let servent = serve_tea(&["--tp3"]);
    let [mut one, mut other] = neighbors(&servent);
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
fn whole_conversations_may_come_one_byte_at_a_time() {
    let servent = serve_tea(&["--tp3"]);
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
    let mut servent = serve_tea(&["--tp3"]);
    let [mut one, mut other] = neighbors(&servent);
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
    let mut servent = serve_tea(&["--tp3"]);
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
    let servent = serve_tea(&["--tp3"]);
    let [mut one, mut other] = neighbors(&servent);
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
