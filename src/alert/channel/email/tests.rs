use super::*;
use crate::config::plan::Security;
use crate::secret::Secret;

fn email() -> EmailPlan {
    EmailPlan {
        server: "mx".to_owned(),
        port: 25,
        security: Security::None,
        login: Some(("me@example.com".to_owned(), Secret::new("hunter2-hunter2"))),
        from_name: String::new(),
        from: "me@example.com".to_owned(),
        to: vec!["a@b".to_owned(), "c@d".to_owned()],
        hello: None,
    }
}

fn reply(text: &str) -> Reply {
    let (code, rest) = text.split_at(3);
    Reply { code: code.parse().unwrap(), lines: vec![rest.trim().to_owned()] }
}

fn class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Delivered => "delivered",
        Verdict::Retry { answered: false, sent: true, .. } => "doubtful",
        Verdict::Retry { answered: false, .. } => "unknown",
        Verdict::Retry { channel: true, .. } => "channel",
        Verdict::Retry { channel: false, .. } => "message",
        Verdict::Broken(_) => "broken",
        Verdict::GiveUp(_) => "given up",
    }
}

#[test]
fn every_reply_has_its_verdict() {
    let email = email();
    for (stage, said, expected) in [
        (Stage::Greeting, "421 too busy", "channel"),
        (Stage::Greeting, "554 no service for you", "broken"),
        (Stage::Hello, "550 bad name", "broken"),
        (Stage::Hello, "451 later", "channel"),
        (Stage::StartTls, "454 TLS not available", "channel"),
        (Stage::StartTls, "502 what", "broken"),
        (Stage::Login, "535 Login fail", "broken"),
        (Stage::Login, "534 5.7.9 application-specific password required", "broken"),
        (Stage::Login, "526 Authentication failure", "broken"),
        (Stage::Login, "454 temporary authentication failure", "channel"),
        (Stage::Login, "535 Login Fail. too many attempts, login frequency limited", "channel"),
        (Stage::Sender, "530 authentication required", "broken"),
        (Stage::Sender, "553 mail from must equal authorized user", "broken"),
        (Stage::Sender, "440 mail from account doesn't conform with authentication", "broken"),
        (Stage::Sender, "552 too large", "given up"),
        (Stage::Sender, "452 insufficient storage", "channel"),
        (Stage::Recipient, "421 closing", "channel"),
        (Stage::Data, "451 later", "channel"),
        (Stage::Data, "554 no valid recipients", "broken"),
        (Stage::Message, "421 closing", "channel"),
        (Stage::Message, "450 4.2.0 greylisted", "message"),
        (Stage::Message, "451 4.7.1 greylisted", "message"),
        (Stage::Message, "552 message size exceeds", "given up"),
        (Stage::Message, "554 DT:SPM suspected spam", "message"),
        (Stage::Message, "550 Mail content denied", "message"),
        (Stage::Message, "550 Connection frequency limited", "channel"),
    ] {
        let verdict = failed(&email, &Fault::Refused(stage, reply(said)), &[]);
        assert_eq!(class(&verdict), expected, "{stage:?} {said}: {verdict:?}");
    }
    for (fault, expected) in [
        (Fault::Link(FetchError::Tls(crate::fetch::TlsError::Issuer), false), "unknown"),
        (Fault::Link(FetchError::Protocol, false), "unknown"),
        (Fault::Link(FetchError::Protocol, true), "doubtful"),
        (Fault::Link(FetchError::Timeout, true), "doubtful"),
        (Fault::NoStartTls, "broken"),
        (Fault::NoLogin(String::new()), "broken"),
        (Fault::NoLogin("GSSAPI".to_owned()), "broken"),
    ] {
        assert_eq!(class(&failed(&email, &fault, &[])), expected, "{fault:?}");
    }
}

#[test]
fn what_some_recipients_miss_decides() {
    let email = email();
    let sorted = |taken: &[&str], refused: &[&str], some| {
        let outcome = Outcome {
            taken: taken.iter().map(|address| (*address).to_owned()).collect(),
            refused: refused.iter().map(|said| ("c@d".to_owned(), reply(said))).collect(),
        };
        super::sorted(&email, &outcome, some, &[])
    };
    assert_eq!(class(&sorted(&["a@b"], &[], false)), "delivered");
    assert_eq!(class(&sorted(&["a@b"], &["550 unknown"], false)), "delivered");
    assert_eq!(class(&sorted(&[], &["550 unknown"], true)), "delivered");
    assert_eq!(class(&sorted(&[], &["550 unknown"], false)), "broken");
    assert_eq!(class(&sorted(&[], &["554 relay access denied", "551 not here"], false)), "broken");
    assert_eq!(class(&sorted(&[], &["450 greylisted"], false)), "channel");
    assert_eq!(class(&sorted(&[], &["550 unknown", "552 mailbox full"], false)), "channel");
    assert_eq!(class(&sorted(&["a@b"], &["451 greylisted"], false)), "message");
    assert_eq!(class(&sorted(&[], &["451 greylisted"], true)), "message");
}

#[test]
fn reasons_help_and_hide() {
    let email = email();
    let secrets = secrets(&email);
    for secret in ["hunter2-hunter2", "aHVudGVyMi1odW50ZXIy", "AG1lQGV4YW1wbGUuY29tAGh1bnRlcjItaHVudGVyMg=="] {
        let said = ["535 no\r\n\u{202e}user ", secret].concat();
        let verdict = failed(&email, &Fault::Refused(Stage::Login, reply(&said)), &secrets);
        assert_eq!(
            verdict,
            Verdict::Broken(
                "mx: 535 no  \u{FFFD}user *** (user or password is wrong; QQ, 163 and others want an authorisation \
                 code in place of the password)"
                    .to_owned()
            )
        );
    }
}
