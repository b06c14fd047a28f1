//! Finding what an operation is about. Runs are looked at from new to old, up to a bound.

use baton_common::records::{Run, RunStatus};
use baton_common::{RunId, Timestamp};
use baton_store::RunFilter;

use super::super::{ApiError, Caller, Status, open_questions};
use super::{Action, ITEMS_MAX, Item, Preview, Selection};
use crate::orchestrator::{Inner, Orchestrator};
use crate::why::{Depths, LISTED_TASKS_MAX};

/// Runs that one preview looks at.
const LOOKED_AT_MAX: u32 = 20_000;
/// Runs read in one go.
const PAGE: u32 = 200;

impl Orchestrator {
    /// What an operation would touch, as it stands now.
    ///
    /// # Errors
    /// When the store does not answer, or there is no such run for this caller.
    pub async fn preview(&self, caller: &Caller, action: Action, wanted: Selection) -> Result<Preview, ApiError> {
        let inner = &self.inner;
        let limit = if wanted.limit == 0 { ITEMS_MAX } else { wanted.limit.min(ITEMS_MAX) };
        let operation = uuid::Uuid::now_v7().simple().to_string();
        let mut preview = Preview { operation, action, items: Vec::new(), looked_at: 0, more: false };
        let mut seen = inner.around(&caller.tenant).await?;
        let now = inner.store.now().await?;
        if let Some(run) = wanted.run {
            let found = inner.owned(caller, run).await?;
            preview.looked_at = 1;
            inner.select(&mut preview, &mut seen, &wanted, &found, now).await?;
        } else {
            inner.select_all(caller, &mut preview, &mut seen, &wanted, (limit, now)).await?;
        }
        let kept = usize::try_from(limit).unwrap_or(usize::MAX);
        preview.more |= preview.items.len() > kept;
        preview.items.truncate(kept);
        for item in &mut preview.items {
            item.seal = inner.seal_of(&caller.tenant, &preview.operation, action, item);
        }
        Ok(preview)
    }
}

impl Inner {
    async fn select_all(
        &self,
        caller: &Caller,
        preview: &mut Preview,
        seen: &mut Depths,
        wanted: &Selection,
        (limit, now): (u32, Timestamp),
    ) -> Result<(), ApiError> {
        let mut before: Option<(Timestamp, RunId)> = None;
        loop {
            let filter = RunFilter { status: wanted.status, thread: None, before, limit: PAGE };
            let page = self.store.runs(&caller.tenant, &filter).await?;
            for run in &page {
                preview.looked_at += 1;
                self.select(preview, seen, wanted, run, now).await?;
            }
            before = page.last().map(|run| (run.state.created_at, run.info.id));
            if page.len() < PAGE as usize {
                return Ok(());
            }
            if preview.items.len() >= limit as usize || preview.looked_at >= LOOKED_AT_MAX {
                preview.more = true;
                return Ok(());
            }
        }
    }

    async fn select(
        &self,
        preview: &mut Preview,
        seen: &mut Depths,
        wanted: &Selection,
        run: &Run,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let graph = wanted.graph.as_ref().is_none_or(|graph| *graph == run.info.graph_name);
        if !graph || wanted.status.is_some_and(|status| status != run.state.status) {
            return Ok(());
        }
        let found = match preview.action {
            Action::Redrive | Action::Drop => self.dead_of(seen, wanted, run).await?,
            Action::Cancel => self.cancellable(seen, wanted, run).await?.into_iter().collect(),
            Action::Retry => retryable(wanted, run).into_iter().collect(),
        };
        preview.items.extend(found.into_iter().filter(|item| now.since_ms(item.since) >= wanted.older_than_ms));
        Ok(())
    }

    async fn cancellable(&self, seen: &mut Depths, wanted: &Selection, run: &Run) -> Result<Option<Item>, ApiError> {
        let open = matches!(run.state.status, RunStatus::Queued | RunStatus::Running | RunStatus::Stuck);
        if !open {
            return Ok(None);
        }
        let mut item = item_of(run, "run", run.state.created_at);
        let Some(why) = &wanted.why else { return Ok(Some(item)) };
        let Some(detail) = self.store.outline(run.info.id, LISTED_TASKS_MAX).await? else { return Ok(None) };
        let waits = self.why(seen, &detail, &open_questions(&detail), false).await?;
        let Some(wait) = waits.into_iter().find(|wait| wait.code == *why) else { return Ok(None) };
        item.text = wait.text;
        Ok(Some(item))
    }
}

fn retryable(wanted: &Selection, run: &Run) -> Option<Item> {
    let ended = matches!(run.state.status, RunStatus::Failed | RunStatus::Cancelled) && run.info.parent.is_none();
    if !ended && run.state.status != RunStatus::Stuck {
        return None;
    }
    let failure = super::dead::failure_of(run);
    let class = failure.as_ref().map(|failure| failure.failure.class.name());
    if wanted.class.as_deref().is_some_and(|wanted| class != Some(wanted)) {
        return None;
    }
    let node = failure.as_ref().map(|failure| failure.node.as_str());
    if wanted.node.as_deref().is_some_and(|wanted| node != Some(wanted)) {
        return None;
    }
    let since = run.state.ended_at.unwrap_or(run.state.ready_at);
    let text = failure.map(|failure| format!("{}: {}, {}", failure.node, failure.failure.class, failure.failure.code));
    Some(Item { text: text.unwrap_or_default(), ..item_of(run, "run", since) })
}

/// A run as an item.
pub(super) fn item_of(run: &Run, kind: &str, since: Timestamp) -> Item {
    Item {
        run: run.info.id,
        generation: run.state.r#gen,
        job: None,
        seen: 0,
        kind: kind.to_owned(),
        graph: run.info.graph_name.clone(),
        status: Status::of(run.state.status),
        tool: String::new(),
        text: String::new(),
        since,
        seal: String::new(),
    }
}
