//! A graph as a picture: Mermaid for documents that draw it themselves, SVG for everything
//! else.
//!
//! `picture` says what is drawn, `layers` in which order and `place` where. Nothing here
//! looks at runs.

mod layers;
mod mermaid;
mod picture;
mod place;
mod svg;

#[cfg(test)]
mod tests;

pub use mermaid::mermaid;
pub use svg::svg;
