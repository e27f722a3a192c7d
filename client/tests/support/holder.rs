//! Holders that a test plays, over blocking sockets: they give a content as no servent does, or lie about it, and note what
//! they are asked for.
//!
//! They speak when they are spoken to, and each has one manner all the time. Nobody finds them: who has a content is told by
//! a contact that the test plays as well.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use common::content::search::{Entries, Entry, FileName};
use common::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Have, Open, Opened, Refusal, Refused};
use common::content::{Blocks, ContentHash};
use common::features::Features;
use common::message::{Brought, Echo, Hello, Message, Role, ServentId};
use common::query::{Answer, AnswerBody, Ask, AskHash, BroughtAnswer, BroughtBody, ContactMark, Query, Tally, Via};
use peers::Heard;

use super::fake::{Fake, Peer, id_at, tally_back};
use super::listen;
use super::shared::hashed;

/// How a holder gives a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it should.
    Honest,
    /// So many blocks, and then it says nothing more.
    Stops(u32),
    /// So many blocks, and then it hangs up.
    HangsUp(u32),
    /// It says nothing once a content is opened.
    Silent,
    /// It refuses.
    Refuses(Refusal),
    /// It gives so many blocks, and then it refuses.
    RefusesLate(u32, Refusal),
    /// A bit of its hashes is false.
    FalseHashes,
    /// A bit of this block is false.
    FalseBlock(u32),
    /// It says that there are so many bytes.
    FalseSize(u64),
    /// It says to have a block that there is not.
    FalseHave,
    /// It has this one block, and says so.
    Has(u32),
    /// It has all blocks but the first, and says so.
    LacksFirst,
    /// A byte of a block is missing.
    Short,
    /// A byte too many.
    Long,
    /// It gives each block twice.
    Twice,
    /// It gives a block before any was asked for.
    Unasked,
    /// It says what no holder says.
    Nonsense,
    /// It is an old servent, without contents.
    Old,
}

/// A holder of one content. What it was asked for is kept in the order in which it was asked.
#[derive(Debug)]
pub(crate) struct Holder {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<u32>>>,
    entry: Entry,
}

/// What a holder has, and how it gives it.
#[derive(Clone)]
struct Part {
    bytes: Arc<Vec<u8>>,
    manner: Manner,
    asked: Arc<Mutex<Vec<u32>>>,
    address: SocketAddr,
}

impl Holder {
    /// Whoever connects is given this content in this manner.
    pub(crate) fn of(name: &[u8], bytes: &[u8], manner: Manner) -> Holder {
        let (address, accepted) = listen();
        let asked = Arc::default();
        let part = Part { bytes: Arc::new(bytes.to_vec()), manner, asked: Arc::clone(&asked), address };
        thread::spawn(move || {
            for stream in accepted {
                let part = part.clone();
                thread::spawn(move || part.serve(stream));
            }
        });
        Holder { address, asked, entry: entry(name, bytes) }
    }

    /// The blocks it was asked for since this was called last.
    pub(crate) fn take_asked(&self) -> Vec<u32> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    /// What a contact tells of it.
    pub(crate) fn told(&self) -> (SocketAddr, Entry) {
        (self.address, self.entry.clone())
    }
}

/// What is told of a content that is whole.
pub(crate) fn entry(name: &[u8], bytes: &[u8]) -> Entry {
    let (size, hash) = (bytes.len() as u64, hashed(bytes).hash);
    let have = Have::all(Blocks::of(size).unwrap().count());
    Entry { name: FileName::new(name).unwrap(), size, hash, description: Vec::new(), have }
}

impl Part {
    /// What a client asks over this connection, until it leaves.
    fn serve(&self, stream: TcpStream) {
        let mut peer = peers::Peer::over(stream);
        let Heard::Message(Message::Hello(Hello { role: Role::Client { .. }, .. })) = peer.hear() else { return };
        let features = if self.manner == Manner::Old { Features::BACK } else { Features::OF_SERVENTS };
        let role = Role::Servent { id: ServentId(u128::from(self.address.port())), advertised: self.address };
        peer.say_to_whoever_is_there(&Message::Hello(Hello { features, ..Hello::new(role) }));
        let mut given = 0;
        while let Heard::Message(message) = peer.hear() {
            let answers = match message {
                Message::Open(Open { fetch, hash }) => self.on_open(fetch, hash),
                Message::HashesWanted(wanted) => self.on_hashes(wanted),
                Message::BlocksWanted(wanted) => self.on_blocks(wanted, &mut given),
                other => panic!("a client says {other:?} to a holder"),
            };
            answers.iter().for_each(|answer| peer.say_to_whoever_is_there(answer));
            if self.manner == Manner::HangsUp(given) {
                // What was said before arrives: nothing is left unread.
                let _ = peer.stream().shutdown(Shutdown::Write);
                while peer.hear() != Heard::End {}
                return;
            }
        }
    }

    fn size(&self) -> u64 {
        if let Manner::FalseSize(size) = self.manner { size } else { self.bytes.len() as u64 }
    }

    fn on_open(&self, fetch: u32, hash: ContentHash) -> Vec<Message> {
        assert_eq!(hash, hashed(&self.bytes).hash, "it was said to have something else");
        let size = self.size();
        let count = Blocks::of(size).map_or(1, Blocks::count);
        let have = match self.manner {
            Manner::FalseHave => Have::Runs(vec![(0, count + 1)]),
            Manner::Has(block) => Have::Runs(vec![(block, 1)]),
            Manner::LacksFirst => Have::Runs(vec![(1, count - 1)]),
            _ => Have::all(count),
        };
        let opened = Message::Opened(Opened { fetch, size, have });
        match self.manner {
            Manner::Silent => Vec::new(),
            Manner::Refuses(refusal) => vec![Message::Refused(Refused { fetch, refusal })],
            Manner::Unasked => vec![opened, Message::Block(Block { fetch, block: 0, bytes: self.block(0) })],
            Manner::Nonsense => vec![opened, Message::Pong],
            _ => vec![opened],
        }
    }

    fn on_hashes(&self, wanted: HashesWanted) -> Vec<Message> {
        let HashesWanted { fetch, first, count } = wanted;
        let mut hashes = hashed(&self.bytes).hashes.as_slice().to_vec();
        if self.manner == Manner::FalseHashes {
            hashes[0][31] ^= 1;
        }
        // Under a false size there may be more or fewer than there are.
        hashes.resize((first + count) as usize, [7; 32]);
        let hashes = hashes.split_off(first as usize);
        vec![Message::HashPart(HashPart { fetch, first, hashes })]
    }

    fn on_blocks(&self, wanted: BlocksWanted, given: &mut u32) -> Vec<Message> {
        let BlocksWanted { fetch, first, count } = wanted;
        let mut answers = Vec::new();
        for block in first..first + count {
            self.asked.lock().unwrap().push(block);
            match self.manner {
                Manner::Stops(most) | Manner::HangsUp(most) if *given >= most => return answers,
                Manner::RefusesLate(most, refusal) if *given >= most => {
                    answers.push(Message::Refused(Refused { fetch, refusal }));
                    return answers;
                }
                _ => *given += 1,
            }
            let answer = Message::Block(Block { fetch, block, bytes: self.block(block) });
            if self.manner == Manner::Twice {
                answers.push(answer.clone());
            }
            answers.push(answer);
        }
        answers
    }

    fn block(&self, block: u32) -> Vec<u8> {
        let blocks = Blocks::of(self.bytes.len() as u64).unwrap();
        let Some((at, length)) = blocks.place(block) else { return Vec::new() };
        let at = usize::try_from(at).unwrap();
        let mut bytes = self.bytes[at..at + length].to_vec();
        match self.manner {
            Manner::FalseBlock(it) if it == block => bytes[0] ^= 1,
            Manner::Short => drop(bytes.pop()),
            Manner::Long => bytes.push(0),
            _ => {}
        }
        bytes
    }
}

/// A contact that tells every client who has what is asked for, in this order, whatever that is; until it is dropped.
#[derive(Debug)]
pub(crate) struct Teller {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Ask>>>,
}

impl Teller {
    pub(crate) fn of(told: Vec<(SocketAddr, Entry)>) -> Teller {
        let (fake, asked) = (Fake::listen(), Arc::default());
        let teller = Teller { address: fake.address(), asked: Arc::clone(&asked) };
        thread::spawn(move || {
            while let Some(contact) = fake.attach_if_anybody_comes() {
                let (told, asked) = (told.clone(), Arc::clone(&asked));
                thread::spawn(move || tell(contact, &told, &asked));
            }
        });
        teller
    }

    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// What it was asked, in order.
    pub(crate) fn asked(&self) -> Vec<Ask> {
        self.asked.lock().unwrap().clone()
    }
}

fn tell(mut contact: Peer, told: &[(SocketAddr, Entry)], asked: &Mutex<Vec<Ask>>) {
    while let Some(message) = contact.receive() {
        let Message::Request(request) = message else { continue };
        asked.lock().unwrap().push(request.ask);
        for (from, entry) in told {
            let entries = Entries { entries: vec![entry.clone()], more: 0, uploads: 0 };
            let body = BroughtBody::Whole(AnswerBody::Entries(entries));
            contact.hand_body(request.sequence, &from.to_string(), body);
        }
        contact.finish(request.sequence, tally_back(1 + told.len() as u64, told.len() as u64));
    }
}

/// Links a holder with a servent: from now on it answers whatever files are asked for with what it has.
pub(crate) fn join(servent: SocketAddr, holder: &Holder) {
    let mut peer = peers::Peer::stranger(servent);
    let role = Role::Servent { id: id_at(holder.address), advertised: holder.address };
    peer.greet_offering(role, Features::OF_SERVENTS);
    let (at, entry) = holder.told();
    thread::spawn(move || {
        while let Heard::Message(message) = peer.hear() {
            let Message::Query(query) = message else { continue };
            let mut tally = Tally { reached: 1, ..Tally::default() };
            if let Ask::Find(_) | Ask::Named(_) | Ask::Hashed(_) = query.ask {
                answer(&mut peer, &query, at, &entry);
                tally = Tally { answers: 1, answer_sum: id_at(at).mark(), ..tally };
                tally.is_dialled = query.via == Via::Direct;
            }
            peer.say_to_whoever_is_there(&Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally }));
        }
    });
}

/// Answers a query in the way that it says.
fn answer(peer: &mut peers::Peer, query: &Query, at: SocketAddr, entry: &Entry) {
    let (sequence, hops) = (query.sequence, query.hops);
    let body = AnswerBody::Entries(Entries { entries: vec![entry.clone()], more: 0, uploads: 0 });
    match (query.via, query.contact) {
        (Via::Direct, _) => {
            let asked = Some(AskHash::of(&query.ask));
            let mut client = Peer::dial(query.client.socket, &at.to_string());
            client.send(&Message::Answer(Answer { sequence, asked, hops, body }));
        }
        (Via::Back, Some(ContactMark { name: contact, number, .. })) => {
            let answer =
                Arc::new(BroughtAnswer { id: id_at(at), from: at, name: None, hops, body: BroughtBody::Whole(body) });
            peer.say_to_whoever_is_there(&Message::Brought(Brought { contact, number, ttl: query.ttl, answer }));
        }
        (Via::Back, None) => panic!("a contact of ours says who it is"),
    }
}
