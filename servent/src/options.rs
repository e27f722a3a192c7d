//! The servent's command line.
//!
//! It says what can be asked for and refuses what cannot be; nothing is opened or resolved here, and of files no more is
//! asked than whether two are one.

use std::ffi::OsString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::builder::ArgPredicate;
use clap::error::ErrorKind;
use clap::{ArgAction, Args, CommandFactory, Parser};
use common::address::{Address, Host, ServentError, parse_servent};
use common::dialect::{Bringing, Dialect, Dialects, Manners};
use common::limits::{NEIGHBORS_MAX, TTL_DEFAULT, TTL_MAX};
use common::servent_name::ServentName;
use common::text::{Escaped, misleads};
use ipnet::IpNet;

use crate::same_file::{is_beneath, is_same_file};
use crate::share::NAMES_IN_CACHE;
use crate::{events_file, members_file};

/// What a servent is told is nothing to whoever only prints a database.
const NOT_BESIDE_EXPORT: [&str; 20] = [
    "listen",
    "data",
    "neighbors",
    "ttl",
    "advertise",
    "name",
    "forward_once",
    "tp3",
    "tp3_answers",
    "members",
    "events",
    "share",
    "never",
    "cache",
    "share_to",
    "share_rate",
    "store",
    "published_only",
    "check",
    "with_parent",
];

/// A servent: serves a key-value file to the overlay it is part of, and passes on what others ask.
#[derive(Clone, Debug, Parser)]
#[command(name = "servent", version, max_term_width = 100)]
#[command(override_usage = "servent [OPTIONS] <LISTEN> <DATA> [NEIGHBOR]...\n       servent --export <FILE>")]
#[command(after_help = "\
Says `listening on IP:PORT` on stdout once it accepts connections, and logs to stderr. SIGHUP reads the data \
again; SIGTERM and SIGINT say goodbye and end it.\n\n\
Exit code: 0 it was told to end, 1 it cannot start, 2 usage.\n\n\
Example: servent 9000 /etc/services other-host:9000")]
pub struct Options {
    /// Where to listen.
    #[arg(
        default_value_if("export", ArgPredicate::IsPresent, "0"),
        allow_negative_numbers = true,
        help = "PORT (of this machine: 127.0.0.1), HOST:PORT or [IPv6]:PORT; port 0 takes any free one"
    )]
    pub listen: Address,

    /// Key-value file: the first word of a line is a key, the rest its value; - for none
    #[arg(default_value_if("export", ArgPredicate::IsPresent, "-"))]
    pub data: DataSource,

    /// PORT or HOST:PORT of a servent to stay linked with, tp3:// before it where it speaks TP3; up to 256, in any
    /// start order
    #[arg(value_name = "NEIGHBOR", num_args = 0..=NEIGHBORS_MAX, value_parser = parse_neighbor)]
    pub neighbors: Vec<String>,

    /// How many times a query of one of its own clients may be passed on after its first link (0 to 15)
    #[arg(long, value_name = "N", default_value_t = TTL_DEFAULT)]
    #[arg(value_parser = parse_ttl, allow_negative_numbers = true)]
    pub ttl: u8,

    /// The address others are told, where it is not the one listened on
    #[arg(long, value_name = "HOST:PORT", value_parser = parse_advertise)]
    pub advertise: Option<Address>,

    /// What it is called, beside its address, in what others show and log: up to 64 bytes of text that can be seen. Nobody vouches for it
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub name: Option<ServentName>,

    /// Pass a query on once only, even when a later copy may go further
    #[arg(long)]
    pub forward_once: bool,

    /// Speak TP3 too: accept it on the same port, and dial neighbors written tp3://HOST:PORT
    #[arg(long)]
    pub tp3: bool,

    /// A network that answers are dialled to in TP3, besides loopback and this machine's own networks; may repeat
    #[arg(long, value_name = "CIDR", requires = "tp3", value_parser = parse_network)]
    pub tp3_answers: Vec<IpNet>,

    /// Servents to remember, IP:PORT a line: read at the start and replaced by those it knows when these have changed
    #[arg(long, value_name = "FILE")]
    pub members: Option<PathBuf>,

    /// Write what happens to this file, one JSON object a line: for `topology events`
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,

    /// A directory whose files others may find and fetch, looked through at the start, each minute and on SIGHUP
    #[arg(long, value_name = "DIR")]
    pub share: Option<PathBuf>,

    /// Contents that are never shared, by their hashes, one a line, as `b3sum FILE >> never.txt` writes them; read again on
    /// SIGHUP
    #[arg(long, value_name = "FILE", requires = "share")]
    pub never: Option<PathBuf>,

    /// Keep hashes of shared files in this directory, so that the next start hashes nothing twice; made if it is not
    /// there, of one servent alone, and not in what is shared. A file there that is called hashes and is none of ours is
    /// refused
    #[arg(long, value_name = "DIR", requires = "share")]
    pub cache: Option<PathBuf>,

    /// A network whose clients may find and fetch what is shared, instead of everybody; may repeat
    #[arg(long, value_name = "CIDR", requires = "share", value_parser = parse_network)]
    pub share_to: Vec<IpNet>,

    /// Give no more than so many bytes a second of what is shared, all fetches together: such as 500k, 10M or 1G
    #[arg(long, value_name = "BYTES", requires = "share", value_parser = parse_rate)]
    pub share_rate: Option<u64>,

    /// Keep what clients on a loopback address write in this database: it is made if it is not there, of one servent alone, and what
    /// is in it hides what the data says. Without it nothing can be written
    #[arg(long, value_name = "FILE")]
    pub store: Option<PathBuf>,

    /// Offer only those of the shared files that were published
    #[arg(long, requires_all = ["share", "store"])]
    pub published_only: bool,

    /// Print what is in this database as a key-value file, and exit: 1 where a key is left out that no line can hold.
    /// What was deleted or published is counted on stderr
    #[arg(long, value_name = "FILE", conflicts_with_all = NOT_BESIDE_EXPORT)]
    pub export: Option<PathBuf>,

    /// Read data, members, options and what is in the database, see whether events and the database could be written, look through
    /// what would be shared, print what would be served, to whom and how fast, and exit; writes nothing, and may be done beside a servent that runs
    #[arg(long)]
    pub check: bool,

    /// The process that starts this one and that it is not to outlive.
    #[arg(long, value_name = "PID", hide = true)]
    pub with_parent: Option<i32>,

    /// How much is logged.
    #[command(flatten)]
    pub verbosity: Verbosity,
}

impl Options {
    /// Reads those of this process. What is wrong with them, each by itself or all together, ends it in words.
    pub(crate) fn read() -> Options {
        let options = Options::parse();
        if let Err(error) = options.check_together() {
            error.exit();
        }
        options
    }

    /// Those of these words, as they would stand behind the name of the program.
    pub fn of<Word: Into<OsString> + Clone>(words: impl IntoIterator<Item = Word>) -> Result<Options, clap::Error> {
        let words = words.into_iter().map(Into::into);
        let options = Options::try_parse_from([OsString::from("servent")].into_iter().chain(words))?;
        options.check_together()?;
        Ok(options)
    }

    /// What is spoken: our own always, each other where it is asked for.
    #[must_use]
    pub fn dialects(&self) -> Dialects {
        if self.tp3 { Dialects::OWN.with(Dialect::Tp3) } else { Dialects::OWN }
    }

    /// Where clients may be that get each answer alone, over a connection dialled to them, besides this machine's own
    /// networks; nothing where no dialect is spoken that has such clients.
    pub(crate) fn answer_networks(&self) -> Option<&[IpNet]> {
        let is_alone = |dialect: Dialect| matches!(dialect.manners().answers, Bringing::Alone { .. });
        self.dialects().each().any(is_alone).then_some(&self.tp3_answers)
    }

    /// A `.topo` file says the same of its lines in words of its own.
    fn check_together(&self) -> Result<(), clap::Error> {
        for neighbor in &self.neighbors {
            let (dialect, _) = Dialect::told_by(neighbor);
            if !self.dialects().include(dialect) {
                let Manners { name, option, .. } = dialect.manners();
                let said = format!("neighbor {neighbor} speaks {name}: say {option} to speak it too");
                return Err(Options::command().error(ErrorKind::MissingRequiredArgument, said));
            }
        }
        self.check_files()
    }

    /// What a servent writes itself is a file of its own: a log of events would be replaced by a list of members, or stand
    /// behind the data.
    fn check_files(&self) -> Result<(), clap::Error> {
        let data = match &self.data {
            DataSource::None => None,
            DataSource::File(path) => Some(path),
        };
        let files = [
            ("DATA", data),
            ("--store", self.store.as_ref()),
            ("--never", self.never.as_ref()),
            ("--members", self.members.as_ref()),
            ("--events", self.events.as_ref()),
        ];
        let given = files.iter().filter_map(|(name, path)| path.map(|path| (name, path)));
        for (place, (name, path)) in given.clone().enumerate() {
            if let Some((other, _)) = given.clone().skip(place + 1).find(|(_, other)| is_same_file(path, other)) {
                let shown = Escaped::new(path.as_os_str().as_bytes());
                let said = format!("{name} and {other} are one file, {shown}: name another file for {other}");
                return Err(Options::command().error(ErrorKind::ArgumentConflict, said));
            }
        }
        self.check_names_beside()
    }

    /// Nor is any of them under a name that another takes for a while, or comes to.
    fn check_names_beside(&self) -> Result<(), clap::Error> {
        let data = if let DataSource::File(path) = &self.data { Some(path.as_path()) } else { None };
        let (members, events, never) = (self.members.as_deref(), self.events.as_deref(), self.never.as_deref());
        let scratch = members.map(members_file::scratch_of);
        let rotated = events.map(events_file::before);
        let (store, anew) = (self.store.as_deref(), self.store.as_deref().map(database::beside));
        let mut taken = vec![
            ("DATA", data, "--members", &scratch, "is written to before it is renamed"),
            ("--never", never, "--members", &scratch, "is written to before it is renamed"),
            ("--events", events, "--members", &scratch, "is written to before it is renamed"),
            ("--store", store, "--members", &scratch, "is written to before it is renamed"),
            ("DATA", data, "--store", &anew, "is written to before it is renamed"),
            ("--never", never, "--store", &anew, "is written to before it is renamed"),
            ("--members", members, "--store", &anew, "is written to before it is renamed"),
            ("--events", events, "--store", &anew, "is written to before it is renamed"),
            ("--store", store, "--events", &rotated, "becomes when it is full"),
            ("DATA", data, "--events", &rotated, "becomes when it is full"),
            ("--never", never, "--events", &rotated, "becomes when it is full"),
            ("--members", members, "--events", &rotated, "becomes when it is full"),
        ];
        let kept = NAMES_IN_CACHE.map(|name| self.cache.as_ref().map(|directory| directory.join(name)));
        for kept in &kept {
            for (name, path) in
                [("DATA", data), ("--store", store), ("--never", never), ("--members", members), ("--events", events)]
            {
                taken.push((name, path, "--cache", kept, "keeps hashes in"));
            }
        }
        for (name, path, other, beside, taken) in taken {
            if let (Some(path), Some(beside)) = (path, beside)
                && is_same_file(path, beside)
            {
                let shown = Escaped::new(path.as_os_str().as_bytes());
                let said = format!("{name} is {shown}, which {other} {taken}: name another file for {other}");
                return Err(Options::command().error(ErrorKind::ArgumentConflict, said));
            }
        }
        self.check_shared()
    }

    /// Nor is what it writes in the directory that it shares: others would be told of it.
    fn check_shared(&self) -> Result<(), clap::Error> {
        let Some(share) = &self.share else { return Ok(()) };
        let written = [
            ("--cache", &self.cache),
            ("--members", &self.members),
            ("--events", &self.events),
            ("--store", &self.store),
        ];
        for (name, path) in written {
            if let Some(path) = path
                && is_beneath(path, share)
            {
                let shown = Escaped::new(path.as_os_str().as_bytes());
                let said = format!("{name} is {shown}, which --share shares: name another place for {name}");
                return Err(Options::command().error(ErrorKind::ArgumentConflict, said));
            }
        }
        Ok(())
    }
}

/// Where the data comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSource {
    /// There is none.
    None,
    /// A file, read at the start and again at every SIGHUP.
    File(PathBuf),
}

impl From<OsString> for DataSource {
    fn from(text: OsString) -> DataSource {
        if text == "-" { DataSource::None } else { DataSource::File(text.into()) }
    }
}

impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataSource::None => f.write_str("none"),
            DataSource::File(path) => write!(f, "{}", Escaped::new(path.as_os_str().as_bytes())),
        }
    }
}

/// How much is logged, on stderr.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verbosity {
    /// How many times `-v` was given.
    #[arg(
        short = 'v',
        long = "verbose",
        action = ArgAction::Count,
        help = "Log more (-v debug, -vv trace); RUST_LOG chooses in detail"
    )]
    more: u8,

    /// Log less (-q warnings, -qq errors)
    #[arg(short = 'q', long = "quiet", action = ArgAction::Count, conflicts_with = "more")]
    less: u8,
}

impl Verbosity {
    /// Whether anything was said of it.
    #[must_use]
    pub fn is_said(self) -> bool {
        self.more > 0 || self.less > 0
    }

    /// The level asked for; `RUST_LOG`, where set, has the last word.
    #[must_use]
    pub fn level(self) -> log::LevelFilter {
        match (self.more, self.less) {
            (0, 0) => log::LevelFilter::Info,
            (1, _) => log::LevelFilter::Debug,
            (0, 1) => log::LevelFilter::Warn,
            (0, _) => log::LevelFilter::Error,
            _ => log::LevelFilter::Trace,
        }
    }
}

fn parse_network(text: &str) -> Result<IpNet, String> {
    text.parse().map_err(|_| "not a network such as 192.168.0.0/16 or fd00::/8".to_owned())
}

/// In powers of ten, as what comes of it is shown.
fn parse_rate(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.char_indices().next_back() {
        Some((place, 'k' | 'K')) => (text.split_at(place).0, 1_000),
        Some((place, 'm' | 'M')) => (text.split_at(place).0, 1_000_000),
        Some((place, 'g' | 'G')) => (text.split_at(place).0, 1_000_000_000),
        _ => (text, 1),
    };
    let rate = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).filter(|rate| *rate > 0);
    rate.ok_or_else(|| "a number of bytes a second, such as 500000, 500k, 10M or 1G".to_owned())
}

fn parse_ttl(text: &str) -> Result<u8, String> {
    let ttl = text.parse().ok().filter(|ttl| *ttl <= TTL_MAX);
    ttl.ok_or_else(|| format!("a number from 0 to {TTL_MAX}"))
}

/// What others would have to be shown escaped is a mistake of whoever types it.
fn parse_name(text: &str) -> Result<ServentName, String> {
    let name = ServentName::try_from(text).map_err(|error| error.to_string())?;
    if text.trim().is_empty() {
        return Err("the name is blank".to_owned());
    }
    let odd = text.chars().find(|letter| misleads(*letter));
    odd.map_or(Ok(name), |odd| {
        Err(format!("the name has a character that no terminal shows, {}", odd.escape_default()))
    })
}

/// It stays as it is written: that is how the log calls it.
fn parse_neighbor(text: &str) -> Result<String, ServentError> {
    parse_servent(text).map(|_| text.to_owned())
}

fn parse_advertise(text: &str) -> Result<Address, String> {
    let address: Address = text.parse().map_err(|error: <Address as std::str::FromStr>::Err| error.to_string())?;
    match &address.host {
        _ if address.port == 0 => Err(format!("`{text}` cannot be told to others: nobody listens on port 0")),
        Host::Ip(ip) if !is_of_one_host(ip.to_canonical()) => {
            Err(format!("`{text}` cannot be told to others: it is no one host's"))
        }
        Host::Zoned(..) => {
            Err(format!("`{text}` cannot be told to others: they do not know this machine's interfaces"))
        }
        _ => Ok(address),
    }
}

fn is_of_one_host(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::V4(Ipv4Addr::BROADCAST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::limits::NAME_BYTES_MAX;

    #[test]
    fn every_option_is_in_the_readme() {
        let page = include_str!("../../README.md");
        let command = Options::command();
        let mut checked = 0;
        for option in command.get_arguments().filter(|option| !option.is_hide_set()) {
            let Some(long) = option.get_long() else { continue };
            let is_short = |short: char| page.contains(&format!("`-{short}`"));
            let is_told = page.contains(&format!("`--{long}")) || option.get_short().is_some_and(is_short);
            assert!(is_told, "README does not tell of --{long}");
            checked += 1;
        }
        assert!(checked > 4, "{checked}");
    }

    #[test]
    fn beside_export_is_only_how_much_is_logged() {
        let command = Options::command();
        let others = command.get_arguments().map(|argument| argument.get_id().as_str());
        let others: Vec<_> = others.filter(|id| !["export", "more", "less", "help", "version"].contains(id)).collect();
        assert_eq!(others, NOT_BESIDE_EXPORT);
        for (line, fine) in [
            ("servent --export north.db", true),
            ("servent -q --export north.db", true),
            ("servent --export north.db -vv", true),
            ("servent --export north.db 9000 -", false),
            ("servent --export north.db --check", false),
            ("servent --export north.db --ttl 3", false),
        ] {
            assert_eq!(Options::try_parse_from(line.split(' ')).is_ok(), fine, "{line}");
        }
    }

    #[test]
    fn the_command_line_is_sound() {
        Options::command().debug_assert();
    }

    #[test]
    fn what_can_be_said_and_what_cannot() {
        for (line, fine) in [
            ("servent 9000 data.txt", true),
            ("servent 9000 -", true),
            ("servent [::1]:0 - localhost:9001 127.0.0.1:9002 --ttl 0", true),
            ("servent 9000 - --ttl 15 --forward-once -v", true),
            ("servent 9000 - --advertise 10.0.0.1:9000", true),
            ("servent 9000 - --name kitchen", true),
            ("servent 9000 - --name Küche--é", true),
            ("servent 9000 - --name", false),
            ("servent 9000 - --name kitchen --name cellar", false),
            ("servent 9000 - --events north.jsonl", true),
            ("servent 9000 - --events", false),
            ("servent 9000 - --members north.peers", true),
            ("servent 9000 - --members", false),
            ("servent 9000 - --share films --never bad.txt --cache hashes", true),
            ("servent 9000 - --share films --share-to 10.0.0.0/8 --share-to fd00::/8 --share-rate 10M", true),
            ("servent 9000 - --share films --share-rate 1", true),
            ("servent 9000 - --share films --share-rate 0", false),
            ("servent 9000 - --share films --share-rate 18446744073709551615k", false),
            ("servent 9000 - --share films --share-rate fast", false),
            ("servent 9000 - --share films --share-to here", false),
            ("servent 9000 - --share-to 10.0.0.0/8", false),
            ("servent 9000 - --share-rate 10M", false),
            ("servent 9000 - --share", false),
            ("servent 9000 - --never bad.txt", false),
            ("servent 9000 - --cache hashes", false),
            ("servent 9000", false),
            ("servent", false),
            ("servent 65536 -", false),
            ("servent localhost:9000 - 9001 tp3://9002", true),
            ("servent [fe80::1%eth0]:9000 - [fe80::2%eth0]:9001", true),
            ("servent 9000 - --advertise there.example:9000", true),
            ("servent 9000 - --advertise 9001", true),
            ("servent 9000 - --advertise [fe80::1%eth0]:9000", false),
            ("servent -1 -", false),
            ("servent [fe80::1]:9000 -", false),
            ("servent 9000 - 0", false),
            ("servent 9000 - there", false),
            ("servent nonsense -", false),
            ("servent 9000 - --ttl 16", false),
            ("servent 9000 - --ttl -1", false),
            ("servent 9000 - --advertise 0.0.0.0:9000", false),
            ("servent 9000 - --advertise 10.0.0.1:0", false),
            ("servent 9000 - -v -q", false),
            ("servent 9000 - tp3://127.0.0.1:9001 --tp3 --tp3-answers 10.0.0.0/8 --tp3-answers fd00::/8", true),
            ("servent 9000 - --tp3-answers 10.0.0.0/8", false),
            ("servent 9000 - --tp3 --tp3-answers 10.0.0.0/33", false),
            ("servent 9000 - --tp3 --tp3-answers everywhere", false),
        ] {
            assert_eq!(Options::try_parse_from(line.split(' ')).is_ok(), fine, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused_in_words() {
        let long_name = format!("servent 9000 - --name {}", "n".repeat(NAME_BYTES_MAX + 1));
        for (line, said) in [
            ("servent 70000 -", "`70000` is no port from 0 to 65535; the forms are PORT"),
            ("servent -1 -", "`-1` is no port from"),
            ("servent localhost -", "`localhost` has no port; the forms are PORT"),
            ("servent ::1:9000 -", "`::1:9000` has an IPv6 address without its brackets; the forms are PORT"),
            ("servent 9000 - tp4://a:1", "`tp4://` is not `tp3://`"),
            ("servent 9000 - a:0", "nobody listens on port 0"),
            ("servent 9000 - --ttl 16", "a number from 0 to 15"),
            ("servent 9000 - --ttl -1", "a number from 0 to 15"),
            ("servent 9000 - --ttl many", "a number from 0 to 15"),
            ("servent 9000 - --name ", "the name is empty"),
            (&long_name, "the name has 65 bytes; 64 is the most"),
            ("servent 9000 - --name a\x1b[2J", "the name has a character that no terminal shows, \\u{1b}"),
            ("servent 9000 - --name a\u{202e}b", "the name has a character that no terminal shows, \\u{202e}"),
            ("servent 9000 - --advertise [::]:9000", "cannot be told to others: it is no one host's"),
            ("servent 9000 - --advertise [::ffff:0.0.0.0]:9000", "cannot be told to others: it is no one host's"),
            ("servent 9000 - --advertise 224.0.0.1:9000", "cannot be told to others: it is no one host's"),
            ("servent 9000 - --advertise 255.255.255.255:9000", "cannot be told to others: it is no one host's"),
            ("servent 9000 - --advertise there:0", "cannot be told to others: nobody listens on port 0"),
            ("servent 9000 - --tp3 --tp3-answers 10.0.0.0", "not a network such as 192.168.0.0/16"),
        ] {
            let error = Options::try_parse_from(line.split(' ')).unwrap_err();
            assert!(error.to_string().contains(said), "{line}: {error}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn a_neighbor_in_another_dialect_takes_the_option_to_speak_it() {
        let check = |line: &str| Options::try_parse_from(line.split(' ')).unwrap().check_together();
        assert!(check("servent 9000 - --tp3 tp3://9001 9002").is_ok() && check("servent 9000 - 9002").is_ok());
        let error = check("servent 9000 - 9002 tp3://9001").unwrap_err();
        assert!(error.to_string().contains("neighbor tp3://9001 speaks TP3: say --tp3"), "{error}");
        assert_eq!(error.exit_code(), 2);
    }

    #[test]
    fn what_a_servent_writes_is_a_file_of_its_own() {
        let check = |line: &str| Options::try_parse_from(line.split(' ')).unwrap().check_together();
        for (line, said) in [
            ("--members nobodys --events nobodys", "--members and --events are one file, nobodys: name another"),
            ("--events ./nobodys --members nobodys", "--members and --events are one file, nobodys: name another"),
            ("--members nobodys --events nobodys2", ""),
        ] {
            let checked = check(&format!("servent 9000 - {line}"));
            assert_eq!(checked.is_ok(), said.is_empty(), "{line}");
            let Err(error) = checked else { continue };
            assert!(error.to_string().contains(said), "{line}: {error}");
            assert_eq!(error.exit_code(), 2);
        }
        let data = check("servent 9000 nobodys --events nobodys").unwrap_err().to_string();
        assert!(data.contains("DATA and --events are one file, nobodys: name another file for --events"), "{data}");
        assert!(check("servent 9000 /dev/null --events /dev/null").is_ok());
        for (line, said) in [
            (
                "- --members nobodys --events nobodys.new",
                "--events is nobodys.new, which --members is written to before",
            ),
            (
                "nobodys.new --members ./nobodys",
                "DATA is nobodys.new, which --members is written to before it is renamed",
            ),
            (
                "- --members nobodys.1 --events nobodys",
                "--members is nobodys.1, which --events becomes when it is full",
            ),
            (
                "nobodys.1 --events nobodys",
                "DATA is nobodys.1, which --events becomes when it is full: name another file",
            ),
        ] {
            let error = check(&format!("servent 9000 {line}")).unwrap_err();
            assert!(error.to_string().contains(said) && error.exit_code() == 2, "{line}: {error}");
        }
        for (line, said) in [
            ("--members nobodys --never nobodys", "--never and --members are one file, nobodys"),
            ("--members nobodys --never nobodys.new", "--never is nobodys.new, which --members is written to before"),
            ("--events nobodys/hashes --cache nobodys", "--events is nobodys/hashes, which --cache keeps hashes in"),
            ("--cache src/nobodys", "--cache is src/nobodys, which --share shares: name another place for --cache"),
            ("--cache ./src/../src", "--cache is ./src/../src, which --share shares"),
            ("--events src/nobodys/e", "--events is src/nobodys/e, which --share shares"),
            ("--members src/nobodys", "--members is src/nobodys, which --share shares"),
        ] {
            let error = check(&format!("servent 9000 - --share src {line}")).unwrap_err();
            assert!(error.to_string().contains(said) && error.exit_code() == 2, "{line}: {error}");
        }
        assert!(check("servent 9000 - --share src --cache nobodys --members src2 --never src/nobodys").is_ok());
        assert!(check("servent 9000 nobodys.2 --members nobodys.old --events nobodys").is_ok());
        assert!(check("servent 9000 - --events -").is_ok());
    }

    #[test]
    fn each_dialect_but_our_own_is_spoken_where_its_option_says_so_and_nowhere_else() {
        let dialects = |line: &str| Options::try_parse_from(line.split_whitespace()).unwrap().dialects();
        for dialect in Dialect::ALL.iter().copied() {
            let option = dialect.manners().option;
            assert_eq!(dialects(&format!("servent 9000 - {option}")), Dialects::OWN.with(dialect), "{option}");
        }
    }

    #[test]
    fn more_neighbors_than_links_are_refused() {
        let line = |count: usize| {
            let neighbors = (0..count).map(|n| format!("127.0.0.1:{}", 1000 + n));
            ["servent", "0", "-"].map(str::to_owned).into_iter().chain(neighbors)
        };
        assert!(Options::try_parse_from(line(NEIGHBORS_MAX)).is_ok());
        assert!(Options::try_parse_from(line(NEIGHBORS_MAX + 1)).is_err());
    }
}
