//! A scripted SMTP server that remembers what it was told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::SOON;

/// What stands for the beginning of TLS among the commands.
pub const HANDSHAKE: &str = "(handshake)";

/// What to answer.
#[derive(Clone, Debug)]
pub enum Say {
    /// These lines.
    Text(String),
    /// Line by line the usual offer, with these besides.
    Offer(&'static str),
    /// What is usual.
    Usual,
    /// One byte and again one byte, without an end.
    Drip,
    /// The beginning of a handshake of TLS, and then one byte and again one byte.
    DripTls,
    /// Lines that say that more lines follow, without an end.
    Endless,
    /// Nothing, for ever.
    Hang,
    /// Closes the connection.
    Drop,
}

pub fn say(text: &str) -> Say {
    Say::Text(text.to_owned())
}

type Script = Box<dyn FnMut(&str) -> Say + Send>;

/// The server. It ends with the test process.
pub struct FakeSmtp {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl FakeSmtp {
    /// `script` gets each command; the empty one is a new connection, `.` a whole message, and
    /// [`HANDSHAKE`] what follows a `220 go` to STARTTLS.
    pub fn start(script: impl FnMut(&str) -> Say + Send + 'static) -> FakeSmtp {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let inside = heard.clone();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (heard, script) = (inside.clone(), script.clone());
                std::thread::spawn(move || serve(&stream, &heard, &script));
            }
        });
        FakeSmtp { address, heard }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All commands so far, and the messages.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// The messages among them.
    pub fn letters(&self) -> Vec<String> {
        self.heard().into_iter().filter(|heard| heard.contains("\r\n\r\n")).collect()
    }
}

fn serve(stream: &TcpStream, heard: &Mutex<Vec<String>>, script: &Mutex<Script>) {
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut reader = BufReader::new(stream);
    let mut command = String::new();
    loop {
        let answer = script.lock().unwrap()(&command);
        let code = if command == "DATA" { "354" } else { "250" };
        let text = match answer {
            Say::Text(text) => text,
            Say::Offer(more) => ["250-fake\r\n250-8BITMIME\r\n250-", more, "\r\n250 SIZE 100000"].concat(),
            Say::Usual => match &*command {
                "" => "220 fake ESMTP".to_owned(),
                "QUIT" => "221 bye".to_owned(),
                _ => [code, " ok"].concat(),
            },
            Say::Drip => return forever(stream, b"2"),
            Say::DripTls => {
                // A record of 16 KiB, in which the server's first message has as many.
                let _ = { stream }.write_all(&[22, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0xf0]);
                return forever(stream, &[3]);
            }
            Say::Endless => return forever(stream, b"250-and so on\r\n"),
            Say::Hang => {
                let _ = reader.read_to_end(&mut Vec::new());
                return;
            }
            Say::Drop => return,
        };
        let mut out = stream;
        if out.write_all([&text, "\r\n"].concat().as_bytes()).is_err() || command == "QUIT" {
            return;
        }
        let letter = command == "DATA" && text.starts_with("354");
        let read = if letter {
            read_letter(&mut reader)
        } else if command == "STARTTLS" && text == "220 go" {
            read_handshake(&mut reader)
        } else {
            read_line(&mut reader)
        };
        let Some(line) = read else { return };
        heard.lock().unwrap().push(line.clone());
        command = if letter { ".".to_owned() } else { line };
    }
}

fn forever(mut stream: &TcpStream, bytes: &[u8]) {
    while stream.write_all(bytes).is_ok() {
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

fn read_line(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
    Some(line.trim_end().to_owned())
}

/// What a client says first in TLS holds no line.
fn read_handshake(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let read = reader.fill_buf().ok().map(<[u8]>::len).filter(|len| *len > 0)?;
    reader.consume(read);
    Some(HANDSHAKE.to_owned())
}

fn read_letter(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut letter = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
        if line == ".\r\n" {
            return Some(letter);
        }
        letter.push_str(&line);
    }
}
