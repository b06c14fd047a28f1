//! Quotas: set, list, get, delete.

use baton_proto::v1;
use serde_json::{Value, json};

use crate::client::call;
use crate::exit::{Exit, Failed};
use crate::output::table;
use crate::paint::plain;
use crate::quota_args::{QuotaSetArgs, QuotasCommand};
use crate::setup::Setup;

pub(super) async fn quotas(command: &QuotasCommand, setup: &Setup) -> Result<Exit, Failed> {
    let client = setup.client()?;
    match command {
        QuotasCommand::Set(args) => {
            let set = call!(client, quotas, set, request(args))?.quota.unwrap_or_default();
            setup.output.result(&of(&set), |paint| {
                format!("{} quota {}: {}, {}", paint.green("✓"), set.name, set.limit, about(&set))
            });
        }
        QuotasCommand::List => {
            let quotas = call!(client, quotas, list, v1::ListQuotasRequest {})?.quotas;
            setup.output.result(&json!({ "quotas": quotas.iter().map(of).collect::<Vec<_>>() }), |paint| {
                let rows: Vec<_> = quotas.iter().map(row).collect();
                if rows.is_empty() {
                    "no quotas".to_owned()
                } else {
                    table(paint, &["QUOTA", "LIMIT", "ABOUT", "BEYOND", "HELD", "WAITING", "USED"], &rows)
                }
            });
        }
        QuotasCommand::Get { name } => {
            let request = v1::GetQuotaRequest { name: name.clone() };
            let quota = call!(client, quotas, get, request)?.quota.unwrap_or_default();
            setup.output.result(&of(&quota), |paint| {
                table(paint, &["QUOTA", "LIMIT", "ABOUT", "BEYOND", "HELD", "WAITING", "USED"], &[row(&quota)])
            });
        }
        QuotasCommand::Delete { name } => {
            call!(client, quotas, delete, v1::DeleteQuotaRequest { name: name.clone() })?;
            setup.output.result(&json!({ "name": name, "deleted": true }), |paint| {
                format!("{} quota {} is deleted", paint.green("✓"), plain(name))
            });
        }
    }
    Ok(Exit::Succeeded)
}

fn request(args: &QuotaSetArgs) -> v1::SetQuotaRequest {
    let text = |part: &Option<String>| part.clone().unwrap_or_default();
    let scope = v1::QuotaScope {
        tenant: text(&args.tenant),
        tool: text(&args.tool),
        route: text(&args.route),
        key: text(&args.key),
    };
    let beyond = if args.refuse { "refuse" } else { "wait" };
    v1::SetQuotaRequest {
        name: args.name.clone(),
        scope: Some(scope),
        limit: args.limit.join(" "),
        beyond: beyond.to_owned(),
    }
}

fn of(quota: &v1::Quota) -> Value {
    let scope = quota.scope.clone().unwrap_or_default();
    let part = |text: &str| if text.is_empty() { Value::Null } else { Value::from(text) };
    json!({
        "name": quota.name, "owner": quota.owner, "tenant": part(&scope.tenant), "tool": part(&scope.tool),
        "route": part(&scope.route), "key": part(&scope.key), "limit": quota.limit, "beyond": quota.beyond,
        "set_at_ms": quota.set_at_ms, "own": quota.own, "held": quota.held, "waiting": quota.waiting,
        "used": quota.used,
    })
}

/// What a quota is about.
fn about(quota: &v1::Quota) -> String {
    let v1::QuotaScope { tenant, tool, route, key } = quota.scope.clone().unwrap_or_default();
    let parts = [("tenant", tenant), ("tool", tool), ("route", route), ("key", key)];
    let named: Vec<String> = parts
        .iter()
        .filter(|(_, name)| !name.is_empty())
        .map(|(part, name)| format!("{part} {}", plain(name)))
        .collect();
    if named.is_empty() { "all work".to_owned() } else { named.join(", ") }
}

fn row(quota: &v1::Quota) -> Vec<String> {
    let number = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), |number| number.to_string());
    vec![
        quota.name.clone(),
        quota.limit.clone(),
        about(quota),
        quota.beyond.clone(),
        number(quota.held),
        number(quota.waiting),
        number(quota.used),
    ]
}
