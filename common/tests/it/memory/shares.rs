//! How much is remembered: what each neighbor and contact may have of it, and that the limits are reached.

use super::*;

/// A neighbor that brings queries nobody asked, all different, and what it says of their contacts.
struct Flooder {
    link: LinkId,
    id: u128,
    next: u64,
    ttl: u8,
    hops: u8,
    mark_of: fn(u64) -> Option<ContactMark>,
}

/// Each is of a contact that nobody has heard of.
fn of_new_contacts(number: u64) -> Option<ContactMark> {
    Some(mark(number, 0, 0))
}

/// All are of one contact.
fn of_one_contact(number: u64) -> Option<ContactMark> {
    Some(mark(number >> 40, number, 0))
}

fn of_no_contact(_: u64) -> Option<ContactMark> {
    None
}

impl Flooder {
    /// One whose queries end here, at once.
    fn new(mind: &mut Mind, id: u128, mark_of: fn(u64) -> Option<ContactMark>) -> Flooder {
        Flooder { link: mind.neighbor(id), id, next: u64::try_from(id << 40).unwrap(), ttl: 0, hops: 0, mark_of }
    }

    fn forged(&mut self) -> Query {
        self.next += 1;
        let client = usize::try_from(self.next % (1 << 24)).unwrap();
        let contact = (self.mark_of)(self.next);
        Query { contact, hops: self.hops, ttl: self.ttl, ..query(self.next, client, milk()) }
    }

    /// Brings one after the other until one is not taken, and says how many were.
    fn flood(&mut self, mind: &mut Mind) -> usize {
        let refused = mind.refused();
        for count in 0..=2 * SEEN_IDS_MAX {
            let query = self.forged();
            mind.hear(self.link, Message::query(query));
            if mind.refused() > refused {
                return count;
            }
        }
        panic!("nothing is ever refused");
    }

    /// Leaves, and comes again over another link.
    fn come_anew(&mut self, mind: &mut Mind) {
        mind.closed(self.link);
        self.link = mind.neighbor(self.id);
    }
}

impl Mind {
    fn refused(&self) -> usize {
        self.held("over_share") + self.held("unseen")
    }
}

#[test]
fn no_neighbor_has_more_of_a_kind_than_is_left_for_all_others() {
    type Marked = fn(u64) -> Option<ContactMark>;
    let kinds: [(&str, usize, Marked); 2] =
        [("contacts", CONTACTS_MAX, of_new_contacts), ("seen_by_age", SEEN_TP3_IDS_MAX, of_no_contact)];
    for (name, most, mark_of) in kinds {
        // What has come further counts for less, down to half.
        for hops in [0, 1, 13] {
            let mut mind = Mind::new();
            let mut hasty = Flooder { hops, ..Flooder::new(&mut mind, 1, mark_of) };
            let count = hasty.flood(&mut mind);
            let weight = 256 * 16 / (16 + usize::from(hops));
            let share = (most - PLACES_FREE) * 256 / (256 + weight);
            assert!((share..=share + 1).contains(&(count - PLACES_FREE)), "{name} of {hops} hops: {count}, {share}");
            assert_eq!((mind.held(name), mind.held("over_share")), (count, 1));
            // It is told so; what is known already takes no place; and what it was refused others may bring.
            let refused = hasty.forged();
            assert_eq!(mind.echo(hasty.link, &refused), lost());
            assert_eq!(mind.held("sharing"), 1);
            let other = mind.neighbor(2);
            assert_eq!(mind.echo(other, &refused), Tally { stopped: 1, ..reached(1) });
            assert_eq!(mind.held("sharing"), 2);
            assert_eq!(mind.echo(hasty.link, &refused), duplicate());
        }
    }
}

#[test]
fn no_contact_has_more_than_is_left_for_all_others() {
    const SHARED: usize = SEEN_IDS_MAX - PLACES_FREE - CONTACT_PLACES * CONTACTS_MAX;
    let mut mind = Mind::new();
    let mut total = 0;
    // It gains nothing by having its queries brought by others.
    let mut first = Flooder::new(&mut mind, 1, |number| Some(mark(7, number, 0)));
    let mut second = Flooder::new(&mut mind, 2, |number| Some(mark(7, number, 0)));
    for flooder in [&mut first, &mut second] {
        total += flooder.flood(&mut mind);
    }
    // What it has is all it has, its own places and those that were free for anybody too.
    assert!(total.abs_diff((SHARED + CONTACT_PLACES + PLACES_FREE) / 2) <= 1, "{total}");
    assert_eq!(mind.held("seen"), total);
    // Another contact has its own places, and what the neighbor has left of its share.
    let mut other = Flooder::new(&mut mind, 3, of_one_contact);
    other.link = first.link;
    let count = other.flood(&mut mind);
    assert!(count.abs_diff(CONTACT_PLACES + (CONTACT_PLACES + PLACES_FREE) / 2) <= 1, "{count}");
    let mut other = Flooder::new(&mut mind, 4, of_one_contact);
    let count = other.flood(&mut mind);
    assert!(count.abs_diff(CONTACT_PLACES + SHARED / 4) <= 1, "{count}");
}

/// A forger that fills the share of a contact would shut it out for as long as that is heard of.
#[test]
fn a_contact_in_whose_name_others_took_its_share_is_told_to_go_by_another() {
    let mut mind = Mind::new();
    let honest = mind.neighbor(100);
    let asked = |number| Query { ttl: 0, ..marked(number, mark(7, number, number)) };
    assert_eq!(mind.echo(honest, &asked(0)), reached(1));
    let ahead = |number| Some(mark(7, number, 1));
    Flooder::new(&mut mind, 1, ahead).flood(&mut mind);
    assert_eq!(mind.echo(honest, &asked(1)), Tally { lost: 1, spoilt: 1, ..Tally::default() });
    let renamed = Query { ttl: 0, ..marked(2, mark(8, 2, 2)) };
    assert_eq!(mind.echo(honest, &renamed), Tally { stopped: 1, ..reached(1) });
}

#[test]
fn a_known_contact_has_places_of_its_own_whatever_others_have() {
    let mut mind = Mind::new();
    let link = mind.neighbor(100);
    let known = |number| Query { ttl: 0, ..marked(number, mark(1_000, number, number.saturating_sub(1))) };
    assert_eq!(mind.echo(link, &known(0)), reached(1));
    for id in 1..=20 {
        Flooder::new(&mut mind, id, of_one_contact).flood(&mut mind);
    }
    assert_eq!(mind.held("over_share") + mind.held("unseen"), 20);
    for number in 1..1_000 {
        assert_eq!(mind.echo(link, &known(number)).lost, 0, "{number}");
    }
    // With one more open than it has places for it needs what is shared.
    let more = |number| Query { ttl: 0, ..marked(number, mark(1_000, number, 998)) };
    assert_eq!(mind.echo(link, &more(1_000)), lost());
}

#[test]
fn what_is_remembered_reaches_its_limits_and_never_goes_beyond() {
    // Neighbors come one after the other, and each takes half of what is left, from however far it says that it comes.
    let fill = |mind: &mut Mind, name: &str, most: usize, mark_of: fn(u64) -> Option<ContactMark>| {
        let mut taken = Vec::new();
        for id in 1..=40 {
            let mut hasty = Flooder { hops: u8::try_from(id % 15).unwrap(), ..Flooder::new(mind, id, mark_of) };
            let first = hasty.next + 1;
            let count = hasty.flood(mind);
            taken.extend(first..first + count as u64);
            assert!(mind.held(name) <= most, "{name}: {}", mind.held(name));
        }
        assert_eq!((mind.held(name), taken.len()), (most, most), "{name}");
        let refused = mind.held("unseen");
        let last = Flooder::new(mind, 50, mark_of).forged();
        let other = mind.neighbor(51);
        assert_eq!(mind.echo(other, &last), lost(), "{name}");
        assert_eq!(mind.held("unseen"), refused + 1);
        taken
    };
    fill(&mut Mind::new(), "seen_by_age", SEEN_TP3_IDS_MAX, of_no_contact);

    let mut mind = Mind::new();
    let known = fill(&mut mind, "contacts", CONTACTS_MAX, of_new_contacts);
    assert_eq!(mind.held("seen"), CONTACTS_MAX);
    // They say one more each, then more and more, over links of which each has what the others leave.
    let mut rounds = (1..).flat_map(|number| known.iter().map(move |name| (*name, number)));
    let mut sequence = 1 << 50;
    for id in 60..100 {
        let link = mind.neighbor(id);
        let refused = mind.refused();
        for (name, number) in rounds.by_ref() {
            sequence += 1;
            mind.hear(link, Message::query(Query { ttl: 0, hops: 3, ..marked(sequence, mark(name, number, 0)) }));
            if mind.refused() > refused {
                break;
            }
        }
        assert!(mind.held("seen") <= SEEN_IDS_MAX);
    }
    // Of the last few each contact has as many as are left. Our own clients may have those.
    let client = mind.client(9);
    let left = SEEN_IDS_MAX - mind.held("seen");
    assert!(left < 8, "{left}");
    for sequence in 0..left as u64 {
        mind.asked(client, 100 + sequence);
    }
    assert_eq!(mind.held("seen"), SEEN_IDS_MAX);
    let unseen = mind.held("unseen");
    let out = mind.hear(client, request(5));
    assert_eq!(out, [send(client, finished(5, Tally { reached: 1, lost: 1, ..Tally::default() }))]);
    assert_eq!(mind.held("unseen"), unseen + 1);
}

#[test]
fn neighbors_that_flood_for_ever_leave_room_to_everybody_else() {
    // Each of them may have more than half of what those before it left. How many flood, and how many honest contacts come
    // in twenty seconds.
    for (hasty_count, honest_count) in [(1, 1_000), (3, 100), (8, 1)] {
        let mut mind = Mind::new();
        let mut honest = Flooder { hops: 1, ..Flooder::new(&mut mind, 100, of_new_contacts) };
        let client = mind.client(9);
        let mut hasty: Vec<Flooder> =
            (1..=hasty_count).map(|id| Flooder { hops: 13, ..Flooder::new(&mut mind, id, of_new_contacts) }).collect();
        for step in 0..8 {
            let mut came = 0;
            for neighbor in &mut hasty {
                came += neighbor.flood(&mut mind);
                // One that comes anew gains nothing by it.
                neighbor.come_anew(&mut mind);
                assert_eq!(neighbor.flood(&mut mind), 0, "step {step}");
            }
            assert!(step % 7 != 0 || came > CONTACTS_MAX / 3, "{came}: what was quiet makes room for more");
            let refused = mind.counted();
            for _ in 0..honest_count {
                let query = honest.forged();
                assert_eq!(mind.echo(honest.link, &query), Tally { stopped: 1, ..reached(1) });
            }
            mind.asked(client, step);
            assert_eq!(mind.counted(), refused, "{hasty_count} hasty ones, step {step}");
            let neighbors: Vec<LinkId> = hasty.iter().chain([&honest]).map(|neighbor| neighbor.link).collect();
            mind.beats(&neighbors, 20);
        }
    }
}

/// What a servent takes from one that floods, and a little beside it, the servents behind it take as well: they know the
/// honest from the forged no more than it did, and hear both from the one they trust.
#[test]
fn behind_an_honest_neighbor_of_a_hasty_one_nothing_is_refused() {
    const LENGTH: usize = 3;
    // For each honest one that is brought beside it, so many are forged: a twentieth of what is taken.
    const FORGED: usize = 20;
    let mut chain: Vec<Mind> = (0..LENGTH).map(|_| Mind::new()).collect();
    let [mut hasty, mut honest] =
        [1, 2].map(|id| Flooder { ttl: 3, hops: 1, ..Flooder::new(&mut chain[0], id, of_new_contacts) });
    let left: Vec<LinkId> = chain.iter_mut().map(|mind| mind.neighbor(3)).collect();
    let right: Vec<LinkId> = chain.iter_mut().map(|mind| mind.neighbor(4)).collect();
    // The first has no left neighbor but those two.
    chain[0].closed(left[0]);
    let bring = |chain: &mut Vec<Mind>, link, query| {
        let mut on_the_way = Some((link, query));
        for (number, mind) in chain.iter_mut().enumerate() {
            let Some((link, query)) = on_the_way.take() else { break };
            for output in mind.hear(link, Message::query(query)) {
                let Output::Flood { links, query } = output else { continue };
                links.iter().for_each(|link| drop(mind.hear(*link, echo_of(&query, Tally::default()))));
                if let (true, Some(next)) = (links.contains(&right[number]), left.get(number + 1)) {
                    on_the_way = Some((*next, Query::clone(&query)));
                }
            }
        }
    };
    let mut honest_count = 0;
    while chain[0].refused() < 3_000 {
        for _ in 0..FORGED {
            let query = hasty.forged();
            bring(&mut chain, hasty.link, query);
        }
        let refused = chain[0].refused();
        if chain[0].held("contacts") < CONTACTS_MAX / 2 + PLACES_FREE / 2 {
            let query = honest.forged();
            bring(&mut chain, honest.link, query);
            honest_count += 1;
        }
        assert_eq!(chain[0].refused(), refused, "what is honest is not refused");
        for mind in &chain[1..] {
            assert_eq!(mind.refused(), 0, "{honest_count} honest ones");
        }
    }
    assert!(honest_count > 1_500, "{honest_count}");
    let counts: Vec<usize> = chain.iter().map(|mind| mind.held("contacts")).collect();
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

#[test]
fn a_neighbor_has_its_share_of_what_waits_for_echoes_and_others_theirs() {
    let mut mind = Mind::new();
    let other = mind.neighbor(100);
    let client = mind.client(9);
    let mut hasty = Flooder { ttl: 3, ..Flooder::new(&mut mind, 1, of_one_contact) };
    let half = PLACES_FREE + (QUERIES_PENDING_MAX - PLACES_FREE) / 2;
    let mut passed = Vec::new();
    for count in 0..half {
        let query = hasty.forged();
        let (links, onward) = mind.onward(hasty.link, &query);
        assert_eq!(links, [other], "{count}");
        passed.push((query, onward));
    }
    // One more is answered, and goes no further.
    let surplus = hasty.forged();
    assert_eq!(mind.echo(hasty.link, &surplus), Tally { lost: 1, ..reached(1) });
    assert_eq!((mind.held("pending"), mind.refused()), (half, 0));
    // What others bring does, and what our clients ask.
    let third = mind.neighbor(2);
    assert_eq!(mind.onward(third, &marked(1, mark(1_000, 0, 0))).0, [other, hasty.link]);
    mind.asked(client, 5);
    // One echo makes room for one.
    let (query, onward) = passed.remove(0);
    let tally = Tally { reached: 2, ..passed_on() };
    assert_eq!(mind.hear(other, echo_of(&onward, reached(1))), [send(hasty.link, echo_of(&query, tally))]);
    let [next, surplus] = [hasty.forged(), hasty.forged()];
    mind.onward(hasty.link, &next);
    // Whoever could be told nothing is not counted twice: it goes to nobody, whatever it asks.
    assert_eq!(mind.echo(hasty.link, &surplus), Tally { lost: 1, ..reached(1) });
    assert_eq!(mind.held("unsaid"), 0);
    // And time makes room for all.
    let told = mind.beats(&[other, third, hasty.link], 4);
    assert_eq!((mind.held("pending"), told.len()), (0, half + 2));
}

#[test]
fn what_waits_for_echoes_and_what_is_kept_of_them_reaches_its_limits() {
    for (name, ttl, most) in [("pending", 3, QUERIES_PENDING_MAX), ("echoes_kept", 0, ECHOES_KEPT_MAX)] {
        let mut mind = Mind::new();
        mind.neighbor(100);
        for id in 1..=40 {
            let hops = u8::try_from(id % 10).unwrap();
            let mut hasty = Flooder { hops, ttl, ..Flooder::new(&mut mind, id, of_one_contact) };
            let mut held = None;
            while held != Some(mind.held(name)) {
                held = Some(mind.held(name));
                let query = hasty.forged();
                mind.hear(hasty.link, Message::query(query));
            }
            assert!(held <= Some(most), "{name}: {held:?}");
        }
        assert_eq!((mind.held(name), mind.refused()), (most, 0));
        mind.pass(ECHO_WAIT_MAX);
        assert_eq!(mind.held(name), 0);
    }
}

#[test]
fn an_echo_that_could_not_be_kept_is_told_as_lost() {
    let mut mind = Mind::new();
    let mut asker = Flooder::new(&mut mind, 1, of_one_contact);
    let half = PLACES_FREE + (ECHOES_KEPT_MAX - PLACES_FREE) / 2;
    let mut brought: Vec<Query> = (0..=half).map(|_| asker.forged()).collect();
    for query in &brought {
        assert_eq!(mind.echo(asker.link, query), reached(1));
    }
    assert_eq!(mind.held("echoes_kept"), half);
    asker.come_anew(&mut mind);
    let unsure = Tally { duplicates: 1, lost: 1, ..Tally::default() };
    let last = brought.pop().unwrap();
    assert_eq!(mind.echo(asker.link, &last), unsure);
    assert_eq!(mind.echo(asker.link, &brought[half - 1]), reached(1));
    mind.pass(ECHO_WAIT_MAX);
    assert_eq!(mind.held("echoes_kept"), 0);
}

/// What came of a query whose neighbor has gone is kept for it, among what those have that are gone.
#[test]
fn neighbors_that_come_and_go_leave_nothing_behind_that_is_noted_of_them() {
    let mut mind = Mind::new();
    let other = mind.neighbor(100);
    // Nothing is left that is anybody's.
    let mut first = Flooder::new(&mut mind, 1, of_one_contact);
    while mind.held("echoes_kept") < PLACES_FREE {
        let query = first.forged();
        mind.hear(first.link, Message::query(query));
    }
    for id in 2..=30 {
        let mut brief = Flooder { ttl: 3, ..Flooder::new(&mut mind, id, of_new_contacts) };
        let query = brief.forged();
        let (links, onward) = mind.onward(brief.link, &query);
        mind.closed(brief.link);
        for link in links {
            mind.hear(link, echo_of(&onward, reached(1)));
        }
        assert_eq!(mind.held("echoes_kept"), PLACES_FREE + usize::try_from(id).unwrap() - 1);
        assert_eq!(mind.held("sharing"), 0, "neighbor {id}");
        // It hears of it when it comes back.
        let again = mind.neighbor(id);
        assert_eq!(mind.echo(again, &query).lost, 0);
        mind.closed(again);
    }
    for link in [first.link, other] {
        mind.closed(link);
    }
    assert_eq!(mind.held("sharing"), 0);
    mind.pass(ECHO_WAIT_MAX);
    assert_eq!(mind.held("echoes_kept"), 0);
}
