//! `ls`: the files of the contact, or of another servent, without looking for them.
use super::*;

fn lines(files: &[(&str, &[u8])]) -> String {
    files.iter().map(|(name, bytes)| format!("{name}\t{}\t{}\t\n", bytes.len(), hash_of(bytes))).collect()
}

const FILES: [(&str, &[u8]); 4] = [("a", b"1"), ("films/b", b"22"), ("films/c d", b"333"), ("z", b"")];

#[test]
fn all_files_are_listed_by_name_or_those_whose_names_begin_like_that() {
    let shared = Shared::start(&FILES);
    for (command, files) in [
        ("ls", &FILES[..]),
        ("ls films/", &FILES[1..3]),
        ("ls 'films/c d'", &FILES[2..3]),
        ("ls films/c\\ ", &FILES[2..3]),
        ("ls z", &FILES[3..]),
    ] {
        assert_eq!(Client::run([&*shared.name(), "-c", command], ""), quiet(lines(files), 0), "{command}");
    }
    // That nothing begins like that is an answer, and it is no.
    assert_eq!(Client::run([&*shared.name(), "-c", "ls Films"], ""), quiet("", 1));
    let nothing = Chain::start([""]);
    assert_eq!(Client::run([&*nothing.contact(), "-c", "ls"], ""), quiet("", 0), "there is nothing to be said no to");
}

#[test]
fn another_servent_is_listed_whether_it_is_within_reach_or_not() {
    let (contact, other) = (Shared::start(&[("here", b"h")]), Shared::start(&FILES));
    for options in [&[][..], &["--via", "back"]] {
        let commands = ["-c", &format!("ls {}", other.name()), "-c", &format!("ls {} films", other.name()), "-c", "ls"];
        let run = Client::run([&[&*contact.name()], options, &commands].concat(), "");
        assert_eq!(run, quiet([lines(&FILES), lines(&FILES[1..3]), lines(&[("here", b"h")])].concat(), 0));
    }
}

#[test]
fn json_of_what_is_listed() {
    let shared = Shared::start_with(&FILES[..2], "a at dusk\n", &[]);
    let mut client = Client::start([&*shared.name(), "--json", "-c", "ls", "-c", "ls nothing"]);
    let (name, hash) = (shared.name(), hash_of(b"1"));
    assert_eq!(
        client.next_json(),
        json!({"type": "content", "name": "a", "size": 1, "hash": hash, "description": "at dusk", "from": [name]})
    );
    assert_eq!(client.next_json()["name"], "films/b");
    let line = client.next_json();
    assert_eq!(picked(&line, ["type", "from", "files", "reason"]), json!(["files_listed", name, 2, "complete"]));
    assert_eq!(picked(&client.next_json(), ["type", "files", "reason"]), json!(["files_listed", 0, "complete"]));
    assert_eq!(client.finish(), quiet("", 1));
}

#[test]
fn where_nobody_is_and_what_is_no_address_is_told_and_the_session_goes_on() {
    let shared = Shared::start(&FILES[..1]);
    let (contact, nobody) = (shared.name(), nobody());
    let run = Client::run([&*contact, "-c", &format!("ls {nobody}"), "-c", "ls"], "");
    let refused = "Connection refused (os error 111)";
    let log = format!("client: no servent at {nobody}: {refused} (ls alone asks contact {contact})\n");
    assert_eq!(run, Run { out: lines(&FILES[..1]), log, code: 3 });
    for (command, said) in [
        ("ls 1.2.3.4:9 films/ more", "ls takes an address and the beginning of a name, and no more"),
        ("ls here films/", "`here` has no port; the forms are "),
        ("ls h:0 films/", "`h:0` is nobody's address: nobody listens on port 0"),
        ("ls 'films", "a quote ' that does not end"),
    ] {
        let run = Client::run([&*contact, "-c", command], "");
        assert_eq!((&*run.out, run.code), ("", 2), "{command}");
        assert!(run.log.starts_with(&format!("client: {said}")), "{run:?}");
    }
}
