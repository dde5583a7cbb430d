//! The way of every settings page: form → review → apply → undo. A page says what it shows, what was typed and what it
//! means ([`SettingsPage`]); everything else is here, once.

mod conflict;
mod flow;
mod undo;

pub use undo::undo;

use crate::fields::Fields;
use crate::frame::Frame;
use crate::problem::Problem;
use crate::route::{Group, Route, Rule};
use crate::visit::Person;
use psa_model::settings::{Change, Generation, Settings};
use std::future::Future;

/// What one settings page must say of itself.
pub trait SettingsPage: 'static {
    /// Its address, such as `/ntp`.
    const PATH: &'static str;
    /// Its name in the menu and its heading, the same as in the model.
    const TITLE: &'static str;
    /// One sentence below the heading.
    const LEAD: &'static str;
    /// The names of its fields.
    const FIELDS: &'static [&'static str];
    /// The address that applies what was reviewed.
    const APPLY: &'static str;
    /// What was typed, or what is in force, as the form shows it.
    type Form;
    /// State that the page shows beside its form; `()` where there is none.
    type Live;

    /// The form that shows the settings in force.
    fn shown(settings: &Settings) -> Self::Form;

    /// The form as it was typed.
    fn typed(fields: &Fields) -> Self::Form;

    /// What the form means.
    ///
    /// # Errors
    /// Every field that needs mending.
    fn parse(form: &Self::Form) -> Result<Change, Vec<FieldError>>;

    /// Asks for the state beside the form.
    fn live(person: &Person) -> impl Future<Output = Result<Self::Live, Problem>>;

    /// Renders the page's template.
    ///
    /// # Errors
    /// When the template fails.
    fn render(frame: Frame, view: FormView<Self::Form, Self::Live>) -> askama::Result<String>;
}

/// A field that needs mending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The id of the field in the page.
    pub id: String,
    /// Its label.
    pub label: String,
    /// What to do.
    pub message: String,
}

impl FieldError {
    /// The message as it stands in the middle of a sentence behind the label.
    #[must_use]
    pub fn after_label(&self) -> String {
        let mut letters = self.message.chars();
        letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
    }
}

/// What a settings page's template gets. The fields around the form are used by `settings/form.html`.
pub struct FormView<F, L> {
    /// One sentence below the heading.
    pub lead: &'static str,
    /// The page's address, where the form is sent.
    pub path: &'static str,
    /// The session's token.
    pub csrf: String,
    /// The generation that the person sees.
    pub base: Generation,
    /// What happened, to be told once.
    pub notice: Notice,
    /// The fields that need mending.
    pub errors: Vec<FieldError>,
    /// Whether the form holds typed text that is stored nowhere.
    pub is_kept: bool,
    /// The values of the form.
    pub form: F,
    /// The state beside the form.
    pub live: L,
}

impl<F, L> FormView<F, L> {
    /// The error of the field with this id.
    #[must_use]
    pub fn error(&self, id: &str) -> Option<&FieldError> {
        self.errors.iter().find(|error| error.id == id)
    }
}

/// One line at the top of a page that says what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Nothing to say.
    None,
    /// A change is in force as this generation.
    Applied(Generation),
    /// A change was undone; that made this generation.
    Undone(Generation),
    /// What was typed is what is in force.
    Unchanged,
}

/// The four routes of a settings page: show, review, apply, and the address that a reload of either falls back to.
#[must_use]
pub fn routes<P: SettingsPage>(group: Group) -> [Route; 4] {
    [
        Route::get(P::PATH, Rule::Administrator(|p| Box::pin(flow::show::<P>(p)))).in_menu(group, P::TITLE),
        Route::post(P::PATH, Rule::Administrator(|p| Box::pin(flow::review::<P>(p)))),
        Route::get(P::APPLY, Rule::Administrator(|p| Box::pin(flow::back::<P>(p)))),
        Route::post(P::APPLY, Rule::Administrator(|p| Box::pin(flow::apply::<P>(p)))),
    ]
}
