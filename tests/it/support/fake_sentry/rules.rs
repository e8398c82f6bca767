//! The rules of Sentry: the device flow, refresh, and the few API answers that the programs need.
//!
//! A state machine without sockets or faults. Its rules are the server's, so that a client's mistake fails by itself:
//! polling has a rate limit, a device code is redeemed once, a refresh replaces both tokens in place, and a former
//! refresh token, or one of another client, is never accepted.

use super::http::{Answer, Request};
use super::tokens::Tokens;
use super::uploads::Uploads;
use super::{CLIENT_ID, Organization, User};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

/// The slack of the polling limit: a client that waits exactly one interval may be a little early.
const TOLERANCE: Duration = Duration::from_millis(150);
/// What `slow_down` adds to the interval, RFC 8628 section 3.5.
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// How long a device code is valid.
const CODE_LIFETIME: Duration = Duration::from_secs(600);

pub(super) struct Rules {
    pub(super) origin: String,
    /// The public OAuth clients.
    pub(super) clients: Vec<String>,
    pub(super) user: User,
    pub(super) organizations: Vec<Organization>,
    /// The ids of users who are members of no organization.
    pub(super) strangers: Vec<String>,
    pub(super) knows_regions: bool,
    /// Seconds between polls as announced; `None` announces nothing and means 5.
    pub(super) interval: Option<u64>,
    pub(super) tokens: Tokens,
    pub(super) uploads: Uploads,
    pub(super) codes: Vec<DeviceCode>,
    /// Codes that have not been redeemed.
    pub(super) setup_codes: Vec<String>,
    /// The verdicts on the next device codes.
    pub(super) verdicts: VecDeque<Verdict>,
}

pub(super) struct DeviceCode {
    pub(super) device_code: String,
    pub(super) user_code: String,
    client: String,
    scope: String,
    pub(super) dies: Instant,
    interval: Duration,
    polled: Option<Instant>,
    pub(super) verdict: Verdict,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    Pending,
    Approved,
    Denied,
    Redeemed,
}

impl Rules {
    pub(super) fn new(origin: String) -> Self {
        Self {
            origin,
            clients: vec![CLIENT_ID.to_owned()],
            user: User::default(),
            organizations: Organization::all(&["my-org"]),
            strangers: Vec::new(),
            knows_regions: true,
            interval: Some(5),
            tokens: Tokens::default(),
            uploads: Uploads::default(),
            codes: Vec::new(),
            setup_codes: Vec::new(),
            verdicts: VecDeque::new(),
        }
    }

    pub(super) fn answer(&mut self, request: &Request) -> Answer {
        match (request.method.as_str(), request.route()) {
            ("POST", "/oauth/device/code/") => self.device_code(request),
            ("POST", "/oauth/token/") => self.token(request),
            ("GET", "/api/0/") => self.index(request),
            ("GET", "/api/0/users/me/regions/") if self.knows_regions => self.if_signed_in(
                request,
                &json!({ "regions": [{ "name": "local", "url": self.origin }] }),
            ),
            ("GET", "/api/0/organizations/") => {
                let organizations: Vec<_> = self
                    .organizations
                    .iter()
                    .map(Organization::to_json)
                    .collect();
                self.if_signed_in(request, &Value::from(organizations))
            }
            (_, route) if Uploads::covers(route) => match bearer(request) {
                Some(token) if self.tokens.accepts(token) => self.uploads.answer(request),
                _ => invalid_token(),
            },
            ("GET", route) if route.starts_with("/api/0/organizations/") => {
                self.organization(request, &route["/api/0/organizations/".len()..])
            }
            ("GET", "/__auth") => {
                match basic_or_bearer(request).filter(|token| self.tokens.accepts(token)) {
                    Some(_) => Answer {
                        status: 204,
                        headers: Vec::new(),
                        body: Vec::new(),
                    },
                    None => Answer::new(401, "text/plain", ""),
                }
            }
            (_, "/oauth/device/code/" | "/oauth/token/") => {
                Answer::new(405, "text/html", "<h1>Method Not Allowed</h1>")
            }
            _ => Answer::new(
                404,
                "text/html",
                "<!doctype html><title>Page Not Found | Sentry</title>",
            ),
        }
    }

    fn device_code(&mut self, request: &Request) -> Answer {
        let Some(client) = self.client(request) else {
            return Answer::error(401, "invalid_client");
        };
        let code = DeviceCode {
            device_code: format!("device_{:016x}{:016x}", random(), random()),
            user_code: user_code(),
            client,
            scope: request.field("scope").unwrap_or_default().to_owned(),
            dies: Instant::now() + CODE_LIFETIME,
            interval: Duration::from_secs(self.interval.unwrap_or(5)),
            polled: None,
            verdict: self.verdicts.pop_front().unwrap_or(Verdict::Pending),
        };
        let page = format!("{}/oauth/device/", self.origin);
        let mut body = json!({
            "device_code": code.device_code,
            "user_code": code.user_code,
            "verification_uri": page,
            "verification_uri_complete": format!("{page}?user_code={}", code.user_code),
            "expires_in": CODE_LIFETIME.as_secs(),
        });
        if let Some(interval) = self.interval {
            body["interval"] = interval.into();
        }
        self.codes.push(code);
        Answer::json(200, &body)
    }

    fn token(&mut self, request: &Request) -> Answer {
        let Some(client) = self.client(request) else {
            return Answer::error(401, "invalid_client");
        };
        match request.field("grant_type") {
            Some("urn:ietf:params:oauth:grant-type:device_code") => {
                match request.field("device_code") {
                    Some(code) => self.poll(code, &client, request.at),
                    None => Answer::error(400, "invalid_request"),
                }
            }
            Some("urn:sentry:params:oauth:grant-type:setup_code") => {
                let code = request.field("setup_code").unwrap_or_default();
                let known = self.setup_codes.iter().position(|known| known == code);
                match known.map(|index| self.setup_codes.remove(index)) {
                    Some(_) => {
                        let access = self.tokens.mint(&client, "", &self.user).access;
                        self.granted(&access)
                    }
                    None => Answer::error(400, "invalid_grant"),
                }
            }
            Some("refresh_token") => match request.field("refresh_token") {
                Some(_) if request.field("scope").is_some() => {
                    Answer::error(400, "invalid_request")
                }
                Some(token) => self.refresh(token, &client),
                None => Answer::error(400, "invalid_request"),
            },
            _ => Answer::error(400, "unsupported_grant_type"),
        }
    }

    /// The client that the request names, if there is one of that name.
    fn client(&self, request: &Request) -> Option<String> {
        let name = request.field("client_id")?;
        self.clients.iter().find(|client| *client == name).cloned()
    }

    fn poll(&mut self, device_code: &str, client: &str, now: Instant) -> Answer {
        let Some(code) = self
            .codes
            .iter_mut()
            .find(|code| code.device_code == device_code && code.client == client)
        else {
            return Answer::error(400, "invalid_grant");
        };
        if now >= code.dies {
            return Answer::error(400, "expired_token");
        }
        if code
            .polled
            .replace(now)
            .is_some_and(|before| now - before + TOLERANCE < code.interval)
        {
            code.interval += SLOW_DOWN;
            return Answer::error(400, "slow_down");
        }
        match code.verdict {
            Verdict::Pending => Answer::error(400, "authorization_pending"),
            Verdict::Denied => Answer::error(400, "access_denied"),
            Verdict::Redeemed => Answer::error(400, "invalid_grant"),
            Verdict::Approved => {
                code.verdict = Verdict::Redeemed;
                let scope = code.scope.clone();
                let access = self.tokens.mint(client, &scope, &self.user).access;
                self.granted(&access)
            }
        }
    }

    fn refresh(&mut self, refresh_token: &str, client: &str) -> Answer {
        match self.tokens.rotate(refresh_token, client) {
            Some(access) => self.granted(&access),
            None => Answer::error(400, "invalid_grant"),
        }
    }

    fn granted(&self, access: &str) -> Answer {
        let family = self
            .tokens
            .family(access)
            .expect("the token was just minted");
        let lifetime = self.tokens.lifetime;
        let answer = json!({
            "access_token": family.pair.access,
            "refresh_token": family.pair.refresh,
            "expires_in": lifetime.map(|lifetime| lifetime.as_secs()),
            "expires_at": lifetime.map(expiry),
            "token_type": "Bearer",
            "scope": family.scope,
            "user": { "id": family.user.id, "name": family.user.name, "email": family.user.email },
        });
        Answer::json(200, &answer)
    }

    /// `/api/0/` asks for no permission: without a token it answers 200 with nulls, as the real one does.
    fn index(&self, request: &Request) -> Answer {
        if request.authorization.is_none() {
            return Answer::json(200, &json!({ "version": "0", "auth": null, "user": null }));
        }
        let Some(token) = bearer(request).filter(|token| self.tokens.accepts(token)) else {
            return invalid_token();
        };
        let scopes: Vec<_> = self.tokens.scope(token).split_whitespace().collect();
        let user = self.tokens.owner(token, &self.user).map(User::to_json);
        Answer::json(
            200,
            &json!({ "version": "0", "auth": { "scopes": scopes }, "user": user }),
        )
    }

    /// One organization: for its members, whose tokens may read it.
    fn organization(&self, request: &Request, slug: &str) -> Answer {
        let of_slug = |known: &&Organization| slug.strip_suffix('/') == Some(known.slug.as_str());
        let found = self.organizations.iter().find(of_slug);
        let body = found.map_or(Value::Null, Organization::to_json);
        let answer = self.if_signed_in(request, &body);
        if answer.status != 200 {
            return answer;
        }
        if found.is_none() {
            let detail = json!({ "detail": "The requested resource does not exist" });
            return Answer::json(404, &detail);
        }
        let token = bearer(request).unwrap_or_default();
        let is_stranger = |user: &User| self.strangers.contains(&user.id);
        match self.tokens.owner(token, &self.user) {
            Some(user) if is_stranger(user) => Answer::json(
                403,
                &json!({ "detail": "You do not have permission to perform this action." }),
            ),
            _ => answer
                .header("Vary", "Accept-Language, Cookie")
                .header("Set-Cookie", "sc=x; Path=/")
                .header("Cache-Control", "private, no-store"),
        }
    }

    fn if_signed_in(&self, request: &Request, body: &Value) -> Answer {
        match bearer(request) {
            None => Answer::json(
                401,
                &json!({ "detail": "Authentication credentials were not provided." }),
            ),
            Some(token) if self.tokens.accepts(token) => Answer::json(200, body),
            Some(_) => invalid_token(),
        }
    }
}

fn invalid_token() -> Answer {
    Answer::json(401, &json!({ "detail": "Invalid token" }))
}

fn bearer(request: &Request) -> Option<&str> {
    request.authorization.as_deref()?.strip_prefix("Bearer ")
}

fn basic_or_bearer(request: &Request) -> Option<String> {
    if let Some(token) = bearer(request) {
        return Some(token.to_owned());
    }
    let encoded = request.authorization.as_deref()?.strip_prefix("Basic ")?;
    let pair = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    Some(pair.split_once(':')?.1.to_owned())
}

/// Eight letters of the alphabet of RFC 8628 section 6.1.
fn user_code() -> String {
    let letters = b"BCDFGHJKLMNPQRSTVWXZ";
    let random = random().to_ne_bytes();
    let letter = |index: usize| char::from(letters[usize::from(random[index]) % letters.len()]);
    let (left, right): (String, String) =
        ((0..4).map(letter).collect(), (4..8).map(letter).collect());
    format!("{left}-{right}")
}

pub(super) fn random() -> u64 {
    RandomState::new().hash_one(())
}

/// `2026-11-22T03:30:00Z`.
fn expiry(lifetime: Duration) -> String {
    let at = jiff::Timestamp::now() + lifetime;
    format!("{at:.0}")
}

#[test]
fn a_poll_may_be_a_little_early_and_pays_for_more() {
    let mut rules = Rules::new("http://sentry.test".to_owned());
    let start = Instant::now();
    let mut ask = |path: &str, form: &[(&str, &str)], seconds: f64| -> Value {
        let request = Request {
            method: "POST".to_owned(),
            path: path.to_owned(),
            authorization: None,
            form: form
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: Vec::new(),
            headers: Vec::new(),
            at: start + Duration::from_secs_f64(seconds),
        };
        serde_json::from_slice(&rules.answer(&request).body).expect("JSON")
    };
    let client = ("client_id", CLIENT_ID);
    let code = ask("/oauth/device/code/", &[client], 0.0);
    let code = (
        "device_code",
        code["device_code"].as_str().expect("a device code"),
    );
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let mut poll = |seconds| ask("/oauth/token/", &[client, grant, code], seconds)["error"].clone();
    assert_eq!(poll(0.0), "authorization_pending");
    assert_eq!(poll(4.9), "authorization_pending");
    assert_eq!(poll(9.0), "slow_down");
    assert_eq!(poll(18.0), "slow_down");
    assert_eq!(poll(33.0), "authorization_pending");
    assert_eq!(poll(601.0), "expired_token");
}
