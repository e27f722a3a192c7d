//! Contacts that know of no contents: those that are too old, and those of the other dialect.
use super::*;
use crate::support::tp3::Node;
use common::features::Features;

/// A client with these commands, and a contact that is too old to know of contents.
fn with_old(commands: &[&str], options: &[&str]) -> (Fake, Peer, Client) {
    let fake = Fake::listen();
    let commands: Vec<&str> = commands.iter().flat_map(|command| ["-c", command]).collect();
    let client = Client::start([&[&*fake.name()], options, &commands].concat());
    let mut contact = fake.accept();
    contact.greet_as_one_that_can(Features::BACK.with(Features::TTL).with(Features::MEMBERS));
    (fake, contact, client)
}

#[test]
fn a_contact_that_is_too_old_is_asked_nothing_and_that_is_said() {
    for (command, said) in [
        ("find farol", "contact NAME is too old to understand this, and was not asked: attach to a newer servent"),
        ("get farol", "contact NAME is too old to understand this, and was not asked: attach to a newer servent"),
        ("get deadbeef", "contact NAME is too old to understand this, and was not asked: attach to a newer servent"),
        ("ls", "contact NAME does not tell of files, and was not asked: it is too old for that"),
    ] {
        let (fake, mut contact, mut client) = with_old(&[command, "? tea"], &[]);
        contact.answer_next(b"green");
        let shown = if command.starts_with("find") { "No answer received" } else { "" };
        if !shown.is_empty() {
            assert_eq!(client.next_line(), shown);
        }
        let said = format!("client: {}\n", said.replace("NAME", &fake.name()));
        let out = format!("green {}\n", fake.address());
        assert_eq!(client.finish(), Run { out, log: said, code: 5 }, "{command}");
    }
    let (fake, _contact, mut client) = with_old(&["find farol", "ls"], &["--json"]);
    assert_eq!(picked(&client.next_json(), ["type", "reason"]), json!(["finished", "not_understood"]));
    let line = client.next_json();
    let expected = json!(["files_listed", fake.name(), 0, "not_understood"]);
    assert_eq!(picked(&line, ["type", "from", "files", "reason"]), expected);
    assert_eq!(client.finish().code, 5);
}

#[test]
fn one_that_is_named_and_too_old_is_not_the_contact() {
    let shared = Shared::start(&[("one", b"1")]);
    for (command, said) in [
        ("ls NAME", "NAME does not tell of files, and was not asked: it is too old for that"),
        ("get one --from NAME", "NAME does not tell of contents, and was not asked: it is too old for that"),
    ] {
        let old = Fake::listen();
        let client = Client::start([&*shared.name(), "-c", &command.replace("NAME", &old.name())]);
        let mut other = old.accept();
        other.greet_as_one_that_can(Features::BACK);
        assert_eq!(other.receive(), None, "it is asked nothing, and let go");
        let said = format!("client: {}\n", said.replace("NAME", &old.name()));
        assert_eq!(client.finish(), Run { log: said, ..quiet("", 5) });
    }
}

#[test]
fn in_the_other_dialect_there_are_no_words_for_contents_and_that_is_said() {
    for command in ["find farol", "get farol", "get deadbeef", "ls"] {
        let (node, mut contact, client) = Node::with_client(&["--timeout", "300ms", "-c", command]);
        let run = client.finish();
        assert_eq!((run.log.lines().count(), run.code), (1, 5), "{command}: {run:?}");
        assert!(run.log.contains(&node.name()) && run.log.contains("TP3"), "{run:?}");
        assert_eq!(contact.bytes_until_end(), b"");
    }
    let shared = Shared::start(&[("one", b"1")]);
    for command in ["ls NAME", "get one --from NAME"] {
        let node = Node::listen();
        let client = Client::start([&*shared.name(), "-c", &command.replace("NAME", &node.name())]);
        let contact = node.attach();
        drop(contact);
        let run = client.finish();
        assert_eq!((run.log.lines().count(), run.code), (1, 5), "{command}: {run:?}");
        assert!(run.log.contains(&node.name()) && run.log.contains("TP3"), "{run:?}");
    }
}
