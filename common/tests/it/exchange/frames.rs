//! Frames that have begun and do not end.

use super::*;
use common::exchange::TIMERS_PER_TURN;

#[test]
fn a_frame_that_has_begun_must_end_in_time() {
    let (mut desk, [link]) = Desk::linked();
    let ping = desk.words(link, &Message::Ping);
    assert_eq!(desk.deadline(), None);
    desk.receive(link, &ping[..1]);
    assert_eq!(desk.quiet_until(), Some(FRAME_WAIT_MAX));
    // Byte after byte does not make it longer; the end of one frame and the beginning of the next does.
    desk.goes_on(FRAME_WAIT_MAX - SECOND);
    desk.receive(link, &ping[1..2]);
    assert_eq!(desk.quiet_until(), Some(SECOND));
    desk.receive(link, &[&ping[2..], &ping[..1]].concat());
    assert_eq!((desk.heard().len(), desk.deadline()), (1, Some(FRAME_WAIT_MAX)));
    desk.receive(link, &ping[1..]);
    assert_eq!(desk.deadline(), Some(Duration::ZERO), "there is something to be heard");
    assert_eq!((desk.heard().len(), desk.deadline()), (1, None));
    desk.receive(link, &ping[..1]);
    assert_eq!(desk.heard(), []);
    desk.goes_on(FRAME_WAIT_MAX - Duration::from_nanos(1));
    assert_eq!(desk.heard(), []);
    desk.goes_on(Duration::from_nanos(1));
    assert_eq!(desk.heard(), [unfinished(link)]);
    assert_eq!(desk.deadline(), None, "it is said once");
}

/// A dialect may have frames in which nothing is said. Whoever sends them is not slow.
#[test]
fn a_frame_in_which_nothing_is_said_has_ended_too() {
    let mut desk = Desk::servent();
    let link = desk.dials(Dialect::Tp3, Purpose::Standing);
    desk.exchange.on_connected(link);
    assert_eq!(desk.heard().len(), 1, "a hello that nobody said");
    // A request for a key without a byte.
    let nothing = [0, 5, 0, 0, 0, 1, 0, 0];
    desk.receive(link, &nothing[..1]);
    assert_eq!(desk.heard(), []);
    desk.goes_on(FRAME_WAIT_MAX - SECOND);
    desk.receive(link, &[&nothing[1..], &nothing[..1]].concat());
    assert_eq!(desk.quiet_until(), Some(FRAME_WAIT_MAX));
    desk.receive(link, &nothing[1..2]);
    desk.goes_on(FRAME_WAIT_MAX);
    assert_eq!(desk.heard(), [unfinished(link)], "this one has not");
}

#[test]
fn half_a_preface_is_waited_for_as_long_as_half_a_frame() {
    let mut desk = Desk::servent();
    let link = desk.accepts(Dialect::Native);
    let hello = desk.words(link, &Message::Ping);
    desk.receive(link, &hello[..2]);
    assert_eq!(desk.quiet_until(), Some(FRAME_WAIT_MAX));
}

#[test]
fn a_client_times_no_frame() {
    let mut desk = Desk::client();
    let link = desk.neighbor();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping[..1]);
    assert_eq!(desk.quiet_until(), None);
}

#[test]
fn of_the_timers_of_a_crowd_so_many_end_in_one_turn() {
    let mut desk = Desk::servent();
    for _ in 0..=TIMERS_PER_TURN {
        let link = desk.neighbor();
        let ping = desk.words(link, &Message::Ping);
        desk.receive(link, &ping[..1]);
    }
    assert_eq!(desk.heard(), []);
    desk.goes_on(FRAME_WAIT_MAX);
    assert_eq!(desk.heard().len(), TIMERS_PER_TURN);
    assert_eq!(desk.deadline(), Some(Duration::ZERO));
    desk.goes_on(Duration::ZERO);
    assert_eq!((desk.heard().len(), desk.deadline()), (1, None));
}
