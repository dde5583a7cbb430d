//! What an administrator does on the pages is in the audit: who, from where, the old and the new value, and no secret.

use crate::stage::{NAME, PASSWORD, Stage};
use qemu_tests::admin::TimeForm;
use serde_json::{Value, json};

#[test]
fn a_change_of_time_servers_is_audited_with_old_and_new_value_and_without_secrets() {
    let stage = Stage::logged_in();
    let admin = stage.admin();
    admin.change_time(&TimeForm { servers: vec!["ntp1.example.net".into()], zone: None }).unwrap();
    let servers = vec!["192.0.2.123".to_owned(), "ntp2.example.net".to_owned()];
    admin.change_time(&TimeForm { servers, zone: Some("Europe/Lisbon".into()) }).unwrap();
    let lines = stage.scratch.audit().unwrap();
    let changes: Vec<&Value> = lines.iter().filter(|line| line["event"] == "change").collect();
    let [_, change] = changes.as_slice() else { panic!("two changes: {lines:?}") };
    let fields = ["who", "from", "what", "outcome"].map(|field| change[field].as_str().unwrap_or_default());
    assert_eq!(fields, [NAME, "127.0.0.1", "ntp", "done"]);
    assert_eq!(change["generation"], json!({ "from": 2, "to": 3 }));
    let row = |setting: &str, was: Option<&str>, will: &str| json!({ "setting": setting, "was": was, "will": will });
    let rows = change["rows"].as_array().unwrap();
    assert!(rows.contains(&row("Server 1", Some("ntp1.example.net"), "192.0.2.123")), "{rows:?}");
    assert!(rows.contains(&row("Server 2", None, "ntp2.example.net")), "{rows:?}");
    assert!(rows.contains(&row("Time zone", Some("UTC"), "Europe/Lisbon")), "{rows:?}");

    admin.undo().unwrap();
    let lines = stage.scratch.audit().unwrap();
    let last = lines.last().unwrap();
    assert_eq!((&last["event"], &last["who"]), (&json!("restore"), &json!(NAME)), "{last}");
    assert!(
        last["rows"].as_array().unwrap().contains(&row("Server 1", Some("192.0.2.123"), "ntp1.example.net")),
        "{last}"
    );

    // Beside the changes: the account, a login, a failed login with a password typed as name. None of the secrets.
    let cookies = stage.browser.cookies().unwrap();
    let session = cookies.iter().find_map(|cookie| cookie["value"].as_str()).unwrap().to_owned();
    let token = stage.browser.script("return document.querySelector('input[name=csrf]').value", &[]).unwrap();
    admin.log_out().unwrap();
    admin.log_in(PASSWORD, "Wrong-Horse-42-Battery").unwrap();
    admin.log_in(NAME, PASSWORD).unwrap();
    let lines = stage.scratch.audit().unwrap();
    for event in ["first_account", "logout", "login_failed", "login"] {
        assert!(lines.iter().any(|line| line["event"] == event), "no {event} in {lines:?}");
    }
    let text = Value::from(lines).to_string();
    let secrets = [PASSWORD, "Wrong-Horse-42-Battery", &stage.code(), &session, token.as_str().unwrap()];
    for (which, secret) in secrets.iter().enumerate() {
        assert!(secret.len() > 8 && !text.contains(secret), "secret {which} is in the audit:\n{text}");
    }
}
