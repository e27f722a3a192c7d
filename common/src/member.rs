//! The words about members: the servents one has heard of, what is said of each, and the pages they are told in.
//!
//! What becomes of a word that is heard is for the room that knows them (`overlay/members`).

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use crate::servent_id::Identity;

/// What is said of a member. Of two words at one clock the worse holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// It was heard.
    Online,
    /// A neighbor of it has not heard it for [`SUSPECT_AFTER`](crate::limits::SUSPECT_AFTER), and nobody else has said that
    /// they have.
    Suspect,
    /// It is dead, or cannot be reached.
    Failed,
    /// It has said goodbye.
    Left,
}

impl Word {
    /// Each of them, from the best to the worst.
    pub const ALL: [Word; 4] = [Word::Online, Word::Suspect, Word::Failed, Word::Left];

    /// How it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Word::Online => "online",
            Word::Suspect => "suspect",
            Word::Failed => "failed",
            Word::Left => "left",
        }
    }

    /// Whether it is there as far as anybody knows: whoever is suspect may be.
    #[must_use]
    pub fn is_online(self) -> bool {
        matches!(self, Word::Online | Word::Suspect)
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One servent as another tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The address it goes by: there is one member at each.
    pub address: SocketAddr,
    /// Who is there.
    pub id: Identity,
    /// When the word was said, on the clock of whoever said it first.
    pub clock: u64,
    /// How long ago anybody heard it itself. It grows as it is passed on.
    pub heard: Duration,
    /// What is said of it.
    pub word: Word,
    /// Whether it may be dialled to keep the overlay together.
    pub is_open: bool,
    /// Whether somebody dialled this address and met this servent there.
    pub is_proved: bool,
    /// What only the contact of a client knows of it.
    pub seen: Seen,
}

/// What a contact tells its clients of a member, and nobody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Why there is a link to it.
    pub link: Linkage,
    /// Whether what is said of it changed so often that it is not passed on at once any more.
    pub is_flapping: bool,
    /// The round trip of a ping over that link, where one was sent.
    pub round_trip: Option<Duration>,
}

/// Why a link to a member stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Linkage {
    /// There is none.
    #[default]
    None,
    /// It is this servent itself.
    Myself,
    /// It was told to this servent as a neighbor.
    Pinned,
    /// This servent chose it, to keep the overlay together.
    Chosen,
    /// It has dialled this servent.
    Taken,
}

impl Linkage {
    /// Each of them.
    pub const ALL: [Linkage; 5] = [Linkage::None, Linkage::Myself, Linkage::Pinned, Linkage::Chosen, Linkage::Taken];
}

/// How a member is known, in one word: for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is whoever tells.
    Myself,
    /// There is a link, because it was told to be a neighbor.
    Pinned,
    /// There is a link, because it was chosen.
    Chosen,
    /// There is a link that it dialled.
    Taken,
    /// Others told of it.
    Heard,
    /// It has been quiet for a while.
    Suspect,
    /// What is said of it changes often.
    Flapping,
    /// It is dead, or cannot be reached.
    Failed,
    /// It has said goodbye.
    Left,
}

impl Member {
    /// How it is known. Trouble comes before links.
    #[must_use]
    pub fn how(&self) -> How {
        match (self.word, self.seen.is_flapping, self.seen.link) {
            (Word::Left, ..) => How::Left,
            (Word::Failed, ..) => How::Failed,
            (Word::Suspect, ..) => How::Suspect,
            (Word::Online, true, _) => How::Flapping,
            (Word::Online, false, Linkage::Myself) => How::Myself,
            (Word::Online, false, Linkage::Pinned) => How::Pinned,
            (Word::Online, false, Linkage::Chosen) => How::Chosen,
            (Word::Online, false, Linkage::Taken) => How::Taken,
            (Word::Online, false, Linkage::None) => How::Heard,
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            How::Myself => "self",
            How::Pinned => "pinned",
            How::Chosen => "chosen",
            How::Taken => "taken",
            How::Heard => "heard",
            How::Suspect => "suspect",
            How::Flapping => "flapping",
            How::Failed => "failed",
            How::Left => "left",
        })
    }
}

/// Members as they are told: by address, so many at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peers {
    /// Whether somebody asked for them.
    pub kind: PeersKind,
    /// At most [`PEERS_MAX`](crate::limits::PEERS_MAX).
    pub members: Vec<Member>,
}

/// Why members are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeersKind {
    /// Something about them has changed.
    News,
    /// Somebody asked, and there are no more behind these.
    LastPage,
    /// Somebody asked, and there are more behind these.
    Page,
}

/// Who is asked to tell of members, and of which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeersWanted {
    /// Of those behind this address; of the first where nothing is said.
    pub after: Option<SocketAddr>,
}

/// A client of this host has its contact greet a servent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greet {
    /// Where it may be.
    pub address: SocketAddr,
}

/// What came of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeted {
    /// Where it was looked for.
    pub address: SocketAddr,
    /// Who was there.
    pub outcome: GreetOutcome,
    /// What the contact said of whoever is there, before.
    pub was: Option<WordAt>,
    /// What it says now.
    pub now: Option<WordAt>,
    /// How many members it had not heard of before it was told there.
    pub new_count: u64,
    /// From the dial to the goodbye.
    pub took: Duration,
}

/// What is said of a member, and when that was said on the clock of whoever said it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordAt {
    /// The word.
    pub word: Word,
    /// The clock.
    pub clock: u64,
}

/// Who was there when somebody was to be greeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GreetOutcome {
    /// A servent.
    Met,
    /// A machine on which nobody listens there.
    Refused,
    /// Nobody, or nobody who said hello as a servent.
    Unreached,
    /// Nobody was dialled: only clients of this host may ask for it, and for an address that is one end's.
    NotAllowed,
    /// Nobody was dialled: that one is greeted for another already, too many are, or there is no room to call one more.
    Busy,
}

impl GreetOutcome {
    /// Each of them, in the order of their numbers.
    pub const ALL: [GreetOutcome; 5] = [
        GreetOutcome::Met,
        GreetOutcome::Refused,
        GreetOutcome::Unreached,
        GreetOutcome::NotAllowed,
        GreetOutcome::Busy,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_comes_before_links() {
        let member = |word, is_flapping, link| Member {
            address: ([127, 0, 0, 1], 9000).into(),
            id: Identity::of_bits(7),
            clock: 1,
            heard: Duration::ZERO,
            word,
            is_open: false,
            is_proved: false,
            seen: Seen { link, is_flapping, round_trip: None },
        };
        let how = |word, is_flapping, link| member(word, is_flapping, link).how().to_string();
        for link in Linkage::ALL {
            for is_flapping in [false, true] {
                assert_eq!(how(Word::Left, is_flapping, link), "left");
                assert_eq!(how(Word::Failed, is_flapping, link), "failed");
                assert_eq!(how(Word::Suspect, is_flapping, link), "suspect");
            }
            assert_eq!(how(Word::Online, true, link), "flapping");
        }
        let plain = Linkage::ALL.map(|link| how(Word::Online, false, link));
        assert_eq!(plain, ["heard", "self", "pinned", "chosen", "taken"]);
    }

    #[test]
    fn words_go_from_the_best_to_the_worst() {
        assert!(Word::ALL.is_sorted());
        assert_eq!(Word::ALL.map(Word::is_online), [true, true, false, false]);
    }
}
