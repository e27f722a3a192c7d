//! One host, on which a client hears no answers where its contact sees it: every holder answers all the same.

use super::*;
use crate::support::relay::Relay;
use peers::{AnswerPort, may_swallow};

/// What a client of three holders is told, with these options, where its answers are heard at most in part.
fn told(contact: &str, options: &[&str], chain: &Chain, others: Way) {
    let mut client = Client::start([&[contact, "--json"], options].concat());
    let holders: Vec<_> =
        (0..3).map(|place| (chain.address(place).to_string(), if place == 0 { Way::Either } else { others })).collect();
    for _ in 0..2 {
        let end = QueryEnd::of(&mut client, KEY);
        println!("{options:?}: {end}");
        assert_eq!(end.differences(&holders), [""; 0], "{end}");
    }
    let run = client.finish();
    assert_eq!((run.out.as_str(), run.code), ("", 0), "{}", run.log);
}

fn three_holders(value: &str) -> Chain {
    Chain::start([(); 3].map(|()| format!("{KEY} {value}\n")))
}

#[test]
fn who_can_be_dialled_is_answered_straight() {
    let chain = three_holders("green");
    told(&chain.contact(), &[], &chain, Way::Direct);
}

#[test]
fn where_the_answer_port_is_closed_answers_come_back() {
    for value in ["green", &"x".repeat(100_000)] {
        let chain = three_holders(value);
        let relay = Relay::to(chain.address(0));
        told(&relay.name(), &["--answer-port", &unused_port().to_string()], &chain, Way::Back);
    }
}

#[test]
fn where_the_answer_port_says_nothing_answers_come_back() {
    if !may_swallow() {
        return;
    }
    let chain = three_holders("green");
    let relay = Relay::to(chain.address(0));
    let port = unused_port();
    let dark = AnswerPort::open_at(relay.shown(port));
    dark.swallow();
    told(&relay.name(), &["--answer-port", &port.to_string()], &chain, Way::Back);
}

#[test]
fn who_wants_answers_back_is_not_dialled() {
    let chain = three_holders("green");
    told(&chain.contact(), &["--via", "back"], &chain, Way::Back);
}
