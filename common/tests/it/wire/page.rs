//! docs/PROTOCOL.md, held against the code: its examples, numbers, features and limits.

use std::collections::BTreeSet;

use super::golden::{Golden, golden_messages};
use super::*;
use common::exchange::MESSAGES_PER_VISIT;
use common::limits;
use common::write::{Change, Write, WriteOutcome, WriteRefusal, Written};

const PAGE: &str = include_str!("../../../../docs/PROTOCOL.md");

#[test]
fn the_page_shows_the_golden_bytes() {
    let examples: Vec<(&str, Vec<u8>)> = PAGE
        .split("```hex\n")
        .skip(1)
        .map(|rest| {
            let (block, _) = rest.split_once("```").expect("the block ends");
            let (name, lines) = block.split_once('\n').expect("the block has a name");
            // What the bytes mean stands two blanks or more behind them.
            let hex: Vec<&str> = lines.lines().filter_map(|line| line.split("  ").next()).collect();
            (name.trim_start_matches("# "), bytes(&hex.join(" ")))
        })
        .collect();
    let golden = golden_messages();
    for (name, example) in &examples {
        let golden = golden.iter().find(|golden| golden.name == *name);
        let golden = golden.unwrap_or_else(|| panic!("no golden bytes are called `{name}`"));
        assert_eq!(shown(example), shown(&bytes(golden.hex)), "{name}");
    }
    for name in [
        "hello of a servent",
        "hello of a client",
        "hello of a named servent",
        "request",
        "query",
        "answer",
        "echo",
        "finished",
        "query whose answers go back",
        "brought",
        "handed",
        "named brought",
        "request to find",
        "answer with entries",
        "list behind a name",
        "open",
        "blocks wanted",
        "put",
        "written, stored",
        "watch",
        "changed",
    ] {
        assert!(examples.iter().any(|(example, _)| *example == name), "no example `{name}`");
    }
}

#[test]
fn the_page_tells_the_hashes_as_they_are() {
    let hex = |hash: u64| hash.to_be_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let id = ServentId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    for told in [
        format!("The mark of the id in the example above is `{}`", hex(id.mark())),
        format!("`{}` for the key `kernel`", hex(AskHash::of(&key("kernel")).0)),
        format!("`{}` for the topology", hex(AskHash::of(&Ask::Topology).0)),
        format!("`{}` for the words `farol` and `barra`", hex(AskHash::of(&find(&["farol", "barra"])).0)),
    ] {
        assert!(PAGE.contains(&told), "{told}");
    }
}

#[test]
fn the_page_tells_the_limits_as_they_are() {
    let told = format!("{MESSAGES_PER_VISIT} messages at a time (`MESSAGES_PER_VISIT`)");
    assert!(PAGE.contains(&told), "{told}");
    let told: Vec<(&str, &str)> = PAGE
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let name = cells.next()?.strip_suffix('`')?;
            let value = cells.next()?;
            (name.contains('_') && name == name.to_uppercase()).then_some((name, value))
        })
        .collect();
    let limits = limits();
    for (name, value) in &told {
        let limit = limits.iter().find(|(limit, _)| limit == name);
        assert_eq!(limit.map(|(_, value)| value.as_str()), Some(*value), "{name}");
    }
    for (name, _) in &limits {
        assert!(told.iter().any(|(told, _)| told == name), "{name} is not on the page");
    }
}

/// The rows of a table of the page, cell by cell, below the head that begins like this.
fn rows_below(head: &str) -> Vec<Vec<&'static str>> {
    let lines = PAGE.lines().map(str::trim).skip_while(|line| !line.starts_with(head));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = rows.map(|row| row.split('|').skip(1).map(str::trim).collect()).collect();
    assert!(!rows.is_empty(), "no table begins with {head}");
    rows
}

/// The byte of a frame's body at this place.
fn byte_of(position: Position, message: &Message, place: usize) -> String {
    frame_at(position, message)[4 + place].to_string()
}

#[test]
fn the_page_numbers_the_messages_as_they_are() {
    let told: BTreeSet<(String, &str)> =
        rows_below("| no. | message |").into_iter().map(|row| (row[0].to_owned(), row[1])).collect();
    let golden = golden_messages();
    let said = golden.iter().map(|Golden { message, position, .. }| {
        let place = if *position == Position::First { 0 } else { 1 };
        (byte_of(*position, message, place), message.name())
    });
    assert_eq!(said.collect::<BTreeSet<_>>(), told);
}

#[test]
fn the_page_numbers_what_stands_inside_of_messages_as_it_is() {
    let place = || AnswerBody::Place { path: Path::default(), neighbors: Vec::new() };
    let entries = || AnswerBody::Entries(Entries::default());
    let have = |have| byte_of(Position::Later, &Message::Opened(Opened { fetch: 0, size: 0, have }), 4);
    let hello = |role| byte_of(Position::First, &Message::Hello(Hello::new(role)), 1);
    let request = |ask| byte_of(Position::Later, &Message::Request(Request { sequence: 0, ask, ttl: None }), 3);
    let answer = |body| {
        byte_of(Position::Later, &Message::Answer(Answer { sequence: 0, asked: Some(AskHash(0)), hops: 0, body }), 12)
    };
    let handed = |body| {
        let answer =
            Arc::new(BroughtAnswer { id: ServentId(0), from: address("127.0.0.1:0"), name: None, hops: 0, body });
        byte_of(Position::Later, &Message::Handed(Handed { sequence: 0, answer }), 26)
    };
    let query_via = |via, dialect, contact, place| {
        let client = AnswerAddress { socket: address("127.0.0.1:0"), dialect };
        let query =
            Query { via, sequence: 0, client, contact, ttl: 0, hops: 0, ask: Ask::Topology, path: Path::default() };
        byte_of(Position::Later, &Message::query(query), place)
    };
    let query = |dialect, contact, place| query_via(Via::Direct, dialect, contact, place);
    let change = |change| byte_of(Position::Later, &Message::Write(Write { sequence: 0, change }), 3);
    let outcome = |outcome| byte_of(Position::Later, &Message::Written(Written { sequence: 0, outcome }), 3);
    let servent = Role::Servent { id: ServentId(0), advertised: address("127.0.0.1:0") };
    let named_hello = Hello { name: Some(named("kitchen")), ..Hello::new(servent) };
    let named_hello = byte_of(Position::First, &Message::Hello(named_hello), 1);
    let mut said = vec![
        ("role", hello(servent), "servent"),
        ("role", hello(Role::Client { answer_port: 0 }), "client"),
        ("role", named_hello, "named servent"),
        ("contact", query(Dialect::Native, None, 10), "none"),
        ("contact", query(Dialect::Native, Some(mark(0, 0, 0)), 10), "contact"),
        ("ask", request(key("a")), "key"),
        ("ask", request(Ask::Topology), "topology"),
        ("ask", request(find(&["a"])), "find"),
        ("ask", request(Ask::Named(file_name(b"a"))), "named"),
        ("ask", request(Ask::Hashed(ContentHash([0; 32]).into())), "hashed"),
        ("answer body", answer(AnswerBody::Value(Vec::new())), "value"),
        ("answer body", answer(place()), "place"),
        ("answer body", answer(entries()), "entries"),
        ("brought body", handed(BroughtBody::Whole(AnswerBody::Value(Vec::new()))), "value"),
        ("brought body", handed(BroughtBody::Whole(place())), "place"),
        ("brought body", handed(BroughtBody::Announced(0)), "announced"),
        ("brought body", handed(BroughtBody::Whole(entries())), "entries"),
        ("have", have(Have::Runs(Vec::new())), "runs"),
        ("have", have(Have::Partly), "partly"),
        ("change", change(Change::Put { key: key_of("a"), value: b""[..].into() }), "put"),
        ("change", change(Change::Delete { key: key_of("a") }), "delete"),
        ("change", change(Change::Publish { name: file_name(b"a"), text: b""[..].into() }), "publish"),
        ("change", change(Change::Unpublish { name: file_name(b"a") }), "unpublish"),
        ("outcome", outcome(WriteOutcome::Stored), "stored"),
        ("outcome", outcome(WriteOutcome::Replaced), "replaced"),
        ("outcome", outcome(WriteOutcome::Deleted), "deleted"),
        ("outcome", outcome(WriteOutcome::Absent), "absent"),
        ("outcome", outcome(WriteOutcome::Present), "present"),
        ("outcome", outcome(WriteOutcome::Refused(WriteRefusal::NoStore)), "refused"),
    ];
    let peers = |kind| byte_of(Position::Later, &Message::Peers(Peers { kind, members: Vec::new() }), 2);
    let name = |dialect: Dialect| if dialect == Dialect::OWN { "native" } else { dialect.manners().name };
    said.extend(Dialect::ALL.iter().map(|dialect| ("dialect", query(*dialect, None, 9), name(*dialect))));
    // No dialect, though it stands where one does.
    said.push(("dialect", query_via(Via::Back, Dialect::OWN, Some(mark(0, 0, 0)), 9), "back"));
    said.extend([
        ("kind of peers", peers(PeersKind::News), "news"),
        ("kind of peers", peers(PeersKind::LastPage), "last page"),
        ("kind of peers", peers(PeersKind::Page), "page"),
    ]);
    let mut part = "";
    let mut told = Vec::new();
    for row in rows_below("| part | variant |") {
        part = if row[0].is_empty() { part } else { row[0] };
        told.extend(
            row[1]
                .split_once(' ')
                .filter(|_| !["tally", "member", "word", "entries", "entry"].contains(&part))
                .map(|(no, name)| (part, no.to_owned(), name)),
        );
    }
    assert_eq!(told, said);
}

#[test]
fn the_page_numbers_the_reasons_of_a_goodbye_as_they_are() {
    let mut told = rows_below("| no. | goodbye |").into_iter().map(|row| (row[0].to_owned(), row[1].to_owned()));
    for farewell in Goodbye::ALL {
        let number = byte_of(Position::Later, &Message::Goodbye(farewell), 2);
        assert_eq!(told.next(), Some((number, format!("{farewell:?}").to_lowercase())));
    }
    // What else comes is a goodbye all the same.
    let first_free = Goodbye::ALL.len();
    assert_eq!(told.next(), Some((format!("{first_free} and above"), "(unknown)".to_owned())));
    assert_eq!(told.next(), None);
    let heard = heard_by(&mut stranger(), &framed(&[1, u8::try_from(first_free).expect("there are few")]));
    let number = u32::try_from(first_free).expect("there are few");
    assert_eq!(heard, Ok(vec![Message::Goodbye(Goodbye::Unknown { number })]));
}

#[test]
fn the_page_lists_the_features_that_were_given_out() {
    let told = rows_below("| bit | feature |").into_iter().map(|row| row[..3].join(" "));
    let given_out = Features::NAMES.iter().enumerate().map(|(bit, name)| {
        let offers = |offered: Features| offered.include(Features::from_bits(1 << bit));
        let by = match (offers(Features::OF_MEMBERS), offers(Features::OF_CLIENTS)) {
            (true, true) => "both",
            (true, false) => "servents",
            (false, true) => "clients",
            (false, false) => "nobody",
        };
        format!("{bit} {name} {by}")
    });
    assert_eq!(told.collect::<Vec<_>>(), given_out.collect::<Vec<_>>());
}

fn limits() -> Vec<(&'static str, String)> {
    macro_rules! named {
        ($show:expr, $($name:ident),+ $(,)?) => { [$((stringify!($name), $show(limits::$name))),+] };
    }
    let counts = named!(
        grouped,
        KEY_BYTES_MAX,
        VALUE_BYTES_MAX,
        NAME_BYTES_MAX,
        FRAME_BYTES_MAX,
        SERVENT_FRAME_BYTES_MAX,
        HELLO_FRAME_BYTES_MAX,
        PATH_ADDRESSES_MAX,
        BROUGHT_BYTES_MAX,
        SEEN_IDS_MAX,
        CONTACTS_MAX,
        CONTACT_PLACES,
        PLACES_FREE,
        SEEN_TP3_IDS_MAX,
        COPIES_OPEN_MAX,
        OWN_PENDING_MAX,
        QUERIES_PENDING_MAX,
        ECHOES_KEPT_MAX,
        OFFERS_KEPT_BYTES_MAX,
        ROUTES_KEPT_MAX,
        BROUGHT_PER_QUERY_MAX,
        BROUGHT_PER_LINK_MAX,
        BROUGHT_UNSENT_BYTES_MAX,
        NEIGHBORS_MAX,
        CONNECTIONS_MAX,
        CALL_DIALS_MAX,
        CALL_DIALS_PER_NETWORK_MAX,
        CALL_ADDRESSES_MAX,
        CALL_LINKS_MAX,
        CALL_QUEUED_BYTES_MAX,
        CALLS_QUEUED_BYTES_MAX,
        STRANGER_UNSENT_BYTES_MAX,
        CLIENT_UNSENT_BYTES_MAX,
        NEIGHBOR_UNSENT_BYTES_MAX,
        ANSWER_UNSENT_BYTES_MAX,
        MEMBERS_MAX,
        MEMBER_PLACES_MAX,
        PEERS_MAX,
        PAGES_AT_ONCE_MAX,
        GREETINGS_MAX,
        CLIENT_PENDING_MAX,
        CLIENT_ANSWERERS_MAX,
        FETCHES_MAX,
        FETCHES_WAITING_MAX,
        FETCH_ADDRESSES_MAX,
        CONTENT_HOLDERS_MAX,
        HASH_PARTS_ASKED_MAX,
        BLOCKS_ASKED_BYTES_MAX,
        BLOCKS_ASKED_BYTES_LOW,
        BLOCKS_HELD_BYTES_MAX,
        CLIENT_CONNECTIONS_MAX,
        COMMAND_BYTES_MAX,
        BLOCK_BYTES_MIN,
        BLOCK_BYTES_MAX,
        FILE_NAME_BYTES_MAX,
        DESCRIPTION_BYTES_MAX,
        SHARED_FILES_MAX,
        FIND_WORDS_MAX,
        FIND_WORD_BYTES_MAX,
        HASH_START_BYTES_MIN,
        FIND_COUNTED_BYTES_MAX,
        FINDS_WAITING_MAX,
        ENTRIES_MAX,
        ENTRIES_BYTES_MAX,
        HAVE_RUNS_MAX,
        BULK_UNSENT_BYTES_MAX,
        BLOCKS_READ_BYTES_MAX,
        UPLOADS_MAX,
        UPLOADS_PER_LINK_MAX,
        UPLOAD_WANTED_MAX,
        WRITES_WAITING_BYTES_MAX,
        COMMIT_BYTES_MAX,
        WRITTEN_BYTES_MAX,
        WRITTEN_KEYS_MAX,
        WATCHES_PER_CLIENT_MAX,
        WRITES_PENDING_MAX,
    );
    let small = named!(|count: u32| grouped(count as usize), BLOCKS_MAX, HASHES_MAX, BLOCKS_WANTED_MAX);
    let spans = named!(
        |span: u64| grouped(usize::try_from(span).expect("a span is small")),
        CONTENT_BYTES_MAX,
        SPAN_MAX,
        STAMP_STEP_MAX,
        STAMPS_PER_SECOND
    );
    let hops = named!(
        |ttl: u8| ttl.to_string(),
        TTL_DEFAULT,
        TTL_MAX,
        TTL_FROM_OTHERS_MAX,
        FLAPPING_CHANGES,
        FLAPPING_CHANGES_MAX,
        LOOKS_AGAIN_MAX,
        HOLDER_FAILURES_MAX
    );
    let times = named!(
        |time: Duration| format!("{} s", time.as_secs_f64()),
        CONTACT_QUIET_MAX,
        COPY_YOUNG_MAX,
        SEEN_TP3_AGE_MAX,
        ECHO_WAIT_MAX,
        ROUTE_KEPT,
        BACK_AFTER,
        HELLO_WAIT_MAX,
        FRAME_WAIT_MAX,
        LINGER_MAX,
        NEIGHBOR_BEAT,
        PING_AFTER,
        NEIGHBOR_QUIET_MAX,
        SUSPECT_AFTER,
        NEWS_PAUSE,
        PAGE_PAUSE,
        FLAPPING_WINDOW,
        FLAPPING_PAUSE,
        GREETING_WAIT_MAX,
        SUSPECT_MAX,
        FAILED_KEPT,
        MEMBER_KEPT,
        MEMBER_REFRESH,
        MEMBER_REFRESH_PAUSE,
        REDIAL_PAUSE_MIN,
        REDIAL_PAUSE_MAX,
        DIAL_WAIT_MAX,
        LOOK_UP_WAIT_MAX,
        ANSWER_IDLE_MAX,
        CALL_REST_MIN,
        CALL_REST_MAX,
        SILENCE_DEFAULT,
        FETCH_WAIT_MAX,
        LOOK_THROUGH_PAUSE,
        UPLOAD_IDLE_MAX,
        HOLDER_QUIET,
        HOLDER_QUIET_MAX,
        BUSY_PAUSE_MIN,
        BUSY_PAUSE_MAX,
        ASK_AGAIN_PAUSE,
        HOLDERS_WAIT_DEFAULT,
        CHANGED_AGAIN_PAUSE,
    );
    [counts.to_vec(), small.to_vec(), spans.to_vec(), hops.to_vec(), times.to_vec()].concat()
}

/// As the page writes large numbers: 1,056,768.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
