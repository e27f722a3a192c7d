//! A dialect that only tests speak: one line of words a message.
//!
//! It shows what it takes to add one: this file, and a row in `dialect`. It has a little of each of the others: its
//! servents say who they are and echo, but answer no ping; its clients get each answer alone; it can ask for short keys
//! and for nothing else.

use std::fmt::Write;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::address::AnswerAddress;
use crate::dialect::Dialect;
use crate::key::Key;
use crate::message::{Echo, Finished, Goodbye, Hello, Message, Request, Role, ServentId};
use crate::query::{Answer, AnswerBody, Ask, ContactMark, ContactName, Path, Query, QueryId, Tally, Via};
use crate::wire::codec::{Codec, EncodeError, FirstBytes, Position, ReadFrame, WireError};

/// Longest key that can be asked for.
const KEY_BYTES_MAX: usize = 8;
/// Longest line.
const LINE_BYTES_MAX: usize = 256;

pub(super) struct Toy;

impl Codec for Toy {
    fn preface(&self) -> &'static [u8] {
        &[]
    }

    fn read_preface(&self, _bytes: &[u8]) -> Result<FirstBytes, WireError> {
        Ok(FirstBytes::Preface(0))
    }

    fn head_bytes(&self) -> usize {
        0
    }

    fn is_stamped(&self) -> bool {
        false
    }

    fn encode(&self, _position: Position, _stamp: u64, message: &Message) -> Result<Vec<u8>, EncodeError> {
        let line = match message {
            Message::Hello(Hello { role: Role::Servent { id, advertised }, .. }) => {
                format!("toy? servent {} {advertised}", id.0)
            }
            Message::Hello(Hello { role: Role::Client { answer_port }, .. }) => format!("toy? client {answer_port}"),
            Message::Hello(Hello { role: Role::Nameless, .. }) => return Err(unspeakable("a hello of nobody")),
            Message::Goodbye(_) => "toy? goodbye".to_owned(),
            // It has no words for them.
            Message::Ping
            | Message::Pong
            | Message::Brought(_)
            | Message::Handed(_)
            | Message::PeersWanted(_)
            | Message::Peers(_)
            | Message::Greet(_)
            | Message::Greeted(_)
            | Message::List(_)
            | Message::ListPart(_)
            | Message::Open(_)
            | Message::Opened(_)
            | Message::Refused(_)
            | Message::HashesWanted(_)
            | Message::HashPart(_)
            | Message::BlocksWanted(_)
            | Message::Block(_)
            | Message::Write(_)
            | Message::Written(_)
            | Message::Watch(_)
            | Message::Unwatch(_)
            | Message::Changed(_) => return Ok(Vec::new()),
            Message::Request(Request { sequence, ask, ttl: _ }) => format!("toy? request {sequence} {}", asked(ask)?),
            Message::Query(query) => {
                let Query {
                    via: _,
                    sequence,
                    client: AnswerAddress { socket, dialect },
                    contact,
                    ttl,
                    hops,
                    ask,
                    path: _,
                } = &**query;
                let (number, contact) = (dialect.manners().number, marked(*contact));
                format!("toy? query {sequence} {socket} {number} {contact} {ttl} {hops} {}", asked(ask)?)
            }
            Message::Answer(Answer { sequence, body: AnswerBody::Value(value), .. }) => {
                format!("toy! {sequence} {}", hex(value))
            }
            Message::Answer(_) => return Err(unspeakable("a place")),
            Message::Echo(Echo { id: QueryId { sequence, client }, ttl, tally }) => {
                format!("toy? echo {sequence} {client} {ttl} {}", counts(tally))
            }
            Message::Finished(Finished { sequence, tally }) => format!("toy? finished {sequence} {}", counts(tally)),
        };
        Ok(format!("{line}\n").into_bytes())
    }

    fn read_frame(
        &self,
        _position: Position,
        bytes: &[u8],
        _frame_bytes_max: usize,
    ) -> Result<Option<ReadFrame>, WireError> {
        let Some(length) = bytes.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n') else {
            let is_too_long = bytes.len() >= LINE_BYTES_MAX;
            let error = WireError::FrameTooLong { length: bytes.len(), max: LINE_BYTES_MAX };
            return if is_too_long { Err(error) } else { Ok(None) };
        };
        let line = String::from_utf8_lossy(&bytes[..length]);
        let message = read_line(&line).ok_or_else(|| WireError::Malformed(format!("`{line}` means nothing")))?;
        Ok(Some(ReadFrame { message: Some(message), stamp: 0, bytes_count: length + 1 }))
    }

    fn can_say(&self, query: &Query) -> bool {
        asked(&query.ask).is_ok()
    }
}

fn unspeakable(what: &str) -> EncodeError {
    EncodeError::Unspeakable(what.to_owned())
}

fn asked(ask: &Ask) -> Result<String, EncodeError> {
    match ask {
        Ask::Key(key) if key.as_bytes().len() <= KEY_BYTES_MAX => Ok(hex(key.as_bytes())),
        Ask::Key(_) => Err(unspeakable("a long key")),
        Ask::Topology => Err(unspeakable("a topology")),
        Ask::Find(_) | Ask::Named(_) | Ask::Hashed(_) => Err(unspeakable("a content")),
    }
}

fn marked(contact: Option<ContactMark>) -> String {
    let in_words = |mark: ContactMark| format!("{}:{}:{}", mark.name.0, mark.number, mark.open_from);
    contact.map_or_else(|| "-".to_owned(), in_words)
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = ".".to_owned();
    bytes.iter().for_each(|byte| write!(hex, "{byte:02x}").unwrap_or_default());
    hex
}

fn counts(tally: &Tally) -> String {
    let Tally { reached, answers, copies, duplicates, stopped, lost, silent, spoilt, answer_sum, is_dialled: _ } =
        tally;
    format!("{reached} {answers} {copies} {duplicates} {stopped} {lost} {silent} {spoilt} {answer_sum}")
}

fn read_line(line: &str) -> Option<Message> {
    let mut words = ToyWords(line.split(' '));
    let message = match (words.next()?, words.next()?) {
        ("toy!", sequence) => {
            let body = AnswerBody::Value(words.bytes()?);
            Message::Answer(Answer { sequence: sequence.parse().ok()?, asked: None, hops: 0, body })
        }
        ("toy?", "servent") => {
            let role = Role::Servent { id: ServentId(words.read()?), advertised: words.read()? };
            Message::Hello(Hello::said_in(Dialect::Toy, role))
        }
        ("toy?", "client") => Message::Hello(Hello::said_in(Dialect::Toy, Role::Client { answer_port: words.read()? })),
        ("toy?", "goodbye") => Message::Goodbye(Goodbye::Leaving),
        ("toy?", "request") => Message::Request(Request { sequence: words.read()?, ask: words.ask()?, ttl: None }),
        ("toy?", "query") => {
            let sequence = words.read()?;
            let client = AnswerAddress { socket: words.read()?, dialect: Dialect::of_number(words.read()?)? };
            let contact = words.contact()?;
            let (ttl, hops, ask) = (words.read()?, words.read()?, words.ask()?);
            Message::query(Query { via: Via::Direct, sequence, client, contact, ttl, hops, ask, path: Path::default() })
        }
        ("toy?", "echo") => {
            let id = QueryId { sequence: words.read()?, client: words.read::<SocketAddr>()? };
            Message::Echo(Echo { id, ttl: words.read()?, tally: words.tally()? })
        }
        ("toy?", "finished") => Message::Finished(Finished { sequence: words.read()?, tally: words.tally()? }),
        _ => return None,
    };
    words.next().is_none().then_some(message)
}

struct ToyWords<'a>(std::str::Split<'a, char>);

impl<'a> ToyWords<'a> {
    fn next(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    fn read<T: FromStr>(&mut self) -> Option<T> {
        self.next()?.parse().ok()
    }

    fn bytes(&mut self) -> Option<Vec<u8>> {
        let digits = self.next()?.strip_prefix('.')?;
        let byte = |place| u8::from_str_radix(digits.get(place..place + 2)?, 16).ok();
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    fn ask(&mut self) -> Option<Ask> {
        Some(Ask::Key(Key::new(&self.bytes()?).ok()?))
    }

    fn contact(&mut self) -> Option<Option<ContactMark>> {
        let word = self.next()?;
        if word == "-" {
            return Some(None);
        }
        let mut numbers = word.split(':').map(|number| number.parse().ok());
        let mark =
            ContactMark { name: ContactName(numbers.next()??), number: numbers.next()??, open_from: numbers.next()?? };
        numbers.next().is_none().then_some(Some(mark))
    }

    fn tally(&mut self) -> Option<Tally> {
        Some(Tally {
            // It has no words for it: all of its answers are dialled.
            is_dialled: true,
            reached: self.read()?,
            answers: self.read()?,
            copies: self.read()?,
            duplicates: self.read()?,
            stopped: self.read()?,
            lost: self.read()?,
            silent: self.read()?,
            spoilt: self.read()?,
            answer_sum: self.read()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::address::Neighbor;
    use crate::dialect::Dialects;
    use crate::exchange::purpose_of;
    use crate::features::Features;
    use crate::limits::{NEIGHBOR_BEAT, NEIGHBOR_QUIET_MAX};
    use crate::link::{Link, LinkId, Purpose, SendError};
    use crate::overlay::{Config, Input, Opening, Output, Overlay};
    use crate::random::Secret;
    use crate::session::{self, EndReason, Ending, Question, Report, Session};
    use crate::store::Store;
    use crate::time::Time;
    use crate::wire::Accepts;

    fn key(text: &str) -> Ask {
        Ask::Key(Key::new(text.as_bytes()).unwrap())
    }

    fn servent(id: u128) -> Message {
        let role = Role::Servent { id: ServentId(id), advertised: ([127, 0, 0, 1], 9000).into() };
        Message::Hello(Hello::said_in(Dialect::Toy, role))
    }

    fn query(ask: Ask) -> Query {
        let client = AnswerAddress { socket: ([192, 0, 2, 7], 9990).into(), dialect: Dialect::Toy };
        Query { via: Via::Direct, sequence: 7, client, contact: None, ttl: 3, hops: 1, ask, path: Path::default() }
    }

    fn answer(value: &[u8]) -> Message {
        Message::Answer(Answer { sequence: 7, asked: None, hops: 0, body: AnswerBody::Value(value.to_vec()) })
    }

    /// One of each that can be said.
    fn messages() -> Vec<Message> {
        let tally = Tally {
            is_dialled: true,
            reached: 4,
            answers: 2,
            copies: 5,
            duplicates: 1,
            stopped: -1,
            lost: 0,
            silent: u64::MAX,
            spoilt: 0,
            answer_sum: 9,
        };
        let id = QueryId { sequence: 7, client: ([192, 0, 2, 7], 9990).into() };
        vec![
            servent(1),
            Message::Hello(Hello::said_in(Dialect::Toy, Role::Client { answer_port: 9990 })),
            Message::Goodbye(Goodbye::Leaving),
            Message::Request(Request { sequence: 7, ask: key("tea"), ttl: None }),
            Message::query(query(key("tea"))),
            Message::query(Query {
                contact: Some(ContactMark { name: ContactName(u64::MAX), number: 2, open_from: 1 }),
                ..query(key("tea"))
            }),
            answer(b""),
            answer(b"green\n"),
            Message::Echo(Echo { id, ttl: 2, tally }),
            Message::Finished(Finished { sequence: 7, tally }),
        ]
    }

    fn hear(link: &mut Link, bytes: &[u8]) -> Result<Vec<Message>, WireError> {
        link.receive(bytes);
        let mut heard = Vec::new();
        while let Some(message) = link.next_message()? {
            heard.push(message);
        }
        Ok(heard)
    }

    /// A link whose other end has said hello: who speaks Toy knows what takes knowing it.
    fn greeted() -> Link {
        let [mut other, mut link] = [(); 2].map(|()| Link::new(Dialect::Toy, Purpose::Standing));
        other.send(&servent(1)).unwrap();
        assert_eq!(pass(&mut other, &mut link), Ok(vec![servent(1)]));
        link
    }

    /// Everything that waits at one end goes to the other.
    fn pass(from: &mut Link, to: &mut Link) -> Result<Vec<Message>, WireError> {
        let bytes = from.unsent().to_vec();
        from.sent(bytes.len());
        hear(to, &bytes)
    }

    #[test]
    fn two_links_speak_it() {
        let mut dialled = Link::new(Dialect::Toy, Purpose::Standing);
        let mut accepted = Link::accepted(Accepts::ANY, Purpose::Standing);
        assert_eq!(accepted.send(&servent(2)), Ok(()));
        assert_eq!(accepted.unsent(), b"", "whoever dials may yet speak any");
        assert_eq!(dialled.send(&servent(1)), Ok(()));
        assert_eq!(pass(&mut dialled, &mut accepted), Ok(vec![servent(1)]));
        assert_eq!(accepted.dialect(), Dialect::Toy);
        assert_eq!(accepted.send(&servent(2)), Ok(()));
        assert_eq!(pass(&mut accepted, &mut dialled), Ok(vec![servent(2)]));
        for message in messages() {
            assert_eq!(dialled.send(&message), Ok(()));
            assert_eq!(pass(&mut dialled, &mut accepted), Ok(vec![message]));
        }
        assert_eq!(dialled.send(&Message::Ping), Ok(()));
        assert_eq!(dialled.unsent(), b"", "there are no words for it");
    }

    #[test]
    fn it_is_told_from_others_by_its_first_bytes_and_refused_where_it_is_not_taken() {
        for end in [Purpose::Standing, Purpose::Asking] {
            let opening: &[u8] = if end == Purpose::Asking { b"toy!" } else { b"toy?" };
            for length in 0..opening.len() {
                let mut link = Link::accepted(Accepts::OWN, end);
                assert_eq!(hear(&mut link, &opening[..length]), Ok(Vec::new()), "too little to tell");
            }
            let refused = hear(&mut Link::accepted(Accepts::OWN, end), opening);
            assert_eq!(refused, Err(WireError::Refused(Dialect::Toy)));
            assert_eq!(hear(&mut Link::accepted(Accepts::ANY, end), opening).map(|heard| heard.len() > 1), Ok(false));
            // That another was asked for does not let this one in.
            let one = |dialect| Accepts::AnyOf(Dialects::OWN.with(dialect));
            let refused = hear(&mut Link::accepted(one(Dialect::Tp3), end), opening);
            assert_eq!(refused, Err(WireError::Refused(Dialect::Toy)));
            assert!(hear(&mut Link::accepted(one(Dialect::Toy), end), opening).is_ok());
        }
        let reason = WireError::Refused(Dialect::Toy).to_string();
        assert_eq!(reason, "it speaks Toy, which this servent does not without --toy");
    }

    #[test]
    fn a_query_it_has_no_words_for_is_not_said() {
        let mut link = greeted();
        for (ask, can_be_said) in [(key("8 bytes!"), true), (key("9 bytes!!"), false), (Ask::Topology, false)] {
            assert_eq!(crate::wire::can_say(Dialect::Toy, &query(ask.clone()), usize::MAX), can_be_said);
            assert_eq!(link.send(&Message::query(query(ask))).is_ok(), can_be_said);
        }
    }

    // ---- minds ----

    const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3)), 9990);

    fn place(number: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, number], 9000))
    }

    enum Mind {
        Servent(Box<Overlay>),
        Client(Box<Session>, Vec<Report>),
    }

    /// Two servents, the first of which has the second as a neighbor, and a client of the first.
    struct World {
        now: Time,
        /// What the client speaks.
        dialect: Dialect,
        minds: Vec<(SocketAddr, Mind)>,
        /// Both ends of each connection: the number of the mind there, and its link while that is open.
        connections: Vec<[(usize, Option<Link>); 2]>,
    }

    impl World {
        /// The neighbor speaks Toy.
        fn new(dialect: Dialect) -> World {
            World::beside(Dialect::Toy, dialect)
        }

        fn beside(neighbor: Dialect, dialect: Dialect) -> World {
            let neighbor = Neighbor { name: "b".to_owned(), addresses: vec![place(2)], dialect: neighbor };
            let servent = |number: u8, data: &str, neighbors: Vec<Neighbor>| {
                let config = Config {
                    advertised: place(number),
                    servent_id: ServentId(number.into()),
                    neighbors,
                    answer_networks: vec!["127.0.0.0/8".parse().unwrap()],
                    ..Config::default()
                };
                let (store, _) = Store::parse(data.as_bytes().to_vec()).unwrap();
                (place(number), Mind::Servent(Box::new(Overlay::new(&config, Arc::new(store)))))
            };
            let minds =
                vec![servent(1, "tea black\n", vec![neighbor]), servent(2, "tea green\nlong-name it\n", Vec::new())];
            let mut world = World { now: Time::START, dialect, minds, connections: Vec::new() };
            world.pass(Duration::ZERO);
            world.attach();
            world
        }

        /// A client comes, or comes anew.
        fn attach(&mut self) {
            for number in 0..2 * self.connections.len() as u64 {
                if self.mind_at(LinkId(number)) == 2 && self.link(LinkId(number)).is_some() {
                    self.close(LinkId(number));
                }
            }
            self.minds.truncate(2);
            let session = Session::new(self.dialect, CLIENT.port(), Secret::of_seed(1));
            self.minds.push((CLIENT, Mind::Client(Box::new(session), Vec::new())));
            let link = self.connect(2, Link::new(self.dialect, Purpose::Asking), place(1)).unwrap();
            self.tell_client(session::Input::Attached { link, contact: place(1) });
            self.settle();
            assert_eq!(self.reports(), [Report::Ready]);
        }

        /// Lets time go by, and what is due then happen.
        fn pass(&mut self, duration: Duration) {
            self.now = self.now + duration;
            for number in 0..self.minds.len() {
                match &self.minds[number].1 {
                    Mind::Servent(_) => self.tell(number, Input::Deadline),
                    Mind::Client(..) => self.tell_client(session::Input::Deadline),
                }
            }
            self.settle();
        }

        fn ask(&mut self, key: &str) -> Vec<Report> {
            let ask = Ask::Key(Key::new(key.as_bytes()).unwrap());
            self.with_client(|now, session, out| _ = session.ask(now, Question::new(ask), out).unwrap());
            self.settle();
            self.reports()
        }

        fn reports(&mut self) -> Vec<Report> {
            match self.minds.get_mut(2) {
                Some((_, Mind::Client(_, reports))) => std::mem::take(reports),
                _ => Vec::new(),
            }
        }

        /// Connects a mind with whoever is there, and says under which link.
        fn connect(&mut self, from: usize, link: Link, to: SocketAddr) -> Option<LinkId> {
            let other = self.minds.iter().position(|(address, _)| *address == to)?;
            let is_client = matches!(self.minds[other].1, Mind::Client(..));
            let accepted = if is_client {
                Link::accepted(Accepts::answers_to(self.dialect), Purpose::Asking)
            } else {
                Link::accepted(Accepts::ANY, Purpose::Standing)
            };
            let ids = [0, 1].map(|end| LinkId(2 * self.connections.len() as u64 + end));
            self.connections.push([(from, Some(link)), (other, Some(accepted))]);
            let came_from = self.minds[from].0;
            if is_client {
                self.tell_client(session::Input::Accepted { link: ids[1], from: came_from });
            } else {
                self.tell(other, Input::Opened { link: ids[1], opening: Opening::Accepted(came_from) });
            }
            Some(ids[0])
        }

        fn mind_at(&self, link: LinkId) -> usize {
            let [connection, end] = [link.0 / 2, link.0 % 2].map(|part| usize::try_from(part).unwrap());
            self.connections[connection][end].0
        }

        fn link(&mut self, id: LinkId) -> Option<&mut Link> {
            let [connection, end] = [id.0 / 2, id.0 % 2].map(|part| usize::try_from(part).unwrap());
            self.connections[connection][end].1.as_mut()
        }

        /// Carries bytes until everybody has said and heard everything.
        fn settle(&mut self) {
            let mut has_moved = true;
            while std::mem::take(&mut has_moved) {
                for number in 0..2 * self.connections.len() as u64 {
                    let [from, to] = [LinkId(number), LinkId(number ^ 1)];
                    let Some(link) = self.link(from) else { continue };
                    let bytes = link.unsent().to_vec();
                    link.sent(bytes.len());
                    has_moved |= !bytes.is_empty();
                    if let Some(link) = self.link(to) {
                        link.receive(&bytes);
                    }
                    while let Some(message) = self.link(to).and_then(|link| link.next_message().unwrap()) {
                        has_moved = true;
                        self.hear(to, message);
                    }
                }
            }
        }

        fn hear(&mut self, link: LinkId, message: Message) {
            let mind = self.mind_at(link);
            match &self.minds[mind].1 {
                Mind::Servent(_) => self.tell(mind, Input::Received { link, stamp: 0, message }),
                Mind::Client(..) => self.tell_client(session::Input::Received { link, message }),
            }
        }

        /// What it has said still arrives.
        fn close(&mut self, link: LinkId) {
            self.settle();
            let [connection, end] = [link.0 / 2, link.0 % 2].map(|part| usize::try_from(part).unwrap());
            self.connections[connection][end].1 = None;
            let (other, open) = &mut self.connections[connection][1 - end];
            let other = *other;
            if open.take().is_some() {
                let (link, reason) = (LinkId(link.0 ^ 1), "it closed the connection".to_owned());
                match &self.minds[other].1 {
                    Mind::Servent(_) => self.tell(other, Input::Closed { link, reason }),
                    Mind::Client(..) => self.tell_client(session::Input::Closed { link, reason }),
                }
            }
        }

        fn tell(&mut self, mind: usize, input: Input) {
            let (_, Mind::Servent(overlay)) = &mut self.minds[mind] else { panic!("{mind} is no servent") };
            let mut out = Vec::new();
            overlay.handle(self.now, input, &mut out);
            for output in out {
                match output {
                    Output::Send { link, message } => self.say(link, &message),
                    Output::Flood { links, query } => {
                        links.into_iter().for_each(|link| self.say(link, &Message::Query(Arc::clone(&query))));
                    }
                    Output::Dial { dial, address, dialect } => {
                        let link = self.connect(mind, Link::new(dialect, purpose_of(dial)), address).unwrap();
                        self.tell(mind, Input::Opened { link, opening: Opening::Dialled(dial) });
                    }
                    Output::Rest { .. } | Output::Resume { .. } | Output::Disk(_) | Output::Event(_) => {}
                    Output::Close { link } => self.close(link),
                }
            }
        }

        fn tell_client(&mut self, input: session::Input) {
            self.with_client(|now, session, out| session.handle(now, input, out));
        }

        fn with_client(&mut self, act: impl FnOnce(Time, &mut Session, &mut Vec<session::Output>)) {
            let now = self.now;
            let Some((_, Mind::Client(session, reports))) = self.minds.get_mut(2) else { panic!("there is no client") };
            let mut out = Vec::new();
            act(now, session, &mut out);
            reports.extend(out.iter().filter_map(|output| match output {
                session::Output::Tell(report) => Some(report.clone()),
                _ => None,
            }));
            for output in out {
                match output {
                    session::Output::Send { link, message } => self.say(link, &message),
                    session::Output::Close { link } => self.close(link),
                    session::Output::Dial { .. } | session::Output::Tell(_) => {}
                }
            }
        }

        /// Everything a mind says can be said, or it would not have said it.
        fn say(&mut self, link: LinkId, message: &Message) {
            if let Some(link) = self.link(link) {
                assert_eq!(link.send(message), Ok(()), "{message:?}");
            }
        }
    }

    /// Who answered what, from how far.
    type Told = (SocketAddr, String, Option<u8>);

    /// The values that came, and how it ended.
    fn told(reports: &[Report]) -> (Vec<Told>, Option<Ending>) {
        let answers = reports.iter().filter_map(|report| match report {
            Report::Answer { from, hops, body: AnswerBody::Value(value), .. } => {
                Some((*from, String::from_utf8_lossy(value).into_owned(), *hops))
            }
            _ => None,
        });
        let ending = reports.iter().find_map(|report| match report {
            Report::Ended { ending, .. } => Some(*ending),
            _ => None,
        });
        (answers.collect(), ending)
    }

    #[test]
    fn minds_speak_it_among_servents_and_with_a_client() {
        let mut world = World::new(Dialect::Toy);
        let (mut answers, ending) = told(&world.ask("tea"));
        answers.sort();
        // Each alone, over a connection of its own, which says nothing of where it came from.
        assert_eq!(answers, [(place(1), "black".to_owned(), None), (place(2), "green".to_owned(), None)]);
        // Who came with them did not say who it is, so they cannot be held against what the contact says.
        assert_eq!(ending, None);
        world.pass(Duration::from_secs(4));
        let ending = told(&world.reports()).1.unwrap();
        let answer_sum = ServentId(1).mark().wrapping_add(ServentId(2).mark());
        let tally = Tally { reached: 2, answers: 2, copies: 1, answer_sum, is_dialled: true, ..Tally::default() };
        assert_eq!((ending.reason, ending.missing, ending.doubtful), (EndReason::Silence, 2, false));
        assert_eq!(ending.tally, tally);
    }

    #[test]
    fn a_client_of_another_dialect_is_answered_in_its_own() {
        let mut world = World::new(Dialect::Native);
        let (answers, ending) = told(&world.ask("tea"));
        assert_eq!(answers, [(place(1), "black".to_owned(), Some(0)), (place(2), "green".to_owned(), Some(1))]);
        assert_eq!(ending.map(|ending| ending.reason), Some(EndReason::Complete));
    }

    #[test]
    fn what_a_neighbor_cannot_be_told_is_lost_there_and_the_query_is_never_complete() {
        let mut world = World::new(Dialect::Native);
        let (answers, ending) = told(&world.ask("long-name"));
        let tally = Tally { reached: 1, lost: 1, ..Tally::default() };
        // Nobody was told of whom it could be dialled, so there is nothing to wait for.
        assert_eq!(ending.map(|ending| (ending.reason, ending.tally)), Some((EndReason::Incomplete, tally)));
        assert_eq!(answers, [], "it was not asked who holds it");
    }

    /// The number of a dialect is a word inside a message: whoever does not know it would break the link.
    #[test]
    fn whoever_does_not_know_the_dialect_of_a_client_is_not_asked_and_is_lost() {
        let mut world = World::beside(Dialect::Native, Dialect::Toy);
        let connections_count = world.connections.len();
        let (answers, ending) = told(&world.ask("tea"));
        assert_eq!((answers, ending), (vec![(place(1), "black".to_owned(), None)], None));
        world.pass(Duration::from_secs(4));
        let (_, ending) = told(&world.reports());
        let answer_sum = ServentId(1).mark();
        let tally = Tally { reached: 1, answers: 1, lost: 1, answer_sum, is_dialled: true, ..Tally::default() };
        assert_eq!(ending.map(|ending| (ending.reason, ending.tally)), Some((EndReason::Silence, tally)));
        // One answer came alone, over a connection of its own; the link to the neighbor is the one there was.
        assert_eq!(world.connections.len(), connections_count + 1);
        // What the neighbor knows is asked of it over that link.
        world.dialect = Dialect::Native;
        world.attach();
        assert_eq!(told(&world.ask("tea")).0.len(), 2);
    }

    #[test]
    fn a_link_refuses_a_query_of_a_client_whose_dialect_its_other_end_does_not_know() {
        let needs = Dialect::Toy.manners().needs;
        let message = Message::query(query(key("tea")));
        assert_eq!(message.needs(), needs);
        let native = Hello::new(Role::Servent { id: ServentId(1), advertised: place(1) });
        for (features, said) in [(Features::NONE, Err(SendError::NotOffered)), (needs, Ok(()))] {
            let [mut other, mut link] = [(); 2].map(|()| Link::new(Dialect::Native, Purpose::Standing));
            other.send(&Message::Hello(Hello { features, ..native.clone() })).unwrap();
            pass(&mut other, &mut link).unwrap();
            link.send(&Message::Hello(native.clone())).unwrap();
            assert_eq!(link.send(&message), said, "{features:?} offered");
            assert_eq!(link.send(&Message::Ping), Ok(()), "only that is lost");
        }
    }

    /// Who comes back is the same servent by its id, and need not be able to do the same.
    #[test]
    fn a_query_is_offered_again_to_whoever_can_still_be_told_it_and_is_lost_elsewhere() {
        let needs = Dialect::Toy.manners().needs;
        let role = Role::Servent { id: ServentId(2), advertised: place(2) };
        let native = &Hello { features: needs, ..Hello::new(role) };
        let toy = &Hello::said_in(Dialect::Toy, role);
        let nothing = &Hello { features: Features::NONE, ..native.clone() };
        for (asked, before, after, is_offered) in [
            ("tea", native, native, true),
            ("tea", native, toy, true),
            ("tea", toy, native, true),
            ("tea", native, nothing, false),
            ("long-name", native, native, true),
            ("long-name", native, toy, false),
        ] {
            let what = format!("{asked} of whoever said {before:?} and then {after:?}");
            let config = Config { advertised: place(1), servent_id: ServentId(1), ..Config::default() };
            let (store, _) = Store::parse(Vec::new()).unwrap();
            let mut mind = Overlay::new(&config, Arc::new(store));
            let mut tell = |input| {
                let mut out = Vec::new();
                mind.handle(Time::START, input, &mut out);
                out
            };
            let [client, first, second] = [1, 2, 3].map(LinkId);
            let client_hello = Hello::said_in(Dialect::Toy, Role::Client { answer_port: 9990 });
            let mut greet = |link, hello: &Hello| {
                tell(Input::Opened { link, opening: Opening::Accepted(place(9)) });
                tell(Input::Received { link, stamp: 0, message: Message::Hello(hello.clone()) })
            };
            greet(client, &client_hello);
            greet(first, before);
            let request = Message::Request(Request { sequence: 7, ask: key(asked), ttl: None });
            let out = tell(Input::Received { link: client, stamp: 0, message: request });
            let [Output::Flood { links, query }] = out.as_slice() else { panic!("{what}: {out:?}") };
            assert_eq!(links, &[first], "{what}");
            assert_eq!(tell(Input::Closed { link: first, reason: "a test".to_owned() }), [], "{what}");
            tell(Input::Opened { link: second, opening: Opening::Accepted(place(9)) });
            let out = tell(Input::Received { link: second, stamp: 0, message: Message::Hello(after.clone()) });
            let [Output::Send { message: Message::Hello(_), .. }, then] = out.as_slice() else {
                panic!("{what}: {out:?}")
            };
            let tally = Tally { reached: 1, copies: 1, lost: 1, is_dialled: true, ..Tally::default() };
            let finished = Message::Finished(Finished { sequence: 7, tally });
            let expected = if is_offered {
                Output::Flood { links: vec![second], query: Arc::clone(query) }
            } else {
                Output::Send { link: client, message: finished }
            };
            assert_eq!(*then, expected, "{what}");
            assert_eq!(mind.holding("unsaid"), Some(u64::from(!is_offered)), "{what}");
        }
    }

    #[test]
    fn a_neighbor_that_answers_no_ping_may_be_quiet() {
        let mut world = World::new(Dialect::Toy);
        let connections_count = world.connections.len();
        while world.now.since(Time::START) < 2 * NEIGHBOR_QUIET_MAX {
            world.pass(NEIGHBOR_BEAT);
        }
        assert_eq!(world.connections.len(), connections_count, "nobody was given up and dialled again");
        assert_eq!(told(&world.ask("tea")).0.len(), 2);
    }
}
