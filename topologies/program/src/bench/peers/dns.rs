//! dnsmasq: the address of a name that it was told, asked over UDP.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, bail};

use super::super::load::{Asks, LoadEvent};
use super::{KEY, PeerProgram, installed};

/// What it is called where it is installed.
pub const PROGRAM: &str = "dnsmasq";
/// Behind the key: a name with a domain is not looked for elsewhere.
const DOMAIN: &str = "bench";
/// The largest it says to who did not offer more.
const DATAGRAM_BYTES: usize = 512;
const HEAD_BYTES: usize = 12;

/// Starts it with nothing but one name, if it is there.
pub fn start(listens: SocketAddr) -> anyhow::Result<Option<PeerProgram>> {
    let Some(program) = installed(PROGRAM) else { return Ok(None) };
    let plain = "--keep-in-foreground --log-facility=- --conf-file=/dev/null --no-resolv --no-hosts --pid-file= --user= \
                 --bind-interfaces";
    let own =
        format!("--listen-address={} --port={} --host-record={KEY}.{DOMAIN},192.0.2.1", listens.ip(), listens.port());
    let words: Vec<String> = plain.split(' ').chain(own.split(' ')).map(str::to_owned).collect();
    PeerProgram::start(&program, &words, "started, version").map(Some)
}

/// A client of it, with many lookups in flight.
#[derive(Debug)]
pub struct DnsAsker {
    socket: UdpSocket,
    /// How long a read of it waits.
    hears_for: Duration,
    next: u16,
}

impl DnsAsker {
    /// One that asks there.
    pub fn connect(server: SocketAddr) -> anyhow::Result<DnsAsker> {
        let own: IpAddr = server.ip();
        let socket = UdpSocket::bind((own, 0)).context("there is no port to ask from")?;
        socket.connect(server).with_context(|| format!("cannot ask {server}"))?;
        Ok(DnsAsker { socket, hears_for: Duration::ZERO, next: 0 })
    }
}

fn question(id: u16) -> Vec<u8> {
    // Recursion is wanted, one question, and nothing else.
    let mut bytes = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in [KEY, DOMAIN] {
        bytes.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(label.as_bytes());
    }
    // Of the kind A, in the Internet.
    bytes.extend_from_slice(&[0, 0, 1, 0, 1]);
    bytes
}

/// The lookup that is answered.
fn answered(bytes: &[u8]) -> anyhow::Result<u64> {
    let Some(&[one, other, _, flags, _, _, _, answers, ..]) = bytes.get(..HEAD_BYTES) else {
        bail!("it says {} bytes", bytes.len());
    };
    if flags & 0x0f != 0 || answers == 0 {
        bail!("it does not have what it was told");
    }
    Ok(u64::from(u16::from_be_bytes([one, other])))
}

impl Asks for DnsAsker {
    type Number = u64;

    fn begin(&mut self, count: usize, begun: &mut Vec<u64>) -> anyhow::Result<()> {
        for _ in 0..count {
            let id = self.next;
            self.next = id.wrapping_add(1);
            self.socket.send(&question(id)).context("it cannot be asked")?;
            begun.push(u64::from(id));
        }
        Ok(())
    }

    fn hear(&mut self, at_most: Duration, heard: &mut Vec<LoadEvent<u64>>) -> anyhow::Result<()> {
        if self.hears_for != at_most {
            self.socket.set_read_timeout(Some(at_most))?;
            self.hears_for = at_most;
        }
        let mut datagram = [0; DATAGRAM_BYTES];
        loop {
            match self.socket.recv(&mut datagram) {
                Ok(count) => heard.push(LoadEvent::Answer(answered(&datagram[..count])?)),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error).context("it cannot be heard"),
            }
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_as_long_as_its_name_and_an_answer_has_its_id() {
        let bytes = question(0x1234);
        assert_eq!(bytes, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x06kernel\x05bench\0\0\x01\0\x01");
        let head = |flags, answers| [0x12, 0x34, 0x85, flags, 0, 1, 0, answers, 0, 0, 0, 0];
        assert_eq!(answered(&head(0x80, 1)).unwrap(), 0x1234);
        assert!(answered(&head(0x83, 0)).is_err(), "there is no such name");
        assert!(answered(&head(0x85, 1)).is_err(), "it refuses");
        assert!(answered(&head(0x80, 1)[..11]).is_err());
    }
}
