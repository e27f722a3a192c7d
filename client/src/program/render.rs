//! The form in which reports are shown: lines for people, JSON for programs, a summary on the side.
//!
//! Everything that comes from strangers passes through `Escaped` (or JSON's own escapes) on its way out. What is told,
//! and when, is decided by the session.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use common::counted::counted;
use common::fetch::FetchProgress;
use common::query::{AnswerBody, Ask, Path, Via};
use common::servent_name::ServentName;
use common::session::{EndReason, Ending};
use common::text::{Escaped, misleads};
use drawing::{Discovery, DrawnOverlay};
use serde::Serialize;

use crate::program::command::REMINDER;
use crate::program::contents::{
    Found, JsonContent, JsonFilesListed, file_line, file_row, json_file, json_files_listed,
};
use crate::program::get::{
    Destination, JsonFetched, JsonProgress, json_fetched, json_left, json_not_fetched, json_progress,
};
use crate::program::hello::{self, JsonGreeted, json_greeted};
use crate::program::members::{self, JsonListed, JsonMember, ListingSoFar, json_listed, json_member};
use crate::program::names::NamesHeard;
use crate::program::terminal;
use crate::program::topology::{self, JsonTopology, json_topology, words};
use crate::program::writes::{self, JsonChanged, JsonWritten, WrittenShown, json_changed, json_written};
use crate::{
    ContentHash, DownloadEnded, DownloadLeft, Entries, Entry, Event, FileName, FilesListed, GreetEnd, GreetingEnded,
    ListingEnd, Member, MembersListed,
};

/// Writes events to stdout and, on a terminal, summaries to stderr.
pub(crate) struct Renderer<Out: Write, Side: Write> {
    pub(crate) out: Out,
    /// Where summaries go, if anywhere.
    pub(crate) side: Option<Side>,
    pub(crate) json: bool,
    /// Whether members are shown in columns, for a person.
    pub(crate) columns: bool,
    /// What the pending query waits for after the last answer, for the summary.
    pub(crate) silence_max: Duration,
    /// The listing of members that goes on, if one does.
    pub(crate) listing: ListingSoFar,
    /// What the query that goes on has found, if it looks for contents.
    pub(crate) found: Found,
    /// The contents that were found last, in the order in which they were shown.
    pub(crate) found_last: Vec<(FileName, ContentHash)>,
    /// What there was beyond those, in words, until somebody has said it.
    pub(crate) beyond_last: Option<String>,
    /// Whose files are listed.
    pub(crate) files_from: Option<SocketAddr>,
    /// What servents are called.
    pub(crate) names: NamesHeard,
    /// What the query that goes on has found, if it is for the topology, and that is to be drawn.
    pub(crate) discovery: Discovery,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum JsonLine<'a> {
    Answer(JsonAnswer<'a>),
    Late(JsonAnswer<'a>),
    Unfetched(JsonUnfetched<'a>),
    Finished(JsonFinished),
    Member(JsonMember),
    Listed(JsonListed),
    Greeted(JsonGreeted),
    Content(JsonContent<'a>),
    Progress(JsonProgress),
    Fetched(JsonFetched),
    Written(JsonWritten<'a>),
    Changed(JsonChanged<'a>),
    Topology(JsonTopology<'a>),
    Gone(JsonGone<'a>),
    #[serde(rename = "files_listed")]
    FilesListed(JsonFilesListed),
    Unexpected {
        message: &'a str,
        from: SocketAddr,
    },
    #[serde(rename = "unexpected_more")]
    MoreUnexpected {
        count: u64,
    },
    Unknown {
        command: String,
    },
}

/// A key and its value, each as text or as what a program makes bytes of; what does not apply is left out.
#[derive(Default, Serialize)]
pub(crate) struct JsonKeyAndValue<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<String>,
}

impl<'a> JsonKeyAndValue<'a> {
    pub(crate) fn of(key: Option<&'a [u8]>, value: Option<&'a [u8]>) -> JsonKeyAndValue<'a> {
        let (key, key_base64) = key.map_or((None, None), text_or_base64);
        let (value, value_base64) = value.map_or((None, None), text_or_base64);
        JsonKeyAndValue { key, key_base64, value, value_base64 }
    }
}

#[derive(Default, Serialize)]
pub(crate) struct JsonAnswer<'a> {
    command: &'static str,
    #[serde(flatten)]
    pair: JsonKeyAndValue<'a>,
    from: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    neighbors: Option<&'a [SocketAddr]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hops: Option<u8>,
    via: &'static str,
    ms: f64,
}

/// An answer that is not given any more, where a key is asked for again and again.
#[derive(Serialize)]
pub(crate) struct JsonGone<'a> {
    command: &'static str,
    #[serde(flatten)]
    pair: JsonKeyAndValue<'a>,
    from: SocketAddr,
}

#[derive(Serialize)]
pub(crate) struct JsonUnfetched<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    from: SocketAddr,
    bytes: u64,
    reason: &'a str,
}

#[derive(Serialize)]
pub(crate) struct JsonFinished {
    answers: u64,
    missing: u64,
    reached: u64,
    copies: u64,
    duplicates: u64,
    stopped: i64,
    lost: u64,
    silent: u64,
    spoilt: u64,
    doubtful: bool,
    /// Contents that were found and are not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<u64>,
    ms: f64,
    reason: &'static str,
}

impl<Out: Write, Side: Write> Renderer<Out, Side> {
    /// Shows what came of `ask`.
    pub(crate) fn show(&mut self, ask: Option<&Ask>, event: &Event) -> io::Result<()> {
        if let Event::Answer { from, name, .. } | Event::Late { from, name, .. } = event {
            self.names.note(*from, name.as_ref());
        }
        match event {
            // Who has the same is known once all have answered.
            Event::Answer { from, body: AnswerBody::Entries(answer), .. } => self.found.add(*from, answer),
            Event::Late { from, body: AnswerBody::Entries(answer), .. } => self.show_found_late(ask, *from, answer)?,
            Event::Answer { from, name, hops, via, body, elapsed } if self.json => {
                let line = json_answer(ask, (*from, name.as_ref()), *hops, *via, body, *elapsed);
                self.json_line(&JsonLine::Answer(line))?;
            }
            Event::Answer { from, name, body, .. } => {
                if let (AnswerBody::Place { path, neighbors }, true) = (body, self.columns) {
                    topology::add(&mut self.discovery, *from, name.as_ref(), path, neighbors);
                }
                self.answer_line(*from, body)?;
            }
            Event::Late { from, name, hops, body, elapsed } if self.json => {
                let line = json_answer(ask, (*from, name.as_ref()), Some(*hops), Via::Back, body, *elapsed);
                self.json_line(&JsonLine::Late(line))?;
            }
            Event::Late { from, body, .. } => {
                // One that nobody remembers the question to is an answer to some question all the same.
                let ask = ask.map_or_else(|| "an earlier question".to_owned(), Ask::to_string);
                write!(self.out, "Late answer to {ask}: ")?;
                self.answer_line(*from, body)?;
            }
            Event::Unfetched { from, bytes_count, reason } if self.json => {
                let (key, key_base64) = ask.and_then(asked_for).map_or((None, None), text_or_base64);
                let (from, bytes) = (*from, *bytes_count);
                self.json_line(&JsonLine::Unfetched(JsonUnfetched { key, key_base64, from, bytes, reason }))?;
            }
            Event::Unexpected { from, message } if self.json => {
                self.json_line(&JsonLine::Unexpected { message, from: *from })?;
            }
            Event::Unexpected { from, .. } => {
                let from = self.called(*from);
                writeln!(self.out, "Unexpected message from {from}")?;
            }
            Event::MoreUnexpected { count } if self.json => {
                self.json_line(&JsonLine::MoreUnexpected { count: *count })?;
            }
            Event::Finished(ending) => self.show_ending(ask, ending)?,
            Event::Members(members) => self.show_members(members)?,
            Event::Files(entries) => self.show_files(entries)?,
            // The program knows who was asked; and says the others itself, on stderr.
            Event::Listed(_)
            | Event::FilesListed(_)
            | Event::Greeted(_)
            | Event::Written(_)
            | Event::Changed { .. }
            | Event::WatchEnded(_)
            | Event::ContactLost { .. }
            | Event::MoreUnexpected { .. }
            | Event::NotListening { .. }
            | Event::Unfetched { .. } => {}
        }
        self.out.flush()
    }

    /// Says that a line is no command.
    pub(crate) fn show_unknown(&mut self, line: &[u8]) -> io::Result<()> {
        if self.json {
            let command = String::from_utf8_lossy(line.trim_ascii()).into_owned();
            self.json_line(&JsonLine::Unknown { command })?;
        } else {
            writeln!(self.out, "Unknown command")?;
        }
        self.out.flush()
    }

    /// Says, to a program, that a line is a command and not carried out: a person reads why.
    pub(crate) fn show_refused(&mut self, line: &[u8]) -> io::Result<()> {
        if self.json { self.show_unknown(line) } else { Ok(()) }
    }

    /// Reminds a person of the commands there are.
    pub(crate) fn show_help(&mut self) {
        self.show_aside(REMINDER);
    }

    fn show_members(&mut self, members: &[Member]) -> io::Result<()> {
        for member in members {
            self.listing.online += u64::from(member.word.is_online());
            if self.json {
                let name = self.names.of(member.address).cloned();
                self.json_line(&JsonLine::Member(json_member(member, name.as_ref())))?;
            } else if self.columns {
                self.listing.waiting.push(*member);
            } else {
                writeln!(self.out, "{}", members::line(member))?;
            }
        }
        Ok(())
    }

    /// Shows what has not been shown of a listing that is over, and how it ended. The contact is shown as it was named.
    pub(crate) fn show_listed(&mut self, contact: &str, from: SocketAddr, listed: &MembersListed) -> io::Result<()> {
        let ListingSoFar { online, waiting } = std::mem::take(&mut self.listing);
        if listed.reason == ListingEnd::Cancelled {
            // The terminal has shown ^C and left the cursor behind it.
            self.show_aside("");
        }
        if self.json {
            self.json_line(&JsonLine::Listed(json_listed(from, online, listed)))?;
        }
        self.out.write_all(members::columns(&waiting, &self.names).as_bytes())?;
        self.out.flush()?;
        self.show_aside(members::summary(contact, online, listed, self.silence_max));
        Ok(())
    }

    /// Shows one line of what came of something.
    pub(crate) fn show_line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")?;
        self.out.flush()
    }

    /// Tells a program how far a content is.
    pub(crate) fn show_progress(&mut self, destination: &Destination, progress: &FetchProgress) -> io::Result<()> {
        self.json_line(&JsonLine::Progress(json_progress(destination, progress)))?;
        self.out.flush()
    }

    /// Tells a program what came of a content.
    pub(crate) fn show_fetched(
        &mut self,
        destination: &Destination,
        hash: ContentHash,
        ended: &DownloadEnded,
    ) -> io::Result<()> {
        self.json_line(&JsonLine::Fetched(json_fetched(destination, hash, ended)))?;
        self.out.flush()
    }

    /// Tells a program what there is of a content that was left before all of it had come.
    pub(crate) fn show_left(
        &mut self,
        destination: &Destination,
        hash: ContentHash,
        left: &DownloadLeft,
    ) -> io::Result<()> {
        if self.json {
            self.json_line(&JsonLine::Fetched(json_left(destination, hash, left)))?;
        }
        self.out.flush()
    }

    /// Tells a program why one content is not even on its way. Whoever reads lines was told on stderr.
    pub(crate) fn show_not_fetched(
        &mut self,
        file: String,
        hash: Option<ContentHash>,
        reason: String,
    ) -> io::Result<()> {
        if !self.json {
            return Ok(());
        }
        self.json_line(&JsonLine::Fetched(json_not_fetched(file, hash, reason)))?;
        self.out.flush()
    }

    fn show_files(&mut self, entries: &[Entry]) -> io::Result<()> {
        for entry in entries {
            match self.files_from {
                Some(from) if self.json => self.json_line(&JsonLine::Content(json_file(entry, from)))?,
                _ if self.columns => writeln!(self.out, "{}", file_row(entry))?,
                _ => writeln!(self.out, "{}", file_line(entry))?,
            }
        }
        Ok(())
    }

    /// Shows how a listing of files ended.
    pub(crate) fn show_files_listed(
        &mut self,
        from: SocketAddr,
        summary: &str,
        listed: &FilesListed,
    ) -> io::Result<()> {
        if listed.reason == ListingEnd::Cancelled {
            // The terminal has shown ^C and left the cursor behind it.
            self.show_aside("");
        }
        if self.json {
            self.json_line(&JsonLine::FilesListed(json_files_listed(from, listed)))?;
        }
        self.out.flush()?;
        self.show_aside(summary);
        Ok(())
    }

    /// Shows all that a query has found, which is over, and says how many contents that is.
    fn show_found(&mut self) -> io::Result<Option<u64>> {
        let found = std::mem::take(&mut self.found);
        if self.json {
            found.json().try_for_each(|content| self.json_line(&JsonLine::Content(content)))?;
        } else if self.columns {
            self.out.write_all(found.rows(terminal::columns_of_results()).as_bytes())?;
        } else {
            found.lines().try_for_each(|line| writeln!(self.out, "{line}"))?;
        }
        if found.count() > 0 {
            self.found_last = found.named();
        }
        let count = found.count();
        self.beyond_last = found.beyond();
        self.out.flush()?;
        Ok((count > 0).then_some(count))
    }

    /// Shows what a servent found when its query was over.
    fn show_found_late(&mut self, ask: Option<&Ask>, from: SocketAddr, answer: &Entries) -> io::Result<()> {
        let mut late = Found::default();
        late.add(from, answer);
        if self.json {
            return late.json().try_for_each(|content| self.json_line(&JsonLine::Content(content)));
        }
        let ask = ask.map_or_else(|| "an earlier question".to_owned(), Ask::to_string);
        late.lines().try_for_each(|line| writeln!(self.out, "Late answer to {ask}: {line}\t{from}"))
    }

    /// Shows what came of a servent that was to be greeted.
    pub(crate) fn show_greeted(&mut self, greeting: &GreetingEnded) -> io::Result<()> {
        if greeting.end == GreetEnd::Cancelled {
            // The terminal has shown ^C and left the cursor behind it.
            self.show_aside("");
        }
        if self.json {
            self.json_line(&JsonLine::Greeted(json_greeted(greeting)))?;
        } else if let Some(line) = hello::line(greeting, &self.called(greeting.address)) {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }

    /// Shows what came of a write: a program is told in any case, whoever reads lines where something is known.
    pub(crate) fn show_written(&mut self, what: &WrittenShown<'_>, line: Option<&str>) -> io::Result<()> {
        if self.json {
            self.json_line(&JsonLine::Written(json_written(what)))?;
        } else if let Some(line) = line {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }

    /// Shows the value of a key that is watched.
    pub(crate) fn show_changed(&mut self, key: &[u8], value: Option<&[u8]>, from: SocketAddr) -> io::Result<()> {
        if self.json {
            self.json_line(&JsonLine::Changed(json_changed(key, value, from)))?;
        } else if self.columns {
            let row = writes::changed_row(key, value, self.called(from));
            writeln!(self.out, "{row}")?;
        } else {
            writeln!(self.out, "{}", writes::changed_line(key, value, from))?;
        }
        self.out.flush()
    }

    /// Says something to a person. What cannot be said is not: it changes nothing about what was found.
    pub(crate) fn show_aside(&mut self, text: impl fmt::Display) {
        if let Some(side) = &mut self.side {
            let _ = writeln!(side, "{text}");
        }
    }

    /// A servent as it is shown: to a person with its name, if it has one.
    pub(crate) fn called(&self, servent: SocketAddr) -> String {
        if self.columns { self.names.called(servent) } else { servent.to_string() }
    }

    fn answer_line(&mut self, from: SocketAddr, body: &AnswerBody) -> io::Result<()> {
        let from = self.called(from);
        match body {
            AnswerBody::Value(value) => writeln!(self.out, "{} {from}", Escaped::value(value)),
            AnswerBody::Place { path, .. } => {
                for word in words(path) {
                    write!(self.out, "{word} ")?;
                }
                writeln!(self.out, "{from}")
            }
            // Shown by themselves, each once, whoever has it.
            AnswerBody::Entries(_) => Ok(()),
        }
    }

    fn show_ending(&mut self, ask: Option<&Ask>, ending: &Ending) -> io::Result<()> {
        if ending.reason == EndReason::Cancelled {
            // The terminal has shown ^C and left the cursor behind it.
            self.show_aside("");
        }
        let more = matches!(ask, Some(Ask::Find(_))).then(|| self.found.more());
        let contents = self.show_found()?;
        if self.json {
            self.json_line(&JsonLine::Finished(json_finished(ending, more)))?;
        } else if ending.answers == 0 {
            writeln!(self.out, "No answer received")?;
        }
        if let Some(overlay) = std::mem::take(&mut self.discovery).overlay() {
            write!(self.out, "{}", topology::drawing(&overlay))?;
        }
        self.out.flush()?;
        self.show_aside(summary(ask, contents, ending, self.silence_max));
        Ok(())
    }

    /// Says what a query came to, of whose answers nothing was shown as they came.
    pub(crate) fn show_summary(&mut self, ask: &Ask, ending: &Ending) {
        self.show_aside(summary(Some(ask), None, ending, self.silence_max));
    }

    /// Shows what is ready to be shown.
    pub(crate) fn show_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.out.flush()
    }

    /// Shows an overlay to a program.
    pub(crate) fn show_topology(&mut self, overlay: &DrawnOverlay) -> io::Result<()> {
        self.json_line(&JsonLine::Topology(json_topology(overlay)))?;
        self.out.flush()
    }

    /// Shows an answer that is new since the last time it was asked.
    pub(crate) fn show_new_answer(&mut self, ask: &Ask, answer: &Event) -> io::Result<()> {
        if !self.json {
            write!(self.out, "+ ")?;
        }
        self.show(Some(ask), answer)
    }

    /// Shows an answer that is not given any more, or is another now.
    pub(crate) fn show_gone(&mut self, ask: &Ask, from: SocketAddr, value: &[u8]) -> io::Result<()> {
        if self.json {
            let pair = JsonKeyAndValue::of(asked_for(ask), Some(value));
            self.json_line(&JsonLine::Gone(JsonGone { command: "?", pair, from }))?;
        } else {
            let from = self.called(from);
            writeln!(self.out, "- {} {from}", Escaped::value(value))?;
        }
        self.out.flush()
    }

    fn json_line(&mut self, line: &JsonLine<'_>) -> io::Result<()> {
        self.out.write_all(&json_line(line)?)
    }
}

/// A line of JSON, with its end.
pub(crate) fn json_line(line: &JsonLine<'_>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    line.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, SafeJson))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// JSON of one line, in which what a terminal might obey is escaped too, beyond what JSON demands. A program that reads
/// it gets the same text.
struct SafeJson;

impl serde_json::ser::Formatter for SafeJson {
    fn write_string_fragment<Out: ?Sized + Write>(&mut self, out: &mut Out, fragment: &str) -> io::Result<()> {
        for run in fragment.split_inclusive(misleads) {
            let mut clean = run.chars();
            let Some(character) = clean.next_back().filter(|character| misleads(*character)) else {
                out.write_all(run.as_bytes())?;
                continue;
            };
            out.write_all(clean.as_str().as_bytes())?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }
}

fn json_answer<'a>(
    ask: Option<&'a Ask>,
    (from, name): (SocketAddr, Option<&'a ServentName>),
    hops: Option<u8>,
    via: Via,
    body: &'a AnswerBody,
    elapsed: Duration,
) -> JsonAnswer<'a> {
    let (from, via, ms) = (from.to_string(), via.word(), milliseconds(elapsed));
    let name = name.map(ServentName::as_str);
    let value = if let AnswerBody::Value(value) = body { Some(&**value) } else { None };
    let pair = JsonKeyAndValue::of(ask.and_then(asked_for), value);
    let mut line = JsonAnswer { pair, from, name, hops, via, ms, ..JsonAnswer::default() };
    match body {
        AnswerBody::Value(_) => line.command = "?",
        AnswerBody::Place { path, neighbors } => {
            line.command = "T";
            line.path = Some(words(path));
            // Where servents do not say who they are, nobody tells of neighbors.
            line.neighbors = matches!(path, Path::Addresses(_)).then_some(neighbors.as_slice());
        }
        // They are lines of their own.
        AnswerBody::Entries(_) => line.command = "find",
    }
    line
}

/// The key that was asked for, if one was.
fn asked_for(ask: &Ask) -> Option<&[u8]> {
    match ask {
        Ask::Key(key) => Some(key.as_bytes()),
        Ask::Topology | Ask::Find(_) | Ask::Named(_) | Ask::Hashed(_) => None,
    }
}

pub(crate) fn text_or_base64(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(BASE64_STANDARD.encode(bytes))),
    }
}

fn json_finished(ending: &Ending, more: Option<u64>) -> JsonFinished {
    let tally = &ending.tally;
    JsonFinished {
        answers: ending.answers,
        missing: ending.missing,
        reached: tally.reached,
        copies: tally.copies,
        duplicates: tally.duplicates,
        stopped: tally.stopped,
        lost: tally.lost,
        silent: tally.silent,
        spoilt: tally.spoilt,
        doubtful: ending.doubtful,
        more,
        ms: milliseconds(ending.elapsed),
        reason: ending.reason.word(),
    }
}

/// To the microsecond: what lies below is noise.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// One sentence about a query that is over, the doubts last. What did not arrive is told by `hint`.
fn summary(ask: Option<&Ask>, contents: Option<u64>, ending: &Ending, silence_max: Duration) -> String {
    if ending.reason == EndReason::NotUnderstood {
        // What is the matter, and what next, is told by `hint`.
        return "not asked".to_owned();
    }
    let tally = &ending.tally;
    let took = humane(ending.elapsed);
    // Of answers that bring contents these are counted.
    let brought =
        |answers: u64| contents.map_or_else(|| counted(answers, "answer"), |contents| counted(contents, "content"));
    let mut text = match (ending.answers, ending.tally_told) {
        (0, true) if !tally.is_whole() || tally.answers > 0 => {
            format!("no answer from {} that reported", counted(tally.reached, "servent"))
        }
        (0, true) if matches!(ask, Some(Ask::Find(_))) && tally.reached == 1 => {
            "no such file at the one servent within reach".to_owned()
        }
        (0, true) if matches!(ask, Some(Ask::Find(_))) => {
            format!("no such file at any of the {} within reach", counted(tally.reached, "servent"))
        }
        (0, true) if tally.reached == 1 => "the one servent within reach does not have it".to_owned(),
        (0, true) => format!("none of the {} within reach has it", counted(tally.reached, "servent")),
        (0, false) if ending.reason == EndReason::Silence && tally.silent == 0 => {
            format!("no answer and no report within {}: incomplete", humane(silence_max))
        }
        (0, false) => format!("no answer in {took}"),
        // Whose they are nobody knows. What that means is told by `hint`.
        (answers, true) if ending.doubtful => format!("{} in {took}", brought(answers)),
        (answers, true) if ask == Some(&Ask::Topology) && answers == tally.reached => {
            format!("{} in {took}", counted(answers, "servent"))
        }
        // Of servents behind those that cannot report nobody knows how many there are.
        (answers, true) if tally.silent > 0 => format!("{} in {took}", brought(answers)),
        (answers, true) => {
            format!("{} from {} in {took}", brought(answers), counted(tally.reached, "servent"))
        }
        (answers, false) => format!("{} in {took}", brought(answers)),
    };
    match ending.reason {
        EndReason::Cancelled => text.push_str(", then interrupted"),
        EndReason::Silence if !ending.tally_told && tally.silent > 0 => {
            text.push_str("; the contact cannot report: there may be more");
        }
        EndReason::Silence if !ending.tally_told && ending.answers > 0 => {
            text.push_str("; the contact did not report: incomplete, there may be more");
        }
        EndReason::Silence
        | EndReason::Complete
        | EndReason::Incomplete
        | EndReason::Answers
        | EndReason::NotUnderstood => {}
    }
    if ending.tally_told && tally.lost > 0 {
        text.push_str(&format!("; {} lost on the way: there may be more", counted(tally.lost, "report")));
    }
    if ending.tally_told && tally.silent > 0 {
        text.push_str(&format!("; {} cannot report: there may be more", counted(tally.silent, "neighbor")));
    }
    if tally.stopped > 0 {
        let stopped = u64::try_from(tally.stopped).unwrap_or_default();
        text.push_str(&format!("; the TTL stopped it at {}: there may be more beyond", counted(stopped, "servent")));
    }
    text
}

/// What is shown is never nothing: what took less than that took something.
pub(crate) fn humane(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1e3;
    if milliseconds < 0.1 {
        "less than 0.1 ms".to_owned()
    } else if milliseconds < 0.95 {
        format!("{milliseconds:.1} ms")
    } else if milliseconds < 999.5 {
        format!("{milliseconds:.0} ms")
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::content::search::Words;
    use common::key::Key;
    use common::query::Tally;

    fn ending(reason: EndReason, answers: u64, tally: Tally) -> Ending {
        let missing = tally.answers.saturating_sub(answers);
        Ending { reason, answers, missing, doubtful: false, tally, tally_told: true, elapsed: Duration::from_millis(3) }
    }

    fn tally(reached: u64, answers: u64) -> Tally {
        Tally { reached, answers, ..Tally::default() }
    }

    #[test]
    fn json_is_safe_to_look_at_and_says_the_same() {
        let value = "plain \"quoted\" \u{9b}2J \u{202e}live\u{202c} \u{7f}\u{feff}\u{e0041} caf\u{e9}\n";
        let name = "kit\u{9b}\u{202e}chen\n";
        let event = Event::Answer {
            from: "127.0.0.1:9000".parse().unwrap(),
            name: ServentName::try_from(name).ok(),
            hops: Some(1),
            via: Via::Back,
            body: AnswerBody::Value(value.as_bytes().to_vec()),
            elapsed: Duration::from_micros(1_500),
        };
        let side: Option<Vec<u8>> = None;
        let silence_max = Duration::from_secs(4);
        let listing = ListingSoFar::default();
        let found = Found::default();
        let mut renderer = Renderer {
            out: Vec::new(),
            side,
            json: true,
            columns: false,
            silence_max,
            listing,
            found,
            found_last: Vec::new(),
            beyond_last: None,
            files_from: None,
            names: NamesHeard::default(),
            discovery: Discovery::default(),
        };
        renderer.show(Some(&Ask::Key(Key::new(b"tea").unwrap())), &event).unwrap();
        let line = String::from_utf8(renderer.out).unwrap();
        assert!(!line.trim_end_matches('\n').chars().any(misleads), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&read["value"], &read["name"]), (&value.into(), &name.into()));
        assert_eq!((&read["ms"], &read["via"]), (&1.5.into(), &"back".into()));
    }

    #[test]
    fn no_duration_is_shown_as_nothing() {
        for (nanoseconds, expected) in [
            (0, "less than 0.1 ms"),
            (1, "less than 0.1 ms"),
            (99_999, "less than 0.1 ms"),
            (100_000, "0.1 ms"),
            (540_000, "0.5 ms"),
            (999_999, "1 ms"),
            (1_000_000, "1 ms"),
            (1_500_000, "2 ms"),
            (999_400_000, "999 ms"),
            (999_400_001, "999 ms"),
            (999_999_999, "1.0 s"),
            (1_000_000_000, "1.0 s"),
            (4_000_113_000, "4.0 s"),
            (86_400_000_000_000, "86400.0 s"),
        ] {
            assert_eq!(humane(Duration::from_nanos(nanoseconds)), expected, "{nanoseconds}");
        }
    }

    #[test]
    fn one_sentence_for_every_way_a_query_can_end() {
        let key = Ask::Key(Key::new(b"tea").unwrap());
        let find = Ask::Find(Words::new([&b"tea"[..]]).unwrap());
        let silence = |ending: Ending| Ending { elapsed: Duration::from_millis(4_003), ..ending };
        let untold = |ending: Ending| Ending { tally_told: false, ..ending };
        for (ask, ending, expected) in [
            (&key, ending(EndReason::Complete, 2, tally(12, 2)), "2 answers from 12 servents in 3 ms"),
            (&key, ending(EndReason::Complete, 1, tally(1, 1)), "1 answer from 1 servent in 3 ms"),
            (&key, ending(EndReason::Complete, 0, tally(12, 0)), "none of the 12 servents within reach has it"),
            (&key, ending(EndReason::Complete, 0, tally(1, 0)), "the one servent within reach does not have it"),
            (&find, ending(EndReason::Complete, 0, tally(1, 0)), "no such file at the one servent within reach"),
            (&find, ending(EndReason::Complete, 0, tally(5, 0)), "no such file at any of the 5 servents within reach"),
            (&Ask::Topology, ending(EndReason::Complete, 12, tally(12, 12)), "12 servents in 3 ms"),
            (&key, untold(ending(EndReason::Answers, 1, tally(1, 1))), "1 answer in 3 ms"),
            (&key, untold(ending(EndReason::Cancelled, 0, tally(0, 0))), "no answer in 3 ms, then interrupted"),
            (&key, untold(ending(EndReason::NotUnderstood, 0, Tally { lost: 1, ..tally(0, 0) })), "not asked"),
            (
                &key,
                ending(EndReason::Complete, 2, Tally { stopped: 2, ..tally(12, 2) }),
                "2 answers from 12 servents in 3 ms; the TTL stopped it at 2 servents: there may be more beyond",
            ),
            (
                &key,
                ending(EndReason::Complete, 0, Tally { stopped: 1, ..tally(5, 0) }),
                "none of the 5 servents within reach has it; the TTL stopped it at 1 servent: there may be more beyond",
            ),
            (
                &key,
                silence(ending(EndReason::Silence, 1, Tally { lost: 1, ..tally(3, 1) })),
                "1 answer from 3 servents in 4.0 s; 1 report lost on the way: there may be more",
            ),
            (
                &key,
                silence(ending(EndReason::Silence, 0, Tally { lost: 1, ..tally(1, 0) })),
                "no answer from 1 servent that reported; 1 report lost on the way: there may be more",
            ),
            (&key, silence(ending(EndReason::Silence, 1, tally(3, 2))), "1 answer from 3 servents in 4.0 s"),
            (&key, ending(EndReason::Incomplete, 1, tally(3, 2)), "1 answer from 3 servents in 3 ms"),
            (
                &key,
                ending(EndReason::Incomplete, 1, Tally { lost: 1, ..tally(3, 1) }),
                "1 answer from 3 servents in 3 ms; 1 report lost on the way: there may be more",
            ),
            (&key, ending(EndReason::Incomplete, 0, tally(3, 1)), "no answer from 3 servents that reported"),
            (&key, Ending { doubtful: true, ..ending(EndReason::Incomplete, 2, tally(3, 2)) }, "2 answers in 3 ms"),
            (
                &key,
                silence(Ending { doubtful: true, ..ending(EndReason::Silence, 2, tally(3, 2)) }),
                "2 answers in 4.0 s",
            ),
            (
                &Ask::Topology,
                silence(Ending { doubtful: true, ..ending(EndReason::Silence, 3, tally(3, 3)) }),
                "3 answers in 4.0 s",
            ),
            (
                &key,
                silence(ending(EndReason::Silence, 1, Tally { silent: 2, ..tally(3, 1) })),
                "1 answer in 4.0 s; 2 neighbors cannot report: there may be more",
            ),
            (
                &key,
                silence(untold(ending(EndReason::Silence, 0, Tally { lost: 1, ..tally(0, 0) }))),
                "no answer and no report within 4.0 s: incomplete",
            ),
            (
                &key,
                silence(untold(ending(EndReason::Silence, 2, Tally { silent: 1, ..tally(2, 2) }))),
                "2 answers in 4.0 s; the contact cannot report: there may be more",
            ),
            (
                &key,
                silence(untold(ending(EndReason::Silence, 2, Tally { lost: 1, ..tally(2, 2) }))),
                "2 answers in 4.0 s; the contact did not report: incomplete, there may be more",
            ),
        ] {
            assert_eq!(summary(Some(ask), None, &ending, Duration::from_secs(4)), expected);
        }
    }
}
