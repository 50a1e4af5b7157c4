//! The program that `cargo run` starts, as somebody at a terminal sees it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use waybill_local::build_functions;

/// A started program and what it has printed so far.
struct Program {
    child: Child,
    screen: String,
}

fn program(store: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(build_functions().unwrap().join("waybill"));
    command.arg("--store").arg(store).args(arguments).env("NO_COLOR", "1").env_remove("STRIPE_SECRET_KEY");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Starts it and reads its screen to the last line.
fn start(store: &Path, arguments: &[&str]) -> Program {
    let mut child = program(store, arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut screen = String::new();
    while let Some(Ok(line)) = lines.next() {
        screen += &format!("{line}\n");
        if line.starts_with("Ctrl-C") {
            return Program { child, screen };
        }
    }
    let output = child.wait_with_output().unwrap();
    panic!("it did not start: {screen}{}", String::from_utf8_lossy(&output.stderr));
}

impl Program {
    fn row(&self, name: &str) -> String {
        let row = self.screen.lines().find_map(|line| line.trim_start().strip_prefix(name)).unwrap();
        row.split_whitespace().next().unwrap().to_owned()
    }

    /// The commands that it asks to paste.
    fn commands(&self) -> String {
        let from = self.screen.split_once("(paste into a shell):\n\n").unwrap().1;
        from.split_once("\n\n").unwrap().0.to_owned()
    }

    /// Ctrl-C, and the time until it has ended.
    fn interrupt(mut self) -> Duration {
        let begin = Instant::now();
        Command::new("sh").arg("-c").arg(format!("kill -INT {}", self.child.id())).status().unwrap();
        assert!(self.child.wait().unwrap().success());
        begin.elapsed()
    }
}

fn refusal(store: &Path, arguments: &[&str]) -> String {
    let output = program(store, arguments).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap().lines().last().unwrap().to_owned()
}

#[test]
fn the_start_screen_says_what_to_do_and_its_commands_run() {
    let store = std::env::temp_dir().join(format!("waybill-start-{}", waybill_tests::key()));
    let started = start(&store, &["--port", "0"]);
    let password = started.row("Password");
    assert!(started.screen.contains("(shown once, kept in"), "{}", started.screen);

    if ["curl", "bash"].iter().all(|tool| Command::new(tool).arg("--version").output().is_ok()) {
        let pasted = Command::new("bash").arg("-c").arg(started.commands()).output().unwrap();
        let printed = String::from_utf8(pasted.stdout).unwrap();
        let errors = String::from_utf8_lossy(&pasted.stderr).into_owned();
        assert!(printed.contains(&format!("Pay here: {}/pay/cs_", started.row("Payments"))), "{printed}{errors}");
        assert!(printed.contains("\"type\":\"order.payment_started\""), "{printed}{errors}");
    } else {
        eprintln!("There is no curl or bash here, so the commands of the start-up screen were not tried.");
    }

    let api_port = started.row("API").rsplit(':').next().unwrap().to_owned();
    let other = store.with_extension("other");
    let taken = refusal(&other, &["--port", &api_port]);
    assert!(taken.starts_with(&format!("waybill: port {api_port} is taken")), "{taken}");
    let in_use = refusal(&store, &["--port", "0"]);
    assert!(in_use.contains("in use by another Waybill"), "{in_use}");
    assert!(started.interrupt() < Duration::from_secs(10));

    let again = start(&store, &["--port", "0"]);
    assert!(!again.screen.contains(&password), "the password is shown once");
    again.interrupt();
    for (parameter, expected) in [
        ("Nope=1", "waybill: template.yaml: there is no parameter Nope"),
        (
            "PaymentCapture=later",
            "waybill: template.yaml: the parameter PaymentCapture must be one of automatic, manual",
        ),
    ] {
        assert_eq!(refusal(&store, &["--port", "0", "--parameter", parameter]), expected);
    }
    let fresh = start(&store, &["--port", "0", "--fresh", "--empty", "--parameter", "PaymentCapture=manual"]);
    assert!(fresh.screen.contains("(shown once, kept in"));
    assert_ne!(fresh.row("Password"), password);
    fresh.interrupt();

    let foreign = store.with_extension("foreign");
    std::fs::create_dir(&foreign).unwrap();
    std::fs::write(foreign.join("thesis.txt"), "x").unwrap();
    assert!(refusal(&foreign, &["--port", "0", "--fresh"]).contains("not a Waybill store"));
    assert!(foreign.join("thesis.txt").exists());
    for folder in [store, other, foreign] {
        let _ = std::fs::remove_dir_all(folder);
    }
}
