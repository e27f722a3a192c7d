//! No servent is there.

use super::*;
use common::wire::VERSION;

#[test]
fn a_contact_that_is_not_there() {
    let address = nobody();
    let run = Client::run([&*address.to_string(), "-c", "? k", "-c", "nonsense"], "");
    let log = format!("client: no servent at contact {address}: Connection refused (os error 111)\n");
    assert_eq!(run, Run { out: String::new(), log, code: 3 });
}

/// What a client says of a contact that does this once it is connected to.
fn refusal(act: impl FnOnce(&mut Peer)) -> String {
    let fake = Fake::listen();
    let client = Client::start([&*fake.name(), "-c", "? k"]);
    let mut contact = fake.accept();
    assert!(matches!(contact.receive(), Some(Message::Hello(Hello { role: Role::Client { .. }, .. }))));
    act(&mut contact);
    // What the client decides, it decides by what it heard: the contact is still there.
    if let Some(Message::Request(request)) = contact.receive() {
        panic!("it was asked {request:?}");
    }
    let run = client.finish();
    assert_eq!((run.out.as_str(), run.code), ("", 3), "{}", run.log);
    let start = format!("client: no servent at contact {}: ", fake.address());
    run.log.strip_prefix(&start).unwrap_or_else(|| panic!("{}", run.log)).trim_end().to_owned()
}

#[test]
fn a_contact_that_is_no_servent() {
    let reason = refusal(|contact| contact.send_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    assert_eq!(reason, "it does not speak our protocol: its first bytes are 48 54 54 50 2f 31 2e 31");
    let reason = refusal(|contact| contact.send_bytes(&[PREFACE[0], PREFACE[1], PREFACE[2], VERSION + 1]));
    assert_eq!(reason, format!("it speaks version {} of the protocol, not {VERSION}", VERSION + 1));
    let reason = refusal(|contact| contact.send_bytes(&[&PREFACE[..], &[0xff; 4]].concat()));
    assert_eq!(reason, format!("a frame of {} bytes, where 256 is the most", u32::MAX));
    let reason = refusal(|contact| contact.send_bytes(&[&PREFACE[..], &[0, 0, 0, 1, 0xee]].concat()));
    assert!(reason.starts_with("a frame that holds no message"), "{reason}");
    let reason = refusal(|contact| {
        contact.send(&Message::Hello(Hello::new(Role::Client { answer_port: 9 })));
    });
    assert_eq!(reason, "it sent a hello before saying hello as a servent");
    let reason = refusal(|contact| contact.send(&Message::Ping));
    assert_eq!(reason, "it sent a ping before saying hello as a servent");
}

#[test]
fn a_contact_that_closes_without_a_word() {
    assert_eq!(refusal(Peer::hang_up), "it closed the connection");
}

#[test]
fn the_reason_of_a_goodbye_is_shown() {
    for farewell in [Goodbye::Full, Goodbye::Version, Goodbye::Role, Goodbye::Leaving] {
        let reason = refusal(|contact| contact.send(&Message::Goodbye(farewell)));
        assert_eq!(reason, format!("it said goodbye, because {farewell}"));
    }
}

#[test]
fn a_contact_that_never_says_hello_is_given_up() {
    let reason = refusal(|_| {});
    assert_eq!(reason, "it did not say hello within 5 s");
}
