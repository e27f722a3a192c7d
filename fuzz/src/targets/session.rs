//! The client's mind, told anything in any order that a shell could tell it.
//!
//! The driver keeps the contract of a shell: it attaches once, asks when it has been told "ready" and nothing is
//! pending, names links once, and lets time go forward only. What the mind wants of its links an exchange does, as in
//! every shell.

use std::collections::BTreeMap;
use std::time::Duration;

use common::exchange::{Exchange, Heard};
use common::link::{LinkId, Purpose};
use common::session::{EndReason, Input, Output, Report, Session, UNEXPECTED_TOLD_MAX};
use common::time::Time;
use common::wire::Accepts;

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
    // Whatever was said, a query ends by itself.
    if driver.mind.is_waiting() {
        let due = driver.mind.deadline();
        assert!(due.is_some(), "a query waits for ever");
        driver.now = driver.now + driver.silence_max;
        driver.tell_deadline();
        assert!(!driver.mind.is_waiting(), "a query goes on beyond its wait");
    }
    Outcome::taken_if(driver.endings_count > 0)
}

struct Driver {
    mind: Session,
    exchange: Exchange,
    wires: Wires,
    now: Time,
    silence_max: Duration,
    answers_wanted: Option<u64>,
    open: BTreeMap<LinkId, ()>,
    links_count: u64,
    is_ready: bool,
    asked: Time,
    answers_count: u64,
    endings_count: u64,
    /// Since the last of them.
    unexpected_count: u64,
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
        let first_sequence = if dialect.manners().counts_from_zero { 0 } else { reader.u64() };
        let mind = Session::new(dialect, port, first_sequence, silence_max, answers_wanted);
        let mut driver = Driver {
            exchange: Exchange::client(Accepts::answers_to(dialect)),
            wires: Wires::default(),
            mind,
            now: Time::START,
            silence_max,
            answers_wanted,
            open: BTreeMap::new(),
            links_count: 0,
            is_ready: false,
            asked: Time::START,
            answers_count: 0,
            endings_count: 0,
            unexpected_count: 0,
        };
        let link = driver.link();
        driver.exchange.on_dialled(link, dialect, Purpose::Asking);
        driver.exchange.on_connected(driver.now, link, &mut driver.wires);
        driver.tell(Input::Attached { link, contact: words::address(reader) });
        driver
    }

    fn link(&mut self) -> LinkId {
        self.links_count += 1;
        let link = LinkId(self.links_count);
        self.open.insert(link, ());
        link
    }

    fn step(&mut self, reader: &mut Reader<'_>) {
        match reader.byte() % 12 {
            0 => {
                let (link, from) = (self.link(), words::address(reader));
                self.exchange.on_accepted(self.now, link, from, &mut self.wires);
                self.tell(Input::Accepted { link, from });
            }
            1 | 2 => {
                if self.is_ready && !self.mind.is_waiting() {
                    (self.asked, self.answers_count) = (self.now, 0);
                    self.tell(Input::Ask(words::ask(reader)));
                    assert!(self.mind.is_waiting(), "what is asked is not pending");
                }
            }
            3..=7 => {
                if let Some(link) = words::open_link(reader, &self.open) {
                    self.tell(Input::Received { link, message: words::message(reader) });
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
            _ if reader.byte() % 8 == 7 => self.wires.are_full = !self.wires.are_full,
            _ if reader.flag() => {
                let was_waiting = self.mind.is_waiting();
                let out = self.tell(Input::Interrupt);
                assert_eq!(out.is_empty(), !was_waiting, "an interrupt ends what is pending, and nothing else");
            }
            _ => {
                if let Some(due) = self.mind.deadline() {
                    self.now = self.now.max(due);
                }
                self.tell_deadline();
            }
        }
    }

    fn tell_deadline(&mut self) {
        let due = self.mind.deadline();
        let out = self.tell(Input::Deadline);
        if due.is_none_or(|due| due > self.now) {
            assert_eq!((out.as_slice(), self.mind.deadline()), (&[][..], due), "a deadline told early does something");
        }
        let next = self.mind.deadline();
        assert!(next.is_none_or(|next| next > self.now), "{next:?} is due again at {:?}", self.now);
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        let was_waiting = self.mind.is_waiting() || matches!(input, Input::Ask(_));
        let mut endings_count = 0;
        let mut out = Vec::new();
        self.mind.handle(self.now, input, &mut out);
        for output in &out {
            match output {
                Output::Send { link, message } => {
                    assert!(self.open.contains_key(link), "{message:?} goes to {link}, which is closed");
                }
                Output::Close { link } => {
                    assert!(self.open.remove(link).is_some(), "{link} is closed and was not open");
                }
                Output::Tell(Report::Ready) => {
                    assert!(!self.is_ready, "it is ready twice");
                    self.is_ready = true;
                }
                Output::Tell(Report::Answer { elapsed, .. }) => {
                    assert!(was_waiting && endings_count == 0, "an answer to nothing");
                    assert_eq!(*elapsed, self.now.since(self.asked));
                    self.answers_count += 1;
                }
                Output::Tell(Report::Ended(ending)) => {
                    endings_count += 1;
                    self.unexpected_count = 0;
                    assert_eq!(ending.answers, self.answers_count);
                    let wanted = self.answers_wanted.unwrap_or(u64::MAX);
                    assert!(ending.answers <= wanted, "more answers than were wanted: {ending:?}");
                    assert!(ending.reason != EndReason::Answers || ending.answers == wanted, "{ending:?}");
                    assert!(ending.reason != EndReason::Complete || ending.tally.is_whole(), "{ending:?}");
                    let may_miss = matches!(ending.reason, EndReason::Silence | EndReason::Interrupted);
                    assert!(ending.missing == 0 || (may_miss && ending.tally_told), "{ending:?}");
                    assert!(ending.missing <= ending.tally.answers, "{ending:?}");
                }
                Output::Tell(Report::Unexpected { .. }) => {
                    self.unexpected_count += 1;
                    assert!(self.unexpected_count <= UNEXPECTED_TOLD_MAX, "a flood of strangers is told one by one");
                }
                Output::Tell(Report::MoreUnexpected { count }) => {
                    assert!(*count > 0 && self.unexpected_count == UNEXPECTED_TOLD_MAX);
                }
                Output::Tell(Report::Refused { .. } | Report::ContactLost { .. }) => {}
            }
        }
        let ended = u64::from(was_waiting && !self.mind.is_waiting());
        assert_eq!(endings_count, ended, "a query ends once");
        self.endings_count += ended;
        for output in out.clone() {
            let _ = self.exchange.perform_for_client(self.now, output, &mut self.wires);
        }
        self.exchange.flush(self.now, &mut self.wires);
        self.hear();
        out
    }

    /// Tells the mind what its exchange has heard: what a dialect takes as said, and of whom the wires were full.
    fn hear(&mut self) {
        while let Some((link, heard)) = self.exchange.next_heard() {
            if let Heard::Closed(_) = heard {
                assert!(self.open.remove(&link).is_some(), "{link} is lost and was not open");
            }
            self.tell(heard.for_client(link));
        }
    }
}
