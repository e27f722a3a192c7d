//! The chapter of the corridor on clients that have this servent keep something, and on those who watch that.
//!
//! What comes of a write is known to the room `writes`, who watches which key to `watches`; who they are to `links`, which
//! files there are to `content`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Overlay;
use super::doors::{NotedEvent, Outbox};
use super::query_log;
use super::rooms::Rooms;
use super::search::{self, Held};
use super::watches::{CHANGED_AT_ONCE_MAX, CHANGED_TURN_BYTES};
use super::writes::{AskedWrite, ShownWrites, ToldWrite};
use crate::disk::CommitFailure;
use crate::features::Features;
use crate::key::Key;
use crate::limits::FRAME_BYTES_MAX;
use crate::link::LinkId;
use crate::message::{Goodbye, Hello, Message, Role};
use crate::store::Store;
use crate::time::Time;
use crate::write::{Change, Changed, Unwatch, Watch, Write};
use crate::written::KeptValue;

impl Overlay {
    /// Our hello to somebody who has said this one: whoever may write may say longer messages than others.
    pub(super) fn hello_to(&self, link: LinkId, theirs: &Hello) -> Hello {
        let own = self.hello().told_to(theirs.features);
        let writes = matches!(theirs.role, Role::Client { .. }) && theirs.features.include(Features::WRITES);
        let may_write = writes && self.rooms.keeps_writes() && self.rooms.links.is_stranger_of_this_host(link);
        let frame_bytes_max = u32::try_from(FRAME_BYTES_MAX).unwrap_or(u32::MAX);
        if may_write { Hello { frame_bytes_max, ..own } } else { own }
    }

    pub(super) fn on_write(&mut self, link: LinkId, write: Write, out: &mut Outbox<'_>) {
        let change = &write.change;
        let noted = out.operation(change.command(), || query_log::subject(change.subject())).map(Box::new);
        let is_from_here = self.rooms.links.is_client_of_this_host(link);
        let rare = self.rooms.rare.make();
        let is_shared = match &write.change {
            Change::Publish { name, .. } if rare.content.is_begun() => Some(rare.content.has(name.as_bytes())),
            _ => None,
        };
        let asked = AskedWrite { link, write, is_from_here, store: &self.store, is_shared, noted };
        let told = rare.writes.on_write(asked, out);
        // Nobody from elsewhere has the disk read by it.
        let is_missed = is_from_here && rare.writes.is_kept() && is_shared == Some(false);
        told.into_iter().for_each(|told| self.tell_written(told, out));
        self.rooms.rest_writers(out);
        if is_missed {
            self.rooms.rare.make().content.on_missed(&self.store, out);
        }
    }

    /// What was to be kept is on the disk, or is not.
    pub(super) fn on_committed(&mut self, now: Time, committed: Result<(), CommitFailure>, out: &mut Outbox<'_>) {
        let Some(rare) = self.rooms.rare.get_mut() else { return };
        rare.writes.on_committed(now, committed, out);
        self.show_written(now, out);
    }

    /// Shows a turn's worth of what is on the disk, and tells whoever waits for it.
    pub(super) fn show_written(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(rare) = self.rooms.rare.get_mut() else { return };
        let watches = &rare.watches;
        let ShownWrites { told, before, is_unpublished } = rare.writes.show(|key| watches.has(key));
        let ends_fetches = is_unpublished && rare.content.is_published_only();
        self.see_changes(now, before);
        if ends_fetches {
            self.end_what_is_not_offered(out);
        }
        told.into_iter().for_each(|told| self.tell_written(told, out));
        self.tell_changed(now, out);
        self.rooms.resume_writers(out);
        self.rooms.part_from_writers(now, self.random(now), out);
    }

    pub(super) fn on_watch(&mut self, now: Time, link: LinkId, watch: Watch, out: &mut Outbox<'_>) {
        let Watch { sequence, key } = watch;
        if self.rooms.rare.make().watches.on_watch(now, (link, sequence), key).is_err() {
            let reason = "it watches more than it may, or two keys under one number";
            return self.close(now, link, Goodbye::Protocol, reason, out);
        }
        self.tell_changed(now, out);
    }

    pub(super) fn on_unwatch(&mut self, link: LinkId, unwatch: Unwatch) {
        if let Some(rare) = self.rooms.rare.get_mut() {
            rare.watches.on_unwatch((link, unwatch.sequence));
        }
    }

    /// A client had no room for what was to be told of a key that it watches.
    pub(super) fn on_change_not_told(&mut self, now: Time, link: LinkId, sequence: u64) {
        if let Some(rare) = self.rooms.rare.get_mut() {
            rare.watches.on_not_told(now, (link, sequence));
        }
    }

    /// Of these keys something else was kept before.
    fn see_changes(&mut self, now: Time, before: BTreeMap<Key, Option<KeptValue>>) {
        let held = self.held(None);
        let is_other = |(key, kept): &(Key, Option<KeptValue>)| {
            search::said(kept.as_ref(), &self.store, key.as_bytes()) != held.said_of(key.as_bytes())
        };
        let changed: Vec<Key> = before.into_iter().filter(is_other).map(|(key, _)| key).collect();
        self.on_changed(now, &changed);
    }

    /// The data is another than it was.
    pub(super) fn on_other_data(&mut self, now: Time, before: &Store, out: &mut Outbox<'_>) {
        let Some(rare) = self.rooms.rare.get() else { return };
        let held = self.held(None);
        let is_other = |key: &&Key| {
            let key = key.as_bytes();
            Held { store: before, ..held }.said_of(key) != held.said_of(key)
        };
        let changed: Vec<Key> = rare.watches.keys().filter(is_other).cloned().collect();
        self.on_changed(now, &changed);
        self.tell_changed(now, out);
    }

    fn on_changed(&mut self, now: Time, keys: &[Key]) {
        if let Some(rare) = self.rooms.rare.get_mut() {
            keys.iter().for_each(|key| rare.watches.on_changed(now, key));
        }
    }

    /// Tells a turn's worth of those who watch a key what its value is, where that is another or they are new.
    pub(super) fn tell_changed(&mut self, now: Time, out: &mut Outbox<'_>) {
        let mut bytes_left = CHANGED_TURN_BYTES;
        // Many may watch one key, which is next then: its value is copied out of the data once.
        let mut last: Option<(Key, Option<Arc<[u8]>>)> = None;
        for _ in 0..CHANGED_AT_ONCE_MAX {
            let Some(rare) = self.rooms.rare.get_mut().filter(|_| bytes_left > 0) else { return };
            let Some(((link, sequence), key)) = rare.watches.take_due(now) else { return };
            let value = match last.take() {
                Some((same, value)) if same == key => value,
                _ => self.held(None).said_of(key.as_bytes()).map(Arc::from),
            };
            bytes_left = bytes_left.saturating_sub(value.as_ref().map_or(0, |value| value.len()));
            out.send(link, Message::Changed(Changed { sequence, value: value.clone() }));
            last = Some((key, value));
        }
    }

    fn tell_written(&self, told: ToldWrite, out: &mut Outbox<'_>) {
        let ToldWrite { link, written, noted } = told;
        if let Some(operation) = noted {
            out.note(|| NotedEvent::Operation { operation: *operation, outcome: written.outcome.word() });
        }
        // Whoever is gone is not told.
        if self.rooms.links.client_address(link).is_some() {
            out.send(link, Message::Written(written));
        }
    }
}

impl Rooms {
    fn keeps_writes(&self) -> bool {
        self.rare.get().is_some_and(|rare| rare.writes.is_kept())
    }

    /// Has those clients not read of which too much waits.
    fn rest_writers(&mut self, out: &mut Outbox<'_>) {
        let (links, Some(rare)) = (&self.links, self.rare.get_mut()) else { return };
        for link in rare.writes.take_to_rest() {
            if !links.is_resting(link) {
                out.rest(link);
            }
        }
    }

    /// Has those read again of which there is room for more.
    fn resume_writers(&mut self, out: &mut Outbox<'_>) {
        let (links, Some(rare)) = (&self.links, self.rare.get_mut()) else { return };
        for link in rare.writes.take_to_resume() {
            if !links.is_resting(link) {
                out.resume(link);
            }
        }
    }

    /// The servent leaves: gives those clients that are told what came of their writes before it says goodbye. Nothing more is
    /// read of them.
    pub(super) fn keep_writers(&mut self, out: &mut Outbox<'_>) -> BTreeSet<LinkId> {
        let links = &self.links;
        let owed = self.rare.get_mut().map(|rare| rare.writes.on_leave()).unwrap_or_default();
        let owed: BTreeSet<LinkId> = owed.into_iter().filter(|link| links.client_address(*link).is_some()).collect();
        for link in &owed {
            let was_held = self.rare.get_mut().is_some_and(|rare| rare.writes.hold(*link));
            if !was_held && !links.is_resting(*link) {
                out.rest(*link);
            }
        }
        owed
    }

    /// A servent that leaves says goodbye to them once it has told them all.
    fn part_from_writers(&mut self, now: Time, random: u64, out: &mut Outbox<'_>) {
        if self.rare.get().is_some_and(|rare| rare.writes.has_told_all()) {
            for link in self.links.all() {
                self.close(now, link, Goodbye::Leaving, "this servent is leaving", random, out);
            }
        }
    }
}
