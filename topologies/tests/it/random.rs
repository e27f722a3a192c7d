//! Random overlays of real servents: whoever is within the horizon answers, once, and nobody else.
//!
//! A failing overlay prints its seed; `OVERLAY_SEED=n` runs that one alone. The same truths are checked without sockets,
//! for many more overlays, by those of `sim`.

use std::fmt::Write as _;
use std::path::Path;

use topologies::check::compare;
use topologies::declared::Topology;
use topologies::fleet::{Fleet, some_loopback_address};

/// Random numbers that come out the same for the same seed: xorshift64* (Vigna 2014).
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let mixed = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(mixed).unwrap() % bound
    }
}

/// A connected overlay: a random tree, some more links, some of them declared by both sides.
fn random_topology(seed: u64, servents_max: usize, directory: &Path) -> Topology {
    let mut random = Random::new(seed);
    let servents = 2 + random.below(servents_max - 1);
    let mut neighbors = vec![Vec::new(); servents];
    for place in 1..servents {
        let other = random.below(place);
        neighbors[place].push(other);
        if random.below(4) == 0 {
            neighbors[other].push(place);
        }
    }
    for _ in 0..random.below(servents) {
        let (one, other) = (random.below(servents), random.below(servents));
        neighbors[one].push(other);
    }
    let ttl = random.below(6);
    let mut text = String::new();
    for (place, others) in neighbors.iter().enumerate() {
        let mut data = format!("everybody {place}\nonly-{place} here\n");
        if random.below(3) == 0 {
            writeln!(data, "somebody servent {place}").unwrap();
        }
        std::fs::write(directory.join(format!("{place}.txt")), data).unwrap();
        write!(text, "{} {place}.txt", 9400 + place).unwrap();
        for other in others {
            write!(text, " 127.0.0.1:{}", 9400 + other).unwrap();
        }
        writeln!(text, " --ttl {ttl}").unwrap();
    }
    Topology::parse(&format!("seed {seed}"), &text, directory).unwrap()
}

fn check_seed(seed: u64, servents_max: usize) {
    let directory = tempfile::tempdir().unwrap();
    let address = some_loopback_address();
    let topology = random_topology(seed, servents_max, directory.path()).moved_to(address);
    let mut fleet = Fleet::start(&topology).unwrap();
    fleet.wait_until_linked(&topology).unwrap();
    let mut transcript = Vec::new();
    let differences = compare(&topology, &mut transcript).unwrap().differences;
    fleet.end().unwrap();
    assert_eq!(differences, 0, "OVERLAY_SEED={seed}\n{}", String::from_utf8_lossy(&transcript));
}

#[test]
fn random_overlays_answer_as_their_graph_says() {
    if let Ok(seed) = std::env::var("OVERLAY_SEED") {
        return check_seed(seed.parse().expect("OVERLAY_SEED is a number"), 30);
    }
    // The same dozen every time, so that a change that breaks one is found by whoever makes it; and one never seen before.
    let fresh = u64::from(u32::from(some_loopback_address())) << 16;
    for seed in (1..=12).chain([fresh]) {
        check_seed(seed, 30);
    }
}
