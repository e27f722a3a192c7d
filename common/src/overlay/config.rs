//! What one servent is told when it starts.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use ipnet::IpNet;

use crate::address::Neighbor;
use crate::limits::TTL_DEFAULT;
use crate::member_file::KnownMember;
use crate::message::ServentId;
use crate::random::Secret;
use crate::servent_name::ServentName;
use crate::written::WrittenData;

/// What one servent is told when it starts. What is said of nobody has its default: no neighbors, the usual TTL.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address the servent goes by in answers, paths and hellos.
    pub advertised: SocketAddr,
    /// Who it is: random, new at every start. The jitter of redials comes from it too.
    pub servent_id: ServentId,
    /// What it is called.
    pub name: Option<ServentName>,
    /// What nobody else knows: the names it goes by as a contact come from it, and how it tells asks apart.
    pub secret: Secret,
    /// The TTL of the queries its own clients ask.
    pub ttl: u8,
    /// Pass every query on once only, even when a later copy may go further.
    pub forward_once: bool,
    /// The neighbors to dial, and to dial again whenever they are lost.
    pub neighbors: Vec<Neighbor>,
    /// Where clients may be for an answer to be dialled to them in a dialect whose clients say nothing there: nothing
    /// shows that they asked, so anybody could have it sent to anybody.
    pub answer_networks: Vec<IpNet>,
    /// Whether it takes part in telling who is there.
    pub members: bool,
    /// Whether somebody wants to be told of all that happens ([`Output::Event`](super::Output::Event)).
    pub events: bool,
    /// Whom it knew when it was there last: nobody is dialled because of it, and whatever others say of them holds.
    pub known: Vec<KnownMember>,
    /// Whether whom it knows is to be written down.
    pub keeps_members: bool,
    /// Whether there is a directory that is shared.
    pub shares: bool,
    /// Where those may be who are told of its files and fetch them; everybody, where no network is named.
    pub shared_with: Vec<IpNet>,
    /// How many bytes of files all of them together are given in a second, where that is limited.
    pub share_bytes_per_second: Option<u64>,
    /// What was written before and is kept; nothing where nothing is.
    pub written: Option<Arc<WrittenData>>,
    /// Whether that could only be read, so that nothing more is kept.
    pub is_read_only: bool,
    /// Whether only those of the shared files are offered that are published.
    pub published_only: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            advertised: SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)),
            servent_id: ServentId(0),
            name: None,
            secret: Secret::default(),
            ttl: TTL_DEFAULT,
            forward_once: false,
            neighbors: Vec::new(),
            answer_networks: Vec::new(),
            members: false,
            events: false,
            known: Vec::new(),
            keeps_members: false,
            shares: false,
            shared_with: Vec::new(),
            share_bytes_per_second: None,
            written: None,
            is_read_only: false,
            published_only: false,
        }
    }
}
