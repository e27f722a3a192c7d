//! A servent from what it is told to its loop: data, addresses, the port. The program and whoever has one in a process of
//! their own start the same.
//!
//! Neither a command line, nor a log, nor signals; the loop itself is `server`.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use common::address::canonical;
use common::message::ServentId;
use common::overlay::Config;
use common::random::Secret;
use ipnet::IpNet;

use crate::advertised::advertised;
use crate::events_file::EventsFile;
use crate::jobs::Files;
use crate::members_file::MembersFile;
use crate::options::Options;
use crate::server::Server;
use crate::share::SharedDirectory;
use crate::signals::Signals;
use crate::store_file::{Origins, ShownStore};
use crate::{data, interfaces, members_file, sockets, store_file};

/// What concerns the whole program is logged under its name.
const LOG: &str = "servent";

/// Reads the data and whom it knew, and listens. Nobody is served before the loop that comes of it runs.
pub(crate) fn start(options: &Options, signals: Signals) -> anyhow::Result<(Server, SocketAddr)> {
    let store = data::load(&options.data)?;
    let known = options.members.as_deref().map(members_file::load).transpose()?.unwrap_or_default();
    let kept = options.store.as_deref().map(store_file::open).transpose()?;
    let share = SharedDirectory::open(options)?;
    let listen = sockets::resolve_one(&options.listen)?;
    let advertise = options.advertise.as_ref().map(sockets::resolve_one).transpose()?.map(canonical);
    let neighbors = options.neighbors.iter().map(|name| sockets::neighbor(name)).collect::<Result<Vec<_>, _>>()?;
    // Before anybody can connect and wait for a hello: it may take its time.
    let mut advertised = advertised(advertise, listen, &neighbors)?;
    let listener = sockets::listen(listen)?;
    let address = listener.local_addr().context("cannot tell the address listened on")?;
    if advertise.is_none() {
        advertised.set_port(address.port());
        if address.ip().is_unspecified() {
            log::info!(target: LOG, "going by {advertised}; --advertise names another address");
        }
    }
    let config = Config {
        advertised,
        servent_id: ServentId(u128::from_ne_bytes(random_bytes()?)),
        name: options.name.clone(),
        secret: Secret::new(random_bytes()?),
        ttl: options.ttl,
        forward_once: options.forward_once,
        neighbors,
        answer_networks: answer_networks(options),
        members: true,
        known,
        keeps_members: options.members.is_some(),
        events: options.events.is_some(),
        shares: share.is_some(),
        shared_with: options.share_to.iter().map(IpNet::trunc).collect(),
        share_bytes_per_second: options.share_rate,
        written: kept.as_ref().map(|kept| Arc::clone(&kept.written)),
        is_read_only: kept.as_ref().is_some_and(|kept| kept.is_read_only),
        published_only: options.published_only,
    };
    if let Some(name) = &options.name {
        log::info!(target: LOG, "called {name}, at {advertised}");
    }
    let events = options.events.as_ref();
    let events = events.map(|path| EventsFile::open(path, advertised, config.servent_id)).transpose()?;
    if options.answer_networks().is_some() {
        sockets::share_port(&listener).context("cannot share the port listened on with answers")?;
    }
    let origins = kept.as_ref().map(|kept| Origins::of(&store, &kept.written));
    let keys_count = store.len();
    if let Some(share) = &share {
        share.announce_rules(options);
    }
    let files = Files {
        data: options.data.clone(),
        members: options.members.clone().map(|path| MembersFile { path, own: advertised }),
        share: share.map(Arc::new),
        store: kept.map(|kept| kept.file),
    };
    let server = Server::new(listener, &config, Arc::new(store), options, signals, events, files)?;
    match origins.zip(options.store.as_deref()) {
        Some((origins, path)) => {
            store_file::announce(&options.data, path, &origins);
            if let Some(why) = store_file::why_nobody_writes(address) {
                log::warn!(target: LOG, "nobody can write to {}: {why}", ShownStore(path));
            }
        }
        None => data::announce(&options.data, keys_count),
    }
    Ok((server, address))
}

/// Where clients may be that get each answer alone; nowhere unless a dialect that has such clients is asked for.
pub(crate) fn answer_networks(options: &Options) -> Vec<IpNet> {
    let Some(named) = options.answer_networks() else { return Vec::new() };
    let mut networks: Vec<IpNet> = [&interfaces::own_networks(), named].concat().iter().map(IpNet::trunc).collect();
    networks.sort_unstable();
    networks.dedup();
    networks
}

fn random_bytes<const COUNT: usize>() -> anyhow::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
    Ok(bytes)
}
