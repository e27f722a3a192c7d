//! The chapter of commands that change what the contact holds, or follow how it changes.
//!
//! How that is shown is `writes` beside it; who may write, and when something counts as kept, is decided by the contact.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use common::limits::VALUE_BYTES_MAX;
use common::text::Escaped;

use super::{Next, Repl, say};
use crate::program::hint::not_understood;
use crate::program::outcome::Outcome;
use crate::program::writes::{WrittenShown, about, complaint, line};
use crate::{AskError, Change, ClientError, Event, Key, QueryNumber, WatchEnd, WriteEnd, WriteOutcome};

impl<Out: Write, Side: Write> Repl<Out, Side> {
    /// Has the contact keep a change, and shows what came of that.
    pub(super) fn write(&mut self, change: &Change) -> anyhow::Result<Next> {
        let silence_max = self.silence_max;
        let mut is_too_long = false;
        let about = about(change.command(), change.subject(), None);
        let begun = self.begin_about(&about, |client| {
            let begun = client.begin_write(change.clone(), silence_max);
            is_too_long = matches!(begun, Err(AskError::ValueTooLong(_) | AskError::DescriptionTooLong(_)));
            begun
        })?;
        let write = match begun {
            Ok(write) => write,
            Err(next) => {
                if is_too_long {
                    self.show_not_written(change.command(), change.subject(), "too_long")?;
                }
                return Ok(next);
            }
        };
        let end_of = |event| if let Event::Written(written) = event { Some(written) } else { None };
        let Some(written) = self.tell_until(write, end_of)? else { return Ok(Next::Continue) };
        let (end, own_ip, from) = (written.end, self.client.own_ip(), self.place.contact_goes_by);
        if end == WriteEnd::Cancelled {
            // The terminal has shown ^C and left the cursor behind it.
            self.renderer.show_aside("");
        }
        let told = if let WriteEnd::Told(outcome) = end { Some(outcome) } else { None };
        let shown = WrittenShown {
            command: change.command(),
            subject: change.subject(),
            outcome: end.word(),
            from,
            elapsed: written.elapsed,
        };
        let line = told.and_then(|outcome| line(change, outcome, self.renderer.called(from), written.elapsed));
        self.renderer.show_written(&shown, line.as_deref())?;
        if end == WriteEnd::NotUnderstood {
            say(format_args!("client: {}", not_understood(&self.place.contact)));
        }
        if matches!((told, change), (Some(WriteOutcome::Absent), Change::Publish { .. }))
            && !self.is_quiet
            && !self.renderer.json
        {
            say("client: a file that is new is there once it was hashed: try again then");
        }
        complaint(change, end, own_ip, self.place.contact_address, from)
            .into_iter()
            .for_each(|complaint| say(format_args!("client: {complaint}")));
        self.worsen(Outcome::of_write(end));
        Ok(match end {
            _ if self.is_lost && !self.attaches_again => Next::Lost,
            WriteEnd::Cancelled => Next::Interrupted,
            _ => Next::Continue,
        })
    }

    /// Has the contact keep what is in a file.
    pub(super) fn put_file(&mut self, key: &Key, file: &[u8]) -> anyhow::Result<Next> {
        let about = about("put", key.as_bytes(), None);
        match read_value(Path::new(OsStr::from_bytes(file))) {
            Ok(Ok(value)) => self.write(&Change::Put { key: key.clone(), value: value.into() }),
            Ok(Err(too_long)) => {
                self.show_not_written("put", key.as_bytes(), "too_long")?;
                self.on_refused_about(&about, &too_long);
                Ok(Next::Continue)
            }
            Err(error) => {
                self.show_not_written("put", key.as_bytes(), "unreadable")?;
                say(format_args!("client: {about}cannot read {}: {error}", Escaped::new(file)));
                self.worsen(Outcome::MachineFailed);
                Ok(Next::Continue)
            }
        }
    }

    /// Tells a program why something was not even said to the contact. Whoever reads lines is told on stderr.
    fn show_not_written(&mut self, command: &'static str, subject: &[u8], outcome: &'static str) -> io::Result<()> {
        let (from, elapsed) = (self.place.contact_goes_by, Duration::ZERO);
        self.renderer.show_written(&WrittenShown { command, subject, outcome, from, elapsed }, None)
    }

    /// Shows what the contact has for some keys, now and whenever that changes, until nobody wants to see it.
    pub(super) fn watch(&mut self, keys: &[Key]) -> anyhow::Result<Next> {
        let mut watched: Vec<(QueryNumber, &Key)> = Vec::new();
        for (place, key) in keys.iter().enumerate() {
            // Whoever names a key twice is shown it once.
            if keys.iter().take(place).any(|before| before == key) {
                continue;
            }
            // What came before the first is told before it. What the contact says of the first ones while the others are asked
            // for is told in its turn: nobody would know yet what it is about.
            let begun = if watched.is_empty() {
                self.begin(|client| client.begin_watch(key.as_bytes()))?
            } else {
                match self.client.begin_watch(key.as_bytes()) {
                    Ok(watch) => Ok(watch),
                    // What came of those before it is shown, and that it is lost.
                    Err(AskError::ContactLost) => break,
                    Err(error) => {
                        self.on_refused(&error);
                        Err(Next::Continue)
                    }
                }
            };
            match begun {
                Ok(watch) => watched.push((watch, key)),
                Err(next) => {
                    self.end_watches(&watched)?;
                    return Ok(next);
                }
            }
        }
        let end = self.show_changes(&watched)?;
        if end == WatchEnd::NotUnderstood {
            say(format_args!("client: {}", not_understood(&self.place.contact)));
        }
        self.worsen(Outcome::of_watch(end));
        Ok(match end {
            _ if self.is_lost && !self.attaches_again => Next::Lost,
            WatchEnd::Cancelled => Next::Interrupted,
            WatchEnd::ContactLost | WatchEnd::NotUnderstood => Next::Continue,
        })
    }

    /// Shows changes until the first of the watches is over, and ends the others.
    fn show_changes(&mut self, watched: &[(QueryNumber, &Key)]) -> anyhow::Result<WatchEnd> {
        let from = self.place.contact_goes_by;
        loop {
            match self.client.next_event() {
                Ok(Some((Some(of), event @ (Event::Changed { .. } | Event::WatchEnded(_))))) => {
                    let Some((_, key)) = watched.iter().find(|(watch, _)| *watch == of) else { continue };
                    match event {
                        Event::Changed { value } => {
                            self.renderer.show_changed(key.as_bytes(), value.as_deref(), from)?;
                        }
                        Event::WatchEnded(end) => {
                            self.end_watches(watched)?;
                            return Ok(end);
                        }
                        _ => {}
                    }
                }
                Ok(Some((of, event))) => self.tell(of, &event, None)?,
                // Nothing is watched any more.
                Ok(None) => return Ok(WatchEnd::ContactLost),
                Err(ClientError::Interrupted) => {
                    self.take_interrupt();
                    // The terminal has shown ^C and left the cursor behind it.
                    self.renderer.show_aside("");
                    self.end_watches(watched)?;
                    return Ok(WatchEnd::Cancelled);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Ends watches, and tells what came of anything else meanwhile.
    fn end_watches(&mut self, watched: &[(QueryNumber, &Key)]) -> anyhow::Result<()> {
        watched.iter().for_each(|(watch, _)| self.client.cancel(*watch));
        while let Some((of, event)) = self.client.take_event() {
            if !watched.iter().any(|(watch, _)| Some(*watch) == of) {
                self.tell(of, &event, None)?;
            }
        }
        Ok(())
    }
}

/// What is in a file, of which no more is read than a value can have, and one byte that shows that there is more.
fn read_value(path: &Path) -> io::Result<Result<Vec<u8>, AskError>> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    let mut value = Vec::new();
    file.take(VALUE_BYTES_MAX as u64 + 1).read_to_end(&mut value)?;
    if value.len() <= VALUE_BYTES_MAX {
        return Ok(Ok(value));
    }
    let length = if about.is_file() { usize::try_from(about.len()).unwrap_or(usize::MAX) } else { 0 };
    Ok(Err(AskError::ValueTooLong(length.max(value.len()))))
}
