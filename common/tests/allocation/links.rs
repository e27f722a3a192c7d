//! What a link may be made to hold: by lengths that promise more than there is, by frames, and by any bytes.

use super::*;
use crate::support::frames::{answer, framed, greeted, stranger};
use common::limits::{FRAME_BYTES_MAX, HELLO_FRAME_BYTES_MAX, STRANGER_UNSENT_BYTES_MAX, VALUE_BYTES_MAX};
use common::link::Purpose;
use proptest::prelude::*;

// ---- lengths that promise more than there is ----

#[test]
fn a_length_inside_a_frame_allocates_at_most_a_frame() {
    let places: [(&str, &[u8]); 5] = [
        ("key", &[4, 0, 0]),
        ("path of a query", &[5, 0, 0, 127, 0, 0, 1, 1, 0, 0, 3, 1, 1]),
        ("value", &[6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("path of an answer", &[6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ("neighbors of an answer", &[6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]),
    ];
    let bytes_of_an_address = size_of::<SocketAddr>();
    let lengths = [
        17,
        18,
        4_096,
        (FRAME_BYTES_MAX / bytes_of_an_address) as u64 - 1,
        (FRAME_BYTES_MAX / bytes_of_an_address) as u64,
        (FRAME_BYTES_MAX / bytes_of_an_address) as u64 + 1,
        FRAME_BYTES_MAX as u64,
        FRAME_BYTES_MAX as u64 + 1,
        u64::from(u32::MAX),
        u64::MAX / bytes_of_an_address as u64,
        u64::MAX / bytes_of_an_address as u64 + 1,
        u64::MAX,
    ];
    for (place, before) in places {
        for length in lengths {
            // As many real addresses as a stranger may send behind the length, so that decoding gets on its way.
            for addresses in [0, 1, 30] {
                let body = [before, &[253], &length.to_be_bytes(), &[0, 127, 0, 0, 1, 1].repeat(addresses)].concat();
                for (mut link, stamp) in [(stranger(), &[][..]), (greeted(), &[0])] {
                    let stream = framed(&[stamp, &body].concat());
                    let (heard, cost) = cost_of(|| heard_by(&mut link, &stream));
                    let what = format!("{place} of {length}, {addresses} addresses: {heard:?}, {cost:?}");
                    assert!(matches!(heard, Err(WireError::Malformed(_))), "{what}");
                    assert!(cost.largest <= FRAME_BYTES_MAX, "{what}");
                    assert!(cost.most <= FRAME_BYTES_MAX + SLACK_BYTES, "{what}");
                    assert!(cost.kept <= SLACK_BYTES, "{what}");
                }
            }
        }
    }
}

#[test]
fn the_length_of_a_frame_allocates_nothing() {
    for length in [HELLO_FRAME_BYTES_MAX + 1, FRAME_BYTES_MAX + 1, u32::MAX as usize] {
        let length = u32::try_from(length).expect("32 bits").to_be_bytes();
        let mut link = stranger();
        let (heard, cost) = cost_of(|| heard_by(&mut link, &length));
        assert!(matches!(heard, Err(WireError::FrameTooLong { .. })));
        assert!(cost.most <= SLACK_BYTES, "{cost:?}");
    }
    // A length that is allowed reserves nothing either: only bytes that came are held.
    let length = u32::try_from(FRAME_BYTES_MAX).expect("32 bits").to_be_bytes();
    let mut link = greeted();
    let (heard, cost) = cost_of(|| heard_by(&mut link, &length));
    assert_eq!(heard, Ok(0));
    assert!(cost.most <= SLACK_BYTES, "{cost:?}");
}

// ---- what a link holds ----

#[test]
fn a_stranger_makes_a_link_hold_a_hello_frame_and_one_segment() {
    let mut link = Link::new(Dialect::Native, Purpose::Asking);
    let body = [vec![5; HELLO_FRAME_BYTES_MAX - 1], vec![0]].concat();
    let stream = [PREFACE.as_slice(), &framed(&body)].concat();
    let ((), cost) = cost_of(|| {
        for byte in &stream[..stream.len() - 1] {
            assert_eq!(heard_by(&mut link, &[*byte]), Ok(0));
        }
    });
    assert!(cost.most <= 3 * (HELLO_FRAME_BYTES_MAX + 4), "{cost:?}");
    // The rest comes in one segment with all a socket can hold, and nothing of it stays.
    let flood = vec![0; SEGMENT_BYTES];
    let (heard, cost) = cost_of(|| heard_by(&mut link, &flood));
    assert!(heard.is_err());
    assert!(cost.most <= SEGMENT_BYTES + SLACK_BYTES, "{cost:?}");
    assert!(cost.kept <= SLACK_BYTES, "{cost:?}");
}

#[test]
fn a_frame_that_never_ends_is_held_once_and_let_go_of_with_its_link() {
    let frame = framed(&vec![6; FRAME_BYTES_MAX]);
    let mut link = greeted();
    let ((), cost) = cost_of(|| {
        for segment in frame[..frame.len() - 1].chunks(SEGMENT_BYTES) {
            assert_eq!(heard_by(&mut link, segment), Ok(0));
        }
    });
    // A buffer doubles as it grows, and for a moment the old one stands beside the new one.
    assert!(cost.largest <= 2 * (FRAME_BYTES_MAX + SEGMENT_BYTES), "{cost:?}");
    assert!(cost.most <= 3 * (FRAME_BYTES_MAX + SEGMENT_BYTES), "{cost:?}");
    let before = cost.kept;
    let (heard, cost) = cost_of(|| heard_by(&mut link, &[0]));
    assert!(matches!(heard, Err(WireError::Malformed(_))));
    assert_eq!(cost.kept, 0);
    let ((), cost) = cost_of(|| {
        for _ in 0..100 {
            assert!(heard_by(&mut link, &frame[..SEGMENT_BYTES]).is_err());
        }
    });
    assert!(cost.most <= SLACK_BYTES, "a broken link holds nothing: {cost:?}");
    assert!(before >= FRAME_BYTES_MAX, "before the error it held the frame: {before}");
}

#[test]
fn a_link_gives_back_what_long_messages_needed() {
    let frame = frame(&answer(vec![b'v'; VALUE_BYTES_MAX]));
    let mut link = greeted();
    let ((), cost) = cost_of(|| {
        for _ in 0..3 {
            let heard: usize =
                frame.chunks(SEGMENT_BYTES).map(|segment| heard_by(&mut link, segment).expect("a whole message")).sum();
            assert_eq!(heard, 1);
            assert_eq!(link.send(&answer(vec![b'v'; VALUE_BYTES_MAX])), Ok(()));
            assert_eq!(link.send(&answer(vec![b'v'; VALUE_BYTES_MAX])), Ok(()));
            link.sent(link.unsent().len());
        }
    });
    assert!(cost.kept <= IDLE_LINK_BYTES_MAX, "{cost:?}");
}

#[test]
fn an_idle_link_costs_next_to_nothing() {
    let (_link, cost) = cost_of(|| {
        let mut link = greeted();
        for _ in 0..1_000 {
            assert_eq!(heard_by(&mut link, &frame(&Message::Ping)), Ok(1));
            assert_eq!(link.send(&Message::Pong), Ok(()));
            link.sent(link.unsent().len());
        }
        // A long message there and back is no reason to keep more.
        assert_eq!(heard_by(&mut link, &frame(&answer(vec![b'v'; 1_000]))), Ok(1));
        assert_eq!(link.send(&answer(vec![b'v'; 1_000])), Ok(()));
        link.sent(link.unsent().len());
        link
    });
    assert!(cost.kept <= IDLE_LINK_BYTES_MAX, "{cost:?}");
}

#[test]
fn a_link_that_never_comes_to_rest_does_not_grow() {
    let mut link = greeted();
    let ping = frame(&Message::Ping);
    let (first, last) = ping.split_at(2);
    assert_eq!(heard_by(&mut link, first), Ok(0));
    assert_eq!(link.send(&Message::Pong), Ok(()));
    let segment = [last, first].concat();
    let ((), cost) = cost_of(|| {
        for _ in 0..10_000 {
            // Always in the middle of a frame, and never everything written.
            assert_eq!(heard_by(&mut link, &segment), Ok(1));
            assert_eq!(link.send(&Message::Pong), Ok(()));
            link.sent(ping.len());
        }
    });
    assert!(link.is_mid_frame());
    assert!(!link.unsent().is_empty());
    assert!(cost.most <= SLACK_BYTES, "{cost:?}");
}

#[test]
fn a_refused_message_is_not_kept() {
    let mut link = stranger();
    let message = answer(vec![b'v'; STRANGER_UNSENT_BYTES_MAX]);
    let ((), cost) = cost_of(|| {
        for _ in 0..100 {
            assert!(matches!(link.send(&message), Err(SendError::Full(_))));
        }
    });
    assert_eq!(cost.kept, 0, "{cost:?}");
    assert!(cost.most <= 3 * STRANGER_UNSENT_BYTES_MAX, "{cost:?}");
}

// ---- any bytes ----

/// Messages, pieces of messages and noise, in frames whose length may lie.
fn hostile_stream() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        // Bytes that look like a message for as long as possible, with a length somewhere in them that is too much.
        (0_u8..9, prop::collection::vec(0_u8..4, 0..20), any::<u64>(), prop::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(message, words, length, rest)| {
                [&[0, message], words.as_slice(), &[253], &length.to_be_bytes(), &rest].concat()
            }),
        (any::<u8>(), 0..VALUE_BYTES_MAX).prop_map(|(byte, length)| frame(&answer(vec![byte; length]))[4..].to_vec()),
        prop::collection::vec(any::<u8>(), 0..100),
    ];
    let framed = prop_oneof![
        8 => body.prop_map(|body| framed(&body)),
        1 => (any::<u32>(), prop::collection::vec(any::<u8>(), 0..100))
            .prop_map(|(length, rest)| [length.to_be_bytes().as_slice(), &rest].concat()),
    ];
    prop::collection::vec(framed, 1..5).prop_map(|frames| frames.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        // The printed case is enough to write the test that keeps it.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_bytes_make_a_link_hold_more_than_a_frame_and_a_segment(
        stream in hostile_stream(),
        segment_bytes in 1_000..=SEGMENT_BYTES,
        is_greeted in any::<bool>(),
    ) {
        let mut link = if is_greeted { greeted() } else { stranger() };
        let frame_bytes_max = if is_greeted { FRAME_BYTES_MAX } else { HELLO_FRAME_BYTES_MAX };
        let (error, cost) = cost_of(|| {
            stream.chunks(segment_bytes).find_map(|segment| heard_by(&mut link, segment).err())
        });
        // Held: the buffer, which doubles as it grows (and beside it the one it grew out of). Beside that, a message
        // while it is decoded.
        let buffers_max = 3 * (4 + frame_bytes_max + segment_bytes) + SLACK_BYTES;
        prop_assert!(cost.most <= buffers_max + FRAME_BYTES_MAX, "{:?}", cost);
        let buffer_max = 2 * (4 + frame_bytes_max + segment_bytes) + SLACK_BYTES;
        prop_assert!(cost.kept <= if error.is_some() { SLACK_BYTES } else { buffer_max }, "{:?}", cost);
    }
}
