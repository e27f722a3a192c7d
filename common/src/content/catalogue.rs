//! The files a servent shares, found by name, by hash and by words.
//!
//! It is made once of what was looked through and never changed: what changes makes another. How a directory is looked
//! through is the servent's, and which of the files are not to be given out just now is known to the mind.

use memchr::memmem;

use super::search::Words;
use super::{ContentHash, FileStamp};
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

impl Catalogue {
    /// One without files.
    pub const EMPTY: Catalogue =
        Catalogue { rows: Vec::new(), by_hash: Vec::new(), text: Vec::new(), folded: Vec::new(), bytes_count: 0 };

    /// One of these files; what each is described as is the value of its name in the data.
    #[must_use]
    pub fn new(mut files: Vec<SharedFile>, store: &Store) -> Catalogue {
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
    pub fn from<'a>(&'a self, name: &[u8]) -> impl Iterator<Item = Listed<'a>> + use<'a> {
        let first = self.rows.partition_point(|row| self.text.get(row.name_at..row.name_end) < Some(name));
        (first..self.rows.len()).filter_map(|place| self.get(place))
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
    pub fn find<'a>(&'a self, words: &Words) -> impl Iterator<Item = Listed<'a>> + use<'a> {
        let mut folded: Vec<Vec<u8>> = words.each().map(folded).collect();
        // What is looked for everywhere is the longest: fewer have it.
        folded.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let finder = folded.first().map(|word| memmem::Finder::new(word).into_owned());
        let mut place = 0;
        std::iter::from_fn(move || {
            loop {
                if let Some(finder) = &finder {
                    let at = self.rows.get(place)?.folded_at;
                    let found = at + finder.find(self.folded.get(at..)?)?;
                    // That it is in this or in one behind it is known.
                    place += self.rows.get(place..)?.partition_point(|row| row.folded_at <= found) - 1;
                }
                let here = place;
                place += 1;
                let text = self.folded_text(here)?;
                if folded.iter().skip(1).all(|word| memmem::find(text, word).is_some()) {
                    return self.get(here);
                }
            }
        })
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

/// As much of a text as that many bytes hold, and no half of a character.
fn cut(text: &[u8], bytes_max: usize) -> &[u8] {
    let Some(start) = text.get(..bytes_max) else { return text };
    match std::str::from_utf8(start) {
        // Only what the cut has broken is left out: other bytes that are no UTF-8 are the text's own.
        Err(error) if error.error_len().is_none() => start.get(..error.valid_up_to()).unwrap_or(start),
        _ => start,
    }
}

fn folded(text: &[u8]) -> Vec<u8> {
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
