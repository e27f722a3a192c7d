//! What ends a program together with the one that started it, however that ends.
//!
//! It asks the system for a signal and does not listen for it: SIGTERM means here what it always means.

use anyhow::{anyhow, bail};
use rustix::process::{Pid, Signal, getppid};

/// Has the system send SIGTERM when the thread that started this process ends, as with its whole process it always does.
/// An error where that has already happened.
///
/// Where the system cannot do so this program goes on without it.
pub fn end_with(pid: i32) -> anyhow::Result<()> {
    let parent = Pid::from_raw(pid).ok_or_else(|| anyhow!("{pid} is no process"))?;
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::TERM)) {
        log::debug!("this process may outlive the one that started it: {error}");
    }
    // Asked only now: had it ended before the line above, no signal would come.
    if getppid() != Some(parent) {
        bail!("the process that started this one is gone");
    }
    Ok(())
}
