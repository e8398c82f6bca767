//! A helper that stores what git approves: the expectations that git publishes for external helpers, once through `git
//! credential` and once with git's requests sent directly.

use crate::sandbox::{Output, Sandbox};
use crate::service::tools;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

/// A git whose only helper is ours, and a user who answers its other questions.
struct Git {
    program: PathBuf,
    machine: Sandbox,
}

/// Every git on PATH, each with its own machine.
fn gits() -> Vec<Git> {
    tools("git").into_iter().map(Git::new).collect()
}

/// The gits that pass expiry, challenges and `authtype` to a helper: 2.46 and newer.
fn talkative_gits() -> Vec<Git> {
    gits().into_iter().filter(Git::knows_authtype).collect()
}

impl Git {
    fn new(program: PathBuf) -> Self {
        let machine = Sandbox::new();
        let user = machine.root().join("user");
        let script = "#!/bin/sh\n\
                      echo \"user: $1\" >&2\n\
                      case $1 in Username*) echo typed-name;; *) echo typed-word;; esac\n";
        fs::write(&user, script).expect("a file");
        fs::set_permissions(&user, Permissions::from_mode(0o755)).expect("a mode");
        Self {
            program,
            machine: machine.env("GIT_ASKPASS", user),
        }
    }

    fn knows_authtype(&self) -> bool {
        let asked = self.machine.command(&self.program);
        let said = asked.args(["credential", "capability"]).run().stdout;
        said.contains("capability authtype\n")
    }

    #[track_caller]
    fn credential(&self, operation: &str, input: &str) -> Output {
        self.machine
            .command(&self.program)
            .args([
                "-c",
                "credential.helper=sentry",
                "-c",
                "credential.useHttpPath=true",
            ])
            .args(["credential", operation])
            .stdin(input)
            .run()
            .success()
    }

    #[track_caller]
    fn approve(&self, credential: &str) -> &Self {
        self.credential("approve", credential)
            .stdout_is("")
            .stderr_is("");
        self
    }

    #[track_caller]
    fn reject(&self, credential: &str) -> &Self {
        self.credential("reject", credential)
            .stdout_is("")
            .stderr_is("");
        self
    }

    /// The credential is found without a prompt.
    #[track_caller]
    fn fills(&self, request: &str, answer: &str) -> &Self {
        self.credential("fill", request)
            .stdout_is(answer)
            .stderr_is("");
        self
    }

    /// Nothing is found: the user is asked these questions.
    #[track_caller]
    fn asks(&self, request: &str, answer: &str, questions: &str) -> &Self {
        self.credential("fill", request)
            .stdout_is(answer)
            .stderr_is(questions);
        self
    }

    /// Nothing is found for this URL without a user name.
    #[track_caller]
    fn asks_for_both(&self, protocol: &str, host: &str) -> &Self {
        let described = format!("protocol={protocol}\nhost={host}\n");
        self.asks(
            &described,
            &format!("{described}username=typed-name\npassword=typed-word\n"),
            &format!(
                "user: Username for '{protocol}://{host}': \n\
                 user: Password for '{protocol}://typed-name@{host}': \n"
            ),
        )
    }

    /// Nothing is found for this user.
    #[track_caller]
    fn asks_for_the_password_of(&self, username: &str, host: &str) -> &Self {
        let described = format!("protocol=https\nhost={host}\nusername={username}\n");
        self.asks(
            &described,
            &format!("{described}password=typed-word\n"),
            &format!("user: Password for 'https://{username}@{host}': \n"),
        )
    }
}

#[test]
fn git_finds_nothing_at_first() {
    for git in gits() {
        git.asks_for_both("https", "code.example");
        assert_eq!(git.machine.stored_tokens(), None);
        assert!(!git.machine.config_dir().exists());
    }
}

#[test]
fn git_finds_what_it_approved() {
    for git in gits() {
        let full = "protocol=https\nhost=code.example\nusername=ann\npassword=secret\n";
        git.approve(full)
            .fills("protocol=https\nhost=code.example\n", full);
        git.fills("protocol=https\nhost=code.example\nusername=ann\n", full);
    }
}

#[test]
fn git_finds_nothing_for_another_protocol_host_or_user() {
    for git in gits() {
        git.approve("protocol=https\nhost=code.example\nusername=ann\npassword=secret\n");
        git.asks_for_both("http", "code.example");
        git.asks_for_both("https", "other.example");
        git.asks_for_the_password_of("bob", "code.example");
    }
}

#[test]
fn git_finds_nothing_for_another_path() {
    for git in gits() {
        let full = "protocol=https\nhost=code.example\npath=one.git\nusername=ann\npassword=one\n";
        git.approve(full).fills(
            "protocol=https\nhost=code.example\npath=one.git\n",
            "protocol=https\nhost=code.example\npath=one.git\nusername=ann\npassword=one\n",
        );
        let other = "protocol=https\nhost=code.example\npath=two.git\n";
        git.asks(
            other,
            &format!("{other}username=typed-name\npassword=typed-word\n"),
            "user: Username for 'https://code.example/two.git': \n\
             user: Password for 'https://typed-name@code.example/two.git': \n",
        );
    }
}

#[test]
fn git_finds_the_password_that_it_approved_last() {
    for git in gits() {
        let ann = "protocol=https\nhost=code.example\nusername=ann\n";
        git.approve(&format!("{ann}password=old\n"))
            .approve(&format!("{ann}password=new\n"))
            .fills(ann, &format!("{ann}password=new\n"))
            .reject(&format!("{ann}password=new\n"))
            .asks_for_the_password_of("ann", "code.example");
    }
}

#[test]
fn git_can_forget_a_host() {
    for git in gits() {
        git.approve("protocol=https\nhost=code.example\nusername=ann\npassword=secret\n")
            .reject("protocol=https\nhost=code.example\n")
            .asks_for_both("https", "code.example");
    }
}

#[test]
fn git_can_forget_one_user_and_keep_the_other() {
    for git in gits() {
        let ann = "protocol=https\nhost=code.example\nusername=ann\n";
        let bob = "protocol=https\nhost=code.example\nusername=bob\n";
        git.approve(&format!("{ann}password=for-ann\n"))
            .approve(&format!("{bob}password=for-bob\n"))
            .fills(ann, &format!("{ann}password=for-ann\n"))
            .fills(bob, &format!("{bob}password=for-bob\n"))
            .reject(ann)
            .asks_for_the_password_of("ann", "code.example")
            .fills(bob, &format!("{bob}password=for-bob\n"));
    }
}

#[test]
fn git_does_not_forget_another_password_than_the_rejected_one() {
    for git in gits() {
        let ann = "protocol=https\nhost=code.example\nusername=ann\n";
        git.approve(&format!("{ann}password=good\n"))
            .reject(&format!("{ann}password=stale\n"))
            .fills(ann, &format!("{ann}password=good\n"));
    }
}

#[test]
fn git_can_keep_an_empty_user_name_and_password() {
    for git in gits() {
        let empty = "protocol=https\nhost=sso.example\nusername=\npassword=\n";
        git.approve(empty)
            .fills("protocol=https\nhost=sso.example\n", empty);
    }
}

#[test]
fn git_forgets_everything_that_matches() {
    for git in gits() {
        git.approve("protocol=https\nhost=code.example\nusername=ann\npassword=same\n")
            .approve("protocol=https\nhost=code.example\nusername=bob\npassword=same\n")
            .reject("protocol=https\nhost=code.example\n")
            .asks_for_both("https", "code.example");
        assert_eq!(git.machine.stored_credentials(), 0);
    }
}

#[test]
fn git_is_not_robbed_by_a_long_challenge() {
    for git in talkative_gits() {
        git.approve("protocol=https\nhost=victim.example\nusername=ann\npassword=booty\n");
        for length in 990..1030 {
            let challenge = format!(
                "wwwauth[]=basic realm={}host=victim.example\n",
                "x".repeat(length)
            );
            let described = "protocol=https\nhost=thief.example\n";
            git.credential("fill", &format!("{described}{challenge}"))
                .stdout_is(&format!(
                    "{described}username=typed-name\npassword=typed-word\n{challenge}"
                ))
                .never_says("booty");
        }
    }
}

#[test]
fn git_gets_the_expiry_back() {
    for git in talkative_gits() {
        let ann = "protocol=https\nhost=code.example\nusername=ann\n";
        git.approve(&format!(
            "{ann}password=old\npassword_expiry_utc=9999999998\n"
        ))
        .fills(
            ann,
            &format!("{ann}password=old\npassword_expiry_utc=9999999998\n"),
        )
        .approve(&format!(
            "{ann}password=new\npassword_expiry_utc=9999999999\n"
        ))
        .fills(
            ann,
            &format!("{ann}password=new\npassword_expiry_utc=9999999999\n"),
        )
        .reject(&format!("{ann}password=new\n"))
        .asks_for_the_password_of("ann", "code.example");
    }
}

#[test]
fn git_gets_the_refresh_token_of_another_helper_back() {
    for git in talkative_gits() {
        let ann = "protocol=https\nhost=code.example\nusername=ann\n";
        let rest = "password=secret\noauth_refresh_token=again\n";
        git.approve(&format!("{ann}{rest}"))
            .fills(ann, &format!("{ann}{rest}"));
    }
}

#[test]
fn git_gets_a_credential_with_its_scheme_back() {
    for git in talkative_gits() {
        let host = "protocol=https\nhost=code.example\n";
        let bearer = "capability[]=authtype\nauthtype=Bearer\ncredential=pass-1\n";
        git.approve(&format!("{bearer}{host}")).fills(
            &format!("capability[]=authtype\n{host}"),
            &format!("{bearer}{host}"),
        );
        git.asks_for_both("https", "code.example");
    }
}

#[test]
fn git_gets_the_credential_of_the_right_user() {
    for git in talkative_gits() {
        let ann = "protocol=https\nhost=code.example\nusername=ann\n";
        let bearer = "capability[]=authtype\nauthtype=Bearer\ncredential=pass-2\n";
        git.approve("capability[]=authtype\nauthtype=Bearer\ncredential=pass-1\nprotocol=https\nhost=code.example\n");
        git.approve(&format!("{bearer}{ann}")).fills(
            &format!("capability[]=authtype\n{ann}"),
            &format!("{bearer}{ann}"),
        );
        git.asks(
            "capability[]=authtype\nprotocol=https\nhost=code.example\nusername=bob\n",
            "protocol=https\nhost=code.example\nusername=bob\npassword=typed-word\n",
            "user: Password for 'https://bob@code.example': \n",
        );
    }
}

#[test]
fn git_finds_nothing_that_was_ephemeral() {
    for git in talkative_gits() {
        git.approve(
            "capability[]=authtype\nauthtype=Bearer\ncredential=pass\nephemeral=1\n\
             protocol=https\nhost=code.example\n",
        );
        git.approve(
            "capability[]=authtype\nephemeral=1\n\
             protocol=https\nhost=code.example\nusername=ann\npassword=secret\n",
        );
        git.asks(
            "capability[]=authtype\nprotocol=https\nhost=code.example\n",
            "protocol=https\nhost=code.example\nusername=typed-name\npassword=typed-word\n",
            "user: Username for 'https://code.example': \n\
             user: Password for 'https://typed-name@code.example': \n",
        );
        assert_eq!(git.machine.stored_credentials(), 0);
    }
}

/// A request as git sends it to the helper, without git.
trait Said {
    fn stores(&self, credential: &str) -> &Self;
    fn erases(&self, credential: &str) -> &Self;
    fn gets(&self, request: &str, answer: &str) -> &Self;
}

impl Said for Sandbox {
    #[track_caller]
    fn stores(&self, credential: &str) -> &Self {
        let said = self.git_credential("store").stdin(credential).run();
        said.success().stdout_is("").stderr_is("");
        self
    }

    #[track_caller]
    fn erases(&self, credential: &str) -> &Self {
        let said = self.git_credential("erase").stdin(credential).run();
        said.success().stdout_is("").stderr_is("");
        self
    }

    #[track_caller]
    fn gets(&self, request: &str, answer: &str) -> &Self {
        let said = self.git_credential("get").stdin(request).run();
        said.success().stdout_is(answer).stderr_is("");
        self
    }
}

#[test]
fn an_empty_store_answers_nothing_and_stays_unmade() {
    let machine = Sandbox::new();
    machine
        .gets("protocol=https\nhost=code.example\n", "")
        .erases("protocol=https\nhost=code.example\n")
        .erases("protocol=https\nhost=code.example\nusername=ann\npassword=p\n");
    assert!(!machine.config_dir().exists());
}

#[test]
fn an_answer_ends_with_a_blank_line() {
    let machine = Sandbox::new();
    machine
        .stores("protocol=https\nhost=code.example\nusername=ann\npassword=secret\n\n")
        .gets(
            "protocol=https\nhost=code.example\n\n",
            "username=ann\npassword=secret\n\n",
        );
}

#[test]
fn protocol_host_path_and_user_must_match() {
    let machine = Sandbox::new();
    machine.stores(
        "protocol=https\nhost=code.example\npath=a/one.git\nusername=ann\npassword=secret\n",
    );
    for found in ["", "path=a/one.git\n", "username=ann\n"] {
        machine.gets(
            &format!("protocol=https\nhost=code.example\n{found}"),
            "username=ann\npassword=secret\n\n",
        );
    }
    for other in [
        "protocol=http\nhost=code.example\n",
        "protocol=https\nhost=code.example:8443\n",
        "protocol=https\nhost=xcode.example\n",
        "protocol=https\nhost=sub.code.example\n",
        "protocol=https\nhost=code.example\npath=a/two.git\n",
        "protocol=https\nhost=code.example\npath=a\n",
        "protocol=https\nhost=code.example\npath=a/one.git/\n",
        "protocol=https\nhost=code.example\nusername=bob\n",
        "protocol=https\nhost=code.example\nusername=\n",
        "protocol=https\nhost=code.example\nusername=Ann\n",
    ] {
        machine.gets(other, "");
    }
}

#[test]
fn one_host_has_one_name() {
    let machine = Sandbox::new();
    machine
        .stores("protocol=https\nhost=Code.Example:443\nusername=ann\npassword=secret\n")
        .gets(
            "protocol=https\nhost=code.example\n",
            "username=ann\npassword=secret\n\n",
        )
        .erases("protocol=https\nhost=CODE.EXAMPLE\n")
        .gets("protocol=https\nhost=code.example:443\n", "");
}

#[test]
fn the_newest_of_several_is_found_first() {
    let machine = Sandbox::new();
    let host = "protocol=https\nhost=code.example\n";
    machine
        .stores(&format!("{host}username=ann\npassword=1\n"))
        .stores(&format!("{host}username=bob\npassword=2\n"))
        .gets(host, "username=bob\npassword=2\n\n")
        .stores(&format!("{host}username=ann\npassword=3\n"))
        .gets(host, "username=ann\npassword=3\n\n")
        .gets(
            &format!("{host}username=bob\n"),
            "username=bob\npassword=2\n\n",
        );
    assert_eq!(machine.stored_credentials(), 2);
}

#[test]
fn a_new_password_takes_the_place_of_the_old_one() {
    let machine = Sandbox::new();
    let ann = "protocol=https\nhost=code.example\nusername=ann\n";
    machine
        .stores(&format!("{ann}password=old\n"))
        .stores(&format!("{ann}password=new\n"))
        .gets(ann, "username=ann\npassword=new\n\n");
    assert_eq!(machine.stored_credentials(), 1);
    for file in ["cli.db", "cli.db-wal"] {
        let bytes = fs::read(machine.config_dir().join(file)).unwrap_or_default();
        assert!(
            !bytes.windows(3).any(|window| window == b"old"),
            "{file} still has the old password"
        );
    }
}

#[test]
fn erase_takes_all_that_match_and_nothing_else() {
    let machine = Sandbox::new();
    let host = "protocol=https\nhost=code.example\n";
    let other = "protocol=https\nhost=other.example\n";
    machine
        .stores(&format!("{host}username=ann\npassword=1\n"))
        .stores(&format!("{host}username=bob\npassword=2\n"))
        .stores(&format!("{other}username=ann\npassword=3\n"))
        .erases(&format!("{host}username=ann\npassword=2\n"))
        .gets(
            &format!("{host}username=ann\n"),
            "username=ann\npassword=1\n\n",
        )
        .erases(&format!("{host}username=ann\npassword=1\n"))
        .gets(&format!("{host}username=ann\n"), "")
        .gets(host, "username=bob\npassword=2\n\n")
        .erases(host)
        .gets(host, "")
        .gets(other, "username=ann\npassword=3\n\n");
}

#[test]
fn erase_takes_a_bearer_credential_only_with_its_value() {
    let machine = Sandbox::new();
    let host = "protocol=https\nhost=code.example\n";
    let bearer = "capability[]=authtype\nauthtype=Bearer\n";
    let answer = "capability[]=authtype\nauthtype=Bearer\ncredential=pass\n\n";
    machine
        .stores(&format!("{bearer}credential=pass\n{host}"))
        .erases(&format!("{bearer}credential=other\n{host}"))
        .gets(&format!("capability[]=authtype\n{host}"), answer)
        .erases(&format!("{bearer}credential=pass\n{host}"))
        .gets(&format!("capability[]=authtype\n{host}"), "");
}

#[test]
fn user_name_and_password_may_be_empty() {
    let machine = Sandbox::new();
    let host = "protocol=https\nhost=sso.example\n";
    machine
        .stores(&format!("{host}username=\npassword=\n"))
        .gets(host, "username=\npassword=\n\n")
        .gets(&format!("{host}username=\n"), "username=\npassword=\n\n")
        .gets(&format!("{host}username=ann\n"), "");
}

#[test]
fn half_a_credential_is_not_stored() {
    let machine = Sandbox::new();
    let host = "protocol=https\nhost=code.example\n";
    machine
        .stores(host)
        .stores(&format!("{host}username=ann\n"))
        .stores(&format!("{host}password=secret\n"))
        .stores(&format!("{host}authtype=Bearer\n"))
        .stores("protocol=https\nusername=ann\npassword=secret\n")
        .stores("host=code.example\nusername=ann\npassword=secret\n");
    assert!(!machine.config_dir().exists());
}

#[test]
fn a_credential_without_its_scheme_is_no_password() {
    let machine = Sandbox::new();
    let host = "protocol=https\nhost=code.example\n";
    machine
        .stores(&format!(
            "{host}username=ann\npassword=1\ncredential=blob\n"
        ))
        .gets(host, "username=ann\npassword=1\n\n");
}

#[test]
fn an_expired_password_is_not_returned() {
    let machine = Sandbox::new();
    let host = "protocol=https\nhost=code.example\n";
    machine
        .stores(&format!(
            "{host}username=ann\npassword=1\npassword_expiry_utc=9999999999\n"
        ))
        .gets(
            host,
            "username=ann\npassword=1\npassword_expiry_utc=9999999999\n\n",
        )
        .stores(&format!(
            "{host}username=bob\npassword=2\npassword_expiry_utc=1000\n"
        ))
        .gets(
            host,
            "username=ann\npassword=1\npassword_expiry_utc=9999999999\n\n",
        )
        .gets(&format!("{host}username=bob\n"), "")
        .stores(&format!("{host}username=ann\npassword=3\n"))
        .gets(host, "username=ann\npassword=3\n\n")
        .erases(host);
    assert_eq!(machine.stored_credentials(), 0, "erased though expired");
}

#[test]
fn the_refresh_token_of_another_helper_is_kept_and_replaced() {
    let machine = Sandbox::new();
    let ann = "protocol=https\nhost=code.example\nusername=ann\n";
    machine
        .stores(&format!("{ann}password=1\noauth_refresh_token=r1\n"))
        .gets(ann, "username=ann\npassword=1\noauth_refresh_token=r1\n\n")
        .stores(&format!(
            "{ann}password=2\npassword_expiry_utc=9999999999\noauth_refresh_token=r2\n"
        ))
        .gets(
            ann,
            "username=ann\npassword=2\npassword_expiry_utc=9999999999\noauth_refresh_token=r2\n\n",
        );
}

#[test]
fn a_credential_with_a_scheme_needs_a_caller_that_understands_it() {
    let machine = Sandbox::new();
    let host = "protocol=https\nhost=code.example\n";
    let asked = format!("capability[]=authtype\ncapability[]=state\n{host}");
    machine
        .stores(&format!("{host}username=ann\npassword=secret\n"))
        .stores(&format!(
            "capability[]=authtype\nauthtype=Digest\ncredential=blob==\nusername=bob\npassword_expiry_utc=9999999999\n{host}"
        ))
        .gets(
            &asked,
            "capability[]=authtype\nauthtype=Digest\ncredential=blob==\nusername=bob\npassword_expiry_utc=9999999999\n\n",
        )
        .gets(host, "username=ann\npassword=secret\n\n")
        .gets(&format!("{host}username=bob\n"), "")
        .gets(&format!("{asked}username=ann\n"), "username=ann\npassword=secret\n\n")
        .gets(&format!("capability[]=authtype\ncapability[]=\n{host}"), "username=ann\npassword=secret\n\n");
}

#[test]
fn what_is_ephemeral_is_not_stored() {
    let machine = Sandbox::new();
    let host = "protocol=https\nhost=code.example\n";
    machine
        .stores(&format!(
            "capability[]=authtype\nauthtype=Bearer\ncredential=pass\nephemeral=1\n{host}"
        ))
        .stores(&format!(
            "capability[]=authtype\nephemeral=1\n{host}username=ann\npassword=secret\n"
        ));
    assert!(!machine.config_dir().exists());
    machine
        .stores(&format!(
            "capability[]=authtype\nephemeral=0\n{host}username=ann\npassword=secret\n"
        ))
        .gets(host, "username=ann\npassword=secret\n\n");
}

#[test]
fn a_long_challenge_does_not_name_a_host() {
    let machine = Sandbox::new();
    machine.stores("protocol=https\nhost=victim.example\nusername=ann\npassword=booty\n");
    for length in [1, 999, 1000, 1001, 1024, 4073, 8192, 65000] {
        let challenge = format!("basic realm={}host=victim.example", "x".repeat(length));
        machine.gets(
            &format!("protocol=https\nhost=thief.example\nwwwauth[]={challenge}\n"),
            "",
        );
    }
}

#[test]
fn a_url_is_split_into_its_parts() {
    let machine = Sandbox::new();
    machine
        .stores("url=https://ann:se%3Acret@code.example/a/one.git\n")
        .gets(
            "protocol=https\nhost=code.example\npath=a/one.git\n",
            "username=ann\npassword=se:cret\n\n",
        )
        .gets(
            "url=https://code.example/a/one.git\n",
            "username=ann\npassword=se:cret\n\n",
        )
        .gets(
            "url=https://ann@code.example\n",
            "username=ann\npassword=se:cret\n\n",
        )
        .gets("url=https://bob@code.example\n", "")
        .gets("url=https://code.example/two.git\n", "")
        .gets(
            "url=https://code.example\nprotocol=https\nhost=code.example\n",
            "username=ann\npassword=se:cret\n\n",
        )
        .erases("url=https://code.example\n")
        .gets("url=https://code.example\n", "");
}

#[test]
fn the_bytes_of_a_password_come_back_as_they_were() {
    let machine = Sandbox::new();
    let password = "  $(id) `id` %0a %n \\n \"'=ü🔑\t ";
    machine
        .stores(&format!(
            "protocol=https\nhost=code.example\nusername=a=b\npassword={password}\n"
        ))
        .gets(
            "protocol=https\nhost=code.example\n",
            &format!("username=a=b\npassword={password}\n\n"),
        );
}

#[test]
fn what_is_stored_for_a_host_of_ours_needs_its_user_name() {
    let machine = Sandbox::new().env("SENTRY_AUTH_TOKEN", "token-of-the-environment");
    let token = "username=oauth2\npassword=token-of-the-environment\n\n";
    machine
        .stores("protocol=https\nhost=sentry.io\nusername=ann\npassword=secret\n")
        .gets("protocol=https\nhost=sentry.io\n", token)
        .gets(
            "protocol=https\nhost=sentry.io\nusername=ann\n",
            "username=ann\npassword=secret\n\n",
        )
        .gets(
            "url=https://ann@sentry.io\n",
            "username=ann\npassword=secret\n\n",
        )
        .erases("protocol=https\nhost=sentry.io\nusername=ann\npassword=secret\n")
        .gets(
            "protocol=https\nhost=sentry.io\nusername=ann\n",
            "username=ann\npassword=token-of-the-environment\n\n",
        );
}
