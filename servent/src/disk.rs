//! Threads for what waits: name servers and disks. The loop puts jobs in and takes out what came of them, and waits for
//! neither.
//!
//! Work of one kind has a lane of its own, so that it waits for its like and for nothing else: a name server that hangs
//! keeps no file from being read. A lane's threads start when there is something to do, and end when there has been
//! nothing for a moment: an idle servent has none. How a job is done is not known here (`jobs` knows); whoever makes the
//! lanes says.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use common::content::transfer::BlockRoom;
use common::disk::{BlocksToRead, Job, JobDone};
use common::limits::{NEIGHBORS_MAX, UPLOADS_MAX};

use crate::poller::Waker;
use crate::sockets;

/// A lane, as it is told: one more is a row of [`LANES`] and an arm of [`lane_of`].
#[derive(Debug)]
struct Row {
    /// As its threads are called, in at most 15 letters.
    name: &'static str,
    threads_max: usize,
    /// Jobs that wait or are done, and what came of others and was not taken out yet. It bounds the queues of both
    /// directions: one that is in has its place in the one that leads out. What is only to be let go of comes in beyond
    /// it: there is no more of that than was read.
    jobs_max: usize,
    /// There is much of it, and nobody who asks waits for it: where both want one processor, the loop has most of it.
    gives_way: bool,
}

const NAMES: usize = 0;
const INTERFACES: usize = 1;
const LONG_READS: usize = 2;

const MEMBERS: usize = 3;
const SHARE: usize = 4;
const SHORT_READS: usize = 5;
const COMMITS: usize = 6;

const LANES: [Row; 7] = [
    // A resolver may hang for half a minute, and one name says nothing of the next: as many threads as there may be
    // look-ups, one for each neighbor at a time, so that no name waits for another.
    Row { name: "names", threads_max: NEIGHBORS_MAX, jobs_max: NEIGHBORS_MAX, gives_way: false },
    // The system knows these by itself, and says so at once.
    Row { name: "interfaces", threads_max: 1, jobs_max: NEIGHBORS_MAX, gives_way: false },
    // One reading of the data and what it replaced, one after the other: never more than two of it are in memory.
    Row { name: "long reads", threads_max: 1, jobs_max: 4, gives_way: false },
    // One writing, and the last one, which does not wait for what came of it.
    Row { name: "members", threads_max: 1, jobs_max: 2, gives_way: false },
    // One looking through at a time.
    Row { name: "share", threads_max: 1, jobs_max: 1, gives_way: true },
    // One for each content that is given out. A disk that has to turn for one may have the next in its cache.
    Row { name: "short reads", threads_max: 4, jobs_max: UPLOADS_MAX, gives_way: true },
    // One at a time: what comes meanwhile is in the next.
    Row { name: "commits", threads_max: 1, jobs_max: 1, gives_way: false },
];

fn lane_of(job: &Job) -> usize {
    match job {
        Job::LookUp { name, .. } if sockets::needs_resolver(name) => NAMES,
        Job::LookUp { .. } => INTERFACES,
        Job::ReadData | Job::Free(_) => LONG_READS,
        Job::KeepMembers(_) => MEMBERS,
        Job::LookThrough(_) => SHARE,
        Job::Commit(_) => COMMITS,
        Job::ReadBlocks(_) | Job::ReadHashes(_) => SHORT_READS,
    }
}

/// Room for what a job reads. Blocks are let go of by the loop, so the loop makes room for them: what each of these threads had
/// asked for would stay with that thread, and that may be as much for each as for all of them together.
fn rooms_for(job: &Job) -> Vec<BlockRoom> {
    let Job::ReadBlocks(BlocksToRead { content, first, count, .. }) = job else { return Vec::new() };
    let blocks = *first..first.saturating_add(*count);
    blocks.filter_map(|block| content.blocks.place(block)).map(|(_, length)| BlockRoom::new(length)).collect()
}

/// How long a thread with nothing to do is kept: what comes in pieces finds it still there.
const IDLE_MAX: Duration = Duration::from_secs(1);
/// By so much the threads of a lane that gives way are nicer than the loop (`nice`): as whatever a user has done in the background.
const GIVES_WAY_BY: i32 = 10;
/// Enough for a resolver and whatever the system has it ask; only what is used of it is ever taken.
const STACK_BYTES: usize = 1024 * 1024;

/// Does a job, with room for what it reads, and says what came of it if anybody is to know.
type Work = dyn Fn(Job, Vec<BlockRoom>) -> Option<JobDone> + Send + Sync;

/// All lanes.
pub(crate) struct Disk {
    lanes: [Arc<Lane>; LANES.len()],
}

struct Lane {
    row: &'static Row,
    /// Places that are taken; see [`Row::jobs_max`].
    taken: AtomicUsize,
    queue: Mutex<Workload>,
    /// There is something to do.
    filled: Condvar,
    /// What came of it. Whoever has put something in wakes the loop after that, so that the loop need never wait for
    /// this lock.
    done: Mutex<VecDeque<JobDone>>,
    work: Arc<Work>,
    waker: Waker,
}

#[derive(Default)]
struct Workload {
    jobs: VecDeque<(Job, Vec<BlockRoom>)>,
    threads: usize,
    /// Threads with nothing to do.
    idle: usize,
}

impl Disk {
    /// Lanes where jobs are done like this, and which wake whoever waits once one is done.
    pub(crate) fn new(
        waker: &Waker,
        work: impl Fn(Job, Vec<BlockRoom>) -> Option<JobDone> + Send + Sync + 'static,
    ) -> Disk {
        let work: Arc<Work> = Arc::new(work);
        let lane = |row| {
            let (work, waker) = (Arc::clone(&work), waker.clone());
            let (taken, queue, done) = (AtomicUsize::new(0), Mutex::default(), Mutex::default());
            Arc::new(Lane { row, taken, queue, filled: Condvar::new(), done, work, waker })
        };
        Disk { lanes: LANES.each_ref().map(lane) }
    }

    /// Puts a job in. One that there is no place or no thread for comes to something at once, unless nobody is to be told
    /// of it: such a one waits for the next thread of its lane, since it would be done here otherwise.
    pub(crate) fn put(&self, job: Job) -> Option<JobDone> {
        self.lanes.get(lane_of(&job))?.put(job)
    }

    /// Lets go of what came of a job when nobody is to be told of it any more, where nobody waits for that.
    pub(crate) fn let_go(&self, done: JobDone) {
        if let JobDone::DataRead(Ok(store)) = done {
            self.put(Job::Free(store));
        }
    }

    /// Whether something is being written, or what came of it was not taken out.
    pub(crate) fn keeps_something(&self) -> bool {
        let is_busy = |lane: &Arc<Lane>| lane.taken.load(Ordering::Relaxed) > 0;
        [MEMBERS, COMMITS].iter().any(|lane| self.lanes.get(*lane).is_some_and(is_busy))
    }

    /// Takes out what came of one job, if any has been done. It waits for nobody, not even for a thread that puts
    /// something in at this moment: that one wakes whoever waits once it has.
    pub(crate) fn take(&self) -> Option<JobDone> {
        self.lanes.iter().find_map(|lane| lane.take())
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Workload> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(self: &Arc<Lane>, job: Job) -> Option<JobDone> {
        let Row { name, threads_max, jobs_max, .. } = self.row;
        // Only the loop takes places, so none is taken meanwhile.
        if self.taken.load(Ordering::Relaxed) >= *jobs_max
            && let Some(refused) = job.failed(&format!("{jobs_max} {name} at once are the most"))
        {
            return Some(refused);
        }
        let rooms = rooms_for(&job);
        let mut queue = self.lock();
        if queue.jobs.len() >= queue.idle && queue.threads < *threads_max {
            let lane = Arc::clone(self);
            let thread = thread::Builder::new().name((*name).to_owned()).stack_size(STACK_BYTES);
            match thread.spawn(move || lane.run()) {
                Ok(_) => queue.threads += 1,
                // Those there are come to it later.
                Err(_) if queue.threads > 0 => {}
                Err(error) => {
                    if let Some(refused) = job.failed(&format!("there is no thread for it: {error}")) {
                        return Some(refused);
                    }
                }
            }
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        queue.jobs.push_back((job, rooms));
        self.filled.notify_one();
        None
    }

    fn take(&self) -> Option<JobDone> {
        let done = match self.done.try_lock() {
            Ok(mut done) => done.pop_front()?,
            Err(TryLockError::Poisoned(done)) => done.into_inner().pop_front()?,
            Err(TryLockError::WouldBlock) => return None,
        };
        self.taken.fetch_sub(1, Ordering::Relaxed);
        Some(done)
    }

    /// What a thread does, until there has been nothing to do for a moment.
    fn run(&self) {
        if self.row.gives_way {
            // Of this thread alone, as Linux has it. Where it may not be, the job is done all the same.
            let _ = rustix::process::nice(GIVES_WAY_BY);
        }
        let mut queue = self.lock();
        loop {
            while let Some((job, rooms)) = queue.jobs.pop_front() {
                drop(queue);
                // Whoever waits for it would wait for ever, and so would all that come after. It is said before: whoever
                // does the job has it alone, and what it lets go of is gone.
                let fault = job.broken_off("this program has a fault");
                let done = catch_unwind(AssertUnwindSafe(|| (self.work)(job, rooms))).unwrap_or(fault);
                match done {
                    Some(done) => {
                        self.done.lock().unwrap_or_else(PoisonError::into_inner).push_back(done);
                        self.waker.wake();
                    }
                    None => {
                        self.taken.fetch_sub(1, Ordering::Relaxed);
                    }
                }
                queue = self.lock();
            }
            queue.idle += 1;
            let waited = self.filled.wait_timeout_while(queue, IDLE_MAX, |queue| queue.jobs.is_empty());
            (queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
            if queue.jobs.is_empty() {
                queue.threads -= 1;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use common::content::{Blocks, FileStamp};
    use common::disk::{CommitFailure, HashesToRead, SharedContent};
    use common::link::LinkId;
    use common::store::Store;

    use super::*;
    use crate::poller::Poller;

    /// Longer than anything here takes on a machine with much else to do.
    const PATIENCE: Duration = Duration::from_secs(50);

    /// Lanes around a poller, whose look-ups wait until they are let go, one for each word.
    struct Slow {
        poller: Poller,
        disk: Disk,
        let_go: Sender<()>,
        begun: Receiver<usize>,
    }

    impl Slow {
        fn new() -> Slow {
            let poller = Poller::new().unwrap();
            let (let_go, gate) = channel();
            let (beginning, begun) = channel();
            let (gate, beginning) = (Mutex::new(gate), Mutex::new(beginning));
            let disk = Disk::new(&poller.waker(), move |job, _| {
                if let Job::LookUp { neighbor, name } = &job
                    && sockets::needs_resolver(name)
                {
                    beginning.lock().unwrap().send(*neighbor).unwrap();
                    gate.lock().unwrap().recv().unwrap();
                }
                job.failed("it is a test")
            });
            Slow { poller, disk, let_go, begun }
        }

        /// Waits as a loop does until something is done.
        fn wait(&mut self) -> JobDone {
            loop {
                if let Some(done) = self.disk.take() {
                    return done;
                }
                let mut ready = Vec::new();
                let start = std::time::Instant::now();
                self.poller.wait(Some(PATIENCE), &mut ready).unwrap();
                assert!(start.elapsed() < PATIENCE, "nobody wakes it");
            }
        }
    }

    fn look_up(neighbor: usize) -> Job {
        Job::LookUp { neighbor, name: format!("n{neighbor}:9000") }
    }

    fn of(done: &JobDone) -> Option<usize> {
        match done {
            JobDone::LookedUp { neighbor, .. } => Some(*neighbor),
            JobDone::DataRead(_)
            | JobDone::MembersKept(_)
            | JobDone::LookedThrough(_)
            | JobDone::Committed(_)
            | JobDone::BlocksRead { .. }
            | JobDone::HashesRead { .. } => None,
        }
    }

    /// Nor a name any other: there is a thread for each there may be.
    #[test]
    fn what_hangs_in_one_lane_keeps_nothing_in_another_waiting() {
        let mut slow = Slow::new();
        let Row { threads_max, .. } = LANES[NAMES];
        for neighbor in 0..threads_max {
            assert_eq!(slow.disk.put(look_up(neighbor)), None);
        }
        // All its threads hang.
        let begun: BTreeSet<usize> = (0..threads_max).map(|_| slow.begun.recv_timeout(PATIENCE).unwrap()).collect();
        assert_eq!(begun.len(), NEIGHBORS_MAX);
        assert_eq!(slow.disk.put(Job::ReadData), None);
        assert_eq!(slow.wait(), Job::ReadData.failed("it is a test").unwrap());
        let zoned = Job::LookUp { neighbor: threads_max, name: "[fe80::1%lo]:9000".to_owned() };
        assert_eq!(slow.disk.put(zoned), None);
        assert_eq!(of(&slow.wait()), Some(threads_max), "no name server is asked for it");
        for _ in 0..threads_max {
            slow.let_go.send(()).unwrap();
            assert!(of(&slow.wait()).is_some());
        }
    }

    /// Whoever asks waits for the loop, and nobody who asks for what is read of a file that is downloaded or hashed.
    #[test]
    fn what_there_is_much_of_gives_way_to_the_loop() {
        let poller = Poller::new().unwrap();
        let own = || rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let (telling, told) = channel();
        let telling = Mutex::new(telling);
        let disk = Disk::new(&poller.waker(), move |job, _| {
            telling.lock().unwrap().send((lane_of(&job), own())).unwrap();
            None
        });
        let loops = own();
        let content = Arc::new(SharedContent {
            name: b"one".to_vec(),
            stamp: FileStamp { device: 1, inode: 1, size: 1, modified: 1, changed: 1 },
            hashes_at: 0,
            blocks: Blocks::of(1).unwrap(),
        });
        let hashes = HashesToRead { link: LinkId(1), fetch: 1, content, first: 0, count: 1 };
        let jobs = [look_up(1), Job::ReadData, Job::LookThrough(Arc::default()), Job::ReadHashes(hashes)];
        for (job, gives_way) in jobs.into_iter().zip([false, false, true, true]) {
            let (lane, waits) = (lane_of(&job), disk.put(job));
            assert_eq!(waits, None);
            // There is no one nicer than the nicest.
            let expected = if gives_way { (loops + GIVES_WAY_BY).min(19) } else { loops };
            assert_eq!(told.recv_timeout(PATIENCE), Ok((lane, expected)));
        }
        assert_eq!(own(), loops);
    }

    #[test]
    fn data_that_comes_too_late_is_let_go_of_where_it_was_read() {
        let poller = Poller::new().unwrap();
        let (freeing, freed) = channel();
        let freeing = Mutex::new(freeing);
        let disk = Disk::new(&poller.waker(), move |job, _| {
            let Job::Free(store) = job else { panic!("{job:?}") };
            let thread = thread::current().name().map(str::to_owned);
            freeing.lock().unwrap().send((thread, Arc::as_ptr(&store) as usize)).unwrap();
            None
        });
        let store = Arc::new(Store::default());
        let place = Arc::as_ptr(&store) as usize;
        disk.let_go(JobDone::DataRead(Ok(store)));
        assert_eq!(freed.recv_timeout(PATIENCE).unwrap(), (Some("long reads".to_owned()), place));
        while disk.lanes[LONG_READS].taken.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        disk.let_go(JobDone::DataRead(Err("nothing was read".to_owned())));
        disk.let_go(look_up(7).failed("nothing was found").unwrap());
        // Any other job would fail here, and what comes of one that fails keeps its place.
        let is_empty = |lane: &Arc<Lane>| lane.taken.load(Ordering::Relaxed) == 0;
        assert!(disk.lanes.iter().all(is_empty), "there is nothing to let go of");
    }

    /// The loop would have to do it: it frees as long as anybody.
    #[test]
    fn what_is_only_to_be_let_go_of_is_refused_by_no_lane_and_let_go_of_in_it() {
        let poller = Poller::new().unwrap();
        let (open, gate) = channel::<()>();
        let (doing, done) = channel();
        let (gate, doing) = (Mutex::new(gate), Mutex::new(doing));
        let disk = Disk::new(&poller.waker(), move |job, _| {
            gate.lock().unwrap().recv().unwrap();
            if let Job::Free(store) = job {
                // Whoever does it has it alone: it is freed here and now.
                doing.lock().unwrap().send(Arc::into_inner(store).is_some()).unwrap();
            }
            None
        });
        let Row { jobs_max, .. } = LANES[LONG_READS];
        for _ in 0..jobs_max {
            assert_eq!(disk.put(Job::ReadData), None);
        }
        let refused = Job::ReadData.failed("4 long reads at once are the most");
        assert_eq!(disk.put(Job::ReadData), refused, "it is full");
        let store = Arc::new(Store::default());
        let held = Arc::downgrade(&store);
        assert_eq!(disk.put(Job::Free(store)), None);
        assert!(held.upgrade().is_some(), "it was freed by whoever put it in");
        for _ in 0..=jobs_max {
            open.send(()).unwrap();
        }
        assert_eq!(done.recv_timeout(PATIENCE), Ok(true));
    }

    #[test]
    fn a_full_lane_refuses_at_once_and_takes_more_when_what_came_of_it_was_taken_out() {
        let mut slow = Slow::new();
        let Row { jobs_max, .. } = LANES[NAMES];
        for neighbor in 0..jobs_max {
            assert_eq!(slow.disk.put(look_up(neighbor)), None, "{neighbor}");
        }
        let refused = slow.disk.put(look_up(jobs_max));
        let Some(JobDone::LookedUp { neighbor, addresses: Err(reason) }) = refused else { panic!("{refused:?}") };
        assert_eq!((neighbor, reason.as_str()), (jobs_max, "256 names at once are the most"));
        // One that is done and was not taken out has its place still.
        slow.let_go.send(()).unwrap();
        let mut ready = Vec::new();
        slow.poller.wait(Some(PATIENCE), &mut ready).unwrap();
        assert!(slow.disk.put(look_up(jobs_max)).is_some());
        slow.wait();
        assert_eq!(slow.disk.put(look_up(jobs_max)), None);
        for _ in 0..jobs_max {
            slow.let_go.send(()).unwrap();
        }
        let mut done: Vec<Option<usize>> = (0..jobs_max).map(|_| of(&slow.wait())).collect();
        done.sort_unstable();
        assert_eq!(done.last(), Some(&Some(jobs_max)));
        done.dedup();
        assert_eq!(done.len(), jobs_max);
    }

    #[test]
    fn what_nobody_is_told_of_gives_its_place_back() {
        let slow = Slow::new();
        let until = std::time::Instant::now() + PATIENCE;
        for _ in 0..3 * LANES[LONG_READS].jobs_max {
            while slow.disk.lanes[LONG_READS].taken.load(Ordering::Relaxed) > 0 {
                assert!(std::time::Instant::now() < until);
                thread::yield_now();
            }
            assert_eq!(slow.disk.put(Job::Free(Arc::new(Store::default()))), None);
        }
    }

    #[test]
    fn a_job_that_ends_in_a_panic_has_failed_and_the_next_is_done() {
        let mut poller = Poller::new().unwrap();
        let disk = Disk::new(&poller.waker(), |job, _| match job {
            Job::LookUp { neighbor: 0, .. } => panic!("as a fault would"),
            job => job.failed("it is a test"),
        });
        for neighbor in [0, 0, 7] {
            assert_eq!(disk.put(look_up(neighbor)), None);
        }
        let until = std::time::Instant::now() + PATIENCE;
        let mut done = Vec::new();
        while done.len() < 3 {
            assert!(std::time::Instant::now() < until, "nobody says that it failed");
            match disk.take() {
                Some(one) => {
                    let JobDone::LookedUp { addresses: Err(reason), .. } = &one else { panic!("{one:?}") };
                    let expected = if of(&one) == Some(0) { "this program has a fault" } else { "it is a test" };
                    assert_eq!(reason, expected);
                    done.push(of(&one));
                }
                None => poller.wait(Some(PATIENCE), &mut Vec::new()).unwrap(),
            }
        }
        done.sort_unstable();
        assert_eq!(done.last(), Some(&Some(7)));
    }

    /// What of it is there nobody knows, so nothing may come on top of it.
    #[test]
    fn a_commit_that_ends_in_a_panic_is_told_as_one_of_a_disk_that_failed() {
        let mut poller = Poller::new().unwrap();
        let disk = Disk::new(&poller.waker(), |job, _| panic!("as a fault would, in {job:?}"));
        assert_eq!(disk.put(Job::Commit(Vec::new())), None);
        // One that was not begun is another thing: there is nothing of it.
        let refused = Err(CommitFailure::Full("1 commits at once are the most".to_owned()));
        assert_eq!(disk.put(Job::Commit(Vec::new())), Some(JobDone::Committed(refused)));
        let until = std::time::Instant::now() + PATIENCE;
        let done = loop {
            assert!(std::time::Instant::now() < until, "nobody says that it failed");
            match disk.take() {
                Some(done) => break done,
                None => poller.wait(Some(PATIENCE), &mut Vec::new()).unwrap(),
            }
        };
        let unknown = Err(CommitFailure::Failed("this program has a fault".to_owned()));
        assert_eq!(done, JobDone::Committed(unknown));
    }

    #[test]
    fn lanes_have_names_that_a_system_takes_whole() {
        assert!(LANES.iter().all(|row| row.name.len() <= 15));
    }
}
