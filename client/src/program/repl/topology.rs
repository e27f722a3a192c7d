//! The topology in a form for others to read, once, to stdout or into a file.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use super::{Next, Repl, say};
use crate::program::outcome::Outcome;
use crate::program::topology::{TopologyForm, found, written};
use crate::{Ask, Ending, Event, QueryNumber, replace_file};

impl<Out: Write, Side: Write> Repl<Out, Side> {
    /// Asks for the topology, and writes what was found. A file has all of it, or is as it was before.
    pub(super) fn write_topology(&mut self, form: TopologyForm, file: Option<&Path>) -> anyhow::Result<Next> {
        let query = match self.begin_query(&Ask::Topology)? {
            Ok(query) => query,
            Err(next) => return Ok(next),
        };
        let Some((answers, ending)) = self.gather(query)? else { return Ok(Next::Continue) };
        let Some(overlay) = found(self.client.contact_goes_by(), &answers) else {
            say("client: nobody has answered: nothing is drawn");
            return Ok(self.on_query_over(&ending));
        };
        let text = written(form, &overlay.settled())?;
        match file {
            Some(file) => {
                if let Err(error) = replace_file(file, &text) {
                    say(format_args!("client: cannot write {}: {error}", file.display()));
                    self.worsen(Outcome::MachineFailed);
                }
            }
            None => self.renderer.show_bytes(&text).context("cannot write what was found")?,
        }
        self.renderer.show_summary(&Ask::Topology, &ending);
        Ok(self.on_query_over(&ending))
    }

    /// The answers to a query, in the order of arrival, and how it ended. Whatever else comes meanwhile is told.
    pub(super) fn gather(&mut self, query: QueryNumber) -> anyhow::Result<Option<(Vec<Event>, Ending)>> {
        let mut answers = Vec::new();
        while let Some((of, event)) = self.next_event(query)? {
            match event {
                Event::Finished(ending) if of == Some(query) => return Ok(Some((answers, ending))),
                answer @ Event::Answer { .. } if of == Some(query) => answers.push(answer),
                other => self.tell(of, &other, None)?,
            }
        }
        Ok(None)
    }
}
