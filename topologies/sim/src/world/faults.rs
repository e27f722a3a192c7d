//! Performs the faults: what each does when it begins, while it lasts, and when it is over.
//!
//! Which there are and when is drawn in the simulator's `faults`, which are on is known to `troubles`; what follows from them is left to the minds. What a
//! hostile servent says is in `hostile`.

use super::super::plan::FaultKind;
use super::clock::{MILLISECOND, Nanos};
use super::ends::{EndAt, EndStage, Party};
use super::events::{SceneEvent, What};
use super::machines::Slow;
use super::network::SimNetwork;
use super::scenery::{self, SceneFace};
use super::shell::{Departure, Shell};

/// How many bytes a slow reader reads at a time, and how long it then waits.
const SLOW_BYTES_MAX: u64 = 64;
const SLOW_PAUSE: (Nanos, Nanos) = (10 * MILLISECOND, 50 * MILLISECOND);

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
        (FaultKind::Pause, Some(servent), _) if shell.network.machines[servent].is_there => {
            shell.face.troubles.0[fault].struck = Some(shell.network.machines[servent].life);
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
        (FaultKind::Pause, Some(servent), _) if struck == Some(shell.network.machines[servent].life) => {
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

fn clog(network: &mut SimNetwork, from: usize, to: usize, begins: bool) {
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
        let [a, b] = Party::BOTH.map(|party| network.machines[found.end(party).node].place);
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
    let host = &mut shell.network.machines[servent];
    let faults = host.slow.map_or(0, |slow| slow.faults) + 1;
    host.slow = Some(Slow { bytes, pause, faults });
}

fn speed_up(network: &mut SimNetwork, servent: usize) {
    let host = &mut network.machines[servent];
    let slow = host.slow.map(|slow| Slow { faults: slow.faults.saturating_sub(1), ..slow });
    host.slow = slow.filter(|slow| slow.faults > 0);
}

/// A servent is gone. Either its machine vanishes with it, without a word, and the others have to notice; or its
/// system closes what it had open, in order or not.
fn crash(shell: &mut Shell<SceneFace<'_>>, fault: usize, servent: usize) {
    let host = &shell.network.machines[servent];
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
