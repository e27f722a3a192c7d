//! What is shown of what a contact says, or does not say, that a test plays.

use super::*;

/// What a client prints and says of one command, of which this comes.
fn came_of(command: &str, outcome: WriteOutcome) -> (Change, Run) {
    let (fake, mut contact, client) = keeping(&["-c", command]);
    let change = contact.write_as_asked(outcome);
    let mut run = client.finish();
    run.out = without_times(&run.out).replace(&fake.name(), "CONTACT");
    run.log = run.log.replace(&fake.name(), "CONTACT");
    (change, run)
}

#[test]
fn whatever_comes_of_a_command_is_its_first_words_and_whether_it_is_an_answer_or_a_no() {
    for (command, outcome, out, code) in [
        ("put tea green, 80 °C", WriteOutcome::Stored, "stored tea at CONTACT in T\n", 0),
        ("put tea green", WriteOutcome::Replaced, "replaced tea at CONTACT in T\n", 0),
        ("del tea", WriteOutcome::Deleted, "deleted tea at CONTACT in T\n", 0),
        ("del tea", WriteOutcome::Absent, "no such key: tea at CONTACT\n", 1),
        ("publish 'a b' -d at dusk", WriteOutcome::Stored, "published a b at CONTACT in T\n", 0),
        ("publish a", WriteOutcome::Replaced, "replaced a at CONTACT in T\n", 0),
        ("publish a", WriteOutcome::Present, "already published: a at CONTACT\n", 1),
        ("unpublish a", WriteOutcome::Deleted, "unpublished a at CONTACT in T\n", 0),
        ("unpublish a", WriteOutcome::Absent, "not published: a at CONTACT\n", 1),
    ] {
        assert_eq!(came_of(command, outcome).1, quiet(out, code), "{command}");
    }
    let hint = "client: a file that is new is there once it was hashed: try again then\n";
    let out = "no such file in the shared directory: a at CONTACT\n".to_owned();
    assert_eq!(came_of("publish a", WriteOutcome::Absent).1, Run { out, log: hint.to_owned(), code: 1 });
    let (change, run) = came_of("put tea green", WriteOutcome::Refused(WriteRefusal::DiskFull));
    let Change::Put { key, value } = change else { panic!("{change:?}") };
    assert_eq!((key.as_bytes(), &*value), (&b"tea"[..], &b"green"[..]));
    assert_eq!(
        run,
        Run { out: String::new(), log: "client: put tea at CONTACT: its disk is full\n".to_owned(), code: 1 }
    );
    let refused = WriteOutcome::Refused(WriteRefusal::NotFromHere);
    assert_eq!(
        came_of("del tea", refused).1.log,
        "client: del tea at CONTACT: this servent takes no writes from 127.0.0.1\n"
    );
}

#[test]
fn a_value_is_the_rest_of_a_line_or_what_is_in_a_file() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("a value");
    std::fs::write(&file, b"a\n\xff\0").unwrap();
    let name = file.display();
    let empty = home.path().join("empty");
    std::fs::write(&empty, b"").unwrap();
    let long = "v".repeat(COMMAND_BYTES_MAX - "put k ".len());
    for (line, expected) in [
        (format!("put k @{name}"), &b"a\n\xff\0"[..]),
        ("put k  @@a  b \t".to_owned(), b"@a  b"),
        ("put 'a key' ".to_owned() + "'v'", b"'v'"),
        (format!("put k @{}", empty.display()), b""),
        (format!("put k {long}"), long.as_bytes()),
    ] {
        let (_fake, mut contact, mut client) = keeping(&[]);
        client.write(format!("{line}\n"));
        let Change::Put { value, .. } = contact.write_as_asked(WriteOutcome::Stored) else { panic!("it is put") };
        assert!(*value == *expected, "{line}");
        assert_eq!(client.finish().code, 0);
    }
    let (_fake, _contact, mut client) = keeping(&[]);
    client.write(format!("put k {long}v\n"));
    let run = client.finish();
    assert_eq!(run, Run { out: String::new(), log: TOO_LONG.to_owned(), code: 2 });
}

#[test]
fn what_this_machine_cannot_read_or_no_value_can_be_is_not_said_to_anybody() {
    let home = TempDir::new().unwrap();
    let (most, more) = (home.path().join("most"), home.path().join("more"));
    std::fs::write(&most, vec![7; VALUE_BYTES_MAX]).unwrap();
    std::fs::write(&more, vec![7; VALUE_BYTES_MAX + 1]).unwrap();
    let gone = home.path().join("gone");
    for (file, said, code) in [
        (more.display().to_string(), "value of 1,048,577 bytes, 1,048,576 is the most".to_owned(), 1),
        // Of one without an end no more is read.
        ("/dev/zero".to_owned(), "value of 1,048,577 bytes, 1,048,576 is the most".to_owned(), 1),
        (
            gone.display().to_string(),
            format!("cannot read {}: No such file or directory (os error 2)", gone.display()),
            6,
        ),
        (
            home.path().display().to_string(),
            format!("cannot read {}: Is a directory (os error 21)", home.path().display()),
            6,
        ),
    ] {
        let (_fake, mut contact, client) = keeping(&["-c", &format!("put k @{file}"), "-c", "put k v"]);
        let Change::Put { value, .. } = contact.write_as_asked(WriteOutcome::Stored) else { panic!("it is put") };
        assert_eq!(&*value, b"v", "what comes behind it is said");
        let run = client.finish();
        assert_eq!((run.log, run.code), (format!("client: put k: {said}\n"), code));
    }
    let (_fake, mut contact, client) = keeping(&["-c", &format!("put k @{}", most.display())]);
    let Change::Put { value, .. } = contact.write_as_asked(WriteOutcome::Stored) else { panic!("it is put") };
    assert_eq!(value.len(), VALUE_BYTES_MAX);
    assert_eq!(client.finish().code, 0);
}

#[test]
fn what_can_be_no_key_is_told_why_and_is_no_unknown_command() {
    let fake = Fake::listen();
    let long = "k".repeat(KEY_BYTES_MAX + 1);
    let too_long = format!("the key has {} bytes; {KEY_BYTES_MAX} is the most", KEY_BYTES_MAX + 1);
    for (line, said) in [
        ("put \"\" x".to_owned(), "the key is empty"),
        ("del ''".to_owned(), "the key is empty"),
        ("watch tea ''".to_owned(), "the key is empty"),
        (format!("put {long} x"), &*too_long),
        (format!("del {long}"), &too_long),
        (format!("? 'a {long}'"), &too_long.replace("4097", "4099")),
    ] {
        let client = Client::start([&*fake.name(), "-c", &line]);
        let _contact = attach_keeping(&fake);
        let log = format!("client: {said}\n");
        assert_eq!(client.finish(), Run { out: String::new(), log, code: 2 }, "{line}");
    }
}

#[test]
fn where_the_contact_says_nothing_more_nobody_knows_what_is_stored() {
    let unknown = |fake: &Fake| format!("client: put tea at {}: unknown: it may be stored\n", fake.name());
    // Lost.
    let (fake, mut contact, client) = keeping(&["-c", "put tea green", "-c", "put tea red"]);
    contact.write();
    drop(contact);
    let run = client.finish();
    assert!(run.log.ends_with(&format!("it closed the connection\n{}", unknown(&fake))), "{}", run.log);
    assert_eq!((&*run.out, run.code), ("", 4));
    // Silent, and what comes late is no surprise.
    let (fake, mut contact, client) = keeping(&["--timeout", "300ms", "-c", "put tea green", "-c", "del tea"]);
    let late = contact.write();
    let next = contact.write();
    contact.tell_outcome(late.sequence, WriteOutcome::Stored);
    contact.tell_outcome(next.sequence, WriteOutcome::Deleted);
    let run = client.finish();
    assert_eq!((&*run.log, run.code), (&*unknown(&fake), 5));
    assert_eq!(without_times(&run.out), format!("deleted tea at {} in T\n", fake.name()));
    // Interrupted.
    let (fake, mut contact, client) = keeping(&["-c", "put tea green", "-c", "put tea red"]);
    contact.write();
    client.signal(Signal::INT);
    let run = client.finish();
    assert_eq!((&*run.out, &*run.log, run.code), ("", &*unknown(&fake), 130));
}

#[test]
fn outcomes_that_nobody_asked_for_are_unexpected_and_change_nothing() {
    let (fake, mut contact, client) = keeping(&["-c", "put tea green", "-c", "put tea red"]);
    let first = contact.write();
    contact.tell_outcome(first.sequence ^ 1, WriteOutcome::Replaced);
    contact.tell_outcome(first.sequence, WriteOutcome::Stored);
    contact.tell_outcome(first.sequence, WriteOutcome::Deleted);
    contact.tell_changed(first.sequence, None);
    contact.write_as_asked(WriteOutcome::Replaced);
    let surprise = format!("Unexpected message from {}\n", fake.name());
    let [stored, replaced] = ["stored", "replaced"].map(|done| format!("{done} tea at {} in T\n", fake.name()));
    let run = client.finish();
    let out = without_times(&run.out);
    // Those behind the first outcome are told whenever they are read.
    assert_eq!(out.matches(&surprise).count(), 3, "{out}");
    assert_eq!(out.replace(&surprise, ""), stored + &replaced);
    assert_eq!(run.code, 0);
}

#[test]
fn whoever_cannot_be_told_is_not_and_it_is_said_why() {
    let (fake, mut contact, client) = {
        let fake = Fake::listen();
        let client = Client::start([&*fake.name(), "-c", "put tea green", "-c", "watch tea"]);
        let mut contact = fake.accept();
        contact.greet_as_one_that_can(Features::BACK);
        (fake, contact, client)
    };
    let run = client.finish();
    let old = format!("client: contact {} is too old to understand this, and was not asked", fake.name());
    assert_eq!(run.log.lines().filter(|line| line.starts_with(&old)).count(), 2, "{}", run.log);
    assert_eq!((&*run.out, run.code), ("", 5));
    assert_eq!(contact.receive().map(|message| message.name()), None, "nothing was said");
}

#[test]
fn programs_read_what_came_of_each_and_what_has_changed() {
    let (fake, mut contact, mut client) = keeping(&["--json"]);
    client.write("put tea green\n");
    contact.write_as_asked(WriteOutcome::Stored);
    let written = client.next_json();
    let fields = ["type", "command", "key", "outcome", "from"];
    assert_eq!(picked(&written, fields), json!(["written", "put", "tea", "stored", fake.name()]));
    assert!(milliseconds(&written) >= 0.0);
    client.write(b"del t\xff\n");
    contact.write_as_asked(WriteOutcome::Refused(WriteRefusal::StoreFull));
    let fields = ["type", "command", "key_base64", "outcome"];
    assert_eq!(picked(&client.next_json(), fields), json!(["written", "del", "dP8=", "store_full"]));
    client.write("watch kernel\n");
    let watch = contact.watch_of("kernel");
    for (value, expected) in [
        (
            Some(&b"6\x1b[2J\xc2\x9b"[..]),
            json!({"type": "changed", "key": "kernel", "value": "6\x1b[2J\u{9b}", "from": fake.name()}),
        ),
        (None, json!({"type": "changed", "key": "kernel", "deleted": true, "from": fake.name()})),
        (Some(b"\xff"), json!({"type": "changed", "key": "kernel", "value_base64": "/w==", "from": fake.name()})),
    ] {
        contact.tell_changed(watch, value);
        let line = client.next_line();
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert_eq!(support::process::json(&line), expected);
    }
    client.signal(Signal::INT);
    let run = client.finish();
    assert_eq!((&*run.out, run.code), ("", 130));
}

#[test]
fn a_watch_shows_each_change_as_it_comes_until_nobody_wants_it_or_the_contact_is_lost() {
    let (fake, mut contact, mut client) = keeping(&["-c", "watch a b a", "-c", "T"]);
    let [a, b] = ["a", "b"].map(|key| contact.watch_of(key));
    contact.tell_changed(a, Some(b"1\t2\\"));
    assert_eq!(client.next_line(), format!("a\t1\\t2\\\\\t{}", fake.name()));
    contact.tell_changed(b, None);
    assert_eq!(client.next_line(), format!("b\t{}", fake.name()));
    client.signal(Signal::INT);
    for watch in [a, b] {
        assert_eq!(contact.receive(), Some(Message::Unwatch(Unwatch { sequence: watch })));
    }
    assert_eq!(client.finish(), quiet("", 130));

    let (_fake, mut contact, mut client) = keeping(&["-c", "watch a", "-c", "T"]);
    let a = contact.watch_of("a");
    contact.tell_changed(a, None);
    client.next_line();
    drop(contact);
    let run = client.finish();
    assert!(run.log.ends_with("is lost: it closed the connection\n"), "{}", run.log);
    assert_eq!((&*run.out, run.code), ("", 4));
}

#[test]
fn what_is_said_of_one_key_while_others_are_asked_for_is_shown() {
    let keys: Vec<String> = (0..WATCHES_PER_CLIENT_MAX).map(|number| format!("k{number:02}")).collect();
    let (fake, mut contact, mut client) = keeping(&["-c", &format!("watch {}", keys.join(" "))]);
    let shown = |key: &str, value: &str| format!("{key}\t{value}\t{}", fake.name());
    let mut expected = Vec::new();
    for key in &keys {
        let watch = contact.watch_of(key);
        for value in ["first", "second"] {
            contact.tell_changed(watch, Some(value.as_bytes()));
            expected.push(shown(key, value));
        }
    }
    let lines: Vec<String> = expected.iter().map(|_| client.next_line()).collect();
    assert_eq!(lines, expected);
    client.signal(Signal::INT);
    assert_eq!(client.finish(), quiet("", 130));
}
