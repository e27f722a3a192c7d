//! The topology as a person sees it at a terminal, as programs read it, and as it is followed while it changes.
//!
//! What a drawing looks like is judged in the crate `drawing`; here it is where it is to be, whole, and of the width of the screen.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use common::message::{Handed, Message};
use common::query::{Answer, AnswerBody, Ask as Asking, AskHash, BroughtAnswer, BroughtBody};
use drawing::{Discovery, DrawnOverlay, OverlayFigures, TerminalStyle};

use super::*;
use crate::support::fake::id_at;

const UTF8: &[&str] = &["env", "LC_ALL=C.UTF-8"];
const CTRL_C: &str = "\x03";
const ASCII: &[&str] = &["env", "LC_ALL=C"];

/// The overlay of a star, whose first servent was asked.
fn star(chain: &Chain) -> DrawnOverlay {
    let first = chain.address(0);
    let others: Vec<SocketAddr> = (1..chain.servents.len()).map(|place| chain.address(place)).collect();
    let mut discovery = Discovery::default();
    discovery.add(first, None, &[first], Some(&others));
    for other in others {
        discovery.add(other, None, &[first, other], Some(&[first]));
    }
    discovery.overlay().unwrap()
}

/// What is to stand on a screen of so many columns.
fn drawn(overlay: &DrawnOverlay, columns: usize, unicode: bool) -> String {
    let style = TerminalStyle { columns, unicode, colour: false };
    format!("{}{}\n", drawing::drawn(overlay, &style), OverlayFigures::of(overlay))
}

/// A client at a terminal of this kind, attached to the first servent of a star of three.
fn at_a_terminal(kind: &str, locale: &[&str], home: &TempDir, chain: &Chain) -> Terminal {
    let mut terminal = Terminal::of_kind(kind, home.path(), locale, &[&chain.contact()]);
    terminal.wait_for_greeting(&chain.contact());
    terminal
}

#[test]
fn at_a_terminal_it_is_drawn_below_its_lines() {
    let chain = Chain::start_star(["tea green\n", "tea black\n", "tea white\n"]);
    let home = TempDir::new().unwrap();
    let mut terminal = at_a_terminal(XTERM, UTF8, &home, &chain);
    terminal.press("T\r");
    let overlay = star(&chain);
    terminal.wait_for_text(&format!("\n{}3 servents in TIME\n> ", drawn(&overlay, 100, true)));
    let first = chain.address(0);
    assert!(terminal.contents().contains(&format!("\n{first} {first}\n")));
    assert!(terminal.contents().contains("\n3 servents, 2 links, diameter 2, degree 1 to 2\n"));
}

/// The same in 30 columns, and where there is nothing but ASCII.
#[test]
fn it_is_as_wide_as_the_terminal_and_of_what_that_can_show() {
    let chain = Chain::start_star(["tea green\n", "tea black\n", "tea white\n"]);
    let overlay = star(&chain);
    for (kind, locale, is_unicode) in [(XTERM, UTF8, true), ("dumb", ASCII, false)] {
        let home = TempDir::new().unwrap();
        let mut terminal = at_a_terminal(kind, locale, &home, &chain);
        for columns in [30, 100, 40, 500] {
            terminal.resize(200, columns);
            terminal.press("T\r");
            let picture = drawn(&overlay, usize::from(columns), is_unicode);
            assert!(is_unicode || picture.is_ascii());
            terminal.wait_for_text(&format!("\n{picture}"));
            terminal.wait_for_end("\n> ");
        }
    }
}

/// One of 0 columns does not say how many it has.
#[test]
fn however_wide_a_terminal_is_it_is_drawn_at() {
    let chain = Chain::start_star(["tea green\n", "tea black\n", "tea white\n"]);
    for columns in [0, 1, 65_535] {
        let home = TempDir::new().unwrap();
        let mut terminal = Terminal::of_width(columns, home.path(), &["-c", "T", &chain.contact()]);
        assert_eq!(terminal.exit_code(), 0, "{columns}");
    }
}

/// Whatever strangers say stays where it is said.
#[test]
fn a_stranger_cannot_draw() {
    let name = "\u{1b}[2J\u{1b}[H\n\u{202e}💡 )";
    let shown = "\\x1b[2J\\x1b[H\\n\\u{202e}💡 )";
    let home = TempDir::new().unwrap();
    let fake = Fake::listen();
    let mut terminal = Terminal::of_kind(XTERM, home.path(), UTF8, &[&fake.name()]);
    let mut contact = fake.accept();
    contact.greet_called(name);
    terminal.wait_for_text(&format!("attached to {} ({shown})\n", fake.name()));
    terminal.wait_for_end("\n> ");
    terminal.press("T\r");
    let sequence = contact.request().sequence;
    let body = AnswerBody::Place { path: vec![fake.address()].into(), neighbors: vec![nobody()] };
    let asked = Some(AskHash::of(&Asking::Topology));
    contact.send(&Message::Answer(Answer { sequence, asked, hops: 0, body }));
    contact.finish(sequence, Tally { answer_sum: id_at(fake.address()).mark(), ..tally(1, 1) });
    terminal.wait_for_text(&format!("\n{0} {0} ({shown})\n", fake.name()));
    terminal.wait_for_text("1 servent, 1 link, diameter 0, degree 1, 1 servent heard of that did not answer\n");
    terminal.wait_for_end("\n> ");
    assert!(terminal.contents().starts_with("attached to "), "the screen was cleared: {}", terminal.contents());
    assert_eq!(terminal.contents().matches("💡").count(), 2, "in the drawing it is cut: {}", terminal.contents());
}

/// A place can name as many neighbors as there may be, of whom nobody has heard.
#[test]
fn inventions_are_counted_and_few_are_drawn() {
    let home = TempDir::new().unwrap();
    let (fake, mut contact, mut terminal) = Terminal::attached(XTERM, home.path(), UTF8, &[]);
    terminal.press("T\r");
    let sequence = contact.request().sequence;
    let neighbors: Vec<SocketAddr> = (0..=255).map(|last| SocketAddr::from(([10, 0, 0, last], 1))).collect();
    let body = BroughtBody::Whole(AnswerBody::Place { path: vec![fake.address()].into(), neighbors });
    contact.hand_body(sequence, &fake.name(), body);
    contact.finish(sequence, tally(1, 1));
    terminal.wait_for_text("1 servent, 256 links, diameter 0, degree 256, 256 servents heard of that did not answer\n");
    assert!(terminal.contents().lines().count() < 40, "{}", terminal.contents());
}

/// Anybody may go by any name: who is who is told by addresses alone.
#[test]
fn five_hundred_that_all_claim_one_name_are_five_hundred() {
    const SERVENTS: u16 = 500;
    for form in ["text", "tree", "dot", "mermaid", "svg", "json"] {
        let fake = Fake::listen();
        let client =
            Client::start_behind(&["env".to_owned(), "LC_ALL=C.UTF-8".to_owned()], [&*fake.name(), "--topology", form]);
        let mut contact = fake.attach();
        let sequence = contact.request().sequence;
        let at = |place: u16| match place {
            0 => fake.address(),
            place => SocketAddr::from(([127, 0, 0, 2], 9000 + place)),
        };
        let mut marks = 0_u64;
        for place in 0..SERVENTS {
            let path: Vec<SocketAddr> = [at(0), at(place)].into_iter().skip(usize::from(place == 0)).collect();
            let neighbors = if place == 0 { Vec::new() } else { vec![at(0)] };
            let body = BroughtBody::Whole(AnswerBody::Place { path: path.into(), neighbors });
            let name = Some("kitchen".try_into().unwrap());
            let id = id_at(at(place));
            marks = marks.wrapping_add(id.mark());
            let answer = Arc::new(BroughtAnswer { id, from: at(place), name, hops: u8::from(place > 0), body });
            contact.send(&Message::Handed(Handed { sequence, answer }));
        }
        let tally = Tally { answer_sum: marks, ..tally(u64::from(SERVENTS), u64::from(SERVENTS)) };
        contact.finish(sequence, tally);
        let run = client.finish();
        assert_eq!(run.code, 0, "{form}: {}", run.log);
        let times = match form {
            // Lines for programs have addresses alone.
            "text" => 0,
            // In its box, and in the words that come up there.
            "svg" => 2,
            _ => 1,
        };
        assert_eq!(run.out.matches("kitchen").count(), times * usize::from(SERVENTS), "{form}: {}", run.out);
        let shown = |place: u16| {
            if form == "svg" { format!(":{}", at(place).port()) } else { at(place).to_string() }
        };
        let missing = (1..SERVENTS).find(|place| !run.out.contains(&shown(*place)));
        assert_eq!(missing, None, "{form}: {}", run.out);
    }
}

#[test]
fn the_same_overlay_is_written_as_the_same_bytes() {
    let chain = Chain::start_star(["tea green\n", "tea black\n", "tea white\n"]);
    let overlay = star(&chain).settled();
    let style = TerminalStyle { columns: 0, unicode: true, colour: false };
    let title = format!("The overlay around {}", chain.contact());
    for (form, expected) in [
        ("tree", drawing::tree(&overlay, &style)),
        ("dot", drawing::dot(&overlay)),
        ("mermaid", drawing::mermaid(&overlay)),
        ("svg", drawing::svg(&overlay, &title)),
    ] {
        let locale = ASCII.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let client = Client::start_behind(&locale, [&*chain.contact(), "--topology", form]);
        assert_eq!(client.finish(), quiet(expected, 0), "{form}");
    }
    let first = chain.address(0);
    let mut lines = vec![format!("{first} {first}\n")];
    lines.extend((1..3).map(|place| format!("{first} {0} {0}\n", chain.address(place))));
    let run = Client::run([&*chain.contact(), "--topology", "text"], "");
    let mut found: Vec<String> = run.out.split_inclusive('\n').map(str::to_owned).collect();
    assert!(found.is_sorted_by_key(|line| line.rsplit(' ').next().unwrap().trim().parse::<SocketAddr>().unwrap()));
    found.sort();
    lines.sort();
    assert_eq!(found, lines);
    let run = Client::run([&*chain.contact(), "--topology", "json"], "");
    assert_eq!(run.code, 0);
    let object: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(object["type"], "topology");
    assert_eq!(object["contact"], chain.contact());
    assert_eq!(object["links"].as_array().unwrap().len(), 2);
    assert_eq!(object["figures"]["degree_most"], 2);
}

#[test]
fn a_file_has_all_of_it_or_is_as_it_was() {
    let chain = Chain::start(["tea green\n", "tea black\n"]);
    let directory = TempDir::new().unwrap();
    let names = |directory: &Path| -> Vec<_> {
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    let file = directory.path().join("overlay.svg");
    fs::write(&file, "before").unwrap();
    let name = file.to_str().unwrap();
    assert_eq!(Client::run([&*chain.contact(), "--topology", "svg", "-o", name], ""), quiet("", 0));
    assert!(fs::read_to_string(&file).unwrap().ends_with("</svg>\n"));
    assert_eq!(names(directory.path()), ["overlay.svg"]);

    // What is no file stays what it is, and a link leads where it did.
    let [pipe, link] = ["pipe", "link.svg"].map(|name| directory.path().join(name));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    symlink(&file, &link).unwrap();
    let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn().unwrap();
    for place in [&pipe, &link] {
        fs::write(&file, "before").unwrap();
        let run = Client::run([&*chain.contact(), "--topology", "svg", "-o", place.to_str().unwrap()], "");
        assert_eq!(run, quiet("", 0));
    }
    assert!(reader.wait_with_output().unwrap().stdout.ends_with(b"</svg>\n"));
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&file).unwrap().ends_with("</svg>\n"));
    [pipe, link].iter().for_each(|place| fs::remove_file(place).unwrap());

    for place in [directory.path().join("nowhere/overlay.svg"), directory.path().to_path_buf()] {
        let place = place.to_str().unwrap();
        let run = Client::run([&*chain.contact(), "--topology", "svg", "-o", place], "");
        assert_eq!((run.code, &*run.out), (6, ""));
        assert!(run.log.starts_with(&format!("client: cannot write {place}: ")), "{}", run.log);
    }
    assert_eq!(names(directory.path()), ["overlay.svg"]);
}

/// As pictures follow it, and programs.
#[test]
fn a_picture_stays_and_what_has_changed_is_marked() {
    let mut chain = Chain::start_star(["tea green\n", "tea black\n", "tea white\n"]);
    let home = TempDir::new().unwrap();
    let contact = chain.contact();
    let options = ["--every", "100ms", "-c", "T", &contact];
    let mut terminal = Terminal::of_kind(XTERM, home.path(), UTF8, &options);
    let head = format!("T every 100ms at {contact}, Ctrl-C ends\n");
    let overlay = star(&chain);
    terminal.wait_for_bare_screen(&format!("{head}{}", drawn(&overlay, 100, true)));
    // As soon as it has another size, and not only with the next time.
    terminal.resize(60, 40);
    let narrow = TerminalStyle { columns: 40, unicode: true, colour: false };
    let cut: String =
        format!("{head}{}", drawn(&overlay, 40, true)).lines().map(|line| narrow.cut(line) + "\n").collect();
    terminal.wait_for_bare_screen(&cut);
    terminal.resize(5, 100);
    terminal.wait_for_text("of the drawing, for which there is no room");
    terminal.resize(60, 100);

    let last = chain.servents.pop().unwrap();
    let gone = last.address();
    last.signal(Signal::TERM);
    let (low, high) = (chain.address(0).min(gone), chain.address(0).max(gone));
    terminal.wait_for_written(&format!(
        "\n2 servents, 1 link, diameter 1, degree 1\n- {gone} left\n- the link of {low} and {high} is gone\n"
    ));
    // It is not marked for ever.
    terminal.wait_for_bare_screen(&format!("{head}{}", drawn(&star(&chain), 100, true)));
    terminal.press(CTRL_C);
    assert_eq!(terminal.exit_code(), 130);
}

#[test]
fn where_there_is_no_screen_changes_are_lines() {
    let mut chain = Chain::start(["tea green\n", "tea black\n"]);
    let [first, second] = [0, 1].map(|place| chain.address(place));
    let mut client = Client::start([&*chain.contact(), "--every", "100ms", "-c", "T"]);
    let mut json = Client::start([&*chain.contact(), "--json", "--every", "100ms", "-c", "T"]);
    let (low, high) = (first.min(second), first.max(second));
    for line in [format!("+ {low}"), format!("+ {high}"), format!("+ {low} {high}")] {
        assert_eq!(client.next_line(), line);
    }
    assert_eq!(json.next_json()["figures"]["servents"], 2);
    let mut answers = Client::start([&*chain.contact(), "--every", "100ms", "-c", "? tea"]);
    let both: BTreeSet<String> = [answers.next_line(), answers.next_line()].into();
    assert_eq!(both, BTreeSet::from([format!("+ green {first}"), format!("+ black {second}")]));

    chain.servents.pop().unwrap().signal(Signal::TERM);
    assert_eq!(client.next_line(), format!("- {second}"));
    assert_eq!(client.next_line(), format!("- {low} {high}"));
    assert_eq!(json.next_json()["figures"]["servents"], 1);
    assert_eq!(answers.next_line(), format!("- black {second}"));
    for client in [client, json, answers] {
        client.signal(Signal::INT);
        assert_eq!(client.finish(), quiet("", 130));
    }
}

/// What a data file says anew is told when it is asked for again, and nothing else.
#[test]
fn of_a_key_only_what_has_changed_is_printed() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("data.txt");
    fs::write(&file, "tea green\n").unwrap();
    let mut servent = topologies::fleet::Servent::start(&["127.0.0.1:0", file.to_str().unwrap()]).unwrap();
    let contact = servent.address();
    let mut client = Client::start([&*contact.to_string(), "--every", "100ms", "-c", "? tea"]);
    let mut json = Client::start([&*contact.to_string(), "--json", "--every", "100ms", "-c", "? tea"]);
    assert_eq!(client.next_line(), format!("+ green {contact}"));
    assert_eq!(picked(&json.next_json(), ["type", "key", "value"]), json!(["answer", "tea", "green"]));
    fs::write(&file, "tea black\n").unwrap();
    servent.signal(Signal::HUP);
    assert_eq!(client.next_line(), format!("- green {contact}"));
    assert_eq!(client.next_line(), format!("+ black {contact}"));
    assert_eq!(
        picked(&json.next_json(), ["type", "command", "key", "value", "from"]),
        json!(["gone", "?", "tea", "green", contact.to_string()])
    );
    assert_eq!(picked(&json.next_json(), ["type", "value"]), json!(["answer", "black"]));

    // A contact that comes back is asked again.
    servent.signal(Signal::TERM);
    assert!(servent.wait().unwrap().success());
    assert!(client.next_log().starts_with(&format!("client: contact {contact} is lost: ")));
    fs::write(&file, "tea white\n").unwrap();
    let _again = topologies::fleet::Servent::start(&[&*contact.to_string(), file.to_str().unwrap()]).unwrap();
    assert_eq!(client.next_line(), format!("- black {contact}"));
    assert_eq!(client.next_line(), format!("+ white {contact}"));
    client.signal(Signal::INT);
    assert_eq!(client.finish().code, 130);
}

/// Also while it attaches again, to one that listens and says nothing.
#[test]
fn whoever_interrupts_while_the_contact_says_nothing_is_heard() {
    let (fake, mut contact, mut client) = Fake::with_client(&["--every", "100ms", "-c", "? tea"]);
    contact.answer_next(b"green");
    assert_eq!(client.next_line(), format!("+ green {}", fake.name()));
    contact.hang_up();
    assert!(client.next_log().contains("is lost"));
    let _silent = fake.accept();
    client.signal(Signal::INT);
    assert_eq!(client.finish().code, 130);
}

/// Nobody takes the place of a picture of all with one of a part.
#[test]
fn what_was_not_heard_whole_is_not_written() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("overlay.txt");
    fs::write(&file, "before").unwrap();
    let (fake, mut contact, client) = Fake::with_client(&["--topology", "text", "-o", file.to_str().unwrap()]);
    let sequence = contact.request().sequence;
    let body = BroughtBody::Whole(AnswerBody::Place { path: vec![fake.address()].into(), neighbors: Vec::new() });
    contact.hand_body(sequence, &fake.name(), body);
    contact.finish(sequence, Tally { lost: 1, ..tally(2, 1) });
    let run = client.finish();
    assert_eq!((run.code, &*run.out), (5, ""), "{}", run.log);
    assert!(
        run.log.contains(&format!("client: not all could be heard: {} is as it was", file.display())),
        "{}",
        run.log
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "before");
}

/// Nobody asks for ever whose reader has gone.
#[test]
fn whoever_is_not_read_any_more_ends() {
    let chain = Chain::start(["tea green\n"]);
    let (_home, mut command) = prepared([&*chain.contact(), "--every", "100ms", "-c", "? tea"]);
    let mut child = command.spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, format!("+ green {}\n", chain.contact()));
    drop(out);
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn what_cannot_be_asked_again_and_again_is_refused() {
    for (options, said) in [
        (&["--every", "1s"][..], "--every takes one command: -c T, or -c '? KEY'"),
        (&["--every", "1s", "-c", "M"], "--every takes one command"),
        (&["--every", "1s", "-c", "T", "-c", "T"], "--every takes one command"),
        (&["--every", "1s", "-n", "1", "-c", "T"], "with --every nobody would be heard but the first -n"),
        (&["--every", "99ms", "-c", "T"], "at least 100ms"),
        (&["--every", "0", "-c", "T"], "invalid value '0' for '--every <DURATION>'"),
        (&["--topology", "png"], "invalid value 'png' for '--topology <FORM>'"),
        (&["--topology", "svg", "-c", "T"], "the argument '--topology <FORM>' cannot be used with"),
        (&["--topology", "svg", "--json"], "cannot be used with"),
        (&["-o", "overlay.svg"], "--topology <FORM>"),
    ] {
        let run = Client::run([options, &["127.0.0.1:9"]].concat(), "");
        assert_eq!((run.code, &*run.out), (2, ""), "{options:?}");
        assert!(run.log.contains(said), "{options:?}: {}", run.log);
    }
}
