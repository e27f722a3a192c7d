//! What is on its way in a crowd: small, because there are millions, and in the order in which it is handed out.
//!
//! It knows ticks and the ends of links by their numbers, and not what a message means.

use crate::graph::number;

/// Ticks that anything may take, and one more.
const TICKS: usize = 401;

/// Something on its way: where it arrives, and what it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parcel {
    /// The receiving end of a link.
    pub(super) to: u32,
    pub(super) what: u32,
}

/// What arrives in each of the coming ticks.
pub(super) struct Agenda {
    coming: Vec<Vec<Parcel>>,
    count: usize,
    /// Room of ticks that are over, for those to come.
    spare: Vec<Vec<Parcel>>,
}

impl Agenda {
    pub(super) fn new() -> Agenda {
        Agenda { coming: (0..TICKS).map(|_| Vec::new()).collect(), count: 0, spare: Vec::new() }
    }

    /// How much is on its way.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The next tick, this one or later, in which something arrives.
    pub(super) fn next(&self, now: u64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        (now..now + TICKS as u64).find(|tick| !self.coming[slot(*tick)].is_empty())
    }

    /// Puts something on its way. It takes fewer ticks than there are.
    pub(super) fn add(&mut self, at: u64, parcel: Parcel) {
        let coming = &mut self.coming[slot(at)];
        if coming.is_empty()
            && let Some(spare) = self.spare.pop()
        {
            *coming = spare;
        }
        coming.push(parcel);
        self.count += 1;
    }

    /// Takes what arrives in a tick, by where it arrives, and on one link in the order of sending. What room it took is
    /// to be given back.
    pub(super) fn take(&mut self, tick: u64) -> Vec<Parcel> {
        let mut parcels = std::mem::take(&mut self.coming[slot(tick)]);
        self.count -= parcels.len();
        let mut other = self.spare.pop().unwrap_or_default();
        sort(&mut parcels, &mut other);
        self.give_back(other);
        parcels
    }

    pub(super) fn give_back(&mut self, mut room: Vec<Parcel>) {
        room.clear();
        self.spare.push(room);
    }
}

fn slot(tick: u64) -> usize {
    usize::try_from(tick % TICKS as u64).unwrap_or_default()
}

/// Sorts parcels by where they arrive, those of one link in the order in which they were sent: a radix sort, because
/// there are millions.
fn sort(parcels: &mut Vec<Parcel>, other: &mut Vec<Parcel>) {
    const BITS: u32 = 12;
    if parcels.len() < 64 {
        return parcels.sort_by_key(|parcel| parcel.to);
    }
    let most = parcels.iter().map(|parcel| parcel.to).max().unwrap_or_default();
    let mut shift = 0;
    while shift < u32::BITS && most >> shift > 0 {
        let digit = |parcel: &Parcel| (parcel.to >> shift) as usize & ((1 << BITS) - 1);
        let mut places = [0_usize; 1 << BITS];
        for parcel in parcels.iter() {
            places[digit(parcel)] += 1;
        }
        let mut place = 0;
        for count in &mut places {
            place += std::mem::replace(count, place);
        }
        other.clear();
        other.resize(parcels.len(), Parcel::default());
        for parcel in parcels.iter() {
            let place = &mut places[digit(parcel)];
            other[*place] = *parcel;
            *place += 1;
        }
        std::mem::swap(parcels, other);
        shift += BITS;
    }
}

/// Things that come and go, each under a number for as long as it stays.
pub(super) struct Slab<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    pub(super) fn add(&mut self, entry: T) -> u32 {
        if let Some(place) = self.free.pop() {
            self.entries[place as usize] = Some(entry);
            return place;
        }
        self.entries.push(Some(entry));
        number(self.entries.len() - 1)
    }

    pub(super) fn take(&mut self, place: u32) -> Option<T> {
        let entry = self.entries.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(entry)
    }
}
