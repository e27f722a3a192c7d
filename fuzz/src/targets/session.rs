//! The client's mind, told anything in any order that a shell could tell it.
//!
//! The driver keeps the contract of a shell: it attaches once, asks when it has been told "ready", as much at once as it
//! likes, names links once, and lets time go forward only. What the mind wants of its links an exchange does, as in every
//! shell.

mod files;
mod membership;
mod writes;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use common::dialect::Dialect;
use common::exchange::{Exchange, Heard};
use common::features::Features;
use common::limits::{CLIENT_PENDING_MAX, GREETINGS_MAX};
use common::link::{LinkId, Purpose};
use common::member::{Greet, Greeted};
use common::message::{Finished, Handed, Hello, Message, Request, Role, ServentId};
use common::query::{Answer, AnswerBody, Ask, AskHash, BroughtBody, Tally};
use common::random::Secret;
use common::session::{EndReason, Ending, FetchId, Input, Output, Question, Report, Session, UNEXPECTED_TOLD_MAX};
use common::time::Time;
use common::wire::{Accepts, Frame, PREFACE, Position};

use files::AskedFiles;
use membership::{AskedGreeting, AskedMembers};
use writes::AskedChanges;

use super::wires::Wires;
use super::words;
use crate::Outcome;
use crate::reader::Reader;

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let mut reader = Reader::new(bytes);
    let mut driver = Driver::new(&mut reader);
    while !reader.is_over() {
        driver.step(&mut reader);
        let known = driver.open.keys().filter(|link| driver.exchange.is_known(**link)).count();
        assert_eq!((known, driver.exchange.connections_count()), (driver.open.len(), driver.open.len()));
    }
    // Whatever was said, every query ends by itself, and so do listings and a greeting.
    if let Some(last) = driver.dues().max() {
        driver.now = driver.now.max(last);
        driver.tell_deadline();
        assert_eq!(driver.mind.pending_count(), 0, "a query goes on beyond its wait");
        assert!(!driver.mind.is_listing(), "a listing goes on beyond its wait");
        assert!(!driver.mind.is_greeting(), "a greeting goes on beyond its wait");
        assert!(!driver.mind.is_listing_files(), "a listing of files goes on beyond its wait");
        assert_eq!(driver.mind.writes_pending_count(), 0, "a write goes on beyond its wait");
    }
    Outcome::taken_if(driver.endings_count > 0)
}

/// The link to the contact, which is the first.
const CONTACT: LinkId = LinkId(1);

/// What is read where nobody wants a greeting any more.
const CANCELS_GREETING: u8 = u8::MAX - 2;
/// The same of a listing of files.
const CANCELS_FILES: u8 = u8::MAX - 4;
/// The same of the first writes and watches.
const CANCELS_CHANGES: std::ops::RangeInclusive<u8> = u8::MAX - 12..=u8::MAX - 5;

/// A query as whoever asked it knows it.
struct Asked {
    /// Which it is of all that were asked.
    number: u64,
    asked: Time,
    heard: Time,
    silence_max: Duration,
    answers_wanted: Option<u64>,
    answers_count: u64,
    ask: Ask,
    /// Who answered it, of those who say who they are.
    answerers: BTreeSet<ServentId>,
    /// Who announced a value to it.
    announced_by: BTreeSet<ServentId>,
    /// What the contact said of it first.
    told: Option<Tally>,
}

impl Asked {
    fn due(&self) -> Time {
        self.heard + self.silence_max
    }

    /// Whether it is what was asked for that is answered.
    fn is_answered_by(&self, body: &AnswerBody) -> bool {
        match self.ask {
            Ask::Key(_) => matches!(body, AnswerBody::Value(_)),
            Ask::Topology => matches!(body, AnswerBody::Place { .. }),
            Ask::Find(_) | Ask::Named(_) | Ask::Hashed(_) => matches!(body, AnswerBody::Entries(_)),
        }
    }

    fn marks_sum(&self) -> u64 {
        self.answerers.iter().fold(0, |sum, id| sum.wrapping_add(id.mark()))
    }

    /// Whether the answers that came are those the contact promised.
    fn keeps(&self, told: &Tally) -> bool {
        (self.answerers.len() as u64, self.marks_sum()) == (told.answers, told.answer_sum)
    }
}

/// Whoever has said hello: a servent by its id, if it has one.
#[derive(Clone, Copy)]
struct End(Option<ServentId>);

/// What an answer says of itself.
struct Said {
    sequence: Option<u64>,
    asked: Option<AskHash>,
    id: Option<ServentId>,
}

struct Driver {
    mind: Session,
    exchange: Exchange,
    wires: Wires,
    now: Time,
    silence_max: Duration,
    answers_wanted: Option<u64>,
    /// Each with who is at its other end, once that has said hello.
    open: BTreeMap<LinkId, Option<End>>,
    links_count: u64,
    contact: SocketAddr,
    /// Dials that are wanted, and nothing came of yet.
    dials: BTreeSet<FetchId>,
    /// Links that came of them, each with the sequence that is asked under on it.
    alone: BTreeMap<LinkId, Option<u64>>,
    is_ready: bool,
    pending: BTreeMap<u64, Asked>,
    listing: Option<AskedMembers>,
    listings_count: u64,
    files: Option<AskedFiles>,
    file_listings_count: u64,
    /// Whether the contact was ever asked for files.
    was_asked_for_files: bool,
    changes: AskedChanges,
    greeting: Option<AskedGreeting>,
    greetings_count: u64,
    /// Of whom the contact has yet to say what came of greeting them.
    owed_greetings: VecDeque<SocketAddr>,
    /// Pages that were asked for and have not come, and pongs before the last of them.
    owed_pages: u64,
    owed_pongs: u64,
    /// The sequences of all that were asked.
    asked: Vec<u64>,
    /// Of those that ended last, and of as many as are not to be drawn again.
    ended_lately: VecDeque<u64>,
    counts_from_zero: bool,
    brings_back: bool,
    endings_count: u64,
    /// Queries that are over and of which no more was wanted.
    unwanted: BTreeSet<u64>,
    /// Others that are over, with whose answers were told.
    over: BTreeMap<u64, BTreeSet<ServentId>>,
    /// Queries that are over and of which the contact has yet to say so.
    owed: BTreeSet<u64>,
    unexpected_count: u64,
    /// How many had been asked when that was last counted anew.
    unexpected_since: u64,
}

impl Driver {
    fn new(reader: &mut Reader<'_>) -> Driver {
        let answers_wanted = match reader.byte() % 4 {
            0 => None,
            wanted => Some(u64::from(wanted)),
        };
        let silence_max = Duration::from_millis(1 + 100 * u64::from(reader.byte()));
        let port = words::address(reader).port();
        let dialect = words::dialect(reader);
        let mind = Session::new(dialect, port, Secret::of_seed(reader.u64()));
        let mut driver = Driver {
            exchange: Exchange::client(Accepts::answers_to(dialect)),
            wires: Wires::default(),
            mind,
            now: Time::START,
            silence_max,
            answers_wanted,
            open: BTreeMap::new(),
            links_count: 0,
            contact: SocketAddr::from(([0; 4], 0)),
            dials: BTreeSet::new(),
            alone: BTreeMap::new(),
            is_ready: false,
            pending: BTreeMap::new(),
            listing: None,
            listings_count: 0,
            files: None,
            file_listings_count: 0,
            was_asked_for_files: false,
            changes: AskedChanges::default(),
            greeting: None,
            greetings_count: 0,
            owed_greetings: VecDeque::new(),
            owed_pages: 0,
            owed_pongs: 0,
            asked: Vec::new(),
            ended_lately: VecDeque::new(),
            counts_from_zero: dialect.manners().counts_from_zero,
            brings_back: dialect.manners().brings_back,
            endings_count: 0,
            unwanted: BTreeSet::new(),
            over: BTreeMap::new(),
            owed: BTreeSet::new(),
            unexpected_count: 0,
            unexpected_since: 0,
        };
        let link = driver.link();
        driver.exchange.on_dialled(link, dialect, Purpose::Asking);
        driver.exchange.on_connected(link);
        let contact = words::address(reader);
        driver.contact = contact;
        driver.tell(Input::Attached { link, contact });
        driver
    }

    fn link(&mut self) -> LinkId {
        self.links_count += 1;
        let link = LinkId(self.links_count);
        self.open.insert(link, None);
        link
    }

    fn step(&mut self, reader: &mut Reader<'_>) {
        let choice = reader.byte();
        match choice % 12 {
            0 if choice / 12 % 2 == 1 && !self.dials.is_empty() => self.finish_dial(reader),
            0 => {
                let (link, from) = (self.link(), words::address(reader));
                self.exchange.on_accepted(link, from);
                self.tell(Input::Accepted { link, from });
            }
            1 | 2 => {
                if self.is_ready {
                    self.ask(reader, u32::from(choice / 12));
                }
            }
            3..=7 => {
                if let Some(link) = words::open_link(reader, &self.open) {
                    let message = self.about_what_was_asked(link, words::message(reader));
                    self.receive(link, message);
                }
            }
            8 => {
                if let Some(link) = words::open_link(reader, &self.open) {
                    self.tell(Input::Malformed { link, error: words::error(reader) });
                    assert!(!self.open.contains_key(&link), "a link that makes no sense stays");
                }
            }
            9 => {
                if let Some(link) = words::open_link(reader, &self.open) {
                    let reason = "the input says so".to_owned();
                    self.exchange.on_closed(self.now, link, reason, &mut self.wires);
                    self.hear();
                }
            }
            10 => {
                self.now = (self.now + words::duration(reader)).min(Time::after_start(words::LATEST));
                self.tell_deadline();
            }
            _ => match reader.byte() % 8 {
                7 => self.wires.are_full = !self.wires.are_full,
                6 if self.is_ready => self.ask_members(u32::from(choice / 12)),
                5 if self.is_ready => self.ask_greeting(reader, u32::from(choice / 12)),
                4 if self.is_ready => self.ask_files(reader, u32::from(choice / 12)),
                3 if self.is_ready => self.change_or_watch(reader, u32::from(choice / 12)),
                2 if self.open.contains_key(&CONTACT) => self.hear_of_changes(reader),
                _ => match reader.byte() {
                    u8::MAX => self.cancel_listing(),
                    CANCELS_GREETING => self.cancel_greeting(),
                    CANCELS_FILES => self.cancel_files(),
                    which if CANCELS_CHANGES.contains(&which) => {
                        self.cancel_change(usize::from(which - CANCELS_CHANGES.start()));
                    }
                    which if which % 2 == 1 => self.cancel(u64::from(which / 2)),
                    _ => {
                        if let Some(due) = self.mind.deadline() {
                            self.now = self.now.max(due);
                        }
                        self.tell_deadline();
                    }
                },
            },
        }
    }

    /// A dial that is wanted comes to a link or to nothing.
    fn finish_dial(&mut self, reader: &mut Reader<'_>) {
        let place = reader.below(self.dials.len());
        let Some(fetch) = self.dials.iter().nth(place).copied() else { return };
        self.dials.remove(&fetch);
        if reader.flag() {
            self.tell(Input::DialFailed { fetch, reason: "the input says so".to_owned() });
            return;
        }
        let link = self.link();
        self.alone.insert(link, None);
        self.exchange.on_dialled(link, Dialect::OWN, Purpose::Asking);
        self.exchange.on_connected(link);
        self.tell(Input::Dialled { fetch, link });
    }

    /// Asks, with a wait of its own. The first choice is to wait as long, and for as much, as is usual here.
    fn ask(&mut self, reader: &mut Reader<'_>, choice: u32) {
        let silence_max = self.silence_max * (1 + choice % 3);
        let answers_wanted = match choice % 4 {
            0 => self.answers_wanted,
            more => Some(u64::from(more) - 1),
        };
        let question = Question { silence_max, answers_wanted, ..Question::new(words::ask(reader)) };
        let ask = question.ask.clone();
        let is_understood_by_all = ask.needs() == Features::NONE;
        let mut out = Vec::new();
        let sequence = self.mind.ask(self.now, question, &mut out).expect("there is room");
        assert!(!self.pending.contains_key(&sequence) && !self.ended_lately.contains(&sequence), "drawn twice");
        let number = self.asked.len() as u64;
        let drawn = number + self.listings_count + self.greetings_count + self.file_listings_count;
        let drawn = drawn + self.changes.begun_count;
        assert!(if self.counts_from_zero { sequence == drawn } else { sequence < 1 << 31 }, "{sequence}");
        self.asked.push(sequence);
        let (asked, heard, answerers, announced_by) = (self.now, self.now, BTreeSet::new(), BTreeSet::new());
        let asked = Asked {
            number,
            asked,
            heard,
            silence_max,
            answers_wanted,
            answers_count: 0,
            ask,
            answerers,
            announced_by,
            told: None,
        };
        self.pending.insert(sequence, asked);
        self.look_at(out);
        let is_pending = self.pending.contains_key(&sequence);
        assert!(!is_pending || answers_wanted != Some(0), "nothing is wanted");
        assert!(is_pending || answers_wanted == Some(0) || !is_understood_by_all, "what is asked is not pending");
    }

    /// When the wait of each that is under way is over.
    fn dues(&self) -> impl Iterator<Item = Time> {
        let listing = self.listing.as_ref().map(AskedMembers::due);
        let greeting = self.greeting.as_ref().map(AskedGreeting::due);
        let files = self.files.as_ref().map(AskedFiles::due);
        self.pending.values().map(Asked::due).chain(listing).chain(greeting).chain(files).chain(self.changes.dues())
    }

    /// The same of a query that was asked: nobody would hit upon its sequence by chance, nor a contact's sum.
    fn about_what_was_asked(&self, link: LinkId, message: Message) -> Message {
        let alone = self.alone.get(&link).copied().flatten();
        let known = |sequence: u64| {
            if let Some(alone) = alone.filter(|_| sequence < 6) {
                return alone;
            }
            let before = usize::try_from(sequence).unwrap_or(usize::MAX);
            self.asked.iter().rev().nth(before).copied().filter(|_| sequence < 6).unwrap_or(sequence)
        };
        match message {
            Message::Answer(answer) => Message::Answer(Answer { sequence: known(answer.sequence), ..answer }),
            Message::Handed(Handed { sequence, answer }) => {
                Message::Handed(Handed { sequence: known(sequence), answer })
            }
            Message::Finished(Finished { sequence, mut tally }) => {
                let sequence = known(sequence);
                if let Some(asked) = self.pending.get(&sequence).filter(|_| tally.answer_sum % 2 == 1) {
                    (tally.answers, tally.answer_sum) = (asked.answerers.len() as u64, asked.marks_sum());
                }
                Message::Finished(Finished { sequence, tally })
            }
            Message::Greeted(greeted) => {
                let place = usize::try_from(greeted.new_count / 2).unwrap_or(usize::MAX);
                let owed = self.owed_greetings.iter().rev().nth(place).filter(|_| greeted.new_count % 2 == 1);
                Message::Greeted(Greeted { address: owed.copied().unwrap_or(greeted.address), ..greeted })
            }
            Message::ListPart(part) => Message::ListPart(self.part_of_what_was_asked(part)),
            message => message,
        }
    }

    fn receive(&mut self, link: LinkId, message: Message) {
        // What somebody can do who is asked for what not all understand the link has to have heard: it says nothing else to
        // them.
        if (self.alone.contains_key(&link) || link == CONTACT && !self.counts_from_zero)
            && let Some(None) = self.open.get(&link)
            && let Ok(hello) = Frame::at(Position::First, Dialect::OWN, 0, &message)
            && matches!(message, Message::Hello(_))
        {
            self.exchange.receive(link, &[&PREFACE[..], hello.as_bytes()].concat());
            self.hear();
            return;
        }
        let is_surprise = match &message {
            Message::Answer(Answer { sequence, .. }) => {
                self.alone.contains_key(&link) || !self.unwanted.contains(sequence)
            }
            Message::Handed(Handed { sequence, .. }) => !self.may_hand(link) || !self.unwanted.contains(sequence),
            Message::Finished(Finished { sequence, tally }) if link == CONTACT => {
                if let Some(asked) = self.pending.get_mut(sequence) {
                    asked.told.get_or_insert(*tally);
                }
                !self.unwanted.contains(sequence) && !self.owed.remove(sequence)
            }
            Message::Peers(peers) => !self.is_page(link, peers) || self.owed_pages == 0,
            Message::Pong => link != CONTACT || self.owed_pongs == 0,
            Message::Greeted(greeted) => link != CONTACT || !self.owed_greetings.contains(&greeted.address),
            Message::ListPart(part) => !self.may_list(link, part),
            Message::Written(_) | Message::Changed(_) => !self.changes.may_tell(link, &message),
            _ => true,
        };
        let out = self.tell(Input::Received { link, message });
        let is_told = out.iter().any(|output| matches!(output, Output::Tell(Report::Unexpected { .. })));
        assert!(is_surprise || !is_told, "what may come for a query that is over is told: {out:?}");
    }

    /// Cancels the query that was asked so many before the next: what is pending, what is over or what never was.
    fn cancel(&mut self, before: u64) {
        let place = usize::try_from(before).unwrap_or(usize::MAX);
        let sequence = self.asked.iter().rev().nth(place).copied().unwrap_or(u64::MAX - before);
        let others = self.mind.pending_count() - usize::from(self.pending.contains_key(&sequence));
        let is_pending = self.pending.contains_key(&sequence);
        let out = self.tell(Input::Cancel { sequence });
        let ends = |output: &Output| {
            matches!(output, Output::Tell(Report::Ended { sequence: ended, ending: Ending { reason: EndReason::Cancelled, .. } })
                if *ended == sequence)
        };
        assert_eq!(out.last().is_some_and(ends), is_pending, "what is pending ends, and nothing else");
        assert!(is_pending || out.is_empty(), "{out:?}");
        assert_eq!(self.mind.pending_count(), others, "it ends no other");
    }

    fn tell_deadline(&mut self) {
        let due = self.mind.deadline();
        let out = self.tell(Input::Deadline);
        if due.is_none_or(|due| due > self.now) {
            assert_eq!((out.as_slice(), self.mind.deadline()), (&[][..], due), "a deadline told early does something");
        }
        let next = self.mind.deadline();
        assert!(next.is_none_or(|next| next > self.now), "{next:?} is due again at {:?}", self.now);
        assert!(self.pending.values().all(|asked| asked.due() > self.now), "a query goes on beyond its own wait");
        assert!(
            self.listing.as_ref().is_none_or(|listing| listing.due() > self.now),
            "a listing goes on beyond its wait"
        );
        assert!(
            self.greeting.as_ref().is_none_or(|greeting| greeting.due() > self.now),
            "a greeting goes on beyond its wait"
        );
        assert!(
            self.files.as_ref().is_none_or(|listing| listing.due() > self.now),
            "a listing of files goes on beyond its wait"
        );
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        let answer = match &input {
            Input::Received { link, message } => {
                self.note_hello(*link, message);
                self.note_announced(*link, message);
                self.note_page(*link, message);
                self.note_greeted(*link, message);
                self.note_part(*link, message);
                self.note_written(*link, message);
                self.answer_of(*link, message)
            }
            _ => None,
        };
        self.mind.handle(self.now, input, &mut out);
        self.judge_answer(answer, &out);
        self.look_at(out.clone());
        out
    }

    fn note_hello(&mut self, link: LinkId, message: &Message) {
        if let Some(end @ None) = self.open.get_mut(&link)
            && let Message::Hello(Hello { role, .. }) = message
        {
            *end = match role {
                Role::Servent { id, .. } => Some(End(Some(*id))),
                Role::Nameless => Some(End(None)),
                Role::Client { .. } => None,
            };
        }
    }

    /// Whether what is handed over a link is what others answered.
    fn may_hand(&self, link: LinkId) -> bool {
        link == CONTACT && self.brings_back
    }

    /// A value that is announced for the first time is an answer that has come so far: the wait begins anew.
    fn note_announced(&mut self, link: LinkId, message: &Message) {
        let Message::Handed(Handed { sequence, answer }) = message else { return };
        let (BroughtBody::Announced(_), Some(Some(_))) = (&answer.body, self.open.get(&link)) else { return };
        let may_hand = self.may_hand(link);
        if let Some(asked) = self.pending.get_mut(sequence).filter(|_| may_hand)
            && matches!(asked.ask, Ask::Key(_))
            && !asked.answerers.contains(&answer.id)
            && asked.announced_by.insert(answer.id)
        {
            asked.heard = self.now;
        }
    }

    /// Which query it is an answer to, where it says so, what it says was asked, and whose it is, where somebody brings one
    /// who may.
    fn answer_of(&self, link: LinkId, message: &Message) -> Option<Said> {
        let End(id) = self.open.get(&link).copied().flatten()?;
        match message {
            Message::Answer(Answer { sequence, asked, .. }) => match self.alone.get(&link) {
                None => Some(Said { sequence: Some(*sequence), asked: *asked, id }),
                Some(alone) if *alone == Some(*sequence) => Some(Said { sequence: None, asked: *asked, id }),
                Some(_) => None,
            },
            // What others answered is believed from the contact, and says itself who they are.
            Message::Handed(Handed { sequence, answer }) if self.may_hand(link) => {
                Some(Said { sequence: Some(*sequence), asked: None, id: Some(answer.id) })
            }
            _ => None,
        }
    }

    /// What is told as an answer is one to what was asked, and the first of whoever gave it.
    fn judge_answer(&mut self, answer: Option<Said>, out: &[Output]) {
        let told = out.iter().find_map(|output| match output {
            Output::Tell(Report::Answer { sequence, body, .. }) => Some((*sequence, body, false)),
            Output::Tell(Report::Late { sequence, body, .. }) => Some((*sequence, body, true)),
            _ => None,
        });
        let Some((told, body, is_late)) = told else { return };
        let Said { sequence, asked: hash, id } = answer.expect("what nobody said is told");
        assert!(sequence.is_none_or(|sequence| sequence == told), "it is to another query");
        if is_late {
            let answerers = self.over.get_mut(&told).expect("only what is over is answered late");
            assert!(answerers.insert(id.expect("whoever answers late says who it is")), "it was told already");
            return;
        }
        let asked = self.pending.get_mut(&told).expect("an answer is to what is pending");
        assert!(hash.is_none_or(|hash| hash == AskHash::of(&asked.ask)), "that was not asked");
        assert!(asked.is_answered_by(body), "{body} is no answer to {}", asked.ask);
        assert!(id.is_none_or(|id| asked.answerers.insert(id)), "it has answered already");
    }

    /// Holds what the mind wants against what it was told, and does it.
    fn look_at(&mut self, out: Vec<Output>) {
        let (mut more_told, mut is_lost) = (false, false);
        for output in &out {
            match output {
                Output::Send { link, message } => {
                    assert!(self.open.contains_key(link), "{message:?} goes to {link}, which is closed");
                    match message {
                        Message::PeersWanted(wanted) => {
                            let listing = self.listing.as_ref().expect("nobody asked for members");
                            assert_eq!((*link, wanted.after), (CONTACT, listing.behind));
                            self.owed_pages += 1;
                        }
                        Message::Ping => self.owed_pongs += 1,
                        Message::Write(_) | Message::Watch(_) | Message::Unwatch(_) => {
                            self.on_change_said(*link, message);
                        }
                        Message::List(list) => {
                            self.was_asked_for_files = true;
                            self.on_list(*link, list);
                        }
                        Message::Greet(Greet { address }) => {
                            let greeting = self.greeting.as_mut().expect("nobody is to be greeted");
                            assert_eq!((*link, *address), (CONTACT, greeting.address));
                            greeting.is_said = true;
                            self.owed_greetings.push_back(*address);
                            if self.owed_greetings.len() > GREETINGS_MAX {
                                self.owed_greetings.pop_front();
                            }
                        }
                        _ => {}
                    }
                    if let (Some(alone), Message::Request(Request { sequence, ttl, .. })) =
                        (self.alone.get_mut(link), message)
                    {
                        assert_eq!((*alone, *ttl), (None, Some(0)), "it is asked once, and alone");
                        assert!(!self.pending.contains_key(sequence), "drawn twice");
                        *alone = Some(*sequence);
                    }
                }
                Output::Dial { fetch, address } => {
                    assert!(self.dials.insert(*fetch), "it is dialled twice");
                    let ip = address.ip();
                    assert!(!ip.is_unspecified() && !ip.is_multicast() && address.port() != 0, "{address}");
                    assert!(!ip.is_loopback() || self.contact.ip().is_loopback(), "{address}");
                }
                Output::Close { link } => {
                    assert!(self.open.remove(link).is_some(), "{link} is closed and was not open");
                    self.alone.remove(link);
                }
                Output::Tell(Report::Ready) => {
                    assert!(!self.is_ready, "it is ready twice");
                    self.is_ready = true;
                }
                Output::Tell(Report::Answer { sequence, elapsed, .. }) => {
                    let asked = self.pending.get_mut(sequence).expect("an answer is to what is pending");
                    assert_eq!(*elapsed, self.now.since(asked.asked));
                    asked.answers_count += 1;
                    asked.heard = self.now;
                }
                Output::Tell(Report::Ended { sequence, ending }) => {
                    self.on_ended(*sequence, ending, std::mem::take(&mut more_told));
                }
                Output::Tell(Report::Members { sequence, members }) => self.on_members(*sequence, members),
                Output::Tell(Report::Listed { sequence, listed }) => {
                    self.on_listed(*sequence, listed, std::mem::take(&mut more_told));
                }
                Output::Tell(Report::Greeted { sequence, greeting }) => {
                    self.on_greeting_over(*sequence, greeting, std::mem::take(&mut more_told));
                }
                Output::Tell(Report::Unexpected { .. }) => {
                    self.unexpected_count += 1;
                    assert!(self.unexpected_count <= UNEXPECTED_TOLD_MAX, "a flood of strangers is told one by one");
                }
                Output::Tell(Report::MoreUnexpected { count }) => {
                    assert!(*count > 0 && self.unexpected_count == UNEXPECTED_TOLD_MAX);
                    more_told = true;
                }
                Output::Tell(Report::Late { sequence, .. } | Report::Unfetched { sequence, .. }) => {
                    assert!(self.asked.contains(sequence), "nobody asked");
                }
                Output::Tell(Report::Files { sequence, entries }) => self.on_files(*sequence, entries),
                Output::Tell(Report::FilesListed { sequence, listed }) => {
                    self.on_files_listed(*sequence, listed, std::mem::take(&mut more_told));
                }
                Output::Tell(Report::Written { sequence, written }) => {
                    self.on_write_over(*sequence, written, std::mem::take(&mut more_told));
                }
                Output::Tell(Report::Changed { sequence, .. }) => self.on_changed(*sequence),
                Output::Tell(Report::WatchEnded { sequence, end }) => {
                    self.on_watch_over(*sequence, *end, std::mem::take(&mut more_told));
                }
                Output::Tell(Report::ContactLost { .. }) => is_lost = true,
                Output::Tell(Report::Refused { .. }) => {}
            }
        }
        if is_lost {
            self.changes.lose();
        }
        assert!(!more_told, "it is told just before the end of a query");
        assert_eq!(self.mind.pending_count(), self.pending.len());
        assert_eq!(self.mind.is_listing(), self.listing.is_some());
        assert_eq!(self.mind.is_greeting(), self.greeting.is_some());
        assert_eq!(self.mind.is_listing_files(), self.files.is_some());
        assert_eq!(self.mind.writes_pending_count(), self.changes.waiting_count());
        assert_eq!(self.mind.watches_count(), self.changes.watches_count());
        assert!(self.greeting.as_ref().is_none_or(|greeting| greeting.told.is_none()), "it was said what came of it");
        if let Some(first) = self.dues().min() {
            assert!(self.mind.deadline().is_some_and(|due| due <= first), "one waits for ever, or too long");
        }
        for output in out {
            let _ = self.exchange.perform_for_client(self.now, output, &mut self.wires);
        }
        self.exchange.flush(self.now, &mut self.wires);
        self.hear();
    }

    fn on_ended(&mut self, sequence: u64, ending: &Ending, more_told: bool) {
        self.endings_count += 1;
        let asked = self.pending.remove(&sequence).expect("a query ends once");
        assert_eq!(ending.answers, asked.answers_count);
        assert_eq!(ending.elapsed, self.now.since(asked.asked));
        let wanted = asked.answers_wanted.unwrap_or(u64::MAX);
        assert!(ending.answers <= wanted, "more answers than were wanted: {ending:?}");
        assert!(ending.reason != EndReason::Answers || ending.answers == wanted, "{ending:?}");
        assert!(ending.reason != EndReason::Silence || asked.due() <= self.now, "it was cut short: {ending:?}");
        assert!(ending.reason != EndReason::Complete || ending.tally.is_whole(), "{ending:?}");
        assert!(ending.reason != EndReason::NotUnderstood || asked.ask.needs() != Features::NONE, "{ending:?}");
        assert!(ending.reason != EndReason::Complete || asked.keeps(&ending.tally), "others answered: {ending:?}");
        let is_over_by_itself = matches!(ending.reason, EndReason::Silence | EndReason::Incomplete);
        assert!(
            ending.reason != EndReason::Incomplete || ending.tally_told && !ending.tally.is_dialled,
            "an answer may be on its way: {ending:?}"
        );
        let is_doubtful = is_over_by_itself
            && asked.told.is_some_and(|told| {
                told.is_whole() && asked.answerers.len() as u64 >= told.answers && !asked.keeps(&told)
            });
        assert_eq!(ending.doubtful, is_doubtful, "{ending:?}");
        // What the contact said of another query, or before this one was asked, is nothing to this one.
        assert!(ending.reason != EndReason::Complete || ending.tally_told, "{ending:?}");
        assert_eq!(ending.tally_told.then_some(ending.tally), asked.told, "that is not what the contact said");
        let may_miss = is_over_by_itself || ending.reason == EndReason::Cancelled;
        assert!(ending.missing == 0 || (may_miss && ending.tally_told), "{ending:?}");
        assert!(ending.missing <= ending.tally.answers, "{ending:?}");
        self.ended_lately.push_back(sequence);
        if self.ended_lately.len() > CLIENT_PENDING_MAX {
            self.ended_lately.pop_front();
        }
        match ending.reason {
            EndReason::Answers | EndReason::Cancelled => _ = self.unwanted.insert(sequence),
            EndReason::Silence if !ending.tally_told && ending.tally.silent == 0 => _ = self.owed.insert(sequence),
            _ => {}
        }
        if is_over_by_itself {
            self.over.insert(sequence, asked.answerers);
        }
        let is_counted_anew = asked.number >= self.unexpected_since || self.pending.is_empty();
        assert!(is_counted_anew || !more_told, "that was told at an end before");
        if is_counted_anew {
            (self.unexpected_count, self.unexpected_since) = (0, self.asked.len() as u64);
        }
    }

    /// Tells the mind what its exchange has heard: what a dialect takes as said, and of whom the wires were full.
    fn hear(&mut self) {
        while let Some((link, heard)) = self.exchange.next_heard(self.now, &mut self.wires) {
            if let Heard::Closed(_) = heard {
                assert!(self.open.remove(&link).is_some(), "{link} is lost and was not open");
            }
            self.tell(heard.for_client(link));
        }
    }
}
