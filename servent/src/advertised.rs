//! The address a servent goes by: what others are told, and what its answers are known by.
//!
//! Listening on one address it is that one. Listening on all, it has to be one of this machine's that others can
//! connect to, so it is chosen by who they are: the system says which it would use towards each neighbor. For that alone
//! neighbors told by their names are looked up before anybody can connect, all at once, for as long as one name is waited
//! for and no longer. The choice itself asks nobody.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use anyhow::{Context, bail};
use common::address::{Neighbor, canonical};
use common::counted::{counted, lasted};
use common::disk::{Job, JobDone};
use common::limits::LOOK_UP_WAIT_MAX;

use crate::disk::Disk;
use crate::poller::Poller;
use crate::{interfaces, jobs};

/// The address to go by: the one that was named, else the one to listen on, else one that others can reach.
pub(crate) fn advertised(
    named: Option<SocketAddr>,
    listen: SocketAddr,
    neighbors: &[Neighbor],
) -> anyhow::Result<SocketAddr> {
    if let Some(named) = named {
        return Ok(named);
    }
    if !listen.ip().is_unspecified() {
        // An interface of this machine means nothing on another.
        return Ok(canonical(listen));
    }
    let reachable = |address: &SocketAddr| address.is_ipv4() || listen.is_ipv6();
    let mut look_ups = LookUps::new(neighbors)?;
    let mut towards_neighbors = Vec::new();
    let mut unknown_count = 0;
    for number in 0..neighbors.len() {
        let Some(addresses) = look_ups.of(number)? else {
            unknown_count += 1;
            continue;
        };
        let mut sources =
            addresses.iter().filter(|address| reachable(address)).filter_map(|to| interfaces::source_towards(*to));
        let Some(source) = sources.next() else { continue };
        towards_neighbors.push(source);
        if is_of_others(source) && !is_of_one_link(source) {
            // It will be chosen: no further name is waited for.
            break;
        }
    }
    if unknown_count > 0 {
        let (unknown, wait) = (counted(unknown_count, "neighbor"), lasted(LOOK_UP_WAIT_MAX));
        log::warn!("{unknown} not found by name within {wait}: the address to go by is chosen without");
    }
    let known = Known { towards_neighbors, outward: interfaces::outward_ips(), own: interfaces::own_ips() };
    Ok(SocketAddr::new(known.choose(listen.is_ipv6())?, listen.port()))
}

/// Where neighbors are, as far as that can be told in time.
struct LookUps<'n> {
    neighbors: &'n [Neighbor],
    /// None while it is looked up.
    addresses: Vec<Option<Vec<SocketAddr>>>,
    /// Until when names are waited for, once they are looked up: where an address that is written as one decides, none is.
    until: Option<Instant>,
    poller: Poller,
    disk: Disk,
}

impl LookUps<'_> {
    fn new(neighbors: &[Neighbor]) -> anyhow::Result<LookUps<'_>> {
        let poller = Poller::new().context("cannot make a poller")?;
        let disk = Disk::new(&poller.waker(), |job, _| match job {
            Job::LookUp { neighbor, name } => Some(jobs::look_up(neighbor, &name)),
            job => job.failed("only names are looked up here"),
        });
        let known = |neighbor: &Neighbor| Some(neighbor.addresses.clone()).filter(|known| !known.is_empty());
        let addresses = neighbors.iter().map(known).collect();
        Ok(LookUps { neighbors, addresses, until: None, poller, disk })
    }

    /// Has all of them looked up whose addresses are not known, and says until when they are waited for.
    fn ask(&mut self) -> Instant {
        for (number, neighbor) in self.neighbors.iter().enumerate() {
            if neighbor.addresses.is_empty() {
                let refused = self.disk.put(Job::LookUp { neighbor: number, name: neighbor.name.clone() });
                self.note(refused);
            }
        }
        Instant::now() + LOOK_UP_WAIT_MAX
    }

    fn note(&mut self, done: Option<JobDone>) {
        if let Some(JobDone::LookedUp { neighbor, addresses }) = done
            && let Some(place) = self.addresses.get_mut(neighbor)
        {
            // Of whoever means nothing yet the mind tells, which goes on asking.
            *place = Some(addresses.unwrap_or_default());
        }
    }

    /// Where one of them is; waits for it while there is time, and is None after that.
    fn of(&mut self, number: usize) -> anyhow::Result<Option<Vec<SocketAddr>>> {
        loop {
            while let Some(done) = self.disk.take() {
                self.note(Some(done));
            }
            let found = self.addresses.get_mut(number).and_then(Option::take);
            if found.is_some() {
                return Ok(found);
            }
            let until = match self.until {
                Some(until) => until,
                None => self.ask(),
            };
            self.until = Some(until);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.poller.wait(Some(left), &mut Vec::new()).context("cannot wait for names")?;
        }
    }
}

/// What the system says of this machine's addresses.
#[derive(Debug, Default)]
struct Known {
    /// Those it would use towards the neighbors, in the order in which these were named.
    towards_neighbors: Vec<IpAddr>,
    /// Those it would use towards the rest of the world, one of each family at most.
    outward: Vec<IpAddr>,
    /// All that are in use.
    own: Vec<IpAddr>,
}

impl Known {
    /// The first of these that others can use: the one towards a neighbor on another machine, the one towards the rest
    /// of the world, the only one there is. IPv4 alone can be reached unless IPv6 is listened on too.
    fn choose(&self, listens_on_ipv6: bool) -> anyhow::Result<IpAddr> {
        let of = |ips: &[IpAddr]| -> Vec<IpAddr> {
            let mut found: Vec<IpAddr> = Vec::new();
            for ip in ips.iter().map(IpAddr::to_canonical).filter(|ip| ip.is_ipv4() || listens_on_ipv6) {
                if is_of_others(ip) && !found.contains(&ip) {
                    found.push(ip);
                }
            }
            found
        };
        let own = of(&self.own);
        let known = [of(&self.towards_neighbors), of(&self.outward)].concat();
        if let Some(ip) = known.iter().find(|ip| !is_of_one_link(**ip)) {
            return Ok(*ip);
        }
        // An address of one link only is the last to be told to others: which link it is they cannot know.
        let (of_one_link, everywhere): (Vec<IpAddr>, Vec<IpAddr>) = own.into_iter().partition(|ip| is_of_one_link(*ip));
        let candidates = [everywhere, known, of_one_link].into_iter().find(|ips| !ips.is_empty());
        match candidates.unwrap_or_default().as_slice() {
            [ip] => Ok(*ip),
            [] => bail!(
                "listening on every address, and this machine has none that others can reach: name one with --advertise"
            ),
            ips => {
                let names: Vec<String> = ips.iter().map(ToString::to_string).collect();
                bail!(
                    "listening on every address, and others could be told any of {}: name one with --advertise",
                    names.join(", ")
                )
            }
        }
    }
}

/// Whether it means this machine to others too.
fn is_of_others(ip: IpAddr) -> bool {
    !ip.is_loopback() && !ip.is_unspecified()
}

fn is_of_one_link(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_address_is_one_that_others_can_reach() {
        type Row<'a> = (&'a [&'a str], &'a [&'a str], &'a [&'a str], bool, &'a str);
        #[rustfmt::skip]
        let rows: &[Row] = &[
            // towards neighbors, outward, own, listening on IPv6 too, expected
            (&[], &["192.0.2.7"], &["192.0.2.7", "10.0.0.7"], false, "192.0.2.7"),
            (&["10.0.0.7"], &["192.0.2.7"], &["192.0.2.7", "10.0.0.7"], false, "10.0.0.7"),
            (&["127.0.0.1", "10.0.0.7"], &["192.0.2.7"], &["192.0.2.7"], false, "10.0.0.7"),
            (&["127.0.0.1"], &["192.0.2.7"], &["192.0.2.7"], false, "192.0.2.7"),
            // A LAN without a way out.
            (&[], &[], &["10.0.0.7"], false, "10.0.0.7"),
            (&[], &[], &["10.0.0.7", "10.0.0.7", "fe80::7", "127.0.0.2"], true, "10.0.0.7"),
            (&[], &[], &["10.0.0.7", "10.0.1.7"], false, "10.0.0.7, 10.0.1.7: name one"),
            (&[], &[], &["10.0.0.7", "2001:db8::7"], true, "10.0.0.7, 2001:db8::7: name one"),
            (&[], &[], &["10.0.0.7", "2001:db8::7"], false, "10.0.0.7"),
            // A neighbor in IPv6 cannot be told an IPv4 address.
            (&["2001:db8::7"], &["192.0.2.7", "2001:db8::7"], &["192.0.2.7", "2001:db8::7"], true, "2001:db8::7"),
            (&["2001:db8::7"], &["192.0.2.7"], &["192.0.2.7", "2001:db8::7"], false, "192.0.2.7"),
            (&[], &["2001:db8::7"], &["10.0.0.7", "2001:db8::7"], false, "10.0.0.7"),
            (&["::ffff:10.0.0.7"], &[], &[], true, "10.0.0.7"),
            // Addresses of one link are told to others where there is nothing else.
            (&["fe80::7"], &["192.0.2.7"], &["192.0.2.7", "fe80::7"], true, "192.0.2.7"),
            (&["fe80::7"], &[], &["10.0.0.7", "fe80::7", "fe80::8"], true, "10.0.0.7"),
            (&["fe80::7"], &[], &["fe80::7", "fe80::8"], true, "fe80::7"),
            (&[], &[], &["169.254.0.7"], false, "169.254.0.7"),
            (&[], &[], &["fe80::7", "fe80::8"], true, "fe80::7, fe80::8: name one"),
            (&[], &[], &["fe80::7"], false, "none that others can reach"),
            (&["127.0.0.1"], &[], &[], false, "none that others can reach"),
            (&["::1"], &["::"], &["::1"], true, "none that others can reach"),
        ];
        for (towards_neighbors, outward, own, listens_on_ipv6, expected) in rows {
            let known = Known { towards_neighbors: ips(towards_neighbors), outward: ips(outward), own: ips(own) };
            match known.choose(*listens_on_ipv6) {
                Ok(ip) => assert_eq!(ip.to_string(), *expected, "{known:?}"),
                Err(error) => assert!(error.to_string().contains(expected), "{known:?}: {error}"),
            }
        }
    }

    #[test]
    fn what_was_named_or_is_listened_on_is_what_it_goes_by() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let go_by = |named, listen| advertised(named, address(listen), &[]).unwrap().to_string();
        assert_eq!(go_by(Some(address("192.0.2.7:1")), "0.0.0.0:9000"), "192.0.2.7:1");
        assert_eq!(go_by(None, "127.0.0.1:9000"), "127.0.0.1:9000");
        assert_eq!(go_by(None, "[fe80::7%3]:9000"), "[fe80::7]:9000");
    }
}
