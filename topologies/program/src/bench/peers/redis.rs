//! redis-server: `GET` in RESP, answered in the order of the lookups.

use std::net::SocketAddr;

use anyhow::{Context, bail};

use super::{KEY, PeerAsker, PeerProgram, PeerTalk, VALUE, installed, line};

/// What it is called where it is installed.
pub const PROGRAM: &str = "redis-server";

/// What is said to it.
#[derive(Debug, Default)]
pub struct RedisTalk {
    /// How many lookups it has answered.
    answered: u64,
}

/// Starts it with nothing on a disk, if it is there.
pub fn start(listens: SocketAddr) -> anyhow::Result<Option<PeerProgram>> {
    let Some(program) = installed(PROGRAM) else { return Ok(None) };
    let (ip, port) = (listens.ip().to_string(), listens.port().to_string());
    let words = ["--bind", &ip, "--port", &port, "--save", "", "--appendonly", "no"];
    PeerProgram::start(&program, &words.map(str::to_owned), "Ready to accept connections").map(Some)
}

/// Connects and stores what will be looked up.
pub fn connect(server: SocketAddr) -> anyhow::Result<PeerAsker<RedisTalk>> {
    PeerAsker::connect(server, RedisTalk::default(), &format!("SET {KEY} \"{VALUE}\"\r\n"))
}

impl PeerTalk for RedisTalk {
    fn ask(&mut self, _: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("*2\r\n$3\r\nGET\r\n${}\r\n{KEY}\r\n", KEY.len()).as_bytes());
    }

    fn read(&mut self, came: &[u8], _: &mut Vec<u8>) -> anyhow::Result<Option<(usize, Option<u64>)>> {
        let Some((line, count)) = line(came)? else { return Ok(None) };
        if line == "+OK" {
            return Ok(Some((count, None)));
        }
        let Some(length) = line.strip_prefix('$') else { bail!("it says {line}") };
        let length: usize = length.parse().context("it does not have what it was told")?;
        if came.len() < count + length + 2 {
            return Ok(None);
        }
        self.answered += 1;
        Ok(Some((count + length + 2, Some(self.answered - 1))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_are_answered_in_their_order_however_the_bytes_come() {
        let said = b"+OK\r\n$5\r\nblack\r\n$0\r\n\r\n";
        let (mut talk, mut answered, mut taken) = (RedisTalk::default(), Vec::new(), 0);
        for end in 0..=said.len() {
            while let Some((count, number)) = talk.read(&said[taken..end], &mut Vec::new()).unwrap() {
                taken += count;
                answered.extend(number);
            }
        }
        assert_eq!((taken, answered), (said.len(), vec![0, 1]));
        assert!(talk.read(b"$-1\r\n", &mut Vec::new()).is_err(), "it has no such key");
        assert!(talk.read(b"-ERR unknown command\r\n", &mut Vec::new()).is_err());
        let mut out = Vec::new();
        talk.ask(7, &mut out);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$6\r\nkernel\r\n");
    }
}
