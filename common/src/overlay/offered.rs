//! The files that a servent offers just now: those of its catalogue that are what they were, each described as it was
//! published; where only published ones are offered, these.
//!
//! The catalogue is not made anew for what is published: that is looked up beside it. Who is offered them is not known here.

use std::collections::BTreeSet;
use std::collections::btree_map::Range;
use std::sync::Arc;

use memchr::memmem;

use crate::content::catalogue::{Catalogue, FilesByName, FilesFound, FindStep, Listed, folded};
use crate::content::search::{FileName, Words};
use crate::content::transfer::Refusal;
use crate::content::{Blocks, ContentHash};
use crate::disk::SharedContent;
use crate::limits::FIND_COUNTED_BYTES_MAX;
use crate::written::WrittenData;

/// Files with one content that are looked at.
const SAME_LOOKED_MAX: usize = FIND_COUNTED_BYTES_MAX / 32;
/// Published files that are looked at for one part of a listing: each has to be found among those that are shared.
const PUBLISHED_LOOKED_MAX: usize = 4_096;
/// What it takes to look for words in what was published, in bytes of the catalogue that are looked through in the same time: its
/// case is folded for each find.
const FOLD_COST: u64 = 8;
/// What it takes to look at one such file, in bytes of it.
const LOOK_BYTES: u64 = 64;

#[derive(Clone, Copy, Debug)]
pub(super) struct Offered<'a> {
    pub(super) catalogue: &'a Catalogue,
    /// Places in it of files that are not what they were.
    pub(super) withdrawn: &'a BTreeSet<usize>,
    /// What was written, and says which files are published; nothing where nothing was.
    pub(super) published: Option<&'a WrittenData>,
    /// Whether nothing else is offered.
    pub(super) is_published_only: bool,
}

impl<'a> Offered<'a> {
    /// A file as it is offered, if it is.
    fn file(self, file: Listed<'a>) -> Option<Listed<'a>> {
        if self.withdrawn.contains(&file.place) {
            return None;
        }
        match self.published.and_then(|published| published.description(file.name)) {
            // What is published without a word is what the data says it is.
            Some(description) if description.is_empty() => Some(file),
            Some(description) => Some(Listed { description, ..file }),
            None => (!self.is_published_only).then_some(file),
        }
    }

    /// Whether words are looked for in what this file was published as, and not in what the data says of it.
    fn is_described(self, name: &[u8]) -> bool {
        let description = self.published.and_then(|published| published.description(name));
        description.is_some_and(|description| !description.is_empty())
    }

    /// The file of this name.
    pub(super) fn named(self, name: &[u8]) -> Option<Listed<'a>> {
        self.catalogue.named(name).and_then(|file| self.file(file))
    }

    /// Those whose hash begins with these bytes, of so many that may be looked at.
    pub(super) fn hashed(self, first_bytes: &'a [u8]) -> impl Iterator<Item = Listed<'a>> {
        self.catalogue.hashed(first_bytes).take(SAME_LOOKED_MAX).filter_map(move |file| self.file(file))
    }

    /// Those of this name and behind it, in the order of names. How many they are is known without a look at each, or, where
    /// only what is published is offered, told as far as that may be looked at.
    pub(super) fn from(self, name: &[u8]) -> OfferedByName<'a> {
        if self.is_published_only {
            let published = self.published.map(|published| published.published_from(name));
            return OfferedByName::Published { files: self, published, looks_left: PUBLISHED_LOOKED_MAX };
        }
        OfferedByName::All { files: self, listed: self.catalogue.from(name) }
    }

    /// Those that have these words, in the order of names: of what the data describes from the one name on, of what is published
    /// with a description, or where nothing else is offered, from the other.
    pub(super) fn find_from(self, words: &Words, from: &FindPlaces) -> OfferedFound<'a> {
        let others = (!self.is_published_only).then(|| self.catalogue.find_from(words, &from.others));
        let published = self.published.filter(|published| published.published_count() > 0);
        let finders = words.each().map(|word| memmem::Finder::new(&folded(word)).into_owned());
        OfferedFound {
            files: self,
            others,
            published: published.map(|published| published.published_from(&from.published)),
            words: if published.is_some() { finders.collect() } else { Vec::new() },
            next_other: None,
            next_published: None,
        }
    }

    /// Something to be fetched.
    pub(super) fn content_of(self, hash: ContentHash) -> Option<SharedContent> {
        self.hashed(&hash.0).find_map(|file| {
            let (name, blocks) = (file.name.to_vec(), Blocks::of(file.stamp.size).ok()?);
            Some(SharedContent { name, stamp: file.stamp, hashes_at: file.hashes_at, blocks })
        })
    }

    /// Where the hashes are of something that is being given, if it still may be, or why it is not given any more. Where there
    /// is another file of the same content, whoever fetches it is only to ask again.
    pub(super) fn still_offered(self, content: &SharedContent) -> Result<u64, Refusal> {
        match self.catalogue.named(&content.name) {
            Some(file) if file.stamp != content.stamp => Err(Refusal::Changed),
            Some(file) if self.is_published_only && self.file(file).is_none() => {
                let has_another = self.content_of(file.hash).is_some();
                Err(if has_another { Refusal::Busy } else { Refusal::Gone })
            }
            Some(file) => Ok(file.hashes_at),
            None => Err(Refusal::Gone),
        }
    }
}

/// Files by name.
pub(super) enum OfferedByName<'a> {
    All { files: Offered<'a>, listed: FilesByName<'a> },
    Published { files: Offered<'a>, published: Option<Range<'a, FileName, Arc<[u8]>>>, looks_left: usize },
}

impl<'a> Iterator for OfferedByName<'a> {
    type Item = Listed<'a>;

    fn next(&mut self) -> Option<Listed<'a>> {
        match self {
            OfferedByName::All { files, listed } => listed.find_map(|file| files.file(file)),
            OfferedByName::Published { files, published, looks_left } => loop {
                *looks_left = looks_left.checked_sub(1)?;
                let (name, _) = published.as_mut()?.next()?;
                if let Some(file) = files.named(name.as_bytes()) {
                    return Some(file);
                }
            },
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let OfferedByName::All { files, listed } = self else { return (0, None) };
        let places = listed.places();
        let left = places.len() - files.withdrawn.range(places).count();
        (left, Some(left))
    }
}

/// Where a find goes on, by names.
#[derive(Clone, Debug, Default)]
pub(super) struct FindPlaces {
    others: Vec<u8>,
    published: Vec<u8>,
}

/// Files that have some words, looked for in pieces.
pub(super) struct OfferedFound<'a> {
    files: Offered<'a>,
    /// Those that are not published with a description; nothing where only published ones are offered, or all were looked at.
    others: Option<FilesFound<'a>>,
    published: Option<Range<'a, FileName, Arc<[u8]>>>,
    words: Vec<memmem::Finder<'static>>,
    /// Found, and told when it is known that none comes before it.
    next_other: Option<Listed<'a>>,
    next_published: Option<Listed<'a>>,
}

impl<'a> OfferedFound<'a> {
    /// Looks for the next of them, as [`FilesFound::step`].
    pub(super) fn step(&mut self, bytes_left: &mut u64) -> FindStep<'a> {
        if !self.seek_other(bytes_left) || !self.seek_published(bytes_left) {
            return FindStep::Spent;
        }
        let is_other = match (&self.next_other, &self.next_published) {
            (None, None) => return FindStep::End,
            (Some(other), Some(published)) => other.name < published.name,
            (other, _) => other.is_some(),
        };
        let next = if is_other { self.next_other.take() } else { self.next_published.take() };
        next.map_or(FindStep::End, FindStep::Found)
    }

    /// Where it goes on: with what was found and not told, or behind that.
    pub(super) fn goes_on_at(&mut self) -> FindPlaces {
        // Behind the last of all there is nothing any more: no name is that long.
        let nowhere = || vec![u8::MAX; crate::limits::FILE_NAME_BYTES_MAX + 1];
        let other = self.others.as_ref().and_then(FilesFound::goes_on_at);
        let other = self.next_other.map(|file| file.name).or(other);
        let published = self.published.as_ref().and_then(|published| published.clone().next());
        let published = self.next_published.map(|file| file.name).or(published.map(|(name, _)| name.as_bytes()));
        FindPlaces {
            others: other.map_or_else(nowhere, <[u8]>::to_vec),
            published: published.map_or_else(nowhere, <[u8]>::to_vec),
        }
    }

    /// Whether it is known which is the next of those that are not published with a description, if there is one.
    fn seek_other(&mut self, bytes_left: &mut u64) -> bool {
        while let (None, Some(others)) = (&self.next_other, &mut self.others) {
            match others.step(bytes_left) {
                FindStep::Found(file) => {
                    let is_of_these = !self.files.is_described(file.name);
                    self.next_other = self.files.file(file).filter(|_| is_of_these);
                }
                FindStep::End => self.others = None,
                FindStep::Spent => return false,
            }
        }
        true
    }

    /// The same of those that are.
    fn seek_published(&mut self, bytes_left: &mut u64) -> bool {
        while let (None, Some(published)) = (&self.next_published, &mut self.published) {
            if *bytes_left == 0 {
                return false;
            }
            let Some((name, description)) = published.next() else {
                self.published = None;
                return true;
            };
            let description = match &**description {
                // It is among the others.
                [] if !self.files.is_published_only => &[],
                [] => self.files.catalogue.named(name.as_bytes()).map_or(&[][..], |file| file.description),
                description => description,
            };
            let text_bytes = (name.as_bytes().len() + description.len()) as u64;
            *bytes_left = bytes_left.saturating_sub(FOLD_COST * (LOOK_BYTES + text_bytes));
            let parts = [folded(name.as_bytes()), folded(description)];
            let has = |word: &memmem::Finder<'_>| parts.iter().any(|part| word.find(part).is_some());
            let is_of_these = self.files.is_published_only || !description.is_empty();
            if is_of_these && self.words.iter().all(has) {
                self.next_published = self.files.named(name.as_bytes());
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::FileStamp;
    use crate::content::catalogue::SharedFile;
    use crate::store::Store;
    use crate::written::StoreChange;

    fn shared(place: usize) -> SharedFile {
        let stamp = FileStamp { size: 1, inode: 1, device: 1, modified: 1, changed: 1 };
        SharedFile { name: format!("f{place:03}").into_bytes(), hash: ContentHash([7; 32]), stamp, hashes_at: 0 }
    }

    /// Files that the data describes as `old`, of which every third is published as `New`, and some that are not there.
    fn files_and_published() -> (Catalogue, WrittenData) {
        let data: String = (0..60).map(|place| format!("f{place:03} old and more of it\n")).collect();
        let (data, _) = Store::parse(data.into_bytes()).unwrap();
        let mut written = WrittenData::default();
        for place in (0..90).step_by(3) {
            let name = FileName::new(format!("f{place:03}").as_bytes()).unwrap();
            written.apply(StoreChange::Publish { name, text: b"New it is"[..].into() });
        }
        (Catalogue::new((0..60).map(shared).collect(), &data), written)
    }

    fn found_in_pieces(files: Offered<'_>, words: &[&str], piece_bytes: u64) -> Vec<String> {
        let words = Words::new(words.iter().map(|word| word.as_bytes())).unwrap();
        let (mut names, mut from) = (Vec::new(), FindPlaces::default());
        loop {
            let (mut found, mut left) = (files.find_from(&words, &from), piece_bytes);
            loop {
                match found.step(&mut left) {
                    FindStep::Found(file) => names.push(String::from_utf8(file.name.to_vec()).unwrap()),
                    FindStep::End => return names,
                    FindStep::Spent => break,
                }
            }
            from = found.goes_on_at();
        }
    }

    #[test]
    fn what_is_published_is_found_by_what_it_is_described_as_then_and_in_its_place() {
        let (catalogue, written) = files_and_published();
        let withdrawn = BTreeSet::from([0, 1]);
        let places = |is_found: fn(usize) -> bool| -> Vec<String> {
            (2..60).filter(|place| is_found(*place)).map(|place| format!("f{place:03}")).collect()
        };
        let all = Offered {
            catalogue: &catalogue,
            withdrawn: &withdrawn,
            published: Some(&written),
            is_published_only: false,
        };
        let only = Offered { is_published_only: true, ..all };
        // A file is passed over whole or not at all, so a piece is longer than what there is of one.
        for piece_bytes in [200, 1_000, 1_000_000] {
            let found = |files, words: &[&str]| found_in_pieces(files, words, piece_bytes);
            assert_eq!(found(all, &["old"]), places(|place| place % 3 != 0), "{piece_bytes}");
            assert_eq!(found(all, &["new"]), places(|place| place % 3 == 0), "{piece_bytes}");
            assert_eq!(found(all, &["it"]), places(|_| true), "{piece_bytes}");
            assert_eq!(found(all, &["it", "f01"]), places(|place| place / 10 == 1), "{piece_bytes}");
            assert_eq!(found(only, &["it"]), places(|place| place % 3 == 0), "{piece_bytes}");
            assert_eq!(found(only, &["old"]), [""; 0], "{piece_bytes}");
            let nothing_written = Offered { published: None, ..all };
            assert_eq!(found(nothing_written, &["old"]), places(|_| true), "{piece_bytes}");
            assert_eq!(found(Offered { published: None, ..only }, &["it"]), [""; 0], "{piece_bytes}");
        }
    }

    #[test]
    fn what_is_published_without_a_description_is_found_by_what_the_data_says_of_it() {
        let (catalogue, mut written) = files_and_published();
        for place in (0..90).step_by(6) {
            let name = FileName::new(format!("f{place:03}").as_bytes()).unwrap();
            written.apply(StoreChange::Publish { name, text: [].into() });
        }
        let withdrawn = BTreeSet::new();
        let published = Some(&written);
        let all = Offered { catalogue: &catalogue, withdrawn: &withdrawn, published, is_published_only: false };
        let only = Offered { is_published_only: true, ..all };
        let places = |is_found: fn(usize) -> bool| -> Vec<String> {
            (0..60).filter(|place| is_found(*place)).map(|place| format!("f{place:03}")).collect()
        };
        for piece_bytes in [200, 1_000, 1_000_000] {
            let found = |files, words: &[&str]| found_in_pieces(files, words, piece_bytes);
            assert_eq!(found(all, &["old"]), places(|place| place % 6 != 3), "{piece_bytes}");
            assert_eq!(found(all, &["new"]), places(|place| place % 6 == 3), "{piece_bytes}");
            assert_eq!(found(all, &["f0"]), places(|_| true), "{piece_bytes}");
            assert_eq!(found(only, &["old"]), places(|place| place % 6 == 0), "{piece_bytes}");
            assert_eq!(found(only, &["it"]), places(|place| place % 3 == 0), "{piece_bytes}");
        }
        assert_eq!(only.named(b"f006").map(|file| file.description), Some(&b"old and more of it"[..]));
        assert_eq!(only.named(b"f003").map(|file| file.description), Some(&b"New it is"[..]));
    }

    #[test]
    fn where_only_what_is_published_is_offered_nothing_else_is_by_any_name_or_hash() {
        let (catalogue, written) = files_and_published();
        let withdrawn = BTreeSet::from([0]);
        let only = Offered {
            catalogue: &catalogue,
            withdrawn: &withdrawn,
            published: Some(&written),
            is_published_only: true,
        };
        let is_offered = |place: &usize| only.named(&shared(*place).name).is_some();
        let expected: Vec<usize> = (3..60).step_by(3).collect();
        assert_eq!((0..90).filter(is_offered).collect::<Vec<_>>(), expected);
        assert_eq!(only.hashed(&[7; 32]).map(|file| file.place).collect::<Vec<_>>(), expected);
        assert_eq!(only.from(b"").map(|file| file.place).collect::<Vec<_>>(), expected);
        assert_eq!(only.from(b"f031").map(|file| file.place).next(), Some(33));
        assert_eq!(only.named(b"f003").map(|file| file.description), Some(&b"New it is"[..]));
        let all = Offered { is_published_only: false, ..only };
        assert_eq!((all.from(b"").size_hint(), all.from(b"").count()), ((59, Some(59)), 59));
    }
}
