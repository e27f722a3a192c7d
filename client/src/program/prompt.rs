//! The lines a person enters at a terminal: edited where the terminal can do that, otherwise as it hands them on.
//!
//! What was entered comes out as bytes. Nothing a person (or what was pasted) enters ends the prompt but the end itself.

use std::env;
use std::error::Error;
use std::fmt;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context;
use common::text::Escaped;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Cmd, ConditionalEventHandler, Config, Editor, Event, EventContext, EventHandler, KeyEvent};
use servent::patient::{self, Patient};
use unicode_width::UnicodeWidthChar;

use crate::program::history::{self, History};
use crate::program::notices::{Notices, is_over};
use crate::program::script::{ScriptLine, read_line};
use crate::program::terminal::{self, Hangup};

const PROMPT: &str = "> ";

/// Terminals, by the name in `TERM`, on which the line editor can move no cursor. It knows them too, but then reads
/// lines that have to be text.
const PLAIN: [&str; 3] = ["dumb", "cons25", "emacs"];

/// What a person did at the prompt.
#[derive(Debug)]
pub(crate) enum Entered {
    /// A line, or several that were pasted.
    Text(Vec<u8>),
    /// What is no text, so that the line editor lost it.
    Garbled,
    /// Ctrl-C: the line is not meant.
    Dropped,
    /// Ctrl-D, or the terminal is gone.
    End,
}

/// Where a person enters lines.
pub(crate) struct Prompt {
    editor: Editor<(), MemHistory>,
    /// What is read where the line editor is of no use.
    lines: BufReader<Keys>,
    is_plain: bool,
    /// The line that was entered was ended by Ctrl-C (or Ctrl-\).
    is_dropped: Arc<AtomicBool>,
    /// Nothing where the line editor cannot show them.
    notices: Option<Notices>,
    history: History,
    hangup: Hangup,
}

impl Prompt {
    /// A prompt that knows the lines of earlier sessions. `interrupt` is readable after a Ctrl-C that the terminal took for
    /// itself, until that is taken note of.
    pub(crate) fn new(interrupt: UnixStream) -> anyhow::Result<Prompt> {
        let kind = env::var_os("TERM");
        let is_plain = kind.is_some_and(|kind| PLAIN.iter().any(|plain| kind.eq_ignore_ascii_case(plain)));
        let is_plain = !terminal::make_own() || is_plain;
        let config = Config::builder().max_history_size(history::LINES_MAX)?.history_ignore_dups(true)?.build();
        let remembered = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, remembered).context("cannot edit lines here")?;
        let is_dropped = Arc::default();
        for key in ['C', '\\'] {
            let drop_line = Box::new(DropLine(Arc::clone(&is_dropped)));
            editor.bind_sequence(KeyEvent::ctrl(key), EventHandler::Conditional(drop_line));
        }
        let (history, lines) = History::open();
        for line in lines {
            editor.add_history_entry(line).context("cannot keep the history")?;
        }
        let hangup = terminal::restore_on_signals(is_plain)?;
        let printer = if is_plain { None } else { editor.create_external_printer().ok() };
        let notices = printer.and_then(|printer| Notices::through(printer).ok());
        let lines = BufReader::new(Keys { terminal: patient::stdin(), interrupt });
        Ok(Prompt { editor, lines, is_plain, is_dropped, notices, history, hangup })
    }

    /// Waits for what is entered next. If the contact goes away meanwhile, says so at once; true if it did.
    pub(crate) fn read(&mut self, contact: Option<BorrowedFd<'_>>, notice: &str) -> anyhow::Result<(Entered, bool)> {
        let read = if self.is_plain { self.read_plain(contact, notice) } else { self.edit(contact, notice) };
        match read {
            Ok((Entered::End, is_gone)) => {
                self.hangup.end_if_told();
                Ok((Entered::End, is_gone))
            }
            Err(error) if is_terminal_gone(&error) => {
                self.hangup.end_if_told();
                Ok((Entered::End, false))
            }
            read => read,
        }
    }

    fn read_plain(&mut self, contact: Option<BorrowedFd<'_>>, notice: &str) -> anyhow::Result<(Entered, bool)> {
        patient::stdout().write_all(PROMPT.as_bytes())?;
        let keys = self.lines.get_ref();
        let until = [rustix::stdio::stdin(), keys.interrupt.as_fd()];
        let is_gone = contact.is_some_and(|contact| self.lines.buffer().is_empty() && is_over(contact, &until));
        if is_gone {
            patient::stdout().write_all(format!("\n{notice}\n{PROMPT}").as_bytes())?;
        }
        let entered = match read_line(&mut self.lines) {
            Ok(Some(ScriptLine::Whole(mut line))) => {
                line.pop_if(|end| *end == b'\n');
                Entered::Text(line)
            }
            // No terminal hands on a line of so many bytes.
            Ok(Some(ScriptLine::TooLong)) => Entered::Dropped,
            Ok(None) => Entered::End,
            Err(error) if matches!(error.get_ref(), Some(cause) if cause.is::<LineDropped>()) => {
                // The terminal has shown ^C and left the cursor behind it.
                patient::stdout().write_all(b"\n")?;
                Entered::Dropped
            }
            Err(error) => return Err(error).context("cannot read the terminal"),
        };
        Ok((entered, is_gone))
    }

    fn edit(&mut self, contact: Option<BorrowedFd<'_>>, notice: &str) -> anyhow::Result<(Entered, bool)> {
        let (stop, stopped) = UnixStream::pair().context("cannot watch the contact")?;
        let (editor, notices) = (&mut self.editor, &self.notices);
        let (read, is_gone) = thread::scope(|scope| {
            let watch = contact.zip(notices.as_ref()).and_then(|(contact, notices)| {
                let watch = move || {
                    let is_gone = is_over(contact, &[stopped.as_fd()]);
                    if is_gone {
                        notices.say(notice);
                    }
                    is_gone
                };
                thread::Builder::new().name("contact".to_owned()).spawn_scoped(scope, watch).ok()
            });
            let read = editor.readline(PROMPT);
            drop(stop);
            (read, watch.is_some_and(|watch| watch.join().unwrap_or(false)))
        });
        let entered = match read {
            Ok(_) if self.is_dropped.swap(false, Ordering::SeqCst) => Entered::Dropped,
            Ok(text) => Entered::Text(text.into_bytes()),
            Err(ReadlineError::Interrupted) => Entered::Dropped,
            Err(ReadlineError::Eof) => Entered::End,
            Err(ReadlineError::Io(error)) if error.kind() == ErrorKind::InvalidData => Entered::Garbled,
            Err(error) => return Err(error).context("cannot read the terminal"),
        };
        Ok((entered, is_gone))
    }

    /// Takes what was entered off the screen again, where it is of several lines: each is to be shown where it is run, as
    /// if it had been typed there. Not where nobody can tell how much of the screen it takes, or there is not enough.
    pub(crate) fn take_back(&mut self, text: &str) -> io::Result<()> {
        let Some((columns, rows)) = self.editor.dimensions() else { return Ok(()) };
        if let Some(taken) = rows_taken(text, columns.into()).filter(|taken| *taken < rows.into()) {
            patient::stdout().write_all(format!("\x1b[{taken}A\r\x1b[J").as_bytes())?;
        }
        Ok(())
    }

    /// Shows a line as if it had been typed.
    pub(crate) fn show(&self, line: &[u8]) -> io::Result<()> {
        patient::stdout().write_all(format!("{PROMPT}{}\n", Escaped::new(line)).as_bytes())
    }

    /// Remembers a line, here and for later sessions, unless it is the same as the last.
    pub(crate) fn remember(&mut self, line: &[u8]) -> anyhow::Result<()> {
        let is_new = match str::from_utf8(line) {
            Ok(line) => self.editor.add_history_entry(line).context("cannot keep the history")?,
            // The line editor could not show it.
            Err(_) => false,
        };
        if is_new {
            self.history.remember(line);
        }
        Ok(())
    }
}

/// What is typed at a plain terminal, which edits the line itself and hands it on whole.
struct Keys {
    terminal: Patient,
    interrupt: UnixStream,
}

impl Read for Keys {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut ends =
            [rustix::stdio::stdin(), self.interrupt.as_fd()].map(|end| PollFd::from_borrowed_fd(end, PollFlags::IN));
        while let Err(error) = poll(&mut ends, None) {
            if error != Errno::INTR {
                return Err(error.into());
            }
        }
        if ends[1].revents().is_empty() { self.terminal.read(buffer) } else { Err(io::Error::other(LineDropped)) }
    }
}

/// Ctrl-C at a plain terminal, which has thrown away what it had of the line.
#[derive(Debug)]
struct LineDropped;

impl fmt::Display for LineDropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the line is dropped")
    }
}

impl Error for LineDropped {}

/// Whether a terminal that failed is no longer there, or no longer ours.
fn is_terminal_gone(error: &anyhow::Error) -> bool {
    let gone = Errno::IO.raw_os_error();
    error.chain().any(|cause| match cause.downcast_ref::<ReadlineError>() {
        Some(ReadlineError::Io(error)) => error.raw_os_error() == Some(gone),
        Some(ReadlineError::Errno(error)) => *error as i32 == gone,
        _ => cause.downcast_ref::<io::Error>().is_some_and(|error| error.raw_os_error() == Some(gone)),
    })
}

/// What Ctrl-C does to a line. The line editor calls it an error, and forgets with one what it has read beyond the key:
/// so the line is ended like any other, and known to be dropped.
struct DropLine(Arc<AtomicBool>);

impl ConditionalEventHandler for DropLine {
    fn handle(&self, _: &Event, _: u16, _: bool, _: &EventContext<'_>) -> Option<Cmd> {
        self.0.store(true, Ordering::SeqCst);
        Some(Cmd::AcceptLine)
    }
}

/// How many rows the line editor filled with the prompt and a text, in as many columns.
fn rows_taken(text: &str, columns: usize) -> Option<usize> {
    let mut rows = 1;
    let mut column = PROMPT.len();
    for character in text.chars() {
        if character == '\n' {
            (rows, column) = (rows + 1, 0);
            continue;
        }
        // How wide the others are depends on the terminal.
        let width = character.width().filter(|width| (1..=2).contains(width))?;
        column += width;
        if column > columns {
            (rows, column) = (rows + 1, width);
        }
    }
    // The cursor does not stay behind the last column.
    Some(rows + usize::from(column == columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_as_the_line_editor_fills_them() {
        for (text, columns, rows) in [
            ("", 10, Some(1)),
            ("? tea", 10, Some(1)),
            ("? tea\n? tea", 10, Some(2)),
            ("1234567", 10, Some(1)),
            ("12345678", 10, Some(2)),
            ("123456789", 10, Some(2)),
            ("12345678\n1234567890\n1", 10, Some(3)),
            ("\n1234567890123\n", 10, Some(4)),
            ("caf\u{e9}6789", 10, Some(2)),
            ("1234567\u{8336}", 10, Some(2)),
            ("tab\t", 10, None),
            ("\x1b[A", 10, None),
            ("e\u{301}", 10, None),
        ] {
            assert_eq!(rows_taken(text, columns), rows, "{text:?}");
        }
    }
}
