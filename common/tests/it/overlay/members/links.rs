//! What happens to links, and what is said of members because of that.

use super::*;

const DEAD: [Duration; 2] = [SUSPECT_AFTER, NEIGHBOR_QUIET_MAX];

#[test]
fn whoever_a_link_comes_to_is_online_and_the_others_are_told_after_a_moment() {
    let (mut told, [one, other]) = Told::linked();
    let third = told.neighbor(3);
    let clock = told.clock();
    assert_eq!(told.told(NEWS_PAUSE - milliseconds(1)), []);
    let said = told.told(milliseconds(1));
    let links: Vec<LinkId> = said.iter().map(|(link, _)| *link).collect();
    assert_eq!(links, [one, other, third], "it may have been told otherwise of itself");
    for (_, peers) in said {
        let [member] = &peers.members[..] else { panic!("{peers:?}") };
        assert!(peers.kind == PeersKind::News && member.clock <= clock, "{peers:?}");
        assert_eq!((member.address, member.id, member.word), (servent_address(3), identity(3), Word::Online));
    }
    assert_eq!(told.told(seconds(1)), [], "once");
}

#[test]
fn whoever_is_quiet_is_suspect_and_then_failed_while_others_are_heard() {
    let (mut told, [one, other]) = Told::linked();
    let start = told.mind.now;
    let mut said = Vec::new();
    while told.mind.now.since(start) < seconds(10) {
        let before = told.mind.now;
        for (link, peers) in told.pass_with(&[other], NEWS_PAUSE) {
            said.push((before.since(start), link, peers.members[0].word));
        }
    }
    let [(suspect_at, ..), .., (failed_at, ..)] = said[..] else { panic!("{said:?}") };
    for ((at, word), after) in [(suspect_at, Word::Suspect), (failed_at, Word::Failed)].into_iter().zip(DEAD) {
        assert!(at >= after && at <= after + NEIGHBOR_BEAT + NEWS_PAUSE, "{word} at {at:?}");
    }
    let of_link = |link| said.iter().filter(|(_, to, _)| *to == link).map(|(.., word)| *word).collect::<Vec<_>>();
    assert_eq!(of_link(other), [Word::Suspect, Word::Failed]);
    assert_eq!(of_link(one), [Word::Suspect], "its link is gone by then");
    assert_eq!(told.word(1), Some(Word::Failed));
}

#[test]
fn whoever_is_heard_again_is_online_again() {
    let (mut told, [one, other]) = Told::linked();
    told.pass_with(&[other], SUSPECT_AFTER + NEIGHBOR_BEAT);
    assert_eq!(told.word(1), Some(Word::Suspect));
    let clock = told.clock();
    told.hear(one, Message::Pong);
    assert_eq!(told.word(1), Some(Word::Online));
    let said = told.told(NEWS_PAUSE);
    assert!(said.iter().any(|(link, peers)| *link == other && peers.members[0].clock > clock), "{said:?}");
}

/// One link that is dead in one direction makes nobody dead.
#[test]
fn whoever_others_have_heard_is_not_called_dead_though_its_link_is_given_up() {
    let (mut told, [one, other]) = Told::linked();
    told.pass_with(&[other], SUSPECT_AFTER + NEIGHBOR_BEAT);
    let clock = told.clock();
    told.hear(other, news(&[member(1, clock + 1, Word::Online)]));
    assert_eq!(told.word(1), Some(Word::Online));
    let said = told.pass_with(&[other], NEIGHBOR_QUIET_MAX);
    assert!(said.iter().all(|(_, peers)| peers.members.iter().all(|member| member.word.is_online())), "{said:?}");
    assert_eq!(told.mind.held("neighbors"), 1, "its link is gone");
    let _ = one;
}

#[test]
fn a_servent_that_hears_nobody_says_nothing_of_them_and_believes_what_it_is_told_later() {
    let (mut told, [one, other]) = Told::linked();
    let said = told.words_told(seconds(12));
    assert_eq!(said, [], "the trouble may be its own");
    assert_eq!(told.mind.held("neighbors"), 0);
    assert_eq!([told.word(1), told.word(2)], [Some(Word::Failed); 2], "what it thinks itself");
    let again = told.accepted(servent_address(2));
    let out = told.mind.hear(again, Message::Hello(hello_of_members(2)));
    assert!(is_dialled(&out, 1), "it can be seen now whether it is there: {out:?}");
    told.hear(again, peers(PeersKind::LastPage, vec![]));
    assert_eq!(told.word(2), Some(Word::Online));
    // What it only guessed is in no page.
    let page = told.hear(again, wanted(None));
    let pages = peers_in(page);
    let addresses: Vec<SocketAddr> = pages[0].1.members.iter().map(|member| member.address).collect();
    assert!(!addresses.contains(&servent_address(1)), "{addresses:?}");
    told.hear(again, news(&[member(1, 1, Word::Online)]));
    assert_eq!(told.word(1), Some(Word::Online), "whatever the clock");
    let _ = (one, other);
}

/// Else it would never be said: there is no link any more that could be quiet.
#[test]
fn whoever_was_guessed_dead_as_its_link_was_given_up_is_looked_for_while_another_link_stands() {
    let (mut told, [one, other]) = Told::linked();
    told.pass_with(&[], seconds(2));
    told.hear(other, Message::Pong);
    // Nobody was heard for a while: it may be this servent that is cut off.
    assert_eq!(told.words_told(seconds(7)), []);
    assert_eq!((told.mind.held("neighbors"), told.word(1)), (1, Some(Word::Failed)));
    let said = told.pass_with(&[other], seconds(12));
    let words: Vec<Word> = said.iter().map(|(_, peers)| peers.members[0].word).collect();
    assert_eq!(words, [Word::Suspect, Word::Failed], "{said:?}");
    let _ = one;
}

#[test]
fn whoever_says_goodbye_has_left() {
    let (mut told, [one, other]) = Told::linked();
    told.hear(one, Message::Goodbye(Goodbye::Leaving));
    assert_eq!(told.words_told(NEWS_PAUSE), [(other, servent_address(1), Word::Left)]);
    assert_eq!(told.mind.held("members_watched"), 0);
}

/// Dialled for a visit.
pub(super) fn visit(id: u128) -> Dial {
    Dial::Call(Errand::Visit, servent_address(id))
}

pub(super) fn refused(id: u128) -> Input {
    Input::DialFailed { dial: visit(id), refused: true, reason: "it is a test".to_owned() }
}

pub(super) fn unreached(id: u128) -> Input {
    Input::DialFailed { dial: visit(id), refused: false, reason: "it is a test".to_owned() }
}

pub(super) fn is_dialled(out: &[Output], id: u128) -> bool {
    out.iter().any(|output| matches!(output, Output::Dial { dial, .. } if *dial == visit(id)))
}

/// One of which another says that somebody met it where it is.
pub(super) fn proved_by_others(told: &mut Told, by: LinkId, id: u128) {
    let clock = told.clock();
    told.hear(by, news(&[Member { is_proved: true, ..member(id, clock + 1, Word::Online) }]));
}

#[test]
fn whoever_refuses_to_be_dialled_when_its_link_fell_has_failed_at_once() {
    let (mut told, [one, other]) = Told::linked();
    let _ = one;
    let link = told.neighbor(7);
    told.quieten(&[one, other, link]);
    let out = told.mind.closed(link);
    assert!(is_dialled(&out, 7), "{out:?}");
    assert_eq!(told.word(7), Some(Word::Online), "until it is known");
    assert_eq!(told.mind.tell(refused(7)), []);
    assert_eq!(told.words_told(NEWS_PAUSE), [one, other].map(|link| (link, servent_address(7), Word::Failed)));
    assert_eq!(told.mind.held("members_watched"), 0);
}

#[test]
fn whoever_answers_when_it_is_dialled_is_there_and_whoever_is_there_instead_is_another() {
    for (id_there, expected) in [(7_u128, 7_u128), (8, 8)] {
        let (mut told, [one]) = Told::linked();
        let link = told.neighbor(7);
        told.quieten(&[one, link]);
        told.mind.closed(link);
        let (call, out) = told.mind.dialled(visit(7));
        assert_eq!(out, [send(call, visitor_hello())], "as a client");
        let hello = hello_of_members(id_there).at(servent_address(7));
        let out = told.hear(call, Message::Hello(hello));
        assert_eq!(out[0], send(call, Message::Ping));
        assert_eq!(out[1..], goodbye(call, Goodbye::Idle));
        let there = told.page().into_iter().find(|member| member.address == servent_address(7)).unwrap();
        assert_eq!((there.id, there.word, there.is_proved), (identity(expected), Word::Online, true));
        assert_eq!(told.mind.held("members_watched"), 0);
    }
}

#[test]
fn whoever_cannot_be_reached_when_its_link_fell_is_suspect_and_dead_if_nobody_says_otherwise() {
    for is_contradicted in [false, true] {
        let (mut told, [one, other]) = Told::linked();
        let link = told.neighbor(7);
        told.quieten(&[one, other, link]);
        told.mind.closed(link);
        told.pass_with(&[one, other], DIAL_WAIT_MAX);
        told.mind.tell(unreached(7));
        assert_eq!(told.word(7), Some(Word::Suspect));
        if is_contradicted {
            let clock = told.clock();
            told.hear(one, news(&[member(7, clock, Word::Online)]));
        }
        told.pass_with(&[one, other], NEIGHBOR_QUIET_MAX + NEWS_PAUSE);
        assert_eq!(told.word(7), Some(if is_contradicted { Word::Online } else { Word::Failed }));
        assert_eq!(told.mind.held("members_watched"), 0);
    }
}

#[test]
fn whoever_takes_a_connection_while_it_dies_is_dialled_once_more() {
    let (mut told, [one, other]) = Told::linked();
    let link = told.neighbor(7);
    told.quieten(&[one, other, link]);
    told.mind.closed(link);
    told.mind.tell(unreached(7));
    let out = told.mind.pass_and_see(NEIGHBOR_BEAT);
    assert!(is_dialled(&out, 7), "{out:?}");
    told.mind.tell(refused(7));
    assert_eq!(told.word(7), Some(Word::Failed));
}

#[test]
fn whoever_was_only_guessed_dead_is_looked_for_once_there_is_a_link_again() {
    let (mut told, [one]) = Told::linked();
    let link = told.neighbor(7);
    told.quieten(&[one, link]);
    told.words_told(seconds(12));
    assert_eq!([told.word(1), told.word(7)], [Some(Word::Failed); 2]);
    let again = told.accepted(servent_address(1));
    let out = told.mind.hear(again, Message::Hello(hello_of_members(1)));
    assert!(is_dialled(&out, 7), "{out:?}");
    told.mind.tell(unreached(7));
    let said = told.pass_with(&[again], NEIGHBOR_QUIET_MAX + NEIGHBOR_BEAT);
    let is_said = |(_, peers): &(LinkId, Peers)| {
        peers.members.iter().any(|said| said.address == servent_address(7) && said.word == Word::Failed)
    };
    assert!(said.iter().any(is_said), "{said:?}");
}

/// Whoever suspected it may have died too.
#[test]
fn a_suspect_that_nobody_has_heard_for_long_has_failed() {
    let (mut told, [one]) = Told::linked();
    told.hear(one, news(&[Member { heard: SUSPECT_AFTER, ..member(7, 5, Word::Suspect) }]));
    told.pass_with(&[one], SUSPECT_MAX - SUSPECT_AFTER - seconds(1));
    assert_eq!(told.word(7), Some(Word::Suspect));
    told.pass_with(&[one], seconds(70));
    assert_eq!(told.word(7), Some(Word::Failed));
}

/// Where a neighbor that came from elsewhere says it is.
pub(super) fn from_elsewhere(told: &mut Told, id: u128, claimed: SocketAddr) -> LinkId {
    told.neighbor_that_says(&hello_of_members(id).at(claimed), ([10, 9, 9, 9], 4000).into())
}

/// Whoever says it is somewhere would have others dialled, and leave again and again. Nor does it help that another says that
/// it was met there.
#[test]
fn nobody_is_dialled_at_an_address_that_only_strangers_claim() {
    for (is_told_proved, falls_alone) in [(false, true), (true, true), (false, false), (true, false)] {
        let (mut told, [one, other]) = Told::linked();
        if is_told_proved {
            proved_by_others(&mut told, other, 7);
        }
        let link = from_elsewhere(&mut told, 7, servent_address(7));
        if is_told_proved {
            proved_by_others(&mut told, other, 7);
        }
        told.quieten(&[one, other, link]);
        let mut out = if falls_alone { told.mind.closed(link) } else { Vec::new() };
        assert_eq!(told.mind.held("members_watched"), usize::from(falls_alone));
        // What it guesses while it hears nobody it looks for later; nor is this one dialled then.
        out.extend(told.mind.pass_and_see(seconds(12)));
        assert_eq!((told.mind.held("neighbors"), told.word(7)), (0, Some(Word::Failed)));
        let again = told.accepted(servent_address(1));
        out.extend(told.mind.hear(again, Message::Hello(hello_of_members(1))));
        assert!(is_dialled(&out, 2), "who came from where it says it is may be: {out:?}");
        told.hear(again, peers(PeersKind::LastPage, vec![]));
        let known = Member { is_proved: true, ..member(7, told.clock() + 500_000, Word::Online) };
        out.extend(told.hear(again, news(&[known])));
        for _ in 0..100 {
            out.extend(told.mind.pass_and_see(NEWS_PAUSE));
            out.extend(told.mind.hear(again, Message::Pong));
        }
        assert!(!is_dialled(&out, 7), "{out:?}");
    }
}

/// A link from this host may come from anywhere, through a tunnel.
#[test]
fn whoever_comes_from_this_host_is_dialled_on_this_host_alone() {
    let here = SocketAddr::from(([127, 0, 0, 9], 9007));
    let own = SocketAddr::new(own_address().ip(), 9007);
    for (claimed, is_dialled) in [(here, true), (own, true), (servent_address(7), false)] {
        let (mut told, [one]) = Told::linked();
        let link = told.neighbor_that_says(&hello_of_members(7).at(claimed), ([127, 0, 0, 1], 4000).into());
        told.quieten(&[one, link]);
        let out = told.mind.closed(link);
        let dials = out.iter().filter(|output| matches!(output, Output::Dial { address, .. } if *address == claimed));
        assert_eq!(dials.count() == 1, is_dialled, "{claimed}: {out:?}");
    }
}

#[test]
fn nobody_is_dialled_where_no_one_servent_can_be() {
    for claimed in ["127.0.0.1:0", "224.0.0.1:9000", "255.255.255.255:9000"] {
        let (mut told, [one]) = Told::linked();
        let hello = hello_of_members(7).at(claimed.parse().unwrap());
        let link = told.neighbor_that_says(&hello, ([127, 0, 0, 1], 4000).into());
        told.quieten(&[one, link]);
        let out = told.mind.closed(link);
        assert!(!out.iter().any(|output| matches!(output, Output::Dial { .. })), "{claimed}: {out:?}");
    }
}

#[test]
fn whoever_came_from_where_it_says_it_is_is_dialled_there_when_its_link_fell() {
    let (mut told, [one]) = Told::linked();
    let link = told.neighbor(7);
    told.quieten(&[one, link]);
    let out = told.mind.closed(link);
    assert!(is_dialled(&out, 7), "{out:?}");
}

/// Others may have a link to it.
#[test]
fn whoever_cannot_be_dialled_is_suspect_for_a_while_before_it_is_called_dead() {
    for is_contradicted in [false, true] {
        let (mut told, [one, other]) = Told::linked();
        let link = from_elsewhere(&mut told, 7, servent_address(7));
        told.quieten(&[one, other, link]);
        let fell_at = told.mind.now;
        told.mind.closed(link);
        let mut said = Vec::new();
        while told.mind.now.since(fell_at) < NEIGHBOR_QUIET_MAX + seconds(2) {
            let before = told.mind.now.since(fell_at);
            for (link, peers) in told.pass_with(&[one, other], NEWS_PAUSE) {
                said.push((before, link, peers.members[0].word));
            }
            if is_contradicted && said.len() == 2 {
                let clock = told.clock();
                told.hear(one, news(&[member(7, clock, Word::Online)]));
            }
        }
        let words: Vec<Word> = said.iter().filter(|(_, to, _)| *to == other).map(|(.., word)| *word).collect();
        let last = if is_contradicted { Word::Online } else { Word::Failed };
        assert_eq!(words, [Word::Suspect, last], "{said:?}");
        assert!(said[0].0 >= SUSPECT_AFTER && said[0].0 <= SUSPECT_AFTER + NEWS_PAUSE, "{said:?}");
        assert!(is_contradicted || said[2].0 >= NEIGHBOR_QUIET_MAX, "{said:?}");
    }
}

#[test]
fn a_neighbor_that_was_told_is_dialled_as_ever_and_has_failed_when_it_refuses() {
    let mut told = Told::with(config_with_neighbor(&[servent_address(1)]));
    let other = told.neighbor(2);
    let (address, _) = (told.mind.next_dial().1, ());
    assert_eq!(address, servent_address(1));
    let (link, _) = told.mind.dialled(Dial::Neighbor(0));
    told.hear(link, Message::Hello(hello_of_members(1)));
    assert!(told.page().iter().any(|member| member.address == address && member.is_proved));
    let linkage = |told: &mut Told, id| {
        told.page().iter().find(|member| member.address == servent_address(id)).map(|member| member.seen.link)
    };
    assert_eq!([1, 2].map(|id| linkage(&mut told, id)), [Some(Linkage::Pinned), Some(Linkage::Taken)]);
    told.quieten(&[other, link]);
    let out = told.mind.closed(link);
    assert_eq!(out, [], "it is dialled again in any case");
    assert_eq!(linkage(&mut told, 1), Some(Linkage::None));
    let refused = Input::DialFailed { dial: Dial::Neighbor(0), refused: true, reason: "it is a test".to_owned() };
    told.mind.next_dial();
    told.mind.tell(refused);
    assert_eq!(told.word(1), Some(Word::Failed));
}

#[test]
fn of_those_whose_links_fall_again_and_again_so_many_are_looked_for_and_no_more() {
    let (mut told, [one]) = Told::linked();
    for id in 10..10 + NEIGHBORS_MAX as u128 + 5 {
        let link = told.neighbor(id);
        told.mind.closed(link);
    }
    assert_eq!(told.mind.held("members_watched"), NEIGHBORS_MAX);
    told.pass_with(&[one], NEIGHBOR_QUIET_MAX + NEIGHBOR_BEAT);
    assert_eq!(told.mind.held("members_watched"), 0);
}

#[test]
fn the_round_trip_of_a_ping_is_known() {
    let (mut told, [one]) = Told::linked();
    let out = told.mind.pass(PING_AFTER + NEIGHBOR_BEAT);
    assert!(out.iter().any(|(_, output)| *output == send(one, Message::Ping)), "{out:?}");
    let round_trip = |told: &mut Told| {
        told.page().iter().find(|member| member.address == servent_address(1)).and_then(|member| member.seen.round_trip)
    };
    let before = told.mind.now;
    told.mind.now = before + milliseconds(7);
    told.hear(one, Message::Pong);
    let known = round_trip(&mut told).unwrap();
    assert!(known >= milliseconds(7) && known <= NEIGHBOR_BEAT + milliseconds(7), "{known:?}");
}
