//! How far what is asked goes.

use super::*;
use common::limits::{TTL_DEFAULT, TTL_MAX};

#[test]
fn the_ttl_of_own_clients_is_the_one_asked_for() {
    for (options, ttl) in [(&["-"][..], TTL_DEFAULT), (&["-", "--ttl", "0"], 0), (&["-", "--ttl", "15"], TTL_MAX)] {
        let servent = serve(options);
        let mut neighbor = Peer::neighbor(servent.address());
        Peer::client(servent.address(), ANSWER_PORT).request(ask("tea"));
        let query = neighbor.expect_query();
        assert_eq!((query.ttl, query.hops), (ttl, 1));
    }
}

#[test]
fn the_sender_of_a_query_that_is_dropped_is_named_in_the_log() {
    let mut servent = serve(&["-"]);
    let mut source = Peer::neighbor(servent.address());
    source.pass_on(free_address(), ask("tea"), TTL_MAX + 1);
    logged(&mut servent, &format!("dropped, from {} with TTL 16 after 1 hop", source.address()));
}
