//! Which answers arrive, and how, where a client can be dialled by everybody, by some or by nobody: on three hosts
//! ([`apart`]), and what can be seen of it on one. On three hosts too: who is called dead where a link is one-way.

mod apart;
mod loopback;

use std::fmt;

use super::*;
use serde_json::Value;

/// What everybody holds.
const KEY: &str = "tea";

/// How an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Direct,
    Back,
    /// It depends on what is known by then.
    Either,
}

/// What came of one query.
#[derive(Debug)]
struct QueryEnd {
    /// Who answered, how long the value was, and how it came.
    answers: Vec<(String, usize, Option<String>)>,
    /// The line that says that it is over.
    finished: Value,
}

impl QueryEnd {
    /// Asks for a key, and waits for the end. Nothing else may be told meanwhile.
    fn of(client: &mut Client, key: &str) -> QueryEnd {
        client.write(format!("? {key}\n"));
        let mut answers = Vec::new();
        loop {
            let line = client.next_json();
            let text = |field: &str| line[field].as_str().map(str::to_owned);
            match line["type"].as_str().unwrap() {
                "answer" => answers.push((text("from").unwrap(), text("value").unwrap().len(), text("via"))),
                "finished" => return QueryEnd { answers, finished: line },
                _ => panic!("{line}"),
            }
        }
    }

    /// How many servents it came to.
    fn reached(&self) -> u64 {
        self.finished["reached"].as_u64().unwrap()
    }

    /// What is wrong, where these are all the holders and this is how they answer.
    fn differences(&self, holders: &[(String, Way)]) -> Vec<String> {
        let mut found = Vec::new();
        let mut expect = |what: String, is_so: bool| found.extend((!is_so).then_some(what));
        for (holder, way) in holders {
            let ways: Vec<_> = self.answers.iter().filter(|(from, ..)| from == holder).map(|(.., via)| via).collect();
            let is_so = match way {
                Way::Direct => ways == [&Some("direct".to_owned())],
                Way::Back => ways == [&Some("back".to_owned())],
                Way::Either => ways.len() == 1,
            };
            expect(format!("{holder} was to answer once ({way:?}), and did so: {ways:?}"), is_so);
        }
        expect(format!("so many answered: {}", self.answers.len()), self.answers.len() == holders.len());
        // Whoever waits for a silence has not been told that all is over; how long it took depends on the machine.
        let end = picked(&self.finished, ["reason", "missing", "lost", "doubtful"]);
        expect(format!("it ended so: {end}"), end == json!(["complete", 0, 0, false]));
        found
    }
}

impl fmt::Display for QueryEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.answers.len(), self.reached())?;
        for way in ["direct", "back"] {
            let count = self.answers.iter().filter(|(.., via)| via.as_deref() == Some(way)).count();
            if count > 0 {
                write!(f, ", {count} {way}")?;
            }
        }
        let reason = self.finished["reason"].as_str().unwrap();
        write!(f, ", {:.1} ms, {reason}", milliseconds(&self.finished))
    }
}
