//! Readiness of many sources in one wait, with the contract of the `polling` crate kept in one place.
//!
//! A source is watched by a [`Watched`], which owns it: it leaves the poller before it is closed, always. This is the
//! only `unsafe` in what ships. Every source is level-triggered: what is left unread is reported again.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use polling::{Event, Events, PollMode};

/// What a source is watched for. There is no "nothing": a level-triggered source watched for nothing still reports
/// errors without end, so one that is to rest is dropped from the poller ([`Watched::pause`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Something to read, or the end.
    Read,
    /// Room to write, or the end of a connect.
    Write,
    /// Whichever of the two comes first.
    ReadWrite,
}

impl Interest {
    fn event(self, key: usize) -> Event {
        match self {
            Interest::Read => Event::readable(key),
            Interest::Write => Event::writable(key),
            Interest::ReadWrite => Event::all(key),
        }
    }
}

/// A source that is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The key it is watched under.
    pub key: usize,
    /// It can be read, or has ended.
    pub readable: bool,
    /// It can be written, or has failed.
    pub writable: bool,
}

/// Waits for sources.
#[derive(Debug)]
pub struct Poller {
    inner: Arc<polling::Poller>,
    events: Events,
}

impl Poller {
    /// A poller that watches nothing.
    pub fn new() -> io::Result<Poller> {
        Ok(Poller { inner: Arc::new(polling::Poller::new()?), events: Events::new() })
    }

    /// As [`Watcher::watch`].
    pub fn watch<S: AsFd>(&self, source: S, key: usize, interest: Interest) -> io::Result<Watched<S>> {
        self.watcher().watch(source, key, interest)
    }

    /// For those who add sources while this waits.
    #[must_use]
    pub fn watcher(&self) -> Watcher {
        Watcher(Arc::clone(&self.inner))
    }

    /// For another thread that has something for whoever waits with this.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.inner))
    }

    /// Waits until something is ready, or for so long, and puts what is ready into `ready`.
    pub fn wait(&mut self, timeout: Option<Duration>, ready: &mut Vec<Ready>) -> io::Result<()> {
        self.events.clear();
        self.inner.wait(&mut self.events, timeout)?;
        ready.clear();
        ready.extend(self.events.iter().map(|event| Ready {
            key: event.key,
            readable: event.readable,
            writable: event.writable,
        }));
        Ok(())
    }
}

/// Readable when a wait would find something ready. It may be so once in vain, after a wait that ended early.
impl AsFd for Poller {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

/// Ends a wait of a [`Poller`] from another thread: the one that is under way, or else the next.
#[derive(Clone, Debug)]
pub struct Waker(Arc<polling::Poller>);

impl Waker {
    /// Ends it, with nothing ready.
    pub fn wake(&self) {
        // It can fail only where it would wake nobody.
        let _ = self.0.notify();
    }
}

/// Has sources watched by a [`Poller`] that somebody else waits with.
#[derive(Clone, Debug)]
pub struct Watcher(Arc<polling::Poller>);

impl Watcher {
    /// Watches a source under a key, which must be below `usize::MAX` and should never be used again.
    pub fn watch<S: AsFd>(&self, source: S, key: usize, interest: Interest) -> io::Result<Watched<S>> {
        let mut watched = Watched { source, poller: Arc::clone(&self.0), key, interest: None };
        watched.resume(interest)?;
        Ok(watched)
    }
}

/// A source and its place in the poller.
#[derive(Debug)]
pub struct Watched<S: AsFd> {
    source: S,
    poller: Arc<polling::Poller>,
    key: usize,
    interest: Option<Interest>,
}

impl<S: AsFd> Watched<S> {
    /// Watches for something else from now on.
    pub fn set_interest(&mut self, interest: Interest) -> io::Result<()> {
        if self.interest == Some(interest) {
            return Ok(());
        }
        if self.interest.is_none() {
            return self.resume(interest);
        }
        // Plain `modify` would make it a one-shot source: silent after the first event.
        self.poller.modify_with_mode(&self.source, interest.event(self.key), PollMode::Level)?;
        self.interest = Some(interest);
        Ok(())
    }

    /// Stops watching, until an interest is set again.
    pub fn pause(&mut self) -> io::Result<()> {
        if self.interest.take().is_some() {
            self.poller.delete(&self.source)?;
        }
        Ok(())
    }

    #[allow(unsafe_code)]
    fn resume(&mut self, interest: Interest) -> io::Result<()> {
        // SAFETY: the source must leave the poller before it is closed. `self` owns the source, hands out shared
        // references only, and deletes it from the poller in `drop`, which runs before the fields are dropped.
        unsafe {
            self.poller.add_with_mode(&self.source.as_fd(), interest.event(self.key), PollMode::Level)?;
        }
        self.interest = Some(interest);
        Ok(())
    }
}

impl<S: AsFd> Deref for Watched<S> {
    type Target = S;

    fn deref(&self) -> &S {
        &self.source
    }
}

impl<S: AsFd> Drop for Watched<S> {
    fn drop(&mut self) {
        // A source that cannot be deleted was never watched; there is nobody to tell.
        let _ = self.pause();
    }
}
