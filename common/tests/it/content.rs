//! Words for contents at their limits, and the files that are shared: in which order they stand, and by what they are found.
//!
//! Who is told of them is `overlay/contents.rs` and `session/files.rs`, how it looks in bytes `wire/contents.rs`.

use std::cell::Cell;

use super::*;
use common::content::catalogue::{Catalogue, FindStep, Listed, SharedFile};
use common::content::search::{Entries, Entry, FileName, FileNameError, HashStart, HashStartError, Words, WordsError};
use common::content::transfer::Have;
use common::content::{ContentHash, FileStamp};
use common::store::Store;

/// A file of this name and hash, whose other marks follow from its name.
pub(crate) fn shared(name: &[u8], hash: [u8; 32], size: u64) -> SharedFile {
    let stamp = FileStamp { device: 1, inode: name.len() as u64, size, modified: -1, changed: 2 };
    SharedFile { name: name.to_vec(), hash: ContentHash(hash), stamp, hashes_at: 7 }
}

/// The hash of these bytes and zeros.
pub(crate) fn hash_of(first: &[u8]) -> [u8; 32] {
    std::array::from_fn(|place| first.get(place).copied().unwrap_or_default())
}

fn words(words: &[&[u8]]) -> Words {
    Words::new(words.iter().copied()).unwrap()
}

/// One of files of these names, which are described as this.
fn described(files: &[(&[u8], &[u8])]) -> Catalogue {
    let line = |(name, description): &(&[u8], &[u8])| [*name, b" ", *description, b"\n"].concat();
    let (store, _) = Store::parse(files.iter().map(line).collect::<Vec<_>>().concat()).unwrap();
    let shared =
        files.iter().enumerate().map(|(place, (name, _))| shared(name, hash_of(&[u8::try_from(place).unwrap()]), 1));
    Catalogue::new(shared.collect(), &store)
}

fn names<'a>(files: impl Iterator<Item = Listed<'a>>) -> Vec<String> {
    files.map(|file| String::from_utf8_lossy(file.name).into_owned()).collect()
}

#[test]
fn words_that_are_looked_for_have_their_limits() {
    let of = |words: &[&[u8]]| Words::new(words.iter().copied());
    let longest: &[u8] = &[b'w'; FIND_WORD_BYTES_MAX];
    for taken in [&[][..], &[&b"a"[..]], &[b"\xff"], &[longest], &[longest; FIND_WORDS_MAX]] {
        assert!(of(taken).unwrap().each().eq(taken.iter().copied()), "{taken:?}");
    }
    let too_long = [b'w'; FIND_WORD_BYTES_MAX + 1];
    for (refused, error) in [
        (&[&b"a"[..], b""][..], WordsError::Empty),
        (&[b"a", &too_long], WordsError::TooLong(257)),
        (&[b"a\0b"], WordsError::Nul),
        (&[&b"a"[..]; 9], WordsError::TooMany(9)),
        (&[&b"a"[..]; 300], WordsError::TooMany(300)),
    ] {
        assert_eq!(of(refused), Err(error), "{refused:?}");
    }
    // They are shown as they can be shown.
    assert_eq!(words(&[b"Farol", b"a\nb"]).to_string(), "Farol a\\nb");
}

#[test]
fn the_name_of_a_file_may_be_any_bytes_but_nul() {
    let longest = [0xff; FILE_NAME_BYTES_MAX];
    for taken in [&b"a"[..], b"/etc/passwd", b"..", b"a\nb", b"\xff", &longest] {
        assert_eq!(FileName::new(taken).unwrap().as_bytes(), taken);
        assert_eq!(FileName::check(taken), Ok(()));
    }
    let too_long = [b'n'; FILE_NAME_BYTES_MAX + 1];
    for (refused, error) in
        [(&b""[..], FileNameError::Empty), (&too_long, FileNameError::TooLong(1_025)), (b"a\0", FileNameError::Nul)]
    {
        assert_eq!(FileName::new(refused), Err(error));
    }
    assert_eq!(FileName::new(b"a\nb\xff").unwrap().to_string(), r"a\nb\xff");
}

#[test]
fn a_hash_is_asked_for_by_its_first_bytes_or_all_of_them() {
    let digits: Vec<u8> = (0..40).collect();
    for count in 0..40 {
        let start = HashStart::new(&digits[..count]);
        if (HASH_START_BYTES_MIN..=32).contains(&count) {
            let start = start.unwrap();
            assert_eq!(start.as_bytes(), &digits[..count]);
            assert_eq!(start.to_string().len(), 2 * count);
        } else {
            assert_eq!(start, Err(HashStartError(count)));
        }
    }
    assert_eq!(HashStart::new(&[0; 300]), Err(HashStartError(300)));
    assert_eq!(HashStart::new(&[0x9f, 0x2c, 0x41, 0xd0]).unwrap().to_string(), "9f2c41d0");
    let hash = ContentHash(hash_of(&digits));
    assert_eq!(HashStart::from(hash), HashStart::new(&hash.0).unwrap());
    // One that ends in zeros is not a shorter one.
    assert_ne!(HashStart::new(&[1, 2, 3, 4]), HashStart::new(&[1, 2, 3, 4, 0]));
}

#[test]
fn what_somebody_has_is_told_by_runs() {
    let have = Have::Runs(vec![(2, 3), (9, 1)]);
    let told: Vec<u32> = (0..20).filter(|block| have.may_include(*block)).collect();
    assert_eq!(told, [2, 3, 4, 9]);
    assert!(Have::Partly.may_include(u32::MAX), "it may be");
    assert!(Have::all(5).may_include(4) && !Have::all(5).may_include(5));
}

#[test]
fn files_stand_in_the_order_of_their_names_each_once() {
    let catalogue = described(&[(b"b/2", b""), (b"a", b"first"), (b"b", b""), (b"a", b"again"), (b"B", b"")]);
    assert_eq!(names(catalogue.from(b"")), ["B", "a", "b", "b/2"]);
    assert_eq!((catalogue.len(), catalogue.bytes_count(), catalogue.is_empty()), (4, 4, false));
    assert_eq!(names(catalogue.from(b"a")), ["a", "b", "b/2"], "from a name on");
    assert_eq!(names(catalogue.from(b"a\0")), ["b", "b/2"], "and behind it");
    assert_eq!(names(catalogue.from(b"b/3")), [""; 0]);
    for (from, left) in [(&b""[..], 4), (b"b", 2), (b"c", 0)] {
        assert_eq!(catalogue.from(from).size_hint(), (left, Some(left)));
    }
    for (name, place) in [(&b"B"[..], Some(0)), (b"b", Some(2)), (b"b/", None), (b"", None), (b"A", None)] {
        assert_eq!(catalogue.named(name).map(|file| file.place), place);
    }
    let all: Vec<_> = (0..4).map(|place| catalogue.get(place).unwrap().name).collect();
    assert_eq!((all, catalogue.get(4)), (vec![&b"B"[..], b"a", b"b", b"b/2"], None));
}

#[test]
fn a_file_keeps_what_it_was_made_of() {
    let file = shared(b"farol.mp4", hash_of(&[3]), 26_214_400);
    let (store, _) = Store::parse(b"farol.mp4 at dusk\nother thing\n".to_vec()).unwrap();
    let catalogue = Catalogue::new(vec![file.clone()], &store);
    let (hash, stamp) = (file.hash, file.stamp);
    let expected = Listed { place: 0, name: b"farol.mp4", description: b"at dusk", hash, stamp, hashes_at: 7 };
    assert_eq!(catalogue.get(0), Some(expected));
    assert_eq!(catalogue.bytes_count(), 26_214_400);
    for empty in [Catalogue::EMPTY, Catalogue::default(), Catalogue::new(Vec::new(), &store)] {
        assert_eq!((empty.len(), empty.is_empty(), empty.bytes_count()), (0, true, 0));
        assert_eq!((empty.from(b"").count(), empty.find(&words(&[])).count(), empty.hashed(&[]).count()), (0, 0, 0));
        assert_eq!(empty.find(&words(&[b"a"])).count(), 0);
    }
}

/// Nobody could say its name, or into how many blocks it falls.
#[test]
fn a_file_that_cannot_be_told_is_left_out() {
    let named = |name: &[u8]| shared(name, hash_of(&[1]), 0);
    let files = vec![
        named(b""),
        named(b"a\0b"),
        named(&[b'n'; FILE_NAME_BYTES_MAX + 1]),
        shared(b"large", hash_of(&[1]), CONTENT_BYTES_MAX + 1),
        shared(b"largest", hash_of(&[1]), CONTENT_BYTES_MAX),
        named(b"fits"),
    ];
    let catalogue = Catalogue::new(files, &Store::default());
    assert_eq!(names(catalogue.from(b"")), ["fits", "largest"]);
    assert_eq!(names(catalogue.hashed(&[1])), ["fits", "largest"]);
}

#[test]
fn contents_are_found_by_the_first_bytes_of_their_hash() {
    let files = [
        (&b"d"[..], &[1, 2, 3, 4, 9][..]),
        (b"a", &[1, 2, 3, 4, 5]),
        (b"c", &[1, 2, 3, 5]),
        (b"b", &[1, 2, 3, 4, 5]),
        (b"e", &[0xff; 32]),
        (b"f", &[]),
    ];
    let files = files.map(|(name, first)| shared(name, hash_of(first), 1));
    let catalogue = Catalogue::new(files.to_vec(), &Store::default());
    for (first, found) in [
        // By hash, and those of one hash by name.
        (&[1, 2, 3, 4][..], &["a", "b", "d"][..]),
        (&[1, 2, 3, 4, 5], &["a", "b"]),
        (&[1, 2, 3], &["a", "b", "d", "c"]),
        (&hash_of(&[1, 2, 3, 5]), &["c"]),
        (&[0xff, 0xff, 0xff, 0xff], &["e"]),
        (&[0, 0, 0, 0], &["f"]),
        (&[1, 2, 3, 3], &[]),
        (&[1, 2, 3, 6], &[]),
        (&[2, 0, 0, 0], &[]),
    ] {
        assert_eq!(names(catalogue.hashed(first)), found, "{first:?}");
    }
}

#[test]
fn a_file_is_found_by_all_of_the_words_and_whatever_their_case() {
    let catalogue = described(&[
        (b"Farol.mp4", b"the lighthouse of BARRA at dusk"),
        (b"barra/mapa.pdf", b"Ba\xc3\xada de Todos os Santos"),
        (b"caf\xe9", b"no UTF-8: \xff\xfe"),
        (b"stra\xc3\x9fe", "ΟΔΟΣ İzmir".as_bytes()),
        (b"ends", b"with"),
    ]);
    for (looked_for, found) in [
        (&[&b"farol"[..]][..], &["Farol.mp4"][..]),
        (&[b"FAROL", b"Lighthouse"], &["Farol.mp4"]),
        (&[b"barra"], &["Farol.mp4", "barra/mapa.pdf"]),
        (&[b"barra", b"dusk"], &["Farol.mp4"]),
        (&[b"barra", b"nobody"], &[]),
        (&[b"nobody", b"barra"], &[]),
        // In the midst of words, a blank among them.
        (&[b"ar"], &["Farol.mp4", "barra/mapa.pdf"]),
        (&[b"of barra"], &["Farol.mp4"]),
        (&[b"."], &["Farol.mp4", "barra/mapa.pdf"]),
        ("BAÍA".as_bytes().chunks(10).collect::<Vec<_>>().as_slice(), &["barra/mapa.pdf"]),
        (&[b"baia"], &[]),
        (&["straße".as_bytes()], &["straße"]),
        (&[b"strasse"], &[]),
        // Each character alone has one lower case: a sigma at the end of a word is like any other, and a dot stays.
        (&["οδοσ".as_bytes()], &["straße"]),
        (&["οδος".as_bytes()], &[]),
        (&["i\u{307}zmir".as_bytes()], &["straße"]),
        (&[b"izmir"], &[]),
        // What is no UTF-8 is itself.
        (&[b"caf\xe9"], &["caf\u{fffd}"]),
        (&[b"CAF\xe9"], &["caf\u{fffd}"]),
        (&[b"\xff\xfe"], &["caf\u{fffd}"]),
        (&["é".as_bytes()], &[]),
        // The end of a name and the beginning of what it is described as are no word.
        (&[b"endswith"], &[]),
        (&[b"ends with"], &[]),
        (&[b"ends", b"with"], &["ends"]),
        // All of them together.
        (&[b"farol", b"mp4", b"the", b"light", b"of", b"barra", b"at", b"dusk"], &["Farol.mp4"]),
    ] {
        assert_eq!(names(catalogue.find(&words(looked_for))), found, "{:?}", words(looked_for));
    }
    assert_eq!(names(catalogue.find(&words(&[]))), names(catalogue.from(b"")), "no words: all there are");
    assert_eq!(catalogue.find(&words(&[])).size_hint(), (5, Some(5)));
    assert_eq!(catalogue.find(&words(&[b"e"])).size_hint().0, 0, "that is not known before");
}

#[test]
fn a_description_is_cut_where_a_character_ends() {
    let cut = |description: &[u8]| {
        let catalogue = described(&[(b"a", description)]);
        let found = |word: &[u8]| catalogue.find(&words(&[word])).count() == 1;
        // What is not told is not looked through.
        assert!(!found(b"beyond"), "{}", String::from_utf8_lossy(description));
        catalogue.get(0).unwrap().description.to_vec()
    };
    let fill = |count: usize| vec![b'x'; count];
    for (before, character, after, kept) in [
        (1024, "", "", 1024),
        (1023, "a", "", 1024),
        (1024, "", "beyond", 1024),
        (1023, "é", "beyond", 1023),
        (1022, "é", "beyond", 1024),
        (1021, "🌊", "beyond", 1021),
        (1020, "🌊", "beyond", 1024),
        (1023, "🌊", "", 1023),
    ] {
        let text = [&fill(before), character.as_bytes(), after.as_bytes()].concat();
        assert_eq!(cut(&text), text[..kept], "{before} {character}");
    }
    // Bytes that are no UTF-8 stand for themselves, and what was there before the cut is cut off by nothing else.
    for (text, kept) in [
        ([&fill(1023)[..], b"\xff\xff"].concat(), 1024),
        ([&fill(1023)[..], b"\xc3"].concat(), 1024),
        ([&fill(1023)[..], b"\xc3x"].concat(), 1024),
        ([b"\xff", &fill(1022)[..], "é".as_bytes()].concat(), 1023),
        ([b"\xff", &fill(1021)[..], "é".as_bytes()].concat(), 1024),
    ] {
        assert_eq!(cut(&text), text[..kept], "{:?}", &text[250..]);
    }
}

#[test]
fn as_many_entries_are_told_as_there_may_be_and_the_rest_is_counted() {
    let entry = |name: &[u8], description: usize| Entry {
        name: FileName::new(name).unwrap(),
        size: 0,
        hash: ContentHash([0; 32]),
        description: vec![b'd'; description],
        have: Have::all(1),
    };
    let told = |sizes: &[usize]| {
        let all = sizes.iter().enumerate().map(|(place, size)| entry(&[b'a' + u8::try_from(place).unwrap()], *size));
        let Entries { entries, more, uploads } = Entries::of(all, Some, 3);
        assert_eq!(uploads, 3);
        (entries.len(), more)
    };
    assert_eq!(told(&[]), (0, 0));
    assert_eq!(told(&[0; 32]), (32, 0));
    assert_eq!(told(&[0; 33]), (32, 1));
    assert_eq!(told(&[0; 40]), (32, 8));
    // Each counts for 75 bytes and its description: sixteen for 256 each are all there may be.
    assert_eq!(entry(b"a", 181).bytes_count(), 256);
    assert_eq!(told(&[181; 16]), (16, 0));
    let one_longer: Vec<usize> = [vec![181; 15], vec![182]].concat();
    assert_eq!(told(&one_longer), (15, 1));
    // They are told in order: from the first on that has no place all are counted.
    assert_eq!(told(&[&one_longer[..], &[0, 0, 0]].concat()), (15, 4));
    // What cannot be told is not.
    let none = Entries::of([1, 2].into_iter(), |_| None, 0);
    assert_eq!(none, Entries::default());
}

/// Nothing is made of those that are only counted, and where it is known how many there are not one is looked at.
#[test]
fn what_is_only_counted_costs_nothing() {
    let (made, looked_at) = (Cell::new(0), Cell::new(0));
    let entry = |number: u64| {
        made.set(made.get() + 1);
        let (name, hash) = (FileName::new(&number.to_be_bytes().map(|byte| byte | 1)).unwrap(), ContentHash([0; 32]));
        Some(Entry { name, size: 0, hash, description: Vec::new(), have: Have::Partly })
    };
    let all = || (0..1_000).inspect(|_| looked_at.set(looked_at.get() + 1));
    assert_eq!(Entries::of(all(), entry, 0).more, 968);
    assert_eq!((made.replace(0), looked_at.replace(0)), (33, 33));
    assert_eq!(Entries::of(all().filter(|_| true), entry, 0).more, 968);
    assert_eq!((made.get(), looked_at.get()), (33, 1_000));
}

/// What is found where each piece begins anew at the name where the one before has ended, having looked through no more than
/// so many bytes and one file.
fn found_in_pieces<'a>(catalogue: &'a Catalogue, words: &Words, piece_bytes: u64) -> Vec<&'a [u8]> {
    let (mut names, mut from) = (Vec::new(), Vec::new());
    loop {
        let (mut found, mut left) = (catalogue.find_from(words, &from), piece_bytes);
        loop {
            match found.step(&mut left) {
                FindStep::Found(file) => names.push(file.name),
                FindStep::End => return names,
                FindStep::Spent => break,
            }
        }
        assert_eq!(left, 0);
        let next = found.goes_on_at().unwrap().to_vec();
        assert!(next > from || from.is_empty(), "it stays where it is");
        from = next;
    }
}

#[test]
fn what_is_looked_through_at_once_is_as_much_as_is_said() {
    let name = |place: usize| format!("{place:04}");
    let names: Vec<String> = (0..1_000).map(name).collect();
    let files: Vec<(&[u8], &[u8])> = names.iter().map(|name| (name.as_bytes(), &b""[..])).collect();
    let catalogue = described(&files.iter().take(256).copied().collect::<Vec<_>>());
    // Six bytes each, with what parts them: nothing has the word.
    let mut left = 600;
    let none = words(&[b"x"]);
    let mut found = catalogue.find(&none);
    assert_eq!((found.step(&mut left), left, found.goes_on_at()), (FindStep::Spent, 0, Some(&b"0100"[..])));
    // A file that has it costs a look besides.
    let mut left = 600;
    let all = words(&[b"0"]);
    let mut found = catalogue.find(&all);
    let steps = std::iter::from_fn(|| matches!(found.step(&mut left), FindStep::Found(_)).then_some(())).count();
    assert!((10..20).contains(&steps), "{steps}");
    // So does each other word.
    let mut left = 600;
    let both = words(&[b"00", b"0", b"0", b"0"]);
    let mut found = catalogue.find(&both);
    let steps = std::iter::from_fn(|| matches!(found.step(&mut left), FindStep::Found(_)).then_some(())).count();
    assert!((3..6).contains(&steps), "{steps}");
}

/// What files there are, in as few letters as make them meet, and what is looked for.
fn any_text(parts: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
    let part = prop::sample::select(
        [
            &b"a"[..],
            b"A",
            b"b",
            b"B",
            b" ",
            b"/",
            "é".as_bytes(),
            "É".as_bytes(),
            "ß".as_bytes(),
            b"\xc3",
            b"\xa9",
            b"\xff",
        ]
        .to_vec(),
    );
    prop::collection::vec(part, parts).prop_map(|parts| parts.concat())
}

/// A text with each character in lower case, read one by one.
fn folded_slowly(text: &[u8]) -> Vec<u8> {
    let mut folded = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let character = (1..=rest.len().min(4)).find_map(|length| std::str::from_utf8(&rest[..length]).ok());
        match character {
            Some(character) => {
                folded.extend(character.to_lowercase().into_bytes());
                rest = &rest[character.len()..];
            }
            None => {
                folded.push(rest[0]);
                rest = &rest[1..];
            }
        }
    }
    folded
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn files_are_found_as_if_each_was_looked_at(
        files in prop::collection::vec((any_text(0..=5), any_text(0..=8)), 0..40),
        looked_for in prop::collection::vec(any_text(1..=3), 0..4),
        // As long as any file is, or it would be looked at for ever.
        piece_bytes in 128_u64..512,
    ) {
        // In a line of data a name has no blanks, and a value has none at its ends.
        let files: BTreeMap<Vec<u8>, Vec<u8>> = files
            .into_iter()
            .map(|(name, text)| (name.into_iter().filter(|byte| *byte != b' ').collect(), text.trim_ascii().to_vec()))
            .filter(|(name, _): &(Vec<u8>, _)| !name.is_empty())
            .collect();
        let list: Vec<(&[u8], &[u8])> = files.iter().map(|(name, text)| (name.as_slice(), text.as_slice())).collect();
        let catalogue = described(&list);
        let contains = |text: &[u8], word: &[u8]| text.windows(word.len()).any(|part| part == word);
        let folded: Vec<Vec<u8>> = looked_for.iter().map(|word| folded_slowly(word)).collect();
        let has_all = |name: &[u8], text: &[u8]| {
            let (name, text) = (folded_slowly(name), folded_slowly(text));
            folded.iter().all(|word| contains(&name, word) || contains(&text, word))
        };
        let expected: Vec<&[u8]> = list.iter().filter(|(name, text)| has_all(name, text)).map(|(name, _)| *name).collect();
        let looked_for = Words::new(looked_for.iter().map(Vec::as_slice)).unwrap();
        let found: Vec<&[u8]> = catalogue.find(&looked_for).map(|file| file.name).collect();
        prop_assert_eq!(&found, &expected);
        prop_assert_eq!(found_in_pieces(&catalogue, &looked_for, piece_bytes), expected);
    }

    #[test]
    fn files_are_told_from_any_name_on(
        names in prop::collection::btree_set(any_text(1..=4), 0..30),
        from in any_text(0..=4),
    ) {
        let files = names.iter().rev().map(|name| shared(name, hash_of(name), 1)).collect();
        let catalogue = Catalogue::new(files, &Store::default());
        let expected: Vec<&[u8]> = names.range(from.clone()..).map(Vec::as_slice).collect();
        let told: Vec<&[u8]> = catalogue.from(&from).map(|file| file.name).collect();
        prop_assert_eq!(&told, &expected);
        prop_assert_eq!(catalogue.named(&from).is_some(), names.contains(&from));
        let hashed: Vec<&[u8]> = catalogue.hashed(&from).map(|file| file.name).collect();
        // Each name is its hash here, so those that begin alike stand together in both orders.
        let alike: Vec<&[u8]> = names.iter().filter(|name| hash_of(name).starts_with(&from)).map(Vec::as_slice).collect();
        prop_assert_eq!(hashed, alike);
    }
}
