//! A private PostgreSQL cluster, started once per process from the installed binaries.
//!
//! It listens on 127.0.0.1 alone, keeps PostgreSQL's durable defaults, and goes away with the process
//! that started it, also when that process is killed: a watchdog of its own session waits for our pid to
//! end, stops the cluster and deletes its files.

use super::ports::free_port;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// What to type when PostgreSQL is missing.
const INSTALL: &str = "PostgreSQL's server programs are needed: apt-get install -y postgresql";

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    port: u16,
    #[allow(dead_code)] // Read by the benchmarks.
    bin: PathBuf,
}

impl Cluster {
    /// The cluster of this process, started on first use.
    pub fn shared() -> &'static Self {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Self::start)
    }

    /// URL of `database`, for sqlx, psql and the server alike.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://slotwright@127.0.0.1:{}/{database}", self.port)
    }

    /// One of PostgreSQL's programs, such as `pgbench`.
    #[allow(dead_code)] // The benchmarks run pgbench.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    fn start() -> Self {
        let bin = newest_binaries();
        let temp = std::env::temp_dir();
        sweep(&temp, &bin);
        let pid = std::process::id();
        let home = temp.join(format!("slotwright-pg-{pid}"));
        // A directory of that name can only be a dead process's, whose pid we were given again.
        let _ = fs::remove_dir_all(&home);
        fs::create_dir_all(&home).expect("a directory for the cluster");
        if is_root() {
            run(Command::new("chown").arg("postgres:").arg(&home));
        }
        let data = home.join("data");
        run(as_owner(&bin.join("initdb"))
            .args(["--no-locale", "-E", "UTF8", "-A", "trust", "-U", "slotwright", "-D"])
            .arg(&data));
        watch(pid, &bin, &home);
        for _ in 0..5 {
            let port = free_port();
            let options = format!(
                "-c listen_addresses=127.0.0.1 -p {port} -k {} -c max_connections=400 -c shared_buffers=256MB",
                home.display()
            );
            let started = as_owner(&bin.join("pg_ctl"))
                .args(["-s", "-w", "-t", "30", "-D"])
                .arg(&data)
                .arg("-l")
                .arg(home.join("log"))
                .args(["-o", &options, "start"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("pg_ctl runs");
            if started.success() {
                return Self { port, bin };
            }
        }
        panic!("PostgreSQL did not start:\n{}", fs::read_to_string(home.join("log")).unwrap_or_default());
    }
}

/// The directory of the newest installed version's programs.
fn newest_binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").unwrap_or_else(|_| panic!("{INSTALL}"));
    let newest = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
            path.join("bin/initdb").exists().then(|| (version, path.join("bin")))
        })
        .max();
    newest.unwrap_or_else(|| panic!("{INSTALL}")).1
}

/// Stops and deletes clusters whose process is gone although their watchdog did not get to it.
fn sweep(temp: &Path, bin: &Path) {
    for entry in fs::read_dir(temp).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.strip_prefix("slotwright-pg-")) else { continue };
        if pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists() {
            let _ = Command::new("sh").args(["-c", &removal(bin, &entry.path())]).status();
        }
    }
}

/// Starts the watchdog, in a process group of its own so that Ctrl-C does not reach it.
#[allow(clippy::zombie_processes)] // It outlives us: that is what it is for.
fn watch(pid: u32, bin: &Path, home: &Path) {
    let script = format!("tail --pid={pid} -f /dev/null; {}", removal(bin, home));
    Command::new("sh")
        .args(["-c", &script])
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sh runs");
}

fn removal(bin: &Path, home: &Path) -> String {
    let owner = if is_root() { "runuser -u postgres -- " } else { "" };
    let (bin, home) = (bin.display(), home.display());
    format!("{owner}{bin}/pg_ctl -s -m immediate -D {home}/data stop >/dev/null 2>&1; rm -rf {home}")
}

/// A command that runs as a user PostgreSQL accepts: it refuses root.
fn as_owner(program: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir("/");
    command
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Waits until `ready` says so, at most `limit`; false when it never did.
pub async fn wait_until(limit: Duration, mut ready: impl AsyncFnMut() -> bool) -> bool {
    tokio::time::timeout(limit, async {
        while !ready().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .is_ok()
}
