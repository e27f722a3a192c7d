//! A `.topo` file of any text.
//!
//! A neighbor that is called by a name would have to be looked up, so a text with one is left alone.

use std::net::SocketAddr;
use std::path::Path;

use clap::Parser;
use servent::options::Options;
use servent::sockets::TP3_SCHEME;
use topologies::declared::Topology;

use crate::Outcome;

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(bytes);
    if text.lines().any(asks_a_name_server) {
        return Outcome::Refused;
    }
    let Ok(topology) = Topology::parse("fuzz", &text, Path::new("/somewhere")) else { return Outcome::Refused };

    let count = topology.servents.len();
    assert!(count > 0 && topology.addresses().len() == count);
    for (one, other) in topology.links() {
        assert!(one < other && other < count, "a link between {one} and {other} of {count}");
    }
    for (place, declared) in topology.servents.iter().enumerate() {
        for neighbor in &declared.neighbors {
            assert!(topology.servents[*neighbor].neighbors.contains(&place), "a link has two ends");
        }
        assert_eq!(told_again(declared.arguments()), Some(told(&declared.options)), "as it is started");
    }
    Outcome::Taken
}

/// Whether a line names a neighbor by anything but its address. What is no address and no name with a port is refused
/// without asking anybody.
fn asks_a_name_server(line: &str) -> bool {
    let words = line.split_whitespace().skip_while(|word| *word == "servent");
    let Ok(options) = Options::try_parse_from(std::iter::once("servent").chain(words)) else { return false };
    options.neighbors.iter().any(|name| {
        let host = name.strip_prefix(TP3_SCHEME).unwrap_or(name);
        host.contains(':') && host.parse::<SocketAddr>().is_err()
    })
}

fn told_again(arguments: Vec<String>) -> Option<String> {
    let words = std::iter::once("servent".to_owned()).chain(arguments);
    Options::try_parse_from(words).ok().map(|options| told(&options))
}

/// Everything about a servent but how much it logs.
fn told(options: &Options) -> String {
    let Options { listen, data, neighbors, ttl, advertise, forward_once, tp3, tp3_answers, .. } = options;
    format!("{listen} {data:?} {neighbors:?} {ttl} {advertise:?} {forward_once} {tp3} {tp3_answers:?}")
}
