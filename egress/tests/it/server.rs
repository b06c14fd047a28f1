//! A small HTTP server whose answers are written out by the test.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use baton_egress::{Allow, Client, Lookup, Policy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server that is gone when its task is.
pub(crate) struct Server {
    pub(crate) at: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Answers each request with what `answer` makes of its text, then closes.
    pub(crate) async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let answer = Arc::new(answer);
        Self::serve(move |mut socket, request| {
            let answer = answer(&request);
            async move {
                let _ = socket.write_all(&answer).await;
                let _ = socket.shutdown().await;
            }
        })
        .await
    }

    /// Hands each request over with its connection.
    pub(crate) async fn serve<F: Future<Output = ()> + Send>(
        handle: impl Fn(TcpStream, String) -> F + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        let handle = Arc::new(handle);
        let task = tokio::spawn(async move {
            let mut tasks = tokio::task::JoinSet::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                let (kept, handle) = (kept.clone(), handle.clone());
                tasks.spawn(async move {
                    let request = read_request(&mut socket).await;
                    kept.lock().unwrap().push(request.clone());
                    handle(socket, request).await;
                });
            }
        });
        Self { at, seen, task }
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// An exception for this server under the address it listens on.
    pub(crate) fn allow(&self) -> Allow {
        Allow::new("127.0.0.1", self.at.port())
    }

    /// A URL of this server under the address it listens on.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }
}

async fn read_request(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        match socket.read(&mut piece).await {
            Ok(0) | Err(_) => return text,
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// An answer with that status line, headers and body.
pub(crate) fn answer(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into()
}

/// Names that lead where the test says; each look-up is counted.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) addresses: Vec<(&'static str, Vec<&'static str>)>,
    pub(crate) asked: Mutex<Vec<String>>,
}

#[async_trait]
impl Lookup for Names {
    async fn addresses(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(name.to_owned());
        let found = self.addresses.iter().find(|(known, _)| *known == name);
        let found = found.ok_or_else(|| std::io::Error::other("no such name"))?;
        Ok(found.1.iter().map(|text| text.parse().unwrap()).collect())
    }
}

/// A client with those exceptions and the names `several.test` (a dead address before the
/// right one), `inside.test`, `mixed.test`.
pub(crate) fn client(allow: impl IntoIterator<Item = Allow>) -> (Client, Arc<Names>) {
    let names = Arc::new(Names {
        addresses: vec![
            ("several.test", vec!["127.0.0.2", "127.0.0.1"]),
            ("inside.test", vec!["127.0.0.1"]),
            ("mixed.test", vec!["10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"]),
        ],
        asked: Mutex::default(),
    });
    (Client::with_lookup(Policy::allowing(allow), names.clone()), names)
}

/// Names whose answer is another one each time, as of a server that wants to be let in with
/// the first and reached with the second.
#[derive(Default)]
pub(crate) struct Changing {
    pub(crate) answers: Mutex<Vec<Vec<&'static str>>>,
    pub(crate) asked: Mutex<usize>,
}

#[async_trait]
impl Lookup for Changing {
    async fn addresses(&self, _name: &str) -> std::io::Result<Vec<IpAddr>> {
        *self.asked.lock().unwrap() += 1;
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Ok(answer.iter().map(|text| text.parse().unwrap()).collect())
    }
}
