//! The same with a servent that keeps what is written.

use super::*;

/// As many puts as are pasted at once by whoever fills a store.
const PASTED: usize = 10_000;

#[test]
fn what_a_client_writes_is_what_everybody_is_answered_and_no_more_than_that() {
    let home = TempDir::new().unwrap();
    let servent = servent_in(&home, &[]);
    let at = servent.address().to_string();
    let script = "put tea green, 80 °C\n? tea\nput tea red\n? tea\ndel tea\n? tea\ndel tea\n? kernel\ndel kernel\n? kernel\n\
                  put @at @@x\n? @at\n";
    let run = Client::run([&*at], script);
    let lines = [
        "stored tea at AT in T",
        "green, 80 °C AT",
        "replaced tea at AT in T",
        "red AT",
        "deleted tea at AT in T",
        "No answer received",
        "no such key: tea at AT",
        "6.1.0 AT",
        "deleted kernel at AT in T",
        "No answer received",
        "stored @at at AT in T",
        "@x AT",
    ];
    let expected = lines.map(|line| format!("{}\n", line.replace("AT", &at))).concat();
    assert_eq!((&*without_times(&run.out), &*run.log, run.code), (&*expected, "", 1));
}

#[test]
fn a_key_with_blanks_is_asked_for_as_it_was_put() {
    let home = TempDir::new().unwrap();
    let servent = servent_in(&home, &[]);
    let at = servent.address().to_string();
    let script = "put \"a b\" c\n? \"a b\"\n?'a b'\n? a\\ b\n? \"a  b\"\n";
    let answers = format!("stored a b at {at} in T\nc {at}\nc {at}\nc {at}\nNo answer received\n");
    let run = Client::run([&*at], script);
    assert_eq!((&*without_times(&run.out), &*run.log, run.code), (&*answers, "", 1));
    assert_eq!(Client::run([&*at, "-c", "? \"a b\""], ""), quiet(format!("c {at}\n"), 0));
    let run = Client::run([&*at, "--json", "-c", "? \"a b\""], "");
    let fields = picked(&support::process::json(run.out.lines().next().unwrap()), ["command", "key", "value"]);
    assert_eq!(fields, json!(["?", "a b", "c"]));
}

#[test]
fn ten_thousand_puts_that_are_pasted_are_all_there_in_their_order() {
    // One after the other: where there is memory to be had in the place of a disk nobody waits for that.
    let home = TempDir::new_in("/dev/shm").or_else(|_| TempDir::new()).unwrap();
    let servent = servent_in(&home, &[]);
    let at = servent.address().to_string();
    let script: String = (0..PASTED).map(|number| format!("put k{} {number}\n", number % 100)).collect();
    let run = Client::run([&*at], script);
    assert_eq!((&*run.log, run.code), ("", 0));
    let firsts = run.out.lines().filter(|line| line.starts_with("stored ")).count();
    let others = run.out.lines().filter(|line| line.starts_with("replaced ")).count();
    assert_eq!((firsts, others), (100, PASTED - 100));
    let asked: String = (0..100).map(|number| format!("? k{number}\n")).collect();
    let expected: String = (0..100).map(|number| format!("{} {at}\n", PASTED - 100 + number)).collect();
    assert_eq!(Client::run([&*at], asked), quiet(expected, 0));
}

#[test]
fn a_watch_follows_what_another_client_writes() {
    let home = TempDir::new().unwrap();
    let servent = servent_in(&home, &[]);
    let at = servent.address().to_string();
    let mut watcher = Client::start([&*at, "-c", "watch kernel"]);
    assert_eq!(watcher.next_line(), format!("kernel\t6.1.0\t{at}"));
    for (command, shown) in
        [("put kernel 6.2.0", format!("kernel\t6.2.0\t{at}")), ("del kernel", format!("kernel\t{at}"))]
    {
        assert_eq!(Client::run([&*at, "-c", command], "").code, 0);
        assert_eq!(watcher.next_line(), shown);
    }
    watcher.signal(Signal::INT);
    assert_eq!(watcher.finish(), quiet("", 130));
}

#[test]
fn keys_and_values_that_no_line_can_hold_are_kept_all_the_same() {
    let home = TempDir::new().unwrap();
    let servent = servent_in(&home, &[]);
    let mut library = client::Client::connect(&servent.address().to_string()).unwrap();
    let (longest, most) = (vec![b'k'; KEY_BYTES_MAX], vec![7; VALUE_BYTES_MAX]);
    for (key, value) in [(&b" a b\t"[..], &b" \n"[..]), (b"a\0b\n", b""), (&longest, b"\r\n\xff\0"), (b"most", &most)] {
        let ends: Vec<_> = library.put(key, value).unwrap().map(Result::unwrap).collect();
        let [client::Event::Written(written)] = &ends[..] else { panic!("{ends:?}") };
        assert_eq!(written.end, client::WriteEnd::Told(WriteOutcome::Stored));
        let answer = library.ask(key).unwrap().find_map(|event| match event.unwrap() {
            client::Event::Answer { body: client::AnswerBody::Value(value), .. } => Some(value),
            _ => None,
        });
        assert!(answer.as_deref() == Some(value), "{}", key.escape_ascii());
    }
    let too_long = library.put("k", vec![7; VALUE_BYTES_MAX + 1]).unwrap_err();
    assert_eq!(too_long.to_string(), "value of 1,048,577 bytes, 1,048,576 is the most");
}

#[test]
fn whoever_keeps_nothing_says_so_also_of_what_it_has_no_room_for() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("long");
    std::fs::write(&file, vec![b'v'; VALUE_BYTES_MAX]).unwrap();
    let servent = Servent::start(&["127.0.0.1:0", "-"]).unwrap();
    let no_store = "this servent takes no writes (it was started without --store)";
    let no_long = "this servent takes no writes, or none from 127.0.0.1";
    for (command, said) in [
        ("put tea green".to_owned(), no_store),
        (format!("put tea @{}", file.display()), no_long),
        ("del tea".to_owned(), no_store),
    ] {
        let at = servent.address().to_string();
        let run = Client::run([&*at, "-c", &command], "");
        let word = command.split(' ').next().unwrap();
        let log = format!("client: {word} tea at {at}: {said}\n");
        assert_eq!(run, Run { out: String::new(), log, code: 1 }, "{command}");
    }
}

/// Whatever address the client has dialled: whoever reads two lines of one servent is to see that it is one.
#[test]
fn a_contact_goes_by_one_address_in_all_that_is_printed_of_it() {
    const OTHER: &str = "192.0.2.7:9001";
    let home = TempDir::new().unwrap();
    let share = home.path().join("share");
    std::fs::create_dir(&share).unwrap();
    std::fs::write(share.join("farol.txt"), "a lighthouse").unwrap();
    let mut servent = servent_in(&home, &["--advertise", OTHER, "--share", share.to_str().unwrap()]);
    servent.wait_for_log("sharing 1 file").unwrap();
    let at = servent.address().to_string();
    let run = Client::run([&*at], "put tea green\n? tea\ndel coffee\n");
    let lines = format!("stored tea at {OTHER} in T\ngreen {OTHER}\nno such key: coffee at {OTHER}\n");
    assert_eq!((&*without_times(&run.out), &*run.log, run.code), (&*lines, "", 1));
    let mut watcher = Client::start([&*at, "-c", "watch tea"]);
    assert_eq!(watcher.next_line(), format!("tea\tgreen\t{OTHER}"));
    watcher.signal(Signal::INT);
    assert_eq!(watcher.finish().code, 130);
    let elsewhere = format!("ls {at}\nM {at}\n");
    let run = Client::run([&*at, "--json"], format!("ls\nM\nT\nput tea red\n{elsewhere}"));
    let from: Vec<&str> = run.out.split("\"from\":").skip(1).collect();
    assert_eq!(from.len(), 8, "{}", run.out);
    let is_other =
        |said: &&str| said.starts_with(&format!("\"{OTHER}\"")) || said.starts_with(&format!("[\"{OTHER}\"]"));
    assert!(from.iter().all(is_other), "{}", run.out);
}
