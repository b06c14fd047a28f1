//! Whatever a model's server sends, it is an answer or a failure: never a panic, never more
//! than was sent. What is an answer is checked beside this file.

use futures_util::stream;
use proptest::prelude::*;

use super::*;

const SEEDS: [&str; 6] = [
    "data: {\"choices\":[{\"delta\":{\"content\":\"hi\"}}]}\n\n",
    "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}\n\n",
    "event: error\ndata: {\"error\":{\"code\":429,\"message\":\"x\"}}\n\n",
    ": beat\r\rid: 7\nretry: 99999999999999999999\ndata\n\n",
    "\u{feff}data: [DONE]\n\n",
];

struct Nobody;

impl DeltaSink for Nobody {
    fn delta(&self, _: Delta) {}
}

/// Both ways to read, in pieces of that size.
fn read(bytes: &[u8], piece: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let body = || -> Body {
        let pieces: Vec<_> = bytes.chunks(piece).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        Box::pin(stream::iter(pieces))
    };
    runtime.block_on(async {
        let answers = [
            read_events(Answer::default(), body(), &Nobody).await,
            read_whole(Answer::default(), body(), &Nobody).await,
        ];
        for answer in answers.into_iter().flatten() {
            assert!(answer.text.len() <= bytes.len());
            let _ = whole_calls(answer.calls);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_streamed_is_an_answer_or_a_failure(
        junk in prop::collection::vec(any::<u8>(), 0..100),
        seeds in prop::collection::vec(prop::sample::select(SEEDS.to_vec()), 0..6),
        place in any::<prop::sample::Index>(),
        bits in any::<u8>(),
        piece in 1..50_usize,
    ) {
        read(&junk, piece);
        let mut bytes = seeds.concat().into_bytes();
        if !bytes.is_empty() {
            let place = place.index(bytes.len());
            bytes[place] ^= bits;
            bytes.splice(place..place, junk);
        }
        read(&bytes, piece);
    }
}

#[test]
fn a_deep_or_endless_answer_is_a_failure() {
    for text in ["[".repeat(100_000), format!("data: {}\n\n", "{\"a\":".repeat(100_000)), "data: x\n".repeat(10_000)] {
        read(text.as_bytes(), 1_000);
    }
}
