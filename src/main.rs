//! `sentry`: see [`sentry_credential::sentry_main`].

sentry_credential::note_ignored_signals_before_main!();

fn main() -> std::process::ExitCode {
    sentry_credential::sentry_main()
}
