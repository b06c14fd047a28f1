//! Cases of a graph, played in virtual time: the shipped driver, sweeper and store, people
//! and jobs that answer as a table says, and a clock that leaps to whatever is due next.
//!
//! A case with an approval of thirty days takes no longer than one without, and two plays of
//! it give the same. What cases look like is `engine::spec::cases`' to say.

mod played;
mod prompter;
mod script;
mod stage;
mod stand_in;
mod verdict;

use std::io;

use baton_engine::graph::Graph;
use baton_engine::spec::Source;
use baton_engine::spec::cases::Case;

pub use played::{Failed, Played};
use stage::Stage;
pub use verdict::{Difference, differences, duration};

/// Stack of the thread that plays: graphs are computed on it.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Plays a case of a graph, whose text and files `source` holds.
///
/// # Errors
/// When the run is not accepted, as with an input that does not fit, or the play goes on
/// without an end.
pub fn play(graph: &Graph, source: &Source, case: &Case) -> anyhow::Result<Played> {
    // On a thread of its own: the caller may be within a runtime, whose clock is real.
    let played = std::thread::scope(|scope| {
        let playing = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
            runtime.block_on(Stage::play(graph, source, case))
        };
        let thread = std::thread::Builder::new().name("rehearsal".to_owned()).stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, playing)?;
        Ok::<_, io::Error>(thread.join())
    })?;
    played.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
