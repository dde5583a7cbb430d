//! The machine's certificate: asked of the helper, served from memory, and changed without a restart.

use crate::helper::Helper;
use crate::limits;
use crate::problem::Problem;
use anyhow::{Context, anyhow};
use arc_swap::ArcSwapOption;
use psa_model::protocol::{Request, Response};
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use std::time::Duration;

/// The key and chain that new connections are served with.
#[derive(Debug, Default)]
pub struct Identity(ArcSwapOption<CertifiedKey>);

impl ResolvesServerCert for Identity {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}

impl Identity {
    /// Asks the helper for the identity and serves it from the next connection on.
    ///
    /// # Errors
    /// When the helper does not answer, or key and chain do not belong together. The one before stays in use.
    pub async fn refresh(&self, helper: &Helper) -> anyhow::Result<()> {
        let answer = helper.ask(&Request::TlsIdentity).await.map_err(|problem| told(&problem))?;
        let Response::TlsIdentity { key, chain } = answer else {
            return Err(told(&Problem::odd_answer("TLS identity", &answer)));
        };
        let fresh = certified(key.expose(), &chain)?;
        let is_same = self.0.load().as_ref().is_some_and(|old| old.cert == fresh.cert);
        if !is_same {
            self.0.store(Some(Arc::new(fresh)));
            tracing::info!("Serving with the certificate that the helper gave");
        }
        Ok(())
    }

    /// Waits for the first identity.
    ///
    /// # Errors
    /// When there is none after [`limits::IDENTITY_PATIENCE`].
    pub async fn wait(&self, helper: &Helper) -> anyhow::Result<()> {
        let trying = async {
            while let Err(error) = self.refresh(helper).await {
                tracing::warn!(error = format!("{error:#}"), "No certificate yet; asking again in a second");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::time::timeout(limits::IDENTITY_PATIENCE, trying).await.context("ask the helper for a certificate")
    }

    /// Asks again and again, for ever.
    pub async fn keep_fresh(&self, helper: &Helper, period: Duration) {
        loop {
            tokio::time::sleep(period).await;
            if let Err(error) = self.refresh(helper).await {
                tracing::warn!(error = format!("{error:#}"), "Could not look for a new certificate");
            }
        }
    }
}

/// What the log says of a problem that no page will show.
fn told(problem: &Problem) -> anyhow::Error {
    anyhow!("{problem:?}")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certified(key: &str, chain: &str) -> anyhow::Result<CertifiedKey> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().context("read the chain")?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).context("read the private key")?;
    CertifiedKey::from_der(chain, key, &provider()).context("put key and chain together")
}

/// TLS 1.2 and 1.3 with the library's own choice of suites, post-quantum key exchange first. The server adds the one
/// protocol it speaks (ALPN `http/1.1`).
///
/// # Errors
/// When the library refuses its own defaults.
pub fn config(identity: Arc<Identity>) -> anyhow::Result<ServerConfig> {
    Ok(ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .context("set up TLS")?
        .with_no_client_auth()
        .with_cert_resolver(identity))
}
