//! The other ends: authorities that are made here, TLS servers that show their certificates, an HTTP proxy.

#![expect(clippy::disallowed_methods, reason = "tests start threads and dial")]

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

use crate::common::SOON;

/// Who makes certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

/// What a server shows, and the key to it.
pub struct Shown {
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Authority {
    pub fn new() -> Authority {
        Authority::with_names(&[])
    }

    /// One whose own certificate is for servers too, as `openssl req -x509` makes them.
    pub fn with_names(names: &[&str]) -> Authority {
        let mut params = params(names);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "an authority for one test");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let bytes = key.serialize_der();
        Authority { issuer: Issuer::new(params, key), certificate, key: bytes }
    }

    /// Its certificate as a file holds it.
    pub fn pem(&self) -> String {
        let text = STANDARD.encode(&self.certificate);
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    }

    /// A certificate for `names` from the first to the second of January of these years.
    pub fn sign(&self, names: &[&str], (from, to): (i32, i32)) -> Shown {
        let mut params = params(names);
        (params.not_before, params.not_after) = (date_time_ymd(from, 1, 1), date_time_ymd(to, 1, 2));
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Shown { chain: vec![certificate.der().clone()], key: key.serialize_der() }
    }

    /// A good one for this machine.
    pub fn good(&self) -> Shown {
        self.sign(&["localhost", "127.0.0.1"], (2020, 2090))
    }

    /// Its own certificate, in the place of one for a server.
    pub fn itself(&self) -> Shown {
        Shown { chain: vec![self.certificate.clone()], key: self.key.clone() }
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2090, 1, 1));
    params
}

/// What is done with a connection once it is in TLS.
pub type Script = fn(&mut StreamOwned<ServerConnection, TcpStream>);

/// A TLS server; it ends with the test process.
pub struct TlsServer {
    pub address: SocketAddr,
    /// Heads and bodies of requests, and `no handshake` for what did not come so far.
    pub seen: Receiver<String>,
}

impl TlsServer {
    /// Takes every request with `200` and `{"code":0}`.
    pub fn start(shown: Shown) -> TlsServer {
        TlsServer::with(shown, rustls::ALL_VERSIONS, |stream| {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{\"code\":0}"));
        })
    }

    /// Speaks `versions` only, and answers each request with `script`.
    pub fn with(shown: Shown, versions: &[&'static SupportedProtocolVersion], script: Script) -> TlsServer {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::try_from(shown.key).unwrap();
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(shown.chain, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, seen) = channel();
        spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_read_timeout(Some(SOON)).unwrap();
                let (config, tell) = (config.clone(), tell.clone());
                spawn(move || {
                    let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                    match read_request(&mut stream) {
                        Ok(request) => {
                            drop(tell.send(request));
                            script(&mut stream);
                            stream.conn.send_close_notify();
                            drop(stream.flush());
                        }
                        Err(_) => drop(tell.send("no handshake".to_owned())),
                    }
                });
            }
        });
        TlsServer { address, seen }
    }

    pub fn url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.address.port())
    }

    /// The next request.
    pub fn next(&self) -> String {
        self.seen.recv_timeout(SOON).unwrap()
    }
}

/// Head and body; an error if the handshake fails.
fn read_request(stream: &mut impl Read) -> io::Result<String> {
    let head = read_head(stream)?;
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    Ok(head + &String::from_utf8_lossy(&body))
}

fn read_head(stream: &mut impl Read) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && head.len() < 16 * 1024 {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Takes a connection, reads and says nothing, until the other end closes it.
pub fn silent_server() -> SocketAddr {
    listen(|mut stream| drop(stream.read_to_end(&mut Vec::new())))
}

/// Begins a handshake that never ends, a byte at a time.
pub fn dripping_server() -> SocketAddr {
    listen(|mut stream| {
        // A record of 16,383 bytes that holds a message of 16,379.
        let mut piece = &[0x16, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0xfb][..];
        while stream.write_all(piece).is_ok() {
            piece = &[0];
            std::thread::park_timeout(Duration::from_millis(50));
        }
    })
}

/// Speaks HTTP without TLS, as web servers do to those who come with TLS.
pub fn plain_server() -> SocketAddr {
    listen(|mut stream| {
        drop(stream.read(&mut [0; 4096]));
        drop(stream.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"));
        drop(stream.shutdown(Shutdown::Write));
        drop(stream.read_to_end(&mut Vec::new()));
    })
}

fn listen(script: fn(TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    spawn(move || {
        for stream in listener.incoming().flatten() {
            stream.set_read_timeout(Some(SOON)).unwrap();
            spawn(move || script(stream));
        }
    });
    address
}

/// An HTTP proxy for `CONNECT`; it ends with the test process.
pub struct Proxy {
    pub address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// Lets through whoever says `login` (`user:password`), or everybody.
    pub fn start(login: Option<&str>) -> Proxy {
        let login = login.map(|login| format!("Proxy-Authorization: Basic {}", STANDARD.encode(login)));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let kept = heads.clone();
        spawn(move || {
            for mut stream in listener.incoming().flatten() {
                stream.set_read_timeout(Some(SOON)).unwrap();
                let Ok(head) = read_head(&mut stream) else { continue };
                kept.lock().unwrap().push(head.clone());
                let known = login.as_ref().is_none_or(|login| head.lines().any(|line| line == login));
                let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
                let answer: &[u8] = match target.filter(|_| known).map(TcpStream::connect) {
                    Some(Ok(target)) => {
                        drop(stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n"));
                        pump(stream.try_clone().unwrap(), target.try_clone().unwrap());
                        pump(target, stream);
                        continue;
                    }
                    Some(Err(_)) => b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
                    None => b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
                };
                drop(stream.write_all(answer));
            }
        });
        Proxy { address, heads }
    }

    /// The heads of what was asked so far.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    spawn(move || {
        drop(io::copy(&mut from, &mut to));
        drop(to.shutdown(Shutdown::Write));
    });
}
