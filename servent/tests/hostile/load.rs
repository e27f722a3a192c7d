//! What a file, a user and a signal do to a servent while it is busy.
//!
//! Neighbors and clients that mean harm are in `hostile_peers`; what a single signal does is in `it/lifecycle.rs`.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{fs, thread};

use super::*;
use common::message::{Goodbye, Request};
use peers::{Attack, query};
use topologies::fleet::program;

/// A number from the environment, for those who have more time.
fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

fn start(data: &str) -> Process {
    Process::start(Command::new(program("servent").unwrap()).args(["0", data, "-q"]))
}

/// Every key of a version holds its number, at both ends of a value too long to be read or written in one piece with
/// the next one.
fn version(number: usize) -> String {
    (0..16).map(|key| format!("key{key} {number}:{}:{number}\n", "v".repeat(2_000))).collect()
}

/// The version a value is of, which has no part of another.
fn version_of(value: &[u8]) -> usize {
    let text = std::str::from_utf8(value).unwrap();
    let parts: Vec<&str> = text.split(':').collect();
    let [first, filling, last] = parts[..] else { panic!("{text:?} is of no version") };
    assert_eq!((first, filling.len()), (last, 2_000));
    first.parse().unwrap()
}

/// Writes version after version with `write` and tells the servent, while clients ask. Nobody hears a part of two
/// versions, nor an older one after a newer one; and in the end the last one is heard.
///
/// As many as `DATA_VERSIONS` says, or 1,000; `make test-long` writes ten times as many.
fn rewritten(write: impl Fn(&DataFile, &str), waits: bool) {
    let versions = number("DATA_VERSIONS", 1_000);
    let file = DataFile::new(version(0));
    let servent = start(file.path());
    let attack = Attack::start(servent.address, true, |number| {
        // A number that no other client of these tests comes to.
        Message::Request(Request { sequence: u64::MAX - number, ask: ask("nothing"), ttl: None })
    });
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2).map(|_| reader(servent.address, &done)).collect();
    let start = Instant::now();
    let mut client = Peer::client(servent.address, ANSWER_PORT);
    for number in 1..=versions {
        if number % 1_000 == 0 {
            // One client that asks so much is slowed down.
            client = Peer::client(servent.address, ANSWER_PORT);
        }
        write(&file, &version(number));
        servent.signal(Signal::HUP);
        // Where the file is written in place, its writer waits until it has been read.
        if waits {
            wait_for(&mut client, "key0", number);
        }
    }
    wait_for(&mut client, "key15", versions);
    println!("{versions} versions in {:?}", start.elapsed());
    done.store(true, Ordering::Relaxed);
    let heard: usize = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
    println!("{heard} answers, each of one version, beside {} requests of a hasty client", attack.end());
}

/// Asks for a key until it is of a version.
fn wait_for(client: &mut Peer, key: &str, number: usize) {
    wait_until(&format!("version {number} is served"), || version_of(&client.values(key)[0]) >= number);
}

/// Asks for all keys in turn until it is done, and says how many answers it heard.
fn reader(servent: SocketAddr, done: &Arc<AtomicBool>) -> thread::JoinHandle<usize> {
    let mut client = Peer::client(servent, ANSWER_PORT);
    let done = Arc::clone(done);
    thread::spawn(move || {
        let mut latest = 0;
        let mut heard = 0;
        while !done.load(Ordering::Relaxed) {
            let values = client.values(format!("key{}", heard % 16));
            let [value] = &values[..] else { panic!("key{} is gone after version {latest}", heard % 16) };
            let version = version_of(value);
            assert!(version >= latest, "version {version} after {latest}");
            latest = version;
            heard += 1;
        }
        heard
    })
}

#[test]
fn data_replaced_time_and_again_is_served_in_whole_versions() {
    rewritten(
        |file, content| {
            let beside = format!("{}.new", file.path());
            fs::write(&beside, content).unwrap();
            fs::rename(&beside, file.path()).unwrap();
        },
        false,
    );
}

#[test]
fn data_rewritten_in_place_time_and_again_is_served_in_whole_versions() {
    rewritten(|file, content| file.write(content), true);
}

/// Clients that ask one after the other, and say something else between two questions: some hundred questions a second
/// each, which none of them is slowed down for.
struct Asking {
    clients: Vec<Peer>,
    turn: usize,
    waits: Vec<Duration>,
}

impl Asking {
    fn start(servent: SocketAddr) -> Asking {
        let clients = (0..8).map(|_| Peer::client(servent, ANSWER_PORT)).collect();
        Asking { clients, turn: 0, waits: Vec::new() }
    }

    /// What tea is, and how long it took to hear it is noted.
    fn ask(&mut self) -> Vec<u8> {
        let place = self.turn % self.clients.len();
        let client = &mut self.clients[place];
        self.turn += 1;
        for _ in 0..40 {
            client.say(&Message::Ping);
            assert_eq!(client.expect(), Message::Pong);
        }
        let start = Instant::now();
        let [value] = client.values("tea").try_into().unwrap();
        self.waits.push(start.elapsed());
        value
    }

    /// That depends on what else the machine does, so it is for a person to judge.
    fn report(&mut self, what: &str) {
        self.waits.sort_unstable();
        let at_most = |per_mille: usize| self.waits[(self.waits.len() * per_mille).div_ceil(1_000) - 1];
        let [half, p99, p999, all] = [500, 990, 999, 1_000].map(at_most);
        println!("{what}: {} questions: p50 {half:?}, p99 {p99:?}, p99.9 {p999:?}, longest {all:?}", self.waits.len());
        self.waits.clear();
    }
}

/// As many keys as `RELOAD_KEYS` says, or 200,000.
#[test]
fn data_of_many_keys_is_read_anew_while_clients_ask() {
    let keys = number("RELOAD_KEYS", 200_000);
    // Before and after, for those who compare: the more keys there are, the more there is to compare.
    let questions = keys / 1_000;
    let data = |version: &str| {
        let lines = (0..keys - 1).map(|key| format!("key-{key} value of {key}\n"));
        lines.chain([format!("tea {version}\n")]).collect::<String>()
    };
    let file = DataFile::new(data("green"));
    let servent = start(file.path());
    let mut asking = Asking::start(servent.address);
    for _ in 0..questions {
        assert_eq!(asking.ask(), b"green");
    }
    asking.report("before");
    file.write(data("black"));
    let (resident, _) = servent.resident_kib();
    let told = Instant::now();
    servent.signal(Signal::HUP);
    while asking.ask() == b"green" {
        assert!(told.elapsed() < PATIENCE, "it is not read");
    }
    let read = told.elapsed();
    asking.report("while it is read");
    for _ in 0..questions {
        assert_eq!(asking.ask(), b"black");
    }
    asking.report("after");
    let (now, most) = servent.resident_kib();
    println!("{keys} keys read anew in {read:?}; {resident} KiB before, {most} at most, {now} after");
}

#[test]
fn told_to_stop_under_load_it_says_goodbye_and_ends() {
    let file = tea();
    let mut servent = start(file.path());
    let forge = |number| query(([127, 0, 0, 1], ANSWER_PORT).into(), ask(format!("milk{number}")), 3);
    let attacks = [
        Attack::start(servent.address, true, |number| {
            // A number that no other client of these tests comes to.
            Message::Request(Request { sequence: u64::MAX - number, ask: ask("tea"), ttl: None })
        }),
        Attack::start(servent.address, false, move |number| Message::query(forge(number))),
    ];
    let mut clients: Vec<Peer> = (0..20).map(|_| Peer::client(servent.address, ANSWER_PORT)).collect();
    for client in &mut clients {
        client.request(ask("tea"));
    }
    for client in &mut clients {
        client.expect_answer();
        client.expect_finished();
    }
    let told = Instant::now();
    servent.signal(Signal::TERM);
    for client in &mut clients {
        client.expect_goodbye(Goodbye::Leaving);
    }
    assert_eq!(servent.wait().code(), Some(0), "{:?}", servent.log);
    println!("20 clients heard goodbye, and it ended after {:?}", told.elapsed());
    let said: u64 = attacks.into_iter().map(Attack::end).sum();
    println!("it had been told {said} things");
}
