//! The one thread that starts Blenders. On Linux a child may ask for a signal when its parent dies, and the
//! kernel means the *thread* that forked it: so that thread lives exactly as long as the agent.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

/// Starts processes that die with whoever holds this (and its clones).
#[derive(Debug, Clone)]
pub struct Spawner {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    command: Command,
    reply: oneshot::Sender<io::Result<Child>>,
}

impl Spawner {
    /// Starts the thread. Must be called within a Tokio runtime, which must live longer than the children.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start() -> io::Result<Self> {
        let (requests, waiting) = mpsc::channel::<Request>();
        let runtime = Handle::current();
        thread::Builder::new().name("spawner".to_owned()).spawn(move || {
            let _entered = runtime.enter();
            for mut request in waiting {
                // Whoever asked may be gone; then the child is dropped, and with it killed.
                let _asker_gone = request.reply.send(request.command.spawn());
            }
        })?;
        Ok(Self { requests })
    }

    /// Starts a process in a group of its own that is killed when the agent dies or the child is dropped.
    ///
    /// # Errors
    /// What the system says.
    pub async fn spawn(&self, mut command: Command) -> io::Result<Child> {
        command.kill_on_drop(true).process_group(0);
        #[cfg(target_os = "linux")]
        die_with_the_agent(&mut command);
        let (reply, answer) = oneshot::channel();
        let gone = || io::Error::other("the thread that starts processes has ended");
        self.requests
            .send(Request { command, reply })
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

#[cfg(target_os = "linux")]
fn die_with_the_agent(command: &mut Command) {
    use nix::sys::{prctl, signal::Signal};
    use nix::unistd::{Pid, getppid};

    let agent = Pid::this();
    let ask = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != agent {
            return Err(io::Error::other(
                "the agent died before its child could ask to die with it",
            ));
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes two system calls and neither allocates nor takes a lock on the
    // way that succeeds.
    unsafe {
        command.pre_exec(ask);
    }
}
