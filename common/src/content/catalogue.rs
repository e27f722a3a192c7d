//! The files a servent shares, found by name, by hash and by words.
//!
//! It is made once of what was looked through and never changed: what changes makes another. How a directory is looked
//! through is the servent's, and which of the files are not to be given out just now is known to the mind.

use std::ops::Range;

use memchr::memmem;

use super::search::{Entry, FileName, Words};
use super::transfer::Have;
use super::{Blocks, ContentHash, FileStamp};
use crate::limits::DESCRIPTION_BYTES_MAX;
use crate::store::Store;

/// A file that is shared, as whoever has looked it through says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedFile {
    /// Its path from the directory that is shared.
    pub name: Vec<u8>,
    /// The hash of its bytes.
    pub hash: ContentHash,
    /// What it showed of itself then.
    pub stamp: FileStamp,
    /// Where whoever hashed it has kept the hashes of its blocks.
    pub hashes_at: u64,
}

/// Shared files, in the order of their names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    rows: Vec<FileRow>,
    /// Places in `rows`, in the order of hashes.
    by_hash: Vec<u32>,
    /// Of each row its name and what it is described as.
    text: Vec<u8>,
    /// The same with case folded, NUL behind each of the two: no name has one in it.
    folded: Vec<u8>,
    bytes_count: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct FileRow {
    hash: ContentHash,
    stamp: FileStamp,
    hashes_at: u64,
    name_at: usize,
    name_end: usize,
    description_end: usize,
    folded_at: usize,
}

/// A file of a catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// Its place in the order of names.
    pub place: usize,
    /// Its path from the directory that is shared.
    pub name: &'a [u8],
    /// What it is described as, cut to [`DESCRIPTION_BYTES_MAX`].
    pub description: &'a [u8],
    /// The hash of its bytes.
    pub hash: ContentHash,
    /// What it showed of itself when it was hashed.
    pub stamp: FileStamp,
    /// Where the hashes of its blocks are kept.
    pub hashes_at: u64,
}

impl Listed<'_> {
    /// What is told of it to whoever looks for it.
    #[must_use]
    pub fn entry(self) -> Option<Entry> {
        let size = self.stamp.size;
        Some(Entry {
            name: FileName::new(self.name).ok()?,
            size,
            hash: self.hash,
            description: self.description.to_vec(),
            have: Have::all(Blocks::of(size).ok()?.count()),
        })
    }
}

impl Catalogue {
    /// One without files.
    pub const EMPTY: Catalogue =
        Catalogue { rows: Vec::new(), by_hash: Vec::new(), text: Vec::new(), folded: Vec::new(), bytes_count: 0 };

    /// One of these files; what each is described as is the value of its name in the data. A file is left out that nobody could be
    /// told of, because its name is none or it is too large.
    #[must_use]
    pub fn new(mut files: Vec<SharedFile>, store: &Store) -> Catalogue {
        files.retain(|file| FileName::check(&file.name).is_ok() && Blocks::of(file.stamp.size).is_ok());
        files.sort_by(|one, other| one.name.cmp(&other.name));
        files.dedup_by(|one, other| one.name == other.name);
        let mut catalogue = Catalogue { rows: Vec::with_capacity(files.len()), ..Catalogue::default() };
        for file in &files {
            let name_at = catalogue.text.len();
            catalogue.text.extend_from_slice(&file.name);
            let name_end = catalogue.text.len();
            let description = cut(store.get(&file.name).unwrap_or_default(), DESCRIPTION_BYTES_MAX);
            catalogue.text.extend_from_slice(description);
            let folded_at = catalogue.folded.len();
            for part in [file.name.as_slice(), description] {
                fold(part, &mut catalogue.folded);
                catalogue.folded.push(0);
            }
            catalogue.bytes_count = catalogue.bytes_count.saturating_add(file.stamp.size);
            catalogue.rows.push(FileRow {
                hash: file.hash,
                stamp: file.stamp,
                hashes_at: file.hashes_at,
                name_at,
                name_end,
                description_end: catalogue.text.len(),
                folded_at,
            });
        }
        let mut by_hash: Vec<u32> = (0..).take(files.len()).collect();
        by_hash.sort_by_key(|place| catalogue.rows.get(*place as usize).map(|row| row.hash));
        Catalogue { by_hash, ..catalogue }
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many bytes they have together.
    #[must_use]
    pub fn bytes_count(&self) -> u64 {
        self.bytes_count
    }

    /// The file at a place in the order of names.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<Listed<'_>> {
        let row = self.rows.get(place)?;
        Some(Listed {
            place,
            name: self.text.get(row.name_at..row.name_end)?,
            description: self.text.get(row.name_end..row.description_end)?,
            hash: row.hash,
            stamp: row.stamp,
            hashes_at: row.hashes_at,
        })
    }

    /// The file of this name.
    #[must_use]
    pub fn named(&self, name: &[u8]) -> Option<Listed<'_>> {
        self.from(name).next().filter(|file| file.name == name)
    }

    /// Those of this name and behind it, in the order of names.
    #[must_use]
    pub fn from(&self, name: &[u8]) -> FilesByName<'_> {
        let first = self.rows.partition_point(|row| self.text.get(row.name_at..row.name_end) < Some(name));
        FilesByName { catalogue: self, places: first..self.rows.len() }
    }

    /// Those whose hash begins with these bytes, in the order of hashes.
    pub fn hashed<'a>(&'a self, first_bytes: &'a [u8]) -> impl Iterator<Item = Listed<'a>> + use<'a> {
        let hash_at = |place: &u32| self.rows.get(*place as usize).map(|row| row.hash);
        let begin = self.by_hash.partition_point(|place| {
            hash_at(place).is_some_and(|hash| hash.0.get(..first_bytes.len()) < Some(first_bytes))
        });
        let files = self.by_hash.iter().skip(begin).filter_map(|place| self.get(*place as usize));
        files.take_while(|file| file.hash.0.starts_with(first_bytes))
    }

    /// Those in whose name or description is every word, in the order of names: all where there is none.
    #[must_use]
    pub fn find(&self, words: &Words) -> FilesFound<'_> {
        self.find_from(words, &[])
    }

    /// Those of this name and behind it in whose name or description is every word.
    #[must_use]
    pub fn find_from(&self, words: &Words, name: &[u8]) -> FilesFound<'_> {
        let mut words: Vec<Vec<u8>> = words.each().map(folded).collect();
        // What is looked for everywhere is the longest: fewer have it.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let mut finders = words.into_iter().map(|word| memmem::Finder::new(&word).into_owned());
        let longest = finders.next();
        FilesFound { left: self.from(name), longest, others: finders.collect() }
    }

    fn folded_text(&self, place: usize) -> Option<&[u8]> {
        let at = self.rows.get(place)?.folded_at;
        let end = self.rows.get(place + 1).map_or(self.folded.len(), |row| row.folded_at);
        self.folded.get(at..end)
    }

    /// What it holds in memory, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let Catalogue { rows, by_hash, text, folded, bytes_count: _ } = self;
        size_of::<Catalogue>()
            + rows.capacity() * size_of::<FileRow>()
            + by_hash.capacity() * size_of::<u32>()
            + text.capacity()
            + folded.capacity()
    }
}

/// Files of a catalogue in the order of their names.
#[derive(Clone, Debug)]
pub struct FilesByName<'a> {
    catalogue: &'a Catalogue,
    places: Range<usize>,
}

impl FilesByName<'_> {
    /// Their places in the order of names.
    #[must_use]
    pub fn places(&self) -> Range<usize> {
        self.places.clone()
    }
}

impl<'a> Iterator for FilesByName<'a> {
    type Item = Listed<'a>;

    fn next(&mut self) -> Option<Listed<'a>> {
        self.catalogue.get(self.places.next()?)
    }

    /// It is known how many are left.
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.places.size_hint()
    }
}

/// What it takes to look at one file, or for one more word in it, in bytes that are looked through in the same time.
const LOOK_BYTES: u64 = 32;

/// Files of a catalogue that have some words.
#[derive(Clone, Debug)]
pub struct FilesFound<'a> {
    left: FilesByName<'a>,
    /// That of the longest word; none where all files are wanted.
    longest: Option<memmem::Finder<'static>>,
    others: Vec<memmem::Finder<'static>>,
}

/// What came of looking for the next of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FindStep<'a> {
    /// There it is.
    Found(Listed<'a>),
    /// There is none any more.
    End,
    /// Nobody knows yet: as much was looked through as was to be.
    Spent,
}

impl<'a> FilesFound<'a> {
    /// Looks for the next of them, through so many bytes at most, from which it takes those it was. One file is looked at
    /// whole, so it may be one more.
    pub fn step(&mut self, bytes_left: &mut u64) -> FindStep<'a> {
        while *bytes_left > 0 {
            if self.skip_to_next(bytes_left).is_none() {
                continue;
            }
            let Some(file) = self.left.next() else { return FindStep::End };
            let text = self.left.catalogue.folded_text(file.place).unwrap_or_default();
            let look_bytes = LOOK_BYTES + text.len() as u64;
            *bytes_left = bytes_left.saturating_sub(look_bytes);
            let mut has = |word: &memmem::Finder<'_>| {
                *bytes_left = bytes_left.saturating_sub(look_bytes);
                word.find(text).is_some()
            };
            if self.others.iter().all(&mut has) {
                return FindStep::Found(file);
            }
        }
        if self.left.places.is_empty() { FindStep::End } else { FindStep::Spent }
    }

    /// The name of the file it goes on with.
    #[must_use]
    pub fn goes_on_at(&self) -> Option<&'a [u8]> {
        self.left.catalogue.get(self.left.places.start).map(|file| file.name)
    }

    /// Passes over files that do not have the longest word. Nothing where it has not come to one that has it: then as much was
    /// looked through as was to be.
    fn skip_to_next(&mut self, bytes_left: &mut u64) -> Option<()> {
        let Some(longest) = &self.longest else { return Some(()) };
        let (Catalogue { rows, folded, .. }, places) = (self.left.catalogue, &mut self.left.places);
        let Some(at) = rows.get(places.start).map(|row| row.folded_at) else { return Some(()) };
        let most = usize::try_from(*bytes_left).unwrap_or(usize::MAX);
        // It may begin with the last byte of those.
        let end = at.saturating_add(most).saturating_add(longest.needle().len().saturating_sub(1)).min(folded.len());
        let found = longest.find(folded.get(at..end)?);
        let passed = found.unwrap_or(most.min(folded.len() - at));
        *bytes_left = bytes_left.saturating_sub(passed as u64);
        if found.is_none() && end == folded.len() {
            places.start = places.end;
            return Some(());
        }
        // That is in this file or in one behind it, and where many have the word in one that is near.
        let (mut low, mut step) = (places.start, 1);
        while rows.get(low + step).is_some_and(|row| row.folded_at <= at + passed) {
            low += step;
            step *= 2;
        }
        let near = rows.get(low + 1..rows.len().min(low + step)).unwrap_or_default();
        places.start = low + near.partition_point(|row| row.folded_at <= at + passed);
        found.map(|_| ())
    }
}

impl<'a> Iterator for FilesFound<'a> {
    type Item = Listed<'a>;

    fn next(&mut self) -> Option<Listed<'a>> {
        let mut bytes_left = u64::MAX;
        if let FindStep::Found(file) = self.step(&mut bytes_left) { Some(file) } else { None }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (left, most) = self.left.size_hint();
        (if self.longest.is_none() { left } else { 0 }, most)
    }
}

/// As much of a text as that many bytes hold, and no half of a character.
fn cut(text: &[u8], bytes_max: usize) -> &[u8] {
    let mut end = 0;
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            if end + character.len_utf8() > bytes_max {
                return text.get(..end).unwrap_or(text);
            }
            end += character.len_utf8();
        }
        // Bytes that are no UTF-8 stand for themselves.
        end += chunk.invalid().len();
        if end > bytes_max {
            return text.get(..bytes_max).unwrap_or(text);
        }
    }
    text
}

/// A text with each letter in lower case; bytes that are no UTF-8 stay as they are.
pub(crate) fn folded(text: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(text.len());
    fold(text, &mut folded);
    folded
}

/// Appends a text with each letter in lower case; bytes that are no UTF-8 stay as they are.
fn fold(text: &[u8], into: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars().flat_map(char::to_lowercase) {
            into.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
        into.extend_from_slice(chunk.invalid());
    }
}
