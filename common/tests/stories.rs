//! Protocol stories: commands a person would say, `----`, and what then happens, in `stories/*.txt`.
//!
//! `STORIES=record cargo test -p common --test stories` writes down what happens now; read the difference before you
//! keep it. `STORIES=<part of a file name>` tells only those. The language is described in `stories/README.md`. A story
//! says what is said and when; whether a flood of any shape comes out right is for the simulator, in `topologies`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "stories are files, and a variable says to record them")]

#[path = "support/told.rs"]
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use common::address::AnswerAddress;
use common::content::search::{Entries, FileName, List, ListPart, Words};
use common::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Open, Opened, Refused};
use common::counted::counted;
use common::dialect::Dialect;
use common::features::Features;
use common::key::Key;
use common::member::{Greet, Greeted, Peers, PeersKind, PeersWanted};
use common::message::{Brought, Handed, Hello, Message, Request, Role, ServentId};
use common::query::{
    self, AnswerBody, Ask, BroughtAnswer, BroughtBody, ContactMark, ContactName, Query, QueryId, Tally, Via,
};
use common::servent_name::ServentName;
use common::session::{EndReason, Ending, FilesListed, GreetingEnded, MembersListed, Report, WatchEnd, WriteEnded};
use common::text::Escaped;
use common::write::{Change, Changed, Watch, Write, Written};
use sim::world::story_world::{ClientPlan, Hearing, NodeId, Record, ServentPlan, StoryWorld};
use sim::world::told_stores::StoreMood;

#[test]
fn stories_are_told_as_they_are_written() {
    told::hold_to_what_is_written(env!("CARGO_MANIFEST_DIR"), retell);
}

#[test]
fn a_story_is_told_the_same_whenever_it_is_told() {
    for path in told::story_paths(env!("CARGO_MANIFEST_DIR")) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(retell("once", &text), retell("again", &text), "{}", path.display());
    }
}

/// The story with what happens now in the place of what was written.
fn retell(name: &str, text: &str) -> String {
    let mut story = Story::new();
    told::retold(name, text, |commands| {
        for (number, command) in commands {
            story.place = format!("{name}:{number}");
            story.command(command);
            assert!(story.world.broken().is_empty(), "{}: {:?}", story.place, story.world.broken());
        }
        story.take_output()
    })
}

struct Story {
    world: StoryWorld,
    place: String,
    started: bool,
    output: String,
    /// Records before this one were told.
    told_count: usize,
    /// Times are told since this moment.
    since: Duration,
    labels: Vec<QueryId>,
    shown: BTreeSet<&'static str>,
    /// What each client watches, and what that goes by.
    watches: BTreeMap<(NodeId, String), u64>,
}

/// Messages that are not told unless a story asks for them: they come on every link and would hide the rest.
const HIDDEN: [&str; 4] = ["hello", "ping", "pong", "answer"];

impl Story {
    fn new() -> Story {
        let mut world = StoryWorld::new(Duration::from_millis(10));
        world.record();
        Story {
            world,
            place: String::new(),
            started: false,
            output: String::new(),
            told_count: 0,
            since: Duration::ZERO,
            labels: Vec::new(),
            shown: BTreeSet::new(),
            watches: BTreeMap::new(),
        }
    }

    fn fail(&self, problem: &str) -> ! {
        panic!("{}: {problem}", self.place)
    }

    fn command(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["servent", name, rest @ ..] => self.servent(name, rest),
            ["link", from, to] => self.link(from, to),
            ["start"] => self.start(false),
            ["start", "aloud"] => self.start(true),
            ["client", name, "at", contact, rest @ ..] => self.client(name, contact, rest),
            ["stranger", name, "at", to] => {
                self.world.stranger(name, self.node(to));
                self.world.run();
                self.skip();
            }
            ["say", name, rest @ ..] => self.say(name, rest),
            ["inject", from, to, hex @ ..] => {
                let (from, to) = (self.node(from), self.node(to));
                assert!(self.world.inject(from, to, &bytes_of(hex)), "{}: no connection", self.place);
            }
            ["ask", client, rest @ ..] => self.ask(client, rest),
            ["put", client, key, value @ ..] => {
                self.write(client, Change::Put { key: key_of(key), value: text_of(value).into() });
            }
            ["del", client, key] => self.write(client, Change::Delete { key: key_of(key) }),
            ["publish", client, file, text @ ..] => {
                let name = FileName::new(file.as_bytes()).unwrap();
                self.write(client, Change::Publish { name, text: text_of(text).into() });
            }
            ["unpublish", client, file] => {
                self.write(client, Change::Unpublish { name: FileName::new(file.as_bytes()).unwrap() });
            }
            ["watch", client, key] => {
                let node = self.node(client);
                let sequence = self.world.watch(node, key_of(key)).expect("it may watch so many");
                self.watches.insert((node, (*key).to_owned()), sequence);
            }
            ["unwatch", client, key] => {
                let node = self.node(client);
                let sequence = self.watches.remove(&(node, (*key).to_owned())).expect("it is watched");
                self.world.unwatch(node, sequence);
            }
            ["disk", servent, mood] => self.set_store(servent, mood),
            ["run"] => {
                self.world.run();
                self.tell();
            }
            ["run", duration] => {
                self.world.run_for(self.duration(duration));
                self.tell();
            }
            ["interrupt", client] => {
                self.world.interrupt(self.node(client));
                self.tell();
            }
            ["remove", servent, file] => {
                let is_there = self.world.remove(self.node(servent), file);
                assert!(is_there, "{}: no such file", self.place);
            }
            ["replace", servent, file, size] => {
                let is_there = self.world.replace(self.node(servent), file, size.parse().expect("a number of bytes"));
                assert!(is_there, "{}: no such file", self.place);
            }
            ["cut", a, b] => self.world.cut(self.node(a), self.node(b)),
            ["kill", name] => self.world.kill(self.node(name)),
            ["restart", name] => {
                let node = self.node(name);
                if self.world.is_client(node) {
                    self.world.restart_client(node, false);
                } else {
                    self.world.kill(node);
                    self.world.start(node);
                }
            }
            ["restart", name, "with", "the", "same", "secret"] => self.world.restart_client(self.node(name), true),
            ["pause", name] => self.world.pause(self.node(name)),
            ["resume", name] => self.world.resume(self.node(name)),
            ["unknown", name] => self.world.set_known(name, false),
            ["known", name] => self.world.set_known(name, true),
            ["leave", name] => self.world.leave(self.node(name)),
            ["delay", from, ">", to, delay] => {
                self.world.set_delay(self.node(from), self.node(to), self.duration(delay));
            }
            ["delay", a, b, delay] => {
                let (a, b, delay) = (self.node(a), self.node(b), self.duration(delay));
                self.world.set_delay(a, b, delay);
                self.world.set_delay(b, a, delay);
            }
            ["show", kinds @ ..] => {
                for kind in kinds {
                    let known = HIDDEN.iter().find(|hidden| *hidden == kind);
                    self.shown.insert(known.unwrap_or_else(|| self.fail("that is not hidden")));
                }
            }
            ["links"] => self.tell_links(),
            ["pending"] => {
                let count = self.world.pending_count();
                let _ = writeln!(self.output, "{count} pending");
            }
            ["heard", name] => {
                let count = self.world.unheard_bytes_count(self.node(name));
                let _ = writeln!(self.output, "{name} was sent {count} bytes");
            }
            _ => self.fail(&format!("no such command: {line}")),
        }
    }

    /// What was told since the last time. The next command begins a new count of time.
    fn take_output(&mut self) -> String {
        self.tell();
        self.since = self.world.now();
        let output = std::mem::take(&mut self.output);
        if output.is_empty() { "nothing happens\n".to_owned() } else { output }
    }

    // ---- commands ----

    fn servent(&mut self, name: &str, words: &[&str]) {
        if self.started {
            self.fail("servents come before the start");
        }
        let (mut plan, mut shared, mut keeps) = (ServentPlan::new(name, ""), Vec::new(), false);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--name" => {
                    let name = value_of(words.next().expect("a name"));
                    plan.says_name = Some(ServentName::try_from(name.as_str()).expect("a name"));
                }
                "--ttl" => plan.ttl = words.next().unwrap().parse().unwrap(),
                "--forward-once" => plan.forward_once = true,
                "--members" => plan.members = true,
                "--store" => keeps = true,
                "--published-only" => plan.published_only = true,
                "--share" => shared.push(words.next().and_then(|word| word.split_once('=')).expect("file=bytes")),
                pair => {
                    let Some((key, value)) = pair.split_once('=') else {
                        self.fail(&format!("not key=value: {pair}"));
                    };
                    let _ = writeln!(plan.data, "{key} {}", value_of(value));
                }
            }
        }
        let servent = self.world.servent(plan);
        if keeps {
            self.world.keep(servent);
        }
        for (file, size) in shared {
            self.world.share(servent, file, size.parse().expect("a number of bytes"));
        }
    }

    fn link(&mut self, from: &str, to: &str) {
        if self.started {
            self.fail("links come before the start");
        }
        let from = self.node(from);
        self.world.lists(from, to);
    }

    fn start(&mut self, aloud: bool) {
        self.started = true;
        self.world.start_all();
        self.world.run();
        if aloud {
            self.shown.insert("hello");
            self.tell();
            self.shown.remove("hello");
        } else {
            self.skip();
        }
        let servents = self.world.everybody().filter(|node| self.world.overlay(*node).is_some());
        let (servents, links) = (servents.count(), self.world.links().len());
        let _ = writeln!(self.output, "{}, {}", counted(servents as u64, "servent"), counted(links as u64, "link"));
    }

    fn client(&mut self, name: &str, contact: &str, words: &[&str]) {
        let mut plan = ClientPlan::new(name, self.node(contact));
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "-n" => plan.answers_wanted = Some(words.next().unwrap().parse().unwrap()),
                "--silence" => plan.silence_max = self.duration(words.next().unwrap()),
                "deaf" => plan.hearing = Hearing::Deaf,
                "mute" => plan.hearing = Hearing::Mute,
                "dark" => plan.hearing = Hearing::Dark,
                "near" => plan.hearing = Hearing::Near,
                "portless" => plan.hearing = Hearing::Portless,
                "here" => plan.is_on_host = true,
                other => self.fail(&format!("no such kind of client: {other}")),
            }
        }
        let client = self.world.client(plan);
        self.world.run();
        // That a client attached is no news; that it did not is.
        if self.world.is_attached(client) {
            self.skip();
            self.since = self.world.now();
        }
    }

    fn write(&mut self, client: &str, change: Change) {
        self.world.write(self.node(client), change);
    }

    fn set_store(&mut self, servent: &str, mood: &str) {
        let (mood, takes) = match mood {
            "well" => (StoreMood::Well, Duration::ZERO),
            "full" => (StoreMood::Full, Duration::ZERO),
            "failing" => (StoreMood::Failing, Duration::ZERO),
            takes => (StoreMood::Well, self.duration(takes)),
        };
        let is_kept = self.world.set_store(self.node(servent), mood, takes);
        assert!(is_kept, "{}: it keeps nothing", self.place);
    }

    fn ask(&mut self, client: &str, words: &[&str]) {
        let client = self.node(client);
        let ask = self.ask_of(words);
        if let ["?", _, "times", count] = words {
            self.tell();
            for _ in 0..count.parse::<u32>().unwrap() {
                let query = self.world.ask(client, ask.clone()).unwrap();
                self.label(query);
                self.world.interrupt(client);
            }
            return self.skip();
        }
        let query = self.world.ask(client, ask).unwrap();
        self.label(query);
    }

    fn ask_of(&self, words: &[&str]) -> Ask {
        match words {
            ["T"] => Ask::Topology,
            ["?", key, ..] => Ask::Key(Key::new(key.as_bytes()).unwrap()),
            ["find", words @ ..] => Ask::Find(Words::new(words.iter().map(|word| word.as_bytes())).unwrap()),
            _ => self.fail("ask `? key`, `find words` or `T`"),
        }
    }

    fn say(&mut self, name: &str, words: &[&str]) {
        let stranger = self.node(name);
        let message = match words {
            ["bytes", hex @ ..] => {
                return self.world.say_bytes(stranger, &bytes_of(hex));
            }
            ["hello", "servent"] => Message::Hello(Hello::new(Role::Servent {
                id: ServentId(stranger.0 as u128),
                advertised: self.world.address(stranger),
            })),
            ["hello", "old", "servent"] => {
                let role =
                    Role::Servent { id: ServentId(stranger.0 as u128), advertised: self.world.address(stranger) };
                Message::Hello(Hello { features: Features::BACK, ..Hello::new(role) })
            }
            ["hello", "client"] => {
                Message::Hello(Hello::new(Role::Client { answer_port: self.world.address(stranger).port() }))
            }
            ["ping"] => Message::Ping,
            ["open", fetch, file] => {
                let hash = self.world.content(file).unwrap_or_else(|| self.fail("nobody shares that"));
                Message::Open(Open { fetch: number(fetch), hash })
            }
            ["hashes", fetch, first, count] => {
                let [fetch, first, count] = [fetch, first, count].map(|text| number(text));
                Message::HashesWanted(HashesWanted { fetch, first, count })
            }
            ["blocks", fetch, first, count] => {
                let [fetch, first, count] = [fetch, first, count].map(|text| number(text));
                Message::BlocksWanted(BlocksWanted { fetch, first, count })
            }
            ["request", sequence, ask @ ..] => {
                let sequence = number(sequence);
                let client = self.world.address(stranger);
                self.label(QueryId { sequence, client });
                Message::Request(Request { sequence, ask: self.ask_of(ask), ttl: None })
            }
            ["query", sequence, "for", client, "ttl", ttl, "hops", hops, ask @ ..] => Message::query(Query {
                via: Via::Direct,
                sequence: number(sequence),
                client: AnswerAddress { socket: self.world.address(self.node(client)), dialect: Dialect::Native },
                contact: None,
                ttl: number(ttl),
                hops: number(hops),
                ask: self.ask_of(ask),
                path: query::Path::default(),
            }),
            ["query", sequence, "back", "for", client, "ttl", ttl, "hops", hops, ask @ ..] => Message::query(Query {
                via: Via::Back,
                sequence: number(sequence),
                client: AnswerAddress { socket: self.world.address(self.node(client)), dialect: Dialect::Native },
                contact: Some(ContactMark { name: ContactName(7), number: 0, open_from: 0 }),
                ttl: number(ttl),
                hops: number(hops),
                ask: self.ask_of(ask),
                path: query::Path::default(),
            }),
            _ => self.fail("nothing anybody could say"),
        };
        self.world.say(stranger, &message);
    }

    fn tell_links(&mut self) {
        let links = self.world.links();
        for (from, to) in &links {
            let _ = writeln!(self.output, "{} - {}", self.world.name(*from), self.world.name(*to));
        }
        if links.is_empty() {
            self.output.push_str("no links\n");
        }
    }

    fn node(&self, name: &str) -> NodeId {
        if self.world.everybody().all(|node| self.world.name(node) != name) {
            self.fail(&format!("nobody is called {name}"));
        }
        self.world.find(name).unwrap()
    }

    fn duration(&self, text: &str) -> Duration {
        let parse = |text: &str| text.parse().ok();
        let duration = match text.strip_suffix("ms") {
            Some(milliseconds) => parse(milliseconds).map(Duration::from_millis),
            None => text.strip_suffix('s').and_then(parse).map(Duration::from_secs),
        };
        duration.unwrap_or_else(|| self.fail(&format!("no duration: {text}")))
    }

    // ---- telling ----

    /// Passes over what happened since the last time.
    fn skip(&mut self) {
        self.told_count = self.world.records().len();
    }

    fn tell(&mut self) {
        for at in self.told_count..self.world.records().len() {
            let (when, record) = self.world.records()[at].clone();
            if let Some(line) = self.line(&record) {
                let since = (when.saturating_sub(self.since)).as_millis();
                let _ = writeln!(self.output, "{:>7}  {line}", format!("{since}ms"));
            }
        }
        self.skip();
    }

    fn line(&mut self, record: &Record) -> Option<String> {
        Some(match record {
            Record::Said { from, to, message } => {
                if HIDDEN.contains(&message.name()) && !self.shown.contains(message.name()) {
                    return None;
                }
                let mut said = self.said(message);
                if let Message::Finished(finished) = message
                    && !self.world.is_client(*to)
                {
                    // A client of ours tells this itself.
                    let _ = write!(said, ": {}", tallied(&finished.tally));
                }
                format!("{} -> {} {said}", self.name(*from), self.name(*to))
            }
            Record::NotFound { by, name } => format!("{} finds nobody called {name}", self.name(*by)),
            Record::Dialled { from, to } => format!("{} dials {}", self.name(*from), self.name_at(*to)),
            Record::DialFailed { from, to, reason } => {
                format!("{} cannot reach {}: {reason}", self.name(*from), self.name_at(*to))
            }
            Record::Closed { by, other } => format!("{} closes its link to {}", self.name(*by), self.name(*other)),
            Record::Lost { at, other, reason } => {
                format!("{} loses its link to {}: {reason}", self.name(*at), self.name(*other))
            }
            Record::Bad { at, from, error } => {
                format!("{} -> {} something else: {error}", self.name(*from), self.name(*at))
            }
            Record::Unsendable { from, to, error } => {
                format!("{} cannot send to {}: {error}", self.name(*from), self.name(*to))
            }
            Record::Told { client, report } => {
                let client = self.name(*client);
                let report = self.report(report);
                format!("{client} {report}")
            }
        })
    }

    fn name(&self, node: NodeId) -> String {
        self.world.name(node).to_owned()
    }

    fn name_at(&self, address: SocketAddr) -> String {
        self.world.at_address(address).map_or(address.to_string(), |node| self.name(node))
    }

    /// Who it is, and what it says it is called.
    fn called(&self, address: SocketAddr, name: Option<&ServentName>) -> String {
        let called = name.map_or(String::new(), |name| format!(" ({name})"));
        format!("{}{called}", self.name_at(address))
    }

    fn names_at(&self, addresses: &[SocketAddr]) -> String {
        if addresses.is_empty() {
            return "none".to_owned();
        }
        let names: Vec<String> = addresses.iter().map(|address| self.name_at(*address)).collect();
        names.join(" ")
    }

    fn label(&mut self, query: QueryId) -> String {
        let place = self.labels.iter().position(|label| *label == query);
        let place = place.unwrap_or_else(|| {
            self.labels.push(query);
            self.labels.len() - 1
        });
        format!("#{}", place + 1)
    }

    /// The label of a query of which a message only says the sequence. Clients of a world never share one.
    fn label_of(&mut self, sequence: u64) -> String {
        let place = self.labels.iter().position(|label| label.sequence == sequence);
        place.map_or(format!("#({sequence})"), |place| format!("#{}", place + 1))
    }

    fn brought(&mut self, answer: &BroughtAnswer) -> String {
        let from = self.called(answer.from, answer.name.as_ref());
        match &answer.body {
            BroughtBody::Whole(body) => format!("from {from}, {}", self.body(body)),
            BroughtBody::Announced(bytes_count) => format!("from {from}, {bytes_count} bytes announced"),
        }
    }

    fn said(&mut self, message: &Message) -> String {
        match message {
            Message::Hello(hello) => match hello.role {
                Role::Servent { .. } => {
                    format!(
                        "hello as a servent{}",
                        hello.name.as_ref().map_or(String::new(), |name| format!(", {name}"))
                    )
                }
                Role::Nameless => unreachable!("everybody here says who they are"),
                Role::Client { .. } => "hello as a client".to_owned(),
            },
            Message::Goodbye(farewell) => format!("goodbye: {farewell}"),
            Message::Ping | Message::Pong => message.name().to_owned(),
            Message::Request(request) => format!("request {} {}", self.label_of(request.sequence), request.ask),
            Message::Query(query) => {
                let label = self.label(query.id());
                let path = match query.path.addresses().as_slice() {
                    [] => String::new(),
                    path => format!(" path {}", self.names_at(path)),
                };
                let back = if query.via == Via::Back { ", answered back" } else { "" };
                format!("query {label} ttl {} hops {}{path}{back}", query.ttl, query.hops)
            }
            Message::Answer(answer) => {
                format!("answer {} {}", self.label_of(answer.sequence), self.body(&answer.body))
            }
            Message::Echo(echo) => {
                format!("echo {} of ttl {}: {}", self.label(echo.id), echo.ttl, tallied(&echo.tally))
            }
            Message::Finished(finished) => format!("finished {}", self.label_of(finished.sequence)),
            Message::Brought(Brought { number, ttl, answer, .. }) => {
                format!("brought for query {number} of its contact, ttl {ttl}: {}", self.brought(answer))
            }
            Message::Handed(Handed { sequence, answer }) => {
                format!("handed {} {}", self.label_of(*sequence), self.brought(answer))
            }
            Message::PeersWanted(PeersWanted { after }) => {
                let behind = after.map_or(String::new(), |after| format!(" behind {}", self.names_at(&[after])));
                format!("peers wanted{behind}")
            }
            Message::Greet(Greet { address }) => format!("greet {}", self.names_at(&[*address])),
            Message::Greeted(Greeted { address, outcome, .. }) => {
                format!("greeted {}: {outcome:?}", self.names_at(&[*address]))
            }
            Message::Peers(Peers { kind, members }) => {
                let told = members.iter().map(|member| format!("{} {}", self.names_at(&[member.address]), member.word));
                let kind = match kind {
                    PeersKind::News => "news",
                    PeersKind::LastPage => "last page",
                    PeersKind::Page => "page",
                };
                format!("peers, {kind}: {}", told.collect::<Vec<_>>().join(", "))
            }
            Message::List(List { from, .. }) => format!("list from `{}`", Escaped::new(from)),
            Message::ListPart(ListPart { entries, .. }) => format!("list part, {}", self.entries(entries)),
            Message::Open(Open { hash, .. }) => format!("open {}", hash.short()),
            Message::Opened(Opened { size, .. }) => format!("opened, {size} bytes"),
            Message::Refused(Refused { refusal, .. }) => format!("refused: {refusal:?}"),
            Message::HashesWanted(HashesWanted { first, count, .. }) => {
                format!("hashes wanted: {count} from {first} on")
            }
            Message::HashPart(HashPart { first, hashes, .. }) => {
                format!("hash part: {} from {first} on", hashes.len())
            }
            Message::BlocksWanted(BlocksWanted { first, count, .. }) => {
                format!("blocks wanted: {count} from {first} on")
            }
            Message::Block(Block { block, bytes, .. }) => format!("block {block}, {} bytes", bytes.len()),
            Message::Write(Write { change, .. }) => {
                format!("write: {} {}", change.command(), Escaped::new(change.subject()))
            }
            Message::Written(Written { outcome, .. }) => format!("written: {}", outcome.word()),
            Message::Watch(Watch { key, .. }) => format!("watch {key}"),
            Message::Unwatch(_) => "unwatch".to_owned(),
            Message::Changed(Changed { value: None, .. }) => "changed: no value".to_owned(),
            Message::Changed(Changed { value: Some(value), .. }) => format!("changed: {}", Escaped::new(value)),
        }
    }

    fn entries(&self, entries: &Entries) -> String {
        let names = entries.entries.iter().map(|entry| entry.name.to_string());
        format!("{} and {} more", names.collect::<Vec<_>>().join(", "), entries.more)
    }

    fn body(&self, body: &AnswerBody) -> String {
        match body {
            AnswerBody::Value(value) if value.len() > 40 => format!("{} bytes", value.len()),
            AnswerBody::Value(value) => Escaped::new(value).to_string(),
            AnswerBody::Place { path, neighbors } => {
                format!("path {}, neighbors {}", self.names_at(&path.addresses()), self.names_at(neighbors))
            }
            AnswerBody::Entries(entries) => self.entries(entries),
        }
    }

    fn report(&self, report: &Report) -> String {
        match report {
            Report::Ready => "is ready".to_owned(),
            Report::Refused { reason } => format!("is refused: {reason}"),
            Report::ContactLost { reason } => format!("loses its contact: {reason}"),
            Report::Answer { from, name, hops, via, body, .. } => {
                let hops = counted(u64::from(hops.unwrap()), "hop");
                let back = if *via == Via::Back { ", brought back" } else { "" };
                format!("hears {} from {}, {hops} away{back}", self.body(body), self.called(*from, name.as_ref()))
            }
            Report::Late { from, name, hops, body, .. } => {
                let hops = counted(u64::from(*hops), "hop");
                format!("hears {} late from {}, {hops} away", self.body(body), self.called(*from, name.as_ref()))
            }
            Report::Unfetched { from, bytes_count, reason, .. } => {
                format!("cannot fetch {bytes_count} bytes from {}: {reason}", self.name_at(*from))
            }
            Report::Unexpected { from, message } => {
                format!("hears an unexpected {message} from {}", self.name_at(*from))
            }
            Report::MoreUnexpected { count } => format!("hears {count} more of what nobody asked for"),
            Report::Ended { ending, .. } => ended(ending),
            Report::Members { members, .. } => {
                let told = members.iter().map(|member| format!("{} {}", self.name_at(member.address), member.how()));
                format!("hears of members: {}", told.collect::<Vec<_>>().join(", "))
            }
            Report::Listed { listed: MembersListed { reason, members, .. }, .. } => {
                format!("has heard of {}: {}", counted(*members, "member"), reason.word())
            }
            Report::Greeted { greeting: GreetingEnded { address, end, .. }, .. } => {
                format!("has had {} greeted: {}", self.name_at(*address), end.word())
            }
            Report::Files { entries, .. } => {
                let names = entries.iter().map(|entry| entry.name.to_string());
                format!("hears of files: {}", names.collect::<Vec<_>>().join(", "))
            }
            Report::FilesListed { listed: FilesListed { reason, files, .. }, .. } => {
                format!("has heard of {}: {}", counted(*files, "file"), reason.word())
            }
            Report::Written { written: WriteEnded { end, .. }, .. } => format!("has written: {}", end.word()),
            Report::Changed { value: Some(value), .. } => format!("sees that it is {}", Escaped::new(value)),
            Report::Changed { value: None, .. } => "sees that there is no such key".to_owned(),
            Report::WatchEnded { end, .. } => {
                let end = match end {
                    WatchEnd::Cancelled => "interrupted",
                    WatchEnd::ContactLost => "contact_lost",
                    WatchEnd::NotUnderstood => "not_understood",
                };
                format!("watches no more: {end}")
            }
        }
    }
}

fn ended(ending: &Ending) -> String {
    let Ending { reason, answers, missing: _, doubtful, tally, tally_told, elapsed } = ending;
    let reason = match reason {
        EndReason::Complete => "complete",
        EndReason::Incomplete => "incomplete",
        EndReason::Silence => "ended by silence",
        EndReason::Answers => "has answers enough",
        EndReason::Cancelled => "interrupted",
        EndReason::NotUnderstood => "not understood by the contact",
    };
    let mut text = format!("{reason} after {}ms: ", elapsed.as_millis());
    if !tally_told || *answers != tally.answers {
        let _ = write!(text, "heard {}, told of ", counted(*answers, "answer"));
    }
    if *doubtful {
        text.push_str("of others than gave them; ");
    }
    if *tally_told {
        text.push_str(&tallied(tally));
    } else {
        let _ = write!(text, "nothing, {} lost", tally.lost);
    }
    text
}

fn tallied(tally: &Tally) -> String {
    let Tally { reached, answers, copies, duplicates, stopped, lost, silent, spoilt, answer_sum: _, is_dialled: _ } =
        *tally;
    let mut text = format!(
        "{} from {}, {}, {}",
        counted(answers, "answer"),
        counted(reached, "servent"),
        if copies == 1 { "1 copy".to_owned() } else { format!("{copies} copies") },
        counted(duplicates, "duplicate")
    );
    if stopped != 0 {
        let _ = write!(text, ", {stopped} stopped");
    }
    for (count, what) in [(lost, "lost"), (silent, "silent"), (spoilt, "spoilt")] {
        if count != 0 {
            let _ = write!(text, ", {count} {what}");
        }
    }
    text
}

fn number<Number: std::str::FromStr<Err = std::num::ParseIntError>>(text: &str) -> Number {
    text.parse().expect("a number")
}

fn key_of(text: &str) -> Key {
    Key::new(text.as_bytes()).unwrap()
}

/// Words as they were said, with a blank between any two.
fn text_of(words: &[&str]) -> Vec<u8> {
    let words: Vec<String> = words.iter().map(|word| value_of(word)).collect();
    words.join(" ").into_bytes()
}

/// What a word stands for.
fn value_of(word: &str) -> String {
    match word.split_once('*') {
        Some((byte, count)) => byte.repeat(count.parse().unwrap()),
        None => word.to_owned(),
    }
}

fn bytes_of(hex: &[&str]) -> Vec<u8> {
    hex.iter().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}
