//! The neighbors a servent was told to keep: when each is dialled, and dialled again after it was lost.
//!
//! It does not know what is said on a link, nor the neighbors that dialled this servent (`neighbors`).

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use crate::address::Neighbor;
use crate::dialect::Dialect;
use crate::disk::Job;
use crate::limits::{LOOK_UP_WAIT_MAX, REDIAL_PAUSE_MAX, REDIAL_PAUSE_MIN};
use crate::link::LinkId;
use crate::overlay::doors::{Dial, Outbox};
use crate::time::Time;

/// A neighbor to be kept. Kept small: one process may simulate a million servents.
#[derive(Debug)]
pub(super) struct Target {
    /// The link, or the moment in nanoseconds, of those stages that have one.
    link_or_due: u64,
    /// What there is to know beyond one IPv4 address whose name it is itself, and the native dialect.
    other: Option<Box<NamedNeighbor>>,
    plain: SocketAddrV4,
    stage: TargetStage,
    /// Rounds of dials that failed and links that fell at once, as far as no beat of a link that stands has taken them back.
    failures: u8,
}

#[derive(Debug)]
struct NamedNeighbor {
    neighbor: Neighbor,
    /// Where it was dialled last: what its name stands for may be another list by the time it is greeted.
    dialled_at: Option<SocketAddr>,
    /// Whether what it was told by stands for nothing by itself: then that is looked up before every dial.
    is_looked_up: bool,
    /// Whether that is under way. It may take long, and is not asked twice at once.
    is_asked: bool,
    /// Whether it was found to stand for nothing when that was last asked.
    is_lost: bool,
    /// Which of its addresses is dialled next, as far as they go: each has its turn in a round.
    turn: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TargetState {
    /// To be dialled at this moment.
    Lost(Time),
    /// To be dialled once it is known where it is, or else at this moment where it was.
    LookingUp(Time),
    Dialling,
    /// Connected, not yet greeted.
    Greeting(LinkId),
    /// Linked, by our dial or by theirs.
    Linked(LinkId),
    /// It is this servent itself.
    Myself,
}

/// The same without what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TargetStage {
    Lost,
    LookingUp,
    Dialling,
    Greeting,
    Linked,
    Myself,
}

/// As many count: then the pause is the longest. A link that stands takes one of them back with every beat.
const FAILURES_MAX: u8 = 7;
const _: () = assert!(REDIAL_PAUSE_MIN.as_millis() << FAILURES_MAX >= REDIAL_PAUSE_MAX.as_millis());

impl Target {
    pub(super) fn new(neighbor: &Neighbor) -> Target {
        let is_plain = |address: &SocketAddr| neighbor.dialect == Dialect::OWN && neighbor.name == address.to_string();
        let (plain, other) = match neighbor.addresses.as_slice() {
            [SocketAddr::V4(address)] if is_plain(&SocketAddr::V4(*address)) => (*address, None),
            addresses => {
                let (neighbor, is_looked_up) = (neighbor.clone(), addresses.is_empty());
                let other = NamedNeighbor {
                    neighbor,
                    dialled_at: None,
                    is_looked_up,
                    is_asked: false,
                    is_lost: false,
                    turn: 0,
                };
                (SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), Some(Box::new(other)))
            }
        };
        let mut target = Target { link_or_due: 0, other, plain, stage: TargetStage::Lost, failures: 0 };
        target.set_state(TargetState::Lost(Time::START));
        target
    }

    pub(super) fn state(&self) -> TargetState {
        let (link, due) = (LinkId(self.link_or_due), Time::after_start(Duration::from_nanos(self.link_or_due)));
        match self.stage {
            TargetStage::Lost => TargetState::Lost(due),
            TargetStage::LookingUp => TargetState::LookingUp(due),
            TargetStage::Dialling => TargetState::Dialling,
            TargetStage::Greeting => TargetState::Greeting(link),
            TargetStage::Linked => TargetState::Linked(link),
            TargetStage::Myself => TargetState::Myself,
        }
    }

    pub(super) fn set_state(&mut self, state: TargetState) {
        (self.stage, self.link_or_due) = match state {
            TargetState::Lost(due) => (TargetStage::Lost, due.nanoseconds()),
            TargetState::LookingUp(due) => (TargetStage::LookingUp, due.nanoseconds()),
            TargetState::Dialling => (TargetStage::Dialling, 0),
            TargetState::Greeting(link) => (TargetStage::Greeting, link.0),
            TargetState::Linked(link) => (TargetStage::Linked, link.0),
            TargetState::Myself => (TargetStage::Myself, 0),
        };
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let other = self.other.as_deref().map_or(0, |other| {
            let Neighbor { name, addresses, .. } = &other.neighbor;
            size_of_val(other) + name.capacity() + addresses.capacity() * size_of::<SocketAddr>()
        });
        size_of_val(self) + other
    }

    /// How the operator called it.
    pub(super) fn name(&self) -> String {
        self.other.as_ref().map_or_else(|| self.plain.to_string(), |other| other.neighbor.to_string())
    }

    /// Where it was dialled last.
    pub(super) fn dialled_at(&self) -> Option<SocketAddr> {
        self.other.as_deref().map_or(Some(self.plain.into()), |other| other.dialled_at)
    }

    /// Where it is dialled next.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        match &self.other {
            None => Some(self.plain.into()),
            Some(other) => {
                let addresses = &other.neighbor.addresses;
                addresses.get(other.turn % addresses.len().max(1)).copied()
            }
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failures > 0 || self.other.as_deref().is_some_and(|other| other.turn > 0)
    }

    /// Counts a beat of the link that stands, if one does. A link that falls as soon as it stands is one more failure:
    /// else both ends would greet each other in a circle.
    pub(super) fn on_beat(&mut self) {
        if self.stage == TargetStage::Linked {
            self.failures = self.failures.saturating_sub(1);
        }
    }

    /// When it is to be dialled, or to be waited for no longer.
    pub(super) fn due(&self) -> Option<Time> {
        match self.state() {
            TargetState::Lost(due) | TargetState::LookingUp(due) => Some(due).filter(|due| *due != Time::NEVER),
            _ => None,
        }
    }

    /// Its time to be dialled has come. Where it is told by a name, that is looked up first, because it may have moved;
    /// but who answers for names may be long about it, and the neighbor where it was.
    pub(super) fn on_due(&mut self, now: Time, index: usize, out: &mut Outbox<'_>) {
        if let Some(other) = self.other.as_deref_mut()
            && other.is_looked_up
            && !other.is_asked
        {
            out.disk(Job::LookUp { neighbor: index, name: other.neighbor.name.clone() });
            other.is_asked = true;
            self.set_state(TargetState::LookingUp(now + LOOK_UP_WAIT_MAX));
        } else if !self.dial(index, out) {
            // There is nothing to do before that is known.
            self.set_state(TargetState::LookingUp(Time::NEVER));
        }
    }

    /// What it was told by was looked up, or could not be: whether that is still waited for. Nothing if nobody asked.
    pub(super) fn on_looked_up(&mut self) -> Option<bool> {
        let other = self.other.as_deref_mut().filter(|other| other.is_asked)?;
        other.is_asked = false;
        Some(self.stage == TargetStage::LookingUp)
    }

    /// Notes whether its name stands for anything, and says whether that is otherwise than before.
    pub(super) fn set_found(&mut self, is_found: bool) -> bool {
        let other = self.other.as_deref_mut();
        other.is_some_and(|other| std::mem::replace(&mut other.is_lost, !is_found) == is_found)
    }

    /// Takes what its name stands for now, and gives what it stood for before where that is something else. The order is
    /// that of the first time: name servers turn it from one answer to the next, and each address is to have its turn.
    pub(super) fn set_addresses(&mut self, mut addresses: Vec<SocketAddr>) -> Option<Vec<SocketAddr>> {
        let other = self.other.as_deref_mut()?;
        let before = &mut other.neighbor.addresses;
        let are_the_same = before.len() == addresses.len() && addresses.iter().all(|address| before.contains(address));
        if are_the_same {
            return None;
        }
        addresses.shrink_to_fit();
        let before = std::mem::replace(before, addresses);
        (!before.is_empty()).then_some(before)
    }

    /// All that its name stands for, as far as that is known.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        self.other.as_deref().map_or(&[], |other| &other.neighbor.addresses)
    }

    /// Dials where it is known to be. False where that is nowhere yet.
    pub(super) fn dial(&mut self, index: usize, out: &mut Outbox<'_>) -> bool {
        let address = self.address();
        if let Some(address) = address {
            self.set_state(TargetState::Dialling);
            let dialect = self.other.as_deref_mut().map_or(Dialect::OWN, |other| {
                other.dialled_at = Some(address);
                other.neighbor.dialect
            });
            out.dial(Dial::Neighbor(index), address, dialect);
        }
        address.is_some()
    }

    /// Has it dialled again after a pause that grows with every failure that no link to it has taken back.
    pub(super) fn dial_later(&mut self, now: Time, random: u64) {
        self.set_state(TargetState::Lost(now + pause(self.failures, random)));
        // A name with several addresses gets a try at each before the pause grows.
        let is_round_over = self.other.as_deref_mut().is_none_or(|other| {
            other.turn = (other.turn + 1) % other.neighbor.addresses.len().max(1);
            other.turn == 0
        });
        if is_round_over {
            self.failures = self.failures.saturating_add(1).min(FAILURES_MAX);
        }
    }
}

/// A pause that doubles with every round and is cut by up to half at random, so that servents that lost each other
/// together do not come back in step.
fn pause(rounds: u8, random: u64) -> Duration {
    let full = REDIAL_PAUSE_MIN.saturating_mul(1 << rounds).min(REDIAL_PAUSE_MAX);
    let cut = (random % 512) as u32;
    full - full * cut / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_no_larger_than_it_has_to_be() {
        assert_eq!(size_of::<Target>(), 24);
    }

    fn plain_target() -> Target {
        let address = SocketAddr::from(([10, 0, 0, 1], 9000));
        Target::new(&Neighbor { name: address.to_string(), addresses: vec![address], dialect: Dialect::Native })
    }

    #[test]
    fn counting_failures_never_shortens_the_pause() {
        let mut target = plain_target();
        let pauses: Vec<Duration> = (0..300)
            .map(|_| {
                target.dial_later(Time::START, 0);
                target.due().unwrap().since(Time::START)
            })
            .collect();
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert_eq!((pauses[0], pauses[299]), (REDIAL_PAUSE_MIN, REDIAL_PAUSE_MAX));
    }

    #[test]
    fn each_address_of_a_name_has_its_turn_before_the_pause_grows() {
        let addresses = [1, 2, 3].map(|host| SocketAddr::from(([10, 0, 0, host], 9000)));
        let name = "north.example:9000".to_owned();
        let mut target = Target::new(&Neighbor { name, addresses: addresses.to_vec(), dialect: Dialect::Native });
        for round in 0..20 {
            for address in addresses {
                assert_eq!(target.address(), Some(address));
                target.dial_later(Time::START, 0);
                assert!(target.has_failed());
                assert_eq!(target.due(), Some(Time::START + pause(round.min(FAILURES_MAX), 0)));
            }
        }
    }

    #[test]
    fn a_state_comes_out_as_it_went_in() {
        let mut target = plain_target();
        let due = Time::START + Duration::from_secs(7);
        for state in [
            TargetState::Lost(due),
            TargetState::Lost(Time::NEVER),
            TargetState::LookingUp(due),
            TargetState::Dialling,
            TargetState::Greeting(LinkId(u64::MAX)),
            TargetState::Linked(LinkId(3)),
            TargetState::Myself,
        ] {
            target.set_state(state);
            assert_eq!(target.state(), state);
        }
    }

    #[test]
    fn a_target_goes_by_the_name_it_was_given() {
        let address = SocketAddr::from(([10, 0, 0, 1], 9000));
        for name in ["10.0.0.1:9000", "north.example:9000"] {
            let neighbor = Neighbor { name: name.to_owned(), addresses: vec![address], dialect: Dialect::Native };
            assert_eq!(Target::new(&neighbor).name(), neighbor.to_string());
        }
    }

    #[test]
    fn what_a_name_stands_for_is_told_when_it_is_something_else() {
        let neighbor =
            Neighbor { name: "north.example:9000".to_owned(), addresses: Vec::new(), dialect: Dialect::Native };
        let mut target = Target::new(&neighbor);
        let [one, two] = [1, 2].map(|host| SocketAddr::from(([10, 0, 0, host], 9000)));
        assert_eq!(target.set_addresses(vec![one, two]), None, "it stood for nothing before");
        assert_eq!(target.addresses(), [one, two]);
        assert_eq!(target.set_addresses(vec![two, one]), None, "the same");
        assert_eq!(target.set_addresses(vec![two]), Some(vec![one, two]));
        assert_eq!(target.addresses(), [two]);
        let found = [true, false, false, true, true];
        assert_eq!(found.map(|is_found| target.set_found(is_found)), [false, true, false, true, false]);
    }

    #[test]
    fn each_failure_counts_until_a_link_has_stood_a_beat_for_it() {
        let mut target = plain_target();
        for _ in 0..3 * FAILURES_MAX {
            target.dial_later(Time::START, 0);
        }
        for _ in 0..FAILURES_MAX {
            target.on_beat();
        }
        assert!(target.has_failed(), "no link stands");
        target.set_state(TargetState::Linked(LinkId(1)));
        for _ in 0..FAILURES_MAX {
            assert!(target.has_failed());
            target.on_beat();
        }
        assert!(!target.has_failed());
    }

    #[test]
    fn only_what_failed_has_failed() {
        let mut target = plain_target();
        assert!(!target.has_failed());
        target.dial_later(Time::START, 0);
        assert!(target.has_failed());
    }
}
