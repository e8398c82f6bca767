//! Errors that come with something the user can type.
//!
//! Separate from plain [`anyhow`] errors, which most errors are, because the hint is printed on a line of its own.

use std::fmt;

/// An error and its remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    what: String,
    hint: Option<String>,
    is_usage: bool,
}

impl Failure {
    /// One sentence: lower case, no final period, no secret.
    pub(crate) fn new(what: impl Into<String>) -> Failure {
        Failure {
            what: what.into(),
            hint: None,
            is_usage: false,
        }
    }

    /// Flattens the chain of an error into one sentence, with its hint.
    pub(crate) fn of(error: &anyhow::Error) -> Failure {
        Failure {
            what: format!("{error:#}"),
            hint: hint_of(error).map(str::to_owned),
            is_usage: is_usage(error),
        }
    }

    /// Adds the hint: what to type, in backticks.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// Replaces the sentence and keeps the hint.
    pub(crate) fn with_text(self, what: impl Into<String>) -> Failure {
        Failure {
            what: what.into(),
            ..self
        }
    }

    /// Marks a usage error: exit code 2.
    pub(crate) fn into_usage(self) -> Failure {
        Failure {
            is_usage: true,
            ..self
        }
    }

    /// The hint, if there is one.
    pub(crate) fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

/// The sentence alone; see [`hint_of`].
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Failure {}

/// The hint that an error carries, anywhere in the chain.
pub(crate) fn hint_of(error: &anyhow::Error) -> Option<&str> {
    // A `Failure` used as context is not an element of the chain.
    let around = error
        .downcast_ref::<Failure>()
        .and_then(|failure| failure.hint.as_deref());
    around.or_else(|| {
        error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Failure>()?.hint.as_deref())
    })
}

/// Whether the chain contains a usage error.
pub(crate) fn is_usage(error: &anyhow::Error) -> bool {
    let mut causes = error.chain();
    error
        .downcast_ref::<Failure>()
        .is_some_and(|failure| failure.is_usage)
        || causes.any(|cause| {
            cause
                .downcast_ref::<Failure>()
                .is_some_and(|failure| failure.is_usage)
        })
}

/// Formats an error for a stream that takes one line: `what (hint: …)`.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    match hint_of(error) {
        Some(hint) => format!("{error:#} (hint: {hint})"),
        None => format!("{error:#}"),
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_hint_is_found_wherever_it_stands_in_the_chain() {
        let failure = || Failure::new("why").hint("`do it`");
        let inside = Err::<(), _>(anyhow::Error::from(failure()));
        let inside = inside.context("in").context("out").unwrap_err();
        assert_eq!(hint_of(&inside), Some("`do it`"));
        assert_eq!(one_line(&inside), "out: in: why (hint: `do it`)");
        let around = anyhow::anyhow!("cause").context(failure());
        assert_eq!(one_line(&around), "why: cause (hint: `do it`)");
        assert_eq!(one_line(&anyhow::anyhow!("plain")), "plain");
        let again = Failure::of(&inside);
        assert_eq!(
            (again.to_string().as_str(), again.hint_text()),
            ("out: in: why", Some("`do it`"))
        );
    }

    #[test]
    fn an_error_of_usage_stays_one_under_other_words() {
        let usage = Failure::new("a").hint("`b`").into_usage().with_text("c");
        assert_eq!(
            (usage.to_string().as_str(), usage.hint_text()),
            ("c", Some("`b`"))
        );
        let error = anyhow::Error::from(usage).context("d");
        assert!(is_usage(&error) && is_usage(&Failure::of(&error).into()));
        let around = anyhow::anyhow!("cause").context(Failure::new("a").into_usage());
        assert!(is_usage(&around));
        assert!(!is_usage(&Failure::new("a").into()));
    }
}
