//! The way to an instance: through which proxy, trusting which authorities.
//!
//! Separate from [`super::proxy`] and [`super::authorities`], which know one setting each, because it puts the sources in
//! order: the environment, what Sentry's official CLI stored for all its commands, and where neither says anything git's
//! own configuration. Only what goes out on the network asks; a cached `get` does not.

use super::authorities::Authorities;
use super::git_http::GitHttp;
use super::proxy::{self, ProxyChoice, Via};
use crate::failure::Failure;
use crate::origin::{Origin, Scheme};
use crate::printable::printable;
use crate::store::Store;
use crate::world::World;

/// A way, ready to go.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) via: Option<Via>,
    pub(super) authorities: Authorities,
}

impl Route {
    /// The way to an origin.
    ///
    /// # Errors
    /// A setting cannot be used. Going without it would be another way than the one that was wanted.
    pub(super) fn of(world: &World, origin: &Origin) -> Result<Route, Failure> {
        let choice = proxy::of_environment(world, origin)?;
        if origin.scheme() == Scheme::Http {
            return Ok(Route {
                via: None,
                authorities: Authorities::default(),
            });
        }
        let mut authorities = Authorities::of_environment(world)?;
        if let Some(file) = Store::official_default(world, "ca-cert") {
            authorities.add_file("`sentry cli defaults ca-cert`", file.into())?;
        }
        let is_unsaid = matches!(choice, ProxyChoice::Unsaid) || authorities.is_unsaid();
        let git = match is_unsaid {
            true => GitHttp::of(world, origin),
            false => GitHttp::default(),
        };
        let via = match (choice, git.setting("proxy")) {
            (ProxyChoice::Through(via), _) => Some(via),
            (ProxyChoice::Unsaid, Some(setting)) => {
                Some(Via::parse("git's `http.proxy`", setting)?)
            }
            (ProxyChoice::Unsaid, None) | (ProxyChoice::Direct, _) => None,
        };
        if authorities.is_unsaid() {
            if let Some(file) = git.path("sslcainfo") {
                authorities.add_file("git's `http.sslCAInfo`", file)?;
            }
            if let Some(directory) = git.path("sslcapath") {
                authorities.add_directory("git's `http.sslCAPath`", directory)?;
            }
        }
        let route = Route { via, authorities };
        world.trace(|| format!("to {origin}: {}; {}", route.proxy(), route.trusted()));
        Ok(route)
    }

    /// The proxy in a few words.
    pub(super) fn proxy(&self) -> String {
        match &self.via {
            None => "no proxy".to_owned(),
            Some(via) if via.has_credentials() => {
                format!("{} with a user name, by {}", via.shown(), via.named_by)
            }
            Some(via) => format!("{}, by {}", via.shown(), via.named_by),
        }
    }

    /// The authorities in a few words.
    pub(super) fn trusted(&self) -> String {
        let named = self.authorities.sources().iter().map(|(named_by, path)| {
            format!("{}, by {named_by}", printable(&path.display().to_string()))
        });
        let systems = self.authorities.has_systems();
        let systems = systems.then(|| "the system's authorities".to_owned());
        systems
            .into_iter()
            .chain(named)
            .collect::<Vec<_>>()
            .join("; ")
    }
}
