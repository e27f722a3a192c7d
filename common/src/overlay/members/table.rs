//! The members one knows, by address: 32 bytes for each at an IPv4 address, 48 at an IPv6 one.
//!
//! It keeps them and decides nothing: what is taken out is put back changed (`record`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::record::{COUNTED_MAX, Changes, GONE_COUNTED_MAX, MemberRecord, Teller};
use crate::limits::LOOKS_AGAIN_MAX;
use crate::member::Word;
use crate::message::Identity;

/// A member at an address of one family.
#[derive(Clone, Copy, Debug)]
struct Packed<A> {
    id: Identity,
    clock: u64,
    heard: i32,
    since: u16,
    teller: u16,
    address: A,
    /// All, and those of members that were gone.
    changes_counts: u8,
    /// The place of its word in [`Word::ALL`], and what is true of it.
    state: u8,
}

/// In the place of a teller.
const NOBODY: u16 = u16::MAX;
const WORD_BITS: u8 = 0b11;
const IS_OPEN: u8 = 1 << 2;
const IS_PROVED: u8 = 1 << 3;
const IS_GUESS: u8 = 1 << 4;
const GONE_SHIFT: u32 = COUNTED_MAX.trailing_ones();
const _: () = assert!(GONE_COUNTED_MAX == u8::MAX >> GONE_SHIFT);
const LOOKS_SHIFT: u32 = 5;
const LOOKS_BITS: u8 = 0b11;
const MAY_BE_DIALLED: u8 = 1 << 7;
const _: () = assert!(LOOKS_AGAIN_MAX <= LOOKS_BITS);

/// Ordered as the addresses are: by ip, then by port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct At<const BYTES: usize> {
    ip: [u8; BYTES],
    port: u16,
}

type AtV4 = At<4>;
type AtV6 = At<16>;

impl From<AtV4> for SocketAddr {
    fn from(at: AtV4) -> SocketAddr {
        (Ipv4Addr::from(at.ip), at.port).into()
    }
}

impl From<AtV6> for SocketAddr {
    fn from(at: AtV6) -> SocketAddr {
        (Ipv6Addr::from(at.ip), at.port).into()
    }
}

impl<A: Copy + Into<SocketAddr>> Packed<A> {
    fn new(address: A, known: &MemberRecord) -> Packed<A> {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let word = Word::ALL.iter().position(|word| *word == known.word).and_then(|place| u8::try_from(place).ok());
        let told = flag(known.is_open, IS_OPEN) | flag(known.is_proved, IS_PROVED);
        let own = flag(known.is_guess, IS_GUESS) | flag(known.may_be_dialled, MAY_BE_DIALLED);
        let looks = known.looks.min(LOOKS_BITS) << LOOKS_SHIFT;
        Packed {
            id: known.id,
            clock: known.clock,
            heard: known.heard,
            since: known.changes.since,
            teller: known.teller.map_or(NOBODY, |teller| teller.0),
            address,
            changes_counts: known.changes.count.min(COUNTED_MAX) | known.changes.gone_count << GONE_SHIFT,
            state: word.unwrap_or_default() | told | own | looks,
        }
    }

    fn known(&self) -> MemberRecord {
        let is_set = |flag: u8| self.state & flag != 0;
        MemberRecord {
            address: self.address.into(),
            id: self.id,
            clock: self.clock,
            heard: self.heard,
            word: Word::ALL.get(usize::from(self.state & WORD_BITS)).copied().unwrap_or(Word::Online),
            is_open: is_set(IS_OPEN),
            is_proved: is_set(IS_PROVED),
            is_guess: is_set(IS_GUESS),
            may_be_dialled: is_set(MAY_BE_DIALLED),
            looks: (self.state >> LOOKS_SHIFT) & LOOKS_BITS,
            teller: (self.teller != NOBODY).then_some(Teller(self.teller)),
            changes: Changes {
                since: self.since,
                count: self.changes_counts & COUNTED_MAX,
                gone_count: self.changes_counts >> GONE_SHIFT,
            },
        }
    }
}

/// Those of one family, by address.
#[derive(Debug)]
struct Sorted<A>(Vec<Packed<A>>);

impl<A> Default for Sorted<A> {
    fn default() -> Sorted<A> {
        Sorted(Vec::new())
    }
}

impl<A: Copy + Ord + Into<SocketAddr>> Sorted<A> {
    fn place(&self, address: A) -> Result<usize, usize> {
        self.0.binary_search_by(|packed| packed.address.cmp(&address))
    }

    fn get(&self, address: A) -> Option<MemberRecord> {
        self.0.get(self.place(address).ok()?).map(Packed::known)
    }

    fn put(&mut self, address: A, known: &MemberRecord) {
        let packed = Packed::new(address, known);
        match self.place(address) {
            Ok(place) => {
                if let Some(old) = self.0.get_mut(place) {
                    *old = packed;
                }
            }
            Err(place) => {
                // Little more room than is needed: most come one after the other, and there may be very many servents.
                if self.0.len() == self.0.capacity() {
                    self.0.reserve_exact(1 + self.0.len() / 8);
                }
                self.0.insert(place, packed);
            }
        }
    }

    fn remove(&mut self, address: A) {
        if let Ok(place) = self.place(address) {
            self.0.remove(place);
        }
    }

    /// Those behind an address, or all.
    fn after(&self, address: Option<A>) -> impl Iterator<Item = MemberRecord> {
        let from = address.map_or(0, |address| match self.place(address) {
            Ok(place) => place + 1,
            Err(place) => place,
        });
        self.0.iter().skip(from).map(Packed::known)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct MemberTable {
    v4: Sorted<AtV4>,
    v6: Sorted<AtV6>,
}

enum MemberPlace {
    V4(AtV4),
    V6(AtV6),
}

fn place(address: SocketAddr) -> MemberPlace {
    match address.ip() {
        IpAddr::V4(ip) => MemberPlace::V4(At { ip: ip.octets(), port: address.port() }),
        IpAddr::V6(ip) => MemberPlace::V6(At { ip: ip.octets(), port: address.port() }),
    }
}

impl MemberTable {
    pub(super) fn get(&self, address: SocketAddr) -> Option<MemberRecord> {
        match place(address) {
            MemberPlace::V4(at) => self.v4.get(at),
            MemberPlace::V6(at) => self.v6.get(at),
        }
    }

    /// Puts one in the place of what is known of its address.
    pub(super) fn put(&mut self, known: &MemberRecord) {
        match place(known.address) {
            MemberPlace::V4(at) => self.v4.put(at, known),
            MemberPlace::V6(at) => self.v6.put(at, known),
        }
    }

    pub(super) fn remove(&mut self, address: SocketAddr) {
        match place(address) {
            MemberPlace::V4(at) => self.v4.remove(at),
            MemberPlace::V6(at) => self.v6.remove(at),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.v4.0.len() + self.v6.0.len()
    }

    /// All of them, by address.
    pub(super) fn each(&self) -> impl Iterator<Item = MemberRecord> {
        self.v4.after(None).chain(self.v6.after(None))
    }

    /// Those behind an address, by address; all of them where none is given.
    pub(super) fn after(&self, address: Option<SocketAddr>) -> impl Iterator<Item = MemberRecord> {
        let (v4, v6) = match address.map(place) {
            None => (Some(None), None),
            Some(MemberPlace::V4(at)) => (Some(Some(at)), None),
            Some(MemberPlace::V6(at)) => (None, Some(at)),
        };
        v4.into_iter().flat_map(|after| self.v4.after(after)).chain(self.v6.after(v6))
    }

    /// The first for which this holds, of so many from one at random on.
    pub(super) fn find_from(
        &self,
        random: u64,
        looked_at_max: usize,
        is_meant: impl Fn(&MemberRecord) -> bool,
    ) -> Option<MemberRecord> {
        let count = self.len();
        let first = usize::try_from(random % u64::try_from(count.max(1)).unwrap_or(1)).unwrap_or_default();
        let places = (0..count.min(looked_at_max)).map(|step| (first + step) % count);
        places.filter_map(|place| self.nth(place)).find(is_meant)
    }

    fn nth(&self, place: usize) -> Option<MemberRecord> {
        match place.checked_sub(self.v4.0.len()) {
            None => self.v4.0.get(place).map(Packed::known),
            Some(place) => self.v6.0.get(place).map(Packed::known),
        }
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        self.v4.0.capacity() * size_of::<Packed<AtV4>>() + self.v6.0.capacity() * size_of::<Packed<AtV6>>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(address: &str, word: Word) -> MemberRecord {
        let address: SocketAddr = address.parse().unwrap();
        MemberRecord {
            address,
            id: Identity::of_bits(u64::from(address.port())),
            clock: u64::MAX,
            heard: -7,
            word,
            is_open: word == Word::Online,
            is_proved: word == Word::Failed,
            is_guess: word == Word::Suspect,
            may_be_dialled: word == Word::Left,
            looks: if word == Word::Failed { LOOKS_AGAIN_MAX } else { 0 },
            teller: (word != Word::Left).then_some(Teller(255)),
            changes: Changes { since: u16::MAX, count: 31, gone_count: 7 },
        }
    }

    const ADDRESSES: [&str; 6] =
        ["9.255.0.1:9000", "10.0.0.1:80", "10.0.0.1:9000", "[2001:db8::1]:1", "[2001:db8::1]:2", "[2001:db8:1::]:1"];

    #[test]
    fn a_member_takes_32_bytes_or_48() {
        assert_eq!((size_of::<Packed<AtV4>>(), size_of::<Packed<AtV6>>()), (32, 48));
    }

    #[test]
    fn members_come_out_as_they_went_in_and_by_address() {
        for word in Word::ALL {
            let mut table = MemberTable::default();
            for address in [4, 1, 5, 0, 3, 2].map(|place| ADDRESSES[place]) {
                assert_eq!(table.get(address.parse().unwrap()), None);
                table.put(&known(address, word));
                assert_eq!(table.get(address.parse().unwrap()), Some(known(address, word)));
            }
            let all: Vec<MemberRecord> = ADDRESSES.iter().map(|address| known(address, word)).collect();
            assert_eq!(table.each().collect::<Vec<_>>(), all);
            assert_eq!(table.len(), ADDRESSES.len());
            for (place, address) in ADDRESSES.iter().enumerate() {
                let after: Vec<MemberRecord> = table.after(Some(address.parse().unwrap())).collect();
                assert_eq!(after, all[place + 1..], "behind {address}");
            }
            assert_eq!(table.after(Some("10.0.0.1:81".parse().unwrap())).collect::<Vec<_>>(), all[2..]);
            assert_eq!(table.after(Some("[::]:1".parse().unwrap())).collect::<Vec<_>>(), all[3..]);
            assert_eq!(table.after(None).collect::<Vec<_>>(), all);
        }
    }

    #[test]
    fn one_that_is_put_again_takes_its_own_place_and_one_that_is_removed_leaves_it() {
        let mut table = MemberTable::default();
        for address in ADDRESSES {
            table.put(&known(address, Word::Online));
            table.put(&known(address, Word::Left));
        }
        assert!(table.each().all(|known| known.word == Word::Left) && table.len() == ADDRESSES.len());
        for address in ADDRESSES {
            table.remove(address.parse().unwrap());
            table.remove(address.parse().unwrap());
        }
        assert_eq!(table.len(), 0);
    }

    #[test]
    fn it_keeps_little_more_room_than_its_members_need() {
        let mut table = MemberTable::default();
        for port in 1..=1_000 {
            table.put(&known(&format!("10.0.0.1:{port}"), Word::Online));
            let (needed, held) = (table.len() * 32, table.memory_bytes());
            assert!(held <= needed + needed / 8 + 32, "{held} for {needed}");
        }
    }
}
