//! What a person sees at a terminal.

use super::*;

/// A client at a terminal, whose contact a test plays.
fn keeping_at_a_terminal(home: &TempDir) -> (Fake, Peer, Terminal) {
    let fake = Fake::listen();
    let name = fake.name();
    let mut terminal = Terminal::of_kind(XTERM, home.path(), &[], &[&name]);
    let contact = attach_keeping(&fake);
    terminal.wait_for_greeting(&name);
    (fake, contact, terminal)
}

#[test]
fn a_watch_stands_at_the_terminal_until_ctrl_c_and_then_there_is_a_prompt() {
    let home = TempDir::new().unwrap();
    let (fake, mut contact, mut terminal) = keeping_at_a_terminal(&home);
    let name = fake.name();
    terminal.press("watch kernel\r");
    let watch = contact.watch_of("kernel");
    contact.tell_changed(watch, Some(b"6.1.0\x1b[2J"));
    contact.tell_changed(watch, None);
    let shown = format!("> watch kernel\nkernel 6.1.0\\x1b[2J {name}\nkernel (no such key) {name}\n");
    terminal.wait_for_screen(&shown);
    terminal.press("\x03");
    assert_eq!(contact.receive(), Some(Message::Unwatch(Unwatch { sequence: watch })));
    terminal.wait_for_screen(&format!("{shown}^C\n> "));
    // What was on its way is no surprise, and the contact is what it was.
    contact.tell_changed(watch, Some(b"6.2.0"));
    terminal.press("del kernel\r");
    contact.write_as_asked(WriteOutcome::Absent);
    terminal.wait_for_screen(&format!("{shown}^C\n> del kernel\nno such key: kernel at {name}\n> "));
}

#[test]
fn whoever_interrupts_a_put_is_told_that_nobody_knows_and_has_a_prompt() {
    let home = TempDir::new().unwrap();
    let (fake, mut contact, mut terminal) = keeping_at_a_terminal(&home);
    terminal.press("put tea green\r");
    let write = contact.write();
    terminal.wait_for_screen("> put tea green\n");
    terminal.press("\x03");
    let unknown = format!("client: put tea at {}: unknown: it may be stored", fake.name());
    terminal.wait_for_screen(&format!("> put tea green\n^C\n{unknown}\n> "));
    contact.tell_outcome(write.sequence, WriteOutcome::Stored);
    terminal.press("? tea\r");
    contact.answer_next(b"green");
    terminal.wait_for_text("green ");
}
