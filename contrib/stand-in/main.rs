//! Uses every package of the product once, in the way the product does.

#[cfg(no_backtrace)]
extern crate no_backtrace as _;

use std::io::Write;
use std::net::TcpListener;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use base64::Engine as _;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

fn main() {
    env_logger::init();
    let text = std::fs::read_to_string("config.toml").unwrap_or_default();
    let (table, errors) = toml::de::DeTable::parse_recoverable(&text);
    log::info!("{} keys, {} errors", table.get_ref().len(), errors.len());
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).expect("a kernel with a generator");
    let mut mac = Hmac::<Sha256>::new_from_slice(&nonce).expect("any key will do");
    mac.update(text.as_bytes());
    log::info!("{}", base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes()));
    let (send, receive) = sync_channel(4);
    std::thread::spawn(move || {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(2)))
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        let agent = ureq::Agent::new_with_config(config);
        while let Ok(body) = receive.recv() {
            let body: Vec<u8> = body;
            match agent.post(&text).header("a", "b").send(&body[..]) {
                Ok(mut answer) => log::info!("{:?}", answer.body_mut().with_config().limit(1000).read_to_vec()),
                Err(error) => log::warn!("{error}"),
            }
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    rustix::net::listen(&listener, 1024).expect("a socket that listens");
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    log::info!("{:?} {:?}", now.tv_sec, rustix::system::uname().nodename());
    if let Ok((mut stream, _)) = listener.accept() {
        let mut from = serde_json::Deserializer::from_reader(&stream);
        let line = serde_json::Value::deserialize(&mut from).expect("a line");
        let body = serde_json::to_vec(&line).expect("text keys");
        stream.write_all(&body).expect("a peer");
        send.send(body).expect("a sender");
    }
    for signal in signal_hook::iterator::Signals::new([15]).expect("a handler").forever() {
        log::info!("{signal}");
    }
}
