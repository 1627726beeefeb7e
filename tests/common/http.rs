//! A fake HTTP service with scripted answers that remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::SOON;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    pub at: Instant,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Asked {
    /// Whether this webhook message tells of `kind` happening to `subject`, by itself or among others.
    pub fn tells(&self, kind: &str, subject: &str) -> bool {
        let message = self.json();
        let told = |event: &serde_json::Value| event["kind"] == kind && event["subject"] == subject;
        told(&message) || message["members"].as_array().is_some_and(|members| members.iter().any(told))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// What to answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Status, header lines, body.
    Say(u16, Vec<&'static str>, Vec<u8>),
    /// Exactly these bytes.
    Raw(Vec<u8>),
    /// One byte a second, for ever.
    Drip,
    /// Nothing, for ever.
    Hang,
    /// Closes the connection.
    Drop,
}

impl Answer {
    pub fn ok(body: &str) -> Answer {
        Answer::status(200, body)
    }

    pub fn status(status: u16, body: &str) -> Answer {
        Answer::Say(status, Vec::new(), body.into())
    }
}

type Script = Box<dyn FnMut(&Asked) -> Answer + Send>;

struct Shared {
    script: Mutex<Script>,
    asked: Mutex<Vec<Asked>>,
    news: Condvar,
}

/// The service. It ends with the test process.
pub struct FakeHttp {
    shared: Arc<Shared>,
    address: SocketAddr,
}

impl FakeHttp {
    pub fn start(script: impl FnMut(&Asked) -> Answer + Send + 'static) -> FakeHttp {
        FakeHttp::start_at("127.0.0.1:0".parse().unwrap(), script)
    }

    /// The same at an address of the test's choice.
    pub fn start_at(address: SocketAddr, script: impl FnMut(&Asked) -> Answer + Send + 'static) -> FakeHttp {
        super::many_descriptors();
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            asked: Mutex::new(Vec::new()),
            news: Condvar::new(),
        });
        let inside = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inside = inside.clone();
                std::thread::spawn(move || serve(&stream, &inside));
            }
        });
        FakeHttp { shared, address }
    }

    /// A Feishu bot that takes everything.
    pub fn feishu() -> FakeHttp {
        FakeHttp::start(|_| Answer::ok(r#"{"code":0,"msg":"success","data":{}}"#))
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers differently from now on.
    pub fn set(&self, script: impl FnMut(&Asked) -> Answer + Send + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
    }

    /// All that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap().clone()
    }

    /// Waits until `count` requests satisfy `which` and returns those.
    pub fn wait(&self, count: usize, which: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        let until = Instant::now() + SOON;
        let mut asked = self.shared.asked.lock().unwrap();
        loop {
            let found: Vec<Asked> = asked.iter().filter(|asked| which(asked)).cloned().collect();
            if found.len() >= count {
                return found;
            }
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "waited in vain for {count} requests; {} of these came: {asked:#?}", found.len());
            asked = self.shared.news.wait_timeout(asked, left).unwrap().0;
        }
    }

    /// Waits for the next `count` posts.
    pub fn posts(&self, count: usize) -> Vec<Asked> {
        self.wait(count, |asked| asked.method == "POST")
    }
}

fn serve(stream: &TcpStream, shared: &Shared) {
    stream.set_read_timeout(Some(SOON)).unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read_request(&mut reader) {
        let answer = {
            let mut script = shared.script.lock().unwrap();
            script(&asked)
        };
        shared.asked.lock().unwrap().push(asked);
        shared.news.notify_all();
        let mut out = stream;
        match answer {
            Answer::Say(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for line in headers {
                    head.push_str(line);
                    head.push_str("\r\n");
                }
                head.push_str("\r\n");
                if out.write_all(&[head.as_bytes(), &body].concat()).is_err() {
                    return;
                }
            }
            Answer::Raw(bytes) => {
                let _ = out.write_all(&bytes);
                return;
            }
            Answer::Drip => {
                let _ = out.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 1000\r\n\r\n");
                while out.write_all(b"2").is_ok() {
                    std::thread::park_timeout(Duration::from_secs(1));
                }
                return;
            }
            Answer::Hang => {
                let mut rest = Vec::new();
                let _ = reader.read_to_end(&mut rest);
                return;
            }
            Answer::Drop => return,
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|len| *len > 0)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap_or(0))];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { at: Instant::now(), method, path, headers, body })
}
