//! `writes-slow-simulated`: the longest turn of a servent's mind while 64 clients write and each sync takes a second, and another
//! looks keys up.
//!
//! The second is of simulated time: nobody waits for it, and a turn is as long as the mind takes for all that has come. Sockets
//! and disks are in `writes-slow`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use common::disk::{Job, JobDone};
use common::key::Key;
use common::link::LinkId;
use common::message::{Hello, Message, Request, Role};
use common::overlay::{Config, Input, Opening, Output, Overlay};
use common::query::Ask;
use common::store::Store;
use common::time::Time;
use common::write::{Change, Write, WriteOutcome};

use super::super::Options;
use super::super::row::{BenchRow, Bound, Of};
use super::whole;

const ROUNDS: u32 = 5;
const WRITERS: u64 = 64;
/// The link of whoever looks keys up, behind those of writers.
const ASKER: LinkId = LinkId(WRITERS);
const SYNC: Duration = Duration::from_secs(1);
const SYNCS: u64 = 16;
/// A key is looked up so often while a sync is under way.
const LOOKUPS: u32 = 100;

/// Measures it.
pub fn slow_disk(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let mut longest = Vec::new();
    for _ in 0..options.rounds(ROUNDS) {
        let mut writing = Writing::begin()?;
        (0..options.queries(SYNCS)).try_for_each(|_| writing.sync())?;
        longest.push(writing.longest_turn.as_secs_f64() * 1e3);
    }
    let row = whole(BenchRow::of_values("writes-slow-simulated", "ms", &longest, 0))?;
    Ok(vec![row.with_target(Bound::AtMost(Of::Value, 5.0))])
}

/// A mind, and what its clients and its disk have for it.
struct Writing {
    mind: Overlay,
    now: Time,
    /// What comes in the next turn.
    coming: Vec<Input>,
    outputs: Vec<Output>,
    /// When what is being put on the disk is there.
    synced: Option<Time>,
    sequence: u64,
    longest_turn: Duration,
}

impl Writing {
    fn begin() -> anyhow::Result<Writing> {
        let config = Config { written: Some(Arc::default()), ..Config::default() };
        let (store, _) = Store::parse(b"tea green\n".to_vec())?;
        let mut writing = Writing {
            mind: Overlay::new(&config, Arc::new(store)),
            now: Time::START,
            coming: Vec::new(),
            outputs: Vec::new(),
            synced: None,
            sequence: 0,
            longest_turn: Duration::ZERO,
        };
        for link in (0..=WRITERS).map(LinkId) {
            let opening = Opening::Accepted(SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000)));
            let hello = Message::Hello(Hello::new(Role::Client { answer_port: 0 }));
            writing.coming.extend([Input::Opened { link, opening }, said(link, hello)]);
        }
        writing.turn()?;
        for link in (0..WRITERS).map(LinkId) {
            writing.write(link)?;
        }
        writing.longest_turn = Duration::ZERO;
        Ok(writing)
    }

    /// Whoever was told what came of a write wants the next one kept.
    fn write(&mut self, link: LinkId) -> anyhow::Result<()> {
        self.sequence += 1;
        let key = Key::new(format!("key-{}", self.sequence).as_bytes())?;
        let change = Change::Put { key, value: vec![b'v'; 100].into() };
        self.coming.push(said(link, Message::Write(Write { sequence: self.sequence, change })));
        Ok(())
    }

    /// All that is done until the next sync is over.
    fn sync(&mut self) -> anyhow::Result<()> {
        let mut lookups_left = LOOKUPS;
        loop {
            if lookups_left > 0 {
                lookups_left -= 1;
                self.sequence += 1;
                let ask = Ask::Key(Key::new(b"tea")?);
                self.coming.push(said(ASKER, Message::Request(Request { sequence: self.sequence, ask, ttl: None })));
            }
            self.turn()?;
            let Some(synced) = self.synced else {
                ensure!(lookups_left > 0, "nothing is put on the disk");
                continue;
            };
            if lookups_left == 0 {
                ensure!(synced >= self.now, "a sync is over before what came meanwhile");
                (self.now, self.synced) = (synced, None);
                self.coming.push(Input::Disk(JobDone::Committed(Ok(()))));
                return self.turn();
            }
            self.now = self.now + SYNC / (LOOKUPS * 2);
        }
    }

    /// Tells the mind all that has come, and that its time has, and does what it wants.
    fn turn(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        for input in self.coming.drain(..) {
            self.mind.handle(self.now, input, &mut self.outputs);
        }
        if self.mind.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.mind.handle(self.now, Input::Deadline, &mut self.outputs);
        }
        self.longest_turn = self.longest_turn.max(begun.elapsed());
        for output in std::mem::take(&mut self.outputs) {
            match output {
                Output::Send { link, message: Message::Written(written) } => {
                    ensure!(written.outcome == WriteOutcome::Stored, "{written:?}");
                    self.write(link)?;
                }
                Output::Disk(Job::Commit(_)) => self.synced = Some(self.now + SYNC),
                Output::Close { link } => bail!("the link {link:?} is closed"),
                _ => {}
            }
        }
        Ok(())
    }
}

fn said(link: LinkId, message: Message) -> Input {
    Input::Received { link, stamp: 0, message }
}
