//! Neighbors that lie about who is there: whatever they say, whoever lives is there for those next to it, and nobody is dialled.
//!
//! What a mind makes of each single lie is tested at its door (`common/tests/it/overlay/members/`); how an overlay of many
//! stands them is the simulator's.

use std::io::ErrorKind;

use super::*;
use common::limits::{MEMBER_PLACES_MAX, PEERS_MAX, STAMP_STEP_MAX, STAMPS_PER_SECOND};
use common::member::{Member, Seen, Word};
use common::message::{Goodbye, Identity};
use peers::{Witness, members_told_by};
use support::{free_address, wait_until};

/// How many servents are invented, where no other number is wanted (`LIES`).
const INVENTIONS: u64 = 30_000;
/// How often all are said to be dead.
const DEAD_EVERY: Duration = Duration::from_millis(100);
/// So many pages are told before anybody is asked what it thinks now.
const PAGES: usize = 20;

/// How many servents are to be invented, if that was said. Then there is time to lie of those too that are not next to the liar.
fn wanted_inventions() -> Option<u64> {
    std::env::var("LIES").ok().map(|count| count.parse().unwrap())
}

fn lie(address: SocketAddr, id: u64, clock: u64, word: Word) -> Member {
    Member {
        address,
        id: Identity::of_bits(id),
        clock,
        heard: Duration::ZERO,
        word,
        is_open: true,
        is_proved: true,
        seen: Seen::default(),
    }
}

fn told_of(servent: SocketAddr, address: SocketAddr) -> Member {
    members_told_by(servent).into_iter().find(|member| member.address == address).unwrap()
}

/// What each of a chain says of those next to it.
fn neighbors_in(chain: &[SocketAddr]) -> impl Iterator<Item = (SocketAddr, SocketAddr)> {
    chain.windows(2).flat_map(|pair| [(pair[0], pair[1]), (pair[1], pair[0])])
}

#[test]
fn a_neighbor_that_invents_members_and_calls_all_dead_harms_nobody() {
    let _turn = turn();
    let data = tea();
    let servents = chain(&data);
    let far = start("-", &[servents[2].address]);
    let [first, middle, holder] = servents.each_ref().map(|servent| servent.address);
    let all = [first, middle, holder, far.address];
    let mut honest = Honest::new(first, 1);
    let mut witness = Witness::of(first);
    let victim = TcpListener::bind((free_address().ip(), 0)).unwrap();
    victim.set_nonblocking(true).unwrap();
    let victim_ip = victim.local_addr().unwrap().ip();
    wait_until("all are known to all", || all.iter().all(|servent| members_told_by(*servent).len() == all.len() + 1));
    let ids = all.map(|address| told_of(address, address).id);
    let before = servents[1].memory().now;
    let (inventions, lied_of) = wanted_inventions().map_or((INVENTIONS, 3), |count| (count, all.len()));

    let ports = (1..=u16::MAX).map(|port| SocketAddr::new(victim_ip, port));
    let invented = (0..inventions).map(|number| {
        let [.., a, b, c, d] = (0x0a00_0000 + number / 4).to_be_bytes();
        SocketAddr::from(([a, b, c, d], 9_000 + u16::try_from(number % 4).unwrap()))
    });
    let mut invented = ports.chain(invented).enumerate().map(|(number, address)| (number as u64, address));
    let mut liar = Witness::of(middle);
    let mut stamp = told_of(middle, middle).clock;
    let (start, mut dead_at) = (Instant::now(), Instant::now());
    let (mut dead_count, mut is_over) = (0, false);
    while !is_over || start.elapsed() < ATTACK {
        for _ in 0..PAGES {
            stamp += 1;
            let page = invented.by_ref().take(PEERS_MAX);
            let word = |number| if number % 3 == 0 { Word::Failed } else { Word::Online };
            let page: Vec<Member> =
                page.map(|(number, address)| lie(address, scrambled(number), stamp, word(number))).collect();
            is_over = page.is_empty();
            if !is_over {
                liar.tell(stamp, &page);
            }
            if dead_at.elapsed() >= DEAD_EVERY {
                dead_at = Instant::now();
                dead_count += 1;
                stamp += 1;
                // Each as it is, and as somebody else at its address.
                let id = |id: Identity| if dead_count % 3 == 0 { scrambled(stamp) } else { id.bits() };
                let word = [Word::Failed, Word::Left, Word::Suspect, Word::Online][dead_count % 4];
                let lies =
                    std::iter::zip(all, ids).take(lied_of).map(|(address, own)| lie(address, id(own), stamp, word));
                liar.tell(stamp, &lies.collect::<Vec<Member>>());
            }
        }
        // Whoever lies hears what is said to it, and is heard.
        liar.settle();
        witness.settle();
        honest.ask();
        for (by, of) in neighbors_in(&all) {
            let told = told_of(by, of);
            let place = all.iter().position(|address| *address == of).unwrap();
            assert_eq!((told.word, told.id), (Word::Online, ids[place]), "{by} of {of}");
        }
    }
    for address in [first, middle, holder] {
        let words = witness.words_of(address);
        assert!(words.iter().all(|word| *word == Word::Online), "of {address}: {words:?}");
    }
    let took = start.elapsed();
    println!("lies: {dead_count} times all were dead, {} members in {took:?}", inventions + u64::from(u16::MAX));
    honest.report("lies");
    assert!(members_told_by(middle).len() <= MEMBER_PLACES_MAX);
    let memory = servents[1].memory().now;
    println!("lies: {} KiB before, {} KiB after", before >> 10, memory >> 10);
    assert!(memory < before + GROWTH_BYTES_MAX, "{memory}");

    // Of those that are not next to whoever lies others may have believed it: once it has stopped they are told otherwise, as
    // often as what is said of a member that flaps.
    liar.hang_up();
    let until = Instant::now() + LONG;
    let know_all = |told: &[Member]| {
        let is_there = |(address, id)| {
            let is_it = |member: &Member| (member.address, member.id, member.word) == (address, id, Word::Online);
            told.iter().any(is_it)
        };
        std::iter::zip(all, ids).all(is_there)
    };
    while !all.iter().all(|servent| know_all(&members_told_by(*servent))) {
        assert!(Instant::now() < until, "not all know that all are there");
        witness.hear_for(DEAD_EVERY);
    }
    let dialled = victim.accept();
    assert!(matches!(&dialled, Err(error) if error.kind() == ErrorKind::WouldBlock), "{dialled:?}");
    let [_, middle, _] = servents;
    end(middle, "lies");
}

#[test]
fn clocks_without_end_stop_nobody_and_move_a_clock_no_further_than_they_may() {
    let _turn = turn();
    let data = tea();
    let servents = chain(&data);
    let all = servents.each_ref().map(|servent| servent.address);
    let [_, middle, _] = all;
    let begun = Instant::now();
    let mut liar = Witness::of(middle);
    for _ in 0..10_000 {
        liar.say_at(u64::MAX, &Message::Pong);
    }
    let nobody = free_address();
    liar.tell(u64::MAX, &[lie(nobody, 7, u64::MAX, Word::Online)]);
    liar.settle();
    let mut honest = Honest::new(all[0], 1);
    honest.ask();
    for servent in all {
        let told = members_told_by(servent);
        let seconds = begun.elapsed().as_secs() + 1;
        // And what happened there itself.
        let most = STAMP_STEP_MAX + seconds * STAMPS_PER_SECOND + 100_000;
        assert!(told.iter().all(|member| member.address != nobody && member.clock <= most), "{told:?}");
        assert!(all.iter().all(|address| told.iter().any(|member| member.address == *address)), "{told:?}");
        assert!(told.iter().all(|member| member.word == Word::Online), "{told:?}");
    }
    // A member from after its stamp is one of nobody.
    liar.tell(9, &[lie(nobody, 7, 10, Word::Online)]);
    liar.expect_last(&Message::Goodbye(Goodbye::Protocol));
    honest.ask();
    let [_, middle, _] = servents;
    end(middle, "clocks");
}
