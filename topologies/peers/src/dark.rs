//! Packets that vanish.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};

/// Has the system drop every packet that comes to this socket. Nothing is acknowledged or refused any more, as if the
/// machine behind it had lost its power.
pub(crate) fn swallow(socket: &impl AsFd) {
    try_to_swallow(socket).unwrap();
}

fn try_to_swallow(socket: &impl AsFd) -> io::Result<()> {
    const RETURN_CONSTANT: u16 = 0x06;
    SockRef::from(socket).attach_filter(&[SockFilter::new(RETURN_CONSTANT, 0, 0, 0)])
}

/// Whether this process may have packets dropped. Some systems allow it to the privileged only.
pub fn may_swallow() -> bool {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    match try_to_swallow(&socket) {
        Ok(()) => true,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            println!("not run: this system allows a socket filter to the privileged only ({error})");
            false
        }
        Err(error) => panic!("{error}"),
    }
}
