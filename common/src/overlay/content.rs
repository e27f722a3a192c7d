//! What this servent shares: the catalogue of its files, and when the directory is looked through again.
//!
//! It reads and hashes nothing, and knows neither who asks (`search` answers) nor where the directory is.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::doors::Outbox;
use super::offered::Offered;
use crate::content::ContentHash;
use crate::content::catalogue::Catalogue;
use crate::disk::{Job, LookedThrough, SharedContent};
use crate::limits::LOOK_THROUGH_PAUSE;
use crate::store::Store;
use crate::time::Time;
use crate::written::WrittenData;

/// The room. One that shares nothing wants nothing done.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Nothing as long as nothing was looked through.
    catalogue: Option<Arc<Catalogue>>,
    /// Places in it of files that turned out not to be what they were: nobody is told of them.
    withdrawn: BTreeSet<usize>,
    /// Where those may be who are told of files; everybody, where nobody is named.
    shared_with: Vec<IpNet>,
    /// Whether nothing is offered that is not published.
    is_published_only: bool,
    look: Look,
}

/// How far the looking through is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Look {
    /// Nothing is shared.
    #[default]
    Never,
    /// The next begins then.
    At(Time),
    UnderWay,
    /// What has been seen may be older than what was meant.
    UnderWayAndAsked,
}

impl Content {
    /// There is a directory that is shared.
    pub(super) fn begin(&mut self, shared_with: &[IpNet], is_published_only: bool) {
        self.shared_with = shared_with.to_vec();
        self.is_published_only = is_published_only;
        self.look = Look::At(Time::START);
    }

    /// Whether there is one.
    pub(super) fn is_begun(&self) -> bool {
        self.look != Look::Never
    }

    /// Whether a file of this name is shared.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.catalogue().named(name).is_some_and(|file| !self.is_withdrawn(file.place))
    }

    pub(super) fn deadline(&self) -> Time {
        if let Look::At(time) = self.look { time } else { Time::NEVER }
    }

    pub(super) fn on_deadline(&mut self, now: Time, store: &Arc<Store>, out: &mut Outbox<'_>) {
        if matches!(self.look, Look::At(time) if time <= now) {
            self.look_through(store, out);
        }
    }

    /// The operator wants it looked through, and what the files are described as may have changed.
    pub(super) fn on_asked(&mut self, store: &Arc<Store>, out: &mut Outbox<'_>) {
        match self.look {
            Look::Never => {}
            Look::At(_) => self.look_through(store, out),
            Look::UnderWay | Look::UnderWayAndAsked => self.look = Look::UnderWayAndAsked,
        }
    }

    /// Somebody here names a file that is not known: it may be new. Where a look is under way it may be found yet.
    pub(super) fn on_missed(&mut self, store: &Arc<Store>, out: &mut Outbox<'_>) {
        if let Look::At(_) = self.look {
            self.look_through(store, out);
        }
    }

    fn look_through(&mut self, store: &Arc<Store>, out: &mut Outbox<'_>) {
        self.look = Look::UnderWay;
        out.disk(Job::LookThrough(Arc::clone(store)));
    }

    /// It has been looked through as far as that went in one go, or could not be.
    pub(super) fn on_looked_through(
        &mut self,
        now: Time,
        looked: Result<LookedThrough, String>,
        store: &Arc<Store>,
        out: &mut Outbox<'_>,
    ) {
        let is_whole = match looked {
            Ok(LookedThrough { catalogue, is_whole, hashed_count: _ }) => {
                catalogue.into_iter().for_each(|catalogue| self.replace(catalogue));
                if is_whole {
                    // All of them were looked at again. One that was looked at before it was withdrawn is withdrawn once more.
                    self.withdrawn.clear();
                }
                is_whole
            }
            Err(reason) => {
                log::error!("{reason}; what was shared before stays");
                true
            }
        };
        if is_whole && self.look == Look::UnderWay {
            self.look = Look::At(now + LOOK_THROUGH_PAUSE);
        } else {
            // Once it is whole it begins anew where that was asked for.
            let was_asked = self.look == Look::UnderWayAndAsked && !is_whole;
            self.look_through(store, out);
            if was_asked {
                self.look = Look::UnderWayAndAsked;
            }
        }
    }

    /// What was withdrawn stays so where it is the same.
    fn replace(&mut self, new: Arc<Catalogue>) {
        let now_at = |place: &usize| {
            let was = self.catalogue().get(*place)?;
            new.named(was.name).filter(|file| file.stamp == was.stamp).map(|file| file.place)
        };
        self.withdrawn = self.withdrawn.iter().filter_map(now_at).collect();
        self.catalogue = Some(new);
    }

    /// Whether whoever is there is told of files. Of whom nobody knows where that is, only where everybody is.
    pub(super) fn is_shared_with(&self, ip: Option<IpAddr>) -> bool {
        self.shared_with.is_empty() || ip.is_some_and(|ip| self.shared_with.iter().any(|network| network.contains(&ip)))
    }

    /// The files that can be found and fetched here.
    pub(super) fn catalogue(&self) -> &Catalogue {
        static NONE: Catalogue = Catalogue::EMPTY;
        self.catalogue.as_deref().unwrap_or(&NONE)
    }

    /// Those that are offered, where this was written.
    pub(super) fn offered<'a>(&'a self, written: Option<&'a WrittenData>) -> Offered<'a> {
        let Content { withdrawn, is_published_only, .. } = self;
        let is_published_only = *is_published_only;
        Offered { catalogue: self.catalogue(), withdrawn, published: written, is_published_only }
    }

    /// Whether only what is published is.
    pub(super) fn is_published_only(&self) -> bool {
        self.is_published_only
    }

    /// Whether a file of the catalogue was withdrawn since it was made.
    fn is_withdrawn(&self, place: usize) -> bool {
        self.withdrawn.contains(&place)
    }

    /// A file is not what it was. Gives the hash of what it was, if it was still shared.
    pub(super) fn withdraw(&mut self, content: &SharedContent) -> Option<ContentHash> {
        let file = self.catalogue().named(&content.name).filter(|file| file.stamp == content.stamp)?;
        let (place, hash) = (file.place, file.hash);
        self.withdrawn.insert(place);
        Some(hash)
    }
}
