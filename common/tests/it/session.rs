//! The client's mind at its doors: when it is ready, what it asks, what it believes, and above all when a query ends.
//!
//! Inputs go in, outputs come out; there is no world here and no bytes.

mod answerers;
mod back;
mod belief;
mod called;
mod contact;
mod deadlines;
mod ending;
mod fetching;
mod files;
mod greetings;
mod listing;
mod many;
mod tp3;
mod writes;

use super::*;
use common::limits::{CLIENT_PENDING_MAX, SILENCE_DEFAULT};
use common::message::{Brought, Handed};
use common::query::{BroughtAnswer, BroughtBody, ContactName};
use common::random::Secret;
use common::session::{EndReason, Ending, Input, Output, Question, Report, Session, UNEXPECTED_TOLD_MAX};
use sim::random::Random;

const CONTACT: LinkId = LinkId(1);
const OTHER: LinkId = LinkId(2);
const PORT: u16 = 7000;
/// A secret under which the first hundred thousand sequences differ, so that each is the one at its place.
fn secret() -> Secret {
    Secret::of_seed(13)
}

/// The sequence of the query that is asked after so many.
fn nth(number: u64) -> u64 {
    secret().nth(number) >> 33
}

/// A sequence that no query has, nor will.
fn nobodys(number: u64) -> u64 {
    (1 << 31) + number
}

const TICK: Duration = Duration::from_nanos(1);

struct Mind {
    session: Session,
    now: Time,
    /// How many answers each question wants.
    answers_wanted: Option<u64>,
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, number), 9000))
}

fn servent_hello(number: u8) -> Message {
    Message::Hello(Hello::new(Role::Servent { id: ServentId(u128::from(number)), advertised: address(number) }))
}

fn own_hello() -> Message {
    Message::Hello(Hello::new(Role::Client { answer_port: PORT }))
}

fn send(link: LinkId, message: Message) -> Output {
    Output::Send { link, message }
}

fn tea() -> Ask {
    Ask::Key(Key::new(b"tea").unwrap())
}

fn request(sequence: u64) -> Message {
    Message::Request(Request { sequence, ask: tea(), ttl: None })
}

fn green() -> AnswerBody {
    AnswerBody::Value(b"green".to_vec())
}

fn answer(sequence: u64) -> Message {
    Message::Answer(Answer { sequence, asked: Some(AskHash::of(&tea())), hops: 2, body: green() })
}

fn finished(sequence: u64, tally: Tally) -> Message {
    Message::Finished(Finished { sequence, tally })
}

/// The sum of the marks of servents.
fn marks(servents: &[u8]) -> u64 {
    servents.iter().fold(0, |sum, number| sum.wrapping_add(ServentId(u128::from(*number)).mark()))
}

/// A whole flood over some servents with so many answers, which are dialled: of servent 2, of servents 2 and 3, of servents
/// 2 to 4.
fn whole(answers: u64) -> Tally {
    let answer_sum = marks(&[2, 3, 4][..usize::try_from(answers.min(3)).unwrap()]);
    Tally { reached: 3, answers, copies: 2, answer_sum, is_dialled: true, ..Tally::default() }
}

/// The same where all of them go back, and so have come before the contact says this.
fn whole_back(answers: u64) -> Tally {
    Tally { is_dialled: false, ..whole(answers) }
}

/// What the contact hands of what a servent answers.
fn handed(sequence: u64, servent: u8) -> Message {
    handed_as(sequence, servent, BroughtBody::Whole(green()))
}

fn handed_as(sequence: u64, servent: u8, body: BroughtBody) -> Message {
    let answer =
        BroughtAnswer { id: ServentId(u128::from(servent)), from: address(servent), name: None, hops: 2, body };
    Message::Handed(Handed { sequence, answer: Arc::new(answer) })
}

/// The answer link of servent 2, 3 or 4.
fn from(servent: u8) -> LinkId {
    if servent == 2 { OTHER } else { LinkId(100 + u64::from(servent)) }
}

fn unexpected(from: u8, message: &'static str) -> Output {
    Output::Tell(Report::Unexpected { from: address(from), message })
}

/// An answer to the first query.
fn heard(from: u8, elapsed: Duration) -> Output {
    heard_of(nth(0), from, elapsed)
}

fn heard_of(sequence: u64, from: u8, elapsed: Duration) -> Output {
    told_of(sequence, from, Via::Direct, elapsed)
}

/// An answer to the first query that came back.
fn heard_back(from: u8, elapsed: Duration) -> Output {
    told_of(nth(0), from, Via::Back, elapsed)
}

fn told_of(sequence: u64, from: u8, via: Via, elapsed: Duration) -> Output {
    Output::Tell(Report::Answer {
        sequence,
        from: address(from),
        name: None,
        hops: Some(2),
        via,
        body: green(),
        elapsed,
    })
}

/// The end of the first query.
fn ended(reason: EndReason, answers: u64, told: Option<Tally>, elapsed: Duration) -> Output {
    ended_of(nth(0), reason, answers, told, elapsed)
}

fn ended_of(sequence: u64, reason: EndReason, answers: u64, told: Option<Tally>, elapsed: Duration) -> Output {
    let untold = Tally { reached: answers, answers, lost: u64::from(reason == EndReason::Silence), ..Tally::default() };
    let missing =
        if reason == EndReason::Answers { 0 } else { told.map_or(0, |told| told.answers - told.answers.min(answers)) };
    let (tally, tally_told) = (told.unwrap_or(untold), told.is_some());
    let ending = Ending { reason, answers, missing, doubtful: false, tally, tally_told, elapsed };
    Output::Tell(Report::Ended { sequence, ending })
}

/// The end that is the last thing told.
fn ending_in(out: &[Output]) -> &Ending {
    match out.last() {
        Some(Output::Tell(Report::Ended { ending, .. })) => ending,
        _ => panic!("no end: {out:?}"),
    }
}

impl Mind {
    /// A mind that knows nobody.
    fn new(answers_wanted: Option<u64>) -> Mind {
        Mind { session: Session::new(Dialect::Native, PORT, secret()), now: Time::START, answers_wanted }
    }

    /// One whose contact is servent 1, with answer links from servents 2, 3 and 4.
    fn ready(answers_wanted: Option<u64>) -> Mind {
        let mut mind = Mind::new(answers_wanted);
        assert_eq!(mind.attach(), [send(CONTACT, own_hello())]);
        assert_eq!(mind.hear(CONTACT, servent_hello(1)), [Output::Tell(Report::Ready)]);
        for servent in 2..=4 {
            let link = from(servent);
            assert_eq!(mind.tell(Input::Accepted { link, from: address(200) }), [send(link, own_hello())]);
            assert_eq!(mind.hear(link, servent_hello(servent)), []);
        }
        mind
    }

    /// One that has just asked its first question.
    fn asking(answers_wanted: Option<u64>) -> Mind {
        let mut mind = Mind::ready(answers_wanted);
        assert_eq!(mind.ask(), [send(CONTACT, request(nth(0)))]);
        mind
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.session.handle(self.now, input, &mut out);
        out
    }

    fn attach(&mut self) -> Vec<Output> {
        self.tell(Input::Attached { link: CONTACT, contact: address(100) })
    }

    fn hear(&mut self, link: LinkId, message: Message) -> Vec<Output> {
        self.tell(Input::Received { link, message })
    }

    fn ask(&mut self) -> Vec<Output> {
        self.ask_for(Question { answers_wanted: self.answers_wanted, ..Question::new(tea()) })
    }

    fn ask_for(&mut self, question: Question) -> Vec<Output> {
        let mut out = Vec::new();
        self.session.ask(self.now, question, &mut out).unwrap();
        out
    }

    /// Asks, and gives the sequence.
    fn asked(&mut self) -> u64 {
        self.session.ask(self.now, Question::new(tea()), &mut Vec::new()).unwrap()
    }

    fn cancel(&mut self, sequence: u64) -> Vec<Output> {
        self.tell(Input::Cancel { sequence })
    }

    fn closed(&mut self, link: LinkId) -> Vec<Output> {
        self.tell(Input::Closed { link, reason: "a test".to_owned() })
    }

    /// Lets time pass, and gives what is done at the deadlines. None may be late, and none in vain.
    fn pass(&mut self, duration: Duration) -> Vec<Output> {
        let end = self.now + duration;
        let mut outputs = Vec::new();
        while let Some(due) = self.session.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let out = self.tell(Input::Deadline);
            assert!(!out.is_empty() || self.session.deadline().is_none_or(|next| next > due), "it would spin");
            outputs.extend(out);
        }
        self.now = end;
        assert_eq!(self.tell(Input::Deadline), [], "something was due and no deadline said so");
        outputs
    }
}

fn nameless_hello() -> Message {
    Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless))
}
