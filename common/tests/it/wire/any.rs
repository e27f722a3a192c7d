//! What holds for all messages and all bytes.

use super::golden::{KINDS_COUNT, kind};
use super::*;
use common::address::canonical;
use common::link::Link;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

// ---- what holds for all messages and all bytes ----

fn config() -> ProptestConfig {
    ProptestConfig {
        // The printed case is enough to write the test that keeps it.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_said_is_what_is_heard(message in any_message()) {
        let spoken = frame(&message);
        let announced = u32::from_be_bytes([spoken[0], spoken[1], spoken[2], spoken[3]]) as usize;
        prop_assert_eq!(announced, spoken.len() - 4);
        prop_assert_eq!(heard_by(&mut greeted(), &spoken), Ok(vec![message]));
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

    #[test]
    fn nor_does_it_matter_that_bytes_come_one_by_one(messages in prop::collection::vec(small_message(), 1..4)) {
        let mut expected = vec![opening_hello()];
        expected.extend(messages.iter().cloned());
        prop_assert_eq!(heard_in_segments(&stream_of(&messages), 1), Ok(expected));
    }

    #[test]
    fn arbitrary_bytes_are_messages_or_one_lasting_error(
        opening in 0_usize..=2,
        noise in prop::collection::vec(any::<u8>(), 0..400),
        segment_bytes in 1_usize..64,
    ) {
        // Noise at the very start, noise where a hello belongs, and noise from a peer that said hello.
        let mut link = match opening {
            0 => new_link(),
            1 => stranger(),
            _ => greeted(),
        };
        hears_or_breaks(&mut link, &noise, segment_bytes)?;
    }

    #[test]
    fn arbitrary_bodies_are_messages_or_one_lasting_error(
        bodies in prop::collection::vec(noisy_body(), 1..6),
        segment_bytes in 1_usize..64,
    ) {
        let stream: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
        hears_or_breaks(&mut greeted(), &stream, segment_bytes)?;
    }

    #[test]
    fn a_damaged_message_is_another_message_or_an_error(
        message in small_message(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut damaged = frame(&message);
        for (place, byte) in damage {
            let place = place.index(damaged.len());
            damaged[place] = byte;
        }
        hears_or_breaks(&mut greeted(), &damaged, damaged.len())?;
    }

    #[test]
    fn a_frame_that_ends_early_is_an_error(message in small_message(), kept in any::<Index>()) {
        let whole = frame(&message);
        let body = &whole[4..];
        // No message is the beginning of another: a body cut anywhere is malformed, never something shorter.
        let cut = &body[..kept.index(body.len())];
        prop_assert!(matches!(heard_by(&mut greeted(), &framed(cut)), Err(WireError::Malformed(_))));
    }
}

/// Gives bytes to a link. What it takes for messages must be sayable again, and mean the same; an error must last.
fn hears_or_breaks(link: &mut Link, bytes: &[u8], segment_bytes: usize) -> Result<(), TestCaseError> {
    for segment in bytes.chunks(segment_bytes) {
        match heard_by(link, segment) {
            Ok(messages) => {
                for message in messages {
                    let again = heard_by(&mut greeted(), &frame(&message));
                    prop_assert_eq!(again, Ok(vec![message]));
                }
            }
            Err(error) => {
                prop_assert!(!link.is_mid_frame());
                prop_assert_eq!(heard_by(link, &frame(&Message::Ping)), Err(error.clone()));
                prop_assert_eq!(link.next_message(), Err(error));
                prop_assert!(!link.is_mid_frame());
                return Ok(());
            }
        }
    }
    Ok(())
}

// ---- any message ----

/// Any message a peer may send, short or long.
fn any_message() -> impl Strategy<Value = Message> {
    let any_body = prop_oneof![
        8 => short_body(),
        1 => (any::<u8>(), 0..=VALUE_BYTES_MAX).prop_map(|(byte, length)| AnswerBody::Value(vec![byte; length])),
        1 => (addresses(PATH_ADDRESSES_MAX), addresses(NEIGHBORS_MAX))
            .prop_map(|(path, neighbors)| AnswerBody::Place { path: path.into(), neighbors }),
    ];
    let any_ask = prop_oneof![
        8 => short_ask(),
        1 => (any::<u8>(), 1..=KEY_BYTES_MAX).prop_map(|(byte, length)| ask_for(&vec![byte; length])),
    ];
    message_of(any_ask.boxed(), PATH_ADDRESSES_MAX, any_body.boxed())
}

/// What is not drawn is not tried.
#[test]
fn every_kind_of_message_is_drawn() {
    let mut runner = TestRunner::deterministic();
    let mut drawn = [false; KINDS_COUNT];
    for _ in 0..2_000 {
        drawn[kind(&small_message().new_tree(&mut runner).unwrap().current())] = true;
    }
    assert_eq!(drawn, [true; KINDS_COUNT]);
}

/// Any message of a few hundred bytes at most, for tests that are slow on long ones.
fn small_message() -> impl Strategy<Value = Message> {
    message_of(short_ask().boxed(), 3, short_body().boxed())
}

fn message_of(
    ask: BoxedStrategy<Ask>,
    path_addresses_max: usize,
    body: BoxedStrategy<AnswerBody>,
) -> impl Strategy<Value = Message> {
    let role = prop_oneof![
        (any::<u128>(), any_address()).prop_map(|(id, advertised)| Role::Servent { id: ServentId(id), advertised }),
        any::<u16>().prop_map(|answer_port| Role::Client { answer_port }),
    ];
    let farewell = prop_oneof![
        prop::sample::select(Goodbye::ALL.to_vec()),
        (9_u32..).prop_map(|number| Goodbye::Unknown { number }),
    ];
    let contact = prop::option::of(
        (any::<u64>(), number(), any::<u16>())
            .prop_map(|(name, number, span)| mark(name, number, number.saturating_sub(span.into()))),
    );
    let client = any_address().prop_map(answer_address);
    let query = (number(), client, contact, any::<u8>(), any::<u8>(), ask.clone(), addresses(path_addresses_max))
        .prop_map(|(sequence, client, contact, ttl, hops, ask, path)| Query {
            sequence,
            client,
            contact,
            ttl,
            hops,
            ask,
            path: path.into(),
        });
    prop_oneof![
        (role, number(), any::<u32>()).prop_map(|(role, bits, frame_bytes_max)| Message::Hello(Hello {
            role,
            dialect: Dialect::Native,
            features: Features::from_bits(bits),
            frame_bytes_max
        })),
        farewell.prop_map(Message::Goodbye),
        Just(Message::Ping),
        Just(Message::Pong),
        (number(), ask).prop_map(|(sequence, ask)| Message::Request(Request { sequence, ask })),
        query.prop_map(Message::query),
        (number(), any::<u64>(), any::<u8>(), body).prop_map(|(sequence, asked, hops, body)| Message::Answer(Answer {
            sequence,
            asked: Some(AskHash(asked)),
            hops,
            body
        })),
        (number(), any_address(), any::<u8>(), tally()).prop_map(|(sequence, client, ttl, tally)| {
            let id = QueryId { sequence, client };
            Message::Echo(Echo { id, ttl, tally })
        }),
        (number(), tally()).prop_map(|(sequence, tally)| Message::Finished(Finished { sequence, tally })),
    ]
}

/// A number of any width: without the shift nearly all would take nine bytes.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
}

fn tally() -> impl Strategy<Value = Tally> {
    let stopped = (any::<i64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift);
    (number(), number(), number(), number(), stopped, number(), number(), number(), any::<u64>()).prop_map(
        |(reached, answers, copies, duplicates, stopped, lost, silent, spoilt, answer_sum)| Tally {
            reached,
            answers,
            copies,
            duplicates,
            stopped,
            lost,
            silent,
            spoilt,
            answer_sum,
        },
    )
}

fn short_ask() -> impl Strategy<Value = Ask> {
    prop_oneof![prop::collection::vec(any::<u8>(), 1..300).prop_map(|bytes| ask_for(&bytes)), Just(Ask::Topology),]
}

fn short_body() -> impl Strategy<Value = AnswerBody> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300).prop_map(AnswerBody::Value),
        (addresses(3), addresses(3)).prop_map(|(path, neighbors)| AnswerBody::Place { path: path.into(), neighbors }),
    ]
}

fn addresses(count_max: usize) -> impl Strategy<Value = Vec<SocketAddr>> {
    prop::collection::vec(any_address(), 0..=count_max)
}

/// Any address in its one spelling: the others do not come back as they were said.
fn any_address() -> impl Strategy<Value = SocketAddr> {
    any::<SocketAddr>().prop_map(canonical)
}

/// Bytes that look like a message for as long as possible.
fn noisy_body() -> impl Strategy<Value = Vec<u8>> {
    let small = prop_oneof![0_u8..10, any::<u8>(), 250_u8..=255];
    let stamp = prop_oneof![8 => Just(0), 1 => small.clone()];
    (stamp, 0_u8..9, prop::collection::vec(small, 0..60))
        .prop_map(|(stamp, message, rest)| [vec![stamp, message], rest].concat())
}
