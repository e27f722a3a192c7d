//! What `get` is told, what a content is called here, and how it is shown how far it is and what came of it.
//!
//! Names are words of strangers: none of them chooses a directory, hides a file or moves a cursor. Who has a content, and what
//! is believed, is decided by the minds.

use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;
use common::content::Blocks;
use common::counted::{counted, grouped};
use common::fetch::{BlockSource, FetchEnd, FetchProgress, SourceRun};
use common::text::Escaped;
use serde::Serialize;

use crate::program::render::milliseconds;
use crate::{ContentHash, DownloadEnded, FileName, HashStart};

/// Longest name of a file, as most systems have it; what stands behind it while it is not whole included.
const NAME_BYTES_MAX: usize = 255 - ".hashes.new".len();

/// What `get` is told.
#[derive(Clone, Debug, Parser, PartialEq, Eq)]
#[command(name = "get", no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
pub struct GetOptions {
    /// Names, or the first 8 to 64 digits of hashes.
    #[arg(value_name = "NAME|HASH", required = true)]
    pub wanted: Vec<OsString>,

    /// The file to write; - for stdout.
    #[arg(short = 'o', value_name = "FILE")]
    pub output: Option<OsString>,

    /// Replace a file that is there.
    #[arg(short = 'f')]
    pub replaces: bool,

    /// The only servent to take it from.
    #[arg(long, value_name = "IP:PORT")]
    pub from: Option<String>,

    /// Where to write which blocks came from whom.
    #[arg(long, value_name = "FILE")]
    pub sources: Option<PathBuf>,

    /// How long to look for who has what is missing.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_wait)]
    pub wait: Duration,
}

impl GetOptions {
    /// Reads the words behind `get`, or says what is wrong with them.
    pub(crate) fn read(words: Vec<Vec<u8>>) -> Result<GetOptions, String> {
        let words = words.into_iter().map(OsString::from_vec);
        let options = GetOptions::try_parse_from(words).map_err(|error| {
            let said = error.to_string();
            let first = said.lines().next().unwrap_or_default();
            let first = first.strip_prefix("error: ").unwrap_or(first).trim_end_matches(':');
            match error.kind() {
                clap::error::ErrorKind::MissingRequiredArgument => USAGE.to_owned(),
                _ => format!("get: {first}"),
            }
        })?;
        if options.output.is_some() && options.wanted.len() > 1 {
            return Err(format!("get: -o names one file, and {} contents are asked for", options.wanted.len()));
        }
        Ok(options)
    }
}

/// As every wait is written, and none at all.
fn parse_wait(text: &str) -> Result<Duration, String> {
    let wait = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let wait = wait.or_else(|| humantime::parse_duration(text).ok());
    wait.ok_or_else(|| "a duration such as 30s, 5m or 0".to_owned())
}

/// How `get` is used.
const USAGE: &str = "get takes a name or the first 8 digits of a hash, such as: get farol.mp4";

/// What one word of `get` can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sought {
    /// Digits of a hash, where it is that: at least 8.
    digits: Option<String>,
    /// A name, where it can be one.
    name: Option<FileName>,
}

impl Sought {
    pub(crate) fn of(word: &OsStr) -> Sought {
        let text = word.to_str().map(str::to_ascii_lowercase);
        let is_hash =
            |text: &String| (8..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        Sought { digits: text.filter(is_hash), name: FileName::new(word.as_bytes()).ok() }
    }

    /// The bytes that whole pairs of digits are.
    pub(crate) fn start(&self) -> Option<HashStart> {
        let digits = self.digits.as_ref()?.as_bytes();
        let bytes = digits
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()));
        HashStart::new(&bytes.collect::<Option<Vec<u8>>>()?).ok()
    }

    pub(crate) fn name(&self) -> Option<&FileName> {
        self.name.as_ref()
    }

    /// Whether a hash begins with all the digits there are.
    pub(crate) fn is_start_of(&self, hash: &ContentHash) -> bool {
        self.digits.as_ref().is_some_and(|digits| hash.to_string().starts_with(digits))
    }
}

/// What a content is called here, where nobody says: the last part of its name, without what could hide or mislead.
pub(crate) fn file_name(name: &FileName) -> PathBuf {
    let last = name.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let mut bytes: Vec<u8> = last.iter().map(|byte| if byte.is_ascii_control() { b'_' } else { *byte }).collect();
    if bytes.first().is_none_or(|first| *first == b'.') {
        bytes.splice(..bytes.len().min(1), *b"_");
    }
    if bytes.len() > NAME_BYTES_MAX {
        let end = (0..=NAME_BYTES_MAX).rev().find(|end| bytes.get(*end).is_none_or(|byte| byte & 0xc0 != 0x80));
        bytes.truncate(end.unwrap_or(NAME_BYTES_MAX));
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// Where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Stdout,
    File(PathBuf),
}

impl Destination {
    pub(crate) fn of(output: Option<&OsStr>, name: &FileName) -> Destination {
        match output {
            Some(output) if output == "-" => Destination::Stdout,
            Some(output) => Destination::File(PathBuf::from(output)),
            None => Destination::File(file_name(name)),
        }
    }

    pub(crate) fn shown(&self) -> String {
        match self {
            Destination::Stdout => "stdout".to_owned(),
            Destination::File(path) => shown(path),
        }
    }
}

pub(crate) fn shown(path: &Path) -> String {
    Escaped::new(path.as_os_str().as_bytes()).to_string()
}

// ---- what is shown ----

/// How far it is, as a line of JSON.
#[derive(Serialize)]
pub(crate) struct JsonProgress {
    file: String,
    here: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    wasted_bytes: u64,
}

/// What came of it, as a line of JSON.
#[derive(Serialize)]
pub(crate) struct JsonFetched {
    file: String,
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    is_verified: bool,
    ms: f64,
    sources: Vec<JsonSource>,
    missing: Vec<JsonRun>,
    wasted_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept_in: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct JsonSource {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<SocketAddr>,
    first: u32,
    count: u32,
}

#[derive(Serialize)]
struct JsonRun {
    first: u32,
    count: u32,
}

pub(crate) fn json_progress(destination: &Destination, progress: &FetchProgress) -> JsonProgress {
    let FetchProgress { size, here_bytes, wasted_bytes, .. } = *progress;
    JsonProgress { file: destination.shown(), here: here_bytes, size, wasted_bytes }
}

pub(crate) fn json_fetched(destination: &Destination, hash: ContentHash, ended: &DownloadEnded) -> JsonFetched {
    let sources = ended.fetch.sources.iter().filter_map(|run| {
        let SourceRun { source, first, count } = *run;
        match source {
            BlockSource::Holder(from) => Some(JsonSource { from: Some(from), first, count }),
            BlockSource::Disk => Some(JsonSource { from: None, first, count }),
            BlockSource::Nobody => None,
        }
    });
    JsonFetched {
        file: destination.shown(),
        hash: hash.to_string(),
        size: ended.blocks.map(Blocks::size),
        is_verified: ended.fetch.end == FetchEnd::Done,
        ms: milliseconds(ended.elapsed),
        sources: sources.collect(),
        missing: missing(ended).map(|(first, count)| JsonRun { first, count }).collect(),
        wasted_bytes: ended.fetch.wasted_bytes,
        kept_in: ended.kept_in.as_deref().map(shown),
        reason: if let FetchEnd::Unwritten(reason) = &ended.fetch.end { Some(reason.clone()) } else { None },
    }
}

fn missing(ended: &DownloadEnded) -> impl Iterator<Item = (u32, u32)> {
    let runs = ended.fetch.sources.iter().filter(|run| run.source == BlockSource::Nobody);
    runs.map(|run| (run.first, run.count))
}

/// For people: what was written, and from whom it came.
pub(crate) fn fetched_line(destination: &Destination, hash: ContentHash, ended: &DownloadEnded) -> String {
    let size = ended.blocks.map(Blocks::size).unwrap_or_default();
    let new_bytes = size.saturating_sub(ended.here_before);
    let seconds = ended.elapsed.as_secs_f64().max(1e-6);
    let mut line = format!(
        "{}  {} bytes  {}…  verified  in {seconds:.3} s, {}/s",
        destination.shown(),
        grouped(size),
        hash.short(),
        humane_bytes(rate_of(new_bytes, seconds)),
    );
    let mut holders: Vec<SocketAddr> = Vec::new();
    for run in &ended.fetch.sources {
        if let BlockSource::Holder(from) = run.source
            && !holders.contains(&from)
        {
            holders.push(from);
        }
    }
    match holders.as_slice() {
        [] => {}
        [one] => line.push_str(&format!("  from {one}")),
        [first, rest @ ..] => line.push_str(&format!("  from {first} and {} more", rest.len())),
    }
    if ended.here_before > 0 {
        line.push_str(&format!("  ({} were here)", humane_bytes(ended.here_before as f64)));
    }
    line
}

#[allow(clippy::cast_precision_loss, reason = "it is shown to three digits")]
fn rate_of(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 / seconds
}

/// For programs: the file, its size, its hash.
pub(crate) fn fetched_fields(destination: &Destination, hash: ContentHash, ended: &DownloadEnded) -> String {
    let file = match destination {
        Destination::Stdout => "-".to_owned(),
        Destination::File(path) => Escaped::field(path.as_os_str().as_bytes()).to_string(),
    };
    format!("{file}\t{}\t{hash}", ended.blocks.map(Blocks::size).unwrap_or_default())
}

/// What is missing, and what is to be done about it.
pub(crate) fn missing_line(ended: &DownloadEnded) -> String {
    let count: u32 = missing(ended).map(|(_, count)| count).sum();
    let mut line = match ended.blocks {
        Some(blocks) => format!("missing {} of {}:", grouped(count), counted(blocks.count(), "block")),
        None => "missing all of it".to_owned(),
    };
    for (first, count) in missing(ended) {
        line.push(' ');
        line.push_str(&run_of(first, count));
    }
    line.push_str(match ended.blocks {
        Some(blocks) if blocks.count() > 1 => " (no holder within reach has them)",
        _ => " (no holder within reach gives it)",
    });
    if let Some(kept) = &ended.kept_in {
        let _ = write!(line, "; kept in {}, the same command goes on", shown(kept));
    }
    line
}

fn run_of(first: u32, count: u32) -> String {
    match count {
        1 => first.to_string(),
        _ => format!("{first}-{}", first.saturating_add(count.saturating_sub(1))),
    }
}

/// Who gave which blocks, a run a line. What was in the file before has no address of anybody.
pub(crate) fn source_lines(sources: &[SourceRun]) -> String {
    let mut text = String::new();
    for SourceRun { source, first, count } in sources {
        let from = match source {
            BlockSource::Holder(from) => from.to_string(),
            BlockSource::Disk => "file".to_owned(),
            BlockSource::Nobody => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).to_string(),
        };
        let _ = writeln!(text, "{from} - {}", run_of(*first, *count));
    }
    text
}

/// `26.2 MB`, in powers of ten as discs and networks are sold.
pub(crate) fn humane_bytes(bytes: f64) -> String {
    let units = ["bytes", "kB", "MB", "GB", "TB"];
    let (mut amount, mut unit) = (bytes, 0);
    while amount >= 999.5 && unit + 1 < units.len() {
        (amount, unit) = (amount / 1e3, unit + 1);
    }
    let name = units.get(unit).copied().unwrap_or_default();
    if unit == 0 || amount >= 99.95 { format!("{amount:.0} {name}") } else { format!("{amount:.1} {name}") }
}
