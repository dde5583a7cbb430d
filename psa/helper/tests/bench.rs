//! A scratch machine to test with.

use jiff::Timestamp;
use psa_helper::client::ask;
use psa_helper::disk::Disk;
use psa_helper::helper::{Helper, Parts};
use psa_helper::password::Cost;
use psa_helper::peers::Users;
use psa_helper::serve::serve;
use psa_helper::system::Recorded;
use psa_helper::world::{Moment, RealWorld, World};
use psa_model::account::UserName;
use psa_model::ntp::NtpForm;
use psa_model::protocol::{Action, Request, Response, SessionToken};
use psa_model::secret::Secret;
use psa_model::settings::{Change, Generation};
use std::fs;
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub const PASSWORD: &str = "Correct horse 7";

/// A clock that only a test moves; real randomness.
pub struct FakeWorld(AtomicU64);

impl FakeWorld {
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::SeqCst);
    }
}

impl World for FakeWorld {
    fn now(&self) -> Moment {
        let up = self.0.load(Ordering::SeqCst);
        let wall = Timestamp::from_second(1_795_000_000 + i64::try_from(up).unwrap()).unwrap();
        Moment { wall, up: Duration::from_secs(up) }
    }

    fn boot(&self) -> String {
        "boot-1".into()
    }

    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        RealWorld.fill(bytes)
    }
}

/// A machine in a scratch folder with three ports.
pub struct Bench {
    pub root: tempfile::TempDir,
    pub world: Arc<FakeWorld>,
    pub system: Arc<Recorded>,
}

impl Bench {
    pub fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for n in 1..=3 {
            let port = root.path().join(format!("sys/class/net/enp0s{n}"));
            fs::create_dir_all(port.join("device")).unwrap();
            fs::write(port.join("address"), format!("52:54:00:00:00:0{n}\n")).unwrap();
        }
        let world = Arc::new(FakeWorld(AtomicU64::new(1000)));
        Self { root, world, system: Arc::new(Recorded::default()) }
    }

    pub fn parts(&self, disk: Disk) -> Parts {
        let cost = Cost { memory_kib: 64, passes: 1 };
        let (world, system) = (Arc::clone(&self.world), Arc::clone(&self.system));
        Parts { disk, world, system, cost }
    }

    pub fn open(&self) -> Helper {
        Helper::open(self.parts(Disk::new(self.root.path()))).unwrap()
    }

    /// Prepares the machine and serves it until the result is dropped.
    pub fn start(&self) -> Running {
        self.open().prepare().unwrap();
        let helper = Arc::new(self.open());
        helper.resume().unwrap();
        let socket = self.root.path().join("helper.sock");
        drop(fs::remove_file(&socket));
        let listener = UnixListener::bind(&socket).unwrap();
        let (stop, stopped) = UnixStream::pair().unwrap();
        let users = Users::of_machine(true);
        let served = Arc::clone(&helper);
        let thread = std::thread::spawn(move || serve(&served, users, &listener, stopped.as_fd()).unwrap());
        Running { socket, helper, stop, thread: Some(thread) }
    }

    pub fn file(&self, path: &str) -> String {
        fs::read_to_string(self.root.path().join(path)).unwrap_or_default()
    }

    /// The audit's lines as JSON.
    pub fn audit(&self) -> Vec<serde_json::Value> {
        self.file("state/psa-helper/audit.log").lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Whether the store was ever set aside.
    pub fn has_broken_store(&self) -> bool {
        let entries = fs::read_dir(self.root.path().join("state/psa-helper")).unwrap();
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("broken"))
    }
}

/// A helper that serves.
pub struct Running {
    pub socket: PathBuf,
    helper: Arc<Helper>,
    stop: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.write_all(b"x").unwrap();
        self.thread.take().unwrap().join().unwrap();
        // A process would end here; threads see the end of their connections first.
        while Arc::strong_count(&self.helper) > 1 {
            std::thread::yield_now();
        }
    }
}

impl Running {
    pub fn ask(&self, request: &Request) -> Response {
        ask(&self.socket, request).unwrap()
    }

    pub fn setup_code(&self) -> Option<Secret> {
        match self.ask(&Request::Console) {
            Response::Console(console) => console.setup_code,
            other => panic!("{other:?}"),
        }
    }

    pub fn first_account(&self, code: &str, password: &str) -> Response {
        let name = UserName::parse("anna").unwrap();
        self.ask(&Request::FirstAccount { code: secret(code), name, password: secret(password), from: from(1) })
    }

    pub fn log_in(&self, name: &str, password: &str, host: u8) -> Response {
        self.ask(&Request::LogIn { name: name.into(), password: secret(password), from: from(host), previous: None })
    }

    /// Creates the account `anna` and returns her session.
    pub fn anna(&self) -> SessionToken {
        let code = self.setup_code().unwrap();
        token(&self.first_account(code.expose(), PASSWORD))
    }

    pub fn act(&self, session: &SessionToken, action: Action) -> Response {
        self.ask(&Request::As { session: session.clone(), from: from(1), is_background: false, action })
    }

    pub fn apply(&self, session: &SessionToken, base: u64, server: &str) -> Response {
        self.act(session, Action::Apply { base: Generation(base), change: Box::new(ntp(server)) })
    }

    pub fn is_alive(&self, session: &SessionToken) -> bool {
        matches!(self.act(session, Action::WhoAmI), Response::Actor(_))
    }
}

pub fn secret(text: &str) -> Secret {
    Secret::new(text.into())
}

pub fn from(host: u8) -> IpAddr {
    [192, 0, 2, host].into()
}

pub fn ntp(server: &str) -> Change {
    Change::Ntp(NtpForm { servers: vec![server.into()], ..NtpForm::default() }.parse().unwrap())
}

pub fn token(answer: &Response) -> SessionToken {
    match answer {
        Response::LoggedIn { session, .. } => session.clone(),
        other => panic!("{other:?}"),
    }
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
