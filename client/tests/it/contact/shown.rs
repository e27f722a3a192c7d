//! What is shown.

use super::*;

#[test]
fn a_value_is_one_line_and_moves_no_cursor() {
    let (fake, mut contact, mut client) = Fake::with_client(&["-n", "1"]);
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
        let (_home, mut command) = prepared([&[&*fake.name()], options].concat());
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
