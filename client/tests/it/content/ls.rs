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
}

/// That there is none is an answer, and it is no.
#[test]
fn where_no_file_is_told_of_it_is_said_that_there_is_none_and_the_exit_code_is_that_of_nobody_has_it() {
    let (shared, nothing) = (Shared::start(&FILES), Chain::start([""]));
    let (contact, bare) = (shared.name(), nothing.contact());
    for (contact, command, said) in [
        (&contact, "ls Films".to_owned(), format!("no file of contact {contact} begins with Films")),
        (
            &bare,
            "ls".to_owned(),
            format!("contact {bare} shares no files with this client, or has not hashed or published them yet"),
        ),
        (
            &contact,
            format!("ls {bare}"),
            format!("{bare} shares no files with this client, or has not hashed or published them yet"),
        ),
        (&contact, format!("ls {bare} 9103"), format!("no file of {bare} begins with 9103")),
    ] {
        let run = Client::run([&**contact, "-c", &command], "");
        assert_eq!(run, Run { out: String::new(), log: format!("client: {said}\n"), code: 1 }, "{command}");
    }
    assert_eq!(Client::run([&*bare, "-q", "-c", "ls"], ""), quiet("", 1), "nothing went wrong");
}

#[test]
fn what_could_be_a_port_is_the_beginning_of_a_name_and_where_none_begins_so_it_is_said_how_a_servent_is_named() {
    let shared = Shared::start(&[("9103.txt", b"1")]);
    let contact = shared.name();
    let listed = |prefix: &str| Client::run([&*contact, "-c", &format!("ls {prefix}")], "");
    assert_eq!(listed("9103"), quiet(lines(&[("9103.txt", b"1")]), 0));
    for (prefix, instead) in [
        ("9104", "; for the servent there: ls 127.0.0.1:9104"),
        // No servent has such a port.
        ("0", ""),
        ("70000", ""),
        ("91x", ""),
    ] {
        let log = format!("client: no file of contact {contact} begins with {prefix}{instead}\n");
        assert_eq!(listed(prefix), Run { out: String::new(), log, code: 1 });
    }
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
