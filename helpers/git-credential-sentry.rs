//! git's helper: `git config credential.helper sentry` starts it. See [`sentry_credential::git`].

fn main() -> std::process::ExitCode {
    sentry_credential::git::main()
}
