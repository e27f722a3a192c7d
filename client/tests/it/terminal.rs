//! The client at a terminal: what a person types, and the screen that person then sees.
//!
//! Screens are those of a terminal emulator, compared whole. Commands without a terminal are in `script.rs`, a
//! contact that goes away in `again.rs`.
use super::*;
use crate::support::terminal::HELP;
use client::program::command::HELP as COMMANDS;

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const UP: &str = "\x1b[A";

/// What is said of a line that is no text.
const NOT_UTF8: &str = "client: that was not UTF-8; it is dropped, and not asked\n";

fn home() -> TempDir {
    TempDir::new().unwrap()
}

/// A client at its first prompt, and the contact it is attached to.
fn attached(home: &TempDir, options: &[&str]) -> (Fake, Peer, Terminal) {
    Terminal::attached(XTERM, home.path(), &[], options)
}

/// The same with a real contact.
fn attached_to(chain: &Chain, home: &TempDir) -> Terminal {
    let mut terminal = Terminal::start(home.path(), &[&chain.contact()]);
    terminal.wait_for_greeting(&chain.contact());
    terminal
}

#[test]
fn a_person_asks_and_leaves() {
    let chain = Chain::start(["tea green\n", "sugar brown\n"]);
    let (first, second) = (chain.address(0), chain.address(1));
    let home = home();
    let mut terminal = attached_to(&chain, &home);
    terminal.press("? sugar\r");
    let mut screen = format!("> ? sugar\nbrown {second}\n1 answer from 2 servents in TIME\n> ");
    terminal.wait_for_screen(&screen);
    terminal.press("? nowhere\r");
    screen += "? nowhere\nNo answer received\nnone of the 2 servents within reach has it\n> ";
    terminal.wait_for_screen(&screen);
    terminal.press("\r");
    screen += "\n> ";
    terminal.wait_for_screen(&screen);
    terminal.press("nonsense\r");
    screen += &format!("nonsense\nUnknown command\n{HELP}> ");
    terminal.wait_for_screen(&screen);
    terminal.press("help\r");
    screen += &format!("help\n{COMMANDS}> ");
    terminal.wait_for_screen(&screen);
    terminal.press("? two words\r");
    screen +=
        "? two words\nUnknown command\nclient: a key is one word; one with blanks is quoted, such as: ? \"a b\"\n> ";
    terminal.wait_for_screen(&screen);
    terminal.press("T\r");
    // Who answers first is not said.
    terminal.wait_for_text(&format!("\n{first} {first}\n"));
    terminal.wait_for_text(&format!("\n{first} {second} {second}\n"));
    terminal.wait_for_text("\n2 servents in TIME\n> ");
    terminal.press("Q\r");
    assert_eq!(terminal.exit_code(), 0, "what had no answer is no failure of the one who asked");
    assert!(terminal.is_cooked());
}

#[test]
fn the_summary_says_once_what_is_doubtful() {
    let said = "no answer from 3 servents that reported\n2 of 2 answers did not arrive: neither dialled to 127.0.0.1, which other";
    let home = home();
    let (_fake, mut contact, mut terminal) = attached(&home, &["--timeout", IN_TIME]);
    terminal.press("? k\r");
    let sequence = contact.request().sequence;
    contact.finish(sequence, tally(3, 2));
    terminal.wait_for_text(said);
    assert_eq!(terminal.contents().matches("arrive").count(), 1);
    // And how long was waited for is what was asked for.
    terminal.press("? l\r");
    contact.request();
    terminal.wait_for_text("\nno answer and no report within 3.0 s: incomplete\n> ");
}

#[test]
fn the_summary_of_one_command_is_on_the_terminal_too() {
    let chain = Chain::start(["tea green\n"]);
    let home = home();
    let contact = chain.contact();
    let mut terminal = Terminal::start(home.path(), &[&contact, "-c", "? tea", "-c", "? sugar"]);
    terminal.wait_for_screen(&format!(
        "green {contact}\n1 answer from 1 servent in TIME\nNo answer received\n\
         the one servent within reach does not have it\n"
    ));
    assert_eq!(terminal.exit_code(), 1);
    let mut terminal = Terminal::start(home.path(), &[&contact, "--json", "-c", "? tea"]);
    terminal.wait_for_text("\"reason\":\"complete\"}\n");
    assert_eq!(terminal.exit_code(), 0);
    assert!(!terminal.contents().contains("1 answer from"), "JSON says it all");
}

#[test]
fn ctrl_c_at_the_prompt_drops_the_line_and_keeps_the_program() {
    let home = home();
    let (_fake, mut contact, mut terminal) = attached(&home, &[]);
    terminal.press("? never-as");
    terminal.wait_for_screen("> ? never-as");
    terminal.press(CTRL_C);
    terminal.wait_for_screen("> ? never-as\n> ");
    terminal.press(CTRL_C);
    terminal.wait_for_screen("> ? never-as\n> \n> ");
    terminal.press("? k\r");
    contact.deny("? k");
    terminal.wait_for_text("No answer received\n");
}

#[test]
fn keys_that_come_with_ctrl_c_are_kept() {
    let home = home();
    let (_fake, mut contact, mut terminal) = attached(&home, &[]);
    // In one write: behind a line, an empty one, a search in the history, and with its sister.
    for keys in ["? never\x03? a\r", "\x03\x03? b\r", "\x12a\x03? c\r", "? never\x1c? d\r"] {
        terminal.press(keys);
        let request = contact.request();
        assert!(keys.ends_with(&format!("{}\r", request.ask)), "{keys:?} and not {}", request.ask);
        contact.finish(request.sequence, tally(1, 0));
        let answer = "No answer received\nthe one servent within reach does not have it";
        terminal.wait_for_text(&format!("\n> {}\n{answer}\n> ", request.ask));
    }
    // What was dropped is not remembered.
    terminal.press(format!("{UP}{UP}{UP}{UP}\r"));
    assert_eq!(contact.request().ask.to_string(), "? a");
}

#[test]
fn ctrl_c_ends_a_query_and_not_the_program() {
    let home = home();
    let (fake, mut contact, mut terminal) = attached(&home, &[]);
    terminal.press("? k\r");
    let sequence = contact.request().sequence;
    contact.answer(sequence, b"v");
    terminal.wait_for_screen(&format!("> ? k\nv {}\n", fake.address()));
    terminal.press(CTRL_C);
    terminal.wait_for_text("1 answer in TIME, then interrupted\n> ");
    terminal.press("? j\r");
    let sequence = contact.request().sequence;
    terminal.wait_for_text("then interrupted\n> ? j\n");
    terminal.press(CTRL_C);
    terminal.wait_for_text("No answer received\nno answer in TIME, then interrupted\n> ");
    // An answer that nobody wants any more and the contact's word come late, and the next query is as good as any.
    contact.answer(sequence, b"late");
    contact.finish(sequence, tally(1, 1));
    terminal.press("? i\r");
    contact.answer_next(b"w");
    terminal.wait_for_text(&format!("\n> ? i\nw {}\n1 answer from 1 servent in TIME\n> ", fake.address()));
    terminal.press(CTRL_D);
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn ctrl_d_leaves() {
    let home = home();
    let (_fake, _contact, mut terminal) = attached(&home, &[]);
    assert!(!terminal.is_cooked(), "a line is being edited");
    terminal.press(CTRL_D);
    assert_eq!(terminal.exit_code(), 0);
    assert!(terminal.is_cooked());
    terminal.wait_for_plain_pastes();
}

#[test]
fn pasted_lines_all_run() {
    let chain = Chain::start(["tea green\ncoffee black\n"]);
    let contact = chain.contact();
    let home = home();
    let mut terminal = attached_to(&chain, &home);
    assert!(terminal.marks_pastes());
    terminal.press("\x1b[200~? tea\r\r? coffee\r? tea\x1b[201~\r");
    let answers =
        ["green", "black", "green"].map(|value| format!("{value} {contact}\n1 answer from 1 servent in TIME\n"));
    // What comes of each stands under it, as if it had been typed.
    let [tea, coffee, _] = &answers;
    terminal.wait_for_screen(&format!("> ? tea\n{tea}> ? coffee\n{coffee}> ? tea\n{tea}> "));
    // A paste the terminal does not mark, which is also what typing ahead looks like.
    terminal.press("nonsense\r? coffee\rnonsense\r? tea\r");
    let [tea, coffee, _] = answers;
    let unknown = format!("nonsense\nUnknown command\n{HELP}");
    terminal.wait_for_text(&format!("> {unknown}> ? coffee\n{coffee}> {unknown}> ? tea\n{tea}> "));
    terminal.press("Q\r");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn what_is_not_utf8_costs_its_line_only() {
    let home = home();
    let (_fake, mut contact, mut terminal) = attached(&home, &[]);
    let mut screen = String::from("> ");
    // A byte of another encoding, half a character, and what was never the beginning of one.
    for (keys, shown) in [(&b"? caf\xe9\r"[..], "? caf"), (b"? caf\xc3\r", "? caf"), (b"? caf\xff\r", "? caf")] {
        terminal.press(keys);
        screen += &format!("{shown}\n{NOT_UTF8}> ");
        terminal.wait_for_screen(&screen);
    }
    // Pasted, and among lines that are.
    terminal.press(b"\x1b[200~? one\r? caf\xe9\r? two\x1b[201~\r");
    screen += &format!("\n{NOT_UTF8}> ");
    terminal.wait_for_screen(&screen);
    terminal.press("? caf\u{e9}\r");
    contact.deny("? caf\u{e9}");
    screen += "? caf\u{e9}\nNo answer received\nthe one servent within reach does not have it\n> ";
    terminal.wait_for_screen(&screen);
    terminal.press(CTRL_D);
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn at_a_plain_terminal_lines_are_bytes() {
    let home = home();
    for kind in ["dumb", "emacs"] {
        let (_fake, mut contact, mut terminal) = Terminal::attached(kind, home.path(), &[], &[]);
        assert!(terminal.is_cooked() && !terminal.marks_pastes(), "no line editor is at work");
        terminal.press(b"? caf\xe9\n? half \xc3\n");
        let request = contact.request();
        assert_eq!(request.ask, Ask::Key(Key::new(b"caf\xe9").unwrap()));
        contact.finish(request.sequence, tally(1, 0));
        terminal.wait_for_text("\nNo answer received\n");
        terminal.wait_for_text("Unknown command\n");
        terminal.press("\n? tea\n");
        contact.deny("? tea");
        terminal.press(CTRL_D);
        assert_eq!(terminal.exit_code(), 0);
    }
}

#[test]
fn ctrl_c_at_a_plain_prompt_drops_the_line_and_shows_a_new_one() {
    let home = home();
    let (_fake, mut contact, mut terminal) = Terminal::attached("dumb", home.path(), &[], &[]);
    terminal.press("? te");
    terminal.wait_for_screen("> ? te");
    terminal.press(CTRL_C);
    terminal.wait_for_screen("> ? te^C\n> ");
    terminal.press(CTRL_C);
    terminal.wait_for_screen("> ? te^C\n> ^C\n> ");
    // Also of a line the terminal has handed on in part.
    terminal.press("? te\x04");
    terminal.wait_for_screen("> ? te^C\n> ^C\n> ? te");
    terminal.press(CTRL_C);
    terminal.wait_for_screen("> ? te^C\n> ^C\n> ? te^C\n> ");
    terminal.press("? k\n");
    contact.deny("? k");
    terminal.wait_for_text("No answer received\n");
    drop(contact);
    terminal.wait_for_text("the next line attaches again\n> ");
    terminal.press(CTRL_C);
    terminal.wait_for_text("the next line attaches again\n> ^C\n> ");
}

#[test]
fn a_terminal_that_is_no_longer_ours_is_the_end_of_input() {
    // In the background and deaf to the system's word on that, so that reading fails as it does of a terminal that is gone.
    let before = ["sh", "-c", "set -m; trap '' TTIN TTOU; \"$@\" & wait $!", "sh"];
    for kind in [XTERM, "dumb"] {
        let home = home();
        let fake = Fake::listen();
        let mut terminal = Terminal::of_kind(kind, home.path(), &before, &[&fake.name()]);
        let _contact = fake.attach();
        terminal.press("\r");
        assert_eq!(terminal.exit_code(), 0, "{kind}");
    }
}

#[test]
fn what_was_pasted_is_shown_once_where_it_is_run() {
    let home = home();
    let (_fake, mut contact, mut terminal) = attached(&home, &[]);
    let mut screen = String::from("> ");
    let mut ask = |terminal: &mut Terminal, lines: &[&str]| {
        for line in lines {
            screen += &format!("{line}\n");
            terminal.wait_for_screen(&screen);
            contact.deny(line);
            screen += "No answer received\nthe one servent within reach does not have it\n> ";
        }
        terminal.wait_for_screen(&screen);
    };
    // Lines of more than one row, of just as many columns as there are, and of wide characters.
    let [long, full, wide] = [150, 96, 98].map(|bytes| format!("? {}", "x".repeat(bytes)));
    let lines = [&*full, &*wide, &*long, "? \u{8336}\u{8336}", &*wide];
    terminal.press(format!("\x1b[200~{}\x1b[201~\r", lines.join("\r")));
    ask(&mut terminal, &lines);
    // One line and its end.
    terminal.press("\x1b[200~? one\r\x1b[201~\r");
    ask(&mut terminal, &["? one"]);
    // What is on the screen already is left as it is.
    terminal.press("? tea\r");
    ask(&mut terminal, &["? tea"]);
}

#[test]
fn what_is_typed_during_a_query_runs_after_it() {
    let home = home();
    let (fake, mut contact, mut terminal) = attached(&home, &[]);
    terminal.press("? one\r");
    let first = contact.request();
    terminal.press("? two\rQ\r");
    // The terminal shows what is typed when it comes, which is to be before the answer.
    terminal.wait_for_screen("> ? one\n? two\nQ\n");
    contact.answer(first.sequence, b"v");
    contact.finish(first.sequence, tally(1, 1));
    contact.deny("? two");
    assert_eq!(terminal.exit_code(), 0);
    terminal.wait_for_text(&format!("v {}\n1 answer from 1 servent in TIME\n", fake.address()));
}

#[test]
fn a_paste_ends_at_its_q_and_at_ctrl_c() {
    let home = home();
    let (_fake, mut contact, mut terminal) = attached(&home, &[]);
    terminal.press("\x1b[200~? one\r? never-asked\x1b[201~\r");
    contact.request();
    terminal.wait_for_screen("> ? one\n");
    terminal.press(CTRL_C);
    terminal.wait_for_text("then interrupted\n> ");
    terminal.press("\x1b[200~Q\r? never-asked\x1b[201~\r");
    assert_eq!(terminal.exit_code(), 0);
    assert_eq!(contact.receive(), None, "nothing more was asked");
}

#[test]
fn lines_are_remembered_within_a_run_and_by_the_next() {
    let home = home();
    let (_fake, mut contact, mut terminal) = attached(&home, &[]);
    terminal.press("nonsense\r? k\r");
    contact.deny("? k");
    let screen = format!(
        "> nonsense\nUnknown command\n{HELP}> ? k\nNo answer received\n\
         the one servent within reach does not have it\n> "
    );
    terminal.wait_for_screen(&screen);
    terminal.press(UP);
    terminal.wait_for_screen(&format!("{screen}? k"));
    terminal.press(UP);
    terminal.wait_for_screen(&format!("{screen}nonsense"));
    terminal.press(CTRL_C);
    terminal.wait_for_screen(&format!("{screen}nonsense\n> "));
    terminal.press(CTRL_D);
    assert_eq!(terminal.exit_code(), 0);
    assert!(home.path().join("state/servent/client-history").is_file(), "where the system keeps such things");

    let (_fake, mut contact, mut terminal) = attached(&home, &[]);
    terminal.press(UP);
    terminal.wait_for_screen("> ? k");
    terminal.press("\r");
    assert_eq!(contact.request().ask.to_string(), "? k");
}

#[test]
fn a_place_for_the_history_that_cannot_be_had_is_no_hindrance() {
    let home = home();
    std::fs::write(home.path().join("state"), "a file where a directory should be").unwrap();
    let (_fake, _contact, mut terminal) = attached(&home, &[]);
    terminal.press("nonsense\r");
    terminal.wait_for_screen(&format!("> nonsense\nUnknown command\n{HELP}> "));
    terminal.press(CTRL_D);
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn a_hostile_value_stays_on_its_line() {
    let home = home();
    let (fake, mut contact, mut terminal) = attached(&home, &[]);
    terminal.press("? k\r");
    contact.answer_next(b"\x1b[2J\x1b[Hgone\r\n> Q\x1b]0;title\x07\x9b2J\x1b[?1049h\x1b[8mhidden");
    terminal.wait_for_screen(&format!(
        "> ? k\n\\x1b[2J\\x1b[Hgone\\r\\n> Q\\x1b]0;title\\x07\\x9b2J\\x1b[?1049h\\x1b[8mhidden {}\n\
         1 answer from 1 servent in TIME\n> ",
        fake.address()
    ));
}

#[test]
fn a_client_told_to_end_gives_the_terminal_back_as_it_was() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
        let home = home();
        let (_fake, _contact, mut terminal) = attached(&home, &[]);
        assert!(!terminal.is_cooked() && terminal.marks_pastes(), "a line is being edited");
        terminal.signal(signal);
        assert_eq!(terminal.exit_code(), code);
        assert!(terminal.is_cooked());
    }
}

#[test]
fn signals_that_were_ignored_at_the_start_stay_ignored() {
    let home = home();
    let before = ["sh", "-c", "trap '' HUP TERM INT; exec \"$@\"", "sh"];
    let (_fake, mut contact, mut terminal) = Terminal::attached(XTERM, home.path(), &before, &[]);
    for signal in [Signal::HUP, Signal::TERM, Signal::INT] {
        terminal.signal(signal);
        terminal.press("? k\r");
        let sequence = contact.request().sequence;
        terminal.signal(signal);
        contact.answer(sequence, b"v");
        contact.finish(sequence, tally(1, 1));
        terminal.wait_for_text("1 answer from 1 servent in TIME\n> ");
        // An empty screen for the next.
        terminal.press("\x0c");
        terminal.wait_for_bare_screen("> ");
    }
    terminal.press(CTRL_D);
    assert_eq!(terminal.exit_code(), 0);
    assert!(terminal.is_cooked());
}

#[test]
fn a_client_told_to_end_tidies_up_after_the_line_editor() {
    let home = home();
    let (_fake, _contact, mut terminal) = attached(&home, &[]);
    terminal.press("? never-as");
    terminal.wait_for_screen("> ? never-as");
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.exit_code(), 143);
    terminal.wait_for_plain_pastes();
    // What the shell shows next begins a line of its own.
    terminal.wait_for_screen("> ? never-as\n");
}

#[test]
fn a_contact_that_is_not_there_is_said_before_any_prompt() {
    let address = nobody();
    let home = home();
    let mut terminal = Terminal::start(home.path(), &[&address.to_string()]);
    terminal.wait_for_screen(&format!("client: no servent at contact {address}: Connection refused (os error 111)\n"));
    assert_eq!(terminal.exit_code(), 3);
}
