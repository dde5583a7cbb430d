//! A helper that keeps settings and sessions in memory.

use psa_model::account::{Role, UserName};
use psa_model::change::HistoryEntry;
use psa_model::network::{Facts, MacAddress, NetworkSettings, PortFact, PortName};
use psa_model::ntp::NtpForm;
use psa_model::protocol::{Action, Actor, Machine, Request, Response, SessionToken};
use psa_model::secret::Secret;
use psa_model::settings::{Change, Generation, Settings};
use psa_model::status::{ClockSource, ClockStatus, ServiceState, ServiceStatus, SourceState};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// The session that lives.
pub const SESSION: &str = "5e55105e55105e55105e55105e55105e55105e55105e55105e55105e55105e55";
/// The session that a login opens.
pub const OPENED: &str = "09e4ed09e4ed09e4ed09e4ed09e4ed09e4ed09e4ed09e4ed09e4ed09e4ed09e4";
/// The living session's token.
pub const CSRF: &str = "c54fc54fc54f";
/// The console's code.
pub const CODE: &str = "7K2M-Q9XD-44TB-PZ0R";
/// The account's password.
pub const PASSWORD: &str = "Correct horse 7";
/// The management port.
pub const MANAGEMENT: &str = "52:54:00:00:00:01";
/// The monitoring port.
pub const MONITORING: &str = "52:54:00:00:00:02";

/// The helper.
pub struct FakeHelper {
    pub needs_setup: Cell<bool>,
    pub states: RefCell<Vec<Settings>>,
    pub by: RefCell<Vec<&'static str>>,
    pub asked: RefCell<Vec<Request>>,
    pub identity: RefCell<(String, String)>,
    pub clock: RefCell<ClockStatus>,
    /// The next answer to something that a person asks for, whatever it is; `WhoAmI` and `Settings` are not touched.
    pub next: RefCell<Option<Response>>,
    /// Takes connections and closes them.
    pub is_down: Cell<bool>,
}

fn settings() -> Settings {
    let mac = |text| MacAddress::parse(text).unwrap();
    let form = NtpForm {
        servers: vec!["ntp1.example.net".into(), "192.0.2.123".into()],
        nts: vec![true],
        zone: "Europe/Lisbon".into(),
    };
    Settings {
        network: NetworkSettings { management: Some(mac(MANAGEMENT)), monitoring: vec![mac(MONITORING)] },
        ntp: form.parse().unwrap(),
    }
}

fn facts() -> Facts {
    let port = |name, mac| PortFact { name: PortName::parse(name).unwrap(), mac: MacAddress::parse(mac).unwrap() };
    Facts { ports: vec![port("enp1s0", MANAGEMENT), port("enp2s0", MONITORING)] }
}

fn clock() -> ClockStatus {
    let source = |name: &str, state, reached, age| ClockSource {
        name: name.into(),
        state,
        reached,
        age_seconds: age,
        offset_seconds: Some(0.000_3),
    };
    ClockStatus {
        is_synchronised: Some(true),
        reference: Some("ntp1.example.net".into()),
        stratum: Some(2),
        offset_seconds: Some(0.000_3),
        updated_at: Some(1_795_528_930.5),
        sources: vec![
            source("ntp1.example.net", SourceState::Selected, 8, Some(12)),
            source("192.0.2.123", SourceState::Unreachable, 0, None),
        ],
    }
}

fn actor() -> Actor {
    Actor { name: UserName::parse("anna").unwrap(), role: Role::Administrator, csrf: Secret::new(CSRF.into()) }
}

impl FakeHelper {
    /// Listens at `socket`, on the thread of the test.
    pub fn listen(socket: &Path) -> Rc<Self> {
        let helper = Rc::new(Self {
            needs_setup: Cell::new(false),
            states: RefCell::new(vec![Settings::default(), settings()]),
            by: RefCell::new(vec!["system", "anna"]),
            asked: RefCell::default(),
            identity: RefCell::default(),
            clock: RefCell::new(clock()),
            next: RefCell::default(),
            is_down: Cell::new(false),
        });
        let listener = UnixListener::bind(socket).unwrap();
        let listening = Rc::clone(&helper);
        actix_web::rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if !listening.is_down.get() {
                    let helper = Rc::clone(&listening);
                    actix_web::rt::spawn(async move { helper.serve(stream).await });
                }
            }
        });
        helper
    }

    /// What was asked beside what every page asks.
    pub fn actions(&self) -> Vec<Action> {
        let all = self.asked.borrow();
        all.iter()
            .filter_map(|request| match request {
                Request::As { action, .. } => Some(action.clone()),
                _ => None,
            })
            .filter(|action| !matches!(action, Action::WhoAmI | Action::Settings | Action::Status))
            .collect()
    }

    /// Somebody else changes the time servers.
    pub fn interfere(&self, server: &str) {
        let mut settings = self.states.borrow().last().unwrap().clone();
        let form = NtpForm { servers: vec![server.into()], nts: vec![], zone: "Europe/Lisbon".into() };
        settings.ntp = form.parse().unwrap();
        self.states.borrow_mut().push(settings);
        self.by.borrow_mut().push("berta");
    }

    async fn serve(&self, mut stream: UnixStream) {
        let mut header = [0; 4];
        while stream.read_exact(&mut header).await.is_ok() {
            let mut body = vec![0; usize::try_from(u32::from_be_bytes(header)).unwrap()];
            stream.read_exact(&mut body).await.unwrap();
            let request: Request = serde_json::from_slice(&body).unwrap();
            let answer = serde_json::to_vec(&self.answer(&request)).unwrap();
            self.asked.borrow_mut().push(request);
            stream.write_all(&u32::try_from(answer.len()).unwrap().to_be_bytes()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    }

    fn generation(&self) -> Generation {
        Generation(u64::try_from(self.states.borrow().len()).unwrap())
    }

    fn answer(&self, request: &Request) -> Response {
        let opened = || Response::LoggedIn { session: SessionToken(Secret::new(OPENED.into())), actor: actor() };
        match request {
            Request::Machine => Response::Machine(Machine {
                name: "lisbon-1".into(),
                version: "1.0.0".into(),
                needs_setup: self.needs_setup.get(),
            }),
            Request::TlsIdentity => {
                let (key, chain) = self.identity.borrow().clone();
                Response::TlsIdentity { key: Secret::new(key), chain }
            }
            Request::Console => Response::Denied,
            Request::FirstAccount { code, .. } => self.next.take().unwrap_or_else(|| match code.expose() == CODE {
                true => opened(),
                false => Response::WrongCredentials,
            }),
            Request::LogIn { name, password, .. } => {
                self.next.take().unwrap_or_else(|| match name == "anna" && password.expose() == PASSWORD {
                    true => opened(),
                    false => Response::WrongCredentials,
                })
            }
            Request::As { session, .. } if session.0.expose() != SESSION => Response::Denied,
            Request::As { action, .. } => self.act(action),
        }
    }

    fn act(&self, action: &Action) -> Response {
        let current = || {
            let settings = Box::new(self.states.borrow().last().unwrap().clone());
            (self.generation(), settings)
        };
        match action {
            Action::WhoAmI => return Response::Actor(actor()),
            Action::Settings => {
                let (generation, settings) = current();
                return Response::Current { generation, settings, facts: facts() };
            }
            Action::Status => {}
            _ => {
                if let Some(answer) = self.next.take() {
                    return answer;
                }
            }
        }
        match action {
            Action::WhoAmI | Action::Settings => unreachable!(),
            Action::LogOut => Response::Done,
            Action::Apply { base, change } => self.make(*base, |before| change.apply_to(before)),
            Action::Restore { base, to } => {
                let at = usize::try_from(to.0).unwrap() - 1;
                let old = self.states.borrow()[at].clone();
                self.make(*base, |_| old)
            }
            Action::History { .. } => Response::History(self.history()),
            Action::Status => Response::Status { clock: self.clock.borrow().clone(), services: services() },
        }
    }

    fn make(&self, base: Generation, change: impl FnOnce(&Settings) -> Settings) -> Response {
        let before = self.states.borrow().last().unwrap().clone();
        if base != self.generation() {
            return Response::Conflict { generation: self.generation(), settings: Box::new(before) };
        }
        self.states.borrow_mut().push(change(&before));
        self.by.borrow_mut().push("anna");
        Response::Applied { generation: self.generation() }
    }

    fn history(&self) -> Vec<HistoryEntry> {
        let by = self.by.borrow();
        let entry = |(at, by): (usize, &&str)| HistoryEntry {
            generation: Generation(u64::try_from(at).unwrap() + 1),
            at: "2026-11-24T14:00:00Z".into(),
            by: (*by).into(),
            from: None,
            why: "Time".into(),
            rows: vec![],
        };
        by.iter().enumerate().map(entry).rev().collect()
    }
}

fn services() -> Vec<ServiceStatus> {
    let service = |unit: &str, purpose: &str, state, since| ServiceStatus {
        unit: unit.into(),
        purpose: purpose.into(),
        state,
        since,
    };
    vec![
        service("psa", "Serves these pages", ServiceState::Active, Some(1_795_520_000)),
        service("sniffer", "Records calls", ServiceState::Failed, Some(1_795_528_900)),
        service("chrony", "Sets the clock", ServiceState::Changing, None),
    ]
}

/// The time settings of a change that was asked for.
pub fn servers(action: &Action) -> Vec<String> {
    match action {
        Action::Apply { change, .. } => match &**change {
            Change::Ntp(settings) => settings.servers().iter().map(ToString::to_string).collect(),
            Change::Network(_) => vec![],
        },
        _ => vec![],
    }
}
