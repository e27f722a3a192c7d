//! The client's command line.
//!
//! It says what can be asked for; what the commands themselves are is `command`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use common::address::parse_servent;
use common::query::Ask;

use crate::program::command::Command;
pub use crate::program::topology::TopologyForm;

/// What the client was asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// How answers come.
    pub via: AnswersVia,
    /// The port to hear answers on, where one was named; 0 is any.
    pub answer_port: Option<u16>,
    /// The contact as it was named.
    pub contact: String,
    /// The commands to run instead of a script or a person's.
    pub commands: Vec<OsString>,
    /// How long to wait after the last answer.
    pub timeout: Duration,
    /// With how many answers a query ends.
    pub answers: Option<u64>,
    /// The form to write the topology in, instead of running commands.
    pub topology: Option<TopologyForm>,
    /// The file to write that to.
    pub output: Option<PathBuf>,
    /// How long after it was asked one command is asked again.
    pub every: Option<(Ask, Duration)>,
    /// Whether to print JSON.
    pub json: bool,
    /// Whether to say nothing on stderr but what went wrong.
    pub quiet: bool,
    /// The process that starts this one and that it is not to outlive.
    pub with_parent: Option<i32>,
    /// What a person is told before the first prompt.
    pub hint: Option<String>,
}

/// How answers come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum AnswersVia {
    /// Straight where this machine can be dialled, back by way of the contact where it cannot.
    #[default]
    Auto,
    /// By way of the contact alone.
    Back,
}

impl Options {
    /// Reads the arguments of this process; ends it where they make no sense, or ask for help.
    #[must_use]
    pub fn parse() -> Options {
        Options::try_parse_from(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads arguments, the program's name first.
    pub fn try_parse_from<Word: Into<OsString> + Clone>(
        words: impl IntoIterator<Item = Word>,
    ) -> Result<Options, clap::Error> {
        let line = CommandLine::try_parse_from(words)?;
        let (answer_port, contact) = places(line.answer_port, &line.places)
            .map_err(|(kind, message)| CommandLine::command().error(kind, message))?;
        let CommandLine {
            via,
            commands,
            timeout,
            answers,
            topology,
            output,
            every,
            json,
            quiet,
            with_parent,
            hint,
            ..
        } = line;
        if let Some(message) = what_hinders(via, answer_port, &contact) {
            return Err(CommandLine::command().error(ErrorKind::ArgumentConflict, message));
        }
        let every = every.map(|every| asked_every(&commands, every, answers.is_some())).transpose();
        let every = every.map_err(|message| CommandLine::command().error(ErrorKind::ArgumentConflict, message))?;
        Ok(Options {
            via,
            answer_port,
            contact,
            commands,
            timeout,
            answers,
            topology,
            output,
            every,
            json,
            quiet,
            with_parent,
            hint,
        })
    }
}

/// Asks an overlay of servents: `? KEY` for a key, `T` for the topology, `Q` to leave
#[derive(Debug, Parser)]
#[command(name = "client", version, max_term_width = 100)]
#[command(override_usage = "client [OPTIONS] [ANSWER_PORT] <CONTACT>")]
#[command(help_template = "\
{about}

{usage-heading} {usage}

Arguments:
  [ANSWER_PORT]  Port to hear answers on; by default a free one of 10000 to 32767, or else any
  <CONTACT>      PORT or HOST:PORT of any servent, tp3://HOST:PORT of one that speaks TP3

Options:
{options}{after-help}
")]
#[command(after_help = "\
Commands: ? KEY asks for a key, T for the topology, M for the members (M HOST:PORT: those of another servent), hello HOST:PORT has the \
contact greet a servent, find WORDS tells which files there are, ls [HOST:PORT] [PREFIX] those of one servent, get NAME or HASH fetches one \
(-o FILE, -f, --from IP:PORT, --sources FILE, --wait TIME), put KEY VALUE or @FILE and del KEY change a key of the contact, publish NAME \
[-d TEXT] and unpublish NAME what its files are described as, watch KEY... follows keys until Ctrl-C, help tells them, Q (or end of file) leaves. Where stdin is no \
terminal it is read as a script of them, in which lines that begin with # are comments.\n\n\
Where no port can be opened: client --via back 192.0.2.7:9000 -c '? coffee'\n\n\
Exit code with -c or a script, the highest that applies:
    0  every query was answered and nothing is missing, all members were told, whoever was greeted is there, what was written is kept
    1  nobody within reach has it (some query), ls has no file to list, several contents are called so, or the contact does not greet that address, or a write was refused or changed nothing
    2  usage, or an unknown command
    3  the contact, or whoever M, hello, ls or --from names, cannot be reached or is no servent
    4  the contact was lost; of a write nobody knows then whether it is kept
    5  incomplete: answers, reports, members, files, blocks or what came of a write did not arrive, or the contact cannot do it (now)
    6  this machine failed: no output, descriptor or answer port to be had, a file that exists or cannot be written, a value that cannot be read
  130  after Ctrl-C
  141  nobody reads the output any more (a broken pipe)")]
struct CommandLine {
    // Options may stand between the two, so what each word is can be told only once all are known.
    #[arg(value_name = "[ANSWER_PORT] CONTACT", hide = true)]
    places: Vec<String>,

    #[arg(long, help = "Port to hear answers on, as ANSWER_PORT; 0 takes any free one", value_name = "PORT")]
    #[arg(value_parser = parse_port, allow_negative_numbers = true)]
    answer_port: Option<u16>,

    /// How answers come: auto (dialled to this machine, and back through the contact where it cannot be) or back (through
    /// the contact alone: no port is opened)
    #[arg(long, value_name = "WAY", default_value = "auto", hide_possible_values = true)]
    via: AnswersVia,

    /// Run this command (or lines of them) and exit; may repeat
    #[arg(short, long = "command", value_name = "CMD")]
    commands: Vec<OsString>,

    /// How long to wait after the last answer, such as 250ms or 1.5 (seconds)
    #[arg(long, value_name = "DURATION", default_value = "4s")]
    #[arg(value_parser = parse_timeout, allow_negative_numbers = true)]
    timeout: Duration,

    /// End each query after N answers
    #[arg(short = 'n', long, value_name = "N", value_parser = parse_answers, allow_negative_numbers = true)]
    answers: Option<u64>,

    /// Ask for the topology, write it in this form, and exit: text, tree, dot (Graphviz), mermaid, svg or json. The same
    /// overlay gives the same bytes
    #[arg(long, value_name = "FORM", hide_possible_values = true, conflicts_with_all = ["commands", "every", "json"])]
    topology: Option<TopologyForm>,

    /// Write the topology to this file instead of stdout; it is replaced as a whole
    #[arg(short, long, value_name = "FILE", requires = "topology")]
    output: Option<PathBuf>,

    /// Ask the one command, -c T or -c '? KEY', again this often: of T the picture stays, with what changed marked; of ? KEY
    /// what changed is printed
    #[arg(long, value_name = "DURATION", value_parser = parse_every, allow_negative_numbers = true)]
    every: Option<Duration>,

    /// Print one JSON object per line
    #[arg(long)]
    json: bool,

    /// Say nothing on stderr but what went wrong
    #[arg(short, long)]
    quiet: bool,

    /// The process that starts this one and that it is not to outlive.
    #[arg(long, value_name = "PID", hide = true)]
    with_parent: Option<i32>,

    /// What a person is told before the first prompt, by whoever knows the overlay.
    #[arg(long, value_name = "TEXT", hide = true)]
    hint: Option<String>,
}

/// What words that are no options say: a contact, and before it perhaps a port.
fn places(option: Option<u16>, words: &[String]) -> Result<(Option<u16>, String), (ErrorKind, String)> {
    const ORDER: &str = "the order is: client [ANSWER_PORT] CONTACT";
    match words {
        [] => Err((ErrorKind::MissingRequiredArgument, format!("there is no CONTACT to ask; {ORDER}"))),
        // A port alone is a contact on this machine.
        [contact] => Ok((option, contact.clone())),
        [port, contact] => match (parse_port(port), option) {
            (Ok(_), Some(option)) => {
                let message =
                    format!("both ANSWER_PORT ({port}) and --answer-port ({option}) were given; one is enough");
                Err((ErrorKind::ArgumentConflict, message))
            }
            (Ok(port), None) => Ok((Some(port), contact.clone())),
            // A number that is no port is a slip in the number, and not in the order.
            (Err(_), _) if parse_port(contact).is_ok() && port.parse::<i128>().is_err() => {
                let message = format!("ANSWER_PORT comes before CONTACT: client {contact} {port}");
                Err((ErrorKind::ValueValidation, message))
            }
            (Err(error), _) => {
                Err((ErrorKind::ValueValidation, format!("`{port}` is no ANSWER_PORT, which is {error}; {ORDER}")))
            }
        },
        [_, _, more, ..] => Err((ErrorKind::UnknownArgument, format!("`{more}` is one argument too many; {ORDER}"))),
    }
}

/// What else was said that answers cannot come like this.
fn what_hinders(via: AnswersVia, answer_port: Option<u16>, contact: &str) -> Option<String> {
    if via == AnswersVia::Auto {
        return None;
    }
    if answer_port.is_some() {
        return Some("with --via back no answer port is opened: leave out the port, or --via back".to_owned());
    }
    // What is no contact is told as that, later.
    let (dialect, _) = parse_servent(contact).ok()?;
    let manners = dialect.manners();
    (!manners.brings_back).then(|| {
        let name = manners.name;
        format!("in {name} no answers come back: leave out --via back, or ask a servent by HOST:PORT, without {name}")
    })
}

/// Each time a query goes through all of the overlay.
const EVERY_LEAST: Duration = Duration::from_millis(100);

/// How often something is asked.
pub fn parse_every(text: &str) -> Result<Duration, String> {
    let every = parse_timeout(text)?;
    if every < EVERY_LEAST { Err("at least 100ms, each of which asks everybody".to_owned()) } else { Ok(every) }
}

/// Whether there is a form in which its changes are shown.
fn is_followed(ask: &Ask) -> bool {
    matches!(ask, Ask::Topology | Ask::Key(_))
}

/// What is to be asked again and again.
fn asked_every(commands: &[OsString], every: Duration, has_limit: bool) -> Result<(Ask, Duration), String> {
    let wanted = || "--every takes one command: -c T, or -c '? KEY'".to_owned();
    if has_limit {
        return Err("with --every nobody would be heard but the first -n who answer, each time others: leave out one"
            .to_owned());
    }
    let [command] = commands else { return Err(wanted()) };
    match Command::parse(command.as_bytes()) {
        Command::Ask(ask) if is_followed(&ask) => Ok((ask, every)),
        other => Err(other.fault().unwrap_or_else(wanted)),
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "a number from 1 to 65535, or 0 for any free port".to_owned())
}

fn parse_answers(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|answers| *answers > 0).ok_or_else(|| format!("a number from 1 to {}", u64::MAX))
}

/// Longer than anybody waits; without a bound the sum with the present moment would have none either.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

pub fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout: Option<Duration> = match text.parse::<f64>() {
        // A bare number means seconds, as it does for ping and curl.
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => humantime::parse_duration(text).ok(),
    };
    timeout.filter(|timeout| !timeout.is_zero() && *timeout <= TIMEOUT_MAX).ok_or_else(|| {
        "a duration such as 250ms, 4s or 1.5 (seconds), longer than nothing and at most a day (24h)".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::command::HELP;

    #[test]
    fn every_option_is_in_the_readme() {
        let page = include_str!("../../../README.md");
        let command = CommandLine::command();
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
    fn the_help_names_every_command() {
        let help = CommandLine::command().render_help().to_string();
        let words = HELP.lines().filter_map(|line| line.split(' ').next()).filter(|word| !word.is_empty());
        let commands = help.split("Commands: ").nth(1).and_then(|told| told.split("\n\n").next()).unwrap();
        let told: Vec<&str> = commands.split_whitespace().collect();
        let missing: Vec<&str> = words.filter(|word| !told.contains(word)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    fn parse(line: &str) -> Result<(Option<u16>, String), clap::Error> {
        let words = std::iter::once("client").chain(line.split_whitespace());
        Options::try_parse_from(words).map(|options| (options.answer_port, options.contact))
    }

    #[test]
    fn the_answer_port_may_be_left_out_and_options_stand_anywhere() {
        for (line, answer_port, contact) in [
            ("127.0.0.1:9000", None, "127.0.0.1:9000"),
            ("9000", None, "9000"),
            ("9990 9000", Some(9990), "9000"),
            ("0 9000", Some(0), "9000"),
            ("9990 127.0.0.1:9000", Some(9990), "127.0.0.1:9000"),
            ("9990 localhost:9000 --json", Some(9990), "localhost:9000"),
            ("9990 --json 127.0.0.1:9000", Some(9990), "127.0.0.1:9000"),
            ("9990 --timeout 2s -c T 127.0.0.1:9000 -n 1", Some(9990), "127.0.0.1:9000"),
            ("-q 9990 -c T 127.0.0.1:9000", Some(9990), "127.0.0.1:9000"),
            ("--answer-port 9990 127.0.0.1:9000", Some(9990), "127.0.0.1:9000"),
            ("127.0.0.1:9000 --answer-port=9990", Some(9990), "127.0.0.1:9000"),
            ("9000 --answer-port 0", Some(0), "9000"),
        ] {
            assert_eq!(parse(line).unwrap(), (answer_port, contact.to_owned()), "{line}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_words() {
        for (line, said) in [
            ("", "there is no CONTACT to ask; the order is: client [ANSWER_PORT] CONTACT"),
            ("127.0.0.1:9000 9990", "ANSWER_PORT comes before CONTACT: client 9990 127.0.0.1:9000"),
            ("127.0.0.1:9000 --json 9990", "ANSWER_PORT comes before CONTACT: client 9990 127.0.0.1:9000"),
            (
                "99999 h:1",
                "`99999` is no ANSWER_PORT, which is a number from 1 to 65535, or 0 for any free port; the order",
            ),
            (
                "70000 9000",
                "`70000` is no ANSWER_PORT, which is a number from 1 to 65535, or 0 for any free port; the order",
            ),
            ("nonsense h:1", "`nonsense` is no ANSWER_PORT"),
            ("1 2 3", "`3` is one argument too many; the order is: client [ANSWER_PORT] CONTACT"),
            ("--answer-port 1 2 h:3", "both ANSWER_PORT (2) and --answer-port (1) were given; one is enough"),
            ("--answer-port 65536 h:1", "'65536' for '--answer-port <PORT>': a number from 1 to 65535"),
            ("--answer-port -1 h:1", "'-1' for '--answer-port <PORT>'"),
            ("h:1 -n 0", "'0' for '--answers <N>': a number from 1 to 18446744073709551615"),
            ("h:1 -n -1", "'-1' for '--answers <N>': a number from 1"),
            ("h:1 -n 18446744073709551616", "a number from 1 to 18446744073709551615"),
            ("h:1 -n many", "a number from 1"),
            ("h:1 --timeout inf", "'inf' for '--timeout <DURATION>': a duration such as 250ms, 4s or 1.5 (seconds)"),
            ("h:1 --timeout -1", "'-1' for '--timeout <DURATION>': a duration such as"),
            ("h:1 --timeout 25h", "at most a day (24h)"),
        ] {
            let error = parse(line).expect_err(line);
            let text = error.to_string();
            assert!(text.contains(said), "{line}: {text}");
            assert!(text.contains("client [OPTIONS] [ANSWER_PORT] <CONTACT>") || text.contains("--help"), "{text}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn answers_come_back_if_that_is_wanted_and_nothing_else_stands_in_the_way() {
        let via = |line: &str| {
            let words = std::iter::once("client").chain(line.split_whitespace());
            Options::try_parse_from(words).map(|options| (options.via, options.answer_port))
        };
        assert_eq!(via("9000").unwrap(), (AnswersVia::Auto, None));
        assert_eq!(via("9990 9000 --via auto").unwrap(), (AnswersVia::Auto, Some(9990)));
        assert_eq!(via("tp3://h:9000 --via auto").unwrap(), (AnswersVia::Auto, None));
        assert_eq!(via("--via back h:9000").unwrap(), (AnswersVia::Back, None));
        assert_eq!(via("--via back nonsense").unwrap(), (AnswersVia::Back, None));
        let port = "with --via back no answer port is opened: leave out the port, or --via back";
        for (line, said) in [
            ("--via back 9990 h:9000", port),
            ("--via back 0 h:9000", port),
            ("--via back --answer-port 0 h:9000", port),
            (
                "--via back tp3://h:9000",
                "in TP3 no answers come back: leave out --via back, or ask a servent by HOST:PORT",
            ),
            ("--via sideways h:9000", "invalid value 'sideways' for '--via <WAY>'"),
        ] {
            let error = via(line).expect_err(line);
            assert!(error.to_string().contains(said), "{line}: {error}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn durations_as_people_write_them() {
        for (text, expected) in [
            ("4s", Some(4_000)),
            ("250ms", Some(250)),
            ("1.5", Some(1_500)),
            ("1m 30s", Some(90_000)),
            ("0", None),
            ("0s", None),
            ("-1", None),
            ("NaN", None),
            ("inf", None),
            ("-inf", None),
            ("1e300", None),
            ("24h", Some(86_400_000)),
            ("24h 1ns", None),
            ("1year", None),
            ("soon", None),
        ] {
            assert_eq!(parse_timeout(text).ok(), expected.map(Duration::from_millis), "{text}");
        }
    }
}
