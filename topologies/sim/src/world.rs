//! The wired engine: minds around connections that carry bytes, hold them up, cut them anywhere and fall.
//!
//! Here is the life of a run, and what happens in it is divided among files. `clock` says what comes next (`events`),
//! and `trace` keeps a hash of what came. `network` has `machines` and what is between them (`ends`, `pipes`, the
//! `ways`; `holds` counts who keeps any of it from going on), `shell` the minds, their exchanges and what passes
//! between the two; what both call a dial is in `dials`. Whoever runs them is told in `face`: `scenery` is that of a
//! scene, `story_world` that of a story. `faults` performs what goes wrong, `troubles` knows what is on just now,
//! `hostile`, `liar`, `back_liar` and `poisoner` speak for those who mean no good, `greetings` for clients that have somebody
//! greeted. What servents share is on their `disks`, and whoever lies about it in `false_holders`; clients that fetch it are
//! `fetchers`, and what they have so far in `downloads`. What servents keep for clients is in `keeping`, and what
//! those clients have to say is in `writing_clients`; `writers` has them come. What is kept in a story is in `told_stores`. `witness` judges what comes of it. None decides anything
//! a servent or a client decides, and the only clock read tells how long the run took.
//!
//! A run rises (everybody starts and links up), runs (queries are asked, faults strike) and, where there were faults,
//! heals: the overlay must come back by itself, and one more query must find everybody. Then whoever wrote must find what is
//! kept, and whatever is fetched must come to its end. Then nothing more is asked, and
//! everybody must forget what was: of that the run's own figures tell nothing. One that watches who is known to be there
//! (`watch`) asks nothing: everybody gets to know everybody, it is idle for a while, faults strike, and some time later all
//! must know how it is.

mod back_liar;
mod clock;
mod dials;
mod disks;
mod downloads;
mod ends;
mod events;
mod face;
mod false_holders;
mod faults;
mod fetchers;
mod greetings;
mod holds;
mod hostile;
mod keeping;
mod liar;
mod machines;
mod network;
mod pipes;
mod poisoner;
mod scenery;
mod shell;
pub mod story_world;
pub mod told_stores;
mod trace;
mod troubles;
mod watch;
mod ways;
mod witness;
mod writers;
mod writing_clients;

use std::time::{Duration, Instant};

use common::limits::{CONTACT_QUIET_MAX, MEMBERS_MAX, NEIGHBOR_BEAT};
use common::session::Question;

use super::cast;
use super::graph::number;
use super::outcome::RunOutcome;
use super::random::Random;
use super::scene::{Asking, Scene};

use clock::{MILLISECOND, Nanos, SECOND, nanos};
use downloads::DownloadStage;
use hostile::Hostile;
use network::SimNetwork;
use scenery::{SceneEvent, SceneFace};
use shell::{Shell, StrangerNews};
use trace::Noted;
use watch::MembersWatch;
use ways::Ways;

/// A client attaches this long before it asks: two ways to connect and two to say hello, at their slowest.
const ATTACH_LEAD: Nanos = 600 * MILLISECOND;
/// How often the world looks how far things are.
const LOOK_EVERY: Nanos = 250 * MILLISECOND;
/// Nothing has happened to any link for this long before an overlay counts as standing.
const STANDS_AFTER: Nanos = SECOND;
/// How long an overlay may take to stand for the first time.
const RISE_MAX: Nanos = 20 * SECOND;
/// How long it may take until all is well after the last fault: the longest silence of a neighbor (9 s), the longest
/// pause before a dial (10 s), and the same for those who greet a servent that has just gone.
const HEAL_MAX: Nanos = 40 * SECOND;
/// How much longer it may take until everybody knows who is there: somebody who said that it is another may have had that told
/// so often that it is told seldom.
const HEAL_WORDS_MAX: Nanos = HEAL_MAX + 90 * SECOND;
/// How long what is pending may outlive the last session of a healthy run.
const SETTLE_MAX: Nanos = 10 * SECOND;
/// How long after the last query everybody has forgotten all of them: what is kept for longest is contacts, until they were
/// quiet for so many whole beats.
const FORGET_AFTER: Duration = CONTACT_QUIET_MAX.saturating_add(NEIGHBOR_BEAT.saturating_mul(3));
/// Where there are more links nobody waits for that: over each somebody is pinged every few seconds, and it would take longer
/// than the run itself. About half of the runs that are drawn with faults have no more.
const FORGETTING_LINKS_MAX: usize = 40;
/// How long it may take, once all is well, until whatever is fetched has come to its end: each may be cut short a few times.
const FETCHING_MAX: Nanos = 240 * SECOND;
/// How long it takes, once all is well, until whoever writes has come to its contact and said all it had to; and from when they
/// ask in the end until all of that is told.
const WRITING: Nanos = 5 * SECOND;
const TELLING: Nanos = 8 * SECOND;
/// A run that is not over by then, in the time of its own network, never will be.
const RUN_MAX: Nanos = 400 * SECOND;
/// More steps than this without an end are a loop; and some more for every servent.
const STEPS_MAX: u64 = 20_000_000;
const STEPS_PER_SERVENT_MAX: u64 = 10_000;
/// So many of a servent in a second where it is watched who is there.
const STEPS_PER_SECOND_MAX: u64 = 2_000;
/// And so many of each servent over each link where they tell who is there: the larger the overlay, the more each link has to
/// tell, which through pipes of 64 bytes crosses in pieces of a few (36 steps where 500 servents with 2,000 links get to know each
/// other). The limit is there for what never ends, and so must grow with what ends late.
const STEPS_PER_TOLD_MAX: u64 = 100;

// What the random numbers of probes are for.
const PROBES: u64 = 0x776f_726c_6405_0000;

/// Runs a scene to its end. It never panics: what must not be is told in [`RunOutcome::broken`].
#[must_use]
pub fn run(scene: &Scene) -> RunOutcome {
    let begun = Instant::now();
    let mut world = World::new(scene);
    world.live();
    let mut outcome = world.finish();
    outcome.seconds = begun.elapsed().as_secs_f64();
    outcome
}

/// More steps than this without an end are a loop, and not a large run.
fn steps_max(scene: &Scene, run_max: Nanos) -> u64 {
    let (servents, links) = (scene.graph.servents() as u64, scene.graph.links_count() as u64);
    let per_servent = STEPS_PER_SERVENT_MAX + STEPS_PER_SECOND_MAX * (run_max - RUN_MAX) / SECOND;
    let told = if scene.plan.with_members { STEPS_PER_TOLD_MAX * servents.min(MEMBERS_MAX as u64) * links } else { 0 };
    STEPS_MAX + per_servent * servents + told
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Rising,
    Running,
    /// The last fault is over. Until then everything has to be well.
    Healing {
        until: Nanos,
    },
    /// The last fault is over. Then everybody must know who is there.
    Watching {
        until: Nanos,
    },
    /// All is well again, and whoever writes is to have said all by then.
    Writing {
        until: Nanos,
    },
    /// Whoever wrote asks what is kept, and is to be told by then.
    Telling {
        until: Nanos,
    },
    /// All is well again, and whatever is fetched has to come to its end by then.
    Fetching {
        until: Nanos,
    },
    /// The run has come to its end, and its figures are taken. Until then everybody forgets it.
    Forgetting {
        until: Nanos,
    },
    Over,
}

struct World<'s> {
    scene: &'s Scene,
    shell: Shell<SceneFace<'s>>,
    /// By fault: who it is, where it is somebody.
    hostiles: Vec<Option<Hostile>>,
    phase: Phase,
    /// When the scene's time begins.
    start: Nanos,
    /// When the last fault is over and the last query asked.
    busy_until: Nanos,
    /// The query asked after healing.
    probe: Option<usize>,
    probes: u64,
    /// Where one was not whole after a forger: what it spoilt is noticed by that query, and mended by the next.
    spoilt_at: Option<usize>,
    steps: u64,
    steps_max: u64,
    /// A run that is not over by then never will be.
    run_max: Nanos,
    watch: MembersWatch,
    /// What is told of a run that is being forgotten.
    figures: Option<RunOutcome>,
}

impl<'s> World<'s> {
    fn new(scene: &'s Scene) -> World<'s> {
        let plan = &scene.plan;
        // What befalls those who watch each other is to be told as fast as ever.
        let may_be_narrow = scene.faults.iter().any(|fault| !fault.kind.is_of_members());
        let ways = Ways::draw(plan, may_be_narrow);
        let face = SceneFace::new(scene, ways.are_narrow());
        let network = SimNetwork::new(ways, true);
        let hostiles = (0..).zip(&scene.faults).map(|(place, fault)| Hostile::of(scene, place, fault));
        let faults_end = scene.faults.iter().map(|fault| nanos(fault.ends())).max().unwrap_or_default();
        let run_max = watch::run_max(RUN_MAX, faults_end, plan.watch);
        let run_max = if scene.fetches.is_empty() { run_max } else { run_max + FETCHING_MAX };
        let mut world = World {
            scene,
            shell: Shell::new(network, face, plan.seed),
            hostiles: hostiles.collect(),
            phase: Phase::Rising,
            start: 0,
            busy_until: 0,
            probe: None,
            probes: 0,
            spoilt_at: None,
            steps: 0,
            steps_max: steps_max(scene, run_max),
            run_max,
            watch: MembersWatch::default(),
            figures: None,
        };
        scenery::add_servents(&mut world.shell);
        for servent in 0..scene.graph.servents() {
            if !world.shell.face.is_absent(servent) {
                scenery::start_servent(&mut world.shell, servent);
            }
        }
        world.shell.schedule(LOOK_EVERY, SceneEvent::Look);
        world
    }

    fn live(&mut self) {
        while self.phase != Phase::Over {
            let Some(event) = self.shell.network.clock.pop() else {
                return self.shell.broke("the world stands still: nothing is to come");
            };
            self.steps += 1;
            let is_forgetting = matches!(self.phase, Phase::Forgetting { .. });
            if self.steps > self.steps_max || self.now() > self.run_max && !is_forgetting {
                let text = format!("no end after {} steps, {}", self.steps, self.describe());
                return self.shell.broke(&text);
            }
            if let Some(event) = self.shell.happen(event) {
                self.happen(event);
            }
            self.settle();
        }
    }

    fn finish(mut self) -> RunOutcome {
        let mut outcome = self.figures.take().unwrap_or_else(|| self.take_figures());
        outcome.broken = self.shell.face.witness.broken;
        outcome
    }

    /// What the run came to, up to now.
    fn take_figures(&mut self) -> RunOutcome {
        let now = self.now();
        let Shell { face, trace, .. } = &mut self.shell;
        let mut outcome = RunOutcome {
            links: self.scene.graph.links_count(),
            echoes: face.echoes,
            events: trace.events,
            simulated: Duration::from_nanos(now),
            trace_hash: trace.sum(now),
            ..RunOutcome::default()
        };
        face.witness.on_end(now, &mut outcome);
        let ends = face.downloads.all.iter().map(|download| match &download.stage {
            DownloadStage::Over(end) => Some(end),
            DownloadStage::Away | DownloadStage::Asking | DownloadStage::Fetching => None,
        });
        outcome.contents = face.witness.fetches().outcome(ends);
        outcome.writes = (self.scene.plan.writes > 0).then(|| face.witness.writes_outcome());
        outcome
    }

    /// All is well: whoever wrote asks what is kept.
    fn let_write(&mut self) {
        if self.shell.face.writers.all.is_empty() {
            return self.let_fetch();
        }
        self.phase = Phase::Writing { until: self.now() + WRITING };
    }

    fn look_at_writing(&mut self, until: Nanos) {
        // A disk takes its time for all that was gathered.
        if self.now() > until && !self.shell.face.kept.are_busy() {
            self.shell.face.witness.writes.on_last();
            writers::come_last(&mut self.shell);
            self.phase = Phase::Telling { until: self.now() + TELLING };
        }
    }

    fn look_at_telling(&mut self, until: Nanos) {
        if self.now() > until {
            let now = self.now();
            let Shell { face, network, .. } = &mut self.shell;
            face.witness.on_writes_settled(now, |servent| network.machines[servent].is_running());
            writers::go_home(&mut self.shell);
            self.let_fetch();
        }
    }

    /// All is well: whatever is fetched comes to its end.
    fn let_fetch(&mut self) {
        if self.shell.face.downloads.all.is_empty() {
            return self.let_forget();
        }
        fetchers::begin_again(&mut self.shell);
        self.phase = Phase::Fetching { until: self.now() + FETCHING_MAX };
    }

    fn look_at_fetching(&mut self, until: Nanos) {
        if self.shell.face.downloads.all_over() && self.shell.pending_count() == 0 {
            self.let_forget();
        } else if self.now() > until {
            fetchers::give_up(&mut self.shell);
            self.let_forget();
        }
    }

    /// All is well: nothing more is to come but that it is forgotten.
    fn let_forget(&mut self) {
        self.figures = Some(self.take_figures());
        self.phase = if self.scene.graph.links_count() > FORGETTING_LINKS_MAX {
            Phase::Over
        } else {
            Phase::Forgetting { until: self.now() + nanos(FORGET_AFTER) }
        };
    }

    fn look_at_what_is_left(&mut self) {
        let now = self.now();
        for servent in 0..self.scene.graph.servents() {
            let Some(holdings) = self.shell.overlay(servent).map(|overlay| overlay.holdings().collect::<Vec<_>>())
            else {
                continue;
            };
            self.shell.face.witness.check_forgotten(now, servent, holdings.into_iter());
        }
        self.phase = Phase::Over;
    }

    // ---- what happens ----

    fn now(&self) -> Nanos {
        self.shell.now()
    }

    fn happen(&mut self, event: SceneEvent) {
        match event {
            SceneEvent::Attach { query } => scenery::attach(&mut self.shell, query),
            SceneEvent::Ask { query } => self.ask(query),
            SceneEvent::Begins { fault } => {
                faults::begin(&mut self.shell, fault);
                if let Some(hostile) = &mut self.hostiles[fault] {
                    hostile.come(&mut self.shell);
                }
            }
            SceneEvent::Ends { fault } => {
                faults::end(&mut self.shell, fault);
                if let Some(hostile) = &mut self.hostiles[fault] {
                    hostile.go(&mut self.shell);
                }
            }
            SceneEvent::Flap { connection } => faults::flap(&mut self.shell, connection),
            SceneEvent::Misdeed { fault } => {
                if let Some(hostile) = &mut self.hostiles[fault] {
                    hostile.misdeed(&mut self.shell);
                }
            }
            SceneEvent::GoOn { servent, life } => faults::go_on(&mut self.shell, servent, life),
            SceneEvent::AskGreeting { node } => greetings::ask(&mut self.shell, node),
            SceneEvent::Leave { node } => greetings::go(&mut self.shell, node),
            SceneEvent::FetchBegins { fetch } => fetchers::begin(&mut self.shell, fetch),
            SceneEvent::FetchAsks { fetch } => fetchers::ask(&mut self.shell, fetch),
            SceneEvent::FetchAsked { fetch } => fetchers::on_asked(&mut self.shell, fetch),
            SceneEvent::FetchHears { fetch } => fetchers::hear(&mut self.shell, fetch),
            SceneEvent::FetchUnattached { fetch, node } => fetchers::on_unattached(&mut self.shell, fetch, node),
            SceneEvent::FetchCut { fetch, life } => fetchers::cut(&mut self.shell, fetch, life),
            SceneEvent::FetchOver { fetch } => fetchers::on_over(&mut self.shell, fetch),
            SceneEvent::WriteComes { write } => writers::come(&mut self.shell, write),
            SceneEvent::WriterComes { writer } => writers::go_on(&mut self.shell, writer),
            SceneEvent::WriterGoes { writer, node } | SceneEvent::WriterUnattached { writer, node } => {
                writers::on_unattached(&mut self.shell, writer, node);
            }
            SceneEvent::Look => self.look(),
        }
    }

    /// Does what the event at hand has left.
    fn settle(&mut self) {
        loop {
            while let Some(news) = self.shell.strangers.pop_front() {
                self.tell_stranger(news);
            }
            if !self.shell.settle_one() {
                return;
            }
        }
    }

    fn tell_stranger(&mut self, news: StrangerNews) {
        match news {
            StrangerNews::Connected { number, at } => {
                if let Some(Some(hostile)) = self.hostiles.get_mut(number) {
                    hostile.on_connected(&mut self.shell, at);
                }
            }
            StrangerNews::Heard { node, at, message } => {
                let mut hostiles = self.hostiles.iter_mut().flatten();
                if let Some(hostile) = hostiles.find(|hostile| hostile.is_at(node)) {
                    hostile.on_heard(&mut self.shell, at, message);
                }
            }
        }
    }

    // ---- how far things are ----

    fn look(&mut self) {
        let stands = self.shell.face.witness.seen.links.all_stand()
            && self.shell.face.witness.touched_last + STANDS_AFTER <= self.now();
        match self.phase {
            Phase::Rising if stands && self.watch.wrong_word(&self.shell).is_none() => self.begin_scene(),
            Phase::Rising if self.now() > RISE_MAX => {
                let missing = self.shell.face.witness.seen.links.missing();
                let wrong = self.watch.wrong_word(&self.shell).unwrap_or_default();
                self.give_up(&format!("the overlay does not come to stand: {missing}{wrong}"));
            }
            Phase::Running if self.is_idle() => self.watch.look_at_idle(&self.shell),
            Phase::Running if self.now() > self.busy_until && self.shell.face.witness.all_ended() => {
                self.look_after_the_last();
            }
            Phase::Healing { until } => self.look_at_healing(until, stands),
            Phase::Writing { until } => self.look_at_writing(until),
            Phase::Telling { until } => self.look_at_telling(until),
            Phase::Fetching { until } => self.look_at_fetching(until),
            Phase::Watching { until } if self.now() > until => self.end_watch(),
            Phase::Watching { .. } => self.watch.look_at_words(&self.shell, self.now() - self.busy_until),
            Phase::Forgetting { until } if self.now() >= until => self.look_at_what_is_left(),
            Phase::Rising | Phase::Running | Phase::Forgetting { .. } | Phase::Over => {}
        }
        self.shell.schedule(self.now() + LOOK_EVERY, SceneEvent::Look);
    }

    fn begin_scene(&mut self) {
        self.phase = Phase::Running;
        let now = self.now();
        self.shell.face.witness.on_risen(now);
        self.watch.begin(&self.shell);
        self.start = now + if self.scene.plan.watch.is_some() { watch::IDLE } else { ATTACH_LEAD };
        self.busy_until = self.start;
        for fault in 0..self.scene.faults.len() {
            let (at, ends) = (self.scene.faults[fault].at, self.scene.faults[fault].ends());
            self.shell.schedule(self.start + nanos(at), SceneEvent::Begins { fault });
            self.shell.schedule(self.start + nanos(ends), SceneEvent::Ends { fault });
            self.busy_until = self.busy_until.max(self.start + nanos(ends));
        }
        for fetch in 0..self.shell.face.downloads.all.len() {
            let at = self.start + nanos(self.shell.face.downloads.all[fetch].drawn.at);
            self.shell.schedule(at, SceneEvent::FetchBegins { fetch });
            self.busy_until = self.busy_until.max(at);
        }
        for (write, drawn) in self.scene.writes.iter().enumerate() {
            let at = self.start + nanos(drawn.at);
            self.shell.schedule(at, SceneEvent::WriteComes { write });
            self.busy_until = self.busy_until.max(at);
        }
        for asking in 0..self.scene.queries.len() {
            let asking = self.scene.queries[asking];
            if (asking.contact as usize) < self.scene.graph.servents()
                && !self.shell.face.is_absent(asking.contact as usize)
            {
                self.announce(asking, self.start + nanos(asking.at), false);
            }
        }
    }

    /// Whether nothing has gone wrong yet where it is watched who is there.
    fn is_idle(&self) -> bool {
        self.scene.plan.watch.is_some() && self.now() <= self.start
    }

    /// Has a client come and ask.
    fn announce(&mut self, asking: Asking, at: Nanos, is_probe: bool) -> usize {
        let query = self.shell.face.witness.on_announced(asking, is_probe);
        self.busy_until = self.busy_until.max(at);
        self.shell.schedule(at.saturating_sub(ATTACH_LEAD), SceneEvent::Attach { query });
        self.shell.schedule(at, SceneEvent::Ask { query });
        query
    }

    /// The scene is played: every session has ended.
    fn look_after_the_last(&mut self) {
        if let Some(watch) = self.scene.plan.watch {
            self.shell.network.ways.widen();
            self.phase = Phase::Watching { until: self.busy_until + nanos(watch) };
        } else if !self.scene.faults.is_empty() {
            self.phase = Phase::Healing { until: self.now() + HEAL_MAX };
            let now = self.now();
            self.shell.network.ways.widen();
            self.shell.face.witness.on_widened(now);
        } else if self.shell.pending_count() == 0 && self.watch.wrong_word(&self.shell).is_none() {
            self.let_write();
        } else if self.now() > self.busy_until.max(self.shell.face.witness.ended_last) + SETTLE_MAX {
            let wrong = self.watch.wrong_word(&self.shell).unwrap_or_default();
            let pending = self.describe();
            let text = format!("something is pending long after the last session has ended: {pending}{wrong}");
            self.give_up(&text);
        }
    }

    fn end_watch(&mut self) {
        let (members, wrong) = self.watch.end(&self.shell);
        for text in wrong {
            self.shell.broke(&text);
        }
        self.figures = Some(RunOutcome { members: Some(members), ..self.take_figures() });
        self.phase = Phase::Over;
    }

    fn look_at_healing(&mut self, until: Nanos, stands: bool) {
        let Some(probe) = self.probe else {
            let wrong = if stands { self.watch.wrong_word(&self.shell) } else { None };
            let is_quiet = self.shell.pending_count() == 0 && !self.shell.network.has_dead_ends();
            let until = if wrong.is_some() { until - HEAL_MAX + HEAL_WORDS_MAX } else { until };
            if stands && is_quiet && wrong.is_none() {
                self.probe = self.send_probe();
                if self.scene.plan.with_members {
                    // What was waited for was no query.
                    self.phase = Phase::Healing { until: until.max(self.now() + HEAL_MAX) };
                }
                if self.probe.is_none() {
                    self.let_write();
                }
            } else if self.now() > until {
                let dead = if self.shell.network.has_dead_ends() { "a link whose other end is gone, " } else { "" };
                let text = format!(
                    "not well {} s after the last fault: {}{dead}{}{}",
                    if wrong.is_some() { HEAL_WORDS_MAX } else { HEAL_MAX } / SECOND,
                    self.shell.face.witness.seen.links.missing(),
                    self.describe(),
                    wrong.unwrap_or_default()
                );
                self.give_up(&text);
            }
            return;
        };
        if !self.shell.face.witness.has_ended(probe) {
            return;
        }
        let witness = &self.shell.face.witness;
        let faults = witness.what_is_wrong(probe);
        // The last of two links between the same servents may go this late: that is no fault, and one more query must find
        // all well. So must one more after the first that a forger spoilt.
        let may_be_disturbed = faults.is_empty() || witness.was_disturbed(probe);
        let may_be_spoilt = self.spoilt_at.is_none() && witness.seen.is_forger_there;
        // Whoever fetches asks on and on: what is pending then need not be what the probe left, and is waited for.
        let is_asked_meanwhile = faults.is_empty() && !self.scene.fetches.is_empty() && self.now() <= until;
        if faults.is_empty() && self.shell.pending_count() == 0 {
            self.let_write();
        } else if is_asked_meanwhile {
            // Nothing but a moment without any of that is missing.
        } else if self.now() > until || !may_be_disturbed && !may_be_spoilt {
            let text = format!("after healing, a new query is not what it must be: {}", faults.join("; "));
            self.give_up(&text);
        } else {
            if !may_be_disturbed {
                self.spoilt_at = witness.contact_of(probe);
            }
            self.probe = None;
        }
    }

    /// One more query, from anywhere.
    fn send_probe(&mut self) -> Option<usize> {
        let present: Vec<usize> =
            (0..self.scene.graph.servents()).filter(|node| !self.shell.face.is_absent(*node)).collect();
        let mut random = Random::of(self.scene.plan.seed, PROBES + self.probes);
        let drawn = *present.get(random.index(present.len()))?;
        let contact = self.spoilt_at.unwrap_or(drawn);
        self.probes += 1;
        let asking =
            Asking { number: u32::MAX, at: Duration::ZERO, contact: number(contact), topology: random.chance(25) };
        Some(self.announce(asking, self.now() + ATTACH_LEAD, true))
    }

    fn give_up(&mut self, text: &str) {
        self.shell.broke(text);
        self.phase = Phase::Over;
    }

    fn describe(&self) -> String {
        let pending = (0..self.scene.graph.servents()).filter_map(|servent| {
            let count = self.shell.overlay(servent)?.pending_count();
            (count > 0).then(|| format!("s{servent} has {count} pending"))
        });
        pending.collect::<Vec<_>>().join(", ")
    }

    fn ask(&mut self, query: usize) {
        let now = self.now();
        if !self.shell.face.witness.begin_asking(now, query) {
            return;
        }
        let Some(node) = self.shell.face.witness.client_of(query) else { return };
        let ask = cast::ask(self.shell.face.witness.is_topology(query));
        self.shell.note(node, Noted::Asks);
        let mut asked = Ok(0);
        self.shell.with_client(node, |now, session, wanted| asked = session.ask(now, Question::new(ask), wanted));
        if let Err(error) = asked {
            self.shell.broke(&format!("a client that has asked nothing cannot ask: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use common::address::AnswerAddress;
    use common::dialect::Dialect;
    use common::link::LinkId;
    use common::message::{Hello, Message, Role, ServentId};
    use common::overlay::{Input, Opening};
    use common::query::{Path, Query, Via};

    use super::network::UNHEARD_MAX;
    use super::*;
    use crate::plan::Plan;
    use crate::scene::tests::chain;
    use crate::shapes::Shape;

    #[test]
    fn what_is_pending_for_ever_is_noticed() {
        let scene = chain();
        let mut world = World::new(&scene);
        for stranger in [1_000, 1_001] {
            let link = LinkId(stranger);
            let address = SocketAddr::from((Ipv4Addr::new(10, 0, 0, 0), 40_000));
            let role = Role::Servent { id: ServentId(stranger.into()), advertised: address };
            let opening = Opening::Accepted(address);
            world.shell.tell_servent(1, Input::Opened { link, opening });
            world.shell.tell_servent(1, Input::Received { link, stamp: 0, message: Message::Hello(Hello::new(role)) });
        }
        let query = Query {
            via: Via::Direct,
            sequence: 1,
            client: AnswerAddress {
                socket: SocketAddr::from((Ipv4Addr::new(13, 0, 0, 0), 7000)),
                dialect: Dialect::Native,
            },
            contact: None,
            ttl: 3,
            hops: 1,
            ask: cast::ask(false),
            path: Path::default(),
        };
        world.shell.tell_servent(1, Input::Received { link: LinkId(1_000), stamp: 0, message: Message::query(query) });
        world.phase = Phase::Running;
        world.shell.schedule(SETTLE_MAX + 1, SceneEvent::Look);
        while world.now() <= SETTLE_MAX {
            let _ = world.shell.network.clock.pop();
        }
        world.look();
        assert_eq!(world.phase, Phase::Over);
        let broken = world.shell.face.witness.broken;
        assert!(broken[0].contains("s1 has 1 pending"), "{broken:?}");
    }

    /// Has a world go on for so long.
    fn go_on(world: &mut World<'_>, time: Nanos) {
        let end = world.now() + time;
        while let Some(event) = world.shell.network.clock.pop_until(end) {
            if let Some(event) = world.shell.happen(event) {
                world.happen(event);
            }
            world.settle();
        }
    }

    #[test]
    fn whoever_is_paused_learns_that_a_connection_is_dead_when_it_is_awake() {
        let scene = chain();
        let mut world = World::new(&scene);
        go_on(&mut world, SECOND);
        let at = world.shell.network.ends_of(1)[0];
        assert!(world.shell.is_spoken_on(at));
        world.shell.pause(1);
        world.shell.network.part(at.connection, [true, true], true);
        go_on(&mut world, 2 * UNHEARD_MAX);
        assert_eq!([at, at.other()].map(|at| world.shell.is_spoken_on(at)), [true, false]);
        world.shell.resume(1);
        go_on(&mut world, SECOND);
        assert!(!world.shell.is_spoken_on(at));
        // Once more is a fault of the simulator itself, and told as one.
        world.shell.resume(1);
        go_on(&mut world, SECOND);
        let broken = world.shell.face.witness.broken;
        assert!(broken.iter().any(|text| text.contains("nobody paused")), "{broken:?}");
    }

    #[test]
    fn a_world_without_an_end_is_noticed() {
        let scene = chain();
        let mut world = World::new(&scene);
        world.phase = Phase::Running;
        world.busy_until = Nanos::MAX;
        world.live();
        let broken = world.shell.face.witness.broken;
        assert!(broken.iter().any(|text| text.contains("no end after")), "{broken:?}");
    }

    #[test]
    fn what_goes_on_in_a_loop_is_noticed_before_its_time_is_over() {
        let scene = chain();
        let mut world = World::new(&scene);
        world.steps_max = 500;
        world.phase = Phase::Running;
        world.busy_until = Nanos::MAX;
        world.live();
        assert!(world.now() < world.run_max);
        let broken = world.shell.face.witness.broken;
        assert!(broken.iter().any(|text| text.contains("no end after 501 steps")), "{broken:?}");
    }

    #[test]
    fn a_large_run_in_which_much_is_told_may_take_more_steps_than_a_small_one() {
        let small = |servents| Scene::draw(&crate::scene::tests::small(Shape::Ring, servents, 1)).unwrap();
        assert_eq!(steps_max(&small(10), RUN_MAX), STEPS_MAX + 10 * STEPS_PER_SERVENT_MAX);
        let told = |servents| {
            let scene = small(servents);
            let plan = Plan { with_members: true, ..scene.plan.clone() };
            steps_max(&Scene { plan, ..scene }, RUN_MAX) - steps_max(&small(servents), RUN_MAX)
        };
        // Ten times as many servents are told of over ten times as many links.
        assert_eq!((told(10), told(100)), (100 * STEPS_PER_TOLD_MAX, 10_000 * STEPS_PER_TOLD_MAX));
    }
}
