//! What is told of files at once, beside the files that there are: none too many, none left out, and all others counted.

use common::content::search::{Entries, Entry};
use common::content::transfer::Have;
use common::content::{Blocks, ContentHash};
use common::limits::ENTRIES_MAX;
use common::query::Ask;

use super::ToldFile;

/// What is wrong about entries that are told of these files, in order; of some it is not known whether they are told of.
pub(super) fn wrong_of(files: &[(ToldFile, bool)], told: &Entries) -> Option<String> {
    let Entries { entries, more, .. } = told;
    if entries.len() > ENTRIES_MAX {
        return Some(format!("tells {} at once", entries.len()));
    }
    let mut left = files.iter();
    for entry in entries {
        loop {
            match left.next() {
                Some((file, _)) if is_of(file, entry) => break,
                Some((_, true)) => {}
                Some((file, false)) => return Some(format!("leaves out {:?}", String::from_utf8_lossy(&file.name))),
                None => return Some(format!("tells of {}, which it has not so", entry.name)),
            }
        }
    }
    let behind: Vec<bool> = left.map(|(_, is_doubtful)| *is_doubtful).collect();
    let certain = behind.iter().filter(|is_doubtful| !**is_doubtful).count() as u64;
    let is_counted = (certain..=behind.len() as u64).contains(more);
    (!is_counted).then(|| format!("says that there are {more} more, of {certain}"))
}

fn is_of(file: &ToldFile, entry: &Entry) -> bool {
    let Entry { name, size, hash, description, have } = entry;
    let all = Blocks::of(*size).map(|blocks| Have::all(blocks.count()));
    name.as_bytes() == file.name
        && *size == file.size
        && *hash == file.hash
        && *description == file.description
        && Ok(have) == all.as_ref()
}

/// Whether a file is one that is asked for. What its letters are in lower case is read off once more here.
pub(super) fn matches(ask: &Ask, file: &ToldFile) -> bool {
    let lower = |bytes: &[u8]| match str::from_utf8(bytes) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => bytes.to_ascii_lowercase(),
    };
    match ask {
        Ask::Find(words) => {
            let texts = [lower(&file.name), lower(&file.description)];
            let is_in = |word: &[u8]| {
                let word = lower(word);
                texts.iter().any(|text| text.windows(word.len()).any(|part| part == word))
            };
            words.each().all(is_in)
        }
        Ask::Named(name) => name.as_bytes() == file.name,
        Ask::Hashed(start) => file.hash.0.starts_with(start.as_bytes()),
        Ask::Key(key) => key.as_bytes() == file.name,
        Ask::Topology => false,
    }
}

/// In which order they are told.
pub(super) fn key(ask: &Ask, file: &ToldFile) -> (ContentHash, Vec<u8>) {
    let hash = if matches!(ask, Ask::Hashed(_)) { file.hash } else { ContentHash([0; 32]) };
    (hash, file.name.clone())
}
