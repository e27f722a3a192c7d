//! Who is told and asked, and how much at once.

use super::*;
use common::member::Greet;

/// Members at this many addresses, told by this neighbor.
fn many(told: &mut Told, by: LinkId, count: u128) -> Vec<SocketAddr> {
    let ids: Vec<u128> = (100..100 + count).collect();
    for ids in ids.chunks(PEERS_MAX) {
        let members: Vec<Member> = ids.iter().map(|id| member(*id, 1, Word::Online)).collect();
        told.hear(by, news(&members));
    }
    ids.iter().map(|id| servent_address(*id)).collect()
}

#[test]
fn pages_go_by_address_to_the_last() {
    let (mut told, [one, other]) = Told::linked();
    many(&mut told, one, 150);
    let (mut behind, mut seen, mut kinds) = (None, Vec::new(), Vec::new());
    loop {
        let out = peers_in(told.hear(other, wanted(behind)));
        let [(link, peers)] = &out[..] else { panic!("{out:?}") };
        assert_eq!(*link, other);
        seen.extend(peers.members.iter().map(|member| member.address));
        kinds.push((peers.kind, peers.members.len()));
        behind = seen.last().copied();
        if peers.kind == PeersKind::LastPage {
            break;
        }
    }
    let rest = 150 + 3 - 2 * PEERS_MAX;
    assert_eq!(kinds, [(PeersKind::Page, PEERS_MAX), (PeersKind::Page, PEERS_MAX), (PeersKind::LastPage, rest)]);
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
    assert!(seen.contains(&own_address()));
}

#[test]
fn this_servent_is_a_member_at_what_its_clock_shows() {
    let (mut told, [one]) = Told::linked();
    let out = peers_in(told.hear(one, wanted(None)));
    let own = out[0].1.members.iter().find(|member| member.address == own_address()).copied();
    let clock = own.unwrap().clock;
    assert!(clock > 2_000_000 && clock <= told.clock(), "{clock}");
    assert_eq!(own, Some(own_member(clock)));
}

#[test]
fn a_new_link_is_asked_to_the_end() {
    let mut told = Told::new();
    let link = told.accepted(servent_address(1));
    told.hear(link, Message::Hello(hello_of_members(1)));
    let page = |ids: &[u128]| ids.iter().map(|id| member(*id, 1, Word::Online)).collect::<Vec<_>>();
    let out = told.hear(link, peers(PeersKind::Page, page(&[5, 6])));
    assert_eq!(out, [send(link, wanted(Some(servent_address(6))))]);
    let out = told.hear(link, peers(PeersKind::Page, page(&[7])));
    assert_eq!(out, [send(link, wanted(Some(servent_address(7))))]);
    assert_eq!(told.hear(link, peers(PeersKind::LastPage, page(&[8]))), []);
    assert_eq!([5, 6, 7, 8].map(|id| told.word(id)), [Some(Word::Online); 4]);
    assert_eq!(told.hear(link, peers(PeersKind::Page, page(&[9]))), [], "it was not asked for");
}

#[test]
fn whoever_goes_back_or_comes_to_no_end_is_not_asked_on() {
    let mut told = Told::new();
    let link = told.accepted(servent_address(1));
    told.hear(link, Message::Hello(hello_of_members(1)));
    let page = |id| peers(PeersKind::Page, vec![member(id, 1, Word::Online)]);
    let mut asked_count = 0;
    for id in 2..1_000 {
        asked_count += told.hear(link, page(id)).len();
    }
    assert_eq!(asked_count, PAGES_AT_ONCE_MAX - 1);
    let other = told.accepted(servent_address(2));
    told.hear(other, Message::Hello(hello_of_members(2)));
    assert_eq!(told.hear(other, page(9)).len(), 1);
    assert_eq!(told.hear(other, page(8)), [], "back");
}

#[test]
fn now_and_then_somebody_is_asked_for_the_next_page() {
    let (mut told, links) = Told::linked::<3>();
    let mut asked: BTreeMap<LinkId, usize> = BTreeMap::new();
    let mut behind = Vec::new();
    for _ in 0..600 {
        let out = told.mind.pass_and_see(NEIGHBOR_BEAT);
        for output in out {
            if let Output::Send { link, message: Message::PeersWanted(PeersWanted { after }) } = output {
                *asked.entry(link).or_default() += 1;
                behind.push(after);
                let kind = if after.is_none() { PeersKind::Page } else { PeersKind::LastPage };
                told.hear(link, peers(kind, vec![member(50, 1, Word::Online)]));
            }
        }
        links.iter().for_each(|link| drop(told.mind.hear(*link, Message::Pong)));
    }
    assert!((59..=61).contains(&behind.len()), "once in {PAGE_PAUSE:?}: {}", behind.len());
    assert!(links.iter().all(|link| asked.get(link).is_some_and(|count| *count >= 5)), "{asked:?}");
    let expected = [None, Some(servent_address(50))];
    assert!(behind.iter().zip(expected.iter().cycle()).all(|(behind, expected)| behind == expected), "{behind:?}");
}

#[test]
fn what_changes_is_told_so_many_at_once_and_to_all_but_who_told_it() {
    let (mut told, [one, other]) = Told::linked();
    let addresses = many(&mut told, one, 150);
    let said = told.told(seconds(1));
    assert!(said.iter().all(|(link, _)| *link == other), "{said:?}");
    let counts: Vec<usize> = said.iter().map(|(_, peers)| peers.members.len()).collect();
    assert_eq!(counts, [PEERS_MAX, PEERS_MAX, 150 - 2 * PEERS_MAX]);
    let told_of: Vec<SocketAddr> =
        said.iter().flat_map(|(_, peers)| &peers.members).map(|member| member.address).collect();
    assert_eq!(told_of, addresses);
    // Whatever is said the same again is no news.
    many(&mut told, other, 150);
    assert_eq!(told.told(seconds(1)), []);
}

#[test]
fn whoever_tells_what_is_old_is_told_what_is_known() {
    let (mut told, [one, other]) = Told::linked();
    told.hear(one, news(&[member(9, 50, Word::Failed)]));
    told.mind.pass(NEWS_PAUSE);
    let out = peers_in(told.hear(other, news(&[member(9, 49, Word::Online)])));
    let [(link, peers)] = &out[..] else { panic!("{out:?}") };
    assert_eq!((*link, peers.members[0].clock, peers.members[0].word), (other, 50, Word::Failed));
    assert_eq!(told.hear(other, news(&[member(9, 49, Word::Failed)])), [], "only the clock is older");
}

#[test]
fn whoever_asks_without_end_is_answered_at_a_pace() {
    let (mut told, [one, other]) = Told::linked();
    let answered = |told: &mut Told, link| (0..1_000).filter(|_| !told.hear(link, wanted(None)).is_empty()).count();
    let at_once = answered(&mut told, one);
    assert!((PAGES_AT_ONCE_MAX..=PAGES_AT_ONCE_MAX + 1).contains(&at_once), "{at_once}");
    assert_eq!(answered(&mut told, other), at_once, "others are answered as ever");
    told.mind.pass(NEWS_PAUSE);
    assert_eq!(answered(&mut told, one), 1);
}

#[test]
fn whoever_does_not_take_part_is_told_nothing_and_asked_nothing() {
    let (mut told, [one]) = Told::linked();
    let plain = Hello { features: Features::OF_SERVENTS, ..hello_of_members(7) };
    let link = told.neighbor_that_says(&plain, servent_address(7));
    told.hear(one, news(&[member(9, 50, Word::Online)]));
    let said = told.pass_with(&[one, link], seconds(30));
    assert!(said.iter().all(|(to, _)| *to == one), "{said:?}");
    assert_eq!(told.word(7), Some(Word::Online), "it is a member all the same");
}

#[test]
fn a_neighbor_that_does_not_say_who_it_is_is_no_member() {
    let (mut told, [one]) = Told::linked();
    let from = SocketAddr::from(([10, 2, 0, 9], 9000));
    let link = told.accepted(from);
    told.mind.hear(link, Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless)));
    assert_eq!(told.mind.held("neighbors"), 2);
    assert!(told.page().iter().all(|member| member.address != from));
    assert_eq!(told.words_told(seconds(1)), []);
    let _ = one;
}

/// A servent that takes no part breaks the link of whoever says what it did not offer to understand.
#[test]
fn a_servent_that_takes_no_part_understands_nothing_of_it() {
    for message in [wanted(None), news(&[])] {
        let (mut mind, [link]) = Mind::linked();
        assert_eq!(mind.hear(link, message), goodbye(link, Goodbye::Protocol));
    }
}

#[test]
fn whoever_asks_and_did_not_offer_to_understand_an_answer_breaks_the_protocol() {
    let greet = Message::Greet(Greet { address: servent_address(7) });
    let servent = hello_of_members(1).role;
    for (role, asked) in [
        (servent, wanted(None)),
        (Role::Client { answer_port: 0 }, wanted(None)),
        (Role::Client { answer_port: 0 }, greet),
    ] {
        let mut told = Told::new();
        let link = told.accepted(([127, 0, 0, 1], 40_000).into());
        told.mind.hear(link, Message::Hello(Hello { features: Features::BACK, ..Hello::new(role) }));
        // What it tells itself needs no offer.
        assert_eq!(told.hear(link, news(&[member(9, 5, Word::Online)])), [], "{role:?}");
        assert_eq!(told.word(9), Some(Word::Online), "{role:?}");
        assert_eq!(told.hear(link, asked)[..2], goodbye(link, Goodbye::Protocol), "{role:?}");
    }
}

/// Whoever changes those of low addresses all the time keeps nobody from hearing of others.
#[test]
fn where_more_changes_than_can_be_told_at_once_all_of_it_has_its_turn() {
    let (mut told, [one, other]) = Told::linked();
    let many: Vec<u128> = (100..101 + 2 * PEERS_MAX as u128).collect();
    let tell_all = |told: &mut Told, word| {
        for ids in many.chunks(PEERS_MAX) {
            let clock = told.clock();
            let members: Vec<Member> = ids.iter().map(|id| member(*id, clock, word)).collect();
            told.hear(one, news(&members));
        }
    };
    let words = [Word::Online, Word::Suspect];
    tell_all(&mut told, Word::Online);
    told.told(seconds(1));
    let clock = told.clock();
    told.hear(one, news(&[member(900, clock, Word::Failed)]));
    let turns = (0..10).position(|turn| {
        tell_all(&mut told, words[(turn + 1) % 2]);
        let said = told.words_told(NEWS_PAUSE);
        said.contains(&(other, servent_address(900), Word::Failed))
    });
    assert_eq!(turns, Some(2), "two pages of others come before it");
}
