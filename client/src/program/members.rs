//! The form in which members are shown: a line of four fields for each, the same as JSON, and on a terminal columns with
//! ages and round trips.
//!
//! Nothing here is text of strangers but names, which are escaped: a member is numbers, and words of our own.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Duration;

use common::counted::{counted, lasted};
use common::dialect::Dialect;
use common::servent_name::ServentName;
use serde::Serialize;

use crate::program::names::NamesHeard;
use crate::program::render::{humane, milliseconds};
use crate::{ConnectError, How, ListingEnd, Member, MembersListed, Word};

/// A member as a line of JSON.
#[derive(Serialize)]
pub(crate) struct JsonMember {
    address: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    state: &'static str,
    how: String,
    clock: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    heard_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rtt_ms: Option<f64>,
}

/// How a listing ended, as a line of JSON.
#[derive(Serialize)]
pub(crate) struct JsonListed {
    from: SocketAddr,
    members: u64,
    online: u64,
    offline: u64,
    ms: f64,
    reason: &'static str,
}

/// What is known of a listing while it goes on.
#[derive(Debug, Default)]
pub(crate) struct ListingSoFar {
    /// How many of the members so far are there.
    pub(crate) online: u64,
    /// Those that are not shown yet: how wide columns are is known when all have come.
    pub(crate) waiting: Vec<Member>,
}

pub(crate) fn json_member(member: &Member, name: Option<&ServentName>) -> JsonMember {
    JsonMember {
        address: member.address,
        name: name.map(|name| name.as_str().to_owned()),
        id: (!member.id.is_unknown()).then(|| format!("{:016x}", member.id.bits())),
        state: if member.word.is_online() { "online" } else { "offline" },
        how: member.how().to_string(),
        clock: member.clock,
        // Of one that was only read from a file nobody knows.
        heard_s: (!member.id.is_unknown()).then_some(member.heard.as_secs()),
        rtt_ms: member.seen.round_trip.map(milliseconds),
    }
}

pub(crate) fn json_listed(from: SocketAddr, online: u64, listed: &MembersListed) -> JsonListed {
    let MembersListed { reason, members, elapsed } = *listed;
    let offline = members.saturating_sub(online);
    JsonListed { from, members, online, offline, ms: milliseconds(elapsed), reason: reason.word() }
}

/// What a word comes to.
pub(crate) fn state(word: Word) -> &'static str {
    if word.is_online() { "ONLINE" } else { "OFFLINE" }
}

/// For programs: each field is one word.
pub(crate) fn line(member: &Member) -> String {
    format!("{} {} {} {}", member.address, state(member.word), member.clock, member.how())
}

/// For people: the same fields, with how long ago it was heard and how far away it is where that is known.
pub(crate) fn columns(members: &[Member], names: &NamesHeard) -> String {
    let rows: Vec<[String; 6]> = members.iter().map(fields).collect();
    let mut widths = [0; 6];
    for row in &rows {
        for (width, field) in widths.iter_mut().zip(row) {
            *width = field.len().max(*width);
        }
    }
    let [address_width, state_width, clock_width, how_width, heard_width, round_trip_width] = widths;
    let mut text = String::new();
    for ([address, state, clock, how, heard, round_trip], member) in rows.into_iter().zip(members) {
        // How wide a name is depends on the terminal, so it is the last.
        let name = names.of(member.address).map(|name| format!("  ({name})")).unwrap_or_default();
        let line = format!(
            "{address:address_width$}  {state:state_width$}  {clock:>clock_width$}  {how:how_width$}  {heard:heard_width$}  \
             {round_trip:>round_trip_width$}{name}"
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn fields(member: &Member) -> [String; 6] {
    let how = member.how();
    // Whoever tells hears itself.
    let heard = match how {
        How::Myself => String::new(),
        _ if member.id.is_unknown() => "not heard".to_owned(),
        _ => format!("heard {} ago", lasted(member.heard)),
    };
    [
        member.address.to_string(),
        state(member.word).to_owned(),
        member.clock.to_string(),
        how.to_string(),
        heard,
        member.seen.round_trip.map(humane).unwrap_or_default(),
    ]
}

/// One sentence about a listing that is over, the doubts last.
pub(crate) fn summary(contact: &str, online: u64, listed: &MembersListed, silence_max: Duration) -> String {
    let MembersListed { reason, members, .. } = *listed;
    if reason == ListingEnd::NotUnderstood {
        // What is the matter is told by itself.
        return "not asked".to_owned();
    }
    let mut text =
        format!("{}: {online} online, {} offline", counted(members, "member"), members.saturating_sub(online));
    match (reason, unfinished(contact, listed, silence_max)) {
        (ListingEnd::Cancelled, _) => text.push_str(", then interrupted"),
        (_, Some(unfinished)) => text.push_str(&format!("; {unfinished}")),
        (_, None) => {}
    }
    text
}

/// What is the matter where not all members were told by a contact that is there.
pub(crate) fn unfinished(contact: &str, listed: &MembersListed, silence_max: Duration) -> Option<String> {
    match listed.reason {
        ListingEnd::Silence => {
            Some(format!("{contact} did not tell of more within {}: incomplete", humane(silence_max)))
        }
        ListingEnd::Disordered => Some(format!("what {contact} tells goes back or comes to no end: incomplete")),
        ListingEnd::ContactLost => Some("incomplete".to_owned()),
        ListingEnd::Complete | ListingEnd::Cancelled | ListingEnd::NotUnderstood => None,
    }
}

/// What is said of a contact that was not asked, by the name that it was given, behind a word for what it is or none.
pub(crate) fn tells_no_members(contact: &str) -> String {
    tells_nothing(contact, MEMBERS)
}

/// What is listed here, for whoever tells of none.
pub(crate) const MEMBERS: &str = "members";
/// The same of `ls`.
pub(crate) const FILES: &str = "files";
/// The same of `get`.
pub(crate) const CONTENTS: &str = "contents";

/// The same of whatever else is listed.
pub(crate) fn tells_nothing(contact: &str, what: &str) -> String {
    let (dialect, _) = Dialect::told_by(contact.rsplit(' ').next().unwrap_or(contact));
    let reason = match dialect {
        Dialect::OWN => "is too old for that".to_owned(),
        other => format!("speaks {}", other.manners().name),
    };
    format!("{contact} does not tell of {what}, and was not asked: it {reason}")
}

/// What is said of a servent that could not be attached to for what it knows. It is not the contact, which stays attached.
pub(crate) fn unattached(contact: &str, other: &str, what: &str, error: &ConnectError) -> Option<String> {
    match error {
        ConnectError::NoServent { reason, .. } => {
            let hint = match what {
                MEMBERS => format!(" (M alone asks contact {contact})"),
                FILES => format!(" (ls alone asks contact {contact})"),
                _ => String::new(),
            };
            Some(format!("no servent at {other}: {reason}{hint}"))
        }
        ConnectError::NoWayBack { .. } => Some(tells_nothing(other, what)),
        // Those name no contact.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Linkage, Seen};
    use common::message::Identity;

    fn member(address: &str, clock: u64, word: Word, link: Linkage) -> Member {
        Member {
            address: address.parse().unwrap(),
            id: Identity::of_bits(0xab),
            clock,
            heard: Duration::ZERO,
            word,
            is_open: false,
            is_proved: true,
            seen: Seen { link, is_flapping: false, round_trip: None },
        }
    }

    fn members() -> Vec<Member> {
        let pinned = member("127.0.0.1:9001", 41, Word::Online, Linkage::Pinned);
        let failed = member("127.0.0.1:9003", 9, Word::Failed, Linkage::None);
        vec![
            Member { seen: Seen { round_trip: Some(Duration::from_micros(412)), ..pinned.seen }, ..pinned },
            member("127.0.0.1:9002", 144, Word::Online, Linkage::Myself),
            Member { heard: Duration::from_secs(75), ..failed },
            Member { heard: Duration::from_secs(6), ..member("[::1]:9", 40, Word::Suspect, Linkage::Taken) },
        ]
    }

    #[test]
    fn a_line_is_four_words() {
        let lines: Vec<String> = members().iter().map(line).collect();
        assert_eq!(
            lines,
            [
                "127.0.0.1:9001 ONLINE 41 pinned",
                "127.0.0.1:9002 ONLINE 144 self",
                "127.0.0.1:9003 OFFLINE 9 failed",
                "[::1]:9 ONLINE 40 suspect",
            ]
        );
    }

    #[test]
    fn columns_line_up_and_no_line_ends_in_a_blank() {
        let far = member("192.0.2.7:65535", 3, Word::Online, Linkage::Chosen);
        let far = Member { seen: Seen { round_trip: Some(Duration::from_millis(130)), ..far.seen }, ..far };
        let all = [members(), vec![far]].concat();
        assert_eq!(
            columns(&all, &NamesHeard::default()),
            "127.0.0.1:9001   ONLINE    41  pinned   heard 0 s ago         0.4 ms\n\
             127.0.0.1:9002   ONLINE   144  self\n\
             127.0.0.1:9003   OFFLINE    9  failed   heard 1 min 15 s ago\n\
             [::1]:9          ONLINE    40  suspect  heard 6 s ago\n\
             192.0.2.7:65535  ONLINE     3  chosen   heard 0 s ago         130 ms\n"
        );
        assert_eq!(columns(&[], &NamesHeard::default()), "");
        let mut names = NamesHeard::default();
        names.note(all[0].address, Some(&ServentName::try_from("kitchen").unwrap()));
        assert!(columns(&all[..1], &names).ends_with("  0.4 ms  (kitchen)\n"));
    }

    #[test]
    fn json_has_what_is_known_and_no_more() {
        let json = |member: &Member| serde_json::to_string(&json_member(member, None)).unwrap();
        assert_eq!(
            json(&members()[0]),
            r#"{"address":"127.0.0.1:9001","id":"00000000000000ab","state":"online","how":"pinned","clock":41,"heard_s":0,"rtt_ms":0.412}"#
        );
        assert_eq!(
            json(&members()[2]),
            r#"{"address":"127.0.0.1:9003","id":"00000000000000ab","state":"offline","how":"failed","clock":9,"heard_s":75}"#
        );
        let nobody = Member { id: Identity::of_bits(u64::MAX), ..members().swap_remove(2) };
        assert_eq!(json(&nobody), r#"{"address":"127.0.0.1:9003","state":"offline","how":"failed","clock":9}"#);
    }

    #[test]
    fn a_servent_that_is_not_the_contact_is_not_called_so() {
        let said = |error: &ConnectError| unattached("localhost:9001", "9002", MEMBERS, error);
        let (contact, reason) = ("9002".to_owned(), "Connection refused".to_owned());
        assert_eq!(
            said(&ConnectError::NoServent { contact: contact.clone(), reason }),
            Some("no servent at 9002: Connection refused (M alone asks contact localhost:9001)".to_owned())
        );
        assert_eq!(said(&ConnectError::NoWayBack { contact }), Some(tells_no_members("9002")));
        let other =
            unattached("localhost:9001", "tp3://9002", MEMBERS, &ConnectError::NoWayBack { contact: String::new() });
        assert_eq!(other.as_deref(), Some("tp3://9002 does not tell of members, and was not asked: it speaks TP3"));
        let why = "does not tell of members, and was not asked: it is too old for that";
        assert_eq!(tells_no_members("contact 9002"), format!("contact 9002 {why}"));
        assert_eq!(said(&ConnectError::EventsUntold), None);
    }

    #[test]
    fn one_sentence_for_every_way_a_listing_can_end() {
        for (reason, members, expected) in [
            (ListingEnd::Complete, 4, "4 members: 3 online, 1 offline"),
            (ListingEnd::Complete, 1, "1 member: 1 online, 0 offline"),
            (ListingEnd::Cancelled, 4, "4 members: 3 online, 1 offline, then interrupted"),
            (
                ListingEnd::Silence,
                4,
                "4 members: 3 online, 1 offline; 127.0.0.1:9002 did not tell of more within 4.0 s: incomplete",
            ),
            (
                ListingEnd::Disordered,
                4,
                "4 members: 3 online, 1 offline; what 127.0.0.1:9002 tells goes back or comes to no end: incomplete",
            ),
            (ListingEnd::ContactLost, 4, "4 members: 3 online, 1 offline; incomplete"),
            (ListingEnd::NotUnderstood, 0, "not asked"),
        ] {
            let listed = MembersListed { reason, members, elapsed: Duration::from_millis(3) };
            let said = summary("127.0.0.1:9002", members.min(3), &listed, Duration::from_secs(4));
            assert_eq!(said, expected);
        }
    }
}
