//! The chapter of the corridor on clients that have this servent keep something.
//!
//! What comes of it is known to the room `writes`; who writes to `links`, which files there are to `content`.

use std::collections::BTreeSet;

use super::Overlay;
use super::doors::Outbox;
use super::rooms::Rooms;
use super::writes::{AskedWrite, ShownWrites, ToldWrite};
use crate::disk::CommitFailure;
use crate::features::Features;
use crate::limits::FRAME_BYTES_MAX;
use crate::link::LinkId;
use crate::message::{Goodbye, Hello, Message, Role};
use crate::time::Time;
use crate::write::{Change, Write};

impl Overlay {
    /// Our hello to somebody who has said this one: whoever may write may say longer messages than others.
    pub(super) fn hello_to(&self, link: LinkId, theirs: &Hello) -> Hello {
        let own = self.hello();
        let writes = matches!(theirs.role, Role::Client { .. }) && theirs.features.include(Features::WRITES);
        let may_write = writes && self.rooms.keeps_writes() && self.rooms.links.is_stranger_of_this_host(link);
        let frame_bytes_max = u32::try_from(FRAME_BYTES_MAX).unwrap_or(u32::MAX);
        if may_write { Hello { frame_bytes_max, ..own } } else { own }
    }

    pub(super) fn on_write(&mut self, link: LinkId, write: Write, out: &mut Outbox<'_>) {
        let is_from_here = self.rooms.links.is_client_of_this_host(link);
        let rare = self.rooms.rare.make();
        let is_shared = match &write.change {
            Change::Publish { name, .. } if rare.content.is_begun() => Some(rare.content.has(name.as_bytes())),
            _ => None,
        };
        let asked = AskedWrite { link, write, is_from_here, store: &self.store, is_shared, noted: None };
        let told = rare.writes.on_write(asked, out);
        told.into_iter().for_each(|told| self.tell_written(told, out));
        self.rooms.rest_writers(out);
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
        let ShownWrites { told, .. } = rare.writes.show();
        told.into_iter().for_each(|told| self.tell_written(told, out));
        self.rooms.resume_writers(out);
        self.rooms.part_from_writers(now, self.random(now), out);
    }

    fn tell_written(&self, told: ToldWrite, out: &mut Outbox<'_>) {
        let ToldWrite { link, written, noted: _ } = told;
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
        let Rooms { links, flood: _, rare, members: _ } = self;
        let Some(rare) = rare.get_mut() else { return };
        for link in rare.writes.take_to_rest() {
            if !links.is_resting(link) {
                out.rest(link);
            }
        }
    }

    /// Has those read again of which there is room for more.
    fn resume_writers(&mut self, out: &mut Outbox<'_>) {
        let Rooms { links, flood: _, rare, members: _ } = self;
        let Some(rare) = rare.get_mut() else { return };
        for link in rare.writes.take_to_resume() {
            if !links.is_resting(link) {
                out.resume(link);
            }
        }
    }

    /// The servent leaves: gives those clients that are told what came of their writes before it says goodbye. Nothing more is
    /// read of them.
    pub(super) fn keep_writers(&mut self, out: &mut Outbox<'_>) -> BTreeSet<LinkId> {
        let Rooms { links, flood: _, rare, members: _ } = self;
        let owed = rare.get_mut().map(|rare| rare.writes.on_leave()).unwrap_or_default();
        let owed: BTreeSet<LinkId> = owed.into_iter().filter(|link| links.client_address(*link).is_some()).collect();
        owed.iter().for_each(|link| out.rest(*link));
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
