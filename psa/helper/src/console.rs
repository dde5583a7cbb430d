//! What the machine's screen and serial line show before anybody logs in: where the pages are, and how to trust them.
//!
//! Plain lines, printed again only when something changed, so that a serial log reads well. Tests read the lines
//! `Address: https://…/`, `Fingerprint:  AA:BB:…` (one line of 32 pairs) and `Setup code: XXXX-…`.

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
/// 14 columns, so that a screen of 80 breaks the 95 of a fingerprint after its 22nd pair, and not inside one. In a log
/// it stays one line, which can be copied.
const FINGERPRINT: &str = "Fingerprint:  ";

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
            Ok(_) => ("\nCallward: this user may not see the machine's state.\n".to_owned(), true),
            Err(error) => {
                tracing::debug!(error = format!("{error:#}"), "The helper does not answer yet");
                ("\nCallward is starting.\n".to_owned(), false)
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

/// The screen's text. Only the fingerprint is longer than 80 columns.
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
    line(FINGERPRINT, &console.fingerprint);
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
        let pairs = ["AB"; 32].join(":");
        let expected = format!(
            "\nCallward 0.1.0\nHost name: callward-0a1b2c\n\nAddress: https://192.0.2.7/\n\
             Address: https://[2001:db8::7]/\nFingerprint:  {pairs}\n\
             Setup code: 7K2M-Q9XD-44TB-PZ0R\n\nState: open the address in a browser and enter the setup code\n\n"
        );
        assert_eq!(screen(&console(&["192.0.2.7", "2001:db8::7"], Some("7K2M-Q9XD-44TB-PZ0R"))), expected);
    }

    #[test]
    fn the_screen_shows_no_code_when_none_is_needed_and_fits_80_columns() {
        let text = screen(&console(&["2001:db8:1111:2222:3333:4444:5555:6666"], None));
        assert!(!text.contains("Setup code") && text.contains("State: ready"), "{text}");
        let is_short = |line: &str| line.len() <= 80 || line.starts_with(FINGERPRINT);
        assert!(text.lines().all(is_short), "{text}");
        assert_eq!((80 - FINGERPRINT.len()) % "AB:".len(), 0, "an 80-column screen breaks between two pairs");
        assert!(screen(&console(&[], None)).contains("State: waiting for an address"));
    }
}
