//! The declared topologies as real processes, and the proof that a check can fail.
//!
//! What a flood must come to is computed in `expected`; here nothing is expected that is not declared.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use drawing::Since;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use topologies::check::{CheckedOverlay, compare};
use topologies::declared::Topology;
use topologies::fleet::{Fleet, some_loopback_address};

use crate::support::{command, stderr, stdout, topology};

fn check_by_name(name: &str) -> String {
    well(name, name)
}

/// The transcript of a check, by a name or a path, of what is as declared.
fn well(what: &str, name: &str) -> String {
    let output = topology(&["check", what]);
    let text = stdout(&output);
    assert!(output.status.success(), "{text}{}", stderr(&output));
    assert!(text.ends_with(&format!("\n{name}: as declared\n")), "{text}");
    text
}

#[test]
fn the_diamond_is_as_declared() {
    let text = check_by_name("diamond");
    let exact = text.split("with --forward-once").nth(1).expect("a round of exact counts");
    assert!(exact.contains("reached 4, copies 5, duplicates 2, stopped 0: complete"), "{text}");
}

#[test]
fn the_chain_is_as_declared() {
    let text = check_by_name("chain");
    assert!(text.contains("answers 5, reached 5, copies 4, duplicates 0, stopped 1: complete"), "{text}");
    assert!(text.contains("held by one out of reach of the TTL\n      answers 0, reached 5"), "{text}");
}

#[test]
fn the_ring_the_star_the_mesh_and_the_mixed_ring_are_as_declared() {
    for name in ["ring", "star", "mesh", "mixed"] {
        check_by_name(name);
    }
}

#[test]
fn the_tp3_chain_answers_as_the_native_one() {
    let text = check_by_name("tp3-chain");
    assert!(text.contains("held by one out of reach of the TTL\n      answers 0, reached 1"), "{text}");
}

#[test]
fn the_tp3_diamond_answers_as_the_native_one() {
    check_by_name("tp3-diamond");
}

/// A declaration in a directory of its own.
fn declared(name: &str, text: impl AsRef<[u8]>) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    (directory, path.to_str().unwrap().to_owned())
}

/// What is printed, and said, of what is no success.
fn refused(words: &[&str]) -> (String, String) {
    let output = topology(words);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    (stdout(&output), stderr(&output))
}

/// An overlay that is up, compared with a declaration that says otherwise.
fn differences(real: &str, declared: &str) -> (CheckedOverlay, String) {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tea.txt"), "tea green\n").unwrap();
    std::fs::write(directory.path().join("mate.txt"), "tea mate\n").unwrap();
    let address = some_loopback_address();
    let parse = |text| Topology::parse("test", text, directory.path()).unwrap().moved_to(address);
    let (real, declared) = (parse(real), parse(declared));
    let mut fleet = Fleet::start(&real).unwrap();
    fleet.wait_until_linked(&real).unwrap();
    let mut transcript = Vec::new();
    let checked = compare(&declared, &mut transcript).unwrap();
    fleet.end().unwrap();
    (checked, String::from_utf8(transcript).unwrap())
}

#[test]
fn a_check_notices_what_is_not_as_declared() {
    let row = "9301 - 127.0.0.1:9302\n9302 tea.txt 127.0.0.1:9303\n9303 mate.txt\n";
    for (what, declared, expected) in [
        ("nothing", row, ""),
        ("another value", "9301 - 127.0.0.1:9302\n9302 mate.txt 127.0.0.1:9303\n9303 mate.txt\n", "DIFFERS answers:"),
        ("a holder less", "9301 - 127.0.0.1:9302\n9302 tea.txt 127.0.0.1:9303\n9303 -\n", "DIFFERS answers counted:"),
        (
            "a link more",
            &format!("{row}# closed\n").replace("9303 mate.txt", "9303 mate.txt 127.0.0.1:9301"),
            "links discovered",
        ),
        ("a smaller TTL", &row.replace("9301 -", "9301 - --ttl 0"), "DIFFERS reached: 3, where 2 is declared"),
    ] {
        let (checked, transcript) = differences(row, declared);
        assert_eq!(checked.differences == 0, expected.is_empty(), "{what}:\n{transcript}");
        assert!(transcript.contains(expected), "{what}:\n{transcript}");
    }
}

/// What is marked in the picture of a check: servents and links by their ports, `+` found and not declared, `-` the other way.
fn marked(checked: &CheckedOverlay) -> Vec<String> {
    let sign = |since| match since {
        Since::Same => None,
        Since::New => Some('+'),
        Since::Gone => Some('-'),
    };
    let drawn = &checked.drawn;
    let port = |place: usize| drawn.servents()[place].address.port();
    let servents = drawn.servents().iter().filter_map(|it| Some(format!("{}{}", sign(it.since)?, it.address.port())));
    let links = drawn.links().iter();
    let links = links.filter_map(|it| Some(format!("{}{}-{}", sign(it.since)?, port(it.one), port(it.other))));
    servents.chain(links).collect()
}

#[test]
fn a_picture_of_a_check_marks_what_is_not_as_declared() {
    let row = "9301 - 127.0.0.1:9302\n9302 tea.txt 127.0.0.1:9303\n9303 mate.txt\n";
    let closed = row.replace("9303 mate.txt", "9303 mate.txt 127.0.0.1:9301");
    let longer = row.replace("9303 mate.txt", "9303 mate.txt 127.0.0.1:9304\n9304 -");
    for (real, declared, expected) in [
        (row, row, &[][..]),
        (row, &closed, &["-9301-9303"]),
        (&closed, row, &["+9301-9303"]),
        (row, &longer, &["-9304", "-9303-9304"]),
        (&longer, row, &["+9304", "+9303-9304"]),
        // Out of reach is what nobody can find.
        (&longer.replace("9301 -", "9301 - --ttl 1"), &longer.replace("9301 -", "9301 - --ttl 1"), &[]),
    ] {
        let (checked, transcript) = differences(real, declared);
        assert_eq!(marked(&checked), expected, "{real} as {declared}:\n{transcript}");
    }
}

#[test]
fn what_is_declared_and_not_found_is_called_as_declared() {
    let row = "9301 - 127.0.0.1:9302 --name old\n9302 -\n";
    let longer = "9301 - 127.0.0.1:9302 --name new\n9302 - 127.0.0.1:9303\n9303 - --name absent\n";
    let (checked, _) = differences(row, longer);
    let names = checked.drawn.servents().iter().map(|servent| servent.name.as_deref());
    assert_eq!(names.collect::<Vec<_>>(), [Some("old"), None, Some("absent")]);
}

#[test]
fn a_check_draws_what_it_found() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("diamond.svg");
    std::fs::write(&path, "what was there before").unwrap();
    let to = path.to_str().unwrap();
    let output = topology(&["check", "diamond", "--svg", to]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let picture = std::fs::read_to_string(&path).unwrap();
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
    assert!(picture.contains("<title>diamond: declared and found</title>"), "{picture}");
    assert!(picture.contains(">4 servents, 4 links, diameter 2, degree 2<"), "{picture}");
    assert!(!picture.contains("not found") && !picture.contains("not declared"), "{picture}");
    // Nothing else was left there.
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_picture_of_a_check_has_the_names() {
    let (directory, path) = declared("named.topo", "9361 - --name kitchen\n9362 - 9361\n9363 - 9362 --name '<hall>'\n");
    let picture = directory.path().join("named.svg");
    let output = topology(&["check", &path, "--svg", picture.to_str().unwrap()]);
    assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
    let picture = std::fs::read_to_string(&picture).unwrap();
    for called in [":9361 kitchen</title>", ":9362, 1 link away</title>", ":9363 &lt;hall&gt;, 2 links away</title>"] {
        assert!(picture.contains(called), "{called}: {picture}");
    }
    assert!(!picture.contains("not found") && !picture.contains("not declared"), "{picture}");
}

#[test]
fn of_servents_that_speak_tp3_a_picture_has_what_they_can_tell() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["tp3-diamond", "mixed"] {
        let path = directory.path().join(name);
        let output = topology(&["check", name, "--svg", path.to_str().unwrap()]);
        assert!(output.status.success(), "{}{}", stdout(&output), stderr(&output));
        let picture = std::fs::read_to_string(&path).unwrap();
        assert!(!picture.contains("not found") && !picture.contains("not declared"), "{picture}");
    }
}

#[test]
fn a_picture_that_cannot_be_written_is_said_after_the_check() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nowhere/picture.svg");
    let (printed, error) = refused(&["check", "star", "--svg", path.to_str().unwrap()]);
    assert!(printed.ends_with("\nstar: as declared\n"), "{printed}");
    assert!(error.starts_with("topology: cannot write ") && error.contains("nowhere/picture.svg: "), "{error}");
    let (_, error) = refused(&["check", "star", "--svg", directory.path().to_str().unwrap()]);
    assert!(error.starts_with("topology: cannot write "), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    // A pipe is written to, and stays one.
    let output = topology(&["check", "star", "--svg", "/dev/stdout"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("</svg>\n\nstar: as declared\n"), "{}", stdout(&output));
}

/// As `topology check … | head -1`.
#[test]
fn a_check_that_is_not_read_to_its_end_is_no_difference() {
    let mut child = command(&["check", "star"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("star: 6 servents, 5 links, as declared; "), "{line}");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn a_transcript_that_may_not_grow_further_is_told_in_words() {
    let full = tempfile::tempfile().unwrap();
    let output = Command::new("sh")
        .args(["-c", "ulimit -f 0; exec \"$0\" check star", env!("CARGO_BIN_EXE_topology")])
        .stdin(Stdio::null())
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let error = stderr(&output);
    assert_eq!((output.status.code(), error.as_str()), (Some(1), "topology: File too large (os error 27)\n"));
}

#[test]
fn a_declaration_may_hold_comments_and_quoted_paths() {
    let text =
        "\u{feff}# marked\n9331 \"my data/tea #1.txt\" 127.0.0.1:9332 # the first\n  # and\n9332 - # the second\n";
    let (directory, path) = declared("quoted.topo", text);
    std::fs::create_dir(directory.path().join("my data")).unwrap();
    std::fs::write(directory.path().join("my data/tea #1.txt"), "tea green\n").unwrap();
    let text = well(&path, "quoted");
    assert!(text.contains("\n      green 127."), "{text}");
}

#[test]
fn what_is_no_declaration_is_said_and_is_no_difference_in_words() {
    for (bytes, expected) in [
        (&b"9001 -\n9002 - --check\n"[..], "odd.topo: line 2: --check has no place here"),
        (b"9001 caf\xe9.txt\n", "odd.topo: line 1 is not UTF-8"),
        (b"", "odd.topo: no servent is declared"),
    ] {
        let (_directory, path) = declared("odd.topo", bytes);
        for what in ["check", "run"] {
            let (printed, error) = refused(&[what, &path]);
            assert_eq!(printed, "", "{error}");
            assert!(error.starts_with("topology: in ") && error.contains(expected), "{error}");
        }
    }
}

#[test]
fn a_neighbor_may_be_called_by_a_name() {
    let (_directory, path) = declared("named.topo", "9321 - localhost:9322\n9322 -\n");
    well(&path, "named");
}

#[test]
fn what_cannot_be_brought_up_is_said() {
    for (text, said) in [
        ("9311 no-such-file.txt\n", "no-such-file.txt"),
        ("9001 - 127.0.0.1:9002 --ttl 9\n9002 - --ttl 8\n", "127.0.0.1:9002 would cut the TTL of 9"),
    ] {
        let (_directory, path) = declared("broken.topo", text);
        let (_, error) = refused(&["check", &path]);
        assert!(error.contains(said), "{error}");
    }
    let (_, error) = refused(&["check", "dimond"]);
    assert!(error.contains("no topology is called `dimond`"), "{error}");
}

#[test]
fn run_opens_the_client_and_takes_down_what_it_started() {
    let ip = some_loopback_address().to_string();
    let output = topology(&["run", "diamond", "--address", &ip, "--", "-c", "? coffee", "-c", "? unicorn"]);
    let mut lines: Vec<String> = stdout(&output).lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let is_answer = |line: &String| line.starts_with("espresso") && line.ends_with(&format!(" {ip}:9002"));
    assert!(lines.iter().any(is_answer), "{lines:?}");
    assert!(lines.contains(&"No answer received".to_owned()), "{lines:?}");
    // The client's own exit code: some query had no answer.
    assert_eq!(output.status.code(), Some(1));
    // Nothing listens there any more, so the same can be brought up again at once.
    let again = topology(&["run", "diamond", "--address", &ip]);
    assert!(again.status.success(), "{}", stderr(&again));
}

#[test]
fn at_a_terminal_run_ends_its_start_with_something_to_ask() {
    let shown = at_a_terminal(&[], "Q\r");
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let (_, greeting) = page.split_once("\nattached to 127.0.0.1:9001\n").unwrap();
    let greeting: String =
        greeting.lines().take_while(|line| !line.starts_with('>')).map(|line| format!("{line}\r\n")).collect();
    assert!(greeting.ends_with("\r\ntry: ? coffee   ? kernel   T\r\n"), "{greeting}");
    assert!(shown.contains(&greeting), "README shows another greeting than {shown}");
    let shown = at_a_terminal(&["--", "-c", "? coffee"], "");
    assert!(shown.contains("espresso: ") && !shown.contains("try:"), "{shown}");
}

/// What `topology run diamond` shows at a terminal until it ends.
fn at_a_terminal(arguments: &[&str], typed: &str) -> String {
    let size = PtySize { rows: 40, cols: 100, ..PtySize::default() };
    let pair = native_pty_system().openpty(size).unwrap();
    let home = tempfile::tempdir().unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_topology"));
    command.args(["run", "diamond", "--address", &some_loopback_address().to_string()]);
    command.args(arguments);
    command.env("TERM", "xterm-256color");
    command.env("XDG_STATE_HOME", home.path());
    command.cwd(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut keyboard = pair.master.take_writer().unwrap();
    let mut output = pair.master.try_clone_reader().unwrap();
    let (sender, pieces) = channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        // A terminal that nobody has any more is read with an error.
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            sender.send(buffer[..count].to_vec()).unwrap();
        }
    });
    let (mut shown, mut typed) = (Vec::new(), Some(typed));
    while let Some(piece) = next(&pieces) {
        shown.extend(piece);
        // The last that is shown before a person is asked.
        if shown.windows(2).any(|bytes| bytes == b"> ") {
            typed.take().into_iter().for_each(|typed| keyboard.write_all(typed.as_bytes()).unwrap());
        }
    }
    assert_eq!(child.wait().unwrap().exit_code(), 0, "{}", String::from_utf8_lossy(&shown));
    String::from_utf8_lossy(&shown).into_owned()
}

/// The next piece of what is shown; nothing when there is no more.
fn next(pieces: &Receiver<Vec<u8>>) -> Option<Vec<u8>> {
    match pieces.recv_timeout(Duration::from_secs(60)) {
        Ok(piece) => Some(piece),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => panic!("nothing more is shown, and it does not end"),
    }
}

#[test]
fn run_takes_its_servents_with_it_when_it_is_told_to_end() {
    let ip = some_loopback_address().to_string();
    let mut topology = command(&["run", "diamond", "--address", &ip])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first_line = String::new();
    BufReader::new(topology.stderr.take().unwrap()).read_line(&mut first_line).unwrap();
    assert_eq!(first_line, "diamond: 4 servents, 4 links\n", "it is up");
    let connections: Vec<TcpStream> =
        (9001..=9004).map(|port| TcpStream::connect(format!("{ip}:{port}")).unwrap()).collect();
    kill_process(Pid::from_child(&topology), Signal::TERM).unwrap();
    assert_eq!(topology.wait().unwrap().code(), Some(143));
    for mut connection in connections {
        connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        // Whatever is said, it ends, although nothing was said here: the servent is gone.
        connection.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn run_names_a_port_in_use_and_the_way_out() {
    let ip = some_loopback_address().to_string();
    let taken = std::net::TcpListener::bind(format!("{ip}:9003")).unwrap();
    let (_, error) = refused(&["run", "diamond", "--address", &ip]);
    drop(taken);
    assert!(error.contains(&format!("cannot listen on {ip}:9003")), "{error}");
    assert!(error.contains("--address"), "{error}");
}

#[test]
fn every_topology_file_is_checked_above() {
    let files =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "topo"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    for what in ["run", "check"] {
        let help = stdout(&topology(&[what, "--help"])).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains(&names.join(", ")), "{help}");
    }
    assert_eq!(names, ["chain", "diamond", "mesh", "mixed", "ring", "star", "tp3-chain", "tp3-diamond"]);
}
