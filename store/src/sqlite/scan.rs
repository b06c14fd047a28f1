//! Every text of the file, over a connection of its own: nobody waits behind it.

use std::path::Path;

use rusqlite::Connection;

use super::rows::fault;
use crate::{Error, Show};

/// Columns that may refer to a blob.
const COLUMNS: [(&str, &str); 18] = [
    ("run", "info"),
    ("run", "state"),
    ("run", "ending"),
    ("grp", "info"),
    ("grp", "state"),
    ("task", "row"),
    ("input", "body"),
    ("result", "body"),
    ("beside", "body"),
    ("staged", "row"),
    ("interrupt", "row"),
    ("signal", "row"),
    ("key", "row"),
    ("thread", "row"),
    ("checkpoint", "row"),
    ("segment", "body"),
    ("graph", "source"),
    ("schedule", "row"),
];

pub(super) fn scan(file: &Path, show: &Show) -> Result<(), Error> {
    let connection = Connection::open(file).map_err(fault)?;
    connection.pragma_update(None, "query_only", true).map_err(fault)?;
    for (table, column) in COLUMNS {
        let sql = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL");
        let mut statement = connection.prepare(&sql).map_err(fault)?;
        let mut rows = statement.query([]).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            let text = row.get_ref(0).map_err(fault)?;
            show(text.as_bytes().unwrap_or_default());
        }
    }
    Ok(())
}
