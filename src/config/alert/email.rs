//! `kind = "email"`.

use crate::config::plan::{ChannelKind, EmailPlan, Security};
use crate::config::table::{Item, Table};
use crate::config::url;
use crate::secret::Secret;

/// Keys that only this kind has.
const KEYS: [&str; 8] = ["server", "port", "security", "user", "password", "from", "to", "hello"];
/// Names of `security`, with the usual port of each: RFC 8314, RFC 6409, RFC 5321.
const SECURITY: [(&str, Security, u16); 3] =
    [("tls", Security::Tls, 465), ("starttls", Security::StartTls, 587), ("none", Security::None, 25)];
/// Recipients. Servers take at least 100 (RFC 5321, 4.5.3.1.8).
const MAX_RECIPIENTS: usize = 32;
/// Bytes of an address (RFC 5321, 4.5.3.1.3), and of what stands before its `@` (4.5.3.1.1).
const MAX_ADDRESS: (usize, usize) = (254, 64);
/// Bytes of a host name.
const MAX_HOST: usize = 255;
/// Bytes of the sender's name.
const MAX_NAME: usize = 128;
/// Bytes of user and password: a line of SMTP holds them in base64.
const MAX_LOGIN: usize = 512;

/// `kind = "email"`.
pub fn email(table: &mut Table<'_>) -> Option<ChannelKind> {
    if !cfg!(feature = "email") {
        for key in KEYS {
            table.get(key);
        }
        return table.item().bad("needs the feature \"email\", which this binary was built without");
    }
    let server_item = table.need("server", "");
    let server = server_item.and_then(|item| host(&item));
    let (security, usual_port) = security(table, server);
    let port = table.whole("port", 1, 65535).and_then(|port| u16::try_from(port).ok()).unwrap_or(usual_port);
    if let Some(item) = table.get("port") {
        wrong_port(&item, security, port);
    }
    let login = login(table);
    let (from_name, from) = from(table, login.as_ref().map(|(user, _)| user.as_str())).unwrap_or_default();
    let to = table.need("to", "; write to = [\"me@example.com\"]").and_then(|item| recipients(&item));
    let hello = table.get("hello").and_then(|item| hello(&item));
    let server = server?.to_owned();
    // What is missing was reported.
    let to = to?;
    if from.is_empty() {
        return None;
    }
    Some(ChannelKind::Email(EmailPlan { server, port, security, login, from_name, from, to, hello }))
}

/// A host name or an IP address.
fn host<'a>(item: &Item<'a>) -> Option<&'a str> {
    let text = item.line(MAX_HOST)?;
    if text.contains("://") {
        return item.bad("is the name of a server, without scheme and path");
    }
    match url::is_private(text) {
        _ if text.is_empty() => item.bad("is empty"),
        Ok(_) => Some(text),
        Err(_) if text.contains(':') => item.bad("is a name or an address alone; the number goes into port"),
        Err(why) => item.bad(why),
    }
}

/// How the connection is encrypted, and the port for that.
fn security(table: &mut Table<'_>, server: Option<&str>) -> (Security, u16) {
    let item = table.get("security");
    let chosen = item.and_then(|item| item.choice(&SECURITY.map(|(name, ..)| name)));
    let (_, security, port) = SECURITY[chosen.unwrap_or(0)];
    let at = item.unwrap_or_else(|| table.item());
    match security {
        Security::None => {
            if server.is_some_and(|server| url::is_private(server) == Ok(false)) {
                at.warn("mail and password can be read by everyone on the way; use security = \"tls\"");
            }
        }
        Security::Tls | Security::StartTls if cfg!(feature = "tls") => {}
        Security::Tls | Security::StartTls => {
            at.bad::<()>(
                "encryption needs the feature \"tls\", which this binary was built without; a relay nearby can be \
                 reached with security = \"none\"",
            );
        }
    }
    (security, port)
}

/// Warns of a port at which the two ends would wait for each other, or not understand each other.
fn wrong_port(item: &Item<'_>, security: Security, port: u16) {
    match (security, port) {
        (Security::StartTls | Security::None, 465) => {
            item.warn("servers encrypt this port from the start: use security = \"tls\"");
        }
        (Security::Tls, 25 | 587) => {
            item.warn("servers begin in the clear at this port: use security = \"starttls\"");
        }
        _ => {}
    }
}

fn login(table: &mut Table<'_>) -> Option<(String, Secret)> {
    let user = table.get("user");
    let password = table.get("password");
    match (user, password) {
        (None, None) => None,
        (Some(_), None) => {
            table.missing("password", "; a server without login needs neither user nor password");
            None
        }
        (None, Some(_)) => {
            table.missing("user", "; it goes with password");
            None
        }
        (Some(user), Some(item)) => {
            let password = item.secret().and_then(|password| {
                let text = password.reveal();
                match text.len() {
                    0 => item.bad("is empty"),
                    len if len > MAX_LOGIN => item.bad("is longer than 512 bytes"),
                    _ if text.chars().any(char::is_control) => item.bad("holds a control character"),
                    _ => Some(password),
                }
            });
            let name = user.line(MAX_LOGIN)?;
            if name.is_empty() {
                return user.bad("is empty");
            }
            Some((name.to_owned(), password?))
        }
    }
}

/// The sender's name and address: `from`, or the user if that is an address.
fn from(table: &mut Table<'_>, user: Option<&str>) -> Option<(String, String)> {
    let Some(item) = table.get("from") else {
        return match user.filter(|user| address(user).is_ok()) {
            Some(user) => Some((String::new(), user.to_owned())),
            // What is wrong with the login was reported; the user may well be an address.
            None if user.is_none() && table.get("user").is_some() => None,
            None => {
                table.missing("from", "; write from = \"me@example.com\"");
                None
            }
        };
    };
    let text = item.line(MAX_ADDRESS.0 + MAX_NAME)?;
    let (name, plain) = match text.strip_suffix('>').and_then(|text| text.split_once('<')) {
        Some((name, plain)) => (name.trim().trim_matches('"'), plain),
        None => ("", text),
    };
    match address(plain) {
        Ok(()) => Some((name.to_owned(), plain.to_owned())),
        Err(why) => item.bad(why),
    }
}

fn recipients(item: &Item<'_>) -> Option<Vec<String>> {
    let entries = item.list(MAX_RECIPIENTS)?;
    if entries.is_empty() {
        return item.bad("names nobody");
    }
    let mut to: Vec<String> = Vec::with_capacity(entries.len());
    for entry in &entries {
        let Some(text) = entry.line(MAX_ADDRESS.0) else { continue };
        match address(text) {
            Ok(()) if to.iter().any(|known| known == text) => entry.bad("is there twice").unwrap_or_default(),
            Ok(()) => to.push(text.to_owned()),
            Err(why) => entry.bad(why).unwrap_or_default(),
        }
    }
    (to.len() == entries.len()).then_some(to)
}

/// Checks that `text` is `someone@somewhere` with nothing in it that means something else to SMTP or in a header.
fn address(text: &str) -> Result<(), &'static str> {
    let Some((name, domain)) = text.rsplit_once('@') else { return Err("must be an address such as me@example.com") };
    if !text.is_ascii() {
        return Err("must be ASCII; a domain in other letters is written as xn--…");
    }
    let atom = |text: &str, marks: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || marks.contains(&b))
    };
    let fits = text.len() <= MAX_ADDRESS.0 && name.len() <= MAX_ADDRESS.1;
    if fits
        && name.split('.').all(|part| atom(part, b"!#$%&'*+-/=?^_`{|}~"))
        && domain.split('.').all(|part| atom(part, b"-"))
    {
        Ok(())
    } else {
        Err("must be an address such as me@example.com")
    }
}

/// What this machine calls itself: a name, or an address in brackets.
fn hello(item: &Item<'_>) -> Option<String> {
    let text = item.line(MAX_HOST)?;
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if inner.is_empty() || !inner.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:_".contains(&b)) {
        return item.bad("must be a host name such as nas.example.com");
    }
    Some(text.to_owned())
}

#[cfg(test)]
#[cfg(feature = "email")]
mod tests {
    use super::*;
    use crate::config::{self, Env, Plan};

    fn read(lines: &str) -> Result<Plan, Vec<String>> {
        let text = ["keepalive.server.key = \"0123456789abcdef\"\n[alert.email]\n", lines].concat();
        let problems = |problems: Vec<_>| problems.iter().map(ToString::to_string).collect();
        config::parse(&text, "c.toml", &Env::new(true, &[("PW", "pass word")])).map_err(problems)
    }

    fn plan(lines: &str) -> (EmailPlan, Vec<String>) {
        let mut plan = read(lines).unwrap();
        let ChannelKind::Email(email) = plan.channels.remove(0).kind else { panic!() };
        (email, plan.warnings)
    }

    #[cfg(feature = "tls")]
    #[test]
    fn what_is_usual() {
        let login = "user = \"me@example.com\"\npassword = { env = \"PW\" }\n";
        let (email, warnings) = plan(&["server = \"smtp.example.com\"\nto = [\"a@b\"]\n", login].concat());
        assert_eq!((email.port, email.security, &*email.from), (465, Security::Tls, "me@example.com"));
        assert_eq!(email.login, Some(("me@example.com".to_owned(), Secret::new("pass word"))));
        assert!(email.from_name.is_empty() && email.hello.is_none() && warnings.is_empty());
        let more = "server = \"::1\"\nto = [\"a@b\"]\nsecurity = \"starttls\"\nfrom = \"\\\"失联\\\" <c@d>\"\n";
        let (email, _) = plan(&[more, "hello = \"[10.0.0.1]\"\nport = 2525\n", login].concat());
        assert_eq!((email.port, &*email.from_name, &*email.from), (2525, "失联", "c@d"));
        assert_eq!(email.hello.as_deref(), Some("[10.0.0.1]"));
    }

    #[test]
    fn in_the_clear_only_nearby_without_a_warning() {
        for (server, warned) in
            [("localhost", 0), ("10.0.0.9", 0), ("::1", 0), ("relay.lan", 0), ("smtp.example.com", 1), ("8.8.8.8", 1)]
        {
            let lines = ["server = \"", server, "\"\nsecurity = \"none\"\nfrom = \"a@b\"\nto = [\"a@b\"]"].concat();
            let (email, warnings) = plan(&lines);
            assert_eq!((email.port, warnings.len()), (25, warned), "{server}: {warnings:?}");
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_port_for_another_security_is_warned_of() {
        const REST: &str = "server = \"10.0.0.9\"\nfrom = \"a@b\"\nto = [\"a@b\"]\n";
        for (security, port, warned) in [
            ("tls", 465, ""),
            ("tls", 587, "c.toml:7: alert.email.port: servers begin in the clear at this port: use security"),
            ("tls", 25, "begin in the clear"),
            ("tls", 2525, ""),
            ("starttls", 587, ""),
            ("starttls", 25, ""),
            ("starttls", 465, "encrypt this port from the start: use security = \"tls\""),
            ("none", 465, "encrypt this port from the start"),
            ("none", 25, ""),
        ] {
            let (_, warnings) = plan(&format!("{REST}security = {security:?}\nport = {port}"));
            assert_eq!(warnings.len(), usize::from(!warned.is_empty()), "{security} {port}: {warnings:?}");
            assert!(warnings.concat().contains(warned), "{security} {port}: {warnings:?}");
        }
    }

    #[test]
    fn every_problem_has_its_line_and_key() {
        const GOOD: &str = "server = \"relay.lan\"\nsecurity = \"none\"\nfrom = \"a@b\"\nto = [\"a@b\"]\n";
        for (from, to, expected) in [
            ("relay.lan", "", "c.toml:3: alert.email.server: is empty"),
            ("relay.lan", "smtp://relay.lan", "is the name of a server, without scheme and path"),
            ("relay.lan", "relay.lan:25", "is a name or an address alone; the number goes into port"),
            ("relay.lan", "a b", "has a host with characters that a host name cannot have"),
            ("server = \"relay.lan\"", "", "c.toml:2: alert.email.server: missing"),
            ("none", "ssl", "c.toml:4: alert.email.security: \"ssl\" is not known; known are tls, starttls, none"),
            ("from = \"a@b\"", "", "c.toml:2: alert.email.from: missing; write from = \"me@example.com\""),
            ("from = \"a@b\"", "user = \"a@b\"", "c.toml:2: alert.email.password: missing; a server without login"),
            ("from = \"a@b\"", "from = \"a\"", "c.toml:5: alert.email.from: must be an address such as me@example.com"),
            ("to = [\"a@b\"]", "", "c.toml:2: alert.email.to: missing; write to = [\"me@example.com\"]"),
            ("to = [\"a@b\"]", "to = \"a@b\"", "c.toml:6: alert.email.to: must be a list, not text"),
            ("to = [\"a@b\"]", "to = []", "c.toml:6: alert.email.to: names nobody"),
            ("to = [\"a@b\"]", "to = [\"a@b\",\n\"c\"]", "c.toml:7: alert.email.to: must be an address"),
            ("to = [\"a@b\"]", "to = [\"a@b\", \"a@b\"]", "c.toml:6: alert.email.to: is there twice"),
            ("to = [\"a@b\"]", "to = [\"a@失联.cn\"]", "must be ASCII; a domain in other letters is written as xn--…"),
            ("to = [", "user = \"x\"\nto = [", "c.toml:2: alert.email.password: missing; a server without login"),
            ("to = [", "password = \"x\"\nto = [", "c.toml:2: alert.email.user: missing; it goes with password"),
            ("to = [", "user = \"x\"\npassword = \"\"\nto = [", "c.toml:7: alert.email.password: is empty"),
            ("to = [", "user = \"\"\npassword = \"x\"\nto = [", "c.toml:6: alert.email.user: is empty"),
            ("to = [", "user = \"x\"\npassword = \"x\\ny\"\nto = [", "password: holds a control character"),
            ("to = [", "port = 0\nto = [", "c.toml:6: alert.email.port: 0 is out of range; it goes from 1 to 65535"),
            ("to = [", "hello = \"a b\"\nto = [", "c.toml:6: alert.email.hello: must be a host name"),
            (
                "to = [",
                "pasword = \"x\"\nto = [",
                "c.toml:6: alert.email.pasword: unknown key; did you mean \"password\"?",
            ),
        ] {
            let problems = read(&GOOD.replace(from, to)).unwrap_err();
            assert!(problems.len() == 1 && problems[0].contains(expected), "{to}: {problems:?}");
        }
        assert!(read(GOOD).is_ok());
        let many = (0..33).map(|n| format!("\"a{n}@b\"")).collect::<Vec<_>>().join(", ");
        let problems = read(&GOOD.replace("\"a@b\"]", &[&many, "]"].concat())).unwrap_err();
        assert!(problems[0].contains("alert.email.to: has 33 entries, at most 32 are allowed"), "{problems:?}");
    }

    #[test]
    fn addresses() {
        for good in ["a@b", "root@localhost", "first.last+tag@mail.example.com", "o'neil@x-y.example", "1@2.3"] {
            assert_eq!(address(good), Ok(()), "{good}");
        }
        let long = ["a".repeat(65), "@b".to_owned()].concat();
        for bad in [
            "",
            "a",
            "@",
            "a@",
            "@b",
            "a b@c",
            "a@b c",
            "a@b>",
            "<a@b>",
            "a\"b@c",
            "a..b@c",
            ".a@b",
            "a@b.",
            "a@.b",
            "a@b,c@d",
            "a@b\r\nDATA",
            "失@b",
            "a@失联.cn",
            "a@[1.2.3.4]",
            "a;b@c",
            "a(b)@c",
            "a@b@c",
            &long,
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}

#[cfg(test)]
#[cfg(not(feature = "email"))]
mod without {
    use crate::config::{self, Env};

    #[test]
    fn the_error_names_the_feature() {
        let text = "[alert.email]\nserver = \"x\"\nto = [\"a@b\"]\nzzzz = 1";
        let problems = config::parse(text, "c.toml", &Env::new(true, &[])).unwrap_err();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(problems[0].starts_with("c.toml:1: alert.email: needs the feature \"email\""), "{problems:?}");
        assert!(problems.len() == 2 && problems[1].contains("zzzz"), "{problems:?}");
    }
}
