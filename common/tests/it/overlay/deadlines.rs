//! A mind whose deadlines are never late, whatever happened to it.

use super::*;
use sim::random::Random;

/// Whatever happened to it, a mind that is told its deadline makes progress, one that is told too early does nothing,
/// and nothing was due that no deadline spoke of.
#[test]
fn a_deadline_is_never_late_and_never_in_vain() {
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let addresses: Vec<SocketAddr> = (0..random.below(3)).map(|port| servent_address(u128::from(port))).collect();
        let neighbor = Neighbor { name: "there".to_owned(), addresses, dialect: Dialect::Native };
        let config =
            Config { neighbors: vec![neighbor; random.index(4)], servent_id: ServentId(seed.into()), ..config() };
        let mut mind = Mind::with(&config, store("tea green"));
        let mut links: Vec<LinkId> = Vec::new();
        for _ in 0..200 {
            let link = if links.is_empty() { LinkId(0) } else { links[random.index(links.len())] };
            let outputs = match random.below(16) {
                0 => {
                    let link = mind.new_link();
                    links.push(link);
                    mind.tell(Input::Opened { link, opening: Opening::Accepted(client_address(1)) })
                }
                1 => mind.hear(link, servent_hello(u128::from(random.below(6)) + OWN_ID - 2)),
                2 => mind.hear(link, client_hello(7000)),
                3 => mind.closed(link),
                4..=6 => {
                    let ttl = u8::try_from(random.below(5)).unwrap();
                    let query = Query { ttl, ..query(random.below(9), random.index(5), tea()) };
                    mind.hear(link, Message::query(query))
                }
                7 => mind.hear(link, request(random.below(100))),
                8 => {
                    let ttl = u8::try_from(random.below(5)).unwrap();
                    let query = Query { ttl, ..query(random.below(9), random.index(5), tea()) };
                    mind.hear(link, echo_of(&query, reached(1)))
                }
                9 => mind.hear(link, Message::Pong),
                10 => mind.tell(Input::Malformed { link, error: WireError::Version(3) }),
                11 => mind.hear(link, Message::Goodbye(Goodbye::Leaving)),
                // Too early, between two deadlines.
                12 => {
                    let due = mind.overlay.deadline();
                    if let Some(due) = due.filter(|due| *due > mind.now) {
                        let wait = due.since(mind.now).saturating_sub(TICK);
                        mind.now = mind.now + wait;
                    }
                    if due.is_some_and(|due| due > mind.now) {
                        assert_eq!(mind.tell(Input::Deadline), [], "seed {seed}");
                        assert!(mind.overlay.deadline().is_none_or(|next| Some(next) >= due), "seed {seed}");
                    }
                    Vec::new()
                }
                _ => {
                    let wait = random.duration(milliseconds(3000));
                    mind.pass_and_see(wait)
                }
            };
            // Dials are performed: some fail, some stand.
            for output in outputs {
                if let Output::Dial { dial, .. } = output {
                    if random.chance(50) {
                        let _ = mind.dial_failed(dial);
                    } else {
                        let (link, _) = mind.dialled(dial);
                        links.push(link);
                    }
                }
            }
        }
        for link in links {
            mind.closed(link);
        }
        mind.pass(seconds(10));
        assert_eq!(mind.overlay.pending_count(), 0, "seed {seed}");
    }
}
