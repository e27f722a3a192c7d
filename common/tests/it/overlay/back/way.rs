//! Who is sent an answer that goes back, and which copies are answered like that.

use super::*;

#[test]
fn a_copy_that_is_answered_back_is_answered_to_its_sender_ahead_of_its_echo_and_nobody_is_dialled() {
    let (mut mind, [asker]) = Mind::linked();
    let came = back(query(5, 1, tea()));
    let out = mind.hear(asker, Message::query(came.clone()));
    assert_eq!(out, [send(asker, own_brought(&came)), send(asker, echo_of(&came, answered()))]);
    // With others to ask it is the same, and they are asked in the same way.
    let other = mind.neighbor(2);
    let came = back(query(6, 1, tea()));
    let onward = onward_of(&came);
    let out = mind.hear(asker, Message::query(came.clone()));
    assert_eq!(out, [send(asker, own_brought(&came)), flood(&[other], &onward)]);
    let theirs = answer_of(2, "black");
    assert_eq!(mind.hear(other, brought(&onward, &theirs)), [send(asker, brought(&came, &theirs))]);
    let tally = sum(&[answers_of(&[OWN_ID, 2]), Tally { reached: 0, ..passed_back() }]);
    assert_eq!(mind.hear(other, echo_of(&onward, answers_of(&[2]))), [send(asker, echo_of(&came, tally))]);
    assert_eq!((mind.went_back(), mind.held("answered"), mind.held("call_addresses")), ((3, 0), 2, 0));
}

#[test]
fn a_place_goes_back_as_a_value_does() {
    let (mut mind, [asker]) = Mind::linked();
    let came = back(query(5, 1, Ask::Topology));
    let out = mind.hear(asker, Message::query(came.clone()));
    let body = AnswerBody::Place { path: vec![own_address()].into(), neighbors: vec![servent_address(1)] };
    let (id, from, hops) = (ServentId(OWN_ID), own_address(), came.hops);
    let answer = Arc::new(BroughtAnswer { id, from, name: None, hops, body: BroughtBody::Whole(body) });
    assert_eq!(out, [send(asker, brought(&came, &answer)), send(asker, echo_of(&came, answered()))]);
}

#[test]
fn a_value_too_long_to_go_back_is_announced() {
    for (length, is_whole) in [(BROUGHT_BYTES_MAX, true), (BROUGHT_BYTES_MAX + 1, false), (VALUE_BYTES_MAX, false)] {
        let text = "x".repeat(length);
        let mut mind = Mind::with(&config(), store(&format!("tea {text}")));
        let asker = mind.neighbor(1);
        let came = back(query(5, 1, tea()));
        let out = mind.hear(asker, Message::query(came.clone()));
        let body = if is_whole {
            BroughtBody::Whole(AnswerBody::Value(text.into_bytes()))
        } else {
            BroughtBody::Announced(length as u64)
        };
        let (id, from, hops) = (ServentId(OWN_ID), own_address(), came.hops);
        let answer = Arc::new(BroughtAnswer { id, from, name: None, hops, body });
        assert_eq!(out[0], send(asker, brought(&came, &answer)), "{length}");
        // It is an answer all the same.
        assert_eq!(out[1], send(asker, echo_of(&came, answered())), "{length}");
    }
}

/// S0-S1, S0-S2, S1-S2, S2-S3 and TTL 1: the copy with more TTL comes to S2 by the shorter way, and later.
#[test]
fn an_answer_goes_the_way_of_the_echo_that_counts_it() {
    let from_s0 = back(Query { ttl: 1, hops: 1, ..query(5, 1, milk()) });
    let from_s1 = onward_of(&from_s0);
    let theirs = answer_of(3, "white");

    let (mut s2, [s0, s1, s3]) = Mind::linked();
    let stopped = Tally { stopped: 1, ..reached(1) };
    assert_eq!(s2.echo(s1, &from_s1), stopped);
    let onward = onward_of(&from_s0);
    assert_eq!(s2.hear(s0, Message::query(from_s0.clone())), [flood(&[s1, s3], &onward)]);
    assert_eq!(s2.hear(s3, brought(&onward, &theirs)), [send(s0, brought(&from_s0, &theirs))]);
    assert_eq!(s2.hear(s3, echo_of(&onward, answers_of(&[3]))), []);
    let out = s2.hear(s1, echo_of(&onward, duplicate()));
    let tally = sum(&[answers_of(&[3]), duplicate(), Tally { copies: 2, stopped: -1, ..Tally::default() }]);
    assert_eq!(out, [send(s0, echo_of(&from_s0, tally))]);

    // What S2 has itself is to the copy that came first.
    let mut s2 = Mind::new();
    let [s0, s1] = [1, 2].map(|id| s2.neighbor(id));
    let first = back(Query { ask: tea(), ..from_s1 });
    let tally = Tally { stopped: 1, ..answered() };
    let out = s2.hear(s1, Message::query(first.clone()));
    assert_eq!(out, [send(s1, own_brought(&first)), send(s1, echo_of(&first, tally))]);
    let second = Query { ask: tea(), ..from_s0.clone() };
    assert_eq!(s2.hear(s0, Message::query(second.clone())), [flood(&[s1], &onward_of(&second))]);

    // And S1 gives it to S0, from whom it has that copy.
    let (mut s1, [s0, s2]) = Mind::linked();
    s1.onward(s0, &from_s0);
    let theirs = answer_of(2, "white");
    assert_eq!(s1.hear(s2, brought(&onward_of(&from_s0), &theirs)), [send(s0, brought(&from_s0, &theirs))]);
}

#[test]
fn two_copies_that_went_out_on_one_link_are_answered_to_whoever_sent_each() {
    let (mut mind, [a, b, c]) = Mind::linked();
    let less = back(Query { ttl: 2, ..query(5, 1, milk()) });
    let more = Query { ttl: 4, ..less.clone() };
    assert_eq!(mind.onward(a, &less).0, [b, c]);
    assert_eq!(mind.onward(c, &more).0, [a, b]);
    let theirs = answer_of(2, "white");
    assert_eq!(mind.hear(b, brought(&onward_of(&more), &theirs)), [send(c, brought(&more, &theirs))]);
    assert_eq!(mind.hear(b, brought(&onward_of(&less), &theirs)), [send(a, brought(&less, &theirs))]);
    // Each went out on links of its own.
    assert_eq!(mind.hear(c, brought(&onward_of(&more), &theirs)), []);
    assert_eq!(mind.hear(c, brought(&onward_of(&less), &theirs)), [send(a, brought(&less, &theirs))]);
    assert_eq!(mind.went_back(), (3, 1));
}

#[test]
fn an_answer_is_brought_under_the_ttl_its_copy_came_with_and_not_what_was_made_of_it() {
    for ttl in [TTL_FROM_OTHERS_MAX, TTL_FROM_OTHERS_MAX + 1, TTL_MAX] {
        let (mut mind, [asker, other]) = Mind::linked();
        let came = back(Query { ttl, ..query(5, 1, tea()) });
        let out = mind.hear(asker, Message::query(came.clone()));
        let onward = Query { ttl: TTL_FROM_OTHERS_MAX - 1, ..onward_of(&came) };
        assert_eq!(out, [send(asker, own_brought(&came)), flood(&[other], &onward)]);
        let theirs = answer_of(2, "black");
        assert_eq!(mind.hear(other, brought(&onward, &theirs)), [send(asker, brought(&came, &theirs))], "{ttl}");
    }
}

#[test]
fn what_is_brought_over_a_link_that_its_copy_did_not_go_out_on_is_dropped_and_counted() {
    let (mut mind, [asker, other]) = Mind::linked();
    let came = back(query(5, 1, milk()));
    let (_, onward) = mind.onward(asker, &came);
    let newcomer = mind.neighbor(3);
    let theirs = answer_of(2, "white");
    let of = |name, number, ttl| Query { contact: Some(mark(name, number, 0)), ttl, ..onward.clone() };
    let strays = [
        (asker, onward.clone()),
        (newcomer, onward.clone()),
        (other, of(1, 6, 2)),
        (other, of(1, u64::MAX, 2)),
        (other, of(2, 5, 2)),
        (other, of(1, 5, 0)),
        (other, of(1, 5, 1)),
        (other, of(1, 5, 3)),
        (other, of(1, 5, u8::MAX)),
    ];
    for (count, (link, stray)) in strays.iter().enumerate() {
        assert_eq!(mind.hear(*link, brought(stray, &theirs)), [], "over {link}: {stray:?}");
        assert_eq!(mind.went_back(), (0, count + 1));
    }
    // Nobody loses a link for it, and what has a way goes it: before the echo of its link and after, while others are awaited.
    assert_eq!(mind.hear(other, brought(&onward, &theirs)), [send(asker, brought(&came, &theirs))]);
    assert_eq!(mind.went_back(), (1, strays.len()));
    let tally = sum(&[passed_back(), answers_of(&[2])]);
    assert_eq!(mind.hear(other, echo_of(&onward, answers_of(&[2]))), [send(asker, echo_of(&came, tally))]);
    // Of a copy whose answers all went back at once nothing is to come.
    assert_eq!(mind.hear(other, brought(&onward, &theirs)), []);
    assert_eq!((mind.went_back(), mind.held("routes")), ((1, strays.len() + 1), 0));
}

/// A value is fetched from where it is announced, and somebody else may be there.
#[test]
fn a_value_announced_at_a_loopback_address_comes_from_this_host_or_goes_nowhere() {
    let announced = |at: &str| {
        let body = BroughtBody::Announced(1_000_000);
        Arc::new(BroughtAnswer { id: ServentId(2), from: at.parse().unwrap(), name: None, hops: 2, body })
    };
    for (neighbor_at, at, goes_on) in [
        ("10.2.0.7", "10.0.0.2:9000", true),
        ("10.2.0.7", "127.0.0.1:9000", false),
        ("10.2.0.7", "[::1]:9000", false),
        ("127.0.0.1", "127.0.0.1:9000", true),
    ] {
        let (mut mind, [asker]) = Mind::linked();
        let other = mind.neighbor_at(neighbor_at, 2, Features::OF_SERVENTS);
        let came = back(query(5, 1, milk()));
        let (_, onward) = mind.onward(asker, &came);
        let theirs = announced(at);
        let expected = if goes_on { vec![send(asker, brought(&came, &theirs))] } else { vec![] };
        assert_eq!(mind.hear(other, brought(&onward, &theirs)), expected, "{at} over a link with {neighbor_at}");
        assert_eq!(mind.went_back(), (usize::from(goes_on), usize::from(!goes_on)));
    }
}

#[test]
fn what_is_brought_by_a_neighbor_that_echoed_goes_on_as_long_as_others_are_awaited() {
    let (mut mind, [asker, b, _]) = Mind::linked();
    let came = back(query(5, 1, milk()));
    let (_, onward) = mind.onward(asker, &came);
    assert_eq!(mind.hear(b, echo_of(&onward, reached(1))), []);
    let theirs = answer_of(2, "white");
    assert_eq!(mind.hear(b, brought(&onward, &theirs)), [send(asker, brought(&came, &theirs))]);
}

#[test]
fn once_a_copy_said_so_every_later_one_is_answered_back() {
    let (mut mind, [a, b]) = Mind::linked();
    let came = back(query(5, 1, milk()));
    let dialled = Query { ttl: 5, via: Via::Direct, ..came.clone() };
    assert_eq!(mind.hear(a, Message::query(came.clone())), [flood(&[b], &onward_of(&came))]);
    // Which of two ways is longer is nobody's choice.
    assert_eq!(mind.hear(b, Message::query(dialled.clone())), [flood(&[a], &back(onward_of(&dialled)))]);
    // The other way round nobody knew.
    let first = query(6, 1, milk());
    assert_eq!(mind.hear(a, Message::query(first.clone())), [flood(&[b], &onward_of(&first))]);
    let duplicate = back(first.clone());
    mind.hear(b, Message::query(duplicate));
    let more = Query { ttl: 5, ..first };
    assert_eq!(mind.hear(a, Message::query(more.clone())), [flood(&[b], &back(onward_of(&more)))]);
}

/// Over TP3 it is a copy of a TP3 client, which can say no more.
#[test]
fn a_copy_that_comes_home_over_tp3_goes_on_as_it_came_and_changes_nothing_for_others() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    let tp3 = mind.tp3_neighbor();
    let came = back(query(5, 1, milk()));
    mind.hear(a, Message::query(came.clone()));
    let client = AnswerAddress { dialect: Dialect::Tp3, ..came.client };
    let home = Query { ttl: 5, via: Via::Direct, contact: None, client, ..came.clone() };
    let (links, onward) = mind.onward(tp3, &home);
    assert_eq!((links, onward), (vec![a, b], Query { contact: came.contact, ..onward_of(&home) }));
    let more = Query { ttl: 6, via: Via::Direct, ..came };
    let told = copies_in(&mind.hear(b, Message::query(more.clone())));
    assert!(told.contains(&(vec![a], back(onward_of(&more)))), "{told:?}");
}

/// A fast long way over TP3, and a slow short one.
#[test]
fn a_query_that_came_first_without_a_contact_is_answered_back_where_it_goes_further_with_one() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    let tp3 = mind.tp3_neighbor();
    let came = back(query(5, 1, milk()));
    let client = AnswerAddress { dialect: Dialect::Tp3, ..came.client };
    let first = Query { ttl: 1, via: Via::Direct, contact: None, client, ..came.clone() };
    assert_eq!(mind.onward(tp3, &first).0, [a, b]);
    let told = copies_in(&mind.hear(a, Message::query(came.clone())));
    assert!(told.contains(&(vec![b], onward_of(&came))), "{told:?}");
    let theirs = answer_of(2, "white");
    assert_eq!(mind.hear(b, brought(&onward_of(&came), &theirs)), [send(a, brought(&came, &theirs))]);
    assert_eq!(mind.hear(a, brought(&onward_of(&came), &theirs)), [], "it did not go there");
}

#[test]
fn a_neighbor_that_did_not_offer_it_is_sent_no_copy_that_is_answered_back() {
    let mut mind = Mind::new();
    let [asker, other] = [1, 2].map(|id| mind.neighbor(id));
    let old = mind.old_neighbor(3);
    let came = back(query(5, 1, milk()));
    let onward = onward_of(&came);
    assert_eq!(mind.hear(asker, Message::query(came.clone())), [flood(&[other], &onward)]);
    assert_eq!(mind.held("unsaid"), 1);
    let tally = Tally { reached: 2, lost: 1, ..passed_back() };
    assert_eq!(mind.hear(other, echo_of(&onward, reached(1))), [send(asker, echo_of(&came, tally))]);
    // One whose client is dialled it is sent as ever.
    let came = query(6, 1, milk());
    assert_eq!(mind.hear(asker, Message::query(came.clone())), [flood(&[other, old], &onward_of(&came))]);
}

#[test]
fn a_neighbor_that_did_not_offer_it_is_brought_nothing() {
    let mut mind = Mind::new();
    let old = mind.old_neighbor(1);
    let other = mind.neighbor(2);
    let came = back(query(5, 1, tea()));
    let out = mind.hear(old, Message::query(came.clone()));
    assert_eq!(out, [flood(&[other], &onward_of(&came))]);
    assert_eq!(mind.held("unanswered"), 1, "it is no answer: nobody can be told");
    assert_eq!(mind.hear(other, brought(&onward_of(&came), &answer_of(2, "black"))), []);
    assert_eq!(mind.went_back(), (0, 1));
    // Nor is what was dialled in vain.
    let came = Query { ttl: 0, ..query(6, 2, tea()) };
    let tally = Tally { stopped: 1, ..answered() };
    assert_eq!(mind.hear(old, Message::query(came.clone())), [dial_client(2), send(old, echo_of(&came, tally))]);
    assert_eq!(mind.call_failed(client_address(2)), []);
    assert_eq!((mind.held("undelivered"), mind.went_back()), (1, (0, 1)));
}

/// A port that cannot be dialled is what kills one of the nodes in the wild.
#[test]
fn a_tp3_neighbor_is_asked_as_ever_but_for_a_client_without_a_port() {
    for (port, is_told) in [(7000, true), (0, false)] {
        let mut mind = Mind::new();
        let [asker, other] = [1, 2].map(|id| mind.neighbor(id));
        let tp3 = mind.tp3_neighbor();
        let client = AnswerAddress { socket: SocketAddr::new(client_address(1).ip(), port), dialect: Dialect::Native };
        let came = back(Query { client, ..query(5, 1, milk()) });
        let onward = onward_of(&came);
        let out = mind.hear(asker, Message::query(came.clone()));
        let told = is_told.then(|| flood(&[tp3], &Query { via: Via::Direct, ..onward.clone() }));
        assert_eq!(out, told.into_iter().chain([flood(&[other], &onward)]).collect::<Vec<_>>(), "port {port}");
        assert_eq!(mind.held("unsaid"), usize::from(!is_told));
        let out = mind.hear(other, echo_of(&onward, reached(1)));
        let tally = if is_told {
            Tally { reached: 2, copies: 2, silent: 1, ..passed_on() }
        } else {
            Tally { reached: 2, lost: 1, ..passed_back() }
        };
        assert_eq!(out, [send(asker, echo_of(&came, tally))], "port {port}");
        // Nobody there can be brought anything, and nobody there can bring.
        assert_eq!(mind.hear(tp3, brought(&onward, &answer_of(3, "x"))), []);
    }
}

/// Who is asked: at which ip a neighbor is, how the copy that comes over its link is answered, and how the one that goes there.
#[test]
fn a_client_of_this_host_is_dialled_on_this_host_and_answered_back_beyond() {
    for (client, here, elsewhere) in [
        ("127.0.0.1:7000", Via::Direct, Via::Back),
        ("127.9.9.9:7000", Via::Direct, Via::Back),
        ("[::1]:7000", Via::Direct, Via::Back),
        ("169.254.0.7:7000", Via::Back, Via::Back),
        ("[fe80::7]:7000", Via::Back, Via::Back),
        ("192.0.2.7:7000", Via::Direct, Via::Direct),
        ("10.0.0.7:7000", Via::Direct, Via::Direct),
        ("[2001:db8::7]:7000", Via::Direct, Via::Direct),
        ("[fd00::7]:7000", Via::Direct, Via::Direct),
    ] {
        let socket: SocketAddr = client.parse().unwrap();
        let client = AnswerAddress { socket, dialect: Dialect::Native };
        for (from_here, came_as) in [(true, here), (false, elsewhere)] {
            let mut mind = Mind::new();
            let near =
                ["127.0.0.1", "::1"].map(|ip| mind.neighbor_at(ip, 1 + u128::from(mind.next_link), Features::BACK));
            let far = ["10.2.0.1", "2001:db8::1"]
                .map(|ip| mind.neighbor_at(ip, 1 + u128::from(mind.next_link), Features::BACK));
            let asker = if from_here { near[0] } else { far[0] };
            // It says what it may: that it is answered back is seen here.
            let came = Query { client, ..query(5, 1, tea()) };
            let out = mind.hear(asker, Message::query(came.clone()));
            let is_dialled = came_as == Via::Direct;
            let answer = if is_dialled { dial_at(socket) } else { send(asker, own_brought(&came)) };
            assert_eq!(out[0], answer, "{socket} from {asker}");
            let mut expected: BTreeMap<Via, Vec<LinkId>> = BTreeMap::new();
            for (links, leads_as) in [(near, here), (far, elsewhere)] {
                // Once it is answered back it stays.
                expected
                    .entry(leads_as.max(came_as))
                    .or_default()
                    .extend(links.into_iter().filter(|link| *link != asker));
            }
            let told: BTreeMap<Via, Vec<LinkId>> =
                copies_in(&out).into_iter().map(|(links, query)| (query.via, links)).collect();
            assert_eq!(told, expected, "{socket} from {asker}");
        }
    }
}

#[test]
fn nobody_dials_an_address_of_another_host_though_the_answer_can_go_nowhere() {
    for client in ["127.0.0.1:7000", "[::1]:7000", "[fe80::7]:7000"] {
        let mut mind = Mind::new();
        let old = mind.old_neighbor(1);
        let asker = mind.neighbor(2);
        let client = AnswerAddress { socket: client.parse().unwrap(), dialect: Dialect::Native };
        let came = Query { client, ttl: 0, ..query(5, 1, tea()) };
        let tally = Tally { stopped: 1, ..unanswered() };
        assert_eq!(mind.echo(old, &came), tally);
        // Without a contact nobody knows the way.
        assert_eq!(mind.echo(asker, &Query { contact: None, sequence: 6, ..came }), tally);
        assert_eq!((mind.held("unanswered"), mind.went_back()), (2, (0, 0)));
    }
}

#[test]
fn two_clients_of_one_address_at_two_contacts_are_never_taken_for_one() {
    let (mut mind, [a, b, c]) = Mind::linked();
    let client = AnswerAddress { socket: "127.0.0.1:41895".parse().unwrap(), dialect: Dialect::Native };
    let [of_a, of_b] = [(1, 5), (2, 6)]
        .map(|(name, sequence)| back(Query { client, contact: Some(mark(name, 0, 0)), ..query(sequence, 1, milk()) }));
    mind.onward(a, &of_a);
    mind.onward(b, &of_b);
    let theirs = answer_of(3, "white");
    assert_eq!(mind.hear(c, brought(&onward_of(&of_a), &theirs)), [send(a, brought(&of_a, &theirs))]);
    assert_eq!(mind.hear(c, brought(&onward_of(&of_b), &theirs)), [send(b, brought(&of_b, &theirs))]);
    assert_eq!(mind.hear(a, brought(&onward_of(&of_b), &theirs)), [send(b, brought(&of_b, &theirs))]);
    // Where they even have a sequence in common, the second is refused rather than taken for the first.
    let same = Query { contact: Some(mark(3, 0, 0)), ..of_a.clone() };
    assert_eq!(mind.echo(b, &same), lost());
    assert_eq!(mind.hear(c, brought(&onward_of(&same), &theirs)), []);
    assert_eq!(mind.went_back(), (3, 1));
}
