//! What can be wrong with the keys of services, and with what an answer means.

use super::lines;

/// A bad text, and the one line of problem that it earns.
const WRONG: &[(&str, &str)] = &[
    (
        "[alert.webhook]\nurl = \"http://h\"\nok = \"20\"",
        "c.toml:3: alert.webhook.ok: has a status that does not exist; write 200, 2xx or 200,202",
    ),
    ("[alert.webhook]\nurl = \"http://h\"\nok = [\"200\", \"\"]", "c.toml:3: alert.webhook.ok: is empty"),
    (
        "[alert.webhook]\nurl = \"http://h\"\nok = 200",
        "c.toml:3: alert.webhook.ok: must be text in quotes, not a number",
    ),
    ("[alert.webhook]\nurl = \"http://h\"\nok = \"a\\tb\"", "c.toml:3: alert.webhook.ok: holds a control character"),
    (
        "[alert.webhook]\nurl = \"http://h\"\nretry = \"code = 1\"",
        "c.toml:3: alert.webhook.retry: has a term without the name of a place; terms are 200, id, code=0, msg~busy",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\ngive_up = \"a='b\"",
        "c.toml:3: alert.webhook.give_up: lacks a closing quote",
    ),
    (
        "[alert.webhook]\nurl = \"http://h\"\nwait = \"a=1\"",
        "c.toml:3: alert.webhook.wait: must name one place in the answer, such as \"retry_after\"",
    ),
    // Services.
    ("[alert.slack]", "c.toml:1: alert.slack.url: missing"),
    ("[alert.slack]\nurl = \"hunter2\"", "c.toml:2: alert.slack.url: must begin with http:// or https://"),
    ("[alert.slack]\nurl = \"http://[::1]/hunter2#x\"", "c.toml:2: alert.slack.url: holds a fragment (#…)"),
    (
        "[alert.slack]\nurl = \"http://[::1]/hunter2\"\ntoken = \"x\"",
        "c.toml:3: alert.slack.token: unknown key; keys here are kind, language, prefix, title, body, min_severity, only, not, hosts, per_minute, quiet, timeout, proxy, ca_file, url",
    ),
    ("[alert.gotify]\ntoken = \"x\"", "c.toml:1: alert.gotify.server: missing"),
    ("[alert.gotify]\nserver = \"http://[::1]\"", "c.toml:1: alert.gotify.token: missing"),
    ("[alert.gotify]\nserver = \"http://[::1]\"\ntoken = \"\"", "c.toml:3: alert.gotify.token: is empty"),
    (
        "[alert.gotify]\nserver = \"http://[::1]\"\ntoken = \"hunter\\n2\"",
        "c.toml:3: alert.gotify.token: must be one line of ASCII",
    ),
    (
        "[alert.gotify]\nserver = \"http://[::1]/?a=hunter2\"\ntoken = \"x\"",
        "c.toml:2: alert.gotify.server: must be the address of a server, without a query",
    ),
    (
        "[alert.ntfy]\nserver = \"http://[::1]\"\ntopic = \"x\"\ntoken = 3",
        "c.toml:4: alert.ntfy.token: must be text in quotes, { file = \"…\" } or { env = \"…\" }, not a number",
    ),
    (
        "[alert.letserverrun]\nserver = \"http://[::1]\"\ntoken = \"x\"\nmessage = \"warn\"",
        "c.toml:4: alert.letserverrun.message: \"warn\" is not known; known are info, warning, text, auto",
    ),
    (
        "[alert.serverchan]\nserver = \"http://[::1]\"\nkey = \"sctp1tx\"\nxyzxyzxyz = 1",
        "c.toml:4: alert.serverchan.xyzxyzxyz: unknown key; keys here are kind, language, prefix, title, body, min_severity, only, not, hosts, per_minute, quiet, timeout, proxy, ca_file, server, key",
    ),
];

#[test]
fn what_can_be_wrong_with_services() {
    for (text, want) in WRONG {
        assert_eq!(lines(text), [*want], "{text}");
        assert!(!want.contains("hunter"), "a secret in {want}");
    }
}

#[cfg(not(feature = "tls"))]
#[test]
fn the_usual_server_needs_its_feature() {
    assert_eq!(
        lines("[alert.ntfy]\ntopic = \"x\""),
        ["c.toml:1: alert.ntfy: https needs the feature \"tls\", which this binary was built without"]
    );
}
