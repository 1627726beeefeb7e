//! A small blocking client of HTTP/1.1.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

use super::SOON;
use super::daemon::Daemon;

/// What was answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A connection that is kept.
pub struct Asker {
    pub stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Asker {
    pub fn new(address: SocketAddr) -> Asker {
        Asker::over(TcpStream::connect_timeout(&address, SOON).unwrap())
    }

    /// The same, from `source`, which is an IPv4 address of this machine.
    pub fn from(source: [u8; 4], address: SocketAddr) -> Asker {
        Asker::over(dial(source, address).unwrap())
    }

    fn over(stream: TcpStream) -> Asker {
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_write_timeout(Some(SOON)).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Asker { stream, reader }
    }

    /// Sends a request with `Host`, and with `Content-Length` if there is a body.
    pub fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut text = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            text.push_str(&format!("Host: {}\r\n", self.stream.peer_addr().unwrap()));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        self.send(&[text.as_bytes(), b"\r\n", body].concat());
        self.reply(method).unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    /// Sends exactly these bytes. That nobody takes them shows in the answer.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next answer; `None` if the connection ends before it. Answers without an end of their own (1xx) are skipped.
    pub fn reply(&mut self, method: &str) -> Option<Reply> {
        loop {
            let reply = self.one(method)?;
            if reply.status >= 200 {
                return Some(reply);
            }
        }
    }

    /// The same with those of 1xx.
    pub fn one(&mut self, method: &str) -> Option<Reply> {
        let line = self.line()?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status: u16 = status.unwrap_or_else(|| panic!("no status line: {line:?}"));
        let mut headers = Vec::new();
        while let Some((name, value)) = self.line()?.split_once(':') {
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        let length = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        if method != "HEAD" && !matches!(status, 100..200 | 204 | 304) {
            reply.body.resize(length, 0);
            self.reader.read_exact(&mut reply.body).ok()?;
        }
        Some(reply)
    }

    /// Whether the other side closes the connection, without another byte, before the deadline.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.reader.read(&mut [0; 1]), Ok(0) | Err(_))
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
        Some(line.trim_end().to_owned())
    }
}

/// A connection from `source`.
pub fn dial(source: [u8; 4], address: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind(&socket, &SocketAddr::from((source, 0)))?;
    connect(&socket, &address)?;
    Ok(socket.into())
}

/// One request over a connection of its own.
pub fn ask(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    Asker::new(address).ask(method, path, &[headers, &[("Connection", "close")]].concat(), body)
}

/// `GET` with a token; an empty one is left out.
pub fn get(address: SocketAddr, path: &str, token: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers: &[(&str, &str)] = if token.is_empty() { &[] } else { &[("Authorization", &bearer)] };
    ask(address, "GET", path, headers, b"")
}

impl Daemon {
    /// Waits until it is ready, and gives the address of its HTTP listener.
    pub fn ready_web(&mut self) -> SocketAddr {
        let line = self.wait_line("ready: ");
        let after = line.split("HTTP at ").nth(1).unwrap_or_else(|| panic!("no HTTP in {line:?}"));
        after.split([' ', ',', ';']).next().and_then(|word| word.parse().ok()).unwrap()
    }
}
