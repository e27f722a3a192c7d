//! A content on its way to whoever reads it, in order, written by a thread of its own: who reads slowly, or not at all for a
//! while, keeps no holder from being heard.
//!
//! How much may wait here is for the fetch to know, which asks for no more than that.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;

use servent::poller::Waker;

use super::part_file::{FileError, cannot};

/// A thread that writes blocks as they come to it. It ends with this, or behind a write that failed.
#[derive(Debug)]
pub(super) struct StreamWriter {
    to_write: Sender<StreamBlock>,
    written: Receiver<io::Result<u32>>,
    /// What it writes to, for a person.
    called: PathBuf,
    /// Blocks by their places, which others have to go before.
    waiting: BTreeMap<u64, StreamBlock>,
    next_at: u64,
    /// It writes no more, which was told.
    is_broken: bool,
}

#[derive(Debug)]
struct StreamBlock {
    block: u32,
    bytes: Vec<u8>,
}

impl StreamWriter {
    /// One that ends a wait whenever a block was written.
    pub(super) fn start(out: impl Write + Send + 'static, called: &Path, waker: Waker) -> io::Result<StreamWriter> {
        let ((to_write, blocks), (tell, written)) = (channel(), channel());
        thread::Builder::new().name("stream".to_owned()).spawn(move || write_all(out, &blocks, &tell, &waker))?;
        let called = called.to_owned();
        Ok(StreamWriter { to_write, written, called, waiting: BTreeMap::new(), next_at: 0, is_broken: false })
    }

    /// Has a block written once all before it are. It waits for nobody.
    pub(super) fn put(&mut self, block: u32, at: u64, bytes: Vec<u8>) {
        self.waiting.insert(at, StreamBlock { block, bytes });
        while let Some(next) = self.waiting.remove(&self.next_at) {
            self.next_at += next.bytes.len() as u64;
            // Where nobody writes any more that is told.
            let _ = self.to_write.send(next);
        }
    }

    /// The next block that was written, or why none is any more.
    pub(super) fn take_written(&mut self) -> Option<Result<u32, FileError>> {
        if self.is_broken {
            return None;
        }
        let written = match self.written.try_recv() {
            Ok(written) => written,
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(io::Error::other("whatever wrote it has ended")),
        };
        self.is_broken = written.is_err();
        Some(written.map_err(cannot("write to", &self.called)))
    }
}

fn write_all(mut out: impl Write, blocks: &Receiver<StreamBlock>, tell: &Sender<io::Result<u32>>, waker: &Waker) {
    while let Ok(StreamBlock { block, bytes }) = blocks.recv() {
        let written = out.write_all(&bytes).and_then(|()| out.flush()).map(|()| block);
        let is_over = written.is_err();
        let is_untold = tell.send(written).is_err();
        waker.wake();
        if is_over || is_untold {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use servent::poller::Poller;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// Takes what is written, until it holds too much.
    #[derive(Clone, Default)]
    struct Taken(Arc<Mutex<Vec<u8>>>);

    impl Write for Taken {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut taken = self.0.lock().unwrap();
            if taken.len() >= 9 {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            taken.extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn blocks_are_written_in_order_and_the_first_that_cannot_be_is_the_last() {
        let mut poller = Poller::new().unwrap();
        let taken = Taken::default();
        let mut stream = StreamWriter::start(taken.clone(), Path::new("the socket"), poller.waker()).unwrap();
        stream.put(1, 3, b"def".to_vec());
        stream.put(2, 6, b"ghi".to_vec());
        stream.put(0, 0, b"abc".to_vec());
        stream.put(3, 9, b"jkl".to_vec());
        let mut next = || loop {
            if let Some(written) = stream.take_written() {
                return written;
            }
            poller.wait(Some(PATIENCE), &mut Vec::new()).unwrap();
        };
        assert_eq!([next(), next(), next()].map(Result::unwrap), [0, 1, 2]);
        assert_eq!(next().unwrap_err().to_string(), "cannot write to the socket");
        assert_eq!(*taken.0.lock().unwrap(), b"abcdefghi");
    }
}
