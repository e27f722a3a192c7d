//! The command lines of the programs: any words, also such as are no UTF-8.
//!
//! The first byte of the input says which program, the rest are its arguments, one on each line. Names are not looked
//! up and files not opened: that comes after.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use clap::Parser;
use common::address::Host;
use common::limits::{NEIGHBORS_MAX, TTL_MAX};

use crate::Outcome;
use crate::reader::Reader;

/// The longest a client may be told to wait.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// `topology sim`, without the program around it.
#[derive(Debug, Parser)]
#[command(name = "sim")]
struct Sim {
    #[command(flatten)]
    options: topology::runs::options::Options,
}

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let mut reader = Reader::new(bytes);
    let program = reader.byte() % 3;
    let rest = reader.rest();
    let words = rest.split(|byte| *byte == b'\n').map(|word| OsString::from_vec(word.to_vec()));
    let words = std::iter::once(OsString::from("program")).chain(words);
    let said = match program {
        0 => servent::options::Options::try_parse_from(words).map(|options| check_servent(&options)),
        1 => client::program::options::Options::try_parse_from(words).map(|options| check_client(&options)),
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
    for address in [Some(&options.listen), options.advertise.as_ref()].into_iter().flatten() {
        assert_eq!(address.to_string().parse().as_ref(), Ok(address), "what is written is what was read");
    }
    assert!(options.advertise.as_ref().is_none_or(|address| address.port != 0 && is_for_others(&address.host)));
    for neighbor in &options.neighbors {
        let host = neighbor.strip_prefix("tp3://").unwrap_or(neighbor);
        let port = host.rsplit_once(':').map_or(host, |(_, port)| port);
        assert!(
            port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse().is_ok_and(|port: u16| port > 0),
            "{neighbor}"
        );
    }
    assert!(!options.data.to_string().is_empty() || options.data != servent::options::DataSource::None);
    let _ = options.verbosity.level();
}

/// Others know nothing of this machine's interfaces, and what they are told has to be one host's.
fn is_for_others(host: &Host) -> bool {
    match host {
        Host::Ip(ip) => {
            let ip = ip.to_canonical();
            !ip.is_unspecified() && !ip.is_multicast() && ip.to_string() != "255.255.255.255"
        }
        Host::Zoned(..) => false,
        Host::Name(name) => !name.is_empty(),
    }
}

fn check_client(options: &client::program::options::Options) {
    assert!(!options.timeout.is_zero() && options.timeout <= TIMEOUT_MAX);
    assert!(options.answers != Some(0));
}
