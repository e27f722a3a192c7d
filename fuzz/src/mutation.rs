//! Inputs made of a corpus: the same ones for the same seed, on every machine.
//!
//! It is blind: nothing is learnt from one run for the next, so run number N of a seed can be made again without the
//! ones before it. What covers new code is found by libFuzzer and comes here as a file of the corpus.

/// A fast source of random numbers (`SplitMix64`, Steele, Lea and Flood 2014).
#[derive(Clone, Copy, Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `count`, which must not be 0.
    fn below(&mut self, count: usize) -> usize {
        // The high half of a product: as even as is needed here, and no division.
        let product = (u128::from(self.next()) * count as u128) >> 64;
        usize::try_from(product).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}

/// Numbers at the seams of one, two, four and eight bytes, and of limits.
const NUMBERS: [u64; 20] =
    [0, 1, 2, 15, 16, 17, 127, 128, 250, 251, 252, 253, 255, 256, 400, 401, 4096, 65_535, u32::MAX as u64, u64::MAX];

/// Most changes to one input.
const CHANGES_MAX: usize = 6;
/// Kinds of changes, those that keep the length of an input first.
const KINDS: usize = 12;
const KEEPING_KINDS: usize = 6;
/// Longest run of bytes that one change puts in, takes out or repeats.
const RUN_BYTES_MAX: usize = 64;

/// Makes inputs.
#[derive(Debug)]
pub struct Mutator<'a> {
    corpus: &'a [Vec<u8>],
    input_bytes_max: usize,
    seed: u64,
    input: Vec<u8>,
}

impl<'a> Mutator<'a> {
    /// Inputs of at most `input_bytes_max` bytes, made of the files of a corpus.
    #[must_use]
    pub fn new(corpus: &'a [Vec<u8>], input_bytes_max: usize, seed: u64) -> Mutator<'a> {
        Mutator { corpus, input_bytes_max, seed, input: Vec::with_capacity(input_bytes_max + 2 * RUN_BYTES_MAX) }
    }

    /// The input of this number.
    pub fn input(&mut self, number: u64) -> &[u8] {
        let mut random = Random(self.seed ^ number.wrapping_mul(0xd6e8_feb8_6659_fd93));
        self.input.clear();
        if let Some(start) = self.one_of_corpus(&mut random) {
            self.input.extend_from_slice(start);
        }
        // Few changes more often than many: most inputs are nearly right.
        let changes = 1 + random.below(CHANGES_MAX).min(random.below(CHANGES_MAX));
        // Every other input keeps its length, and with it the places of what it says.
        let kinds = [KEEPING_KINDS, KINDS][random.below(2)];
        for _ in 0..changes {
            self.change(&mut random, kinds);
        }
        self.input.truncate(self.input_bytes_max);
        &self.input
    }

    fn one_of_corpus(&self, random: &mut Random) -> Option<&'a [u8]> {
        (!self.corpus.is_empty()).then(|| self.corpus[random.below(self.corpus.len())].as_slice())
    }

    fn change(&mut self, random: &mut Random, kinds: usize) {
        let length = self.input.len();
        if length == 0 {
            self.input.push(random.byte());
            return;
        }
        let at = random.below(length);
        let run = 1 + random.below(RUN_BYTES_MAX.min(length - at));
        match random.below(kinds) {
            0 | 1 => self.input[at] ^= 1 << random.below(8),
            2 => self.input[at] = random.byte(),
            3 => self.input[at] = self.input[at].wrapping_add([1, 255][random.below(2)]),
            4 => {
                // A number of two, four or eight bytes, such as a length.
                let number = NUMBERS[random.below(NUMBERS.len())].to_be_bytes();
                self.overwrite(at, &number[[6, 4, 0, 7][random.below(4)]..]);
            }
            5 => {
                // The length that is right here, more or less.
                let left = (length - at) as u64;
                let number = left.wrapping_sub(random.below(9) as u64).to_be_bytes();
                self.overwrite(at, &number[[6, 4, 7][random.below(3)]..]);
            }
            6 => drop(self.input.drain(at..at + run)),
            7 => {
                let byte = random.byte();
                self.input.insert(at, byte);
            }
            8 => self.insert_own(at, at..at + run),
            9 => {
                let from = random.below(length);
                let to = (from + run).min(length);
                self.insert_own(at, from..to);
            }
            10 => {
                // The front of this input and the end of another, or a piece of another in the middle of this one.
                let Some(other) = self.one_of_corpus(random).filter(|other| !other.is_empty()) else { return };
                let from = random.below(other.len());
                if random.below(2) == 0 {
                    self.input.truncate(at);
                    self.input.extend_from_slice(&other[from..]);
                } else {
                    let piece = &other[from..other.len().min(from + RUN_BYTES_MAX)];
                    self.input.splice(at..at, piece.iter().copied());
                }
            }
            _ => self.input.truncate(at),
        }
    }

    fn overwrite(&mut self, at: usize, bytes: &[u8]) {
        let end = self.input.len().min(at + bytes.len());
        self.input[at..end].copy_from_slice(&bytes[..end - at]);
    }

    fn insert_own(&mut self, at: usize, piece: std::ops::Range<usize>) {
        let length = self.input.len();
        self.input.extend_from_within(piece);
        let added = self.input.len() - length;
        self.input[at..].rotate_right(added);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_is_the_same_whatever_came_before_it() {
        let corpus = [b"one thing".to_vec(), b"and quite another".to_vec()];
        let mut all = Mutator::new(&corpus, 100, 7);
        let inputs: Vec<Vec<u8>> = (0..2_000).map(|number| all.input(number).to_vec()).collect();
        for number in [1_999, 3, 1_000] {
            assert_eq!(Mutator::new(&corpus, 100, 7).input(number), inputs[usize::try_from(number).unwrap()]);
        }
        assert_ne!(Mutator::new(&corpus, 100, 8).input(3), inputs[3]);
        let distinct: std::collections::BTreeSet<&Vec<u8>> = inputs.iter().collect();
        assert!(distinct.len() > 1_200, "{} of 2,000 inputs differ", distinct.len());
    }

    #[test]
    fn any_corpus_will_do() {
        for corpus in [&[][..], &[Vec::new()], &[vec![0; 1000]]] {
            let mut inputs = Mutator::new(corpus, 64, 1);
            for number in 0..5_000 {
                assert!(inputs.input(number).len() <= 64);
            }
        }
    }
}
