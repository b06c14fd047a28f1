//! What `fuzz/` throws bytes at: a server's answer, streamed and whole.

use bytes::Bytes;
use futures_util::{FutureExt as _, stream};

use super::stream::{Answer, read_events, read_whole};
use crate::http::Body;
use crate::model::Quiet;

/// Reads the bytes both ways, in pieces of that size.
pub fn read(bytes: &[u8], piece: usize) {
    let body = || -> Body {
        let pieces: Vec<_> = bytes.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Box::pin(stream::iter(pieces))
    };
    // A body that is all there never makes its reader wait.
    for answer in [
        read_events(Answer::default(), body(), &Quiet).now_or_never(),
        read_whole(Answer::default(), body(), &Quiet).now_or_never(),
    ] {
        if let Some(Ok(answer)) = answer {
            answer.check(bytes.len());
        }
    }
}
