//! Who is there, as real servents say of real servents that die, leave, come back and are stopped.
//!
//! What one servent makes of what it hears is tested at the mind's door (`common/tests/it/overlay/members/`), an overlay of
//! many and the figures are the simulator's, and those who lie are in `tests/hostile_peers/liars.rs`.

use std::net::TcpListener;

use super::*;
use common::limits::NEIGHBOR_QUIET_MAX;
use common::member::{GreetOutcome, Member, Word};
use common::message::{Identity, ServentId};
use peers::tp3::{Node, Wire};
use peers::{Witness, have_greeted, members_told_by};

/// Starts one there that is linked with these.
fn serve_at(address: SocketAddr, neighbors: &[SocketAddr]) -> Servent {
    let neighbors: Vec<String> = neighbors.iter().map(SocketAddr::to_string).collect();
    let arguments: Vec<&str> = ["-"].into_iter().chain(neighbors.iter().map(String::as_str)).collect();
    serve_on(&address.to_string(), &arguments)
}

/// Where no two of them are, and each can be again.
fn addresses<const COUNT: usize>() -> [SocketAddr; COUNT] {
    [(); COUNT].map(|()| free_address())
}

fn told_of(servent: SocketAddr, address: SocketAddr) -> Option<Member> {
    members_told_by(servent).into_iter().find(|member| member.address == address)
}

/// Waits until each of these says of each that it is there, and is who it says it is. Who they are.
fn all_there(servents: &[SocketAddr]) -> Vec<Identity> {
    let mut ids = Vec::new();
    wait_until("all know that all are there", || {
        ids = servents.iter().map(|address| told_of(*address, *address).unwrap().id).collect();
        servents.iter().all(|servent| {
            let told = members_told_by(*servent);
            let is_there = |(address, id)| {
                let is_it = |member: &Member| (member.address, member.id, member.word) == (address, id, Word::Online);
                told.iter().any(is_it)
            };
            std::iter::zip(servents.iter().copied(), ids.iter().copied()).all(is_there)
        })
    });
    ids
}

#[test]
fn whoever_is_restarted_at_once_is_there_in_whatever_order_that_is_told() {
    let [hub, restarted, far] = addresses();
    let _hub = serve_at(hub, &[]);
    let mut servent = serve_at(restarted, &[hub]);
    let _far = serve_at(far, &[hub]);
    let all = [hub, restarted, far];
    let before = all_there(&all);
    let old = told_of(far, restarted).unwrap();
    let mut witness = Witness::of(far);
    servent.kill().unwrap();
    let _restarted = serve_at(restarted, &[hub]);
    let after = all_there(&all);
    assert_ne!(before[1], after[1]);
    assert_eq!((before[0], before[2]), (after[0], after[2]));

    // Late, and the last first: of the one that was killed, and of the one that is there, before it was heard of anew.
    let new = told_of(far, restarted).unwrap();
    let stamp = told_of(far, far).unwrap().clock;
    for clock in (old.clock..new.clock).rev() {
        for word in Word::ALL {
            for id in [old.id, new.id] {
                witness.tell(stamp, &[Member { id, word, clock, ..old }]);
            }
        }
    }
    witness.settle();
    for servent in all {
        let told = told_of(servent, restarted).unwrap();
        assert_eq!((told.id, told.word), (new.id, Word::Online), "by {servent}");
    }
    let told_once_it_was_back =
        witness.heard.iter().filter(|told| told.address == restarted).skip_while(|told| told.id == old.id);
    assert!(
        told_once_it_was_back.clone().all(|told| (told.id, told.word) == (new.id, Word::Online)),
        "{:?}",
        witness.heard
    );
}

/// A greeting brings a later clock to whoever greets, and to nobody else.
#[test]
fn whoever_dies_just_after_somebody_far_away_had_it_greeted_has_failed_for_all() {
    let [hub, dying, far] = addresses();
    let _hub = serve_at(hub, &[]);
    let mut servent = serve_at(dying, &[hub]);
    let _far = serve_at(far, &[hub]);
    all_there(&[hub, dying, far]);
    // So often that what it says of it is ahead of the hub's clock, by more than the hub counts until it knows that it is
    // dead. A ping on the way takes the hub there too: then once more.
    wait_until("it is ahead", || {
        for _ in 0..20 {
            assert_eq!(have_greeted(far, dying).outcome, GreetOutcome::Met);
        }
        told_of(far, dying).unwrap().clock > told_of(hub, hub).unwrap().clock + 20
    });
    servent.kill().unwrap();
    wait_until("both know that it is dead", || {
        [hub, far].iter().all(|servent| told_of(*servent, dying).is_some_and(|told| told.word == Word::Failed))
    });
}

#[test]
fn another_program_at_the_address_of_one_that_died_is_not_taken_for_it() {
    let servent = serve(&["-"]);
    let mut witness = Witness::of(servent.address());
    // One of them says something, and one nothing.
    let [web, mute] = [(); 2].map(|()| TcpListener::bind((free_address().ip(), 0)).unwrap());
    let addresses = [&web, &mute].map(|listener| listener.local_addr().unwrap());
    let dying = addresses.map(|advertised| {
        let peer = Peer::stranger(servent.address());
        let role = Role::Servent { id: ServentId(u128::from(advertised.port())), advertised };
        Witness::greeting(peer, role)
    });
    for address in addresses {
        witness.hear_word(address, Word::Online);
    }
    thread::spawn(move || {
        for stream in web.incoming() {
            // Whoever dialled may have gone again.
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        }
    });
    dying.iter().for_each(Witness::hang_up);
    for address in addresses {
        witness.hear_word(address, Word::Failed);
    }
}

#[test]
fn whoever_left_and_comes_back_is_there_again() {
    let [hub, comes_back, far] = addresses();
    let _hub = serve_at(hub, &[]);
    let mut servent = serve_at(comes_back, &[hub]);
    let _far = serve_at(far, &[hub]);
    let before = all_there(&[hub, comes_back, far]);
    let mut witness = Witness::of(far);
    servent.signal(Signal::TERM);
    assert!(servent.wait().unwrap().success());
    witness.hear_word(comes_back, Word::Left);
    assert_eq!(told_of(hub, comes_back).unwrap().word, Word::Left);
    let _comes_back = serve_at(comes_back, &[hub]);
    assert_ne!(witness.hear_word(comes_back, Word::Online).id, before[1]);
    all_there(&[hub, comes_back, far]);
    let words = witness.words_of(comes_back);
    assert!(words.ends_with(&[Word::Left, Word::Online]) && !words.contains(&Word::Failed), "{words:?}");
}

#[test]
fn servents_that_all_are_restarted_at_once_all_are_there_again() {
    let ring: [SocketAddr; 4] = addresses();
    let start = |place: usize| serve_at(ring[place], &[ring[(place + 1) % ring.len()]]);
    let mut servents: Vec<Servent> = (0..ring.len()).map(start).collect();
    let mut ids = all_there(&ring);
    // First two that are linked, whom the others remember; then all, and nobody remembers anybody.
    for restarted in [&[1, 2][..], &[0, 1, 2, 3]] {
        restarted.iter().for_each(|place| servents[*place].signal(Signal::KILL));
        restarted.iter().for_each(|place| servents[*place].kill().unwrap());
        restarted.iter().for_each(|place| servents[*place] = start(*place));
        let before = std::mem::replace(&mut ids, all_there(&ring));
        for place in 0..ring.len() {
            assert_eq!(before[place] == ids[place], !restarted.contains(&place), "{place}");
        }
    }
}

/// How long one is stopped, where that is to be longer than until others suspect it.
fn stopped_for() -> Duration {
    Duration::from_secs(std::env::var("STOPPED_SECONDS").map_or(0, |seconds| seconds.parse().unwrap()))
}

/// Stops the one at this place of three, of which the others are linked with the first, and a witness with the last. Nobody
/// else is ever called dead or suspect, and it only where it was quiet for long enough.
fn stopped(place: usize) {
    let all: [SocketAddr; 3] = addresses();
    let servents = [serve_at(all[0], &[]), serve_at(all[1], &[all[0]]), serve_at(all[2], &[all[0]])];
    let before = all_there(&all);
    let mut witness = Witness::of(all[2]);
    let start = Instant::now();
    servents[place].signal(Signal::STOP);
    // On a machine with much else to do it may be late.
    witness.hear_any_of(all[place], &[Word::Suspect, Word::Failed]);
    let longer = stopped_for();
    if !longer.is_zero() {
        witness.hear_word(all[place], Word::Failed);
        witness.hear_for(longer.saturating_sub(start.elapsed()));
    }
    servents[place].signal(Signal::CONT);
    let is_for_long = start.elapsed() >= NEIGHBOR_QUIET_MAX;
    witness.hear_word(all[place], Word::Online);
    assert_eq!(all_there(&all), before, "they are who they were");
    witness.settle();
    for (other, address) in all.iter().enumerate() {
        let words = witness.words_of(*address);
        let stopped: &[Word] = if is_for_long { &[Word::Suspect, Word::Failed] } else { &[Word::Suspect] };
        let allowed = |word: &Word| *word == Word::Online || (other == place && stopped.contains(word));
        assert!(words.iter().all(allowed), "of {address}, where {} was stopped: {words:?}", all[place]);
    }
}

#[test]
fn a_servent_that_was_stopped_is_there_again_and_calls_nobody_dead() {
    stopped(1);
}

#[test]
fn where_the_servent_in_the_middle_was_stopped_nobody_else_is_called_dead() {
    stopped(0);
}

#[test]
fn neighbors_that_speak_tp3_are_no_members_and_hear_of_none() {
    let node = Node::open();
    let servent = serve(&["-", "--tp3", &node.name()]);
    let mut dialled = node.accept();
    assert_eq!(dialled.hear(4), peers::tp3::id(0));
    let taken = Wire::neighbor(servent.address());
    let other = serve(&["-", &servent.address().to_string()]);
    all_there(&[servent.address(), other.address()]);
    let mut witness = Witness::of(other.address());
    let mut all = [servent.address(), other.address(), witness.address()];
    all.sort_unstable();
    wait_until("the witness is heard of", || told_of(servent.address(), witness.address()).is_some());
    for by in [&servent, &other] {
        let told: Vec<SocketAddr> = members_told_by(by.address()).iter().map(|member| member.address).collect();
        assert_eq!(told, all);
    }
    // Nor is anything said of them when they go.
    assert_eq!(taken.leave(), b"");
    assert_eq!(dialled.leave(), b"");
    let later = Witness::of(servent.address());
    witness.hear_word(later.address(), Word::Online);
    let all = [&all[..], &[later.address()]].concat();
    assert!(witness.heard.iter().all(|told| all.contains(&told.address)), "{:?}", witness.heard);
}

#[test]
fn a_servent_that_knows_nothing_of_members_is_one_and_hears_of_none() {
    let servent = serve(&["-"]);
    let mut witness = Witness::of(servent.address());
    let mut plain = Peer::neighbor(servent.address());
    witness.hear_word(plain.address(), Word::Online);
    // Of one that comes all are told at once who are.
    let other = Witness::of(servent.address());
    witness.hear_word(other.address(), Word::Online);
    plain.say(&Message::Ping);
    assert_eq!(plain.expect(), Message::Pong, "and nothing comes before it");
    plain.hang_up();
    witness.hear_word(plain.address(), Word::Failed);
}
