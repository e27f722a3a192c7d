//! What holds for all messages. What holds for all bytes is told by the fuzz targets `framer` and `native`.

use super::golden::{KINDS_COUNT, kind};
use super::*;
use common::address::canonical;
use common::content::transfer::Refusal;
use common::limits::NAME_BYTES_MAX;
use common::write::{Change, Changed, Unwatch, Watch, Write, WriteOutcome, WriteRefusal, Written};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

proptest! {
    #![proptest_config(ProptestConfig {
        // The printed case is enough to write the test that keeps it.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_said_is_what_is_heard(message in any_message()) {
        let spoken = frame(&message);
        let announced = u32::from_be_bytes([spoken[0], spoken[1], spoken[2], spoken[3]]) as usize;
        prop_assert_eq!(announced, spoken.len() - 4);
        prop_assert_eq!(heard_by(&mut greeted(), &spoken), Ok(vec![message]));
    }

    #[test]
    fn an_entry_counts_for_no_less_than_its_bytes(entry in any_entry()) {
        let told = |entries| frame(&Message::ListPart(ListPart { list: 0, entries })).len();
        let bytes_count = entry.bytes_count();
        let more = told(Entries { entries: vec![entry], ..Entries::default() }) - told(Entries::default());
        prop_assert!(more <= bytes_count, "{more} bytes counted as {bytes_count}");
    }

    #[test]
    fn it_does_not_matter_where_a_stream_is_cut(
        messages in prop::collection::vec(any_message(), 1..8),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let stream = stream_of(&messages);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut link = new_link();
        let mut heard = Vec::new();
        for ends in cuts.windows(2) {
            heard.extend(heard_by(&mut link, &stream[ends[0]..ends[1]])?);
        }
        prop_assert_eq!(heard.split_first(), Some((&opening_hello(), messages.as_slice())));
        prop_assert!(!link.is_mid_frame());
    }
}

fn any_name() -> impl Strategy<Value = ServentName> {
    prop_oneof![
        "[a-z]{1,16}".prop_map(|text| named(&text)),
        prop::collection::vec(any::<char>(), 1..=NAME_BYTES_MAX / 4).prop_map(|text| named(&String::from_iter(text))),
        any::<u8>().prop_map(|byte| named(&char::from(byte % 128).to_string().repeat(NAME_BYTES_MAX))),
    ]
}

/// Any message a peer may send, short or long.
fn any_message() -> impl Strategy<Value = Message> {
    let body = prop_oneof![
        8 => short_body(),
        1 => (any::<u8>(), 0..=VALUE_BYTES_MAX).prop_map(|(byte, length)| AnswerBody::Value(vec![byte; length])),
        1 => (addresses(PATH_ADDRESSES_MAX), addresses(NEIGHBORS_MAX))
            .prop_map(|(path, neighbors)| AnswerBody::Place { path: path.into(), neighbors }),
    ];
    let ask = prop_oneof![
        8 => short_ask(),
        1 => (any::<u8>(), 1..=KEY_BYTES_MAX).prop_map(|(byte, length)| ask_for(&vec![byte; length])),
    ]
    .boxed();
    let role = prop_oneof![
        (any::<u128>(), any_address(), prop::option::of(any_name()))
            .prop_map(|(id, advertised, name)| (Role::Servent { id: ServentId(id), advertised }, name)),
        any::<u16>().prop_map(|answer_port| (Role::Client { answer_port }, None)),
    ];
    let farewell = prop_oneof![
        prop::sample::select(Goodbye::ALL.to_vec()),
        (9_u32..).prop_map(|number| Goodbye::Unknown { number }),
    ];
    let contact = prop::option::of(
        (any::<u64>(), number(), any::<u16>())
            .prop_map(|(name, number, span)| mark(name, number, number.saturating_sub(span.into()))),
    );
    let brought = (any::<u128>(), any_address(), prop::option::of(any_name()), any::<u8>(), brought_body())
        .prop_map(|(id, from, name, hops, body)| Arc::new(BroughtAnswer { id: ServentId(id), from, name, hops, body }))
        .boxed();
    let client = any_address().prop_map(answer_address);
    let query = (
        number(),
        client,
        any::<bool>(),
        contact,
        any::<u8>(),
        any::<u8>(),
        ask.clone(),
        addresses(PATH_ADDRESSES_MAX),
    )
        .prop_map(|(sequence, client, is_back, contact, ttl, hops, ask, path)| Query {
            // Without a contact there is no way back.
            via: if is_back && contact.is_some() { Via::Back } else { Via::Direct },
            sequence,
            client,
            contact,
            ttl,
            hops,
            ask,
            path: path.into(),
        });
    let of_queries_and_members =
        prop_oneof![
            (role, number(), any::<u32>()).prop_map(|((role, name), bits, frame_bytes_max)| {
                let features = Features::from_bits(bits);
                // Whoever has a name understands names.
                let features = if name.is_some() { features.with(Features::NAME) } else { features };
                Message::Hello(Hello { role, name, dialect: Dialect::Native, features, frame_bytes_max })
            }),
            farewell.prop_map(Message::Goodbye),
            Just(Message::Ping),
            Just(Message::Pong),
            (number(), ask, prop::option::of(any::<u8>())).prop_map(|(sequence, ask, ttl)| Message::Request(Request {
                sequence,
                ask,
                ttl
            })),
            query.prop_map(Message::query),
            (number(), any::<u64>(), any::<u8>(), body).prop_map(|(sequence, asked, hops, body)| Message::Answer(
                Answer { sequence, asked: Some(AskHash(asked)), hops, body }
            )),
            (number(), any_address(), any::<u8>(), tally()).prop_map(|(sequence, client, ttl, tally)| {
                let id = QueryId { sequence, client };
                Message::Echo(Echo { id, ttl, tally })
            }),
            (number(), tally()).prop_map(|(sequence, tally)| Message::Finished(Finished { sequence, tally })),
            (any::<u64>(), number(), any::<u8>(), brought.clone()).prop_map(|(contact, number, ttl, answer)| {
                Message::Brought(Brought { contact: ContactName(contact), number, ttl, answer })
            }),
            (number(), brought).prop_map(|(sequence, answer)| Message::Handed(Handed { sequence, answer })),
            prop::option::of(any_address()).prop_map(|after| Message::PeersWanted(PeersWanted { after })),
            peers().prop_map(Message::Peers),
            any_address().prop_map(|address| Message::Greet(Greet { address })),
            any_greeted().prop_map(Message::Greeted),
        ];
    prop_oneof![2 => of_queries_and_members, 1 => of_contents(), 1 => of_writes()]
}

/// What is said of writes.
fn of_writes() -> impl Strategy<Value = Message> {
    let value = || {
        prop_oneof![
            8 => prop::collection::vec(any::<u8>(), 0..300),
            1 => (any::<u8>(), 0..=VALUE_BYTES_MAX).prop_map(|(byte, length)| vec![byte; length]),
        ]
        .prop_map(Arc::<[u8]>::from)
    };
    let key = || prop::collection::vec(any::<u8>(), 1..=40).prop_map(|bytes| Key::new(&bytes).expect("a key"));
    let text = prop::collection::vec(any::<u8>(), 0..=DESCRIPTION_BYTES_MAX).prop_map(Arc::<[u8]>::from);
    let change = prop_oneof![
        (key(), value()).prop_map(|(key, value)| Change::Put { key, value }),
        key().prop_map(|key| Change::Delete { key }),
        (any_file_name(200), text).prop_map(|(name, text)| Change::Publish { name, text }),
        any_file_name(200).prop_map(|name| Change::Unpublish { name }),
    ];
    let outcomes = [WriteOutcome::Stored, WriteOutcome::Replaced, WriteOutcome::Deleted, WriteOutcome::Absent];
    let outcomes = outcomes.into_iter().chain([WriteOutcome::Present]);
    let outcomes = outcomes.chain(WriteRefusal::ALL.map(WriteOutcome::Refused)).collect::<Vec<_>>();
    prop_oneof![
        2 => (number(), change).prop_map(|(sequence, change)| Message::Write(Write { sequence, change })),
        2 => (number(), prop::sample::select(outcomes))
            .prop_map(|(sequence, outcome)| Message::Written(Written { sequence, outcome })),
        1 => (number(), key()).prop_map(|(sequence, key)| Message::Watch(Watch { sequence, key })),
        1 => number().prop_map(|sequence| Message::Unwatch(Unwatch { sequence })),
        1 => (number(), prop::option::of(value()))
            .prop_map(|(sequence, value)| Message::Changed(Changed { sequence, value })),
    ]
}

/// What is said of contents beside asks and answers.
fn of_contents() -> impl Strategy<Value = Message> {
    let refusal = prop::sample::select(Refusal::ALL.to_vec());
    let hashes = prop::collection::vec(any::<[u8; 32]>(), 1..=40);
    let block = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..300),
        1 => (any::<u8>(), 0..=BLOCK_BYTES_MAX).prop_map(|(byte, length)| vec![byte; length]),
    ];
    prop_oneof![
        (any::<u32>(), prop::collection::vec(any::<u8>(), 0..=FILE_NAME_BYTES_MAX + 1))
            .prop_map(|(list, from)| Message::List(List { list, from })),
        (any::<u32>(), any_entries()).prop_map(|(list, entries)| Message::ListPart(ListPart { list, entries })),
        (any::<u32>(), any::<[u8; 32]>())
            .prop_map(|(fetch, hash)| Message::Open(Open { fetch, hash: ContentHash(hash) })),
        (any::<u32>(), number(), have(HAVE_RUNS_MAX)).prop_map(|(fetch, size, have)| Message::Opened(Opened {
            fetch,
            size,
            have
        })),
        (any::<u32>(), refusal).prop_map(|(fetch, refusal)| Message::Refused(Refused { fetch, refusal })),
        (any::<u32>(), run(HASHES_MAX)).prop_map(|(fetch, (first, count))| Message::HashesWanted(HashesWanted {
            fetch,
            first,
            count
        })),
        (any::<u32>(), any::<u32>(), hashes).prop_map(|(fetch, first, hashes)| Message::HashPart(HashPart {
            fetch,
            first,
            hashes
        })),
        (any::<u32>(), run(BLOCKS_WANTED_MAX))
            .prop_map(|(fetch, (first, count))| Message::BlocksWanted(BlocksWanted { fetch, first, count })),
        (any::<u32>(), any::<u32>(), block).prop_map(|(fetch, block, bytes)| Message::Block(Block {
            fetch,
            block,
            bytes
        })),
    ]
}

/// Blocks that some content may have.
fn run(count_max: u32) -> impl Strategy<Value = (u32, u32)> {
    (1..=count_max).prop_flat_map(|count| (0..=BLOCKS_MAX - count, Just(count)))
}

fn have(runs_max: usize) -> impl Strategy<Value = Have> {
    // Each run, and what is left out before it: nothing before the first perhaps.
    let runs = prop::collection::vec((1_u32..2_000, 1_u32..2_000), 0..=runs_max).prop_map(|steps| {
        let mut end = 0;
        let run = |(place, (gap, count)): (usize, (u32, u32))| {
            let first = end + if place == 0 { gap - 1 } else { gap };
            end = first + count;
            (first, count)
        };
        Have::Runs(steps.into_iter().enumerate().map(run).collect())
    });
    prop_oneof![4 => runs, 1 => Just(Have::all(BLOCKS_MAX)), 1 => Just(Have::Partly)]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let description = prop::collection::vec(any::<u8>(), 0..=DESCRIPTION_BYTES_MAX);
    (any_file_name(200), number(), any::<[u8; 32]>(), description, have(4)).prop_map(
        |(name, size, hash, description, have)| Entry { name, size, hash: ContentHash(hash), description, have },
    )
}

/// As many as may be told at once.
fn any_entries() -> impl Strategy<Value = Entries> {
    let short = (any_file_name(20), number(), any::<[u8; 32]>()).prop_map(|(name, size, hash)| Entry {
        name,
        size,
        hash: ContentHash(hash),
        description: Vec::new(),
        have: Have::all(1),
    });
    let all = prop_oneof![
        prop::collection::vec(any_entry(), 0..=ENTRIES_MAX),
        prop::collection::vec(short, 0..=ENTRIES_MAX),
    ];
    (all, number(), any::<u32>())
        .prop_map(|(all, more, uploads)| Entries { more, ..Entries::of(all.into_iter(), Some, uploads) })
}

/// Any bytes but NUL.
fn any_file_name(bytes_max: usize) -> impl Strategy<Value = FileName> {
    prop::collection::vec(1..=u8::MAX, 1..=bytes_max).prop_map(|bytes| file_name(&bytes))
}

fn ask_for_contents() -> impl Strategy<Value = Ask> {
    let word = prop::collection::vec(1..=u8::MAX, 1..=FIND_WORD_BYTES_MAX);
    prop_oneof![
        prop::collection::vec(word, 0..=FIND_WORDS_MAX)
            .prop_map(|words| Ask::Find(Words::new(words.iter().map(Vec::as_slice)).unwrap())),
        any_file_name(FILE_NAME_BYTES_MAX).prop_map(Ask::Named),
        prop::collection::vec(any::<u8>(), HASH_START_BYTES_MIN..=32)
            .prop_map(|first| Ask::Hashed(HashStart::new(&first).unwrap())),
    ]
}

fn any_greeted() -> impl Strategy<Value = Greeted> {
    let outcome = prop::sample::select(GreetOutcome::ALL.to_vec());
    let said = || {
        let word = prop::sample::select(Word::ALL.to_vec());
        prop::option::of((word, number()).prop_map(|(word, clock)| WordAt { word, clock }))
    };
    let took = any::<u64>().prop_map(Duration::from_micros);
    (any_address(), outcome, said(), said(), number(), took).prop_map(
        |(address, outcome, was, now, new_count, took)| Greeted { address, outcome, was, now, new_count, took },
    )
}

/// By address, each once.
fn peers() -> impl Strategy<Value = Peers> {
    let kind = prop::sample::select(vec![PeersKind::News, PeersKind::LastPage, PeersKind::Page]);
    (kind, prop::collection::vec(member(), 0..=PEERS_MAX)).prop_map(|(kind, mut members)| {
        members.sort_by_key(|member| member.address);
        members.dedup_by_key(|member| member.address);
        Peers { kind, members }
    })
}

fn member() -> impl Strategy<Value = Member> {
    let (word, link) = (prop::sample::select(Word::ALL.to_vec()), prop::sample::select(Linkage::ALL.to_vec()));
    let round_trip = prop::option::of((0..u64::MAX).prop_map(Duration::from_micros));
    let seen = (link, any::<bool>(), round_trip).prop_map(|(link, is_flapping, round_trip)| Seen {
        link,
        is_flapping,
        round_trip,
    });
    (any_address(), any::<u64>(), number(), number(), word, any::<(bool, bool)>(), seen).prop_map(
        |(address, id, clock, heard, word, (is_open, is_proved), seen)| Member {
            address,
            id: Identity::of_bits(id),
            clock,
            heard: Duration::from_secs(heard),
            word,
            is_open,
            is_proved,
            seen,
        },
    )
}

/// What is not drawn is not tried.
#[test]
fn every_kind_of_message_is_drawn() {
    let mut runner = TestRunner::deterministic();
    let mut drawn = [false; KINDS_COUNT];
    for _ in 0..4_000 {
        drawn[kind(&any_message().new_tree(&mut runner).unwrap().current())] = true;
    }
    assert_eq!(drawn, [true; KINDS_COUNT]);
}

/// A number of any width: without the shift nearly all would take nine bytes.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
}

fn tally() -> impl Strategy<Value = Tally> {
    let stopped = (any::<i64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift);
    (number(), number(), number(), number(), stopped, number(), number(), number(), (any::<u64>(), any::<bool>()))
        .prop_map(|(reached, answers, copies, duplicates, stopped, lost, silent, spoilt, (answer_sum, is_dialled))| {
            Tally { reached, answers, copies, duplicates, stopped, lost, silent, spoilt, answer_sum, is_dialled }
        })
}

fn short_ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 1..300).prop_map(|bytes| ask_for(&bytes)),
        Just(Ask::Topology),
        ask_for_contents(),
    ]
}

fn brought_body() -> impl Strategy<Value = BroughtBody> {
    prop_oneof![
        4 => short_body().prop_map(BroughtBody::Whole),
        1 => (any::<u8>(), 0..=BROUGHT_BYTES_MAX)
            .prop_map(|(byte, length)| BroughtBody::Whole(AnswerBody::Value(vec![byte; length]))),
        1 => (addresses(PATH_ADDRESSES_MAX), addresses(NEIGHBORS_MAX)).prop_map(|(path, neighbors)| {
            BroughtBody::Whole(AnswerBody::Place { path: path.into(), neighbors })
        }),
        2 => number().prop_map(BroughtBody::Announced),
    ]
}

fn short_body() -> impl Strategy<Value = AnswerBody> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300).prop_map(AnswerBody::Value),
        (addresses(3), addresses(3)).prop_map(|(path, neighbors)| AnswerBody::Place { path: path.into(), neighbors }),
        any_entries().prop_map(AnswerBody::Entries),
    ]
}

fn addresses(count_max: usize) -> impl Strategy<Value = Vec<SocketAddr>> {
    prop::collection::vec(any_address(), 0..=count_max)
}

/// Any address in its one spelling: the others do not come back as they were said.
fn any_address() -> impl Strategy<Value = SocketAddr> {
    any::<SocketAddr>().prop_map(canonical)
}
