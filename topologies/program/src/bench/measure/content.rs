//! Contents: how fast one holder gives them, how fast what is here is checked and what is shared is hashed, and what whoever
//! looks something up meanwhile notices of it.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use client::{Client, ContentHash, DownloadEvent, DownloadOptions, FetchEnd, Have};
use topologies::fleet::Servent;

use super::super::Options;
use super::super::floors::{Floor, file};
use super::super::load::{LoadPlan, Until, load, micros};
use super::super::real::ClientAsker;
use super::super::row::{BenchRow, Bound, Of};
use super::beside::joined;
use super::{ANYWHERE, of_rounds};

const ROUNDS: u32 = 5;
/// Of a content that is measured whole.
const BYTES: u64 = 1 << 30;
/// Where few queries are asked otherwise.
const FEW_BYTES: u64 = 4 << 20;
/// What is read or written at once by what does the least.
const PIECE_BYTES: usize = 64 * 1024;
/// For so long lookups are asked beside a download.
const TIME: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
const MILLIS: f64 = 1e3;
/// Of a thread that runs where nobody else wants to.
const LOWEST_PRIORITY: i32 = 19;

/// `content`: one holder gives a content, which is proved and written; beside the same bytes sent by `sendfile`, read and written.
pub fn get(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let place = Scratch::new(options)?;
    of_rounds("content", "MB/s", options.rounds(ROUNDS), &[Bound::AtLeast(Of::Ratio, 0.7)], || {
        let holder = place.holder(&[])?;
        let ours = place.download(&holder, &place.copy())?;
        fs::remove_file(place.copy())?;
        end(holder)?;
        let floor = Floor::start(&file::Options::words("send", ANYWHERE, &place.shared()))?;
        let raw = receive(&floor, &place.copy())?;
        fs::remove_file(place.copy())?;
        Ok(((place.rate(ours), place.rate(raw)), 0))
    })
}

/// `content-check`: a content that is here is checked; beside reading and hashing it.
pub fn check(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let place = Scratch::new(options)?;
    of_rounds("content-check", "ms", options.rounds(ROUNDS), &[Bound::AtMost(Of::Ratio, 1.1)], || {
        let holder = place.holder(&[])?;
        fs::copy(place.shared(), place.part())?;
        let ours = place.download(&holder, &place.copy())?;
        fs::remove_file(place.copy())?;
        end(holder)?;
        let started = Instant::now();
        file::read_and_hash(&place.shared())?;
        let floor = started.elapsed();
        Ok(((ours.as_secs_f64() * MILLIS, floor.as_secs_f64() * MILLIS), 0))
    })
}

/// `content-share`: a servent hashes what it shares; beside a program that reads and hashes it.
pub fn share(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let place = Scratch::new(options)?;
    of_rounds("content-share", "MB/s", options.rounds(ROUNDS), &[Bound::AtLeast(Of::Ratio, 0.95)], || {
        // What it takes to start, with nothing to share.
        let started = Instant::now();
        end(Servent::start(&["127.0.0.1:0", "-", "--share", &place.empty().display().to_string()])?)?;
        let starting = started.elapsed();
        let started = Instant::now();
        end(place.holder(&[])?)?;
        let ours = started.elapsed().saturating_sub(starting);
        // A process of its own too: what has hashed before is a tenth faster.
        let floor = Floor::start(&file::Options::words("hash", ANYWHERE, &place.shared()))?;
        let started = Instant::now();
        let _ = TcpStream::connect(floor.address)?.read(&mut [0])?;
        Ok(((place.rate(ours), place.rate(started.elapsed())), 0))
    })
}

/// `content-beside`: the slowest hundredth of one client's lookups while another downloads as fast as it can what is on the
/// disk and in no cache; beside the same while nobody does.
pub fn beside(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let place = Scratch::new(options)?;
    let plan = LoadPlan { in_flight: 1, warm_up: 0, amount: options.amount(TIME), until: Until::Told(1) };
    of_rounds("content-beside", "ms", options.rounds(ROUNDS), &[Bound::AtMost(Of::Ratio, 2.0)], || {
        let holder = place.holder(&[])?;
        let address = holder.address();
        let mut asker = ClientAsker::connect(address)?;
        let alone = load(&mut asker, &plan)?;
        let is_over = AtomicBool::new(false);
        let (_, beside) = thread::scope(|scope| {
            let (busy, is_busy) = channel();
            let download = scope.spawn(|| place.download_until(address, busy, &is_over));
            // Nobody says it where the download failed; why is what the thread came to.
            let begun = is_busy.recv().map_err(|_| anyhow!("nothing was downloaded beside the lookups"));
            let beside = begun.and_then(|()| load(&mut asker, &plan));
            is_over.store(true, Ordering::Relaxed);
            Ok::<_, anyhow::Error>((joined(download.join())?, beside?))
        })?;
        end(holder)?;
        Ok(((micros(&beside.over, 0.99) / MILLIS, micros(&alone.over, 0.99) / MILLIS), alone.lost + beside.lost))
    })
}

/// A directory of this process, with a content in it that is shared. Gone with this.
struct Scratch {
    directory: PathBuf,
    size: u64,
    hash: ContentHash,
}

impl Scratch {
    fn new(options: &Options) -> anyhow::Result<Scratch> {
        let directory = std::env::temp_dir().join(format!("topology-bench-content-{}", std::process::id()));
        let size = if options.queries.is_some() { FEW_BYTES } else { BYTES };
        let mut place = Scratch { directory, size, hash: ContentHash([0; 32]) };
        let named = || format!("cannot write below {}", place.directory.display());
        fs::create_dir_all(place.directory.join("shared")).with_context(named)?;
        fs::create_dir_all(place.empty()).with_context(named)?;
        let mut file = File::create(place.shared()).with_context(named)?;
        let mut hasher = blake3::Hasher::new();
        let mut piece = vec![0; PIECE_BYTES];
        let mut number = 0_u64;
        for _ in 0..size / PIECE_BYTES as u64 {
            for word in piece.as_chunks_mut::<8>().0 {
                number += 1;
                // No two pieces are alike, which is all that matters.
                *word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_ne_bytes();
            }
            file.write_all(&piece).with_context(named)?;
            hasher.update(&piece);
        }
        file.sync_all().with_context(named)?;
        place.hash = ContentHash(*hasher.finalize().as_bytes());
        Ok(place)
    }

    fn shared(&self) -> PathBuf {
        self.directory.join("shared").join("content")
    }

    fn empty(&self) -> PathBuf {
        self.directory.join("empty")
    }

    fn copy(&self) -> PathBuf {
        self.directory.join("copy")
    }

    fn part(&self) -> PathBuf {
        self.directory.join("copy.part")
    }

    #[allow(clippy::cast_precision_loss, reason = "it is shown to three digits")]
    fn rate(&self, time: Duration) -> f64 {
        self.size as f64 / 1e6 / time.as_secs_f64()
    }

    /// A servent that shares it, and has hashed it.
    fn holder(&self, more: &[&str]) -> anyhow::Result<Servent> {
        let shared = self.directory.join("shared").display().to_string();
        let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/alpha.txt");
        let words = ["127.0.0.1:0", data, "--share", &shared];
        let mut holder = Servent::start(&[words.as_slice(), more].concat())?;
        holder.wait_for_log("sharing 1 file")?;
        Ok(holder)
    }

    fn options(&self) -> DownloadOptions {
        DownloadOptions { hash: self.hash, wait: Duration::ZERO, from: None, silence_max: PATIENCE }
    }

    /// How long it takes until all of it is written and proved.
    fn download(&self, holder: &Servent, to: &Path) -> anyhow::Result<Duration> {
        let mut client = Client::connect(&holder.address().to_string())?;
        for event in client.download(self.options(), to, false, [(holder.address(), Have::Partly)])? {
            if let DownloadEvent::Ended(ended) = event? {
                return if ended.fetch.end == FetchEnd::Done { Ok(ended.elapsed) } else { Err(anyhow!("{ended:?}")) };
            }
        }
        bail!("a download has no end")
    }

    /// Downloads it again and again, as it lies on the disk, until it is over. It is said when the first of it has come.
    fn download_until(&self, holder: SocketAddr, busy: Sender<()>, is_over: &AtomicBool) -> anyhow::Result<()> {
        // Whoever asks would be at another host: here both would wait for the same processor, and not for the servent.
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), LOWEST_PRIORITY)?;
        let mut client = Client::connect(&holder.to_string())?;
        let mut busy = Some(busy);
        while !is_over.load(Ordering::Relaxed) {
            let file = File::open(self.shared())?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
            for event in client.stream(self.options(), io::sink(), Path::new("nowhere"), [(holder, Have::Partly)])? {
                match event? {
                    DownloadEvent::Progress(progress) if progress.here_bytes == 0 => {}
                    DownloadEvent::Ended(ended) if ended.fetch.end != FetchEnd::Done => bail!("{ended:?}"),
                    DownloadEvent::Progress(_) | DownloadEvent::Ended(_) => {
                        // From here on it is in the way.
                        let _ = busy.take().map(|busy| busy.send(()));
                    }
                    _ => {}
                }
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.directory);
    }
}

fn end(mut servent: Servent) -> anyhow::Result<()> {
    servent.kill()
}

/// Reads all that a floor sends, and writes it.
fn receive(floor: &Floor, to: &Path) -> anyhow::Result<Duration> {
    let mut file = File::create(to)?;
    let started = Instant::now();
    let mut stream = TcpStream::connect(floor.address)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Ok(started.elapsed());
        }
        file.write_all(piece.get(..count).unwrap_or_default())?;
    }
}
