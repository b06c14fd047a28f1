//! References that jobs bring, and blobs that nothing refers to.

use baton_blobs::{BlobStore as _, Key, put_content};
use baton_common::{BlobRef, Digest, JsonText, TenantId, Timestamp};
use baton_control::{BlobPlace, Upload, Way};
use bytes::Bytes;
use serde_json::json;

use super::graphs::{graph, tool};
use super::*;
use crate::api::Status;

const DAY_MS: u64 = 24 * 3_600_000;

fn keeps() -> Compiled {
    graph(
        "keeps",
        vec![tool("a", &json!({}), &[("out", "output")], &["b"]), tool("b", &json!({"last": true}), &[], &[])],
    )
}

async fn put(rig: &Rig, tenant: &TenantId, text: &str) -> BlobRef {
    let bytes = Bytes::from(text.to_owned());
    put_content(rig.orchestrator.blobs().as_ref(), tenant, "application/json", bytes).await.unwrap()
}

async fn is_there(rig: &Rig, blob: &BlobRef) -> bool {
    let key = Key::parse(&blob.key).unwrap();
    rig.orchestrator.blobs().size(&TenantId::local(), &key).await.unwrap().is_some()
}

fn in_two_days() -> Timestamp {
    baton_blobs::content::now().plus_ms(2 * DAY_MS)
}

#[tokio::test(start_paused = true)]
async fn a_reference_that_does_not_hold_ends_its_job() {
    let (own, other) = (TenantId::local(), TenantId::parse("other").unwrap());
    let rig = Rig::new(vec![keeps()], Settings::default()).await;
    let foreign = put(&rig, &other, "\"theirs\"").await;
    let altered = put(&rig, &own, "\"true\"").await;
    rig.orchestrator
        .blobs()
        .put(&own, &Key::parse(&altered.key).unwrap(), Bytes::from_static(b"\"fals\""))
        .await
        .unwrap();
    let shorter = BlobRef { bytes: 3, ..put(&rig, &own, "\"abcd\"").await };
    let outside = BlobRef { key: "../t-other/values/x".to_owned(), ..foreign.clone() };
    let offered = Arc::new(Mutex::new(Vec::new()));
    let offers = offered.clone();
    rig.work(move |_| offers.lock().pop());
    for (number, blob) in [foreign, altered, shorter, outside].into_iter().enumerate() {
        for (way, outcome) in
            [Outcome::Ok(Payload::Blob(blob.clone())), Outcome::value(json!({"deep": [{"$blob": blob}]}))]
                .into_iter()
                .enumerate()
        {
            offered.lock().push(outcome);
            let run = rig.submit_as("keeps", json!({}), &format!("r{number}-{way}"), None).await;
            let seen = rig.end(run).await;
            assert_eq!(seen.summary.status, Status::Failed);
            assert_eq!(seen.failure.unwrap().failure.code, "blob_refused", "{blob:?}");
        }
    }
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_upload_counts_once_it_was_compared() {
    let rig = Rig::new(vec![keeps()], Settings::default()).await;
    rig.work(|_| None);
    let run = rig.submit("keeps", json!({})).await;
    rig.until(run, |_| !rig.ran.lock().is_empty()).await;
    let grant = rig.ran.lock()[0].clone();
    let hold = Hold::of(&grant);
    let text = "\"content\"";
    let upload = |place| Upload {
        place,
        media_type: "application/json".to_owned(),
        bytes: text.len() as u64,
        digest: Digest::of(text),
    };
    for place in [BlobPlace::Value, BlobPlace::Artifact("a.json".to_owned())] {
        let berth = rig.orchestrator.open_upload(hold.clone(), upload(place.clone())).await.unwrap();
        let (blob, key) = (berth.blob.clone().unwrap(), Key::parse(&berth.blob.unwrap().key).unwrap());
        assert_eq!(berth.way, Way::Direct);
        let close = |blob: BlobRef| rig.orchestrator.close_upload(hold.clone(), place.clone(), blob);
        assert!(close(blob.clone()).await.is_err(), "nothing lies there");
        let store = rig.orchestrator.blobs().clone();
        store.put(&TenantId::local(), &key, Bytes::from_static(b"\"c0ntent\"")).await.unwrap();
        assert!(close(blob.clone()).await.is_err(), "something else lies there");
        assert!(rig.orchestrator.list_artifacts(hold.clone()).await.unwrap().is_empty());
        store.put(&TenantId::local(), &key, Bytes::from_static(text.as_bytes())).await.unwrap();
        assert_eq!(close(blob.clone()).await.unwrap(), blob);
        let elsewhere = BlobRef { key: "values/elsewhere".to_owned(), ..blob };
        assert!(close(elsewhere).await.is_err(), "it was to lie somewhere else");
    }
    assert_eq!(rig.orchestrator.list_artifacts(hold.clone()).await.unwrap().len(), 1);
    let again = rig.orchestrator.open_upload(hold.clone(), upload(BlobPlace::Value)).await.unwrap();
    assert_eq!(again.way, Way::There);
    let forged = Hold { token: "x".into(), ..hold };
    assert!(rig.orchestrator.open_upload(forged, upload(BlobPlace::Value)).await.is_err());
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_sweep_deletes_what_nothing_refers_to_and_nothing_else() {
    let own = TenantId::local();
    let rig = Rig::new(vec![keeps()], Settings::default()).await;
    let deepest = put(&rig, &own, "\"deepest\"").await;
    let inner = put(&rig, &own, &json!({"in": {"$blob": deepest}}).to_string()).await;
    let outer = put(&rig, &own, &json!({"in": {"$blob": inner}, "x": "x".repeat(300_000)}).to_string()).await;
    let never_recorded = put(&rig, &own, "\"never recorded\"").await;
    let stored = put(&rig, &own, &json!({"$blob": never_recorded}).to_string()).await;
    let result = outer.clone();
    rig.work(move |grant| match inline(&grant.args).get("last") {
        None => Some(Outcome::Ok(Payload::Blob(result.clone()))),
        Some(_) => None,
    });
    let run = rig.submit("keeps", json!({})).await;
    rig.until(run, |_| rig.ran.lock().len() == 2).await;
    let grant = rig.ran.lock()[1].clone();
    let hold = Hold::of(&grant);
    let file = BlobPlace::Artifact("kept.txt".to_owned());
    let file =
        rig.orchestrator.put_blob(hold, file, "text/plain".to_owned(), Bytes::from_static(b"file")).await.unwrap();

    let sweep = |dry, at| rig.orchestrator.inner.sweep_blobs(None, dry, at);
    let young = sweep(false, baton_blobs::content::now()).await.unwrap();
    assert_eq!(young.removed, 0, "all are younger than the grace");
    let told = sweep(true, in_two_days()).await.unwrap();
    assert!(is_there(&rig, &never_recorded).await && is_there(&rig, &stored).await);
    let (one, two) = tokio::join!(sweep(false, in_two_days()), sweep(false, in_two_days()));
    assert_eq!(told.removed, 2, "{told:?}");
    assert!(one.unwrap().removed <= 2 && two.unwrap().removed <= 2);
    for (blob, kept) in
        [(outer, true), (inner, true), (deepest, true), (file, true), (never_recorded, false), (stored, false)]
    {
        assert_eq!(is_there(&rig, &blob).await, kept, "{blob:?}");
    }
    assert_eq!(sweep(false, in_two_days()).await.unwrap().removed, 0);
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_large_control_lies_elsewhere_and_comes_back() {
    let rig = Rig::new(vec![keeps()], Settings::default()).await;
    rig.work(echo);
    let run = rig.submit("keeps", json!({})).await;
    let seen = rig.end(run).await;
    let thread = rig.orchestrator.inner.run_info(run).await.unwrap().unwrap().thread.clone();
    let checkpoint = rig.orchestrator.inner.checkpoint_at(&thread, seen.head).await.unwrap().unwrap();
    for (size, elsewhere) in [(10, false), (300_000, true)] {
        let mut stored = checkpoint.clone();
        let mut control: Value = stored.control.read().unwrap();
        control["more"] = json!("x".repeat(size));
        stored.control = control.into();
        let whole = stored.clone();
        let own = TenantId::local();
        let put = rig.orchestrator.inner.put_large(&own, std::slice::from_mut(&mut stored), &mut []);
        put.await.unwrap();
        assert_eq!(stored.control == JsonText::null(), elsewhere);
        let back = rig.orchestrator.inner.whole_checkpoint(&TenantId::local(), stored).await.unwrap();
        assert_eq!(back, whole);
    }
    rig.stop().await;
}

/// Makes every blob look as if it was written days ago.
async fn age(blobs: &baton_blobs::Objects) {
    let own = TenantId::local();
    for entry in blobs.list(&own, None).await.unwrap() {
        let file = std::fs::File::options().write(true).open(blobs.file(&own, &entry.key).unwrap()).unwrap();
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_millis(2 * DAY_MS)).unwrap();
    }
}

#[tokio::test]
async fn what_is_referred_to_while_a_sweep_goes_on_survives_it() {
    let own = TenantId::local();
    let folder = tempfile::tempdir().unwrap();
    let blobs = baton_blobs::Objects::folder(folder.path()).unwrap();
    let store = Counting::new(MemoryStore::new(Timings::default()));
    let rig = Rig::with_blobs(store, Memory::default(), blobs.clone(), vec![keeps()], Settings::default()).await;
    let next = Arc::new(Mutex::new(None::<BlobRef>));
    let result = next.clone();
    rig.work(move |grant| match inline(&grant.args).get("last") {
        None => result.lock().clone().map(|blob| Outcome::Ok(Payload::Blob(blob))),
        Some(_) => None,
    });
    let content = |number: usize| json!({"n": number % 3, "x": "x".repeat(300_000)});
    let mut runs = Vec::new();
    for number in 0..12 {
        // Content that nothing refers to, so old that this sweep deletes it, is stored once more.
        put(&rig, &own, &content(number).to_string()).await;
        age(&blobs).await;
        let begin = async {
            tokio::time::sleep(std::time::Duration::from_micros(number as u64 * 700)).await;
            *next.lock() = Some(put(&rig, &own, &content(number).to_string()).await);
            let run = rig.submit_as("keeps", json!({}), &format!("r{number}"), None).await;
            let ran = rig.ran.clone();
            rig.until(run, |view| view.head != baton_common::Seq(0) && ran.lock().len() > 2 * number + 1).await;
            run
        };
        let now = baton_blobs::content::now();
        let (run, swept) = tokio::join!(begin, rig.orchestrator.inner.sweep_blobs(None, false, now));
        swept.unwrap();
        runs.push(run);
        for (number, run) in runs.iter().enumerate() {
            rig.orchestrator.inner.states.forget(*run);
            let state = rig.orchestrator.state(&Caller::local(), *run, None).await.unwrap();
            assert_eq!(*state.values["out"], content(number), "run {number} after {}", runs.len());
        }
    }
    rig.stop().await;
}
