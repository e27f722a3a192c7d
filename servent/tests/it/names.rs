//! Neighbors told by name: looked up by the system's own resolver, before every dial, while nothing else waits.
//!
//! The resolver reads a file of names that a test writes, in place of the system's: a servent here has an `/etc` of its
//! own, which is nobody else's. A resolver that hangs is one whose file is a pipe that nobody writes to.

use std::path::PathBuf;

use super::*;

/// The names that one servent can look up.
struct Names {
    etc: TempDir,
}

impl Names {
    /// No names at all. None where the system lets nobody have a file system of their own.
    fn none() -> Option<Names> {
        let etc = tempfile::tempdir().unwrap();
        fs::set_permissions(etc.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(etc.path().join("nsswitch.conf"), "hosts: files\n").unwrap();
        let names = Names { etc };
        names.say(&[]);
        let tried = names.command("true", &[]).output();
        match tried {
            Ok(output) if output.status.success() => Some(names),
            Ok(output) => {
                println!("not run: there are no names of its own to be had: {}", stderr(&output));
                None
            }
            Err(error) => {
                println!("not run: there are no names of its own to be had: {error}");
                None
            }
        }
    }

    fn path(&self) -> PathBuf {
        self.etc.path().join("hosts")
    }

    /// From now on these are all the names there are. The file is never half a one.
    fn say(&self, names: &[(&str, SocketAddr)]) {
        let lines: String = names.iter().map(|(name, address)| format!("{} {name}\n", address.ip())).collect();
        let beside = self.etc.path().join("hosts.new");
        fs::write(&beside, lines).unwrap();
        fs::rename(&beside, self.path()).unwrap();
    }

    /// From now on whoever looks a name up hears nothing.
    fn hang(&self) {
        let beside = self.etc.path().join("hosts.pipe");
        assert!(Command::new("mkfifo").arg(&beside).status().unwrap().success());
        fs::rename(&beside, self.path()).unwrap();
    }

    /// A command that looks up these names and no others.
    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        self.command_after("true", &["--user"], program, arguments)
    }

    /// The same on a machine of its own, which has this address and, as any, that of itself.
    fn command_at(&self, ip: &str, program: &str, arguments: &[&str]) -> Command {
        let network = format!("ip link set lo up && ip address add {ip} dev lo");
        self.command_after(&network, &["--user", "--net"], program, arguments)
    }

    fn command_after(&self, first: &str, unshared: &[&str], program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        let own_etc = format!("{first} && mount --bind \"$0\" /etc && exec \"$@\"");
        command.args(unshared).args(["--map-root-user", "--mount", "sh", "-c", &own_etc]).arg(self.etc.path());
        command.arg(program).args(arguments);
        command
    }

    /// A servent that looks up these names and no others, and logs all of it.
    fn serve(&self, arguments: &[&str]) -> Process {
        let servent = program("servent").unwrap();
        Process::start(&mut self.command(servent.to_str().unwrap(), &[&["127.0.0.1:0"], arguments, &["-v"]].concat()))
    }
}

#[test]
fn a_name_that_means_nothing_yet_is_warned_of_once_and_looked_up_until_it_does() {
    let Some(names) = Names::none() else { return };
    let holder = serve_on("127.0.0.1:0", &["-"]);
    let north = format!("north.example:{}", holder.address().port());
    let mut servent = names.serve(&["-", &north]);
    let not_found = format!("neighbor {north} cannot be looked up yet: ");
    servent.wait_for_log(&not_found, 4);
    let said: Vec<&String> = servent.log.iter().filter(|line| line.contains(&not_found)).collect();
    assert!(said[0].contains("WARN") && said[1..].iter().all(|line| line.contains("DEBUG")), "{said:?}");
    names.say(&[("north.example", holder.address())]);
    servent.wait_for_log(&format!("linked with neighbor {}", holder.address()), 1);
}

#[test]
fn a_neighbor_whose_name_means_another_address_is_followed_there() {
    let Some(names) = Names::none() else { return };
    let here = free_address();
    let there = SocketAddr::new(free_address().ip(), here.port());
    names.say(&[("north.example", here)]);
    let mut holder = serve_on(&here.to_string(), &["-"]);
    let north = format!("north.example:{}", here.port());
    let mut servent = names.serve(&["-", &north]);
    servent.wait_for_log(&format!("linked with neighbor {here}"), 1);
    names.say(&[("north.example", there)]);
    let _moved = serve_on(&there.to_string(), &["-"]);
    holder.kill().unwrap();
    servent.wait_for_log(&format!("neighbor {north} is at {there} now, where it was at {here}"), 1);
    servent.wait_for_log(&format!("linked with neighbor {there}"), 1);
}

/// Whoever could look it up may be gone for a while, and the neighbor be where it was. Each time it cannot be looked up
/// any more that is said once where everybody sees it, and so is that it can be again.
#[test]
fn a_name_that_means_nothing_any_more_is_dialled_where_it_was() {
    let Some(names) = Names::none() else { return };
    let here = free_address();
    names.say(&[("north.example", here)]);
    let mut holder = serve_on(&here.to_string(), &["-"]);
    let north = format!("north.example:{}", here.port());
    let mut servent = names.serve(&["-", &north]);
    servent.wait_for_log(&format!("linked with neighbor {here}"), 1);
    let lost = format!("common::overlay::links] neighbor {north} cannot be looked up, and is dialled where it was: ");
    let found = format!("INFO  common::overlay::links] neighbor {north} can be looked up now: it is at {here}");
    names.say(&[]);
    holder.kill().unwrap();
    servent.wait_for_log(&format!("WARN  {lost}"), 1);
    servent.wait_for_log(&format!("DEBUG {lost}"), 1);
    let mut back = serve_on(&here.to_string(), &["-"]);
    servent.wait_for_log(&format!("linked with neighbor {here}"), 2);
    names.say(&[("north.example", here)]);
    back.kill().unwrap();
    servent.wait_for_log(&found, 1);
    names.say(&[]);
    servent.wait_for_log(&format!("WARN  {lost}"), 2);
    let said = |what: &str| servent.log.iter().filter(|line| line.contains(what)).count();
    assert_eq!((said(&format!("WARN  {lost}")), said(&found)), (2, 1), "{:?}", servent.log);
}

/// Each is asked for by itself, and for an interface no resolver is.
#[test]
fn names_that_hang_keep_no_other_from_being_found() {
    let Some(names) = Names::none() else { return };
    names.hang();
    let holder = serve_on("[::1]:0", &["-"]);
    let hanging: Vec<String> = (0..9).map(|number| format!("n{number}.example:9000")).collect();
    let zoned = format!("[::1%lo]:{}", holder.address().port());
    let arguments: Vec<&str> = ["-"].into_iter().chain(hanging.iter().map(String::as_str)).chain([&*zoned]).collect();
    let mut servent = names.serve(&arguments);
    servent.wait_for_log("linked with neighbor", 1);
    let expected: Vec<&str> = ["log"].into_iter().chain(hanging.iter().map(|_| "names")).chain(["servent"]).collect();
    servent.wait_for_threads(&expected);
}

/// Where the address to go by is to be chosen, neighbors are looked up before anybody can connect: all at once, and for
/// so long and no longer. One of the servent's own is chosen then, or it is said that there is none.
#[test]
fn names_that_hang_are_not_waited_for_by_a_servent_that_listens_everywhere() {
    let Some(names) = Names::none() else { return };
    let tried = names.command_at("10.9.0.7", "true", &[]).output().unwrap();
    if !tried.status.success() {
        return println!("not run: there is no network of its own to be had: {}", stderr(&tried));
    }
    names.hang();
    let hanging: Vec<String> = (0..9).map(|number| format!("n{number}.example:9000")).collect();
    let arguments: Vec<&str> = ["0.0.0.0:0", "-"].into_iter().chain(hanging.iter().map(String::as_str)).collect();
    let servent = program("servent").unwrap();
    let servent = servent.to_str().unwrap();
    let unknown = "9 neighbors not found by name within 2 s: the address to go by is chosen without";
    let mut everywhere = Process::start(&mut names.command_at("10.9.0.7", servent, &arguments));
    everywhere.wait_for_log(unknown, 1);
    everywhere.wait_for_log(&format!("going by 10.9.0.7:{}; ", everywhere.address.port()), 1);
    // One that is found is enough to choose, whoever else is not.
    let near = [&["0.0.0.0:0", "-", "10.9.0.7:9000"], &arguments[2..]].concat();
    let mut chosen = Process::start(&mut names.command_at("10.9.0.7", servent, &near));
    chosen.wait_for_log(&format!("going by 10.9.0.7:{}; ", chosen.address.port()), 1);
    assert_eq!(chosen.log.iter().filter(|line| line.contains("not found by name")).count(), 0, "{:?}", chosen.log);
    let refused = names.command_at("127.0.0.7", servent, &arguments).output().unwrap();
    let said = stderr(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains(unknown) && said.contains("none that others can reach: name one with --advertise"), "{said}");
}

/// Everything a servent does goes on: it has started, links with others, answers, reads its data again and leaves.
#[test]
fn a_resolver_that_hangs_delays_nobody() {
    let Some(names) = Names::none() else { return };
    names.hang();
    let holder = serve_on("127.0.0.1:0", &["-"]);
    let file = tea();
    let mut servent = names.serve(&[file.path(), "north.example:9000", &holder.address().to_string()]);
    servent.wait_for_log(&format!("linked with neighbor {}", holder.address()), 1);
    servent.wait_for_threads(&["log", "names", "servent"]);
    let mut client = Peer::client(servent.address, ANSWER_PORT);
    assert_eq!(client.values("tea"), [b"green"]);
    file.write("tea black\n");
    servent.signal(Signal::HUP);
    servent.wait_for_log("serving 1 key of", 2);
    assert_eq!(client.values("tea"), [b"black"]);
    assert_eq!(servent.threads().iter().filter(|name| *name == "names").count(), 1, "it hangs still");
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0), "{:?}", servent.log);
}

/// A thread is there for as long as there is something to do that waits.
#[test]
fn a_servent_with_nothing_to_do_has_its_thread_and_that_of_its_log() {
    let Some(names) = Names::none() else { return };
    let holder = serve_on("127.0.0.1:0", &["-"]);
    names.say(&[("north.example", holder.address())]);
    let file = tea();
    let north = format!("north.example:{}", holder.address().port());
    let mut servent = names.serve(&[file.path(), &north]);
    servent.wait_for_log("linked with neighbor", 1);
    servent.wait_for_threads(&["log", "servent"]);
    servent.signal(Signal::HUP);
    servent.wait_for_log("serving 1 key of", 2);
    servent.wait_for_threads(&["log", "servent"]);
    let idle = Process::serve(&["-"]);
    drop(Peer::client(idle.address, ANSWER_PORT));
    assert!(idle.threads().len() <= 2, "{:?}", idle.threads());
}

#[test]
fn a_check_says_what_cannot_be_looked_up() {
    let Some(names) = Names::none() else { return };
    let servent = program("servent").unwrap();
    let check = |neighbor: &str| {
        let arguments = ["0", "-", neighbor, "--check"];
        names.command(servent.to_str().unwrap(), &arguments).output().unwrap()
    };
    let output = check("north.example:9000");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot tell what address `north.example:9000` stands for"), "{output:?}");
    names.say(&[("north.example", ([127, 0, 0, 1], 9000).into())]);
    assert_eq!(check("north.example:9000").status.code(), Some(0));
    // What can never be an address is no name that may mean something later.
    assert_eq!(run(&["0", "-", "north.example"]).status.code(), Some(2));
}
