//! Links that fall while answers are on their way back, and links that have no room for them.

use super::*;

#[test]
fn what_went_back_over_a_link_that_fell_goes_back_again_ahead_of_the_echo() {
    // The echo may have been lost on its way, or have found nobody to go to, or be still to come.
    for finished_when in ["before the link fell", "while it was down", "after it was back"] {
        let (mut mind, [a, b]) = Mind::linked();
        let came = back(query(5, 1, tea()));
        let onward = onward_of(&came);
        let theirs = [2, 3].map(|id| answer_of(id, "black"));
        let tally = sum(&[answers_of(&[OWN_ID, 2, 3]), Tally { reached: 0, ..passed_back() }]);
        let echo = echo_of(&onward, answers_of(&[2, 3]));
        let out = mind.hear(a, Message::query(came.clone()));
        assert_eq!(out, [send(a, own_brought(&came)), flood(&[b], &onward)]);
        assert_eq!(mind.hear(b, brought(&onward, &theirs[0])), [send(a, brought(&came, &theirs[0]))]);
        if finished_when == "before the link fell" {
            assert_eq!(mind.hear(b, brought(&onward, &theirs[1])), [send(a, brought(&came, &theirs[1]))]);
            assert_eq!(mind.hear(b, echo.clone()), [send(a, echo_of(&came, tally))]);
        }
        assert_eq!(mind.closed(a), []);
        if finished_when != "before the link fell" {
            assert_eq!(mind.hear(b, brought(&onward, &theirs[1])), [], "it is kept");
        }
        if finished_when == "while it was down" {
            assert_eq!(mind.hear(b, echo.clone()), []);
        }
        // Whoever else asks for it is brought nothing, and whoever is back has to ask.
        let other = mind.neighbor(9);
        assert_eq!(mind.echo(other, &came), duplicate());
        let (again, out) = mind.linked_again(1);
        assert_eq!(out, []);
        for _ in 0..2 {
            assert_eq!(mind.echo(again, &Query { ttl: 1, ..came.clone() }), duplicate(), "with less");
        }
        let mut out = mind.hear(again, Message::query(came.clone()));
        let mut expected = vec![own_brought(&came), brought(&came, &theirs[0]), brought(&came, &theirs[1])];
        if finished_when == "after it was back" {
            assert_eq!(out, expected.drain(..).map(|message| send(again, message)).collect::<Vec<_>>());
            let third = answer_of(4, "late");
            assert_eq!(mind.hear(b, brought(&onward, &third)), [send(again, brought(&came, &third))]);
            out = mind.hear(b, echo);
        }
        expected.push(echo_of(&came, tally));
        assert_eq!(
            out,
            expected.into_iter().map(|message| send(again, message)).collect::<Vec<_>>(),
            "{finished_when}"
        );
        // Said twice on one link it is a duplicate.
        assert_eq!(mind.echo(again, &came), duplicate());
        assert_eq!(mind.held("unbrought"), 0);
    }
}

#[test]
fn what_went_back_is_kept_as_long_as_its_copy_may_be_offered_again() {
    for waited in [ECHO_WAIT_MAX - TICK, ECHO_WAIT_MAX] {
        let (mut mind, [a]) = Mind::linked();
        let came = back(query(5, 1, tea()));
        mind.hear(a, Message::query(came.clone()));
        let (first, _) = mind.relinked(a, 1);
        let said = [own_brought(&came), echo_of(&came, answered())];
        assert_eq!(mind.hear(first, Message::query(came.clone())), said.clone().map(|message| send(first, message)));
        let (again, _) = mind.relinked(first, 1);
        assert!(mind.held("offers_kept_bytes") > "green".len());
        mind.pass_and_see(waited);
        let out = mind.hear(again, Message::query(came.clone()));
        if waited < ECHO_WAIT_MAX {
            assert_eq!(out, said.map(|message| send(again, message)), "each time it falls");
        } else {
            assert_eq!(out, [send(again, echo_of(&came, duplicate()))]);
            assert_eq!(mind.held("offers_kept_bytes"), 0);
        }
    }
}

#[test]
fn the_link_on_which_a_copy_is_offered_again_is_one_of_those_it_went_out_on() {
    let (mut mind, [asker, b]) = Mind::linked();
    let came = back(query(5, 1, milk()));
    let (_, onward) = mind.onward(asker, &came);
    let theirs = answer_of(2, "white");
    mind.closed(b);
    let (again, out) = mind.linked_again(2);
    assert_eq!(out, [flood(&[again], &onward)]);
    assert_eq!(mind.hear(again, brought(&onward, &theirs)), [send(asker, brought(&came, &theirs))]);
    // Another that came is not.
    let other = mind.neighbor(3);
    assert_eq!(mind.hear(other, brought(&onward, &theirs)), []);
    let tally = sum(&[answers_of(&[2]), passed_back(), Tally { copies: 1, ..Tally::default() }]);
    assert_eq!(mind.hear(again, echo_of(&onward, answers_of(&[2]))), [send(asker, echo_of(&came, tally))]);
}

/// Where it is now may be where its client is dialled.
#[test]
fn a_copy_that_is_offered_again_is_answered_as_whoever_is_back_answers_it() {
    for (first, then) in [("10.2.0.1", "127.0.0.1"), ("127.0.0.1", "10.2.0.1")] {
        let mut mind = Mind::new();
        let asker = mind.neighbor_at("127.0.0.1", 1, Features::BACK);
        let other = mind.neighbor_at(first, 2, Features::BACK);
        let client = AnswerAddress { socket: "127.0.0.1:7000".parse().unwrap(), dialect: Dialect::Native };
        let came = Query { client, ..query(5, 1, milk()) };
        let via = |ip| if ip == "127.0.0.1" { Via::Direct } else { Via::Back };
        let as_for = |ip| Query { via: via(ip), ..onward_of(&came) };
        assert_eq!(mind.hear(asker, Message::query(came.clone())), [flood(&[other], &as_for(first))]);
        mind.closed(other);
        let Message::Hello(hello) = servent_hello(2) else { panic!("no hello") };
        let (again, out) = mind.joins(then, hello);
        assert_eq!(out, [flood(&[again], &as_for(then))]);
        // What was dialled before may come late, too.
        let tally = Tally { reached: 2, copies: 2, ..passed_on() };
        assert_eq!(
            mind.hear(again, echo_of(&as_for(then), reached(1))),
            [send(asker, echo_of(&came, tally))],
            "{then}"
        );
    }
}

/// Whoever is offered it again brings again what it brought before.
#[test]
fn what_is_brought_again_counts_once_however_often_a_link_falls() {
    let (mut mind, [asker, b]) = Mind::linked();
    let came = back(query(5, 1, milk()));
    let (_, onward) = mind.onward(asker, &came);
    let mut link = b;
    for _ in 0..5 {
        for id in 0..BROUGHT_PER_LINK_MAX as u128 {
            let theirs = answer_of(id, "x");
            assert_eq!(mind.hear(link, brought(&onward, &theirs)), [send(asker, brought(&came, &theirs))]);
        }
        assert_eq!(mind.hear(link, brought(&onward, &answer_of(1, "one more"))), []);
        let (again, out) = mind.relinked(link, 2);
        assert_eq!(out, [flood(&[again], &onward)]);
        link = again;
    }
    assert_eq!(mind.held("unbrought"), 5);
}

#[test]
fn a_neighbor_that_comes_and_goes_takes_no_more_memory_each_time() {
    let (mut mind, [asker, mut link]) = Mind::linked();
    mind.onward(asker, &back(query(5, 1, milk())));
    let mut memory = Vec::new();
    for _ in 0..100 {
        link = mind.relinked(link, 2).0;
        memory.push(mind.overlay.memory_bytes());
    }
    assert_eq!(memory[99], memory[9], "{memory:?}");
}

#[test]
fn what_could_not_be_kept_is_lost_in_the_echo_of_whoever_offers_its_copy_again() {
    let (mut mind, [a, b, c]) = Mind::linked();
    let came = back(query(5, 1, milk()));
    let (_, onward) = mind.onward(a, &came);
    let longest = "x".repeat(BROUGHT_BYTES_MAX);
    for id in 0..2 * BROUGHT_PER_LINK_MAX {
        let link = if id < BROUGHT_PER_LINK_MAX { b } else { c };
        let theirs = answer_of(id as u128, &longest);
        assert_eq!(mind.hear(link, brought(&onward, &theirs)), [send(a, brought(&came, &theirs))], "each goes back");
    }
    let kept_bytes = mind.held("offers_kept_bytes");
    // Half of it, and the query.
    let half = OFFERS_KEPT_BYTES_MAX / 2;
    assert!((half - 2 * BROUGHT_BYTES_MAX..half + BROUGHT_BYTES_MAX).contains(&kept_bytes), "{kept_bytes}");
    mind.hear(b, echo_of(&onward, reached(1)));
    let tally = Tally { copies: 2, reached: 3, ..passed_back() };
    assert_eq!(mind.hear(c, echo_of(&onward, reached(1))), [send(a, echo_of(&came, tally))], "nothing is lost yet");
    let mut link = a;
    for _ in 0..2 {
        let (again, _) = mind.relinked(link, 1);
        let out = mind.hear(again, Message::query(came.clone()));
        let kept_count = out.len() - 1;
        assert!((1_000..2 * BROUGHT_PER_LINK_MAX).contains(&kept_count), "{kept_count}");
        let lost = (2 * BROUGHT_PER_LINK_MAX - kept_count) as u64;
        assert_eq!(out.last(), Some(&send(again, echo_of(&came, Tally { lost, ..tally }))), "and counted once");
        link = again;
    }
}

/// What is kept of answers and of queries has one limit.
#[test]
fn what_comes_while_its_link_is_down_and_cannot_be_kept_is_lost() {
    let mut mind = Mind::new();
    let [a, b, c] = [1, 2, 3].map(|id| mind.neighbor(id));
    let came = back(query(5, 1, milk()));
    let (_, onward) = mind.onward(a, &came);
    let key =
        |sequence| Query { ask: Ask::Key(Key::new(&[b'k'; KEY_BYTES_MAX]).unwrap()), ..query(sequence, 9, milk()) };
    let mut sequence = 0;
    while OFFERS_KEPT_BYTES_MAX - mind.held("offers_kept_bytes") > size_of::<Query>() + KEY_BYTES_MAX {
        mind.onward(c, &key(sequence));
        sequence += 1;
    }
    mind.closed(a);
    let longest = "x".repeat(BROUGHT_BYTES_MAX);
    assert_eq!(mind.hear(b, brought(&onward, &answer_of(2, &longest))), []);
    assert_eq!(mind.went_back(), (0, 1));
    let (again, _) = mind.linked_again(1);
    assert_eq!(mind.hear(again, Message::query(came.clone())), [], "it is awaited still");
    mind.hear(b, echo_of(&onward, answers_of(&[2])));
    let out = mind.hear(c, echo_of(&onward, reached(1)));
    let tally = sum(&[answers_of(&[2]), reached(1), Tally { copies: 2, lost: 1, ..passed_back() }]);
    assert_eq!(out, [send(again, echo_of(&came, tally))]);
}

#[test]
fn an_answer_that_a_link_has_no_room_for_is_lost_in_the_echo_if_that_is_to_come() {
    let (mut mind, [a, b]) = Mind::linked();
    let came = back(query(5, 1, milk()));
    let (_, onward) = mind.onward(a, &came);
    let theirs = answer_of(2, "white");
    let crowded = |link, message| Input::NotBrought { link, message };
    assert_eq!(mind.hear(b, brought(&onward, &theirs)), [send(a, brought(&came, &theirs))]);
    assert_eq!(mind.went_back(), (1, 0));
    assert_eq!(mind.tell(crowded(a, brought(&came, &theirs))), []);
    assert_eq!(mind.went_back(), (0, 1));
    // Of another link, another copy or another query it says nothing.
    for (link, copy) in [
        (b, came.clone()),
        (a, Query { ttl: 2, ..came.clone() }),
        (a, Query { contact: Some(mark(2, 5, 0)), ..came.clone() }),
        (a, Query { contact: Some(mark(1, 6, 0)), ..came.clone() }),
    ] {
        assert_eq!(mind.tell(crowded(link, brought(&copy, &theirs))), []);
    }
    let tally = Tally { lost: 1, ..sum(&[answers_of(&[2]), passed_back()]) };
    assert_eq!(mind.hear(b, echo_of(&onward, answers_of(&[2]))), [send(a, echo_of(&came, tally))]);
    // After that it is counted, and that is all.
    assert_eq!(mind.tell(crowded(a, brought(&came, &theirs))), []);
    assert_eq!(mind.held("unbrought"), 6);
    let (again, _) = mind.relinked(a, 1);
    let out = mind.hear(again, Message::query(came.clone()));
    assert_eq!(out.last(), Some(&send(again, echo_of(&came, tally))), "as it was");
}

#[test]
fn an_answer_that_a_client_leaves_no_room_for_is_lost_in_what_came_of_its_query() {
    let (mut mind, [neighbor]) = Mind::linked();
    let clients = [mind.deaf_client("192.0.2.7"), mind.deaf_client("192.0.2.8")];
    let (_, onward) = passed_on_in(&mind.hear(clients[0], request(5)));
    passed_on_in(&mind.hear(clients[1], request(5)));
    let theirs = answer_of(1, "black");
    assert_eq!(mind.hear(neighbor, brought(&onward, &theirs)), [send(clients[0], handed(5, &theirs))]);
    for (link, sequence) in [(clients[0], 5), (clients[0], 6), (neighbor, 5)] {
        assert_eq!(mind.tell(Input::NotBrought { link, message: handed(sequence, &theirs) }), []);
    }
    let tally = Tally { lost: 1, ..sum(&[answers_of(&[1]), passed_back()]) };
    assert_eq!(mind.hear(neighbor, echo_of(&onward, answers_of(&[1]))), [send(clients[0], finished(5, tally))]);
    mind.closed(clients[0]);
    assert_eq!(mind.tell(Input::NotBrought { link: clients[0], message: handed(5, &theirs) }), []);
    assert_eq!(mind.held("unbrought"), 4);
}

#[test]
fn a_servent_that_leaves_gives_back_what_waits_before_it_gives_up_what_it_awaits() {
    let (mut mind, [asker, _]) = Mind::linked();
    let came = query(5, 1, tea());
    assert_eq!(mind.hear(asker, Message::query(came.clone()))[0], dial_client(1));
    let out = mind.tell(Input::Leave);
    let tally = Tally { lost: 1, ..sum(&[answered(), Tally { reached: 0, ..passed_on() }]) };
    let [word, close] = goodbye(asker, Goodbye::Leaving);
    let to_asker =
        |output: &&Output| matches!(output, Output::Send { link, .. } | Output::Close { link } if *link == asker);
    let told: Vec<Output> = out.iter().filter(to_asker).cloned().collect();
    assert_eq!(told, [send(asker, own_brought(&came)), send(asker, echo_of(&came, tally)), word, close]);
}
