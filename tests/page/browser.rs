//! A real Chromium, spoken to over its debugging pipe: JSON with a zero byte behind it, both ways.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::common::TempDir;

/// For a whole command: a picture of a long page takes its time on a busy machine.
const LONG: Duration = Duration::from_secs(120);
/// Names of the program.
const NAMES: [&str; 5] =
    ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The browser: that of `IC_CHROMIUM`, or one in the path.
pub fn find() -> Option<OsString> {
    let named = std::env::var_os("IC_CHROMIUM").filter(|name| !name.is_empty());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let known = || NAMES.iter().find(|name| std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    named.or_else(|| known().map(OsString::from))
}

/// A tab of a running browser, which ends with it.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Value>,
    events: VecDeque<Value>,
    session: String,
    number: u64,
    _profile: TempDir,
}

impl Browser {
    pub fn start(program: &OsString) -> Browser {
        let profile = TempDir::new();
        let profile_arg = format!("--user-data-dir={}", profile.path().display());
        // The pipe is at its descriptors 3 and 4.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1"])
            .arg(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"])
            .args(["--no-first-run", "--disable-background-networking", "--remote-debugging-pipe", &profile_arg])
            .arg("about:blank")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (to, mut out) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let (send, from) = channel();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            while out.read_until(0, &mut bytes).is_ok_and(|read| read > 0) {
                bytes.pop();
                let Ok(value) = serde_json::from_slice(&bytes) else { break };
                if send.send(value).is_err() {
                    break;
                }
                bytes.clear();
            }
        });
        let (events, session) = (VecDeque::new(), String::new());
        let mut browser = Browser { child, to, from, events, session, number: 0, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let params = json!({"targetId": target["targetId"], "flatten": true});
        browser.session = browser.call("Target.attachToTarget", &params)["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Network", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser
    }

    /// One command and its result.
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.number += 1;
        let mut message = json!({"id": self.number, "method": method, "params": params});
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        let mut bytes = serde_json::to_vec(&message).unwrap();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        loop {
            let value = self.hear(method);
            if value["id"] == self.number {
                assert!(value["error"].is_null(), "{method}: {}", value["error"]);
                return value["result"].clone();
            }
            self.events.push_back(value);
        }
    }

    fn hear(&self, what: &str) -> Value {
        self.from.recv_timeout(LONG).unwrap_or_else(|why| panic!("the browser says nothing to {what}: {why}"))
    }

    /// Loads a page and waits until it is there.
    pub fn open(&mut self, url: &str) {
        self.events.clear();
        self.call("Page.navigate", &json!({"url": url}));
        let until = Instant::now() + LONG;
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            assert!(Instant::now() < until, "{url} does not load: {:?}", self.events);
            let event = self.hear(url);
            self.events.push_back(event);
        }
    }

    /// Waits until the page has loaded itself anew.
    pub fn again(&mut self) {
        self.events.clear();
        let until = Instant::now() + LONG;
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            assert!(Instant::now() < until, "it does not load itself anew: {:?}", self.events);
            let event = self.hear("the page");
            self.events.push_back(event);
        }
    }

    /// A window of that width, in that scheme of colours, on a medium.
    pub fn look(&mut self, width: u32, scheme: &str, medium: &str) {
        let params = json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500});
        self.call("Emulation.setDeviceMetricsOverride", &params);
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", &json!({"media": medium, "features": features}));
    }

    /// The value of a JavaScript expression; a promise is waited for.
    pub fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", &params);
        assert!(result["exceptionDetails"].is_null(), "{expression:.200}: {}", result["exceptionDetails"]);
        result["result"]["value"].clone()
    }

    /// A picture of the whole page.
    pub fn picture(&mut self, file: &Path) {
        let size = self.value("[innerWidth, Math.min(6000, document.documentElement.scrollHeight)]");
        let clip = json!({"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": 1});
        let params = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let picture = self.call("Page.captureScreenshot", &params);
        let bytes = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        assert!(bytes.len() > 5000, "an empty picture: {} bytes", bytes.len());
        std::fs::write(file, bytes).unwrap();
    }

    /// Addresses that were asked for since the page was opened.
    pub fn requests(&self) -> Vec<String> {
        let asked = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        asked.map(|event| event["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    /// What the browser complained of since then: refused styles, errors of scripts, pages that do not load.
    pub fn complaints(&self) -> Vec<String> {
        let bad = ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Network.loadingFailed"];
        let is_bad = |event: &&Value| bad.iter().any(|method| event["method"] == *method);
        self.events.iter().filter(is_bad).map(|event| event["params"].to_string()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the rules of accessibility come from, axe-core: the file of `IC_AXE`.
pub fn axe() -> Option<String> {
    let file = PathBuf::from(std::env::var_os("IC_AXE").filter(|name| !name.is_empty())?);
    Some(std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("IC_AXE: {}: {error}", file.display())))
}
