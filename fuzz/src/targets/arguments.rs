//! The command lines of the programs: any words, also such as are no UTF-8.
//!
//! The first byte of the input says which program, the rest are its arguments, one on each line. Names are not looked
//! up and files not opened: that comes after.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use clap::Parser;
use common::config::{NEIGHBORS_MAX, TTL_MAX};

use crate::Outcome;
use crate::reader::Reader;

/// The longest a client may be told to wait.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// `topology sim`, without the program around it.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Sim {
    #[command(flatten)]
    options: topologies::sim::options::Options,
}

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let mut reader = Reader::new(bytes);
    let program = reader.byte() % 3;
    let rest = reader.rest();
    let words = rest.split(|byte| *byte == b'\n').map(|word| OsString::from_vec(word.to_vec()));
    let words = std::iter::once(OsString::from("program")).chain(words);
    let said = match program {
        0 => servent::options::Options::try_parse_from(words).map(|options| check_servent(&options)),
        1 => client::options::Options::try_parse_from(words).map(|options| check_client(&options)),
        _ => Sim::try_parse_from(words).map(|sim| drop(format!("{sim:?}"))),
    };
    if let Err(error) = &said {
        assert!(!error.to_string().is_empty(), "it is refused without a word");
    }
    Outcome::taken_if(said.is_ok())
}

fn check_servent(options: &servent::options::Options) {
    assert!(options.ttl <= TTL_MAX);
    assert!(options.neighbors.len() <= NEIGHBORS_MAX);
    assert!(options.tp3 || options.tp3_answers.is_empty());
    assert!(options.advertise.is_none_or(|address| address.port() != 0 && !address.ip().is_unspecified()));
    assert!(!options.data.to_string().is_empty() || options.data != servent::options::DataSource::None);
    let _ = options.verbosity.level();
}

fn check_client(options: &client::options::Options) {
    assert!(!options.timeout.is_zero() && options.timeout <= TIMEOUT_MAX);
    assert!(options.answers != Some(0));
}
