//! What a servent is called: said to others, told in logs and by `--check`, and what becomes of those whose names are none.

use super::*;
use common::features::Features;
use common::message::ServentId;

/// The hello of a servent with this for its name, byte by byte.
fn hello_called(name: &[u8], features: u8) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    let (id, address) = ([7; 16], [0, 127, 0, 0, 1, 9]);
    let body = [&[0, 2][..], &id, &address, &[length], name, &[features, 0xfb, 0x20, 0]].concat();
    [&common::wire::PREFACE[..], &u32::try_from(body.len()).unwrap().to_be_bytes(), &body].concat()
}

/// The hello that a servent answers this one with.
fn hello_told(servent: SocketAddr, features: Features) -> Hello {
    let mut peer = Peer::stranger(servent);
    let hello = Hello::new(Role::Servent { id: ServentId(9), advertised: ([127, 0, 0, 1], 9).into() });
    peer.say(&Message::Hello(Hello { features, ..hello }));
    match peer.expect() {
        Message::Hello(told) => told,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_servent_says_what_it_is_called_to_whoever_understands_that() {
    let servent = serve_tea(&["--name", "the kitchen"]);
    let told = |features| hello_told(servent.address(), features).name.map(|name| name.as_str().to_owned());
    assert_eq!(told(Features::OF_SERVENTS), Some("the kitchen".to_owned()));
    assert_eq!(told(Features::BACK), None);
    let nameless = serve_tea(&[]);
    assert_eq!(hello_told(nameless.address(), Features::OF_SERVENTS).name, None);
}

#[test]
fn what_servents_are_called_is_in_the_log_of_both() {
    let mut kitchen = serve(&["-", "--name", "kitchen"]);
    let start = logged(&mut kitchen, "called kitchen");
    assert!(start.ends_with(&format!("called kitchen, at {}", kitchen.address())), "{start}");
    let mut other = serve(&["-", &kitchen.address().to_string(), "--name", "cellar"]);
    let line = logged(&mut other, "linked with neighbor");
    assert!(line.ends_with(&format!("linked with neighbor {} (kitchen) (1 in all)", kitchen.address())), "{line}");
    let line = logged(&mut kitchen, "linked with neighbor");
    assert!(line.ends_with(&format!("linked with neighbor {} (cellar) (1 in all)", other.address())), "{line}");
    drop(other);
    logged(&mut kitchen, "(cellar) is gone: ");
}

#[test]
fn a_name_is_escaped_in_the_log() {
    let mut servent = serve(&["-"]);
    let mut peer = Peer::stranger(servent.address());
    peer.say_bytes(&hello_called("a\x1b[2J\n\u{202e}".as_bytes(), 0x20));
    peer.expect_hello();
    let line = logged(&mut servent, "linked with neighbor");
    assert!(line.contains(r"linked with neighbor 127.0.0.1:9 (a\x1b[2J\n\u{202e})"), "{line}");
    assert!(!servent.log_text().contains("\x1b[2J"), "no terminal obeys it");
}

#[test]
fn a_hello_whose_name_is_none_ends_its_own_link_and_no_other() {
    let mut servent = serve_tea(&[]);
    let mut neighbor = Peer::neighbor(servent.address());
    for (name, features, why) in [
        (&b""[..], 0x20, "the name is empty"),
        (&[b'n'; 65], 0x20, "the name has 65 bytes; 64 is the most"),
        (b"caf\xe9", 0x20, "the name is no UTF-8"),
        (b"kitchen", 0x1f, "a name of a servent that does not understand names"),
    ] {
        let mut peer = Peer::stranger(servent.address());
        peer.say_bytes(&hello_called(name, features));
        peer.expect_goodbye(Goodbye::Protocol);
        peer.expect_end();
        logged(&mut servent, why);
        neighbor.say(&Message::Ping);
        assert_eq!(neighbor.expect(), Message::Pong, "{why}");
    }
    let longest = [b'n'; 64];
    let mut peer = Peer::stranger(servent.address());
    peer.say_bytes(&hello_called(&longest, 0x20));
    peer.expect_hello();
    logged(&mut servent, &"n".repeat(64));
    assert_eq!(Peer::client(servent.address(), ANSWER_PORT).first_value("tea"), b"green");
}

#[test]
fn a_check_tells_the_name_and_what_is_none_is_a_mistake_of_its_user() {
    let check = run(&["0", "-", "--name", "Küche", "--check"]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    assert!(stdout(&check).contains("\nname       Küche\n"), "{}", stdout(&check));
    assert!(!stdout(&run(&["0", "-", "--check"])).contains("name "));
    let long = "n".repeat(65);
    for (name, why) in [
        ("", "the name is empty"),
        (long.as_str(), "the name has 65 bytes; 64 is the most"),
        ("a\x07", "the name has a character that no terminal shows"),
    ] {
        let refused = run(&["0", "-", "--name", name]);
        assert_eq!(refused.status.code(), Some(2), "{name:?}");
        assert!(stderr(&refused).contains(why), "{}", stderr(&refused));
    }
}
