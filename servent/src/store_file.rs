//! The database of `--store`, from its name to what was written, and the changes that come to it.
//!
//! How changes get to the disk is the crate `database`; what is written and when is decided by the servent's mind. Here is
//! what an operator is told of it.

use std::fmt;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use common::counted::{counted, grouped};
use common::disk::CommitFailure;
use common::store::Store;
use common::text::Escaped;
use common::written::{KeptValue, StoreChange, WrittenData};
use database::{Database, OpenError, OpenedDatabase, StartKind};

use crate::options::DataSource;

/// How long a servent that ends waits until its database is closed. Otherwise the next start writes it anew.
const CLOSE_MAX: Duration = Duration::from_secs(2);
/// So many keys that were written are looked up in the data that was read again, between two turns of the loop.
const COUNTED_WHILE_SERVING_MAX: usize = 16_384;
/// A line that says nothing.
const COMMENT: &[u8] = b"#\n";
/// So many keys that no line can hold are told one by one.
const LEFT_OUT_SAID_MAX: usize = 16;

/// A database that is open, for whoever writes to it and whoever closes it.
#[derive(Clone, Debug)]
pub(crate) struct StoreFile {
    path: PathBuf,
    /// None once it is closed.
    database: Arc<Mutex<Option<Database>>>,
}

/// A database at the start of a servent.
#[derive(Debug)]
pub(crate) struct OpenedStore {
    pub(crate) file: StoreFile,
    pub(crate) written: Arc<WrittenData>,
    /// Whether nothing more is written to it.
    pub(crate) is_read_only: bool,
}

/// Opens it, or makes it where there is none, and says what became of it.
pub(crate) fn open(path: &Path) -> anyhow::Result<OpenedStore> {
    let name = ShownStore(path);
    let OpenedDatabase { written, database, start, read_only } =
        database::open(path).with_context(|| format!("cannot use database {name}"))?;
    match start {
        StartKind::AsLeft => {}
        StartKind::Made => log::info!("database {name} is made: nothing was written yet"),
        StartKind::NotClosed if read_only.is_some() => log::warn!("database {name} was not closed"),
        StartKind::NotClosed => log::info!("database {name} was not closed: all of it was written anew"),
        StartKind::Compacted { before, after } => {
            let (before, after) = (counted(before, "byte"), grouped(after));
            log::info!("database {name} was written anew: {before} before, {after} now");
        }
        StartKind::NotCompacted(reason) => log::warn!("database {name} stays as large as it is: {reason}"),
    }
    if let Some(reason) = &read_only {
        let advice = advice(path, reason);
        log::error!("database {name} cannot be written to: it is served, and takes no more: {reason}{advice}");
    }
    let file = StoreFile { path: path.to_owned(), database: Arc::new(Mutex::new(Some(database))) };
    file.verify();
    Ok(OpenedStore { file, written: Arc::new(written), is_read_only: read_only.is_some() })
}

/// What to do where a database cannot be written to, behind the reason.
fn advice(path: &Path, reason: &str) -> String {
    // Who says so has said what to do.
    if reason.ends_with("move it away") {
        return ", and start it again".to_owned();
    }
    let beside = database::beside(path);
    let directory = beside.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    format!("; make room, or allow writing to {}, and start it again", ShownStore(directory))
}

impl StoreFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Puts changes on the disk, all or none.
    pub(crate) fn commit(&self, changes: &[StoreChange]) -> Result<(), CommitFailure> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = database.as_mut() else { return Err(CommitFailure::Failed("it is closed".to_owned())) };
        let name = ShownStore(&self.path);
        database.commit(changes).map_err(|failure| match failure {
            CommitFailure::Full(reason) => CommitFailure::Full(format!("database {name}: {reason}")),
            CommitFailure::Failed(reason) => CommitFailure::Failed(format!("database {name}: {reason}")),
        })
    }

    /// Has somebody verify what a start does not wait for.
    fn verify(&self) {
        let file = self.clone();
        let verify = move || {
            let mut database = file.database.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Err(reason)) = database.as_mut().map(Database::verify) {
                let name = ShownStore(&file.path);
                log::error!(
                    "database {name} is served, and takes no more: {reason}; print it with --export, and move it away"
                );
            }
        };
        // Otherwise the first commit does.
        let _ = thread::Builder::new().name("verifies".to_owned()).spawn(verify);
    }

    /// Has the next start find it as it is left, if that can be done soon: a disk that hangs keeps no servent from ending.
    pub(crate) fn close(&self) {
        let (closed, hear) = channel();
        let file = self.clone();
        let close = move || {
            let database = file.database.lock().unwrap_or_else(PoisonError::into_inner).take();
            // Whoever waited for it may be gone.
            let _ = closed.send(database.map_or(Ok(()), Database::close));
        };
        let name = ShownStore(&self.path);
        if let Err(error) = thread::Builder::new().name("commits".to_owned()).spawn(close) {
            return log::warn!("database {name} is not closed, there is no thread for it: {error}");
        }
        match hear.recv_timeout(CLOSE_MAX) {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => log::warn!("database {name} is not closed: {reason}"),
            Err(_) => log::warn!("database {name} is not closed: its disk takes too long"),
        }
    }
}

/// What is served of the data and of what was written above it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origins {
    /// Keys that have the value that was written.
    pub(crate) written: usize,
    /// Keys that have the value of the data.
    pub(crate) data: usize,
    /// Keys of the data that have another value, or none.
    pub(crate) hidden: usize,
    /// Keys that were deleted, whether the data has them or not.
    pub(crate) deleted: usize,
}

impl Origins {
    pub(crate) fn of(store: &Store, written: &WrittenData) -> Origins {
        let hidden = written.values().filter(|(key, _)| store.get(key.as_bytes()).is_some()).count();
        let deleted = written.values().filter(|(_, kept)| **kept == KeptValue::Hidden).count();
        Origins { written: written.keys_count() - deleted, data: store.len() - hidden, hidden, deleted }
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origins { written, data, hidden, deleted } = self;
        let (of_data, of_store) = (counted(*data, "key"), counted(*written, "key"));
        let (hidden, deleted) = (grouped(*hidden), grouped(*deleted));
        write!(f, "{of_data} of the data ({hidden} more hidden), {of_store} of the store ({deleted} more deleted)")
    }
}

/// What keeps everybody from writing to a database, where something does: nobody connects from a loopback address to one that is none.
pub(crate) fn why_nobody_writes(listen: SocketAddr) -> Option<String> {
    let ip = listen.ip().to_canonical();
    if ip.is_loopback() || ip.is_unspecified() {
        return None;
    }
    let everywhere: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let instead = SocketAddr::new(everywhere, listen.port());
    Some(format!(
        "only clients on a loopback address may, and none of these can connect to {listen}: listen on {instead}, or on a loopback \
         address"
    ))
}

/// Says what is served from the start on.
pub(crate) fn announce(data: &DataSource, path: &Path, origins: &Origins) {
    let Origins { data: of_data, written, hidden, .. } = origins;
    let name = ShownStore(path);
    let DataSource::File(_) = data else { return log::info!("serving {} of {name}", counted(*written, "key")) };
    let hidden = if *hidden == 0 { String::new() } else { format!(" ({} more hidden)", grouped(*hidden)) };
    log::info!("serving {} of {data}{hidden} and {} of {name}", counted(*of_data, "key"), grouped(*written));
}

/// Says what is served from now on, where the data was read again.
pub(crate) fn announce_anew(data: &DataSource, path: &Path, store: &Store, written: &WrittenData) {
    match origins_while_serving(store, written) {
        _ if *data == DataSource::None => {}
        Some(origins) => announce(data, path, &origins),
        None => {
            let (of_data, above, name) =
                (counted(store.len(), "key"), counted(written.keys_count(), "key"), ShownStore(path));
            log::info!("serving {of_data} of {data}, but those that are hidden by the {above} of {name}");
        }
    }
}

/// Nobody is kept waiting for a count: of more keys there is none.
fn origins_while_serving(store: &Store, written: &WrittenData) -> Option<Origins> {
    (written.keys_count() <= COUNTED_WHILE_SERVING_MAX).then(|| Origins::of(store, written))
}

/// What a check finds: what was written, and what is said of it. What a start would refuse is an error.
pub(crate) fn look_at(path: &Path) -> anyhow::Result<(WrittenData, String)> {
    let name = ShownStore(path);
    let made = |said: &str| {
        database::could_write_anew(path).with_context(|| format!("cannot make database {name}"))?;
        Ok((WrittenData::default(), format!("{name}: {said}")))
    };
    let could_write = match database::could_write_to(path) {
        Err(OpenError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => return made("not there yet"),
        Err(OpenError::InUse) => None,
        could_write => Some(could_write.with_context(|| format!("cannot use database {name}"))?),
    };
    if could_write == Some(Ok(())) && std::fs::metadata(path).is_ok_and(|file| file.len() == 0) {
        return made("empty, it is made at the start");
    }
    let look = database::look_at(path).with_context(|| format!("cannot use database {name}"))?;
    let published = counted(look.written.published_count(), "file");
    let mut said = format!("{name}: {}, {published} published", counted(look.bytes_count, "byte"));
    let Some(could_write) = could_write else {
        said += "; in use by another servent: beside it none can start with it";
        return Ok((look.written, said));
    };
    let mut trouble = could_write.err();
    if !look.is_closed {
        said += "; not closed";
        trouble = trouble.or_else(|| database::could_write_anew(path).err().map(|error| error.to_string()));
    }
    if let Some(reason) = trouble {
        let advice = advice(path, &reason);
        said += &format!("; a start could not write to it, would serve it and take no more: {reason}{advice}");
    } else if let (Some(anew_bytes), Ok(free_bytes)) = (look.anew_bytes(), database::free_bytes_beside(path)) {
        said.extend(too_little_room(look.is_closed, anew_bytes, free_bytes));
    }
    Ok((look.written, said))
}

/// What is said where a start may find too little room to write a database anew.
fn too_little_room(is_closed: bool, anew_bytes: u64, free_bytes: u64) -> Option<String> {
    let stays = if is_closed { "stays as large as it is" } else { "is served then, and takes no more" };
    let (free, anew) = (counted(free_bytes, "byte"), grouped(anew_bytes));
    let said =
        format!("; a start writes it anew, for which {free} are free, and it may take {anew}: without them it {stays}");
    (free_bytes < anew_bytes).then_some(said)
}

/// Writes what was written as a key-value file. What no line can hold is told and left out, and that is an error at the end.
pub(crate) fn export(path: &Path, to: &mut impl Write) -> anyhow::Result<()> {
    let name = ShownStore(path);
    let look = database::read_from(path).with_context(|| format!("cannot use database {name}"))?;
    let (mut deleted_count, mut left_out_count, mut is_first) = (0_usize, 0_usize, true);
    for (key, kept) in look.written.values() {
        let KeptValue::Value(value) = kept else {
            deleted_count += 1;
            continue;
        };
        match line_of(key.as_bytes(), value, is_first) {
            Some(line) => {
                to.write_all(&line).context("cannot write to stdout")?;
                is_first = false;
            }
            None => {
                left_out_count += 1;
                if left_out_count <= LEFT_OUT_SAID_MAX {
                    log::warn!("{name}: {} is left out, no line can hold it", key);
                }
            }
        }
    }
    to.flush().context("cannot write to stdout")?;
    if deleted_count > 0 {
        log::warn!("{name}: {} deleted, which no line can say", counted(deleted_count, "key"));
    }
    if look.written.published_count() > 0 {
        let files = counted(look.written.published_count(), "file");
        log::warn!("{name}: {files} published, which no line can say");
    }
    if left_out_count > 0 {
        bail!("{name}: {} left out, which no line can hold", counted(left_out_count, "key"));
    }
    Ok(())
}

/// The line that is read as this key and this value, if there is one.
fn line_of(key: &[u8], value: &[u8], is_first: bool) -> Option<Vec<u8>> {
    let mut line = Vec::with_capacity(COMMENT.len() + key.len() + value.len() + 4);
    line.extend_from_slice(COMMENT);
    if key.starts_with(b"#") {
        // At the beginning of a line it would be a comment.
        line.push(b' ');
    }
    line.extend_from_slice(key);
    if !value.is_empty() {
        line.push(b' ');
        line.extend_from_slice(value);
    }
    if line.ends_with(b"\r") {
        // One is taken for a part of the line's end.
        line.push(b'\r');
    }
    line.push(b'\n');
    let (read, _) = Store::parse(line.clone()).ok()?;
    if read.len() != 1 || read.get(key) != Some(value) {
        return None;
    }
    // At the beginning of a file such bytes would be no part of the key.
    let needs_comment = is_first && key.starts_with(b"\xef\xbb\xbf");
    Some(if needs_comment { line } else { line.split_off(COMMENT.len()) })
}

/// A path of a database as it may be shown.
#[derive(Clone, Copy)]
pub(crate) struct ShownStore<'a>(pub(crate) &'a Path);

impl fmt::Display for ShownStore<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(self.0.as_os_str().as_bytes()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use common::key::Key;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Bytes among which those are frequent that mean something in a line.
    fn odd_bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            prop::sample::select(b" \t\r\n#\0ab\xef\xbb\xbf".to_vec()).prop_map(|byte| vec![byte]),
            Just(b"\xef\xbb\xbf".to_vec()),
            any::<u8>().prop_map(|byte| vec![byte]),
        ];
        vec(byte, 0..=most).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn all_lines_together_are_read_as_what_they_were_made_of(
            pairs in prop::collection::btree_map(odd_bytes(5), odd_bytes(6), 1..8),
        ) {
            let (mut text, mut held) = (Vec::new(), Vec::new());
            for (key, value) in pairs.iter().filter(|(key, _)| Key::new(key).is_ok()) {
                if let Some(line) = line_of(key, value, text.is_empty()) {
                    text.extend_from_slice(&line);
                    held.push((key.as_slice(), value.as_slice()));
                } else {
                    let is_plain = |byte: &u8| !b" \t\n\r".contains(byte);
                    prop_assert!(!(key.iter().all(is_plain) && value.iter().all(is_plain)), "{key:?} {value:?}");
                }
            }
            let (store, warnings) = Store::parse(text).unwrap();
            let read: Vec<_> = store.keys().map(|key| (key, store.get(key).unwrap())).collect();
            prop_assert_eq!(read, held);
            prop_assert_eq!(warnings.count, 0);
        }
    }

    #[test]
    fn what_is_above_the_data_hides_it() {
        let (store, _) = Store::parse(b"tea green\nmate bitter\nrooibos red\n".to_vec()).unwrap();
        let key = |key: &str| Key::new(key.as_bytes()).unwrap();
        let mut written = WrittenData::default();
        written.apply(StoreChange::Put { key: key("tea"), value: b"red"[..].into() });
        written.apply(StoreChange::Put { key: key("coffee"), value: b""[..].into() });
        written.apply(StoreChange::Hide { key: key("mate") });
        written.apply(StoreChange::Hide { key: key("nothing") });
        let origins = Origins { written: 2, data: 1, hidden: 2, deleted: 2 };
        assert_eq!(Origins::of(&store, &written), origins);
        assert_eq!(origins_while_serving(&store, &written), Some(origins));
    }

    #[test]
    fn who_cannot_be_reached_from_a_loopback_address_is_written_to_by_nobody() {
        let said = |listen: &str| why_nobody_writes(listen.parse().unwrap());
        for listen in ["127.0.0.7:9001", "[::1]:9001", "0.0.0.0:9001", "[::]:9001", "[::ffff:127.0.0.1]:9001"] {
            assert_eq!(said(listen), None, "{listen}");
        }
        for (listen, instead) in [
            ("192.0.2.7:9001", "to 192.0.2.7:9001: listen on 0.0.0.0:9001,"),
            ("[2001:db8::7]:9001", "to [2001:db8::7]:9001: listen on [::]:9001,"),
        ] {
            assert!(said(listen).is_some_and(|said| said.contains(instead)), "{listen}");
        }
    }

    #[test]
    fn room_is_missed_where_there_is_less_than_may_be_taken() {
        assert_eq!((too_little_room(false, 9, 9), too_little_room(true, 9, 10)), (None, None));
        let said = |is_closed| too_little_room(is_closed, 5_000_000, 4_999_999).unwrap();
        let anew =
            "; a start writes it anew, for which 4,999,999 bytes are free, and it may take 5,000,000: without them it";
        assert_eq!(said(false), format!("{anew} is served then, and takes no more"));
        assert_eq!(said(true), format!("{anew} stays as large as it is"));
    }

    #[test]
    fn nobody_waits_while_very_many_keys_are_counted() {
        let mut written = WrittenData::default();
        let hide = |number: usize| StoreChange::Hide { key: Key::new(number.to_string().as_bytes()).unwrap() };
        (0..COUNTED_WHILE_SERVING_MAX).for_each(|number| written.apply(hide(number)));
        let deleted =
            |written: &WrittenData| origins_while_serving(&Store::default(), written).map(|origins| origins.deleted);
        assert_eq!(deleted(&written), Some(COUNTED_WHILE_SERVING_MAX));
        written.apply(hide(COUNTED_WHILE_SERVING_MAX));
        assert_eq!(deleted(&written), None);
    }
}
