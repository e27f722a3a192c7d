//! Performs the faults: what each does when it begins, while it lasts, and when it is over.
//!
//! Which there are and when is drawn in `faults`; what follows from them is left to the minds. What a hostile servent
//! says is in `hostile`.

use super::super::faults::{self, Fault};
use super::super::plan::FaultKind;
use super::super::random::Random;
use super::connection::{EndStage, Fate, UNHEARD_MAX};
use super::hostile::Hostile;
use super::liar::Liar;
use super::{MILLISECOND, Mind, Nanos, SECOND, Slow, What, World};

/// How many bytes a slow reader reads at a time, and how long it then waits.
const SLOW_BYTES_MAX: u64 = 64;
const SLOW_PAUSE: (Nanos, Nanos) = (10 * MILLISECOND, 50 * MILLISECOND);

/// How long a flapping link stands, each time.
const FLAP_PAUSE: (Nanos, Nanos) = (5 * MILLISECOND, SECOND);

/// How long looking up a name takes while it is in trouble.
const LOOK_UP_WAIT_MAX: Nanos = 5 * SECOND;

/// A fault and how far it is.
pub(super) struct Trouble {
    pub(super) kind: FaultKind,
    pub(super) servents: Vec<usize>,
    one_way: bool,
    pub(super) is_on: bool,
    pub(super) random: Random,
    /// Which servents are on the one side of a partition.
    side: Vec<bool>,
    /// The life of the servent it struck, if it struck one.
    struck: Option<u32>,
    pub(super) hostile: Hostile,
}

impl Trouble {
    pub(super) fn new(seed: u64, fault: &Fault, servents_count: usize) -> Trouble {
        let servents: Vec<usize> = fault
            .servents
            .iter()
            .map(|servent| *servent as usize)
            .filter(|servent| *servent < servents_count)
            .collect();
        let mut side = Vec::new();
        if fault.kind == FaultKind::Partition {
            side = vec![false; servents_count];
            for servent in &servents {
                if let Some(mark) = side.get_mut(*servent) {
                    *mark = true;
                }
            }
        }
        let mut random = faults::details(seed, fault);
        let liar = Liar::draw(faults::lies(seed, fault));
        let hostile = if fault.kind == FaultKind::Forger {
            Hostile::forger(&mut random, liar)
        } else {
            Hostile::draw(&mut random, liar)
        };
        Trouble {
            kind: fault.kind,
            servents,
            one_way: fault.one_way,
            is_on: false,
            random,
            side,
            struck: None,
            hostile,
        }
    }

    fn is_between(&self, a: usize, b: usize) -> bool {
        matches!(*self.servents, [one, other] if (one, other) == (a, b) || (other, one) == (a, b))
    }

    fn is_for(&self, servent: usize) -> bool {
        *self.servents == [servent]
    }

    /// Whether this partition lets nothing pass from one place to another.
    fn parts(&self, from: usize, to: usize) -> bool {
        let is_inside = |place: usize| self.side.get(place).copied().unwrap_or(false);
        is_inside(from) != is_inside(to) && (!self.one_way || is_inside(from))
    }
}

impl World<'_> {
    pub(super) fn begin(&mut self, fault: usize) {
        let trouble = &mut self.troubles[fault];
        trouble.is_on = true;
        let kind = trouble.kind;
        let first = trouble.servents.first().copied();
        let second = trouble.servents.get(1).copied();
        self.note_event(first.unwrap_or_default(), 10);
        self.show_witness(fault, true);
        match (kind, first, second) {
            (FaultKind::LinkDown, Some(a), Some(b)) => {
                for connection in self.connections_between(a, b) {
                    self.reset(connection);
                }
            }
            (FaultKind::Flap, Some(a), Some(b)) => {
                for connection in self.connections_between(a, b) {
                    self.flap_if_it_must(connection);
                }
            }
            (FaultKind::Clog, Some(a), Some(b)) => self.clog(a, b, true),
            (FaultKind::SlowReader, Some(servent), _) => self.slow_down(fault, servent),
            (FaultKind::Partition, ..) => self.partition(fault, true),
            (FaultKind::Crash, Some(servent), _) => self.crash(fault, servent),
            (FaultKind::Pause, Some(servent), _) => self.pause(fault, servent),
            (FaultKind::Hostile | FaultKind::Forger, Some(servent), _) => self.hostile_comes(fault, servent),
            // Dials and look-ups ask which of these are on. What befalls nobody does nothing.
            _ => {}
        }
    }

    pub(super) fn end(&mut self, fault: usize) {
        let trouble = &mut self.troubles[fault];
        trouble.is_on = false;
        let kind = trouble.kind;
        let struck = trouble.struck.take();
        let first = trouble.servents.first().copied();
        let second = trouble.servents.get(1).copied();
        self.note_event(first.unwrap_or_default(), 11);
        self.show_witness(fault, false);
        match (kind, first, second) {
            (FaultKind::Clog, Some(a), Some(b)) => self.clog(a, b, false),
            (FaultKind::SlowReader, Some(servent), _) => self.speed_up(servent),
            (FaultKind::Partition, ..) => self.partition(fault, false),
            (FaultKind::Crash, Some(servent), _) if struck.is_some() => self.start_servent(servent),
            (FaultKind::Pause, Some(servent), _) if struck == Some(self.nodes[servent].life) => self.resume(servent),
            (FaultKind::Hostile | FaultKind::Forger, ..) => self.hostile_goes(fault),
            _ => {}
        }
    }

    /// Tells the witness which links and servents are in trouble.
    fn show_witness(&mut self, fault: usize, begins: bool) {
        let now = self.now;
        let trouble = &self.troubles[fault];
        let first = trouble.servents.first().copied();
        let second = trouble.servents.get(1).copied();
        match (trouble.kind, first, second) {
            (FaultKind::LinkDown | FaultKind::Flap | FaultKind::Clog, Some(a), Some(b)) => {
                self.witness.trouble_link(now, a, b, begins);
            }
            (FaultKind::Partition, ..) => {
                for (a, b) in self.scene.graph.links() {
                    let (a, b) = (a as usize, b as usize);
                    if trouble.parts(a, b) || trouble.parts(b, a) {
                        self.witness.trouble_link(now, a, b, begins);
                    }
                }
            }
            (FaultKind::DialRefused | FaultKind::DialSilent, None, _) => self.witness.trouble_clients(now, begins),
            (
                FaultKind::SlowReader | FaultKind::Crash | FaultKind::Pause | FaultKind::Hostile | FaultKind::Forger,
                Some(servent),
                _,
            ) => self.witness.trouble_servent(now, servent, begins),
            // A servent that cannot be dialled keeps its links, and dials for itself; one that learns late where its
            // neighbors are keeps its links too.
            _ => {}
        }
    }

    // ---- links ----

    fn connections_between(&self, a: usize, b: usize) -> Vec<usize> {
        let is_other = |connection: &&usize| {
            let ends = &self.connections[**connection].ends;
            let nodes = [ends[0].node, ends[1].node];
            nodes == [a, b] || nodes == [b, a]
        };
        let mut found: Vec<usize> = self.nodes[a].connections.iter().filter(is_other).copied().collect();
        found.sort_unstable();
        found
    }

    /// Has a connection that stands fall after a moment, where its link is a flapping one.
    pub(super) fn flap_if_it_must(&mut self, connection: usize) {
        let found = &self.connections[connection];
        let [a, b] = [&found.ends[0], &found.ends[1]].map(|end| end.node);
        if !found.stands {
            return;
        }
        let flaps =
            |trouble: &&mut Trouble| trouble.is_on && trouble.kind == FaultKind::Flap && trouble.is_between(a, b);
        if let Some(trouble) = self.troubles.iter_mut().find(flaps) {
            let pause = trouble.random.within(FLAP_PAUSE.0, FLAP_PAUSE.1);
            self.schedule(self.now + pause, What::Flap { connection });
        }
    }

    pub(super) fn on_flap(&mut self, connection: usize) {
        let node = self.connections[connection].ends[0].node;
        self.note_event(node, 12);
        self.reset(connection);
    }

    fn clog(&mut self, from: usize, to: usize, begins: bool) {
        for connection in self.connections_between(from, to) {
            let end = usize::from(self.connections[connection].ends[0].node != from);
            self.block(connection, end, begins);
        }
    }

    fn partition(&mut self, fault: usize, begins: bool) {
        for connection in 0..self.connections.len() {
            let found = &self.connections[connection];
            if found.ends.iter().all(|end| end.stage == EndStage::Gone) {
                continue;
            }
            let places = [&found.ends[0], &found.ends[1]].map(|end| self.nodes[end.node].place);
            let trouble = &self.troubles[fault];
            let parted = [trouble.parts(places[0], places[1]), trouble.parts(places[1], places[0])];
            if parted == [false, false] {
                continue;
            }
            let found = &mut self.connections[connection];
            found.partition_epoch = found.partition_epoch.wrapping_add(1);
            found.partitions = if begins { found.partitions + 1 } else { found.partitions.saturating_sub(1) };
            let epoch = found.partition_epoch;
            for (end, parted) in parted.into_iter().enumerate() {
                if parted {
                    self.block(connection, end, begins);
                }
                if begins || self.connections[connection].partitions > 0 {
                    self.schedule(self.now + UNHEARD_MAX, What::Unheard { connection, end, epoch });
                }
            }
        }
    }

    /// How many faults keep anything from crossing from one node to another.
    pub(super) fn blocks_between(&self, from: usize, to: usize) -> u32 {
        let places = (self.nodes[from].place, self.nodes[to].place);
        let blocks = |trouble: &&Trouble| match trouble.kind {
            FaultKind::Partition => trouble.parts(places.0, places.1),
            FaultKind::Clog => *trouble.servents == [from, to],
            _ => false,
        };
        let count = self.troubles.iter().filter(|trouble| trouble.is_on).filter(blocks).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// What faults make of a dial, where they make anything of it.
    pub(super) fn fate_by_trouble(&self, from: usize, to: usize) -> Option<Fate> {
        if self.blocks_between(from, to) + self.blocks_between(to, from) > 0 {
            return Some(Fate::Silence);
        }
        self.troubles.iter().filter(|trouble| trouble.is_on).find_map(|trouble| {
            let is_meant =
                trouble.is_for(to) || trouble.servents.is_empty() && matches!(self.nodes[to].mind, Mind::Client(_));
            match trouble.kind {
                FaultKind::LinkDown if trouble.is_between(from, to) => Some(Fate::Refused { refused: false }),
                FaultKind::DialRefused if is_meant => Some(Fate::Refused { refused: true }),
                FaultKind::DialSilent if is_meant => Some(Fate::Silence),
                _ => None,
            }
        })
    }

    /// How long a servent in trouble waits for what it looks up, and whether in vain.
    pub(super) fn look_up_by_trouble(&mut self, servent: usize) -> Option<(Nanos, bool)> {
        let mut troubles = self.troubles.iter_mut().filter(|trouble| trouble.is_on);
        let trouble = troubles.find(|trouble| trouble.kind == FaultKind::LookUp && trouble.is_for(servent))?;
        Some((trouble.random.within(0, LOOK_UP_WAIT_MAX), trouble.random.chance(50)))
    }

    // ---- servents ----

    fn slow_down(&mut self, fault: usize, servent: usize) {
        let random = &mut self.troubles[fault].random;
        let bytes = 1 + random.index(usize::try_from(SLOW_BYTES_MAX).unwrap_or(1));
        let pause = random.within(SLOW_PAUSE.0, SLOW_PAUSE.1);
        let faults = self.nodes[servent].slow.map_or(0, |slow| slow.faults) + 1;
        self.nodes[servent].slow = Some(Slow { bytes, pause, faults });
    }

    fn speed_up(&mut self, servent: usize) {
        let slow = self.nodes[servent].slow.map(|slow| Slow { faults: slow.faults - 1, ..slow });
        self.nodes[servent].slow = slow.filter(|slow| slow.faults > 0);
    }

    fn pause(&mut self, fault: usize, servent: usize) {
        if !matches!(self.nodes[servent].mind, Mind::Gone) {
            self.troubles[fault].struck = Some(self.nodes[servent].life);
            self.nodes[servent].pauses += 1;
        }
    }

    fn resume(&mut self, servent: usize) {
        let node = &mut self.nodes[servent];
        node.pauses = node.pauses.saturating_sub(1);
        if node.pauses > 0 {
            return;
        }
        for what in std::mem::take(&mut node.postponed) {
            self.schedule(self.now, what);
        }
        for connection in self.nodes[servent].connections.clone() {
            for from in 0..2 {
                if self.connections[connection].ends[1 - from].node == servent {
                    self.kick(connection, from);
                }
            }
        }
        self.nodes[servent].scheduled = Nanos::MAX;
        self.look_at_deadline(servent);
        self.nodes[servent].links_scheduled = Nanos::MAX;
        self.look_at_links(servent);
    }

    /// A servent is gone. Either its machine vanishes with it, without a word, and the others have to notice; or its
    /// system closes what it had open, in order or not.
    fn crash(&mut self, fault: usize, servent: usize) {
        if matches!(self.nodes[servent].mind, Mind::Gone) {
            return;
        }
        let random = &mut self.troubles[fault].random;
        let (vanishes, resets) = (random.chance(40), random.chance(50));
        let node = &mut self.nodes[servent];
        self.troubles[fault].struck = Some(node.life);
        node.mind = Mind::Gone;
        node.vanished = vanishes;
        node.life += 1;
        node.pauses = 0;
        // What was to be told to the mind goes with it. What the system knows is lost or closed below.
        node.postponed.clear();
        self.exchanges[servent] = self.exchange_of(servent);
        let node = &self.nodes[servent];
        let mut connections = node.connections.clone();
        connections.sort_unstable();
        for connection in connections {
            let ends = &self.connections[connection].ends;
            let end = usize::from(ends[0].node != servent);
            if vanishes {
                self.vanish(connection, end);
            } else if resets && ends[end].stage != EndStage::Gone {
                self.reset(connection);
                self.leave(connection, end);
            } else {
                self.let_go(connection, end);
            }
        }
    }
}
