//! The format of Apple's `KERN_PROCARGS2`: the number of arguments, the path of the program, padding, the arguments and
//! the environment, each terminated by a NUL byte.
//!
//! Separate from the call because it is tested on every system.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// The arguments, starting with the program's name. `None` if they are truncated.
pub(super) fn arguments(answer: &[u8]) -> Option<Vec<OsString>> {
    split(answer).map(|(arguments, _)| arguments)
}

/// The environment. `None` if there is none: the kernel hides that of some programs.
pub(super) fn environment(answer: &[u8]) -> Option<Vec<(OsString, OsString)>> {
    let (_, rest) = split(answer)?;
    let words = rest.split(|byte| *byte == 0);
    // What follows an empty one comes from the kernel.
    let variables = words.take_while(|word| !word.is_empty());
    let variables = variables.filter_map(|word| {
        let at = word.iter().position(|byte| *byte == b'=')?;
        let part = |bytes: &[u8]| OsString::from_vec(bytes.to_owned());
        Some((part(&word[..at]), part(&word[at + 1..])))
    });
    Some(variables.collect()).filter(|variables: &Vec<_>| !variables.is_empty())
}

/// The arguments, and what follows them.
fn split(answer: &[u8]) -> Option<(Vec<OsString>, &[u8])> {
    let (count, rest) = answer.split_first_chunk()?;
    let count = usize::try_from(i32::from_ne_bytes(*count)).ok()?;
    let path_ends = rest.iter().position(|byte| *byte == 0)?;
    let rest = &rest[path_ends..];
    let begins = rest.iter().position(|byte| *byte != 0)?;
    let mut rest = &rest[begins..];
    let mut arguments = Vec::new();
    for _ in 0..count {
        // Text after the last NUL byte is truncated, and too few arguments are an error.
        let end = rest.iter().position(|byte| *byte == 0)?;
        arguments.push(OsString::from_vec(rest[..end].to_owned()));
        rest = &rest[end + 1..];
    }
    Some((arguments, rest))
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

    #[test]
    fn the_environment_follows_the_arguments_and_ends_at_an_empty_word() {
        let login = answer(
            1,
            "/bin/x\0x\0DOCKER_CONFIG=/d\0ODD\0A=b=c\0\0executable_path=/bin/x\0",
        );
        let pair = |name: &str, value: &str| (OsString::from(name), OsString::from(value));
        let expected = vec![pair("DOCKER_CONFIG", "/d"), pair("A", "b=c")];
        assert_eq!(environment(&login), Some(expected));
        assert_eq!(environment(&answer(1, "/bin/x\0x\0")), None);
        assert_eq!(
            environment(&answer(1, "/bin/x\0x\0\0executable_path=/bin/x\0")),
            None
        );
        assert_eq!(environment(&answer(2, "/bin/x\0x\0")), None);
    }
}
