//! What a token opens: its own attempt at its own job, for its own tenant, and nothing else,
//! whichever call it is shown to.

use baton_blobs::put_content;
use baton_common::{BlobRef, Digest, Fence, JobId, TenantId};
use baton_control::{BlobPlace, Error};
use bytes::Bytes;

use super::graphs::{graph, tool};
use super::*;

fn one_job() -> Compiled {
    graph("one", vec![tool("a", &json!({"n": 1}), &[("out", "output.n")], &[])])
}

/// A job that is held, with its worker's hold.
async fn held() -> (Rig, Grant, Hold) {
    let rig = Rig::new(vec![one_job()], Settings::default()).await;
    rig.work(|_| None);
    rig.submit("one", json!({})).await;
    let started = std::time::Instant::now();
    let grant = loop {
        if let Some(grant) = rig.ran.lock().first().cloned() {
            break grant;
        }
        assert!(started.elapsed() < std::time::Duration::from_secs(20), "it is never claimed");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let hold = Hold::of(&grant);
    (rig, grant, hold)
}

/// Holds that somebody made of a true one.
fn forged(hold: &Hold) -> Vec<(&'static str, Hold)> {
    let with = |change: &dyn Fn(&mut Hold)| {
        let mut forged = hold.clone();
        change(&mut forged);
        forged
    };
    let other = format!("{}/7", hold.job.to_string().rsplit_once('/').unwrap().0).parse::<JobId>().unwrap();
    let seal = hold.token.split_once('.').unwrap().0.to_owned();
    vec![
        ("no token", with(&|hold| hold.token = "".into())),
        ("garbage", with(&|hold| hold.token = "x.local".into())),
        ("a seal alone", with(&|hold| hold.token = seal.as_str().into())),
        ("another tenant", with(&|hold| hold.token = format!("{seal}.somebody").into())),
        ("another graph", with(&|hold| hold.token = format!("{seal}.local@{}", "0".repeat(32)).into())),
        ("another job", with(&|hold| hold.job = other.clone())),
        ("a later attempt", with(&|hold| hold.fence = Fence(hold.fence.0 + 1))),
        ("an earlier attempt", with(&|hold| hold.fence = Fence(hold.fence.0.wrapping_sub(1)))),
        ("another case", with(&|hold| hold.token = hold.token.to_uppercase().into())),
        ("more behind it", with(&|hold| hold.token = format!("{}x", hold.token).into())),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_token_of_something_else_is_refused_by_every_call() {
    let (rig, grant, hold) = held().await;
    let plane = &rig.orchestrator;
    let blob = plane.put_blob(hold.clone(), BlobPlace::Value, "text/plain".to_owned(), Bytes::from_static(b"x")).await;
    let blob = blob.unwrap();
    for (what, forged) in forged(&hold) {
        let refused = |result: Result<(), Error>| {
            let refused = matches!(&result, Err(Error::Refused(why)) if why.contains("token"));
            assert!(refused, "{what}: {result:?}");
        };
        let renewed = plane.renew(WorkerId(1), vec![forged.clone()]).await.unwrap();
        assert_eq!(renewed, [baton_common::job::RenewAnswer::Lost], "{what}");
        let outcome = Outcome::value(json!({"n": 2}));
        refused(
            plane.resume(Resume { hold: forged.clone(), digest: grant.digest, outcome, trace: None }).await.map(|_| ()),
        );
        refused(plane.give_back(forged.clone(), grant.digest).await.map(|_| ()));
        refused(plane.emit(forged.clone(), json!("seen")).await);
        let put = |place| plane.put_blob(forged.clone(), place, "text/plain".to_owned(), Bytes::from_static(b"y"));
        refused(put(BlobPlace::Value).await.map(|_| ()));
        refused(put(BlobPlace::Artifact("report.md".to_owned())).await.map(|_| ()));
        refused(plane.get_blob(forged.clone(), blob.clone()).await.map(|_| ()));
        refused(plane.list_artifacts(forged.clone()).await.map(|_| ()));
    }
    assert_eq!(plane.list_artifacts(hold.clone()).await.unwrap(), []);
    // The true one still opens what is its own, and its worker's lease is another's to renew.
    let renewed = plane.renew(WorkerId(2), vec![hold.clone()]).await.unwrap();
    assert_eq!(renewed, [baton_common::job::RenewAnswer::Lost], "another worker renews nothing");
    assert_eq!(resume(plane, &grant, Outcome::value(json!({"n": 3}))).await, ResumeAnswer::Recorded);
    assert_eq!(rig.end(grant.job.run).await.output, Some(json!({"out": 3})));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_is_played_again_changes_nothing() {
    let (rig, grant, hold) = held().await;
    let plane = &rig.orchestrator;
    assert_eq!(resume(plane, &grant, Outcome::value(json!({"n": 3}))).await, ResumeAnswer::Recorded);
    let before = rig.end(grant.job.run).await;
    for outcome in [Outcome::value(json!({"n": 4})), transient()] {
        let answer = resume(plane, &grant, outcome).await;
        assert!(
            matches!(answer, ResumeAnswer::Duplicate | ResumeAnswer::Stale | ResumeAnswer::RunTerminal),
            "{answer:?}"
        );
    }
    let back = plane.give_back(hold.clone(), grant.digest).await.unwrap();
    assert!(!matches!(back, ResumeAnswer::Recorded | ResumeAnswer::Retry), "{back:?}");
    let renewed = plane.renew(WorkerId(1), vec![hold]).await.unwrap();
    assert!(!matches!(renewed[0], baton_common::job::RenewAnswer::Held(_)), "{renewed:?}");
    let after = rig.get(grant.job.run).await;
    assert_eq!((after.output, after.summary.status), (before.output, before.summary.status));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_another_tenant_keeps_is_reached_by_no_reference() {
    let (rig, _, hold) = held().await;
    let plane = &rig.orchestrator;
    let stranger = TenantId::parse("somebody").unwrap();
    let theirs = Bytes::from_static(b"theirs alone");
    let blob = put_content(plane.inner.blobs.as_ref(), &stranger, "text/plain", theirs.clone()).await.unwrap();
    let at = |key: String| BlobRef { key, ..blob.clone() };
    let keys = [
        blob.key.clone(),
        format!("../t-somebody/{}", blob.key),
        format!("../somebody/{}", blob.key),
        format!("/{}", blob.key),
        format!("x/../../{}", blob.key),
        format!("values\\..\\{}", blob.key),
        format!("{}\0", blob.key),
        format!("%2e%2e/somebody/{}", blob.key),
        String::new(),
    ];
    for key in keys {
        let answer = plane.get_blob(hold.clone(), at(key.clone())).await;
        assert!(matches!(answer, Err(Error::Refused(_))), "{key:?}: {answer:?}");
    }
    // Nor does a place of one's own help to say that something else lies there.
    let own = plane.put_blob(hold.clone(), BlobPlace::Value, "text/plain".to_owned(), Bytes::from_static(b"own")).await;
    let lie = BlobRef { digest: Digest::of(&theirs), ..own.unwrap() };
    assert!(matches!(plane.get_blob(hold.clone(), lie).await, Err(Error::Refused(_))));
    for path in ["../x", "/etc/passwd", "a/../../x", "a\\b", "a\0b", "", ".", "a//b", "x\u{7f}"] {
        let place = BlobPlace::Artifact(path.to_owned());
        let put = plane.put_blob(hold.clone(), place, "text/plain".to_owned(), Bytes::from_static(b"x")).await;
        assert!(matches!(put, Err(Error::Refused(_))), "{path:?}: {put:?}");
    }
    rig.stop().await;
}
