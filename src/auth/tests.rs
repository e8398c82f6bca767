//! What commands print, as functions of what is there.

use super::context::{ConfigDir, Source, ambiguous, described, environment_token, only_one_at};
use super::survey::{Survey, is_called};
use super::*;
use crate::cli::SessionArgs;
use crate::environment::Environment;
use crate::policy::Server;
use crate::store::{Binding, Client};
use crate::testing::{Age, Machine, SAAS, SELF, credential, origin};
use crate::world::World;

fn args(url: Option<&str>, account: Option<&str>) -> SessionArgs {
    SessionArgs {
        url: url.map(origin),
        account: account.map(str::to_owned),
    }
}

/// jane and joe at sentry.io, where jane is active, and ann at an instance of her own.
fn three() -> Machine {
    let machine = Machine::new().at(SELF).account("ann", Age::API_TOKEN);
    let machine = machine.at(SAAS).account("joe", Age::FRESH);
    machine.session(Age::FRESH)
}

/// Whose session a command means, and where.
fn chosen(machine: &Machine, url: Option<&str>, account: Option<&str>) -> String {
    let world = machine.world();
    let place = ConfigDir::of(&world).unwrap();
    match place.chosen(&world, &args(url, account)) {
        Ok((instance, session)) => {
            let who = session.map_or("nobody".to_owned(), |session| session.label());
            format!("{who} at {instance}")
        }
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn a_command_means_the_account_that_is_named_else_the_active_one_of_the_instance() {
    let machine = three();
    for (url, account, expected) in [
        (None, None, "jane at https://sentry.io"),
        (Some(SELF), None, "ann at https://self.example"),
        (
            Some("https://x.example"),
            None,
            "nobody at https://x.example",
        ),
        (None, Some("joe"), "joe at https://sentry.io"),
        (
            None,
            Some("ANN@mail.example"),
            "ann at https://self.example",
        ),
        (Some(SELF), Some("ann"), "ann at https://self.example"),
        (
            Some("https://us.sentry.io"),
            Some("joe"),
            "joe at https://sentry.io",
        ),
        (Some(SELF), Some("joe"), "error"),
        (None, Some("nobody"), "error"),
    ] {
        let found = chosen(&machine, url, account);
        let found = found
            .split(':')
            .next()
            .filter(|word| *word == "error")
            .unwrap_or(&found);
        assert_eq!(found, expected, "{url:?} {account:?}");
    }
    let id = machine.sessions().pop().unwrap().account;
    let told = chosen(&machine, None, Some(&id));
    assert!(!told.starts_with("error"), "{told}");
}

#[test]
fn a_name_of_several_accounts_is_an_error_that_lists_them_unless_the_environment_names_one() {
    let machine = three().at(SELF).account("jane", Age::FRESH).at(SAAS);
    let told = chosen(&machine, None, Some("jane"));
    assert!(told.starts_with("error: `jane` "), "{told}");
    assert!(
        told.contains("jane at https://self.example") && told.contains("jane at https://sentry.io")
    );
    let machine = machine.variable("SENTRY_URL", SELF);
    assert_eq!(
        chosen(&machine, None, Some("jane")),
        "jane at https://self.example"
    );
    let sessions = machine.sessions();
    let both: Vec<_> = sessions.iter().collect();
    let failure = ambiguous("`x`", &both, &sessions, "sentry auth switch ");
    let hint = failure.hint_text().unwrap();
    assert!(hint.contains("`sentry auth switch "), "{hint}");
    assert!(only_one_at(&origin(SELF), &sessions, "").is_err());
    assert!(
        only_one_at(&origin("https://x.example"), &sessions, "")
            .unwrap()
            .is_none()
    );
    // It is named beside its instance where that does not tell it from another.
    assert!(described(&sessions[0], &sessions).contains("jane at "));
    assert_eq!(described(&sessions[0], &sessions[..1]), SELF);
}

#[test]
fn a_command_uses_the_environment_s_token_unless_another_login_is_named() {
    let machine = three().variable("SENTRY_TOKEN", "of-the-environment");
    let world = machine.world();
    for (url, account, is_meant) in [
        (None, None, true),
        (Some("https://de.sentry.io"), None, true),
        (Some(SELF), None, false),
        (None, Some("jane"), false),
    ] {
        let found = environment_token(&world, &args(url, account)).unwrap();
        assert_eq!(found.is_some(), is_meant, "{url:?} {account:?}");
    }
    assert!(is_logged_in(&world).unwrap());
    let nobody = Machine::new();
    assert!(!is_logged_in(&nobody.world()).unwrap());
    let world = nobody.world();
    let told = Source::of(&world, &args(None, None)).err().unwrap();
    assert_eq!(told.to_string(), "not logged in to https://sentry.io");
}

#[test]
fn a_set_up_names_an_instance_or_refuses() {
    let bound = |machine: &Machine, url, account| {
        let world = machine.world();
        let place = ConfigDir::of(&world).unwrap();
        let (instance, account) = place.binding_target(&world, &args(url, account))?;
        Ok::<_, anyhow::Error>((instance.to_string(), account))
    };
    let nobody = Machine::new();
    let told = bound(&nobody, None, None).unwrap_err().to_string();
    assert!(told.contains("no login yet"), "{told}");
    assert_eq!(
        bound(&nobody, Some(SELF), None).unwrap(),
        (SELF.into(), None)
    );
    let token = Machine::new().variable("SENTRY_TOKEN", "x");
    assert_eq!(bound(&token, None, None).unwrap(), (SAAS.into(), None));
    let machine = three();
    assert_eq!(bound(&machine, None, None).unwrap(), (SAAS.into(), None));
    let joe = Some("user id-of-joe".to_owned());
    assert_eq!(
        bound(&machine, None, Some("joe")).unwrap(),
        (SAAS.into(), joe)
    );
}

/// The lines of `sentry auth hosts`.
fn host_lines(machine: &Machine) -> Vec<String> {
    let (world, store) = (machine.world(), machine.store());
    let environment = Environment::of(&world);
    let survey = Survey::of(&world, Some(&store), &environment).unwrap();
    hosts::lines(&survey)
}

#[test]
fn hosts_has_a_line_for_each_decision_and_one_for_what_is_stored_and_not_used() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    machine.sql("UPDATE helper_binding SET created_at = NULL");
    let machine = machine.stored(&credential("git https://r.example", "ann", "hunter2"));
    let because = "it is a Sentry instance, where jane is the active account";
    let bound = "it is bound to https://sentry.io, where jane is the active account";
    assert_eq!(
        host_lines(&machine),
        [
            format!(
                "https://de.sentry.io, https://sentry.io, https://us.sentry.io (git, docker): \
                 the token of jane, because {because}"
            ),
            format!("https://r.example (git): the token of jane, because {bound}"),
            format!("r.example (docker): the token of jane, because {bound}"),
            "https://r.example (git): a stored password of ann is used only for requests that name the user"
                .to_owned(),
        ]
    );
}

#[test]
fn hosts_says_why_a_host_gets_nothing() {
    let machine = Machine::new().bound_to("r.example");
    let binding = Binding {
        signed_out: true,
        ..machine.binding(Client::Docker, "r.example")
    };
    let machine = machine.bind(&binding);
    for line in host_lines(&machine) {
        assert!(line.contains("r.example ("), "{line}");
        assert!(line.contains(": nothing, because "), "{line}");
    }
    let expired = Machine::new().session(Age::EXPIRED_API_TOKEN);
    let lines = host_lines(&expired);
    assert!(
        lines[0].contains(": nothing ") && lines[0].contains("jane"),
        "{lines:?}"
    );
}

#[test]
fn hosts_json_names_what_is_given_and_no_secret() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    let machine = machine.stored(&credential("docker r.example", "ann", "hunter2"));
    let (world, store) = (machine.world(), machine.store());
    let environment = Environment::of(&world);
    let survey = Survey::of(&world, Some(&store), &environment).unwrap();
    let server = Server::parse("docker r.example").unwrap();
    let json = serde_json::to_value(hosts::Host::of(&survey, &server)).unwrap();
    for (key, value) in [
        ("client", "docker"),
        ("host", "r.example"),
        ("gets", "session"),
        ("instance", SAAS),
        ("account", "jane"),
        ("username", "oauth2"),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    assert_eq!(json["bound"], true);
    assert_eq!(json["stored"][0]["used"], "never");
    let text = json.to_string();
    assert!(
        !text.contains("hunter2") && !text.contains("access-of"),
        "{text}"
    );
}

#[test]
fn a_host_is_called_as_git_and_docker_call_it() {
    for (key, name, is_meant) in [
        ("git https://r.example", "https://r.example", true),
        ("git https://r.example", "r.example", true),
        ("git https://r.example", "R.Example:443/", true),
        ("git https://r.example", "http://r.example", false),
        ("git smtp://m.example", "smtp://m.example", true),
        ("docker r.example/v1", "r.example", true),
        ("docker r.example/v1", "http://r.example", true),
        ("docker r.example", "r.example:5000", false),
        ("git https://r.example", "", false),
    ] {
        let server = Server::parse(key).unwrap();
        assert_eq!(is_called(&server, name), is_meant, "{key} {name}");
    }
}

/// The lines of `sentry auth list`.
fn list_lines(world: &World, machine: &Machine) -> Vec<String> {
    let sessions = machine.sessions();
    let line = |session| list::to_text(world, session, &sessions);
    sessions.iter().map(line).collect()
}

#[test]
fn list_marks_the_active_account_and_distinguishes_duplicates_by_id() {
    let machine = three();
    let lines = list_lines(&machine.world(), &machine);
    assert!(
        lines[0].starts_with("* https://sentry.io  jane  ("),
        "{lines:?}"
    );
    let ann = "  https://self.example  ann  (";
    assert!(lines.iter().any(|line| line.starts_with(ann)), "{lines:?}");
    machine.sql(
        "UPDATE accounts SET user_id = NULL, username = 'same' WHERE host = 'https://sentry.io'",
    );
    for line in &list_lines(&machine.world(), &machine)[..1] {
        assert!(line.starts_with("* https://sentry.io  same  0"), "{line}");
    }
    let expired = Machine::new().session(Age::EXPIRED_API_TOKEN);
    let line = &list_lines(&expired.world(), &expired)[0];
    assert!(line.ends_with("(expired)"), "{line}");
    let active = expired.active();
    let json = serde_json::to_value(list::Account::of(&expired.world(), &active)).unwrap();
    assert_eq!(json["state"], "expired");
    assert_eq!(json["user"], "jane");
    assert!(json["organization"].is_null() && json["active"] == true);
}
