//! How a connection comes about, and how long it is listened to: the links of ureq's chain of connectors.
//!
//! Separate from [`super::http`], which speaks over a connection. ureq's own links are used where they do what is wanted
//! (SOCKS, `CONNECT`, TLS), ours where they do not ([`super::socket`], [`super::addresses`]). The time of a request is
//! measured here too: ureq's own clock gives up on an answer that arrived while this process was stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, NextTimeout, RustlsConnector, Transport,
};
use ureq::{Agent, Error, Timeout};

use super::addresses::Addresses;
use super::socket::Direct;
use super::tunnel::Tunnel;

/// How long a connection is looked into once more after the time is over.
const LAST_LOOK: Duration = Duration::from_millis(20);

/// How many reads may follow on that: more than the longest answer needs, and an end for one that has none.
const LAST_READS: u32 = 32;

/// An agent that opens its connections in this way, to these addresses, and tells the watch about them. Its own time limits are those for
/// finding and connecting only.
pub(super) fn agent(config: Config, addresses: Addresses, watch: &Arc<Watch>) -> Agent {
    let outermost = Outermost {
        proxied: config.proxy().is_some(),
        watch: Arc::clone(watch),
    };
    let connector =
        ().chain(Tunnel)
            .chain(Direct)
            .chain(RustlsConnector::default())
            .chain(outermost);
    Agent::with_parts(config, connector, addresses)
}

/// The time of one request, and how far it got.
#[derive(Debug)]
pub(super) struct Watch {
    deadline: Instant,
    last_reads: AtomicU32,
    sent: AtomicBool,
}

impl Watch {
    /// Begins now.
    pub(super) fn begin(limit: Duration) -> Watch {
        Watch {
            deadline: Instant::now() + limit,
            last_reads: AtomicU32::new(LAST_READS),
            sent: AtomicBool::new(false),
        }
    }

    /// Whether a byte of the request may have left.
    pub(super) fn is_sent(&self) -> bool {
        self.sent.load(Ordering::Relaxed)
    }

    /// What is left; none when the time is over.
    fn left(&self) -> Option<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// Time for one more look although it is over: this process may have been stopped for longer than it may wait, and
    /// what arrived meanwhile lies in the socket.
    fn last_look(&self) -> Option<Duration> {
        let left = self.last_reads.load(Ordering::Relaxed).checked_sub(1)?;
        self.last_reads.store(left, Ordering::Relaxed);
        Some(LAST_LOOK)
    }
}

/// The last link. A `CONNECT` to a proxy is no request, and has the time limit of connecting.
#[derive(Debug)]
struct Outermost {
    proxied: bool,
    watch: Arc<Watch>,
}

impl<In: Transport> Connector<In> for Outermost {
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
        let left = watch.left().ok_or(Error::Timeout(Timeout::Global))?;
        watch.sent.store(true, Ordering::Relaxed);
        self.connection
            .transmit_output(amount, within(left, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let Some(watch) = &self.watch else {
            return self.connection.await_input(timeout);
        };
        if let Some(left) = watch.left() {
            match self.connection.await_input(within(left, timeout)) {
                Err(Error::Timeout(_)) => {}
                read => return read,
            }
        }
        let last = watch.last_look().ok_or(Error::Timeout(Timeout::Global))?;
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
mod tests {
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

    /// Set in a process that is there to be stopped: the instance to ask.
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
        // All of it, all of it in two pieces, and the first of them only.
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
