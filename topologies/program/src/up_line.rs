//! The one line that changes while an overlay comes up, on a terminal.
//!
//! It is gone before anything else is said, also where the program is ended meanwhile. How far the overlay is, and how often that is
//! told, is `fleet`'s.

use std::io::{IsTerminal, Write, stderr};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use rustix::stdio;
use servent::{output, patient};
use topologies::declared::Topology;
use topologies::fleet::{Fleet, FleetProgress};
use topologies::logs::Logs;
use topologies::processes;

/// How long whoever takes the line away waits for whoever draws it, whom a terminal may hold up.
const DRAWING_MAX: Duration = Duration::from_millis(100);

/// To the beginning of the line, and nothing behind it.
const CLEAR: &str = "\r\x1b[J";

/// Where the line is taken away by whoever ends the program, nobody draws it again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineStage {
    Absent,
    Drawing,
    Drawn,
    Over,
}

static STAGE: Mutex<LineStage> = Mutex::new(LineStage::Absent);
static DRAWN: Condvar = Condvar::new();

/// Brings an overlay up until it is linked as declared, and shows meanwhile how far it is.
pub fn bring_up(topology: &Topology, logs: Option<&Logs>) -> anyhow::Result<Fleet> {
    let up_line = UpLine::new();
    let mut show = |progress| up_line.show(progress);
    let mut fleet = Fleet::start_logging(topology, logs, &mut show).with_context(|| {
        let way_out = "where a port is in use, --address 127.0.0.2 takes the same ports elsewhere";
        format!("{} does not come up ({way_out})", topology.name)
    })?;
    fleet.wait_until_linked_showing(topology, &mut show)?;
    Ok(fleet)
}

/// The line, where there is a terminal for it. It is gone once this is.
struct UpLine {
    is_wanted: bool,
}

impl UpLine {
    /// A line that is not drawn yet.
    fn new() -> UpLine {
        let is_wanted = output::can_move_cursor() && stderr().is_terminal();
        if is_wanted {
            processes::do_before_exit(|| take_away(LineStage::Over));
        }
        UpLine { is_wanted }
    }

    /// Draws it.
    fn show(&self, progress: FleetProgress) {
        // A terminal that takes nothing just now, as one held by Ctrl-S, keeps nobody from coming up.
        if !self.is_wanted || !output::has_room(stdio::stderr()) {
            return;
        }
        if !pass_on_to(LineStage::Drawing) {
            return;
        }
        // In the last column a terminal is about to begin another row.
        let columns = output::columns(stdio::stderr()).saturating_sub(1);
        put(&format!("{CLEAR}{}\r", line(progress, columns)));
        pass_on_to(LineStage::Drawn);
    }
}

impl Drop for UpLine {
    fn drop(&mut self) {
        take_away(LineStage::Absent);
    }
}

fn stage() -> MutexGuard<'static, LineStage> {
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nothing comes after the last stage. Whether this was not the last.
fn pass_on_to(next: LineStage) -> bool {
    let mut stage = stage();
    let goes_on = *stage != LineStage::Over;
    if goes_on {
        *stage = next;
    }
    DRAWN.notify_all();
    goes_on
}

fn take_away(then: LineStage) {
    let waited = DRAWN.wait_timeout_while(stage(), DRAWING_MAX, |stage| *stage == LineStage::Drawing);
    let (mut stage, _) = waited.unwrap_or_else(PoisonError::into_inner);
    if *stage == LineStage::Drawn && output::has_room(stdio::stderr()) {
        put(CLEAR);
    }
    if *stage != LineStage::Over {
        *stage = then;
    }
}

/// What cannot be shown is not.
fn put(text: &str) {
    let _ = patient::stderr().write_all(text.as_bytes());
}

/// What it says, in no more columns than these.
fn line(progress: FleetProgress, columns: usize) -> String {
    let FleetProgress { servents, up, linked } = progress;
    let mut line = format!("{up} of {servents} servents are up, {linked} linked");
    line.truncate(columns);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_no_wider_than_the_terminal() {
        let progress = FleetProgress { servents: 30, up: 12, linked: 9 };
        for (columns, expected) in [
            (usize::MAX, "12 of 30 servents are up, 9 linked"),
            (34, "12 of 30 servents are up, 9 linked"),
            (33, "12 of 30 servents are up, 9 linke"),
            (1, "1"),
            (0, ""),
        ] {
            assert_eq!(line(progress, columns), expected);
        }
    }
}
