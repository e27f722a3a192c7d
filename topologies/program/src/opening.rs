//! What stands between an overlay that is up and the client that is opened on it: what a person is told of the overlay, and
//! what the client is.

use std::fmt::Write as _;

use common::counted::counted;
use topologies::declared::Topology;
use topologies::hint::hint;
use topologies::logs::Logs;
use topologies::reach::horizon;

/// Of more servents not each is listed.
const LISTED_MAX: usize = 16;

/// What a person needs to know to attach more clients.
#[must_use]
pub fn overview(topology: &Topology, logs: Option<&Logs>) -> String {
    let addresses = topology.addresses();
    let [servents, links] =
        [(addresses.len(), "servent"), (topology.links().len(), "link")].map(|(n, what)| counted(n, what));
    let mut text = format!("{}: {servents}, {links}\n", topology.name);
    if addresses.len() > LISTED_MAX {
        text += &summary(topology);
    } else {
        for (place, declared) in topology.servents.iter().enumerate() {
            let neighbors: Vec<String> = declared.neighbors.iter().map(|other| addresses[*other].to_string()).collect();
            let (address, data, neighbors) = (addresses[place], &declared.options.data, neighbors.join(" "));
            let name = declared.options.name.as_ref().map_or(String::new(), |name| format!(" ({name})"));
            let _ = writeln!(text, "  {address}{name}  {data}  linked with {neighbors}");
        }
    }
    text.extend(horizon(topology).map(|horizon| format!("  {horizon}\n")));
    text.extend(logs.map(|logs| format!("  each keeps its log, the first in {}\n", logs.path(0).display())));
    text
}

/// Many servents in one line.
fn summary(topology: &Topology) -> String {
    let address = |place: usize| topology.servents[place].address();
    let degrees = topology.servents.iter().map(|declared| declared.neighbors.len());
    let (least, most) = (degrees.clone().min().unwrap_or_default(), degrees.max().unwrap_or_default());
    let degree = if least == most { format!("degree {most}") } else { format!("degree {least} to {most}") };
    let diameter = oracle::diameter(topology).map_or("not all connected".to_owned(), |n| format!("diameter {n}"));
    format!("  {} to {}, {diameter}, {degree}\n", address(0), address(topology.servents.len() - 1))
}

/// The words of the client: what it was told to do, or, every so often, the picture; and where.
#[must_use]
pub fn client_words(topology: &Topology, every: Option<&str>, told: &[String]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    if let Some(every) = every {
        words.extend(["--every".to_owned(), every.to_owned()]);
        if !told.iter().any(|word| word.starts_with("-c") || word.starts_with("--command")) {
            words.extend(["-c".to_owned(), "T".to_owned()]);
        }
    } else if told.is_empty() {
        // Whoever says what is to be asked needs to be told nothing.
        words.push(format!("--hint={}", hint(topology)));
    }
    words.extend(told.iter().cloned());
    words.push(topology.servents[0].listen.to_string());
    words
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn chain(servents: usize) -> Topology {
        let line = |place: usize| match place {
            0 => "9001 -\n".to_owned(),
            _ => format!("{} - {}\n", 9001 + place, 9000 + place),
        };
        let text: String = (0..servents).map(line).collect();
        Topology::parse("row", text, Path::new("")).unwrap()
    }

    #[test]
    fn few_servents_are_listed_and_of_many_is_said_where_they_are() {
        let few = "row: 2 servents, 1 link\n  127.0.0.1:9001  none  linked with 127.0.0.1:9002\n  \
                   127.0.0.1:9002  none  linked with 127.0.0.1:9001\n";
        assert_eq!(overview(&chain(2), None), few);
        assert_eq!(overview(&chain(16), None).lines().count(), 1 + 16 + 1);
        let many = "row: 17 servents, 16 links\n  127.0.0.1:9001 to 127.0.0.1:9017, diameter 16, degree 1 to 2\n  \
                    a query goes 4 links far, to 5 of 17 servents\n";
        assert_eq!(overview(&chain(17), None), many);
    }

    #[test]
    fn the_client_is_told_what_it_was_told_and_where() {
        let words = |every, told: &str| {
            let told: Vec<String> = told.split_whitespace().map(str::to_owned).collect();
            client_words(&chain(2), every, &told).join(" ")
        };
        assert_eq!(words(None, ""), "--hint=try: T 127.0.0.1:9001");
        assert_eq!(words(None, "--json -c T"), "--json -c T 127.0.0.1:9001");
        assert_eq!(words(Some("2s"), ""), "--every 2s -c T 127.0.0.1:9001");
        assert_eq!(words(Some("2s"), "--json"), "--every 2s -c T --json 127.0.0.1:9001");
        for told in ["-c ?tea", "-c?tea", "--command ?tea", "--command=?tea"] {
            assert_eq!(words(Some("2s"), told), format!("--every 2s {told} 127.0.0.1:9001"));
        }
    }
}
