//! The protocol from end to end: what git writes, what the store has, and what git reads, byte for byte.

use super::*;
use crate::store::Binding;
use crate::testing::{Age, Machine, NOW, SAAS, SELF, access, credential};

/// What is answered, or the error in one line.
fn ask(machine: &Machine, operation: &str, lines: &[&str]) -> String {
    let world = machine.world();
    let input = lines.join("\n") + "\n\n";
    match serve(operation, input.as_bytes(), &Broker::new(&world)) {
        Ok(answer) => String::from_utf8(answer.to_vec()).unwrap(),
        Err(error) => format!("error: {}", failure::one_line(&error)),
    }
}

fn get(machine: &Machine, host: &str, more: &[&str]) -> String {
    let host = format!("host={host}");
    ask(machine, "get", &[&["protocol=https", &host], more].concat())
}

fn tell(machine: &Machine, operation: &str, host: &str, more: &[&str]) {
    let host = format!("host={host}");
    let lines = [&["protocol=https", &host], more].concat();
    assert_eq!(ask(machine, operation, &lines), "", "{operation} {host}");
}

const JANE: &str = "username=oauth2\npassword=access-of-jane\n";

#[test]
fn a_session_is_answered_with_its_expiry_and_without_its_refresh_token() {
    let machine = Machine::new().session(Age::FRESH);
    let expiry = NOW / 1000 + 30 * 24 * 3600;
    let expected = format!("{JANE}password_expiry_utc={expiry}\n\n");
    assert_eq!(get(&machine, "sentry.io", &[]), expected);
    assert!(!expected.contains("refresh"));
}

#[test]
fn what_the_caller_knows_decides_about_the_lines_beside_the_token() {
    let machine = Machine::new().session(Age::API_TOKEN);
    let authtype = "capability[]=authtype";
    let state = "capability[]=state";
    for (capabilities, expected) in [
        (&[][..], format!("{JANE}\n")),
        (
            &[authtype],
            format!("capability[]=authtype\n{JANE}ephemeral=1\n\n"),
        ),
        (
            &[state],
            format!("capability[]=state\n{JANE}state[]=sentry:session\n\n"),
        ),
        (
            &[state, authtype, "capability[]=another"],
            format!(
                "capability[]=authtype\ncapability[]=state\n{JANE}ephemeral=1\n\
                 state[]=sentry:session\n\n"
            ),
        ),
    ] {
        assert_eq!(get(&machine, "sentry.io", capabilities), expected);
    }
}

#[test]
fn bearer_is_answered_only_where_git_knows_it_and_the_server_offers_nothing_else() {
    let machine = Machine::new().session(Age::API_TOKEN);
    let authtype = "capability[]=authtype";
    for (lines, is_bearer) in [
        (&[authtype, "wwwauth[]=Bearer realm=\"x\""][..], true),
        (&[authtype, "wwwauth[]=bearer", "wwwauth[]=Negotiate"], true),
        (&[authtype, "wwwauth[]=Bearer", "wwwauth[]=Basic"], false),
        (&[authtype, "wwwauth[]=Basic, Bearer"], false),
        (&[authtype, "wwwauth[]=Negotiate"], false),
        (&[authtype], false),
        (&["wwwauth[]=Bearer"], false),
    ] {
        let answer = get(&machine, "sentry.io", lines);
        let bearer = "authtype=Bearer\ncredential=access-of-jane\n";
        assert_eq!(answer.contains(bearer), is_bearer, "{lines:?}: {answer}");
        assert_eq!(answer.contains(JANE), !is_bearer, "{lines:?}: {answer}");
    }
}

#[test]
fn the_user_name_of_a_request_is_repeated_and_comes_before_the_one_of_the_binding() {
    let machine = Machine::new().session(Age::API_TOKEN);
    let binding = Binding {
        username: Some("robot".into()),
        ..machine.binding(Client::Git, "r.example")
    };
    let machine = machine.bind(&binding);
    let named = |more| get(&machine, "r.example", more);
    assert_eq!(named(&[]), "username=robot\npassword=access-of-jane\n\n");
    let expected = "username=me\npassword=access-of-jane\n\n";
    assert_eq!(named(&["username=me"]), expected);
    // An empty one is a name, too: git shows what it was answered.
    let expected = "username=\npassword=access-of-jane\n\n";
    assert_eq!(named(&["username="]), expected);
}

#[test]
fn a_url_line_says_the_same_as_its_parts() {
    let machine = Machine::new().session(Age::API_TOKEN).bound_to("r.example");
    let by_url = ask(&machine, "get", &["url=https://me@r.example/a.git"]);
    assert_eq!(by_url, get(&machine, "r.example", &["username=me"]));
}

#[test]
fn a_host_that_is_not_ours_and_what_can_be_no_key_get_nothing() {
    let machine = Machine::new().session(Age::FRESH);
    for lines in [
        &["protocol=https", "host=x.example"][..],
        &["protocol=https", "host=sentry.io#.evil.example"],
        &["protocol=https", "host=sentry.io\\.evil.example"],
        &["protocol=http", "host=sentry.io"],
        // These would be read as another key than they are.
        &["protocol=https:", "host=sentry.io"],
        &["protocol=https://sentry.io/", "host=x"],
        &["protocol=https", "host=sentry.io/"],
        &["host=sentry.io"],
        &["protocol=https"],
    ] {
        assert_eq!(ask(&machine, "get", lines), "", "{lines:?}");
    }
}

#[test]
fn a_stored_password_comes_back_byte_for_byte() {
    let machine = Machine::new();
    let input =
        b"protocol=smtp\nhost=mail.example:587\nusername=a=b\npassword=p\xe4ss=w\xc3\xb6rd\n\n";
    let world = machine.world();
    let broker = Broker::new(&world);
    serve("store", input, &broker).unwrap();
    let asked = b"protocol=smtp\nhost=mail.example:587\n\n";
    let answer = serve("get", asked, &broker).unwrap();
    assert_eq!(
        answer.as_slice(),
        b"username=a=b\npassword=p\xe4ss=w\xc3\xb6rd\n\n"
    );
}

#[test]
fn a_password_is_found_by_host_path_and_user_and_the_newest_comes_first() {
    let machine = Machine::new();
    let store = |more: &[&str]| tell(&machine, "store", "x.example", more);
    store(&["username=ann", "password=1"]);
    store(&["username=bob", "password=2"]);
    store(&["path=a.git", "username=cid", "password=3"]);
    let found = |more: &[&str]| get(&machine, "x.example", more);
    assert_eq!(found(&["username=ann"]), "username=ann\npassword=1\n\n");
    assert_eq!(found(&[]), "username=cid\npassword=3\n\n");
    assert_eq!(found(&["path=a.git"]), "username=cid\npassword=3\n\n");
    assert_eq!(found(&["path=b.git"]), "");
    assert_eq!(found(&["username=dan"]), "");
    // The same user again: in place of the former one.
    store(&["username=ann", "password=4"]);
    assert_eq!(found(&[]), "username=ann\npassword=4\n\n");
    assert_eq!(machine.credentials(Client::Git).len(), 3);
}

#[test]
fn an_oauth_refresh_token_outlives_its_password() {
    let machine = Machine::new();
    let expiry = format!("password_expiry_utc={}", NOW / 1000 + 1);
    let lines = ["username=ann", "password=p", &expiry];
    tell(&machine, "store", "x.example", &lines);
    let lines = [&lines[..], &["oauth_refresh_token=r"]].concat();
    tell(&machine, "store", "y.example", &lines);
    let (x, y) = (
        || get(&machine, "x.example", &[]),
        || get(&machine, "y.example", &[]),
    );
    let alive = format!("username=ann\npassword=p\n{expiry}\n");
    assert_eq!(x(), alive.clone() + "\n");
    assert_eq!(y(), alive + "oauth_refresh_token=r\n\n");
    machine.clock().pass(std::time::Duration::from_secs(1));
    assert_eq!(x(), "");
    assert_eq!(y(), "username=ann\noauth_refresh_token=r\n\n");
}

#[test]
fn a_credential_with_an_authtype_is_for_callers_that_know_it() {
    let machine = Machine::new();
    let lines = ["authtype=Digest", "credential=abc"];
    tell(&machine, "store", "x.example", &lines);
    assert_eq!(get(&machine, "x.example", &[]), "");
    assert_eq!(
        get(&machine, "x.example", &["capability[]=authtype"]),
        "capability[]=authtype\nauthtype=Digest\ncredential=abc\n\n"
    );
}

#[test]
fn half_a_credential_is_not_stored() {
    let machine = Machine::new();
    for lines in [
        &["password=p"][..],
        &["username=u"],
        &["credential=c"],
        &["authtype=Digest"],
        &["username=u", "credential=c"],
        &["username=u", "password=p", "ephemeral=1"],
    ] {
        tell(&machine, "store", "x.example", lines);
    }
    assert!(!machine.has_store());
}

#[test]
fn what_a_login_or_the_environment_gave_is_not_stored_again() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    let machine = machine.variable("SENTRY_TOKEN", "of-the-environment");
    let now = machine.now();
    machine.change(|change| change.remember_former(&access("former"), now).unwrap());
    let hexadecimal = "0123456789abcdef".repeat(4);
    let basic = BASE64.encode("oauth2:access-of-jane");
    for lines in [
        vec!["username=oauth2", "password=access-of-jane"],
        vec!["username=oauth2", "password=access-of-former"],
        vec!["username=oauth2", "password=of-the-environment"],
        // Another program may have rotated it meanwhile.
        vec!["username=oauth2", "password=sntryu_0123"],
        vec!["username=oauth2", "password", &hexadecimal],
        vec!["authtype=Bearer", "credential=access-of-jane"],
        vec!["authtype=basic", "credential", &basic],
    ] {
        let joined = match lines[..] {
            [one, key, value] => vec![one.to_owned(), format!("{key}={value}")],
            _ => lines.iter().map(|line| (*line).to_owned()).collect(),
        };
        let lines: Vec<&str> = joined.iter().map(String::as_str).collect();
        tell(&machine, "store", "r.example", &lines);
        assert_eq!(machine.credentials(Client::Git), [], "{lines:?}");
    }
    // At a host that is not ours the same forms are left to other helpers.
    tell(
        &machine,
        "store",
        "x.example",
        &["username=u", "password=sntryu_0123"],
    );
    assert_eq!(machine.credentials(Client::Git).len(), 1);
}

#[test]
fn a_host_that_took_bearer_alone_is_noted_when_git_gives_the_token_back() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    let is_noted = || machine.read(|view| view.takes_only_bearer("git https://r.example").unwrap());
    let lines = ["authtype=Bearer", "credential=access-of-jane"];
    tell(&machine, "store", "r.example", &lines);
    assert!(is_noted());
    let lines = ["username=oauth2", "password=access-of-jane", "ephemeral=1"];
    tell(&machine, "store", "r.example", &lines);
    assert!(!is_noted());
}

#[test]
fn an_erasure_removes_what_it_names_and_nothing_else() {
    let machine = Machine::new();
    for (host, user, password) in [
        ("x.example", "ann", "1"),
        ("x.example", "bob", "2"),
        ("y.example", "ann", "1"),
    ] {
        let (user, password) = (format!("username={user}"), format!("password={password}"));
        tell(&machine, "store", host, &[&user, &password]);
    }
    let left = || machine.credentials(Client::Git).len();
    tell(&machine, "erase", "x.example", &["password=3"]);
    tell(&machine, "erase", "x.example", &["username=cid"]);
    assert_eq!(left(), 3);
    tell(
        &machine,
        "erase",
        "x.example",
        &["username=ann", "password=1"],
    );
    assert_eq!(left(), 2);
    tell(&machine, "erase", "x.example", &[]);
    assert_eq!(left(), 1);
    assert_eq!(
        get(&machine, "y.example", &[]),
        "username=ann\npassword=1\n\n"
    );
}

#[test]
fn an_erasure_of_the_current_token_makes_it_suspect_and_an_older_one_changes_nothing() {
    let machine = Machine::new().session(Age::FRESH).bound_to("r.example");
    let suspect = || machine.active().refresh_state.suspect;
    for former in ["password=access-of-joe", "password=refresh-of-jane"] {
        tell(&machine, "erase", "r.example", &["username=oauth2", former]);
        assert_eq!(suspect(), None, "{former}");
    }
    let basic = BASE64.encode("oauth2:access-of-jane");
    for current in [
        "password=access-of-jane".to_owned(),
        "authtype=Bearer\ncredential=access-of-jane".to_owned(),
        format!("authtype=Basic\ncredential={basic}"),
    ] {
        machine.change(|change| {
            let session = change.sessions().unwrap().remove(0);
            change.trust(&session, Timestamp::from_millis(0)).unwrap();
        });
        tell(&machine, "erase", "r.example", &[&current]);
        assert_eq!(suspect(), Some(access("jane").digest()), "{current}");
    }
    assert!(machine.active().tokens.is_some(), "git ends no session");
}

#[test]
fn without_a_login_the_error_says_what_to_run() {
    let machine = Machine::new().at(SELF).bound_to("r.example");
    for (host, command) in [
        ("sentry.io", "sentry auth login"),
        ("r.example", "sentry auth login --url https://self.example"),
    ] {
        let told = get(&machine, host, &[]);
        assert!(told.starts_with("error: not logged in to"), "{told}");
        assert!(told.contains(command), "{told}");
    }
}

#[test]
fn a_stored_token_that_would_break_the_protocol_is_not_answered() {
    let machine = Machine::new().session(Age::FRESH);
    machine.sql("UPDATE accounts SET token = 'a' || char(10) || 'host=evil'");
    let told = get(&machine, "sentry.io", &[]);
    assert!(told.starts_with("error: "), "{told}");
    assert!(!told.contains("evil"), "{told}");
    let odd = store::Credential {
        username: Some("u\nhost=evil".into()),
        ..credential("git https://x.example", "", "p")
    };
    let told = get(&machine.stored(&odd), "x.example", &[]);
    assert!(told.starts_with("error: "), "{told}");
}

#[test]
fn the_operations_are_git_s_own_and_any_other_is_ignored() {
    let machine = Machine::new().session(Age::FRESH);
    let world = machine.world();
    let answer = |operation| {
        let input = format!("url={SAAS}\n\n");
        let answer = answer(operation, &mut input.as_bytes(), &world).unwrap();
        String::from_utf8(answer.to_vec()).unwrap()
    };
    assert_eq!(
        answer("capability"),
        "version 0\ncapability authtype\ncapability state\n"
    );
    assert!(answer("get").starts_with(JANE));
    for ignored in ["", "list", "GET", "exchange"] {
        assert_eq!(answer(ignored), "", "{ignored}");
    }
}

#[test]
fn a_request_that_breaks_the_protocol_is_refused_without_its_text() {
    let machine = Machine::new().session(Age::FRESH);
    for operation in ["get", "store", "erase"] {
        for odd in ["protocol=https\r", "no key", "host=a\0b"] {
            let told = ask(&machine, operation, &[odd]);
            assert_eq!(told, "error: the request is malformed", "{odd:?}");
        }
    }
}

#[test]
fn reading_stops_at_the_blank_line() {
    let mut input = io::Cursor::new(b"a=b\n\n".to_vec()).chain(io::repeat(b'x'));
    assert_eq!(*read(&mut input).unwrap(), b"a=b\n\n");
    assert!(read(&mut io::repeat(b'x')).is_err());
}
