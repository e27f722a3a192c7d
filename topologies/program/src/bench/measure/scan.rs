//! `scan`: a file of a million keys made into a store, beside the least that finds a line again: its text, and a table of
//! offsets by hash.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::time::Instant;

use anyhow::{Context, ensure};
use common::store::Store;
use memchr::{memchr, memchr_iter};

use super::super::Options;
use super::super::row::{BenchRow, Bound, Of};
use super::of_rounds;

const ROUNDS: u32 = 9;
const KEYS: u64 = 1_000_000;

/// Measures it.
pub fn scan(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let count = options.queries(KEYS);
    let mut file = generated(count)?;
    of_rounds("scan", "ms", options.rounds(ROUNDS), &[Bound::AtMost(Of::Ratio, 1.5)], || {
        let started = Instant::now();
        let (store, _) = Store::parse(read(&mut file)?)?;
        let ours = started.elapsed();
        ensure!(store.len() as u64 == count, "the store has {} of {count} keys", store.len());
        drop(store);
        let started = Instant::now();
        let table = Offsets::of(read(&mut file)?);
        let floor = started.elapsed();
        let last = key(count - 1);
        ensure!(table.line(last.as_bytes()).is_some(), "the table does not have {last}");
        Ok(((ours.as_secs_f64() * 1e3, floor.as_secs_f64() * 1e3), 0))
    })
}

fn key(number: u64) -> String {
    format!("package-{:07}", number * 7_919 % 10_000_019)
}

/// A file that nobody else sees, and that is gone with this process.
fn generated(count: u64) -> anyhow::Result<File> {
    let path = std::env::temp_dir().join(format!("topology-bench-{}", std::process::id()));
    let named = || format!("cannot write {}", path.display());
    let file = File::options().read(true).write(true).create_new(true).open(&path).with_context(named)?;
    fs::remove_file(&path).with_context(named)?;
    let mut out = BufWriter::new(file);
    for number in 0..count {
        writeln!(out, "{}\t{number} is what it is called by, and no more", key(number)).with_context(named)?;
    }
    out.into_inner().with_context(named)
}

fn read(file: &mut File) -> anyhow::Result<Vec<u8>> {
    let length = usize::try_from(file.metadata()?.len())?;
    let mut bytes = Vec::with_capacity(length);
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where each line begins, found by the hash of its first word. Whether two words that meet are one is not looked at.
struct Offsets {
    text: Vec<u8>,
    /// Offsets, and where there is none, this.
    table: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Offsets {
    fn of(text: Vec<u8>) -> Offsets {
        let mut table = vec![NONE; (lines_count(&text) * 2).next_power_of_two()];
        let mut begin = 0;
        while let Some(length) = memchr(b'\n', &text[begin..]) {
            let mut place = hash(word(&text[begin..begin + length])) & (table.len() - 1);
            while table[place] != NONE {
                place = (place + 1) & (table.len() - 1);
            }
            table[place] = u32::try_from(begin).unwrap_or(NONE);
            begin += length + 1;
        }
        Offsets { text, table }
    }

    /// The line that begins with this word.
    fn line(&self, wanted: &[u8]) -> Option<&[u8]> {
        let mut place = hash(wanted) & (self.table.len() - 1);
        while self.table[place] != NONE {
            let line = &self.text[usize::try_from(self.table[place]).ok()?..];
            if word(line) == wanted {
                return Some(line);
            }
            place = (place + 1) & (self.table.len() - 1);
        }
        None
    }
}

fn lines_count(text: &[u8]) -> usize {
    memchr_iter(b'\n', text).count()
}

fn word(line: &[u8]) -> &[u8] {
    &line[..memchr(b'\t', line).unwrap_or(line.len())]
}

/// Eight bytes at a time, each with one multiplication.
fn hash(word: &[u8]) -> usize {
    let mut hash = 0_u64;
    for chunk in word.chunks(8) {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        hash = (hash.rotate_left(29) ^ u64::from_le_bytes(bytes)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    // The upper bits depend on all of them.
    usize::try_from(hash >> 40).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_finds_every_line_it_was_given() {
        let table = Offsets::of(read(&mut generated(1_000).unwrap()).unwrap());
        for number in 0..1_000 {
            let line = table.line(key(number).as_bytes()).unwrap();
            assert!(line.starts_with(format!("{}\t{number} is", key(number)).as_bytes()));
        }
        assert_eq!(table.line(b"package"), None);
    }
}
