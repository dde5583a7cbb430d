//! The newest calls with their quality each way.

mod row;

use crate::frame::{Frame, page};
use crate::limits::CALLS_A_PAGE;
use crate::problem::Problem;
use crate::route::Answer;
use crate::visit::Person;
use actix_web::http::StatusCode;
use askama::Template;
use psa_model::network::PortRole;
use row::CallRow;
use sniffer_core::query::CallKey;

#[derive(Template)]
#[template(path = "pages/calls/page.html")]
struct Page {
    frame: Frame,
    zone: String,
    rows: Vec<CallRow>,
    older: Option<CallKey>,
    has_lost_here: bool,
    is_first: bool,
    ports: String,
}

/// A page of calls; `before` in the address is the last call of the page before.
pub async fn show(person: Person) -> Answer {
    let typed = person.visit.query.one("before");
    let before: Option<CallKey> = match typed {
        "" => None,
        key => Some(key.parse().map_err(|_| Problem::NoForm("The address names no call to go on from."))?),
    };
    let (calls, has_more) = person.visit.app.sniffer.calls(CALLS_A_PAGE, before).await?;
    let clock = person.clock();
    let older = calls.last().map(|call| call.id).filter(|_| has_more);
    let rows = calls.iter().map(|call| CallRow::of(call, &clock)).collect();
    let view = Page {
        frame: person.frame("Calls"),
        zone: clock.zone().to_owned(),
        has_lost_here: calls.iter().any(|call| call.lost_here),
        rows,
        older,
        is_first: before.is_none(),
        ports: ports(&person),
    };
    page(StatusCode::OK, &view)
}

/// The monitoring ports by name, for the empty page.
fn ports(person: &Person) -> String {
    let network = &person.current.settings.network;
    let names: Vec<&str> = person
        .current
        .facts
        .ports
        .iter()
        .filter(|port| network.role(&port.mac) == PortRole::Monitoring)
        .map(|port| port.name.as_str())
        .collect();
    names.join(", ")
}
