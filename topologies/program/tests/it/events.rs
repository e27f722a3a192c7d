//! `topology events`, as a person, a script or a pipe meets it. Which orders can be true is told beside the code.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use client::{Client, Event, GreetEnd, GreetOutcome, GreetingEnded};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use topologies::asking::{self, Asked};
use topologies::declared::Topology;
use topologies::fleet::{Fleet, Servent, some_loopback_address};

use crate::support::{command, stderr, stdout};

const EAST: &str = "127.0.0.1:9001";
const WEST: &str = "127.0.0.1:9002";
/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn line(servent: &str, n: u64, clock: u64, event: &str) -> String {
    format!(
        "{{\"clock\":{clock},\"servent\":\"{servent}\",\"id\":\"000000000000001f\",\"n\":{n},\"at_unix_ms\":9,\"event\":{event}}}\n"
    )
}

fn started(servent: &str) -> String {
    line(servent, 1, 0, "\"started\"")
}

fn linked(servent: &str, n: u64, clock: u64, peer: &str) -> String {
    line(servent, n, clock, &format!("\"linked\",\"peer\":\"{peer}\""))
}

fn said(servent: &str, n: u64, clock: u64, peer: &str) -> String {
    line(servent, n, clock, &format!("\"sent\",\"message\":\"peers\",\"peer\":\"{peer}\""))
}

fn heard(servent: &str, n: u64, clock: u64, peer: &str, stamp: u64) -> String {
    line(servent, n, clock, &format!("\"received\",\"message\":\"peers\",\"peer\":\"{peer}\",\"stamp\":{stamp}"))
}

fn events(directory: &Path, words: &[&str]) -> Output {
    command(&[&["events"], words].concat()).current_dir(directory).output().unwrap()
}

/// Two logs, in which west says what east hears at this clock.
fn logs(heard_at: u64) -> TempDir {
    let directory = TempDir::new().unwrap();
    let east = started(EAST) + &heard(EAST, 2, heard_at, WEST, 44);
    let west = started(WEST) + &linked(WEST, 2, 41, EAST) + &said(WEST, 3, 44, EAST);
    fs::write(directory.path().join("east.jsonl"), east).unwrap();
    fs::write(directory.path().join("west.jsonl"), west).unwrap();
    directory
}

#[test]
fn an_order_that_can_be_true_is_told_and_fine() {
    let directory = logs(45);
    let output = events(directory.path(), &["east.jsonl", "west.jsonl"]);
    assert_eq!(
        stdout(&output),
        "0 127.0.0.1:9001 started\n\
         0 127.0.0.1:9002 started\n\
         41 127.0.0.1:9002 linked with 127.0.0.1:9001\n\
         44 127.0.0.1:9002 said peers to 127.0.0.1:9001\n\
         45 127.0.0.1:9001 heard peers from 127.0.0.1:9002\n"
    );
    assert_eq!(
        stderr(&output),
        "topology: 5 lines of 2 servents in an order that can be true; judged 1 of 1 message heard from each other\n"
    );
    assert_eq!(output.status.code(), Some(0));

    let output = events(directory.path(), &["--json", "west.jsonl", "east.jsonl"]);
    let [east, west] =
        ["east", "west"].map(|name| fs::read_to_string(directory.path().join(format!("{name}.jsonl"))).unwrap());
    let (east, west): (Vec<&str>, Vec<&str>) = (east.lines().collect(), west.lines().collect());
    assert_eq!(stdout(&output).lines().collect::<Vec<_>>(), [east[0], west[0], west[1], west[2], east[1]]);
}

#[test]
fn an_order_that_cannot_be_true_is_told_and_what_is_wrong_named() {
    let directory = logs(43);
    let output = events(directory.path(), &["east.jsonl", "west.jsonl"]);
    assert_eq!(stdout(&output).lines().count(), 5);
    assert_eq!(
        stderr(&output),
        "topology: east.jsonl:2: heard peers from 127.0.0.1:9002 (stamp 44) before it was said (west.jsonl:3)\n\
         topology: 5 lines of 2 servents in an order that cannot be true; judged 1 of 1 message heard from each other\n"
    );
    assert_eq!(output.status.code(), Some(1));
    // One alone says nothing of the other.
    assert_eq!(events(directory.path(), &["east.jsonl"]).status.code(), Some(0));
}

#[test]
fn what_a_log_was_before_it_was_begun_anew_is_read_too() {
    let directory = logs(45);
    let at = |name: &str| directory.path().join(name);
    fs::rename(at("west.jsonl"), at("west.jsonl.1")).unwrap();
    fs::write(at("west.jsonl"), heard(WEST, 4, 50, EAST, 49)).unwrap();
    let output = events(directory.path(), &["west.jsonl", "east.jsonl"]);
    assert_eq!((output.status.code(), stdout(&output).lines().count()), (Some(0), 6), "{}", stderr(&output));
    assert_eq!(events(directory.path(), &["east.jsonl", "west.jsonl.1"]).status.code(), Some(0));
}

#[test]
fn a_log_that_breaks_off_in_the_middle_of_a_line_is_said_to_and_no_fault() {
    let directory = logs(45);
    for (names, said) in [
        (&["west"][..], "; 1 log breaks off in the middle of a line\n"),
        (&["east"], "; 2 logs break off in the middle of a line\n"),
    ] {
        for name in names {
            let path = directory.path().join(format!("{name}.jsonl"));
            OpenOptions::new().append(true).open(path).unwrap().write_all(b"{\"clock\":5").unwrap();
        }
        let output = events(directory.path(), &["east.jsonl", "west.jsonl"]);
        assert_eq!((output.status.code(), stdout(&output).lines().count()), (Some(0), 5), "{}", stderr(&output));
        assert!(stderr(&output).ends_with(&format!("of 1 message heard from each other{said}")), "{}", stderr(&output));
    }
}

#[test]
fn what_cannot_be_read_is_told_in_words() {
    let directory = logs(45);
    fs::write(directory.path().join("notes"), "eggs\n").unwrap();
    fs::write(directory.path().join("empty"), "").unwrap();
    for (words, code, said) in [
        (&["none.jsonl"][..], 1, "topology: cannot read none.jsonl: No such file or directory (os error 2)\n"),
        (&["."], 1, "topology: cannot read .: it is not a regular file\n"),
        (&["/dev/null"], 1, "topology: cannot read /dev/null: it is not a regular file\n"),
        (&["east.jsonl", "notes"], 1, "topology: notes:1: it is no event: expected value, at column 1\n"),
        (
            &["empty"],
            0,
            "topology: 0 lines of 0 servents in an order that can be true; judged 0 of 0 messages heard from each other\n",
        ),
        (&["--follow", "none.jsonl"], 1, "topology: cannot read none.jsonl: No such file or directory (os error 2)\n"),
    ] {
        let output = events(directory.path(), words);
        assert_eq!((output.status.code(), stderr(&output).as_str(), stdout(&output).as_str()), (Some(code), said, ""));
    }
    for words in [&[][..], &["east.jsonl", "--all"]] {
        assert_eq!(events(directory.path(), words).status.code(), Some(2), "{words:?}");
    }
}

#[test]
fn it_is_judged_though_nobody_reads_to_the_end() {
    let directory = logs(45);
    let mut east = started(EAST);
    for n in 2..20_000 {
        east += &linked(EAST, n, n, WEST);
    }
    east += &heard(EAST, 20_000, 20_000, WEST, 20_000);
    fs::write(directory.path().join("east.jsonl"), east).unwrap();
    let words = ["events", "east.jsonl", "west.jsonl"];
    let mut child =
        command(&words).current_dir(&directory).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut first = String::new();
    out.read_line(&mut first).unwrap();
    assert_eq!(first, "0 127.0.0.1:9001 started\n");
    drop(out);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.starts_with("topology: east.jsonl:20000: heard peers from"), "{said}");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

/// Logs that are followed while they are written.
struct Followed {
    directory: TempDir,
    child: Child,
    lines: Receiver<String>,
}

impl Followed {
    /// Of these files, in each of which there is something already.
    fn start(names: &[&str], options: &[&str]) -> Followed {
        Followed::start_naming(names, options, names)
    }

    /// Which are named like this on the command line.
    fn start_naming(names: &[&str], options: &[&str], named: &[&str]) -> Followed {
        let directory = TempDir::new().unwrap();
        for name in names {
            fs::write(directory.path().join(name), started("127.0.0.1:9009")).unwrap();
        }
        let words = [&["events", "--follow"], options, named].concat();
        let mut child =
            command(&words).current_dir(&directory).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, format!("topology: following {}\n", names.join(" ")));
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let (sender, lines) = channel();
        thread::spawn(move || out.try_for_each(|line| sender.send(line)));
        Followed { directory, child, lines }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn open(&self, name: &str) -> File {
        OpenOptions::new().append(true).create(true).open(self.at(name)).unwrap()
    }

    #[track_caller]
    fn expect(&self, lines: &[&str]) {
        for line in lines {
            assert_eq!(self.lines.recv_timeout(PATIENCE).as_deref(), Ok(*line));
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn new_lines_are_told_as_they_come_merged_by_clock() {
    let followed = Followed::start(&["east", "west"], &[]);
    let (mut east, mut west) = (followed.open("east"), followed.open("west"));
    // Both have grown when it looks again, however busy this machine is.
    let pid = Pid::from_child(&followed.child);
    kill_process(pid, Signal::STOP).unwrap();
    let later = said(WEST, 2, 44, EAST) + &linked(WEST, 3, 46, EAST) + "half of a li";
    west.write_all(later.as_bytes()).unwrap();
    east.write_all((heard(EAST, 2, 45, WEST, 44) + &linked(EAST, 3, 47, WEST)).as_bytes()).unwrap();
    kill_process(pid, Signal::CONT).unwrap();
    followed.expect(&[
        "44 127.0.0.1:9002 said peers to 127.0.0.1:9001",
        "45 127.0.0.1:9001 heard peers from 127.0.0.1:9002",
        "46 127.0.0.1:9002 linked with 127.0.0.1:9001",
        "47 127.0.0.1:9001 linked with 127.0.0.1:9002",
    ]);
    // One that is quiet keeps the other from nothing; what was half is whole now, and none all the same.
    west.write_all(format!("ne\n{}", said(WEST, 4, 48, EAST)).as_bytes()).unwrap();
    followed.expect(&["48 127.0.0.1:9002 said peers to 127.0.0.1:9001"]);
}

#[test]
fn a_log_that_is_named_twice_or_with_what_it_was_before_is_followed_once() {
    let followed = Followed::start_naming(&["east"], &[], &["east.1", "east", "./east", "east"]);
    followed.open("east").write_all(linked(EAST, 1, 1, WEST).as_bytes()).unwrap();
    followed.expect(&["1 127.0.0.1:9001 linked with 127.0.0.1:9002"]);
    fs::rename(followed.at("east"), followed.at("east.1")).unwrap();
    followed.open("east").write_all(linked(EAST, 2, 2, WEST).as_bytes()).unwrap();
    followed.expect(&["2 127.0.0.1:9001 linked with 127.0.0.1:9002"]);
    followed.open("east").write_all(linked(EAST, 3, 3, WEST).as_bytes()).unwrap();
    followed.expect(&["3 127.0.0.1:9001 linked with 127.0.0.1:9002"]);
}

#[test]
fn a_log_that_is_begun_anew_or_emptied_is_followed_on() {
    let followed = Followed::start(&["east"], &["--json"]);
    let mut east = followed.open("east");
    let lines: Vec<String> = (1..=6).map(|n| linked(EAST, n, n, WEST)).collect();
    east.write_all(lines[0].as_bytes()).unwrap();
    fs::rename(followed.at("east"), followed.at("east.1")).unwrap();
    east.write_all(lines[1].as_bytes()).unwrap();
    followed.expect(&[lines[0].trim_end(), lines[1].trim_end()]);
    followed.open("east").write_all((lines[2].clone() + &lines[3]).as_bytes()).unwrap();
    followed.expect(&[lines[2].trim_end(), lines[3].trim_end()]);
    fs::write(followed.at("east"), &lines[4]).unwrap();
    followed.expect(&[lines[4].trim_end()]);
    followed.open("east").write_all(lines[5].as_bytes()).unwrap();
    followed.expect(&[lines[5].trim_end()]);
}

/// What real servents wrote, of which one was killed and came back, is one order that can be true.
#[test]
fn what_real_servents_write_is_an_order_that_can_be_true() {
    let directory = TempDir::new().unwrap();
    let text = "9341 - 127.0.0.1:9342 127.0.0.1:9343 --events north\n\
                9342 - 127.0.0.1:9343 --events west\n9343 - --events east\n";
    let ring = Topology::parse("ring", text, directory.path()).unwrap().moved_to(some_loopback_address());
    let mut fleet = Fleet::start(&ring).unwrap();
    fleet.wait_until_linked(&ring).unwrap();
    let ask_all = || {
        for declared in &ring.servents {
            for _ in 0..20 {
                Asked::at(declared.listen, asking::key("tea").unwrap()).unwrap();
            }
        }
    };
    ask_all();
    fleet.servents[2].kill().unwrap();
    fleet.servents[2] = Servent::start(&ring.servents[2].arguments()).unwrap();
    fleet.wait_until_linked(&ring).unwrap();
    ask_all();
    fleet.end().unwrap();

    let [judged, heard] = judged_of_three(directory.path());
    // Of what was said last to one that was killed, and by it, nothing is known.
    assert!(judged > 400 && judged * 10 > heard * 9, "{judged} of {heard}");

    // One word of a neighbor's that is taken out is missed.
    let path = directory.path().join("west");
    let west = fs::read_to_string(&path).unwrap();
    let echo = west.lines().find(|line| line.contains("\"sent\",\"message\":\"echo\"")).unwrap();
    fs::write(&path, west.replace(&format!("{echo}\n"), "")).unwrap();
    let output = events(directory.path(), &["north", "west", "east"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("lines are missing, and none says") && said.contains(": heard echo from"), "{said}");
}

/// One is told to leave, comes back to its address twice, without a log and with one, and is killed: nothing that it said without
/// one is held against the log.
#[test]
fn what_a_servent_says_that_keeps_no_log_any_more_is_not_judged() {
    let directory = TempDir::new().unwrap();
    let text = "9341 - --events east\n9342 - 127.0.0.1:9341 --events west\n";
    let pair = Topology::parse("pair", text, directory.path()).unwrap().moved_to(some_loopback_address());
    let mut fleet = Fleet::start(&pair).unwrap();
    fleet.wait_until_linked(&pair).unwrap();
    let with_log = pair.servents[1].arguments();
    let without_log: Vec<&String> =
        with_log.iter().filter(|word| !word.contains("west") && *word != "--events").collect();
    assert_eq!(without_log.len() + 2, with_log.len());
    let ask = || Asked::at(pair.servents[0].listen, asking::key("tea").unwrap()).unwrap();
    let come_back = |fleet: &mut Fleet, signal: Signal, words: &[&String]| {
        fleet.servents[1].signal(signal);
        fleet.servents[1].wait().unwrap();
        fleet.servents[1] = Servent::start(words).unwrap();
        fleet.wait_until_linked(&pair).unwrap();
        (0..20).for_each(|_| drop(ask()));
    };
    come_back(&mut fleet, Signal::TERM, &without_log);
    come_back(&mut fleet, Signal::TERM, &with_log.iter().collect::<Vec<_>>());
    come_back(&mut fleet, Signal::KILL, &without_log);
    fleet.end().unwrap();
    let output = events(directory.path(), &["east", "west"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let numbers: Vec<u64> = said.split([' ', '\n']).filter_map(|word| word.parse().ok()).collect();
    let [.., judged, heard] = numbers[..] else { panic!("{said}") };
    assert!(judged > 40 && heard > judged + 40, "{said}");
}

/// Three logs, north, west and east, are an order that can be true, of which so many messages were judged, of so many heard.
fn judged_of_three(directory: &Path) -> [u64; 2] {
    let output = events(directory, &["north", "west", "east"]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let words = said.replace(',', "");
    let numbers: Vec<u64> = words.split([' ', '\n']).filter_map(|word| word.parse().ok()).collect();
    let [lines, servents, judged, heard] = numbers[..] else { panic!("{said}") };
    assert!(servents == 3 && usize::try_from(lines).unwrap() == stdout(&output).lines().count(), "{said}");
    [judged, heard]
}

/// A visitor is known by the port it connected from, which is in no log: that of whom it visits says so.
#[test]
fn what_is_said_to_a_servent_that_greets_is_found_in_the_log() {
    let directory = TempDir::new().unwrap();
    let text = "9341 - --events north\n9342 - 127.0.0.1:9341 --events west\n9343 - 127.0.0.1:9342 --events east\n";
    let chain = Topology::parse("chain", text, directory.path()).unwrap().moved_to(some_loopback_address());
    let mut fleet = Fleet::start(&chain).unwrap();
    fleet.wait_until_linked(&chain).unwrap();
    let addresses: Vec<SocketAddr> = fleet.servents.iter().map(Servent::address).collect();
    // A neighbor and one that is none, before its servent goes by its name and after.
    for (contact, greeted) in [(0, 1), (1, 0), (0, 2), (2, 0), (2, 1)] {
        let mut client = Client::connect(&addresses[contact].to_string()).unwrap();
        let events: Vec<Event> = client.greet(addresses[greeted]).unwrap().map(Result::unwrap).collect();
        let [Event::Greeted(GreetingEnded { end: GreetEnd::Told(greeted), .. })] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(greeted.outcome, GreetOutcome::Met);
    }
    fleet.end().unwrap();
    let [judged, heard] = judged_of_three(directory.path());
    assert!(judged == heard && heard > 10, "{judged} of {heard}");
}

pub(crate) fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap()
}

/// The transcripts in a section of README.
pub(crate) fn transcripts(title: &str) -> String {
    let page = fs::read_to_string(home().join("README.md")).unwrap();
    let (_, section) = page.split_once(&format!("\n### {title}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap().split("\n### ").next().unwrap();
    let blocks = section.split("```\n").skip(1).step_by(2);
    blocks.filter(|block| block.starts_with("$ ")).collect()
}

/// What comes of the commands of a transcript, at an address of its own. Servents are waited for by what they say, and not
/// by the clock: what stands there for people is replaced.
pub(crate) fn run_as_shown(transcript: &str, replaced: &[(&str, &str)]) -> (String, String) {
    let directory = TempDir::new().unwrap();
    let ip = some_loopback_address().to_string();
    let programs = Path::new(env!("CARGO_BIN_EXE_topology")).parent().unwrap().to_str().unwrap().to_owned();
    let mut script: Vec<&str> = transcript.lines().filter_map(|line| line.strip_prefix("$ ")).collect();
    script.push("");
    let mut script = script.join("\n");
    for (shown, instead) in replaced {
        assert_eq!(script.matches(shown).count(), 1, "{shown} in {script}");
        script = script.replace(shown, instead);
    }
    let script = script.replace("target/debug", &programs).replace("data/", &format!("{}/data/", home().display()));
    let script = script.replace("127.0.0.1", &ip).replace("-q 9", &format!("-q {ip}:9"));
    // Should one not start, nobody waits for ever.
    let mut shell = Command::new("timeout");
    let output = shell.args(["60", "bash", "-c", &script]).current_dir(&directory).output().unwrap();
    (stdout(&output).replace(&ip, "127.0.0.1"), stderr(&output))
}

/// What stands in README, with addresses of its own, and whatever clocks and ports there are.
#[test]
fn the_page_about_one_order_is_what_comes_of_it() {
    let block = transcripts("What happened, in one order");
    // Jobs have numbers at a prompt alone.
    let until_linked = "until grep -q linked west.jsonl; do :; done; ";
    let (told, said) = run_as_shown(&block, &[("sleep 1; ", until_linked), ("kill %1 %2", "kill $(jobs -p); wait")]);
    // Which servent listens first is for the machine to say.
    let events_of = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("$ ") && line.contains("127.0.0.1:"));
        let lines = lines.filter(|line| !line.starts_with("listening")).map(|line| {
            let (clock, words) = line.split_once(' ').unwrap();
            let asks = words.split_once("was asked by").map(|(who, _)| format!("{who}was asked"));
            (clock.parse::<u64>().unwrap(), asks.unwrap_or_else(|| words.to_owned()))
        });
        lines.collect::<Vec<_>>()
    };
    let (shown, found) = (events_of(&block), events_of(&told));
    let words = |lines: &[(u64, String)]| lines.iter().map(|(_, words)| words.clone()).collect::<Vec<_>>();
    assert_eq!(words(&found), words(&shown), "{told}{said}");
    assert!(found.len() == 5 && found.is_sorted_by_key(|(clock, _)| *clock), "{told}");
    assert!(told.contains("No answer received\n"), "{told}");
}

/// Three are started, one leaves and comes back: as README shows it, whatever clocks there are and however long it takes.
#[test]
fn the_page_about_who_is_there_is_what_comes_of_it() {
    let block = transcripts("Who is there");
    let noted = |word: &str| {
        format!("until grep -q '\"peer\":\"127.0.0.1:9003\".*\"now\":\"{word}\"' 9001.jsonl; do :; done; ")
    };
    let (told, said) = run_as_shown(
        &block,
        &[
            ("sleep 1; kill %3; sleep 1; ", &format!("{}kill $!; {}", noted("online"), noted("left"))),
            (
                "east.txt &\ntarget/debug/client",
                "east.txt >again &\nuntil [ -s again ]; do :; done; target/debug/client",
            ),
            ("hello 9003", "hello 127.0.0.1:9003"),
            ("kill %1 %2 %3", "kill $(jobs -p); wait"),
        ],
    );
    let lines_of = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("$ ") && !line.starts_with("listening"));
        // How long it took is said last.
        let lines = lines.map(|line| line.split_once("new, ").map_or(line, |(before, _)| before));
        let masked = |word: &str| word.trim_end_matches(',').parse::<u64>().map_or(word.to_owned(), |_| "N".to_owned());
        lines.map(|line| line.split(' ').map(masked).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(lines_of(&told), lines_of(&block), "{told}{said}");
    assert_eq!(lines_of(&block).len(), 7, "{block}");
}
