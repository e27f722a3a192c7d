//! Nobody has it, or it did not arrive.

use std::process::Child;

use super::*;

/// What is said of so many answers that did not arrive at a client attached over loopback.
fn did_not_arrive(count: &str, contact: SocketAddr) -> impl Fn(&str) -> bool {
    let start = format!(
        "{count} did not arrive: neither dialled to 127.0.0.1, which other hosts cannot reach, nor brought back; \
         ask this machine's own address"
    );
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
    let (fake, mut contact, client) = Fake::with_client(&["--timeout", IN_TIME, "-c", "T"]);
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
        let (_fake, mut contact, mut client) = Fake::with_client(&["--timeout", IN_TIME, "-q"]);
        client.write("? k\n".repeat(queries.len()));
        client.write(last);
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
    fake.attach().answer_next(b"v");
    let output = client.wait_with_output().unwrap();
    (String::from_utf8(output.stderr).unwrap(), output.status.code())
}

#[test]
fn an_output_that_cannot_be_written_is_this_machines_failure() {
    let fake = Fake::listen();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (_home, mut command) = prepared([&*fake.name(), "-c", "? k"]);
    let child = command.stdin(Stdio::null()).stdout(full).spawn().unwrap();
    let log = "client: No space left on device (os error 28)\n".to_owned();
    assert_eq!(answered(&fake, child), (log, Some(6)));
}

/// A full file of `ulimit -f` is one more such output.
#[test]
fn an_output_that_may_not_grow_further_is_this_machines_failure() {
    let fake = Fake::listen();
    let (home, client) = prepared([&*fake.name(), "-c", "? k"]);
    let full = std::fs::File::create(home.path().join("full")).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 0; exec \"$0\" \"$@\""]).arg(client.get_program()).args(client.get_args());
    let child = shell.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
    let log = "client: File too large (os error 27)\n".to_owned();
    assert_eq!(answered(&fake, child), (log, Some(6)));
}

#[test]
fn a_script_that_cannot_be_read_is_this_machines_failure() {
    let fake = Fake::listen();
    let (home, mut command) = prepared([&*fake.name()]);
    let child = command.stdin(std::fs::File::open(home.path()).unwrap()).spawn().unwrap();
    let _contact = fake.attach();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stderr.iter().filter(|byte| **byte == b'\n').count(), 1);
}

#[test]
fn a_stderr_nobody_reads_changes_nothing() {
    let fake = Fake::listen();
    let (_home, mut command) = prepared([&*fake.name(), "--timeout", "300ms", "-c", "? k"]);
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
        let (_home, client) = prepared([&*fake.name(), "--timeout", "300ms", "-c", "? k"]);
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\" \"$@\"")]);
        limited.arg(client.get_program()).args(client.get_args());
        limited.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = limited.spawn().unwrap();
        // It may end before it is attached, and before it asks.
        let mut attached = fake.attach_unless_ended(child.id());
        let asked = attached.as_mut().and_then(Peer::receive);
        let end = |child: Child| {
            let output = child.wait_with_output().unwrap();
            (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
        };
        let (Some(contact), Some(Message::Request(Request { sequence, .. }))) = (&mut attached, asked) else {
            let (log, code) = end(child);
            // Too few even to be started at all are the system's to report.
            if log.starts_with("client: ") {
                assert_eq!(code, Some(6), "{descriptors}: {log}");
            }
            codes.push(code);
            continue;
        };
        // Whether it is taken or not: the connection waits in the system.
        let _servent = std::net::TcpStream::connect(contact.answer_address.unwrap()).unwrap();
        contact.finish(sequence, tally(2, 1));
        let (log, code) = end(child);
        if log.contains("cannot take answers of others") {
            assert_eq!(code, Some(6), "{log}");
            assert!(log.contains("\n1 of 1 answer did not arrive\n"), "no firewall is to blame: {log}");
            return;
        }
        codes.push(code);
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
    assert_eq!(picked(&finished, ["reason", "answers", "lost"]), json!(["answers", 2, 0]));
    // Nothing more was wanted, so what still comes is no surprise, from whomever.
    contact.answer(sequence, b"three");
    contact.finish(sequence, Tally { lost: 1, ..tally(7, 7) });
    let mut servent = Peer::dial(contact.answer_address.unwrap(), "192.0.2.7:9");
    servent.answer(sequence, b"four");
    servent.send(&Message::Ping);
    assert_eq!(servent.receive(), Some(Message::Pong), "it has been heard");
    let Request { sequence, ask, .. } = contact.request();
    assert_eq!(ask, key("next"));
    contact.finish(sequence, tally(2, 0));
    assert_eq!(client.next_json()["reason"], "complete");
    assert_eq!(client.finish(), quiet("", 1));
}

#[test]
fn the_longest_timeout_is_taken_and_a_longer_one_refused() {
    let (_fake, mut contact, sequence, client) = asked(&["--timeout", "24h"]);
    contact.finish(sequence, tally(1, 0));
    assert_eq!(client.finish(), quiet("No answer received\n", 1));
    let run = Client::run(["127.0.0.1:1", "--timeout", "25h"], "");
    assert_eq!(run.code, 2);
}
