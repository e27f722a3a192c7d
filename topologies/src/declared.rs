//! A `.topo` file: the command lines of an overlay's servents, and the graph they declare.
//!
//! It reads and refuses; nothing is started here. How a line is read is `line`; what may stand there is what
//! `servent --help` says.

mod line;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use common::address::canonical;
use common::dialect::{Dialect, Manners};
use servent::options::{DataSource, Options};
use servent::sockets;

/// Where the topologies that come with the project are, besides `topologies/` below the current directory.
const HOME: &str = env!("CARGO_MANIFEST_DIR");

/// More than any overlay of one machine needs; what is larger is no declaration.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// An overlay as declared.
#[derive(Clone, Debug)]
pub struct Topology {
    /// What it is called.
    pub name: String,
    /// Its servents, in the order of the file; the first is where a query enters.
    pub servents: Vec<Declared>,
}

/// One servent as declared.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its command line, the paths in it made independent of the current directory.
    pub options: Options,
    /// The address it listens on, whatever name it was given.
    pub listen: SocketAddr,
    /// The address it is told to go by, where there is one.
    pub advertise: Option<SocketAddr>,
    /// The servents it will be linked with, whichever of the two declares the link, as places in the file.
    pub neighbors: BTreeSet<usize>,
}

impl Topology {
    /// Finds a topology by name (`diamond`) or path (`./my.topo`) and reads it.
    pub fn load(name: &str) -> anyhow::Result<Topology> {
        let path = find(name)?;
        let mut text = Vec::new();
        let file = File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let read = file.take(TEXT_BYTES_MAX as u64 + 1).read_to_end(&mut text);
        read.with_context(|| format!("cannot read {}", path.display()))?;
        let directory = path.parent().unwrap_or(Path::new(""));
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
        Topology::parse(&name, &text, directory).with_context(|| format!("in {}", path.display()))
    }

    /// Reads the text of a `.topo` file. Relative paths start at `directory`.
    pub fn parse(name: &str, text: impl AsRef<[u8]>, directory: &Path) -> anyhow::Result<Topology> {
        let mut servents = Vec::new();
        for (index, line) in as_text(text.as_ref())?.lines().enumerate() {
            let parse = || match line.contains('\r') {
                true => bail!("a carriage return in the middle: a line ends with a line feed"),
                false => line::parse(line),
            };
            let mut declare = || -> anyhow::Result<()> {
                let Some(mut options) = parse()? else { return Ok(()) };
                if let DataSource::File(path) = &mut options.data {
                    *path = below(directory, path);
                }
                let Options { members, events, share, never, cache, store, .. } = &mut options;
                for path in [members, events, share, never, cache, store].into_iter().flatten() {
                    *path = below(directory, path);
                }
                let listen = sockets::resolve_one(&options.listen)?;
                let advertise = options.advertise.as_ref().map(sockets::resolve_one).transpose()?;
                servents.push(Declared { options, listen, advertise, neighbors: BTreeSet::new() });
                Ok(())
            };
            declare().with_context(|| format!("line {}", index + 1))?;
        }
        if servents.is_empty() {
            bail!("no servent is declared");
        }
        let mut topology = Topology { name: name.to_owned(), servents };
        topology.link()?;
        Ok(topology)
    }

    /// The same overlay on another address of this machine, so that two of them can run side by side. Only addresses
    /// on 127.0.0.1 are moved.
    #[must_use]
    pub fn moved_to(mut self, ip: Ipv4Addr) -> Topology {
        let moved = |mut address: SocketAddr| {
            if address.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST) {
                address.set_ip(ip.into());
            }
            address
        };
        for declared in &mut self.servents {
            declared.listen = moved(declared.listen);
            declared.advertise = declared.advertise.map(moved);
            for neighbor in &mut declared.options.neighbors {
                let (dialect, host) = Dialect::told_by(neighbor);
                if let Ok(address) = host.parse() {
                    *neighbor = format!("{}{}", dialect.manners().scheme, moved(address));
                }
            }
        }
        self
    }

    /// The links of the overlay, each once, the servent that comes first in the file first.
    #[must_use]
    pub fn links(&self) -> BTreeSet<(usize, usize)> {
        let ends = self.servents.iter().enumerate();
        ends.flat_map(|(place, declared)| declared.neighbors.range(place..).map(move |other| (place, *other))).collect()
    }

    /// Whether every link speaks a dialect in which a flood reports what came of it.
    #[must_use]
    pub fn reports(&self) -> bool {
        let mut names = self.servents.iter().flat_map(|declared| &declared.options.neighbors);
        names.all(|name| Dialect::told_by(name).0.manners().echoes)
    }

    /// The addresses the servents go by, in the order of the file.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.servents.iter().map(Declared::address).collect()
    }

    /// Finds out who is whose neighbor. From then on a neighbor is called by the address it listens on, whatever name it
    /// had: what is started, here or moved elsewhere, is what was found here.
    fn link(&mut self) -> anyhow::Result<()> {
        let mut places = BTreeMap::new();
        for (place, declared) in self.servents.iter().enumerate() {
            let listen = declared.listen;
            if listen.port() == 0 {
                bail!("servent {} has port 0: its neighbors could not be told where it is", place + 1);
            }
            if listen.ip().is_unspecified() {
                bail!("servent {} listens on every address: name the one its neighbors find it at", place + 1);
            }
            if places.insert(listen, place).is_some() {
                bail!("two servents on {listen}");
            }
        }
        for place in 0..self.servents.len() {
            for (index, name) in self.servents[place].options.neighbors.clone().into_iter().enumerate() {
                let known = sockets::resolve(&name)?
                    .addresses
                    .iter()
                    .find_map(|address| places.get(address).copied())
                    .ok_or_else(|| anyhow!("neighbor {name} is none of the servents declared here"))?;
                let (dialect, _) = Dialect::told_by(&name);
                let Manners { name: spoken, option, scheme, .. } = dialect.manners();
                for (end, what) in [(place, "has"), (known, "is")] {
                    let Declared { options, listen, .. } = &self.servents[end];
                    if !options.dialects().include(dialect) {
                        bail!("{listen} {what} a {spoken} neighbor and does not say {option}");
                    }
                }
                let listen = self.servents[known].listen;
                self.servents[place].options.neighbors[index] = format!("{scheme}{listen}");
                if known != place {
                    self.servents[place].neighbors.insert(known);
                    self.servents[known].neighbors.insert(place);
                }
            }
        }
        Ok(())
    }
}

impl Declared {
    /// The address the servent goes by, as others see it.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        canonical(self.advertise.unwrap_or(self.listen))
    }

    /// The arguments to start it with.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        // Every option is named, so that a new one is either told again or refused in a line.
        let Options {
            listen: _,
            data,
            neighbors,
            ttl,
            advertise: _,
            name,
            forward_once,
            tp3,
            tp3_answers,
            members,
            events,
            share,
            never,
            cache,
            share_to,
            share_rate,
            store,
            published_only,
            export: _,
            check: _,
            with_parent: _,
            verbosity: _,
        } = &self.options;
        let data = match data {
            DataSource::None => "-".to_owned(),
            DataSource::File(path) => path.display().to_string(),
        };
        let mut words = vec![self.listen.to_string(), data];
        words.extend(neighbors.iter().cloned());
        words.extend(["--ttl".to_owned(), ttl.to_string()]);
        if let Some(advertise) = self.advertise {
            words.extend(["--advertise".to_owned(), advertise.to_string()]);
        }
        // In one word, since it may begin with a dash.
        words.extend(name.iter().map(|name| format!("--name={}", name.as_str())));
        if *forward_once {
            words.push("--forward-once".to_owned());
        }
        if *published_only {
            words.push("--published-only".to_owned());
        }
        if *tp3 {
            words.push("--tp3".to_owned());
        }
        for network in tp3_answers {
            words.extend(["--tp3-answers".to_owned(), network.to_string()]);
        }
        for network in share_to {
            words.extend(["--share-to".to_owned(), network.to_string()]);
        }
        words.extend(share_rate.iter().flat_map(|rate| ["--share-rate".to_owned(), rate.to_string()]));
        for (option, path) in [
            ("--members", members),
            ("--events", events),
            ("--share", share),
            ("--never", never),
            ("--cache", cache),
            ("--store", store),
        ] {
            words.extend(path.iter().flat_map(|path| [option.to_owned(), path.display().to_string()]));
        }
        words
    }
}

/// The bytes of a file as text, without the mark some editors put before it.
fn as_text(bytes: &[u8]) -> anyhow::Result<&str> {
    if bytes.len() > TEXT_BYTES_MAX {
        bail!("more than {TEXT_BYTES_MAX} bytes: this is no declaration of an overlay");
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        bail!("this is UTF-16: save it as UTF-8");
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
        anyhow!("line {} is not UTF-8", before + 1)
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// A path as seen from the current directory; `topologies` and `../data/x` make `data/x`, which reads better in a log.
fn below(directory: &Path, path: &Path) -> PathBuf {
    let path = match (directory.file_name(), directory.parent(), path.strip_prefix("..")) {
        (Some(_), Some(parent), Ok(rest)) => parent.join(rest),
        _ => directory.join(path),
    };
    // A name that begins with a dash is a path all the same.
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") { Path::new(".").join(path) } else { path }
}

/// Where topologies are looked for by their names, and what a declaration that stands in no file is relative to.
#[must_use]
pub fn homes() -> [PathBuf; 2] {
    [PathBuf::from("topologies"), PathBuf::from(HOME)]
}

/// Whether something is the path of a `.topo` file, and not the name of one.
#[must_use]
pub fn is_path(name: &str) -> bool {
    name.contains('/') || name.ends_with(".topo")
}

fn find(name: &str) -> anyhow::Result<PathBuf> {
    if is_path(name) {
        return Ok(PathBuf::from(name));
    }
    let homes = homes();
    let found = homes.iter().map(|home| home.join(name).with_extension("topo")).find(|path| path.is_file());
    found.ok_or_else(|| anyhow!("no topology is called `{name}`; there are {}", known_names(&homes).join(", ")))
}

fn known_names(homes: &[PathBuf]) -> Vec<String> {
    let files = homes.iter().filter_map(|home| fs::read_dir(home).ok()).flatten().flatten().map(|entry| entry.path());
    let topologies = files.filter(|path| path.extension().is_some_and(|extension| extension == "topo"));
    let names: BTreeSet<String> =
        topologies.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect();
    names.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> anyhow::Result<Topology> {
        Topology::parse("test", text, Path::new("/somewhere"))
    }

    #[test]
    fn a_link_is_a_link_whoever_declares_it() {
        let topology = parse(
            "# three in a row, the middle link declared twice\n\
             servent 9001 a.txt 127.0.0.1:9002\n\
             9002 - 127.0.0.1:9001 127.0.0.1:9003 127.0.0.1:9002 --ttl 5\n\n\
             servent 9003 /b.txt\n",
        )
        .unwrap();
        assert_eq!(topology.links(), BTreeSet::from([(0, 1), (1, 2)]));
        let arguments: Vec<String> = topology.servents.iter().map(|declared| declared.arguments().join(" ")).collect();
        assert_eq!(arguments[0], "127.0.0.1:9001 /somewhere/a.txt 127.0.0.1:9002 --ttl 3");
        assert_eq!(arguments[1], "127.0.0.1:9002 - 127.0.0.1:9001 127.0.0.1:9003 127.0.0.1:9002 --ttl 5");
        assert_eq!(arguments[2], "127.0.0.1:9003 /b.txt --ttl 3");
    }

    /// A link by any of its names; what is started are addresses.
    #[test]
    fn an_address_is_written_as_everywhere() {
        let topology = parse(
            "9001 - localhost:9002 --advertise localhost:9009\nlocalhost:9002 - 9003\n9003 - [fe80::7%lo]:9004\n\
             [fe80::7%1]:9004 - tp3://9001 --tp3\n",
        );
        let error = format!("{:#}", topology.unwrap_err());
        assert!(error.contains("127.0.0.1:9001 is a TP3 neighbor"), "{error}");
        let topology = parse(
            "9001 - localhost:9002 --advertise localhost:9009\nlocalhost:9002 - 9003\n9003 - [fe80::7%lo]:9004\n\
             [fe80::7%1]:9004 - 9001\n",
        )
        .unwrap();
        assert_eq!(topology.links(), BTreeSet::from([(0, 1), (1, 2), (2, 3), (0, 3)]));
        let arguments: Vec<String> = topology.servents.iter().map(|declared| declared.arguments().join(" ")).collect();
        assert_eq!(arguments[0], "127.0.0.1:9001 - 127.0.0.1:9002 --ttl 3 --advertise 127.0.0.1:9009");
        assert_eq!(arguments[1], "127.0.0.1:9002 - 127.0.0.1:9003 --ttl 3");
        assert_eq!(arguments[2], "127.0.0.1:9003 - [fe80::7%1]:9004 --ttl 3");
        assert_eq!(arguments[3], "[fe80::7%1]:9004 - 127.0.0.1:9001 --ttl 3");
        let moved = topology.moved_to(Ipv4Addr::new(127, 4, 5, 6));
        assert_eq!(moved.servents[1].arguments().join(" "), "127.4.5.6:9002 - 127.4.5.6:9003 --ttl 3");
    }

    #[test]
    fn a_servent_is_told_the_name_it_is_declared_with() {
        let topology = parse("9001 - --name 'the kitchen'\n9002 - 9001 --name=-x\n9003 - 9001\n").unwrap();
        let told = topology.servents.iter().map(|declared| declared.arguments().pop().unwrap());
        assert_eq!(told.collect::<Vec<_>>(), ["--name=the kitchen", "--name=-x", "3"]);
        let again = Options::of(topology.servents[1].arguments()).unwrap();
        assert_eq!(again.name.unwrap().as_str(), "-x");
        let error = format!("{:#}", parse("9001 -\n9002 - --name=\n").unwrap_err());
        assert!(error.contains("line 2: invalid value '' for '--name <NAME>': the name is empty"), "{error}");
    }

    #[test]
    fn a_moved_topology_is_the_same_elsewhere() {
        let topology = parse("9001 - 127.0.0.1:9002\n[::1]:9003 - 127.0.0.1:9001\n9002 -\n").unwrap();
        let moved = topology.clone().moved_to(Ipv4Addr::new(127, 4, 5, 6));
        assert_eq!(moved.links(), topology.links());
        assert_eq!(moved.addresses()[0].to_string(), "127.4.5.6:9001");
        assert_eq!(moved.addresses()[1].to_string(), "[::1]:9003");
        assert_eq!(moved.servents[1].options.neighbors, ["127.4.5.6:9001"]);
        let moved =
            parse("9001 - tp3://127.0.0.1:9002 --tp3\n9002 - --tp3\n").unwrap().moved_to(Ipv4Addr::new(127, 4, 5, 6));
        assert_eq!(moved.servents[0].arguments()[2], "tp3://127.4.5.6:9002");
        assert!(!moved.reports() && topology.reports());
    }

    #[test]
    fn a_neighbor_that_is_called_by_a_name_is_moved_too() {
        let topology = parse("9001 - localhost:9002 tp3://localhost:9003 --tp3\n9002 -\n9003 - --tp3\n").unwrap();
        assert_eq!(topology.links(), BTreeSet::from([(0, 1), (0, 2)]));
        assert_eq!(topology.servents[0].options.neighbors, ["127.0.0.1:9002", "tp3://127.0.0.1:9003"]);
        let moved = topology.moved_to(Ipv4Addr::new(127, 4, 5, 6));
        assert_eq!(moved.servents[0].options.neighbors, ["127.4.5.6:9002", "tp3://127.4.5.6:9003"]);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            ("", "no servent is declared"),
            ("# nothing\n\n", "no servent is declared"),
            ("9001 -\n9001 -\n", "two servents on 127.0.0.1:9001"),
            ("0 -\n", "servent 1 has port 0"),
            ("0.0.0.0:9001 -\n", "servent 1 listens on every address"),
            ("9001 -\n[::]:9002 -\n", "servent 2 listens on every address"),
            ("9001 - 127.0.0.1:9002\n", "neighbor 127.0.0.1:9002 is none of the servents declared here"),
            ("9001 -\n9002\n", "line 2: the following required arguments were not provided"),
            ("9001 - tp3://127.0.0.1:9002\n9002 - --tp3\n", "127.0.0.1:9001 has a TP3 neighbor and does not say --tp3"),
            ("9001 - tp3://127.0.0.1:9002 --tp3\n9002 -\n", "127.0.0.1:9002 is a TP3 neighbor and does not say --tp3"),
            ("\n9001 - --ttl 99\n", "line 2: invalid value '99' for '--ttl <N>'"),
            ("9001 -\n9002 - --check\n", "line 2: --check has no place here"),
            ("9001 -\n9002 'a\n", "line 2: a ' without its other one"),
            ("9001 -\r9002 -\r", "line 1: a carriage return in the middle"),
            ("# three\r9001 -\r", "line 1: a carriage return in the middle"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_said_to_be_none() {
        for (bytes, expected) in [
            (&b"9001 -\n9002 caf\xe9.txt\n"[..], "line 2 is not UTF-8"),
            (b"\xff\xfe9\x000\x00", "this is UTF-16"),
            (b"\xfe\xff\x009\x000", "this is UTF-16"),
            (&[b' '; TEXT_BYTES_MAX + 1], "more than 1048576 bytes"),
        ] {
            let error = format!("{:#}", Topology::parse("test", bytes, Path::new("")).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
        let marked = parse("\u{feff}# marked\r\n9001 -\r\n").unwrap();
        assert_eq!(marked.servents.len(), 1);
        let marked = parse("\u{feff}9001 -\n").unwrap();
        assert_eq!(marked.addresses()[0].to_string(), "127.0.0.1:9001");
        let full = [b"9001 -\n".to_vec(), vec![b' '; TEXT_BYTES_MAX - 7]].concat();
        assert!(Topology::parse("test", full, Path::new("")).is_ok());
    }

    #[test]
    fn a_path_is_one_word_wherever_it_starts() {
        let path = |line, directory| {
            let topology = Topology::parse("test", line, Path::new(directory)).unwrap();
            topology.servents[0].arguments()[1].clone()
        };
        assert_eq!(path("9001 'my data/tea.txt' # tea", "/some where"), "/some where/my data/tea.txt");
        assert_eq!(path("9001 \"../tea 1.txt\"", "topologies"), "tea 1.txt");
        assert_eq!(path("9001 -- -tea.txt", ""), "./-tea.txt");
        let files = "9001 - --events '../north 1.jsonl' --members north.peers --cache c --never n --share /srv/films \
                     --store north.db --published-only";
        let topology = Topology::parse("test", files, Path::new("/some where/topologies")).unwrap();
        let told = topology.servents[0].arguments().join(" ");
        let words = "--members /some where/topologies/north.peers --events /some where/north 1.jsonl \
                     --share /srv/films --never /some where/topologies/n --cache /some where/topologies/c \
                     --store /some where/topologies/north.db";
        assert!(told.ends_with(words) && told.contains(" --published-only "), "{told}");
        let again = Options::of(topology.servents[0].arguments()).unwrap();
        assert!(again.published_only && again.store.is_some() && again.share.is_some());
    }

    #[test]
    fn the_topologies_that_come_with_the_project_are_sound() {
        for name in known_names(&[PathBuf::from(HOME)]) {
            let topology = Topology::load(&name).unwrap();
            assert!(topology.servents.len() > 1, "{name}");
        }
    }

    #[test]
    fn a_name_that_is_none_gets_the_names_there_are() {
        let error = format!("{:#}", Topology::load("dimond").unwrap_err());
        assert!(error.contains("no topology is called `dimond`; there are chain, diamond"), "{error}");
    }
}
