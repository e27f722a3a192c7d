//! A client whose stdin, stdout or stderr another program has made non-blocking: nothing is lost, and nothing ends.
use std::io::{BufRead, BufReader, ErrorKind, PipeReader, PipeWriter, pipe};

use super::*;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

fn make_non_blocking(end: impl AsFd) {
    fcntl_setfl(&end, fcntl_getfl(&end).unwrap() | OFlags::NONBLOCK).unwrap();
}

fn is_non_blocking(end: impl AsFd) -> bool {
    fcntl_getfl(end).unwrap().contains(OFlags::NONBLOCK)
}

/// A pipe whose writing end waits for nobody, once for the client and once for whoever made it so.
fn impatient() -> (PipeReader, PipeWriter, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    make_non_blocking(&writer);
    let shared = writer.try_clone().unwrap();
    (reader, writer, shared)
}

/// Fills a pipe, and says with how many bytes.
fn fill(mut writer: &PipeWriter) -> usize {
    let mut count = 0;
    loop {
        match writer.write(b"-") {
            Ok(written) => count += written,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_value_larger_than_a_pipe_arrives_whole() {
    let value = "x".repeat(900_000);
    let chain = Chain::start([format!("large {value}\n")]);
    let (mut reader, writer, shared) = impatient();
    // There is room for nothing until somebody reads.
    let filled = fill(&writer);
    let (_home, mut command) = prepared([&*chain.contact(), "-c", "? large", "-c", "? large"]);
    let mut client = command.stdout(writer).spawn().unwrap();
    drop(command);
    assert!(is_non_blocking(&shared), "the mode is not the client's to change");
    drop(shared);
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    assert!(client.wait().unwrap().success());
    assert_eq!(out.len(), filled + 2 * format!("{value} {}\n", chain.contact()).len());
    assert!(out.ends_with(&format!("x {}\n", chain.contact())));
}

#[test]
fn what_is_said_on_stderr_arrives_whole() {
    let chain = Chain::start(["tea green\n"]);
    let (mut reader, writer, shared) = impatient();
    let filled = fill(&writer);
    drop(shared);
    let (_home, mut command) = prepared([&*chain.contact(), "-c", "help", "-c", "? two words"]);
    let mut client = command.stderr(writer).spawn().unwrap();
    drop(command);
    let mut log = String::new();
    reader.read_to_string(&mut log).unwrap();
    assert_eq!(client.wait().unwrap().code(), Some(2));
    assert_eq!(
        log[filled..],
        format!("{HELP}client: a key is one word; one with blanks is quoted, such as: ? \"a b\"\n")
    );
}

#[test]
fn a_script_may_come_later() {
    let chain = Chain::start(["tea green\n"]);
    let (reader, mut writer) = pipe().unwrap();
    make_non_blocking(&reader);
    let (_home, mut command) = prepared([chain.contact()]);
    let mut client = command.stdin(reader).spawn().unwrap();
    drop(command);
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    for part in ["? tea\n# a comment\n? t", "ea\n"] {
        writer.write_all(part.as_bytes()).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), format!("green {}", chain.contact()));
    }
    drop(writer);
    assert!(lines.next().is_none());
    assert!(client.wait().unwrap().success());
}

#[test]
fn a_terminal_is_waited_for() {
    let home = TempDir::new().unwrap();
    // It sets the mode of what it inherits, and does nothing else.
    let before = ["sh", "-c", "dd iflag=nonblock count=0 2>&-; exec \"$@\"", "sh"];
    for kind in [XTERM, "dumb"] {
        let (_fake, mut contact, mut terminal) = Terminal::attached(kind, home.path(), &before, &[]);
        for key in ["one", "two"] {
            terminal.press(format!("? {key}\r"));
            contact.deny(&format!("? {key}"));
            // At its next prompt, so that what is typed then is not shown before it.
            let said = "No answer received\nthe one servent within reach does not have it\n> ";
            terminal.wait_for_text(&format!("> ? {key}\n{said}"));
        }
        terminal.press("Q\r");
        assert_eq!(terminal.exit_code(), 0);
    }
}
