//! A node that is dialled.

use std::net::{SocketAddr, TcpListener};

use super::{Wire, waiting};
use crate::listen_anew;

/// A node of the other kind, waiting for servents to dial it.
pub struct Node(TcpListener);

impl Node {
    pub fn open() -> Node {
        Node(waiting(listen_anew()))
    }

    pub fn open_at(address: SocketAddr) -> Node {
        Node(waiting(TcpListener::bind(address).unwrap()))
    }

    /// How a servent is told to dial it.
    pub fn name(&self) -> String {
        format!("tp3://{}", self.0.local_addr().unwrap())
    }

    /// The next connection, on which nothing has been read.
    pub fn accept(&self) -> Wire {
        Wire::over(self.0.accept().expect("nobody dials").0)
    }
}
