//! How much one evaluation may do, counted where loops begin and texts are put together: a
//! bound that is the same everywhere, and no clock. What counts is up to the functions that
//! expressions are rewritten to call.

use std::cell::Cell;

/// Turns of loops, and pieces of text put together, of a short expression.
const STEPS_MAX: u64 = 1_000_000;
/// A turn of a longer expression counts once more for so many bytes of it.
const TURN_BYTES: usize = 256;
/// A step for so many bytes of a text that is added to another.
const TEXT_BYTES: usize = 64;
/// A step for so many elements of a list that is added to another.
const ELEMENTS: usize = 16;
/// Steps for a search by a pattern, which is read anew each time.
const SEARCH: u64 = 200;

thread_local! {
    static LEFT: Cell<u64> = const { Cell::new(0) };
}

/// Evaluates an expression of so many bytes within its bound.
pub(super) fn within<T>(expression_bytes: usize, evaluate: impl FnOnce() -> T) -> T {
    let weight = 1 + (expression_bytes / TURN_BYTES) as u64;
    let outer = LEFT.replace(STEPS_MAX / weight);
    let value = evaluate();
    LEFT.set(outer);
    value
}

/// A loop over so many elements begins: whether it may.
pub(super) fn turns(count: usize) -> bool {
    spend(count as u64)
}

/// A text is searched by a pattern: whether it may be.
pub(super) fn search() -> bool {
    spend(SEARCH)
}

/// A text is added to another: whether it may be.
pub(super) fn text(bytes: usize) -> bool {
    spend((bytes / TEXT_BYTES) as u64)
}

/// A list is added to another: whether it may be.
pub(super) fn list(elements: usize) -> bool {
    spend((elements / ELEMENTS) as u64)
}

fn spend(steps: u64) -> bool {
    let left = LEFT.get();
    LEFT.set(left.saturating_sub(steps));
    left >= steps
}
