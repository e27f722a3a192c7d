//! Who may bring a long message: many can be connected, and each could leave a megabyte half said.
//!
//! A connection whose message has grown long needs a place to go on. There are so many places; whoever finds none is not
//! read until one is free, so that nothing is lost of it. While somebody waits, a place is held for so long and no
//! longer, and the next one goes to whoever's ip has the fewest: nobody has all of them for long.

use std::net::IpAddr;
use std::time::Duration;

use crate::limits::SERVENT_FRAME_BYTES_MAX;
use crate::link::LinkId;
use crate::time::Time;

/// Bytes of an unfinished message from which on it is long.
pub(super) const LONG_BYTES: usize = 4 * 1024;
/// The same at a servent: no query is longer, and nobody waits with one. What is, is what a client of it writes.
pub(super) const SERVENT_LONG_BYTES: usize = 2 * SERVENT_FRAME_BYTES_MAX;
/// Long messages that may be on their way at once.
const LONG_MAX: usize = 16;
/// How long one may take while others wait for its place.
const LONG_WAIT_MAX: Duration = Duration::from_secs(2);

/// Who brings a long message, and who waits to.
#[derive(Debug, Default)]
pub(super) struct LongFrames {
    /// The oldest first.
    places: Vec<Place>,
    /// In the order they came.
    waiting: Vec<(LinkId, IpAddr)>,
}

#[derive(Debug)]
struct Place {
    link: LinkId,
    ip: IpAddr,
    since: Time,
    /// It cannot go on, and not because of its own end.
    is_paused: bool,
}

impl LongFrames {
    /// Takes note of whether the unfinished message that a connection brings is long. False when it has to wait.
    pub(super) fn note(&mut self, now: Time, link: LinkId, ip: IpAddr, is_long: bool) -> bool {
        if !is_long {
            self.forget(link);
            return true;
        }
        if self.places.iter().any(|place| place.link == link) {
            return true;
        }
        if self.waiting.iter().any(|(waiting, _)| *waiting == link) {
            return false;
        }
        if self.places.len() < LONG_MAX && self.waiting.is_empty() {
            self.places.push(Place { link, ip, since: now, is_paused: false });
            return true;
        }
        self.waiting.push((link, ip));
        false
    }

    /// A connection is gone, or has said what it had to say.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.places.retain(|place| place.link != link);
        self.waiting.retain(|(waiting, _)| *waiting != link);
    }

    /// Gives a free place to one who waits for it, and names it.
    pub(super) fn admit(&mut self, now: Time) -> Option<LinkId> {
        if self.places.len() >= LONG_MAX {
            return None;
        }
        let places_count = |ip: &IpAddr| self.places.iter().filter(|place| place.ip == *ip).count();
        let (at, _) = self.waiting.iter().enumerate().min_by_key(|(_, (_, ip))| places_count(ip))?;
        let (link, ip) = self.waiting.remove(at);
        self.places.push(Place { link, ip, since: now, is_paused: false });
        Some(link)
    }

    /// A connection is not read for now: its place is kept for as long as that lasts.
    pub(super) fn pause(&mut self, link: LinkId) {
        self.places.iter_mut().filter(|place| place.link == link).for_each(|place| place.is_paused = true);
    }

    /// It is read again, and has as much time as whoever comes.
    pub(super) fn go_on(&mut self, now: Time, link: LinkId) {
        if let Some(at) = self.places.iter().position(|place| place.link == link && place.is_paused) {
            let place = self.places.remove(at);
            self.places.push(Place { since: now, is_paused: false, ..place });
        }
    }

    fn oldest(&self) -> Option<&Place> {
        self.places.iter().find(|place| !place.is_paused).filter(|_| !self.waiting.is_empty())
    }

    /// When [`LongFrames::overdue`] will next name somebody.
    pub(super) fn deadline(&self) -> Option<Time> {
        Some(self.oldest()?.since + LONG_WAIT_MAX)
    }

    /// One who has held its place for too long while others wait.
    pub(super) fn overdue(&self, now: Time) -> Option<LinkId> {
        self.oldest().filter(|place| place.since + LONG_WAIT_MAX <= now).map(|place| place.link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 8));

    /// All places taken from one ip, links 0 and up.
    fn full() -> LongFrames {
        let mut frames = LongFrames::default();
        for link in 0..LONG_MAX as u64 {
            assert!(frames.note(Time::START, LinkId(link), BUSY, true));
        }
        frames
    }

    #[test]
    fn short_messages_never_wait() {
        let mut frames = full();
        assert!(frames.note(Time::START, LinkId(100), OTHER, false));
        assert_eq!((frames.deadline(), frames.admit(Time::START)), (None, None));
    }

    #[test]
    fn who_waits_does_so_once_and_a_place_is_held_for_so_long_only_while_somebody_waits() {
        let mut frames = full();
        let late = Time::START + Duration::from_secs(2);
        assert_eq!((frames.deadline(), frames.overdue(late)), (None, None));
        for _ in 0..2 {
            assert!(!frames.note(Time::START, LinkId(100), OTHER, true));
        }
        assert_eq!((frames.deadline(), frames.overdue(Time::START)), (Some(late), None));
        assert_eq!(frames.overdue(late), Some(LinkId(0)));
        frames.forget(LinkId(0));
        assert_eq!(frames.admit(late), Some(LinkId(100)));
        frames.forget(LinkId(1));
        assert_eq!((frames.admit(late), frames.overdue(late)), (None, None), "nobody waits");
    }

    #[test]
    fn the_next_place_goes_to_whom_has_the_fewest() {
        let mut frames = full();
        assert!(!frames.note(Time::START, LinkId(100), BUSY, true));
        assert!(!frames.note(Time::START, LinkId(101), BUSY, true));
        assert!(!frames.note(Time::START, LinkId(102), OTHER, true));
        frames.forget(LinkId(0));
        assert_eq!(frames.admit(Time::START), Some(LinkId(102)));
        frames.forget(LinkId(1));
        frames.forget(LinkId(100));
        assert_eq!(frames.admit(Time::START), Some(LinkId(101)));
        assert_eq!(frames.admit(Time::START), None);
    }
}
