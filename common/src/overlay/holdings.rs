//! How much a mind holds, and what it counted.

/// What happened that nobody is told of at the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Queries dropped because their TTL and hops were above every limit.
    pub too_far: u64,
    /// Queries refused because the seen set was full.
    pub unseen: u64,
    /// Queries refused because their neighbor brought more than its share.
    pub over_pace: u64,
    /// Copies left out because the neighbor's dialect has no words for the query.
    pub unsaid: u64,
    /// Answers a limit refused.
    pub unanswered: u64,
    /// Answers dropped because their client could not be reached.
    pub undelivered: u64,
}

/// What a servent was good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Queries that came to it, each once.
    pub queries: u64,
    /// Queries it answered.
    pub answered: u64,
}

/// How much a mind holds of each thing that has a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Links to neighbors; [`NEIGHBORS_MAX`](crate::limits::NEIGHBORS_MAX) at most.
    pub neighbors: usize,
    /// Clients attached; [`CONNECTIONS_MAX`](crate::limits::CONNECTIONS_MAX) connections of all kinds at most.
    pub clients: usize,
    /// Links whose other end has yet to say who it is; they count as connections too.
    pub strangers: usize,
    /// Queries remembered; [`SEEN_IDS_MAX`](crate::limits::SEEN_IDS_MAX) at most.
    pub seen: usize,
    /// Queries passed on whose echoes are awaited; [`QUERIES_PENDING_MAX`](crate::limits::QUERIES_PENDING_MAX) at most.
    pub pending: usize,
    /// Echoes kept to be said again; [`ECHOES_KEPT_MAX`](crate::limits::ECHOES_KEPT_MAX) at most.
    pub echoes_kept: usize,
    /// Bytes of queries kept to be offered again;
    /// [`OFFERS_KEPT_BYTES_MAX`](crate::limits::OFFERS_KEPT_BYTES_MAX) at most.
    pub offers_kept_bytes: usize,
    /// Moments at which these are looked at; [`LOOKS_MAX`](crate::limits::LOOKS_MAX) at most.
    pub looks: usize,
    /// Links to neighbors that have a pace; [`NEIGHBORS_MAX`](crate::limits::NEIGHBORS_MAX) at most.
    pub paces: usize,
    /// Answer addresses known; [`ANSWER_ADDRESSES_MAX`](crate::limits::ANSWER_ADDRESSES_MAX) at most.
    pub answer_addresses: usize,
    /// Links to answer addresses; [`ANSWER_LINKS_MAX`](crate::limits::ANSWER_LINKS_MAX) at most, and those that have yet
    /// to say hello.
    pub answer_links: usize,
    /// Dials to answer addresses under way; [`ANSWER_DIALS_MAX`](crate::limits::ANSWER_DIALS_MAX) at most.
    pub answer_dials: usize,
    /// Bytes of answers that wait; [`ANSWERS_QUEUED_BYTES_MAX`](crate::limits::ANSWERS_QUEUED_BYTES_MAX) at most.
    pub answers_queued_bytes: usize,
}
