//! What can go wrong, in types: at the start, with one query, and with a client as a whole.

use std::error::Error;
use std::fmt;
use std::io;

use common::content::search::FileNameError;
use common::counted::grouped;
use common::key::KeyError;
use common::limits::{DESCRIPTION_BYTES_MAX, VALUE_BYTES_MAX};
use common::session::{FilesPending, GreetingPending, ListingPending, TooManyPending, TooManyWatches, TooManyWrites};
use common::wire::EncodeError;
use rustix::io::Errno;
use servent::sockets::ResolveError;
use thiserror::Error;

/// What the system says, in whatever type.
type Cause = Box<dyn Error + Send + Sync>;

/// Why there is no contact to ask.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// What was named as the contact is not written as one is.
    #[error(transparent)]
    NotAContact(ResolveError),
    /// There is no servent at any of the contact's addresses, or it does not want us.
    #[error("no servent at contact {contact}: {reason}")]
    NoServent {
        /// The contact as it was named.
        contact: String,
        /// What is the matter; where it has several addresses, at each.
        reason: String,
    },
    /// Without an answer port all answers come back by way of the contact, and this one speaks a dialect in which none do.
    #[error(
        "contact {contact} speaks a dialect in which no answers come back: it can only be asked with an answer port"
    )]
    NoWayBack {
        /// The contact as it was named.
        contact: String,
    },
    /// What was given to [`Client::interrupt_on`](crate::Client::interrupt_on) is readable, and there was no contact yet.
    #[error("no servent at contact {contact}: {reason}")]
    Interrupted {
        /// The contact as it was named.
        contact: String,
        /// What was the matter until then.
        reason: String,
    },
    /// Nobody can be asked what the name of the contact stands for, because of what this machine has left.
    #[error(transparent)]
    CannotLookUp(ResolveError),
    /// Events wait to be taken, and are so many that nothing more is read, no hello of a contact either.
    #[error("events are to be taken first")]
    EventsUntold,
    /// This machine has no descriptor, no port or no memory left.
    #[error("{what}")]
    Machine {
        /// What was not possible.
        what: &'static str,
        /// What the system says.
        source: Cause,
    },
}

impl ConnectError {
    pub(crate) fn machine(what: &'static str) -> impl FnOnce(io::Error) -> ConnectError {
        move |source| ConnectError::Machine { what, source: source.into() }
    }

    pub(crate) fn no_servent(contact: impl Into<String>, reason: impl fmt::Display) -> ConnectError {
        ConnectError::NoServent { contact: contact.into(), reason: format!("{reason}") }
    }

    pub(crate) fn interrupted(contact: impl Into<String>, reason: impl fmt::Display) -> ConnectError {
        ConnectError::Interrupted { contact: contact.into(), reason: format!("{reason}") }
    }

    pub(crate) fn unresolved(contact: &str, error: ResolveError) -> ConnectError {
        match error.of_the_system() {
            Some(cause) if is_of_this_machine(cause) => ConnectError::CannotLookUp(error),
            // A name that means nothing is a contact that cannot be reached, and no slip of the pen.
            Some(cause) if cause.kind() != io::ErrorKind::InvalidInput => ConnectError::no_servent(contact, cause),
            _ => ConnectError::NotAContact(error),
        }
    }
}

/// An error with all that it came of, as a person reads it.
pub(crate) fn with_causes(error: &dyn Error) -> impl fmt::Display {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Why a query was not begun. Nothing became of the others, and the contact is what it was.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AskError {
    /// No key has so many bytes.
    #[error(transparent)]
    NotAKey(#[from] KeyError),
    /// The dialect of the contact has no words for it.
    #[error(transparent)]
    NotSayable(#[from] EncodeError),
    /// As many queries are pending as may be: one has to finish first.
    #[error(transparent)]
    TooManyPending(#[from] TooManyPending),
    /// Members are being listed: that has to be over first.
    #[error(transparent)]
    ListingPending(#[from] ListingPending),
    /// A servent is being greeted: that has to be over first.
    #[error(transparent)]
    GreetingPending(#[from] GreetingPending),
    /// Files are being listed: that has to be over first.
    #[error(transparent)]
    FilesPending(#[from] FilesPending),
    /// No file has such a name.
    #[error(transparent)]
    NotAFileName(#[from] FileNameError),
    /// No value has so many bytes.
    #[error("value of {} bytes, {} is the most", grouped(*.0), grouped(VALUE_BYTES_MAX))]
    ValueTooLong(usize),
    /// No description has so many bytes.
    #[error("description of {} bytes, {} is the most", grouped(*.0), grouped(DESCRIPTION_BYTES_MAX))]
    DescriptionTooLong(usize),
    /// Of too many writes the contact has yet to say what came of them: it has to, first.
    #[error(transparent)]
    TooManyWrites(#[from] TooManyWrites),
    /// As many keys are watched as may be.
    #[error(transparent)]
    TooManyWatches(#[from] TooManyWatches),
    /// The contact leaves unread what was asked before, and there is no room for more until it reads.
    #[error("the contact leaves unread what was asked before; ask again later")]
    Busy,
    /// There is no contact any more.
    #[error("the contact is lost")]
    ContactLost,
}

/// Why a client does not go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The system lets nobody wait.
    #[error("cannot wait for sockets")]
    Wait(#[source] io::Error),
    /// What was given to [`Client::interrupt_on`](crate::Client::interrupt_on) is readable. Once it is not any more, the
    /// client goes on as if nothing had been; an iterator of [`Events`](crate::Events) has ended.
    #[error("interrupted")]
    Interrupted,
    /// Events of other queries wait to be taken, and are so many that nothing more is read: what comes of this one cannot
    /// be waited for. The way out is to [leave](crate::Events::leave) the iterator, where its query is to go on, and to
    /// take what there is with [`Client::next_event`](crate::Client::next_event).
    #[error("events of other queries are to be taken first")]
    OthersUntold,
}

/// Whether an error is about what this machine has left, and not about whom we wanted to reach.
pub(crate) fn is_of_this_machine(error: &io::Error) -> bool {
    let own = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    error.raw_os_error().is_some_and(|code| own.iter().any(|errno| errno.raw_os_error() == code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_lacks_is_no_fault_of_a_contact() {
        let io = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        assert!(is_of_this_machine(&io(Errno::MFILE)));
        assert!(!is_of_this_machine(&io(Errno::CONNREFUSED)));
        assert!(!is_of_this_machine(&io::Error::other("anything")));
    }
}
