//! What a servent's mind tells of what happens, for a log of events: who, what, and under which clock.

use super::*;
use crate::content::{hash_of, shared};
use common::content::ContentHash;
use common::content::catalogue::Catalogue;
use common::content::search::FileName;
use common::content::transfer::Open;
use common::disk::{CommitFailure, LookedThrough};
use common::event::{EventKind, LoggedEvent};
use common::features::Features;
use common::limits::{NEIGHBOR_BEAT, NEIGHBOR_QUIET_MAX, SUSPECT_AFTER, UPLOADS_PER_LINK_MAX};
use common::member::{Greet, PeersWanted};
use common::write::{Change, Write};
use common::written::WrittenData;

/// A mind that tells, and what it wants beside that.
struct Telling {
    mind: Mind,
    wanted: Vec<Output>,
    /// What crossed the outbox last, in words.
    told: Vec<String>,
    clock: u64,
}

impl Telling {
    fn new(config: &Config) -> Telling {
        let mind = Mind::with(&Config { events: true, ..config.clone() }, store("tea green"));
        Telling { mind, wanted: Vec::new(), told: Vec::new(), clock: 0 }
    }

    fn tell(&mut self, input: Input) -> &[String] {
        let (events, wanted): (Vec<Output>, Vec<Output>) =
            self.mind.tell(input).into_iter().partition(|output| matches!(output, Output::Event(_)));
        self.wanted = wanted;
        self.told.clear();
        for event in events {
            let Output::Event(event) = event else { unreachable!() };
            let LoggedEvent { clock, what } = *event;
            assert!(clock >= self.clock && clock <= self.mind.overlay.stamp(), "{clock} after {}", self.clock);
            self.clock = clock;
            let text = match what {
                EventKind::Linked { peer } => format!("linked {peer}"),
                EventKind::Unlinked { peer, reason } => format!("unlinked {peer}: {reason}"),
                EventKind::Asked { peer, message } => format!("asked by {peer}: {message}"),
                EventKind::Sent { message, peer } => format!("sent {message} to {peer}"),
                EventKind::Received { message, peer, stamp } => format!("received {message} from {peer} at {stamp}"),
                EventKind::Member { peer, was, now, why } => format!("member {peer} {was:?} -> {now:?}: {why}"),
                EventKind::Operation { command, peer, subject, outcome } => {
                    format!("{command} {subject} by {peer}: {outcome}")
                }
                other => panic!("nobody says so: {other:?}"),
            };
            self.told.push(format!("{clock} {text}"));
        }
        &self.told
    }

    fn hear(&mut self, link: LinkId, stamp: u64, message: Message) -> &[String] {
        self.tell(Input::Received { link, stamp, message })
    }

    fn accepted(&mut self, from: &str) -> LinkId {
        let link = self.mind.new_link();
        let opening = Opening::Accepted(from.parse().unwrap());
        assert!(self.tell(Input::Opened { link, opening }).is_empty());
        link
    }

    fn neighbor(&mut self, id: u128) -> LinkId {
        let link = self.accepted("10.2.0.0:40000");
        self.hear(link, 0, servent_hello(id));
        link
    }

    /// What is thought otherwise of members while so long passes, in which nobody is heard.
    fn members_while(&mut self, duration: Duration) -> Vec<String> {
        let end = self.mind.now + duration;
        let mut changes = Vec::new();
        while let Some(due) = self.mind.overlay.deadline().filter(|due| *due <= end) {
            self.mind.now = self.mind.now.max(due);
            changes.extend(of_members(self.tell(Input::Deadline)));
        }
        self.mind.now = end;
        changes
    }
}

/// Those that are of members, without their clocks.
fn of_members(told: &[String]) -> Vec<String> {
    let words = told.iter().filter_map(|line| line.split_once(' ')).map(|(_, text)| text.to_owned());
    words.filter(|text| text.starts_with("member")).collect()
}

#[test]
fn what_was_heard_what_came_of_it_and_what_was_said_are_told_in_this_order() {
    let mut mind = Telling::new(&config());
    let link = mind.accepted("10.2.0.0:40000");
    let [one, other] = [1, 2].map(servent_address);
    assert_eq!(
        mind.hear(link, 0, servent_hello(1)),
        [format!("1 received hello from {one} at 0"), format!("1 linked {one}"), format!("2 sent hello to {one}"),]
    );
    assert_eq!(mind.wanted, [send(link, own_hello())], "it says the same as one that tells nothing");
    mind.neighbor(2);
    let third = mind.neighbor(3);
    let copy = query(7, 3, tea());
    let told = mind.hear(third, 40, Message::query(copy)).to_vec();
    let from = servent_address(3);
    assert_eq!(told[0], format!("41 received query from {from} at 40"));
    let said: Vec<&String> = told.iter().skip(1).collect();
    assert_eq!(said, [&format!("42 sent query to {one}"), &format!("42 sent query to {other}")]);
    // It calls the client, to whom nothing is said before it has.
    assert!(matches!(mind.wanted.as_slice(), [Output::Dial { .. }, Output::Flood { .. }]), "{:?}", mind.wanted);
}

#[test]
fn pings_and_pongs_are_not_worth_a_line() {
    let mut mind = Telling::new(&config());
    let link = mind.neighbor(1);
    let before = mind.mind.overlay.stamp();
    assert!(mind.hear(link, 9, Message::Ping).is_empty());
    assert!(mind.mind.overlay.stamp() > before && mind.wanted.len() == 1);
    assert!(mind.hear(link, 9, Message::Pong).is_empty());
    mind.mind.now = mind.mind.now + NEIGHBOR_BEAT;
    assert!(mind.tell(Input::Deadline).is_empty());
}

#[test]
fn a_link_that_goes_is_told_with_its_reason() {
    let mut mind = Telling::new(&config());
    let at = servent_address(1);
    let link = mind.neighbor(1);
    let told = mind.tell(Input::Closed { link, reason: "it broke".to_owned() }).to_vec();
    assert_eq!(told, [format!("2 unlinked {at}: it broke")]);
    let link = mind.neighbor(1);
    let told = mind.hear(link, 60, Message::Goodbye(Goodbye::Leaving)).to_vec();
    let said = "it said goodbye, because it is leaving";
    assert_eq!(told, [format!("61 received goodbye from {at} at 60"), format!("61 unlinked {at}: {said}")]);
    mind.neighbor(1);
    let told = mind.tell(Input::Leave).to_vec();
    let clock = mind.mind.overlay.stamp();
    let unlinked = format!("{} unlinked {at}: this servent is leaving", clock - 1);
    assert_eq!(told, [unlinked, format!("{clock} sent goodbye to {at}")]);
}

#[test]
fn what_a_client_asks_is_told_and_the_client_goes_by_its_connection() {
    let mut mind = Telling::new(&config());
    let link = mind.accepted("11.0.0.1:40000");
    let hello = mind.hear(link, 0, client_hello(7000)).to_vec();
    assert_eq!(hello, ["1 received hello from 11.0.0.1:40000 at 0", "2 sent hello to 11.0.0.1:40000"]);
    let told = mind.hear(link, 0, Message::Request(Request { sequence: 7, ask: tea(), ttl: None })).to_vec();
    assert_eq!(
        told,
        [
            "3 received request from 11.0.0.1:40000 at 0",
            "3 asked by 11.0.0.1:40000: ? tea",
            "4 sent answer to 11.0.0.1:40000",
            "4 sent finished to 11.0.0.1:40000",
        ]
    );
    assert!(mind.tell(Input::Closed { link, reason: "it left".to_owned() }).is_empty(), "it was no neighbor");
    assert!(mind.hear(link, 0, Message::Ping).is_empty(), "nobody is there any more");
}

/// As it is typed at the client, though what it says is called otherwise.
#[test]
fn that_a_client_lists_members_or_has_somebody_greeted_is_told_as_what_it_asks() {
    let mut mind = Telling::new(&Config { members: true, ..config() });
    let asked = |told: &[String]| {
        let lines = told.iter().filter_map(|line| line.split_once(" asked by "));
        lines.map(|(_, asked)| asked.to_owned()).collect::<Vec<_>>()
    };
    let offering = |hello: Message, features: Features| {
        let Message::Hello(hello) = hello else { unreachable!() };
        Message::Hello(Hello { features, ..hello })
    };
    let link = mind.accepted("127.0.0.1:40000");
    mind.hear(link, 0, offering(client_hello(7000), Features::MEMBERS));
    let at = servent_address(3);
    let wanted = |after| Message::PeersWanted(PeersWanted { after });
    assert_eq!(asked(mind.hear(link, 0, wanted(None))), ["127.0.0.1:40000: M"]);
    assert!(asked(mind.hear(link, 0, wanted(Some(at)))).is_empty(), "it is the same listing");
    let greet = Message::Greet(Greet { address: at });
    assert_eq!(asked(mind.hear(link, 0, greet.clone())), [format!("127.0.0.1:40000: hello {at}")]);
    // One that is refused was asked, too.
    let stranger = mind.accepted("10.2.0.0:40000");
    mind.hear(stranger, 0, offering(client_hello(7001), Features::MEMBERS));
    assert_eq!(asked(mind.hear(stranger, 0, greet)), [format!("10.2.0.0:40000: hello {at}")]);
    // A servent that greets this one, and a neighbor, want to know as well, and are no clients.
    assert!(asked(mind.hear(stranger, 9, wanted(None))).is_empty());
    let neighbor = mind.accepted("10.2.0.0:40001");
    mind.hear(neighbor, 0, offering(servent_hello(1), Features::OF_MEMBERS));
    assert!(asked(mind.hear(neighbor, 10, wanted(None))).is_empty());
}

#[test]
fn whoever_says_nothing_of_itself_goes_by_where_it_is() {
    let at = servent_address(9);
    let mut mind = Telling::new(&config_with_neighbor(&[at]));
    assert!(mind.tell(Input::Deadline).is_empty());
    let Some(Output::Dial { dial, .. }) = mind.wanted.first() else { panic!("{:?}", mind.wanted) };
    let (dial, link) = (*dial, mind.mind.new_link());
    let told = mind.tell(Input::Opened { link, opening: Opening::Dialled(dial) }).to_vec();
    assert_eq!(told, [format!("1 sent hello to {at}")]);
    // A stranger that says what nobody says to strangers.
    let link = mind.accepted("[::ffff:10.2.0.7]:40000");
    let told = mind.hear(link, 5, Message::query(query(7, 3, tea()))).to_vec();
    assert_eq!(told, ["6 received query from 10.2.0.7:40000 at 5", "7 sent goodbye to 10.2.0.7:40000"]);
}

#[test]
fn a_link_that_is_refused_goes_by_what_it_said_of_itself() {
    let mut mind = Telling::new(&config());
    let link = mind.accepted("10.2.0.0:40000");
    let myself = mind.hear(link, 0, servent_hello(OWN_ID)).to_vec();
    let at = servent_address(OWN_ID);
    let said = [("2 sent hello"), ("2 sent goodbye")].map(|said| format!("{said} to {at}"));
    assert_eq!(myself, [&[format!("1 received hello from {at} at 0")][..], &said].concat());
}

#[test]
fn where_nobody_keeps_a_log_nothing_is_told() {
    let (mut mind, [link]) = Mind::linked();
    let out = mind.hear(link, Message::query(query(7, 3, tea())));
    assert!(!out.is_empty() && !out.iter().any(|output| matches!(output, Output::Event(_))));
}

#[test]
fn what_is_thought_otherwise_of_a_member_is_told_with_what_was_thought_before() {
    let mut told = Telling::new(&Config { members: true, ..config() });
    let link = told.accepted("10.2.0.0:40000");
    let lines = of_members(told.hear(link, 0, servent_hello(2)));
    let peer = servent_address(2);
    assert_eq!(lines, [format!("member {peer} None -> Some(\"online\"): a link came to it")]);
    let lines = of_members(told.hear(link, 9, Message::Goodbye(Goodbye::Leaving)));
    assert_eq!(lines, [format!("member {peer} Some(\"online\") -> Some(\"left\"): it said goodbye")]);
}

/// It is what the servent's clients are shown, so the log has it as well.
#[test]
fn what_is_only_guessed_of_a_member_is_told_with_why_nobody_else_is() {
    let peer = servent_address(2);
    let guessed = |was: &str, now: &str| {
        let why = "nothing was heard from it nor from anybody else for too long, so nobody is told";
        format!("member {peer} Some(\"{was}\") -> Some(\"{now}\"): {why}")
    };
    let mut told = Telling::new(&Config { members: true, ..config() });
    let link = told.neighbor(2);
    assert_eq!(told.members_while(SUSPECT_AFTER + NEIGHBOR_BEAT), [guessed("online", "suspect")]);
    let heard = of_members(told.hear(link, 0, Message::Pong));
    assert_eq!(heard, [format!("member {peer} Some(\"suspect\") -> Some(\"online\"): it was heard")]);
    let quiet = told.members_while(NEIGHBOR_QUIET_MAX + NEIGHBOR_BEAT);
    assert_eq!(quiet, [guessed("online", "suspect"), guessed("suspect", "failed")]);

    let mut told = Telling::new(&Config { members: true, ..config() });
    let link = told.neighbor(2);
    assert!(of_members(told.tell(Input::Closed { link, reason: "it is a test".to_owned() })).is_empty());
    let why = "its link fell, and no other is there, so nobody is told";
    let fallen = told.members_while(NEIGHBOR_QUIET_MAX + NEIGHBOR_BEAT);
    assert_eq!(fallen, [format!("member {peer} Some(\"online\") -> Some(\"failed\"): {why}")]);
}

/// Those that are of what clients want of this servent, without their clocks.
fn operations(told: &[String]) -> Vec<String> {
    let operations = told.iter().filter(|line| line.contains(" by "));
    // Of what was asked it is told before that.
    let operations = operations.filter(|line| !line.contains(" asked by "));
    operations.map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

#[test]
fn what_a_client_has_kept_is_told_with_what_came_of_it_also_where_it_has_left() {
    let written = Some(Arc::new(WrittenData::default()));
    let mut telling = Telling::new(&Config { written, ..config() });
    let link = telling.accepted("127.0.0.1:40000");
    let hello = Hello { features: Features::WRITES, ..Hello::new(Role::Client { answer_port: 7_000 }) };
    telling.hear(link, 0, Message::Hello(hello));
    let key = |text: &str| Key::new(text.as_bytes()).unwrap();
    let put = |text: &str| Change::Put { key: key(text), value: b"green"[..].into() };
    let del = |text: &str| Change::Delete { key: key(text) };
    for (sequence, change) in (1..).zip([put("te\u{1b}a"), del("milk"), del("tea")]) {
        let told = telling.hear(link, 0, Message::Write(Write { sequence, change }));
        assert_eq!(operations(told), [""; 0], "nobody knows yet");
    }
    let told = telling.tell(Input::Disk(JobDone::Committed(Ok(()))));
    assert_eq!(operations(told), ["put te\\x1ba by 127.0.0.1:40000: stored"]);
    telling.tell(Input::Closed { link, reason: "it is a test".to_owned() });
    let failed = Err(CommitFailure::Failed("it broke".to_owned()));
    let told = telling.tell(Input::Disk(JobDone::Committed(failed)));
    let refused = ["milk", "tea"].map(|key| format!("del {key} by 127.0.0.1:40000: disk_failed"));
    assert_eq!(operations(told), refused);
}

#[test]
fn what_a_client_fetches_is_told_by_its_name_where_it_has_one_and_with_what_came_of_it() {
    let mut telling = Telling::new(&Config { shares: true, ..config() });
    telling.tell(Input::Deadline);
    let files = vec![shared(b"farol", hash_of(&[1]), 10)];
    let catalogue = Some(Arc::new(Catalogue::new(files, &store(""))));
    let looked = LookedThrough { catalogue, is_whole: true, hashed_count: 0 };
    telling.tell(Input::Disk(JobDone::LookedThrough(Ok(looked))));
    let link = telling.accepted("192.0.2.7:40000");
    let hello = Hello { features: Features::CONTENT, ..Hello::new(Role::Client { answer_port: 7_000 }) };
    telling.hear(link, 0, Message::Hello(hello));
    let open = |fetch, hash| Message::Open(Open { fetch, hash: ContentHash(hash) });
    let most = u32::try_from(UPLOADS_PER_LINK_MAX).unwrap();
    for fetch in 0..most {
        let told = telling.hear(link, 0, open(fetch, hash_of(&[1])));
        assert_eq!(operations(told), ["get farol by 192.0.2.7:40000: opened"]);
    }
    let told = telling.hear(link, 0, open(most, hash_of(&[1])));
    assert_eq!(operations(told), ["get farol by 192.0.2.7:40000: busy"]);
    let told = telling.hear(link, 0, open(most, hash_of(&[9])));
    assert_eq!(operations(told), [format!("get {} by 192.0.2.7:40000: gone", ContentHash(hash_of(&[9])))]);
}

/// However it ends before its client says so; here because the file is not published any more, and because it is not shared any
/// more.
#[test]
fn a_fetch_that_the_servent_ends_is_told_once_more_with_why() {
    let written = Some(Arc::new(WrittenData::default()));
    let mut telling = Telling::new(&Config { written, shares: true, published_only: true, ..config() });
    telling.tell(Input::Deadline);
    let look = |telling: &mut Telling, names: &[&[u8]]| {
        let files = names.iter().map(|name| shared(name, hash_of(&name[..1]), 10)).collect();
        let catalogue = Some(Arc::new(Catalogue::new(files, &store(""))));
        let looked = LookedThrough { catalogue, is_whole: true, hashed_count: 0 };
        operations(telling.tell(Input::Disk(JobDone::LookedThrough(Ok(looked))))).join("\n")
    };
    look(&mut telling, &[b"farol", b"mapa"]);
    let link = telling.accepted("127.0.0.1:40000");
    let features = Features::CONTENT.with(Features::WRITES);
    telling.hear(link, 0, Message::Hello(Hello { features, ..Hello::new(Role::Client { answer_port: 7_000 }) }));
    let name = |text: &str| FileName::new(text.as_bytes()).unwrap();
    let publish = |text: &str| Change::Publish { name: name(text), text: [].into() };
    let mut sequence = 0;
    let mut write = |telling: &mut Telling, change| {
        sequence += 1;
        telling.hear(link, 0, Message::Write(Write { sequence, change }));
        operations(telling.tell(Input::Disk(JobDone::Committed(Ok(()))))).join("\n")
    };
    write(&mut telling, publish("farol"));
    write(&mut telling, publish("mapa"));
    for (fetch, first) in [(1, b"f"), (2, b"m")] {
        telling.hear(link, 0, Message::Open(Open { fetch, hash: ContentHash(hash_of(first)) }));
    }
    assert_eq!(
        write(&mut telling, Change::Unpublish { name: name("farol") }),
        "get farol by 127.0.0.1:40000: gone\nunpublish farol by 127.0.0.1:40000: deleted"
    );
    assert_eq!(look(&mut telling, &[b"farol"]), "get mapa by 127.0.0.1:40000: gone");
}
