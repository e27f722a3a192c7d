//! A servent in a process of somebody else's: its methods in place of the program's command line, log and signals.
//!
//! How one is started is `start`, the same for both; the loop itself is `server`.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;

use anyhow::Context;

use crate::options::Options;
use crate::server::Server;
use crate::signals::Signals;
use crate::start::start;

/// A servent that listens. Nobody is served before [`EmbeddedServent::run`].
///
/// No signal means anything to it, and it logs to whatever `log` was given.
pub struct EmbeddedServent {
    server: Server,
    address: SocketAddr,
    /// Kept until it has ended: a pipe that nobody can write to is ready for ever.
    controls: Controls,
}

/// Tells a servent that runs in another thread what signals tell the program.
#[derive(Debug)]
pub struct Controls {
    leave: UnixStream,
    reload: UnixStream,
}

impl EmbeddedServent {
    /// Reads the data, and listens.
    pub fn start(options: &Options) -> anyhow::Result<EmbeddedServent> {
        let (signals, [leave, reload]) = Signals::none().context("cannot make a pipe")?;
        let (server, address) = start(options, signals)?;
        Ok(EmbeddedServent { server, address, controls: Controls { leave, reload } })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What has it leave or read its data again once it runs.
    pub fn controls(&self) -> io::Result<Controls> {
        let Controls { leave, reload } = &self.controls;
        Ok(Controls { leave: leave.try_clone()?, reload: reload.try_clone()? })
    }

    /// Serves until told to leave. An error is one that no waiting mends.
    pub fn run(self) -> anyhow::Result<()> {
        let EmbeddedServent { server, controls, .. } = self;
        let served = server.run();
        drop(controls);
        served
    }
}

impl Controls {
    /// Has it say goodbye and end.
    pub fn leave(&self) {
        // What cannot be told was told before, or nobody is there any more.
        let _ = (&self.leave).write(b"l");
    }

    /// Has it read its data again.
    pub fn reload(&self) {
        let _ = (&self.reload).write(b"r");
    }
}
