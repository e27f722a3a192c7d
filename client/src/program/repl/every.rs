//! One command, asked again and again until Ctrl-C: the topology as a picture that stays, and of a key only what changed.
//!
//! What has changed is found by `program/every`. Between two askings nothing is heard but Ctrl-C, that the terminal has another
//! size, and that nobody reads the output any more.

use std::io::{ErrorKind, IsTerminal, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::Context;
use common::counted::counted;
use drawing::{Discovery, OverlayFigures, Since, TerminalStyle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::SIGWINCH;

use super::topology::add_answer;
use super::{Next, Repl, say};
use crate::program::every::{AnswersFollowed, OverlayChange, TopologyFollowed};
use crate::program::terminal::{can_clear, results, rows_of_results};
use crate::program::topology::style_of_results;
use crate::{Ask, EndReason, Ending};

/// Changes that are told below the picture; how many more there are is said.
const CHANGES_SHOWN: usize = 8;

/// To the top of the screen. What scrolled away before is left as it is.
const TO_THE_TOP: &str = "\x1b[H";
/// What is behind a line, and below the last.
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// What is followed.
enum Followed {
    Topology(TopologyFollowed),
    Answers(AnswersFollowed),
}

/// Why a pause is over.
enum PauseEnd {
    Over,
    Interrupted,
    Resized,
}

impl<Out: Write, Side: Write> Repl<Out, Side> {
    /// Asks again each time so long has passed since it was asked before, at once where that took longer.
    pub(super) fn follow(&mut self, ask: &Ask, every: Duration) -> anyhow::Result<Next> {
        let (resized, on_resize) = UnixStream::pair().context("cannot make a pipe for signals")?;
        resized.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGWINCH, on_resize).context("cannot watch for signals")?;
        let mut followed = if *ask == Ask::Topology {
            Followed::Topology(TopologyFollowed::default())
        } else {
            Followed::Answers(AnswersFollowed::default())
        };
        let mut was_whole = true;
        loop {
            let asked_at = Instant::now();
            match self.begin_query(ask)? {
                Ok(query) => {
                    let mut discovery = Discovery::at(self.client.contact_goes_by());
                    let ending = self.gather(query, |answer| match &mut followed {
                        Followed::Topology(_) => add_answer(&mut discovery, &answer),
                        Followed::Answers(answers) => answers.hear(answer),
                    })?;
                    let Some(ending) = ending else { return Ok(Next::Continue) };
                    let is_whole = is_whole(&ending);
                    // Then there is no use in asking again.
                    if matches!(ending.reason, EndReason::Cancelled | EndReason::NotUnderstood) {
                        return Ok(self.on_query_over(&ending));
                    }
                    self.show_followed(&mut followed, ask, &discovery, is_whole, every)?;
                    // What was said of the last time holds until it is otherwise, or the picture has taken its place.
                    if !is_whole && (was_whole || self.shows_picture()) {
                        self.renderer.show_summary(ask, &ending);
                        self.on_query_over(&ending);
                    }
                    was_whole = is_whole;
                }
                // The next time there may be one again.
                Err(Next::Lost) => {}
                Err(next) => return Ok(next),
            }
            loop {
                let left = every.saturating_sub(asked_at.elapsed());
                match self.pause(left, &resized)? {
                    PauseEnd::Over => break,
                    PauseEnd::Interrupted => {
                        // The terminal has shown ^C and left the cursor behind it.
                        self.renderer.show_aside("");
                        return Ok(Next::Interrupted);
                    }
                    PauseEnd::Resized => {
                        if let Followed::Topology(topology) = &followed
                            && self.shows_picture()
                        {
                            self.show_picture(topology, every)?;
                        }
                    }
                }
            }
        }
    }

    fn show_followed(
        &mut self,
        followed: &mut Followed,
        ask: &Ask,
        discovery: &Discovery,
        is_whole: bool,
        every: Duration,
    ) -> anyhow::Result<()> {
        match followed {
            Followed::Topology(topology) => {
                let Some(overlay) = discovery.overlay() else { return Ok(()) };
                let changes = topology.note(&overlay.settled(), is_whole);
                if self.renderer.json {
                    if let Some(now) = topology.now().filter(|_| topology.is_other()) {
                        self.renderer.show_topology(now)?;
                    }
                } else if self.shows_picture() {
                    self.show_picture(topology, every)?;
                } else {
                    changes.iter().try_for_each(|change| self.renderer.show_line(&change_line(change)))?;
                }
            }
            Followed::Answers(answers) => {
                let changed = answers.end(is_whole);
                for (from, value) in &changed.gone {
                    self.renderer.show_gone(ask, *from, value)?;
                }
                changed.new.iter().try_for_each(|answer| self.renderer.show_new_answer(ask, answer))?;
                if changed.unkept > 0 {
                    say(format_args!("client: {} too many to be compared", counted(changed.unkept, "answer")));
                }
            }
        }
        Ok(())
    }

    /// Whether there is a screen on which a picture can stay.
    fn shows_picture(&self) -> bool {
        self.renderer.columns && can_clear() && std::io::stdout().is_terminal()
    }

    fn show_picture(&mut self, topology: &TopologyFollowed, every: Duration) -> anyhow::Result<()> {
        let Some((marked, changes)) = topology.marked() else { return Ok(()) };
        let Some(now) = topology.now() else { return Ok(()) };
        let pause = humantime::format_duration(every);
        let head = format!("T every {pause} at {}, Ctrl-C ends", self.place.contact);
        let style = style_of_results();
        let drawn = drawing::drawn(&marked, &style);
        let mut foot = vec![OverlayFigures::of(now).to_string()];
        foot.extend(changes.iter().take(CHANGES_SHOWN).map(|change| self.change_words(change)));
        if changes.len() > CHANGES_SHOWN {
            foot.push(format!("and {} more", counted(changes.len() - CHANGES_SHOWN, "change")));
        }
        let cut = |line: &str| style.cut(line);
        let foot: Vec<String> = foot.iter().map(|line| cut(line)).collect();
        let picture = fitted(&cut(&head), &drawn, &foot, rows_of_results(), &style);
        let picture: String = picture.lines().flat_map(|line| [line, CLEAR_LINE, "\n"]).collect();
        self.renderer.show_bytes(format!("{TO_THE_TOP}{picture}{CLEAR_BELOW}").as_bytes())?;
        Ok(())
    }

    /// For people.
    fn change_words(&self, change: &OverlayChange) -> String {
        let called = |servent: &SocketAddr| self.renderer.called(*servent);
        match change {
            OverlayChange::Servent(servent, Since::Gone) => format!("- {} left", called(servent)),
            OverlayChange::Servent(servent, _) => format!("+ {} joined", called(servent)),
            OverlayChange::Linked(one, other, Since::Gone) => {
                format!("- the link of {} and {} is gone", called(one), called(other))
            }
            OverlayChange::Linked(one, other, _) => format!("+ {} and {} are linked", called(one), called(other)),
        }
    }

    fn pause(&mut self, left: Duration, resized: &UnixStream) -> anyhow::Result<PauseEnd> {
        let time = Timespec::try_from(left).context("the pause is too long")?;
        // Of an output only its end is heard: nobody reads any more.
        let out = results();
        let mut ends = [
            PollFd::new(&self.interrupt, PollFlags::IN),
            PollFd::new(resized, PollFlags::IN),
            PollFd::new(&out, PollFlags::empty()),
        ];
        match poll(&mut ends, Some(&time)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait"),
        }
        if ends.last().is_some_and(|out| out.revents().contains(PollFlags::ERR)) {
            return Err(std::io::Error::from(ErrorKind::BrokenPipe).into());
        }
        if self.take_interrupt() {
            return Ok(PauseEnd::Interrupted);
        }
        let mut is_resized = false;
        while rustix::io::read(resized.as_fd(), &mut [0; 64]).is_ok_and(|count| count > 0) {
            is_resized = true;
        }
        Ok(if is_resized { PauseEnd::Resized } else { PauseEnd::Over })
    }
}

/// Whether all that was asked is known to have been heard.
fn is_whole(ending: &Ending) -> bool {
    ending.reason == EndReason::Complete
        && ending.missing == 0
        && !ending.doubtful
        && ending.tally.lost == 0
        && ending.tally.silent == 0
}

/// For programs: `+` or `-`, and a servent, or the two ends of a link.
fn change_line(change: &OverlayChange) -> String {
    let sign = |since: &Since| if *since == Since::Gone { '-' } else { '+' };
    match change {
        OverlayChange::Servent(servent, since) => format!("{} {servent}", sign(since)),
        OverlayChange::Linked(one, other, since) => format!("{} {one} {other}", sign(since)),
    }
}

/// A picture of no more lines than there are rows: first what is drawn is cut, and then what is said of it.
fn fitted(head: &str, drawn: &str, foot: &[String], rows: Option<usize>, style: &TerminalStyle) -> String {
    let lines: Vec<&str> = drawn.lines().collect();
    // The cursor waits below the last.
    let rows = rows.map_or(usize::MAX, |rows| rows.saturating_sub(2));
    let foot = foot.get(..rows.saturating_sub(1).min(foot.len())).unwrap_or_default();
    let room = rows.saturating_sub(foot.len());
    let mut picture = format!("{head}\n");
    let shown = if lines.len() <= room { lines.len() } else { room.saturating_sub(1) };
    lines.iter().take(shown).for_each(|line| picture.extend([line, "\n"]));
    if shown < lines.len() && room > 0 {
        let left = counted(lines.len() - shown, "more line");
        let line = style.cut(&format!("({left} of the drawing, for which there is no room)"));
        picture.extend([&*line, "\n"]);
    }
    foot.iter().for_each(|line| picture.extend([line, "\n"]));
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_no_more_lines_than_the_screen() {
        let foot = ["2 servents", "+ 1", "+ 2", "+ 3"].map(str::to_owned);
        let style = TerminalStyle { columns: 80, unicode: true, colour: false };
        let fitted = |drawn, count: usize, rows| fitted("head", drawn, &foot[..count], rows, &style);
        assert_eq!(fitted("a\nb\n", 1, None), "head\na\nb\n2 servents\n");
        assert_eq!(fitted("a\nb\n", 1, Some(5)), "head\na\nb\n2 servents\n");
        assert_eq!(
            fitted("a\nb\nc\n", 1, Some(5)),
            "head\na\n(2 more lines of the drawing, for which there is no room)\n2 servents\n"
        );
        for rows in 2..12 {
            for count in 0..=foot.len() {
                for drawn in ["", "a\n", "a\nb\nc\nd\ne\n"] {
                    let lines = fitted(drawn, count, Some(rows)).lines().count();
                    assert!(lines < rows.max(3), "{lines} of {rows}");
                }
            }
        }
        assert_eq!(fitted("a\n", 1, Some(0)), "head\n");
    }
}
