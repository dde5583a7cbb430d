//! What every answer says about how a browser may treat it.

use actix_web::HttpResponse;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

/// Headers of every answer, errors and assets included.
pub const ALWAYS: [(&str, &str); 9] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    // A year, and no subdomains: the machine's name is in somebody else's zone.
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), \
         microphone=(), payment=(), usb=()",
    ),
    ("x-permitted-cross-domain-policies", "none"),
];

/// For how long an answer may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Not at all: it shows settings or calls.
    Never,
    /// For ever: its address has its content's hash.
    Forever,
}

impl Keep {
    /// The value of Cache-Control.
    #[must_use]
    pub const fn value(self) -> &'static str {
        match self {
            Self::Never => "no-store",
            Self::Forever => "public, max-age=31536000, immutable",
        }
    }
}

/// Puts the headers on an answer.
pub fn seal(response: &mut HttpResponse, keep: Keep) {
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        insert(headers, name, value);
    }
    insert(headers, "cache-control", keep.value());
}

fn insert(headers: &mut HeaderMap, name: &'static str, value: &'static str) {
    headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
}
