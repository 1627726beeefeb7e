//! TLS over a connection that was dialled.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use rustls::client::{Resumption, WantsClientCert};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, ConfigBuilder, Error, RootCertStore, StreamOwned, WantsVerifier,
};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

use crate::fetch::crypto::{self, Anybody};
use crate::fetch::roots::{self, CaFile};
use crate::fetch::{Shown, TlsError};

/// Wraps what leads to an `https` address in TLS, once the other end has shown a certificate that a root vouches for.
#[derive(Debug)]
pub struct Secure {
    /// The roots, if not the usual ones.
    pub ca: Option<CaFile>,
    /// Made of `ca` and `insecure` at the first connection.
    pub own: OnceLock<Arc<ClientConfig>>,
    /// No root needs to vouch.
    pub insecure: bool,
    /// Takes the certificate.
    pub shown: Option<Shown>,
    /// Taken back when the handshake fails: until it has succeeded nobody saw anything of the request.
    pub connected: Arc<AtomicBool>,
}

impl Secure {
    fn config(&self) -> Arc<ClientConfig> {
        // The usual roots are read once, at the first connection: the system's take some hundred kilobytes, and a
        // daemon that tells nothing over HTTPS does without.
        static USUAL: OnceLock<Arc<ClientConfig>> = OnceLock::new();
        // Only a probe may ask for that.
        let insecure = cfg!(feature = "probes") && self.insecure;
        let kept = if self.ca.is_some() || insecure { &self.own } else { &USUAL };
        kept.get_or_init(|| if insecure { self::insecure() } else { config(self.ca.as_ref()) }).clone()
    }
}

/// Whether `der` is a certificate that can vouch for others.
pub fn usable(der: &[u8]) -> bool {
    RootCertStore::empty().add(CertificateDer::from(der)).is_ok()
}

fn config(ca: Option<&CaFile>) -> Arc<ClientConfig> {
    let mut trusted = RootCertStore::empty();
    if !roots::each(ca, &mut |der| trusted.add(CertificateDer::from(der)).is_ok()) {
        trusted.roots.extend_from_slice(webpki_roots::TLS_SERVER_ROOTS);
    }
    trusted.roots.shrink_to_fit();
    kept(builder().with_root_certificates(trusted))
}

fn insecure() -> Arc<ClientConfig> {
    kept(builder().dangerous().with_custom_certificate_verifier(Arc::new(Anybody)))
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    let builder = ClientConfig::builder_with_provider(crypto::provider());
    builder.with_safe_default_protocol_versions().expect("ring speaks TLS 1.2 and 1.3")
}

fn kept(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> Arc<ClientConfig> {
    let mut config = builder.with_no_client_auth();
    // Alerts are hours apart: tickets would only take memory.
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// What an error of the handshake, or of what came after it, means to somebody who can do something about it.
pub fn kind_of(error: &Error) -> TlsError {
    use CertificateError as C;
    match error {
        Error::InvalidCertificate(C::Expired | C::ExpiredContext { .. }) => TlsError::Expired,
        Error::InvalidCertificate(C::NotValidYet | C::NotValidYetContext { .. }) => TlsError::NotYetValid,
        // A bad signature is that of an authority of the same name with another key.
        Error::InvalidCertificate(C::UnknownIssuer | C::BadSignature) => TlsError::Issuer,
        Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => TlsError::Name,
        // Among others that of an authority which a server shows as its own.
        Error::InvalidCertificate(C::Other(_) | C::InvalidPurpose | C::InvalidPurposeContext { .. }) => TlsError::Unfit,
        Error::InvalidMessage(_) => TlsError::Plain,
        _ => TlsError::Other,
    }
}

impl<In: Transport> Connector<In> for Secure {
    type Out = Either<In, Secured>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(inner) = chained else { return Ok(None) };
        if !details.needs_tls() || inner.is_tls() {
            return Ok(Some(Either::A(inner)));
        }
        let host = details.uri.host().unwrap_or_default();
        let secured = self.wrap(host, Box::new(inner), details);
        if secured.is_err() {
            self.connected.store(false, Ordering::Relaxed);
        }
        Ok(Some(Either::B(secured?)))
    }
}

impl Secure {
    #[inline(never)]
    fn wrap(
        &self,
        host: &str,
        inner: Box<dyn Transport>,
        details: &ConnectionDetails<'_>,
    ) -> Result<Secured, ureq::Error> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare).map_err(|_| ureq::Error::HostNotFound)?.to_owned();
        let mut connection = ClientConnection::new(self.config(), name).map_err(io::Error::other)?;
        let mut socket = TransportAdapter::new(inner, details.current_time.clone());
        socket.set_timeout(details.timeout);
        connection.complete_io(&mut socket)?;
        if let (Some(shown), Some([certificate, ..])) = (&self.shown, connection.peer_certificates()) {
            // The first one is that of the host.
            let _ = shown.set(certificate.to_vec());
        }
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Secured { buffers, stream: StreamOwned::new(connection, socket) })
    }
}

/// A connection in TLS.
pub struct Secured {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secured")
    }
}

impl Transport for Secured {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        Ok(self.stream.write_all(&self.buffers.output()[..amount])?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.sock.set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // No connection is kept.
        false
    }

    fn is_tls(&self) -> bool {
        true
    }
}
