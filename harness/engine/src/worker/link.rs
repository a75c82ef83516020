//! The engine's end of a worker: starts the process, asks, waits with a limit, kills.
//!
//! It knows the lines, not what they mean.

use super::{PROTOCOL, Reply, Request};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tilemark_core::Info;

/// How to start a worker.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// The program, which is this one unless a test brings its own.
    pub program: PathBuf,
    /// Arguments before `--device NAME --implementation NAME`.
    pub arguments: Vec<String>,
}

/// A running worker.
pub struct Link {
    child: Child,
    stdin: ChildStdin,
    replies: Receiver<String>,
    stderr: Receiver<VecDeque<String>>,
    /// How it ended, once it has.
    status: Option<ExitStatus>,
}

/// Why a worker gave no answer. The worker is dead in every case.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// It ended by itself.
    #[error("{0}")]
    Died(String),
    /// The watchdog killed it.
    #[error("no answer within {limit_s} s")]
    TimedOut {
        /// The limit.
        limit_s: f64,
    },
    /// The user broke the run off while it was busy.
    #[error("interrupted")]
    Cancelled,
    /// It could not be started, or its lines make no sense.
    #[error("{0}")]
    Protocol(String),
}

/// Lines of a dead worker's stderr that its record keeps.
const STDERR_LINES: usize = 12;

/// How long a worker that has closed its output may take to end, and its last lines to come.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How soon a busy worker is killed after Ctrl-C.
const CANCEL_POLL: Duration = Duration::from_millis(50);

impl Link {
    /// Starts a worker and waits for its greeting.
    pub fn start(
        launcher: &Launcher,
        device: &str,
        implementation: &str,
        limit: Duration,
        cancel: &AtomicBool,
    ) -> Result<(Link, Info), Failure> {
        let mut child = Command::new(&launcher.program)
            .args(&launcher.arguments)
            .args(["--device", device, "--implementation", implementation])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own group: Ctrl-C reaches the engine only, which ends workers in order.
            .process_group(0)
            .spawn()
            .map_err(|e| {
                Failure::Protocol(format!("cannot start {}: {e}", launcher.program.display()))
            })?;
        let stdin = child.stdin.take().expect("stdin is piped");
        let stdout = child.stdout.take().expect("stdout is piped");
        let stderr = child.stderr.take().expect("stderr is piped");
        let mut link = Link {
            child,
            stdin,
            replies: lines_of(stdout),
            stderr: last_lines_of(stderr),
            status: None,
        };
        match link.receive(limit, cancel)? {
            Reply::Hello { protocol: PROTOCOL, info } => Ok((link, *info)),
            Reply::Fault { fault } => Err(Failure::Protocol(fault.to_string())),
            other => Err(link.confused(&format!("{other:?}"))),
        }
    }

    /// The process's number.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request and waits for its answer.
    pub fn ask(
        &mut self,
        request: &Request,
        limit: Duration,
        cancel: &AtomicBool,
    ) -> Result<Reply, Failure> {
        let mut line = serde_json::to_string(request).expect("a request is plain data");
        line.push('\n');
        if self.stdin.write_all(line.as_bytes()).is_err() {
            return Err(self.died());
        }
        self.receive(limit, cancel)
    }

    fn receive(&mut self, limit: Duration, cancel: &AtomicBool) -> Result<Reply, Failure> {
        let mut left = limit;
        loop {
            let slice = left.min(CANCEL_POLL);
            match self.replies.recv_timeout(slice) {
                Ok(line) => return serde_json::from_str(&line).map_err(|_| self.confused(&line)),
                Err(RecvTimeoutError::Disconnected) => return Err(self.died()),
                // What it started may hold its output after its end.
                Err(RecvTimeoutError::Timeout) if self.has_ended() => return Err(self.died()),
                Err(RecvTimeoutError::Timeout) => left -= slice,
            }
            if cancel.load(Ordering::Relaxed) {
                self.kill();
                return Err(Failure::Cancelled);
            }
            if left.is_zero() {
                self.kill();
                return Err(Failure::TimedOut { limit_s: limit.as_secs_f64() });
            }
        }
    }

    fn confused(&mut self, line: &str) -> Failure {
        self.kill();
        let start: String = line.chars().take(200).collect();
        Failure::Protocol(format!("the worker answered out of turn: {start}"))
    }

    fn died(&mut self) -> Failure {
        self.await_end();
        self.kill();
        let mut message = self.status.map_or("the worker is gone".to_owned(), describe);
        for line in self.stderr.recv_timeout(LAST_WORDS).unwrap_or_default() {
            message.push('\n');
            message.push_str(&line);
        }
        Failure::Died(message)
    }

    /// Waits a little for it to end by itself, so that it is told how it did.
    fn await_end(&self) {
        let start = Instant::now();
        while !self.has_ended() && start.elapsed() < LAST_WORDS {
            std::thread::sleep(CANCEL_POLL / 10);
        }
    }

    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        self.status.is_some() || !matches!(waitid(WaitId::Pid(self.group()), options), Ok(None))
    }

    /// Ends it and what it started: a compiler that goes on would disturb whoever comes next.
    fn kill(&mut self) {
        if self.status.is_none() {
            // All may have ended in the meantime, which is as good.
            let _ = kill_process_group(self.group(), Signal::KILL);
            self.status = self.child.wait().ok();
        }
    }

    /// Its group has its number, which nobody else gets before it was waited for.
    fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.kill();
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(6), _) => "the worker aborted (signal 6, SIGABRT)".to_owned(),
        (Some(9), _) => "the worker was killed (signal 9, SIGKILL): out of memory?".to_owned(),
        (Some(11), _) => "the worker crashed (signal 11, SIGSEGV)".to_owned(),
        (Some(signal), _) => format!("the worker was ended by signal {signal}"),
        (None, Some(code)) => format!("the worker exited with status {code}"),
        (None, None) => "the worker is gone".to_owned(),
    }
}

fn lines_of(stdout: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The last lines of a worker, once nobody holds its stderr any more.
fn last_lines_of(stderr: impl Read + Send + 'static) -> Receiver<VecDeque<String>> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut last = VecDeque::with_capacity(STDERR_LINES);
        for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
            if last.len() == STDERR_LINES {
                last.pop_front();
            }
            last.push_back(String::from_utf8_lossy(&line).into_owned());
        }
        sender.send(last)
    });
    receiver
}
