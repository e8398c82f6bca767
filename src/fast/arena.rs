//! The allocator: bump allocation from one arena, most of which is never freed.
//!
//! Separate from everything else because it is unsafe. A cached `get` asks for memory some hundred times, for 80 KiB in all,
//! and ends within a millisecond. An allocator that sorts blocks by size, so that they
//! can be used again, spends more on that than it saves: each size begins on a page of its own, which the kernel has to
//! map. Here a block begins where the last one ended.
//!
//! Rules: the newest block is taken back and grows in place; all others stay until the process ends; when the arena
//! is used up, the system's allocator takes over.
//!
//! Measured by `benches/run`: with musl's allocator the static build takes a third longer; dlmalloc is as fast, with a
//! quarter more instructions.

#![allow(unsafe_code, reason = "an allocator is pointers")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicUsize, Ordering};

/// In bytes; no block has a larger one.
const ALIGNMENT: usize = 4096;

#[global_allocator]
static ARENA: Arena<{ 512 * 1024 }> = Arena::new();

/// Leaves all blocks to come to the system's allocator.
pub(super) fn turn_off() {
    ARENA.close();
}

/// An allocator with a piece of so many bytes. Those that are never touched cost nothing.
struct Arena<const SIZE: usize> {
    piece: Piece<SIZE>,
    /// How many bytes of the piece are in use, counted from its start.
    used: AtomicUsize,
}

#[repr(align(4096))]
struct Piece<const SIZE: usize>(UnsafeCell<MaybeUninit<[u8; SIZE]>>);

// SAFETY: `used` alone decides who has which bytes, and each of its values is taken by one thread only.
unsafe impl<const SIZE: usize> Sync for Arena<SIZE> {}

impl<const SIZE: usize> Arena<SIZE> {
    const fn new() -> Arena<SIZE> {
        Arena {
            piece: Piece(UnsafeCell::new(MaybeUninit::uninit())),
            used: AtomicUsize::new(0),
        }
    }

    /// Gives out nothing any more. The blocks that are in use stay valid.
    fn close(&self) {
        self.used.store(SIZE, Ordering::Release);
    }

    /// A new block, if there is room.
    fn block(&self, layout: Layout) -> Option<*mut u8> {
        if layout.align() > ALIGNMENT {
            return None;
        }
        let mut used = self.used.load(Ordering::Relaxed);
        loop {
            // Alignments are powers of two, and to divide takes longer.
            let from = (used + layout.align() - 1) & !(layout.align() - 1);
            let to = from.checked_add(layout.size()).filter(|to| *to <= SIZE)?;
            match self.moved(used, to) {
                Ok(()) => return Some(self.piece.0.get().cast::<u8>().wrapping_add(from)),
                Err(now) => used = now,
            }
        }
    }

    /// Moves the end of what is used, if it is where the caller thinks.
    fn moved(&self, from: usize, to: usize) -> Result<(), usize> {
        // Who gets bytes that were given back must see what the former owner did to them as done.
        self.used
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed)
            .map(drop)
    }

    /// Where in the piece a block begins; `None` for one of the system's.
    fn place(&self, block: *mut u8) -> Option<usize> {
        let place = block.addr().wrapping_sub(self.piece.0.get().addr());
        (place < SIZE).then_some(place)
    }
}

// SAFETY: blocks of the piece do not overlap, because each begins at or behind the end of what was in use and moves that
// end behind itself; the end moves back only over the newest block, when it is given back. All others are the system's.
unsafe impl<const SIZE: usize> GlobalAlloc for Arena<SIZE> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.block(layout)
            // SAFETY: the caller's promise is handed on.
            .unwrap_or_else(|| unsafe { System.alloc(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        match self.place(block) {
            Some(place) => drop(self.moved(place + layout.size(), place)),
            // SAFETY: the system gave it out.
            None => unsafe { System.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(place) = self.place(block) else {
            // SAFETY: the system gave it out.
            return unsafe { System.realloc(block, layout, size) };
        };
        let end = place + layout.size();
        let fits = size <= SIZE - place;
        if size <= layout.size() || (fits && self.moved(end, place + size).is_ok()) {
            return block;
        }
        // SAFETY: the caller promises that size and alignment make a layout; the new block is another one, and longer.
        unsafe {
            let larger = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !larger.is_null() {
                larger.copy_from_nonoverlapping(block, layout.size());
                self.dealloc(block, layout);
            }
            larger
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: usize = 16 * 1024;

    type Arena = super::Arena<SIZE>;

    /// A block as its owner knows it.
    struct Owned {
        block: *mut u8,
        layout: Layout,
        mark: u8,
    }

    impl Owned {
        fn new(arena: &Arena, layout: Layout, mark: u8) -> Owned {
            // SAFETY: no test asks for nothing.
            let block = unsafe { arena.alloc(layout) };
            assert!(block.addr().is_multiple_of(layout.align()));
            // SAFETY: that many bytes are ours.
            unsafe { block.write_bytes(mark, layout.size()) };
            Owned {
                block,
                layout,
                mark,
            }
        }

        fn resize(&mut self, arena: &Arena, size: usize) {
            let kept = size.min(self.layout.size());
            // SAFETY: the block and its layout belong together.
            self.block = unsafe { arena.realloc(self.block, self.layout, size) };
            self.layout = Layout::from_size_align(size, self.layout.align()).unwrap();
            self.check(kept);
            // SAFETY: that many bytes are ours.
            unsafe { self.block.write_bytes(self.mark, size) };
        }

        /// Nobody else has written into it.
        fn check(&self, length: usize) {
            // SAFETY: all of it was written.
            let bytes = unsafe { std::slice::from_raw_parts(self.block, length) };
            assert!(bytes.iter().all(|byte| *byte == self.mark));
        }

        fn free(self, arena: &Arena) {
            self.check(self.layout.size());
            // SAFETY: the block and its layout belong together.
            unsafe { arena.dealloc(self.block, self.layout) };
        }
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    fn used(arena: &Arena) -> usize {
        arena.used.load(Ordering::Relaxed)
    }

    #[test]
    fn the_newest_block_grows_in_place_and_is_taken_back() {
        let arena = Box::new(Arena::new());
        let first = Owned::new(&arena, layout(3, 1), 1);
        let mut second = Owned::new(&arena, layout(8, 8), 2);
        assert_eq!(used(&arena), 16);
        let at = second.block;
        second.resize(&arena, 100);
        assert_eq!((second.block, used(&arena)), (at, 108));
        second.free(&arena);
        assert_eq!(used(&arena), 8);
        first.free(&arena);
        assert_eq!(used(&arena), 8);
    }

    #[test]
    fn what_does_not_fit_is_the_systems() {
        let arena = Box::new(Arena::new());
        for layout in [layout(SIZE + 1, 1), layout(1, 2 * ALIGNMENT)] {
            let mut block = Owned::new(&arena, layout, 1);
            assert_eq!((arena.place(block.block), used(&arena)), (None, 0));
            block.resize(&arena, 2 * layout.size());
            block.free(&arena);
        }
        let mut block = Owned::new(&arena, layout(SIZE, 1), 1);
        assert_eq!(arena.place(block.block), Some(0));
        block.resize(&arena, SIZE + 1);
        assert_eq!((arena.place(block.block), used(&arena)), (None, 0));
        block.free(&arena);
    }

    #[test]
    fn a_closed_arena_gives_out_nothing_and_keeps_what_is_in_use() {
        let arena = Box::new(Arena::new());
        let mut kept = Owned::new(&arena, layout(100, 1), 1);
        let freed = Owned::new(&arena, layout(100, 1), 2);
        arena.close();
        freed.free(&arena);
        let other = Owned::new(&arena, layout(100, 1), 3);
        assert_eq!((arena.place(other.block), used(&arena)), (None, SIZE));
        kept.resize(&arena, 200);
        assert_eq!(arena.place(kept.block), None);
        kept.free(&arena);
        other.free(&arena);
    }

    /// Of a block, in bytes. Miri takes a thousand times as long for each.
    const LARGEST: usize = if cfg!(miri) { 400 } else { 4000 };

    #[test]
    fn threads_do_not_get_each_others_blocks() {
        let arena = Box::new(Arena::new());
        std::thread::scope(|scope| {
            for mark in 0..4 {
                let arena = &arena;
                scope.spawn(move || {
                    for size in 1..LARGEST / 40 {
                        let kept = Owned::new(arena, layout(size, 4), mark);
                        let mut block = Owned::new(arena, layout(size, 1), mark + 100);
                        block.resize(arena, size + 9);
                        block.free(arena);
                        kept.free(arena);
                    }
                });
            }
        });
    }

    proptest! {
        #[test]
        fn blocks_stay_apart(steps in proptest::collection::vec((0..3, 1..LARGEST, 0..7_u32), 1..LARGEST / 20)) {
            let arena = Box::new(Arena::new());
            let mut blocks: Vec<Owned> = Vec::new();
            for (number, (step, size, power)) in steps.into_iter().enumerate() {
                let any = size % blocks.len().max(1);
                match step {
                    0 if !blocks.is_empty() => blocks.swap_remove(any).free(&arena),
                    1 if !blocks.is_empty() => blocks[any].resize(&arena, size),
                    _ => blocks.push(Owned::new(&arena, layout(size, 1 << power), number as u8)),
                }
            }
            for block in blocks {
                block.free(&arena);
            }
        }
    }
}
