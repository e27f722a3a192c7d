//! A directory on a disk for files that are synced: where a sync has nothing to do no figure of it says anything.
//!
//! What is written there is not known here, nor how fast the disk is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// What the system says of a directory that is in memory (`TMPFS_MAGIC`).
const IN_MEMORY: u64 = 0x0102_1994;
/// Where files are expected to be there after the next start of the machine.
const LASTING: &str = "/var/tmp";

/// What a row says that has no such directory.
pub const NO_DISK: &str = "no directory on a disk";

/// A directory of this process that is on a disk. Gone with this.
#[derive(Debug)]
pub struct DiskPlace(PathBuf);

impl DiskPlace {
    /// Makes one, where the system has files written for now, or for longer. Nothing where both are in memory.
    pub fn make() -> anyhow::Result<Option<DiskPlace>> {
        let candidates = [std::env::temp_dir(), PathBuf::from(LASTING)];
        let Some(parent) = candidates.iter().find(|parent| is_on_a_disk(parent)) else { return Ok(None) };
        let directory = parent.join(format!("topology-bench-writes-{}", std::process::id()));
        fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
        Ok(Some(DiskPlace(directory)))
    }

    /// A file in it that is not there, whatever was.
    pub fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(path),
        }
    }
}

impl Drop for DiskPlace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn is_on_a_disk(directory: &Path) -> bool {
    rustix::fs::statfs(directory).is_ok_and(|stat| u64::try_from(stat.f_type).is_ok_and(|kind| kind != IN_MEMORY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_memory_is_no_disk_and_neither_is_what_is_not_there() {
        assert!(!is_on_a_disk(Path::new("/dev/shm")));
        assert!(!is_on_a_disk(Path::new("/nowhere")));
    }
}
