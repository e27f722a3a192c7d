//! A content on stdout: in order, and no faster than whoever reads it.
use super::get::output_of;
use super::*;
use common::limits::BLOCKS_HELD_BYTES_MAX;
use rustix::process::{Pid, Signal, kill_process};
use std::process::Stdio;

const HELD: usize = BLOCKS_HELD_BYTES_MAX / BLOCK;

/// Whoever has all but the first block would have a client hold all of it.
#[test]
fn no_more_is_asked_for_than_may_wait_for_its_turn() {
    let bytes = content(BLOCK * 2 * HELD, 12);
    let holder = Holder::of(b"one", &bytes, Manner::LacksFirst);
    let teller = Teller::of(vec![holder.told()]);
    let here = here();
    let run = run_in(here.path(), &teller.name(), &[], &["get one -o - --wait 0"]);
    assert_eq!((&*run.out, run.code), ("", 5), "{run:?}");
    assert_eq!(holder.take_asked().len(), HELD - 1);
    // With somebody who has it, it comes.
    let first = Holder::of(b"one", &bytes, Manner::Has(0));
    let teller = Teller::of(vec![holder.told(), first.told()]);
    let (_home, mut client) = prepared([&*teller.name(), "-c", "get one -o -"]);
    let output = output_of(client.current_dir(here.path()));
    assert!(output.stdout == bytes, "{} bytes: {}", output.stdout.len(), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
}

/// What cannot be written yet keeps the client from nothing else.
#[test]
fn while_nobody_reads_it_the_client_can_be_interrupted() {
    let bytes = content(BLOCK * 2 * HELD, 13);
    let holder = Holder::of(b"one", &bytes, Manner::Honest);
    let teller = Teller::of(vec![holder.told()]);
    let (_home, mut client) = prepared([&*teller.name(), "-c", "get one -o -"]);
    let mut client = client.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut asked = 0;
    wait_until("all that may be held was asked for", || {
        asked += holder.take_asked().len();
        asked >= HELD
    });
    kill_process(Pid::from_child(&client), Signal::INT).unwrap();
    // Nothing was read, so it ends while it still has something to write.
    assert_eq!(client.wait().unwrap().code(), Some(130));
    assert!(asked < 2 * HELD, "{asked} blocks were asked for");
}
