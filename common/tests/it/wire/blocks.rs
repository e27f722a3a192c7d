//! Frames of blocks that are made around bytes as they were read: they are those of the message, byte for byte.

use super::*;
use common::content::transfer::BlockBytes;
use common::wire::EncodeError;

/// At these a number takes as many bytes as it can, and one more.
const WIDTHS: [u64; 8] = [0, 250, 251, 65_535, 65_536, u32::MAX as u64, u32::MAX as u64 + 1, u64::MAX];

fn narrow() -> impl Iterator<Item = u32> {
    WIDTHS.into_iter().filter_map(|number| u32::try_from(number).ok())
}

fn read(length: usize) -> BlockBytes {
    let read = BlockBytes::read_with(length, |bytes| {
        bytes.extend((0..length).map(|place| place.to_le_bytes()[0] ^ 0x5a));
        Ok::<(), ()>(())
    });
    read.unwrap()
}

#[track_caller]
fn assert_same(stamp: u64, fetch: u32, block: u32, length: usize) {
    let bytes = read(length);
    let message = Message::Block(Block { fetch, block, bytes: bytes.as_bytes().to_vec() });
    let said = Frame::at(Position::Later, Dialect::Native, stamp, &message).unwrap();
    let made = Frame::block(Dialect::Native, stamp, fetch, block, bytes).unwrap();
    assert_eq!(made.body_bytes_count(), said.body_bytes_count(), "{stamp} {fetch} {block} {length}");
    assert!(made.as_bytes() == said.as_bytes(), "{stamp} {fetch} {block} {length}");
    assert!(!made.is_empty());
}

#[test]
fn a_block_in_a_frame_of_its_own_is_the_message_at_every_width_of_its_numbers() {
    for stamp in WIDTHS {
        for (fetch, block) in narrow().flat_map(|fetch| narrow().map(move |block| (fetch, block))) {
            for length in [0, 1, 250, 251] {
                assert_same(stamp, fetch, block, length);
            }
        }
    }
    for length in [65_535, 65_536, BLOCK_BYTES_MAX - 1, BLOCK_BYTES_MAX] {
        assert_same(0, 0, 0, length);
        assert_same(u64::MAX, u32::MAX, u32::MAX, length);
    }
}

#[test]
fn the_longest_block_fits_into_a_frame_and_is_heard() {
    let bytes = read(BLOCK_BYTES_MAX);
    let expected = Message::Block(Block { fetch: u32::MAX, block: u32::MAX, bytes: bytes.as_bytes().to_vec() });
    let frame = Frame::block(Dialect::Native, u64::MAX, u32::MAX, u32::MAX, bytes).unwrap();
    assert!(frame.body_bytes_count() <= FRAME_BYTES_MAX);
    let mut link = greeted();
    link.receive(frame.as_bytes());
    assert_eq!(link.next_stamped(), Ok(Some((u64::MAX, expected))));
    // No servent takes as much: blocks are for clients.
    let mut link = Link::accepted(Accepts::OWN, Purpose::Standing);
    let heard = heard_by(&mut link, &[stream_of(&[]), frame.as_bytes()[..9].to_vec()].concat());
    assert!(matches!(heard, Err(WireError::FrameTooLong { .. })), "{heard:?}");
}

#[test]
fn a_block_that_no_frame_takes_is_none() {
    let too_long = Frame::block(Dialect::Native, 0, 0, 0, read(FRAME_BYTES_MAX));
    assert!(matches!(too_long, Err(EncodeError::TooLong(length)) if length > FRAME_BYTES_MAX), "{too_long:?}");
    let unspeakable = Frame::block(Dialect::Tp3, 0, 0, 0, read(3));
    assert!(matches!(unspeakable, Err(EncodeError::Unspeakable(_))), "{unspeakable:?}");
}

#[test]
fn bytes_that_could_not_be_read_are_no_block() {
    let failed = BlockBytes::read_with(3, |bytes| {
        bytes.push(1);
        Err("it is a test")
    });
    assert_eq!(failed, Err("it is a test"));
    assert_eq!(read(3).as_bytes(), [0x5a, 0x5b, 0x58]);
}
