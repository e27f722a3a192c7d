//! Our servents beside other people's programs: the same number of lookups in flight, in the same rounds.

use std::net::{IpAddr, SocketAddr};

use anyhow::bail;

use super::super::Options;
use super::super::load::{Asks, Loaded, Until, load};
use super::super::peers::{dns, nats, redis};
use super::super::real::Edges;
use super::super::row::BenchRow;
use super::rate::IN_FLIGHT;
use super::{plan, real, whole};
use topologies::fleet::some_loopback_address;

const ROUNDS: u32 = 5;
/// Asked in each round, of ours and of them.
const QUERIES: u64 = 30_000;
const PORT: u16 = 9800;
/// Servents in a row, beside as many servers.
const ROW: usize = 4;

/// Where one listens that is started now.
fn somewhere() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(some_loopback_address()), PORT)
}

/// `peer-redis`: a contact that has it, beside redis-server.
pub fn redis(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    beside(options, "peer-redis", "no redis-server", 1, || {
        let listens = somewhere();
        let Some(_server) = redis::start(listens)? else { return Ok(None) };
        ask(options, &mut redis::connect(listens)?)
    })
}

/// `peer-nats`: a contact that has it, beside a request over one nats-server.
pub fn nats(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    over_nats(options, "peer-nats", 1)
}

/// `peer-nats-4`: four servents in a row of which the last has it, beside a request over as many nats-servers.
pub fn nats_row(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    over_nats(options, "peer-nats-4", ROW)
}

fn over_nats(options: &Options, name: &'static str, servers: usize) -> anyhow::Result<Vec<BenchRow>> {
    beside(options, name, "no nats-server", servers, || {
        let Some(row) = nats::start(somewhere().ip(), u16::try_from(servers)?)? else { return Ok(None) };
        ask(options, &mut nats::connect(row.first)?)
    })
}

/// `peer-dnsmasq`: a contact that has it, beside dnsmasq.
pub fn dnsmasq(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    beside(options, "peer-dnsmasq", "no dnsmasq", 1, || {
        let listens = somewhere();
        let Some(_server) = dns::start(listens)? else { return Ok(None) };
        ask(options, &mut dns::DnsAsker::connect(listens)?)
    })
}

fn ask(options: &Options, asker: &mut impl Asks) -> anyhow::Result<Option<Loaded>> {
    load(asker, &plan(options, IN_FLIGHT, QUERIES, Until::Answers(1))).map(Some)
}

/// Alternates so many of our servents in a row with somebody else's program, which comes first: where it is not, nobody
/// waits for ours.
fn beside(
    options: &Options,
    name: &'static str,
    absent: &'static str,
    servents: usize,
    peer: impl Fn() -> anyhow::Result<Option<Loaded>>,
) -> anyhow::Result<Vec<BenchRow>> {
    let (mut pairs, mut lost) = (Vec::new(), 0);
    for _ in 0..options.rounds(ROUNDS) {
        let Some(theirs) = peer()? else { return Ok(vec![BenchRow::not_measured(name, "k/s", absent)]) };
        let plan = plan(options, IN_FLIGHT, QUERIES, Until::Told(1));
        let ours = real(&Edges::chain(servents), |place| place == servents - 1, &plan)?;
        pairs.push((ours.rate() / 1e3, theirs.rate() / 1e3));
        if theirs.lost > 0 {
            bail!("{name}: the other program lost {} lookups", theirs.lost);
        }
        lost += ours.lost;
    }
    Ok(vec![whole(BenchRow::of_pairs(name, "k/s", &pairs, lost))?])
}
