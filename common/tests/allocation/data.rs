//! What data takes while it is read.

use super::*;
use common::content::catalogue::{Catalogue, SharedFile};
use common::content::search::Words;
use common::content::{ContentHash, FileStamp};
use common::store::StoreError;
use counting_allocator::with_at_most;

/// Whoever reads it beside what is served needs room for both, and no more. Of lines that are repeated each takes its
/// place until all are read.
#[test]
fn data_takes_no_more_while_it_is_read_than_when_it_is_held() {
    let keys: String = (0..10_000).map(|number| format!("# {number}\n\nkey-{number} value of {number}\n")).collect();
    for text in [keys.clone(), keys.replace('\n', "\r\n"), keys.replace("key-", " \tkey-")] {
        let mut text = text.into_bytes();
        text.shrink_to_fit();
        let text_bytes = text.len();
        let (store, cost) = cost_of(|| Store::parse(text).map(|(store, _)| store).expect("there is room"));
        let index_bytes = store.bytes_count() - text_bytes;
        // The text came from outside and is held already.
        assert_eq!(cost.kept, index_bytes);
        let most = index_bytes + store.bytes_count() / 20;
        assert!(cost.most <= most, "{} bytes at once, where {most} are the most: {store:?}", cost.most);
    }
}

/// A servent may share a million.
#[test]
fn files_that_are_shared_take_what_they_say() {
    let (store, _) = Store::parse(b"file-7 the lighthouse of BARRA\n".to_vec()).expect("there is room");
    for count in [0, 1, 1_000] {
        let file = |number: u64| SharedFile {
            name: format!("file-{number}").into_bytes(),
            hash: ContentHash([number.to_be_bytes()[7]; 32]),
            stamp: FileStamp { device: 1, inode: number, size: number, modified: 0, changed: 0 },
            hashes_at: number,
        };
        let (catalogue, cost) = cost_of(|| Catalogue::new((0..count).map(file).collect(), &store));
        assert_eq!(cost.kept, catalogue.memory_bytes() - size_of::<Catalogue>(), "{count} files");
        // Of those of which only how many there are is told nothing is made.
        let words = Words::new([&b"file"[..]]).expect("it is a word");
        let found = cost_of(|| catalogue.find(&words).count());
        assert_eq!(found.0 as u64, count);
        assert!(found.1.most <= 512, "{} bytes to look at {count} files", found.1.most);
    }
}

/// Whatever of it is too much: the places of the lines, the table, or the smaller table that many repeated lines leave
/// room for. An allocation that cannot be refused would end this test with its process.
#[test]
fn data_for_which_there_is_too_little_memory_is_refused_and_leaves_nothing() {
    let unlike: String = (0..10_000).map(|number| format!("key-{number} value\n")).collect();
    let alike = "tea green\n".repeat(10_000);
    for text in [unlike, alike] {
        let parse = |text: &str, bytes: usize| {
            let text = text.as_bytes().to_vec();
            with_at_most(bytes, || Store::parse(text).map(|(store, _)| store.len()))
        };
        let (all, cost) = cost_of(|| parse(&text, usize::MAX));
        let most = cost.most - text.len();
        assert!(all.is_ok());
        let mut refused_count = 0;
        for bytes in (0..most).step_by(most / 500 + 1) {
            let (parsed, cost) = cost_of(|| parse(&text, bytes));
            assert!(parsed == all || parsed == Err(StoreError::TooLittleMemory), "{bytes} of {most}: {parsed:?}");
            assert_eq!(cost.kept, 0);
            refused_count += usize::from(parsed.is_err());
        }
        assert!(refused_count > 0);
        assert_eq!(parse(&text, most), all);
    }
}
