//! The client as a library: what its user asks, is told, and is refused, at real servents and at contacts made up here.
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use super::*;
use client::{
    AnswerBody, Ask, AskError, Client, ClientError, ConnectError, EndReason, Ending, Event, Key, QueryNumber, Question,
};
use common::limits::{CLIENT_PENDING_MAX, TP3_TEXT_BYTES_MAX};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// A silence that a test waits for.
const SHORT: Duration = Duration::from_millis(200);

fn key(text: impl AsRef<[u8]>, silence_max: Duration) -> Question {
    Question { silence_max, ..Question::new(Ask::Key(Key::new(text.as_ref()).unwrap())) }
}

/// A client and the contact that a test plays.
fn attached() -> (Fake, Peer, Client) {
    let fake = Fake::listen();
    let name = fake.name();
    let client = thread::spawn(move || Client::connect(&name).unwrap());
    let contact = fake.attach();
    (fake, contact, client.join().unwrap())
}

/// What was answered with a value, and how it ended.
fn values(events: impl IntoIterator<Item = Event>) -> (Vec<Vec<u8>>, Option<Ending>) {
    let (mut values, mut ending) = (Vec::new(), None);
    for event in events {
        match event {
            Event::Answer { body: AnswerBody::Value(value), .. } => values.push(value),
            Event::Finished(end) => ending = Some(end),
            other => panic!("{other:?}"),
        }
    }
    (values, ending)
}

fn is_readable(end: impl AsFd, at_most: Duration) -> bool {
    let mut ends = [PollFd::new(&end, PollFlags::IN)];
    poll(&mut ends, Some(&Timespec::try_from(at_most).unwrap())).unwrap() > 0
}

/// All that is told until nothing is pending, by a loop that waits on its own.
fn driven(client: &mut Client) -> Vec<(Option<QueryNumber>, Event)> {
    let mut told = Vec::new();
    let until = Instant::now() + PATIENCE;
    while client.pending_count() > 0 {
        while client.ready().unwrap() {
            while let Some(event) = client.take_event() {
                told.push(event);
            }
        }
        let deadline = client.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
        is_readable(&*client, deadline.unwrap_or_default());
        assert!(Instant::now() < until, "{told:?}");
    }
    told.extend(std::iter::from_fn(|| client.take_event()));
    told
}

#[test]
fn every_servent_is_asked_for_a_key_and_for_its_place() {
    let chain = Chain::start(["tea green\n", "coffee black\n", "tea oolong\n"]);
    let mut client = Client::connect(&chain.contact()).unwrap();
    assert_eq!((client.contact_address(), client.is_connected()), (chain.address(0), true));
    let (mut found, ending) = values(client.ask("tea").unwrap().map(Result::unwrap));
    found.sort();
    assert_eq!(found, [b"green".to_vec(), b"oolong".to_vec()]);
    let ending = ending.unwrap();
    assert_eq!((ending.reason, ending.answers, ending.tally.reached), (EndReason::Complete, 2, 3));
    let places: Vec<Event> = client.topology().unwrap().map(Result::unwrap).collect();
    let from = places.iter().filter_map(|event| match event {
        Event::Answer { from, body: AnswerBody::Place { .. }, .. } => Some(*from),
        _ => None,
    });
    assert_eq!(from.collect::<BTreeSet<_>>(), (0..3).map(|place| chain.address(place)).collect());
    assert!(matches!(places.last(), Some(Event::Finished(_))), "{places:?}");
    assert!(client.next_event().unwrap().is_none(), "nothing is pending and nothing is left to tell");
    assert!(matches!(client.ask(""), Err(AskError::NotAKey(_))));
}

#[test]
fn answers_are_heard_where_the_contact_sees_the_client_and_nowhere_else() {
    let (fake, _contact, client) = attached();
    let heard = client.answers_at().unwrap();
    assert_eq!(heard.ip(), fake.address().ip());
    TcpStream::connect(heard).unwrap();
    // Another address of this machine, which is loopback as well.
    let elsewhere = TcpStream::connect(("127.0.0.2", heard.port()));
    assert_eq!(elsewhere.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[test]
fn the_limits_of_the_process_it_is_used_in_stay_what_they_are() {
    let few = getrlimit(Resource::Nofile).maximum.map_or(65_536, |most| most - 1);
    setrlimit(Resource::Nofile, Rlimit { current: Some(few), ..getrlimit(Resource::Nofile) }).unwrap();
    let _attached = attached();
    assert_eq!(getrlimit(Resource::Nofile).current, Some(few));
}

#[test]
fn each_query_has_a_number_and_a_wait_of_its_own_and_one_that_is_cancelled_ends() {
    let (_fake, mut contact, mut client) = attached();
    let [soon, late] = [SHORT, PATIENCE].map(|silence| client.begin(key("tea", silence)).unwrap());
    assert_eq!(client.pending_count(), 2);
    let first = contact.request().sequence;
    contact.request();
    contact.answer(first, b"green");
    let mut next = || client.next_event().unwrap().unwrap();
    let (query, Event::Answer { .. }) = next() else { panic!("no answer") };
    assert_eq!(query, Some(soon));
    let (query, Event::Finished(ending)) = next() else { panic!("no end") };
    assert_eq!((query, ending.reason, ending.answers), (Some(soon), EndReason::Silence, 1));
    client.cancel(late);
    let Some((query, Event::Finished(ending))) = client.take_event() else { panic!("no end") };
    assert_eq!((query, ending.reason), (Some(late), EndReason::Cancelled));
    assert_eq!(client.pending_count(), 0);
    // It is over, so there is nothing to cancel.
    client.cancel(late);
    assert!(client.next_event().unwrap().is_none());
}

#[test]
fn a_contact_that_is_lost_is_told_once_and_what_is_pending_goes_on() {
    let mut chain = Chain::start(["tea green\n"]);
    // Two that nobody answers: their contact is stopped before it reads them, and then killed.
    let mut client = Client::connect(&chain.contact()).unwrap();
    chain.servents[0].signal(Signal::STOP);
    let queries = ["tea", "coffee"].map(|name| client.begin(key(name, SHORT)).unwrap());
    chain.servents[0].kill().unwrap();
    let mut told = Vec::new();
    while let Some(event) = client.next_event().unwrap() {
        told.push(event);
    }
    let lost = told.iter().filter(|(query, event)| query.is_none() && matches!(event, Event::ContactLost { .. }));
    assert_eq!(lost.count(), 1, "{told:?}");
    for query in queries {
        let of_it: Vec<_> = told.iter().filter(|(of, _)| *of == Some(query)).map(|(_, event)| event).collect();
        assert!(matches!(of_it[..], [Event::Finished(Ending { reason: EndReason::Silence, .. })]), "{told:?}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(!client.is_connected());
    assert!(matches!(client.begin(key("tea", SHORT)), Err(AskError::ContactLost)));
    assert!(matches!(client.ask("tea"), Err(AskError::ContactLost)));
    let error = client.reconnect().unwrap_err();
    assert!(matches!(&error, ConnectError::NoServent { contact, .. } if *contact == chain.contact()), "{error}");
}

#[test]
fn after_a_reconnect_a_query_that_was_pending_goes_on_and_no_number_is_used_twice() {
    let (fake, mut contact, mut client) = attached();
    let own = client.answers_at();
    let first = client.begin(key("tea", PATIENCE)).unwrap();
    let sequence = contact.request().sequence;
    drop(contact);
    assert!(matches!(client.next_event(), Ok(Some((None, Event::ContactLost { .. })))));
    let client = thread::spawn(move || {
        client.reconnect().unwrap();
        client
    });
    let mut contact = fake.attach();
    let mut client = client.join().unwrap();
    assert_eq!(client.answers_at(), own);
    let second = client.begin(key("coffee", PATIENCE)).unwrap();
    let request = contact.request();
    assert_eq!(request.ask.to_string(), "? coffee");
    assert_ne!(request.sequence, sequence);
    assert_ne!(first, second);
    contact.answer(sequence, b"green");
    contact.finish(request.sequence, tally(1, 0));
    let told = [client.next_event().unwrap().unwrap(), client.next_event().unwrap().unwrap()];
    assert!(matches!(told[0], (Some(query), Event::Answer { .. }) if query == first), "{told:?}");
    assert!(matches!(told[1], (Some(query), Event::Finished(_)) if query == second), "{told:?}");
}

#[test]
fn a_contact_that_is_there_is_not_connected_to_once_more() {
    let (_fake, mut contact, mut client) = attached();
    // Nobody would take another connection.
    client.reconnect().unwrap();
    let query = client.begin(key("tea", PATIENCE)).unwrap();
    let sequence = contact.request().sequence;
    contact.finish(sequence, tally(1, 0));
    assert!(matches!(client.next_event(), Ok(Some((Some(of), Event::Finished(_)))) if of == query));
}

#[test]
fn what_comes_for_an_iterator_that_was_dropped_is_nobodys_surprise() {
    let (_fake, mut contact, mut client) = attached();
    let mut events = client.events(key("tea", PATIENCE)).unwrap();
    let first = contact.request().sequence;
    contact.answer(first, b"green");
    assert!(matches!(events.next(), Some(Ok(Event::Answer { .. }))));
    // There are two, and one is not taken.
    let address = contact.answer_address.unwrap();
    let others = thread::spawn(move || {
        [("192.0.2.7:9", b"oolong"), ("192.0.2.8:9", b"black!")].map(|(name, value)| {
            let mut servent = Peer::dial(address, name);
            servent.answer(first, value);
            servent
        })
    });
    assert!(matches!(events.next(), Some(Ok(Event::Answer { .. }))));
    drop(events);
    assert_eq!(client.pending_count(), 0);
    let mut events = client.events(key("coffee", PATIENCE)).unwrap();
    let second = contact.request().sequence;
    contact.answer(first, b"white");
    contact.finish(first, tally(3, 4));
    contact.answer(second, b"strong");
    contact.finish(second, tally(1, 1));
    let (found, ending) = values(events.by_ref().map(Result::unwrap));
    assert_eq!((found, ending.unwrap().reason), (vec![b"strong".to_vec()], EndReason::Complete));
    assert!(events.next().is_none());
    drop(events);
    // Whoever is late is greeted all the same, and what it says is no surprise either.
    while !others.is_finished() {
        assert!(!client.ready().unwrap());
        thread::yield_now();
    }
    assert!(client.next_event().unwrap().is_none());
    drop(others.join().unwrap());
}

#[test]
fn a_query_that_is_left_goes_on() {
    let (_fake, mut contact, mut client) = attached();
    let query = client.events(key("tea", PATIENCE)).unwrap().leave();
    let sequence = contact.request().sequence;
    assert!(format!("{query}").ends_with(&format!("{sequence:x}")), "{query}");
    contact.answer(sequence, b"green");
    assert!(matches!(client.next_event(), Ok(Some((Some(of), Event::Answer { .. }))) if of == query));
}

#[test]
fn a_contact_that_reads_nothing_is_not_asked_more_than_there_is_room_for_and_is_kept() {
    let (_fake, mut contact, mut client) = attached();
    let long = vec![b'k'; KEY_BYTES_MAX];
    let mut begun = 0;
    let error = loop {
        match client.begin(key(&long, PATIENCE)) {
            Ok(_) => begun += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, AskError::Busy), "{error} after {begun}");
    assert!(matches!(client.begin(key(&long, PATIENCE)), Err(AskError::Busy)));
    assert_eq!((client.pending_count(), client.is_connected()), (begun, true));
    // It reads, and there is room again.
    let contact = thread::spawn(move || {
        for _ in 0..begun {
            let sequence = contact.request().sequence;
            contact.finish(sequence, tally(1, 0));
        }
        contact
    });
    let mut ended = 0;
    while let Some((_, event)) = client.next_event().unwrap() {
        assert!(matches!(event, Event::Finished(Ending { reason: EndReason::Complete, .. })), "{event:?}");
        ended += 1;
    }
    assert_eq!(ended, begun);
    client.begin(key(&long, PATIENCE)).unwrap();
    assert_eq!(contact.join().unwrap().request().ask.to_string().len(), "? ".len() + KEY_BYTES_MAX);
}

#[test]
fn a_key_that_the_dialect_of_the_contact_has_no_words_for_is_refused_and_the_contact_kept() {
    let fake = Fake::listen();
    // Whoever is dialled says no hello in TP3.
    let mut client = Client::connect(&format!("tp3://{}", fake.name())).unwrap();
    let long = vec![b'k'; TP3_TEXT_BYTES_MAX + 1];
    assert!(matches!(client.ask(&long), Err(AskError::NotSayable(_))));
    assert_eq!((client.pending_count(), client.is_connected()), (0, true));
    client.begin(key(&long[1..], PATIENCE)).unwrap();
}

#[test]
fn of_queries_begun_at_once_those_before_one_that_is_refused_go_on_and_those_after_it_are_not_asked() {
    let (_fake, mut contact, mut client) = attached();
    let mut begun = vec![client.begin(key("tea", PATIENCE)).unwrap()];
    let room = CLIENT_PENDING_MAX - begun.len();
    let names = (0..room + 2).map(|place| key(place.to_string(), PATIENCE));
    let error = client.begin_each(names, &mut begun).unwrap_err();
    assert!(matches!(error, AskError::TooManyPending(_)), "{error}");
    assert_eq!((begun.len(), client.pending_count()), (CLIENT_PENDING_MAX, CLIENT_PENDING_MAX));
    // The numbers are of those asked, in their order.
    for (place, query) in begun.iter().enumerate().take(3) {
        let request = contact.request();
        let name = if place == 0 { "tea".to_owned() } else { (place - 1).to_string() };
        assert_eq!(request.ask, Ask::Key(Key::new(name.as_bytes()).unwrap()));
        contact.finish(request.sequence, tally(1, 0));
        assert!(matches!(client.next_event(), Ok(Some((Some(of), Event::Finished(_)))) if of == *query));
    }
}

#[test]
fn where_events_of_others_are_too_many_an_iterator_says_so_and_does_not_wait_for_ever() {
    let (_fake, mut contact, mut client) = attached();
    const OTHERS: usize = 3_000;
    let others: BTreeSet<_> = (0..OTHERS).map(|_| client.begin(key("tea", PATIENCE)).unwrap()).collect();
    let mut events = client.events(key("coffee", PATIENCE)).unwrap();
    let contact = thread::spawn(move || {
        let sequences: Vec<u64> = (0..OTHERS).map(|_| contact.request().sequence).collect();
        for sequence in sequences {
            contact.answer(sequence, b"green");
            contact.finish(sequence, tally(1, 1));
        }
        let last = contact.request().sequence;
        contact.finish(last, tally(1, 0));
        contact
    });
    assert!(matches!(events.next(), Some(Err(ClientError::OthersUntold))));
    assert!(events.next().is_none());
    let left = events.leave();
    // What is kept is told, and then what was left unread, of the one that was left as well.
    let (mut answers, mut ended) = (0, BTreeSet::new());
    while let Some((query, event)) = client.next_event().unwrap() {
        match event {
            Event::Answer { .. } if query.is_some_and(|query| others.contains(&query)) => answers += 1,
            Event::Finished(Ending { reason: EndReason::Complete, .. }) => assert!(ended.insert(query.unwrap())),
            event => panic!("{query:?}: {event:?}"),
        }
    }
    assert_eq!(answers, OTHERS);
    assert_eq!(ended, others.into_iter().chain([left]).collect());
    drop(contact.join().unwrap());
}

#[test]
fn what_was_given_to_interrupt_ends_a_wait_for_as_long_as_it_is_readable() {
    let (_fake, mut contact, mut client) = attached();
    let (mut interrupt, mut on_interrupt) = UnixStream::pair().unwrap();
    client.interrupt_on(interrupt.try_clone().unwrap(), "the bell").unwrap();
    let mut events = client.events(key("tea", PATIENCE)).unwrap();
    on_interrupt.write_all(b"!").unwrap();
    assert!(matches!(events.next(), Some(Err(ClientError::Interrupted))));
    // Or whoever counts, or skips what went wrong, would do so for ever.
    assert!(events.next().is_none());
    let query = events.leave();
    for _ in 0..2 {
        assert!(matches!(client.next_event(), Err(ClientError::Interrupted)));
        assert_eq!(client.pending_count(), 1);
    }
    assert_eq!(client.events(key("coffee", PATIENCE)).unwrap().count(), 1);
    assert_eq!(client.pending_count(), 1, "it was dropped, and is cancelled");
    interrupt.read_exact(&mut [0]).unwrap();
    let sequence = contact.request().sequence;
    contact.answer(sequence, b"green");
    assert!(matches!(client.next_event(), Ok(Some((Some(of), Event::Answer { .. }))) if of == query));
    drop(contact);
    let query = client.begin(key("tea", PATIENCE));
    // Whether it is noticed then or later.
    while query.is_ok() && client.is_connected() {
        client.next_event().unwrap();
    }
    on_interrupt.write_all(b"!").unwrap();
    let error = client.reconnect().unwrap_err();
    assert!(matches!(&error, ConnectError::Interrupted { .. }), "{error:?}");
    assert!(error.to_string().ends_with("before the bell"), "{error}");
}

#[test]
fn one_with_a_loop_of_its_own_is_told_why_the_client_stays_readable() {
    let (_fake, mut contact, mut client) = attached();
    let (mut interrupt, mut on_interrupt) = UnixStream::pair().unwrap();
    client.interrupt_on(interrupt.try_clone().unwrap(), "the bell").unwrap();
    let query = client.begin(key("tea", PATIENCE)).unwrap();
    let sequence = contact.request().sequence;
    while client.ready().unwrap() {
        client.take_event();
    }
    on_interrupt.write_all(b"!").unwrap();
    for _ in 0..2 {
        assert!(is_readable(&client, PATIENCE));
        assert!(matches!(client.ready(), Err(ClientError::Interrupted)));
    }
    // What comes is there all the same.
    contact.finish(sequence, tally(1, 0));
    let until = Instant::now() + PATIENCE;
    let told = loop {
        assert!(matches!(client.ready(), Err(ClientError::Interrupted)) && Instant::now() < until);
        if let Some(told) = client.take_event() {
            break told;
        }
    };
    assert!(matches!(told, (Some(of), Event::Finished(_)) if of == query), "{told:?}");
    interrupt.read_exact(&mut [0]).unwrap();
    assert!(!client.ready().unwrap());
    assert!(!is_readable(&client, Duration::ZERO));
}

#[test]
fn one_with_a_loop_of_its_own_is_told_of_answers_and_of_silences() {
    let chain = Chain::start(["tea green\n"]);
    let mut client = Client::connect(&chain.contact()).unwrap();
    let queries = ["tea", "coffee"].map(|name| client.begin(key(name, PATIENCE)).unwrap());
    let told = driven(&mut client);
    for query in queries {
        let is_end = |(of, event): &(_, Event)| *of == Some(query) && matches!(event, Event::Finished(_));
        assert_eq!(told.iter().filter(|told| is_end(told)).count(), 1, "{told:?}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
    // Nothing becomes readable when a silence is over.
    let (_fake, _contact, mut client) = attached();
    let query = client.begin(key("tea", SHORT)).unwrap();
    let told = driven(&mut client);
    let [(Some(of), Event::Finished(Ending { reason: EndReason::Silence, .. }))] = told[..] else { panic!("{told:?}") };
    assert_eq!(of, query);
    assert_eq!(client.deadline(), None);
}

/// Nothing is read for what is told at once, so nothing is readable for it.
#[test]
fn one_with_a_loop_of_its_own_need_not_wait_for_the_end_of_a_query_it_cancelled() {
    let (_fake, mut contact, mut client) = attached();
    let query = client.begin(key("tea", PATIENCE)).unwrap();
    contact.request();
    while client.ready().unwrap() {
        client.take_event();
    }
    client.cancel(query);
    let deadline = client.deadline().expect("there is an event to take, and it would be waited for for ever");
    assert!(deadline <= Instant::now());
    assert!(client.ready().unwrap());
    assert!(matches!(client.take_event(), Some((Some(of), Event::Finished(_))) if of == query));
    assert_eq!(client.deadline(), None);
}

/// Each time it is back it is later than any query waits, and asks before it looks.
#[test]
fn one_that_asks_whenever_it_is_back_from_a_long_wait_is_told_of_silences() {
    let (_fake, _contact, mut client) = attached();
    let (_other_fake, _other_contact, mut other) = attached();
    let mut ended = 0;
    for _ in 0..4 {
        client.begin(key("tea", SHORT)).unwrap();
        while client.ready().unwrap() {
            while let Some((_, event)) = client.take_event() {
                assert!(matches!(event, Event::Finished(Ending { reason: EndReason::Silence, .. })), "{event:?}");
                ended += 1;
            }
        }
        assert_eq!(other.events(key("tea", 2 * SHORT)).unwrap().count(), 1);
    }
    assert!(ended > 0, "no silence ends");
}

/// The one who brings it connects while the user is away, and is heard only once the user is back.
#[test]
fn an_answer_that_came_while_its_user_was_away_for_too_long_is_not_lost_to_a_silence() {
    const SILENCE: Duration = Duration::from_secs(3);
    let (_fake, mut contact, mut client) = attached();
    let (_other_fake, _other_contact, mut other) = attached();
    let query = client.begin(key("tea", SILENCE)).unwrap();
    while client.ready().unwrap() {
        client.take_event();
    }
    let sequence = contact.request().sequence;
    let address = contact.answer_address.unwrap();
    let servent = thread::spawn(move || {
        let mut servent = Peer::dial(address, "192.0.2.7:9");
        servent.answer(sequence, b"green");
        servent
    });
    assert!(is_readable(&client, PATIENCE), "nobody connects");
    // Away for longer than the query waits.
    let deadline = client.deadline().unwrap();
    while Instant::now() <= deadline {
        assert_eq!(other.events(key("tea", SILENCE / 10)).unwrap().count(), 1);
    }
    let told = driven(&mut client);
    let [(_, Event::Answer { .. }), (Some(of), Event::Finished(ending))] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*of, ending.reason, ending.answers), (query, EndReason::Silence, 1));
    drop(servent.join().unwrap());
}

#[test]
fn where_there_is_no_servent_it_is_said_in_types() {
    let refused = |contact: &str| match Client::connect(contact) {
        Err(ConnectError::NoServent { contact: named, reason }) => {
            assert_eq!(named, contact);
            reason
        }
        other => panic!("{contact}: {other:?}"),
    };
    let reason = refused(&nobody().to_string());
    assert!(reason.contains("refused"), "{reason}");
    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = web.local_addr().unwrap().to_string();
    let web = thread::spawn(move || {
        let mut stream: TcpStream = web.accept().unwrap().0;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let reason = refused(&address);
    assert!(reason.contains("does not speak our protocol"), "{reason}");
    web.join().unwrap();
    refused("nobody.invalid:9000");
    assert!(matches!(Client::connect("nonsense"), Err(ConnectError::NotAContact(_))));
    assert!(matches!(Client::connect("tp4://127.0.0.1:9000"), Err(ConnectError::NotAContact(_))));
    // An answer port that is taken is no fault of the contact.
    let chain = Chain::start(["tea green\n"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = Client::connect_from(&chain.contact(), taken.local_addr().unwrap().port()).unwrap_err();
    assert!(matches!(error, ConnectError::Machine { what: "no answer address", .. }), "{error}");
}
