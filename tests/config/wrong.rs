//! Everything that can be wrong, and the line that says so.

use interrupt_callback::config::{self, Env};

use super::lines;

/// A bad text, and the one line of problem that it earns.
const WRONG: &[(&str, &str)] = &[
    // Keys.
    ("intervall = 3", "c.toml:1: intervall: unknown key; did you mean \"interval\"?"),
    ("\n\n[keepalive]\nperoid = 3", "c.toml:4: keepalive.peroid: unknown key; did you mean \"period\"?"),
    (
        "[keepalive]\nx = 3",
        "c.toml:2: keepalive.x: unknown key; keys here are hold, remind, period, grace, server, client, upstream",
    ),
    ("keepalive.server.nmu = 3", "c.toml:1: keepalive.server.nmu: unknown key; did you mean \"num\"?"),
    (
        "[alert.log]\ntimeout = 3",
        "c.toml:2: alert.log.timeout: unknown key; keys here are kind, language, \
          prefix, title, body, min_severity, only, not, hosts, per_minute, quiet",
    ),
    (
        "\"a\\u001b b\" = 1",
        "c.toml:1: \"a\\u{1b} b\": unknown key; keys here are name, provider, interval, spot, \
          timezone, log, language, state_dir, control, keepalive, window, alert, callback, agent, job, \
          probe, resource, http",
    ),
    (
        "[alert.log]\ntitle = \"{hots} is {kind}\"",
        "c.toml:2: alert.log.title: \"{hots}\" is no field; did you mean \"{host}\"?",
    ),
    ("[alert.log]\nbody = \" \\n\"", "c.toml:2: alert.log.body: is empty; leave it out for the usual words"),
    ("[alert.log]\ntitle = \"a\\nb\"", "c.toml:2: alert.log.title: holds a control character"),
    // Types.
    ("name = 3", "c.toml:1: name: must be text in quotes, not a number"),
    ("interval = true", "c.toml:1: interval: must be a number of seconds, or text such as \"30s\", not true or false"),
    ("keepalive = 3", "c.toml:1: keepalive: must be a table, not a number"),
    ("[[keepalive]]", "c.toml:1: keepalive: must be a table, not a list"),
    ("[keepalive.server]\nnum = \"2\"", "c.toml:2: keepalive.server.num: must be a whole number, not text"),
    ("[keepalive.server]\nnum = 2.5", "c.toml:2: keepalive.server.num: must be a whole number, not a fraction"),
    (
        "[keepalive.server]\ntell_stopped = 1",
        "c.toml:2: keepalive.server.tell_stopped: must be true or false, not a number",
    ),
    (
        "[keepalive.server]\nkey = 2026-05-01",
        "c.toml:2: keepalive.server.key: must be text in quotes, \
          { file = \"…\" } or { env = \"…\" }, not a date",
    ),
    ("[alert.log]\nhosts = \"a\"", "c.toml:2: alert.log.hosts: must be a list, not text"),
    ("[alert.log]\nhosts = [\"a\",\n 3]", "c.toml:3: alert.log.hosts: must be text in quotes, not a number"),
    // Ranges and units.
    ("interval = 0", "c.toml:1: interval: 0 is out of range; it goes from 100ms to 1h"),
    ("interval = -1", "c.toml:1: interval: -1 is out of range; it goes from 100ms to 1h"),
    ("interval = nan", "c.toml:1: interval: nan is out of range; it goes from 100ms to 1h"),
    ("interval = \"2h\"", "c.toml:1: interval: \"2h\" is out of range; it goes from 100ms to 1h"),
    (
        "interval = \"3 parsecs\"",
        "c.toml:1: interval: \"3 parsecs\" is not a duration; write seconds as a number, or \
          text such as \"500ms\", \"30s\", \"5m\", \"2h\", \"15d\"",
    ),
    (
        "interval = \"30\"",
        "c.toml:1: interval: \"30\" has no unit; write a number without quotes for seconds, or text \
          such as \"500ms\", \"30s\", \"5m\", \"2h\", \"15d\"",
    ),
    ("[keepalive]\nperiod = 86401", "c.toml:2: keepalive.period: 86401 is out of range; it goes from 100ms to 1d"),
    ("[keepalive]\ngrace = \"2h\"", "c.toml:2: keepalive.grace: \"2h\" is out of range; it goes from 0s to 1h"),
    ("[keepalive.server]\nnum = 0", "c.toml:2: keepalive.server.num: 0 is out of range; it goes from 1 to 100"),
    (
        "[keepalive.server]\nnum = 9223372036854775808",
        "c.toml:2: keepalive.server.num: 9223372036854775808 is out of \
          range; it goes from 1 to 100",
    ),
    (
        "[keepalive.server]\nforget = 1",
        "c.toml:2: keepalive.server.forget: 1 is out of range; it goes from 10s to 3650d",
    ),
    (
        "[alert.command]\nargv = [\"x\"]\ntimeout = 0.5",
        "c.toml:3: alert.command.timeout: 0.5 is out of range; it goes from \
          1s to 2m",
    ),
    ("[alert.log]\nquiet = \"22-7\"", "c.toml:2: alert.log.quiet: \"22-7\" is no span of time; write \"02:00-04:30\""),
    (
        "[alert.log]\nquiet = \"00:00-24:00\"",
        "c.toml:2: alert.log.quiet: never ends: nothing but what is critical would ever be told; use min_severity for that",
    ),
    ("[alert.log]\nper_minute = 6001", "c.toml:2: alert.log.per_minute: 6001 is out of range; it goes from 1 to 6000"),
    // Words.
    ("name = \"a\\u0007b\"", "c.toml:1: name: may have at most 63 bytes and no control characters"),
    ("provider = \"alicloud\"", "c.toml:1: provider: \"alicloud\" is not known; did you mean \"AliCloud\"?"),
    (
        "provider = \"Hetzner\"",
        "c.toml:1: provider: \"Hetzner\" is not known; known are LocalHost, Auto, AliCloud, TencentCloud, \
         AWS, GoogleCloud, Azure, HuaweiCloud, Volcengine",
    ),
    (
        "timezone = \"Mars/Base\"",
        "c.toml:1: timezone: is no time zone known here; write \"+08:00\", a rule such as \
          \"CST-8\", or a name under /usr/share/zoneinfo",
    ),
    ("log = \"inof\"", "c.toml:1: log: \"inof\" is not known; did you mean \"info\"?"),
    (
        "log = \"info,ureq=loud\"",
        "c.toml:1: log: \"loud\" is not known; known are off, error, warn, info, debug, trace",
    ),
    ("language = \"de\"", "c.toml:1: language: \"de\" is not known; known are en, zh"),
    (
        "[keepalive.server]\nauth = \"strict\"",
        "c.toml:2: keepalive.server.auth: \"strict\" is not known; known are enforce, \
          permissive",
    ),
    (
        "[alert.log]\nmin_severity = \"warn\"",
        "c.toml:2: alert.log.min_severity: \"warn\" is not known; known are info, \
          warning, critical",
    ),
    (
        "[alert.log]\nonly = [\"ofline\"]",
        "c.toml:2: alert.log.only: \"ofline\" is not known; did you mean \"offline\"?",
    ),
    ("[alert.log]\nonly = [\"lost\"]\nnot = [\"lost\"]", "c.toml:3: alert.log.not: \"lost\" is in \"only\" too"),
    ("[alert.log]\nprefix = \"a\\nb\"", "c.toml:2: alert.log.prefix: holds a control character"),
    ("[alert.log]\nhosts = [\"\"]", "c.toml:2: alert.log.hosts: an empty pattern matches nothing"),
    // Paths.
    ("state_dir = \"state\"", "c.toml:1: state_dir: must be an absolute path"),
    ("control = \"~/x\"", "c.toml:1: control: must be an absolute path"),
    // The metadata service.
    ("[spot]\nendpoint = \"http://x\"", "c.toml:2: spot.endpoint: needs provider = \"AliCloud\" or another cloud"),
    // Listening.
    (
        "[keepalive.server]\nlisten = \"localhost:1\"",
        "c.toml:2: keepalive.server.listen: \"localhost:1\" is no address to \
          listen on; write \"9080\", \"127.0.0.1:9080\" or \"[::]:9080\"",
    ),
    ("[keepalive.server]\nlisten = 9080", "c.toml:2: keepalive.server.listen: must be text in quotes, not a number"),
    ("[keepalive.server]\nlisten = []", "c.toml:2: keepalive.server.listen: is empty"),
    // Users.
    ("[keepalive.server.users.nas]\nhost = \"a\"", "c.toml:1: keepalive.server.users.nas.key: missing"),
    ("[keepalive.server.users.nas]\nkey = \"\"", "c.toml:2: keepalive.server.users.nas.key: is empty"),
    (
        "[keepalive.server.users.default]\nkey = \"x\"",
        "c.toml:1: keepalive.server.users.default: this user's key is \
          keepalive.server.key",
    ),
    (
        "[keepalive.server.users.\"\"]\nkey = \"x\"",
        "c.toml:1: keepalive.server.users.\"\": a user's name has 1 to 64 bytes \
          and no control characters",
    ),
    // URIs.
    ("[keepalive.client]", "c.toml:1: keepalive.client.uri: missing; write uri = \"ic://default:KEY@HOST:9080\""),
    ("[keepalive.client]\nuris = []", "c.toml:2: keepalive.client.uris: is empty"),
    (
        "[keepalive.client]\nuri = \"ic://default:hunter2@\"",
        "c.toml:2: keepalive.client.uri: has no host; it must look like \
          ic://default:KEY@HOST:9080",
    ),
    (
        "[keepalive.client]\nuri = \"ic://default:hunter2@h:99999\"",
        "c.toml:2: keepalive.client.uri: has no port number from \
          1 to 65535 after the host",
    ),
    (
        "[keepalive.client]\nuris = [\n\"ic://h\",\n\"ic://u:hunter2@h:9080\"]",
        "c.toml:4: keepalive.client.uris: \
          ic://u@h:9080 is named twice",
    ),
    (
        "[keepalive.client]\nuri = \"ic://u:k@h\"\nprotocol = 1",
        "c.toml:3: keepalive.client.protocol: protocol 1 knows no \
          user but \"default\"",
    ),
    (
        "[keepalive.client]\nuri = \"ic://h\"\nprotocol = 1\nserver_name = \"x\"",
        "c.toml:4: keepalive.client.server_name: \
          needs protocol = 2: protocol 1 does not prove who answers",
    ),
    (
        "[keepalive.client]\nuri = \"ic://h\"\nprotocol = 3",
        "c.toml:3: keepalive.client.protocol: 3 is out of range; it goes \
          from 1 to 2",
    ),
    // Expected hosts, old keys, the watcher's watcher.
    ("[keepalive.server]\nexpect = \"nas\"", "c.toml:2: keepalive.server.expect: must be a list, not text"),
    (
        "[keepalive.server]\nexpect = [\"nas\", \"\"]",
        "c.toml:2: keepalive.server.expect: a host's name has 1 to 128 bytes and no control characters",
    ),
    (
        "[keepalive.server]\nold_key = \"hunter2\"",
        "c.toml:2: keepalive.server.old_key: does not go with an empty key, \
      which is open to all",
    ),
    ("[keepalive.server]\nkey = \"hunter2\"\nold_key = \"\"", "c.toml:3: keepalive.server.old_key: is empty"),
    ("[keepalive]\nhold = \"2h\"", "c.toml:2: keepalive.hold: \"2h\" is out of range; it goes from 0s to 1h"),
    ("[keepalive]\nremind = 6", "c.toml:2: keepalive.remind: 6 is out of range; it goes from 1m to 30d"),
    (
        "[keepalive.upstream]\nurl = \"http://10.0.0.1/hunter2\"",
        "c.toml:1: keepalive.upstream: needs [keepalive.server]: it tells that the watchdog turns, and there is none",
    ),
    ("[keepalive.server]\n[keepalive.upstream]", "c.toml:2: keepalive.upstream.url: missing"),
    (
        "[keepalive.server]\n[keepalive.upstream]\nurl = \"hc.example/hunter2\"",
        "c.toml:3: keepalive.upstream.url: must begin with http:// or https://",
    ),
    (
        "[keepalive.server]\n[keepalive.upstream]\nurl = \"http://[::1]\"\nperiod = \"500ms\"",
        "c.toml:4: keepalive.upstream.period: \"500ms\" is out of range; it goes from 1s to 1d",
    ),
    // Windows.
    ("window = 3", "c.toml:1: window: must be a list, not a number"),
    ("[window]\ntime = \"1:00-2:00\"", "c.toml:1: window: must be a list, not a table"),
    ("[[window]]\ndays = [\"sat\"]", "c.toml:1: window.time: missing; write time = \"02:00-04:30\""),
    (
        "[[window]]\ntime = \"1:00-2:00\"\n[[window]]\ntime = \"2 to 4\"",
        "c.toml:4: window.time: \"2 to 4\" is no span of time; write \"02:00-04:30\"",
    ),
    (
        "[[window]]\ntime = \"1:00-2:00\"\ndays = [\"sat\", \"sunday\"]",
        "c.toml:3: window.days: \"sunday\" is not known; known are mon, tue, wed, thu, fri, sat, sun",
    ),
    ("[[window]]\ntime = \"1:00-2:00\"\ndays = []", "c.toml:3: window.days: is empty; leave it out for all days"),
    ("[[window]]\ntime = \"1:00-2:00\"\nhosts = []", "c.toml:3: window.hosts: is empty; leave it out for all hosts"),
    ("[[window]]\ntime = \"1:00-2:00\"\nhosts = [\"\"]", "c.toml:3: window.hosts: an empty pattern matches nothing"),
    ("[[window]]\ntime = \"1:00-2:00\"\nday = \"sat\"", "c.toml:3: window.day: unknown key; did you mean \"days\"?"),
    // Channels.
    (
        "[alert.ops]",
        "c.toml:1: alert.ops: is no kind of channel; add kind = \"…\": feishu, lark, dingtalk, wecom, telegram, email, \
          webhook, command, log, slack, discord, teams, matrix, bark, ntfy, gotify, pushover, serverchan, pushplus, \
          letserverrun, pagerduty, healthchecks",
    ),
    (
        "[alert.fieshu]",
        "c.toml:1: alert.fieshu: is no kind of channel; did you mean [alert.feishu]? (or add kind = \
          \"feishu\")",
    ),
    ("[alert.ops]\nkind = \"slak\"", "c.toml:2: alert.ops.kind: \"slak\" is not known; did you mean \"slack\"?"),
    (
        "[alert.\"a/b\"]\nkind = \"log\"",
        "c.toml:1: alert.\"a/b\": a channel's name has 1 to 32 letters, digits, - and _",
    ),
    (
        "[alert.feishu]\nwebhook = \"http://[::1]/v2/x\"",
        "c.toml:1: alert.feishu.secret: missing; write secret = \"\" for a \
          bot without signature",
    ),
    ("[alert.feishu]\nsecret = \"\"", "c.toml:1: alert.feishu.webhook: missing"),
    (
        "[alert.feishu]\nwebhook = \"open.feishu.cn/hunter2\"\nsecret = \"\"",
        "c.toml:2: alert.feishu.webhook: must begin with \
          http:// or https://",
    ),
    (
        "[alert.feishu]\nwebhook = \"http://[::1]/open-apis/bot/hook/hunter2\"\nsecret = \"\"",
        "c.toml:2: \
          alert.feishu.webhook: is a hook of version 1, which takes no such messages; make a new custom bot, its address has /v2/",
    ),
    ("[alert.webhook]", "c.toml:1: alert.webhook.url: missing"),
    (
        "[alert.webhook]\nurl = \"http://h/{titel}\"",
        "c.toml:2: alert.webhook.url: names a field in braces that does not exist; {host}, {title} and {text} do",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\nmethod = \"post\"",
        "c.toml:3: alert.webhook.method: \"post\" is not known; did you \
          mean \"POST\"?",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\nmethod = \"GET\"\nbody = \"x\"",
        "c.toml:4: alert.webhook.body: does not go with \
          method = \"GET\"",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\nbody = \"{titel}\"",
        "c.toml:3: alert.webhook.body: \"{titel}\" is no field; did \
          you mean \"{title}\"?",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\nbody = { a = [{ b = \"{tilte}\" }] }",
        "c.toml:3: alert.webhook.body: \"{tilte}\" \
          is no field; did you mean \"{title}\"?",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\nbody = { a = inf }",
        "c.toml:3: alert.webhook.body: inf does not exist in JSON",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\nbody = 3",
        "c.toml:3: alert.webhook.body: must be text in quotes, not a number",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\nheaders = { \"a b\" = \"x\" }",
        "c.toml:3: alert.webhook.headers.\"a b\": is no \
          name of a header",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\nheaders = { a = \"hunter2\\r\\nb: c\" }",
        "c.toml:3: alert.webhook.headers.a: must \
          be one line of ASCII",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\nheaders = { Host = \"x\" }",
        "c.toml:3: alert.webhook.headers.Host: is set by the \
          program itself",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\nheaders = { a = \"{hunter}\" }",
        "c.toml:3: alert.webhook.headers.a: names a field \
          in braces that does not exist; {host}, {title} and {text} do",
    ),
    ("[alert.command]", "c.toml:1: alert.command.argv: missing; write argv = [\"/path/to/program\", …]"),
    ("[alert.command]\nargv = []", "c.toml:2: alert.command.argv: names no program"),
    ("[alert.command]\nargv = [\"\"]", "c.toml:2: alert.command.argv: names no program"),
    ("[alert.command]\nargv = \"rm -rf\"", "c.toml:2: alert.command.argv: must be a list, not text"),
    ("[alert.command]\nargv = [\"a\\u0000\"]", "c.toml:2: alert.command.argv: holds a zero byte"),
    // Secrets elsewhere.
    (
        "[keepalive.server]\nkey = {}",
        "c.toml:2: keepalive.server.key: must be either { file = \"…\" } or { env = \"…\" }",
    ),
    (
        "[keepalive.server]\nkey = { env = \"EMPTY\" }",
        "c.toml:2: keepalive.server.key.env: variable \"EMPTY\" is not set or \
          empty",
    ),
    (
        "[keepalive.server]\nkey = { file = \"/nonexistent\" }",
        "c.toml:2: keepalive.server.key.file: cannot read \
          \"/nonexistent\": No such file or directory (os error 2)",
    ),
    (
        "[keepalive.server]\nkey = { file = \"/\" }",
        "c.toml:2: keepalive.server.key.file: cannot read \"/\": Is a directory \
          (os error 21)",
    ),
    // TOML itself.
    ("name = \"a\nx = 1", "c.toml:1: invalid basic string, expected `\"`"),
    ("name = \"a\"\nname = \"b\"", "c.toml:2: duplicate key"),
    ("\nname: hunter2", "c.toml:2: key with no value, expected `=`"),
    ("secret = hunter2", "c.toml:1: string values must be quoted, expected literal string"),
];

#[test]
fn what_can_be_wrong() {
    for (text, want) in WRONG {
        assert_eq!(lines(text), [*want], "{text}");
        assert!(!want.contains("hunter"), "a secret in {want}");
    }
}

#[test]
fn sockets_with_long_names() {
    let long = format!("/{}", "x".repeat(107));
    assert_eq!(lines(&format!("control = {long:?}")), ["c.toml:1: control: a socket's path has at most 107 bytes"]);
    let env = Env::new(false, &[("HOME", &long)]);
    let plan = config::parse("", "c.toml", &env).unwrap();
    assert_eq!(plan.warnings.len(), 1);
    assert!(plan.warnings[0].ends_with("is too long for a socket: commands will not reach the daemon"));
}

#[test]
fn metadata_addresses() {
    let endpoint = |text: &str| lines(&format!("provider = \"AliCloud\"\n[spot]\nendpoint = \"{text}\"\n"));
    assert_eq!(endpoint("http://127.0.0.1:8080"), Vec::<String>::new());
    for (text, want) in [
        ("https://x", "must begin with http://: metadata services speak no https"),
        ("http://x/", "must not end in a slash"),
        ("http://x/?a", "must not hold a query or a fragment"),
        ("x", "must begin with http:// or https://"),
    ] {
        assert_eq!(endpoint(text), [format!("c.toml:3: spot.endpoint: {want}")]);
    }
}

#[test]
fn all_problems_are_told_in_the_order_of_the_file() {
    let text = "intervall = 3\nprovider = \"x\"\n[keepalive]\nperiod = 0\n[keepalive.server]\nnum = 0\nlisten = \"x\"\n\
                [keepalive.client]\nuri = \"x\"\n[alert.feishu]\nmin_severity = 1\n";
    let told = lines(text);
    let at: Vec<&str> = told.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        at,
        ["c.toml:1", "c.toml:2", "c.toml:4", "c.toml:6", "c.toml:7", "c.toml:9", "c.toml:10", "c.toml:10", "c.toml:11"],
        "{told:#?}"
    );
    assert_eq!(lines("a = \nb = \"\nname = \"x").len(), 3);
}

#[test]
fn too_many_of_anything() {
    let many = |n: usize, each: &dyn Fn(usize) -> String| (0..n).map(each).collect::<String>();
    let channels = many(65, &|n| format!("[alert.c{n}]\nkind = \"log\"\n"));
    assert_eq!(lines(&channels), ["c.toml:1: alert: has 65 channels, at most 64 are allowed"]);
    let users = many(257, &|n| format!("[keepalive.server.users.u{n}]\nkey = \"x\"\n"));
    assert_eq!(lines(&users), ["c.toml:1: keepalive.server.users: has 257 users, at most 256 are allowed"]);
    let uris = format!("[keepalive.client]\nuris = [{}]", many(17, &|n| format!("\"ic://h{n}\",")));
    assert_eq!(lines(&uris), ["c.toml:2: keepalive.client.uris: has 17 entries, at most 16 are allowed"]);
    let uris = uris.replacen("\"ic://h0\",", "", 1) + "\nuri = \"ic://x\"";
    assert_eq!(lines(&uris), ["c.toml:2: keepalive.client.uris: at most 16 servers are allowed"]);
    let windows = many(65, &|_| "[[window]]\ntime = \"1:00-2:00\"\n".to_owned());
    assert_eq!(lines(&windows), ["c.toml:1: window: has 65 entries, at most 64 are allowed"]);
    let expect = format!("[keepalive.server]\nexpect = [{}]", many(1001, &|n| format!("\"h{n}\",")));
    assert_eq!(lines(&expect), ["c.toml:2: keepalive.server.expect: has 1001 entries, at most 1000 are allowed"]);
    let unknown = many(3000, &|n| format!("x{n} = 1\n"));
    assert_eq!(lines(&unknown).len(), 101);
    assert_eq!(lines(&unknown)[100], "c.toml: 2900 more problems");
    assert_eq!(lines(&format!("name = \"{}\"", "x".repeat(5000))), ["c.toml:1: name: is longer than 4096 bytes"]);
}

#[cfg(not(feature = "tls"))]
#[test]
fn https_needs_its_feature() {
    assert_eq!(
        lines("[alert.webhook]\nurl = \"https://h\""),
        ["c.toml:2: alert.webhook.url: https needs the feature \"tls\", which this binary was built without"]
    );
}

#[cfg(not(feature = "probes"))]
#[test]
fn probes_and_resources_need_their_feature() {
    assert_eq!(
        lines("[resource]\nmemory = 90\n[[probe]]\n"),
        [
            "c.toml:1: resource: needs the feature \"probes\", which this binary was built without",
            "c.toml:3: probe: needs the feature \"probes\", which this binary was built without"
        ]
    );
}

#[cfg(not(feature = "jobs"))]
#[test]
fn jobs_need_their_feature() {
    assert_eq!(
        lines("[agent]\nserver = 3\n[[job]]\n"),
        [
            "c.toml:1: agent: needs the feature \"jobs\", which this binary was built without",
            "c.toml:3: job: needs the feature \"jobs\", which this binary was built without"
        ]
    );
}
