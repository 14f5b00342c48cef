//! The table of ratios.

/// Begins the table.
pub fn head() {
    println!("| path | a second | compared with | a second | ratio | aim | |");
    println!("|---|---:|---|---:|---:|---:|---|");
}

/// One line: what was measured, against what, and whether the aim is met.
pub fn line(path: &str, measured: f64, with: &str, reference: f64, aim: f64) {
    let ratio = measured / reference;
    let verdict = if ratio >= aim { "met" } else { "short" };
    println!("| {path} | {measured:.0} | {with} | {reference:.0} | {ratio:.2} | ≥ {aim:.2} | {verdict} |");
}
