//! What is said again: that one is dead, where others say that it is there; and that one is there, where that was long ago.

use super::links::{is_dialled, proved_by_others, refused, unreached};
use super::*;

/// Two neighbors, and a third of the id 7, whose link has fallen.
fn one_whose_link_fell() -> (Told, [LinkId; 2]) {
    let (mut told, [one, other]) = Told::linked();
    let link = told.neighbor(7);
    told.quieten(&[one, other, link]);
    let out = told.mind.closed(link);
    assert!(is_dialled(&out, 7), "{out:?}");
    (told, [one, other])
}

/// That of the id 7 is told to be online by whoever heard it so long ago, at a clock that is later than all that is known.
fn told_online(told: &mut Told, by: LinkId, heard: Duration) -> Vec<Output> {
    let clock = told.clock() + 500_000;
    told.hear(by, news(&[Member { heard, ..member(7, clock, Word::Online) }]))
}

/// Whether it is dialled, now or once the pause of the dials that failed is over.
fn is_looked_for(told: &mut Told, out: &[Output]) -> bool {
    is_dialled(out, 7) || is_dialled(&told.mind.pass_and_see(seconds(2)), 7)
}

/// Somebody else may have heard it at a later clock, and not that it died.
#[test]
fn whoever_knows_a_death_itself_looks_again_when_it_is_told_otherwise_and_says_so_at_a_later_clock() {
    let (mut told, [one, other]) = one_whose_link_fell();
    told.mind.tell(refused(7));
    told.quieten(&[one, other]);
    let out = told_online(&mut told, one, Duration::ZERO);
    let clock = told.page().iter().find(|member| member.address == servent_address(7)).unwrap().clock;
    assert!(is_looked_for(&mut told, &out), "{out:?}");
    told.mind.tell(refused(7));
    let said = told.told(NEWS_PAUSE);
    let is_said = |(to, peers): &(LinkId, Peers)| {
        let [member] = &peers.members[..] else { return false };
        *to == one && member.word == Word::Failed && member.clock > clock
    };
    assert!(said.iter().any(is_said), "{said:?}");
    assert_eq!(told.mind.held("members_watched"), 0);
}

#[test]
fn whoever_is_there_after_all_is_met_when_it_is_looked_for_again() {
    let (mut told, [one, other]) = one_whose_link_fell();
    told.mind.tell(refused(7));
    told.quieten(&[one, other]);
    let out = told_online(&mut told, one, Duration::ZERO);
    assert!(is_looked_for(&mut told, &out));
    let (call, _) = told.mind.dialled(Dial::Call(Errand::Visit, servent_address(7)));
    told.hear(call, Message::Hello(hello_of_members(7)));
    told.pass_with(&[one, other], NEIGHBOR_QUIET_MAX);
    assert_eq!(told.word(7), Some(Word::Online));
    // What others say of it is theirs to see now.
    told.hear(other, news(&[member(7, told.clock(), Word::Failed)]));
    let out = told_online(&mut told, one, Duration::ZERO);
    assert!(!is_looked_for(&mut told, &out));
}

/// A servent that refuses to be dialled from here may be there for others.
#[test]
fn whoever_is_told_again_and_again_that_one_is_there_believes_it() {
    let (mut told, [one, other]) = one_whose_link_fell();
    told.mind.tell(refused(7));
    let mut looked_count = 0;
    for _ in 0..20 {
        told.quieten(&[one, other]);
        let out = told_online(&mut told, one, Duration::ZERO);
        if is_looked_for(&mut told, &out) {
            looked_count += 1;
            told.mind.tell(refused(7));
        }
        [one, other].into_iter().for_each(|link| drop(told.mind.hear(link, Message::Pong)));
    }
    assert_eq!(looked_count, LOOKS_AGAIN_MAX);
    assert_eq!(told.word(7), Some(Word::Online));
    told.pass_with(&[one, other], NEIGHBOR_QUIET_MAX + NEIGHBOR_BEAT);
    assert_eq!(told.word(7), Some(Word::Online));
}

/// Whoever has a link to it has heard it since.
#[test]
fn a_suspicion_is_taken_back_by_whoever_has_heard_it_since_and_looked_at_again_where_nobody_has() {
    for has_heard_since in [true, false] {
        let (mut told, [one, other]) = one_whose_link_fell();
        told.pass_with(&[one, other], DIAL_WAIT_MAX);
        told.mind.tell(unreached(7));
        told.pass_with(&[one, other], NEIGHBOR_BEAT);
        told.mind.tell(unreached(7));
        told.quieten(&[one, other]);
        assert_eq!(told.word(7), Some(Word::Suspect));
        let heard = if has_heard_since { Duration::ZERO } else { seconds(30) };
        let out = told_online(&mut told, one, heard);
        assert_eq!(is_looked_for(&mut told, &out), !has_heard_since);
        if !has_heard_since {
            told.mind.tell(unreached(7));
        }
        told.pass_with(&[one, other], 2 * NEIGHBOR_QUIET_MAX);
        assert_eq!(told.word(7), Some(if has_heard_since { Word::Online } else { Word::Failed }));
        assert_eq!(told.mind.held("members_watched"), 0);
    }
}

/// It lives, and refuses those that dial it from here.
#[test]
fn a_death_is_taken_back_by_whoever_has_heard_it_since() {
    let (mut told, [one, other]) = one_whose_link_fell();
    told.mind.tell(refused(7));
    told.pass_with(&[one, other], seconds(3));
    let out = told_online(&mut told, one, Duration::ZERO);
    assert!(!is_looked_for(&mut told, &out), "{out:?}");
    assert_eq!(told.word(7), Some(Word::Online));
}

/// Two have had it greeted, each at another clock.
#[test]
fn a_later_clock_that_comes_while_it_is_looked_for_keeps_nobody_alive() {
    let (mut told, [one, other]) = one_whose_link_fell();
    told.mind.tell(refused(7));
    told.quieten(&[one, other]);
    let out = told_online(&mut told, one, Duration::ZERO);
    assert!(is_looked_for(&mut told, &out));
    [one, other].into_iter().for_each(|link| drop(told.mind.hear(link, Message::Pong)));
    told_online(&mut told, other, seconds(10));
    told.mind.tell(unreached(7));
    assert_eq!(told.word(7), Some(Word::Suspect));
    told.pass_with(&[one, other], NEIGHBOR_QUIET_MAX + NEIGHBOR_BEAT);
    assert_eq!(told.word(7), Some(Word::Failed));
}

/// Else it could keep others from being heard of in time.
#[test]
fn what_says_anew_that_one_is_there_that_nobody_has_heard_since_is_not_passed_on() {
    let (mut told, [one, other]) = Told::linked();
    told.hear(one, news(&[member(9, 5, Word::Online)]));
    told.pass_with(&[one, other], MEMBER_REFRESH_PAUSE + seconds(1));
    for id in [9, 2] {
        let clock = told.clock();
        told.hear(one, news(&[Member { heard: MEMBER_KEPT - seconds(1), ..member(id, clock, Word::Online) }]));
    }
    assert_eq!(told.words_told(seconds(1)), []);
    let clock = told.clock();
    told.hear(one, news(&[member(9, clock, Word::Online)]));
    assert_eq!(told.words_told(seconds(1)), [(other, servent_address(9), Word::Online)]);
}

/// A page brings the same clock while news of it is gathered.
#[test]
fn what_a_page_has_brought_a_moment_ago_is_passed_on_when_it_comes_as_news() {
    let (mut told, [one, other]) = Told::linked();
    told.hear(one, news(&[member(9, 5, Word::Online)]));
    told.pass_with(&[one, other], MEMBER_REFRESH_PAUSE + seconds(1));
    let anew = member(9, told.clock(), Word::Online);
    told.hear(one, peers(PeersKind::LastPage, vec![anew]));
    told.hear(one, news(&[anew]));
    assert_eq!(told.words_told(seconds(1)), [(other, servent_address(9), Word::Online)]);
}

#[test]
fn that_one_is_there_still_is_no_change() {
    let (mut told, [one, other]) = Told::linked();
    told.hear(one, news(&[member(9, 5, Word::Online)]));
    told.pass_with(&[one, other], MEMBER_REFRESH_PAUSE + seconds(1));
    for word in [Word::Online, Word::Suspect, Word::Online, Word::Failed] {
        let clock = told.clock();
        told.hear(one, news(&[member(9, clock, word)]));
        assert_eq!(told.words_told(NEWS_PAUSE), [(other, servent_address(9), word)]);
    }
}

#[test]
fn whoever_only_heard_of_a_death_does_not_look_when_it_hears_otherwise() {
    let (mut told, [one, other]) = Told::linked();
    proved_by_others(&mut told, other, 7);
    for word in [Word::Failed, Word::Left, Word::Suspect] {
        let clock = told.clock();
        told.hear(other, news(&[member(7, clock, word)]));
        let out = told_online(&mut told, one, Duration::ZERO);
        assert!(!is_looked_for(&mut told, &out), "{word}");
        assert_eq!(told.word(7), Some(Word::Online), "{word}");
    }
}

/// Those that are there and at which nothing changes are heard of again and again, however many links away they are.
#[test]
fn a_servent_says_anew_that_it_is_there_twice_before_it_would_be_forgotten() {
    let (mut told, links) = Told::linked::<2>();
    let mut said_at = Vec::new();
    let begun = told.mind.now;
    while told.mind.now.since(begun) < 2 * MEMBER_KEPT {
        for (link, peers) in told.pass_with(&links, NEIGHBOR_BEAT) {
            let [member] = &peers.members[..] else { panic!("{peers:?}") };
            assert_eq!((member.address, member.word, member.heard), (own_address(), Word::Online, Duration::ZERO));
            assert_eq!(peers.kind, PeersKind::News);
            said_at.push((told.mind.now.since(begun).as_secs(), link));
        }
    }
    assert_eq!(said_at.len(), 12, "at {said_at:?}");
    let first: Vec<u64> = said_at.iter().filter(|(_, link)| *link == links[0]).map(|(at, _)| *at).collect();
    assert!(first.windows(2).all(|two| two[1] - two[0] <= MEMBER_REFRESH.as_secs() + 1), "{first:?}");
}

#[test]
fn that_one_is_there_still_is_passed_on_though_nothing_changed_and_not_too_often() {
    let (mut told, [one, other]) = Told::linked();
    told.hear(one, news(&[member(9, 5, Word::Online)]));
    told.quieten(&[one, other]);
    told.pass_with(&[one, other], MEMBER_REFRESH_PAUSE + seconds(1));
    let mut told_at = Vec::new();
    for second in 0..2 * MEMBER_REFRESH_PAUSE.as_secs() {
        let clock = told.clock();
        told.hear(one, news(&[member(9, clock, Word::Online)]));
        for (link, peers) in told.pass_with(&[one, other], seconds(1)) {
            if peers.members.iter().any(|member| member.address == servent_address(9)) {
                assert_eq!(link, other, "{second}");
                told_at.push(second);
            }
        }
    }
    assert_eq!(told_at, [0, MEMBER_REFRESH_PAUSE.as_secs()]);
}

#[test]
fn what_a_neighbor_says_of_itself_anew_is_passed_on() {
    let (mut told, [one, other]) = Told::linked();
    told.pass_with(&[one, other], MEMBER_REFRESH_PAUSE + seconds(1));
    let clock = told.clock();
    told.hear(one, news(&[member(1, clock, Word::Online)]));
    assert_eq!(told.words_told(NEWS_PAUSE), [(other, servent_address(1), Word::Online)]);
}

/// Pages are told all the time, and each is the answer to whoever asked.
#[test]
fn what_a_page_says_anew_is_not_passed_on() {
    let (mut told, [one, other]) = Told::linked();
    told.hear(one, news(&[member(9, 5, Word::Online)]));
    told.pass_with(&[one, other], MEMBER_REFRESH_PAUSE + seconds(1));
    let clock = told.clock();
    told.hear(one, peers(PeersKind::LastPage, vec![member(9, clock, Word::Online)]));
    assert_eq!(told.words_told(seconds(1)), []);
}

/// Whoever is greeted while no link stands may not have heard of a death yet, and nobody but this servent may have seen it.
#[test]
fn what_was_seen_of_a_link_that_fell_gives_way_to_whoever_has_heard_that_one_since() {
    for (word, clock_ahead, heard, expected) in [
        (Word::Online, 500_000, seconds(20), Word::Failed),
        (Word::Online, 0, seconds(20), Word::Failed),
        (Word::Suspect, 500_000, seconds(20), Word::Failed),
        (Word::Online, 500_000, Duration::ZERO, Word::Online),
        (Word::Online, 0, Duration::ZERO, Word::Online),
    ] {
        let (mut told, [one]) = Told::linked();
        let link = told.neighbor(7);
        let before = told.clock();
        told.quieten(&[one, link]);
        told.words_told(seconds(12));
        assert_eq!([told.word(1), told.word(7)], [Some(Word::Failed); 2], "nobody is heard, and no link stands");
        let visitor = told.accepted(([10, 9, 0, 1], 40_001).into());
        told.mind.hear(
            visitor,
            Message::Hello(Hello { features: Features::OF_MEMBERS, ..Hello::new(Role::Client { answer_port: 0 }) }),
        );
        told.hear(visitor, news(&[Member { heard, ..member(7, before + clock_ahead, word) }]));
        assert_eq!(told.word(7), Some(expected), "{word} at {clock_ahead} more, heard {heard:?} ago");
        // Once there is a link again it is looked for, if nobody has heard it.
        let again = told.accepted(servent_address(1));
        let out = told.mind.hear(again, Message::Hello(hello_of_members(1)));
        assert_eq!(is_dialled(&out, 7), expected == Word::Failed, "{out:?}");
    }
}

/// Nobody else ever heard of the guess.
#[test]
fn what_is_said_anew_of_one_that_was_only_guessed_dead_is_passed_on() {
    let (mut told, [_, _, _]) = Told::linked();
    told.words_told(MEMBER_REFRESH_PAUSE + seconds(12));
    assert_eq!((told.word(3), told.mind.held("neighbors")), (Some(Word::Failed), 0));
    let [one, other] = [1, 2].map(|id| {
        let link = told.accepted(servent_address(id));
        told.hear(link, Message::Hello(hello_of_members(id)));
        told.hear(link, peers(PeersKind::LastPage, vec![]));
        link
    });
    told.quieten(&[one, other]);
    let clock = told.clock();
    told.hear(one, news(&[member(3, clock, Word::Online)]));
    assert_eq!(told.words_told(NEWS_PAUSE), [(other, servent_address(3), Word::Online)]);
}
