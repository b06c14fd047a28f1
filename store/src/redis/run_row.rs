//! A run's row read whole: one command gives what is fixed, what changes, its groups, the
//! tasks of narrow groups and its questions as they stood at one moment.

use std::collections::BTreeMap;
use std::ops::Range;

use baton_common::RunId;
use baton_common::ids::GroupId;
use baton_common::records::{Body, Group, Interrupt, Run, Task};
use redis::{Pipeline, cmd};

use super::link::Links;
use super::rows::{self, GroupRow, StateRow};
use super::{info, keys, pack};
use crate::Error;

/// The fields of a run's row.
pub(super) struct RunRow {
    id: RunId,
    fields: BTreeMap<String, Vec<u8>>,
}

impl RunRow {
    /// Reads it; nothing where there is no such run.
    pub(super) async fn read(links: &Links, run: RunId) -> Result<Option<Self>, Error> {
        let pairs: Vec<(String, Vec<u8>)> = links.command(run.partition, cmd("HGETALL").arg(keys::run(run))).await?;
        let fields: BTreeMap<_, _> = pairs.into_iter().collect();
        Ok(fields.contains_key("s").then_some(Self { id: run, fields }))
    }

    pub(super) fn id(&self) -> RunId {
        self.id
    }

    /// A field that may be missing.
    pub(super) fn optional(&self, name: &str) -> Option<&[u8]> {
        self.fields.get(name).map(Vec::as_slice)
    }

    fn field(&self, name: &str) -> Result<&[u8], Error> {
        self.fields.get(name).map(Vec::as_slice).ok_or_else(|| pack::broken("a field of a run is missing"))
    }

    /// The run, and the ids of its groups in their order.
    pub(super) fn run(&self) -> Result<(Run, Vec<GroupId>), Error> {
        let StateRow { state, groups } = rows::state_row(self.field("s")?)?;
        let end = self.fields.get("e").cloned().map(rows::body).transpose()?;
        let info = info::info(self.id, self.field("i")?, self.field("f")?)?;
        Ok((Run { info, state, end }, groups))
    }

    /// A group that is there for whoever looks.
    pub(super) fn group(&self, id: &GroupId) -> Result<Option<(Group, GroupRow)>, Error> {
        Ok(self.any_group(id)?.filter(|(group, _)| group.is_there()))
    }

    fn any_group(&self, id: &GroupId) -> Result<Option<(Group, GroupRow)>, Error> {
        match (self.fields.get(&format!("G{id}")), self.fields.get(&format!("g{id}"))) {
            (Some(info), Some(row)) => rows::group(info, row).map(Some),
            _ => Ok(None),
        }
    }

    /// The groups of the run that are there for whoever looks, in their order.
    pub(super) fn groups(&self) -> Result<Vec<(Group, GroupRow)>, Error> {
        let mut groups = self.all_groups()?;
        groups.retain(|(group, _)| group.is_there());
        Ok(groups)
    }

    /// The groups of the run, in their order.
    pub(super) fn all_groups(&self) -> Result<Vec<(Group, GroupRow)>, Error> {
        let (_, ids) = self.run()?;
        ids.iter().filter_map(|id| self.any_group(id).transpose()).collect()
    }

    /// The tasks of a group by index; those of a wide group are read.
    pub(super) async fn tasks(&self, links: &Links, group: &Group, row: &GroupRow) -> Result<Vec<(u32, Task)>, Error> {
        let mut packed: Vec<(u32, Vec<u8>)> = Vec::new();
        if row.wide {
            let key = keys::wide("wt", self.id, &group.info.id);
            packed = links.command(self.id.partition, cmd("HGETALL").arg(key)).await?;
        } else {
            for index in 0..group.info.count {
                let text = self.fields.get(&format!("t{}/{index}", group.info.id));
                packed.extend(text.map(|text| (index, text.clone())));
            }
        }
        packed.sort_by_key(|(index, _)| *index);
        packed.into_iter().map(|(index, text)| Ok((index, rows::task_row(row, index, &text)?))).collect()
    }

    /// The run's questions, in order of group and index.
    pub(super) async fn questions(&self, links: &Links) -> Result<Vec<Interrupt>, Error> {
        let asked: Vec<(&str, &Vec<u8>)> =
            self.fields.iter().filter_map(|(name, row)| Some((name.strip_prefix('?')?, row))).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = cmd("HMGET");
        command.arg(keys::bodies(self.id));
        for (place, _) in &asked {
            command.arg(format!("?{place}"));
        }
        let texts: Vec<Option<Vec<u8>>> = links.command(self.id.partition, &command).await?;
        let mut questions = Vec::new();
        for ((place, row), text) in asked.into_iter().zip(texts) {
            let text = rows::question(text.unwrap_or_default())?;
            questions.push(rows::interrupt(self.id, place, row, text)?);
        }
        questions.sort_by(|a, b| (&a.job.group, a.job.index).cmp(&(&b.job.group, b.job.index)));
        Ok(questions)
    }
}

/// Outcomes read in one go.
const OUTCOMES_PAGE: u32 = 500;

/// The outcomes of closed groups by index, page by page; nothing where the run moved on since its
/// row was read. A step that folds a group takes its outcomes away, and who took their absence for
/// an end without one might still come in time with that: a server that loses the end of its log
/// goes back to the version that was read.
pub(super) async fn outcomes(
    links: &Links,
    row: &RunRow,
    groups: &[(Group, GroupRow)],
) -> Result<Option<Vec<Vec<Option<Body>>>>, Error> {
    let mut all: Vec<Vec<Option<Body>>> = groups.iter().map(|_| Vec::new()).collect();
    let (mut pipeline, mut places, mut waiting) = (Pipeline::new(), Vec::new(), 0);
    for (place, (group, group_row)) in groups.iter().enumerate() {
        let mut first = 0;
        while first < group.info.count {
            let end = group.info.count.min(first + OUTCOMES_PAGE - waiting);
            ask(&mut pipeline, row.id, group, group_row, first..end);
            places.push(place);
            waiting += end - first;
            first = end;
            if waiting == OUTCOMES_PAGE {
                if !read(links, row, &mut pipeline, &places, &mut all).await? {
                    return Ok(None);
                }
                (pipeline, waiting) = (Pipeline::new(), 0);
                places.clear();
            }
        }
    }
    if waiting > 0 && !read(links, row, &mut pipeline, &places, &mut all).await? {
        return Ok(None);
    }
    Ok(Some(all))
}

/// Asks for some outcomes of a group.
fn ask(pipeline: &mut Pipeline, run: RunId, group: &Group, row: &GroupRow, indexes: Range<u32>) {
    let id = &group.info.id;
    let key = if row.wide { keys::wide("wr", run, id) } else { keys::bodies(run) };
    let command = pipeline.cmd("HMGET").arg(key);
    for index in indexes {
        if row.wide {
            command.arg(index);
        } else {
            command.arg(format!("r{id}/{index}"));
        }
    }
}

/// Reads what was asked for and puts it behind what each group has; whether the run stands where
/// it stood.
async fn read(
    links: &Links,
    row: &RunRow,
    pipeline: &mut Pipeline,
    places: &[usize],
    all: &mut [Vec<Option<Body>>],
) -> Result<bool, Error> {
    pipeline.cmd("HMGET").arg(keys::run(row.id)).arg("s");
    let mut lists: Vec<Vec<Option<Vec<u8>>>> = links.pipeline(row.id.partition, pipeline).await?;
    let state = lists.pop().and_then(|mut state| state.pop().flatten());
    if state.as_deref() != row.optional("s") {
        return Ok(false);
    }
    for (&place, list) in places.iter().zip(lists) {
        for body in list {
            all[place].push(body.map(rows::body).transpose()?);
        }
    }
    Ok(true)
}
