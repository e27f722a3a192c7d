//! The client's mind: any number of queries, the answers to each, and the wait of its own that ends each; and the members
//! its contact knows, the files it shares, whom it is to greet, what it is to keep, and of which keys it is to tell, if it is
//! asked for.
//!
//! It holds the resettable deadlines and the rules that cut them short, and asks for values that are too long to be brought
//! where they are. It does not know a terminal, a socket or how a report is shown; a client of any shape performs its
//! outputs.

mod answerers;
mod contents;
mod doors;
mod ended;
mod ending;
mod fetches;
mod files;
mod greetings;
mod listing;
mod membership;
mod pending;
mod sequences;
mod watches;
mod writes;
mod writing;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::address::{canonical, names_one_end};
use crate::dialect::{Bringing, Dialect, Manners};
use crate::features::Features;
use crate::limits::{CLIENT_PENDING_MAX, FETCH_WAIT_MAX, HELLO_WAIT_MAX};
use crate::link::LinkId;
use crate::message::{Finished, Goodbye, Handed, Hello, Message, Request, Role, ServentId};
use crate::newcomers::Newcomers;
use crate::query::{Answer, AnswerBody, AnswerKind, AskHash, BroughtAnswer, BroughtBody, Path, Tally, Via};
use crate::random::Secret;
use crate::servent_name::ServentName;
use crate::time::Time;

use answerers::Answerers;
use ended::{Ended, HandedLate, LateQuery, MayCome};
use fetches::{Fetch, FetchStage, Fetches};
use files::FileListings;
use greetings::AskedGreetings;
use listing::Listings;
use pending::{Pending, PendingQueries};
use sequences::Sequences;
use watches::SaidWatches;
use writes::SaidWrites;

pub use doors::{Input, Output, Question, Report, TooManyPending};
pub use ended::{ENDED_KEPT_MAX, LATE_ANSWERERS_MAX};
pub use ending::{EndReason, Ending};
pub use fetches::FetchId;
pub use files::{FilesListed, FilesPending};
pub use greetings::{GreetEnd, GreetingEnded, GreetingPending};
pub use listing::{LISTING_PAGES_MAX, ListingEnd, ListingPending, MembersListed};
pub use watches::{TooManyWatches, WatchEnd};
pub use writes::{TooManyWrites, WriteEnd, WriteEnded};

/// Messages that belong to no query and are told one by one, from the end of one query to the first end of one that was
/// asked after it, or that leaves none pending. With one query at a time that is from the end of each to the end of the
/// next; with many it is about as long as a query is pending, however many end in that time. A listing of members,
/// a greeting, a write or a watch that ends while none is pending is such an end too. Whoever sends more is counted.
pub const UNEXPECTED_TOLD_MAX: u64 = 20;

/// Why a value is not fetched from where it is said to be.
const FAILED_BEFORE: &str = "nobody could be asked there before";

/// The client's mind.
#[derive(Debug)]
pub struct Session {
    dialect: Dialect,
    answer_port: u16,
    sequences: Sequences,
    /// How many queries were asked, which is the number of the next one.
    asked_count: u64,
    contact: Contact,
    peers: BTreeMap<LinkId, Peer>,
    /// Those of them that have yet to say hello, but for those that were dialled to fetch something.
    newcomers: Newcomers<()>,
    pending: PendingQueries,
    ended: Ended,
    fetches: Fetches,
    listings: Listings,
    greetings: AskedGreetings,
    files: FileListings,
    writes: SaidWrites,
    watches: SaidWatches,
    /// Where the contact was dialled. Only where that is this host may others be there too.
    contact_at: Option<SocketAddr>,
    /// Since they were last counted anew.
    unexpected_count: u64,
    /// The number of the first query asked after that.
    unexpected_since: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contact {
    None,
    /// It has yet to say hello.
    Silent(LinkId),
    Ready(LinkId),
    Lost,
}

#[derive(Clone, Debug)]
struct Peer {
    /// Its advertised address once it has said hello, until then the address of the connection.
    address: SocketAddr,
    /// Who it is, once it has said so.
    id: Option<ServentId>,
    /// What it is called, if it has said so.
    name: Option<ServentName>,
    /// What is customary in its dialect, once it has said hello.
    manners: Option<&'static Manners>,
    /// What it can do, once it has said so.
    features: Features,
    /// The longest frame it accepts, once it has said so.
    frame_bytes_max: usize,
    /// What it was dialled for, where it was not the contact that was dialled.
    fetch: Option<FetchId>,
}

impl Peer {
    /// Whether it says of an answer what kind it is, and how far away it is.
    fn tells_kind(&self) -> bool {
        self.manners.is_some_and(|manners| manners.answers_tell_kind)
    }
}

impl Session {
    /// A mind that has no contact yet, but knows what it will speak. Under the secret it draws the sequence of each
    /// request: whoever cannot guess it can neither answer nor spoil what is yet to be asked, and a client restarted on the
    /// same port is never taken for its former self. It is not used where requests are numbered from zero.
    ///
    /// With answer port 0 it hears no answers but from its contact: all of them go back, and a contact that brings none is
    /// refused.
    #[must_use]
    pub fn new(dialect: Dialect, answer_port: u16, secret: Secret) -> Session {
        let secret = Some(secret).filter(|_| !dialect.manners().counts_from_zero);
        Session {
            dialect,
            answer_port,
            sequences: Sequences::new(secret),
            asked_count: 0,
            contact: Contact::None,
            peers: BTreeMap::new(),
            newcomers: Newcomers::default(),
            pending: PendingQueries::default(),
            ended: Ended::default(),
            fetches: Fetches::default(),
            listings: Listings::default(),
            greetings: AskedGreetings::default(),
            files: FileListings::default(),
            writes: SaidWrites::default(),
            watches: SaidWatches::default(),
            contact_at: None,
            unexpected_count: 0,
            unexpected_since: 0,
        }
    }

    /// Takes one input and appends what is to be done about it. It cannot fail and never waits.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Attached { link, contact } => {
                self.contact = Contact::Silent(link);
                self.contact_at = Some(contact);
                self.greet(now, link, contact, None, out);
            }
            Input::Accepted { link, from } => self.greet(now, link, from, None, out),
            Input::Dialled { fetch, link } => match self.fetches.on_dialled(fetch, link).map(|fetch| fetch.from) {
                Some(address) => self.greet(now, link, address, Some(fetch), out),
                // Its query was over before.
                None => out.push(Output::Close { link }),
            },
            Input::DialFailed { fetch, reason } => {
                self.note_nobody_there(fetch);
                self.on_unfetched(now, fetch, reason, out);
            }
            Input::Received { link, message } => self.on_message(now, link, message, out),
            Input::Malformed { link, error } => {
                // Where a connection carries one message, one that is none is still what came.
                if let Some(&Peer { address: from, manners: Some(manners), .. }) = self.peers.get(&link)
                    && manners.answers != Bringing::Kept
                {
                    self.on_unexpected(from, "message of an unknown type", out);
                }
                out.push(Output::Close { link });
                self.on_closed(now, link, &error.to_string(), out);
            }
            Input::Closed { link, reason } => self.on_closed(now, link, &reason, out),
            Input::Cancel { sequence } if self.listings.use_sequence(sequence) => {
                self.end_listing(now, ListingEnd::Cancelled, out);
            }
            Input::Cancel { sequence } if self.greetings.use_sequence(sequence) => {
                self.end_greeting(now, GreetEnd::Cancelled, out);
            }
            Input::Cancel { sequence } if self.files.use_sequence(sequence) => {
                self.end_files(now, ListingEnd::Cancelled, out);
            }
            Input::Cancel { sequence } if self.writes.use_sequence(sequence) => {
                self.give_up_write(now, sequence, WriteEnd::Cancelled, out);
            }
            Input::Cancel { sequence } if self.watches.are_open_by(sequence) => self.end_watch(sequence, out),
            Input::Cancel { sequence } => self.end(now, sequence, EndReason::Cancelled, out),
            Input::Deadline => self.on_deadline(now, out),
        }
        self.begin_fetches(now, out);
        self.give_up_fetches(now, out);
    }

    /// Asks, and gives the number by which whatever is told of this query names it. It may be over at once, where the
    /// contact does not understand it, or where no answers are wanted.
    ///
    /// # Errors
    ///
    /// Where [`CLIENT_PENDING_MAX`] queries are pending.
    pub fn ask(&mut self, now: Time, question: Question, out: &mut Vec<Output>) -> Result<u64, TooManyPending> {
        let needs = question.needs();
        self.ask_who_understands(now, question, needs, out)
    }

    /// When the mind next wants to hear [`Input::Deadline`].
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let links = self.newcomers.deadline().min(self.fetches.deadline());
        let of_contact = self.listings.deadline().min(self.greetings.deadline()).min(self.files.deadline());
        let of_contact = of_contact.min(self.writes.deadline());
        let deadline = self.pending.deadline().min(of_contact).min(links);
        Some(deadline).filter(|deadline| *deadline != Time::NEVER)
    }

    /// The address that the contact goes by, as its answers have it; nothing while there is none that has said hello.
    #[must_use]
    pub fn contact_goes_by(&self) -> Option<SocketAddr> {
        let Contact::Ready(link) = self.contact else { return None };
        self.peers.get(&link).map(|peer| peer.address)
    }

    /// What the contact is called, where it says so.
    #[must_use]
    pub fn contact_name(&self) -> Option<&ServentName> {
        let Contact::Ready(link) = self.contact else { return None };
        self.peers.get(&link)?.name.as_ref()
    }

    /// How many queries are pending.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    fn greet(&mut self, now: Time, link: LinkId, address: SocketAddr, fetch: Option<FetchId>, out: &mut Vec<Output>) {
        self.peers.insert(
            link,
            Peer { address, id: None, name: None, manners: None, features: Features::NONE, frame_bytes_max: 0, fetch },
        );
        if fetch.is_none() {
            self.newcomers.insert(now, link, ());
        }
        // Whoever is asked alone answers over the link it is asked on.
        let answer_port = if fetch.is_some() { 0 } else { self.answer_port };
        let hello = Hello::new(Role::Client { answer_port });
        out.push(Output::Send { link, message: Message::Hello(hello) });
    }

    fn on_message(&mut self, now: Time, link: LinkId, message: Message, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        match message {
            Message::Hello(Hello {
                role: role @ (Role::Servent { .. } | Role::Nameless),
                name,
                dialect,
                features,
                frame_bytes_max,
            }) if peer.manners.is_none() => {
                peer.manners = Some(dialect.manners());
                peer.name = name;
                peer.features = features;
                peer.frame_bytes_max = usize::try_from(frame_bytes_max).unwrap_or(usize::MAX);
                if let Role::Servent { id, advertised } = role {
                    peer.id = Some(id);
                    peer.address = advertised;
                }
                self.on_greeted(now, link, out);
            }
            Message::Goodbye(farewell) => {
                out.push(Output::Close { link });
                self.on_closed(now, link, &format!("it said goodbye, because {farewell}"), out);
            }
            message if peer.manners.is_none() => {
                let reason = format!("it sent a {} before saying hello as a servent", message.name());
                out.push(Output::Send { link, message: Message::Goodbye(Goodbye::Protocol) });
                out.push(Output::Close { link });
                self.on_closed(now, link, &reason, out);
            }
            Message::Ping => out.push(Output::Send { link, message: Message::Pong }),
            message => {
                let peer = peer.clone();
                self.on_report(now, link, &peer, message, out);
            }
        }
    }

    fn on_greeted(&mut self, now: Time, link: LinkId, out: &mut Vec<Output>) {
        self.newcomers.remove(link);
        let Some(peer) = self.peers.get(&link).cloned() else { return };
        if let Some(fetch) = peer.fetch {
            self.ask_alone(now, fetch, &peer, out);
        }
        if self.contact == Contact::Silent(link) {
            if self.answer_port == 0 && !peer.features.include(Features::BACK) {
                let reason = "it does not bring answers back, and none can be dialled: this client has no answer port";
                out.push(Output::Close { link });
                self.on_closed(now, link, reason, out);
                return;
            }
            self.contact = Contact::Ready(link);
            out.push(Output::Tell(Report::Ready));
        }
    }

    /// What a servent says once it has said hello.
    fn on_report(&mut self, now: Time, link: LinkId, peer: &Peer, message: Message, out: &mut Vec<Output>) {
        let name = message.name();
        let is_expected = if let Some(fetch) = peer.fetch {
            self.on_said_alone(now, fetch, peer.name.clone(), message, out)
        } else {
            self.on_said(now, link, peer, message, out)
        };
        if !is_expected {
            self.on_unexpected(peer.address, name, out);
        }
    }

    /// Whether it is something that may come.
    fn on_said(&mut self, now: Time, link: LinkId, peer: &Peer, message: Message, out: &mut Vec<Output>) -> bool {
        match message {
            Message::Answer(answer) => self.on_answer(now, peer, answer, out),
            Message::Handed(handed) => self.on_handed(now, link, handed, out),
            Message::Finished(finished) => self.on_finished(now, link, finished, out),
            Message::Peers(peers) => self.on_peers(now, link, peers, out),
            Message::Pong => self.listings.on_pong(link),
            Message::Greeted(greeted) => self.on_greeting_told(now, link, greeted, out),
            Message::ListPart(part) => self.on_list_part(now, link, part, out),
            Message::Written(written) => self.on_written(now, link, written, out),
            Message::Changed(changed) => self.on_changed(link, changed, out),
            Message::Hello(_)
            | Message::Goodbye(_)
            | Message::Ping
            | Message::Request(_)
            | Message::Query(_)
            | Message::Echo(_)
            | Message::Brought(_)
            | Message::PeersWanted(_)
            | Message::Greet(_)
            | Message::List(_)
            | Message::Open(_)
            | Message::Opened(_)
            | Message::Refused(_)
            | Message::HashesWanted(_)
            | Message::HashPart(_)
            | Message::BlocksWanted(_)
            | Message::Block(_)
            | Message::Write(_)
            | Message::Watch(_)
            | Message::Unwatch(_) => false,
        }
    }

    /// Whether it is one that is waited for, or that nobody wants any more.
    fn on_answer(&mut self, now: Time, peer: &Peer, answer: Answer, out: &mut Vec<Output>) -> bool {
        let Answer { sequence, asked, hops, body } = answer;
        let Some(pending) = self.pending.get_mut(sequence) else {
            return self.ended.may_be_answered(sequence);
        };
        // It is one to that query as far as whoever brings it says what it is to, of what kind it is, and who it is.
        let is_place_as_text = !peer.tells_kind() && pending.kind() == AnswerKind::Place;
        let expected = if is_place_as_text { AnswerKind::Value } else { pending.kind() };
        if asked.is_some_and(|asked| asked != pending.asked_hash)
            || body.kind() != expected
            || peer.id.is_some_and(|id| pending.answerers.include(id))
        {
            return false;
        }
        let (from, name, elapsed) = (peer.address, peer.name.clone(), now.since(pending.asked));
        let (hops, body) = match body {
            AnswerBody::Value(text) if pending.kind() == AnswerKind::Place => place_from_text(text),
            body => (peer.tells_kind().then_some(hops), body),
        };
        out.push(Output::Tell(Report::Answer { sequence, from, name, hops, via: Via::Direct, body, elapsed }));
        self.pending.on_answered(now, sequence, peer.id);
        self.end_if_enough(now, sequence, out);
        true
    }

    /// Whether it is an answer that may come over this link, be it again: on its way back a link may be lost.
    fn on_handed(&mut self, now: Time, link: LinkId, handed: Handed, out: &mut Vec<Output>) -> bool {
        let Handed { sequence, answer } = handed;
        let BroughtAnswer { id, from, name, hops, body } = Arc::unwrap_or_clone(answer);
        let kind = body.kind();
        if !self.dialect.manners().brings_back {
            return false;
        }
        let Some(pending) = self.pending.get_mut(sequence) else {
            let asked = match self.ended.take_handed(sequence, link, id, kind) {
                HandedLate::New { asked } => asked,
                HandedLate::Known => return true,
                HandedLate::Unexpected => return false,
            };
            out.push(Output::Tell(match body {
                BroughtBody::Whole(body) => {
                    Report::Late { sequence, from, name, hops, body, elapsed: now.since(asked) }
                }
                BroughtBody::Announced(bytes_count) => {
                    let reason = "it was announced when the query was over".to_owned();
                    Report::Unfetched { sequence, from, bytes_count, reason }
                }
            }));
            return true;
        };
        if pending.asked_of != Some(link) || kind != pending.kind() {
            return false;
        }
        match body {
            _ if pending.answerers.include(id) => {}
            BroughtBody::Whole(body) => {
                let elapsed = now.since(pending.asked);
                let report = Report::Answer { sequence, from, name, hops: Some(hops), via: Via::Back, body, elapsed };
                self.on_brought(now, sequence, id, report, out);
            }
            BroughtBody::Announced(bytes_count) => {
                let stage = FetchStage::Waiting;
                self.on_announced(now, Fetch { query: sequence, id, from, hops, bytes_count, stage }, out);
            }
        }
        true
    }

    /// An answer has come back to a pending query, whole or after it was announced.
    fn on_brought(&mut self, now: Time, sequence: u64, id: ServentId, report: Report, out: &mut Vec<Output>) {
        out.push(Output::Tell(report));
        self.pending.on_answered(now, sequence, Some(id));
        self.end_if_enough(now, sequence, out);
    }

    /// There is a value to be fetched for a pending query. What cannot be is told to be missing.
    fn on_announced(&mut self, now: Time, fetch: Fetch, out: &mut Vec<Output>) {
        let Fetch { query: sequence, id, from, bytes_count, .. } = fetch;
        let Some(fetching) = self.pending.on_announced(now, sequence, id, from) else { return };
        let is_here = |address: SocketAddr| address.ip().to_canonical().is_loopback();
        // Whoever announces a value names the address: nobody else is to have this client dial itself, or a crowd.
        let refused = if !names_one_end(canonical(from)) || (is_here(from) && !self.contact_at.is_some_and(is_here)) {
            "it is at an address that means nobody from here"
        } else if fetching.failed_at.contains(&from) {
            FAILED_BEFORE
        } else if let Some(fetch) = self.fetches.insert(fetch) {
            fetching.open.insert((id, fetch));
            return;
        } else {
            "too many values wait to be fetched"
        };
        // It may be on its way from another address.
        if fetching.open_of(id).next().is_none() {
            let reason = refused.to_owned();
            out.push(Output::Tell(Report::Unfetched { sequence, from, bytes_count, reason }));
        }
    }

    /// Has as many dialled as may be under way.
    fn begin_fetches(&mut self, now: Time, out: &mut Vec<Output>) {
        while let Some((id, fetch)) = self.fetches.begin_next(now) {
            if self.pending.get_mut(fetch.query).is_some_and(|pending| pending.has_failed_at(fetch.from)) {
                self.on_unfetched(now, id, FAILED_BEFORE.to_owned(), out);
            } else {
                out.push(Output::Dial { fetch: id, address: fetch.from });
            }
        }
    }

    /// Whoever was dialled to be asked alone has said hello.
    fn ask_alone(&mut self, now: Time, id: FetchId, peer: &Peer, out: &mut Vec<Output>) {
        let Some(Fetch { query, id: servent, stage: FetchStage::Linked(link), .. }) = self.fetches.get(id).copied()
        else {
            return;
        };
        let Some(ask) = self.pending.get_mut(query).map(|pending| pending.ask.clone()) else { return };
        let mut request = Request { sequence: 0, ask, ttl: Some(0) };
        if peer.id != Some(servent) {
            self.on_unfetched(now, id, "another servent is there now, or it was started anew".to_owned(), out);
        } else if !peer.features.include(request.needs()) {
            self.on_unfetched(now, id, "it cannot be asked alone: it is too old for that".to_owned(), out);
        } else {
            request.sequence = self.draw_sequence();
            self.fetches.on_asked(now, id, request.sequence);
            out.push(Output::Send { link, message: Message::Request(request) });
        }
    }

    /// What somebody says who was dialled to be asked alone. Whether that is what may come of it.
    fn on_said_alone(
        &mut self,
        now: Time,
        id: FetchId,
        name: Option<ServentName>,
        message: Message,
        out: &mut Vec<Output>,
    ) -> bool {
        let Some(fetch) = self.fetches.get(id).copied() else { return false };
        let Some(asked) = fetch.sequence() else { return false };
        if let Message::Finished(Finished { sequence, .. }) = message
            && sequence == asked
        {
            self.on_unfetched(now, id, "it does not have it any more".to_owned(), out);
            return true;
        }
        let Message::Answer(Answer { sequence, asked: hash, body: body @ AnswerBody::Value(_), .. }) = message else {
            return false;
        };
        let Some(pending) = self.pending.get_mut(fetch.query) else { return false };
        if sequence != asked || hash.is_some_and(|hash| hash != pending.asked_hash) {
            return false;
        }
        let (is_new, elapsed) = (!pending.answerers.include(fetch.id), now.since(pending.asked));
        // Where else it is looked for, it need not be any more.
        let open = pending.fetching.as_ref().map(|fetching| fetching.open_of(fetch.id).collect::<Vec<_>>());
        for id in open.unwrap_or_default() {
            self.drop_fetch(id, out);
        }
        if is_new {
            let Fetch { query: sequence, from, hops, .. } = fetch;
            let report = Report::Answer { sequence, from, name, hops: Some(hops), via: Via::Back, body, elapsed };
            self.on_brought(now, sequence, fetch.id, report, out);
        } else {
            self.end_if_enough(now, fetch.query, out);
        }
        true
    }

    /// A value cannot be fetched. Unless it came meanwhile, or is being fetched at another address, it is missing.
    fn on_unfetched(&mut self, now: Time, id: FetchId, reason: String, out: &mut Vec<Output>) {
        let Some(fetch) = self.drop_fetch(id, out) else { return };
        let Fetch { query: sequence, from, bytes_count, .. } = fetch;
        let Some(pending) = self.pending.get_mut(sequence) else { return };
        if pending.misses(fetch.id) {
            out.push(Output::Tell(Report::Unfetched { sequence, from, bytes_count, reason }));
        }
        self.end_if_enough(now, sequence, out);
    }

    /// A fetch is over, whatever came of it.
    fn drop_fetch(&mut self, id: FetchId, out: &mut Vec<Output>) -> Option<Fetch> {
        let fetch = self.fetches.remove(id)?;
        if let Some(sequence) = fetch.sequence() {
            self.sequences.retire(sequence);
        }
        if let Some(link) = fetch.link()
            && self.peers.remove(&link).is_some()
        {
            out.push(Output::Close { link });
        }
        if let Some(fetching) = self.pending.get_mut(fetch.query).and_then(|pending| pending.fetching.as_mut()) {
            fetching.open.remove(&(fetch.id, id));
        }
        Some(fetch)
    }

    /// Where a fetch was to be, nobody said hello: whoever else is said to be there is not dialled for this query.
    fn note_nobody_there(&mut self, id: FetchId) {
        let Some(Fetch { query, from, .. }) = self.fetches.get(id).copied() else { return };
        if let Some(fetching) = self.pending.get_mut(query).and_then(|pending| pending.fetching.as_mut()) {
            fetching.failed_at.insert(from);
        }
    }

    /// Whether it is the contact's word on a query that it owes one on.
    fn on_finished(&mut self, now: Time, link: LinkId, finished: Finished, out: &mut Vec<Output>) -> bool {
        let Finished { sequence, tally } = finished;
        let Some(pending) = self.pending.get_mut(sequence) else {
            return self.ended.take_finished(sequence, link, &tally);
        };
        if pending.asked_of != Some(link) || pending.told.is_some() {
            return false;
        }
        pending.told = Some(tally);
        self.end_if_enough(now, sequence, out);
        true
    }

    fn on_unexpected(&mut self, from: SocketAddr, message: &'static str, out: &mut Vec<Output>) {
        self.unexpected_count = self.unexpected_count.saturating_add(1);
        if self.unexpected_count <= UNEXPECTED_TOLD_MAX {
            out.push(Output::Tell(Report::Unexpected { from, message }));
        }
    }

    fn on_closed(&mut self, now: Time, link: LinkId, reason: &str, out: &mut Vec<Output>) {
        let peer = self.peers.remove(&link);
        self.newcomers.remove(link);
        if let Some(Peer { fetch: Some(fetch), manners, .. }) = peer {
            if manners.is_none() {
                self.note_nobody_there(fetch);
            }
            self.on_unfetched(now, fetch, reason.to_owned(), out);
        }
        match self.contact {
            Contact::Silent(contact) if contact == link => {
                self.contact = Contact::Lost;
                out.push(Output::Tell(Report::Refused { reason: reason.to_owned() }));
            }
            Contact::Ready(contact) if contact == link => {
                self.contact = Contact::Lost;
                out.push(Output::Tell(Report::ContactLost { reason: reason.to_owned() }));
                if self.listings.on_closed(link) {
                    self.end_listing(now, ListingEnd::ContactLost, out);
                }
                self.greetings.on_contact_lost();
                self.end_greeting(now, GreetEnd::ContactLost, out);
                self.end_files(now, ListingEnd::ContactLost, out);
                self.lose_writes(now, out);
                self.lose_watches(out);
            }
            _ => log::debug!("{link} closed: {reason}"),
        }
    }

    fn ask_who_understands(
        &mut self,
        now: Time,
        question: Question,
        needs: Features,
        out: &mut Vec<Output>,
    ) -> Result<u64, TooManyPending> {
        if self.pending.len() >= CLIENT_PENDING_MAX {
            return Err(TooManyPending);
        }
        let Question { ask, silence_max, answers_wanted, ttl } = question;
        let sequence = self.draw_sequence();
        let number = self.asked_count;
        self.asked_count = number.wrapping_add(1);
        let asked_of = if let Contact::Ready(link) = self.contact { Some(link) } else { None };
        let pending = Pending {
            number,
            asked_hash: AskHash::of(&ask),
            ask: ask.clone(),
            asked_of,
            asked: now,
            silence_max,
            answers_wanted,
            answers: 0,
            answerers: Answerers::default(),
            told: None,
            fetching: None,
        };
        self.pending.insert(now, sequence, pending);
        if let Some(link) = asked_of {
            if self.peers.get(&link).is_some_and(|contact| contact.features.include(needs)) {
                out.push(Output::Send { link, message: Message::Request(Request { sequence, ask, ttl }) });
            } else {
                self.end(now, sequence, EndReason::NotUnderstood, out);
            }
        }
        self.end_if_enough(now, sequence, out);
        Ok(sequence)
    }

    /// One that nothing is known by which is under way or may still come.
    fn draw_sequence(&mut self) -> u64 {
        let Session { sequences, pending, ended, fetches, listings, greetings, files, writes, watches, .. } = self;
        sequences.draw(|sequence| {
            pending.include(sequence)
                || ended.include(sequence)
                || fetches.use_sequence(sequence)
                || listings.use_sequence(sequence)
                || greetings.use_sequence(sequence)
                || files.use_sequence(sequence)
                || writes.use_sequence(sequence)
                || watches.use_sequence(sequence)
        })
    }

    fn on_deadline(&mut self, now: Time, out: &mut Vec<Output>) {
        for link in self.newcomers.overdue(now).collect::<Vec<_>>() {
            out.push(Output::Close { link });
            self.on_closed(now, link, &format!("it did not say hello within {} s", HELLO_WAIT_MAX.as_secs()), out);
        }
        while let Some(sequence) = self.pending.overdue(now) {
            self.end(now, sequence, EndReason::Silence, out);
        }
        if self.listings.deadline() <= now {
            self.end_listing(now, ListingEnd::Silence, out);
        }
        if self.greetings.deadline() <= now {
            self.end_greeting(now, GreetEnd::Silence, out);
        }
        if self.files.deadline() <= now {
            self.end_files(now, ListingEnd::Silence, out);
        }
        self.give_up_overdue_writes(now, out);
    }

    /// Gives up what has taken too long, one by one: the place of one may be all that is waited for.
    fn give_up_fetches(&mut self, now: Time, out: &mut Vec<Output>) {
        while let Some(id) = self.fetches.overdue(now) {
            let Some(stage) = self.fetches.get(id).map(|fetch| fetch.stage) else { return };
            let late = match stage {
                FetchStage::Waiting | FetchStage::Dialling => "it could not be reached",
                FetchStage::Linked(_) => "it did not say hello",
                FetchStage::Asked(..) => "it did not give it",
            };
            if !matches!(stage, FetchStage::Asked(..)) {
                self.note_nobody_there(id);
            }
            let reason = format!("{late} within {} s", FETCH_WAIT_MAX.as_secs());
            self.on_unfetched(now, id, reason, out);
            self.begin_fetches(now, out);
        }
    }

    fn end_if_enough(&mut self, now: Time, sequence: u64, out: &mut Vec<Output>) {
        let Some(pending) = self.pending.get_mut(sequence) else { return };
        if pending.told.is_some_and(|tally| tally.is_whole() && pending.keeps(&tally)) {
            self.end(now, sequence, EndReason::Complete, out);
        } else if pending.answers_wanted.is_some_and(|wanted| pending.answers >= wanted) {
            self.end(now, sequence, EndReason::Answers, out);
        } else if pending.told.is_some_and(|tally| !tally.is_dialled) && !pending.is_fetching() {
            // What went back came ahead of the contact's word: there is nothing to wait for.
            self.end(now, sequence, EndReason::Incomplete, out);
        }
    }

    fn end(&mut self, now: Time, sequence: u64, reason: EndReason, out: &mut Vec<Output>) {
        let Some(mut pending) = self.pending.remove(sequence) else { return };
        let Pending { asked_of, asked, answers, told, .. } = pending;
        self.sequences.retire(sequence);
        let mut missing = None;
        for (id, fetch) in pending.fetching.take().map(|fetching| fetching.open).unwrap_or_default() {
            let Some(Fetch { from, bytes_count, .. }) = self.drop_fetch(fetch, out) else { continue };
            // Once of each, at however many addresses it is looked for.
            if reason == EndReason::Silence && !pending.answerers.include(id) && missing.replace(id) != Some(id) {
                let reason = "it did not come in time".to_owned();
                out.push(Output::Tell(Report::Unfetched { sequence, from, bytes_count, reason }));
            }
        }
        let is_asked = reason != EndReason::NotUnderstood;
        // In a dialect without echoes no contact reports.
        let is_silent = is_asked && !self.dialect.manners().echoes;
        self.tell_more_unexpected(pending.number, out);
        let untold = Tally {
            reached: answers,
            answers,
            lost: u64::from(!is_asked || reason == EndReason::Silence && !is_silent),
            silent: u64::from(is_silent),
            ..Tally::default()
        };
        let ending = Ending {
            reason,
            answers,
            missing: match (reason, told) {
                (EndReason::Answers, _) | (_, None) => 0,
                (_, Some(told)) => told.answers.saturating_sub(pending.answerers.len() as u64),
            },
            doubtful: matches!(reason, EndReason::Silence | EndReason::Incomplete)
                && told.is_some_and(|told| pending.contradicts(&told)),
            tally: told.unwrap_or(untold),
            tally_told: told.is_some(),
            elapsed: now.since(asked),
        };
        out.push(Output::Tell(Report::Ended { sequence, ending }));
        match reason {
            EndReason::Answers | EndReason::Cancelled => {
                self.ended.insert(sequence, MayCome::Anything { from: asked_of });
            }
            EndReason::Silence | EndReason::Incomplete => {
                if let Some(from) = asked_of.filter(|_| !is_silent) {
                    let (is_owed, kind) = (told.is_none(), pending.kind());
                    let late = LateQuery::new(from, is_owed, kind, asked, pending.answerers);
                    self.ended.insert(sequence, MayCome::Late(late));
                }
            }
            EndReason::Complete | EndReason::NotUnderstood => {}
        }
    }

    /// How many came that were not told, where the query that ends is one to tell it at.
    fn tell_more_unexpected(&mut self, ends: u64, out: &mut Vec<Output>) {
        if ends >= self.unexpected_since || self.pending.is_empty() {
            self.unexpected_since = self.asked_count;
            let count = std::mem::take(&mut self.unexpected_count).saturating_sub(UNEXPECTED_TOLD_MAX);
            if count > 0 {
                out.push(Output::Tell(Report::MoreUnexpected { count }));
            }
        }
    }
}

/// A place told as the text of its path, and how far away it is.
fn place_from_text(text: Vec<u8>) -> (Option<u8>, AnswerBody) {
    let words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).count();
    let hops = u8::try_from(words.saturating_sub(1)).ok();
    (hops, AnswerBody::Place { path: Path::Text(text), neighbors: Vec::new() })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::features::MADE_UP;
    use crate::limits::SILENCE_DEFAULT;
    use crate::message::ServentId;
    use crate::query::Ask;

    /// No ask needs a feature yet, so the need is made up here.
    #[test]
    fn what_the_contact_does_not_understand_is_not_asked_and_costs_nobody_the_contact() {
        let [offered, other, _] = MADE_UP;
        let link = LinkId(1);
        let contact = SocketAddr::from(([127, 0, 0, 1], 9000));
        let servent = Hello::new(Role::Servent { id: ServentId(7), advertised: contact });
        let native = Hello { features: offered, ..servent };
        let nameless = Hello { features: offered, ..Hello::said_in(Dialect::Tp3, Role::Nameless) };
        for (dialect, hello) in [(Dialect::Native, native), (Dialect::Tp3, nameless)] {
            let mut session = Session::new(dialect, 9990, Secret::of_seed(7));
            let mut out = Vec::new();
            session.handle(Time::START, Input::Attached { link, contact }, &mut out);
            session.handle(Time::START, Input::Received { link, message: Message::Hello(hello) }, &mut out);
            assert_eq!(out.last(), Some(&Output::Tell(Report::Ready)));
            for (needs, is_asked) in
                [(Features::NONE, true), (offered, true), (other, false), (offered.with(other), false), (offered, true)]
            {
                let mut out = Vec::new();
                let question = Question::new(Ask::Topology);
                let sequence = session.ask_who_understands(Time::START, question, needs, &mut out).unwrap();
                assert_eq!(session.pending_count() > 0, is_asked, "{needs:?} needed");
                if is_asked {
                    let [Output::Send { message: Message::Request(_), .. }] = out[..] else { panic!("{out:?}") };
                    session.handle(Time::START + SILENCE_DEFAULT, Input::Deadline, &mut Vec::new());
                    assert_eq!(session.pending_count(), 0);
                } else {
                    let ending = Ending {
                        reason: EndReason::NotUnderstood,
                        answers: 0,
                        missing: 0,
                        doubtful: false,
                        tally: Tally { lost: 1, ..Tally::default() },
                        tally_told: false,
                        elapsed: Duration::ZERO,
                    };
                    assert_eq!(out, [Output::Tell(Report::Ended { sequence, ending })], "{needs:?} needed");
                    assert_eq!(session.deadline(), None, "nothing is waited for");
                }
            }
            let owed = if dialect == Dialect::Native { 3 } else { 0 };
            assert_eq!(session.ended.len(), owed, "nobody reports what was not asked");
        }
    }
}
