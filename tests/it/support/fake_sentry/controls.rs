//! The controls of the fake Sentry for tests, and the observations that they can make.
//!
//! Every method takes effect at once and may be called from any thread.

use super::http::Request;
use super::rules::{DeviceCode, Verdict};
use super::server::State;
use super::tokens::Family;
use super::{CLIENT_ID, Endpoint, FakeSentry, Fault, Organization, Pair, Replay, User};
use serde_json::Value;
use std::time::{Duration, Instant};

/// The state of the server.
impl FakeSentry {
    pub fn user(&self) -> User {
        self.server.lock().rules.user.clone()
    }

    /// The user of the next logins.
    pub fn set_user(&self, user: User) {
        self.server.change(|state| state.rules.user = user);
    }

    pub fn set_organizations(&self, slugs: &[&str]) {
        self.server
            .change(|state| state.rules.organizations = Organization::all(slugs));
    }

    /// This user is a member of no organization.
    pub fn expel(&self, user: &User) {
        self.server
            .change(|state| state.rules.strangers.push(user.id.clone()));
    }

    /// Whether `/api/0/users/me/regions/` exists; without it the path answers 404.
    pub fn set_regions(&self, exist: bool) {
        self.server
            .change(|state| state.rules.knows_regions = exist);
    }

    /// Of access tokens to come; `None`: they never expire and `expires_in` is null. Default: 30 days.
    pub fn set_lifetime(&self, lifetime: Option<Duration>) {
        self.server
            .change(|state| state.rules.tokens.lifetime = lifetime);
    }

    /// Seconds between polls of codes to come; `None`: not announced, the rule is 5. Default: 5.
    pub fn set_interval(&self, seconds: Option<u64>) {
        self.server.change(|state| state.rules.interval = seconds);
    }

    /// Another public OAuth client besides `CLIENT_ID`.
    pub fn add_client(&self, client_id: &str) {
        self.server
            .change(|state| state.rules.clients.push(client_id.to_owned()));
    }

    pub fn set_replay(&self, replay: Replay) {
        self.server
            .change(|state| state.rules.tokens.replay = replay);
    }
}

/// Tokens.
impl FakeSentry {
    /// A session as if logged in earlier.
    pub fn issue(&self) -> Pair {
        self.issue_to(CLIENT_ID)
    }

    /// The same for another client than the usual one.
    pub fn issue_to(&self, client: &str) -> Pair {
        self.server
            .change(|State { rules, .. }| rules.tokens.mint(client, "", &rules.user))
    }

    /// Spends a refresh token as another program does that receives its answer; returns the new pair.
    #[track_caller]
    pub fn refresh_elsewhere(&self, refresh: &str) -> Pair {
        let granted = self.server.change(|State { rules, .. }| {
            let mut clients = rules.clients.iter();
            let access = clients.find_map(|client| rules.tokens.rotate(refresh, client))?;
            Some(rules.tokens.family(&access)?.pair.clone())
        });
        granted.expect("a living refresh token")
    }

    /// An API token of the current user that never expires.
    pub fn add_api_token(&self, token: &str) {
        self.server
            .change(|state| state.rules.tokens.add_api_token(token));
    }

    /// A token of an organization, without a user.
    pub fn add_org_token(&self, token: &str) {
        self.server
            .change(|state| state.rules.tokens.add_org_token(token));
    }

    /// Makes an API or organisation token invalid.
    pub fn remove_token(&self, token: &str) {
        self.server.change(|state| state.rules.tokens.remove(token));
    }

    /// Invalidates the access token before its expiry; its refresh token works.
    pub fn expire(&self, access: &str) {
        self.server
            .change(|state| state.rules.tokens.expire(access));
    }

    /// Ends the session of a token, access or refresh, valid or spent.
    pub fn revoke_family(&self, token: &str) {
        self.server.change(|state| state.rules.tokens.revoke(token));
    }

    pub fn is_valid(&self, access: &str) -> bool {
        self.server.lock().rules.tokens.accepts(access)
    }

    /// Whether a refresh with this token would be granted.
    pub fn is_refreshable(&self, refresh: &str) -> bool {
        self.server.lock().rules.tokens.refreshable(refresh)
    }

    /// The valid pair of the latest session.
    pub fn current(&self) -> Pair {
        self.of_latest(|session| session.pair.clone())
    }

    pub fn current_access(&self) -> String {
        self.current().access
    }

    /// The scope of the latest session, as granted.
    pub fn current_scope(&self) -> String {
        self.of_latest(|session| session.scope.clone())
    }

    fn of_latest<T>(&self, read: impl FnOnce(&Family) -> T) -> T {
        let server = self.server.lock();
        read(server.rules.tokens.latest().expect("a session was issued"))
    }
}

/// The device flow: what the user does in the browser.
impl FakeSentry {
    /// The next user code that this has not returned yet, as soon as it was requested.
    #[track_caller]
    pub fn wait_for_code(&self, limit: Duration) -> String {
        let code = self.server.wait_for(limit, |state| {
            let code = state.rules.codes.get(state.codes_seen)?.user_code.clone();
            state.codes_seen += 1;
            Some(code)
        });
        code.unwrap_or_else(|| {
            panic!(
                "no device code was requested within {limit:?}; requests: {:#?}",
                self.requests()
            )
        })
    }

    /// A new one-time code for a login without a browser.
    pub fn setup_code(&self) -> String {
        use base64::prelude::{BASE64_STANDARD, Engine as _};
        let claims = BASE64_STANDARD.encode(format!(r#"{{"url":"{}"}}"#, self.url()));
        let code = format!("sntryc_{claims}_{:0>43x}", super::rules::random());
        self.server
            .change(|state| state.rules.setup_codes.push(code.clone()));
        code
    }

    pub fn approve(&self, user_code: &str) {
        self.decide(user_code, |code| code.verdict = Verdict::Approved);
    }

    pub fn expire_code(&self, user_code: &str) {
        self.decide(user_code, |code| code.dies = Instant::now());
    }

    /// The next device code is granted on its first poll.
    pub fn approve_next(&self) {
        self.server
            .change(|state| state.rules.verdicts.push_back(Verdict::Approved));
    }

    /// The next device code is denied on its first poll.
    pub fn deny_next(&self) {
        self.server
            .change(|state| state.rules.verdicts.push_back(Verdict::Denied));
    }

    fn decide(&self, user_code: &str, decision: impl FnOnce(&mut DeviceCode)) {
        self.server.change(|state| {
            let code = state
                .rules
                .codes
                .iter_mut()
                .find(|code| code.user_code == user_code);
            decision(code.expect("a user code that this server has shown"));
        });
    }
}

/// Misbehaviour.
impl FakeSentry {
    /// Applies to the next request there; several queue up.
    pub fn fault(&self, endpoint: Endpoint, fault: impl Into<Fault>) {
        self.server
            .change(|state| state.faults.push((endpoint, fault.into())));
    }

    /// Applies to every request there; the latest one counts.
    pub fn fault_always(&self, endpoint: Endpoint, fault: impl Into<Fault>) {
        self.server
            .change(|state| state.lasting_faults.push((endpoint, fault.into())));
    }

    /// Alters every answer 200 there, after the server has committed the original. An answer to a
    /// refresh that loses its refresh token leaves the old one valid.
    pub fn rewrite(&self, endpoint: Endpoint, rewrite: impl Fn(&mut Value) + Send + 'static) {
        self.server
            .change(|state| state.rewrites.push((endpoint, Box::new(rewrite))));
    }

    /// Removes all faults and rewrites; answers that hang or are held are unaffected.
    pub fn fix(&self) {
        self.server.change(|state| {
            state.faults.clear();
            state.lasting_faults.clear();
            state.rewrites.clear();
        });
    }

    /// Waits until an answer is processed and held back by `Fault::Held`.
    #[track_caller]
    pub fn wait_for_held(&self, limit: Duration) {
        self.wait_until(limit, |state| state.held > state.releases);
    }

    /// Releases the answer that has been held for the longest time.
    pub fn release_first(&self) {
        self.server.change(|state| state.releases += 1);
    }

    /// Releases every held answer.
    pub fn release(&self) {
        self.server.change(|state| state.releases = state.held);
    }
}

/// Observation.
impl FakeSentry {
    /// All requests, in the order of arrival, faults included.
    pub fn requests(&self) -> Vec<Request> {
        self.server.lock().requests.clone()
    }

    pub fn requests_to(&self, endpoint: Endpoint) -> Vec<Request> {
        self.server
            .lock()
            .requests
            .iter()
            .filter(|request| endpoint.covers(request))
            .cloned()
            .collect()
    }

    /// Refreshes that were granted, whether or not the answer arrived.
    pub fn refreshes(&self) -> usize {
        self.server.lock().rules.tokens.refreshes
    }

    /// Replays within the grace period, answered with the pair granted before.
    pub fn grace_answers(&self) -> usize {
        self.server.lock().rules.tokens.grace_answers
    }

    /// Refreshes that were requested.
    pub fn refresh_attempts(&self) -> usize {
        self.requests_to(Endpoint::Refresh).len()
    }

    /// Device codes that were requested.
    pub fn device_codes(&self) -> usize {
        self.requests_to(Endpoint::DeviceCode).len()
    }

    pub fn polls(&self) -> usize {
        self.requests_to(Endpoint::Poll).len()
    }

    /// Waits until that many requests have arrived there.
    #[track_caller]
    pub fn wait_for_requests(&self, endpoint: Endpoint, count: usize, limit: Duration) {
        self.wait_until(limit, |state| {
            state
                .requests
                .iter()
                .filter(|request| endpoint.covers(request))
                .count()
                >= count
        });
    }

    #[track_caller]
    fn wait_until(&self, limit: Duration, condition: impl Fn(&State) -> bool) {
        let done = self
            .server
            .wait_for(limit, |state| condition(state).then_some(()));
        assert!(
            done.is_some(),
            "did not happen within {limit:?}; requests: {:#?}",
            self.requests()
        );
    }
}
