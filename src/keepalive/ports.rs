//! The addresses that a server listens on.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::net::Shutdown;
use rustix::net::sockopt::{self, Timeout};

use crate::keepalive::answer::EXCHANGE;
use crate::run::threads::{Stop, lock};

/// Connections the kernel keeps until they are accepted.
const BACKLOG: i32 = 1024;
/// Longest wait for a connection before an accept loop looks at what else there is to do.
const ACCEPT_WAIT: Duration = Duration::from_secs(1);
/// First and longest pause before a busy port is tried again.
const REBIND: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// One address to listen on, for `status`.
#[derive(Clone, Debug)]
pub struct Listening {
    /// As configured.
    pub wanted: SocketAddr,
    /// As bound, with the real port.
    pub bound: Option<SocketAddr>,
    /// Why it is not bound.
    pub error: Option<String>,
}

/// One of the addresses.
pub struct Port {
    listening: Mutex<Listening>,
    listener: Mutex<Option<Arc<TcpListener>>>,
    /// What for, in log lines.
    what: &'static str,
    /// It is listened on no longer.
    pub gone: Stop,
}

/// All addresses to listen on, with what became of them.
#[derive(Default)]
pub struct Ports(Mutex<Vec<Arc<Port>>>, &'static str);

impl Ports {
    /// For something else than heartbeats: ` for …`.
    pub fn of(what: &'static str) -> Ports {
        Ports(Mutex::default(), what)
    }

    /// What became of each.
    pub fn listening(&self) -> Vec<Listening> {
        lock(&self.0).iter().map(|port| lock(&port.listening).clone()).collect()
    }

    /// Closes what is not `wanted` any more, and returns what is new, still to be bound. The others stay as they are.
    pub fn change(&self, wanted: &[SocketAddr]) -> Vec<Arc<Port>> {
        let mut before = std::mem::take(&mut *lock(&self.0));
        let (mut now, mut new) = (Vec::new(), Vec::new());
        for wanted in wanted {
            let same = |port: &Arc<Port>| lock(&port.listening).wanted == *wanted && !port.gone.is_stopped();
            match before.iter().position(same) {
                Some(at) => now.push(before.swap_remove(at)),
                None => {
                    let port = Arc::new(Port {
                        listening: Mutex::new(Listening { wanted: *wanted, bound: None, error: None }),
                        listener: Mutex::default(),
                        what: self.1,
                        gone: Stop::default(),
                    });
                    now.push(Arc::clone(&port));
                    new.push(port);
                }
            }
        }
        before.iter().for_each(|port| port.close());
        *lock(&self.0) = now;
        new
    }

    /// Ends all accepting: who waits for a connection gets an error at once.
    pub fn close(&self) {
        lock(&self.0).iter().for_each(|port| port.close());
    }
}

impl Port {
    /// Tries to bind it, and says what is new about it.
    pub fn bind(&self) -> Option<Arc<TcpListener>> {
        let wanted = lock(&self.listening).wanted;
        let result = bind(wanted).and_then(|listener| Ok((listener.local_addr()?, Arc::new(listener))));
        match result {
            Ok((bound, listener)) => {
                *lock(&self.listening) = Listening { wanted, bound: Some(bound), error: None };
                *lock(&self.listener) = Some(Arc::clone(&listener));
                log::info!("listening on {bound}{}", self.what);
                Some(listener)
            }
            Err(e) => {
                if lock(&self.listening).error.replace(e.to_string()).is_none() {
                    log::warn!("cannot listen on {wanted}{}: {e}; will keep trying", self.what);
                }
                None
            }
        }
    }

    /// Tries until it succeeds; `None` once it is closed.
    pub fn bind_in_time(&self) -> Option<Arc<TcpListener>> {
        let mut pause = REBIND.0;
        while !self.gone.wait(pause) {
            if let Some(listener) = self.bind() {
                return Some(listener);
            }
            pause = (pause * 2).min(REBIND.1);
        }
        None
    }

    /// Listens no longer.
    pub fn close(&self) {
        self.gone.stop();
        if let Some(listener) = &*lock(&self.listener)
            && let Err(e) = rustix::net::shutdown(listener, Shutdown::Both)
        {
            log::debug!("cannot wake the listener on {}: {e}", lock(&self.listening).wanted);
        }
    }
}

/// `[::]` takes both families; where there is no IPv6, `0.0.0.0` stands in for it.
fn bind(wanted: SocketAddr) -> io::Result<TcpListener> {
    let no_family = Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
    let listener = match TcpListener::bind(wanted) {
        Err(e)
            if wanted.is_ipv6()
                && wanted.ip().is_unspecified()
                && (e.raw_os_error() == no_family || e.kind() == ErrorKind::AddrNotAvailable) =>
        {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, wanted.port()))?
        }
        bound => bound?,
    };
    rustix::net::listen(&listener, BACKLOG)?;
    sockopt::set_socket_timeout(&listener, Timeout::Recv, Some(ACCEPT_WAIT))?;
    // On Linux an accepted socket inherits these, which saves two calls a beat.
    sockopt::set_socket_timeout(&listener, Timeout::Send, Some(EXCHANGE))?;
    sockopt::set_tcp_nodelay(&listener, true)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn accepted_sockets_inherit_what_a_beat_needs() {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let _client = TcpStream::connect_timeout(&listener.local_addr().unwrap(), Duration::from_secs(20)).unwrap();
        let (socket, _) = listener.accept().unwrap();
        assert!(socket.nodelay().unwrap());
        assert_eq!(socket.write_timeout().unwrap(), Some(EXCHANGE));
    }

    #[test]
    fn closing_ends_a_wait() {
        let ports = Ports::default();
        let listener = ports.change(&["127.0.0.1:0".parse().unwrap()])[0].bind().unwrap();
        ports.close();
        assert_ne!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn an_address_that_stays_keeps_its_socket() {
        let [a, b, c] = ["127.0.0.1:0", "127.0.0.2:0", "127.0.0.3:0"].map(|text| text.parse().unwrap());
        let ports = Ports::default();
        let listeners: Vec<_> = ports.change(&[a, b]).iter().map(|port| port.bind().unwrap()).collect();
        let before = ports.listening()[1].bound;
        let new = ports.change(&[c, b]);
        assert_eq!(new.len(), 1);
        assert_eq!((ports.listening()[1].bound, ports.listening()[0].bound), (before, None));
        assert_ne!(listeners[0].accept().unwrap_err().kind(), ErrorKind::WouldBlock, "a is closed");
        let _client = TcpStream::connect_timeout(&before.unwrap(), Duration::from_secs(20)).unwrap();
        listeners[1].accept().unwrap();
    }
}
