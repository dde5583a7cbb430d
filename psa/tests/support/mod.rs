//! A site to send requests to, with what stands behind it.

pub mod helper;
pub mod sniffer;

use actix_web::body::to_bytes;
use actix_web::http::{Method, StatusCode, header::HeaderMap};
use actix_web::test::{TestRequest, call_service, init_service};
use helper::FakeHelper;
use psa::dispatch::configure;
use psa::helper::Helper;
use psa::pages::status::probe::{Figures, PortFigures, Probe};
use psa::sniffer::Sniffer;
use psa::visit::App;
use psa_model::network::MacAddress;
use sniffer::FakeSniffer;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use tempfile::TempDir;

type Sending = Pin<Box<dyn Future<Output = Reply>>>;

/// The host that a browser names.
pub const HOST: &str = "192.0.2.10";

/// The time at which all pages are made.
pub fn now() -> jiff::Timestamp {
    "2026-11-24T14:03:10Z".parse().unwrap()
}

/// The site.
pub struct Site {
    pub app: Arc<App>,
    pub helper: Rc<FakeHelper>,
    pub sniffer: Rc<FakeSniffer>,
    _folder: TempDir,
    send: Box<dyn Fn(TestRequest) -> Sending>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

impl Reply {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The value of the session's cookie, where the answer sets it.
    pub fn cookie(&self) -> Option<String> {
        let text = self.header("set-cookie").strip_prefix("__Host-session=")?;
        text.split(';').next().map(str::to_owned)
    }

    pub fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    pub fn leads_to(&self, path: &str) {
        assert_eq!((self.status, self.header("location")), (303, path), "{}", self.body);
    }
}

/// The figures of a machine with two ports, one without a link.
pub fn figures() -> Figures {
    let port = |name: &str, mac: &str, has_link, speed, addresses: &[&str]| PortFigures {
        name: name.into(),
        mac: MacAddress::parse(mac).ok(),
        has_link: Some(has_link),
        speed,
        addresses: addresses.iter().map(|a| (*a).to_owned()).collect(),
    };
    Figures {
        uptime: Some(41 * 86_400 + 3 * 3600),
        load: Some(1.25),
        processors: 8,
        memory_used: 2 << 30,
        memory: 32 << 30,
        disks: BTreeMap::from([
            ("/".to_owned(), (0, 180 << 20)),
            ("/state".to_owned(), (3 << 30, 4 << 30)),
            ("/capture".to_owned(), (20 << 30, 400 << 30)),
        ]),
        ports: vec![
            port("enp1s0", helper::MANAGEMENT, true, Some(1000), &["192.0.2.10/24", "2001:db8::10/64"]),
            port("enp2s0", helper::MONITORING, true, Some(10_000), &[]),
            port("enp3s0", "52:54:00:00:00:03", false, None, &[]),
        ],
    }
}

impl Site {
    /// A site of a machine that is set up, with one session: [`helper::SESSION`].
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sockets = (folder.path().join("helper"), folder.path().join("sniffer"));
        let helper = FakeHelper::listen(&sockets.0);
        let sniffer = FakeSniffer::listen(&sockets.1);
        let (asked, heard) = (Helper::new(sockets.0), Sniffer::new(sockets.1));
        let app = Arc::new(App::new(asked, heard, Probe::fixed(figures()), now));
        let service = Rc::new(init_service(actix_web::App::new().configure(configure(Arc::clone(&app)))).await);
        let send = move |request: TestRequest| -> Sending {
            let service = Rc::clone(&service);
            Box::pin(async move {
                let response = call_service(&*service, request.to_request()).await.into_parts().1;
                let (status, headers) = (response.status().as_u16(), response.headers().clone());
                let body = to_bytes(response.into_body()).await.unwrap();
                Reply { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
            })
        };
        Self { app, helper, sniffer, _folder: folder, send: Box::new(send) }
    }

    pub async fn send(&self, request: TestRequest) -> Reply {
        (self.send)(request).await
    }

    /// Asks for a page as somebody without a session.
    pub async fn visit(&self, path: &str) -> Reply {
        self.send(request(Method::GET, path)).await
    }

    /// Asks for a page as the person whose session lives.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(with_session(request(Method::GET, path))).await
    }

    /// Sends a form from our own page, with the session and its token.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let all: Vec<(&str, &str)> = [("csrf", helper::CSRF)].iter().chain(fields).copied().collect();
        self.send(with_session(form(path, &all))).await
    }
}

/// A request as a browser sends it.
pub fn request(method: Method, path: &str) -> TestRequest {
    TestRequest::with_uri(path)
        .method(method)
        .peer_addr("198.51.100.20:40000".parse().unwrap())
        .insert_header(("host", HOST))
}

/// A form as a browser sends it from our own page: the referrer policy makes it hide the origin.
pub fn form(path: &str, fields: &[(&str, &str)]) -> TestRequest {
    request(Method::POST, path)
        .insert_header(("sec-fetch-site", "same-origin"))
        .insert_header(("origin", "null"))
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(encode(fields))
}

/// Fields as a browser encodes them.
pub fn encode(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

/// The request with the living session's cookie.
pub fn with_session(request: TestRequest) -> TestRequest {
    request.insert_header(("cookie", format!("__Host-session={}", helper::SESSION)))
}

/// Whether two status codes are the same; keeps `StatusCode` out of tests.
pub fn is_success(reply: &Reply) -> bool {
    StatusCode::from_u16(reply.status).unwrap().is_success()
}
