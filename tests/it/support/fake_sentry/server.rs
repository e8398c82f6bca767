//! Connections, threads and faults of the fake Sentry.
//!
//! One mutex protects all state, and every change wakes all waiters: a test, a slow answer, a held one. No thread
//! sleeps. A panic of a rule or a rewrite is reported when the server is dropped, so a poisoned mutex is not reported
//! again.

use super::http::{Answer, Request};
use super::rules::Rules;
use super::{Endpoint, Fault};
use serde_json::Value;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

pub(super) type Rewrite = Box<dyn Fn(&mut Value) + Send>;

pub(super) struct State {
    pub(super) rules: Rules,
    pub(super) requests: Vec<Request>,
    pub(super) faults: Vec<(Endpoint, Fault)>,
    pub(super) lasting_faults: Vec<(Endpoint, Fault)>,
    pub(super) rewrites: Vec<(Endpoint, Rewrite)>,
    /// How many codes `wait_for_code` has returned to the test.
    pub(super) codes_seen: usize,
    /// Answers under `Fault::Held` that are ready and wait.
    pub(super) held: usize,
    pub(super) releases: usize,
    connections: Vec<Weak<TcpStream>>,
    stopped: bool,
}

pub(super) struct Server {
    state: Mutex<State>,
    changed: Condvar,
}

impl Server {
    pub(super) fn new(rules: Rules) -> Self {
        let state = State {
            rules,
            requests: Vec::new(),
            faults: Vec::new(),
            lasting_faults: Vec::new(),
            rewrites: Vec::new(),
            codes_seen: 0,
            held: 0,
            releases: 0,
            connections: Vec::new(),
            stopped: false,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    /// Accepts until `stop`; every connection has its own thread, and all of them have ended on return.
    pub(super) fn serve(&self, listener: &TcpListener) {
        thread::scope(|threads| {
            for connection in listener.incoming() {
                let connection = Arc::new(connection.expect("the listener accepts"));
                if !self.admit(&connection) {
                    break;
                }
                threads.spawn(move || {
                    // The client may close the connection early.
                    let _gone = self.converse(&connection);
                });
            }
        });
    }

    /// Ends hanging conversations and the accept loop.
    pub(super) fn stop(&self, listener: std::net::SocketAddr) {
        self.change(|state| {
            state.stopped = true;
            for connection in state.connections.iter().filter_map(Weak::upgrade) {
                let _already_closed = connection.shutdown(Shutdown::Both);
            }
        });
        let _already_ended = TcpStream::connect(listener);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state
            .lock()
            .expect("no rule of the fake Sentry panicked")
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until `look` finds something; `None` when that takes longer than `limit`.
    pub(super) fn wait_for<T>(
        &self,
        limit: Duration,
        mut look: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&mut state) {
                return Some(found);
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn admit(&self, connection: &Arc<TcpStream>) -> bool {
        let mut state = self.lock();
        state
            .connections
            .retain(|connection| connection.strong_count() > 0);
        state.connections.push(Arc::downgrade(connection));
        !state.stopped
    }

    fn converse(&self, connection: &TcpStream) -> io::Result<()> {
        let request = Request::read(&mut BufReader::new(connection))?;
        match self.receive(&request) {
            None => self.process(&request).send(connection),
            Some(Fault::Answer(answer)) => answer.send(connection),
            Some(Fault::Raw(bytes)) => (&*connection).write_all(&bytes),
            Some(Fault::Truncate) => self.process(&request).send_half(connection),
            Some(Fault::ResetBefore) => reset(connection),
            Some(Fault::ResetAfter) => {
                self.process(&request);
                reset(connection)
            }
            Some(Fault::Hang) => until_closed(connection),
            Some(Fault::Endless { head, again, pause }) => {
                let mut connection = connection;
                connection.write_all(&head)?;
                // Writing fails as soon as the client is gone or the server stops.
                loop {
                    connection.write_all(&again)?;
                    self.wait_for(pause, |state| state.stopped.then_some(()));
                }
            }
            Some(Fault::Delay(delay)) => {
                self.wait_for(delay, |state| state.stopped.then_some(()));
                self.process(&request).send(connection)
            }
            Some(Fault::SlowGrant(delay)) => {
                let answer = self.process(&request);
                if answer.status == 200 {
                    self.wait_for(delay, |state| state.stopped.then_some(()));
                }
                answer.send(connection)
            }
            Some(Fault::Altered(alter)) => match self.process(&request) {
                answer if answer.status == 200 => alter(answer).send(connection),
                answer => answer.send(connection),
            },
            Some(Fault::Held) => {
                let answer = self.process(&request);
                self.hold();
                answer.send(connection)
            }
        }
    }

    /// Records the request and selects its fault: the oldest one-shot fault, else a lasting one.
    fn receive(&self, request: &Request) -> Option<Fault> {
        self.change(|state| {
            state.requests.push(request.clone());
            let befalls = |(endpoint, _): &(Endpoint, Fault)| endpoint.covers(request);
            match state.faults.iter().position(befalls) {
                Some(index) => Some(state.faults.remove(index).1),
                None => state
                    .lasting_faults
                    .iter()
                    .rfind(|fault| befalls(fault))
                    .map(|(_, fault)| fault.clone()),
            }
        })
    }

    fn process(&self, request: &Request) -> Answer {
        self.change(|state| {
            let mut answer = state.rules.answer(request);
            if answer.status != 200 {
                return answer;
            }
            let mut rewrites = state
                .rewrites
                .iter()
                .filter(|(endpoint, _)| endpoint.covers(request))
                .peekable();
            if rewrites.peek().is_none() {
                return answer;
            }
            let original: Value =
                serde_json::from_slice(&answer.body).expect("the rules answer JSON");
            let mut body = original.clone();
            rewrites.for_each(|(_, rewrite)| rewrite(&mut body));
            if Endpoint::Refresh.covers(request)
                && body["refresh_token"].as_str().is_none_or(str::is_empty)
            {
                let access = original["access_token"]
                    .as_str()
                    .expect("a refresh answers an access token");
                state.rules.tokens.keep_refresh_token(access);
            }
            answer.body = body.to_string().into_bytes();
            answer
        })
    }

    fn hold(&self) {
        let ticket = self.change(|state| {
            state.held += 1;
            state.held
        });
        let mut state = self.lock();
        while state.releases < ticket && !state.stopped {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Closes with RST instead of FIN as soon as the last handle is dropped.
fn reset(connection: &TcpStream) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_socket_linger(
        connection,
        Some(Duration::ZERO),
    )?)
}

/// Sends nothing until the client gives up or the server stops.
fn until_closed(mut connection: &TcpStream) -> io::Result<()> {
    while connection.read(&mut [0; 64])? > 0 {}
    Ok(())
}
