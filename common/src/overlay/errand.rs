//! What a servent calls at an address for: the row of what is customary on each errand, and the words between whoever
//! has one and `calls`, which has the links.
//!
//! It decides nothing. One more errand is one row here and whoever has it, as one more dialect is one row and one codec.

use std::net::SocketAddr;
use std::time::Duration;

use crate::dialect::{Bringing, Dialect, Manners};
use crate::limits::{ANSWER_IDLE_MAX, DIAL_WAIT_MAX};
use crate::link::Purpose;
use crate::message::{Hello, Message, Role};
use crate::overlay::copy_name::CopyName;
use crate::time::Time;

/// What a servent calls at an address for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Errand {
    /// To bring a client of another servent its answers.
    Answers,
    /// To see whether a client of this servent can be dialled: if not, nobody else is asked to.
    Probe,
    /// To see whether a servent is there, and which.
    Visit,
    /// To greet a servent that is no neighbor. Only tests do: what it takes to add it is what an errand costs.
    #[cfg(test)]
    Greeting,
}

/// What is customary on an errand.
pub(super) struct Customs {
    /// What the link is for at this end, which says how much may be received and may wait to be sent.
    purpose: Purpose,
    /// Whether there is anything to say. If not, the call is over once the address was reached, and it gets no byte.
    pub(super) says_something: bool,
    /// Whether this end says hello first. If not, the address gets no byte before it has said the hello called for.
    pub(super) speaks_first: bool,
    /// Whether a hello is that of whoever is called at this address.
    pub(super) is_called: fn(&Hello, SocketAddr) -> bool,
    /// How messages come there, by the manners of its dialect.
    way: fn(&Manners) -> Bringing,
    /// Whether whoever has the errand hears such a message. A ping and a goodbye mean what they mean everywhere; whatever
    /// else comes on a link that stands ends the call.
    pub(super) hears: fn(&Message) -> bool,
    /// How long a link is kept that is not used; then it ends with a goodbye. Used is what something is said on, or heard
    /// on that is heard here: a ping is no use. So where something is heard, whoever is there can keep the link for as
    /// long as it speaks, and an errand that does not want that ends the call itself.
    pub(super) kept: Duration,
}

static ANSWERS: Customs = Customs {
    purpose: Purpose::Answers,
    says_something: true,
    speaks_first: false,
    is_called: |hello, to| matches!(hello.role, Role::Client { answer_port } if answer_port == to.port()),
    way: |manners| manners.answers,
    hears: |_| false,
    kept: ANSWER_IDLE_MAX,
};

/// It is over once the address was reached: a client that is busy may say hello much later, and can be dialled all the same.
static PROBE: Customs = Customs { says_something: false, way: |_| Bringing::Kept, ..ANSWERS };

/// It comes as a client, so that nobody takes it for a neighbor.
static VISIT: Customs = Customs {
    purpose: Purpose::Standing,
    says_something: true,
    speaks_first: true,
    is_called: |hello, _| matches!(hello.role, Role::Servent { .. }),
    way: |_| Bringing::Kept,
    // No pong: whoever is greeted could keep its greeting for as long as it likes.
    hears: |message| matches!(message, Message::Peers(_)),
    kept: DIAL_WAIT_MAX,
};

/// It does whatever the others do not.
#[cfg(test)]
static GREETING: Customs = Customs {
    purpose: Purpose::Standing,
    says_something: true,
    speaks_first: true,
    is_called: |hello, _| matches!(hello.role, Role::Servent { .. } | Role::Nameless),
    // Where nobody says hello there is nobody to greet: what is said comes alone.
    way: |manners| if manners.answers_hello { Bringing::Kept } else { manners.answers },
    hears: |message| *message == Message::Pong,
    kept: Duration::from_secs(1),
};

impl Errand {
    pub(super) fn customs(self) -> &'static Customs {
        match self {
            Errand::Answers => &ANSWERS,
            Errand::Probe => &PROBE,
            Errand::Visit => &VISIT,
            #[cfg(test)]
            Errand::Greeting => &GREETING,
        }
    }

    /// The hello of this servent on such a call.
    pub(super) fn hello(self, own: Hello) -> Hello {
        match self {
            Errand::Visit => {
                Hello { frame_bytes_max: own.frame_bytes_max, ..Hello::new(Role::Client { answer_port: 0 }) }
            }
            _ => own,
        }
    }

    /// What a link on this errand is for at this end.
    #[must_use]
    pub fn purpose(self) -> Purpose {
        self.customs().purpose
    }
}

/// Who is called: two errands may lead to one address, and are two calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Callee {
    pub(super) errand: Errand,
    pub(super) address: SocketAddr,
}

impl Callee {
    /// How messages come there in this dialect.
    pub(super) fn way(self, dialect: Dialect) -> Bringing {
        (self.errand.customs().way)(dialect.manners())
    }
}

/// What is to be said to whoever is called.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) message: Message,
    /// What it is known by to whoever wants it said.
    pub(super) number: u64,
    /// When it is given back, if it was not said until then; nothing where it waits for as long as a call may take.
    pub(super) until: Option<Time>,
    /// Which copy it answers, if it can go back to whoever sent that.
    pub(super) answers: Option<CopyName>,
}

impl Letter {
    /// One that waits for as long as a call may take, and has no other way.
    pub(super) fn new(number: u64, message: Message) -> Letter {
        Letter { message, number, until: None, answers: None }
    }
}

/// What whoever has an errand wants done about a call, having heard what came of it. What comes of that it hears in turn,
/// so it wishes for nothing each time that a wish was granted.
#[derive(Debug, PartialEq, Eq)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "answers are said and that is all; who has more to say is a test yet")
)]
pub(super) enum Wish {
    /// Say this there: over the link that stands, or over one that is dialled for it.
    Say { dialect: Dialect, letter: Letter },
    /// End it: there is no more to say.
    End,
}

/// What came of a call, for whoever has the errand.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CallEvent {
    /// The letter of this number was said.
    Said(u64),
    /// The letter of this number was wished for and refused. Whoever brings one otherwise is told so at once.
    Refused(u64),
    /// Whoever is there did not offer to understand it.
    NotUnderstood(Letter),
    /// Whoever is called cannot be reached. What waited is given back.
    Failed { refused: bool, reason: String, letters: Vec<Letter> },
    /// The address was reached, and there was nothing to say.
    Connected,
    /// Whoever is called has said this hello.
    Reached(Hello),
    /// It has said this.
    Heard(Message),
    /// They have waited for as long as they may, and are given back. The call goes on.
    Late(Vec<Letter>),
    /// A link that stood is gone, with nothing waiting. The next call may reach another.
    Gone { reason: String },
    /// The same, because there are too many.
    HadToMakeRoom,
    /// It was ended at this end, by a wish or because this servent leaves. What waited is given back.
    Ended { reason: &'static str, letters: Vec<Letter> },
}

/// What came of calls, in order.
#[derive(Debug, Default)]
pub(super) struct News(Vec<(Callee, CallEvent)>);

impl News {
    pub(super) fn push(&mut self, callee: Callee, event: CallEvent) {
        self.0.push((callee, event));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, in order.
    pub(super) fn each(self) -> impl Iterator<Item = (Callee, CallEvent)> {
        self.0.into_iter()
    }
}
