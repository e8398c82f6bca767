//! A Sentry server for tests: the device flow, token refresh, and `/api/0/`, on a loopback port.
//!
//! It models the *rules* of the real server (see `rules`), so that a client's race or bug fails by itself, and it can
//! misbehave on demand (see `Fault`). Tests control and observe it through `FakeSentry`; nothing here depends on the
//! programs under test. Time is real: a test that needs speed sets the interval to 1.

mod controls;
mod http;
mod rules;
mod server;
mod tokens;
mod uploads;

pub use http::{Answer, Request};

use rules::Rules;
use serde_json::{Value, json};
use server::Server;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// The public OAuth client that the fake Sentry knows from the start; see `FakeSentry::add_client`.
pub const CLIENT_ID: &str = "test-client-id";

/// The client of https://sentry.io that is built into the programs.
pub const SAAS_CLIENT: &str = "1d673b81d60ef84c951359c36296972ca6fd41bd8f45acd2d3a783a3b3c28e41";

/// A running server; dropping it ends its connections and joins its threads.
pub struct FakeSentry {
    address: SocketAddr,
    server: Arc<Server>,
    acceptor: Option<JoinHandle<()>>,
}

/// The two tokens of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

/// The user who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub id: String,
    pub name: String,
    pub username: String,
    pub email: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    pub id: String,
    pub slug: String,
    pub name: String,
}

/// The effect of a former refresh token, besides being refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// RFC 9700 section 4.14.2: the valid tokens of the session are revoked too.
    RevokesFamily,
    /// Nothing more.
    Refused,
    /// What Sentry plans (getsentry/sentry#107873): the token that was spent last is answered with its successor, the same
    /// one again, for this long; after that a replay revokes the family.
    Grace(Duration),
}

/// Where a fault or a rewrite applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    DeviceCode,
    /// `Refresh` and `Poll`.
    Token,
    Refresh,
    Poll,
    /// Everything below `/api/0/`.
    Api,
}

/// How a request fails. "Processed" means that the server's state has changed as if all went well.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answered like this, not processed. An `Answer` converts into it.
    Answer(Answer),
    /// These bytes and the end of the connection, not processed.
    Raw(Vec<u8>),
    /// Processed, but only half of the announced body is sent.
    Truncate,
    /// RST instead of an answer, not processed.
    ResetBefore,
    /// Processed, then RST instead of an answer: the tokens have rotated, which the client cannot know.
    ResetAfter,
    /// Accepted and never answered, not processed.
    Hang,
    /// An endless answer, not processed: the head, then `again` repeatedly, with a pause after each.
    Endless {
        head: Vec<u8>,
        again: Vec<u8>,
        pause: Duration,
    },
    /// Processed and answered after this time.
    Delay(Duration),
    /// Processed at once; what is granted is answered after this time, what is refused at once.
    SlowGrant(Duration),
    /// Processed at once; what is granted is answered in other words.
    Altered(fn(Answer) -> Answer),
    /// Processed at once, answered after `release`.
    Held,
}

impl FakeSentry {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let server = Arc::new(Server::new(Rules::new(format!("http://{address}"))));
        let acceptor = thread::spawn({
            let server = Arc::clone(&server);
            move || server.serve(&listener)
        });
        Self {
            address,
            server,
            acceptor: Some(acceptor),
        }
    }

    /// The origin, `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for FakeSentry {
    fn drop(&mut self) {
        self.server.stop(self.address);
        let ended = self.acceptor.take().map(JoinHandle::join);
        assert!(
            thread::panicking() || matches!(ended, Some(Ok(()))),
            "the fake Sentry panicked, see above"
        );
    }
}

impl Endpoint {
    fn covers(self, request: &Request) -> bool {
        let of = request.route();
        match self {
            Self::DeviceCode => of == "/oauth/device/code/",
            Self::Token => of == "/oauth/token/",
            Self::Refresh => {
                of == "/oauth/token/" && request.field("grant_type") == Some("refresh_token")
            }
            Self::Poll => of == "/oauth/token/" && request.field("device_code").is_some(),
            Self::Api => of.starts_with("/api/0/"),
        }
    }
}

impl From<Answer> for Fault {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl Default for User {
    fn default() -> Self {
        Self {
            id: "42".to_owned(),
            name: "Jane Doe".to_owned(),
            username: "jane".to_owned(),
            email: "jane@example.com".to_owned(),
        }
    }
}

impl User {
    fn to_json(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "username": self.username, "email": self.email })
    }
}

impl Organization {
    fn all(slugs: &[&str]) -> Vec<Self> {
        let named = |(id, slug): (usize, &&str)| Self {
            id: id.to_string(),
            slug: (*slug).to_owned(),
            name: slug.replace('-', " "),
        };
        (1..).zip(slugs).map(named).collect()
    }

    fn to_json(&self) -> Value {
        json!({ "id": self.id, "slug": self.slug, "name": self.name })
    }
}
