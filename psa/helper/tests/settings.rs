//! Settings: apply, conflict, restore, failure, certificate.

use crate::bench::{Bench, ntp};
use psa_model::network::{MacAddress, NetworkSettings};
use psa_model::protocol::{Action, Request, Response};
use psa_model::settings::{Change, Generation};
use std::fs;

const SOURCES: &str = "run/callward/chrony/callward.sources";

#[test]
fn a_boot_renders_the_first_generation() {
    let bench = Bench::new();
    bench.open().prepare().unwrap();
    assert!(bench.file("run/callward/nftables/ports.nft").contains("define management = { \"enp0s1\" }"));
    assert!(bench.file("run/callward/sniffer.json").contains("\"enp0s2\",\"enp0s3\""));
    assert!(bench.file("run/systemd/network/10-management.network").contains("52:54:00:00:00:01"));
    let name = bench.file("run/callward/hostname");
    assert!(name.starts_with("callward-") && name.trim().len() == 15, "{name:?}");
    bench.open().prepare().unwrap();
    assert_eq!(bench.file("run/callward/hostname"), name, "the name stays");
    assert!(bench.system.told().is_empty(), "nobody is told at boot");
    assert!(!bench.has_broken_store());
}

#[test]
fn an_applied_change_is_in_the_file_the_unit_the_history_and_the_audit() {
    let bench = Bench::new();
    let running = bench.start();
    let anna = running.anna();
    let answer = running.apply(&anna, 1, "ntp1.example.net");
    assert!(matches!(answer, Response::Applied { generation: Generation(2) }), "{answer:?}");
    assert!(bench.file(SOURCES).contains("server ntp1.example.net iburst"));
    assert_eq!(bench.system.told(), ["chrony"]);
    let Response::History(history) = running.act(&anna, Action::History { limit: 10 }) else { panic!("no history") };
    let [second, first] = history.as_slice() else { panic!("{history:?}") };
    assert_eq!((second.generation, second.by.as_str(), second.why.as_str()), (Generation(2), "anna", "Time"));
    assert_eq!(second.rows[0].will.as_deref(), Some("ntp1.example.net"));
    assert_eq!((first.generation, first.by.as_str(), first.from), (Generation(1), "system", None));
    let line = bench.audit().pop().unwrap();
    assert_eq!(
        (&line["event"], &line["who"], &line["what"], &line["outcome"]),
        (&"change".into(), &"anna".into(), &"ntp".into(), &"done".into())
    );
    assert_eq!(line["generation"], serde_json::json!({"from": 1, "to": 2}));
    assert_eq!(line["rows"][0]["will"], "ntp1.example.net");
    assert!(matches!(running.apply(&anna, 2, "ntp1.example.net"), Response::Applied { generation: Generation(2) }));
    assert_eq!(bench.system.told().len(), 1, "what changes nothing does nothing");
}

#[test]
fn of_two_who_saw_the_same_settings_the_second_is_told() {
    let bench = Bench::new();
    let running = bench.start();
    let anna = running.anna();
    running.apply(&anna, 1, "ntp1.example.net");
    let answer = running.apply(&anna, 1, "ntp2.example.net");
    let Response::Conflict { generation, settings } = answer else { panic!("{answer:?}") };
    assert_eq!((generation, settings.ntp.servers().len()), (Generation(2), 1));
    assert!(!bench.file(SOURCES).contains("ntp2"));
}

#[test]
fn of_many_changes_at_once_each_is_whole() {
    let bench = Bench::new();
    let running = bench.start();
    let anna = running.anna();
    let applied = std::thread::scope(|scope| {
        let (running, anna) = (&running, &anna);
        let one = |n: u8| scope.spawn(move || running.apply(anna, 1, &format!("ntp{n}.example.net")));
        let race: Vec<_> = (0..6).map(one).collect();
        race.into_iter().map(|one| one.join().unwrap()).filter(|a| matches!(a, Response::Applied { .. })).count()
    });
    assert_eq!(applied, 1);
    assert_eq!(bench.file(SOURCES).matches("server ").count(), 1);
}

#[test]
fn an_earlier_generation_comes_back_as_one_of_its_own() {
    let bench = Bench::new();
    let running = bench.start();
    let anna = running.anna();
    running.apply(&anna, 1, "ntp1.example.net");
    running.apply(&anna, 2, "ntp2.example.net");
    let restore = |base, to| running.act(&anna, Action::Restore { base: Generation(base), to: Generation(to) });
    assert!(matches!(restore(2, 1), Response::Conflict { .. }));
    assert!(matches!(restore(3, 9), Response::Failed { .. }), "there is no generation 9");
    assert!(matches!(restore(3, 2), Response::Applied { generation: Generation(4) }));
    assert!(bench.file(SOURCES).contains("ntp1.example.net") && !bench.file(SOURCES).contains("ntp2"));
    assert_eq!(bench.audit().pop().unwrap()["event"], "restore");
}

#[test]
fn a_unit_that_does_not_take_a_change_gets_the_old_file_back() {
    let bench = Bench::new();
    let running = bench.start();
    let anna = running.anna();
    running.apply(&anna, 1, "ntp1.example.net");
    let before = bench.file(SOURCES);
    bench.system.fail(Some("chrony"));
    let answer = running.apply(&anna, 2, "ntp2.example.net");
    let Response::Failed { message, operation } = &answer else { panic!("{answer:?}") };
    assert!(message.contains("chrony") && operation.len() == 8, "{message}");
    assert_eq!(bench.file(SOURCES), before);
    let Response::Current { generation, .. } = running.act(&anna, Action::Settings) else { panic!("no settings") };
    assert_eq!(generation, Generation(2));
    let line = bench.audit().pop().unwrap();
    assert_eq!((&line["outcome"], &line["generation"]["to"]), (&"undone".into(), &3.into()));
    bench.system.fail(None);
    assert!(matches!(running.apply(&anna, 2, "ntp3.example.net"), Response::Applied { generation: Generation(4) }));
    drop(running);
    assert!(!bench.has_broken_store());
}

#[test]
fn a_change_that_could_cut_the_administrator_off_is_refused() {
    let bench = Bench::new();
    let running = bench.start();
    let anna = running.anna();
    let management = MacAddress::parse("52:54:00:00:00:03").ok();
    let change = Change::Network(NetworkSettings { management, monitoring: Vec::new() });
    let answer = running.act(&anna, Action::Apply { base: Generation(1), change: Box::new(change) });
    assert!(matches!(answer, Response::Failed { .. }), "{answer:?}");
    assert!(bench.file("run/callward/nftables/ports.nft").contains("define management = { \"enp0s1\" }"));
}

#[test]
fn ports_that_come_after_the_first_boot_get_their_roles() {
    let bench = Bench::new();
    fs::rename(bench.root.path().join("sys"), bench.root.path().join("later")).unwrap();
    bench.open().prepare().unwrap();
    assert!(bench.file("run/callward/sniffer.json").contains("\"ports\":[]"));
    fs::rename(bench.root.path().join("later"), bench.root.path().join("sys")).unwrap();
    bench.open().prepare().unwrap();
    assert!(bench.file("run/callward/sniffer.json").contains("enp0s2"));
}

#[test]
fn the_certificate_follows_the_addresses_and_the_console_shows_it() {
    let bench = Bench::new();
    let helper = bench.open();
    helper.prepare().unwrap();
    let ask = |request| helper.answer(psa_helper::peers::Caller::Owner, request);
    let shown = || match ask(Request::Console) {
        Response::Console(console) => (console.addresses.len(), console.fingerprint),
        other => panic!("{other:?}"),
    };
    let chain = || match ask(Request::TlsIdentity) {
        Response::TlsIdentity { chain, .. } => chain,
        other => panic!("{other:?}"),
    };
    let (before, first_chain) = (shown(), chain());
    bench.system.set_addresses(&["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()]);
    helper.refresh_certificate().unwrap();
    let after = shown();
    assert_eq!((before.0, after.0), (1, 2));
    assert_ne!(before.1, after.1);
    assert_ne!(first_chain, chain());
    let certificate = openssl::x509::X509::from_pem(chain().as_bytes()).unwrap();
    let names: Vec<String> =
        certificate.subject_alt_names().unwrap().iter().filter_map(|n| n.dnsname().map(Into::into)).collect();
    assert_eq!(names[0], bench.file("run/callward/hostname").trim());
}

#[test]
fn whoever_asks_at_the_same_moment_is_told_of_the_same_certificate() {
    let bench = Bench::new();
    let helper = bench.open();
    helper.prepare().unwrap();
    for round in 1..=20 {
        bench.system.set_addresses(&[std::net::Ipv4Addr::new(192, 0, 2, round).into()]);
        let gate = std::sync::Barrier::new(4);
        let shown = || {
            gate.wait();
            match helper.answer(psa_helper::peers::Caller::Owner, Request::Console) {
                Response::Console(console) => console.fingerprint,
                other => panic!("{other:?}"),
            }
        };
        let told = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(shown)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<std::collections::BTreeSet<_>>()
        });
        assert_eq!(told.len(), 1, "round {round}: {told:?}");
    }
}

#[test]
fn the_certificate_follows_the_addresses_however_busy_the_socket_is() {
    let bench = Bench::new();
    let running = bench.start();
    let chain = || match running.ask(&Request::TlsIdentity) {
        Response::TlsIdentity { chain, .. } => chain,
        other => panic!("{other:?}"),
    };
    let first = chain();
    bench.system.set_addresses(&["192.0.2.7".parse().unwrap()]);
    bench.world.advance(std::time::Duration::from_secs(3));
    // Far quicker than the pause of silence: only the clock can bring the other certificate.
    assert!((0..200).any(|_| chain() != first));
}

#[test]
fn a_change_is_the_same_whoever_renders_it() {
    let bench = Bench::new();
    let running = bench.start();
    let anna = running.anna();
    running.apply(&anna, 1, "ntp1.example.net");
    let Response::Current { settings, facts, .. } = running.act(&anna, Action::Settings) else { panic!("none") };
    assert_eq!(facts.ports.len(), 3);
    assert_eq!(ntp("ntp1.example.net").apply_to(&settings), *settings);
    for (file, _) in settings.render(&facts) {
        assert_eq!(bench.file(&file.path), file.content, "{}", file.path);
    }
}
