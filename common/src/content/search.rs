//! What contents are looked for by, and what is told of those that are found.
//!
//! Words and their limits. Where they are looked for is `catalogue`.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use super::ContentHash;
use super::transfer::Have;
use crate::limits::{
    ENTRIES_BYTES_MAX, ENTRIES_MAX, FILE_NAME_BYTES_MAX, FIND_WORD_BYTES_MAX, FIND_WORDS_MAX, HASH_START_BYTES_MIN,
};
use crate::text::Escaped;

/// Words that all have to be in the name or the description of what is looked for, whatever their case. Without any all is
/// looked for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Words(Arc<[Box<[u8]>]>);

/// Why words cannot be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    /// There are too many.
    #[error("{0} words; {FIND_WORDS_MAX} are the most")]
    TooMany(usize),
    /// One is of no bytes.
    #[error("an empty word")]
    Empty,
    /// One is too long.
    #[error("a word of {0} bytes; {FIND_WORD_BYTES_MAX} are the most")]
    TooLong(usize),
    /// One has a byte in it that is in no name.
    #[error("a word with a NUL in it")]
    Nul,
}

impl Words {
    /// Takes these for what is looked for, if they can be.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a [u8]>) -> Result<Words, WordsError> {
        let (mut taken, mut count) = (Vec::new(), 0);
        for word in words {
            count += 1;
            match word.len() {
                0 => return Err(WordsError::Empty),
                length if length > FIND_WORD_BYTES_MAX => return Err(WordsError::TooLong(length)),
                _ if word.contains(&0) => return Err(WordsError::Nul),
                _ if count <= FIND_WORDS_MAX => taken.push(Box::from(word)),
                _ => {}
            }
        }
        if count > FIND_WORDS_MAX { Err(WordsError::TooMany(count)) } else { Ok(Words(taken.into())) }
    }

    /// Each as it was said.
    pub fn each(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// How much they take to keep.
    pub(crate) fn bytes_count(&self) -> usize {
        self.0.iter().map(|word| size_of_val(word) + word.len()).sum()
    }
}

impl fmt::Debug for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({self})")
    }
}

/// With a blank between two.
impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, word) in self.each().enumerate() {
            let blank = if place == 0 { "" } else { " " };
            write!(f, "{blank}{}", Escaped::new(word))?;
        }
        Ok(())
    }
}

/// The name of a shared file: its path from the directory, of 1 to [`FILE_NAME_BYTES_MAX`] bytes but NUL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(Arc<[u8]>);

/// Why bytes are not the name of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileNameError {
    /// There are none.
    #[error("the name is empty")]
    Empty,
    /// There are too many.
    #[error("the name has {0} bytes; {FILE_NAME_BYTES_MAX} is the most")]
    TooLong(usize),
    /// No file has such a name.
    #[error("the name has a NUL in it")]
    Nul,
}

impl FileName {
    /// Takes bytes for the name of a file if they can be that.
    pub fn new(bytes: &[u8]) -> Result<FileName, FileNameError> {
        FileName::check(bytes)?;
        Ok(FileName(bytes.into()))
    }

    /// Whether bytes can be the name of a file.
    pub fn check(bytes: &[u8]) -> Result<(), FileNameError> {
        match bytes.len() {
            0 => Err(FileNameError::Empty),
            length if length > FILE_NAME_BYTES_MAX => Err(FileNameError::TooLong(length)),
            _ if bytes.contains(&0) => Err(FileNameError::Nul),
            _ => Ok(()),
        }
    }

    /// The bytes of the name.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// In a table by names it is found by its bytes.
impl Borrow<[u8]> for FileName {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileName({self})")
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Escaped::new(&self.0).fmt(f)
    }
}

/// The first bytes of a hash, enough of them that few contents have the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HashStart {
    bytes: [u8; 32],
    count: u8,
}

/// Why bytes are not the first of a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes of a hash, where {HASH_START_BYTES_MIN} to 32 are said")]
pub struct HashStartError(pub usize);

impl HashStart {
    /// Takes bytes for the first of a hash if there are as many as there must be.
    pub fn new(first: &[u8]) -> Result<HashStart, HashStartError> {
        let (count, mut bytes) = (first.len(), [0; 32]);
        match (u8::try_from(count), bytes.get_mut(..count)) {
            (Ok(short), Some(place)) if count >= HASH_START_BYTES_MIN => {
                place.copy_from_slice(first);
                Ok(HashStart { bytes, count: short })
            }
            _ => Err(HashStartError(count)),
        }
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.count)).unwrap_or_default()
    }
}

impl From<ContentHash> for HashStart {
    fn from(hash: ContentHash) -> HashStart {
        HashStart { bytes: hash.0, count: 32 }
    }
}

impl fmt::Debug for HashStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashStart({self})")
    }
}

/// The digits there are.
impl fmt::Display for HashStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::write_digits(self.as_bytes(), f)
    }
}

/// A content that somebody has, as it is told to whoever looks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What its file is called there.
    pub name: FileName,
    /// How many bytes it has.
    pub size: u64,
    /// Its hash.
    pub hash: ContentHash,
    /// What it is described as there, cut to [`DESCRIPTION_BYTES_MAX`](crate::limits::DESCRIPTION_BYTES_MAX).
    pub description: Vec<u8>,
    /// Which of its blocks are there.
    pub have: Have,
}

impl Entry {
    /// What it counts for against [`ENTRIES_BYTES_MAX`]: no less than its bytes on the wire.
    #[must_use]
    pub fn bytes_count(&self) -> usize {
        let runs_count = if let Have::Runs(runs) = &self.have { runs.len() } else { 0 };
        64 + self.name.as_bytes().len() + self.description.len() + 10 * runs_count
    }
}

/// Some of what somebody has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entries {
    /// These: at most [`ENTRIES_MAX`], and no more than [`ENTRIES_BYTES_MAX`] together.
    pub entries: Vec<Entry>,
    /// How many more there are; of what is found by words, at least so many.
    pub more: u64,
    /// How many contents are being given out there just now.
    pub uploads: u32,
}

impl Entries {
    /// As many of these as are told at once; `entry` makes an entry of one, if it can be told.
    pub fn of<T>(mut all: impl Iterator<Item = T>, entry: impl Fn(T) -> Option<Entry>, uploads: u32) -> Entries {
        let mut gathered = GatheredEntries::default();
        while !gathered.is_full()
            && let Some(one) = all.next()
        {
            gathered.add(|| entry(one));
        }
        let more = if gathered.is_full() { count_of(all) } else { 0 };
        let told = gathered.told(uploads);
        Entries { more: told.more + more, ..told }
    }

    /// How much it takes to keep them, beside the struct itself.
    pub(crate) fn bytes_count(&self) -> usize {
        self.entries.iter().map(|entry| size_of::<Entry>() + entry.bytes_count()).sum()
    }
}

/// Entries that are gathered to be told, in order: from the first that has no place on they are only counted, and nothing is
/// made of them, since there may be a million.
#[derive(Clone, Debug, Default)]
pub struct GatheredEntries {
    entries: Vec<Entry>,
    bytes_count: usize,
    /// Those that had no place.
    more: u64,
}

impl GatheredEntries {
    /// Whether no more have a place.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.more > 0
    }

    /// One more, of which `entry` makes one, if it can be told.
    pub fn add(&mut self, entry: impl FnOnce() -> Option<Entry>) {
        if self.is_full() {
            self.more += 1;
            return;
        }
        let Some(entry) = entry() else { return };
        self.bytes_count += entry.bytes_count();
        if self.entries.len() == ENTRIES_MAX || self.bytes_count > ENTRIES_BYTES_MAX {
            self.more = 1;
        } else {
            self.entries.push(entry);
        }
    }

    /// What is told of them.
    #[must_use]
    pub fn told(self, uploads: u32) -> Entries {
        let GatheredEntries { entries, bytes_count: _, more } = self;
        Entries { entries, more, uploads }
    }
}

/// How many there are, without a look at each where that is known.
fn count_of<T>(all: impl Iterator<Item = T>) -> u64 {
    let count = match all.size_hint() {
        (least, Some(most)) if least == most => least,
        _ => all.count(),
    };
    count as u64
}

/// Client to servent: its files are wanted that have this name or one behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The client's own number of the listing.
    pub list: u32,
    /// The name; nothing for all of them.
    pub from: Vec<u8>,
}

/// Servent to client: some of its files, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPart {
    /// The client's own number of the listing.
    pub list: u32,
    /// The first of those that are wanted, and how many more there are.
    pub entries: Entries,
}
