//! Which faults are on just now, and what follows for whoever dials, looks a name up, or has something on its way.
//!
//! What each does to those it befalls is in `faults`.

use super::clock::{MILLISECOND, Nanos, SECOND};
use super::dials::Fate;
use super::machines::MachineKind;
use super::network::SimNetwork;
use crate::faults::{self, Fault};
use crate::plan::FaultKind;
use crate::random::Random;
use crate::scene::Scene;

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
    pub(super) struck: Option<u32>,
}

/// All faults of a scene, in its order.
pub(super) struct Troubles(pub(super) Vec<Trouble>);

impl Trouble {
    fn new(seed: u64, fault: &Fault, servents_count: usize) -> Trouble {
        let befallen = fault.servents.iter().map(|servent| *servent as usize);
        let servents: Vec<usize> = befallen.filter(|servent| *servent < servents_count).collect();
        let mut side = Vec::new();
        if matches!(fault.kind, FaultKind::Partition | FaultKind::Split) {
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
    pub(super) fn parts(&self, from: usize, to: usize) -> bool {
        let is_inside = |place: usize| self.side.get(place).copied().unwrap_or(false);
        is_inside(from) != is_inside(to) && (!self.one_way || is_inside(from))
    }

    /// The one servent it befalls, or the first of two.
    pub(super) fn first(&self) -> Option<usize> {
        self.servents.first().copied()
    }

    /// Whether it befalls no servent, but the clients of all.
    pub(super) fn befalls_clients(&self) -> bool {
        self.servents.is_empty()
    }

    pub(super) fn pair(&self) -> Option<[usize; 2]> {
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
    pub(super) fn blocks<E>(&self, network: &SimNetwork<E>, from: usize, to: usize) -> u32 {
        let [there, back] = [from, to].map(|node| network.machines[node].place);
        let blocks = |trouble: &&Trouble| match trouble.kind {
            FaultKind::Partition | FaultKind::Split => trouble.parts(there, back),
            FaultKind::Clog => *trouble.servents == [from, to],
            _ => false,
        };
        u32::try_from(self.on().filter(blocks).count()).unwrap_or(u32::MAX)
    }

    /// What faults make of a dial, where they make anything of it.
    pub(super) fn fate_of<E>(&self, network: &SimNetwork<E>, from: usize, to: usize) -> Option<Fate> {
        if self.blocks(network, from, to) + self.blocks(network, to, from) > 0 {
            return Some(Fate::Silence);
        }
        self.on().find_map(|trouble| {
            let befalls_clients = trouble.befalls_clients() && network.machines[to].kind == MachineKind::Client;
            let is_meant = trouble.is_for(to) || befalls_clients;
            match trouble.kind {
                FaultKind::LinkDown if trouble.is_between(from, to) => Some(Fate::Unreachable),
                FaultKind::DialRefused if is_meant => Some(Fate::Refused),
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scene::tests::chain;
    use crate::world::ways::Ways;

    #[test]
    fn a_dial_comes_to_what_is_made_of_it_by_the_fault_that_is_on() {
        let mut network = SimNetwork::<()>::new(Ways::told(0), true);
        for servent in 0..3 {
            network.add(MachineKind::Servent, servent, servent);
        }
        let client = network.add(MachineKind::Client, 0, 0);
        for (kind, befallen, from, to, fate) in [
            (FaultKind::LinkDown, &[0, 1][..], 1, 0, Some(Fate::Unreachable)),
            (FaultKind::LinkDown, &[0, 1], 0, 2, None),
            // Who hears nothing, or is not heard, does not come to be linked.
            (FaultKind::Clog, &[0, 1], 1, 0, Some(Fate::Silence)),
            (FaultKind::Partition, &[0], 0, 1, Some(Fate::Silence)),
            (FaultKind::Partition, &[0], 1, 2, None),
            // A client is on the side of its contact.
            (FaultKind::Partition, &[0], 1, client, Some(Fate::Silence)),
            (FaultKind::Partition, &[0], 0, client, None),
            (FaultKind::DialRefused, &[2], 0, 2, Some(Fate::Refused)),
            (FaultKind::DialRefused, &[2], 2, 0, None),
            (FaultKind::DialSilent, &[], 2, client, Some(Fate::Silence)),
            (FaultKind::DialSilent, &[], 2, 0, None),
        ] {
            let (at, lasts, servents) = (Duration::ZERO, Duration::ZERO, befallen.to_vec());
            let fault = Fault { number: 0, kind, at, lasts, servents, one_way: false };
            let mut troubles = Troubles::new(&Scene { faults: vec![fault], ..chain() });
            assert_eq!(troubles.fate_of(&network, from, to), None, "it has not begun");
            troubles.0[0].is_on = true;
            assert_eq!(troubles.fate_of(&network, from, to), fate, "{kind:?} {from} {to}");
        }
    }
}
