//! How much memory doing something takes: an allocator that counts, and refuses where it is told to.
//!
//! It is the allocator of every program that uses this library; all it takes it takes from the system's. Each thread has a
//! count of its own, because tests run side by side. What is published for this counts too, but neither the largest
//! allocation nor with a limit, and both are asked for here.
//!
//! ```
//! let (text, cost) = counting_allocator::cost_of(|| "tea".repeat(100));
//! assert_eq!((text.len(), cost.kept), (300, 300));
//! ```

// An allocator can only be written with `unsafe`; this one hands everything to the system's and counts.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    // Constant and without a destructor, so that the allocator may touch it at any time.
    static COUNT: Cell<Count> = const { Cell::new(Count { held: 0, most_held: 0, largest: 0 }) };
    /// What may be held: whatever would take more is refused.
    static MOST_HELD: Cell<isize> = const { Cell::new(isize::MAX) };
}

#[derive(Clone, Copy, Debug)]
struct Count {
    held: isize,
    most_held: isize,
    largest: usize,
}

/// What doing something cost, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The most that was held at once while it was done, beyond what was held before.
    pub most: usize,
    /// The largest single allocation.
    pub largest: usize,
    /// What is still held.
    pub kept: usize,
}

impl Cost {
    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Cost) -> Cost {
        Cost {
            most: self.most.max(other.most),
            largest: self.largest.max(other.largest),
            kept: self.kept.max(other.kept),
        }
    }
}

/// Does something and says what it cost. Must not be nested.
pub fn cost_of<T>(action: impl FnOnce() -> T) -> (T, Cost) {
    let before = held();
    COUNT.set(Count { held: before, most_held: before, largest: 0 });
    let result = action();
    let after = COUNT.get();
    let cost = Cost {
        most: usize::try_from(after.most_held - before).unwrap_or(0),
        largest: after.largest,
        kept: usize::try_from(after.held - before).unwrap_or(0),
    };
    (result, cost)
}

/// Does something with no more memory than this, besides what is held already.
pub fn with_at_most<T>(bytes: usize, action: impl FnOnce() -> T) -> T {
    MOST_HELD.set(held().saturating_add_unsigned(bytes));
    let result = action();
    MOST_HELD.set(isize::MAX);
    result
}

/// What this thread allocated and did not free; below zero where it freed what others allocated.
#[must_use]
pub fn held() -> isize {
    COUNT.get().held
}

fn count(freed: usize, allocated: usize) {
    let mut count = COUNT.get();
    // A block that grows may have to be copied: for a moment there are two.
    count.held = count.held.saturating_add_unsigned(allocated);
    count.most_held = count.most_held.max(count.held);
    count.held = count.held.saturating_sub_unsigned(freed);
    count.largest = count.largest.max(allocated);
    COUNT.set(count);
}

fn is_refused(bytes: usize) -> bool {
    held().saturating_add_unsigned(bytes) > MOST_HELD.get()
}

// SAFETY: every call is passed on to the system's allocator as it came, or refused, which an allocator may do; counting
// allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return ptr::null_mut();
        }
        count(0, layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_refused(layout.size()) {
            return ptr::null_mut();
        }
        count(0, layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(layout.size(), 0);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // A block that shrinks is not refused: no allocator of a system does.
        if size > layout.size() && is_refused(size) {
            return ptr::null_mut();
        }
        count(layout.size(), size);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_is_what_would_be_too_much() {
        let take = |bytes: usize| with_at_most(1_000, || Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
        assert!(take(1_000) && !take(1_001));
    }

    #[test]
    fn the_count_is_right() {
        let (block, cost) = cost_of(|| {
            drop(vec![0_u8; 1000]);
            vec![0_u8; 300]
        });
        assert_eq!(cost, Cost { most: 1000, largest: 1000, kept: 300 });
        let ((), cost) = cost_of(|| drop(block));
        assert_eq!(cost, Cost::default());
        let (_block, cost) = cost_of(|| {
            let mut block = Vec::<u8>::with_capacity(100);
            block.reserve_exact(200);
            block
        });
        assert_eq!(cost, Cost { most: 300, largest: 200, kept: 200 });
    }
}
