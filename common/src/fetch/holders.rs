//! Who has a content: where each holder is, how far things are with it, and what it still owes.
//!
//! Whom to ask next is decided by the mind, which holders may be asked at all here.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use super::assignment::HolderNumber;
use super::doors::{HolderDial, WhyDropped};
use super::hash_list::Gathering;
use crate::address::names_one_end;
use crate::content::Blocks;
use crate::content::transfer::Have;
use crate::limits::{BUSY_PAUSE_MAX, BUSY_PAUSE_MIN, CONTENT_HOLDERS_MAX, HOLDER_FAILURES_MAX, HOLDER_QUIET_MAX};
use crate::link::LinkId;
use crate::time::Time;

/// Somebody who is said to have the content.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) address: SocketAddr,
    /// What it has, as was said last.
    pub(super) have: Have,
    /// Whether it said so itself, and had nothing of what was missing.
    pub(super) is_emptied: bool,
    pub(super) stage: HolderStage,
    /// How often it came to nothing since it gave a block.
    failures: u8,
    /// How often it was busy since it was not.
    refusals: u32,
    /// How often another had to be taken for it.
    pub(super) stumbles: u32,
    /// Whether any block is from it.
    pub(super) has_given: bool,
}

/// How far things are with a holder.
#[derive(Debug)]
pub(super) enum HolderStage {
    /// It may be dialled, from this moment on.
    Waiting(Time),
    /// It is dialled.
    Dialling(Dialling),
    /// There is a link.
    Linked(Box<Talk>),
    /// It is not to be asked, unless it is said anew that it has the content; nor then, if it is for good.
    Dropped { is_for_good: bool },
}

/// A dial under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialling {
    pub(super) dial: HolderDial,
    pub(super) since: Time,
    pub(super) is_silent: bool,
}

/// What is said over a link to a holder.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) link: LinkId,
    /// The number of the fetch there.
    pub(super) fetch: u32,
    /// What it has, once it has said so.
    pub(super) opened: Option<OpenedThere>,
    /// Hashes asked for and not come: each a message.
    pub(super) hashes_asked: VecDeque<(u32, u32)>,
    /// Blocks asked for and not come: each a message.
    pub(super) blocks_asked: VecDeque<u32>,
    /// The bytes of those.
    pub(super) asked_bytes: usize,
    /// Hashes that have come, if a list is wanted of it.
    pub(super) gathering: Option<Gathering>,
    /// When it was heard last, or began to owe something.
    pub(super) heard: Time,
    /// Whether it is found silent: what it owes may be asked of others.
    pub(super) is_silent: bool,
    /// When it last said something whole, or began to owe something.
    pub(super) said: Time,
    /// Whether it is found slow, which is the same but for this: that more bytes come does not end it.
    pub(super) is_slow: bool,
}

/// What a holder has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OpenedThere {
    pub(super) blocks: Blocks,
    pub(super) have: Have,
}

impl Talk {
    pub(super) fn new(now: Time, link: LinkId, fetch: u32) -> Talk {
        Talk {
            link,
            fetch,
            opened: None,
            hashes_asked: VecDeque::new(),
            blocks_asked: VecDeque::new(),
            asked_bytes: 0,
            gathering: None,
            heard: now,
            is_silent: false,
            said: now,
            is_slow: false,
        }
    }

    /// Whether it owes anything.
    pub(super) fn owes(&self) -> bool {
        self.opened.is_none() || !self.hashes_asked.is_empty() || !self.blocks_asked.is_empty()
    }

    /// From now on it owes something more.
    pub(super) fn on_ask(&mut self, now: Time) {
        if !self.owes() {
            (self.heard, self.said) = (now, now);
        }
    }

    /// It said something whole. Whether it may be asked again, which it might not.
    pub(super) fn on_said(&mut self, now: Time) -> bool {
        self.said = now;
        std::mem::take(&mut self.is_slow)
    }

    /// Since when something whole is waited for, if it is.
    fn waited_for_since(&self) -> Option<Time> {
        self.owes().then_some(self.said)
    }
}

impl Holder {
    /// Since when it is waited for, if it is.
    pub(super) fn waited_for_since(&self) -> Option<Time> {
        match &self.stage {
            HolderStage::Dialling(dialling) => Some(dialling.since),
            HolderStage::Linked(talk) => Some(talk.heard).filter(|_| talk.owes()),
            HolderStage::Waiting(_) | HolderStage::Dropped { .. } => None,
        }
    }

    pub(super) fn is_silent(&self) -> bool {
        match &self.stage {
            HolderStage::Dialling(dialling) => dialling.is_silent,
            HolderStage::Linked(talk) => talk.is_silent || talk.is_slow,
            HolderStage::Waiting(_) | HolderStage::Dropped { .. } => false,
        }
    }

    /// It is found silent.
    pub(super) fn set_silent(&mut self) {
        self.stumbles = self.stumbles.saturating_add(1);
        match &mut self.stage {
            HolderStage::Dialling(dialling) => dialling.is_silent = true,
            HolderStage::Linked(talk) => talk.is_silent = true,
            HolderStage::Waiting(_) | HolderStage::Dropped { .. } => {}
        }
    }

    /// When it is found slow, if it says nothing whole until then.
    pub(super) fn slow_at(&self) -> Option<Time> {
        self.talk().and_then(Talk::waited_for_since).map(|since| since + HOLDER_QUIET_MAX)
    }

    /// It is found slow.
    pub(super) fn set_slow(&mut self) {
        self.stumbles = self.stumbles.saturating_add(1);
        if let HolderStage::Linked(talk) = &mut self.stage {
            talk.is_slow = true;
        }
    }

    pub(super) fn talk(&self) -> Option<&Talk> {
        if let HolderStage::Linked(talk) = &self.stage { Some(talk) } else { None }
    }

    pub(super) fn talk_mut(&mut self) -> Option<&mut Talk> {
        if let HolderStage::Linked(talk) = &mut self.stage { Some(talk) } else { None }
    }

    /// It gave a block that was of use.
    pub(super) fn on_given(&mut self) {
        self.failures = 0;
        self.has_given = true;
    }

    /// It is not busy.
    pub(super) fn on_opened(&mut self) {
        self.refusals = 0;
    }

    /// It is asked again after a pause, longer each time.
    pub(super) fn on_busy(&mut self, now: Time) {
        let pause = pause_after(self.refusals);
        self.refusals = self.refusals.saturating_add(1);
        self.stumbles = self.stumbles.saturating_add(1);
        self.stage = HolderStage::Waiting(now + pause);
    }

    /// It has these blocks, and none of them is missing. It is asked again if it is said to have more.
    pub(super) fn on_emptied(&mut self, now: Time, have: Have) {
        self.have = have;
        self.is_emptied = true;
        self.stumbles = self.stumbles.saturating_add(1);
        self.stage = HolderStage::Waiting(now);
    }

    /// It is not asked any more, for now or for good.
    pub(super) fn on_dropped(&mut self, now: Time, why: &WhyDropped) {
        let pause = pause_after(u32::from(self.failures));
        self.failures = self.failures.saturating_add(1);
        self.stumbles = self.stumbles.saturating_add(1);
        let is_for_good = why.is_false() || self.failures >= HOLDER_FAILURES_MAX;
        self.stage = match why {
            WhyDropped::Lost(_) if !is_for_good => HolderStage::Waiting(now + pause),
            _ => HolderStage::Dropped { is_for_good },
        };
    }
}

fn pause_after(times: u32) -> Duration {
    BUSY_PAUSE_MIN.saturating_mul(1 << times.min(8)).min(BUSY_PAUSE_MAX)
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Holders {
    all: Vec<Holder>,
    by_address: BTreeMap<SocketAddr, HolderNumber>,
    /// Those to which there is a link.
    by_link: BTreeMap<LinkId, HolderNumber>,
}

impl Holders {
    /// It is said that somebody has the content.
    pub(super) fn on_told(&mut self, now: Time, address: SocketAddr, have: Have) {
        if let Some(holder) = self.by_address.get(&address).copied().and_then(|number| self.get_mut(number)) {
            holder.is_emptied &= holder.have == have;
            holder.have = have;
            if let HolderStage::Dropped { is_for_good: false } = holder.stage {
                holder.stage = HolderStage::Waiting(now);
            }
            return;
        }
        if !names_one_end(address) {
            return;
        }
        let holder = Holder {
            address,
            have,
            is_emptied: false,
            stage: HolderStage::Waiting(now),
            failures: 0,
            refusals: 0,
            stumbles: 0,
            has_given: false,
        };
        if self.all.len() < CONTENT_HOLDERS_MAX
            && let Ok(number) = u16::try_from(self.all.len())
        {
            self.by_address.insert(address, HolderNumber(number));
            self.all.push(holder);
            return;
        }
        // Whoever is not asked any more and gave nothing leaves its place: what is invented keeps out nobody.
        let is_in_vain = |other: &&mut Holder| !other.has_given && matches!(other.stage, HolderStage::Dropped { .. });
        if let Some(place) = self.all.iter_mut().find(is_in_vain) {
            let before = std::mem::replace(place, holder);
            if let Some(number) = self.by_address.remove(&before.address) {
                self.by_address.insert(address, number);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, number: HolderNumber) -> Option<&Holder> {
        self.all.get(usize::from(number.0))
    }

    pub(super) fn get_mut(&mut self, number: HolderNumber) -> Option<&mut Holder> {
        self.all.get_mut(usize::from(number.0))
    }

    pub(super) fn talk_mut(&mut self, number: HolderNumber) -> Option<&mut Talk> {
        self.get_mut(number)?.talk_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (HolderNumber, &Holder)> {
        (0..).map(HolderNumber).zip(&self.all)
    }

    pub(super) fn at_link(&self, link: LinkId) -> Option<HolderNumber> {
        self.by_link.get(&link).copied()
    }

    pub(super) fn links(&self) -> impl Iterator<Item = (LinkId, HolderNumber)> {
        self.by_link.iter().map(|(link, number)| (*link, *number))
    }

    /// The one that this dial is to.
    pub(super) fn dialled_by(&self, dial: HolderDial) -> Option<HolderNumber> {
        let is_it = |holder: &Holder| matches!(&holder.stage, HolderStage::Dialling(dialling) if dialling.dial == dial);
        self.iter().find(|(_, holder)| is_it(holder)).map(|(number, _)| number)
    }

    /// There is a link to it.
    pub(super) fn on_linked(&mut self, number: HolderNumber, talk: Talk) {
        let link = talk.link;
        if let Some(holder) = self.get_mut(number) {
            holder.stage = HolderStage::Linked(Box::new(talk));
            self.by_link.insert(link, number);
        }
    }

    /// There is none any more; what it owed comes no more.
    pub(super) fn on_unlinked(&mut self, number: HolderNumber) -> Option<Talk> {
        let holder = self.get_mut(number)?;
        let before = std::mem::replace(&mut holder.stage, HolderStage::Dropped { is_for_good: false });
        let HolderStage::Linked(talk) = before else {
            return None;
        };
        self.by_link.remove(&talk.link);
        Some(*talk)
    }
}
