//! The links that one passing-on of a query went out on: which of them have echoed, and how many answers each brought back.
//!
//! What becomes of an echo or of an answer is decided in `flood`.

use crate::limits::{BROUGHT_PER_LINK_MAX, BROUGHT_PER_QUERY_MAX};
use crate::link::LinkId;

/// One of those links.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    link: LinkId,
    brought_count: u32,
}

/// Those links.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outgoing {
    /// Those whose echo is awaited come first.
    sent: Vec<Sent>,
    awaited_count: usize,
}

/// Why an answer that came back goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Astray {
    /// The copy did not go out on that link.
    NotAsked,
    /// As many came as may, by that link or in all.
    TooMany,
}

impl Outgoing {
    /// A copy goes out on these links, and each will echo.
    pub(super) fn awaiting(links: &[LinkId]) -> Outgoing {
        let sent = links.iter().map(|link| Sent { link: *link, brought_count: 0 }).collect::<Vec<_>>();
        Outgoing { awaited_count: sent.len(), sent }
    }

    /// The same copy goes out on one more.
    pub(super) fn add(&mut self, link: LinkId) {
        self.sent.push(Sent { link, brought_count: 0 });
        let last = self.sent.len() - 1;
        self.sent.swap(self.awaited_count, last);
        self.awaited_count += 1;
    }

    pub(super) fn awaits(&self, link: LinkId) -> bool {
        self.awaited().any(|awaited| awaited == link)
    }

    /// The echo of this link is awaited no more: it came, or is given up. False where it was not awaited.
    pub(super) fn end(&mut self, link: LinkId) -> bool {
        let Some(place) = self.awaited().position(|awaited| awaited == link) else { return false };
        self.awaited_count -= 1;
        self.sent.swap(place, self.awaited_count);
        true
    }

    /// Nothing is awaited any more.
    pub(super) fn end_all(&mut self) {
        self.awaited_count = 0;
    }

    pub(super) fn awaited_count(&self) -> usize {
        self.awaited_count
    }

    /// Counts an answer that came back over a link.
    pub(super) fn on_brought(&mut self, link: LinkId) -> Result<(), Astray> {
        let total: usize = self.sent.iter().map(|sent| sent.brought_count as usize).sum();
        let sent = self.sent.iter_mut().find(|sent| sent.link == link).ok_or(Astray::NotAsked)?;
        if total >= BROUGHT_PER_QUERY_MAX || sent.brought_count as usize >= BROUGHT_PER_LINK_MAX {
            return Err(Astray::TooMany);
        }
        sent.brought_count += 1;
        Ok(())
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        self.sent.capacity() * size_of::<Sent>()
    }

    fn awaited(&self) -> impl Iterator<Item = LinkId> {
        self.sent.iter().take(self.awaited_count).map(|sent| sent.link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINKS: [LinkId; 3] = [LinkId(1), LinkId(2), LinkId(3)];

    #[test]
    fn each_link_is_awaited_until_it_has_echoed_and_stays_one_of_those_it_went_out_on() {
        let mut out = Outgoing::awaiting(&LINKS);
        for (left, link) in [(2, LINKS[1]), (1, LINKS[0])] {
            assert!(out.awaits(link) && out.end(link) && !out.end(link) && !out.awaits(link));
            assert_eq!((out.awaited_count(), out.on_brought(link)), (left, Ok(())));
        }
        out.add(LinkId(4));
        assert!(out.awaits(LinkId(4)) && out.awaits(LINKS[2]) && !out.awaits(LINKS[0]));
        assert_eq!((out.awaited_count(), out.on_brought(LinkId(5))), (2, Err(Astray::NotAsked)));
        out.end_all();
        assert_eq!((out.awaited_count(), out.end(LinkId(4)), out.on_brought(LinkId(4))), (0, false, Ok(())));
    }

    #[test]
    fn no_link_brings_more_than_half_of_what_all_may() {
        let mut out = Outgoing::awaiting(&LINKS);
        let bring = |out: &mut Outgoing, link| (0..).find(|_| out.on_brought(link).is_err()).unwrap_or_default();
        assert_eq!(bring(&mut out, LINKS[0]), BROUGHT_PER_LINK_MAX);
        assert_eq!(bring(&mut out, LINKS[2]), BROUGHT_PER_QUERY_MAX - BROUGHT_PER_LINK_MAX);
        assert_eq!(out.on_brought(LINKS[1]), Err(Astray::TooMany));
        assert_eq!(out.on_brought(LinkId(9)), Err(Astray::NotAsked));
    }
}
