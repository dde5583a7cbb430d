//! A crash after every single step by which the disk changes: after a restart the old or the new settings hold, whole.

use crate::bench::{Bench, PASSWORD, copy, from, ntp, secret, token};
use psa_helper::disk::Disk;
use psa_helper::helper::Helper;
use psa_helper::peers::Caller;
use psa_model::network::Facts;
use psa_model::protocol::{Action, Request, Response, SessionToken};
use psa_model::settings::{Change, Generation, Settings};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What a crash after each step would leave: the step and a copy of the whole disk.
struct Crashes {
    folder: tempfile::TempDir,
    steps: Arc<Mutex<Vec<(String, PathBuf)>>>,
}

impl Crashes {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), steps: Arc::default() }
    }

    fn disk(&self, root: &Path) -> Disk {
        let (root_copy, folder, steps) = (root.to_owned(), self.folder.path().to_owned(), Arc::clone(&self.steps));
        Disk::watched(
            root,
            Arc::new(move |step| {
                let mut steps = steps.lock().unwrap();
                let target = folder.join(steps.len().to_string());
                copy(&root_copy, &target);
                steps.push((step.to_owned(), target));
            }),
        )
    }

    fn forget(&self) {
        self.steps.lock().unwrap().clear();
    }

    fn all(&self) -> Vec<(String, PathBuf)> {
        self.steps.lock().unwrap().clone()
    }
}

fn act(helper: &Helper, session: &SessionToken, action: Action) -> Response {
    let request = Request::As { session: session.clone(), from: from(1), is_background: false, action };
    helper.answer(Caller::Owner, request)
}

fn apply(helper: &Helper, session: &SessionToken, base: u64, change: Change) -> Response {
    act(helper, session, Action::Apply { base: Generation(base), change: Box::new(change) })
}

fn log_in(helper: &Helper) -> SessionToken {
    let request = Request::LogIn { name: "anna".into(), password: secret(PASSWORD), from: from(1), previous: None };
    token(&helper.answer(Caller::Owner, request))
}

fn settings(helper: &Helper) -> (Generation, Settings, Facts) {
    match act(helper, &log_in(helper), Action::Settings) {
        Response::Current { generation, settings, facts } => (generation, *settings, facts),
        other => panic!("{other:?}"),
    }
}

/// A machine with an account and one change, watched from there on.
fn machine(bench: &Bench, crashes: &Crashes) -> (Helper, SessionToken) {
    let helper = Helper::open(bench.parts(crashes.disk(bench.root.path()))).unwrap();
    helper.prepare().unwrap();
    let Response::Console(console) = helper.answer(Caller::Owner, Request::Console) else { panic!("no console") };
    let request = Request::FirstAccount {
        code: console.setup_code.unwrap(),
        name: psa_model::account::UserName::parse("anna").unwrap(),
        password: secret(PASSWORD),
        from: from(1),
    };
    let session = token(&helper.answer(Caller::Owner, request));
    apply(&helper, &session, 1, ntp("old.example.net"));
    crashes.forget();
    (helper, session)
}

/// Restarts what each crash left; every one must hold `allowed` settings with the files that belong to them, tell the
/// audit the truth, and take a further change.
fn check(bench: &Bench, crashes: &Crashes, allowed: &[Settings], is_boot: bool) -> Vec<usize> {
    let mut seen = vec![0; allowed.len()];
    for (at, (step, root)) in crashes.all().iter().enumerate() {
        let told_before = bench.system.told().len();
        let helper = Helper::open(bench.parts(Disk::new(root))).unwrap();
        if is_boot {
            std::fs::remove_dir_all(root.join("run")).unwrap();
            helper.prepare().unwrap();
            assert_eq!(bench.system.told().len(), told_before, "nobody is told at boot");
        } else {
            helper.resume().unwrap();
        }
        let (generation, found, facts) = settings(&helper);
        let which = allowed.iter().position(|settings| *settings == found);
        let which = which.unwrap_or_else(|| panic!("crash {at} after {step:?}: a mixture: {found:?}"));
        seen[which] += 1;
        for (file, _) in found.render(&facts) {
            let content = std::fs::read_to_string(root.join(&file.path)).unwrap();
            assert_eq!(content, file.content, "crash {at} after {step:?}: {}", file.path);
        }
        let audit = std::fs::read_to_string(root.join("state/psa-helper/audit.log")).unwrap();
        let changes: Vec<serde_json::Value> = audit
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter(|line| !line["generation"].is_null())
            .collect();
        let last = changes.last().unwrap();
        let in_force = if last["outcome"] == "done" { &last["generation"]["to"] } else { &last["generation"]["from"] };
        assert_eq!(in_force, generation.0, "crash {at} after {step:?}: the audit says otherwise: {last}");
        let next = apply(&helper, &log_in(&helper), generation.0, ntp("next.example.net"));
        assert!(matches!(next, Response::Applied { .. }), "crash {at} after {step:?}: {next:?}");
        let entries = std::fs::read_dir(root.join("state/psa-helper")).unwrap().flatten();
        let is_broken = |name: &std::ffi::OsStr| name.to_string_lossy().contains("broken");
        assert_eq!(entries.filter(|entry| is_broken(&entry.file_name())).count(), 0, "crash {at} after {step:?}");
    }
    seen
}

/// The settings before and after the change of these tests: another server, one monitoring port fewer.
fn change(settings: &Settings) -> (Change, Settings) {
    let mut network = settings.network.clone();
    network.monitoring.pop();
    let change = Change::Network(network);
    let after = change.apply_to(settings);
    (change, after)
}

#[test]
fn a_crash_at_any_step_of_a_change_leaves_the_old_or_the_new_settings() {
    for is_boot in [false, true] {
        let (bench, crashes) = (Bench::new(), Crashes::new());
        let (helper, session) = machine(&bench, &crashes);
        let (_, old, _) = settings(&helper);
        crashes.forget();
        let (change, new) = change(&old);
        assert!(matches!(apply(&helper, &session, 2, change), Response::Applied { .. }));
        let steps = crashes.all().len();
        let seen = check(&bench, &crashes, &[old, new], is_boot);
        assert!(steps >= 25 && seen[0] >= 15 && seen[1] >= 1, "{steps} steps, {seen:?}");
    }
}

#[test]
fn a_crash_at_any_step_back_leaves_the_old_settings() {
    let (bench, crashes) = (Bench::new(), Crashes::new());
    let (helper, session) = machine(&bench, &crashes);
    let (_, old, _) = settings(&helper);
    crashes.forget();
    bench.system.fail(Some("sniffer"));
    let (change, _) = change(&old);
    assert!(matches!(apply(&helper, &session, 2, change), Response::Failed { .. }));
    bench.system.fail(None);
    assert!(crashes.all().len() >= 35);
    check(&bench, &crashes, &[old], false);
}

#[test]
fn a_unit_that_was_told_of_a_lost_change_is_told_again() {
    let (bench, crashes) = (Bench::new(), Crashes::new());
    let (helper, session) = machine(&bench, &crashes);
    let (_, old, _) = settings(&helper);
    crashes.forget();
    let (change, _) = change(&old);
    apply(&helper, &session, 2, change);
    let (_, root) = crashes.all().into_iter().rfind(|(step, _)| step == "unit told").unwrap();
    let told_before = bench.system.told().len();
    Helper::open(bench.parts(Disk::new(&root))).unwrap().resume().unwrap();
    assert_eq!(bench.system.told()[told_before..], ["nftables", "systemd-networkd", "sniffer"]);
}

#[test]
fn a_crash_at_any_step_of_the_first_boot_leaves_a_machine_that_boots() {
    let (bench, crashes) = (Bench::new(), Crashes::new());
    Helper::open(bench.parts(crashes.disk(bench.root.path()))).unwrap().prepare().unwrap();
    let all = crashes.all();
    assert!(all.len() >= 40, "{}", all.len());
    for (step, root) in all {
        let helper = Helper::open(bench.parts(Disk::new(&root))).unwrap();
        helper.prepare().unwrap();
        let Response::Console(console) = helper.answer(Caller::Owner, Request::Console) else { panic!("{step}") };
        assert!(console.setup_code.is_some() && console.fingerprint.len() == 95, "{step}");
        assert!(root.join("run/callward/sniffer.json").exists(), "{step}");
    }
}
