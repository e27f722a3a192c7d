//! Numbers that differ from servent to servent and from moment to moment, and are the same in every run of one seed.
//!
//! It holds no state and draws nothing from the system: what is random is the seed.

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
    fn neighboring_numbers_have_little_in_common() {
        for seed in 0..100 {
            let random = split_mix(seed);
            // What is drawn with them is a part of 512 or so.
            let parts: BTreeSet<u64> = (0..16).map(|number| another(random, number) % 512).collect();
            assert!(parts.len() >= 12, "{seed}: {parts:?}");
        }
    }
}
