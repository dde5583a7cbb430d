//! What a route is: an address, a method, and the rule of who may ask, which is part of the handler's type. A handler
//! that acts for a person takes a [`Person`], and only a rule that asks for a session can make one.

use crate::problem::Problem;
use crate::visit::{Person, Visit, Visitor};
use actix_web::HttpResponse;
use std::future::Future;
use std::pin::Pin;

/// An answer, or why there is none.
pub type Answer = Result<HttpResponse, Problem>;

/// An answer on its way.
pub type Answering = Pin<Box<dyn Future<Output = Answer>>>;

/// Who may ask, and who answers.
#[derive(Clone, Copy)]
pub enum Rule {
    /// Everyone, and nothing of the machine is told.
    Anyone(fn(Visit) -> Answering),
    /// Everyone, and the machine's name and version are told.
    Visitor(fn(Visitor) -> Answering),
    /// An administrator with a session. A form must carry the session's token.
    Administrator(fn(Person) -> Answering),
}

/// How a route is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// GET, and HEAD with it.
    Get,
    /// POST of a form.
    Post,
}

/// The menu's groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What the machine sees.
    Watch,
    /// How the machine is set.
    SetUp,
    /// How the machine is run.
    Run,
}

impl Group {
    /// Every group in the menu's order.
    pub const ALL: [Self; 3] = [Self::Watch, Self::SetUp, Self::Run];

    /// The group's heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Watch => "Watch",
            Self::SetUp => "Set up",
            Self::Run => "Run",
        }
    }
}

/// One line of [`crate::app::routes`].
#[derive(Clone, Copy)]
pub struct Route {
    /// The whole path; there are no patterns.
    pub path: &'static str,
    /// How it is asked.
    pub verb: Verb,
    /// Who may ask.
    pub rule: Rule,
    /// Its place in the menu, if it has one.
    pub menu: Option<(Group, &'static str)>,
}

impl Route {
    /// A page.
    #[must_use]
    pub const fn get(path: &'static str, rule: Rule) -> Self {
        Self { path, verb: Verb::Get, rule, menu: None }
    }

    /// What a form is sent to.
    #[must_use]
    pub const fn post(path: &'static str, rule: Rule) -> Self {
        Self { path, verb: Verb::Post, rule, menu: None }
    }

    /// The same route, in the menu.
    #[must_use]
    pub const fn in_menu(mut self, group: Group, title: &'static str) -> Self {
        self.menu = Some((group, title));
        self
    }
}
