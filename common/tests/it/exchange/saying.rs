//! What is said: encoded once, queued, written in order, dropped where it cannot be said.

use super::*;
use common::exchange::Beyond;
use common::features::Features;
use common::limits::{BROUGHT_UNSENT_BYTES_MAX, STRANGER_UNSENT_BYTES_MAX, VALUE_BYTES_MAX};
use common::message::Request;
use common::session::Report;

#[test]
fn what_goes_to_many_goes_to_each_in_its_own_dialect() {
    let (mut desk, [one, two]) = Desk::linked();
    let three = desk.dials(Dialect::Tp3, Purpose::Standing);
    desk.exchange.on_connected(three);
    let gone = desk.dials(Dialect::Native, Purpose::Standing);
    for link in [one, two, three] {
        desk.says(link, Message::Hello(Hello::new(servent())));
    }
    desk.wires.said.clear();
    desk.performs(Output::Flood { links: vec![one, three, gone, two, LinkId(1)], query: query() });
    desk.flush();
    let written = [one, two, three].map(|link| desk.wires.at(link).written.clone());
    assert_eq!(written[0], written[1]);
    assert_ne!(written[0], written[2]);
    assert!(desk.wires.at(gone).written.is_empty());
    let said = [one, three, two].map(|link| (link, "query".to_owned(), Ok(())));
    assert_eq!(desk.wires.said, said);
}

#[test]
fn what_is_queued_is_written_in_order_once_and_the_rest_when_there_is_room() {
    let (mut desk, [link]) = Desk::linked();
    desk.says(link, Message::Hello(Hello::new(servent())));
    desk.says(link, Message::Ping);
    desk.says(link, Message::Pong);
    assert!(desk.wires.at(link).written.is_empty(), "it is written when the turn is over");
    let queued_bytes = desk.exchange.unsent_bytes_count(link);
    assert!(desk.exchange.is_unflushed());
    desk.wires.at(link).room = 11;
    desk.flush();
    assert_eq!((desk.wires.at(link).written.len(), desk.wires.at(link).waits_for_room), (11, true));
    assert_eq!(desk.exchange.unsent_bytes_count(link), queued_bytes - 11);
    assert!(!desk.exchange.is_unflushed(), "nothing is written before there is room");
    desk.flush();
    assert_eq!(desk.wires.at(link).written.len(), 11);
    desk.wires.at(link).room = usize::MAX;
    desk.exchange.on_writable(link);
    desk.flush();
    assert!(!desk.wires.at(link).waits_for_room && desk.exchange.is_flushed());
    assert_eq!(desk.wires.at(link).written.len(), queued_bytes);
    let told = [Message::Hello(Hello::new(servent())), Message::Ping, Message::Pong];
    assert_eq!(desk.told(link), told);
}

#[test]
fn a_queue_that_is_full_is_written_once_before_it_counts_as_full() {
    let mut desk = Desk::of(Exchange::servent(Accepts::OWN));
    let link = desk.accepts(Dialect::Native);
    let mut count = 0;
    // As much as a stranger may leave unread, many times over: it is all taken.
    while desk.wires.at(link).written.len() < 3 * STRANGER_UNSENT_BYTES_MAX {
        desk.says(link, Message::Ping);
        count += 1;
        assert!(count < 10_000 && desk.exchange.is_known(link));
    }
    // And once nothing is taken any more it is over.
    desk.wires.at(link).room = 0;
    let before = desk.wires.said.len();
    while desk.exchange.is_known(link) {
        desk.says(link, Message::Ping);
        assert!(desk.exchange.unsent_bytes_count(link) <= STRANGER_UNSENT_BYTES_MAX);
    }
    let full = SendError::Full(STRANGER_UNSENT_BYTES_MAX);
    assert_eq!(desk.heard(), [closed(link, &full.to_string())]);
    assert!(desk.wires.at(link).is_closed && desk.wires.said.len() > before);
    assert_eq!(desk.wires.said.last(), Some(&(link, "ping".to_owned(), Err(full))));
    desk.flush();
}

#[test]
fn what_the_other_end_cannot_be_told_is_dropped_and_the_link_stays() {
    let (mut desk, [link]) = Desk::linked();
    desk.says(link, answer(VALUE_BYTES_MAX));
    desk.says(link, Message::Ping);
    assert!(matches!(desk.wires.said[..], [(_, _, Err(SendError::TooLong(_))), (_, _, Ok(()))]));
    assert_eq!((desk.exchange.is_known(link), desk.heard()), (true, Vec::new()));
}

#[test]
fn answers_that_go_back_over_a_link_where_much_is_unsent_are_given_back_and_the_link_stays() {
    for (role, place) in [(servent(), 0), (Role::Client { answer_port: 7000 }, 1)] {
        let mut desk = Desk::servent();
        let link = desk.greeted_by(role);
        desk.says(link, Message::Hello(Hello::new(servent())));
        let message = || going_back()[place].clone();
        // As long as it is read there is room, however much is said in one turn.
        for _ in 0..3 * BROUGHT_UNSENT_BYTES_MAX / BROUGHT_BYTES_MAX {
            assert_eq!(desk.tries_to_say(link, message()), None);
        }
        desk.flush();
        desk.wires.at(link).room = 0;
        let mut unsent = 0;
        while desk.tries_to_say(link, message()).is_none() {
            assert!(unsent <= BROUGHT_UNSENT_BYTES_MAX, "{unsent}");
            unsent = desk.exchange.unsent_bytes_count(link);
        }
        assert!(unsent > BROUGHT_UNSENT_BYTES_MAX, "{unsent}");
        let outside = Outside::NotBrought { link, message: message() };
        assert_eq!(desk.tries_to_say(link, message()), Some(outside));
        let told = desk.wires.said.last().expect("it was told");
        assert_eq!(told, &(link, message().name().to_owned(), Err(SendError::Crowded(BROUGHT_UNSENT_BYTES_MAX))));
        assert_eq!(desk.exchange.unsent_bytes_count(link), unsent);
        // What else there is to say is said, and whoever says it keeps its link.
        desk.says(link, Message::Ping);
        assert_eq!((desk.exchange.is_known(link), desk.heard()), (true, Vec::new()));
        assert!(desk.exchange.unsent_bytes_count(link) > unsent);
        // Once it is read there is room again.
        desk.wires.at(link).room = usize::MAX;
        assert_eq!(desk.tries_to_say(link, message()), None);
        desk.flush();
        let others = desk.told(link);
        assert_eq!(others[others.len() - 2..], [Message::Ping, message()]);
    }
}

#[test]
fn answers_do_not_go_back_to_whoever_did_not_offer_to_understand_it_and_nobody_waits_for_them() {
    for (role, place) in [(servent(), 0), (Role::Client { answer_port: 7000 }, 1)] {
        let mut desk = Desk::servent();
        let link = desk.accepts(Dialect::Native);
        desk.comes(link, &Message::Hello(Hello { features: Features::NONE, ..Hello::new(role) }));
        desk.heard();
        assert_eq!(desk.tries_to_say(link, going_back()[place].clone()), None);
        assert!(matches!(desk.wires.said[..], [(_, _, Err(SendError::NotOffered))]), "{:?}", desk.wires.said);
        assert!(desk.exchange.is_known(link));
    }
}

#[test]
fn a_link_on_which_a_client_cannot_say_what_it_has_to_is_of_no_use_to_it() {
    let mut desk = Desk::client();
    let link = desk.neighbor();
    let ask = Ask::Key(Key::new(&[b'k'; 4_000]).expect("a key"));
    let short = Hello { frame_bytes_max: 100, ..Hello::new(servent()) };
    desk.comes(link, &Message::Hello(short));
    desk.heard();
    let message = Message::Request(Request { sequence: 1, ask, ttl: None });
    desk.performs_for_client(session::Output::Send { link, message });
    let heard = desk.heard();
    assert!(
        matches!(&heard[..], [(_, Heard::Closed(reason))] if reason.starts_with("it accepts no frame")),
        "{heard:?}"
    );
}

#[test]
fn what_came_before_a_connection_broke_is_heard_before_it_is_told() {
    let mut desk = Desk::client();
    let link = desk.neighbor();
    let words = desk.words(link, &answer(10));
    desk.wires.at(link).unread.push_back(words);
    desk.wires.at(link).is_broken = true;
    desk.says(link, Message::Ping);
    desk.flush();
    assert_eq!(desk.heard(), [spoken(link, answer(10)), closed(link, "it broke")]);
    assert!(desk.wires.at(link).is_closed);
}

#[test]
fn what_is_beyond_the_links_is_left_to_the_shell() {
    let mut desk = Desk::servent();
    let (dial, address) = (Dial::Neighbor(0), SocketAddr::from(([192, 0, 2, 1], 9000)));
    let output = Output::Dial { dial, address, dialect: Dialect::Tp3 };
    let outside = desk.exchange.perform(desk.now, 0, output, &mut desk.wires);
    assert_eq!(outside, Some(Outside::Dial { dial, address, dialect: Dialect::Tp3 }));
    let told = desk.exchange.perform_for_client(desk.now, session::Output::Tell(Report::Ready), &mut desk.wires);
    assert_eq!(told, Some(Beyond::Tell(Report::Ready)));
}

#[test]
fn what_is_heard_is_put_in_the_words_of_either_mind() {
    let link = LinkId(7);
    let heard = [
        Heard::Message { stamp: 0, message: Message::Ping },
        Heard::Malformed(WireError::Unfinished),
        Heard::Closed("it closed the connection".to_owned()),
    ];
    let [one, two, three] = heard.clone().map(|heard| heard.for_servent(link));
    assert!(matches!(one, Input::Received { link: LinkId(7), stamp: 0, message: Message::Ping }));
    assert!(matches!(two, Input::Malformed { link: LinkId(7), error: WireError::Unfinished }));
    assert!(matches!(three, Input::Closed { link: LinkId(7), reason } if reason == "it closed the connection"));
    let [one, two, three] = heard.map(|heard| heard.for_client(link));
    assert!(matches!(one, session::Input::Received { link: LinkId(7), message: Message::Ping }));
    assert!(matches!(two, session::Input::Malformed { link: LinkId(7), error: WireError::Unfinished }));
    assert!(
        matches!(three, session::Input::Closed { link: LinkId(7), reason } if reason == "it closed the connection")
    );
}
