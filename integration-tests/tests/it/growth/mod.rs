//! What grows costs no more for it: long threads, wide maps and long runs, told in counted
//! work and in bytes, never in time.

mod loops;
mod maps;
mod threads;

/// Whether `after` is what `before` was, within so many hundredths.
fn within(before: f64, after: f64, hundredths: f64) -> bool {
    (after - before).abs() * 100.0 <= before * hundredths
}
