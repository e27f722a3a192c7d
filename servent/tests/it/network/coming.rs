//! Clients that come and go.

use std::collections::BTreeMap;
use std::net::TcpStream;

use super::*;
use socket2::SockRef;
use topologies::fleet::Servent;

/// Many clients come, ask and go at once, some of them without a word: nobody gets another's answers.
#[test]
fn clients_that_come_and_go_get_their_own_answers() {
    let content: BTreeMap<String, String> =
        (0..100).map(|number| (format!("key{number}"), format!("{number}"))).collect();
    let file = DataFile::new(content.iter().map(|(key, value)| format!("{key} {value}\n")).collect::<String>());
    let servent: Servent = serve(&[file.path()]);
    let address = servent.address();
    thread::scope(|scope| {
        for worker in 0..4 {
            let content = &content;
            scope.spawn(move || {
                for (key, value) in content.iter().skip(worker * 25).take(25) {
                    let mut client = Peer::client(address, ANSWER_PORT);
                    drop(Peer::stranger(address));
                    assert_eq!(client.values(key), [value.as_bytes()]);
                }
            });
        }
    });
    let socket = TcpStream::connect(address).unwrap();
    // A reset instead of an end.
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    drop(socket);
    assert_eq!(Peer::client(address, ANSWER_PORT).values("key7"), [b"7"]);
}
