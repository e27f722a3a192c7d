//! Bytes that are no protocol of ours.

use super::*;
use common::limits::{HELLO_FRAME_BYTES_MAX, SERVENT_FRAME_BYTES_MAX};

#[test]
fn garbage_is_told_nothing_and_named_in_the_log() {
    let mut servent = serve_tea(&[]);
    let rows: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "47 45 54 20 2f 20 48 54"),
        // A TLS hello, which much that scans ports begins with.
        (&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], "16 03 01 02 00 01 00 01"),
        (b"\n", "0a"),
        // The preface but for its last byte.
        (&[0xA7, b'k', b'w', 1], "a7 6b 77 01"),
        (&[0xff; 100_000], "ff ff ff ff ff ff ff ff"),
    ];
    for (bytes, shown) in rows {
        let mut peer = Peer::stranger(servent.address());
        peer.say_bytes(bytes);
        assert_eq!(peer.bytes_until_end(), b"", "{shown}");
        let reason = format!("it does not speak our protocol: its first bytes are {shown}");
        assert!(logged(&mut servent, &format!("no link with {}: ", peer.address())).ends_with(&reason));
    }
    still_serves(servent.address());
}

#[test]
fn a_frame_that_announces_too_much_is_refused_before_it_comes() {
    let mut servent = serve_tea(&[]);
    let too_long = |bytes_count: usize, max: usize| format!("a frame of {bytes_count} bytes, where {max} is the most");

    let mut stranger = Peer::stranger(servent.address());
    stranger.say_bytes(&[PREFACE, length(HELLO_FRAME_BYTES_MAX + 1)].concat());
    stranger.expect_goodbye(Goodbye::Protocol);
    let reason = too_long(HELLO_FRAME_BYTES_MAX + 1, HELLO_FRAME_BYTES_MAX);
    logged(&mut servent, &format!("no link with {}: {reason}", stranger.address()));

    for bytes_count in [SERVENT_FRAME_BYTES_MAX + 1, FRAME_BYTES_MAX + 1, u32::MAX as usize] {
        let reason = too_long(bytes_count, SERVENT_FRAME_BYTES_MAX);
        let port = AnswerPort::open();
        let mut client = Peer::client(servent.address(), port.address().port());
        client.say_bytes(&length(bytes_count));
        client.expect_goodbye(Goodbye::Protocol);
        logged(&mut servent, &format!("client {} left: {reason}", port.address()));

        let mut neighbor = Peer::neighbor(servent.address());
        neighbor.say_bytes(&length(bytes_count));
        neighbor.expect_goodbye(Goodbye::Protocol);
        logged(&mut servent, &format!("link with neighbor {} is gone: {reason}", neighbor.address()));
    }
    still_serves(servent.address());
}
