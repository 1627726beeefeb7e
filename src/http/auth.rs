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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{Basic, EventPlan, Token};

    fn plan(allow_query_token: bool) -> HttpPlan {
        let token = |name: &str, scope| Token {
            name: name.to_owned(),
            token: Secret::new(["token-of-", name].concat()),
            scopes: Scopes::default().with(scope),
        };
        HttpPlan {
            listen: Vec::new(),
            tokens: vec![token("a", Scope::Read), token("b", Scope::Job)],
            basic: Some(Basic { user: "me".into(), password: Secret::new("pass:word") }),
            allow_query_token,
            pings: Vec::new(),
            events: EventPlan::default(),
            agents: Vec::new(),
        }
    }

    /// Who it is, and whether anything was shown.
    fn who(header: Option<&str>, query: &str, plan: &HttpPlan) -> (String, bool) {
        let headers: Vec<(&str, &[u8])> = header.iter().map(|value| ("AUTHORIZATION", value.as_bytes())).collect();
        let raw = Raw { method: "GET", target: "/", headers: &headers, body: &[] };
        let judgement = judge(&raw, query, plan);
        (judgement.who, judgement.shown)
    }

    #[test]
    fn what_is_shown_and_what_it_opens() {
        for (header, query, want) in [
            (Some("Bearer token-of-a"), "", ("a", true)),
            (Some("bearer  token-of-b "), "", ("b", true)),
            (Some("Bearer token-of-c"), "", ("", true)),
            (Some("Bearer "), "", ("", true)),
            (Some("Bearer"), "", ("", false)),
            (Some("Basic bWU6cGFzczp3b3Jk"), "", ("me", true)),
            (Some("Basic bWU6cGFzcw=="), "", ("", true)),
            (Some("Basic bWU="), "", ("", true)),
            (Some("Basic !"), "", ("", false)),
            // A token is no password.
            (Some("Basic bWU6dG9rZW4tb2YtYQ=="), "", ("", true)),
            (None, "", ("", false)),
            (None, "token=token-of-a", ("a", true)),
            (None, "x=1&token=token%2Dof-b&y", ("b", true)),
            (None, "token", ("", true)),
            (None, "Token=token-of-a", ("", false)),
            // Only one place counts.
            (Some("Bearer wrong"), "token=token-of-a", ("", true)),
        ] {
            let got = who(header, query, &plan(true));
            assert_eq!((&*got.0, got.1), want, "{header:?} {query:?}");
        }
        assert_eq!(who(None, "token=token-of-a", &plan(false)), (String::new(), false));
    }

    #[test]
    fn nothing_is_no_secret() {
        assert!(is("a", &Secret::new("a")));
        assert!(!is("", &Secret::default()) && !is("a", &Secret::new("ab")) && !is("ab", &Secret::new("a")));
    }
}
