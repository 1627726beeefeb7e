//! `[http]`.

use super::{env, lines};
use interrupt_callback::config;
use interrupt_callback::http::{Scope, Scopes};

const LONG: &str = "a-token-of-some-length";

fn warnings(text: &str) -> Vec<String> {
    config::parse(text, "c.toml", &env()).unwrap_or_else(|problems| panic!("{problems:?}")).warnings
}

fn token(name: &str, token: &str) -> String {
    format!("[[http.token]]\nname = \"{name}\"\ntoken = \"{token}\"\nscopes = [\"read\", \"job\"]\n")
}

#[test]
fn what_it_says() {
    let text = format!(
        "[http]\nallow_query_token = true\n{}[http.basic]\nuser = \"me\"\npassword = \"{LONG}-2\"\n",
        token("a", LONG)
    );
    let plan = config::parse(&text, "c.toml", &env()).unwrap();
    assert_eq!((&plan.warnings, plan.idle()), (&Vec::new(), None));
    let http = plan.http.unwrap();
    assert_eq!(http.listen, ["127.0.0.1:9081".parse().unwrap()]);
    assert_eq!((http.tokens.len(), &*http.tokens[0].name, http.tokens[0].token.reveal()), (1, "a", LONG));
    assert_eq!(http.tokens[0].scopes, Scopes::default().with(Scope::Read).with(Scope::Job));
    assert_eq!(http.basic.as_ref().map(|basic| &*basic.user), Some("me"));
    assert!(http.allow_query_token && !http.is_open());
    let open = |text: &str| config::parse(text, "c.toml", &env()).unwrap().http.unwrap().is_open();
    assert!(open("[http]"));
    assert!(
        open(&format!("[http]\n{}", token("a", LONG).replace("\"read\", ", ""))),
        "nobody has a token to read with"
    );
    assert!(!open(&format!("[http]\nlisten = [\"127.0.0.1\", \"[::]:80\"]\n{}", token("a", LONG))));
    assert_eq!(config::parse("", "c.toml", &env()).unwrap().http, None);
}

#[test]
fn what_is_unwise() {
    let beyond = "c.toml:1: http: [::]:9081 is reached by other machines, and what is sent there, tokens too, can be \
                  read on the way: put a proxy with TLS before it, or a VPN under it";
    assert_eq!(warnings(&format!("[http]\nlisten = \"9081\"\n{}", token("a", LONG))), [beyond]);
    let told = warnings(&format!("[http]\n{}", token("a", "short")));
    assert_eq!(told, ["c.toml:4: http.token.token: is shorter than 16 bytes and can be guessed"]);
}

#[test]
fn what_is_wrong() {
    let open = "http: 0.0.0.0:9081 is reached by other machines: add [[http.token]] with name, token and scopes = \
                [\"read\"], or [http.basic] with user and password";
    let two = |a: (&str, &str), b: (&str, &str)| format!("[http]\n{}{}", token(a.0, a.1), token(b.0, b.1));
    let other = "another-token-of-some-length";
    for (text, want) in [
        ("[http]\nlisten = \"0.0.0.0\"".to_owned(), open),
        ("[http]\nlisten = \"localhost\"".into(), "is no address to listen on; write \"9081\", \"127.0.0.1:9081\" or"),
        (two(("a", LONG), ("b", LONG)), "the token is that of \"a\" too"),
        (two(("a", LONG), ("a", other)), "two tokens are called \"a\""),
        (format!("[http]\n{}", token("", LONG)), "is empty"),
        (format!("[http]\n{}", token("a", "")), "is empty"),
        (format!("[http]\n{}", token("a", "with space and more")), "holds other characters than"),
        (format!("[http]\n{}", token("a", LONG).replace("read", "write")), "\"write\" is not known"),
        ("[http]\n[[http.token]]\nname = \"a\"".into(), "missing"),
        ("[http]\n[http.basic]\nuser = \"a:b\"\npassword = \"x\"".into(), "holds a colon"),
        ("[http]\n[http.basic]\nuser = \"a\"\npassword = \"\"".into(), "is empty"),
        ("[http]\ntokens = []".into(), "unknown key; did you mean \"token\"?"),
    ] {
        let told = lines(&text);
        assert!(told.iter().any(|line| line.contains(want)), "{text}\n{told:?}");
        assert!(!told.iter().any(|line| line.contains(LONG)), "{told:?}");
    }
}
