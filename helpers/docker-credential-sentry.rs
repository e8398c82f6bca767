//! docker's helper: `"credHelpers": {"registry.example": "sentry"}` starts it. See [`sentry_credential::docker_main`].

fn main() -> std::process::ExitCode {
    sentry_credential::docker_main()
}
