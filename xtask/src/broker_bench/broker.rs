//! The brokers, and the load that is put on them.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::START;
use crate::command::{program, target};

/// Behind the line that says where it listens. Nothing is kept on disk, and no limit makes it drop what it has acknowledged.
pub(crate) const MOSQUITTO_CONFIG: &str = "\
allow_anonymous true
persistence false
max_inflight_messages 0
max_queued_messages 0
max_queued_bytes 0
set_tcp_nodelay true
log_type none
connection_messages false
";

/// Ten thousand are idle, and some are not.
const CONNECTIONS_MAX: &str = "12000";

/// A file system in memory, where a sync costs nothing.
const MEMORY: &str = "/dev/shm";
const MOSQUITTO: &str = "mosquitto";

/// Whether there is one.
pub(crate) fn has_memory() -> bool {
    Path::new(MEMORY).is_dir()
}

/// Which broker, and where it keeps what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Mosquitto,
    Ours,
    /// The log in memory: acknowledged means written, not durable.
    OursInMemory,
    /// `strace` counts its syncs.
    OursTraced,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mosquitto => MOSQUITTO,
            Self::Ours | Self::OursTraced => "ours, durable",
            Self::OursInMemory => "ours, in memory",
        }
    }
}

/// Where the programs are, and a folder of our own.
pub(crate) struct Programs {
    broker: PathBuf,
    loadgen: PathBuf,
    mosquitto: PathBuf,
    folder: PathBuf,
}

impl Programs {
    pub(crate) fn find(root: &Path) -> Result<Self> {
        let target = target(root);
        let folder = target.join(format!("broker-bench-{}", std::process::id()));
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        let examples = target.join("release/examples");
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Distributions put it where only root looks.
        let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
        let mosquitto = folders.map(|folder| folder.join(MOSQUITTO)).find(|path| path.is_file());
        Ok(Self {
            broker: examples.join("broker"),
            loadgen: examples.join("loadgen"),
            mosquitto: mosquitto
                .context("there is no mosquitto: install it, as in `apt-get install mosquitto`")?,
            folder,
        })
    }

    /// The first line of its help; it has no option for that alone.
    pub(crate) fn mosquitto_version(&self) -> Result<String> {
        let output =
            Command::new(&self.mosquitto).arg("-h").output().context("mosquitto cannot be started")?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(text.lines().next().unwrap_or("of unknown version").to_owned())
    }

    /// How many syncs the last broker made that was traced.
    pub(crate) fn syncs(&self) -> Result<u64> {
        let text = fs::read_to_string(self.trace()).context("strace has counted nothing")?;
        let line =
            text.lines().find(|line| line.ends_with(" fdatasync")).context("strace saw no fdatasync")?;
        let calls = line.split_whitespace().nth(3).and_then(|calls| calls.parse().ok());
        calls.with_context(|| format!("strace says '{line}'"))
    }

    /// A folder on the disk on which brokers keep what they keep.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn trace(&self) -> PathBuf {
        self.folder.join("syncs")
    }

    pub(crate) fn clear(&self) -> Result<()> {
        fs::remove_dir_all(&self.folder)
            .with_context(|| format!("{} cannot be removed", self.folder.display()))
    }
}

/// What a load brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) sent: f64,
    pub(crate) sent_per_sec: f64,
    pub(crate) received_per_sec: f64,
    pub(crate) lost: f64,
    pub(crate) processor_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Memory for each idle connection, where there are any.
    pub(crate) idle_bytes: f64,
}

/// A broker that runs, until it is dropped.
pub(crate) struct Broker {
    process: Child,
    /// Its process; that of `strace`, if it is traced, is another.
    pid: u32,
    port: u16,
    kind: Kind,
    data: PathBuf,
}

impl Broker {
    /// Starts it with nothing in it.
    pub(crate) fn start(programs: &Programs, kind: Kind) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let parent = if kind == Kind::OursInMemory { Path::new(MEMORY) } else { &programs.folder };
        let data = parent.join(format!("broker-bench-{}-{port}", std::process::id()));
        fs::create_dir_all(&data).with_context(|| format!("{} cannot be made", data.display()))?;
        let mut command = match kind {
            Kind::Mosquitto => {
                let config = data.join("mosquitto.conf");
                fs::write(&config, format!("listener {port} 127.0.0.1\n{MOSQUITTO_CONFIG}"))?;
                let mut command = Command::new(&programs.mosquitto);
                command.arg("-c").arg(config);
                command
            }
            Kind::Ours | Kind::OursInMemory => Command::new(&programs.broker),
            Kind::OursTraced => {
                let mut command = Command::new("strace");
                command.args(["-f", "-qq", "-c", "--seccomp-bpf", "-e", "trace=fdatasync", "-o"]);
                // The shell tells the number of the process that it becomes.
                command
                    .arg(programs.trace())
                    .args(["sh", "-c", "echo $$ && exec \"$0\" \"$@\""])
                    .arg(&programs.broker);
                command
            }
        };
        if kind != Kind::Mosquitto {
            command.args(["--listen", &format!("127.0.0.1:{port}")]).arg("--data").arg(&data);
            command.args(["--connections-max", CONNECTIONS_MAX]);
            command.env("RUST_LOG", "error");
        }
        let piped = kind == Kind::OursTraced;
        let process = command
            .stdin(Stdio::null())
            .stdout(if piped { Stdio::piped() } else { Stdio::null() })
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} cannot be started", kind.name()))?;
        let mut broker = Self { pid: process.id(), process, port, kind, data };
        if let Some(output) = broker.process.stdout.take() {
            let mut lines = BufReader::new(output).lines();
            let first = lines.next().transpose()?.unwrap_or_default();
            broker.pid = first.parse().with_context(|| format!("the shell says '{first}'"))?;
            // The rest is not needed, but must not fill the pipe.
            std::thread::spawn(move || lines.for_each(drop));
        }
        broker.wait_until_it_listens()?;
        Ok(broker)
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("{} ended: {status}", self.kind.name());
            }
            if begin.elapsed() > START {
                bail!("{} does not listen", self.kind.name());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Puts a load on it.
    pub(crate) fn load(&self, programs: &Programs, options: &[String]) -> Result<Figures> {
        let (address, pid) = (format!("127.0.0.1:{}", self.port), self.pid.to_string());
        let output = Command::new(&programs.loadgen)
            .args(["--json", "--address", &address, "--broker-pid", &pid])
            .args(options)
            .stderr(Stdio::inherit())
            .output()
            .context("the load generator cannot be started")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            bail!("{} under {options:?}: {}: {said}", self.kind.name(), output.status);
        }
        let result: Value = serde_json::from_slice(&output.stdout).context("the load generator's result")?;
        let figure = |names: &[&str]| {
            let value = names.iter().try_fold(&result, |value, name| value.get(name)).and_then(Value::as_f64);
            value.with_context(|| format!("the load generator does not tell {names:?}: {result}"))
        };
        Ok(Figures {
            sent: figure(&["sent"])?,
            sent_per_sec: figure(&["sent_per_sec"])?,
            received_per_sec: figure(&["received_per_sec"])?,
            lost: figure(&["lost"])? / figure(&["expected"])?,
            processor_us: figure(&["processor_us"])?,
            // There are none where all that came was sent in the warm-up.
            p50_us: figure(&["end_to_end", "p50_us"]).unwrap_or(f64::NAN),
            p99_us: figure(&["end_to_end", "p99_us"]).unwrap_or(f64::NAN),
            idle_bytes: figure(&["idle_bytes"]).unwrap_or(f64::NAN),
        })
    }

    /// SIGTERM must end it.
    pub(crate) fn stop(mut self) -> Result<()> {
        let id = self.pid.to_string();
        let mut kill = program(Path::new("/"), "kill", ["-TERM", id.as_str()]);
        if !kill.status().context("kill cannot be started")?.success() {
            bail!("{} is gone before it is stopped", self.kind.name());
        }
        let status = self.process.wait()?;
        if status.success() { Ok(()) } else { bail!("{} did not stop cleanly: {status}", self.kind.name()) }
    }
}

impl Drop for Broker {
    /// Nothing is left running, and nothing lying about.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.data);
    }
}
