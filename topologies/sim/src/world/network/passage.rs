//! What is on its way: it is written, sets out, arrives in order when its reader can read, and makes room for more.

use super::SimNetwork;
use super::blocking::UNACKNOWLEDGED_MAX;
use crate::world::clock::Nanos;
use crate::world::ends::{EndAt, EndStage};
use crate::world::events::WorldEvent;
use crate::world::pipes::Load;

/// So many pieces of so many bytes are kept at most.
const SPARE_MAX: usize = 256;
const SPARE_BYTES_MAX: usize = 16 * 1024;

/// Room of what has arrived, kept for what is sent next.
#[derive(Default)]
pub(super) struct Spare(Vec<Vec<u8>>);

impl Spare {
    fn take(&mut self) -> Vec<u8> {
        self.0.pop().unwrap_or_default()
    }

    pub(super) fn keep(&mut self, load: Load) {
        if let Load::Bytes { mut bytes, .. } = load
            && self.0.len() < SPARE_MAX
            && bytes.capacity() <= SPARE_BYTES_MAX
        {
            bytes.clear();
            self.0.push(bytes);
        }
    }
}

/// Something that has come to its end, and is taken out of its pipe.
pub(crate) struct Arrived {
    pub(crate) to: EndAt,
    pub(crate) node: usize,
    pub(crate) stage: EndStage,
    pub(crate) load: Load,
}

impl<E> SimNetwork<E> {
    /// Takes as many of these bytes as there is room for, and says how many; sometimes not even that.
    pub(crate) fn write(&mut self, from: EndAt, bytes: &[u8]) -> usize {
        self.check_unsent(from, bytes.len());
        let room = self.room(from);
        let count = self.ways.cut(bytes.len(), room);
        let node = self.end(from).node;
        self.machines[node].written_bytes += count as u64;
        self.end_mut(from).written_bytes += count as u64;
        self.inject(from, bytes.get(..count).unwrap_or_default());
        count
    }

    /// Puts bytes that no exchange made on their way, as far as there is room.
    pub(crate) fn inject(&mut self, from: EndAt, bytes: &[u8]) {
        let bytes = bytes.get(..bytes.len().min(self.room(from))).unwrap_or_default();
        if !bytes.is_empty() {
            let mut written = self.spare.take();
            written.extend_from_slice(bytes);
            self.push(from, Load::Bytes { bytes: written, taken: 0 });
        }
    }

    fn room(&self, from: EndAt) -> usize {
        self.connections[from.connection].pipe(from.party).room(self.ways.window_bytes)
    }

    /// Whether the system of an end says that there is room for more.
    pub(crate) fn is_writable(&self, from: EndAt) -> bool {
        let most = self.ways.window_bytes;
        !self.ways.tells_of_much_room || self.room(from) >= most / 3
    }

    pub(super) fn push(&mut self, from: EndAt, load: Load) {
        if self.connections[from.connection].is_cut {
            return;
        }
        let window_bytes = self.ways.window_bytes;
        let pipe = self.pipe_mut(from);
        pipe.held_bytes += load.bytes_count();
        let held_bytes = pipe.held_bytes;
        if held_bytes > window_bytes {
            self.broken.push(format!("{held_bytes} bytes in a pipe of {window_bytes}"));
        }
        self.written.push((from, load));
    }

    /// What was sent sets out.
    pub(crate) fn send_written(&mut self) {
        let mut written = std::mem::take(&mut self.written);
        written.sort_by_key(|(from, _)| *from);
        for (from, load) in written.drain(..) {
            self.set_out(from, load);
        }
        self.written = written;
    }

    fn set_out(&mut self, from: EndAt, load: Load) {
        let found = &self.connections[from.connection];
        // It may have ended since.
        if found.is_cut || found.both(|end| end.stage == EndStage::Gone) {
            return;
        }
        let now = self.clock.now();
        let at = now + self.delay_to(from.other());
        let ticket = self.clock.ticket();
        let pipe = self.pipe_mut(from);
        let waits_in_vain = pipe.blocks.is_held() && pipe.chunks.is_empty();
        pipe.push(now, at, ticket, load);
        let epoch = pipe.epoch;
        if waits_in_vain {
            self.clock.schedule(now + UNACKNOWLEDGED_MAX, WorldEvent::Unacknowledged { from, epoch });
        }
        self.kick(from);
    }

    /// Says that nothing more will come.
    pub(crate) fn push_end(&mut self, from: EndAt, reason: &'static str) {
        if !std::mem::replace(&mut self.end_mut(from).said_end, true) {
            self.push(from, Load::End { reason, is_last: false });
        }
    }

    /// What comes to an end is read from now on, or is not.
    pub(crate) fn set_is_read(&mut self, at: EndAt, is_read: bool) {
        self.end_mut(at).is_read = is_read;
        if is_read {
            self.kick(at.other());
        }
    }

    /// When the first of a pipe may be read; nothing while something else has to happen first.
    fn readable_at(&self, from: EndAt) -> Option<Nanos> {
        let found = &self.connections[from.connection];
        let pipe = found.pipe(from.party);
        let reader = found.end(from.party.other());
        let first = pipe.chunks.front()?;
        let is_paused = reader.stage != EndStage::Gone && self.machines[reader.node].is_paused();
        if pipe.blocks.is_held() || is_paused {
            return None;
        }
        match reader.stage {
            EndStage::Dialling => None,
            EndStage::Open if !reader.is_read => None,
            EndStage::Open => Some(first.at.max(reader.rests_until).max(reader.slow_until)),
            EndStage::Closing | EndStage::Gone => Some(first.at),
        }
    }

    /// Sees to it that the first of a pipe is read when it can be.
    pub(crate) fn kick(&mut self, from: EndAt) {
        if self.connections[from.connection].pipe(from.party).is_scheduled {
            return;
        }
        let Some(at) = self.readable_at(from) else { return };
        let now = self.clock.now();
        let pipe = self.pipe_mut(from);
        pipe.is_scheduled = true;
        // What nothing held up keeps its place in the order.
        match pipe.chunks.front().filter(|first| first.at == at && at > now).map(|first| first.ticket) {
            Some(ticket) => self.clock.schedule_with(ticket, at, WorldEvent::Arrival { from }),
            None => self.clock.schedule(at, WorldEvent::Arrival { from }),
        }
    }

    /// Takes what has come out of a pipe, unless it is too early.
    pub(crate) fn arrive(&mut self, from: EndAt) -> Option<Arrived> {
        self.pipe_mut(from).is_scheduled = false;
        if self.readable_at(from).is_none_or(|at| at > self.clock.now()) {
            self.kick(from);
            return None;
        }
        let to = from.other();
        let reader = self.end(to);
        let (node, stage) = (reader.node, reader.stage);
        let slow = self.machines[node].slow.map(|slow| (slow.bytes, slow.pause));
        let slow = reader.trickle.or(slow).filter(|_| stage == EndStage::Open);
        let pipe = self.pipe_mut(from);
        let load = pipe.take(slow.map_or(usize::MAX, |(bytes, _)| bytes))?;
        let held_bytes = pipe.held_bytes.checked_sub(load.bytes_count());
        pipe.held_bytes = held_bytes.unwrap_or_default();
        self.check(held_bytes.is_some(), "more bytes came out of a pipe than went in");
        if let Some((_, pause)) = slow {
            self.end_mut(to).slow_until = self.clock.now() + pause;
        }
        Some(Arrived { to, node, stage, load })
    }

    /// What has come was received.
    pub(crate) fn recycle(&mut self, load: Load) {
        self.spare.keep(load);
    }

    /// Whether the first of what is on its way from here is the last word between the two.
    pub(crate) fn is_last_word(&self, from: EndAt) -> bool {
        let pipe = self.connections[from.connection].pipe(from.party);
        pipe.chunks.front().is_some_and(|first| matches!(first.load, Load::End { is_last: true, .. }))
    }

    /// Whether what waits at an end is within the limit of its kind.
    fn check_unsent(&mut self, at: EndAt, unsent: usize) {
        let end = self.end(at);
        let (node, most) = (end.node, end.unsent_bytes_max);
        if unsent > most {
            let address = self.address(node);
            self.broken.push(format!("{unsent} bytes wait unsent at {address}, where {most} are the most"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::clock::MILLISECOND;
    use crate::world::ends::Party;
    use crate::world::holds::Holds;
    use crate::world::machines::Slow;
    use crate::world::network::tests::{FROM, TO, arrivals, go_on, linked};

    #[test]
    fn a_pipe_holds_no_more_than_it_may_and_delivers_in_order() {
        let mut network = linked();
        network.inject(FROM, &[1; 40]);
        go_on(&mut network, MILLISECOND);
        network.inject(FROM, &[2; 100]);
        assert_eq!(network.connection(0).pipe(Party::Dialler).held_bytes, 64);
        assert_eq!(arrivals(&mut network), [(10, 24), (11, 0)]);
    }

    #[test]
    fn nothing_is_read_while_an_end_rests() {
        let mut network = linked();
        network.end_mut(TO).stage = EndStage::Open;
        network.end_mut(TO).rests_until = 5_000 * MILLISECOND;
        network.inject(FROM, &[1; 40]);
        assert_eq!(arrivals(&mut network), [(5_000, 0)]);
    }

    #[test]
    fn a_slow_reader_takes_a_few_bytes_at_a_time() {
        let mut network = linked();
        network.end_mut(TO).stage = EndStage::Open;
        network.machines[1].slow = Some(Slow { bytes: 3, pause: 20 * MILLISECOND, faults: Holds::default() });
        network.inject(FROM, &[1; 10]);
        assert_eq!(arrivals(&mut network), [(10, 7), (30, 4), (50, 1), (70, 0)]);
    }
}
