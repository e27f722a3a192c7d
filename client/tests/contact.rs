//! The client with contacts and servents that do not behave: absent, mute, slow, talking nonsense, leaving half-way.
//!
//! The wait for answers is tested here too, because only a servent played by the test can be silent when it should be.
//! What a healthy overlay is asked is in `script.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::Instant;

use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::key::Key;
use common::message::{Echo, Finished, Goodbye, Hello, Message, Request, Role, ServentId};
use common::query::{Answer, AnswerBody, Ask, Path, Query, QueryId, Tally};
use common::session::UNEXPECTED_TOLD_MAX;
use common::wire::{Frame, PREFACE, Position, VERSION};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use support::fake::{Fake, Peer, asked_hash, marks_sum, tally};
use support::process::{self, Client, Run, fields, json};
use support::{IN_TIME, PATIENCE, nobody, side_by_side};

fn quiet(out: impl Into<String>, code: i32) -> Run {
    Run { out: out.into(), log: String::new(), code }
}

/// What a run that waited in vain for its contact's word comes to.
fn unreported(out: impl Into<String>) -> Run {
    Run { out: out.into(), log: UNREPORTED.to_owned(), code: 5 }
}

/// What is said of it.
const UNREPORTED: &str = "the contact did not report: incomplete, there may be more answers\n";

fn milliseconds(line: &Value) -> f64 {
    line["ms"].as_f64().unwrap()
}

fn key(text: &str) -> Ask {
    Ask::Key(Key::new(text.as_bytes()).unwrap())
}

/// A client that asks for `k` and a contact that has heard it: the contact, the sequence, the client.
fn asked(options: &[&str]) -> (Fake, Peer, u64, Client) {
    let fake = Fake::listen();
    let name = fake.name();
    let client = Client::start([&[&*name, "-c", "? k"], options].concat());
    let mut contact = fake.attach();
    let request = contact.request();
    assert_eq!(request.ask, key("k"));
    (fake, contact, request.sequence, client)
}

// ---- no servent there ----

#[test]
fn a_contact_that_is_not_there() {
    let address = nobody();
    let run = Client::run([&*address.to_string(), "-c", "? k", "-c", "nonsense"], "");
    let log = format!("client: no servent at contact {address}: Connection refused (os error 111)\n");
    assert_eq!(run, Run { out: String::new(), log, code: 3 });
}

/// What a client says of a contact that does this once it is connected to.
fn refusal(act: impl FnOnce(&mut Peer)) -> String {
    let fake = Fake::listen();
    let client = Client::start([&*fake.name(), "-c", "? k"]);
    let mut contact = fake.accept();
    assert!(matches!(contact.receive(), Some(Message::Hello(Hello { role: Role::Client { .. }, .. }))));
    act(&mut contact);
    // What the client decides, it decides by what it heard: the contact is still there.
    if let Some(Message::Request(request)) = contact.receive() {
        panic!("it was asked {request:?}");
    }
    let run = client.finish();
    assert_eq!((run.out.as_str(), run.code), ("", 3), "{}", run.log);
    let start = format!("client: no servent at contact {}: ", fake.address());
    run.log.strip_prefix(&start).unwrap_or_else(|| panic!("{}", run.log)).trim_end().to_owned()
}

#[test]
fn a_contact_that_is_no_servent() {
    let reason = refusal(|contact| contact.send_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert_eq!(reason, "it does not speak our protocol: its first bytes are 48 54 54 50 2f 31 2e 31");
    let reason = refusal(|contact| contact.send_bytes(&[PREFACE[0], PREFACE[1], PREFACE[2], VERSION + 1]));
    assert_eq!(reason, format!("it speaks version {} of the protocol, not {VERSION}", VERSION + 1));
    let reason = refusal(|contact| contact.send_bytes(&[&PREFACE[..], &[0xff; 4]].concat()));
    assert_eq!(reason, format!("a frame of {} bytes, where 256 is the most", u32::MAX));
    let reason = refusal(|contact| contact.send_bytes(&[&PREFACE[..], &[0, 0, 0, 1, 0xee]].concat()));
    assert!(reason.starts_with("a frame that holds no message"), "{reason}");
    let reason = refusal(|contact| {
        contact.send(&Message::Hello(Hello::new(Role::Client { answer_port: 9 })));
    });
    assert_eq!(reason, "it sent a hello before saying hello as a servent");
    let reason = refusal(|contact| contact.send(&Message::Ping));
    assert_eq!(reason, "it sent a ping before saying hello as a servent");
}

#[test]
fn a_contact_that_closes_without_a_word() {
    let fake = Fake::listen();
    let client = Client::start([&*fake.name(), "-c", "? k"]);
    let mut contact = fake.accept();
    contact.receive();
    drop(contact);
    let log = format!("client: no servent at contact {}: it closed the connection\n", fake.address());
    assert_eq!(client.finish(), Run { out: String::new(), log, code: 3 });
}

#[test]
fn the_reason_of_a_goodbye_is_shown() {
    for farewell in [Goodbye::Full, Goodbye::Version, Goodbye::Role, Goodbye::Leaving] {
        let reason = refusal(|contact| contact.send(&Message::Goodbye(farewell)));
        assert_eq!(reason, format!("it said goodbye, because {farewell}"));
    }
}

#[test]
fn a_contact_that_never_says_hello_is_given_up() {
    let reason = refusal(|_| {});
    assert_eq!(reason, "it did not say hello within 5 s");
}

// ---- the contact goes away ----

/// What a client says of a contact that does this in the middle of a query and then closes.
fn loss(act: impl FnOnce(&mut Peer, u64)) -> String {
    let fake = Fake::listen();
    let options = ["--timeout", "300ms", "-c", "? k", "-c", "? never-asked"];
    let client = Client::start([&[&*fake.name()], &options[..]].concat());
    let mut contact = fake.attach();
    let sequence = contact.request().sequence;
    act(&mut contact, sequence);
    drop(contact);
    let run = client.finish();
    assert_eq!((run.out.as_str(), run.code), ("No answer received\n", 4), "{}", run.log);
    let start = format!("client: contact {} is lost: ", fake.address());
    run.log.strip_prefix(&start).unwrap_or_else(|| panic!("{}", run.log)).trim_end().to_owned()
}

#[test]
fn a_contact_lost_in_the_middle_of_a_query() {
    assert_eq!(loss(|_, _| {}), "it closed the connection");
    let reason = loss(|contact, _| contact.send(&Message::Goodbye(Goodbye::Leaving)));
    assert_eq!(reason, "it said goodbye, because it is leaving");
    let reason = loss(|contact, _| contact.send_bytes(&[0, 0, 0, 99, 6, 1]));
    assert_eq!(reason, "it closed the connection", "in the middle of a frame");
    let reason = loss(|contact, _| contact.send_bytes(&u32::MAX.to_be_bytes()));
    assert!(reason.starts_with(&format!("a frame of {} bytes, where", u32::MAX)), "{reason}");
    let reason = loss(|contact, _| contact.send_bytes(&[0, 0, 0, 2, 0xee, 0xee]));
    assert!(reason.starts_with("a frame that holds no message"), "{reason}");
}

#[test]
fn a_contact_that_accepts_no_frame_as_long_as_the_request_is_left() {
    let fake = Fake::listen();
    let client = Client::start([&*fake.name(), "--timeout", "300ms", "-c", "? a-key-that-is-too-long-for-it"]);
    let mut contact = fake.accept();
    assert!(matches!(contact.receive(), Some(Message::Hello(_))));
    let role = Role::Servent { id: ServentId(7), advertised: fake.address() };
    contact.send(&Message::Hello(Hello { frame_bytes_max: 20, ..Hello::new(role) }));
    assert_eq!(contact.receive(), None, "it says nothing that would be too long");
    let run = client.finish();
    let reason = format!("client: contact {} is lost: it accepts no frame of ", fake.address());
    assert!(run.code == 4 && run.log.starts_with(&reason), "{run:?}");
}

#[test]
fn answers_of_others_are_shown_although_the_contact_is_lost() {
    let (fake, contact, sequence, mut client) = asked(&["--timeout", IN_TIME, "--json", "-c", "? never-asked"]);
    let answer_address = contact.answer_address.unwrap();
    drop(contact);
    let lost = format!("client: contact {} is lost: it closed the connection", fake.address());
    assert_eq!(client.next_log(), lost);
    let mut servent = Peer::dial(answer_address, "192.0.2.7:9");
    servent.answer(sequence, b"v");
    assert_eq!(client.next_json()["from"], "192.0.2.7:9");
    let finished = client.next_json();
    assert_eq!(
        (&finished["answers"], &finished["reason"], &finished["lost"]),
        (&json!(1), &json!("silence"), &json!(1))
    );
    assert_eq!(client.finish(), quiet("", 4));
}

#[test]
fn a_contact_lost_between_two_commands_is_not_asked() {
    let fake = Fake::listen();
    let mut client = Client::start([fake.name()]);
    let mut contact = fake.attach();
    client.write("? k\n");
    let sequence = contact.request().sequence;
    contact.finish(sequence, tally(1, 0));
    assert_eq!(client.next_line(), "No answer received");
    drop(contact);
    client.write("? k\nnonsense\n");
    let run = client.finish();
    assert_eq!((run.out.as_str(), run.code), ("", 4));
    assert_eq!(run.log, format!("client: contact {} is lost: it closed the connection\n", fake.address()));
}

// ---- the wait ----

#[test]
fn silence_ends_a_query() {
    // Longer than it is unless told otherwise, so that it is this silence and no other that passed.
    let (_fake, contact, _, client) = asked(&["--timeout", "5s", "--json"]);
    let run = client.finish();
    let finished = json(run.out.trim_end());
    let expected = json!({"type": "finished", "answers": 0, "missing": 0, "reached": 0, "copies": 0, "duplicates": 0, "stopped": 0,
                          "lost": 1, "silent": 0, "spoilt": 0, "doubtful": false, "ms": finished["ms"], "reason": "silence"});
    // That the contact did not report is a report lost.
    assert_eq!((finished.clone(), run.code, run.log.as_str()), (expected, 5, UNREPORTED));
    assert!(milliseconds(&finished) >= 5_000.0, "{finished}");
    drop(contact);
}

#[test]
fn silence_is_four_seconds_unless_told_otherwise() {
    let (_fake, mut contact, sequence, mut client) = asked(&["--json"]);
    contact.answer(sequence, b"v");
    let answered = milliseconds(&client.next_json());
    let finished = client.next_json();
    assert_eq!(finished["reason"], "silence");
    assert!(milliseconds(&finished) - answered >= 4_000.0, "{finished}");
    assert_eq!(client.finish(), unreported(""));
}

#[test]
fn each_answer_begins_the_wait_anew() {
    let silence = 3_000.0;
    let (_fake, contact, sequence, mut client) = asked(&["--timeout", "3s", "--json"]);
    let mut answers = 0;
    let last = loop {
        // One at a time, and the next one once the client has shown it.
        answers += 1;
        let mut servent = Peer::dial(contact.answer_address.unwrap(), &format!("192.0.2.7:{answers}"));
        servent.answer(sequence, b"v");
        let answer = client.next_json();
        assert_eq!(answer["type"], "answer", "after {answers} answers");
        if milliseconds(&answer) > 1.2 * silence {
            break milliseconds(&answer);
        }
    };
    let finished = client.next_json();
    assert_eq!((&finished["reason"], &finished["answers"]), (&json!("silence"), &json!(answers)));
    assert!(milliseconds(&finished) - last >= silence, "{last} {finished}");
    assert_eq!(client.finish(), unreported(""));
}

#[test]
fn what_is_unexpected_neither_ends_nor_extends_the_wait() {
    let silence = 3_000.0;
    let (_fake, mut contact, sequence, mut client) = asked(&["--timeout", "3s", "--json"]);
    contact.answer(sequence, b"v");
    let answered = milliseconds(&client.next_json());
    let started = Instant::now();
    // One at a time, so that there is always one on its way while the client waits.
    let surprises = unexpected_messages(sequence);
    let heard = surprises.iter().cycle().take_while(|surprise| contact.is_heard(surprise)).inspect(|_| {
        assert!(started.elapsed() < PATIENCE, "the query does not end");
    });
    let heard = heard.count() as u64;
    for _ in 0..UNEXPECTED_TOLD_MAX {
        assert_eq!(client.next_json()["type"], "unexpected");
    }
    let more = client.next_json();
    assert_eq!(more["type"], "unexpected_more");
    // The last may have been heard and not told to have been.
    let all = more["count"].as_u64().unwrap() + UNEXPECTED_TOLD_MAX;
    assert!(all == heard || all == heard + 1, "{heard} {more}");
    let finished = client.next_json();
    assert_eq!((&finished["reason"], &finished["answers"]), (&json!("silence"), &json!(1)));
    assert!(milliseconds(&finished) - answered >= silence, "{answered} {finished}");
}

#[test]
fn the_tally_ends_a_query_once_its_answers_have_come() {
    let (fake, mut contact, sequence, mut client) = asked(&["--json"]);
    let answer_sum = marks_sum(&[fake.address(), "192.0.2.7:9".parse().unwrap()]);
    let told = Tally { reached: 12, answers: 2, copies: 14, duplicates: 3, stopped: 2, answer_sum, ..Tally::default() };
    contact.finish(sequence, told);
    contact.answer(sequence, b"one");
    assert_eq!(client.next_json()["value"], "one");
    let mut servent = Peer::dial(contact.answer_address.unwrap(), "192.0.2.7:9");
    servent.answer(sequence, b"two");
    assert_eq!(client.next_json()["value"], "two");
    let finished = client.next_json();
    let expected = json!({"type": "finished", "answers": 2, "missing": 0, "reached": 12, "copies": 14, "duplicates": 3, "stopped": 2,
                          "lost": 0, "silent": 0, "spoilt": 0, "doubtful": false, "ms": finished["ms"], "reason": "complete"});
    assert_eq!(finished, expected);
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn a_tally_with_gaps_does_not_cut_the_wait_short() {
    let rows = [
        (Tally { lost: 1, ..tally(3, 1) }, 0, 5),
        (Tally { silent: 1, ..tally(3, 1) }, 0, 0),
        (Tally { stopped: 1, silent: 1, ..tally(3, 1) }, 0, 0),
        (tally(3, 2), 1, 5),
    ];
    side_by_side(rows, |(told, missing, code)| {
        let (_fake, mut contact, sequence, mut client) = asked(&["--timeout", IN_TIME, "--json", "--quiet"]);
        contact.answer(sequence, b"v");
        contact.finish(sequence, told);
        let answered = milliseconds(&client.next_json());
        let finished = client.next_json();
        assert!(milliseconds(&finished) - answered >= 3_000.0, "{finished}");
        let numbers = ["reached", "answers", "missing", "lost", "silent"].map(|name| finished[name].as_u64().unwrap());
        let expected = [3, 1, missing, told.lost, told.silent];
        assert_eq!((numbers, &finished["reason"]), (expected, &json!("silence")));
        assert_eq!(client.finish(), quiet("", code));
    });
}

#[test]
fn answers_of_others_than_gave_them_are_doubtful_and_never_complete() {
    let rows = [(vec!["192.0.2.8:9"], 1), (vec!["192.0.2.7:9", "192.0.2.8:9"], 2)];
    let sum = marks_sum(&["192.0.2.7:9".parse().unwrap()]);
    side_by_side(rows, |(brings, answers)| {
        let (_fake, mut contact, sequence, mut client) = asked(&["--timeout", IN_TIME, "--json"]);
        let mut servents: Vec<Peer> =
            brings.iter().map(|name| Peer::dial(contact.answer_address.unwrap(), name)).collect();
        // The stranger is faster.
        for servent in servents.iter_mut().rev() {
            servent.answer(sequence, b"v");
            assert_eq!(client.next_json()["type"], "answer");
        }
        contact.finish(sequence, Tally { answer_sum: sum, ..tally(3, 1) });
        let finished = client.next_json();
        let told = ["answers", "missing", "lost"].map(|name| finished[name].as_u64().unwrap());
        assert_eq!((told, &finished["reason"]), ([answers, 0, 0], &json!("silence")), "{finished}");
        assert_eq!((&finished["doubtful"], &finished["spoilt"]), (&json!(true), &json!(0)));
        let run = client.finish();
        let said =
            "not all answers are from the servents that answered: somebody else took part, and there may be more\n";
        assert_eq!((run.log.as_str(), run.code), (said, 5), "{run:?}");
    });
}

// ---- nobody has it, or it did not arrive ----

/// What is said of so many answers that did not arrive at a client attached over loopback.
fn did_not_arrive(count: &str, contact: SocketAddr) -> impl Fn(&str) -> bool {
    let start = format!("{count} did not arrive: other hosts cannot reach 127.0.0.1; ask this machine's own address");
    let outward = servent::interfaces::outward_ip().filter(|ip| !ip.is_loopback() && ip.is_ipv4());
    move |line| match (line.strip_prefix(&start), outward) {
        (Some(rest), Some(ip)) => rest == format!(", such as client {ip}:{}", contact.port()),
        (Some(rest), None) => rest.is_empty() || rest.starts_with(", such as client "),
        (None, _) => false,
    }
}

#[test]
fn nobody_has_it_and_it_did_not_arrive_are_two_things() {
    let nobody = {
        let (_fake, mut contact, sequence, client) = asked(&[]);
        contact.finish(sequence, tally(3, 0));
        client.finish()
    };
    assert_eq!(nobody, quiet("No answer received\n", 1));
    let rows = [(1, 0, "1 of 1 answer"), (3, 0, "3 of 3 answers"), (3, 1, "2 of 3 answers"), (2, 1, "1 of 2 answers")];
    side_by_side(rows, |(promised, came, said)| {
        let (fake, mut contact, sequence, client) = asked(&["--timeout", IN_TIME]);
        for _ in 0..came {
            contact.answer(sequence, b"v");
        }
        contact.finish(sequence, tally(3, promised));
        let run = client.finish();
        assert_eq!(run.code, 5, "{run:?}");
        let said_so = did_not_arrive(said, fake.address());
        assert!(run.log.ends_with('\n') && said_so(run.log.trim_end()), "{run:?}");
    });
}

#[test]
fn who_wants_to_hear_nothing_on_stderr_has_the_exit_code() {
    side_by_side(["-q", "--quiet"], |option| {
        let (_fake, mut contact, sequence, client) = asked(&["--timeout", IN_TIME, option]);
        contact.finish(sequence, tally(3, 1));
        assert_eq!(client.finish(), quiet("No answer received\n", 5));
    });
    // What went wrong is said all the same.
    let address = nobody();
    let run = Client::run([&*address.to_string(), "-q", "-c", "? k"], "");
    assert_eq!((run.log.lines().count(), run.code), (1, 3), "{run:?}");
}

#[test]
fn of_the_topology_servents_can_be_missing_too() {
    let fake = Fake::listen();
    let client = Client::start([&*fake.name(), "--timeout", IN_TIME, "-c", "T"]);
    let mut contact = fake.attach();
    let sequence = contact.request().sequence;
    let place = AnswerBody::Place { path: vec![fake.address()].into(), neighbors: Vec::new() };
    contact.send(&Message::Answer(Answer { sequence, asked: asked_hash(sequence), hops: 0, body: place }));
    contact.finish(sequence, tally(3, 3));
    let run = client.finish();
    assert_eq!((run.out, run.code), (format!("{0} {0}\n", fake.address()), 5));
    assert!(did_not_arrive("2 of 3 answers", fake.address())(run.log.trim_end()), "{}", run.log);
}

#[test]
fn the_worst_of_a_script_is_its_exit_code() {
    // What becomes of one query after the other, and what the run comes to.
    let complete = |answers| (tally(3, answers), answers);
    let missing = (tally(3, 2), 1);
    let lost = (Tally { lost: 1, ..tally(3, 1) }, 1);
    let silent = (Tally { silent: 1, ..tally(3, 0) }, 0);
    let rows = [
        (&[complete(1), complete(1)][..], "", 0),
        (&[complete(1), complete(0)], "", 1),
        (&[silent], "", 1),
        (&[complete(0)], "nonsense\n", 2),
        (&[missing], "nonsense\n", 5),
        (&[complete(0), lost, complete(1)], "", 5),
    ];
    side_by_side(rows, |(queries, last, code)| {
        let fake = Fake::listen();
        let mut client = Client::start([&*fake.name(), "--timeout", IN_TIME, "-q"]);
        client.write("? k\n".repeat(queries.len()));
        client.write(last);
        let mut contact = fake.attach();
        for (told, came) in queries {
            let sequence = contact.request().sequence;
            for _ in 0..*came {
                contact.answer(sequence, b"v");
            }
            contact.finish(sequence, *told);
        }
        assert_eq!(client.finish().code, code, "{queries:?} {last:?}");
    });
}

#[test]
fn a_contact_lost_after_something_was_missing_leaves_it_incomplete() {
    let (_fake, mut contact, sequence, client) = asked(&["--timeout", IN_TIME, "-q", "-c", "? never-asked"]);
    contact.finish(sequence, tally(3, 1));
    drop(contact);
    let run = client.finish();
    assert_eq!((run.out.as_str(), run.code), ("No answer received\n", 5), "{run:?}");
}

/// What a client says, and its exit code, when its one question has been answered.
fn answered(fake: &Fake, client: Child) -> (String, Option<i32>) {
    let mut contact = fake.attach();
    let sequence = contact.request().sequence;
    contact.answer(sequence, b"v");
    contact.finish(sequence, tally(1, 1));
    let output = client.wait_with_output().unwrap();
    (String::from_utf8(output.stderr).unwrap(), output.status.code())
}

#[test]
fn an_output_that_cannot_be_written_is_this_machines_failure() {
    let fake = Fake::listen();
    let home = tempfile::TempDir::new().unwrap();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = process::client(home.path(), [&*fake.name(), "-c", "? k"]);
    let child = command.stdin(Stdio::null()).stdout(full).spawn().unwrap();
    let log = "client: No space left on device (os error 28)\n".to_owned();
    assert_eq!(answered(&fake, child), (log, Some(6)));
}

/// A full file of `ulimit -f` is one more such output.
#[test]
fn an_output_that_may_not_grow_further_is_this_machines_failure() {
    let fake = Fake::listen();
    let home = tempfile::TempDir::new().unwrap();
    let full = std::fs::File::create(home.path().join("full")).unwrap();
    let client = process::client(home.path(), [&*fake.name(), "-c", "? k"]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "ulimit -f 0; exec \"$0\" \"$@\""]).arg(client.get_program()).args(client.get_args());
    let child = shell.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let log = "client: File too large (os error 27)\n".to_owned();
    assert_eq!(answered(&fake, child), (log, Some(6)));
}

#[test]
fn a_script_that_cannot_be_read_is_this_machines_failure() {
    let fake = Fake::listen();
    let home = tempfile::TempDir::new().unwrap();
    let mut command = process::client(home.path(), [&*fake.name()]);
    let child = command.stdin(std::fs::File::open(home.path()).unwrap()).spawn().unwrap();
    let _contact = fake.attach();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stderr.iter().filter(|byte| **byte == b'\n').count(), 1);
}

#[test]
fn a_stderr_nobody_reads_changes_nothing() {
    let fake = Fake::listen();
    let home = tempfile::TempDir::new().unwrap();
    let mut command = process::client(home.path(), [&*fake.name(), "--timeout", "300ms", "-c", "? k"]);
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    drop(child.stderr.take());
    let mut contact = fake.attach();
    let sequence = contact.request().sequence;
    contact.finish(sequence, tally(3, 1));
    let output = child.wait_with_output().unwrap();
    assert_eq!((&output.stdout[..], output.status.code()), (&b"No answer received\n"[..], Some(5)));
}

#[test]
fn answers_that_no_descriptor_is_left_for_are_this_machines_failure() {
    // As many descriptors as it takes to attach, and none for those who bring answers: found out by trying.
    let mut codes = Vec::new();
    for descriptors in 5..40 {
        let fake = Fake::listen();
        let home = tempfile::TempDir::new().unwrap();
        let client = process::client(home.path(), [&*fake.name(), "--timeout", "300ms", "-c", "? k"]);
        let mut limited = std::process::Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")]);
        limited.arg(client.get_program()).args(client.get_args());
        limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = limited.spawn().unwrap();
        // It may end before it is attached, and before it asks.
        let mut attached = fake.attach_unless_ended(child.id());
        let asked = attached.as_mut().and_then(Peer::receive);
        let (Some(contact), Some(Message::Request(Request { sequence, .. }))) = (&mut attached, asked) else {
            let output = child.wait_with_output().unwrap();
            let log = String::from_utf8_lossy(&output.stderr).into_owned();
            // Too few even to be started at all are the system's to report.
            if log.starts_with("client: ") {
                assert_eq!(output.status.code(), Some(6), "{descriptors}: {log}");
            }
            codes.push(output.status.code());
            continue;
        };
        // Whether it is taken or not: the connection waits in the system.
        let _servent = std::net::TcpStream::connect(contact.answer_address.unwrap()).unwrap();
        contact.finish(sequence, tally(2, 1));
        let output = child.wait_with_output().unwrap();
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        if log.contains("cannot take answers of others") {
            assert_eq!(output.status.code(), Some(6), "{log}");
            assert!(log.contains("\n1 of 1 answer did not arrive\n"), "no firewall is to blame: {log}");
            return;
        }
        codes.push(output.status.code());
    }
    panic!("it never ran out of descriptors while it asked: {codes:?}");
}

#[test]
fn as_many_answers_as_wanted_end_a_query() {
    let (_fake, mut contact, sequence, mut client) = asked(&["-n", "2", "--json", "-c", "? next"]);
    contact.answer(sequence, b"one");
    assert_eq!(client.next_json()["value"], "one");
    let mut second = Peer::dial(contact.answer_address.unwrap(), "192.0.2.8:9");
    second.answer(sequence, b"two");
    assert_eq!(client.next_json()["value"], "two");
    let finished = client.next_json();
    assert_eq!(
        (&finished["reason"], &finished["answers"], &finished["lost"]),
        (&json!("answers"), &json!(2), &json!(0))
    );
    // Nothing more was wanted, so what still comes is no surprise, from whomever.
    contact.answer(sequence, b"three");
    contact.finish(sequence, Tally { lost: 1, ..tally(7, 7) });
    let mut servent = Peer::dial(contact.answer_address.unwrap(), "192.0.2.7:9");
    servent.answer(sequence, b"four");
    servent.send(&Message::Ping);
    assert_eq!(servent.receive(), Some(Message::Pong), "it has been heard");
    let Request { sequence, ask } = contact.request();
    assert_eq!(ask, key("next"));
    contact.finish(sequence, tally(2, 0));
    assert_eq!(client.next_json()["reason"], "complete");
    assert_eq!(client.finish(), quiet("", 1));
}

#[test]
fn the_contacts_late_word_on_one_query_is_neither_a_surprise_nor_the_end_of_the_next() {
    let fake = Fake::listen();
    let client = Client::start([&*fake.name(), "--timeout", IN_TIME, "-c", "? one", "-c", "? two"]);
    let mut contact = fake.attach();
    let first = contact.request();
    let second = contact.request();
    assert_eq!((first.ask, second.ask), (key("one"), key("two")));
    // The first has ended by silence, and the second is pending.
    contact.finish(first.sequence, tally(1, 0));
    contact.answer(second.sequence, b"v");
    contact.finish(second.sequence, tally(1, 1));
    let run = client.finish();
    assert_eq!(run, unreported(format!("No answer received\nv {}\n", fake.address())));
}

#[test]
fn the_longest_timeout_is_taken_and_a_longer_one_refused() {
    let (_fake, mut contact, sequence, client) = asked(&["--timeout", "24h"]);
    contact.finish(sequence, tally(1, 0));
    assert_eq!(client.finish(), quiet("No answer received\n", 1));
    let run = Client::run(["127.0.0.1:1", "--timeout", "25h"], "");
    assert_eq!(run.code, 2);
}

#[test]
fn a_contact_that_asks_is_told_that_the_client_is_there() {
    let (_fake, mut contact, sequence, client) = asked(&[]);
    contact.send(&Message::Ping);
    assert_eq!(contact.receive(), Some(Message::Pong));
    contact.finish(sequence, tally(1, 0));
    assert_eq!(client.finish(), quiet("No answer received\n", 1));
}

// ---- what belongs to no query ----

fn unexpected_messages(sequence: u64) -> Vec<Message> {
    let value = |sequence| {
        Message::Answer(Answer {
            sequence,
            asked: asked_hash(sequence),
            hops: 1,
            body: AnswerBody::Value(b"v".to_vec()),
        })
    };
    let client: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let query = Query {
        sequence,
        client: AnswerAddress { socket: client, dialect: Dialect::Native },
        contact: None,
        ttl: 3,
        hops: 1,
        ask: key("k"),
        path: Path::default(),
    };
    vec![
        value(sequence.wrapping_add(1)),
        value(sequence.wrapping_sub(1)),
        value(0),
        Message::Finished(Finished { sequence: sequence.wrapping_add(1), tally: tally(9, 0) }),
        Message::query(query),
        Message::Echo(Echo { id: QueryId { sequence, client }, ttl: 3, tally: tally(1, 1) }),
        Message::Request(Request { sequence, ask: key("k") }),
        Message::Hello(Hello::new(Role::Servent { id: ServentId(1), advertised: client })),
        Message::Pong,
    ]
}

#[test]
fn what_was_not_asked_for_is_named_and_dropped() {
    let (fake, mut contact, sequence, mut client) = asked(&[]);
    for message in unexpected_messages(sequence) {
        contact.send(&message);
        assert_eq!(client.next_line(), format!("Unexpected message from {}", fake.address()), "{message:?}");
    }
    let mut servent = Peer::dial(contact.answer_address.unwrap(), "192.0.2.7:9");
    // That the flood is over is for the contact to say.
    let finished = Message::Finished(Finished { sequence, tally: tally(1, 0) });
    for message in unexpected_messages(sequence).into_iter().chain([finished]) {
        servent.send(&message);
        assert_eq!(client.next_line(), "Unexpected message from 192.0.2.7:9", "{message:?}");
    }
    servent.answer(sequence, b"v");
    assert_eq!(client.next_line(), "v 192.0.2.7:9");
    contact.finish(sequence, tally(2, 1));
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn an_answer_to_another_question_is_unexpected_whatever_its_sequence() {
    let fake = Fake::listen();
    let mut client = Client::start([&*fake.name(), "--timeout", "20s", "-c", "? k", "-c", "T"]);
    let mut contact = fake.attach();
    let surprise = format!("Unexpected message from {}", fake.address());
    let place = AnswerBody::Place { path: vec![fake.address()].into(), neighbors: Vec::new() };
    for (body, right) in [(place.clone(), AnswerBody::Value(b"v".to_vec())), (AnswerBody::Value(b"v".to_vec()), place)]
    {
        let sequence = contact.request().sequence;
        contact.send(&Message::Answer(Answer { sequence, asked: asked_hash(sequence), hops: 0, body }));
        assert_eq!(client.next_line(), surprise);
        contact.send(&Message::Answer(Answer { sequence, asked: asked_hash(sequence), hops: 0, body: right }));
        client.next_line();
        contact.finish(sequence, Tally { answer_sum: marks_sum(&[fake.address()]), ..tally(1, 1) });
    }
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn json_of_what_was_not_asked_for() {
    let (fake, mut contact, sequence, mut client) = asked(&["--json"]);
    for message in unexpected_messages(sequence) {
        contact.send(&message);
        let line = client.next_json();
        let expected = json!({"type": "unexpected", "message": message.name(), "from": fake.name()});
        assert_eq!(line, expected);
    }
    contact.finish(sequence, tally(1, 0));
    assert_eq!(fields(&client.next_json()).len(), 13);
}

#[test]
fn what_comes_too_late_is_told_before_the_next_query() {
    let fake = Fake::listen();
    let mut client = Client::start([&*fake.name(), "--json"]);
    let mut contact = fake.attach();
    client.write("? k\n");
    let first = contact.request().sequence;
    contact.finish(first, tally(1, 0));
    assert_eq!(client.next_json()["reason"], "complete");
    contact.answer(first, b"too late");
    client.write("? k\n");
    let line = client.next_json();
    assert_eq!((&line["type"], &line["message"]), (&json!("unexpected"), &json!("answer")));
    let second = contact.request().sequence;
    assert_ne!(second, first);
    contact.finish(second, tally(1, 0));
    assert_eq!(client.next_json()["answers"], 0);
}

#[test]
fn strangers_at_the_answer_address_do_no_harm() {
    let (_fake, mut contact, sequence, client) = asked(&[]);
    let answer_address = contact.answer_address.unwrap();
    let mut strangers: Vec<std::net::TcpStream> = Vec::new();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[&PREFACE[..], &[0xff; 4]].concat(), &PREFACE[..2], b""] {
        let mut stranger = std::net::TcpStream::connect(answer_address).unwrap();
        stranger.write_all(bytes).unwrap();
        strangers.push(stranger);
    }
    // One that answers before it has said who it is.
    let mut hasty = std::net::TcpStream::connect(answer_address).unwrap();
    let answer = Message::Answer(Answer {
        sequence,
        asked: asked_hash(sequence),
        hops: 1,
        body: AnswerBody::Value(b"forged".to_vec()),
    });
    let frame = Frame::at(Position::First, Dialect::Native, &answer).unwrap();
    hasty.write_all(&[&PREFACE[..], frame.as_bytes()].concat()).unwrap();
    hasty.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    // Its connection is closed: in good order, or with a reset when something of it was left unread.
    if let Err(error) = hasty.read_to_end(&mut heard) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let mut servent = Peer::dial(answer_address, "192.0.2.7:9");
    servent.answer(sequence, b"v");
    contact.finish(sequence, tally(2, 1));
    assert_eq!(client.finish(), quiet("v 192.0.2.7:9\n", 0));
    drop(strangers);
}

// ---- what is shown ----

#[test]
fn a_value_is_one_line_and_moves_no_cursor() {
    let fake = Fake::listen();
    let mut client = Client::start([&*fake.name(), "-n", "1"]);
    let mut contact = fake.attach();
    for (value, shown) in [
        (&b"one\ntwo 192.0.2.7:9\r\n"[..], r"one\ntwo 192.0.2.7:9\r\n"),
        (b"\x1b[2J\x1b[H\x07\x7f", r"\x1b[2J\x1b[H\x07\x7f"),
        ("\u{9b}31m \u{202e}gnp.exe \u{2066}\u{2028}".as_bytes(), r"\u{9b}31m \u{202e}gnp.exe \u{2066}\u{2028}"),
        (b"\xff\x9b2J\0", r"\xff\x9b2J\x00"),
        // A tab moves it no further than blanks do, and is no backslash and a t.
        (b"22/tcp\t\t# SSH\t", "22/tcp\t\t# SSH\t"),
        (br"22/tcp\t", r"22/tcp\t"),
        (b"", ""),
        ("ação 日本語".as_bytes(), "ação 日本語"),
    ] {
        client.write("? k\n");
        let sequence = contact.request().sequence;
        contact.answer(sequence, value);
        assert_eq!(client.next_line(), format!("{shown} {}", fake.address()));
    }
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn a_value_of_full_length_is_shown_whole() {
    let (fake, mut contact, sequence, client) = asked(&[]);
    let value = "v".repeat(common::limits::VALUE_BYTES_MAX);
    contact.answer(sequence, value.as_bytes());
    contact.finish(sequence, tally(1, 1));
    assert_eq!(client.finish(), quiet(format!("{value} {}\n", fake.address()), 0));
}

#[test]
fn an_output_nobody_reads_any_more_ends_the_client_without_a_word() {
    for options in [&[][..], &["--json"]] {
        let fake = Fake::listen();
        let home = tempfile::TempDir::new().unwrap();
        let name = fake.name();
        let mut command = process::client(home.path(), [&[&*name], options].concat());
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut contact = fake.attach();
        drop(child.stdout.take());
        let commands_count = 1_000;
        child.stdin.as_mut().unwrap().write_all("? k\n".repeat(commands_count).as_bytes()).unwrap();
        let mut answers_count = 0;
        // A process that another test is just starting may hold the pipe open for a moment, so the first answer need not
        // be the last.
        while let Some(message) = contact.receive() {
            let Message::Request(Request { sequence, .. }) = message else { panic!("not {message:?}") };
            contact.answer(sequence, b"v");
            contact.finish(sequence, tally(1, 1));
            answers_count += 1;
        }
        assert!(answers_count < commands_count, "it stops before its script is over");
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        // As a shell reports a program ended by SIGPIPE.
        assert_eq!(output.status.code(), Some(141));
    }
}

// ---- Ctrl-C without a terminal ----

#[test]
fn an_interrupt_ends_the_query_and_the_script() {
    let (_fake, mut contact, sequence, mut client) = asked(&["--json", "-c", "? never-asked"]);
    contact.answer(sequence, b"v");
    client.next_line();
    client.signal(Signal::INT);
    let finished = client.next_json();
    assert_eq!(
        (&finished["reason"], &finished["answers"], &finished["lost"]),
        (&json!("interrupted"), &json!(1), &json!(0))
    );
    assert_eq!(contact.receive(), None, "nothing more is asked");
    assert_eq!(client.finish(), quiet("", 130));
}

#[test]
fn an_interrupted_query_without_answers_says_so() {
    let (_fake, _contact, _, client) = asked(&[]);
    client.signal(Signal::INT);
    assert_eq!(client.finish(), quiet("No answer received\n", 130));
}

#[test]
fn an_interrupt_while_a_script_waits_for_its_next_line_ends_it() {
    let fake = Fake::listen();
    let mut client = Client::start([fake.name()]);
    let mut contact = fake.attach();
    client.write("? k\n");
    let sequence = contact.request().sequence;
    contact.finish(sequence, tally(1, 0));
    assert_eq!(client.next_line(), "No answer received");
    client.signal(Signal::INT);
    // It leaves while its stdin is still open.
    assert_eq!(contact.receive(), None);
    assert_eq!(client.finish(), quiet("", 130));
}

#[test]
fn an_interrupt_that_comes_just_before_a_query_is_not_lost() {
    let fake = Fake::listen();
    let home = tempfile::TempDir::new().unwrap();
    let (mut out, mut other_writer) = std::io::pipe().unwrap();
    let mut command = process::client(home.path(), [&*fake.name(), "--timeout", "20s"]);
    let mut child = command.stdin(Stdio::piped()).stdout(other_writer.try_clone().unwrap()).spawn().unwrap();
    drop(command);
    let mut script = child.stdin.take().unwrap();
    let mut contact = fake.attach();
    script.write_all(b"? k\n").unwrap();
    let sequence = contact.request().sequence;
    contact.finish(sequence, tally(1, 0));
    let mut line = [0; "No answer received\n".len()];
    out.read_exact(&mut line).unwrap();
    // The pipe is full, so a client that has something to tell before the next query does so until somebody reads.
    let room = rustix::pipe::fcntl_getpipe_size(&out).unwrap();
    other_writer.write_all(&vec![b'x'; room]).unwrap();
    drop(other_writer);
    contact.send(&Message::Pong);
    contact.send(&Message::Ping);
    script.write_all(b"? k\n? never-asked\n").unwrap();
    drop(script);
    assert_eq!(contact.receive(), Some(Message::Pong), "it has heard what it has to tell");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with(&format!("xUnexpected message from {}\n", fake.address())), "{}", rest.trim_matches('x'));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(contact.receive(), None, "nothing more is asked");
}

#[test]
fn an_interrupt_that_comes_while_answers_are_printed_is_not_lost() {
    let fake = Fake::listen();
    let home = tempfile::TempDir::new().unwrap();
    let mut command =
        process::client(home.path(), [&*fake.name(), "-c", "? k", "-c", "? never-asked", "--timeout", "20s"]);
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let mut contact = fake.attach();
    let sequence = contact.request().sequence;
    contact.answer(sequence, &vec![b'v'; common::limits::VALUE_BYTES_MAX]);
    contact.finish(sequence, tally(1, 1));
    let mut out = child.stdout.take().unwrap();
    // Once its first byte is there the client is writing, and stays so: the value is longer than any pipe.
    out.read_exact(&mut [0]).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut rest = String::new();
    out.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with(&format!("v {}\n", fake.address())), "the answer is whole, and nothing else is asked");
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert_eq!(contact.receive(), None, "nothing more is asked");
}
