//! Bytes that a store holds, read from beside it: every value of every row of a SQLite
//! file; every key of a Redis server with its value, as it would go to another server. And
//! what such a server wrote.

use std::collections::BTreeMap;

use baton_testbed::Redis;
use rusqlite::{Connection, OpenFlags};

use super::Rig;

/// Adds up what `DUMP` answers, by the letter behind a key's partition.
const DUMPED: &str = "local sums = {}
local cursor = '0'
repeat
  local page = redis.call('SCAN', cursor, 'COUNT', 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local kind = string.match(key, '^{[^}]*}(%a+)') or 'other'
    local value = redis.call('DUMP', key)
    sums[kind] = (sums[kind] or 0) + #key + (value and #value or 0)
  end
until cursor == '0'
local lines = {}
for kind, sum in pairs(sums) do lines[#lines + 1] = kind .. ' ' .. sum end
return table.concat(lines, '\\n')";

/// Bytes by table, or by kind of key.
pub(crate) fn stored(rig: &Rig) -> BTreeMap<String, u64> {
    match &rig.redis {
        Some(redis) => {
            let text = redis.cli(&["--raw", "EVAL", DUMPED, "0"]).unwrap();
            let line = |line: &str| line.split_once(' ').map(|(kind, sum)| (kind.to_owned(), sum.parse().unwrap()));
            text.lines().filter_map(line).collect()
        }
        None => rows(rig),
    }
}

fn rows(rig: &Rig) -> BTreeMap<String, u64> {
    let file = rig.folder.path().join("store").join("baton.sqlite");
    let connection = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let names = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let tables = names("SELECT name FROM sqlite_schema WHERE type = 'table'");
    let bytes = |table: &String| {
        let columns = names(&format!("SELECT name FROM pragma_table_info('{table}')"));
        let lengths = columns.iter().map(|column| format!("ifnull(length(cast({column} AS BLOB)), 0)"));
        let sql = format!("SELECT ifnull(sum({}), 0) FROM {table}", lengths.collect::<Vec<_>>().join(" + "));
        connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    tables.iter().map(|table| (table.clone(), u64::try_from(bytes(table)).unwrap())).collect()
}

/// Commands the server ran that change something.
pub(crate) fn writes(redis: &Redis) -> u64 {
    const WRITES: [&str; 16] = [
        "set", "del", "unlink", "append", "setrange", "incr", "incrby", "hset", "hdel", "hincrby", "zadd", "zrem",
        "rpush", "sadd", "srem", "xadd",
    ];
    let stats = redis.cli(&["INFO", "commandstats"]).unwrap();
    let calls = |line: &str| -> Option<u64> {
        let (name, figures) = line.strip_prefix("cmdstat_")?.split_once(':')?;
        let calls = figures.split(',').find_map(|figure| figure.strip_prefix("calls="))?;
        WRITES.contains(&name).then(|| calls.parse().ok())?
    };
    stats.lines().filter_map(calls).sum()
}
