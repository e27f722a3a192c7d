//! Links that the graph did not draw, and links that part: what minds of today do of it when they are told to.

use std::collections::BTreeSet;

use common::address::Neighbor;
use common::limits::{ECHO_WAIT_MAX, REDIAL_PAUSE_MAX, SILENCE_DEFAULT};
use common::overlay::Errand;
use common::session::EndReason;

use super::*;
use crate::graph::Graph;
use crate::plan::{Item, Plan, Wire};
use crate::scene::tests::{linked, small};
use crate::shapes::Shape;

/// So many servents in a ring, who are all asked the key that servents 2 and 5 hold.
fn ring(servents: usize, delays: Delays) -> Scene {
    let links: Vec<(u32, u32)> =
        (0..number(servents)).map(|servent| (servent, (servent + 1) % number(servents))).collect();
    let plan = Plan { ttl: 7, delays, wire: Wire::None, ..small(Shape::Ring, servents, 1) };
    Scene { holders: vec![2, 5], ..linked(plan, &links) }
}

fn asking(contact: u32, topology: bool) -> Asking {
    Asking { number: contact, at: Duration::ZERO, contact, topology }
}

/// What a servent of the scene is started with that lists one more.
fn with_neighbor(scene: &Scene, servent: usize, neighbor: usize) -> Config {
    let mut config = plain_config(scene, servent);
    config.neighbors.push(plain_neighbor(neighbor));
    config
}

/// Everybody there asks for the key and for the topology, and all of it is as the oracle says of the links that stand.
fn ask_everybody(crowd: &mut Crowd<'_>) {
    for contact in 0..crowd.servents.len() {
        if crowd.is_there(contact) {
            crowd.ask(asking(number(contact), false));
            crowd.ask(asking(number(contact), true));
        }
    }
    assert!(crowd.broken().is_empty(), "{:#?}", crowd.broken());
}

fn links_of(crowd: &Crowd<'_>) -> Vec<(u32, u32)> {
    crowd.as_it_stands().graph.links().collect()
}

/// The ends that are open of links between servents.
fn open_ends(crowd: &Crowd<'_>) -> usize {
    let is_servents = |end| matches!(crowd.ends.owner(end), EndOwner::Servent(_));
    let ends = (0..10_000).filter(|end| is_servents(*end) && is_servents(crowd.ends.mate(*end)));
    ends.filter(|end| crowd.ends.is_open(*end)).count()
}

const LINKS_OF_RING: [(u32, u32); 6] = [(0, 1), (0, 5), (1, 2), (2, 3), (3, 4), (4, 5)];

fn with_others(others: &[(u32, u32)], without: u32) -> Vec<(u32, u32)> {
    let all: BTreeSet<(u32, u32)> = LINKS_OF_RING.iter().chain(others).copied().collect();
    all.into_iter().filter(|(a, b)| *a != without && *b != without).collect()
}

#[test]
fn a_neighbor_that_the_graph_does_not_know_is_dialled_and_is_one_from_then_on() {
    for delays in [Delays::Equal, Delays::Mild, Delays::Heavy] {
        let scene = ring(6, delays);
        let mut crowd = Crowd::with(&scene, |servent| match servent {
            0 => with_neighbor(&scene, 0, 3),
            servent => plain_config(&scene, servent),
        });
        assert_eq!(links_of(&crowd), LINKS_OF_RING, "at first nobody has taken it");
        crowd.pass(Duration::from_secs(1));
        assert_eq!(links_of(&crowd), with_others(&[(0, 3)], u32::MAX));
        ask_everybody(&mut crowd);
        // Of 12 queries each reached everybody over 7 links.
        let outcome = crowd.finish();
        assert_eq!((outcome.reached, outcome.missed, outcome.doubled, outcome.lost), (72, 0, 0, 0));
        assert!(outcome.copies >= 12 * (2 * 7 - 5), "{}", outcome.copies);
    }
}

#[test]
fn two_who_list_each_other_are_linked_once() {
    let scene = ring(6, Delays::Equal);
    let mut crowd = Crowd::with(&scene, |servent| match servent {
        0 => with_neighbor(&scene, 0, 3),
        3 => with_neighbor(&scene, 3, 0),
        1 => with_neighbor(&scene, 1, 2),
        2 => with_neighbor(&scene, 2, 1),
        servent => plain_config(&scene, servent),
    });
    crowd.pass(Duration::from_secs(1));
    assert_eq!(links_of(&crowd), with_others(&[(0, 3)], u32::MAX));
    assert_eq!(open_ends(&crowd), 2 * 7, "of two links between the same servents one is closed, at both ends");
    ask_everybody(&mut crowd);
}

#[test]
fn whoever_leaves_is_linked_with_nobody_and_comes_back_as_somebody_else() {
    for delays in [Delays::Equal, Delays::Mild, Delays::Heavy] {
        let scene = ring(6, delays);
        let mut crowd = Crowd::new(&scene);
        ask_everybody(&mut crowd);
        crowd.leave(4);
        assert_eq!(links_of(&crowd), with_others(&[], 4), "its own ends are closed at once");
        assert_eq!(open_ends(&crowd), 2 * 4 + 2, "the others know nothing of it yet");
        crowd.pass(Duration::from_secs(1));
        assert_eq!(open_ends(&crowd), 2 * 4, "now they do");
        ask_everybody(&mut crowd);
        // Whoever listed it goes on to dial it, and finds nobody.
        crowd.pass(2 * REDIAL_PAUSE_MAX);
        assert_eq!(links_of(&crowd), with_others(&[], 4));

        let again = Config { servent_id: servent_id(4, 2), ..plain_config(&scene, 4) };
        crowd.start(4, &again);
        crowd.pass(2 * REDIAL_PAUSE_MAX);
        assert_eq!(links_of(&crowd), LINKS_OF_RING);
        ask_everybody(&mut crowd);
        let outcome = crowd.finish();
        assert_eq!((outcome.missed, outcome.doubled, outcome.lost), (0, 0, 0));
    }
}

#[test]
fn whoever_leaves_in_the_midst_of_a_query_is_lost_to_it_and_to_no_other() {
    let scene = ring(6, Delays::Equal);
    let mut crowd = Crowd::new(&scene);
    let begun = crowd.begin(asking(0, true)).expect("it is there");
    // Its copies are with the neighbors, and those of theirs under way.
    crowd.pass(Duration::from_millis(25));
    crowd.leave(1);
    let ending = crowd.see_to_its_end(begun).expect("it ends");
    assert_eq!((ending.reason, ending.tally.lost), (EndReason::Silence, 1), "{ending:?}");
    assert!(crowd.broken().is_empty(), "{:#?}", crowd.broken());
    crowd.pass(ECHO_WAIT_MAX);
    assert_eq!(links_of(&crowd), with_others(&[], 1));
    ask_everybody(&mut crowd);
}

#[test]
fn a_contact_that_goes_leaves_its_client_what_has_come_and_a_silence() {
    for leaves in [true, false] {
        let scene = ring(6, Delays::Equal);
        let mut crowd = Crowd::new(&scene);
        let begun = crowd.begin(asking(2, false)).expect("it is there");
        // Its own answer has come, and its copies are on their way.
        crowd.pass(Duration::from_millis(15));
        if leaves {
            crowd.leave(2);
        } else {
            crowd.end(2);
        }
        let ending = crowd.see_to_its_end(begun).expect("it ends");
        assert_eq!((ending.reason, ending.answers), (EndReason::Silence, 2), "{ending:?}");
        // The other answer was dialled: a copy over three links, and then a dial, a hello each way and the answer.
        let last = Duration::from_millis(10 + 3 * 10 + 4 * 10);
        let late = ending.elapsed.checked_sub(SILENCE_DEFAULT).expect("not before its silence is over");
        assert!(late <= last, "{ending:?}");
        assert!(crowd.begin(asking(2, false)).is_none() && crowd.begin(asking(99, false)).is_none());
        assert!(crowd.broken().is_empty(), "{:#?}", crowd.broken());
        ask_everybody(&mut crowd);
    }
}

#[test]
fn a_query_that_is_judged_before_it_is_over_is_not_well() {
    let scene = ring(6, Delays::Equal);
    let mut crowd = Crowd::new(&scene);
    let begun = crowd.begin(asking(0, false)).expect("it is there");
    crowd.pass(Duration::from_millis(15));
    crowd.judge(begun);
    assert!(crowd.broken().iter().any(|text| text.contains("still awaits an echo")), "{:#?}", crowd.broken());
}

#[test]
fn whoever_ends_without_a_word_is_missed_by_all_who_knew_it_at_once() {
    let scene = ring(6, Delays::Heavy);
    // Some know it by links that the graph did not draw, from either end.
    let mut crowd = Crowd::with(&scene, |servent| match servent {
        2 => with_neighbor(&scene, 2, 5),
        4 => with_neighbor(&scene, 4, 2),
        servent => plain_config(&scene, servent),
    });
    ask_everybody(&mut crowd);
    assert_eq!(links_of(&crowd), with_others(&[(2, 4), (2, 5)], u32::MAX));
    crowd.end(2);
    // Sooner than anybody would find out by itself.
    crowd.pass(Duration::from_millis(100));
    assert_eq!((links_of(&crowd), open_ends(&crowd)), (with_others(&[], 2), 2 * 4));
    ask_everybody(&mut crowd);
    let outcome = crowd.finish();
    assert_eq!((outcome.missed, outcome.doubled, outcome.lost), (0, 0, 0));
}

#[test]
fn what_is_on_its_way_to_a_closed_end_is_dropped() {
    let scene = Scene { graph: Graph::from_links(3, &[(0, 1), (1, 2)]), ..ring(3, Delays::Equal) };
    let mut crowd = Crowd::new(&scene);
    let begun = crowd.begin(asking(0, false)).expect("it is there");
    // It has come over three links, each of 10 ms, and the last of the three has echoed to the one between.
    crowd.pass(Duration::from_millis(35));
    assert_eq!(crowd.servents[1].pending_count(), 1);
    crowd.leave(1);
    crowd.see_to_its_end(begun);
    assert_eq!(crowd.finish().echoes, 1, "that of the one between as it left, and not the one that came too late");
}

#[test]
fn whoever_is_not_there_is_dialled_in_vain_and_again() {
    let mut scene = ring(6, Delays::Equal);
    scene.plan.without = [Item::Servent(3)].into();
    scene.absent[3] = true;
    scene.graph = scene.graph.without(&scene.absent);
    // Nobody, somebody who is left out, and a client that never comes.
    let mut config = with_neighbor(&scene, 0, 99);
    config.neighbors.push(plain_neighbor(3));
    let client = Neighbor { addresses: vec![cast::client_address(500)], ..plain_neighbor(0) };
    config.neighbors.push(client);
    let mut crowd = Crowd::with(&scene, |servent| match servent {
        0 => config.clone(),
        servent => plain_config(&scene, servent),
    });
    let events = crowd.outcome.events;
    crowd.pass(2 * REDIAL_PAUSE_MAX);
    assert!(crowd.outcome.events > events + 3 * 2 * 2, "each is dialled more than once: {}", crowd.outcome.events);
    assert_eq!(links_of(&crowd), with_others(&[], 3));
    ask_everybody(&mut crowd);
    // Whoever comes is found.
    crowd.start(3, &plain_config(&scene, 3));
    crowd.pass(2 * REDIAL_PAUSE_MAX);
    assert_eq!(links_of(&crowd), [(0, 1), (0, 3), (0, 5), (1, 2), (4, 5)]);
    ask_everybody(&mut crowd);
}

#[test]
fn nobody_is_linked_with_who_left_while_it_dialled() {
    let scene = ring(6, Delays::Equal);
    let mut crowd = Crowd::with(&scene, |servent| match servent {
        0 => with_neighbor(&scene, 0, 3),
        servent => plain_config(&scene, servent),
    });
    crowd.pass(Duration::from_millis(5));
    crowd.leave(0);
    crowd.pass(Duration::from_secs(1));
    assert_eq!((links_of(&crowd), open_ends(&crowd)), (with_others(&[], 0), 2 * 4));
    ask_everybody(&mut crowd);
}

#[test]
fn an_errand_makes_nobody_a_neighbor_and_no_number_is_used_again() {
    let scene = ring(6, Delays::Equal);
    let mut ends = Ends::of(&scene.graph, true);
    let drawn: Vec<u32> = (0..6).filter_map(|servent| ends.drawn(servent, (servent + 1) % 6)).collect();
    drawn.iter().for_each(|end| ends.open(*end));
    assert_eq!((drawn.len(), ends.standing()), (6, None), "all is as it was drawn");
    let owners = [EndOwner::Servent(0), EndOwner::Servent(3)];
    let errand = ends.add(owners, Some(Dial::Call(Errand::Answers, cast::servent_address(3))));
    ends.open(errand);
    assert_eq!(ends.standing(), Some(scene.graph.clone()));
    let neighbor = ends.add(owners, Some(Dial::Neighbor(0)));
    assert_eq!(ends.standing(), Some(scene.graph.clone()), "it does not stand yet");
    ends.open(neighbor);
    assert_eq!(ends.standing().map(|graph| graph.links_count()), Some(7));
    assert!(ends.close(neighbor) && !ends.close(neighbor));
    assert_eq!(ends.standing(), Some(scene.graph.clone()), "one end knows it, and the other does not");
    assert!(ends.is_open(ends.mate(neighbor)));
    let numbers = [errand, neighbor, ends.add(owners, None), ends.add(owners, None)];
    let all: BTreeSet<u32> = numbers.into_iter().flat_map(|end| [end, ends.mate(end)]).collect();
    assert!(all.len() == 8 && all.iter().all(|end| *end >= 12), "{all:?}");
}
