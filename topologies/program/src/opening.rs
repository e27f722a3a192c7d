//! What stands between an overlay that is up and the client that is opened on it: what a person is told of the overlay, and
//! what the client is.

use std::fmt::Write as _;

use client::program::options::Options;
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

/// The words of the client: what it was told to do, or, every so often, the picture; and where. What the client would refuse, or
/// answer without asking anybody, as its help, is an error.
pub fn client_words(topology: &Topology, every: Option<&str>, told: &[String]) -> Result<Vec<String>, clap::Error> {
    let contact = topology.servents[0].listen.to_string();
    let read = |words: &[String]| Options::try_parse_from([&["client".to_owned()], words].concat());
    let mut words: Vec<String> = [told, &[contact]].concat();
    let options = read(&words)?;
    if let Some(every) = every {
        let picture = if options.commands.is_empty() { &["-c", "T"][..] } else { &[] };
        words.splice(0..0, ["--every", every].iter().chain(picture).map(|word| (*word).to_owned()));
        read(&words)?;
    }
    Ok(words)
}

/// The same for a person who has said nothing of what is to be asked, and is told what there is.
#[must_use]
pub fn with_hint(topology: &Topology, words: Vec<String>) -> Vec<String> {
    [vec![format!("--hint={}", hint(topology))], words].concat()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::error::ErrorKind;

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
            client_words(&chain(2), every, &told).map(|words| words.join(" ")).map_err(|error| error.kind())
        };
        let well = |words: &str| Ok(words.to_owned());
        assert_eq!(words(None, ""), well("127.0.0.1:9001"));
        assert_eq!(words(None, "--json -c T"), well("--json -c T 127.0.0.1:9001"));
        assert_eq!(words(Some("2s"), ""), well("--every 2s -c T 127.0.0.1:9001"));
        assert_eq!(words(Some("2s"), "--json"), well("--every 2s -c T --json 127.0.0.1:9001"));
        // What only looks like a command is a value of another option.
        assert_eq!(words(Some("2s"), "--hint -c"), Err(ErrorKind::InvalidValue));
        assert_eq!(words(Some("2s"), "--hint=-c"), well("--every 2s -c T --hint=-c 127.0.0.1:9001"));
        for told in ["-c ?tea", "-c?tea", "--command ?tea", "--command=?tea", "-qc T", "-qcT"] {
            assert_eq!(words(Some("2s"), told), well(&format!("--every 2s {told} 127.0.0.1:9001")));
        }
        for (every, told, kind) in [
            (Some("2s"), "-c T -c T", ErrorKind::ArgumentConflict),
            (Some("2s"), "-c M", ErrorKind::ArgumentConflict),
            (Some("soon"), "", ErrorKind::ValueValidation),
            (None, "--nonsense", ErrorKind::UnknownArgument),
            (None, "--help", ErrorKind::DisplayHelp),
        ] {
            assert_eq!(words(every, told), Err(kind), "{told}");
        }
        assert_eq!(with_hint(&chain(2), vec!["9001".to_owned()]), ["--hint=try: T", "9001"]);
    }
}
