//! What the command line promises, asked of the real program: exit codes, JSON, and that
//! a killed run goes on.

mod agents;
mod archives;
mod baton;
mod config;
mod examples;
mod graphs;
mod rehearsals;
mod runs;
mod schedules;
mod servers;
mod skills;
mod versions;
