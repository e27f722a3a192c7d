//! A neighbor that a test plays and that forges: of each query that comes to it, it makes copies that are not true, and
//! hurries to tell them all servents it is linked with.
//!
//! In all else it is a good neighbor: it holds nothing, passes nothing on, and echoes every copy. So whatever is lost of a
//! query is lost by what it forged.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use common::dialect::Dialect;
use common::key::Key;
use common::limits::TTL_FROM_OTHERS_MAX;
use common::message::{Echo, Goodbye, Message, Role, ServentId};
use common::query::{Ask, ContactMark, ContactName, Path, Query, QueryId, Tally};
use common::random::Secret;
use common::wire::Frame;
use peers::{Heard, PATIENCE, Peer};

/// In what its copies differ from the one that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forgery {
    /// They ask something else.
    Ask,
    /// They are of a contact that nobody is.
    Contact,
    /// They have another number at their contact.
    Number,
    /// They are the queries to come, if those are counted, and ask the same.
    ComingIds,
    /// Nothing is open any more of what their contact has asked and will ask for long.
    FarAhead,
    /// They are many queries under one number, that of this query and of the next.
    ManyIds,
}

impl Forgery {
    pub(crate) const ALL: [Forgery; 6] =
        [Forgery::Ask, Forgery::Contact, Forgery::Number, Forgery::ComingIds, Forgery::FarAhead, Forgery::ManyIds];
}

/// How often a query may go on that it tells of: not at all, within the horizon, and as far beyond it as anybody lets it.
const TTLS: [u8; 3] = [0, 2, TTL_FROM_OTHERS_MAX];
/// How many queries it says are to come.
const COMING: u64 = 3;
/// How many ids it says a number has, besides its own.
const IDS: u64 = 3;
/// Further ahead than anybody asks.
const FAR: u64 = 1 << 40;

/// The forger, which is linked for as long as this is kept.
#[derive(Debug)]
pub(crate) struct Forger {
    address: SocketAddr,
    told: Sender<Told>,
    streams: Vec<TcpStream>,
}

#[derive(Debug)]
enum Told {
    /// This came over this link.
    Message(usize, Message),
    /// Make these, and tell so many of the neighbors.
    Forge(Vec<Forgery>, usize),
    /// Make none any more, and say how many copies there were once each of them is echoed.
    Stop(Sender<usize>),
}

impl Forger {
    /// Becomes a neighbor of these.
    pub(crate) fn link(neighbors: &[SocketAddr]) -> Forger {
        let (told, heard) = channel();
        let streams: Vec<TcpStream> = neighbors.iter().map(|neighbor| TcpStream::connect(neighbor).unwrap()).collect();
        let address = streams[0].local_addr().unwrap();
        for (place, stream) in streams.iter().enumerate() {
            let mut peer = Peer::over(stream.try_clone().unwrap());
            peer.fall_silent();
            peer.greet(Role::Servent {
                id: ServentId(Secret::of_seed(0).nth(address.port().into()).into()),
                advertised: address,
            });
            let told = told.clone();
            thread::spawn(move || {
                while let Heard::Message(message) = peer.hear() {
                    if told.send(Told::Message(place, message)).is_err() {
                        return;
                    }
                }
            });
        }
        let ours = streams.iter().map(|stream| stream.try_clone().unwrap()).collect();
        thread::spawn(move || Forging::new(ours).run(&heard));
        Forger { address, told, streams }
    }

    /// The address it goes by.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it tells the first so many of its neighbors these.
    pub(crate) fn forge(&self, kinds: &[Forgery], neighbors_count: usize) {
        self.told.send(Told::Forge(kinds.to_vec(), neighbors_count)).unwrap();
    }

    /// Has it stop, waits until everything it said was echoed, and says how many copies that were.
    pub(crate) fn stop(&self) -> usize {
        let (sender, stopped) = channel();
        self.told.send(Told::Stop(sender)).unwrap();
        stopped.recv_timeout(PATIENCE).expect("each copy is echoed")
    }
}

impl Drop for Forger {
    fn drop(&mut self) {
        // Dropping a socket is not enough: its threads have it too.
        self.streams.iter().for_each(|stream| drop(stream.shutdown(Shutdown::Both)));
    }
}

/// What it has said and is owed.
struct Forging {
    streams: Vec<TcpStream>,
    /// What is to be said over each link.
    unsaid: Vec<Vec<u8>>,
    kinds: Vec<Forgery>,
    neighbors_count: usize,
    /// The sequences of queries that came, and of those it made up: these are not to be forged again when they come back.
    known: HashSet<u64>,
    /// Copies it made whose echoes have not come, by link.
    awaited: BTreeMap<(usize, QueryId, u8), usize>,
    copies_count: usize,
    drawn_count: u64,
    stopped: Option<Sender<usize>>,
}

impl Forging {
    fn new(streams: Vec<TcpStream>) -> Forging {
        Forging {
            unsaid: vec![Vec::new(); streams.len()],
            streams,
            kinds: Vec::new(),
            neighbors_count: 0,
            known: HashSet::new(),
            awaited: BTreeMap::new(),
            copies_count: 0,
            drawn_count: 0,
            stopped: None,
        }
    }

    /// Goes on for as long as there is a link.
    fn run(mut self, heard: &Receiver<Told>) {
        while let Ok(told) = heard.recv() {
            match told {
                Told::Message(place, message) => self.on_message(place, message),
                Told::Forge(kinds, neighbors_count) => (self.kinds, self.neighbors_count) = (kinds, neighbors_count),
                Told::Stop(stopped) => (self.kinds, self.stopped) = (Vec::new(), Some(stopped)),
            }
            for (stream, unsaid) in self.streams.iter_mut().zip(&mut self.unsaid) {
                // The servent may have ended with the test.
                let _ = stream.write_all(unsaid);
                unsaid.clear();
            }
            if self.awaited.is_empty()
                && let Some(stopped) = self.stopped.take()
            {
                stopped.send(self.copies_count).unwrap();
            }
        }
    }

    fn on_message(&mut self, place: usize, message: Message) {
        match message {
            Message::Ping => self.say(place, &Message::Pong),
            Message::Query(query) => {
                let is_new = self.known.insert(query.sequence);
                if is_new {
                    for kind in self.kinds.clone() {
                        self.forge(kind, &query);
                    }
                }
                let tally = Tally { reached: u64::from(is_new), duplicates: u64::from(!is_new), ..Tally::default() };
                self.say(place, &Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally }));
            }
            Message::Echo(Echo { id, ttl, .. }) => {
                let key = (place, id, ttl);
                let count = self.awaited.get_mut(&key).expect("nothing is echoed that was not said");
                *count -= 1;
                if *count == 0 {
                    self.awaited.remove(&key);
                }
            }
            Message::Goodbye(goodbye) => assert_eq!(goodbye, Goodbye::Leaving, "it does what a neighbor may"),
            _ => {}
        }
    }

    /// Makes copies of a kind of this one.
    fn forge(&mut self, kind: Forgery, of: &Query) {
        let mark = of.contact.expect("our contacts say who they are");
        let with = |mark: ContactMark| Query { contact: Some(mark), ..of.clone() };
        let mut copies = Vec::new();
        match kind {
            Forgery::Ask => {
                let milk = Ask::Key(Key::new(b"milk").unwrap());
                copies.extend([milk, Ask::Topology].map(|ask| Query { ask, ..of.clone() }));
            }
            Forgery::Contact => copies.push(with(ContactMark { name: ContactName(self.random()), ..mark })),
            Forgery::Number => {
                copies.push(with(ContactMark { number: mark.number + 1, ..mark }));
                copies.extend(
                    mark.number
                        .checked_sub(1)
                        .map(|number| with(ContactMark { number, open_from: mark.open_from.min(number), ..mark })),
                );
            }
            Forgery::ComingIds => copies.extend((1..=COMING).map(|ahead| Query {
                sequence: of.sequence + ahead,
                ..with(ContactMark { number: mark.number + ahead, ..mark })
            })),
            Forgery::FarAhead => {
                for sequence in [self.random(), of.sequence] {
                    let number = mark.number + FAR + (self.copies_count + copies.len()) as u64;
                    copies.push(Query { sequence, ..with(ContactMark { number, open_from: number, ..mark }) });
                }
            }
            Forgery::ManyIds => {
                for number in [mark.number, mark.number + 1] {
                    for _ in 0..IDS {
                        copies.push(Query { sequence: self.random(), ..with(ContactMark { number, ..mark }) });
                    }
                }
            }
        }
        for copy in copies {
            let ttl = TTLS[self.copies_count % TTLS.len()];
            self.known.insert(copy.sequence);
            let copy = Query { ttl, hops: of.hops + 1, path: Path::default(), ..copy };
            for place in 0..self.neighbors_count {
                *self.awaited.entry((place, copy.id(), ttl)).or_default() += 1;
                self.say(place, &Message::query(copy.clone()));
            }
            self.copies_count += 1;
        }
    }

    /// A sequence, or a name, that nobody else has.
    fn random(&mut self) -> u64 {
        self.drawn_count += 1;
        Secret::of_seed(1).nth(self.drawn_count) >> 33
    }

    fn say(&mut self, place: usize, message: &Message) {
        self.unsaid[place].extend(Frame::new(Dialect::Native, message).unwrap().as_bytes());
    }
}
