//! What becomes of what a program stores, case by case: where the secret comes from, where it is stored, and what is kept.

use super::table::session;
use super::*;
use crate::environment::{Environment, EnvironmentToken};
use crate::secret::Secret;
use crate::store::{Binding, Client, Credential};
use crate::testing::{SAAS, SELF, credential, origin};

const HOST: &str = "r.example";

/// What is known: jane is active at sentry.io, joe is logged in there and ann at an instance of her own.
struct Known {
    environment: Environment,
    bindings: Vec<Binding>,
    credentials: Vec<Credential>,
}

fn known(bound: Option<(&str, bool)>) -> Known {
    let binding = bound.map(|(instance, signed_out)| Binding {
        server: Client::Docker.server(HOST),
        origin: origin(instance),
        username: None,
        signed_out,
        account: None,
    });
    Known {
        environment: Environment {
            token: Ok(None),
            instance: Ok(None),
        },
        bindings: binding.into_iter().collect(),
        credentials: Vec::new(),
    }
}

impl Known {
    fn facts(&self) -> Facts<'_> {
        Facts {
            sessions: vec![
                session("jane", SAAS, true),
                session("joe", SAAS, false),
                session("ann", SELF, false),
            ],
            bindings: self.bindings.clone(),
            credentials: self.credentials.clone(),
            ..Facts::of_environment(&self.environment)
        }
    }

    /// What becomes of a docker login, in a few words.
    fn docker(&self, username: &str, secret: &str, former: bool) -> String {
        let facts = self.facts();
        let secret = Secret::new(secret);
        let server = Server::parse(&Client::Docker.server(HOST)).unwrap();
        let known = match secret.expose() {
            "of-the-environment" => KnownFrom::Environment,
            _ if former => KnownFrom::FormerSession,
            _ => KnownFrom::Nowhere,
        };
        let from = Provenance::of(&facts, &secret, known);
        match decide_docker_store(&facts, &server.request(), username, &secret, from) {
            StoreVerdict::Ignore => "nothing".to_owned(),
            StoreVerdict::Store => "kept".to_owned(),
            StoreVerdict::Replace(binding) => format!("kept, signed out: {}", binding.signed_out),
            StoreVerdict::SignIn(binding) => {
                assert!(!binding.signed_out);
                format!("signs in as {:?}", binding.username)
            }
            StoreVerdict::Refuse(failure) => format!("refused, {failure}"),
        }
    }
}

fn in_environment(known: Known, instance: &str) -> Known {
    let found = EnvironmentToken {
        token: Secret::new("of-the-environment"),
        origin: origin(instance),
        variable: "SENTRY_TOKEN",
    };
    Known {
        environment: Environment {
            token: Ok(Some(found)),
            instance: Ok(None),
        },
        ..known
    }
}

const GRANTED: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn a_login_with_the_session_of_a_bound_registry_is_not_kept() {
    let bound = known(Some((SAAS, false)));
    for (username, secret, former, expected) in [
        ("oauth2", "token-of-jane", false, "nothing"),
        (
            "robot",
            "token-of-jane",
            false,
            "signs in as Some(\"robot\")",
        ),
        ("oauth2", "whatever", true, "nothing"),
        // Another program may have rotated it since `get` answered it.
        ("oauth2", GRANTED, false, "nothing"),
    ] {
        let found = bound.docker(username, secret, former);
        assert_eq!(found, expected, "{username} {secret}");
    }
}

#[test]
fn a_login_with_the_session_signs_a_registry_in_again_and_ends_what_was_stored() {
    let out = known(Some((SAAS, true)));
    assert_eq!(
        out.docker("oauth2", "token-of-jane", false),
        "signs in as None"
    );
    let mut both = known(Some((SAAS, false)));
    both.credentials = vec![credential("docker r.example", "ann", "secret")];
    assert_eq!(
        both.docker("oauth2", "token-of-jane", false),
        "signs in as None"
    );
}

#[test]
fn a_login_with_a_foreign_secret_is_in_force_and_signs_a_bound_registry_out() {
    for signed_out in [false, true] {
        let bound = known(Some((SAAS, signed_out)));
        for (username, secret) in [("ann", "secret"), ("robot", GRANTED)] {
            let found = bound.docker(username, secret, false);
            assert_eq!(found, "kept, signed out: true", "{username}");
        }
    }
    assert_eq!(known(None).docker("ann", "secret", false), "kept");
}

#[test]
fn a_token_of_ours_is_kept_nowhere_and_each_refusal_names_its_owner() {
    let bound = || known(Some((SAAS, false)));
    let saas = "is bound to https://sentry.io";
    for (known, secret, former, owner) in [
        (bound(), "token-of-joe", false, "joe"),
        (bound(), "token-of-ann", false, "ann"),
        (bound(), "sntryu_0123", false, "Sentry token"),
        (
            in_environment(bound(), SELF),
            "of-the-environment",
            false,
            "SENTRY_TOKEN",
        ),
        (known(None), "token-of-jane", false, "jane"),
        (known(None), "whatever", true, "former token"),
        (
            in_environment(known(None), SAAS),
            "of-the-environment",
            false,
            "SENTRY_TOKEN",
        ),
    ] {
        let is_bound = !known.bindings.is_empty();
        let told = known.docker("oauth2", secret, former);
        assert!(
            told.starts_with("refused, ") && told.contains(owner),
            "{told}"
        );
        assert_eq!(told.contains(saas), is_bound, "{told}");
        assert!(!told.contains(secret), "{told}");
    }
    // For a registry of no instance it may be another Sentry's.
    assert_eq!(known(None).docker("u", "sntryu_0123", false), "kept");
}

#[test]
fn a_token_of_the_environment_signs_in_at_a_registry_of_its_instance() {
    let bound = in_environment(known(Some((SAAS, true))), SAAS);
    let found = bound.docker("oauth2", "of-the-environment", false);
    assert_eq!(found, "signs in as None");
}

#[test]
fn a_way_out_of_a_refusal_names_the_account_where_it_is_not_the_active_one() {
    let known = known(None);
    let facts = known.facts();
    let server = Server::parse(&Client::Docker.server(HOST)).unwrap();
    for (who, options) in [
        ("jane", ""),
        ("joe", " --url https://sentry.io --account joe"),
        ("ann", " --url https://self.example"),
    ] {
        let secret = Secret::new(format!("token-of-{who}"));
        let from = Provenance::of(&facts, &secret, KnownFrom::Nowhere);
        let keep = decide_docker_store(&facts, &server.request(), "oauth2", &secret, from);
        let StoreVerdict::Refuse(failure) = keep else {
            panic!("{keep:?}")
        };
        let command = format!("`sentry auth setup-docker --registry r.example{options}`");
        assert!(failure.to_string().contains(&command), "{failure}");
    }
}

#[test]
fn git_keeps_what_is_foreign_and_at_hosts_of_ours_nothing_that_looks_like_a_token() {
    let mut known = known(Some((SAAS, false)));
    known.bindings[0].server = Client::Git.server("https://r.example");
    let facts = known.facts();
    for (secret, known, at_ours, at_others) in [
        ("secret", KnownFrom::Nowhere, true, true),
        ("sntryu_0123", KnownFrom::Nowhere, false, true),
        (GRANTED, KnownFrom::Nowhere, false, true),
        ("token-of-ann", KnownFrom::Nowhere, false, false),
        ("whatever", KnownFrom::FormerSession, false, false),
        ("whatever", KnownFrom::Environment, false, false),
    ] {
        let is_kept = |host: &str| {
            let server = Server::parse(&Client::Git.server(host)).unwrap();
            let secret = Secret::new(secret);
            let from = Provenance::of(&facts, &secret, known);
            let keep = decide_git_store(&facts, &server.request(), &secret, from);
            match keep {
                StoreVerdict::Store => true,
                StoreVerdict::Ignore => false,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(is_kept("https://r.example"), at_ours, "{secret}");
        assert_eq!(is_kept("https://x.example"), at_others, "{secret}");
    }
}

#[test]
fn a_docker_logout_is_noted_where_a_token_is_served_and_not_twice() {
    let recorded = |known: &Known, host: &str| {
        let server = Server::parse(&Client::Docker.server(host)).unwrap();
        let facts = known.facts();
        signed_out_binding(&facts, &server.request()).map(|binding| {
            assert!(binding.signed_out);
            binding.server
        })
    };
    let bound = known(Some((SAAS, false)));
    assert_eq!(recorded(&bound, HOST).as_deref(), Some("docker r.example"));
    assert_eq!(recorded(&known(Some((SAAS, true))), HOST), None);
    assert_eq!(recorded(&known(None), HOST), None);
    // The instances themselves, which nobody has to bind.
    let itself = recorded(&known(None), "us.sentry.io");
    assert_eq!(itself.as_deref(), Some("docker us.sentry.io"));
    let environment = in_environment(known(None), "https://other.example");
    let itself = recorded(&environment, "other.example");
    assert_eq!(itself.as_deref(), Some("docker other.example"));
}

#[test]
fn a_key_of_our_tables_is_parsed_and_one_of_a_later_version_is_ignored() {
    let parts = |key: &str| {
        let server = Server::parse(key)?;
        let origin = server.origin.as_ref().map(ToString::to_string);
        Some((server.host.clone(), origin.unwrap_or_default()))
    };
    for (key, host, origin) in [
        (
            "git https://r.example",
            "git https://r.example",
            "https://r.example",
        ),
        ("git smtp://m.example:25", "git smtp://m.example:25", ""),
        ("docker r.example", "docker r.example", "https://r.example"),
        (
            "docker r.example:5000/v1/x",
            "docker r.example:5000",
            "https://r.example:5000",
        ),
        ("docker my_registry", "docker my_registry", ""),
    ] {
        let found = parts(key);
        assert_eq!(found, Some((host.to_owned(), origin.to_owned())), "{key}");
    }
    for key in ["", "git", "npm https://r.example", "Git https://r.example"] {
        assert_eq!(parts(key), None, "{key}");
    }
}

#[test]
fn the_servers_are_what_is_bound_stored_or_an_instance_each_once() {
    let mut known = in_environment(known(Some((SAAS, false))), SELF);
    known.credentials = vec![
        credential("docker r.example", "ann", "1"),
        credential("docker r.example/v1", "ann", "1"),
        credential("git https://x.example", "ann", "1"),
        credential("npm https://y.example", "ann", "1"),
    ];
    let facts = known.facts();
    let keys: Vec<String> = servers(&facts).into_iter().map(|one| one.key).collect();
    assert_eq!(
        keys,
        [
            "git https://de.sentry.io",
            "git https://self.example",
            "git https://sentry.io",
            "git https://us.sentry.io",
            "git https://x.example",
            "docker de.sentry.io",
            "docker r.example",
            "docker r.example/v1",
            "docker self.example",
            "docker sentry.io",
            "docker us.sentry.io",
        ]
    );
}

#[test]
fn a_stored_credential_ends_with_the_login_that_its_host_is_bound_to() {
    let known = known(Some((SAAS, false)));
    let facts = known.facts();
    let [jane, joe, ann] = &facts.sessions[..] else {
        panic!("three are logged in")
    };
    let server = |key: &str| Server::parse(key).unwrap();
    let bound = server("docker r.example/v1");
    assert!(bound.is_removed_with(jane, &known.bindings));
    assert!(!bound.is_removed_with(ann, &known.bindings));
    assert!(server("git https://us.sentry.io").is_removed_with(jane, &[]));
    assert!(!server("git https://x.example").is_removed_with(jane, &[]));
    let to_joe = [Binding {
        account: Some(joe.key()),
        ..known.bindings[0].clone()
    }];
    assert!(bound.is_removed_with(joe, &to_joe) && !bound.is_removed_with(jane, &to_joe));
}

#[test]
fn the_active_account_is_the_one_in_use_else_one_of_that_very_name() {
    let us = "https://us.sentry.io";
    let sessions = [
        session("ann", us, false),
        session("joe", SAAS, false),
        session("jane", SELF, true),
    ];
    let active = |instance: &str| {
        let found = active_account(&sessions, &origin(instance));
        found.map_or("nobody", |session| &session.account)
    };
    assert_eq!(active(SAAS), "joe");
    assert_eq!(active(us), "ann");
    assert_eq!(active("https://de.sentry.io"), "ann", "the last used one");
    assert_eq!(active(SELF), "jane");
    assert_eq!(active("https://other.example"), "nobody");
    let called = |name| account_called(&sessions, &origin(SAAS), name);
    assert!(called("ann").is_some() && called("jane").is_none());
    let of = |key| account_of(&sessions, &origin(SAAS), key);
    assert!(of("joe").is_some() && of("jane").is_none());
}
