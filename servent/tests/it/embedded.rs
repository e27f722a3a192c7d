//! A servent in a process of somebody else's: it is started, asked, told to read its data again and to leave.
//!
//! What it answers is asked through the client library, as anybody would.

use super::*;
use servent::{EmbeddedServent, Options};

/// How often it is looked whether the data was read. Each look waits for a whole query.
const LOOKS_MAX: usize = 1_000;

#[test]
fn it_serves_what_it_is_told_until_it_is_told_to_leave() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs::write(&data, "tea green\n").unwrap();
    let servent = EmbeddedServent::start(&Options::of(["0".as_ref(), data.as_os_str()]).unwrap()).unwrap();
    let (address, controls) = (servent.address(), servent.controls().unwrap());
    let served = thread::spawn(|| servent.run());
    let value = || {
        let asked = Asked::at(address, asking::key("tea").unwrap()).unwrap();
        asked.answers.into_iter().map(|answer| answer.value.unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(value(), ["green"]);
    fs::write(&data, "tea black\n").unwrap();
    controls.reload();
    assert!((0..LOOKS_MAX).any(|_| value() == ["black"]), "the data was not read again");
    controls.leave();
    served.join().unwrap().unwrap();
    // Nobody is there any more.
    controls.leave();
}

#[test]
fn words_that_mean_nothing_are_refused_as_the_program_does() {
    for (words, expected) in [
        (&["0"][..], "<DATA>"),
        (&["0", "-", "tp3://127.0.0.1:9"], "say --tp3 to speak it too"),
        (&["0", "-", "--ttl", "16"], "16"),
    ] {
        let error = Options::of(words.iter().copied()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
