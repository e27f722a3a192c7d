//! The logs that `--logs` keeps, and README's page about one query, run as it stands there.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::Signal;
use topologies::declared::Topology;
use topologies::fleet::{Fleet, some_loopback_address};
use topologies::logs::Logs;

use crate::support::{command, stderr, stdout};

/// The order in which copies come is nobody's to say: so often a run may come out otherwise.
const TRIES_MAX: usize = 50;

fn topology(directory: &Path, words: &[&str]) -> Output {
    command(words).current_dir(directory).output().unwrap()
}

fn shell(directory: &Path, line: &str) -> String {
    let output = Command::new("sh").args(["-c", line]).current_dir(directory).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{line}: {}", stderr(&output));
    stdout(&output)
}

/// The commands of README's page with what each prints.
fn page() -> Vec<(String, String)> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let page = readme.split("### What became of one query").nth(1).expect("the page");
    let transcript = page.split("```\n").nth(1).expect("a transcript");
    let runs = transcript.split("$ ").skip(1).map(|run| run.split_once('\n').unwrap());
    runs.map(|(command, output)| (command.to_owned(), output.to_owned())).collect()
}

/// Lines in an order of their own, which is not that of time: what two servents did at once has none.
fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

fn swapped(text: &str) -> String {
    text.replace("9002", "west").replace("9003", "9002").replace("west", "9003")
}

#[test]
fn the_page_about_one_query_is_what_comes_of_it() {
    let [(run, answer), (find, found), (grep, story)] = <[_; 3]>::try_from(page()).expect("three commands");
    let id = |line: &str| line.split(' ').next().unwrap().to_owned();
    let shown = id(&found);
    let (sequence, _) = shown.split_once('@').unwrap();
    for _ in 0..TRIES_MAX {
        let directory = tempfile::tempdir().unwrap();
        let ip = some_loopback_address().to_string();
        // The same elsewhere: the page's own addresses may be taken.
        let program = format!("{} ", env!("CARGO_BIN_EXE_topology"));
        let run =
            run.replace("target/debug/topology ", &program).replace(" --logs", &format!(" --address {ip} --logs"));
        let as_here = |text: String, own: &str| text.replace(own, &shown).replace(&ip, "127.0.0.1");
        assert_eq!(shell(directory.path(), &run).replace(&ip, "127.0.0.1"), answer);
        let own = id(&shell(directory.path(), &find));
        assert_eq!(as_here(shell(directory.path(), &find), &own), found);
        let grep = grep.replace(sequence, own.split_once('@').unwrap().0);
        let told = as_here(shell(directory.path(), &grep), &own);

        // Whatever overtakes what, the last one is asked twice and drops the second.
        let last: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("logs/9004.log:")).collect();
        let dropped = |from: &str, first: &str| {
            let line =
                format!("duplicate from 127.0.0.1:{from} with TTL 2, heard first from 127.0.0.1:{first} with TTL 2");
            last.iter().filter(|told| told.ends_with(&line)).count()
        };
        assert_eq!(dropped("9003", "9002") + dropped("9002", "9003"), 1, "{told}");

        if sorted(&told) == sorted(&story) || sorted(&swapped(&told)) == sorted(&story) {
            return;
        }
    }
    panic!("no run of {TRIES_MAX} is as README tells");
}

#[test]
fn a_check_keeps_both_rounds_of_each() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("kept")).unwrap();
    fs::write(directory.path().join("kept/9021.log"), "of another time\n").unwrap();
    let output = topology(directory.path(), &["check", "ring", "--logs", "kept"]);
    assert!(output.status.success(), "{}", stderr(&output));
    for port in 9021..=9026 {
        let log = fs::read_to_string(directory.path().join(format!("kept/{port}.log"))).unwrap();
        assert_eq!(log.matches("told to stop").count(), 2, "{log}");
        assert!(log.contains("DEBUG query] ") && !log.contains("of another time"), "{log}");
    }
}

#[test]
fn what_a_servent_logs_to_a_file_is_heard_and_told_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let row = Topology::parse("row", "9341 - 127.0.0.1:9342\n9342 -\n", directory.path()).unwrap();
    let row = row.moved_to(some_loopback_address());
    let logs = Logs::create(directory.path(), &row).unwrap();
    let mut fleet = Fleet::start_logging(&row, Some(&logs), &mut |_| ()).unwrap();
    fleet.wait_until_linked(&row).unwrap();
    fleet.servents[1].signal(Signal::TERM);
    let line = fleet.servents[1].wait_for_log("told to stop").unwrap();
    assert!(fs::read_to_string(logs.path(1)).unwrap().contains(&line), "{line}");
    fleet.end().unwrap();

    let ip = some_loopback_address().to_string();
    let taken = std::net::TcpListener::bind(format!("{ip}:9003")).unwrap();
    let output = topology(directory.path(), &["run", "diamond", "--address", &ip, "--logs", "logs"]);
    drop(taken);
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(&format!("cannot listen on {ip}:9003")), "{error}");
    let kept = fs::read_to_string(directory.path().join("logs/9003.log")).unwrap();
    assert!(kept.contains(&format!("cannot listen on {ip}:9003")), "{kept}");
}

#[test]
fn a_directory_that_cannot_be_is_refused_before_anything_is_started() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("taken"), "").unwrap();
    for what in ["run", "check"] {
        let output = topology(directory.path(), &[what, "star", "--logs", "taken"]);
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(1));
        assert!(error.starts_with("topology: cannot make taken: "), "{error}");
    }
}
