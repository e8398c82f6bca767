//! The database and the recovery files of one machine, as transactions.

use super::config::{Repair, World};
use super::pair::{FAMILIES, Pair};
use super::state::{Family, Kept, Machine, Paused, Stored};
use crate::protocol::{Access, ClientId, Row, Saw, Swap, swap};

impl Machine {
    /// The row as a flow reads it.
    pub(crate) fn view(&self, world: &World) -> Saw<Pair> {
        let Some(stored) = self.raw() else {
            return Saw::NoRow;
        };
        let rejected = stored.is_some() && stored == self.rejected;
        let pair = stored.filter(|_| !rejected);
        Saw::Row(Row {
            pair,
            access: pair.map_or(Access::Expired, |pair| self.access(world, pair)),
            refreshable: pair.is_some(),
            intent: pair.is_some() && pair == self.intent,
            rejected,
            paused: self.pause != Paused::No,
            client: match self.client_recorded {
                true => ClientId::Recorded,
                false => ClientId::Guessed,
            },
        })
    }

    /// How the access token of a pair stands, as far as this machine knows.
    pub(crate) fn access(&self, world: &World, pair: Pair) -> Access {
        let by_clock = match pair {
            Pair::A0 => world.access,
            _ => Access::Fresh,
        };
        match by_clock {
            Access::Expired => Access::Expired,
            _ if self.suspect == Some(pair) => Access::Suspect,
            _ => by_clock,
        }
    }

    /// The pair in the row, whether it is rejected or not.
    pub(crate) fn raw(&self) -> Option<Option<Pair>> {
        match self.row {
            Stored::Pair(pair) => Some(Some(pair)),
            Stored::Null => Some(None),
            Stored::Gone | Stored::Deleted => None,
        }
    }

    /// Whether a pair is in the row and read as one.
    pub(crate) fn has(&self, pair: Pair) -> bool {
        self.row == Stored::Pair(pair) && self.rejected != Some(pair)
    }

    /// Another program writes tokens. Our marks stay: they are in a table of ours, and name pairs.
    pub(crate) fn write(&mut self, pair: Pair) {
        self.row = Stored::Pair(pair);
        self.seen |= bit(pair);
        self.discarded &= !bit(pair);
    }

    fn unmark(&mut self) {
        self.intent = None;
        self.suspect = None;
        self.pause = Paused::No;
    }

    fn store(&mut self, new: Pair, login: Pair) {
        self.write(new);
        self.ours = Some(new);
        self.login = login;
        self.client_recorded = true;
        self.unmark();
    }

    pub(crate) fn swap(&mut self, old: Pair, new: Pair) -> Swap {
        let swapped = swap(self.raw(), &old);
        if swapped == Swap::Stored {
            self.store(new, self.login_of(old));
        }
        swapped
    }

    pub(crate) fn store_login(&mut self, new: Pair) {
        self.store(new, new);
        self.rejected = None;
    }

    /// The pair as old as the login that a stored pair comes from, as far as it is known: not of another program's.
    fn login_of(&self, stored: Pair) -> Pair {
        match self.ours == Some(stored) {
            true => self.login,
            false => stored,
        }
    }

    pub(crate) fn reject(&mut self, world: &World, pair: Pair) -> Swap {
        match self.raw() {
            None => Swap::Gone,
            Some(Some(stored)) if stored == pair => {
                match world.has(Repair::Mark) {
                    true => self.rejected = Some(pair),
                    false => self.row = Stored::Null,
                }
                Swap::Stored
            }
            Some(_) => Swap::Superseded,
        }
    }

    /// Another program logs out. It knows neither our marks nor recovery files.
    pub(crate) fn remove_row(&mut self) {
        self.row = Stored::Gone;
        self.removed |= self.seen;
        self.out |= self.seen;
    }

    /// A recovery file goes, before the row.
    pub(crate) fn discard(&mut self, kept: Kept) {
        self.unlink(kept);
        self.discarded |= bit(kept.new);
    }

    /// The row goes, with our marks.
    pub(crate) fn remove(&mut self, world: &World) {
        self.remove_row();
        self.removed |= self.discarded;
        self.out |= self.removed;
        self.out_of_files |= self.removed;
        if world.has(Repair::DurableDiscard) {
            self.ghost = None;
        }
        self.unmark();
        self.rejected = None;
    }

    /// Writes a recovery file.
    pub(crate) fn keep(&mut self, world: &World, kept: Kept) -> bool {
        let places = match world.has(Repair::OwnFile) {
            true => &mut self.files[..],
            false => &mut self.files[..1],
        };
        let Some(free) = places.iter_mut().find(|file| file.is_none()) else {
            return false;
        };
        *free = Some(kept);
        self.files.sort_unstable_by(|a, b| b.cmp(a));
        true
    }

    /// Takes what a recovery file has into the row, where it belongs there.
    pub(crate) fn import(&mut self, world: &World, families: &[Family; FAMILIES], kept: Kept) {
        if !world.has(Repair::ImportCompares) {
            return self.write(kept.new);
        }
        match (kept.old, self.row) {
            (Some(old), _) => drop(self.swap(old, kept.new)),
            // Stored before, from this file: what is recorded about it since must stay.
            (None, Stored::Pair(pair)) if pair == kept.new => {
                if !world.has(Repair::ImportOnce) {
                    self.store_login(pair);
                }
            }
            (None, Stored::Pair(pair)) if is_newer(self.login_of(pair), kept.new, families) => {}
            (None, _) => self.store_login(kept.new),
        }
    }

    /// Removes a recovery file; its directory is not on the disk yet.
    pub(crate) fn unlink(&mut self, kept: Kept) {
        if let Some(file) = self.files.iter_mut().find(|file| **file == Some(kept)) {
            *file = None;
            self.ghost = Some(kept);
            self.files.sort_unstable_by(|a, b| b.cmp(a));
        }
    }

    pub(crate) fn has_file(&self, pair: Pair) -> bool {
        self.files.iter().flatten().any(|kept| kept.new == pair)
    }
}

/// Whether a pair was issued after a login was granted.
fn is_newer(pair: Pair, login: Pair, families: &[Family; FAMILIES]) -> bool {
    let before = families[login.family()].before;
    before[pair.family()].is_none_or(|latest| latest < pair)
}

/// A login in a set of logins.
pub(crate) fn bit(pair: Pair) -> u8 {
    1 << pair.family()
}
