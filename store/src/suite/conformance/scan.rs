//! What a scan shows, by which blobs are known to be needed.

use std::sync::Arc;

use parking_lot::Mutex;

use super::super::differential::PARTITION;
use super::Story;

/// Kinds of rows whose text is kept as it is.
const KINDS: [&str; 6] = ["input ", "result ", "continued ", "segment ", "checkpoint ", "run "];

impl Story<'_> {
    pub(super) async fn a_scan_shows_every_body(&self) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        let show = Arc::new(move |text: &[u8]| kept.lock().push(String::from_utf8_lossy(text).into_owned()));
        let scanned = self.subject.scan(show).await;
        if !self.subject.shows_all() {
            assert!(scanned.is_err(), "a part of the records counts as all of them");
            return;
        }
        scanned.unwrap();
        let seen = seen.lock().join("\n");
        let rows = self.subject.rows(PARTITION).await.unwrap();
        let bodies = rows.iter().filter(|(name, _)| KINDS.iter().any(|kind| name.starts_with(kind)));
        let bodies: Vec<_> = bodies.filter(|(name, _)| !name.ends_with(" state") && !name.ends_with(" info")).collect();
        assert!(bodies.len() > 5, "{rows:?}");
        for (name, text) in bodies {
            assert!(seen.contains(text.as_str()), "{name} is not shown: {text}");
        }
    }
}
