//! A small HTTP server that plays a model's server: it keeps what it was asked and sends
//! the bytes it was told to, cut where it was told to cut them.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What to send for one request.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Sent one by one, each in a write of its own.
    pub(crate) pieces: Vec<Vec<u8>>,
    pub(crate) end: End,
}

/// How the connection ends after the pieces.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum End {
    /// As HTTP wants it.
    Proper,
    /// Closed without the last chunk.
    Cut,
    /// Left open and silent.
    Stall,
}

impl Script {
    /// An event stream of those chunks and `[DONE]`, in pieces of `size` bytes.
    pub(crate) fn events(chunks: &[Value], size: usize) -> Self {
        let mut text = String::from("\u{feff}: a comment\r\n\r\n");
        for chunk in chunks {
            text.push_str(&format!("data: {chunk}\r\n\r\n"));
        }
        text.push_str("data: [DONE]\n\n");
        let pieces = text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect();
        Self { status: 200, headers: vec![("content-type", "text/event-stream".to_owned())], pieces, end: End::Proper }
    }

    /// Begins with byte order marks beyond the one that is allowed.
    pub(crate) fn marked(mut self) -> Self {
        self.pieces.insert(0, "\u{feff}\u{feff}".as_bytes().to_vec());
        self
    }

    /// One body with that status.
    pub(crate) fn body(status: u16, body: &str) -> Self {
        let headers = vec![("content-type", "application/json".to_owned())];
        Self { status, headers, pieces: vec![body.as_bytes().to_vec()], end: End::Proper }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn end(mut self, end: End) -> Self {
        self.end = end;
        self
    }
}

/// A request as it came.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: Value,
}

/// A running server; it ends with the test's runtime.
pub(crate) struct Server {
    pub(crate) base_url: String,
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// Answers the n-th request with the n-th script, the last one for all beyond.
    pub(crate) async fn start(scripts: Vec<Script>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let kept = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, scripts.clone(), kept.clone()));
            }
        });
        Self { base_url: format!("http://127.0.0.1:{port}/v1"), port, seen }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, scripts: Vec<Script>, seen: Arc<Mutex<Vec<Seen>>>) {
    let request = read_request(&mut stream).await;
    let script = {
        let mut seen = seen.lock().unwrap();
        seen.push(request);
        scripts[(seen.len() - 1).min(scripts.len() - 1)].clone()
    };
    let mut head = format!("HTTP/1.1 {} X\r\ntransfer-encoding: chunked\r\nconnection: close\r\n", script.status);
    for (name, value) in &script.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.set_nodelay(true).unwrap();
    let _ = stream.write_all(head.as_bytes()).await;
    for piece in &script.pieces {
        let mut chunk = format!("{:x}\r\n", piece.len()).into_bytes();
        chunk.extend_from_slice(piece);
        chunk.extend_from_slice(b"\r\n");
        // The client may have gone away: that is part of some tests.
        if stream.write_all(&chunk).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    match script.end {
        End::Proper => drop(stream.write_all(b"0\r\n\r\n").await),
        End::Cut => {}
        End::Stall => std::future::pending().await,
    }
}

async fn read_request(stream: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        bytes.extend_from_slice(&buffer[..read]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
        let length: usize = length.trim().parse().unwrap();
        if bytes.len() >= end + 4 + length {
            let body = serde_json::from_slice(&bytes[end + 4..]).unwrap_or_default();
            return Seen { head, body };
        }
    }
}
