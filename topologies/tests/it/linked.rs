//! When an overlay counts as linked: not before every link is the one that stays.

use std::path::Path;

use rustix::process::Signal;
use topologies::declared::Topology;
use topologies::fleet::{Fleet, Servent, some_loopback_address};

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
