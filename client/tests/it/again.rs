//! A contact that goes away while a person is at the terminal: said when it goes, and attached to again by the next line.
use super::*;

const CTRL_D: &str = "\x04";
const NONE: &str = "No answer received\nthe one servent within reach does not have it\n";

/// A client at its first prompt, and the contact it is attached to.
fn attached(kind: &str, home: &TempDir, options: &[&str]) -> (Fake, Peer, Terminal) {
    Terminal::attached(kind, home.path(), &[], options)
}

fn is_lost(fake: &Fake) -> String {
    format!("client: contact {} is lost; the next line attaches again\n", fake.name())
}

#[test]
fn it_is_said_above_the_line_and_the_line_is_asked_all_the_same() {
    let home = TempDir::new().unwrap();
    let (fake, mut contact, mut terminal) = attached(XTERM, &home, &[]);
    terminal.press("? one\r");
    let first = contact.deny("? one");
    let mut screen = format!("> ? one\n{NONE}");
    terminal.wait_for_screen(&format!("{screen}> "));
    terminal.press("? tw");
    terminal.wait_for_screen(&format!("{screen}> ? tw"));
    let own = contact.answer_address;
    drop(contact);
    screen += &is_lost(&fake);
    terminal.wait_for_screen(&format!("{screen}> ? tw"));
    terminal.press("o\r");
    let mut contact = fake.attach();
    assert_eq!(contact.answer_address, own, "it hears answers where it did");
    let second = contact.deny("? two");
    assert_ne!(second, first, "no id is used twice");
    screen += &format!("> ? two\nattached to {} again\n{NONE}", fake.name());
    terminal.wait_for_screen(&format!("{screen}> "));
    // And once more, with no line begun.
    drop(contact);
    screen += &is_lost(&fake);
    terminal.wait_for_screen(&format!("{screen}> "));
    terminal.press("? three\r");
    let mut contact = fake.attach();
    assert_ne!(contact.deny("? three"), first);
    screen += &format!("> ? three\nattached to {} again\n{NONE}", fake.name());
    terminal.wait_for_screen(&format!("{screen}> "));
    terminal.press(CTRL_D);
    assert_eq!(terminal.exit_code(), 0);
    assert!(terminal.is_cooked());
}

#[test]
fn a_plain_terminal_says_it_too() {
    let home = TempDir::new().unwrap();
    let (fake, contact, mut terminal) = attached("dumb", &home, &[]);
    drop(contact);
    let mut screen = format!("> \n{}> ", is_lost(&fake));
    terminal.wait_for_screen(&screen);
    terminal.press("? one\r");
    let mut contact = fake.attach();
    contact.deny("? one");
    screen += &format!("? one\nattached to {} again\n{NONE}> ", fake.name());
    terminal.wait_for_text(&screen);
}

#[test]
fn one_that_goes_as_soon_as_it_has_reported_is_lost_in_the_same_words() {
    for kind in [XTERM, "dumb"] {
        let home = TempDir::new().unwrap();
        let (fake, mut contact, mut terminal) = attached(kind, &home, &[]);
        terminal.press("? one\r");
        contact.deny("? one");
        // Seen before the next prompt or at it.
        drop(contact);
        terminal.wait_for_text(&format!("{}> ", is_lost(&fake)));
    }
}

#[test]
fn what_was_pending_is_incomplete_and_not_asked_again() {
    let home = TempDir::new().unwrap();
    let (fake, mut contact, mut terminal) = attached(XTERM, &home, &["--timeout", "300ms"]);
    terminal.press("\x1b[200~? one\r? two\x1b[201~\r");
    let first = contact.request().sequence;
    contact.answer(first, b"v");
    drop(contact);
    let mut contact = fake.attach();
    assert_ne!(contact.deny("? two"), first);
    let name = fake.name();
    terminal.wait_for_screen(&format!(
        "> ? one\nv {name}\nclient: contact {name} is lost: it closed the connection\n\
         1 answer in TIME; the contact did not report: incomplete, there may be more\n\
         > ? two\nattached to {name} again\n{NONE}> "
    ));
}

#[test]
fn a_contact_that_stays_away_is_tried_with_every_line() {
    let mut chain = Chain::start(["tea green\n"]);
    let contact = chain.contact();
    let home = TempDir::new().unwrap();
    let mut terminal = Terminal::start(home.path(), &[&contact]);
    terminal.wait_for_greeting(&contact);
    chain.servents[0].kill().unwrap();
    let mut screen = format!("client: contact {contact} is lost; the next line attaches again\n> ");
    terminal.wait_for_screen(&screen);
    let refused = format!("client: no servent at contact {contact}: Connection refused (os error 111)");
    terminal.press("? tea\r");
    screen += &format!("? tea\n{refused}; the line was not asked\n> ");
    terminal.wait_for_screen(&screen);
    // Nobody has to wait for it.
    terminal.press("? coffee\r");
    terminal.wait_for_screen(&format!("{screen}? coffee\n"));
    terminal.press("\x03");
    screen += &format!("? coffee\n^C\n{refused}; the line was not asked\n> ");
    terminal.wait_for_screen(&screen);
    // Of a paste one line is tried.
    terminal.press("\x1b[200~? tea\r? tea\x1b[201~\r");
    screen += &format!("? tea\n{refused}; the line was not asked\n> ");
    terminal.wait_for_screen(&screen);
    drop(chain);
    let _chain = Chain::start_on(&contact, ["tea black\n"]);
    terminal.press("? tea\r");
    screen += &format!("? tea\nattached to {contact} again\nblack {contact}\n1 answer from 1 servent in TIME\n> ");
    terminal.wait_for_screen(&screen);
    terminal.press("Q\r");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn a_contact_that_is_just_being_started_again_is_waited_for() {
    let home = TempDir::new().unwrap();
    let (fake, contact, mut terminal) = attached(XTERM, &home, &[]);
    drop(contact);
    terminal.wait_for_screen(&format!("{}> ", is_lost(&fake)));
    terminal.press("? one\r");
    for _ in 0..2 {
        // Not yet.
        drop(fake.accept());
    }
    let mut contact = fake.attach();
    contact.deny("? one");
    terminal.wait_for_text(&format!("> ? one\nattached to {} again\n{NONE}> ", fake.name()));
}

#[test]
fn ctrl_c_ends_the_wait_for_a_contact_that_says_nothing() {
    let home = TempDir::new().unwrap();
    let (fake, contact, mut terminal) = attached(XTERM, &home, &[]);
    drop(contact);
    let mut screen = is_lost(&fake);
    terminal.wait_for_screen(&format!("{screen}> "));
    terminal.press("? one\r");
    let mut silent = fake.accept();
    terminal.wait_for_screen(&format!("{screen}> ? one\n"));
    terminal.press("\x03");
    let name = fake.name();
    screen += &format!(
        "> ? one\n^C\nclient: no servent at contact {name}: it did not say hello before Ctrl-C; the line was not asked\n> "
    );
    terminal.wait_for_screen(&screen);
    while silent.receive().is_some() {}
    terminal.press("? two\r");
    let mut contact = fake.attach();
    contact.deny("? two");
    terminal.wait_for_screen(&format!("{screen}? two\nattached to {name} again\n{NONE}> "));
}

#[test]
fn a_contact_that_comes_back_without_a_word_is_not_waited_for_long() {
    let home = TempDir::new().unwrap();
    let (fake, contact, mut terminal) = attached(XTERM, &home, &[]);
    drop(contact);
    terminal.wait_for_screen(&format!("{}> ", is_lost(&fake)));
    terminal.press("? one\r");
    let silent = fake.accept();
    terminal.wait_for_text("it did not say hello within 5 s; the line was not asked\n> ");
    drop(silent);
    terminal.press("? two\r");
    let mut contact = fake.attach();
    contact.deny("? two");
    terminal.wait_for_text(&format!("> ? two\nattached to {} again\n{NONE}> ", fake.name()));
}
