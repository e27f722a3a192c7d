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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn split_mix_is_the_published_one() {
        // The first outputs of the reference implementation (Vigna, splitmix64.c) for these seeds.
        assert_eq!(split_mix(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(split_mix(1_234_567), 6_457_827_717_110_365_317);
    }
}
