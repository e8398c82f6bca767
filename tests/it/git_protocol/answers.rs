//! Which token is returned, and in which form.

use super::{described, get, gets_nothing};
use crate::fake_sentry::{Endpoint, FakeSentry, User};
use crate::helpers::{STORED, alter, with_session, with_session_of};
use crate::machine::Machine;
use crate::sandbox::{Age, Sandbox};

#[test]
fn a_session_is_a_user_name_a_password_and_an_expiry() {
    let (sentry, machine) = Machine::new().session(Age::FRESH).parts();
    let token = sentry.current_access();
    alter(&machine, "expires_at", &4_797_905_611_643_i64);
    get(&machine, described(&sentry))
        .success()
        .stderr_is("")
        .stdout_is(&format!(
            "username=oauth2\npassword={token}\npassword_expiry_utc=4797905611\n\n"
        ));
    alter(&machine, "expires_at", &None::<i64>);
    get(&machine, described(&sentry))
        .success()
        .stderr_is("")
        .stdout_is(&format!("username=oauth2\npassword={token}\n\n"));
    assert_eq!(sentry.requests().len(), 0);
}

#[test]
fn a_token_whose_time_is_over_is_not_answered() {
    let sentry = FakeSentry::start();
    for over in [1_000, 0, -1, i64::MIN] {
        let machine = with_session(&sentry, Age::FRESH);
        let pair = sentry.current();
        alter(&machine, "expires_at", &over);
        sentry.revoke_family(&pair.access);
        get(&machine, described(&sentry))
            .fails(1)
            .stdout_is("")
            .never_says(&pair.access);
    }
}

#[test]
fn the_names_of_the_saas_share_a_session() {
    for instance in ["sentry.io", "us.sentry.io", "de.sentry.io"] {
        let machine = with_session_of(&format!("https://{instance}"));
        for host in ["sentry.io", "us.sentry.io", "de.sentry.io"] {
            get(&machine, format!("protocol=https\nhost={host}\n"))
                .success()
                .stdout_has(STORED);
        }
        gets_nothing(&machine, "protocol=https\nhost=docs.sentry.io\n");
    }
}

#[test]
fn a_session_of_an_instance_over_plain_http_is_never_returned() {
    for host in ["sentry.example", "127.0.0.1.nip.io"] {
        let machine = with_session_of(&format!("http://{host}"));
        gets_nothing(&machine, format!("protocol=http\nhost={host}\n"));
        gets_nothing(&machine, format!("protocol=https\nhost={host}\n"));
    }
}

#[test]
fn the_user_name_is_the_one_asked_for_else_the_bindings_else_oauth2() {
    let machine = with_session_of("https://sentry.io");
    alter(&machine, "expires_at", &None::<i64>);
    machine.bind(
        "git https://code.example",
        "https://sentry.io",
        Some("robot"),
    );
    machine.bind("git https://plain.example:8443", "https://sentry.io", None);
    for (request, username) in [
        ("host=code.example\n", "robot"),
        ("host=code.example\nusername=ann\n", "ann"),
        ("host=plain.example:8443\n", "oauth2"),
        ("host=plain.example:8443\nusername=ann\n", "ann"),
        ("host=sentry.io\n", "oauth2"),
        ("host=sentry.io\nusername=jane\n", "jane"),
        ("host=sentry.io\nusername=\n", ""),
    ] {
        get(&machine, format!("protocol=https\n{request}"))
            .success()
            .stderr_is("")
            .stdout_is(&format!("username={username}\npassword={STORED}\n\n"));
    }
    gets_nothing(&machine, "protocol=https\nhost=plain.example\n");
    gets_nothing(&machine, "protocol=https\nhost=x.code.example\n");
    gets_nothing(&machine, "protocol=http\nhost=code.example\n");
}

#[test]
fn no_field_is_interpreted() {
    let machine = with_session_of("https://sentry.io");
    alter(&machine, "expires_at", &None::<i64>);
    let odd = "$(id)`id`%n%s\\n\\x00;|&~${HOME}'\"=a=b  ";
    get(
        &machine,
        format!("protocol=https\nhost=sentry.io\nusername={odd}\npath={odd}\npassword={odd}\n"),
    )
    .success()
    .stderr_is("")
    .stdout_is(&format!("username={odd}\npassword={STORED}\n\n"));
}

#[test]
fn the_session_of_the_user_that_is_asked_for_is_served() {
    let sentry = FakeSentry::start();
    let machine = Sandbox::new().for_sentry(&sentry);
    let jane = sentry.issue();
    machine.seed_session(&sentry, &jane, Age::FRESH);
    sentry.set_user(User {
        id: "43".to_owned(),
        name: "Joe".to_owned(),
        username: "joe".to_owned(),
        email: "joe@example.com".to_owned(),
    });
    let joe = sentry.issue();
    machine.seed_session(&sentry, &joe, Age::FRESH);
    for (username, token) in [
        ("jane", &jane.access),
        ("jane@example.com", &jane.access),
        ("joe", &joe.access),
        ("sam", &joe.access),
    ] {
        let request = format!("{}username={username}\n", described(&sentry));
        get(&machine, request)
            .success()
            .stdout_has(&format!("username={username}\npassword={token}\n"));
    }
    get(&machine, described(&sentry))
        .success()
        .stdout_has(&joe.access);
}

#[test]
fn a_token_is_a_password_unless_bearer_is_all_that_is_offered() {
    let machine = with_session_of("https://sentry.io");
    alter(&machine, "expires_at", &4_000_000_000_000_i64);
    let bearer = format!(
        "capability[]=authtype\ncapability[]=state\nauthtype=Bearer\ncredential={STORED}\n\
         password_expiry_utc=4000000000\nephemeral=1\nstate[]=sentry:session\n\n"
    );
    let password = |username: &str| {
        format!(
            "capability[]=authtype\ncapability[]=state\nusername={username}\npassword={STORED}\n\
             password_expiry_utc=4000000000\nephemeral=1\nstate[]=sentry:session\n\n"
        )
    };
    let old = format!("username=oauth2\npassword={STORED}\npassword_expiry_utc=4000000000\n\n");
    let both = "capability[]=authtype\ncapability[]=state\n";
    for (said, answer) in [
        (
            format!("{both}wwwauth[]=Bearer realm=\"r\", scope=\"s\"\n"),
            &bearer,
        ),
        (format!("{both}wwwauth[]=bearer\n"), &bearer),
        (
            format!("{both}wwwauth[]=Negotiate\nwwwauth[]=Bearer\n"),
            &bearer,
        ),
        (
            format!("{both}wwwauth[]=Basic realm=\"r\"\nwwwauth[]=Bearer realm=\"r\"\n"),
            &password("oauth2"),
        ),
        (
            format!("{both}wwwauth[]=Bearer realm=\"r\"\nwwwauth[]=Basic realm=\"r\"\n"),
            &password("oauth2"),
        ),
        // Several challenges in one line.
        (
            format!("{both}wwwauth[]=Bearer realm=\"r\", Basic realm=\"r\"\n"),
            &password("oauth2"),
        ),
        (
            format!("{both}wwwauth[]=Bearer realm=\"a, Basic b\"\n"),
            &bearer,
        ),
        (
            format!("{both}wwwauth[]=Basic realm=\"Bearer\"\n"),
            &password("oauth2"),
        ),
        (
            format!("{both}wwwauth[]=Bearer\nwwwauth[]=\nwwwauth[]=Basic\n"),
            &password("oauth2"),
        ),
        (format!("{both}wwwauth[]=BearerX\n"), &password("oauth2")),
        (both.to_owned(), &password("oauth2")),
        // RFC 7617 section 2: no user name of this scheme has a colon.
        (
            format!("{both}wwwauth[]=Basic\nusername=a:b\n"),
            &password("a:b"),
        ),
        ("wwwauth[]=Bearer realm=\"r\"\n".to_owned(), &old),
        (String::new(), &old),
    ] {
        get(&machine, format!("{said}protocol=https\nhost=sentry.io\n"))
            .success()
            .stderr_is("")
            .stdout_is(answer);
    }
    get(
        &machine,
        "capability[]=authtype\nprotocol=https\nhost=sentry.io\nwwwauth[]=Bearer\n",
    )
    .success()
    .stdout_is(&format!(
        "capability[]=authtype\nauthtype=Bearer\ncredential={STORED}\n\
         password_expiry_utc=4000000000\nephemeral=1\n\n"
    ));
    get(
        &machine,
        "capability[]=state\nprotocol=https\nhost=sentry.io\nwwwauth[]=Bearer\n",
    )
    .success()
    .stdout_is(&format!(
        "capability[]=state\nusername=oauth2\npassword={STORED}\n\
         password_expiry_utc=4000000000\nstate[]=sentry:session\n\n"
    ));
}

#[test]
fn the_refresh_token_is_never_said() {
    let (sentry, machine) = Machine::new().session(Age::EXPIRED).parts();
    let former = sentry.current();
    for extra in [
        "",
        "capability[]=authtype\n",
        "capability[]=authtype\ncapability[]=state\nwwwauth[]=Bearer\n",
        "oauth_refresh_token=x\n",
    ] {
        let said = get(&machine, format!("{}{extra}", described(&sentry))).success();
        said.stdout_has(&sentry.current_access())
            .never_says(&former.refresh)
            .never_says(&sentry.current().refresh)
            .never_says("refresh");
    }
    assert_eq!(sentry.refreshes(), 1);
}

#[test]
fn a_path_does_not_matter_to_a_session() {
    let machine = with_session_of("https://sentry.io");
    let path = "$(id)`id`%n../".repeat(4000);
    get(
        &machine,
        format!("protocol=https\nhost=sentry.io\npath={path}\n"),
    )
    .success()
    .stderr_is("")
    .stdout_has(&format!("username=oauth2\npassword={STORED}\n"));
}

#[test]
fn a_token_that_would_break_the_protocol_is_not_used() {
    for bad in ["a\nhost=evil.com", "a b", "tok\u{1b}[31m", "tôk", "a\rb"] {
        let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", bad);
        get(&machine, "protocol=https\nhost=sentry.io\n")
            .fails(1)
            .stdout_is("")
            .stderr_is(
                "git-credential-sentry: cannot use the value of SENTRY_AUTH_TOKEN: \
                 a token is 1 to 4096 printable ASCII characters without spaces\n",
            );
        gets_nothing(&machine, "protocol=https\nhost=other.example\n");
        let machine = with_session_of("https://sentry.io");
        alter(&machine, "token", &bad);
        get(&machine, "protocol=https\nhost=sentry.io\n")
            .fails(1)
            .stdout_is("")
            .never_says(bad);
    }
    let long = "x".repeat(4096);
    let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", &long);
    get(&machine, "protocol=https\nhost=sentry.io\n")
        .success()
        .stdout_is(&format!("username=oauth2\npassword={long}\n\n"));
    let machine = machine.env("SENTRY_AUTH_TOKEN", format!("{long}x"));
    get(&machine, "protocol=https\nhost=sentry.io\n")
        .fails(1)
        .stdout_is("");
}

#[test]
fn a_server_that_answers_with_a_broken_token_changes_nothing() {
    for bad in ["a\nhost=evil.com\n", "a b", "", "tôk", "x\0"] {
        let (sentry, machine) = Machine::new().session(Age::EXPIRED).parts();
        let before = machine.stored_tokens();
        sentry.rewrite(Endpoint::Refresh, move |answer| {
            answer["access_token"] = bad.into();
        });
        get(&machine, described(&sentry)).fails(1).stdout_is("");
        assert_eq!(machine.stored_tokens(), before);
    }
}
