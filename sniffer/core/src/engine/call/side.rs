//! The two sides of a call.

use crate::record::{Direction, Who};

/// Who of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who sent the first INVITE.
    Caller,
    /// Who was called.
    Callee,
}

impl Side {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }

    /// The side in records.
    pub fn who(self) -> Who {
        match self {
            Self::Caller => Who::Caller,
            Self::Callee => Who::Callee,
        }
    }

    /// The direction of media that this side receives.
    pub fn receives(self) -> Direction {
        match self {
            Self::Caller => Direction::CalleeToCaller,
            Self::Callee => Direction::CallerToCallee,
        }
    }

    /// The direction of media that this side sends.
    pub fn sends(self) -> Direction {
        match self {
            Self::Caller => Direction::CallerToCallee,
            Self::Callee => Direction::CalleeToCaller,
        }
    }
}
