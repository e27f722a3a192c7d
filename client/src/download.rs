//! A content on its way from those who have it to a file, or to whoever reads our output.
//!
//! Whom to ask for which block, what is believed, and when it is over is decided in `common::fetch`. Here are the connections
//! with holders, the file ([`part_file`]) or whoever reads it ([`stream`]), and the floods that look for holders, which the
//! client asks.

mod connections;
mod part_file;
mod stream;
mod waiting;

use std::collections::VecDeque;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::content::Blocks;
use common::content::ContentHash;
use common::content::block_hashes::block_hash;
use common::content::search::HashStart;
use common::content::transfer::Have;
use common::fetch::{self, BlockSource, ContentFetch, FetchEnded, FetchProgress, FetchReport, HolderNews, SourceRun};
use common::limits::HOLDER_QUIET_MAX;
use common::query::{AnswerBody, Ask};
use common::session::Question;
use common::time::Time;

use servent::poller::Waker;

use crate::client::Client;
use crate::error::{AskError, ClientError};
use crate::event::Event;

use connections::HolderConnections;
pub use part_file::{FileError, is_download_begun};
use part_file::{HeldBlocks, PartFile};
use stream::StreamWriter;
use waiting::WaitingNotice;

/// Blocks from an earlier fetch that are hashed between two looks at the sockets: as long as that takes, nobody is heard.
const CHECK_BYTES: u64 = 1024 * 1024;

/// What is to be downloaded.
#[derive(Clone, Debug)]
pub struct DownloadOptions {
    /// Which content.
    pub hash: ContentHash,
    /// How long holders are looked for that have what is missing, since anything came that was not known before.
    pub wait: Duration,
    /// The only servent it is taken from, where there is one; then nobody else is asked who has it.
    pub from: Option<SocketAddr>,
    /// How long a query for holders waits after each answer.
    pub silence_max: Duration,
}

/// Something a download tells.
#[derive(Debug)]
#[non_exhaustive]
pub enum DownloadEvent {
    /// How far it is: told a few times a second.
    Progress(FetchProgress),
    /// How large the content is, for certain.
    Proved(Blocks),
    /// What becomes of a holder.
    Holder {
        /// Which.
        address: SocketAddr,
        /// What.
        news: HolderNews,
    },
    /// Nobody gives what is missing, for some time now: it is asked again and again who has it, for as long as the options say.
    /// Told once.
    Waiting,
    /// What was kept of an earlier fetch is of no use.
    KeptIsFalse,
    /// Something that could not be done, and stops nothing.
    Trouble(String),
    /// Something else that the client tells meanwhile.
    Client(Event),
    /// It is over, and this came of it.
    Ended(DownloadEnded),
}

/// What came of a download.
#[derive(Debug)]
pub struct DownloadEnded {
    /// What came of the fetch.
    pub fetch: FetchEnded,
    /// Where what there is is kept for the next fetch, where it is not whole.
    pub kept_in: Option<PathBuf>,
    /// Why the file could not be written.
    pub file_error: Option<FileError>,
    /// The size, where it is known for certain.
    pub blocks: Option<Blocks>,
    /// How long it took.
    pub elapsed: Duration,
    /// Bytes that were in the file when it began.
    pub here_before: u64,
}

/// What there is of a download that was left before it was over.
#[derive(Debug)]
pub struct DownloadLeft {
    /// Where that is kept for the next, if anything is.
    pub kept_in: Option<PathBuf>,
    /// Where each block is from, as far as is known what blocks there are.
    pub sources: Vec<SourceRun>,
    /// The size, where it is known for certain.
    pub blocks: Option<Blocks>,
    /// How long it took until then.
    pub elapsed: Duration,
    /// Bytes that came and were of no use.
    pub wasted_bytes: u64,
}

impl DownloadEnded {
    /// Whether nobody is there any more to whom it was written.
    #[must_use]
    pub fn is_unread(&self) -> bool {
        let Some(FileError::System { source, .. }) = &self.file_error else { return false };
        source.kind() == std::io::ErrorKind::BrokenPipe
    }
}

/// A content on its way. Whoever does not want it any more drops it: what is there stays for the next time.
pub struct Download<'a> {
    client: &'a mut Client,
    options: DownloadOptions,
    mind: ContentFetch,
    connections: HolderConnections,
    sink: Option<Sink>,
    began: Instant,
    /// How long the file was waited for: meanwhile nobody could be heard, which says nothing of them.
    away: Duration,
    progress_told: Option<Instant>,
    checks: VecDeque<Check>,
    asks_again: bool,
    blocks: Option<Blocks>,
    file_error: Option<FileError>,
    waiting: WaitingNotice,
    /// When a block came last that waits until it is known whose the file is.
    held_at: Option<Instant>,
    events: VecDeque<DownloadEvent>,
    has_ended: bool,
}

/// Where the bytes go.
#[derive(Debug)]
enum Sink {
    /// To a file, in any order.
    File(PartFile),
    /// To whoever reads them, in order.
    Stream(StreamWriter),
}

/// How many bytes blocks have, one after the other.
fn bytes_of(blocks: Blocks, run: &SourceRun) -> u64 {
    let last = blocks.place(run.first.saturating_add(run.count).saturating_sub(1));
    let end = last.map_or(0, |(at, length)| at + length as u64);
    end.saturating_sub(blocks.place(run.first).map_or(0, |(at, _)| at))
}

/// Blocks from an earlier fetch that are to be hashed.
#[derive(Debug)]
struct Check {
    blocks: Blocks,
    first: u32,
    count: u32,
}

/// How often it is told how far a download is.
const PROGRESS_PAUSE: Duration = Duration::from_millis(100);

impl Client {
    /// Begins to download a content to a file, from those who are said to have it, and whoever else has it within reach. What
    /// an earlier download has left there is used.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written, or there is one of that name that is not to be replaced.
    pub fn download(
        &mut self,
        options: DownloadOptions,
        file: &Path,
        replaces: bool,
        holders: impl IntoIterator<Item = (SocketAddr, Have)>,
    ) -> Result<Download<'_>, DownloadError> {
        let part = PartFile::open(file, options.hash, replaces)?;
        let wanted = fetch::Wanted {
            kept: part.kept_hashes(),
            on_disk: part.written(),
            holders: holders.into_iter().collect(),
            ..fetch::Wanted::new(options.hash, options.wait)
        };
        Download::begin(self, options, wanted, |_| Ok(Sink::File(part)))
    }

    /// The same to whoever takes it, in order; in errors that goes by what it is called here. It is written by a thread, which
    /// ends with the download: who takes it slowly keeps nobody from being heard.
    ///
    /// # Errors
    ///
    /// Where the system has nothing to wait with, or no thread.
    pub fn stream(
        &mut self,
        options: DownloadOptions,
        out: impl Write + Send + 'static,
        called: &Path,
        holders: impl IntoIterator<Item = (SocketAddr, Have)>,
    ) -> Result<Download<'_>, DownloadError> {
        let holders = holders.into_iter().collect();
        let wanted = fetch::Wanted { holders, in_order: true, ..fetch::Wanted::new(options.hash, options.wait) };
        Download::begin(self, options, wanted, |waker| Ok(Sink::Stream(StreamWriter::start(out, called, waker)?)))
    }
}

/// Why a download does not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// It cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system lets nobody wait.
    #[error("cannot wait for sockets")]
    Wait(#[source] std::io::Error),
    /// The system has no thread to write with.
    #[error("cannot start a thread to write with")]
    Thread(#[source] std::io::Error),
}

impl<'a> Download<'a> {
    fn begin(
        client: &'a mut Client,
        options: DownloadOptions,
        wanted: fetch::Wanted,
        sink: impl FnOnce(Waker) -> std::io::Result<Sink>,
    ) -> Result<Download<'a>, DownloadError> {
        let connections = HolderConnections::new(client.interrupt()).map_err(DownloadError::Wait)?;
        let sink = sink(connections.waker()).map_err(DownloadError::Thread)?;
        let mut outputs = Vec::new();
        let mind = ContentFetch::new(Time::START, wanted, &mut outputs);
        let mut download = Download {
            client,
            options,
            mind,
            connections,
            sink: Some(sink),
            began: Instant::now(),
            away: Duration::ZERO,
            progress_told: None,
            checks: VecDeque::new(),
            asks_again: false,
            blocks: None,
            file_error: None,
            waiting: WaitingNotice::default(),
            held_at: None,
            events: VecDeque::new(),
            has_ended: false,
        };
        download.perform(outputs);
        // Who has it was asked before.
        download.tell(fetch::Input::Asked);
        Ok(download)
    }

    fn now(&self) -> Time {
        Time::after_start(self.began.elapsed().saturating_sub(self.away))
    }

    fn tell(&mut self, input: fetch::Input) {
        let (now, mut outputs) = (self.now(), Vec::new());
        self.mind.handle(now, input, &mut outputs);
        self.perform(outputs);
        self.note_waiting(now);
    }

    /// The mind has heard all that there was to hear until now.
    fn note_waiting(&mut self, now: Time) {
        if self.waiting.is_due(now, self.mind.is_waiting()) {
            self.events.push_back(DownloadEvent::Waiting);
        }
    }

    /// Does what the mind wants, and tells it what came of that.
    fn perform(&mut self, outputs: Vec<fetch::Output>) {
        let mut wanted = VecDeque::from(outputs);
        while let Some(output) = wanted.pop_front() {
            let now = self.now();
            let input = match output {
                fetch::Output::Dial { dial, address } => self.connections.dial(dial, address),
                fetch::Output::Send { link, message } => {
                    self.connections.say(now, link, message);
                    None
                }
                fetch::Output::Close { link } => {
                    self.connections.close(now, link);
                    None
                }
                fetch::Output::Write { block, at, bytes } => self.write(block, at, bytes),
                fetch::Output::Check { blocks, first, count } => {
                    self.checks.push_back(Check { blocks, first, count });
                    None
                }
                fetch::Output::KeepHashes(hashes) => {
                    if let Some(Sink::File(part)) = self.sink.as_mut().filter(|_| self.file_error.is_none())
                        && let Err(error) = part.keep_hashes(&hashes)
                    {
                        // What cannot be kept is only slower the next time.
                        let reason = crate::error::with_causes(&error).to_string();
                        self.events.push_back(DownloadEvent::Trouble(reason));
                    }
                    None
                }
                fetch::Output::AskAgain => {
                    self.asks_again = true;
                    None
                }
                fetch::Output::Tell(report) => {
                    self.on_report(report);
                    None
                }
            };
            if let Some(input) = input {
                let mut more = Vec::new();
                self.mind.handle(now, input, &mut more);
                wanted.extend(more);
            }
        }
    }

    /// Writes a block to the file; where it waits, or is written by a thread, what comes of that is told later.
    fn write(&mut self, block: u32, at: u64, bytes: Vec<u8>) -> Option<fetch::Input> {
        match &mut self.sink {
            None => Some(fetch::Input::Written { block }),
            Some(Sink::Stream(stream)) => {
                stream.put(block, at, bytes);
                None
            }
            Some(Sink::File(part)) => {
                let began = Instant::now();
                let written = part.write(block, at, bytes);
                self.away += began.elapsed();
                match written {
                    Ok(true) => Some(fetch::Input::Written { block }),
                    Ok(false) => {
                        self.held_at = Some(Instant::now());
                        None
                    }
                    Err(error) => Some(self.on_unwritten(error)),
                }
            }
        }
    }

    fn on_unwritten(&mut self, error: FileError) -> fetch::Input {
        let reason = crate::error::with_causes(&error).to_string();
        self.file_error = Some(error);
        fetch::Input::WriteFailed { reason }
    }

    /// The next thing to tell the mind of blocks that a thread writes.
    fn next_written(&mut self) -> Option<fetch::Input> {
        let Some(Sink::Stream(stream)) = &mut self.sink else { return None };
        match stream.take_written()? {
            Ok(block) => Some(fetch::Input::Written { block }),
            Err(error) => Some(self.on_unwritten(error)),
        }
    }

    fn on_report(&mut self, report: FetchReport) {
        let event = match report {
            FetchReport::KeptIsFalse => DownloadEvent::KeptIsFalse,
            FetchReport::Proved(blocks) => {
                self.blocks = Some(blocks);
                DownloadEvent::Proved(blocks)
            }
            FetchReport::Holder { address, news } => DownloadEvent::Holder { address, news },
            FetchReport::Ended(fetch) => {
                self.has_ended = true;
                DownloadEvent::Ended(self.end(fetch))
            }
        };
        self.events.push_back(event);
    }

    /// Gives the file its name, or leaves what is there of it.
    fn end(&mut self, mut fetch: FetchEnded) -> DownloadEnded {
        let (mut kept_in, elapsed) = (None, self.began.elapsed());
        match self.sink.take() {
            Some(Sink::File(part)) if fetch.end == fetch::FetchEnd::Done => {
                let path = part.path().to_owned();
                let sized = match self.blocks {
                    Some(blocks) => part.sized(blocks.size()),
                    None => Ok(part),
                };
                if let Err(error) = sized.and_then(PartFile::finish) {
                    fetch.end = fetch::FetchEnd::Unwritten(crate::error::with_causes(&error).to_string());
                    (self.file_error, kept_in) = (Some(error), Some(path));
                }
            }
            Some(Sink::File(part)) => kept_in = part.leave(),
            // What was to be written was.
            Some(Sink::Stream(_)) | None => {}
        }
        let (file_error, blocks) = (self.file_error.take(), self.blocks);
        let from_disk = fetch.sources.iter().filter(|run| run.source == BlockSource::Disk);
        let here_before = blocks.map_or(0, |blocks| from_disk.map(|run| bytes_of(blocks, run)).sum());
        DownloadEnded { fetch, kept_in, file_error, blocks, elapsed, here_before }
    }

    /// Leaves it as it is, for the next time.
    #[must_use]
    pub fn leave(mut self) -> DownloadLeft {
        // Before the size is proved blocks have the numbers that somebody says.
        let sources = if self.blocks.is_some() { self.mind.sources() } else { Vec::new() };
        let (elapsed, wasted_bytes) = (self.began.elapsed(), self.mind.progress().wasted_bytes);
        let kept_in = if let Some(Sink::File(part)) = self.sink.take() { part.leave() } else { None };
        DownloadLeft { kept_in, sources, blocks: self.blocks, elapsed, wasted_bytes }
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> FetchProgress {
        self.mind.progress()
    }

    // ---- what happens ----

    /// Hashes some of what an earlier fetch has left.
    fn check_some(&mut self) {
        let Some(Check { blocks, first, count }) = self.checks.front_mut() else { return };
        let at_once = u32::try_from((CHECK_BYTES / blocks.block_bytes()).max(1)).unwrap_or(1).min(*count);
        let (blocks, begin) = (*blocks, *first);
        (*first, *count) = (*first + at_once, *count - at_once);
        if *count == 0 {
            self.checks.pop_front();
        }
        let checks_since = Instant::now();
        let mut buffer = vec![0; usize::try_from(blocks.block_bytes()).unwrap_or_default()];
        let hash_of = |block| {
            let (at, length) = blocks.place(block)?;
            let bytes = buffer.get_mut(..length)?;
            let Some(Sink::File(part)) = &self.sink else { return None };
            part.read(at, bytes).ok()?;
            // Zeros are in files of anybody: as long as it is not known whose this is they count for no more than a hole.
            if part.is_doubtful() && part_file::is_zero(bytes) {
                return None;
            }
            block_hash(blocks, block, bytes)
        };
        let hashes: Vec<Option<[u8; 32]>> = (begin..begin + at_once).map(hash_of).collect();
        self.away += checks_since.elapsed();
        self.tell(fetch::Input::Checked { blocks, first: begin, hashes });
    }

    /// Once a block of the content was found in a file that may be somebody else's it is ours, and what waited for that is
    /// written. Once all was looked at and none was found it is not, unless no more is there than the first block begun, and
    /// that is the end.
    fn settle(&mut self) {
        let Some(Sink::File(part)) = &mut self.sink else { return };
        if !part.is_doubtful() {
            return;
        }
        let FetchProgress { here_bytes, unchecked_count, .. } = self.mind.progress();
        let proved = self.blocks.filter(|_| unchecked_count == 0);
        let began = Instant::now();
        // Nothing was written yet: what is here was found. The last block is written before all others.
        let is_ours = here_bytes > 0 || proved.is_some_and(|blocks| part.is_begun_with(blocks.count() - 1));
        self.away += began.elapsed();
        if is_ours {
            let HeldBlocks { hashes, blocks } = part.trust();
            let blocks = blocks.into_iter().map(|(block, at, bytes)| fetch::Output::Write { block, at, bytes });
            let outputs = blocks.chain(hashes.map(fetch::Output::KeepHashes));
            return self.perform(outputs.collect());
        }
        // What was found is only looked at under a size that is proved, which nobody may ever do.
        let patience = self.options.wait.max(HOLDER_QUIET_MAX);
        let is_hopeless = part.holds_blocks() && self.held_at.is_none_or(|at| at.elapsed() >= patience);
        let path = part.path().to_owned();
        let error = match self.blocks {
            Some(_) if proved.is_some() => FileError::NothingOfIt(path),
            None if is_hopeless => FileError::Untold(path),
            _ => return,
        };
        let failed = self.on_unwritten(error);
        self.tell(failed);
    }

    /// Asks who has the content; with one servent alone, that one again.
    fn ask_again(&mut self) -> Result<(), ClientError> {
        self.asks_again = false;
        if let Some(address) = self.options.from {
            self.tell(fetch::Input::Holder { address, have: Have::Partly });
            self.tell(fetch::Input::Asked);
            return Ok(());
        }
        let Download { client, options, events: told, .. } = self;
        let ask = Ask::Hashed(HashStart::from(options.hash));
        let question = Question { silence_max: options.silence_max, ..Question::new(ask) };
        let mut found = Vec::new();
        match client.events(question) {
            Ok(events) => {
                for event in events {
                    match event? {
                        Event::Answer { from, body: AnswerBody::Entries(answer), .. } => {
                            let entry = answer.entries.into_iter().find(|entry| entry.hash == options.hash);
                            found.extend(entry.map(|entry| (from, entry.have)));
                        }
                        Event::Finished(_) => {}
                        other => told.push_back(DownloadEvent::Client(other)),
                    }
                }
            }
            // Who is known is known.
            Err(AskError::ContactLost) => {}
            Err(error) => told.push_back(DownloadEvent::Trouble(format!("cannot ask who has it: {error}"))),
        }
        for (address, have) in found {
            self.tell(fetch::Input::Holder { address, have });
        }
        self.tell(fetch::Input::Asked);
        Ok(())
    }

    /// Waits until something happens, and does what follows.
    fn turn(&mut self) -> Result<(), ClientError> {
        if self.asks_again {
            self.ask_again()?;
        }
        let now = self.now();
        let deadline = self.mind.deadline().map(|deadline| deadline.since(now));
        let timeout = match deadline {
            _ if !self.checks.is_empty() || self.asks_again => Duration::ZERO,
            Some(deadline) => deadline.min(PROGRESS_PAUSE),
            None => PROGRESS_PAUSE,
        };
        let is_interrupted = self.connections.wait(now, timeout).map_err(ClientError::Wait)?;
        while let Some(input) = self.connections.next(self.now()) {
            self.tell(input);
        }
        while let Some(input) = self.next_written() {
            self.tell(input);
        }
        let now = self.now();
        if self.mind.deadline().is_some_and(|deadline| deadline <= now) {
            self.tell(fetch::Input::Deadline);
        }
        self.note_waiting(now);
        self.check_some();
        self.settle();
        self.connections.flush(self.now());
        if is_interrupted { Err(ClientError::Interrupted) } else { Ok(()) }
    }
}

impl Iterator for Download<'_> {
    type Item = Result<DownloadEvent, ClientError>;

    fn next(&mut self) -> Option<Result<DownloadEvent, ClientError>> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(Ok(event));
            }
            if self.has_ended {
                return None;
            }
            if self.progress_told.is_none_or(|told| told.elapsed() >= PROGRESS_PAUSE) {
                self.progress_told = Some(Instant::now());
                return Some(Ok(DownloadEvent::Progress(self.progress())));
            }
            if let Err(error) = self.turn() {
                return Some(Err(error));
            }
        }
    }
}

/// What is there stays for the next time.
impl Drop for Download<'_> {
    fn drop(&mut self) {
        if let Some(Sink::File(part)) = self.sink.take() {
            part.leave();
        }
    }
}
