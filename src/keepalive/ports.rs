//! The addresses that the heartbeat server listens on.

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

struct Port {
    listening: Listening,
    listener: Option<Arc<TcpListener>>,
}

/// All addresses to listen on, with what became of them.
pub struct Ports(Mutex<Vec<Port>>);

impl Ports {
    /// None is bound yet.
    pub fn new(wanted: &[SocketAddr]) -> Ports {
        let port = |wanted: &SocketAddr| Port {
            listening: Listening { wanted: *wanted, bound: None, error: None },
            listener: None,
        };
        Ports(Mutex::new(wanted.iter().map(port).collect()))
    }

    /// What became of each.
    pub fn listening(&self) -> Vec<Listening> {
        lock(&self.0).iter().map(|port| port.listening.clone()).collect()
    }

    /// Tries to bind address `index`, and says what is new about it.
    pub fn bind(&self, index: usize) -> Option<Arc<TcpListener>> {
        let wanted = lock(&self.0).get(index)?.listening.wanted;
        let result = bind(wanted).and_then(|listener| Ok((listener.local_addr()?, Arc::new(listener))));
        let mut ports = lock(&self.0);
        let port = ports.get_mut(index)?;
        match result {
            Ok((bound, listener)) => {
                port.listening = Listening { wanted, bound: Some(bound), error: None };
                port.listener = Some(Arc::clone(&listener));
                drop(ports);
                log::info!("listening on {bound}");
                Some(listener)
            }
            Err(e) => {
                let said = port.listening.error.replace(e.to_string()).is_some();
                drop(ports);
                if !said {
                    log::warn!("cannot listen on {wanted}: {e}; will keep trying");
                }
                None
            }
        }
    }

    /// Tries until it succeeds; `None` at the end of the program.
    pub fn bind_in_time(&self, index: usize, stop: &Stop) -> Option<Arc<TcpListener>> {
        let mut pause = REBIND.0;
        while !stop.wait(pause) {
            if let Some(listener) = self.bind(index) {
                return Some(listener);
            }
            pause = (pause * 2).min(REBIND.1);
        }
        None
    }

    /// Ends all accepting: who waits for a connection gets an error at once.
    pub fn close(&self) {
        for port in lock(&self.0).iter() {
            if let Some(listener) = &port.listener
                && let Err(e) = rustix::net::shutdown(listener, Shutdown::Both)
            {
                log::debug!("cannot wake the listener on {}: {e}", port.listening.wanted);
            }
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
        let ports = Ports::new(&["127.0.0.1:0".parse().unwrap()]);
        let listener = ports.bind(0).unwrap();
        ports.close();
        assert_ne!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
