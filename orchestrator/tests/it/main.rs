//! The program itself: its start, its probe, its end.

mod process;
