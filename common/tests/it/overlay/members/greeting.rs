//! A client of this host has somebody greeted.

use super::*;
use common::member::{Greet, GreetOutcome, Greeted, WordAt};

impl Told {
    /// A client that is attached from this ip.
    fn client_at(&mut self, ip: &str) -> LinkId {
        let link = self.accepted(SocketAddr::new(ip.parse().unwrap(), 40_000));
        self.mind.hear(link, Message::Hello(Hello::new(Role::Client { answer_port: 0 })));
        link
    }

    fn greet(&mut self, client: LinkId, address: SocketAddr) -> Vec<Output> {
        self.mind.hear(client, Message::Greet(Greet { address }))
    }
}

fn visit(address: SocketAddr) -> Dial {
    Dial::Call(Errand::Visit, address)
}

fn dialled(address: SocketAddr) -> Output {
    Output::Dial { dial: visit(address), address, dialect: Dialect::Native }
}

fn greeted_in(out: &[Output]) -> (LinkId, Greeted) {
    let greeted = out.iter().find_map(|output| match output {
        Output::Send { link, message: Message::Greeted(greeted) } => Some((*link, *greeted)),
        _ => None,
    });
    greeted.unwrap_or_else(|| panic!("nobody is told: {out:?}"))
}

#[test]
fn whoever_is_greeted_trades_a_page_and_the_client_is_told_what_changed() {
    let (mut told, [one]) = Told::linked();
    told.hear(one, news(&[member(7, 44, Word::Failed)]));
    let client = told.client_at("127.0.0.1");
    assert_eq!(told.greet(client, servent_address(7)), [dialled(servent_address(7))]);
    let (call, out) = told.mind.dialled(visit(servent_address(7)));
    assert_eq!(out, [send(call, visitor_hello())]);
    let out = told.hear(call, Message::Hello(hello_of_members(7)));
    let [Output::Send { message: Message::Peers(page), .. }, asked] = &out[..] else { panic!("{out:?}") };
    assert_eq!(*asked, send(call, wanted(None)));
    let addresses: Vec<SocketAddr> = page.members.iter().map(|member| member.address).collect();
    assert!(addresses.contains(&own_address()) && addresses.contains(&servent_address(1)), "{addresses:?}");
    told.mind.now = told.mind.now + milliseconds(3);
    let theirs: Vec<Member> = [1, 20, 21, 22].map(|id| member(id, 5, Word::Online)).to_vec();
    let out = told.hear(call, peers(PeersKind::Page, theirs));
    assert_eq!(out[..2], goodbye(call, Goodbye::Idle));
    let (link, greeted) = greeted_in(&out);
    assert_eq!((link, greeted.address, greeted.outcome), (client, servent_address(7), GreetOutcome::Met));
    assert_eq!(greeted.was, Some(WordAt { word: Word::Failed, clock: 44 }));
    assert!(greeted.now.is_some_and(|now| now.word == Word::Online && now.clock > 44), "{greeted:?}");
    assert_eq!((greeted.new_count, greeted.took), (3, milliseconds(3)));
    assert_eq!((told.mind.held("greetings"), told.mind.held("neighbors")), (0, 1));
}

#[test]
fn whoever_cannot_be_greeted_changes_nothing_that_is_said_of_others() {
    for (refused, outcome) in [(true, GreetOutcome::Refused), (false, GreetOutcome::Unreached)] {
        let mut told = Told::new();
        let client = told.client_at("::1");
        told.greet(client, servent_address(7));
        let failed = Input::DialFailed { dial: visit(servent_address(7)), refused, reason: "it is a test".to_owned() };
        let out = told.mind.tell(failed);
        let (link, greeted) = greeted_in(&out);
        assert_eq!((link, greeted.outcome, greeted.was, greeted.now), (client, outcome, None, None));
        // It is left alone for a while, and a second greeting is given up in time.
        assert_eq!(told.greet(client, servent_address(7)), []);
        let out = told.mind.pass_and_see(GREETING_WAIT_MAX);
        assert!(out.contains(&dialled(servent_address(7))), "{out:?}");
        assert_eq!(greeted_in(&out).1.outcome, GreetOutcome::Unreached);
        assert_eq!(told.mind.held("greetings"), 0);
    }
}

#[test]
fn a_servent_that_takes_no_part_is_met_and_trades_nothing() {
    let mut told = Told::new();
    let client = told.client_at("127.0.0.1");
    told.greet(client, servent_address(7));
    let (call, _) = told.mind.dialled(visit(servent_address(7)));
    let plain = Hello { features: Features::OF_SERVENTS, ..hello_of_members(7) };
    let out = told.hear(call, Message::Hello(plain));
    assert_eq!(greeted_in(&out).1.outcome, GreetOutcome::Met);
    assert!(out.iter().all(|output| !matches!(output, Output::Send { message: Message::Peers(_), .. })), "{out:?}");
    assert_eq!(told.word(7), Some(Word::Online));
}

/// It says nothing of itself at that address, so that it is forgotten there in time.
#[test]
fn whoever_is_met_where_it_does_not_say_it_is_is_a_member_there_as_well_until_that_is_forgotten() {
    let (mut told, [one]) = Told::linked();
    let client = told.client_at("127.0.0.1");
    told.greet(client, servent_address(7));
    let (call, _) = told.mind.dialled(visit(servent_address(7)));
    told.hear(call, Message::Hello(hello_of_members(7).at(servent_address(8))));
    told.hear(
        call,
        peers(PeersKind::LastPage, vec![Member { address: servent_address(8), ..member(7, 5, Word::Online) }]),
    );
    let at = |told: &mut Told, at| {
        told.page().iter().find(|member| member.address == servent_address(at)).map(|member| member.id)
    };
    assert_eq!([7, 8].map(|place| at(&mut told, place)), [Some(identity(7)); 2]);
    for _ in 0..=MEMBER_KEPT.as_secs() / 60 + 1 {
        told.pass_with(&[one], seconds(60));
        let clock = told.clock();
        told.hear(one, news(&[Member { address: servent_address(8), ..member(7, clock, Word::Online) }]));
    }
    assert_eq!([7, 8].map(|place| at(&mut told, place)), [None, Some(identity(7))]);
}

#[test]
fn whoever_is_greeted_cannot_keep_the_client_waiting_by_what_it_says() {
    for said in [Message::Ping, Message::Pong] {
        let mut told = Told::new();
        let client = told.client_at("127.0.0.1");
        told.greet(client, servent_address(7));
        let (call, _) = told.mind.dialled(visit(servent_address(7)));
        let mut out = told.hear(call, Message::Hello(hello_of_members(7)));
        let begun = told.mind.now;
        while told.mind.held("greetings") > 0 && told.mind.now.since(begun) < GREETING_WAIT_MAX {
            out = told.hear(call, said.clone());
            out.extend(told.mind.pass_and_see(NEWS_PAUSE));
        }
        assert_eq!(greeted_in(&out).1.outcome, GreetOutcome::Met, "{}", said.name());
    }
}

#[test]
fn only_clients_of_this_host_may_have_somebody_greeted_and_only_one_end() {
    let mut told = Told::new();
    for (from, address) in [("10.9.0.1", "10.0.0.7:9000"), ("127.0.0.1", "0.0.0.0:9000"), ("127.0.0.1", "10.0.0.7:0")] {
        let client = told.client_at(from);
        let out = told.greet(client, address.parse().unwrap());
        let [Output::Send { link, message: Message::Greeted(greeted) }] = out[..] else { panic!("{out:?}") };
        assert_eq!((link, greeted.outcome), (client, GreetOutcome::NotAllowed), "{address} for {from}");
    }
    // Nor may a neighbor.
    let link = told.neighbor(1);
    assert_eq!(told.greet(link, servent_address(7))[..2], goodbye(link, Goodbye::Protocol));
}

#[test]
fn so_many_are_greeted_at_once_and_no_more() {
    let mut told = Told::new();
    let client = told.client_at("127.0.0.1");
    for id in 1..=GREETINGS_MAX as u128 {
        assert_eq!(told.greet(client, servent_address(id)), [dialled(servent_address(id))]);
    }
    for id in [1, GREETINGS_MAX as u128 + 1] {
        let out = told.greet(client, servent_address(id));
        assert_eq!(greeted_in(&out).1.outcome, GreetOutcome::Busy, "{id}");
    }
    let dial = visit(servent_address(1));
    told.mind.tell(Input::DialFailed { dial, refused: true, reason: "it is a test".to_owned() });
    let id = GREETINGS_MAX as u128 + 1;
    assert_eq!(told.greet(client, servent_address(id)), [dialled(servent_address(id))]);
}

#[test]
fn what_a_visitor_tells_is_believed_as_far_as_there_is_room() {
    let (mut told, [one]) = Told::linked();
    let visitor = told.client_at("10.0.0.7");
    let out = told.hear(visitor, news(&[member(7, 5, Word::Online), member(8, 6, Word::Failed)]));
    assert_eq!(out, []);
    assert_eq!([7, 8].map(|id| told.word(id)), [Some(Word::Online), Some(Word::Failed)]);
    let said = told.words_told(NEWS_PAUSE);
    assert_eq!(said.iter().filter(|(link, ..)| *link == one).count(), 2, "{said:?}");
    for first in (0..100_000_u32).step_by(PEERS_MAX) {
        let invented = |number: u32| {
            let address = SocketAddr::from((Ipv4Addr::from(0x0b00_0000 + number), 1));
            Member { address, ..member(99, 5, Word::Online) }
        };
        told.hear(visitor, news(&(first..first + 64).map(invented).collect::<Vec<_>>()));
    }
    assert!(told.mind.held("members") <= MEMBERS_MAX + 2, "{}", told.mind.held("members"));
    // Whoever has no clock can tell nothing.
    let message = news(&[member(9, 5, Word::Online)]);
    assert_eq!(told.mind.hear(visitor, message), goodbye(visitor, Goodbye::Protocol));
}

/// A member to which no link leads, which this servent has only been told of.
fn one_told_of() -> (Told, [LinkId; 2], LinkId) {
    let (mut told, [one, other]) = Told::linked();
    told.hear(one, news(&[member(7, 5, Word::Online)]));
    told.quieten(&[one, other]);
    let client = told.client_at("127.0.0.1");
    assert_eq!(told.greet(client, servent_address(7)), [dialled(servent_address(7))]);
    (told, [one, other], client)
}

/// It may refuse only those that dial it from here.
#[test]
fn one_that_is_greeted_in_vain_is_suspect_first_and_whoever_has_a_link_to_it_takes_that_back() {
    for is_refused in [true, false] {
        for is_contradicted in [false, true] {
            let (mut told, [one, other], client) = one_told_of();
            told.pass_with(&[one, other], DIAL_WAIT_MAX);
            let out = told.mind.tell(if is_refused { links::refused(7) } else { links::unreached(7) });
            let (link, greeted) = greeted_in(&out);
            let outcome = if is_refused { GreetOutcome::Refused } else { GreetOutcome::Unreached };
            assert_eq!((link, greeted.outcome), (client, outcome));
            assert_eq!(
                [greeted.was, greeted.now].map(|at| at.map(|at| at.word)),
                [Word::Online, Word::Suspect].map(Some)
            );
            assert_eq!(told.words_told(NEWS_PAUSE), [one, other].map(|link| (link, servent_address(7), Word::Suspect)));
            if is_contradicted {
                let clock = told.clock();
                told.hear(one, news(&[member(7, clock, Word::Online)]));
            }
            let said = told.pass_with(&[one, other], SUSPECT_AFTER);
            let expected = if is_contradicted { Word::Online } else { Word::Failed };
            assert_eq!(told.word(7), Some(expected), "{said:?}");
            assert!(
                said.iter().all(|(_, peers)| peers.members.iter().all(|member| member.word == expected)),
                "{said:?}"
            );
            assert_eq!(told.mind.held("members_watched"), 0);
        }
    }
}

/// Several have a link to it, and each says so at a clock of its own.
#[test]
fn one_that_is_greeted_in_vain_is_suspect_once_however_many_say_that_it_is_there() {
    let (mut told, [one, other], client) = one_told_of();
    told.greet(client, servent_address(7));
    told.mind.tell(links::refused(7));
    assert_eq!(told.word(7), Some(Word::Suspect));
    let clock = told.clock();
    for (link, clock) in [(one, clock), (other, clock + 100), (one, clock + 200)] {
        told.hear(link, news(&[member(7, clock, Word::Online)]));
    }
    let said = told.pass_with(&[one, other], 2 * NEIGHBOR_QUIET_MAX);
    let words = said.iter().flat_map(|(_, peers)| &peers.members).map(|member| (member.address, member.word));
    assert!(!words.clone().any(|(_, word)| word != Word::Online), "{:?}", words.collect::<Vec<_>>());
    assert_eq!((told.word(7), told.mind.held("members_watched")), (Some(Word::Online), 0));
}

/// It refuses dials from here, and others have links to it.
#[test]
fn one_that_is_greeted_in_vain_twice_is_not_dead_because_it_refuses_twice() {
    for is_contradicted_first in [true, false] {
        let (mut told, [one, other], client) = one_told_of();
        told.mind.tell(links::refused(7));
        let deny = |told: &mut Told| {
            let clock = told.clock();
            told.hear(one, news(&[member(7, clock, Word::Online)]))
        };
        if is_contradicted_first {
            deny(&mut told);
        }
        told.greet(client, servent_address(7));
        told.mind.pass(seconds(1));
        told.mind.tell(links::refused(7));
        assert!(told.word(7).is_some_and(Word::is_online), "{:?}", told.word(7));
        deny(&mut told);
        let said = told.pass_with(&[one, other], 2 * NEIGHBOR_QUIET_MAX);
        let words = said.iter().flat_map(|(_, peers)| &peers.members).map(|member| member.word);
        assert!(words.clone().all(Word::is_online), "{:?}", words.collect::<Vec<_>>());
        assert_eq!((told.word(7), told.mind.held("members_watched")), (Some(Word::Online), 0));
    }
}

/// It lives, and others have it greeted in vain too.
#[test]
fn one_that_others_suspect_after_it_was_said_to_be_there_is_judged_by_them() {
    let (mut told, [one, other], _) = one_told_of();
    told.mind.tell(links::refused(7));
    let begun = told.mind.now;
    for word in [Word::Online, Word::Suspect] {
        told.pass_with(&[one, other], seconds(1));
        let clock = told.clock();
        told.hear(one, news(&[member(7, clock, word)]));
    }
    told.pass_with(&[one, other], NEIGHBOR_QUIET_MAX);
    assert!(told.mind.now.since(begun) > NEIGHBOR_QUIET_MAX);
    assert_eq!((told.word(7), told.mind.held("members_watched")), (Some(Word::Suspect), 0));
}

/// Its machine takes the connection, and it says nothing: the client is answered before that is over.
#[test]
fn one_that_takes_the_connection_and_says_nothing_is_suspect_though_the_client_waits_no_more() {
    let (mut told, [one, other], client) = one_told_of();
    let (_, _) = told.mind.dialled(visit(servent_address(7)));
    let out = told.mind.pass_and_see(GREETING_WAIT_MAX);
    let (link, greeted) = greeted_in(&out);
    assert_eq!((link, greeted.outcome), (client, GreetOutcome::Unreached));
    assert_eq!(told.word(7), Some(Word::Online), "it may say hello yet");
    told.pass_with(&[one, other], HELLO_WAIT_MAX - GREETING_WAIT_MAX + NEIGHBOR_BEAT);
    assert_eq!(told.word(7), Some(Word::Suspect));
    told.pass_with(&[one, other], NEIGHBOR_QUIET_MAX);
    assert_eq!(told.word(7), Some(Word::Failed));
}

/// It was stopped, and goes on once the client was answered; then it is greeted again.
#[test]
fn whoever_says_hello_once_the_client_waits_no_more_is_met_when_it_is_greeted_again() {
    let (mut told, _, client) = one_told_of();
    let (call, _) = told.mind.dialled(visit(servent_address(7)));
    told.mind.pass(GREETING_WAIT_MAX);
    let out = told.hear(call, Message::Hello(hello_of_members(7)));
    assert_eq!(out, goodbye(call, Goodbye::Idle), "nobody waits for it");
    assert_eq!(told.greet(client, servent_address(7)), [dialled(servent_address(7))]);
    let (call, _) = told.mind.dialled(visit(servent_address(7)));
    told.hear(call, Message::Hello(hello_of_members(7)));
    let out = told.hear(call, peers(PeersKind::LastPage, vec![]));
    assert_eq!(greeted_in(&out).1.outcome, GreetOutcome::Met);
}

/// A client leaves; another need not wait for what was to be told to the first, at whatever point the visit is.
#[test]
fn what_a_client_that_has_left_had_greeted_another_may_have_greeted_at_once() {
    for is_open in [true, false] {
        let (mut told, links, client) = one_told_of();
        let (call, _) = told.mind.dialled(visit(servent_address(7)));
        if is_open {
            told.hear(call, Message::Hello(hello_of_members(7)));
        }
        told.mind.closed(client);
        assert_eq!(told.mind.held("greetings"), 0);
        let other = told.client_at("127.0.0.1");
        told.greet(other, servent_address(7));
        if !is_open {
            told.hear(call, Message::Hello(hello_of_members(7)));
        }
        let out = told.hear(call, peers(PeersKind::LastPage, vec![]));
        let (link, greeted) = greeted_in(&out);
        assert_eq!((link, greeted.outcome), (other, GreetOutcome::Met), "{is_open}: {out:?}");
        let _ = links;
    }
}

/// It waits for as long as anybody, though it shares a dial with one that waited before.
#[test]
fn whoever_has_the_same_greeted_as_a_client_that_has_left_waits_its_own_time() {
    let (mut told, _, client) = one_told_of();
    let (call, _) = told.mind.dialled(visit(servent_address(7)));
    told.mind.pass(GREETING_WAIT_MAX - seconds(1));
    told.mind.closed(client);
    let other = told.client_at("127.0.0.1");
    told.greet(other, servent_address(7));
    let out = told.mind.pass_and_see(GREETING_WAIT_MAX - milliseconds(1));
    assert!(!out.iter().any(|output| matches!(output, Output::Send { link, .. } if *link == other)), "{out:?}");
    told.hear(call, Message::Hello(hello_of_members(7)));
    let out = told.hear(call, peers(PeersKind::LastPage, vec![]));
    assert_eq!((greeted_in(&out).0, greeted_in(&out).1.outcome), (other, GreetOutcome::Met));
}

#[test]
fn one_that_is_greeted_in_vain_is_suspect_though_the_client_has_left() {
    let (mut told, [one, other], client) = one_told_of();
    told.mind.closed(client);
    told.mind.tell(links::refused(7));
    assert_eq!(told.word(7), Some(Word::Suspect));
    assert_eq!(told.words_told(NEWS_PAUSE), [one, other].map(|link| (link, servent_address(7), Word::Suspect)));
}

#[test]
fn a_servent_without_links_makes_nothing_of_a_greeting_in_vain() {
    let mut told = Told::new();
    let one = told.neighbor(1);
    told.hear(one, news(&[member(7, 5, Word::Online)]));
    told.mind.closed(one);
    let client = told.client_at("127.0.0.1");
    told.greet(client, servent_address(7));
    told.mind.tell(links::refused(7));
    assert_eq!(told.word(7), Some(Word::Online));
}

/// Where it was not its turn to be dialled, nothing is known of it.
#[test]
fn whoever_was_not_dialled_when_it_was_to_be_greeted_is_not_suspected() {
    let (mut told, [one, other], client) = one_told_of();
    let mut is_dialled = true;
    for _ in 0..10 {
        if is_dialled {
            // Each failure doubles the pause before the next dial. It is there, as others say.
            told.mind.tell(links::unreached(7));
            let clock = told.clock();
            told.hear(one, news(&[member(7, clock, Word::Online)]));
        }
        told.quieten(&[one, other]);
        assert_eq!(told.word(7), Some(Word::Online));
        let out = told.greet(client, servent_address(7));
        is_dialled = out.contains(&dialled(servent_address(7)));
        let begun = told.mind.now;
        while !is_dialled && told.mind.now.since(begun) < GREETING_WAIT_MAX {
            is_dialled = told.mind.pass_and_see(NEWS_PAUSE).contains(&dialled(servent_address(7)));
            [one, other].into_iter().for_each(|link| drop(told.mind.hear(link, Message::Pong)));
        }
        if !is_dialled {
            assert_eq!(told.word(7), Some(Word::Online));
            return;
        }
    }
    panic!("it is dialled however often it failed");
}

/// What is heard on a link counts more than a dial that was in vain.
#[test]
fn a_neighbor_that_refuses_to_be_greeted_is_there_as_long_as_its_link_stands() {
    let (mut told, [one]) = Told::linked();
    let client = told.client_at("127.0.0.1");
    told.greet(client, servent_address(1));
    let out = told.mind.tell(links::refused(1));
    assert_eq!(greeted_in(&out).1.now.map(|now| now.word), Some(Word::Online));
    assert_eq!(told.words_told(NEWS_PAUSE), []);
    let _ = one;
}
