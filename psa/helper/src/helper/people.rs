//! Accounts and sessions: the first account, login and logout.

use super::{Helper, lock};
use crate::accounts::{Account, Accounts, is_setup_code};
use crate::audit::{Entry, Event, Outcome, UNKNOWN};
use crate::generations::Author;
use crate::sessions::csrf;
use crate::world::random;
use anyhow::Context;
use psa_model::account::{NewPassword, Role, UserName};
use psa_model::protocol::{Actor, Response, SessionToken};
use psa_model::secret::Secret;
use std::net::IpAddr;
use std::time::Duration;

/// Who a session's person is, for the web process.
pub(super) fn actor(account: &Account, token: &SessionToken) -> Actor {
    Actor { name: account.name.clone(), role: account.role, csrf: csrf(token) }
}

fn try_later(wait: Duration) -> Response {
    // Rounded up: who comes at the second that was said must not be too early.
    let seconds = wait.as_millis().div_ceil(1000);
    Response::TryLater { seconds: u32::try_from(seconds).unwrap_or(u32::MAX).max(1) }
}

impl Helper {
    pub(super) fn first_account(
        &self,
        code: &Secret,
        name: &UserName,
        password: &Secret,
        from: IpAddr,
    ) -> anyhow::Result<Response> {
        // Held to the end: of two people with the code, one gets the account.
        let _creating = lock(&self.creating);
        let accounts = Accounts(&self.store);
        let Some(expected) = accounts.setup_code()? else { return Ok(Response::Denied) };
        if !accounts.is_empty()? {
            return Ok(Response::Denied);
        }
        if let Err(wait) = lock(&self.throttle).attempt(from, None, self.now().up) {
            return Ok(try_later(wait));
        }
        if !is_setup_code(code, &expected) {
            let who = Author { by: UNKNOWN.into(), from: Some(from) };
            self.record(Event::LoginFailed, who, Outcome::Refused, Some("setup code"))?;
            return Ok(Response::WrongCredentials);
        }
        lock(&self.throttle).succeeded(from, None);
        let password = match NewPassword::parse(password, name) {
            Ok(password) => password,
            Err(rules) => return Ok(Response::WeakPassword { rules }),
        };
        let account = Account {
            name: name.clone(),
            role: Role::Administrator,
            password: self.hasher.hash(&password, random(&*self.world)?)?,
            created: self.now().wall,
        };
        let author = Author { by: name.to_string(), from: Some(from) };
        self.record(Event::FirstAccount, author, Outcome::Done, None)?;
        accounts.put(&account).context("store the first account")?;
        tracing::info!("The first account was created");
        self.open_session(&account, from, None)
    }

    pub(super) fn log_in(
        &self,
        typed: &str,
        password: &Secret,
        from: IpAddr,
        previous: Option<&SessionToken>,
    ) -> anyhow::Result<Response> {
        if let Err(wait) = lock(&self.throttle).attempt(from, Some(typed), self.now().up) {
            return Ok(try_later(wait));
        }
        let accounts = Accounts(&self.store);
        let account = UserName::parse(typed).ok().map(|name| accounts.get(&name)).transpose()?.flatten();
        // An unknown name costs the same hash as a wrong password.
        let is_right = self.hasher.is_password(password, account.as_ref().map(|account| &account.password));
        let Some(account) = account.clone().filter(|_| is_right) else {
            let by = account.map_or_else(|| UNKNOWN.to_owned(), |account| account.name.to_string());
            self.record(Event::LoginFailed, Author { by, from: Some(from) }, Outcome::Refused, None)?;
            return Ok(Response::WrongCredentials);
        };
        lock(&self.throttle).succeeded(from, Some(typed));
        let account = self.rehash(account, password)?;
        let author = Author { by: account.name.to_string(), from: Some(from) };
        self.record(Event::Login, author, Outcome::Done, None)?;
        self.open_session(&account, from, previous)
    }

    /// Hashes a password that is known to be right again, where its hash has another cost than the product's.
    fn rehash(&self, account: Account, password: &Secret) -> anyhow::Result<Account> {
        if !self.hasher.is_outdated(&account.password) {
            return Ok(account);
        }
        // A password set under older rules stays as it is until it is changed.
        let Ok(password) = NewPassword::parse(password, &account.name) else { return Ok(account) };
        let account = Account { password: self.hasher.hash(&password, random(&*self.world)?)?, ..account };
        Accounts(&self.store).put(&account).context("store the account's hash")?;
        Ok(account)
    }

    pub(super) fn log_out(&self, token: &SessionToken, author: Author) -> anyhow::Result<Response> {
        let batch = lock(&self.sessions).end(token);
        self.store_sessions(batch)?;
        self.record(Event::Logout, author, Outcome::Done, None)?;
        Ok(Response::Done)
    }

    fn open_session(
        &self,
        account: &Account,
        from: IpAddr,
        previous: Option<&SessionToken>,
    ) -> anyhow::Result<Response> {
        let (random, up) = (random(&*self.world)?, self.now().up);
        let (token, batch) = lock(&self.sessions).begin(account.name.clone(), from, up, random, previous)?;
        self.store_sessions(batch)?;
        Ok(Response::LoggedIn { actor: actor(account, &token), session: token })
    }

    fn record(&self, event: Event, author: Author, outcome: Outcome, what: Option<&str>) -> anyhow::Result<()> {
        let entry = Entry::of(self.now().wall, event, author, outcome);
        let entry = what.into_iter().fold(entry, Entry::about);
        self.audit.write(&entry).context("write the audit")
    }
}
