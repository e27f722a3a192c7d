//! How connections end: in order, by a reset, or with their machine and without a word.

use super::{LinkNews, SimNetwork, UNHEARD_MAX};
use crate::world::ends::{EndAt, EndStage, Party};
use crate::world::machines::MachineState;
use crate::world::pipes::Load;

impl<E> SimNetwork<E> {
    /// An end lets go of a connection, or loses it.
    fn leave_stage(&mut self, at: EndAt, stage: EndStage) {
        let found = &mut self.connections[at.connection];
        let had = std::mem::replace(&mut found.end_mut(at.party).stage, stage);
        let had_stood = std::mem::take(&mut found.stands);
        if found.caller.is_neighbor() && matches!(had, EndStage::Open | EndStage::Dialling) {
            let nodes = found.nodes();
            self.news.push(LinkNews::Falls { nodes, had_stood });
        }
        if stage != EndStage::Gone {
            return;
        }
        // What still comes is for the system to refuse, asleep or not.
        self.kick(at.other());
        let found = &self.connections[at.connection];
        if found.both(|end| end.stage == EndStage::Gone) {
            let nodes = found.nodes();
            self.empty(at.connection);
            for node in nodes {
                self.machines[node].connections.retain(|known| *known != at.connection);
            }
        }
    }

    fn empty(&mut self, connection: usize) {
        for party in Party::BOTH {
            let from = EndAt { connection, party };
            self.pipe_mut(from).held_bytes = 0;
            while let Some(chunk) = self.pipe_mut(from).chunks.pop_front() {
                self.spare.keep(chunk.load);
            }
        }
    }

    /// The mind wants the link closed: what is queued is sent, then nothing more.
    pub(crate) fn close(&mut self, at: EndAt) {
        if self.end(at).stage == EndStage::Open {
            self.leave_stage(at, EndStage::Closing);
        }
    }

    /// The program drops the connection: what its system has is still sent, and then the end.
    pub(crate) fn let_go(&mut self, at: EndAt, reason: &'static str) {
        if self.end(at).stage != EndStage::Gone {
            let is_last = self.end(at.other()).said_end;
            if !std::mem::replace(&mut self.end_mut(at).said_end, true) {
                self.push(at, Load::End { reason, is_last });
            }
            self.leave_stage(at, EndStage::Gone);
        }
    }

    /// A connection breaks: what is on its way is lost, and each end learns of it by itself.
    pub(crate) fn reset(&mut self, connection: usize) {
        let found = &mut self.connections[connection];
        if std::mem::replace(&mut found.is_cut, true) {
            return;
        }
        if std::mem::take(&mut found.stands) {
            let nodes = found.nodes();
            self.news.push(LinkNews::Falls { nodes, had_stood: true });
        }
        self.empty(connection);
        for party in Party::BOTH {
            let at = EndAt { connection, party };
            if self.end(at).stage != EndStage::Gone {
                let delay = self.delay_to(at);
                self.break_after(delay, at);
            }
        }
    }

    /// An end learns that its connection broke, and gives how far it was; nothing where it had gone.
    pub(crate) fn on_broken(&mut self, at: EndAt) -> Option<EndStage> {
        let stage = self.end(at).stage;
        self.leave(at);
        (stage != EndStage::Gone).then_some(stage)
    }

    /// An end is gone without a word.
    pub(crate) fn leave(&mut self, at: EndAt) {
        let end = self.end_mut(at);
        if end.stage != EndStage::Gone {
            end.said_end = true;
            self.leave_stage(at, EndStage::Gone);
        }
    }

    /// An end is gone together with its machine: nobody tells the other.
    pub(crate) fn vanish(&mut self, at: EndAt) {
        self.leave(at);
        if self.end(at.other()).stage != EndStage::Gone {
            self.break_after(UNHEARD_MAX, at.other());
        }
    }

    /// What came for an end that is gone is answered with a reset, if there is a machine to do so.
    pub(crate) fn refuse(&mut self, at: EndAt) {
        let found = &self.connections[at.connection];
        let other = at.other();
        let is_heard = !found.pipe(at.party).blocks.is_held()
            && self.machines[found.end(at.party).node].state != MachineState::Vanished;
        if self.resets_late_comers && is_heard && !self.end(other).is_doomed && self.end(other).stage != EndStage::Gone
        {
            self.end_mut(other).is_doomed = true;
            let delay = self.delay_to(other);
            self.break_after(delay, other);
        }
    }

    /// An end has stopped waiting for the other, which learns of it if it can.
    pub(crate) fn tell_other_of_end(&mut self, at: EndAt) {
        let other = at.other();
        let found = &self.connections[at.connection];
        if found.end(other.party).stage == EndStage::Gone {
            return;
        }
        let delay = if found.pipe(at.party).blocks.is_held() { UNHEARD_MAX } else { self.delay_to(other) };
        self.break_after(delay, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::clock::SECOND;
    use crate::world::network::IT_CLOSED;
    use crate::world::network::tests::{FROM, TO, arrivals, go_on, linked};

    #[test]
    fn a_reset_loses_what_is_on_its_way_and_tells_each_end_by_itself() {
        let mut network = linked();
        network.inject(FROM, &[1; 40]);
        network.inject(TO, &[1; 40]);
        network.reset(0);
        assert_eq!(Party::BOTH.map(|party| network.connection(0).pipe(party).held_bytes), [0, 0]);
        assert_eq!(go_on(&mut network, SECOND), [FROM, TO]);
        for at in [FROM, TO] {
            assert!(network.on_broken(at).is_some());
        }
        assert!(network.machines.iter().all(|machine| machine.connections.is_empty()));
    }

    #[test]
    fn who_closes_says_its_last_words_first() {
        let mut network = linked();
        network.inject(FROM, &[1; 64]);
        network.close(FROM);
        network.push_end(FROM, IT_CLOSED);
        // The last is the word of the other, which has nothing more to say either.
        assert_eq!(arrivals(&mut network), [(10, 0), (10, 0), (20, 0)]);
        assert_eq!(network.end(TO).stage, EndStage::Gone);
    }

    #[test]
    fn what_comes_for_one_that_is_gone_is_answered_with_a_reset() {
        for state in [MachineState::Running, MachineState::Idle, MachineState::Vanished] {
            let mut network = linked();
            network.leave(TO);
            network.machines[1].state = state;
            network.refuse(TO);
            assert_eq!(go_on(&mut network, SECOND).contains(&FROM), state != MachineState::Vanished);
        }
    }
}
