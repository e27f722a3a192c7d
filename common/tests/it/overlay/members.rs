//! What a servent knows of others at its doors: what it says of them, to whom and when, and what it believes of what is told.

mod again;
mod greeting;
mod guessed;
mod keeping;
mod links;
mod suspicion;
mod telling;
mod told;

use super::*;
use common::features::Features;
use common::member::{Linkage, Member, Peers, PeersKind, PeersWanted, Seen, Word};
use common::message::Identity;
use common::overlay::Errand;

/// A mind that takes part, and what it says to whom of members.
struct Told {
    mind: Mind,
}

fn identity(id: u128) -> Identity {
    Identity::from(ServentId(id))
}

fn own_member(clock: u64) -> Member {
    Member { address: own_address(), id: identity(OWN_ID), ..member(0, clock, Word::Online) }
}

/// The servent of this number, of which this is said at that clock.
fn member(id: u128, clock: u64, word: Word) -> Member {
    Member {
        address: servent_address(id),
        id: identity(id),
        clock,
        heard: Duration::ZERO,
        word,
        is_open: false,
        is_proved: false,
        seen: Seen::default(),
    }
}

fn peers(kind: PeersKind, mut members: Vec<Member>) -> Message {
    members.sort_by_key(|member| member.address);
    Message::Peers(Peers { kind, members })
}

fn news(members: &[Member]) -> Message {
    peers(PeersKind::News, members.to_vec())
}

fn wanted(after: Option<SocketAddr>) -> Message {
    Message::PeersWanted(PeersWanted { after })
}

fn hello_of_members(id: u128) -> Hello {
    let role = Role::Servent { id: ServentId(id), advertised: servent_address(id) };
    Hello { features: Features::OF_MEMBERS, ..Hello::new(role) }
}

/// What a servent says that visits another: it comes as a client, and takes no longer frames than it does from anybody.
fn visitor_hello() -> Message {
    let Message::Hello(Hello { frame_bytes_max, .. }) = own_hello() else { panic!("no hello") };
    Message::Hello(Hello { frame_bytes_max, ..Hello::new(Role::Client { answer_port: 0 }) })
}

impl Told {
    fn new() -> Told {
        Told::with(config())
    }

    fn with(config: Config) -> Told {
        Told { mind: Mind::with(&Config { members: true, ..config }, store("")) }
    }

    /// Neighbors of the ids 1, 2 and so on, whose pages have come and who have been told all there is to tell.
    fn linked<const COUNT: usize>() -> (Told, [LinkId; COUNT]) {
        let mut told = Told::new();
        let links = std::array::from_fn(|place| told.neighbor(place as u128 + 1));
        told.quieten(&links);
        (told, links)
    }

    fn accepted(&mut self, from: SocketAddr) -> LinkId {
        let link = self.mind.new_link();
        assert_eq!(self.mind.tell(Input::Opened { link, opening: Opening::Accepted(from) }), []);
        link
    }

    /// A servent that takes part, where it says it is; its last page has come, and was empty.
    fn neighbor(&mut self, id: u128) -> LinkId {
        self.neighbor_that_says(&hello_of_members(id), servent_address(id))
    }

    fn neighbor_that_says(&mut self, hello: &Hello, from: SocketAddr) -> LinkId {
        let link = self.accepted(from);
        let out = self.mind.hear(link, Message::Hello(hello.clone()));
        let asked = [send(link, Message::Hello(hello_of_members(OWN_ID).at(own_address()))), send(link, wanted(None))];
        assert_eq!(out, if hello.features.include(Features::MEMBERS) { &asked[..] } else { &asked[..1] });
        if hello.features.include(Features::MEMBERS) {
            assert_eq!(self.hear(link, peers(PeersKind::LastPage, vec![])), []);
        }
        link
    }

    /// Lets all be told that is to be told by now, with the neighbors alive.
    fn quieten(&mut self, links: &[LinkId]) {
        self.mind.pass(NEWS_PAUSE);
        for link in links {
            self.mind.hear(*link, Message::Pong);
        }
    }

    /// Hears something under a stamp that is later than all it knows.
    fn hear(&mut self, link: LinkId, message: Message) -> Vec<Output> {
        let stamp = self.clock() + 1_000_000;
        self.mind.tell(Input::Received { link, stamp, message })
    }

    fn clock(&self) -> u64 {
        self.mind.overlay.stamp()
    }

    /// What is said to each link while this time passes, as far as it is peers.
    fn told(&mut self, duration: Duration) -> Vec<(LinkId, Peers)> {
        peers_in(self.mind.pass_and_see(duration))
    }

    /// The same as words of addresses.
    fn words_told(&mut self, duration: Duration) -> Vec<(LinkId, SocketAddr, Word)> {
        let told = self.told(duration).into_iter();
        told.flat_map(|(link, peers)| peers.members.into_iter().map(move |told| (link, told.address, told.word)))
            .collect()
    }

    /// What a client is told: the page of this servent.
    fn page(&mut self) -> Vec<Member> {
        let link = self.accepted(([10, 9, 0, 1], 40_000).into());
        self.mind.hear(link, Message::Hello(Hello::new(Role::Client { answer_port: 0 })));
        let out = self.mind.hear(link, wanted(None));
        let [Output::Send { message: Message::Peers(Peers { members, .. }), .. }] = &out[..] else { panic!("{out:?}") };
        let members = members.clone();
        self.mind.closed(link);
        members
    }

    /// What it says of the servent of this number.
    fn word(&mut self, id: u128) -> Option<Word> {
        self.page().iter().find(|member| member.address == servent_address(id)).map(|member| member.word)
    }

    /// Who it says is where the servent of this number says it is, and what it says of it.
    fn who_is_at(&mut self, id: u128) -> Option<(Identity, Word)> {
        let page = self.page();
        page.iter().find(|member| member.address == servent_address(id)).map(|member| (member.id, member.word))
    }

    /// Lets beats pass in which only these are heard. What is said of members meanwhile.
    fn pass_with(&mut self, alive: &[LinkId], duration: Duration) -> Vec<(LinkId, Peers)> {
        let mut told = Vec::new();
        for _ in 0..duration.as_millis() / 100 {
            told.extend(self.told(milliseconds(100)));
            for link in alive {
                let out = self.mind.hear(*link, Message::Pong);
                assert!(out.is_empty(), "{out:?}");
            }
        }
        told
    }
}

trait At {
    fn at(self, address: SocketAddr) -> Self;
}

impl At for Hello {
    fn at(self, address: SocketAddr) -> Hello {
        let Role::Servent { id, .. } = self.role else { panic!("{self:?}") };
        Hello { role: Role::Servent { id, advertised: address }, ..self }
    }
}

fn peers_in(out: Vec<Output>) -> Vec<(LinkId, Peers)> {
    let peers = |output| match output {
        Output::Send { link, message: Message::Peers(peers) } => Some((link, peers)),
        _ => None,
    };
    out.into_iter().filter_map(peers).collect()
}
