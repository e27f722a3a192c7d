//! The connections under an exchange: each a socket, watched for what its link waits for.
//!
//! It moves bytes when it is asked to. How many, when, and what they mean is decided by the exchange and the mind above.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use common::exchange::Transport;
use common::link::{LinkId, SendError};
use common::message::Message;

use crate::poller::{Interest, Watched, Watcher};

/// Keys that a poller is given for anything but connections are below this one.
const FIRST_KEY: usize = 16;

/// Connections under the names of their links, which are the keys they are watched under and are never used again.
#[derive(Debug)]
pub struct Connections {
    watcher: Watcher,
    sockets: BTreeMap<LinkId, Watched<TcpStream>>,
    next_key: usize,
}

impl Connections {
    /// No connections yet.
    #[must_use]
    pub fn new(watcher: Watcher) -> Connections {
        Connections { watcher, sockets: BTreeMap::new(), next_key: FIRST_KEY }
    }

    /// Which link is watched under a key.
    #[must_use]
    pub fn link_of(key: usize) -> LinkId {
        LinkId(key as u64)
    }

    /// A key that nothing else was or will be watched under.
    pub fn new_key(&mut self) -> usize {
        let key = self.next_key;
        self.next_key += 1;
        key
    }

    /// Takes a socket, which must not block, and gives it a name.
    pub fn insert(&mut self, stream: TcpStream, interest: Interest) -> io::Result<LinkId> {
        let key = self.new_key();
        let link = Connections::link_of(key);
        self.sockets.insert(link, self.watcher.watch(stream, key, interest)?);
        Ok(link)
    }

    /// The socket of a link, as long as it is open.
    #[must_use]
    pub fn socket(&self, link: LinkId) -> Option<&TcpStream> {
        self.sockets.get(&link).map(|socket| &**socket)
    }

    fn watched(&mut self, link: LinkId) -> io::Result<&mut Watched<TcpStream>> {
        self.sockets.get_mut(&link).ok_or(io::ErrorKind::NotConnected.into())
    }

    fn set_interest(&mut self, link: LinkId, reads: bool, writes: bool) -> io::Result<()> {
        let socket = self.watched(link)?;
        match (reads, writes) {
            (true, false) => socket.set_interest(Interest::Read),
            (true, true) => socket.set_interest(Interest::ReadWrite),
            (false, true) => socket.set_interest(Interest::Write),
            (false, false) => socket.pause(),
        }
    }
}

impl Transport for Connections {
    fn read(&mut self, link: LinkId, buffer: &mut [u8]) -> Result<Option<usize>, String> {
        match self.watched(link).and_then(|socket| (&**socket).read(buffer)) {
            Ok(count) => Ok(Some(count)),
            // What was interrupted is still there in the next turn.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn write(&mut self, link: LinkId, bytes: &[u8]) -> Result<usize, String> {
        loop {
            match self.watched(link).and_then(|socket| (&**socket).write(bytes)) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).to_string()),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn watch(&mut self, link: LinkId, reads: bool, writes: bool) -> Result<(), String> {
        self.set_interest(link, reads, writes).map_err(|error| error.to_string())
    }

    fn shut(&mut self, link: LinkId) -> Result<(), String> {
        match self.watched(link).and_then(|socket| socket.shutdown(Shutdown::Write)) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error.to_string()),
            _ => Ok(()),
        }
    }

    fn close(&mut self, link: LinkId) {
        self.sockets.remove(&link);
    }

    fn on_said(&mut self, link: LinkId, message: &Message, said: &Result<(), SendError>) {
        if let Err(error) = said {
            log::debug!("no {} said on {link}: {error}", message.name());
        }
    }
}
