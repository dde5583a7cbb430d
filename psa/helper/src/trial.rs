//! The course of a settings change as a pure state machine: held, brought about, kept, or taken back.
//!
//! Knows neither files nor units. A change that somebody must confirm gets a phase between `Trying` and `Kept`, and
//! the events "confirmed" and "deadline passed"; nothing else moves.

/// Where a change stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Nothing has happened.
    Proposed,
    /// It is stored as unconfirmed; files and units follow.
    Trying,
    /// The settings before it are brought back.
    GoingBack,
    /// It is in force. The end.
    Kept,
    /// It was taken back. The end.
    Undone,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants it.
    Started,
    /// The last action succeeded.
    Succeeded,
    /// The last action failed.
    Failed,
    /// The helper starts and finds it half-way.
    Restarted,
}

/// What to do next. One at a time; its end is the next event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Store it as unconfirmed.
    Hold,
    /// Write its files and tell its units.
    BringAbout,
    /// Write to the audit that it is in force. Before it is kept: no change may be in force that the audit lacks.
    RecordKept,
    /// Mark it as confirmed and current.
    Keep,
    /// Write the files of the settings before it and tell their units.
    BringBack,
    /// Mark it as undone.
    MarkUndone,
    /// Write to the audit that it was undone.
    RecordUndone,
}

/// A change on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    phase: Phase,
    last: Option<Action>,
}

impl Trial {
    /// A change that nobody has begun.
    #[must_use]
    pub const fn proposed() -> Self {
        Self { phase: Phase::Proposed, last: None }
    }

    /// A change that was found half-way.
    #[must_use]
    pub const fn interrupted() -> Self {
        Self { phase: Phase::Trying, last: None }
    }

    /// Where it stands.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Takes an event, says what to do next; `None` at the end.
    pub fn on(&mut self, event: Event) -> Option<Action> {
        let (phase, action) = match (self.phase, event, self.last) {
            (Phase::Proposed, Event::Started, _) => (Phase::Trying, Some(Action::Hold)),
            (Phase::Trying, Event::Succeeded, Some(Action::Hold)) => (Phase::Trying, Some(Action::BringAbout)),
            (Phase::Trying, Event::Succeeded, Some(Action::BringAbout)) => (Phase::Trying, Some(Action::RecordKept)),
            (Phase::Trying, Event::Succeeded, Some(Action::RecordKept)) => (Phase::Trying, Some(Action::Keep)),
            (Phase::Trying, Event::Succeeded, Some(Action::Keep)) => (Phase::Kept, None),
            // Whatever failed or was interrupted: the way back is the same, and walking it twice does no harm.
            (Phase::Trying, Event::Failed | Event::Restarted, _) => (Phase::GoingBack, Some(Action::BringBack)),
            // A unit that cannot be brought back must not keep the record from saying what is in force.
            (Phase::GoingBack, Event::Succeeded | Event::Failed, Some(Action::BringBack)) => {
                (Phase::GoingBack, Some(Action::MarkUndone))
            }
            (Phase::GoingBack, Event::Succeeded | Event::Failed, Some(Action::MarkUndone)) => {
                (Phase::GoingBack, Some(Action::RecordUndone))
            }
            (Phase::GoingBack, _, _) => (Phase::Undone, None),
            (phase, _, _) => (phase, None),
        };
        (self.phase, self.last) = (phase, action);
        action
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a change; the action `failing` fails. Returns what was done and where it ended.
    fn course(mut trial: Trial, first: Event, failing: Option<Action>) -> (Vec<Action>, Phase) {
        let mut done = Vec::new();
        let mut event = first;
        while let Some(action) = trial.on(event) {
            done.push(action);
            event = if Some(action) == failing { Event::Failed } else { Event::Succeeded };
        }
        (done, trial.phase())
    }

    const BACK: [Action; 3] = [Action::BringBack, Action::MarkUndone, Action::RecordUndone];

    #[test]
    fn a_change_is_held_before_it_has_effects_and_audited_before_it_is_kept() {
        let all = vec![Action::Hold, Action::BringAbout, Action::RecordKept, Action::Keep];
        assert_eq!(course(Trial::proposed(), Event::Started, None), (all, Phase::Kept));
    }

    #[test]
    fn whatever_fails_the_change_is_taken_back() {
        let forward = [Action::Hold, Action::BringAbout, Action::RecordKept, Action::Keep];
        for (at, failing) in forward.iter().enumerate() {
            let expected = [&forward[..=at], &BACK].concat();
            assert_eq!(course(Trial::proposed(), Event::Started, Some(*failing)), (expected, Phase::Undone));
        }
    }

    #[test]
    fn a_change_found_half_way_is_taken_back_even_when_a_unit_fails() {
        for failing in [None, Some(Action::BringBack), Some(Action::MarkUndone)] {
            let end = course(Trial::interrupted(), Event::Restarted, failing);
            assert_eq!(end, (BACK.to_vec(), Phase::Undone), "{failing:?}");
        }
    }
}
