//! As many connections as a client takes at its answer address, and one more.

use std::io::Read;
use std::net::TcpStream;

use common::limits::CLIENT_CONNECTIONS_MAX;
use rustix::process::{Resource, getrlimit};
use servent::sockets::raise_descriptor_limit;

use crate::support::fake::{Fake, Peer};

#[test]
fn one_connection_more_than_it_takes_is_closed_and_the_query_goes_on() {
    // This process needs as many descriptors as the client does.
    raise_descriptor_limit();
    let (needed, most) = (CLIENT_CONNECTIONS_MAX as u64 + 100, getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX));
    assert!(most >= needed, "this test needs {needed} descriptors and may have {most}");
    // On a busy machine they come for longer than a query usually waits for its first answer.
    let (fake, mut contact, client) = Fake::with_client(&["--timeout", "50s", "-n", "1", "-c", "? tea"]);
    let sequence = contact.request().sequence;
    let address = contact.answer_address.unwrap();
    // The contact is one of them. Each says hello, because who does not is closed, on a busy machine before the last has come.
    let crowd: Vec<Peer> = (1..CLIENT_CONNECTIONS_MAX).map(|_| Peer::dial(address, "192.0.2.7:9")).collect();
    let surplus = TcpStream::connect(address).unwrap().read(&mut [0; 64]).unwrap_or(0);
    assert_eq!(surplus, 0, "not a byte, and the end");
    contact.answer(sequence, b"green");
    let run = client.finish();
    assert_eq!(run.out, format!("green {}\n", fake.address()));
    assert!(run.log.contains(&format!("{CLIENT_CONNECTIONS_MAX} are the most")), "{}", run.log);
    drop(crowd);
}
