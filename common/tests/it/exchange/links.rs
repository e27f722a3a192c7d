//! What a link is for, and how far it is: under way, standing, over.

use super::*;
use common::exchange::{CLIENT_READ_BYTES, purpose_of};
use common::limits::{
    ANSWER_UNSENT_BYTES_MAX, CLIENT_CONNECTIONS_MAX, CLIENT_UNSENT_BYTES_MAX, CONNECTIONS_MAX,
    NEIGHBOR_UNSENT_BYTES_MAX,
};
use common::overlay::Errand;

// ---- what a link is for ----

#[test]
fn what_is_dialled_says_what_the_link_is_for() {
    assert_eq!(purpose_of(Dial::Neighbor(3)), Purpose::Standing);
    assert_eq!(purpose_of(Dial::Call(Errand::Answers, SocketAddr::from(([192, 0, 2, 9], 7000)))), Purpose::Answers);
}

#[test]
fn how_much_waits_for_somebody_is_what_the_link_is_for() {
    let client = Role::Client { answer_port: 7000 };
    for (purpose, role, most) in [
        (Purpose::Standing, servent(), NEIGHBOR_UNSENT_BYTES_MAX),
        (Purpose::Answers, client, ANSWER_UNSENT_BYTES_MAX),
        (Purpose::Asking, servent(), CLIENT_UNSENT_BYTES_MAX),
    ] {
        let mut desk = Desk::servent();
        let link = desk.dials(Dialect::Native, purpose);
        desk.exchange.on_connected(link);
        desk.wires.at(link).room = 0;
        desk.comes(link, &Message::Hello(Hello::new(role)));
        assert_eq!(desk.heard().len(), 1, "{purpose:?}");
        while desk.exchange.is_known(link) {
            assert!(desk.exchange.unsent_bytes_count(link) <= most, "{purpose:?}");
            desk.says(link, answer(3_000));
        }
        let full = SendError::Full(most);
        assert_eq!(desk.heard(), [closed(link, &full.to_string())], "{purpose:?}");
    }
}

#[test]
fn who_connects_to_a_client_asks_nothing_of_it_and_who_connects_to_a_servent_may() {
    for (mut desk, may_be_long) in [(Desk::servent(), false), (Desk::client(), true)] {
        let link = desk.talker();
        desk.comes(link, &answer(100_000));
        let is_taken = matches!(&desk.heard()[..], [(_, Heard::Message { message: Message::Answer(_), .. })]);
        assert_eq!(is_taken, may_be_long);
    }
}

#[test]
fn there_are_so_many_connections_of_all_kinds_and_no_more() {
    for (mut desk, most) in [(Desk::servent(), CONNECTIONS_MAX), (Desk::client(), CLIENT_CONNECTIONS_MAX)] {
        for number in 0..most {
            assert!(!desk.exchange.is_full(), "{number}");
            if number % 2 == 0 {
                desk.accepts(Dialect::Native);
            } else {
                desk.dials(Dialect::Native, Purpose::Standing);
            }
        }
        assert!(desk.exchange.is_full());
        assert_eq!(desk.exchange.connections_count(), most);
        desk.exchange.drop_dials(desk.now, &mut desk.wires);
        assert_eq!(desk.exchange.connections_count(), most.div_ceil(2), "dials that are dropped are gone");
        assert_eq!(desk.heard(), [], "and nobody knew of them");
    }
}

// ---- how far a link is ----

#[test]
fn a_dial_under_way_is_no_link_yet() {
    let mut desk = Desk::servent();
    let link = desk.dials(Dialect::Native, Purpose::Standing);
    assert!(desk.exchange.is_connecting(link) && !desk.exchange.is_known(link) && !desk.exchange.is_read(link));
    desk.says(link, Message::Ping);
    desk.exchange.on_writable(link);
    desk.flush();
    desk.wires.at(link).unread.push_back(Vec::new());
    desk.read(link);
    assert_eq!((desk.deadline(), desk.heard(), desk.wires.said.len()), (None, Vec::new(), 0));
    desk.exchange.on_connected(link);
    assert!(!desk.exchange.is_connecting(link) && desk.exchange.is_known(link) && desk.exchange.is_read(link));
    desk.says(link, Message::Ping);
    desk.flush();
    assert_eq!(desk.told(link), [Message::Ping]);
    assert!(desk.wires.at(link).is_read && !desk.wires.at(link).waits_for_room);
}

#[test]
fn a_dial_that_failed_is_gone_and_its_mind_was_not_told_of_it() {
    let mut desk = Desk::servent();
    let link = desk.dials(Dialect::Native, Purpose::Standing);
    desk.exchange.forget(desk.now, link, &mut desk.wires);
    assert!(desk.wires.at(link).is_closed);
    desk.exchange.on_connected(link);
    assert_eq!((desk.heard(), desk.exchange.is_known(link)), (Vec::new(), false));
}

#[test]
fn of_dials_that_are_not_wanted_any_more_nothing_is_left_and_links_stay() {
    let mut desk = Desk::servent();
    let dials = [(); 2].map(|()| desk.dials(Dialect::Native, Purpose::Standing));
    let links = [desk.neighbor(), desk.neighbor()];
    desk.exchange.drop_dials(desk.now, &mut desk.wires);
    assert_eq!(dials.map(|link| desk.wires.at(link).is_closed), [true, true]);
    assert_eq!(links.map(|link| desk.exchange.is_known(link)), [true, true]);
    assert_eq!((desk.heard(), desk.exchange.connections_count()), (Vec::new(), 2));
}

#[test]
fn what_a_dialect_leaves_unsaid_is_heard_as_soon_as_the_link_stands() {
    let mut desk = Desk::servent();
    let link = desk.dials(Dialect::Tp3, Purpose::Standing);
    desk.exchange.on_connected(link);
    let hello = Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless));
    assert_eq!(desk.heard(), [spoken(link, hello)]);
}

#[test]
fn who_lets_go_of_a_link_ends_it_and_the_mind_is_told_after_what_came_before() {
    let (mut desk, [link]) = Desk::linked();
    let ping = desk.words(link, &Message::Ping);
    desk.wires.at(link).unread.extend([ping, Vec::new()]);
    desk.read(link);
    desk.read(link);
    let told = [spoken(link, Message::Ping), closed(link, "it closed the connection")];
    assert_eq!(desk.heard(), told);
    assert!(desk.wires.at(link).is_closed && !desk.exchange.is_known(link));
    // What the mind says meanwhile has nobody to go to.
    desk.says(link, Message::Pong);
    desk.closes(link);
    desk.flush();
    assert!(desk.wires.said.is_empty());
}

#[test]
fn a_visit_takes_so_many_bytes_of_one_connection() {
    for (mut desk, most) in [(Desk::servent(), READ_BYTES), (Desk::client(), CLIENT_READ_BYTES)] {
        let link = desk.neighbor();
        desk.wires.at(link).unread.extend([vec![0; 3], vec![0; 1]]);
        desk.read(link);
        assert_eq!((desk.wires.at(link).read_bytes_max, desk.wires.at(link).unread.len()), (most, 1));
    }
}

#[test]
fn bytes_that_make_no_sense_are_told_after_the_messages_before_them() {
    let (mut desk, [link]) = Desk::linked();
    let bytes = [desk.words(link, &Message::Ping), vec![0xff; 12]].concat();
    desk.receive(link, &bytes);
    let heard = desk.heard();
    assert!(
        matches!(
            heard[..],
            [(_, Heard::Message { message: Message::Ping, .. }), (_, Heard::Malformed(WireError::FrameTooLong { .. }))]
        ),
        "{heard:?}"
    );
    assert!(desk.exchange.is_known(link), "what comes of it is for the mind to say");
}
