//! A server that answers each connection by a script, for tests at the socket.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use interrupt_callback::run::threads::{HTTP_STACK, spawn};

/// No test waits longer than this for anything.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A running fake: where it is, and the requests it has read.
pub struct Fake {
    pub addr: SocketAddr,
    pub requests: Receiver<String>,
}

impl Fake {
    /// Answers every connection with `script`, which gets the request's head and the connection.
    pub fn start(mut script: impl FnMut(&str, &mut TcpStream) + Send + 'static) -> Fake {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let (told, requests) = sync_channel(4096);
        spawn("fake", HTTP_STACK, move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                let head = read_head(&mut stream);
                if told.try_send(head.clone()).is_err() {
                    return;
                }
                script(&head, &mut stream);
            }
        })
        .unwrap();
        Fake { addr, requests }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    pub fn base(&self) -> String {
        self.url("")
    }
}

fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && head.len() < 64 * 1024 && matches!(stream.read(&mut byte), Ok(1)) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Writes an answer; errors do not matter, the client may have gone.
pub fn answer(stream: &mut TcpStream, status: u16, body: &str) {
    let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    drop(stream.write_all(text.as_bytes()));
}

/// Waits until the other side has closed the connection.
pub fn until_closed(stream: &mut TcpStream) {
    let mut sink = [0; 256];
    while matches!(stream.read(&mut sink), Ok(n) if n > 0) {}
}

/// Writes `piece` every `pause` until the other side has closed the connection.
pub fn drip(stream: &mut TcpStream, piece: &[u8], pause: Duration) {
    stream.set_read_timeout(Some(pause)).unwrap();
    let mut sink = [0; 256];
    while stream.write_all(piece).is_ok() {
        match stream.read(&mut sink) {
            Ok(0) => return,
            Err(e) if !matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut) => return,
            _ => {}
        }
    }
}
