//! One of whom it is said again and again that it is suspect, and that it is there after all: it lives, and nobody calls it dead.

use super::links::from_elsewhere;
use super::*;

/// How long one is suspect before it is called dead.
const SUSPECTED_FOR: Duration = NEIGHBOR_QUIET_MAX.saturating_sub(SUSPECT_AFTER);

/// A servent of the id 7 that is not dialled where it says it is, since it does not come from there. Its link has come.
fn one_that_comes(told: &mut Told, neighbors: &[LinkId]) -> LinkId {
    let link = from_elsewhere(told, 7, servent_address(7));
    told.quieten(&[neighbors, &[link]].concat());
    link
}

/// What is told of it over this link while so long passes, and when.
fn told_of_it(told: &mut Told, neighbors: &[LinkId; 2], duration: Duration) -> Vec<(Duration, Word)> {
    let start = told.mind.now;
    let mut said = Vec::new();
    while told.mind.now.since(start) < duration {
        for (link, peers) in told.pass_with(neighbors, NEWS_PAUSE) {
            let of_it = peers.members.iter().filter(|member| member.address == servent_address(7));
            let at = told.mind.now.since(start);
            said.extend(of_it.filter(|_| link == neighbors[1]).map(|member| (at, member.word)));
        }
    }
    said
}

/// Its link carries nothing of what it says, and it dials again and again; others hear it.
#[test]
fn whoever_loses_its_link_again_and_again_is_suspect_at_once_each_time_and_never_dead() {
    let (mut told, [one, other]) = Told::linked();
    for round in 0..60 {
        let link = one_that_comes(&mut told, &[one, other]);
        told_of_it(&mut told, &[one, other], seconds(1));
        told.mind.closed(link);
        let said = told_of_it(&mut told, &[one, other], SUSPECT_AFTER + 2 * NEWS_PAUSE);
        assert_eq!(said.iter().map(|(_, word)| *word).collect::<Vec<_>>(), [Word::Suspect], "round {round}: {said:?}");
        let clock = told.clock();
        told.hear(one, news(&[member(7, clock, Word::Online)]));
        let said = told_of_it(&mut told, &[one, other], seconds(4));
        assert_eq!(said.iter().map(|(_, word)| *word).collect::<Vec<_>>(), [Word::Online], "round {round}: {said:?}");
    }
}

/// A neighbor says so much of it that what is said of it waits; then its link falls, or carries nothing any more.
#[test]
fn whoever_is_suspect_is_not_dead_before_others_were_told_and_could_have_said_otherwise() {
    for falls in [true, false] {
        let (mut told, [one, other]) = Told::linked();
        let link = one_that_comes(&mut told, &[one, other]);
        for clock in 0..60 {
            let word = if clock % 2 == 0 { Word::Suspect } else { Word::Online };
            let clock = told.clock() + clock;
            told.hear(one, news(&[member(7, clock, word)]));
            told_of_it(&mut told, &[one, other], NEWS_PAUSE);
            told.mind.hear(link, Message::Pong);
        }
        if falls {
            told.mind.closed(link);
        }
        let said = told_of_it(&mut told, &[one, other], 3 * FLAPPING_PAUSE);
        let [.., (suspect_at, Word::Suspect), (failed_at, Word::Failed)] = said[..] else {
            panic!("{falls}: {said:?}")
        };
        assert!(suspect_at > SUSPECT_AFTER + seconds(1), "it waited: {said:?}");
        assert!(failed_at - suspect_at >= SUSPECTED_FOR, "{falls}: {said:?}");
        assert_eq!(said.iter().filter(|(_, word)| *word == Word::Failed).count(), 1, "{said:?}");
    }
}

/// However late others were told, they have nearly as long to say otherwise as ever.
#[test]
fn whoever_is_told_late_to_be_suspect_is_not_dead_a_moment_later() {
    for (falls, tenths) in (190..=250).step_by(2).flat_map(|tenths| [(true, tenths), (false, tenths)]) {
        let (mut told, [one, other]) = Told::linked();
        let link = one_that_comes(&mut told, &[one, other]);
        let (begun, mut said) = (told.mind.now, Vec::new());
        for turn in 0..tenths {
            if turn < 60 {
                let word = if turn % 2 == 0 { Word::Suspect } else { Word::Online };
                let clock = told.clock();
                told.hear(one, news(&[member(7, clock, word)]));
            }
            told_of_it(&mut told, &[one, other], NEWS_PAUSE);
            told.mind.hear(link, Message::Pong);
        }
        if falls {
            told.mind.closed(link);
        }
        while told.mind.now.since(begun) < 2 * FLAPPING_PAUSE {
            let at = told.mind.now.since(begun);
            said.extend(told_of_it(&mut told, &[one, other], NEWS_PAUSE).into_iter().map(|(_, word)| (at, word)));
        }
        let [.., (suspect_at, Word::Suspect), (failed_at, Word::Failed)] = said[..] else {
            panic!("{falls}, {tenths}: {said:?}")
        };
        let least = if falls { SUSPECTED_FOR } else { SUSPECTED_FOR - NEIGHBOR_BEAT };
        assert!(failed_at - suspect_at >= least, "{falls}, {tenths}: {said:?}");
    }
}

/// Whoever has said so and was stopped before it was told has asked nobody yet.
#[test]
fn whoever_is_stopped_between_suspecting_one_and_telling_of_it_waits_for_others_once_it_has_told() {
    let (mut told, [one, other]) = Told::linked();
    let link = one_that_comes(&mut told, &[one, other]);
    told.mind.closed(link);
    let before = told_of_it(&mut told, &[one, other], SUSPECT_AFTER - NEWS_PAUSE);
    assert_eq!(before, []);
    told.mind.pass(NEWS_PAUSE);
    told.mind.now = told.mind.now + NEIGHBOR_QUIET_MAX;
    [one, other].iter().for_each(|link| drop(told.mind.hear(*link, Message::Pong)));
    let said = told_of_it(&mut told, &[one, other], seconds(10));
    let [(suspect_at, Word::Suspect), (failed_at, Word::Failed)] = said[..] else { panic!("{said:?}") };
    assert!(failed_at - suspect_at >= SUSPECTED_FOR, "{said:?}");
}

/// It does not know yet how long its neighbors have been quiet: it vouches for none before it has heard it.
#[test]
fn a_servent_that_slept_says_of_nobody_that_it_was_heard_meanwhile() {
    for (is_beat_first, is_denial_first) in [(true, false), (false, false), (false, true)] {
        let (mut told, [one, other]) = Told::linked();
        let slept = Duration::from_secs(20);
        told.mind.now = told.mind.now + slept;
        if is_beat_first {
            told.mind.tell(Input::Deadline);
        }
        let heard = |told: &mut Told| {
            told.page().iter().find(|member| member.address == servent_address(1)).map(|member| member.heard)
        };
        let ago = heard(&mut told).unwrap();
        assert!(ago >= slept && ago <= slept + 2 * NEIGHBOR_BEAT, "{ago:?}");
        let deny = |told: &mut Told| {
            let clock = told.clock() + 9;
            told.hear(other, news(&[member(1, clock, Word::Failed)]))
        };
        if is_denial_first {
            assert_eq!(deny(&mut told), [], "what was said meanwhile is read first");
        }
        told.mind.tell(Input::Deadline);
        if !is_denial_first {
            assert_eq!(deny(&mut told), []);
        }
        assert_eq!(told.words_told(NEWS_PAUSE), [], "it may be so");
        // Whatever it says shows that it is there.
        told.mind.hear(one, Message::Ping);
        let said = told.words_told(NEIGHBOR_BEAT + NEWS_PAUSE);
        assert_eq!(said, [one, other].map(|link| (link, servent_address(1), Word::Online)));
        assert_eq!(heard(&mut told), Some(Duration::ZERO));
    }
}

#[test]
fn whoever_falls_silent_while_a_servent_slept_was_heard_before_that() {
    let (mut told, [one, other]) = Told::linked();
    let slept = Duration::from_secs(20);
    told.mind.now = told.mind.now + slept;
    told.mind.tell(Input::Deadline);
    let begun = told.mind.now;
    told.pass_with(&[other], NEIGHBOR_QUIET_MAX + 2 * NEIGHBOR_BEAT);
    let there = told.page().into_iter().find(|member| member.address == servent_address(1)).unwrap();
    assert_eq!(there.word, Word::Failed);
    assert!(there.heard >= slept + told.mind.now.since(begun), "{there:?}");
    let _ = one;
}

/// Else whoever is always late would never vouch for anybody.
#[test]
fn a_servent_that_is_late_each_time_knows_whom_it_heard_in_between() {
    let (mut told, [one, other]) = Told::linked();
    let late = 2 * NEIGHBOR_BEAT;
    let mut said = Vec::new();
    for round in 0..20 {
        told.mind.now = told.mind.now + late;
        said.extend(peers_in(told.mind.tell(Input::Deadline)));
        told.mind.hear(one, Message::Pong);
        let ago = told.page().iter().find(|member| member.address == servent_address(1)).map(|member| member.heard);
        assert!(ago.is_some_and(|ago| ago <= 2 * late), "round {round}: {ago:?}");
        if round == 10 {
            let clock = told.clock() + 9;
            told.hear(other, news(&[member(1, clock, Word::Failed)]));
        }
    }
    let words =
        |(to, peers): &(LinkId, Peers)| peers.members.iter().map(|member| (*to, member.word)).collect::<Vec<_>>();
    assert_eq!(said.iter().flat_map(words).collect::<Vec<_>>(), [one, other].map(|link| (link, Word::Online)));
}

/// What is only guessed nobody was told, so that nobody could say otherwise. When it was heard last is known all the while.
#[test]
fn whoever_was_only_guessed_to_be_suspect_is_said_to_be_so_before_it_is_dead() {
    let (mut told, [one, other]) = Told::linked();
    let heard_at = told.mind.now;
    told.pass_with(&[], SUSPECT_AFTER + NEIGHBOR_BEAT);
    assert_eq!(told.word(1), Some(Word::Suspect));
    let mut said = Vec::new();
    while told.mind.now.since(heard_at) < NEIGHBOR_QUIET_MAX + SUSPECTED_FOR + 2 * NEIGHBOR_BEAT {
        for (to, peers) in told.pass_with(&[other], NEWS_PAUSE) {
            said.extend(peers.members.iter().filter(|_| to == other).map(|member| member.word));
        }
        let there = told.page().into_iter().find(|member| member.address == servent_address(1)).unwrap();
        let known_to_be = told.mind.now.since(heard_at).saturating_sub(there.heard);
        assert!(known_to_be <= seconds(2), "{there:?} after {:?}", told.mind.now.since(heard_at));
    }
    assert_eq!(said, [Word::Suspect, Word::Failed]);
    let _ = one;
}

/// Whoever was heard before a servent slept again need not be there still: it answers a ping first.
#[test]
fn a_servent_that_slept_twice_vouches_for_nobody_it_heard_in_between() {
    let (mut told, [one, other]) = Told::linked();
    told.mind.now = told.mind.now + seconds(20);
    told.mind.tell(Input::Deadline);
    let clock = told.clock() + 9;
    told.hear(other, news(&[member(1, clock, Word::Failed)]));
    told.mind.hear(one, Message::Ping);
    told.mind.now = told.mind.now + seconds(20);
    told.mind.hear(one, Message::Pong);
    told.mind.tell(Input::Deadline);
    assert_eq!(told.words_told(NEWS_PAUSE), []);
    told.mind.hear(one, Message::Pong);
    let said = told.told(NEWS_PAUSE);
    assert_eq!(said.iter().map(|(link, _)| *link).collect::<Vec<_>>(), [one, other]);
    for (_, peers) in said {
        assert_eq!((peers.members[0].word, peers.members[0].heard), (Word::Online, Duration::ZERO));
    }
}

/// It has not suspected it itself, since others did.
#[test]
fn whoever_others_suspected_and_said_to_be_there_is_not_dead_because_others_suspect_it_again() {
    let (mut told, [one, other]) = Told::linked();
    let link = one_that_comes(&mut told, &[one, other]);
    told.mind.closed(link);
    let say = |told: &mut Told, word| {
        let heard = if word == Word::Suspect { SUSPECT_AFTER } else { Duration::ZERO };
        let clock = told.clock();
        told.hear(one, news(&[Member { heard, ..member(7, clock, word) }]));
    };
    told_of_it(&mut told, &[one, other], SUSPECT_AFTER - NEWS_PAUSE);
    say(&mut told, Word::Suspect);
    told_of_it(&mut told, &[one, other], 2 * NEWS_PAUSE);
    say(&mut told, Word::Online);
    told_of_it(&mut told, &[one, other], SUSPECTED_FOR - 2 * NEWS_PAUSE);
    say(&mut told, Word::Suspect);
    let said = told_of_it(&mut told, &[one, other], SUSPECTED_FOR);
    assert_eq!(said.iter().map(|(_, word)| *word).collect::<Vec<_>>(), [Word::Suspect], "{said:?}");
    assert_eq!((told.word(7), told.mind.held("members_watched")), (Some(Word::Suspect), 0));
}

#[test]
fn whoever_is_suspect_when_its_link_falls_is_not_waited_for_as_if_it_were_not() {
    let (mut told, [one, other]) = Told::linked();
    let link = one_that_comes(&mut told, &[one, other]);
    told_of_it(&mut told, &[one, other], SUSPECT_AFTER + NEIGHBOR_BEAT);
    assert_eq!(told.word(7), Some(Word::Suspect));
    told.mind.closed(link);
    let said = told_of_it(&mut told, &[one, other], SUSPECTED_FOR + 2 * NEWS_PAUSE);
    let [(failed_at, Word::Failed)] = said[..] else { panic!("{said:?}") };
    assert!(failed_at >= SUSPECTED_FOR, "{failed_at:?}");
}

/// Whoever cannot hear it either has to know that somebody has.
#[test]
fn that_others_have_heard_a_suspect_neighbor_is_told_as_they_heard_it() {
    let (mut told, [one, other, third]) = Told::linked();
    told.pass_with(&[other, third], SUSPECT_AFTER + NEIGHBOR_BEAT + NEWS_PAUSE);
    assert_eq!(told.word(1), Some(Word::Suspect));
    let say = |told: &mut Told, by, word, heard| {
        let clock = told.clock();
        told.hear(by, news(&[Member { heard, ..member(1, clock, word) }]));
        told.told(NEWS_PAUSE)
            .into_iter()
            .map(|(to, peers)| (to, peers.members[0].word, peers.members[0].heard))
            .filter(|(to, ..)| *to != one)
            .collect::<Vec<_>>()
    };
    let [(to, word, heard)] = say(&mut told, other, Word::Online, Duration::ZERO)[..] else { panic!("nobody is told") };
    assert_eq!((to, word), (third, Word::Online));
    assert!(heard <= seconds(1), "{heard:?}");
    // Another suspects it now: whoever has heard it is asked by that, and its answer is one.
    let [(to, word, heard)] = say(&mut told, third, Word::Suspect, SUSPECT_AFTER)[..] else {
        panic!("nobody is asked")
    };
    assert_eq!((to, word), (other, Word::Suspect));
    assert!(heard >= SUSPECT_AFTER, "{heard:?}");
    assert_eq!(say(&mut told, other, Word::Online, Duration::ZERO).len(), 1);
    assert_eq!(told.word(1), Some(Word::Online));
}

#[test]
fn who_is_looked_for_is_not_judged_in_the_turn_in_which_a_servent_wakes() {
    let (mut told, [one, other]) = Told::linked();
    let link = one_that_comes(&mut told, &[one, other]);
    told.mind.closed(link);
    let said = told_of_it(&mut told, &[one, other], SUSPECT_AFTER + 2 * NEWS_PAUSE);
    assert_eq!(said.iter().map(|(_, word)| *word).collect::<Vec<_>>(), [Word::Suspect]);
    told.mind.now = told.mind.now + NEIGHBOR_QUIET_MAX;
    told.mind.tell(Input::Deadline);
    assert_eq!(told.word(7), Some(Word::Suspect));
    // What was said meanwhile is read after that.
    let clock = told.clock();
    told.hear(one, news(&[member(7, clock, Word::Online)]));
    told_of_it(&mut told, &[one, other], NEIGHBOR_QUIET_MAX);
    assert_eq!((told.word(7), told.mind.held("members_watched")), (Some(Word::Online), 0));
}

/// It lost its link, and dialled anew before this end noticed.
#[test]
fn whoever_is_heard_on_another_link_is_not_suspect_because_one_is_quiet() {
    let (mut told, [one]) = Told::linked();
    let links = [told.neighbor(7), told.neighbor(7)];
    told.quieten(&[one, links[0], links[1]]);
    assert_eq!(told.mind.held("neighbors"), 3);
    let said = told.pass_with(&[one, links[1]], NEIGHBOR_QUIET_MAX + 2 * NEIGHBOR_BEAT);
    let words: Vec<Word> = said.iter().flat_map(|(_, peers)| &peers.members).map(|member| member.word).collect();
    assert!(words.iter().all(|word| *word == Word::Online), "{words:?}");
    assert_eq!((told.word(7), told.mind.held("neighbors")), (Some(Word::Online), 2));
}
