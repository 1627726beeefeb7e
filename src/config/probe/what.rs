//! What a `[[probe]]` looks at: exactly one of `tcp`, `http`, ….

use crate::config::table::Table;
use crate::probe::what::What;

/// What the table names; `None` if that was a problem.
pub fn what(table: &mut Table<'_>) -> Option<What> {
    table.missing("tcp", "; write tcp = \"host:port\" or another thing to look at");
    None
}
