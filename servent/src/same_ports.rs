//! Which clients are answered from the port listened on: none of them again at once.
//!
//! The end of the connection before may not have passed yet, and a connection between the same two ports would then wait a
//! second for its first packet to be taken. It dials nobody; which clients are better answered so is known to `peers`.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use common::time::Time;

/// How long the listening port is not used again towards one client.
const SAME_PORTS_PAUSE: Duration = Duration::from_millis(100);
/// Clients remembered for that; while there are so many, another is answered from any port.
const SAME_PORTS_MAX: usize = 1_024;

/// The clients answered from the listening port in the last moment, in the order in which they were.
#[derive(Debug, Default)]
pub(crate) struct SamePorts {
    recent: VecDeque<(Time, SocketAddr)>,
}

impl SamePorts {
    /// Takes the listening port for a dial to this address. False where it may not be used.
    pub(crate) fn take(&mut self, now: Time, address: SocketAddr) -> bool {
        while self.recent.front().is_some_and(|(since, _)| now.since(*since) >= SAME_PORTS_PAUSE) {
            self.recent.pop_front();
        }
        let may_be_used = self.recent.len() < SAME_PORTS_MAX && self.recent.iter().all(|(_, to)| *to != address);
        if may_be_used {
            self.recent.push_back((now, address));
        }
        may_be_used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> SocketAddr {
        ([10, 0, 0, 1], u16::try_from(number).unwrap()).into()
    }

    #[test]
    fn a_port_is_used_again_after_its_pause() {
        let mut ports = SamePorts::default();
        let later = Time::START + SAME_PORTS_PAUSE / 2;
        assert!(ports.take(Time::START, client(1)));
        assert!(!ports.take(Time::START, client(1)));
        assert!(ports.take(later, client(2)), "towards another client");
        assert!(!ports.take(Time::START + (SAME_PORTS_PAUSE - Duration::from_nanos(1)), client(1)));
        assert!(ports.take(Time::START + SAME_PORTS_PAUSE, client(1)), "being refused does not make the pause longer");
        assert!(!ports.take(Time::START + SAME_PORTS_PAUSE, client(2)), "it has a pause of its own");
        assert!(ports.take(later + SAME_PORTS_PAUSE, client(2)));
    }

    #[test]
    fn so_many_are_remembered_and_no_more() {
        let mut ports = SamePorts::default();
        assert!((0..SAME_PORTS_MAX).all(|number| ports.take(Time::START, client(number))));
        assert!(!ports.take(Time::START, client(SAME_PORTS_MAX)));
        assert!(ports.take(Time::START + SAME_PORTS_PAUSE, client(SAME_PORTS_MAX)));
        assert_eq!(ports.recent.len(), 1);
    }
}
