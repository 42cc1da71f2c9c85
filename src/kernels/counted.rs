//! What a GPU was asked to do: cheap sums over the life of the process, for benches.

use std::sync::atomic::{AtomicU64, Ordering};

static DISPATCHES: AtomicU64 = AtomicU64::new(0);
static UPLOADED: AtomicU64 = AtomicU64::new(0);
static READ_BACK: AtomicU64 = AtomicU64::new(0);

/// Sums since the process began; a difference of two of them tells what happened in between. The CPU counts nothing.
///
/// Kernels of this crate are counted, and what they are given. burn's own few (joining and selecting token ids when
/// sequences come and go, filling with zeros) are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Kernels started.
    pub dispatches: u64,
    /// Bytes sent to the device.
    pub uploaded: u64,
    /// Bytes read back from it.
    pub read_back: u64,
}

/// The sums as they stand.
pub fn counted() -> Counted {
    Counted {
        dispatches: DISPATCHES.load(Ordering::Relaxed),
        uploaded: UPLOADED.load(Ordering::Relaxed),
        read_back: READ_BACK.load(Ordering::Relaxed),
    }
}

/// A kernel was started, with so many bytes of numbers.
#[cfg(feature = "gpu")]
pub(super) fn dispatched(bytes: usize) {
    DISPATCHES.fetch_add(1, Ordering::Relaxed);
    uploaded(bytes);
}

/// Bytes were sent to a GPU.
pub(super) fn uploaded(bytes: usize) {
    UPLOADED.fetch_add(bytes as u64, Ordering::Relaxed);
}

/// Bytes were read back from a GPU.
pub(super) fn read_back(bytes: usize) {
    READ_BACK.fetch_add(bytes as u64, Ordering::Relaxed);
}
