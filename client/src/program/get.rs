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

use clap::{CommandFactory, Parser};
use common::content::Blocks;
use common::counted::{counted, grouped};
use common::fetch::{BlockSource, FetchEnd, FetchProgress, SourceRun};
use common::limits::ASK_AGAIN_PAUSE;
use common::text::{Escaped, misleads};
use serde::Serialize;

use crate::program::render::milliseconds;
use crate::{ContentHash, DownloadEnded, DownloadLeft, FileName, HashStart};

/// Longest name of a file, as most systems have it; what stands behind it while it is not whole included.
const NAME_BYTES_MAX: usize = 255 - ".hashes.new".len();

/// Runs of missing blocks in the line that says so; a file of sources, and JSON, have all of them.
const RUNS_SHOWN_MAX: usize = 20;

/// What `get` is told.
#[derive(Clone, Debug, Parser, PartialEq, Eq)]
#[command(name = "get", no_binary_name = true, disable_help_flag = true, disable_version_flag = true)]
#[command(help_template = "{usage-heading} {usage}\n\n{all-args}")]
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
    /// What `get` takes, for a person.
    pub(crate) fn usage() -> String {
        GetOptions::command().render_help().to_string()
    }

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
        if options.output.as_ref().is_some_and(|output| output.is_empty()) {
            return Err("get: -o names a file, or - for stdout".to_owned());
        }
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

/// Fewer digits of a hash are none: too many contents begin with them.
const HASH_DIGITS_MIN: usize = 8;
/// With so many it may have been meant as one.
const HASH_DIGITS_MEANT: usize = 4;

/// What one word of `get` can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sought {
    /// Digits of a hash, where it is that: at least 8.
    digits: Option<String>,
    /// Whether there are fewer digits than that.
    is_short: bool,
    /// A name, where it can be one.
    name: Option<FileName>,
}

impl Sought {
    pub(crate) fn of(word: &OsStr) -> Sought {
        let text = word.to_str().map(str::to_ascii_lowercase);
        let digits = text.filter(|text| text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let count = digits.as_ref().map_or(0, String::len);
        Sought {
            digits: digits.filter(|_| count >= HASH_DIGITS_MIN),
            is_short: (HASH_DIGITS_MEANT..HASH_DIGITS_MIN).contains(&count),
            name: FileName::new(word.as_bytes()).ok(),
        }
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

    /// What is said where nothing is called so.
    pub(crate) fn hint(&self) -> String {
        if self.is_short { format!("; of a hash {HASH_DIGITS_MIN} digits are the least") } else { String::new() }
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
    let mut bytes = Vec::with_capacity(last.len());
    for chunk in last.utf8_chunks() {
        let valid = chunk.valid().chars().map(|character| if misleads(character) { '_' } else { character });
        bytes.extend_from_slice(valid.collect::<String>().as_bytes());
        bytes.extend_from_slice(chunk.invalid());
    }
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
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    is_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
    sources: Vec<JsonSource>,
    /// Which blocks there are is not known before the size is.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<Vec<JsonRun>>,
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
    let sources = known_sources(ended);
    JsonFetched {
        file: destination.shown(),
        hash: Some(hash.to_string()),
        size: ended.blocks.map(Blocks::size),
        is_verified: ended.fetch.end == FetchEnd::Done,
        ms: Some(milliseconds(ended.elapsed)),
        sources: json_sources(sources),
        missing: ended.blocks.map(|_| json_missing(sources)),
        wasted_bytes: ended.fetch.wasted_bytes,
        kept_in: ended.kept_in.as_deref().map(shown),
        reason: if let FetchEnd::Unwritten(reason) = &ended.fetch.end { Some(reason.clone()) } else { None },
    }
}

/// Of what was left before it was over.
pub(crate) fn json_left(destination: &Destination, hash: ContentHash, left: &DownloadLeft) -> JsonFetched {
    JsonFetched {
        size: left.blocks.map(Blocks::size),
        ms: Some(milliseconds(left.elapsed)),
        sources: json_sources(&left.sources),
        missing: left.blocks.map(|_| json_missing(&left.sources)),
        wasted_bytes: left.wasted_bytes,
        kept_in: left.kept_in.as_deref().map(shown),
        ..json_not_fetched(destination.shown(), Some(hash), "interrupted".to_owned())
    }
}

fn json_sources(sources: &[SourceRun]) -> Vec<JsonSource> {
    let of_run = |run: &SourceRun| {
        let SourceRun { source, first, count } = *run;
        match source {
            BlockSource::Holder(from) => Some(JsonSource { from: Some(from), first, count }),
            BlockSource::Disk => Some(JsonSource { from: None, first, count }),
            BlockSource::Nobody => None,
        }
    };
    sources.iter().filter_map(of_run).collect()
}

fn json_missing(sources: &[SourceRun]) -> Vec<JsonRun> {
    missing(sources).map(|(first, count)| JsonRun { first, count }).collect()
}

/// Of what never began to come.
pub(crate) fn json_not_fetched(file: String, hash: Option<ContentHash>, reason: String) -> JsonFetched {
    JsonFetched {
        file,
        hash: hash.map(|hash| hash.to_string()),
        size: None,
        is_verified: false,
        ms: None,
        sources: Vec::new(),
        missing: None,
        wasted_bytes: 0,
        kept_in: None,
        reason: Some(reason),
    }
}

/// Where each block is from. Before the size is proved blocks have the numbers that somebody says, who may lie: none is told,
/// and a file of sources has no line of that content.
pub(crate) fn known_sources(ended: &DownloadEnded) -> &[SourceRun] {
    if ended.blocks.is_some() { &ended.fetch.sources } else { &[] }
}

fn missing(sources: &[SourceRun]) -> impl Iterator<Item = (u32, u32)> {
    sources.iter().filter(|run| run.source == BlockSource::Nobody).map(|run| (run.first, run.count))
}

/// For people: what was written, and from whom it came.
pub(crate) fn fetched_line(destination: &Destination, hash: ContentHash, ended: &DownloadEnded) -> String {
    let size = ended.blocks.map(Blocks::size).unwrap_or_default();
    let new_bytes = size.saturating_sub(ended.here_before);
    let seconds = ended.elapsed.as_secs_f64().max(1e-6);
    let (shown, size, hash) = (destination.shown(), grouped(size), hash.short());
    let mut line = format!("{shown}  {size} bytes  {hash}…  verified  in {seconds:.3} s");
    // Where all of it was here already nothing came, however fast.
    if new_bytes > 0 {
        let _ = write!(line, ", {}/s", humane_bytes(rate_of(new_bytes, seconds)));
    }
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

/// Nobody gives what is missing of this: for how long somebody is looked for who does.
pub(crate) fn waiting_line(
    destination: &Destination,
    hash: ContentHash,
    from: Option<SocketAddr>,
    wait: Duration,
) -> String {
    let what = match destination {
        Destination::Stdout => hash.short(),
        Destination::File(path) => shown(path),
    };
    let (pause, wait) = (ASK_AGAIN_PAUSE.as_secs(), humantime::format_duration(wait));
    let said = match from {
        None => format!("nobody gives {what} now: asking again"),
        Some(from) => format!("{from} gives nothing of {what} now: asking it again"),
    };
    format!("{said} every {pause} s, until nothing has come for {wait}")
}

/// What is missing, and what is to be done about it.
pub(crate) fn missing_line(ended: &DownloadEnded, from: Option<SocketAddr>) -> String {
    let sources = known_sources(ended);
    let count: u32 = missing(sources).map(|(_, count)| count).sum();
    let mut line = match ended.blocks {
        Some(blocks) => format!("missing {} of {}:", grouped(count), counted(blocks.count(), "block")),
        None => "missing all of it".to_owned(),
    };
    for (first, count) in missing(sources).take(RUNS_SHOWN_MAX) {
        line.push(' ');
        line.push_str(&run_of(first, count));
    }
    let more_count = missing(sources).skip(RUNS_SHOWN_MAX).count();
    if more_count > 0 {
        let _ = write!(line, " and {}", counted(more_count, "more run"));
    }
    let _ = match (ended.blocks, from) {
        (_, Some(from)) => write!(line, " ({from} gives no more)"),
        (Some(blocks), None) if blocks.count() > 1 => write!(line, " (no holder within reach has them)"),
        (_, None) => write!(line, " (no holder within reach gives it)"),
    };
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

#[cfg(test)]
mod tests {
    use super::*;
    use common::fetch::FetchEnded;

    fn options(line: &str) -> Result<GetOptions, String> {
        GetOptions::read(line.split(' ').filter(|word| !word.is_empty()).map(|word| word.as_bytes().to_vec()).collect())
    }

    #[test]
    fn what_get_is_told() {
        let default = options("farol.mp4").unwrap();
        let wait = Duration::from_secs(30);
        let wanted = vec![OsString::from("farol.mp4")];
        let expected = GetOptions { wanted, output: None, replaces: false, from: None, sources: None, wait };
        assert_eq!(default, expected);
        assert_eq!(default.wait, common::limits::HOLDERS_WAIT_DEFAULT);
        let all = options("a b -f --from 9001 --sources s --wait 5m").unwrap();
        let wait = Duration::from_secs(300);
        let (from, sources) = (Some("9001".to_owned()), Some(PathBuf::from("s")));
        let wanted = vec![OsString::from("a"), OsString::from("b")];
        assert_eq!(all, GetOptions { wanted, output: None, replaces: true, from, sources, wait });
        assert_eq!(options("a -o -").unwrap().output, Some("-".into()));
        assert_eq!(options("-o x -- -f").unwrap().wanted, ["-f"]);
        for (wait, expected) in [("0", 0), ("0s", 0), ("1.5", 1_500), ("200ms", 200), ("1h", 3_600_000)] {
            assert_eq!(options(&format!("a --wait {wait}")).unwrap().wait, Duration::from_millis(expected), "{wait}");
        }
        for wait in ["-1", "soon", "", "1e99", "NaN"] {
            assert!(options(&format!("a --wait={wait}")).is_err(), "{wait}");
        }
        let name = OsString::from_vec(b"caf\xe9".to_vec());
        assert_eq!(GetOptions::read(vec![b"caf\xe9".to_vec()]).unwrap().wanted, [name]);
    }

    #[test]
    fn a_word_is_digits_of_a_hash_a_name_or_both() {
        let digits = "0123456789abcdef".repeat(4);
        let hash =
            ContentHash(std::array::from_fn(|place| [0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef][place % 8]));
        for count in [8, 9, 31, 63, 64] {
            for digits in [digits[..count].to_owned(), digits[..count].to_uppercase()] {
                let sought = Sought::of(OsStr::new(&digits));
                assert_eq!(sought.start().unwrap().as_bytes(), &hash.0[..count / 2], "{digits}");
                assert_eq!(sought.name().unwrap().as_bytes(), digits.as_bytes());
                assert!(sought.is_start_of(&hash), "{digits}");
            }
        }
        // The last digit of an odd number of them is in no byte.
        assert!(!Sought::of(OsStr::new("012345678")).is_start_of(&ContentHash([0x01; 32])));
        assert!(!Sought::of(OsStr::new("012345677")).is_start_of(&hash));
        for no_hash in ["0123456", &format!("{digits}0"), "0123456g", "farol.mp4", "\u{e9}12345678"] {
            let sought = Sought::of(OsStr::new(no_hash));
            assert_eq!((sought.start(), sought.is_start_of(&hash)), (None, false), "{no_hash}");
            assert_eq!(sought.name().unwrap().as_bytes(), no_hash.as_bytes());
        }
        assert_eq!(Sought::of(OsStr::from_bytes(b"\xff12345678")).start(), None);
        let said = "; of a hash 8 digits are the least";
        for (word, hint) in
            [("9f2", ""), ("9f2c", said), ("9F2C41D", said), ("9f2c41d0", ""), ("9f2c41g", ""), ("tea", ""), ("", "")]
        {
            assert_eq!(Sought::of(OsStr::new(word)).hint(), hint, "{word}");
        }
        assert_eq!(Sought::of(OsStr::new("")).name(), None, "no file has no name");
    }

    #[test]
    fn no_name_leads_anywhere_else_hides_or_is_too_long() {
        let longest = "n".repeat(NAME_BYTES_MAX);
        let wide = "\u{e9}".repeat(200);
        for (name, expected) in [
            (&b"farol.mp4"[..], &b"farol.mp4"[..]),
            (b"films/farol.mp4", b"farol.mp4"),
            (b"../x", b"x"),
            (b"/etc/passwd", b"passwd"),
            (b".bashrc", b"_bashrc"),
            (b"..", b"_."),
            (b"x/..", b"_."),
            (b"x/", b"_"),
            (b"/", b"_"),
            (b"a\nb\tc\x1b\x7f", b"a_b_c__"),
            (b"caf\xe9", b"caf\xe9"),
            ("a\u{9b}2J\u{202e}b\u{200b}\u{e9}".as_bytes(), "a_2J_b_\u{e9}".as_bytes()),
            (b"-", b"-"),
            (b"a\\..\\b", b"a\\..\\b"),
            (longest.as_bytes(), longest.as_bytes()),
            (&[b'n'; 255], longest.as_bytes()),
            // At a character.
            (wide.as_bytes(), &wide.as_bytes()[..NAME_BYTES_MAX]),
            (format!("n{wide}").as_bytes(), &format!("n{wide}").as_bytes()[..NAME_BYTES_MAX - 1]),
        ] {
            let file = file_name(&FileName::new(name).unwrap());
            assert_eq!(file.as_os_str().as_bytes(), expected, "{}", name.escape_ascii());
            assert_eq!(file.components().count(), 1);
        }
        assert_eq!(NAME_BYTES_MAX, 244);
    }

    fn at(port: u16) -> BlockSource {
        BlockSource::Holder(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    /// What came of a content of so many blocks that are from there.
    fn ended(blocks: u64, runs: &[(BlockSource, u32, u32)]) -> DownloadEnded {
        let sources: Vec<SourceRun> = runs
            .iter()
            .map(|(source, first, count)| SourceRun { source: *source, first: *first, count: *count })
            .collect();
        let is_done = sources.iter().all(|run| run.source != BlockSource::Nobody);
        let end = if is_done { FetchEnd::Done } else { FetchEnd::Missing };
        DownloadEnded {
            fetch: FetchEnded { end, sources, wasted_bytes: 7 },
            kept_in: (!is_done).then(|| PathBuf::from("x.part")),
            file_error: None,
            blocks: Some(Blocks::of(blocks * 65_536).unwrap()),
            elapsed: Duration::from_millis(500),
            here_before: 0,
        }
    }

    #[test]
    fn what_is_missing_is_said_with_what_to_do() {
        use BlockSource::Nobody;
        let some =
            ended(400, &[(at(9002), 0, 12), (Nobody, 12, 4), (at(9002), 16, 15), (Nobody, 31, 1), (at(9002), 32, 368)]);
        assert_eq!(
            missing_line(&some, None),
            "missing 5 of 400 blocks: 12-15 31 (no holder within reach has them); kept in x.part, the same command goes on"
        );
        let only = DownloadEnded { kept_in: None, ..ended(1, &[(Nobody, 0, 1)]) };
        assert_eq!(missing_line(&only, None), "missing 1 of 1 block: 0 (no holder within reach gives it)");
        let unknown = DownloadEnded { kept_in: None, blocks: None, ..ended(1, &[]) };
        assert_eq!(missing_line(&unknown, None), "missing all of it (no holder within reach gives it)");
        let from = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9002)));
        assert_eq!(missing_line(&only, from), "missing 1 of 1 block: 0 (127.0.0.1:9002 gives no more)");
        let many = ended(20_000, &[(Nobody, 0, 20_000)]);
        assert!(missing_line(&many, None).starts_with("missing 20,000 of 20,000 blocks: 0-19999 ("));
        // What nobody has proved has no numbers, whoever gave hashes of it.
        let unproved = DownloadEnded { kept_in: None, blocks: None, ..ended(1, &[(Nobody, 0, 1)]) };
        assert_eq!(missing_line(&unproved, None), "missing all of it (no holder within reach gives it)");
        let json = serde_json::to_value(json_fetched(&Destination::Stdout, ContentHash([1; 32]), &unproved)).unwrap();
        assert_eq!(json.get("missing"), None);
        // Every other block: no more runs than a line takes.
        for (count, end) in [(20, " 38 ("), (21, " 38 and 1 more run ("), (50, " 38 and 30 more runs (")] {
            let runs: Vec<_> = (0..count).flat_map(|run| [(Nobody, 2 * run, 1), (at(9002), 2 * run + 1, 1)]).collect();
            let line = missing_line(&ended(2 * u64::from(count), &runs), None);
            assert!(line.contains(end) && line.contains(": 0 2 4 "), "{line}");
        }
    }

    #[test]
    fn what_is_waited_for_is_said_with_how_long() {
        let (file, hash) = (Destination::File("a\x1b".into()), ContentHash([0xab; 32]));
        let from = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9002)));
        for (destination, from, wait, expected) in [
            (&file, None, 30_000, "nobody gives a\\x1b now: asking again every 5 s, until nothing has come for 30s"),
            (
                &Destination::Stdout,
                None,
                5_400_000,
                "nobody gives abababababab now: asking again every 5 s, until nothing has come for 1h 30m",
            ),
            (
                &file,
                from,
                300,
                "127.0.0.1:9002 gives nothing of a\\x1b now: asking it again every 5 s, until nothing has come for 300ms",
            ),
        ] {
            assert_eq!(waiting_line(destination, hash, from, Duration::from_millis(wait)), expected);
        }
    }

    #[test]
    fn sources_are_a_line_for_each_run() {
        let all =
            [(at(9002), 0, 16), (BlockSource::Disk, 16, 1), (BlockSource::Nobody, 17, 2), (BlockSource::Nobody, 31, 1)];
        let lines = "127.0.0.1:9002 - 0-15\nfile - 16\n0.0.0.0:0 - 17-18\n0.0.0.0:0 - 31\n";
        assert_eq!(source_lines(&ended(32, &all).fetch.sources), lines);
        assert_eq!(source_lines(&[]), "");
        let v6 = BlockSource::Holder("[::1]:9002".parse().unwrap());
        assert_eq!(source_lines(&ended(1, &[(v6, 0, 1)]).fetch.sources), "[::1]:9002 - 0\n");
    }

    #[test]
    fn what_was_fetched_is_a_line_for_a_person_and_fields_for_a_program() {
        let file = Destination::File("a\tb".into());
        let hash = ContentHash([0xab; 32]);
        let one = ended(400, &[(at(9002), 0, 400)]);
        assert_eq!(
            fetched_line(&file, hash, &one),
            "a\\tb  26,214,400 bytes  abababababab…  verified  in 0.500 s, 52.4 MB/s  from 127.0.0.1:9002"
        );
        let several = ended(400, &[(at(9002), 0, 4), (at(9003), 4, 4), (BlockSource::Disk, 8, 8), (at(9002), 16, 384)]);
        let several = DownloadEnded { here_before: 524_288, ..several };
        let line = fetched_line(&Destination::Stdout, hash, &several);
        assert!(line.starts_with("stdout  26,214,400 bytes") && line.contains(", 51.4 MB/s"), "{line}");
        assert!(line.ends_with("  from 127.0.0.1:9002 and 1 more  (524 kB were here)"), "{line}");
        let here = DownloadEnded { here_before: 26_214_400, ..ended(400, &[(BlockSource::Disk, 0, 400)]) };
        assert_eq!(
            fetched_line(&file, hash, &here),
            "a\\tb  26,214,400 bytes  abababababab…  verified  in 0.500 s  (26.2 MB were here)"
        );
        assert_eq!(fetched_fields(&file, hash, &one), format!("a\\tb\t26214400\t{hash}"));
        assert_eq!(fetched_fields(&Destination::Stdout, hash, &one), format!("-\t26214400\t{hash}"));
    }

    #[test]
    fn json_of_what_was_fetched_names_what_is_missing_and_what_was_here() {
        let runs = [(at(9002), 0, 1), (BlockSource::Disk, 1, 1), (BlockSource::Nobody, 2, 1)];
        let json = json_fetched(&Destination::File("x".into()), ContentHash([1; 32]), &ended(3, &runs));
        let hash = "01".repeat(32);
        assert_eq!(
            serde_json::to_value(json).unwrap(),
            serde_json::json!({"file": "x", "hash": hash, "size": 196_608, "is_verified": false, "ms": 500.0,
                "sources": [{"from": "127.0.0.1:9002", "first": 0, "count": 1}, {"first": 1, "count": 1}],
                "missing": [{"first": 2, "count": 1}], "wasted_bytes": 7, "kept_in": "x.part"})
        );
    }

    #[test]
    fn bytes_are_shown_as_disks_are_sold() {
        for (bytes, expected) in [
            (0.0, "0 bytes"),
            (999.0, "999 bytes"),
            (1_000.0, "1.0 kB"),
            (99_900.0, "99.9 kB"),
            (99_960.0, "100 kB"),
            (999_400.0, "999 kB"),
            (999_600.0, "1.0 MB"),
            (26_214_400.0, "26.2 MB"),
            (31.4e9, "31.4 GB"),
            (2e12, "2.0 TB"),
            (5e15, "5000 TB"),
        ] {
            assert_eq!(humane_bytes(bytes), expected);
        }
    }
}
