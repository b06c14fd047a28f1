//! Quotas, lanes and admission, from the claim to the settlement.

use baton_common::records::QuotaScope;
use baton_common::tool::Priority;
use baton_common::{ErrorClass, TenantId};
use baton_engine::graph::Work;
use serde_json::json;
use tokio::sync::mpsc::UnboundedReceiver;

use super::graphs::{each, graph, tool};
use super::*;
use crate::api::{ApiError, ErrorKind, QuotaRequest, Status};

/// A fan-out over a list.
fn fan(name: &str) -> Compiled {
    let args = json!({"n": "{{ item }}"});
    graph(name, vec![each(tool("a", &args, &[("out", "output.size()")], &[]), "input.list", 2_000)])
}

/// A model call.
fn asks() -> Compiled {
    let mut node = tool("a", &json!({"route": "writer"}), &[("out", "output.text")], &[]);
    let mut compiled = {
        if let Work::Tool(call) = &mut node.work {
            call.name = "chat".to_owned();
        }
        graph("asks", vec![node])
    };
    let spec = compiled.tools.remove("t.echo").unwrap();
    compiled.tools.insert("chat".to_owned(), baton_common::tool::ToolSpec { name: "chat".to_owned(), ..spec });
    compiled
}

impl Rig {
    async fn limit(&self, name: &str, limit: &str, beyond: &str, scope: QuotaScope) {
        let request = QuotaRequest { name: name.to_owned(), scope, limit: limit.to_owned(), beyond: beyond.to_owned() };
        self.orchestrator.set_quota(&Caller::local(), request).await.unwrap();
    }

    /// A worker whose jobs end when the test says so.
    fn held_work(&self) -> UnboundedReceiver<Grant> {
        let (grants, granted) = tokio::sync::mpsc::unbounded_channel();
        self.work(move |grant| {
            grants.send(grant.clone()).unwrap();
            None
        });
        granted
    }

    /// Waits until so many messages lie in a queue, those beside it not counted.
    async fn holds(&self, queue: &str, messages: usize) {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        while self.orchestrator.inner.lanes.waiting_in(queue) != messages {
            assert!(tokio::time::Instant::now() < deadline, "{queue} does not hold {messages}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    async fn as_tenant(&self, tenant: &str, graph: &str, list: &[u32], request: &str) -> Result<RunId, ApiError> {
        let request = SubmitRequest {
            graph: GraphRef::Hash(baton_common::GraphHash(baton_common::Digest::of(graph))),
            input: json!({"list": list}),
            request_id: RequestId::parse(request).ok(),
            thread: None,
            traceparent: None,
            record: false,
        };
        let caller = Caller { tenant: TenantId::parse(tenant).unwrap(), ..Caller::local() };
        self.orchestrator.submit(&caller, request).await.map(|submitted| submitted.run)
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_jobs_are_claimed_at_once_than_a_quota_allows() {
    let rig = Rig::new(vec![fan("fan")], Settings::default()).await;
    let scope = QuotaScope { tool: Some("t.echo".to_owned()), ..QuotaScope::default() };
    rig.limit("few", "concurrency 2", "", scope).await;
    let mut granted = rig.held_work();
    let run = rig.submit("fan", json!({"list": [1, 2, 3, 4, 5, 6]})).await;
    let waiting = rig.until(run, |view| view.waits.iter().any(|wait| wait.code == "quota")).await;
    assert!(waiting.waits.iter().any(|wait| wait.text.contains("quota few")), "{:?}", waiting.waits);
    let mut under_way = Vec::new();
    for done in 0..6 {
        under_way.push(granted.recv().await.unwrap());
        let claimed = rig.get(run).await.groups.iter().map(|group| group.claimed).sum::<u32>();
        assert!(claimed <= 2, "{claimed} are claimed after {done}");
        let grant = under_way.remove(0);
        assert_eq!(grant.attempt, 1, "waiting is no attempt");
        resume(&rig.orchestrator, &grant, Outcome::Ok(grant.args.clone())).await;
    }
    assert_eq!(rig.end(run).await.output, Some(json!({"out": 6})));
    let quota = rig.orchestrator.quota(&Caller::local(), "few").await.unwrap();
    assert_eq!(quota.seen.map(|seen| (seen.held, seen.waiting)), Some((0, 0)));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_workers_end_gives_back_what_its_job_held() {
    let rig = Rig::new(vec![fan("fan")], Settings::default()).await;
    rig.limit("one", "concurrency 1", "", QuotaScope::default()).await;
    let mut granted = rig.held_work();
    rig.submit("fan", json!({"list": [1, 2]})).await;
    let lost = granted.recv().await.unwrap();
    // Nobody renews it: its lease ends, and the other job gets the room.
    let next = granted.recv().await.unwrap();
    assert_ne!((&next.job, next.fence), (&lost.job, lost.fence));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_spreads_claims_over_time() {
    let rig = Rig::new(vec![fan("fan")], Settings::default()).await;
    let scope = QuotaScope { tenant: Some("*".to_owned()), ..QuotaScope::default() };
    rig.limit("slowly", "rate 2/s burst 1", "wait", scope).await;
    rig.work(echo);
    let began = rig.store.now_ms();
    let run = rig.submit("fan", json!({"list": [1, 2, 3, 4, 5, 6, 7]})).await;
    assert_eq!(rig.end(run).await.output, Some(json!({"out": 7})));
    let took = rig.store.now_ms() - began;
    assert!((3_000..6_000).contains(&took), "7 jobs at two a second took {took} ms");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_refuses_or_waits_until_there_is_more() {
    let rig = Rig::new(vec![asks()], Settings::default()).await;
    let scope = QuotaScope { route: Some("writer".to_owned()), ..QuotaScope::default() };
    rig.limit("money", "usd 0.50/day", "refuse", scope.clone()).await;
    rig.work(|_| {
        let usage = json!({"input_tokens": 700, "output_tokens": 300, "cost_usd": 0.5});
        Some(Outcome::value(json!({"text": "said", "usage": usage})))
    });
    let first = rig.submit_as("asks", json!({}), "one", None).await;
    assert_eq!(rig.end(first).await.output, Some(json!({"out": "said"})));
    let seen = rig.orchestrator.quota(&Caller::local(), "money").await.unwrap().seen.unwrap();
    assert_eq!(seen.used, 500_000, "what it cost is counted in millionths");
    let second = rig.submit_as("asks", json!({}), "two", None).await;
    let failed = rig.end(second).await.failure.unwrap().failure;
    assert_eq!((failed.class, failed.code.as_str()), (ErrorClass::Refused, "budget_exhausted"));
    // The same as a wait: the run goes on once there is more to spend.
    rig.limit("money", "usd 0.50/day", "wait", scope.clone()).await;
    let third = rig.submit_as("asks", json!({}), "three", None).await;
    rig.until(third, |view| view.waits.iter().any(|wait| wait.code == "quota")).await;
    rig.limit("money", "usd 0.75/day", "wait", scope).await;
    assert_eq!(rig.end(third).await.output, Some(json!({"out": "said"})));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_runs_are_taken_than_a_quota_allows() {
    let rig = Rig::new(vec![fan("fan")], Settings::default()).await;
    rig.limit("open", "runs 1", "", QuotaScope { tenant: Some("*".to_owned()), ..QuotaScope::default() }).await;
    let mut granted = rig.held_work();
    let run = rig.as_tenant("local", "fan", &[1], "one").await.unwrap();
    let refused = rig.as_tenant("local", "fan", &[2], "two").await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::Exhausted, "overloaded"));
    assert!(refused.retry_after_ms.is_some());
    assert_eq!(rig.as_tenant("local", "fan", &[1], "one").await.unwrap(), run, "a repetition is no other run");
    let grant = granted.recv().await.unwrap();
    resume(&rig.orchestrator, &grant, Outcome::Ok(grant.args.clone())).await;
    assert_eq!(rig.end(run).await.summary.status, Status::Succeeded);
    rig.as_tenant("local", "fan", &[2], "two").await.unwrap();
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_lets_another_tenants_jobs_pass() {
    let rig = Rig::new(vec![fan("fan")], Settings::default()).await;
    let other = TenantId::parse("other").unwrap();
    rig.orchestrator.inner.graphs.insert(other, fan("fan"));
    let list: Vec<u32> = (0..500).collect();
    let flood = rig.as_tenant("local", "fan", &list, "flood").await.unwrap();
    let share = rig.orchestrator.inner.settings.lane_share;
    rig.holds("io.normal", share).await;
    let passing = rig.as_tenant("other", "fan", &[1, 2, 3], "passing").await.unwrap();
    // The flood's surplus lies beside the queue, and what another tenant has does not.
    rig.holds("io.normal", share + 3).await;
    rig.work(echo);
    rig.end(flood).await;
    let ran = rig.ran.lock().clone();
    let last = ran.iter().rposition(|grant| grant.job.run == passing).unwrap();
    assert_eq!(ran.iter().filter(|grant| grant.job.run == passing).count(), 3);
    assert!(last < share * 2 + 2, "they came after {last} of 503 jobs");
    assert_eq!(ran.len(), 503, "all of the flood ran");
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn high_passes_a_backlog_and_low_is_not_starved_by_it() {
    let of = |name: &str, priority| {
        let mut node =
            each(tool("a", &json!({"n": "{{ item }}"}), &[("out", "output.size()")], &[]), "input.list", 2_000);
        node.priority = Some(priority);
        graph(name, vec![node])
    };
    let graphs = vec![of("high", Priority::High), of("normal", Priority::Normal), of("low", Priority::Low)];
    let rig = Rig::new(graphs, Settings { lane_share: 16, ..Settings::default() }).await;
    let list: Vec<u32> = (0..300).collect();
    let backlog = rig.as_tenant("local", "normal", &list, "backlog").await.unwrap();
    rig.holds("io.normal", rig.orchestrator.inner.settings.lane_share).await;
    let low = rig.as_tenant("local", "low", &list[..10], "low").await.unwrap();
    rig.holds("io.low", 10).await;
    let high = rig.as_tenant("local", "high", &list[..10], "high").await.unwrap();
    rig.holds("io.high", 10).await;
    rig.work(echo);
    for run in [high, low, backlog] {
        rig.end(run).await;
    }
    let ran = rig.ran.lock().clone();
    let last = |run: RunId| ran.iter().rposition(|grant| grant.job.run == run).unwrap();
    assert_eq!(ran.len(), 320);
    assert!(last(high) < 30, "the last of 10 came after {} others", last(high));
    assert!(last(low) < 100, "the last of 10 came after {} others", last(low));
    rig.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_tenant_sets_quotas_for_itself_only() {
    let rig = Rig::new(vec![], Settings::default()).await;
    let tenant = |name: &str| Caller { tenant: TenantId::parse(name).unwrap(), ..Caller::local() };
    let of = |about: &str| QuotaRequest {
        name: "q".to_owned(),
        scope: QuotaScope { tenant: Some(about.to_owned()), ..QuotaScope::default() },
        limit: "concurrency 1".to_owned(),
        beyond: String::new(),
    };
    let refused = rig.orchestrator.set_quota(&tenant("a"), of("b")).await.unwrap_err();
    assert_eq!(refused.code, "invalid_quota");
    let own = rig.orchestrator.set_quota(&tenant("a"), of("*")).await.unwrap();
    assert_eq!(own.quota.scope.tenant.as_deref(), Some("a"), "every tenant it may speak of is itself");
    rig.orchestrator.set_quota(&Caller::local(), of("b")).await.unwrap();
    let names = async |name: &str| {
        let quotas = rig.orchestrator.quotas(&tenant(name)).await.unwrap();
        quotas.into_iter().map(|shown| (shown.quota.owner.to_string(), shown.own)).collect::<Vec<_>>()
    };
    assert_eq!(names("a").await, [("a".to_owned(), true)]);
    assert_eq!(names("b").await, [("local".to_owned(), false)]);
    let gone = rig.orchestrator.delete_quota(&tenant("b"), "q").await.unwrap_err();
    assert_eq!(gone.code, "quota_not_found", "who set it deletes it");
    rig.orchestrator.delete_quota(&tenant("a"), "q").await.unwrap();
    assert_eq!(names("a").await, []);
    rig.stop().await;
}
