//! `hello`: a servent that the contact is to greet, as scripts, programs and people are shown what came of it.
//!
//! What is believed of what a contact says is tested at the door of the session; how a servent greets in `common`.

use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use super::*;
use crate::members::{attached, telling, telling_at_a_terminal, wait_until_known};
use crate::support::process::fields;
use crate::support::tp3::Node;
use client::{AskError, Event, GreetEnd, GreetOutcome, Greeted, GreetingEnded, How, Word, WordAt};
use common::member::Greet;
use common::message::Message;
use topologies::fleet::Servent;

/// Where the contact of a test that plays it is to look.
fn there() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9003))
}

/// What a contact that a test plays says of it.
fn came(outcome: GreetOutcome) -> Greeted {
    let said = |word, clock| Some(WordAt { word, clock });
    let (was, took) = (said(Word::Failed, 44), Duration::from_micros(412));
    match outcome {
        GreetOutcome::Met => {
            Greeted { address: there(), outcome, was, now: said(Word::Online, 52), new_count: 3, took }
        }
        _ => Greeted { address: there(), outcome, was, now: was, new_count: 0, took },
    }
}

const MET: &str = "127.0.0.1:9003 OFFLINE → ONLINE, clock 44 → 52, 3 members new, 0.4 ms\n";
const REFUSED: &str = "127.0.0.1:9003 OFFLINE, clock 44, refused the connection, 0.4 ms\n";

impl Peer {
    /// The next message, which must have somebody at this address greeted.
    fn expect_greet(&mut self, address: SocketAddr) {
        assert_eq!(self.receive(), Some(Message::Greet(Greet { address })));
    }

    fn tell_greeted(&mut self, greeted: Greeted) {
        self.send(&Message::Greeted(greeted));
    }

    /// Says what came of it, when asked.
    fn greet_as_asked(&mut self, outcome: GreetOutcome) {
        self.expect_greet(there());
        self.tell_greeted(came(outcome));
    }
}

/// A line with each number of a clock as N, and each time as T; a clock that changes has to go forward.
fn without_numbers(line: &str) -> String {
    let mut parts: Vec<String> = line.split(", ").map(str::to_owned).collect();
    let took = parts.pop().unwrap();
    assert!(took.ends_with(" ms") || took.ends_with(" s"), "{line}");
    for part in &mut parts {
        if let Some(clocks) = part.strip_prefix("clock ") {
            let clocks: Vec<u64> = clocks.split(" → ").map(|clock| clock.parse().expect(line)).collect();
            assert!(clocks.is_sorted_by(|was, now| was < now), "{line}");
            *part = if clocks.len() == 2 { "clock N → N" } else { "clock N" }.to_owned();
        }
    }
    format!("{}, T", parts.join(", "))
}

/// Has a contact greet this, and gives what is shown without its numbers.
fn greeted_by(contact: &str, named: &str) -> Run {
    let mut run = Client::run([contact, "-c", &format!("hello {named}")], "");
    run.out = run.out.lines().map(without_numbers).collect::<Vec<_>>().join("\n");
    run
}

fn lone(listen: &str) -> Servent {
    Servent::start(&[listen, "-"]).unwrap()
}

/// Each at its address, and how it is known.
fn by_address(mut known: Vec<(SocketAddr, How)>) -> Vec<(SocketAddr, How)> {
    known.sort_by_key(|(address, _)| *address);
    known
}

#[test]
fn a_servent_nobody_has_heard_of_is_greeted_and_so_is_whom_it_has_heard_of() {
    let (ours, theirs) = (Chain::start([""]), Chain::start(["", ""]));
    let [a, b, c] = [ours.address(0), theirs.address(0), theirs.address(1)];
    wait_until_known(b, &by_address(vec![(b, How::Myself), (c, How::Taken)]));
    let out = format!("{b} unknown → ONLINE, clock N, 1 member new, T");
    assert_eq!(greeted_by(&ours.contact(), &b.to_string()), quiet(out, 0));
    wait_until_known(a, &by_address(vec![(a, How::Myself), (b, How::Heard), (c, How::Heard)]));
    // Whoever is greeted hears as much.
    wait_until_known(b, &by_address(vec![(a, How::Heard), (b, How::Myself), (c, How::Taken)]));
    // Once more nothing is new, whatever it is called.
    for named in [b.port().to_string(), format!("localhost:{}", b.port())] {
        let out = format!("{b} ONLINE, clock N → N, no member new, T");
        assert_eq!(greeted_by(&ours.contact(), &named), quiet(out, 0), "{named}");
    }
}

/// What README shows of a servent that was started anew, at this address.
fn on_the_page(address: SocketAddr) -> String {
    const README: &str = include_str!("../../../README.md");
    let page = README.split("### Who is there").nth(1).expect("the page");
    let shown = page.split("-c 'hello 9003'\n").nth(1).and_then(|shown| shown.lines().next());
    without_numbers(shown.expect("what hello shows")).replace("127.0.0.1:9003 ", &format!("{address} "))
}

#[test]
fn a_servent_that_has_left_or_failed_and_was_started_anew_is_online_once_it_is_greeted() {
    for end in [Signal::TERM, Signal::KILL] {
        let mut chain = Chain::start(["", ""]);
        let [a, b] = [0, 1].map(|place| chain.address(place));
        chain.servents[1].signal(end);
        chain.servents[1].wait().unwrap();
        let how = if end == Signal::TERM { How::Left } else { How::Failed };
        wait_until_known(a, &by_address(vec![(a, How::Myself), (b, how)]));
        // It knows nobody, and nobody dials it.
        let _again = lone(&b.to_string());
        let run = greeted_by(&chain.contact(), &b.to_string());
        assert_eq!(run, quiet(format!("{b} OFFLINE → ONLINE, clock N → N, no member new, T"), 0));
        assert_eq!(run.out, on_the_page(b), "README tells otherwise");
        wait_until_known(a, &by_address(vec![(a, How::Myself), (b, How::Heard)]));
    }
}

#[test]
fn where_nobody_is_to_be_greeted_the_session_goes_on_and_the_exit_code_says_so() {
    let chain = Chain::start(["tea green\n"]);
    let nobody = nobody();
    let script = format!("hello {nobody}\n? tea\n");
    let run = Client::run([chain.contact()], script);
    let (line, rest) = run.out.split_once('\n').unwrap();
    assert_eq!(without_numbers(line), format!("{nobody} unknown, refused the connection, T"));
    assert_eq!((rest, &*run.log, run.code), (&*format!("green {}\n", chain.address(0)), "", 3));
    // Of a name that means nothing nobody is asked, nor of what is no address.
    let run = Client::run([&*chain.contact(), "-c", "hello nowhere.invalid:9003", "-c", "? tea"], "");
    assert_eq!((run.out, run.code), (format!("green {}\n", chain.address(0)), 3));
    assert!(run.log.starts_with("client: cannot tell what address `nowhere.invalid:9003` stands for: "), "{}", run.log);
    for (line, log) in [
        ("hello", "client: hello takes one address, such as: hello 127.0.0.1:9003\n"),
        ("hello 127.0.0.1:0", "client: `127.0.0.1:0` is nobody's address: nobody listens on port 0\n"),
        (
            "hello tp3://127.0.0.1:9003",
            "client: `tp3://127.0.0.1:9003` speaks TP3, and no contact greets whoever does\n",
        ),
    ] {
        let run = Client::run([&*chain.contact(), "-c", line], "");
        assert_eq!(run, Run { out: String::new(), log: log.to_owned(), code: 2 });
    }
    // A contact is asked for what is an address and nobody's, and says no.
    let run = Client::run([&*chain.contact(), "-c", "hello 0.0.0.0:9003"], "");
    let log =
        format!("client: contact {} does not greet 0.0.0.0:9003: that is no address of one servent\n", chain.contact());
    assert_eq!(run, Run { out: String::new(), log, code: 1 });
}

#[test]
fn the_contact_itself_is_not_greeted_and_is_there() {
    let chain = Chain::start([""]);
    let a = chain.address(0);
    for named in [a.to_string(), a.port().to_string(), format!("localhost:{}", a.port())] {
        let run = Client::run([&*chain.contact(), "-c", &format!("hello {named}")], "");
        assert_eq!(run, quiet(format!("{a} is the contact itself\n"), 0), "{named}");
    }
}

#[test]
fn each_outcome_of_a_greeting_has_its_words_and_its_exit_code() {
    for (outcome, out, log, code) in [
        (GreetOutcome::Met, MET, "", 0),
        (GreetOutcome::Refused, REFUSED, "", 3),
        (GreetOutcome::Unreached, "127.0.0.1:9003 OFFLINE, clock 44, no servent answered, 0.4 ms\n", "", 3),
        (GreetOutcome::NotAllowed, "", " does not greet 127.0.0.1:9003: that is no address of one servent\n", 1),
        (
            GreetOutcome::Busy,
            "",
            " is busy: it greets 127.0.0.1:9003 for another client, or as many others as it can: try again in 3 s\n",
            5,
        ),
    ] {
        let (fake, mut contact, client) = telling(&["-q", "-c", "hello 9003"]);
        contact.greet_as_asked(outcome);
        let log = if log.is_empty() { String::new() } else { format!("client: contact {}{log}", fake.name()) };
        assert_eq!(client.finish(), Run { out: out.to_owned(), log, code });
    }
}

#[test]
fn json_of_greetings() {
    let (_fake, mut contact, mut client) = telling(&["--json"]);
    client.write("hello 9003\n");
    contact.greet_as_asked(GreetOutcome::Met);
    let met = client.next_json();
    assert_eq!(fields(&met), ["address", "ms", "new_members", "now", "outcome", "took_ms", "type", "was"]);
    assert_eq!(picked(&met, ["type", "address", "outcome"]), json!(["greeted", "127.0.0.1:9003", "met"]));
    assert_eq!(met["was"], json!({"state": "offline", "word": "failed", "clock": 44}));
    assert_eq!(met["now"], json!({"state": "online", "word": "online", "clock": 52}));
    assert_eq!(picked(&met, ["new_members", "took_ms"]), json!([3, 0.412]));
    client.write("hello 9003\n");
    contact.greet_as_asked(GreetOutcome::Busy);
    let busy = client.next_json();
    assert_eq!(fields(&busy), ["address", "ms", "now", "outcome", "type", "was"]);
    assert_eq!(busy["outcome"], "busy");
    let run = client.finish();
    assert_eq!((&*run.out, run.code), ("", 5));
}

#[test]
fn of_a_name_each_address_is_greeted_until_somebody_is_there() {
    let addresses = servent::sockets::resolve("localhost:9003").unwrap().addresses;
    let (_fake, mut contact, mut client) = telling(&[]);
    for place in 0..addresses.len() {
        client.write("hello localhost:9003\n");
        for address in &addresses[..place] {
            contact.expect_greet(*address);
            contact.tell_greeted(Greeted { address: *address, ..came(GreetOutcome::Refused) });
        }
        let address = addresses[place];
        contact.expect_greet(address);
        contact.tell_greeted(Greeted { address, ..came(GreetOutcome::Met) });
        assert_eq!(client.next_line() + "\n", MET.replace("127.0.0.1:9003", &address.to_string()));
    }
    // Where nobody is at any of them, that is said of each.
    client.write("hello localhost:9003\n");
    for address in &addresses {
        contact.expect_greet(*address);
        contact.tell_greeted(Greeted { address: *address, ..came(GreetOutcome::Refused) });
    }
    for address in &addresses {
        assert_eq!(client.next_line() + "\n", REFUSED.replace("127.0.0.1:9003", &address.to_string()));
    }
    assert_eq!(client.finish(), quiet("", 3));
}

#[test]
fn whoever_takes_no_part_in_members_greets_nobody_and_stays_the_contact() {
    let why = "does not tell of members, and was not asked: it is too old for that";
    let (fake, mut contact, mut client) = Fake::with_client(&[]);
    client.write("hello 9003\n? k\n");
    contact.answer_next(b"v");
    let log = format!("client: contact {} {why}\n", fake.name());
    assert_eq!(client.finish(), Run { out: format!("v {}\n", fake.address()), log, code: 5 });
    let (node, contact, client) = Node::with_client(&["--json", "-c", "hello 9003"]);
    let run = client.finish();
    let why = "does not tell of members, and was not asked: it speaks TP3";
    assert_eq!((run.log, run.code), (format!("client: contact {} {why}\n", node.name()), 5));
    assert!(
        run.out.starts_with(r#"{"type":"greeted","address":"127.0.0.1:9003","outcome":"not_understood","ms":"#),
        "{}",
        run.out
    );
    drop(contact);
}

#[test]
fn a_contact_that_does_not_say_what_came_of_a_greeting_is_silent_or_lost() {
    let (fake, mut contact, client) = telling(&["--timeout", "300ms", "-c", "hello 9003"]);
    contact.expect_greet(there());
    let silent = format!(
        "client: contact {} did not say within 300 ms what came of greeting {}: incomplete\n",
        fake.name(),
        there()
    );
    assert_eq!(client.finish(), Run { out: String::new(), log: silent, code: 5 });
    let (_fake, mut contact, client) = telling(&["--timeout", "300ms", "-q", "-c", "hello 9003"]);
    contact.expect_greet(there());
    assert_eq!(client.finish(), quiet("", 5));
    let (fake, mut contact, client) = telling(&["-c", "hello 9003", "-c", "hello 9003"]);
    contact.expect_greet(there());
    drop(contact);
    let log = format!("client: contact {} is lost: it closed the connection\n", fake.name());
    assert_eq!(client.finish(), Run { out: String::new(), log, code: 4 });
}

#[test]
fn an_interrupt_ends_a_greeting_and_the_script() {
    let (_fake, mut contact, mut client) = telling(&["--json", "-c", "hello 9003", "-c", "? never-asked"]);
    contact.expect_greet(there());
    client.signal(Signal::INT);
    assert_eq!(picked(&client.next_json(), ["type", "outcome"]), json!(["greeted", "interrupted"]));
    assert_eq!(contact.receive(), None, "nothing more is asked");
    assert_eq!(client.finish(), quiet("", 130));
}

#[test]
fn what_came_of_a_greeting_nobody_asked_for_is_unexpected() {
    let (fake, mut contact, mut client) = telling(&[]);
    client.write("hello 9003\n");
    contact.expect_greet(there());
    contact.tell_greeted(Greeted { address: fake.address(), ..came(GreetOutcome::Met) });
    assert_eq!(client.next_line(), format!("Unexpected message from {}", fake.address()));
    contact.tell_greeted(came(GreetOutcome::Met));
    assert_eq!(client.finish(), quiet(MET, 0));
}

#[test]
fn at_a_terminal_ctrl_c_ends_a_greeting_and_what_came_of_it_is_no_surprise() {
    let home = TempDir::new().unwrap();
    let (_fake, mut contact, mut terminal) = telling_at_a_terminal(&home, &[]);
    terminal.press("hello 9003\r");
    contact.expect_greet(there());
    terminal.wait_for_text("> hello 9003\n");
    terminal.press("\x03");
    terminal.wait_for_screen("> hello 9003\n^C\n> ");
    contact.tell_greeted(came(GreetOutcome::Refused));
    terminal.press("hello 9003\r");
    contact.greet_as_asked(GreetOutcome::Met);
    terminal.wait_for_screen(&format!("> hello 9003\n^C\n> hello 9003\n{MET}> "));
    terminal.press("Q\r");
    assert_eq!(terminal.exit_code(), 0);
}

// ---- the library ----

#[test]
fn a_greeting_has_a_number_of_its_own_and_goes_on_beside_queries() {
    let (_fake, mut contact, mut client) = attached();
    let greeting = client.begin_greeting(there(), PATIENCE).unwrap();
    assert!(matches!(client.begin_greeting(there(), PATIENCE), Err(AskError::GreetingPending(_))), "one at a time");
    let query = client.begin(client::Question::key("k").unwrap()).unwrap();
    assert_eq!(client.pending_count(), 2);
    contact.expect_greet(there());
    contact.answer_next(b"v");
    contact.tell_greeted(came(GreetOutcome::Met));
    let mut told = Vec::new();
    while let Some(event) = client.next_event().unwrap() {
        told.push(event);
    }
    let [(of_answer, Event::Answer { .. }), (_, Event::Finished(_)), (of_end, Event::Greeted(ended))] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((*of_answer, *of_end, client.pending_count()), (Some(query), Some(greeting), 0));
    assert_eq!((ended.address, ended.end), (there(), GreetEnd::Told(came(GreetOutcome::Met))));
}

#[test]
fn events_of_a_greeting_end_with_it_and_one_nobody_looks_at_is_cancelled() {
    let (fake, mut contact, mut client) = attached();
    let heard = thread::spawn(move || {
        contact.greet_as_asked(GreetOutcome::Refused);
        contact
    });
    let events: Vec<Event> = client.greet(there()).unwrap().map(Result::unwrap).collect();
    let [Event::Greeted(GreetingEnded { end: GreetEnd::Told(greeted), .. })] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(*greeted, came(GreetOutcome::Refused));
    let events: Vec<Event> = client.greet(fake.address()).unwrap().map(Result::unwrap).collect();
    let [Event::Greeted(GreetingEnded { end: GreetEnd::Itself, .. })] = &events[..] else { panic!("{events:?}") };
    drop(client.greet(there()).unwrap());
    assert_eq!(client.pending_count(), 0);
    assert!(client.next_event().unwrap().is_none());
    let mut contact = heard.join().unwrap();
    contact.expect_greet(there());
    let greeting = client.begin_greeting(there(), PATIENCE).unwrap();
    client.cancel(greeting);
    let (of, Event::Greeted(GreetingEnded { end, .. })) = client.next_event().unwrap().unwrap() else {
        panic!("no end")
    };
    assert_eq!((of, end), (Some(greeting), GreetEnd::Cancelled));
    // They end whatever else is pending.
    let (interrupt, mut on_interrupt) = UnixStream::pair().unwrap();
    client.interrupt_on(interrupt, "Ctrl-C").unwrap();
    client.begin(client::Question::key("k").unwrap()).unwrap();
    let mut events = client.greet(fake.address()).unwrap();
    assert!(matches!(events.next(), Some(Ok(Event::Greeted(_)))));
    on_interrupt.write_all(b"c").unwrap();
    assert!(events.next().is_none(), "nothing is waited for");
}
