//! The server thread: connections, requests and their faults.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, mpsc};

use hyper::Response as HttpResponse;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Fault;
use super::received::{Received, Record};
use super::response::{Response, Sending};

const BACKLOG: u32 = 1_024;
const NO_HTTP: &[u8] = b"\x16\x03\x01\x00\xffthis is no HTTP\x00\r\n\r\n";

pub(super) type Handler = Box<dyn Fn(&Received) -> Response + Send + Sync>;

/// The state that the server and its user share.
pub(super) struct Shared {
    pub(super) handler: RwLock<Handler>,
    pub(super) record: Mutex<Record>,
    pub(super) requests: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) in_flight: AtomicU64,
    pub(super) most_in_flight: AtomicU64,
    fault: watch::Sender<Option<Fault>>,
}

/// A fault or none; `done` reports that it is active.
pub(super) struct Command {
    pub(super) fault: Option<Fault>,
    pub(super) done: mpsc::Sender<()>,
}

impl Shared {
    pub(super) fn new(handler: Handler) -> Self {
        Self {
            handler: RwLock::new(handler),
            record: Mutex::default(),
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            most_in_flight: AtomicU64::new(0),
            fault: watch::Sender::new(None),
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requests = self.requests.load(Ordering::SeqCst);
        write!(formatter, "{requests} requests, {:?}", *self.fault.borrow())
    }
}

/// Serves until the sender of commands is dropped. Then everything in progress ends with the runtime.
pub(super) fn run(
    shared: &Arc<Shared>,
    commands: UnboundedReceiver<Command>,
    ready: &mpsc::Sender<SocketAddr>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(serve(shared, commands, ready));
}

async fn serve(
    shared: &Arc<Shared>,
    mut commands: UnboundedReceiver<Command>,
    ready: &mpsc::Sender<SocketAddr>,
) {
    // Bound while the server runs, without listening. So the port stays reserved while connections to it are
    // refused.
    let reservation = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let address = reservation.local_addr().expect("the port's address");
    let mut listener = Some(listening(address));
    let mut connections = JoinSet::new();
    let _ = ready.send(address);
    loop {
        tokio::select! {
            command = commands.recv() => {
                let Some(Command { fault, done }) = command else { return };
                shared.fault.send_replace(fault);
                if fault.is_some_and(Fault::is_of_connections) {
                    connections.shutdown().await;
                }
                if fault == Some(Fault::Refuse) {
                    listener = None;
                } else if listener.is_none() {
                    listener = Some(listening(address));
                }
                let _ = done.send(());
            }
            stream = accept(listener.as_ref()) => {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                connections.spawn(connection(Arc::clone(shared), stream));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option of the socket");
    socket.bind(address).expect("a free port");
    socket
}

fn listening(address: SocketAddr) -> TcpListener {
    bound(address).listen(BACKLOG).expect("a listener")
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    if let Some(listener) = listener {
        loop {
            // The connection may already be gone.
            if let Ok((stream, _)) = listener.accept().await {
                return stream;
            }
        }
    }
    std::future::pending().await
}

async fn connection(shared: Arc<Shared>, stream: TcpStream) {
    // Otherwise a small response may wait for the acknowledgement of the one before.
    let _ = stream.set_nodelay(true);
    let fault = *shared.fault.borrow();
    match fault {
        Some(Fault::Reset) => {
            let _ = stream.set_zero_linger();
        }
        Some(Fault::Garbage) => garbage(stream).await,
        _ => {
            let service = service_fn(|request| respond(Arc::clone(&shared), request));
            let http = auto::Builder::new(TokioExecutor::new());
            // It fails whenever the other side or a fault cuts it.
            let _ = http.serve_connection(TokioIo::new(stream), service).await;
        }
    }
}

async fn garbage(mut stream: TcpStream) {
    let mut asked = [0; 1_024];
    // A body without a request would be garbage.
    if let Ok(1..) = stream.read(&mut asked).await {
        let _ = stream.write_all(NO_HTTP).await;
        let _ = stream.shutdown().await;
    }
}

/// An error means no response: it ends the connection, or the stream in HTTP/2.
async fn respond(
    shared: Arc<Shared>,
    request: hyper::Request<Incoming>,
) -> Result<HttpResponse<Sending>, String> {
    let received = Received::read(request).await?;
    let _waiting = Waiting::enter(&shared);
    let mut faults = shared.fault.subscribe();
    let fault = *faults.borrow_and_update();
    let response = shared.handler.read().expect("a handler")(&received);
    shared.record.lock().expect("the record").add(received);
    // After the record, so that a test that sees the count finds the request.
    shared.requests.fetch_add(1, Ordering::SeqCst);
    let response = match fault {
        Some(Fault::Silence) => {
            let _ = faults.changed().await;
            return Err("no response".to_owned());
        }
        Some(Fault::Late(delay)) => response.after(delay),
        Some(Fault::Cut) => response.cut(),
        Some(Fault::Long(bytes)) => response.long(bytes),
        Some(Fault::Endless) => response.endless(),
        Some(Fault::Status(status)) => Response::new(status),
        Some(Fault::Refuse | Fault::Reset | Fault::Garbage) | None => response,
    };
    tokio::time::sleep(response.delay()).await;
    Ok(response.into_response())
}

/// A request that waits for its response.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn enter(shared: &'a Shared) -> Self {
        let now = shared.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_in_flight.fetch_max(now, Ordering::SeqCst);
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
