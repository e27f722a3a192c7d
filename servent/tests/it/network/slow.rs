//! Those who are slow, or say nothing at all.

use super::*;
use peers::Heard;

/// All the waits for those who fall silent, side by side: none of them holds up another.
#[test]
fn those_who_fall_silent_are_closed_with_a_reason() {
    let file = tea();
    let mute_neighbor = AnswerPort::open();
    let mut servent = serve(&[file.path(), &mute_neighbor.address().to_string()]);
    let address = servent.address();

    let mut without_hello = Peer::stranger(address);
    let mut half_preface = Peer::stranger(address);
    half_preface.say_bytes(&PREFACE[..2]);

    let (client_port, dripping_port, quiet_port) = (AnswerPort::open(), AnswerPort::open(), AnswerPort::open());
    let mut quiet_client = Peer::client(address, quiet_port.address().port());
    let mut half_client = Peer::client(address, client_port.address().port());
    half_client.say_bytes(&half_a_frame());
    let mut half_neighbor = Peer::neighbor(address);
    half_neighbor.fall_silent();
    half_neighbor.say_bytes(&half_a_frame());
    let mut quiet_neighbor = Peer::neighbor(address);
    quiet_neighbor.fall_silent();

    // Bytes that keep coming do not make a frame that never ends any better.
    let mut dripping = Peer::client(address, dripping_port.address().port());
    let dripping = thread::spawn(move || {
        let bytes = [&length(1_000)[..], &[0; 1_000]].concat();
        assert_eq!(
            dripping.drip_until_heard(&bytes, Duration::from_millis(200)),
            Heard::Message(Message::Goodbye(Goodbye::Protocol))
        );
        dripping.expect_end();
    });

    // One whose client says nothing gets nothing: its address was only named by somebody.
    let mute_port = AnswerPort::open();
    let mut source = Peer::neighbor(address);
    source.pass_on(mute_port.address(), ask("tea"), 0);
    let mut mute = mute_port.accept();
    // It is dialled by the servent, which waits for a hello as it does from others.
    let mut mute_neighbor_peer = mute_neighbor.accept();
    mute_neighbor_peer.expect_hello();

    without_hello.expect_goodbye(Goodbye::Quiet);
    half_preface.expect_goodbye(Goodbye::Quiet);
    mute_neighbor_peer.expect_goodbye(Goodbye::Quiet);
    assert_eq!(mute.bytes_until_end(), b"");
    half_client.expect_goodbye(Goodbye::Protocol);
    dripping.join().unwrap();
    // Half a frame is no word of a neighbor, which is quiet for too long before a frame may be.
    assert_eq!(half_neighbor.expect(), Message::Ping);
    half_neighbor.expect_goodbye(Goodbye::Quiet);
    assert_eq!(quiet_neighbor.expect(), Message::Ping);
    quiet_neighbor.expect_goodbye(Goodbye::Quiet);

    let quiet = "nothing was heard from it for too long";
    let unfinished = "a frame that was begun and not ended within 10 s";
    for line in [
        format!("no link with {}: {quiet}", without_hello.address()),
        format!("no link with {}: {quiet}", half_preface.address()),
        format!("neighbor {} cannot be reached yet: {quiet}", mute_neighbor.address()),
        format!("no answer to client {}: it did not say hello", mute_port.address()),
        format!("client {} left: {unfinished}", client_port.address()),
        format!("client {} left: {unfinished}", dripping_port.address()),
        format!("link with neighbor {} is gone: {quiet}", half_neighbor.address()),
        format!("link with neighbor {} is gone: {quiet}", quiet_neighbor.address()),
    ] {
        logged(&mut servent, &line);
    }
    // A client may be as quiet as it likes between two frames.
    assert_eq!(quiet_client.values("tea"), [b"green"]);
}

#[test]
fn many_messages_may_come_in_one_piece() {
    let servent = serve(&["-"]);
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(&hello(Role::Client { answer_port: ANSWER_PORT })));
    for sequence in 0..5_000 {
        bytes.extend(frame(&Message::Request(Request { sequence, ask: ask("tea"), ttl: None })));
    }
    let mut client = Peer::stranger(servent.address());
    client.say_bytes(&bytes);
    client.expect_hello();
    for sequence in 0..5_000 {
        assert_eq!(client.expect_finished().sequence, sequence);
    }
}
