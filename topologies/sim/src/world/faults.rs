//! Performs the faults: what each does when it begins, while it lasts, and when it is over.
//!
//! Which there are and when is drawn in the simulator's `faults`; what follows from them is left to the minds. What a
//! hostile servent says is in `hostile`.

use super::super::faults::{self, Fault};
use super::super::plan::FaultKind;
use super::super::random::Random;
use super::super::scene::Scene;
use super::clock::{MILLISECOND, Nanos, SECOND};
use super::ends::{EndAt, EndStage, Party};
use super::events::{Fate, SceneEvent, What};
use super::hosts::{HostKind, Slow};
use super::network::Network;
use super::scenery::{self, SceneFace};
use super::shell::{Departure, Shell};

/// How many bytes a slow reader reads at a time, and how long it then waits.
const SLOW_BYTES_MAX: u64 = 64;
const SLOW_PAUSE: (Nanos, Nanos) = (10 * MILLISECOND, 50 * MILLISECOND);

/// How long a flapping link stands, each time.
const FLAP_PAUSE: (Nanos, Nanos) = (5 * MILLISECOND, SECOND);

/// How long looking up a name takes while it is in trouble.
const LOOK_UP_WAIT_MAX: Nanos = 5 * SECOND;

/// A fault and how far it is.
struct Trouble {
    kind: FaultKind,
    servents: Vec<usize>,
    one_way: bool,
    is_on: bool,
    random: Random,
    /// Which servents are on the one side of a partition.
    side: Vec<bool>,
    /// The life of the servent it struck, if it struck one.
    struck: Option<u32>,
}

/// All faults of a scene, in its order.
pub(super) struct Troubles(Vec<Trouble>);

impl Trouble {
    fn new(seed: u64, fault: &Fault, servents_count: usize) -> Trouble {
        let befallen = fault.servents.iter().map(|servent| *servent as usize);
        let servents: Vec<usize> = befallen.filter(|servent| *servent < servents_count).collect();
        let mut side = Vec::new();
        if fault.kind == FaultKind::Partition {
            side = (0..servents_count).map(|servent| servents.contains(&servent)).collect();
        }
        Trouble {
            kind: fault.kind,
            servents,
            one_way: fault.one_way,
            is_on: false,
            random: faults::details(seed, fault),
            side,
            struck: None,
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

    /// The one servent it befalls, or the first of two.
    fn first(&self) -> Option<usize> {
        self.servents.first().copied()
    }

    fn pair(&self) -> Option<[usize; 2]> {
        <[usize; 2]>::try_from(self.servents.as_slice()).ok()
    }
}

impl Troubles {
    pub(super) fn new(scene: &Scene) -> Troubles {
        let trouble = |fault| Trouble::new(scene.plan.seed, fault, scene.graph.servents());
        Troubles(scene.faults.iter().map(trouble).collect())
    }

    fn on(&self) -> impl Iterator<Item = &Trouble> {
        self.0.iter().filter(|trouble| trouble.is_on)
    }

    /// Whether a fault has begun and is not over.
    pub(super) fn is_on(&self, fault: usize) -> bool {
        self.0[fault].is_on
    }

    /// How many faults keep anything from crossing from one node to another.
    pub(super) fn blocks(&self, network: &Network, from: usize, to: usize) -> u32 {
        let [there, back] = [from, to].map(|node| network.hosts[node].place);
        let blocks = |trouble: &&Trouble| match trouble.kind {
            FaultKind::Partition => trouble.parts(there, back),
            FaultKind::Clog => *trouble.servents == [from, to],
            _ => false,
        };
        u32::try_from(self.on().filter(blocks).count()).unwrap_or(u32::MAX)
    }

    /// What faults make of a dial, where they make anything of it.
    pub(super) fn fate_of(&self, network: &Network, from: usize, to: usize) -> Option<Fate> {
        if self.blocks(network, from, to) + self.blocks(network, to, from) > 0 {
            return Some(Fate::Silence);
        }
        self.on().find_map(|trouble| {
            let befalls_clients = trouble.servents.is_empty() && network.hosts[to].kind == HostKind::Client;
            let is_meant = trouble.is_for(to) || befalls_clients;
            match trouble.kind {
                FaultKind::LinkDown if trouble.is_between(from, to) => Some(Fate::Refused { refused: false }),
                FaultKind::DialRefused if is_meant => Some(Fate::Refused { refused: true }),
                FaultKind::DialSilent if is_meant => Some(Fate::Silence),
                _ => None,
            }
        })
    }

    /// How long a servent in trouble waits for what it looks up, and whether in vain.
    pub(super) fn look_up(&mut self, servent: usize) -> Option<(Nanos, bool)> {
        let mut troubles = self.0.iter_mut().filter(|trouble| trouble.is_on);
        let trouble = troubles.find(|trouble| trouble.kind == FaultKind::LookUp && trouble.is_for(servent))?;
        Some((trouble.random.within(0, LOOK_UP_WAIT_MAX), trouble.random.chance(50)))
    }

    /// How long a connection stands, where its link is a flapping one.
    pub(super) fn flaps_after(&mut self, a: usize, b: usize) -> Option<Nanos> {
        let flaps =
            |trouble: &&mut Trouble| trouble.is_on && trouble.kind == FaultKind::Flap && trouble.is_between(a, b);
        let trouble = self.0.iter_mut().find(flaps)?;
        Some(trouble.random.within(FLAP_PAUSE.0, FLAP_PAUSE.1))
    }
}

/// A fault begins. One that is somebody hostile only shows here whom it befalls.
pub(super) fn begin(shell: &mut Shell<SceneFace<'_>>, fault: usize) {
    let trouble = &mut shell.face.troubles.0[fault];
    trouble.is_on = true;
    let (kind, first, pair) = (trouble.kind, trouble.first(), trouble.pair());
    shell.note_event(first.unwrap_or_default(), 10);
    show_witness(shell, fault, true);
    match (kind, first, pair) {
        (FaultKind::LinkDown, _, Some([a, b])) => {
            for connection in shell.network.connections_between(a, b) {
                shell.network.reset(connection);
            }
        }
        (FaultKind::Flap, _, Some([a, b])) => {
            for connection in shell.network.connections_between(a, b) {
                if shell.network.connection(connection).stands
                    && let Some(pause) = shell.face.troubles.flaps_after(a, b)
                {
                    let at = shell.now() + pause;
                    shell.network.clock.schedule(at, What::Scene(SceneEvent::Flap { connection }));
                }
            }
        }
        (FaultKind::Clog, _, Some([a, b])) => clog(&mut shell.network, a, b, true),
        (FaultKind::SlowReader, Some(servent), _) => slow_down(shell, fault, servent),
        (FaultKind::Partition, ..) => part(shell, fault, true),
        (FaultKind::Crash, Some(servent), _) => crash(shell, fault, servent),
        (FaultKind::Pause, Some(servent), _) if shell.network.hosts[servent].is_there => {
            shell.face.troubles.0[fault].struck = Some(shell.network.hosts[servent].life);
            shell.pause(servent);
        }
        // Dials and look-ups ask which of these are on. What befalls nobody does nothing.
        _ => {}
    }
}

/// A fault is over.
pub(super) fn end(shell: &mut Shell<SceneFace<'_>>, fault: usize) {
    let trouble = &mut shell.face.troubles.0[fault];
    trouble.is_on = false;
    let struck = trouble.struck.take();
    let (kind, first, pair) = (trouble.kind, trouble.first(), trouble.pair());
    shell.note_event(first.unwrap_or_default(), 11);
    show_witness(shell, fault, false);
    match (kind, first, pair) {
        (FaultKind::Clog, _, Some([a, b])) => clog(&mut shell.network, a, b, false),
        (FaultKind::SlowReader, Some(servent), _) => speed_up(&mut shell.network, servent),
        (FaultKind::Partition, ..) => part(shell, fault, false),
        (FaultKind::Crash, Some(servent), _) if struck.is_some() => scenery::start_servent(shell, servent),
        (FaultKind::Pause, Some(servent), _) if struck == Some(shell.network.hosts[servent].life) => {
            shell.resume(servent);
        }
        _ => {}
    }
}

/// A connection of a flapping link has stood long enough.
pub(super) fn flap(shell: &mut Shell<SceneFace<'_>>, connection: usize) {
    let node = shell.network.end(EndAt::dialler_of(connection)).node;
    shell.note_event(node, 12);
    shell.network.reset(connection);
}

/// Tells the witness which links and servents are in trouble.
fn show_witness(shell: &mut Shell<SceneFace<'_>>, fault: usize, begins: bool) {
    let now = shell.now();
    let SceneFace { scene, troubles, witness, .. } = &mut shell.face;
    let trouble = &troubles.0[fault];
    match (trouble.kind, trouble.first(), trouble.pair()) {
        (FaultKind::LinkDown | FaultKind::Flap | FaultKind::Clog, _, Some([a, b])) => {
            witness.trouble_link(now, a, b, begins);
        }
        (FaultKind::Partition, ..) => {
            for (a, b) in scene.graph.links() {
                let (a, b) = (a as usize, b as usize);
                if trouble.parts(a, b) || trouble.parts(b, a) {
                    witness.trouble_link(now, a, b, begins);
                }
            }
        }
        (FaultKind::DialRefused | FaultKind::DialSilent, None, _) => witness.trouble_clients(now, begins),
        (
            FaultKind::SlowReader | FaultKind::Crash | FaultKind::Pause | FaultKind::Hostile | FaultKind::Forger,
            Some(servent),
            _,
        ) => witness.trouble_servent(now, servent, begins),
        // A servent that cannot be dialled keeps its links, and dials for itself; one that learns late where its
        // neighbors are keeps its links too.
        _ => {}
    }
}

// ---- links ----

fn clog(network: &mut Network, from: usize, to: usize, begins: bool) {
    for connection in network.connections_between(from, to) {
        for at in network.ends_at(connection, from) {
            network.block(at, begins);
        }
    }
}

fn part(shell: &mut Shell<SceneFace<'_>>, fault: usize, begins: bool) {
    let network = &mut shell.network;
    let trouble = &shell.face.troubles.0[fault];
    for connection in 0..network.connections_count() {
        let found = network.connection(connection);
        if found.both(|end| end.stage == EndStage::Gone) {
            continue;
        }
        let [a, b] = Party::BOTH.map(|party| network.hosts[found.end(party).node].place);
        let parted = [trouble.parts(a, b), trouble.parts(b, a)];
        if parted.contains(&true) {
            network.part(connection, parted, begins);
        }
    }
}

// ---- servents ----

fn slow_down(shell: &mut Shell<SceneFace<'_>>, fault: usize, servent: usize) {
    let random = &mut shell.face.troubles.0[fault].random;
    let bytes = 1 + random.index(usize::try_from(SLOW_BYTES_MAX).unwrap_or(1));
    let pause = random.within(SLOW_PAUSE.0, SLOW_PAUSE.1);
    let host = &mut shell.network.hosts[servent];
    let faults = host.slow.map_or(0, |slow| slow.faults) + 1;
    host.slow = Some(Slow { bytes, pause, faults });
}

fn speed_up(network: &mut Network, servent: usize) {
    let host = &mut network.hosts[servent];
    let slow = host.slow.map(|slow| Slow { faults: slow.faults.saturating_sub(1), ..slow });
    host.slow = slow.filter(|slow| slow.faults > 0);
}

/// A servent is gone. Either its machine vanishes with it, without a word, and the others have to notice; or its
/// system closes what it had open, in order or not.
fn crash(shell: &mut Shell<SceneFace<'_>>, fault: usize, servent: usize) {
    let host = &shell.network.hosts[servent];
    if !host.is_there {
        return;
    }
    let trouble = &mut shell.face.troubles.0[fault];
    trouble.struck = Some(host.life);
    let (vanishes, resets) = (trouble.random.chance(40), trouble.random.chance(50));
    let how = match (vanishes, resets) {
        (true, _) => Departure::Vanished,
        (false, true) => Departure::Reset,
        (false, false) => Departure::Closed,
    };
    shell.kill(servent, how);
}
