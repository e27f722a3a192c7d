//! What floors wait with: `epoll` with nothing around it, or `polling` as our servents do.

use std::io;
use std::ops::Deref;
use std::os::fd::AsFd;
use std::time::Duration;

use clap::ValueEnum;
use servent::poller::{Interest, Poller, Ready, Watched};

/// Which of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WaitKind {
    /// Bare epoll.
    Epoll,
    /// As servents do.
    Polling,
}

/// Waits for sources to be readable.
pub trait Waits: Sized {
    /// A source that is watched for as long as it is there.
    type Source<S: AsFd>: Deref<Target = S>;

    /// One that watches nothing.
    fn new() -> io::Result<Self>;

    /// Watches a source.
    fn watch<S: AsFd>(&self, source: S, key: usize) -> io::Result<Self::Source<S>>;

    /// Waits, for so long where that is said, and names those that are readable.
    fn wait_at_most(&mut self, at_most: Option<Duration>, keys: &mut Vec<usize>) -> io::Result<()>;

    /// Waits, and names those that are readable.
    fn wait(&mut self, keys: &mut Vec<usize>) -> io::Result<()> {
        self.wait_at_most(None, keys)
    }
}

/// The `polling` crate, as servents use it.
#[derive(Debug)]
pub struct Polling {
    poller: Poller,
    ready: Vec<Ready>,
}

impl Waits for Polling {
    type Source<S: AsFd> = Watched<S>;

    fn new() -> io::Result<Polling> {
        Ok(Polling { poller: Poller::new()?, ready: Vec::new() })
    }

    fn watch<S: AsFd>(&self, source: S, key: usize) -> io::Result<Watched<S>> {
        self.poller.watch(source, key, Interest::Read)
    }

    fn wait_at_most(&mut self, at_most: Option<Duration>, keys: &mut Vec<usize>) -> io::Result<()> {
        self.poller.wait(at_most, &mut self.ready)?;
        keys.clear();
        keys.extend(self.ready.iter().map(|ready| ready.key));
        Ok(())
    }
}

/// Where there is no epoll, what there is.
#[cfg(not(target_os = "linux"))]
pub type Epoll = Polling;

#[cfg(target_os = "linux")]
pub use bare::Epoll;

#[cfg(target_os = "linux")]
mod bare {
    use super::{AsFd, Duration, Waits, io};

    use std::os::fd::OwnedFd;

    use rustix::buffer::spare_capacity;
    use rustix::event::{Timespec, epoll};

    /// So many may be ready at once.
    const READY_MAX: usize = 64;

    /// One system call a wait, and nothing else.
    pub struct Epoll {
        epoll: OwnedFd,
        events: Vec<epoll::Event>,
    }

    impl Waits for Epoll {
        // Whoever closes a source has the system forget it.
        type Source<S: AsFd> = Box<S>;

        fn new() -> io::Result<Epoll> {
            Ok(Epoll { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?, events: Vec::with_capacity(READY_MAX) })
        }

        fn watch<S: AsFd>(&self, source: S, key: usize) -> io::Result<Box<S>> {
            epoll::add(&self.epoll, &source, epoll::EventData::new_u64(key as u64), epoll::EventFlags::IN)?;
            Ok(Box::new(source))
        }

        fn wait_at_most(&mut self, at_most: Option<Duration>, keys: &mut Vec<usize>) -> io::Result<()> {
            let at_most = at_most.and_then(|at_most| Timespec::try_from(at_most).ok());
            self.events.clear();
            epoll::wait(&self.epoll, spare_capacity(&mut self.events), at_most.as_ref())?;
            keys.clear();
            keys.extend(self.events.iter().filter_map(|event| usize::try_from(event.data.u64()).ok()));
            Ok(())
        }
    }
}
