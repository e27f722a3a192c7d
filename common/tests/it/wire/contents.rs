//! What is said of contents, at its limits and one beyond.

use super::*;
use crate::support::frames::answer;

/// The entry of an empty file called `a`, without what its blocks are.
const ENTRY: &str = "01 61 00 0000000000000000000000000000000000000000000000000000000000000000 00";

/// What a link that was greeted makes of a frame with this body.
fn heard_in(body: &str) -> Result<Vec<Message>, WireError> {
    heard_by(&mut greeted(), &framed(&stamped(body)))
}

#[test]
fn what_is_said_of_contents_follows_its_rules() {
    let entries = |entry: &str| format!("11 00 01 {entry} 00 00");
    let with_have = |have: &str| entries(&format!("{ENTRY} {have}"));
    let opened = |have: &str| format!("13 00 00 {have}");
    for (body, words) in [
        ("04 00 02 01 00".to_owned(), "an empty word"),
        ("04 00 02 02 01 61 02 6100".to_owned(), "a word with a NUL in it"),
        ("09 00 02 01 00 00".to_owned(), "an empty word"),
        ("05 00 00 7f000001 01 00 00 00 01 02 01 00 00".to_owned(), "an empty word"),
        ("04 00 03 00".to_owned(), "the name is empty"),
        ("04 00 03 03 610062".to_owned(), "the name has a NUL in it"),
        ("05 00 00 7f000001 01 00 00 00 01 03 00 00".to_owned(), "the name is empty"),
        ("04 00 04 03 9f2c41".to_owned(), "3 bytes of a hash, where 4 to 32 are said"),
        ("04 00 04 00".to_owned(), "0 bytes of a hash, where 4 to 32 are said"),
        (format!("04 00 04 21 {}", "9f".repeat(33)), "33 bytes of a hash, where 4 to 32 are said"),
        (format!("04 00 04 fb0104 {}", "9f".repeat(260)), "260 bytes of a hash, where 4 to 32 are said"),
        ("05 00 00 7f000001 01 00 00 00 01 04 03 9f2c41 00".to_owned(), "3 bytes of a hash, where 4 to 32 are said"),
        (entries(&format!("{} 01", ENTRY.replace("01 61", "00"))), "the name is empty"),
        (entries(&format!("{} 01", ENTRY.replace("01 61", "02 0061"))), "the name has a NUL in it"),
        (with_have("02"), "a variant is unknown"),
        (with_have("00 01 00 00"), "a run of 0 blocks from 0 on"),
        (with_have("00 02 00 01 05 00"), "a run of 0 blocks from 5 on"),
        (with_have("00 02 05 01 00 01"), "runs of blocks that are not in order and apart"),
        (with_have("00 02 00 05 04 01"), "runs of blocks that are not in order and apart"),
        (with_have("00 02 00 05 05 01"), "runs of blocks that are not in order and apart"),
        (with_have("00 02 00 05 00 05"), "runs of blocks that are not in order and apart"),
        (with_have("00 01 00 fc00040001"), "a run of 262145 blocks from 0 on"),
        (with_have("00 01 fc0003ffff 02"), "a run of 2 blocks from 262143 on"),
        (with_have("00 01 fcffffffff 01"), "a run of 1 blocks from 4294967295 on"),
        (with_have("00 01 02 fcffffffff"), "a run of 4294967295 blocks from 2 on"),
        (opened("02"), "a variant is unknown"),
        (opened("00 01 00 00"), "a run of 0 blocks from 0 on"),
        (opened("00 02 00 05 05 01"), "runs of blocks that are not in order and apart"),
        ("14 00 03".to_owned(), "a fetch that is refused for reason 3"),
        ("15 00 00 00".to_owned(), "0 blocks asked for, where 1 to 1024 are"),
        ("15 00 fcfffffc01 fb0400".to_owned(), "1024 blocks from 4294966273 on, where no content has more than 262144"),
        ("17 00 00 00".to_owned(), "0 blocks asked for, where 1 to 64 are"),
        ("17 00 fc00040000 01".to_owned(), "1 blocks from 262144 on, where no content has more than 262144"),
        ("17 00 fcffffffff 40".to_owned(), "64 blocks from 4294967295 on, where no content has more than 262144"),
        ("16 00 00 00".to_owned(), "0 bytes of hashes, where 32 for each of 1 to 1024 are"),
        (format!("16 00 00 1f {}", "00".repeat(31)), "31 bytes of hashes, where 32 for each of 1 to 1024 are"),
        (format!("16 00 00 21 {}", "00".repeat(33)), "33 bytes of hashes, where 32 for each of 1 to 1024 are"),
        ("12 00 9f2c41d0".to_owned(), "it ends before its message does"),
        ("13 fd 0000000000000001 00 01".to_owned(), "a number is too wide for its field"),
        ("18 00 00 05 6661726f".to_owned(), "it ends before its message does"),
    ] {
        assert_eq!(heard_in(&body), is_malformed(words), "{body}");
    }
    for body in [
        // No words are all there is; what is told may be nothing, and of no blocks.
        "04 00 02 00",
        "11 00 00 00 00",
        &with_have("00 00"),
        &with_have("00 02 00 05 06 01"),
        &with_have("00 01 00 fc00040000"),
        &with_have("00 01 fc0003ffff 01"),
        &with_have("01"),
        "04 00 04 04 9f2c41d0",
        &format!("04 00 04 20 {}", "9f".repeat(32)),
        "14 00 02",
        "15 00 fc0003fc00 fb0400",
        "17 00 fc0003ffff 01",
        "18 00 fcffffffff 00",
    ] {
        assert!(heard_in(body).is_ok(), "{body}: {:?}", heard_in(body));
    }
}

#[test]
fn what_is_said_of_contents_may_have_its_limits_and_not_one_more() {
    let words = |count| [bytes("04 00 02"), vec![u8::try_from(count).unwrap()], bytes("01 61").repeat(count)].concat();
    assert_limit(FIND_WORDS_MAX, words, "9 words; 8 are the most");
    let word = |length| [bytes("04 00 02 01"), run_of(length, b'w')].concat();
    assert_limit(FIND_WORD_BYTES_MAX, word, "a word of 257 bytes; 256 are the most");
    let name = |length| [bytes("04 00 03"), run_of(length, b'n')].concat();
    assert_limit(FILE_NAME_BYTES_MAX, name, "the name has 1025 bytes; 1024 is the most");
    // One byte more than a name, so that it can be told what is behind the longest.
    let from = |length| [bytes("10 00"), run_of(length, b'n')].concat();
    assert_limit(FILE_NAME_BYTES_MAX + 1, from, "a list from a name of 1026 bytes");

    let entry_called =
        |length| [bytes("11 00 01"), run_of(length, b'n'), bytes(&ENTRY[6..]), bytes("01 00 00")].concat();
    assert_limit(FILE_NAME_BYTES_MAX, entry_called, "the name has 1025 bytes; 1024 is the most");
    let described = |length| {
        let entry = bytes(ENTRY.strip_suffix(" 00").unwrap());
        [bytes("11 00 01"), entry, run_of(length, 0xff), bytes("01 00 00")].concat()
    };
    assert_limit(DESCRIPTION_BYTES_MAX, described, "a description of 1025 bytes, where 1024 is the most");
    let entries = |count| {
        let all = bytes(&format!("{ENTRY} 01")).repeat(count);
        [bytes("11 00"), vec![u8::try_from(count).unwrap()], all, bytes("00 00")].concat()
    };
    assert_limit(ENTRIES_MAX, entries, "33 entries, where 32 is the most");
    let runs = |count: usize| {
        let all: Vec<u8> = (0..count).flat_map(|place| [u8::try_from(2 * place).unwrap(), 1]).collect();
        [bytes("00"), vec![u8::try_from(count).unwrap()], all].concat()
    };
    let told = |count| [bytes("11 00 01"), bytes(ENTRY), runs(count), bytes("00 00")].concat();
    assert_limit(HAVE_RUNS_MAX, told, "65 runs of blocks, where 64 is the most");
    let opened = |count| [bytes("13 00 00"), runs(count)].concat();
    assert_limit(HAVE_RUNS_MAX, opened, "65 runs of blocks, where 64 is the most");

    let wanted = |kind| {
        move |count| [bytes(kind), bytes("00 00 fc"), u32::try_from(count).unwrap().to_be_bytes().to_vec()].concat()
    };
    assert_limit(HASHES_MAX as usize, wanted("15"), "1025 blocks asked for, where 1 to 1024 are");
    assert_limit(BLOCKS_WANTED_MAX as usize, wanted("17"), "65 blocks asked for, where 1 to 64 are");
    let hashes = |count: usize| [bytes("16 00 00"), run_of(32 * count, 0xff)].concat();
    let refused = "32800 bytes of hashes, where 32 for each of 1 to 1024 are";
    assert_limit(HASHES_MAX as usize, hashes, refused);
    let block = |length| [bytes("18 00 00"), run_of(length, 0xff)].concat();
    assert_limit(BLOCK_BYTES_MAX, block, "a block of 1048577 bytes, where 1048576 is the most");
}

/// Four entries that count for 1,024 bytes each are as many as there may be, in whatever message they stand.
#[test]
fn entries_may_have_a_limit_together_and_no_byte_more() {
    let entry = |length| {
        let entry = entry_of(&vec![b'n'; length], 0, ContentHash([0; 32]), &[b'd'; 200], Have::Partly);
        assert_eq!(entry.bytes_count(), 264 + length);
        entry
    };
    let told = |last| Entries { entries: [760, 760, 760, last].map(entry).to_vec(), more: 0, uploads: 0 };
    let answered = |body| Message::Answer(Answer { sequence: 0, asked: Some(AskHash(0)), hops: 0, body });
    let brought = |body| {
        let body = BroughtBody::Whole(body);
        Arc::new(BroughtAnswer { id: ServentId(0), from: address("127.0.0.1:1"), name: None, hops: 0, body })
    };
    let said = |last: usize| {
        let body = || AnswerBody::Entries(told(last));
        [
            Message::ListPart(ListPart { list: 0, entries: told(last) }),
            answered(body()),
            Message::Brought(Brought { contact: ContactName(0), number: 0, ttl: 0, answer: brought(body()) }),
            Message::Handed(Handed { sequence: 0, answer: brought(body()) }),
        ]
    };
    for message in said(760) {
        assert_eq!(heard_by(&mut greeted(), &frame(&message)), Ok(vec![message]));
    }
    for message in said(761) {
        let refused = "entries that count for 4097 bytes, where 4096 is the most";
        assert_eq!(heard_by(&mut greeted(), &frame(&message)), is_malformed(refused), "{}", message.name());
    }
}

#[test]
fn the_largest_that_is_said_of_contents_fits_a_frame() {
    let query = |ask| {
        Message::query(Query {
            via: Via::Direct,
            sequence: u64::MAX,
            client: client("[2001:db8::7]:65535"),
            contact: Some(mark(u64::MAX, u64::MAX, u64::MAX - SPAN_MAX)),
            ttl: u8::MAX,
            hops: u8::MAX,
            ask,
            path: vec![address("[2001:db8::7]:65535"); PATH_ADDRESSES_MAX].into(),
        })
    };
    let word = [0xff; FIND_WORD_BYTES_MAX];
    let words = Words::new([word.as_slice(); FIND_WORDS_MAX]).unwrap();
    let name = file_name(&[0xff; FILE_NAME_BYTES_MAX]);
    let runs = |count: u32| Have::Runs((0..count).map(|place| (200_000 + 2 * place, 1)).collect());
    let entries = || {
        let entry = |_| entry_of(b"n", u64::MAX, ContentHash([0xff; 32]), &[0xff; 62], Have::Partly);
        let told: Vec<Entry> = (0..ENTRIES_MAX).map(entry).collect();
        assert!((ENTRIES_BYTES_MAX - 32..=ENTRIES_BYTES_MAX).contains(&told.iter().map(Entry::bytes_count).sum()));
        Entries { entries: told, more: u64::MAX, uploads: u32::MAX }
    };
    let (id, from, body) = (ServentId(u128::MAX), address("[2001:db8::7]:65535"), AnswerBody::Entries(entries()));
    let answer = Arc::new(BroughtAnswer { id, from, name: None, hops: u8::MAX, body: BroughtBody::of(body) });
    let number = u64::MAX;
    for (message, frame_bytes_max) in [
        (query(Ask::Find(words)), SERVENT_FRAME_BYTES_MAX),
        (query(Ask::Named(name)), SERVENT_FRAME_BYTES_MAX),
        (query(Ask::Hashed(ContentHash([0xff; 32]).into())), SERVENT_FRAME_BYTES_MAX),
        (
            Message::Brought(Brought {
                contact: ContactName(number),
                number,
                ttl: u8::MAX,
                answer: Arc::clone(&answer),
            }),
            SERVENT_FRAME_BYTES_MAX,
        ),
        (Message::Handed(Handed { sequence: number, answer }), FRAME_BYTES_MAX),
        (Message::List(List { list: u32::MAX, from: vec![0xff; FILE_NAME_BYTES_MAX + 1] }), SERVENT_FRAME_BYTES_MAX),
        (Message::ListPart(ListPart { list: u32::MAX, entries: entries() }), FRAME_BYTES_MAX),
        (Message::Opened(Opened { fetch: u32::MAX, size: number, have: runs(64) }), FRAME_BYTES_MAX),
        (
            Message::HashPart(HashPart { fetch: u32::MAX, first: u32::MAX, hashes: vec![[0xff; 32]; 1_024] }),
            FRAME_BYTES_MAX,
        ),
        (
            Message::Block(Block { fetch: u32::MAX, block: u32::MAX, bytes: vec![0xff; BLOCK_BYTES_MAX] }),
            FRAME_BYTES_MAX,
        ),
    ] {
        let spoken = frame(&message);
        assert!(spoken.len() - 4 <= frame_bytes_max, "{} of {} bytes", message.name(), spoken.len());
        assert_eq!(heard_by(&mut greeted(), &spoken), Ok(vec![message]));
    }
}

/// Nothing of it is announced: whoever has not offered to understand it is told nothing of it at all.
#[test]
fn in_the_other_dialect_nothing_is_said_of_contents() {
    for message in golden::golden_messages().into_iter().map(|golden| golden.message) {
        let is_of_contents = message.needs().include(Features::CONTENT);
        let frame = Frame::new(Dialect::Tp3, &message);
        let is_silent = frame.as_ref().is_err() || frame.as_ref().is_ok_and(Frame::is_empty);
        assert!(!is_of_contents || is_silent, "{}: {frame:?}", message.name());
    }
    assert!(Frame::new(Dialect::Tp3, &answer(b"5 bytes".to_vec())).is_ok());
}
