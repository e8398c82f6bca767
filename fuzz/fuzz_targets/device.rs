#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sentry_credential::oracles::device(input));
