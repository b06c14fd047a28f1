//! A thread's buffer for what is written before its length is known: grown once, and not for
//! each digest or text.

use std::cell::Cell;

/// A larger buffer is not kept, in bytes.
pub(crate) const KEPT_BYTES_MAX: usize = 128 * 1024;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// An empty buffer: the one this thread gave back last, where nobody has it.
pub(crate) fn take() -> Vec<u8> {
    SPARE.take()
}

/// Gives a buffer back.
pub(crate) fn give_back(mut buffer: Vec<u8>) {
    if buffer.capacity() <= KEPT_BYTES_MAX {
        buffer.clear();
        SPARE.set(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_empty_unless_it_is_too_large() {
        let mut buffer = take();
        buffer.extend_from_slice(&[1; 1_000]);
        let capacity = buffer.capacity();
        give_back(buffer);
        let again = take();
        assert_eq!((again.len(), again.capacity()), (0, capacity));
        assert_eq!(take().capacity(), 0, "somebody has it");
        give_back(Vec::with_capacity(KEPT_BYTES_MAX + 1));
        assert_eq!(take().capacity(), 0);
    }
}
