//! The servent's mind, told anything in any order that a shell could tell it.
//!
//! The driver around it keeps the contract of a shell: it names links once, ends each dial in time, and lets time go
//! forward only. What others say, and whether they read, is up to the input. What the mind wants of its links an
//! exchange does, as in every shell.

mod giving;
mod membership;
mod sharing;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::address::{AnswerAddress, Neighbor, canonical};
use common::dialect::Dialect;
use common::disk::{CommitFailure, Job, JobDone};
use common::event::EventKind;
use common::exchange::{Exchange, Heard, Outside, purpose_of};
use common::features::Features;
use common::limits::{CONTACT_QUIET_MAX, DIAL_WAIT_MAX, NEIGHBOR_BEAT, SEEN_TP3_AGE_MAX, TTL_MAX};
use common::link::LinkId;
use common::message::{Brought, Handed, Hello, Message, Role, ServentId};
use common::overlay::{Config, Dial, Errand, Holding, Input, Opening, Output, Overlay};
use common::query::{AnswerBody, Ask, BroughtAnswer, BroughtBody, ContactName, Query, QueryId, Tally};
use common::servent_name::ServentName;
use common::store::Store;
use common::time::Time;
use common::wire::{Accepts, Frame, PREFACE, Position};

use giving::GivingWitness;
use membership::{MembersWitness, Part};
use sharing::SharingWitness;

use super::wires::Wires;
use super::words;
use crate::Outcome;
use crate::reader::Reader;

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let mut reader = Reader::new(bytes);
    let mut driver = Driver::new(&mut reader);
    while !reader.is_over() && !driver.has_left {
        driver.step(&mut reader);
        if !driver.has_left {
            driver.check_holdings();
        }
    }
    if !driver.has_left {
        driver.leave();
    }
    Outcome::taken_if(driver.answers_count + driver.floods_count > 0)
}

/// Who the mind is.
const OWN_ID: ServentId = ServentId(1);

/// Bytes a second that are given of contents, where that is limited: one read takes seconds.
const RATE: u64 = 50_000;

/// More beats than a contact may be quiet for.
const BEATS_MAX: usize = 160;

struct Driver {
    mind: Overlay,
    exchange: Exchange,
    wires: Wires,
    now: Time,
    part: Part,
    members: MembersWitness,
    sharing: SharingWitness,
    giving: GivingWitness,
    /// Whether anything may be put on its disk.
    takes_writes: bool,
    /// What whoever speaks now has as its clock.
    stamp: u64,
    /// That of the last event that was told.
    clock: u64,
    open: BTreeMap<LinkId, End>,
    /// Those of which nothing more is told but their end.
    resting: BTreeSet<LinkId>,
    links_count: u64,
    dials: Vec<(Dial, Dialect, Time)>,
    /// What is being done beside everything else: one thing of each kind, or for each neighbor, at a time.
    jobs: Vec<Job>,
    heard: BTreeMap<QueryId, Answerable>,
    /// The answers that neighbors brought.
    brought: Vec<Arc<BroughtAnswer>>,
    /// The name the mind itself goes by as a contact, once it was heard.
    own_name: Option<ContactName>,
    answers_count: usize,
    floods_count: usize,
    has_left: bool,
}

/// Who is at the other end of a link, as far as a shell can tell.
#[derive(Clone, Copy, Debug)]
struct End {
    /// Where it came from, if it came.
    from: Option<SocketAddr>,
    /// The same, or where it was dialled.
    at: Option<SocketAddr>,
    /// Where its answers go to, if it is a client.
    client: Option<SocketAddr>,
    /// What that client speaks, if it asks here.
    dialect: Dialect,
    /// Whether it is looked at who is there.
    is_visited: bool,
    /// In what its connection began.
    opened_in: Dialect,
    /// What it said it understands.
    offered: Features,
    has_spoken: bool,
    /// Whether the mind has said hello on it.
    was_greeted: bool,
}

/// What makes a query new, and has it answered once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    /// A copy that names its contact, and the number it has there.
    Contact(ContactName, u64),
    /// A copy without a contact.
    Alone,
}

impl Cause {
    fn of(query: &Query) -> Cause {
        query.contact.map_or(Cause::Alone, |mark| Cause::Contact(mark.name, mark.number))
    }

    /// How long what it made new is remembered at least. Until then no such copy is answered again.
    fn lasts(self) -> Duration {
        match self {
            Cause::Contact(..) => CONTACT_QUIET_MAX,
            Cause::Alone => SEEN_TP3_AGE_MAX,
        }
    }
}

/// How often a query may be answered, for what was heard of it, and how often it was.
#[derive(Clone, Debug, Default)]
struct Answerable {
    /// When each cause of an answer was last one.
    causes: BTreeMap<Cause, Time>,
    /// Who asked it here, and what, and has not heard that it is over.
    asker: Option<(LinkId, Ask)>,
    may_answer: u32,
    answers: u32,
}

impl Answerable {
    fn hear_copy(&mut self, now: Time, query: &Query) {
        let cause = Cause::of(query);
        if self.causes.get(&cause).is_none_or(|since| now.since(*since) >= cause.lasts()) {
            self.causes.insert(cause, now);
            self.may_answer += 1;
        }
    }

    /// What is asked again over the same link while it is open is the same thing said twice; anything else may be new.
    fn hear_request(&mut self, link: LinkId, ask: &Ask, dialect: Dialect) {
        let asker = Some((link, ask.clone()));
        if self.asker != asker {
            self.asker = asker;
            self.may_answer += 1;
        }
        if dialect.manners().counts_from_zero {
            // It is its new self, and what was known of the former is forgotten with it.
            self.causes.clear();
        }
    }

    fn hear_finished(&mut self, link: LinkId, tally: &Tally) {
        // What was said twice reached nobody new, and is not over by that.
        if tally.reached > 0 && self.asker.as_ref().is_some_and(|(asker, _)| *asker == link) {
            self.asker = None;
        }
    }
}

fn store(reader: &mut Reader<'_>) -> Arc<Store> {
    let texts: [&[u8]; 3] = [b"", b"tea 1\n", b"tea 2\ncoffee 3\n\xff\x00 4\n"];
    let (store, _) = Store::parse(reader.one_of(&texts).to_vec()).expect("it is small");
    Arc::new(store)
}

impl Driver {
    fn new(reader: &mut Reader<'_>) -> Driver {
        let neighbors = (0..reader.below(4)).map(|_| {
            let address = words::address(reader);
            let dialect = words::dialect(reader);
            // Some are told by a name alone.
            let is_named = address.is_ipv6() || address.port() == 9005;
            let addresses = if is_named { Vec::new() } else { vec![address] };
            Neighbor { name: address.to_string(), addresses, dialect }
        });
        let neighbors = neighbors.collect();
        let (advertised, far, choice) = (words::address(reader), reader.byte(), reader.byte());
        let (ttl, rest) = (far % (TTL_MAX + 1), far / (TTL_MAX + 1));
        let (keeps, is_read_only) = (ttl % 4 != 3, rest % 8 == 7);
        let (part, shares) = (Part::of(choice), choice & 1 << 6 != 0);
        let share_bytes_per_second = (choice & 1 << 7 != 0).then_some(RATE);
        let published_only = shares && keeps && rest >= 8;
        #[allow(clippy::needless_update, reason = "a field that is added need not be known here")]
        let config = Config {
            neighbors,
            servent_id: OWN_ID,
            name: ServentName::try_from("kitchen").ok(),
            advertised,
            ttl,
            forward_once: choice & 1 == 1,
            events: part.keeps_events,
            members: part.takes_part,
            known: if part.knows_some { membership::known(reader) } else { Vec::new() },
            keeps_members: part.keeps_members,
            shares,
            share_bytes_per_second,
            written: keeps.then(Arc::default),
            is_read_only,
            published_only,
            answer_networks: ["127.0.0.0/8"].iter().take(reader.below(2)).flat_map(|text| text.parse()).collect(),
            ..Config::default()
        };
        let mind = Overlay::new(&config, store(reader));
        let members = MembersWitness::new(&mind, part, advertised, OWN_ID);
        Driver {
            mind,
            part,
            members,
            sharing: SharingWitness::new(shares, share_bytes_per_second.is_some(), published_only),
            takes_writes: keeps && !is_read_only,
            giving: GivingWitness::default(),
            stamp: 0,
            exchange: Exchange::servent(Accepts::ANY),
            wires: Wires::default(),
            now: Time::START,
            clock: 0,
            open: BTreeMap::new(),
            resting: BTreeSet::new(),
            links_count: 0,
            dials: Vec::new(),
            jobs: Vec::new(),
            heard: BTreeMap::new(),
            brought: Vec::new(),
            own_name: None,
            answers_count: 0,
            floods_count: 0,
            has_left: false,
        }
    }

    fn step(&mut self, reader: &mut Reader<'_>) {
        match reader.byte() % 16 {
            0 | 1 => {
                let from = words::address(reader);
                self.on_opened(Opening::Accepted(from), Dialect::Native);
            }
            2 | 3 => {
                let place = reader.below(self.dials.len());
                if place < self.dials.len() {
                    let (dial, dialect, _) = self.dials.remove(place);
                    if reader.byte() % 4 == 3 {
                        self.fail(dial, reader.flag());
                    } else {
                        self.on_opened(Opening::Dialled(dial), dialect);
                    }
                }
            }
            4..=10 => {
                if let Some(link) = words::open_link(reader, &self.open) {
                    let message = self.with_own_name(words::message(reader));
                    self.stamp = self.stamp_of(reader);
                    let message = membership::behind_its_stamp(message, self.stamp);
                    if !self.resting.contains(&link) {
                        self.on_said(link, message);
                    }
                }
            }
            11 => {
                if let Some(link) = words::open_link(reader, &self.open) {
                    let error = words::error(reader);
                    if !self.resting.contains(&link) {
                        self.tell(Input::Malformed { link, error });
                        assert!(!self.open.contains_key(&link), "a link that makes no sense stays");
                    }
                }
            }
            12 => {
                if let Some(link) = words::open_link(reader, &self.open) {
                    let reason = "the input says so".to_owned();
                    self.exchange.on_closed(self.now, link, reason, &mut self.wires);
                    self.hear();
                }
            }
            13 => {
                let later = self.now + words::duration(reader);
                self.go_to(later);
                if reader.flag() {
                    self.tell_deadline();
                }
            }
            14 => {
                if let Some(due) = self.mind.deadline() {
                    self.go_to(self.now.max(due));
                }
                self.tell_deadline();
            }
            _ => match reader.byte() % 16 {
                0 => self.leave(),
                1 => self.wires.are_full = !self.wires.are_full,
                2..=4 => drop(self.tell(Input::Reload)),
                5 | 6 => {
                    // A servent with neighbors is never told less often, and contacts are forgotten by it.
                    for _ in 0..reader.below(BEATS_MAX) {
                        self.beat();
                    }
                }
                7 if self.part.takes_part => self.live_on(reader),
                8 if self.part.takes_part => self.hear_of_a_crowd(reader),
                _ => self.end_job(reader),
            },
        }
    }

    fn beat(&mut self) {
        self.go_to(self.now + NEIGHBOR_BEAT);
        self.tell_deadline();
        self.members.on_beat();
    }

    /// Some beats in which all that have said who they are answer pings, but one.
    fn live_on(&mut self, reader: &mut Reader<'_>) {
        let beats = reader.below(BEATS_MAX);
        let silent = words::open_link(reader, &self.open).filter(|_| reader.flag());
        self.stamp = self.stamp_of(reader);
        for _ in 0..beats {
            self.beat();
            let speaks = |(link, end): &(&LinkId, &End)| end.has_spoken && Some(**link) != silent;
            let speaking: Vec<LinkId> = self.open.iter().filter(speaks).map(|(link, _)| *link).collect();
            for link in speaking.into_iter().filter(|link| !self.resting.contains(link)).collect::<Vec<_>>() {
                self.on_said(link, Message::Pong);
            }
        }
    }

    fn hear_of_a_crowd(&mut self, reader: &mut Reader<'_>) {
        let link = words::open_link(reader, &self.open);
        self.stamp = self.stamp_of(reader);
        for peers in membership::crowd(reader, self.stamp) {
            // It may be closed by the first of them.
            if let Some(link) = link.filter(|link| self.open.contains_key(link) && !self.resting.contains(link)) {
                self.on_said(link, Message::Peers(peers));
            }
        }
    }

    fn stamp_of(&self, reader: &mut Reader<'_>) -> u64 {
        if self.part.is_stamped { membership::stamp(reader, self.mind.stamp()) } else { 0 }
    }

    fn on_opened(&mut self, opening: Opening, dialect: Dialect) {
        self.links_count += 1;
        let link = LinkId(self.links_count);
        let (from, client) = match opening {
            Opening::Accepted(from) => (Some(from), None),
            Opening::Dialled(Dial::Call(Errand::Answers | Errand::Probe, client)) => (None, Some(client)),
            Opening::Dialled(Dial::Neighbor(_) | Dial::Call(Errand::Visit, _)) => (None, None),
        };
        let at = match opening {
            Opening::Accepted(from) => Some(from),
            Opening::Dialled(dial) => self.members.address_of(dial),
        };
        let end = End {
            from,
            at,
            client,
            dialect: Dialect::Native,
            is_visited: matches!(opening, Opening::Dialled(Dial::Call(Errand::Visit, _))),
            opened_in: dialect,
            offered: Features::NONE,
            has_spoken: false,
            was_greeted: false,
        };
        self.open.insert(link, end);
        match opening {
            Opening::Accepted(from) => {
                self.exchange.on_accepted(link, from);
                // It says enough to be spoken to. What it says is up to the input, message by message.
                self.exchange.receive(link, &PREFACE);
            }
            Opening::Dialled(dial) => {
                self.exchange.on_dialled(link, dialect, purpose_of(dial));
                self.exchange.on_connected(link);
            }
        }
        self.tell(Input::Opened { link, opening });
    }

    /// The other end says something. A hello its exchange has to hear, or it would say nothing that is new.
    fn on_said(&mut self, link: LinkId, message: Message) {
        let Some(end) = self.open.get(&link) else { return };
        let is_first = !end.has_spoken && end.opened_in == Dialect::OWN;
        let hello = matches!(message, Message::Hello(Hello { dialect: Dialect::OWN, .. }))
            .then(|| Frame::at(Position::First, Dialect::OWN, 0, &message).expect("every hello of ours can be said"));
        match hello.filter(|_| is_first) {
            Some(hello) => {
                let preface = if end.from.is_some() { &[][..] } else { &PREFACE };
                self.exchange.receive(link, &[preface, hello.as_bytes()].concat());
                self.hear();
            }
            None => self.on_message(link, self.stamp, message),
        }
    }

    fn on_message(&mut self, link: LinkId, stamp: u64, message: Message) {
        let Some(end) = self.open.get_mut(&link) else { return };
        if let (false, Some(from), Message::Hello(Hello { role: Role::Client { answer_port }, dialect, .. })) =
            (end.has_spoken, end.from, &message)
        {
            let client = canonical(SocketAddr::new(from.ip(), *answer_port));
            (end.client, end.dialect) = (Some(client), *dialect);
        }
        if let (false, Message::Hello(hello)) = (end.has_spoken, &message) {
            end.offered = hello.features;
        }
        end.has_spoken = true;
        self.members.on_said(link, end, &message);
        match &message {
            Message::Brought(brought) => self.brought.push(Arc::clone(&brought.answer)),
            Message::Query(query) => self.heard.entry(query.id()).or_default().hear_copy(self.now, query),
            Message::Request(request) => {
                if let Some(client) = end.client {
                    let id = QueryId { sequence: request.sequence, client };
                    self.heard.entry(id).or_default().hear_request(link, &request.ask, end.dialect);
                }
            }
            _ => {}
        }
        self.giving.on_said(link, &message);
        let list = if let Message::List(list) = &message { Some(list.clone()) } else { None };
        let (is_query, is_brought) = (matches!(message, Message::Query(_)), matches!(message, Message::Brought(_)));
        let out = self.tell(Input::Received { link, stamp, message });
        for output in &out {
            match output {
                Output::Flood { links, .. } if is_query => {
                    assert!(!links.contains(&link), "a query goes back to where it came from");
                }
                Output::Send { link: to, message: Message::Brought(_) } if is_brought => {
                    assert_ne!(*to, link, "an answer goes back to where it came from");
                }
                Output::Send { link: to, message: Message::ListPart(part) } => {
                    assert_eq!(*to, link, "it is told somebody else");
                    let list = list.as_ref().expect("nobody lists files");
                    self.sharing.look_at_list(list, part, self.giving.count());
                }
                _ => {}
            }
        }
    }

    /// Has whatever names the last of the contacts name the mind itself.
    fn with_own_name(&self, mut message: Message) -> Message {
        let named = match &mut message {
            Message::Query(query) => Arc::make_mut(query).contact.as_mut().map(|mark| &mut mark.name),
            Message::Brought(brought) => Some(&mut brought.contact),
            _ => None,
        };
        if let (Some(name), Some(own_name)) = (named, self.own_name)
            && *name == words::OWN_NAME
        {
            *name = own_name;
        }
        message
    }

    /// Ends the dials that have taken too long, at their time, and lets time go on.
    fn go_to(&mut self, later: Time) {
        let later = later.min(Time::after_start(words::LATEST));
        while let Some(place) = self.dials.iter().position(|(.., due)| *due <= later) {
            let (dial, _, due) = self.dials.remove(place);
            self.now = self.now.max(due);
            self.fail(dial, false);
        }
        self.now = self.now.max(later);
        while self.exchange.deadline().is_some_and(|due| due <= self.now) {
            self.exchange.on_time(self.now, &mut self.wires);
            self.hear();
        }
    }

    fn fail(&mut self, dial: Dial, refused: bool) {
        self.tell(Input::DialFailed { dial, refused, reason: "the input says so".to_owned() });
    }

    /// Ends a job that is under way; where there is none, one that nobody wanted.
    fn end_job(&mut self, reader: &mut Reader<'_>) {
        let place = reader.below(self.jobs.len());
        let job = if place < self.jobs.len() {
            self.jobs.remove(place)
        } else {
            Job::LookUp { neighbor: reader.below(5), name: String::new() }
        };
        let done = match job {
            _ if reader.byte() % 4 == 3 => job.failed("the input says so"),
            Job::LookUp { neighbor, .. } => {
                let addresses = (0..reader.below(4)).map(|_| words::address(reader)).collect();
                Some(JobDone::LookedUp { neighbor, addresses: Ok(addresses) })
            }
            Job::ReadData => Some(JobDone::DataRead(Ok(store(reader)))),
            Job::KeepMembers(_) => Some(JobDone::MembersKept(Ok(()))),
            Job::LookThrough(store) => Some(self.sharing.looked_through(reader, &store)),
            Job::ReadBlocks(job) => {
                let (link, fetch) = (job.link, job.fetch);
                match self.giving.read_blocks(reader, &mut self.sharing, &job) {
                    Ok(blocks) => {
                        self.exchange.give(self.now, self.mind.stamp(), link, fetch, blocks);
                        self.exchange.flush(self.now, &mut self.wires);
                        return self.hear();
                    }
                    Err(failure) => Some(JobDone::BlocksRead { link, fetch, read: Err(failure) }),
                }
            }
            Job::ReadHashes(job) => {
                let (link, fetch, first) = (job.link, job.fetch, job.first);
                let read = self.giving.read_hashes(reader, &job);
                Some(JobDone::HashesRead { link, fetch, first, read })
            }
            Job::Commit(changes) => Some(JobDone::Committed(match reader.byte() % 8 {
                0 => Err(CommitFailure::Full("the input says so".to_owned())),
                1 => {
                    self.takes_writes = false;
                    Err(CommitFailure::Failed("the input says so".to_owned()))
                }
                _ => {
                    self.sharing.on_kept(&changes);
                    Ok(())
                }
            })),
            Job::Free(_) => None,
        };
        if let Some(done) = done {
            match done {
                JobDone::HashesRead { link, fetch, read: Ok(_), .. } => self.giving.on_hashes_read((link, fetch)),
                JobDone::BlocksRead { link, fetch, .. } | JobDone::HashesRead { link, fetch, .. } => {
                    self.giving.on_done((link, fetch));
                }
                _ => {}
            }
            self.tell(Input::Disk(done));
        }
    }

    fn tell_deadline(&mut self) {
        let due = self.mind.deadline();
        let before = (self.mind.fingerprint(), self.held());
        let out = self.tell(Input::Deadline);
        if due.is_none_or(|due| due > self.now) {
            let after = (self.mind.fingerprint(), self.held());
            assert_eq!((out.as_slice(), after), (&[][..], before), "a deadline told early changes something");
            assert_eq!(self.mind.deadline(), due, "a deadline told early is another one");
        }
        // Or the loop around it would turn for ever.
        let next = self.mind.deadline();
        assert!(next.is_none_or(|next| next > self.now), "{next:?} is due again at {:?}", self.now);
    }

    fn leave(&mut self) {
        self.has_left = true;
        self.tell(Input::Leave);
        // Who has written is told what came of it first.
        while let Some(place) = self.jobs.iter().position(|job| matches!(job, Job::Commit(_))) {
            if let Job::Commit(changes) = self.jobs.remove(place) {
                self.sharing.on_kept(&changes);
            }
            self.tell(Input::Disk(JobDone::Committed(Ok(()))));
        }
        assert_eq!(self.mind.holding("writes_waiting_bytes"), Some(0), "somebody is told nothing");
        assert!(self.open.is_empty(), "it leaves and keeps {:?}", self.open);
    }

    /// Tells the mind something and has what it wants performed. What comes of that is told too.
    fn tell(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        let stamp = if let Input::Received { stamp, .. } = input { Some(stamp) } else { None };
        self.mind.handle(self.now, input, &mut out);
        self.members.look_at_clock(self.mind.stamp(), stamp);
        let (stamp, mut dropped) = (self.mind.stamp(), Vec::new());
        self.look_at_events(&out);
        for output in &out {
            self.look_at(output);
            match self.exchange.perform(self.now, stamp, output.clone(), &mut self.wires) {
                Some(Outside::Dial { dial, dialect, .. }) => {
                    assert!(self.dials.iter().all(|(other, ..)| *other != dial), "{dial:?} is dialled twice at once");
                    self.dials.push((dial, dialect, self.now + DIAL_WAIT_MAX));
                }
                Some(Outside::Disk(Job::Free(_)) | Outside::Event(_)) | None => {}
                Some(Outside::NotBrought { link, message }) => dropped.push(Input::NotBrought { link, message }),
                Some(Outside::Disk(job)) => {
                    self.sharing.look_at_job(&job, &self.jobs);
                    let is_last = self.has_left && matches!(job, Job::KeepMembers(_));
                    let is_same = |other: &Job| match (other, &job) {
                        (Job::KeepMembers(_), Job::KeepMembers(_)) | (Job::Commit(_), Job::Commit(_)) => true,
                        _ => *other == job,
                    };
                    assert!(is_last || !self.jobs.iter().any(is_same), "{job:?} is to be done twice at once");
                    let is_wanted = !matches!(job, Job::KeepMembers(_)) || self.part.keeps_members;
                    assert!(is_wanted, "{job:?}, and nobody wants it");
                    let may_be = !matches!(job, Job::Commit(_)) || self.takes_writes;
                    assert!(may_be, "{job:?}, where nothing is kept any more");
                    self.jobs.push(job);
                }
            }
        }
        dropped.into_iter().for_each(|input| drop(self.tell(input)));
        self.exchange.flush(self.now, &mut self.wires);
        self.hear();
        out
    }

    /// What is said is told in the log, each time once and under its clock, which never falls.
    fn look_at_events(&mut self, out: &[Output]) {
        let is_open = |link: &&LinkId| self.open.contains_key(*link);
        let (mut said, mut told) = (0, 0);
        for output in out {
            match output {
                Output::Send { message: Message::Ping | Message::Pong, .. } => {}
                Output::Send { link, .. } => said += usize::from(is_open(&link)),
                Output::Flood { links, .. } => said += links.iter().filter(is_open).count(),
                Output::Event(event) => {
                    self.members.look_at_event(&event.what);
                    assert!(self.part.keeps_events, "{event:?} is told nobody");
                    assert!(event.clock >= self.clock, "the clock falls from {} to {}", self.clock, event.clock);
                    self.clock = event.clock;
                    let is_said = matches!(event.what, EventKind::Sent { .. });
                    assert!(!is_said || event.clock == self.mind.stamp(), "it is said under another stamp");
                    told += usize::from(is_said);
                }
                _ => {}
            }
        }
        assert!(!self.part.keeps_events || told == said, "{told} told of {said} said: {out:?}");
    }

    /// Tells the mind what its exchange has heard: what a dialect takes as said, and of whom the wires were full; and before
    /// that of which fetch all was queued.
    fn hear(&mut self) {
        loop {
            while let Some((link, fetch)) = self.exchange.take_giving() {
                self.tell(Input::Giving { link, fetch });
            }
            while let Some((link, fetch)) = self.exchange.take_drained() {
                self.tell(Input::Drained { link, fetch });
            }
            while let Some((link, fetch)) = self.exchange.take_given() {
                self.giving.on_done((link, fetch));
                self.tell(Input::Given { link, fetch });
            }
            let Some((link, heard)) = self.exchange.next_heard(self.now, &mut self.wires) else { return };
            match heard {
                Heard::Message { stamp, message } => self.on_message(link, stamp, message),
                Heard::Malformed(error) => panic!("{error} on {link}, where nothing came"),
                Heard::Closed(reason) => {
                    assert!(self.open.remove(&link).is_some(), "{link} is lost and was not open");
                    self.resting.remove(&link);
                    self.members.on_closed(link);
                    self.giving.on_closed(link);
                    self.tell(Input::Closed { link, reason });
                }
            }
        }
    }

    fn look_at(&mut self, output: &Output) {
        match output {
            Output::Send { link, message } => self.on_send(*link, message),
            Output::Flood { links, query } => {
                assert!(!links.is_empty(), "a flood to nobody");
                for link in links {
                    let Some(end) = self.open.get(link) else { panic!("{query:?} goes to {link}, which is closed") };
                    assert!(end.offered.include(query.needs()), "{query:?} goes to {link}, where it is not understood");
                }
                assert_eq!(links.iter().collect::<BTreeSet<_>>().len(), links.len(), "a flood says it twice");
                let far = u16::from(query.ttl) + u16::from(query.hops);
                assert!(query.hops > 0 && far <= u16::from(TTL_MAX) + 1, "{query:?} goes too far");
                if let (1, Some(mark)) = (query.hops, query.contact) {
                    self.own_name = Some(mark.name);
                }
                self.floods_count += 1;
            }
            Output::Dial { dial, address, dialect } => {
                let client = AnswerAddress { socket: *address, dialect: *dialect };
                assert!(matches!(dial, Dial::Neighbor(_)) || client.names_one_client(), "{client:?} is dialled");
                self.members.look_at_dial(*dial, *address);
            }
            Output::Rest { link } => {
                assert!(self.open.contains_key(link), "{link} rests, and is closed");
                assert!(self.resting.insert(*link), "{link} is told to rest twice");
            }
            Output::Resume { link } => assert!(self.resting.remove(link), "{link} is resumed and did not rest"),
            Output::Close { link } => {
                self.resting.remove(link);
                self.members.on_closed(*link);
                self.giving.on_closed(*link);
                assert!(self.open.remove(link).is_some(), "{link} is closed and was not open");
            }
            Output::Disk(job) => self.giving.look_at_job(job, &self.sharing),
            Output::Event(_) => {}
        }
    }

    fn on_send(&mut self, link: LinkId, message: &Message) {
        let Some(end) = self.open.get_mut(&link) else {
            // What a client asked goes on without it, and its end finds nobody to tell.
            let is_end = matches!(message, Message::Finished(_) | Message::Greeted(_));
            assert!(is_end, "{message:?} goes to {link}, which is closed");
            return;
        };
        end.was_greeted |= matches!(message, Message::Hello(_));
        self.members.look_at_said(link, end, message);
        self.giving.look_at_said(link, message, &self.sharing);
        assert!(end.offered.include(message.needs()), "{message:?} goes to {link}, where it is not understood");
        if let Message::Brought(Brought { answer, .. }) | Message::Handed(Handed { answer, .. }) = message {
            // The name is left out where it would not be understood.
            let is_told = |brought: &Arc<BroughtAnswer>| {
                brought == answer
                    || !end.offered.include(Features::NAME)
                        && BroughtAnswer { name: None, ..brought.as_ref().clone() } == **answer
            };
            let is_known = answer.id == OWN_ID || self.brought.iter().any(is_told);
            assert!(is_known, "{message:?} goes to {link}, and nobody brought it");
        }
        let body = match message {
            Message::Answer(answer) => Some(&answer.body),
            Message::Brought(Brought { answer, .. }) if answer.id == OWN_ID => match &answer.body {
                BroughtBody::Whole(body) if !self.brought.contains(answer) => Some(body),
                _ => None,
            },
            _ => None,
        };
        if let Some(AnswerBody::Entries(found)) = body {
            self.sharing.look_at_found(found);
        }
        if let Message::Handed(handed) = message {
            let Some(client) = end.client else { panic!("{handed:?} goes to {link}, where no client is") };
            let id = QueryId { sequence: handed.sequence, client };
            assert!(self.heard.contains_key(&id), "{handed:?} to {client}, who did not ask");
        }
        if let (Message::Finished(finished), Some(client)) = (message, end.client) {
            let id = QueryId { sequence: finished.sequence, client };
            let Some(heard) = self.heard.get_mut(&id) else { panic!("{finished:?} to {client}, who did not ask") };
            heard.hear_finished(link, &finished.tally);
        }
        let Message::Answer(answer) = message else { return };
        self.answers_count += 1;
        let Some(client) = end.client else { panic!("{answer:?} goes to {link}, where no client is") };
        let id = QueryId { sequence: answer.sequence, client };
        let Some(heard) = self.heard.get_mut(&id) else { panic!("{answer:?} to {client}, who did not ask") };
        heard.answers += 1;
        assert!(heard.answers <= heard.may_answer, "query {id} is answered again: {answer:?}, {heard:?}");
    }

    /// All that the mind holds and counted.
    fn held(&self) -> Vec<Holding> {
        self.mind.holdings().collect()
    }

    fn check_holdings(&self) {
        self.members.check(&self.mind);
        self.giving.check(&self.sharing);
        assert_eq!(self.mind.holding("uploads"), Some(self.giving.count() as u64), "{:?}", self.giving);
        for Holding { value, help, limit, .. } in self.mind.holdings() {
            assert!(limit.is_none_or(|limit| value <= limit), "{value} {help}, where {limit:?} are the most");
        }
        let [links, own_open, pending, echoes_kept, offers_bytes, addresses, dials, answers_bytes] = [
            "links",
            "own_open",
            "pending",
            "echoes_kept",
            "offers_kept_bytes",
            "call_addresses",
            "call_dials",
            "calls_queued_bytes",
        ]
        .map(|name| self.mind.holding(name).expect("it is in the list"));
        assert_eq!(links, self.open.len() as u64, "the mind and its shell know of different links: {:?}", self.held());
        let are_known = self.open.keys().all(|link| self.exchange.is_known(*link));
        assert!(are_known, "the mind and its exchange know of different links: {:?}", self.open);
        // A dial for an answer is over when it has failed, or when the client has said hello and been greeted; one of a visit
        // when hello was heard.
        let dialled = self.dials.iter().filter(|(dial, ..)| matches!(dial, Dial::Call(..))).count();
        let silent = |end: &&End| match end.client {
            _ if end.is_visited => !end.has_spoken,
            Some(_) => end.from.is_none() && !end.was_greeted,
            None => false,
        };
        let under_way = dialled + self.open.values().filter(silent).count();
        assert_eq!(dials, under_way as u64, "{:?}", self.held());
        assert!(addresses > 0 || answers_bytes == 0, "answers wait for nobody: {:?}", self.held());
        assert!(pending > 0 || echoes_kept > 0 || offers_bytes == 0, "queries are kept for nobody: {:?}", self.held());
        assert!(pending == 0 || self.mind.deadline().is_some(), "echoes are awaited for ever");
        assert!(self.resting.is_empty() || own_open > 0, "{:?} rest, and nothing is open", self.resting);
        assert!(self.resting.is_empty() || self.mind.deadline().is_some(), "{:?} rest for ever", self.resting);
    }
}
