//! What the appliance shows on its console until the first administrator exists: where it is, by which fingerprint
//! its certificate is known, and the one-time setup code.

use anyhow::Result;
use std::time::Duration;

use crate::serial::Serial;

/// How many lines of others may stand between the two halves of a fingerprint.
const MAX_BETWEEN: usize = 50;

/// What a person copies from the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// `https://…/`, one for each address of the management port.
    pub addresses: Vec<String>,
    /// SHA-256 of the certificate: 32 pairs of hexadecimal digits in upper case with colons.
    pub fingerprint: String,
    /// `XXXX-XXXX-XXXX-XXXX`; `None` once an account exists.
    pub setup_code: Option<String>,
}

/// Reads the newest welcome in what the console printed. `None` while there is no fingerprint.
#[must_use]
pub fn parse(text: &str) -> Option<Welcome> {
    let values = |label: &str| -> Vec<String> {
        let after = |line: &str| line.split_once(label).map(|(_, value)| value.trim().to_owned());
        text.lines().filter_map(after).collect()
    };
    let lines: Vec<&str> = text.lines().collect();
    let starts = (0..lines.len()).rev().filter_map(|at| lines.get(at..));
    let fingerprint = starts.into_iter().find_map(fingerprint)?;
    let mut addresses: Vec<String> = Vec::new();
    for address in values("Address:").into_iter().filter(|value| value.starts_with("https://")) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let setup_code = values("Setup code:").into_iter().rev().find(|value| is_code(value));
    Some(Welcome { addresses, fingerprint, setup_code })
}

/// Waits for a welcome with a setup code on the console, beyond the first `mark` bytes.
///
/// # Errors
/// When it does not come in time, or the boot fails.
pub fn wait_for_setup(serial: &Serial, mark: usize, limit: Duration) -> Result<Welcome> {
    serial.wait_after(mark, limit, |line| line.contains("State: open the address").then_some(()))?;
    let text = serial.text();
    let welcome = parse(text.get(mark..).unwrap_or_default());
    welcome
        .filter(|welcome| welcome.setup_code.is_some() && !welcome.addresses.is_empty())
        .ok_or_else(|| anyhow::anyhow!("no whole welcome on the console:\n{}", crate::process::tail(&text, 60)))
}

/// The fingerprint that begins in the first of these lines. Its second half stands in a line of its own below, with
/// whatever the kernel printed in between.
fn fingerprint(lines: &[&str]) -> Option<String> {
    let (first, below) = lines.split_first()?;
    let half = first.split_once("Fingerprint:")?.1.trim().strip_suffix(':').and_then(pairs)?;
    let other = below.iter().take(MAX_BETWEEN).find_map(|line| pairs(line.trim()))?;
    Some(format!("{half}:{other}"))
}

/// Half a fingerprint: 16 pairs of hexadecimal digits, in upper case.
fn pairs(text: &str) -> Option<String> {
    let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    (text.split(':').count() == 16 && text.split(':').all(is_pair)).then(|| text.to_ascii_uppercase())
}

fn is_code(value: &str) -> bool {
    let is_group = |group: &str| group.len() == 4 && group.bytes().all(|byte| byte.is_ascii_alphanumeric());
    value.split('-').count() == 4 && value.split('-').all(is_group)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: &str = "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99";
    const OTHER: &str = "99:88:77:66:55:44:33:22:11:00:FF:EE:DD:CC:BB:AA";

    #[test]
    fn a_welcome_is_read_from_between_other_lines() {
        let text = format!(
            "[ 3.1] e1000\n  Address:     https://10.0.2.15/\n  Address: https://[fec0::1]/\nFingerprint: {}:\n\
             [ 3.2] e1000 00:11:22:33:44:55\n             {OTHER}\nSetup code:  7K2M-Q9XD-44TB-PZ0R\nmore\n",
            HALF.to_lowercase()
        );
        let welcome = parse(&text).unwrap();
        assert_eq!(welcome.addresses, ["https://10.0.2.15/", "https://[fec0::1]/"]);
        assert_eq!(welcome.fingerprint, format!("{HALF}:{OTHER}"));
        assert_eq!(welcome.setup_code.as_deref(), Some("7K2M-Q9XD-44TB-PZ0R"));
    }

    #[test]
    fn without_a_code_there_is_a_welcome_and_without_a_fingerprint_none() {
        let text = format!("Address: https://10.0.2.15/\nFingerprint: {HALF}:\n{OTHER}\n");
        assert_eq!(parse(&text).map(|welcome| welcome.setup_code), Some(None));
        assert_eq!(parse("Address: https://10.0.2.15/\nFingerprint: AA:BB:\nCC\n"), None);
        assert_eq!(parse(&format!("Fingerprint: {HALF}:\n")), None);
    }

    #[test]
    fn the_newest_fingerprint_counts_and_one_half_shown_is_none() {
        let text = format!("Fingerprint: {OTHER}:\n{OTHER}\nFingerprint: {HALF}:\n{OTHER}\nFingerprint: {HALF}:\n");
        assert_eq!(parse(&text).unwrap().fingerprint, format!("{HALF}:{OTHER}"));
    }
}
