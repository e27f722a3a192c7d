//! The simulator: the minds, links and codecs of `common` around a clock, a network and a randomness of its own.
//!
//! It replaces nothing of what it runs. `plan` says what is to be run, `scene` draws it from the seed, `contents` what is
//! shared and fetched in it, `writes` what is written, `dialects` who speaks what, and `cast` who takes part; what servents keep stands in `records` on a `torn_disk`; `crowd` runs it as messages alone, for size and speed, and `world` runs
//! it as connections that carry bytes and fail; the crate `oracle` says what must come of it, without a line of the code
//! it judges, and `verdict` holds what came of it against that, for both. Its command line and what is printed are
//! `topology`'s.

pub mod bare;
mod cast;
pub mod contents;
pub mod crowd;
mod dialects;
pub mod faults;
pub mod graph;
pub mod outcome;
pub mod plan;
pub mod random;
pub mod records;
pub mod scene;
pub mod shapes;
pub mod torn_disk;
mod verdict;
pub mod world;
pub mod writes;

use outcome::RunOutcome;
use plan::{Delays, Plan, Wire};
use scene::Scene;

/// Whatever runs a scene.
pub type Engine = fn(&Scene) -> RunOutcome;

/// Runs a scene with the engine it asks for. One that asks for none of the bytes has native ones all the same where faults
/// are to befall them, and where a servent may let one way shadow another: what must come of that is known to the witness
/// of the world alone. So has one whose servents tell each other who is there, or share or keep something, which takes its time.
#[must_use]
pub fn run(scene: &Scene) -> RunOutcome {
    let Plan { wire, delays, ref faults, with_members, contents, writes, .. } = scene.plan;
    let may_shadow = delays != Delays::Equal && scene.forward_once.contains(&true);
    let is_plain =
        wire == Wire::None && faults.is_none() && !may_shadow && !with_members && contents == 0 && writes == 0;
    if is_plain { crowd::run(scene) } else { world::run(scene) }
}
