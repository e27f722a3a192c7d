//! What a link accepts, keeps, queues and refuses: each of its limits reached exactly and passed by one.
//!
//! What the bytes of a message are is `wire.rs`; how much memory a link may cost is `tests/allocation`. It does not judge
//! who may say what to whom: a link hears every message from everybody.

use super::*;
use crate::support::frames::answer;
use common::limits::{
    ANSWER_UNSENT_BYTES_MAX, CLIENT_UNSENT_BYTES_MAX, FRAME_BYTES_MAX, HELLO_FRAME_BYTES_MAX,
    NEIGHBOR_UNSENT_BYTES_MAX, SERVENT_FRAME_BYTES_MAX, STRANGER_UNSENT_BYTES_MAX,
};
use common::wire::VERSION;

/// A ping that is the first frame of its side, and any other.
const FIRST_PING: [u8; 5] = [0, 0, 0, 1, 2];
const PING_FRAME: [u8; 6] = [0, 0, 0, 2, 0, 2];
const LENGTH_BYTES: usize = 4;

// ---- the preface ----

#[test]
fn a_preface_is_awaited_to_its_last_byte() {
    let mut link = new_link();
    assert_eq!(link.next_message(), Ok(None));
    assert!(!link.is_mid_frame());
    for byte in &PREFACE[..3] {
        assert_eq!(heard_by(&mut link, &[*byte]), Ok(Vec::new()));
        assert!(link.is_mid_frame(), "a preface that has begun is waited for");
    }
    assert_eq!(heard_by(&mut link, &PREFACE[3..]), Ok(Vec::new()));
    assert!(!link.is_mid_frame());
}

#[test]
fn garbage_is_refused_at_its_first_wrong_byte() {
    for right in 0..3 {
        for wrong in (0..=u8::MAX).filter(|byte| *byte != PREFACE[right]) {
            let mut link = new_link();
            assert_eq!(heard_by(&mut link, &PREFACE[..right]), Ok(Vec::new()));
            let heard = heard_by(&mut link, &[wrong]);
            assert!(matches!(heard, Err(WireError::NoPreface(_))), "{right} right, then {wrong}");
        }
    }
}

#[test]
fn what_came_instead_of_a_preface_is_shown_in_part() {
    let heard = heard_by(&mut new_link(), b"GET / HTTP/1.1\r\n\r\n");
    let error = heard.expect_err("another protocol");
    assert_eq!(error, WireError::NoPreface("47 45 54 20 2f 20 48 54".to_owned()));
    assert_eq!(error.to_string(), "it does not speak our protocol: its first bytes are 47 45 54 20 2f 20 48 54");
}

#[test]
fn every_other_version_is_refused_by_its_number() {
    for version in (0..=u8::MAX).filter(|version| *version != VERSION) {
        let mut link = new_link();
        assert_eq!(heard_by(&mut link, &PREFACE[..3]), Ok(Vec::new()));
        assert_eq!(heard_by(&mut link, &[version]), Err(WireError::Version(version)));
    }
}

#[test]
fn a_preface_is_sent_once_before_the_first_frame() {
    let mut link = new_link();
    assert_eq!(link.unsent(), b"", "a link nobody speaks on sends nothing");
    assert_eq!(link.send(&Message::Ping), Ok(()));
    assert_eq!(link.unsent(), [PREFACE.as_slice(), &FIRST_PING].concat());
    assert_eq!(link.send(&Message::Ping), Ok(()));
    assert_eq!(link.unsent(), [PREFACE.as_slice(), &FIRST_PING, &PING_FRAME].concat());
    let count = link.unsent().len();
    link.sent(count);
    assert_eq!(link.send(&Message::Ping), Ok(()));
    assert_eq!(link.unsent(), PING_FRAME);
}

#[test]
fn a_preface_waits_for_the_first_frame_that_can_be_sent() {
    let mut link = new_link();
    // The preface counts: beside it, the first frame may have its four bytes less.
    let room = STRANGER_UNSENT_BYTES_MAX - PREFACE.len() - LENGTH_BYTES;
    assert_eq!(link.send(&first_answer_of(room + 1)), Err(SendError::Full(STRANGER_UNSENT_BYTES_MAX)));
    assert_eq!(link.unsent(), b"");
    assert_eq!(link.send(&first_answer_of(room)), Ok(()));
    assert_eq!(link.unsent(), [PREFACE.as_slice(), &first_frame(&first_answer_of(room))].concat());
}

// ---- the length of frames ----

#[test]
fn before_hello_a_frame_may_have_the_hello_limit() {
    // Six bytes stand before the key: message, sequence (3), ask, length of the key.
    let message = Message::Request(Request {
        ttl: None,
        sequence: 251,
        ask: Ask::Key(Key::new(&[b'k'; HELLO_FRAME_BYTES_MAX - 6]).expect("a key")),
    });
    let frame = first_frame(&message);
    assert_eq!(frame.len(), LENGTH_BYTES + HELLO_FRAME_BYTES_MAX);
    assert_eq!(heard_by(&mut stranger(), &frame), Ok(vec![message]));
}

#[test]
fn before_hello_a_longer_frame_is_refused_at_its_length() {
    refused_at_its_length(&mut stranger(), HELLO_FRAME_BYTES_MAX + 1, HELLO_FRAME_BYTES_MAX);
    refused_at_its_length(&mut stranger(), u32::MAX as usize, HELLO_FRAME_BYTES_MAX);
}

#[test]
fn other_messages_do_not_lift_the_hello_limit() {
    let mut link = stranger();
    assert_eq!(heard_by(&mut link, &FIRST_PING), Ok(vec![Message::Ping]));
    assert_eq!(heard_by(&mut link, &PING_FRAME), Ok(vec![Message::Ping]));
    refused_at_its_length(&mut link, HELLO_FRAME_BYTES_MAX + 1, HELLO_FRAME_BYTES_MAX);
}

#[test]
fn after_hello_a_frame_may_have_the_frame_limit() {
    for (purpose, role, frame_bytes_max) in roles() {
        let mut link = greeted(purpose, role, u32::MAX);
        let announced = length_bytes(frame_bytes_max);
        assert_eq!(heard_by(&mut link, &announced), Ok(Vec::new()));
        assert_eq!(heard_by(&mut link, &vec![0xff; frame_bytes_max - 1]), Ok(Vec::new()));
        assert!(link.is_mid_frame());
        // No message is that long, so the whole frame is judged and found wrong.
        assert!(matches!(heard_by(&mut link, &[0xff]), Err(WireError::Malformed(_))));
    }
}

#[test]
fn after_hello_a_longer_frame_is_refused_at_its_length() {
    for (purpose, role, frame_bytes_max) in roles() {
        for length in [frame_bytes_max + 1, 1 << 24, u32::MAX as usize] {
            refused_at_its_length(&mut greeted(purpose, role, u32::MAX), length, frame_bytes_max);
        }
    }
}

#[test]
fn a_hello_and_a_long_frame_may_come_together() {
    let long = answer_of(HELLO_FRAME_BYTES_MAX * 10);
    let hello = hello(client(), u32::MAX);
    let stream = [PREFACE.to_vec(), first_frame(&hello), frame(&long)].concat();
    assert_eq!(heard_by(&mut new_link(), &stream), Ok(vec![hello, long]));
}

fn refused_at_its_length(link: &mut Link, length: usize, max: usize) {
    let announced = length_bytes(length);
    let (last, others) = announced.split_last().expect("four bytes");
    assert_eq!(heard_by(link, others), Ok(Vec::new()));
    assert_eq!(heard_by(link, &[*last]), Err(WireError::FrameTooLong { length, max }));
    assert!(!link.is_mid_frame());
}

// ---- after an error ----

#[test]
fn after_an_error_there_is_only_that_error() {
    let errors: [(&[u8], WireError); 4] = [
        (b"?", WireError::NoPreface("3f 00 00 00 01 02".to_owned())),
        (&[0xa7, b'k', b'v', 9], WireError::Version(9)),
        (&[0xa7, b'k', b'v', VERSION, 0, 0, 1, 1], WireError::FrameTooLong { length: 257, max: 256 }),
        (
            &[0xa7, b'k', b'v', VERSION, 0, 0, 0, 2, 2, 0],
            WireError::Malformed("its message ends after 1 of 2 bytes".to_owned()),
        ),
    ];
    for (bytes, error) in errors {
        let mut link = new_link();
        // What stands behind the error in the same segment, and what comes later, is not looked at any more.
        link.receive(&[bytes, &FIRST_PING].concat());
        for _ in 0..3 {
            assert_eq!(link.next_message(), Err(error.clone()));
            assert!(!link.is_mid_frame(), "{error}");
            link.receive(&[PREFACE.as_slice(), &FIRST_PING].concat());
        }
        // The other direction still works: a goodbye can say why.
        assert_eq!(link.send(&Message::Goodbye(Goodbye::Protocol)), Ok(()));
        assert_eq!(link.unsent(), [PREFACE.as_slice(), &[0, 0, 0, 2, 1, 6]].concat());
    }
}

#[test]
fn what_came_before_an_error_is_heard_first() {
    let mut link = stranger();
    link.receive(&[FIRST_PING.as_slice(), &[0, 0, 0, 0]].concat());
    assert_eq!(link.next_message(), Ok(Some(Message::Ping)));
    assert!(matches!(link.next_message(), Err(WireError::Malformed(_))));
}

// ---- what waits to be sent ----

#[test]
fn whoever_reads_nothing_may_leave_its_limit_unsent_and_no_byte_more() {
    full_at(stranger(), STRANGER_UNSENT_BYTES_MAX);
    full_at(Link::new(Dialect::Native, Purpose::Answers), STRANGER_UNSENT_BYTES_MAX);
    full_at(greeted(Purpose::Standing, client(), u32::MAX), CLIENT_UNSENT_BYTES_MAX);
    full_at(greeted(Purpose::Standing, servent(), u32::MAX), NEIGHBOR_UNSENT_BYTES_MAX);
    full_at(greeted(Purpose::Answers, client(), u32::MAX), ANSWER_UNSENT_BYTES_MAX);
}

#[test]
fn whoever_brings_a_client_answers_may_leave_no_more_unsent_than_a_stranger() {
    let mut link = Link::accepted(Accepts::OWN, Purpose::Asking);
    let hello = hello(servent(), u32::MAX);
    assert_eq!(heard_by(&mut link, &[PREFACE.to_vec(), first_frame(&hello)].concat()), Ok(vec![hello]));
    full_at(link, STRANGER_UNSENT_BYTES_MAX);
    // The contact is one, and chosen.
    full_at(greeted(Purpose::Asking, servent(), u32::MAX), CLIENT_UNSENT_BYTES_MAX);
}

#[test]
fn what_came_of_an_unfinished_message_is_counted() {
    let mut link = greeted(Purpose::Asking, servent(), u32::MAX);
    assert_eq!(link.received_bytes_count(), 0);
    link.receive(&frame(&Message::Ping));
    link.receive(&[0, 0, 0]);
    assert_eq!(link.next_message(), Ok(Some(Message::Ping)));
    assert_eq!(link.received_bytes_count(), 3);
}

/// Fills a link to the last byte, shows that one byte more is refused and nothing lost by it, and empties it.
fn full_at(mut link: Link, max: usize) {
    assert_eq!(link.send(&Message::Ping), Ok(()));
    let mut said = [PREFACE.as_slice(), &FIRST_PING].concat();
    while said.len() < max {
        let message = answer_that_fits(max - said.len());
        assert_eq!(link.send(&message), Ok(()), "after {} of {max} bytes", said.len());
        said.extend(frame(&message));
    }
    assert_eq!(link.unsent().len(), max);
    assert_eq!(link.send(&Message::Ping), Err(SendError::Full(max)));
    link.sent(PING_FRAME.len() - 1);
    assert_eq!(link.send(&Message::Ping), Err(SendError::Full(max)), "one byte is missing");
    link.sent(1);
    assert_eq!(link.send(&Message::Ping), Ok(()));
    said.extend(PING_FRAME);
    assert!(link.unsent() == &said[PING_FRAME.len()..], "what was queued is what is left to send");
    link.sent(max);
    assert_eq!(link.unsent(), b"");
}

#[test]
fn a_hello_gives_more_room_to_what_already_waits() {
    let mut link = stranger();
    let first = first_answer_of(STRANGER_UNSENT_BYTES_MAX - PREFACE.len() - LENGTH_BYTES);
    assert_eq!(link.send(&first), Ok(()));
    assert_eq!(link.send(&Message::Ping), Err(SendError::Full(STRANGER_UNSENT_BYTES_MAX)));
    let hello = hello(client(), u32::MAX);
    assert_eq!(heard_by(&mut link, &first_frame(&hello)), Ok(vec![hello]));
    assert_eq!(link.send(&Message::Ping), Ok(()));
    assert_eq!(link.unsent(), [PREFACE.as_slice(), &first_frame(&first), &PING_FRAME].concat());
}

#[test]
fn bytes_may_be_written_in_parts() {
    let mut link = new_link();
    assert_eq!(link.send(&hello(client(), u32::MAX)), Ok(()));
    assert_eq!(link.send(&answer_of(1000)), Ok(()));
    let whole = link.unsent().to_vec();
    for written in 0..=whole.len() {
        assert_eq!(link.unsent(), &whole[written..]);
        link.sent(usize::from(written < whole.len()));
    }
    link.sent(0);
    assert_eq!(link.unsent(), b"");
}

// ---- what the other end accepts ----

#[test]
fn the_other_end_says_how_long_a_frame_it_accepts() {
    for (purpose, role, _) in roles() {
        let mut link = greeted(purpose, role, 100);
        assert_eq!(link.send(&Message::Ping), Ok(()));
        assert_eq!(link.send(&answer_of(100)), Ok(()));
        assert_eq!(link.send(&answer_of(101)), Err(SendError::TooLong(101)));
        assert_eq!(link.send(&answer_of(5000)), Err(SendError::TooLong(5000)));
        assert_eq!(link.send(&Message::Ping), Ok(()));
        let expected = [PREFACE.as_slice(), &FIRST_PING, &frame(&answer_of(100)), &PING_FRAME].concat();
        assert_eq!(link.unsent(), expected, "only what is too long is lost");
    }
}

#[test]
fn the_other_end_may_accept_nothing_or_more_than_there_is() {
    let mut link = greeted(Purpose::Standing, client(), 0);
    assert_eq!(link.send(&Message::Ping), Err(SendError::TooLong(1)));
    assert_eq!(link.unsent(), b"");
    let mut link = greeted(Purpose::Standing, client(), u32::MAX);
    assert_eq!(link.send(&answer_of(VALUE_BYTES_MAX)), Ok(()));
}

#[test]
fn a_message_no_frame_can_hold_is_lost_alone() {
    let mut link = greeted(Purpose::Standing, client(), u32::MAX);
    let message = answer(vec![0; FRAME_BYTES_MAX]);
    assert!(matches!(link.send(&message), Err(SendError::Encode(_))));
    assert_eq!(link.send(&Message::Ping), Ok(()));
    assert_eq!(link.unsent(), [PREFACE.as_slice(), &FIRST_PING].concat());
}

#[test]
fn a_frame_encoded_once_serves_many_links() {
    let frame = Frame::new(Dialect::Native, &answer_of(300)).expect("the message can be said");
    assert_eq!(frame.body_bytes_count(), 300);
    for (purpose, role, _) in roles() {
        let mut link = greeted(purpose, role, 300);
        assert_eq!(link.send(&Message::Ping), Ok(()));
        assert_eq!(link.send_frame(&frame), Ok(()));
        assert_eq!(link.unsent(), [PREFACE.as_slice(), &FIRST_PING, frame.as_bytes()].concat());
    }
}

#[test]
fn a_frame_is_said_only_where_it_was_made_to_stand() {
    let [first, later] = [Position::First, Position::Later]
        .map(|position| Frame::at(position, Dialect::Native, 0, &Message::Ping).expect("it can be said"));
    let mut link = new_link();
    assert_eq!(link.send_frame(&later), Err(SendError::OutOfTurn));
    assert_eq!(link.unsent(), b"");
    assert_eq!(link.send_frame(&first), Ok(()));
    assert_eq!(link.send_frame(&first), Err(SendError::OutOfTurn));
    assert_eq!(link.send_frame(&later), Ok(()));
    assert_eq!(link.unsent(), [PREFACE.as_slice(), &FIRST_PING, &PING_FRAME].concat());
    // In TP3 the first message looks like any other.
    let question =
        Message::Request(Request { sequence: 1, ask: Ask::Key(Key::new(b"tea").expect("a key")), ttl: None });
    for position in [Position::First, Position::Later] {
        let mut link = Link::new(Dialect::Tp3, Purpose::Asking);
        let frame = Frame::at(position, Dialect::Tp3, 0, &question).expect("it can be said");
        assert_eq!([(); 2].map(|()| link.send_frame(&frame)), [Ok(()), Ok(())], "{position:?}");
    }
}

// ---- two links and what lies between them ----

#[derive(Clone, Debug)]
enum Event {
    /// One side says something of this many bytes.
    Say(usize),
    /// The connection takes so many of the bytes that wait, if there are so many.
    Write(usize),
    /// The connection hands over so many of the bytes on their way, if there are so many.
    Read(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        prop_oneof![14_usize..400, 14_usize..40_000].prop_map(Event::Say),
        prop_oneof![0_usize..40, 0_usize..60_000].prop_map(Event::Write),
        prop_oneof![0_usize..40, 0_usize..60_000].prop_map(Event::Read),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        // The printed case is enough to write the test that keeps it.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_one_link_says_the_other_hears(events in prop::collection::vec(event(), 1..60)) {
        let mut speaker = greeted(Purpose::Standing, servent(), u32::MAX);
        let mut listener = new_link();
        let opening = hello(servent(), u32::MAX);
        prop_assert_eq!(speaker.send(&opening), Ok(()));
        let mut said = vec![opening];
        let mut heard = Vec::new();
        let mut on_its_way = Vec::new();
        let settle = [Event::Write(usize::MAX), Event::Read(usize::MAX)];
        for event in events.into_iter().chain(settle) {
            match event {
                Event::Say(length) => {
                    let message = answer_of(length);
                    prop_assert_eq!(speaker.send(&message), Ok(()));
                    said.push(message);
                }
                Event::Write(count) => {
                    let count = count.min(speaker.unsent().len());
                    on_its_way.extend_from_slice(&speaker.unsent()[..count]);
                    speaker.sent(count);
                }
                Event::Read(count) => {
                    let count = count.min(on_its_way.len());
                    let segment: Vec<u8> = on_its_way.drain(..count).collect();
                    heard.extend(heard_by(&mut listener, &segment)?);
                }
            }
            prop_assert!(said.starts_with(&heard));
        }
        prop_assert_eq!(heard.len(), said.len());
        prop_assert_eq!(speaker.unsent(), b"");
        prop_assert!(!listener.is_mid_frame());
    }
}

// ---- links of every kind ----

/// A link that has heard a hello.
fn greeted(purpose: Purpose, role: Role, frame_bytes_max: u32) -> Link {
    let mut link = Link::new(Dialect::Native, purpose);
    let hello = hello(role, frame_bytes_max);
    let stream = [PREFACE.to_vec(), first_frame(&hello)].concat();
    assert_eq!(heard_by(&mut link, &stream), Ok(vec![hello]));
    link
}

/// Links of every kind, the other end's role, and how long a frame from it may be.
fn roles() -> [(Purpose, Role, usize); 4] {
    [
        (Purpose::Standing, servent(), SERVENT_FRAME_BYTES_MAX),
        (Purpose::Standing, client(), SERVENT_FRAME_BYTES_MAX),
        (Purpose::Answers, client(), SERVENT_FRAME_BYTES_MAX),
        (Purpose::Asking, servent(), FRAME_BYTES_MAX),
    ]
}

#[test]
fn what_a_link_has_said_in_its_hello_is_what_it_takes() {
    for said in [300, SERVENT_FRAME_BYTES_MAX, 20_000] {
        let mut link = greeted(Purpose::Standing, client(), u32::MAX);
        link.send(&hello(servent(), u32::try_from(said).unwrap())).unwrap();
        let long = frame_at(Position::Later, &answer_of(said));
        assert_eq!(long.len(), LENGTH_BYTES + said);
        assert_eq!(heard_by(&mut link, &long), Ok(vec![answer_of(said)]));
        refused_at_its_length(&mut link, said + 1, said);
    }
    let mut link = greeted(Purpose::Standing, client(), u32::MAX);
    link.send(&hello(servent(), u32::MAX)).unwrap();
    refused_at_its_length(&mut link, FRAME_BYTES_MAX + 1, FRAME_BYTES_MAX);
}

fn client() -> Role {
    Role::Client { answer_port: 9990 }
}

fn servent() -> Role {
    Role::Servent { id: ServentId(7), advertised: ([127, 0, 0, 1], 9000).into() }
}

fn hello(role: Role, frame_bytes_max: u32) -> Message {
    Message::Hello(Hello { frame_bytes_max, ..Hello::new(role) })
}

// ---- messages of every length ----

/// An answer whose frame, the first of its side, has a body of this many bytes: there is no stamp.
fn first_answer_of(body_bytes: usize) -> Message {
    answer_of(body_bytes + 1)
}

/// An answer whose frame has a body of this many bytes.
fn answer_of(body_bytes: usize) -> Message {
    // A value up to 250 bytes long has its length in one byte, up to 65535 in three, beyond that in five. Where the
    // step leaves a gap, a longer sequence number closes it.
    for (sequence, words) in [(0, 14), (0, 16), (0, 18), (251, 16), (251, 18), (251, 20)] {
        let Some(length) = body_bytes.checked_sub(words) else {
            continue;
        };
        let message = Message::Answer(Answer {
            sequence,
            asked: Some(AskHash(0)),
            hops: 0,
            body: AnswerBody::Value(vec![b'v'; length]),
        });
        if frame(&message).len() == LENGTH_BYTES + body_bytes {
            return message;
        }
    }
    panic!("no answer has {body_bytes} bytes");
}

/// The longest answer whose frame, and whatever follows it, can fill this much room to the last byte.
fn answer_that_fits(room: usize) -> Message {
    let body = room - LENGTH_BYTES;
    if body <= VALUE_BYTES_MAX { answer_of(body) } else { answer_of(VALUE_BYTES_MAX.min(body - 100)) }
}

fn length_bytes(length: usize) -> [u8; LENGTH_BYTES] {
    u32::try_from(length).expect("a length is 32 bits").to_be_bytes()
}

fn first_frame(message: &Message) -> Vec<u8> {
    frame_at(Position::First, message)
}
