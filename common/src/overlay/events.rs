//! What happens at a servent as events, for whoever keeps a log of them; a servent of which nobody does has none of this.
//!
//! Of each input it tells what was heard, what came of that (as rooms and the corridor note it in the outbox) and what was
//! said, each under the clock it has. It knows by what address whoever is at the end of a link goes, and decides nothing.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::doors::{Dial, Input, NotedEvent, NotedOperation, Opening, Output};
use crate::address::canonical;
use crate::event::{EventKind, LoggedEvent};
use crate::link::LinkId;
use crate::message::{Message, Role};

/// Who is who in the log, and what is to be told of the input that is being handled.
#[derive(Debug, Default)]
pub(super) struct EventNotes {
    /// Whoever is at the end of each link that stands: of strangers where they are, of servents where they say they are.
    names: BTreeMap<LinkId, SocketAddr>,
    /// Where the dials lead that are under way.
    dialled: Vec<(Dial, SocketAddr)>,
    noted: Vec<NotedEvent>,
}

/// A message that is being handled.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeardEvent {
    link: LinkId,
    message: &'static str,
    stamp: u64,
}

impl EventNotes {
    /// Looks at an input before anything is done about it, and keeps what is to be told of it.
    pub(super) fn on_input(&mut self, input: &Input) -> Option<HeardEvent> {
        match input {
            Input::Opened { link, opening } => {
                let address = match opening {
                    Opening::Accepted(from) => Some(*from),
                    Opening::Dialled(dial) => self.on_dial_over(*dial),
                };
                if let Some(address) = address {
                    self.names.insert(*link, canonical(address));
                }
            }
            Input::DialFailed { dial, .. } => {
                self.on_dial_over(*dial);
            }
            Input::Received { link, stamp, message } => {
                if let Message::Hello(hello) = message
                    && let Role::Servent { advertised, .. } = hello.role
                    && let Some(name) = self.names.get_mut(link)
                {
                    *name = canonical(advertised);
                }
                let hearing = HeardEvent { link: *link, message: message.name(), stamp: *stamp };
                return is_told(message).then_some(hearing);
            }
            _ => {}
        }
        None
    }

    /// By what address whoever said this goes.
    pub(super) fn heard_from(&self, heard: Option<HeardEvent>) -> Option<SocketAddr> {
        self.name(heard?.link)
    }

    /// Where it is noted what comes of an input.
    pub(super) fn noted(&mut self) -> &mut Vec<NotedEvent> {
        &mut self.noted
    }

    /// Tells what was heard and came of it at one clock, and what was said at another, which is no smaller: all that is
    /// wanted from this place on.
    pub(super) fn tell(
        &mut self,
        heard: Option<HeardEvent>,
        heard_at: u64,
        said_at: u64,
        before: usize,
        out: &mut Vec<Output>,
    ) {
        let noted = std::mem::take(&mut self.noted);
        for note in &noted {
            // What it says of itself may be of no use to others.
            if let NotedEvent::Linked { link, peer } = note {
                self.names.insert(*link, *peer);
            }
        }
        let mut told = Vec::new();
        let mut happens = |clock, what: Option<EventKind>| told.extend(what.map(|what| LoggedEvent { clock, what }));
        if let Some(HeardEvent { link, message, stamp }) = heard {
            happens(heard_at, self.name(link).map(|peer| EventKind::Received { message, peer, stamp }));
        }
        for note in noted {
            happens(heard_at, self.event_of(note));
        }
        for output in out.get(before..).unwrap_or_default() {
            match output {
                Output::Send { link, message } if is_told(message) => {
                    happens(said_at, self.name(*link).map(|peer| EventKind::Sent { message: message.name(), peer }));
                }
                Output::Flood { links, .. } => {
                    for link in links {
                        happens(said_at, self.name(*link).map(|peer| EventKind::Sent { message: "query", peer }));
                    }
                }
                Output::Dial { dial, address, .. } => self.dialled.push((*dial, *address)),
                Output::Close { link } => {
                    self.names.remove(link);
                }
                _ => {}
            }
        }
        out.extend(told.into_iter().map(|event| Output::Event(Box::new(event))));
    }

    /// A link is gone, and was told of for the last time.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.names.remove(&link);
    }

    fn on_dial_over(&mut self, dial: Dial) -> Option<SocketAddr> {
        let place = self.dialled.iter().position(|(other, _)| *other == dial)?;
        Some(self.dialled.swap_remove(place).1)
    }

    fn name(&self, link: LinkId) -> Option<SocketAddr> {
        self.names.get(&link).copied()
    }

    fn event_of(&self, note: NotedEvent) -> Option<EventKind> {
        Some(match note {
            NotedEvent::Linked { peer, .. } => EventKind::Linked { peer },
            NotedEvent::Unlinked { link, reason } => EventKind::Unlinked { peer: self.name(link)?, reason },
            NotedEvent::Operation { operation: NotedOperation { command, peer, subject }, outcome } => {
                EventKind::Operation { command, peer, subject, outcome }
            }
            NotedEvent::Asked { link, message } => EventKind::Asked { peer: self.name(link)?, message },
            NotedEvent::Member { peer, was, now, why } => EventKind::Member { peer, was, now, why },
        })
    }
}

/// Pings and pongs go all the time, and say nothing.
fn is_told(message: &Message) -> bool {
    !matches!(message, Message::Ping | Message::Pong)
}
