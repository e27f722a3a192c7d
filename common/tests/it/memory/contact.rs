//! This servent as a contact: its name and numbers, what it has open, and clients that wait.

use std::collections::VecDeque;

use super::*;
use common::message::ServentId;

#[test]
fn every_servent_goes_by_a_name_of_its_own() {
    let name_of = |id| {
        let mut mind = Mind::with(&Config { servent_id: ServentId(id), ..config() }, store(""));
        let [neighbor, client] = [mind.stranger(), mind.stranger()];
        mind.hear(neighbor, servent_hello(1));
        mind.hear(client, client_hello(7000));
        mind.next_mark(client, 5).name
    };
    assert_ne!(name_of(1_000), name_of(1_001));
    assert_eq!(name_of(1_000), name_of(1_000), "the same run is the same");
}

#[test]
fn numbers_go_on_and_what_is_open_moves_only_past_what_every_copy_is_echoed_of() {
    let (mut mind, [a, b]) = Mind::linked();
    let [one, another] = [8, 9].map(|number| mind.client(number));
    let queries: Vec<Query> =
        (0..3).map(|sequence| mind.asked([one, another][sequence % 2], 10 + sequence as u64)).collect();
    let name = queries[0].contact.unwrap().name.0;
    let marks = |query: &Query| query.contact.unwrap();
    assert_eq!(queries.iter().map(marks).collect::<Vec<_>>(), [0, 1, 2].map(|number| mark(name, number, 0)));
    let mut sequence = 20;
    let mut next = |mind: &mut Mind| {
        sequence += 1;
        mind.next_mark(one, sequence).open_from
    };
    for link in [a, b] {
        mind.hear(link, echo_of(&queries[1], reached(1)));
    }
    mind.hear(a, echo_of(&queries[0], reached(1)));
    assert_eq!(next(&mut mind), 0, "one copy of the first is still to be echoed");
    mind.hear(b, echo_of(&queries[0], reached(1)));
    assert_eq!(next(&mut mind), 2, "the second was over before");
    mind.hear(a, echo_of(&queries[2], reached(1)));
    assert_eq!(next(&mut mind), 2);
}

#[test]
fn what_was_not_heard_of_to_the_end_stays_open_for_half_a_minute() {
    let silent = Tally { silent: 1, ..reached(1) };
    for tally in [Some(Tally { lost: 1, ..reached(1) }), Some(silent), None] {
        let (mut mind, [a]) = Mind::linked();
        let client = mind.client(9);
        let asked = mind.asked(client, 5);
        match tally {
            Some(tally) => assert_eq!(mind.hear(a, echo_of(&asked, tally)).len(), 1, "its client is told as ever"),
            None => drop(mind.beats(&[a], 4)),
        }
        assert_eq!(mind.held("pending"), 0);
        let mut sequence = 10;
        let mut open_from = |mind: &mut Mind| {
            sequence += 1;
            let asked = mind.asked(client, sequence);
            mind.hear(a, echo_of(&asked, reached(1)));
            asked.contact.unwrap().open_from
        };
        assert_eq!(open_from(&mut mind), 0);
        mind.now = Time::START + (SEEN_TP3_AGE_MAX - TICK);
        assert_eq!(open_from(&mut mind), 0, "{tally:?}");
        assert_eq!(mind.echo(a, &Query { hops: 2, ..asked.clone() }), duplicate());
        mind.now = Time::START + SEEN_TP3_AGE_MAX;
        assert_eq!(open_from(&mut mind), 3, "{tally:?}: with it goes what is over");
        assert_eq!(mind.echo(a, &Query { hops: 2, ..asked }), spoilt());
    }
}

/// A mind with one neighbor and a client, whose first query was spoilt on its way.
fn spoilt_mind() -> (Mind, LinkId, LinkId, ContactMark) {
    let mut mind = Mind::new();
    let (a, client) = (mind.neighbor(1), mind.client(9));
    let asked = mind.asked(client, 1);
    mind.hear(a, echo_of(&asked, Tally { spoilt: 1, lost: 1, ..Tally::default() }));
    (mind, a, client, asked.contact.unwrap())
}

#[test]
fn a_name_that_was_spoilt_is_used_no_longer_and_stays_its_own() {
    let (mut mind, a, client, first) = spoilt_mind();
    let second = mind.next_mark(client, 2);
    assert_ne!(second.name, first.name);
    assert_eq!((second.number, second.open_from), (1, 0), "numbers go on");
    for number in [0, 1, 7] {
        assert_eq!(mind.echo(a, &marked(77, mark(first.name.0, number, number))), lost(), "an old name is its own too");
    }
    assert_eq!(mind.held("contacts"), 0);
    // What is open under the old name is known under that.
    let asked = Query { contact: Some(first), hops: 2, ..query(1, 9, milk()) };
    assert_eq!(mind.echo(a, &asked), duplicate());
    assert_eq!(mind.echo(a, &Query { contact: Some(ContactMark { name: second.name, ..first }), ..asked }), lost());
}

#[test]
fn a_name_is_not_drawn_more_often_than_a_flood_takes() {
    let (mut mind, a, client, first) = spoilt_mind();
    let spoil = |mind: &mut Mind, sequence| {
        let asked = mind.asked(client, sequence);
        mind.hear(a, echo_of(&asked, spoilt()));
        asked.contact.unwrap().name
    };
    let second = spoil(&mut mind, 2);
    assert_ne!(second, first.name);
    mind.now = Time::START + (ECHO_WAIT_MAX - TICK);
    assert_eq!(spoil(&mut mind, 3), second);
    mind.now = Time::START + ECHO_WAIT_MAX;
    let third = spoil(&mut mind, 4);
    assert!(third != second && third != first.name);
    for (sequence, name) in (70..).zip([first.name, second, third]) {
        assert_eq!(mind.echo(a, &marked(sequence, ContactMark { name, ..mark(0, 99, 99) })), lost());
    }
}

#[test]
fn what_was_spoilt_under_an_old_name_spoils_no_new_one() {
    let mut mind = Mind::new();
    let (a, client) = (mind.neighbor(1), mind.client(9));
    let [first, late] = [1, 2].map(|sequence| mind.asked(client, sequence));
    mind.hear(a, echo_of(&first, spoilt()));
    let name = mind.next_mark(client, 3).name;
    mind.hear(a, echo_of(&late, spoilt()));
    mind.now = Time::START + ECHO_WAIT_MAX;
    assert_eq!(mind.next_mark(client, 4).name, name);
    assert_ne!(Some(name), first.contact.map(|mark| mark.name));
}

#[test]
fn an_echo_of_what_others_ask_spoils_no_name_of_ours() {
    let (mut mind, [a, b]) = Mind::linked();
    let client = mind.client(9);
    let name = mind.next_mark(client, 1).name;
    let (_, onward) = mind.onward(a, &marked(2, mark(7, 0, 0)));
    mind.hear(b, echo_of(&onward, spoilt()));
    assert_eq!(mind.next_mark(client, 3).name, name);
}

/// Asks until it is told to wait, and gives what was passed on.
fn until_it_rests(mind: &mut Mind, client: LinkId, sequences: &mut impl Iterator<Item = u64>) -> Vec<Query> {
    let mut asked = Vec::new();
    for sequence in sequences {
        let out = mind.hear(client, request(sequence));
        asked.push(passed_on_in(&out).1);
        if out.contains(&Output::Rest { link: client }) {
            return asked;
        }
    }
    panic!("{} were asked, and it does not rest", asked.len());
}

fn resumed(out: &[Output]) -> Vec<LinkId> {
    let link = |output: &Output| if let Output::Resume { link } = output { Some(*link) } else { None };
    out.iter().filter_map(link).collect()
}

#[test]
fn clients_wait_while_so_many_queries_are_under_way_and_go_on_at_three_quarters() {
    let (mut mind, [a]) = Mind::linked();
    let [hasty, other, gone] = [7, 8, 9].map(|number| mind.client(number));
    let mut asked = until_it_rests(&mut mind, hasty, &mut (0..));
    assert_eq!(asked.len(), COPIES_OPEN_MAX);
    // What another asks once is asked, and then it waits as well. Whoever rests is not told so again.
    for link in [gone, other] {
        let out = mind.hear(link, request(0));
        asked.push(passed_on_in(&out).1);
        assert_eq!(out.last(), Some(&Output::Rest { link }));
        asked.push(mind.asked(link, 1));
        assert!(!mind.hear(link, request(1)).contains(&Output::Rest { link }));
    }
    mind.closed(gone);
    while mind.held("pending") > COPIES_OPEN_MAX / 4 * 3 + 1 {
        let out = mind.hear(a, echo_of(&asked.pop().unwrap(), reached(1)));
        assert_eq!(resumed(&out), [], "{} are pending", mind.held("pending"));
    }
    let out = mind.hear(a, echo_of(&asked.pop().unwrap(), reached(1)));
    let mut both = resumed(&out);
    both.sort_unstable();
    assert_eq!(both, [hasty, other]);
    let out = mind.hear(a, echo_of(&asked.pop().unwrap(), reached(1)));
    assert_eq!(resumed(&out), [], "once");
    // Below the limit nobody rests.
    let out = mind.hear(other, request(3));
    assert!(matches!(out.as_slice(), [Output::Flood { .. }]), "{out:?}");
}

/// Whoever rests has its turn, though others come and ask all the time.
#[test]
fn nobody_takes_the_room_that_others_wait_for() {
    let (mut mind, [a]) = Mind::linked();
    let [hasty, light] = [7, 8].map(|number| mind.client(number));
    let mut asked: VecDeque<Query> = until_it_rests(&mut mind, hasty, &mut (0..)).into();
    let mut next = 1_000;
    let mut has_resumed = false;
    for round in 0.. {
        assert!(round < COPIES_OPEN_MAX, "it waits for ever");
        let out = mind.hear(a, echo_of(&asked.pop_front().unwrap(), reached(1)));
        if resumed(&out).contains(&hasty) {
            has_resumed = true;
            break;
        }
        // Where one query ends another begins, if whoever is there or comes may ask it.
        let (link, out) = if round == 0 { (light, Vec::new()) } else { mind.client_and_see(9) };
        if !out.contains(&Output::Rest { link }) {
            next += 1;
            let out = mind.hear(link, request(next));
            asked.push_back(passed_on_in(&out).1);
            assert!(out.contains(&Output::Rest { link }), "who asks while others wait is served as if none did");
        }
    }
    assert!(has_resumed);
}

#[test]
fn who_is_read_first_again_is_another_one_each_time() {
    let (mut mind, [a]) = Mind::linked();
    let clients = [7, 8, 9].map(|number| mind.client(number));
    let mut sequences = 0..;
    let mut asked = until_it_rests(&mut mind, clients[0], &mut sequences);
    for link in &clients[1..] {
        asked.extend(until_it_rests(&mut mind, *link, &mut sequences));
    }
    let mut first = Vec::new();
    for _ in 0..clients.len() {
        let order = loop {
            let order = resumed(&mind.hear(a, echo_of(&asked.remove(0), reached(1))));
            if !order.is_empty() {
                break order;
            }
        };
        first.push(order[0]);
        // Each asks as much as it may, in that order.
        for link in order {
            asked.extend(until_it_rests(&mut mind, link, &mut sequences));
        }
    }
    first.sort_unstable();
    assert_eq!(first, clients);
}

#[test]
fn clients_that_wait_go_on_when_what_is_under_way_is_given_up_and_behind_who_is_silent_when_it_is_late() {
    let mut mind = Mind::new();
    mind.neighbor(1);
    let client = mind.client(9);
    let mut sequences = 0..;
    // Of the neighbor nothing is heard, which is known when the first of it is given up.
    assert_eq!(until_it_rests(&mut mind, client, &mut sequences).len(), COPIES_OPEN_MAX);
    assert_eq!(resumed(&mind.pass_and_see(COPY_YOUNG_MAX)), []);
    let left = ECHO_WAIT_MAX.checked_sub(COPY_YOUNG_MAX).unwrap();
    assert_eq!(resumed(&mind.pass_and_see(left)), [client]);
    assert_eq!(mind.held("pending"), 0);
    while mind.held("pending") < OWN_PENDING_MAX {
        let asked = until_it_rests(&mut mind, client, &mut sequences).len();
        assert_eq!(asked, COPIES_OPEN_MAX);
        if mind.held("pending") < OWN_PENDING_MAX {
            assert_eq!(resumed(&mind.pass_and_see(COPY_YOUNG_MAX)), [client]);
        }
    }
    assert_eq!(resumed(&mind.pass_and_see(COPY_YOUNG_MAX)), [], "that many are the most");
    let times = u32::try_from(OWN_PENDING_MAX / COPIES_OPEN_MAX).unwrap();
    let left = ECHO_WAIT_MAX.checked_sub(COPY_YOUNG_MAX * times).unwrap();
    assert_eq!(resumed(&mind.pass_and_see(left)), [client]);
    assert_eq!(mind.held("pending"), OWN_PENDING_MAX - COPIES_OPEN_MAX);
}

#[test]
fn numbers_are_never_further_apart_than_can_be_said_and_nobody_loses_a_query_for_that() {
    let (mut mind, [a]) = Mind::linked();
    let [client, other] = [8, 9].map(|number| mind.client(number));
    let ask = |mind: &mut Mind, link, sequence| {
        let out = mind.hear(link, request(sequence));
        let (_, asked) = passed_on_in(&out);
        let told = mind.hear(a, echo_of(&asked, if sequence < 2 { lost() } else { reached(1) }));
        assert!(matches!(told[0], Output::Send { message: Message::Finished(_), .. }), "{told:?}");
        (asked.contact.unwrap(), out.contains(&Output::Rest { link }))
    };
    // Two clients are there, and each may have one under way that cannot be put off.
    for number in 0..=SPAN_MAX - 2 {
        let (mark, rests) = ask(&mut mind, client, number);
        assert_eq!((mark.number, mark.open_from, rests), (number, 0, number == SPAN_MAX - 2));
        if number == 0 {
            mind.pass(NEIGHBOR_BEAT);
        }
    }
    for (sequence, link) in [(SPAN_MAX - 1, client), (SPAN_MAX, other)] {
        let (mark, rests) = ask(&mut mind, link, sequence);
        assert_eq!((mark.number, mark.open_from, rests), (sequence, 0, link == other));
    }
    assert_eq!(mind.held("own_open") as u64, SPAN_MAX + 1);
    // Who asks all the same is told what there is here.
    let out = mind.hear(other, request(5));
    let tally = Tally { reached: 1, lost: 1, ..Tally::default() };
    assert_eq!(out, [send(other, finished(5, tally))]);

    // The first is open for half a minute, because something of it was lost. Room for one is too little.
    let beat = u32::try_from(SEEN_TP3_AGE_MAX.as_secs() / NEIGHBOR_BEAT.as_secs()).unwrap();
    assert_eq!(mind.beats(&[a], beat - 2), []);
    mind.hear(a, Message::Pong);
    assert_eq!(mind.pass(NEIGHBOR_BEAT), []);
    assert_eq!(mind.held("own_open") as u64, SPAN_MAX);
    mind.hear(a, Message::Pong);
    let mut resumed = mind.pass(NEIGHBOR_BEAT);
    resumed.sort_by_key(|(_, output)| format!("{output:?}"));
    assert_eq!(resumed, [client, other].map(|link| (NEIGHBOR_BEAT, Output::Resume { link })));
    let (mark, rests) = ask(&mut mind, client, SPAN_MAX + 1);
    assert_eq!((mark.number, mark.open_from, rests), (SPAN_MAX + 1, SPAN_MAX + 1, false));
    assert_eq!(mind.held("own_open"), 1);
}
