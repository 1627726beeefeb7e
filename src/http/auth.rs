//! What a request's token or password opens.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::http::parse::Raw;
use crate::http::{HttpPlan, Request, Scope, Scopes};
use crate::secret::Secret;

/// What came of it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Judgement {
    /// What is open to the sender.
    pub scopes: Scopes,
    /// How the token is called, or the user; empty if none was right.
    pub who: String,
    /// A token or password came.
    pub shown: bool,
}

/// Whether `sent` is `secret`, in a time that tells nothing of where they differ.
pub fn is(sent: &str, secret: &Secret) -> bool {
    let [sent, right] = [sent, secret.reveal()].map(|text| Sha256::digest(text.as_bytes()));
    !secret.is_empty() && sent.iter().zip(&right).fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

/// The token of a request: after `Bearer`, or in the query as `token` where `plan` allows that.
pub fn token(request: &Request<'_>, plan: &HttpPlan) -> Option<String> {
    match credentials(request.headers, request.query, plan)? {
        Shown::Token(token) => Some(token),
        Shown::Basic(_) => None,
    }
}

/// The value of `key` in a query such as `a=1&b=2`, decoded.
pub fn query(query: &str, key: &str) -> Option<String> {
    let value = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (name == key).then(|| decoded(value)).flatten()
    };
    query.split('&').find_map(value)
}

/// Percent signs and plus signs undone; `None` if that is no text.
pub fn decoded(text: &str) -> Option<String> {
    crate::keepalive::uri::decode(&text.replace('+', " "))
}

/// What is open to whoever sent these headers, and this query.
pub fn judge(raw: &Raw<'_>, text: &str, plan: &HttpPlan) -> Judgement {
    let mut judgement = Judgement::default();
    let Some(shown) = credentials(raw.headers, text, plan) else { return judgement };
    judgement.shown = true;
    match shown {
        Shown::Token(sent) => {
            // All are looked at, so that the time tells nothing.
            for token in &plan.tokens {
                if is(&sent, &token.token) {
                    (judgement.scopes, judgement.who) = (token.scopes, token.name.clone());
                }
            }
        }
        Shown::Basic(sent) => {
            if let Some(basic) = &plan.basic
                && is(&sent, &Secret::new([&*basic.user, ":", basic.password.reveal()].concat()))
            {
                (judgement.scopes, judgement.who) = (Scopes::default().with(Scope::Read), basic.user.clone());
            }
        }
    }
    judgement
}

enum Shown {
    Token(String),
    /// User, colon, password.
    Basic(String),
}

fn credentials(headers: &[(&str, &[u8])], text: &str, plan: &HttpPlan) -> Option<Shown> {
    let header = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
    let Some((_, value)) = header else {
        return if plan.allow_query_token { query(text, "token").map(Shown::Token) } else { None };
    };
    let (scheme, rest) = std::str::from_utf8(value).ok()?.split_once(' ')?;
    let rest = rest.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Shown::Token(rest.to_owned()));
    }
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Shown::Basic(STANDARD.decode(rest).ok().and_then(|bytes| String::from_utf8(bytes).ok())?));
    }
    None
}
