//! The metadata service of a cloud on your own machine: quiet at first, then a notice, and withdrawn again if you
//! like. `cargo run --example mock-cloud -- --cloud alicloud --after 30s`; it prints what to write into the file of
//! the daemon.

#![expect(clippy::disallowed_methods, clippy::print_stdout, reason = "a tool for a terminal, not a daemon")]

mod clouds;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clouds::{CLOUDS, Kind, Request, Response, Script};
use interrupt_callback::config::units::parse_span;

const HELP: &str = "\
Usage: mock-cloud --cloud NAME [OPTIONS]

  --cloud NAME     alicloud, tencentcloud, aws, googlecloud, azure, huaweicloud or volcengine
  --after TIME     from the start to the notice (30s)
  --withdraw TIME  from the notice to its end (never)
  --lead TIME      from the notice to its time (what the cloud gives)
  --kind KIND      interrupt, rebalance (aws) or maintenance (aws, googlecloud, azure)
  --hardened       refuse requests without a token (alicloud, aws, huaweicloud)
  --error STATUS   answer everything with this status, such as 500
  --slow TIME      wait so long in the middle of every body
  --listen ADDR    where to listen (127.0.0.1:1338); port 0 for any
";

/// A request is read in this time, or not at all.
const PATIENCE: Duration = Duration::from_secs(10);
/// Header lines of a request.
const MAX_LINES: usize = 64;
/// Bytes of a line of a request, and of its body.
const MAX_BYTES: u64 = 16 * 1024;

struct Mock {
    script: Script,
    slow: Duration,
    listen: String,
    begun: Instant,
    start: i64,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.is_empty() || args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match parse(&args).and_then(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("mock-cloud: {why}");
            ExitCode::FAILURE
        }
    }
}

fn parse(args: &[String]) -> Result<Mock, String> {
    let span = |text: &str| match text.parse() {
        Ok(seconds) => Ok(Duration::from_secs(seconds)),
        Err(_) => parse_span(text).map_err(|why| format!("{text} {why}")),
    };
    let (mut cloud, mut kind, mut after, mut withdraw) = (None, Kind::Interrupt, Duration::from_secs(30), None);
    let (mut lead, mut hardened, mut error, mut slow) = (None, false, None, Duration::ZERO);
    let mut listen = "127.0.0.1:1338".to_owned();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
        match arg.as_str() {
            "--cloud" => {
                let name = value()?;
                let known = CLOUDS.iter().find(|cloud| cloud.name.eq_ignore_ascii_case(name));
                cloud = Some(known.ok_or_else(|| format!("unknown cloud {name}"))?);
            }
            "--kind" => {
                kind = match value()?.as_str() {
                    "interrupt" => Kind::Interrupt,
                    "rebalance" => Kind::Rebalance,
                    "maintenance" => Kind::Maintenance,
                    other => return Err(format!("unknown kind {other}")),
                }
            }
            "--after" => after = span(value()?)?,
            "--withdraw" => withdraw = Some(span(value()?)?),
            "--lead" => lead = Some(span(value()?)?),
            "--hardened" => hardened = true,
            "--error" => error = Some(value()?.parse().map_err(|_| "--error needs a status".to_owned())?),
            "--slow" => slow = span(value()?)?,
            "--listen" => value()?.clone_into(&mut listen),
            other => return Err(format!("unknown option {other}; see --help")),
        }
    }
    let cloud = cloud.ok_or("--cloud is missing")?;
    let script = Script { cloud, kind, after, withdraw, lead: lead.unwrap_or(cloud.lead), hardened, error };
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(Mock { script, slow, listen, begun: Instant::now(), start: i64::try_from(start).unwrap_or(0) })
}

fn serve(mock: Mock) -> Result<(), String> {
    let listener = TcpListener::bind(&mock.listen).map_err(|error| format!("{}: {error}", mock.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    println!("{} as it is at {}; write into the daemon's file:\n", mock.script.cloud.name, mock.script.cloud.address);
    println!("provider = \"{}\"\n[spot]\nendpoint = \"http://{address}\"\n", mock.script.cloud.name);
    let mock: &'static Mock = Box::leak(Box::new(mock));
    std::thread::spawn(|| tell(mock));
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || mock.talk(&stream));
    }
    Ok(())
}

/// Prints what happens when.
fn tell(mock: &Mock) {
    let say = |what: &str| println!("{:>6.1} s  {what}", mock.begun.elapsed().as_secs_f32());
    say("quiet");
    std::thread::sleep(mock.script.after.saturating_sub(mock.begun.elapsed()));
    say("notice");
    if let Some(withdraw) = mock.script.withdraw {
        std::thread::sleep((mock.script.after + withdraw).saturating_sub(mock.begun.elapsed()));
        say("withdrawn");
    }
}

impl Mock {
    fn talk(&self, stream: &TcpStream) {
        let timeouts = stream.set_read_timeout(Some(PATIENCE)).and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        let Some(request) = timeouts.ok().and_then(|()| read(stream)) else { return };
        let response = self.answer(&request);
        println!(
            "{:>6.1} s  {} {}{}{}: {}",
            self.begun.elapsed().as_secs_f32(),
            request.method,
            request.path,
            if request.query.is_empty() { "" } else { "?" },
            request.query,
            response.status
        );
        let mut head = format!(
            "HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n",
            response.status,
            response.body.len()
        );
        for (name, value) in &response.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let half = response.body.len() / 2;
        let (first, second) = response.body.as_bytes().split_at(half);
        let mut out = stream;
        // Who does not wait for it has had enough.
        let _ = out.write_all(&[head.as_bytes(), first].concat()).and_then(|()| {
            std::thread::sleep(self.slow);
            out.write_all(second)
        });
    }

    /// The answer; held back until it changes if the request asks for that.
    fn answer(&self, request: &Request) -> Response {
        const LOOK: Duration = Duration::from_millis(50);
        let asked = Instant::now();
        let hold =
            request.query("timeout_sec").and_then(|text| text.parse().ok()).map_or(Duration::ZERO, Duration::from_secs);
        let waits = request.query("wait_for_change") == Some("true");
        loop {
            let response = self.script.answer(request, self.start, self.begun.elapsed());
            let same = response
                .headers
                .iter()
                .any(|(name, value)| *name == "ETag" && request.query("last_etag").is_none_or(|last| last == value));
            if !waits || !same || asked.elapsed() >= hold {
                return response;
            }
            std::thread::sleep(LOOK);
        }
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream).take(MAX_BYTES);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request { method, path: path.to_owned(), query: query.to_owned(), headers: Vec::new() };
    for _ in 0..MAX_LINES {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some(request)
}
