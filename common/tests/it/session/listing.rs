//! The members a contact knows: asked for page by page, taken as they come, and never for ever.

use super::*;
use common::features::Features;
use common::limits::{HELLO_WAIT_MAX, MEMBER_PLACES_MAX, PEERS_MAX};
use common::member::{Member, Peers, PeersKind, PeersWanted, Seen, Word};
use common::message::Identity;
use common::session::{LISTING_PAGES_MAX, ListingEnd, ListingPending, MembersListed};

/// The one at this place of all, by address.
fn member(place: usize) -> Member {
    let [.., high, low] = place.to_be_bytes();
    Member {
        address: SocketAddr::from(([10, 1, high, low], 9000)),
        id: Identity::of_bits(1 + place as u64),
        clock: place as u64,
        heard: Duration::from_secs(3),
        word: Word::Online,
        is_open: false,
        is_proved: true,
        seen: Seen::default(),
    }
}

fn members(places: impl IntoIterator<Item = usize>) -> Vec<Member> {
    places.into_iter().map(member).collect()
}

pub(super) fn page(kind: PeersKind, places: impl IntoIterator<Item = usize>) -> Message {
    Message::Peers(Peers { kind, members: members(places) })
}

/// What is asked for behind this one, or behind nobody.
fn wanted(behind: Option<usize>) -> Output {
    send(CONTACT, Message::PeersWanted(PeersWanted { after: behind.map(|place| member(place).address) }))
}

fn told(places: impl IntoIterator<Item = usize>) -> Output {
    Output::Tell(Report::Members { sequence: nth(0), members: members(places) })
}

fn listed_of(sequence: u64, reason: ListingEnd, members: u64, elapsed: Duration) -> Output {
    Output::Tell(Report::Listed { sequence, listed: MembersListed { reason, members, elapsed } })
}

/// The end of the first listing.
fn listed(reason: ListingEnd, members: u64) -> Output {
    listed_of(nth(0), reason, members, Duration::ZERO)
}

/// The contact's hello, where it can do no more than this.
pub(super) fn contact_hello(features: Features) -> Message {
    let Message::Hello(hello) = servent_hello(1) else { panic!("no hello") };
    Message::Hello(Hello { features, ..hello })
}

pub(super) fn telling() -> Message {
    contact_hello(Features::OF_MEMBERS)
}

/// One whose contact tells of members, with an answer link.
fn attached() -> Mind {
    let mut mind = Mind::new(None);
    mind.attach();
    mind.hear(CONTACT, telling());
    mind.tell(Input::Accepted { link: OTHER, from: address(200) });
    mind.hear(OTHER, servent_hello(2));
    mind
}

impl Mind {
    pub(super) fn ask_members(&mut self) -> Vec<Output> {
        let mut out = Vec::new();
        self.session.ask_members(self.now, SILENCE_DEFAULT, &mut out).unwrap();
        out
    }
}

/// One that has just asked for the first page.
fn listing() -> Mind {
    let mut mind = attached();
    assert_eq!(mind.ask_members(), [wanted(None)]);
    mind
}

#[test]
fn pages_are_asked_for_one_behind_the_other_to_the_last() {
    let mut mind = listing();
    assert!(mind.session.is_listing());
    assert_eq!(mind.hear(CONTACT, page(PeersKind::Page, 0..64)), [told(0..64), wanted(Some(63))]);
    assert_eq!(mind.hear(CONTACT, page(PeersKind::Page, 64..128)), [told(64..128), wanted(Some(127))]);
    let end = listed(ListingEnd::Complete, 130);
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, 128..130)), [told(128..130), end]);
    assert!(!mind.session.is_listing());
    assert_eq!(mind.session.deadline(), None);
    // Once more is asked from the start.
    assert_eq!(mind.ask_members(), [wanted(None)]);
}

#[test]
fn where_nobody_is_left_the_last_page_is_empty() {
    let mut mind = listing();
    mind.hear(CONTACT, page(PeersKind::Page, 0..64));
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, [])), [listed(ListingEnd::Complete, 64)]);
    assert_eq!(listing().hear(CONTACT, page(PeersKind::LastPage, [])), [listed(ListingEnd::Complete, 0)]);
}

#[test]
fn as_many_members_are_listed_as_a_servent_can_know() {
    let mut mind = listing();
    for place in 0..LISTING_PAGES_MAX {
        let (places, is_last) = (place * PEERS_MAX..(place + 1) * PEERS_MAX, place + 1 == LISTING_PAGES_MAX);
        let kind = if is_last { PeersKind::LastPage } else { PeersKind::Page };
        let out = mind.hear(CONTACT, page(kind, places.clone()));
        let next =
            if is_last { listed(ListingEnd::Complete, MEMBER_PLACES_MAX as u64) } else { wanted(Some(places.end - 1)) };
        assert_eq!(out, [told(places), next]);
    }
}

#[test]
fn whoever_always_has_more_is_not_asked_for_ever() {
    let mut mind = listing();
    for place in 0..LISTING_PAGES_MAX {
        let out = mind.hear(CONTACT, page(PeersKind::Page, [place]));
        let is_last = place + 1 == LISTING_PAGES_MAX;
        let next = if is_last { listed(ListingEnd::Disordered, LISTING_PAGES_MAX as u64) } else { wanted(Some(place)) };
        assert_eq!(out, [told([place]), next]);
    }
    assert_eq!(mind.hear(CONTACT, page(PeersKind::Page, [99])), [unexpected(1, "peers")]);
}

#[test]
fn whoever_goes_back_is_not_asked_on_and_not_believed() {
    for (kind, places) in [
        (PeersKind::Page, &[5][..]),
        (PeersKind::Page, &[4, 6]),
        (PeersKind::LastPage, &[0]),
        (PeersKind::LastPage, &[7, 6]),
        (PeersKind::Page, &[6, 6]),
    ] {
        let mut mind = listing();
        mind.hear(CONTACT, page(PeersKind::Page, 4..6));
        let out = mind.hear(CONTACT, page(kind, places.iter().copied()));
        assert_eq!(out, [listed(ListingEnd::Disordered, 2)], "{kind:?} {places:?}");
    }
    // One that has more to tell tells somebody.
    let mut mind = listing();
    assert_eq!(mind.hear(CONTACT, page(PeersKind::Page, [])), [listed(ListingEnd::Disordered, 0)]);
}

#[test]
fn each_page_is_waited_for_as_long_as_an_answer() {
    let mut mind = listing();
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    assert_eq!(mind.hear(CONTACT, page(PeersKind::Page, [1])), [told([1]), wanted(Some(1))]);
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    let elapsed = 2 * SILENCE_DEFAULT - TICK;
    assert_eq!(mind.pass(TICK), [listed_of(nth(0), ListingEnd::Silence, 1, elapsed)]);
    assert_eq!(mind.session.deadline(), None);
}

#[test]
fn a_contact_that_is_lost_ends_it_at_once() {
    let lost = |reason: &str| Output::Tell(Report::ContactLost { reason: reason.to_owned() });
    let mut mind = listing();
    mind.hear(CONTACT, page(PeersKind::Page, 0..3));
    assert_eq!(mind.closed(CONTACT), [lost("a test"), listed(ListingEnd::ContactLost, 3)]);
    // And where there is none it was never begun.
    assert_eq!(mind.ask_members(), [listed_of(nth(1), ListingEnd::ContactLost, 0, Duration::ZERO)]);
    let mut mind = listing();
    let out = mind.hear(CONTACT, Message::Goodbye(Goodbye::Leaving));
    assert_eq!(out[2..], [listed(ListingEnd::ContactLost, 0)]);
    assert_eq!(Mind::new(None).ask_members(), [listed(ListingEnd::ContactLost, 0)]);
    // An answer link that closes is another matter.
    assert_eq!(listing().closed(OTHER), []);
}

#[test]
fn whoever_does_not_tell_of_members_is_not_asked() {
    for hello in [contact_hello(Features::OF_SERVENTS), contact_hello(Features::NONE), nameless_hello()] {
        let mut mind = Mind::new(None);
        mind.attach();
        mind.hear(CONTACT, hello);
        assert_eq!(mind.ask_members(), [listed(ListingEnd::NotUnderstood, 0)]);
        assert_eq!((mind.session.is_listing(), mind.session.deadline()), (false, None));
        // It stays the contact.
        let [Output::Send { link: CONTACT, message: Message::Request(_) }] = mind.ask()[..] else {
            panic!("not asked")
        };
    }
}

#[test]
fn one_listing_at_a_time_is_the_most() {
    let mut mind = listing();
    let mut out = Vec::new();
    assert_eq!(mind.session.ask_members(mind.now, SILENCE_DEFAULT, &mut out), Err(ListingPending));
    assert_eq!(out, []);
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, [1])), [told([1]), listed(ListingEnd::Complete, 1)]);
}

#[test]
fn members_nobody_asked_for_are_unexpected() {
    let peers = || page(PeersKind::LastPage, [1]);
    assert_eq!(attached().hear(CONTACT, peers()), [unexpected(1, "peers")]);
    // From whomever else, and as news, also while they are listed.
    assert_eq!(listing().hear(OTHER, peers()), [unexpected(2, "peers")]);
    assert_eq!(listing().hear(CONTACT, page(PeersKind::News, [1])), [unexpected(1, "peers")]);
    let mut mind = listing();
    mind.hear(CONTACT, peers());
    assert_eq!(mind.hear(CONTACT, peers()), [unexpected(1, "peers")]);
    // Nor is anybody to ask a client.
    assert_eq!(
        attached().hear(CONTACT, Message::PeersWanted(PeersWanted { after: None })),
        [unexpected(1, "peers wanted")]
    );
}

#[test]
fn a_listing_that_is_cancelled_ends_and_what_still_comes_is_no_surprise() {
    let mut mind = listing();
    assert_eq!(mind.cancel(nth(0)), [listed(ListingEnd::Cancelled, 0)]);
    assert_eq!(mind.cancel(nth(0)), [], "it is over");
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, [1])), []);
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, [1])), [unexpected(1, "peers")]);
}

#[test]
fn pages_of_a_listing_that_is_over_are_not_taken_for_those_of_the_next() {
    let ping = || send(CONTACT, Message::Ping);
    let of =
        |number, places: [usize; 1]| Output::Tell(Report::Members { sequence: nth(number), members: members(places) });
    // Two were given up, one cancelled and one silent, and the pages of both are on their way.
    let mut mind = listing();
    mind.hear(CONTACT, page(PeersKind::Page, 0..8));
    mind.cancel(nth(0));
    assert_eq!(mind.ask_members(), [ping(), wanted(None)]);
    mind.pass(SILENCE_DEFAULT);
    assert_eq!(mind.ask_members(), [ping(), wanted(None)]);
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, [8])), []);
    assert_eq!(mind.hear(CONTACT, Message::Pong), []);
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, [7])), []);
    assert_eq!(mind.hear(CONTACT, Message::Pong), []);
    let end = listed_of(nth(2), ListingEnd::Complete, 1, Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, [6])), [of(2, [6]), end]);
    assert_eq!(mind.hear(CONTACT, Message::Pong), [unexpected(1, "pong")], "nothing waits for it");
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, [6])), [unexpected(1, "peers")]);

    // A page that never comes keeps no other from its place.
    let mut mind = listing();
    mind.pass(SILENCE_DEFAULT);
    assert_eq!(mind.ask_members(), [ping(), wanted(None)]);
    assert_eq!(mind.hear(CONTACT, Message::Pong), []);
    let end = listed_of(nth(1), ListingEnd::Complete, 1, Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, [5])), [of(1, [5]), end]);
    assert_eq!(mind.ask_members(), [wanted(None)], "nothing is owed");

    // Of a contact that is lost nothing is waited for.
    let mut mind = listing();
    mind.closed(CONTACT);
    let again = LinkId(77);
    mind.tell(Input::Attached { link: again, contact: address(100) });
    mind.hear(again, telling());
    assert_eq!(mind.ask_members(), [send(again, Message::PeersWanted(PeersWanted { after: None }))]);
}

#[test]
fn queries_and_a_listing_are_in_nobodys_way() {
    let mut mind = listing();
    let query = nth(1);
    assert_eq!(mind.ask(), [send(CONTACT, request(query))]);
    mind.now = mind.now + Duration::from_secs(1);
    assert_eq!(mind.hear(OTHER, answer(query)), [heard_of(query, 2, Duration::from_secs(1))]);
    assert_eq!(mind.session.pending_count(), 1, "queries are counted");
    let silent = listed_of(nth(0), ListingEnd::Silence, 0, SILENCE_DEFAULT);
    assert_eq!(mind.pass(SILENCE_DEFAULT - Duration::from_secs(1)), [silent], "its wait is its own");
    let elapsed = SILENCE_DEFAULT + Duration::from_secs(1);
    assert_eq!(mind.pass(HELLO_WAIT_MAX), [ended_of(query, EndReason::Silence, 1, None, elapsed)]);
}

#[test]
fn what_nobody_asked_for_is_counted_to_the_end_of_a_listing_too() {
    let mut mind = listing();
    for count in 0..UNEXPECTED_TOLD_MAX + 3 {
        let out = mind.hear(OTHER, page(PeersKind::News, [1]));
        assert_eq!(out.is_empty(), count >= UNEXPECTED_TOLD_MAX);
    }
    let more = Output::Tell(Report::MoreUnexpected { count: 3 });
    let end = listed(ListingEnd::Complete, 0);
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, [])), [more, end]);
    // But not while a query is pending: that tells it.
    let mut mind = listing();
    mind.ask();
    for _ in 0..UNEXPECTED_TOLD_MAX + 1 {
        mind.hear(OTHER, page(PeersKind::News, [1]));
    }
    assert_eq!(mind.hear(CONTACT, page(PeersKind::LastPage, [])), [listed(ListingEnd::Complete, 0)]);
}
