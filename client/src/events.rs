//! What comes of one query, one by one.

use crate::client::Client;
use crate::error::ClientError;
use crate::event::{Event, QueryNumber};

/// What comes of one query, in the order in which it comes, and of the client as a whole meanwhile. It ends after
/// [`Event::Finished`]; each step waits for the next event.
///
/// Dropped before that, it cancels its query, and what still comes for it is nobody's surprise. Events of other queries are
/// kept for [`Client::next_event`]; where they become too many, this one ends in [`ClientError::OthersUntold`]. Every
/// error but [`ClientError::Interrupted`] ends it.
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

    /// Lets the query go on: what more comes of it is told by [`Client::next_event`].
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
            Some(Ok(Event::Finished(_))) => self.has_finished = true,
            Some(Ok(_) | Err(ClientError::Interrupted)) => {}
            Some(Err(_)) | None => self.has_failed = true,
        }
        next
    }
}

impl std::iter::FusedIterator for Events<'_> {}

impl Drop for Events<'_> {
    fn drop(&mut self) {
        if !self.has_finished {
            self.client.abandon(self.query);
        }
    }
}
