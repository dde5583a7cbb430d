//! Every page of the product, in menu order, with who may ask for it. What is not in this list does not exist.

use crate::pages::{assets, calls, login, ntp, setup, start, status};
use crate::route::Group::{SetUp, Watch};
use crate::route::{Route, Rule};
use crate::settings;

/// All routes.
#[must_use]
pub fn routes() -> Vec<Route> {
    let mut all = vec![
        Route::get("/", Rule::Visitor(|v| Box::pin(start::show(v)))),
        Route::get("/healthz", Rule::Anyone(|v| Box::pin(start::health(v)))),
        Route::get("/setup", Rule::Visitor(|v| Box::pin(setup::show(v)))),
        Route::post("/setup", Rule::Visitor(|v| Box::pin(setup::create(v)))),
        Route::get("/login", Rule::Visitor(|v| Box::pin(login::show(v)))),
        Route::post("/login", Rule::Visitor(|v| Box::pin(login::log_in(v)))),
        Route::post("/logout", Rule::Administrator(|p| Box::pin(login::log_out(p)))),
        Route::get("/status", Rule::Administrator(|p| Box::pin(status::show(p)))).in_menu(Watch, "Status"),
        Route::get("/calls", Rule::Administrator(|p| Box::pin(calls::show(p)))).in_menu(Watch, "Calls"),
        Route::post("/undo", Rule::Administrator(|p| Box::pin(settings::undo(p)))),
    ];
    all.extend(settings::routes::<ntp::Page>(SetUp));
    all.push(Route::get("/ntp/status", Rule::Administrator(|p| Box::pin(ntp::status(p)))));
    all.extend(assets::routes());
    all
}
