//! Status: everything the machine is doing, on one page that refreshes itself.

mod capture;
mod machine;
pub mod probe;

use crate::frame::{Frame, page};
use crate::pages::ntp::ClockView;
use crate::problem::Problem;
use crate::route::Answer;
use crate::visit::Person;
use actix_web::http::StatusCode;
use askama::Template;
use capture::{CaptureView, PortRow};
use machine::{DiskView, MachineView, ServiceView};
use psa_model::protocol::{Action, Response};
use std::sync::Arc;

#[derive(Template)]
#[template(path = "pages/status/page.html")]
struct Page {
    frame: Frame,
    version: String,
    now: String,
    machine: MachineView,
    clock: ClockView,
    capture: CaptureView,
    ports: Vec<PortRow>,
    disks: Vec<DiskView>,
    services: Vec<ServiceView>,
}

/// The page.
pub async fn show(person: Person) -> Answer {
    let answer = person.ask(Action::Status).await?;
    let Response::Status { clock, services } = answer else { return Err(Problem::odd_answer("status", &answer)) };
    let app = Arc::clone(&person.visit.app);
    let reading = actix_web::web::block(move || app.probe.read());
    let figures = reading.await.map_err(|_| Problem::Fault("reading the machine's figures was given up".into()))?;
    let counters = person.visit.app.sniffer.counters().await;
    let zone = person.clock();
    let view = Page {
        frame: person.frame("Status"),
        version: person.machine.version.clone(),
        now: zone.full(zone.now()),
        machine: MachineView::of(&figures),
        clock: ClockView::of(&clock, &zone),
        capture: CaptureView::of(counters.as_ref(), &zone),
        ports: capture::ports(&figures.ports, &person.current.settings.network, counters.as_ref()),
        disks: machine::disks(&figures),
        services: services.iter().map(|service| ServiceView::of(service, &zone)).collect(),
    };
    page(StatusCode::OK, &view)
}
