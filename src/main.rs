//! `sentry`: see [`sentry_credential::sentry_main`].

/// The only thing that can run before the runtime of Rust changes what SIGPIPE does; see
/// [`sentry_credential::note_ignored_signals`].
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
#[allow(
    unsafe_code,
    reason = "the loader calls what stands in this section; it needs nothing of the runtime"
)]
static BEFORE_MAIN: extern "C" fn() = sentry_credential::note_ignored_signals;

fn main() -> std::process::ExitCode {
    sentry_credential::sentry_main()
}
