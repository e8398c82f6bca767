//! Errors that a user can act on.
//!
//! Most errors are plain [`anyhow`] ones. A [`Failure`] is for those that come with something to type.

use std::fmt;

/// What went wrong, and what to do about it.
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

    /// The whole chain of an error as one sentence, with its hint.
    pub(crate) fn of(error: &anyhow::Error) -> Failure {
        Failure {
            what: format!("{error:#}"),
            hint: hint_of(error).map(str::to_owned),
            is_usage: is_usage(error),
        }
    }

    /// What to type, in backticks.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// Another sentence with the same hint.
    pub(crate) fn with_text(self, what: impl Into<String>) -> Failure {
        Failure {
            what: what.into(),
            ..self
        }
    }

    /// The command was called wrongly, or with a setting that means something else.
    pub(crate) fn into_usage(self) -> Failure {
        Failure {
            is_usage: true,
            ..self
        }
    }

    /// What to type, if anything helps.
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

/// The hint that an error carries, wherever it stands in the chain.
pub(crate) fn hint_of(error: &anyhow::Error) -> Option<&str> {
    // A `Failure` that was put around another error is no link of the chain by itself.
    let around = error
        .downcast_ref::<Failure>()
        .and_then(|failure| failure.hint.as_deref());
    around.or_else(|| {
        error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Failure>()?.hint.as_deref())
    })
}

/// Whether an error is one of usage, wherever that stands in the chain.
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

/// One line for a stream that has room for one: `what (hint)`.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    match hint_of(error) {
        Some(hint) => format!("{error:#} (hint: {hint})"),
        None => format!("{error:#}"),
    }
}
