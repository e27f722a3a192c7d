//! `M`: the members that a contact, or another servent, has heard of, as scripts, programs and people are shown them.
//!
//! In which order pages are asked for, and what is believed of them, is tested at the door of the session. What servents
//! know of each other is tested in `common`.
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;

use super::*;
use crate::support::process::fields;
use crate::support::tp3::Node;
use client::{AskError, ConnectError, Event, How, Linkage, ListingEnd, Member, MembersListed, Seen, Via, Word};
use common::features::Features;
use common::member::{Peers, PeersKind, PeersWanted};
use common::message::{Identity, Message};

/// What one is told who waits for a page that does not come.
fn untold(contact: &str) -> String {
    format!("contact {contact} did not tell of more within 300 ms: incomplete\n")
}

/// A client with these options, and a contact that tells of members when the test does.
pub(super) fn telling(options: &[&str]) -> (Fake, Peer, Client) {
    let fake = Fake::listen();
    let client = Client::start([&[&*fake.name()], options].concat());
    let contact = attach_telling(&fake);
    (fake, contact, client)
}

pub(super) fn attach_telling(fake: &Fake) -> Peer {
    let mut contact = fake.accept();
    contact.greet_as_one_that_can(Features::OF_MEMBERS);
    contact
}

/// One that is told of at a contact that a test plays.
fn member(port: u16, clock: u64, word: Word, link: Linkage) -> Member {
    Member {
        address: SocketAddr::from(([192, 0, 2, 7], port)),
        id: Identity::of_bits(u64::from(port)),
        clock,
        heard: Duration::from_secs(if link == Linkage::None { 75 } else { 0 }),
        word,
        is_open: false,
        is_proved: true,
        seen: Seen { link, ..Seen::default() },
    }
}

/// Four of them, of every kind.
fn four() -> Vec<Member> {
    let pinned = member(9001, 41, Word::Online, Linkage::Pinned);
    let round_trip = Some(Duration::from_micros(412));
    vec![
        Member { seen: Seen { round_trip, ..pinned.seen }, ..pinned },
        member(9002, 144, Word::Online, Linkage::Myself),
        member(9003, 9, Word::Failed, Linkage::None),
        member(9004, 40, Word::Left, Linkage::None),
    ]
}

const FOUR_LINES: &str = "\
192.0.2.7:9001 ONLINE 41 pinned
192.0.2.7:9002 ONLINE 144 self
192.0.2.7:9003 OFFLINE 9 failed
192.0.2.7:9004 OFFLINE 40 left
";

impl Peer {
    /// The next message, which must ask for members behind this one.
    fn expect_wanted(&mut self, after: Option<SocketAddr>) {
        assert_eq!(self.receive(), Some(Message::PeersWanted(PeersWanted { after })));
    }

    fn tell_page(&mut self, kind: PeersKind, members: Vec<Member>) {
        self.send(&Message::Peers(Peers { kind, members }));
    }

    /// Tells of the four, when asked.
    fn tell_all(&mut self) {
        self.expect_wanted(None);
        self.tell_page(PeersKind::LastPage, four());
    }
}

/// Asks again and again until a servent knows this of those.
pub(super) fn wait_until_known(contact: SocketAddr, expected: &[(SocketAddr, How)]) {
    let until = Instant::now() + PATIENCE;
    let mut client = client::Client::connect(&contact.to_string()).unwrap();
    loop {
        let mut known = Vec::new();
        for event in client.members().unwrap() {
            match event.unwrap() {
                Event::Members(members) => known.extend(members.iter().map(|member| (member.address, member.how()))),
                Event::Listed(MembersListed { reason, .. }) => assert_eq!(reason, ListingEnd::Complete),
                other => panic!("{other:?}"),
            }
        }
        if known == expected {
            return;
        }
        assert!(Instant::now() < until, "{known:?}");
    }
}

/// Three servents in a chain that know each other, each by address with how the first knows it.
fn known_chain() -> (Chain, Vec<(SocketAddr, How)>) {
    let chain = Chain::start(["tea green\n", "coffee black\n", ""]);
    let [a, b, c] = [0, 1, 2].map(|place| chain.address(place));
    let mut expected = vec![(a, How::Myself), (b, How::Taken), (c, How::Heard)];
    expected.sort_by_key(|(address, _)| *address);
    wait_until_known(a, &expected);
    (chain, expected)
}

/// The lines of members without their clocks, which have to be numbers.
fn without_clocks(out: &str) -> Vec<String> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let [address, state, clock, how] = words[..] else { return line.to_owned() };
        assert!(clock.parse::<u64>().is_ok(), "{line}");
        format!("{address} {state} {how}")
    };
    out.lines().map(line).collect()
}

#[test]
fn m_shows_whom_the_contact_has_heard_of_beside_queries() {
    let (chain, expected) = known_chain();
    let run = Client::run([chain.contact()], "? tea\nM\n? coffee\n");
    let members = expected.iter().map(|(address, how)| format!("{address} ONLINE {how}"));
    let mut lines = vec![format!("green {}", chain.address(0))];
    lines.extend(members);
    lines.push(format!("black {}", chain.address(1)));
    assert_eq!(without_clocks(&run.out), lines);
    assert_eq!((&*run.log, run.code), ("", 0));
}

#[test]
fn m_with_an_address_shows_whom_that_servent_has_heard_of_and_lets_it_go() {
    let (chain, _) = known_chain();
    let [a, b, c] = [0, 1, 2].map(|place| chain.address(place));
    let mut seen_from_the_end = vec![(a, How::Heard), (b, How::Pinned), (c, How::Myself)];
    seen_from_the_end.sort_by_key(|(address, _)| *address);
    wait_until_known(c, &seen_from_the_end);
    let lines: Vec<String> = seen_from_the_end.iter().map(|(address, how)| format!("{address} ONLINE {how}")).collect();
    for named in [c.to_string(), c.port().to_string(), format!("localhost:{}", c.port())] {
        for options in [&[][..], &["--via", "back"]] {
            let run = Client::run(
                [&[&*chain.contact()], options, &["-c", &format!("M {named}"), "-c", "? tea"]].concat(),
                "",
            );
            assert_eq!(without_clocks(&run.out), [&lines[..], &[format!("green {a}")]].concat(), "{named}");
            assert_eq!((&*run.log, run.code), ("", 0));
        }
    }
    // Whoever is shown is not there for ever.
    let fake = Fake::listen();
    let client = Client::start([&*chain.contact(), "-c", &format!("M {}", fake.name())]);
    let mut other = attach_telling(&fake);
    other.tell_all();
    assert_eq!(other.receive(), None, "it is let go");
    assert_eq!(client.finish(), quiet(FOUR_LINES, 0));
}

/// What README shows of three servents in a row of which the last has left, at these addresses.
fn as_on_the_page(addresses: [SocketAddr; 3]) -> Vec<String> {
    const README: &str = include_str!("../../../README.md");
    let page = README.split("### Who is there").nth(1).expect("the page");
    let shown = page.split("-c M\n").nth(1).and_then(|shown| shown.split(['$', '`']).next()).expect("what M shows");
    let mut lines: Vec<(SocketAddr, String)> = without_clocks(shown)
        .into_iter()
        .zip((9001..).zip(addresses))
        .map(|(line, (port, address))| (address, line.replace(&format!("127.0.0.1:{port} "), &format!("{address} "))))
        .collect();
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

#[test]
fn a_member_that_left_or_failed_is_shown_as_such() {
    let (mut chain, _) = known_chain();
    let [a, b, c] = [0, 1, 2].map(|place| chain.address(place));
    chain.servents[2].signal(Signal::TERM);
    chain.servents[2].wait().unwrap();
    let sorted = |mut expected: Vec<(SocketAddr, How)>| {
        expected.sort_by_key(|(address, _)| *address);
        expected
    };
    wait_until_known(a, &sorted(vec![(a, How::Myself), (b, How::Taken), (c, How::Left)]));
    let run = Client::run([&*chain.contact(), "-c", "M"], "");
    assert_eq!(without_clocks(&run.out), as_on_the_page([a, b, c]), "README tells otherwise");
    chain.servents[1].kill().unwrap();
    let gone = sorted(vec![(a, How::Myself), (b, How::Failed), (c, How::Left)]);
    wait_until_known(a, &gone);
    let run = Client::run([&*chain.contact(), "-c", "M"], "");
    let state = |how: How| if how == How::Myself { "ONLINE" } else { "OFFLINE" };
    let lines: Vec<String> = gone.iter().map(|(address, how)| format!("{address} {} {how}", state(*how))).collect();
    assert_eq!((without_clocks(&run.out), &*run.log, run.code), (lines, "", 0));
}

#[test]
fn each_line_is_four_words_by_address_and_pages_follow_each_other() {
    let (_fake, mut contact, client) = telling(&["-c", "M"]);
    contact.expect_wanted(None);
    let mut members = four();
    let rest = members.split_off(2);
    let last = members[1].address;
    contact.tell_page(PeersKind::Page, members);
    contact.expect_wanted(Some(last));
    contact.tell_page(PeersKind::LastPage, rest);
    assert_eq!(client.finish(), quiet(FOUR_LINES, 0));
}

#[test]
fn json_of_members() {
    let (fake, mut contact, mut client) = telling(&["--json", "-c", "M"]);
    contact.tell_all();
    let mut line = client.next_json();
    assert_eq!(
        line,
        json!({"type": "member", "address": "192.0.2.7:9001", "id": "0000000000002329", "state": "online", "how": "pinned",
            "clock": 41, "heard_s": 0, "rtt_ms": 0.412})
    );
    for (how, state, heard) in [("self", "online", 0), ("failed", "offline", 75), ("left", "offline", 75)] {
        line = client.next_json();
        assert_eq!(picked(&line, ["how", "state", "heard_s"]), json!([how, state, heard]));
        assert_eq!(line.get("rtt_ms"), None);
    }
    line = client.next_json();
    assert_eq!(fields(&line), ["from", "members", "ms", "offline", "online", "reason", "type"]);
    assert_eq!(picked(&line, ["type", "from", "reason"]), json!(["listed", fake.name(), "complete"]));
    assert_eq!(picked(&line, ["members", "online", "offline"]), json!([4, 2, 2]));
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn where_nobody_is_the_session_goes_on_and_the_exit_code_says_so() {
    let (fake, mut contact, mut client) = telling(&[]);
    let nobody = nobody();
    client.write(format!("M {nobody}\n? k\nM\n"));
    contact.answer_next(b"v");
    contact.tell_all();
    let run = client.finish();
    assert_eq!((run.out, run.code), (format!("v {}\n{FOUR_LINES}", fake.address()), 3));
    let refused = "Connection refused (os error 111)";
    let contact = fake.name();
    assert_eq!(run.log, format!("client: no servent at {nobody}: {refused} (M alone asks contact {contact})\n"));
    // Of a name that means nothing the same, and what is no address is a slip of the pen.
    let (_fake, _contact, client) = telling(&["-c", "M nowhere.invalid:9001"]);
    let run = client.finish();
    assert_eq!((&*run.out, run.code, run.log.lines().count()), ("", 3, 1), "{run:?}");
    let (_fake, _contact, client) = telling(&["-c", "M nowhere"]);
    let run = client.finish();
    assert_eq!((&*run.out, run.code), ("", 2), "it is a command, and known");
    assert!(run.log.starts_with("client: `nowhere` has no port; the forms are "), "{run:?}");
    let (_fake, _contact, client) = telling(&["--json", "-c", "M nowhere"]);
    let run = client.finish();
    assert_eq!((&*run.out, run.code), ("{\"type\":\"unknown\",\"command\":\"M nowhere\"}\n", 2));
}

#[test]
fn whoever_does_not_tell_of_members_is_not_asked_and_stays_the_contact() {
    let why = "does not tell of members, and was not asked: it is too old for that";
    let (fake, mut contact, mut client) = Fake::with_client(&[]);
    client.write("M\n? k\n");
    contact.answer_next(b"v");
    let log = format!("client: contact {} {why}\n", fake.name());
    assert_eq!(client.finish(), Run { out: format!("v {}\n", fake.address()), log, code: 5 });

    // The same of one that is named.
    let (_fake, mut contact, mut client) = telling(&["--json"]);
    let old = Fake::listen();
    client.write(format!("M {}\n", old.name()));
    let mut other = old.attach();
    assert_eq!(other.receive(), None, "it is asked nothing, and let go");
    let listed = client.next_json();
    let picked = picked(&listed, ["type", "reason", "members", "from"]);
    assert_eq!(picked, json!(["listed", "not_understood", 0, old.name()]));
    client.write("M\n");
    contact.tell_all();
    assert_eq!(client.next_json()["type"], "member");
    let run = client.finish();
    assert_eq!((run.log, run.code), (format!("client: {} {why}\n", old.name()), 5));
}

#[test]
fn a_tp3_node_does_not_tell_of_members() {
    let why = "does not tell of members, and was not asked: it speaks TP3";
    let (node, contact, client) = Node::with_client(&["-c", "M"]);
    assert_eq!(
        client.finish(),
        Run { out: String::new(), log: format!("client: contact {} {why}\n", node.name()), code: 5 }
    );
    drop(contact);
    let (_fake, _contact, client) = telling(&["-c", &format!("M {}", node.name())]);
    drop(node.attach());
    let run = client.finish();
    assert_eq!((run.log, run.code), (format!("client: {} {why}\n", node.name()), 5));
    // Where no port is to be opened no such node is attached to at all, which changes nothing.
    let (_fake, _contact, client) = telling(&["--via", "back", "-c", &format!("M {}", node.name())]);
    let run = client.finish();
    assert_eq!((run.log, run.code), (format!("client: {} {why}\n", node.name()), 5));
}

#[test]
fn what_came_before_a_silence_is_shown_and_that_it_is_not_all_is_said() {
    let (fake, mut contact, client) = telling(&["--timeout", "300ms", "-c", "M"]);
    contact.expect_wanted(None);
    contact.tell_page(PeersKind::Page, four());
    contact.expect_wanted(Some(four()[3].address));
    assert_eq!(client.finish(), Run { out: FOUR_LINES.to_owned(), log: untold(&fake.name()), code: 5 });
    let (_fake, mut contact, client) = telling(&["--timeout", "300ms", "-q", "-c", "M"]);
    contact.expect_wanted(None);
    assert_eq!(client.finish(), quiet("", 5));
}

#[test]
fn whoever_goes_back_is_not_asked_on() {
    let (fake, mut contact, client) = telling(&["-c", "M"]);
    contact.expect_wanted(None);
    contact.tell_page(PeersKind::Page, four());
    contact.expect_wanted(Some(four()[3].address));
    contact.tell_page(PeersKind::Page, four());
    assert_eq!(contact.receive(), None, "nothing more is asked");
    let log = format!("what contact {} tells goes back or comes to no end: incomplete\n", fake.name());
    assert_eq!(client.finish(), Run { out: FOUR_LINES.to_owned(), log, code: 5 });
}

#[test]
fn a_contact_lost_while_it_tells_is_that_and_no_silence() {
    let (fake, mut contact, client) = telling(&["-c", "M", "-c", "M"]);
    contact.expect_wanted(None);
    contact.tell_page(PeersKind::Page, four());
    contact.expect_wanted(Some(four()[3].address));
    drop(contact);
    let log = format!("client: contact {} is lost: it closed the connection\n", fake.name());
    assert_eq!(client.finish(), Run { out: FOUR_LINES.to_owned(), log, code: 4 });
    // One that is named is another matter: the contact is asked on.
    let (_fake, mut contact, mut client) = telling(&[]);
    let gone = Fake::listen();
    client.write(format!("M {}\nM\n", gone.name()));
    let mut other = attach_telling(&gone);
    other.expect_wanted(None);
    drop(other);
    contact.tell_all();
    let log = format!("client: {} is lost: it closed the connection\n", gone.name());
    assert_eq!(client.finish(), Run { out: FOUR_LINES.to_owned(), log, code: 4 });
}

#[test]
fn an_interrupt_ends_a_listing_and_the_script() {
    let (_fake, mut contact, mut client) = telling(&["--json", "-c", "M", "-c", "? never-asked"]);
    contact.expect_wanted(None);
    client.signal(Signal::INT);
    assert_eq!(picked(&client.next_json(), ["type", "reason"]), json!(["listed", "interrupted"]));
    assert_eq!(contact.receive(), None, "nothing more is asked");
    assert_eq!(client.finish(), quiet("", 130));
    // And one of another servent, also before that has said hello.
    for says_hello in [true, false] {
        let other = Fake::listen();
        let (_fake, mut contact, client) = telling(&["-c", &format!("M {}", other.name()), "-c", "? never-asked"]);
        let mut asked = other.accept();
        if says_hello {
            asked.greet_as_one_that_can(Features::OF_MEMBERS);
            asked.expect_wanted(None);
        } else {
            assert!(matches!(asked.receive(), Some(Message::Hello(_))));
        }
        client.signal(Signal::INT);
        assert_eq!(contact.receive(), None, "nothing more is asked");
        assert_eq!(client.finish(), quiet("", 130));
    }
}

#[test]
fn members_that_nobody_asked_for_are_unexpected() {
    let (fake, mut contact, mut client) = telling(&[]);
    client.write("? k\n");
    let sequence = contact.request().sequence;
    contact.tell_page(PeersKind::LastPage, four());
    assert_eq!(client.next_line(), format!("Unexpected message from {}", fake.address()));
    contact.finish(sequence, tally(1, 0));
    assert_eq!(client.next_line(), "No answer received");
    client.write("M\n");
    contact.expect_wanted(None);
    contact.tell_page(PeersKind::News, four());
    assert_eq!(client.next_line(), format!("Unexpected message from {}", fake.address()));
    contact.tell_page(PeersKind::LastPage, four());
    assert_eq!(client.finish(), quiet(FOUR_LINES, 1), "that nobody had what was asked is its exit code");
}

// ---- at a terminal ----

/// A client at its first prompt, and a contact that tells of members when the test does.
pub(super) fn telling_at_a_terminal(home: &TempDir, options: &[&str]) -> (Fake, Peer, Terminal) {
    let fake = Fake::listen();
    let name = fake.name();
    let mut terminal = Terminal::of_kind(XTERM, home.path(), &[], &[&[&*name], options].concat());
    let contact = attach_telling(&fake);
    terminal.wait_for_greeting(&name);
    (fake, contact, terminal)
}

const FOUR_ROWS: &str = "\
192.0.2.7:9001  ONLINE    41  pinned  heard 0 s ago         0.4 ms
192.0.2.7:9002  ONLINE   144  self
192.0.2.7:9003  OFFLINE    9  failed  heard 1 min 15 s ago
192.0.2.7:9004  OFFLINE   40  left    heard 1 min 15 s ago
";

#[test]
fn at_a_terminal_members_stand_in_columns_with_what_is_known_of_them_and_their_sum() {
    let home = TempDir::new().unwrap();
    let (_fake, mut contact, mut terminal) = telling_at_a_terminal(&home, &[]);
    terminal.press("M\r");
    contact.tell_all();
    terminal.wait_for_screen(&format!("> M\n{FOUR_ROWS}4 members: 2 online, 2 offline\n> "));
    terminal.press("Q\r");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn at_a_terminal_ctrl_c_ends_a_listing_and_shows_what_came() {
    let home = TempDir::new().unwrap();
    let (_fake, mut contact, mut terminal) = telling_at_a_terminal(&home, &[]);
    terminal.press("M\r");
    contact.expect_wanted(None);
    contact.tell_page(PeersKind::Page, four());
    contact.expect_wanted(Some(four()[3].address));
    terminal.wait_for_text("> M\n");
    terminal.press("\x03");
    terminal.wait_for_screen(&format!("> M\n^C\n{FOUR_ROWS}4 members: 2 online, 2 offline, then interrupted\n> "));
    // What comes for it now belongs to nothing, and is no surprise; the next one has its own.
    terminal.press("M\r");
    assert_eq!(contact.receive(), Some(Message::Ping));
    contact.expect_wanted(None);
    contact.tell_page(PeersKind::LastPage, vec![member(9005, 1, Word::Online, Linkage::Taken)]);
    contact.send(&Message::Pong);
    contact.tell_page(PeersKind::LastPage, four());
    let both = format!("interrupted\n> M\n{FOUR_ROWS}4 members: 2 online, 2 offline\n> ");
    terminal.wait_for_text(&both);
    // The same while another servent is waited for that says nothing.
    let mute = Fake::listen();
    terminal.press(format!("M {}\r", mute.name()));
    let mut asked = mute.accept();
    assert!(matches!(asked.receive(), Some(Message::Hello(_))));
    terminal.wait_for_text(&format!("> M {}\n", mute.name()));
    terminal.press("\x03");
    terminal.wait_for_text(&format!("> M {}\n^C\n> ", mute.name()));
    terminal.press("Q\r");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn at_a_terminal_it_is_said_once_why_members_are_not_all() {
    let home = TempDir::new().unwrap();
    let (fake, mut contact, mut terminal) = telling_at_a_terminal(&home, &["--timeout", "300ms"]);
    terminal.press("M\r");
    contact.expect_wanted(None);
    let said = format!("> M\n0 members: 0 online, 0 offline; {}> ", untold(&fake.name()));
    terminal.wait_for_screen(&said);
    terminal.press(format!("M {}\r", nobody()));
    terminal.wait_for_text("\nclient: no servent at ");
    terminal.wait_for_text("\n> ");
    terminal.press("help\r");
    terminal.wait_for_text(HELP);
}

// ---- the library ----

/// A client of the library, and a contact that tells of members when the test does.
pub(super) fn attached() -> (Fake, Peer, client::Client) {
    let fake = Fake::listen();
    let name = fake.name();
    let client = thread::spawn(move || client::Client::connect(&name).unwrap());
    let contact = attach_telling(&fake);
    (fake, contact, client.join().unwrap())
}

#[test]
fn a_listing_has_a_number_of_its_own_and_goes_on_beside_queries() {
    let (fake, mut contact, mut client) = attached();
    let listing = client.begin_members(PATIENCE).unwrap();
    assert!(matches!(client.begin_members(PATIENCE), Err(AskError::ListingPending(_))), "one at a time");
    let query = client.begin(client::Question::key("k").unwrap()).unwrap();
    assert_eq!(client.pending_count(), 2);
    contact.expect_wanted(None);
    contact.answer_next(b"v");
    contact.tell_page(PeersKind::LastPage, four());
    let mut told = Vec::new();
    while let Some(event) = client.next_event().unwrap() {
        told.push(event);
    }
    let [(of_answer, Event::Answer { from, via: Via::Direct, .. }), (_, Event::Finished(_)), members, end] = &told[..]
    else {
        panic!("{told:?}")
    };
    assert_eq!((*of_answer, *from), (Some(query), fake.address()));
    assert_eq!(*members, (Some(listing), Event::Members(four())));
    let (of_end, Event::Listed(MembersListed { reason: ListingEnd::Complete, members: 4, .. })) = end else {
        panic!("{end:?}")
    };
    assert_eq!((*of_end, client.pending_count()), (Some(listing), 0));
}

#[test]
fn a_listing_nobody_looks_at_any_more_is_cancelled_and_nothing_of_it_is_told() {
    let (_fake, mut contact, mut client) = attached();
    let events = client.members().unwrap();
    contact.expect_wanted(None);
    drop(events);
    assert_eq!(client.pending_count(), 0);
    let page = Message::Peers(Peers { kind: PeersKind::LastPage, members: four() });
    let heard = thread::spawn(move || {
        assert!(contact.is_heard(&page));
        contact
    });
    while !heard.is_finished() {
        assert!(!client.ready().unwrap(), "nothing is told");
    }
    let _contact = heard.join().unwrap();
    assert!(client.next_event().unwrap().is_none());
    let listing = client.begin_members(PATIENCE).unwrap();
    client.cancel(listing);
    let (of, Event::Listed(MembersListed { reason, .. })) = client.next_event().unwrap().unwrap() else {
        panic!("no end")
    };
    assert_eq!((of, reason), (Some(listing), ListingEnd::Cancelled));
}

#[test]
fn many_members_are_listed_to_the_last() {
    let (_fake, mut contact, mut client) = attached();
    let all: Vec<Member> = (1..=150).map(|port| member(port, 1, Word::Online, Linkage::None)).collect();
    let told = all.clone();
    let told = thread::spawn(move || {
        let mut after = None;
        let mut pages = told.chunks(64).peekable();
        while let Some(page) = pages.next() {
            contact.expect_wanted(after);
            after = page.last().map(|member| member.address);
            let kind = if pages.peek().is_some() { PeersKind::Page } else { PeersKind::LastPage };
            contact.tell_page(kind, page.to_vec());
        }
        contact
    });
    let events: Vec<Event> = client.members().unwrap().map(Result::unwrap).collect();
    let members = events.iter().flat_map(|event| if let Event::Members(members) = event { &members[..] } else { &[] });
    assert_eq!(members.copied().collect::<Vec<_>>(), all);
    let Some(Event::Listed(MembersListed { reason: ListingEnd::Complete, members: 150, .. })) = events.last() else {
        panic!("{:?}", events.last())
    };
    drop(told.join().unwrap());
}

/// A client attached beside another, and its contact.
fn beside(client: &client::Client) -> (Peer, client::Client) {
    let fake = Fake::listen();
    let name = fake.name();
    let contact = thread::spawn(move || attach_telling(&fake));
    let other = client.connect_beside(&name).unwrap();
    (contact.join().unwrap(), other)
}

#[test]
fn whoever_interrupts_a_client_interrupts_those_that_attach_beside_it() {
    let (_fake, _contact, mut client) = attached();
    let (interrupt, mut on_interrupt) = UnixStream::pair().unwrap();
    client.interrupt_on(interrupt, "Ctrl-C").unwrap();
    let mute = Fake::listen();
    let name = mute.name();
    // Attached to one that says hello it hears of an interrupt that comes later.
    let (_other_contact, mut other) = beside(&client);
    on_interrupt.write_all(b"c").unwrap();
    assert!(matches!(other.ready(), Err(client::ClientError::Interrupted)));
    let error = client.connect_beside(&name).unwrap_err();
    assert!(matches!(error, ConnectError::Interrupted { .. }), "{error:?}");
    let said = error.to_string();
    assert_eq!(said, format!("no servent at contact {name}: it did not say hello before Ctrl-C"));
    // Where as many connections wait as may, one more is neither taken nor refused.
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let address = full.local_addr().unwrap();
    let _waits = TcpStream::connect(address).unwrap();
    let error = client.connect_beside(&address.to_string()).unwrap_err();
    let said = "it did not take the connection before Ctrl-C";
    assert_eq!(error.to_string(), format!("no servent at contact {address}: {said}"));
}

#[test]
fn a_client_beside_another_has_its_answers_the_same_way() {
    let (_fake, _contact, client) = attached();
    let (_contact, other) = beside(&client);
    assert!(other.answers_at().is_some() && other.answers_at() != client.answers_at());
    let fake = Fake::listen();
    let name = fake.name();
    let contact = thread::spawn(move || attach_telling(&fake));
    let portless = client::Client::connect_without_port(&name).unwrap();
    let _contact = contact.join().unwrap();
    let (contact, other) = beside(&portless);
    assert_eq!(other.answers_at(), None);
    assert_eq!(contact.answer_address.map(|address| address.port()), Some(0), "the hello says so");
}
