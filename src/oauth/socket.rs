//! Opens a socket to one of several addresses.
//!
//! Separate from [`super::tunnel`], which connects through a proxy. ureq's own connector tries the next address only
//! after some errors.

use std::sync::Arc;

use ureq::Error;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectionDetails, Connector, Either, NextTimeout, TcpConnector, Transport, time,
};

/// The remaining time to connect.
pub(super) fn remaining(details: &ConnectionDetails<'_>) -> time::Duration {
    match (details.timeout.after, details.now, (details.current_time)()) {
        (time::Duration::Exact(after), time::Instant::Exact(then), time::Instant::Exact(now)) => {
            time::Duration::Exact(after.saturating_sub(now.saturating_duration_since(then)))
        }
        (after, ..) => after,
    }
}

/// Connects to the first address that accepts: any error, including a firewall's `EACCES`, leads to the next address.
#[derive(Debug)]
pub(super) struct Direct;

impl<In: Transport> Connector<In> for Direct {
    type Out = Either<In, Box<dyn Transport>>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(tunnel) = chained {
            return Ok(Some(Either::A(tunnel)));
        }
        let mut last = Error::Timeout(details.timeout.reason);
        for (index, address) in details.addrs.iter().enumerate() {
            // Half of the remaining time, so that the next address has a chance too.
            let share = match (index + 1 == details.addrs.len(), remaining(details)) {
                (false, remaining) => remaining / 2,
                (true, remaining) => remaining,
            };
            if share.is_zero() {
                break;
            }
            let mut addrs = details.resolver.empty();
            addrs.push(*address);
            let one = with(details, addrs, share, details.resolver);
            match TcpConnector::default().connect(&one, None::<()>) {
                Ok(socket) => {
                    return Ok(socket.map(|socket| Either::B(socket.boxed())));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// The same connection to other addresses, with another time limit.
pub(super) fn with<'a>(
    details: &ConnectionDetails<'a>,
    addrs: ResolvedSocketAddrs,
    after: time::Duration,
    resolver: &'a dyn Resolver,
) -> ConnectionDetails<'a> {
    ConnectionDetails {
        uri: details.uri,
        addrs,
        config: details.config,
        request_level: details.request_level,
        resolver,
        now: (details.current_time)(),
        timeout: NextTimeout {
            after,
            ..details.timeout
        },
        current_time: Arc::clone(&details.current_time),
        run_connector: Arc::clone(&details.run_connector),
        register_shutdown: Arc::clone(&details.register_shutdown),
    }
}
