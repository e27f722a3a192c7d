//! The topology in a form for others to read, once, to stdout or into a file.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use common::query::AnswerBody;
use drawing::Discovery;

use super::{Next, Repl, say};
use crate::program::outcome::Outcome;
use crate::program::topology::{TopologyForm, add, written};
use crate::{Ask, EndReason, Ending, Event, QueryNumber, replace_file};

impl<Out: Write, Side: Write> Repl<Out, Side> {
    /// Asks for the topology, and writes what was found. A file has all of it, or is as it was before.
    pub(super) fn write_topology(&mut self, form: TopologyForm, file: Option<&Path>) -> anyhow::Result<Next> {
        let query = match self.begin_query(&Ask::Topology)? {
            Ok(query) => query,
            Err(next) => return Ok(next),
        };
        let mut discovery = Discovery::at(self.client.contact_goes_by());
        let Some(ending) = self.gather(query, |answer| add_answer(&mut discovery, &answer))? else {
            return Ok(Next::Continue);
        };
        let is_whole = Outcome::of_query(&ending, self.is_lost) == Outcome::Answered;
        self.renderer.show_summary(&Ask::Topology, &ending);
        let next = self.on_query_over(&ending);
        match (discovery.overlay().map(|overlay| overlay.settled()), file) {
            (None, _) => say("client: nobody has answered: nothing is drawn"),
            (Some(_), Some(file)) if !is_whole => {
                say(format_args!("client: not all could be heard: {} is as it was", file.display()));
            }
            (Some(_), None) if ending.reason == EndReason::Cancelled => {}
            (Some(overlay), Some(file)) => {
                if let Err(error) = replace_file(file, &written(form, &overlay)?) {
                    say(format_args!("client: cannot write {}: {error}", file.display()));
                    self.worsen(Outcome::MachineFailed);
                }
            }
            (Some(overlay), None) => {
                let text = written(form, &overlay)?;
                self.renderer.show_bytes(&text).context("cannot write what was found")?;
            }
        }
        Ok(next)
    }

    /// Hands on each answer to a query as it comes, and gives how it ended. Whatever else comes meanwhile is told.
    pub(super) fn gather(
        &mut self,
        query: QueryNumber,
        mut on_answer: impl FnMut(Event),
    ) -> anyhow::Result<Option<Ending>> {
        while let Some((of, event)) = self.next_event(query)? {
            match event {
                Event::Finished(ending) if of == Some(query) => return Ok(Some(ending)),
                answer @ Event::Answer { .. } if of == Some(query) => {
                    if let Event::Answer { from, name, .. } = &answer {
                        self.renderer.names.note(*from, name.as_ref());
                    }
                    on_answer(answer);
                }
                other => self.tell(of, &other, None)?,
            }
        }
        Ok(None)
    }
}

/// One more servent has answered. One that is not kept is a second answer of the same, or beyond all limits.
pub(super) fn add_answer(discovery: &mut Discovery, answer: &Event) {
    if let Event::Answer { from, name, body: AnswerBody::Place { path, neighbors }, .. } = answer {
        add(discovery, *from, name.as_ref(), path, neighbors);
    }
}
