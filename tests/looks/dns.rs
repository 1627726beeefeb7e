//! Names, asked for at a fake name server.

use std::net::UdpSocket;
use std::time::Duration;

use interrupt_callback::run::threads::{HTTP_STACK, spawn};

use super::{LONG, SHORT, judged, seen, what};

/// A server that says to each question what `script` makes of it and of how many came before; it ends with the test.
fn server(mut script: impl FnMut(&[u8], usize) -> Vec<Vec<u8>> + Send + 'static) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    spawn("fake", HTTP_STACK, move || {
        let mut packet = [0; 1500];
        for n in 0.. {
            let (len, peer) = socket.recv_from(&mut packet).unwrap();
            for said in script(&packet[..len], n) {
                socket.send_to(&said, peer).unwrap();
            }
        }
    })
    .unwrap();
    address
}

/// The answer to `question` with these addresses.
fn found(question: &[u8], flags: u8, addresses: &[[u8; 4]]) -> Vec<u8> {
    let mut out = question.to_vec();
    (out[2], out[3], out[7]) = (0x81, flags, addresses.len() as u8);
    for address in addresses {
        out.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        out.extend_from_slice(address);
    }
    out
}

#[test]
fn answers_are_judged() {
    for (flags, expect, good, detail) in [
        (0x80, "", Some(true), "192.0.2.1, 192.0.2.2"),
        (0x80, "expect = [\"192.0.2.2\", \"192.0.2.1\", \"192.0.2.3\"]\n", Some(true), "192.0.2.1, 192.0.2.2"),
        (0x80, "expect = [\"192.0.2.2\"]\n", Some(false), "unexpected addresses 192.0.2.1, 192.0.2.2"),
        (0x83, "", Some(false), "the name does not exist"),
        (0x82, "", Some(false), "the name server gives code 2 (SERVFAIL)"),
    ] {
        let at = server(move |question, _| vec![found(question, flags, &[[192, 0, 2, 1], [192, 0, 2, 2]])]);
        let lines = format!("dns = \"www.example.com\"\nserver = \"{at}\"\n{expect}");
        assert_eq!(judged(&lines, LONG), (good, detail.to_owned()), "{lines}");
    }
    let cut = server(|question, _| {
        let mut cut = found(question, 0x80, &[]);
        cut[2] |= 2;
        vec![cut]
    });
    let (good, detail) = judged(&format!("dns = \"a.example\"\nserver = \"{cut}\"\n"), LONG);
    assert_eq!((good, detail.as_str()), (None, "the answer does not fit into a packet"));
    let none = server(|question, _| vec![found(question, 0x80, &[])]);
    let (good, detail) = judged(&format!("dns = \"a.example\"\nserver = \"{none}\"\nrecord = \"AAAA\"\n"), LONG);
    assert_eq!((good, detail.as_str()), (Some(false), "the name has no such address"));
}

#[test]
fn a_lost_question_is_asked_again_and_strays_are_passed_over() {
    let lossy = server(|question, n| if n == 0 { Vec::new() } else { vec![found(question, 0x80, &[[1, 1, 1, 1]])] });
    let lines = format!("dns = \"a.example\"\nserver = \"{lossy}\"\n");
    assert_eq!(judged(&lines, Duration::from_secs(4)), (Some(true), "1.1.1.1".to_owned()));
    let noisy = server(|question, _| {
        let mut other = found(question, 0x80, &[[6, 6, 6, 6]]);
        other[0] ^= 1;
        vec![Vec::new(), b"junk".to_vec(), question.to_vec(), other, found(question, 0x80, &[[1, 1, 1, 1]])]
    });
    let lines = format!("dns = \"a.example\"\nserver = \"{noisy}\"\n");
    assert_eq!(judged(&lines, LONG), (Some(true), "1.1.1.1".to_owned()));
}

#[test]
fn one_that_is_silent_ends_at_the_deadline_and_one_that_is_not_there_at_once() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let lines = format!("dns = \"a.example\"\nserver = \"{}\"\n", socket.local_addr().unwrap());
    let outcome = seen(&what(&lines), SHORT);
    assert_eq!((outcome.good, outcome.detail.as_str()), (Some(false), "no answer in time"));
    assert!(outcome.took >= SHORT - Duration::from_millis(10), "{outcome:?}");
    drop(socket);
    assert_eq!(judged(&lines, LONG), (Some(false), "Connection refused (os error 111)".to_owned()));
}

#[test]
fn the_system_knows_this_machine() {
    let (good, detail) = judged("dns = \"localhost\"\nexpect = [\"127.0.0.1\", \"::1\"]\n", LONG);
    assert_eq!(good, Some(true), "{detail}");
    assert!(detail.contains("127.0.0.1") || detail.contains("::1"), "{detail}");
}
