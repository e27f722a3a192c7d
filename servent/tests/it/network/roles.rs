//! Who may say what.

use super::*;

/// Who may say what is told by the tests of `common`.
#[test]
fn what_a_role_does_not_allow_ends_that_link_only_and_is_named_in_the_log() {
    let mut servent = serve_tea(&[]);
    let mut bystander = Peer::neighbor(servent.address());
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    let mut neighbor = Peer::neighbor(servent.address());
    for peer in [&mut client, &mut neighbor] {
        peer.say(&hello(Role::Client { answer_port: ANSWER_PORT }));
        peer.expect_goodbye(Goodbye::Protocol);
    }
    servent.wait_for_log("left: it sent an unexpected hello").unwrap();
    logged(&mut servent, &format!("link with neighbor {} is gone: it sent an unexpected hello", neighbor.address()));
    let mut liar = Peer::neighbor(servent.address());
    let path = vec![free_address(); 2].into();
    liar.say(&Message::query(Query { path, ..query(free_address(), Ask::Topology, 3) }));
    liar.expect_goodbye(Goodbye::Protocol);
    let reason = "it sent a path longer than the way";
    logged(&mut servent, &format!("link with neighbor {} is gone: {reason}", liar.address()));
    bystander.say(&Message::Ping);
    assert_eq!(bystander.expect(), Message::Pong);
    still_serves(servent.address());
}
