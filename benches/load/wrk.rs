//! Runs wrk and reads what it says.

use crate::support::Client;
use std::path::Path;
use std::process::Command;

/// Connections that wrk keeps busy.
pub const CONNECTIONS: u32 = 32;

/// What wrk measured.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Requests answered a second.
    pub per_second: f64,
    /// Answers other than 2xx and 3xx, and connections that broke.
    pub failed: u64,
}

/// Loads `url` for `seconds` with the token of `client`, and with a Lua script where more than a GET is needed.
pub fn load(client: &Client, url: &str, seconds: u64, script: Option<&Path>) -> Measured {
    load_over(CONNECTIONS, client, url, seconds, script)
}

/// The same over so many connections.
pub fn load_over(
    connections: u32,
    client: &Client,
    url: &str,
    seconds: u64,
    script: Option<&Path>,
) -> Measured {
    let mut command = Command::new("wrk");
    if !client.authorization().is_empty() {
        command.args(["-H", &format!("Authorization: {}", client.authorization())]);
    }
    command.args(["-t1", &format!("-c{connections}"), &format!("-d{seconds}s"), "--timeout", "20s"]);
    if let Some(script) = script {
        command.arg("-s").arg(script);
    }
    let output = command.arg(url).output().expect("wrk runs (apt-get install -y wrk)");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "wrk: {said}{}", String::from_utf8_lossy(&output.stderr));
    let after = |label: &str| said.split(label).nth(1).and_then(|rest| rest.split_whitespace().next());
    let per_second = after("Requests/sec:").and_then(|text| text.parse().ok());
    let failed = after("Non-2xx or 3xx responses:").and_then(|text| text.parse().ok()).unwrap_or(0);
    let broken: u64 = said
        .lines()
        .filter(|line| line.contains("Socket errors:"))
        .flat_map(|line| line.split([' ', ',']).filter_map(|word| word.parse::<u64>().ok()))
        .sum();
    Measured {
        per_second: per_second.unwrap_or_else(|| panic!("wrk said nothing of its rate: {said}")),
        failed: failed + broken,
    }
}

/// A Lua script that posts each line of `bodies` once.
pub fn post_each_line(bodies: &Path) -> String {
    format!(
        r#"
local bodies = {{}}
for line in io.lines("{}") do bodies[#bodies + 1] = line end
local next_body = 0
request = function()
  next_body = next_body + 1
  wrk.headers["Content-Type"] = "application/fhir+json"
  return wrk.format("POST", nil, nil, bodies[next_body] or "")
end
"#,
        bodies.display()
    )
}
