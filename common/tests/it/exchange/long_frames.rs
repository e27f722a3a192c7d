//! Long frames: so many at once.

use super::*;
use common::key::Key;
use common::write::{Change, Write};

/// As many half-said long messages as there are places for.
const LONG_MAX: usize = 16;

#[test]
fn of_long_frames_so_many_are_read_at_once_and_the_next_goes_on_when_one_has_ended() {
    let mut desk = Desk::client();
    let links: Vec<LinkId> = (0..=LONG_MAX).map(|_| desk.talker()).collect();
    let long: Vec<Vec<u8>> = links.iter().map(|link| desk.words(*link, &answer(20_000))).collect();
    for (link, long) in links.iter().zip(&long) {
        desk.receive(*link, &long[..10_000]);
    }
    assert_eq!(desk.heard(), []);
    let last = links[LONG_MAX];
    assert!(links[..LONG_MAX].iter().all(|link| desk.exchange.is_read(*link)));
    assert!(!desk.exchange.is_read(last) && !desk.wires.at(last).is_read);
    assert!(desk.deadline().is_some(), "somebody waits");
    desk.receive(links[3], &long[3][10_000..]);
    assert_eq!((desk.heard().len(), desk.deadline()), (1, None));
    assert!(desk.exchange.is_read(last) && desk.wires.at(last).is_read);
}

#[test]
fn a_long_frame_that_others_wait_for_must_end_in_time() {
    let mut desk = Desk::client();
    let links: Vec<LinkId> = (0..=LONG_MAX).map(|_| desk.talker()).collect();
    for link in &links {
        let long = desk.words(*link, &answer(20_000));
        desk.receive(*link, &long[..10_000]);
    }
    assert_eq!(desk.heard(), []);
    let wait = desk.deadline().expect("somebody waits");
    desk.goes_on(wait);
    let reason = "it did not end its message, and others waited to begin theirs";
    assert_eq!(desk.heard(), [closed(links[0], reason)]);
    assert!(desk.wires.at(links[0]).is_closed && desk.exchange.is_read(links[LONG_MAX]));
    assert_eq!(desk.deadline(), None);
}

#[test]
fn whom_a_client_dialled_needs_no_place() {
    let mut desk = Desk::client();
    for link in (0..LONG_MAX).map(|_| desk.talker()).collect::<Vec<_>>() {
        let long = desk.words(link, &answer(20_000));
        desk.receive(link, &long[..10_000]);
    }
    let contact = desk.dials(Dialect::Native, Purpose::Asking);
    desk.exchange.on_connected(contact);
    desk.comes(contact, &Message::Hello(Hello::new(servent())));
    desk.may_talk(contact);
    assert_eq!(desk.heard().len(), 1);
    let long = desk.words(contact, &answer(20_000));
    desk.receive(contact, &long[..10_000]);
    assert_eq!(desk.quiet_until(), None);
    assert!(desk.exchange.is_read(contact));
}

/// A servent with so many clients that may say long frames, each of which has begun one.
fn with_long_frames(count: usize) -> (Desk, Vec<LinkId>, Vec<u8>) {
    let mut desk = Desk::servent();
    let change = Change::Put { key: Key::new(b"tea").unwrap(), value: vec![b'v'; 40_000].into() };
    let long = Message::Write(Write { sequence: 1, change });
    let links: Vec<LinkId> = (0..count).map(|_| desk.writer()).collect();
    let words = desk.words(links[0], &long);
    for link in &links {
        desk.receive(*link, &words[..20_000]);
    }
    assert_eq!(desk.heard(), []);
    (desk, links, words)
}

#[test]
fn of_those_who_write_so_many_may_have_a_long_frame_half_said() {
    let (mut desk, links, words) = with_long_frames(LONG_MAX + 2);
    let are_read = |desk: &Desk| links.iter().filter(|link| desk.exchange.is_read(**link)).count();
    assert_eq!(are_read(&desk), LONG_MAX);
    desk.receive(links[0], &words[20_000..]);
    assert_eq!((desk.heard().len(), are_read(&desk)), (1, LONG_MAX + 1));
}

#[test]
fn who_rests_with_a_long_frame_half_said_keeps_its_place_and_is_not_closed_for_that() {
    let (mut desk, links, words) = with_long_frames(LONG_MAX + 1);
    links[..LONG_MAX].iter().for_each(|link| desk.performs(Output::Rest { link: *link }));
    desk.goes_on(2 * FRAME_WAIT_MAX);
    assert_eq!(desk.heard(), [], "nobody could have ended it");
    assert!(links.iter().all(|link| !desk.exchange.is_read(*link)), "there is no place for another");
    desk.performs(Output::Resume { link: links[0] });
    desk.receive(links[0], &words[20_000..]);
    assert_eq!(desk.heard().len(), 1);
    assert!(desk.exchange.is_read(links[LONG_MAX]), "it has the place");
}

#[test]
fn who_waits_for_a_place_goes_on_only_where_its_mind_lets_it() {
    let (mut desk, links, words) = with_long_frames(LONG_MAX + 1);
    let last = links[LONG_MAX];
    desk.performs(Output::Rest { link: last });
    desk.performs(Output::Resume { link: last });
    assert!(!desk.exchange.is_read(last), "it has no place");
    desk.performs(Output::Rest { link: last });
    desk.receive(links[0], &words[20_000..]);
    assert_eq!(desk.heard().len(), 1);
    assert!(!desk.exchange.is_read(last), "it has one, and rests all the same");
    desk.performs(Output::Resume { link: last });
    assert!(desk.exchange.is_read(last));
}
