//! Whether a form was sent from a page of this machine.

use actix_web::http::header::HeaderMap;

/// Whether a request that changes something comes from a page of this very origin.
///
/// Browsers say so by `Sec-Fetch-Site` (Fetch Metadata, section 2.4). `Origin` must agree where it names one: with
/// `Referrer-Policy: no-referrer` browsers send `Origin: null` even from our own pages (Fetch, section 3.2), so `null`
/// counts only beside `Sec-Fetch-Site: same-origin`. A request with neither comes from no browser we serve.
#[must_use]
pub fn is_own(headers: &HeaderMap, host: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("not text"));
    let expected = format!("https://{host}");
    match (text("sec-fetch-site"), text("origin")) {
        (Some("same-origin"), None | Some("null")) => true,
        (Some("same-origin") | None, Some(origin)) => origin.eq_ignore_ascii_case(&expected),
        (Some(_), _) | (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::{HeaderName, HeaderValue};

    fn own(pairs: &[(&'static str, &'static str)]) -> bool {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        is_own(&headers, "192.0.2.10:8443")
    }

    #[test]
    fn our_own_pages_are_heard() {
        assert!(own(&[("sec-fetch-site", "same-origin"), ("origin", "null")]));
        assert!(own(&[("sec-fetch-site", "same-origin"), ("origin", "https://192.0.2.10:8443")]));
        assert!(own(&[("sec-fetch-site", "same-origin")]));
        assert!(own(&[("origin", "https://192.0.2.10:8443")]));
    }

    #[test]
    fn other_sites_are_not() {
        for pairs in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "http://192.0.2.10:8443")],
            &[("origin", "https://192.0.2.10")],
            &[("origin", "null")],
            &[("origin", "https://192.0.2.10:8443.evil.example")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://192.0.2.10:8443")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none"), ("origin", "null")],
            &[("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
            &[],
        ] {
            assert!(!own(pairs), "{pairs:?}");
        }
    }
}
