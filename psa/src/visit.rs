//! One request: who sent it, what it says, and what may be asked on its behalf.

use crate::app;
use crate::assets::ASSETS;
use crate::fields::Fields;
use crate::frame::{Frame, PersonLine, menu};
use crate::helper::{Caller, Helper};
use crate::pages::status::probe::Probe;
use crate::problem::Problem;
use crate::route::Route;
use crate::sniffer::Sniffer;
use crate::view::time::Clock;
use jiff::Timestamp;
use psa_model::network::Facts;
use psa_model::protocol::{Action, Actor, Machine, Request, Response, SessionToken};
use psa_model::settings::{Generation, Settings};
use std::net::IpAddr;
use std::sync::Arc;

/// What all requests share.
pub struct App {
    /// The helper.
    pub helper: Helper,
    /// The sniffer.
    pub sniffer: Sniffer,
    /// The machine's figures.
    pub probe: Probe,
    /// The clock: tests have their own.
    pub now: fn() -> Timestamp,
    /// Every route.
    pub routes: Vec<Route>,
}

impl App {
    /// Puts the parts together, with the routes of [`app::routes`].
    #[must_use]
    pub fn new(helper: Helper, sniffer: Sniffer, probe: Probe, now: fn() -> Timestamp) -> Self {
        Self { helper, sniffer, probe, now, routes: app::routes() }
    }
}

/// A request of anyone.
pub struct Visit {
    /// What all requests share.
    pub app: Arc<App>,
    /// The path that was asked for.
    pub path: String,
    /// The fields behind the question mark.
    pub query: Fields,
    /// The fields of the form.
    pub fields: Fields,
    /// The session of the cookie, alive or not.
    pub session: Option<SessionToken>,
    /// The browser's address.
    pub from: IpAddr,
    /// The page asks by itself, not the person.
    pub is_background: bool,
}

/// A request of somebody who may not be logged in.
pub struct Visitor {
    /// The request.
    pub visit: Visit,
    /// The machine.
    pub machine: Machine,
}

/// All settings, as they are in force.
#[derive(Debug, Clone)]
pub struct Current {
    /// Their generation.
    pub generation: Generation,
    /// The settings.
    pub settings: Settings,
    /// The machine they are rendered for.
    pub facts: Facts,
}

/// A request of an administrator whose session lives.
pub struct Person {
    /// The request.
    pub visit: Visit,
    /// The machine.
    pub machine: Machine,
    /// On whose behalf the helper is asked.
    pub caller: Caller,
    /// Who it is.
    pub actor: Actor,
    /// The settings in force.
    pub current: Current,
}

impl Visitor {
    /// The frame of a page before login: no menu, and times in UTC.
    #[must_use]
    pub fn frame(&self, title: &str) -> Frame {
        Frame {
            title: title.to_owned(),
            is_error: false,
            machine: self.machine.name.clone(),
            version: self.machine.version.clone(),
            now: String::new(),
            menu: Vec::new(),
            person: None,
            assets: &ASSETS,
        }
    }
}

impl Person {
    /// Asks the helper on this person's behalf.
    ///
    /// # Errors
    /// As [`Helper::ask`].
    pub async fn ask(&self, action: Action) -> Result<Response, Problem> {
        ask(&self.visit.app.helper, &self.caller, action).await
    }

    /// The time and the zone in which this machine's pages show times.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::new(self.current.settings.ntp.zone(), (self.visit.app.now)())
    }

    /// The frame of a page.
    #[must_use]
    pub fn frame(&self, title: &str) -> Frame {
        let clock = self.clock();
        Frame {
            title: title.to_owned(),
            is_error: false,
            machine: self.machine.name.clone(),
            version: self.machine.version.clone(),
            now: clock.full(clock.now()),
            menu: menu(&self.visit.app.routes, &self.visit.path),
            person: Some(PersonLine::of(&self.actor)),
            assets: &ASSETS,
        }
    }
}

/// Asks the helper on a caller's behalf.
///
/// # Errors
/// As [`Helper::ask`].
pub async fn ask(helper: &Helper, caller: &Caller, action: Action) -> Result<Response, Problem> {
    let Caller { session, from, is_background } = caller.clone();
    helper.ask(&Request::As { session, from, is_background, action }).await
}
