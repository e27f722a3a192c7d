//! Servents that a test plays itself, over blocking sockets: what no real servent would say, or only after a while.
//!
//! A fake has no mind: it says what the test tells it to, when the test tells it to.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use common::features::Features;
use common::message::{Finished, Handed, Hello, Message, Request, Role, ServentId};
use common::query::{Answer, AnswerBody, AskHash, BroughtAnswer, BroughtBody, Tally};
use common::servent_name::ServentName;
use peers::{Heard, PATIENCE};

use super::listen;
use super::process::Client;

/// What fakes were asked, by its sequence, and who of them has answered it.
static ASKED: Mutex<BTreeMap<u64, (AskHash, BTreeSet<u64>)>> = Mutex::new(BTreeMap::new());

/// What an answer to this sequence is to, as far as anybody asked.
pub(crate) fn asked_hash(sequence: u64) -> Option<AskHash> {
    Some(ASKED.lock().unwrap().get(&sequence).map_or(AskHash(0), |(hash, _)| *hash))
}

/// Who a fake is that goes by this address.
pub(crate) fn id_at(advertised: SocketAddr) -> ServentId {
    ServentId(advertised.to_string().bytes().fold(7, |id, byte| id << 8 ^ id >> 64 ^ u128::from(byte)))
}

/// What the marks of fakes that go by these addresses add up to.
pub(crate) fn marks_sum(advertised: &[SocketAddr]) -> u64 {
    advertised.iter().fold(0, |sum, address| sum.wrapping_add(id_at(*address).mark()))
}

/// A place where a client can look for its contact.
#[derive(Debug)]
pub(crate) struct Fake {
    address: SocketAddr,
    accepted: Receiver<TcpStream>,
}

impl Fake {
    /// Listens on a free port.
    pub(crate) fn listen() -> Fake {
        let (address, accepted) = listen();
        Fake { address, accepted }
    }

    /// A client with these options, and its contact, once both have said hello.
    pub(crate) fn with_client(options: &[&str]) -> (Fake, Peer, Client) {
        let fake = Fake::listen();
        let client = Client::start([&[&*fake.name()], options].concat());
        let contact = fake.attach();
        (fake, contact, client)
    }

    /// Where it listens, and the address it goes by.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as an argument.
    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// The next connection to it, on which nothing has been said.
    pub(crate) fn accept(&self) -> Peer {
        let stream = self.accepted.recv_timeout(PATIENCE).expect("nobody connects");
        Peer::new(stream, self.address)
    }

    /// The same as [`Fake::attach`], of a process that may end instead of coming so far. It must not have been waited
    /// for.
    pub(crate) fn attach_unless_ended(&self, process: u32) -> Option<Peer> {
        let until = std::time::Instant::now() + PATIENCE;
        loop {
            match self.accepted.recv_timeout(std::time::Duration::from_millis(20)) {
                Ok(stream) => {
                    let mut peer = Peer::new(stream, self.address);
                    return peer.try_greet().then_some(peer);
                }
                Err(_) if has_ended(process) => return None,
                Err(_) => assert!(std::time::Instant::now() < until, "it neither comes nor ends"),
            }
        }
    }

    /// The same as [`Fake::attach`], for as long as anybody comes at all.
    pub(crate) fn attach_if_anybody_comes(&self) -> Option<Peer> {
        let mut peer = Peer::new(self.accepted.recv_timeout(PATIENCE).ok()?, self.address);
        peer.greet();
        Some(peer)
    }

    /// The next connection to it, once both sides have said hello.
    pub(crate) fn attach(&self) -> Peer {
        let mut peer = self.accept();
        peer.greet();
        peer
    }
}

/// The fake's end of a connection with a client.
#[derive(Debug)]
pub(crate) struct Peer {
    peer: peers::Peer,
    advertised: SocketAddr,
    /// What it says it is called.
    name: Option<ServentName>,
    /// Where the client hears answers; known once it has said hello.
    pub(crate) answer_address: Option<SocketAddr>,
}

impl Peer {
    fn new(stream: TcpStream, advertised: SocketAddr) -> Peer {
        let mut peer = peers::Peer::over(stream);
        peer.fall_silent();
        Peer { peer, advertised, name: None, answer_address: None }
    }

    /// Connects to a client's answer address and exchanges hellos, as a servent that goes by `advertised`.
    pub(crate) fn dial(client: SocketAddr, advertised: &str) -> Peer {
        let mut peer = Peer::new(TcpStream::connect(client).unwrap(), advertised.parse().unwrap());
        peer.greet();
        peer
    }

    /// The same from another ip than everybody else's.
    pub(crate) fn dial_from(ip: [u8; 4], client: SocketAddr, advertised: &str) -> Peer {
        let stream = servent::sockets::dial_from(SocketAddr::from((ip, 0)), client).unwrap();
        // From here on the system waits until the connection stands.
        stream.set_nonblocking(false).unwrap();
        let mut peer = Peer::new(stream, advertised.parse().unwrap());
        peer.greet();
        peer
    }

    /// Another handle of the connection, to write to it from another thread.
    pub(crate) fn stream(&self) -> TcpStream {
        self.peer.stream()
    }

    /// Hears the client's hello, then says its own: the client speaks first.
    pub(crate) fn greet(&mut self) {
        assert!(self.try_greet(), "a client says hello first, and as a client");
    }

    /// The same as one that can do no more than this.
    pub(crate) fn greet_as_one_that_can(&mut self, features: Features) {
        assert!(self.try_greet_as(features), "a client says hello first, and as a client");
    }

    /// The same as one that is called this.
    pub(crate) fn greet_called(&mut self, name: &str) {
        self.name = Some(ServentName::try_from(name).unwrap());
        self.greet();
    }

    fn try_greet(&mut self) -> bool {
        self.try_greet_as(Features::OF_SERVENTS)
    }

    fn try_greet_as(&mut self, features: Features) -> bool {
        let Some(Message::Hello(Hello { role: Role::Client { answer_port }, .. })) = self.receive() else {
            return false;
        };
        let ip = self.peer.stream().peer_addr().unwrap().ip();
        self.answer_address = Some(SocketAddr::new(ip, answer_port));
        let role = Role::Servent { id: id_at(self.advertised), advertised: self.advertised };
        let name = self.name.clone();
        self.send(&Message::Hello(Hello { features, name, ..Hello::new(role) }));
        true
    }

    /// The next message; nothing when the client has closed the connection.
    pub(crate) fn receive(&mut self) -> Option<Message> {
        let Heard::Message(message) = self.peer.hear() else { return None };
        if let Message::Request(Request { sequence, ask, .. }) = &message {
            ASKED.lock().unwrap().insert(*sequence, (AskHash::of(ask), BTreeSet::new()));
        }
        Some(message)
    }

    /// The next message, which must be a request.
    pub(crate) fn request(&mut self) -> Request {
        match self.receive() {
            Some(Message::Request(request)) => request,
            other => panic!("a request was to come and not {other:?}"),
        }
    }

    /// The next message, which must be a request. Answers it with this value and says that it was the only one.
    pub(crate) fn answer_next(&mut self, value: &[u8]) -> Request {
        let request = self.request();
        self.answer(request.sequence, value);
        self.finish(request.sequence, tally(1, 1));
        request
    }

    /// The same where the one servent there is does not have it, of which the client is to ask just this. The sequence of it.
    pub(crate) fn deny(&mut self, ask: &str) -> u64 {
        let request = self.request();
        assert_eq!(request.ask.to_string(), ask);
        self.finish(request.sequence, tally(1, 0));
        request.sequence
    }

    /// Says something.
    pub(crate) fn send(&mut self, message: &Message) {
        self.peer.say(message);
    }

    /// Says something and waits until the client has heard it. False when it has left instead.
    pub(crate) fn is_heard(&mut self, message: &Message) -> bool {
        self.peer.say_to_whoever_is_there(message);
        self.peer.say_to_whoever_is_there(&Message::Ping);
        self.receive() == Some(Message::Pong)
    }

    /// Sends bytes that need not be a message.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.peer.say_bytes(bytes);
    }

    /// Closes the connection.
    pub(crate) fn hang_up(&mut self) {
        self.peer.hang_up();
    }

    /// Answers with a value.
    pub(crate) fn answer(&mut self, sequence: u64, value: &[u8]) {
        if let Some((_, marks)) = ASKED.lock().unwrap().get_mut(&sequence) {
            marks.insert(id_at(self.advertised).mark());
        }
        let body = AnswerBody::Value(value.to_vec());
        self.send(&Message::Answer(Answer { sequence, asked: asked_hash(sequence), hops: 1, body }));
    }

    /// Hands an answer of the servent that goes by this address.
    pub(crate) fn hand(&mut self, sequence: u64, from: &str, value: &[u8]) {
        self.hand_body(sequence, from, BroughtBody::Whole(AnswerBody::Value(value.to_vec())));
    }

    /// The same of one whose value is too long to be brought.
    pub(crate) fn announce(&mut self, sequence: u64, from: &str, bytes_count: usize) {
        self.hand_body(sequence, from, BroughtBody::Announced(bytes_count as u64));
    }

    pub(crate) fn hand_body(&mut self, sequence: u64, from: &str, body: BroughtBody) {
        let from = from.parse().unwrap();
        if let Some((_, marks)) = ASKED.lock().unwrap().get_mut(&sequence) {
            marks.insert(id_at(from).mark());
        }
        let answer = Arc::new(BroughtAnswer { id: id_at(from), from, name: None, hops: 2, body });
        self.send(&Message::Handed(Handed { sequence, answer }));
    }

    /// Says that the flood is over. Unless the tally says who answered, those did that have.
    pub(crate) fn finish(&mut self, sequence: u64, mut tally: Tally) {
        if tally.answer_sum == 0
            && let Some((_, marks)) = ASKED.lock().unwrap().get(&sequence)
        {
            tally.answer_sum = marks.iter().fold(0, |sum: u64, mark| sum.wrapping_add(*mark));
        }
        self.send(&Message::Finished(Finished { sequence, tally }));
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Dropping the socket is not enough: a process that another test is just starting may hold it open for a moment.
        self.peer.hang_up();
    }
}

/// Whether a child of ours has ended, by its state in the system.
fn has_ended(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}

/// The tally of a flood on which nothing went wrong, and whose answers are dialled.
pub(crate) fn tally(reached: u64, answers: u64) -> Tally {
    Tally { is_dialled: true, ..tally_back(reached, answers) }
}

/// The same where they all come back.
pub(crate) fn tally_back(reached: u64, answers: u64) -> Tally {
    Tally { reached, answers, ..Tally::default() }
}
