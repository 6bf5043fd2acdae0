//! Which columns the tables have, by name: for the configuration.

use super::{batches, jobs, nodes};
use crate::app::Table;

/// Titles of a table's columns.
pub(crate) fn column_titles(table: Table) -> Vec<&'static str> {
    match table {
        Table::Jobs => jobs::COLUMNS.iter().map(|column| column.title).collect(),
        Table::Nodes => nodes::COLUMNS.iter().map(|column| column.title).collect(),
        Table::Batches => batches::COLUMNS.iter().map(|column| column.title).collect(),
    }
}
