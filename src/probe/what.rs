//! What a probe looks at.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::plan::RunPlan;
use crate::config::url::split_port;
use crate::fetch::host_of;
use crate::fetch::roots::CaFile;
use crate::probe::look::file::FileRules;
use crate::probe::look::process::Which;
use crate::secret::Secret;

/// What is looked at, and how.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What {
    /// A TCP connection can be made.
    Tcp {
        /// The host: a name or an address without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// An address answers over HTTP.
    Http(Box<HttpLook>),
    /// A name has addresses.
    Dns(DnsLook),
    /// A host answers to pings.
    Icmp {
        /// The host: a name or an address without brackets.
        host: String,
    },
    /// A process runs.
    Process(Which),
    /// A file is as it should be.
    File {
        /// Where.
        path: PathBuf,
        /// What it has to be.
        rules: FileRules,
    },
    /// A program says so by its exit code.
    Run(RunPlan),
}

/// A request, and what its answer must be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpLook {
    /// The address. Not shown but for its host.
    pub url: Secret,
    /// `GET`, …
    pub method: &'static str,
    /// What is sent besides.
    pub headers: Vec<(String, Secret)>,
    /// Good statuses, each from the first to the second.
    pub status: Vec<(u16, u16)>,
    /// What stands in the first 64 KiB of the body; empty for anything.
    pub contains: String,
    /// A header of the answer, and a part of its value.
    pub header: Option<(String, String)>,
    /// The whole exchange takes no longer.
    pub max_latency: Option<Duration>,
    /// What to go through, if not `""`. The environment's proxies do not count: a probe looks from this host.
    pub proxy: Option<Secret>,
    /// Who is trusted in place of the usual roots.
    pub ca_file: Option<CaFile>,
    /// The certificate is not verified.
    pub insecure: bool,
    /// The certificate must be good for so many days yet.
    pub cert_days: Option<u32>,
}

/// A name, and what it must come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DnsLook {
    /// The name.
    pub name: String,
    /// Who is asked; `None` for whom the system asks.
    pub server: Option<SocketAddr>,
    /// What is asked for; `None`: what the system asks for, or `A` of a server.
    pub record: Option<Record>,
    /// If not empty, all addresses that the answer may hold.
    pub expect: Vec<IpAddr>,
}

/// A kind of address of a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Record {
    /// IPv4.
    A,
    /// IPv6.
    Aaaa,
}

impl What {
    /// Its name in the file: `tcp`, …
    pub fn kind(&self) -> &'static str {
        match self {
            What::Tcp { .. } => "tcp",
            What::Http(_) => "http",
            What::Dns(_) => "dns",
            What::Icmp { .. } => "icmp",
            What::Process(Which::Name(_)) => "process",
            What::Process(Which::PidFile(_)) => "pid_file",
            What::File { .. } => "file",
            What::Run(_) => "run",
        }
    }

    /// Whom it connects to, if it does: host and port.
    pub fn address(&self) -> Option<(&str, u16)> {
        match self {
            What::Tcp { host, port } => Some((host, *port)),
            What::Http(http) => {
                let (url, tls) = (http.url.reveal(), http.url.reveal().get(..5)?.eq_ignore_ascii_case("https"));
                let (host, port) = split_port(host_of(url)).ok()?;
                Some((host, port.unwrap_or(if tls { 443 } else { 80 })))
            }
            _ => None,
        }
    }

    /// What it looks at, for people: of a URL no more than the host.
    pub fn target(&self) -> String {
        match self {
            What::Tcp { host, port } => place(host, *port),
            What::Http(http) => host_of(http.url.reveal()).to_owned(),
            What::Dns(dns) => match &dns.server {
                Some(server) => [&dns.name, " @", &server.to_string()].concat(),
                None => dns.name.clone(),
            },
            What::Icmp { host } => host.clone(),
            What::Process(Which::Name(name)) => name.clone(),
            What::Process(Which::PidFile(path)) | What::File { path, .. } => path.to_string_lossy().into_owned(),
            // Not its arguments: there may be secrets among them.
            What::Run(plan) => plan.argv.first().cloned().unwrap_or_default(),
        }
    }
}

/// `host:port`, in brackets what would read like a part of it.
fn place(host: &str, port: u16) -> String {
    let [open, close] = if host.contains(':') { ["[", "]"] } else { ["", ""] };
    [open, host, close, ":", &port.to_string()].concat()
}
