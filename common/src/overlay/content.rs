//! What this servent shares: the catalogue of its files, and when the directory is looked through again.
//!
//! It reads and hashes nothing, and knows neither who asks (`search` answers) nor where the directory is.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::doors::Outbox;
use crate::content::catalogue::Catalogue;
use crate::content::{Blocks, ContentHash};
use crate::disk::{Job, LookedThrough, SharedContent};
use crate::limits::LOOK_THROUGH_PAUSE;
use crate::store::Store;
use crate::time::Time;

/// The room. One that shares nothing wants nothing done.
#[derive(Debug, Default)]
pub(super) struct Content {
    /// Nothing as long as nothing was looked through.
    catalogue: Option<Arc<Catalogue>>,
    /// Places in it of files that turned out not to be what they were: nobody is told of them.
    withdrawn: BTreeSet<usize>,
    /// Where those may be who are told of files; everybody, where nobody is named.
    shared_with: Vec<IpNet>,
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
    pub(super) fn begin(&mut self, shared_with: &[IpNet]) {
        self.shared_with = shared_with.to_vec();
        self.look = Look::At(Time::START);
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
                if catalogue.is_some() {
                    // What was withdrawn was looked at again, or is not what it was once more.
                    self.catalogue = catalogue;
                    self.withdrawn.clear();
                }
                is_whole
            }
            Err(reason) => {
                log::error!("{reason}; what was shared before stays");
                true
            }
        };
        if is_whole {
            // All of them were looked at again.
            self.withdrawn.clear();
        }
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

    /// Whether whoever is there is told of files.
    pub(super) fn is_shared_with(&self, ip: IpAddr) -> bool {
        self.shared_with.is_empty() || self.shared_with.iter().any(|network| network.contains(&ip))
    }

    /// The files that can be found and fetched here.
    pub(super) fn catalogue(&self) -> &Catalogue {
        static NONE: Catalogue = Catalogue::EMPTY;
        self.catalogue.as_deref().unwrap_or(&NONE)
    }

    /// Whether a file of the catalogue was withdrawn since it was made.
    pub(super) fn is_withdrawn(&self, place: usize) -> bool {
        self.withdrawn.contains(&place)
    }

    /// Something to be fetched.
    pub(super) fn content_of(&self, hash: ContentHash) -> Option<SharedContent> {
        let mut files = self.catalogue().hashed(&hash.0).filter(|file| !self.is_withdrawn(file.place));
        files.find_map(|file| {
            let (name, blocks) = (file.name.to_vec(), Blocks::of(file.stamp.size).ok()?);
            Some(SharedContent { name, stamp: file.stamp, hashes_at: file.hashes_at, blocks })
        })
    }

    /// A file is not what it was.
    pub(super) fn withdraw(&mut self, content: &SharedContent) {
        let file = self.catalogue().named(&content.name).filter(|file| file.stamp == content.stamp);
        self.withdrawn.extend(file.map(|file| file.place));
    }
}
