//! The links that one passing-on of a query went out on: which of them have echoed, and how many answers each brought back.
//!
//! What becomes of an echo or of an answer is decided in `flood`.

use crate::limits::{BROUGHT_PER_LINK_MAX, BROUGHT_PER_QUERY_MAX};
use crate::link::LinkId;
use crate::on_demand::OnDemand;

/// In the place of a link: what this servent itself adds is to come, and is awaited like an echo. No link has this number, since
/// they count from the first one on.
pub(super) const OWN_PART: LinkId = LinkId(u64::MAX);

/// Those links.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing {
    /// Those whose echo is awaited come first.
    links: Vec<LinkId>,
    awaited_count: usize,
    /// How many answers came over which of them. Most queries have none, or one.
    brought: OnDemand<Vec<(LinkId, usize)>>,
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
    pub(super) fn awaiting(links: Vec<LinkId>) -> Outgoing {
        Outgoing { awaited_count: links.len(), links, brought: OnDemand::default() }
    }

    /// The same copy goes out on a link in the place of one that fell. What came over that will come again.
    pub(super) fn replace(&mut self, fallen: LinkId, link: LinkId) {
        if let Some(brought) = self.brought.get_mut() {
            brought.retain(|(other, _)| *other != fallen);
        }
        let Some(place) = self.links.iter().position(|other| *other == fallen) else { return };
        if let Some(replaced) = self.links.get_mut(place) {
            *replaced = link;
        }
        if place >= self.awaited_count {
            self.links.swap(self.awaited_count, place);
            self.awaited_count += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    pub(super) fn awaits(&self, link: LinkId) -> bool {
        self.awaited().contains(&link)
    }

    /// The echo of this link is awaited no more: it came, or is given up. False where it was not awaited.
    pub(super) fn end(&mut self, link: LinkId) -> bool {
        let Some(place) = self.awaited().iter().position(|awaited| *awaited == link) else { return false };
        self.awaited_count -= 1;
        self.links.swap(place, self.awaited_count);
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
        if !self.links.contains(&link) {
            return Err(Astray::NotAsked);
        }
        let brought = self.brought.make();
        let total: usize = brought.iter().map(|(_, count)| count).sum();
        let by_link = brought.iter_mut().find(|(other, _)| *other == link);
        if total >= BROUGHT_PER_QUERY_MAX || by_link.as_ref().is_some_and(|(_, count)| *count >= BROUGHT_PER_LINK_MAX) {
            return Err(Astray::TooMany);
        }
        match by_link {
            Some((_, count)) => *count += 1,
            None => brought.push((link, 1)),
        }
        Ok(())
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let brought = self
            .brought
            .get()
            .map_or(0, |brought| size_of_val(brought) + brought.capacity() * size_of::<(LinkId, usize)>());
        self.links.capacity() * size_of::<LinkId>() + brought
    }

    fn awaited(&self) -> &[LinkId] {
        self.links.get(..self.awaited_count).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINKS: [LinkId; 3] = [LinkId(1), LinkId(2), LinkId(3)];

    #[test]
    fn each_link_is_awaited_until_it_has_echoed_and_stays_one_of_those_it_went_out_on() {
        let mut out = Outgoing::awaiting(LINKS.to_vec());
        for (left, link) in [(2, LINKS[1]), (1, LINKS[0])] {
            assert!(out.awaits(link) && out.end(link) && !out.end(link) && !out.awaits(link));
            assert_eq!((out.awaited_count(), out.on_brought(link)), (left, Ok(())));
        }
        let most = out.memory_bytes();
        out.replace(LINKS[0], LinkId(4));
        assert!(out.awaits(LinkId(4)) && out.awaits(LINKS[2]) && !out.awaits(LINKS[0]));
        for (link, expected) in [
            (LINKS[0], Err(Astray::NotAsked)),
            (LINKS[1], Ok(())),
            (LinkId(4), Ok(())),
            (LinkId(5), Err(Astray::NotAsked)),
        ] {
            assert_eq!(out.on_brought(link), expected, "{link}");
        }
        assert_eq!((out.awaited_count(), out.memory_bytes()), (2, most));
        // Nobody replaces what is not there.
        out.replace(LinkId(5), LinkId(6));
        assert_eq!((out.awaited_count(), out.on_brought(LinkId(6))), (2, Err(Astray::NotAsked)));
        out.end_all();
        assert_eq!((out.awaited_count(), out.end(LinkId(4)), out.on_brought(LinkId(4))), (0, false, Ok(())));
    }

    #[test]
    fn no_link_brings_more_than_half_of_what_all_may() {
        let mut out = Outgoing::awaiting(LINKS.to_vec());
        let bring = |out: &mut Outgoing, link| (0..).find(|_| out.on_brought(link).is_err()).unwrap_or_default();
        assert_eq!(bring(&mut out, LINKS[0]), BROUGHT_PER_LINK_MAX);
        assert_eq!(bring(&mut out, LINKS[2]), BROUGHT_PER_QUERY_MAX - BROUGHT_PER_LINK_MAX);
        assert_eq!(out.on_brought(LINKS[1]), Err(Astray::TooMany));
        assert_eq!(out.on_brought(LinkId(9)), Err(Astray::NotAsked));
        // What comes again over the link that is there instead counts in the place of what came before.
        assert!(out.end(LINKS[0]));
        out.replace(LINKS[0], LinkId(4));
        assert_eq!(bring(&mut out, LinkId(4)), BROUGHT_PER_LINK_MAX);
        assert_eq!(out.on_brought(LINKS[1]), Err(Astray::TooMany));
    }
}
