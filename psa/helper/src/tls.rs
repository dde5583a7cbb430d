//! The machine's TLS key and its self-signed certificate. Never touches a certificate that somebody else signed.

use crate::disk::Disk;
use crate::limits;
use jiff::Timestamp;
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use psa_model::secret::Secret;
use std::cmp::Ordering;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use thiserror::Error;

/// Bytes of a serial number: at least 64 random bits (CA/Browser Forum BR 7.1), positive, under 20 octets.
pub const SERIAL: usize = 16;

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum TlsError {
    /// OpenSSL refused.
    #[error("OpenSSL refused to make the key or the certificate")]
    OpenSsl(#[from] ErrorStack),
    /// The key or the certificate cannot be written.
    #[error("the key or the certificate cannot be written")]
    Io(#[from] io::Error),
}

/// What a certificate certifies: the machine's name and addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Names, the host name first.
    pub dns: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
}

impl Names {
    /// The names of a machine. In a scratch folder also those of the loopback, where a developer's browser comes from;
    /// on the appliance nobody does.
    #[must_use]
    pub fn of(host_name: &str, addresses: &[IpAddr], is_scratch: bool) -> Self {
        let mut names = Self { dns: vec![host_name.to_owned()], addresses: addresses.to_vec() };
        if is_scratch {
            names.dns.push("localhost".into());
            names.addresses.extend([IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)]);
        }
        names.addresses.sort_unstable();
        names.addresses.dedup();
        names
    }
}

/// Key and certificate in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The private key, PKCS#8 in PEM.
    pub key: Secret,
    /// The certificate in PEM.
    pub chain: String,
    /// SHA-256 of the certificate, hexadecimal with colons.
    pub fingerprint: String,
}

/// Reads key and certificate; makes the key where it is missing, and the certificate where it is missing, belongs to
/// another key, lacks the name or any address by which the machine can be reached, or is near its end. The key stays the
/// same.
///
/// # Errors
/// When OpenSSL refuses or the files cannot be written.
pub fn ensure(disk: &Disk, names: &Names, now: Timestamp, serial: [u8; SERIAL]) -> Result<Identity, TlsError> {
    let folder = disk.state().join("tls");
    disk.make_folder(&folder, 0o700)?;
    let (key_path, certificate_path) = paths(disk);
    let stored = fs::read(&key_path).ok().and_then(|pem| PKey::private_key_from_pem(&pem).ok());
    let key = match stored {
        Some(key) => key,
        None => {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
            let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
            disk.replace(&key_path, &key.private_key_to_pem_pkcs8()?, 0o600)?;
            key
        }
    };
    let stored = fs::read(&certificate_path).ok().and_then(|pem| X509::from_pem(&pem).ok());
    let certificate = match stored.filter(|certificate| is_good(certificate, &key, names, now)) {
        Some(certificate) => certificate,
        None => {
            let certificate = self_signed(&key, names, now, serial)?;
            disk.replace(&certificate_path, &certificate.to_pem()?, 0o600)?;
            tracing::info!(names = ?names.dns, addresses = names.addresses.len(), "Made a self-signed certificate");
            certificate
        }
    };
    let to_text = |pem: Vec<u8>| String::from_utf8(pem).map_err(io::Error::other);
    let fingerprint = certificate.digest(MessageDigest::sha256())?;
    let pairs: Vec<String> = fingerprint.iter().map(|byte| format!("{byte:02X}")).collect();
    Ok(Identity {
        key: Secret::new(to_text(key.private_key_to_pem_pkcs8()?)?),
        chain: to_text(certificate.to_pem()?)?,
        fingerprint: pairs.join(":"),
    })
}

fn paths(disk: &Disk) -> (PathBuf, PathBuf) {
    let folder = disk.state().join("tls");
    (folder.join("key.pem"), folder.join("self-signed.pem"))
}

fn is_good(certificate: &X509, key: &PKey<Private>, names: &Names, now: Timestamp) -> bool {
    let belongs = certificate.public_key().is_ok_and(|public| public.public_eq(key));
    let day = 86_400_i64;
    let soon = now.as_second().saturating_add(day.saturating_mul(limits::CERTIFICATE_RENEWED_DAYS.into()));
    let is_valid = Asn1Time::from_unix(soon)
        .is_ok_and(|soon| certificate.not_after().compare(&soon).is_ok_and(|o| o == Ordering::Greater))
        && Asn1Time::from_unix(now.as_second())
            .is_ok_and(|now| certificate.not_before().compare(&now).is_ok_and(|o| o != Ordering::Greater));
    let certified = names_of(certificate);
    belongs && is_valid && certified.dns == names.dns && leads_here(&certified.addresses, &names.addresses)
}

/// Says whether a certificate with these addresses still serves a machine that has those. Addresses come one by one and
/// go with the cable, and somebody may be copying the fingerprint from the screen: a further address is not worth
/// another certificate, the loss of all addresses of its kind (another DHCP lease) is.
fn leads_here(certified: &[IpAddr], present: &[IpAddr]) -> bool {
    // A scratch folder's certificate names the loopback too, which says nothing.
    let lasting = |all: &[IpAddr]| all.iter().copied().filter(|address| !address.is_loopback()).collect::<Vec<_>>();
    let (certified, present) = (lasting(certified), lasting(present));
    [IpAddr::is_ipv4, IpAddr::is_ipv6].iter().all(|is_of_kind| {
        let is_served = present.iter().filter(|a| is_of_kind(a)).any(|address| certified.contains(address));
        let is_further_kind = !certified.is_empty() && !certified.iter().any(is_of_kind);
        is_served || is_further_kind || !present.iter().any(is_of_kind)
    })
}

/// The names that a certificate certifies.
fn names_of(certificate: &X509) -> Names {
    let mut names = Names { dns: Vec::new(), addresses: Vec::new() };
    for name in certificate.subject_alt_names().into_iter().flatten() {
        if let Some(dns) = name.dnsname() {
            names.dns.push(dns.to_owned());
        }
        let octets = name.ipaddress().unwrap_or_default();
        let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
        let v6 = <[u8; 16]>::try_from(octets).map(IpAddr::from);
        names.addresses.extend(v4.or(v6).ok());
    }
    names
}

/// Makes a certificate for a server (RFC 5280), valid from an hour before now, for browsers whose clock is slow.
fn self_signed(
    key: &PKey<Private>,
    names: &Names,
    now: Timestamp,
    mut serial: [u8; SERIAL],
) -> Result<X509, ErrorStack> {
    // The first bit would make the number negative, a first octet of zero would be shortened away.
    if let Some(first) = serial.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    let from = now.as_second().saturating_sub(3600);
    let to = from.saturating_add(i64::from(limits::CERTIFICATE_DAYS).saturating_mul(86_400));
    let mut subject = X509NameBuilder::new()?;
    // A common name has at most 64 characters (RFC 5280 appendix A.1); clients read the alternative names.
    let common: String = names.dns.first().map(|name| name.chars().take(64).collect()).unwrap_or_default();
    subject.append_entry_by_nid(Nid::COMMONNAME, &common)?;
    let subject = subject.build();
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let serial = BigNum::from_slice(&serial)?;
    let serial = Asn1Integer::from_bn(&serial)?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(&subject)?;
    let (not_before, not_after) = (Asn1Time::from_unix(from)?, Asn1Time::from_unix(to)?);
    builder.set_not_before(&not_before)?;
    builder.set_not_after(&not_after)?;
    builder.set_pubkey(key)?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    let mut alternative = SubjectAlternativeName::new();
    for name in &names.dns {
        alternative.dns(name);
    }
    for address in &names.addresses {
        alternative.ip(&address.to_string());
    }
    let alternative = alternative.build(&builder.x509v3_context(None, None))?;
    builder.append_extension(alternative)?;
    builder.sign(key, MessageDigest::sha256())?;
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const DAY: i64 = 86_400;

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + days * DAY).unwrap()
    }

    fn names(addresses: &[&str]) -> Names {
        let addresses: Vec<IpAddr> = addresses.iter().map(|a| a.parse().unwrap()).collect();
        Names::of("callward-0a1b2c", &addresses, false)
    }

    #[test]
    fn key_and_certificate_belong_together_and_only_root_may_read_the_key() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::new(root.path());
        let names = names(&["192.0.2.7", "2001:db8::7"]);
        let identity = ensure(&disk, &names, at(0), [9; SERIAL]).unwrap();
        let certificate = X509::from_pem(identity.chain.as_bytes()).unwrap();
        let key = PKey::private_key_from_pem(identity.key.expose().as_bytes()).unwrap();
        assert!(certificate.verify(&key).unwrap(), "signed by its own key");
        assert_eq!(names_of(&certificate), names);
        assert_eq!(identity.fingerprint.len(), 95);
        let mode = fs::metadata(root.path().join("state/psa-helper/tls/key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(identity.key.expose().starts_with("-----BEGIN PRIVATE KEY-----"), "PKCS#8");
    }

    #[test]
    fn the_certificate_stays_until_its_names_change_or_its_end_is_near_and_the_key_stays_always() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::new(root.path());
        let first = ensure(&disk, &names(&[]), at(0), [1; SERIAL]).unwrap();
        assert_eq!(ensure(&disk, &names(&[]), at(300), [2; SERIAL]).unwrap(), first);
        let addressed = ensure(&disk, &names(&["192.0.2.7"]), at(1), [3; SERIAL]).unwrap();
        assert_ne!(addressed.fingerprint, first.fingerprint);
        assert_eq!(
            ensure(&disk, &names(&[]), at(1), [3; SERIAL]).unwrap(),
            addressed,
            "a pulled cable changes nothing"
        );
        for further in [&["192.0.2.7", "2001:db8::7"][..], &["192.0.2.7", "192.0.2.8"], &["2001:db8::7"]] {
            assert_eq!(ensure(&disk, &names(further), at(1), [3; SERIAL]).unwrap(), addressed, "{further:?}");
        }
        let moved = ensure(&disk, &names(&["192.0.2.9", "2001:db8::7"]), at(1), [3; SERIAL]).unwrap();
        assert_ne!(moved.fingerprint, addressed.fingerprint, "another lease");
        let addressed = ensure(&disk, &names(&["192.0.2.7"]), at(1), [3; SERIAL]).unwrap();
        let late = ensure(&disk, &names(&["192.0.2.7"]), at(1 + 397 - 29), [4; SERIAL]).unwrap();
        assert_ne!(late.fingerprint, addressed.fingerprint);
        let earlier = ensure(&disk, &names(&["192.0.2.7"]), at(-1), [5; SERIAL]).unwrap();
        assert_ne!(earlier.fingerprint, late.fingerprint, "a certificate of the future is none");
        assert!([&addressed, &late, &earlier].iter().all(|identity| identity.key == first.key));
    }

    #[test]
    fn two_machines_share_no_key() {
        let make = || {
            let root = tempfile::tempdir().unwrap();
            ensure(&Disk::new(root.path()), &names(&[]), at(0), [1; SERIAL]).unwrap()
        };
        assert_ne!(make().key, make().key);
    }

    #[test]
    fn a_damaged_file_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::new(root.path());
        ensure(&disk, &names(&[]), at(0), [1; SERIAL]).unwrap();
        fs::write(root.path().join("state/psa-helper/tls/key.pem"), "nonsense").unwrap();
        let identity = ensure(&disk, &names(&[]), at(0), [2; SERIAL]).unwrap();
        let key = PKey::private_key_from_pem(identity.key.expose().as_bytes()).unwrap();
        assert!(X509::from_pem(identity.chain.as_bytes()).unwrap().verify(&key).unwrap());
    }
}
