//! stdin, stdout and stderr as streams that wait, whatever mode another program has put them in.
//!
//! Who shares a descriptor shares its mode: a program beside ours, or before it, may have made it non-blocking. Then std
//! gives up in the middle of a line. The mode is left as it is, since it is that program's as well.

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{Errno, read};

use crate::output;

/// One of the three, without a buffer.
#[derive(Clone, Copy, Debug)]
pub struct Patient(BorrowedFd<'static>);

/// Where a program reads.
#[must_use]
pub fn stdin() -> Patient {
    Patient(rustix::stdio::stdin())
}

/// Where a program writes what it has found.
#[must_use]
pub fn stdout() -> Patient {
    Patient(rustix::stdio::stdout())
}

/// Where a program writes everything else.
#[must_use]
pub fn stderr() -> Patient {
    Patient(rustix::stdio::stderr())
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match read(self.0, &mut *buffer) {
                Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None) {
                    Ok(_) | Err(Errno::INTR) => {}
                    Err(error) => return Err(error.into()),
                },
                Err(Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        output::write_all(self.0, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
