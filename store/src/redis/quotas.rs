//! Quotas and their meters, in Redis. A meter's keys lie in a slot of their own.

use async_trait::async_trait;
use baton_common::records::Quota;
use baton_common::{Partition, TenantId, Timestamp};
use redis::cmd;

use super::link::Links;
use super::pack::{Fields, Packer, broken};
use super::rows::{json, to_json};
use super::scripts::Script;
use super::{RedisStore, keys};
use crate::meter::{MeterAct, MeterLimit, MeterSeen, Metered};
use crate::{Error, Fill, Quotas};

const ANY: Partition = Partition(0);

#[async_trait]
impl Quotas for RedisStore {
    async fn put_quota(&self, quota: Quota) -> Result<(), Error> {
        let field = field(&quota.owner, &quota.name);
        let command = cmd("HSET").arg(keys::QUOTAS).arg(field).arg(to_json(&quota)?).take();
        self.shared.links.command::<i64>(ANY, &command).await.map(drop)
    }

    async fn quotas(&self) -> Result<Vec<Quota>, Error> {
        let mut rows: Vec<(String, Vec<u8>)> = self.shared.links.command(ANY, cmd("HGETALL").arg(keys::QUOTAS)).await?;
        rows.sort();
        rows.iter().map(|(_, row)| json(row)).collect()
    }

    async fn remove_quota(&self, owner: &TenantId, name: &str) -> Result<bool, Error> {
        let command = cmd("HDEL").arg(keys::QUOTAS).arg(field(owner, name)).take();
        Ok(self.shared.links.command::<i64>(ANY, &command).await? > 0)
    }

    async fn meter(&self, name: &str, act: MeterAct, at: Option<Timestamp>) -> Result<Metered, Error> {
        let super::Shared { links, scripts, .. } = &*self.shared;
        let answer = scripts.call_beside(links, Script::Meter, &keys::meter(name), &packed(&act), at).await?;
        metered(&mut Fields::of(&answer)?)
    }
}

fn field(owner: &TenantId, name: &str) -> String {
    format!("{owner}/{name}")
}

fn packed(act: &MeterAct) -> Vec<u8> {
    let packer = Packer::default();
    match act {
        MeterAct::Take { holder, waiter, limit, lease_ms, jitter } => {
            let packer = limited(packer.bytes("take").bytes(holder).bytes(waiter), Some(limit));
            packer.number(*lease_ms).number(*jitter).finish()
        }
        MeterAct::Prolong { holder, lease_ms } => {
            limited(packer.bytes("prolong").bytes(holder).flag(false), None).number(*lease_ms).number(0_u32).finish()
        }
        MeterAct::Settle { holder, used } => {
            limited(packer.bytes("settle").bytes(holder).flag(false), None).number(*used).number(0_u32).finish()
        }
        MeterAct::Undo { holder, limit } => {
            let packer = limited(packer.bytes("undo").bytes(holder).flag(false), Some(limit));
            packer.number(0_u32).number(0_u32).finish()
        }
        MeterAct::Look { waiter, holders, beyond } => {
            let packer = packer.bytes("look").flag(false).bytes_or_none(waiter.as_ref());
            limited(packer, None).number(*holders).number(*beyond).finish()
        }
    }
}

fn limited(packer: Packer, limit: Option<&MeterLimit>) -> Packer {
    match limit {
        Some(MeterLimit::Held { most }) => packer.bytes("held").number(*most).number(0_u32).number(0_u32),
        Some(MeterLimit::Rate { most, per_ms, burst }) => {
            packer.bytes("rate").number(*most).number(*per_ms).number(*burst)
        }
        Some(MeterLimit::Budget { most, from, until }) => {
            packer.bytes("budget").number(*most).moment(from.0).moment(until.0)
        }
        None => packer.flag(false).number(0_u32).number(0_u32).number(0_u32),
    }
}

fn metered(answer: &mut Fields) -> Result<Metered, Error> {
    Ok(match answer.text()?.as_str() {
        "taken" => Metered::Taken,
        "full" => Metered::Full(answer.moment()?),
        "changed" => Metered::Changed(answer.flag()?),
        "seen" => {
            let (held, waiting, used) = (answer.number()?, answer.number()?, answer.number()?);
            let waits_until = answer.moment_or_none()?;
            let mut list = answer.list()?;
            let mut holders = Vec::new();
            while !list.is_empty() {
                holders.push(list.text()?);
            }
            Metered::Seen(MeterSeen { held, waiting, used, waits_until, holders })
        }
        _ => return Err(broken("a meter's answer")),
    })
}

/// What the fullest server uses of the memory it may use; nothing where none has a bound.
pub(super) async fn fill(links: &Links) -> Result<Option<Fill>, Error> {
    let part = |fill: &Fill| u128::from(fill.used) * 1_000_000 / u128::from(fill.most.max(1));
    let mut fullest: Option<Fill> = None;
    for answer in links.everywhere(cmd("INFO").arg("memory")).await? {
        let Ok(text) = redis::from_redis_value::<String>(answer) else { continue };
        if let Some(fill) = fill_of(&text)
            && fullest.as_ref().is_none_or(|fullest| part(fullest) < part(&fill))
        {
            fullest = Some(fill);
        }
    }
    Ok(fullest)
}

fn fill_of(text: &str) -> Option<Fill> {
    let number = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|number| number.trim().parse::<u64>().ok())
    };
    let (used, most) = (number("used_memory"), number("maxmemory").filter(|most| *most > 0));
    used.zip(most).map(|(used, most)| Fill { used, most })
}
