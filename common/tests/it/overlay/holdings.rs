//! What a mind says of itself: what it holds, and that two minds differ.

use super::*;
use common::overlay::Holding;
use common::query::Path;

#[test]
fn what_it_holds_is_counted() {
    let mut mind = Mind::new();
    assert!(mind.overlay.holdings().all(|holding| holding.value == 0));
    let neighbors = [mind.neighbor(1), mind.neighbor(2), mind.neighbor(3)];
    for number in 0..2 {
        mind.client(number);
    }
    for _ in 0..4 {
        mind.stranger();
    }
    let tally = passed_on();
    for sequence in 0..5 {
        let query = query(sequence, 9, milk());
        mind.hear(neighbors[0], Message::query(query.clone()));
        // Of two of them every echo comes.
        for neighbor in neighbors[1..].iter().filter(|_| sequence < 2) {
            let echoed = Query { ttl: 2, ..query.clone() };
            mind.hear(*neighbor, echo_of(&echoed, tally));
        }
    }
    for client in [8, 9] {
        mind.hear(neighbors[0], Message::query(query(5, client, tea())));
    }
    assert_eq!(["neighbors", "clients", "strangers", "links"].map(|name| mind.held(name)), [3, 2, 4, 9]);
    assert_eq!(["seen", "pending", "echoes_kept"].map(|name| mind.held(name)), [7, 5, 2]);
    assert_eq!(["call_addresses", "call_dials", "call_links"].map(|name| mind.held(name)), [2, 2, 0]);
    assert!(mind.held("offers_kept_bytes") > 0 && mind.held("calls_queued_bytes") > 2 * "green".len());
    assert_eq!(["queries", "answered"].map(|name| mind.held(name)), [7, 2]);
    assert_eq!(mind.overlay.holding("nothing of this name"), None);
    // A link to an answer address is a link too.
    let links = [8, 9].map(|client| mind.dialled(call(client_address(client))).0);
    assert_eq!(["call_links", "links"].map(|name| mind.held(name)), [2, 11]);
    for link in links {
        mind.hear(link, client_hello(7000));
    }
    assert_eq!(["call_dials", "calls_queued_bytes"].map(|name| mind.held(name)), [0, 0]);
}

/// Whoever watches takes the limits from the list, so the list is held against the limits.
#[test]
fn every_limit_in_the_list_is_the_one_of_its_name() {
    let limits = [
        ("neighbors", NEIGHBORS_MAX),
        ("clients", CONNECTIONS_MAX),
        ("strangers", CONNECTIONS_MAX),
        ("links", CONNECTIONS_MAX),
        ("seen", SEEN_IDS_MAX),
        ("seen_by_age", SEEN_TP3_IDS_MAX),
        ("contacts", CONTACTS_MAX),
        ("own_open", usize::try_from(SPAN_MAX).unwrap() + 1),
        ("pending", QUERIES_PENDING_MAX),
        ("echoes_kept", ECHOES_KEPT_MAX),
        ("offers_kept_bytes", OFFERS_KEPT_BYTES_MAX),
        ("routes", ROUTES_KEPT_MAX),
        ("looks", LOOKS_MAX),
        ("sharing", NEIGHBORS_MAX),
        ("call_addresses", CALL_ADDRESSES_MAX),
        ("call_links", CALL_LINKS_MAX + CALL_DIALS_MAX),
        ("call_dials", CALL_DIALS_MAX),
        ("calls_queued_bytes", CALLS_QUEUED_BYTES_MAX),
        ("members", MEMBER_PLACES_MAX),
        ("member_news", MEMBER_PLACES_MAX),
        ("members_watched", NEIGHBORS_MAX),
        ("greetings", GREETINGS_MAX),
        ("finds", FINDS_WAITING_MAX),
        ("uploads", UPLOADS_MAX),
        ("writes_waiting_bytes", WRITES_WAITING_BYTES_MAX),
        ("written_keys", WRITTEN_KEYS_MAX),
        ("written_bytes", WRITTEN_BYTES_MAX),
        ("watches", CONNECTIONS_MAX * WATCHES_PER_CLIENT_MAX),
    ];
    let mind = Mind::new();
    let held = mind.overlay.holdings().filter_map(|Holding { name, limit, .. }| Some((name, limit?)));
    assert_eq!(held.collect::<Vec<_>>(), limits.map(|(name, limit)| (name, limit as u64)));
}

/// A query that is over leaves nothing behind that grows with how many there were.
#[test]
fn what_is_to_be_looked_at_is_bounded_by_what_is_pending_or_kept() {
    let (mut mind, [neighbor]) = Mind::linked();
    let client = mind.client(1);
    for sequence in 0..5_000 {
        mind.hear(client, request(sequence));
        let [looks, pending] = ["looks", "pending"].map(|name| mind.held(name));
        assert!(looks > 0 && looks <= LOOKS_FEW + 2 * pending, "{looks} looks at {pending}");
        // Nobody may offer it again, so nothing of it is kept.
        mind.hear(neighbor, echo_of(&query(sequence, 1, milk()), reached(1)));
        assert_eq!((mind.held("pending"), mind.held("echoes_kept")), (0, 0));
    }
    // Those that are pending are looked at all the same.
    for sequence in 5_000..5_010 {
        mind.hear(client, request(sequence));
    }
    let lost = Tally { lost: 1, ..passed_on() };
    let given_up = (5_000..5_010).map(|sequence| (ECHO_WAIT_MAX, send(client, finished(sequence, lost))));
    assert_eq!(mind.pass_but_pings(ECHO_WAIT_MAX), given_up.collect::<Vec<_>>());
    assert_eq!(mind.held("looks"), 0);
}

#[test]
fn what_is_kept_of_a_query_does_not_grow_with_the_neighbors_that_were_asked() {
    let kept_bytes = |neighbors_count| {
        let (mut mind, [asker]) = Mind::linked();
        let others: Vec<LinkId> = (0..neighbors_count).map(|id| mind.neighbor(10 + id)).collect();
        let before = mind.overlay.memory_bytes();
        mind.hear(asker, Message::query(query(5, 1, milk())));
        for other in others {
            mind.hear(other, echo_of(&Query { ttl: 2, ..query(5, 1, milk()) }, reached(1)));
        }
        assert_eq!(mind.held("echoes_kept"), 1);
        mind.overlay.memory_bytes() - before
    };
    assert_eq!(kept_bytes(1), kept_bytes(200));
}

#[test]
fn a_query_that_is_kept_counts_for_all_it_says_until_it_is_echoed() {
    let (mut mind, [a, b]) = Mind::linked();
    let came = query(1, 9, milk());
    mind.hear(a, Message::query(came.clone()));
    assert_eq!(mind.held("offers_kept_bytes"), size_of::<Query>() + "milk".len());
    mind.hear(b, echo_of(&Query { ttl: 2, ..came }, reached(1)));
    assert_eq!(mind.held("offers_kept_bytes"), 0);
    let path = Path::Addresses(vec![servent_address(3), servent_address(1)]);
    mind.hear(a, Message::query(Query { hops: 2, path, ..query(2, 9, Ask::Topology) }));
    assert_eq!(mind.held("offers_kept_bytes"), size_of::<Query>() + 3 * size_of::<SocketAddr>());
}

#[test]
fn an_answer_that_waits_counts_for_all_it_says() {
    let waiting = |ask, path| {
        let (mut mind, [neighbor, _]) = Mind::linked();
        mind.hear(neighbor, Message::query(Query { hops: 2, path, ..query(1, 9, ask) }));
        mind.held("calls_queued_bytes") - size_of::<Answer>()
    };
    assert_eq!(waiting(tea(), Path::default()), "green".len());
    let path = [servent_address(1), servent_address(3), own_address()].map(|address| address.to_string()).join(" ");
    let passed = Path::Addresses(vec![servent_address(1), servent_address(3)]);
    assert_eq!(waiting(Ask::Topology, passed), path.len() + 2 * size_of::<SocketAddr>());
}

/// The fingerprint of a mind with these neighbors, in the order in which they came, that heard one query.
fn fingerprint(neighbors: &[u64], sequence: u64, ttl: u8) -> u64 {
    let mut mind = Mind::new();
    for link in neighbors {
        mind.next_link = *link - 1;
        mind.neighbor(u128::from(*link));
    }
    if let Some(first) = neighbors.first() {
        mind.hear(LinkId(*first), Message::query(Query { ttl, ..query(sequence, 9, milk()) }));
    }
    mind.overlay.fingerprint()
}

#[test]
fn minds_that_differ_in_neighbors_or_in_the_latest_query_are_told_apart() {
    const NEIGHBORS: [&[u64]; 5] = [&[], &[2, 3], &[3, 2], &[2, 4], &[2, 3, 4]];
    let all: BTreeSet<u64> = NEIGHBORS.iter().map(|neighbors| fingerprint(neighbors, 1, 3)).collect();
    assert_eq!(all.len(), NEIGHBORS.len());
    for neighbors in &NEIGHBORS[1..] {
        let mut seen = BTreeSet::new();
        for (sequence, ttl) in (1..200).flat_map(|sequence| (0..6).map(move |ttl| (sequence, ttl))) {
            let number = fingerprint(neighbors, sequence, ttl);
            assert_eq!(fingerprint(neighbors, sequence, ttl), number, "equal minds are equal");
            assert!(seen.insert(number), "{neighbors:?}, sequence {sequence}, ttl {ttl}");
        }
    }
}
