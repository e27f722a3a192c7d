//! The client's command line.
//!
//! It says what can be asked for; what the commands themselves are is `command`.

use std::ffi::OsString;
use std::time::Duration;

use clap::Parser;

/// Asks an overlay of servents: `? KEY` for a key, `T` for the topology, `Q` to leave
#[derive(Clone, Debug, Parser)]
#[command(name = "client", version, max_term_width = 100, allow_missing_positional = true)]
#[command(after_help = "\
Commands: ? KEY asks for a key, T for the topology, help tells them, Q (or end of file) leaves. Where stdin is no \
terminal it is read as a script of them, in which lines that begin with # are comments.\n\n\
Exit code with -c or a script: 0 every query was answered, 1 some query had no answer, 2 usage or an \
unknown command, 3 the contact cannot be reached or is no servent, 4 the contact was lost; the highest \
that applies. 130 after Ctrl-C.")]
pub struct Options {
    /// Port to hear answers on; any free one by default
    #[arg(value_name = "ANSWER_PORT", default_value_t = 0, hide_default_value = true)]
    pub answer_port: u16,

    /// host:port of any servent, tp3://host:port of one that speaks TP3
    #[arg(value_name = "CONTACT")]
    pub contact: String,

    /// Run this command and exit; may repeat
    #[arg(short, long = "command", value_name = "CMD")]
    pub commands: Vec<OsString>,

    /// How long to wait after the last answer, such as 250ms or 1.5 (seconds)
    #[arg(long, value_name = "DURATION", default_value = "4s", value_parser = parse_timeout)]
    pub timeout: Duration,

    /// End each query after N answers
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub answers: Option<u64>,

    /// Print one JSON object per line
    #[arg(long)]
    pub json: bool,

    /// The process that starts this one and that it is not to outlive.
    #[arg(long, value_name = "PID", hide = true)]
    pub with_parent: Option<i32>,
}

/// Longer than anybody waits; without a bound the sum with the present moment would have none either.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

fn parse_timeout(text: &str) -> Result<Duration, String> {
    let timeout: Duration = match text.parse::<f64>() {
        // A bare number means seconds, as it does for ping and curl.
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?,
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string())?,
    };
    if timeout.is_zero() || timeout > TIMEOUT_MAX {
        return Err("more than nothing and at most a day".to_owned());
    }
    Ok(timeout)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        <Options as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn the_answer_port_may_be_left_out() {
        let parse =
            |line: &str| Options::try_parse_from(line.split(' ')).map(|options| (options.answer_port, options.contact));
        assert_eq!(parse("client 127.0.0.1:9000").unwrap(), (0, "127.0.0.1:9000".to_owned()));
        assert_eq!(parse("client 9990 127.0.0.1:9000").unwrap(), (9990, "127.0.0.1:9000".to_owned()));
        assert_eq!(parse("client 9990 localhost:9000 --json").unwrap(), (9990, "localhost:9000".to_owned()));
        assert!(parse("client").is_err());
        assert!(parse("client 99999 127.0.0.1:9000").is_err());
        assert!(parse("client nonsense 127.0.0.1:9000").is_err());
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
            ("1year", None),
            ("soon", None),
        ] {
            assert_eq!(parse_timeout(text).ok(), expected.map(Duration::from_millis), "{text}");
        }
    }
}
