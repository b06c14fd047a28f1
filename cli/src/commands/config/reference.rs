//! `baton config --reference`: every setting and every table, from the descriptions that the
//! programs read them by.

use std::collections::{BTreeMap, BTreeSet};

use baton_common::reference::{Key, Program, SETTINGS, Setting, TABLES, Table, Topic};
use baton_common::settings::Timings;
use serde_json::{Value, json};

use super::flags;

/// Variables with names of others' that programs of Baton listen to.
const OTHERS: [(&str, &[Program], &str); 8] = [
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        &Program::ALL,
        "Where spans go over gRPC: `http://127.0.0.1:4317`; none are made without",
    ),
    ("SSL_CERT_FILE", &Program::ALL, "Whom the machine trusts, in PEM, in place of what the system says"),
    (
        "SSL_CERT_DIR",
        &Program::ALL,
        "The same as folders, with `:` between them; each must be there where the store is `rediss://`",
    ),
    (
        "AWS_*",
        &[Program::Orchestrator, Program::Worker],
        "Credentials and region of `s3://` blobs, by the names that AWS gives them",
    ),
    (
        "OPENAI_API_KEY",
        &[Program::Worker, Program::Cli],
        "The key of the provider `openai`, unless `[providers.openai]` names another",
    ),
    ("HOSTNAME", &[Program::Worker], "The host as which a worker is listed"),
    ("NO_COLOR", &[Program::Cli], "No colours on a terminal"),
    ("VISUAL, EDITOR", &[Program::Cli], "What opens when `baton` asks for a longer answer"),
];

const HEAD: &str = "# Configuration

Everything that may be set, as `baton config --reference` prints it (`--json` for programs). It is written from the
descriptions that the programs read their settings by.

Flags go before the environment, the environment before `baton.toml`, and that before defaults. Each setting has one name:
`BATON_GRPC_ADDR` in the environment is `grpc_addr` in the file, above the tables, and `--grpc-addr` as a flag of the programs
in bold. Secrets have no flag. An empty variable counts as unset, but for folders. A name that nobody knows ends the start with the nearest known
one, so programs may share an environment and a file: each reads what is its own.

| program | is |
|---|---|
| orchestrator | `baton-orchestrator` |
| worker | `baton-worker-io`, `baton-worker-cpu`, workers of your own |
| cli | `baton`: what asks a server, and the cluster within `baton run` and `baton dev` |

```console
$ baton config check --for orchestrator --config baton.toml         # what it would make of file and environment
$ baton config check --for worker --json -- --slots 8               # with flags it would be given
```

`check` reads settings with the programs' own functions and opens the files they name; it asks no server and changes nothing. It tells everything that is wrong at once, each
value and where it comes from, and no secret. It ends with 0, or with 2 where something is wrong. What is only
odd, as a port that is reachable in the clear, is told and ends nothing.
";

/// Everything, in Markdown.
pub(super) fn markdown() -> String {
    let flags: BTreeMap<&str, BTreeSet<String>> =
        Program::ALL.iter().map(|program| (program.name(), flags::settings(*program))).collect();
    let mut text = HEAD.to_owned();
    for topic in Topic::ALL {
        text += &format!(
            "\n## {}\n\n| setting | of | takes | without it | what it is |\n|---|---|---|---|---|\n",
            topic.title()
        );
        for setting in SETTINGS.iter().filter(|setting| setting.topic == topic) {
            let of = setting.of.iter().map(|program| match flags[program.name()].contains(setting.name) {
                true => format!("**{}**", program.name()),
                false => program.name().to_owned(),
            });
            let of: Vec<String> = of.collect();
            text += &format!(
                "| `{}` | {} | {} | {} | {} |\n",
                setting.name,
                of.join(", "),
                setting.takes.text(),
                otherwise(setting),
                setting.help,
            );
        }
    }
    text += "\n## Tables of `baton.toml`\n";
    for table in TABLES {
        text += &of_table(table);
    }
    text += "\n## Variables of others\n\n| variable | of | what it is |\n|---|---|---|\n";
    for (name, of, help) in OTHERS {
        text += &format!("| `{}` | {} | {help} |\n", name.replace(", ", "`, `"), programs(of));
    }
    text
}

fn otherwise(setting: &Setting) -> String {
    match setting.otherwise {
        baton_common::reference::Otherwise::Value(value) => format!("`{value}`"),
        other => other.text().to_owned(),
    }
}

fn of_table(table: &Table) -> String {
    let mut text = format!("\n### `{}`\n\n{}. Read by: {}.\n", table.head, table.help, programs(table.of));
    let Some((keys, otherwise)) = keys(table.name) else { return text };
    text += "\n| key | takes | without it | what it is |\n|---|---|---|---|\n";
    for key in keys {
        let without = match otherwise.get(key.name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::Array(items)) if items.is_empty() => "none".to_owned(),
            Some(Value::String(value)) => format!("`{value}`"),
            Some(value) => format!("`{value}`"),
        };
        text += &format!("| `{}` | {} | {without} | {} |\n", key.name, key.takes().unwrap_or("?"), key.help());
    }
    text
}

/// The keys of a table and their defaults; nothing where names are the operator's own.
pub(super) fn keys(table: &str) -> Option<(&'static [Key], Value)> {
    match table {
        "timing" => Some((Timings::KEYS, serde_json::to_value(Timings::default()).unwrap_or_default())),
        _ => baton_worker::check::keys(table),
    }
}

/// Everything, for programs.
pub(super) fn json() -> Value {
    let names = |of: &[Program]| of.iter().map(|program| program.name()).collect::<Vec<_>>();
    let flags: BTreeMap<&str, BTreeSet<String>> =
        Program::ALL.iter().map(|program| (program.name(), flags::settings(*program))).collect();
    let setting = |setting: &Setting| {
        let flag = setting.of.iter().filter(|program| flags[program.name()].contains(setting.name));
        json!({
            "name": setting.name,
            "key": setting.name.trim_start_matches("BATON_").to_lowercase(),
            "of": names(setting.of),
            "flag_of": flag.map(|program| program.name()).collect::<Vec<_>>(),
            "takes": setting.takes.text(),
            "default": setting.otherwise.text(),
            "secret": setting.is_secret(),
            "help": setting.help,
        })
    };
    let table = |table: &Table| {
        let (keys, otherwise) = keys(table.name).unwrap_or_default();
        let key = |key: &Key| {
            json!({
                "name": key.name,
                "takes": key.takes(),
                "default": otherwise.get(key.name),
                "help": key.help(),
            })
        };
        json!({
            "name": table.name,
            "head": table.head,
            "of": names(table.of),
            "help": table.help,
            "keys": keys.iter().map(key).collect::<Vec<_>>(),
        })
    };
    let other = |(name, of, help): &(&str, &[Program], &str)| json!({ "name": name, "of": names(of), "help": help });
    json!({
        "settings": SETTINGS.iter().map(setting).collect::<Vec<_>>(),
        "tables": TABLES.iter().map(table).collect::<Vec<_>>(),
        "others": OTHERS.iter().map(other).collect::<Vec<_>>(),
    })
}

fn programs(of: &[Program]) -> String {
    of.iter().map(|program| program.name()).collect::<Vec<_>>().join(", ")
}
