//! The form in which it is shown what came of what the contact was to keep, and what has become of a key that is watched: a
//! line, the same as JSON, and what is said where nothing was kept, or nobody knows.
//!
//! Keys, values and names are of users or strangers, and go through `Escaped`, or JSON's own escapes.

use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use common::text::Escaped;
use serde::Serialize;

use crate::program::render::{JsonKeyAndValue, humane, milliseconds, text_or_base64};
use crate::{Change, WriteEnd, WriteOutcome, WriteRefusal};

/// What came of a write, for whoever is to be shown it.
pub(crate) struct WrittenShown<'a> {
    /// `put`, `del`, `publish` or `unpublish`.
    pub(crate) command: &'static str,
    /// What it was about: a key, or the name of a file.
    pub(crate) subject: &'a [u8],
    /// What came of it, in one word for programs.
    pub(crate) outcome: &'static str,
    /// Who was to keep it.
    pub(crate) from: SocketAddr,
    pub(crate) elapsed: Duration,
}

#[derive(Serialize)]
pub(crate) struct JsonWritten<'a> {
    command: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_base64: Option<String>,
    outcome: &'static str,
    from: SocketAddr,
    ms: f64,
}

pub(crate) fn json_written<'a>(shown: &WrittenShown<'a>) -> JsonWritten<'a> {
    let WrittenShown { command, subject, outcome, from, elapsed } = *shown;
    let (key, key_base64) = text_or_base64(subject);
    JsonWritten { command, key, key_base64, outcome, from, ms: milliseconds(elapsed) }
}

#[derive(Serialize)]
pub(crate) struct JsonChanged<'a> {
    #[serde(flatten)]
    pair: JsonKeyAndValue<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
    from: SocketAddr,
}

pub(crate) fn json_changed<'a>(key: &'a [u8], value: Option<&'a [u8]>, from: SocketAddr) -> JsonChanged<'a> {
    let deleted = value.is_none().then_some(true);
    JsonChanged { pair: JsonKeyAndValue::of(Some(key), value), deleted, from }
}

/// For people: the key, its value, and whose it is.
pub(crate) fn changed_row(key: &[u8], value: Option<&[u8]>, from: impl Display) -> String {
    let key = Escaped::new(key);
    match value {
        Some(value) => format!("{key} {} {from}", Escaped::value(value)),
        None => format!("{key} (no such key) {from}"),
    }
}

/// For programs: the same as fields, of which there are two where the key has no value.
pub(crate) fn changed_line(key: &[u8], value: Option<&[u8]>, from: SocketAddr) -> String {
    let key = Escaped::field(key);
    match value {
        Some(value) => format!("{key}\t{}\t{from}", Escaped::field(value)),
        None => format!("{key}\t{from}"),
    }
}

/// What came of it, where the contact has said whether something has changed: that first.
pub(crate) fn line(change: &Change, outcome: WriteOutcome, from: impl Display, elapsed: Duration) -> Option<String> {
    let subject = Escaped::new(change.subject());
    let done = match (outcome, change) {
        (WriteOutcome::Stored, Change::Publish { .. }) => "published",
        (WriteOutcome::Stored, _) => "stored",
        (WriteOutcome::Replaced, _) => "replaced",
        (WriteOutcome::Deleted, Change::Unpublish { .. }) => "unpublished",
        (WriteOutcome::Deleted, _) => "deleted",
        (WriteOutcome::Absent, Change::Put { .. } | Change::Delete { .. }) => {
            return Some(format!("no such key: {subject} at {from}"));
        }
        (WriteOutcome::Absent, Change::Publish { .. }) => {
            return Some(format!("no such file in the shared directory: {subject} at {from}"));
        }
        (WriteOutcome::Absent, Change::Unpublish { .. }) => return Some(format!("not published: {subject} at {from}")),
        (WriteOutcome::Present, _) => return Some(format!("already published: {subject} at {from}")),
        (WriteOutcome::Refused(_), _) => return None,
    };
    Some(format!("{done} {subject} at {from} in {}", humane(elapsed)))
}

/// What a refusal begins with: of many writes in a script somebody wants to know which it was, and of whom.
pub(crate) fn about(command: &str, subject: &[u8], at: Option<SocketAddr>) -> String {
    let subject = Escaped::new(subject);
    at.map_or_else(|| format!("{command} {subject}: "), |at| format!("{command} {subject} at {at}: "))
}

/// What is said where nothing was kept, or it is not known whether something was, by whoever goes by this address. Where the contact has no room for what is to
/// be said it takes no writes from this client; whether it takes any from others it does not say.
pub(crate) fn complaint(
    change: &Change,
    end: WriteEnd,
    own_ip: IpAddr,
    contact: SocketAddr,
    from: SocketAddr,
) -> Option<String> {
    let reason = reason(change, end, own_ip, contact)?;
    Some(about(change.command(), change.subject(), Some(from)) + &reason)
}

/// Why nothing was kept, or what is not known.
fn reason(change: &Change, end: WriteEnd, own_ip: IpAddr, contact: SocketAddr) -> Option<String> {
    let refusal = match end {
        WriteEnd::Told(WriteOutcome::Refused(refusal)) => refusal,
        WriteEnd::NotAccepted => {
            let hint = hint_of_own_host(own_ip, contact);
            return Some(format!("this servent takes no writes, or none from {own_ip}{hint}"));
        }
        WriteEnd::Silence | WriteEnd::ContactLost | WriteEnd::Cancelled => {
            return Some(format!("unknown: it may be {}", perhaps(change)));
        }
        // The one is told by itself, the other in the words for whatever a contact does not understand.
        WriteEnd::Told(_) | WriteEnd::NoContact | WriteEnd::NotUnderstood => return None,
    };
    Some(match refusal {
        WriteRefusal::NoStore => "this servent takes no writes (it was started without --store)".to_owned(),
        WriteRefusal::NotFromHere => {
            format!("this servent takes no writes from {own_ip}{}", hint_of_own_host(own_ip, contact))
        }
        WriteRefusal::StoreFull => "its store is full: it keeps as many keys or as many bytes as it may".to_owned(),
        WriteRefusal::DiskFull => "its disk is full".to_owned(),
        WriteRefusal::DiskFailed => "its disk failed: it serves what it has and takes no more".to_owned(),
        WriteRefusal::ReadOnly => {
            "its database could only be read when it started, as its log says: it serves what it has and takes no more"
                .to_owned()
        }
        WriteRefusal::NothingShared => "this servent shares no directory (it was started without --share)".to_owned(),
        WriteRefusal::Busy => "this servent is busy: too much waits for its disk; try again later".to_owned(),
    })
}

/// How a client on the host of its contact gets to be one that may write, where it is not.
fn hint_of_own_host(own_ip: IpAddr, contact: SocketAddr) -> String {
    if own_ip != contact.ip() || own_ip.is_loopback() {
        return String::new();
    }
    let loopback: IpAddr = if contact.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    let contact = SocketAddr::new(loopback, contact.port());
    format!(": start one with a loopback address as its contact, such as client {contact}")
}

/// What may have become of what was asked.
fn perhaps(change: &Change) -> &'static str {
    match change {
        Change::Put { .. } => "stored",
        Change::Delete { .. } => "deleted",
        Change::Publish { .. } => "published",
        Change::Unpublish { .. } => "unpublished",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileName, Key};

    const TOOK: Duration = Duration::from_micros(912);

    fn from() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 9001))
    }

    /// One of each, about what would clear a screen.
    fn changes() -> [Change; 4] {
        let (key, name) = (Key::new(b"a\x1b[2J").unwrap(), FileName::new(b"a\x1b[2J").unwrap());
        [
            Change::Put { key: key.clone(), value: b"green"[..].into() },
            Change::Delete { key },
            Change::Publish { name: name.clone(), text: [].into() },
            Change::Unpublish { name },
        ]
    }

    #[test]
    fn the_first_words_say_what_has_changed_or_that_nothing_has() {
        use WriteOutcome::{Absent, Deleted, Present, Refused, Replaced, Stored};
        for (outcome, expected) in [
            (Stored, ["stored", "stored", "published", "stored"]),
            (Replaced, ["replaced"; 4]),
            (Deleted, ["deleted", "deleted", "deleted", "unpublished"]),
        ] {
            let lines = changes().map(|change| line(&change, outcome, from(), TOOK));
            let expected = expected.map(|done| Some(format!("{done} a\\x1b[2J at 127.0.0.1:9001 in 0.9 ms")));
            assert_eq!(lines, expected);
        }
        for (outcome, expected) in [
            (Absent, ["no such key", "no such key", "no such file in the shared directory", "not published"]),
            (Present, ["already published"; 4]),
        ] {
            let lines = changes().map(|change| line(&change, outcome, from(), TOOK));
            assert_eq!(lines, expected.map(|said| Some(format!("{said}: a\\x1b[2J at 127.0.0.1:9001"))));
        }
        for refusal in WriteRefusal::ALL {
            assert_eq!(line(&changes()[0], Refused(refusal), from(), TOOK), None);
        }
    }

    #[test]
    fn whoever_is_refused_is_told_why_and_that_nobody_knows_where_nobody_does() {
        let [put, del, publish, unpublish] = &changes();
        let contact = SocketAddr::from(([192, 0, 2, 1], 9001));
        let said = |change, end, own_ip: &str| reason(change, end, own_ip.parse().unwrap(), contact);
        let disk_full = WriteEnd::Told(WriteOutcome::Refused(WriteRefusal::DiskFull));
        let complaints = changes().map(|change| complaint(&change, disk_full, contact.ip(), contact, from()).unwrap());
        let about = ["put", "del", "publish", "unpublish"];
        assert_eq!(complaints, about.map(|word| format!("{word} a\\x1b[2J at 127.0.0.1:9001: its disk is full")));
        let refused = |refusal| said(put, WriteEnd::Told(WriteOutcome::Refused(refusal)), "192.0.2.7");
        let reasons = WriteRefusal::ALL.map(|refusal| refused(refusal).unwrap());
        assert_eq!(
            reasons,
            [
                "this servent takes no writes (it was started without --store)",
                "this servent takes no writes from 192.0.2.7",
                "its store is full: it keeps as many keys or as many bytes as it may",
                "its disk is full",
                "its disk failed: it serves what it has and takes no more",
                "this servent shares no directory (it was started without --share)",
                "this servent is busy: too much waits for its disk; try again later",
                "its database could only be read when it started, as its log says: it serves what it has and takes no more",
            ]
        );
        let hint = ": start one with a loopback address as its contact, such as client 127.0.0.1:9001";
        let not_from_here = WriteEnd::Told(WriteOutcome::Refused(WriteRefusal::NotFromHere));
        for (end, own_ip, expected) in [
            (not_from_here, "192.0.2.1", format!("this servent takes no writes from 192.0.2.1{hint}")),
            (WriteEnd::NotAccepted, "192.0.2.1", format!("this servent takes no writes, or none from 192.0.2.1{hint}")),
            (WriteEnd::NotAccepted, "192.0.2.7", "this servent takes no writes, or none from 192.0.2.7".to_owned()),
        ] {
            assert_eq!(said(put, end, own_ip).unwrap(), expected);
        }
        let (own, contact) = ("2001:db8::1".parse().unwrap(), "[2001:db8::1]:9001".parse().unwrap());
        assert!(reason(put, not_from_here, own, contact).unwrap().ends_with("such as client [::1]:9001"));
        for (end, change, expected) in [
            (WriteEnd::Silence, put, "unknown: it may be stored"),
            (WriteEnd::ContactLost, del, "unknown: it may be deleted"),
            (WriteEnd::Cancelled, publish, "unknown: it may be published"),
            (WriteEnd::Silence, unpublish, "unknown: it may be unpublished"),
        ] {
            assert_eq!(said(change, end, "::1").unwrap(), expected);
        }
        for end in [WriteEnd::Told(WriteOutcome::Stored), WriteEnd::NoContact, WriteEnd::NotUnderstood] {
            assert_eq!(said(put, end, "::1"), None, "that is said elsewhere");
        }
    }

    #[test]
    fn json_of_a_write_names_what_came_of_it_in_one_word() {
        let json = |subject, end: WriteEnd| {
            let shown = WrittenShown { command: "put", subject, outcome: end.word(), from: from(), elapsed: TOOK };
            serde_json::to_string(&json_written(&shown)).unwrap()
        };
        assert_eq!(
            json(b"tea", WriteEnd::Told(WriteOutcome::Stored)),
            r#"{"command":"put","key":"tea","outcome":"stored","from":"127.0.0.1:9001","ms":0.912}"#
        );
        assert_eq!(
            json(b"\xff", WriteEnd::Silence),
            r#"{"command":"put","key_base64":"/w==","outcome":"silence","from":"127.0.0.1:9001","ms":0.912}"#
        );
        assert!(json(b"tea", WriteEnd::NotAccepted).contains(r#""outcome":"not_accepted""#));
    }

    #[test]
    fn a_change_is_a_row_or_fields_or_json_and_none_of_them_is_obeyed_by_a_terminal() {
        let (key, value) = (&b"a b\\"[..], &b"1\t\x1b[2J"[..]);
        assert_eq!(changed_row(key, Some(value), from()), "a b\\ 1\t\\x1b[2J 127.0.0.1:9001");
        assert_eq!(changed_row(key, None, from()), "a b\\ (no such key) 127.0.0.1:9001");
        assert_eq!(changed_line(key, Some(value), from()), "a b\\\\\t1\\t\\x1b[2J\t127.0.0.1:9001");
        assert_eq!(changed_line(key, Some(b""), from()), "a b\\\\\t\t127.0.0.1:9001");
        assert_eq!(changed_line(key, None, from()), "a b\\\\\t127.0.0.1:9001");
        let json = |key, value| serde_json::to_string(&json_changed(key, value, from())).unwrap();
        assert_eq!(json(b"a", Some(b"1")), r#"{"key":"a","value":"1","from":"127.0.0.1:9001"}"#);
        assert_eq!(json(b"a", None), r#"{"key":"a","deleted":true,"from":"127.0.0.1:9001"}"#);
        assert_eq!(
            json(b"\xff", Some(b"\xfe")),
            r#"{"key_base64":"/w==","value_base64":"/g==","from":"127.0.0.1:9001"}"#
        );
    }
}
