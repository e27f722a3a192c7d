//! Some servents and a client between whom bytes go without sockets, and what one of them is told meanwhile.
//!
//! All bytes are what the minds and the wire of this build make, so there is nothing here of how a message looks. It
//! judges nothing but that every query was answered: a figure of something that went wrong is none.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use common::address::Neighbor;
use common::dialect::Dialect;
use common::exchange::{Heard, Outside, READ_BYTES};
use common::limits::NEIGHBOR_BEAT;
use common::link::LinkId;
use common::message::{Message, ServentId};
use common::overlay::Config;
use common::session::{EndReason, Question, Report};
use common::time::Time;

use super::player::{PlayEvent, Player};

/// The key that is asked for.
const KEY: &str = "coffee";
/// What there is of it.
const VALUE: &str = "espresso: about 9 bar for half a minute";
/// How long links take to stand, with time to spare.
const SETTLING: Duration = Duration::from_secs(10);
/// The steps of that.
const SETTLING_STEP: Duration = Duration::from_millis(100);
/// Between two queries. Long enough that those before the count take longer than anything is remembered.
const QUERY_EVERY: Duration = Duration::from_millis(40);
/// More turns than this for one batch of queries are a circle.
const TURNS_MAX: usize = 100_000;
const ANSWER_PORT: u16 = 9990;

/// Who is linked with whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EnsembleShape {
    /// Three in a row.
    Chain,
    /// The same, where each keeps what is written to it.
    ChainThatKeeps,
    /// Three who know each other.
    Triangle,
}

impl EnsembleShape {
    /// Whom each servent dials.
    fn dials(self) -> [&'static [usize]; SERVENTS] {
        match self {
            EnsembleShape::Chain | EnsembleShape::ChainThatKeeps => [&[1], &[2], &[]],
            EnsembleShape::Triangle => [&[1, 2], &[2], &[]],
        }
    }
}

/// How many there are. The client's contact is the first, and the last has the key.
const SERVENTS: usize = 3;
/// The place of the contact.
pub(super) const CONTACT: usize = 0;
/// That of the one behind it.
pub(super) const RELAY: usize = 1;
/// That of the one behind that, which has the key.
pub(super) const HOLDER: usize = SERVENTS - 1;
/// That of the client, behind all servents.
pub(super) const CLIENT: usize = SERVENTS;

/// One turn of one of them: what it was told, what it heard thereby, and what it said.
#[derive(Clone, Debug)]
pub(super) struct PlayedTurn {
    pub(super) now: Time,
    pub(super) event: PlayEvent,
    pub(super) heard: Vec<(LinkId, Heard)>,
    pub(super) said: Vec<Message>,
    /// How many queries had been asked by then: none while the links came to stand.
    pub(super) asked: usize,
}

/// What one of them was told from its first moment on.
#[derive(Clone, Debug)]
pub(super) struct Part {
    shape: EnsembleShape,
    place: usize,
    warm_up: usize,
    pub(super) turns: Vec<PlayedTurn>,
    /// What was written in all of them.
    pub(super) bytes_count: u64,
}

impl Part {
    /// Plays so many queries after some to warm up, so many in flight at a time, and keeps the part of one.
    pub(super) fn record(
        shape: EnsembleShape,
        place: usize,
        warm_up: usize,
        queries: usize,
        in_flight: usize,
    ) -> anyhow::Result<Part> {
        let mut ensemble = Ensemble::new(shape, place)?;
        ensemble.settle()?;
        for _ in 0..(warm_up + queries).div_ceil(in_flight) {
            ensemble.ask(in_flight)?;
        }
        let bytes_count = ensemble.players[place].wires.bytes_count;
        Ok(Part { shape, place, warm_up, turns: ensemble.turns, bytes_count })
    }

    /// Whether a turn comes after all that warms up.
    pub(super) fn is_counted(&self, turn: &PlayedTurn) -> bool {
        turn.asked > self.warm_up
    }

    /// Whose part it is, as it was in its first moment.
    pub(super) fn player(&self) -> anyhow::Result<Player> {
        player(self.shape, self.place)
    }
}

fn servent_address(place: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, u8::try_from(place + 1).unwrap_or(u8::MAX)], 9000))
}

fn client_address() -> SocketAddr {
    SocketAddr::from(([10, 0, 1, 1], ANSWER_PORT))
}

fn player(shape: EnsembleShape, place: usize) -> anyhow::Result<Player> {
    if place == CLIENT {
        return Ok(Player::client(ANSWER_PORT, Question::key(KEY)?));
    }
    let neighbor = |other: &usize| {
        let address = servent_address(*other);
        Neighbor { name: address.to_string(), addresses: vec![address], dialect: Dialect::OWN }
    };
    let config = Config {
        advertised: servent_address(place),
        servent_id: ServentId(0x5eed_0001_0002_0003_0004_0005_0006_0007 + place as u128),
        neighbors: shape.dials()[place].iter().map(neighbor).collect(),
        written: (shape == EnsembleShape::ChainThatKeeps).then(Arc::default),
        ..Config::default()
    };
    let data = if place == HOLDER { format!("{KEY} {VALUE}\n") } else { String::new() };
    Player::servent(&config, &data)
}

/// All of them, and what is under way between them.
struct Ensemble {
    players: Vec<Player>,
    now: Time,
    under_way: VecDeque<(usize, PlayEvent)>,
    /// The other end of each link, and whose it is.
    others: BTreeMap<(usize, LinkId), (usize, LinkId)>,
    links_count: u64,
    /// Whose part is kept.
    kept: usize,
    turns: Vec<PlayedTurn>,
    asked: usize,
}

impl Ensemble {
    fn new(shape: EnsembleShape, kept: usize) -> anyhow::Result<Ensemble> {
        let mut players = (0..=CLIENT).map(|place| player(shape, place)).collect::<anyhow::Result<Vec<Player>>>()?;
        players.iter_mut().for_each(|player| player.wires.keeps = true);
        Ok(Ensemble {
            players,
            now: Time::START,
            under_way: VecDeque::new(),
            others: BTreeMap::new(),
            links_count: 0,
            kept,
            turns: Vec::new(),
            asked: 0,
        })
    }

    /// Links all, and attaches the client.
    fn settle(&mut self) -> anyhow::Result<()> {
        let steps = SETTLING.as_millis() / SETTLING_STEP.as_millis();
        for step in 0..steps {
            if step == steps / 2 {
                let [link, contacts] = self.link(CLIENT, CONTACT);
                let from = SocketAddr::new(client_address().ip(), 5000);
                let contact = servent_address(CONTACT);
                self.under_way.push_back((CLIENT, PlayEvent::Attached { link, contact }));
                self.under_way.push_back((CONTACT, PlayEvent::Accepted { link: contacts, from }));
            }
            self.step(SETTLING_STEP)?;
        }
        Ok(())
    }

    /// Asks so many queries at once, and lets all come of them.
    fn ask(&mut self, times: usize) -> anyhow::Result<()> {
        self.asked += times;
        self.under_way.push_back((CLIENT, PlayEvent::Ask { times }));
        // No longer than a beat: else all would seem to have slept, or to have been quiet, and ping each other.
        self.step((QUERY_EVERY * u32::try_from(times)?).min(NEIGHBOR_BEAT))?;
        let told = std::mem::take(&mut self.players[CLIENT].told);
        let is_whole = |report: &&Report| matches!(report, Report::Ended { ending, .. } if ending.reason == EndReason::Complete && ending.answers == 1);
        let whole = told.iter().filter(is_whole).count();
        ensure!(whole == times, "{whole} of {times} queries are complete, at {:?}: {told:?}", self.now);
        Ok(())
    }

    /// Some time goes by, and everything happens that is to happen.
    fn step(&mut self, time: Duration) -> anyhow::Result<()> {
        self.now = self.now + time;
        for _ in 0..TURNS_MAX {
            if let Some((place, event)) = self.under_way.pop_front() {
                self.turn(place, event)?;
            } else if let Some(place) = self.first_due() {
                self.turn(place, PlayEvent::Due)?;
            } else {
                return Ok(());
            }
        }
        bail!("something goes round in circles")
    }

    fn first_due(&self) -> Option<usize> {
        self.players.iter().position(|player| player.deadline().is_some_and(|due| due <= self.now))
    }

    fn turn(&mut self, place: usize, event: PlayEvent) -> anyhow::Result<()> {
        let now = self.now;
        let player = self.players.get_mut(place).context("nobody is there")?;
        player.tell(now, &event);
        let heard = std::mem::take(&mut player.wires.heard);
        let said = std::mem::take(&mut player.wires.said);
        let written = std::mem::take(&mut player.wires.written);
        let outside = std::mem::take(&mut player.outside);
        for (_, heard) in &heard {
            if let Heard::Malformed(_) | Heard::Closed(_) = heard {
                bail!("it went wrong: {heard:?}");
            }
        }
        if place == self.kept {
            self.turns.push(PlayedTurn { now, event, heard, said, asked: self.asked });
        }
        for (link, bytes) in written {
            let Some((other, link)) = self.others.get(&(place, link)).copied() else { continue };
            let pieces = bytes.chunks(READ_BYTES).map(|bytes| PlayEvent::Bytes { link, bytes: bytes.to_vec() });
            self.under_way.extend(pieces.map(|event| (other, event)));
        }
        outside.iter().for_each(|outside| self.connect(place, outside));
        Ok(())
    }

    /// A dial succeeds at once.
    fn connect(&mut self, place: usize, outside: &Outside) {
        let Outside::Dial { dial, address, .. } = *outside else { return };
        let found = (0..SERVENTS).find(|other| servent_address(*other) == address);
        let other = found.unwrap_or(CLIENT);
        let [link, others] = self.link(place, other);
        let from = SocketAddr::new(servent_address(place).ip(), 5000 + u16::try_from(self.links_count).unwrap_or(0));
        self.under_way.push_back((other, PlayEvent::Accepted { link: others, from }));
        self.under_way.push_back((place, PlayEvent::Dialled { link, dial }));
    }

    /// The two ends of a new link.
    fn link(&mut self, one: usize, other: usize) -> [LinkId; 2] {
        self.links_count += 1;
        let ends = [2 * self.links_count, 2 * self.links_count + 1].map(LinkId);
        self.others.insert((one, ends[0]), (other, ends[1]));
        self.others.insert((other, ends[1]), (one, ends[0]));
        ends
    }
}
