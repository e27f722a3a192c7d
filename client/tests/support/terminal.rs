//! A client at a terminal, and the screen a person would see.
//!
//! Whole screens are compared, because what a person sees is a screen and not a stream: an escape sequence that slips
//! through shows as a screen that is not the expected one.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use peers::PATIENCE;
use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::LocalModes;
use topologies::fleet;
use vt100::Parser;

use super::fake::{Fake, Peer};

/// The kind that most terminals are of.
pub(crate) const XTERM: &str = "xterm-256color";
const ROWS: u16 = 60;
const COLUMNS: u16 = 100;

/// What a person is reminded of.
pub(crate) const HELP: &str = "\
? KEY asks every servent within reach, T shows the topology,
find WORDS finds files, ls lists them, get fetches one,
M shows members, hello greets one, put and del change a key,
watch follows keys, publish and unpublish are for files,
help tells all, Q leaves
";

/// A client at a terminal. Killed when dropped.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    screen: Arc<(Mutex<Parser>, Condvar)>,
    /// All that was ever written, also what has been cleared since.
    written: Arc<Mutex<Vec<u8>>>,
    pid: Pid,
    ended: Receiver<u32>,
    code: Option<u32>,
    /// What is at the top of the screen whatever happens.
    greeting: String,
}

impl Terminal {
    /// Starts a client that keeps its history below `home`.
    pub(crate) fn start(home: &Path, arguments: &[&str]) -> Terminal {
        Terminal::of_kind(XTERM, home, &[], arguments)
    }

    /// The same at a terminal that says it has so many columns, whose screen nobody looks at.
    pub(crate) fn of_width(columns: u16, home: &Path, arguments: &[&str]) -> Terminal {
        Terminal::of_kind_and_width(XTERM, columns, home, &[], arguments)
    }

    /// Starts a client behind a program that changes something and then becomes the client, at a terminal of this kind.
    pub(crate) fn of_kind(kind: &str, home: &Path, before: &[&str], arguments: &[&str]) -> Terminal {
        Terminal::of_kind_and_width(kind, COLUMNS, home, before, arguments)
    }

    fn of_kind_and_width(kind: &str, columns: u16, home: &Path, before: &[&str], arguments: &[&str]) -> Terminal {
        let size = PtySize { rows: ROWS, cols: columns, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let client = fleet::program("client").unwrap();
        let words = before.iter().map(OsStr::new).chain([client.as_os_str()]).chain(arguments.iter().map(OsStr::new));
        let mut command = CommandBuilder::from_argv(words.map(OsStr::to_owned).collect());
        command.cwd(home);
        command.env("TERM", kind);
        command.env("HOME", home);
        command.env("XDG_STATE_HOME", home.join("state"));
        command.env_remove("RUST_LOG");
        let mut child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let pid = Pid::from_raw(child.process_id().unwrap().try_into().unwrap()).unwrap();
        let (sender, ended) = channel();
        thread::spawn(move || sender.send(child.wait().unwrap().exit_code()));

        let parser = Parser::new(NonZeroU16::new(ROWS).unwrap(), NonZeroU16::new(COLUMNS).unwrap(), 0);
        let screen = Arc::new((Mutex::new(parser), Condvar::new()));
        let mut output = pair.master.try_clone_reader().unwrap();
        let drawn = Arc::clone(&screen);
        let written = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&written);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..count]);
                drawn.0.lock().unwrap().process(&buffer[..count]);
                drawn.1.notify_all();
            }
        });
        let keyboard = pair.master.take_writer().unwrap();
        Terminal { master: pair.master, keyboard, screen, written, pid, ended, code: None, greeting: String::new() }
    }

    /// A client at its first prompt, at a terminal of this kind and with these options. Its contact is kept, because without
    /// one it would leave.
    pub(crate) fn attached(kind: &str, home: &Path, before: &[&str], options: &[&str]) -> (Fake, Peer, Terminal) {
        let fake = Fake::listen();
        let name = fake.name();
        let mut terminal = Terminal::of_kind(kind, home, before, &[&[&*name], options].concat());
        let contact = fake.attach();
        terminal.wait_for_greeting(&name);
        (fake, contact, terminal)
    }

    /// Waits until the client greets a person who is attached to this contact, and shows its first prompt.
    pub(crate) fn wait_for_greeting(&mut self, contact: &str) {
        self.greeting = format!("attached to {contact}\n{HELP}");
        self.wait_for_screen("> ");
    }

    /// Has the terminal another size from now on. What is on the screen is gone.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        let mut screen = self.screen.0.lock().unwrap();
        *screen = Parser::new(NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap(), 0);
        self.master.resize(PtySize { rows, cols: columns, ..PtySize::default() }).unwrap();
    }

    /// Presses keys; Enter is `\r`. With Ctrl-C the system throws away what was said and has yet to be shown, unless a
    /// line is being edited: whoever expects it on the screen waits for it before.
    pub(crate) fn press(&mut self, keys: impl AsRef<[u8]>) {
        self.keyboard.write_all(keys.as_ref()).unwrap();
        self.keyboard.flush().unwrap();
    }

    /// Waits until the screen shows these lines after the greeting and nothing else, with the cursor at the end; `> `
    /// there is a prompt. Durations are shown as TIME.
    pub(crate) fn wait_for_screen(&self, expected: &str) {
        let expected = format!("{}{expected}", self.greeting);
        self.wait_for(&expected, |shown, wanted| shown == wanted);
    }

    /// The same where what was at the top has been cleared away.
    pub(crate) fn wait_for_bare_screen(&self, expected: &str) {
        self.wait_for(expected, |shown, wanted| shown == wanted);
    }

    /// Waits until the screen shows one row and nothing else, which begins like this and is no wider than so.
    pub(crate) fn wait_for_row(&self, begin: &str, columns: usize) {
        let is_it = |shown: &str| {
            let is_narrow = shown.chars().count() <= columns && !shown.contains('\n');
            is_narrow && shown.starts_with(begin)
        };
        let expected = format!("one row of {columns} columns at most that begins with {begin}");
        self.wait_until(&expected, |parser| is_it(&shown(parser)));
    }

    /// Waits until the screen contains a text.
    pub(crate) fn wait_for_text(&self, expected: &str) {
        self.wait_for(expected, |shown, wanted| shown.contains(wanted));
    }

    /// Waits until a text was written, be it on the screen still or not. That lines are cleared to their ends counts nowhere.
    pub(crate) fn wait_for_written(&self, expected: &str) {
        let expected = expected.replace('\n', "\r\n");
        let written =
            || String::from_utf8_lossy(&self.written.lock().unwrap()).replace("\x1b[K", "").contains(&expected);
        self.wait_until(&format!("to have been written:\n{expected}"), |_| written());
    }

    /// Waits until a text is the last on the screen.
    pub(crate) fn wait_for_end(&self, expected: &str) {
        self.wait_for(expected, |shown, wanted| shown.ends_with(wanted));
    }

    /// What the screen shows.
    pub(crate) fn contents(&self) -> String {
        shown(&self.screen.0.lock().unwrap())
    }

    /// A terminal that edits lines itself sends the signal of Ctrl-C first and shows `^C` then: where it comes to stand
    /// beside what the client prints is chance, so it counts nowhere.
    fn wait_for(&self, expected: &str, is_shown: impl Fn(&str, &str) -> bool) {
        // It may have a line to itself or not.
        let counts = |text: &str| text.replace("^C\n", "").replace("^C", "");
        let wanted = counts(expected);
        self.wait_until(&format!("on the screen:\n{expected}"), |parser| is_shown(&counts(&shown(parser)), &wanted));
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&Parser) -> bool) {
        let (parser, changed) = &*self.screen;
        let is_missing = |parser: &mut Parser| !is_so(parser);
        let (parser, waited) = changed.wait_timeout_while(parser.lock().unwrap(), PATIENCE, is_missing).unwrap();
        assert!(!waited.timed_out(), "expected {what}\n-- shown:\n{}\n--", shown(&parser));
    }

    /// Whether the terminal marks what is pasted, as a line editor asks of it.
    pub(crate) fn marks_pastes(&self) -> bool {
        self.screen.0.lock().unwrap().screen().bracketed_paste()
    }

    /// Waits until the terminal has been told to leave what is pasted as it is.
    pub(crate) fn wait_for_plain_pastes(&self) {
        self.wait_until("what is pasted to be left as it is", |parser| !parser.screen().bracketed_paste());
    }

    /// Whether lines are edited by the terminal itself, and what is typed is shown by it: how a shell wants it back.
    pub(crate) fn is_cooked(&self) -> bool {
        let modes = self.master.get_termios().unwrap().local_flags.bits();
        let cooked = (LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG).bits();
        modes & cooked == cooked
    }

    /// Sends the client a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        // The thread that waits for the client has not said that it ended.
        kill_process(self.pid, signal).unwrap();
    }

    /// Waits until the client has left, and gives its exit code.
    pub(crate) fn exit_code(&mut self) -> u32 {
        let code = self.ended.recv_timeout(PATIENCE);
        let code = code.unwrap_or_else(|_| panic!("the client stays:\n{}\n--", shown(&self.screen.0.lock().unwrap())));
        self.code = Some(code);
        code
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.code.is_none() && self.ended.try_recv().is_err() {
            // Closing the terminal would end it as well; this does not depend on how it takes that.
            let _ = kill_process(self.pid, Signal::KILL);
        }
    }
}

/// The screen up to the cursor, line by line, without the blanks after each but for those before the cursor. Rows that
/// run on into the next are one line.
fn shown(parser: &Parser) -> String {
    let screen = parser.screen();
    let (cursor_row, cursor_column) = screen.cursor_position();
    let mut lines = vec![String::new()];
    let mut lines_count = 0;
    for (row, text) in (0..).zip(screen.rows(0, screen.size().1.into())) {
        let line = lines.last_mut().unwrap();
        line.push_str(&text);
        if row == cursor_row {
            let missing = usize::from(cursor_column).saturating_sub(text.chars().count());
            line.push_str(&" ".repeat(missing));
        }
        if row <= cursor_row || !text.is_empty() {
            lines_count = lines.len();
        }
        if !screen.row_wrapped(row) {
            lines.push(String::new());
        }
    }
    lines.truncate(lines_count);
    lines.iter().map(|line| without_time(line)).collect::<Vec<_>>().join("\n")
}

/// `2 answers in 3 ms; more` as `2 answers in TIME; more`.
fn without_time(row: &str) -> String {
    for unit in [" ms", " s"] {
        if let Some((before, after)) = row.split_once(unit)
            && let Some((text, duration)) = before.rsplit_once(" in ")
            && duration.trim_start_matches("less than ").parse::<f64>().is_ok()
        {
            return format!("{text} in TIME{after}");
        }
    }
    row.to_owned()
}
