//! The contact goes away.

use super::*;

/// What a client says of a contact that does this in the middle of a query and then closes.
fn loss(act: impl FnOnce(&mut Peer)) -> String {
    let (fake, mut contact, _, client) = asked(&["--timeout", "300ms", "-c", "? never-asked"]);
    act(&mut contact);
    drop(contact);
    let run = client.finish();
    assert_eq!((run.out.as_str(), run.code), ("No answer received\n", 4), "{}", run.log);
    let start = format!("client: contact {} is lost: ", fake.address());
    run.log.strip_prefix(&start).unwrap_or_else(|| panic!("{}", run.log)).trim_end().to_owned()
}

#[test]
fn a_contact_lost_in_the_middle_of_a_query() {
    assert_eq!(loss(|_| {}), "it closed the connection");
    let reason = loss(|contact| contact.send(&Message::Goodbye(Goodbye::Leaving)));
    assert_eq!(reason, "it said goodbye, because it is leaving");
    let reason = loss(|contact| contact.send_bytes(&[0, 0, 0, 99, 6, 1]));
    assert_eq!(reason, "it closed the connection", "in the middle of a frame");
    let reason = loss(|contact| contact.send_bytes(&u32::MAX.to_be_bytes()));
    assert!(reason.starts_with(&format!("a frame of {} bytes, where", u32::MAX)), "{reason}");
    let reason = loss(|contact| contact.send_bytes(&[0, 0, 0, 2, 0xee, 0xee]));
    assert!(reason.starts_with("a frame that holds no message"), "{reason}");
}

#[test]
fn a_contact_that_accepts_no_frame_as_long_as_the_request_is_left() {
    let fake = Fake::listen();
    let client = Client::start([&*fake.name(), "--timeout", "300ms", "-c", "? a-key-that-is-too-long-for-it"]);
    let mut contact = fake.accept();
    assert!(matches!(contact.receive(), Some(Message::Hello(_))));
    let role = Role::Servent { id: ServentId(7), advertised: fake.address() };
    contact.send(&Message::Hello(Hello { frame_bytes_max: 20, ..Hello::new(role) }));
    assert_eq!(contact.receive(), None, "it says nothing that would be too long");
    let run = client.finish();
    let reason = format!("client: contact {} is lost: it accepts no frame of ", fake.address());
    assert!(run.code == 4 && run.log.starts_with(&reason), "{run:?}");
}

#[test]
fn answers_of_others_are_shown_although_the_contact_is_lost() {
    let (fake, contact, sequence, mut client) = asked(&["--timeout", IN_TIME, "--json", "-c", "? never-asked"]);
    let answer_address = contact.answer_address.unwrap();
    drop(contact);
    let lost = format!("client: contact {} is lost: it closed the connection", fake.address());
    assert_eq!(client.next_log(), lost);
    let mut servent = Peer::dial(answer_address, "192.0.2.7:9");
    servent.answer(sequence, b"v");
    assert_eq!(client.next_json()["from"], "192.0.2.7:9");
    let finished = client.next_json();
    assert_eq!(picked(&finished, ["answers", "reason", "lost"]), json!([1, "silence", 1]));
    assert_eq!(client.finish(), quiet("", 4));
}

#[test]
fn a_contact_lost_between_two_commands_is_not_asked() {
    let (fake, contact, mut client) = denied();
    drop(contact);
    client.write("? k\nnonsense\n");
    let run = client.finish();
    assert_eq!((run.out.as_str(), run.code), ("", 4));
    assert_eq!(run.log, format!("client: contact {} is lost: it closed the connection\n", fake.address()));
}
