//! `sentry`: see [`sentry_credential::sentry_main`].

fn main() -> std::process::ExitCode {
    sentry_credential::sentry_main()
}
