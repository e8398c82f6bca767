//! Whether an instance can be reached, where there is no token yet to check it with: before the first login.
//!
//! Separate from `sessions`, which checks tokens. Nothing is begun at the server: the device login is asked for with no
//! client, which a server that has one refuses.

use super::check::Check;
use crate::oauth::{OAuth, Probe};
use crate::origin::Origin;
use crate::world::{Timestamp, World};

const NAME: &str = "server";

/// The check, and the server's time.
pub(super) fn reach(world: &World, instance: &Origin) -> (Check, Option<Timestamp>) {
    let (probe, date) = OAuth::new(world, instance, "").probe();
    let check = match probe {
        Probe::DeviceLogin => {
            Check::ok(NAME, format!("{instance} answers, and has a device login"))
        }
        Probe::NoDeviceLogin => Check::warning(
            NAME,
            format!("{instance} answers, and has no device login, which Sentry has from 26.1.0 on"),
            format!("`sentry auth login --url {instance} --with-token` takes an API token"),
        ),
        Probe::NotSentry(what) => Check::fault(
            NAME,
            format!("{instance} answered with {what}, not as Sentry does: is the address right?"),
        ),
        Probe::Unreachable(why) => {
            let what = format!("cannot reach {instance}: {why}");
            Check::failed(NAME, &why.with_text(what).into())
        }
    };
    (check, date)
}
