//! An errand that only tests have: to greet a servent that is no neighbor, hear its hello and say goodbye.
//!
//! It shows what it takes to add one: its row in `errand`, this room, and an arm in `rooms` that tells it what came of its
//! calls and has done what it wishes for then. Its customs are what those of answers are not: this end says hello first, the one called for is a servent's, and
//! what is said there is heard.

use std::net::SocketAddr;

use super::errand::{CallEvent, Letter, Wish};
use crate::message::Message;
use crate::time::Time;

#[derive(Debug)]
pub(super) struct Greetings {
    /// What came of each call, in order.
    pub(super) events: Vec<(SocketAddr, CallEvent)>,
    /// What there is to be done about what came of one.
    pub(super) wishes: fn(Time, &CallEvent) -> Vec<Wish>,
}

impl Default for Greetings {
    fn default() -> Greetings {
        Greetings { events: Vec::new(), wishes: say_goodbye }
    }
}

impl Greetings {
    pub(super) fn on_call(&mut self, now: Time, to: SocketAddr, event: CallEvent) -> Vec<Wish> {
        let wishes = (self.wishes)(now, &event);
        self.events.push((to, event));
        wishes
    }
}

/// Once the servent has said that it is there, that was all.
fn say_goodbye(_: Time, event: &CallEvent) -> Vec<Wish> {
    if *event == CallEvent::Heard(Message::Pong) { vec![Wish::End] } else { Vec::new() }
}

/// What is to be said once the servent has said hello.
pub(super) fn letter(number: u64) -> Letter {
    Letter::new(number, Message::Ping)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::address::AnswerAddress;
    use crate::dialect::{Bringing, Dialect};
    use crate::exchange::purpose_of;
    use crate::features::{Features, MADE_UP};
    use crate::key::Key;
    use crate::limits::{
        CALL_ADDRESSES_MAX, CALL_DIALS_MAX, CALL_DIALS_PER_NETWORK_MAX, CALL_LINKS_MAX, CALL_QUEUED_BYTES_MAX,
        CALL_REST_MIN, CALLS_QUEUED_BYTES_MAX, HELLO_WAIT_MAX, VALUE_BYTES_MAX,
    };
    use crate::link::{Link, LinkId, Purpose};
    use crate::message::{Goodbye, Hello, Role, ServentId};
    use crate::overlay::doors::Outbox;
    use crate::overlay::errand::Callee;
    use crate::overlay::{Config, Dial, Errand, Input, Opening, Output, Overlay};
    use crate::query::{Answer, AnswerBody, Ask, AskHash, NEW_VALUE, Path, Query, Tally, Via};
    use crate::store::Store;
    use crate::time::Time;
    use crate::wire::{Accepts, WireError};

    const NEIGHBOR: LinkId = LinkId(1);
    /// Of the row.
    const KEPT: Duration = Duration::from_secs(1);

    /// A servent's mind, the time it lives in, and what its neighbor asked so far.
    struct Mind {
        overlay: Overlay,
        now: Time,
        links_count: u64,
        asked_count: u64,
    }

    fn servent(number: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], number))
    }

    /// One port of one network.
    fn at(network: usize, port: usize) -> SocketAddr {
        let [.., b, c, d] = u32::try_from(network).unwrap().to_be_bytes();
        SocketAddr::from((Ipv4Addr::new(11, b, c, d), u16::try_from(port).unwrap()))
    }

    fn without_hello() -> Dialect {
        *Dialect::ALL.iter().find(|dialect| !dialect.manners().answers_hello).unwrap()
    }

    fn greeting(address: SocketAddr) -> Dial {
        Dial::Call(Errand::Greeting, address)
    }

    fn answers(address: SocketAddr) -> Dial {
        Dial::Call(Errand::Answers, address)
    }

    fn dialled(dial: Dial) -> Output {
        let (Dial::Call(_, address), dialect) = (dial, Dialect::OWN) else { panic!("{dial:?} is no call") };
        Output::Dial { dial, address, dialect }
    }

    fn send(link: LinkId, message: Message) -> Output {
        Output::Send { link, message }
    }

    fn hello_of(number: u16) -> Hello {
        Hello::new(Role::Servent { id: ServentId(number.into()), advertised: servent(number) })
    }

    fn hello(number: u16) -> Message {
        Message::Hello(hello_of(number))
    }

    fn client_hello(address: SocketAddr) -> Message {
        Message::Hello(Hello::new(Role::Client { answer_port: address.port() }))
    }

    fn value(sequence: u64, value: &[u8]) -> Message {
        let ask = Ask::Key(Key::new(b"tea").unwrap());
        Message::Answer(Answer {
            sequence,
            asked: Some(AskHash::of(&ask)),
            hops: 1,
            body: AnswerBody::Value(value.to_vec()),
        })
    }

    /// The servent of this number, which holds one key.
    fn mind_with(number: u16, value: &[u8]) -> Mind {
        let config = Config { advertised: servent(number), servent_id: ServentId(number.into()), ..Config::default() };
        let (store, _) = Store::parse([b"tea ", value, b"\n"].concat()).unwrap();
        let overlay = Overlay::new(&config, Arc::new(store));
        Mind { overlay, now: Time::START, links_count: 1, asked_count: 0 }
    }

    /// Servent 1, which has a neighbor.
    fn mind() -> Mind {
        mind_beside_a_neighbor(b"green")
    }

    fn mind_beside_a_neighbor(value: &[u8]) -> Mind {
        let mut mind = mind_with(1, value);
        mind.tell(Input::Opened { link: NEIGHBOR, opening: Opening::Accepted(servent(2)) });
        assert_eq!(mind.hear(NEIGHBOR, hello(2)), [send(NEIGHBOR, hello(1))]);
        mind
    }

    impl Mind {
        fn tell(&mut self, input: Input) -> Vec<Output> {
            let mut out = Vec::new();
            self.overlay.handle(self.now, input, &mut out);
            out
        }

        fn hear(&mut self, link: LinkId, message: Message) -> Vec<Output> {
            self.tell(Input::Received { link, stamp: 0, message })
        }

        fn pass(&mut self, duration: Duration) -> Vec<Output> {
            let due = self.now + duration;
            assert!(self.overlay.deadline().is_none_or(|deadline| deadline >= due), "something is due before");
            self.now = due;
            self.tell(Input::Deadline)
        }

        fn say(&mut self, address: SocketAddr, letter: Letter) -> (bool, Vec<Output>) {
            self.say_in(Dialect::OWN, address, letter)
        }

        fn say_in(&mut self, dialect: Dialect, address: SocketAddr, letter: Letter) -> (bool, Vec<Output>) {
            let (now, callee) = (self.now, Callee { errand: Errand::Greeting, address });
            let mut out = Vec::new();
            let refused =
                self.overlay.rooms.rare.make().call(now, &mut Outbox::new(&mut out, None), |calls, out, news| {
                    calls.bring(now, callee, dialect, letter, out, news)
                });
            (refused.is_none(), out)
        }

        /// What greeting this address comes to.
        fn greet(&mut self, address: SocketAddr) -> (bool, Vec<Output>) {
            self.say(address, letter(1))
        }

        /// What an answer for a client at this address comes to.
        fn answer(&mut self, address: SocketAddr) -> (bool, Vec<Output>) {
            self.asked_count += 1;
            let client = AnswerAddress { socket: address, dialect: Dialect::OWN };
            let ask = Ask::Key(Key::new(b"tea").unwrap());
            let query = Query {
                via: Via::Direct,
                sequence: self.asked_count,
                client,
                contact: None,
                ttl: 0,
                hops: 1,
                ask,
                path: Path::default(),
            };
            let mut out = self.hear(NEIGHBOR, Message::query(query));
            let Some(Output::Send { link: NEIGHBOR, message: Message::Echo(echo) }) = out.pop() else {
                panic!("no echo: {out:?}")
            };
            let Tally { answers, lost, .. } = echo.tally;
            assert_eq!(answers + lost, 1);
            (answers == 1, out)
        }

        fn opened(&mut self, dial: Dial) -> (LinkId, Vec<Output>) {
            self.links_count += 1;
            let link = LinkId(self.links_count);
            (link, self.tell(Input::Opened { link, opening: Opening::Dialled(dial) }))
        }

        /// A servent greeted, and its hello heard.
        fn greeted(&mut self, address: SocketAddr) -> LinkId {
            assert_eq!(self.greet(address), (true, vec![dialled(greeting(address))]));
            let (link, out) = self.opened(greeting(address));
            assert_eq!(out, [send(link, hello(1))], "who greets speaks first");
            assert_eq!(self.hear(link, hello(3))[0], send(link, Message::Ping));
            self.events();
            link
        }

        fn failed(&mut self, dial: Dial) -> Vec<Output> {
            self.tell(Input::DialFailed { dial, refused: true, reason: "it is a test".to_owned() })
        }

        /// What came of greetings since that was last asked.
        fn events(&mut self) -> Vec<(SocketAddr, CallEvent)> {
            std::mem::take(&mut self.overlay.rooms.rare.make().errands.greetings.events)
        }

        /// What greetings wish for from now on.
        fn wishes(&mut self, wishes: fn(Time, &CallEvent) -> Vec<Wish>) {
            self.overlay.rooms.rare.make().errands.greetings.wishes = wishes;
        }

        /// Whoever is greeted from now on is not said goodbye to.
        fn stays(&mut self) {
            self.wishes(|_, _| Vec::new());
        }

        /// Ends the greeting of this address.
        fn end(&mut self, address: SocketAddr) -> Vec<Output> {
            let (now, callee) = (self.now, Callee { errand: Errand::Greeting, address });
            let mut out = Vec::new();
            self.overlay.rooms.rare.make().call(now, &mut Outbox::new(&mut out, None), |calls, out, news| {
                calls.grant(now, callee, Wish::End, out, news);
            });
            out
        }

        fn held_of_calls(&self) -> [usize; 4] {
            ["call_addresses", "call_dials", "call_links", "calls_queued_bytes"].map(|name| self.held(name))
        }

        fn held(&self, name: &str) -> usize {
            usize::try_from(self.overlay.holding(name).unwrap()).unwrap()
        }
    }

    fn goodbye(link: LinkId, farewell: Goodbye) -> [Output; 2] {
        [send(link, Message::Goodbye(farewell)), Output::Close { link }]
    }

    fn failed(reason: &str) -> CallEvent {
        let refused = reason == "it is a test";
        CallEvent::Failed { refused, reason: reason.to_owned(), letters: vec![letter(1)] }
    }

    fn ended(letters: Vec<Letter>) -> CallEvent {
        CallEvent::Ended { reason: "its call was ended", letters }
    }

    fn gone(reason: &str) -> CallEvent {
        CallEvent::Gone { reason: reason.to_owned() }
    }

    // ---- the errand ----

    /// Two minds, and the bytes between them.
    #[test]
    fn a_servent_that_is_no_neighbor_is_greeted_heard_and_left() {
        let (mut here, mut there) = (mind_with(1, b"green"), mind_with(3, b"black"));
        let (dial, link) = (greeting(servent(3)), LinkId(7));
        assert_eq!(here.greet(servent(3)), (true, vec![dialled(dial)]));
        let mut ends = [Link::new(Dialect::OWN, purpose_of(dial)), Link::accepted(Accepts::ANY, Purpose::Standing)];
        let mut outputs = [here.tell(Input::Opened { link, opening: Opening::Dialled(dial) }), Vec::new()];
        there.tell(Input::Opened { link, opening: Opening::Accepted(servent(1)) });
        let mut carry = |here: &mut Mind, there: &mut Mind| {
            let mut closed_count = 0;
            while outputs.iter().any(|out| !out.is_empty()) {
                for from in [0, 1] {
                    for output in std::mem::take(&mut outputs[from]) {
                        match output {
                            Output::Send { message, .. } => assert_eq!(ends[from].send(&message), Ok(())),
                            Output::Close { .. } => closed_count += 1,
                            other => panic!("{other:?}"),
                        }
                    }
                    let bytes = ends[from].unsent().to_vec();
                    ends[from].sent(bytes.len());
                    ends[1 - from].receive(&bytes);
                    while let Some(message) = ends[1 - from].next_message().unwrap() {
                        let mind = if from == 0 { &mut *there } else { &mut *here };
                        outputs[1 - from].extend(mind.hear(link, message));
                    }
                }
            }
            closed_count
        };
        assert_eq!(carry(&mut here, &mut there), 2, "each closes its end, at once");
        let events =
            [CallEvent::Reached(hello_of(3)), CallEvent::Said(1), CallEvent::Heard(Message::Pong), ended(vec![])];
        assert_eq!(here.events(), events.map(|event| (servent(3), event)));
        assert_eq!((here.held_of_calls(), here.held("links"), here.held("neighbors")), ([0; 4], 0, 0));
        assert_eq!(there.held("links"), 0);
    }

    #[test]
    fn what_is_to_be_said_to_whoever_cannot_be_greeted_comes_back() {
        // Not a servent's hello, or no hello.
        for (message, reason) in [
            (client_hello(servent(3)), "it sent an unexpected hello"),
            (Message::Pong, "it sent an unexpected pong"),
            (Message::Goodbye(Goodbye::Full), "it said goodbye, because it has as many links as it takes"),
        ] {
            let mut mind = mind();
            mind.greet(servent(3));
            let (link, _) = mind.opened(greeting(servent(3)));
            assert_eq!(mind.hear(link, message), [Output::Close { link }], "{reason}");
            assert_eq!(mind.events(), [(servent(3), failed(reason))]);
        }
        let mut mind = mind();
        mind.greet(servent(3));
        assert_eq!(mind.failed(greeting(servent(3))), []);
        assert_eq!(mind.events(), [(servent(3), failed("it is a test"))]);
        // It is left alone as any address is, and then nobody is there who speaks.
        assert_eq!(mind.greet(servent(3)), (true, vec![]));
        assert_eq!(mind.pass(CALL_REST_MIN), [dialled(greeting(servent(3)))]);
        let (link, _) = mind.opened(greeting(servent(3)));
        mind.now = mind.now + HELLO_WAIT_MAX;
        assert!(mind.tell(Input::Deadline).contains(&Output::Close { link }));
        assert_eq!(mind.events(), [(servent(3), failed("it did not say hello"))]);
        assert_eq!(mind.held("undelivered"), 0, "that is what answers are");
    }

    #[test]
    fn what_ends_a_greeting_that_stood_is_told() {
        let malformed = WireError::Unfinished.to_string();
        for (message, reason) in [
            (Some(client_hello(servent(3))), "it sent an unexpected hello"),
            (Some(Message::Goodbye(Goodbye::Leaving)), "it said goodbye, because it is leaving"),
            (None, malformed.as_str()),
        ] {
            let mut mind = mind();
            mind.stays();
            let link = mind.greeted(servent(3));
            assert_eq!(mind.hear(link, Message::Ping), [send(link, Message::Pong)]);
            assert_eq!(mind.hear(link, Message::Pong), []);
            assert_eq!(mind.events(), [(servent(3), CallEvent::Heard(Message::Pong))]);
            let input = match message {
                Some(message) => Input::Received { link, stamp: 0, message },
                None => Input::Malformed { link, error: WireError::Unfinished },
            };
            assert_eq!(mind.tell(input), [Output::Close { link }], "{reason}");
            assert_eq!(mind.events(), [(servent(3), gone(reason))]);
            // That is no failure: it is dialled at once.
            assert_eq!(mind.greet(servent(3)), (true, vec![dialled(greeting(servent(3)))]));
        }
    }

    #[test]
    fn what_is_heard_keeps_the_link_and_what_is_not_used_ends() {
        let mut mind = mind_with(1, b"green");
        mind.stays();
        let link = mind.greeted(servent(3));
        mind.pass(KEPT / 2);
        mind.hear(link, Message::Pong);
        assert_eq!(mind.pass(KEPT - Duration::from_nanos(1)), []);
        assert_eq!(mind.greet(servent(3)), (true, vec![send(link, Message::Ping)]));
        // To ask whether this end is there is no use of it.
        mind.pass(KEPT / 2);
        assert_eq!(mind.hear(link, Message::Ping), [send(link, Message::Pong)]);
        mind.events();
        assert_eq!(mind.pass(KEPT / 2), goodbye(link, Goodbye::Idle));
        assert_eq!(mind.events(), [(servent(3), gone("it was idle"))]);
    }

    #[test]
    fn what_the_servent_did_not_offer_to_understand_comes_back() {
        let new = || Letter::new(7, value(7, NEW_VALUE));
        for (features, is_understood) in [(Features::NONE, false), (MADE_UP[2], true)] {
            let mut mind = mind();
            assert_eq!(mind.say(servent(3), new()), (true, vec![dialled(greeting(servent(3)))]), "nobody can know yet");
            let (link, _) = mind.opened(greeting(servent(3)));
            let theirs = Hello { features, ..hello_of(3) };
            let out = mind.hear(link, Message::Hello(theirs.clone()));
            let became = if is_understood { CallEvent::Said(7) } else { CallEvent::NotUnderstood(new()) };
            assert_eq!(out == [send(link, new().message)], is_understood, "{out:?}");
            assert_eq!(mind.events(), [CallEvent::Reached(theirs), became].map(|event| (servent(3), event)));
            assert_eq!(mind.say(servent(3), new()).0, is_understood);
        }
    }

    #[test]
    fn a_servent_that_leaves_says_goodbye_to_whom_it_greeted() {
        let mut mind = mind();
        let open = mind.greeted(servent(3));
        mind.greet(servent(4));
        let (silent, _) = mind.opened(greeting(servent(4)));
        let out = mind.tell(Input::Leave);
        let [farewell, close] = goodbye(open, Goodbye::Leaving);
        assert_eq!(out[..3], [farewell, close, Output::Close { link: silent }]);
    }

    /// As answers come to clients of that dialect: whatever it is that is said, it has a connection of its own.
    #[test]
    fn where_nobody_says_hello_each_message_comes_alone_and_is_tried_again() {
        let dialect = without_hello();
        let Bringing::Alone { tries_max, pause } = dialect.manners().answers else { panic!("a link is kept") };
        let (mut mind, place) = (mind_with(1, b"green"), servent(3));
        let dial = || vec![Output::Dial { dial: greeting(place), address: place, dialect }];
        assert_eq!(mind.say_in(dialect, place, letter(1)), (true, dial()));
        assert_eq!(mind.say_in(dialect, place, letter(2)), (true, vec![]));
        // What takes more than everybody understands was offered by nobody there.
        assert_eq!(mind.say_in(dialect, place, Letter::new(3, value(3, NEW_VALUE))), (false, vec![]));
        for _ in 0..tries_max {
            assert_eq!(mind.failed(greeting(place)), []);
            assert_eq!(mind.pass(pause), dial());
        }
        let (link, out) = mind.opened(greeting(place));
        assert_eq!(out[..2], [send(link, Message::Ping), Output::Close { link }]);
        assert_eq!(out[2..], dial(), "and the next");
        assert_eq!(mind.events(), [(place, CallEvent::Said(1))]);
        for _ in 0..tries_max {
            mind.failed(greeting(place));
            mind.pass(pause);
        }
        assert_eq!(mind.failed(greeting(place)), []);
        let letters = vec![letter(2)];
        assert_eq!(
            mind.events(),
            [(place, CallEvent::Failed { refused: true, reason: "it is a test".to_owned(), letters })]
        );
    }

    /// A letter passes by the dialect it was brought for, and is said in that of the call.
    #[test]
    fn what_nobody_offered_to_understand_is_not_said_alone_whatever_dialect_it_was_brought_for() {
        let dialect = without_hello();
        let (mut mind, place) = (mind_with(1, b"green"), servent(3));
        let new = |number| Letter::new(number, value(number, NEW_VALUE));
        let dial = Output::Dial { dial: greeting(place), address: place, dialect };
        assert_eq!(mind.say_in(dialect, place, letter(1)), (true, vec![dial.clone()]));
        assert_eq!(mind.say(place, new(2)), (true, vec![]), "nobody can know yet");
        assert_eq!(mind.say_in(dialect, place, letter(3)), (true, vec![]));
        assert_eq!(mind.say(place, new(4)), (true, vec![]));
        let (link, out) = mind.opened(greeting(place));
        assert_eq!(out, [send(link, Message::Ping), Output::Close { link }, dial.clone()]);
        let (link, out) = mind.opened(greeting(place));
        assert_eq!(out, [send(link, Message::Ping), Output::Close { link }, dial]);
        let (link, out) = mind.opened(greeting(place));
        assert_eq!((out, mind.held_of_calls()), (vec![Output::Close { link }], [0; 4]));
        let not_understood = |number| CallEvent::NotUnderstood(new(number));
        let events = [CallEvent::Said(1), not_understood(2), CallEvent::Said(3), not_understood(4)];
        assert_eq!(mind.events(), events.map(|event| (place, event)));
    }

    // ---- what an errand wishes for ----

    #[test]
    fn whoever_has_the_errand_says_the_next_thing_when_it_has_heard_the_last_and_then_goodbye() {
        let mut mind = mind_with(1, b"green");
        let link = mind.greeted(servent(3));
        mind.wishes(|now, event| match event {
            CallEvent::Heard(Message::Pong) if now < Time::START + KEPT => {
                vec![Wish::Say { dialect: Dialect::OWN, letter: letter(2) }]
            }
            CallEvent::Heard(_) => vec![Wish::End],
            _ => Vec::new(),
        });
        mind.pass(KEPT / 2);
        assert_eq!(mind.hear(link, Message::Pong), [send(link, Message::Ping)]);
        let events = [CallEvent::Heard(Message::Pong), CallEvent::Said(2)];
        assert_eq!(mind.events(), events.map(|event| (servent(3), event)));
        mind.pass(KEPT / 2);
        assert_eq!(mind.hear(link, Message::Pong), goodbye(link, Goodbye::Idle));
        let events = [CallEvent::Heard(Message::Pong), ended(vec![])];
        assert_eq!(mind.events(), events.map(|event| (servent(3), event)));
        assert_eq!(mind.held_of_calls(), [0; 4]);
    }

    #[test]
    fn a_wish_that_is_refused_is_told_and_one_to_call_again_dials() {
        let mut mind = mind();
        let link = mind.greeted(servent(3));
        mind.wishes(|_, event| match event {
            CallEvent::Heard(_) => {
                vec![Wish::Say { dialect: Dialect::OWN, letter: Letter::new(7, value(7, NEW_VALUE)) }]
            }
            CallEvent::Gone { .. } => vec![Wish::Say { dialect: Dialect::OWN, letter: letter(8) }],
            _ => Vec::new(),
        });
        assert_eq!(mind.hear(link, Message::Pong), []);
        let events = [CallEvent::Heard(Message::Pong), CallEvent::Refused(7)];
        assert_eq!(mind.events(), events.map(|event| (servent(3), event)));
        let out = mind.hear(link, Message::Goodbye(Goodbye::Full));
        assert_eq!(out, [Output::Close { link }, dialled(greeting(servent(3)))]);
    }

    #[test]
    fn a_call_that_is_ended_while_it_is_dialled_holds_the_dial_until_that_is_over_and_says_nothing() {
        let mut mind = mind();
        mind.greet(servent(3));
        assert_eq!(mind.end(servent(3)), []);
        assert_eq!(mind.events(), [(servent(3), ended(vec![letter(1)]))]);
        assert_eq!(mind.held_of_calls(), [1, 1, 0, 0]);
        assert_eq!((mind.end(servent(3)), mind.events()), (vec![], vec![]), "once");
        let (link, out) = mind.opened(greeting(servent(3)));
        assert_eq!((out, mind.held_of_calls()), (vec![Output::Close { link }], [0; 4]));
        // A dial that fails is a failure, with nothing to give back, and is not tried again.
        for &dialect in Dialect::ALL {
            mind.say_in(dialect, servent(4), letter(1));
            mind.end(servent(4));
            assert_eq!(mind.failed(greeting(servent(4))), []);
            let failed = CallEvent::Failed { refused: true, reason: "it is a test".to_owned(), letters: vec![] };
            assert_eq!(mind.events(), [ended(vec![letter(1)]), failed].map(|event| (servent(4), event)));
            mind.overlay.rooms.rare.make().calls = Default::default();
        }
        // What is brought meanwhile is for the same dial, in its dialect.
        mind.greet(servent(3));
        mind.end(servent(3));
        assert_eq!(mind.say_in(without_hello(), servent(3), letter(2)), (true, vec![]));
        let (link, out) = mind.opened(greeting(servent(3)));
        assert_eq!(out, [send(link, hello(1))]);
    }

    #[test]
    fn a_call_that_is_ended_before_the_hello_is_hung_up_on_without_a_word() {
        let mut mind = mind();
        mind.greet(servent(3));
        let (link, _) = mind.opened(greeting(servent(3)));
        assert_eq!(mind.end(servent(3)), [Output::Close { link }]);
        assert_eq!(mind.events(), [(servent(3), ended(vec![letter(1)]))]);
        assert_eq!(mind.held_of_calls(), [0; 4]);
    }

    #[test]
    fn a_call_that_is_ended_while_it_waits_is_not_dialled_and_one_that_ends_lets_the_next_be() {
        let mut mind = mind();
        for port in 1..=CALL_DIALS_PER_NETWORK_MAX + 2 {
            mind.greet(at(1, port));
        }
        let [next, last] = [1, 2].map(|more| at(1, CALL_DIALS_PER_NETWORK_MAX + more));
        assert_eq!(mind.end(last), [], "the newest, whose turn would be next");
        assert_eq!(mind.events(), [(last, ended(vec![letter(1)]))]);
        assert_eq!(mind.held("call_addresses"), CALL_DIALS_PER_NETWORK_MAX + 1);
        let (link, _) = mind.opened(greeting(at(1, 1)));
        assert_eq!(mind.end(at(1, 1)), [Output::Close { link }, dialled(greeting(next))]);
    }

    #[test]
    fn that_an_address_failed_is_remembered_though_its_call_was_ended() {
        let mut mind = mind_with(1, b"green");
        mind.greet(servent(3));
        mind.failed(greeting(servent(3)));
        mind.events();
        // It is left alone for as long as it is, whatever waits.
        mind.greet(servent(3));
        assert_eq!(mind.end(servent(3)), []);
        assert_eq!(mind.events(), [(servent(3), ended(vec![letter(1)]))]);
        assert_eq!(mind.greet(servent(3)), (true, vec![]));
        mind.end(servent(3));
        assert_eq!(mind.pass(CALL_REST_MIN), [], "nothing waits");
        // The next failure is the second.
        mind.greet(servent(3));
        let (link, _) = mind.opened(greeting(servent(3)));
        assert_eq!(mind.end(servent(3)), [Output::Close { link }]);
        assert_eq!(mind.greet(servent(3)), (true, vec![dialled(greeting(servent(3)))]));
        mind.failed(greeting(servent(3)));
        mind.greet(servent(3));
        assert_eq!(mind.pass(2 * CALL_REST_MIN), [dialled(greeting(servent(3)))]);
    }

    #[test]
    fn what_is_brought_after_a_call_was_ended_between_two_tries_has_all_of_its_own() {
        let (dialect, place) = (without_hello(), servent(3));
        let Bringing::Alone { tries_max, pause } = dialect.manners().answers else { panic!("a link is kept") };
        let mut mind = mind_with(1, b"green");
        let dial = || vec![Output::Dial { dial: greeting(place), address: place, dialect }];
        assert_eq!(mind.say_in(dialect, place, letter(1)), (true, dial()));
        mind.failed(greeting(place));
        mind.end(place);
        assert_eq!(mind.pass(pause), [], "nothing waits");
        assert_eq!(mind.say_in(dialect, place, letter(2)), (true, dial()));
        mind.events();
        for _ in 0..tries_max {
            assert_eq!(mind.failed(greeting(place)), []);
            assert_eq!((mind.events(), mind.pass(pause)), (vec![], dial()));
        }
    }

    #[test]
    fn what_waits_when_a_servent_leaves_is_given_back_and_no_wish_is_heard_any_more() {
        let mut mind = mind();
        let open = mind.greeted(servent(3));
        mind.greet(servent(4));
        mind.answer(at(1, 7));
        mind.wishes(|_, event| match event {
            CallEvent::Ended { .. } => vec![Wish::Say { dialect: Dialect::OWN, letter: letter(2) }],
            _ => Vec::new(),
        });
        let out = mind.tell(Input::Leave);
        assert_eq!(out[..2], goodbye(open, Goodbye::Leaving));
        assert!(!out.iter().any(|output| matches!(output, Output::Dial { .. })), "{out:?}");
        let ended = |letters| CallEvent::Ended { reason: "this servent is leaving", letters };
        assert_eq!(mind.events(), [(servent(3), ended(vec![])), (servent(4), ended(vec![letter(1)]))]);
        assert_eq!((mind.held("undelivered"), mind.held_of_calls()), (1, [0; 4]));
    }

    // ---- beside answers ----

    #[test]
    fn two_errands_to_one_address_are_two_calls() {
        let mut mind = mind();
        mind.stays();
        let place = at(1, 7);
        let greeted = mind.greeted(place);
        assert_eq!(mind.answer(place), (true, vec![dialled(answers(place))]));
        assert_eq!(mind.held("call_addresses"), 2);
        let (link, out) = mind.opened(answers(place));
        assert_eq!(out, [], "the client speaks first");
        let out = mind.hear(link, client_hello(place));
        assert_eq!(out, [send(link, hello(1)), send(link, value(1, b"green"))]);
        assert_eq!(mind.answer(place), (true, vec![send(link, value(2, b"green"))]));
        // One ends and the other stays, and what is heard there is not heard here.
        assert_eq!(mind.hear(link, Message::Pong), [Output::Close { link }]);
        assert_eq!((mind.events(), mind.held("call_links")), (vec![], 1));
        assert_eq!(mind.greet(place), (true, vec![send(greeted, Message::Ping)]));
        // One fails, and the other is not left alone.
        mind.answer(place);
        mind.failed(answers(place));
        assert_eq!(mind.hear(greeted, Message::Pong), []);
        assert_eq!(mind.held("undelivered"), 1);
        let events = [CallEvent::Said(1), CallEvent::Heard(Message::Pong)];
        assert_eq!(mind.events(), events.map(|event| (place, event)));
    }

    #[test]
    fn dials_taken_by_greetings_are_not_there_for_answers() {
        let mut mind = mind();
        // As many in each network as may be, until none is left.
        let mut networks = 0;
        while mind.held("call_dials") < CALL_DIALS_MAX {
            networks += 1;
            for port in 1..=CALL_DIALS_PER_NETWORK_MAX {
                mind.greet(at(networks, port));
            }
        }
        assert_eq!(mind.answer(at(0, 1)), (true, vec![]), "it waits");
        assert_eq!(mind.failed(greeting(at(1, 1))), [dialled(answers(at(0, 1)))], "until the first is over");
        assert_eq!(mind.held("call_dials"), CALL_DIALS_MAX);
    }

    #[test]
    fn no_network_has_more_dials_over_both_errands_than_it_may() {
        let mut mind = mind();
        let half = CALL_DIALS_PER_NETWORK_MAX / 2;
        for port in 1..=half {
            assert_eq!(mind.greet(at(1, port)).1, [dialled(greeting(at(1, port)))]);
            assert_eq!(mind.answer(at(1, port)).1, [dialled(answers(at(1, port)))]);
        }
        assert_eq!(mind.answer(at(1, half + 1)), (true, vec![]), "it waits");
        assert_eq!(mind.greet(at(1, half + 1)), (true, vec![]), "so does this");
        assert_eq!(mind.failed(answers(at(1, 1))), [dialled(greeting(at(1, half + 1)))], "the newest is first");
        // A greeting that stands holds no dial.
        let (link, _) = mind.opened(greeting(at(1, 1)));
        assert_eq!(mind.hear(link, hello(3))[1..], [dialled(answers(at(1, half + 1)))]);
    }

    #[test]
    fn no_network_has_more_addresses_over_both_errands_than_are_left() {
        let mut mind = mind();
        let half = CALL_ADDRESSES_MAX / 2;
        for port in 1..=half / 2 {
            assert!(mind.greet(at(1, port)).0 && mind.answer(at(1, port)).0, "{port}");
        }
        assert_eq!(mind.answer(at(1, half)), (false, vec![]));
        assert_eq!(mind.greet(at(1, half)), (false, vec![]));
        // One that failed and is only remembered makes room, whatever it was called for.
        mind.failed(greeting(at(1, 1)));
        assert_eq!(mind.answer(at(1, half)), (false, vec![]));
        mind.pass(CALL_REST_MIN);
        assert!(mind.answer(at(1, half)).0);
        assert!(mind.greet(at(2, 1)).0 && mind.answer(at(2, 1)).0, "others may have some");
        assert_eq!(mind.held("call_addresses"), half + 2);
    }

    #[test]
    fn no_network_has_more_bytes_waiting_over_both_errands_than_are_left() {
        let big = vec![b'x'; VALUE_BYTES_MAX];
        let mut mind = mind_beside_a_neighbor(&big);
        let big_letter = || Letter::new(1, value(1, &big));
        // One of each to every address.
        let half = CALLS_QUEUED_BYTES_MAX / 2 / VALUE_BYTES_MAX;
        for port in 1..=half / 2 {
            assert!(mind.say(at(1, port), big_letter()).0 && mind.answer(at(1, port)).0, "{port}");
        }
        assert!(!mind.say(at(1, 2), big_letter()).0 && !mind.answer(at(1, 2)).0);
        assert!(mind.greet(at(2, 1)).0, "others may have some");
        // What is given back makes room for either.
        mind.failed(greeting(at(1, 1)));
        assert!(mind.answer(at(1, 2)).0);
        assert!(!mind.answer(at(1, 3)).0);
    }

    #[test]
    fn so_many_bytes_wait_for_one_call_and_no_more() {
        let mut mind = mind();
        let ping_bytes = letter(1).message.bytes_count();
        let most = CALL_QUEUED_BYTES_MAX / ping_bytes;
        for _ in 0..most {
            assert!(mind.greet(servent(3)).0);
        }
        assert_eq!(mind.greet(servent(3)), (false, vec![]));
        assert_eq!(mind.held("calls_queued_bytes"), most * ping_bytes);
        assert!(mind.answer(servent(3)).0, "another call");
    }

    #[test]
    fn one_link_more_ends_the_one_that_would_end_next_whatever_it_is_for() {
        let mut mind = mind();
        let answered = at(1, 1);
        mind.answer(answered);
        let (answer_link, _) = mind.opened(answers(answered));
        mind.hear(answer_link, client_hello(answered));
        let greeted: Vec<LinkId> = (1..CALL_LINKS_MAX).map(|network| mind.greeted(at(1 + network, 1))).collect();
        assert_eq!(mind.held("call_links"), CALL_LINKS_MAX);
        let another = at(0, 1);
        mind.answer(another);
        let (link, _) = mind.opened(answers(another));
        let out = mind.hear(link, client_hello(another));
        let [farewell, close] = goodbye(greeted[0], Goodbye::Idle);
        assert_eq!(out[2..], [farewell, close], "a greeting is not kept for long");
        assert_eq!(mind.events(), [(at(2, 1), CallEvent::HadToMakeRoom)]);
        assert_eq!(mind.held("call_links"), CALL_LINKS_MAX);
    }
}
