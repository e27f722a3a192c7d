//! How much memory an execution takes: an allocator that counts, for every program this library is linked into.
//!
//! It hands everything to the system's allocator and refuses nothing; what is too much is judged afterwards.

// An allocator can only be written with `unsafe`.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    // One count per thread, because tests run side by side. Constant and without a destructor, so that the allocator
    // may touch it at any time.
    static COUNT: Cell<Count> = const {
        Cell::new(Count { held: 0, most_held: 0, largest: 0 })
    };
}

#[derive(Clone, Copy, Debug)]
struct Count {
    /// Bytes allocated and not freed; below zero where another thread's were freed.
    held: isize,
    most_held: isize,
    largest: usize,
}

/// What doing something cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// The most bytes that were held at once while it was done, beyond what was held before.
    pub most: usize,
    /// The largest single allocation, in bytes.
    pub largest: usize,
}

impl Cost {
    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Cost) -> Cost {
        Cost { most: self.most.max(other.most), largest: self.largest.max(other.largest) }
    }
}

/// Does something and says what it cost. Must not be nested.
pub fn cost_of<T>(action: impl FnOnce() -> T) -> (T, Cost) {
    let before = COUNT.get().held;
    COUNT.set(Count { held: before, most_held: before, largest: 0 });
    let result = action();
    let after = COUNT.get();
    (result, Cost { most: usize::try_from(after.most_held - before).unwrap_or(0), largest: after.largest })
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

// SAFETY: every call is passed on to the system's allocator as it came; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(0, layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
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
        count(layout.size(), size);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(block, layout, size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_right() {
        let (_, cost) = cost_of(|| {
            drop(vec![0_u8; 1000]);
            vec![0_u8; 300]
        });
        assert_eq!(cost, Cost { most: 1000, largest: 1000 });
        let (_, cost) = cost_of(|| {
            let mut block = Vec::<u8>::with_capacity(100);
            block.reserve_exact(200);
            block
        });
        assert_eq!(cost, Cost { most: 300, largest: 200 });
    }
}
