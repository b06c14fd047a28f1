//! Whatever a name, a key, an address or a header is, it is understood or not, and a key of
//! the blob store leads nowhere else.
#![no_main]

use baton_blobs::Key;
use baton_egress::{Url, address, retry_after};
use baton_tools::media;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = (retry_after::parse(text, jiff::Timestamp::UNIX_EPOCH), media::of_name(text));
    if let Ok(key) = Key::parse(text) {
        assert!(key.as_str().split('/').all(|part| !matches!(part, "" | "." | "..")), "{key:?}");
        assert!(Key::of_content(baton_common::Digest::of(text)).join(text).is_ok_and(|key| key.as_str().ends_with(text)));
    }
    if let Ok(url) = Url::parse(text)
        && let Some(Ok(host)) = url.host_str().map(str::parse)
    {
        let _ = address::objection(host);
    }
});
