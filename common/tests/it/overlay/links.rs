//! Who is there: greeted, quiet, dialled again, and of two links one.

use super::*;

#[test]
fn one_neighbor_more_than_the_limit_is_refused_without_a_hello() {
    let mut mind = Mind::new();
    let links: Vec<LinkId> = (1..=NEIGHBORS_MAX as u128).map(|id| mind.neighbor(id)).collect();
    let surplus = mind.stranger();
    assert_eq!(mind.hear(surplus, servent_hello(999)), goodbye(surplus, Goodbye::Full));
    let itself = mind.stranger();
    assert_eq!(mind.hear(itself, servent_hello(OWN_ID)), goodbye(itself, Goodbye::Myself), "without a hello too");
    let client = mind.client(1);
    assert!(
        matches!(mind.hear(client, request(5)).as_slice(), [Output::Flood { links, .. }] if links.len() == NEIGHBORS_MAX)
    );
    assert_eq!(mind.closed(links[0]), []);
    mind.neighbor(999);

    // A dial of our own that comes to one too many is closed too, and tried again later.
    let mut mind = Mind::with(&config_with_neighbor(&[servent_address(5)]), store(""));
    assert_eq!(mind.pass(Duration::ZERO).len(), 1);
    for id in 1..=NEIGHBORS_MAX as u128 {
        mind.neighbor(2_000 + id);
    }
    let (link, _) = mind.dialled(Dial::Neighbor(0));
    assert_eq!(mind.hear(link, servent_hello(5)), goodbye(link, Goodbye::Full));
    assert_eq!(mind.pass_and_see(REDIAL_PAUSE_MIN), [dial_neighbor(0, servent_address(5))]);
}

#[test]
fn strangers_that_came_at_once_are_not_all_closed_before_anybody_else_is_served() {
    let mut mind = Mind::new();
    let count = 1_000;
    let strangers: Vec<LinkId> = (0..count).map(|_| mind.stranger()).collect();
    mind.now = mind.now + HELLO_WAIT_MAX;
    let first = mind.tell(Input::Deadline);
    assert!(first.len() < count, "{} of {} outputs at once", first.len(), 2 * count);
    assert_eq!(mind.overlay.deadline(), Some(mind.now), "the others are due");
    let rest = mind.pass_and_see(Duration::ZERO);
    let closed = [first, rest].concat();
    assert_eq!(closed, strangers.into_iter().flat_map(|link| goodbye(link, Goodbye::Quiet)).collect::<Vec<_>>());
}

#[test]
fn a_stranger_has_five_seconds_to_say_hello() {
    let mut mind = Mind::new();
    let silent = mind.stranger();
    let late = mind.stranger();
    assert_eq!(mind.pass(HELLO_WAIT_MAX - TICK), []);
    mind.hear(late, client_hello(7000));
    let out = mind.pass(TICK);
    assert_eq!(out.iter().map(|(_, output)| output.clone()).collect::<Vec<_>>(), goodbye(silent, Goodbye::Quiet));
    assert_eq!(mind.pass(seconds(60)), [], "a client may be silent for as long as it likes");
    assert_eq!(mind.overlay.deadline(), None);
    assert_eq!(mind.hear(silent, client_hello(7000)), [], "that link is gone");
}

#[test]
fn a_quiet_neighbor_is_pinged_once_and_then_gone() {
    let (mut mind, [neighbor]) = Mind::linked();
    // Heard at the very beginning of a beat, it is given the whole of it.
    let pinged = PING_AFTER + NEIGHBOR_BEAT;
    assert_eq!(mind.pass(pinged - TICK), []);
    assert_eq!(mind.pass(TICK), [(TICK, send(neighbor, Message::Ping))]);
    // Any word of it will do.
    let part = NEIGHBOR_BEAT / 2;
    assert_eq!(mind.pass(part), []);
    assert_eq!(mind.hear(neighbor, Message::Pong), []);
    let next = pinged - part;
    assert_eq!(mind.pass(next), [(next, send(neighbor, Message::Ping))]);
    mind.hear(neighbor, Message::Ping);
    assert_eq!(mind.pass(pinged), [(pinged, send(neighbor, Message::Ping))]);
    let rest = NEIGHBOR_QUIET_MAX - PING_AFTER;
    assert_eq!(mind.pass(rest - TICK), []);
    assert_eq!(mind.pass_and_see(TICK), goodbye(neighbor, Goodbye::Quiet));
    assert_eq!(mind.overlay.deadline(), None);
    assert_eq!(mind.hear(neighbor, Message::Ping), []);
}

#[test]
fn a_servent_that_slept_closes_nobody_by_it() {
    let (mut mind, [neighbor]) = Mind::linked();
    mind.now = mind.now + seconds(20);
    assert_eq!(mind.tell(Input::Deadline), [send(neighbor, Message::Ping)], "whether it is there is asked at once");
    // From then on it is given as long as any other.
    let pinged = PING_AFTER + NEIGHBOR_BEAT;
    assert_eq!(mind.pass(pinged), [(pinged, send(neighbor, Message::Ping))]);
    let rest = NEIGHBOR_QUIET_MAX - PING_AFTER;
    assert_eq!(mind.pass(rest - TICK), []);
    assert_eq!(mind.pass_and_see(TICK), goodbye(neighbor, Goodbye::Quiet));
}

#[test]
fn a_beat_that_comes_a_beat_late_judges_nobody() {
    let pinged = PING_AFTER + NEIGHBOR_BEAT;
    // Another beat, and it is gone.
    let nearly_gone = |mind: &mut Mind, neighbor| {
        assert_eq!(mind.pass(pinged), [(pinged, send(neighbor, Message::Ping))]);
        assert_eq!(mind.pass(NEIGHBOR_QUIET_MAX - pinged), []);
    };
    let (mut mind, [neighbor]) = Mind::linked();
    nearly_gone(&mut mind, neighbor);
    for _ in 0..10 {
        mind.now = mind.now + 2 * NEIGHBOR_BEAT;
        assert_eq!(mind.tell(Input::Deadline), [send(neighbor, Message::Ping)]);
    }
    // What it said meanwhile is read after that.
    mind.hear(neighbor, Message::Pong);
    nearly_gone(&mut mind, neighbor);
    // Whoever is late by less has seen enough.
    mind.now = mind.now + (2 * NEIGHBOR_BEAT - TICK);
    assert_eq!(mind.tell(Input::Deadline), goodbye(neighbor, Goodbye::Quiet));

    // One that did not say anything is gone at the next beat that is in time.
    let (mut mind, [neighbor]) = Mind::linked();
    nearly_gone(&mut mind, neighbor);
    mind.now = mind.now + 2 * NEIGHBOR_BEAT;
    assert_eq!(mind.tell(Input::Deadline), [send(neighbor, Message::Ping)]);
    assert_eq!(mind.pass(NEIGHBOR_BEAT - TICK), [], "it is a whole one");
    assert_eq!(mind.pass_and_see(TICK), goodbye(neighbor, Goodbye::Quiet));
}

#[test]
fn a_ping_is_answered() {
    let (mut mind, [neighbor]) = Mind::linked();
    let client = mind.client(1);
    for link in [neighbor, client] {
        assert_eq!(mind.hear(link, Message::Ping), [send(link, Message::Pong)]);
    }
}

#[test]
fn the_pause_before_a_redial_doubles_with_jitter_up_to_its_limit() {
    let mut firsts = Vec::new();
    for number in 0..20 {
        let servent_id = ServentId(OWN_ID + number);
        let config = Config { servent_id, ..config_with_neighbor(&[servent_address(5)]) };
        let mut mind = Mind::with(&config, store(""));
        assert_eq!(mind.next_dial(), (Duration::ZERO, servent_address(5)));
        let mut full = REDIAL_PAUSE_MIN;
        for round in 0..70 {
            assert_eq!(mind.dial_failed(Dial::Neighbor(0)), []);
            let (pause, _) = mind.next_dial();
            assert!(full / 2 <= pause && pause <= full, "round {round}: {pause:?}");
            if round == 0 {
                firsts.push(pause);
            }
            full = (full * 2).min(REDIAL_PAUSE_MAX);
        }
        assert_eq!(full, REDIAL_PAUSE_MAX);
        // A link that falls as soon as it stands is one more failure.
        let (link, _) = mind.dialled(Dial::Neighbor(0));
        mind.hear(link, servent_hello(5));
        assert_eq!(mind.closed(link), []);
        let (pause, _) = mind.next_dial();
        assert!(REDIAL_PAUSE_MAX / 2 <= pause && pause <= REDIAL_PAUSE_MAX);
        // One that stands a while makes it forget them all.
        let (link, out) = mind.dialled(Dial::Neighbor(0));
        let hello = Message::Hello(Hello::new(Role::Servent { id: servent_id, advertised: own_address() }));
        assert_eq!(out, [send(link, hello)], "the dialler speaks first");
        assert_eq!(mind.hear(link, servent_hello(5)), []);
        for _ in 0..REDIAL_PAUSE_MAX.as_secs() {
            assert_eq!(mind.pass(seconds(1)), []);
            mind.hear(link, Message::Pong);
        }
        assert_eq!(mind.closed(link), []);
        let (pause, _) = mind.next_dial();
        assert!(REDIAL_PAUSE_MIN / 2 <= pause && pause <= REDIAL_PAUSE_MIN);
        // One that closed before a hello is another failure, and so are the next two.
        for rounds in 1..=3 {
            let (link, _) = mind.dialled(Dial::Neighbor(0));
            let _ = mind.closed(link);
            let (pause, _) = mind.next_dial();
            let full = REDIAL_PAUSE_MIN * 2_u32.pow(rounds);
            assert!(full / 2 <= pause && pause <= full, "{pause:?}");
        }
    }
    firsts.sort_unstable();
    firsts.dedup();
    assert!(firsts.len() > 10, "servents that lost each other together must not come back in step: {firsts:?}");
}

#[test]
fn a_name_with_several_addresses_gets_a_try_at_each_before_the_pause_grows() {
    let addresses = [5, 6, 7].map(servent_address);
    let mut mind = Mind::with(&config_with_neighbor(&addresses), store(""));
    let mut full = REDIAL_PAUSE_MIN;
    let (_, first) = mind.next_dial();
    assert_eq!(first, addresses[0]);
    for round in 0..4 {
        for turn in 1..=3 {
            mind.dial_failed(Dial::Neighbor(0));
            let (pause, address) = mind.next_dial();
            assert_eq!(address, addresses[turn % 3], "round {round}");
            assert!(full / 2 <= pause && pause <= full, "round {round}: {pause:?}");
        }
        full *= 2;
    }
}

#[test]
fn a_dialled_link_without_a_hello_is_closed_and_dialled_again() {
    let mut mind = Mind::with(&config_with_neighbor(&[servent_address(5)]), store(""));
    mind.next_dial();
    let (link, _) = mind.dialled(Dial::Neighbor(0));
    assert_eq!(mind.pass(HELLO_WAIT_MAX - TICK), []);
    assert_eq!(mind.pass_and_see(TICK), goodbye(link, Goodbye::Quiet));
    assert_eq!(mind.pass_and_see(REDIAL_PAUSE_MIN), [dial_neighbor(0, servent_address(5))]);
}

#[test]
fn a_link_that_is_being_greeted_does_not_fail_with_another() {
    let mut mind = Mind::with(&config_with_neighbor(&[servent_address(5)]), store(""));
    mind.next_dial();
    let (link, _) = mind.dialled(Dial::Neighbor(0));
    let stranger = mind.stranger();
    assert_eq!(mind.closed(stranger), []);
    assert_eq!(mind.pass(HELLO_WAIT_MAX - TICK), [], "it is not dialled again");
    assert_eq!(mind.hear(link, servent_hello(5)), []);
    assert_eq!(mind.held("neighbors"), 1);
}

#[test]
fn of_two_links_between_two_servents_both_sides_keep_the_same_one() {
    // Ours is the smaller id or the larger; who dialled the first link and who the second; what happens to the second.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Second {
        Refused,
        Instead,
        Beside,
    }
    for (other, first_ours, second_ours, second) in [
        (OWN_ID + 1, true, false, Second::Refused),
        (OWN_ID + 1, false, true, Second::Instead),
        (OWN_ID - 1, true, false, Second::Instead),
        (OWN_ID - 1, false, true, Second::Refused),
        (OWN_ID + 1, true, true, Second::Refused),
        (OWN_ID - 1, true, true, Second::Refused),
        (OWN_ID + 1, false, false, Second::Beside),
        (OWN_ID - 1, false, false, Second::Beside),
    ] {
        let address = servent_address(5);
        let neighbor = Neighbor { name: "there".to_owned(), addresses: vec![address], dialect: Dialect::Native };
        let config = Config { neighbors: vec![neighbor.clone(), neighbor], ..config() };
        let mut mind = Mind::with(&config, store(""));
        assert_eq!(mind.pass_and_see(Duration::ZERO), [dial_neighbor(0, address), dial_neighbor(1, address)]);
        let open = |mind: &mut Mind, ours: bool, target: usize| {
            let link = if ours { mind.dialled(Dial::Neighbor(target)).0 } else { mind.stranger() };
            (link, mind.hear(link, servent_hello(other)))
        };
        // Said by the acceptor even on a link it refuses, so that the other side reaches the same verdict.
        let hello = |link, ours| if ours { Vec::new() } else { vec![send(link, own_hello())] };
        let (one, out) = open(&mut mind, first_ours, 0);
        assert_eq!(out, hello(one, first_ours));
        let (two, out) = open(&mut mind, second_ours, 1);
        let mut expected = hello(two, second_ours);
        let kept = match second {
            Second::Refused => {
                expected.extend(goodbye(two, Goodbye::Duplicate));
                vec![one]
            }
            Second::Instead => {
                expected.extend(goodbye(one, Goodbye::Duplicate));
                vec![two]
            }
            Second::Beside => vec![one, two],
        };
        assert_eq!(out, expected, "{other} {first_ours} {second_ours}");
        let client = mind.client(1);
        let out = mind.hear(client, request(5));
        assert!(matches!(out.as_slice(), [Output::Flood { links, .. }] if *links == kept));

        assert_eq!(mind.pass(REDIAL_PAUSE_MIN), [], "a link stands, so nobody is dialled");
        // A dial of ours that led to a link counts as linked, whichever link stayed: only its loss brings dials.
        let dials = usize::from(first_ours) + usize::from(second_ours);
        for link in kept {
            mind.closed(link);
        }
        let out = mind.pass_and_see(REDIAL_PAUSE_MIN);
        let count = out.iter().filter(|output| matches!(output, Output::Dial { .. })).count();
        assert_eq!(count, dials, "{other} {first_ours} {second_ours}");
    }
}

#[test]
fn a_servent_that_meets_itself_hangs_up_and_does_not_dial_again() {
    let mut mind = Mind::with(&config_with_neighbor(&[own_address()]), store(""));
    mind.next_dial();
    let (dialling, _) = mind.dialled(Dial::Neighbor(0));
    let accepting = mind.stranger();
    let [one, two] = goodbye(accepting, Goodbye::Myself);
    assert_eq!(mind.hear(accepting, servent_hello(OWN_ID)), [send(accepting, own_hello()), one, two]);
    assert_eq!(mind.hear(dialling, servent_hello(OWN_ID)), goodbye(dialling, Goodbye::Myself));
    assert_eq!(mind.pass(seconds(60)), []);
    assert_eq!(mind.overlay.deadline(), None);
}
