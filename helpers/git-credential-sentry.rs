//! git's helper: `git config credential.helper sentry` starts it. See [`sentry_credential::git_main`].

fn main() -> std::process::ExitCode {
    sentry_credential::git_main()
}
