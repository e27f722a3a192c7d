//! The face of a scene: its servents and clients are started as it says, its faults decide what dials and look-ups come
//! to, and the witness is shown all that happens.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use common::dialect::Dialect;
use common::disk::{BlocksToRead, HashesToRead, Job, JobDone};
use common::exchange::{Exchange, Heard};
use common::fetch;
use common::link::{LinkId, SendError};
use common::message::Message;
use common::overlay::{self, Overlay};
use common::query::{AnswerBody, Ask, Path, QueryId, Via};
use common::servent_name::ServentName;
use common::session::{ListingEnd, Report, Session};
use common::wire::Accepts;

use super::clock::Nanos;
use super::dials::{Caller, Fate, Knock};
use super::disks::Disks;
use super::downloads::{DownloadNews, Downloads};
use super::ends::EndAt;
use super::face::{Face, FetchWish};
use super::false_holders::FalseHolders;
use super::keeping::{FoundAtStart, KeptDisks};
use super::machines::MachineKind;
use super::network::{LinkNews, SimNetwork};
use super::shell::{Mind, Shell};
use super::troubles::Troubles;
use super::witness::{CopyHeard, ToldPlace, Witness};
use super::writing_clients::WritingClients;
use crate::cast::{self, Nat, Stores};
use crate::plan::Wire;
use crate::scene::Scene;

/// What a scene has come, beside what follows from it.
#[derive(Clone, Copy, Debug)]
pub(super) enum SceneEvent {
    /// A client comes.
    Attach { query: usize },
    /// A client is to ask.
    Ask { query: usize },
    /// A fault begins.
    Begins { fault: usize },
    /// A fault is over.
    Ends { fault: usize },
    /// A connection of a flapping link has stood long enough.
    Flap { connection: usize },
    /// A hostile servent does something.
    Misdeed { fault: usize },
    /// A servent that was stopped goes on, if it is still the one that was.
    GoOn { servent: usize, life: u32 },
    /// A client that has somebody greeted is to ask for it.
    AskGreeting { node: usize },
    /// Such a client goes.
    Leave { node: usize },
    /// A fetch begins, or goes on after it was cut short.
    FetchBegins { fetch: usize },
    /// Its client is to ask who has it, if it can.
    FetchAsks { fetch: usize },
    /// It has asked, or nobody is there to be asked.
    FetchAsked { fetch: usize },
    /// Somebody is said to have it.
    FetchHears { fetch: usize },
    /// Its client's contact is lost, or was not there.
    FetchUnattached { fetch: usize, node: usize },
    /// It is cut short, if it is still the same.
    FetchCut { fetch: usize, life: u32 },
    /// It is over.
    FetchOver { fetch: usize },
    /// A client is to have its contact keep something.
    WriteComes { write: usize },
    /// A client that writes goes on, if it has anything to say.
    WriterComes { writer: usize },
    /// It goes at once.
    WriterGoes { writer: usize, node: usize },
    /// Its contact is lost, or was not there.
    WriterUnattached { writer: usize, node: usize },
    /// The world looks how far things are.
    Look,
}

/// What a client wants that has somebody greeted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Greeter {
    pub(super) whom: usize,
    /// How long it waits for what comes of it.
    pub(super) waits: Nanos,
}

pub(super) type SceneNetwork = SimNetwork<SceneEvent>;

/// A scene, what is wrong in it just now, and who judges it.
pub(super) struct SceneFace<'s> {
    pub(super) scene: &'s Scene,
    pub(super) troubles: Troubles,
    pub(super) witness: Witness<'s>,
    /// Echoes that servents heard.
    pub(super) echoes: u64,
    /// Dials of servents.
    pub(super) dials: u64,
    /// The clients that have somebody greeted, by their nodes.
    pub(super) greeters: BTreeMap<usize, Greeter>,
    pub(super) downloads: Downloads,
    pub(super) writers: WritingClients,
    pub(super) kept: KeptDisks,
    disks: Disks,
    false_holders: FalseHolders,
    stores: Stores,
}

impl<'s> SceneFace<'s> {
    pub(super) fn new(scene: &'s Scene, ways_are_narrow: bool) -> SceneFace<'s> {
        let (troubles, witness) = (Troubles::new(scene), Witness::new(scene, ways_are_narrow));
        let (greeters, stores, disks) = (BTreeMap::new(), Stores::new(), Disks::new(scene));
        let hashed = |number: u32| {
            let content = scene.contents.iter().find(|content| content.number == number)?;
            Some((disks.of(content.bytes)?.hash, content.bytes.size))
        };
        let downloads = Downloads::new(scene, hashed);
        let false_holders = FalseHolders::new(scene, |number| hashed(number).map(|(hash, _)| hash));
        let (writers, kept) = (WritingClients::new(scene), KeptDisks::new(scene));
        let (echoes, dials) = (0, 0);
        SceneFace {
            scene,
            troubles,
            witness,
            echoes,
            dials,
            greeters,
            downloads,
            writers,
            kept,
            disks,
            false_holders,
            stores,
        }
    }

    fn query_of(&self, node: usize) -> Option<usize> {
        self.witness.seen.queries.asked_at(node)
    }

    /// What whoever lives at a node speaks to its contact, if it is a client.
    pub(super) fn dialect_of_client(&self, node: usize) -> Dialect {
        self.query_of(node).map_or(Dialect::OWN, |query| self.witness.dialect_of(query))
    }

    /// A client tells of an answer: whose it is and how far it came, and how.
    fn tell_of_answer(
        &mut self,
        network: &SceneNetwork,
        query: usize,
        sequence: u64,
        (from, hops, via): (SocketAddr, Option<u8>, Via),
        name: Option<&ServentName>,
        body: &AnswerBody,
    ) {
        let now = network.clock.now();
        self.witness.on_told_of(now, query, sequence);
        let from = network.at_address(from).filter(|from| *from < self.scene.graph.servents());
        if let Some(from) = from {
            self.witness.on_called(now, query, (from, tells_who(hops, body)), name.map(ServentName::as_str));
        }
        let place = ToldPlace::of(body, |address| network.at_address(address));
        self.witness.on_answer(now, query, (from, hops, via), body, place.as_ref());
    }

    /// A client that has somebody greeted is told something, and asks or goes because of that.
    fn tell_greeter(
        &mut self,
        network: &SceneNetwork,
        (node, whom): (usize, usize),
        report: &Report,
    ) -> Option<SceneEvent> {
        let (now, contact) = (network.clock.now(), network.machines[node].place);
        match report {
            Report::Ready => return Some(SceneEvent::AskGreeting { node }),
            Report::Greeted { greeting, .. } => self.witness.on_greeting_over(now, (contact, whom), greeting),
            Report::Refused { .. } | Report::ContactLost { .. } => {}
            _ => self.witness.broke(now, "a client that has somebody greeted was told of something else"),
        }
        Some(SceneEvent::Leave { node })
    }

    /// A client that asks who has a content is told something, and something comes of that.
    fn tell_asker(
        &mut self,
        network: &SceneNetwork,
        (node, fetch): (usize, usize),
        report: Report,
    ) -> Option<SceneEvent> {
        let now = network.clock.now();
        let download = self.downloads.all.get_mut(fetch).filter(|download| download.asker == Some(node))?;
        hear_of_content(&mut self.witness, network, node, &report);
        match report {
            Report::Ready => {
                download.is_ready = true;
                Some(SceneEvent::FetchAsks { fetch })
            }
            Report::Refused { .. } | Report::ContactLost { .. } => Some(SceneEvent::FetchUnattached { fetch, node }),
            Report::Answer { from, body: AnswerBody::Entries(entries), .. }
            | Report::Late { from, body: AnswerBody::Entries(entries), .. } => {
                let hash = download.hash;
                let entry = entries.entries.into_iter().find(|entry| entry.hash == hash)?;
                download.found.push((from, entry.have));
                Some(SceneEvent::FetchHears { fetch })
            }
            Report::Ended { sequence, .. } => {
                (download.sequence == Some(sequence)).then_some(SceneEvent::FetchAsked { fetch })
            }
            Report::Files { entries, .. } => {
                self.witness.fetches().on_files(fetch, entries.iter().map(|entry| entry.name.as_bytes()));
                None
            }
            Report::FilesListed { listed, .. } => {
                self.witness.on_files_listed(now, fetch, listed.reason == ListingEnd::Complete);
                None
            }
            Report::Members { .. } | Report::Listed { .. } | Report::Greeted { .. } => {
                self.witness.broke(now, "a client that fetches was told of members");
                None
            }
            Report::Written { .. } | Report::Changed { .. } | Report::WatchEnded { .. } => {
                self.witness.broke(now, "a client that fetches was told of writes");
                None
            }
            // Forged answers are of any kind.
            Report::Answer { .. }
            | Report::Late { .. }
            | Report::Unfetched { .. }
            | Report::Unexpected { .. }
            | Report::MoreUnexpected { .. } => None,
        }
    }

    /// A client that writes is told something, and something comes of that.
    fn tell_writer(
        &mut self,
        network: &SceneNetwork,
        (node, writer): (usize, usize),
        report: &Report,
    ) -> Option<SceneEvent> {
        let now = network.clock.now();
        let state = self.writers.all.get_mut(writer)?;
        match report {
            Report::Ready => {
                state.on_ready();
                return Some(SceneEvent::WriterComes { writer });
            }
            Report::Refused { .. } | Report::ContactLost { .. } => {
                return Some(SceneEvent::WriterUnattached { writer, node });
            }
            Report::Members { .. } | Report::Listed { .. } | Report::Greeted { .. } => {
                self.witness.broke(now, "a client that writes was told of members");
            }
            Report::Files { entries, .. } => self.witness.on_contact_files(node, entries),
            Report::FilesListed { listed, .. } if listed.reason == ListingEnd::Complete => {
                self.witness.on_contact_listed(now, node);
            }
            Report::Answer { .. } | Report::Ended { .. } => hear_of_content(&mut self.witness, network, node, report),
            Report::Written { sequence, written } => {
                self.witness.on_written_reported(now, node, *sequence, written);
            }
            Report::Changed { sequence, value } => {
                self.witness.on_changed_reported(now, node, *sequence, value.as_deref());
            }
            // Forged answers are of any kind.
            Report::FilesListed { .. }
            | Report::WatchEnded { .. }
            | Report::Late { .. }
            | Report::Unfetched { .. }
            | Report::Unexpected { .. }
            | Report::MoreUnexpected { .. } => {}
        }
        None
    }

    /// Whether one lives at a node who asks this about contents: whoever writes asks for keys of its own.
    fn asks_of_contents(&self, node: usize, ask: &Ask) -> bool {
        self.downloads.asked_by(node).is_some() || self.writers.at(node).is_some() && !matches!(ask, Ask::Key(_))
    }

    /// What comes of every dial to a client that nobody can dial.
    fn fate_of_nat(&self, to: usize) -> Option<Fate> {
        let nat = self.query_of(to).and_then(|query| self.witness.nat_of(query))?;
        Some(match nat {
            Nat::Refuses => Fate::Refused,
            Nat::Swallows => Fate::Silence,
        })
    }

    pub(super) fn is_absent(&self, servent: usize) -> bool {
        self.scene.absent.get(servent).copied().unwrap_or(false)
    }
}

/// Whether an answer came in a dialect in which servents say who they are: in others it does not say how far it came, or tells of
/// its way in words.
fn tells_who(hops: Option<u8>, body: &AnswerBody) -> bool {
    hops.is_some() && !matches!(body, AnswerBody::Place { path: Path::Text(_), .. })
}

/// A client at a node that asks of contents is told who answers, and how that ends.
fn hear_of_content(witness: &mut Witness<'_>, network: &SceneNetwork, node: usize, report: &Report) {
    let client = network.address(node);
    match report {
        Report::Answer { sequence, from, name, hops, body, .. } => {
            if let Some(from) = network.at_address(*from) {
                let name = name.as_ref().map(ServentName::as_str);
                witness.on_called_elsewhere(network.clock.now(), (from, tells_who(*hops, body)), name);
                witness.on_content_answer(QueryId { sequence: *sequence, client }, from);
            }
        }
        Report::Ended { sequence, ending } => {
            let (now, contact) = (network.clock.now(), network.machines[node].place);
            witness.on_content_ask_ended(now, QueryId { sequence: *sequence, client }, contact, ending);
        }
        _ => {}
    }
}

impl Face for SceneFace<'_> {
    type Event = SceneEvent;

    fn fate_of(&mut self, network: &SceneNetwork, knock: &Knock) -> Fate {
        match knock.to {
            Some(to) => {
                let of_faults = self.troubles.fate_of(network, knock.node, to).or_else(|| self.fate_of_nat(to));
                if of_faults == Some(Fate::Refused) {
                    self.witness.on_refused(network.clock.now(), to);
                }
                if of_faults.is_some() && matches!(knock.caller, Caller::Holder(_)) {
                    self.witness.fetches().on_kept_from(network.clock.now(), knock.node, to);
                }
                of_faults.unwrap_or_else(|| network.fate_at(to))
            }
            // Nobody ever was there: half of such addresses refuse, half do not even do that.
            None if ends_even(knock.address) => Fate::Refused,
            None => Fate::Silence,
        }
    }

    fn look_up(&mut self, _network: &SceneNetwork, servent: usize, name: &str) -> (Option<usize>, Option<Nanos>) {
        let number = name.strip_prefix('s').and_then(|number| number.parse::<usize>().ok());
        let found = number.filter(|number| *number < self.scene.graph.servents());
        match self.troubles.look_up(servent) {
            Some((wait, is_in_vain)) => (found.filter(|_| !is_in_vain), Some(wait)),
            None => (found, None),
        }
    }

    fn begin_job(&mut self, network: &SceneNetwork, servent: usize, job: &Job) -> Option<Nanos> {
        let now = network.clock.now();
        match job {
            Job::ReadBlocks(BlocksToRead { content, .. }) | Job::ReadHashes(HashesToRead { content, .. }) => {
                self.witness.on_reads(now, servent, content);
            }
            _ => {}
        }
        let Job::Commit(changes) = job else { return self.disks.begin(servent, job) };
        self.witness.on_commit(now, servent, changes);
        self.kept.begin(servent, changes)
    }

    fn end_job(&mut self, network: &SceneNetwork, servent: usize, job: &Job) -> Option<JobDone> {
        let now = network.clock.now();
        if matches!(job, Job::Commit(_)) {
            let done = self.kept.end(servent);
            if let Some(JobDone::Committed(committed)) = &done {
                self.witness.on_committed(now, servent, committed);
            }
            return done;
        }
        let (done, news) = self.disks.end(now, servent, job);
        self.witness.on_disk(now, servent, news);
        if let Some(JobDone::BlocksRead { link, read: Ok(blocks), .. }) = &done
            && !self.false_holders.has(servent)
        {
            let bytes_count = blocks.iter().map(|(_, bytes)| bytes.as_bytes().len() as u64).sum();
            let left_bytes = network.end(EndAt::of(*link)).written_bytes;
            self.witness.on_blocks_read(now, *link, bytes_count, left_bytes);
        }
        done
    }

    fn says_otherwise(&self, servent: usize) -> bool {
        self.false_holders.has(servent)
    }

    fn say_otherwise(
        &mut self,
        network: &mut SceneNetwork,
        servent: usize,
        output: overlay::Output,
    ) -> Vec<overlay::Output> {
        self.false_holders.say(network, servent, output)
    }

    fn on_fetch_told(&mut self, network: &SceneNetwork, node: usize, input: &fetch::Input) {
        self.witness.on_fetch_told(network.clock.now(), node, input);
    }

    fn on_fetch_says(&mut self, network: &SceneNetwork, node: usize, output: &fetch::Output) {
        let download = self.downloads.fetched_by(node).and_then(|fetch| self.downloads.all.get(fetch));
        if let Some(download) = download {
            self.witness.on_fetch_wants(network.clock.now(), node, output, &download.file);
        }
    }

    fn on_fetch_wants(&mut self, _network: &SceneNetwork, node: usize, output: fetch::Output) -> FetchWish<SceneEvent> {
        let Some(fetch) = self.downloads.fetched_by(node) else { return FetchWish::default() };
        let Some(download) = self.downloads.all.get_mut(fetch) else { return FetchWish::default() };
        let life = download.life;
        let FetchWish { told, event } = download.on_wants(output);
        let event = event.map(|news| match news {
            DownloadNews::AskAgain => {
                download.wants_to_ask = true;
                SceneEvent::FetchAsks { fetch }
            }
            DownloadNews::Cut => SceneEvent::FetchCut { fetch, life },
            DownloadNews::Over => SceneEvent::FetchOver { fetch },
        });
        FetchWish { told, event }
    }

    fn on_told(&mut self, network: &SceneNetwork, client: usize, report: Report) -> Option<SceneEvent> {
        if let Some(Greeter { whom, .. }) = self.greeters.get(&client).copied() {
            return self.tell_greeter(network, (client, whom), &report);
        }
        if let Some(fetch) = self.downloads.asked_by(client) {
            return self.tell_asker(network, (client, fetch), report);
        }
        if let Some(writer) = self.writers.at(client) {
            return self.tell_writer(network, (client, writer), &report);
        }
        let query = self.query_of(client)?;
        let now = network.clock.now();
        match report {
            Report::Ready => return self.witness.seen.queries.on_ready(query).then_some(SceneEvent::Ask { query }),
            Report::Refused { .. } => self.witness.seen.queries.on_refused(query),
            Report::Answer { sequence, from, name, hops, via, body, .. } => {
                self.tell_of_answer(network, query, sequence, (from, hops, via), name.as_ref(), &body);
            }
            Report::Late { sequence, from, name, hops, body, .. } => {
                self.witness.on_late(now, query);
                self.tell_of_answer(network, query, sequence, (from, Some(hops), Via::Back), name.as_ref(), &body);
            }
            Report::Ended { sequence, ending } => {
                self.witness.on_told_of(now, query, sequence);
                self.witness.on_ended(now, query, &ending);
            }
            Report::ContactLost { .. } => self.witness.seen.queries.on_contact_lost(query),
            // Values are short here, so whoever announces one lies; it was heard, and nobody is dialled for it.
            Report::Unfetched { sequence, .. } => {
                self.witness.on_told_of(now, query, sequence);
                self.witness.on_announced_value(now, query);
            }
            Report::Members { .. } | Report::Listed { .. } | Report::Greeted { .. } => {
                self.witness.broke(now, "a client was told of members it did not ask for");
            }
            Report::Files { .. } | Report::FilesListed { .. } => {
                self.witness.broke(now, "a client was told of files it did not ask for");
            }
            Report::Written { .. } | Report::Changed { .. } | Report::WatchEnded { .. } => {
                self.witness.broke(now, "a client was told of writes it did not ask for");
            }
            Report::Unexpected { .. } | Report::MoreUnexpected { .. } => {}
        }
        None
    }

    fn on_broken(&mut self, now: Nanos, text: &str) {
        self.witness.broke(now, text);
    }

    fn on_news(&mut self, now: Nanos, news: &LinkNews) -> Option<(Nanos, SceneEvent)> {
        match news {
            LinkNews::Stands { connection, nodes: [a, b] } => {
                self.witness.on_link_stands(now, *a, *b);
                let pause = self.troubles.flaps_after(*a, *b)?;
                return Some((pause, SceneEvent::Flap { connection: *connection }));
            }
            LinkNews::Falls { nodes: [a, b], had_stood } => self.witness.on_link_falls(now, *a, *b, *had_stood),
        }
        None
    }

    fn on_said(&mut self, network: &SceneNetwork, link: LinkId, message: &Message, said: &Result<(), SendError>) {
        let at = EndAt::of(link);
        let node = network.end(at).node;
        if said.is_err() || network.machines[node].kind == MachineKind::Stranger {
            return;
        }
        let (now, dialect) = (network.clock.now(), network.connection(at.connection).dialect);
        let (other, life) = (network.end(at.other()).node, network.machines[node].life);
        match message {
            Message::Request(request) if is_of_contents(&request.ask) && self.asks_of_contents(node, &request.ask) => {
                let id = QueryId { sequence: request.sequence, client: network.address(node) };
                self.witness.on_content_asked(now, id, &request.ask);
            }
            Message::Request(request) if self.writers.at(node).is_some() => {
                let id = QueryId { sequence: request.sequence, client: network.address(node) };
                self.witness.writes.on_asked(id, &request.ask);
            }
            Message::Write(write) => self.witness.on_write_said(now, node, write.sequence),
            Message::Written(written) => self.witness.on_written(now, (node, other), link, *written),
            Message::Changed(changed) => self.witness.on_changed(now, (node, other), link, changed),
            Message::ListPart(part) => self.witness.on_list_part(now, node, link, part),
            Message::Opened(opened) => self.witness.on_opened(now, node, (link, opened.fetch)),
            Message::Refused(refused) => self.witness.on_fetch_refused(node, (link, refused.fetch)),
            Message::Query(query) => {
                if let Some(mark) = query.contact.filter(|_| is_of_contents(&query.ask)) {
                    self.witness.on_content_ask_named(mark, query.id());
                }
                let client = network.at_address(query.id().client);
                self.witness.on_mark(node, client, query);
                self.witness.on_copy(now, node, link, dialect, client, query);
            }
            Message::Answer(answer) => {
                let id = QueryId { sequence: answer.sequence, client: network.address(other) };
                self.witness.on_answer_said(now, (node, life), other, id, dialect == Dialect::OWN);
                self.witness.on_contents_told(now, (node, life), id, &answer.body);
                self.witness.on_kept_told(now, (node, life), id, &answer.body);
            }
            Message::Echo(echo) => self.witness.on_echo_said(link, echo),
            Message::Peers(peers) => {
                let visited = network.visited(at);
                self.witness.on_members_told(now, node, (link, visited), peers);
            }
            Message::PeersWanted(wanted) => {
                let visited = network.visited(at);
                self.witness.on_members_wanted(now, node, (link, visited), *wanted);
            }
            Message::Greet(greet) => self.witness.on_greet(now, other, cast::servent_at(greet.address)),
            Message::Brought(brought) => {
                self.witness.on_brought_said(now, (node, life), link, brought);
                let name = (brought.contact, brought.number);
                self.witness.on_contents_brought(now, (node, life), name, &brought.answer);
            }
            Message::Handed(handed) => {
                let id = QueryId { sequence: handed.sequence, client: network.address(other) };
                self.witness.on_handed(now, (node, life), other, id, handed.answer.id);
            }
            _ => {}
        }
    }

    fn on_heard(&mut self, network: &SceneNetwork, link: LinkId, heard: &Heard) {
        let at = EndAt::of(link);
        let (node, from) = (network.end(at).node, network.end(at.other()).node);
        let Heard::Message { message, .. } = heard else {
            return self.witness.on_closed(node, link);
        };
        let life = network.machines[node].life;
        if network.machines[node].kind == MachineKind::Servent {
            self.witness.on_heard(node, link, message);
        }
        match (network.machines[node].kind, message) {
            (MachineKind::Servent, Message::Open(open)) => {
                self.false_holders.on_open(link, open.hash);
                if !self.false_holders.has(node) {
                    self.witness.on_open(node, link, *open);
                }
            }
            (MachineKind::Servent, Message::Write(write)) => {
                let is_from_here = network.address(from).ip().is_loopback();
                self.witness.on_write(node, link, is_from_here, write);
            }
            (MachineKind::Servent, Message::Watch(watch)) => self.witness.writes.on_watch(node, link, watch),
            (MachineKind::Servent, Message::List(list)) => self.witness.on_list(link, list),
            (MachineKind::Servent, Message::Request(request)) if is_of_contents(&request.ask) => {
                let id = QueryId { sequence: request.sequence, client: network.address(from) };
                self.witness.on_content_ask_heard(network.clock.now(), (node, life), id);
                self.witness.writes.on_heard(network.clock.now(), (node, life), id);
                self.witness.writes.on_request(node, link, id);
            }
            (MachineKind::Servent, Message::Echo(echo)) => {
                self.echoes += 1;
                self.witness.on_echo(network.at_address(echo.id.client), echo.id);
            }
            (MachineKind::Servent, Message::Query(query)) => {
                if is_of_contents(&query.ask) {
                    self.witness.on_content_ask_heard(network.clock.now(), (node, life), query.id());
                    self.witness.writes.on_heard(network.clock.now(), (node, life), query.id());
                    query.contact.into_iter().for_each(|mark| self.witness.on_content_ask_named(mark, query.id()));
                }
                let client = network.at_address(query.id().client);
                let dialect = network.connection(at.connection).dialect;
                self.witness.on_copy_heard(CopyHeard { servent: node, link, from, dialect, query }, client);
            }
            (MachineKind::Servent, Message::Brought(brought)) => {
                self.witness.on_brought_heard((node, life), link, brought);
            }
            (MachineKind::Client, Message::Written(written)) => {
                self.witness.on_written_heard(network.clock.now(), node, written.sequence);
            }
            (MachineKind::Client, Message::Changed(changed)) => {
                self.witness.on_changed_heard(network.clock.now(), node, changed.sequence);
            }
            (MachineKind::Client, Message::Finished(finished)) => {
                if let Some(query) = self.query_of(node) {
                    self.witness.on_finished(network.clock.now(), query, finished.sequence);
                }
            }
            _ => {}
        }
    }

    fn on_no_answer(
        &mut self,
        _network: &SceneNetwork,
        node: usize,
        caller: Caller,
        _address: SocketAddr,
        _reason: &str,
    ) -> Option<SceneEvent> {
        if caller != Caller::Contact {
            return None;
        }
        if let Some(query) = self.query_of(node) {
            self.witness.seen.queries.on_refused(query);
        }
        if let Some(writer) = self.writers.at(node) {
            return Some(SceneEvent::WriterUnattached { writer, node });
        }
        self.downloads.asked_by(node).map(|fetch| SceneEvent::FetchUnattached { fetch, node })
    }

    fn on_handled(&mut self, now: Nanos, servent: usize, overlay: &Overlay) {
        self.witness.check_holdings(now, servent, overlay.holdings());
        self.witness.check_words(now, servent, |address| overlay.word_of(address));
    }

    fn on_closing(&mut self, network: &SceneNetwork, link: LinkId) {
        self.witness.on_closed(network.end(EndAt::of(link)).node, link);
    }

    fn on_dialling(&mut self, network: &SceneNetwork, node: usize, _address: SocketAddr) {
        self.dials += u64::from(network.machines[node].kind == MachineKind::Servent);
    }

    fn on_request(&mut self, _network: &SceneNetwork, client: usize, sequence: u64) {
        if let Some(query) = self.query_of(client) {
            self.witness.seen.queries.on_request(query, sequence);
        }
    }
}

/// Whether it is contents that are asked for.
fn is_of_contents(ask: &Ask) -> bool {
    match ask {
        Ask::Find(_) | Ask::Named(_) | Ask::Hashed(_) => true,
        // Of a name of one there may be an answer that tells of it.
        Ask::Key(_) => *ask != cast::ask(false),
        Ask::Topology => false,
    }
}

fn ends_even(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V4(v4) if v4.ip().octets().last().is_some_and(|last| last.is_multiple_of(2)))
}

/// Who there is from the beginning, at their addresses.
pub(super) fn add_servents(shell: &mut Shell<SceneFace<'_>>) {
    for servent in 0..shell.face.scene.graph.servents() {
        shell.add(MachineKind::Servent, servent, servent);
    }
}

/// Somebody who comes to a servent in the midst of it, with the next number of all who do.
pub(super) fn add_guest(shell: &mut Shell<SceneFace<'_>>, kind: MachineKind, place: usize) -> usize {
    let guest = shell.nodes_count() - shell.face.scene.graph.servents();
    shell.add(kind, guest, place)
}

/// Somebody without a mind of ours comes to a servent.
pub(super) fn add_stranger(shell: &mut Shell<SceneFace<'_>>, place: usize) -> usize {
    let node = add_guest(shell, MachineKind::Stranger, place);
    shell.settle_down(node, Mind::Stranger, Exchange::client(Accepts::ANY));
    node
}

/// Starts a servent, for the first time or anew: with an empty mind, and as somebody else.
pub(super) fn start_servent(shell: &mut Shell<SceneFace<'_>>, servent: usize) {
    let scene = shell.face.scene;
    let life = shell.network.machines[servent].life + 1;
    let mut config = cast::config(scene, servent, life);
    let now = shell.now();
    shell.face.witness.on_born(now, servent, life);
    shell.face.disks.on_born(servent);
    let accepts = match scene.plan.wire {
        Wire::None | Wire::Native => Accepts::OWN,
        Wire::Tp3 | Wire::Mixed => Accepts::ANY,
    };
    let store = shell.face.stores.of(scene, servent);
    let found = match shell.face.kept.start(servent) {
        Some(Err(damage)) => {
            shell.broke(&format!("s{servent} starts, and its disk is said to be damaged: {damage}"));
            None
        }
        found => found.and_then(Result::ok),
    };
    let written = found.as_ref().map(|FoundAtStart { written, is_read_only }| (written, *is_read_only));
    shell.face.witness.on_kept_found(now, servent, &store, written);
    if let Some(FoundAtStart { written, is_read_only }) = found {
        (config.written, config.is_read_only) = (Some(Arc::new(written)), is_read_only);
    }
    shell.settle_down(servent, Mind::Servent(Box::new(Overlay::new(&config, store))), Exchange::servent(accepts));
}

/// The client of a query comes, on its way to its contact.
pub(super) fn attach(shell: &mut Shell<SceneFace<'_>>, query: usize) {
    let Some(contact) = shell.face.witness.contact_of(query) else { return };
    let secret = cast::secret_of_client(shell.face.scene.plan.seed, query);
    let dialect = shell.face.witness.dialect_of(query);
    let port = cast::answer_port(shell.face.witness.hears_answers(query));
    let node = add_guest(shell, MachineKind::Client, contact);
    if port == 0 {
        shell.network.close_port(node);
    }
    let mind = Mind::Client(Box::new(Session::new(dialect, port, secret)));
    shell.settle_down(node, mind, Exchange::client(Accepts::answers_to(dialect)));
    let (now, address) = (shell.now(), shell.network.address(node));
    shell.face.witness.seen.queries.on_attaching(now, query, node, address);
    let contact = shell.network.address(contact);
    shell.dial(node, Caller::Contact, contact, dialect);
}
