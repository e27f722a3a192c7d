//! Three hosts on one network, a firewall, a NAT, and addresses that mean something on one link only.
//!
//! The hosts are network namespaces of this one, which takes root or a system that lets others have them, and their
//! firewalls are nftables. What cannot be had is said, and what was not checked for the want of it.

mod one_way;

use std::sync::OnceLock;

use super::*;
use crate::support::hosts::Host;
use topologies::fleet::{Servent, behind};
use topologies::processes::Process;

/// Set where it is no success that something cannot be checked.
const ALL_OR_FAIL: &str = "HOSTS_ALL_OR_FAIL";

/// What stands between a client and those who would dial it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wall {
    Nothing,
    /// A firewall on the client's host that lets nobody in, and says nothing to them.
    Drops,
    /// One that refuses.
    Refuses,
    /// One that drops what comes from everybody but the second host.
    LetsOneIn,
    /// One that drops what comes from the second host.
    KeepsOneOut,
    /// One that drops even what comes from the second host on connections that stand.
    HearsOneNoMore,
    /// One that drops what the second host says on them, and lets in that it has heard.
    HearsNoWordOfOne,
    /// A router on the client's way to the network, which goes by its own address there and lets nobody in.
    Nat,
}

/// A client somewhere, which asks twice.
struct Row {
    /// Where it is, in words.
    client: &'static str,
    wall: Wall,
    /// What stands there instead when it asks again.
    then: Option<Wall>,
    contact: &'static str,
    /// The hosts with a servent, the contact's first if it is not the client's own.
    holders: &'static [usize],
    /// How those of them answer who are not the contact, at first.
    others: &'static [(usize, Way)],
    /// The same when it asks again.
    again: &'static [(usize, Way)],
}

const ROWS: [Row; 9] = [
    Row {
        client: "attached by its network address",
        wall: Wall::Nothing,
        then: None,
        contact: "10.9.0.1:9000",
        holders: &[0, 1, 2],
        others: &[(1, Way::Direct), (2, Way::Direct)],
        again: &[(1, Way::Direct), (2, Way::Direct)],
    },
    Row {
        client: "attached to its own servent by 127.0.0.1",
        wall: Wall::Nothing,
        then: None,
        contact: "127.0.0.1:9000",
        holders: &[0, 1, 2],
        others: &[(1, Way::Back), (2, Way::Back)],
        again: &[(1, Way::Back), (2, Way::Back)],
    },
    Row {
        client: "firewall drops what comes in, contact elsewhere",
        wall: Wall::Drops,
        then: None,
        contact: "10.9.0.2:9000",
        holders: &[0, 1, 2],
        // Its own host is behind the firewall with it.
        others: &[(0, Way::Direct), (2, Way::Back)],
        // The contact's own dial, which tells it the same, is over at about the time that the first query is.
        again: &[(0, Way::Either), (2, Way::Back)],
    },
    Row {
        client: "the same, a firewall that refuses",
        wall: Wall::Refuses,
        then: None,
        contact: "10.9.0.2:9000",
        holders: &[0, 1, 2],
        // The contact may be told of the refusal before it has sent the query on.
        others: &[(0, Way::Either), (2, Way::Back)],
        // By then it has been.
        again: &[(0, Way::Back), (2, Way::Back)],
    },
    Row {
        client: "the same, one that lets the contact in",
        wall: Wall::LetsOneIn,
        then: None,
        contact: "10.9.0.2:9000",
        holders: &[0, 1, 2],
        others: &[(0, Way::Direct), (2, Way::Back)],
        again: &[(0, Way::Direct), (2, Way::Back)],
    },
    Row {
        client: "the same, one that keeps out the contact alone",
        wall: Wall::KeepsOneOut,
        then: None,
        contact: "10.9.0.2:9000",
        holders: &[0, 1, 2],
        // Straight until the contact knows that it cannot come in, which on a slow machine may be any time.
        others: &[(0, Way::Either), (2, Way::Either)],
        again: &[(0, Way::Either), (2, Way::Either)],
    },
    Row {
        client: "the same, one that drops and opens then",
        wall: Wall::Drops,
        then: Some(Wall::Nothing),
        contact: "10.9.0.2:9000",
        holders: &[0, 1, 2],
        others: &[(0, Way::Direct), (2, Way::Back)],
        // What nobody let in is left alone for a while, whatever has opened.
        again: &[(0, Way::Either), (2, Way::Back)],
    },
    Row {
        client: "behind NAT",
        wall: Wall::Nat,
        then: None,
        contact: "10.9.0.1:9000",
        holders: &[0, 1, 2],
        others: &[(1, Way::Back), (2, Way::Back)],
        again: &[(1, Way::Back), (2, Way::Back)],
    },
    Row {
        client: "link-local, holder a link away",
        wall: Wall::Nothing,
        then: None,
        contact: "[fe80::2%eth0]:9000",
        holders: &[1, 2],
        others: &[(2, Way::Back)],
        again: &[(2, Way::Back)],
    },
];

/// Three hosts on one bridge, a servent on some of them, and who is to ask.
struct Network {
    // Servents leave before their hosts.
    servents: Vec<Servent>,
    hosts: Vec<Host>,
    /// A host that is on no network but its router's, and the router.
    behind_nat: Option<(Host, Host)>,
    bridge: Host,
    data: TempDir,
}

/// The address that the servent of a host goes by.
fn address(place: usize) -> String {
    format!("10.9.0.{}:9000", place + 1)
}

impl Network {
    /// Three hosts, without servents.
    fn of_three() -> Result<Network, String> {
        let bridge = Host::first()?;
        // It does not learn who wants which multicast packets, which takes time: all get them.
        bridge.does("ip link add bridge type bridge mcast_snooping 0\nip link set bridge up")?;
        let mut hosts = Vec::new();
        for number in 1..=3 {
            let host = bridge.another()?;
            let addresses = [format!("10.9.0.{number}/24"), format!("fe80::{number}/64")];
            bridge.switches(&format!("port{number}"), &host, &addresses)?;
            hosts.push(host);
        }
        let data = TempDir::new().map_err(|error| error.to_string())?;
        Ok(Network { servents: Vec::new(), hosts, behind_nat: None, bridge, data })
    }

    /// Puts up what stands before the first host, or before one more.
    fn wall(&mut self, wall: Wall) -> Result<(), String> {
        let rules = match wall {
            Wall::Nothing => return self.hosts[0].filters("flush ruleset"),
            Wall::Drops => "drop",
            Wall::Refuses => "meta l4proto tcp reject with tcp reset",
            Wall::LetsOneIn => "ip saddr != 10.9.0.2 drop",
            Wall::KeepsOneOut => "ip saddr 10.9.0.2 drop",
            Wall::HearsOneNoMore => return self.hosts[0].filters(&filter("ip saddr 10.9.0.2 drop")),
            // Whoever sends all that it has to say asks for it to be told at once; an acknowledgement has nothing to tell.
            Wall::HearsNoWordOfOne => {
                return self.hosts[0].filters(&filter("ip saddr 10.9.0.2 tcp flags & psh == psh drop"));
            }
            Wall::Nat => return self.nat(),
        };
        self.hosts[0].filters(&input(rules))
    }

    fn nat(&mut self) -> Result<(), String> {
        let (router, host) = (self.bridge.another()?, self.bridge.another()?);
        self.bridge.switches("port4", &router, &["10.9.0.4/24".to_owned()])?;
        router.joins("inside", &host, &["192.168.9.2/24".to_owned()])?;
        router.does("ip address add 192.168.9.1/24 dev inside\necho 1 > /proc/sys/net/ipv4/ip_forward")?;
        router.filters(&input("iifname eth0 drop"))?;
        let masquerade = "type nat hook postrouting priority 100\noifname eth0 masquerade";
        router.filters(&format!("table ip nat {{\nchain out {{\n{masquerade}\n}}\n}}"))?;
        host.does("ip route add default via 192.168.9.1")?;
        self.behind_nat = Some((host, router));
        Ok(())
    }

    /// Starts servents on these hosts, each a neighbor of the one behind it, and waits until a query comes to all.
    fn serve(&mut self, places: &[usize], texts: &str) {
        let mut told = None;
        // Whoever is behind a firewall dials out.
        for place in places.iter().rev() {
            let path = self.data.path().join(format!("{place}.txt"));
            std::fs::write(&path, texts).unwrap();
            let (path, own, parent) = (path.display().to_string(), address(*place), ended_with_us());
            let words = ["[::]:9000", &path, "--advertise", &own, &parent];
            let words: Vec<&str> = words.into_iter().chain(told.as_deref()).collect();
            self.servents.push(Servent::start_behind(&self.hosts[*place].entering(), &words).unwrap());
            told = Some(own);
        }
        let until = Instant::now() + PATIENCE;
        // What nobody has is answered by nobody, so nobody learns who can be dialled.
        let mut client = Network::client(&self.hosts[places[0]], &["127.0.0.1:9000"]);
        while QueryEnd::of(&mut client, "nothing").reached() != places.len() as u64 {
            assert!(Instant::now() < until, "the servents do not link");
        }
    }

    /// Starts a client on a host.
    fn client(host: &Host, arguments: &[&str]) -> Client {
        Client::start_behind(&host.entering(), [&["--json", &ended_with_us()], arguments].concat())
    }
}

/// The rules of a host that lets in what it asked for, and of the rest what is not dealt with here.
fn input(rules: &str) -> String {
    let established = "iifname lo accept\nct state established,related accept\nmeta l4proto ipv6-icmp accept";
    filter(&format!("{established}\n{rules}"))
}

/// The rules of a host that lets in what is not dealt with here.
fn filter(rules: &str) -> String {
    let chain = format!("type filter hook input priority 0\n{rules}");
    format!("flush ruleset\ntable inet walls {{\nchain input {{\n{chain}\n}}\n}}")
}

/// What a program of a test is told, so that it ends with whoever started it even where nobody can end it any more.
fn ended_with_us() -> String {
    format!("--with-parent={}", std::process::id())
}

/// What this machine lacks for hosts, and for what stands before them.
fn missing() -> &'static (Option<String>, Option<String>) {
    static MISSING: OnceLock<(Option<String>, Option<String>)> = OnceLock::new();
    MISSING.get_or_init(|| match Network::of_three() {
        Err(said) => {
            let missing = format!("there are no network namespaces, or no way to join them ({said})");
            (Some(missing.clone()), Some(missing))
        }
        Ok(mut network) => {
            let walls = [
                Wall::Drops,
                Wall::Refuses,
                Wall::LetsOneIn,
                Wall::KeepsOneOut,
                Wall::HearsOneNoMore,
                Wall::HearsNoWordOfOne,
                Wall::Nat,
                Wall::Nothing,
            ];
            let failed = walls.into_iter().find_map(|wall| Some((wall, network.wall(wall).err()?)));
            (None, failed.map(|(wall, said)| format!("nftables do not do as they are told ({wall:?}: {said})")))
        }
    })
}

/// Three hosts and this wall; none, and a line that says why, where they cannot be had.
fn network(what: &str, wall: Wall) -> Option<Network> {
    let (no_hosts, no_walls) = missing();
    if let Some(missing) = if wall == Wall::Nothing { no_hosts } else { no_walls } {
        println!("not checked: {what}: {missing}");
        return None;
    }
    let mut network = Network::of_three().unwrap();
    if wall != Wall::Nothing {
        network.wall(wall).unwrap();
    }
    Some(network)
}

/// Where something could not be checked, this is no success for whoever wants all of it.
fn is_left_out() {
    assert!(std::env::var_os(ALL_OR_FAIL).is_none(), "not everything could be checked on this machine");
}

fn print_row(client: &str, cells: [&str; 3]) {
    println!("| {client:47} | {:46} | {:46} | {:9} |", cells[0], cells[1], cells[2]);
}

#[test]
fn every_holder_answers_a_client_whatever_stands_before_it() {
    print_row("a client", ["its first query", "its second query", "exit code"]);
    print_row(&"-".repeat(47), [&"-".repeat(46), &"-".repeat(46), &"-".repeat(9)]);
    let (mut wrong, mut left_out) = (Vec::new(), 0);
    for row in &ROWS {
        let Some(mut network) = network(row.client, row.wall) else {
            left_out += 1;
            continue;
        };
        network.serve(row.holders, &format!("{KEY} green\n"));
        let host = network.behind_nat.as_ref().map_or(&network.hosts[0], |(host, _)| host);
        let mut client = Network::client(host, &[row.contact]);
        let first = QueryEnd::of(&mut client, KEY);
        if let Some(wall) = row.then {
            network.wall(wall).unwrap();
        }
        let second = QueryEnd::of(&mut client, KEY);
        let run = client.finish();
        print_row(row.client, [&first.to_string(), &second.to_string(), &run.code.to_string()]);
        // That nobody waits for what they know by then makes a difference by a factor of a thousand (2 s and 2 ms), and is no
        // matter of how fast a machine is, where one test runs at a time. Elsewhere nothing is said of time.
        let took = milliseconds(&second.finished);
        if std::env::var_os(ALL_OR_FAIL).is_some() && took >= 1_000.0 {
            wrong.push(format!("{}, second query: it took {took:.1} ms", row.client));
        }
        let ends = [("first", first, row.others), ("second", second, row.again)];
        let differences = ends.into_iter().flat_map(|(which, end, others)| {
            let way =
                |place: &usize| others.iter().find(|(other, _)| other == place).map_or(Way::Either, |other| other.1);
            let holders: Vec<_> = row.holders.iter().map(|place| (address(*place), way(place))).collect();
            end.differences(&holders).into_iter().map(move |what| format!("{}, {which} query: {what}", row.client))
        });
        wrong.extend(differences);
        if (run.out.as_str(), run.code) != ("", 0) {
            wrong.push(format!("{}: {run:?}", row.client));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    if left_out > 0 {
        is_left_out();
    }
}

/// What is too long to be brought is fetched by the client, which can dial whom nobody lets dial it.
#[test]
fn a_long_value_comes_to_a_client_behind_nat() {
    let Some(mut network) = network("a long value behind NAT", Wall::Nat) else { return is_left_out() };
    let value = "x".repeat(100_000);
    network.serve(&[0, 1, 2], &format!("{KEY} {value}\n"));
    let (host, _) = network.behind_nat.as_ref().unwrap();
    let mut client = Network::client(host, &["10.9.0.1:9000"]);
    let end = QueryEnd::of(&mut client, KEY);
    println!("a long value behind NAT: {end}");
    let holders = [(address(0), Way::Either), (address(1), Way::Back), (address(2), Way::Back)];
    assert_eq!(end.differences(&holders), [""; 0], "{:?}", end.finished);
    assert!(end.answers.iter().all(|(_, length, _)| *length == value.len()), "they came in part");
    assert_eq!(client.finish().code, 0);
}

/// What is straight for the contact is dialled by the others in vain, 64 at a time: their answers go back, or are counted.
#[test]
fn no_answer_of_many_at_once_is_lost_unsaid_where_the_contact_alone_is_let_in() {
    let Some(mut network) = network("many queries at once", Wall::LetsOneIn) else { return is_left_out() };
    network.serve(&[0, 1, 2], &format!("{KEY} green\n"));
    let load = Command::new(examples::program("load"));
    let mut load = behind(&network.hosts[0].entering(), &load);
    load.args(["10.9.0.2:9000", KEY]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = Process::start(&mut load).unwrap().output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    println!("many queries at once: {}", said.trim_end());
    let mut numbers = said.split(' ').filter_map(|word| word.parse::<usize>().ok());
    let [lookups, answers, missing, lost] = std::array::from_fn(|_| numbers.next().unwrap_or_default());
    let wrong = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!((lookups, answers + missing + lost), (10_000, 30_000), "{wrong}");
    // Those of its own host and of the contact are two in three. Of the third holder's only those may be missing that were
    // asked for while its first dial was under way: nearly all of them come.
    assert!(answers > 29_000, "{wrong}");
}

/// Each of them is at 127.0.0.1 and hears answers on the same port: to dial one from elsewhere is to dial the other.
#[test]
fn two_clients_of_one_address_on_two_hosts_are_never_taken_for_one() {
    let Some(mut network) = network("two clients of one address", Wall::Nothing) else { return is_left_out() };
    network.serve(&[0, 1, 2], &format!("{KEY} green\n"));
    let at = |place: usize| Network::client(&network.hosts[place], &["127.0.0.1:9000", "--answer-port", "9990"]);
    let mut clients = [at(0), at(2)];
    let holders = [0, 1, 2].map(|place| (address(place), Way::Either));
    for _ in 0..20 {
        for client in &mut clients {
            assert_eq!(QueryEnd::of(client, KEY).differences(&holders), [""; 0]);
        }
    }
    for client in clients {
        let run = client.finish();
        // Nothing came to either that it did not ask for.
        assert_eq!((run.out.as_str(), run.code), ("", 0), "{}", run.log);
    }
}
