//! What a request says: in its body, as JSON or as a form, or in its query.

use crate::http::Request;
use crate::http::agents::refusal::Refusal;
use crate::http::auth::decoded;
use crate::json::{Scalar, pick};

/// Neither JSON nor a form, or something else than text stands where text belongs.
const MALFORMED: Refusal = Refusal(400, "BadRequest", "body is not a JSON object with these fields");

/// Bytes of the longest escape in JSON.
const LONGEST_ESCAPE: usize = 12;

/// The values of fields, in the order in which they were asked for.
#[derive(Debug)]
pub struct Fields(Vec<Option<Scalar>>);

impl Fields {
    /// The values of `names`. Nothing at all is an object without any.
    ///
    /// # Errors
    /// When the body is malformed.
    pub fn read(request: &Request<'_>, names: &[&str]) -> Result<Fields, Refusal> {
        if request.method == "GET" {
            return form(request.query, names);
        }
        let body = request.body.trim_ascii();
        if body.is_empty() {
            return Ok(Fields(vec![None; names.len()]));
        }
        let kind = request.header("content-type").unwrap_or_default();
        if body[0] != b'{' && kind.starts_with("application/x-www-form-urlencoded") {
            return form(std::str::from_utf8(body).map_err(|_| MALFORMED)?, names);
        }
        pick(body, names).map(Fields).ok_or(MALFORMED)
    }

    /// A text; empty if there is none.
    ///
    /// # Errors
    /// When it is something else.
    pub fn text(&mut self, at: usize) -> Result<String, Refusal> {
        match self.0.get_mut(at).and_then(Option::take) {
            Some(Scalar::Text(text)) => Ok(text),
            None | Some(Scalar::Null) => Ok(String::new()),
            Some(_) => Err(MALFORMED),
        }
    }

    /// A whole number; zero if there is none.
    ///
    /// # Errors
    /// When it is something else.
    pub fn int(&self, at: usize) -> Result<i64, Refusal> {
        match self.0.get(at).and_then(Option::as_ref) {
            Some(Scalar::Int(number)) => Ok(*number),
            Some(Scalar::Text(text)) => text.parse().map_err(|_| MALFORMED),
            None | Some(Scalar::Null) => Ok(0),
            Some(Scalar::Flag(_)) => Err(MALFORMED),
        }
    }
}

/// What a body that was cut says at its beginning, as JSON again: as a rule the cut is in the one text that it holds. `None`
/// if that makes no sense.
pub fn mended(body: &[u8]) -> Option<Vec<u8>> {
    // A sign that was cut through, an escape too; the longest is that of two halves of a sign, `\ud83d\ude00`.
    let from = body.len().saturating_sub(LONGEST_ESCAPE);
    let parsed = |end: usize| {
        let whole = [body.get(..end)?, b"\"}"].concat();
        pick(&whole, &[]).map(|_| whole)
    };
    (from..=body.len()).rev().find_map(parsed)
}

/// Reads `name=value&…`. The last of several counts.
fn form(text: &str, names: &[&str]) -> Result<Fields, Refusal> {
    let mut found = vec![None; names.len()];
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if let Some(at) = names.iter().position(|known| *known == name) {
            found[at] = Some(Scalar::Text(decoded(value).ok_or(MALFORMED)?));
        }
    }
    Ok(Fields(found))
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::http::Scopes;

    fn read(method: &str, query: &str, kind: &str, body: &[u8]) -> Result<(String, i64), Refusal> {
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let headers = [("Content-Type", kind.as_bytes())];
        let (path, scopes, who) = ("/", Scopes::default(), "");
        let request = Request { method, path, query, headers: &headers, body, peer, scopes, who };
        let mut fields = Fields::read(&request, &["message", "days"])?;
        Ok((fields.text(0)?, fields.int(1)?))
    }

    #[test]
    fn a_text_is_read_up_to_where_it_was_cut() {
        let whole = "{\"days\":3,\"message\":\"a\\n失\\ud83d\\ude00\\\\\"}".as_bytes();
        let begun = whole.windows(3).position(|bytes| bytes == b":\"a").unwrap() + 2;
        for end in begun..whole.len() - 2 {
            let body = mended(&whole[..end]).unwrap_or_else(|| panic!("{end}"));
            let (text, days) = read("POST", "", "", &body).unwrap();
            assert!("a\n失😀\\".starts_with(&text) && days == 3, "{end}: {text}");
        }
        for lost in [&whole[..4], b"[", b"x", b""] {
            assert_eq!(mended(lost), None);
        }
    }

    #[test]
    fn bodies_and_queries() {
        const FORM: &str = "application/x-www-form-urlencoded";
        const JSON: &str = "application/json";
        let ok = |text: &str, days| Ok((text.to_owned(), days));
        for (method, query, kind, body, want) in [
            ("POST", "", JSON, "{\"message\":\"a\\nb\",\"days\":2,\"x\":[1,{\"message\":2}]}", ok("a\nb", 2)),
            ("POST", "message=query", JSON, "", ok("", 0)),
            ("POST", "", JSON, " {\"message\":null,\"days\":-1} ", ok("", -1)),
            // curl -d says that it is a form whatever it is.
            ("POST", "", FORM, "{\"message\":\"a\"}", ok("a", 0)),
            ("POST", "", FORM, "message=a+b%26c%zz%4&days=3&message=%E5%A4%B1", ok("失", 3)),
            ("POST", "", JSON, "message=a", Err(MALFORMED)),
            ("POST", "", JSON, "{\"message\":5}", Err(MALFORMED)),
            ("POST", "", JSON, "{\"message\":{}}", Err(MALFORMED)),
            ("POST", "", JSON, "{\"days\":true}", Err(MALFORMED)),
            ("POST", "", JSON, "{\"days\":\"x\"}", Err(MALFORMED)),
            ("POST", "", JSON, "{\"message\":\"a\"", Err(MALFORMED)),
            ("POST", "", JSON, "[\"message\"]", Err(MALFORMED)),
            ("POST", "", FORM, "message=%ff", Err(MALFORMED)),
            ("GET", "token=x&message=a%20b", JSON, "{", ok("a b", 0)),
            ("GET", "", JSON, "", ok("", 0)),
            ("GET", "message&message2=b", JSON, "", ok("", 0)),
        ] {
            assert_eq!(read(method, query, kind, body.as_bytes()), want, "{method} {query} {body}");
        }
        assert_eq!(read("POST", "", JSON, b"{\"message\":\"\xff\"}"), Err(MALFORMED));
    }
}
