//! The files that pages load.

use crate::assets::{ASSETS, Asset};
use crate::problem::Problem;
use crate::route::{Answer, Route, Rule};
use crate::visit::Visit;
use actix_web::HttpResponse;

/// One route for each file.
#[must_use]
pub fn routes() -> Vec<Route> {
    ASSETS.all().into_iter().map(|asset| Route::get(&asset.path, Rule::Anyone(|v| Box::pin(send(v))))).collect()
}

/// Whether the path is a file's.
#[must_use]
pub fn is_asset(path: &str) -> bool {
    find(path).is_some()
}

fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.all().into_iter().find(|asset| asset.path == path)
}

async fn send(visit: Visit) -> Answer {
    let asset = find(&visit.path).ok_or(Problem::NotFound)?;
    Ok(HttpResponse::Ok().content_type(asset.media).body(asset.content))
}
