//! The file of members as text: whom a servent knew, for when it starts again.
//!
//! It opens no file: the program reads it piece by piece, and replaces it. The rules of the text:
//!
//! - A line is `IP:PORT`, or `IP:PORT STATE CLOCK`, where STATE is `ONLINE` or `OFFLINE` and CLOCK what is known of it was
//!   said at. Words are separated by any run of blanks, which are spaces and tabs.
//! - A word that begins with `#` begins a comment. A line without words says nothing.
//! - A line ends with LF or CRLF, the last one with or without. A UTF-8 byte order mark is skipped.
//! - Of several lines with one address the one with the greatest clock counts.
//! - What is anything else is no file of members: nothing is guessed, because the file will be replaced.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::mem;
use std::net::SocketAddr;

use crate::address::{canonical, names_one_end};
use crate::limits::MEMBER_PLACES_MAX;
use crate::text::Escaped;

/// The longest line, in bytes: an address, a clock and a long comment. So whatever a file is, little of it is in memory.
const LINE_BYTES: usize = 1_024;
/// So many members are taken from a file: as many as are remembered beside oneself.
pub const KNOWN_MEMBERS_MAX: usize = MEMBER_PLACES_MAX - 1;

const BYTE_ORDER_MARK: char = '\u{feff}';
const ONLINE: &str = "ONLINE";
const OFFLINE: &str = "OFFLINE";

/// One member as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownMember {
    /// The address it goes by.
    pub address: SocketAddr,
    /// Whether it was there when this was written. Whoever reads it does not know whether it still is.
    pub is_online: bool,
    /// When that was said, on the clock of whoever said it.
    pub clock: u64,
}

/// A file that is read, piece by piece.
#[derive(Debug, Default)]
pub struct MemberFile {
    /// What has come of the line that is being read.
    line: Vec<u8>,
    lines_count: usize,
    members: BTreeMap<SocketAddr, KnownMember>,
    left_out_count: usize,
}

/// What a file said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownMembers {
    /// At most [`KNOWN_MEMBERS_MAX`], by address.
    pub members: Vec<KnownMember>,
    /// How many lines were left out, because there were so many before.
    pub left_out_count: usize,
}

/// A line that is none of such a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{number}: {what}")]
pub struct BadLine {
    /// Which one, counted from 1.
    pub number: usize,
    /// What is wrong with it.
    pub what: LineFault,
}

/// What is wrong with a line. Words are as they may be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineFault {
    /// It is longer than any line of such a file.
    #[error("it is longer than the {LINE_BYTES} bytes that a line has")]
    TooLong,
    /// It is no text.
    #[error("it is not UTF-8")]
    NoText,
    /// What stands where an address should is none.
    #[error("`{0}` is no IP:PORT, such as 10.0.0.7:9000 or [2001:db8::7]:9000")]
    NoAddress(String),
    /// It is the address of no one host.
    #[error("`{0}` is nobody's address")]
    Nobody(String),
    /// What stands where a state should is none.
    #[error("`{0}` is neither {ONLINE} nor {OFFLINE}")]
    NoState(String),
    /// A state stands alone.
    #[error("a clock is missing behind `{0}`")]
    ClockMissing(String),
    /// What stands where a clock should is none.
    #[error("`{0}` is no clock, which is a number from 0 to {max}", max = u64::MAX)]
    NoClock(String),
    /// There is more.
    #[error("`{0}` is a word too many")]
    Surplus(String),
}

impl MemberFile {
    /// Takes the next piece, which may end anywhere.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), BadLine> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (piece, is_whole) = piece.strip_suffix(b"\n").map_or((piece, false), |piece| (piece, true));
            if self.line.len() + piece.len() > LINE_BYTES {
                return Err(BadLine { number: self.lines_count + 1, what: LineFault::TooLong });
            }
            self.line.extend_from_slice(piece);
            if is_whole {
                self.end_line()?;
            }
        }
        Ok(())
    }

    /// There is no more.
    pub fn finish(mut self) -> Result<KnownMembers, BadLine> {
        self.end_line()?;
        let MemberFile { members, left_out_count, .. } = self;
        Ok(KnownMembers { members: members.into_values().collect(), left_out_count })
    }

    fn end_line(&mut self) -> Result<(), BadLine> {
        let mut line = mem::take(&mut self.line);
        let is_first = self.lines_count == 0;
        self.lines_count += 1;
        let member = read_line(&line, is_first).map_err(|what| BadLine { number: self.lines_count, what })?;
        line.clear();
        // The next one is as long.
        self.line = line;
        if let Some(member) = member {
            self.take(member);
        }
        Ok(())
    }

    fn take(&mut self, member: KnownMember) {
        let is_full = self.members.len() >= KNOWN_MEMBERS_MAX;
        match self.members.get_mut(&member.address) {
            Some(known) if member.clock > known.clock => *known = member,
            Some(_) => {}
            None if is_full => self.left_out_count += 1,
            None => {
                self.members.insert(member.address, member);
            }
        }
    }
}

/// The member of a line, if it has one.
fn read_line(line: &[u8], is_first: bool) -> Result<Option<KnownMember>, LineFault> {
    let line = std::str::from_utf8(line).map_err(|_| LineFault::NoText)?;
    let line = if is_first { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
    let line = line.strip_suffix('\r').unwrap_or(line);
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty()).take_while(|word| !word.starts_with('#'));
    let Some(word) = words.next() else { return Ok(None) };
    let address = read_address(word)?;
    let (is_online, clock) = match (words.next(), words.next()) {
        (None, _) => (false, 0),
        (Some(state), clock) => {
            let is_online = match state {
                ONLINE => true,
                OFFLINE => false,
                _ => return Err(LineFault::NoState(shown(state))),
            };
            let clock = clock.ok_or_else(|| LineFault::ClockMissing(shown(state)))?;
            (is_online, read_clock(clock)?)
        }
    };
    match words.next() {
        Some(surplus) => Err(LineFault::Surplus(shown(surplus))),
        None => Ok(Some(KnownMember { address, is_online, clock })),
    }
}

/// Written in full: a port alone could be a line of any other file.
fn read_address(word: &str) -> Result<SocketAddr, LineFault> {
    let address = word.parse().map(canonical).map_err(|_| LineFault::NoAddress(shown(word)))?;
    if names_one_end(address) { Ok(address) } else { Err(LineFault::Nobody(shown(word))) }
}

fn read_clock(word: &str) -> Result<u64, LineFault> {
    let digits = Some(word).filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| LineFault::NoClock(shown(word)))
}

fn shown(word: &str) -> String {
    Escaped::new(word.as_bytes()).to_string()
}

/// The text of a file of these, which `own` knows.
#[must_use]
pub fn text_of(own: SocketAddr, members: &[KnownMember]) -> String {
    let mut text = format!("# members of {own}\n");
    for KnownMember { address, is_online, clock } in members {
        let state = if *is_online { ONLINE } else { OFFLINE };
        // Memory does not refuse it.
        let _ = writeln!(text, "{address} {state} {clock}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<KnownMembers, BadLine> {
        let mut file = MemberFile::default();
        file.push(text.as_ref())?;
        file.finish()
    }

    fn member(address: &str, is_online: bool, clock: u64) -> KnownMember {
        KnownMember { address: address.parse().unwrap(), is_online, clock }
    }

    #[test]
    fn lines_as_people_and_servents_write_them() {
        let north = member("127.0.0.1:9001", false, 0);
        let west = member("127.0.0.1:9002", true, 44);
        for (text, expected) in [
            ("", &[][..]),
            ("\n\r\n \t\n# nobody\n  # nobody yet", &[]),
            ("127.0.0.1:9001", &[north]),
            ("127.0.0.1:9001\n", &[north]),
            ("\u{feff}127.0.0.1:9001\r\n127.0.0.1:9002 ONLINE 44\r\n", &[north, west]),
            ("\u{feff}# north\n127.0.0.1:9001\n", &[north]),
            ("  127.0.0.1:9002 \t ONLINE\t44 # west\n\n127.0.0.1:9001 #north\n", &[north, west]),
            ("127.0.0.1:9001 OFFLINE 0", &[north]),
            ("127.0.0.1:9002 ONLINE 44\n127.0.0.1:9002 OFFLINE 43\n127.0.0.1:9002 OFFLINE 44\n", &[west]),
            ("127.0.0.1:9002 OFFLINE 43\n127.0.0.1:9002 ONLINE 44\n127.0.0.1:9002\n", &[west]),
            ("[::ffff:127.0.0.1]:9001", &[north]),
            (
                "[2001:db8::7]:9000 ONLINE 18446744073709551615\n[fe80::7]:9000\n10.0.0.7:9000 OFFLINE 007",
                &[
                    member("10.0.0.7:9000", false, 7),
                    member("[2001:db8::7]:9000", true, u64::MAX),
                    member("[fe80::7]:9000", false, 0),
                ],
            ),
        ] {
            let expected = KnownMembers { members: expected.to_vec(), left_out_count: 0 };
            assert_eq!(read(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_line_of_such_a_file_is_named_with_its_number() {
        for (text, expected) in [
            (&b"tea green"[..], "1: `tea` is no IP:PORT, such as 10.0.0.7:9000 or [2001:db8::7]:9000"),
            (b"# north\n\n9001\n", "3: `9001` is no IP:PORT, such as"),
            (b"localhost:9001", "1: `localhost:9001` is no IP:PORT, such as"),
            (b"[fe80::1%eth0]:9001", "1: `[fe80::1%eth0]:9001` is no IP:PORT, such as"),
            (b"0.0.0.0:9001", "1: `0.0.0.0:9001` is nobody's address"),
            (b"10.0.0.1:0", "1: `10.0.0.1:0` is nobody's address"),
            (b"224.0.0.1:9001", "1: `224.0.0.1:9001` is nobody's address"),
            (b"10.0.0.1:9001 ONLINE", "1: a clock is missing behind `ONLINE`"),
            (b"10.0.0.1:9001 ONLINE # 44", "1: a clock is missing behind `ONLINE`"),
            (b"10.0.0.1:9001 online 44", "1: `online` is neither ONLINE nor OFFLINE"),
            (b"10.0.0.1:9001 44", "1: `44` is neither ONLINE nor OFFLINE"),
            (b"10.0.0.1:9001 ONLINE -1", "1: `-1` is no clock, which is a number from 0 to 18446744073709551615"),
            (b"10.0.0.1:9001 ONLINE 18446744073709551616", "1: `18446744073709551616` is no clock"),
            (b"10.0.0.1:9001 ONLINE 44 pinned", "1: `pinned` is a word too many"),
            (b"10.0.0.1:9001\n\xef\xbb\xbf10.0.0.1:9002", "2: `\\u{feff}10.0.0.1:9002` is no IP:PORT"),
            (b"10.0.0.1:9001\rtea\n", "1: `10.0.0.1:9001\\rtea` is no IP:PORT"),
            (b"10.0.0.1:9001\0\n", "1: `10.0.0.1:9001\\x00` is no IP:PORT"),
            (b"10.0.0.1:9001\n\x1b[2J\n", "2: `\\x1b[2J` is no IP:PORT"),
            (b"10.0.0.1:9001\n\n\xff\xfe\n", "3: it is not UTF-8"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
        let longest = format!("{:<LINE_BYTES$}", "10.0.0.1:9001 #");
        assert_eq!(read(format!("{longest}\n{longest}")).unwrap().members.len(), 1);
        let error = read(format!("{longest}\n{longest} ")).unwrap_err().to_string();
        assert_eq!(error, "2: it is longer than the 1024 bytes that a line has");
    }

    #[test]
    fn what_was_written_is_read_wherever_it_is_cut() {
        let members = [
            member("10.0.0.7:9000", true, 7),
            member("127.0.0.1:9001", false, u64::MAX),
            member("[2001:db8::7]:9000", true, 0),
            member("[fe80::7]:9000", false, 3),
        ];
        let text = text_of("127.0.0.1:9002".parse().unwrap(), &members);
        assert!(text.starts_with("# members of 127.0.0.1:9002\n10.0.0.7:9000 ONLINE 7\n"), "{text}");
        for cut in 0..=text.len() {
            let mut file = MemberFile::default();
            let (first, second) = text.as_bytes().split_at(cut);
            file.push(first).unwrap();
            file.push(second).unwrap();
            assert_eq!(file.finish().unwrap().members, members, "cut at {cut}");
        }
    }

    #[test]
    fn of_a_million_lines_the_first_are_taken_and_the_others_counted() {
        let mut file = MemberFile::default();
        let line = |number: u32| format!("{}:9000 ONLINE {number}\n", std::net::Ipv4Addr::from(0x0a00_0000 + number));
        for number in 0..1_000_000 {
            file.push(line(number).as_bytes()).unwrap();
        }
        // One that is known is not left out.
        file.push(line(5).as_bytes()).unwrap();
        let KnownMembers { members, left_out_count } = file.finish().unwrap();
        assert_eq!((members.len(), left_out_count), (KNOWN_MEMBERS_MAX, 1_000_000 - KNOWN_MEMBERS_MAX));
        let last = u64::try_from(KNOWN_MEMBERS_MAX).unwrap() - 1;
        assert_eq!(members.last().map(|member| member.clock), Some(last));
    }
}
