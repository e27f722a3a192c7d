//! Whether an overlay of real processes does what its declared graph says it must.
//!
//! It asks through the client library, compares with `expected`, and writes a transcript a person can follow. It finds
//! nothing out by itself: what must come of a query is known before it is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use client::{Ask, EndReason, Ending, Question, Tally};
use common::counted::counted;
use common::limits::{SILENCE_DEFAULT, TTL_MAX};
use common::servent_name::ServentName;
use common::store::Store;
use drawing::{Discovery, DrawnOverlay};
use servent::options::DataSource;

use crate::asking::{self, Asked, GivenAnswer};
use crate::declared::Topology;
use crate::expected::Expected;
use crate::fleet::Fleet;
use crate::logs::Logs;
use crate::reach::{horizon, who_cuts};

/// How long answers are waited for where nobody tells that there are no more.
const SILENCES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// How an overlay is brought up, with what the servents log kept where that is wanted.
pub type BringUp<'a> = &'a dyn Fn(&Topology, Option<&Logs>) -> anyhow::Result<Fleet>;

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedOverlay {
    /// How many differences there were, in all that was asked.
    pub differences: usize,
    /// What is declared within reach of the query for the topology and what that found, as one overlay: new is what was found
    /// and is not declared, gone what is declared and was not found.
    pub drawn: DrawnOverlay,
}

/// Brings a topology up at `ip`, asks, compares, takes it down. What is drawn is the first round, as declared; the transcript
/// goes to `out`, and what the servents log to `logs`, where that is wanted.
pub fn check(
    topology: &Topology,
    ip: Ipv4Addr,
    logs: Option<&Logs>,
    bring_up: BringUp<'_>,
    out: &mut dyn Write,
) -> anyhow::Result<CheckedOverlay> {
    refuse_uneven_ttl(topology)?;
    let as_declared = topology.clone().moved_to(ip);
    let mut checked = check_round(&as_declared, "as declared", logs, bring_up, out)?;
    let servents = topology.servents.len();
    let expected = Expected::new(&as_declared, 0);
    if expected.exact || !expected.told {
        return Ok(checked);
    }
    if servents > usize::from(TTL_MAX) + 1 {
        writeln!(out, "\nwith {servents} servents no TTL leaves room for every way: no round of exact counts")?;
        return Ok(checked);
    }
    let mut once = as_declared;
    for declared in &mut once.servents {
        declared.options.forward_once = true;
        declared.options.ttl = TTL_MAX;
    }
    writeln!(out)?;
    let how = format!("with --forward-once --ttl {TTL_MAX}");
    checked.differences += check_round(&once, &how, logs, bring_up, out)?.differences;
    Ok(checked)
}

fn refuse_uneven_ttl(topology: &Topology) -> anyhow::Result<()> {
    if let Some(declared) = who_cuts(topology) {
        let ttl = topology.servents[0].options.ttl;
        bail!("{} would cut the TTL of {ttl} a query starts with: give it --ttl {ttl} too", declared.address());
    }
    Ok(())
}

fn check_round(
    topology: &Topology,
    how: &str,
    logs: Option<&Logs>,
    bring_up: BringUp<'_>,
    out: &mut dyn Write,
) -> anyhow::Result<CheckedOverlay> {
    writeln!(
        out,
        "{}: {}, {}, {how}; a query enters at {}",
        topology.name,
        counted(topology.servents.len(), "servent"),
        counted(topology.links().len(), "link"),
        topology.servents[0].address(),
    )?;
    if let Some(horizon) = horizon(topology) {
        writeln!(out, "  {horizon}")?;
    }
    let fleet = bring_up(topology, logs)?;
    let checked = compare(topology, out)?;
    fleet.end()?;
    Ok(checked)
}

/// Asks an overlay that is up and compares it with what is declared.
pub fn compare(topology: &Topology, out: &mut dyn Write) -> anyhow::Result<CheckedOverlay> {
    let expected = Expected::new(topology, 0);
    let mut round = Round { topology, expected, data: load_data(topology)?, out, differences: 0 };
    round.ask_for_keys()?;
    let drawn = round.ask_for_topology()?;
    Ok(CheckedOverlay { differences: round.differences, drawn })
}

struct Round<'a> {
    topology: &'a Topology,
    expected: Expected,
    data: Vec<Store>,
    out: &'a mut dyn Write,
    differences: usize,
}

/// What is asked for, and why.
struct KeyToAsk {
    key: String,
    why: String,
}

impl Round<'_> {
    fn ask_for_keys(&mut self) -> anyhow::Result<()> {
        for question in self.questions() {
            let within = |place: &usize| self.expected.demanded.reaches(*place);
            let wanted_count = self.holders(&question.key).iter().filter(|place| within(place)).count();
            let command = format!("? {}", question.key);
            let asked = self.ask(&command, &asking::key(&question.key)?, &question.why, wanted_count)?;
            for answer in &asked.answers {
                let value = answer.value.as_deref().unwrap_or("(bytes that are no text)");
                writeln!(self.out, "      {value} {}", answer.from)?;
            }
            let holders = self.holders(&question.key);
            let within = |place: &usize| self.expected.demanded.reaches(*place);
            let addresses = self.topology.addresses();
            let mut wanted: Vec<(SocketAddr, Option<String>)> = holders
                .into_iter()
                .filter(within)
                .map(|place| (addresses[place], self.value(place, &question.key)))
                .collect();
            let mut found: Vec<(SocketAddr, Option<String>)> =
                asked.answers.iter().map(|answer| (answer.from, answer.value.clone())).collect();
            wanted.sort();
            found.sort();
            self.compare("answers", &found, &wanted)?;
            self.compare_ending(&asked, wanted.len())?;
        }
        Ok(())
    }

    fn ask_for_topology(&mut self) -> anyhow::Result<DrawnOverlay> {
        let reached = usize::try_from(self.expected.demanded.reached)?;
        let asked = self.ask("T", &Question::new(Ask::Topology), "every servent's place", reached)?;
        let addresses = self.topology.addresses();
        let mut found_links = BTreeSet::new();
        let mut answered = BTreeSet::new();
        let mut discovery = Discovery::at(addresses[0]);
        for answer in &asked.answers {
            let path: Vec<String> = answer.path.iter().map(ToString::to_string).collect();
            writeln!(self.out, "      {} {}", path.join(" "), answer.from)?;
            answered.insert(answer.from);
            found_links.extend(answer.neighbors.iter().map(|neighbor| sorted(answer.from, *neighbor)));
            self.compare_path(answer, &addresses)?;
            // Where some speak TP3 paths alone are compared: they do not name neighbors.
            let neighbors = self.expected.told.then_some(answer.neighbors.as_slice());
            let name = answer.name.as_ref().map(ServentName::as_str);
            discovery.add(answer.from, name, &answer.path, neighbors);
        }
        let within = |place: &usize| self.expected.demanded.reaches(*place);
        let wanted: BTreeSet<SocketAddr> = (0..addresses.len()).filter(within).map(|place| addresses[place]).collect();
        let links = self.topology.links().into_iter().filter(|(one, other)| within(one) || within(other));
        let wanted_links: BTreeSet<_> = links.map(|(one, other)| sorted(addresses[one], addresses[other])).collect();
        self.compare("servents that answered", &answered, &wanted)?;
        if self.expected.told {
            self.compare("links discovered", &found_links, &wanted_links)?;
        }
        self.compare_ending(&asked, wanted.len())?;
        let contact = addresses[0];
        // The contact was there to ask it.
        let declared_name = |address: SocketAddr| {
            let place = addresses.iter().position(|known| *known == address)?;
            self.topology.servents[place].options.name.as_ref().map(|name| name.as_str().to_owned())
        };
        let alone = || DrawnOverlay::declared(contact, &[(contact, declared_name(contact))], &[]);
        let found = discovery.overlay().unwrap_or_else(alone);
        let is_drawn = |address| found.servents().iter().any(|servent| servent.address == address);
        let declared_links: Vec<(SocketAddr, SocketAddr)> = wanted_links
            .into_iter()
            .filter(|link| {
                // Neither is a difference: what nobody has words for, and what was told of and left out of the picture.
                let (is_found, is_whole) = (found_links.contains(link), is_drawn(link.0) && is_drawn(link.1));
                if self.expected.told { is_whole || !is_found } else { found.has_link(link.0, link.1) }
            })
            .collect();
        let ends = declared_links.iter().flat_map(|(one, other)| [*one, *other]);
        let declared_servents: BTreeSet<SocketAddr> = wanted.into_iter().chain(ends).collect();
        let declared_servents: Vec<_> =
            declared_servents.into_iter().map(|address| (address, declared_name(address))).collect();
        Ok(found.since(&DrawnOverlay::declared(contact, &declared_servents, &declared_links)))
    }

    fn ask(&mut self, command: &str, question: &Question, why: &str, wanted_count: usize) -> anyhow::Result<Asked> {
        writeln!(self.out, "  {command:<24} {why}")?;
        let contact = self.topology.servents[0].listen;
        let mut asked = None;
        // Where nobody tells that a query is over, its end is a silence. One that was too short for a machine with
        // much else to do is followed by a longer one.
        let silences = if self.expected.told { &[SILENCE_DEFAULT][..] } else { &SILENCES };
        for silence_max in silences {
            let last = Asked::at(contact, Question { silence_max: *silence_max, ..question.clone() })?;
            let is_enough = last.answers.len() >= wanted_count;
            asked = Some(last);
            if is_enough {
                break;
            }
        }
        let asked = asked.context("nothing was asked")?;
        self.compare("what was not expected", &asked.surprises, &Vec::new())?;
        Ok(asked)
    }

    /// A path must lead from the contact to the answering servent over declared links.
    fn compare_path(&mut self, answer: &GivenAnswer, addresses: &[SocketAddr]) -> anyhow::Result<()> {
        let place = |address: &SocketAddr| addresses.iter().position(|known| known == address);
        let is_link = |pair: &[SocketAddr]| {
            let [one, other] = pair else { return false };
            place(one)
                .zip(place(other))
                .is_some_and(|(one, other)| self.topology.servents[one].neighbors.contains(&other))
        };
        let leads = answer.path.first() == addresses.first()
            && answer.path.last() == Some(&answer.from)
            && answer.path.windows(2).all(is_link)
            && answer.hops.is_some_and(|hops| usize::from(hops) + 1 == answer.path.len());
        self.compare("path over declared links", &leads, &true)
    }

    fn compare_ending(&mut self, asked: &Asked, answers: usize) -> anyhow::Result<()> {
        let Ending { reason, tally, elapsed, .. } = &asked.ending;
        let Tally { reached, copies, duplicates, stopped, lost, silent, .. } = *tally;
        let counted_answers = asked.ending.answers;
        let silently = if silent > 0 { format!(", silent {silent}") } else { String::new() };
        writeln!(
            self.out,
            "      answers {counted_answers}, reached {reached}, copies {copies}, duplicates {duplicates}, \
             stopped {stopped}{silently}: {} after {} ms",
            reason.word(),
            // To the microsecond: what lies below is noise.
            (elapsed.as_secs_f64() * 1e6).round() / 1e3
        )?;
        self.compare("answers counted", &counted_answers, &(answers as u64))?;
        if !self.expected.told {
            self.compare("how it ended", reason, &EndReason::Silence)?;
            self.compare("lost", &lost, &0)?;
            return self.compare("some neighbor that cannot report", &(silent > 0), &true);
        }
        self.compare("how it ended", reason, &EndReason::Complete)?;
        self.compare("reached", &reached, &self.expected.demanded.reached.clone())?;
        self.compare("stopped", &stopped, &i64::try_from(self.expected.demanded.stopped)?)?;
        self.compare("lost", &lost, &0)?;
        self.compare("silent", &silent, &0)?;
        if self.expected.exact {
            self.compare("copies", &copies, &self.expected.demanded.copies.clone())?;
            self.compare("duplicates", &duplicates, &self.expected.demanded.duplicates.clone())
        } else {
            // A copy that overtakes a shorter way makes others more; nothing makes them fewer.
            let enough = copies >= self.expected.demanded.copies && duplicates < copies;
            let what = format!(
                "{} or more, the rest of them duplicates or further-going",
                counted(self.expected.demanded.copies, "copy")
            );
            self.compare(&what, &enough, &true)
        }
    }

    fn compare<Found: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        found: &Found,
        wanted: &Found,
    ) -> anyhow::Result<()> {
        if found != wanted {
            self.differences += 1;
            writeln!(self.out, "    DIFFERS {what}: {found:?}, where {wanted:?} is declared")?;
        }
        Ok(())
    }

    /// A key of each kind there is: of one servent, of several, of none in reach, of none at all.
    fn questions(&self) -> Vec<KeyToAsk> {
        let mut holders: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, store) in self.data.iter().enumerate() {
            for key in store.keys() {
                if let Ok(key) = std::str::from_utf8(key) {
                    holders.entry(key.to_owned()).or_default().push(place);
                }
            }
        }
        let within = |place: &&usize| self.expected.demanded.reaches(**place);
        let reachable = |places: &Vec<usize>| places.iter().filter(within).count();
        let mut questions = Vec::new();
        let mut pick = |why: &dyn Display, kind: &dyn Fn(usize, usize) -> bool| {
            // The farthest holder makes the hardest question.
            let farthest =
                |places: &Vec<usize>| places.iter().filter_map(|place| self.expected.demanded.distance(*place)).max();
            let fitting = holders.iter().filter(|(_, places)| kind(reachable(places), places.len()));
            if let Some((key, _)) = fitting.max_by_key(|(_, places)| (reachable(places), farthest(places))) {
                questions.push(KeyToAsk { key: key.clone(), why: why.to_string() });
            }
        };
        pick(&"held by one", &|reachable, all| reachable == 1 && all == 1);
        pick(&"held by several", &|reachable, all| reachable > 1 && all < self.data.len());
        pick(&"held by all", &|_, all| all == self.data.len());
        pick(&"held by one out of reach of the TTL", &|reachable, _| reachable == 0);
        let mut nobodys = "unicorn".to_owned();
        while holders.contains_key(&nobodys) {
            nobodys.push('n');
        }
        questions.push(KeyToAsk { key: nobodys, why: "held by none".to_owned() });
        questions
    }

    fn holders(&self, key: &str) -> Vec<usize> {
        (0..self.data.len()).filter(|place| self.data[*place].get(key.as_bytes()).is_some()).collect()
    }

    fn value(&self, place: usize, key: &str) -> Option<String> {
        let value = self.data[place].get(key.as_bytes())?;
        String::from_utf8(value.to_vec()).ok()
    }
}

/// What each servent serves, read by the same rules but not by the same process.
pub(crate) fn load_data(topology: &Topology) -> anyhow::Result<Vec<Store>> {
    let load = |source: &DataSource| match source {
        DataSource::None => Ok(Store::default()),
        DataSource::File(path) => {
            let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            Ok(Store::parse(bytes)?.0)
        }
    };
    topology.servents.iter().map(|declared| load(&declared.options.data)).collect()
}

fn sorted(one: SocketAddr, other: SocketAddr) -> (SocketAddr, SocketAddr) {
    if one < other { (one, other) } else { (other, one) }
}

/// Says how a check came out, and whether well.
pub fn verdict(topology: &Topology, differences: usize, out: &mut dyn Write) -> io::Result<bool> {
    match differences {
        0 => writeln!(out, "\n{}: as declared", topology.name)?,
        _ => writeln!(out, "\n{}: {}", topology.name, counted(differences, "difference"))?,
    }
    Ok(differences == 0)
}
