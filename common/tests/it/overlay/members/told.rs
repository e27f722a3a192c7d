//! What is believed of what is told.

use super::links::from_elsewhere;
use super::*;

#[test]
fn the_later_clock_holds_and_at_one_clock_the_worse_word() {
    let words = Word::ALL;
    for (clock, word) in
        [(49, 3), (50, 0), (50, 1), (50, 2), (50, 3), (51, 0)].map(|(clock, word)| (clock, words[word]))
    {
        let (mut told, [one, other]) = Told::linked();
        told.hear(one, news(&[member(9, 50, Word::Suspect)]));
        told.hear(other, news(&[member(9, clock, word)]));
        let holds = (clock, word) > (50, Word::Suspect);
        assert_eq!(told.word(9), Some(if holds { word } else { Word::Suspect }), "{word} at {clock}");
    }
}

#[test]
fn whatever_is_said_otherwise_of_this_servent_it_says_that_it_is_there() {
    let otherwise = |told: &Told, word, id| Member { word, id: identity(id), ..own_member(told.clock() + 9) };
    for word in [Word::Suspect, Word::Failed, Word::Left] {
        for (word, id) in [(word, OWN_ID), (Word::Online, 77)] {
            let (mut told, [one, other]) = Told::linked();
            let said = otherwise(&told, word, id);
            told.hear(one, news(&[said]));
            let told_to: Vec<(LinkId, Member)> =
                told.told(NEWS_PAUSE).into_iter().map(|(link, peers)| (link, peers.members[0])).collect();
            assert_eq!(told_to.iter().map(|(link, _)| *link).collect::<Vec<_>>(), [one, other]);
            for (_, answer) in told_to {
                assert!(answer.clock > said.clock && answer == own_member(answer.clock), "{answer:?}");
            }
        }
    }
    let (mut told, [one]) = Told::linked();
    told.hear(one, news(&[own_member(500)]));
    assert_eq!(told.told(NEWS_PAUSE), [], "it is so");
}

#[test]
fn whoever_was_heard_a_moment_ago_is_not_dead_whoever_says_so() {
    for word in [Word::Suspect, Word::Failed, Word::Left] {
        let (mut told, [_, other]) = Told::linked();
        let clock = told.clock() + 9;
        told.hear(other, news(&[member(1, clock, word)]));
        assert_eq!(told.word(1), Some(Word::Online), "{word}");
        let said = told.told(NEWS_PAUSE);
        let contradicted = |link| {
            let is_it = |(to, peers): &&(LinkId, Peers)| *to == link && peers.members[0].address == servent_address(1);
            said.iter().find(is_it).map(|(_, peers)| (peers.members[0].word, peers.members[0].clock > clock))
        };
        assert_eq!(contradicted(other), Some((Word::Online, true)), "{word}: {said:?}");
        assert_eq!(told.mind.held("neighbors"), 2, "no word closes a link");
    }
}

/// It was contradicted when it was said first: nobody but whoever says it is told.
#[test]
fn what_was_said_of_a_neighbor_at_an_older_clock_is_set_right_where_it_is_said() {
    for word in [Word::Suspect, Word::Failed, Word::Left] {
        let (mut told, [one, other]) = Told::linked();
        let clock = told.clock();
        told.hear(other, news(&[member(1, clock, word)]));
        told.quieten(&[one, other]);
        let out = peers_in(told.hear(other, news(&[member(1, clock - 1, word)])));
        let [(to, set_right)] = &out[..] else { panic!("{word}: {out:?}") };
        assert_eq!((*to, set_right.members[0].word), (other, Word::Online));
        assert!(set_right.members[0].clock > clock, "{word}: {set_right:?}");
        assert_eq!(told.told(NEWS_PAUSE), [], "{word}");
        // Nothing is made of it where it is not known to be so.
        told.pass_with(&[other], PING_AFTER + NEIGHBOR_BEAT);
        assert_eq!(peers_in(told.hear(other, news(&[member(1, clock - 1, word)]))), [], "{word}");
        told.mind.hear(one, Message::Pong);
        assert_eq!(told.words_told(NEWS_PAUSE), [], "{word}");
    }
}

/// It may be told only once, and just then.
#[test]
fn whoever_answers_a_ping_is_not_dead_whatever_was_said_while_it_was_awaited() {
    for word in [Word::Suspect, Word::Failed, Word::Left] {
        let (mut told, [one, other]) = Told::linked();
        told.pass_with(&[other], PING_AFTER + NEIGHBOR_BEAT);
        let clock = told.clock() + 9;
        told.hear(other, news(&[member(1, clock, word)]));
        assert_eq!(told.told(NEWS_PAUSE), [], "{word}: it may be so");
        told.mind.hear(one, Message::Pong);
        let said = told.told(NEWS_PAUSE);
        let is_contradicted = |(to, peers): &(LinkId, Peers)| {
            let [member] = &peers.members[..] else { return false };
            *to == other && member.address == servent_address(1) && member.clock > clock
        };
        assert!(said.iter().any(is_contradicted), "{word}: {said:?}");
        told.mind.hear(one, Message::Pong);
        assert_eq!(told.told(NEWS_PAUSE), [], "once");
    }
}

#[test]
fn a_clock_that_is_ahead_of_the_stamp_that_brings_it_ends_the_link() {
    let (mut told, [link, _]) = Told::linked();
    let stamp = told.clock() + 7;
    let said = |clock| Input::Received { link, stamp, message: news(&[member(9, clock, Word::Online)]) };
    assert_eq!(told.mind.tell(said(stamp)), []);
    assert_eq!(told.word(9), Some(Word::Online));
    assert_eq!(told.mind.tell(said(stamp + 1))[..2], goodbye(link, Goodbye::Protocol));
}

#[test]
fn a_clock_that_is_ahead_of_ours_waits_for_a_later_page() {
    let (mut told, [link]) = Told::linked();
    let far = STAMP_STEP_MAX + 1_000_000_000;
    let message = news(&[member(9, far, Word::Online), member(10, 5, Word::Online)]);
    assert_eq!(told.mind.tell(Input::Received { link, stamp: u64::MAX, message: message.clone() }), []);
    assert_eq!([told.word(9), told.word(10)], [None, Some(Word::Online)]);
    told.mind.now = told.mind.now + seconds(1);
    told.mind.tell(Input::Received { link, stamp: u64::MAX, message });
    assert_eq!(told.word(9), Some(Word::Online));
}

#[test]
fn what_nobody_has_heard_for_long_is_forgotten_and_no_late_page_brings_it_back() {
    for (word, kept) in [(Word::Failed, FAILED_KEPT), (Word::Left, MEMBER_KEPT), (Word::Online, MEMBER_KEPT)] {
        let (mut told, [one]) = Told::linked();
        let late = |heard| news(&[Member { heard, ..member(9, 5, word) }]);
        told.hear(one, late(kept + seconds(1)));
        assert_eq!(told.word(9), None, "{word} that is too old from the first");
        told.hear(one, late(kept - seconds(30)));
        assert_eq!(told.word(9), Some(word));
        told.pass_with(&[one], seconds(10));
        let page = peers_in(told.hear(one, wanted(None)));
        let told_on = page[0].1.members.iter().find(|member| member.address == servent_address(9)).unwrap();
        assert!(told_on.heard >= kept - seconds(21), "it grows: {:?}", told_on.heard);
        told.pass_with(&[one], seconds(90));
        assert_eq!(told.word(9), None, "{word}");
    }
}

/// How often a neighbor tells it, and what is told because of that: in which tenths of seconds.
fn told_of_one_that_changes(changes_count: u64) -> Vec<u64> {
    let (mut told, [one, other]) = Told::linked();
    told.hear(one, news(&[member(9, 1_000, Word::Online)]));
    told.quieten(&[one, other]);
    let mut told_at = Vec::new();
    for change in 0..changes_count {
        let word = if change % 2 == 0 { Word::Failed } else { Word::Online };
        told.hear(one, news(&[member(9, 2_000 + change, word)]));
        for (link, _) in told.pass_with(&[one, other], NEWS_PAUSE) {
            if link == other {
                told_at.push(change);
            }
        }
    }
    told_at
}

/// That it was suspect, and was there after all, does not make its death one of many.
#[test]
fn the_death_of_one_that_was_suspect_again_and_again_is_told_at_once() {
    let (mut told, [one, other]) = Told::linked();
    told.hear(one, news(&[member(9, 1_000, Word::Online)]));
    told.quieten(&[one, other]);
    for clock in 0..6 {
        let word = if clock % 2 == 0 { Word::Suspect } else { Word::Online };
        told.hear(one, news(&[member(9, 2_000 + clock, word)]));
        told.pass_with(&[one, other], NEWS_PAUSE);
    }
    assert!(told.page().iter().any(|member| member.address == servent_address(9) && member.seen.is_flapping));
    told.hear(one, news(&[member(9, 3_000, Word::Failed)]));
    let said = told.pass_with(&[one, other], 2 * NEWS_PAUSE);
    assert!(said.iter().any(|(to, peers)| *to == other && peers.members[0].word == Word::Failed), "{said:?}");
}

#[test]
fn what_changes_again_and_again_is_passed_on_seldom() {
    let told_at = told_of_one_that_changes(1_200);
    let (at_once, late): (Vec<u64>, Vec<u64>) = told_at.iter().partition(|change| **change < 100);
    // Every other one is that it failed, which waits from the fourth change on.
    let of_both = u64::from(FLAPPING_CHANGES) - 1;
    let of_online = (of_both..u64::from(FLAPPING_CHANGES_MAX) - 1).filter(|change| change % 2 == 1);
    assert_eq!(at_once, (0..of_both).chain(of_online).collect::<Vec<_>>(), "{told_at:?}");
    // After each pause it is counted from where it flaps.
    let in_each_pause = usize::from(FLAPPING_CHANGES_MAX - FLAPPING_CHANGES) / 2;
    let most = in_each_pause * 4;
    assert_eq!(FLAPPING_PAUSE * 4, seconds(120));
    assert!((2..=most).contains(&late.len()), "in two minutes it was told {} times: {told_at:?}", late.len());
}

/// That it is known at all is no change: else one that is stopped for a while and dies a while later would be one too many.
#[test]
fn the_death_of_one_that_comes_and_goes_is_told_so_often_in_a_minute_and_then_seldom() {
    let (mut told, [one, other]) = Told::linked();
    let mut words_said: Vec<Vec<Word>> = Vec::new();
    for _ in 0..3 {
        // It comes, and has gone at once.
        let link = told.neighbor(7);
        told.quieten(&[one, other, link]);
        told.mind.closed(link);
        told.mind.tell(links::refused(7));
        let said = told.pass_with(&[one, other], seconds(1));
        words_said.push(said.iter().filter(|(to, _)| *to == other).map(|(_, peers)| peers.members[0].word).collect());
    }
    let expected: [Vec<Word>; 3] = [vec![Word::Failed], vec![Word::Failed], vec![]];
    assert_eq!(words_said, expected, "after that it is told once in {FLAPPING_PAUSE:?}");
    let said = told.pass_with(&[one, other], FLAPPING_PAUSE);
    assert_eq!(said.iter().filter(|(to, _)| *to == other).count(), 1, "{said:?}");
}

#[test]
fn what_one_neighbor_alone_tells_takes_no_place_of_what_others_tell() {
    let (mut told, [liar, honest]) = Told::linked();
    let invented = |number: u32| Member {
        address: SocketAddr::from((Ipv4Addr::from(0x0b00_0000 + number), 1)),
        ..member(99, 5, Word::Online)
    };
    for first in (0..100_000_u32).step_by(PEERS_MAX) {
        let members: Vec<Member> = (first..first + 64).map(invented).collect();
        told.hear(liar, news(&members));
        if first == 50_048 {
            let members: Vec<Member> = (200..260).map(|id| member(id, 5, Word::Online)).collect();
            told.hear(honest, news(&members));
        }
    }
    let held = told.mind.held("members");
    assert!((MEMBERS_MAX..=MEMBERS_MAX + 64).contains(&held), "{held}");
    let mut behind = None;
    let mut known = BTreeSet::new();
    while let [(_, peers)] = &peers_in(told.hear(honest, wanted(behind)))[..] {
        known.extend(peers.members.iter().map(|member| member.address));
        behind = peers.members.last().map(|member| member.address);
        if peers.kind == PeersKind::LastPage {
            break;
        }
    }
    assert!((200..260).all(|id| known.contains(&servent_address(id))), "what others told has its place");
    assert!([1, 2].iter().all(|id| known.contains(&servent_address(*id))), "and who was heard");
}

/// Several suspect it one after the other while it dies: it would go to and fro, and flap.
#[test]
fn whoever_is_suspect_at_a_later_clock_stays_dead_until_somebody_has_heard_it() {
    for word in [Word::Failed, Word::Left] {
        let (mut told, [one, _]) = Told::linked();
        told.hear(one, news(&[member(9, 10, word)]));
        told.told(NEWS_PAUSE);
        told.hear(one, news(&[member(9, 20, Word::Suspect)]));
        assert_eq!((told.word(9), told.told(NEWS_PAUSE)), (Some(word), vec![]));
        let known = told.page().into_iter().find(|member| member.address == servent_address(9)).unwrap();
        assert_eq!(known.clock, 20, "whoever is told so knows it too");
        told.hear(one, news(&[member(9, 21, Word::Online)]));
        assert_eq!(told.word(9), Some(Word::Online));
        let other = Member { id: identity(77), ..member(9, 30, Word::Suspect) };
        told.hear(one, news(&[member(9, 25, word)]));
        told.hear(one, news(&[other]));
        assert_eq!(told.word(9), Some(Word::Suspect), "another is there");
    }
}

/// What nobody ever hears gets older, and who is there does not: so inventions give way once nobody invents any more.
#[test]
fn where_there_is_no_place_left_whoever_was_heard_later_stays() {
    let (mut told, [one]) = Told::linked();
    let heard_before = |ids: std::ops::Range<u128>, heard: u64| -> Vec<Member> {
        ids.map(|id| Member { heard: seconds(heard), ..member(id, 1, Word::Online) }).collect()
    };
    told.pass_with(&[one], seconds(100));
    for first in (1_000..3_000).step_by(PEERS_MAX) {
        told.hear(one, news(&heard_before(first..first + 64, 60)));
    }
    told.hear(one, news(&heard_before(100..160, 20)));
    let held = told.mind.held("members");
    // Who was heard at the same time may have taken the place of another of them.
    let known: Vec<u128> = (100..160).filter(|id| told.mind.overlay.word_of(servent_address(*id)).is_some()).collect();
    assert!(known.len() > 40, "{}", known.len());
    for first in (5_000..25_000).step_by(PEERS_MAX) {
        told.hear(one, news(&heard_before(first..first + 64, 40)));
    }
    assert_eq!(told.mind.held("members"), held, "there was no place left");
    assert!(known.iter().all(|id| told.mind.overlay.word_of(servent_address(*id)).is_some()));
    told.hear(one, news(&heard_before(30_000..30_060, 90)));
    assert!((30_000..30_060).all(|id| told.mind.overlay.word_of(servent_address(id)).is_none()), "older than all");
}

#[test]
fn up_to_so_many_are_all_known_from_one_neighbor_alone() {
    let (mut told, [one]) = Told::linked();
    let ids: Vec<u128> = (100..100 + MEMBERS_MAX as u128 - 2).collect();
    for ids in ids.chunks(PEERS_MAX) {
        let members: Vec<Member> = ids.iter().map(|id| member(*id, 1, Word::Online)).collect();
        told.hear(one, news(&members));
    }
    assert_eq!(told.mind.held("members"), MEMBERS_MAX);
}

#[test]
fn an_address_that_means_nothing_here_is_not_remembered() {
    for (from, address, is_known) in [
        ("10.0.0.1:9000", "127.0.0.1:9000", false),
        ("127.0.0.1:9001", "127.0.0.1:9000", true),
        ("10.0.0.1:9000", "0.0.0.0:9000", false),
        ("10.0.0.1:9000", "10.0.0.9:0", false),
        ("10.0.0.1:9000", "224.0.0.1:9000", false),
        ("10.0.0.1:9000", "169.254.0.1:9000", false),
        ("10.0.0.1:9000", "[2001:db8::1]:9000", true),
        ("10.0.0.1:9000", "[fe80::1]:9000", false),
    ] {
        let mut told = Told::new();
        let link = told.neighbor_that_says(&hello_of_members(1), from.parse().unwrap());
        let address: SocketAddr = address.parse().unwrap();
        told.hear(link, news(&[Member { address, ..member(9, 5, Word::Online) }]));
        assert_eq!(told.page().iter().any(|member| member.address == address), is_known, "{address} from {from}");
    }
}

#[test]
fn a_claim_to_be_where_nobody_can_be_dialled_is_replaced_by_where_it_came_from() {
    for (from, claimed, expected) in [
        ("10.0.0.7:40000", "10.0.0.7:9000", "10.0.0.7:9000"),
        ("10.0.0.7:40000", "192.0.2.1:9000", "192.0.2.1:9000"),
        ("10.0.0.7:40000", "0.0.0.0:9000", "10.0.0.7:9000"),
        ("10.0.0.7:40000", "[::]:9000", "10.0.0.7:9000"),
        ("10.0.0.7:40000", "127.0.0.1:9000", "10.0.0.7:9000"),
        ("127.0.0.1:40000", "127.0.0.1:9000", "127.0.0.1:9000"),
        ("[2001:db8::7]:40000", "[::1]:9000", "[2001:db8::7]:9000"),
    ] {
        let mut told = Told::new();
        let hello = hello_of_members(7).at(claimed.parse().unwrap());
        told.neighbor_that_says(&hello, from.parse().unwrap());
        let known: Vec<SocketAddr> = told.page().iter().map(|member| member.address).collect();
        assert!(known.contains(&expected.parse().unwrap()) && known.len() == 2, "{claimed} from {from}: {known:?}");
    }
}

/// Of two lives of a servent something may be said at one clock: whoever is linked with the one would correct the others, and
/// they it, for ever.
#[test]
fn of_two_at_one_address_at_one_clock_one_is_corrected_and_the_other_has_it_seen_who_is_there() {
    let (mut told, [one, other]) = Told::linked();
    let known = told.page().into_iter().find(|member| member.address == servent_address(2)).unwrap();
    let [earlier, later] = [1, 77].map(|id| Member { id: identity(id), ..member(2, known.clock, Word::Online) });
    let corrected = told.hear(one, news(&[earlier]));
    assert_eq!(peers_in(corrected)[0].1.members[0].id, known.id);
    assert_eq!(told.hear(one, news(&[later])), [send(other, Message::Ping)], "and no correction");
    told.hear(other, Message::Pong);
    let said = told.told(NEWS_PAUSE);
    let is_contradicted = |(link, peers): &(LinkId, Peers)| {
        *link == one && peers.members[0].id == known.id && peers.members[0].clock > known.clock
    };
    assert!(said.iter().any(is_contradicted), "{said:?}");
}

#[test]
fn somebody_else_at_the_address_of_a_neighbor_has_to_wait_until_that_does_not_answer() {
    let (mut told, [one, other]) = Told::linked();
    let successor = Member { id: identity(77), ..member(1, told.clock() + 9, Word::Online) };
    assert_eq!(told.hear(other, news(&[successor])), [send(one, Message::Ping)]);
    assert_eq!(told.who_is_at(1), Some((identity(1), Word::Online)));
    // It answers.
    told.hear(one, Message::Pong);
    let said = told.told(NEWS_PAUSE);
    assert!(said.iter().any(|(link, peers)| *link == other && peers.members[0].id == identity(1)), "{said:?}");
    // It does not.
    let clock = told.clock();
    assert_eq!(told.hear(other, news(&[Member { clock: clock + 9, ..successor }])), [send(one, Message::Ping)]);
    told.pass_with(&[other], 2 * NEIGHBOR_BEAT);
    assert_eq!(told.mind.held("neighbors"), 1);
    assert_eq!(told.who_is_at(1), Some((identity(77), Word::Online)));
}

/// Of two at one address one whose link comes from there is believed, and of two such the later: it may have been started anew.
#[test]
fn whoever_only_says_to_be_where_a_neighbor_is_counts_once_that_has_gone_and_is_forgotten_when_it_comes_back() {
    let (mut told, [one, other]) = Told::linked();
    let liar = from_elsewhere(&mut told, 66, servent_address(1));
    told.quieten(&[one, other, liar]);
    assert_eq!(told.who_is_at(1), Some((identity(1), Word::Online)));
    told.mind.closed(one);
    assert_eq!(told.who_is_at(1), Some((identity(66), Word::Online)));
    for id in [1, 5] {
        let one = told.neighbor_that_says(&hello_of_members(id).at(servent_address(1)), servent_address(1));
        told.quieten(&[one, other, liar]);
        assert_eq!(told.who_is_at(1), Some((identity(id), Word::Online)));
    }
    told.mind.closed(liar);
    assert_eq!(told.who_is_at(1), Some((identity(5), Word::Online)));
}

#[test]
fn whoever_says_to_be_where_a_neighbor_says_to_be_is_forgotten_when_its_link_falls() {
    let (mut told, [_, other]) = Told::linked();
    let [first, second] = [7, 66].map(|id| from_elsewhere(&mut told, id, servent_address(7)));
    told.quieten(&[first, second, other]);
    assert_eq!(told.who_is_at(7), Some((identity(66), Word::Online)));
    told.mind.closed(second);
    assert_eq!(told.who_is_at(7), Some((identity(7), Word::Online)));
    let said = told.told(NEWS_PAUSE);
    assert!(said.iter().any(|(link, peers)| *link == other && peers.members[0].id == identity(7)), "{said:?}");
}

/// It says that it is there only where it is.
#[test]
fn whoever_only_says_to_be_where_a_neighbor_is_displaces_it_by_nothing_that_it_does() {
    let (mut told, [one, other]) = Told::linked();
    let liar = from_elsewhere(&mut told, 66, servent_address(1));
    told.quieten(&[one, other, liar]);
    // It is quiet, and heard again; it answers a ping; it is heard after this servent slept.
    told.pass_with(&[one, other], SUSPECT_AFTER + 2 * NEIGHBOR_BEAT);
    told.mind.hear(liar, Message::Pong);
    told.mind.now = told.mind.now + seconds(20);
    told.mind.tell(Input::Deadline);
    told.mind.hear(liar, Message::Pong);
    told.pass_with(&[one, other, liar], seconds(3));
    assert_eq!(told.who_is_at(1), Some((identity(1), Word::Online)));
    let _ = other;
}

/// As somebody behind a router, whom a client of this host had greeted where it is.
#[test]
fn whoever_came_from_elsewhere_and_was_met_where_it_says_it_is_stays_there() {
    let (mut told, [one]) = Told::linked();
    let link = from_elsewhere(&mut told, 7, servent_address(7));
    let client = told.accepted(([127, 0, 0, 1], 40_002).into());
    told.mind.hear(client, Message::Hello(Hello::new(Role::Client { answer_port: 0 })));
    told.mind.hear(client, Message::Greet(common::member::Greet { address: servent_address(7) }));
    let (call, _) = told.mind.dialled(Dial::Call(Errand::Visit, servent_address(7)));
    told.hear(call, Message::Hello(hello_of_members(7)));
    told.hear(call, peers(PeersKind::LastPage, vec![]));
    let liar = from_elsewhere(&mut told, 66, servent_address(7));
    told.quieten(&[one, link, liar]);
    let there = told.page().into_iter().find(|member| member.address == servent_address(7)).unwrap();
    assert_eq!((there.id, there.word, there.is_proved), (identity(7), Word::Online, true));
}

#[test]
fn whoever_was_met_where_it_says_it_is_stays_there_when_it_links_anew_from_elsewhere() {
    let (mut told, [one]) = Told::linked();
    let link = told.neighbor(7);
    told.quieten(&[one, link]);
    told.mind.closed(link);
    let [again, liar] = [7, 66].map(|id| from_elsewhere(&mut told, id, servent_address(7)));
    told.quieten(&[one, again, liar]);
    let there = told.page().into_iter().find(|member| member.address == servent_address(7)).unwrap();
    assert_eq!((there.id, there.word), (identity(7), Word::Online));
}
