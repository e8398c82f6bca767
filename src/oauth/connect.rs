//! Opens connections, and bounds the time of a request: the elements of ureq's chain of connectors.
//!
//! Separate from [`super::http`], which sends requests over a connection. ureq's own connectors are used where they fit
//! (SOCKS, `CONNECT`, TLS), ours where they do not ([`super::socket`], [`super::addresses`]). The time of a request is
//! measured here because ureq gives up on an answer that arrived while this process was stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, Transport,
};
use ureq::{Agent, Error, Timeout};

use super::addresses::Addresses;
use super::reframe::{Offered, ReframeConnector};
use super::socket::Direct;
use super::tls::Tls;
use super::tunnel::Tunnel;

/// How long an expired request still reads what has already arrived.
const LATE_READ: Duration = Duration::from_millis(20);

/// How many such reads are allowed: more than the longest answer needs, but not unlimited.
const LATE_READS: u32 = 32;

/// An agent that connects to these addresses, and reports to the watch and what a proxy offers. The time limits in `config` cover only lookup
/// and connect.
pub(super) fn agent(
    config: Config,
    addresses: Addresses,
    watch: &Arc<Watch>,
    offered: &Offered,
) -> Agent {
    let proxied = config.proxy().is_some();
    let watch_connector = WatchConnector {
        proxied,
        watch: Arc::clone(watch),
    };
    let connector =
        ().chain(Tunnel)
            .chain(Direct)
            .chain(Tls)
            .chain(RustlsConnector::default())
            .chain(watch_connector)
            .chain(ReframeConnector {
                proxied,
                offered: offered.clone(),
            });
    Agent::with_parts(config, connector, addresses)
}

/// The deadline and progress of one request.
#[derive(Debug)]
pub(super) struct Watch {
    deadline: Instant,
    late_reads: AtomicU32,
    sent: AtomicBool,
}

impl Watch {
    /// Starts the clock.
    pub(super) fn begin(limit: Duration) -> Watch {
        Watch {
            deadline: Instant::now() + limit,
            late_reads: AtomicU32::new(LATE_READS),
            sent: AtomicBool::new(false),
        }
    }

    /// Whether any byte of the request may have been sent.
    pub(super) fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    /// The remaining time; `None` once it has passed.
    fn remaining(&self) -> Option<Duration> {
        let remaining = self.deadline.saturating_duration_since(Instant::now());
        (!remaining.is_zero()).then_some(remaining)
    }

    /// Time for one more read after the deadline: the process may have been stopped past it, while the answer arrived
    /// in the socket's buffer.
    fn late_read(&self) -> Option<Duration> {
        let remaining = self.late_reads.load(Ordering::Relaxed).checked_sub(1)?;
        self.late_reads.store(remaining, Ordering::Relaxed);
        Some(LATE_READ)
    }
}

/// Bounds the time of a request. A `CONNECT` to a proxy is not the request, and is bounded by the connect timeout.
#[derive(Debug)]
struct WatchConnector {
    proxied: bool,
    watch: Arc<Watch>,
}

impl<In: Transport> Connector<In> for WatchConnector {
    type Out = Watched<In>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        // The connection to the proxy goes through this chain too, without a proxy.
        let is_to_target = details.config.proxy().is_some() == self.proxied;
        Ok(chained.map(|connection| Watched {
            connection,
            watch: is_to_target.then(|| Arc::clone(&self.watch)),
        }))
    }
}

#[derive(Debug)]
struct Watched<T> {
    connection: T,
    watch: Option<Arc<Watch>>,
}

fn within(limit: Duration, timeout: NextTimeout) -> NextTimeout {
    NextTimeout {
        after: limit.into(),
        ..timeout
    }
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.connection.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let Some(watch) = &self.watch else {
            return self.connection.transmit_output(amount, timeout);
        };
        if amount == 0 {
            return Ok(());
        }
        let remaining = watch.remaining().ok_or(Error::Timeout(Timeout::Global))?;
        watch.sent.store(true, Ordering::Relaxed);
        self.connection
            .transmit_output(amount, within(remaining, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let Some(watch) = &self.watch else {
            return self.connection.await_input(timeout);
        };
        if let Some(remaining) = watch.remaining() {
            match self.connection.await_input(within(remaining, timeout)) {
                Err(Error::Timeout(_)) => {}
                read => return read,
            }
        }
        let last = watch.late_read().ok_or(Error::Timeout(Timeout::Global))?;
        self.connection.await_input(within(last, timeout))
    }

    fn is_open(&mut self) -> bool {
        self.connection.is_open()
    }

    fn is_tls(&self) -> bool {
        self.connection.is_tls()
    }
}

#[cfg(test)]
#[allow(
    clippy::mixed_attributes_style,
    reason = "only these tests depend on the system"
)]
mod tests {
    // Windows has no signal that stops a process.
    #![cfg(unix)]

    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::process::{Command, Stdio};
    use std::rc::Rc;
    use std::time::Duration;

    use rustix::process::{Pid, Signal, kill_process};

    use crate::oauth::{OAuth, RefreshAnswer};
    use crate::origin::Origin;
    use crate::secret::Secret;
    use crate::world::{SystemClock, World};

    /// Set in the child process that the test stops: the instance to send the request to.
    const INSTANCE: &str = "SENTRY_CREDENTIAL_TEST_INSTANCE";

    const LIMIT: Duration = Duration::from_secs(1);

    const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 36\r\n\r\n\
        {\"access_token\":\"a\",\"expires_in\":60}";

    /// Reads a request with its form.
    fn read(mut connection: &TcpStream) {
        let mut request = Vec::new();
        while !request.ends_with(b"refresh_token=r") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
    }

    #[test]
    fn an_answer_that_came_while_the_process_was_stopped_is_read() {
        if let Ok(instance) = std::env::var(INSTANCE) {
            let world = World::of(&[], Rc::new(SystemClock));
            let origin = Origin::parse(&instance).unwrap();
            let oauth = OAuth::new(&world, &origin, "c");
            match oauth.refresh(&Secret::new("r"), LIMIT) {
                RefreshAnswer::Granted(grant) => assert_eq!(grant.access.expose(), "a"),
                other => panic!("{other:?}"),
            }
            return;
        }
        // The whole answer, the answer in two pieces, and its first piece only.
        for (pieces, is_read) in [(1, true), (2, true), (0, false)] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let instance = format!("http://{}", listener.local_addr().unwrap());
            let itself = std::env::current_exe().unwrap();
            let name = std::thread::current().name().unwrap().to_owned();
            let mut process = Command::new(itself)
                .args(["--exact", &name, "--nocapture", "--test-threads=1"])
                .env(INSTANCE, instance)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let pid = Pid::from_child(&process);
            let (mut connection, _) = listener.accept().unwrap();
            read(&connection);
            kill_process(pid, Signal::STOP).unwrap();
            let (first, second) = ANSWER.split_at(60);
            connection.write_all(first.as_bytes()).unwrap();
            match pieces {
                0 => {}
                1 => connection.write_all(second.as_bytes()).unwrap(),
                _ => {
                    std::thread::sleep(LIMIT);
                    connection.write_all(second.as_bytes()).unwrap();
                }
            }
            std::thread::sleep(2 * LIMIT);
            kill_process(pid, Signal::CONT).unwrap();
            assert_eq!(process.wait().unwrap().success(), is_read, "{pieces}");
        }
    }
}
