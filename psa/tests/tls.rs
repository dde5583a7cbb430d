//! The server itself, over TLS.

use crate::support::{Site, helper::FakeHelper};
use psa::server::{listener, start};
use psa::tls::Identity;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, NamedGroup, ProtocolVersion, SignatureScheme};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Takes every certificate: the test looks at it itself.
#[derive(Debug)]
struct Any;

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Gives the helper a fresh certificate and returns it.
fn certificate(helper: &FakeHelper) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["lisbon-1".to_owned()]).unwrap();
    helper.identity.replace((made.signing_key.serialize_pem(), made.cert.pem()));
    made.cert.der().clone()
}

async fn connect(address: SocketAddr, versions: &[&'static rustls::SupportedProtocolVersion]) -> TlsStream<TcpStream> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Any))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await.unwrap();
    TlsConnector::from(Arc::new(config)).connect("lisbon-1".try_into().unwrap(), stream).await.unwrap()
}

fn shown(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

#[actix_web::test]
async fn the_server_speaks_tls_and_takes_another_certificate_without_a_restart() {
    let site = Site::new().await;
    let first = certificate(&site.helper);
    let identity = Arc::new(Identity::default());
    identity.wait(&site.app.helper).await.unwrap();
    let socket = listener("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let server = start(&site.app, Arc::clone(&identity), socket).unwrap();
    let handle = server.handle();
    actix_web::rt::spawn(server);

    let mut stream = connect(address, rustls::ALL_VERSIONS).await;
    assert_eq!(shown(&stream), first);
    let session = stream.get_ref().1;
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(session.negotiated_key_exchange_group().map(|g| g.name()), Some(NamedGroup::X25519MLKEM768));
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: lisbon-1\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // The server may close without a TLS farewell.
    let _ended = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nok\n"), "{answer}");

    let second = certificate(&site.helper);
    identity.refresh(&site.app.helper).await.unwrap();
    let stream = connect(address, &[&rustls::version::TLS12]).await;
    assert_eq!(shown(&stream), second);
    assert_ne!(first, second);

    // A key that does not belong to its chain changes nothing.
    let odd = site.helper.identity.borrow().1.clone();
    certificate(&site.helper);
    let key = site.helper.identity.borrow().0.clone();
    site.helper.identity.replace((key, odd));
    assert!(identity.refresh(&site.app.helper).await.is_err());
    assert_eq!(shown(&connect(address, rustls::ALL_VERSIONS).await), second);
    handle.stop(false).await;
}

#[actix_web::test]
async fn a_changed_certificate_is_noticed_by_asking_again() {
    let site = Site::new().await;
    certificate(&site.helper);
    let identity = Identity::default();
    identity.wait(&site.app.helper).await.unwrap();
    let asked = || site.helper.asked.borrow().len();
    let before = asked();
    let waiting = async {
        while asked() < before + 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = identity.keep_fresh(&site.app.helper, Duration::from_millis(1)) => unreachable!(),
        () = waiting => {}
    }
}
