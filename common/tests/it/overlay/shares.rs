//! Of dials, addresses and waiting bytes nobody has more than is left for all others.

use std::net::{IpAddr, Ipv6Addr};

use super::*;
use common::overlay::Errand;

#[test]
fn so_many_dials_are_under_way_and_no_more() {
    let (mut mind, [neighbor]) = Mind::linked();
    for number in 0..CALL_DIALS_MAX {
        assert_eq!(mind.asked_for(neighbor, 1, number), (vec![dial_client(number)], answered()));
    }
    let next = CALL_DIALS_MAX;
    for number in next..next + 3 {
        assert_eq!(mind.asked_for(neighbor, 1, number), (vec![], answered()));
    }
    // A failure, a greeting and a link that breaks make room; a link on which nobody spoke yet does not. The newest is
    // next: its client surely still waits.
    assert_eq!(mind.call_failed(client_address(0)), [dial_client(next + 2)]);
    let (link, out) = mind.answer_link(1);
    assert_eq!(out, [send(link, own_hello()), send(link, value(1, "green")), dial_client(next + 1)]);
    let (silent, out) = mind.dialled(call(client_address(2)));
    assert_eq!(out, []);
    assert_eq!(mind.closed(silent), [dial_client(next)]);
    // A failure told twice counts once.
    assert_eq!(mind.asked_for(neighbor, 1, next + 3), (vec![], answered()));
    assert_eq!(mind.call_failed(client_address(0)), []);
    assert_eq!(mind.held("undelivered"), 2);
}

/// One port of many at one ip. In IPv6 the ip differs too, within one network.
fn ports_of(ip: &str) -> impl Fn(usize) -> SocketAddr + use<> {
    let ip: IpAddr = ip.parse().unwrap();
    move |number| {
        let ip = match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() | number as u128).into(),
        };
        SocketAddr::new(ip, u16::try_from(number + 1).unwrap())
    }
}

#[test]
fn no_network_has_more_than_so_many_dials() {
    for (ip, others) in [("12.0.0.1", "12.0.0.2"), ("2001:db8::", "2001:db8:0:1::")] {
        let (here, elsewhere) = (ports_of(ip), ports_of(others));
        let (mut mind, [neighbor]) = Mind::linked();
        let most = CALL_DIALS_PER_NETWORK_MAX;
        for number in 0..most {
            assert_eq!(mind.asked_for_at(neighbor, 1, here(number)), (vec![dial_at(here(number))], answered()));
        }
        for number in most..most + 3 {
            assert_eq!(mind.asked_for_at(neighbor, 1, here(number)), (vec![], answered()), "it waits");
        }
        // Others are dialled at once.
        for number in 0..most {
            assert_eq!(mind.asked_for_at(neighbor, 1, elsewhere(number)).0, [dial_at(elsewhere(number))]);
        }
        assert_eq!(mind.call_failed(here(0)), [dial_at(here(most + 2))], "the newest is first");
        assert_eq!(mind.call_failed(elsewhere(0)), [], "the others have their part already");
        assert_eq!(mind.call_failed(here(1)), [dial_at(here(most + 1))]);
    }
}

#[test]
fn no_network_has_more_dials_than_are_left_for_all_others() {
    let (mut mind, [neighbor]) = Mind::linked();
    let most = CALL_DIALS_PER_NETWORK_MAX;
    let networks = CALL_DIALS_MAX / most;
    let port = |network: usize, number: usize| ports_of(&format!("12.0.1.{network}"))(number);
    // All networks but one have all they may, so what is left would be the part of one.
    for (network, number) in (1..networks).flat_map(|network| (0..most).map(move |number| (network, number))) {
        let to = port(network, number);
        assert_eq!(mind.asked_for_at(neighbor, 1, to).0, [dial_at(to)]);
    }
    // The last has half of it, another half of the rest.
    for (network, share) in [(networks, most / 2), (networks + 1, most / 4)] {
        for number in 0..share {
            let to = port(network, number);
            assert_eq!(mind.asked_for_at(neighbor, 1, to).0, [dial_at(to)]);
        }
        assert_eq!(mind.asked_for_at(neighbor, 1, port(network, share)), (vec![], answered()), "it waits");
    }
    // A dial that is over is for whoever has fewest under way, and has no more of them for it than are left.
    assert_eq!(mind.call_failed(port(1, 0)), [dial_at(port(networks + 1, most / 4))]);
    assert_eq!(mind.call_failed(port(1, 1)), []);
}

/// As docs/PROTOCOL.md admits: no rule about addresses tells who lies.
#[test]
fn dark_addresses_in_forty_networks_have_every_dial() {
    let (mut mind, [neighbor]) = Mind::linked();
    let dark = |network: usize, number: usize| ports_of(&format!("12.0.1.{network}"))(number);
    let mut fewest = 0;
    while mind.held("call_dials") < CALL_DIALS_MAX {
        fewest += 1;
        for number in 0..CALL_DIALS_PER_NETWORK_MAX {
            mind.asked_for_at(neighbor, 1, dark(fewest, number));
        }
    }
    assert_eq!(fewest, 38);
    assert_eq!(mind.asked_for(neighbor, 1, 0), (vec![], answered()), "it waits");
    assert_eq!(mind.call_failed(dark(1, 0)), [dial_client(0)], "until the first is over");
}

#[test]
fn those_that_failed_have_no_more_dials_than_are_left_for_all_others() {
    let (mut mind, [neighbor]) = Mind::linked();
    // A crowd behind as many ips that all fail, wait out their rest and are asked for again.
    let crowd = CALL_DIALS_MAX - 1;
    for number in 0..crowd {
        assert_eq!(mind.asked_for(neighbor, 1, number).0, [dial_client(number)]);
    }
    for number in 0..crowd {
        assert_eq!(mind.call_failed(client_address(number)), []);
    }
    for number in 0..crowd {
        assert_eq!(mind.asked_for(neighbor, 2, number), (vec![], answered()));
    }
    let out = mind.pass(CALL_REST_MIN);
    assert_eq!(out.len(), CALL_DIALS_MAX / 2);
    assert!(out.iter().all(|(_, output)| matches!(output, Output::Dial { .. })));
    // Whoever has not failed is dialled at once.
    for number in crowd..crowd + CALL_DIALS_MAX / 2 {
        assert_eq!(mind.asked_for(neighbor, 1, number).0, [dial_client(number)]);
    }
    assert_eq!(mind.asked_for(neighbor, 1, CALL_ADDRESSES_MAX - 1), (vec![], answered()));
}

#[test]
fn those_that_failed_do_not_wait_for_a_network_that_has_its_part() {
    let (mut mind, [neighbor]) = Mind::linked();
    let here = ports_of("12.0.0.1");
    let failed = CALL_DIALS_PER_NETWORK_MAX + 10;
    for number in 0..failed {
        assert_eq!(mind.asked_for(neighbor, 1, number).0, [dial_client(number)]);
        assert_eq!(mind.call_failed(client_address(number)), []);
        assert_eq!(mind.asked_for(neighbor, 2, number).0, []);
    }
    for number in 0..=CALL_DIALS_PER_NETWORK_MAX {
        mind.asked_for_at(neighbor, 1, here(number));
    }
    assert_eq!(mind.pass(CALL_REST_MIN).len(), failed);
}

/// Has the mind dial these, lets every dial fail, and asks for each again, so that all wait for the end of their rest.
fn fail_and_ask_again(mind: &mut Mind, neighbor: LinkId, addresses: &[SocketAddr]) {
    for to in addresses {
        assert_eq!(mind.asked_for_at(neighbor, 1, *to).0, [dial_at(*to)]);
        assert_eq!(mind.call_failed(*to), []);
    }
    for to in addresses {
        assert_eq!(mind.asked_for_at(neighbor, 2, *to), (vec![], answered()));
    }
}

fn dialled_in(out: &[Output]) -> Vec<SocketAddr> {
    let dial = |output: &Output| match output {
        Output::Dial { dial: Dial::Call(Errand::Answers, to), .. } => *to,
        output => panic!("no dial: {output:?}"),
    };
    out.iter().map(dial).collect()
}

#[test]
fn no_network_has_more_than_so_many_dials_though_its_addresses_failed() {
    for (ip, others) in [("12.0.0.1", "12.0.0.2"), ("2001:db8::", "2001:db8:0:1::")] {
        let (here, elsewhere) = (ports_of(ip), ports_of(others));
        let (mut mind, [neighbor]) = Mind::linked();
        let most = CALL_DIALS_PER_NETWORK_MAX;
        let dark: Vec<SocketAddr> = (0..240).map(&here).collect();
        fail_and_ask_again(&mut mind, neighbor, &dark);
        let rested = dialled_in(&mind.pass_and_see(CALL_REST_MIN));
        assert_eq!(rested.len(), most);
        // Whoever never failed counts with them at that ip, and waits for nothing elsewhere.
        let never_failed = here(240);
        assert_eq!(mind.asked_for_at(neighbor, 3, never_failed), (vec![], answered()), "it waits");
        for number in 0..most {
            assert_eq!(mind.asked_for_at(neighbor, 3, elsewhere(number)).0, [dial_at(elsewhere(number))]);
        }
        // It is the first there when a dial is over, and then those that failed go on, one for one.
        assert_eq!(mind.call_failed(rested[0]), [dial_at(never_failed)]);
        for to in &rested[1..] {
            let next = dialled_in(&mind.call_failed(*to));
            assert!(matches!(next.as_slice(), [next] if dark.contains(next)), "{next:?}");
        }
        assert_eq!(mind.held("call_dials"), 2 * most);
    }
}

#[test]
fn those_that_failed_do_not_wait_for_newer_ones_of_a_network_that_has_its_part() {
    let (here, elsewhere) = (ports_of("12.0.0.1"), ports_of("12.0.0.2"));
    let (mut mind, [neighbor]) = Mind::linked();
    let most = CALL_DIALS_PER_NETWORK_MAX;
    let dark: Vec<SocketAddr> = (0..2 * most).map(&here).collect();
    fail_and_ask_again(&mut mind, neighbor, &[elsewhere(0)]);
    fail_and_ask_again(&mut mind, neighbor, &dark);
    let rested = dialled_in(&mind.pass_and_see(CALL_REST_MIN));
    assert_eq!(rested.len(), most + 1);
    assert!(rested.contains(&elsewhere(0)));
}

#[test]
fn those_that_failed_have_no_more_of_one_network_than_are_left_for_all_others() {
    let (mut mind, [neighbor]) = Mind::linked();
    let here = ports_of("12.0.0.1");
    let dark: Vec<SocketAddr> = (0..8).map(&here).collect();
    fail_and_ask_again(&mut mind, neighbor, &dark);
    // All dials but eight are taken, half of what was left then by that very network.
    for number in 0..CALL_DIALS_MAX - 16 {
        assert_eq!(mind.asked_for(neighbor, 1, number).0, [dial_client(number)]);
    }
    for number in 8..16 {
        assert_eq!(mind.asked_for_at(neighbor, 1, here(number)).0, [dial_at(here(number))]);
    }
    assert_eq!(mind.pass(CALL_REST_MIN), [], "they would be nine of it, and seven left");
    let out = mind.call_failed(here(8));
    assert_eq!(dialled_in(&out).len(), 1, "one for one");
}

#[test]
fn no_network_has_more_addresses_known_than_are_left_for_all_others() {
    let here = ports_of("12.0.0.1");
    let (mut mind, [neighbor]) = Mind::linked();
    let half = CALL_ADDRESSES_MAX / 2;
    for number in 0..half {
        assert_eq!(mind.asked_for_at(neighbor, 1, here(number)).1, answered());
    }
    assert_eq!(mind.asked_for_at(neighbor, 1, here(half)).1, unanswered());
    assert_eq!(mind.asked_for(neighbor, 1, 0), (vec![dial_client(0)], answered()));
    // It makes room for its own among its own: the failure of somebody else stays known.
    mind.call_failed(client_address(0));
    mind.pass(CALL_REST_MIN);
    assert_eq!(mind.asked_for_at(neighbor, 2, here(half)).1, unanswered());
    mind.call_failed(here(0));
    assert_eq!(mind.asked_for_at(neighbor, 3, here(half)).1, unanswered(), "it is left alone and not forgotten");
    mind.pass(CALL_REST_MIN);
    assert_eq!(mind.asked_for_at(neighbor, 4, here(half)).1, answered());
}

#[test]
fn no_network_has_more_bytes_waiting_than_are_left_for_all_others() {
    let big = "x".repeat(VALUE_BYTES_MAX);
    let here = ports_of("12.0.0.1");
    let mut mind = Mind::with(&config(), store(&format!("tea {big}")));
    let neighbor = mind.neighbor(1);
    let half = CALLS_QUEUED_BYTES_MAX / 2 / VALUE_BYTES_MAX;
    for number in 0..half {
        assert_eq!(mind.asked_for_at(neighbor, 1, here(number)).1, answered());
    }
    assert_eq!(mind.asked_for_at(neighbor, 1, here(half)).1, unanswered());
    for number in 0..half - 1 {
        assert_eq!(mind.asked_for(neighbor, 1, number).1, answered());
    }
}

#[test]
fn so_many_answer_addresses_are_known_and_no_more() {
    let (mut mind, [neighbor]) = Mind::linked();
    for number in 0..CALL_ADDRESSES_MAX {
        assert_eq!(mind.asked_for(neighbor, 1, number).1, answered());
    }
    assert_eq!(mind.asked_for(neighbor, 1, CALL_ADDRESSES_MAX), (vec![], unanswered()));
    assert_eq!(mind.held("unanswered"), 1);
    assert_eq!(mind.asked_for(neighbor, 2, 0).1, answered(), "a known one may have more");
    // One that failed is known until its rest is over.
    mind.call_failed(client_address(1));
    assert_eq!(mind.asked_for(neighbor, 2, CALL_ADDRESSES_MAX).1, unanswered());
    mind.pass(CALL_REST_MIN);
    assert_eq!(mind.asked_for(neighbor, 3, CALL_ADDRESSES_MAX).1, answered());
}
