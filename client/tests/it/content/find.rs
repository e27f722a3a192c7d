//! `find`: what is found by words, and how it is told to programs. What a person sees is in `terminal.rs`.
use super::*;
use common::limits::{ENTRIES_MAX, FIND_WORDS_MAX};

/// Three servents in a row. Two share the same `farol.mp4`, the third has another of that name.
pub(super) struct Films {
    pub(super) servents: [Shared; 3],
    pub(super) common: Vec<u8>,
    pub(super) other: Vec<u8>,
}

pub(super) fn films() -> Films {
    let (common, other) = (content(3_000, 1), content(70_000, 2));
    let first = Shared::start_with(
        &[("farol.mp4", &common), ("Praia/em Barra.txt", b"sand")],
        "farol.mp4 the Lighthouse of Barra at dusk\ntea green\n",
        &["-v"],
    );
    let second = Shared::start_with(&[("farol.mp4", &common)], "", &["-v", &first.name()]);
    let third = Shared::start_with(&[("farol.mp4", &other)], "", &["-v", &second.name()]);
    wait_until_reached(first.address(), 3);
    Films { servents: [first, second, third], common, other }
}

fn found(contact: &Shared, words: &str) -> Run {
    Client::run([&*contact.name(), "-c", &format!("find {words}")], "")
}

#[test]
fn all_words_are_found_in_name_or_description_whatever_their_case_and_holders_are_counted() {
    let Films { servents, common, other } = films();
    let [common, other] = [common, other].map(|bytes| (bytes.len(), hash_of(&bytes)));
    let lines = [
        format!("Praia/em Barra.txt\t4\t{}\t1\t\n", hash_of(b"sand")),
        format!("farol.mp4\t{}\t{}\t2\tthe Lighthouse of Barra at dusk\n", common.0, common.1),
        format!("farol.mp4\t{}\t{}\t1\t\n", other.0, other.1),
    ];
    // A content of which one holder has a description, where only that one is found by it.
    let described = lines[1].replace("\t2\t", "\t1\t");
    for (words, expected) in [
        ("", lines.concat()),
        ("farol", lines[1..].concat()),
        ("FAROL .Mp4", lines[1..].concat()),
        ("barra", format!("{}{described}", lines[0])),
        ("barra lighthouse", described.clone()),
        ("'lighthouse of' dusk farol", described.clone()),
        ("praia sand", String::new()),
        ("lighthouse praia", String::new()),
    ] {
        let run = found(&servents[0], words);
        let expected = if expected.is_empty() { quiet("No answer received\n", 1) } else { quiet(expected, 0) };
        assert_eq!(run, expected, "{words}");
    }
    let run = Client::run([&*servents[0].name(), "--via", "back", "-c", "find farol"], "");
    assert_eq!(run, quiet(lines[1..].concat(), 0), "all of it comes back");
}

#[test]
fn json_of_what_is_found() {
    let Films { servents, common, .. } = films();
    let commands = ["-c", "find farol", "-c", "find nothing", "-c", "? tea"];
    let mut client = Client::start([&[&*servents[0].name(), "--json"], &commands[..]].concat());
    let line = client.next_json();
    let mut from = [servents[0].address(), servents[1].address()];
    from.sort();
    assert_eq!(
        line,
        json!({"type": "content", "name": "farol.mp4", "size": common.len(), "hash": hash_of(&common), "holders": 2,
            "description": "the Lighthouse of Barra at dusk", "from": from.map(|from| from.to_string())})
    );
    let line = client.next_json();
    let from = [servents[2].name()];
    assert_eq!(picked(&line, ["type", "holders", "from", "description"]), json!(["content", 1, from, null]));
    let line = client.next_json();
    let ended = picked(&line, ["type", "answers", "reached", "reason", "more"]);
    assert_eq!(ended, json!(["finished", 3, 3, "complete", 0]));
    assert_eq!(picked(&client.next_json(), ["type", "answers", "more"]), json!(["finished", 0, 0]));
    assert_eq!(client.next_json()["value"], "green");
    assert_eq!(picked(&client.next_json(), ["type", "answers", "more"]), json!(["finished", 1, null]));
    assert_eq!(client.finish(), quiet("", 1));
}

#[test]
fn names_and_descriptions_are_fields_whatever_is_in_them() {
    let files: [(&[u8], &[u8]); 4] =
        [(b"a\tb\\c", b"1"), (b"caf\xe9", b"2"), (b"two\nlines", b"3"), (b"\x1b[2J", b"4")];
    let shared = Shared::start_with(&files, "caf\\xe9 no\ncaf\u{e9} no\n", &[]);
    let names = ["\\x1b[2J", "a\\tb\\\\c", "caf\\xe9", "two\\nlines"];
    let bytes = [&b"4"[..], b"1", b"2", b"3"];
    let lines = names.iter().zip(bytes).map(|(name, bytes)| format!("{name}\t1\t{}\t1\t\n", hash_of(bytes)));
    assert_eq!(found(&shared, ""), quiet(lines.collect::<String>(), 0));
    let mut client = Client::start([&*shared.name(), "--json", "-c", "find"]);
    let told: Vec<_> = (0..4).map(|_| picked(&client.next_json(), ["name", "name_base64"])).collect();
    assert_eq!(json!(told), json!([["\u{1b}[2J", null], ["a\tb\\c", null], [null, "Y2Fm6Q=="], ["two\nlines", null]]));
}

#[test]
fn of_more_than_a_servent_tells_it_is_said_how_many_there_are() {
    const MORE: usize = 8;
    let names: Vec<String> = (0..ENTRIES_MAX + MORE).map(|number| format!("n{number:02}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
    let shared = Shared::start(&files);
    let run = found(&shared, "");
    let told: Vec<&str> = run.out.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(told, names[..ENTRIES_MAX]);
    let said = format!("client: at least {MORE} more at 1 servent: say more words, or ls each\n");
    assert_eq!((run.log, run.code), (said, 0));
    let quietly = Client::run([&*shared.name(), "-q", "-c", "find"], "");
    assert_eq!((&*quietly.log, quietly.code), ("", 0));
    let mut client = Client::start([&*shared.name(), "--json", "-c", "find"]);
    (0..ENTRIES_MAX).for_each(|_| assert_eq!(client.next_json()["type"], "content"));
    let ended = picked(&client.next_json(), ["type", "answers", "more"]);
    assert_eq!(ended, json!(["finished", 1, MORE]), "one answer of one servent");
    assert_eq!(client.finish(), quiet("", 0), "a program is told in its own words");
    // What is listed is listed whole.
    let run = Client::run([&*shared.name(), "-c", "ls"], "");
    assert_eq!(run.out.lines().count(), ENTRIES_MAX + MORE);
    assert_eq!((&*run.log, run.code), ("", 0));
}

#[test]
fn what_cannot_be_looked_for_is_told_why() {
    let shared = Shared::start(&[("a", b"1")]);
    let many = "w ".repeat(FIND_WORDS_MAX + 1);
    for (words, said) in [
        ("''", "an empty word is in every name: find without words tells of all files"),
        ("'open", "a quote ' that does not end"),
        ("a\\", "a backslash with nothing behind it"),
        (&many, "9 words; 8 are the most"),
    ] {
        let run = found(&shared, words);
        assert_eq!(run, Run { out: String::new(), log: format!("client: {said}\n"), code: 2 });
    }
}

/// What asks how a command is used may be the name of a file all the same.
#[test]
fn a_command_says_how_it_is_used_and_a_file_that_is_called_like_that_is_found_behind_two_dashes() {
    let shared = Shared::start(&[("-h", b"h"), ("other", b"o")]);
    let here = here();
    let run = |command: &str| run_in(here.path(), &shared.name(), &[], &[command]);
    for command in ["find", "ls", "get", "M", "hello"] {
        let [asked, long, helped] =
            [format!("{command} -h"), format!("{command} --help"), format!("help {command}")].map(|line| run(&line));
        assert!(asked.log.starts_with(&format!("Usage: {command} ")), "{asked:?}");
        assert_eq!((&*asked.out, asked.code), ("", 0));
        assert_eq!((&long, &helped), (&asked, &asked));
    }
    let [found, file] = [format!("-h\t1\t{}", hash_of(b"h")), format!("-h\t1\t{}\n", hash_of(b"h"))];
    assert_eq!(run("find -- -h"), quiet(format!("{found}\t1\t\n"), 0));
    assert_eq!(run("ls -- -h"), quiet(format!("{found}\t\n"), 0));
    assert_eq!(run("get -- -h"), quiet(file, 0));
}

/// To whoever knows keys alone a shared file is one.
#[test]
fn the_name_of_a_shared_file_is_a_key_whose_value_says_what_it_is() {
    let bytes = content(3_000, 1);
    let shared = Shared::start_with(&[("farol.mp4", &bytes), ("plain", b"p")], "farol.mp4 at dusk\n", &["--tp3"]);
    let hash = hash_of(&bytes);
    for contact in [shared.name(), format!("tp3://{}", shared.name())] {
        let mut client = Client::start([&*contact, "--timeout", "300ms", "-c", "? farol.mp4", "-c", "? plain"]);
        let line = client.next_line();
        assert!(line.starts_with(&format!("3000 bytes {hash} at dusk 127.")), "{line}");
        let line = client.next_line();
        assert!(line.starts_with(&format!("1 bytes {} 127.", hash_of(b"p"))), "{line}");
        assert_eq!(client.finish(), quiet("", 0), "one answer each");
    }
}
