//! What keeps anything from crossing, and who gives up on the other end for it.

use super::{SimNetwork, UNHEARD_MAX};
use crate::world::clock::{Nanos, SECOND};
use crate::world::ends::{EndAt, Party};
use crate::world::events::WorldEvent;

/// How long the system lets what was sent go without acknowledgement (`TCP_USER_TIMEOUT` of the programs).
pub(super) const UNACKNOWLEDGED_MAX: Nanos = 10 * SECOND;

impl<E> SimNetwork<E> {
    /// Whether an end has waited too long for an acknowledgement.
    pub(crate) fn waits_in_vain(&self, from: EndAt, epoch: u32) -> bool {
        let pipe = self.connections[from.connection].pipe(from.party);
        let waits = pipe.chunks.front().is_some_and(|first| first.sent + UNACKNOWLEDGED_MAX <= self.clock.now());
        pipe.epoch == epoch && pipe.blocks.is_held() && waits
    }

    /// Whether a partition has kept an end from hearing anything for too long.
    pub(crate) fn is_unheard(&self, at: EndAt, epoch: u32) -> bool {
        let found = &self.connections[at.connection];
        found.partitions.is_held() && found.partition_epoch == epoch
    }

    /// Something begins or ends that keeps anything from crossing in one direction.
    pub(crate) fn block(&mut self, from: EndAt, blocks: bool) {
        let pipe = self.pipe_mut(from);
        let is_well = pipe.block(blocks);
        if !blocks {
            self.check(is_well, "what crosses a pipe that nothing blocks is let go");
            self.kick(from);
        } else if !pipe.chunks.is_empty() {
            let epoch = pipe.epoch;
            self.clock.schedule(self.clock.now() + UNACKNOWLEDGED_MAX, WorldEvent::Unacknowledged { from, epoch });
        }
    }

    /// A partition begins or ends that lets nothing pass from these ends of a connection.
    pub(crate) fn part(&mut self, connection: usize, parted: [bool; 2], begins: bool) {
        let found = &mut self.connections[connection];
        found.partition_epoch = found.partition_epoch.wrapping_add(1);
        let is_well = found.partitions.change(begins);
        let (epoch, is_parted) = (found.partition_epoch, found.partitions.is_held());
        self.check(is_well, "a partition ends that did not begin");
        for (party, parted) in Party::BOTH.into_iter().zip(parted) {
            let at = EndAt { connection, party };
            if parted {
                self.block(at, begins);
            }
            if is_parted {
                self.clock.schedule(self.clock.now() + UNHEARD_MAX, WorldEvent::Unheard { at, epoch });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::clock::MILLISECOND;
    use crate::world::ends::EndStage;
    use crate::world::network::tests::{FROM, TO, arrivals, go_on, linked};

    #[test]
    fn what_is_blocked_arrives_late_and_is_not_lost() {
        let mut network = linked();
        network.inject(FROM, &[1; 40]);
        network.block(FROM, true);
        network.inject(FROM, &[2; 10]);
        go_on(&mut network, 3_000 * MILLISECOND);
        assert_eq!(network.connection(0).pipe(Party::Dialler).held_bytes, 50);
        network.block(FROM, false);
        assert_eq!(arrivals(&mut network), [(3_000, 10), (3_000, 0)]);
    }

    #[test]
    fn what_goes_without_acknowledgement_for_too_long_ends_the_connection() {
        let mut network = linked();
        network.block(FROM, true);
        network.inject(FROM, &[1; 40]);
        let epoch = network.connection(0).pipe(Party::Dialler).epoch;
        go_on(&mut network, UNACKNOWLEDGED_MAX - 1);
        assert!(!network.waits_in_vain(FROM, epoch));
        go_on(&mut network, UNACKNOWLEDGED_MAX);
        assert!(!network.waits_in_vain(FROM, epoch.wrapping_sub(1)));
        assert!(network.waits_in_vain(FROM, epoch));
        assert_eq!(network.on_broken(FROM), Some(EndStage::Open));
        network.tell_other_of_end(FROM);
        assert_eq!(go_on(&mut network, 2 * UNACKNOWLEDGED_MAX), [], "it is told, though what it said is held up");
        assert_eq!(go_on(&mut network, 3 * UNACKNOWLEDGED_MAX), [TO], "the other end never learns of it");
    }
}
