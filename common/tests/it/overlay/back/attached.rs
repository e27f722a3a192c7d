//! A servent's own clients: which of them are dialled, what is handed to them, and how far they ask.

use super::*;

const IP: &str = "192.0.2.7";
const TEA_ASK: fn(u64) -> Message = |sequence| Message::Request(Request { sequence, ask: tea(), ttl: None });

fn place(port: u16) -> SocketAddr {
    SocketAddr::new(IP.parse().unwrap(), port)
}

/// How the one copy goes out of what a client asks.
fn asked_as(mind: &mut Mind, client: LinkId, sequence: u64) -> Via {
    passed_on_in(&mind.hear(client, request(sequence))).1.via
}

#[test]
fn what_is_brought_to_its_contact_is_handed_to_its_client_ahead_of_what_came_of_the_query() {
    let mut mind = Mind::new();
    let client = mind.deaf_client(IP);
    let neighbor = mind.neighbor(1);
    let out = mind.hear(client, TEA_ASK(5));
    // The contact's own answer goes over the client's link, as ever.
    assert!(matches!(&out[0], Output::Send { link, message: Message::Answer(_) } if *link == client), "{out:?}");
    let [(links, onward)] = &copies_in(&out)[..] else { panic!("{out:?}") };
    assert_eq!((&links[..], onward.via, onward.client.socket), (&[neighbor][..], Via::Back, place(0)));
    let theirs = answer_of(1, "black");
    assert_eq!(mind.hear(neighbor, brought(onward, &theirs)), [send(client, handed(5, &theirs))]);
    let tally = sum(&[answers_of(&[OWN_ID, 1]), Tally { reached: 0, ..passed_back() }]);
    assert_eq!(mind.hear(neighbor, echo_of(onward, answers_of(&[1]))), [send(client, finished(5, tally))]);
    assert_eq!(mind.went_back(), (1, 0));
}

#[test]
fn what_comes_after_the_end_of_a_query_is_handed_to_its_client_for_so_long() {
    for waited in [Duration::ZERO, ROUTE_KEPT - TICK, ROUTE_KEPT] {
        let (mut mind, [neighbor]) = Mind::linked();
        let client = mind.attached(IP, 7000);
        let (_, onward) = passed_on_in(&mind.hear(client, request(5)));
        assert_eq!(onward.via, Via::Direct);
        let tally = sum(&[answers_of(&[1]), passed_on()]);
        assert_eq!(mind.hear(neighbor, echo_of(&onward, answers_of(&[1]))), [send(client, finished(5, tally))]);
        // That it is over, and others were asked since, changes nothing.
        passed_on_in(&mind.hear(client, request(6)));
        mind.pass(waited);
        let theirs = answer_of(1, "black");
        let out = mind.hear(neighbor, brought(&onward, &theirs));
        let expected = (waited < ROUTE_KEPT).then(|| send(client, handed(5, &theirs)));
        assert_eq!(out, Vec::from_iter(expected), "{waited:?}");
    }
}

#[test]
fn a_client_that_did_not_offer_it_or_that_left_is_handed_nothing() {
    let (mut mind, [neighbor]) = Mind::linked();
    let plain = mind.client(1);
    let (_, onward) = passed_on_in(&mind.hear(plain, request(5)));
    assert_eq!(onward.via, Via::Direct);
    let theirs = answer_of(1, "black");
    assert_eq!(mind.hear(neighbor, brought(&onward, &theirs)), []);
    let gone = mind.deaf_client(IP);
    let (_, onward) = passed_on_in(&mind.hear(gone, request(6)));
    mind.closed(gone);
    assert_eq!(mind.hear(neighbor, brought(&onward, &theirs)), []);
    assert_eq!(mind.went_back(), (0, 2));
}

#[test]
fn each_client_is_handed_its_own_though_all_have_one_address() {
    let (mut mind, [neighbor]) = Mind::linked();
    let clients = [mind.deaf_client(IP), mind.deaf_client(IP)];
    let onward =
        [(0, 5), (1, 6), (0, 7)].map(|(place, sequence)| passed_on_in(&mind.hear(clients[place], request(sequence))).1);
    let theirs = answer_of(1, "black");
    for (place, sequence, onward) in [(0, 7, &onward[2]), (1, 6, &onward[1]), (0, 5, &onward[0])] {
        assert_eq!(mind.hear(neighbor, brought(onward, &theirs)), [send(clients[place], handed(sequence, &theirs))]);
    }
    // Nobody knows our numbers under another name.
    let mark = ContactMark { name: ContactName(77), ..onward[0].contact.unwrap() };
    assert_eq!(mind.hear(neighbor, brought(&Query { contact: Some(mark), ..onward[0].clone() }, &theirs)), []);
}

#[test]
fn a_number_is_that_of_a_query_under_the_name_it_was_asked_under_and_no_other() {
    let (mut mind, [neighbor]) = Mind::linked();
    let client = mind.deaf_client(IP);
    let spoilt = Tally { spoilt: 1, ..lost() };
    let asked = [5, 6, 7].map(|sequence| {
        let (_, onward) = passed_on_in(&mind.hear(client, request(sequence)));
        // Under a name that was spoilt nothing more is asked.
        if sequence == 5 {
            mind.hear(neighbor, echo_of(&onward, spoilt));
        }
        onward
    });
    let marks = asked.each_ref().map(|onward| onward.contact.unwrap());
    assert!(marks[0].name != marks[1].name && marks[1].name == marks[2].name);
    let theirs = answer_of(1, "black");
    for (own, other) in [(0, 1), (1, 0), (2, 0)] {
        let mark = ContactMark { name: marks[other].name, ..marks[own] };
        assert_eq!(mind.hear(neighbor, brought(&Query { contact: Some(mark), ..asked[own].clone() }, &theirs)), []);
        let sequence = asked[own].sequence;
        assert_eq!(mind.hear(neighbor, brought(&asked[own], &theirs)), [send(client, handed(sequence, &theirs))]);
    }
}

#[test]
fn a_client_is_dialled_once_when_it_comes_to_see_whether_it_can_be() {
    let offers = |features| Hello { features, ..Hello::new(Role::Client { answer_port: 7000 }) };
    let tp3 = Hello::said_in(Dialect::Tp3, Role::Client { answer_port: 7000 });
    for (hello, is_probed) in [
        (offers(Features::OF_CLIENTS), true),
        (offers(Features::BACK.with(Features::NOT_GIVEN_OUT)), true),
        // Nothing could be done about it.
        (offers(Features::NONE), false),
        (tp3, false),
        // That one cannot be dialled is known.
        (Hello::new(Role::Client { answer_port: 0 }), false),
    ] {
        let mut mind = Mind::new();
        let (client, out) = mind.joins(IP, hello.clone());
        assert_eq!(out, Vec::from_iter(is_probed.then(|| dial_probe(place(7000)))), "{hello:?}");
        let asked = [5, 6].map(|sequence| mind.hear(client, request(sequence)));
        assert!(asked.iter().flatten().all(|output| !matches!(output, Output::Dial { .. })), "{asked:?}");
    }
    // An ip that names no client is dialled by nobody.
    let mut mind = Mind::new();
    assert_eq!(mind.joins("0.0.0.0", offers(Features::OF_CLIENTS)).1, []);
}

#[test]
fn a_client_that_can_be_dialled_is_told_nothing_there_and_asks_as_ever() {
    let (mut mind, _neighbor) = Mind::linked::<1>();
    let client = mind.attached(IP, 7000);
    let (link, out) = mind.dialled(probe(place(7000)));
    assert_eq!(out, [Output::Close { link }], "and not a byte");
    assert_eq!(asked_as(&mut mind, client, 5), Via::Direct);
    assert_eq!(
        ["call_addresses", "call_dials", "call_links", "calls_queued_bytes"].map(|name| mind.held(name)),
        [0; 4]
    );
    // A second that is opened for it is nobody's.
    let (link, out) = mind.dialled(probe(place(7000)));
    assert_eq!(out, [Output::Close { link }]);
}

#[test]
fn of_a_client_that_there_is_no_room_to_try_nothing_is_known_and_it_asks_as_ever() {
    let (mut mind, [neighbor]) = Mind::linked();
    // Its network has as much as one may.
    let most = CALL_ADDRESSES_MAX / 2;
    for port in (10_000..).take(most) {
        mind.asked_for_at(neighbor, u64::from(port), place(port));
    }
    assert_eq!(mind.held("call_addresses"), most);
    let client = mind.attached(IP, 7000);
    assert_eq!(mind.held("call_addresses"), most, "it does not wait either");
    assert_eq!(asked_as(&mut mind, client, 5), Via::Direct);
}

#[test]
fn what_a_client_asks_that_cannot_be_dialled_is_answered_back_from_then_on() {
    let (mut mind, [neighbor]) = Mind::linked();
    let client = mind.attached(IP, 7000);
    let same_address = mind.attached(IP, 7000);
    let other_port = mind.attached(IP, 7001);
    let (plain, out) =
        mind.joins(IP, Hello { features: Features::NONE, ..Hello::new(Role::Client { answer_port: 7000 }) });
    assert_eq!(out, []);
    // Nothing waits for it.
    let (_, before) = passed_on_in(&mind.hear(client, request(5)));
    assert_eq!(before.via, Via::Direct);
    assert_eq!(mind.dial_failed(probe(place(7000))), []);
    let via = [client, same_address, other_port, plain].map(|link| asked_as(&mut mind, link, 6 + link.0));
    assert_eq!(via, [Via::Back, Via::Back, Via::Direct, Via::Direct], "who does not understand it is dialled as ever");
    // What was asked before is what it was, and goes back where it has to.
    let theirs = answer_of(1, "black");
    assert_eq!(mind.hear(neighbor, brought(&before, &theirs)), [send(client, handed(5, &theirs))]);
}

#[test]
fn a_client_that_comes_anew_is_tried_anew_once_its_address_has_rested() {
    let (mut mind, _neighbor) = Mind::linked::<1>();
    let first = mind.attached(IP, 7000);
    mind.closed(first);
    assert_eq!(mind.dial_failed(probe(place(7000))), []);
    let (second, out) = mind.joins(IP, Hello::new(Role::Client { answer_port: 7000 }));
    assert_eq!(out, []);
    assert_eq!(mind.pass(CALL_REST_MIN), [(CALL_REST_MIN, dial_probe(place(7000)))]);
    assert_eq!(asked_as(&mut mind, second, 5), Via::Direct, "nothing is known of it yet");
    assert_eq!(mind.dial_failed(probe(place(7000))), []);
    assert_eq!(asked_as(&mut mind, second, 6), Via::Back);
}

#[test]
fn a_client_without_a_port_has_to_understand_what_goes_back() {
    let tp3 = Hello::said_in(Dialect::Tp3, Role::Client { answer_port: 0 });
    let plain = Hello { features: Features::TTL, ..Hello::new(Role::Client { answer_port: 0 }) };
    for hello in [plain, tp3] {
        let mut mind = Mind::new();
        let link = mind.stranger();
        assert_eq!(mind.hear(link, Message::Hello(hello.clone())), goodbye(link, Goodbye::Protocol), "{hello:?}");
        assert_eq!(mind.held("clients"), 0);
    }
}

#[test]
fn a_client_on_this_host_is_dialled_by_those_on_it_and_answered_back_by_others() {
    for (ip, dialled_by) in
        [("127.0.0.1", "near"), ("::1", "near"), ("169.254.0.7", "nobody"), ("fe80::7", "nobody"), (IP, "all")]
    {
        let mut mind = Mind::new();
        let near = mind.neighbor_at("127.0.0.1", 1, Features::BACK);
        let far = mind.neighbor_at("10.2.0.1", 2, Features::BACK);
        let client = mind.attached(ip, 7000);
        let out = mind.hear(client, request(5));
        let told: Vec<_> = copies_in(&out).into_iter().map(|(links, query)| (query.via, links)).collect();
        let expected = match dialled_by {
            "near" => vec![(Via::Direct, vec![near]), (Via::Back, vec![far])],
            "nobody" => vec![(Via::Back, vec![near, far])],
            _ => vec![(Via::Direct, vec![near, far])],
        };
        assert_eq!(told, expected, "{ip}");
        // One copy that is dialled is enough for answers to come late.
        let onward = query(5, 1, milk());
        let id = |link: LinkId| {
            Message::Echo(Echo { id: copies_in(&out)[0].1.id(), ttl: onward.ttl, tally: reached(link.0) })
        };
        assert_eq!(mind.hear(near, id(near)), []);
        let tally =
            Tally { copies: 2, reached: 1 + near.0 + far.0, is_dialled: dialled_by != "nobody", ..Tally::default() };
        assert_eq!(mind.hear(far, id(far)), [send(client, finished(5, tally))], "{ip}");
    }
}

#[test]
fn a_servent_dialled_on_this_host_is_one_of_it() {
    for (address, via) in [("127.0.0.1:9100", Via::Direct), ("10.2.0.1:9100", Via::Back)] {
        let mut mind = Mind::with(&config_with_neighbor(&[address.parse().unwrap()]), store(""));
        mind.pass(Duration::ZERO);
        let (link, _) = mind.dialled(Dial::Neighbor(0));
        mind.hear(link, servent_hello(5));
        let client = mind.attached("127.0.0.1", 7000);
        assert_eq!(asked_as(&mut mind, client, 5), via, "{address}");
    }
}

#[test]
fn a_request_may_say_how_far_it_goes() {
    let most = TTL_MAX + 1;
    for (own, ttl, passed) in [
        (3, None, Some(3)),
        (3, Some(0), None),
        (3, Some(1), Some(0)),
        (3, Some(2), Some(1)),
        // Further than the contact would have it go, and no further than any may.
        (3, Some(9), Some(8)),
        (0, Some(9), Some(8)),
        (TTL_MAX, Some(1), Some(0)),
        (3, Some(most), Some(TTL_MAX)),
        (3, Some(most + 1), Some(TTL_MAX)),
        (3, Some(u8::MAX), Some(TTL_MAX)),
    ] {
        for with_neighbor in [false, true] {
            let mut mind = Mind::with(&Config { ttl: own, ..config() }, store("tea green"));
            let neighbors = Vec::from_iter(with_neighbor.then(|| mind.neighbor(1)));
            let client = mind.deaf_client(IP);
            let out = mind.hear(client, Message::Request(Request { sequence: 5, ask: tea(), ttl }));
            assert!(matches!(&out[0], Output::Send { message: Message::Answer(_), .. }), "its contact answers always");
            let copies = copies_in(&out).into_iter().map(|(_, copy)| (copy.ttl, copy.hops)).collect::<Vec<_>>();
            let goes_on = passed.filter(|_| with_neighbor);
            assert_eq!(copies, Vec::from_iter(goes_on.map(|ttl| (ttl, 1))), "{own} {ttl:?}");
            if goes_on.is_none() {
                // Whoever could have been asked and was not is told of.
                let stopped = i64::from(!neighbors.is_empty());
                assert_eq!(out[1..], [send(client, finished(5, Tally { stopped, ..answered() }))], "{own} {ttl:?}");
            }
        }
    }
}

#[test]
fn a_request_that_goes_further_than_its_contact_has_it_waits_as_long_as_any() {
    let (mut mind, [neighbor]) = Mind::linked();
    let client = mind.deaf_client(IP);
    let (_, onward) =
        passed_on_in(&mind.hear(client, Message::Request(Request { sequence: 5, ask: milk(), ttl: Some(9) })));
    assert_eq!(mind.pass_but_pings(ECHO_WAIT_MAX - TICK), []);
    let tally = Tally { lost: 1, ..passed_back() };
    assert_eq!(mind.pass(TICK), [(TICK, send(client, finished(5, tally)))]);
    let theirs = answer_of(1, "black");
    assert_eq!(mind.hear(neighbor, brought(&onward, &theirs)), [send(client, handed(5, &theirs))]);
}
