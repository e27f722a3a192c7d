//! When an overlay counts as linked: not before every link is the one that stays.

use std::fs;
use std::path::Path;

use rustix::process::{Signal, kill_process};
use topologies::declared::Topology;
use topologies::fleet::{Fleet, FleetProgress, Servent, some_loopback_address};
use topologies::logs::Logs;

/// The first servent dials the second in vain until its pauses are long, and is dialled by it meanwhile. Both say at once
/// that they are linked as declared, and a count taken then would be of a link that may yet be exchanged for another.
#[test]
fn a_link_told_to_both_ends_is_waited_for_until_both_have_dialled() {
    let text = "9501 - 127.0.0.1:9502\n9502 - 127.0.0.1:9501\n";
    let topology = Topology::parse("pair", text, Path::new("")).unwrap().moved_to(some_loopback_address());
    let arguments = |place: usize| [topology.servents[place].arguments(), vec!["-v".to_owned()]].concat();
    let mut first = Servent::start(&arguments(0)).unwrap();
    for _ in 0..5 {
        first.wait_for_log("cannot be reached yet").unwrap();
    }
    let second = Servent::start(&arguments(1)).unwrap();
    let mut fleet = Fleet { servents: vec![first, second] };
    fleet.wait_until_linked(&topology).unwrap();
    // The one that was up late has seen both links, and judged which of them goes. It is told to leave, so that all it
    // logged is heard: what waits to be written when it is killed is not.
    let late = &mut fleet.servents[1];
    late.signal(Signal::TERM);
    late.wait().unwrap();
    let log = late.log_text();
    assert_eq!(log.matches("the two servents have another link").count(), 1, "{log}");
}

/// Whoever answers a question for places tells its own links with it. Only whom no question came to is asked itself.
#[test]
fn an_overlay_is_asked_once_where_one_question_comes_to_all() {
    for (ttl, asked) in [(1, [1, 0, 0]), (0, [1, 0, 1])] {
        let directory = tempfile::tempdir().unwrap();
        let text = format!("9511 - --ttl {ttl}\n9512 - 9511\n9513 - 9512\n");
        let row = Topology::parse("row", text, Path::new("")).unwrap().moved_to(some_loopback_address());
        let logs = Logs::create(directory.path(), &row).unwrap();
        let mut fleet = Fleet::start_logging(&row, Some(&logs), &mut |_| ()).unwrap();
        fleet.wait_until_linked(&row).unwrap();
        fleet.end().unwrap();
        let log = |place| fs::read_to_string(logs.path(place)).unwrap();
        assert_eq!([0, 1, 2].map(|place| log(place).matches(" asked with TTL").count()), asked, "{}", log(0));
    }
}

/// A servent that is stopped is linked with nobody new, and what is shown meanwhile is how far the others are.
#[test]
fn how_far_an_overlay_is_is_shown_while_it_comes_up() {
    let text = "9521 -\n9522 - 9521\n9523 - 9522\n";
    let row = Topology::parse("row", text, Path::new("")).unwrap().moved_to(some_loopback_address());
    let mut fleet = Fleet::start(&row).unwrap();
    fleet.wait_until_linked(&row).unwrap();
    // Another takes the place of the last, and cannot be linked until the second goes on.
    fleet.servents[1].signal(Signal::STOP);
    fleet.servents[2].kill().unwrap();
    fleet.servents[2] = Servent::start(&row.servents[2].arguments()).unwrap();
    let mut shown = Vec::new();
    let second = fleet.servents[1].pid();
    let mut show = |progress: FleetProgress| {
        if shown.is_empty() {
            kill_process(second, Signal::CONT).unwrap();
        }
        shown.push(progress);
    };
    fleet.wait_until_linked_showing(&row, &mut show).unwrap();
    let first = shown.first().unwrap();
    assert_eq!((first.servents, first.up, first.linked), (3, 3, 2), "{shown:?}");
    fleet.end().unwrap();
}
