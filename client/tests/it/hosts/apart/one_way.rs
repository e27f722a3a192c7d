//! One link of many that carries what is said in one direction only: whoever hears nothing gives it up, and nobody who
//! lives is called dead.
//!
//! What one mind makes of it is tested in `common`, and what an overlay does in the simulator; here the packets of real
//! servents are dropped by a system that tells neither end.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::*;
use common::limits::{NEIGHBOR_BEAT, NEIGHBOR_QUIET_MAX};
use rustix::fs::{CWD, Mode, mkfifoat};

/// All of them are linked with each other: each has eight links.
const SERVENTS_COUNT: usize = 9;
/// How long a servent is left in peace where it was asked and is to be asked again, or not at all.
const ASKED_EVERY: Duration = Duration::from_millis(250);

/// Which end of the link hears the other no more, and why. The link is between the first two servents, and the second
/// dialled it.
#[derive(Clone, Copy, Debug)]
struct OneWay {
    what: &'static str,
    wall: Wall,
    deaf: usize,
}

const WAYS: [OneWay; 4] = [
    OneWay { what: "nothing comes to whoever was dialled", wall: Wall::HearsOneNoMore, deaf: 0 },
    OneWay { what: "nothing comes to whoever dialled", wall: Wall::HearsOneNoMore, deaf: 1 },
    OneWay { what: "no word comes to whoever was dialled", wall: Wall::HearsNoWordOfOne, deaf: 0 },
    OneWay { what: "no word comes to whoever dialled", wall: Wall::HearsNoWordOfOne, deaf: 1 },
];

/// What a servent writes down of what happens to it, as it is written: its log of events is a pipe.
struct EventsHeard {
    lines: Receiver<String>,
    told: Vec<Value>,
}

impl EventsHeard {
    /// Makes the pipe, for a servent that is not started yet.
    fn of_pipe(path: &Path) -> EventsHeard {
        mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
        let (sender, lines) = channel();
        let path = path.to_owned();
        thread::spawn(move || {
            let log = BufReader::new(File::open(path).unwrap());
            // What comes once the test is over is of no interest.
            let _ = log.lines().map_while(Result::ok).try_for_each(|line| sender.send(line));
        });
        EventsHeard { lines, told: Vec::new() }
    }

    /// Waits for a line, no longer than this.
    fn hears_within(&mut self, wait: Duration) -> bool {
        let line = self.lines.recv_timeout(wait);
        self.told.extend(line.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        line.is_ok()
    }

    /// Hears what comes for so long.
    fn hear_for(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        while self.hears_within(until.saturating_duration_since(Instant::now())) {}
    }

    /// The number of the last line so far.
    fn last(&mut self) -> u64 {
        self.hear_for(Duration::ZERO);
        self.told.last().map_or(0, number)
    }

    /// Waits for the first such line behind that of this number.
    fn wait_for(&mut self, after: u64, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        let mut looked_at = 0;
        loop {
            if let Some(line) = self.told[looked_at..].iter().find(|line| number(line) > after && is_it(line)) {
                return line.clone();
            }
            looked_at = self.told.len();
            let is_heard = self.hears_within(until.saturating_duration_since(Instant::now()));
            assert!(is_heard, "waited in vain for {what}: {}", self.of_members());
        }
    }

    /// What it thought of others, and with whom it was linked, for whoever reads why a test failed.
    fn of_members(&self) -> String {
        let is_of_members =
            |line: &&Value| ["member", "linked", "unlinked"].iter().any(|event| line["event"] == *event);
        self.told.iter().filter(is_of_members).map(|line| format!("\n{line}")).collect()
    }
}

fn number(line: &Value) -> u64 {
    line["n"].as_u64().unwrap()
}

/// When something happened.
fn at(line: &Value) -> Duration {
    Duration::from_millis(line["at_unix_ms"].as_u64().unwrap())
}

/// For how long after the link fell it stays so that nothing is heard there, where that is to be longer than until whoever
/// gave it up has judged the other.
fn one_way_for() -> Duration {
    let told = std::env::var("ONE_WAY_SECONDS").map_or(0, |seconds| seconds.parse().unwrap());
    Duration::from_secs(told).max(NEIGHBOR_QUIET_MAX + NEIGHBOR_BEAT)
}

/// Nine servents on three hosts, of which the first host has the one that will hear the second host's no more.
struct Mesh {
    /// Who asks them, on the third host, which hears all.
    client: Client,
    network: Network,
    /// Where they are.
    addresses: Vec<String>,
    events: Vec<EventsHeard>,
}

impl Mesh {
    /// Starts them one by one, each told of all before it.
    fn start(mut network: Network, deaf: usize) -> Mesh {
        // The wall was there to see that it can be.
        network.wall(Wall::Nothing).unwrap();
        let (mut addresses, mut events) = (Vec::new(), Vec::new());
        for place in 0..SERVENTS_COUNT {
            let (host, own) = match place {
                0 | 1 => (usize::from(place != deaf), address(usize::from(place != deaf))),
                _ => (2, format!("10.9.0.3:{}", 9_000 + place)),
            };
            let path = network.data.path().join(format!("{place}.jsonl"));
            events.push(EventsHeard::of_pipe(&path));
            let (path, parent) = (path.display().to_string(), ended_with_us());
            let words = [&own, "-", "--events", &path, &parent];
            let words: Vec<&str> = words.into_iter().chain(addresses.iter().map(String::as_str)).collect();
            network.servents.push(Servent::start_behind(&network.hosts[host].entering(), &words).unwrap());
            addresses.push(own);
        }
        let client = Network::client(&network.hosts[2], &[&addresses[2]]);
        Mesh { client, network, addresses, events }
    }

    /// How a servent knows others by address, and the line of its log that says that it was asked: all that it wrote
    /// before is known then.
    fn ask(&mut self, place: usize) -> (BTreeMap<String, String>, Value) {
        let before = self.events[place].last();
        self.client.write(format!("M {}\n", self.addresses[place]));
        let mut told = BTreeMap::new();
        loop {
            let line = self.client.next_json();
            let text = |field: &str| line[field].as_str().unwrap().to_owned();
            match line["type"].as_str().unwrap() {
                "member" => drop(told.insert(text("address"), format!("{} {}", text("state"), text("how")))),
                "listed" if line["reason"] == "complete" => break,
                _ => panic!("{line}"),
            }
        }
        // Whoever asks is no servent.
        let addresses = &self.addresses;
        let is_by_us = |line: &Value| !addresses.iter().any(|address| line["peer"] == **address);
        let is_asked =
            |line: &Value| picked(line, ["event", "message"]) == json!(["received", "peers wanted"]) && is_by_us(line);
        (told, self.events[place].wait_for(before, "what it was asked", is_asked))
    }

    /// Asks each of them until it says that all are there, and over which links.
    fn wait_until_all_there(&mut self) {
        let until = Instant::now() + PATIENCE;
        for place in 0..SERVENTS_COUNT {
            loop {
                let (told, _) = self.ask(place);
                let is_there = |(other, address): (usize, &String)| {
                    let how = told.get(address).map(String::as_str);
                    match other {
                        _ if other == place => how == Some("online self"),
                        // What is said of these two changes often. Whether they have a link says another line.
                        _ if other.max(place) == 1 => how.is_some_and(|how| how.starts_with("online ")),
                        0 | 1 if how == Some("online flapping") => true,
                        _ if other < place => how == Some("online pinned"),
                        _ => how == Some("online taken"),
                    }
                };
                if told.len() == SERVENTS_COUNT && self.addresses.iter().enumerate().all(is_there) {
                    break;
                }
                let own = &self.addresses[place];
                assert!(Instant::now() < until, "{own} tells of {told:?}: {}", self.events[place].of_members());
                self.events[place].hear_for(ASKED_EVERY);
            }
        }
    }

    /// Waits until so long after its link fell that a servent has judged whoever was at the other end.
    fn wait_until_judged(&mut self, place: usize, fell: &Value) {
        let by_then = at(fell) + one_way_for();
        while at(&self.ask(place).1) < by_then {
            self.events[place].hear_for(ASKED_EVERY);
        }
    }
}

/// Has the link of the first two carry nothing in one direction, and nothing is wrong with whoever is at its ends.
fn is_one_way(row: OneWay, network: Network) {
    const QUIET: &str = "nothing was heard from it for too long";
    let OneWay { what, wall, deaf } = row;
    let mut mesh = Mesh::start(network, deaf);
    mesh.wait_until_all_there();
    let mute = 1 - deaf;
    let ends = [deaf, mute].map(|place| mesh.addresses[place].clone());
    let [deaf_end, mute_end] = &ends;
    let is = |event: &'static str, peer: &str| {
        let said = json!([event, peer]);
        move |line: &Value| picked(line, ["event", "peer"]) == said
    };
    let start = mesh.ask(deaf).1;
    let before = [deaf, mute].map(|place| mesh.events[place].last());
    mesh.network.wall(wall).unwrap();

    let fell = mesh.events[deaf].wait_for(before[0], "the end of the link", is("unlinked", mute_end));
    assert_eq!(fell["reason"], QUIET, "{what}");
    let fell_there = mesh.events[mute].wait_for(before[1], "its end there", is("unlinked", deaf_end));
    // Whoever is never told that anything came says nothing new over TCP: then neither end hears the other.
    let is_told = fell_there["reason"] == "it said goodbye, because it heard nothing for too long";
    assert!(
        if wall == Wall::HearsNoWordOfOne { is_told } else { fell_there["reason"] == QUIET },
        "{what}: {fell_there}"
    );
    let is_suspect = |line: &Value| is("member", mute_end)(line) && line["now"] == "suspect";
    let suspected = mesh.events[deaf].wait_for(before[0], "that it suspects the other", is_suspect);
    mesh.wait_until_judged(deaf, &fell);
    mesh.wait_until_judged(mute, &fell_there);
    mesh.wait_until_all_there();

    mesh.network.wall(Wall::Nothing).unwrap();
    let linked = mesh.events[deaf].wait_for(number(&fell), "another link", is("linked", mute_end));
    mesh.wait_until_all_there();
    let [suspected, fell, linked] = [suspected, fell, linked].map(|line| (at(&line) - at(&start)).as_secs_f64());
    println!("| {what:36} | {suspected:12.1} s | {fell:10.1} s | {linked:11.1} s |");

    for (own, events) in mesh.addresses.iter().zip(&mesh.events) {
        for line in &events.told {
            let is_gone = line["event"] == "member" && (line["now"] == "failed" || line["now"] == "left");
            assert!(!is_gone && line["event"] != "dropped", "{what}: {own} says {line}");
            let is_between_them = ends.contains(own) && ends.iter().any(|end| line["peer"] == **end);
            assert!(line["event"] != "unlinked" || is_between_them, "{what}: {own} gave up another link: {line}");
        }
    }
}

/// Consul, which goes by like rules, called members dead because of one such link (its issue 5928).
#[test]
fn whoever_is_not_heard_over_one_link_of_eight_is_called_dead_by_nobody() {
    let networks = WAYS.map(|way| Some((way, network(way.what, way.wall)?)));
    if networks.iter().any(Option::is_none) {
        return is_left_out();
    }
    println!("| one link of eight {:18} | {:14} | {:12} | {:13} |", "", "suspected", "given up", "linked again");
    println!("| {} | {} | {} | {} |", "-".repeat(36), "-".repeat(14), "-".repeat(12), "-".repeat(13));
    side_by_side(networks.into_iter().flatten(), |(way, network)| is_one_way(way, network));
}
