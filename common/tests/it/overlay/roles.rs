//! What each may say, who may be told what, and how a servent leaves.

use super::*;
use common::content::search::{Entries, List, ListPart};
use common::content::transfer::{Block, HashPart, Have, Opened, Refusal, Refused};
use common::features::Features;
use common::message::{Echo, Handed};
use common::query::QueryId;

#[test]
fn a_client_is_known_by_the_one_spelling_of_its_address() {
    let (mut mind, [neighbor]) = Mind::linked();
    let link = mind.new_link();
    let from = "[::ffff:11.0.0.1]:40000".parse().unwrap();
    mind.tell(Input::Opened { link, opening: Opening::Accepted(from) });
    mind.hear(link, client_hello(7000));
    let (links, asked) = passed_on_in(&mind.hear(link, request(5)));
    assert_eq!((links, asked.client), (vec![neighbor], query(5, 1, milk()).client));
}

#[test]
fn whoever_says_what_its_role_does_not_allow_loses_its_link_and_nobody_else_does() {
    let messages = || {
        [
            client_hello(7000),
            servent_hello(5),
            Message::Ping,
            Message::Pong,
            request(5),
            Message::query(query(5, 1, milk())),
            value(5, "green"),
            Message::Echo(Echo { id: QueryId { sequence: 9, client: client_address(9) }, ttl: 1, tally: reached(1) }),
            finished(5, reached(1)),
            brought(&query(5, 1, milk()), &answer_of(9, "white")),
            Message::Handed(Handed { sequence: 5, answer: answer_of(9, "white") }),
            Message::List(List { list: 0, from: Vec::new() }),
            Message::ListPart(ListPart { list: 0, entries: Entries::default() }),
            Message::Opened(Opened { fetch: 0, size: 0, have: Have::all(1) }),
            Message::Refused(Refused { fetch: 0, refusal: Refusal::Gone }),
            Message::HashPart(HashPart { fetch: 0, first: 0, hashes: vec![[0; 32]] }),
            Message::Block(Block { fetch: 0, block: 0, bytes: Vec::new() }),
        ]
    };
    for (who, allowed) in [
        ("an accepted stranger", vec!["client hello", "servent hello"]),
        ("a dialled stranger", vec!["servent hello"]),
        ("a client", vec!["ping", "pong", "request"]),
        ("a client of contents", vec!["ping", "pong", "request", "list"]),
        ("a neighbor", vec!["ping", "pong", "query", "echo", "brought"]),
    ] {
        for message in messages() {
            let mut mind = Mind::with(&config_with_neighbor(&[servent_address(5)]), store(""));
            mind.pass(Duration::ZERO);
            let witnesses = [mind.neighbor(50), mind.neighbor(51), mind.client(50)];
            let link = match who {
                "an accepted stranger" => mind.stranger(),
                "a dialled stranger" => mind.dialled(Dial::Neighbor(0)).0,
                "a client" => mind.client(1),
                "a client of contents" => mind.client_of_contents(1),
                _ => mind.neighbor(1),
            };
            let name = match &message {
                Message::Hello(Hello { role: Role::Client { .. }, .. }) => "client hello",
                Message::Hello(Hello { role: Role::Servent { .. }, .. }) => "servent hello",
                message => message.name(),
            };
            let out = mind.hear(link, message.clone());
            let closes: Vec<&Output> = out.iter().filter(|output| matches!(output, Output::Close { .. })).collect();
            if allowed.contains(&name) {
                assert!(closes.is_empty(), "{who} may say {name}: {out:?}");
            } else {
                let farewell = if (who, name) == ("a dialled stranger", "client hello") {
                    Goodbye::Role
                } else {
                    Goodbye::Protocol
                };
                assert_eq!(out, goodbye(link, farewell), "{who} says {name}");
                assert_eq!(mind.hear(link, Message::Ping), [], "that link is gone");
            }
            for witness in witnesses {
                assert_eq!(mind.hear(witness, Message::Ping), [send(witness, Message::Pong)]);
            }
        }
    }
}

/// What a hello has beyond what is known is for those who know it.
#[test]
fn features_that_nobody_has_defined_change_nothing() {
    for hello in [servent_hello(5), client_hello(7000)] {
        let Message::Hello(plain) = hello else { panic!("{hello:?}") };
        let more = [Features::NONE, Features::NOT_GIVEN_OUT].map(|unknown| plain.features.with(unknown));
        assert!(more[0] != more[1], "there are some left to be defined");
        let answers = more.map(|features| {
            let mut mind = Mind::new();
            let link = mind.stranger();
            let greeting = mind.hear(link, Message::Hello(Hello { features, ..plain.clone() }));
            (greeting, mind.hear(link, Message::Ping))
        });
        assert_eq!(answers[0], answers[1]);
        assert!(matches!(answers[0].0.as_slice(), [Output::Send { message: Message::Hello(_), .. }]), "{answers:?}");
    }
}

/// Its link would not take it, and then its echo would be awaited for as long as patience lasts.
#[test]
fn a_query_longer_than_a_neighbor_accepts_is_lost_there_at_once() {
    for (frame_bytes_max, is_told) in [(1000, true), (100, false)] {
        let mut mind = Mind::new();
        let neighbor = mind.stranger();
        let Message::Hello(plain) = servent_hello(1) else { panic!("no hello") };
        mind.hear(neighbor, Message::Hello(Hello { frame_bytes_max, ..plain }));
        let client = mind.client(1);
        let ask = Ask::Key(Key::new(&[b'k'; 100]).unwrap());
        let out = mind.hear(client, Message::Request(Request { sequence: 7, ask, ttl: None }));
        let tally = Tally { reached: 1, lost: 1, ..Tally::default() };
        let is_sent = matches!(&out[..], [Output::Flood { links, .. }] if links[..] == [neighbor]);
        assert_eq!(is_sent, is_told, "{frame_bytes_max}: {out:?}");
        assert_eq!(out == [send(client, finished(7, tally))], !is_told, "{frame_bytes_max}: {out:?}");
        let short = mind.hear(client, request(8));
        assert!(matches!(&short[..], [Output::Flood { .. }]), "{frame_bytes_max}: {short:?}");
    }
}

#[test]
fn a_client_that_cannot_be_answered_is_refused() {
    let mut mind = Mind::new();
    let link = mind.stranger();
    assert_eq!(mind.hear(link, client_hello(0)), goodbye(link, Goodbye::Protocol));
}

#[test]
fn bytes_that_are_no_message_cost_their_sender_the_link() {
    let too_long = WireError::FrameTooLong { length: 9, max: 8 };
    for (error, farewell) in [
        (WireError::NoPreface("47 45".to_owned()), None),
        (WireError::Version(9), Some(Goodbye::Version)),
        (too_long, Some(Goodbye::Protocol)),
        (WireError::Malformed("odd".to_owned()), Some(Goodbye::Protocol)),
    ] {
        for who in ["stranger", "client", "neighbor"] {
            let mut mind = Mind::new();
            let link = match who {
                "stranger" => mind.stranger(),
                "client" => mind.client(1),
                _ => mind.neighbor(1),
            };
            let out = mind.tell(Input::Malformed { link, error: error.clone() });
            let expected = match farewell {
                Some(farewell) => goodbye(link, farewell).to_vec(),
                None => vec![Output::Close { link }],
            };
            assert_eq!(out, expected, "{who}: {error}");
            assert_eq!(mind.hear(link, Message::Ping), []);
        }
        let (mut mind, [neighbor]) = Mind::linked();
        let came = query(5, 1, tea());
        mind.hear(neighbor, Message::query(came.clone()));
        let (link, _) = mind.dialled(call(client_address(1)));
        let out = mind.tell(Input::Malformed { link, error });
        assert_eq!(out, [Output::Close { link }, send(neighbor, own_brought(&came))], "no byte goes there");
    }
}

#[test]
fn a_servent_that_leaves_says_goodbye_to_all() {
    let mut mind = Mind::with(&config_with_neighbor(&[servent_address(5)]), store("tea green"));
    mind.pass(Duration::ZERO);
    let [accepted, asker] = [1, 2].map(|id| mind.neighbor(id));
    let (dialled, _) = mind.dialled(Dial::Neighbor(0));
    mind.hear(dialled, servent_hello(5));
    let client = mind.client(1);
    let stranger = mind.stranger();
    mind.hear(asker, Message::query(Query { ttl: 0, ..query(5, 2, tea()) }));
    let unanswered = Query { ttl: 0, ..query(6, 3, tea()) };
    mind.hear(asker, Message::query(unanswered.clone()));
    mind.hear(asker, Message::query(Query { ttl: 0, contact: None, ..query(7, 3, tea()) }));
    let (open, _) = mind.answer_link(2);
    let (silent, _) = mind.dialled(call(client_address(3)));
    // Something is pending for the client; it is told before the goodbye.
    mind.hear(client, request(7));

    let out = mind.tell(Input::Leave);
    for link in [accepted, asker, dialled, client, stranger, open] {
        let place = out.windows(2).position(|pair| pair == goodbye(link, Goodbye::Leaving));
        assert!(place.is_some(), "{link}: {out:?}");
    }
    assert!(out.contains(&Output::Close { link: silent }));
    let to_silent = |output: &Output| matches!(output, Output::Send { link, .. } if *link == silent);
    assert!(!out.iter().any(to_silent), "an address that never spoke receives no byte");
    let closes = out.iter().filter(|output| matches!(output, Output::Close { .. })).count();
    assert_eq!(closes, 7, "each link once");
    let place = |wanted: &dyn Fn(&Output) -> bool| out.iter().position(wanted).unwrap();
    let goodbye_to = |link| place(&|output| *output == send(link, Message::Goodbye(Goodbye::Leaving)));
    let is_word =
        |output: &Output| matches!(output, Output::Send { link, message: Message::Finished(_) } if *link == client);
    assert!(place(&is_word) < goodbye_to(client));
    // What waited for the client that did not speak goes back, where there is a way.
    assert!(place(&|output| *output == send(asker, own_brought(&unanswered))) < goodbye_to(asker));
    assert_eq!(mind.held("undelivered"), 1);
}
