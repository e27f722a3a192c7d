//! The servent program: its command line, its log, its signals, and the line that says where it listens.
//!
//! What a servent is started of is `start`, the loop itself `server`.

use std::fmt::Write;
use std::io::{self, BufWriter};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;

use anyhow::Context;
use common::address::canonical;
use common::counted::{counted, grouped};
use common::dialect::{Bringing, Dialect};
use rustix::stdio::stdout;

use crate::advertised::advertised;
use crate::events_file::EventsFile;
use crate::options::Options;
use crate::signals::Signals;
use crate::start::{answer_networks, start};
use crate::store_file::Origins;
use crate::{data, logging, members_file, output, parent, patient, share, sockets, store_file};

/// What concerns the whole program is logged under its name.
const LOG: &str = "servent";

/// Runs the servent program with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    // Before anything that takes time: until then a signal kills. A check that is ended is not one that passed.
    let is_check = std::env::args_os().any(|word| word == "--check");
    let signals = Signals::hear(i32::from(is_check)).context("cannot watch for signals");
    let options = Options::read();
    let log = logging::start(options.verbosity.level(), |_| {});
    let result = signals.and_then(|signals| run(&options, signals));
    if let Err(error) = &result {
        log.say(&format!("servent: {error:#}"));
    }
    log.finish();
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(options: &Options, signals: Signals) -> anyhow::Result<()> {
    options.with_parent.map_or(Ok(()), parent::end_with)?;
    if let Some(path) = &options.export {
        return store_file::export(path, &mut BufWriter::new(patient::stdout()));
    }
    if options.check {
        return check(options);
    }
    let (server, listening) = start(options, signals)?;
    announce(listening).context("cannot say on stdout what address is listened on")?;
    server.run()
}

/// Reads and looks up what a servent would, and prints what it would serve.
fn check(options: &Options) -> anyhow::Result<()> {
    let store = data::load(&options.data)?;
    let known = options.members.as_deref().map(members_file::load).transpose()?;
    let events = options.events.as_deref().map(EventsFile::look_at).transpose()?;
    let kept = options.store.as_deref().map(store_file::look_at).transpose()?;
    let kept = kept.map(|(written, said)| (Origins::of(&store, &written), said));
    let shared = share::look_at(options)?;
    let listen = sockets::resolve_one(&options.listen)?;
    let advertise = options.advertise.as_ref().map(sockets::resolve_one).transpose()?.map(canonical);
    // A servent waits for a name that means nothing yet; whoever asks is told.
    let neighbors = options.neighbors.iter().map(|name| sockets::resolve(name)).collect::<Result<Vec<_>, _>>()?;
    let advertised = advertised(advertise, listen, &neighbors)?;
    let mut files = Vec::new();
    if let Some((origins, said)) = kept {
        files.extend([("store", said), ("serving", origins.to_string())]);
        files.extend(store_file::why_nobody_writes(listen).map(|why| ("writers", format!("nobody: {why}"))));
    }
    files.extend(known.map(|known| ("members", format!("{} known from before", counted(known.len(), "member")))));
    files.extend(events.map(|events| ("events", events)));
    files.extend(shared);
    print_check(options, listen, advertised, &store, &files)
}

/// The one line on stdout: whoever started us waits for it. Where nobody reads it, nobody else waits.
fn announce(listening: SocketAddr) -> io::Result<()> {
    let line = format!("listening on {listening}\n");
    if output::has_room(stdout()) {
        return output::write_all(stdout(), line.as_bytes());
    }
    let announce =
        move || output::write_all(stdout(), line.as_bytes()).unwrap_or_else(|error| log::warn!(target: LOG, "{error}"));
    thread::Builder::new().name("stdout".to_owned()).spawn(announce).map(drop)
}

fn print_check(
    options: &Options,
    listen: SocketAddr,
    advertised: SocketAddr,
    store: &common::store::Store,
    files: &[(&str, String)],
) -> anyhow::Result<()> {
    let neighbors = if options.neighbors.is_empty() { "none".to_owned() } else { options.neighbors.join(" ") };
    let forward = if options.forward_once { "once" } else { "again when a copy may go further" };
    let mut page = String::new();
    writeln!(page, "listen     {listen}")?;
    writeln!(page, "advertise  {advertised}")?;
    if let Some(name) = &options.name {
        writeln!(page, "name       {name}")?;
    }
    writeln!(
        page,
        "data       {}: {} ({} repeated), {} held",
        options.data,
        counted(store.len(), "key"),
        grouped(store.repeated_count()),
        counted(store.bytes_count(), "byte")
    )?;
    for (name, said) in files {
        writeln!(page, "{name:<11}{said}")?;
    }
    writeln!(page, "neighbors  {neighbors}")?;
    writeln!(page, "ttl        {}", options.ttl)?;
    for manners in options.dialects().each().filter(|dialect| *dialect != Dialect::OWN).map(Dialect::manners) {
        write!(page, "{:<11}spoken too", manners.option.trim_start_matches('-'))?;
        if manners.answers != Bringing::Kept {
            let networks: Vec<String> = answer_networks(options).iter().map(ToString::to_string).collect();
            write!(page, ", with clients in {}", networks.join(" "))?;
        }
        writeln!(page)?;
    }
    writeln!(page, "pass on    {forward}")?;
    match output::write_all(stdout(), page.as_bytes()) {
        // Whoever reads no further has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot say on stdout what would be served"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use ipnet::IpNet;

    #[test]
    fn a_network_of_tp3_clients_is_told_once() {
        let read = |line: &str| answer_networks(&Options::try_parse_from(line.split(' ')).unwrap());
        assert_eq!(read("servent 9000 -"), []);
        let networks = read("servent 9000 - --tp3 --tp3-answers 127.0.0.7/8 --tp3-answers 10.9.8.7/8");
        assert!(networks.iter().all(|network| *network == network.trunc()), "{networks:?}");
        for network in ["127.0.0.0/8", "10.0.0.0/8"] {
            let found = networks.iter().filter(|found| **found == network.parse::<IpNet>().unwrap());
            assert_eq!(found.count(), 1, "{networks:?}");
        }
    }
}
