//! What the log never has: secrets, and whom somebody called.

use crate::support::sniffer::call;
use crate::support::{Site, form, helper, with_session};
use psa_model::protocol::Response;
use sniffer_core::record::CallState;
use std::cell::Cell;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};

thread_local! {
    /// Other tests log at the same time, on threads of their own.
    static IS_WATCHED: Cell<bool> = const { Cell::new(false) };
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if IS_WATCHED.get() {
            self.0.lock().unwrap().extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[actix_web::test]
async fn the_log_has_no_secret_and_no_number_even_at_its_loudest() {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    IS_WATCHED.set(true);
    let site = Site::new().await;
    site.sniffer
        .calls
        .borrow_mut()
        .insert(0, call(600, "sip:+351215550199@x", "sip:+15551234567@x", CallState::InCall));
    site.send(form("/login", &[("name", "anna"), ("password", helper::PASSWORD)])).await.leads_to("/status");
    site.send(form("/login", &[("name", "hunter2 as a name"), ("password", "Wrong horse 9")])).await;
    site.get("/calls").await;
    site.post("/ntp/apply", &[("base", "2"), ("server", "ntp7.example.net"), ("zone", "UTC")]).await;
    site.send(with_session(form("/ntp", &[("csrf", "guess-1234")]))).await;
    site.helper.next.replace(Some(Response::Failed { message: "a\nforged line".into(), operation: "0p".into() }));
    site.post("/logout", &[]).await;
    site.helper.needs_setup.set(true);
    site.send(form(
        "/setup",
        &[("code", helper::CODE), ("name", "anna"), ("password", helper::PASSWORD), ("again", helper::PASSWORD)],
    ))
    .await;
    site.helper.is_down.set(true);
    site.get("/status").await;
    IS_WATCHED.set(false);
    let log = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
    for line in [
        "Logged in account=\"anna\"",
        "Applied generation 3",
        "Refused a form",
        "The helper does not answer",
        "Created the first account",
    ] {
        assert!(log.contains(line), "{line} is missing:\n{log}");
    }
    for secret in [
        helper::SESSION,
        helper::OPENED,
        helper::CSRF,
        helper::CODE,
        "horse",
        "hunter2",
        "guess-1234",
        "21555",
        "1555",
        "\nforged",
    ] {
        assert!(!log.contains(secret), "{secret:?} is in the log:\n{log}");
    }
}
