//! Makes SQLite use the program's own allocator instead of C's.
//!
//! Separate from [`crate::store`] because it is unsafe, and useful only together with [`super::arena`].
//! <https://sqlite.org/c3ref/mem_methods.html>

#![allow(unsafe_code, reason = "SQLite asks for memory through C functions")]

use std::alloc::{Layout, alloc, dealloc, realloc};
use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::Once;

use rusqlite::ffi;

/// In bytes. The size of each block is stored before it: Rust's allocators need it, C's do not.
const HEAD: usize = size_of::<u64>();

/// Registers the allocator, before the first database is opened; later calls do nothing.
pub(super) fn share_allocator() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let methods = ffi::sqlite3_mem_methods {
            xMalloc: Some(malloc),
            xFree: Some(free),
            xRealloc: Some(resize),
            xSize: Some(size),
            xRoundup: Some(rounded),
            xInit: Some(init),
            xShutdown: Some(shutdown),
            pAppData: null_mut(),
        };
        // SAFETY: nobody uses SQLite yet, and it copies the struct. Should it refuse, it keeps C's functions.
        unsafe { ffi::sqlite3_config(ffi::SQLITE_CONFIG_MALLOC, &raw const methods) };
    });
}

/// The layout of a block with its head; `None` if the size overflows.
fn layout(size: c_int) -> Option<Layout> {
    let size = usize::try_from(size).ok()?.checked_add(HEAD)?;
    Layout::from_size_align(size, HEAD).ok()
}

/// Stores the size in the head, and returns the address after it.
unsafe fn behind_head(start: *mut u8, size: c_int) -> *mut c_void {
    if start.is_null() {
        return null_mut();
    }
    // SAFETY: the head is that large, and aligned for more than it holds.
    unsafe {
        start.cast::<c_int>().write(size);
        start.add(HEAD).cast()
    }
}

extern "C" fn malloc(size: c_int) -> *mut c_void {
    let Some(layout) = layout(size) else {
        return null_mut();
    };
    // SAFETY: with its head, no block is empty.
    unsafe { behind_head(alloc(layout), size) }
}

unsafe extern "C" fn free(block: *mut c_void) {
    // SAFETY: SQLite gives back what it got from here, or null.
    unsafe {
        if let Some(layout) = layout(size(block)).filter(|_| !block.is_null()) {
            dealloc(block.cast::<u8>().sub(HEAD), layout);
        }
    }
}

unsafe extern "C" fn resize(block: *mut c_void, new: c_int) -> *mut c_void {
    // SAFETY: SQLite resizes what it got from here; neither it nor the new size is null.
    unsafe {
        let (Some(old), Some(larger)) = (layout(size(block)), layout(new)) else {
            return null_mut();
        };
        behind_head(
            realloc(block.cast::<u8>().sub(HEAD), old, larger.size()),
            new,
        )
    }
}

unsafe extern "C" fn size(block: *mut c_void) -> c_int {
    if block.is_null() {
        return 0;
    }
    // SAFETY: SQLite asks about what it got from here.
    unsafe { block.cast::<u8>().sub(HEAD).cast::<c_int>().read() }
}

/// SQLite uses the rounded size.
extern "C" fn rounded(size: c_int) -> c_int {
    size.saturating_add(7) & !7
}

extern "C" fn init(_: *mut c_void) -> c_int {
    ffi::SQLITE_OK
}

extern "C" fn shutdown(_: *mut c_void) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_knows_its_size_and_keeps_its_bytes() {
        // SAFETY: as SQLite does it.
        unsafe {
            let block = malloc(3);
            block.cast::<[u8; 3]>().write(*b"abc");
            assert_eq!(size(block), 3);
            let block = resize(block, 100_000);
            assert_eq!((size(block), *block.cast::<[u8; 3]>()), (100_000, *b"abc"));
            assert!(block.cast::<u64>().is_aligned());
            free(block);
        }
    }

    #[test]
    fn there_is_no_block_of_less_than_nothing() {
        assert!(malloc(-1).is_null());
        // SAFETY: null is no block.
        unsafe {
            assert_eq!(size(null_mut()), 0);
            free(null_mut());
        }
    }
}
