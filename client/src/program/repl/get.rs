//! The chapter of commands that fetches contents: who has each, where it goes, how far it is, and what came of it.
//!
//! What is shown, and what a content is called here, is `get`; how it comes is `Download`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IsTerminal, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use common::fetch::{FetchEnd, HolderNews};
use common::text::Escaped;
use servent::patient;

use super::{Next, Repl, say};
use crate::program::get::{
    Destination, GetOptions, Sought, fetched_fields, fetched_line, missing_line, shown, source_lines,
};
use crate::program::hint::not_understood;
use crate::program::live::LiveLine;
use crate::program::members::{CONTENTS, tells_nothing};
use crate::program::outcome::Outcome;
use crate::program::render::Renderer;
use crate::{
    AnswerBody, Ask, Client, ClientError, ContentHash, Download, DownloadEnded, DownloadError, DownloadEvent,
    DownloadOptions, EndReason, Ending, Entry, Event, FileError, FileName, Have, Question, replace_file,
};

/// How often a program is told how far a content is.
const JSON_PROGRESS_PAUSE: Duration = Duration::from_secs(1);

/// What somebody knows of what is to be fetched.
#[derive(Clone, Copy)]
struct SoughtAs<'a> {
    /// How it was asked for.
    called: &'a str,
    /// The name it was found under, where that is known.
    name: Option<&'a FileName>,
}

/// What one servent has of what is sought.
type FoundAt = (SocketAddr, Entry);

/// What all have of it, and how it ended that they were asked.
type WhoHasIt<Ended> = (Vec<FoundAt>, Ended);

impl<Out: Write, Side: Write> Repl<Out, Side> {
    /// Fetches what was found last under these numbers.
    pub(super) fn get_found(&mut self, line: &[u8], words: &[Vec<u8>]) -> anyhow::Result<Next> {
        let found = &self.renderer.found_last;
        let mut names = Vec::new();
        let mut hash_of = |word: &Vec<u8>| {
            let Some(number) = std::str::from_utf8(word).ok().and_then(|text| text.parse::<usize>().ok()) else {
                names.push(None);
                return Ok(word.clone());
            };
            let one = number.checked_sub(1).and_then(|place| found.get(place));
            names.push(one.map(|(name, _)| name.clone()));
            one.map(|(_, hash)| hash.to_string().into_bytes()).ok_or_else(|| match found.len() {
                0 => "nothing was found yet: find looks for files".to_owned(),
                count => format!("nothing has number {number}: {count} were found"),
            })
        };
        // Behind the first option numbers are what that takes.
        let numbers_count = words.iter().take_while(|word| !word.starts_with(b"-")).count();
        let (numbers, options) = words.split_at(numbers_count);
        let words = numbers.iter().map(&mut hash_of).collect::<Result<Vec<_>, _>>().map(|mut words| {
            words.extend_from_slice(options);
            words
        });
        match words.and_then(GetOptions::read) {
            Ok(options) => self.get_named(&options, &names),
            Err(fault) => {
                self.renderer.show_refused(line)?;
                self.complain(&fault);
                Ok(Next::Continue)
            }
        }
    }

    /// Fetches each of what is asked for.
    pub(super) fn get(&mut self, options: &GetOptions) -> anyhow::Result<Next> {
        self.get_named(options, &[])
    }

    /// The same, where a person has seen names of some of them: those are what they are called here.
    fn get_named(&mut self, options: &GetOptions, names: &[Option<FileName>]) -> anyhow::Result<Next> {
        if self.renderer.json && options.output.as_ref().is_some_and(|output| output == "-") {
            self.complain("get: with --json stdout has lines of JSON: -o names a file");
            return Ok(Next::Continue);
        }
        let mut sources = String::new();
        let mut next = Next::Continue;
        for (place, word) in options.wanted.iter().enumerate() {
            let name = names.get(place).and_then(Option::as_ref);
            let sought_as = SoughtAs { called: &shown(Path::new(word)), name };
            next = self.get_one(options, &Sought::of(word), sought_as, &mut sources)?;
            if next != Next::Continue {
                break;
            }
        }
        if let Some(path) = &options.sources
            // What lies beside it under our name for that was left by whoever was killed.
            && let Err(error) = replace_file(path, sources.as_bytes(), |_| true)
        {
            say(format_args!("client: cannot write {}: {error}", shown(path)));
            self.worsen(Outcome::MachineFailed);
        }
        Ok(next)
    }

    fn get_one(
        &mut self,
        options: &GetOptions,
        sought: &Sought,
        sought_as: SoughtAs<'_>,
        sources: &mut String,
    ) -> anyhow::Result<Next> {
        let mut other = match &options.from {
            None => None,
            Some(servent) => match self.connect_beside(servent, CONTENTS)? {
                Ok(other) => Some(other),
                Err(next) => return Ok(next),
            },
        };
        let (found, ending) = match self.seek_content(sought, other.as_mut())? {
            Ok(found) => found,
            Err(next) => return Ok(next),
        };
        let Some((hash, entry)) = self.choose(&found, sought_as.called, options.from.as_deref(), ending.as_ref())?
        else {
            return Ok(Next::Continue);
        };
        let is_own_name = sought_as.name.is_some() || sought.name() == Some(&entry.name);
        if options.replaces && options.output.is_none() && !is_own_name {
            self.complain("get: with -f a hash takes -o FILE: what it is called here would be for others to say");
            return Ok(Next::Continue);
        }
        let name = sought_as.name.unwrap_or(&entry.name);
        let destination = Destination::of(options.output.as_deref(), name);
        // Whoever is named is where it was reached, whatever it goes by.
        let from = other.as_ref().map(Client::contact_address);
        let holders: Vec<(SocketAddr, Have)> = found
            .iter()
            .filter(|(_, entry)| entry.hash == hash)
            .map(|(at, entry)| (from.unwrap_or(*at), entry.have.clone()))
            .collect();
        drop(other);
        let download = DownloadOptions { hash, wait: options.wait, from, silence_max: self.silence_max };
        let ended = match &destination {
            Destination::File(path) => self
                .fetch(hash, &destination, from, |client| client.download(download, path, options.replaces, holders))?,
            Destination::Stdout => {
                self.fetch(hash, &destination, from, |client| client.stream(download, patient::stdout(), holders))?
            }
        };
        let (ended, next) = match ended {
            Ok(ended) => ended,
            Err(next) => return Ok(next),
        };
        if options.wanted.len() > 1 {
            sources.push_str(&format!("# {name} {hash}\n"));
        }
        sources.push_str(&source_lines(&ended.fetch.sources));
        Ok(next)
    }

    /// Asks who has what is sought: first as a hash, where it can be one, and then as a name. What came, and how it ended.
    fn seek_content(
        &mut self,
        sought: &Sought,
        mut other: Option<&mut Client>,
    ) -> anyhow::Result<Result<WhoHasIt<Option<Ending>>, Next>> {
        let mut ending = None;
        let asks = [sought.start().map(Ask::Hashed), sought.name().cloned().map(Ask::Named)];
        for ask in asks.into_iter().flatten() {
            let asked = match &mut other {
                None => self.seek(ask.clone())?,
                Some(other) => self.seek_alone(ask.clone(), other)?,
            };
            let (mut found, ended) = match asked {
                Ok(asked) => asked,
                Err(next) => return Ok(Err(next)),
            };
            ending = Some(ended);
            // Whoever answers something else chooses neither what is fetched nor what it is called here.
            found.retain(|(_, entry)| match &ask {
                Ask::Named(name) => entry.name == *name,
                _ => sought.is_start_of(&entry.hash),
            });
            if !found.is_empty() {
                return Ok(Ok((found, ending)));
            }
        }
        Ok(Ok((Vec::new(), ending)))
    }

    /// Asks everybody within reach.
    fn seek(&mut self, ask: Ask) -> anyhow::Result<Result<WhoHasIt<Ending>, Next>> {
        let question = Question { silence_max: self.silence_max, ..Question::new(ask) };
        let query = match self.begin(|client| client.begin(question))? {
            Ok(query) => query,
            Err(next) => return Ok(Err(next)),
        };
        let mut found = Vec::new();
        loop {
            match self.client.next_event() {
                Ok(Some((of, event))) if of == Some(query) => match event {
                    Event::Answer { from, body: AnswerBody::Entries(answer), .. } => {
                        found.extend(answer.entries.into_iter().map(|entry| (from, entry)));
                    }
                    Event::Finished(ending) => return Ok(self.sought(found, ending)),
                    _ => {}
                },
                Ok(Some((of, event))) => self.tell(of, &event, None)?,
                Ok(None) => return Ok(Err(Next::Continue)),
                Err(ClientError::Interrupted) => {
                    self.take_interrupt();
                    self.client.cancel(query);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Asks one servent, and nobody else.
    fn seek_alone(&mut self, ask: Ask, other: &mut Client) -> anyhow::Result<Result<WhoHasIt<Ending>, Next>> {
        let question = Question { silence_max: self.silence_max, ttl: Some(0), ..Question::new(ask) };
        let query = match other.begin(question) {
            Ok(query) => query,
            Err(error) => {
                self.on_refused(&error);
                return Ok(Err(Next::Continue));
            }
        };
        let mut found = Vec::new();
        loop {
            match other.next_event() {
                Ok(Some((_, Event::Answer { from, body: AnswerBody::Entries(answer), .. }))) => {
                    found.extend(answer.entries.into_iter().map(|entry| (from, entry)));
                }
                Ok(Some((_, Event::Finished(ending)))) => return Ok(self.sought(found, ending)),
                Ok(Some((_, Event::ContactLost { reason }))) => {
                    say(format_args!("client: the servent it is to come from is lost: {reason}"));
                    self.worsen(Outcome::Unreachable);
                    return Ok(Err(Next::Continue));
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(Err(Next::Continue)),
                Err(ClientError::Interrupted) => {
                    self.take_interrupt();
                    other.cancel(query);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn sought(&mut self, found: Vec<FoundAt>, ending: Ending) -> Result<WhoHasIt<Ending>, Next> {
        match ending.reason {
            EndReason::Cancelled => {
                // The terminal has shown ^C and left the cursor behind it.
                self.renderer.show_aside("");
                self.worsen(Outcome::Interrupted);
                Err(Next::Interrupted)
            }
            _ => Ok((found, ending)),
        }
    }

    /// Which content it is, if it is one; with an entry of it, whoever was the first to tell of one.
    fn choose<'a>(
        &mut self,
        found: &'a [FoundAt],
        called: &str,
        from: Option<&str>,
        ending: Option<&Ending>,
    ) -> anyhow::Result<Option<(ContentHash, &'a Entry)>> {
        let mut holders: BTreeMap<ContentHash, BTreeSet<SocketAddr>> = BTreeMap::new();
        for (from, entry) in found {
            holders.entry(entry.hash).or_default().insert(*from);
        }
        // As `find` shows them.
        let mut hashes: Vec<ContentHash> = holders.keys().copied().collect();
        hashes.sort_by_key(|hash| Reverse(holders.get(hash).map(BTreeSet::len)));
        match hashes.as_slice() {
            [hash] => {
                Ok(found.iter().map(|(_, entry)| entry).min_by_key(|entry| &entry.name).map(|entry| (*hash, entry)))
            }
            [] => {
                let is_unasked = ending.is_some_and(|ending| ending.reason == EndReason::NotUnderstood);
                let said = match from {
                    Some(from) if is_unasked => tells_nothing(from, CONTENTS),
                    None if is_unasked => not_understood(&self.place.contact),
                    Some(from) => format!("{from} does not have {called}"),
                    None => format!("nobody within reach has {called}"),
                };
                say(format_args!("client: {said}"));
                // Whoever answered something else has answered.
                self.worsen(Outcome::Unanswered);
                ending.into_iter().for_each(|ending| self.worsen(Outcome::of_query(ending, self.is_lost)));
                Ok(None)
            }
            several => {
                let shown: Vec<String> = several.iter().map(ContentHash::short).collect();
                let is_named = found.iter().all(|(_, entry)| Escaped::new(entry.name.as_bytes()).to_string() == called);
                let verb = if is_named { "are called" } else { "have a hash that begins with" };
                say(format_args!("client: {} contents {verb} {called}: get one of {}", several.len(), shown.join(" ")));
                self.worsen(Outcome::Unanswered);
                Ok(None)
            }
        }
    }

    /// Has a content come, and tells how far it is and what came of it.
    fn fetch(
        &mut self,
        hash: ContentHash,
        destination: &Destination,
        from: Option<SocketAddr>,
        begin: impl for<'a> FnOnce(&'a mut Client) -> Result<Download<'a>, DownloadError>,
    ) -> anyhow::Result<Result<(DownloadEnded, Next), Next>> {
        let Repl { client, renderer, interrupt, .. } = self;
        let followed = match begin(client) {
            Ok(download) => Ok(follow(download, destination, renderer, interrupt)?),
            Err(error) => Err(error),
        };
        let FollowedDownload { ended, contact_lost } = match followed {
            Ok(followed) => followed,
            Err(DownloadError::File(error)) => {
                self.complain_of_file(&error, None);
                return Ok(Err(Next::Continue));
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(reason) = contact_lost {
            self.tell(None, &Event::ContactLost { reason }, None)?;
        }
        let Some(ended) = ended else {
            // The terminal has shown ^C and left the cursor behind it.
            self.renderer.show_aside("");
            let file = destination.shown();
            self.renderer
                .show_aside(format_args!("interrupted; what there is of {file} is kept, the same command goes on"));
            self.worsen(Outcome::Interrupted);
            return Ok(Err(Next::Interrupted));
        };
        self.on_fetched(hash, destination, from, &ended)?;
        let next = if self.is_lost && !self.attaches_again { Next::Lost } else { Next::Continue };
        Ok(Ok((ended, next)))
    }

    fn on_fetched(
        &mut self,
        hash: ContentHash,
        destination: &Destination,
        from: Option<SocketAddr>,
        ended: &DownloadEnded,
    ) -> anyhow::Result<()> {
        if self.renderer.json {
            self.renderer.show_fetched(destination, hash, ended)?;
        }
        match &ended.fetch.end {
            FetchEnd::Done if self.renderer.json => {}
            FetchEnd::Done if *destination == Destination::Stdout => {
                self.renderer.show_aside(fetched_line(destination, hash, ended));
            }
            FetchEnd::Done if self.renderer.columns => {
                self.renderer.show_line(&fetched_line(destination, hash, ended))?;
            }
            FetchEnd::Done => self.renderer.show_line(&fetched_fields(destination, hash, ended))?,
            FetchEnd::Missing => {
                say(format_args!("client: {}", missing_line(ended, from)));
                self.worsen(Outcome::Incomplete);
            }
            FetchEnd::Unwritten(_) if ended.is_unread() => self.worsen(Outcome::OutputClosed),
            FetchEnd::Unwritten(reason) => {
                match &ended.file_error {
                    Some(error) => self.complain_of_file(error, ended.kept_in.as_deref()),
                    None => say(format_args!("client: {reason}")),
                }
                self.worsen(Outcome::MachineFailed);
            }
        }
        Ok(())
    }

    fn complain_of_file(&mut self, error: &FileError, kept_in: Option<&Path>) {
        let hint = match error {
            FileError::Exists(_) => "; -f replaces it, -o names another",
            FileError::InUse(_) => "; -o names another file",
            FileError::Other { .. } | FileError::NothingOfIt(_) | FileError::Untold(_) => {
                "; remove it, or name another file with -o"
            }
            FileError::Directory(_) | FileError::NoName(_) => "; -o names a file",
            _ => "",
        };
        let mut said = format!("{}{hint}", Escaped::new(crate::error::with_causes(error).to_string().as_bytes()));
        if let Some(part) = kept_in {
            said.push_str(&format!("; kept in {}", shown(part)));
            // What is there by now would be there again.
            if !matches!(error, FileError::Exists(_)) {
                said.push_str(", the same command goes on");
            }
        }
        say(format_args!("client: {said}"));
        self.worsen(Outcome::MachineFailed);
    }
}

/// What came of a download that was followed to its end.
struct FollowedDownload {
    /// Nothing where it was interrupted.
    ended: Option<DownloadEnded>,
    /// Why the contact is lost, if it is.
    contact_lost: Option<String>,
}

/// Tells how far a content is, until that is over.
fn follow<Out: Write, Side: Write>(
    mut download: Download<'_>,
    destination: &Destination,
    renderer: &mut Renderer<Out, Side>,
    interrupt: &mut UnixStream,
) -> anyhow::Result<FollowedDownload> {
    let is_live = renderer.side.is_some() && io::stderr().is_terminal();
    let mut line = is_live.then(|| LiveLine::new(&destination.shown()));
    let mut told: Option<Instant> = None;
    let mut contact_lost = None;
    let ended = loop {
        match download.next() {
            Some(Ok(DownloadEvent::Progress(progress))) => {
                if let Some(line) = &mut line {
                    line.show(&progress);
                }
                if renderer.json && told.is_none_or(|told| told.elapsed() >= JSON_PROGRESS_PAUSE) {
                    told = Some(Instant::now());
                    renderer.show_progress(destination, &progress)?;
                }
            }
            Some(Ok(DownloadEvent::Holder { address, news })) => {
                let said = match news {
                    HolderNews::Dropped(why) => format!("{address}: {why}"),
                    HolderNews::Silent => format!("{address} says nothing; another is asked if there is one"),
                    HolderNews::Busy => format!("{address} is busy; it is asked again later"),
                    HolderNews::Taken => continue,
                };
                tell_beside(line.as_mut(), format_args!("client: {said}"));
            }
            Some(Ok(DownloadEvent::KeptIsFalse)) => {
                tell_beside(line.as_mut(), "client: the hashes that were kept are of no use, and are fetched again");
            }
            Some(Ok(DownloadEvent::Trouble(reason))) => tell_beside(line.as_mut(), format_args!("client: {reason}")),
            Some(Ok(DownloadEvent::Client(Event::ContactLost { reason }))) => contact_lost = Some(reason),
            Some(Ok(DownloadEvent::Client(_) | DownloadEvent::Proved(_))) => {}
            Some(Ok(DownloadEvent::Ended(ended))) => break Some(ended),
            Some(Err(ClientError::Interrupted)) => {
                // It is for this download.
                while interrupt.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
                break None;
            }
            Some(Err(error)) => return Err(error.into()),
            None => break None,
        }
    };
    Ok(FollowedDownload { ended, contact_lost })
}

/// Says something to a person who looks at a line that changes.
fn tell_beside(line: Option<&mut LiveLine>, text: impl std::fmt::Display) {
    match line {
        Some(line) => line.suspend(|| say(text)),
        None => say(text),
    }
}
