//! What a servent answers: the policy on top of the flood.
//!
//! It does not decide whether a query is new (`flood`) nor how an answer travels (`delivery`, `calls`).

use std::net::SocketAddr;

use crate::query::{Answer, AnswerBody, Ask, AskHash, Query};
use crate::store::Store;

/// The answer to a query, if this servent has one: a key it holds; its own place, always. `query.path` already ends
/// with this servent.
pub(super) fn answer(query: &Query, store: &Store, neighbors: impl Iterator<Item = SocketAddr>) -> Option<Answer> {
    let body = match &query.ask {
        Ask::Key(key) => AnswerBody::Value(store.get(key.as_bytes())?.to_vec()),
        Ask::Topology => AnswerBody::Place { path: query.path.clone(), neighbors: neighbors.collect() },
    };
    Some(Answer { sequence: query.sequence, asked: Some(AskHash::of(&query.ask)), hops: query.hops, body })
}
