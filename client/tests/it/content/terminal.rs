//! Contents at a terminal: rows with numbers, a line that changes, and Ctrl-C.
use super::find::{Films, films};
use super::*;

/// A client at its first prompt, in a directory where it writes what it fetches.
fn attached_to(contact: &str, home: &TempDir) -> Terminal {
    let mut terminal = Terminal::start(home.path(), &[contact]);
    terminal.wait_for_greeting(contact);
    terminal
}

#[test]
fn what_is_found_has_numbers_and_is_fetched_by_them() {
    let Films { servents, common, other } = films();
    let (home, contact) = (here(), servents[0].name());
    let mut terminal = attached_to(&contact, &home);
    terminal.press("find farol\r");
    let mut screen = format!(
        "> find farol\n\
         1  farol.mp4   {}  {}  2 holders  the Lighthouse of Barra at dusk\n\
         2  farol.mp4  {}  {}  1 holder   (same name, other content)\n\
         2 contents from 3 servents in TIME\n> ",
        grouped(common.len()),
        short(&common),
        grouped(other.len()),
        short(&other)
    );
    terminal.wait_for_screen(&screen);
    terminal.press("get farol.mp4\r");
    let both = format!("{} {}", short(&common), short(&other));
    screen += &format!("get farol.mp4\nclient: 2 contents are called farol.mp4: get one of {both}\n> ");
    terminal.wait_for_screen(&screen);
    terminal.press(":get 2 -o barra.mp4\r");
    // How fast it was is chance.
    let begin = format!(
        "> :get 2 -o barra.mp4\nbarra.mp4  {} bytes  {}…  verified  in TIME, ",
        grouped(other.len()),
        short(&other)
    );
    terminal.wait_for_text(&begin);
    let from = format!("/s  from {}\n> ", servents[2].name());
    terminal.wait_for_text(&from);
    let shown = terminal.contents();
    let (_, line) = shown.split_once(&begin).unwrap();
    assert!(line.ends_with(&from) && line.lines().count() == 2, "the line that changes is gone: {shown}");
    assert!(fs::read(home.path().join("barra.mp4")).unwrap() == other);
    terminal.press(":get 3\r");
    terminal.wait_for_text("> :get 3\nclient: nothing has number 3: 2 were found\n> ");
    terminal.press("Q\r");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn files_are_listed_in_columns_and_what_a_name_has_in_it_moves_nothing() {
    let bytes = content(1_234_567, 1);
    let shared = Shared::start_with(&[(&b"\x1b[2J\t"[..], &b"1"[..]), (b"films/b", &bytes)], "films/b at dusk\n", &[]);
    let (home, contact) = (here(), shared.name());
    let mut terminal = attached_to(&contact, &home);
    terminal.press("ls\r");
    let mut screen = format!(
        "> ls\n              1  {}  \\x1b[2J\\t\n      1,234,567  {}  films/b  at dusk\n2 files of contact {contact}\n> ",
        short(b"1"),
        short(&bytes)
    );
    terminal.wait_for_screen(&screen);
    terminal.press("ls films/b\r");
    let row = format!("      1,234,567  {}  films/b  at dusk\n", short(&bytes));
    screen += &format!("ls films/b\n{row}1 file of contact {contact} named films/b…\n> ");
    terminal.wait_for_screen(&screen);
    terminal.press("ls nothing\r");
    screen += &format!("ls nothing\nno file of contact {contact} begins with nothing\n> ");
    terminal.wait_for_screen(&screen);
    terminal.press("find \\\x1b\r");
    terminal.wait_for_text("> find ");
}

#[test]
fn a_line_tells_how_far_it_is_until_ctrl_c_which_leaves_the_prompt_and_the_part() {
    let bytes = content(10 * BLOCK, 2);
    let holder = Holder::of(b"one", &bytes, Manner::Stops(5));
    let teller = Teller::of(vec![holder.told()]);
    let home = here();
    let mut terminal = attached_to(&teller.name(), &home);
    terminal.press("get one\r");
    terminal.wait_for_text("\none   50 % ▕██████████          ▏ 328 of 655 kB  ");
    terminal.press("\x03");
    terminal.wait_for_text("\ninterrupted; what there is of one is kept, the same command goes on\n> ");
    assert_eq!(good_blocks(&home.path().join("one.part"), &bytes), [0, 1, 2, 3, 9]);
    // At the prompt it is over; whoever says the same goes on.
    let honest = Shared::start(&[("one", &bytes)]);
    terminal.press(format!("get one --from {}\r", honest.name()));
    terminal.wait_for_text(&format!("  from {}  (328 kB were here)\n> ", honest.name()));
    assert!(fs::read(home.path().join("one")).unwrap() == bytes);
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), 0);
}

/// What came before this fetch says nothing of how fast it is, nor of when it will be over.
#[test]
fn of_what_was_here_no_rate_is_told() {
    let bytes = content(10 * BLOCK, 5);
    // That a holder is waited for is on the screen again and again until it is interrupted, however late somebody looks.
    let first = Holder::of(b"one", &bytes, Manner::LacksFirst);
    let teller = Teller::of(vec![first.told()]);
    let home = here();
    let mut terminal = attached_to(&teller.name(), &home);
    terminal.press("get one --wait 3h\r");
    terminal.wait_for_text("\none   90 % ▕██████████████████  ▏ 590 of 655 kB  ");
    terminal.press("\x03");
    terminal.wait_for_text("\ninterrupted; what there is of one is kept, the same command goes on\n> ");
    terminal.press("Q\r");
    assert_eq!(terminal.exit_code(), 0);
    let silent = Holder::of(b"one", &bytes, Manner::Silent);
    let teller = Teller::of(vec![silent.told()]);
    let mut terminal = attached_to(&teller.name(), &home);
    terminal.press("get one --wait 3h\r");
    terminal.wait_for_end("\none   90 % ▕██████████████████  ▏ 590 of 655 kB");
    terminal.press("\x03");
    terminal.wait_for_text("\ninterrupted; what there is of one is kept, the same command goes on\n> ");
    terminal.press("Q\r");
    assert_eq!(terminal.exit_code(), 0);
    // Of all that was here nothing comes.
    fs::write(home.path().join("one.part"), &bytes).unwrap();
    let mut terminal = attached_to(&teller.name(), &home);
    terminal.press("get one\r");
    terminal
        .wait_for_end(&format!("one  655,360 bytes  {}…  verified  in TIME  (655 kB were here)\n> ", short(&bytes)));
}

#[test]
fn while_nobody_gives_anything_the_line_says_so_and_nothing_else_does() {
    let bytes = content(4 * BLOCK, 7);
    let holder = Holder::of(b"one", &bytes, Manner::RefusesLate(2, common::content::transfer::Refusal::Gone));
    let teller = Teller::of(vec![holder.told()]);
    let home = here();
    let mut terminal = attached_to(&teller.name(), &home);
    terminal.press("get one --wait 3h\r");
    let gone =
        format!("> get one --wait 3h\nclient: {}: it does not have it, or not for this client\n", holder.address);
    terminal.wait_for_text(&format!("{gone}one   50 % ▕██████████          ▏ 131 of 262 kB  waits for a holder, "));
    terminal.press("\x03");
    terminal.wait_for_text("\ninterrupted; ");
}

/// A row that has run on into the next would stay when the line changes.
#[test]
fn the_line_is_as_narrow_as_the_terminal() {
    let bytes = content(10 * BLOCK, 6);
    let holder = Holder::of(b"one", &bytes, Manner::LacksFirst);
    let teller = Teller::of(vec![holder.told()]);
    let arguments = [&*teller.name(), "-c", "get one --wait 3h"];
    for (columns, begin) in [(60, "one   90 %  waits for a holder, "), (30, "one   90 %")] {
        let home = here();
        let narrow = format!("stty cols {columns}; exec \"$@\"");
        let before = ["sh", "-c", &narrow, "sh"];
        let mut terminal = Terminal::of_kind(XTERM, home.path(), &before, &arguments);
        terminal.wait_for_row(begin, columns - 1);
        terminal.press("\x03");
        assert_eq!(terminal.exit_code(), 130);
    }
}

#[test]
fn nothing_is_said_to_be_kept_where_nothing_is() {
    let [bytes, other] = [4, 5].map(|seed| content(3 * BLOCK, seed));
    let silent = Holder::of(b"one", &bytes, Manner::Silent);
    let teller = Teller::of(vec![silent.told(), (nobody(), entry(b"two", &other))]);
    // Where the content would be written to the terminal there is no line, so what a line would tell is said in words.
    let unlined = format!("\nclient: nobody gives {} now: ", short(&other));
    for (command, shown) in [("get one", "\none"), ("get two -o -", &unlined)] {
        let home = here();
        let mut terminal = attached_to(&teller.name(), &home);
        terminal.press(format!("{command}\r"));
        terminal.wait_for_text(shown);
        terminal.press("\x03");
        terminal.wait_for_text("\ninterrupted\n> ");
        assert!(!names_in(home.path()).iter().any(|name| name.ends_with(".part")), "{command}");
    }
}

/// What happens meanwhile stands above the line, and is not written into it.
#[test]
fn what_becomes_of_a_holder_is_said_above_the_line() {
    let bytes = content(4 * BLOCK, 3);
    let (liar, slow) =
        (Holder::of(b"one", &bytes, Manner::FalseBlock(1)), Holder::of(b"one", &bytes, Manner::Stops(1)));
    let teller = Teller::of(vec![liar.told(), slow.told()]);
    let home = here();
    let mut terminal = attached_to(&teller.name(), &home);
    terminal.press("get one\r");
    terminal.wait_for_text(&format!("\nclient: {}: it sent a false block 1\none   75 % ▕", liar.address));
    terminal.press("\x03");
    terminal.wait_for_text("\ninterrupted; ");
    // While it is looked for Ctrl-C ends that as well.
    let fake = Fake::listen();
    let mut terminal = Terminal::start(home.path(), &[&*fake.name()]);
    let mut contact = fake.attach();
    terminal.wait_for_greeting(&fake.name());
    terminal.press("get one\r");
    assert_eq!(contact.request().ask.to_string(), "get one");
    terminal.wait_for_text("> get one\n");
    terminal.press("\x03");
    terminal.wait_for_screen("> get one\n> ");
    terminal.press("? k\r");
    contact.deny("? k");
    terminal.wait_for_text("No answer received\n");
}
