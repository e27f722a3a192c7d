//! How much servents tell each other of who is there, and how often: seen from what goes over their links.
//!
//! - No message tells of more than [`PEERS_MAX`] members.
//! - News goes over a link once in [`NEWS_PAUSE`]. What is told in answer to something told there is a correction, and is no
//!   news.
//! - A page is told to whoever asked for it, once. Of pages and corrections [`PAGES_AT_ONCE_MAX`] go over a link at once, and
//!   one more in each [`NEWS_PAUSE`].
//! - A newcomer asks on over its link as long as pages go forward and there are more to come, [`PAGES_AT_ONCE_MAX`] times at
//!   most. Beside that a servent asks somebody for a page once in [`PAGE_PAUSE`].
//! - News tells of one servent [`TOLD_OF_ONE_MAX`] times at once, and that it is gone [`GONE_OF_ONE_MAX`] times; after that the
//!   more seldom the more often it is told. Whoever may have had to give up members, because it was told of so many, may have
//!   forgotten how often it told of them, and is not judged by this any more.
//!
//! How many members one knows is not to be seen on its links: what it holds is watched (`holdings`).

use std::net::SocketAddr;

use common::limits::{
    FLAPPING_CHANGES, FLAPPING_CHANGES_MAX, FLAPPING_PAUSE, FLAPPING_WINDOW, MEMBERS_MAX, NEWS_PAUSE, PAGE_PAUSE,
    PAGES_AT_ONCE_MAX, PEERS_MAX,
};
use common::link::LinkId;
use common::member::{Peers, PeersKind, PeersWanted};
use common::message::Message;

use super::{Nanos, SECOND, nanos};
use crate::cast;

/// So often news tells of one servent at once: that it is there, and all changes before it is told seldom; and that again once
/// those are forgotten.
const TOLD_OF_ONE_MAX: u64 = 2 * FLAPPING_CHANGES_MAX as u64;
/// So often that it has failed or left: while it is not flapping, as often before that was forgotten.
const GONE_OF_ONE_MAX: u64 = 2 * (FLAPPING_CHANGES as u64 - 1);

/// So much later one more is told of it. After each pause as many are told as come to be told seldom from where it flaps.
const TOLD_AGAIN_AFTER: Nanos = FLAPPING_PAUSE.as_secs() * SECOND / (FLAPPING_CHANGES_MAX - FLAPPING_CHANGES) as Nanos;
/// In a window as many as these may be told once more.
const GONE_AGAIN_AFTER: Nanos = FLAPPING_WINDOW.as_secs() * SECOND / GONE_OF_ONE_MAX;

/// How far something is ahead of an even pace.
#[derive(Clone, Copy, Debug, Default)]
struct Pace {
    /// When one more would be on time; nothing came yet where that is 0.
    even: Nanos,
}

impl Pace {
    /// One more comes. Whether it was too soon: more than so many at once, and one in each pause. Then
    /// it does not count, so that what comes after is not too soon as well.
    fn is_too_soon(&mut self, now: Nanos, pause: Nanos, at_once: u64) -> bool {
        let is_too_soon = self.even > now + pause * (at_once - 1);
        if !is_too_soon {
            self.even = self.even.max(now) + pause;
        }
        is_too_soon
    }
}

/// How a servent asks over one link for all that is known at its other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ToTheEnd {
    NotBegun,
    /// It has asked so often, the last time for what is behind this.
    Asking {
        count: usize,
        behind: Option<SocketAddr>,
    },
    Over,
}

/// What went over one link from one of its ends.
#[derive(Clone, Copy, Debug)]
struct LinkTold {
    news: Pace,
    answers: Pace,
    asks: ToTheEnd,
}

const NOTHING_TOLD: LinkTold = LinkTold { news: Pace { even: 0 }, answers: Pace { even: 0 }, asks: ToTheEnd::NotBegun };

/// What one servent tells of another.
#[derive(Clone, Copy, Debug, Default)]
struct ToldOfOne {
    /// When it last told that: to all of its neighbors at once.
    last: Nanos,
    told: Pace,
    gone: Pace,
}

/// What somebody heard over a link, and what it may say there because of that: each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct MayBeSaid {
    link: LinkId,
    /// A page was wanted.
    page: bool,
    /// Members were told.
    correction: bool,
    /// These were a page, and there may be another one behind this.
    asking_on: Option<SocketAddr>,
}

/// What was told of members, and asked for.
pub(super) struct WatchedTellings {
    /// By the number of the end.
    links: Vec<LinkTold>,
    /// By who tells and of whom, among so many.
    of_one: Vec<ToldOfOne>,
    servents: usize,
    /// By servent: how often it asks.
    asks: Vec<Pace>,
    /// By servent: of how many it was told who are no servents of the scene, as often as it was.
    inventions: Vec<usize>,
    /// What a servent has heard that its mind was not told yet.
    heard: Option<(usize, MayBeSaid)>,
    /// The same of what the mind was told last, which makes of it what is said now.
    may_be_said: Option<MayBeSaid>,
}

impl WatchedTellings {
    pub(super) fn new(servents: usize) -> WatchedTellings {
        WatchedTellings {
            links: Vec::new(),
            of_one: vec![ToldOfOne::default(); servents * servents],
            servents,
            asks: vec![Pace::default(); servents],
            inventions: vec![0; servents],
            heard: None,
            may_be_said: None,
        }
    }

    /// Somebody begins to live, and knows nothing of what it has told in another life.
    pub(super) fn on_born(&mut self, servent: usize) {
        if let Some(asks) = self.asks.get_mut(servent) {
            *asks = Pace::default();
        }
        if let Some(inventions) = self.inventions.get_mut(servent) {
            *inventions = 0;
        }
        let told = self.of_one.iter_mut().skip(servent * self.servents).take(self.servents);
        told.for_each(|told| *told = ToldOfOne::default());
    }

    /// A servent hears something; what it makes of it is seen next.
    pub(super) fn on_heard(&mut self, servent: usize, link: LinkId, message: &Message) {
        let asking_on = if let Message::Peers(peers) = message { self.asking_on(link, peers) } else { None };
        if let (Message::Peers(peers), Some(inventions)) = (message, self.inventions.get_mut(servent)) {
            *inventions += peers.members.iter().filter(|member| cast::servent_at(member.address).is_none()).count();
        }
        let page = matches!(message, Message::PeersWanted(_));
        let correction = matches!(message, Message::Peers(_));
        self.heard = Some((servent, MayBeSaid { link, page, correction, asking_on }));
    }

    /// A page ends what a newcomer asks for, unless it asks on now: behind what, where it may.
    fn asking_on(&mut self, link: LinkId, peers: &Peers) -> Option<SocketAddr> {
        if peers.kind == PeersKind::News {
            return None;
        }
        let last = peers.members.last().map(|member| member.address);
        let asks = &mut self.told(link).asks;
        let ToTheEnd::Asking { count, behind } = *asks else { return None };
        let may_go_on = peers.kind == PeersKind::Page && last > behind && count < PAGES_AT_ONCE_MAX;
        if !may_go_on {
            *asks = ToTheEnd::Over;
        }
        last.filter(|_| may_go_on)
    }

    /// A mind was told what was heard, or something else.
    pub(super) fn on_handled(&mut self, servent: usize) {
        let heard = self.heard.take().filter(|(hearer, _)| *hearer == servent);
        self.may_be_said = heard.map(|(_, may_be_said)| may_be_said);
    }

    /// What may still be said over a link because of what was heard there.
    fn may_be_said(&mut self, link: LinkId) -> Option<&mut MayBeSaid> {
        self.may_be_said.as_mut().filter(|heard| heard.link == link)
    }

    fn told(&mut self, link: LinkId) -> &mut LinkTold {
        let place = usize::try_from(link.0).unwrap_or_default();
        if place >= self.links.len() {
            self.links.resize(place + 1, NOTHING_TOLD);
        }
        &mut self.links[place]
    }

    /// A servent tells of members over a link. What of that is too much, or too soon.
    pub(super) fn on_told(&mut self, now: Nanos, servent: usize, link: LinkId, peers: &Peers) -> Vec<String> {
        let mut wrong = Vec::from_iter(too_many(servent, peers));
        let pause = nanos(NEWS_PAUSE);
        let is_news = peers.kind == PeersKind::News;
        let answers = self.may_be_said(link).is_some_and(|may| {
            let answers = if is_news { &mut may.correction } else { &mut may.page };
            std::mem::take(answers)
        });
        if is_news && !answers {
            if self.told(link).news.is_too_soon(now, pause, 1) {
                wrong.push(format!("s{servent} tells news again before {NEWS_PAUSE:?} are over"));
            }
            wrong.extend(peers.members.iter().filter_map(|member| {
                let of = cast::servent_at(member.address)?;
                self.on_told_of(now, (servent, of), !member.word.is_online())
            }));
            return wrong;
        }
        if !answers {
            wrong.push(format!("s{servent} tells a page that nobody has asked for"));
        }
        // It looks whether that was too much before it counts one more.
        let at_once = PAGES_AT_ONCE_MAX as u64 + 1;
        if self.told(link).answers.is_too_soon(now, pause, at_once) {
            wrong.push(format!("s{servent} tells pages and corrections faster than it may"));
        }
        wrong
    }

    fn on_told_of(&mut self, now: Nanos, (servent, of): (usize, usize), is_gone: bool) -> Option<String> {
        // So many all know all, and nobody gives one up.
        let may_forget = self.servents + self.inventions.get(servent)? >= MEMBERS_MAX;
        let told = self.of_one.get_mut(servent * self.servents + of).filter(|_| of < self.servents)?;
        if may_forget || told.last == now {
            return None;
        }
        told.last = now;
        let is_too_soon = told.told.is_too_soon(now, TOLD_AGAIN_AFTER, TOLD_OF_ONE_MAX)
            || is_gone && told.gone.is_too_soon(now, GONE_AGAIN_AFTER, GONE_OF_ONE_MAX);
        is_too_soon.then(|| format!("s{servent} tells too often what is said of s{of}"))
    }

    /// A servent asks for a page over a link. What is wrong about that.
    pub(super) fn on_asked(&mut self, now: Nanos, servent: usize, link: LinkId, wanted: PeersWanted) -> Option<String> {
        let after = wanted.after;
        let asking_on = self.may_be_said(link).and_then(|may| may.asking_on.take());
        let asks = &mut self.told(link).asks;
        match *asks {
            ToTheEnd::NotBegun if after.is_none() => {
                *asks = ToTheEnd::Asking { count: 1, behind: None };
                None
            }
            ToTheEnd::Asking { count, .. } if after.is_some() && after == asking_on => {
                *asks = ToTheEnd::Asking { count: count + 1, behind: after };
                None
            }
            _ => {
                let is_too_soon = self.asks.get_mut(servent)?.is_too_soon(now, nanos(PAGE_PAUSE), 1);
                is_too_soon.then(|| format!("s{servent} asks for a page again before {PAGE_PAUSE:?} are over"))
            }
        }
    }
}

/// What is wrong about how much one message tells.
pub(super) fn too_many(servent: usize, peers: &Peers) -> Option<String> {
    let count = peers.members.len();
    (count > PEERS_MAX).then(|| format!("s{servent} tells of {count} members at once, and {PEERS_MAX} are the most"))
}

#[cfg(test)]
mod tests {
    use std::ops::Range;
    use std::time::Duration;

    use common::member::{Member, Seen, Word};
    use common::message::Identity;

    use super::*;

    const PAUSE: Nanos = SECOND / 10;
    const LINK: LinkId = LinkId(4);

    fn at(place: usize) -> SocketAddr {
        cast::servent_address(place)
    }

    fn peers(kind: PeersKind, word: Word, places: impl IntoIterator<Item = usize>) -> Peers {
        let member = |place| Member {
            address: at(place),
            id: Identity::of_bits(1),
            clock: 1,
            heard: Duration::ZERO,
            word,
            is_open: false,
            is_proved: false,
            seen: Seen::default(),
        };
        Peers { kind, members: places.into_iter().map(member).collect() }
    }

    fn news() -> Peers {
        peers(PeersKind::News, Word::Online, [2])
    }

    /// A witness of three servents, of which the first hears this over a link.
    fn heard(tellings: &mut WatchedTellings, message: &Message) {
        tellings.on_heard(0, LINK, message);
        tellings.on_handled(0);
    }

    #[track_caller]
    fn assert_wrong(wrong: impl IntoIterator<Item = String>, what: &[&str]) {
        let wrong: Vec<String> = wrong.into_iter().collect();
        let matches = wrong.len() == what.len() && wrong.iter().zip(what).all(|(text, what)| text.contains(what));
        assert!(matches, "{wrong:?}, not {what:?}");
    }

    #[test]
    fn news_has_a_pace_on_each_link_and_corrections_have_another() {
        let mut tellings = WatchedTellings::new(3);
        let tell = |tellings: &mut WatchedTellings, now, link, peers: &Peers| tellings.on_told(now, 0, link, peers);
        assert_wrong(tell(&mut tellings, SECOND, LINK, &news()), &[]);
        assert_wrong(tell(&mut tellings, SECOND, LinkId(6), &news()), &[]);
        assert_wrong(tell(&mut tellings, SECOND + PAUSE - 1, LINK, &news()), &["news again"]);
        assert_wrong(tell(&mut tellings, SECOND + PAUSE, LINK, &news()), &[]);
        // A correction is one, answers what was told there, and is the only one that does.
        heard(&mut tellings, &Message::Peers(news()));
        assert_wrong(tell(&mut tellings, SECOND + PAUSE, LINK, &news()), &[]);
        assert_wrong(tell(&mut tellings, SECOND + PAUSE, LINK, &news()), &["news again"]);
        heard(&mut tellings, &Message::Peers(news()));
        assert_wrong(tell(&mut tellings, SECOND + PAUSE, LinkId(6), &news()), &[]);
        assert_wrong(tell(&mut tellings, SECOND + PAUSE, LinkId(6), &news()), &["news again"]);
        // And is none once the mind has dealt with something else.
        tellings.on_handled(0);
        assert_wrong(tell(&mut tellings, SECOND + PAUSE, LINK, &news()), &["news again"]);
        let many = peers(PeersKind::News, Word::Online, 0..=PEERS_MAX);
        assert_wrong(tell(&mut tellings, 2 * SECOND, LINK, &many), &["tells of 65 members at once"]);
    }

    #[test]
    fn a_page_answers_who_asked_and_more_at_once_than_there_may_be_are_too_many() {
        let mut tellings = WatchedTellings::new(3);
        let page = peers(PeersKind::LastPage, Word::Online, [1]);
        assert_wrong(tellings.on_told(SECOND, 0, LINK, &page), &["nobody has asked for"]);
        let wanted = || Message::PeersWanted(PeersWanted { after: None });
        for _ in 0..PAGES_AT_ONCE_MAX {
            heard(&mut tellings, &wanted());
            assert_wrong(tellings.on_told(SECOND, 0, LINK, &page), &[]);
        }
        heard(&mut tellings, &wanted());
        assert_wrong(tellings.on_told(SECOND, 0, LINK, &page), &["faster than it may"]);
        // They have one pace with corrections.
        heard(&mut tellings, &Message::Peers(news()));
        assert_wrong(tellings.on_told(SECOND + PAUSE - 1, 0, LINK, &news()), &["faster than it may"]);
        heard(&mut tellings, &wanted());
        assert_wrong(tellings.on_told(SECOND + PAUSE, 0, LINK, &page), &[]);
        assert_wrong(tellings.on_told(SECOND + PAUSE, 0, LINK, &page), &["nobody has asked for", "faster than it may"]);
    }

    #[test]
    fn a_newcomer_asks_on_and_anybody_else_once_in_a_pause() {
        let mut tellings = WatchedTellings::new(3);
        let ask = |tellings: &mut WatchedTellings, now, after: Option<usize>| {
            tellings.on_asked(now, 0, LINK, PeersWanted { after: after.map(at) })
        };
        let page = |last| Message::Peers(peers(PeersKind::Page, Word::Online, [last]));
        assert_wrong(ask(&mut tellings, SECOND, None), &[]);
        for asked in 1..PAGES_AT_ONCE_MAX {
            heard(&mut tellings, &page(asked));
            assert_wrong(ask(&mut tellings, SECOND, Some(asked)), &[]);
        }
        // It has asked often enough, and what it asks besides comes once in a pause.
        heard(&mut tellings, &page(PAGES_AT_ONCE_MAX));
        assert_wrong(ask(&mut tellings, SECOND, Some(PAGES_AT_ONCE_MAX)), &[]);
        assert_wrong(ask(&mut tellings, SECOND + nanos(PAGE_PAUSE) - 1, None), &["asks for a page again"]);
        assert_wrong(ask(&mut tellings, SECOND + nanos(PAGE_PAUSE), None), &[]);
    }

    #[test]
    fn a_newcomer_does_not_ask_on_behind_a_page_that_goes_back_is_the_last_or_was_not_told() {
        for ends in [
            Message::Peers(peers(PeersKind::Page, Word::Online, [7])),
            Message::Peers(peers(PeersKind::LastPage, Word::Online, [9])),
            Message::Pong,
        ] {
            let mut tellings = WatchedTellings::new(3);
            tellings.on_asked(SECOND, 0, LINK, PeersWanted { after: None });
            heard(&mut tellings, &Message::Peers(peers(PeersKind::Page, Word::Online, [8])));
            tellings.on_asked(SECOND, 0, LINK, PeersWanted { after: Some(at(8)) });
            heard(&mut tellings, &ends);
            // That is the one of a pause, and the next is too much.
            assert_wrong(tellings.on_asked(SECOND, 0, LINK, PeersWanted { after: Some(at(9)) }), &[]);
            assert_wrong(tellings.on_asked(SECOND, 0, LINK, PeersWanted { after: Some(at(9)) }), &["asks for a page"]);
        }
    }

    /// How often one servent may tell of another, ten times a second in these seconds.
    fn told_of_one(tellings: &mut WatchedTellings, word: Word, seconds: Range<u64>) -> usize {
        let moments = (seconds.start * 10..=seconds.end * 10).map(|moment| moment * PAUSE);
        moments.filter(|now| tellings.on_told(*now, 0, LINK, &peers(PeersKind::News, word, [2])).is_empty()).count()
    }

    #[test]
    fn of_one_servent_is_told_so_often_and_that_it_is_gone_more_seldom() {
        for (word, at_once, in_a_window) in [(Word::Suspect, 32, 24), (Word::Left, 6, 6)] {
            let most = |windows: usize| at_once + in_a_window * windows;
            assert_eq!(told_of_one(&mut WatchedTellings::new(3), word, 1..61), most(1), "{word}");
            assert_eq!(told_of_one(&mut WatchedTellings::new(3), word, 1..121), most(2), "{word}");
        }
        // To all neighbors at once is once, and in another life it begins anew.
        let mut tellings = WatchedTellings::new(3);
        assert_eq!(told_of_one(&mut tellings, Word::Left, 1..2), 6);
        tellings.on_born(0);
        for link in 10..40 {
            let told = peers(PeersKind::News, Word::Left, [2]);
            assert_wrong(tellings.on_told(3 * SECOND, 0, LinkId(link), &told), &[]);
        }
        // Whoever was told of more than all can know may have forgotten that.
        let invented = peers(PeersKind::News, Word::Online, [1]).members.into_iter();
        let invented = invented.map(|member| Member { address: SocketAddr::from(([13, 0, 0, 1], 1)), ..member });
        let invented = Message::Peers(Peers { kind: PeersKind::News, members: invented.collect() });
        (0..MEMBERS_MAX - 4).for_each(|_| heard(&mut tellings, &invented));
        let often = told_of_one(&mut tellings, Word::Left, 4..14);
        heard(&mut tellings, &invented);
        assert!(often < 10 && told_of_one(&mut tellings, Word::Left, 15..25) == 101, "{often}");
    }
}
