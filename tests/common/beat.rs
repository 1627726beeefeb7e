//! A client of both protocols, written from their description and not from the program's own code.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::SOON;

fn hmac(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn framed(key: &[u8], lines: &[&[u8]]) -> String {
    let lengths: Vec<[u8; 4]> = lines.iter().map(|line| u32::try_from(line.len()).unwrap().to_be_bytes()).collect();
    let parts: Vec<&[u8]> = lengths.iter().zip(lines).flat_map(|(length, line)| [&length[..], line]).collect();
    STANDARD.encode(hmac(key, &parts))
}

/// Somebody who beats.
pub struct Beater {
    pub server: SocketAddr,
    pub user: String,
    pub name: String,
    pub run: String,
    pub boot: String,
    /// Seconds since the daemon started.
    pub age: f64,
    pub seq: u64,
    pub period: f64,
    k1: Vec<u8>,
    k2: Vec<u8>,
}

impl Beater {
    pub fn new(server: SocketAddr, key: &str, name: &str) -> Beater {
        Beater {
            server,
            user: "default".into(),
            name: name.into(),
            run: format!("run of {name}"),
            boot: "boot".into(),
            age: 50.0,
            seq: 0,
            period: 30.0,
            k1: hmac(key.as_bytes(), &[b"ic2 c2s"]),
            k2: hmac(key.as_bytes(), &[b"ic2 s2c"]),
        }
    }

    /// The body of line 3 of an ordinary beat.
    pub fn report(&mut self) -> Value {
        self.seq += 1;
        json!({"ev": "beat", "per": self.period, "boot": self.boot, "up": 100.0, "run": self.run, "age": self.age, "seq": self.seq})
    }

    pub fn beat(&mut self) -> Result<Value, String> {
        let report = self.report();
        self.say(&report)
    }

    /// One exchange; the server's body once its MAC has verified, else what it said in the clear.
    pub fn say(&self, report: &Value) -> Result<Value, String> {
        let stream = TcpStream::connect_timeout(&self.server, SOON).map_err(|error| error.to_string())?;
        self.say_over(&stream, report)
    }

    pub fn say_over(&self, stream: &TcpStream, report: &Value) -> Result<Value, String> {
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_nodelay(true).unwrap();
        let (mut out, mut read) = (stream, BufReader::new(stream));
        let cn = STANDARD.encode([7; 16]);
        let line1 = format!(r#"{{"v":2,"user":"{}","name":"{}","cn":"{cn}"}}"#, self.user, self.name);
        out.write_all(format!("{line1}\n").as_bytes()).map_err(|error| error.to_string())?;
        let line2 = line(&mut read)?;
        if !line2.contains(r#""sn""#) {
            return Err(line2);
        }
        let body3 = report.to_string();
        let mac1 = framed(&self.k1, &[line1.as_bytes(), line2.as_bytes(), body3.as_bytes()]);
        let line3 = format!("{body3}\t{mac1}");
        out.write_all(format!("{line3}\n").as_bytes()).map_err(|error| error.to_string())?;
        let line4 = line(&mut read)?;
        let Some((body4, mac2)) = line4.rsplit_once('\t') else { return Err(line4) };
        let lines = [line1.as_bytes(), line2.as_bytes(), line3.as_bytes(), body4.as_bytes()];
        if mac2 != framed(&self.k2, &lines) {
            return Err(format!("mac2 is wrong: {line4}"));
        }
        serde_json::from_str(body4).map_err(|error| error.to_string())
    }
}

fn line(read: &mut impl BufRead) -> Result<String, String> {
    let mut line = String::new();
    read.read_line(&mut line).map_err(|error| error.to_string())?;
    match line.strip_suffix('\n') {
        Some(line) => Ok(line.to_owned()),
        None => Err(format!("the server hung up after {line:?}")),
    }
}

/// Sends `bytes` and returns all that comes back until the server closes.
pub fn raw(server: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect_timeout(&server, SOON).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream.set_nodelay(true).unwrap();
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// One exchange in the original program's protocol.
pub fn old(server: SocketAddr, key: &str, name: &str) -> String {
    raw(server, format!("{{\"key\":\"{key}\",\"name\":\"{name}\",\"msg\":\"I am active\"}}\n").as_bytes())
}
