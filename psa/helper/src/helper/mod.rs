//! The helper itself: owns everything that must outlive a request, and answers requests.

mod people;
mod settings;

use crate::accounts::{Account, Accounts};
use crate::audit::{Audit, Entry, Event, Outcome};
use crate::disk::Disk;
use crate::facts;
use crate::generations::{Author, Generations};
use crate::limits;
use crate::machine;
use crate::password::{Cost, Hasher};
use crate::peers::Caller;
use crate::sessions::{Session, Sessions};
use crate::store::{Batch, Durable, Opened, VOLATILE};
use crate::system::System;
use crate::throttle::Throttle;
use crate::tls;
use crate::world::{Moment, World, hex, random};
use anyhow::Context;
use psa_model::network::{Facts, PortName, PortRole};
use psa_model::protocol::{Action, Console, Machine, Request, Response, SessionToken};
use psa_model::status::{ClockStatus, ServiceStatus};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What the helper is made of.
#[derive(Clone)]
pub struct Parts {
    /// The machine's files.
    pub disk: Disk,
    /// Time and randomness.
    pub world: Arc<dyn World>,
    /// The running system.
    pub system: Arc<dyn System>,
    /// What a password's hash costs.
    pub cost: Cost,
}

/// The helper.
pub struct Helper {
    disk: Disk,
    world: Arc<dyn World>,
    system: Arc<dyn System>,
    store: Durable,
    audit: Audit,
    hasher: Hasher,
    machine: machine::Identity,
    sessions: Mutex<Sessions>,
    throttle: Mutex<Throttle>,
    /// Held while settings change: one change at a time.
    changing: Mutex<()>,
    /// Held while an account is created: one setup code makes one account.
    creating: Mutex<()>,
    certificate: Mutex<Option<tls::Identity>>,
    status: Mutex<Option<(Duration, ClockStatus, Vec<ServiceStatus>)>>,
    addresses: Mutex<Watched>,
}

/// The management port's addresses over time.
#[derive(Debug, Default)]
struct Watched {
    seen: Vec<IpAddr>,
    since: Duration,
    settled: Vec<IpAddr>,
}

/// Locks, also after a thread died holding it: what the locks guard is changed in single steps.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Helper {
    /// Opens the store, and makes what a machine has from its first boot on.
    ///
    /// # Errors
    /// When the state folder cannot be used.
    pub fn open(parts: Parts) -> anyhow::Result<Self> {
        let Parts { disk, world, system, cost } = parts;
        let (store, opened) = Durable::open(&disk, &disk.state()).context("open the store")?;
        let audit = Audit::open(&disk).context("open the audit")?;
        let machine = machine::identity(&store, &*world)?;
        machine::first_settings(&store, &*world, &facts::read(&disk.path("sys/class/net")))?;
        machine::setup_code(&store, &*world)?;
        let (sessions, ended) = Sessions::restore(world.boot(), store.scan(VOLATILE)?);
        store.write(ended)?;
        let helper = Self {
            hasher: Hasher::new(cost, random(&*world)?)?,
            sessions: Mutex::new(sessions),
            throttle: Mutex::default(),
            changing: Mutex::default(),
            creating: Mutex::default(),
            certificate: Mutex::default(),
            status: Mutex::default(),
            addresses: Mutex::default(),
            disk,
            world,
            system,
            store,
            audit,
            machine,
        };
        match opened {
            Opened::Made | Opened::AsItWas => {}
            Opened::FromExport { .. } => helper.note("The store was broken; it was restored from its export")?,
            Opened::Lost { .. } => helper.note("The store was broken and had no export; it begins empty")?,
        }
        Ok(helper)
    }

    /// Writes what the machine did by itself to the audit.
    fn note(&self, what: &str) -> anyhow::Result<()> {
        let entry = Entry::of(self.now().wall, Event::System, Author::system(), Outcome::Done).about(what);
        self.audit.write(&entry).context("write the audit")
    }

    /// Prepares a boot: files of the settings in force, host name, key and certificate. Tells no unit: none runs yet.
    ///
    /// # Errors
    /// When one of them cannot be made.
    pub fn prepare(&self) -> anyhow::Result<()> {
        self.settle(false)?;
        let path = self.disk.rendered("run/callward/hostname")?;
        self.disk
            .replace(&path, format!("{}\n", self.machine.host_name).as_bytes(), 0o644)
            .context("write the host name")?;
        self.system.set_host_name(&self.machine.host_name)?;
        self.refresh_certificate()
    }

    /// Takes up the work: takes back what was half-way, and makes sure that files and settings agree.
    ///
    /// # Errors
    /// When there is no certificate. Settings that cannot be made real are logged: the administrator must get in.
    pub fn resume(&self) -> anyhow::Result<()> {
        if let Err(error) = self.settle(true) {
            tracing::error!(error = format!("{error:#}"), "The settings in force could not be brought about");
        }
        self.refresh_certificate()
    }

    /// Looks after what changes by itself: addresses of the management port, and the certificate that names them.
    ///
    /// # Errors
    /// When the certificate cannot be made.
    pub fn refresh_certificate(&self) -> anyhow::Result<()> {
        // Held from the first look to the last: the clock and the console find the same certificate wanting at the same
        // moment, and each would make one of its own.
        let mut certificate = lock(&self.certificate);
        let names = tls::Names::of(&self.machine.host_name, &self.settled_addresses()?, self.disk.is_scratch());
        *certificate = Some(tls::ensure(&self.disk, &names, self.now().wall, random(&*self.world)?)?);
        Ok(())
    }

    /// How long the machine has been up, for those who do something now and then.
    pub fn up(&self) -> Duration {
        self.now().up
    }

    /// Waits until no change of settings is under way, and lets none begin. For a clean end.
    pub fn hold_changes(&self) -> MutexGuard<'_, ()> {
        lock(&self.changing)
    }

    /// Answers a request. Never fails: what goes wrong is an answer with an operation id, and a line in the log.
    pub fn answer(&self, caller: Caller, request: Request) -> Response {
        if !caller.may_ask(&request) {
            tracing::warn!(?caller, "Refused a request that this process may not make");
            return Response::Denied;
        }
        let answer = match request {
            Request::Machine => self.machine().map(Response::Machine),
            Request::TlsIdentity => self.tls_identity(),
            Request::Console => self.console(),
            Request::FirstAccount { code, name, password, from } => self.first_account(&code, &name, &password, from),
            Request::LogIn { name, password, from, previous } => self.log_in(&name, &password, from, previous.as_ref()),
            Request::As { session, from, is_background, action } => self.act(&session, from, is_background, action),
        };
        answer.unwrap_or_else(|error| self.failed("It failed and nothing was changed.", &error))
    }

    /// Logs a failure, and makes the answer that finds it.
    pub(crate) fn failed(&self, message: &str, error: &anyhow::Error) -> Response {
        let operation = random::<4>(&*self.world).map(|bytes| hex(&bytes)).unwrap_or_default();
        tracing::error!(operation, error = format!("{error:#}"), "A request failed");
        Response::Failed { message: message.to_owned(), operation }
    }

    fn act(&self, token: &SessionToken, from: IpAddr, is_background: bool, action: Action) -> anyhow::Result<Response> {
        let Some((_, account)) = self.session(token, is_background)? else { return Ok(Response::Denied) };
        if !may(&account, &action) {
            return Ok(Response::Denied);
        }
        let author = Author { by: account.name.to_string(), from: Some(from) };
        match action {
            Action::WhoAmI => Ok(Response::Actor(people::actor(&account, token))),
            Action::LogOut => self.log_out(token, author),
            Action::Settings => self.current(),
            Action::Apply { base, change } => self.apply(author, base, &change),
            Action::Restore { base, to } => self.restore(author, base, to),
            Action::History { limit } => {
                Ok(Response::History(Generations(&self.store).history(limit.into(), limits::MAX_HISTORY)?))
            }
            Action::Status => Ok(self.status()),
        }
    }

    /// The live session of a token with its account; counts as use of it unless a page asks by itself.
    fn session(&self, token: &SessionToken, is_background: bool) -> anyhow::Result<Option<(Session, Account)>> {
        let found = lock(&self.sessions).find(token, self.now().up, is_background)?;
        let Some((session, used)) = found else { return Ok(None) };
        if let Some(batch) = used {
            self.store.write(batch)?;
        }
        Ok(Accounts(&self.store).get(&session.account)?.map(|account| (session, account)))
    }

    fn machine(&self) -> anyhow::Result<Machine> {
        Ok(Machine {
            name: self.machine.host_name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            needs_setup: Accounts(&self.store).is_empty()?,
        })
    }

    fn tls_identity(&self) -> anyhow::Result<Response> {
        let identity = lock(&self.certificate).clone().context("no certificate was made")?;
        Ok(Response::TlsIdentity { key: identity.key, chain: identity.chain })
    }

    fn console(&self) -> anyhow::Result<Response> {
        // Somebody copies address and fingerprint from the screen: they must belong together.
        self.refresh_certificate()?;
        Ok(Response::Console(Console {
            machine: self.machine()?,
            addresses: self.settled_addresses()?,
            fingerprint: lock(&self.certificate).as_ref().map(|found| found.fingerprint.clone()).unwrap_or_default(),
            setup_code: Accounts(&self.store).setup_code()?,
        }))
    }

    /// The addresses once none has come or gone for a while; before, those that were settled last. Each address that is
    /// certified is another fingerprint, and addresses come one by one while a port comes up.
    fn settled_addresses(&self) -> anyhow::Result<Vec<IpAddr>> {
        let (seen, up) = (self.addresses()?, self.up());
        let mut watched = lock(&self.addresses);
        if watched.seen != seen {
            *watched = Watched { seen: seen.clone(), since: up, settled: std::mem::take(&mut watched.settled) };
        }
        let has_both = seen.iter().any(IpAddr::is_ipv4) && seen.iter().any(IpAddr::is_ipv6);
        let settle = if has_both { limits::ADDRESSES_SETTLE } else { limits::ADDRESSES_SETTLE_ONE_KIND };
        if self.disk.is_scratch() || up.saturating_sub(watched.since) >= settle {
            watched.settled = watched.seen.clone();
        }
        Ok(watched.settled.clone())
    }

    /// The addresses of the management port. A scratch folder may have no ports; its pages are on the loopback.
    fn addresses(&self) -> anyhow::Result<Vec<IpAddr>> {
        let facts = self.facts();
        let network = Generations(&self.store).current()?.map(|record| record.settings.network).unwrap_or_default();
        let port = facts.ports.into_iter().find(|port| network.role(&port.mac) == PortRole::Management);
        let loopback = self.disk.is_scratch().then(|| PortName::parse("lo").ok()).flatten();
        Ok(port.map(|port| port.name).or(loopback).map(|name| self.system.addresses(&name)).unwrap_or_default())
    }

    fn status(&self) -> Response {
        // Held while asking: however many pages want it, one set of programs runs.
        let mut cached = lock(&self.status);
        let up = self.now().up;
        if let Some((at, clock, services)) = cached.as_ref()
            && up.saturating_sub(*at) < limits::STATUS_AGE
        {
            return Response::Status { clock: clock.clone(), services: services.clone() };
        }
        let (clock, services) = (self.system.clock(), self.system.services());
        *cached = Some((up, clock.clone(), services.clone()));
        Response::Status { clock, services }
    }

    fn facts(&self) -> Facts {
        facts::read(&self.disk.path("sys/class/net"))
    }

    fn now(&self) -> Moment {
        self.world.now()
    }

    fn store_sessions(&self, batch: Batch) -> anyhow::Result<()> {
        self.store.write(batch).context("store the sessions")
    }
}

/// Whether an account's role allows an action. Every action is listed, so that a later one must be decided on.
fn may(account: &Account, action: &Action) -> bool {
    use psa_model::account::Role;
    match (account.role, action) {
        (
            Role::Administrator,
            Action::WhoAmI
            | Action::LogOut
            | Action::Settings
            | Action::Apply { .. }
            | Action::Restore { .. }
            | Action::History { .. }
            | Action::Status,
        ) => true,
    }
}
