//! The client without a terminal, asking real servents: commands, what they print to the byte, JSON, exit codes.
//!
//! Contacts that misbehave are in `contact.rs`, a person at a terminal in `terminal.rs`.
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::support::process::{fields, json};
use rustix::process::{Pid, kill_process};

const FIRST: &str = "tea green\ncoffee black\n";
const SECOND: &str = "coffee white, no sugar\nsugar brown\nnothing-said\n";

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// What came of a run of which one line was too long.
fn too_long(out: impl Into<String>) -> Run {
    Run { out: out.into(), log: TOO_LONG.to_owned(), code: 2 }
}

#[test]
fn commands_of_the_command_line_run_in_order_and_stdin_is_left_alone() {
    let chain = Chain::start([FIRST, SECOND]);
    let (contact, first, second) = (chain.contact(), chain.address(0), chain.address(1));
    let run = Client::run([&contact, "-c", "? sugar", "--command", "? tea", "-c", "? nothing-said"], "? nowhere\n");
    assert_eq!(run, quiet(format!("brown {second}\ngreen {first}\n {second}\n"), 0));
}

#[test]
fn the_topology_is_a_path_for_each_servent() {
    let chain = Chain::start([FIRST, SECOND, ""]);
    let run = Client::run([chain.contact()], "T\n");
    let [a, b, c] = [0, 1, 2].map(|place| chain.address(place));
    let mut lines = vec![format!("{a} {a}"), format!("{a} {b} {b}"), format!("{a} {b} {c} {c}")];
    lines.sort_unstable();
    assert_eq!(sorted(&run.out), lines);
    assert_eq!((run.log.as_str(), run.code), ("", 0));
}

#[test]
fn a_script_is_read_line_by_line_however_its_lines_end() {
    let chain = Chain::start([FIRST, SECOND]);
    let (first, second) = (chain.address(0), chain.address(1));
    let script = "? tea\n\n \t \r\n?\t \t sugar\r\n  ?    tea  \n? sugar";
    let run = Client::run([chain.contact()], script);
    assert_eq!(run, quiet(format!("green {first}\nbrown {second}\ngreen {first}\nbrown {second}\n"), 0));
}

#[test]
fn a_script_is_run_as_it_comes() {
    let chain = Chain::start([FIRST]);
    let mut client = Client::start([chain.contact()]);
    for _ in 0..3 {
        client.write("? tea\n");
        assert_eq!(client.next_line(), format!("green {}", chain.address(0)));
    }
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn an_interrupt_that_was_ignored_at_the_start_stays_ignored() {
    let fake = Fake::listen();
    let (_home, client) = prepared([fake.name()]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' INT; exec \"$@\"", "sh"]).arg(client.get_program()).args(client.get_args());
    let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut contact = fake.attach();
    let mut script = client.stdin.take().unwrap();
    // Between two commands, and while one is pending.
    for _ in 0..2 {
        kill_process(Pid::from_child(&client), Signal::INT).unwrap();
        script.write_all(b"? k\n").unwrap();
        let sequence = contact.request().sequence;
        kill_process(Pid::from_child(&client), Signal::INT).unwrap();
        contact.answer(sequence, b"v");
        contact.finish(sequence, tally(1, 1));
    }
    drop(script);
    let output = client.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("v {0}\nv {0}\n", fake.address()));
}

#[test]
fn an_empty_script_is_no_failure() {
    let chain = Chain::start([FIRST]);
    for script in ["", "\n", " \r\n\n\t"] {
        assert_eq!(Client::run([chain.contact()], script), quiet("", 0), "{script:?}");
    }
    assert_eq!(Client::run([&*chain.contact(), "-c", ""], ""), quiet("", 0));
}

#[test]
fn an_argument_of_several_lines_is_a_script() {
    let chain = Chain::start([FIRST]);
    let answer = format!("green {}\n", chain.address(0));
    let run = Client::run([&*chain.contact(), "-c", "? tea\n# hot\r\n\n?tea", "-c", "? tea\n"], "");
    assert_eq!(run, quiet(answer.repeat(3), 0));
    // One that is no command costs itself only, and nothing is run after a Q.
    let run = Client::run([&*chain.contact(), "-c", "nonsense\n? tea\nQ\n? tea", "-c", "? tea"], "");
    assert_eq!(run, quiet(format!("Unknown command\n{answer}"), 2));
}

#[test]
fn nothing_after_a_q_is_run() {
    let chain = Chain::start([FIRST]);
    let answer = format!("green {}\n", chain.address(0));
    assert_eq!(Client::run([chain.contact()], "? tea\n Q \n? nowhere\nnonsense\n"), quiet(&answer, 0));
    assert_eq!(Client::run([&*chain.contact(), "-c", "Q", "-c", "nonsense"], ""), quiet("", 0));
    // It leaves although more could come.
    let mut client = Client::start([chain.contact()]);
    client.write("? nowhere\nQ\n");
    assert_eq!(client.next_line(), "No answer received");
    assert_eq!(client.finish(), quiet("", 1));
}

#[test]
fn what_is_no_command_is_said_so_and_the_rest_is_run() {
    let chain = Chain::start([FIRST]);
    let wrong = ["t", "T now", "Q now", "tea", "help me", "quit now", "HELP", "help!", "\u{a0}T", "T\0"];
    for line in wrong {
        let run = Client::run([chain.contact()], format!("{line}\n? tea\n"));
        assert_eq!(run, quiet(format!("Unknown command\ngreen {}\n", chain.address(0)), 2), "{line:?}");
    }
    let mut arguments = vec![chain.contact()];
    // No argument can hold a NUL.
    for line in wrong.iter().filter(|line| !line.contains('\0')) {
        arguments.extend(["-c".to_owned(), (*line).to_owned()]);
    }
    let run = Client::run(arguments, "");
    assert_eq!(run, quiet("Unknown command\n".repeat(wrong.len() - 1), 2));
}

#[test]
fn what_is_refused_is_told_why() {
    let chain = Chain::start([FIRST]);
    let answer = format!("green {}\n", chain.address(0));
    for (line, said) in [
        ("? two words", "a key is one word"),
        ("?two words", "a key is one word"),
        ("? tea # hot", "a key is one word"),
        ("?* te", "kept for keys that begin alike"),
        ("?*", "the key * is asked as ? *"),
    ] {
        let run = Client::run([chain.contact()], format!("{line}\n? tea\n"));
        assert_eq!((&*run.out, run.code), (&*format!("Unknown command\n{answer}"), 2), "{line:?}");
        assert!(run.log.starts_with("client: ") && run.log.contains(said), "{line:?}: {}", run.log);
        assert_eq!(run.log.lines().count(), 1);
        let run = Client::run([&*chain.contact(), "--json", "-c", line], "");
        assert_eq!(json(run.out.trim_end()), json!({"type": "unknown", "command": line}));
        assert!(run.log.contains(said), "{run:?}");
    }
}

#[test]
fn help_is_told_aside_and_is_no_failure() {
    let chain = Chain::start([FIRST]);
    for line in ["help", "?", " ? "] {
        let run = Client::run([chain.contact()], format!("{line}\n? tea\n"));
        assert_eq!((run.out, run.code), (format!("green {}\n", chain.address(0)), 0));
        assert_eq!(run.log, HELP);
    }
}

#[test]
fn comments_and_a_byte_order_mark_are_no_commands() {
    let chain = Chain::start([FIRST]);
    let answer = format!("green {}\n", chain.address(0));
    let script = "\u{feff}? tea\n# ? nowhere\n  #Q\n#\n?tea\n";
    assert_eq!(Client::run([chain.contact()], script), quiet(answer.repeat(2), 0));
    assert_eq!(Client::run([chain.contact()], "\u{feff}# first\r\n? tea\r\n"), quiet(&answer, 0));
    assert_eq!(Client::run([&*chain.contact(), "-c", "# nothing", "-c", "?tea"], ""), quiet(&answer, 0));
    // Only where the script begins; elsewhere it is a character like any other.
    assert_eq!(Client::run([chain.contact()], "\n\u{feff}? tea\n"), quiet("Unknown command\n", 2));
}

#[test]
fn the_longest_key_is_asked_for_and_a_longer_one_is_refused_with_its_length() {
    let longest = "k".repeat(KEY_BYTES_MAX);
    let chain = Chain::start([format!("{longest} found\n{FIRST}")]);
    let (first, too_long) = (chain.address(0), KEY_BYTES_MAX + 1);
    let run = Client::run([chain.contact()], format!("? {longest}\n?{longest}\n? {longest}k\n? tea\n"));
    assert_eq!(run.out, format!("found {first}\nfound {first}\ngreen {first}\n"));
    assert_eq!(run.log, format!("client: the key has {too_long} bytes; {KEY_BYTES_MAX} is the most\n"));
    assert_eq!(run.code, 2);
}

#[test]
fn a_line_too_long_costs_itself_only() {
    let chain = Chain::start([FIRST]);
    let answer = format!("green {}\n", chain.address(0));
    for line in ["x".repeat(1_000_000), "x ".repeat(100_000), format!("? {}", "k".repeat(100_000))] {
        let run = Client::run([chain.contact()], format!("? tea\n{line}\n? tea\n"));
        assert_eq!(run, too_long(answer.repeat(2)));
    }
}

#[test]
fn a_line_too_long_is_not_taken_for_its_beginning() {
    let chain = Chain::start([FIRST]);
    let blanks = " ".repeat(100_000);
    // However long the line, its second word comes after the first.
    let run = Client::run([chain.contact()], format!("? tea{blanks}more\n"));
    assert_eq!(run, too_long(""));
    let run = Client::run([chain.contact()], format!("Q{blanks}now\n? tea\n"));
    assert_eq!(run, too_long(format!("green {}\n", chain.address(0))));
    let run = Client::run([chain.contact()], format!("#{blanks}now\n"));
    assert_eq!(run, too_long(""));
    let run = Client::run([&*chain.contact(), "--json"], format!("Q{blanks}now\n"));
    assert_eq!(run, too_long("{\"type\":\"unknown\",\"command\":\"(a line too long)\"}\n"));
}

#[test]
fn keys_and_values_are_bytes() {
    let data =
        [&b"caf\xc3\xa9 cr\xc3\xa8me\n\xff\xfe \xfd\x00\x1b[2J \xe2\x80\xae!\n"[..], b"t\x1b[Hb \x1b]0;title\x07x\n"];
    let chain = Chain::start([data.concat()]);
    let first = chain.address(0);
    let script = b"? caf\xc3\xa9\n? \xff\xfe\n? t\x1b[Hb\n";
    let run = Client::run([chain.contact()], script);
    let shown = format!("crème {first}\n\\xfd\\x00\\x1b[2J \\u{{202e}}! {first}\n\\x1b]0;title\\x07x {first}\n");
    assert_eq!(run, quiet(shown, 0));
    let run = Client::run([OsStr::new(&chain.contact()), OsStr::new("-c"), OsStr::from_bytes(b"? \xff\xfe")], "");
    assert_eq!((run.code, run.log.as_str()), (0, ""));
}

#[test]
fn json_of_an_answer_and_of_an_end() {
    let chain = Chain::start([FIRST, SECOND]);
    let mut client = Client::start([&*chain.contact(), "--json"]);

    client.write("? sugar\n");
    let answer = client.next_json();
    assert_eq!(fields(&answer), ["command", "from", "hops", "key", "ms", "type", "value", "via"]);
    let from = chain.address(1).to_string();
    let expected = json!({"type": "answer", "command": "?", "key": "sugar", "value": "brown", "from": from, "hops": 1,
                          "via": "direct", "ms": answer["ms"]});
    assert_eq!(answer, expected);
    let finished = client.next_json();
    let expected = json!({"type": "finished", "answers": 1, "missing": 0, "reached": 2, "copies": 1, "duplicates": 0, "stopped": 0,
                          "lost": 0, "silent": 0, "spoilt": 0, "doubtful": false, "ms": finished["ms"], "reason": "complete"});
    assert_eq!(finished, expected);
    let [answered, ended] = [&answer, &finished].map(|line| line["ms"].as_f64().unwrap());
    assert!(answered > 0.0 && answered <= ended, "{answered} {ended}");

    client.write("? tea\n");
    assert_eq!(client.next_json()["hops"], 0, "the contact itself");
    client.next_json();

    client.write("? nowhere\n");
    let finished = client.next_json();
    assert_eq!(picked(&finished, ["answers", "reached", "reason"]), json!([0, 2, "complete"]));

    client.write("nonsense\n");
    assert_eq!(client.next_json(), json!({"type": "unknown", "command": "nonsense"}));
    assert_eq!(client.finish(), quiet("", 2));
}

#[test]
fn json_of_the_topology() {
    let chain = Chain::start([FIRST, SECOND]);
    let [first, second] = [0, 1].map(|place| chain.address(place).to_string());
    let mut client = Client::start([&*first, "--json", "-c", "T"]);
    let mut answers = [client.next_json(), client.next_json()];
    answers.sort_by_key(|answer| answer["hops"].as_u64());
    let places = [(json!([first]), &first, &second), (json!([first, second]), &second, &first)];
    for (hops, (answer, (path, from, neighbor))) in answers.iter().zip(places).enumerate() {
        let expected = json!({"type": "answer", "command": "T", "path": path, "from": from, "neighbors": [neighbor],
                              "hops": hops, "via": "direct", "ms": answer["ms"]});
        assert_eq!(*answer, expected);
    }
    let finished = client.next_json();
    assert_eq!(picked(&finished, ["answers", "reached", "reason"]), json!([2, 2, "complete"]));
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn json_of_bytes_that_are_no_text() {
    let chain = Chain::start([&b"\xff\xfe \xfd\xfc\nplain \x1b[2J\n"[..]]);
    let mut client = Client::start([&*chain.contact(), "--json"]);
    client.write(b"? \xff\xfe\n");
    let answer = client.next_json();
    assert_eq!(fields(&answer), ["command", "from", "hops", "key_base64", "ms", "type", "value_base64", "via"]);
    assert_eq!((&answer["key_base64"], &answer["value_base64"]), (&json!("//4="), &json!("/fw=")));
    client.next_json();
    client.write("? plain\n");
    let line = client.next_line();
    assert!(!line.contains('\x1b'), "{line:?}");
    assert_eq!(json(&line)["value"], "\x1b[2J", "nothing is lost in JSON");
    client.next_json();
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn a_query_ends_once_it_has_as_many_answers_as_wanted() {
    let chain = Chain::start(["k 1\n", "k 2\n", "k 3\n"]);
    for option in ["-n", "--answers"] {
        let run = Client::run([&*chain.contact(), option, "2", "-c", "? k"], "");
        assert_eq!((run.out.lines().count(), run.log.as_str(), run.code), (2, "", 0), "{run:?}");
    }
    // Fewer than wanted end it when there are no more.
    let run = Client::run([&*chain.contact(), "-n", "4", "--json", "-c", "? k"], "");
    assert_eq!(json(run.out.lines().last().unwrap())["reason"], "complete");
}

#[test]
fn an_overlay_of_the_other_ip() {
    if let Err(error) = TcpListener::bind("[::1]:0") {
        eprintln!("this machine has no IPv6 loopback ({error}): nothing is tested");
        return;
    }
    let chain = Chain::start_on("[::1]:0", [FIRST, SECOND]);
    let [first, second] = [0, 1].map(|place| chain.address(place));
    let run = Client::run([chain.contact()], "? tea\n? sugar\n");
    assert_eq!(run, quiet(format!("green {first}\nbrown {second}\n"), 0));
    assert!(first.is_ipv6() && run.out.contains("[::1]:"));
}

#[test]
fn a_contact_may_be_a_name() {
    let chain = Chain::start([FIRST]);
    let contact = format!("localhost:{}", chain.address(0).port());
    // Where the name stands for an IPv6 address too, nobody listens on that one.
    assert_eq!(Client::run([&*contact, "-c", "? tea"], ""), quiet(format!("green {}\n", chain.address(0)), 0));
}

#[test]
fn the_answer_port_is_the_one_asked_for() {
    let (fake, port) = (Fake::listen(), unused_port());
    let (name, port_text) = (fake.name(), port.to_string());
    for line in [
        [&*port_text, &name, "-c", "? k"],
        [&*port_text, "-c", "? k", &name],
        ["-c", "? k", &*format!("--answer-port={port}"), &name],
    ] {
        let client = Client::start(line);
        let mut contact = fake.attach();
        assert_eq!(contact.answer_address, Some(SocketAddr::from(([127, 0, 0, 1], port))));
        let sequence = contact.request().sequence;
        let mut servent = Peer::dial(contact.answer_address.unwrap(), "192.0.2.7:9");
        servent.answer(sequence, b"v");
        contact.finish(sequence, tally(2, 1));
        assert_eq!(client.finish(), quiet("v 192.0.2.7:9\n", 0));
    }
}

#[test]
fn without_an_answer_port_a_free_one_is_taken_that_everybody_can_dial() {
    let fake = Fake::listen();
    let clients = [(); 8].map(|()| Client::start([fake.name()]));
    let mut ports = [(); 8].map(|()| fake.attach().answer_address.unwrap().port());
    ports.sort_unstable();
    // Some nodes that a query crosses on its way keep ports as signed numbers.
    assert!(ports.iter().all(|port| (10_000..=32_767).contains(port)), "{ports:?}");
    assert!(ports.windows(2).all(|pair| pair[0] != pair[1]), "{ports:?}");
    drop(clients);
}

#[test]
fn an_answer_port_in_use_is_named() {
    let chain = Chain::start([FIRST]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let run = Client::run([&*address.port().to_string(), &*chain.contact(), "-c", "? tea"], "");
    assert_eq!((run.out.as_str(), run.code), ("", 6));
    let said = format!("{address}: Address already in use");
    assert!(run.log.starts_with("client: ") && run.log.contains(&said), "{run:?}");
    assert_eq!(run.log.lines().count(), 1, "{run:?}");
}

#[test]
fn command_lines_that_make_no_sense() {
    for (arguments, said) in [
        (&[][..], "CONTACT"),
        (&["127.0.0.1:9000", "--timeout", "soon"], "--timeout"),
        (&["127.0.0.1:9000", "--timeout", "0"], "--timeout"),
        (&["127.0.0.1:9000", "-n", "0"], "--answers"),
        (&["127.0.0.1:9000", "--nonsense"], "--nonsense"),
        (&["127.0.0.1:9000", "--timeout", "inf"], "at most a day"),
        (&["99999", "127.0.0.1:9000"], "99999"),
        (&["127.0.0.1:9000", "9990"], "client 9990 127.0.0.1:9000"),
        (&["--answer-port", "9990", "9990", "127.0.0.1:9000"], "both ANSWER_PORT"),
        (&["127.0.0.1"], "`127.0.0.1`"),
        (&["127.0.0.1:0"], "`127.0.0.1:0`"),
        (&["127.0.0.1:99999"], "`127.0.0.1:99999`"),
    ] {
        let run = Client::run(arguments, "");
        assert_eq!((run.out.as_str(), run.code), ("", 2), "{arguments:?}");
        assert!(run.log.contains(said), "{arguments:?}: {}", run.log);
    }
}

#[test]
fn help_and_version_are_asked_for_and_no_failure() {
    let help = Client::run(["--help"], "");
    let words = "ANSWER_PORT CONTACT --command --timeout 4s --answers --json --quiet".split(' ');
    for word in words.chain(["? KEY", "  5  incomplete", "130  after Ctrl-C"]) {
        assert!(help.out.contains(word), "{word} is not in {}", help.out);
    }
    assert_eq!((help.log.as_str(), help.code), ("", 0));
    let version = Client::run(["--version"], "");
    assert_eq!(version, quiet(format!("client {}\n", env!("CARGO_PKG_VERSION")), 0));
}

#[test]
fn a_script_leaves_no_history() {
    let chain = Chain::start([FIRST]);
    let (home, mut command) = prepared([&*chain.contact(), "-c", "? tea"]);
    let output = command.output().unwrap();
    assert!(output.status.success());
    let left: Vec<PathBuf> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}
