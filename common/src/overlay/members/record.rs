//! What is known of one member, and the rules that take nothing else: how long it is remembered, and how often it is told.

use std::net::SocketAddr;
use std::time::Duration;

use crate::limits::{
    FAILED_KEPT, FLAPPING_CHANGES, FLAPPING_CHANGES_MAX, FLAPPING_PAUSE, FLAPPING_WINDOW, MEMBER_KEPT,
    MEMBER_REFRESH_PAUSE, STAMP_STEP_MAX,
};
use crate::member::Word;
use crate::member_file::KnownMember;
use crate::message::Identity;
use crate::time::Time;

/// One member, as the room looks at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MemberRecord {
    pub(super) address: SocketAddr,
    pub(super) id: Identity,
    pub(super) clock: u64,
    /// When anybody last heard it itself, in seconds of this servent's time. It may have been before that began.
    pub(super) heard: i32,
    pub(super) word: Word,
    pub(super) is_open: bool,
    pub(super) is_proved: bool,
    /// Whether this servent may dial it to see who is there: it has met it there, or had a link to it that came from there, or
    /// from this host where it says to be on it. What others tell does not count: it would be a way to have somebody dialled.
    pub(super) may_be_dialled: bool,
    /// Whether the word is this servent's own guess, which it tells nobody: it had no link to anybody who could say otherwise.
    pub(super) is_guess: bool,
    /// How often this servent, whose link to it fell, looks anew for it where others say that it is there after all.
    pub(super) looks: u8,
    /// Who told of it, as long as nobody else did and it was not heard itself.
    pub(super) teller: Option<Teller>,
    pub(super) changes: Changes,
}

/// Who has told of a member: whoever is at the end of a link, by its place; or one who has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Teller(pub(super) u16);

/// All that have gone are one.
pub(super) const GONE: Teller = Teller(u16::MAX - 1);

/// How often what is said of a member changed of late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    /// Since when they are counted, in seconds, of which the lowest bits are kept.
    pub(super) since: u16,
    pub(super) count: u8,
    /// Those among them that are more than a suspicion and what takes it back: that it is gone, that it is there again, or that
    /// another is.
    pub(super) gone_count: u8,
}

/// No more are told apart: both have their place in a byte.
pub(super) const COUNTED_MAX: u8 = 31;
pub(super) const GONE_COUNTED_MAX: u8 = 7;
const _: () = assert!(FLAPPING_CHANGES_MAX <= COUNTED_MAX && FLAPPING_CHANGES <= GONE_COUNTED_MAX);

impl MemberRecord {
    /// One of which nothing is known yet.
    pub(super) fn new(address: SocketAddr, id: Identity) -> MemberRecord {
        MemberRecord {
            address,
            id,
            clock: 0,
            heard: i32::MIN,
            word: Word::Online,
            is_open: false,
            is_proved: false,
            may_be_dialled: false,
            is_guess: false,
            looks: 0,
            teller: None,
            changes: Changes::default(),
        }
    }

    /// One that was known when the servent was there last. Nothing is known of it but where it was: until somebody says
    /// otherwise it is taken for dead, and nobody is told.
    pub(super) fn listed(known: &KnownMember) -> MemberRecord {
        // A clock that no servent could have come to is not shown as if one had.
        let clock = known.clock.min(STAMP_STEP_MAX);
        let unknown = MemberRecord::new(known.address, Identity::UNKNOWN);
        MemberRecord { clock, heard: 0, word: Word::Failed, is_guess: true, ..unknown }
    }

    /// Whether it is known from before only: whatever others say of it holds, and its place is for others.
    pub(super) fn is_listed(&self) -> bool {
        self.is_guess && self.id == Identity::UNKNOWN
    }

    /// What is written down of it.
    pub(super) fn kept(&self) -> KnownMember {
        KnownMember { address: self.address, is_online: self.word.is_online() && !self.is_guess, clock: self.clock }
    }

    /// Whether nobody has heard it for so long that it is no member any more.
    pub(super) fn is_too_old(&self, now: Time, is_linked: bool) -> bool {
        let kept = match self.word {
            Word::Failed => FAILED_KEPT,
            Word::Online | Word::Suspect if is_linked => return false,
            Word::Online | Word::Suspect | Word::Left => MEMBER_KEPT,
        };
        seconds_of(now).saturating_sub(self.heard) > seconds(kept)
    }

    /// Whether it changes so often that it is told seldom.
    pub(super) fn is_flapping(&self, now: Time) -> bool {
        self.changes.count >= FLAPPING_CHANGES && self.changes.age(now) < FLAPPING_WINDOW
    }

    /// Whether what is said of it is told seldom. That it is suspect, and that it is there after all, is so only where it is
    /// told far more often: whoever suspects it takes it for dead if nobody hears of that and contradicts. Nor does that alone
    /// keep anybody from hearing that it is dead.
    fn is_told_seldom(&self, now: Time) -> bool {
        let Changes { count, gone_count, .. } = self.changes;
        let are_many =
            if self.word.is_online() { count >= FLAPPING_CHANGES_MAX } else { gone_count >= FLAPPING_CHANGES };
        self.is_flapping(now) && are_many
    }

    /// When it may be told that it has changed.
    pub(super) fn tellable_at(&self, now: Time) -> Time {
        if self.is_told_seldom(now) { now + FLAPPING_PAUSE.saturating_sub(self.changes.age(now)) } else { now }
    }

    /// What its changes are once it was told. Where it waited for that it waits again if it goes on; else they are counted as
    /// before, since one that changes now and then is not to come to be told seldom in the end.
    pub(super) fn changes_when_told(&self, now: Time) -> Changes {
        let gone_count = self.changes.gone_count.min(FLAPPING_CHANGES);
        let waited = Changes { gone_count, ..Changes::from(now, FLAPPING_CHANGES) };
        if self.is_told_seldom(now) { waited } else { self.changes }
    }
}

impl Changes {
    /// They are counted from now on.
    pub(super) fn from(now: Time, count: u8) -> Changes {
        Changes { since: low_seconds(now), count, gone_count: 0 }
    }

    /// Counts one more, which is of those that are more than a suspicion, or is not.
    pub(super) fn one_more(self, now: Time, is_gone: bool) -> Changes {
        let is_over = self.count == 0 || self.age(now) >= FLAPPING_WINDOW;
        let Changes { since, count, gone_count } = if is_over { Changes::from(now, 0) } else { self };
        let gone_count = gone_count.saturating_add(is_gone.into()).min(GONE_COUNTED_MAX);
        Changes { since, count: count.saturating_add(1).min(COUNTED_MAX), gone_count }
    }

    /// Whether nothing was told of it for so long that it may be told anew that it is there.
    pub(super) fn are_old(self, now: Time) -> bool {
        self.age(now) >= MEMBER_REFRESH_PAUSE
    }

    /// How long they have been counted.
    pub(super) fn age(self, now: Time) -> Duration {
        Duration::from_secs(low_seconds(now).wrapping_sub(self.since).into())
    }
}

/// Whole seconds of this servent's time.
pub(super) fn seconds_of(now: Time) -> i32 {
    seconds(now.since(Time::START))
}

pub(super) fn seconds(time: Duration) -> i32 {
    i32::try_from(time.as_secs()).unwrap_or(i32::MAX)
}

pub(super) fn low_seconds(now: Time) -> u16 {
    let [.., high, low] = seconds_of(now).to_be_bytes();
    u16::from_be_bytes([high, low])
}
