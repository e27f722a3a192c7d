//! What comes of one query, of one listing, of one greeting, of one write, or of one watch, one by one.

use crate::client::Client;
use crate::error::ClientError;
use crate::event::{Event, QueryNumber};

/// What comes of one query (or of one listing of members or files, one greeting, one write, or one watch, which are meant as well where a query is), in the
/// order in which it comes, and of the client as a whole meanwhile. It ends after [`Event::Finished`], [`Event::Listed`],
/// [`Event::FilesListed`], [`Event::Greeted`], [`Event::Written`] or [`Event::WatchEnded`], and after any error; each step waits for the next event.
///
/// Dropped before its query has finished, also after an error, it cancels the query, and what still comes for it is
/// nobody's surprise. Events of other queries are kept for [`Client::next_event`]; where they become too many, this one
/// ends in [`ClientError::OthersUntold`]. Who wants to go on after an error [leaves](Events::leave) it: the query is
/// pending still, and what comes of it and of the others is taken with [`Client::next_event`].
#[derive(Debug)]
pub struct Events<'a> {
    client: &'a mut Client,
    query: QueryNumber,
    /// There is nothing to cancel.
    has_finished: bool,
    has_failed: bool,
}

impl<'a> Events<'a> {
    pub(crate) fn new(client: &'a mut Client, query: QueryNumber) -> Events<'a> {
        Events { client, query, has_finished: false, has_failed: false }
    }

    /// Which query this is.
    #[must_use]
    pub fn query(&self) -> QueryNumber {
        self.query
    }

    /// Lets the query go on, also after an error: what more comes of it is told by [`Client::next_event`].
    pub fn leave(mut self) -> QueryNumber {
        self.has_finished = true;
        self.query
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Event, ClientError>;

    fn next(&mut self) -> Option<Result<Event, ClientError>> {
        if self.has_finished || self.has_failed {
            return None;
        }
        let query = self.query;
        let next = self.client.next_of(|network| network.untold.pop_for(query)).transpose();
        match &next {
            Some(Ok(event)) => self.has_finished = is_end(event),
            Some(Err(_)) | None => self.has_failed = true,
        }
        next
    }
}

/// Whether nothing more is told after it.
fn is_end(event: &Event) -> bool {
    matches!(
        event,
        Event::Finished(_)
            | Event::Listed(_)
            | Event::FilesListed(_)
            | Event::Greeted(_)
            | Event::Written(_)
            | Event::WatchEnded(_)
    )
}

impl std::iter::FusedIterator for Events<'_> {}

impl Drop for Events<'_> {
    fn drop(&mut self) {
        if !self.has_finished {
            self.client.abandon(self.query);
        }
    }
}
