//! Every page, light and dark, narrow and wide: accessible, within its window, and without a breach of its policy.

use crate::stage::{NAME, PASSWORD, Stage};
use qemu_tests::admin::TimeForm;
use qemu_tests::browser::{Browser, Scheme, View, picture_folder};
use qemu_tests::headless::wait_for_call;
use std::time::Duration;

/// WCAG 2.2, 1.4.10: no sideways scrolling at 320 CSS pixels.
const NARROWEST: u16 = 320;
const WIDTHS: [u16; 3] = [NARROWEST, 360, 1280];

/// Looks at the page that the browser shows in every way, and returns what is wrong with it.
fn look(browser: &Browser, name: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for scheme in [Scheme::Light, Scheme::Dark] {
        for width in WIDTHS {
            let place = format!("{name}-{}-{width}", scheme.name());
            browser.set_view(View { scheme, width }).unwrap();
            browser.picture(&picture_folder().join(format!("{place}.png"))).unwrap();
            let overflow = browser.overflow().unwrap();
            if overflow > 0 {
                wrong.push(format!("{place}: {overflow} px wider than the window"));
            }
        }
        wrong.extend(browser.violations().unwrap().iter().map(|rule| format!("{name}, {}: {rule}", scheme.name())));
    }
    wrong.extend(browser.complaints().unwrap().iter().map(|line| format!("{name}: {line}")));
    wrong
}

#[test]
fn every_page_is_accessible_and_fits_its_window() {
    let stage = Stage::empty();
    let (browser, admin) = (&stage.browser, stage.admin());
    let mut wrong = Vec::new();
    browser.go("/setup").unwrap();
    wrong.extend(look(browser, "setup"));
    admin.set_up("0000-0000-0000-0000", NAME, "weak").unwrap();
    wrong.extend(look(browser, "setup-error"));
    admin.set_up(&stage.code(), NAME, PASSWORD).unwrap();
    admin.log_out().unwrap();
    browser.go("/login").unwrap();
    wrong.extend(look(browser, "login"));
    admin.log_in(NAME, "wrong").unwrap();
    wrong.extend(look(browser, "login-error"));
    admin.log_in(NAME, PASSWORD).unwrap();
    wait_for_call(&admin, Duration::from_secs(60), |call| call.forth.is_some() && call.back.is_some()).unwrap();
    for page in ["status", "calls", "ntp"] {
        browser.go(&format!("/{page}")).unwrap();
        wrong.extend(look(browser, page));
    }
    let form = |server: &str| TimeForm { servers: vec![server.into(), "ntp2.example.net".into()], zone: None };
    admin.review_time(&form("not a server")).unwrap();
    wrong.extend(look(browser, "ntp-error"));
    admin.review_time(&form("ntp1.example.net")).unwrap();
    wrong.extend(look(browser, "ntp-review"));
    browser.follow(&browser.button("Apply").unwrap()).unwrap();
    wrong.extend(look(browser, "ntp-applied"));
    browser.go("/nowhere").unwrap();
    let not_found = look(browser, "not-found");
    // The page itself has the status 404, which the browser logs.
    wrong.extend(not_found.into_iter().filter(|line| !line.contains("status of 404")));
    eprintln!("pictures: {}", picture_folder().display());
    assert!(wrong.is_empty(), "{} things are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_checks_themselves_can_fail() {
    let stage = Stage::empty();
    let browser = &stage.browser;
    browser.go("/login").unwrap();
    browser.set_view(View { scheme: Scheme::Light, width: NARROWEST }).unwrap();
    browser.complaints().unwrap();
    let spoil = "const bad = document.createElement('p'); bad.textContent = 'x'.repeat(500);
        const field = document.createElement('input'); document.querySelector('main').append(bad, field);
        const script = document.createElement('script'); script.textContent = 'window.spoiled = 1'; document.body.append(script);";
    browser.script(spoil, &[]).unwrap();
    assert!(browser.overflow().unwrap() > 0);
    let violations = browser.violations().unwrap();
    assert!(violations.iter().any(|violation| violation.rule == "label"), "{violations:?}");
    let complaints = browser.complaints().unwrap();
    assert!(complaints.iter().any(|line| line.contains("Content Security Policy")), "{complaints:?}");
}
