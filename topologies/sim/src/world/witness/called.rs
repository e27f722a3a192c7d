//! What servents are called, as clients are told it.
//!
//! - Whoever answers is told with the name that it was started with, to the byte, and with none where it was started without, or
//!   where the answer came in a dialect that has no words for names.
//!
//! Nothing is claimed of an answer that a forger may have given in the name of its servent.

use crate::cast;

/// What is wrong about the name that a client is told of a servent that answers. `tells_who` is whether the answer came in a
/// dialect in which servents say who they are.
pub(super) fn wrong(seed: u64, from: usize, tells_who: bool, told: Option<&str>) -> Option<String> {
    let drawn = cast::called(seed, from).filter(|_| tells_who);
    (told != drawn.as_deref()).then(|| format!("s{from} is told to be called {told:?}, and is called {drawn:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::tests::chain;
    use crate::world::witness::SECOND;
    use crate::world::witness::tests::{CLIENT, asked, assert_broke, id};
    use crate::world::witness::{Pretence, Witness};

    /// A seed, and a servent that has a name under it or has none.
    fn servent_that(has_name: bool) -> (u64, usize) {
        let mut all = (0..100).flat_map(|seed| (0..3).map(move |servent| (seed, servent)));
        all.find(|(seed, servent)| cast::called(*seed, *servent).is_some() == has_name).unwrap()
    }

    #[test]
    fn a_name_that_is_not_that_of_its_servent_is_noticed() {
        let (seed, named) = servent_that(true);
        let name = cast::called(seed, named).unwrap();
        assert_eq!(wrong(seed, named, true, Some(&name)), None);
        assert_eq!(wrong(seed, named, false, None), None);
        for told in [None, Some(""), Some("nobody"), Some(&name[1..])] {
            assert!(wrong(seed, named, true, told).is_some(), "{told:?}");
        }
        assert!(wrong(seed, named, false, Some(&name)).is_some(), "there are no words for it");
        let (seed, nameless) = servent_that(false);
        assert_eq!(wrong(seed, nameless, true, None), None);
        assert!(wrong(seed, nameless, true, Some("servent 0")).is_some());
    }

    #[test]
    fn it_is_claimed_of_every_answer_but_where_a_forger_stood_for_its_servent() {
        let mut scene = chain();
        let (seed, named) = servent_that(true);
        scene.plan.seed = seed;
        let name = cast::called(seed, named);
        let tell = |witness: &mut Witness<'_>, told: Option<&str>| witness.on_called(SECOND, 0, (named, true), told);
        let mut witness = asked(&scene);
        tell(&mut witness, name.as_deref());
        assert_broke(&witness, &[]);
        tell(&mut witness, Some("forged"));
        assert_broke(&witness, &["is told to be called Some(\"forged\")"]);
        let mut witness = asked(&scene);
        witness.on_lie(CLIENT, id(), Pretence::Servent(named, 1));
        tell(&mut witness, Some("forged"));
        assert_broke(&witness, &[]);
    }
}
