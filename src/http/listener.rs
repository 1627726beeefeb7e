//! The listener: accepts, lets in whom [`Door`] lets in, and gives each connection a thread.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock;
use crate::http::conn::{self, Listens};
use crate::http::door::{Doing, Door, Verdict};
use crate::http::guard::Guard;
use crate::http::parse::Raw;
use crate::http::{Response, Site, serve};
use crate::keepalive::admission::Source;
use crate::keepalive::ports::{Listening, Port, Ports};
use crate::keepalive::quota::LogQuota;
use crate::run::threads::{HTTP_STACK, SMALL_STACK, Stop, lock, spawn};

/// Pause after an accept or a thread start that failed for want of something.
const PAUSE: Duration = Duration::from_millis(100);
/// For those for whom there is no place.
const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

struct Shared {
    site: Arc<Site>,
    guard: Mutex<Guard>,
    door: Mutex<Door<Arc<TcpStream>>>,
    quota: Mutex<LogQuota>,
    ports: Ports,
    stop: Stop,
}

/// The running listener.
pub struct Listener {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Listener {
    /// One that listens nowhere yet.
    pub fn new(site: Arc<Site>, stop: Stop) -> Listener {
        let ports = Ports::of(" for HTTP");
        let (guard, door, quota) = (Mutex::default(), Mutex::default(), Mutex::default());
        Listener { shared: Arc::new(Shared { site, guard, door, quota, ports, stop }), threads: Vec::new() }
    }

    /// Listens at these addresses and no others. Those that stay are listened on without a break; a busy port is no
    /// error: it is said and tried again.
    ///
    /// # Errors
    /// When the system has no room for a thread; what is missing then is made up for by the next call.
    pub fn listen(&mut self, addresses: &[SocketAddr]) -> io::Result<()> {
        self.threads.retain(|thread| !thread.is_finished());
        for port in self.shared.ports.change(addresses) {
            // The first attempt is made here, so that the bound address is known when this returns.
            let first = port.bind();
            let (shared, inside) = (Arc::clone(&self.shared), Arc::clone(&port));
            let thread = spawn("http-accept", SMALL_STACK, move || shared.listen(&inside, first));
            if thread.is_err() {
                port.close();
            }
            self.threads.push(thread?);
        }
        Ok(())
    }

    /// Every address with what became of it.
    pub fn listening(&self) -> Vec<Listening> {
        self.shared.ports.listening()
    }

    /// Ends accepting, and connections that wait for a request: call it after [`Stop::stop`]. What is being answered may
    /// be sent. Gives the threads that end soon.
    pub fn close(&mut self) -> Vec<JoinHandle<()>> {
        self.shared.ports.close();
        for socket in lock(&self.shared.door).sockets() {
            // Fails only if the other side closed it first.
            let _ = socket.shutdown(Shutdown::Read);
        }
        std::mem::take(&mut self.threads)
    }
}

impl Shared {
    fn listen(self: &Arc<Self>, port: &Arc<Port>, first: Option<Arc<TcpListener>>) {
        let Some(listener) = first.or_else(|| port.bind_in_time()) else { return };
        let over = || self.stop.is_stopped() || port.gone.is_stopped();
        while !over() {
            match listener.accept() {
                Ok((socket, from)) => self.arrived(port, Arc::new(socket), from),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::ConnectionAborted) => {}
                Err(_) if over() => return,
                Err(e) => self.fail("cannot accept HTTP connections: ", &e),
            }
        }
    }

    /// Lets a connection in or turns it away.
    fn arrived(self: &Arc<Self>, port: &Arc<Port>, socket: Arc<TcpStream>, from: SocketAddr) {
        let (source, now) = (Source::of(from.ip()), clock::tick());
        let own = from.ip().to_canonical().is_loopback();
        let known = lock(&self.guard).is_known(source, now);
        let verdict = lock(&self.door).arrived(source, (known, own), &socket, now);
        let id = match verdict {
            Verdict::Admit(id) => id,
            Verdict::AdmitAndClose(id, gone) => {
                let _ = gone.shutdown(Shutdown::Both);
                id
            }
            Verdict::Busy => return turn_away(&socket),
        };
        let (shared, port) = (Arc::clone(self), Arc::clone(port));
        let serve = move || {
            let mut ear = Ear { shared: &shared, port: &port, from, id };
            // Nobody is told of what strangers break off.
            if let Err(error) = conn::converse(&socket, &mut ear) {
                log::debug!("HTTP from {source}: {error}");
            }
            lock(&shared.door).closed(id);
        };
        if let Err(e) = spawn("http-conn", HTTP_STACK, serve) {
            lock(&self.door).closed(id);
            self.fail("cannot start a thread for an HTTP connection: ", &e);
        }
    }

    /// Says what is wrong, once a minute, and waits for better times.
    fn fail(&self, what: &str, error: &io::Error) {
        if lock(&self.quota).allows(0, clock::tick()) {
            log::warn!("{what}{error}");
        }
        self.stop.wait(PAUSE);
    }
}

/// Says that there is no place, and waits for nothing: the buffer of a new connection is empty. What came already is read,
/// since closing with unread bytes would reset the connection and could take the word with it.
fn turn_away(mut socket: &TcpStream) {
    if socket.set_nonblocking(true).is_ok() {
        // Whoever sends later than this may see nothing but the end.
        let _ = socket.read(&mut [0; 1024]);
        let _ = socket.write(BUSY);
    }
}

/// Stands for a connection.
struct Ear<'a> {
    shared: &'a Shared,
    port: &'a Port,
    from: SocketAddr,
    id: u32,
}

impl Listens for Ear<'_> {
    fn turned(&mut self, doing: Doing) -> bool {
        // A request that is whole is answered.
        let over = self.shared.stop.is_stopped() || self.port.gone.is_stopped();
        let goes_on = lock(&self.shared.door).turned(self.id, doing, clock::tick());
        goes_on && !(over && doing != Doing::Answering)
    }

    fn answer(&mut self, raw: &Raw<'_>) -> Arc<Response> {
        let (answer, proved) = serve::answer(&self.shared.site, &self.shared.guard, self.from.ip(), raw);
        if proved {
            lock(&self.shared.door).proved(Source::of(self.from.ip()));
        }
        answer
    }
}
