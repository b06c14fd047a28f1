//! What runs ask: a model that answers, one that refuses and quotes all it was told, and a
//! page that may be slow.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::REPLY;

/// The server; it ends with the test's runtime.
pub(crate) struct Outside {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    requests: Mutex<String>,
    released: Notify,
}

impl Outside {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::<Shared>::default();
        let kept = shared.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(answer(socket, kept.clone()));
            }
        });
        Self { port, shared }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// All that was asked so far.
    pub(crate) fn requests(&self) -> String {
        self.shared.requests.lock().clone()
    }

    /// Whether that path was asked for.
    pub(crate) fn seen(&self, path: &str) -> bool {
        self.shared.requests.lock().contains(&format!("GET {path} "))
    }

    /// Lets the slow page answer.
    pub(crate) fn release(&self) {
        self.shared.released.notify_one();
    }
}

async fn answer(mut socket: TcpStream, shared: Arc<Shared>) {
    let request = read(&mut socket).await;
    shared.requests.lock().push_str(&request);
    let (status, body) = match request.split(' ').nth(1).unwrap_or_default() {
        path if path.starts_with("/good/") => {
            let message = json!({ "role": "assistant", "content": REPLY });
            let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
            ("200 OK", json!({ "choices": [choice], "usage": { "prompt_tokens": 1, "completion_tokens": 1 } }))
        }
        path if path.starts_with("/bad/") => (
            "401 Unauthorized",
            json!({ "error": { "message": request, "type": "invalid_request_error", "code": "invalid_api_key" } }),
        ),
        "/slow" => {
            shared.released.notified().await;
            ("200 OK", json!({ "slow": true }))
        }
        _ => ("200 OK", json!({ "fine": true })),
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let _ = socket.write_all((head + &body).as_bytes()).await;
    let _ = socket.shutdown().await;
}

async fn read(socket: &mut TcpStream) -> String {
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
