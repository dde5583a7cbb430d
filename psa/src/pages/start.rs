//! The way in, and the health of this process.

use crate::frame::see_other;
use crate::route::Answer;
use crate::visit::{Visit, Visitor};
use actix_web::HttpResponse;

/// Sends a browser where it can do something: setup, login or Status. Status itself sees whether the session lives.
pub async fn show(visitor: Visitor) -> Answer {
    let to = match (visitor.machine.needs_setup, &visitor.visit.session) {
        (true, _) => "/setup",
        (false, None) => "/login",
        (false, Some(_)) => "/status",
    };
    Ok(see_other(to))
}

/// Says that this process answers, and nothing else.
pub async fn health(_visit: Visit) -> Answer {
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n"))
}
