//! How the bytes of a content are asked for and given: what a client and a holder say to each other.
//!
//! Words: who is served what is decided by the servent's mind, what is asked of whom by the client's.

use super::ContentHash;

/// Which blocks of a content somebody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Have {
    /// These, as runs of a first block and how many follow, in order and apart: at most
    /// [`HAVE_RUNS_MAX`](crate::limits::HAVE_RUNS_MAX).
    Runs(Vec<(u32, u32)>),
    /// Some: more runs than can be told.
    Partly,
}

impl Have {
    /// All of so many blocks.
    #[must_use]
    pub fn all(count: u32) -> Have {
        Have::Runs(vec![(0, count)])
    }

    /// Whether a block is among them, as far as that was told.
    #[must_use]
    pub fn may_include(&self, block: u32) -> bool {
        match self {
            Have::Runs(runs) => {
                runs.iter().any(|(first, count)| block.checked_sub(*first).is_some_and(|after| after < *count))
            }
            Have::Partly => true,
        }
    }
}

/// Client to holder: a content is to be fetched. Each fetch of a link has another number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// The client's own number of the fetch.
    pub fetch: u32,
    /// Which content.
    pub hash: ContentHash,
}

/// Holder to client: it can be fetched here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The client's own number of the fetch.
    pub fetch: u32,
    /// How many bytes it has, which nothing proves yet.
    pub size: u64,
    /// Which of its blocks are here.
    pub have: Have,
}

/// Holder to client: it cannot be fetched here, or not any more. The fetch is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The client's own number of the fetch.
    pub fetch: u32,
    /// Why.
    pub refusal: Refusal,
}

/// Why a content is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not here, or not for whoever asks.
    Gone,
    /// Too many fetch from here; later perhaps.
    Busy,
    /// The file was changed.
    Changed,
}

impl Refusal {
    /// Every reason there is, in the order of their numbers.
    pub const ALL: [Refusal; 3] = [Refusal::Gone, Refusal::Busy, Refusal::Changed];

    /// Its name for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Refusal::Gone => "gone",
            Refusal::Busy => "busy",
            Refusal::Changed => "changed",
        }
    }
}

/// Client to holder: the hashes of these blocks are wanted, at most [`HASHES_MAX`](crate::limits::HASHES_MAX).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashesWanted {
    /// The client's own number of the fetch.
    pub fetch: u32,
    /// The first block.
    pub first: u32,
    /// How many blocks.
    pub count: u32,
}

/// Holder to client: hashes of blocks, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashPart {
    /// The client's own number of the fetch.
    pub fetch: u32,
    /// The block of the first hash.
    pub first: u32,
    /// The hashes.
    pub hashes: Vec<[u8; 32]>,
}

/// Client to holder: these blocks are wanted, at most [`BLOCKS_WANTED_MAX`](crate::limits::BLOCKS_WANTED_MAX). They come one by
/// one, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlocksWanted {
    /// The client's own number of the fetch.
    pub fetch: u32,
    /// The first block.
    pub first: u32,
    /// How many blocks.
    pub count: u32,
}

/// Holder to client: one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The client's own number of the fetch.
    pub fetch: u32,
    /// Which block it is said to be.
    pub block: u32,
    /// Its bytes, which nothing proves yet.
    pub bytes: Vec<u8>,
}

/// The bytes of a block as they were read, behind room for what a frame has before them: so nobody has to move them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockBytes(Vec<u8>);

/// So much room there is.
const HEAD_ROOM_BYTES: usize = 40;

/// Room for the bytes of a block, of which none was read.
#[derive(Debug)]
pub struct BlockRoom(Vec<u8>);

impl BlockRoom {
    /// Room for so many bytes.
    #[must_use]
    pub fn new(length: usize) -> BlockRoom {
        BlockRoom(Vec::with_capacity(HEAD_ROOM_BYTES + length))
    }
}

impl BlockBytes {
    /// So many bytes as they are read: they are to be appended, all of them, to what is there.
    pub fn read_with<E>(length: usize, read: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<BlockBytes, E> {
        BlockBytes::read_into(BlockRoom::new(length), read)
    }

    /// The same into room that was made before.
    pub fn read_into<E>(room: BlockRoom, read: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<BlockBytes, E> {
        let mut bytes = room.0;
        bytes.resize(HEAD_ROOM_BYTES, 0);
        read(&mut bytes)?;
        Ok(BlockBytes(bytes))
    }

    /// The bytes that were read.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.get(HEAD_ROOM_BYTES..).unwrap_or_default()
    }

    /// The same with these before them, and how many bytes are before those.
    pub(crate) fn with_head(self, head: &[u8]) -> (Vec<u8>, usize) {
        let mut bytes = self.0;
        let unused = HEAD_ROOM_BYTES.saturating_sub(head.len());
        match bytes.get_mut(unused..HEAD_ROOM_BYTES) {
            Some(place) if place.len() == head.len() => place.copy_from_slice(head),
            // No head is that long.
            _ => drop(bytes.splice(..HEAD_ROOM_BYTES.min(bytes.len()), head.iter().copied())),
        }
        (bytes, unused)
    }
}
