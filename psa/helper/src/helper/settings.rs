//! Settings: changing them, restoring earlier ones, and settling after a restart.

use super::{Helper, lock};
use crate::audit::{Entry, Event, Outcome, Step};
use crate::effects::{EffectError, Telling, bring_about};
use crate::generations::{Author, Generations, Record, State};
use crate::trial::{self, Action, Phase, Trial};
use anyhow::{Context, anyhow};
use psa_model::protocol::Response;
use psa_model::render::Risk;
use psa_model::settings::{Change, Generation, Settings};

/// A change on its way from one record to the next.
struct Course<'a> {
    from: &'a Record,
    to: &'a Record,
    telling: Telling<'a>,
    event: Event,
    what: String,
}

impl Helper {
    pub(super) fn current(&self) -> anyhow::Result<Response> {
        let record = self.in_force()?;
        Ok(Response::Current {
            generation: record.generation,
            settings: Box::new(record.settings),
            facts: self.facts(),
        })
    }

    pub(super) fn apply(&self, author: Author, base: Generation, change: &Change) -> anyhow::Result<Response> {
        let _held = lock(&self.changing);
        let current = self.in_force()?;
        let settings = change.apply_to(&current.settings);
        self.change_to(author, base, &current, settings, Event::Change, change.title().to_owned())
    }

    pub(super) fn restore(&self, author: Author, base: Generation, to: Generation) -> anyhow::Result<Response> {
        let _held = lock(&self.changing);
        let current = self.in_force()?;
        let earlier = Generations(&self.store).get(to)?.filter(|record| record.state == State::Confirmed);
        let Some(earlier) = earlier else {
            let message = format!("Generation {to} is not kept any longer. Nothing was changed.");
            return Ok(self.failed(&message, &anyhow!("generation {to} is not in the store")));
        };
        let why = format!("Back to generation {to}");
        self.change_to(author, base, &current, earlier.settings, Event::Restore, why)
    }

    fn in_force(&self) -> anyhow::Result<Record> {
        Generations(&self.store).current()?.context("no settings are in force")
    }

    fn change_to(
        &self,
        author: Author,
        base: Generation,
        current: &Record,
        settings: Settings,
        event: Event,
        why: String,
    ) -> anyhow::Result<Response> {
        if base != current.generation {
            let settings = Box::new(current.settings.clone());
            return Ok(Response::Conflict { generation: current.generation, settings });
        }
        if settings == current.settings {
            return Ok(Response::Applied { generation: current.generation });
        }
        // Nothing unconfirmed may survive, and nobody is asked to confirm in this version.
        if current.settings.risk(&settings) != Risk::None {
            let message = "This change could cut you off from the machine, and it cannot be taken back by itself. \
                           Nothing was changed.";
            return Ok(self.failed(message, &anyhow!("{event:?} of generation {base} may disconnect or lock out")));
        }
        let diff = current.settings.diff(&settings);
        let what: Vec<&str> = diff.iter().map(|(feature, _, _)| *feature).collect();
        let what = what.join(",");
        let record = Record {
            generation: Generations(&self.store).next()?,
            at: self.now().wall,
            author,
            why,
            rows: diff.into_iter().flat_map(|(_, _, rows)| rows).collect(),
            state: State::Unconfirmed { undo_at: None },
            settings,
        };
        let course = Course { from: current, to: &record, telling: Telling::Through(&*self.system), event, what };
        match self.follow(&course, Trial::proposed(), trial::Event::Started) {
            Ok(()) => {
                tracing::info!(generation = record.generation.0, page = course.what, "Applied a generation");
                Ok(Response::Applied { generation: record.generation })
            }
            Err(error) => Ok(self.failed(&explain(&error), &error)),
        }
    }

    /// Makes files and units agree with the settings in force, after taking back a change that was half-way.
    pub(super) fn settle(&self, tells: bool) -> anyhow::Result<()> {
        let _held = lock(&self.changing);
        let telling = if tells { Telling::Through(&*self.system) } else { Telling::Nobody };
        let current = self.in_force()?;
        if let Some(half_way) = Generations(&self.store).unconfirmed()? {
            tracing::warn!(generation = half_way.generation.0, "Taking back a change that was half-way");
            let diff = current.settings.diff(&half_way.settings);
            let what: Vec<&str> = diff.iter().map(|(feature, _, _)| *feature).collect();
            let what = what.join(",");
            let course = Course { from: &current, to: &half_way, telling, event: Event::System, what };
            let end = self.follow(&course, Trial::interrupted(), trial::Event::Restarted);
            // The end is always an error here: it says that the change is taken back.
            tracing::info!(end = ?end.err().map(|error| format!("{error:#}")), "Took it back");
        }
        bring_about(&self.disk, telling, &current.settings, &current.settings, &self.facts())?;
        Ok(())
    }

    /// Follows a change to its end.
    ///
    /// # Errors
    /// Why it was taken back.
    fn follow(&self, course: &Course<'_>, mut trial: Trial, first: trial::Event) -> anyhow::Result<()> {
        let mut event = first;
        let mut cause = (first == trial::Event::Restarted).then(|| anyhow!("the helper ended half-way"));
        while let Some(action) = trial.on(event) {
            event = match self.perform(course, action, cause.as_ref()) {
                Ok(()) => trial::Event::Succeeded,
                Err(error) => {
                    if cause.is_some() {
                        let generation = course.from.generation.0;
                        tracing::error!(generation, error = format!("{error:#}"), "A step back failed");
                    }
                    cause.get_or_insert(error);
                    trial::Event::Failed
                }
            };
        }
        match (trial.phase(), cause) {
            (Phase::Kept, _) => Ok(()),
            (_, cause) => Err(cause.unwrap_or_else(|| anyhow!("the change was taken back"))),
        }
    }

    fn perform(&self, course: &Course<'_>, action: Action, cause: Option<&anyhow::Error>) -> anyhow::Result<()> {
        let Course { from, to, telling, .. } = course;
        let generations = Generations(&self.store);
        match action {
            Action::Hold => generations.hold(to).context("store the change"),
            Action::BringAbout => Ok(bring_about(&self.disk, *telling, &from.settings, &to.settings, &self.facts())?),
            Action::BringBack => Ok(bring_about(&self.disk, *telling, &to.settings, &from.settings, &self.facts())?),
            Action::Keep => generations.keep(to).context("store the change as kept"),
            Action::MarkUndone => {
                let why = cause.map(|error| format!("{error:#}")).unwrap_or_default();
                generations.undo(to, from.generation, &why).context("store the change as undone")
            }
            Action::RecordKept => self.record_change(course, Outcome::Done),
            Action::RecordUndone => self.record_change(course, Outcome::Undone),
        }
    }

    fn record_change(&self, course: &Course<'_>, outcome: Outcome) -> anyhow::Result<()> {
        let Course { from, to, event, what, .. } = course;
        let entry = Entry {
            generation: Some(Step { from: from.generation, to: to.generation }),
            rows: to.rows.clone(),
            ..Entry::of(self.now().wall, *event, to.author.clone(), outcome).about(what)
        };
        self.audit.write(&entry).context("write the audit")
    }
}

/// What failed and what is safe, for the person who made the change.
fn explain(error: &anyhow::Error) -> String {
    let what = match error.downcast_ref::<EffectError>() {
        Some(EffectError::Unit(unit, _)) => format!("The service {unit} did not take the change."),
        Some(EffectError::File(path, _)) => format!("The file {path} could not be written."),
        None => "The change could not be stored.".to_owned(),
    };
    format!("{what} The settings are as they were before.")
}
