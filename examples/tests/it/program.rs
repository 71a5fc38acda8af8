//! Running the examples.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// The program of an example; `cargo test` has built it beside ours.
pub(crate) fn example(name: &str) -> PathBuf {
    let ours = std::env::current_exe().unwrap();
    let program = ours.parent().unwrap().parent().unwrap().join("examples").join(name);
    assert!(
        program.exists(),
        "{} is not built: run `cargo test --workspace`, or build the examples",
        program.display()
    );
    program
}

/// A broker with a folder of its own.
pub(crate) struct Broker {
    process: Child,
    pub(crate) address: SocketAddr,
    data: PathBuf,
    options: Vec<String>,
    /// What it said when it started.
    pub(crate) welcome: String,
}

impl Broker {
    pub(crate) fn start(data: &Path, options: &[&str]) -> Self {
        // Free now; and nobody else on the machine is after it.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self::launch(data.to_owned(), options, address)
    }

    /// With no more open files than the shell's `ulimit` says.
    pub(crate) fn start_with_files(data: &Path, options: &[&str], ulimit: &str) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit {ulimit} && exec \"$0\" \"$@\"")).arg(example("broker"));
        arguments(&mut command, data, address);
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self::spawn(command, data.to_owned(), options, address)
    }

    /// The broker of the guide. What it has of ours is its folder and its address.
    pub(crate) fn start_small(data: &Path) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = Command::new(example("small_broker"));
        command.arg(data).arg(address.to_string()).stdin(Stdio::piped());
        Self::spawn_until("Enter stops it", command, data.to_owned(), Vec::new(), address)
    }

    /// All connections on one thread.
    pub(crate) fn start_with_one_thread(data: &Path) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut command = command(data, address);
        command.env("TOKIO_WORKER_THREADS", "1");
        Self::spawn(command, data.to_owned(), Vec::new(), address)
    }

    /// Where nothing that it says can be written.
    pub(crate) fn start_mute(data: &Path) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let process =
            command(data, address).env("RUST_LOG", "debug").stdout(full()).stderr(full()).spawn().unwrap();
        let mut broker =
            Self { process, address, data: data.to_owned(), options: Vec::new(), welcome: String::new() };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            assert!(broker.is_running() && Instant::now() < deadline, "it does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        broker
    }

    fn launch(data: PathBuf, options: Vec<String>, address: SocketAddr) -> Self {
        Self::spawn(command(&data, address), data, options, address)
    }

    fn spawn(command: Command, data: PathBuf, options: Vec<String>, address: SocketAddr) -> Self {
        // The last line of the welcome says what to type next.
        Self::spawn_until("--follow", command, data, options, address)
    }

    fn spawn_until(
        last: &str,
        mut command: Command,
        data: PathBuf,
        options: Vec<String>,
        address: SocketAddr,
    ) -> Self {
        let mut process = command.args(&options).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let mut welcome = String::new();
        while !welcome.contains(last) {
            assert!(lines.read_line(&mut welcome).unwrap() > 0, "the broker ended: {:?}", process.wait());
        }
        process.stdout = Some(lines.into_inner());
        Self { process, address, data, options, welcome }
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts the same broker, and kills it so long after that, whether it has come to listen or not.
    pub(crate) fn start_and_kill(&mut self, after: Duration) {
        let mut command = command(&self.data, self.address);
        self.process = command.args(&self.options).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        self.kill();
    }

    /// The same broker again, on the same port and folder.
    pub(crate) fn restart(&mut self) {
        let again = Self::launch(self.data.clone(), self.options.clone(), self.address);
        *self = again;
    }

    /// SIGTERM; gives how it ended and what it still said.
    pub(crate) fn stop(self) -> (ExitStatus, String) {
        let status = Command::new("kill").arg(self.process.id().to_string()).status().unwrap();
        assert!(status.success());
        self.end()
    }

    /// Somebody presses Enter.
    pub(crate) fn enter(mut self) -> (ExitStatus, String) {
        self.process.stdin.take().unwrap().write_all(b"\n").unwrap();
        self.end()
    }

    fn end(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let status = loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not stop");
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut said = String::new();
        if let Some(mut stdout) = self.process.stdout.take() {
            stdout.read_to_string(&mut said).unwrap();
        }
        (status, said)
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.process.try_wait().unwrap().is_none()
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn command(data: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(example("broker"));
    arguments(&mut command, data, address);
    command
}

fn arguments(command: &mut Command, data: &Path, address: SocketAddr) {
    command.arg("--listen").arg(address.to_string()).arg("--data").arg(data).stderr(Stdio::null());
}

/// A broker that is expected to refuse to start: what it says.
pub(crate) fn refusal(data: &Path) -> String {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = command(data, address).stderr(Stdio::piped()).output().unwrap();
    assert!(!output.status.success(), "it started");
    String::from_utf8(output.stderr).unwrap()
}

/// Runs an example to its end.
pub(crate) fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(example(name)).args(arguments).output().unwrap()
}

/// What replay prints, a JSON object a line.
pub(crate) fn replay(data: &Path, arguments: &[&str]) -> Vec<serde_json::Value> {
    let output = Command::new(example("replay"))
        .arg("--data")
        .arg(data)
        .arg("--json")
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
