//! What a client needs of TLS, and no more: rustls's own selections also hold what only servers and clients with
//! certificates use, and the linker cannot tell that nobody asks for it.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::{cipher_suite as suite, kx_group};
use rustls::crypto::{CryptoProvider, GetRandomFailed, KeyProvider, SecureRandom, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::SigningKey;
use rustls::{DigitallySignedStruct, Error, SignatureScheme as Scheme, SupportedCipherSuite};
use webpki::ring as sign;

/// AES-GCM only. Every server of TLS 1.3 has it (RFC 8446, 9.1), and what RFC 9325 (4.2) recommends for 1.2 is these
/// four; ChaCha20 would be 40 KB, and is the faster one only where nobody waits for it.
const SUITES: [SupportedCipherSuite; 6] = [
    suite::TLS13_AES_256_GCM_SHA384,
    suite::TLS13_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
];

/// The cryptography of every connection.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: SUITES.to_vec(),
        kx_groups: vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1],
        signature_verification_algorithms: ALGORITHMS,
        secure_random: &System,
        key_provider: &System,
    })
}

/// Those of rustls. Its own table comes only together with all its suites.
const ALGORITHMS: WebPkiSupportedAlgorithms = WebPkiSupportedAlgorithms {
    all: &[
        sign::ECDSA_P256_SHA256,
        sign::ECDSA_P256_SHA384,
        sign::ECDSA_P384_SHA256,
        sign::ECDSA_P384_SHA384,
        sign::ED25519,
        sign::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
        sign::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
        sign::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
        sign::RSA_PKCS1_2048_8192_SHA256,
        sign::RSA_PKCS1_2048_8192_SHA384,
        sign::RSA_PKCS1_2048_8192_SHA512,
        sign::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
        sign::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
        sign::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    ],
    // TLS 1.2 leaves the curve open, and tries one after the other; 1.3 takes the first.
    mapping: &[
        (Scheme::ECDSA_NISTP384_SHA384, &[sign::ECDSA_P384_SHA384, sign::ECDSA_P256_SHA384]),
        (Scheme::ECDSA_NISTP256_SHA256, &[sign::ECDSA_P256_SHA256, sign::ECDSA_P384_SHA256]),
        (Scheme::ED25519, &[sign::ED25519]),
        (Scheme::RSA_PSS_SHA512, &[sign::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]),
        (Scheme::RSA_PSS_SHA384, &[sign::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]),
        (Scheme::RSA_PSS_SHA256, &[sign::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]),
        (Scheme::RSA_PKCS1_SHA512, &[sign::RSA_PKCS1_2048_8192_SHA512]),
        (Scheme::RSA_PKCS1_SHA384, &[sign::RSA_PKCS1_2048_8192_SHA384]),
        (Scheme::RSA_PKCS1_SHA256, &[sign::RSA_PKCS1_2048_8192_SHA256]),
    ],
};

/// Random bytes of the kernel, and no keys: this program shows nobody a certificate.
#[derive(Debug)]
struct System;

impl SecureRandom for System {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        getrandom::fill(buffer).map_err(|_| GetRandomFailed)
    }
}

impl KeyProvider for System {
    fn load_private_key(&self, _: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        Err(Error::General("no key is used".to_owned()))
    }
}

/// Verifies nothing, for those who asked for that.
#[derive(Debug)]
pub struct Anybody;

impl ServerCertVerifier for Anybody {
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

    fn supported_verify_schemes(&self) -> Vec<Scheme> {
        ALGORITHMS.supported_schemes()
    }
}
