//! What is done under the count, and how much of it there is.
//!
//! All that makes it possible (what is to be heard, a servent with its links and some queries behind it) is done before,
//! or between. How it is counted is not known here.

use std::collections::VecDeque;
use std::hint::black_box;

use anyhow::{bail, ensure};
use clap::ValueEnum;
use common::dialect::Dialect;
use common::exchange::Heard;
use common::limits::SERVENT_FRAME_BYTES_MAX;
use common::message::Message;
use common::overlay::Input;
use common::store::Store;
use common::wire::{self, Frame, Position, ReadFrame};

use super::ensemble::{CLIENT, CONTACT, EnsembleShape, HOLDER, Part, PlayedTurn, RELAY};
use super::player::{PlayEvent, PlayerMind};

/// Queries in flight where many are.
const IN_FLIGHT: usize = 64;
/// Keys of the data that is looked into: more than a cache holds.
const KEYS: usize = 65_536;
/// What two places of keys that are asked for one after the other are apart: odd, so all are asked for.
const KEYS_APART: usize = 40_503;

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CountedWork {
    /// Bytes become a message: a copy of a query, an echo.
    Decode,
    /// The mind of a relay is told a message and says what is to be done: a copy of a query, its echo.
    Handle,
    /// A message becomes bytes: a copy of a query, an echo.
    Encode,
    /// A key is looked for in the data, and found.
    Lookup,
    /// A relay, bytes in to bytes out: a copy of a query is passed on, its echo is passed back. One is in flight.
    Relay,
    /// The same with 64 in flight.
    #[value(name = "relay-64")]
    RelayMany,
    /// A relay hears a copy of a query it knows, and echoes it.
    Duplicate,
    /// A contact, bytes in to bytes out: a request is passed on, its echo becomes the word that it is finished.
    Contact,
    /// A client, from a question to bytes out, and bytes in to what it tells: an answer, and that it is finished.
    Client,
    /// The mind of a servent is told a query for a key that it has, and answers it.
    Answer,
    /// The same of one that keeps what is written, of which there is nothing.
    AnswerKeeping,
}

/// All that is counted happens in here: callgrind is told this name.
#[inline(never)]
fn under_the_count(work: &mut dyn FnMut()) {
    work();
    // Something comes after it, so that it is called and not jumped to.
    black_box(());
}

/// A part of the name above that no other has.
pub(super) const COUNTED: &str = "*under_the_count*";

impl CountedWork {
    /// Everything that has a row of its own.
    pub const ALL: [CountedWork; 9] = [
        CountedWork::Decode,
        CountedWork::Handle,
        CountedWork::Encode,
        CountedWork::Lookup,
        CountedWork::Relay,
        CountedWork::RelayMany,
        CountedWork::Duplicate,
        CountedWork::Contact,
        CountedWork::Client,
    ];

    /// Its word on the command line, and in the name of its row.
    #[must_use]
    pub fn word(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Does it for so many queries, after so many that are not counted, and says how many messages that came to: of those
    /// that were heard, or were said where only that is counted, or lookups.
    pub fn run(self, warm_up: usize, queries: usize) -> anyhow::Result<u64> {
        let part = |shape, place, in_flight| Part::record(shape, place, warm_up, queries, in_flight);
        let chain = |place, in_flight| part(EnsembleShape::Chain, place, in_flight);
        let messages = match self {
            CountedWork::Decode => decode(&chain(RELAY, 1)?),
            CountedWork::Handle => handle(&chain(RELAY, 1)?),
            CountedWork::Encode => encode(&chain(RELAY, 1)?),
            CountedWork::Lookup => look_up(queries),
            CountedWork::Relay => play(&chain(RELAY, 1)?, |_| true),
            CountedWork::RelayMany => play(&chain(RELAY, IN_FLIGHT)?, |_| true),
            CountedWork::Duplicate => play(&part(EnsembleShape::Triangle, RELAY, 1)?, is_duplicate),
            CountedWork::Contact => play(&chain(CONTACT, 1)?, |_| true),
            CountedWork::Client => play(&chain(CLIENT, 1)?, |_| true),
            CountedWork::Answer => handle(&chain(HOLDER, 1)?),
            CountedWork::AnswerKeeping => handle(&part(EnsembleShape::ChainThatKeeps, HOLDER, 1)?),
        }?;
        ensure!(messages > 0, "nothing came of {queries} queries");
        Ok(messages)
    }
}

fn is_duplicate(turn: &PlayedTurn) -> bool {
    matches!(
        (&turn.heard[..], &turn.said[..]),
        ([(_, Heard::Message { message: Message::Query(_), .. })], [Message::Echo(_)])
    )
}

/// Plays the whole part.
fn play(part: &Part, is_wanted: fn(&PlayedTurn) -> bool) -> anyhow::Result<u64> {
    let (mut player, mut messages) = (part.player()?, 0);
    for turn in &part.turns {
        if part.is_counted(turn) && is_wanted(turn) {
            messages += turn.heard.len() as u64;
            under_the_count(&mut || player.tell(turn.now, &turn.event));
        } else {
            player.tell(turn.now, &turn.event);
        }
    }
    let (written, before) = (player.wires.bytes_count, part.bytes_count);
    ensure!(written == before, "told the same again, it wrote {written} bytes instead of {before}");
    Ok(messages)
}

/// Plays the part of the mind alone.
fn handle(part: &Part) -> anyhow::Result<u64> {
    let (mut player, mut messages, mut wanted) = (part.player()?, 0, Vec::new());
    for turn in &part.turns {
        if !part.is_counted(turn) {
            player.tell(turn.now, &turn.event);
            continue;
        }
        messages += turn.heard.len() as u64;
        let heard = turn.heard.iter().map(|(link, heard)| heard.clone().for_servent(*link));
        let mut inputs: VecDeque<Input> = match turn.event {
            PlayEvent::Due => VecDeque::from([Input::Deadline]),
            _ => heard.collect(),
        };
        let PlayerMind::Servent(overlay) = &mut player.mind else { bail!("this is no servent") };
        under_the_count(&mut || {
            while let Some(input) = inputs.pop_front() {
                overlay.handle(turn.now, input, &mut wanted);
                wanted.clear();
            }
        });
    }
    Ok(messages)
}

fn decode(part: &Part) -> anyhow::Result<u64> {
    let mut messages = 0;
    for turn in part.turns.iter().filter(|turn| part.is_counted(turn)) {
        if let PlayEvent::Bytes { bytes, .. } = &turn.event {
            let mut left = &bytes[..];
            under_the_count(&mut || {
                while let Ok(Some(ReadFrame { message: Some(message), bytes_count, .. })) =
                    wire::read_frame(Dialect::OWN, Position::Later, left, SERVENT_FRAME_BYTES_MAX)
                {
                    drop(black_box(message));
                    left = left.get(bytes_count..).unwrap_or_default();
                }
            });
            ensure!(left.is_empty(), "{} bytes are no message", left.len());
            messages += turn.heard.len() as u64;
        }
    }
    Ok(messages)
}

fn encode(part: &Part) -> anyhow::Result<u64> {
    let mut messages = 0;
    for turn in part.turns.iter().filter(|turn| part.is_counted(turn)) {
        let mut frames = Vec::with_capacity(turn.said.len());
        under_the_count(&mut || {
            for message in &turn.said {
                frames.push(Frame::new(Dialect::OWN, message));
            }
        });
        ensure!(frames.iter().all(Result::is_ok), "what was said cannot be said");
        messages += frames.len() as u64;
    }
    Ok(messages)
}

fn look_up(lookups: usize) -> anyhow::Result<u64> {
    let key = |number: usize| format!("key-{:05}", number % KEYS);
    let data: String = (0..KEYS).map(|number| format!("{} value {number}\n", key(number))).collect();
    let (store, _) = Store::parse(data.into_bytes())?;
    let keys: Vec<String> = (0..lookups).map(|number| key(number.wrapping_mul(KEYS_APART))).collect();
    let mut found = 0;
    under_the_count(&mut || {
        for key in &keys {
            found += u64::from(black_box(store.get(key.as_bytes())).is_some());
        }
    });
    ensure!(found == lookups as u64, "{found} of {lookups} keys were found");
    Ok(found)
}
