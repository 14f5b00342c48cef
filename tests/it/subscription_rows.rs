//! `tests/data/subscriptions.tsv`: every row of the checklist of subscriptions has a test that proves it.

use crate::smart_rows::check;

#[test]
fn every_row_has_a_test_that_exists() {
    let rows = [("A", 35), ("B", 90), ("C", 12), ("D", 3), ("E", 8), ("F", 7), ("G", 12), ("H", 8)];
    check("tests/data/subscriptions.tsv", &rows);
}
