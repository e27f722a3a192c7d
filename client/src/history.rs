//! Where the lines of a person are remembered. The lines themselves are kept by the line editor.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// Where lines are remembered; nowhere when the system names no place or it cannot be made.
pub(crate) fn history_file() -> Option<PathBuf> {
    let strategy = etcetera::choose_base_strategy().ok()?;
    let directory = strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("servent");
    std::fs::create_dir_all(&directory).ok()?;
    Some(directory.join("client-history"))
}
