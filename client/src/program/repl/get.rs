//! The chapter of commands that fetches contents: who has each, where it goes, how far it is, and what came of it.
//!
//! What is shown, and what a content is called here, is `get`; how it comes is `Download`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::fetch::{FetchEnd, HolderNews};
use common::text::Escaped;
use servent::patient;

use super::{Next, Repl, say};
use crate::program::get::{
    Destination, GetOptions, Sought, fetched_fields, fetched_line, file_name, known_sources, missing_line, shown,
    source_lines, waiting_line,
};
use crate::program::hint::not_understood;
use crate::program::live::LiveLine;
use crate::program::members::{CONTENTS, tells_nothing};
use crate::program::outcome::Outcome;
use crate::program::render::Renderer;
use crate::{
    AnswerBody, Ask, Client, ClientError, ContentHash, Download, DownloadEnded, DownloadError, DownloadEvent,
    DownloadLeft, DownloadOptions, EndReason, Ending, Entry, Event, FileError, FileName, Have, Question, SourceRun,
    is_download_begun, replace_file,
};

/// How often a program is told how far a content is.
const JSON_PROGRESS_PAUSE: Duration = Duration::from_secs(1);

/// What somebody knows of what is to be fetched.
#[derive(Clone, Copy)]
struct SoughtAs<'a> {
    /// How it was asked for.
    called: &'a str,
    /// What that can be.
    sought: &'a Sought,
    /// The name it was found under, where that is known.
    name: Option<&'a FileName>,
}

/// A content to fetch.
struct FoundOne {
    hash: ContentHash,
    name: FileName,
    holders: Vec<(SocketAddr, Have)>,
    /// Whom alone it is to come from.
    from: Option<SocketAddr>,
}

/// What is to be written down of where blocks are from.
#[derive(Default)]
struct SourcesSoFar {
    lines: String,
    /// Whether one of the contents is called what the file is: neither may be written.
    is_in_the_way: bool,
}

/// Why something is not fetched, which was said, and what is next.
struct NotFetched {
    next: Next,
    reason: String,
}

/// What one servent has of what is sought.
type FoundAt = (SocketAddr, Entry);

/// What all have of it, and how it ended that they were asked.
type WhoHasIt<Ended> = (Vec<FoundAt>, Ended);

impl<Out: Write, Side: Write> Repl<Out, Side> {
    /// Fetches what was found last under these numbers.
    pub(super) fn get_found(&mut self, line: &[u8], words: &[Vec<u8>]) -> anyhow::Result<Next> {
        let read = GetOptions::read(words.to_vec()).and_then(|mut options| {
            let names = self.named_by_numbers(&mut options.wanted)?;
            Ok((options, names))
        });
        match read {
            Ok((options, names)) => self.get_named(&options, &names),
            Err(fault) => {
                self.renderer.show_refused(line)?;
                self.complain(&fault);
                Ok(Next::Continue)
            }
        }
    }

    /// Puts the hash of what was found in the place of each number, and gives the name it was found under.
    fn named_by_numbers(&self, wanted: &mut [OsString]) -> Result<Vec<Option<FileName>>, String> {
        let found = &self.renderer.found_last;
        let mut names = Vec::new();
        for word in wanted {
            let Some(number) = word.to_str().and_then(|text| text.parse::<usize>().ok()) else {
                names.push(None);
                continue;
            };
            let (name, hash) =
                number.checked_sub(1).and_then(|place| found.get(place)).ok_or_else(|| match found.len() {
                    0 => "nothing was found yet: find looks for files".to_owned(),
                    1 => format!("nothing has number {number}: 1 was found"),
                    count => format!("nothing has number {number}: {count} were found"),
                })?;
            names.push(Some(name.clone()));
            *word = hash.to_string().into();
        }
        Ok(names)
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
        let name_of = |place: usize| names.get(place).and_then(Option::as_ref);
        if let Some(path) = &options.sources
            && files_known(options, name_of).any(|file| is_beside(path, &file))
        {
            self.complain(&sources_in_the_way(path));
            return Ok(Next::Continue);
        }
        let mut sources = SourcesSoFar::default();
        let mut next = Next::Continue;
        for (place, word) in options.wanted.iter().enumerate() {
            let (called, sought) = (&*shown(Path::new(word)), &Sought::of(word));
            let sought_as = SoughtAs { called, sought, name: name_of(place) };
            next = self.get_one(options, sought_as, &mut sources)?;
            if next != Next::Continue {
                break;
            }
        }
        // Where there is nothing to say what was written down before stays.
        if let Some(path) = &options.sources
            && !sources.is_in_the_way
            && !sources.lines.is_empty()
            && let Err(error) = replace_file(path, sources.lines.as_bytes())
        {
            say(format_args!("client: cannot write {}: {error}", shown(path)));
            self.worsen(Outcome::MachineFailed);
        }
        Ok(next)
    }

    fn get_one(
        &mut self,
        options: &GetOptions,
        sought_as: SoughtAs<'_>,
        sources: &mut SourcesSoFar,
    ) -> anyhow::Result<Next> {
        let FoundOne { hash, name, holders, from } = match self.find_one(options, sought_as)? {
            Ok(found) => found,
            Err(NotFetched { next, reason }) => {
                let called = || sought_as.name.map_or(sought_as.called.to_owned(), |name| shown(&file_name(name)));
                let file = options.output.as_ref().map(|output| shown(Path::new(output)));
                self.renderer.show_not_fetched(file.unwrap_or_else(called), None, reason)?;
                return Ok(next);
            }
        };
        let destination = Destination::of(options.output.as_deref(), &name);
        let is_own_name =
            options.output.is_some() || sought_as.name.is_some() || sought_as.sought.name() == Some(&name);
        let fault = match (&destination, &options.sources) {
            // What a hash is called was not known before.
            (Destination::File(file), Some(path)) if is_beside(path, file) => {
                sources.is_in_the_way = true;
                Some(sources_in_the_way(path))
            }
            _ if options.replaces && !is_own_name => {
                Some("get: with -f a hash takes -o FILE: what it is called here would be for others to say".to_owned())
            }
            _ => None,
        };
        if let Some(fault) = fault {
            self.complain(&fault);
            self.renderer.show_not_fetched(destination.shown(), Some(hash), fault)?;
            return Ok(Next::Continue);
        }
        let download = DownloadOptions { hash, wait: options.wait, from, silence_max: self.silence_max };
        let (runs, next) = match &destination {
            Destination::File(path) => self.fetch(&download, &destination, |client| {
                client.download(download.clone(), path, options.replaces, holders)
            })?,
            Destination::Stdout => self.fetch(&download, &destination, |client| {
                client.stream(download.clone(), patient::stdout(), Path::new("stdout"), holders)
            })?,
        };
        if let Some(runs) = runs {
            if options.wanted.len() > 1 {
                sources.lines.push_str(&format!("# {name} {hash}\n"));
            }
            sources.lines.push_str(&source_lines(&runs));
        }
        Ok(next)
    }

    /// Finds out what is to be fetched, and who has it.
    fn find_one(
        &mut self,
        options: &GetOptions,
        sought_as: SoughtAs<'_>,
    ) -> anyhow::Result<Result<FoundOne, NotFetched>> {
        let unasked = |next| {
            let reason = if next == Next::Interrupted { "interrupted" } else { "nobody could be asked who has it" };
            NotFetched { next, reason: reason.to_owned() }
        };
        let mut other = match &options.from {
            None => None,
            Some(servent) => match self.connect_beside(servent, CONTENTS)? {
                Ok(other) => Some(other),
                Err(next) => return Ok(Err(unasked(next))),
            },
        };
        let (found, ending) = match self.seek_content(sought_as.sought, other.as_mut())? {
            Ok(found) => found,
            Err(next) => return Ok(Err(unasked(next))),
        };
        let (hash, entry) = match self.choose(&found, sought_as, options.from.as_deref(), ending.as_ref()) {
            Ok(chosen) => chosen,
            Err(reason) => return Ok(Err(NotFetched { next: Next::Continue, reason })),
        };
        let name = sought_as.name.unwrap_or(&entry.name).clone();
        // Whoever is named is where it was reached, whatever it goes by.
        let from = other.as_ref().map(Client::contact_address);
        let holders = found.iter().filter(|(_, entry)| entry.hash == hash);
        let holders = holders.map(|(at, entry)| (from.unwrap_or(*at), entry.have.clone())).collect();
        Ok(Ok(FoundOne { hash, name, holders, from }))
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

    /// Which content it is, if it is one, or what was said of it; with an entry of it. Where a fetch was begun under one of its
    /// names that is the one to go on with, whoever came since then with another.
    fn choose<'a>(
        &mut self,
        found: &'a [FoundAt],
        sought_as: SoughtAs<'_>,
        from: Option<&str>,
        ending: Option<&Ending>,
    ) -> Result<(ContentHash, &'a Entry), String> {
        let SoughtAs { called, sought, .. } = sought_as;
        let mut holders: BTreeMap<ContentHash, BTreeSet<SocketAddr>> = BTreeMap::new();
        for (from, entry) in found {
            holders.entry(entry.hash).or_default().insert(*from);
        }
        // As `find` shows them.
        let mut hashes: Vec<ContentHash> = holders.keys().copied().collect();
        hashes.sort_by_key(|hash| Reverse(holders.get(hash).map(BTreeSet::len)));
        let mut entries: Vec<&Entry> = found.iter().map(|(_, entry)| entry).collect();
        let said = match hashes.as_slice() {
            &[hash] => {
                entries.sort_by_key(|entry| &entry.name);
                entries.dedup_by_key(|entry| &entry.name);
                let is_begun = |entry: &&Entry| is_download_begun(&file_name(&entry.name), hash);
                match entries.iter().copied().find(is_begun).or(entries.first().copied()) {
                    Some(entry) => return Ok((hash, entry)),
                    None => format!("nobody within reach has {called}"),
                }
            }
            [] => {
                let is_unasked = ending.is_some_and(|ending| ending.reason == EndReason::NotUnderstood);
                let said = match from {
                    Some(from) if is_unasked => tells_nothing(from, CONTENTS),
                    None if is_unasked => not_understood(&self.place.contact),
                    Some(from) => format!("{from} does not have {called}{}", sought.hint()),
                    None => format!("nobody within reach has {called}{}", sought.hint()),
                };
                ending.into_iter().for_each(|ending| self.worsen(Outcome::of_query(ending, self.is_lost)));
                said
            }
            several => {
                let shown: Vec<String> = several.iter().map(ContentHash::short).collect();
                let is_named = entries.iter().all(|entry| Escaped::new(entry.name.as_bytes()).to_string() == called);
                let verb = if is_named { "are called" } else { "have a hash that begins with" };
                format!("{} contents {verb} {called}: get one of {}", several.len(), shown.join(" "))
            }
        };
        say(format_args!("client: {said}"));
        // Whoever answered something else has answered.
        self.worsen(Outcome::Unanswered);
        Err(said)
    }

    /// Has a content come, and tells how far it is and what came of it. Where its blocks are from, if any was to come.
    fn fetch(
        &mut self,
        options: &DownloadOptions,
        destination: &Destination,
        begin: impl for<'a> FnOnce(&'a mut Client) -> Result<Download<'a>, DownloadError>,
    ) -> anyhow::Result<(Option<Vec<SourceRun>>, Next)> {
        let DownloadOptions { hash, from, .. } = *options;
        let followed = match begin(&mut self.client) {
            Ok(download) => {
                let Repl { renderer, interrupt, is_quiet, .. } = self;
                Ok(follow(download, options, destination, *is_quiet, renderer, interrupt)?)
            }
            Err(error) => Err(error),
        };
        let FollowedDownload { end, contact_lost } = match followed {
            Ok(followed) => followed,
            Err(DownloadError::File(error)) => {
                let said = self.complain_of_file(&error, None);
                self.renderer.show_not_fetched(destination.shown(), Some(hash), said)?;
                return Ok((None, Next::Continue));
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(reason) = contact_lost {
            self.tell(None, &Event::ContactLost { reason }, None)?;
        }
        match end {
            Ok(ended) => {
                self.on_fetched(hash, destination, from, &ended)?;
                let next = if self.is_lost && !self.attaches_again { Next::Lost } else { Next::Continue };
                Ok((Some(known_sources(&ended).to_vec()), next))
            }
            Err(left) => {
                let said = match &left.kept_in {
                    Some(_) => {
                        let file = destination.shown();
                        format!("interrupted; what there is of {file} is kept, the same command goes on")
                    }
                    None => "interrupted".to_owned(),
                };
                if self.renderer.side.is_some() {
                    // The terminal has shown ^C and left the cursor behind it.
                    self.renderer.show_aside("");
                    self.renderer.show_aside(said);
                } else if !self.is_quiet {
                    say(format_args!("client: {said}"));
                }
                self.renderer.show_left(destination, hash, &left)?;
                self.worsen(Outcome::Interrupted);
                let sources = left.sources;
                Ok((Some(sources).filter(|sources| !sources.is_empty()), Next::Interrupted))
            }
        }
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
                    Some(error) => drop(self.complain_of_file(error, ended.kept_in.as_deref())),
                    None => say(format_args!("client: {reason}")),
                }
                self.worsen(Outcome::MachineFailed);
            }
        }
        Ok(())
    }

    fn complain_of_file(&mut self, error: &FileError, kept_in: Option<&Path>) -> String {
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
        said
    }
}

/// The files that contents are written to, as far as that is known before anybody was asked.
fn files_known<'a>(
    options: &'a GetOptions,
    name_of: impl Fn(usize) -> Option<&'a FileName>,
) -> impl Iterator<Item = PathBuf> {
    options.wanted.iter().enumerate().filter_map(move |(place, word)| match &options.output {
        Some(output) => Some(PathBuf::from(output)),
        None => name_of(place).or(Sought::of(word).name()).map(file_name),
    })
}

/// Whether this is a file, or is one of those that are written beside it: whichever came last would replace the other.
fn is_beside(path: &Path, file: &Path) -> bool {
    let place = |path: &Path| {
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        let name = path.file_name().map(OsString::from).unwrap_or_default();
        (directory.canonicalize().unwrap_or_else(|_| directory.to_owned()), name)
    };
    let (here, (directory, name)) = (place(path), place(file));
    ["", ".part", ".hashes", ".hashes.new"].iter().any(|end| {
        let mut name = name.clone();
        name.push(end);
        here == (directory.clone(), name)
    })
}

fn sources_in_the_way(path: &Path) -> String {
    format!("get: --sources {} would replace what is fetched, or what is kept of it", shown(path))
}

/// What came of a download that was followed to its end.
struct FollowedDownload {
    /// What came of it, or what there is where it was interrupted.
    end: Result<DownloadEnded, DownloadLeft>,
    /// Why the contact is lost, if it is.
    contact_lost: Option<String>,
}

/// Tells how far a content is, until that is over.
fn follow<Out: Write, Side: Write>(
    mut download: Download<'_>,
    options: &DownloadOptions,
    destination: &Destination,
    is_quiet: bool,
    renderer: &mut Renderer<Out, Side>,
    interrupt: &mut UnixStream,
) -> anyhow::Result<FollowedDownload> {
    // What is written to a terminal would be written over the line.
    let is_in_the_way = *destination == Destination::Stdout && io::stdout().is_terminal();
    let is_live = renderer.side.is_some() && io::stderr().is_terminal() && !is_in_the_way;
    let mut line = is_live.then(|| LiveLine::new(&destination.shown(), options.wait));
    let mut told: Option<Instant> = None;
    let mut contact_lost = None;
    let end = loop {
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
            // Where there is a line it says so.
            Some(Ok(DownloadEvent::Waiting)) if line.is_none() && !is_quiet => {
                let said = waiting_line(destination, options.hash, options.from, options.wait);
                say(format_args!("client: {said}"));
            }
            Some(Ok(DownloadEvent::KeptIsFalse)) => {
                tell_beside(line.as_mut(), "client: the hashes that were kept are of no use, and are fetched again");
            }
            Some(Ok(DownloadEvent::Trouble(reason))) => tell_beside(line.as_mut(), format_args!("client: {reason}")),
            Some(Ok(DownloadEvent::Client(Event::ContactLost { reason }))) => contact_lost = Some(reason),
            Some(Ok(DownloadEvent::Client(_) | DownloadEvent::Proved(_) | DownloadEvent::Waiting)) => {}
            Some(Ok(DownloadEvent::Ended(ended))) => break Ok(ended),
            Some(Err(ClientError::Interrupted)) => {
                // It is for this download.
                while interrupt.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
                break Err(download.leave());
            }
            Some(Err(error)) => return Err(error.into()),
            None => break Err(download.leave()),
        }
    };
    Ok(FollowedDownload { end, contact_lost })
}

/// Says something to a person who looks at a line that changes.
fn tell_beside(line: Option<&mut LiveLine>, text: impl std::fmt::Display) {
    match line {
        Some(line) => line.suspend(|| say(text)),
        None => say(text),
    }
}
