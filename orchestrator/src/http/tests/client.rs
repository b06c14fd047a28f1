//! A client of few lines, that shows what lies on the wire: one connection per call, and
//! streams that can be read slowly or dropped.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Nothing here takes longer unless it hangs.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    stream: Chunks,
}

/// One message of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) event: String,
    pub(super) id: Option<String>,
    pub(super) data: Value,
}

#[derive(Debug)]
struct Chunks {
    wire: BufReader<TcpStream>,
    chunked: bool,
    length: Option<usize>,
    text: String,
    /// Lines that only show that the connection lives.
    beats: usize,
}

/// Sends a request as it stands.
pub(super) async fn send(to: SocketAddr, head: &str, body: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(to).await.expect("a connection");
    let request = format!("{head}Host: {to}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(request.as_bytes()).await.expect("sent");
    // A server that refuses a body need not read it.
    let _ = stream.write_all(body).await;
    let mut wire = BufReader::new(stream);
    let line = timeout(PATIENCE, line(&mut wire)).await.expect("an answer");
    let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let mut headers = BTreeMap::new();
    loop {
        let line = self::line(&mut wire).await;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let chunked = headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
    let length = headers.get("content-length").and_then(|length| length.parse().ok());
    Reply { status, headers, stream: Chunks { wire, chunked, length, text: String::new(), beats: 0 } }
}

async fn line(wire: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    wire.read_line(&mut line).await.expect("a line");
    line.trim_end().to_owned()
}

impl Reply {
    /// The whole body as JSON.
    pub(super) async fn json(mut self) -> Value {
        let gathered = timeout(PATIENCE, async { while self.stream.more().await {} });
        gathered.await.expect("an end");
        serde_json::from_str(&self.stream.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The whole body as it stands.
    pub(super) async fn text(mut self) -> String {
        let gathered = timeout(PATIENCE, async { while self.stream.more().await {} });
        gathered.await.expect("an end");
        self.stream.text
    }

    /// The next message of a stream; none at its end.
    pub(super) async fn message(&mut self) -> Option<Message> {
        timeout(PATIENCE, self.stream.message()).await.expect("a message")
    }

    /// Every message to the end.
    pub(super) async fn messages(mut self) -> Vec<Message> {
        let mut messages = Vec::new();
        while let Some(message) = self.message().await {
            messages.push(message);
        }
        messages
    }

    /// Reads until the stream has shown that it lives.
    pub(super) async fn beat(&mut self) {
        while self.stream.beats == 0 {
            assert!(timeout(PATIENCE, self.stream.more()).await.expect("a beat"), "it ended");
        }
    }
}

impl Chunks {
    /// Whether something came.
    async fn more(&mut self) -> bool {
        let length = if self.chunked {
            let size = line(&mut self.wire).await;
            usize::from_str_radix(&size, 16).unwrap_or(0)
        } else {
            self.length.take().unwrap_or(0)
        };
        let mut piece = vec![0; length];
        if self.wire.read_exact(&mut piece).await.is_err() {
            return false;
        }
        if self.chunked {
            line(&mut self.wire).await;
        }
        let piece = String::from_utf8(piece).expect("text");
        self.beats += piece.lines().filter(|line| line.starts_with(':')).count();
        self.text += &piece;
        length > 0
    }

    async fn message(&mut self) -> Option<Message> {
        loop {
            self.take_quiet();
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let found = block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    found.map(str::to_owned)
                };
                let (event, id) = (field("event").expect("an event"), field("id"));
                let data = serde_json::from_str(&field("data").expect("data")).expect("JSON");
                self.text = rest.to_owned();
                return Some(Message { event, id, data });
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Passes over what is no message.
    fn take_quiet(&mut self) {
        while let Some((block, rest)) = self.text.split_once("\n\n")
            && (block.starts_with(':') || block.starts_with("retry:"))
        {
            self.text = rest.to_owned();
        }
    }
}
