//! Those who hear what servents say of members.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::features::Features;
use common::member::{Greet, Greeted, Member, Peers, PeersKind, PeersWanted, Word};
use common::message::{Message, Role};

use crate::{ANSWER_PORT, PATIENCE, Peer};

/// All that a servent tells its client of members, page by page.
pub fn members_told_by(servent: SocketAddr) -> Vec<Member> {
    let mut client = Peer::stranger(servent);
    client.greet_offering(Role::Client { answer_port: ANSWER_PORT }, Features::OF_CLIENTS);
    let mut told: Vec<Member> = Vec::new();
    loop {
        let after = told.last().map(|member| member.address);
        client.say(&Message::PeersWanted(PeersWanted { after }));
        let Message::Peers(Peers { kind, members }) = client.expect() else { panic!("no page of members") };
        told.extend(members);
        if kind == PeersKind::LastPage {
            return told;
        }
    }
}

/// Has a servent of this host greet an address, as a client would. What came of it.
pub fn have_greeted(servent: SocketAddr, address: SocketAddr) -> Greeted {
    let mut client = Peer::stranger(servent);
    client.greet_offering(Role::Client { answer_port: ANSWER_PORT }, Features::OF_CLIENTS);
    client.say(&Message::Greet(Greet { address }));
    let Message::Greeted(greeted) = client.expect() else { panic!("no word of whom it greeted") };
    greeted
}

/// How often it says something, where nothing is said to it: more often than any servent wonders whether it is there.
const PING_EVERY: Duration = Duration::from_millis(500);

/// So many pings without an answer: then it only waits.
const PINGS_MAX: usize = 100;

/// A neighbor that tells nothing of members by itself, and keeps all that it is told of them. It is alive as long as the test
/// has it hear something.
pub struct Witness {
    peer: Peer,
    /// Pings that were not answered yet.
    pings: usize,
    /// Each word, in the order in which they came.
    pub heard: Vec<Member>,
}

impl Witness {
    /// Linked with this servent, as somebody whose address is that of its connection.
    pub fn of(servent: SocketAddr) -> Witness {
        let peer = Peer::stranger(servent);
        let role = peer.as_servent();
        Witness::greeting(peer, role)
    }

    /// The same as somebody else.
    pub fn greeting(mut peer: Peer, role: Role) -> Witness {
        peer.greet_offering(role, Features::OF_MEMBERS);
        peer.fall_silent();
        let mut witness = Witness { peer, pings: 0, heard: Vec::new() };
        witness.settle();
        witness
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.peer.address()
    }

    /// Tells the servent of members, under this stamp.
    pub fn tell(&mut self, stamp: u64, members: &[Member]) {
        let mut members = members.to_vec();
        members.sort_by_key(|member| member.address);
        self.say_at(stamp, &Message::Peers(Peers { kind: PeersKind::News, members }));
    }

    pub fn say_at(&mut self, stamp: u64, message: &Message) {
        self.peer.say_at(stamp, message);
    }

    /// Ends the connection.
    pub fn hang_up(&self) {
        self.peer.hang_up();
    }

    /// Waits until the servent has dealt with all that was said so far.
    pub fn settle(&mut self) {
        self.ping();
        self.hear_until("a pong", |witness, _| witness.pings == 0);
    }

    /// Hears until the last it was told of the member at this address is this.
    pub fn hear_word(&mut self, address: SocketAddr, word: Word) -> Member {
        self.hear_any_of(address, &[word])
    }

    /// Hears until the last it was told of the member at this address is one of these.
    pub fn hear_any_of(&mut self, address: SocketAddr, words: &[Word]) -> Member {
        let last = |witness: &Witness| witness.heard.iter().rfind(|member| member.address == address).copied();
        let is_it = |witness: &Witness| last(witness).is_some_and(|member| words.contains(&member.word));
        if !is_it(self) {
            self.hear_until(&format!("that {address} is one of {words:?}"), |witness, _| is_it(witness));
        }
        last(self).unwrap()
    }

    /// Hears for so long, and until the next that comes.
    pub fn hear_for(&mut self, duration: Duration) {
        let start = Instant::now();
        while start.elapsed() < duration {
            self.hear_one();
        }
    }

    /// The words that came of the member at this address, in their order.
    pub fn words_of(&self, address: SocketAddr) -> Vec<Word> {
        self.heard.iter().filter(|member| member.address == address).map(|member| member.word).collect()
    }

    /// What the servent says last before it closes the link, among what else it says.
    pub fn expect_last(&mut self, last: &Message) {
        self.hear_until("its last words", |_, message| message == last);
        self.peer.expect_end();
    }

    fn ping(&mut self) {
        self.pings += 1;
        self.peer.say_to_whoever_is_there(&Message::Ping);
    }

    fn hear_until(&mut self, what: &str, is_it: impl Fn(&Witness, &Message) -> bool) {
        let until = Instant::now() + PATIENCE;
        loop {
            let message = self.hear_one();
            if is_it(self, &message) {
                return;
            }
            assert!(Instant::now() < until, "it did not hear {what}, but {:?}", self.heard);
        }
    }

    fn hear_one(&mut self) -> Message {
        while !self.peer.is_told_something_within(PING_EVERY) && self.pings < PINGS_MAX {
            self.ping();
        }
        let message = self.peer.expect();
        match &message {
            Message::Pong => self.pings -= 1,
            Message::Ping => self.peer.say_to_whoever_is_there(&Message::Pong),
            Message::PeersWanted(_) => {
                let nobody = Peers { kind: PeersKind::LastPage, members: Vec::new() };
                self.peer.say_to_whoever_is_there(&Message::Peers(nobody));
            }
            Message::Peers(Peers { members, .. }) => self.heard.extend(members),
            _ => {}
        }
        message
    }
}
