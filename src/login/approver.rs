//! Who has to approve a device login.
//!
//! Separate from the flow, which any signed-in user of the browser can approve.

use super::explain::login_at;
use crate::account::Identity;
use crate::failure::Failure;
use crate::oauth::{Check, Grant, OAuth};
use crate::origin::Origin;
use crate::printable::quoted;

/// Who has to approve a login. An approval by another user is refused, and nothing is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Approver<'a> {
    /// Any user.
    Any,
    /// The user with this name or e-mail address.
    Called(&'a str),
    /// The account with this [key](crate::account::Session::key).
    Account(&'a str),
}

impl Approver<'_> {
    /// The command that logs in as this user.
    pub(super) fn login_at(self, origin: &Origin) -> String {
        match self {
            Approver::Called(email) => format!("{} {}", login_at(origin), quoted(email)),
            Approver::Any | Approver::Account(_) => login_at(origin),
        }
    }

    /// Refuses an approval by another user: Sentry approves a login for the user who is signed in to the browser.
    pub(super) fn check(
        self,
        origin: &Origin,
        oauth: &OAuth,
        grant: &Grant,
    ) -> Result<(), Failure> {
        if let Approver::Any = self {
            return Ok(());
        }
        let user = match &grant.user.email {
            Some(_) => grant.user.clone(),
            None => match oauth.check(&grant.access) {
                Check::Accepted(user) => user,
                _ => grant.user.clone(),
            },
        };
        let (is_expected, expected) = match self {
            Approver::Any => (true, String::new()),
            Approver::Called(email) => (user.is_called(email), email.to_owned()),
            Approver::Account(key) => {
                let identity = Identity::of(&user, Some(&grant.access));
                let is_it = identity.is_some_and(|identity| identity.to_string() == key);
                (is_it, "the account that the host is bound to".to_owned())
            }
        };
        if is_expected {
            return Ok(());
        }
        let what = match user.email.as_deref().or(user.label()) {
            Some(other) => {
                format!("{other} approved the login, not {expected}; nothing was stored")
            }
            None => format!("{origin} did not report who approved the login; nothing was stored"),
        };
        let again = match self {
            Approver::Called(_) => self.login_at(origin),
            _ => format!("{} --force", self.login_at(origin)),
        };
        Err(Failure::new(what).hint(format!("`{again}`, signed in as {expected} in the browser")))
    }
}
