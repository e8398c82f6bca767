//! The way to an instance: through which proxy, trusting which authorities.
//!
//! Separate from [`super::proxy`] and [`super::authorities`], which know one setting each, because it puts the sources in
//! order: the environment, what Sentry's official CLI stored for all its commands, and where neither says anything git's
//! own configuration. Only what goes out on the network asks; a cached `get` does not.

use std::sync::Arc;

use ureq::http::Uri;

use super::addresses::{Addresses, place};
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
    /// Those that are known already.
    pub(super) addresses: Addresses,
}

/// The way to one instance, with all that it needs: whoever has it opens no file, starts no program and asks no name
/// server.
pub(crate) struct Way {
    origin: Origin,
    route: Result<Arc<Route>, Failure>,
}

impl Way {
    /// Reads settings and certificates, and looks names up.
    pub(crate) fn prepared(world: &World, origin: &Origin) -> Way {
        let route = Route::of(world, origin).map(|route| Arc::new(route.prepared(origin)));
        Way {
            origin: origin.clone(),
            route,
        }
    }

    /// The TCP port that requests connect to: the proxy's, if there is one. `None`: nothing connects.
    pub(crate) fn port(&self) -> Option<u16> {
        let route = self.route.as_ref().ok()?;
        Some(place(&route.first_stop(&self.origin)?).1)
    }

    /// # Errors
    /// A setting cannot be used, or it is the way to another instance.
    pub(super) fn to(&self, origin: &Origin) -> Result<Arc<Route>, Failure> {
        match self.origin == *origin {
            true => self.route.clone(),
            false => Err(Failure::new(format!(
                "the way to {} was prepared, not to {origin}",
                self.origin
            ))),
        }
    }
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
                addresses: Addresses::default(),
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
        let route = Route {
            via,
            authorities,
            addresses: Addresses::default(),
        };
        world.trace(|| format!("to {origin}: {}; {}", route.proxy(), route.trusted()));
        Ok(route)
    }

    fn prepared(mut self, origin: &Origin) -> Route {
        if origin.scheme() == Scheme::Https {
            self.authorities.load_systems();
        }
        let is_found_by_proxy = |via: &Via| !via.proxy.resolve_target();
        let target = origin.to_string().parse().ok();
        let target = target.filter(|_| !self.via.as_ref().is_some_and(is_found_by_proxy));
        let names = [self.first_stop(origin), target];
        for name in names.iter().flatten() {
            self.addresses.look_up(name);
        }
        self
    }

    /// What is connected to.
    fn first_stop(&self, origin: &Origin) -> Option<Uri> {
        match &self.via {
            Some(via) => Some(via.proxy.uri().clone()),
            None => origin.to_string().parse().ok(),
        }
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
