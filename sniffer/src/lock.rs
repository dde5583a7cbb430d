//! Locks of the threads. It must not know what they guard.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes a lock. What a thread that panicked leaves behind are counters and queues, which are still that.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
