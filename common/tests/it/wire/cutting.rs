//! Streams that are cut anywhere.

use super::golden::{Golden, golden_messages};
use super::*;

#[test]
fn a_stream_cut_in_two_anywhere_is_the_same() {
    for Golden { name, message, .. } in golden_messages() {
        // The second message shows that the first took no byte too many.
        let first = frame_at(Position::First, &message);
        let stream = [PREFACE.to_vec(), first, frame(&Message::Ping)].concat();
        for cut in 0..=stream.len() {
            let (first, second) = stream.split_at(cut);
            let mut link = new_link();
            let mut heard = heard_by(&mut link, first).expect("the first part is no error");
            heard.extend(heard_by(&mut link, second).expect("the second part is no error"));
            assert_eq!(heard, [message.clone(), Message::Ping], "{name} cut at {cut}");
            assert!(!link.is_mid_frame(), "{name} cut at {cut}");
        }
    }
}

#[test]
fn a_message_comes_with_its_last_byte_and_not_before() {
    for Golden { name, message, .. } in golden_messages() {
        let mut link = greeted();
        let frame = frame(&message);
        let (last, others) = frame.split_last().expect("a frame has bytes");
        for byte in others {
            assert_eq!(heard_by(&mut link, &[*byte]), Ok(Vec::new()), "{name}");
            assert!(link.is_mid_frame(), "{name}");
        }
        assert_eq!(heard_by(&mut link, &[*last]), Ok(vec![message]), "{name}");
        assert!(!link.is_mid_frame(), "{name}");
    }
}
