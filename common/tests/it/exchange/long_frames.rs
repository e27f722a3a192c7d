//! Long frames at a client: so many at once.

use super::*;

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
fn whom_a_client_dialled_needs_no_place_and_neither_does_anybody_at_a_servent() {
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
