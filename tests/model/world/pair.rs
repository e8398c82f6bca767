//! Names of token pairs: which login, and how many refreshes after it.

use std::fmt;
use std::num::NonZeroU8;

/// Logins in one world: the one that is stored at the start, and two more.
pub(crate) const FAMILIES: usize = 3;

const GENERATIONS: u8 = 16;

/// `A0` is the pair that is stored at the start, `A1` its successor, `B0` the pair of the next login.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pair(NonZeroU8);

impl Pair {
    pub(crate) const A0: Pair = Pair(NonZeroU8::MIN);

    /// The pair that a login was granted.
    pub(crate) fn of_login(family: usize) -> Pair {
        Pair(NonZeroU8::MIN.saturating_add(family as u8 * GENERATIONS))
    }

    /// What a refresh replaces it with.
    pub(crate) fn next(self) -> Pair {
        let next = Pair(self.0.saturating_add(1));
        assert_eq!(next.family(), self.family(), "too many refreshes");
        next
    }

    /// What it was refreshed from.
    pub(crate) fn previous(self) -> Option<Pair> {
        match self.generation() {
            0 => None,
            _ => NonZeroU8::new(self.0.get() - 1).map(Pair),
        }
    }

    pub(crate) fn family(self) -> usize {
        usize::from((self.0.get() - 1) / GENERATIONS)
    }

    pub(crate) fn generation(self) -> u8 {
        (self.0.get() - 1) % GENERATIONS
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = char::from(b'A' + self.family() as u8);
        write!(f, "{family}{}", self.generation())
    }
}
