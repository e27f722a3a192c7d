//! A way to a contact on which a client seems to be somewhere else, as behind NAT.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::thread;

use peers::Peer;
use topologies::fleet::some_loopback_address;

use super::listen;

/// Carries what is said between clients and a contact. The contact sees the clients at an ip where nobody listens.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    shown: IpAddr,
}

impl Relay {
    /// One in front of this contact.
    pub(crate) fn to(contact: SocketAddr) -> Relay {
        let (address, accepted) = listen();
        let shown = some_loopback_address().into();
        thread::spawn(move || {
            for client in accepted {
                let contact = Peer::stranger_from(shown, contact).into_stream();
                // Short messages are not to wait for one another.
                [&client, &contact].into_iter().for_each(|stream| stream.set_nodelay(true).unwrap());
                carry(client.try_clone().unwrap(), contact.try_clone().unwrap());
                carry(contact, client);
            }
        });
        Relay { address, shown }
    }

    /// Where it is, as a client's argument.
    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// Where a client that hears answers on this port seems to hear them.
    pub(crate) fn shown(&self, answer_port: u16) -> SocketAddr {
        SocketAddr::new(self.shown, answer_port)
    }
}

/// Carries what comes from one to the other until it ends, or one of them does.
fn carry(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        // Whoever has gone hears of no end.
        let _ = to.shutdown(Shutdown::Write);
    });
}
