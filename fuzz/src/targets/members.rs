//! The members file: what is read of it against a second reading of its rules, and wherever it is cut.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use common::member_file::{BadLine, KNOWN_MEMBERS_MAX, KnownMember, KnownMembers, MemberFile, text_of};
use common::text::misleads;

use crate::Outcome;

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let read = read_pieces(&[bytes]);
    let middle = usize::from(bytes.first().copied().unwrap_or_default()).min(bytes.len());
    let (one, other) = bytes.split_at(middle);
    assert_eq!(read_pieces(&[one, other]), read, "cut at {middle}");

    let (expected, bad_line) = expected(bytes);
    let is_taken = !expected.is_empty();
    match (&read, bad_line) {
        (Ok(KnownMembers { members, left_out_count }), None) => {
            assert_eq!((members.clone(), *left_out_count), (expected.into_values().collect(), 0));
            let own = SocketAddr::from(([127, 0, 0, 1], 9000));
            let again = read_pieces(&[text_of(own, members).as_bytes()]).expect("what is written is read");
            assert_eq!(again.members, *members);
        }
        (Err(bad), Some(number)) => {
            assert_eq!(bad.number, number, "{bad}");
            let told = bad.to_string();
            assert!(!told.chars().any(misleads), "{told:?}");
        }
        (read, bad_line) => panic!("{read:?}, where the line that is bad is {bad_line:?}"),
    }
    Outcome::taken_if(is_taken)
}

fn read_pieces(pieces: &[&[u8]]) -> Result<KnownMembers, BadLine> {
    let mut file = MemberFile::default();
    for piece in pieces {
        file.push(piece)?;
    }
    file.finish()
}

/// The members up to the first line that is none of such a file, and the number of that. No input has as many as are taken.
fn expected(bytes: &[u8]) -> (BTreeMap<SocketAddr, KnownMember>, Option<usize>) {
    let mut members: BTreeMap<SocketAddr, KnownMember> = BTreeMap::new();
    for (place, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = if line.len() > 1024 { None } else { String::from_utf8(line.to_vec()).ok() };
        // The mark some editors put before a text.
        let marked = |line: &str| line.strip_prefix('\u{feff}').filter(|_| place == 0).map(str::to_owned);
        let line = line.map(|line| marked(&line).unwrap_or(line));
        let Some(member) = line.as_deref().and_then(member_of) else { return (members, Some(place + 1)) };
        if let Some(member) = member
            && members.get(&member.address).is_none_or(|known| known.clock < member.clock)
        {
            members.insert(member.address, member);
        }
    }
    assert!(members.len() <= KNOWN_MEMBERS_MAX);
    (members, None)
}

/// What a line says: nothing, a member, or what is none.
fn member_of(line: &str) -> Option<Option<KnownMember>> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let said: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    let comment = said.iter().position(|word| word.starts_with('#')).unwrap_or(said.len());
    let (address, is_online, clock) = match said[..comment] {
        [] => return Some(None),
        [address] => (address, false, 0),
        [address, state @ ("ONLINE" | "OFFLINE"), clock] if !clock.starts_with('+') => {
            (address, state == "ONLINE", clock.parse().ok()?)
        }
        _ => return None,
    };
    let mut address: SocketAddr = address.parse().ok()?;
    // One that is written as IPv6 and is none, and the scope of one that is, are as everywhere.
    address = SocketAddr::new(address.ip().to_canonical(), address.port());
    let is_of_one_host = match address.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast(),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    (is_of_one_host && address.port() > 0).then_some(Some(KnownMember { address, is_online, clock }))
}
