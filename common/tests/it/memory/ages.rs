//! How long what is remembered stays.

use super::*;

#[test]
fn a_contact_that_is_quiet_for_two_minutes_is_forgotten_and_not_a_beat_earlier() {
    const BEATS: u32 = 120;
    assert_eq!(NEIGHBOR_BEAT * BEATS, CONTACT_QUIET_MAX);
    let (mut mind, [a]) = Mind::linked();
    let known = [1, 2].map(|number| marked(number, mark(7, number, 0)));
    let other = marked(3, mark(8, 0, 0));
    for query in known.iter().chain([&other]) {
        assert_eq!(mind.echo(a, query), reached(1));
    }
    // Whatever is heard of it counts, from wherever, and true or not.
    mind.beats(&[a], BEATS / 2);
    assert_eq!(mind.echo(a, &known[0]), duplicate());
    mind.beats(&[a], BEATS / 2);
    assert_eq!((mind.held("contacts"), mind.held("seen")), (2, 3), "the other was quiet for as long as may be");
    mind.beats(&[a], 1);
    assert_eq!((mind.held("contacts"), mind.held("seen")), (1, 2));
    assert_eq!(mind.echo(a, &other), reached(1), "it is a new one");
    assert_eq!(mind.echo(a, &marked(9, mark(7, 1, 0))), spoilt());
    mind.beats(&[a], BEATS);
    assert_eq!((mind.held("contacts"), mind.held("seen")), (2, 3));
    mind.beats(&[a], 1);
    assert_eq!((mind.held("contacts"), mind.held("seen")), (0, 0));
}

#[test]
fn a_servent_that_slept_forgets_nobody_by_it() {
    let (mut mind, [a]) = Mind::linked();
    let known = marked(1, mark(7, 1, 0));
    assert_eq!(mind.echo(a, &known), reached(1));
    for _ in 0..5 {
        mind.now = mind.now + seconds(3_600);
        mind.tell(Input::Deadline);
        assert_eq!(mind.echo(a, &known), duplicate());
    }
    // However often it sleeps: a beat that comes a beat late is none.
    let beats = CONTACT_QUIET_MAX.as_secs() / NEIGHBOR_BEAT.as_secs();
    for _ in 0..=beats {
        mind.now = mind.now + 2 * NEIGHBOR_BEAT;
        assert_eq!(mind.tell(Input::Deadline), [send(a, Message::Ping)]);
    }
    assert_eq!((mind.held("contacts"), mind.held("seen")), (1, 1));
    mind.beats(&[a], u32::try_from(beats).unwrap());
    assert_eq!((mind.held("contacts"), mind.held("seen")), (1, 1));
    mind.beats(&[a], 1);
    assert_eq!((mind.held("contacts"), mind.held("seen")), (0, 0));
}

#[test]
fn what_came_without_a_contact_goes_when_it_is_old() {
    let (mut mind, [a]) = Mind::linked();
    let held = [5, 6].map(|sequence| marked(sequence, mark(7, sequence, 0)));
    for sequence in 0..3 {
        assert_eq!(mind.echo(a, &unmarked(sequence)), reached(1));
        mind.echo(a, &held[0]);
        mind.now = mind.now + seconds(1);
    }
    mind.echo(a, &held[1]);
    for (sequence, left) in [(0, 3), (1, 2), (2, 1)] {
        mind.now = Time::START + (seconds(sequence) + SEEN_TP3_AGE_MAX - TICK);
        assert_eq!(mind.echo(a, &unmarked(2)), duplicate());
        assert_eq!((mind.held("seen_by_age"), mind.held("seen")), (left, 2));
        mind.now = mind.now + TICK;
        mind.echo(a, &held[0]);
        assert_eq!((mind.held("seen_by_age"), mind.held("seen")), (left - 1, 2), "by its age alone");
    }
    assert_eq!(mind.echo(a, &unmarked(0)), reached(1));
}

#[test]
fn what_is_over_or_old_goes_at_a_beat_though_nothing_more_is_asked() {
    let (mut mind, [a]) = Mind::linked();
    let client = mind.client(9);
    let [over, open] = [1, 2].map(|sequence| mind.asked(client, sequence));
    let (_, silent) = (mind.echo(a, &unmarked(3)), mind.asked(client, 4));
    mind.hear(a, echo_of(&over, reached(1)));
    mind.hear(a, echo_of(&silent, heard_silently()));
    let held = |mind: &Mind| ["own_open", "seen", "seen_by_age"].map(|name| mind.held(name));
    assert_eq!(held(&mind), [3, 3, 1], "nothing is looked for before it is time");
    mind.hear(a, echo_of(&open, reached(1)));
    mind.beats(&[a], 1);
    assert_eq!(held(&mind), [1, 1, 1]);
    let beats = u32::try_from(SEEN_TP3_AGE_MAX.as_secs() / NEIGHBOR_BEAT.as_secs()).unwrap();
    mind.beats(&[a], beats - 2);
    assert_eq!(held(&mind), [1, 1, 1]);
    mind.beats(&[a], 1);
    assert_eq!(held(&mind), [0, 0, 0]);
}
