//! The examples against other people's programs: mosquitto's clients, paho-mqtt, aiomqtt, gmqtt, MQTT.js, Node-RED and kafka-python,
//! which are installed here.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::command::{self, cargo, exists, program, target};
use crate::python;

/// What is run: a name, the program and its arguments, and whether it needs a broker that is running.
const CHECKS: &[Check] = &[
    Check { name: "quickstart", program: Program::Example("quickstart"), arguments: &[], broker: false },
    Check { name: "mosquitto", program: Program::Shell("mosquitto.sh"), arguments: &[], broker: true },
    Check { name: "paho", program: Program::Python("paho_client.py"), arguments: &[], broker: true },
    Check { name: "aiomqtt", program: Program::Python("aiomqtt_client.py"), arguments: &[], broker: true },
    Check { name: "gmqtt", program: Program::Python("gmqtt_client.py"), arguments: &[], broker: true },
    Check { name: "mqttjs", program: Program::Node("mqttjs"), arguments: &[], broker: true },
    Check { name: "nodered", program: Program::Node("nodered"), arguments: &[], broker: true },
    Check {
        name: "shared",
        program: Program::Python("shared_client.py"),
        arguments: &["1000", "3"],
        broker: false,
    },
    Check { name: "replay", program: Program::Python("replay_checks.py"), arguments: &[], broker: false },
    Check { name: "interop", program: Program::Python("interop_checks.py"), arguments: &[], broker: false },
    Check {
        name: "kill",
        program: Program::Python("kill_client.py"),
        arguments: &["20000", "3"],
        broker: false,
    },
    Check { name: "restart", program: Program::Python("restart_client.py"), arguments: &[], broker: false },
];

/// So long may the packages of Node.js take; a registry that is slower is none.
const INSTALL_SECS: u64 = 300;

#[derive(Clone, Copy)]
struct Check {
    name: &'static str,
    program: Program,
    arguments: &'static [&'static str],
    broker: bool,
}

#[derive(Clone, Copy)]
enum Program {
    Example(&'static str),
    Shell(&'static str),
    Python(&'static str),
    /// A folder with `client.mjs` and a `package.json` of what it needs.
    Node(&'static str),
}

/// `cargo x clients [NAME ...]`: all checks, or those that are named.
pub(crate) fn run(root: &Path, names: &[&str]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| CHECKS.iter().all(|check| check.name != **name)) {
        let known: Vec<&str> = CHECKS.iter().map(|check| check.name).collect();
        bail!("there is no check {unknown}; there are {known:?}");
    }
    let chosen: Vec<&Check> =
        CHECKS.iter().filter(|check| names.is_empty() || names.contains(&check.name)).collect();
    command::run(&mut cargo(
        root,
        &["build", "--release", "--locked", "--examples", "--package", "headwater-examples"],
    ))?;
    let tools = Tools::install(root, &chosen)?;
    let mut skipped = Vec::new();
    for check in &chosen {
        println!("\n-- {}", check.name);
        if let Program::Node(folder) = check.program
            && let Err(error) = tools.install_node(folder)
        {
            println!("SKIPPED: what {folder} needs cannot be installed: {error:#}");
            skipped.push(check.name);
            continue;
        }
        let mut command = tools.command(check);
        let broker = check.broker.then(|| Broker::start(&tools)).transpose()?;
        if let Some(broker) = &broker {
            command.env("MQTT_PORT", broker.port.to_string());
        }
        command::run(&mut command)?;
        if let Some(broker) = broker {
            broker.stop()?;
        }
    }
    println!("\n{} checks with other people's clients hold", chosen.len() - skipped.len());
    if !skipped.is_empty() {
        println!("SKIPPED, for the reasons above: {}", skipped.join(", "));
    }
    Ok(())
}

/// Where the programs are.
struct Tools {
    scripts: PathBuf,
    interop: PathBuf,
    examples: PathBuf,
    python: PathBuf,
    node: PathBuf,
}

impl Tools {
    /// Installs what the chosen checks need, below `target`, but for mosquitto's clients and jq, which come from the distribution.
    fn install(root: &Path, chosen: &[&Check]) -> Result<Self> {
        let target = target(root);
        let tools = Self {
            scripts: root.join("tests/clients"),
            interop: root.join("tests/interop"),
            examples: target.join("release/examples"),
            python: python::program(root),
            node: target.join("clients"),
        };
        let needs = |wanted: fn(&Program) -> bool| chosen.iter().any(|check| wanted(&check.program));
        // By the package's name, and a program of it that says its version.
        for (package, tool) in [("mosquitto-clients", "mosquitto_pub"), ("jq", "jq")] {
            if !exists(tool, "--version") {
                command::run(&mut program(root, "apt-get", ["update", "-qq"]))?;
                command::run(&mut program(root, "apt-get", ["install", "-y", "-qq", package]))?;
            }
        }
        if needs(|program| matches!(program, Program::Python(_))) {
            python::install(root)?;
        }
        Ok(tools)
    }

    /// What a folder of scripts for Node.js asks for, from npm's registry: many packages, and not the latest Node.js will do for all.
    fn install_node(&self, folder: &str) -> Result<()> {
        let (from, to) = (self.scripts.join(folder), self.node.join(folder));
        fs::create_dir_all(&to)?;
        // The script is run from beside its packages: that is where its imports are looked for.
        for entry in fs::read_dir(&from)? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(entry.file_name()))
                .with_context(|| format!("{} cannot be copied", entry.path().display()))?;
        }
        let arguments = ["install", "--silent", "--no-audit", "--no-fund", "--engine-strict"];
        command::run_within(&mut program(&to, "npm", arguments), INSTALL_SECS)
    }

    fn example(&self, name: &str) -> PathBuf {
        self.examples.join(name)
    }

    fn command(&self, check: &Check) -> Command {
        let mut command = match check.program {
            Program::Example(name) => Command::new(self.example(name)),
            Program::Shell(script) => Command::new(self.scripts.join(script)),
            Program::Python(script) => {
                let mut command = Command::new(&self.python);
                command.arg(self.scripts.join(script));
                command
            }
            Program::Node(folder) => {
                let mut command = Command::new("node");
                command.arg(self.node.join(folder).join("client.mjs"));
                command
            }
        };
        command.args(check.arguments);
        command.env("BROKER", self.example("broker")).env("REPLAY", self.example("replay"));
        command.env("READ_SEGMENTS", self.interop.join("read_segments.py"));
        command
    }
}

/// A broker of our own, on a free port, with an empty folder.
struct Broker {
    process: Child,
    port: u16,
    data: PathBuf,
}

impl Broker {
    fn start(tools: &Tools) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let data = std::env::temp_dir().join(format!("headwater-clients-{}-{port}", std::process::id()));
        let mut process = Command::new(tools.example("broker"))
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .arg("--data")
            .arg(&data)
            .stdout(Stdio::piped())
            .spawn()
            .context("the broker cannot be started")?;
        // Its first line comes when it listens.
        let output = process.stdout.take().context("the broker has no output")?;
        let mut lines = BufReader::new(output).lines();
        let first = lines.next().transpose()?;
        if first.is_none() {
            bail!("the broker ended: {}", process.wait()?);
        }
        // The rest is not needed, but must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { process, port, data })
    }

    /// SIGTERM must end it cleanly.
    fn stop(mut self) -> Result<()> {
        let id = self.process.id().to_string();
        command::run(&mut program(Path::new("/"), "kill", ["-TERM", id.as_str()]))?;
        let status = self.process.wait()?;
        fs::remove_dir_all(&self.data)?;
        if status.success() { Ok(()) } else { bail!("the broker did not stop cleanly: {status}") }
    }
}

impl Drop for Broker {
    /// After a check that failed: nothing is left running.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
