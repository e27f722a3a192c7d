//! The data file, from its name to a store.
//!
//! What a line means is `common::store`. Here is only what a file system can do to the one who reads it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, anyhow, bail};
use common::counted::counted;
use common::store::{STORE_BYTES_MAX, Store, StoreError, Warnings};

use crate::options::DataSource;

/// Reads the data, which takes its time. Odd lines are logged with file and line; only a file that cannot be read is an
/// error.
pub(crate) fn load(source: &DataSource) -> anyhow::Result<Store> {
    let DataSource::File(path) = source else { return Ok(Store::default()) };
    let name = source;
    let bytes = read(path).with_context(|| format!("cannot read data file {name}"))?;
    let (store, warnings) = Store::parse(bytes).with_context(|| format!("cannot use data file {name}"))?;
    log_warnings(source, &warnings);
    Ok(store)
}

/// Says what is served from now on.
pub(crate) fn announce(source: &DataSource, keys_count: usize) {
    if let DataSource::File(_) = source {
        log::info!("serving {} of {source}", counted(keys_count, "key"));
    }
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    // Without O_NONBLOCK opening a FIFO waits for somebody to write to it.
    let mut file: File = OpenOptions::new()
        .read(true)
        .custom_flags(i32::from_ne_bytes(rustix::fs::OFlags::NONBLOCK.bits().to_ne_bytes()))
        .open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        bail!("it is a directory");
    }
    if kind.is_fifo() {
        bail!("it is a FIFO: only a regular file can be read again at SIGHUP");
    }
    if !kind.is_file() {
        bail!("it is not a regular file (- stands for no data)");
    }
    let before = state(&file)?;
    let (length, ..) = before;
    let bytes_count = usize::try_from(length).unwrap_or(usize::MAX);
    if bytes_count > STORE_BYTES_MAX {
        return Err(StoreError::TooLarge { bytes_count }.into());
    }
    let mut bytes = Vec::new();
    // What it is said to have; some files say 0 and have more. It is asked for, not taken: there may be too little
    // memory.
    bytes.try_reserve_exact(bytes_count).map_err(|_| anyhow!("there is too little memory for its {length} bytes"))?;
    // One byte over the limit is enough for the store to refuse it.
    (&mut file).take(STORE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if state(&file)? != before {
        bail!("it was written to while it was read");
    }
    Ok(bytes)
}

/// What changes when a file is written to: its length and its times. A part of two versions is seen by that, unless both
/// are of one length and of one tick of the file system's clock.
fn state(file: &File) -> io::Result<(u64, i64, i64)> {
    let metadata = file.metadata()?;
    Ok((metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
}

fn log_warnings(name: &DataSource, warnings: &Warnings) {
    if let Some(looks_like) = warnings.looks_like {
        return log::warn!("{}: {looks_like}", name);
    }
    for warning in &warnings.first {
        log::warn!("{}:{}: {}", name, warning.line, warning.what);
    }
    let unsaid = warnings.count - warnings.first.len();
    if unsaid > 0 {
        let verb = if unsaid == 1 { "is" } else { "are" };
        log::warn!("{}: {} {verb} odd", name, counted(unsaid, "more line"));
    }
}
