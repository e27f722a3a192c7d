//! What an overlay answers, asked through the client library, and put so that it can be compared with what is declared.
//!
//! How it would be shown to a person is not judged here: the client program has tests of its own.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use client::{AnswerBody, Ask, Client, Ending, Event, Question};
use common::servent_name::ServentName;

/// What came of one query.
#[derive(Debug)]
pub struct Asked {
    /// Every answer, in the order of arrival.
    pub answers: Vec<GivenAnswer>,
    /// How it ended.
    pub ending: Ending,
    /// Whatever else the client told.
    pub surprises: Vec<Event>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenAnswer {
    /// The value, for a key, if it is text.
    pub value: Option<String>,
    /// The answering servent.
    pub from: SocketAddr,
    /// What that says it is called.
    pub name: Option<ServentName>,
    /// The way the query took, for the topology.
    pub path: Vec<SocketAddr>,
    /// The answering servent's links, for the topology.
    pub neighbors: Vec<SocketAddr>,
    /// How many links the query crossed, where that is told.
    pub hops: Option<u8>,
}

impl Asked {
    /// Asks at this contact, and waits for the end.
    pub fn at(contact: SocketAddr, question: Question) -> anyhow::Result<Asked> {
        let mut client = Client::connect(&contact.to_string())?;
        let (mut answers, mut surprises) = (Vec::new(), Vec::new());
        for event in client.events(question)? {
            match event? {
                Event::Answer { from, name, hops, body, .. } => answers.push(GivenAnswer::new(from, name, hops, body)),
                Event::Finished(ending) => return Ok(Asked { answers, ending, surprises }),
                other => surprises.push(other),
            }
        }
        anyhow::bail!("the query at {contact} has no end")
    }

    /// The values that are text, in the order of arrival.
    #[must_use]
    pub fn values(&self) -> Vec<&str> {
        self.answers.iter().filter_map(|answer| answer.value.as_deref()).collect()
    }
}

impl GivenAnswer {
    fn new(from: SocketAddr, name: Option<ServentName>, hops: Option<u8>, body: AnswerBody) -> GivenAnswer {
        let nothing = GivenAnswer { value: None, from, name, path: Vec::new(), neighbors: Vec::new(), hops };
        match body {
            AnswerBody::Value(value) => GivenAnswer { value: String::from_utf8(value).ok(), ..nothing },
            AnswerBody::Place { path, neighbors } => GivenAnswer { path: path.addresses(), neighbors, ..nothing },
            AnswerBody::Entries(_) => nothing,
        }
    }
}

/// Asks for the value of a key.
pub fn key(key: &str) -> anyhow::Result<Question> {
    Question::key(key).with_context(|| format!("{key} is no key"))
}

/// Asks every servent for its place, and waits for so long where nobody says that all have answered.
#[must_use]
pub fn topology(silence_max: Duration) -> Question {
    Question { silence_max, ..Question::new(Ask::Topology) }
}
