//! Who is trusted to vouch for the other end of a TLS connection.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::read_capped;

/// Bytes of a file of certificates; that of Debian has 220,000.
const MAX_FILE: usize = 2 * 1024 * 1024;
/// Bytes of one certificate as text; authorities have some 2,000.
const MAX_TEXT: usize = 64 * 1024;
/// Names the file of roots in place of the system's, as OpenSSL and Go have it.
const VARIABLE: &str = "SSL_CERT_FILE";
/// Where systems keep their roots in one file: Debian, Alpine, Arch, OpenWrt; BSD, older Alpine; Fedora and its kin.
const BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem", "/etc/pki/tls/certs/ca-bundle.crt"];
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END";

/// The certificates of a `ca_file`. They are kept from when the configuration was read: a disk that dies later costs no
/// alert, and a file with another content is another configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct CaFile {
    path: PathBuf,
    certificates: Arc<[Vec<u8>]>,
}

/// Shows where they are from, not megabytes of numbers.
impl fmt::Debug for CaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.path, f)
    }
}

impl CaFile {
    /// Reads `path`, which holds certificates as PEM. `usable` says whether one can vouch for others.
    ///
    /// # Errors
    /// When it cannot be read or holds no usable certificate.
    pub fn read(path: PathBuf, usable: fn(&[u8]) -> bool) -> io::Result<CaFile> {
        let mut certificates = Vec::new();
        let found = each_of(&path, &mut |der| {
            let usable = usable(der);
            if usable {
                certificates.push(der.to_vec());
            }
            usable
        })?;
        if found { Ok(CaFile { path, certificates: certificates.into() }) } else { Err(nothing()) }
    }
}

/// Calls `take` with each root as DER: those of `ca` if there is one; else those of the file that `SSL_CERT_FILE` names;
/// else those of the system. `take` says whether it can use it. False if there is none anywhere that can be used: then
/// those that are compiled in are to be trusted.
///
/// Reads a file each time, so what many use is to be kept.
pub fn each(ca: Option<&CaFile>, take: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    if let Some(ca) = ca {
        for der in ca.certificates.iter() {
            take(der);
        }
        return true;
    }
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        match each_of(Path::new(&named), take) {
            Ok(true) => return true,
            Ok(false) => say(&named, &nothing()),
            Err(error) => say(&named, &error),
        }
    }
    BUNDLES.iter().any(|bundle| matches!(each_of(Path::new(bundle), take), Ok(true)))
}

fn say(named: &OsStr, error: &io::Error) {
    log::warn!("{VARIABLE}: {}: {error}; the usual roots are trusted instead", named.display());
}

fn nothing() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "it holds no certificate of an authority (PEM)")
}

/// Calls `take` with each certificate of a file. True if one could be used.
fn each_of(path: &Path, take: &mut dyn FnMut(&[u8]) -> bool) -> io::Result<bool> {
    // Looked at first: it may be read in the middle of an alert, and a pipe would have to be waited for.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is no file"));
    }
    Ok(each_in(&read_capped(path, MAX_FILE)?.0, take))
}

/// Calls `take` with each certificate of a text. Whatever else is in it, such as comments and keys, is passed over.
fn each_in(text: &[u8], take: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    let mut inside = false;
    let mut body = Vec::new();
    let mut used = false;
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        if line == BEGIN {
            inside = true;
            body.clear();
        } else if inside && line.starts_with(END) {
            inside = false;
            used |= STANDARD.decode(&body).is_ok_and(|der| take(&der));
        } else if inside {
            inside = body.len() + line.len() <= MAX_TEXT;
            body.extend_from_slice(line);
        }
    }
    used
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        each_in(text.as_bytes(), &mut |der| {
            found.push(der.to_vec());
            true
        });
        found
    }

    fn pem(label: &str, body: &str) -> String {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
    }

    #[test]
    fn certificates_are_found_among_other_things() {
        let text = [
            "# Some authority\n".to_owned(),
            pem("CERTIFICATE", "AQID\nBAUG"),
            pem("PRIVATE KEY", "CAgI"),
            pem("TRUSTED CERTIFICATE", "CAgI"),
            pem("CERTIFICATE", "no base64!"),
            "subject=CN = x\r\n".to_owned(),
            pem("CERTIFICATE", "BwgJ").replace('\n', "\r\n"),
            "-----BEGIN CERTIFICATE-----\nAAAA\n".to_owned(),
            pem("CERTIFICATE", "Cg=="),
            "-----BEGIN CERTIFICATE-----\nAAAA".to_owned(),
        ];
        assert_eq!(found(&text.concat()), [vec![1, 2, 3, 4, 5, 6], vec![7, 8, 9], vec![10]]);
        assert!(found("").is_empty() && found(&"\n".repeat(1000)).is_empty());
        assert!(found(&pem("CERTIFICATE", &"AAAA\n".repeat(MAX_TEXT / 4 + 1))).is_empty());
        assert!(!each_in(text[1].as_bytes(), &mut |_| false), "what cannot be used counts for nothing");
    }

    #[test]
    fn a_file_is_its_content() {
        let path = std::env::temp_dir().join(format!("ic-roots-{}", std::process::id()));
        let read = |text: &str| {
            fs::write(&path, text).unwrap();
            CaFile::read(path.clone(), |der| der != [0, 0, 0])
        };
        let one = read(&pem("CERTIFICATE", "AQID")).unwrap();
        let same = read(&["# comment\n", &pem("CERTIFICATE", "AQID"), &pem("CERTIFICATE", "AAAA")].concat()).unwrap();
        let other = read(&pem("CERTIFICATE", "AQIE")).unwrap();
        assert!(one == same && one != other);
        assert_eq!(format!("{one:?}"), format!("{path:?}"));
        for text in ["", "not a certificate", &pem("CERTIFICATE", "AAAA")] {
            assert!(read(text).is_err(), "{text}");
        }
        fs::remove_file(&path).unwrap();
        assert_eq!(CaFile::read(path, |_| true).unwrap_err().kind(), ErrorKind::NotFound);
        assert!(CaFile::read(std::env::temp_dir(), |_| true).is_err(), "a folder");
        let mut taken = Vec::new();
        assert!(each(Some(&one), &mut |der| {
            taken.push(der.to_vec());
            true
        }));
        assert_eq!(taken, [vec![1, 2, 3]]);
    }
}
