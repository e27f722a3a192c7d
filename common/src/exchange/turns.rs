//! Whose turn it is to be heard: every link that has something, one after the other, for so many messages and no more.
//!
//! A round is one visit to each. Whoever has more to say than a visit takes is left over, and is the first of the next
//! round. What it says waits as the bytes it came in, and no more is read of it meanwhile: so one that sends as fast as
//! it can takes its share and no more, and everybody else waits for no more than that. Nothing is known here of bytes.

use std::collections::VecDeque;

use crate::link::LinkId;

/// Messages a servent's mind is told of one link in one round.
pub const MESSAGES_PER_VISIT: u32 = 64;

/// The links with something to be heard.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Those of this round, the one whose turn it is first. Some may have rested or gone since they were lined up.
    lined_up: VecDeque<LinkId>,
    left_over: Vec<LinkId>,
    round: u64,
    /// This round began with whoever was left over by the one before. Then only time begins the next: or they would be
    /// visited twice in one.
    began_with_left_over: bool,
}

/// Where a link stands in the turns.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TurnPlace {
    is_waiting: bool,
    /// How many messages were told of it in this round.
    told_count: u32,
    round: u64,
}

impl TurnPlace {
    /// Whether it will be visited, in this round or in the next.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_waiting
    }
}

impl Turns {
    /// A link may have something to be heard.
    pub(super) fn line_up(&mut self, link: LinkId, place: &mut TurnPlace) {
        if !std::mem::replace(&mut place.is_waiting, true) {
            self.lined_up.push_back(link);
        }
    }

    /// Whose turn it is.
    pub(super) fn next(&self) -> Option<LinkId> {
        self.lined_up.front().copied()
    }

    /// Counts one more message of the link whose turn it is. False when it has had its share of this round.
    pub(super) fn take_one(&mut self, place: &mut TurnPlace) -> bool {
        if place.round != self.round {
            (place.round, place.told_count) = (self.round, 0);
        }
        let may_take = place.told_count < MESSAGES_PER_VISIT;
        place.told_count += u32::from(may_take);
        may_take
    }

    /// The link whose turn it was has nothing more to be heard, or is not to be heard.
    pub(super) fn end(&mut self, place: &mut TurnPlace) {
        place.is_waiting = false;
        self.leave();
    }

    /// The link whose turn it was is gone.
    pub(super) fn leave(&mut self) {
        self.lined_up.pop_front();
    }

    /// The link whose turn it was goes on in the next round.
    pub(super) fn put_off(&mut self) {
        self.left_over.extend(self.lined_up.pop_front());
    }

    /// Whether a link had more to say in this round than a visit takes.
    pub(super) fn is_left_over(&self, place: &TurnPlace) -> bool {
        place.is_waiting && place.round == self.round && place.told_count >= MESSAGES_PER_VISIT
    }

    /// Whether somebody waits for the next round.
    pub(super) fn has_left_over(&self) -> bool {
        !self.left_over.is_empty()
    }

    /// Time goes on, and so do those who were left over.
    pub(super) fn begin_round(&mut self) {
        self.round += 1;
        self.began_with_left_over = self.has_left_over();
        self.lined_up.extend(self.left_over.drain(..));
    }

    /// All was told that is told in this round. Where nobody was left over the next begins at once.
    pub(super) fn on_all_told(&mut self) {
        if !self.began_with_left_over && !self.has_left_over() {
            self.round += 1;
        }
    }
}
