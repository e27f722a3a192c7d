//! Clients that have their contact greet a servent: each comes to its contact's host, asks for one greeting, and goes when it is
//! told what came of it, or has waited long enough.
//!
//! Who is greeted is drawn when it comes: as often one who is gone, if anybody is, as anybody. What a servent makes of it, and
//! how it dials, is its own affair; what must come of it is for the witness to say.

use std::time::Duration;

use common::dialect::Dialect;
use common::exchange::Exchange;
use common::limits::{DIAL_WAIT_MAX, GREETING_WAIT_MAX};
use common::session::Session;
use common::wire::Accepts;

use super::clock::{MILLISECOND, Nanos, nanos};
use super::dials::Caller;
use super::machines::MachineKind;
use super::scenery::{self, Greeter, SceneFace};
use super::shell::{Departure, Mind, Shell};
use crate::cast;
use crate::faults;
use crate::graph::number;

/// Of a hundred, how many are of somebody who is gone, where anybody is.
const GONE_PERCENT: u64 = 50;
/// Of a hundred clients, how many do not wait for what comes of it as long as they should.
const HASTY_PERCENT: u64 = 20;
const HASTE: (Nanos, Nanos) = (50 * MILLISECOND, 3_000 * MILLISECOND);

/// Such a client comes, on its way to its contact, if that is there and anybody else was ever.
pub(super) fn come(shell: &mut Shell<SceneFace<'_>>, fault: usize, contact: usize) {
    let scene = shell.face.scene;
    let random = &mut shell.face.troubles.0[fault].random;
    let (wants_gone, lots) = (random.chance(GONE_PERCENT), random.number());
    let is_hasty = random.chance(HASTY_PERCENT);
    let haste = random.within(HASTE.0, HASTE.1);
    let waits = if is_hasty { haste } else { nanos(GREETING_WAIT_MAX + DIAL_WAIT_MAX) };
    let is_there = |servent: usize| shell.network.machines[servent].is_running();
    // A ticket for each, so that those who are left out move nobody else.
    let by_lot = |is_meant: &dyn Fn(usize) -> bool| {
        let others = (0..scene.graph.servents()).filter(|other| *other != contact && !shell.face.is_absent(*other));
        others.filter(|other| is_meant(*other)).min_by_key(|other| faults::ticket(lots, number(*other)))
    };
    let gone = if wants_gone { by_lot(&|servent| !is_there(servent)) } else { None };
    let Some(whom) = gone.or_else(|| by_lot(&|_| true)).filter(|_| is_there(contact)) else { return };
    let node = scenery::add_guest(shell, MachineKind::Client, contact);
    shell.network.share_host(node);
    shell.network.close_port(node);
    let session = Session::new(Dialect::OWN, 0, cast::secret_of_greeter(scene.plan.seed, scene.faults[fault].number));
    shell.face.greeters.insert(node, Greeter { whom, waits });
    let exchange = Exchange::client(Accepts::answers_to(Dialect::OWN));
    shell.settle_down(node, Mind::Client(Box::new(session)), exchange);
    let address = shell.network.address(contact);
    shell.dial(node, Caller::Contact, address, Dialect::OWN);
}

/// Its contact is there, and it asks.
pub(super) fn ask(shell: &mut Shell<SceneFace<'_>>, node: usize) {
    let Some(Greeter { whom, waits }) = shell.face.greeters.get(&node).copied() else { return };
    let address = shell.network.address(whom);
    let waits = Duration::from_nanos(waits);
    let mut asked = Ok(0);
    shell.with_client(node, |now, session, wanted| asked = session.ask_greeting(now, address, waits, wanted));
    if let Err(error) = asked {
        shell.broke(&format!("a client that has asked for no greeting cannot: {error}"));
    }
}

/// It goes.
pub(super) fn go(shell: &mut Shell<SceneFace<'_>>, node: usize) {
    if shell.session(node).is_some() {
        shell.kill(node, Departure::Closed);
    }
}
