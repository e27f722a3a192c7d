//! nats-server: a request over one or over several in a row, answered by a service of ours at the other end.
//!
//! Servers in a row are leaf nodes, each of the one before it.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::super::load::{Asks, LoadEvent};
use super::{KEY, PeerAsker, PeerProgram, PeerTalk, START_MAX, VALUE, installed, line};

/// What it is called where it is installed.
pub const PROGRAM: &str = "nats-server";
const FIRST_PORT: u16 = 9801;
const FIRST_LEAF_PORT: u16 = 9851;
/// What is said first; nobody is to be told that all is well.
const CONNECT: &str = "CONNECT {\"verbose\":false,\"pedantic\":false}\r\n";
/// Lookups from here on are asked only until somebody answers.
const PROBES: u64 = u64::MAX / 2;
/// How often that is tried.
const PROBE_EVERY: Duration = Duration::from_millis(50);
/// Longer than anything it says between messages.
const FOREVER: Duration = Duration::from_secs(3600);

/// What a client says to it.
#[derive(Clone, Copy, Debug)]
pub struct NatsTalk {
    is_service: bool,
}

/// Servers in a row, and who answers at the last.
#[derive(Debug)]
pub struct NatsRow {
    peers: Vec<PeerProgram>,
    /// Where the first is.
    pub first: SocketAddr,
}

/// Starts so many in a row, if it is there.
pub fn start(ip: IpAddr, servers: u16) -> anyhow::Result<Option<NatsRow>> {
    let Some(program) = installed(PROGRAM) else { return Ok(None) };
    let mut row = NatsRow { peers: Vec::new(), first: SocketAddr::new(ip, FIRST_PORT) };
    for place in 0..servers {
        let (port, leaf_port) = (FIRST_PORT + place, FIRST_LEAF_PORT + place);
        let mut config = format!("host: {ip}\nport: {port}\nleafnodes {{\n  host: {ip}\n  port: {leaf_port}\n");
        if place > 0 {
            writeln!(config, "  remotes: [ {{ url: \"nats-leaf://{ip}:{}\" }} ]", leaf_port - 1)?;
        }
        config.push_str("}\n");
        let path = std::env::temp_dir().join(format!("topology-nats-{}-{place}.conf", process::id()));
        fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
        let words = ["-c".to_owned(), path.to_string_lossy().into_owned()];
        let peer = PeerProgram::start(&program, &words, "Server is ready");
        // It has been read by then, and is nobody's any more however this program ends.
        let _ = fs::remove_file(&path);
        row.peers.push(peer?);
    }
    let last = SocketAddr::new(ip, FIRST_PORT + servers - 1);
    let mut service = PeerProgram::command()?;
    service.args(["nats-service", &last.to_string()]);
    row.peers.push(PeerProgram::spawn(&mut service)?);
    Ok(Some(row))
}

/// Connects, and waits until requests are answered.
pub fn connect(server: SocketAddr) -> anyhow::Result<PeerAsker<NatsTalk>> {
    let first = format!("{CONNECT}SUB inbox.* 1\r\n");
    let mut asker = PeerAsker::connect(server, NatsTalk { is_service: false }, &first)?;
    let until = Instant::now() + START_MAX;
    let (mut heard, mut probe) = (Vec::new(), PROBES);
    while heard.is_empty() {
        if Instant::now() > until {
            bail!("nobody answers over {server}");
        }
        asker.talk.ask(probe, &mut asker.out);
        asker.hear(PROBE_EVERY, &mut heard)?;
        probe += 1;
    }
    // Each that was asked is answered, or was dropped before the answered one was asked.
    while heard.last() != Some(&LoadEvent::Answer(probe - 1)) {
        heard.clear();
        asker.hear(START_MAX, &mut heard)?;
        if heard.is_empty() {
            bail!("nobody answers over {server} any more");
        }
    }
    Ok(asker)
}

/// Answers every request for the key until it is ended.
pub fn serve(server: SocketAddr) -> anyhow::Result<()> {
    let first = format!("{CONNECT}SUB {KEY} 1\r\n");
    let mut service = PeerAsker::connect(server, NatsTalk { is_service: true }, &first)?;
    loop {
        service.hear(FOREVER, &mut Vec::new())?;
    }
}

impl PeerTalk for NatsTalk {
    fn ask(&mut self, number: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("PUB {KEY} inbox.{number} 0\r\n\r\n").as_bytes());
    }

    fn read(&mut self, came: &[u8], out: &mut Vec<u8>) -> anyhow::Result<Option<(usize, Option<u64>)>> {
        let Some((line, count)) = line(came)? else { return Ok(None) };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["PING"] => out.extend_from_slice(b"PONG\r\n"),
            ["INFO" | "PONG", ..] => {}
            ["MSG", subject, _, .., length] => {
                let length: usize = length.parse().context("a message of no length")?;
                if came.len() < count + length + 2 {
                    return Ok(None);
                }
                let whole = count + length + 2;
                if self.is_service {
                    let reply = words.get(3).filter(|_| words.len() == 5).context("a request wants no answer")?;
                    out.extend_from_slice(format!("PUB {reply} {}\r\n{VALUE}\r\n", VALUE.len()).as_bytes());
                    return Ok(Some((whole, None)));
                }
                let number = subject.strip_prefix("inbox.").and_then(|number| number.parse().ok());
                return Ok(Some((whole, Some(number.context("an answer to nothing")?))));
            }
            _ => bail!("it says {line}"),
        }
        Ok(Some((count, None)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_and_the_answer_is_known_by_its_number() {
        let mut out = Vec::new();
        let (mut client, mut service) = (NatsTalk { is_service: false }, NatsTalk { is_service: true });
        client.ask(7, &mut out);
        assert_eq!(out, b"PUB kernel inbox.7 0\r\n\r\n");
        let request = b"MSG kernel 1 inbox.7 0\r\n\r\nPING\r\n";
        out.clear();
        assert_eq!(service.read(request, &mut out).unwrap(), Some((26, None)));
        assert_eq!(out, format!("PUB inbox.7 {}\r\n{VALUE}\r\n", VALUE.len()).as_bytes());
        let answer = format!("MSG inbox.7 1 {}\r\n{VALUE}\r\n", VALUE.len());
        for end in 0..answer.len() {
            assert_eq!(client.read(&answer.as_bytes()[..end], &mut out).unwrap(), None);
        }
        assert_eq!(client.read(answer.as_bytes(), &mut out).unwrap(), Some((answer.len(), Some(7))));
        out.clear();
        assert_eq!(client.read(b"PING\r\n", &mut out).unwrap(), Some((6, None)));
        assert_eq!(out, b"PONG\r\n");
        assert!(client.read(b"-ERR 'Authorization Violation'\r\n", &mut out).is_err());
    }
}
