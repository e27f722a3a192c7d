//! One command, asked again and again until Ctrl-C: the topology as a picture that stays, and of a key only what changed.
//!
//! What has changed is found by `program/every`. Between two askings nothing is read but Ctrl-C and that the terminal has another
//! size.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::Context;
use common::counted::counted;
use common::query::AnswerBody;
use drawing::{OverlayFigures, Since};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::SIGWINCH;

use super::{Next, Repl, say};
use crate::program::every::{AnswersFollowed, OverlayChange, TopologyFollowed};
use crate::program::terminal::{can_clear, rows_of_results};
use crate::program::topology::{found, style_of_results};
use crate::{Ask, EndReason, Ending, Event};

/// Changes that are told below the picture; how many more there are is said.
const CHANGES_SHOWN: usize = 8;

/// The whole screen, from the top.
const CLEAR_SCREEN: &str = "\x1b[H\x1b[2J\x1b[3J";

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
                    let Some((answers, ending)) = self.gather(query)? else { return Ok(Next::Continue) };
                    let is_whole = is_whole(&ending);
                    // Then there is no use in asking again.
                    if matches!(ending.reason, EndReason::Cancelled | EndReason::NotUnderstood) {
                        return Ok(self.on_query_over(&ending));
                    }
                    self.show_followed(&mut followed, ask, &answers, is_whole, every)?;
                    // What was said of the last time holds until it is otherwise.
                    if is_whole != was_whole {
                        was_whole = is_whole;
                        self.on_query_over(&ending);
                    }
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
        answers: &[Event],
        is_whole: bool,
        every: Duration,
    ) -> anyhow::Result<()> {
        for answer in answers {
            if let Event::Answer { from, name, .. } = answer {
                self.renderer.names.note(*from, name.as_ref());
            }
        }
        match followed {
            Followed::Topology(topology) => {
                let Some(overlay) = found(self.client.contact_goes_by(), answers) else { return Ok(()) };
                let changes = topology.note(&overlay.settled(), is_whole);
                if self.renderer.json {
                    if let (Some(now), false) = (topology.now(), changes.is_empty()) {
                        self.renderer.show_topology(now)?;
                    }
                } else if self.shows_picture() {
                    self.show_picture(topology, every)?;
                } else {
                    changes.iter().try_for_each(|change| self.renderer.show_line(&change_line(change)))?;
                }
            }
            Followed::Answers(followed) => {
                let value = |answer: &Event| match answer {
                    Event::Answer { from, body: AnswerBody::Value(value), .. } => Some((*from, value.clone())),
                    _ => None,
                };
                let values: BTreeMap<_, _> = answers.iter().filter_map(value).collect();
                let changed = followed.note(values, is_whole);
                for (from, value) in &changed.gone {
                    self.renderer.show_gone(ask, *from, value)?;
                }
                for answer in answers {
                    if let Event::Answer { from, .. } = answer
                        && changed.new.binary_search(from).is_ok()
                    {
                        self.renderer.show_new_answer(ask, answer)?;
                    }
                }
                if changed.forgotten > 0 {
                    say(format_args!("client: {} too many to be compared", counted(changed.forgotten, "answer")));
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
        let drawn = drawing::drawn(&marked, &style_of_results());
        let mut foot = vec![OverlayFigures::of(now).to_string()];
        foot.extend(changes.iter().take(CHANGES_SHOWN).map(|change| self.change_words(change)));
        if changes.len() > CHANGES_SHOWN {
            foot.push(format!("and {} more", counted(changes.len() - CHANGES_SHOWN, "change")));
        }
        let picture = fitted(&head, &drawn, &foot, rows_of_results());
        self.renderer.show_bytes(format!("{CLEAR_SCREEN}{picture}").as_bytes())?;
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
        let mut ends = [PollFd::new(&self.interrupt, PollFlags::IN), PollFd::new(resized, PollFlags::IN)];
        match poll(&mut ends, Some(&time)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait"),
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

/// Whether all that was asked has been heard, as far as anybody can know.
fn is_whole(ending: &Ending) -> bool {
    ending.missing == 0 && ending.tally.lost == 0
}

/// For programs: `+` or `-`, and a servent, or the two ends of a link.
fn change_line(change: &OverlayChange) -> String {
    let sign = |since: &Since| if *since == Since::Gone { '-' } else { '+' };
    match change {
        OverlayChange::Servent(servent, since) => format!("{} {servent}", sign(since)),
        OverlayChange::Linked(one, other, since) => format!("{} {one} {other}", sign(since)),
    }
}

/// A picture of no more lines than there are rows: what is drawn is cut, what is said of it is not.
fn fitted(head: &str, drawn: &str, foot: &[String], rows: Option<usize>) -> String {
    let lines: Vec<&str> = drawn.lines().collect();
    // The cursor waits below the last.
    let room = rows.map_or(usize::MAX, |rows| rows.saturating_sub(2 + foot.len()));
    let mut picture = format!("{head}\n");
    let shown = if lines.len() <= room { lines.len() } else { room.saturating_sub(1) };
    lines.iter().take(shown).for_each(|line| picture.extend([line, "\n"]));
    if shown < lines.len() {
        let left = counted(lines.len() - shown, "more line");
        picture.push_str(&format!("({left} of the drawing, for which there is no room)\n"));
    }
    foot.iter().for_each(|line| picture.extend([line, "\n"]));
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_no_more_lines_than_the_screen() {
        let foot = ["2 servents".to_owned()];
        assert_eq!(fitted("head", "a\nb\n", &foot, None), "head\na\nb\n2 servents\n");
        assert_eq!(fitted("head", "a\nb\n", &foot, Some(5)), "head\na\nb\n2 servents\n");
        assert_eq!(
            fitted("head", "a\nb\nc\n", &foot, Some(5)),
            "head\na\n(2 more lines of the drawing, for which there is no room)\n2 servents\n"
        );
        assert_eq!(
            fitted("head", "a\n", &foot, Some(0)),
            "head\n(1 more line of the drawing, for which there is no room)\n2 servents\n"
        );
    }
}
