//! Reads rows of our tables by column name, because the file's version may have fewer columns or more.
//!
//! Separate from the tables because they all need it. A value of another type counts as absent: the file may contain
//! values that we did not write.

use rusqlite::{Connection, Row, Statement};

use crate::secret::Digest;
use crate::world::Timestamp;

/// The index of a column in a row; `None` if the file's version does not have it.
pub(super) type Column = Option<usize>;

/// Selects the columns that the table has. `rest` is appended to the statement.
pub(super) fn select<'a, const N: usize>(
    connection: &'a Connection,
    columns: [&str; N],
    table: &str,
    rest: &str,
) -> rusqlite::Result<(Statement<'a>, [Column; N])> {
    let sql = ["SELECT ", &columns.join(", "), " FROM ", table, rest].concat();
    if let Ok(statement) = connection.prepare(&sql) {
        return Ok((statement, std::array::from_fn(Some)));
    }
    let statement = connection.prepare(&format!("SELECT * FROM {table}{rest}"))?;
    let mut found = [None; N];
    for (index, name) in statement.column_names().enumerate() {
        let is_selected = |column: &&str| column.eq_ignore_ascii_case(name);
        if let Some(position) = columns.iter().position(is_selected) {
            found[position] = Some(index);
        }
    }
    Ok((statement, found))
}

pub(super) fn text(row: &Row<'_>, column: Column) -> rusqlite::Result<Option<String>> {
    let Some(index) = column else { return Ok(None) };
    let value = row.get_ref(index)?;
    Ok(value.as_str().ok().map(str::to_owned))
}

pub(super) fn number(row: &Row<'_>, column: Column) -> rusqlite::Result<Option<i64>> {
    let Some(index) = column else { return Ok(None) };
    Ok(row.get_ref(index)?.as_i64().ok())
}

pub(super) fn time(row: &Row<'_>, column: Column) -> rusqlite::Result<Option<Timestamp>> {
    Ok(number(row, column)?.map(Timestamp::from_millis))
}

pub(super) fn digest(row: &Row<'_>, column: Column) -> rusqlite::Result<Option<Digest>> {
    let Some(index) = column else { return Ok(None) };
    let value = row.get_ref(index)?;
    Ok(value.as_blob().ok().and_then(Digest::from_bytes))
}
