//! The tables of a database, and what was written in them.
//!
//! Table `values` has a key and its value, or nothing for one that hides the line of the data file; `descriptions` the name of
//! a file that is published and what it is described as; `about` the format, and what all entries add up to. A format that older
//! servents cannot use counts one more.

use std::borrow::Borrow;
use std::sync::Arc;

use common::content::search::FileName;
use common::key::Key;
use common::limits::{DESCRIPTION_BYTES_MAX, VALUE_BYTES_MAX, WRITTEN_BYTES_MAX, WRITTEN_KEYS_MAX};
use common::written::{KeptValue, StoreChange, WrittenData};
use redb::{
    ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition, TableError, TableHandle,
    WriteTransaction,
};

use crate::ahead;
use crate::storage::OpenError;
use crate::sum::{EntriesSum, SummedEntry};

const VALUES: TableDefinition<&[u8], Option<&[u8]>> = TableDefinition::new("values");
const DESCRIPTIONS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("descriptions");
const ABOUT: TableDefinition<&str, u64> = TableDefinition::new("about");

const FORMAT_NAME: &str = "format";
const SUM_NAME: &str = "sum";
/// What this servent writes.
pub(crate) const FORMAT: u64 = 1;

/// Makes the tables, and says of what format they are.
pub(crate) fn make(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(ABOUT)?.insert(FORMAT_NAME, FORMAT)?;
    transaction.open_table(VALUES)?;
    transaction.open_table(DESCRIPTIONS)?;
    Ok(())
}

/// Writes down what all entries add up to.
pub(crate) fn set_sum(transaction: &WriteTransaction, sum: EntriesSum) -> Result<(), redb::Error> {
    transaction.open_table(ABOUT)?.insert(SUM_NAME, sum.number())?;
    Ok(())
}

/// Makes changes, in their order. Gives what all entries add up to then, who added up to this before.
pub(crate) fn apply(
    transaction: &WriteTransaction,
    mut sum: EntriesSum,
    changes: impl IntoIterator<Item: Borrow<StoreChange>>,
) -> Result<EntriesSum, redb::Error> {
    let mut values = transaction.open_table(VALUES)?;
    let mut descriptions = transaction.open_table(DESCRIPTIONS)?;
    for change in changes {
        match change.borrow() {
            StoreChange::Put { key, value } => set_value(&mut values, &mut sum, key, Some(value))?,
            StoreChange::Hide { key } => set_value(&mut values, &mut sum, key, None)?,
            StoreChange::Forget { key } => {
                let key = key.as_bytes();
                if let Some(before) = values.remove(key)? {
                    sum.take_away(SummedEntry::Value(key, before.value()));
                }
            }
            StoreChange::Publish { name, text } => {
                let name = name.as_bytes();
                if let Some(before) = descriptions.insert(name, &**text)? {
                    sum.take_away(SummedEntry::Description(name, before.value()));
                }
                sum.add(SummedEntry::Description(name, text));
            }
            StoreChange::Unpublish { name } => {
                let name = name.as_bytes();
                if let Some(before) = descriptions.remove(name)? {
                    sum.take_away(SummedEntry::Description(name, before.value()));
                }
            }
        }
    }
    Ok(sum)
}

fn set_value(
    values: &mut Table<'_, &'static [u8], Option<&'static [u8]>>,
    sum: &mut EntriesSum,
    key: &Key,
    value: Option<&[u8]>,
) -> Result<(), redb::Error> {
    let key = key.as_bytes();
    if let Some(before) = values.insert(key, value)? {
        sum.take_away(SummedEntry::Value(key, before.value()));
    }
    sum.add(SummedEntry::Value(key, value));
    Ok(())
}

/// Whether everything is as it would be after these changes.
pub(crate) fn is_as_after(database: &redb::Database, changes: &[StoreChange]) -> Result<bool, redb::Error> {
    let transaction = database.begin_read()?;
    let (values, descriptions) = (transaction.open_table(VALUES)?, transaction.open_table(DESCRIPTIONS)?);
    let mut last = WrittenData::default();
    let (mut forgotten, mut unpublished) = (Vec::new(), Vec::new());
    for change in changes {
        last.apply(change.clone());
        match change {
            StoreChange::Forget { key } => forgotten.push(key),
            StoreChange::Unpublish { name } => unpublished.push(name),
            StoreChange::Put { .. } | StoreChange::Hide { .. } | StoreChange::Publish { .. } => {}
        }
    }
    for (key, kept) in last.values() {
        let there = values.get(key.as_bytes())?;
        let is_same = match (there.as_ref().map(redb::AccessGuard::value), kept) {
            (Some(Some(there)), KeptValue::Value(value)) => there == &**value,
            (Some(None), KeptValue::Hidden) => true,
            _ => false,
        };
        if !is_same {
            return Ok(false);
        }
    }
    for (name, text) in last.published_from(b"") {
        if descriptions.get(name.as_bytes())?.is_none_or(|there| there.value() != &**text) {
            return Ok(false);
        }
    }
    for key in forgotten {
        if last.kept(key.as_bytes()).is_none() && values.get(key.as_bytes())?.is_some() {
            return Ok(false);
        }
    }
    for name in unpublished {
        if last.description(name.as_bytes()).is_none() && descriptions.get(name.as_bytes())?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What redb gives a page, and what it keeps beside each entry.
const PAGE_BYTES: usize = 4096;
const ENTRY_BYTES: usize = 32;

/// How much room what was written takes when it is written anew, and rather more than less: a short entry is in a page that may be half
/// empty, a long one has pages of its own, a power of two of them.
pub(crate) fn used_bytes(written: &WrittenData) -> u64 {
    let room = |length: usize| {
        let length = length + ENTRY_BYTES;
        if 2 * length <= PAGE_BYTES { 2 * length } else { length.next_power_of_two().max(PAGE_BYTES) }
    };
    let values = written.values().map(|(key, kept)| {
        let value_bytes = if let KeptValue::Value(value) = kept { value.len() } else { 0 };
        room(key.as_bytes().len() + value_bytes)
    });
    let published = written.published_from(b"").map(|(name, text)| room(name.as_bytes().len() + text.len()));
    values.chain(published).map(|length| length as u64).sum()
}

/// Everything, in pieces that are less than a commit may have.
pub(crate) fn changes_of(written: &WrittenData) -> impl Iterator<Item = StoreChange> {
    let values = written.values().map(|(key, kept)| match kept {
        KeptValue::Value(value) => StoreChange::Put { key: key.clone(), value: Arc::clone(value) },
        KeptValue::Hidden => StoreChange::Hide { key: key.clone() },
    });
    let published = written.published_from(b"");
    let published = published.map(|(name, text)| StoreChange::Publish { name: name.clone(), text: Arc::clone(text) });
    values.chain(published)
}

/// All there is in the tables.
#[derive(Debug)]
pub(crate) struct ReadTables {
    pub(crate) written: WrittenData,
    /// What all of it adds up to.
    pub(crate) sum: EntriesSum,
    /// Whether that is what whoever closed it last has written down.
    pub(crate) adds_up: bool,
}

/// Reads everything. Whatever none of ours would have written is an error.
pub(crate) fn read(database: &impl ReadableDatabase) -> Result<ReadTables, OpenError> {
    let transaction = database.begin_read().map_err(damaged)?;
    check_format(&transaction)?;
    let values = transaction.open_table(VALUES).map_err(foreign)?;
    let descriptions = transaction.open_table(DESCRIPTIONS).map_err(foreign)?;
    let keys_count = values.len().map_err(damaged)?.saturating_add(descriptions.len().map_err(damaged)?);
    if keys_count > WRITTEN_KEYS_MAX as u64 {
        return Err(OpenError::TooMuch(format!("{keys_count} keys, and {WRITTEN_KEYS_MAX} are the most")));
    }
    let (mut written, mut sum) = (WrittenData::default(), EntriesSum::default());
    let length_of = |value: Option<&[u8]>| value.map_or(0, <[u8]>::len);
    ahead::for_each(values.iter().map_err(damaged)?, length_of, |key, value| {
        sum.add(SummedEntry::Value(key, value));
        let key = Key::new(key).map_err(|error| OpenError::Foreign(error.to_string()))?;
        let change = match value {
            Some(value) if value.len() > VALUE_BYTES_MAX => {
                return Err(too_long("value", value.len(), VALUE_BYTES_MAX));
            }
            Some(value) => StoreChange::Put { key, value: value.into() },
            None => StoreChange::Hide { key },
        };
        keep(&mut written, change)
    })?;
    ahead::for_each(descriptions.iter().map_err(damaged)?, <[u8]>::len, |name, text| {
        sum.add(SummedEntry::Description(name, text));
        let name = FileName::new(name).map_err(|error| OpenError::Foreign(error.to_string()))?;
        if text.len() > DESCRIPTION_BYTES_MAX {
            return Err(too_long("description", text.len(), DESCRIPTION_BYTES_MAX));
        }
        keep(&mut written, StoreChange::Publish { name, text: text.into() })
    })?;
    let about = transaction.open_table(ABOUT).map_err(foreign)?;
    let said = about.get(SUM_NAME).map_err(damaged)?.map(|said| EntriesSum::of(said.value()));
    // An entry that is there twice is in memory once.
    let are_all_there = keys_count == (written.keys_count() + written.published_count()) as u64;
    Ok(ReadTables { written, sum, adds_up: are_all_there && said == Some(sum) })
}

fn keep(written: &mut WrittenData, change: StoreChange) -> Result<(), OpenError> {
    written.apply(change);
    if written.bytes_count() > WRITTEN_BYTES_MAX {
        return Err(OpenError::TooMuch(format!("more than {WRITTEN_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn check_format(transaction: &redb::ReadTransaction) -> Result<(), OpenError> {
    let about = transaction.open_table(ABOUT).map_err(foreign)?;
    let format = about.get(FORMAT_NAME).map_err(damaged)?.map(|format| format.value());
    match format {
        Some(FORMAT) => {}
        Some(format) if format > FORMAT => {
            return Err(OpenError::Newer(format!("{format}, and this servent knows {FORMAT}")));
        }
        _ => return Err(OpenError::Foreign("it does not say of what format it is".to_owned())),
    }
    let ours = [VALUES.name(), DESCRIPTIONS.name(), ABOUT.name()];
    match transaction.list_tables().map_err(damaged)?.find(|table| !ours.contains(&table.name())) {
        Some(table) => Err(OpenError::Foreign(format!("it has a table `{}`", table.name().escape_debug()))),
        None => Ok(()),
    }
}

fn too_long(what: &str, bytes_count: usize, most: usize) -> OpenError {
    OpenError::TooMuch(format!("a {what} of {bytes_count} bytes, and {most} are the most"))
}

/// Without one of the tables it is somebody else's.
fn foreign(error: TableError) -> OpenError {
    match error {
        TableError::Storage(error) => damaged(error),
        error => OpenError::Foreign(error.to_string()),
    }
}

pub(crate) fn damaged(error: impl Into<redb::Error>) -> OpenError {
    match error.into() {
        // What is behind the end of a file that was cut.
        redb::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            OpenError::Damaged("it ends too early".to_owned())
        }
        redb::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            OpenError::Foreign(error.to_string())
        }
        redb::Error::Io(error) => OpenError::Io(error),
        redb::Error::Corrupted(reason) if reason.contains("format version") => OpenError::Newer(reason),
        redb::Error::UpgradeRequired(version) => OpenError::Foreign(format!("it is of the old format {version}")),
        error => OpenError::Damaged(error.to_string()),
    }
}
