//! What is asked and what comes of it: the ask, the query that carries it, the answer, the tally.
//!
//! How a query travels is `overlay/flood`; how it looks on a wire is `wire`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::address::AnswerAddress;
use crate::content::search::{Entries, FileName, HashStart, Words};
use crate::counted::counted;
use crate::features::Features;
use crate::key::Key;
use crate::limits::BROUGHT_BYTES_MAX;
use crate::servent_id::ServentId;
use crate::servent_name::ServentName;

/// What a query asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// The value of a key, of every servent that holds it.
    Key(Key),
    /// Its place in the overlay, of every servent.
    Topology,
    /// The files it shares that have these words, of every servent that has some.
    Find(Words),
    /// The contents that it shares under a name, of every servent that does.
    Named(FileName),
    /// The contents whose hash begins with these bytes, of every servent that has some.
    Hashed(HashStart),
}

impl Ask {
    /// What an answer to it says.
    #[must_use]
    pub(crate) fn answer_kind(&self) -> AnswerKind {
        match self {
            Ask::Key(_) => AnswerKind::Value,
            Ask::Topology => AnswerKind::Place,
            Ask::Find(_) | Ask::Named(_) | Ask::Hashed(_) => AnswerKind::Entries,
        }
    }

    /// How much it takes to keep it, beside the struct itself.
    pub(crate) fn bytes_count(&self) -> usize {
        match self {
            Ask::Key(key) => key.as_bytes().len(),
            Ask::Topology | Ask::Hashed(_) => 0,
            Ask::Find(words) => words.bytes_count(),
            Ask::Named(name) => name.as_bytes().len(),
        }
    }

    /// What it takes to understand it.
    #[must_use]
    pub fn needs(&self) -> Features {
        match self {
            Ask::Key(_) | Ask::Topology => Features::NONE,
            Ask::Find(_) | Ask::Named(_) | Ask::Hashed(_) => Features::CONTENT,
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ask::Key(key) => write!(f, "? {key}"),
            Ask::Topology => f.write_str("T"),
            Ask::Find(words) => write!(f, "find {words}"),
            Ask::Named(name) => write!(f, "get {name}"),
            Ask::Hashed(start) => write!(f, "get {start}"),
        }
    }
}

/// What tells one query from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct QueryId {
    /// The client's own number of the request.
    pub sequence: u64,
    /// The client's ip and answer port.
    pub client: SocketAddr,
}

/// In as few words as can be: each copy and each echo is looked for by it, under a hash that takes its time for each.
impl Hash for QueryId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let port = u64::from(self.client.port());
        state.write_u64(self.sequence);
        match self.client.ip() {
            IpAddr::V4(ip) => state.write_u64(u64::from(ip.to_bits()) << u16::BITS | port),
            IpAddr::V6(ip) => {
                state.write_u128(ip.to_bits());
                state.write_u64(port);
            }
        }
    }
}

/// One word, so that logs can be searched for it: `1f3a9c02@127.0.0.1:40022`.
impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}@{}", self.sequence, self.client)
    }
}

/// Who a contact is to those who remember its queries: random bits, which prove nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContactName(pub u64);

/// Which of its contact's queries a copy belongs to, and which of the others may be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContactMark {
    /// The contact.
    pub name: ContactName,
    /// The contact's own number for the query.
    pub number: u64,
    /// The lowest number that is still open there. It is no larger than `number`, nor smaller by more than
    /// [`SPAN_MAX`](crate::limits::SPAN_MAX).
    pub open_from: u64,
}

/// One copy of a query, as it crosses one link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// The client's own number of the request.
    pub sequence: u64,
    /// Where the answers go.
    pub client: AnswerAddress,
    /// How they get there.
    pub via: Via,
    /// Which of its contact's queries it is; nothing where a dialect it came over has no words for that.
    pub contact: Option<ContactMark>,
    /// How many times the receiving side may still pass it on.
    pub ttl: u8,
    /// How many links it has crossed, this one included.
    pub hops: u8,
    /// What is asked.
    pub ask: Ask,
    /// For a topology query, the servents it has come through, contact first; otherwise empty.
    pub path: Path,
}

impl Query {
    /// What tells this query from every other.
    #[must_use]
    pub fn id(&self) -> QueryId {
        QueryId { sequence: self.sequence, client: self.client.socket }
    }

    /// What a copy that is kept counts for against a limit on bytes.
    pub(crate) fn bytes_count(&self) -> usize {
        size_of::<Query>() + self.ask.bytes_count() + self.path.bytes_count()
    }

    /// What it takes to understand it, with all that it carries.
    #[must_use]
    pub fn needs(&self) -> Features {
        self.needs_without_via().with(self.via.needs())
    }

    /// The same, however it is answered.
    pub(crate) fn needs_without_via(&self) -> Features {
        self.ask.needs().with(self.client.dialect.manners().needs)
    }

    /// Whether its answers could go back: it says whose it is, and its client hears what is handed.
    pub(crate) fn can_go_back(&self) -> bool {
        self.contact.is_some() && self.client.dialect.manners().brings_back
    }
}

/// How answers come to the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// Whoever has one dials the client.
    #[default]
    Direct,
    /// The way the query came, from servent to servent, and the contact hands them to the client. Who is asked like this
    /// asks others like this.
    Back,
}

impl Via {
    /// Its name for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Via::Direct => "direct",
            Via::Back => "back",
        }
    }

    /// What it takes to understand it.
    #[must_use]
    pub fn needs(self) -> Features {
        match self {
            Via::Direct => Features::NONE,
            Via::Back => Features::BACK,
        }
    }
}

/// The way a topology query took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// The advertised addresses of the servents on it.
    Addresses(Vec<SocketAddr>),
    /// The same as text, one blank between two, from where a path is text and may hold anything.
    Text(Vec<u8>),
}

impl Path {
    /// One that has come through nobody yet.
    #[must_use]
    pub fn empty(is_text: bool) -> Path {
        if is_text { Path::Text(Vec::new()) } else { Path::Addresses(Vec::new()) }
    }

    /// Whether more servents are on it than these, as far as can be known: a text may hold anything.
    #[must_use]
    pub fn is_longer_than(&self, addresses_count: usize) -> bool {
        match self {
            Path::Addresses(addresses) => addresses.len() > addresses_count,
            Path::Text(_) => false,
        }
    }

    /// How much it takes to keep it.
    #[must_use]
    pub fn bytes_count(&self) -> usize {
        match self {
            Path::Addresses(addresses) => size_of_val(addresses.as_slice()),
            Path::Text(text) => text.len(),
        }
    }

    /// Adds the next servent.
    pub fn push(&mut self, address: SocketAddr) {
        match self {
            Path::Addresses(addresses) => addresses.push(address),
            Path::Text(text) => {
                if !text.is_empty() {
                    text.push(b' ');
                }
                text.extend_from_slice(address.to_string().as_bytes());
            }
        }
    }

    /// The addresses on it; words that are none are left out.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        match self {
            Path::Addresses(addresses) => addresses.clone(),
            Path::Text(text) => {
                let words = text.split(|byte| *byte == b' ');
                words.filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok()).collect()
            }
        }
    }

    /// The words of it, as text.
    #[must_use]
    pub fn text(&self) -> Vec<u8> {
        match self {
            Path::Addresses(addresses) => {
                let words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                words.join(" ").into_bytes()
            }
            Path::Text(text) => text.clone(),
        }
    }
}

impl Default for Path {
    fn default() -> Path {
        Path::Addresses(Vec::new())
    }
}

impl From<Vec<SocketAddr>> for Path {
    fn from(addresses: Vec<SocketAddr>) -> Path {
        Path::Addresses(addresses)
    }
}

/// What an answer says it is the answer to: enough to tell one ask from another that somebody else chose, and no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AskHash(pub u64);

impl AskHash {
    /// That of an ask: FNV-1a (Fowler, Noll and Vo) over its variant and the bytes of what it names, of words each with a NUL
    /// behind it.
    #[must_use]
    pub fn of(ask: &Ask) -> AskHash {
        let with = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let of = |variant: u8, bytes: &[u8]| AskHash(bytes.iter().fold(with(0xcbf2_9ce4_8422_2325, &variant), with));
        match ask {
            Ask::Key(key) => of(0, key.as_bytes()),
            Ask::Topology => of(1, &[]),
            Ask::Find(words) => of(2, &words.each().flat_map(|word| [word, &[0]]).collect::<Vec<_>>().concat()),
            Ask::Named(name) => of(3, name.as_bytes()),
            Ask::Hashed(start) => of(4, start.as_bytes()),
        }
    }
}

/// What one servent answers one query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The client's own number of the request.
    pub sequence: u64,
    /// What was asked; nothing where a dialect has no words for that.
    pub asked: Option<AskHash>,
    /// How many links the query had crossed when the servent first heard it.
    pub hops: u8,
    /// What it says.
    pub body: AnswerBody,
}

/// An answer on its way back: what one servent answers, and who that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BroughtAnswer {
    /// The servent that answers.
    pub id: ServentId,
    /// The address it goes by.
    pub from: SocketAddr,
    /// What it is called, if it says so and everybody on the way understood that.
    pub name: Option<ServentName>,
    /// How many links the query had crossed when that servent first heard it.
    pub hops: u8,
    /// What it says.
    pub body: BroughtBody,
}

/// What an answer says that is on its way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BroughtBody {
    /// All of it.
    Whole(AnswerBody),
    /// That there is a value of so many bytes, which is too long to be brought: whoever wants it asks for it where it is.
    Announced(u64),
}

impl BroughtBody {
    pub(crate) fn kind(&self) -> AnswerKind {
        match self {
            BroughtBody::Whole(body) => body.kind(),
            BroughtBody::Announced(_) => AnswerKind::Value,
        }
    }

    /// What of an answer is brought: a value that is too long is announced.
    #[must_use]
    pub fn of(body: AnswerBody) -> BroughtBody {
        match body {
            AnswerBody::Value(value) if value.len() > BROUGHT_BYTES_MAX => BroughtBody::Announced(value.len() as u64),
            body => BroughtBody::Whole(body),
        }
    }

    /// What it takes to understand it.
    #[must_use]
    pub fn needs(&self) -> Features {
        match self {
            BroughtBody::Whole(body) => body.needs(),
            BroughtBody::Announced(_) => Features::NONE,
        }
    }
}

impl BroughtAnswer {
    /// What it takes to understand it.
    #[must_use]
    pub fn needs(&self) -> Features {
        let name = if self.name.is_some() { Features::NAME } else { Features::NONE };
        Features::BACK.with(self.body.needs()).with(name)
    }

    /// The same for whoever offered this much: without the name where that would not be understood. The answer goes on.
    pub(crate) fn told_to(answer: Arc<BroughtAnswer>, offered: Features) -> Arc<BroughtAnswer> {
        if answer.name.is_none() || offered.include(Features::NAME) {
            return answer;
        }
        Arc::new(BroughtAnswer { name: None, ..Arc::unwrap_or_clone(answer) })
    }

    /// What it counts for against a limit on bytes.
    pub(crate) fn bytes_count(&self) -> usize {
        let body = match &self.body {
            BroughtBody::Whole(body) => body.bytes_count(),
            BroughtBody::Announced(_) => 0,
        };
        size_of::<BroughtAnswer>() + body + self.name.as_ref().map_or(0, |name| name.as_str().len())
    }
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerBody {
    /// The value of the key.
    Value(Vec<u8>),
    /// The servent's place in the overlay.
    Place {
        /// The servents the query came through: contact first, the answering servent last.
        path: Path,
        /// The servents at the other ends of its links.
        neighbors: Vec<SocketAddr>,
    },
    /// Contents that it shares.
    Entries(Entries),
}

impl Answer {
    /// What it counts for against a limit on bytes while it waits.
    pub(crate) fn bytes_count(&self) -> usize {
        size_of::<Answer>() + self.body.bytes_count()
    }
}

/// What answers can say, by the asks they are to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    Value,
    Place,
    Entries,
}

impl AnswerBody {
    pub(crate) fn kind(&self) -> AnswerKind {
        match self {
            AnswerBody::Value(_) => AnswerKind::Value,
            AnswerBody::Place { .. } => AnswerKind::Place,
            AnswerBody::Entries(_) => AnswerKind::Entries,
        }
    }

    /// How much it takes to keep it, beside the enum itself.
    fn bytes_count(&self) -> usize {
        match self {
            AnswerBody::Value(value) => value.len(),
            AnswerBody::Place { path, neighbors } => path.text().len() + neighbors.len() * size_of::<SocketAddr>(),
            AnswerBody::Entries(entries) => entries.bytes_count(),
        }
    }

    /// What it takes to understand it.
    #[must_use]
    pub fn needs(&self) -> Features {
        match self {
            #[cfg(test)]
            AnswerBody::Value(value) if value == NEW_VALUE => crate::features::MADE_UP[2],
            AnswerBody::Value(_) | AnswerBody::Place { .. } => Features::NONE,
            AnswerBody::Entries(_) => Features::CONTENT,
        }
    }
}

/// What tests take for an answer of a new kind to an ask that all understand.
#[cfg(test)]
pub(crate) const NEW_VALUE: &[u8] = b"of a new kind";

/// How much it is, for the log.
impl fmt::Display for AnswerBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnswerBody::Value(value) => write!(f, "{}", counted(value.len(), "byte")),
            AnswerBody::Place { neighbors, .. } => {
                write!(f, "its place beside {}", counted(neighbors.len(), "neighbor"))
            }
            AnswerBody::Entries(Entries { entries, more, .. }) => {
                write!(f, "{}", counted(more.saturating_add(entries.len() as u64), "content"))
            }
        }
    }
}

/// What a flood came to, or, on its way back, a subtree of it. Tallies only ever add up, so an echo can be merged the moment it arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Servents the query came to.
    pub reached: u64,
    /// Answers sent to the client.
    pub answers: u64,
    /// Copies of the query sent over links.
    pub copies: u64,
    /// Copies dropped because they brought nothing new.
    pub duplicates: u64,
    /// Servents where the TTL ended it with neighbors unasked. A servent that is later given more TTL takes its one
    /// back, so a subtree's count may be negative; the sum over the whole flood is not.
    pub stopped: i64,
    /// What was given up: links that closed, or stayed silent too long, before they echoed; answers and copies that a
    /// limit refused; copies for neighbors and answers for clients that could not be told.
    pub lost: u64,
    /// Copies sent to neighbors whose dialect has no echo.
    pub silent: u64,
    /// Copies that were below what their contact has open, had the number of another query there, or came from a contact that
    /// alone fills its share with more open than it may; each is `lost` too.
    pub spoilt: u64,
    /// The sum of the marks ([`ServentId::mark`](crate::message::ServentId::mark)) of the servents that answered.
    pub answer_sum: u64,
    /// Whether a copy was sent whose answers are dialled to the client: these may come later than this tally. All others
    /// come before it.
    pub is_dialled: bool,
}

impl Tally {
    /// Adds what another subtree came to.
    pub fn add(&mut self, other: &Tally) {
        // Tallies come from peers: a sum beyond the numbers stays at their end instead of wrapping into a small one.
        self.reached = self.reached.saturating_add(other.reached);
        self.answers = self.answers.saturating_add(other.answers);
        self.copies = self.copies.saturating_add(other.copies);
        self.duplicates = self.duplicates.saturating_add(other.duplicates);
        self.stopped = self.stopped.saturating_add(other.stopped);
        self.lost = self.lost.saturating_add(other.lost);
        self.silent = self.silent.saturating_add(other.silent);
        self.spoilt = self.spoilt.saturating_add(other.spoilt);
        // Of numbers drawn at random: there is no end to stay at.
        self.answer_sum = self.answer_sum.wrapping_add(other.answer_sum);
        self.is_dialled |= other.is_dialled;
    }

    /// Counts as many things given up.
    pub fn add_lost(&mut self, count: usize) {
        self.add(&Tally { lost: count as u64, ..Tally::default() });
    }

    /// Whether every servent within reach of the TTL was asked and has said so. Of those beyond it `stopped` tells whether
    /// there are any.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.lost == 0 && self.silent == 0
    }
}

/// What there is of it that was counted, each with its name: `reached 4, answers 1, copies 5, duplicates 2`.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { reached, answers, copies, duplicates, stopped, lost, silent, spoilt, answer_sum: _, is_dialled: _ } =
            *self;
        write!(f, "reached {reached}")?;
        for (name, count) in [("answers", answers), ("copies", copies), ("duplicates", duplicates)] {
            if count > 0 {
                write!(f, ", {name} {count}")?;
            }
        }
        if stopped != 0 {
            write!(f, ", stopped {stopped}")?;
        }
        for (name, count) in [("lost", lost), ("silent", silent), ("spoilt", spoilt)] {
            if count > 0 {
                write!(f, ", {name} {count}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_stay_at_their_end_and_the_sum_of_marks_goes_on_from_zero() {
        let full = Tally { lost: u64::MAX, spoilt: u64::MAX, answer_sum: u64::MAX, ..Tally::default() };
        let mut tally = full;
        tally.add(&Tally { lost: 2, spoilt: 2, answer_sum: 2, ..Tally::default() });
        assert_eq!(tally, Tally { answer_sum: 1, ..full });
    }

    #[test]
    fn what_was_asked_is_hashed_as_published() {
        // Of the test vectors of the hash's authors (draft-eastlake-fnv), with the variant of a topology or of none.
        let plain = |bytes: &[u8]| {
            bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            })
        };
        assert_eq!(
            (plain(b""), plain(b"a"), plain(b"foobar")),
            (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c, 0x8594_4171_f739_67e8)
        );
        assert_eq!(AskHash::of(&Ask::Topology), AskHash(plain(&[1])));
        assert_eq!(AskHash::of(&Ask::Key(Key::new(b"tea").unwrap())), AskHash(plain(b"\0tea")));
        let find = |words: &[&[u8]]| AskHash::of(&Ask::Find(Words::new(words.iter().copied()).unwrap()));
        assert_eq!(find(&[b"tea", b"Pot"]), AskHash(plain(b"\x02tea\0Pot\0")));
        assert_eq!(find(&[]), AskHash(plain(&[2])));
        assert_eq!(AskHash::of(&Ask::Named(FileName::new(b"tea").unwrap())), AskHash(plain(b"\x03tea")));
        assert_eq!(AskHash::of(&Ask::Hashed(HashStart::new(b"teas").unwrap())), AskHash(plain(b"\x04teas")));
    }

    #[test]
    fn a_path_is_known_by_what_is_on_it_as_far_as_that_can_be_known() {
        let address = SocketAddr::from(([10, 0, 0, 1], 9000));
        let mut addresses = Path::empty(false);
        assert_eq!(addresses, Path::default());
        let mut text = Path::empty(true);
        for count in 1..=2 {
            addresses.push(address);
            text.push(address);
            assert!(addresses.is_longer_than(count - 1) && !addresses.is_longer_than(count));
            assert_eq!(addresses.bytes_count(), count * size_of::<SocketAddr>());
            // A text may hold anything, so nothing of it is held against anybody.
            assert!(!text.is_longer_than(0));
            assert_eq!(text.bytes_count(), count * "10.0.0.1:9000".len() + (count - 1));
        }
    }
}
