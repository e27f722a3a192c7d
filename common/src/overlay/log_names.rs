//! The names under which the log is told what more than one room has to say.

/// The log's name for what strangers can cause, connection by connection or message by message: whoever keeps a log says
/// only so much of it, and counts the rest.
pub const STRANGERS_LOG: &str = "strangers";
/// The log's name for what became of one query: a line for each event, at debug.
pub(super) const QUERY_LOG: &str = "query";
