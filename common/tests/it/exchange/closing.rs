//! Last words, and what is told of a link that its mind has closed.

use super::*;

#[test]
fn a_servent_says_its_last_words_shuts_once_and_waits_for_the_other_to_close() {
    let (mut desk, [link]) = Desk::linked();
    desk.wires.at(link).room = 1;
    desk.says(link, Message::Goodbye(Goodbye::Leaving));
    desk.closes(link);
    assert!(!desk.exchange.is_known(link) && !desk.exchange.is_flushed());
    desk.flush();
    assert_eq!((desk.wires.at(link).shut_count, desk.wires.at(link).waits_for_room), (0, true));
    desk.says(link, Message::Ping);
    desk.wires.at(link).room = usize::MAX;
    desk.exchange.on_writable(link);
    desk.flush();
    assert!(desk.exchange.is_flushed());
    assert_eq!((desk.wires.at(link).shut_count, desk.wires.at(link).waits_for_room), (1, false));
    // What still comes is discarded, and the end is no news to anybody.
    desk.exchange.on_writable(link);
    desk.flush();
    assert_eq!(desk.wires.at(link).shut_count, 1);
    desk.wires.at(link).unread.extend([vec![0xff; 9], Vec::new()]);
    desk.read(link);
    assert!(!desk.wires.at(link).is_closed);
    desk.read(link);
    assert!(desk.wires.at(link).is_closed);
    assert_eq!((desk.heard(), desk.deadline(), desk.exchange.connections_count()), (Vec::new(), None, 0));
    assert_eq!(desk.told(link), [Message::Goodbye(Goodbye::Leaving)]);
}

#[test]
fn a_servent_waits_so_long_for_the_other_to_close() {
    let (mut desk, [link]) = Desk::linked();
    desk.closes(link);
    desk.flush();
    desk.goes_on(LINGER_MAX - Duration::from_nanos(1));
    assert!(!desk.wires.at(link).is_closed);
    desk.goes_on(Duration::from_nanos(1));
    assert!(desk.wires.at(link).is_closed);
    assert_eq!(desk.heard(), []);
}

#[test]
fn a_client_says_its_last_words_and_just_closes() {
    let mut desk = Desk::client();
    let link = desk.neighbor();
    desk.says(link, Message::Goodbye(Goodbye::Protocol));
    desk.performs_for_client(session::Output::Close { link });
    assert!(desk.wires.at(link).is_closed);
    assert_eq!(desk.quiet_until(), None);
    assert_eq!(desk.told(link), [Message::Goodbye(Goodbye::Protocol)]);
    desk.flush();
}

#[test]
fn of_a_link_its_mind_has_closed_nothing_more_is_told() {
    let (mut desk, [link, other]) = Desk::linked();
    desk.comes(link, &Message::Ping);
    desk.comes(other, &Message::Pong);
    desk.comes(link, &Message::Ping);
    desk.closes(link);
    assert_eq!(desk.heard(), [spoken(other, Message::Pong)]);
    desk.comes(link, &Message::Ping);
    assert_eq!(desk.heard(), []);
}

#[test]
fn nor_is_it_of_one_that_was_over_before_its_mind_closed_it() {
    for (mut desk, is_servent) in [(Desk::servent(), true), (Desk::client(), false)] {
        let [link, other] = [desk.neighbor(), desk.neighbor()];
        desk.comes(link, &Message::Ping);
        desk.comes(other, &Message::Pong);
        desk.comes(link, &Message::Ping);
        desk.ends(link);
        assert_eq!(desk.next_heard(), Some(spoken(link, Message::Ping)));
        if is_servent {
            desk.closes(link);
        } else {
            desk.performs_for_client(session::Output::Close { link });
        }
        assert_eq!(desk.heard(), [spoken(other, Message::Pong)]);
    }
}
