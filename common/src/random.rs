//! Numbers that differ from servent to servent and from moment to moment, and are the same in every run of one seed.
//!
//! It holds no state and draws nothing from the system: what is random is the seed, or the secret, and whoever uses it
//! brings that along.

use std::fmt;
use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

/// A key that nobody else knows, and the numbers drawn under it: whoever has seen some of them learns nothing of the others.
#[derive(Clone, Copy, Default)]
pub struct Secret {
    key: [u8; 16],
}

impl Secret {
    /// One of these bytes, which are to be random: what is drawn is as hard to guess as they are.
    #[must_use]
    pub fn new(key: [u8; 16]) -> Secret {
        Secret { key }
    }

    /// One that differs from seed to seed and is the same in every run of one, for simulators and tests.
    #[must_use]
    pub fn of_seed(seed: u64) -> Secret {
        let halves = [seed, split_mix(seed)].map(split_mix);
        let mut key = [0; 16];
        for (bytes, half) in key.as_chunks_mut().0.iter_mut().zip(halves) {
            *bytes = half.to_be_bytes();
        }
        Secret { key }
    }

    /// The number at this place: `SipHash-1-3` (Aumasson and Bernstein) of the place, as 8 bytes with the lowest first.
    #[must_use]
    pub fn nth(&self, place: u64) -> u64 {
        SipHasher13::new_with_key(&self.key).hash(&place.to_le_bytes())
    }

    /// Another one for each number, of which nothing can be told from what is drawn under this one.
    #[must_use]
    pub fn salted(&self, number: u128) -> Secret {
        let mut key = [0; 16];
        for (bytes, half) in key.as_chunks_mut().0.iter_mut().zip(0_u8..) {
            *bytes = self.hash(&(number, half)).to_be_bytes();
        }
        Secret { key }
    }

    /// What something is known by to whoever has the secret: nobody else can aim at it.
    pub(crate) fn hash(&self, what: &impl Hash) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        what.hash(&mut hasher);
        hasher.finish()
    }
}

/// Without the key: a log is read by others.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// The first number of `SplitMix64` (Steele, Lea and Flood 2014) from a seed.
pub(crate) fn split_mix(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// A number of 32 bits for each of many that share one which is random: enough that they do not act in step.
pub(crate) fn another(random: u64, number: usize) -> u64 {
    random.wrapping_add(number as u64).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn split_mix_is_the_published_one() {
        // The first outputs of the reference implementation (Vigna, splitmix64.c) for these seeds.
        assert_eq!(split_mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(split_mix(1_234_567), 6_457_827_717_110_365_317);
    }

    #[test]
    fn what_a_secret_draws_is_the_published_hash_and_not_to_be_seen_in_it() {
        // Of the reference implementation's key, 00 to 0f, and its message 00 to 07; in the tests of Rust's own hasher.
        let mut next = 0;
        let secret = Secret::new([(); 16].map(|()| {
            next += 1;
            next - 1
        }));
        assert_eq!(secret.nth(0x0706_0504_0302_0100), 0x3690_9511_8d29_9a8e);
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        let drawn: BTreeSet<u64> = (0..100).map(|seed| Secret::of_seed(seed).nth(0)).collect();
        assert_eq!(drawn.len(), 100);
        assert_eq!(Secret::of_seed(1).nth(7), Secret::of_seed(1).nth(7));
    }

    #[test]
    fn neighboring_numbers_have_little_in_common() {
        for seed in 0..100 {
            let random = split_mix(seed);
            // What is drawn with them is a part of 512 or so.
            let parts: BTreeSet<u64> = (0..16).map(|number| another(random, number) % 512).collect();
            assert!(parts.len() >= 12, "{seed}: {parts:?}");
        }
    }
}
