//! The client as its user sees it: what is asked, and how what comes of it is waited for.
//!
//! What happens on the sockets is `network`.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use common::address::Neighbor;
use common::content::search::FileName;
use common::key::Key;
use common::limits::{DESCRIPTION_BYTES_MAX, SILENCE_DEFAULT, VALUE_BYTES_MAX};
use common::query::Ask;
use common::servent_name::ServentName;
use common::session::Question;
use common::write::Change;
use servent::sockets;

use crate::error::{AskError, ClientError, ConnectError};
use crate::event::{Event, QueryNumber};
use crate::events::Events;
use crate::network::Sockets;
use crate::untold::Told;

/// Turns spent on what came while nobody looked: somebody who never stops sending must not keep the caller for ever.
const CATCH_UP_TURNS_MAX: usize = 64;

/// A connection to a contact, through which a whole overlay is asked.
///
/// It has no thread of its own, but for one that writes what [`Client::stream`] brings, as long as that takes: everything else
/// is done while one of its methods runs, in the thread that calls it. Between
/// calls nothing is read; what comes waits in the system's buffers, and then at those who send it. While 1,024
/// events wait to be taken, or 4 MiB of values, nothing is read either; more are kept only of what needs no reading: the
/// end of each query that is pending.
///
/// Whoever answers connects, where that can be: up to 4,096 connections at once, for each of which the process needs a
/// descriptor. The limit on these is its own to raise; where it is reached, [`Event::NotListening`] says so. What cannot be
/// dialled comes back by way of the contact, and the client itself connects to whoever has a value that is too long for
/// that, to 16 at once. [`Client::connect_without_port`] has everything come back.
///
/// # Time
///
/// A query waits so long for its next answer, and time passes for it while a method of the client waits, and while the
/// caller waits by itself: that is from the moment [`ready`](Client::ready) said that there is nothing to tell, or
/// [`take_event`](Client::take_event) gave nothing, until `ready` or a method that waits is called. While the caller is
/// busy with an event, the time of the client stands still, and no query ends for that.
///
/// A caller that is back from its own wait later than [`deadline`](Client::deadline) loses nothing that came in time: what
/// has come is read before any silence is told, and the wait that was too long is not counted (but of such waits every
/// second one is, so that every query finds its end).
///
/// # Threads
///
/// A client may be handed to another thread. Asked from two threads at once it does not compile, because everything that
/// asks takes `&mut self`; behind a lock it is one at a time.
///
/// ```
/// fn may_be_handed_to_another_thread<T: Send>() {}
/// may_be_handed_to_another_thread::<client::Client>();
/// ```
///
/// In one thread it does:
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = client::Client::connect("9000")?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| client.ask("coffee").map(Iterator::count));
/// });
/// # Ok(())
/// # }
/// ```
///
/// And in two it does not:
///
/// ```compile_fail,E0499
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut client = client::Client::connect("9000")?;
/// std::thread::scope(|scope| {
///     scope.spawn(|| client.ask("coffee").map(Iterator::count));
///     scope.spawn(|| client.ask("tea").map(Iterator::count));
/// });
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client {
    pub(crate) network: Sockets,
    contact: Neighbor,
}

impl Client {
    /// Connects to a contact, and waits until it has said hello: `9000` (on this machine), `host:9000`, `[::1]:9000`, or
    /// `tp3://host:9000` where it speaks TP3. Of a name with several addresses each is tried in turn, within 15 s in all;
    /// looking up the name comes before, and takes as long as the system lets it.
    ///
    /// # Errors
    ///
    /// Where there is no servent at any of the addresses, or this machine cannot connect or listen.
    pub fn connect(contact: &str) -> Result<Client, ConnectError> {
        Client::connect_with(contact, Some(0))
    }

    /// As [`connect`](Client::connect), with the port to hear answers on: servents connect to it, so it has to be one that
    /// a firewall lets them reach. 0 is any.
    ///
    /// # Errors
    ///
    /// As [`connect`](Client::connect), and where that port is in use.
    pub fn connect_from(contact: &str, answer_port: u16) -> Result<Client, ConnectError> {
        Client::connect_with(contact, Some(answer_port))
    }

    /// As [`connect`](Client::connect), and opens no port: nobody is to connect to this machine, be it that nobody can. All
    /// answers come back the way the query went ([`Via::Back`](crate::Via::Back)), and a query of which something was lost is
    /// over at once, because nothing of it is on its way any more.
    ///
    /// # Errors
    ///
    /// As [`connect`](Client::connect), and where the contact brings no answers back: it is older than that, or speaks TP3.
    pub fn connect_without_port(contact: &str) -> Result<Client, ConnectError> {
        Client::connect_with(contact, None)
    }

    /// Connects to another contact as this client was connected to its own: answers come in the same way, and what ends the
    /// waits of this one ([`interrupt_on`](Client::interrupt_on)) ends those of the other, from the first. Neither knows of
    /// the other.
    ///
    /// # Errors
    ///
    /// As [`connect`](Client::connect), and where the wait was interrupted; without an answer port as
    /// [`connect_without_port`](Client::connect_without_port).
    pub fn connect_beside(&self, contact: &str) -> Result<Client, ConnectError> {
        Client::connect_with_interrupt(contact, self.answers_at().map(|_| 0), self.network.interrupt())
    }

    fn connect_with(contact: &str, answer_port: Option<u16>) -> Result<Client, ConnectError> {
        Client::connect_with_interrupt(contact, answer_port, None)
    }

    fn connect_with_interrupt(
        contact: &str,
        answer_port: Option<u16>,
        interrupt: Option<(BorrowedFd<'_>, &'static str)>,
    ) -> Result<Client, ConnectError> {
        let contact = sockets::resolve(contact).map_err(|error| ConnectError::unresolved(contact, error))?;
        let network = Sockets::attach(&contact, answer_port, interrupt)?;
        Ok(Client { network, contact })
    }

    /// Asks every servent within reach for the value of a key, and waits for answers for as long as is usual (4 s after
    /// the last).
    ///
    /// # Errors
    ///
    /// As [`begin`](Client::begin), and where a key cannot have so many bytes.
    pub fn ask(&mut self, key: impl AsRef<[u8]>) -> Result<Events<'_>, AskError> {
        self.events(Question::new(Ask::Key(Key::new(key.as_ref())?)))
    }

    /// Asks every servent within reach for its place, and waits as [`ask`](Client::ask) does.
    ///
    /// # Errors
    ///
    /// As [`begin`](Client::begin).
    pub fn topology(&mut self) -> Result<Events<'_>, AskError> {
        self.events(Question::new(Ask::Topology))
    }

    /// Asks the contact, and nobody else, which servents it has heard of, and waits for its next page of them for as long as
    /// is usual (4 s).
    ///
    /// ```no_run
    /// use client::{Client, Event};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = Client::connect("127.0.0.1:9000")?;
    /// for event in client.members()? {
    ///     match event? {
    ///         Event::Members(members) => {
    ///             for member in members {
    ///                 println!("{} is {}: {}", member.address, member.word, member.how());
    ///             }
    ///         }
    ///         Event::Listed(listed) => println!("{} members: {}", listed.members, listed.reason.word()),
    ///         other => println!("{other:?}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`begin_members`](Client::begin_members).
    pub fn members(&mut self) -> Result<Events<'_>, AskError> {
        let listing = self.begin_members(SILENCE_DEFAULT)?;
        Ok(Events::new(self, listing))
    }

    /// The same, waiting so long for each page, and gives the number by which what comes of it is told: members
    /// ([`Event::Members`]) and how it ended ([`Event::Listed`]). A contact that does not tell of members is not asked, and
    /// that is the end of it ([`ListingEnd::NotUnderstood`](crate::ListingEnd::NotUnderstood)). Queries go on meanwhile.
    ///
    /// # Errors
    ///
    /// Where the contact is lost, or members are being listed: one listing at a time is the most.
    pub fn begin_members(&mut self, silence_max: Duration) -> Result<QueryNumber, AskError> {
        self.network.begin_members(silence_max)
    }

    /// Asks the contact, and nobody else, which files it shares whose names begin like this, and waits for the next of them for
    /// as long as is usual (4 s).
    ///
    /// ```no_run
    /// use client::{Client, Event};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = Client::connect("127.0.0.1:9000")?;
    /// for event in client.files("films/")? {
    ///     let Event::Files(entries) = event? else { continue };
    ///     for entry in entries {
    ///         println!("{} {} {}", entry.name, entry.size, entry.hash);
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`begin_files`](Client::begin_files).
    pub fn files(&mut self, prefix: impl AsRef<[u8]>) -> Result<Events<'_>, AskError> {
        let listing = self.begin_files(prefix, SILENCE_DEFAULT)?;
        Ok(Events::new(self, listing))
    }

    /// The same, waiting so long for each part, and gives the number by which what comes of it is told: files
    /// ([`Event::Files`]) and how it ended ([`Event::FilesListed`]). A contact that has no words for files is not asked, and
    /// that is the end of it ([`ListingEnd::NotUnderstood`](crate::ListingEnd::NotUnderstood)). Queries go on meanwhile.
    ///
    /// # Errors
    ///
    /// Where the contact is lost, or files are being listed: one listing at a time is the most.
    pub fn begin_files(&mut self, prefix: impl AsRef<[u8]>, silence_max: Duration) -> Result<QueryNumber, AskError> {
        self.network.begin_files(prefix.as_ref(), silence_max)
    }

    /// Has the contact greet whoever is at an address, once: it looks who is there, trades what both have heard of members,
    /// leaves, and says what that changed. It does so only for clients of its own host, which reach it by a loopback address;
    /// an address of loopback is one of that host too.
    ///
    /// ```no_run
    /// use client::{Client, Event, GreetEnd};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = Client::connect("127.0.0.1:9000")?;
    /// for event in client.greet(([127, 0, 0, 1], 9003).into())? {
    ///     let Event::Greeted(greeting) = event? else { continue };
    ///     match greeting.end {
    ///         GreetEnd::Told(greeted) => println!("{:?}: {} members are new", greeted.outcome, greeted.new_count),
    ///         other => println!("nobody was greeted: {}", other.word()),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`begin_greeting`](Client::begin_greeting).
    pub fn greet(&mut self, address: SocketAddr) -> Result<Events<'_>, AskError> {
        let greeting = self.begin_greeting(address, SILENCE_DEFAULT)?;
        Ok(Events::new(self, greeting))
    }

    /// The same, waiting so long for what comes of it, and gives the number by which that is told ([`Event::Greeted`]). A
    /// contact gives up after 3 s where nobody is reached. One that does not tell of members is not asked, nor is one to greet itself, and that is the end of it
    /// ([`GreetEnd::NotUnderstood`](crate::GreetEnd::NotUnderstood), [`GreetEnd::Itself`](crate::GreetEnd::Itself)). Queries, and a
    /// listing of members, go on meanwhile.
    ///
    /// # Errors
    ///
    /// Where the contact is lost, or somebody is being greeted: one at a time is the most.
    pub fn begin_greeting(&mut self, address: SocketAddr, silence_max: Duration) -> Result<QueryNumber, AskError> {
        self.network.begin_greeting(address, silence_max)
    }

    /// Has the contact keep a value under a key, and waits for as long as is usual (4 s) for what it says came of that
    /// ([`Event::Written`]): once that is [`Stored`](crate::WriteOutcome::Stored) or
    /// [`Replaced`](crate::WriteOutcome::Replaced) it is on its disk, and what everybody is answered. Where it says nothing, or
    /// is lost, nobody knows ([`WriteEnd::is_unknown`](crate::WriteEnd::is_unknown)).
    ///
    /// # Errors
    ///
    /// As [`begin_write`](Client::begin_write), and where a key cannot have so many bytes.
    pub fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<Events<'_>, AskError> {
        self.write(Change::Put { key: Key::new(key.as_ref())?, value: value.as_ref().into() })
    }

    /// Has the contact keep nothing under a key, and waits as [`put`](Client::put) does.
    ///
    /// # Errors
    ///
    /// As [`put`](Client::put).
    pub fn delete(&mut self, key: impl AsRef<[u8]>) -> Result<Events<'_>, AskError> {
        self.write(Change::Delete { key: Key::new(key.as_ref())? })
    }

    /// Has the contact describe a file that it shares, which may be without words, and offer it, where it offers only what
    /// is published; waits as [`put`](Client::put) does.
    ///
    /// # Errors
    ///
    /// As [`begin_write`](Client::begin_write), and where no file has such a name.
    pub fn publish(&mut self, name: impl AsRef<[u8]>, text: impl AsRef<[u8]>) -> Result<Events<'_>, AskError> {
        self.write(Change::Publish { name: FileName::new(name.as_ref())?, text: text.as_ref().into() })
    }

    /// Takes that back, and waits as [`put`](Client::put) does.
    ///
    /// # Errors
    ///
    /// As [`publish`](Client::publish).
    pub fn unpublish(&mut self, name: impl AsRef<[u8]>) -> Result<Events<'_>, AskError> {
        self.write(Change::Unpublish { name: FileName::new(name.as_ref())? })
    }

    fn write(&mut self, change: Change) -> Result<Events<'_>, AskError> {
        let write = self.begin_write(change, SILENCE_DEFAULT)?;
        Ok(Events::new(self, write))
    }

    /// Has the contact keep a change, waiting so long for what comes of it, and gives the number by which that is told
    /// ([`Event::Written`]). Up to 4,096 may be on their way; they are made in the order in which they were begun. A contact
    /// that keeps nothing is not asked, or says so. [Cancelled](Client::cancel) it is not taken back: nobody knows then what came of it.
    ///
    /// # Errors
    ///
    /// Where it was not asked: the contact is lost, or leaves too much unread ([`AskError::Busy`]), too many are on their way, or
    /// a value or a description is longer than any.
    pub fn begin_write(&mut self, change: Change, silence_max: Duration) -> Result<QueryNumber, AskError> {
        match &change {
            Change::Put { value, .. } if value.len() > VALUE_BYTES_MAX => Err(AskError::ValueTooLong(value.len())),
            Change::Publish { text, .. } if text.len() > DESCRIPTION_BYTES_MAX => {
                Err(AskError::DescriptionTooLong(text.len()))
            }
            _ => self.network.begin_write(change, silence_max),
        }
    }

    /// Has the contact tell what it answers for a key, now and whenever that changes ([`Event::Changed`]), until it is lost or
    /// nobody wants it any more ([`Event::WatchEnded`]).
    ///
    /// # Errors
    ///
    /// As [`begin_watch`](Client::begin_watch).
    pub fn watch(&mut self, key: impl AsRef<[u8]>) -> Result<Events<'_>, AskError> {
        let watch = self.begin_watch(key)?;
        Ok(Events::new(self, watch))
    }

    /// The same, and gives the number by which it is told. Up to 64 keys are watched at a time, and
    /// [`next_event`](Client::next_event) waits for as long as any is.
    ///
    /// # Errors
    ///
    /// Where the contact is lost, as many keys are watched as may be, or a key cannot have so many bytes.
    pub fn begin_watch(&mut self, key: impl AsRef<[u8]>) -> Result<QueryNumber, AskError> {
        self.network.begin_watch(Key::new(key.as_ref())?)
    }

    /// Asks, and gives what comes of it one by one.
    ///
    /// # Errors
    ///
    /// As [`begin`](Client::begin).
    pub fn events(&mut self, question: Question) -> Result<Events<'_>, AskError> {
        let query = self.begin(question)?;
        Ok(Events::new(self, query))
    }

    /// Asks, and gives the number by which what comes of it is told. Up to 16,384 queries may be pending.
    ///
    /// A contact has 256 queries of all its clients under way, and more only where somebody is silent for 100 ms; the rest it
    /// leaves unread until some of them are over.
    /// The wait of a query goes from here on, so who begins more gives them a wait that is longer by that
    /// ([`Question::silence_max`]), or keeps fewer pending; or the last of them end in silence before the contact has read them.
    ///
    /// # Errors
    ///
    /// Where the query was not asked. Nothing became of the contact or of other queries by that.
    pub fn begin(&mut self, question: Question) -> Result<QueryNumber, AskError> {
        self.network.begin(question)
    }

    /// Asks one after the other, as [`begin`](Client::begin) does each, and adds the numbers of those that were asked to
    /// `begun`, in their order. Who has many to ask at once saves most of the time that it takes to hand each to the
    /// system by itself.
    ///
    /// # Errors
    ///
    /// Where one was not asked; then those after it were not either, and none of them is among `begun`. Those before it
    /// go on.
    pub fn begin_each(
        &mut self,
        questions: impl IntoIterator<Item = Question>,
        begun: &mut Vec<QueryNumber>,
    ) -> Result<(), AskError> {
        self.network.begin_each(questions, begun)
    }

    /// The next event, and of which query it is; waits for it. Nothing where no query is pending and nothing is left to
    /// tell: then it does not look for more, and it is [`ready`](Client::ready) that finds a contact gone.
    ///
    /// # Errors
    ///
    /// Where there is no waiting. The client is what it was, and may be asked again.
    pub fn next_event(&mut self) -> Result<Option<(Option<QueryNumber>, Event)>, ClientError> {
        self.next_of(|network| network.untold.pop())
    }

    /// The next event that is taken like this; waits for it.
    pub(crate) fn next_of<Taken>(
        &mut self,
        mut take: impl FnMut(&mut Sockets) -> Option<Taken>,
    ) -> Result<Option<Taken>, ClientError> {
        loop {
            if let Some(taken) = take(&mut self.network) {
                return Ok(Some(taken));
            }
            if self.network.is_interrupted() {
                return Err(ClientError::Interrupted);
            }
            if self.network.untold.is_full() {
                return Err(ClientError::OthersUntold);
            }
            if self.network.pending_count() == 0 && self.network.untold.is_empty() {
                return Ok(None);
            }
            self.network.turn(None).map_err(ClientError::Wait)?;
        }
    }

    /// The next event that is there already, and of which query it is. Does not wait, and does not look for more:
    /// [`ready`](Client::ready) does.
    pub fn take_event(&mut self) -> Option<(Option<QueryNumber>, Event)> {
        let told = self.network.untold.pop();
        if told.is_none() {
            self.network.let_wait();
        }
        told
    }

    /// Does what there is to do, without waiting, and says whether there is an event to take.
    ///
    /// Whoever has a loop calls it when the client [is readable](#impl-AsFd-for-Client) or its
    /// [`deadline`](Client::deadline) has come, takes every event, and waits again.
    ///
    /// # Errors
    ///
    /// Where the system cannot say what has come; and [`ClientError::Interrupted`] for as long as what was given to
    /// [`interrupt_on`](Client::interrupt_on) is readable: the client is readable for that, and will be until it is read.
    /// What there was to do is done all the same, and events may be there to be taken.
    pub fn ready(&mut self) -> Result<bool, ClientError> {
        for _ in 0..CATCH_UP_TURNS_MAX {
            if self.network.untold.is_full() || !self.network.turn(Some(Duration::ZERO)).map_err(ClientError::Wait)? {
                break;
            }
        }
        let is_ready = !self.network.untold.is_empty();
        if !is_ready {
            self.network.let_wait();
        }
        if self.network.is_interrupted() {
            return Err(ClientError::Interrupted);
        }
        Ok(is_ready)
    }

    /// When [`ready`](Client::ready) is to be called though nothing is readable: at once, while there are events to take.
    /// Good until the next call of any method.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.network.deadline()
    }

    /// Nobody wants this query, this listing, this greeting or this watch any more, or to know what came of this write. If it is pending it ends at once
    /// ([`Event::Finished`] is told, with [`EndReason::Cancelled`](crate::EndReason::Cancelled), or [`Event::Listed`] or [`Event::FilesListed`] with
    /// [`ListingEnd::Cancelled`](crate::ListingEnd::Cancelled), or [`Event::Greeted`] with
    /// [`GreetEnd::Cancelled`](crate::GreetEnd::Cancelled), or [`Event::Written`] with
    /// [`WriteEnd::Cancelled`](crate::WriteEnd::Cancelled), or [`Event::WatchEnded`]), and what still comes for it is not told.
    pub fn cancel(&mut self, query: QueryNumber) {
        self.network.cancel(query);
    }

    /// How many queries are pending, with the listings and the greeting that may be, the writes and the watches.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.network.pending_count()
    }

    /// Whether there is a contact, as far as that is known without reading.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.contact_socket().is_some()
    }

    /// Which of the contact's addresses it is connected to, or was last dialled.
    #[must_use]
    pub fn contact_address(&self) -> SocketAddr {
        self.network.contact_address()
    }

    /// The address that the contact goes by, as its answers have it: another than it was dialled at, where it listens on every
    /// address or is told what to tell others.
    #[must_use]
    pub fn contact_goes_by(&self) -> SocketAddr {
        self.network.contact_goes_by()
    }

    /// What the contact is called, or was when there was one last; nothing where it does not say so. Anybody may go by any name:
    /// it proves nothing.
    #[must_use]
    pub fn contact_name(&self) -> Option<&ServentName> {
        self.network.contact_name()
    }

    /// From which ip it is connected to the contact, or was last.
    #[must_use]
    pub fn own_ip(&self) -> IpAddr {
        self.network.own_ip()
    }

    /// Where answers are heard that servents connect to bring, as the contact sees it; nowhere, where no port was opened.
    #[must_use]
    pub fn answers_at(&self) -> Option<SocketAddr> {
        self.network.answers_at()
    }

    /// The connection to the contact, while there is one: for who wants to see that it ends, and no more. What comes over it
    /// is the client's to read.
    #[must_use]
    pub fn contact_socket(&self) -> Option<BorrowedFd<'_>> {
        self.network.contact_socket()
    }

    /// Keeps trying to connect to a contact that is lost, for at most 5 s: it may just be starting again, and may not be
    /// linked with others yet when it answers. Answers are heard at the port where they were, and no query number is used
    /// twice. Queries that are pending go on, and are not asked again. Events that come meanwhile are there to be taken. Where the contact is there, as far as that is known without reading, nothing is
    /// done.
    ///
    /// Where this machine has another address by now, answers are heard there; those who answer what was asked before go
    /// to the old one, and are not heard any more.
    ///
    /// # Errors
    ///
    /// Where there is still none, this machine cannot connect or listen, or the wait was interrupted. It may be tried
    /// again.
    pub fn reconnect(&mut self) -> Result<(), ConnectError> {
        if self.is_connected() {
            return Ok(());
        }
        self.network.attach_again(&self.contact)
    }

    /// Ends every wait of this client for as long as `interrupt` is readable, in [`ClientError::Interrupted`] or, in
    /// [`reconnect`](Client::reconnect), in [`ConnectError::Interrupted`], whose reason tells what it is `called`. Nothing
    /// is read from it here. The client itself is readable then as well, and [`ready`](Client::ready) says so.
    ///
    /// # Errors
    ///
    /// Where the system cannot watch it.
    pub fn interrupt_on(&mut self, interrupt: impl Into<OwnedFd>, called: &'static str) -> Result<(), ClientError> {
        self.network.interrupt_on(interrupt.into(), called).map_err(ClientError::Wait)
    }

    /// What ends its waits.
    pub(crate) fn interrupt(&self) -> Option<BorrowedFd<'_>> {
        self.network.interrupt().map(|(interrupt, _)| interrupt)
    }

    /// Nobody is to be told of this query any more.
    pub(crate) fn abandon(&mut self, query: QueryNumber) {
        self.cancel(query);
        self.network.untold.forget(query);
    }
}

/// Readable when [`ready`](Client::ready) has something to do. It may be so once in vain.
impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.network.as_fd()
    }
}

const _: () = {
    const fn is_send<T: Send>() {}
    is_send::<Client>();
    is_send::<Told>();
};

#[cfg(test)]
mod tests {
    use common::limits::{
        CLIENT_CONNECTIONS_MAX, CLIENT_PENDING_MAX, COPIES_OPEN_MAX, COPY_YOUNG_MAX, FETCHES_MAX, GREETING_WAIT_MAX,
        WATCHES_PER_CLIENT_MAX, WRITES_PENDING_MAX,
    };

    #[test]
    fn the_numbers_in_what_is_said_of_it_are_those_of_the_limits() {
        assert_eq!((COPIES_OPEN_MAX, COPY_YOUNG_MAX.as_millis()), (256, 100));
        assert_eq!(GREETING_WAIT_MAX.as_secs(), 3);
        assert_eq!((WRITES_PENDING_MAX, WATCHES_PER_CLIENT_MAX), (4_096, 64));
        assert_eq!((CLIENT_PENDING_MAX, CLIENT_CONNECTIONS_MAX, FETCHES_MAX), (16_384, 4_096, 16));
    }
}
