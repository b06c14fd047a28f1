//! A TCP proxy before a server, through which tests do to connections what networks do:
//! cut them, delay them, or leave them half open, so that both ends live and nobody hears
//! the other.
//!
//! It knows no protocol. It runs on a thread of its own, so that blocking tests can use it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What happens to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// They go on at once.
    Open,
    /// They go on that much later, in their order.
    Slow(Duration),
    /// They vanish, and connections stay open: the other end is gone and nobody said so. When
    /// this ends, so do the connections it met.
    Silent,
    /// Only what the server answers vanishes: it does what it is asked, and nobody learns of
    /// it. When this ends, so do the connections it met.
    Unanswered,
    /// Connections end, new ones too.
    Closed,
}

#[derive(Debug, Clone, Copy)]
struct State {
    way: Way,
    /// Connections that were made before this many cuts are over.
    cuts: u64,
    /// Those that were made before this many silences hear nothing any more.
    silences: u64,
}

/// The proxy; gone with its connections when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    state: Option<watch::Sender<State>>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    open: AtomicUsize,
    bytes: AtomicU64,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and forwards to that one. Its server need not run
    /// yet.
    ///
    /// # Errors
    /// When there is no port, or no thread.
    pub fn start(target: u16) -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port for a proxy")?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (sender, state) = watch::channel(State { way: Way::Open, cuts: 0, silences: 0 });
        let counts = Arc::new(Counts::default());
        let (target, counted) = (SocketAddr::from((Ipv4Addr::LOCALHOST, target)), counts.clone());
        let thread = std::thread::Builder::new().name(format!("proxy-{port}")).spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                accept(&listener, target, state, &counted).await;
            });
        })?;
        Ok(Self { port, state: Some(sender), counts, thread: Some(thread) })
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Connections through it now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.counts.open.load(Ordering::Relaxed)
    }

    /// Bytes it has forwarded so far, both ways.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.counts.bytes.load(Ordering::Relaxed)
    }

    /// Changes what happens to bytes from now on.
    pub fn set(&self, way: Way) {
        self.change(|state| state.way = way);
    }

    /// Ends every connection there is; new ones are welcome.
    pub fn cut(&self) {
        self.change(|state| state.cuts += 1);
    }

    /// Leaves the connections there are half open for good: nothing goes either way, and nobody
    /// ends them. New ones are welcome.
    pub fn silence(&self) {
        self.change(|state| state.silences += 1);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        if let Some(state) = &self.state {
            state.send_modify(change);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Everything it runs ends with the sender.
        self.state = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: &TcpListener, target: SocketAddr, mut state: watch::Receiver<State>, counts: &Arc<Counts>) {
    loop {
        let client = tokio::select! {
            () = dropped(&mut state) => return,
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => client,
                Err(_) => continue,
            }
        };
        let (state, counts) = (state.clone(), counts.clone());
        tokio::spawn(async move {
            counts.open.fetch_add(1, Ordering::Relaxed);
            carry(client, target, state, &counts).await;
            counts.open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Waits until the proxy is dropped.
async fn dropped(state: &mut watch::Receiver<State>) {
    while state.changed().await.is_ok() {}
}

/// Carries one connection to its end.
async fn carry(client: TcpStream, target: SocketAddr, state: watch::Receiver<State>, counts: &Arc<Counts>) {
    let _ = client.set_nodelay(true);
    let mut over = state.clone();
    let server = tokio::select! {
        () = is_over(&mut over) => return reset(client),
        server = TcpStream::connect(target) => server,
    };
    let Ok(server) = server else { return reset(client) };
    let _ = server.set_nodelay(true);
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let there = tokio::spawn(pump(from_client, to_server, state.clone(), false, counts.clone()));
    let back = tokio::spawn(pump(from_server, to_client, state, true, counts.clone()));
    let (stop_there, stop_back) = (there.abort_handle(), back.abort_handle());
    let pumps = async { (there.await, back.await) };
    tokio::pin!(pumps);
    tokio::select! {
        _ = &mut pumps => {}
        () = is_over(&mut over) => {
            stop_there.abort();
            stop_back.abort();
            let _ = pumps.await;
        }
    }
}

/// Waits until a connection made now is over: cut, refused, or silent and then no more.
async fn is_over(state: &mut watch::Receiver<State>) {
    let (cuts, mut silenced) = (state.borrow().cuts, false);
    loop {
        let State { way, cuts: now, .. } = *state.borrow_and_update();
        let silent = matches!(way, Way::Silent | Way::Unanswered);
        if now != cuts || way == Way::Closed || silenced && !silent {
            return;
        }
        silenced |= silent;
        if state.changed().await.is_err() {
            return;
        }
    }
}

/// Forwards one direction until it ends.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: watch::Receiver<State>,
    answers: bool,
    counts: Arc<Counts>,
) {
    let mut buffer = vec![0; 64 * 1024];
    let born = state.borrow().silences;
    let is_silent = || {
        let now = state.borrow();
        now.way == Way::Silent || now.silences != born
    };
    // Bytes after a hole would be taken for others, which no network does: nothing follows one, and
    // the connection ends when the way opens.
    let mut holed = false;
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        let way = state.borrow().way;
        holed |= is_silent() || answers && way == Way::Unanswered;
        if holed {
            continue;
        }
        if let Way::Slow(pause) = way {
            tokio::time::sleep(pause).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
        counts.bytes.fetch_add(u64::try_from(read).unwrap_or(0), Ordering::Relaxed);
    }
    // Of a connection whose other end is silent nobody hears that it ended either.
    if is_silent() {
        to.forget();
    } else {
        let _ = to.shutdown().await;
    }
}

fn reset(stream: TcpStream) {
    let _ = stream.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::{Proxy, Way};

    /// A server that gives back what it was given.
    fn echo() -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    let mut buffer = [0; 64];
                    while let Ok(read) = stream.read(&mut buffer) {
                        if read == 0 || stream.write_all(&buffer[..read]).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        port
    }

    fn connect(proxy: &Proxy) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        stream
    }

    /// What comes back for a word; `None` where nothing does.
    fn say(stream: &mut TcpStream) -> Result<bool, ErrorKind> {
        stream.write_all(b"word").map_err(|error| error.kind())?;
        let mut word = [0; 4];
        match stream.read(&mut word) {
            Ok(0) => Err(ErrorKind::UnexpectedEof),
            Ok(_) => Ok(&word == b"word"),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(false),
            Err(error) => Err(error.kind()),
        }
    }

    #[test]
    fn bytes_go_through_and_can_be_late() {
        let proxy = Proxy::start(echo()).unwrap();
        let mut stream = connect(&proxy);
        assert_eq!(say(&mut stream), Ok(true));
        proxy.set(Way::Slow(Duration::from_millis(60)));
        let began = Instant::now();
        assert_eq!(say(&mut stream), Ok(true));
        assert!(began.elapsed() >= Duration::from_millis(120), "late both ways");
        assert_eq!(proxy.connections(), 1);
        // They are counted once they are on their way, so the word may be back first.
        crate::wait_until("every byte is counted", Duration::from_secs(5), || Ok(proxy.bytes() == 16)).unwrap();
    }

    #[test]
    fn a_cut_ends_connections_and_lets_new_ones_in() {
        let proxy = Proxy::start(echo()).unwrap();
        let mut stream = connect(&proxy);
        assert_eq!(say(&mut stream), Ok(true));
        proxy.cut();
        crate::wait_until("the connection is over", Duration::from_secs(5), || Ok(say(&mut stream).is_err())).unwrap();
        assert_eq!(say(&mut connect(&proxy)), Ok(true));
    }

    #[test]
    fn a_half_open_connection_hears_nothing_and_ends_when_that_is_over() {
        let proxy = Proxy::start(echo()).unwrap();
        for way in [Way::Silent, Way::Unanswered] {
            proxy.set(Way::Open);
            let mut stream = connect(&proxy);
            assert_eq!(say(&mut stream), Ok(true));
            proxy.set(way);
            assert_eq!(say(&mut stream), Ok(false), "{way:?}: nothing comes, and nothing breaks");
            proxy.set(Way::Open);
            let over = || {
                let said = say(&mut stream);
                assert_ne!(said, Ok(true), "{way:?}: nothing comes after what was lost");
                Ok(said.is_err())
            };
            crate::wait_until("the connection is over", Duration::from_secs(5), over).unwrap();
        }
    }

    #[test]
    fn a_silenced_connection_stays_half_open_and_a_new_one_works() {
        let proxy = Proxy::start(echo()).unwrap();
        let mut stream = connect(&proxy);
        assert_eq!(say(&mut stream), Ok(true));
        proxy.silence();
        assert_eq!(say(&mut stream), Ok(false));
        assert_eq!(say(&mut connect(&proxy)), Ok(true));
        assert_eq!(say(&mut stream), Ok(false), "still nothing, and still no end");
    }

    #[test]
    fn a_closed_way_refuses_until_it_opens() {
        let proxy = Proxy::start(echo()).unwrap();
        proxy.set(Way::Closed);
        let refused =
            TcpStream::connect(("127.0.0.1", proxy.port())).map_or(true, |mut stream| say(&mut stream).is_err());
        assert!(refused);
        proxy.set(Way::Open);
        assert_eq!(say(&mut connect(&proxy)), Ok(true));
    }
}
