//! Whether an address answers over HTTP as it should.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::certificate::not_after;
use super::{Seen, bad};
use crate::clock::{self, Tick, Wall, tick};
use crate::fetch::{Answer, Fetch, FetchError, Limits, Request, Shown, TlsError, Way};
use crate::probe::what::HttpLook;
use crate::resolve::Resolver;

/// Bytes of a body that are read, and in which a text is looked for.
const MAX_BODY: u64 = 64 * 1024;
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Makes one request, and judges the answer.
pub fn look(plan: &HttpLook, resolver: &Arc<Resolver>, end: Tick) -> Seen {
    let begun = tick();
    let left = end.since(begun);
    let limits = Limits { connect: left, total: left, body: MAX_BODY, proxy: false };
    let shown = Shown::new(OnceLock::new());
    let way = Way {
        proxy: plan.proxy.as_ref(),
        ca: plan.ca_file.as_ref(),
        insecure: plan.insecure,
        shown: plan.cert_days.is_some().then_some(&shown),
    };
    let mut headers = Vec::with_capacity(plan.headers.len());
    for (name, value) in &plan.headers {
        headers.push((name.as_str(), value.reveal()));
    }
    let request = Request { method: plan.method, url: plan.url.reveal(), headers: &headers, body: None };
    match Fetch::by(way, limits, Arc::clone(resolver)).glance(&request) {
        Ok(answer) => {
            let days = plan.cert_days.and_then(|least| certificate(least, shown.get(), clock::wall()));
            match judge(plan, &answer, tick().since(begun)).or(days) {
                Some(why) => bad(why),
                None => (Some(true), String::new()),
            }
        }
        // This machine does not know what day it is.
        Err(error @ FetchError::Tls(TlsError::NotYetValid)) if !clock::wall().is_set() => (None, error.to_string()),
        Err(error) => bad(error.text()),
    }
}

/// What is wrong with an answer that took so long.
pub fn judge(plan: &HttpLook, answer: &Answer, took: Duration) -> Option<String> {
    if !plan.status.iter().any(|(from, to)| (*from..=*to).contains(&answer.status)) {
        return Some(["HTTP ", &answer.status.to_string()].concat());
    }
    if let Some((name, value)) = &plan.header {
        let mut there = answer.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).peekable();
        if there.peek().is_none() {
            return Some(["the header ", name, " is missing"].concat());
        }
        if !there.any(|(_, found)| found.contains(value.as_str())) {
            return Some(["the header ", name, " has another value"].concat());
        }
    }
    let text = plan.contains.as_bytes();
    if !text.is_empty() && !answer.body.windows(text.len()).any(|part| part == text) {
        return Some("the answer does not contain the text".to_owned());
    }
    let slow = plan.max_latency.is_some_and(|most| took > most);
    slow.then(|| ["it took ", &took.as_millis().to_string(), " ms"].concat())
}

/// What is wrong with the certificate, which is to be good for `least` days from `now`.
pub fn certificate(least: u32, shown: Option<&Vec<u8>>, now: Wall) -> Option<String> {
    if !now.is_set() {
        return None;
    }
    let Some(until) = shown.and_then(|der| not_after(der)) else {
        return Some("the certificate cannot be read".to_owned());
    };
    let left = (until.0 - now.0).div_euclid(DAY);
    match left {
        ..0 => Some(FetchError::Tls(TlsError::Expired).to_string()),
        _ if left < i64::from(least) => Some(["the certificate expires in ", &left.to_string(), " d"].concat()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn days_are_counted_to_the_end_of_the_certificate() {
        let mut params = CertificateParams::new(vec!["h.example".to_owned()]).unwrap();
        params.not_after = date_time_ymd(2027, 1, 1);
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        // `date -u -d 2027-01-01 +%s`
        let end = 1_798_761_600_000;
        let expired = "the certificate has expired; is the clock right?";
        for (before, least, want) in [
            (14 * DAY, 14, None),
            (14 * DAY - 1, 14, Some("the certificate expires in 13 d")),
            (DAY, 14, Some("the certificate expires in 1 d")),
            (1, 14, Some("the certificate expires in 0 d")),
            (-1, 14, Some(expired)),
            (-1, 1, Some(expired)),
        ] {
            let found = certificate(least, Some(&der), Wall(end - before));
            assert_eq!(found.as_deref(), want, "{before}");
        }
        assert_eq!(certificate(14, Some(&der), Wall(0)), None, "the own clock is not set");
        let unread = Some("the certificate cannot be read".to_owned());
        assert_eq!(certificate(14, None, Wall(end)), unread);
        assert_eq!(certificate(14, Some(&vec![0x30, 0]), Wall(end)), unread);
    }
}
