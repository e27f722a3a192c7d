//! Directories that real servents share, and the contents in them.
//!
//! A servent is only ready once it has hashed what it shares. Holders that misbehave are in `holder`.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use common::content::Blocks;
use common::content::block_hashes::{ContentHasher, HashedContent};
use tempfile::TempDir;
use topologies::fleet::{Servent, unused_address};

/// The length of a block of whatever these tests share.
pub(crate) const BLOCK: usize = 64 * 1024;

/// A content of so many bytes, another for each seed, in which no two blocks are the same.
pub(crate) fn content(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// A content, hashed.
pub(crate) fn hashed(bytes: &[u8]) -> HashedContent {
    let mut hasher = ContentHasher::new(Blocks::of(bytes.len() as u64).unwrap());
    hasher.update(bytes).unwrap();
    hasher.finish().unwrap()
}

/// What `b3sum` prints.
pub(crate) fn hash_of(bytes: &[u8]) -> String {
    hashed(bytes).hash.to_string()
}

/// A servent and the directory it shares. Ended when dropped.
#[derive(Debug)]
pub(crate) struct Shared {
    servent: Option<Servent>,
    address: SocketAddr,
    arguments: Vec<String>,
    home: TempDir,
}

impl Shared {
    /// One that shares these files, and knows nobody.
    pub(crate) fn start<Name: AsRef<[u8]>>(files: &[(Name, &[u8])]) -> Shared {
        Shared::start_with(files, "", &[])
    }

    /// The same with this data, and these words behind all others: options, and neighbors.
    pub(crate) fn start_with<Name: AsRef<[u8]>>(files: &[(Name, &[u8])], data: &str, words: &[&str]) -> Shared {
        let home = TempDir::new().unwrap();
        fs::create_dir(home.path().join("files")).unwrap();
        fs::write(home.path().join("data.txt"), data).unwrap();
        // Where it can listen once more after it was killed.
        let address = unused_address().unwrap();
        let [files_at, data_at] = ["files", "data.txt"].map(|name| home.path().join(name).display().to_string());
        let mut arguments = vec![address.to_string(), data_at, "--share".to_owned(), files_at];
        arguments.extend(words.iter().map(|word| (*word).to_owned()));
        let mut shared = Shared { servent: None, address, arguments, home };
        for (name, bytes) in files {
            shared.write(name, bytes);
        }
        shared.serve();
        shared
    }

    /// Has it listen, and waits until it shares what is there.
    pub(crate) fn serve(&mut self) {
        let mut servent = Servent::start(&self.arguments).unwrap();
        // It may have said so before it was seen to listen.
        if !servent.log_text().contains("] sharing ") {
            servent.wait_for_log("] sharing ").unwrap();
        }
        self.servent = Some(servent);
    }

    pub(crate) fn servent(&mut self) -> &mut Servent {
        self.servent.as_mut().expect("it was killed")
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(&mut self) {
        self.servent.take().expect("it was killed").kill().unwrap();
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address, as an argument.
    pub(crate) fn name(&self) -> String {
        self.address.to_string()
    }

    /// Where a file is that it shares.
    pub(crate) fn path(&self, name: impl AsRef<[u8]>) -> PathBuf {
        self.home.path().join("files").join(OsStr::from_bytes(name.as_ref()))
    }

    /// Writes a file, to be shared once it is looked for.
    pub(crate) fn write(&self, name: impl AsRef<[u8]>, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// The names in a directory, in the order of the alphabet.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.as_bytes().escape_ascii().to_string()).collect();
    names.sort();
    names
}
