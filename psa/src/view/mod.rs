//! How values are shown: times, sizes, foreign text, states.

pub mod state;
pub mod text;
pub mod time;
