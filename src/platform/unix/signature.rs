//! Apple's code signatures: whether the keychain recognizes a program by its developer.
//!
//! An entry of the keychain names the programs that may read it, by identifier and developer. A signature without a
//! developer ("ad hoc", as linkers and compilers write it) names the bytes of one build: the next version, and each of
//! the other two programs, then has to ask for the user's password.
//!
//! Separate from the call because it is tested on every system.

const CS_VALID: u32 = 0x1;
const CS_ADHOC: u32 = 0x2;

/// The identifier that all three programs are signed with: `codesign --identifier sentry-credential`.
const IDENTIFIER: &[u8] = b"sentry-credential";

pub(super) const UNSIGNED: &str =
    "this program is not signed by a developer, so macOS would request a password for each access";
const OTHER_IDENTIFIER: &str = "this program is not signed as `sentry-credential`, so macOS would request a password for each access";

/// Judges the answers of the kernel: the flags, and eight bytes with the identifier, which a NUL byte terminates.
pub(super) fn judge(flags: u32, identity: &[u8]) -> Result<(), &'static str> {
    if flags & CS_VALID == 0 || flags & CS_ADHOC != 0 {
        return Err(UNSIGNED);
    }
    let identity = identity.get(8..).unwrap_or_default();
    match identity.split(|byte| *byte == 0).next() {
        Some(IDENTIFIER) => Ok(()),
        _ => Err(OTHER_IDENTIFIER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_developers_signature_with_our_identifier_is_recognized() {
        // CS_SIGNED, CS_RUNTIME and CS_VALID, as of a notarized program.
        let signed = 0x2001_0001;
        let identity = |name: &str| [b"\0\0\0\0\0\0\0\x1a", name.as_bytes(), b"\0\0"].concat();
        let ours = identity("sentry-credential");
        for (flags, identity, expected) in [
            (signed, ours.clone(), Ok(())),
            // CS_LINKER_SIGNED, which comes with CS_ADHOC.
            (
                0x2002_0003,
                identity("sentry-07c0a0f746524d46"),
                Err(UNSIGNED),
            ),
            (signed | CS_ADHOC, ours.clone(), Err(UNSIGNED)),
            // Changed after it was signed.
            (signed & !CS_VALID, ours, Err(UNSIGNED)),
            (signed, identity("sentry"), Err(OTHER_IDENTIFIER)),
            (
                signed,
                identity("sentry-credential2"),
                Err(OTHER_IDENTIFIER),
            ),
            (signed, vec![0; 256], Err(OTHER_IDENTIFIER)),
            (signed, Vec::new(), Err(OTHER_IDENTIFIER)),
        ] {
            assert_eq!(judge(flags, &identity), expected, "{flags:x} {identity:?}");
        }
    }
}
