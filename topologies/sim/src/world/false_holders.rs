//! What holders say that lie, where it is a message that lies: what their disks give is false already (`disks`).
//!
//! Such a servent has the mind that all have, and something between it and its links. Which lie it tells is drawn with the scene.

use std::collections::BTreeMap;

use common::content::transfer::{HashPart, Have, Opened, Refusal, Refused};
use common::content::{Blocks, ContentHash};
use common::link::LinkId;
use common::message::{Finished, Message};
use common::overlay::Output;
use common::query::Tally;

use super::clock::{MILLISECOND, Nanos, SECOND};
use super::disks::false_size;
use super::ends::EndAt;
use super::network::SimNetwork;
use crate::contents::{self, HolderLie};
use crate::random::Random;
use crate::scene::Scene;

/// How many bytes come at a time from one whose words trickle, and how long nothing does then.
const TRICKLE_BYTES_MAX: u64 = 16;
const TRICKLE_PAUSE: (Nanos, Nanos) = (100 * MILLISECOND, SECOND);

/// All of them.
pub(super) struct FalseHolders {
    /// By servent and content.
    lies: BTreeMap<(usize, ContentHash), (HolderLie, Random)>,
    /// What was opened on a link, as it is called at the servent's end.
    opened: BTreeMap<LinkId, ContentHash>,
}

impl FalseHolders {
    /// Those of a scene; what a content is called is told.
    pub(super) fn new(scene: &Scene, hash_of: impl Fn(u32) -> Option<ContentHash>) -> FalseHolders {
        let mut lies = BTreeMap::new();
        for content in &scene.contents {
            let Some(hash) = hash_of(content.number) else { continue };
            for holder in &content.holders {
                if let Some(lie) = holder.lie {
                    let random = contents::details(!scene.plan.seed, content.number, holder.servent);
                    lies.insert((holder.servent as usize, hash), (lie, random));
                }
            }
        }
        FalseHolders { lies, opened: BTreeMap::new() }
    }

    /// Whether this servent says anything that its mind does not.
    pub(super) fn has(&self, servent: usize) -> bool {
        self.lies.keys().any(|(other, _)| *other == servent)
    }

    /// Somebody wants to fetch something there.
    pub(super) fn on_open(&mut self, link: LinkId, hash: ContentHash) {
        self.opened.insert(link, hash);
    }

    /// What is said in the place of this.
    pub(super) fn say<E>(&mut self, network: &mut SimNetwork<E>, servent: usize, output: Output) -> Vec<Output> {
        let Output::Send { link, message: Message::Opened(opened) } = output else { return vec![output] };
        let lie = self.opened.get(&link).and_then(|hash| self.lies.get_mut(&(servent, *hash)));
        let Some((lie, random)) = lie else {
            return vec![Output::Send { link, message: Message::Opened(opened) }];
        };
        let said = otherwise(*lie, random, opened);
        if *lie == HolderLie::Trickles {
            let bytes = usize::try_from(random.within(1, TRICKLE_BYTES_MAX)).unwrap_or(1);
            let pause = random.within(TRICKLE_PAUSE.0, TRICKLE_PAUSE.1);
            network.end_mut(EndAt::of(link).other()).trickle = Some((bytes, pause));
        }
        said.into_iter().map(|message| Output::Send { link, message }).collect()
    }
}

/// What is said in the place of the word that something can be fetched.
fn otherwise(lie: HolderLie, random: &mut Random, opened: Opened) -> Vec<Message> {
    let fetch = opened.fetch;
    let count = Blocks::of(opened.size).map_or(1, Blocks::count);
    let honest = Message::Opened(opened.clone());
    match lie {
        HolderLie::FalseOpened => {
            let size = false_size(random, opened.size);
            let have = Have::all(Blocks::of(size).map_or(1, Blocks::count));
            vec![Message::Opened(Opened { size, have, ..opened })]
        }
        HolderLie::FalseHave => {
            let runs = match random.below(5) {
                0 => vec![(0, count + 1)],
                1 => vec![(count, 1)],
                2 => vec![(0, 1), (0, 1)],
                3 => vec![(0, 0)],
                _ => vec![(u32::MAX, u32::MAX)],
            };
            vec![Message::Opened(Opened { have: Have::Runs(runs), ..opened })]
        }
        HolderLie::HasSome => {
            let first = u32::try_from(random.below(u64::from(count))).unwrap_or_default();
            let last = first + u32::try_from(random.below(u64::from(count - first))).unwrap_or_default();
            let runs = if last > first { vec![(first, last - first)] } else { Vec::new() };
            vec![Message::Opened(Opened { have: Have::Runs(runs), ..opened })]
        }
        HolderLie::Refuses => {
            let refusal = Refusal::ALL[random.index(Refusal::ALL.len())];
            vec![Message::Refused(Refused { fetch, refusal })]
        }
        HolderLie::Silent if random.chance(30) => Vec::new(),
        HolderLie::Babbles => {
            let other = match random.below(5) {
                0 => Message::Pong,
                1 => Message::Finished(Finished { sequence: 1, tally: Tally::default() }),
                2 => Message::HashPart(HashPart { fetch, first: 0, hashes: vec![[7; 32]] }),
                3 => honest.clone(),
                _ => Message::Opened(Opened { fetch: fetch.wrapping_add(1), ..opened }),
            };
            if random.chance(50) { vec![honest, other] } else { vec![other, honest] }
        }
        _ => vec![honest],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::tests::shared;
    use crate::world::ways::Ways;

    const HASH: ContentHash = ContentHash([7; 32]);

    /// What a servent says in the place of the word that something can be fetched.
    fn said(lie: HolderLie, seed: u64) -> Vec<Message> {
        let mut scene = shared(lie);
        scene.plan.seed = seed;
        let mut network = SimNetwork::<()>::new(Ways::told(0), true);
        let mut holders = FalseHolders::new(&scene, |_| Some(HASH));
        assert!(holders.has(1) && !holders.has(2), "the other one does not lie");
        holders.on_open(LinkId(3), ContentHash([8; 32]));
        let opened = Opened { fetch: 4, size: 2 * 65_536 + 9, have: Have::all(3) };
        let output = || Output::Send { link: LinkId(3), message: Message::Opened(opened.clone()) };
        assert_eq!(holders.say(&mut network, 1, output()), [output()], "of another content it says what is so");
        if lie == HolderLie::Trickles {
            return Vec::new();
        }
        holders.on_open(LinkId(3), HASH);
        let said = holders.say(&mut network, 1, output());
        said.into_iter()
            .map(|output| match output {
                Output::Send { link: LinkId(3), message } => message,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn each_says_otherwise_what_its_lie_is_about() {
        let honest = [Message::Opened(Opened { fetch: 4, size: 2 * 65_536 + 9, have: Have::all(3) })];
        for lie in HolderLie::ALL {
            let is_otherwise = (0..20).any(|seed| lie != HolderLie::Trickles && said(lie, seed) != honest);
            let is_a_word = matches!(
                lie,
                HolderLie::FalseOpened
                    | HolderLie::FalseHave
                    | HolderLie::HasSome
                    | HolderLie::Refuses
                    | HolderLie::Silent
                    | HolderLie::Babbles
            );
            assert_eq!(is_otherwise, is_a_word, "{lie:?}");
        }
        let has_some = |seed| match said(HolderLie::HasSome, seed).as_slice() {
            [Message::Opened(Opened { have: Have::Runs(runs), .. })] => {
                runs.iter().all(|(first, count)| *count > 0 && first + count <= 3)
            }
            _ => false,
        };
        assert!((0..20).all(has_some), "what somebody has who has some is possible");
    }
}
