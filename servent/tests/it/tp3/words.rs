//! What is said, to the byte.

use super::*;

#[test]
fn a_request_is_flooded_in_the_bytes_of_the_example() {
    let servent = serve_tp3(&["-"]);
    let mut neighbor = Wire::neighbor(servent.address());
    let mut client = attach(servent.address(), "127.0.0.1:9990".parse().unwrap());
    client.say(&[0, 5, 0, 0, 0, 1, 0, 4, b'r', b't', b'm', b'p']);
    let expected = [0, 7, 0, 3, 0, 0, 0, 1, 0x7f, 0, 0, 1, 0x27, 6, 0, 4, 0x72, 0x74, 0x6d, 0x70];
    assert_eq!(neighbor.hear(20), expected);
}

#[test]
fn an_answer_is_one_message_on_a_fresh_connection_that_then_ends() {
    let servent = serve_tea(&["--tp3"]);
    let mut client = Client::attach(servent.address());
    for sequence in 0..5 {
        assert_eq!(client.ask("tea"), sequence);
        let mut wire = client.answers.accept();
        assert_eq!(wire.peer().ip(), servent.address().ip());
        assert_eq!(wire.bytes_until_end(), resp(sequence, "green"));
    }
    client.answers.expect_nobody();
    assert_eq!(client.contact.leave(), b"");
}

#[test]
fn an_answer_leaves_from_the_port_listened_on() {
    let servent = serve_tea(&["--tp3"]);
    let mut neighbor = Wire::neighbor(servent.address());
    // Each from an address no answer went to yet: to others the system may not allow it again at once.
    let mut client = Client::attach(servent.address());
    client.ask("tea");
    assert_eq!(client.answers.next().from, servent.address());
    let answers = Answers::open();
    neighbor.pass_on(&Flood::key(answers.address(), "tea", 0));
    assert_eq!(answers.next().from, servent.address());
}

#[test]
fn a_second_servent_cannot_take_the_port_answers_leave_from() {
    let servent = serve_tea(&["--tp3"]);
    assert_eq!(Client::attach(servent.address()).value("tea"), b"green");
    let output = run(&["--tp3", &servent.address().to_string(), "-"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains(&format!("cannot listen on {}", servent.address())), "{}", stderr(&output));
    still_serves(&servent);
}

#[test]
fn the_client_is_known_by_the_ip_of_its_connection_and_the_port_of_its_id() {
    let servent = serve_tea(&["--tp3"]);
    let mut neighbor = Wire::neighbor(servent.address());
    for ip in [Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::new(127, 200, 0, 1)] {
        let mut client = Client::attach_at(servent.address(), Answers::open_at((ip, 0)));
        assert_eq!(client.value("tea"), b"green");
        let flood = neighbor.hear_flood();
        assert_eq!(*flood.client.ip(), ip);
        assert_eq!(flood, client.flood(Kind::Key, 0, "tea"));
    }
}
