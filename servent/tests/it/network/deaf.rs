//! Those who do not read, or late.

use super::*;
use crate::support::serve_many;
use common::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// What nobody holds and is as long as can be: each copy of a query for it fills what waits for a deaf neighbor.
fn long_key(number: usize) -> Ask {
    ask(format!("{number:0>KEY_BYTES_MAX$}"))
}

/// It hears a little at each turn, and says that it is there: whoever does neither for as long as that is taken for a machine
/// that is gone, which on a busy one comes first.
#[test]
fn a_neighbor_that_hardly_reads_loses_its_link_and_nobody_else_notices() {
    let file = tea();
    let mut servent = serve_many(&["-"]);
    let _elsewhere = serve_many(&[file.path(), &servent.address().to_string()]);
    logged(&mut servent, "linked with neighbor");
    let mut deaf = Peer::stranger_that_hardly_reads(servent.address());
    deaf.greet(deaf.as_servent());
    let mut source = Peer::neighbor(servent.address());

    // A client of the servent that is being stuffed asks all the while for what is held elsewhere.
    let port = AnswerPort::open();
    let mut client = Peer::client(servent.address(), port.address().port());
    client.request(ask("tea"));
    let (mut answers, _) = port.accept_and_greet();
    assert_eq!(value(&answers.expect_answer()), b"green");

    let nobody = free_address();
    let gone = format!("link with neighbor {} is gone: ", deaf.address());
    let mut sent = 0;
    while !servent.log_text().contains(&gone) {
        assert!(sent < 20_000, "80 MB are queued for one that hardly reads:\n{}", servent.log_text());
        for _ in 0..50 {
            source.pass_on(nobody, long_key(sent), 3);
            sent += 1;
        }
        // Its copy goes behind all of those, so that nobody is left behind but the deaf one.
        let sequence = client.request(ask("tea"));
        assert_eq!(answers.expect_answer().sequence, sequence);
        source.take_in();
        deaf.take_in();
        deaf.say_to_whoever_is_there(&Message::Pong);
    }
    let line = logged(&mut servent, &gone);
    assert!(line.contains("it does not read: 16777216 bytes are the most that may wait for it"), "{line}");
    deaf.hear_out();

    // Everybody else is where they were, and every copy the deaf one did not echo is reported as lost.
    let mut lost = 0;
    while lost < sent {
        match source.expect() {
            Message::Echo(echo) => {
                // On a busy machine the echo of the other one may come too late as well.
                assert!(echo.tally.lost >= u64::from(echo.tally.copies > 1), "{echo:?}");
                lost += 1;
            }
            // What the client asked comes here too, and is of no interest.
            Message::Query(_) => {}
            message => panic!("an unexpected {message:?}"),
        }
    }
    let sequence = client.request(ask("tea"));
    assert_eq!(answers.expect_answer().sequence, sequence);
    assert_eq!(servent.log_text().matches("link with neighbor ").count(), 1, "{}", servent.log_text());
}

#[test]
fn a_client_that_reads_late_gets_everything() {
    let long = "v".repeat(VALUE_BYTES_MAX);
    let file = DataFile::new(format!("tea green\nlong {long}\n"));
    let servent = serve(&[file.path()]);
    let mut late = Peer::deaf_stranger(servent.address());
    late.greet(Role::Client { answer_port: ANSWER_PORT });
    // As many as may wait for it, and more than the system takes in.
    let sequences: Vec<u64> = (0..4).map(|_| late.request(ask("long"))).collect();
    still_serves(servent.address());
    for sequence in sequences {
        let answer = late.expect_answer();
        assert!(answer.sequence == sequence && value(&answer) == long.as_bytes());
        assert_eq!(late.expect_finished().sequence, sequence);
    }
}
