//! The doors of the mind that fetches a content: what it is told, and what it wants done.
//!
//! What becomes of it is decided by the mind.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::content::block_hashes::BlockHashes;
use crate::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Have, Open, Opened, Refused};
use crate::content::{Blocks, ContentHash};
use crate::limits::HOLDER_QUIET_MAX;
use crate::link::LinkId;

/// What is to be fetched, and what is here of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which content.
    pub hash: ContentHash,
    /// How long holders are looked for that have what is missing, since anything came that was not known before.
    pub wait: Duration,
    /// Who is known to have it, and what of it. Others are told by [`Input::Holder`].
    pub holders: Vec<(SocketAddr, Have)>,
    /// The hashes that an earlier fetch wanted kept.
    pub kept: Option<KeptHashes>,
    /// Where in the file something was written, in order and apart, whatever it is. It is not trusted.
    pub on_disk: Vec<Range<u64>>,
    /// Whether a block can be written only once all before it are: then none is asked for that would have to be held for long,
    /// but for the last, which proves the size.
    pub in_order: bool,
}

impl Wanted {
    /// One of which nothing is here.
    #[must_use]
    pub fn new(hash: ContentHash, wait: Duration) -> Wanted {
        Wanted { hash, wait, holders: Vec::new(), kept: None, on_disk: Vec::new(), in_order: false }
    }
}

/// What was kept by [`Output::KeepHashes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptHashes {
    /// The size of the content.
    pub size: u64,
    /// The hashes of its blocks.
    pub hashes: Vec<[u8; 32]>,
}

/// Names one dial between the mind and its shell. None is ever used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HolderDial(pub u64);

/// What a holder says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromHolder {
    /// The content can be fetched there.
    Opened(Opened),
    /// It cannot.
    Refused(Refused),
    /// Hashes of blocks.
    HashPart(HashPart),
    /// A block.
    Block(Block),
    /// Something else, by its name: it has nothing to say here.
    Other(&'static str),
}

/// What is said to a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToHolder {
    /// The content is to be fetched.
    Open(Open),
    /// Hashes of blocks are wanted.
    HashesWanted(HashesWanted),
    /// Blocks are wanted.
    BlocksWanted(BlocksWanted),
}

/// What the mind is told.
#[derive(Debug)]
pub enum Input {
    /// Somebody is said to have the content, or some of it. May be told again and again.
    Holder {
        /// Where it is.
        address: SocketAddr,
        /// What it is said to have.
        have: Have,
    },
    /// Whoever was asked who has the content has said so, or will not: the first time, and after each [`Output::AskAgain`].
    Asked,
    /// A dial came to a link that stands: both ends have said hello, and the other one knows of contents.
    Dialled {
        /// Which.
        dial: HolderDial,
        /// The link.
        link: LinkId,
    },
    /// It came to nothing.
    DialFailed {
        /// Which.
        dial: HolderDial,
        /// Why, for the person.
        reason: String,
    },
    /// A message came.
    Received {
        /// The link it came over.
        link: LinkId,
        /// What was said.
        said: FromHolder,
    },
    /// Bytes came that are no whole message yet: whoever is slow is not silent.
    Heard {
        /// The link they came over.
        link: LinkId,
    },
    /// A link is gone. Not told of those the mind closed.
    Closed {
        /// The link that was.
        link: LinkId,
        /// Why, for the person.
        reason: String,
    },
    /// Blocks that were to be checked are, in order. May be told in as many parts as one likes.
    Checked {
        /// As the mind had it when it wanted that.
        blocks: Blocks,
        /// The first of them.
        first: u32,
        /// The hash of each, as [`block_hash`](crate::content::block_hashes::block_hash) has it; nothing of one that cannot be
        /// read.
        hashes: Vec<Option<[u8; 32]>>,
    },
    /// A block is in the file.
    Written {
        /// Which.
        block: u32,
    },
    /// The file cannot be written: the fetch is over.
    WriteFailed {
        /// Why, for the person.
        reason: String,
    },
    /// [`ContentFetch::deadline`](super::ContentFetch::deadline) has come. Telling it early or twice changes nothing.
    Deadline,
}

/// What the mind wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Connect to a holder. What comes of it is told by [`Input::Dialled`] or [`Input::DialFailed`], once.
    Dial {
        /// Its name.
        dial: HolderDial,
        /// Where the holder is.
        address: SocketAddr,
    },
    /// Say this.
    Send {
        /// The link to say it on.
        link: LinkId,
        /// What is to be said.
        message: ToHolder,
    },
    /// Close a link, which is gone for the mind at once.
    Close {
        /// Which.
        link: LinkId,
    },
    /// Write a block, which is true, and tell [`Input::Written`]. No block is written twice.
    Write {
        /// Which.
        block: u32,
        /// Where in the file.
        at: u64,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Hash blocks that are in the file, and tell [`Input::Checked`].
    Check {
        /// Those of the content, as far as is known.
        blocks: Blocks,
        /// The first of them.
        first: u32,
        /// How many.
        count: u32,
    },
    /// These are the hashes of the content's blocks, and its size is the true one: whoever keeps them can go on from there.
    KeepHashes(Arc<BlockHashes>),
    /// Ask again who has the content: there is nobody left. Whoever says so is told by [`Input::Holder`], and that nobody more
    /// will by [`Input::Asked`].
    AskAgain,
    /// Tell the person.
    Tell(FetchReport),
}

/// What the person is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchReport {
    /// What was kept of an earlier fetch is not of this content.
    KeptIsFalse,
    /// How large the content is, for certain.
    Proved(Blocks),
    /// What becomes of a holder.
    Holder {
        /// Which.
        address: SocketAddr,
        /// What.
        news: HolderNews,
    },
    /// The fetch is over; nothing more is told or done.
    Ended(FetchEnded),
}

/// What becomes of a holder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HolderNews {
    /// From now on it is asked.
    Taken,
    /// It says nothing, or nothing whole for long: another is asked if there is one.
    Silent,
    /// Too many fetch there. It is asked again later.
    Busy,
    /// It is not asked any more.
    Dropped(WhyDropped),
}

/// Why a holder is asked no more. After some of these it is again, once it is said anew that it has the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyDropped {
    /// It cannot be dialled.
    Undialled(String),
    /// Its link is gone. It is dialled again, a few times.
    Lost(String),
    /// It said nothing for too long.
    Silent,
    /// The content is not there.
    Gone,
    /// The file was changed there.
    Changed,
    /// It lied about the size.
    FalseSize(u64),
    /// It has blocks that there are not.
    FalseHave,
    /// Its hashes do not come to the hash of the content.
    FalseHashes,
    /// A block was not what its hash says.
    FalseBlock(u32),
    /// A block was too long or too short.
    BlockLength(u32),
    /// It said what it was not asked for, or twice.
    Unasked(&'static str),
}

impl WhyDropped {
    /// Whether it lied, or broke the rules: it is never asked again.
    #[must_use]
    pub fn is_false(&self) -> bool {
        match self {
            WhyDropped::Undialled(_)
            | WhyDropped::Lost(_)
            | WhyDropped::Silent
            | WhyDropped::Gone
            | WhyDropped::Changed => false,
            WhyDropped::FalseSize(_)
            | WhyDropped::FalseHave
            | WhyDropped::FalseHashes
            | WhyDropped::FalseBlock(_)
            | WhyDropped::BlockLength(_)
            | WhyDropped::Unasked(_) => true,
        }
    }
}

impl fmt::Display for WhyDropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhyDropped::Undialled(reason) => write!(f, "it cannot be dialled: {reason}"),
            WhyDropped::Lost(reason) => write!(f, "its link was lost: {reason}"),
            WhyDropped::Silent => write!(f, "it said nothing for {} s", HOLDER_QUIET_MAX.as_secs()),
            WhyDropped::Gone => f.write_str("it does not have it, or not for this client"),
            WhyDropped::Changed => f.write_str("the file was changed there"),
            WhyDropped::FalseSize(size) => write!(f, "it said falsely that there are {size} bytes"),
            WhyDropped::FalseHave => f.write_str("it said to have blocks that there are not"),
            WhyDropped::FalseHashes => f.write_str("it sent false hashes"),
            WhyDropped::FalseBlock(block) => write!(f, "it sent a false block {block}"),
            WhyDropped::BlockLength(block) => write!(f, "it sent a block {block} of the wrong length"),
            WhyDropped::Unasked(what) => write!(f, "it sent a {what} it was not asked for"),
        }
    }
}

/// How a fetch ended, and what is here now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchEnded {
    /// How.
    pub end: FetchEnd,
    /// Where each block is from, in order; none where not even the size is known.
    pub sources: Vec<SourceRun>,
    /// Bytes of blocks that came and were of no use.
    pub wasted_bytes: u64,
}

/// How a fetch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchEnd {
    /// All is here.
    Done,
    /// Nobody was found who has the rest.
    Missing,
    /// The file could not be written.
    Unwritten(String),
}

/// Blocks one after the other from one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceRun {
    /// Where they are from.
    pub source: BlockSource,
    /// The first.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// Where a block is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockSource {
    /// A holder gave it.
    Holder(SocketAddr),
    /// It was in the file before.
    Disk,
    /// It is missing.
    Nobody,
}

/// How far a fetch is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FetchProgress {
    /// How many bytes there are, as far as anybody has said.
    pub size: Option<u64>,
    /// Whether that is certain.
    pub is_size_proved: bool,
    /// Bytes that are in the file, and true.
    pub here_bytes: u64,
    /// Blocks in the file that are yet to be checked.
    pub unchecked_count: u32,
    /// Bytes of blocks that came, whatever became of them.
    pub came_bytes: u64,
    /// Those of them that were of no use.
    pub wasted_bytes: u64,
    /// Who is asked.
    pub holder: Option<SocketAddr>,
    /// Holders that are known.
    pub holders_count: usize,
    /// Whether nobody gives what is missing, and it is waited for somebody who does.
    pub is_waiting: bool,
}
