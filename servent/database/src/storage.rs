//! What a database lies on: bytes that can be synced, and a place where one such storage takes the place of another.
//!
//! Words only. Files are `file`; a simulated disk is somebody else's.

use std::fmt::Debug;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use common::text::Escaped;

/// Bytes that may be lost until they are synced.
pub trait Storage: Debug + Send + Sync {
    /// How many there are.
    fn bytes_count(&self) -> io::Result<u64>;

    /// Reads as many as there is room for.
    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Writes all of them.
    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes it longer by zeros, or shorter.
    fn resize(&self, bytes_count: u64) -> io::Result<()>;

    /// Gives back the room of bytes that hold nothing: whatever they are afterwards is nobody's. Where that cannot be done they
    /// keep it.
    fn give_back(&self, _offset: u64, _bytes_count: u64) {}

    /// Has everything written until now survive whatever becomes of the machine, once it returns.
    fn sync(&self) -> io::Result<()>;
}

/// Where a database is, and where another is made that takes its place.
pub trait DatabasePlace {
    /// What is there, which nobody else uses from now on.
    fn current(&self) -> Result<Option<Current>, OpenError>;

    /// An empty one beside it.
    fn beside(&self) -> Result<Arc<dyn Storage>, OpenError>;

    /// Puts what was made beside in its place, all at once. What was made is synced before; the place is not.
    fn replace(&self) -> io::Result<()>;

    /// Lets go of what was made beside.
    fn give_up(&self);

    /// Has what is in this place be there whatever becomes of the machine.
    fn sync_entry(&self) -> io::Result<()>;
}

/// What is in a place.
#[derive(Debug)]
pub struct Current {
    /// Its bytes.
    pub storage: Arc<dyn Storage>,
    /// Why they cannot be written, where that is so.
    pub read_only: Option<String>,
}

/// Why a database cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody has it.
    #[error("it is in use by another servent")]
    InUse,
    /// What is there is something else.
    #[error("it is not a database of a servent: {0}")]
    Foreign(String),
    /// Whoever wrote it knew more.
    #[error("it is of a newer format: {0}")]
    Newer(String),
    /// It is not what was written.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// There is a link, and nothing behind it.
    #[error("`{}` leads to `{}`, which is not there", Escaped::new(link.as_os_str().as_bytes()), Escaped::new(to.as_os_str().as_bytes()))]
    LeadsNowhere {
        /// The link.
        link: PathBuf,
        /// What it says.
        to: PathBuf,
    },
    /// What it is written to before it is renamed is somebody else's.
    #[error("`{}`, to which it is written before it is renamed, is there and no servent's: move it away", Escaped::new(.0.as_os_str().as_bytes()))]
    Taken(PathBuf),
    /// It holds more than a servent keeps.
    #[error("it holds more than a servent keeps: {0}")]
    TooMuch(String),
    /// There is no memory for what it holds.
    #[error("there is too little memory for its {0} bytes")]
    NoMemory(u64),
    /// It was written to all the time while somebody looked at it.
    #[error("it is written to all the time; look again when less is written")]
    Busy,
    /// The system says why.
    #[error(transparent)]
    Io(#[from] io::Error),
}
