//! A real SMTP server (aiosmtpd), and Python's e-mail parser for what it stored.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use interrupt_callback::alert::Form;
use interrupt_callback::alert::Verdict;
use interrupt_callback::alert::channel::ChannelState;
use interrupt_callback::event::{Event, Fact, Field, Id, Kind, Moment};
use interrupt_callback::fetch::{root_is_usable, roots::CaFile};
use serde_json::{Value, json};

use super::{PASSWORD, attempt, mail, once};
use crate::channels::sheet::{NOW, class, message, notice};
use crate::common::{SOON, TempDir};

/// A Python that has aiosmtpd: that of `IC_PYTHON`, or the usual one.
fn python() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("IC_PYTHON").unwrap_or_else(|| "python3".into()));
    let output = Command::new(&python).args(["-c", "import aiosmtpd"]).stdin(Stdio::null()).output();
    let why = match output {
        Ok(output) if output.status.success() => return Some(python),
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(std::env::var_os("IC_NO_SKIP").is_none(), "no Python with aiosmtpd: {why}");
    eprintln!("SKIPPED: no mail goes to a real server; pip install aiosmtpd, and name its Python in IC_PYTHON: {why}");
    None
}

struct Server {
    child: Child,
    port: u16,
    lines: Receiver<String>,
}

impl Server {
    /// `None` without the means.
    fn start(plan: &Value) -> Option<Server> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/channels/smtp.py");
        let mut command = Command::new(python()?);
        command.arg(script).arg(plan.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        let port = lines.recv_timeout(SOON).unwrap().parse().unwrap();
        Some(Server { child, port, lines })
    }

    /// The next message it stored.
    fn stored(&self) -> Value {
        let line = self.lines.recv_timeout(SOON).unwrap();
        let stored: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(stored["defects"], json!([]), "{stored:#}");
        assert_eq!(stored["types"], json!(["multipart/alternative", "text/plain", "text/html"]));
        stored
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn header<'a>(stored: &'a Value, name: &str) -> &'a str {
    let headers = stored["headers"].as_array().unwrap();
    let mut found = headers.iter().filter(|header| header[0] == name);
    let value = found.next().unwrap_or_else(|| panic!("no {name} in {headers:?}"))[1].as_str().unwrap();
    assert!(found.next().is_none(), "{name} is there twice: {headers:?}");
    value
}

/// An authority of the test's own, and certificates by it.
struct Authority(TempDir);

impl Authority {
    fn new() -> Authority {
        let authority = Authority(TempDir::new());
        let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test \
                   -addext basicConstraints=critical,CA:TRUE -keyout ca.key -out ca.pem";
        authority.openssl(new);
        authority
    }

    fn openssl(&self, words: &str) {
        let output =
            Command::new("openssl").args(words.split_whitespace()).current_dir(self.0.path()).output().unwrap();
        assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn path(&self) -> PathBuf {
        self.0.join("ca.pem")
    }

    /// A certificate for `host`, good for `days` from now on, and its key.
    fn issue(&self, host: &str, days: i32) -> (PathBuf, PathBuf) {
        let name = format!("{host}{days}");
        let extensions = format!("subjectAltName=DNS:{host}\nextendedKeyUsage=serverAuth\n");
        std::fs::write(self.0.join(format!("{name}.ext")), extensions).unwrap();
        self.openssl(&format!(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=server -keyout {name}.key -out {name}.csr"
        ));
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days {days} -extfile {name}.ext -out {name}.pem"
        ));
        (self.0.join(format!("{name}.pem")), self.0.join(format!("{name}.key")))
    }
}

fn with_tls(security: &str, (cert, key): &(PathBuf, PathBuf), more: &Value) -> Option<Server> {
    let mut plan = json!({"security": security, "cert": cert, "key": key});
    plan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Server::start(&plan)
}

fn login(password: &str) -> String {
    format!("to = [\"a@example.com\", \"b@example.com\"]\nuser = \"me@example.com\"\npassword = {password:?}")
}

fn trusted(path: &Path) -> CaFile {
    CaFile::read(path.to_owned(), root_is_usable).unwrap()
}

fn trusting(server: &Server, security: &str, more: &str, ca: &Path) -> interrupt_callback::config::plan::ChannelPlan {
    let mut plan = mail(server.port, security, more);
    plan.ca_file = Some(trusted(ca));
    plan
}

#[test]
fn mail_arrives_encrypted_and_after_a_login() {
    let authority = Authority::new();
    let certificate = authority.issue("localhost", 1);
    for (security, only) in [("tls", ""), ("tls", "LOGIN"), ("starttls", ""), ("starttls", "LOGIN")] {
        let more = json!({"user": "me@example.com", "password": PASSWORD, "only": only});
        let Some(server) = with_tls(security, &certificate, &more) else { return };
        let plan = trusting(&server, security, &login(PASSWORD), &authority.path());
        assert_eq!(once(&plan), Verdict::Delivered, "{security} {only}");
        let stored = server.stored();
        // The server counts only what began in the clear.
        assert!(stored["tls"] == true || security == "tls", "{stored:#}");
        assert_eq!(stored["user"], "me@example.com");
        assert_eq!(stored["from"], "ic@example.com");
        assert_eq!(stored["to"], json!(["a@example.com", "b@example.com"]));
        assert_eq!(header(&stored, "To"), "a@example.com, b@example.com");
        assert_eq!(header(&stored, "From"), "Watch 失联 <ic@example.com>");
        assert_eq!(header(&stored, "Auto-Submitted"), "auto-generated");
        assert_eq!(header(&stored, "Message-ID"), "<3fa2000000000001@example.com>");
        assert_eq!(header(&stored, "References"), "<incident.000000000000abcd@example.com>");
        assert!(header(&stored, "Date").contains(" +0000"), "{stored:#}");
        let verdict = once(&trusting(&server, security, &login("wrong-password"), &authority.path()));
        let Verdict::Broken(why) = &verdict else { panic!("{verdict:?}") };
        assert!(why.starts_with("localhost: 535 ") && why.contains("authorisation code"), "{why}");
    }
}

#[test]
fn a_certificate_must_be_right() {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = authority.issue("localhost", 1);
    let expired = authority.issue("localhost", -1);
    let elsewhere = authority.issue("mail.example.com", 1);
    for security in ["tls", "starttls"] {
        for (certificate, ca, expected) in [
            (&good, Some(&authority), "delivered"),
            (&good, Some(&other), "unknown"),
            // Mozilla's authorities.
            (&good, None, "unknown"),
            (&expired, Some(&authority), "unknown"),
            (&elsewhere, Some(&authority), "unknown"),
        ] {
            let Some(server) = with_tls(security, certificate, &json!({})) else { return };
            let mut plan = trusting(&server, security, "to = [\"a@example.com\"]", &authority.path());
            plan.ca_file = ca.map(|ca| trusted(&ca.path()));
            let verdict = once(&plan);
            assert_eq!(class(&verdict), expected, "{security} {certificate:?}: {verdict:?}");
            if let Verdict::Retry { why, channel, sent, .. } = verdict {
                assert!(why.contains("certificate") && channel && !sent, "{why}");
                assert!(server.lines.try_recv().is_err(), "nothing was stored");
            }
        }
    }
}

#[test]
fn greylisting_passes_and_nobody_is_told_of() {
    let Some(server) = Server::start(&json!({"security": "none"})) else { return };
    let plan = mail(server.port, "none", "to = [\"grey@example.com\", \"a@example.com\", \"nobody@example.com\"]");
    let mut state = ChannelState::default();
    let verdict = attempt(&plan, &notice("web-1@vm"), &mut state);
    assert_eq!(class(&verdict), "message", "{verdict:?}");
    assert_eq!(server.stored()["to"], json!(["a@example.com"]));
    assert_eq!(attempt(&plan, &notice("web-1@vm"), &mut state), Verdict::Delivered);
    assert_eq!(server.stored()["to"], json!(["grey@example.com"]));
    let verdict = once(&mail(server.port, "none", "to = [\"nobody@example.com\"]"));
    assert_eq!(verdict, Verdict::Broken("localhost: 550 5.1.1 no such user (nobody@example.com)".to_owned()));
}

/// Whatever stands in names and messages, a reader sees it as text.
#[test]
fn hostile_text_arrives_as_text() {
    let Some(server) = Server::start(&json!({"security": "none"})) else { return };
    let markup = "</b></td><script>alert(1)</script>&amp;\"'<img src=x onerror=y>";
    let long = "失联<b>".repeat(13_000);
    for hostile in [
        "web-1",
        "",
        ".",
        "=?UTF-8?Q?Bcc=3A_x?=",
        "--=_alternative--",
        "quote\" 'and\\ back",
        "line\r\nBcc: evil@example.com\r\n\r\n.\r\nQUIT\r\n",
        "\u{202e}bidi\u{2066}\u{7f}\0",
        markup,
        &long,
    ] {
        let deadline = Moment::at_wall(NOW.wall, &NOW);
        let event = Event::new(Kind::Interrupt, Id(0xabcd), hostile, Moment::at(NOW.tick, &NOW))
            .with(Field::Deadline, Fact::Time(deadline))
            .with_text(Field::Reason, hostile);
        let mut plan = mail(server.port, "none", "to = [\"a@example.com\"]");
        plan.prefix = hostile.chars().take(20).collect();
        for form in [Form::One, Form::Minimal] {
            let message = interrupt_callback::alert::Message { form, ..message(event.clone()) };
            assert_eq!(attempt(&plan, &message, &mut ChannelState::default()), Verdict::Delivered);
            let stored = server.stored();
            let allowed = ["html", "head", "meta", "body", "div", "br", "table", "tr", "td"];
            let tags = stored["tags"].as_array().unwrap();
            assert!(tags.iter().all(|tag| allowed.iter().any(|known| tag == known)), "{tags:?}");
            assert_eq!(stored["headers"].as_array().unwrap().len(), 10, "{stored:#}");
            let subject = header(&stored, "Subject");
            assert_eq!(stored["title"].as_str().unwrap().trim(), subject.trim(), "{stored:#}");
            let shown: String = hostile.chars().take_while(|c| c.is_alphanumeric()).take(5).collect();
            assert!(subject.contains(&shown), "{subject}");
            let text = stored["text"].as_str().unwrap();
            assert!(text.len() < 5000 && subject.len() < 2000, "{stored:#}");
            assert!(
                !format!("{subject}{}", text.replace("\r\n", "").replace('\n', "")).chars().any(char::is_control),
                "{stored:#}"
            );
            let mut lines = Vec::new();
            for row in stored["rows"].as_array().unwrap() {
                let cells: Vec<&str> = row.as_array().unwrap().iter().map(|cell| cell.as_str().unwrap()).collect();
                lines.push(cells.join(": "));
            }
            match form {
                // The barest form is its title alone.
                Form::Minimal => assert!(lines.is_empty() && text.trim() == subject.trim(), "{stored:#}"),
                _ => {
                    assert_eq!(lines, text.trim_end().lines().collect::<Vec<_>>(), "the table says what the text says")
                }
            }
            if hostile == markup && form == Form::One {
                assert!(text.contains(markup) && stored["styles"].to_string().contains("#FF3333"), "{stored:#}");
            }
        }
    }
}
