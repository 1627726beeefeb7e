//! `[http]`: the HTTP listener.

mod agent;
mod event;
mod ping;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::config::keepalive::{listed, unique};
use crate::config::problem::quoted;
use crate::config::table::{Item, Table};
use crate::http::{Basic, HttpPlan, Scope, Scopes, Token};
use crate::secret::Secret;

/// Usual port.
pub const DEFAULT_PORT: u16 = 9081;
/// Tokens.
const MAX_TOKENS: usize = 64;
/// Bytes of a token's name and of the user's, of a token and of the password.
const MAX_NAME: usize = 64;
const MAX_TOKEN: usize = 256;
/// Bytes under which a token earns a warning: 128 bits.
const SHORT: usize = 16;

/// `[http]`.
pub fn http(root: &mut Table<'_>) -> Option<Arc<HttpPlan>> {
    let mut table = root.table("http")?;
    let place = table.item();
    let listen = match table.get("listen") {
        Some(item) => unique(listed(&item, DEFAULT_PORT)),
        None => vec![SocketAddr::from((Ipv4Addr::LOCALHOST, DEFAULT_PORT))],
    };
    let mut tokens: Vec<Token> = Vec::new();
    for entry in table.get("token").and_then(|item| item.list(MAX_TOKENS)).unwrap_or_default() {
        if let Some(token) = entry.table().and_then(token) {
            same(&entry, &tokens, &token);
            tokens.push(token);
        }
    }
    let basic = table.table("basic").map(basic);
    let allow_query_token = table.get("allow_query_token").and_then(|item| item.flag()).unwrap_or(false);
    let pings = ping::pings(&mut table);
    let events = event::events(&mut table);
    let agents = agent::agents(&mut table);
    let strange = listen.iter().find(|address| !address.ip().to_canonical().is_loopback());
    if let Some(address) = strange {
        reached(&place, address, tokens.is_empty() && basic.is_none());
    }
    table.finish();
    let basic = basic.flatten();
    let plan = HttpPlan { listen, tokens, basic, allow_query_token, pings, events, agents };
    shared(&place, &plan);
    Some(Arc::new(plan))
}

/// Reports one secret for two purposes: what stands in a path stands in the log of every proxy on the way, and whoever is
/// given one purpose has the other one too. Two for the same purpose are reported where they are read.
fn shared(place: &Item<'_>, plan: &HttpPlan) {
    let mut secrets: Vec<(&str, &str, &Secret)> = Vec::new();
    secrets.extend(plan.tokens.iter().map(|token| ("the token", &*token.name, &token.token)));
    secrets.extend(plan.basic.iter().map(|basic| ("the user", &*basic.user, &basic.password)));
    secrets.extend(plan.agents.iter().map(|agent| ("the agent", &*agent.name, &agent.token)));
    secrets.extend(plan.pings.iter().map(|ping| ("the ping", &*ping.name, &ping.token)));
    secrets.extend(plan.events.alicloud.iter().map(|secret| ("[http.event]", "alicloud", secret)));
    for (at, (kind, name, secret)) in secrets.iter().enumerate() {
        let same = |(other, _, known): &&(&str, &str, &Secret)| other != kind && known == secret;
        if let Some((other, known, _)) = secrets[..at].iter().find(same) {
            let (name, known) = (quoted(name), quoted(known));
            place.bad::<()>(&[kind, " ", &name, " has the secret of ", other, " ", &known].concat());
        }
    }
}

/// Others than this machine reach it at `address`.
fn reached(place: &Item<'_>, address: &SocketAddr, open: bool) {
    let address = address.to_string();
    if open {
        let what = " is reached by other machines: add [[http.token]] with name, token and scopes = [\"read\"], or \
                    [http.basic] with user and password";
        place.bad::<()>(&[&address, what].concat());
    } else {
        let what = " is reached by other machines, and what is sent there, tokens too, can be read on the way: put a \
                    proxy with TLS before it, or a VPN under it";
        place.warn(&[&address, what].concat());
    }
}

/// `[[http.token]]`.
fn token(mut table: Table<'_>) -> Option<Token> {
    let name = table.need("name", "").and_then(|item| name(&item));
    let token =
        table.need("token", "; write one that `interrupt-callback keygen` printed").and_then(|item| secret(&item));
    let scopes = table.need("scopes", "; \"read\", \"message\" and \"job\" are known").and_then(|item| scopes(&item));
    table.finish();
    Some(Token { name: name?.to_owned(), token: token?, scopes: scopes? })
}

fn scopes(item: &Item<'_>) -> Option<Scopes> {
    let mut scopes = Scopes::default();
    for entry in item.list(Scope::ALL.len())? {
        scopes = scopes.with(*Scope::ALL.get(entry.choice(&Scope::NAMES)?)?);
    }
    if scopes == Scopes::default() { item.bad("is empty: the token would open nothing") } else { Some(scopes) }
}

/// Reports what two tokens may not share.
fn same(entry: &Item<'_>, tokens: &[Token], token: &Token) {
    for other in tokens {
        if other.name == token.name {
            entry.bad::<()>(&["two tokens are called ", &quoted(&token.name)].concat());
        }
        if other.token == token.token {
            entry.bad::<()>(&["the token is that of ", &quoted(&other.name), " too"].concat());
        }
    }
}

/// `[http.basic]`.
fn basic(mut table: Table<'_>) -> Option<Basic> {
    let user = table.need("user", "").and_then(|item| match name(&item)? {
        // What follows it is the password.
        user if user.contains(':') => item.bad("holds a colon"),
        user => Some(user.to_owned()),
    });
    let password = table.need("password", "").and_then(|item| {
        let password = item.secret()?;
        match password.reveal() {
            "" => item.bad("is empty"),
            text if text.len() > MAX_TOKEN => item.bad("has more than 256 bytes"),
            text => {
                if text.len() < SHORT {
                    item.warn("is shorter than 16 bytes and can be guessed");
                }
                Some(password)
            }
        }
    });
    table.finish();
    Some(Basic { user: user?, password: password? })
}

fn name<'a>(item: &Item<'a>) -> Option<&'a str> {
    let name = item.line(MAX_NAME)?;
    if name.is_empty() { item.bad("is empty") } else { Some(name) }
}

/// What is sent after `Bearer`, or stands in a path: of 1 to 256 letters, digits and marks that need no percent sign. A
/// short one earns a warning.
pub(super) fn secret(item: &Item<'_>) -> Option<Secret> {
    let secret = item.secret()?;
    let text = secret.reveal();
    // RFC 6750, 2.1 has these and / and +.
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    match text {
        "" => return item.bad("is empty"),
        _ if text.len() > MAX_TOKEN => return item.bad("has more than 256 bytes"),
        _ if !text.bytes().all(fits) => {
            return item.bad("holds other characters than letters, digits, - . _ ~ + / and =, which no token may");
        }
        _ if text.len() < SHORT => item.warn("is shorter than 16 bytes and can be guessed"),
        _ => {}
    }
    Some(secret)
}
