//! Links that rest: nothing is read of them, told of them or timed.

use super::*;

fn rest(link: LinkId) -> Output {
    Output::Rest { link }
}

fn resume(link: LinkId) -> Output {
    Output::Resume { link }
}

#[test]
fn nothing_is_read_of_who_rests_and_half_a_frame_is_timed_anew_when_the_rest_is_over() {
    let (mut desk, [link]) = Desk::linked();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping[..1]);
    assert_eq!(desk.quiet_until(), Some(FRAME_WAIT_MAX));
    desk.performs(rest(link));
    assert!(!desk.wires.at(link).is_read && !desk.exchange.is_read(link) && desk.exchange.is_known(link));
    desk.wires.at(link).unread.push_back(ping[1..].to_vec());
    desk.read(link);
    assert_eq!(desk.wires.at(link).unread.len(), 1, "it was read");
    // It may be spoken to, and may be told to rest once more.
    desk.says(link, Message::Ping);
    desk.flush();
    desk.performs(rest(link));
    assert!(!desk.wires.at(link).is_read);
    assert_eq!(desk.deadline(), None, "it rests for as long as its mind says");
    desk.goes_on(100 * FRAME_WAIT_MAX);
    assert_eq!(desk.heard(), []);
    desk.performs(resume(link));
    assert!(desk.wires.at(link).is_read && desk.exchange.is_read(link));
    assert_eq!(desk.quiet_until(), Some(FRAME_WAIT_MAX));
    desk.performs(resume(link));
    assert_eq!(desk.deadline(), Some(FRAME_WAIT_MAX), "whoever does not rest goes on as it was");
    desk.read(link);
    assert_eq!((desk.heard(), desk.deadline()), (vec![spoken(link, Message::Ping)], None));
}

#[test]
fn who_rests_with_no_frame_begun_is_not_timed_afterwards() {
    let (mut desk, [link]) = Desk::linked();
    desk.performs(rest(link));
    desk.performs(resume(link));
    assert_eq!(desk.quiet_until(), None);
}

#[test]
fn of_who_rests_nothing_more_is_told_until_it_goes_on_and_then_all_of_it_without_a_new_byte() {
    let (mut desk, [link, other]) = Desk::linked();
    let words = [Message::Ping, Message::Pong, Message::Ping].map(|message| desk.words(link, &message)).concat();
    // All of it was read, and half a frame behind it.
    desk.receive(link, &[&words[..], &words[..2]].concat());
    assert_eq!(desk.next_heard(), Some(spoken(link, Message::Ping)));
    desk.performs(rest(link));
    desk.comes(other, &Message::Pong);
    assert_eq!(desk.heard(), [spoken(other, Message::Pong)]);
    assert_eq!(desk.deadline(), None);
    desk.goes_on(2 * FRAME_WAIT_MAX);
    assert_eq!(desk.heard(), [], "a frame that is whole is not half of one, however long it rests");
    desk.performs(resume(link));
    assert_eq!(desk.deadline(), Some(Duration::ZERO), "there is something to be heard");
    let told = [Message::Pong, Message::Ping].map(|message| spoken(link, message));
    assert_eq!(desk.heard(), told);
    assert_eq!(desk.deadline(), Some(FRAME_WAIT_MAX), "and the half one is timed from now on");
}

#[test]
fn what_comes_while_a_link_rests_does_not_end_the_rest() {
    let (mut desk, [link]) = Desk::linked();
    desk.performs(rest(link));
    desk.comes(link, &Message::Ping);
    assert_eq!(desk.quiet_until(), None);
    desk.performs(resume(link));
    assert_eq!(desk.heard(), [spoken(link, Message::Ping)]);
}

#[test]
fn of_who_rests_and_is_lost_the_end_is_told_and_nothing_before_it() {
    for is_lost_first in [false, true] {
        let (mut desk, [link]) = Desk::linked();
        let words = [desk.words(link, &Message::Ping), desk.words(link, &Message::Pong)].concat();
        desk.receive(link, &words);
        assert_eq!(desk.next_heard(), Some(spoken(link, Message::Ping)));
        if is_lost_first {
            desk.ends(link);
            desk.performs(rest(link));
        } else {
            desk.performs(rest(link));
            desk.ends(link);
        }
        assert_eq!(desk.heard(), [closed(link, "it is over")], "lost first: {is_lost_first}");
        assert_eq!((desk.deadline(), desk.exchange.connections_count()), (None, 0));
    }
}

#[test]
fn who_rests_is_closed_as_anybody() {
    let (mut desk, [link]) = Desk::linked();
    desk.performs(rest(link));
    desk.closes(link);
    assert_eq!(desk.deadline(), Some(LINGER_MAX));
    desk.flush();
    assert!(desk.wires.at(link).is_read, "its end is to be noticed");
    desk.performs(rest(link));
    desk.performs(resume(link));
    assert_eq!(desk.deadline(), Some(LINGER_MAX), "who was closed does not rest");
    assert!(desk.wires.at(link).is_read && !desk.exchange.is_known(link));
}
