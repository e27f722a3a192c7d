//! Whose turn it is, and how much of one link is told in it.

use super::*;
use common::exchange::MESSAGES_PER_VISIT;

/// How many messages of each of these links were heard.
fn counts(heard: &[(LinkId, Heard)], links: [LinkId; 2]) -> [usize; 2] {
    links.map(|link| heard.iter().filter(|(on, heard)| *on == link && matches!(heard, Heard::Message { .. })).count())
}

const VISIT: usize = MESSAGES_PER_VISIT as usize;

impl Desk {
    /// So many pings, as they lie in the system.
    fn lies_unread(&mut self, link: LinkId, count: usize) {
        let bytes = self.words(link, &Message::Ping).repeat(count);
        let pieces = bytes.chunks(READ_BYTES).map(<[u8]>::to_vec);
        self.wires.at(link).unread.extend(pieces);
    }
}

#[test]
fn a_turn_tells_so_many_messages_of_one_link_and_the_next_turn_goes_on() {
    let (mut desk, links @ [hasty, other]) = Desk::linked();
    // More than is read at once.
    desk.lies_unread(hasty, 1_000);
    let pieces = desk.wires.at(hasty).unread.len();
    assert!(pieces > 1);
    let mut told = 0;
    for turn in 0..1_000_usize.div_ceil(VISIT) {
        // As in the loops of the programs: whoever is ready is read, and then time goes on, if only by nothing.
        desk.read(hasty);
        desk.comes(other, &Message::Ping);
        let heard = desk.heard();
        let expected = VISIT.min(1_000 - told);
        assert_eq!(counts(&heard, links), [expected, 1], "turn {turn}");
        told += expected;
        let is_over = told == 1_000;
        assert_eq!(desk.deadline(), (!is_over).then_some(Duration::ZERO), "turn {turn}");
        let unread = desk.wires.at(hasty).unread.len();
        desk.read(hasty);
        assert!(is_over || desk.wires.at(hasty).unread.len() == unread, "it is read, and has more to say");
        assert_eq!(desk.heard(), [], "turn {turn}: what is left over waits for the next");
        desk.goes_on(Duration::ZERO);
    }
    assert_eq!((told, desk.deadline()), (1_000, None));
}

#[test]
fn a_turn_tells_no_more_of_whoever_was_left_over_and_is_read_again_in_it() {
    let (mut desk, links @ [hasty, _]) = Desk::linked();
    let ping = desk.words(hasty, &Message::Ping);
    desk.receive(hasty, &ping.repeat(VISIT + 1));
    assert_eq!(counts(&desk.heard(), links), [VISIT, 0]);
    desk.goes_on(Duration::ZERO);
    assert_eq!(counts(&desk.heard(), links), [1, 0]);
    desk.wires.at(hasty).unread.push_back(ping.repeat(VISIT));
    desk.read(hasty);
    assert_eq!(counts(&desk.heard(), links), [VISIT - 1, 0], "one was told in this turn");
    desk.goes_on(Duration::ZERO);
    assert_eq!(counts(&desk.heard(), links), [1, 0]);
}

#[test]
fn whoever_was_never_left_over_needs_no_time_to_go_on() {
    let (mut desk, [link]) = Desk::linked();
    for _ in 0..3 * VISIT {
        desk.comes(link, &Message::Ping);
        assert_eq!((desk.heard().len(), desk.deadline()), (1, None));
    }
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping.repeat(VISIT));
    assert_eq!((desk.heard().len(), desk.deadline()), (VISIT, None), "a visit's worth leaves nothing over");
}

#[test]
fn links_are_heard_one_after_the_other_in_the_order_in_which_they_had_something() {
    let (mut desk, links) = Desk::linked::<3>();
    let ping = desk.words(links[0], &Message::Ping);
    for link in [links[1], links[0], links[2], links[1]] {
        desk.receive(link, &ping.repeat(VISIT));
    }
    for order in [vec![links[1], links[0], links[2]], vec![links[1]]] {
        let mut heard: Vec<LinkId> = desk.heard().into_iter().map(|(link, _)| link).collect();
        heard.dedup();
        assert_eq!(heard, order);
        desk.goes_on(Duration::ZERO);
    }
    assert_eq!(desk.deadline(), None);
}

#[test]
fn a_frame_that_waits_for_its_turn_is_not_half_of_one() {
    let (mut desk, [link]) = Desk::linked();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping[..3]);
    assert_eq!(desk.quiet_until(), Some(FRAME_WAIT_MAX));
    // Its other half comes in the last moment and is looked at after it.
    desk.goes_on(FRAME_WAIT_MAX - SECOND);
    desk.receive(link, &ping[3..]);
    desk.goes_on(2 * SECOND);
    assert_eq!((desk.heard(), desk.deadline()), (vec![spoken(link, Message::Ping)], None));
    // What comes too late is not the other half.
    desk.receive(link, &ping[..3]);
    assert_eq!(desk.heard(), []);
    desk.receive(link, &ping[3..4]);
    desk.goes_on(FRAME_WAIT_MAX);
    assert_eq!(desk.heard(), [unfinished(link)]);
    assert_eq!(desk.deadline(), None);
    // Whoever is left over waits as long as it takes, whatever was half before and is half behind it.
    let link = desk.neighbor();
    desk.receive(link, &ping[..3]);
    assert_eq!(desk.heard(), []);
    desk.receive(link, &[&ping[3..], &ping.repeat(VISIT + 1), &ping[..2]].concat());
    assert_eq!(desk.heard().len(), VISIT);
    desk.now = desk.now + 2 * FRAME_WAIT_MAX;
    assert_eq!(desk.heard(), []);
    desk.goes_on(Duration::ZERO);
    assert_eq!(desk.heard().len(), 2);
    assert_eq!(desk.deadline(), Some(FRAME_WAIT_MAX));
}

#[test]
fn what_was_heard_before_the_end_of_a_connection_is_all_told_before_it() {
    let (mut desk, [link]) = Desk::linked();
    let count = 5 * VISIT;
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &[ping.repeat(count), vec![0]].concat());
    assert_eq!(desk.heard().len(), VISIT);
    desk.ends(link);
    let heard = desk.heard();
    assert_eq!(heard.len(), count - VISIT + 1);
    assert_eq!(heard.last(), Some(&closed(link, "it is over")));
    desk.goes_on(Duration::ZERO);
    assert_eq!(desk.quiet_until(), None);
}

#[test]
fn a_connection_that_breaks_is_read_once_more_though_it_has_more_to_say_than_a_visit_takes() {
    let (mut desk, [link]) = Desk::linked();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping.repeat(VISIT + 1));
    assert_eq!(desk.heard().len(), VISIT);
    let goodbye = desk.words(link, &Message::Goodbye(Goodbye::Leaving));
    desk.wires.at(link).unread.push_back(goodbye);
    desk.wires.at(link).is_broken = true;
    desk.says(link, Message::Pong);
    desk.flush();
    let last_words = [Message::Ping, Message::Goodbye(Goodbye::Leaving)].map(|message| spoken(link, message));
    assert_eq!(desk.heard(), [&last_words[..], &[closed(link, "it broke")]].concat());
}

#[test]
fn bytes_that_make_no_sense_wait_for_the_messages_before_them() {
    for is_closed in [false, true] {
        let (mut desk, [link]) = Desk::linked();
        let ping = desk.words(link, &Message::Ping);
        desk.receive(link, &[ping.repeat(VISIT + 3), vec![0xff; 12]].concat());
        assert_eq!(desk.heard(), vec![spoken(link, Message::Ping); VISIT]);
        if is_closed {
            desk.ends(link);
        }
        desk.goes_on(Duration::ZERO);
        let heard = desk.heard();
        assert_eq!(heard[..3], vec![spoken(link, Message::Ping); 3]);
        assert!(matches!(heard[3], (_, Heard::Malformed(WireError::FrameTooLong { .. }))), "{heard:?}");
        assert_eq!(heard.len(), if is_closed { 5 } else { 4 });
    }
}

#[test]
fn what_is_left_over_is_not_told_of_a_link_that_its_mind_has_closed() {
    let (mut desk, [link]) = Desk::linked();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping.repeat(2 * VISIT));
    assert_eq!(desk.heard().len(), VISIT);
    desk.closes(link);
    desk.goes_on(Duration::ZERO);
    assert_eq!(desk.quiet_until(), Some(LINGER_MAX));
}

#[test]
fn a_client_is_told_all_that_was_read() {
    let mut desk = Desk::client();
    let link = desk.neighbor();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping.repeat(10 * VISIT));
    assert_eq!((desk.heard().len(), desk.deadline()), (10 * VISIT, None));
}
