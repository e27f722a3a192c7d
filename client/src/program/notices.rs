//! What is said while a line is being edited: it appears above the line, which stays as it is.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustyline::ExternalPrinter;

/// Hands notices on to the line editor.
#[derive(Clone)]
pub(crate) struct Notices(Sender<String>);

impl Notices {
    /// Through a printer of the line editor. It may wait until the next line is edited, and has a thread that can.
    pub(crate) fn through(mut printer: impl ExternalPrinter + Send + 'static) -> io::Result<Notices> {
        let (sender, notices) = channel::<String>();
        thread::Builder::new().name("notices".to_owned()).spawn(move || {
            for notice in notices {
                if let Err(error) = printer.print(notice) {
                    log::debug!("cannot be said above the line: {error}");
                }
            }
        })?;
        Ok(Notices(sender))
    }

    pub(crate) fn say(&self, notice: &str) {
        // Without its thread there is nobody to say it.
        let _ = self.0.send(format!("{notice}\n"));
    }
}

/// Waits until a connection is over, and nothing else: what comes over it is not looked at. False once one of `until` is
/// readable or over.
pub(crate) fn is_over(connection: BorrowedFd<'_>, until: &[BorrowedFd<'_>]) -> bool {
    let mut ends = vec![PollFd::from_borrowed_fd(connection, PollFlags::RDHUP)];
    ends.extend(until.iter().map(|until| PollFd::from_borrowed_fd(*until, PollFlags::IN)));
    loop {
        match poll(&mut ends, None) {
            Ok(_) => return ends.iter().skip(1).all(|until| until.revents().is_empty()),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
