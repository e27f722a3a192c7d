//! The list of contents that are never shared, `--never FILE`: one hash a line, and what stands behind it is nothing, such
//! as the name that `b3sum` prints.
//!
//! What follows for whom of a hash that is in it is not decided here.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use common::content::ContentHash;
use common::counted::counted;
use rustix::fs::OFlags;

use super::shown;

/// Hashes in the list.
pub(super) const NEVER_HASHES_MAX: usize = 1_000_000;
/// So many bytes are read, and no more: all of them with a few words on each line.
const NEVER_FILE_BYTES_MAX: usize = 256 * NEVER_HASHES_MAX;

/// The file and what was read of it last; nothing where none is named.
#[derive(Debug)]
pub(super) struct NeverFile {
    path: Option<PathBuf>,
    list: Mutex<Arc<NeverList>>,
    read_anew: Condvar,
}

/// The hashes, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct NeverList(Vec<ContentHash>);

impl NeverFile {
    /// Reads it at the start, where what is wrong with it is an error.
    pub(super) fn load(path: Option<&Path>) -> anyhow::Result<NeverFile> {
        let list = path.map(NeverList::load).transpose()?.unwrap_or_default();
        Ok(NeverFile { path: path.map(Path::to_owned), list: Mutex::new(Arc::new(list)), read_anew: Condvar::new() })
    }

    /// Reads it again; what is wrong with it leaves the list as it is.
    pub(super) fn read_anew(&self) {
        let Some(path) = &self.path else { return };
        match NeverList::load(path) {
            Ok(list) => {
                log::info!("never file {}: {} never to be shared", shown(path), counted(list.len(), "content"));
                *self.list.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(list);
                self.read_anew.notify_all();
            }
            Err(error) => log::error!("{error:#}; the list read before stays"),
        }
    }

    pub(super) fn list(&self) -> Arc<NeverList> {
        Arc::clone(&self.list.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits for so long, unless the list is another before.
    pub(super) fn wait(&self, time: Duration) {
        let list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        let was = Arc::clone(&list);
        drop(self.read_anew.wait_timeout_while(list, time, |list| Arc::ptr_eq(list, &was)));
    }
}

impl NeverList {
    /// Reads it, which takes its time.
    pub(super) fn load(path: &Path) -> anyhow::Result<NeverList> {
        let bytes = read(path).with_context(|| format!("cannot read never file {}", shown(path)))?;
        match NeverList::parse(&bytes) {
            Err((line, what)) => bail!("never file {}:{line}: {what}", shown(path)),
            Ok(list) => Ok(list),
        }
    }

    /// What is wrong is said with the number of its line.
    fn parse(bytes: &[u8]) -> Result<NeverList, (usize, String)> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let mut hashes = Vec::new();
        for (place, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let said = line.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
            let Some(word) = said.split(u8::is_ascii_whitespace).next().filter(|word| !word.is_empty()) else {
                continue;
            };
            // Where the name behind it is escaped b3sum says so with one before the hash.
            let Some(hash) = hash_of(word.strip_prefix(br"\").unwrap_or(word)) else {
                let word = common::text::Escaped::new(word.get(..word.len().min(80)).unwrap_or_default());
                let rule =
                    "a line begins with all 64 hex digits of one, as `b3sum FILE` prints it, or is a comment behind #";
                return Err((place + 1, format!("`{word}` is no hash: {rule}")));
            };
            // Behind two characters, as b3sum has them, it is the name of a file whatever it looks like.
            let behind = said.get(word.len()..).unwrap_or_default();
            let is_name = behind.starts_with(b"  ") || behind.starts_with(b" *");
            if !is_name && behind.split(u8::is_ascii_whitespace).any(|word| hash_of(word).is_some()) {
                return Err((place + 1, "two hashes on one line: one a line".to_owned()));
            }
            if hashes.len() == NEVER_HASHES_MAX {
                return Err((place + 1, format!("{} are the most", counted(NEVER_HASHES_MAX, "hash"))));
            }
            hashes.push(hash);
        }
        hashes.sort_unstable();
        hashes.dedup();
        Ok(NeverList(hashes))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn has(&self, hash: &ContentHash) -> bool {
        self.0.binary_search(hash).is_ok()
    }
}

fn hash_of(digits: &[u8]) -> Option<ContentHash> {
    let digits: &[u8; 64] = digits.try_into().ok()?;
    let mut hash = [0; 32];
    let (pairs, _) = digits.as_chunks::<2>();
    for (byte, pair) in hash.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? * 16 + low?).ok()?;
    }
    Some(ContentHash(hash))
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    // Without O_NONBLOCK opening a FIFO waits for somebody to write to it.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    if !is_regular(&file)? {
        bail!("it is not a regular file");
    }
    let mut bytes = Vec::new();
    file.take(NEVER_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > NEVER_FILE_BYTES_MAX {
        bail!("it has more than {NEVER_FILE_BYTES_MAX} bytes");
    }
    Ok(bytes)
}

fn is_regular(file: &File) -> std::io::Result<bool> {
    Ok(file.metadata()?.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_line_may_say() {
        let digits = |digit: char| String::from_iter([digit; 64]);
        let text = format!("\u{feff}# by order\r\n{}\r\n\n \t{} # a film\n{}", digits('a'), digits('0'), digits('A'));
        let list = NeverList::parse(text.as_bytes()).unwrap();
        assert_eq!(list.len(), 2);
        assert!(list.has(&ContentHash([0xaa; 32])) && list.has(&ContentHash([0; 32])));
        assert!(!list.has(&ContentHash([1; 32])));
        let counting: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        let list = NeverList::parse(counting.as_bytes()).unwrap();
        assert!(list.has(&ContentHash(std::array::from_fn(|place| place.to_le_bytes()[0]))));
        assert_eq!(NeverList::parse(b""), Ok(NeverList::default()));
    }

    /// Its names are any bytes, and one that it escapes has a backslash before its hash.
    #[test]
    fn what_b3sum_prints_is_a_line() {
        let digits = |digit: char| String::from_iter([digit; 64]);
        let mut bytes = Vec::new();
        for (digit, behind) in [
            ('a', &b"  tea.txt\n"[..]),
            ('b', b" *a name # and more\r\n"),
            ('c', b"\tcaf\xe9\n"),
            ('d', b"  0123456789abcdef\n"),
            ('e', b"#a film"),
        ] {
            bytes.extend(digits(digit).bytes());
            bytes.extend(behind);
        }
        // A file may be called by a hash.
        bytes.extend(format!("\n{}  {}", digits('e'), digits('9')).bytes());
        bytes.extend(format!("\n\\{}  a\\nb\\\\c\n", digits('f')).bytes());
        let list = NeverList::parse(&bytes).unwrap();
        assert_eq!(list.len(), 6);
        assert!([0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff].iter().all(|byte| list.has(&ContentHash([*byte; 32]))));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let hash = "0".repeat(64);
        for (text, line, what) in [
            ("# one\nabc\n".to_owned(), 2, "`abc` is no hash: a line begins with all 64 hex digits of one, as `b3sum"),
            (format!("{hash}  a\n{hash}0  b"), 2, "0` is no hash"),
            (format!("a  {hash}"), 1, "`a` is no hash"),
            (format!("{}  short", "0".repeat(63)), 1, "0` is no hash"),
            (format!("\n\n{}g", "0".repeat(63)), 3, "0g` is no hash"),
            (format!("{}\u{e9}", "0".repeat(62)), 1, "is no hash"),
            (format!("{hash}\n\\\\{hash}  a"), 2, "is no hash"),
            (format!("\\ {hash}"), 1, "`\\` is no hash"),
            (format!("BLAKE3 (a) = {hash}"), 1, "`BLAKE3` is no hash"),
            (format!("{hash} {hash}"), 1, "two hashes on one line"),
            (format!("# one\n{hash}\r{hash}\r"), 2, "two hashes on one line"),
            ("\u{1b}[2J".to_owned(), 1, "`\\x1b[2J`"),
        ] {
            let (found, said) = NeverList::parse(text.as_bytes()).unwrap_err();
            assert!(found == line && said.contains(what), "{found}: {said}");
        }
    }

    #[test]
    fn so_many_hashes_and_no_more() {
        let line = format!("{}\n", "0".repeat(64));
        let mut text = line.repeat(NEVER_HASHES_MAX);
        assert_eq!(NeverList::parse(text.as_bytes()).unwrap().len(), 1);
        text.push_str(&line);
        let (found, said) = NeverList::parse(text.as_bytes()).unwrap_err();
        assert_eq!((found, said.as_str()), (NEVER_HASHES_MAX + 1, "1,000,000 hashes are the most"));
    }
}
