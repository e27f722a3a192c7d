//! Values that are too long to be brought: fetched where they are, or said to be missing.

use super::*;
use common::features::Features;
use common::limits::{FETCH_ADDRESSES_MAX, FETCH_WAIT_MAX, FETCHES_MAX, FETCHES_WAITING_MAX};
use common::session::FetchId;

/// How long the values are that are announced here.
const BYTES: u64 = 7_000;

/// The link of the first fetch.
const FETCH: LinkId = LinkId(500);

fn announced(sequence: u64, servent: u8) -> Message {
    handed_as(sequence, servent, BroughtBody::Announced(BYTES))
}

fn announced_at(sequence: u64, id: u128, from: SocketAddr) -> Message {
    let answer = BroughtAnswer { id: ServentId(id), from, name: None, hops: 2, body: BroughtBody::Announced(BYTES) };
    Message::Handed(Handed { sequence, answer: Arc::new(answer) })
}

fn dial(fetch: u64, servent: u8) -> Output {
    Output::Dial { fetch: FetchId(fetch), address: address(servent) }
}

fn unfetched(servent: u8, reason: &str) -> Output {
    unfetched_at(address(servent), reason)
}

fn unfetched_at(from: SocketAddr, reason: &str) -> Output {
    Output::Tell(Report::Unfetched { sequence: nth(0), from, bytes_count: BYTES, reason: reason.to_owned() })
}

/// The hello of one that hears no answers.
fn fetching_hello() -> Message {
    Message::Hello(Hello::new(Role::Client { answer_port: 0 }))
}

/// What is asked of the servent alone.
fn alone(sequence: u64) -> Message {
    Message::Request(Request { sequence, ask: tea(), ttl: Some(0) })
}

impl Mind {
    /// One that has asked, and to whom servent 2 announced a value: the dial is under way.
    fn fetching() -> Mind {
        let mut mind = Mind::asking(None);
        assert_eq!(mind.hear(CONTACT, announced(nth(0), 2)), [dial(0, 2)]);
        mind
    }

    /// The same where the servent was reached.
    fn fetching_over_a_link() -> Mind {
        let mut mind = Mind::fetching();
        assert_eq!(mind.dialled(0, FETCH), [send(FETCH, fetching_hello())]);
        mind
    }

    /// The same where it was asked, under the second sequence.
    fn fetching_with_a_question() -> Mind {
        let mut mind = Mind::fetching_over_a_link();
        assert_eq!(mind.hear(FETCH, servent_hello(2)), [send(FETCH, alone(nth(1)))]);
        mind
    }

    fn dialled(&mut self, fetch: u64, link: LinkId) -> Vec<Output> {
        self.tell(Input::Dialled { fetch: FetchId(fetch), link })
    }

    fn dial_failed(&mut self, fetch: u64) -> Vec<Output> {
        self.tell(Input::DialFailed { fetch: FetchId(fetch), reason: "nobody is there".to_owned() })
    }
}

#[test]
fn a_value_that_is_announced_is_fetched_where_it_is() {
    let mut mind = Mind::fetching_with_a_question();
    // The flood is over, and this one is on its way.
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole_back(1))), []);
    mind.now = mind.now + Duration::from_secs(1);
    let elapsed = Duration::from_secs(1);
    let end = ended(EndReason::Complete, 1, Some(whole_back(1)), elapsed);
    let out = mind.hear(FETCH, answer(nth(1)));
    assert_eq!(out, [Output::Close { link: FETCH }, heard_back(2, elapsed), end]);
    assert_eq!((mind.session.pending_count(), mind.session.deadline()), (0, None));
    assert_eq!(mind.hear(FETCH, finished(nth(1), whole(1))), [], "that link is gone");
    assert_eq!(mind.ask(), [send(CONTACT, request(nth(2)))], "the sequence was used");
}

#[test]
fn a_value_that_comes_before_the_contacts_word_is_an_answer_like_others() {
    let mut mind = Mind::fetching_with_a_question();
    let out = mind.hear(FETCH, answer(nth(1)));
    assert_eq!(out, [Output::Close { link: FETCH }, heard_back(2, Duration::ZERO)]);
    assert_eq!(mind.hear(CONTACT, announced(nth(0), 2)), [], "it has answered");
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [unexpected(2, "answer")]);
    let end = ended(EndReason::Complete, 1, Some(whole_back(1)), Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole_back(1))), [end]);
    // As many as were wanted.
    let mut mind = Mind::asking(Some(1));
    mind.hear(CONTACT, announced(nth(0), 2));
    mind.dialled(0, FETCH);
    mind.hear(FETCH, servent_hello(2));
    assert_eq!(ending_in(&mind.hear(FETCH, answer(nth(1)))).reason, EndReason::Answers);
}

#[test]
fn a_value_that_cannot_be_fetched_is_missing_and_named() {
    type Failing = fn(&mut Mind) -> Vec<Output>;
    type Begin = fn() -> Mind;
    let failed: [(Begin, Failing, &str); 9] = [
        (Mind::fetching, |mind| mind.dial_failed(0), "nobody is there"),
        (Mind::fetching_over_a_link, |mind| mind.closed(FETCH), "a test"),
        (
            Mind::fetching_over_a_link,
            |mind| mind.hear(FETCH, servent_hello(3)),
            "another servent is there now, or it was started anew",
        ),
        (
            Mind::fetching_over_a_link,
            |mind| mind.hear(FETCH, nameless_hello()),
            "another servent is there now, or it was started anew",
        ),
        (
            Mind::fetching_over_a_link,
            |mind| {
                let Message::Hello(hello) = servent_hello(2) else { panic!("no hello") };
                mind.hear(FETCH, Message::Hello(Hello { features: Features::BACK, ..hello }))
            },
            "it cannot be asked alone: it is too old for that",
        ),
        (
            Mind::fetching_over_a_link,
            |mind| mind.hear(FETCH, Message::Goodbye(Goodbye::Full)),
            "it said goodbye, because it has as many links as it takes",
        ),
        (
            Mind::fetching_with_a_question,
            |mind| mind.tell(Input::Malformed { link: FETCH, error: WireError::Unfinished }),
            "a frame that was begun and not ended within 10 s",
        ),
        (Mind::fetching_with_a_question, |mind| mind.closed(FETCH), "a test"),
        (
            Mind::fetching_with_a_question,
            |mind| mind.hear(FETCH, finished(nth(1), whole(0))),
            "it does not have it any more",
        ),
    ];
    for (fetching, fail, reason) in failed {
        for is_over in [false, true] {
            let mut mind = fetching();
            if is_over {
                assert_eq!(mind.hear(CONTACT, finished(nth(0), whole_back(1))), []);
            }
            let mut out = fail(&mut mind);
            out.retain(|output| *output != Output::Close { link: FETCH });
            if !is_over {
                out.extend(mind.hear(CONTACT, finished(nth(0), whole_back(1))));
            }
            let end = ended(EndReason::Incomplete, 0, Some(whole_back(1)), Duration::ZERO);
            assert_eq!(out, [unfetched(2, reason), end]);
            assert_eq!(mind.hear(FETCH, Message::Ping), [], "that link is gone");
            assert_eq!(mind.session.deadline(), None);
        }
    }
}

#[test]
fn whoever_does_not_say_hello_in_time_has_no_value_to_give() {
    let mut mind = Mind::fetching();
    assert_eq!(mind.pass(FETCH_WAIT_MAX - TICK), []);
    assert_eq!(mind.pass(TICK), [unfetched(2, "it could not be reached within 2 s")]);
    assert_eq!(mind.dialled(0, FETCH), [Output::Close { link: FETCH }], "that is too late");
    // Its time is one from the dial to the hello.
    let mut mind = Mind::fetching();
    mind.pass(FETCH_WAIT_MAX - TICK);
    mind.dialled(0, FETCH);
    let out = mind.pass(TICK);
    assert_eq!(out, [Output::Close { link: FETCH }, unfetched(2, "it did not say hello within 2 s")]);
    let before = unfetched(2, "nobody could be asked there before");
    assert_eq!(mind.hear(CONTACT, announced_at(nth(0), 77, address(2))), [before]);
    // Whoever has said hello in time is asked, and has its own time for that.
    let mut mind = Mind::fetching_over_a_link();
    mind.pass(FETCH_WAIT_MAX - TICK);
    mind.hear(FETCH, servent_hello(2));
    assert_eq!(mind.pass(FETCH_WAIT_MAX), []);
    assert_eq!(mind.hear(FETCH, answer(nth(1))).len(), 2);
}

/// As many as may be under way are, each at a place of its own, over the link of its number.
fn held_up() -> Mind {
    let mut mind = Mind::asking(None);
    for number in 0..FETCHES_MAX as u64 {
        assert_eq!(mind.hear(CONTACT, announced_at(nth(0), id_of(number), place(number))), [dial_at(number)]);
        let link = link_of(number);
        assert_eq!(mind.dialled(number, link), [send(link, fetching_hello())]);
    }
    mind
}

fn id_of(number: u64) -> u128 {
    100 + u128::from(number)
}

fn place(number: u64) -> SocketAddr {
    SocketAddr::from(([10, 1, 0, 1], 1_000 + u16::try_from(number).unwrap()))
}

fn link_of(number: u64) -> LinkId {
    LinkId(1_000 + number)
}

fn dial_at(number: u64) -> Output {
    Output::Dial { fetch: FetchId(number), address: place(number) }
}

fn hello_of(number: u64) -> Message {
    Message::Hello(Hello::new(Role::Servent { id: ServentId(id_of(number)), advertised: place(number) }))
}

#[test]
fn servents_that_accept_and_say_nothing_keep_no_other_value_waiting() {
    let mut mind = held_up();
    let held = FETCHES_MAX as u64;
    assert_eq!(mind.hear(CONTACT, announced_at(nth(0), id_of(held), place(held))), []);
    assert_eq!(mind.pass(FETCH_WAIT_MAX - TICK), []);
    mind.now = mind.now + TICK;
    let out = mind.tell(Input::Deadline);
    assert!(out.contains(&dial_at(held)), "{out:?}");
    assert_eq!(out.len(), 2 * FETCHES_MAX + 1, "all of them are over: {out:?}");
    let link = link_of(held);
    mind.dialled(held, link);
    assert_eq!(mind.hear(link, hello_of(held)), [send(link, alone(nth(1)))]);
    let out = mind.hear(link, answer(nth(1)));
    assert!(matches!(out[..], [Output::Close { .. }, Output::Tell(Report::Answer { .. })]), "{out:?}");
}

#[test]
fn servents_that_say_hello_and_then_nothing_keep_no_other_value_waiting() {
    let late = "it did not give it within 2 s";
    let given_up = |number| [Output::Close { link: link_of(number) }, unfetched_at(place(number), late)];
    let mut mind = held_up();
    for number in 0..FETCHES_MAX as u64 {
        assert_eq!(mind.hear(link_of(number), hello_of(number)), [send(link_of(number), alone(nth(1 + number)))]);
    }
    // While nobody waits for their places they may be slow.
    assert_eq!(mind.pass(FETCH_WAIT_MAX - TICK), []);
    let held = FETCHES_MAX as u64;
    assert_eq!(mind.hear(CONTACT, announced_at(nth(0), id_of(held), place(held))), []);
    let out = mind.pass(TICK);
    assert_eq!(out, [&given_up(0)[..], &[dial_at(held)]].concat(), "one makes room for one");
    // Whoever comes when they have had their time has the place of one at once.
    let next = held + 1;
    let out = mind.hear(CONTACT, announced_at(nth(0), id_of(next), place(next)));
    assert_eq!(out, [&given_up(1)[..], &[dial_at(next)]].concat());
    assert_eq!(mind.hear(link_of(2), answer(nth(3))).len(), 2, "what comes late is taken all the same");
}

#[test]
fn a_fetch_goes_on_for_as_long_as_its_query_waits() {
    let short = FETCH_WAIT_MAX / 2;
    for (stage, silence_max) in [short, short, SILENCE_DEFAULT].into_iter().enumerate() {
        let mut mind = Mind::ready(None);
        mind.ask_for(Question { silence_max, ..Question::new(tea()) });
        mind.hear(CONTACT, announced(nth(0), 2));
        if stage > 0 {
            mind.dialled(0, FETCH);
        }
        if stage > 1 {
            mind.hear(FETCH, servent_hello(2));
        }
        mind.hear(CONTACT, finished(nth(0), whole_back(1)));
        assert_eq!(mind.pass(silence_max - TICK), []);
        let mut out = mind.pass(TICK);
        out.retain(|output| *output != Output::Close { link: FETCH });
        let end = ended(EndReason::Silence, 0, Some(whole_back(1)), silence_max);
        assert_eq!(out, [unfetched(2, "it did not come in time"), end]);
        assert_eq!(mind.session.deadline(), None);
        // What was under way is not wanted any more.
        let later = LinkId(501);
        assert_eq!(mind.dialled(0, later), [Output::Close { link: later }]);
        assert_eq!(mind.dial_failed(0), []);
        assert_eq!(mind.hear(FETCH, Message::Ping), [], "that link is gone");
    }
    // With each value the wait begins anew.
    let mut mind = Mind::fetching_with_a_question();
    let (other, second) = (LinkId(501), nth(2));
    mind.hear(CONTACT, announced(nth(0), 3));
    mind.dialled(1, other);
    assert_eq!(mind.hear(other, servent_hello(3)), [send(other, alone(second))]);
    mind.pass(SILENCE_DEFAULT - TICK);
    mind.hear(FETCH, answer(nth(1)));
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    let out = mind.closed(other);
    assert_eq!(out, [unfetched(3, "a test")]);
    // And with what is announced: it is an answer that has come so far.
    let mut mind = Mind::asking(None);
    mind.pass(SILENCE_DEFAULT - TICK);
    mind.hear(CONTACT, announced(nth(0), 2));
    mind.dialled(0, FETCH);
    assert_eq!(mind.hear(FETCH, servent_hello(2)), [send(FETCH, alone(nth(1)))]);
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
}

#[test]
fn a_query_that_nobody_wants_any_more_fetches_nothing() {
    let mut mind = Mind::fetching_with_a_question();
    let end = ended(EndReason::Cancelled, 0, None, Duration::ZERO);
    assert_eq!(mind.cancel(nth(0)), [Output::Close { link: FETCH }, end]);
    let mut mind = Mind::asking(Some(1));
    mind.hear(CONTACT, announced(nth(0), 2));
    let end = ended(EndReason::Answers, 1, None, Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, handed(nth(0), 3)), [heard_back(3, Duration::ZERO), end]);
    assert_eq!(mind.dialled(0, FETCH), [Output::Close { link: FETCH }]);
}

#[test]
fn a_value_is_fetched_once_of_a_servent_and_not_at_all_where_it_came_meanwhile() {
    let mut mind = Mind::fetching();
    for _ in 0..3 {
        assert_eq!(mind.hear(CONTACT, announced(nth(0), 2)), [], "it is being fetched");
    }
    // For another query it is another value.
    mind.ask();
    assert_eq!(mind.hear(CONTACT, announced(nth(1), 2)), [dial(1, 2)]);
    assert_eq!(mind.dial_failed(0), [unfetched(2, "nobody is there")]);
    assert_eq!(mind.hear(CONTACT, announced(nth(0), 2)), [], "it was tried");
    // Its dial to us may have worked after all.
    let mut mind = Mind::fetching();
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [heard(2, Duration::ZERO)]);
    assert_eq!(mind.dial_failed(0), [], "nothing is missing");
    let mut mind = Mind::fetching_with_a_question();
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [heard(2, Duration::ZERO)]);
    assert_eq!(mind.hear(FETCH, answer(nth(1))), [Output::Close { link: FETCH }], "that was told");
}

#[test]
fn a_false_address_of_a_servent_does_not_shut_out_the_true_one() {
    let falsely = address(66);
    let forged = || announced_at(nth(0), 2, falsely);
    for is_over in [false, true] {
        let mut mind = Mind::asking(None);
        assert_eq!(mind.hear(CONTACT, forged()), [Output::Dial { fetch: FetchId(0), address: falsely }]);
        let at_false = LinkId(501);
        if is_over {
            assert_eq!(mind.dial_failed(0), [unfetched_at(falsely, "nobody is there")]);
        } else {
            mind.dialled(0, at_false);
        }
        assert_eq!(mind.hear(CONTACT, announced(nth(0), 2)), [dial(1, 2)]);
        assert_eq!(mind.hear(CONTACT, forged()), [], "that one was tried");
        mind.dialled(1, FETCH);
        mind.hear(FETCH, servent_hello(2));
        let mut out = mind.hear(FETCH, answer(nth(1)));
        // Nobody is looked for elsewhere any more.
        assert_eq!(out.contains(&Output::Close { link: at_false }), !is_over);
        out.retain(|output| !matches!(output, Output::Close { .. }));
        assert_eq!(out, [heard_back(2, Duration::ZERO)]);
        let end = ended(EndReason::Complete, 1, Some(whole_back(1)), Duration::ZERO);
        assert_eq!(mind.hear(CONTACT, finished(nth(0), whole_back(1))), [end], "it counts once");
        assert_eq!(mind.session.deadline(), None);
    }
    // While it may come from elsewhere it is not missing, and then it is once.
    let mut mind = Mind::asking(None);
    mind.hear(CONTACT, forged());
    mind.hear(CONTACT, announced(nth(0), 2));
    assert_eq!(mind.hear(CONTACT, announced_at(nth(0), 2, SocketAddr::from(([10, 0, 0, 9], 0)))), []);
    assert_eq!(mind.dial_failed(0), []);
    assert_eq!(mind.dial_failed(1), [unfetched(2, "nobody is there")]);
    // So it is where nothing comes of either in time.
    let mut mind = Mind::ready(None);
    mind.ask_for(Question { silence_max: FETCH_WAIT_MAX / 2, ..Question::new(tea()) });
    mind.hear(CONTACT, forged());
    mind.hear(CONTACT, announced(nth(0), 2));
    let out = mind.pass(FETCH_WAIT_MAX / 2);
    let end = ended(EndReason::Silence, 0, None, FETCH_WAIT_MAX / 2);
    assert_eq!(out, [unfetched_at(falsely, "it did not come in time"), end]);
}

#[test]
fn a_servent_is_looked_for_at_so_many_addresses_and_no_more() {
    let mut mind = Mind::asking(None);
    for number in 0..FETCH_ADDRESSES_MAX as u64 {
        assert_eq!(mind.hear(CONTACT, announced_at(nth(0), 2, place(number))), [dial_at(number)]);
    }
    let more = FETCH_ADDRESSES_MAX as u64;
    assert_eq!(mind.hear(CONTACT, announced_at(nth(0), 2, place(more))), []);
    // Others are looked for there, and it is for another query.
    assert_eq!(mind.hear(CONTACT, announced_at(nth(0), 3, place(more))), [dial_at(more)]);
    mind.ask();
    assert_eq!(mind.hear(CONTACT, announced_at(nth(1), 2, place(more + 1))), [dial_at(more + 1)]);
}

#[test]
fn on_the_link_of_a_fetch_nothing_else_is_believed() {
    let mut mind = Mind::fetching_with_a_question();
    let place = AnswerBody::Place { path: Path::default(), neighbors: Vec::new() };
    let answered = |sequence, asked, body| Message::Answer(Answer { sequence, asked, hops: 0, body });
    for (message, name) in [
        // Not even to what is pending, which others are asked.
        (answer(nth(0)), "answer"),
        (handed(nth(0), 3), "handed"),
        (finished(nth(0), whole_back(0)), "finished"),
        (finished(nobodys(1), whole_back(0)), "finished"),
        (answered(nth(1), Some(AskHash(7)), green()), "answer"),
        (answered(nth(1), Some(AskHash::of(&tea())), place), "answer"),
        (Message::Pong, "pong"),
    ] {
        assert_eq!(mind.hear(FETCH, message.clone()), [unexpected(2, name)], "{message:?}");
    }
    assert_eq!(mind.hear(FETCH, Message::Ping), [send(FETCH, Message::Pong)]);
    // Nor is what is asked there answered from elsewhere.
    assert_eq!(mind.hear(OTHER, answer(nth(1))), [unexpected(2, "answer")]);
    assert_eq!(mind.hear(CONTACT, handed(nth(1), 3)), [unexpected(1, "handed")]);
    assert_eq!(mind.hear(FETCH, answer(nth(1))).len(), 2);
    // Before it was asked there is nothing to say either.
    let mut mind = Mind::fetching_over_a_link();
    let out = mind.hear(FETCH, answer(nth(0)));
    let closes = [send(FETCH, Message::Goodbye(Goodbye::Protocol)), Output::Close { link: FETCH }];
    assert_eq!(out[..2], closes);
    assert_eq!(out[2], unfetched(2, "it sent a answer before saying hello as a servent"));
}

#[test]
fn nobody_is_dialled_where_only_this_machine_or_a_crowd_is() {
    let elsewhere = "it is at an address that means nobody from here";
    let named = |text: &str| text.parse::<SocketAddr>().unwrap();
    for (contact, from, is_dialled) in [
        ("192.0.2.7:9000", "192.0.2.8:9000", true),
        ("192.0.2.7:9000", "10.0.0.8:9000", true),
        ("192.0.2.7:9000", "[2001:db8::8]:9000", true),
        ("127.0.0.1:9000", "192.0.2.8:9000", true),
        ("127.0.0.1:9000", "127.0.0.1:9001", true),
        ("127.0.0.1:9000", "[::1]:9001", true),
        ("[::1]:9000", "127.0.0.2:9001", true),
        ("192.0.2.7:9000", "127.0.0.1:9001", false),
        ("192.0.2.7:9000", "127.9.9.9:9001", false),
        ("192.0.2.7:9000", "[::1]:9001", false),
        ("192.0.2.7:9000", "[::ffff:127.0.0.1]:9001", false),
        ("192.0.2.7:9000", "[::ffff:0.0.0.0]:9001", false),
        ("127.0.0.1:9000", "0.0.0.0:9001", false),
        ("127.0.0.1:9000", "[::]:9001", false),
        ("127.0.0.1:9000", "127.0.0.1:0", false),
        ("192.0.2.7:9000", "224.0.0.1:9001", false),
        ("192.0.2.7:9000", "[ff02::1]:9001", false),
        ("192.0.2.7:9000", "255.255.255.255:9001", false),
    ] {
        let mut mind = Mind::new(None);
        // Whatever it says of itself.
        mind.tell(Input::Attached { link: CONTACT, contact: named(contact) });
        mind.hear(CONTACT, servent_hello(1));
        mind.ask();
        let out = mind.hear(CONTACT, announced_at(nth(0), 2, named(from)));
        let dialled = Output::Dial { fetch: FetchId(0), address: named(from) };
        let expected = if is_dialled { dialled } else { unfetched_at(named(from), elsewhere) };
        assert_eq!(out, [expected], "{from} by way of {contact}");
    }
}

#[test]
fn so_many_are_fetched_at_once_and_the_others_wait_for_their_turn() {
    let mut mind = Mind::asking(None);
    let (at_once, waiting) = (FETCHES_MAX as u64, FETCHES_WAITING_MAX as u64);
    let place = |number: u64| SocketAddr::from(([10, 1, 0, 1], 1_000 + u16::try_from(number).unwrap()));
    let announce =
        |mind: &mut Mind, number| mind.hear(CONTACT, announced_at(nth(0), 100 + u128::from(number), place(number)));
    let dial = |number| Output::Dial { fetch: FetchId(number), address: place(number) };
    for number in 0..at_once {
        assert_eq!(announce(&mut mind, number), [dial(number)]);
    }
    for number in at_once..at_once + waiting {
        assert_eq!(announce(&mut mind, number), []);
    }
    // One more is too many, and said to be missing.
    let beyond = at_once + waiting;
    assert_eq!(announce(&mut mind, beyond), [unfetched_at(place(beyond), "too many values wait to be fetched")]);
    // One that is over makes room for the next, in the order in which they were announced, and for one more to wait.
    assert_eq!(mind.dial_failed(3), [unfetched_at(place(3), "nobody is there"), dial(at_once)]);
    assert_eq!(announce(&mut mind, beyond + 1), []);
    // Another query has its turn when those of this one are over.
    mind.ask();
    assert_eq!(mind.hear(CONTACT, announced(nth(1), 2)), [unfetched_of(nth(1), 2)]);
    let out = mind.cancel(nth(0));
    assert_eq!(out.len(), 1, "what waited is not told of: {out:?}");
    assert_eq!(mind.hear(CONTACT, announced(nth(1), 3)).len(), 1);
}

fn unfetched_of(sequence: u64, servent: u8) -> Output {
    let reason = "too many values wait to be fetched".to_owned();
    Output::Tell(Report::Unfetched { sequence, from: address(servent), bytes_count: BYTES, reason })
}

#[test]
fn an_address_where_nobody_was_is_not_dialled_again_for_the_same_query() {
    let mut mind = Mind::fetching();
    // Somebody makes up servents there, before and after it is known: whoever is there would be dialled for each.
    assert_eq!(mind.hear(CONTACT, announced_at(nth(0), 77, address(2))), [dial(1, 2)]);
    let before = "nobody could be asked there before";
    assert_eq!(mind.dial_failed(0), [unfetched(2, "nobody is there")]);
    assert_eq!(mind.hear(CONTACT, announced_at(nth(0), 78, address(2))), [unfetched(2, before)]);
    assert_eq!(mind.hear(CONTACT, announced(nth(0), 3)), [Output::Dial { fetch: FetchId(2), address: address(3) }]);
    mind.ask();
    let out = mind.hear(CONTACT, announced_at(nth(1), 79, address(2)));
    assert!(matches!(out[..], [Output::Dial { .. }]), "another query tries again: {out:?}");
    // Those that wait for their turn are not dialled either.
    let mut mind = Mind::asking(None);
    for number in 0..=FETCHES_MAX as u128 {
        mind.hear(CONTACT, announced_at(nth(0), 100 + number, address(2)));
    }
    assert_eq!(mind.dial_failed(0), [unfetched(2, "nobody is there"), unfetched(2, before)]);
    // Who says hello there is somebody, if not the one that was looked for.
    let mut mind = Mind::fetching_over_a_link();
    mind.hear(FETCH, servent_hello(9));
    assert_eq!(mind.hear(CONTACT, announced_at(nth(0), 9, address(2))), [dial(1, 2)]);
}

#[test]
fn when_the_contact_is_lost_what_is_being_fetched_is_fetched_all_the_same() {
    let mut mind = Mind::fetching_with_a_question();
    mind.closed(CONTACT);
    let out = mind.hear(FETCH, answer(nth(1)));
    assert_eq!(out, [Output::Close { link: FETCH }, heard_back(2, Duration::ZERO)]);
}

#[test]
fn the_sequence_of_a_fetch_is_nobody_elses_and_is_not_drawn_again_at_once() {
    // Under this secret two of the first 140 are the same.
    let (colliding, first, second) = (Secret::of_seed(4_835), 106, 139);
    let drawn = |place| colliding.nth(place) >> 33;
    assert_eq!(drawn(first), drawn(second));
    for is_over in [false, true] {
        let mut mind = Mind { session: Session::new(Dialect::Native, PORT, colliding), ..Mind::new(None) };
        mind.attach();
        mind.hear(CONTACT, servent_hello(1));
        for place in 0..first {
            assert_eq!(mind.asked(), drawn(place));
        }
        mind.hear(CONTACT, announced(drawn(0), 2));
        mind.dialled(0, FETCH);
        assert_eq!(mind.hear(FETCH, servent_hello(2)), [send(FETCH, alone(drawn(first)))]);
        if is_over {
            mind.closed(FETCH);
        }
        for place in first + 1..second {
            assert_eq!(mind.asked(), drawn(place));
        }
        assert_eq!(mind.asked(), drawn(second + 1), "the next is taken instead");
    }
}
