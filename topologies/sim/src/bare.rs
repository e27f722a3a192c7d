//! The least a flood can cost: a queue of messages, a set of who has seen which query, and nothing else.
//!
//! It is no servent and checks nothing. It is what the time of a real flood is measured against, in the same run, on the
//! same machine.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use super::graph::{Graph, number};

/// What a bare flood came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bare {
    /// Copies passed.
    pub copies: u64,
    /// Echoes passed: one for each copy.
    pub echoes: u64,
    /// How long it took this machine.
    pub seconds: f64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct BareId {
    sequence: u64,
    ip: [u8; 4],
    port: u16,
}

struct Passed {
    id: BareId,
    from: u32,
    to: u32,
    ttl: u8,
    is_echo: bool,
}

/// Floods a query from `contact` to everybody within its TTL, and echoes every copy.
#[must_use]
pub fn flood(graph: &Graph, contact: usize, ttl: u8) -> Bare {
    const NOBODY: u32 = u32::MAX;
    let id = BareId { sequence: 1, ip: [11, 0, 0, 1], port: 7000 };
    let started = Instant::now();
    let mut queue = VecDeque::new();
    let mut seen = HashSet::new();
    let mut asker = vec![NOBODY; graph.servents()];
    let mut awaited = vec![0_u32; graph.servents()];
    let mut bare = Bare { copies: 0, echoes: 0, seconds: 0.0 };
    queue.push_back(Passed { id, from: NOBODY, to: number(contact), ttl: ttl + 1, is_echo: false });
    while let Some(Passed { id, from, to, ttl, is_echo }) = queue.pop_front() {
        let at = to as usize;
        if is_echo {
            bare.echoes += 1;
            awaited[at] -= 1;
            if awaited[at] == 0 && asker[at] != NOBODY {
                queue.push_back(Passed { id, from: to, to: asker[at], ttl: 0, is_echo: true });
            }
            continue;
        }
        bare.copies += u64::from(from != NOBODY);
        if seen.insert((to, id)) && ttl > 0 {
            asker[at] = from;
            for neighbor in graph.neighbors(at) {
                if *neighbor != from {
                    awaited[at] += 1;
                    queue.push_back(Passed { id, from: to, to: *neighbor, ttl: ttl - 1, is_echo: false });
                }
            }
            if awaited[at] > 0 {
                continue;
            }
        }
        if from != NOBODY {
            queue.push_back(Passed { id, from: to, to: from, ttl: 0, is_echo: true });
        }
    }
    bare.seconds = started.elapsed().as_secs_f64();
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diamond_and_a_chain() {
        let diamond = Graph::from_links(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
        let bare = flood(&diamond, 0, 3);
        assert_eq!((bare.copies, bare.echoes), (5, 5));
        let chain = Graph::from_links(6, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
        let bare = flood(&chain, 0, 3);
        assert_eq!((bare.copies, bare.echoes), (4, 4));
    }
}
