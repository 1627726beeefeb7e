//! What the file says of looks.

use std::time::Duration;

use interrupt_callback::probe::what::{HttpLook, What};

use super::{read, what};

fn http(lines: &str) -> HttpLook {
    match what(lines) {
        What::Http(http) => *http,
        other => panic!("{lines}: {other:?}"),
    }
}

#[test]
fn every_way_to_write_a_place() {
    for (text, host, port, shown) in [
        ("127.0.0.1:22", "127.0.0.1", 22, "127.0.0.1:22"),
        ("nas.lan:65535", "nas.lan", 65535, "nas.lan:65535"),
        ("[::1]:443", "::1", 443, "[::1]:443"),
    ] {
        let found = what(&format!("tcp = \"{text}\"\n"));
        assert_eq!(found, What::Tcp { host: host.to_owned(), port });
        assert_eq!((found.kind(), found.target().as_str()), ("tcp", shown));
    }
}

#[test]
fn whom_it_connects_to_is_known() {
    for (lines, want) in [
        ("tcp = \"[::1]:9\"\n", Some(("::1", 9))),
        ("http = \"http://h.example/x\"\n", Some(("h.example", 80))),
        ("http = \"https://h.example:8443?x\"\n", Some(("h.example", 8443))),
        ("http = \"HTTPS://[2001:db8::1]\"\n", Some(("2001:db8::1", 443))),
        ("icmp = \"h.example\"\n", None),
        ("dns = \"h.example\"\n", None),
    ] {
        assert_eq!(what(lines).address(), want, "{lines}");
    }
}

#[test]
fn a_request_unless_told_otherwise() {
    let plan = http("http = \"https://status.example.com:8443/health?key=planted-hook-token\"\n");
    assert_eq!((plan.method, plan.status.as_slice()), ("GET", [(200, 399)].as_slice()));
    assert!(plan.contains.is_empty() && plan.header.is_none() && plan.max_latency.is_none() && !plan.insecure);
    let what = What::Http(Box::new(plan));
    assert_eq!((what.kind(), what.target().as_str()), ("http", "status.example.com:8443"));
    assert!(!format!("{what:?}").contains("planted"), "{what:?}");
}

#[test]
fn a_request_with_everything() {
    let plan = http(
        "http = { env = \"PLANTED\" }\n".replace("{ env = \"PLANTED\" }", "\"https://h.example/ok page\"").as_str(),
    );
    assert_eq!(plan.url.reveal(), "https://h.example/ok%20page");
    let plan = http(
        "http = \"https://h.example\"\nmethod = \"POST\"\nheaders = { Authorization = { env = \"PLANTED\" } }\n\
         status = [204, \"300-302, 404\"]\ncontains = \"all is well\"\nheader = \"X-Role: primary\"\n\
         max_latency = \"800ms\"\nproxy = \"none\"\ninsecure = true\ncert_days = 14\n",
    );
    assert_eq!(plan.headers[0].1.reveal(), "planted-hook-token");
    assert_eq!(plan.status, [(204, 204), (300, 302), (404, 404)]);
    assert_eq!(plan.header, Some(("X-Role".to_owned(), "primary".to_owned())));
    assert_eq!((plan.method, plan.max_latency), ("POST", Some(Duration::from_millis(800))));
    assert!(plan.insecure && plan.cert_days == Some(14) && plan.proxy.is_some_and(|proxy| proxy.is_empty()));
    assert_eq!(http("http = \"http://h.example\"\nstatus = \"200-204\"\n").status, [(200, 204)]);
    assert_eq!(http("http = \"http://h.example\"\nstatus = 418\n").status, [(418, 418)]);
}

#[test]
fn what_is_unwise_is_said() {
    let warnings = |lines: &str| read(lines).unwrap().1;
    let insecure = warnings("http = \"https://h.example\"\ninsecure = true\n");
    assert!(insecure.iter().any(|said| said.contains("not verified")), "{insecure:?}");
    let plain = warnings("http = \"http://h.example\"\n");
    assert!(plain.iter().all(|said| !said.contains("http")), "{plain:?}");
}

#[test]
fn what_is_wrong_is_said() {
    for (lines, said) in [
        ("", "missing; write tcp = \"host:port\" or another thing to look at"),
        ("tcp = \"a:1\"\nhttp = \"http://a\"\n", "is a second thing to look at"),
        ("tcp = \"a\"\n", "has no port; write host:port"),
        ("tcp = \"a:0\"\n", "port 0 cannot be reached"),
        ("tcp = \"a:b\"\n", "has no port number after the host"),
        ("tcp = \"::1:80\"\n", "has no host"),
        ("tcp = \"a b:80\"\n", "characters that a host name cannot have"),
        ("dns = \"192.0.2.1\"\n", "is an address"),
        ("dns = \"a..b\"\n", "is no name"),
        ("dns = \"a_b.example\"\nserver = \"ns.example\"\n", "must be the address of a name server"),
        ("dns = \"a.example\"\nserver = \"192.0.2.1:0\"\n", "must be the address of a name server"),
        ("dns = \"a.example\"\nrecord = \"MX\"\n", "is not known"),
        ("dns = \"a.example\"\nexpect = [\"b\"]\n", "is no address"),
        ("icmp = \"a b\"\n", "characters that a host name cannot have"),
        ("icmp = \"\"\n", "has no host"),
        ("process = \"/usr/sbin/sshd\"\n", "without its folder"),
        ("process = \"\"\n", "is empty"),
        ("pid_file = \"x.pid\"\n", "must be an absolute path"),
        ("file = \"/x\"\nabsent = true\nmax_age = 1\n", "what must be absent"),
        ("file = \"/x\"\nmin_size = 2\nmax_size = 1\n", "is less than min_size"),
        ("file = \"/x\"\nmin_size = -1\n", "must be a number of bytes"),
        ("file = \"/x\"\nmin_size = \"1T\"\n", "must be a number of bytes"),
        ("file = \"/x\"\nmin_size = \"99999999999G\"\n", "must be a number of bytes"),
        ("run = []\n", "names no program"),
        ("shell = \" \"\n", "is empty"),
        ("run = [\"true\"]\non_stop = \"kill\"\n", "unknown key"),
        ("run = [\"true\"]\ndir = \"x\"\n", "must be an absolute path"),
        ("tcp = \"a:1\"\nstatus = 200\n", "goes with http"),
        ("icmp = \"a\"\nmax_age = 1\n", "goes with file"),
        ("http = \"http://a\"\nenv = { A = \"b\" }\n", "goes with run or shell"),
        ("run = [\"true\"]\nexpect = []\n", "goes with dns"),
        ("tcp = 80\n", "must be text in quotes, not a number"),
        ("http = \"ftp://a\"\n", "must begin with http:// or https://"),
        ("http = \"http://u:planted-hook-token@a\"\n", "may not hold user and password"),
        ("http = \"http://a\"\ncert_days = 3\n", "goes with https"),
        ("http = \"http://a\"\ninsecure = true\n", "goes with https"),
        ("http = \"https://a\"\ncert_days = 0\n", "out of range"),
        ("http = \"http://a\"\nstatus = 99\n", "out of range"),
        ("http = \"http://a\"\nstatus = \"\"\n", "is no status"),
        ("http = \"http://a\"\nstatus = \"2xx\"\n", "is no status"),
        ("http = \"http://a\"\nstatus = \"300-200\"\n", "is no status"),
        ("http = \"http://a\"\nstatus = []\n", "is no status"),
        ("http = \"http://a\"\nstatus = [true]\n", "must be text in quotes"),
        ("http = \"http://a\"\ncontains = \"\"\n", "is empty"),
        ("http = \"http://a\"\nheader = \"a b: c\"\n", "is no name of a header"),
        ("http = \"http://a\"\nmethod = \"HEAD\"\ncontains = \"x\"\n", "a HEAD request brings no text"),
        ("http = \"http://a\"\nmethod = \"DELETE\"\n", "is not known"),
        ("http = \"http://a\"\nheaders = { \"a b\" = \"c\" }\n", "is no name of a header"),
        ("http = \"http://a\"\nproxy = \"socks5://a:1\"\n", "SOCKS is not spoken"),
        ("http = \"http://a\"\nca_file = \"/nowhere\"\n", "/nowhere"),
    ] {
        let problems = read(lines).unwrap_err();
        assert!(problems.iter().any(|problem| problem.contains(said)), "{lines}: {problems:#?}");
        assert!(problems.iter().all(|problem| !problem.contains("planted")), "{problems:#?}");
    }
}
