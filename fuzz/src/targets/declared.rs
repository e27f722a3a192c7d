//! A `.topo` file of any text.
//!
//! A host that is called by a name would have to be looked up, so a text with one is left alone.

use std::net::SocketAddr;
use std::path::Path;

use clap::Parser;
use servent::options::{DataSource, Options};
use topologies::declared::Topology;

use crate::Outcome;

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let declared = std::str::from_utf8(bytes).ok().and_then(lines);
    let is_named = |options: &Options| {
        let own = [Some(&options.listen), options.advertise.as_ref()];
        let mut names = own.into_iter().flatten().map(ToString::to_string).chain(options.neighbors.iter().cloned());
        names.any(|name| asks_a_name_server(&name))
    };
    if declared.iter().flatten().any(is_named) {
        return Outcome::Refused;
    }
    let Ok(topology) = Topology::parse("fuzz", bytes, Path::new("/somewhere")) else { return Outcome::Refused };

    let count = topology.servents.len();
    let declared = declared.expect("what is refused here is refused there");
    assert_eq!(declared.len(), count, "a servent for each line that is no comment");
    for (line, taken) in declared.iter().zip(&topology.servents) {
        assert_eq!(line.listen.to_string(), taken.listen.to_string(), "in the order of the file");
        assert!(!line.check && !line.verbosity.is_said() && line.with_parent.is_none(), "it has no place in a line");
        assert_eq!(line.data == DataSource::None, taken.options.data == DataSource::None);
        if let (DataSource::File(said), DataSource::File(taken)) = (&line.data, &taken.options.data) {
            let said = said.strip_prefix("..").unwrap_or(said);
            let bytes = |path: &Path| path.as_os_str().as_encoded_bytes().to_vec();
            assert!(bytes(taken).ends_with(&bytes(said)), "{taken:?} for {said:?}");
        }
    }
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

/// What the lines say, read by the rules of README.md letter by letter; none where one of them is not to be taken.
fn lines(text: &str) -> Option<Vec<Options>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let words = text.lines().map(words).collect::<Option<Vec<_>>>()?;
    let options = words.into_iter().filter(|words| !words.is_empty()).map(|words| {
        let skipped = usize::from(words[0] == "servent");
        let words = words.into_iter().skip(skipped);
        Options::try_parse_from(std::iter::once("servent".to_owned()).chain(words)).ok()
    });
    options.collect()
}

/// Where the reading of a line is.
enum Place {
    Between,
    Bare(String),
    Quoted(char, String),
    /// After a quote that ended a word.
    Behind,
}

fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut place = Place::Between;
    // A blank behind the line ends its last word as any other.
    for letter in line.chars().chain([' ']) {
        place = match (place, letter) {
            (Place::Between, '#') => return Some(words),
            (Place::Between | Place::Behind, ' ' | '\t') => Place::Between,
            (Place::Between, '"' | '\'') => Place::Quoted(letter, String::new()),
            (Place::Between, _) => Place::Bare(letter.to_string()),
            (Place::Behind, _) => return None,
            (Place::Bare(word), ' ' | '\t') => {
                words.push(word);
                Place::Between
            }
            (Place::Quoted(quote, word), _) if letter == quote => {
                words.push(word);
                Place::Behind
            }
            (Place::Bare(word), _) => Place::Bare(word + letter.encode_utf8(&mut [0; 4])),
            (Place::Quoted(quote, word), _) => Place::Quoted(quote, word + letter.encode_utf8(&mut [0; 4])),
        };
    }
    matches!(place, Place::Between | Place::Behind).then_some(words)
}

/// Whether a servent is called by anything but its address. What is no address and no name with a port is refused
/// without asking anybody.
fn asks_a_name_server(name: &str) -> bool {
    let host = name.strip_prefix("tp3://").unwrap_or(name);
    host.contains(':') && host.parse::<SocketAddr>().is_err()
}

fn told_again(arguments: Vec<String>) -> Option<String> {
    let words = std::iter::once("servent".to_owned()).chain(arguments);
    Options::try_parse_from(words).ok().map(|options| told(&options))
}

/// Everything about a servent but how much it logs.
fn told(options: &Options) -> String {
    let Options { listen, data, neighbors, ttl, advertise, forward_once, tp3, tp3_answers, members, events, .. } =
        options;
    format!(
        "{listen} {data:?} {neighbors:?} {ttl} {advertise:?} {forward_once} {tp3} {tp3_answers:?} {members:?} {events:?}"
    )
}
