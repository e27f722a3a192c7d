//! Hosts of a network, as far as the system knows them: each is a network namespace, with its own loopback, its own
//! addresses and its own firewall.
//!
//! A namespace has no name on this machine. A process holds it, and is gone when its stdin closes: whatever ends the
//! tests, nothing stays. Where the tests are not root's, all of it is made in a user namespace, where the system lets
//! them.

use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStdin, Command, Output, Stdio};

use rustix::process::geteuid;
use topologies::fleet::behind;
use topologies::processes::Process;

/// A host. Gone with this value, with its interfaces and those at the other ends of them.
#[derive(Debug)]
pub(crate) struct Host {
    holder: Process,
    _open: ChildStdin,
}

impl Host {
    /// A host without any other.
    pub(crate) fn first() -> Result<Host, String> {
        let user: &[&str] = if geteuid().is_root() { &[] } else { &["--user", "--map-root-user"] };
        Host::held_by(Command::new("unshare").args(user))
    }

    /// Another one, which can be joined with this.
    pub(crate) fn another(&self) -> Result<Host, String> {
        Host::held_by(&mut behind(&self.entering(), &Command::new("unshare")))
    }

    /// With loopback alone.
    fn held_by(unshare: &mut Command) -> Result<Host, String> {
        unshare.args(["--net", "sh", "-c", "ip link set lo up && echo ready && exec cat"]);
        let piped = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = Process::start(piped).map_err(|error| format!("unshare: {error}"))?;
        let (open, out, mut log) =
            (holder.take_stdin().unwrap(), holder.take_stdout().unwrap(), holder.take_stderr().unwrap());
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).unwrap();
        if line == "ready\n" {
            return Ok(Host { holder, _open: open });
        }
        let mut said = Vec::new();
        log.read_to_end(&mut said).unwrap();
        Err(in_one_line(&said))
    }

    /// The words of a program that enters this host and then becomes the one that is named behind them.
    pub(crate) fn entering(&self) -> Vec<String> {
        let target = self.holder.pid().as_raw_nonzero().to_string();
        let user: &[&str] = if geteuid().is_root() { &[] } else { &["--preserve-credentials", "--user"] };
        let words = [&["nsenter", "--target", &target, "--net"], user, &["--"]].concat();
        words.into_iter().map(str::to_owned).collect()
    }

    /// Does this here, line by line, and goes no further after what fails.
    pub(crate) fn does(&self, script: &str) -> Result<(), String> {
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", script]);
        let output = behind(&self.entering(), &shell).stdin(Stdio::null()).output();
        let Output { status, stderr, .. } = output.map_err(|error| format!("nsenter: {error}"))?;
        if status.success() { Ok(()) } else { Err(in_one_line(&stderr)) }
    }

    /// A cable from here, where its end is called `port`, to another host, where it is called `eth0`.
    pub(crate) fn joins(&self, port: &str, other: &Host, addresses: &[String]) -> Result<(), String> {
        let there = other.holder.pid().as_raw_nonzero();
        self.does(&format!("ip link add {port} type veth peer name eth0 netns {there}\nip link set {port} up"))?;
        let mut script = "ip link set eth0 addrgenmode none up\n".to_owned();
        for address in addresses {
            // Nobody else has it, and to ask around takes a second.
            let nodad = if address.contains(':') { "nodad" } else { "" };
            script += &format!("ip address add {address} dev eth0 {nodad}\n");
        }
        other.does(&script)
    }

    /// A cable to another host from a bridge that is here.
    pub(crate) fn switches(&self, port: &str, other: &Host, addresses: &[String]) -> Result<(), String> {
        self.joins(port, other, addresses)?;
        self.does(&format!("ip link set {port} master bridge"))
    }

    /// Has the system do this with packets.
    pub(crate) fn filters(&self, rules: &str) -> Result<(), String> {
        self.does(&format!("nft -f - <<'END'\n{rules}\nEND"))
    }
}

/// What a program said when it failed.
fn in_one_line(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    said.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}
