//! The format of Apple's `KERN_PROCARGS2`: the number of arguments, the path of the program, padding, the arguments and
//! the environment, each terminated by a NUL byte.
//!
//! Separate from the call because it is tested on every system.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// The arguments, starting with the program's name. `None` if they are truncated.
pub(super) fn arguments(answer: &[u8]) -> Option<Vec<OsString>> {
    let (count, rest) = answer.split_first_chunk()?;
    let count = usize::try_from(i32::from_ne_bytes(*count)).ok()?;
    let path_ends = rest.iter().position(|byte| *byte == 0)?;
    let rest = &rest[path_ends..];
    let begins = rest.iter().position(|byte| *byte != 0)?;
    // Text after the last NUL byte is truncated.
    let mut words = rest[begins..].split_inclusive(|byte| *byte == 0);
    let word = || {
        let word = words.next()?.strip_suffix(&[0])?;
        Some(OsString::from_vec(word.to_owned()))
    };
    // Too few arguments are an error.
    std::iter::repeat_with(word).take(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(count: i32, rest: &str) -> Vec<u8> {
        [&count.to_ne_bytes()[..], rest.as_bytes()].concat()
    }

    #[test]
    fn the_arguments_stand_between_the_path_and_the_environment() {
        let login = answer(
            3,
            "/usr/local/bin/docker\0\0\0\0docker\0login\0r.example\0TOKEN=x\0HOME=/\0",
        );
        let words = ["docker", "login", "r.example"].map(OsString::from);
        assert_eq!(arguments(&login), Some(words.to_vec()));
        let empty = answer(2, "/bin/x\0x\0\0HOME=/\0");
        assert_eq!(arguments(&empty), Some(vec!["x".into(), "".into()]));
    }

    #[test]
    fn what_was_cut_short_is_not_known() {
        for (count, rest) in [
            (1, ""),
            (1, "/bin/x"),
            (1, "/bin/x\0\0"),
            (1, "/bin/x\0x"),
            (2, "/bin/x\0x\0"),
            (-1, "/bin/x\0x\0"),
        ] {
            assert_eq!(arguments(&answer(count, rest)), None, "{count} {rest:?}");
        }
        assert_eq!(arguments(&[1, 0]), None);
    }
}
