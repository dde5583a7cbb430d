//! The files that pages load, built into the program. Each has its content's hash in its address, so that a browser
//! may keep it for ever and an update of the machine never meets an old one.

use aws_lc_rs::digest::{SHA256, digest};
use std::fmt::Write;
use std::sync::LazyLock;

/// One file.
#[derive(Debug)]
pub struct Asset {
    /// Its address, such as `/assets/app.0123456789abcdef.css`.
    pub path: String,
    /// Its media type.
    pub media: &'static str,
    /// Its content.
    pub content: &'static str,
}

/// All files.
#[derive(Debug)]
pub struct Assets {
    /// The style sheet.
    pub css: Asset,
    /// The scripts of this product.
    pub js: Asset,
    /// htmx (0BSD, see `assets/README.md`).
    pub htmx: Asset,
    /// The icon.
    pub icon: Asset,
}

/// The files of this build.
pub static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    css: asset("app", "css", "text/css; charset=utf-8", include_str!("assets/app.css")),
    js: asset("app", "js", "text/javascript; charset=utf-8", include_str!("assets/app.js")),
    htmx: asset("htmx", "js", "text/javascript; charset=utf-8", include_str!("assets/htmx-2.0.11.min.js")),
    icon: asset("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg")),
});

impl Assets {
    /// Every file.
    #[must_use]
    pub fn all(&self) -> [&Asset; 4] {
        [&self.css, &self.js, &self.htmx, &self.icon]
    }
}

fn asset(name: &str, suffix: &str, media: &'static str, content: &'static str) -> Asset {
    let hash = hexadecimal(digest(&SHA256, content.as_bytes()).as_ref());
    let short: String = hash.chars().take(16).collect();
    Asset { path: format!("/assets/{name}.{short}.{suffix}"), media, content }
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn htmx_is_the_file_that_npm_published_as_2_0_11() {
        assert_eq!(
            hexadecimal(digest(&SHA256, ASSETS.htmx.content.as_bytes()).as_ref()),
            "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717"
        );
    }

    #[test]
    fn our_own_script_stays_small_and_uses_nothing_the_csp_forbids() {
        let script = ASSETS.js.content;
        assert!(script.lines().count() <= 150);
        for word in ["eval(", "new Function", "innerHTML", "document.write", ".style."] {
            assert!(!script.contains(word), "{word}");
        }
    }

    #[test]
    fn the_style_sheet_loads_nothing() {
        for word in ["@import", "url(", "http:", "https:"] {
            assert!(!ASSETS.css.content.contains(word), "{word}");
        }
    }
}
