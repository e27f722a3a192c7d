//! What is not so of members: what a poisoning servent tells its neighbor, as much of it as it can.
//!
//! Of which kind each is, is drawn. It knows everybody, who they are, and what its neighbor's clock shows: more than it could
//! find out. What must not come of it is for the witness to say.

use std::net::SocketAddr;
use std::time::Duration;

use common::features::Features;
use common::limits::PEERS_MAX;
use common::member::{Member, Peers, PeersKind, PeersWanted, Seen, Word};
use common::message::{Hello, Identity, Message, Role};
use common::overlay::Overlay;

use super::clock::{MILLISECOND, Nanos};
use super::ends::EndAt;
use super::scenery::SceneFace;
use super::shell::Shell;
use crate::cast;
use crate::random::Random;

/// How often it tells something.
pub(super) const TELLS_EVERY: Nanos = 100 * MILLISECOND;
/// How often it does in all.
pub(super) const TELLS_MAX: u64 = 300;
/// The most pages it tells at once: over all the time that makes close to a million inventions.
const AT_ONCE_MAX: u64 = 50;
/// Of a hundred of them, how many tell so many, and ask for as many. What they say has all to be heard.
const GUSHES_PERCENT: u64 = 5;

/// What one page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tale {
    /// Servents that nobody has ever been.
    Inventions,
    /// All ports of one who is there.
    Ports,
    /// Everybody is dead.
    Failed,
    /// Everybody has left.
    Left,
    /// Somebody else is where everybody is.
    Others,
    /// Everybody is dead, and the clock at its end.
    EndOfTime,
}

const TALES: [Tale; 6] = [Tale::Inventions, Tale::Ports, Tale::Failed, Tale::Left, Tale::Others, Tale::EndOfTime];

/// What a poisoning servent needs to tell it.
pub(super) struct Poisoner {
    random: Random,
    at_once: u64,
    /// Whose ports they are.
    victim: usize,
}

impl Poisoner {
    pub(super) fn draw(mut random: Random, servents: usize) -> Poisoner {
        let at_once = if random.chance(GUSHES_PERCENT) { AT_ONCE_MAX } else { 1 };
        Poisoner { at_once, victim: random.index(servents), random }
    }

    /// It says that it knows of members.
    pub(super) fn hello(role: Role) -> Hello {
        let hello = Hello::new(role);
        Hello { features: hello.features.with(Features::MEMBERS), ..hello }
    }

    /// Tells the servent it is attached to.
    pub(super) fn tell(&mut self, shell: &mut Shell<SceneFace<'_>>, at: EndAt, target: usize) {
        for _ in 0..self.at_once {
            let tale = TALES[self.random.index(TALES.len())];
            let clock = shell.overlay(target).map_or(0, Overlay::stamp);
            // What is said by nobody moves no clock, and is older than anything.
            let clock = if self.random.chance(10) { 0 } else { clock };
            let stamp = if tale == Tale::EndOfTime { u64::MAX } else { clock };
            let members = self.page(shell, tale, stamp);
            let kind = [PeersKind::News, PeersKind::News, PeersKind::Page, PeersKind::LastPage][self.random.index(4)];
            shell.say_as_stranger_at(at, stamp, &Message::Peers(Peers { kind, members }));
        }
        // Whoever tells so many also asks for as many.
        if self.random.chance(10) || self.at_once > 1 {
            for _ in 0..self.at_once {
                shell.say_as_stranger(at, &Message::PeersWanted(PeersWanted { after: None }));
            }
        }
    }

    fn page(&mut self, shell: &Shell<SceneFace<'_>>, tale: Tale, stamp: u64) -> Vec<Member> {
        let servents = shell.face.scene.graph.servents();
        let Poisoner { random, victim, .. } = self;
        let mut members: Vec<Member> = (0..PEERS_MAX)
            .map(|_| {
                let somebody = random.index(servents);
                let invented = Identity::of_bits(random.number());
                let life = shell.network.machines[somebody].life;
                let itself = (cast::servent_address(somebody), cast::servent_id(somebody, life).into());
                let ((address, id), word) = match tale {
                    Tale::Inventions => {
                        let [_, _, _, _, a, b, c, d] = random.number().to_be_bytes();
                        ((SocketAddr::from(([13, a, b, c], 1 + u16::from(d))), invented), Word::Online)
                    }
                    Tale::Ports => {
                        let port = u16::try_from(random.within(1, u16::MAX.into())).unwrap_or(u16::MAX);
                        let ip = cast::servent_address(*victim).ip();
                        ((SocketAddr::from((ip, port)), invented), Word::Online)
                    }
                    Tale::Failed | Tale::EndOfTime => (itself, Word::Failed),
                    Tale::Left => (itself, Word::Left),
                    Tale::Others => ((itself.0, invented), Word::Online),
                };
                let (heard, seen) = (Duration::ZERO, Seen::default());
                Member { address, id, clock: stamp, heard, word, is_open: true, is_proved: true, seen }
            })
            .collect();
        // Each is told once on a page, by address.
        members.sort_by_key(|member| member.address);
        members.dedup_by_key(|member| member.address);
        members
    }
}
