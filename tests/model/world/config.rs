//! The initial configuration of a world: programs, server, faults.

use crate::protocol::Access;

/// How the server treats a refresh token that was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    /// `invalid_grant`, and nothing more.
    Plain,
    /// For 30 s the answer that the first use was given; afterwards the whole login is revoked (getsentry/sentry#107873).
    Grace,
    /// The whole login is revoked (RFC 9700 section 4.14.2).
    Revoking,
}

pub(crate) const SERVERS: [Server; 3] = [Server::Plain, Server::Grace, Server::Revoking];

/// A program that a user runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A git or docker helper: needs a token that can be used.
    Get,
    /// `sentry auth status` after the server refused the access token.
    Status,
    /// `sentry auth refresh --force`.
    Force,
    /// `sentry auth logout`.
    Logout,
    /// `sentry auth login`.
    Login,
    /// git's `erase`: a host refused the access token.
    Erase,
    /// The official CLI 0.49 refreshes.
    Cli049,
    /// The official CLI 0.45 refreshes.
    Cli045,
    /// The official CLI logs out.
    CliLogout,
    /// The official CLI logs in.
    CliLogin,
}

impl Kind {
    pub(crate) fn is_ours(self) -> bool {
        use Kind::{Erase, Force, Get, Login, Logout, Status};
        matches!(self, Get | Status | Force | Logout | Login | Erase)
    }
}

/// Which client id is the one that the pair at the start was issued to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RightClient {
    /// The one that we recorded.
    Recorded,
    /// None is recorded; the first guess is right.
    First,
    /// None is recorded; the second guess is right.
    Second,
    /// None is recorded; no guess is right.
    Neither,
    /// None is recorded; there is one guess, which is wrong.
    NotTheOne,
}

/// Nothing goes wrong.
pub(crate) const NO_FAULTS: Budget = Budget {
    kill: 0,
    lose: 0,
    disturb: 0,
    slow: 0,
    freeze: 0,
    stop: 0,
    power: 0,
    down: 0,
    refuse: 0,
    ambiguous: 0,
    offline: 0,
    no_worker: 0,
};

/// How often each fault may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Budget {
    /// A process is killed.
    pub(crate) kill: u8,
    /// A connection is reset, or times out, after the request was sent.
    pub(crate) lose: u8,
    /// The server answers 429 or 5xx, or with an OAuth error.
    pub(crate) disturb: u8,
    /// An answer takes longer than a parent waits (12 s), or a neighbour may need to store it (3 s), but not 60 s.
    pub(crate) slow: u8,
    /// A process stands still, and goes on later.
    pub(crate) freeze: u8,
    /// A process is stopped permanently.
    pub(crate) stop: u8,
    /// A machine loses power.
    pub(crate) power: u8,
    /// A database cannot be used for a while: as short as you like, or longer than the 60 s that a commit is tried.
    pub(crate) down: u8,
    /// A database, lock or file refuses one step.
    pub(crate) refuse: u8,
    /// A commit that is reported as failed has been done.
    pub(crate) ambiguous: u8,
    /// The network is away for a while: requests are not sent.
    pub(crate) offline: u8,
    /// No worker can be started.
    pub(crate) no_worker: u8,
}

/// A repair outside of the flows that can be taken back, to see that the model notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repair {
    /// A login writes names only after its commit.
    NamesOnly,
    /// A worker goes on listening when its parent has given up.
    ListensOn,
    /// A worker reads once more before it believes in a time-out.
    ReadsOnceMore,
    /// A rejected pair is marked, not removed.
    Mark,
    /// "Perhaps because a refresh was interrupted", not certainly.
    Perhaps,
    /// A parent waits for its worker for a limited time.
    ParentLimit,
    /// The worker inherits the lock.
    InheritedLock,
    /// A recovery file is imported by the rule of a swap.
    ImportCompares,
    /// A login that is stored is not stored again from a recovery file that a power cut brought back.
    ImportOnce,
    /// Each grant that cannot be stored has a recovery file of its own.
    OwnFile,
    /// A logout removes the recovery files, before it removes the row.
    LogoutDiscards,
    /// A logout makes sure that the removal of a recovery file is on the disk, also of one that was removed before.
    DurableDiscard,
}

/// One configuration.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) name: &'static str,
    pub(crate) server: Server,
    /// Programs, each on the first or second machine.
    pub(crate) programs: Vec<(Kind, usize)>,
    /// Two machines begin with copies of one database.
    pub(crate) machines: usize,
    /// The access token at the start.
    pub(crate) access: Access,
    pub(crate) client: RightClient,
    pub(crate) budget: Budget,
    pub(crate) without: Option<Repair>,
}

impl World {
    pub(crate) fn new(name: &'static str, programs: &[Kind]) -> World {
        World {
            name,
            server: Server::Plain,
            programs: programs.iter().map(|kind| (*kind, 0)).collect(),
            machines: 1,
            access: Access::Expired,
            client: RightClient::Recorded,
            budget: NO_FAULTS,
            without: None,
        }
    }

    /// The second program, and whatever comes after it, runs on a second machine.
    pub(crate) fn copied(mut self) -> World {
        self.machines = 2;
        self.programs
            .iter_mut()
            .skip(1)
            .for_each(|(_, machine)| *machine = 1);
        self
    }

    pub(crate) fn faults(mut self, budget: Budget) -> World {
        self.budget = budget;
        self
    }

    pub(crate) fn access(mut self, access: Access) -> World {
        self.access = access;
        self
    }

    pub(crate) fn client(mut self, client: RightClient) -> World {
        self.client = client;
        self
    }

    pub(crate) fn at(mut self, server: Server) -> World {
        self.server = server;
        self
    }

    #[cfg(test)]
    pub(crate) fn without(mut self, repair: Repair) -> World {
        self.without = Some(repair);
        self
    }

    pub(crate) fn has(&self, repair: Repair) -> bool {
        self.without != Some(repair)
    }
}
