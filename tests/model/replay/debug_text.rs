//! Reads back what `{:?}` has written of the protocol's values.
//!
//! Separate from the replay, which knows what the values mean. Whatever is read is written again and
//! compared, so that a value which is read wrongly is an error.

use std::fmt;

use super::protocol::{Access, Acted, ClientId, Goal, Outcome, Row, Saw, Swap};

/// A pair of tokens as a trace names it: `p` and eight hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pair(u32);

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:08x}", self.0)
    }
}

/// A value with its parts, named or not.
#[derive(Debug)]
struct Value<'a> {
    name: &'a str,
    parts: Vec<(&'a str, Value<'a>)>,
}

pub(crate) fn saw(text: &str) -> Result<Saw<Pair>, String> {
    same(text, Value::whole(text).and_then(|value| value.saw()))
}

pub(crate) fn demand(text: &str) -> Result<Goal<Pair>, String> {
    same(text, Value::whole(text).and_then(|value| value.demand()))
}

pub(crate) fn row(text: &str) -> Result<Row<Pair>, String> {
    same(text, Value::whole(text).and_then(|value| value.row()))
}

pub(crate) fn pair(text: &str) -> Result<Pair, String> {
    same(text, Value::whole(text).and_then(|value| value.pair()))
}

fn same<T: fmt::Debug>(text: &str, read: Option<T>) -> Result<T, String> {
    match read {
        Some(value) if format!("{value:?}") == text => Ok(value),
        _ => Err(format!("not a value of the protocol: {text}")),
    }
}

impl<'a> Value<'a> {
    fn whole(text: &'a str) -> Option<Value<'a>> {
        let (value, rest) = Value::first(text)?;
        rest.is_empty().then_some(value)
    }

    /// The value at the beginning of a text, and the rest.
    fn first(text: &'a str) -> Option<(Value<'a>, &'a str)> {
        let end = text
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(text.len());
        let (name, mut rest) = text.split_at(end);
        let mut parts = Vec::new();
        let (open, close) = match rest.chars().next() {
            Some('(') => ("(", ")"),
            Some(' ') if rest.starts_with(" { ") => (" { ", " }"),
            _ => return Some((Value { name, parts }, rest)),
        };
        rest = rest.strip_prefix(open)?;
        loop {
            let field = match close {
                " }" => {
                    let (field, after) = rest.split_once(": ")?;
                    rest = after;
                    field
                }
                _ => "",
            };
            let (value, after) = Value::first(rest)?;
            parts.push((field, value));
            match after.strip_prefix(", ") {
                Some(after) => rest = after,
                None => return Some((Value { name, parts }, after.strip_prefix(close)?)),
            }
        }
    }

    fn only(&self) -> Option<&Value<'a>> {
        self.parts.first().map(|(_, value)| value)
    }

    fn field(&self, name: &str) -> Option<&Value<'a>> {
        let mut parts = self.parts.iter();
        parts
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value)
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.field(name)?.name.parse().ok()
    }

    fn pair(&self) -> Option<Pair> {
        u32::from_str_radix(self.name.strip_prefix('p')?, 16)
            .ok()
            .map(Pair)
    }

    fn demand(&self) -> Option<Goal<Pair>> {
        Some(match self.name {
            "Usable" => Goal::Usable,
            "Refresh" => Goal::Refresh,
            "Replacement" => Goal::Replacement(self.only()?.pair()?),
            _ => return None,
        })
    }

    fn row(&self) -> Option<Row<Pair>> {
        let pair = self.field("pair")?;
        Some(Row {
            pair: match pair.name {
                "None" => None,
                _ => Some(pair.only()?.pair()?),
            },
            access: match self.field("access")?.name {
                "Fresh" => Access::Fresh,
                "ExpiresSoon" => Access::ExpiresSoon,
                "Suspect" => Access::Suspect,
                "Expired" => Access::Expired,
                _ => return None,
            },
            refreshable: self.flag("refreshable")?,
            intent: self.flag("intent")?,
            rejected: self.flag("rejected")?,
            paused: self.flag("paused")?,
            client: match self.field("client")?.name {
                "Recorded" => ClientId::Recorded,
                "Guessed" => ClientId::Guessed,
                "Missing" => ClientId::Missing,
                _ => return None,
            },
        })
    }

    fn saw(&self) -> Option<Saw<Pair>> {
        Some(match self.name {
            "Row" => Saw::Row(self.only()?.row()?),
            "NoRow" => Saw::NoRow,
            "Done" => Saw::Done,
            "Refused" => Saw::Refused,
            "Locked" => Saw::Locked,
            "Contended" => Saw::Contended,
            "TimedOut" => Saw::TimedOut,
            "Accepted" => Saw::Accepted,
            "Unauthorized" => Saw::Unauthorized,
            "Granted" => Saw::Granted(self.only()?.pair()?),
            "InvalidGrant" => Saw::InvalidGrant,
            "InvalidClient" => Saw::InvalidClient,
            "OAuthError" => Saw::OAuthError,
            "Disturbed" => Saw::Disturbed(match self.only()?.name {
                "Perhaps" => Acted::Perhaps,
                _ => Acted::No,
            }),
            "Lost" => Saw::AnswerLost,
            "NotSent" => Saw::NotSent,
            "NoClient" => Saw::NoClient,
            "Swapped" => Saw::Swapped(match self.only()?.name {
                "Stored" => Swap::Stored,
                "Gone" => Swap::Gone,
                _ => Swap::Superseded,
            }),
            "Reported" => Saw::Reported(self.only()?.outcome()?),
            "NoWorker" => Saw::NoWorker,
            "WorkerDied" => Saw::WorkerDied,
            "WorkerSilent" => Saw::WorkerSilent,
            _ => return None,
        })
    }

    fn outcome(&self) -> Option<Outcome> {
        Some(match self.name {
            "Usable" => Outcome::Usable {
                refreshed: self.flag("refreshed")?,
            },
            "Stale" => Outcome::Stale,
            "Unavailable" => Outcome::Unavailable,
            "LoginRequired" => Outcome::LoginRequired,
            _ => return None,
        })
    }
}
