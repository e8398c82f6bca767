//! The hints of the `sentry auth` commands and of both helpers about logins and accounts.

use super::doctor::{only_bearer, two_accounts};
use super::{Row, Scene, close, row};
use crate::fake_sentry::{Answer, Endpoint, User};
use crate::sandbox::{Age, Layout};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::json;
use std::fs;

const LOGIN: &str = "sentry auth login --url \"$URL\"";
const GIT_GET: &str = "printf 'protocol=https\\nhost=g.example\\n' | git credential-sentry get";
const STORE: &str = "printf '{\"ServerURL\":\"r.example\",\"Username\":\"u\",\"Secret\":\"%s\"}' \
     \"$SECRET\" | docker-credential-sentry store";
const WITHOUT_RUNTIME: &str = "unshare -Urm sh -euc 'mount -t tmpfs -o ro tmpfs /run; \
     sentry auth setup-docker --podman r.example --url \"$URL\"'";

pub const ROWS: &[Row] = &[
    row(
        &["auth/context.rs: \"`sentry auth login`\""],
        Scene::saas,
        "sentry auth setup-git g.example",
        "`sentry auth login`",
    ),
    row(
        &["auth/context.rs: format!(\"`{command}{id}` selects the first of them\")"],
        |scene| two_accounts(scene, "jane"),
        "sentry auth switch \"$URL\"",
        "`sentry auth switch *` selects the first of them",
    )
    .instead(),
    row(
        &["auth/forget.rs: {}"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-git g.example");
        },
        "sentry auth hosts --forget g.example",
        "`git config --file $HOME/.gitconfig --unset-all credential.https://g.example.helper *`",
    )
    .ends(1),
    row(
        &["auth/forget.rs: `sentry auth setup-docker --undo{option} --registry {}`"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-docker --podman r.example");
        },
        "sentry auth hosts --forget r.example",
        "`sentry auth setup-docker --undo --podman --registry r.example`",
    )
    .ends(1),
    row(
        &["auth/forget.rs: hint"],
        |scene| {
            scene.session(Age::FRESH);
        },
        "sentry auth hosts --forget \"${URL#http://}\"",
        "`sentry auth logout --url $URL`",
    )
    .ends(1),
    row(
        &["auth/hosts.rs: `sentry auth login`, then `sentry auth setup-git`"],
        Scene::saas,
        "sentry auth hosts",
        "`sentry auth login`, then `sentry auth setup-git`",
    ),
    row(
        &["auth/list.rs: `sentry auth login`"],
        Scene::saas,
        "sentry auth list",
        "`sentry auth login`",
    ),
    row(
        &["auth/login.rs: `sentry auth setup-git --host HOST` lets git use this login,"],
        |scene| scene.sentry.approve_next(),
        "sentry auth login --force --url \"$URL\"",
        "`sentry auth setup-git --host HOST` lets git use this login, and \
         `sentry auth setup-docker --registry REGISTRY` docker",
    )
    .fill(&[("HOST", "g.example")]),
    row(
        &["auth/login.rs: `{again} --force` logs in again"],
        |scene| {
            scene.session(Age::FRESH);
        },
        "sentry auth login --no-browser --url \"$URL\" jane@example.com",
        "`sentry auth login --url $URL jane@example.com --no-browser --force` logs in again",
    )
    .instead(),
    row(
        &["auth/login.rs: format!(\"`{again} --force`\")"],
        |scene| {
            scene.session(Age::FRESH);
        },
        "sentry auth login --url \"$URL\" --scope org:read",
        "`sentry auth login --url $URL --scope org:read --force`",
    )
    .instead(),
    row(
        &["auth/login.rs: format!( \"`export SENTRY_CLIENT_ID=CLIENT_ID`, a public OAut"],
        |scene| scene.before("unset SENTRY_CLIENT_ID"),
        LOGIN,
        "`export SENTRY_CLIENT_ID=CLIENT_ID`, a public OAuth application of this instance, \
         or `sentry auth login --url $URL --with-token`",
    )
    .fill(&[("=CLIENT_ID", "=test-client-id")]),
    row(
        &["auth/login/input.rs: format!( \"`iconv -f UTF-16 -t UTF-8 <FILE | {login} --with-t"],
        |scene| {
            scene.token();
            scene.run("iconv -t UTF-16 <token >'token of windows'");
        },
        "sentry auth login --with-token --url \"$URL\" <'token of windows'",
        "`iconv -f UTF-16 -t UTF-8 <FILE | sentry auth login --url $URL --with-token`",
    )
    .fill(&[("FILE", "'token of windows'")])
    .instead(),
    row(
        &["auth/login/input.rs: format!(\"`sentry auth login --url {claimed} --with-token`\")"],
        |scene| {
            let token = scene.token_of_an_organization();
            scene.sentry.add_org_token(&token);
            scene.reads(&token);
        },
        "sentry auth login --url https://x.example --with-token <token",
        "`sentry auth login --url $URL --with-token`",
    )
    .instead(),
    row(
        &["auth/login.rs: format!(\"`sentry auth logout --url {}` first\", other.origin)"],
        |scene| {
            let pair = scene.sentry.issue();
            scene.sandbox.seed_session_in(Layout::Auth, &scene.sentry, &pair, Age::FRESH);
            scene.sql("UPDATE auth SET host = 'https://old.example'");
        },
        LOGIN,
        "`sentry auth logout --url https://old.example` first",
    ),
    row(
        &["auth/logout.rs: `sentry auth {undo} --undo{file}{options}` ends that"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-git g.example h.example:8443");
        },
        "sentry auth logout",
        "`sentry auth setup-git --undo --host https://g.example --host https://h.example:8443` ends that",
    )
    .ends(1),
    row(
        &[],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-docker --podman r.example");
        },
        "sentry auth logout",
        "`sentry auth setup-docker --undo --podman --registry r.example` ends that",
    )
    .ends(1),
    row(
        &["auth/logout.rs: `unset {}`"],
        |scene| scene.before("export SENTRY_URL=\"$URL\" SENTRY_AUTH_TOKEN=sntryu_x"),
        "sentry auth logout",
        "`unset SENTRY_AUTH_TOKEN`",
    )
    .ends(1),
    row(
        &["auth/exec.rs: \"`sentry auth exec --help`\""],
        |scene| scene.before("export SENTRY_TOKEN=sntryu_x"),
        "sentry auth exec --acount jane true",
        "`sentry auth exec --help`",
    )
    .instead(),
    row(
        &["auth/import.rs: format!(\"`sentry auth login --url {named} --with-token`\")"],
        |scene| {
            scene.token();
            scene.run("printf '[auth]\\ntoken=%s\\n' \"$(cat token)\" >.sentryclirc");
            scene.before("export SENTRY_URL=\"$URL\"");
        },
        "sentry auth import",
        "`sentry auth login --url $URL --with-token`",
    )
    .instead(),
    row(
        &["auth/uninstall.rs: `rm -r {dir}` removes the lock files, too"],
        |scene| {
            scene.session(Age::FRESH);
        },
        "sentry auth uninstall",
        "`rm -r $HOME/.sentry` removes the lock files, too",
    ),
    row(
        &["auth/token.rs: \"`sentry auth token --format json`\""],
        |scene| scene.before("export SENTRY_TOKEN='a;b'"),
        "sentry auth token --format env",
        "`sentry auth token --format json`",
    )
    .instead(),
    row(
        &["auth/refresh.rs: \"`export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logge"],
        |scene| {
            scene.session(Age::FRESH);
            scene.before("unset SENTRY_CLIENT_ID");
        },
        "sentry auth refresh --read-only",
        "`export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logged in with",
    )
    .fill(&[("=CLIENT_ID", "=test-client-id")]),
    row(
        &["auth/refresh.rs: hint"],
        |scene| {
            scene.login(Age::FRESH);
            scene.before("export SENTRY_URL=\"$URL\" SENTRY_TOKEN=sntryu_x");
        },
        "sentry auth refresh",
        "`unset SENTRY_TOKEN`",
    ),
    row(
        &["auth/setup_docker/set_up.rs: PERSISTENT_FILE"],
        |scene| scene.before("unset XDG_RUNTIME_DIR"),
        WITHOUT_RUNTIME,
        "`export REGISTRY_AUTH_FILE=\"$$HOME/.config/containers/auth.json\"`, for podman too",
    ),
    row(
        &["auth/setup_docker/set_up.rs: {PERSISTENT_FILE}"],
        |_| {},
        "sentry auth setup-docker --podman r.example --url \"$URL\"",
        "`export REGISTRY_AUTH_FILE=\"$$HOME/.config/containers/auth.json\"`, for podman too",
    ),
    row(
        &["auth/setup_docker/set_up.rs: command"],
        |scene| scene.before("PATH=/usr/local/bin:/usr/bin:/bin"),
        "\"$BIN/sentry\" auth setup-docker r.example --url \"$URL\"",
        "`export PATH=$BIN:\"$PATH\"`",
    ),
    row(
        &["auth/setup_git/set_up.rs: {remedy}"],
        only_bearer,
        "sentry auth setup-git g.example",
        "`git config --global http.https://g.example.postBuffer 500m`",
    ),
    row(
        &["auth/logout.rs: {}"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("cp .sentry/cli.db '.sentry/cli.db.corrupt-1'");
        },
        "sentry auth logout --all",
        "`rm $HOME/.sentry/cli.db.corrupt-1`",
    )
    .ends(1),
    row(
        &["auth/setup_git/set_up.rs: {}"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("git init --quiet work; cd work; git config credential.helper store");
            scene.before("cd work");
        },
        "sentry auth setup-git g.example",
        "`sentry auth setup-git --host https://g.example --url $URL --local`",
    ),
    row(
        &["auth/setup_git/undo.rs: {}"],
        |scene| scene.run("git config --global credential.helper sentry"),
        "sentry auth setup-git --undo",
        "`git config --file $HOME/.gitconfig --unset-all credential.helper *`",
    ),
    row(
        &["auth/setup_git/undo.rs: {}"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-git g.example");
            scene.run("cp .gitconfig 'an included $file'");
            scene.run("git config --global include.path \"$HOME/an included \\$file\"");
        },
        "sentry auth setup-git --undo",
        "`git config --file '$HOME/an included $$file' --unset-all credential.https://g.example.helper *`",
    ),
    row(
        &["auth/setup_git/undo.rs: {}"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("git init --quiet clone; cd clone; sentry auth setup-git --local g.example");
            scene.before("cd clone");
        },
        "sentry auth setup-git --undo g.example",
        "`git config --file $HOME/clone/.git/config --unset-all credential.https://g.example.helper *`",
    ),
    row(
        &["auth/status.rs: `unset {variable}`, or set it to another token"],
        |scene| {
            scene.login(Age::FRESH);
            scene.before("export SENTRY_URL=\"$URL\" SENTRY_AUTH_TOKEN=sntryu_unknown");
        },
        "sentry auth status",
        "`unset SENTRY_AUTH_TOKEN`, or set it to another token",
    ),
    row(
        &["auth/whoami.rs: format!(\"`unset {variable}`, or set it to another token\")"],
        |scene| {
            scene.login(Age::FRESH);
            scene.before("export SENTRY_URL=\"$URL\" SENTRY_AUTH_TOKEN=sntryu_unknown");
        },
        "sentry auth whoami",
        "`unset SENTRY_AUTH_TOKEN`, or set it to another token",
    ),
    row(
        &["auth/status.rs: `{login} --force`"],
        |scene| {
            scene.session(Age::FRESH);
            scene.sql("UPDATE accounts SET token = 'sntryu_unknown', refresh_token = NULL");
        },
        "sentry auth status",
        "`sentry auth login --url $URL*`",
    ),
    row(
        &["broker/mod.rs: hint"],
        |scene| {
            two_accounts(scene, "bob");
            scene.run("sentry auth setup-git g.example --account bob; sentry auth logout --account bob");
        },
        "printf 'protocol=https\\nhost=g.example\\n' | git credential-sentry get",
        "as that account, `git credential-sentry login --url $URL --force`",
    ),
    row(
        &["environment.rs: \"`unset SENTRY_URL SENTRY_HOST`, or use a token of that inst"],
        |scene| {
            let token = scene.token_of_an_organization();
            scene.before(&format!("export SENTRY_TOKEN={token} SENTRY_URL=https://x.example"));
        },
        "sentry auth token",
        "`unset SENTRY_URL SENTRY_HOST`, or use a token of that instance",
    ),
    row(
        &["environment.rs: format!(\"`export {variable}={}`\", Origin::saas())"],
        |scene| scene.before("export SENTRY_HOST=acme.sentry.io"),
        "sentry auth token",
        "`export SENTRY_HOST=https://sentry.io`",
    )
    .ends(1),
    // Under the other names
    row(
        &[],
        |scene| {
            scene.run("sentry auth setup-git g.example --url \"$URL\"");
            scene.before("export SENTRY_URL=\"$URL\"");
        },
        GIT_GET,
        "`git credential-sentry login --url $URL`",
    ),
    row(
        &[],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-git g.example");
            scene.sql("UPDATE accounts SET token = NULL, refresh_token = NULL");
        },
        GIT_GET,
        "`git credential-sentry login*`",
    ),
    row(
        &[],
        |scene| {
            scene.session(Age::EXPIRED);
            scene.run("sentry auth setup-git g.example");
            scene.sentry.fault(Endpoint::Refresh, Answer::new(503, "text/html", "<html>"));
            scene.run(&format!("! {{ {GIT_GET}; }}"));
        },
        GIT_GET,
        "`sentry auth refresh --url $URL` tries at once",
    ),
    row(
        &[],
        Scene::saas,
        "git credential-sentry hosts",
        "`git credential-sentry login`, then `git credential-sentry setup`",
    ),
    row(
        &[],
        |scene| scene.before("export SENTRY_URL=\"$URL\""),
        "git credential-sentry doctor || :",
        "`git credential-sentry login`",
    ),
    row(
        &[],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("git config --global credential.https://g.example.helper sentry");
        },
        "git credential-sentry doctor || :",
        "`git credential-sentry setup --host https://g.example`",
    ),
    row(
        &[],
        |scene| scene.sentry.approve_next(),
        "git credential-sentry login --force --url \"$URL\"",
        "`git credential-sentry setup --host HOST` lets git use this login, and \
         `sentry auth setup-docker --registry REGISTRY` docker",
    )
    .fill(&[("HOST", "g.example")]),
    row(
        &[],
        |scene| {
            Scene::saas(scene);
            scene.credential("");
        },
        "sentry-credential list",
        "`sentry-credential login`",
    ),
    row(
        &["auth/link.rs: `export PATH={}:\\"],
        |scene| scene.credential("mkdir -p bin"),
        "sentry-credential link \"$HOME/bin\"",
        "`export PATH=$HOME/bin:\"$$PATH\"`",
    ),
    row(
        &["auth/link.rs: ELSEWHERE"],
        |scene| scene.credential("mkdir -p bin; echo theirs >opt/sentry"),
        "sentry-credential link",
        "`sentry-credential link DIR`, with a directory of yours that is on PATH",
    )
    .fill(&[("DIR", "$HOME/bin")])
    .instead(),
    row(
        &["sentry.rs: hint"],
        |scene| {
            scene.session(Age::FRESH);
        },
        "sentry status",
        "`sentry auth status`",
    )
    .instead(),
    row(
        &[],
        |_| {},
        "sentry issue list",
        "`sentry auth --help`",
    )
    .instead(),
    // The device flow
    row(
        &["login/explain.rs: \"`export SENTRY_CLIENT_ID=CLIENT_ID`, a public OAuth applica"],
        |scene| scene.before("export SENTRY_CLIENT_ID=unknown"),
        LOGIN,
        "`export SENTRY_CLIENT_ID=CLIENT_ID`, a public OAuth application of this instance",
    )
    .fill(&[("=CLIENT_ID", "=test-client-id")]),
    row(
        &["login/explain.rs: again"],
        |_| {},
        "sentry auth login --timeout 1 --url \"$URL\" jane@example.com",
        "`sentry auth login --url $URL jane@example.com`",
    )
    .meanwhile(|scene| scene.sentry.approve_next())
    .instead(),
    row(
        &["login/explain.rs: format!( \"`sentry auth login --url {origin} --with-token` ta"],
        |scene| {
            scene.token();
            scene.sentry.fault_always(Endpoint::DeviceCode, Answer::new(403, "text/html", "<html>"));
        },
        LOGIN,
        "`sentry auth login --url $URL --with-token` takes an API token",
    )
    .instead(),
    row(
        &["login/explain.rs: format!( \"`sentry auth login --url {usable}`, as the instanc"],
        |_| {},
        "sentry auth login --url \"http://localhost:${URL##*:}\"",
        "`sentry auth login --url $URL`, as the instance calls itself $URL; or correct system.url-prefix",
    )
    .instead(),
    row(
        &["login/approver.rs: format!(\"`{again}`, signed in as {expected} in the browser\")"],
        |scene| {
            scene.bob();
            scene.sentry.approve_next();
        },
        "sentry auth login --url \"$URL\" jane@example.com",
        "`sentry auth login --url $URL jane@example.com`, signed in as jane@example.com in the browser",
    )
    .meanwhile(|scene| scene.sentry.set_user(User::default()))
    .instead(),
    row(
        &["login/explain.rs: format!(\"`{} --scope SCOPE` asks for others\", login_at(origi"],
        |scene| scene.sentry.fault(Endpoint::DeviceCode, Answer::error(400, "invalid_scope")),
        LOGIN,
        "`sentry auth login --url $URL --scope SCOPE` asks for others",
    )
    .fill(&[("SCOPE", "org:read")])
    .instead(),
    row(
        &["login.rs: format!(\"`{}`\", login_at(instance))"],
        |scene| scene.before("export SENTRY_URL=\"$URL\""),
        "sentry auth token",
        "`sentry auth login --url $URL`",
    ),
    // docker stores no token of another login
    row(
        &["policy/storing.rs: format!( \"`sentry auth setup-docker --registry {registry} --"],
        |scene| {
            scene.run("sentry auth setup-docker r.example --url https://x.example");
            scene.before("export SENTRY_URL=\"$URL\" SENTRY_TOKEN=sntryu_x SECRET=sntryu_x");
        },
        STORE,
        "`sentry auth setup-docker --registry r.example --url $URL`",
    ),
    row(
        &["policy/storing.rs: format!( \"`sentry auth setup-docker --registry {registry}{}`"],
        |scene| {
            two_accounts(scene, "jane");
            scene.run("sentry auth setup-docker r.example --url https://x.example");
            scene.sql("UPDATE accounts SET username = NULL, email = NULL, name = 'Jane Doe' WHERE username = 'jane'");
            scene.before("SECRET=$(sentry auth token --account 'Jane Doe')");
        },
        STORE,
        "`sentry auth setup-docker --registry r.example*--account 'Jane Doe'`",
    ),
    row(
        &["policy/storing.rs: format!( \"{login}, then `sentry auth setup-docker --registry"],
        |scene| {
            scene.session(Age::FRESH);
            scene.run("sentry auth setup-docker r.example");
            scene.bob();
            scene.token();
            scene.before("SECRET=sntryu_of_the_user");
        },
        STORE,
        "`sentry auth login --url $URL --with-token`, then \
         `sentry auth setup-docker --registry r.example --account NAME`",
    ),
    // A refresh
    row(
        &["session/explain.rs: \"`export SENTRY_CLIENT_ID=CLIENT_ID`, that one, or log in ag"],
        |scene| {
            scene.session(Age::EXPIRED);
            scene.sentry.add_client("another");
            scene.before("export SENTRY_CLIENT_ID=another");
        },
        "sentry auth refresh",
        "`export SENTRY_CLIENT_ID=CLIENT_ID`, that one, or log in again",
    )
    .fill(&[("=CLIENT_ID", "=test-client-id")]),
    row(
        &["session/explain.rs: \"`export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logge"],
        |scene| {
            scene.session(Age::EXPIRED);
            scene.before("unset SENTRY_CLIENT_ID");
        },
        "sentry auth token",
        "`export SENTRY_CLIENT_ID=CLIENT_ID`, the one that you logged in with",
    )
    .fill(&[("=CLIENT_ID", "=test-client-id")]),
    row(
        &["session/explain.rs: format!( \"`sentry auth refresh{}` tries at once\", options_fo"],
        |scene| {
            two_accounts(scene, "jane");
            scene.sql("UPDATE accounts SET expires_at = 2000 WHERE username = 'jane'");
            scene.sentry.fault(Endpoint::Refresh, Answer::new(503, "text/html", "<html>"));
            scene.run("! sentry auth token --account jane");
        },
        "sentry auth token --account jane",
        "`sentry auth refresh --url $URL --account *` tries at once",
    ),
    row(
        &["session/explain.rs: format!(\"`{login}`\")"],
        |scene| {
            two_accounts(scene, "jane");
            scene.sql("UPDATE accounts SET token = NULL, refresh_token = NULL WHERE username = 'jane'");
            scene.sentry.set_user(User::default());
        },
        "sentry auth token --account jane",
        "`sentry auth login jane@example.com --url $URL`",
    ),
];

impl Scene {
    /// The program under its other name, in a separate directory, as a package installs it.
    fn credential(&mut self, also: &str) {
        self.run(&format!(
            "mkdir opt; cp \"$BIN/sentry\" opt/sentry-credential; {also}"
        ));
        self.before("PATH=\"$HOME/opt:$PATH\"");
    }

    /// An API token in a file, which is what every command reads.
    pub fn token(&mut self) {
        self.sentry.add_api_token("sntryu_of_the_user");
        self.reads("sntryu_of_the_user");
    }

    fn reads(&mut self, text: &str) {
        fs::write(self.sandbox.home().join("token"), text).unwrap();
        self.before("exec <\"$HOME/token\"");
    }

    /// A token that names its instance.
    fn token_of_an_organization(&self) -> String {
        let url = self.sentry.url();
        let claims = json!({"iat": 1, "url": url, "region_url": url, "org": "acme"});
        format!(
            "sntrys_{}_secret",
            BASE64_STANDARD.encode(claims.to_string())
        )
    }
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper, unshare(1)")]
fn what_commands_say_closes() {
    let (first, _) = ROWS.split_at(ROWS.len() / 2);
    close(first.iter());
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "nss_wrapper, unshare(1)")]
fn what_commands_and_helpers_say_of_logins_closes() {
    let (_, second) = ROWS.split_at(ROWS.len() / 2);
    close(second.iter());
}
