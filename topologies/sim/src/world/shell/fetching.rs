//! What whoever fetches a content hears of its holders, and what it says to them: as the client does it, over connections of
//! this network.
//!
//! What is about links is done here. What comes of the rest, the file it is written to and who is asked where it is, is the
//! face's.

use std::collections::{BTreeSet, VecDeque};

use common::dialect::Dialect;
use common::exchange::Heard;
use common::features::Features;
use common::fetch::{self, ContentFetch, FromHolder, HolderDial, ToHolder};
use common::link::LinkId;
use common::message::{Hello, Message, Role};

use super::{Mind, Shell};
use crate::world::dials::Caller;
use crate::world::ends::EndAt;
use crate::world::events::{Notice, WorldEvent};
use crate::world::face::{Face, FetchWish};

/// A mind that fetches a content, and its links.
pub(crate) struct FetchingEnd {
    mind: ContentFetch,
    /// Links on which a holder has said hello.
    greeted: BTreeSet<LinkId>,
    /// How often it was told something.
    told_count: u64,
}

impl FetchingEnd {
    pub(crate) fn new(mind: ContentFetch) -> FetchingEnd {
        FetchingEnd { mind, greeted: BTreeSet::new(), told_count: 0 }
    }

    pub(super) fn deadline(&self) -> Option<common::time::Time> {
        self.mind.deadline()
    }
}

impl<F: Face> Shell<F> {
    /// Tells one who fetches something, does what it wants, and gives how much that was.
    pub(crate) fn tell_fetch(&mut self, node: usize, input: fetch::Input) -> usize {
        let now = self.time();
        let Mind::Fetch(fetching) = &mut self.nodes[node].mind else { return 0 };
        fetching.told_count += 1;
        self.face.on_fetch_told(&self.network, node, &input);
        let mut wanted = Vec::new();
        fetching.mind.handle(now, input, &mut wanted);
        let count = wanted.len();
        self.perform_fetch(node, wanted);
        count
    }

    /// Does what one who fetches something wants, and tells it what came of that where it takes no time.
    pub(crate) fn perform_fetch(&mut self, node: usize, wanted: Vec<fetch::Output>) {
        let mut wanted = VecDeque::from(wanted);
        let life = self.network.machines[node].life;
        while let Some(output) = wanted.pop_front() {
            self.face.on_fetch_says(&self.network, node, &output);
            match output {
                fetch::Output::Dial { dial, address } => {
                    self.dial(node, Caller::Holder(dial), address, Dialect::OWN);
                }
                fetch::Output::Send { link, message } => self.say_to_holder(node, link, message),
                fetch::Output::Close { link } => self.close_holder(node, link),
                other => {
                    let FetchWish { told, event } = self.face.on_fetch_wants(&self.network, node, other);
                    let now = self.now();
                    if let Some(event) = event {
                        self.schedule(now, event);
                    }
                    for (wait, input) in told {
                        if wait > 0 {
                            let told = Notice::FetchTold { node, life, input };
                            self.network.clock.schedule(now + wait, WorldEvent::Notice(Box::new(told)));
                            continue;
                        }
                        let time = self.time();
                        self.face.on_fetch_told(&self.network, node, &input);
                        let Mind::Fetch(fetching) = &mut self.nodes[node].mind else { return };
                        let mut more = Vec::new();
                        fetching.mind.handle(time, input, &mut more);
                        wanted.extend(more);
                    }
                }
            }
        }
        self.look_at_deadline(node);
    }

    fn say_to_holder(&mut self, node: usize, link: LinkId, message: ToHolder) {
        let message = match message {
            ToHolder::Open(open) => Message::Open(open),
            ToHolder::HashesWanted(wanted) => Message::HashesWanted(wanted),
            ToHolder::BlocksWanted(wanted) => Message::BlocksWanted(wanted),
        };
        let _ = self.with_exchange(node, |exchange, now, pipes| exchange.send(now, link, &message, pipes));
    }

    fn close_holder(&mut self, node: usize, link: LinkId) {
        if let Mind::Fetch(fetching) = &mut self.nodes[node].mind {
            fetching.greeted.remove(&link);
        }
        self.on_closing(node, link);
        self.with_exchange(node, |exchange, now, pipes| exchange.close(now, link, pipes));
    }

    /// A dial to a holder succeeded.
    pub(super) fn greet_holder(&mut self, at: EndAt) {
        let hello = Message::Hello(Hello::new(Role::Client { answer_port: 0 }));
        self.say_as_stranger(at, &hello);
    }

    /// Tells one who fetches something what was heard; or that something was, which is no whole message.
    pub(super) fn tell_fetch_heard(&mut self, node: usize, at: EndAt) {
        let told_before = self.told_count(node);
        self.tell_heard(node);
        let is_greeted =
            matches!(&self.nodes[node].mind, Mind::Fetch(fetching) if fetching.greeted.contains(&at.link()));
        if is_greeted && self.told_count(node) == told_before {
            self.tell_fetch(node, fetch::Input::Heard { link: at.link() });
        }
    }

    fn told_count(&self, node: usize) -> u64 {
        if let Mind::Fetch(fetching) = &self.nodes[node].mind { fetching.told_count } else { 0 }
    }

    /// A holder says something, or is gone.
    pub(super) fn hear_holder(&mut self, node: usize, at: EndAt, heard: Heard) {
        let link = at.link();
        let Mind::Fetch(fetching) = &self.nodes[node].mind else { return };
        if !fetching.greeted.contains(&link) {
            if let Caller::Holder(dial) = self.network.connection(at.connection).caller {
                self.hear_first_words(node, link, dial, heard);
            }
            return;
        }
        let said = match heard {
            Heard::Message { message: Message::Ping, .. } => return self.say_as_stranger(at, &Message::Pong),
            Heard::Message { message: Message::Goodbye(farewell), .. } => {
                self.close_holder(node, link);
                let reason = format!("it said goodbye, because {farewell}");
                self.tell_fetch(node, fetch::Input::Closed { link, reason });
                return;
            }
            Heard::Message { message: Message::Opened(opened), .. } => FromHolder::Opened(opened),
            Heard::Message { message: Message::Refused(refused), .. } => FromHolder::Refused(refused),
            Heard::Message { message: Message::HashPart(part), .. } => FromHolder::HashPart(part),
            Heard::Message { message: Message::Block(block), .. } => FromHolder::Block(block),
            Heard::Message { message, .. } => FromHolder::Other(message.name()),
            Heard::Malformed(error) => {
                self.close_holder(node, link);
                self.tell_fetch(node, fetch::Input::Closed { link, reason: error.to_string() });
                return;
            }
            Heard::Closed(reason) => {
                if let Mind::Fetch(fetching) = &mut self.nodes[node].mind {
                    fetching.greeted.remove(&link);
                }
                self.tell_fetch(node, fetch::Input::Closed { link, reason });
                return;
            }
        };
        self.tell_fetch(node, fetch::Input::Received { link, said });
    }

    /// What comes first over a link.
    fn hear_first_words(&mut self, node: usize, link: LinkId, dial: HolderDial, heard: Heard) {
        let reason = match heard {
            Heard::Message { message: Message::Hello(Hello { role: Role::Servent { .. }, features, .. }), .. }
                if features.include(Features::CONTENT) =>
            {
                if let Mind::Fetch(fetching) = &mut self.nodes[node].mind {
                    fetching.greeted.insert(link);
                }
                self.tell_fetch(node, fetch::Input::Dialled { dial, link });
                return;
            }
            Heard::Message { message, .. } => format!("it said {}", message.name()),
            Heard::Malformed(error) => error.to_string(),
            Heard::Closed(reason) => reason,
        };
        self.close_holder(node, link);
        self.tell_fetch(node, fetch::Input::DialFailed { dial, reason });
    }
}
