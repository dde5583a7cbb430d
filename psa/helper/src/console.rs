//! What the machine's screen and serial line show before anybody logs in: where the pages are, and how to trust them.
//!
//! Plain lines, printed again only when something changed, so that a serial log reads well. Tests read the lines
//! `Address: https://…/`, `Fingerprint: AA:BB:…` (two lines of 16 pairs, the first with a colon at its end) and
//! `Setup code: XXXX-…`.

use crate::client;
use psa_model::protocol::{Console, Request, Response};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How often the helper is asked.
const EVERY: Duration = Duration::from_secs(2);
/// Clears the screen and goes to its top (ECMA-48 ED, CUP). Once, at the start.
const CLEAR: &str = "\x1b[2J\x1b[H";
/// What a user sees whom the helper does not tell.
const REFUSED: &str = "\nCallward: this user may not see the machine's state.\n";
/// What stands there until the helper answers.
const STARTING: &str = "\nCallward is starting.\n";
/// The label, and what stands below it where a value goes on in a second line.
const FINGERPRINT: &str = "Fingerprint: ";
const BELOW_FINGERPRINT: &str = "             ";
/// Where a fingerprint is broken, since all 95 columns of it do not fit on a screen of 80: after 16 pairs and their colons.
const HALF_FINGERPRINT: usize = 16 * 3;

/// Shows the state until it is stopped, or once.
///
/// # Errors
/// When the screen cannot be written.
pub fn run(socket: &Path, once: bool, out: &mut impl Write) -> io::Result<()> {
    if !once {
        write!(out, "{CLEAR}")?;
    }
    let mut shown = String::new();
    loop {
        let (text, is_final) = match client::ask(socket, &Request::Console) {
            Ok(Response::Console(console)) => (screen(&console), true),
            Ok(_) => (REFUSED.to_owned(), true),
            Err(error) => {
                tracing::debug!(error = format!("{error:#}"), "The helper does not answer yet");
                (STARTING.to_owned(), false)
            }
        };
        if text != shown {
            out.write_all(text.as_bytes())?;
            out.flush()?;
            shown = text;
        }
        if once && is_final {
            return Ok(());
        }
        thread::sleep(EVERY);
    }
}

/// The screen's text, in lines of at most 80 columns.
#[must_use]
pub fn screen(console: &Console) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| {
        let line = if value.is_empty() { String::new() } else { format!("{label}{value}") };
        // Writing to a String cannot fail.
        writeln!(text, "{}", line.trim_end()).unwrap_or_default();
    };
    line("", "");
    line("Callward ", &console.machine.version);
    line("Host name: ", &console.machine.name);
    line("", "");
    for address in &console.addresses {
        line("Address: ", &url(*address));
    }
    let (first, second) = console.fingerprint.split_at_checked(HALF_FINGERPRINT).unwrap_or((&console.fingerprint, ""));
    line(FINGERPRINT, first);
    if !second.is_empty() {
        line(BELOW_FINGERPRINT, second);
    }
    if let Some(code) = &console.setup_code {
        line("Setup code: ", code.expose());
    }
    line("", "");
    line("State: ", state(console));
    line("", "");
    text
}

fn state(console: &Console) -> &'static str {
    match (console.addresses.is_empty(), console.machine.needs_setup) {
        (true, _) => "waiting for an address on the management port",
        (false, true) => "open the address in a browser and enter the setup code",
        (false, false) => "ready",
    }
}

fn url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("https://{v4}/"),
        IpAddr::V6(v6) => format!("https://[{v6}]/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use psa_model::protocol::Machine;
    use psa_model::secret::Secret;

    fn console(addresses: &[&str], code: Option<&str>) -> Console {
        Console {
            machine: Machine { name: "callward-0a1b2c".into(), version: "0.1.0".into(), needs_setup: code.is_some() },
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            fingerprint: vec!["AB"; 32].join(":"),
            setup_code: code.map(|code| Secret::new(code.into())),
        }
    }

    #[test]
    fn the_screen_says_where_and_how_to_begin() {
        let pairs = ["AB"; 16].join(":");
        let expected = format!(
            "\nCallward 0.1.0\nHost name: callward-0a1b2c\n\nAddress: https://192.0.2.7/\n\
             Address: https://[2001:db8::7]/\nFingerprint: {pairs}:\n             {pairs}\n\
             Setup code: 7K2M-Q9XD-44TB-PZ0R\n\nState: open the address in a browser and enter the setup code\n\n"
        );
        assert_eq!(screen(&console(&["192.0.2.7", "2001:db8::7"], Some("7K2M-Q9XD-44TB-PZ0R"))), expected);
    }

    #[test]
    fn the_screen_shows_no_code_when_none_is_needed() {
        let text = screen(&console(&["2001:db8:1111:2222:3333:4444:5555:6666"], None));
        assert!(!text.contains("Setup code") && text.contains("State: ready"), "{text}");
        assert!(screen(&console(&[], None)).contains("State: waiting for an address"));
    }

    #[test]
    fn every_line_fits_a_screen_of_80_columns() {
        let addresses = ["2001:db8:1111:2222:3333:4444:5555:6666", "255.255.255.255"];
        let code = Some("7K2M-Q9XD-44TB-PZ0R");
        // The longest name that a host may have (RFC 1035, section 2.3.4).
        let with_long_name = |mut console: Console| {
            console.machine.name = "n".repeat(63);
            screen(&console)
        };
        let states = [(&addresses[..], code), (&addresses[..], None), (&addresses[..0], code), (&addresses[..0], None)];
        let screens = states.map(|(addresses, code)| with_long_name(console(addresses, code)));
        let other = [REFUSED.to_owned(), STARTING.to_owned()];
        for line in screens.iter().chain(&other).flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= 80, "{} columns: {line:?}", line.chars().count());
        }
        // Nothing of the fingerprint is lost where it is broken.
        let pairs = screens[0].lines().skip_while(|line| !line.starts_with(FINGERPRINT)).take(2);
        let joined: String = pairs.map(|line| line[FINGERPRINT.len()..].to_owned()).collect();
        assert_eq!(joined, ["AB"; 32].join(":"));
        assert_eq!(FINGERPRINT.len(), BELOW_FINGERPRINT.len());
    }
}
