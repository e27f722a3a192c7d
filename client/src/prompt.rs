//! The lines a person enters at a terminal: edited where the terminal can do that, otherwise as it hands them on.
//!
//! What was entered comes out as bytes. Nothing a person (or what was pasted) enters ends the prompt but the end itself.

use std::env;
use std::io::{self, ErrorKind, Write};

use anyhow::Context;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor};

use crate::history::{self, History};
use crate::script::{Line, read_line};
use crate::terminal;

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
    is_plain: bool,
    history: History,
}

impl Prompt {
    /// A prompt that knows the lines of earlier sessions.
    pub(crate) fn new() -> anyhow::Result<Prompt> {
        let kind = env::var_os("TERM");
        let is_plain = kind.is_some_and(|kind| PLAIN.iter().any(|plain| kind.eq_ignore_ascii_case(plain)));
        let config = Config::builder().max_history_size(history::LINES_MAX)?.history_ignore_dups(true)?.build();
        let remembered = MemHistory::with_config(&config);
        let mut editor = Editor::with_history(config, remembered).context("cannot edit lines here")?;
        let (history, lines) = History::open();
        for line in lines {
            editor.add_history_entry(line).context("cannot keep the history")?;
        }
        terminal::restore_on_signals(is_plain)?;
        Ok(Prompt { editor, is_plain, history })
    }

    /// Waits for what is entered next.
    pub(crate) fn read(&mut self) -> anyhow::Result<Entered> {
        if self.is_plain {
            let mut out = io::stdout();
            out.write_all(PROMPT.as_bytes())?;
            out.flush()?;
            let line = read_line(&mut io::stdin().lock()).context("cannot read the terminal")?;
            return Ok(match line {
                Some(Line::Whole(line)) => Entered::Text(line),
                // No terminal hands on a line of so many bytes.
                Some(Line::TooLong) => Entered::Dropped,
                None => Entered::End,
            });
        }
        match self.editor.readline(PROMPT) {
            Ok(text) => Ok(Entered::Text(text.into_bytes())),
            Err(ReadlineError::Interrupted) => Ok(Entered::Dropped),
            Err(ReadlineError::Eof) => Ok(Entered::End),
            Err(ReadlineError::Io(error)) if error.kind() == ErrorKind::InvalidData => Ok(Entered::Garbled),
            Err(error) => Err(error).context("cannot read the terminal"),
        }
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
