//! How a floor brings an answer to the client, and what it says to whoever started it.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};

use super::wire::Head;

/// Clients of floors hear answers here.
pub const CLIENT_IP: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A connection to one client that stays, and what is to be written to it.
#[derive(Debug, Default)]
pub struct AnswerLink {
    kept: Option<(u16, TcpStream)>,
    out: Vec<u8>,
}

impl AnswerLink {
    /// Another answer, written at the end of the turn. Whoever asks from another port is another client.
    pub fn keep(&mut self, answer: Head, length: usize) {
        if self.kept.as_ref().is_none_or(|(port, _)| *port != answer.port) {
            self.write();
            self.kept = connect(answer.port).ok().map(|stream| (answer.port, stream));
        }
        answer.write(length, &mut self.out);
    }

    /// Writes what there is.
    pub fn write(&mut self) {
        if !self.out.is_empty() {
            // A client that has gone will not ask again.
            self.kept = self.kept.take().filter(|(_, stream)| (&mut &*stream).write_all(&self.out).is_ok());
            self.out.clear();
        }
    }

    /// An answer over a connection of its own.
    pub fn tell_alone(answer: Head, length: usize) {
        let mut out = Vec::with_capacity(length);
        answer.write(length, &mut out);
        // As above.
        let _ = connect(answer.port).and_then(|mut stream| stream.write_all(&out));
    }
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(SocketAddr::new(CLIENT_IP, port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Says where it listens.
pub fn say_listening(address: SocketAddr) -> io::Result<()> {
    say(&format!("listening on {address}"))
}

/// Says a line.
pub fn say(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}")?;
    stdout.flush()
}
