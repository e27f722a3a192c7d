//! What is beneath a shared directory and is not shared: how many for each reason, in words.

use std::fmt::{self, Display, Formatter};

use common::content::FileStamp;
use common::counted::{counted, grouped};
use common::limits::{CONTENT_BYTES_MAX, FILE_NAME_BYTES_MAX};
use rustix::fs::FileType;

use super::beneath::NotOpened;

/// How many were left out, for each reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) links: u64,
    pub(super) devices: u64,
    pub(super) fifos: u64,
    pub(super) sockets: u64,
    /// Files and directories whose name begins with a dot. What is beneath one is not looked at.
    pub(super) dotted: u64,
    pub(super) long_named: u64,
    pub(super) too_large: u64,
    pub(super) unreadable: u64,
    /// Files or directories beyond as many as there may be.
    pub(super) too_many: u64,
    /// Files that were written to while they were looked at, and come back when they are quiet.
    pub(super) changing: u64,
    /// Files of several blocks whose hashes could not be kept.
    pub(super) unkept: u64,
    /// Files that are never to be shared.
    pub(super) never: u64,
}

impl LeftOut {
    /// Counts what a directory says is of this kind and no file.
    pub(super) fn add_kind(&mut self, kind: FileType) {
        match kind {
            FileType::Symlink => self.links += 1,
            FileType::Fifo => self.fifos += 1,
            FileType::Socket => self.sockets += 1,
            FileType::CharacterDevice | FileType::BlockDevice => self.devices += 1,
            // One that was put in the place of another while it was looked at: its turn comes.
            FileType::RegularFile | FileType::Directory | FileType::Unknown => self.changing += 1,
        }
    }

    /// Counts what was not opened; one that has gone meanwhile is nobody's concern.
    pub(super) fn add_not_opened(&mut self, why: NotOpened) {
        match why {
            NotOpened::Gone | NotOpened::Exhausted(_) => {}
            NotOpened::Symlink => self.links += 1,
            // One that was put in the place of a file: its turn comes.
            NotOpened::NoFile => self.changing += 1,
            NotOpened::Unreadable(_) => self.unreadable += 1,
        }
    }

    /// Whether a file is small enough; one that is not is counted.
    pub(super) fn is_of_size(&mut self, stamp: &FileStamp) -> bool {
        let is_of_size = stamp.size <= CONTENT_BYTES_MAX;
        self.too_large += u64::from(!is_of_size);
        is_of_size
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == LeftOut::default()
    }
}

impl Display for LeftOut {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let LeftOut {
            links,
            devices,
            fifos,
            sockets,
            dotted,
            long_named,
            too_large,
            unreadable,
            too_many,
            changing,
            unkept,
            never,
        } = *self;
        let said: Vec<String> = [
            (links, "link", String::new()),
            (devices, "device", String::new()),
            (fifos, "FIFO", String::new()),
            (sockets, "socket", String::new()),
            (dotted, "name", " with a dot before it".to_owned()),
            (long_named, "name", format!(" of more than {} bytes", grouped(FILE_NAME_BYTES_MAX))),
            (too_large, "file", format!(" of more than {} bytes", grouped(CONTENT_BYTES_MAX))),
            (unreadable, "file", " that cannot be read".to_owned()),
            (too_many, "file", " too many".to_owned()),
            (changing, "file", " that changed just then".to_owned()),
            (unkept, "file", " whose hashes cannot be kept".to_owned()),
            (never, "file", " never to be shared".to_owned()),
        ]
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, what, more)| format!("{}{more}", counted(count, what)))
        .collect();
        f.write_str(if said.is_empty() { "nothing" } else { "" })?;
        f.write_str(&said.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_said_with_its_number() {
        let mut left_out = LeftOut::default();
        assert!(left_out.is_empty());
        assert_eq!(left_out.to_string(), "nothing");
        left_out.add_kind(FileType::Symlink);
        left_out.add_kind(FileType::Fifo);
        left_out.add_kind(FileType::Fifo);
        left_out.add_not_opened(NotOpened::Symlink);
        left_out.dotted = 1_204;
        assert!(!left_out.is_of_size(&FileStamp {
            device: 0,
            inode: 0,
            size: CONTENT_BYTES_MAX + 1,
            modified: 0,
            changed: 0
        }));
        let said = "2 links, 2 FIFOs, 1,204 names with a dot before it, 1 file of more than 274,877,906,944 bytes";
        assert_eq!(left_out.to_string(), said);
        assert!(!left_out.is_empty());
    }
}
