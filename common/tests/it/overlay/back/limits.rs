//! How many answers go back, and that nobody makes a servent hold more by bringing or asking more.

use super::*;

#[test]
fn of_the_holders_behind_one_link_so_many_are_brought_and_the_others_are_lost() {
    const HOLDERS: usize = 4_097;
    let (mut mind, [asker, other]) = Mind::linked();
    let came = back(query(5, 1, milk()));
    let (_, onward) = mind.onward(asker, &came);
    for id in 0..HOLDERS {
        let theirs = answer_of(id as u128, "x");
        let out = mind.hear(other, brought(&onward, &theirs));
        let goes_on = id < BROUGHT_PER_LINK_MAX;
        assert_eq!(out, Vec::from_iter(goes_on.then(|| send(asker, brought(&came, &theirs)))), "{id}");
    }
    let lost = (HOLDERS - BROUGHT_PER_LINK_MAX) as u64;
    assert_eq!(mind.went_back(), (BROUGHT_PER_LINK_MAX, HOLDERS - BROUGHT_PER_LINK_MAX));
    let answers = Tally { answers: HOLDERS as u64, reached: HOLDERS as u64, ..Tally::default() };
    let tally = Tally { lost, ..sum(&[answers, passed_back()]) };
    assert_eq!(mind.hear(other, echo_of(&onward, answers)), [send(asker, echo_of(&came, tally))]);
    // Another query has its own.
    let came = back(query(6, 1, milk()));
    let (_, onward) = mind.onward(asker, &came);
    let theirs = answer_of(1, "x");
    assert_eq!(mind.hear(other, brought(&onward, &theirs)), [send(asker, brought(&came, &theirs))]);
}

#[test]
fn of_all_holders_so_many_are_brought_whatever_link_they_are_behind() {
    const LINKS: usize = 5;
    let mut mind = Mind::new();
    let client = mind.deaf_client("192.0.2.7");
    let links: Vec<LinkId> = (0..LINKS).map(|id| mind.neighbor(10 + id as u128)).collect();
    let (_, onward) = passed_on_in(&mind.hear(client, request(5)));
    let each = BROUGHT_PER_QUERY_MAX / LINKS + 1;
    for (place, link) in links.iter().enumerate() {
        for number in 0..each {
            let theirs = answer_of((place * each + number) as u128, "x");
            let goes_on = place * each + number < BROUGHT_PER_QUERY_MAX;
            let out = mind.hear(*link, brought(&onward, &theirs));
            assert_eq!(out, Vec::from_iter(goes_on.then(|| send(client, handed(5, &theirs)))), "{place} {number}");
        }
    }
    assert_eq!(mind.went_back(), (BROUGHT_PER_QUERY_MAX, LINKS * each - BROUGHT_PER_QUERY_MAX));
    let out: Vec<Output> = links.iter().flat_map(|link| mind.hear(*link, echo_of(&onward, reached(1)))).collect();
    let lost = (LINKS * each - BROUGHT_PER_QUERY_MAX) as u64;
    let tally = Tally { copies: 5, reached: 6, lost, ..passed_back() };
    assert_eq!(out, [send(client, finished(5, tally))]);
}

#[test]
fn what_comes_after_the_echo_counts_with_what_came_before() {
    let (mut mind, [asker, other]) = Mind::linked();
    let came = query(5, 1, milk());
    let (_, onward) = mind.onward(asker, &came);
    let theirs = answer_of(2, "x");
    let bring = |mind: &mut Mind| mind.hear(other, brought(&onward, &theirs)).len();
    assert_eq!((0..BROUGHT_PER_LINK_MAX - 1).map(|_| bring(&mut mind)).sum::<usize>(), BROUGHT_PER_LINK_MAX - 1);
    assert_eq!(mind.hear(other, echo_of(&onward, answers_of(&[2]))).len(), 1);
    assert_eq!([bring(&mut mind), bring(&mut mind)], [1, 0]);
}

#[test]
fn a_million_answers_that_nobody_asked_for_leave_nothing_behind() {
    let (mut mind, [asker, other]) = Mind::linked();
    mind.onward(asker, &query(5, 1, milk()));
    let (_, echoed) = mind.onward(asker, &query(6, 1, milk()));
    mind.hear(other, echo_of(&echoed, answers_of(&[2])));
    let theirs = answer_of(2, &"x".repeat(BROUGHT_BYTES_MAX));
    // For queries of others, known and unknown, of every number.
    let forged = |number: u64| {
        let contact = Some(mark(number % 7, number / 7, 0));
        brought(&Query { contact, ttl: number.to_be_bytes()[7], ..query(5, 1, milk()) }, &theirs)
    };
    assert_eq!((0..1_000).map(|number| mind.hear(asker, forged(number)).len()).sum::<usize>(), 0);
    let before = mind.overlay.memory_bytes();
    for number in 0..1_000_000 {
        assert_eq!(mind.hear(asker, forged(number)), []);
    }
    assert_eq!(mind.overlay.memory_bytes(), before);
    assert_eq!(mind.went_back(), (0, 1_001_000));
    assert_eq!(mind.hear(asker, Message::Ping), [send(asker, Message::Pong)]);
}

#[test]
fn a_million_forged_contacts_leave_no_more_than_there_is_room_for() {
    let (mut mind, [forger, other]) = Mind::linked();
    let mut memory = Vec::new();
    for number in 0..1_000_000_u64 {
        let contact = Some(mark(number, 0, 0));
        let came = back(Query { contact, sequence: number, ttl: 0, ..query(number, 1, tea()) });
        let out = mind.hear(forger, Message::query(came));
        // It is answered as long as there is room to remember it, over the link it came on and over no other.
        assert!(
            out.len() <= 2 && matches!(out.last(), Some(Output::Send { message: Message::Echo(_), .. })),
            "{out:?}"
        );
        if number % 100_000 == 99_999 {
            memory.push(mind.overlay.memory_bytes());
        }
    }
    assert!(memory.iter().all(|bytes| *bytes == memory[0]), "{memory:?}");
    // Others find room.
    let came = back(Query { contact: Some(mark(u64::MAX, 0, 0)), ..query(5, 2, tea()) });
    assert_eq!(mind.hear(other, Message::query(came.clone()))[0], send(other, own_brought(&came)));
    for limit in mind.overlay.holdings() {
        assert!(limit.limit.is_none_or(|most| limit.value <= most), "{limit}");
    }
    mind.pass_and_see(ECHO_WAIT_MAX);
    assert_eq!(mind.held("offers_kept_bytes"), 0);
}
