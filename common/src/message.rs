//! Everything that can be said on a link, whatever the bytes look like.
//!
//! It knows no encoding (`wire`) and no rule of who may say what to whom (`overlay`, `session`).

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::content::search::{List, ListPart};
use crate::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Open, Opened, Refused};
use crate::dialect::Dialect;
use crate::features::Features;
use crate::limits::{FRAME_BYTES_MAX, SERVENT_FRAME_BYTES_MAX};
use crate::member::{Greet, Greeted, Member, Peers, PeersWanted};
use crate::query::{Answer, Ask, BroughtAnswer, ContactName, Query, QueryId, Tally};
use crate::servent_name::ServentName;
use crate::write::{Changed, Unwatch, Watch, Write, Written};

pub use crate::servent_id::{Identity, ServentId};

/// One thing said on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// First words, each way.
    Hello(Hello),
    /// Last words: why the link is about to close.
    Goodbye(Goodbye),
    /// "Are you there?"
    Ping,
    /// "I am."
    Pong,
    /// Client to contact: ask this of everybody.
    Request(Request),
    /// Servent to servent: one copy of a flooded query. In one process the copies of a flood share it.
    Query(Arc<Query>),
    /// Servent to client.
    Answer(Answer),
    /// Servent to servent: what was passed to me has finished.
    Echo(Echo),
    /// Contact to client: the whole flood has finished.
    Finished(Finished),
    /// Servent to servent: an answer to a copy that was sent over this link, on its way back to whoever asked.
    Brought(Brought),
    /// Contact to client: an answer that was brought.
    Handed(Handed),
    /// Neighbor to neighbor, client to contact: "whom have you heard of?"
    PeersWanted(PeersWanted),
    /// What one has heard of others: because somebody asked, or because something has changed.
    Peers(Peers),
    /// Client to contact, on one host: greet whoever is there.
    Greet(Greet),
    /// Contact to client: what came of that.
    Greeted(Greeted),
    /// Client to servent: "what do you share?"
    List(List),
    /// Servent to client: some of it.
    ListPart(ListPart),
    /// Client to holder: a content is to be fetched.
    Open(Open),
    /// Holder to client: it can be.
    Opened(Opened),
    /// Holder to client: it cannot be, or not any more.
    Refused(Refused),
    /// Client to holder: hashes of blocks are wanted.
    HashesWanted(HashesWanted),
    /// Holder to client: some of them.
    HashPart(HashPart),
    /// Client to holder: blocks are wanted.
    BlocksWanted(BlocksWanted),
    /// Holder to client: one of them.
    Block(Block),
    /// Client to contact: this is to be kept.
    Write(Write),
    /// Contact to client: this came of it.
    Written(Written),
    /// Client to contact: the value of a key is to be told, now and whenever it changes.
    Watch(Watch),
    /// Client to contact: it is not to be told any more.
    Unwatch(Unwatch),
    /// Contact to client: the value of a key that is watched.
    Changed(Changed),
}

impl Message {
    /// A copy of this query.
    #[must_use]
    pub fn query(query: Query) -> Message {
        Message::Query(Arc::new(query))
    }

    /// What it takes to understand it. Whoever did not offer that is never told it: an unknown message breaks a link.
    #[must_use]
    pub fn needs(&self) -> Features {
        match self {
            Message::Request(request) => request.needs(),
            Message::Query(query) => query.needs(),
            Message::Answer(answer) => answer.body.needs(),
            Message::Brought(Brought { answer, .. }) | Message::Handed(Handed { answer, .. }) => answer.needs(),
            Message::PeersWanted(_) | Message::Peers(_) | Message::Greet(_) | Message::Greeted(_) => Features::MEMBERS,
            Message::List(_)
            | Message::ListPart(_)
            | Message::Open(_)
            | Message::Opened(_)
            | Message::Refused(_)
            | Message::HashesWanted(_)
            | Message::HashPart(_)
            | Message::BlocksWanted(_)
            | Message::Block(_) => Features::CONTENT,
            Message::Write(_) | Message::Written(_) | Message::Watch(_) | Message::Unwatch(_) | Message::Changed(_) => {
                Features::WRITES
            }
            // Of these nothing can be new: a hello comes before anything is offered, and a goodbye is one whatever its
            // reason.
            Message::Hello(_)
            | Message::Goodbye(_)
            | Message::Ping
            | Message::Pong
            | Message::Echo(_)
            | Message::Finished(_) => Features::NONE,
        }
    }

    /// What it counts for against a limit on bytes while it waits to be said.
    pub(crate) fn bytes_count(&self) -> usize {
        match self {
            Message::Request(request) => size_of::<Request>() + request.ask.bytes_count(),
            Message::Query(query) => query.bytes_count(),
            Message::Answer(answer) => answer.bytes_count(),
            Message::Brought(Brought { answer, .. }) | Message::Handed(Handed { answer, .. }) => {
                size_of::<Message>() + answer.bytes_count()
            }
            Message::Peers(peers) => size_of::<Message>() + peers.members.len() * size_of::<Member>(),
            Message::List(list) => size_of::<Message>() + list.from.len(),
            Message::ListPart(part) => size_of::<Message>() + part.entries.bytes_count(),
            Message::HashPart(part) => size_of::<Message>() + size_of_val(part.hashes.as_slice()),
            Message::Block(block) => size_of::<Message>() + block.bytes.len(),
            Message::Write(write) => size_of::<Message>() + write.change.bytes_count(),
            Message::Watch(watch) => size_of::<Message>() + watch.key.as_bytes().len(),
            Message::Changed(changed) => size_of::<Message>() + changed.value.as_ref().map_or(0, |value| value.len()),
            Message::Hello(_)
            | Message::Goodbye(_)
            | Message::Ping
            | Message::Pong
            | Message::Echo(_)
            | Message::Finished(_)
            | Message::PeersWanted(_)
            | Message::Greet(_)
            | Message::Greeted(_)
            | Message::Open(_)
            | Message::Opened(_)
            | Message::Refused(_)
            | Message::HashesWanted(_)
            | Message::BlocksWanted(_)
            | Message::Written(_)
            | Message::Unwatch(_) => size_of::<Message>(),
        }
    }

    /// The name of the message, for logs.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Message::Hello(_) => "hello",
            Message::Goodbye(_) => "goodbye",
            Message::Ping => "ping",
            Message::Pong => "pong",
            Message::Request(_) => "request",
            Message::Query(_) => "query",
            Message::Answer(_) => "answer",
            Message::Echo(_) => "echo",
            Message::Finished(_) => "finished",
            Message::Brought(_) => "brought",
            Message::Handed(_) => "handed",
            Message::PeersWanted(_) => "peers wanted",
            Message::Peers(_) => "peers",
            Message::Greet(_) => "greet",
            Message::Greeted(_) => "greeted",
            Message::List(_) => "list",
            Message::ListPart(_) => "list part",
            Message::Open(_) => "open",
            Message::Opened(_) => "opened",
            Message::Refused(_) => "refused",
            Message::HashesWanted(_) => "hashes wanted",
            Message::HashPart(_) => "hash part",
            Message::BlocksWanted(_) => "blocks wanted",
            Message::Block(_) => "block",
            Message::Write(_) => "write",
            Message::Written(_) => "written",
            Message::Watch(_) => "watch",
            Message::Unwatch(_) => "unwatch",
            Message::Changed(_) => "changed",
        }
    }
}

/// First words on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Whether a servent or a client speaks, and where it is to be found.
    pub role: Role,
    /// What it is called, if it is a servent that says so: then it offers to understand names.
    pub name: Option<ServentName>,
    /// The dialect it was said in, where it was heard. What is to be said is said in that of its link.
    pub dialect: Dialect,
    /// What the speaker can do beyond the first version of its dialect.
    pub features: Features,
    /// The largest frame body the speaker accepts.
    pub frame_bytes_max: u32,
}

impl Hello {
    /// The hello of this implementation.
    #[must_use]
    pub fn new(role: Role) -> Hello {
        let features = match role {
            Role::Servent { .. } | Role::Nameless => Features::OF_SERVENTS,
            Role::Client { .. } => Features::OF_CLIENTS,
        };
        Hello { features, ..Hello::said_in(Dialect::OWN, role) }
    }

    /// What is taken for a hello in a dialect that has no words for what its speaker can do: whoever speaks it
    /// understands what its own clients need, and no more.
    #[must_use]
    pub fn said_in(dialect: Dialect, role: Role) -> Hello {
        let frame_bytes_max = match role {
            Role::Servent { .. } | Role::Nameless => SERVENT_FRAME_BYTES_MAX,
            Role::Client { .. } => FRAME_BYTES_MAX,
        };
        let frame_bytes_max = u32::try_from(frame_bytes_max).unwrap_or(u32::MAX);
        Hello { role, name: None, dialect, features: dialect.manners().needs, frame_bytes_max }
    }

    /// The same for whoever offered this much: without the name where that would not be understood.
    #[must_use]
    pub(crate) fn told_to(&self, offered: Features) -> Hello {
        let name = self.name.clone().filter(|_| offered.include(Features::NAME));
        Hello { name, ..self.clone() }
    }
}

/// Who speaks on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A servent.
    Servent {
        /// Who it is.
        id: ServentId,
        /// The address it goes by.
        advertised: SocketAddr,
    },
    /// A servent of a dialect in which servents do not say who they are: it goes by where it is.
    Nameless,
    /// A client.
    Client {
        /// The port it hears answers on, at the ip its connection shows; 0 where it hears none and wants them back the way
        /// its queries went.
        answer_port: u16,
    },
}

/// Why a link is about to close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goodbye {
    /// The speaker is leaving.
    Leaving,
    /// The speaker does not know this version of the protocol.
    Version,
    /// The speaker does not deal with this role on such a link.
    Role,
    /// Both ends are the same servent.
    Myself,
    /// The two servents have another link, which stays.
    Duplicate,
    /// The speaker has as many links of this kind as it takes.
    Full,
    /// Something was said that the protocol does not allow.
    Protocol,
    /// Nothing was heard for too long.
    Quiet,
    /// The link has not been needed for a while.
    Idle,
    /// A reason that was given out after this implementation was made. It is heard and never said.
    Unknown {
        /// How it is numbered in the bytes, for the log.
        number: u32,
    },
}

impl Goodbye {
    /// Every reason there is, in the order of their numbers.
    pub const ALL: [Goodbye; 9] = [
        Goodbye::Leaving,
        Goodbye::Version,
        Goodbye::Role,
        Goodbye::Myself,
        Goodbye::Duplicate,
        Goodbye::Full,
        Goodbye::Protocol,
        Goodbye::Quiet,
        Goodbye::Idle,
    ];
}

impl fmt::Display for Goodbye {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Goodbye::Unknown { number } => {
                return write!(f, "it has a reason that is not known here (number {number})");
            }
            Goodbye::Leaving => "it is leaving",
            Goodbye::Version => "it speaks another version of the protocol",
            Goodbye::Role => "it does not deal with this role here",
            Goodbye::Myself => "both ends are the same servent",
            Goodbye::Duplicate => "the two servents have another link",
            Goodbye::Full => "it has as many links as it takes",
            Goodbye::Protocol => "it heard something the protocol does not allow",
            Goodbye::Quiet => "it heard nothing for too long",
            Goodbye::Idle => "the link was not needed any more",
        })
    }
}

/// A client's question to its contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The client's own number of the request.
    pub sequence: u64,
    /// What is asked.
    pub ask: Ask,
    /// How often its query may be passed on: by nobody with 0, by the contact alone with 1. As the contact has it for all
    /// its clients, where nothing is said.
    pub ttl: Option<u8>,
}

impl Request {
    /// What it takes to understand it.
    #[must_use]
    pub fn needs(&self) -> Features {
        self.ask.needs().with(if self.ttl.is_some() { Features::TTL } else { Features::NONE })
    }
}

/// The answer to one copy of a query: its subtree has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The query that the copy was of.
    pub id: QueryId,
    /// Which of its copies it was: the TTL it came with. No servent sends another the same query twice with the same TTL.
    pub ttl: u8,
    /// What came of it.
    pub tally: Tally,
}

/// The contact's word to its client that the flood is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The client's own number of the request.
    pub sequence: u64,
    /// What came of it.
    pub tally: Tally,
}

/// An answer that goes back: to whoever sent the copy that it answers, and from there to whoever sent the one it was made
/// of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought {
    /// Whose query it was.
    pub contact: ContactName,
    /// Its number there.
    pub number: u64,
    /// Which of its copies is answered: the TTL it came with, as an echo names it.
    pub ttl: u8,
    /// What is answered.
    pub answer: Arc<BroughtAnswer>,
}

/// An answer that was brought to its contact, for the client that asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handed {
    /// The client's own number of the request.
    pub sequence: u64,
    /// What is answered.
    pub answer: Arc<BroughtAnswer>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address::AnswerAddress;
    use crate::content::ContentHash;
    use crate::content::search::{Entries, Entry, FileName, Words};
    use crate::content::transfer::Have;
    use crate::key::Key;
    use crate::query::{AnswerBody, Path, Via};

    #[test]
    fn a_message_counts_for_itself_and_for_the_bytes_it_carries() {
        let [one, other] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let key = Ask::Key(Key::new(b"coffee").unwrap());
        let request = |ask| Message::Request(Request { sequence: 1, ask, ttl: None });
        let client = AnswerAddress { socket: one, dialect: Dialect::OWN };
        let query = |ask, path| {
            Message::query(Query { via: Via::Direct, sequence: 1, client, contact: None, ttl: 1, hops: 1, ask, path })
        };
        let answer = |body| Message::Answer(Answer { sequence: 1, asked: None, hops: 1, body });
        let path = || Path::Addresses(vec![one, other]);
        let place = AnswerBody::Place { path: path(), neighbors: vec![one, one, other] };
        let text = AnswerBody::Place { path: Path::Text(b"a b".to_vec()), neighbors: Vec::new() };
        let address = size_of::<SocketAddr>();
        let find = Ask::Find(Words::new([&b"tea"[..], b"green"]).unwrap());
        let (hash, have) = (ContentHash([1; 32]), Have::Runs(vec![(0, 1), (2, 1)]));
        let entry =
            Entry { name: FileName::new(b"farol").unwrap(), size: 1, hash, description: b"at dusk".to_vec(), have };
        let entries = || Entries { entries: vec![entry.clone()], more: 1, uploads: 1 };
        // As much as it counts for among others that are told.
        let entry_bytes = 64 + 5 + 7 + 2 * 10;
        for (message, bytes_count) in [
            (request(key.clone()), size_of::<Request>() + 6),
            (request(Ask::Topology), size_of::<Request>()),
            (query(key, Path::default()), size_of::<Query>() + 6),
            (query(Ask::Topology, path()), size_of::<Query>() + 2 * address),
            (query(Ask::Topology, Path::Text(b"a b".to_vec())), size_of::<Query>() + 3),
            (answer(AnswerBody::Value(b"black".to_vec())), size_of::<Answer>() + 5),
            // A path counts as it is written.
            (answer(place), size_of::<Answer>() + "127.0.0.1:1 127.0.0.1:2".len() + 3 * address),
            (answer(text), size_of::<Answer>() + 3),
            // Each word has its own place.
            (request(find), size_of::<Request>() + 2 * size_of::<&[u8]>() + 8),
            (request(Ask::Named(FileName::new(b"farol").unwrap())), size_of::<Request>() + 5),
            (request(Ask::Hashed(ContentHash([1; 32]).into())), size_of::<Request>()),
            (answer(AnswerBody::Entries(entries())), size_of::<Answer>() + size_of::<Entry>() + entry_bytes),
            (Message::List(List { list: 1, from: b"farol".to_vec() }), size_of::<Message>() + 5),
            (
                Message::ListPart(ListPart { list: 1, entries: entries() }),
                size_of::<Message>() + size_of::<Entry>() + entry_bytes,
            ),
            (Message::HashPart(HashPart { fetch: 1, first: 1, hashes: vec![[1; 32]; 3] }), size_of::<Message>() + 96),
            (Message::Block(Block { fetch: 1, block: 1, bytes: vec![1; 70] }), size_of::<Message>() + 70),
            (Message::Ping, size_of::<Message>()),
            (Message::Goodbye(Goodbye::Idle), size_of::<Message>()),
        ] {
            assert_eq!(message.bytes_count(), bytes_count, "{message:?}");
        }
    }

    #[test]
    fn what_tells_the_end_of_a_query_is_understood_by_everybody() {
        let tally = Tally { silent: u64::MAX, ..Tally::default() };
        let id = QueryId { sequence: u64::MAX, client: ([192, 0, 2, 7], 9990).into() };
        for message in
            [Message::Echo(Echo { id, ttl: 0, tally }), Message::Finished(Finished { sequence: u64::MAX, tally })]
        {
            assert_eq!(message.needs(), Features::NONE, "{}", message.name());
        }
    }
}
