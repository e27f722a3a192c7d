//! What is written to a servent that keeps it (`--store`): how long it takes and how much of it there is, beside records that
//! are appended to a file; what whoever looks something up meanwhile notices of it, also where the disk is slow; and
//! how long the next start takes.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use rustix::process::Signal;
use topologies::fleet::{Servent, program};

use super::super::Options;
use super::super::disk_place::{DiskPlace, NO_DISK};
use super::super::floors::{Floor, append, file, keep};
use super::super::load::{Amount, Asks, LoadEvent, LoadPlan, Loaded, Until, load, micros};
use super::super::real::ClientAsker;
use super::super::row::{BenchRow, Bound, Of};
use super::super::writers::{LoadWriters, NewKeys};
use super::beside::joined;
use super::{ANYWHERE, of_rounds, whole};

const ROUNDS: u32 = 5;
/// As many clients write at once as commits of the floor have records.
const WRITERS: usize = 64;
/// So many changes each of them has in flight, where it does not wait for one before it says the next.
const IN_FLIGHT: usize = 64;
/// What is put under a key by those who are measured.
const VALUE_BYTES: usize = 100;
/// One at a time: half a second of it, or more.
const WRITES: u64 = 3_000;
/// For so long many write, and so long lookups are asked beside them.
const TIME: Duration = Duration::from_secs(2);
/// The first write has the database opened.
const WARM_UP: u64 = 10;
/// What is kept where a start is measured: values of a length, and how many there are. With their keys they are nearly the
/// most that a servent keeps, in bytes or in both.
const LONG_KEPT: (usize, u64) = (60_000, 4_470);
const SHORT_KEPT: (usize, u64) = (236, 1_000_000);
/// So long each sync takes of a disk that is slow.
const SLOW_SYNC: Duration = Duration::from_secs(1);
/// The same where few queries are asked otherwise.
const FEW_SLOW_SYNC: Duration = Duration::from_millis(50);
/// Lookups are asked beside so many of those.
const SLOW_SYNCS: u32 = 4;
const MILLIS: f64 = 1e3;
/// Of a thread that runs where nobody else wants to.
const LOWEST_PRIORITY: i32 = 19;
/// What a servent says of its loop when it ends, and what stands before the longest of its turns.
const TURNS: &str = "of the loop took";
const LONGEST: &str = "longest ";

/// `writes-one`: one client writes, one change at a time; beside a record that is appended and synced.
pub fn one(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let Some(place) = DiskPlace::make()? else { return Ok(vec![BenchRow::not_measured("writes-one", "us", NO_DISK)]) };
    of_rounds("writes-one", "us", options.rounds(ROUNDS), &[Bound::AtMost(Of::Ratio, 2.5)], || {
        let amount = Amount::Queries(options.queries(WRITES));
        let (ours, record_bytes) = written(&place, (1, 1), NewKeys::Spread, amount)?;
        let floor = append::append(&place.fresh("records")?, record_bytes, 1, amount)?;
        Ok(((micros(&ours.over, 0.5), micros(&floor.over, 0.5)), ours.lost))
    })
}

/// `writes-many`: 64 clients write, each 64 changes at a time and under keys of its own, one behind the other; beside commits
/// of 64 records. `writes-many-spread`: under keys that are far apart, so that each change is in another page of the
/// database. `writes-many-one` and `writes-many-asked`: each client one at a time; beside the same, and beside a program that
/// appends and syncs what as many clients send it.
pub fn many(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let names = ["writes-many", "writes-many-spread", "writes-many-one", "writes-many-asked"];
    let Some(place) = DiskPlace::make()? else {
        return Ok(names.map(|name| BenchRow::not_measured(name, "k/s", NO_DISK)).to_vec());
    };
    let amount = options.amount(TIME);
    let [mut in_order, mut spread, mut one, mut asked] = [const { Vec::new() }; 4];
    let mut lost = 0;
    for _ in 0..options.rounds(ROUNDS) {
        let mut beside_records = |each, new_keys| -> anyhow::Result<_> {
            let (ours, record_bytes) = written(&place, (WRITERS, each), new_keys, amount)?;
            lost += ours.lost;
            let floor = append::append(&place.fresh("records")?, record_bytes, WRITERS, amount)?;
            Ok(((ours.rate() / 1e3, floor.rate() / 1e3), record_bytes))
        };
        in_order.push(beside_records(IN_FLIGHT, NewKeys::InOrder)?.0);
        spread.push(beside_records(IN_FLIGHT, NewKeys::Spread)?.0);
        let (each_one, record_bytes) = beside_records(1, NewKeys::InOrder)?;
        one.push(each_one);
        let floor = asked_to_append(&place.fresh("records")?, record_bytes, amount)?;
        asked.push((each_one.0, floor.rate() / 1e3));
    }
    let row = |name, pairs: &[(f64, f64)]| whole(BenchRow::of_pairs(name, "k/s", pairs, lost));
    let many = row(names[0], &in_order)?.with_target(Bound::AtLeast(Of::Ratio, 0.4));
    Ok(vec![many, row(names[1], &spread)?, row(names[2], &one)?, row(names[3], &asked)?])
}

/// What comes of as many clients of a floor.
fn asked_to_append(path: &Path, record_bytes: usize, amount: Amount) -> anyhow::Result<Loaded> {
    let floor = Floor::start(&keep::Options::words(ANYWHERE, path, record_bytes))?;
    let mut writers = keep::FloorWriters::connect(floor.address, WRITERS, record_bytes)?;
    let plan = LoadPlan { in_flight: WRITERS, warm_up: WARM_UP, amount, until: Until::Answers(1) };
    let loaded = load(&mut writers, &plan)?;
    ensure!(loaded.lost == 0, "a floor lost {} writes", loaded.lost);
    Ok(loaded)
}

/// What came of so many writers at a servent that has kept nothing before, and how long each of their records is.
fn written(
    place: &DiskPlace,
    (clients, each): (usize, usize),
    new_keys: NewKeys,
    amount: Amount,
) -> anyhow::Result<(Loaded, usize)> {
    let servent = keeping(&place.fresh("store.db")?)?;
    let mut writers = LoadWriters::connect(servent.address(), (clients, each), new_keys, VALUE_BYTES)?;
    let plan = LoadPlan { in_flight: clients * each, warm_up: WARM_UP, amount, until: Until::Told(1) };
    let loaded = load(&mut writers, &plan)?;
    end(servent)?;
    Ok((loaded, writers.record_bytes()))
}

/// `writes-beside`: the slowest hundredth of one client's lookups while 64 others write; beside the same while nobody does.
/// `writes-beside-pages`: while a program writes as many pages and syncs them, and nobody has this servent keep anything;
/// beside the same quiet.
pub fn beside(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let names = ["writes-beside", "writes-beside-pages"];
    let Some(place) = DiskPlace::make()? else {
        return Ok(names.map(|name| BenchRow::not_measured(name, "ms", NO_DISK)).to_vec());
    };
    let plan = LoadPlan { in_flight: 1, warm_up: 0, amount: options.amount(TIME), until: Until::Told(1) };
    let [mut writers, mut pages] = [const { Vec::new() }; 2];
    let mut lost = 0;
    for _ in 0..options.rounds(ROUNDS) {
        let servent = keeping(&place.fresh("store.db")?)?;
        let mut asker = ClientAsker::connect(servent.address())?;
        let alone = load(&mut asker, &plan)?;
        let beside_pages = beside_pages(&place.fresh("pages")?, || load(&mut asker, &plan))?;
        let (beside, written) = beside_writers(servent.address(), || load(&mut asker, &plan))?;
        end(servent)?;
        lost += alone.lost + beside_pages.lost + beside.lost + written.lost;
        let slowest = |loaded: &Loaded| micros(&loaded.over, 0.99) / MILLIS;
        writers.push((slowest(&beside), slowest(&alone)));
        pages.push((slowest(&beside_pages), slowest(&alone)));
    }
    let row = |name, pairs: &[(f64, f64)]| whole(BenchRow::of_pairs(name, "ms", pairs, lost));
    let writers = row(names[0], &writers)?.with_target(Bound::AtMost(Of::Ratio, 1.5));
    Ok(vec![writers, row(names[1], &pages)?])
}

/// Does something while pages are put on the disk, as many at a time as there would be writers.
fn beside_pages<T>(path: &Path, what: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            as_at_another_host()?;
            append::pages(path, WRITERS, &is_over)
        });
        let done = what();
        is_over.store(true, Ordering::Relaxed);
        joined(thread.join())?;
        done
    })
}

/// `writes-slow`: the longest turn of a servent's loop while 64 clients write to a disk whose syncs take a second, and
/// another looks keys up.
pub fn slow(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let not_measured = |why| Ok(vec![BenchRow::not_measured("writes-slow", "ms", why).with_target(SLOW_TARGET)]);
    let Some(place) = DiskPlace::make()? else { return not_measured(NO_DISK) };
    if !has_strace()? {
        return not_measured("no strace that may trace");
    }
    let sync = if options.queries.is_some() { FEW_SLOW_SYNC } else { SLOW_SYNC };
    let plan = LoadPlan { in_flight: 1, warm_up: 0, amount: Amount::Time(sync * SLOW_SYNCS), until: Until::Told(1) };
    let (mut longest, mut lost) = (Vec::new(), 0);
    for _ in 0..options.rounds(ROUNDS) {
        let mut servent = keeping_slowly(&place.fresh("store.db")?, sync)?;
        let mut asker = ClientAsker::connect(servent.address())?;
        let (beside, written) = beside_writers(servent.address(), || load(&mut asker, &plan))?;
        ensure!(micros(&written.over, 0.5) >= sync.as_secs_f64() * 1e6, "no write waited for a sync");
        lost += beside.lost + written.lost;
        servent.signal(Signal::TERM);
        let turns = servent.wait_for_log(TURNS)?;
        let micros = turns.rsplit(LONGEST).next().and_then(|micros| micros.trim().parse::<f64>().ok());
        longest.push(micros.with_context(|| format!("no longest turn is told: {turns}"))? / MILLIS);
        ensure!(servent.wait()?.success(), "a servent with a slow disk did not end well");
    }
    Ok(vec![whole(BenchRow::of_values("writes-slow", "ms", &longest, lost))?.with_target(SLOW_TARGET)])
}

const SLOW_TARGET: Bound = Bound::AtMost(Of::Value, 5.0);

/// `writes-start`: a servent starts with as much as may be kept; beside its file, read and hashed.
pub fn start(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    start_with(options, "writes-start", LONG_KEPT, &[Bound::AtMost(Of::Ratio, 2.0)])
}

/// `writes-start-short`: the same with as many keys as may be kept.
pub fn start_short(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    start_with(options, "writes-start-short", SHORT_KEPT, &[])
}

fn start_with(
    options: &Options,
    name: &'static str,
    (value_bytes, values): (usize, u64),
    targets: &[Bound],
) -> anyhow::Result<Vec<BenchRow>> {
    let Some(place) = DiskPlace::make()? else { return Ok(vec![BenchRow::not_measured(name, "ms", NO_DISK)]) };
    let path = filled(&place, value_bytes, options.queries(values))?;
    of_rounds(name, "ms", options.rounds(ROUNDS), targets, || {
        let started = Instant::now();
        let servent = keeping(&path)?;
        let ours = started.elapsed();
        end(servent)?;
        // Both are processes that have just been started.
        let started = Instant::now();
        let floor = Floor::start(&file::Options::words("hash", ANYWHERE, &path))?;
        let _ = TcpStream::connect(floor.address)?.read(&mut [0])?;
        Ok(((ours.as_secs_f64() * MILLIS, started.elapsed().as_secs_f64() * MILLIS), 0))
    })
}

/// A database in which so many values of a length were written, as a servent leaves it.
fn filled(place: &DiskPlace, value_bytes: usize, values: u64) -> anyhow::Result<PathBuf> {
    let path = place.fresh("store.db")?;
    let servent = keeping(&path)?;
    let mut writers = LoadWriters::connect(servent.address(), (WRITERS, 1), NewKeys::Spread, value_bytes)?;
    let amount = Amount::Queries(values);
    let loaded = load(&mut writers, &LoadPlan { in_flight: WRITERS, warm_up: 0, amount, until: Until::Told(1) })?;
    ensure!(loaded.lost == 0, "{} of {values} values are not kept", loaded.lost);
    end(servent)?;
    // Where there is much in it that nothing is kept in, the next start makes it anew, and none after that.
    end(keeping(&path)?)?;
    Ok(path)
}

/// A servent with some data, and what was written above that.
fn keeping(store: &Path) -> anyhow::Result<Servent> {
    Servent::start(&words(store))
}

/// The same with a disk on which each sync takes so long, which says how long the turns of its loop were.
fn keeping_slowly(store: &Path, sync: Duration) -> anyhow::Result<Servent> {
    // The tracer is no parent of what it traces, which ends as it would without one; and nothing else is traced than syncs.
    let inject = format!("--inject=fdatasync:delay_enter={}ms", sync.as_millis());
    let strace = ["strace", "-D", "-f", "--seccomp-bpf", "-qqq", "-o", "/dev/null", "--trace=fdatasync", &inject];
    let log = ["-E", "RUST_LOG=servent::server=debug"];
    let before: Vec<String> = [&strace[..], &log[..]].concat().into_iter().map(str::to_owned).collect();
    Servent::start_behind(&before, &words(store))
}

fn words(store: &Path) -> [String; 4] {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/alpha.txt");
    ["127.0.0.1:0".to_owned(), data.to_owned(), "--store".to_owned(), store.display().to_string()]
}

/// Whether there is the program that makes a disk slow, and it may.
fn has_strace() -> anyhow::Result<bool> {
    let mut command = Command::new("strace");
    command.args(["-f", "--seccomp-bpf", "-qqq", "-o", "/dev/null", "--trace=fdatasync"]);
    command.arg(program("servent")?).arg("--version").stdin(Stdio::null());
    match command.output() {
        Ok(output) => Ok(output.status.success()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context("cannot start strace"),
    }
}

/// Ends it as an operator does: otherwise the next start would write all of its database anew.
fn end(mut servent: Servent) -> anyhow::Result<()> {
    servent.signal(Signal::TERM);
    ensure!(servent.wait()?.success(), "a servent that keeps writes did not end well");
    Ok(())
}

/// Does something while 64 clients write as fast as they can, from when the first of them is told that it is kept. Says what
/// came of their writes, too.
fn beside_writers<T>(contact: SocketAddr, what: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Loaded)> {
    let is_over = AtomicBool::new(false);
    let (busy, is_busy) = channel();
    thread::scope(|scope| {
        let thread = scope.spawn(|| write_until(contact, busy, &is_over));
        // Nobody says it where the writing failed; why is what the thread came to.
        let done = is_busy.recv().map_err(|_| anyhow!("nothing was written beside it")).and_then(|()| what());
        is_over.store(true, Ordering::Relaxed);
        let written = joined(thread.join())?;
        Ok((done?, written))
    })
}

fn write_until(contact: SocketAddr, busy: Sender<()>, is_over: &AtomicBool) -> anyhow::Result<Loaded> {
    as_at_another_host()?;
    let mut writers = UntilOver {
        writers: LoadWriters::connect(contact, (WRITERS, 1), NewKeys::InOrder, VALUE_BYTES)?,
        busy: Some(busy),
        is_over,
    };
    let plan = LoadPlan { in_flight: WRITERS, warm_up: 0, amount: Amount::Queries(u64::MAX), until: Until::Told(1) };
    load(&mut writers, &plan)
}

/// This thread takes no time of a processor that somebody else wants: a servent that is measured would wait for it.
fn as_at_another_host() -> anyhow::Result<()> {
    Ok(rustix::process::setpriority_process(Some(rustix::thread::gettid()), LOWEST_PRIORITY)?)
}

/// Writers who say when they have begun, and who begin nothing more once it is over.
struct UntilOver<'a> {
    writers: LoadWriters,
    busy: Option<Sender<()>>,
    is_over: &'a AtomicBool,
}

impl Asks for UntilOver<'_> {
    type Number = <LoadWriters as Asks>::Number;

    fn begin(&mut self, count: usize, begun: &mut Vec<Self::Number>) -> anyhow::Result<()> {
        let is_over = self.is_over.load(Ordering::Relaxed);
        if is_over { Ok(()) } else { self.writers.begin(count, begun) }
    }

    fn hear(&mut self, at_most: Duration, heard: &mut Vec<LoadEvent<Self::Number>>) -> anyhow::Result<()> {
        self.writers.hear(at_most, heard)?;
        // From here on they are in the way.
        let _ = self.busy.take().map(|busy| busy.send(()));
        Ok(())
    }
}
