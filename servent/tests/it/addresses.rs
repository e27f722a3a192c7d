//! Addresses in every form at every door, and the one a servent goes by.
//!
//! What needs a network of its own has one: a namespace that anybody may make, where the system lets them.

use std::process::Child;

use super::*;

// ---- a network of one's own ----

/// Another host, as far as networks go. Gone with this value.
struct Namespace {
    holder: Child,
}

impl Namespace {
    /// With loopback, and an interface called `net0` with these addresses. None where the system does not allow it.
    fn with_addresses(addresses: &[&str]) -> Option<Namespace> {
        let mut setup = "ip link set lo up && ip link add net0 type veth peer name net1 && \
             ip link set net0 addrgenmode none && ip link set net1 addrgenmode none && \
             ip link set net0 up && ip link set net1 up"
            .to_owned();
        for address in addresses {
            let nodad = if address.contains(':') { "nodad" } else { "" };
            setup += &format!(" && ip address add {address} dev net0 {nodad}");
        }
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--net", "sh", "-c", &format!("{setup} && echo ready && exec cat")]);
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut holder = match spawned {
            Ok(holder) => holder,
            Err(error) => {
                println!("not run: there is no network of its own to be had: {error}");
                return None;
            }
        };
        let mut line = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line == "ready\n" {
            return Some(Namespace { holder });
        }
        let output = holder.wait_with_output().unwrap();
        println!("not run: there is no network of its own to be had: {}", stderr(&output));
        None
    }

    /// One of our programs there.
    fn command(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--preserve-credentials", "--user", "--net", "--target", &self.holder.id().to_string()]);
        command.arg(program(name).unwrap()).args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Output {
        self.command(name, arguments).output().unwrap()
    }

    fn serve(&self, arguments: &[&str]) -> Process {
        Process::start(&mut self.command("servent", arguments))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

// ---- the forms ----

#[test]
fn a_bare_port_is_this_machine_and_a_name_is_looked_up_at_every_door() {
    let file = tea();
    let holder = Process::start(Command::new(program("servent").unwrap()).args(["localhost:0", file.path()]));
    // Whatever else it has, a name with an IPv4 address means that one, as a bare port does.
    assert_eq!(holder.address.ip().to_string(), "127.0.0.1");
    let port = holder.address.port().to_string();
    for neighbor in [port.clone(), format!("localhost:{port}")] {
        let mut servent = Process::serve(&["-", &neighbor, "--advertise", "localhost:9"]);
        servent.wait_for_log(&format!("linked with neighbor {}", holder.address), 1);
        let asked = Command::new(program("client").unwrap()).args([&servent.address.to_string(), "-c", "T"]).output();
        // The holder answers too, and either may come first.
        let shown = stdout(&asked.unwrap());
        assert!(shown.lines().any(|line| line == "127.0.0.1:9 127.0.0.1:9"), "what it was told to go by: {shown}");
    }
    for contact in [port.clone(), format!("localhost:{port}"), format!("127.0.0.1:{port}")] {
        let asked = Command::new(program("client").unwrap()).args([&contact, "-c", "? tea"]).output().unwrap();
        assert_eq!(stdout(&asked), format!("green {}\n", holder.address), "{contact}: {}", stderr(&asked));
    }
}

#[test]
fn what_is_no_address_is_refused_in_words_at_every_door() {
    for (text, said) in [
        ("nonsense", "`nonsense` has no port; the forms are PORT"),
        ("localhost:70000", "`localhost:70000` has `70000` where a port from 0 to 65535 should be; the forms are PORT"),
        ("::1:9000", "`::1:9000` has an IPv6 address without its brackets; the forms are PORT"),
        ("[fe80::1]:9000", "as in [fe80::1%eth0]:9000"),
        ("10.0.0.256:9000", "`10.0.0.256:9000` has `10.0.0.256` where a host should be"),
    ] {
        let client = Command::new(program("client").unwrap()).args([text, "-c", "T"]).output().unwrap();
        for output in [run(&[text, "-"]), run(&["0", "-", text]), run(&["0", "-", "--advertise", text]), client] {
            assert_eq!(output.status.code(), Some(2), "{text}");
            assert!(stderr(&output).contains(said), "{text}: {}", stderr(&output));
        }
    }
}

/// What is an address and stands for nothing is no slip of the pen: it may be right on another day.
#[test]
fn what_stands_for_nothing_is_named() {
    let unknown = "[fe80::1%nothing9]:9000";
    let said = "no interface of this machine is called nothing9";
    let client = Command::new(program("client").unwrap()).args([unknown, "-c", "T"]).output().unwrap();
    for (output, code) in [(run(&[unknown, "-"]), 1), (run(&["0", "-", unknown, "--check"]), 1), (client, 3)] {
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(stderr(&output).contains(said) && stderr(&output).contains(unknown), "{}", stderr(&output));
    }
    // A servent goes on without it.
    let mut servent = Process::serve(&["-", unknown]);
    servent.wait_for_log(&format!("neighbor {unknown} cannot be looked up yet: {said}"), 1);
}

#[test]
fn an_address_of_one_link_is_named_with_its_interface_at_every_door() {
    let Some(host) = Namespace::with_addresses(&["fe80::7/64", "fe80::8/64"]) else { return };
    let file = tea();
    let holder = host.serve(&["[fe80::7%net0]:9000", file.path()]);
    assert_eq!(holder.address.ip().to_string(), "fe80::7");
    let mut servent = host.serve(&["[fe80::8%net0]:9000", "-", "[fe80::7%net0]:9000"]);
    servent.wait_for_log("linked with neighbor [fe80::7]:9000", 1);
    let index = holder.out[0].split(['%', ']']).nth(1).unwrap().to_owned();
    for contact in ["[fe80::7%net0]:9000".to_owned(), format!("[fe80::7%{index}]:9000")] {
        let asked = host.run("client", &[&contact, "-c", "? tea"]);
        assert_eq!(stdout(&asked), "green [fe80::7]:9000\n", "{contact}: {}", stderr(&asked));
    }
    drop((holder, servent));

    let declared = DataFile::new(format!(
        "servent [fe80::7%net0]:9000 {} [fe80::8%net0]:9000\nservent [fe80::8%net0]:9000 -\n",
        file.path()
    ));
    let path = format!("{}.topo", declared.path());
    fs::copy(declared.path(), &path).unwrap();
    let output = host.run("topology", &["run", &path, "--", "-c", "? tea"]);
    assert!(stdout(&output).ends_with("green [fe80::7]:9000\n"), "{}{}", stdout(&output), stderr(&output));
}

// ---- the address it goes by ----

fn goes_by(host: &Namespace, arguments: &[&str]) -> String {
    let servent = host.serve(arguments);
    let port = servent.address.port();
    let contact = if servent.address.is_ipv4() { format!("127.0.0.1:{port}") } else { format!("[::1]:{port}") };
    let asked = host.run("client", &[&contact, "-c", "T"]);
    assert!(asked.status.success(), "{}", stderr(&asked));
    let own = stdout(&asked).lines().next().unwrap().split(' ').next_back().unwrap().to_owned();
    own.strip_suffix(&format!(":{port}")).unwrap().to_owned()
}

#[test]
fn on_a_network_without_a_way_out_it_goes_by_the_only_address_it_has() {
    let Some(host) = Namespace::with_addresses(&["10.9.0.7/24", "fe80::7/64"]) else { return };
    assert_eq!(goes_by(&host, &["0.0.0.0:0", "-"]), "10.9.0.7");
    assert_eq!(goes_by(&host, &["[::]:0", "-"]), "10.9.0.7");
}

#[test]
fn of_several_addresses_it_goes_by_the_one_its_neighbors_can_reach_or_asks_which() {
    let Some(host) = Namespace::with_addresses(&["10.9.0.7/24", "10.9.1.7/24", "fd00:9::7/64"]) else { return };
    for (listen, neighbor, own) in [
        ("[::]:0", "[fd00:9::8]:9000", "[fd00:9::7]"),
        ("[::]:0", "10.9.1.8:9000", "10.9.1.7"),
        ("0.0.0.0:0", "10.9.0.8:9000", "10.9.0.7"),
    ] {
        assert_eq!(goes_by(&host, &[listen, "-", neighbor]), own, "{listen} {neighbor}");
    }
    for (listen, addresses) in [("0.0.0.0:0", "10.9.0.7, 10.9.1.7"), ("[::]:0", "10.9.0.7, 10.9.1.7, fd00:9::7")] {
        let refused = host.run("servent", &[listen, "-", "[::1]:9000"]);
        assert_eq!(refused.status.code(), Some(1));
        let said = stderr(&refused);
        assert!(said.contains(&format!("any of {addresses}: name one with --advertise")), "{said}");
    }
}
