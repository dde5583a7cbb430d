//! A state as pages show it: icon, word, colour, and what to do next.

/// The colour and the icon of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// ● as it should be.
    Good,
    /// ▲ someone should look.
    Warn,
    /// ■ something does not work.
    Bad,
    /// ○ neither.
    Plain,
}

/// A state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    tone: Tone,
    /// The word.
    pub word: String,
    /// What to do next; empty where nothing is to be done.
    pub next: String,
}

impl State {
    /// A state in which nothing is to be done.
    #[must_use]
    pub fn new(tone: Tone, word: impl Into<String>) -> Self {
        Self { tone, word: word.into(), next: String::new() }
    }

    /// A state with the next step.
    #[must_use]
    pub fn with_next(tone: Tone, word: impl Into<String>, next: impl Into<String>) -> Self {
        Self { tone, word: word.into(), next: next.into() }
    }

    /// The class of the style sheet, which gives icon and colour.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self.tone {
            Tone::Good => "good",
            Tone::Warn => "warn",
            Tone::Bad => "bad",
            Tone::Plain => "plain",
        }
    }
}
