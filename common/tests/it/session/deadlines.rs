//! A mind whose deadlines are never late, whatever happened to it.

use super::*;
use crate::session::greetings::greeted;
use crate::session::listing::{page, telling};
use common::member::PeersKind;
use common::session::FetchId;

#[test]
fn a_deadline_is_never_late_and_never_in_vain() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut mind = Mind::new(None);
        let mut may_ask = false;
        let (mut asked, mut others) = (0, 0);
        let mut ended = BTreeSet::new();
        for _ in 0..100 {
            let link = LinkId(1 + random.below(3));
            let sequence = nth(random.below(12));
            let out = match random.below(21) {
                0 => mind.attach(),
                1 => mind.tell(Input::Accepted { link: LinkId(2 + random.below(2)), from: address(9) }),
                2 => mind.hear(link, if random.chance(80) { telling() } else { servent_hello(1) }),
                3 | 4 => mind.hear(link, answer(sequence)),
                5 => {
                    let tally = whole(random.below(3));
                    mind.hear(link, finished(sequence, Tally { is_dialled: random.chance(50), ..tally }))
                }
                6 => mind.closed(link),
                7 => mind.cancel(sequence),
                8 | 9 if may_ask => {
                    asked += 1;
                    let answers_wanted = random.chance(30).then_some(2);
                    let silence_max = random.duration(SILENCE_DEFAULT);
                    mind.ask_for(Question { silence_max, answers_wanted, ..Question::new(tea()) })
                }
                12 => mind.hear(CONTACT, handed(sequence, 2)),
                13 => mind.hear(CONTACT, handed_as(sequence, 1, BroughtBody::Announced(7_000))),
                // Fetches that are under way, over, or were never wanted.
                14 => mind.tell(Input::Dialled { fetch: FetchId(random.below(4)), link: LinkId(2 + random.below(2)) }),
                15 => {
                    let reason = "a test".to_owned();
                    mind.tell(Input::DialFailed { fetch: FetchId(random.below(4)), reason })
                }
                16 if !mind.session.is_listing() => {
                    others += 1;
                    mind.ask_members()
                }
                19 if !mind.session.is_greeting() => {
                    others += 1;
                    mind.ask_greeting(10 + u8::try_from(random.below(2)).unwrap())
                }
                20 => mind.hear(link, greeted(10 + u8::try_from(random.below(2)).unwrap())),
                17 => {
                    let kind = if random.chance(50) { PeersKind::Page } else { PeersKind::LastPage };
                    mind.hear(link, page(kind, [usize::try_from(random.below(100)).unwrap()]))
                }
                18 => mind.hear(link, Message::Pong),
                // Too early, just before the deadline.
                10 => {
                    if let Some(due) = mind.session.deadline().filter(|due| *due > mind.now) {
                        let wait = due.since(mind.now).saturating_sub(TICK);
                        mind.now = mind.now + wait;
                        if due > mind.now {
                            assert_eq!(mind.tell(Input::Deadline), [], "seed {seed}");
                            assert_eq!(mind.session.deadline(), Some(due), "seed {seed}");
                        }
                    }
                    Vec::new()
                }
                _ => {
                    let wait = random.duration(Duration::from_secs(3));
                    mind.pass(wait)
                }
            };
            may_ask |= out.contains(&Output::Tell(Report::Ready));
            let ends = out.iter().filter_map(|output| match output {
                Output::Tell(Report::Ended { sequence, .. }) => Some(*sequence),
                _ => None,
            });
            for sequence in ends {
                assert!((0..asked + others).map(nth).any(|own| own == sequence), "seed {seed}");
                assert!(ended.insert(sequence), "seed {seed}: {sequence} ended twice");
            }
            assert_eq!(mind.session.pending_count() + ended.len(), usize::try_from(asked).unwrap(), "seed {seed}");
        }
        mind.pass(Duration::from_secs(10));
        assert_eq!(mind.session.deadline(), None, "seed {seed}");
        assert_eq!((mind.session.pending_count(), mind.session.is_listing()), (0, false), "seed {seed}");
        assert!(!mind.session.is_greeting(), "seed {seed}");
    }
}
