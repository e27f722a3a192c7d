//! Performs the faults: what each does when it begins, while it lasts, and when it is over.
//!
//! Which there are and when is drawn in the simulator's `faults`, which are on is known to `troubles`; what follows from
//! them is left to the minds. What a hostile servent says is in `hostile`.

use super::clock::{MILLISECOND, Nanos, nanos};
use super::ends::{EndAt, EndStage, Party};
use super::greetings;
use super::holds::Holds;
use super::machines::Slow;
use super::scenery::{self, SceneEvent, SceneFace, SceneNetwork};
use super::shell::{Departure, Shell};
use super::trace::Noted;
use super::troubles::Trouble;
use super::witness::Befallen;
use crate::faults;
use crate::graph::number;
use crate::plan::FaultKind;
use crate::scene::Scene;

/// How many bytes a slow reader reads at a time, and how long it then waits.
const SLOW_BYTES_MAX: u64 = 64;
const SLOW_PAUSE: (Nanos, Nanos) = (10 * MILLISECOND, 50 * MILLISECOND);

/// A fault begins. One that is somebody hostile only shows here whom it befalls.
pub(super) fn begin(shell: &mut Shell<SceneFace<'_>>, fault: usize) {
    let trouble = &mut shell.face.troubles.0[fault];
    trouble.is_on = true;
    let (kind, first, pair) = (trouble.kind, trouble.first(), trouble.pair());
    shell.note(first.unwrap_or_default(), Noted::FaultBegins);
    show_witness(shell, fault, true);
    match (kind, first) {
        (FaultKind::LinkDown, _) => {
            for connection in between(&shell.network, pair) {
                shell.network.reset(connection);
            }
        }
        (FaultKind::Flap, _) => {
            for connection in between(&shell.network, pair) {
                flap_later(shell, connection);
            }
        }
        (FaultKind::Clog, _) => clog(&mut shell.network, pair, true),
        (FaultKind::Partition | FaultKind::Split, _) => part(shell, fault, true),
        (FaultKind::Exodus, _) => kill_all(shell, fault, Departure::Reset),
        (FaultKind::Vanish, _) => kill_all(shell, fault, Departure::Vanished),
        (FaultKind::Stop, _) => stop_all(shell, fault),
        (FaultKind::SlowReader, Some(servent)) => slow_down(shell, fault, servent),
        (FaultKind::Crash, Some(servent)) => crash(shell, fault, servent),
        (FaultKind::Pause, Some(servent)) => pause(shell, fault, servent),
        (FaultKind::Greet, Some(servent)) => greetings::come(shell, fault, servent),
        // Dials and look-ups ask which of these are on, who is hostile comes by itself, and nobody may be there to befall.
        (FaultKind::DialRefused | FaultKind::DialSilent | FaultKind::LookUp, _)
        | (FaultKind::Hostile | FaultKind::Forger | FaultKind::Poison, _)
        | (FaultKind::SlowReader | FaultKind::Crash | FaultKind::Pause | FaultKind::Greet, None) => {}
    }
}

/// A fault is over.
pub(super) fn end(shell: &mut Shell<SceneFace<'_>>, fault: usize) {
    let trouble = &mut shell.face.troubles.0[fault];
    trouble.is_on = false;
    let struck = trouble.struck.take();
    let (kind, first, pair) = (trouble.kind, trouble.first(), trouble.pair());
    shell.note(first.unwrap_or_default(), Noted::FaultEnds);
    if !matches!(kind, FaultKind::Exodus | FaultKind::Vanish | FaultKind::Stop) {
        show_witness(shell, fault, false);
    }
    match (kind, first) {
        (FaultKind::Clog, _) => clog(&mut shell.network, pair, false),
        (FaultKind::Partition | FaultKind::Split, _) => part(shell, fault, false),
        (FaultKind::SlowReader, Some(servent)) => speed_up(&mut shell.network, servent),
        (FaultKind::Crash, Some(servent)) if struck.is_some() => scenery::start_servent(shell, servent),
        // It may have crashed meanwhile, and be somebody else.
        (FaultKind::Pause, Some(servent)) if struck == Some(shell.network.machines[servent].life) => {
            shell.resume(servent);
        }
        // The minds put these right, nothing of them is left once they are off, or whoever it was goes by itself.
        (FaultKind::LinkDown | FaultKind::Flap | FaultKind::DialRefused | FaultKind::DialSilent, _)
        | (FaultKind::LookUp | FaultKind::Hostile | FaultKind::Forger | FaultKind::Poison, _)
        // Nothing is put right of these, and those who were stopped have gone on, each at its time.
        | (FaultKind::Exodus | FaultKind::Vanish | FaultKind::Stop | FaultKind::Greet, _)
        | (FaultKind::SlowReader | FaultKind::Crash | FaultKind::Pause, _) => {}
    }
}

/// A connection of a flapping link has stood long enough.
pub(super) fn flap(shell: &mut Shell<SceneFace<'_>>, connection: usize) {
    let node = shell.network.end(EndAt::dialler_of(connection)).node;
    shell.note(node, Noted::Flaps);
    shell.network.reset(connection);
}

/// Tells the witness which links and servents are in trouble.
fn show_witness(shell: &mut Shell<SceneFace<'_>>, fault: usize, begins: bool) {
    let now = shell.now();
    let SceneFace { scene, troubles, witness, .. } = &mut shell.face;
    for whom in befallen(scene, &troubles.0[fault]) {
        witness.trouble(now, whom, begins);
    }
}

fn befallen(scene: &Scene, trouble: &Trouble) -> Vec<Befallen> {
    match trouble.kind {
        FaultKind::LinkDown | FaultKind::Flap | FaultKind::Clog => {
            trouble.pair().map(|[a, b]| Befallen::Link(a, b)).into_iter().collect()
        }
        FaultKind::Partition | FaultKind::Split => {
            let links = scene.graph.links().map(|(a, b)| (a as usize, b as usize));
            let parted = links.filter(|(a, b)| trouble.parts(*a, *b) || trouble.parts(*b, *a));
            parted.map(|(a, b)| Befallen::Link(a, b)).collect()
        }
        FaultKind::SlowReader | FaultKind::Crash | FaultKind::Pause | FaultKind::Hostile | FaultKind::Forger => {
            trouble.first().map(Befallen::Servent).into_iter().collect()
        }
        FaultKind::Exodus | FaultKind::Vanish | FaultKind::Stop => {
            trouble.servents.iter().copied().map(Befallen::Servent).collect()
        }
        // A servent that cannot be dialled keeps its links, and dials for itself.
        FaultKind::DialRefused | FaultKind::DialSilent if trouble.befalls_clients() => vec![Befallen::Clients],
        // So does one that learns late where its neighbors are, is told what is not so, or is to greet somebody: that closes no
        // link, and of whom it knows itself it says what it knows.
        FaultKind::DialRefused | FaultKind::DialSilent | FaultKind::LookUp | FaultKind::Poison | FaultKind::Greet => {
            Vec::new()
        }
    }
}

// ---- links ----

/// The connections between two servents, in the order in which they came; none where there are not two.
fn between(network: &SceneNetwork, pair: Option<[usize; 2]>) -> Vec<usize> {
    pair.map_or_else(Vec::new, |[a, b]| network.connections_between(a, b))
}

/// A connection of a flapping link falls after a while, if it stands.
fn flap_later(shell: &mut Shell<SceneFace<'_>>, connection: usize) {
    let found = shell.network.connection(connection);
    let [a, b] = found.nodes();
    if found.stands
        && let Some(pause) = shell.face.troubles.flaps_after(a, b)
    {
        shell.schedule(shell.now() + pause, SceneEvent::Flap { connection });
    }
}

fn clog(network: &mut SceneNetwork, pair: Option<[usize; 2]>, begins: bool) {
    let Some([from, _]) = pair else { return };
    for connection in between(network, pair) {
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
    let machine = &mut shell.network.machines[servent];
    let mut faults = machine.slow.map_or_else(Holds::default, |slow| slow.faults);
    let _ = faults.change(true);
    machine.slow = Some(Slow { bytes, pause, faults });
}

fn speed_up(network: &mut SceneNetwork, servent: usize) {
    let slow = &mut network.machines[servent].slow;
    let is_well = slow.as_mut().is_some_and(|slow| slow.faults.change(false));
    *slow = slow.filter(|slow| slow.faults.is_held());
    network.check(is_well, "somebody is fast again that nothing slowed down");
}

fn pause(shell: &mut Shell<SceneFace<'_>>, fault: usize, servent: usize) {
    if !shell.network.machines[servent].is_running() {
        return;
    }
    shell.face.troubles.0[fault].struck = Some(shell.network.machines[servent].life);
    shell.pause(servent);
}

/// A servent is gone. Either its machine vanishes with it, without a word, and the others have to notice; or its
/// system closes what it had open, in order or not.
fn crash(shell: &mut Shell<SceneFace<'_>>, fault: usize, servent: usize) {
    let machine = &shell.network.machines[servent];
    if !machine.is_running() {
        return;
    }
    let now = shell.now();
    shell.face.witness.on_died(now, servent, false);
    let trouble = &mut shell.face.troubles.0[fault];
    trouble.struck = Some(machine.life);
    let (vanishes, resets) = (trouble.random.chance(40), trouble.random.chance(50));
    let how = match (vanishes, resets) {
        (true, _) => Departure::Vanished,
        (false, true) => Departure::Reset,
        (false, false) => Departure::Closed,
    };
    shell.face.kept.stop(servent, how == Departure::Vanished);
    shell.kill(servent, how);
}

/// Many are gone at once, and never come back.
fn kill_all(shell: &mut Shell<SceneFace<'_>>, fault: usize, how: Departure) {
    let now = shell.now();
    for servent in shell.face.troubles.0[fault].servents.clone() {
        if shell.network.machines[servent].is_running() {
            shell.face.witness.on_died(now, servent, true);
            shell.kill(servent, how);
        }
    }
}

/// Many neither read nor think for a while, each for its own.
fn stop_all(shell: &mut Shell<SceneFace<'_>>, fault: usize) {
    let (now, scene) = (shell.now(), shell.face.scene);
    for servent in shell.face.troubles.0[fault].servents.clone() {
        let machine = &shell.network.machines[servent];
        let life = machine.life;
        if machine.is_running() {
            shell.pause(servent);
            let stop = faults::stop_of(scene.plan.seed, &scene.faults[fault], number(servent));
            shell.schedule(now + nanos(stop), SceneEvent::GoOn { servent, life });
        }
    }
}

/// One that was stopped goes on.
pub(super) fn go_on(shell: &mut Shell<SceneFace<'_>>, servent: usize, life: u32) {
    let now = shell.now();
    shell.note(servent, Noted::FaultEnds);
    shell.face.witness.trouble(now, Befallen::Servent(servent), false);
    // It may have died meanwhile.
    if shell.network.machines[servent].life == life {
        shell.resume(servent);
    }
}
