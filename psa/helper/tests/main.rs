//! The helper as a whole: a scratch root, a real socket, a clock that stands still until a test moves it.

mod bench;
mod crash;
mod hostile;
mod people;
mod settings;
