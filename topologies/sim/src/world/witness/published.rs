//! What servents give that offer only what is published, and what clients that write have their contacts list.
//!
//! - Nothing is opened there, and nothing read to be given, but what is published, and is on the disk as that. Whoever fetches
//!   what is published no more is told so before anybody is told that it is not.
//! - A listing that is complete has all that is offered, where nothing changed meanwhile. In the end each client that writes
//!   is told of all.
//!
//! What is told of files is judged in `shared`, and what is published goes by `writes`.

use std::collections::BTreeMap;

use common::content::ContentHash;
use common::link::LinkId;

use super::Nanos;
use super::shared::WatchedShared;

/// A fetch of somebody there, by its link and number.
type GivenKey = (LinkId, u32);

#[derive(Debug)]
struct GivenFetch {
    servent: usize,
    hash: ContentHash,
    is_opened: bool,
    /// It is to be told that it is over.
    is_over: bool,
}

/// A listing of what a contact offers.
#[derive(Debug)]
struct ContactListing {
    contact: usize,
    since: Nanos,
    names: Vec<Vec<u8>>,
    is_last: bool,
    is_whole: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct WatchedPublished {
    given: BTreeMap<GivenKey, GivenFetch>,
    /// The last of each client, by its node.
    listings: BTreeMap<usize, ContactListing>,
    withdrawn_count: u64,
}

impl WatchedPublished {
    // ---- what is given ----

    /// A servent hears that somebody fetches this.
    pub(super) fn on_open(&mut self, shared: &WatchedShared<'_>, servent: usize, key: GivenKey, hash: ContentHash) {
        if shared.is_published_only(servent) {
            self.given.insert(key, GivenFetch { servent, hash, is_opened: false, is_over: false });
        }
    }

    /// It says that it can be fetched. What is wrong about that.
    pub(super) fn on_opened(&mut self, shared: &WatchedShared<'_>, servent: usize, key: GivenKey) -> Option<String> {
        let given = self.given.get_mut(&key)?;
        given.is_opened = true;
        (!shared.may_give(servent, given.hash)).then(|| format!("s{servent} opens what is not published"))
    }

    /// It says that it cannot be, or not any more.
    pub(super) fn on_refused(&mut self, key: GivenKey) {
        let given = self.given.remove(&key);
        self.withdrawn_count += u64::from(given.is_some_and(|given| given.is_over));
    }

    /// A link is over.
    pub(super) fn on_closed(&mut self, link: LinkId) {
        self.given.retain(|(of, _), _| *of != link);
    }

    /// A servent is gone.
    pub(super) fn on_died(&mut self, servent: usize) {
        self.given.retain(|_, given| given.servent != servent);
    }

    /// A servent begins to read something of a file. What is wrong about that.
    pub(super) fn on_reads(&self, shared: &WatchedShared<'_>, servent: usize, name: &[u8]) -> Option<String> {
        let is_so = !shared.is_published_only(servent) || shared.may_read(servent, name);
        (!is_so).then(|| format!("s{servent} reads {:?}, which is not published", String::from_utf8_lossy(name)))
    }

    /// Something else is published there from now on.
    pub(super) fn on_published(&mut self, shared: &WatchedShared<'_>, servent: usize) {
        for given in self.given.values_mut().filter(|given| given.servent == servent && given.is_opened) {
            given.is_over |= !shared.may_give(servent, given.hash);
        }
    }

    /// A servent says what came of a write. What is wrong about what it gives then.
    pub(super) fn on_written(&mut self, servent: usize) -> Option<String> {
        let is_due = |given: &GivenFetch| given.servent == servent && given.is_over;
        let due = self.given.values().filter(|given| is_due(given)).count();
        self.given.retain(|_, given| !is_due(given));
        (due > 0)
            .then(|| format!("s{servent} does not say to {due} who fetch it that something is not published any more"))
    }

    /// How many were told that they are over since what they fetched was published no more.
    pub(super) fn withdrawn_count(&self) -> u64 {
        self.withdrawn_count
    }

    // ---- what is listed ----

    /// A client that writes has its contact list its files, in the end or before.
    pub(super) fn on_lists(&mut self, now: Nanos, client: usize, contact: usize, is_last: bool) {
        let listing = ContactListing { contact, since: now, names: Vec::new(), is_last, is_whole: false };
        self.listings.insert(client, listing);
    }

    /// It is told of some.
    pub(super) fn on_files<'n>(&mut self, client: usize, names: impl Iterator<Item = &'n [u8]>) {
        if let Some(listing) = self.listings.get_mut(&client) {
            listing.names.extend(names.map(<[u8]>::to_vec));
        }
    }

    /// It has been told of all. What is wrong about that.
    pub(super) fn on_listed(&mut self, shared: &WatchedShared<'_>, client: usize) -> Option<String> {
        let listing = self.listings.get_mut(&client)?;
        listing.is_whole = true;
        let names = shared.names_since(listing.contact, listing.since)?;
        let (told, contact) = (listing.names.len(), listing.contact);
        (names != listing.names).then(|| {
            format!("a client that writes is told of {told} files of s{contact}, which offers {}", names.len())
        })
    }

    // ---- the end ----

    /// Nothing more is to come of it. What is wrong.
    pub(super) fn on_settled(&mut self, is_there: impl Fn(usize) -> bool) -> Vec<String> {
        let ungiven: Vec<usize> = self.given.values().map(|given| given.servent).collect();
        let wrong: Vec<String> = ungiven.into_iter().filter_map(|servent| self.on_written(servent)).collect();
        let untold = self.listings.iter().filter(|(client, listing)| {
            let is_due = listing.is_last && !listing.is_whole;
            is_due && is_there(**client) && is_there(listing.contact)
        });
        let untold = untold.map(|(_, listing)| format!("s{} does not list its files in the end", listing.contact));
        wrong.into_iter().chain(untold).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::HolderLie;
    use crate::contents::tests::shared as shared_scene;
    use crate::scene::Scene;
    use crate::world::disks::ToldFile;
    use crate::world::witness::SECOND;
    use crate::world::witness::assert_wrong;
    use crate::world::witness::shared::PublishedNames;

    const GIVER: usize = 2;
    const CLIENT: usize = 9;
    const FETCH: GivenKey = (LinkId(5), 1);
    const HASH: ContentHash = ContentHash([7; 32]);

    /// One in which the last of three offers only what is published.
    fn scene() -> Scene {
        Scene { published_only: [2].into(), ..shared_scene(HolderLie::Silent) }
    }

    fn file(name: &str) -> ToldFile {
        ToldFile { name: name.into(), description: Vec::new(), size: 70_000, hash: HASH }
    }

    fn names(names: &[&str]) -> PublishedNames {
        names.iter().map(|name| ((*name).into(), Vec::new())).collect()
    }

    /// It has two files of one content, and this is published.
    struct SeenPublished<'s> {
        shared: WatchedShared<'s>,
        published: WatchedPublished,
    }

    impl<'s> SeenPublished<'s> {
        fn begin(scene: &'s Scene, published: &[&str]) -> SeenPublished<'s> {
            let mut shared = WatchedShared::new(scene);
            for servent in [0, GIVER] {
                shared.on_born(0, servent);
                shared.on_tells(1, servent, vec![file("mapa"), file("praia")]);
            }
            let mut seen = SeenPublished { shared, published: WatchedPublished::default() };
            seen.publish(2, published);
            seen
        }

        fn publish(&mut self, now: Nanos, published: &[&str]) {
            self.shared.on_published(now, GIVER, &names(published));
            self.published.on_published(&self.shared, GIVER);
        }

        fn opens(&mut self, servent: usize) -> Option<String> {
            self.published.on_open(&self.shared, servent, FETCH, HASH);
            self.published.on_opened(&self.shared, servent, FETCH)
        }
    }

    #[test]
    fn what_is_not_published_and_is_opened_or_read_is_noticed() {
        let scene = scene();
        let mut seen = SeenPublished::begin(&scene, &["mapa"]);
        assert_eq!(seen.opens(GIVER), None);
        assert_eq!(seen.published.on_reads(&seen.shared, GIVER, b"mapa"), None);
        assert_wrong(seen.published.on_reads(&seen.shared, GIVER, b"praia"), "s2 reads \"praia\", which is not");
        let mut seen = SeenPublished::begin(&scene, &[]);
        assert_wrong(seen.opens(GIVER), "s2 opens what is not published");
        // Who offers all may give it.
        assert_eq!(seen.opens(0), None);
        assert_eq!(seen.published.on_reads(&seen.shared, 0, b"praia"), None);
    }

    #[test]
    fn whoever_is_not_told_that_what_it_fetches_is_published_no_more_is_noticed() {
        let scene = scene();
        let unpublished = |change: &dyn Fn(&mut WatchedPublished), left: &[&str]| {
            let mut seen = SeenPublished::begin(&scene, &["mapa", "praia"]);
            assert_eq!(seen.opens(GIVER), None);
            seen.publish(SECOND, left);
            change(&mut seen.published);
            let settled = seen.published.on_settled(|_| true).into_iter().next();
            seen.publish(SECOND, &["mapa"]);
            assert_eq!(seen.opens(GIVER), None);
            seen.publish(SECOND, left);
            change(&mut seen.published);
            let said = seen.published.on_written(GIVER);
            assert_eq!(settled, said);
            said
        };
        assert_wrong(unpublished(&|_| {}, &[]), "s2 does not say to 1 who fetch it");
        assert_eq!(unpublished(&|published| published.on_refused(FETCH), &[]), None);
        assert_eq!(unpublished(&|published| published.on_closed(FETCH.0), &[]), None);
        assert_eq!(unpublished(&|published| published.on_died(GIVER), &[]), None);
        // The other file has the same content.
        assert_eq!(unpublished(&|_| {}, &["praia"]), None);
    }

    #[test]
    fn a_listing_that_is_not_what_is_offered_is_noticed_and_one_that_never_comes_in_the_end() {
        let scene = scene();
        let listed = |contact: usize, told: &[&str]| {
            let mut seen = SeenPublished::begin(&scene, &["praia"]);
            seen.published.on_lists(SECOND, CLIENT, contact, true);
            seen.published.on_files(CLIENT, told.iter().map(|name| name.as_bytes()));
            let wrong = seen.published.on_listed(&seen.shared, CLIENT);
            assert!(seen.published.on_settled(|_| true).is_empty());
            wrong
        };
        assert_eq!(listed(GIVER, &["praia"]), None);
        assert_eq!(listed(0, &["mapa", "praia"]), None);
        assert_wrong(listed(GIVER, &[]), "is told of 0 files of s2, which offers 1");
        assert_wrong(listed(GIVER, &["mapa"]), "is told of 1 files of s2");
        assert_wrong(listed(GIVER, &["mapa", "praia"]), "is told of 2 files of s2");
        let mut seen = SeenPublished::begin(&scene, &["praia"]);
        seen.published.on_lists(SECOND, CLIENT, GIVER, false);
        assert!(seen.published.on_settled(|_| true).is_empty(), "it is not the last");
        seen.published.on_lists(SECOND, CLIENT, GIVER, true);
        assert!(seen.published.on_settled(|node| node != GIVER).is_empty());
        assert_wrong(seen.published.on_settled(|_| true), "s2 does not list its files in the end");
    }
}
