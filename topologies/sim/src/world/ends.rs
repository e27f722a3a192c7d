//! The two ends of a connection, how far each is, and how they are called.

use common::dialect::Dialect;
use common::limits::STRANGER_UNSENT_BYTES_MAX;
use common::link::{LinkId, Purpose};
use common::message::Role;

use super::clock::Nanos;
use super::dials::Caller;
use super::holds::Holds;
use super::pipes::Pipe;

/// One of the two who have a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Party {
    Dialler,
    Acceptor,
}

impl Party {
    pub(super) const BOTH: [Party; 2] = [Party::Dialler, Party::Acceptor];

    pub(super) fn other(self) -> Party {
        match self {
            Party::Dialler => Party::Acceptor,
            Party::Acceptor => Party::Dialler,
        }
    }
}

/// One end of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EndAt {
    pub(super) connection: usize,
    pub(super) party: Party,
}

impl EndAt {
    pub(super) fn dialler_of(connection: usize) -> EndAt {
        EndAt { connection, party: Party::Dialler }
    }

    /// The other end of the same connection.
    pub(super) fn other(self) -> EndAt {
        EndAt { party: self.party.other(), ..self }
    }

    /// How a mind calls it. Never used again, as connections are never forgotten.
    pub(super) fn link(self) -> LinkId {
        LinkId(self.connection as u64 * 2 + self.party as u64)
    }

    /// Which end is called that.
    pub(super) fn of(link: LinkId) -> EndAt {
        let party = if link.0.is_multiple_of(2) { Party::Dialler } else { Party::Acceptor };
        EndAt { connection: usize::try_from(link.0 / 2).unwrap_or(usize::MAX), party }
    }
}

/// How far an end is, as its machine and the network see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndStage {
    /// It has dialled and does not know yet that somebody is there.
    Dialling,
    /// A mind, or a stranger, speaks on it.
    Open,
    /// The mind has closed it; its last words are on their way, and what comes is discarded.
    Closing,
    /// Its machine knows nothing of it.
    Gone,
}

/// One end of a connection.
pub(super) struct End {
    pub(super) node: usize,
    pub(super) stage: EndStage,
    /// Whether whoever lives at the node is told what comes.
    pub(super) speaks: bool,
    purpose: Purpose,
    /// The most bytes that may wait here unsent.
    pub(super) unsent_bytes_max: usize,
    pub(super) heard_hello: bool,
    pub(super) said_end: bool,
    /// A reset is on its way to it.
    pub(super) is_doomed: bool,
    /// Whether its exchange reads what comes.
    pub(super) is_read: bool,
    /// Nothing is read before this, whatever an exchange says.
    pub(super) rests_until: Nanos,
    pub(super) slow_until: Nanos,
    /// So many bytes come at a time, each time after such a pause, because whoever is at the other end says no more at once.
    pub(super) trickle: Option<(usize, Nanos)>,
    /// Bytes that were written here.
    pub(super) written_bytes: u64,
}

impl End {
    pub(super) fn new(node: usize, stage: EndStage, purpose: Purpose, speaks: bool) -> End {
        End {
            node,
            stage,
            speaks,
            purpose,
            unsent_bytes_max: STRANGER_UNSENT_BYTES_MAX,
            heard_hello: false,
            said_end: false,
            is_doomed: false,
            is_read: true,
            rests_until: 0,
            slow_until: 0,
            trickle: None,
            written_bytes: 0,
        }
    }

    /// The other end has said who it is: from now on that decides how much may wait.
    pub(super) fn hear_hello(&mut self, party: Party, role: Role) {
        self.heard_hello = true;
        self.unsent_bytes_max = self.purpose.unsent_bytes_max(party == Party::Dialler, role);
    }
}

/// Two ends and the way between them.
pub(super) struct Connection {
    ends: [End; 2],
    /// What each end has sent.
    pipes: [Pipe; 2],
    pub(super) caller: Caller,
    pub(super) dialect: Dialect,
    /// A cut connection swallows everything.
    pub(super) is_cut: bool,
    /// The partitions that run through it, and how often those changed.
    pub(super) partitions: Holds,
    pub(super) partition_epoch: u32,
    /// Whether both ends have greeted each other as servents, and neither has let go.
    pub(super) stands: bool,
}

impl Connection {
    /// A new one; the dialler is the first of each pair.
    pub(super) fn new(ends: [End; 2], pipes: [Pipe; 2], caller: Caller, dialect: Dialect) -> Connection {
        let (is_cut, partitions, partition_epoch, stands) = (false, Holds::default(), 0, false);
        Connection { ends, pipes, caller, dialect, is_cut, partitions, partition_epoch, stands }
    }

    pub(super) fn end(&self, party: Party) -> &End {
        let [dialler, acceptor] = &self.ends;
        if party == Party::Dialler { dialler } else { acceptor }
    }

    pub(super) fn end_mut(&mut self, party: Party) -> &mut End {
        let [dialler, acceptor] = &mut self.ends;
        if party == Party::Dialler { dialler } else { acceptor }
    }

    /// What this party has sent.
    pub(super) fn pipe(&self, from: Party) -> &Pipe {
        let [dialler, acceptor] = &self.pipes;
        if from == Party::Dialler { dialler } else { acceptor }
    }

    pub(super) fn pipe_mut(&mut self, from: Party) -> &mut Pipe {
        let [dialler, acceptor] = &mut self.pipes;
        if from == Party::Dialler { dialler } else { acceptor }
    }

    /// Whose they are, the dialler first.
    pub(super) fn nodes(&self) -> [usize; 2] {
        self.ends.each_ref().map(|end| end.node)
    }

    /// Whether this holds of both ends.
    pub(super) fn both(&self, is_so: impl Fn(&End) -> bool) -> bool {
        self.ends.iter().all(is_so)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_called_by_one_link_and_the_other_by_another() {
        for connection in [0, 1, 7] {
            for party in Party::BOTH {
                let end = EndAt { connection, party };
                assert_eq!(EndAt::of(end.link()), end);
                assert_eq!(end.other().other(), end);
                assert_ne!(end.other().link(), end.link());
            }
        }
    }
}
