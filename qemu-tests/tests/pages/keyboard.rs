//! Login and one change with nothing but a keyboard.

use crate::stage::{NAME, PASSWORD, Stage};
use qemu_tests::browser::Browser;

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const END: &str = "\u{e010}";
/// More stops than any page has before its form's end.
const MOST_STOPS: usize = 60;

/// Goes on with Tab until the focus is where the script says, checking that each stop can be seen.
fn tab_to(browser: &Browser, is_there: &str) {
    for _ in 0..MOST_STOPS {
        browser.press(TAB).unwrap();
        let script = "const at = document.activeElement; const style = getComputedStyle(at);
            return [at.tagName + ' ' + (at.name || at.innerText || ''), style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2]";
        let stop = browser.script(script, &[]).unwrap();
        assert_eq!(stop[1].as_bool(), Some(true), "the focus cannot be seen at {}", stop[0]);
        let found = browser.script(&format!("const at = document.activeElement; return {is_there}"), &[]).unwrap();
        if found.as_bool() == Some(true) {
            return;
        }
    }
    panic!("no Tab leads to {is_there}:\n{}", browser.text().unwrap());
}

#[test]
fn login_change_and_undo_need_no_mouse() {
    let stage = Stage::logged_in();
    let browser = &stage.browser;
    stage.admin().log_out().unwrap();
    browser.go("/login").unwrap();
    tab_to(browser, "at.name === 'name' || at.name === 'password'");
    // The name's field has the focus at first, so one Tab may have passed it.
    let at = browser.script("return document.activeElement.name", &[]).unwrap();
    if at.as_str() == Some("password") {
        browser.go("/login").unwrap();
    }
    browser.press(NAME).unwrap();
    tab_to(browser, "at.name === 'password'");
    browser.press(PASSWORD).unwrap();
    browser.press(ENTER).unwrap();
    wait_for(browser, "Status");

    tab_to(browser, "at.tagName === 'A' && at.innerText.trim() === 'Time'");
    browser.press(ENTER).unwrap();
    wait_for(browser, "Time");
    tab_to(browser, "at.id === 'server1'");
    browser.press(END).unwrap();
    let typed = browser.value_of(&browser.find("#server1").unwrap()).unwrap();
    browser.press(&"\u{e003}".repeat(typed.chars().count())).unwrap();
    browser.press("keyboard.example.net").unwrap();
    tab_to(browser, "at.tagName === 'BUTTON' && at.innerText.trim() === 'Review changes'");
    browser.press(ENTER).unwrap();
    wait_for_text(browser, "Nothing is changed yet");
    tab_to(browser, "at.tagName === 'BUTTON' && at.innerText.trim() === 'Apply'");
    browser.press(ENTER).unwrap();
    wait_for_text(browser, "Applied as generation");
    tab_to(browser, "at.tagName === 'BUTTON' && at.innerText.trim() === 'Undo'");
    browser.press(ENTER).unwrap();
    wait_for_text(browser, "Undone");
}

fn wait_for(browser: &Browser, heading: &str) {
    let script = "return document.querySelector('h1')?.innerText ?? ''";
    // Between two pages there is no document to ask.
    wait(browser, heading, || browser.script(script, &[]).is_ok_and(|found| found == heading));
}

fn wait_for_text(browser: &Browser, text: &str) {
    wait(browser, text, || browser.text().is_ok_and(|found| found.contains(text)));
}

fn wait(browser: &Browser, what: &str, mut is_so: impl FnMut() -> bool) {
    let limit = std::time::Duration::from_secs(30);
    let found = qemu_tests::clock::wait_until(limit, || Ok::<_, std::convert::Infallible>(is_so().then_some(())));
    assert_eq!(found, Ok(Some(())), "no {what:?} on {}:\n{}", browser.path().unwrap(), browser.text().unwrap());
}
