//! The memory of a ring, which the kernel writes to and this process reads. Each unsafe block is one system call or one
//! view of memory that the kernel has handed over.
#![expect(unsafe_code, reason = "mmap has no safe interface; conventions.md, 22")]

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::AtomicU32,
};

use super::super::CaptureError;

/// Memory shared with the kernel; unmapped when dropped.
#[derive(Debug)]
pub struct Map {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory belongs to this value alone on our side, and moving the value moves only its address.
unsafe impl Send for Map {}

impl Map {
    /// Maps so many bytes of the ring of a socket.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new(socket: &OwnedFd, length: usize) -> Result<Self, CaptureError> {
        // SAFETY: a fresh mapping at an address that the kernel chooses; the result is checked.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                socket.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(CaptureError::System { step: "map the ring", error: io::Error::last_os_error() });
        }
        let start = NonNull::new(start.cast()).ok_or(CaptureError::Missing)?;
        Ok(Self { start, length })
    }

    /// The 32-bit word at an offset, shared with the kernel.
    pub fn word(&self, offset: usize) -> Option<&AtomicU32> {
        if !offset.is_multiple_of(4) || offset.checked_add(4)? > self.length {
            return None;
        }
        // SAFETY: within the mapping by the check above, and aligned, since the mapping begins at a page.
        Some(unsafe { AtomicU32::from_ptr(self.start.as_ptr().add(offset).cast()) })
    }

    /// A view of a part.
    ///
    /// # Safety
    /// The kernel must not write to the part while the view lives.
    pub unsafe fn bytes(&self, offset: usize, length: usize) -> Option<&[u8]> {
        if offset.checked_add(length)? > self.length {
            return None;
        }
        // SAFETY: within the mapping by the check above; the caller sees to it that nobody writes.
        Some(unsafe { std::slice::from_raw_parts(self.start.as_ptr().add(offset), length) })
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by `new` with this length, and no view outlives this value.
        let result = unsafe { libc::munmap(self.start.as_ptr().cast(), self.length) };
        if result != 0 {
            tracing::warn!("A port's ring could not be unmapped");
        }
    }
}
