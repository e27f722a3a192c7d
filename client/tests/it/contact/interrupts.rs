//! Ctrl-C without a terminal.

use super::*;
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn an_interrupt_ends_the_query_and_the_script() {
    let (_fake, mut contact, sequence, mut client) = asked(&["--json", "-c", "? never-asked"]);
    contact.answer(sequence, b"v");
    client.next_line();
    client.signal(Signal::INT);
    let finished = client.next_json();
    assert_eq!(picked(&finished, ["reason", "answers", "lost"]), json!(["interrupted", 1, 0]));
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
    let (_fake, mut contact, client) = denied();
    client.signal(Signal::INT);
    // It leaves while its stdin is still open.
    assert_eq!(contact.receive(), None);
    assert_eq!(client.finish(), quiet("", 130));
}

#[test]
fn an_interrupt_that_comes_just_before_a_query_is_not_lost() {
    let fake = Fake::listen();
    let (mut out, mut other_writer) = std::io::pipe().unwrap();
    let (_home, mut command) = prepared([&*fake.name(), "--timeout", "20s"]);
    let mut child = command.stdin(Stdio::piped()).stdout(other_writer.try_clone().unwrap()).spawn().unwrap();
    drop(command);
    let mut script = child.stdin.take().unwrap();
    let mut contact = fake.attach();
    script.write_all(b"? k\n").unwrap();
    contact.deny("? k");
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
    let (_home, mut command) = prepared([&*fake.name(), "-c", "? k", "-c", "? never-asked", "--timeout", "20s"]);
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let mut contact = fake.attach();
    contact.answer_next(&vec![b'v'; common::limits::VALUE_BYTES_MAX]);
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
